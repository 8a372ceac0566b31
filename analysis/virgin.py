"""How strongly a sample screens at first: the slope of the virgin curve at zero, and its anisotropy."""

import math
from typing import Any

import numpy as np

from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import sorted_curve

_SLOPE, _RATIO = "initial slope 4 pi M/H", "ratio of initial slopes"
_FEWEST = 5
_POOR = 2.0  # times the noise: a parabola that misses its points by more is the wrong curve
_GEOMETRY = 0.05  # relative error of the volume


def initial_slope(
    field_oe: Any,
    four_pi_m: Any,
    sigma_g: Any,
    *,
    up_to_oe: float,
    geometry_sigma: float = _GEOMETRY,
) -> Result:
    """Return d(4 pi M)/dH of a virgin curve for |H| up to ``up_to_oe``, in the applied field.

    The slope at zero of a parabola, which is how flux enters a slab at first; its intercept is free, so that
    a field offset counts for little. Points at the top are left out until it fits within twice the noise,
    for flux may have reached the centre there; five points that do not fit are flagged ``poor_fit``. Sigma
    holds the noise and the volume; goodness keeps them apart.

    Raises:
        ValueError: if the arrays differ in length, or a sigma is negative.
    """
    criterion = f"slope at 0 of a parabola through the points up to {up_to_oe:g} Oe, intercept free"
    curve = sorted_curve("virgin curve", field_oe, four_pi_m, sigma_g)
    inside = np.abs(curve.x) <= up_to_oe
    h, m, sigma = curve.x[inside], curve.y[inside], curve.sigma[inside]
    n = len(h)
    if n < _FEWEST:
        reason = f"{n} points up to {up_to_oe:g} Oe, fewer than {_FEWEST}"
        return refused(_SLOPE, "1", criterion, reason, n=n)
    while True:
        columns = np.column_stack([np.ones(n), h, h**2])
        answer, *_ = np.linalg.lstsq(columns, m, rcond=None)
        rms = float(np.sqrt(np.sum((m - columns @ answer) ** 2) / (n - 3)))
        poor = rms > _POOR * float(np.median(sigma)) > 0
        if not poor or n == _FEWEST:
            break
        keep = np.argsort(np.abs(h), kind="stable")[: n - 1]
        h, m, sigma, n = h[keep], m[keep], sigma[keep], n - 1
    slope = float(answer[1])
    window: Window = {"field_oe": (float(h.min()), float(h.max()))}
    scatter = max(rms, float(np.median(sigma)))
    noise = scatter * float(np.sqrt(np.linalg.inv(columns.T @ columns)[1, 1]))
    goodness = {
        "rms_g": rms,
        "intercept_g": float(answer[0]),
        "curvature_per_oe": float(answer[2]),
        "sigma_noise": noise,
        "sigma_geometry": abs(slope) * geometry_sigma,
    }
    sigma_total = math.hypot(noise, goodness["sigma_geometry"])
    flags: tuple[str, ...] = ("not_resolved",) if abs(slope) < 3 * noise else ()
    if poor:
        flags += ("poor_fit",)
    return Result(_SLOPE, slope, sigma_total, "1", criterion, window, n, goodness, flags)


def slope_ratio(first: Result, second: Result) -> Result:
    """Return the ratio of two initial slopes of one sample in two orientations, of which the volume is free.

    The field in one orientation is not that in the other: the factors of demagnetisation are in the ratio.
    """
    criterion = "ratio of initial slopes in the applied field, demagnetisation not taken out"
    for name, slope in (("first", first), ("second", second)):
        if slope.value is None:
            return refused(_RATIO, "1", criterion, f"the {name} slope: {slope.reason}")
    if first.value is None or second.value is None or second.value == 0 or "not_resolved" in second.flags:
        return refused(_RATIO, "1", criterion, "the second slope is within 3 sigma of zero")
    value = first.value / second.value
    noise = math.hypot(first.goodness["sigma_noise"], value * second.goodness["sigma_noise"])
    sigma = noise / abs(second.value)
    goodness = {"first": first.value, "second": second.value}
    return Result(_RATIO, value, sigma, "1", criterion, first.window, first.n + second.n, goodness)
