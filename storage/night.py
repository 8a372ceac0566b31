"""The writer of one night: its folder, its manifest with the heartbeat, its slow stream and its events."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Self

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Column
from onnes.storage.append_file import FSYNC_INTERVAL_S, AppendFile
from onnes.storage.environment import EnvironmentFile
from onnes.storage.manifest import Manifest, exists, json_bytes, rename, replace_file, sync_folder
from onnes.storage.names import file_name, take_number, utc_stamp
from onnes.storage.owner_lock import this_process
from onnes.storage.run import RUN_MANIFEST, RunFolder, end_status, not_ours
from onnes.storage.table import FORMAT, RunHeader, line_parts, provenance
from onnes.storage.take_up import night_to_take_up

HEARTBEAT_INTERVAL_S = 5.0
"""Wall time between two heartbeats; one that is many times older, with no live owner, is that of a crash."""

NIGHT_MANIFEST, SEQUENCE, EVENTS = "night.json", "sequence.yaml", "events.jsonl"

_OURS = frozenset(
    {
        "format",
        "night",
        "number",
        "status",
        "started",
        "ended",
        "heartbeat",
        "owner",
        "sequence_sha256",
        "attempts",
    }
)


class NightFolder:
    """One night on the disk, open for writing by one process; made by :meth:`create` and :meth:`reopen`."""

    def __init__(self, path: Path, wall: Clock, manifest: Manifest) -> None:
        self.path = path
        self.wall = wall
        self._manifest = manifest
        self._events = _events(path / EVENTS, wall)
        self._sequence = (path / SEQUENCE).read_bytes()
        about = {**provenance(manifest.entries, NIGHT_MANIFEST), "night": path.name}
        try:
            self._environment = EnvironmentFile(path, wall, about)
        except StorageError:
            self._events.close()
            raise
        self._said: list[str] = []  # what no open file keeps
        self._runs: list[RunFolder] = []
        self.describe: Callable[[], Mapping[str, Any]] = dict
        """Returns entries of ``night.json`` that are written with each heartbeat."""
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
        owner = this_process()
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
                "owner": owner,
                "attempts": [{"attempt": 1, "started": started, "owner": owner}],
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

    @classmethod
    def reopen(cls, path: Path, wall: Clock) -> Self:
        """Take up a night whose owner has ended or was killed.

        Whether its owner lives is for the caller to know: take its lock first. The night is ``running``
        again, and ``attempts`` says who took it up, and what status and heartbeat were found.

        Args:
            path: the night folder.
            wall: as for :meth:`create`.

        Raises:
            StorageError: if the folder holds no night that can be taken up, or it cannot be written; nothing
                but a torn last row is changed.
            ConfigurationError: if the night is finished.
        """
        entries = night_to_take_up(path / NIGHT_MANIFEST, path / SEQUENCE)
        manifest = Manifest(path / NIGHT_MANIFEST, wall, entries)
        night = cls(path, wall, manifest)
        now, owner = wall.datetime(), this_process()
        before = entries.get("attempts") or [
            {"attempt": 1, "started": entries["started"], "owner": entries["owner"]}
        ]
        begun = {
            "attempt": before[-1]["attempt"] + 1,
            "started": now,
            "owner": owner,
            "status_before": entries["status"],
            "heartbeat_before": entries["heartbeat"],
        }
        manifest.remove("ended")
        manifest.put({"status": "running", "owner": owner, "heartbeat": now, "attempts": [*before, begun]})
        try:
            manifest.write()
        except StorageError:
            for file in night._streams():
                file.close()
            raise
        return night

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

        A folder of that name without ``run.json`` was being made when the writer was killed; it is moved
        aside.

        Raises:
            ConfigurationError: if ``kind`` or ``label`` cannot stand in a name.
            StorageError: if the folder exists or cannot be made.
            ValueError: if columns share a label, or an entry of ``manifest`` is storage's own.
            TypeError: if an entry of ``manifest`` cannot stand in JSON.
        """
        name = f"{number:02d}_{file_name(kind, 'kind')}_{file_name(label, 'label')}"
        path = self.path / name
        self._move_aside(path)
        run = RunFolder.create(path, self.wall, manifest, columns, header, self._on_close)
        self._runs.append(run)
        return run

    def reopen_run(
        self, name: str, entry: Mapping[str, Any], columns: Sequence[Column] | None = None
    ) -> RunFolder:
        """Take up a run that is not finished, as its next attempt.

        Args:
            name: of its folder.
            entry: ``rule`` (free or path), ``curve`` (from 1) and ``done`` (its setpoints that stay) of the
                take-up, and ``reason``, one sentence.
            columns: what the measurement gives now, compared with those of the run; without them its first
                point tells.

        Raises:
            StorageError: if there is no run, it is damaged, or its columns are others; no row is changed.
            ConfigurationError: if the run is finished.
            ValueError: if ``entry`` says something else, or the run is open already.
        """
        path = self.path / name
        if any(run.path == path for run in self._runs):
            raise ValueError(f"run {name} is open; begin its next attempt there")
        run = RunFolder.take_up(path, self.wall, entry, columns, self._on_close)
        self._runs.append(run)
        return run

    def _move_aside(self, path: Path) -> None:
        if not path.is_dir() or (path / RUN_MANIFEST).exists():
            return
        aside = next(
            name
            for number in count(1)
            if not (name := path.with_name(f"{path.name}.unmade{number}")).exists()
        )
        try:
            rename(path, aside, self.wall)
        except OSError as error:
            raise StorageError(f"cannot move {path} aside: {error.strerror or error}") from error
        self._said.append(f"{path.name} had no {RUN_MANIFEST}; moved to {aside.name} and made anew")

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

        In a night that was taken up, what the file has no column for is left out (:meth:`remarks` says it
        once) and what is not read any more stays empty.

        Raises:
            TypeError: if a value is no number or text, or is one where the first row had the other.
            ValueError: if the columns are others than those of the first row; nothing is written.
            StorageError: if it cannot be written; the row is kept for :meth:`flush`.
        """
        self._environment.append(row)

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
        now = self.wall.now()
        if now < self._next_look:
            return
        self._next_look = now + FSYNC_INTERVAL_S
        for part in self._parts():
            part.sync_if_due()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_INTERVAL_S
            self._manifest.put({**self.describe(), "heartbeat": self.wall.datetime()})
            self._manifest.write()

    def pending(self) -> int:
        """Return how many points, events and environment rows are kept in memory because of a failure."""
        return sum(part.pending() for part in self._parts())

    def remarks(self) -> list[str]:
        """Return what is to be said about the files, each sentence once: an event of each is due.

        Torn rows that were cut off, rows that went with a folder, columns left out, folders moved aside.
        """
        said = [*self._said]
        self._said.clear()
        for file in self._streams():
            said += file.remarks
            file.remarks.clear()
        for run in self._runs:
            said += run.remarks()
        return said

    def flush(self) -> None:
        """Write what is pending in the night and its open runs, in order, each row once.

        Raises:
            StorageError: if it still cannot be written; everything is still kept.
        """
        for part in self._parts():
            part.flush()
        self._manifest.write()
        if not exists(self.path / SEQUENCE):  # gone with its folder, and needed for taking the night up
            replace_file(self.path / SEQUENCE, self._sequence, self.wall)

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
            {"status": status, "ended": self.wall.datetime(), "heartbeat": self.wall.datetime()}
        )
        self._manifest.write()
        if problem:
            raise problem

    def _on_close(self, run: RunFolder) -> None:
        self._runs.remove(run)
        self._said += run.remarks()

    def _parts(self) -> list[AppendFile | RunFolder]:
        return [*self._streams(), *self._runs]

    def _streams(self) -> list[AppendFile]:
        return [self._events, self._environment.file]


def _events(path: Path, wall: Clock) -> AppendFile:
    return AppendFile.take_up(path, wall, line_parts) if path.exists() else AppendFile.create(path, wall)
