"""Ways to take dummy points to the disk, each a function of the number of points and of a folder."""

import csv
import os
from collections.abc import Generator
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
from dummies import LABELS, SIMULATED, points, values
from pymeasure.experiment import IntegerParameter, Procedure, Results, Worker

from onnes.instruments.clock import Clock, VirtualClock, WallClock
from onnes.instruments.interlock_table import interlock_levels
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import Reading
from onnes.instruments.records import Event, Point, columns_of
from onnes.instruments.station import StationLimits
from onnes.instruments.station_readings import StationReadings
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.procedures.take_up import FROM_THE_START, TakeUp
from onnes.procedures.transport import ResistancePoint
from onnes.runner.engine import RunEngine
from onnes.runner.plan import Finish, Measure, PlanStep
from onnes.runner.plan_limits import PlanLimits
from onnes.runner.requests import Requests
from onnes.storage.night import NightFolder
from onnes.storage.table import RunHeader


def bare_loop(count: int, folder: Path) -> None:
    """The floor: csv.writer, flushed at each point."""
    _bare(count, folder, fsync=False)


def bare_loop_fsync(count: int, folder: Path) -> None:
    """The floor of safety: csv.writer, flushed and fsynced at each point."""
    _bare(count, folder, fsync=True)


def _bare(count: int, folder: Path, *, fsync: bool) -> None:
    with (folder / "bare.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(LABELS)
        for row in values(count):
            writer.writerow(row)
            file.flush()
            if fsync:
                os.fsync(file.fileno())


class Dummy(Procedure):
    """The stock way: a dictionary a point."""

    count = IntegerParameter("Count", default=1, minimum=1, maximum=10**9)
    DATA_COLUMNS: ClassVar[list[str]] = LABELS

    def execute(self) -> None:
        for row in values(self.count):
            self.emit("results", dict(zip(LABELS, row, strict=True)))
            if self.should_stop():
                return


def pymeasure_worker(count: int, folder: Path) -> None:
    """Stock PyMeasure: Worker, Recorder and Results."""
    worker = Worker(Results(Dummy(count=count), str(folder / "pymeasure.csv")))
    worker.start()
    worker.join(timeout=600)
    try:
        while True:
            worker.monitor_queue.get_nowait()
    except Empty:
        pass


def storage(count: int, folder: Path) -> None:
    """Onnes: points into the run folder, with the heartbeat."""
    night = _night(folder)
    run = night.create_run(1, "dummy", "0", {}, list(columns_of(ResistancePoint).values()), _HEADER)
    for point in points(count):
        run.append(point)
        night.beat()
    run.close("finished")
    night.close("finished")


class DummyMeasurement(Measurement):
    """The Onnes way: a generator of points."""

    point = ResistancePoint
    kind = "dummy"
    count: int = IntegerParameter("Count", default=1, minimum=1, maximum=10**9)

    def points(
        self,
        station: Any,  # noqa: ARG002
        clock: Clock,  # noqa: ARG002
        take_up: TakeUp | None = None,  # noqa: ARG002
    ) -> Generator[Point | Event, None, None]:
        yield from points(self.count)

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:  # noqa: ARG002
        return FROM_THE_START

    def remaining_s(self, take_up: TakeUp | None) -> float:  # noqa: ARG002
        return float(self.count)

    def setpoints(self) -> list[Setpoint]:
        return [Setpoint(300.0, 0.0, "settled", 1)]

    def duration_s(self) -> float:
        return float(self.count)


class DummyStation(SimpleNamespace):
    """What the engine asks of a station, answered without latency."""

    file = SimpleNamespace(backend="simulated", wiring={}, interlocks=interlock_levels({}, None, str))
    provenance: ClassVar[dict[str, Any]] = {**SIMULATED, "instruments": {}}
    thermostat = SimpleNamespace(commanded_rate_k_per_min=lambda: 1.0)
    last: tuple[Reading, None] | None = None

    def hurry(self, wanted: Any) -> None:
        pass

    def retries(self) -> list[Any]:
        return []

    def limits(self) -> StationLimits:
        return StationLimits(Limits(1.9, 400.0, "K"), Limits(0.01, 20.0, "K/min"), None, None)

    def snapshot(self) -> tuple[Reading, None]:
        self.last = Reading(4.2, 0.0, "stable", True, 1), None
        return self.last

    def look(self) -> StationReadings:
        reading, field = self.snapshot()
        chamber = "purged and sealed"
        return StationReadings(0.0, reading, 4.2, field, None, chamber, None, 0.0, {}, {}, {}, {}, ())

    def stop_sources(self, *, abort: bool = False, only: Any = None) -> list[Any]:  # noqa: ARG002
        return []

    safe_state = stop_sources


def engine(count: int, folder: Path) -> None:
    """Onnes: run engine and storage together, as in a night."""
    clock, night = VirtualClock(), _night(folder)
    measure = Measure("dummy", "0", "dummy", DummyMeasurement(count=count))
    step = PlanStep(1, "dummy:1:1", "dummy", "", {}, measure)
    finish = Finish(None, "linear", None, None, "hold")
    plan = SimpleNamespace(steps=(step,), samples={}, mounting=None, finish=finish, limits=PlanLimits())
    run = RunEngine(plan, DummyStation(), night, clock, Requests(), lambda _: None)  # type: ignore[arg-type]
    outcome = run.run()
    if outcome.status != "finished":
        raise RuntimeError(outcome.message)


_HEADER = RunHeader("benchmarks.Dummy", {}, SIMULATED)


def _night(folder: Path) -> NightFolder:
    return NightFolder.create(folder, "dummy", WallClock(), SIMULATED, "")
