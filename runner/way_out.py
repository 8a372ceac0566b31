"""The way out of a night: sources to zero, ``finish`` where that is safe, the safe state always."""

import math
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, StorageError
from onnes.instruments.safe_state import SafeStep
from onnes.instruments.station import Station
from onnes.runner.breaks import BREAKS_IN_VAIN, LinkDown, SafeStop
from onnes.runner.controls import Controls
from onnes.runner.ending import Ended, ended_by
from onnes.runner.hand_over import LeftToMultiVuError
from onnes.runner.hold import Hold
from onnes.runner.monitors import Monitors
from onnes.runner.notifications import UNSAFE
from onnes.runner.plan import Finish
from onnes.runner.record import Record
from onnes.runner.requests import Requests
from onnes.runner.run_clock import SLICE_S, RunClock

# A safe state that was not confirmed is tried again after these pauses, s of lab time (assumed): a link that
# comes back within minutes must not leave a current on.
_SAFE_AGAIN_S = (2.0, 10.0, 30.0, 60.0, 120.0)


class WayOut:
    """Takes a station from wherever its night ended to its safe state."""

    def __init__(
        self,
        finish: Finish,
        station: Station,
        clock: Clock,
        requests: Requests,
        record: Record,
        monitors: Monitors,
        run_clock: RunClock,
        controls: Controls,
        hold: Hold,
        notify: Callable[[str, str], None],
    ) -> None:
        self._declared = finish
        self._station = station
        self._clock = clock
        self._requests = requests
        self._record = record
        self._monitors = monitors
        self._run_clock = run_clock
        self._controls = controls
        self._hold = hold
        self._notify = notify

    def make_safe(self, ended: Ended) -> tuple[bool, Ended | None]:
        """Sources to zero, ``finish``, safe state; return whether all was confirmed, and what went wrong."""
        abort = ended.status == "aborted"
        self._record.tell(state="stopping")
        steps = self._station.stop_sources(abort=abort)
        worse = None
        if ended.may_finish and all(step.confirmed for step in steps):
            worse = self._finish(ended)
        found = {step.instrument: step for step in self._station.safe_state(abort=abort)}
        for pause_s in _SAFE_AGAIN_S:
            unsafe = [name for name, step in found.items() if not step.confirmed]
            if not unsafe:
                break
            for name in unsafe:
                self._tell_unsafe(found[name])
            self._pause(pause_s)
            found |= {step.instrument: step for step in self._station.safe_state(abort=abort, only=unsafe)}
        self._record.safe_steps("safe_state", found.values())
        safe = all(step.confirmed for step in found.values())
        return safe, worse

    def _pause(self, seconds: float) -> None:
        """Let time pass, and show meanwhile that the owner lives."""
        until = self._clock.now() + seconds
        while self._clock.now() < until:
            self._clock.sleep_until(min(until, self._clock.now() + SLICE_S))
            with suppress(StorageError):  # what cannot be written is told at the close
                self._record.night.beat()

    def _tell_unsafe(self, step: SafeStep) -> None:
        text = f"SAFE STATE NOT CONFIRMED: {step.instrument}: {step.message}"
        self._record.event("safe_state_failed", text, {"instrument": step.instrument, "confirmed": False})
        self._record.tell(message=text)
        self._notify(UNSAFE, text)

    def _finish(self, ended: Ended) -> Ended | None:
        """Go where the sequence wants field and temperature; return how that failed, if it did."""
        self._requests.heed_only_abort()
        self._run_clock.deadline = math.inf
        try:
            with self._monitors.standing_still():  # on the way out nothing is suspended any more
                stops = self._go_to_finish()
        except LeftToMultiVuError as error:  # whoever stops such a machine has not failed for it
            self._record.event("finish_failed", str(error))
            status = "failed" if ended.status == "finished" else ended.status
            return Ended(status, f"finish not reached: {error}", may_finish=False)
        except Exception as error:  # noqa: BLE001 - the safe state comes next, whatever this was
            worse = ended_by(error)
            self._record.event("finish_failed", worse.message, {"traceback": traceback.format_exc()})
            return replace(worse, message=f"finish not reached: {worse.message}", may_finish=False)
        if stops:
            return Ended("failed", f"on the way to the finish: {'; '.join(stops)}", may_finish=False)
        return None

    def _go_to_finish(self) -> list[str]:
        """Go there whatever breaks it off; return what wanted to stop the night meanwhile.

        A safe stop takes this very way, but its heater goes no further than it has to; and a link that comes
        back must not leave the magnet charged.
        """
        finish, stops = self._declared, []
        for left in reversed(range(1 + BREAKS_IN_VAIN)):
            try:
                self._controls.finish(finish, self._monitors.ran_away_from())
                break
            except SafeStop as stop:
                stops.append(str(stop))
                finish = replace(finish, temperature_k=None)
                if not left:
                    raise
            except CommunicationError as error:
                if not left:
                    raise
                self._hold.wait(LinkDown(self._clock, error, self._station.silent))
        return stops
