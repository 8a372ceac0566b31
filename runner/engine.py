"""The run engine: one thread that owns the instruments and takes a plan through the night.

Whatever ends the night, the way out is the same: sources to zero, the declared ``finish`` where that is safe,
the station's safe state, always; then the manifest says how it ended.
"""

import logging
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Event, columns_of
from onnes.instruments.station import Station
from onnes.procedures import ramping
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.runner.ending import Ended, Ending, Outcome, ended_by
from onnes.runner.environment_log import EnvironmentLog
from onnes.runner.plan import Measure, Plan, PlanStep, SetField, SetTemperature, Wait
from onnes.runner.progress import Progress
from onnes.runner.run_clock import Requests, RunClock
from onnes.runner.run_manifest import run_header, run_manifest
from onnes.storage.night import NightFolder
from onnes.storage.reader import Run
from onnes.storage.run import RunFolder

# A write that fails is tried again this often and this long, in lab time, before the night is given up.
STORAGE_RETRY_S = 10.0
STORAGE_PATIENCE_S = 900.0

_log = logging.getLogger(__name__)


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
        self._run_clock = RunClock(clock, requests, self._monitors, self._stop_sources_now)
        self._run: RunFolder | None = None
        self._suspended = False
        self._lost: list[str] = []
        self._steps: list[dict[str, Any]] = [
            {"number": step.number, "name": step.name, "where": step.where, "status": "queued"}
            for step in plan.steps
        ]
        self._progress = Progress(total_s=sum(map(_estimate_s, plan.steps)))

    def run(self) -> Outcome:
        """Run every step, then leave the station safe; whatever happens before, the safe state comes."""
        ended = Ended("failed", "the run engine broke down", may_finish=False)
        try:
            ended = self._work()
        finally:
            safe, worse = self._make_safe(ended)
            if worse is not None:  # a field that is not where it was declared to be is no good end
                message = "; then ".join(filter(None, (ended.message, worse.message)))
                ended = Ended(worse.status, message, may_finish=False)
            outcome = self._close_night(ended, safe)
        return outcome

    def _work(self) -> Ended:
        self._event(
            "started", f"night of {len(self._plan.steps)} steps", {"backend": self._station.file.backend}
        )
        index = 0
        try:
            for index, step in enumerate(self._plan.steps):
                self._mark(index, "running")
                self._tell(state="running", step=step.name)
                self._do(step)
                self._mark(index, "finished")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the sample is made safe and the night says so
            ended = ended_by(error)
            self._end_step(index, ended.status)
            if ended.status == "failed":
                self._event(
                    "failed" if ended.may_finish else "fault",
                    ended.message,
                    {"traceback": traceback.format_exc()},
                )
            return ended
        return Ended("finished", "", may_finish=True)

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
        self._close_run("finished")
        self._derive(run, measurement)

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
        held_up_s = self._clock.now() - since
        self._run_clock.held_up_s += held_up_s
        self._event("storage", f"writing works again after {held_up_s:.0f} s; it was: {error}")
        self._tell(state="running", message="")

    def _monitors(self) -> None:
        """Show the heartbeat, log the environment and look for faults; write nothing while that fails."""
        if self._suspended:
            with suppress(StorageError):  # that it cannot be written is known; that the owner lives should be
                self._night.beat()
            if self._environment.is_due():
                self._environment.log(write=False)
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
        """Write what follows from the data; it can be made again, so a failure costs no step."""
        if type(measurement).derived is Measurement.derived:
            return  # nothing follows from the data, so there is no need to read them back
        try:
            for name, frame in measurement.derived(Run.open(run.path).data).items():
                run.write_derived(f"{name}.csv", frame)
        except Exception as error:  # noqa: BLE001 - the points are stored, and the night has more to measure
            self._event("derived_failed", f"{run.path.name}: {error}", {"traceback": traceback.format_exc()})

    # -- ends

    def _make_safe(self, ended: Ended) -> tuple[bool, Ended | None]:
        """Sources to zero, ``finish``, safe state; return whether all was confirmed, and what went wrong."""
        abort = ended.status == "aborted"
        self._tell(state="stopping")
        steps = self._station.stop_sources(abort=abort)
        worse = None
        if ended.may_finish and all(step.confirmed for step in steps):
            worse = self._finish()
        steps += self._station.safe_state(abort=abort)
        for step in steps:
            kind = "safe_state" if step.confirmed else "safe_state_failed"
            self._event(kind, step.message, {"instrument": step.instrument, "confirmed": step.confirmed})
        return all(step.confirmed for step in steps), worse

    def _finish(self) -> Ended | None:
        """Go where the sequence wants field and temperature; return how that failed, if it did."""
        finish = self._plan.finish
        self._run_clock.heeds_stop = False
        try:
            self._station.snapshot()  # nothing is sent to a cryostat in a fault state
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
        except Exception as error:  # noqa: BLE001 - the safe state comes next, whatever this was
            worse = ended_by(error)
            self._event("finish_failed", worse.message, {"traceback": traceback.format_exc()})
            return Ended(worse.status, f"finish not reached: {worse.message}", may_finish=False)
        return None

    def _stop_sources_now(self) -> None:
        """Bring the sources to zero at the abort ramp, before anything else cleans up at its own pace."""
        for step in self._station.stop_sources(abort=True):
            self._event("abort", step.message, {"instrument": step.instrument, "confirmed": step.confirmed})

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
            if status != "finished":
                self._lost.append(f"{run.path.name}: {run.pending()} points could not be written ({error})")
                return
            self._run = run
            self._suspend(error, partial(run.close, status))
            self._run = None

    def _mark(self, index: int, status: str) -> None:
        self._steps[index]["status"] = status
        self._update(steps=self._steps)

    def _close_night(self, ended: Ended, safe: bool) -> Outcome:
        """Say how it ended, in manifest and outcome; never finished while something is not written."""
        status: Ending = "failed" if self._lost else ended.status
        message = "; ".join(filter(None, (ended.message, *self._lost)))
        self._event("ended", message or status, {"status": status, "safe_state_confirmed": safe})
        self._update(message=message, safe_state_confirmed=safe, ended_lab=self._clock.datetime().isoformat())
        try:
            self._night.close(status)
        except StorageError as error:
            status, message = "failed", "; ".join(filter(None, (message, str(error))))
            self._update(message=message)
            with suppress(StorageError):
                self._night.close(status)
        self._tell(state=status, message=message)
        return Outcome(status, safe, message)

    def _update(self, **entries: Any) -> None:
        try:
            self._night.update(**entries)
        except StorageError as error:
            self._tell(message=str(error))

    def _tell(self, **changes: Any) -> None:
        self._progress = self._progress._replace(lab_time=self._clock.datetime(), **changes)
        try:
            self._show(self._progress)
        except Exception:  # noqa: BLE001 - whoever watches must not be able to end the night
            _log.exception("the display of the progress failed")


def _estimate_s(step: PlanStep) -> float:
    """Return about how long a step takes, s, as far as it is known beforehand."""
    action = step.action
    if isinstance(action, Measure):
        return action.measurement.duration_s()
    return action.for_s or 0.0 if isinstance(action, Wait) else 0.0
