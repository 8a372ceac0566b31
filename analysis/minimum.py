"""Temperature of the minimum of rho(T)."""

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused

_QUANTITY = "temperature of the resistance minimum"
_DEGREE = 4
_FEWEST = 10
_DEEP = 4.0  # sigma of the fitted curve: a shallower minimum is noise
_EDGE_K = 3.0  # a minimum this near to the edge of the window is the polynomial's, not the sample's


def resistance_minimum(
    temperature: Floats,
    resistance: Floats,
    sigma: Floats | float,
    *,
    window_k: tuple[float, float] = (60.0, 170.0),
) -> Result:
    """Return the temperature of the minimum, K, of a quartic fitted to R(T) in ``window_k``.

    Sigma is what the scatter, or ``sigma`` where that is larger, does to the root of the derivative, and the
    change when the window loses a tenth on both sides: a quartic is not the curve.

    Raises:
        ValueError: if temperatures and resistances differ in number.
    """
    low, high = window_k
    criterion = f"minimum of a quartic fitted from {low:g} to {high:g} K"
    t, r = np.asarray(temperature, dtype=np.float64), np.asarray(resistance, dtype=np.float64)
    if t.shape != r.shape:
        raise ValueError(f"{t.shape} temperatures and {r.shape} resistances; give one of each a point")
    error = np.broadcast_to(np.asarray(sigma, dtype=np.float64), t.shape)
    inside = np.isfinite(t) & np.isfinite(r) & (t >= low) & (t <= high)
    t, r, error = t[inside], r[inside], error[inside]
    n = len(t)
    if n < _FEWEST:
        reason = f"{n} points from {low:g} to {high:g} K, fewer than {_FEWEST}"
        return refused(_QUANTITY, "K", criterion, reason, n=n)
    window = {"temperature_k": (float(t.min()), float(t.max()))}
    if t.min() > low + 0.2 * (high - low) or t.max() < high - 0.2 * (high - low):
        reason = f"the points cover {t.min():.4g} to {t.max():.4g} K only"
        return refused(_QUANTITY, "K", criterion, reason, window=window, n=n)
    reported = float(np.sqrt(np.mean(np.nan_to_num(error) ** 2)))
    found = _minimum(t, r, window_k, reported)
    if found is None:
        reason = f"no minimum between {low + _EDGE_K:g} and {high - _EDGE_K:g} K"
        return refused(_QUANTITY, "K", criterion, reason, window=window, n=n)
    minimum, statistical, depth, rms = found
    trim = (high - low) / 10
    narrow = (t >= low + trim) & (t <= high - trim)
    again = _minimum(t[narrow], r[narrow], (low + trim, high - trim), reported)
    change = abs(again[0] - minimum) if again else 0.0
    goodness = {
        "rms_relative": rms / float(np.mean(r)),
        "depth_relative": depth / float(np.mean(r)),
        "sigma_scatter": statistical,
        "sigma_window": change,
    }
    noise = max(rms, reported)
    # A fit of n points knows the difference of two places on it to about this; the root does not.
    depth_sigma = noise * float(np.sqrt((_DEGREE + 1) / n))
    goodness["depth_sigmas"] = min(depth / max(depth_sigma, 1e-300), 1e9)
    if depth < _DEEP * depth_sigma:
        reason = (
            f"the minimum at {minimum:.4g} K is {depth:.2g} ohm deep, "
            f"less than {_DEEP:g} sigma of {depth_sigma:.2g} ohm"
        )
        return refused(_QUANTITY, "K", criterion, reason, window=window, n=n, goodness=goodness)
    if again is None or statistical > (high - low) / 10:
        reason = f"the minimum at {minimum:.4g} K is not resolved (sigma {statistical:.2g} K)"
        return refused(_QUANTITY, "K", criterion, reason, window=window, n=n, goodness=goodness)
    sigma_k = float(np.hypot(statistical, change))
    return Result(_QUANTITY, minimum, sigma_k, "K", criterion, window, n, goodness)


def _minimum(
    t: Floats, r: Floats, window_k: tuple[float, float], reported: float
) -> tuple[float, float, float, float] | None:
    """Return the minimum, its sigma (K), the rise of R to the lower edge, and the rms; None without one."""
    low, high = window_k
    x = (2 * t - low - high) / (high - low)
    columns = np.vander(x, _DEGREE + 1, increasing=True)
    coefficients, *_ = np.linalg.lstsq(columns, r, rcond=None)
    rms = float(np.sqrt(np.sum((r - columns @ coefficients) ** 2) / (len(t) - _DEGREE - 1)))
    curve = np.polynomial.Polynomial(coefficients)
    roots = curve.deriv().roots()
    real = roots.real[np.abs(roots.imag) < 1e-9]
    edge = 1 - 2 * _EDGE_K / (high - low)
    minima = [float(root) for root in real if abs(root) < edge and curve.deriv(2)(root) > 0]
    if not minima:
        return None
    best = min(minima, key=lambda root: float(curve(root)))
    # d root = -dP'(root) / P''(root)
    lever = np.array([k * best ** (k - 1) if k else 0.0 for k in range(_DEGREE + 1)])
    covariance = np.linalg.inv(columns.T @ columns) * max(rms, reported) ** 2
    statistical = float(np.sqrt(lever @ covariance @ lever)) / float(curve.deriv(2)(best))
    scale = (high - low) / 2
    depth = float(min(curve(-1.0), curve(1.0)) - curve(best))
    return (low + high) / 2 + scale * best, scale * statistical, depth, rms
