"""Passes of a sweep in one array: found, sorted, and freed of double points."""

import itertools

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.transition_metrics import Curve, NoTransition

_PASS_SHARE = 0.5  # of the whole range: a shorter run back is noise or a retry
_DISAGREE = 5.0  # sigma
_DROPS = 3


def split_passes(
    temperature: Floats, resistance: Floats, sigma: Floats
) -> list[tuple[Floats, Floats, Floats]]:
    """Return one part for each pass up or down, in order; points that are in no order stay in one part."""
    whole = (temperature, resistance, sigma)
    if len(temperature) < 6:
        return [whole]
    span = float(np.ptp(temperature))
    turns = [0]
    extreme, rising = 0, 0  # index of the farthest point of the pass; +1, -1, or 0 before the first move
    for k, kelvin in enumerate(temperature):
        move = float(kelvin - temperature[extreme])
        if rising == 0:
            if abs(move) > _PASS_SHARE * span:
                rising, extreme = (1 if move > 0 else -1), k
        elif move * rising >= 0:
            extreme = k
        elif abs(move) > _PASS_SHARE * span:
            turns.append(extreme + 1)
            rising, extreme = -rising, k
    turns.append(len(temperature))
    parts = [tuple(x[a:b] for x in whole) for a, b in itertools.pairwise(turns)]
    if len(parts) == 1 or len(parts) > 4:  # many turns over half of the range: no order at all
        return [whole]
    # Each point that breaks the order must be a small step: else this is a mixture, not a pass.
    for part in parts:
        steps = np.diff(part[0]) * np.sign(part[0][-1] - part[0][0])
        if float(-steps[steps < 0].sum()) > 0.2 * span:
            return [whole]
    return [(t, r, s) for t, r, s in parts]


def one_curve(temperature: Floats, resistance: Floats, sigma: Floats, temperature_sigma_k: float) -> Curve:
    """Return the points sorted by temperature, those at one temperature averaged.

    Raises:
        NoTransition: if points at one temperature, or neighbours in a merged sweep, disagree.
    """
    order = np.argsort(temperature, kind="stable")
    t, r, s = temperature[order], resistance[order], sigma[order]
    if len(t) < 2:
        return Curve(t, r, s)
    groups = np.concatenate([[0], np.cumsum(np.diff(t) > 1e-6)])  # K; below the resolution of any thermometer
    count = np.bincount(groups)
    mean_t, mean_r = np.bincount(groups, t) / count, np.bincount(groups, r) / count
    mean_s = np.sqrt(np.bincount(groups, s**2)) / count
    slope = np.abs(np.gradient(mean_r, mean_t)) if len(mean_t) > 1 else np.zeros(1)
    steepest = float(np.percentile(slope, 98)) if len(slope) else 0.0
    floor = 1e-9 * float(np.abs(r).max())
    allowed = (
        _DISAGREE * np.sqrt(s**2 + (np.minimum(slope, steepest)[groups] * temperature_sigma_k) ** 2) + floor
    )
    off = np.abs(r - mean_r[groups]) > allowed
    if np.any(off & (s > 0)):
        k = int(np.argmax(np.abs(r - mean_r[groups]) / allowed))
        raise NoTransition(
            f"points at {t[k]:.6g} K disagree by {2 * abs(r[k] - mean_r[groups][k]):.2g} ohm, "
            "more than their errors; analyse the sweeps apart"
        )
    curve = Curve(mean_t, mean_r, mean_s)
    _check_merged(curve, temperature_sigma_k)
    return curve


def _check_merged(curve: Curve, temperature_sigma_k: float) -> None:
    """Refuse two shifted curves in one: neighbours then go up and down by far more than their noise."""
    t, r = curve.temperature, curve.resistance
    if len(t) < 12:
        return
    # Noise where nothing happens: the quieter half of the second differences (weights 1, -2, 1).
    quiet = float(np.percentile(np.abs(np.diff(r, 2)), 50)) / 0.6745 / 6**0.5
    smooth_t, smooth_r = _running(t, 6), _running(r, 6)
    slope = np.interp((t[1:] + t[:-1]) / 2, smooth_t, np.gradient(smooth_r, smooth_t))
    from_r, from_t = max(quiet, float(np.median(curve.sigma))), slope * temperature_sigma_k
    limit = _DISAGREE * 2**0.5 * np.hypot(from_r, from_t)
    drops = (-np.diff(r) > limit) & (slope > max(0.3 * float(slope.max()), 0.0))
    # 20 mK, the agreement asked of two sweeps, is no disagreement whatever the errors say.
    drops &= -np.diff(r) > 0.02 * slope
    if np.count_nonzero(drops) >= _DROPS and float(np.ptp(r)) > 20 * quiet:
        k = int(np.argmax(np.where(drops, -np.diff(r), 0)))
        raise NoTransition(
            f"R falls {np.count_nonzero(drops)} times with rising T, by up to {r[k] - r[k + 1]:.2g} ohm at "
            f"{t[k]:.6g} K, more than the errors: "
            "merged sweeps disagree; analyse them apart, or correct the lag"
        )


def _running(values: Floats, size: int) -> Floats:
    return np.convolve(values, np.full(size, 1 / size), mode="valid")
