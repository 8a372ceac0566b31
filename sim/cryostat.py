"""Temperature in closed form: ramped setpoint, the sensor behind it, the sample behind the sensor.

The lags, the overshoot and the noise were read off real logs of a PPMS; the rest is assumed. Each command
lays down a few straight pieces of setpoint; on each piece the two lags have an exact solution, so no clock
ticks and a reading costs the same at any time.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from onnes.sim.disturbances import (
    SWING_PER_PEAK,
    SWING_PER_PEAK_AT_REST,
    SWING_RAD_PER_S,
    SWING_TAU_S,
    ControlOff,
    Disturbance,
    swing_gain,
)
from onnes.sim.late_status import LateStatus
from onnes.sim.noise import Held, stream_key
from onnes.sim.sources import KEEP_S

STABLE, TRACKING, NEAR, CHASING, FILLING, STANDBY = 1, 2, 5, 6, 7, 10
FAST_SETTLE, NO_OVERSHOOT = 0, 1

_LONG_AGO_S: Final = -1e9  # the start of the first piece: every transient is over when the lab opens
_COLD_BELOW_K: Final = 20.0
_NOISE_INTERVAL_S: Final = 2.0
_NEAR_FRACTION: Final = 0.0036
_STABLE_K: Final = 5e-3
_STABLE_FRACTION: Final = 2e-4
_STABLE_AFTER_S: Final = 60.0


class CryostatSettings(BaseModel):
    """The table ``[cryostat]`` of a lab file; temperatures in K, times in s, rates in K/min.

    ``model`` is for whoever reads the file: a PPMS, or a dip probe that a Lake Shore controller regulates.
    The keys below say how it behaves; their defaults are those of a PPMS.

    ``thermometer_offset_k`` is what the thermometer reads too much: the controller holds the reading at the
    setpoint, so the sample sits that much below it. The lab opens at rest at ``start_k``, or, with a
    ``start_setpoint_k``, on its way from there at ``start_rate_k_per_min`` (the fastest). The cooling
    capacities limit the ramp whatever was asked: 300 to 1.9 K takes 40 to 60 min (assumed).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Literal["ppms9", "dip"] = "ppms9"
    start_k: float = Field(default=300.0, ge=1.7, le=402.0)
    start_setpoint_k: float | None = None
    start_rate_k_per_min: float | None = Field(default=None, gt=0)
    lowest_k: float = Field(default=1.9, ge=1.7)
    highest_k: float = Field(default=400.0, le=402.0)
    max_rate_k_per_min: float = Field(default=20.0, gt=0)
    cooling_k_per_min: float = Field(default=8.0, gt=0)
    cooling_below_20_k_per_min: float = Field(default=7.0, gt=0)
    tau_sensor_s: float = Field(default=30.0, gt=0)
    tau_sample_s: float = Field(default=4.0, gt=0)
    overshoot_fraction: float = Field(default=0.006, ge=0, le=0.1)
    overshoot_per_step: float = Field(default=0.023, ge=0, le=0.1)
    thermometer_offset_k: float = Field(default=0.0, ge=-1.0, le=1.0)
    noise_k: float = Field(default=1.8e-3, ge=0)
    noise_fraction: float = Field(default=2e-5, ge=0)
    dead_time_s: tuple[float, float] = (1.0, 5.0)

    @model_validator(mode="after")
    def _ranges(self) -> "CryostatSettings":
        for name, kelvin in (("start_k", self.start_k), ("start_setpoint_k", self.start_setpoint_k)):
            if kelvin is not None and not self.lowest_k <= kelvin <= self.highest_k:
                raise ValueError(
                    f"{name} = {kelvin:.9g} K is outside [{self.lowest_k:.9g}, {self.highest_k:.9g}] K, "
                    "the range set by lowest_k and highest_k"
                )
        rate, most = self.start_rate_k_per_min, self.max_rate_k_per_min
        if rate is not None and rate > most:
            raise ValueError(
                f"start_rate_k_per_min = {rate:.9g} K/min is above max_rate_k_per_min = {most:.9g} K/min"
            )
        if not 0 <= self.dead_time_s[0] <= self.dead_time_s[1]:
            raise ValueError(f"dead_time_s = {list(self.dead_time_s)} s is not [shortest, longest]")
        return self


