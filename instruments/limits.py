"""Limits are values: checked before anything is sent, never clipped to."""

import math
from dataclasses import dataclass, replace

from onnes.instruments.errors import LimitError


@dataclass(frozen=True, slots=True)
class Limits:
    """A closed range in one unit, with who set it.

    >>> Limits(-90000.0, 90000.0, "Oe", "ppms9.toml").check("field", 90000.0)
    90000.0
    """

    low: float
    high: float
    unit: str
    set_by: str = "the instrument"

    def contains(self, value: float) -> bool:
        """Say whether ``value`` is a number inside the range, ends included."""
        return math.isfinite(value) and self.low <= value <= self.high

    def check(self, what: str, value: float) -> float:
        """Return ``value``.

        Raises:
            LimitError: if ``value`` is not finite or lies outside the range.
        """
        if not self.contains(value):
            unit = f" {self.unit}" if self.unit else ""
            raise LimitError(
                f"{what} = {value:.9g}{unit} is outside [{self.low:.9g}, {self.high:.9g}]{unit}, "
                f"the range set by {self.set_by}; nothing was sent"
            )
        return value

    def narrowed(self, other: "Limits") -> "Limits":
        """Return the range inside both; each end keeps the name of who set the narrower one.

        Raises:
            LimitError: if the units differ or the ranges do not overlap.
        """
        if other.unit != self.unit:
            raise LimitError(f"limits in {self.unit} and {other.unit} cannot be combined")
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low > high:
            raise LimitError(
                f"the range [{self.low:.9g}, {self.high:.9g}] {self.unit} of {self.set_by} and "
                f"[{other.low:.9g}, {other.high:.9g}] {self.unit} of {other.set_by} do not overlap"
            )
        narrower = [limits.set_by for limits in (self, other) if limits.low == low or limits.high == high]
        ends = {self.set_by} if (low, high) == (self.low, self.high) else set(narrower)
        return replace(self, low=low, high=high, set_by=" and ".join(sorted(ends)))
