"""Standing still: sources at zero, the field held, and everything still watched, until the reason is over."""

from collections.abc import Callable, Collection, Iterable, Mapping

from onnes.instruments.clock import Clock, VirtualClock
from onnes.instruments.errors import CommunicationError, OnnesError
from onnes.instruments.safe_state import SafeStep
from onnes.instruments.station import Station
from onnes.procedures import ramping
from onnes.runner.breaks import Break, GivenUp, LinkDown
from onnes.runner.monitors import Monitors
from onnes.runner.record import Record
from onnes.runner.requests import Interrupted, RequestKind, Requests
from onnes.runner.run_clock import SLICE_S

# In virtual time nobody could answer a question before years have passed: while a person is waited for, a
# slice of lab time takes this much wall time.
_PERSON_S = 0.02

# A sample that has moved by no more than this has kept its history, K and Oe: what a controller at rest
# scatters, and the final approach of a magnet that was stopped on its way.
_KEPT_K, _KEPT_FRACTION, _KEPT_OE = 0.05, 2e-3, 5.0


# An instrument that was silent when it was to hold is told again this often, s: one that comes back must not
# keep its current on for as long as another one is waited for.
_HOLD_AGAIN_S = 30.0


class Hold:
    """Brings a station into its hold state and waits there.

    ``history_kept`` says of the last wait whether temperature and field stayed where they were, as far as
    they could be read; False before there was one.

    Args:
        field_rate_oe_per_s: the most that the sequence allows itself; None: the station's.
    """

    def __init__(
        self,
        station: Station,
        clock: Clock,
        requests: Requests,
        monitors: Monitors,
        record: Record,
        notify: Callable[[str, str], None],
        asked: Callable[[Collection[RequestKind]], None],
        field_rate_oe_per_s: float | None = None,
    ) -> None:
        self.history_kept = False
        self._field_rate_oe_per_s = field_rate_oe_per_s
        self._unheld: dict[str, str] = {}  # who did not confirm its hold state: what it said
        self._hold_again_at = 0.0
        self._wants_no_field = False
        self._field_is_due = False  # it is not known to be on its way to zero
        self._station = station
        self._clock = clock
        self._requests = requests
        self._monitors = monitors
        self._record = record
        self._notify = notify
        self._asked = asked

    def wait(self, why: Break) -> None:
        """Stand still until ``why``, and whatever else comes up meanwhile, is over.

        Raises:
            Interrupted: when a stop, an abort or a skip is asked for.
            InstrumentFault: when an instrument gets into a fault state.
            SafeStop: when an interlock wants one.
            GivenUp: when ``why`` has lasted too long.
        """
        since, monitors, state = self._clock.now(), self._monitors, self._record.progress.state
        self._enter(why)
        before = monitors.where()
        self.history_kept = before is not None and why.keeps_history
        with monitors.standing_still(fault_is_known=why.name == "fault"):
            while True:
                self._heed()
                monitors()
                self._hold_the_rest(why)
                self.history_kept = self.history_kept and _is_where_it_was(before, monitors.where())
                if why.is_over():
                    self._record.event("resumed", f"{why.name} is over", {"reason": why.name})
                    monitors.reset(why.name)
                    following = monitors.still_tripped() or self._sources_that_are_on()
                    if following is None:
                        break
                    why = following
                    self.history_kept = self.history_kept and why.keeps_history
                    self._enter(why)
                elif (error := why.given_up()) is not None:
                    raise GivenUp(why, error) from error
                if self._requests.pending:
                    self._asked(why.answers)
                self._clock.sleep_until(self._clock.now() + SLICE_S)
                if why.needs_person and isinstance(self._clock, VirtualClock):
                    self._requests.wait(_PERSON_S)
        held_s = self._clock.now() - since
        self._record.tell(state=state, message="")
        self._record.event("held", f"the night goes on after {held_s:.0f} s", {"held_s": held_s})

    def _enter(self, why: Break) -> None:
        self._asked(())  # what was said before a person could know of this is no answer to it
        self._record.tell(state=why.state, message=f"{why.name}: {why.message}")
        self._record.event(why.state, why.message, {"reason": why.name})
        self._notify(why.state, why.message)
        self._held(self._station.hold(temperature=why.holds_temperature))
        self._wants_no_field = self._field_is_due = False
        if why.takes_field_to_zero:
            self._take_field_down()

    def sources_off(self) -> bool:
        """Take the current away; where that is not confirmed, stand still until it is, and say so.

        Raises:
            Interrupted, InstrumentFault, SafeStop, GivenUp: as :meth:`wait`.
        """
        why = self._source_on(self._stop_sources())
        if why is not None:
            self.wait(why)
        return why is not None

    def _sources_that_are_on(self) -> Break | None:
        """Return what is waited for where a source has not heard yet that it was to go to zero."""
        return self._source_on(self._stop_sources()) if self._unheld else None

    def _source_on(self, why: Mapping[str, str]) -> Break | None:
        error = CommunicationError("; ".join(why.values()))
        return LinkDown(self._clock, error, self._stop_sources) if why else None

    def _stop_sources(self) -> dict[str, str]:
        """Tell every source to go to zero; return {who did not confirm it: why}."""
        steps = self._station.stop_sources()
        self._record.safe_steps("hold", steps)
        return {step.instrument: step.message for step in steps if not step.confirmed}

    def _hold_the_rest(self, why: Break) -> None:
        """Tell those to hold that did not confirm it, if it is time; helium gets low meanwhile, too."""
        if not self._wants_no_field and why.field_is_ours and self._monitors.wants_no_field():
            text = "the helium is low: the field goes to 0 Oe meanwhile"
            self._record.event("field_down", text, {"reason": why.name})
            self._notify(why.state, text)
            self._take_field_down()
        if (self._unheld or self._field_is_due) and self._clock.now() >= self._hold_again_at:
            self._held(self._station.hold(temperature=why.holds_temperature, only=self._unheld))
            if self._wants_no_field:  # who was told to hold only now has stopped a field on its way
                self._take_field_down()

    def _take_field_down(self) -> None:
        """Send the field to zero; a magnet in a fault state is sent nothing, now and later."""
        magnet = self._station.magnet
        if magnet is None:
            return
        self._wants_no_field, self._field_is_due = True, False
        try:
            magnet.field()  # raises in a fault state
            ramping.set_field(self._station, 0.0, self._field_rate_oe_per_s)
        except OnnesError as error:
            self._field_is_due = isinstance(error, CommunicationError)
            self._record.event("hold_failed", f"the field is not on its way to 0 Oe: {error}")

    def _held(self, steps: Iterable[SafeStep]) -> None:
        found = list(steps)
        # What is not confirmed is tried again and again, and told once.
        self._record.safe_steps("hold", [s for s in found if self._unheld.get(s.instrument) != s.message])
        self._unheld = {step.instrument: step.message for step in found if not step.confirmed}
        self._hold_again_at = self._clock.now() + _HOLD_AGAIN_S

    def _heed(self) -> None:
        requests = self._requests
        if not requests.pending:
            return
        end = requests.take_end()
        if end is not None:
            raise Interrupted(end)


def _is_where_it_was(before: tuple[float, float] | None, now: tuple[float, float] | None) -> bool:
    if before is None or now is None:
        return False
    moved_k, moved_oe = abs(now[0] - before[0]), abs(now[1] - before[1])
    return moved_k <= max(_KEPT_K, _KEPT_FRACTION * before[0]) and not moved_oe > _KEPT_OE
