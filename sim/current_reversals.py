"""The currents of a 6221 in delta and differential conductance, and the reading of three A/D values.

Reversing the current in turns and weighing three values in a row 1, -2, 1 takes out an EMF that is constant
or drifts as a straight line. Formulas of the 6221 reference manual; (k) is general knowledge to be checked.
"""

import math
from dataclasses import dataclass
from typing import Protocol


class Reversals(Protocol):
    """One pass: the current of each conversion, counted from 0, and what a reading stands for."""

    @property
    def conversions(self) -> float:
        """Return how many conversions the pass takes; infinity if it goes on until it is aborted."""

    @property
    def step_a(self) -> float:
        """Return the current that a reading is the answer to, A."""

    @property
    def largest_a(self) -> float:
        """Return the largest current of the pass, without its sign, A."""

    def level_a(self, conversion: int) -> float:
        """Return the current during a conversion, A."""

    def centre_a(self, conversion: int) -> float:
        """Return the current around which the reading with this conversion in its middle was taken, A."""


@dataclass(frozen=True, slots=True)
class Delta:
    """``count`` readings of a current that goes from ``high_a`` to ``low_a`` and back, A."""

    high_a: float
    low_a: float
    count: float

    @property
    def conversions(self) -> float:
        """Return ``count`` and the two that the first reading needs more."""
        return self.count + 2

    @property
    def step_a(self) -> float:
        """Return half the distance from high to low, A."""
        return 0.5 * (self.high_a - self.low_a)

    @property
    def largest_a(self) -> float:
        """Return the larger of both currents, A."""
        return max(self.high_a, -self.low_a)

    def level_a(self, conversion: int) -> float:
        """Return high for the first conversion and every second after it, low for the others, A."""
        return self.low_a if conversion % 2 else self.high_a

    def centre_a(self, conversion: int) -> float:
        """Return the current that the reading is the answer to (k), A."""
        del conversion
        return self.step_a


@dataclass(frozen=True, slots=True)
class Differential:
    """A staircase from ``start_a`` to ``stop_a`` in steps of ``stride_a``, with +-``delta_a`` in turns, A.

    A stride larger than the interval becomes a hundred points.
    """

    start_a: float
    stop_a: float
    stride_a: float
    delta_a: float

    @property
    def points(self) -> int:
        """Return the number of readings."""
        interval = abs(self.stop_a - self.start_a)
        if self.stride_a > interval:
            return 100
        return math.floor(interval / self.stride_a + 1e-6) + 1  # 20 uA in steps of 1 uA are 21 points

    @property
    def conversions(self) -> float:
        """Return the number of readings and one conversion before and after them."""
        return self.points + 2

    @property
    def step_a(self) -> float:
        """Return the current that is added and taken away in turns, A."""
        return self.delta_a

    @property
    def largest_a(self) -> float:
        """Return the largest of all currents, without its sign, A."""
        return max(abs(self.level_a(n)) for n in (0, 1, self.points, self.points + 1))

    def level_a(self, conversion: int) -> float:
        """Return the current of the staircase with what is added to it or taken away, A."""
        return self.centre_a(conversion) + (-self.delta_a if conversion % 2 else self.delta_a)

    def centre_a(self, conversion: int) -> float:
        """Return the current of the staircase, A; the first conversion lies one step before the start."""
        interval = self.stop_a - self.start_a
        stride = self.stride_a if self.stride_a <= abs(interval) else abs(interval) / 99.0
        return self.start_a + math.copysign(stride, interval) * (conversion - 1)


def reversed_v(conversion: int, before: float, at: float, after: float) -> float:
    """Return the reading with ``conversion`` in the middle of its three A/D values, V."""
    sign = 1.0 if conversion % 2 else -1.0
    return sign * (before - 2.0 * at + after) / 4.0


def average_v(before: float, at: float, after: float) -> float:
    """Return the mean voltage of three A/D values, V, without what the reversal adds to them (k)."""
    return (before + 2.0 * at + after) / 4.0
