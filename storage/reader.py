"""Reading nights and runs back as pandas; needs no procedure class and runs nothing that a file names.

A file may be open for writing, or its writer may have been killed: the last line counts only if it is whole.
"""

import json
import re
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import pandas as pd

from onnes.instruments.errors import StorageError
from onnes.instruments.records import Cell
from onnes.storage.environment import ENVIRONMENT
from onnes.storage.manifest import read_manifest
from onnes.storage.night import EVENTS, NIGHT_MANIFEST, SEQUENCE
from onnes.storage.run import DATA, REJECTS, RUN_MANIFEST
from onnes.storage.table import ATTEMPT, REJECTED, header_length, onnes_entries, whole_rows

# Before 3.1 pandas could lose the last digit of a float by default; from then on asking for it is deprecated.
_OLD = tuple(int(part) for part in pd.__version__.split(".")[:2]) < (3, 1)
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _OLD else {}

CURVE = "Curve"
"""Label of the column that numbers the curves of a run, from 1; 0 is a reference point between them."""

_DTYPES = {"float": "float64", "int": "int64", "text": "str"}


class Run:
    """One run folder, read only; made by :meth:`open`."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the manifest of the run in the folder ``path``.

        Raises:
            StorageError: if there is no run.
        """
        return cls(Path(path), read_manifest(Path(path) / RUN_MANIFEST))

    @property
    def status(self) -> str:
        """Return running, finished, failed, aborted or stopped, as it stood when it was opened here."""
        return str(self.manifest["status"])

    @cached_property
    def data(self) -> pd.DataFrame:
        """The good points, one a row; the columns are labels such as ``Temperature (K)``, and ``Attempt``.

        Raises:
            StorageError: if the file is missing or damaged.
        """
        return read_table(self.path / DATA, self._kinds())

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """The points that do not count, with the reason in the column ``Rejected``.

        Raises:
            StorageError: if the file is missing or damaged.
        """
        return read_table(self.path / REJECTS, {**self._kinds(), REJECTED.label: "text"})

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Return how the run was begun and taken up again, oldest first; empty in files of version 0.1.

        Each has ``attempt`` and ``started``, the later ones ``rule``, ``curve``, ``done`` and ``reason``.
        """
        return list(self.manifest.get("attempts", []))

    @cached_property
    def current(self) -> pd.DataFrame:
        """The good points that count: where a curve was restarted, only those of its last attempt.

        An attempt with the rule ``path`` prepared the sample again and supersedes the rows of earlier ones
        from its curve on; with the rule ``free`` it goes on where they ended.

        Raises:
            StorageError: if the file is missing or damaged.
        """
        data = self.data
        keep = pd.Series(data=True, index=data.index)
        for entry in self.attempts:
            if entry.get("rule") == "path" and not data.empty:
                # A table without curves is one curve.
                superseded = data[CURVE] >= entry["curve"] if CURVE in data else True
                keep &= ~((data[ATTEMPT.label] < entry["attempt"]) & superseded)
        return data[keep].reset_index(drop=True)

    @property
    def parameters(self) -> dict[str, tuple[Cell | bool, str]]:
        """Return {label: (value, unit)} of the measurement, with all digits."""
        parameters: dict[str, list[Any]] = self.manifest["header"]["parameters"]
        return {label: (value, unit) for label, (value, unit) in parameters.items()}

    def _kinds(self) -> dict[str, str]:
        # A run that was killed before its first point does not know them; then there is nothing to convert.
        return {column["label"]: column["kind"] for column in self.manifest["columns"] if "kind" in column}

    def __repr__(self) -> str:
        return f"<Run {self.path.name}: {self.status}>"


class Night:
    """One night folder, read only; made by :meth:`open`."""

    def __init__(self, path: Path, manifest: dict[str, Any], runs: list[Run]) -> None:
        self.path = path
        self.manifest = manifest
        self.runs = runs

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the manifests of the night in the folder ``path`` and of its runs.

        Raises:
            StorageError: if there is no night, or a manifest is damaged.
        """
        manifest = read_manifest(Path(path) / NIGHT_MANIFEST)
        # A folder without a manifest was being made when the writer was killed; no point is in it.
        folders = [file.parent for file in Path(path).glob(f"*/{RUN_MANIFEST}")]
        return cls(Path(path), manifest, [Run.open(folder) for folder in sorted(folders, key=_order)])

    @property
    def status(self) -> str:
        """Return running, finished, failed, aborted or stopped, as it stood when it was opened here."""
        return str(self.manifest["status"])

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Return who began the night and who took it up, oldest first; empty in files of version 0.1."""
        return list(self.manifest.get("attempts", []))

    @property
    def owner(self) -> dict[str, Any]:
        """Return host, user and pid of the process that wrote last, alive or not."""
        return dict(self.manifest["owner"])

    @property
    def heartbeat(self) -> datetime:
        """Return when the owner showed last that it lives, UTC wall time."""
        return datetime.fromisoformat(self.manifest["heartbeat"])

    @property
    def sequence_text(self) -> str:
        """Return the sequence as it was given.

        Raises:
            StorageError: if the file is missing.
        """
        return _read(self.path / SEQUENCE).decode()

    @cached_property
    def events(self) -> pd.DataFrame:
        """What happened, one row an event: t (s, laboratory time), utc, kind, message, values (a dict).

        Raises:
            StorageError: if the file is missing or damaged.
        """
        path = self.path / EVENTS
        lines = _read(path).split(b"\n")[:-1]  # behind the last newline stands what was being written
        events = []
        for number, line in enumerate(lines, start=1):
            try:
                events.append(json.loads(line))
            except ValueError as error:
                raise StorageError(f"{path}:{number}: not JSON: {error}") from error
        return pd.DataFrame(events, columns=["t", "utc", "kind", "message", "values"])

    @cached_property
    def environment(self) -> pd.DataFrame:
        """The slow stream, one row a look; empty when there was none.

        Raises:
            StorageError: if the file is missing or damaged.
        """
        path = self.path / ENVIRONMENT
        return read_table(path, dict.fromkeys(onnes_entries(_read(path)).get("text", []), "text"))

    def __repr__(self) -> str:
        return f"<Night {self.path.name}: {self.status}, {len(self.runs)} runs>"


def read_table(path: Path, kinds: dict[str, str]) -> pd.DataFrame:
    """Read a table of ours.

    Args:
        kinds: {column label: float, int or text}; the others are guessed.

    Raises:
        StorageError: if the file is missing or damaged.
    """
    content = _read(path)
    body = whole_rows(content[header_length(content) :])
    if not body:
        return pd.DataFrame()
    labels = list(pd.read_csv(BytesIO(body), nrows=0).columns)
    try:
        frame: pd.DataFrame = pd.read_csv(
            BytesIO(body),
            dtype={label: _DTYPES[kind] for label, kind in kinds.items() if label in labels},
            keep_default_na=False,  # in a text column "nan" and "NA" are words
            na_values={label: ["nan", ""] for label in labels if kinds.get(label) != "text"},
            **EXACT,
            skip_blank_lines=False,
        )
    except ValueError as error:  # pandas' own errors derive from it
        raise StorageError(f"{path} is damaged: {error}") from error
    return frame


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _order(folder: Path) -> tuple[int, str]:
    match = re.match(r"\d+", folder.name)
    return (int(match[0]) if match else 0, folder.name)
