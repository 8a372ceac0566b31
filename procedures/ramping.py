"""Bring temperature or field to a setpoint and wait until it has settled; ramps that are measured on the way.

Measurements use these, and so does the run engine for the blocks ``set_temperature`` and ``set_field``.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, SettleTimeout
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import (
    FieldApproach,
    FieldMode,
    Magnet,
    Reading,
    TemperatureApproach,
    Thermostat,
)
from onnes.instruments.records import Event
from onnes.procedures.options import Settle
from onnes.procedures.programs import Sweep
from onnes.procedures.settling import (
    RATE_WINDOW_S,
    Criterion,
    Regulated,
    Settled,
    field_criterion,
    temperature_criterion,
    timeout_s,
    wait_until_settled,
)
from onnes.procedures.watch import MeasuringStation, Watch

POLL_S = 2.0
LEAVE_DEADLINE_S = {"temperature": 15.0, "field": 5.0}  # an old "stable" outlives a set by up to 5 s (seen)
USUAL_RATE_K_PER_MIN = 10.0  # what a sample in grease stands; the station or the caller may ask for less
FIELD_WAIT_S: dict[FieldMode, float] = {"driven": 10.0, "persistent": 60.0}
_SWITCHING_S = 120.0  # leads, switch heater on and off, final approach

# A cool-down through 10 K fills the pot of a PPMS: stop there, at most 30 s a kelvin, then go on slowly.
_STOP_K, _ABOVE_K, _SLOW_K_PER_MIN = 10.0, 11.0, 2.0
_USUAL_STOP_S = 120.0  # the controller comes to rest in a minute, and a minute it is watched (a)


def set_temperature(
    station: MeasuringStation,
    kelvin: float,
    rate_k_per_min: float | None = None,
    approach: TemperatureApproach = "fast_settle",
) -> float:
    """Start a ramp to ``kelvin`` and return its rate, K/min: by default 10 K/min or the station's limit.

    Raises:
        ConfigurationError: if the station has no thermostat.
        LimitError: if temperature or rate is outside the station's limits; nothing was sent.
    """
    thermostat, limits = thermostat_of(station), station.limits()
    limits.temperature.check("temperature", kelvin)
    rate = _rate("temperature rate", limits.temperature_rate, rate_k_per_min, USUAL_RATE_K_PER_MIN)
    thermostat.set_temperature(kelvin, rate, approach)
    return rate


def set_field(
    station: MeasuringStation,
    field_oe: float,
    rate_oe_per_s: float | None = None,
    approach: FieldApproach = "linear",
    mode: FieldMode = "driven",
) -> float:
    """Start a ramp to ``field_oe`` and return its rate, Oe/s: by default the station's limit.

    Raises:
        ConfigurationError: if the station has no magnet.
        LimitError: if field or rate is outside the station's limits; nothing was sent.
    """
    magnet, field_limits, rate_limits = magnet_of(station)
    field_limits.check("field", field_oe)
    rate = _rate("field rate", rate_limits, rate_oe_per_s, math.inf)
    magnet.set_field(field_oe, rate, approach, mode)
    return rate


def _rate(what: str, limits: Limits, asked: float | None, usual: float) -> float:
    return min(usual, limits.high) if asked is None else limits.check(what, asked)


def settle_temperature(
    station: MeasuringStation,
    clock: Clock,
    kelvin: float,
    *,
    rate_k_per_min: float | None = None,
    approach: TemperatureApproach = "fast_settle",
    settle: Settle | None = None,
    poll_s: float = POLL_S,
    watch: Watch | None = None,
) -> Event:
    """Ramp to ``kelvin``, wait until it has settled, and return the record of it.

    From above 11 K to below 10 K it stops at 10 K first and goes on with at most 2 K/min, as the maker's own
    software does.

    Args:
        rate_k_per_min: K/min; without it 10 K/min or the station's limit.
        settle: what settled means; defaults by temperature.
        poll_s: s between two readings.
        watch: where readings are remembered, so that later points can be judged on them.

    Raises:
        LimitError: if temperature or rate is outside the station's limits; nothing was sent.
        SettleTimeout: with the last reading.
        InstrumentFault: in a fault state.
    """
    watch = watch or Watch(station)
    station.limits().temperature.check("temperature", kelvin)
    what = regulated_temperature(station, watch)
    start, began = watch.snapshot()[0].value, clock.now()
    if start > _ABOVE_K and kelvin < _STOP_K:
        rate = set_temperature(station, _STOP_K, rate_k_per_min, approach)
        ramp_s, stop_s = (start - _STOP_K) / rate * 60.0, min(40.0, start - _STOP_K) * 30.0
        here = temperature_criterion(_STOP_K, Settle(then_wait_s=0.0, timeout_s=ramp_s + stop_s))
        with contextlib.suppress(SettleTimeout):  # the stop lasts so long at most
            wait_until_settled(what, _STOP_K, here, clock, poll_s)
        start, rate_k_per_min = _STOP_K, min(rate, _SLOW_K_PER_MIN)
    stop_s = clock.now() - began
    rate = set_temperature(station, kelvin, rate_k_per_min, approach)
    criterion = temperature_criterion(kelvin, settle or Settle(), abs(kelvin - start) / rate * 60.0)
    found = wait_until_settled(what, kelvin, criterion, clock, poll_s)
    return settled_event(found, rate_k_per_min=rate, approach=approach, by_way_of_10_k_s=stop_s)


def ramp_s(start_k: float, kelvin: float, rate_k_per_min: float) -> float:
    """Return about how long :func:`settle_temperature` is on its way, s, with the stop at 10 K."""
    if start_k <= _ABOVE_K or kelvin >= _STOP_K:
        return abs(kelvin - start_k) / rate_k_per_min * 60.0
    slow = min(rate_k_per_min, _SLOW_K_PER_MIN)
    return ((start_k - _STOP_K) / rate_k_per_min + (_STOP_K - kelvin) / slow) * 60.0 + _USUAL_STOP_S


def settle_field(
    station: MeasuringStation,
    clock: Clock,
    field_oe: float,
    *,
    rate_oe_per_s: float | None = None,
    approach: FieldApproach = "linear",
    mode: FieldMode = "driven",
    then_wait_s: float | None = None,
    poll_s: float = POLL_S,
    watch: Watch | None = None,
) -> Event:
    """Ramp to ``field_oe``, wait until the magnet has settled there, and return the record of it.

    Args:
        rate_oe_per_s: Oe/s; without it the station's limit.
        then_wait_s: s after the magnet has settled; without it 10 s driven, 60 s persistent.
        poll_s: s between two readings.
        watch: where readings are remembered.

    Raises:
        ConfigurationError: if the station has no magnet.
        LimitError: if field or rate is outside the station's limits; nothing was sent.
        SettleTimeout: with the last reading.
        InstrumentFault: in a fault state, a quench among them.
    """
    watch = watch or Watch(station)
    # A target that stands already is not sent again, so the magnet goes on resting in the mode it is in.
    stands = magnet_of(station)[0].field_setpoint() == field_oe
    what = regulated_field(station, watch, None if stands else mode)
    start = what.read().value
    rate = set_field(station, field_oe, rate_oe_per_s, approach, mode)
    wait_s = FIELD_WAIT_S[mode] if then_wait_s is None else then_wait_s
    criterion = field_criterion(field_oe, wait_s, _SWITCHING_S + abs(field_oe - start) / rate)
    found = wait_until_settled(what, field_oe, criterion, clock, poll_s)
    return settled_event(found, rate_oe_per_s=rate, approach=approach, mode=mode)


def wait_until_stable(
    station: MeasuringStation,
    clock: Clock,
    quantities: Iterable[str],
    limit_s: float,
    poll_s: float = POLL_S,
) -> Iterator[Event]:
    """Wait until what is named has settled at the setpoint it has; yield the record of each.

    Args:
        quantities: ``temperature``, ``field``.
        limit_s: s, for each.
        poll_s: s between two readings.

    Raises:
        SettleTimeout: if one has not settled ``limit_s`` after the wait for it began.
        InstrumentFault: in a fault state.
    """
    watch = Watch(station)
    for name in quantities:
        if name == "temperature":
            what = regulated_temperature(station, watch)
            target = what.setpoint()
            criterion = temperature_criterion(target, Settle(then_wait_s=0.0, timeout_s=limit_s))
        else:
            what = regulated_field(station, watch, None)
            target = what.setpoint()
            criterion = replace(field_criterion(target, 0.0), timeout_s=limit_s)
        yield settled_event(wait_until_settled(what, target, criterion, clock, poll_s))


def hold_temperature(
    station: MeasuringStation, clock: Clock, kelvin: float, criterion: Criterion, poll_s: float, watch: Watch
) -> Event | None:
    """Make sure that the temperature still is where it settled; None if it was, at no cost.

    Raises:
        SettleTimeout: if it was disturbed and does not come back.
        InstrumentFault: in a fault state.
    """
    what = regulated_temperature(station, watch)
    found = wait_until_settled(what, kelvin, criterion, clock, poll_s, just_set=False)
    return None if found.waited_s == 0 else settled_event(found, after="a disturbance")


def thermostat_of(station: MeasuringStation) -> Thermostat:
    """Return the thermostat.

    Raises:
        ConfigurationError: if the station has none.
    """
    if station.thermostat is None:
        raise ConfigurationError(
            "the station has no thermostat; name one under [roles] in the station file, or let the sequence "
            "of the magnetometer set the temperature"
        )
    return station.thermostat


def magnet_of(station: MeasuringStation) -> tuple[Magnet, Limits, Limits]:
    """Return the magnet with the limits of its field, Oe, and rate, Oe/s.

    Raises:
        ConfigurationError: if the station has none.
    """
    limits = station.limits()
    if station.magnet is None or limits.field is None or limits.field_rate is None:
        raise ConfigurationError("the station has no magnet; name one under [roles] in the station file")
    return station.magnet, limits.field, limits.field_rate


def regulated_temperature(station: MeasuringStation, watch: Watch) -> Regulated:
    """Return the temperature as something to wait for.

    Raises:
        ConfigurationError: if the station has no thermostat.
    """
    return Regulated(
        track=watch.temperature,
        read=lambda: watch.snapshot()[0],
        setpoint=thermostat_of(station).temperature_setpoint,
        leave_deadline_s=LEAVE_DEADLINE_S["temperature"],
    )


def regulated_field(station: MeasuringStation, watch: Watch, mode: FieldMode | None) -> Regulated:
    """Return the field as something to wait for; at rest the magnet must be in ``mode``, if one is given.

    Raises:
        ConfigurationError: if the station has no magnet.
    """

    def read() -> Reading:
        reading = watch.snapshot()[1]
        if reading is None:
            raise ConfigurationError("the station has a magnet that its snapshot does not read")
        return reading

    return Regulated(
        track=watch.field,
        read=read,
        setpoint=magnet_of(station)[0].field_setpoint,
        leave_deadline_s=LEAVE_DEADLINE_S["field"],
        is_expected=lambda reading: mode is None or mode in reading.state,
    )


def settled_event(found: Settled, **more: float | str) -> Event:
    """Return the event that records how something settled, with criterion and numbers."""
    slope = "" if found.slope_per_min is None else f", slope {found.slope_per_min:+.2g} {found.unit}/min"
    return Event(
        "settled",
        f"{found.quantity} settled at {found.target:.9g} {found.unit} after {found.waited_s:.0f} s: "
        f"mean {found.mean:.9g} {found.unit}{slope}, state {found.state}",
        found.values() | more,
    )


class Ramp:
    """A ramp that is measured on its way: its sampling times, and when it has arrived.

    Args:
        what: the quantity that ramps, just set to the end of ``sweep``.
        within: tolerance at the end, in the unit of the quantity.
    """

    def __init__(self, what: Regulated, sweep: Sweep, within: float, clock: Clock) -> None:
        what.track.window_s = RATE_WINDOW_S
        self._what, self._within, self._clock = what, within, clock
        self.sweep = sweep
        self._has_left = False

    def go_on_to(self, end: float, within: float) -> None:
        """Take a new end that lies beyond the old one; the quantity was just set to it."""
        self.sweep, self._within = replace(self.sweep, end=end), within

    def __iter__(self) -> Iterator[None]:
        """Yield at each sampling time until the end is reached; a time that was missed is left out.

        The times are multiples of ``every_s`` after the start, so that slow points do not add up.

        Raises:
            SettleTimeout: if the end is not reached in three times the planned time and 10 min.
        """
        clock, every_s = self._clock, self.sweep.every_s
        started = clock.now()
        tick = 0
        while True:
            clock.sleep_until(started + tick * every_s)
            yield
            reading = self._what.track.last
            if reading is not None and self._has_arrived(reading):
                return
            passed = clock.now() - started
            if passed > timeout_s(self.sweep.duration_s):
                raise self._timeout(reading, passed)
            tick = max(tick + 1, math.ceil(passed / every_s))

    def _has_arrived(self, reading: Reading) -> bool:
        self._has_left = self._has_left or not reading.is_stable
        short_by = self.sweep.short_by(reading.value)
        if short_by <= self._within:
            return True
        # A thermometer may come to rest beside the end; what rests far away obeys somebody else's setpoint.
        return self._has_left and reading.is_stable and short_by <= 10 * self._within

    def _timeout(self, reading: Reading | None, passed_s: float) -> SettleTimeout:
        track, sweep = self._what.track, self.sweep
        last = Reading(math.nan, math.nan, "unknown", False, 0) if reading is None else reading
        return SettleTimeout(
            f"{track.name} sweep from {sweep.start:.9g} {track.unit} has not reached "
            f"{sweep.end:.9g} {track.unit} after {passed_s:.0f} s; "
            f"last reading {last.value:.9g} {track.unit}, "
            f"slope {track.line().slope_per_s * 60:+.3g} {track.unit}/min, "
            f"state {last.state} ({last.status:#06x}); look at the controller"
        )
