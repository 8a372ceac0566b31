"""The run engine: one thread that owns the instruments and takes a plan through the night.

Whatever ends the night, the way out is the same: sources to zero, the declared ``finish`` where that is safe,
the station's safe state, always; then the manifest says how it ended. What only breaks a step off makes the
night stand still, and the step is taken up again when the reason is over.
"""

import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.errors import (
    CommunicationError,
    ConfigurationError,
    ContactError,
    InstrumentFault,
    LimitError,
    SequenceMayGoOn,
    StorageError,
)
from onnes.instruments.station import Station
from onnes.runner.breaks import (
    BREAKS_IN_VAIN,
    Break,
    BrokenOff,
    Faulted,
    GivenUp,
    InVain,
    LinkDown,
    Retrying,
    SafeStop,
    StorageFailed,
)
from onnes.runner.controls import Controls
from onnes.runner.ending import Ended, Outcome, chain_of, ended_by
from onnes.runner.estimate import estimates_s
from onnes.runner.hand_over import HandOvers
from onnes.runner.heeding import Heeding
from onnes.runner.hold import Hold
from onnes.runner.measuring import Measuring
from onnes.runner.monitors import Monitors
from onnes.runner.notifications import Notifier
from onnes.runner.plan import Measure, Plan, PlanStep
from onnes.runner.progress import Progress
from onnes.runner.record import Record
from onnes.runner.requests import Interrupted, Request, Requests
from onnes.runner.run_clock import RunClock, TimeLimitError
from onnes.runner.way_out import WayOut
from onnes.storage.night import NightFolder


@dataclass(slots=True)
class _Tally:
    """What was tried at one step since it got on last; ``place`` is how far it had come then."""

    place: tuple[float, float] = (-1.0, 0.0)
    tries: int = 0
    breaks: int = 0

    def saw(self, place: tuple[float, float]) -> None:
        if place > self.place:
            self.place, self.tries, self.breaks = place, 0, 0


