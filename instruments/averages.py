"""What readings that share nothing say together."""

import math
from collections.abc import Sequence


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of at least two values that share nothing, and its standard error."""
    n = len(values)
    mean = sum(values) / n
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the straight line through the values, by least squares."""
    n = len(times)
    t0, v0 = sum(times) / n, sum(values) / n
    spread = sum((t - t0) ** 2 for t in times)
    return (
        sum((t - t0) * (v - v0) for t, v in zip(times, values, strict=True)) / spread if spread else math.nan
    )
