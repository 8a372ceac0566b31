"""Hc1 from virgin curves: where they leave the Meissner line, and whence they do so as (H - Hc1)^2.

The first needs flux beyond the noise, so it is an upper bound; the second is extrapolated to no flux at all.
Both are fields at the sample's edge: divided by 1 - N they are Hc1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnes.analysis.demagnetisation import FLAT
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import sorted_curve

_THRESHOLD, _EXTRAPOLATED = "Hc1 by threshold, an upper bound", "Hc1"
_FEWEST = 12
_RUN = 5  # consecutive points beyond the threshold: one may be noise
_BEYOND = 4.0  # sigma
_MEISSNER = 0.7  # of the field of first penetration: the line is fitted below
_WINDOW = (1.05, 1.6)  # of the field of first penetration, for the extrapolation
# Relative: dM ~ (H - Hc1)^2 is the beginning of a series; on critical states with an entry barrier the
# extrapolation ends 0.3 to 1.6 % below the truth (computed).
_MODEL = 0.01
_OTHER_WINDOWS = ((1.05, 1.4), (1.2, 1.6))
_BIAS = (
    0.04  # relative: how far the threshold lies above Hc1, of a bar at 5 sigma noise of an MPMS (computed)
)
_GEOMETRY = 0.05  # relative error of the volume
_SCREENS = 2.0  # sigma of volume and N: a first slope further from -1/(1 - N) is flagged
_INTERCEPT = 3.0  # sigma: a Meissner line that misses zero by more has a field offset or a foreign moment


@dataclass(frozen=True, slots=True)
class LowerCriticalField:
    """Hc1, Oe, of one virgin curve by both methods."""

    threshold: Result
    extrapolated: Result


@dataclass(frozen=True, slots=True, eq=False)
class _Departure:
    h: Floats
    d: Floats  # 4 pi M about the Meissner line, G
    hp: float  # first penetration, Oe
    place: int
    noise: float  # G
    slope: float
    slope_sigma: float
    offset: float  # Oe, where the line is zero; 0 where it goes through zero
    meissner_points: int


class _NoDeparture(Exception):
    """The curve never leaves its Meissner line, or has none; the text says why."""


def lower_critical_field(
    field_oe: Any,
    four_pi_m: Any,
    *,
    n: float,
    n_sigma: float = 0.015,
    sigma_g: float = 0.0,
    field_sigma_oe: float = 0.0,
    volume_sigma: float = _GEOMETRY,
) -> LowerCriticalField:
    """Return Hc1 of a virgin curve after zero-field cooling.

    The noise is that of the second differences of the curve itself, or ``sigma_g`` where that is larger.
    The threshold is the first of 5 points in a row beyond 4 sigma of the Meissner line. A Meissner line that
    misses zero by 3 sigma is given an intercept; what it may mean for the field is a term of sigma.

    A first slope that is not -1/(1 - N) within 2 sigma of volume and N is flagged ``meissner_slope``: one of
    them is wrong, or the sample does not screen all, and 1 - N is then not what the field is divided by. What
    it is off by beyond one sigma of the volume is a term of sigma. A
    threshold without an extrapolation beside it is flagged ``unconfirmed``: what it saw need not be flux.

    Args:
        field_oe: applied field, of one sign, Oe
        four_pi_m: 4 pi M, G
        n: demagnetisation factor
        n_sigma: its error; 0.015 is how far the models of a 1 x 1 x 5 bar are apart
        field_sigma_oe: how well the field at the sample is known, Oe: a residual field in which it was cooled
            shows nowhere in the curve. NaN where nobody knows: flagged ``residual_unknown``
        volume_sigma: relative error of the volume in ``four_pi_m``

    Raises:
        ValueError: if the arrays differ in length, or ``n`` is outside [0, 1).
    """
    if not 0 <= n < 1:
        raise ValueError(f"demagnetisation factor = {n} is outside [0, 1)")
    curve = sorted_curve("virgin curve", field_oe, four_pi_m, sigma_g)
    sign = -1.0 if len(curve.x) and abs(curve.x[0]) > abs(curve.x[-1]) else 1.0
    order = slice(None, None, int(sign))
    h, m = sign * curve.x[order], sign * curve.y[order]
    criteria = {
        "threshold": f"first of {_RUN} points {_BEYOND:g} sigma off the Meissner line, over 1 - N, "
        f"N = {n:.4g}; an upper bound, some {_BIAS:.0%} too high",
        "extrapolated": f"line through sqrt(dM) from {_WINDOW[0]:g} to {_WINDOW[1]:g} of first penetration "
        f"prolonged to 0, over 1 - N, N = {n:.4g}",
    }
    window: Window = {"field_oe": (float(h[0]), float(h[-1]))} if len(h) else {}
    try:
        if n > FLAT:
            raise _NoDeparture(
                f"N = {n:.4g}: the field at the edge of a plate across the field is not H/(1 - N)"
            )
        found = _departure(h, m, sigma_g)
    except _NoDeparture as error:
        return LowerCriticalField(
            refused(_THRESHOLD, "Oe", criteria["threshold"], str(error), window=window, n=len(h)),
            refused(_EXTRAPOLATED, "Oe", criteria["extrapolated"], str(error), window=window, n=len(h)),
        )
    flags: tuple[str, ...] = ("field_offset",) if found.offset else ()
    off = abs(found.slope * (1 - n) + 1)
    if off > _SCREENS * math.hypot(volume_sigma, n_sigma / (1 - n)):
        flags += ("meissner_slope",)
    if math.isnan(field_sigma_oe):
        flags, field_sigma_oe = (*flags, "residual_unknown"), 0.0
    shared = {
        "noise_g": found.noise,
        "meissner_slope": found.slope,
        "field_offset_oe": found.offset,
        "sigma_field": field_sigma_oe / (1 - n),
        "off_full_screening": off,
        "sigma_offset": abs(found.offset) / (1 - n),
    }
    n_sigma = math.hypot(n_sigma, (1 - n) * max(off - volume_sigma, 0.0))
    extrapolated = _by_extrapolation(found, n, n_sigma, criteria["extrapolated"], shared, flags)
    if extrapolated.value is None:
        flags += ("unconfirmed",)
    threshold = _by_threshold(found, n, n_sigma, criteria["threshold"], window, shared, flags)
    return LowerCriticalField(threshold, extrapolated)


def second_difference_noise(x: Floats, y: Floats) -> float:
    """Return the noise of one point, from how far each lies from the line through its neighbours.

    A median (MAD), so that a bend or a step in the curve does not count; at equal distances the second
    difference of noise is sqrt(6) of it.
    """
    share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    off = y[1:-1] - (1 - share) * y[:-2] - share * y[2:]
    scaled = off / np.sqrt(1 + (1 - share) ** 2 + share**2)
    return 1.4826 * float(np.median(np.abs(scaled - np.median(scaled))))


def _departure(h: Floats, m: Floats, sigma_g: float) -> _Departure:
    if len(h) < _FEWEST:
        raise _NoDeparture(f"{len(h)} points, fewer than {_FEWEST}")
    if h[0] < 0:
        raise _NoDeparture(
            f"fields from {h[0]:.4g} to {h[-1]:.4g} Oe have both signs; a virgin curve has one"
        )
    noise = max(second_difference_noise(h, m), sigma_g)
    # From below: a line through too many points would be bent by the flux it looks for.
    top = float(h[max(len(h) // 4, 3)])
    found = None
    for _ in range(8):
        inside = (h > 0) & (h <= top)
        if int(inside.sum()) < 4:
            raise _NoDeparture(
                f"{int(inside.sum())} points below {top:.4g} Oe are too few for a Meissner line; "
                "measure in smaller steps"
            )
        found = _off_the_line(h, m, inside, noise)
        new = _MEISSNER * found.hp
        if abs(new - top) < 1e-9 * top:
            break
        top = new
        early = h < found.hp
        if int(early.sum()) >= _FEWEST:
            noise = max(second_difference_noise(h[early], m[early]), sigma_g)
    if found is None or found.slope > -10 * found.slope_sigma:
        raise _NoDeparture("the Meissner slope is within 10 sigma of zero")
    return found


def _off_the_line(h: Floats, m: Floats, inside: np.ndarray, noise: float) -> _Departure:
    x, y = h[inside], m[inside]
    slope, intercept = float(x @ y / (x @ x)), 0.0
    slope_sigma = noise / math.sqrt(float(x @ x))
    free = np.polyfit(x - x.mean(), y, 1)
    at_zero = float(free[1] - free[0] * x.mean())
    spread = float(np.sum((x - x.mean()) ** 2))
    at_zero_sigma = noise * math.sqrt(1 / len(x) + float(x.mean()) ** 2 / spread)
    if abs(at_zero) > _INTERCEPT * at_zero_sigma:
        slope, intercept, slope_sigma = float(free[0]), at_zero, noise / math.sqrt(spread)
    if slope >= 0:
        raise _NoDeparture("the moment is not diamagnetic in small fields; is its sign reversed?")
    d = m - slope * h - intercept
    # The line has an error too, which grows with the field.
    beyond = d > _BEYOND * np.hypot(noise, slope_sigma * h)
    run = np.convolve(beyond, np.ones(_RUN), "valid") == _RUN
    if not np.any(run):
        raise _NoDeparture(
            f"no {_RUN} points in a row leave the Meissner line by {_BEYOND:g} sigma "
            f"({_BEYOND * noise:.2g} G) up to {h[-1]:.4g} Oe; measure to higher fields"
        )
    place = int(np.flatnonzero(run)[0])
    if place < 3:
        raise _NoDeparture(f"the curve has no Meissner line above {h[0]:.4g} Oe; measure in smaller fields")
    offset = intercept / slope if intercept else 0.0
    return _Departure(h, d, float(h[place]), place, noise, slope, slope_sigma, offset, len(x))


def _by_threshold(
    found: _Departure,
    n: float,
    n_sigma: float,
    criterion: str,
    window: Window,
    shared: Mapping[str, float],
    flags: tuple[str, ...],
) -> Result:
    step = float(found.h[found.place] - found.h[found.place - 1])
    hc1 = found.hp / (1 - n)
    goodness = {
        **shared,
        "meissner_points": float(found.meissner_points),
        "bias_relative": _BIAS,
        "sigma_grid": step / 12**0.5 / (1 - n),
        "sigma_n": hc1 * n_sigma / (1 - n),
    }
    sigma = math.hypot(*(goodness[f"sigma_{name}"] for name in ("grid", "n", "offset", "field")))
    return Result(
        _THRESHOLD,
        hc1,
        sigma,
        "Oe",
        criterion,
        window,
        len(found.h),
        goodness,
        ("upper_bound", *flags),
    )


def _by_extrapolation(
    found: _Departure,
    n: float,
    n_sigma: float,
    criterion: str,
    shared: Mapping[str, float],
    flags: tuple[str, ...],
) -> Result:
    answer = _zero_of_root(found, _WINDOW)
    window: Window = {"field_oe": (_WINDOW[0] * found.hp, _WINDOW[1] * found.hp)}
    if answer is None:
        reason = (
            f"fewer than 5 points with dM > 0 from {window['field_oe'][0]:.4g} to "
            f"{window['field_oe'][1]:.4g} Oe; measure further, in smaller steps"
        )
        return refused(_EXTRAPOLATED, "Oe", criterion, reason, window=window, flags=flags)
    zero, fit, rms, points = answer
    others = [_zero_of_root(found, other) for other in _OTHER_WINDOWS]
    spread = max((abs(other[0] - zero) for other in others if other is not None), default=0.1 * zero)
    hc1 = zero / (1 - n)
    goodness = {
        **shared,
        "rms_relative": rms,
        "sigma_fit": fit / (1 - n),
        "sigma_window": spread / (1 - n),
        "sigma_model": _MODEL * hc1,
        "sigma_n": hc1 * n_sigma / (1 - n),
    }
    terms = ("fit", "window", "model", "n", "offset", "field")
    sigma = math.hypot(*(goodness[f"sigma_{name}"] for name in terms))
    if not 0 < zero <= found.hp:
        reason = (
            f"sqrt(dM) reaches zero at {zero:.4g} Oe, not below first penetration, {found.hp:.4g} Oe: "
            "it is no straight line"
        )
        return refused(
            _EXTRAPOLATED,
            "Oe",
            criterion,
            reason,
            window=window,
            n=points,
            goodness=goodness,
            flags=flags,
        )
    if rms > 0.1:
        flags += ("poor_fit",)
    return Result(_EXTRAPOLATED, hc1, sigma, "Oe", criterion, window, points, goodness, flags)


def _zero_of_root(found: _Departure, window: tuple[float, float]) -> tuple[float, float, float, int] | None:
    """Return where the line through sqrt(dM) is zero, its sigma, the relative rms, how many points."""
    inside = (found.h >= window[0] * found.hp) & (found.h <= window[1] * found.hp) & (found.d > 0)
    n = int(inside.sum())
    if n < 5:
        return None
    x, y = found.h[inside], np.sqrt(found.d[inside])
    slope, mean = np.polyfit(x - x.mean(), y, 1)
    if not slope > 0:
        return None
    zero = float(x.mean() - mean / slope)
    residual = y - mean - slope * (x - x.mean())
    rms = float(np.sqrt(np.sum(residual**2) / (n - 2)))
    lever = math.sqrt(1 / n + (zero - float(x.mean())) ** 2 / float(np.sum((x - x.mean()) ** 2)))
    # An error of the Meissner slope moves all dM together.
    tilted = np.sqrt(np.maximum(found.d[inside] + found.slope_sigma * x, 0))
    other_slope, other_mean = np.polyfit(x - x.mean(), tilted, 1)
    shared = abs(float(x.mean() - other_mean / other_slope) - zero)
    return zero, math.hypot(rms * lever / float(slope), shared), rms / float(y.mean()), n


def lower_critical_field_at_zero(temperatures_k: Sequence[float], found: Sequence[Result]) -> Result:
    """Return Hc1(0), Oe, of Hc1(0) (1 - (T/Tc)^2) through Hc1 at several temperatures, Tc free.

    Goodness holds Tc and its sigma, K. What all temperatures share, the errors of N and of the method, is
    kept out of the weights and added at the end, with that of the field. Flags of the curves stay.

    Raises:
        ValueError: if temperatures and results differ in number.
    """
    if len(temperatures_k) != len(found):
        raise ValueError(f"{len(temperatures_k)} temperatures and {len(found)} results")
    quantity, criterion = "Hc1(0)", "Hc1(0) (1 - (T/Tc)^2), both free"
    known = [
        (
            t,
            result.value,
            result.sigma,
            _shared(result) / result.value,
            result.goodness.get("sigma_field", 0.0),
        )
        for t, result in zip(temperatures_k, found, strict=True)
        if result.value is not None and result.sigma is not None and result.value > 0
    ]
    if len(known) < 3:
        return refused(
            quantity,
            "Oe",
            criterion,
            f"Hc1 is known at {len(known)} temperatures; 3 at least are needed",
            n=len(known),
        )
    t, h, sigma, shared, field = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
    own = np.sqrt(np.maximum(sigma**2 - (shared * h) ** 2 - field**2, (1e-3 * h) ** 2))
    columns = np.column_stack([np.ones_like(t), -(t**2)])
    answer, *_ = np.linalg.lstsq(columns / own[:, None], h / own, rcond=None)
    chi2 = float(np.sum(((h - columns @ answer) / own) ** 2)) / (len(t) - 2)
    covariance = np.linalg.inv((columns / own[:, None]).T @ (columns / own[:, None])) * max(chi2, 1.0)
    hc1, bend = float(answer[0]), float(answer[1])
    window: Window = {"temperature_k": (float(t.min()), float(t.max()))}
    goodness = {
        "chi2_per_dof": chi2,
        "rms_oe": float(np.sqrt(np.mean((h - columns @ answer) ** 2))),
        "sigma_fit": math.sqrt(float(covariance[0, 0])),
        "sigma_shared": math.hypot(hc1 * float(shared.mean()), float(field.max())),
    }
    if not (hc1 > 0 and bend > 2 * math.sqrt(float(covariance[1, 1]))):
        reason = "Hc1 does not fall with T beyond 2 sigma; measure at more temperatures"
        return refused(quantity, "Oe", criterion, reason, window=window, n=len(t), goodness=goodness)
    tc = math.sqrt(hc1 / bend)
    lever = np.array([0.5 / hc1, -0.5 / bend]) * tc
    goodness |= {"tc_k": tc, "sigma_tc_k": math.sqrt(float(lever @ covariance @ lever))}
    flags: tuple[str, ...] = ("poor_fit",) if chi2 > 4 else ()
    if t.min() > 0.5 * tc:
        flags += ("extrapolated_far",)
    of_curves = (flag for one in found if one.value is not None for flag in one.flags if flag != "poor_fit")
    flags += tuple(dict.fromkeys(of_curves))
    return Result(
        quantity,
        hc1,
        math.hypot(goodness["sigma_fit"], goodness["sigma_shared"]),
        "Oe",
        criterion,
        window,
        len(t),
        goodness,
        flags,
    )


def _shared(result: Result) -> float:
    return math.hypot(result.goodness.get("sigma_n", 0.0), result.goodness.get("sigma_model", 0.0))