class RunEngine:
    """Takes one plan through one night on an open station; :meth:`run` belongs to the thread that opened it.

    ``show`` is called with a snapshot of the progress after each point and at each change of state.

    Args:
        before: what an earlier runner of this night left, the entry of each step by number; None in a new
            night.
    """

    def __init__(
        self,
        plan: Plan,
        station: Station,
        night: NightFolder,
        clock: Clock,
        requests: Requests,
        show: Callable[[Progress], None],
        notifier: Notifier | None = None,
        before: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> None:
        self._plan = plan
        self._station = station
        self._night = night
        self._clock = clock
        self._requests = requests
        self._taken_up = before is not None
        before = before or {}
        station.hurry(lambda: requests.urgent)
        self._notify = notify = (lambda _kind, _text: None) if notifier is None else notifier.tell
        told = list if notifier is None else notifier.told
        total_s = sum(estimates_s(plan))
        self._record = record = Record(night, clock, show, plan.steps, before, total_s)
        self._monitors = Monitors(station, plan.limits, clock, record, requests, told)
        self._hand_overs = hand_overs = HandOvers(plan, station, record, notify)
        heeding = Heeding(requests, record, self._monitors, hand_overs, self._extend)
        self._run_clock = RunClock(clock, requests, self._monitors, self._stop_sources_now, heeding.asked)
        rate = plan.finish.field_rate_oe_per_s
        self._hold = Hold(station, clock, requests, self._monitors, record, notify, heeding.answered, rate)
        self._controls = Controls(plan.steps, station, self._run_clock, record, hand_overs)
        self._way_out = WayOut(
            plan.finish, station, clock, requests, record, self._monitors, self._run_clock,
            self._controls, self._hold, notify,
        )  # fmt: skip
        left = {n: s["run"] for n, s in before.items() if "run" in s and not record.is_done(n)}
        self._measuring = Measuring(
            plan, station, night, self._run_clock, record, self._monitors, hand_overs, left
        )
        record.doing = lambda: self._measuring.waiting() or self._controls.watch.waiting()

    def run(self, found: Iterable[str] = ()) -> Outcome:
        """Run every step, then leave the station safe; whatever happens before, the safe state comes.

        Args:
            found: what was found before the night, a sentence each; it is recorded.
        """
        ended = Ended("failed", "the run engine broke down", may_finish=False)
        try:
            ended = self._work(found)
        finally:
            safe, worse = self._way_out.make_safe(ended)
            if worse is not None:  # a field that is not where it was declared to be is no good end
                message = "; then ".join(filter(None, (ended.message, worse.message)))
                is_fault = ended.is_fault or worse.is_fault
                ended = Ended(worse.status, message, may_finish=False, is_fault=is_fault)
            outcome = self._close_night(ended, safe)
        return outcome

    # -- what other threads may ask

    def came_by(self) -> tuple[float, int]:
        """Return when the run thread last came by, on the clock, and how many points it has stored."""
        return self._monitors.came_by, self._measuring.points

    def doing(self) -> str:
        """Return what is waited for, in words."""
        now = self._record.progress
        return ": ".join(filter(None, (now.state, now.step, self._record.doing() or now.message)))

    def stalled(self, text: str) -> None:
        """Take note that nothing moves any more; the run thread tells it when it comes by again."""
        self._monitors.stalls.append(text)
        self._notify("suspended", text)

    # -- steps

    def _work(self, found: Iterable[str]) -> Ended:
        record = self._record
        count = len(self._plan.steps)
        left = sum(not record.is_done(step.number) for step in self._plan.steps)
        begun = f"taken up, {left} of {count} steps are left" if self._taken_up else f"night of {count} steps"
        record.event("started", begun, {"backend": self._station.file.backend})
        for sentence in found:
            record.event("preflight", sentence)
        self._notify("started", begun)
        step: PlanStep | None = None
        try:
            if self._taken_up:  # whoever was killed may have left a current on
                self._hand_overs.left_behind()
                self._held()
            for step in self._plan.steps:
                if not record.is_done(step.number):
                    self._step(step)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the sample is made safe and the night says so
            ended = ended_by(error)
            if step is not None:
                record.step(step.number, status=ended.status, message=ended.message)
            self._measuring.end(ended.status)
            if ended.status == "failed":
                kind = "fault" if ended.is_fault else "failed"
                record.event(kind, ended.message, {"traceback": traceback.format_exc()})
            return ended
        failed = record.failed_steps()
        return Ended("failed" if failed else "finished", failed, may_finish=True)

    # -- a step, in as many attempts as it takes

    def _step(self, step: PlanStep) -> None:
        tally = _Tally()
        limit_s = math.inf if step.time_limit_s is None else step.time_limit_s
        self._run_clock.deadline = self._clock.now() + limit_s
        self._controls.begin()
        self._measuring.begin()
        reason = ""
        while True:
            self._record.step(step.number, status="running")
            self._record.tell(state="running", step=step.name, message="")
            try:
                self._run_clock.heed()  # a step that never sleeps would not hear what was asked before it
                self._do(step, reason)
            except Exception as error:  # noqa: BLE001 - what may go on and what may not is judged in one place
                reason = f"{type(error).__name__}: {error}"
                if not self._goes_on(step, error, tally):
                    return
            else:
                self._record.step(step.number, status="finished")
                return

    def _do(self, step: PlanStep, reason: str) -> None:
        action = step.action
        if isinstance(action, Measure):
            self._measuring.measure(step, action, reason)
        else:
            self._controls.do(step.number, action)

    def _goes_on(self, step: PlanStep, error: Exception, tally: _Tally) -> bool:
        """Wait until a step that was broken off may go on; False where it has ended and the night has not.

        Called while ``error`` is handled, so that what is raised here keeps it in its chain.

        Raises:
            Exception: what ends the night.
        """
        tally.saw(self._measuring.place if isinstance(step.action, Measure) else self._controls.place)
        request = next((e.request for e in chain_of(error) if isinstance(e, Interrupted)), None)
        if request is not None and request.kind == "skip":
            self._skip(step, request.who)
            return False
        why = self._why(step, error, tally)
        if why is None:
            return self._failed(step, error)
        since = self._clock.now()
        self._controls.ramps_are_held = True
        try:
            try:
                self._hold.wait(why)
            finally:  # standing still counts for no time limit
                self._run_clock.deadline += self._clock.now() - since
        except GivenUp as given_up:
            if given_up.why.name == "link":
                return self._failed(step, given_up.error)
            raise given_up.error from error
        except Exception as again:  # noqa: BLE001 - judged as the first one was
            self._measuring.history_kept = False
            return self._goes_on(step, again, tally)
        self._measuring.history_kept = self._measuring.history_kept and self._hold.history_kept
        return True

    def _why(self, step: PlanStep, error: Exception, tally: _Tally) -> Break | None:
        """Return what the night waits for before the step is tried again; None where the step has failed.

        Raises:
            Exception: the error itself where it ends the night.
        """
        chain = chain_of(error)
        for ends in (Interrupted, SafeStop):
            if any(isinstance(e, ends) for e in chain):
                raise error
        fault = next((e for e in chain if isinstance(e, InstrumentFault)), None)
        if fault is not None:
            return Faulted(self._requests, self._clock, fault, partial(self._accept_what_is, fault))
        broken = next((e.why for e in chain if isinstance(e, BrokenOff)), None)
        if broken is None and any(isinstance(e, StorageError) for e in chain):
            raise error
        link = next((e for e in chain if isinstance(e, CommunicationError)), None)
        if broken is None and link is not None:
            broken = LinkDown(self._clock, link, self._station.silent)
        contact = next((e for e in chain if isinstance(e, ContactError)), None)
        if broken is None and contact is not None:
            broken = self._monitors.contact_opened(contact)
        if isinstance(broken, StorageFailed):  # it has a patience of its own, over all tries without a point
            if (given_up := broken.given_up()) is not None:
                raise given_up
            return broken
        if broken is not None:
            tally.breaks += not broken.needs_person
            if tally.breaks <= BREAKS_IN_VAIN:
                return broken
            self._monitors.reset(broken.name)  # it stands for the next step, where it trips anew
            return None
        policy = step.on_error
        never_again = isinstance(error, LimitError | ConfigurationError | TimeLimitError)
        if never_again or tally.tries >= policy.retries:
            return None
        tally.tries += 1
        again = f"try {tally.tries} of {policy.retries} again in {policy.wait_s:.0f} s"
        self._record.event("step_retry", f"{error}; {again}", {"traceback": traceback.format_exc()})
        return Retrying(self._clock, policy.wait_s, f"{error}; {again}")

    def _accept_what_is(self, fault: InstrumentFault) -> None:
        """Take cryostat and setpoints as they are: a person has dealt with ``fault``."""
        if isinstance(fault, SequenceMayGoOn):  # no other fault says that MultiVu was looked at
            self._station.accept_stopped()
        self._station.accept_restart()
        self._monitors.reset("foreign_setpoint")

    def _failed(self, step: PlanStep, error: Exception) -> bool:
        """End a step that has failed, as its ``on_error`` says; return False where the night goes on."""
        policy = step.on_error
        if isinstance(error, BrokenOff):  # which is no failure by itself
            error = InVain(f"broken off {BREAKS_IN_VAIN + 1} times without getting on, at last by: {error}")
        message = f"{type(error).__name__}: {error}"
        self._record.event(
            "step_failed",
            f"step {step.number} ({step.name}): {message}",
            {"traceback": traceback.format_exc()},
        )
        if policy.then == "safe_stop":
            raise SafeStop(
                f"step {step.number} ({step.name}) failed: {error}; its on_error is safe_stop"
            ) from error
        self._measuring.end("failed")
        self._held()
        self._record.step(step.number, status="failed", message=message)
        self._notify("failed", f"step {step.number} ({step.name}) failed, the night goes on: {message}")
        return False

    def _held(self) -> None:
        self._record.safe_steps("hold", self._station.hold())
        self._controls.ramps_are_held = True

    def _skip(self, step: PlanStep, who: str) -> None:
        self._measuring.end("stopped")
        self._record.step(step.number, status="skipped", message=f"skip asked by {who}")
        self._record.event("skipped", f"step {step.number} ({step.name}) is left out: asked by {who}")
        while True:
            try:
                if self._hold.sources_off():
                    self._controls.ramps_are_held = True
                return
            except GivenUp as given_up:
                raise given_up.error from given_up
            except Interrupted as again:
                if again.request.kind != "skip":
                    raise
                self._controls.ramps_are_held = True  # left out already; the source may be on

    def _extend(self, request: Request) -> None:
        self._measuring.extend(request)

    # -- ends

    def _stop_sources_now(self) -> None:
        self._record.safe_steps("abort", self._station.stop_sources(abort=True))

    def _close_night(self, ended: Ended, safe: bool) -> Outcome:
        """Say how it ended, in manifest and outcome; never finished while something is not written."""
        record, lost = self._record, self._measuring.lost
        status = "failed" if lost else ended.status
        message = "; ".join(filter(None, (ended.message, *lost)))
        self._monitors.remarks()
        record.event("ended", message or status, {"status": status, "safe_state_confirmed": safe})
        record.update(
            message=message,
            safe_state_confirmed=safe,
            fault=ended.message if ended.is_fault else None,
            acknowledged=None,  # what a person said of an earlier fault is no answer to this one
            ended_lab=self._clock.datetime().isoformat(),
        )
        record.tell(state=status, message=message)
        try:
            self._close(status)
        except StorageError as error:
            status, message = "failed", "; ".join(filter(None, (message, str(error))))
            record.update(message=message)
            record.tell(state=status, message=message)
            with suppress(StorageError):
                self._night.close(status)
        self._notify("finished" if status == "finished" else "failed", f"{status}: {message}".rstrip(": "))
        return Outcome(status, safe, message)

    def _close(self, status: str) -> None:
        """Close the night; one that is finished waits for a disk that cannot be written, until it is told to.

        Raises:
            StorageError: if it cannot be written, and nobody has made room or somebody wants an end.
        """
        while True:
            try:
                self._night.close(status)
            except StorageError as error:
                why = self._record.storage_failed(error).why
                if status != "finished" or why.given_up() is not None:
                    raise
                try:
                    self._hold.wait(why)
                except Exception as ended:  # everything is measured and safe; what is not written counts
                    raise error from ended
            else:
                return
