"""Where isotherms cross: every pair, the median, and a drift with temperature that one Hc would not have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from onnes.analysis.isotherm import Floats, Isotherm
from onnes.analysis.result import Result, refused

_HALF_WIDTH_OE = 8000.0  # about the field of least spread; a quadratic holds that far
_FEWEST = 6  # points of a pair within the window
_LATTICE = 401  # fields at which the spread of all isotherms is looked at
_READING_K = 0.05  # isotherms set to the edge of the temperature window are read this far outside at most
_WORST_CHI2 = 10.0  # errors of single crossings are rough; beyond this they are not one field nor one line
_MEDIAN = "crossing field"
_DRIFT = "drift of the crossing field"


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where two isotherms cross, Oe; None with a ``reason`` where they do not.

    ``others_oe``: fields outside the window of the fit where their difference changes sign beyond noise.
    """

    low_k: float
    high_k: float
    field_oe: float | None
    sigma_oe: float | None
    n: int
    reason: str = ""
    others_oe: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Crossings:
    """``median`` (Oe) of the crossings in the temperature window, ``drift`` dHx/dT (Oe/K), every pair."""

    median: Result
    drift: Result
    pairs: list[Crossing]


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    temperature: float
    field: Floats
    ln_r: Floats


def crossings(
    isotherms: Sequence[Isotherm],
    *,
    temperature_window_k: tuple[float, float] = (2.0, 6.0),
    field_sigma_oe: float = 5.0,
) -> Crossings:
    """Return the crossing field of every pair of isotherms, their median and drift.

    The median takes the pairs inside ``temperature_window_k``, where paper 000 sees a single crossing; its
    sigma is the spread of these crossings and, where they drift beyond 2 sigma, what the drift makes between
    their mean temperature and zero: a background of 0.1 %/K moves every crossing to one side, which no spread
    shows; the accuracy of the field, ``field_sigma_oe``, is a floor. The drift takes neighbours at all
    temperatures. Crossings that scatter far beyond their errors about their median or line are flagged.
    """
    low_k, high_k = temperature_window_k
    criterion = (
        f"roots of a quadratic of ln R1 - ln R2 within {_HALF_WIDTH_OE / 1000:g} kOe of the field of least "
        f"spread; median of all pairs from {low_k:g} to {high_k:g} K, sigma is their spread"
    )
    curves = sorted((_curve(isotherm) for isotherm in isotherms), key=lambda curve: curve.temperature)
    centre = _least_spread(curves)
    if centre is None:
        reason = f"{len(curves)} isotherms with a common range of fields; at least 2 are needed"
        drift = refused(_DRIFT, "Oe/K", _drift_criterion(), reason)
        return Crossings(refused(_MEDIAN, "Oe", criterion, reason), drift, [])
    pairs = [_crossing(cold, warm, centre) for i, cold in enumerate(curves) for warm in curves[i + 1 :]]
    neighbours = [_crossing(cold, warm, centre) for cold, warm in pairwise(curves)]
    inside = [
        pair for pair in pairs if pair.low_k >= low_k - _READING_K and pair.high_k <= high_k + _READING_K
    ]
    near = [pair for pair in neighbours if pair.low_k >= low_k - _READING_K]
    near = [pair for pair in near if pair.high_k <= high_k + _READING_K]
    drift_near, drift = _drift(near, field_sigma_oe), _drift(neighbours, field_sigma_oe)
    median = _median(inside, criterion, centre, drift_near, field_sigma_oe)
    disagree = "crossings_disagree"
    if disagree in median.flags and disagree not in drift.flags:
        drift = replace(drift, flags=(*drift.flags, disagree))
    return Crossings(median, drift, pairs)


def _curve(isotherm: Isotherm) -> _Curve:
    """Return the isotherm over |H|, equal fields averaged."""
    field, member = np.unique(np.abs(isotherm.field), return_inverse=True)
    counts = np.bincount(member)
    return _Curve(isotherm.temperature, field, np.bincount(member, np.log(isotherm.resistance)) / counts)


