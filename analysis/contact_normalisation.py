"""dI/dV of a contact relative to its normal state: by a curve above Tc, or by what lies beyond the gap.

A curve above Tc has the contact's own background. Without one a polynomial through high biases stands for it.
At 2.2 gaps the conductance is still 2 % above normal, so such a polynomial is a first guess for pictures: a
fit must be free to move it, and the errors of G_N say how far.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from onnes.analysis.btk_fit import ContactCurve
from onnes.analysis.isotherm import Floats
from onnes.analysis.sorted_curve import SortedCurve, sorted_curve

BEYOND_GAPS = 2.2  # of the larger gap: the bias from which a polynomial is drawn
_DEGREE = 2
_FEWEST = 8
_FREE = 0.05  # of G_N, by which each part of a polynomial at high bias may be wrong: the 2 %, and more (a)


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """A curve relative to the normal state, how that is known, and its zero-bias value there, S.

    ``normal_sigma_s`` is its error; None where it is a polynomial beyond the gap, off by more than noise.
    """

    curve: ContactCurve
    by: str
    normal_s: float
    normal_sigma_s: float | None


def by_normal_curve(
    bias_mv: Any,
    conductance_s: Any,
    sigma_s: Any,
    normal_bias_mv: Any,
    normal_s: Any,
    *,
    temperature_k: float,
    normal_k: float,
    modulation_mv_rms: float = 0.0,
) -> Normalised:
    """Return G/G_N with G_N of a curve at ``normal_k`` above Tc, smoothed by a polynomial of degree 2.

    Raises:
        ValueError: if arrays differ in length, the normal curve has fewer than 8 points or does not reach as
            far as the other, or is not positive.
    """
    curve = sorted_curve("conductance", bias_mv, conductance_s, sigma_s)
    normal = sorted_curve("normal conductance", normal_bias_mv, normal_s, 0.0)
    if len(normal.x) < _FEWEST:
        raise ValueError(f"the normal curve has {len(normal.x)} points; {_FEWEST} at least are needed")
    step = 1.5 * float(np.median(np.diff(normal.x)))
    if normal.x[0] > curve.x[0] + step or normal.x[-1] < curve.x[-1] - step:
        raise ValueError(
            f"the normal curve covers {normal.x[0]:.4g} to {normal.x[-1]:.4g} mV, the other "
            f"{curve.x[0]:.4g} to {curve.x[-1]:.4g} mV; measure both over the same bias"
        )
    background = Polynomial.fit(normal.x, normal.y, _DEGREE)
    by = f"curve at {normal_k:.4g} K, polynomial of degree {_DEGREE}"
    # Each row is what one independent part of the polynomial does to it, within one sigma.
    rms = math.sqrt(float(np.sum((normal.y - background(normal.x)) ** 2)) / (len(normal.x) - _DEGREE - 1))
    parts = np.linalg.qr(_powers(normal.x, normal.x))[1]
    errors = rms * np.linalg.solve(parts.T, _powers(np.append(curve.x, 0.0), normal.x).T)
    found = _divided(curve, background, errors[:, :-1], by, temperature_k, modulation_mv_rms)
    return replace(found, normal_sigma_s=float(np.linalg.norm(errors[:, -1])))


def by_high_bias(
    bias_mv: Any,
    conductance_s: Any,
    sigma_s: Any,
    *,
    gap_mv: float,
    temperature_k: float,
    modulation_mv_rms: float = 0.0,
) -> Normalised:
    """Return G/G_N with G_N a polynomial of degree 2 through what lies beyond 2.2 of the larger gap.

    Raises:
        ValueError: if arrays differ in length, or fewer than 8 points lie there on either side.
    """
    curve = sorted_curve("conductance", bias_mv, conductance_s, sigma_s)
    edge = BEYOND_GAPS * gap_mv
    high = np.abs(curve.x) > edge
    sides = int(np.count_nonzero(curve.x > edge)), int(np.count_nonzero(curve.x < -edge))
    if min(sides) < _FEWEST:
        raise ValueError(
            f"{sides[1]} and {sides[0]} points beyond {edge:.3g} mV on either side; {_FEWEST} of each are "
            "needed; measure to higher bias, or a curve above Tc"
        )
    background = Polynomial.fit(curve.x[high], curve.y[high], _DEGREE)
    by = f"polynomial of degree {_DEGREE} beyond {edge:.3g} mV, where G is still some 2 % above normal"
    errors = _FREE * _powers(curve.x, curve.x).T * np.asarray(background(curve.x))
    return _divided(curve, background, errors, by, temperature_k, modulation_mv_rms)


def _powers(bias: Floats, over: Floats) -> Floats:
    """Return 1, x, x^2 with x from -1 to 1 over the biases ``over``; shape (n, 3)."""
    middle, half = 0.5 * (over[0] + over[-1]), 0.5 * (over[-1] - over[0])
    return np.vander((bias - middle) / half, _DEGREE + 1, increasing=True)


def _divided(
    raw: SortedCurve,
    background: Polynomial,
    errors_s: Floats,
    by: str,
    temperature_k: float,
    modulation_mv_rms: float,
) -> Normalised:
    normal = np.asarray(background(raw.x), dtype=np.float64)
    if not np.all(normal > 0):
        raise ValueError("the normal conductance is not positive everywhere; look at the normal curve")
    curve = ContactCurve(
        raw.x, raw.y / normal, raw.sigma / normal, temperature_k, modulation_mv_rms, errors_s / normal
    )
    return Normalised(curve, by, float(background(0.0)), None)
