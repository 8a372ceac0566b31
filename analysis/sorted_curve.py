"""A measured curve in order: points that are numbers, sorted, one for each place."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats


@dataclass(frozen=True, slots=True, eq=False)
class SortedCurve:
    """``y`` with its standard errors ``sigma`` at rising ``x``."""

    x: Floats
    y: Floats
    sigma: Floats

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        """Return y at ``x`` and its sigma, interpolated linearly between the two neighbours.

        The caller sees to it that ``x`` lies inside the curve.
        """
        right = np.clip(np.searchsorted(self.x, x), 1, len(self.x) - 1)
        left = right - 1
        share = (x - self.x[left]) / (self.x[right] - self.x[left])
        y = self.y[left] + share * (self.y[right] - self.y[left])
        return y, np.hypot((1 - share) * self.sigma[left], share * self.sigma[right])


def sorted_curve(what: str, x: Any, y: Any, sigma: Any) -> SortedCurve:
    """Return the points of ``what`` sorted by ``x``, without those that are no numbers.

    Points at exactly equal ``x`` become their mean; a ``sigma`` that is a number holds for all.

    Raises:
        ValueError: if the arrays differ in length, or a sigma is negative.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"{what}: arrays of shape {x.shape} and {y.shape}; give one value of each a point")
    sigma = np.asarray(sigma, dtype=np.float64)
    if sigma.shape not in ((), x.shape):
        raise ValueError(
            f"{what}: {sigma.shape} sigmas of {x.shape} points; give one a point, or one for all"
        )
    sigma = np.broadcast_to(sigma, x.shape)
    if np.any(sigma < 0):
        raise ValueError(f"{what}: sigma = {sigma.min():.3g} is negative")
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(sigma)
    places, group = np.unique(x[good], return_inverse=True)
    count = np.bincount(group, minlength=len(places))
    mean = np.bincount(group, y[good], minlength=len(places)) / np.maximum(count, 1)
    variance = np.bincount(group, sigma[good] ** 2, minlength=len(places)) / np.maximum(count, 1) ** 2
    return SortedCurve(places, mean, np.sqrt(variance))


def grid_sigma(x: Floats, y: Floats, i: int) -> float:
    """Return what the distance of the points adds to sigma of a crossing between points ``i``, ``i + 1``.

    A curve that jumps there crosses anywhere between them: their distance over sqrt(12). A straighter one is
    known better, by as much as its second difference is smaller than its step.
    """
    step = float(x[i + 1] - x[i])
    rise = abs(float(y[i + 1] - y[i]))
    bends = [0.0]
    for k in (i, i + 1):
        if 0 < k < len(x) - 1:
            left = (y[k] - y[k - 1]) / (x[k] - x[k - 1])
            right = (y[k + 1] - y[k]) / (x[k + 1] - x[k])
            bends.append(abs(float(right - left)) * step)
    bent = min(max(bends) / rise, 1.0) if rise > 0 else 1.0
    return step / 12**0.5 * bent
