"""Where ZFC and FC moments part, and the line these temperatures make in the field.

T_irr depends on its criterion more than on the sample: a threshold of 1 % of the moment turns an exponent of
5 into 15. So every answer comes with those of other thresholds, and says where they disagree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import SortedCurve, grid_sigma, sorted_curve

_QUANTITY = "irreversibility temperature"
_EXPONENT, _SCALE = "exponent n of the irreversibility line", "field H0 of the irreversibility line"
_FEWEST = 5
_FEWEST_FIELDS = 3
_LEAST_FACTOR = 3.0  # in the field: a narrower line has no exponent
_LAG_K = 0.05  # (a) between cooling and warming, where a sample is not at its thermometer
_HANGS = 2.0  # times that: a T_irr that moves further is flagged
_SWEEP_K = (3.0, 5.0, 8.0)
_SWEEP_REL = (0.0, 1e-3, 1e-2)

Criterion = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Irreversibility:
    """``chosen``: T_irr, K, by the criterion asked for; ``sweep``: the same by others, {(k, rel): T_irr}."""

    chosen: Result
    sweep: Mapping[Criterion, Result]


@dataclass(frozen=True, slots=True)
class IrreversibilityLine:
    """H = H0 (1 - T_irr/Tc0)^n: ``n``, ``h0`` (Oe), and n by every other criterion, {(k, rel): n}."""

    n: Result
    h0: Result
    sweep: Mapping[Criterion, Result]


@dataclass(frozen=True, slots=True, eq=False)
class _Parting:
    t: Floats
    difference: Floats
    noise: Floats  # of one moment
    largest: float


def irreversibility_temperature(
    zfc_temperature: Any,
    zfc_moment: Any,
    zfc_sigma: Any,
    fc_temperature: Any,
    fc_moment: Any,
    fc_sigma: Any,
    *,
    k: float = 5.0,
    rel: float = 0.0,
    temperature_sigma_k: float = 0.005,
) -> Irreversibility:
    """Return the highest T, K, where M_FC - M_ZFC is beyond max(k sigma sqrt2, rel max|M|), moments in emu.

    The FC curve is interpolated linearly at the temperatures of the ZFC curve, inside its range only. The
    difference must be beyond the threshold at the next colder point too. Sigma holds the noise, the distance
    of the points and ``temperature_sigma_k``, by which the two curves' thermometer readings may differ; the
    change with the criterion is flagged ``criterion`` where it is larger. FC below ZFC by k sigma is no
    physics and is flagged ``fc_below_zfc``; curves that meet below T_irr and part again ``parted_twice``: a
    lag between the thermometers, a jump of the SQUID, or a second phase. A T_irr that moves by more than
    0.1 K where the FC temperatures are taken 50 mK off either way is flagged ``thermometry``.

    Raises:
        ValueError: if the arrays of a curve differ in length, or a sigma is negative.
    """
    zfc = sorted_curve("ZFC moment", zfc_temperature, zfc_moment, zfc_sigma)
    fc = sorted_curve("FC moment", fc_temperature, fc_moment, fc_sigma)
    parting = _parting(zfc, fc)
    sweep = {
        (kk, rr): _parting_temperature(parting, kk, rr, temperature_sigma_k)
        for kk in sorted({*_SWEEP_K, k})
        for rr in sorted({*_SWEEP_REL, rel})
    }
    lagging = [
        _parting_temperature(_parting(zfc, replace(fc, x=fc.x + lag)), k, rel, temperature_sigma_k)
        for lag in (-_LAG_K, _LAG_K)
    ]
    chosen = _with_criterion(sweep[k, rel], sweep)
    return Irreversibility(_with_lag(chosen, lagging), sweep)


def irreversibility_line(
    fields_oe: Sequence[float],
    found: Sequence[Irreversibility],
    *,
    tc0_k: float,
    tc0_sigma_k: float = 0.0,
    field_sigma_oe: float = 0.0,
) -> IrreversibilityLine:
    """Return n and H0 of H = H0 (1 - T_irr/Tc0)^n from T_irr in several fields, Tc0 being known.

    A straight line through ln H against ln(1 - T_irr/Tc0), weighted with the sigmas of T_irr; where it
    scatters by more than they explain they are enlarged by as much. What all fields may be off by together,
    ``field_sigma_oe``, bends the line, and is added at the end: as far as the fields shifted by it move n.

    Args:
        fields_oe: at the sample

    Raises:
        ValueError: if fields and results differ in number, a field is not positive, or Tc0 is not.
    """
    if len(fields_oe) != len(found):
        raise ValueError(f"{len(fields_oe)} fields and {len(found)} irreversibility temperatures")
    if not all(math.isfinite(field) and field > 0 for field in fields_oe):
        raise ValueError("a field of the irreversibility line is not a positive number")
    if not (math.isfinite(tc0_k) and tc0_k > 0):
        raise ValueError(f"Tc0 = {tc0_k} K is not a positive number")
    fields = np.asarray(fields_oe, dtype=np.float64)
    n, h0 = _line(fields, [each.chosen for each in found], tc0_k, tc0_sigma_k, field_sigma_oe)
    shared = [criterion for criterion in (found[0].sweep if found else {}) if _in_all(criterion, found)]
    lines = {
        criterion: _line(
            fields, [each.sweep[criterion] for each in found], tc0_k, tc0_sigma_k, field_sigma_oe
        )
        for criterion in shared
    }
    sweep = {criterion: line[0] for criterion, line in lines.items()}
    scales = {criterion: line[1] for criterion, line in lines.items()}
    return IrreversibilityLine(_with_criterion(n, sweep), _with_criterion(h0, scales), sweep)


def _in_all(criterion: Criterion, found: Sequence[Irreversibility]) -> bool:
    return all(criterion in each.sweep for each in found)


def _parting(zfc: SortedCurve, fc: SortedCurve) -> _Parting | str:
    """Return the difference on the ZFC grid, or why there is none."""
    for name, curve in (("ZFC", zfc), ("FC", fc)):
        if len(curve.x) < _FEWEST:
            return f"{len(curve.x)} points of the {name} curve, fewer than {_FEWEST}"
    inside = (zfc.x >= fc.x[0]) & (zfc.x <= fc.x[-1])
    if int(inside.sum()) < _FEWEST:
        return (
            f"the curves share {int(inside.sum())} temperatures, fewer than {_FEWEST}: ZFC "
            f"{zfc.x[0]:.4g} to {zfc.x[-1]:.4g} K, FC {fc.x[0]:.4g} to {fc.x[-1]:.4g} K"
        )
    t = zfc.x[inside]
    other, _ = fc.at(t)
    # The threshold is that of two measured moments: interpolation averages, but is not a better criterion.
    noise = np.sqrt((zfc.sigma[inside] ** 2 + np.interp(t, fc.x, fc.sigma) ** 2) / 2)
    return _Parting(t, other - zfc.y[inside], noise, float(np.max(np.abs(zfc.y[inside]))))


def _parting_temperature(parting: _Parting | str, k: float, rel: float, temperature_sigma_k: float) -> Result:
    criterion = f"highest T with M_FC - M_ZFC > max({k:g} sigma sqrt2, {rel:g} max|M_ZFC|)"
    if isinstance(parting, str):
        return refused(_QUANTITY, "K", criterion, parting)
    t, n = parting.t, len(parting.t)
    window: Window = {"temperature_k": (float(t[0]), float(t[-1]))}
    threshold = np.maximum(k * 2**0.5 * parting.noise, rel * parting.largest)
    excess = parting.difference - threshold
    goodness = {"noise_emu": float(np.median(parting.noise)), "threshold_emu": float(np.median(threshold))}
    over = excess > 0
    both = np.flatnonzero(over[1:] & over[:-1])
    below = parting.difference < -k * 2**0.5 * parting.noise
    beneath = below[1:] & below[:-1]
    if not len(both):
        if np.any(beneath):
            reason = (
                f"FC lies below ZFC, by up to {float(-parting.difference.min()):.2g} emu: the curves are "
                "exchanged, or the sign of the moment or of the field is reversed"
            )
            return refused(_QUANTITY, "K", criterion, reason, window=window, n=n, goodness=goodness)
        reason = (
            f"the curves do not part by {float(np.median(threshold)):.2g} emu between {t[0]:.4g} and "
            f"{t[-1]:.4g} K"
        )
        return refused(_QUANTITY, "K", criterion, reason, window=window, n=n, goodness=goodness)
    i = int(both[-1]) + 1
    if i + 1 == n:
        reason = f"the curves are apart up to {t[-1]:.4g} K, the highest temperature; measure warmer"
        return refused(_QUANTITY, "K", criterion, reason, window=window, n=n, goodness=goodness)
    step, fall = float(t[i + 1] - t[i]), float(excess[i] - excess[i + 1])
    value = float(t[i]) + step * float(excess[i]) / fall
    noise = min(2**0.5 * float(parting.noise[i]) * step / fall, step)
    grid = grid_sigma(t, excess, i)
    goodness |= {"sigma_noise": noise, "sigma_grid": grid, "sigma_temperature": 2**0.5 * temperature_sigma_k}
    sigma = math.sqrt(noise**2 + grid**2 + 2 * temperature_sigma_k**2)
    flags: tuple[str, ...] = ("fc_below_zfc",) if np.any(beneath) else ()
    joined = ~over[:i]
    if np.any(joined[1:] & joined[:-1]):
        flags += ("parted_twice",)
    return Result(_QUANTITY, value, sigma, "K", criterion, window, n, goodness, flags)


def _with_lag(chosen: Result, lagging: Sequence[Result]) -> Result:
    """Return ``chosen`` with how far another thermometer would move it, flagged where that is far."""
    if chosen.value is None:
        return chosen
    moved = [abs(one.value - chosen.value) for one in lagging if one.value is not None]
    flags = chosen.flags
    if len(moved) < len(lagging) or max(moved) > _HANGS * _LAG_K:
        flags += ("thermometry",)
    return replace(
        chosen, goodness={**chosen.goodness, "moved_by_50_mk": max(moved, default=0.0)}, flags=flags
    )


def _with_criterion(chosen: Result, sweep: Mapping[Criterion, Result]) -> Result:
    """Return ``chosen`` with what the sweep says of it: its range, and a flag where that is beyond sigma."""
    if chosen.value is None or chosen.sigma is None:
        return chosen
    others = [result.value for result in sweep.values() if result.value is not None]
    goodness = {
        **chosen.goodness,
        "sweep_low": min(others, default=chosen.value),
        "sweep_high": max(others, default=chosen.value),
        "sweep_refused": float(sum(result.value is None for result in sweep.values())),
    }
    moved = max((abs(other - chosen.value) for other in others), default=0.0)
    flags = (*chosen.flags, "criterion") if moved > chosen.sigma else chosen.flags
    return Result(
        chosen.quantity,
        chosen.value,
        chosen.sigma,
        chosen.unit,
        chosen.criterion,
        chosen.window,
        chosen.n,
        goodness,
        flags,
    )


def _line(
    fields: Floats, results: Sequence[Result], tc0: float, tc0_sigma: float, field_sigma: float
) -> tuple[Result, Result]:
    criterion = f"ln H against ln(1 - T_irr/Tc0), Tc0 = {tc0:.5g} K"
    if results:
        criterion += f"; T_irr: {results[0].criterion}"
    known = [
        (field, result.value, result.sigma)
        for field, result in zip(fields, results, strict=True)
        if result.value is not None and result.sigma is not None and result.value < tc0
    ]
    reason = _no_line([field for field, _, _ in known], len(fields), tc0)
    if reason:
        return (
            refused(_EXPONENT, "1", criterion, reason, n=len(known)),
            refused(_SCALE, "Oe", criterion, reason, n=len(known)),
        )
    h, t, sigma = (np.array(column) for column in zip(*known, strict=True))
    y, x = np.log(h), np.log(1 - t / tc0)
    x_sigma = np.maximum(sigma, 1e-9) / (tc0 - t)
    n, ln_h0, chi2, covariance = _weighted(x, y, x_sigma)
    freedom = len(x) - 2
    enlarged = max(chi2 / freedom, 1.0)
    step = tc0_sigma or 0.0
    moved = np.zeros(2)
    if step:  # what another Tc0 makes of it
        other = _weighted(np.log(1 - t / (tc0 + step)), y, x_sigma)
        moved = np.array([other[0] - n, other[1] - ln_h0])
    shifted = np.zeros(2)
    if field_sigma:  # up: down, the lowest field might be none
        other = _weighted(x, np.log(h + field_sigma), x_sigma)
        shifted = np.array([other[0] - n, other[1] - ln_h0])
    spread = np.sqrt(np.diag(covariance) * enlarged)
    rms = float(np.sqrt(np.mean((y - ln_h0 - n * x) ** 2)))
    goodness = {"chi2_per_dof": chi2 / freedom, "rms_ln_h": rms, "fields": float(len(fields))}
    flags: tuple[str, ...] = ("poor_fit",) if chi2 / freedom > 4 else ()
    if len(known) < len(fields):
        flags += ("fields_left_out",)
    window: Window = {
        "temperature_k": (float(t.min()), float(t.max())),
        "field_oe": (float(h.min()), float(h.max())),
    }
    total = np.sqrt(spread**2 + moved**2 + shifted**2)
    parts = {
        "sigma_fit": float(spread[0]),
        "sigma_tc0": abs(float(moved[0])),
        "sigma_field": abs(float(shifted[0])),
    }
    h0 = math.exp(ln_h0)
    return (
        Result(_EXPONENT, n, float(total[0]), "1", criterion, window, len(x), {**goodness, **parts}, flags),
        Result(_SCALE, h0, h0 * float(total[1]), "Oe", criterion, window, len(x), goodness, flags),
    )


def _no_line(fields: Sequence[float], asked: int, tc0: float) -> str:
    if len(fields) < _FEWEST_FIELDS:
        return (
            f"T_irr below Tc0 = {tc0:.4g} K is known in {len(fields)} of {asked} fields; "
            f"{_FEWEST_FIELDS} at least are needed"
        )
    if max(fields) < _LEAST_FACTOR * min(fields):
        return (
            f"fields from {min(fields):.4g} to {max(fields):.4g} Oe span less than a factor of "
            f"{_LEAST_FACTOR:g}"
        )
    return ""


def _weighted(x: Floats, y: Floats, x_sigma: Floats) -> tuple[float, float, float, Floats]:
    """Return slope, intercept, chi^2 and covariance of a line whose errors are in x."""
    slope = float(np.polyfit(x, y, 1)[0])
    columns = np.column_stack([x, np.ones_like(x)])
    for _ in range(4):  # the weights depend on the slope, the slope weakly on them
        weight = 1 / (slope * x_sigma)
        answer, *_ = np.linalg.lstsq(columns * weight[:, None], y * weight, rcond=None)
        slope = float(answer[0])
    chi2 = float(np.sum(((y - columns @ answer) * weight) ** 2))
    weighted = columns * weight[:, None]
    return slope, float(answer[1]), chi2, np.asarray(np.linalg.inv(weighted.T @ weighted), dtype=np.float64)
