"""What disturbs the temperature: kicks and swings, which fade behind the two lags, and times without control.

Both lags are linear, so a kick or a swing adds to whatever the setpoint does.
"""

import math
from dataclasses import dataclass
from typing import Final

# Fast settle 90 -> 120 K, seen in a real file: peak +0.694 K 40 s after crossing 120 K, back through it at
# 110 s, -0.11 K at 150 s. A damped swing from the arrival of the setpoint follows it within 0.2 K.
SWING_TAU_S: Final = 121.0
SWING_RAD_PER_S: Final = 0.0203
SWING_PER_PEAK: Final = 1.0 / 0.43  # behind a ramp, whose lag takes some of it
_PEAK_RAD: Final = math.atan(SWING_RAD_PER_S * SWING_TAU_S)  # where a swing from rest is highest
SWING_PER_PEAK_AT_REST: Final = math.exp(_PEAK_RAD / (SWING_RAD_PER_S * SWING_TAU_S)) / math.sin(_PEAK_RAD)
_OVER_AFTER: Final = 30.0  # time constants until nothing of it is left: e^-30


@dataclass(frozen=True, slots=True)
class ControlOff:
    """From ``since`` on nobody holds the temperature, and the status is ``code``.

    It drifts towards ``to_k`` at ``k_per_min``; without ``to_k`` it stays. Setpoints are noted for later; in
    standby one ends it.
    """

    since: float
    code: int
    to_k: float | None
    k_per_min: float


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One disturbance at ``t0``: ``kick`` in K warms sensor and sample at once, ``swing`` in K the sensor.

    sensor = ``kick`` e^(-s/tau1) + ``swing`` e^(-s/121) sin(w s), with s = t - t0 and the sample behind it.
    """

    t0: float
    kick: float = 0.0
    swing: float = 0.0

    def at(self, t: float, tau1: float, tau2: float) -> tuple[float, float]:
        """Return what it adds to the temperatures of sensor and sample, K."""
        s = t - self.t0
        if s < 0.0:
            return 0.0, 0.0
        sensor = self.kick * math.exp(-s / tau1)
        through = self.kick * tau1 / (tau1 - tau2)
        sample = through * math.exp(-s / tau1)
        own = self.kick - through
        if self.swing:
            gain = swing_gain(tau2)
            angle, size = SWING_RAD_PER_S * s, self.swing * math.exp(-s / SWING_TAU_S)
            sensor += size * math.sin(angle)
            sample += size * (gain.real * math.sin(angle) + gain.imag * math.cos(angle))
            own -= self.swing * gain.imag
        return sensor, sample + own * math.exp(-s / tau2)

    def lasts_s(self, tolerance: float, tau1: float) -> float:
        """Return how long the sensor may stray by more than ``tolerance`` in K."""
        sizes = ((self.kick, tau1), (self.swing, SWING_TAU_S))
        return max(tau * math.log(max(1.0, 2.0 * abs(size) / tolerance)) for size, tau in sizes)

    def is_over(self, t: float, tau1: float) -> bool:
        """Say whether nothing of it is left at ``t``."""
        return t - self.t0 > _OVER_AFTER * max(tau1, SWING_TAU_S)


def swing_gain(tau2: float) -> complex:
    """Return the answer of the sample's lag to a swing: of a e^(st) it is a e^(st) / (1 + s tau2)."""
    return 1.0 / (1.0 + complex(-1.0 / SWING_TAU_S, SWING_RAD_PER_S) * tau2)
