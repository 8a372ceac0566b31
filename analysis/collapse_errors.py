"""The terms of the uncertainty of a collapse, each for (Hc in kOe, z*nu).

A bootstrap alone is not the error: a gain error of 0.1 % per isotherm moves Hc by 300 Oe beside a bootstrap
sigma of 12. What isotherms have in common among themselves shows when one is left out; what is smooth in
temperature shows when a background is allowed; what depends on the field range or the stiffness of the curve
shows when these are changed; a spread of Hc inside the film rounds the curve and shows when it is allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnes.analysis.common_curve import (
    CommonCurve,
    Points,
    fit_common_curve,
    linear_columns,
    nonlinear_columns,
    triangle_of,
)
from onnes.analysis.isotherm import Floats

BOOTSTRAP_SEED = 20111  # fixed, so that the same data give the same digits
BOOTSTRAP_RESAMPLES = 100  # gives sigma_boot to 7 %
WINDOWS = ((25.0, 7), (15.0, 5), (15.0, 7))  # half width about Hc in kOe, degree
_WARM_STEPS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Each term as an array (Hc in kOe, z*nu); ``window_fits`` counts the fits behind ``window``.

    ``b1`` (1/K) and ``spread_koe2``, the variance of Hc inside the film, are what the data ask for.
    """

    bootstrap: Floats
    jackknife: Floats
    window: Floats
    background: Floats
    spread: Floats
    temperature: Floats
    window_fits: int
    b1: float
    b1_sigma: float
    spread_koe2: float
    spread_koe2_sigma: float

    def total(self, field_koe: float) -> Floats:
        """Return the sigma of (Hc in kOe, z*nu).

        ``field_koe`` is the accuracy of the field, which moves Hc alone. What thermometry does is seen by the
        jackknife too, if the readings do err: the larger of the two counts.
        """
        between = np.maximum(self.jackknife, self.temperature)
        parts = (
            self.bootstrap,
            between,
            self.window,
            self.background,
            self.spread,
            np.array([field_koe, 0.0]),
        )
        total: Floats = np.sqrt(np.sum(np.square(parts), axis=0))
        return total


def pair_of(curve: CommonCurve) -> Floats:
    """Return (Hc in kOe, z*nu)."""
    return np.array([curve.hc, curve.z_nu])


def refit(points: Points, curve: CommonCurve, degree: int | None = None) -> CommonCurve:
    """Return the fit of other points, started at ``curve``."""
    return fit_common_curve(
        points,
        (curve.hc, curve.kappa),
        curve.degree if degree is None else degree,
        background=curve.background,
        steps=_WARM_STEPS,
    )


