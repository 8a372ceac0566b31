"""The conductance of a contact at zero bias against temperature: relative to the normal state, and its Tc."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused
from onnes.analysis.sorted_curve import sorted_curve

_FEWEST = 5
_PART = (0.05, 0.3)  # of the largest excess: near enough to Tc for a straight line, and above the noise
_SEEN = 3.0
_CHANGES = 0.005  # over the points that stand for the normal state: half of the demand on it (a)
_RETURNS = 0.01  # the demand on G(0)/G_N above Tc


@dataclass(frozen=True, slots=True, eq=False)
class ZeroBias:
    """G(0)/G_N (``ratio``) with its noise at rising temperature (K), and what is read from it."""

    temperature: Floats
    ratio: Floats
    sigma: Floats
    tc: Result
    normal: Result


def zero_bias(
    temperature: Any,
    conductance_s: Any,
    sigma_s: Any,
    *,
    above_k: float,
    normal_s: float | None = None,
    normal_sigma_s: float = 0.0,
) -> ZeroBias:
    """Return G(0)/G_N, the Tc of the contact, and whether G(0) returns to that of the normal state.

    Args:
        above_k: points from there on, K, are normal: above the bulk Tc
        normal_s: conductance of the normal state, S; without it, the mean of those points, which must be
            flat: where G(0) still changes there, everything is refused
        normal_sigma_s: its error, S

    The Tc is where G(0)/G_N - 1 falls to zero, by straight lines through the part between 5 and 30 % of the
    largest excess: one through the excess, which falls with the square of the gap where the broadening is
    the larger of the two, one through its square, which does where the gap is. The mean of both is quoted,
    half their difference counts as an error. ``normal`` is G(0)/G_N above ``above_k``: 1
    within 1 %, or flagged ``not_normal``; without ``normal_s`` it is 1 by definition and refused.

    Raises:
        ValueError: if the arrays differ in length or a sigma is negative.
    """
    curve = sorted_curve("conductance", temperature, conductance_s, sigma_s)
    high = curve.x >= above_k
    n = int(high.sum())
    criterion = f"mean of G(0)/G_N from {above_k:.4g} K on"
    if not n and normal_s is None:
        reason = f"no points from {above_k:.4g} K on, and no normal conductance given"
        nothing = refused("G(0)/G_N above Tc", "1", criterion, reason)
        tc = refused("Tc of the contact", "K", "G(0) returns to G_N", reason)
        return ZeroBias(curve.x, np.full(len(curve.x), np.nan), curve.sigma, tc, nothing)
    mean = float(curve.y[high].mean()) if n else math.nan
    reference = mean if normal_s is None else normal_s
    ratio, sigma = curve.y / reference, curve.sigma / reference
    if normal_s is None and (reason := _still_changes(curve.x[high], ratio[high])):
        nothing = refused("G(0)/G_N above Tc", "1", criterion, reason, n=n)
        tc = refused("Tc of the contact", "K", "G(0) returns to G_N", reason, n=n)
        return ZeroBias(curve.x, ratio, sigma, tc, nothing)
    relative = normal_sigma_s / reference
    tc = _tc(curve.x, ratio, sigma)
    moved = _tc(curve.x, ratio * (1 + relative), sigma)
    if tc.value is not None and moved.value is not None and relative:
        apart = abs(moved.value - tc.value)
        goodness = {**tc.goodness, "sigma_normal": apart}
        tc = replace(tc, sigma=math.hypot(tc.sigma or 0.0, apart), goodness=goodness)
    return ZeroBias(curve.x, ratio, sigma, tc, _normal(ratio, sigma, high, criterion, normal_s, relative))


def _still_changes(t: Floats, ratio: Floats) -> str:
    """Return why points that stand for the normal state are not it: their straight line rises or falls."""
    if len(t) < _FEWEST:
        return ""
    (slope, _), covariance = np.polyfit(t - t.mean(), ratio, 1, cov=True)
    change, noise = (float(x * np.ptp(t)) for x in (slope, math.sqrt(covariance[0, 0])))
    if abs(change) <= max(_SEEN * noise, _CHANGES):
        return ""
    return (
        f"G(0) still changes by {abs(change):.1%} from {t[0]:.4g} to {t[-1]:.4g} K: that is not the normal "
        "state; measure above Tc, or give normal_at"
    )


def _normal(
    ratio: Floats,
    sigma: Floats,
    high: np.ndarray[Any, Any],
    criterion: str,
    normal_s: float | None,
    relative: float,
) -> Result:
    quantity, n = "G(0)/G_N above Tc", int(high.sum())
    if not n:
        return refused(quantity, "1", criterion, "no points above Tc")
    if normal_s is None:
        return refused(quantity, "1", criterion, "G_N was taken from these points themselves", n=n)
    noise = float(np.sqrt(np.sum(sigma[high] ** 2))) / n
    if n > 2:
        noise = max(noise, float(ratio[high].std(ddof=1)) / n**0.5)
    value = float(ratio[high].mean())
    noise = math.hypot(noise, value * relative)
    flags = ("not_normal",) if abs(value - 1) > max(_RETURNS, _SEEN * noise) else ()
    return Result(quantity, value, noise, "1", criterion, n=n, flags=flags)


def _tc(t: Floats, ratio: Floats, sigma: Floats) -> Result:
    quantity = "Tc of the contact"
    criterion = (
        f"G(0)/G_N - 1 falls to 0, lines through {_PART[0]:.0%} to {_PART[1]:.0%} of the largest excess"
    )
    excess = ratio - 1
    top = int(np.argmax(np.abs(excess)))
    if abs(excess[top]) < _SEEN * max(float(sigma[top]), 1e-12):
        return refused(quantity, "K", criterion, "G(0) does not differ from G_N", n=len(t))
    size = excess / excess[top]
    least = max(_PART[0], _SEEN * float(np.median(sigma)) / abs(float(excess[top])))
    ended = np.flatnonzero(size[top:] < least)
    end = top + int(ended[0]) if len(ended) else len(t)
    near = (np.arange(len(t)) > top) & (np.arange(len(t)) < end) & (size < _PART[1])
    n = int(near.sum())
    if n < _FEWEST:
        reason = (
            f"{n} points between {_PART[0]:.0%} and {_PART[1]:.0%} of the largest excess; {_FEWEST} needed"
        )
        return refused(quantity, "K", criterion, reason, n=n)
    error = np.maximum(sigma[near] / abs(excess[top]), 1e-12)
    ends = [
        _zero_of_line(t[near], size[near], error),
        _zero_of_line(t[near], size[near] ** 2, 2 * size[near] * error),
    ]
    (first, noise), (second, _) = ends
    if not (math.isfinite(first) and math.isfinite(second)):
        return refused(quantity, "K", criterion, "the excess does not fall with temperature", n=n)
    apart = abs(first - second) / 2
    goodness = {"linear_k": first, "squared_k": second, "sigma_noise": noise, "sigma_model": apart}
    window = {"temperature_k": (float(t[near].min()), float(t[near].max()))}
    return Result(
        quantity, (first + second) / 2, math.hypot(noise, apart), "K", criterion, window, n, goodness
    )


def _zero_of_line(x: Floats, y: Floats, error: Floats) -> tuple[float, float]:
    """Return where the straight line through the points is zero, and its error; NaN where it rises."""
    design = np.column_stack([np.ones(len(x)), x - x.mean()]) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    level, slope = (covariance @ design.T @ (y / error)).tolist()
    if not slope < 0:
        return math.nan, math.nan
    rest = (y - level - slope * (x - x.mean())) / error
    factor = max(float(rest @ rest) / (len(x) - 2), 1.0)
    gradient = np.array([-1 / slope, level / slope**2])
    return float(x.mean()) - level / slope, math.sqrt(float(gradient @ covariance @ gradient) * factor)
