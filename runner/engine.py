"""The run engine: one thread that owns the instruments and takes a plan through the night.

Whatever ends the night, the way out is the same: sources to zero, the declared ``finish`` where that is safe,
the station's safe state, always; then the manifest says how it ended.
"""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault, OnnesError, StorageError
from onnes.instruments.records import Event, columns_of
from onnes.instruments.station import Station
from onnes.procedures import ramping
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.runner.environment_log import EnvironmentLog
from onnes.runner.plan import Measure, Plan, PlanStep, SetField, SetTemperature, Wait
from onnes.runner.progress import Progress
from onnes.runner.run_clock import Interrupted, Requests, RunClock
from onnes.runner.run_manifest import run_header, run_manifest
from onnes.storage.night import NightFolder
from onnes.storage.reader import Run
from onnes.storage.run import RunFolder

# A write that fails is tried again this often and this long, in lab time, before the night is given up.
STORAGE_RETRY_S = 10.0
STORAGE_PATIENCE_S = 900.0

Ending = Literal["finished", "failed", "stopped", "aborted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a night ended, and whether its safe state was read back."""

    status: Ending
    safe: bool
    message: str

    @property
    def exit_code(self) -> int:
        """Return 0 finished, 3 failed, 4 stopped or aborted, 5 safe state not confirmed."""
        if not self.safe:
            return 5
        return {"finished": 0, "failed": 3, "stopped": 4, "aborted": 4}[self.status]


class RunEngine:
    """Takes one plan through one night on an open station; :meth:`run` belongs to the thread that opened it.

    ``show`` is called with a snapshot of the progress after each point and at each change of state.
    """

    def __init__(
        self,
        plan: Plan,
        station: Station,
        night: NightFolder,
        clock: Clock,
        requests: Requests,
        show: Callable[[Progress], None],
    ) -> None:
        self._plan = plan
        self._station = station
        self._night = night
        self._clock = clock
        self._requests = requests
        self._show = show
        self._environment = EnvironmentLog(station, night, clock)
        self._run_clock = RunClock(clock, requests, self._monitors)
        self._run: RunFolder | None = None
        self._suspended = False
        self._steps: list[dict[str, Any]] = [
            {"number": step.number, "name": step.name, "where": step.where, "status": "queued"}
            for step in plan.steps
        ]
        self._progress = Progress(total_s=sum(map(_estimate_s, plan.steps)))

    def run(self) -> Outcome:
        """Run every step, then leave the station safe; an instrument or a disk cannot make it raise."""
        status, message, may_finish = self._work()
        self._tell(state="stopping")
        safe = self._make_safe(may_finish, abort=status == "aborted")
        self._event("ended", message or status, {"status": status, "safe_state_confirmed": safe})
        try:
            self._close_night(status, message, safe)
        except StorageError as error:
            status, message = "failed", message or str(error)  # never finished while something is not written
            self._update(message=message)
            with suppress(StorageError):
                self._night.close(status)
        self._tell(state=status, message=message)
        return Outcome(status, safe, message)

    def _work(self) -> tuple[Ending, str, bool]:
        """Return how the steps ended, in a sentence, and whether ``finish`` may move the cryostat."""
        self._event(
            "started", f"night of {len(self._plan.steps)} steps", {"backend": self._station.file.backend}
        )
        try:
            for index, step in enumerate(self._plan.steps):
                self._mark(index, "running")
                self._tell(state="running", step=step.name)
                self._do(step)
                self._mark(index, "finished")
        except Interrupted as interruption:
            self._end_step(index, "aborted" if interruption.request.kind == "abort" else "stopped")
            aborted = interruption.request.kind == "abort"
            return ("aborted" if aborted else "stopped"), str(interruption), not aborted
        except InstrumentFault as fault:
            self._end_step(index, "failed")
            self._event("fault", str(fault), {"traceback": traceback.format_exc()})
            return "failed", str(fault), False
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the sample is made safe and the night says so
            self._end_step(index, "failed")
            sentence = str(error) if isinstance(error, OnnesError) else f"{type(error).__name__}: {error}"
            self._event("failed", sentence, {"traceback": traceback.format_exc()})
            return "failed", sentence, True
        return "finished", "", True

    # -- steps

    def _do(self, step: PlanStep) -> None:
        action = step.action
        if isinstance(action, Measure):
            self._measure(step, action)
        elif isinstance(action, SetTemperature):
            self._set_temperature(action)
        elif isinstance(action, SetField):
            self._set_field(action)
        else:
            self._wait(action)

    def _set_temperature(self, action: SetTemperature) -> None:
        station, rate, approach = self._station, action.rate_k_per_min, action.approach
        if action.wait:
            self._keep(
                ramping.settle_temperature(
                    station,
                    self._run_clock,
                    action.kelvin,
                    rate_k_per_min=rate,
                    approach=approach,
                    settle=action.settle,
                )
            )
        else:
            ramping.set_temperature(station, action.kelvin, rate, approach)

    def _set_field(self, action: SetField) -> None:
        station, rate = self._station, action.rate_oe_per_s
        if action.wait:
            self._keep(
                ramping.settle_field(
                    station,
                    self._run_clock,
                    action.field_oe,
                    rate_oe_per_s=rate,
                    approach=action.approach,
                    mode=action.mode,
                    then_wait_s=action.then_wait_s,
                )
            )
        else:
            ramping.set_field(station, action.field_oe, rate, action.approach, action.mode)

    def _wait(self, wait: Wait) -> None:
        if wait.for_s is not None:
            self._run_clock.sleep(wait.for_s)
        elif wait.until is not None:
            now = self._clock.datetime()
            self._run_clock.sleep((wait.next_after(now) - now) / timedelta(seconds=1))
        else:
            for event in ramping.wait_until_stable(
                self._station, self._run_clock, wait.stable, wait.timeout_s
            ):
                self._keep(event)

    def _measure(self, step: PlanStep, measure: Measure) -> None:
        measurement = measure.measurement
        planned = measurement.setpoints()
        before, share = self._progress.done_s, measurement.duration_s() / max(1, len(planned))
        run = self._create_run(step, measure, planned)
        self._run = run
        self._tell(point=0, points=len(planned))
        with closing(measurement.points(self._station, self._run_clock)) as items:  # closing stops the source
            count = 0
            for item in items:
                if isinstance(item, Event):
                    self._keep(item)
                    continue
                point = item
                self._write(partial(run.append, point), self._night.flush)
                self._note_retries()
                count += 1
                self._tell(
                    point=count,
                    done_s=before + min(count, len(planned)) * share,
                    temperature_k=getattr(point, "temperature", math.nan),
                    field_oe=getattr(point, "field", math.nan),
                )
                self._run_clock.heed()
        self._derive(run, measurement)
        self._close_run("finished")

    def _create_run(self, step: PlanStep, measure: Measure, planned: Sequence[Setpoint]) -> RunFolder:
        manifest = run_manifest(self._plan, step, measure, planned, self._station)
        header = run_header(self._night.path.name, measure.measurement, self._station)
        columns = tuple(columns_of(measure.measurement.point).values())
        made: list[RunFolder] = []

        def create() -> None:
            made.append(
                self._night.create_run(step.number, measure.kind, measure.label, manifest, columns, header)
            )

        self._write(create, create)
        return made[-1]

    # -- storing

    def _keep(self, event: Event) -> None:
        self._event(event.kind, event.message, event.values)

    def _event(self, kind: str, message: str, values: Mapping[str, Any] | None = None) -> None:
        try:
            self._night.event(kind, message, values or {}, self._clock)
        except StorageError as error:
            # The line is kept and written later. Whether the night can go on is decided by its points.
            self._tell(message=f"{kind}: {message} ({error})")

    def _write(self, write: Callable[[], None], again: Callable[[], None]) -> None:
        """Write, or suspend in the safe state with the points in memory until writing works again.

        Raises:
            StorageError: when it has not worked for STORAGE_PATIENCE_S.
        """
        try:
            write()
        except StorageError as error:
            self._suspend(error, again)

    def _suspend(self, error: StorageError, again: Callable[[], None]) -> None:
        self._tell(state="suspended", message=str(error))
        since = self._clock.now()
        resume = self._station.suspend()
        self._suspended = True
        try:
            while True:
                self._run_clock.sleep(STORAGE_RETRY_S)
                try:
                    again()
                    break
                except StorageError:
                    if self._clock.now() - since >= STORAGE_PATIENCE_S:
                        raise
        finally:
            self._suspended = False
        resume()
        self._event(
            "storage", f"writing works again after {self._clock.now() - since:.0f} s; it was: {error}"
        )
        self._tell(state="running", message="")

    def _monitors(self) -> None:
        """Show the heartbeat and log the environment; nothing is logged while nothing can be written."""
        if self._suspended:
            with suppress(StorageError):  # that it cannot be written is known; that the owner lives should be
                self._night.beat()
            return
        try:
            self._night.beat()
            if self._environment.is_due():
                self._environment.log()
                self._note_retries()
        except StorageError as error:
            self._suspend(error, self._night.flush)

    def _note_retries(self) -> None:
        for retry in self._station.retries():
            self._event("retry", str(retry), {"instrument": retry.instrument, "lab_s": retry.time})

    def _derive(self, run: RunFolder, measurement: Measurement) -> None:
        if type(measurement).derived is Measurement.derived:
            return  # nothing follows from the data, so there is no need to read them back
        for name, frame in measurement.derived(Run.open(run.path).data).items():
            run.write_derived(f"{name}.csv", frame)

    # -- ends

    def _make_safe(self, may_finish: bool, *, abort: bool) -> bool:
        """Sources to zero, ``finish``, safe state; return whether every step was confirmed."""
        steps = self._station.stop_sources(abort=abort)
        if may_finish and all(step.confirmed for step in steps):
            self._finish()
        steps += self._station.safe_state(abort=abort)
        for step in steps:
            kind = "safe_state" if step.confirmed else "safe_state_failed"
            self._event(kind, step.message, {"instrument": step.instrument, "confirmed": step.confirmed})
        return all(step.confirmed for step in steps)

    def _finish(self) -> None:
        """Go where the sequence wants field and temperature; an abort ends it, a failure is an event."""
        finish = self._plan.finish
        self._run_clock.heeds_stop = False
        try:
            if finish.temperature_k is not None:
                ramping.set_temperature(
                    self._station, finish.temperature_k, finish.rate_k_per_min, "fast_settle"
                )
            if finish.field_oe is not None:
                self._keep(
                    ramping.settle_field(
                        self._station,
                        self._run_clock,
                        finish.field_oe,
                        rate_oe_per_s=finish.field_rate_oe_per_s,
                        approach=finish.approach,
                    )
                )
        except Interrupted as interruption:
            self._event("finish", f"left where it was: {interruption}")
        except OnnesError as error:
            self._event("finish_failed", str(error))

    def _end_step(self, index: int, status: Ending) -> None:
        self._mark(index, status)
        self._close_run(status)

    def _close_run(self, status: Ending) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        try:
            run.close(status)
        except StorageError as error:
            if status == "finished":
                self._run = run
                self._suspend(error, partial(run.close, status))
                self._run = None
            else:
                self._tell(message=str(error))

    def _mark(self, index: int, status: str) -> None:
        self._steps[index]["status"] = status
        self._update(steps=self._steps)

    def _close_night(self, status: Ending, message: str, safe: bool) -> None:
        self._update(message=message, safe_state_confirmed=safe, ended_lab=self._clock.datetime().isoformat())
        self._night.close(status)

    def _update(self, **entries: Any) -> None:
        try:
            self._night.update(**entries)
        except StorageError as error:
            self._tell(message=str(error))

    def _tell(self, **changes: Any) -> None:
        self._progress = self._progress._replace(lab_time=self._clock.datetime(), **changes)
        self._show(self._progress)


def _estimate_s(step: PlanStep) -> float:
    """Return about how long a step takes, s, as far as it is known beforehand."""
    action = step.action
    if isinstance(action, Measure):
        return action.measurement.duration_s()
    return action.for_s or 0.0 if isinstance(action, Wait) else 0.0
