"""Waiting for a temperature or a field, in two phases: leave the old state, then hold still for a while.

The status word of a controller lags a command by up to 5 s (seen on a Model 6000), so a "stable" read right
after a set belongs to the old setpoint; and one reading inside the tolerance may be an overshoot passing by.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault, SettleTimeout
from onnes.instruments.protocols import Reading
from onnes.procedures.options import Settle

STABLE_POLLS = 3  # consecutive polls before "stable" is believed
UNKNOWN_S = 10.0  # a state may be unknown this long: controllers say so in passing
FILLING = "filling reservoir"
FILLING_LIMIT_S = 3600.0  # the time-out stands still while a reservoir fills, but no wait is for ever
_ORIGIN_WINDOWS = 20.0
_SPACING_S = 0.9  # controllers renew their readings every one or two seconds: closer ones tell nothing new
RATE_WINDOW_S = 60.0  # with 1.8 mK rms, one reading in 2 s, the slope is known to 1 mK/min


class Line(NamedTuple):
    """A straight line through recent readings: mean, slope per second, rms about the line, span in s."""

    mean: float
    slope_per_s: float
    rms: float
    span_s: float
    readings: int


_NO_LINE = Line(math.nan, math.nan, math.nan, 0.0, 0)


class Track:
    """The last readings of one quantity, and the straight line through them; bounded in memory.

    ``last`` is the last reading, ``stable_since`` the time of the first of the unbroken run of stable ones
    that it ends, None when it is not stable. The line of a stable run is through that run alone.

    Args:
        window_s: how far back the line goes, s.
        carried: how many readings at rest a ramp begins with: as many as the noise of one reading needs for a
            slope at its first points.
    """

    def __init__(self, name: str, unit: str, window_s: float = RATE_WINDOW_S, carried: int = 1) -> None:
        self.name, self.unit = name, unit
        self.window_s = window_s
        self.waiting_for: float | None = None  # the value that is waited for just now
        self._carried = carried
        self.restart()

    def restart(self) -> None:
        """Forget everything: the setpoint has changed."""
        self.last: Reading | None = None
        self.stable_since: float | None = None
        self.stable_polls = 0
        self._unknown_since: float | None = None
        self._forget()

    def _forget(self) -> None:
        self._kept: deque[tuple[float, float]] = deque()
        self._t = self._v = self._tt = self._tv = self._vv = 0.0

    def add(self, reading: Reading) -> None:
        """Take a reading.

        Raises:
            InstrumentFault: if the state has been unknown for 10 s.
        """
        time, value = reading.time, reading.value
        if reading.state == "unknown":
            self._wait_for_a_state(reading)
            return
        self._unknown_since = None
        is_stable = reading.is_stable and value == value  # NaN is no stable value
        last, self.last = self.last, reading
        if is_stable:
            if self.stable_since is None or last is None or time - last.time > self.window_s:
                self._forget()
                self.stable_since, self.stable_polls = time, 0
            self.stable_polls += 1
        elif self.stable_since is not None:
            at_rest = list(self._kept)[-self._carried :]
            self._forget()
            for pair in at_rest:
                self._keep(*pair)
            self.stable_since, self.stable_polls = None, 0
        if value == value:
            self._keep(time, value)

    def _wait_for_a_state(self, reading: Reading) -> None:
        if self._unknown_since is None:
            self._unknown_since = reading.time
        elif reading.time - self._unknown_since >= UNKNOWN_S:
            raise InstrumentFault(
                f"{self.name} state has been unknown for {reading.time - self._unknown_since:.0f} s; "
                f"last reading {reading.value:.9g} {self.unit}, status {reading.status:#06x}; "
                "look at the controller before going on"
            )

    def _keep(self, time: float, value: float) -> None:
        # Running sums, because a sweep asks for the slope at every point. A reading near the window is their
        # origin, so that nothing cancels.
        kept = self._kept
        if kept and time - kept[-1][0] < _SPACING_S:
            return
        edge = time - self.window_s
        while len(kept) > 1 and kept[1][0] <= edge:
            self._count(*kept.popleft(), -1.0)
        if not kept:
            self._time0, self._value0 = time, value
        kept.append((time, value))
        if time - self._time0 > _ORIGIN_WINDOWS * self.window_s:
            self._move_origin()
            return
        t, v = time - self._time0, value - self._value0
        self._t += t
        self._v += v
        self._tt += t * t
        self._tv += t * v
        self._vv += v * v

    def _count(self, time: float, value: float, sign: float) -> None:
        t, v = time - self._time0, value - self._value0
        self._t += sign * t
        self._v += sign * v
        self._tt += sign * t * t
        self._tv += sign * t * v
        self._vv += sign * v * v

    def _move_origin(self) -> None:
        kept = self._kept
        self._forget()
        self._kept = kept
        self._time0, self._value0 = kept[0]
        for pair in kept:
            self._count(*pair, 1.0)

    def line(self) -> Line:
        """Return the straight line through the readings of this regime in the window.

        The slope is NaN below two readings, the rms below three.
        """
        n = len(self._kept)
        if n == 0:
            return _NO_LINE
        mean = self._value0 + self._v / n
        span = self._kept[-1][0] - self._kept[0][0]
        stt = self._tt - self._t * self._t / n
        if not stt > 0:
            return Line(mean, math.nan, math.nan, span, n)
        stv = self._tv - self._t * self._v / n
        svv = self._vv - self._v * self._v / n
        slope = stv / stt
        if n < 3:
            return Line(mean, slope, math.nan, span, n)
        return Line(mean, slope, math.sqrt(max(0.0, svv - slope * stv) / (n - 2)), span, n)


@dataclass(frozen=True, slots=True)
class Criterion:
    """When a value counts as settled, in the unit of the quantity.

    ``slope_per_min`` is infinite where the controller's word is enough; ``for_s = 0`` judges the last one.
    """

    within: float
    slope_per_min: float
    for_s: float
    then_wait_s: float
    timeout_s: float


def timeout_s(estimate_s: float) -> float:
    """Return how long a wait may last that should take ``estimate_s``: three times as long and 10 min."""
    return 3.0 * estimate_s + 600.0


def temperature_criterion(kelvin: float, settle: Settle, ramp_s: float = 0.0) -> Criterion:
    """Return when ``kelvin`` counts as settled; what ``settle`` leaves open depends on the temperature.

    Defaults (physics of a cryostat, not of one make): within max(5 mK, 0.05 %); slope 5 mK/min below 10 K and
    20 mK/min above; 60 s; then the lag of the sample, 30 s below 10 K rising to 120 s at 300 K.
    """
    lag_s = 30.0 + 90.0 * min(1.0, max(0.0, (kelvin - 10.0) / 290.0))
    for_s = _or(settle.for_s, 60.0)
    then_wait_s = _or(settle.then_wait_s, lag_s)
    return Criterion(
        within=_or(settle.within_k, max(5e-3, 5e-4 * kelvin)),
        slope_per_min=_or(settle.slope_k_per_min, 5e-3 if kelvin < 10.0 else 20e-3),
        for_s=for_s,
        then_wait_s=then_wait_s,
        timeout_s=_or(settle.timeout_s, timeout_s(ramp_s + for_s + then_wait_s)),
    )


def field_criterion(field_oe: float, then_wait_s: float, ramp_s: float = 0.0) -> Criterion:
    """Return when a field counts as settled: the magnet says so and the reading is within 1 Oe or 2e-5.

    A Model 6000 at rest reads up to 0.4 Oe beside the setpoint at 20 kOe and 0.25 Oe beside zero (seen); its
    own 0.5 % would take 100 Oe for 20 kOe.
    """
    return Criterion(
        within=max(1.0, 2e-5 * abs(field_oe)),
        slope_per_min=math.inf,
        for_s=0.0,
        then_wait_s=then_wait_s,
        timeout_s=timeout_s(ramp_s + then_wait_s),
    )


def _or(given: float | None, default: float) -> float:
    return default if given is None else given


@dataclass(frozen=True, slots=True)
class Settled:
    """What was waited for and what was found, in the unit of the quantity; an event records it."""

    quantity: str
    unit: str
    target: float
    mean: float
    slope_per_min: float | None  # None: too few readings to tell
    state: str
    status: int
    waited_s: float
    criterion: Criterion

    def values(self) -> dict[str, Any]:
        """Return all numbers under their names, JSON's own types only."""
        found = asdict(self)
        criterion = found.pop("criterion")
        if math.isinf(criterion["slope_per_min"]):
            criterion["slope_per_min"] = None
        return found | {"criterion": criterion}


