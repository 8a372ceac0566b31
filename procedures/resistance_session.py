"""How a measurement of resistance takes points at setpoints or on the way between them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import fmean
from typing import Protocol, runtime_checkable

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, ConfigurationError
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.protocols import Resistance, ResistanceBridge
from onnes.instruments.records import Event, Point
from onnes.procedures.bracket import TEMPERATURE_MOVED
from onnes.procedures.contact_watch import ContactWatch
from onnes.procedures.options import LockInOptions
from onnes.procedures.programs import Sweep
from onnes.procedures.resistance_measurement import HEATING_PORTIONS, ResistanceMeasurement
from onnes.procedures.setpoint_session import SetpointSession
from onnes.procedures.transport import FourProbe
from onnes.procedures.watch import MeasuringStation

SELF_HEATING = "self_heating"
_SIGMAS = 3.0
_REPEATS = 2  # of a settled point during which the temperature moved; it settles again before each


@runtime_checkable
class _Listening(Protocol):
    use: LockInUse


def bridge_of(station: MeasuringStation, wiring: str, method: str, lockin: str) -> ResistanceBridge:
    """Return the bridge of ``wiring`` by ``method``, listening as ``lockin`` says where it has a lock-in.

    Raises:
        ConfigurationError: if the station does not have the wiring or the method, or ``lockin`` says
            something and there is no lock-in.
    """
    bridge = station.bridge(wiring, method)
    if isinstance(bridge, _Listening):
        bridge.use = LockInOptions.from_json(lockin).use()
    elif lockin != "{}":
        raise ConfigurationError(
            f"lockin is {lockin}, but the resistance of wiring {wiring!r} is not measured by a lock-in; "
            "leave lockin out, or ask for the method lock_in"
        )
    return bridge


class Session(SetpointSession):
    """One call of ``points()`` of a measurement of resistance: its bridge, and what has been read.

    Raises:
        ConfigurationError: if the station does not have the wiring, or no lock-in to listen as asked for.
        LimitError: if the current or the rate between temperatures is not allowed; nothing was sent.
    """

    def __init__(self, measurement: ResistanceMeasurement, station: MeasuringStation, clock: Clock) -> None:
        super().__init__(measurement, station, clock)
        self._current_a, self._average = measurement.current_a, measurement.average
        self._heating_readings = measurement.heating_readings
        self._bridge = bridge_of(station, measurement.wiring, measurement.method, measurement.lockin)
        self._bridge.current_limits.check("current", self._current_a)
        if measurement.self_heating_check:
            self._bridge.current_limits.check("half the current", 0.5 * self._current_a)
        self._is_on = False
        self._probe = FourProbe(
            measurement.wiring, self._bracket, self._measure, self.stop_source, self._contacts(measurement)
        )

    def _contacts(self, measurement: ResistanceMeasurement) -> ContactWatch:
        """Return who judges the contacts; what was usual before a break is still usual after it."""
        if measurement.contacts is None:
            measurement.contacts = ContactWatch(self._bridge.compliance_v)
        return measurement.contacts

    def _measure(self) -> Resistance:
        return self._bridge.measure(self._average)

    def start_source(self) -> None:
        """Switch the current on, unless it is; current and range stay until :meth:`stop_source`."""
        if not self._is_on:
            self._bridge.start(self._current_a)
            self._is_on = True

    def stop_source(self) -> None:
        """Ramp the current to 0 and switch it off."""
        self._is_on = False
        self._bridge.stop()

    def settled_point(
        self, direction: str, curve: int, kelvin: float, field_oe: float
    ) -> Iterator[Point | Event]:
        """Take one point at rest; one during which the temperature moved is rejected and repeated."""
        for _ in range(1 + _REPEATS):
            yield from self.at_temperature(kelvin)
            has_moved = False
            for point in self._probe.take(
                direction,
                curve,
                kelvin=kelvin,
                field_oe=self.field_setpoint_oe(field_oe),
                within_k=self.within_k(kelvin),
            ):
                yield point
                has_moved = TEMPERATURE_MOVED in point.flags
            if not has_moved:
                return

    def check_heating(self, kelvin: float) -> Iterator[Event]:
        """Compare R at the current with R at half of it, at ``kelvin``, the lowest temperature.

        A sample that its current warms reads another resistance there. If the two differ by more than three
        standard errors, and what the resistance at half the current has drifted by meanwhile, every point
        from now on is flagged ``self_heating``: they stay, as only the user knows how much is too much. A
        check that the connection does not allow is left out, and an event says so.
        """
        yield from self.at_temperature(kelvin)
        half_a = 0.5 * self._current_a
        try:
            first, whole, last = (self._resistance_at(amps) for amps in (half_a, self._current_a, half_a))
        except CommunicationError as silent:  # a bus too noisy for a check may do for the points
            yield Event(SELF_HEATING, f"self-heating was not checked: {silent}", {"is_heated": None})
            return
        half_ohm = 0.5 * (first.resistance + last.resistance)
        drift = abs(last.resistance - first.resistance)
        apart = whole.resistance - half_ohm
        error = math.hypot(whole.resistance_error, first.resistance_error)
        is_heated = not abs(apart) <= _SIGMAS * error + drift  # NaN: nobody knows
        if is_heated:
            self._probe.standing = (SELF_HEATING,)
        verdict = "differ: every point from now on is flagged self_heating" if is_heated else "agree"
        yield Event(
            SELF_HEATING,
            f"R({self._current_a:.4g} A) = {whole.resistance:.6g} ohm and R({half_a:.4g} A) = {half_ohm:.6g} "
            f"ohm at {kelvin:.6g} K, {apart:+.2g} ohm apart with a standard error of {error:.2g} ohm and a "
            f"drift of {drift:.2g} ohm, {verdict}",
            {
                "temperature_k": kelvin,
                "current_a": self._current_a,
                "resistance_ohm": whole.resistance,
                "half_ohm": half_ohm,
                "error_ohm": error,
                "drift_ohm": drift,
                "flags": [*first.flags, *whole.flags, *last.flags],
                "is_heated": is_heated,
            },
        )

    def _resistance_at(self, amps: float) -> Resistance:
        """Measure at ``amps`` in portions: on a noisy bus no instrument vouches for a minute in one piece."""
        self.stop_source()
        self._bridge.start(amps)
        try:
            each = [self._bridge.measure(self._heating_readings) for _ in range(HEATING_PORTIONS)]
        finally:
            self.stop_source()
        errors = [found.resistance_error for found in each]
        return replace(
            each[-1],
            resistance=fmean(found.resistance for found in each),
            resistance_error=math.hypot(*errors) / len(each),
            flags=tuple(dict.fromkeys(flag for found in each for flag in found.flags)),
        )

    def go_on_with(self, flags: tuple[str, ...]) -> None:
        """Give every point ``flags``, which were found before a break."""
        self._probe.standing = flags

    def temperature_sweep(
        self, program: Callable[[], Sweep], curve: int, field_oe: float, last: float = math.nan
    ) -> Iterator[Point | Event]:
        """Take points while the temperature ramps; see :meth:`SetpointSession.ramp_temperature`."""
        direction = "warming" if program().rises else "cooling"
        field_oe = self.field_setpoint_oe(field_oe)
        yield from self.ramp_temperature(
            program,
            lambda: self._probe.take(direction, curve, field_oe=field_oe),
            lambda point: point.temperature,
            last,
        )

    def field_sweep(
        self, program: Callable[[], Sweep], curve: int, kelvin: float, last: float = math.nan
    ) -> Iterator[Point | Event]:
        """Take points while the field ramps; see :meth:`SetpointSession.ramp_field`."""
        direction = "rising" if program().rises else "falling"
        yield from self.ramp_field(
            program,
            lambda: self._probe.take(direction, curve, kelvin=kelvin),
            lambda point: point.field,
            last,
        )
