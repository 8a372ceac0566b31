"""The writer of one run folder: rows as they come, a manifest, and tables derived at its close."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Column, Point
from onnes.storage.append_file import AppendFile
from onnes.storage.manifest import Manifest, replace_file, sync_folder
from onnes.storage.table import (
    ATTEMPT,
    FORMAT,
    REJECTED,
    RowWriter,
    RunHeader,
    count_rows,
    head,
    header_length,
    onnes_line,
    provenance,
    table_parts,
)
from onnes.storage.take_up import checked_entry, run_to_take_up

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["running", "finished", "failed", "aborted", "stopped"]

DATA, REJECTS, RUN_MANIFEST = "data.csv", "rejected.csv", "run.json"

_OURS = frozenset(
    {
        "format",
        "night",
        "run",
        "status",
        "started",
        "ended",
        "points",
        "rejected",
        "lost",
        "columns",
        "header",
        "attempts",
    }
)


def end_status(status: str) -> str:
    """Return ``status`` if a run or a night may end with it.

    Raises:
        ValueError: if it may not.
    """
    ends = get_args(Status)[1:]
    if status not in ends:
        raise ValueError(f"status = {status!r} is no end of a run; expected one of {', '.join(ends)}")
    return status


def not_ours(entries: Mapping[str, Any], ours: frozenset[str], file: str) -> None:
    """Refuse entries that storage itself writes.

    Raises:
        ValueError: naming them.
    """
    taken = sorted(ours & entries.keys())
    if taken:
        raise ValueError(f"{', '.join(taken)} of {file} is written by storage; give the entry another name")


class RunFolder:
    """One run on the disk, open for writing; made by ``NightFolder.create_run`` and ``reopen_run``.

    Args:
        path: the folder.
        wall: a wall clock, for syncing and for the times in the manifest.
        manifest: what ``run.json`` holds.
        data: the file of the good points.
        rejected: the file of the others.
        on_close: called with the folder when it is closed.
    """

    def __init__(
        self,
        path: Path,
        wall: Clock,
        manifest: Manifest,
        data: AppendFile,
        rejected: AppendFile,
        on_close: Callable[["RunFolder"], None],
    ) -> None:
        self.path = path
        self._wall = wall
        self._on_close = on_close
        self._manifest = manifest
        self._data = data
        self._rejected = rejected
        columns = [column for column in manifest.entries["columns"] if column["label"] != ATTEMPT.label]
        self._labels = [column["label"] for column in columns]
        # A run whose first point is still to come does not know them.
        self._kinds = {column["label"]: column["kind"] for column in columns if "kind" in column}
        self._about = {
            "night": path.parent.name,
            "run": path.name,
            **provenance(manifest.entries, RUN_MANIFEST),
        }
        self._writers: dict[type[Point], RowWriter] = {}
        self._counts = Counter[str]()
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        wall: Clock,
        manifest: Mapping[str, Any],
        columns: Sequence[Column],
        header: RunHeader,
        on_close: Callable[["RunFolder"], None],
    ) -> Self:
        """Create the folder ``path``; one that holds a run is never taken.

        Args:
            wall, on_close: as for the class.
            manifest: what goes into ``run.json`` beside storage's own entries.
            columns: what every point has, in order.
            header: what stands above the table.

        Raises:
            StorageError: if the folder exists or cannot be written.
            ValueError: if two columns have one label, or an entry of ``manifest`` is storage's own.
            TypeError: if an entry of ``manifest`` cannot stand in JSON.
        """
        not_ours(manifest, _OURS, RUN_MANIFEST)
        stored = [*columns, ATTEMPT, REJECTED]
        twice = sorted(label for label, n in Counter(column.label for column in stored).items() if n > 1)
        if twice:
            raise ValueError(f"{', '.join(twice)}: two columns have this label; every column has its own")
        about = {"night": path.parent.name, "run": path.name}
        started = wall.datetime()
        entries = Manifest(
            path / RUN_MANIFEST,
            wall,
            {
                "format": FORMAT,
                **about,
                "status": "running",
                "started": started,
                "attempts": [{"attempt": 1, "started": started}],
                "columns": [
                    {"label": c.label, "name": c.name, "unit": c.unit, "description": c.description}
                    for c in stored[:-1]
                ],
                "header": header.plain(),
                **provenance(header.onnes, "the header of a run"),
                **manifest,
            },
        )
        try:
            path.mkdir()
        except FileExistsError:
            raise StorageError(f"{path} exists already; a new run never takes an existing folder") from None
        except OSError as error:
            raise StorageError(f"cannot create {path}: {error.strerror}") from error
        with ExitStack() as undo:  # so that it can be made when there is room again
            undo.callback(shutil.rmtree, path, ignore_errors=True)
            data = AppendFile.create(path / DATA, wall, head(header, about, stored[:-1]))
            undo.callback(data.close)
            rejected = AppendFile.create(path / REJECTS, wall, head(header, about, stored))
            undo.callback(rejected.close)
            # The manifest comes last: a folder without one was still being made, and no point is in it.
            entries.write()
            undo.pop_all()
        with suppress(OSError):  # only a power cut in the next seconds could tell
            sync_folder(path.parent)
        return cls(path, wall, entries, data, rejected, on_close)

    @classmethod
    def take_up(
        cls,
        path: Path,
        wall: Clock,
        entry: Mapping[str, Any],
        columns: Sequence[Column] | None,
        on_close: Callable[["RunFolder"], None],
    ) -> Self:
        """Go on with the run in ``path``, whose writer has ended or was killed, as its next attempt.

        Args:
            wall, on_close: as for the class.
            entry: as for :meth:`next_attempt`.
            columns: what the measurement gives now; None where its points will tell.

        Raises:
            StorageError: if there is no run, it is damaged, or its columns are others; no row is changed.
            ConfigurationError: if it is finished.
            ValueError: if ``entry`` says something else than an attempt.
        """
        checked_entry(entry)
        manifest = Manifest(path / RUN_MANIFEST, wall, run_to_take_up(path / RUN_MANIFEST, columns))
        with ExitStack() as undo:
            data = AppendFile.take_up(path / DATA, wall, partial(_parts, path / DATA))
            undo.callback(data.close)
            rejected = AppendFile.take_up(path / REJECTS, wall, partial(_parts, path / REJECTS))
            undo.callback(rejected.close)
            run = cls(path, wall, manifest, data, rejected, on_close)
            run._counts.update(points=_count(data), rejected=_count(rejected))
            manifest.remove("ended", "points", "rejected")
            manifest.put({"status": "running"})
            run.next_attempt(entry)
            undo.pop_all()
        return run

    @property
    def attempt(self) -> int:
        """Return the number that the next row carries in its column ``Attempt``."""
        attempts = self._manifest.entries.get("attempts")
        return int(attempts[-1]["attempt"]) if attempts else 1  # version 0.1 wrote no list

    def next_attempt(self, entry: Mapping[str, Any]) -> None:
        """Begin the next attempt: the rows from here on carry its number.

        Args:
            entry: ``rule`` (free or path), ``curve`` (from 1) and ``done`` (its setpoints that stay) of the
                take-up, and ``reason``, one sentence; number and time are added.

        Raises:
            StorageError: if ``run.json`` cannot be replaced; the attempt has not begun then.
            ValueError: if ``entry`` says something else.
        """
        added = checked_entry(entry)
        before = self._manifest.entries.get("attempts") or [
            {"attempt": 1, "started": self._manifest.entries["started"]}
        ]
        begun = {"attempt": self.attempt + 1, "started": self._wall.datetime(), **added}
        self._manifest.put({"attempts": [*before, begun]})
        try:
            self._manifest.write()
        except StorageError:
            self._manifest.put({"attempts": before})
            raise
        self._writers.clear()  # each writes its attempt

    def append(self, point: Point) -> None:
        """Write one point: a good one to ``data.csv``, another with its reason to ``rejected.csv``.

        Raises:
            TypeError: if the point does not fit the columns; nothing is written and nothing is kept.
            StorageError: if it cannot be written; it is kept, and :meth:`flush` writes it later.
        """
        if self._closed:
            raise ValueError(f"{self.path} is closed; a point cannot be added to it")
        writer = self._writers.get(type(point)) or self._prepare(type(point))
        if point.rejected:
            row = writer.rejected_row(point)
            self._counts["rejected"] += 1
            self._rejected.append(row)
        else:
            row = writer.row(point)
            self._counts["points"] += 1
            self._data.append(row)
        if self._manifest.dirty:
            self._manifest.write()

    def _prepare(self, kind: type[Point]) -> RowWriter:
        writer = RowWriter(kind, self._labels, self.attempt)
        if not self._kinds:
            kinds = {**writer.kinds, ATTEMPT.label: "int"}
            columns = self._manifest.entries["columns"]
            self._manifest.put(
                {"columns": [{**column, "kind": kinds[column["label"]]} for column in columns]}
            )
            self._kinds = writer.kinds
        elif writer.kinds != self._kinds:
            raise TypeError(
                f"{kind.__name__} has columns of other types than the points before it in {self.path}"
            )
        self._writers[kind] = writer
        return writer

    def pending(self) -> int:
        """Return how many points are kept in memory because they could not be written."""
        return self._data.pending() + self._rejected.pending()

    def flush(self) -> None:
        """Write what is pending, in order, each row once; does nothing when nothing is pending.

        Raises:
            StorageError: if it still cannot be written; everything is still kept.
        """
        if not self._closed:
            self._data.flush()
            self._rejected.flush()
        self._manifest.write()

    def remarks(self) -> list[str]:
        """Return what is to be said about the files, each sentence once."""
        files = (self._data, self._rejected)
        said = [f"{self.path.name}: {remark}" for file in files for remark in file.remarks]
        for file in files:
            file.remarks.clear()
        return said

    def sync_if_due(self) -> None:
        """Sync rows to the disk if a second of wall time has passed since the last sync.

        Raises:
            StorageError: if that fails.
        """
        self._data.sync_if_due()
        self._rejected.sync_if_due()

    def update(self, **entries: Any) -> None:
        """Change entries of ``run.json``.

        Raises:
            ValueError: if an entry is storage's own; the status is set by :meth:`close`.
            TypeError: if a value cannot stand in JSON.
            StorageError: if the file cannot be replaced; the change is kept for :meth:`flush`.
        """
        not_ours(entries, _OURS, RUN_MANIFEST)
        self._manifest.put(entries)
        self._manifest.write()

    def write_derived(self, name: str, frame: "pd.DataFrame") -> Path:
        """Write a table made from the data, such as ``symmetrised.csv``, and return its path.

        It is written beside and renamed, so that a reader never sees half of it.

        Raises:
            ValueError: if ``name`` is not a plain file name, or one of the files of the run itself.
            StorageError: if it cannot be written; what was there before is still there.
        """
        if not re.fullmatch(r"\w[\w.-]*", name) or name in {DATA, REJECTS, RUN_MANIFEST}:
            raise ValueError(f"{name!r} cannot name a derived table; e.g. 'symmetrised.csv'")
        text = frame.to_csv(index=False, na_rep="nan", lineterminator="\n")
        line = onnes_line({**self._about, "derived_from": DATA})
        replace_file(self.path / name, line + text.encode(), self._wall)
        return self.path / name

    def close(self, status: str) -> None:
        """Write what is left and end the run as finished, failed, aborted or stopped; later calls do nothing.

        A run whose points are not all written does not end as finished.

        Raises:
            ValueError: if ``status`` is no end.
            StorageError: if points are left that cannot be written. Unless ``status`` is ``finished`` the run
                is closed all the same, and ``run.json`` says how many are missing if it can be written.
        """
        end_status(status)
        if self._closed:
            return
        if status == "finished":
            self.flush()
        problem: StorageError | None = None
        for file in (self._data, self._rejected):
            try:
                file.close()
            except StorageError as error:
                problem = error
        if problem and status == "finished":
            raise problem
        entries = {
            "status": status,
            "ended": self._wall.datetime(),
            "points": self._counts["points"] - self._data.pending(),
            "rejected": self._counts["rejected"] - self._rejected.pending(),
        }
        if self.pending():
            entries["lost"] = self.pending()
        self._manifest.put(entries)
        self._closed = True
        self._on_close(self)
        self._manifest.write()
        if problem:
            raise problem


def _parts(path: Path, content: bytes) -> tuple[bytes, bytes]:
    found = table_parts(content)
    if not found[0]:
        raise StorageError(
            f"{path} has lost the names of its columns; nothing was changed in it; restore it from a copy, "
            f"or move {path.parent} away and measure the run again"
        )
    return found


def _count(file: AppendFile) -> int:
    try:
        content = file.path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {file.path}: {error.strerror or error}") from error
    return count_rows(content[header_length(content) :]) - 1