@dataclass(frozen=True, slots=True)
class Regulated:
    """A quantity that a controller brings to a setpoint: how it is read, and its setpoint read back.

    ``leave_deadline_s`` is how long an old "stable" may outlive a set. ``is_expected`` says whether a stable
    state is the one that was asked for (a magnet can rest persistent or driven).
    """

    track: Track
    read: Callable[[], Reading]
    setpoint: Callable[[], float]
    leave_deadline_s: float
    is_expected: Callable[[Reading], bool] = lambda reading: True  # noqa: ARG005 - most have one stable state


def wait_until_settled(
    what: Regulated,
    target: float,
    criterion: Criterion,
    clock: Clock,
    poll_s: float,
    *,
    just_set: bool = True,
) -> Settled:
    """Wait until ``what`` has settled at ``target`` and ``then_wait_s`` has passed; return the record of it.

    Phase 1, after a set: the setpoint reads back as asked, and the state has left "stable" once, or the leave
    deadline has passed with the value within the tolerance; then three stable polls in a row. Phase 2:
    a straight line over ``for_s`` of stable readings, with its mean within the tolerance and its slope below
    the limit. With ``just_set = False`` only phase 2 is asked, on what has been read already: an undisturbed
    value costs nothing.

    Raises:
        SettleTimeout: with last reading, slope and state, when ``timeout_s`` has passed.
        InstrumentFault: if the state stays unknown for 10 s, or the driver finds a fault state.
    """
    track = what.track
    # A window shorter than two polls would drop each reading before the next: nothing would ever settle.
    track.window_s = max(criterion.for_s, 2.0 * poll_s) if criterion.for_s else RATE_WINDOW_S
    started = clock.now()
    deadline = started + criterion.timeout_s
    filling_until = deadline + FILLING_LIMIT_S
    is_confirmed = has_left = not just_set
    settled_at: float | None = None
    if just_set:
        track.restart()
    elif track.last is not None and _is_settled(what, target, criterion):
        return _record(what, track.last, target, criterion, 0.0)
    track.waiting_for = target
    try:
        while True:
            reading = what.read()
            now = clock.now()
            is_confirmed = is_confirmed or abs(what.setpoint() - target) <= 0.1 * criterion.within
            has_left = has_left or not (reading.is_stable or reading.state == "unknown")
            has_left = has_left or now - started >= what.leave_deadline_s  # phase 2 judges the value
            if not (is_confirmed and has_left and _is_settled(what, target, criterion)):
                settled_at = None
            elif settled_at is None:
                settled_at = now
            if settled_at is not None and now - settled_at >= criterion.then_wait_s:
                return _record(what, reading, target, criterion, now - started)
            if reading.state == FILLING and deadline < filling_until:
                deadline += poll_s
            if now >= deadline:
                raise _timeout(what, target, criterion, reading, now - started, is_confirmed)
            clock.sleep(poll_s)
    finally:
        track.waiting_for = None


