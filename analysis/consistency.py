"""Are the isotherms one curve within what is known of the errors? chi^2 with errors that isotherms share.

Points scatter independently; temperature, field and gain are in error by one amount for a whole isotherm,
which therefore gets three more unknowns with a Gaussian prior (dT, dH, gain), linear in ln R through
d ln R/dT, d ln R/dH and 1. What they take up is judged apart from what the points keep.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import chdtrc

from onnes.analysis.common_curve import (
    CommonCurve,
    Points,
    fit_common_curve,
    linear_columns,
    nonlinear_columns,
    product,
    triangle_of,
)
from onnes.analysis.isotherm import Floats

GAIN_SIGMA = (
    1e-3  # repeatability of the gain from isotherm to isotherm: what range and contacts let one hope for
)
_FIRST_DEGREE = 9
_LAST_DEGREE = 19
_SIGNIFICANT = 13.8  # drop of chi^2 by two more coefficients that chance gives once in a thousand
_OE_PER_KOE = 1e3
_STRAY = 0.1


@dataclass(frozen=True, slots=True)
class SharedErrors:
    """What one isotherm may be off by as a whole, one standard deviation: Oe, K, relative gain."""

    field_oe: float
    temperature_k: float
    gain: float = GAIN_SIGMA

    @property
    def stray_oe(self) -> float:
        """Return what the field may stray by along one isotherm, Oe."""
        return _STRAY * self.field_oe

    @property
    def stray_k(self) -> float:
        """Return what the temperature may stray by along one isotherm, K."""
        return _STRAY * self.temperature_k


@dataclass(frozen=True, slots=True)
class Consistency:
    """``points``: chi^2/dof of the points about the curve; ``isotherms``: that of the shared errors.

    ``isotherms_probability`` is the chance of shared errors as large as these.
    """

    chi2: float
    points: float
    isotherms: float
    isotherms_probability: float


def point_noise(points: Points) -> Floats:
    """Return sigma of ln R at each point: as reported, or the scatter about the isotherm's own smooth curve.

    The larger of the two, one value an isotherm: a standard error from three readings is itself uncertain by
    half, so that single weights would favour lucky points.
    """
    sigma = np.empty_like(points.ln_r)
    for k in points.isotherms:
        inside = points.isotherm == k
        x, y = points.field[inside], points.ln_r[inside]
        reported = float(np.mean(points.sigma[inside] ** 2))
        degree = min(12, len(x) // 4, len(np.unique(x)) - 1)
        columns = chebyshev.chebvander((2 * x - x.min() - x.max()) / max(np.ptp(x), 1e-12), degree)
        residual = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
        scatter = float(residual @ residual) / max(len(x) - degree - 1, 1)
        sigma[inside] = np.sqrt(max(reported, scatter))
    floor = 1e-12  # exact data, as a test may give, have no scatter at all
    return np.maximum(sigma, floor)


def stray(points: Points, curve: CommonCurve, noise: Floats, shared: SharedErrors) -> Floats:
    """Return the noise and what T and H stray by along one isotherm: a tenth of the isotherm's own error.

    A bridge resolves 1e-5 of R, which is 0.1 mK in a steep place: settling tails of temperature would refuse
    any film. The tenth is 0.5 mK and 0.5 Oe by default.
    """
    per_k, per_oe = _of_one_sigma(points, curve, shared)
    total: Floats = np.sqrt(noise**2 + (_STRAY * per_k) ** 2 + (_STRAY * per_oe) ** 2)
    return total


def _of_one_sigma(points: Points, curve: CommonCurve, shared: SharedErrors) -> tuple[Floats, Floats]:
    """Return what errors of one sigma in temperature and in field do to ln R."""
    per_k = -curve.slope * curve.kappa * curve.u / points.temperature * shared.temperature_k
    per_oe = curve.slope * points.temperature**-curve.kappa * shared.field_oe / _OE_PER_KOE
    return per_k, per_oe


def consistency(points: Points, curve: CommonCurve, noise: Floats, shared: SharedErrors) -> Consistency:
    """Return how well the points follow a curve like ``curve``, refitted with weights and shared errors.

    One linear step from ``curve``; the residuals are small, so a second would change nothing.
    """
    _, _, columns = linear_columns(points, curve.hc, curve.kappa, curve.degree, background=curve.background)
    nonlinear = nonlinear_columns(points, curve.u, curve.slope, curve.kappa)
    per_k, per_oe = _of_one_sigma(points, curve, shared)
    gain = np.full(len(points.ln_r), shared.gain)
    member = [points.isotherm == k for k in points.isotherms]
    errors = np.column_stack([np.where(m, column, 0.0) for column in (per_k, per_oe, gain) for m in member])
    free = columns.shape[1] + 2
    known = errors.shape[1]
    design = np.zeros((len(points.ln_r) + known, free + known))
    design[: len(points.ln_r)] = np.column_stack([columns, nonlinear, errors]) / noise[:, None]
    design[len(points.ln_r) :, free:] = np.eye(known)
    target = np.concatenate([points.ln_r / noise, np.zeros(known)])
    # the column for Hc is nearly a sum of columns for dH; scaling keeps the triangle well conditioned
    scale = np.linalg.norm(design, axis=0)
    scale[scale == 0] = 1
    r = triangle_of(np.column_stack([design / scale, target]))
    inverse = np.linalg.inv(r[:-1, :-1]) / scale[:, None]
    solution = inverse @ r[:-1, -1]
    residual = target - product(design, solution)
    variance = np.sum(inverse**2, axis=1)
    left = float(np.sum(residual[: len(points.ln_r)] ** 2))
    taken = float(np.sum(solution[free:] ** 2))
    determined = float(np.sum(1 - variance[free:]))  # how many of the shared errors the data can tell
    return Consistency(
        chi2=left + taken,
        points=left / max(len(points.ln_r) - free - determined, 1.0),
        isotherms=taken / max(determined, 1e-9),
        isotherms_probability=float(chdtrc(max(determined, 1e-9), taken)),
    )


def sufficient_degree(
    points: Points, start: tuple[float, float], noise: Floats, shared: SharedErrors
) -> tuple[int, CommonCurve]:
    """Return the least degree (9, 11, ...) that two more coefficients do not improve; its curve with b1 free.

    Quiet data ask for more than degree 9: at a noise of 1e-5 it misses the curve of a bilayer by 2e-5 and
    moves Hc by 8 Oe. The rule looks at chi^2 with the shared errors free, so that neither a background nor a
    gain error hides, or feigns, a stiff polynomial.
    """
    highest = max(_FIRST_DEGREE, min(_LAST_DEGREE, len(points.ln_r) // 12))
    degree = _FIRST_DEGREE
    curve = fit_common_curve(points, start, degree, background=True)
    reached = consistency(points, curve, noise, shared).chi2
    while degree + 2 <= highest:
        trial = fit_common_curve(points, (curve.hc, curve.kappa), degree + 2, background=True)
        chi2_trial = consistency(points, trial, noise, shared).chi2
        if reached - chi2_trial < _SIGNIFICANT:
            break
        degree, curve, reached = degree + 2, trial, chi2_trial
    return degree, curve
