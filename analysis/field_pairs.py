"""Curves at +H and -H, rising and falling, combined so that what has the wrong symmetry drops out."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from onnes.analysis.isotherm import Floats

_SAME_FIELD = 1e-9  # relative; two readings of one setpoint differ by more and are interpolated


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """Mean of a rising and a falling curve on a common grid, Oe and ohm.

    ``half_difference`` = (R falling - R rising)/2 is the hysteresis, of the sample or of the magnet.
    """

    field: Floats
    resistance: Floats
    sigma: Floats
    half_difference: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Symmetrised:
    """Rxx (even in H) and Rxy (odd in H), ohm, at ``field`` >= 0, Oe; one sigma holds for both."""

    field: Floats
    rxx: Floats
    rxy: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    field: Floats
    resistance: Floats
    sigma: Floats


def average_directions(
    field_rising: Floats,
    resistance_rising: Floats,
    sigma_rising: Floats | float,
    field_falling: Floats,
    resistance_falling: Floats,
    sigma_falling: Floats | float,
) -> Averaged:
    """Return the mean of both directions at equal reported field, on the grid of the rising curve.

    The field at the sample is ahead of the reported one by the same amount in both directions, with opposite
    sign: to first order it cancels in the mean and is all of the half difference.

    Raises:
        ValueError: if the arrays of one curve differ in length, or the curves share no range of fields.
    """
    rising = _curve("rising", field_rising, resistance_rising, sigma_rising)
    falling = _curve("falling", field_falling, resistance_falling, sigma_falling)
    field, own, own_sigma, other, other_sigma = _on_common_fields(rising, falling)
    return Averaged(field, (own + other) / 2, np.hypot(own_sigma, other_sigma) / 2, (other - own) / 2)


def symmetrise(
    field_rising: Floats,
    resistance_rising: Floats,
    sigma_rising: Floats | float,
    field_falling: Floats,
    resistance_falling: Floats,
    sigma_falling: Floats | float,
) -> Symmetrised:
    """Pair R(+H, rising) with R(-H, falling): Rxx is half the sum, Rxy half the difference.

    These two are time reverses of each other, remanence included, so that a Hall pickup drops out of Rxx and
    hysteresis does not fake one. The pair R(+H, falling), R(-H, rising) is averaged in where it was measured,
    which takes the remanence of the magnet out of Rxx to first order.

    Raises:
        ValueError: if the arrays of one curve differ in length, or no field was measured with both signs.
    """
    rising = _curve("rising", field_rising, resistance_rising, sigma_rising)
    falling = _curve("falling", field_falling, resistance_falling, sigma_falling)
    first = _pair(_half(rising, 1), _half(falling, -1))
    second = _pair(_half(falling, 1), _half(rising, -1))
    pairs = [pair for pair in (first, second) if pair is not None]
    if not pairs:
        raise ValueError(
            f"rising from {rising.field[0]:.9g} to {rising.field[-1]:.9g} Oe and falling from "
            f"{falling.field[-1]:.9g} to {falling.field[0]:.9g} Oe share no +H and -H; measure both signs"
        )
    if len(pairs) == 1:
        return pairs[0]
    rxx = [_Curve(pair.field, pair.rxx, pair.sigma) for pair in pairs]
    rxy = [_Curve(pair.field, pair.rxy, pair.sigma) for pair in pairs]
    field, even, even_sigma, other, other_sigma = _on_common_fields(*rxx)
    _, odd, _, other_odd, _ = _on_common_fields(*rxy)
    return Symmetrised(
        field, (even + other) / 2, (odd + other_odd) / 2, np.hypot(even_sigma, other_sigma) / 2
    )


def _curve(name: str, field: Floats, resistance: Floats, sigma: Floats | float) -> _Curve:
    """Return the finite points sorted by field, readings at one field averaged."""
    h, r = np.asarray(field, dtype=np.float64), np.asarray(resistance, dtype=np.float64)
    if h.ndim != 1 or h.shape != r.shape:
        raise ValueError(f"{name}: {h.shape} fields and {r.shape} resistances; give one of each a point")
    s = np.broadcast_to(np.asarray(sigma, dtype=np.float64), h.shape)
    good = np.isfinite(h) & np.isfinite(r) & np.isfinite(s)
    if not good.any():
        raise ValueError(f"{name}: no finite point of {len(h)}")
    unique, member = np.unique(h[good], return_inverse=True)
    counts = np.bincount(member)
    mean = np.bincount(member, r[good]) / counts
    return _Curve(unique, mean, np.sqrt(np.bincount(member, s[good] ** 2)) / counts)


def _half(curve: _Curve, sign: int) -> _Curve:
    """Return the points of one sign of the field, over its magnitude; zero belongs to both."""
    inside = curve.field * sign >= 0
    order = slice(None) if sign > 0 else slice(None, None, -1)
    return _Curve(
        np.abs(curve.field[inside][order]), curve.resistance[inside][order], curve.sigma[inside][order]
    )


def _pair(positive: _Curve, negative: _Curve) -> Symmetrised | None:
    if not len(positive.field) or not len(negative.field):
        return None
    if positive.field[-1] <= negative.field[0] or negative.field[-1] <= positive.field[0]:
        return None
    field, plus, plus_sigma, minus, minus_sigma = _on_common_fields(positive, negative)
    return Symmetrised(field, (plus + minus) / 2, (plus - minus) / 2, np.hypot(plus_sigma, minus_sigma) / 2)


def _on_common_fields(own: _Curve, other: _Curve) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return the fields of ``own`` inside the range of ``other``, with R and sigma of both there.

    A field that both have is taken as measured; between fields the other is interpolated, with the sigma of
    its two neighbours weighed as by a straight line.
    """
    tolerance = _SAME_FIELD * max(abs(own.field[0]), abs(own.field[-1]), 1.0)
    inside = (own.field >= other.field[0] - tolerance) & (own.field <= other.field[-1] + tolerance)
    if not inside.any():
        raise ValueError(
            f"curves from {own.field[0]:.9g} to {own.field[-1]:.9g} Oe and from {other.field[0]:.9g} to "
            f"{other.field[-1]:.9g} Oe share no field; measure both over one range"
        )
    field = np.clip(own.field[inside], other.field[0], other.field[-1])
    if len(other.field) < 2:
        there, there_sigma = np.full(len(field), other.resistance[0]), np.full(len(field), other.sigma[0])
    else:
        there = np.asarray(PchipInterpolator(other.field, other.resistance)(field), dtype=np.float64)
        right = np.clip(np.searchsorted(other.field, field), 1, len(other.field) - 1)
        share = (field - other.field[right - 1]) / (other.field[right] - other.field[right - 1])
        there_sigma = np.hypot((1 - share) * other.sigma[right - 1], share * other.sigma[right])
    return own.field[inside], own.resistance[inside], own.sigma[inside], there, there_sigma
