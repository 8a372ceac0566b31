"""Where the loss of an ac susceptibility is largest, and how that moves with the frequency."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from scipy.interpolate import CubicSpline

from onnes.analysis.ac_susceptibility import AcCurve
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused

_TOP = 0.75  # of the peak: points above it carry the fit
_FEWEST = 5
_MANY = 8  # points above it: a cubic through them evens their noise out; fewer are joined by a spline
_BESIDE = 2  # points on either side that steady a spline
# Joined by a spline, the points of a Bean peak three to four steps wide miss its top by up to 0.16 of a step;
# rms over where the grid may lie (seen, in the nanocomposite of paper 001 on a grid of 50 mK).
_GRID = 0.1
_SEEN = 5.0  # sigma of a point: a lower maximum is none
_DRAWS = 200
_SEED = 8501


def loss_peak(curve: AcCurve) -> Result:
    """Return the temperature of the largest chi'', K, by a cubic through the points near it, or a spline.

    ``height`` in goodness is chi'' there. Refused where no maximum stands out of the noise, or it lies at the
    end of the curve.
    """
    quantity = f"T of the loss peak, {curve.amplitude_oe:.3g} Oe, {curve.frequency_hz:.6g} Hz"
    criterion = f"largest chi'' ({curve.kind}) of the points above {_TOP:g} of it"
    t, loss, n = curve.temperature, curve.loss, len(curve.temperature)
    if n < _FEWEST:
        return refused(quantity, "K", criterion, f"{n} points; {_FEWEST} at least are needed", n=n)
    top = int(np.argmax(loss))
    noise = curve.loss_sigma
    if loss[top] < _SEEN * noise[top]:
        return refused(quantity, "K", criterion, f"no chi'' above {_SEEN:g} sigma", n=n)
    low, high = _around(loss, top)
    if low == 0 or high == n - 1:
        return refused(quantity, "K", criterion, "the loss is largest at the end of the curve", n=n)
    is_fitted = high - low + 1 >= _MANY
    if not is_fitted:
        low, high = max(low - _BESIDE, 0), min(high + _BESIDE, n - 1)
    part, inside = slice(low, high + 1), high - low + 1
    x, y, sigma = t[part], loss[part], noise[part]
    find = _top_of_cubic if is_fitted else _top_of_spline
    found = find(x, y)
    if inside < _FEWEST or found is None:
        reason = f"{inside} points about the largest chi'' show no maximum; measure in smaller steps"
        return refused(quantity, "K", criterion, reason, n=n)
    kelvin, height = found
    random = np.random.default_rng(_SEED)
    draws = [
        drawn[0]
        for _ in range(_DRAWS)
        if (drawn := find(x, y + sigma * random.standard_normal(inside))) is not None
    ]
    if len(draws) < _DRAWS // 2:
        return refused(quantity, "K", criterion, "the noise hides the maximum", n=n)
    lower, upper = np.percentile(draws, [15.87, 84.13])
    spread, step = float(upper - lower) / 2, float(np.max(np.diff(x)))
    goodness = {"height": height, "sigma_noise": spread, "sigma_grid": _GRID * step}
    criterion += ", cubic through them" if is_fitted else ", spline"
    window = {"temperature_k": (float(x[0]), float(x[-1]))}
    return Result(
        quantity, kelvin, math.hypot(spread, _GRID * step), "K", criterion, window, inside, goodness
    )


def frequency_shift(slow: AcCurve, fast: AcCurve) -> Result:
    """Return how much higher the loss peak of ``fast`` lies than that of ``slow``, K.

    Raises:
        ValueError: if amplitudes or dc fields differ: they move the peak themselves.
    """
    for what, unit, one, other in (
        ("amplitude", "Oe", slow.amplitude_oe, fast.amplitude_oe),
        ("dc field", "Oe", slow.dc_field_oe, fast.dc_field_oe),
    ):
        if abs(one - other) > max(0.01 * abs(one), 1e-9):
            raise ValueError(
                f"{what} = {one:.4g} and {other:.4g} {unit} differ; a shift with frequency needs equal ones"
            )
    quantity = f"shift of the loss peak, {slow.frequency_hz:.6g} to {fast.frequency_hz:.6g} Hz"
    below, above = loss_peak(slow), loss_peak(fast)
    criterion = below.criterion
    if below.value is None or above.value is None:
        without = below if below.value is None else above
        return refused(quantity, "K", criterion, f"{without.quantity}: {without.reason}")
    sigma = math.hypot(below.sigma or 0.0, above.sigma or 0.0)
    goodness = {"slow_k": below.value, "fast_k": above.value}
    return Result(
        quantity, above.value - below.value, sigma, "K", criterion, n=below.n + above.n, goodness=goodness
    )


def _around(loss: Floats, top: int) -> tuple[int, int]:
    """Return the first and last index of the unbroken run above the level that holds the peak."""
    under = loss < _TOP * loss[top]
    before, after = np.flatnonzero(under[:top]), np.flatnonzero(under[top:])
    return (int(before[-1]) + 1 if len(before) else 0), (
        top + int(after[0]) - 1 if len(after) else len(loss) - 1
    )


def _top_of_cubic(t: Floats, loss: Floats) -> tuple[float, float] | None:
    """Return place and height of the top of a cubic; None without one inside."""
    fit = Polynomial.fit(t, loss, 3)
    return _highest(np.asarray(fit.deriv().roots()), fit, fit.deriv(2), t)


def _top_of_spline(t: Floats, loss: Floats) -> tuple[float, float] | None:
    spline = CubicSpline(t, loss)
    return _highest(spline.derivative().roots(extrapolate=False), spline, spline.derivative(2), t)


def _highest(
    places: Any, value: Callable[[float], Any], bend: Callable[[float], Any], t: Floats
) -> tuple[float, float] | None:
    tops = [
        float(np.real(place))
        for place in places
        if abs(np.imag(place)) < 1e-9 and t[0] < np.real(place) < t[-1] and bend(float(np.real(place))) < 0
    ]
    if not tops:
        return None
    place = max(tops, key=lambda kelvin: float(value(kelvin)))
    return place, float(value(place))
