"""The steps that set and wait, and the way to ``finish``."""

import math
from collections.abc import Iterable
from datetime import timedelta

from onnes.instruments.limits import Limits
from onnes.instruments.station import Station
from onnes.procedures import ramping
from onnes.procedures.watch import Watch
from onnes.runner.hand_over import HandOvers, LeftToMultiVuError
from onnes.runner.plan import Finish, Measure, PlanStep, SetField, SetTemperature, Wait
from onnes.runner.record import Record
from onnes.runner.run_clock import RunClock


class Controls:
    """Sets temperature and field and waits; a step that was broken off is done again by the same call.

    ``ramps_are_held`` is set by whoever holds field and temperature where they are: what steps without a wait
    had sent on its way goes on with the next step.
    """

    def __init__(
        self,
        steps: Iterable[PlanStep],
        station: Station,
        clock: RunClock,
        record: Record,
        hand_overs: HandOvers,
    ) -> None:
        self.ramps_are_held = False
        self._steps = tuple(steps)
        self._station = station
        self._clock = clock
        self._record = record
        self._hand_overs = hand_overs
        self._wait_until = math.nan
        self.watch = Watch(station)  # says what is waited for

    def begin(self) -> None:
        """Forget the step before."""
        self._wait_until = math.nan

    def do(self, number: int, action: SetTemperature | SetField | Wait) -> None:
        """Do the step of a number.

        Raises:
            OnnesError: what setting and waiting fail with.
        """
        if self.ramps_are_held:
            done = [
                step for step in self._steps if step.number < number and self._record.is_done(step.number)
            ]
            for ramp in _still_on_their_way(done):
                if type(ramp) is not type(action):
                    self._do(ramp)
            self.ramps_are_held = False
        self._do(action)

    def _do(self, action: SetTemperature | SetField | Wait) -> None:
        if isinstance(action, SetTemperature):
            self._set_temperature(action)
        elif isinstance(action, SetField):
            self._set_field(action)
        else:
            self._wait(action)

    @property
    def place(self) -> tuple[float, float]:
        """Return how far the step has come: a wait gets on with the time, the others only by being done."""
        return 0.0 if math.isnan(self._wait_until) else self._clock.now(), 0.0

    def finish(self, finish: Finish, ran_away_from: Limits | None = None) -> None:
        """Go where the sequence wants field and temperature at its end.

        Args:
            ran_away_from: limits of the temperature, K, where it has run away: where the sequence wants it
                held, its setpoint then goes to the nearest safe value, which is where it is, within them.

        Raises:
            LeftToMultiVuError: if a sequence of MultiVu sets them.
            OnnesError: what setting and waiting fail with.
        """
        station = self._station
        if station.thermostat is None:
            self._hand_overs.finish(self._clock)
            return
        if station.masters:
            raise LeftToMultiVuError(
                f"MultiVu may go on with its sequence {', '.join(station.masters)}, which sets temperature "
                "and field; stop it there, and set them there"
            )
        kelvin = station.snapshot()[0].value  # nothing is sent to a cryostat in a fault state
        target = finish.temperature_k
        if target is None and ran_away_from is not None and not math.isnan(kelvin):
            target = min(max(round(kelvin, 2), ran_away_from.low), ran_away_from.high)
            self._record.event(
                "runaway", f"the temperature has run away; its setpoint goes to {target:.6g} K"
            )
        if target is not None:
            ramping.set_temperature(station, target, finish.rate_k_per_min, "fast_settle")
        if finish.field_oe is not None:
            event = ramping.settle_field(
                station,
                self._clock,
                finish.field_oe,
                rate_oe_per_s=finish.field_rate_oe_per_s,
                approach=finish.approach,
                watch=self.watch,
            )
            self._record.keep(event)

    def _set_temperature(self, action: SetTemperature) -> None:
        station, rate, approach = self._station, action.rate_k_per_min, action.approach
        if not action.wait:
            ramping.set_temperature(station, action.kelvin, rate, approach)
            return
        event = ramping.settle_temperature(
            station,
            self._clock,
            action.kelvin,
            rate_k_per_min=rate,
            approach=approach,
            settle=action.settle,
            watch=self.watch,
        )
        self._record.keep(event)

    def _set_field(self, action: SetField) -> None:
        station, rate = self._station, action.rate_oe_per_s
        if not action.wait:
            ramping.set_field(station, action.field_oe, rate, action.approach, action.mode)
            return
        event = ramping.settle_field(
            station,
            self._clock,
            action.field_oe,
            rate_oe_per_s=rate,
            approach=action.approach,
            mode=action.mode,
            then_wait_s=action.then_wait_s,
            watch=self.watch,
        )
        self._record.keep(event)

    def _wait(self, wait: Wait) -> None:
        if wait.stable:
            events = ramping.wait_until_stable(self._station, self._clock, wait.stable, wait.timeout_s)
            for event in events:
                self._record.keep(event)
            return
        if math.isnan(self._wait_until):  # a wait that was broken off still ends when it was to end
            now = self._clock.datetime()
            seconds = wait.for_s
            if seconds is None:
                seconds = (wait.next_after(now) - now) / timedelta(seconds=1)
            self._wait_until = self._clock.now() + seconds
        self._clock.sleep_until(self._wait_until)


def _still_on_their_way(done: Iterable[PlanStep]) -> list[SetTemperature | SetField]:
    """Return what nobody has waited for yet."""
    ramps: dict[str, SetTemperature | SetField] = {}
    for step in done:
        action = step.action
        if isinstance(action, Measure):  # which sets temperature and field itself
            ramps.clear()
        elif isinstance(action, Wait):
            for name in action.stable:
                ramps.pop(name, None)
        else:
            name = "temperature" if isinstance(action, SetTemperature) else "field"
            ramps.pop(name, None)
            if not action.wait:
                ramps[name] = action
    return list(ramps.values())
