"""A magnetisation loop taken apart: the falling and the rising leg, at equal internal field."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from onnes.analysis.isotherm import Floats
from onnes.analysis.sorted_curve import SortedCurve, sorted_curve

_FEWEST = 8
_WHOLE = 0.9  # of the largest field: how far a leg goes on both sides to be whole
_JITTER = 1e-3  # of the range: steps back of less are the magnet's, not a turn


class IncompleteLoop(Exception):
    """The points are no whole loop; the text says what is missing. Raised by ``legs``."""


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """4 pi M (G) over the applied field (Oe) of the leg with falling and of that with rising field."""

    falling: SortedCurve
    rising: SortedCurve


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """Width of the loop, 4 pi (M_falling - M_rising), G, with its noise, at rising ``field``, Oe."""

    field: Floats
    width: Floats
    sigma: Floats


def legs(field_oe: Any, four_pi_m: Any, sigma_g: Any) -> Legs:
    """Return the whole legs of a loop whose points come in the order in which they were measured.

    A virgin leg before them is left out.

    Raises:
        ValueError: if the arrays differ in length, or a sigma is negative.
        IncompleteLoop: if a leg is missing, does not reach both ends, or has too few points.
    """
    h = np.asarray(field_oe, dtype=np.float64)
    m = np.asarray(four_pi_m, dtype=np.float64)
    sorted_curve("loop", h, m, sigma_g)  # refuses arrays that do not match
    sigma = np.broadcast_to(np.asarray(sigma_g, dtype=np.float64), h.shape)
    good = np.isfinite(h) & np.isfinite(m) & np.isfinite(sigma)
    h, m, sigma = h[good], m[good], sigma[good]
    if len(h) < 2 * _FEWEST:
        raise IncompleteLoop(f"{len(h)} points, fewer than {2 * _FEWEST}")
    low, high = float(h.min()), float(h.max())
    reach = min(-low, high)
    if reach < 0.5 * max(-low, high):
        raise IncompleteLoop(
            f"fields from {low:.6g} to {high:.6g} Oe are one side of a loop; the rising leg has to come from "
            f"{-max(-low, high):.6g} Oe"
        )
    found: dict[int, SortedCurve] = {}
    for start, stop in _runs(h):
        part = slice(start, stop + 1)
        whole = h[part].min() <= -_WHOLE * reach and h[part].max() >= _WHOLE * reach
        if whole and stop - start + 1 >= _FEWEST:
            direction = 1 if h[stop] > h[start] else -1
            found.setdefault(direction, sorted_curve("leg of a loop", h[part], m[part], sigma[part]))
    missing = {-1: "falling", 1: "rising"}
    for direction, name in missing.items():
        if direction not in found:
            raise IncompleteLoop(
                f"the {name} leg does not go through {-_WHOLE * reach:.6g} to {_WHOLE * reach:.6g} Oe in one "
                f"run of {_FEWEST} points or more; measure the whole loop, give its points as measured"
            )
    return Legs(found[-1], found[1])


def opening(legs: Legs, n: float) -> Opening:
    """Return the width of the loop at equal internal field H - N 4 pi M, on the fields of both legs.

    Raises:
        IncompleteLoop: if a leg has fewer than four points before zero internal field.
    """
    inside = [_internal(leg, n) for leg in (legs.falling, legs.rising)]
    low = max(float(leg.x[0]) for leg in inside)
    high = min(float(leg.x[-1]) for leg in inside)
    fewest = min(int(np.sum(inside[0].x >= 0)), int(np.sum(inside[1].x <= 0)))
    if not low < 0 < high or fewest < 4:
        raise IncompleteLoop(
            f"the legs have fewer than 4 points before zero internal field with N = {n:.4g}; measure more"
        )
    grid = np.unique(np.concatenate([leg.x for leg in inside]))
    grid = grid[(grid >= low) & (grid <= high)]
    values = [PchipInterpolator(leg.x, leg.y)(grid) for leg in inside]
    sigma = np.hypot(*(np.interp(grid, leg.x, leg.sigma) for leg in inside))
    return Opening(grid, np.asarray(values[0] - values[1]), sigma)


def width_at_zero(legs: Legs, n: float) -> tuple[float, float, float]:
    """Return the width of the loop at zero internal field, G, its noise, and the error of getting there.

    Each leg is prolonged to zero from the side it comes from: beyond zero flux of the other sign has to
    enter, which it does from Hc1 on, so the legs have a kink there that interpolation would cut off. A
    parabola through the four nearest points; half its distance from the line through the nearest two is the
    error.
    """
    total, variance, error = 0.0, 0.0, 0.0
    for leg, side in ((_internal(legs.falling, n), 1.0), (_internal(legs.rising, n), -1.0)):
        before = np.flatnonzero(side * leg.x >= 0)
        nearest = before[np.argsort(np.abs(leg.x[before]))[:4]]
        x, y, sigma = leg.x[nearest], leg.y[nearest], leg.sigma[nearest]
        columns = np.column_stack([np.ones(len(x)), x, x**2])
        weights = np.linalg.pinv(columns)[0]  # of the points in the parabola at zero
        value = float(weights @ y)
        line = float(y[0] - x[0] * (y[1] - y[0]) / (x[1] - x[0]))
        total += side * value
        variance += float(np.sum((weights * sigma) ** 2))
        error = float(np.hypot(error, (value - line) / 2))
    return total, variance**0.5, error


def tip_slopes(legs: Legs, n: float) -> tuple[float, float]:
    """Return d(4 pi M)/dH_i over the last tenth of each leg before it turns: the falling, the rising one.

    Where flux has reached the centre the moment no longer follows the field; where it has not, the slope is
    that of screening, down to -1.
    """
    slopes = []
    for leg, turns_at_the_top in ((_internal(legs.falling, n), False), (_internal(legs.rising, n), True)):
        count = max(len(leg.x) // 10, 3)
        end = slice(-count, None) if turns_at_the_top else slice(count)
        slopes.append(float(np.polyfit(leg.x[end], leg.y[end], 1)[0]))
    return slopes[0], slopes[1]


def _internal(leg: SortedCurve, n: float) -> SortedCurve:
    return sorted_curve("leg of a loop", leg.x - n * leg.y, leg.y, leg.sigma)


def _runs(h: Floats) -> list[tuple[int, int]]:
    """Return first and last place of each run of fields in one direction."""
    jitter = _JITTER * float(np.ptp(h))
    turns, extreme, direction = [0], 0, 0
    for k in range(1, len(h)):
        if direction == 0:
            if abs(h[k] - h[0]) > jitter:
                direction = 1 if h[k] > h[0] else -1
                extreme = k
        elif direction * (h[k] - h[extreme]) >= 0:
            extreme = k
        elif direction * (h[extreme] - h[k]) > jitter:
            turns.append(extreme)
            direction, extreme = -direction, k
    turns.append(len(h) - 1)
    return [(turns[k], turns[k + 1]) for k in range(len(turns) - 1)]