def bootstrap(points: Points, curve: CommonCurve) -> tuple[Floats, float]:
    """Return the sd of (Hc, z*nu), and that of b1, over residuals resampled within each isotherm."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    smooth = points.ln_r - curve.residual
    members = [np.flatnonzero(points.isotherm == k) for k in points.isotherms]
    found = []
    for _ in range(BOOTSTRAP_RESAMPLES):
        ln_r = smooth.copy()
        for inside in members:
            ln_r[inside] += curve.residual[rng.choice(inside, len(inside))]
        again = refit(points.with_ln_r(ln_r), curve)
        found.append([*pair_of(again), again.b1])
    sd = np.std(found, axis=0, ddof=1)
    return sd[:2], float(sd[2])


def jackknife(points: Points, measure: Callable[[Points], Floats]) -> Floats:
    """Return sigma of what ``measure`` returns, leaving one isotherm out at a time."""
    left_out = np.array([measure(points.where(points.isotherm != k)) for k in points.isotherms])
    n = len(left_out)
    sigma: Floats = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0))
    return sigma


def window_scan(points: Points, curve: CommonCurve) -> tuple[Floats, int]:
    """Return the rms change of (Hc, z*nu) over windows about Hc and degrees, and over how many fits."""
    changed = [pair_of(refit(points, curve, curve.degree + more)) for more in (2, 4)]
    for half_width, degree in WINDOWS:
        inside = points.where(np.abs(points.field - curve.hc) <= half_width)
        counts = [np.count_nonzero(inside.isotherm == k) for k in points.isotherms]
        if min(counts) >= degree and np.ptp(np.sign(inside.field - curve.hc)) == 2:
            changed.append(pair_of(refit(inside, curve, degree)))
    return np.sqrt(np.mean((np.array(changed) - pair_of(curve)) ** 2, axis=0)), len(changed)


def spread_change(points: Points, curve: CommonCurve) -> tuple[Floats, float, float]:
    """Return the change of (Hc, z*nu) when Hc may vary inside the film, its variance and the sigma of that.

    The mean of R over a Gaussian of Hc adds var/2 (d2 ln R/dH2 + (d ln R/dH)^2) to ln R, to first order in
    the variance: one more column, var in kOe^2. A negative variance is no spread, and no change.
    """
    _, _, columns = linear_columns(points, curve.hc, curve.kappa, curve.degree, background=curve.background)
    per_field = points.temperature**-curve.kappa
    rounding = (curve.ln_r(curve.u, 2) + curve.slope**2) * per_field**2 / 2
    design = np.column_stack(
        [columns, nonlinear_columns(points, curve.u, curve.slope, curve.kappa), rounding]
    )
    r = triangle_of(np.column_stack([design, points.ln_r]))
    solution = np.linalg.solve(r[:-1, :-1], r[:-1, -1])
    variance = float(solution[-1])
    sigma = float(abs(r[-1, -1] / r[-2, -2]) / np.sqrt(len(points.ln_r)))
    if variance <= 0:
        return np.zeros(2), variance, sigma
    # the linear step in kappa can be large where the data say little: keep it inside what a fit may do
    kappa = max(curve.kappa + float(solution[-2]), curve.kappa / 2)
    return np.array([float(solution[-3]), 1 / kappa - curve.z_nu]), variance, sigma


def temperature_term(points: Points, curve: CommonCurve, temperature_k: float) -> Floats:
    """Return what independent errors of ``temperature_k`` of each isotherm's temperature do to (Hc, z*nu)."""
    per_k = -curve.slope * curve.kappa * curve.u / points.temperature
    shifts = np.column_stack([np.where(points.isotherm == k, per_k, 0.0) for k in points.isotherms])
    _, _, columns = linear_columns(points, curve.hc, curve.kappa, curve.degree, background=curve.background)
    nonlinear = nonlinear_columns(points, curve.u, curve.slope, curve.kappa)
    r = triangle_of(np.column_stack([columns, nonlinear, shifts]))
    linear = columns.shape[1]
    moved = np.linalg.solve(r[linear : linear + 2, linear : linear + 2], r[linear : linear + 2, linear + 2 :])
    hc, kappa = np.sqrt(np.sum(np.square(moved), axis=1)) * temperature_k
    return np.array([hc, kappa / curve.kappa**2])


def error_terms(
    points: Points, plain: CommonCurve, with_b1: CommonCurve, chosen: CommonCurve, sigma_t: float
) -> Terms:
    """Return every term for the ``chosen`` of the two curves."""

    def measured(others: Points) -> Floats:
        again = refit(others, chosen)
        return np.array([*pair_of(again), spread_change(others, again)[1]])

    boot, _ = bootstrap(points, chosen)
    left_out = jackknife(points, measured)
    window, fits = window_scan(points, chosen)
    spread, variance, variance_sigma = spread_change(points, chosen)
    b1, b1_sigma = background_significance(points, with_b1)
    return Terms(
        bootstrap=boot,
        jackknife=left_out[:2],
        window=window,
        background=np.abs(pair_of(with_b1) - pair_of(plain)),
        spread=np.abs(spread),
        temperature=temperature_term(points, chosen, sigma_t),
        window_fits=fits,
        b1=b1,
        b1_sigma=b1_sigma,
        spread_koe2=variance,
        spread_koe2_sigma=float(np.hypot(variance_sigma, left_out[2])),
    )


def background_significance(points: Points, with_b1: CommonCurve) -> tuple[float, float]:
    """Return b1 and its sigma, 1/K: scatter of the points and of the isotherms (jackknife) together."""
    _, _, columns = linear_columns(points, with_b1.hc, with_b1.kappa, with_b1.degree, background=True)
    nonlinear = nonlinear_columns(points, with_b1.u, with_b1.slope, with_b1.kappa)
    r = triangle_of(np.column_stack([columns[:, :-1], nonlinear, columns[:, -1]]))
    from_points = with_b1.rms / abs(float(r[-1, -1]))
    from_isotherms = jackknife(points, lambda others: np.array([refit(others, with_b1).b1]))
    return with_b1.b1, float(np.hypot(from_points, from_isotherms[0]))