@dataclass(frozen=True, slots=True)
class _Piece:
    """One straight piece of setpoint and the exact answer of both lags to it; s = t - t0.

    setpoint = ``base`` + ``slope`` s
    sensor = base + slope (s - tau1) + ``decay`` e^(-s/tau1) + ``swing`` e^(-s/121) sin(w s)
    sample = base + slope (s - tau1 - tau2) + ``through`` e^(-s/tau1) + ``own`` e^(-s/tau2)
    + e^(-s/121) [``swing_sin`` sin(w s) + ``swing_cos`` cos(w s)]
    """

    t0: float
    base: float
    slope: float
    decay: float
    through: float
    own: float
    swing: float
    swing_sin: float
    swing_cos: float


class Cryostat:
    """The temperatures of the sample space, as functions of the commands so far and lab time in s."""

    def __init__(self, settings: CryostatSettings, seed: int) -> None:
        self.settings = settings
        self.keep_s = KEEP_S  # how far back meters look
        self._tau1 = settings.tau_sensor_s
        # The partial fractions need two different time constants; a millionth apart is enough.
        same = math.isclose(settings.tau_sample_s, self._tau1, rel_tol=1e-6)
        self._tau2 = settings.tau_sample_s * (1.0 + 1e-6) if same else settings.tau_sample_s
        self._noise = Held(stream_key(seed, "cryostat.temperature"), _NOISE_INTERVAL_S)
        self._late = LateStatus(stream_key(seed, "cryostat.status"), *settings.dead_time_s)
        self._setpoint = (settings.start_k, settings.max_rate_k_per_min, FAST_SETTLE)
        self._arrival = self._scan_from = _LONG_AGO_S
        self._known_edges: list[tuple[float, bool]] = []  # those before a disturbance of the rest
        self._edges: list[tuple[float, bool]] | None = [(_LONG_AGO_S, True)]
        self._inside_since: float | None = None  # carried over a command that does not change the target
        self._pieces = [_Piece(_LONG_AGO_S, settings.start_k, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)]
        self._starts = [_LONG_AGO_S]
        self._at = math.nan  # the time of the last answer: a meter asks for one instant several times
        self._last = (settings.start_k, settings.start_k)
        self._off: list[ControlOff] = []
        self._disturbances: list[Disturbance] = []
        self._shifts: list[tuple[float, float]] = []  # of the thermometer: (from when on, all of it in K)
        if settings.start_setpoint_k is not None:
            rate = settings.start_rate_k_per_min or settings.max_rate_k_per_min
            self._setpoint = (settings.start_setpoint_k, rate, FAST_SETTLE)
            if settings.start_setpoint_k != settings.start_k:
                self._inside_since = None
                self._run(0.0, *self._setpoint)

    def command(self, t: float, target_k: float, rate_k_per_min: float, approach: int) -> None:
        """Start a ramp at ``t``: approach 0 fast settle, 1 no overshoot. Limits are the controller's task."""
        self._late.commanded(t, self.status(t))
        if self._off and self._off[-1].code == STANDBY:
            self._off.pop()
        self._inside_since = self._stable_since(t) if target_k == self._setpoint[0] else None
        self._setpoint = (target_k, rate_k_per_min, approach)
        if not self._off:
            self._run(t, *self._setpoint)

    def _run(self, t: float, target_k: float, rate_k_per_min: float, approach: int) -> None:
        """Lay down the way of the ramped setpoint from ``t`` on."""
        start = self.ramped(t)
        sensor, sample = self._behind(t)
        self._forget_before(t - self.keep_s, t)
        step = target_k - start
        for length, slope in self._ramp(start, target_k, rate_k_per_min, approach):
            self._append(t, start, slope, sensor, sample, 0.0)
            t += length
            start += slope * length
            sensor, sample = self._behind(t)
        peak = min(self.settings.overshoot_fraction * target_k, self.settings.overshoot_per_step * abs(step))
        swing = math.copysign(peak, step) * SWING_PER_PEAK if approach == FAST_SETTLE else 0.0
        self._append(t, target_k, 0.0, sensor, sample, swing)
        self._arrival = self._scan_from = t
        self._edges = None
        self._at = math.nan

    def lose_control(self, t: float, off: ControlOff) -> None:
        """Let the temperature go its own way from ``t`` on."""
        self._off.append(off)
        self._drift(t, off)

    def regain_control(self, t: float, off: ControlOff) -> None:
        """End that loss of control, if it still lasts; the controller goes on to its setpoint."""
        if off not in self._off:
            return  # a setpoint has ended it
        self._off.remove(off)
        if self._off:
            self._drift(t, self._off[-1])
        else:
            self._inside_since = None
            self._run(t, *self._setpoint)

    def kick(self, t: float, kelvin: float) -> None:
        """Warm sensor and sample at once."""
        self._disturb(Disturbance(t, kick=kelvin))

    def swing(self, t: float, peak_k: float) -> None:
        """Let the temperature swing once as after a fast ramp, first by ``peak_k``."""
        self._disturb(Disturbance(t, swing=peak_k * SWING_PER_PEAK_AT_REST))

    def shift_thermometer(self, t: float, kelvin: float) -> None:
        """Let the thermometer read ``kelvin`` more from ``t`` on.

        The reading jumps, the sample does not; the controller then takes the reading back to the setpoint.
        """
        shift = self._shifts[-1][1] if self._shifts else 0.0
        self._shifts.append((t, shift + kelvin))
        self._disturb(Disturbance(t, kick=kelvin))

    def _disturb(self, disturbance: Disturbance) -> None:
        t = disturbance.t0
        if t >= self._arrival:
            known = self._edges if self._edges is not None else self._find_edges()
            self._known_edges = [edge for edge in known if edge[0] <= t]
            self._scan_from = t
        self._disturbances = [d for d in self._disturbances if not d.is_over(t - self.keep_s, self._tau1)]
        self._disturbances.append(disturbance)
        self._edges = None
        self._at = math.nan

    def _drift(self, t: float, off: ControlOff) -> None:
        start, sample = self._behind(t)
        self._forget_before(t - self.keep_s, t)
        slope = 0.0
        if off.to_k is not None and off.k_per_min and off.to_k != start:
            slope = math.copysign(off.k_per_min / 60.0, off.to_k - start)
        self._append(t, start, slope, start, sample, 0.0)
        if slope and off.to_k is not None:
            arrives = t + (off.to_k - start) / slope
            self._append(arrives, off.to_k, 0.0, *self._behind(arrives), 0.0)
        self._arrival = math.inf
        self._edges = None
        self._at = math.nan

    def setpoint(self) -> tuple[float, float, int]:
        """Return the last command: target in K, rate in K/min, approach."""
        return self._setpoint

    def ramped(self, t: float) -> float:
        """Return the internal setpoint in K, which runs towards the target."""
        piece = self._piece_at(t)
        return piece.base + piece.slope * (t - piece.t0)

    def sensor(self, t: float) -> float:
        """Return what the thermometer would report without noise, K."""
        return self._stages(t)[0]

    def sample(self, t: float) -> float:
        """Return the true temperature of the sample, K."""
        shift = 0.0
        for since, kelvin in self._shifts:
            if t >= since:
                shift = kelvin
        return self._stages(t)[1] - self.settings.thermometer_offset_k - shift

    def kicks(self, begin: float, end: float) -> list[float]:
        """Return the times after ``begin`` until ``end`` at which the sample jumps or starts to swing, s."""
        return sorted(disturbance.t0 for disturbance in self._disturbances if begin < disturbance.t0 <= end)

    def sample_rate(self, t: float) -> float:
        """Return how fast the sample warms, K/s."""
        sensor, sample = self._stages(t)
        return (sensor - sample) / self._tau2

    def reading(self, t: float) -> float:
        """Return the reported temperature in K: the sensor with noise that is held for 2 s."""
        value = self.sensor(t)
        return value + max(self.settings.noise_k, self.settings.noise_fraction * value) * self._noise(t)

    def status(self, t: float) -> int:
        """Return the status nibble: 1 stable, 2 tracking, 5 near, 6 chasing, or what was forced."""
        return self._late.shown(t, self._true_status)

    def force_status(self, code: int | None, t: float) -> None:
        """Show ``code`` from ``t`` on (a fault, a filling reservoir, an unknown code); None ends it."""
        self._late.force(code, t)

    def _true_status(self, t: float) -> int:
        if self._off:
            return self._off[-1].code
        if t < self._arrival:
            return TRACKING
        target = self._setpoint[0]
        since = self._stable_since(t)
        if since is not None and t - since >= _STABLE_AFTER_S:
            return STABLE
        return NEAR if abs(self.sensor(t) - target) < _NEAR_FRACTION * target else CHASING

    def _stable_since(self, t: float) -> float | None:
        """Return since when the sensor lies within the tolerance of the target; None if it does not."""
        if t < self._arrival:
            return None
        if self._edges is None:
            self._edges = self._find_edges()
        when, inside = self._edges[bisect_right(self._edges, (t, True)) - 1]
        return when if inside else None

    def _find_edges(self) -> list[tuple[float, bool]]:
        """Return each time at which the sensor enters (True) or leaves the tolerance after the arrival."""
        piece, target = self._pieces[-1], self._setpoint[0]
        tolerance = max(_STABLE_K, _STABLE_FRACTION * target)

        def is_inside(t: float) -> bool:
            return abs(self.sensor(t) - target) <= tolerance

        own = Disturbance(piece.t0, kick=piece.decay, swing=piece.swing)
        begin = before = self._scan_from
        ends = [d.t0 + d.lasts_s(tolerance, self._tau1) for d in (own, *self._disturbances)]
        lasts_s = max(0.0, *(end - begin for end in ends))
        inside = is_inside(begin)
        if begin == piece.t0:
            first = self._inside_since if inside and self._inside_since is not None else begin
            edges = [(first, inside)]
        else:
            edges = list(self._known_edges)
            if edges[-1][1] != inside:
                edges.append((begin, inside))
        step_s = max(min(1.0, self._tau1 / 8.0), lasts_s / 5000)
        for k in range(1, math.ceil(lasts_s / step_s) + 2):
            after = begin + k * step_s
            if is_inside(after) != inside:
                low, high = before, after
                while high - low > 1e-6:
                    middle = 0.5 * (low + high)
                    low, high = (middle, high) if is_inside(middle) == inside else (low, middle)
                inside = not inside
                edges.append((high, inside))
            before = after
        return edges

    def _ramp(
        self, start: float, target: float, rate_k_per_min: float, approach: int
    ) -> list[tuple[float, float]]:
        """Return (duration in s, slope in K/s) of each piece from ``start`` to ``target``."""
        step = target - start
        slow_from = target - 0.02 * step if approach == NO_OVERSHOOT else target
        nodes = {start, target, slow_from}
        if target < _COLD_BELOW_K < start:
            nodes.add(_COLD_BELOW_K)
        ordered = sorted(nodes, reverse=step < 0)
        pieces = []
        for low, high in pairwise(ordered):
            middle = 0.5 * (low + high)
            is_slow = abs(target - middle) < abs(target - slow_from)
            rate = rate_k_per_min / 4.0 if is_slow else rate_k_per_min
            if step < 0:
                capacity = self.settings.cooling_k_per_min
                if middle < _COLD_BELOW_K:
                    capacity = min(capacity, self.settings.cooling_below_20_k_per_min)
                rate = min(rate, capacity)
            pieces.append((abs(high - low) * 60.0 / rate, math.copysign(rate / 60.0, step)))
        return pieces

    def _append(
        self, t0: float, base: float, slope: float, sensor: float, sample: float, swing: float
    ) -> None:
        """Add a piece that starts at ``t0`` from these temperatures of sensor and sample stage."""
        tau1, tau2 = self._tau1, self._tau2
        decay = sensor - (base - slope * tau1)
        through = decay * tau1 / (tau1 - tau2)
        gain = swing_gain(tau2)
        swing_sin, swing_cos = swing * gain.real, swing * gain.imag
        own = sample - (base - slope * (tau1 + tau2) + through + swing_cos)
        self._pieces.append(_Piece(t0, base, slope, decay, through, own, swing, swing_sin, swing_cos))
        self._starts.append(t0)

    def _stages(self, t: float) -> tuple[float, float]:
        """Return the temperatures of the sensor and of the sample, as the thermometer counts them, K."""
        if t == self._at:
            return self._last
        sensor, sample = self._behind(t)
        for disturbance in self._disturbances:
            more = disturbance.at(t, self._tau1, self._tau2)
            sensor, sample = sensor + more[0], sample + more[1]
        self._at, self._last = t, (sensor, sample)
        return self._last

    def _behind(self, t: float) -> tuple[float, float]:
        """Return the temperatures that follow from the setpoint alone, without disturbances."""
        piece = self._piece_at(t)
        s = t - piece.t0
        tau1, tau2 = self._tau1, self._tau2
        fading = math.exp(-s / tau1)
        sensor = piece.base + piece.slope * (s - tau1)
        sample = sensor - piece.slope * tau2 + piece.through * fading + piece.own * math.exp(-s / tau2)
        sensor += piece.decay * fading
        if piece.swing:
            angle, size = SWING_RAD_PER_S * s, math.exp(-s / SWING_TAU_S)
            sine = math.sin(angle) * size
            sensor += piece.swing * sine
            sample += piece.swing_sin * sine + piece.swing_cos * math.cos(angle) * size
        return sensor, sample

    def _piece_at(self, t: float) -> _Piece:
        if t >= self._starts[-1]:
            return self._pieces[-1]
        return self._pieces[max(0, bisect_right(self._starts, t) - 1)]

    def _forget_before(self, oldest: float, now: float) -> None:
        """Drop the pieces that ended before ``oldest`` and those that would have begun after ``now``."""
        first = max(0, bisect_right(self._starts, oldest) - 1)
        last = bisect_right(self._starts, now)
        self._pieces = self._pieces[first:last]
        self._starts = self._starts[first:last]