def _least_spread(curves: Sequence[_Curve]) -> float | None:
    """Return the field, Oe, where ln R differs least among all isotherms; None where they share no fields."""
    curves = [curve for curve in curves if len(curve.field) >= _FEWEST]
    if len(curves) < 2:
        return None
    low = max(float(curve.field[0]) for curve in curves)
    high = min(float(curve.field[-1]) for curve in curves)
    if not low < high:
        return None
    lattice = np.linspace(low, high, _LATTICE)
    spread = np.std([np.interp(lattice, curve.field, curve.ln_r) for curve in curves], axis=0)
    return float(lattice[np.argmin(spread)])


def _difference(cold: _Curve, warm: _Curve) -> tuple[Floats, Floats]:
    """Return the colder curve's fields inside the warmer one's range, and ln R(warm) - ln R(cold) there."""
    inside = (cold.field >= warm.field[0]) & (cold.field <= warm.field[-1])
    field = cold.field[inside]
    return field, CubicSpline(warm.field, warm.ln_r)(field) - cold.ln_r[inside]


def _crossing(cold: _Curve, warm: _Curve, centre: float) -> Crossing:
    if min(len(cold.field), len(warm.field)) < _FEWEST:
        return _no_crossing(cold, warm, 0, f"one of the isotherms has fewer than {_FEWEST} points")
    field, difference = _difference(cold, warm)
    near = np.abs(field - centre) <= _HALF_WIDTH_OE
    n = int(np.count_nonzero(near))
    if n < _FEWEST:
        return _no_crossing(cold, warm, n, f"{n} points within the window, fewer than {_FEWEST}")
    x = (field[near] - centre) / _HALF_WIDTH_OE
    columns = np.vander(x, 3, increasing=True)
    coefficients, *_ = np.linalg.lstsq(columns, difference[near], rcond=None)
    scatter = float(np.sum((difference[near] - columns @ coefficients) ** 2)) / (n - 3)
    covariance = np.linalg.inv(columns.T @ columns) * scatter
    roots = np.roots(coefficients[::-1]) if np.any(coefficients[1:]) else np.empty(0)
    real = roots.real[(np.abs(roots.imag) < 1e-9) & (np.abs(roots.real) <= 1)]
    if not len(real):
        return _no_crossing(cold, warm, n, "the difference has no zero within the window")
    root = float(real[np.argmin(np.abs(real))])
    slope = float(coefficients[1] + 2 * coefficients[2] * root)
    powers = np.array([1.0, root, root**2])
    slope_sigma = float(np.sqrt(np.array([0, 1, 2 * root]) @ covariance @ np.array([0, 1, 2 * root])))
    if abs(slope) <= 3 * slope_sigma:
        return _no_crossing(cold, warm, n, "the slope of the difference is within 3 sigma of zero")
    crossing = centre + root * _HALF_WIDTH_OE
    sigma = float(np.sqrt(powers @ covariance @ powers)) / abs(slope) * _HALF_WIDTH_OE
    others = _others(field, difference, np.sqrt(scatter), crossing)
    return Crossing(cold.temperature, warm.temperature, crossing, sigma, n, others_oe=others)


def _no_crossing(cold: _Curve, warm: _Curve, n: int, reason: str) -> Crossing:
    return Crossing(cold.temperature, warm.temperature, None, None, n, reason)


def _others(field: Floats, difference: Floats, noise: float, crossing: float) -> tuple[float, ...]:
    """Return where else the difference changes sign, between points that are all beyond 4 sigma of noise."""
    beyond = np.flatnonzero(np.abs(difference) > 4 * noise)
    changes = [
        0.5 * float(field[i] + field[j]) for i, j in pairwise(beyond) if difference[i] * difference[j] < 0
    ]
    return tuple(change for change in changes if abs(change - crossing) > _HALF_WIDTH_OE)