def _is_settled(what: Regulated, target: float, criterion: Criterion) -> bool:
    track = what.track
    last, since = track.last, track.stable_since
    if last is None or since is None or track.stable_polls < STABLE_POLLS or not what.is_expected(last):
        return False
    if criterion.for_s == 0:
        return abs(last.value - target) <= criterion.within
    line = track.line()
    return (
        last.time - since >= criterion.for_s
        and abs(line.mean - target) <= criterion.within
        and not abs(line.slope_per_s * 60.0) > criterion.slope_per_min  # NaN: one reading has none
    )


def _record(what: Regulated, last: Reading, target: float, criterion: Criterion, waited_s: float) -> Settled:
    track = what.track
    line = track.line()
    return Settled(
        quantity=track.name,
        unit=track.unit,
        target=target,
        mean=line.mean,
        slope_per_min=None if math.isnan(line.slope_per_s) else line.slope_per_s * 60.0,
        state=last.state,
        status=last.status,
        waited_s=waited_s,
        criterion=criterion,
    )


def _timeout(
    what: Regulated,
    target: float,
    criterion: Criterion,
    reading: Reading,
    waited_s: float,
    is_confirmed: bool,
) -> SettleTimeout:
    name, unit = what.track.name, what.track.unit
    slope = what.track.line().slope_per_s * 60.0
    unread = "" if is_confirmed else f"; the setpoint reads back as {what.setpoint():.9g} {unit}"
    return SettleTimeout(
        f"{name} not settled within {criterion.within:.3g} {unit} of {target:.9g} {unit} "
        f"for {criterion.for_s:g} s after {waited_s:.0f} s; "
        f"last reading {reading.value:.9g} {unit} (off by {reading.value - target:+.3g} {unit}), "
        f"slope {slope:+.3g} {unit}/min, state {reading.state} ({reading.status:#06x}){unread}; "
        "look at the controller, or allow a longer timeout"
    )
