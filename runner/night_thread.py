"""A night in a thread of its own: the one that opens, owns and closes the instruments."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from onnes.instruments.clock import Clock, WallClock, virtual_time
from onnes.instruments.station import open_station
from onnes.runner.ending import Outcome
from onnes.runner.engine import RunEngine
from onnes.runner.night_manifest import night_manifest
from onnes.runner.plan import Plan
from onnes.runner.progress import Progress
from onnes.runner.run_clock import Requests
from onnes.runner.station_check import check_against_station
from onnes.storage.night import NightFolder


@dataclass
class NightThread:
    """Runs one plan; the thread that makes it only watches, asks and waits.

    ``lab_key`` names a registered virtual lab for a simulated station. Nothing here stops a night but
    :attr:`requests`: a :meth:`wait` that times out, or a caller that goes away, leaves it running.
    """

    plan: Plan
    runs: Path
    clock: Clock
    lab_key: str | None = None
    show: Callable[[Progress], None] = lambda _: None
    compare_with: tuple[str, ...] = ()
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
            with virtual_time(self.clock):
                self._outcome = self._measure()
        except BaseException as error:  # noqa: BLE001 - raised again by outcome(), in the thread that asks
            self._error = error
        finally:
            self._ended.set()

    def _measure(self) -> Outcome:
        station = open_station(self.plan.station, self.clock, lab_key=self.lab_key)
        try:
            check_against_station(self.plan, station)
            folder = NightFolder.create(
                self.runs,
                self.plan.sample_id,
                WallClock(),
                night_manifest(self.plan, station, self.clock, self.compare_with),
                self.plan.text,
            )
            self._folder = folder.path
            return RunEngine(self.plan, station, folder, self.clock, self.requests, self.show).run()
        finally:
            station.close()
