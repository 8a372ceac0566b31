"""Measurement steps: their points on the way to the disk, in as many attempts as it takes."""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import partial
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.records import Event, Point, columns_of
from onnes.instruments.station import Station
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.procedures.moment_measurement import MomentMeasurement
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.take_up import FROM_THE_START, TakeUp
from onnes.runner.hand_over import HandOvers
from onnes.runner.monitors import Monitors
from onnes.runner.plan import Measure, Plan, PlanStep
from onnes.runner.record import Record
from onnes.runner.requests import Request
from onnes.runner.run_clock import RunClock
from onnes.runner.run_manifest import run_header, run_manifest
from onnes.storage.night import NightFolder
from onnes.storage.qd_export import fits_a_dat, write_run_dat
from onnes.storage.reader import Run
from onnes.storage.run import RUN_MANIFEST, RunFolder

T = TypeVar("T")

DATA_DAT = "data.dat"  # the points in the columns of a Quantum Design file, made again at each close

RUNNER_GONE, HAD_ENDED = "its runner was gone", "it had ended as "
"""Why a run is taken up that another process left open, or ended with a status that follows here."""


class Measuring:
    """Takes the points of measurement steps.

    ``points`` counts those that were stored since it was made. ``place`` is how far the step under way has
    come, curve and good points in it: who tries it again looks whether it has got on.
    ``history_kept`` says whether the sample has been left as it was since the last attempt began; who lets
    the night stand still sets it to False where it was not.

    Args:
        left: {number of the step: name of its run folder} of the runs that an earlier runner left open.
    """

    def __init__(
        self,
        plan: Plan,
        station: Station,
        night: NightFolder,
        run_clock: RunClock,
        record: Record,
        monitors: Monitors,
        hand_overs: HandOvers,
        left: Mapping[int, str],
    ) -> None:
        self.points = 0
        self.place: tuple[int, int] = (0, 0)
        self.history_kept = True
        self.lost: list[str] = []  # what could not be written, a sentence a run
        self._plan = plan
        self._station = station
        self._night = night
        self._run_clock = run_clock
        self._record = record
        self._monitors = monitors
        self._hand_overs = hand_overs
        self._left = dict(left)
        self._run: RunFolder | None = None
        self._measurement: Measurement | None = None
        self._planned: list[dict[str, Any]] = []  # the setpoints of the run that is open, as stored

    def begin(self) -> None:
        """Forget the step before: how far that had come says nothing of the next one."""
        self.place = (0, 0)

    def measure(self, step: PlanStep, measure: Measure, reason: str) -> None:
        """Take every point of a step that is not stored yet, and close its run.

        Args:
            reason: why an earlier attempt was broken off; it is recorded with the next one.

        Raises:
            BrokenOff: when the step has to be taken up again later.
            OnnesError: what the measurement fails with.
        """
        measurement = self._measurement = measure.measurement
        run, take_up = self._opened(step, measure, reason)
        self.history_kept = True
        if take_up is None and isinstance(measurement, MomentMeasurement):
            self._hand_overs.all_has_come(measurement)
        if run is not None:
            if take_up is not None:
                try:
                    self._hand_over(step, measurement, take_up)
                    self._take_points(run, measurement, take_up)
                except BaseException:  # whatever it was, what MultiVu goes on with is of no use any more
                    self._hand_overs.void()
                    raise
            self._derive(run, measurement)  # first, because nobody opens a finished run again after a kill
            self._stored(partial(run.close, "finished"))
        self._run = self._measurement = None

    def waiting(self) -> str:
        """Return what the measurement under way waits for, in words; empty where it measures."""
        watch = None if self._measurement is None else self._measurement.watch
        return "" if watch is None else watch.waiting()

    def _hand_over(self, step: PlanStep, measurement: Measurement, take_up: TakeUp) -> None:
        if isinstance(measurement, MomentMeasurement):
            self._hand_overs.take(step, measurement, take_up, self._left)

    def _take_points(self, run: RunFolder, measurement: Measurement, take_up: TakeUp) -> None:
        record, monitors, append, heed = self._record, self._monitors, run.append, self._run_clock.heed
        planned = len(self._planned)
        share = measurement.duration_s() / max(1, planned)
        done = max(0, planned - round(measurement.remaining_s(take_up) / share)) if share else 0
        before = record.progress.done_s
        monitors.begins()
        record.tell(run=run.path.name, point=done, points=planned, done_s=before + done * share)
        with closing(
            measurement.points(self._station, self._run_clock, take_up)
        ) as items:  # stops the source
            for item in items:
                if isinstance(item, Event):
                    record.keep(item)
                    monitors.heard(item)
                    continue
                item = monitors.marked(item)
                try:
                    append(item)
                except StorageError as error:
                    raise record.storage_failed(error) from error
                self.points += 1
                self._got_on(item)
                done = min(done + 1, planned)
                record.point(item, done, before + done * share)
                monitors.measured(item)
                heed()

    def _got_on(self, point: Point) -> None:
        curve = getattr(point, "curve", 0)
        if curve and not point.rejected:  # 0 is a reference
            at, count = self.place
            self.place = (curve, count + 1 if curve == at else 1)

    # -- folders

    def _opened(
        self, step: PlanStep, measure: Measure, reason: str
    ) -> tuple[RunFolder | None, TakeUp | None]:
        """Return the folder of the step's run, and where it goes on; without either nothing is left to do."""
        measurement = measure.measurement
        name = self._left.get(step.number) if self._run is None else self._run.path.name
        if name is None or not (self._night.path / name / RUN_MANIFEST).is_file():
            return self._created(step, measure), FROM_THE_START
        if self._run is not None:  # a row that is in memory still would be measured a second time
            self._stored(self._run.flush)
        stored, current = self._stored(partial(_read, self._night.path / name))
        self._planned = stored.manifest.get("setpoints") or []
        if self._run is None:
            take_up_extension(measurement, stored)
            self._monitors.run_begins(_reference_ohm(stored))
        # Its runner was killed before it could say so of the step, or that could not be written at once.
        if stored.status == "finished":
            return None, None
        kept = self.history_kept and self._run is not None  # what happened without a runner, nobody knows
        take_up = measurement.take_up(current, history_kept=kept)
        left = RUNNER_GONE if stored.status == "running" else f"{HAD_ENDED}{stored.status}"
        entry = _entry(take_up, reason or left)
        self.place = entry["curve"], entry["done"]
        if self._run is None:
            columns = tuple(columns_of(measurement.point).values())
            self._run = self._stored(partial(self._night.reopen_run, name, entry, columns))
        elif take_up is not None:
            self._stored(partial(self._run.next_attempt, entry))
        what = "all points are there" if take_up is None else take_up.message
        self._record.event("taken_up", f"{name}: {what}", {"run": name, **entry})
        return self._run, take_up

    def _created(self, step: PlanStep, measure: Measure) -> RunFolder:
        planned = measure.measurement.setpoints()
        manifest = run_manifest(self._plan, step, measure, planned, self._station)
        header = run_header(self._night.path.name, measure.measurement, self._station)
        columns = tuple(columns_of(measure.measurement.point).values())
        night, kind, label = self._night, measure.kind, measure.label
        create = partial(night.create_run, step.number, kind, label, manifest, columns, header)
        self._monitors.run_begins()
        self.place = 1, 0
        self._run = run = self._stored(create)
        self._planned = [asdict(setpoint) for setpoint in planned]
        self._record.step(step.number, run=run.path.name)
        return run

    def _stored(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except StorageError as error:
            raise self._record.storage_failed(error) from error

    def end(self, status: str) -> None:
        """Close the run that is open, if any, as failed, stopped or aborted."""
        run, self._run, self._measurement = self._run, None, None
        if run is None:
            return
        try:
            run.close(status)
        except StorageError as error:
            self.lost.append(f"{run.path.name}: {run.pending()} points could not be written ({error})")

    def _derive(self, run: RunFolder, measurement: Measurement) -> None:
        """Write what follows from the data; it can be made again, so a failure costs no step."""
        try:
            stored = Run.open(run.path)
            for name, frame in measurement.derived(stored.current).items():
                run.write_derived(f"{name}.csv", frame)
            if fits_a_dat(stored):
                write_run_dat(stored, run.path / DATA_DAT, self._night.wall)
        except Exception as error:  # noqa: BLE001 - the points are stored, and the night has more to measure
            self._record.event(
                "derived_failed", f"{run.path.name}: {error}", {"traceback": traceback.format_exc()}
            )

    # -- requests

    def extend(self, request: Request) -> None:
        """Move the end of the program that is measured; what cannot be done is told and changes nothing."""
        try:
            if self._measurement is None or self._run is None:
                raise ValueError("nothing is measured at the moment")
            end = _end(request, self._measurement, self._plan, self._station)
            curve = self._measurement.extend(end)
        except (ValueError, ConfigurationError) as error:  # a limit is a ValueError too
            self._record.event("extend_refused", f"extend asked by {request.who}: {error}", request.values)
            return
        planned = self._planned = _replanned(self._planned, self._measurement.setpoints(), curve)
        with suppress(
            StorageError
        ):  # it is written with the next heartbeat, or the night is suspended for it
            self._run.update(setpoints=planned, extended_to=end)
        unit = "Oe" if isinstance(self._measurement, ResistanceVsField) else "K"
        text = f"the program goes on to {end:.9g} {unit}: asked by {request.who}"
        self._record.event("extended", text, {"end": end, "points": len(planned)})
        self._record.tell(points=len(planned))


def _read(folder: Path) -> tuple[Run, pd.DataFrame]:
    run = Run.open(folder)
    return run, run.current


def take_up_extension(measurement: Measurement, stored: Run) -> None:
    """Let a measurement go as far as somebody asked for while an earlier runner measured it."""
    end = stored.manifest.get("extended_to")
    planned = stored.manifest.get("setpoints") or []
    # Who has said what is left to do has extended the same measurement already.
    if end is not None and len(measurement.setpoints()) < len(planned):
        measurement.extend(end)


def _replanned(
    before: Sequence[dict[str, Any]], after: Sequence[Setpoint], curve: int
) -> list[dict[str, Any]]:
    """Return the setpoints of a run from ``curve`` on by a new plan: what was measured before stays."""
    kept = list(takewhile(lambda setpoint: setpoint["curve"] < curve, before))
    return kept + [asdict(setpoint) for setpoint in dropwhile(lambda setpoint: setpoint.curve < curve, after)]


def _reference_ohm(stored: Run) -> float:
    """Return the first resistance at the reference that a run has stored, ohm; NaN without one."""
    rows = stored.current
    if not {"Curve", "Resistance (ohm)"} <= set(rows.columns):
        return math.nan
    found = rows[rows["Curve"] == 0]["Resistance (ohm)"].dropna()
    return float(found.iloc[0]) if len(found) else math.nan


def _entry(take_up: TakeUp | None, reason: str) -> dict[str, Any]:
    """Return what the manifest of a run keeps of an attempt; with nothing left to measure it has no rows."""
    if take_up is None:
        return {"rule": "free", "curve": 1, "done": 0, "reason": reason}
    return {"rule": take_up.rule, "curve": take_up.curve, "done": take_up.done, "reason": reason}


def _end(request: Request, measurement: Measurement, plan: Plan, station: Station) -> float:
    """Return the new end in K or Oe, within what plan and station allow.

    Raises:
        ValueError: if it is no quantity of the kind that the measurement sweeps.
        LimitError: if it is not allowed.
    """
    kind = "field" if isinstance(measurement, ResistanceVsField) else "temperature"
    end = request.values.get("end")
    if request.values.get("quantity") != kind or not isinstance(end, float | int) or not math.isfinite(end):
        told = request.values.get("text", dict(request.values))
        raise ValueError(f"{told} is no new end; what is measured goes along a {kind}")
    found = station.limits()
    for limits in (getattr(plan.limits, kind), found.field if kind == "field" else found.temperature):
        if limits is not None:
            limits.check(kind, end)
    return float(end)
