"""The end of a file that another process writes: read from its end, or followed as it grows."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnes.storage.table import ATTEMPT

_TAIL_BYTES = 64 * 1024  # some hundred events or environment rows
_BLOCK_BYTES = 1 << 20


def last_lines(path: Path, most_bytes: int = _TAIL_BYTES) -> list[str]:
    """Return the whole lines in the last ``most_bytes`` of a file; none where there is no such file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - most_bytes)
            file.seek(start)
            content = file.read(most_bytes)
    except OSError:
        return []
    lines = content.split(b"\n")[:-1]  # behind the last newline stands what is being written
    return [line.decode("utf-8", "replace") for line in (lines[1:] if start else lines)]


def last_events(path: Path) -> list[dict[str, Any]]:
    """Return the last events of ``events.jsonl``, the latest at the end; a damaged line is left out."""
    return [event for line in last_lines(path) if (event := event_in(line)) is not None]


def event_in(line: str) -> dict[str, Any] | None:
    """Return the event that a line of ``events.jsonl`` holds, None where it holds none."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def last_rows(path: Path) -> list[dict[str, str]]:
    """Return the last rows of a table of ours as text, the latest at the end."""
    labels = labels_of(path)
    rows = [cells(line) for line in last_lines(path) if not line.startswith("#")]
    return [dict(zip(labels, row, strict=True)) for row in rows if len(row) == len(labels) and row != labels]


def labels_of(path: Path) -> list[str]:
    """Return the column labels of a table of ours; none where it has no header yet."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for line in file:
                if not line.startswith("#"):
                    return cells(line.rstrip("\n")) if line.endswith("\n") else []
    except OSError:
        pass
    return []


def cells(line: str) -> list[str]:
    """Return the cells of one line of a table."""
    return next(csv.reader([line]), [])


def rows_that_count(path: Path, attempts: Sequence[Mapping[str, Any]]) -> int:
    """Count the rows of ``data.csv`` without keeping them; restarted curves count as in ``Run.current``.

    Args:
        attempts: those of ``run.json``.
    """
    restarts = [entry for entry in attempts if entry.get("rule") == "path"]
    labels = labels_of(path)
    rows = (line for line in Follower(path).lines() if not line.startswith("#"))
    next(rows, None)  # the column labels
    if not restarts:
        return sum(1 for _ in rows)
    return sum(_counts(dict(zip(labels, cells(line), strict=False)), restarts) for line in rows)


def _counts(row: dict[str, str], restarts: Sequence[Mapping[str, Any]]) -> bool:
    return not any(
        int(row[ATTEMPT.label]) < entry["attempt"]
        and ("Curve" not in row or int(row["Curve"]) >= entry["curve"])
        for entry in restarts
    )


class Follower:
    """Gives each line of a growing file once, and keeps nothing but what is not yet a whole line.

    Args:
        path: the file; it may come later.
        offset: where to begin, bytes.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._offset = offset

    def lines(self) -> Iterator[str]:
        """Yield the whole lines that have come since the last call."""
        try:
            with self.path.open("rb") as file:
                # A drive that came back without its last bytes has a shorter file; those lines come again.
                self._offset = min(self._offset, file.seek(0, 2))
                file.seek(self._offset)
                while block := file.read(_BLOCK_BYTES):
                    whole = block.rfind(b"\n") + 1
                    if not whole:
                        return
                    self._offset += whole
                    file.seek(self._offset)
                    for line in block[:whole].split(b"\n")[:-1]:
                        yield line.decode("utf-8", "replace")
        except OSError:
            return  # on the next call it may be there


def size_of(path: Path) -> int:
    """Return the length of a file in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
