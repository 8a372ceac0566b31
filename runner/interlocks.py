"""Interlocks: what is judged of readings, with one level that trips and another that clears.

Nothing here talks to an instrument. A value between the two levels changes nothing; a tripped interlock has
cleared when its value has stayed on the clear side for the hold time.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import linear_regression
from typing import Any

from onnes.instruments.interlock_table import InterlockLevel, Policy
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import HeliumLevel, Reading
from onnes.instruments.station import StationLimits
from onnes.instruments.station_readings import ForeignSetpoint

RATE_WINDOW_S = 20.0  # over which dT/dt is fitted; every reading of it has to be beyond the level
_RATE_READINGS = 4  # fewer make no fit
RATE_FACTOR = 3.0  # times the commanded rate

GOOD_CHAMBERS = frozenset({"purged and sealed", "high vacuum"})
UNKNOWN_CHAMBER = "sealed condition unknown"  # what a chamber says after a restart: noted, and no more


@dataclass(frozen=True, slots=True)
class Trip:
    """An interlock has tripped: what it found, and what the station file wants done."""

    name: str
    policy: Policy
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _State:
    trip: Trip | None = None
    clear_since: float | None = None  # None while the value is not on the clear side


class Interlocks:
    """The interlocks of one station. Times are the clock's, s.

    Args:
        levels: by name, as they count for the station.
        limits: of instruments and station.
        planned: the temperatures of sample and sequence, K, which count from when it is within them: a
            night may begin at room temperature and never go back there.
    """

    def __init__(
        self,
        levels: Mapping[str, InterlockLevel],
        limits: StationLimits,
        planned: Limits | None = None,
    ) -> None:
        self._levels = levels
        self._temperature_limits, self._field_limits = limits.temperature, limits.field
        self._planned = None if planned is None else limits.temperature.narrowed(planned)
        self._states = {name: _State() for name in levels}
        self._temperatures: deque[tuple[float, float]] = deque()
        self._reference_ohm = math.nan
        self._chamber_unknown = False
        self._in_compliance = 0
        self._old_since: float | None = None  # since when the helium level is called old

    @property
    def temperature_limits(self) -> Limits:
        """Return the limits of the temperature that are in force, K."""
        return self._temperature_limits

    def is_clear(self, name: str) -> bool:
        """Say whether an interlock has cleared, or never tripped."""
        return name not in self._states or self._states[name].trip is None

    def hold_s(self, name: str) -> float:
        """Return for how long a value must stay on the clear side, s."""
        return self._levels[name].hold_s

    @property
    def seen_compliance(self) -> bool:
        """Say whether the last point that was judged was in compliance."""
        return self._in_compliance > 0

    def standing(self) -> list[Trip]:
        """Return what tripped and has not cleared, the oldest first."""
        return [state.trip for state in self._states.values() if state.trip is not None]

    def reset(self, name: str) -> None:
        """Take an interlock for clear: a person says so, or what it stands for is over; others are let be."""
        if name in self._states:
            self._states[name] = _State()

    # -- numbers

    def readings(self, temperature: Reading, magnet: Reading | None, rate_k_per_min: float) -> Iterator[Trip]:
        """Judge temperature, its rate, and the field.

        Args:
            rate_k_per_min: what was commanded last, K/min.
        """
        time, kelvin = temperature.time, temperature.value
        if self._planned is not None and self._planned.contains(kelvin):
            self._temperature_limits, self._planned = self._planned, None
        allowed = self._temperature_limits
        beyond_k = max(allowed.low - kelvin, kelvin - allowed.high)
        if beyond_k > 0 or not self.is_clear("temperature"):
            text = f"temperature = {kelvin:.5g} K is {beyond_k:.3g} K beyond {_shown(allowed)}"
            yield from self._number("temperature", time, beyond_k, text)
        yield from self._rate(time, kelvin, rate_k_per_min)
        if magnet is not None and self._field_limits is not None:
            yield from self._field(magnet, self._field_limits)

    def _rate(self, time: float, kelvin: float, commanded: float) -> Iterator[Trip]:
        kept = self._temperatures
        if math.isnan(kelvin) or (kept and time - kept[-1][0] < 1.0):  # a controller renews it once a second
            return
        kept.append((time, kelvin))
        while time - kept[0][0] > RATE_WINDOW_S:
            kept.popleft()
        if len(kept) < _RATE_READINGS or time - kept[0][0] < 0.5 * RATE_WINDOW_S:
            return
        # The quick look first: a fit at every reading of a sweep would cost as much as the rest of it.
        level = self._levels["temperature_rate"]
        usual = max(level.trip, RATE_FACTOR * commanded)
        steepest = abs(kelvin - kept[0][1]) / (time - kept[0][0]) * 60.0
        if steepest <= 0.5 * usual and self.is_clear("temperature_rate"):
            return
        slope = abs(linear_regression(*zip(*kept, strict=True)).slope) * 60.0
        text = f"temperature changes by {slope:.3g} K/min where {commanded:.3g} K/min was asked for"
        # What the commanded rate allows beyond the level is no excess.
        yield from self._number("temperature_rate", time, slope - (usual - level.trip), text)

    def _field(self, magnet: Reading, allowed: Limits) -> Iterator[Trip]:
        beyond_oe = max(allowed.low - magnet.value, magnet.value - allowed.high)
        largest = max(-allowed.low, allowed.high)
        if beyond_oe <= 0 and self.is_clear("field"):
            return
        beyond = beyond_oe if self._levels["field"].unit == "Oe" else 100.0 * beyond_oe / largest
        text = f"field = {magnet.value:.6g} Oe is {beyond_oe:.3g} Oe beyond {_shown(allowed)}"
        yield from self._number("field", magnet.time, beyond, text)

    def helium(self, found: HeliumLevel, time: float) -> Iterator[Trip]:
        """Judge the helium level and its age: the controller says no more than that it is older than 1 h."""
        yield from self._number("helium", time, found.percent, f"helium level = {found.percent:.3g} %")
        if found.age != "old":
            self._old_since = None
        elif self._old_since is None:
            self._old_since = time
        age_h = 0.0 if self._old_since is None else 1.0 + (time - self._old_since) / 3600.0
        text = f"the helium level is more than {age_h:.1f} h old"
        yield from self._number("helium_age", time, age_h, text, at_trip=True)

    def silent(self, since: Mapping[str, float], time: float) -> Iterator[Trip]:
        """Judge for how long each instrument has failed to answer, s."""
        name, seconds = max(since.items(), key=lambda pair: pair[1], default=("", 0.0))
        yield from self._number("link", time, seconds, f"{name} has not answered for {seconds:.0f} s")

    def disk(self, free_gb: float, time: float) -> Iterator[Trip]:
        """Judge the free space on the drive of the runs, GB."""
        yield from self._number("disk", time, free_gb, f"{free_gb:.3g} GB are free on the drive of the runs")

    def reference(self, ohms: float, time: float) -> Iterator[Trip]:
        """Judge the sample's resistance at the reference, ohm, against its first value."""
        first = self._reference_ohm
        if not math.isfinite(ohms):
            return
        if math.isnan(first):
            self._reference_ohm = ohms
            return
        drift = 100.0 * abs(ohms - first) / abs(first) if first else math.inf
        text = f"the reference resistance went from {first:.6g} to {ohms:.6g} ohm, by {drift:.2g} %"
        yield from self._number("reference_drift", time, drift, text)

    def forget_reference(self, ohms: float) -> None:
        """Take another resistance as the first one, ohm; NaN: the next one."""
        self._reference_ohm = ohms
        if "reference_drift" in self._states:
            self.reset("reference_drift")

    def stall(self, waited_s: float, every_s: float, time: float) -> Iterator[Trip]:
        """Judge how long there has been no point in a sweep that wants one every ``every_s``."""
        text = f"no point for {waited_s:.0f} s where one is due every {every_s:.3g} s"
        yield from self._number("data_stall", time, waited_s / every_s, text)

    # -- states

    def chamber(self, state: str, kelvin: float, time: float) -> Iterator[Trip]:
        """Judge the state of the chamber where it is cold, K."""
        level = self._levels["chamber"]
        bad = state not in GOOD_CHAMBERS and kelvin < level.trip
        text = f"chamber {state} at {kelvin:.4g} K"
        if unknown := bad and state == UNKNOWN_CHAMBER:
            bad = False
            if not self._chamber_unknown:
                yield Trip("chamber", "note", f"{text}; it may still be sealed")
        self._chamber_unknown = unknown
        yield from self._state("chamber", time, bad, text)

    def foreign(self, found: Iterable[ForeignSetpoint], time: float) -> Iterator[Trip]:
        """Judge setpoints that somebody else has changed; only a person clears it."""
        text = "; ".join(
            f"somebody set {one.quantity} to {one.found:.6g} {one.unit}, we had {one.ours:.6g}"
            for one in found
        )
        if text and self.is_clear("foreign_setpoint"):
            yield from self._state("foreign_setpoint", time, True, text)

    def contact_open(self, text: str, time: float) -> Iterator[Trip]:
        """Take note that a contact has opened."""
        yield from self._state("contact_open", time, True, text)
        self.reset("contact_open")  # it shows only while measuring: the next one is another one

    def compliance(self, in_compliance: bool, text: str, time: float) -> Iterator[Trip]:
        """Judge whether points are measured in compliance, by how many there were in a row."""
        self._in_compliance = self._in_compliance + 1 if in_compliance else 0
        yield from self._number("compliance", time, self._in_compliance, text, at_trip=True)

    # -- levels

    def _number(
        self, name: str, time: float, value: float, message: str, *, at_trip: bool = False
    ) -> Iterator[Trip]:
        level = self._levels.get(name)
        if level is None or math.isnan(value):
            return
        falls = level.trip < level.clear  # as a helium level does
        bad = value < level.trip if falls else value > level.trip or (at_trip and value == level.trip)
        good = value >= level.clear if falls else value <= level.clear
        side = "at" if at_trip else "below" if falls else "above"
        text = f"{message}; interlock {name} trips {side} {level.trip:.6g} {level.unit} ({level.set_by})"
        values = {"value": value, "trip": level.trip, "clear": level.clear}
        yield from self._judged(level, time, bad, good, text, values)

    def _state(self, name: str, time: float, bad: bool, message: str) -> Iterator[Trip]:
        level = self._levels.get(name)
        if level is not None:
            yield from self._judged(
                level, time, bad, not bad, f"{message}; interlock {name} ({level.set_by})", {}
            )

    def _judged(
        self,
        level: InterlockLevel,
        time: float,
        bad: bool,
        good: bool,
        message: str,
        values: Mapping[str, Any],
    ) -> Iterator[Trip]:
        state = self._states[level.name]
        if state.trip is None:
            if bad:
                state.trip, state.clear_since = Trip(level.name, level.policy, message, values), None
                yield state.trip
            return
        if not good:
            state.clear_since = None
        elif state.clear_since is None:
            state.clear_since = time
        if state.clear_since is not None and time - state.clear_since >= level.hold_s:
            state.trip = None


def _shown(limits: Limits) -> str:
    return f"[{limits.low:.6g}, {limits.high:.6g}] {limits.unit} ({limits.set_by})"