def _median(
    pairs: Sequence[Crossing], criterion: str, centre: float, drift: Result, field_oe: float
) -> Result:
    fields = np.array([pair.field_oe for pair in pairs if pair.field_oe is not None])
    n = sum(pair.n for pair in pairs if pair.field_oe is not None)
    window = {"field_oe": (centre - _HALF_WIDTH_OE, centre + _HALF_WIDTH_OE)}
    if pairs:
        window["temperature_k"] = (min(pair.low_k for pair in pairs), max(pair.high_k for pair in pairs))
    goodness = {"pairs": float(len(pairs)), "crossings": float(len(fields))}
    if len(fields) < 3 or len(fields) < 0.5 * len(pairs):
        why = next((pair.reason for pair in pairs if pair.reason), "")
        reason = f"{len(fields)} of {len(pairs)} pairs cross within the window" + (f"; {why}" if why else "")
        return refused(_MEDIAN, "Oe", criterion, reason, window=window, n=n, goodness=goodness)
    low, high = np.quantile(fields, [0.16, 0.84])
    spread = max(float(high - low) / 2, float(np.median([pair.sigma_oe or 0.0 for pair in pairs])))
    drifted = 0.0
    if drift.value is not None and abs(drift.value) > 2 * (drift.sigma or 0.0):
        drifted = abs(drift.value) * float(np.mean([pair.low_k + pair.high_k for pair in pairs])) / 2
    goodness |= {"lowest_oe": float(fields.min()), "highest_oe": float(fields.max())}
    goodness |= {"sigma_spread": spread, "sigma_drift": drifted, "field_sigma_oe": field_oe}
    single = np.array([pair.sigma_oe or 0.0 for pair in pairs if pair.field_oe is not None])
    squares = (fields - np.median(fields)) ** 2 / np.maximum(single**2 + field_oe**2, 1e-6)
    goodness["chi2_per_dof"] = float(np.sum(squares)) / (len(fields) - 1)
    several = sum(bool(pair.others_oe) for pair in pairs) > len(pairs) / 3
    flags = (("several_crossings",) if several else ()) + drift.flags
    if goodness["chi2_per_dof"] > _WORST_CHI2 and "crossings_disagree" not in flags:
        flags += ("crossings_disagree",)
    sigma = float(np.sqrt(spread**2 + drifted**2 + field_oe**2))
    return Result(_MEDIAN, float(np.median(fields)), sigma, "Oe", criterion, window, n, goodness, flags)


def _drift_criterion() -> str:
    return "straight line through the crossings of neighbouring isotherms over the mean of their temperatures"


def _drift(pairs: Sequence[Crossing], field_oe: float) -> Result:
    found = [
        (0.5 * (pair.low_k + pair.high_k), pair.field_oe, pair.sigma_oe)
        for pair in pairs
        if pair.field_oe is not None and pair.sigma_oe is not None
    ]
    if len(found) < 3:
        reason = f"{len(found)} of {len(pairs)} neighbouring isotherms cross within the window; 3 are needed"
        return refused(_DRIFT, "Oe/K", _drift_criterion(), reason)
    temperature, field, sigma = np.array(found).T
    sigma = np.maximum(np.hypot(sigma, field_oe), 1e-3)
    columns = np.column_stack([np.ones_like(temperature), temperature]) / sigma[:, None]
    solution, *_ = np.linalg.lstsq(columns, field / sigma, rcond=None)
    chi2 = float(np.sum((field / sigma - columns @ solution) ** 2)) / (len(found) - 2)
    error = float(np.sqrt(np.linalg.inv(columns.T @ columns)[1, 1] * max(1.0, chi2)))
    window = {"temperature_k": (pairs[0].low_k, pairs[-1].high_k)}
    n = sum(pair.n for pair in pairs if pair.field_oe is not None)
    slope = float(solution[1])
    flags: tuple[str, ...] = ("crossing_drifts",) if abs(slope) > 3 * error else ()
    flags += ("crossings_disagree",) if chi2 > _WORST_CHI2 else ()
    return Result(_DRIFT, slope, error, "Oe/K", _drift_criterion(), window, n, {"chi2_per_dof": chi2}, flags)
