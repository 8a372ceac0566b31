"""A night in a thread of its own: the one that opens, owns and closes the instruments."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnes.instruments.clock import Clock, VirtualClock, WallClock, virtual_time
from onnes.instruments.open_station import open_station
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile
from onnes.runner.ending import Outcome
from onnes.runner.engine import RunEngine
from onnes.runner.file_tail import Follower, event_in
from onnes.runner.host import keep_awake
from onnes.runner.night_manifest import night_manifest
from onnes.runner.night_state import OWNER_LOCK
from onnes.runner.notifications import Notifier, Send
from onnes.runner.plan import Plan
from onnes.runner.preflight import preflight
from onnes.runner.progress import Progress
from onnes.runner.requests import Requests
from onnes.runner.stall import HARDWARE_PATIENCE_S, VIRTUAL_PATIENCE_S, StallWatch
from onnes.runner.station_check import check_against_station
from onnes.storage.names import file_name
from onnes.storage.night import EVENTS, NightFolder
from onnes.storage.owner_lock import OwnerLock

OWNERS = ".owners"  # beside the nights: the locks of the stations that store here

# How long the end of a night waits for its last message, wall s: three tries and their pauses.
_LAST_MESSAGE_S = 20.0
# That of a night that is not known to be safe: long enough for the repetitions, at 60 s and 600 s.
_UNSAFE_MESSAGES_S = 660.0


@dataclass
class NightThread:
    """Runs one plan; the thread that makes it only watches, asks and waits.

    ``lab_key`` names a registered virtual lab for a simulated station. Nothing here stops a night but
    :attr:`requests`: a :meth:`wait` that times out, or a caller that goes away, leaves it running.

    Args:
        again: the folder of a night that is taken up, instead of a new one.
        before: what ``night.json`` of that night says of each step, by number.
        send: sends a message instead of the addresses of environment or keyring.
        quiet: nobody is told anything, whatever the sequence says.
    """

    plan: Plan
    runs: Path
    clock: Clock
    lab_key: str | None = None
    show: Callable[[Progress], None] = lambda _: None
    compare_with: tuple[str, ...] = ()
    twin: Mapping[str, Any] = field(default_factory=dict)
    again: Path | None = None
    before: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    send: Send | None = None
    quiet: bool = False
    requests: Requests = field(default_factory=Requests)

    def __post_init__(self) -> None:
        self._folder: Path | None = None
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        # Not the thread's own join(): a Ctrl-C inside it marks a running thread as ended (Python 3.11, seen).
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="night", daemon=True)

    def start(self) -> None:
        """Start the night."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` wall seconds; return whether the night has ended. Stops nothing."""
        return self._ended.wait(timeout)

    @property
    def has_folder(self) -> bool:
        """Say whether the night has a folder yet."""
        return self._folder is not None

    @property
    def folder(self) -> Path:
        """Return the folder of the night.

        Raises:
            RuntimeError: if there is none, because nothing has been started.
        """
        if self._folder is None:
            raise RuntimeError("the night has no folder; it has not started")
        return self._folder

    def outcome(self) -> Outcome:
        """Return how the night ended.

        Raises:
            RuntimeError: if it has not ended.
            OnnesError: what was found wrong before anything was set; there is no night folder then.
        """
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            raise RuntimeError("the night has not ended; wait for it first")
        return self._outcome

    def _run(self) -> None:
        try:
            with virtual_time(self.clock), station_lock(self.plan.station, self.runs):
                station = open_station(self.plan.station, self.clock, lab_key=self.lab_key)
                try:
                    self._outcome = self._measure(station)
                finally:
                    station.close()
        except BaseException as error:  # noqa: BLE001 - raised again by outcome(), in the thread that asks
            self._error = error
        finally:
            self._ended.set()

    def _measure(self, station: Station) -> Outcome:
        wall = WallClock()
        check_against_station(self.plan, station)
        found = preflight(self.plan, station, self.runs, self.clock, wall, self.again)
        manifest = night_manifest(self.plan, station, self.clock, self.compare_with, self.twin)
        manifest["warnings"] += found
        with ExitStack() as stack:
            if self.again is None:
                folder = NightFolder.create(self.runs, self.plan.sample_id, wall, manifest, self.plan.text)
                stack.enter_context(_night_lock(folder.path, wall))
            else:
                stack.enter_context(_night_lock(self.again, wall))
                folder = NightFolder.reopen(self.again, wall)
            self._folder = folder.path
            simulated = self.plan.station.backend == "simulated"
            notifier = None
            if not self.quiet:
                notifier = Notifier(
                    self.plan.notify,
                    wall,
                    self.send,
                    simulated=simulated,
                    night=folder.path.name,
                    known=_notes_in(folder.path),
                )
            if not isinstance(self.clock, VirtualClock):
                stack.enter_context(keep_awake())
            engine = RunEngine(
                self.plan,
                station,
                folder,
                self.clock,
                self.requests,
                self.show,
                notifier,
                before=None if self.again is None else self.before,
            )
            with self._stall_watch(engine, folder.path, wall):
                outcome = engine.run(found)
            if notifier is not None:
                notifier.close(_LAST_MESSAGE_S if outcome.safe else _UNSAFE_MESSAGES_S)
            return outcome

    def _stall_watch(self, engine: RunEngine, folder: Path, wall: Clock) -> StallWatch:
        virtual = isinstance(self.clock, VirtualClock)
        return StallWatch(
            threading.get_ident(),
            engine.came_by,
            wall,
            folder,
            engine.doing,
            engine.stalled,
            patience_s=VIRTUAL_PATIENCE_S if virtual else HARDWARE_PATIENCE_S,
        )


def _notes_in(night: Path) -> set[str]:
    """Return what the events of a night say of its messages already: none in a new night."""
    follower = Follower(night / EVENTS, 0)
    events = (event_in(line) for line in follower.lines())
    return {str(e.get("message")) for e in events if e is not None and e.get("kind") == "notification"}


def station_lock(station: StationFile, runs: Path) -> OwnerLock:
    """Return the lock of a station: whoever has it is the only one to talk to its instruments."""
    name = f"{file_name(station.name, 'station name')}.lock"
    about = {"what": f"station {station.name}", "since": WallClock().datetime()}
    return OwnerLock(runs.resolve() / OWNERS / name, about)


def _night_lock(night: Path, wall: Clock) -> OwnerLock:
    return OwnerLock(night / OWNER_LOCK, {"what": f"night {night.name}", "since": wall.datetime()})
