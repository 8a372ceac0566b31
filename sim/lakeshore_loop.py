"""The loop of a Lake Shore controller that heats the cryostat: setpoint that ramps, heater with ranges."""

import math
from typing import Final

from onnes.sim.cryostat import CHASING, FAST_SETTLE, NEAR, STABLE, STANDBY, TRACKING, Cryostat
from onnes.sim.disturbances import ControlOff

# What the plant does with a heater that works, on or off.
_HEATER_WORKS: Final = frozenset({STABLE, TRACKING, NEAR, CHASING, STANDBY})


class LakeShoreLoop:
    """Temperatures in K, times in lab seconds.

    Args:
        heater_w: power of the highest range; each lower one has a tenth of it.
        loss_w_per_k: what flows to the bath, which is at the lowest temperature of the cryostat.
        highest_range: its number; the heater is found on it, and 0 is off.
    """

    def __init__(self, cryostat: Cryostat, heater_w: float, loss_w_per_k: float, highest_range: int) -> None:
        self._cryostat = cryostat
        self._heater_w, self._loss_w_per_k = heater_w, loss_w_per_k
        self._highest_range = self.range = highest_range
        self._off: ControlOff | None = None
        start = cryostat.ramped(0.0)
        # The setpoint runs from (time, K) to the target at a rate in K/s.
        self._from, self.target, self._k_per_s = (0.0, start), start, math.inf
        self._commanded = (math.nan, 0.0, 0)  # what the plant was told last

    def setpoint(self, t: float) -> float:
        """Return the setpoint, which runs towards its target while it ramps."""
        since, start = self._from
        way = self.target - start
        gone = self._k_per_s * (t - since) if self._k_per_s < math.inf else math.inf
        return self.target if gone >= abs(way) else start + math.copysign(gone, way)

    def is_ramping(self, t: float) -> bool:
        """Say whether the setpoint is on its way."""
        return self.setpoint(t) != self.target

    def is_lost(self, t: float) -> bool:
        """Say whether the heater is told to heat and cannot."""
        return self._cryostat.status(t) not in _HEATER_WORKS

    def heed_the_panel(self, t: float) -> float | None:
        """Take over what somebody told the plant at the front panel, or when the lab opened; return its rate.

        The rate is in K/min; None where nobody did.
        """
        now = self._cryostat.setpoint()
        if now == self._commanded:
            return None
        self._from = (t, self._cryostat.ramped(t))  # it began before, with the plant
        self._commanded, self.target, self._k_per_s = now, now[0], now[1] / 60.0
        return now[1]

    def go(self, t: float, target: float, rate_k_per_min: float) -> None:
        """Send the setpoint to ``target``; a rate of 0 counts as no ramp, it jumps (manual)."""
        self._from = (t, self.setpoint(t))
        self.target, self._k_per_s = target, rate_k_per_min / 60.0 if rate_k_per_min else math.inf
        self._regulate(t)

    def heat(self, t: float, number: int) -> None:
        """Switch to a range of the heater; 0 is off, and the probe cools to the bath."""
        self.range = number
        self._regulate(t)

    def _regulate(self, t: float) -> None:
        plant = self._cryostat.settings
        if not self.range:
            if self._off is None:
                self._off = ControlOff(t, STANDBY, plant.lowest_k, plant.cooling_k_per_min)
                self._cryostat.lose_control(t, self._off)
            return
        self._off = None
        reach = plant.lowest_k + self._full_w / self._loss_w_per_k
        target = min(max(self.target, plant.lowest_k), reach, plant.highest_k)
        rate = min(60.0 * self._k_per_s, plant.max_rate_k_per_min)
        self._cryostat.command(t, target, rate, FAST_SETTLE)
        self._commanded = self._cryostat.setpoint()

    def output_percent(self, t: float) -> float:
        """Return how much of the range the loss to the bath takes; warming and cooling take nothing (a)."""
        if not self.range:
            return 0.0
        watts = self._loss_w_per_k * (self._cryostat.sensor(t) - self._cryostat.settings.lowest_k)
        return min(max(100.0 * watts / self._full_w, 0.0), 100.0)

    @property
    def _full_w(self) -> float:
        return self._heater_w * 10.0 ** (self.range - self._highest_range)
