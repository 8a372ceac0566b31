"""The writer of one night: its folder, its manifest with the heartbeat, its slow stream and its events."""

import getpass
import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Column, plain
from onnes.storage.append_file import FSYNC_INTERVAL_S, AppendFile
from onnes.storage.manifest import Manifest, json_bytes, rename, replace_file, sync_folder
from onnes.storage.names import file_name, take_number, utc_stamp
from onnes.storage.run import RunFolder, end_status, not_ours
from onnes.storage.table import FORMAT, RunHeader, cell, column_line, onnes_line, plain_as, provenance

HEARTBEAT_INTERVAL_S = 5.0
"""Wall time between two heartbeats; one that is many times older, with no live owner, is that of a crash."""

NIGHT_MANIFEST, SEQUENCE, EVENTS, ENVIRONMENT = (
    "night.json",
    "sequence.yaml",
    "events.jsonl",
    "environment.csv",
)

_OURS = frozenset(
    {"format", "night", "number", "status", "started", "ended", "heartbeat", "owner", "sequence_sha256"}
)


class NightFolder:
    """One night on the disk, open for writing by one process; made by :meth:`create`."""

    def __init__(self, path: Path, wall: Clock, manifest: Manifest) -> None:
        self.path = path
        self._wall = wall
        self._manifest = manifest
        self._provenance = provenance(manifest.entries, NIGHT_MANIFEST)
        self._events = AppendFile(path / EVENTS, wall)
        self._environment = AppendFile(path / ENVIRONMENT, wall)
        self._environment_kinds: dict[str, bool] = {}  # label: is it text
        self._runs: list[RunFolder] = []
        self._next_look = self._next_heartbeat = wall.now()
        self._closed = False

    @classmethod
    def create(
        cls, runs: Path, sample: str, wall: Clock, manifest: Mapping[str, Any], sequence_text: str
    ) -> Self:
        """Create ``runs/<date>/<UTC>Z_<sample>_<nnnn>/``.

        ``nnnn`` counts per ``runs`` and is never given twice, not even to two processes at once.

        Args:
            runs: the folder of all nights; made if it does not exist.
            sample: stands in the folder's name.
            wall: a wall clock, for names, heartbeat and syncing, whatever time the laboratory has.
            manifest: what goes into ``night.json`` beside storage's own entries: ``backend``, with ``lab``
                and ``seed`` when it is simulated, and what the caller wants kept.
            sequence_text: kept as it is in ``sequence.yaml``.

        Raises:
            ConfigurationError: if ``sample`` cannot stand in a name.
            StorageError: if the folder cannot be made.
            ValueError: if ``manifest`` does not say where the data come from, or an entry is storage's own.
            TypeError: if an entry of ``manifest`` cannot stand in JSON.
        """
        not_ours(manifest, _OURS, NIGHT_MANIFEST)
        provenance(manifest, NIGHT_MANIFEST)
        named = file_name(sample, "sample")
        started = wall.datetime()
        number = take_number(runs)
        name = f"{utc_stamp(started)}_{named}_{number:04d}"
        path = runs / f"{started:%Y-%m-%d}" / name
        sequence = sequence_text.encode()
        entries = Manifest(
            path / NIGHT_MANIFEST,
            wall,
            {
                "format": FORMAT,
                "night": name,
                "number": number,
                "status": "running",
                "started": started,
                "heartbeat": started,
                "owner": _owner(),
                "sequence_sha256": hashlib.sha256(sequence).hexdigest(),
                **manifest,
            },
        )
        # The folder gets its name when its manifest is in it: a night is readable from its first moment.
        beside = path.with_name(f".{name}.new")
        try:
            beside.mkdir(parents=True)
            replace_file(beside / SEQUENCE, sequence, wall)
            replace_file(beside / NIGHT_MANIFEST, entries.content(), wall)
            rename(beside, path, wall)
            entries.dirty = False
            sync_folder(path.parent)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"cannot create {path}: {error.strerror}") from error
        return cls(path, wall, entries)

    def create_run(
        self,
        number: int,
        kind: str,
        label: str,
        manifest: Mapping[str, Any],
        columns: Sequence[Column],
        header: RunHeader,
    ) -> RunFolder:
        """Create the folder of one run, ``<number>_<kind>_<label>``, e.g. ``01_resistivity-temperature_0Oe``.

        Args:
            number: that of the step in the plan, from 1.
            kind: what is measured against what.
            label: what the run holds fixed.
            manifest: what goes into ``run.json`` beside storage's own entries.
            columns: what every point has, in order; storage adds ``Attempt``.
            header: what stands above the tables.

        Raises:
            ConfigurationError: if ``kind`` or ``label`` cannot stand in a name.
            StorageError: if the folder exists or cannot be made.
            ValueError: if columns share a label, or an entry of ``manifest`` is storage's own.
            TypeError: if an entry of ``manifest`` cannot stand in JSON.
        """
        name = f"{number:02d}_{file_name(kind, 'kind')}_{file_name(label, 'label')}"
        run = RunFolder(self.path / name, self._wall, manifest, columns, header, self._runs.remove)
        self._runs.append(run)
        return run

    def event(self, kind: str, message: str, values: Mapping[str, Any], clock: Clock) -> None:
        """Add one line to ``events.jsonl``.

        Args:
            kind: what happened: settle, note, retry, fault, ...
            message: one sentence for a person.
            values: the numbers behind it; NaN is written as null.
            clock: the laboratory's; the line says its time.

        Raises:
            TypeError: if a value cannot stand in JSON; nothing is written.
            StorageError: if it cannot be written; the line is kept for :meth:`flush`.
        """
        line = {
            "t": clock.now(),
            "utc": clock.datetime(),
            "kind": kind,
            "message": message,
            "values": values,
        }
        self._events.append(json_bytes(line) + b"\n")

    def environment(self, row: Mapping[str, float | int | str]) -> None:
        """Add one row to ``environment.csv``; the first row fixes its columns and which of them are text.

        Raises:
            TypeError: if a value is no number or text, or is one where the first row had the other.
            ValueError: if the columns are others than those of the first row; nothing is written.
            StorageError: if it cannot be written; the row is kept for :meth:`flush`.
        """
        kinds = self._environment_kinds or {label: isinstance(value, str) for label, value in row.items()}
        if row.keys() != kinds.keys():
            raise ValueError(
                f"{ENVIRONMENT} has the columns of its first row; "
                f"missing {sorted(kinds.keys() - row.keys())}, unknown {sorted(row.keys() - kinds.keys())}"
            )
        cells = [
            cell(plain_as(row[label], "text", label) if text else _number(row[label], label))
            for label, text in kinds.items()
        ]
        line = (",".join(cells) + "\n").encode()
        if not self._environment_kinds:
            texts = [label for label, text in kinds.items() if text]
            about = {**self._provenance, "night": self.path.name, "text": texts}
            line = onnes_line(about) + column_line(kinds) + line
            self._environment_kinds = kinds
        self._environment.append(line)

    def update(self, **entries: Any) -> None:
        """Change entries of ``night.json``.

        Raises:
            ValueError: if an entry is storage's own; the status is set by :meth:`close`.
            TypeError: if a value cannot stand in JSON.
            StorageError: if the file cannot be replaced; the change is kept for :meth:`flush`.
        """
        not_ours(entries, _OURS, NIGHT_MANIFEST)
        self._manifest.put(entries)
        self._manifest.write()

    def beat(self) -> None:
        """Show that the owner lives, and sync what waits for it; cheap enough for every sleep of the engine.

        Raises:
            StorageError: if the disk cannot be written.
        """
        now = self._wall.now()
        if now < self._next_look:
            return
        self._next_look = now + FSYNC_INTERVAL_S
        for part in self._parts():
            part.sync_if_due()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_INTERVAL_S
            self._manifest.put({"heartbeat": self._wall.datetime()})
            self._manifest.write()

    def pending(self) -> int:
        """Return how many points, events and environment rows are kept in memory because of a failure."""
        return sum(part.pending() for part in self._parts())

    def flush(self) -> None:
        """Write what is pending in the night and its open runs, in order, each row once.

        Raises:
            StorageError: if it still cannot be written; everything is still kept.
        """
        for part in self._parts():
            part.flush()
        self._manifest.write()

    def close(self, status: str) -> None:
        """End the night as finished, failed, aborted or stopped; later calls do nothing.

        A run that is still open ends with the night and in the same way, unless the night is ``finished``.

        Raises:
            ValueError: if ``status`` is no end, or is ``finished`` while a run is still open.
            StorageError: if something is left that cannot be written. Unless ``status`` is ``finished`` the
                night is closed all the same, and ``night.json`` says so if it can be written.
        """
        end_status(status)
        if self._closed:
            return
        if status == "finished":
            if self._runs:
                raise ValueError(f"run {self._runs[0].path.name} is still open; close it before the night")
            self.flush()
        problem: StorageError | None = None
        ends: list[Callable[[], None]] = [partial(run.close, status) for run in self._runs]
        ends += [file.close for file in self._streams()]
        for end in ends:
            try:
                end()
            except StorageError as error:
                problem = error
        if problem and status == "finished":
            raise problem
        self._closed = True
        self._manifest.put(
            {"status": status, "ended": self._wall.datetime(), "heartbeat": self._wall.datetime()}
        )
        self._manifest.write()
        if problem:
            raise problem

    def _parts(self) -> list[AppendFile | RunFolder]:
        return [*self._streams(), *self._runs]

    def _streams(self) -> list[AppendFile]:
        return [self._events, self._environment]


def _owner() -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a service without a name; which of them depends on the system
        user = ""
    return {"host": platform.node(), "user": user, "pid": os.getpid()}


def _number(value: object, label: str) -> str:
    found = plain(value, label)
    if isinstance(found, str):
        raise TypeError(f"column {label!r} got the text {found!r}; in the first row it held a number")
    return cell(found)
