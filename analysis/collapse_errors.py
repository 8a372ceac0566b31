"""The terms of the uncertainty of a collapse, each for (Hc in kOe, z*nu).

A bootstrap alone is not the error: a gain error of 0.1 % per isotherm moves Hc by 300 Oe beside a bootstrap
sigma of 12. What isotherms have in common among themselves shows when one is left out; what is smooth in
temperature shows when a background is allowed; what depends on the field range or the stiffness of the curve
shows when these are changed; a spread of Hc inside the film rounds the curve and shows when it is allowed.
An offset of the thermometer common to all isotherms collapses well with a wrong exponent, and shows when it
is free.
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
    product,
    triangle_of,
)
from onnes.analysis.isotherm import Floats

BOOTSTRAP_SEED = 20111  # fixed, so that the same data give the same digits
BOOTSTRAP_RESAMPLES = 200  # gives sigma_boot to 5 %
# A film whose Hc varies by 1 kOe (sd) is nothing unusual; what the data exclude counts for less.
UNSEEN_SPREAD_KOE2 = 1.0
WINDOWS = ((25.0, 7), (15.0, 5), (15.0, 7))  # half width about Hc in kOe, degree
_WARM_STEPS = 6
_OFFSET_STEPS = 4
_MOST_OFFSET = 0.25  # of the coldest temperature
# What a good thermometer may be off by; an offset that the data do not show beyond 3 sigma counts no more.
UNSEEN_OFFSET_K = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Each term as an array (Hc in kOe, z*nu); ``window_fits`` counts the fits behind ``window``.

    ``b1`` (1/K) and ``spread_koe2``, the variance of Hc inside the film, are what the data ask for;
    so is ``offset_k``, how much too high the thermometer reads at every isotherm.
    """

    bootstrap: Floats
    jackknife: Floats
    window: Floats
    background: Floats
    spread: Floats
    temperature: Floats
    offset: Floats
    window_fits: int
    b1: float
    b1_sigma: float
    spread_koe2: float
    spread_koe2_sigma: float
    offset_k: float
    offset_k_sigma: float

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
            self.offset,
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


def linear_response(points: Points, curve: CommonCurve, changes: Floats) -> Floats:
    """Return the changes of (Hc in kOe, kappa), as rows, that small ``changes`` of ln R (columns) make."""
    _, _, columns = linear_columns(points, curve.hc, curve.kappa, curve.degree, background=curve.background)
    design = np.column_stack([columns, nonlinear_columns(points, curve.u, curve.slope, curve.kappa)])
    inverse = np.linalg.inv(triangle_of(design))
    influence = [product(design, inverse @ inverse[row]) for row in (-2, -1)]
    response: Floats = np.einsum("rn,nc->rc", influence, changes)
    return response


def bootstrap(points: Points, curve: CommonCurve) -> Floats:
    """Return the sd of (Hc in kOe, z*nu) over residuals resampled within each isotherm.

    Every resample is one step of the fit away: residuals are small against the curve. A test compares with
    full fits at a noise a hundred times that of a bridge.
    """
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    resampled = np.empty((len(points.ln_r), BOOTSTRAP_RESAMPLES))
    for k in points.isotherms:
        inside = np.flatnonzero(points.isotherm == k)
        resampled[inside] = curve.residual[rng.choice(inside, (len(inside), BOOTSTRAP_RESAMPLES))]
    hc, kappa = np.std(linear_response(points, curve, resampled), axis=1, ddof=1)
    return np.array([hc, kappa / curve.kappa**2])


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


def rounding_by_spread(points: Points, curve: CommonCurve) -> Floats:
    """Return what a spread of Hc inside the film adds to ln R, per kOe^2 of its variance.

    The mean of R over a Gaussian of Hc adds var/2 (d2 ln R/dH2 + (d ln R/dH)^2), to first order in var.
    """
    rounding: Floats = (
        (curve.ln_r(curve.u, 2) + curve.slope**2) * points.temperature ** (-2 * curve.kappa) / 2
    )
    return rounding


def spread_variance(points: Points, curve: CommonCurve) -> tuple[float, float]:
    """Return the variance of Hc inside the film that the points ask for, kOe^2, and its sigma."""
    _, _, columns = linear_columns(points, curve.hc, curve.kappa, curve.degree, background=curve.background)
    nonlinear = nonlinear_columns(points, curve.u, curve.slope, curve.kappa)
    rounding = rounding_by_spread(points, curve)
    r = triangle_of(np.column_stack([columns, nonlinear, rounding, curve.residual]))
    sigma = abs(r[-1, -1] / r[-2, -2]) / np.sqrt(len(points.ln_r))
    return float(r[-2, -1] / r[-2, -2]), float(sigma)


def temperature_term(points: Points, curve: CommonCurve, temperature_k: float) -> Floats:
    """Return what independent errors of ``temperature_k`` of each isotherm's temperature do to (Hc, z*nu)."""
    per_k = _per_k(points, curve)
    shifts = np.column_stack([np.where(points.isotherm == k, per_k, 0.0) for k in points.isotherms])
    moved = linear_response(points, curve, shifts)
    hc, kappa = np.sqrt(np.sum(np.square(moved), axis=1)) * temperature_k
    return np.array([hc, kappa / curve.kappa**2])


def _per_k(points: Points, curve: CommonCurve) -> Floats:
    """Return d ln R/dT at each point, (Hc, kappa) and the curve held."""
    return -curve.slope * curve.kappa * curve.u / points.temperature


def temperature_offset(points: Points, curve: CommonCurve) -> tuple[float, float, Floats]:
    """Return by how much all temperatures read too high, K, its sigma, and (Hc, z*nu) with it free.

    Sigma holds the scatter of the points and of the isotherms (jackknife), which see what thermometry did.
    """
    offset, corrected, best = 0.0, points, curve
    for _ in range(_OFFSET_STEPS):
        offset -= _offset_step(corrected, best)[0]
        # a step beyond this would carry the coldest isotherm towards zero, where nothing is linear
        limit = _MOST_OFFSET * float(points.temperature.min())
        offset = float(np.clip(offset, -limit, limit))
        corrected = points.with_temperature(points.temperature - offset)
        best = refit(corrected, curve)

    def step(others: Points) -> Floats:
        return np.array([_offset_step(others, refit(others, best))[0]])

    from_points = _offset_step(corrected, best)[1]
    return offset, float(np.hypot(from_points, jackknife(corrected, step)[0])), pair_of(best)


def _offset_step(points: Points, curve: CommonCurve) -> tuple[float, float]:
    """Return what is to be added to all temperatures, K, and its sigma from the scatter of the points."""
    _, _, columns = linear_columns(points, curve.hc, curve.kappa, curve.degree, background=curve.background)
    nonlinear = nonlinear_columns(points, curve.u, curve.slope, curve.kappa)
    r = triangle_of(np.column_stack([columns, nonlinear, _per_k(points, curve), curve.residual]))
    return float(r[-2, -1] / r[-2, -2]), curve.rms / abs(float(r[-2, -2]))


def error_terms(
    points: Points, plain: CommonCurve, with_b1: CommonCurve, chosen: CommonCurve, sigma_t: float
) -> Terms:
    """Return every term for the ``chosen`` of the two curves."""

    def measured(others: Points) -> Floats:
        again = refit(others, chosen)
        return np.array([*pair_of(again), spread_variance(others, again)[0]])

    left_out = jackknife(points, measured)
    window, fits = window_scan(points, chosen)
    b1, b1_sigma = background_significance(points, with_b1)
    variance, scatter = spread_variance(points, chosen)
    variance_sigma = float(np.hypot(scatter, left_out[2]))
    per_variance = np.abs(linear_response(points, chosen, rounding_by_spread(points, chosen)[:, None]))[:, 0]
    unseen = np.hypot(max(variance, 0.0), min(variance_sigma, UNSEEN_SPREAD_KOE2))
    offset_k, offset_sigma, with_offset = temperature_offset(points, chosen)
    seen = abs(offset_k) > 3 * offset_sigma
    weight = 1.0 if seen else UNSEEN_OFFSET_K / max(abs(offset_k), UNSEEN_OFFSET_K)
    return Terms(
        bootstrap=bootstrap(points, chosen),
        jackknife=left_out[:2],
        window=window,
        background=np.abs(pair_of(with_b1) - pair_of(plain)),
        spread=unseen * per_variance * np.array([1.0, 1 / chosen.kappa**2]),
        temperature=temperature_term(points, chosen, sigma_t),
        offset=np.abs(with_offset - pair_of(chosen)) * weight,
        window_fits=fits,
        b1=b1,
        b1_sigma=b1_sigma,
        spread_koe2=variance,
        spread_koe2_sigma=variance_sigma,
        offset_k=offset_k,
        offset_k_sigma=offset_sigma,
    )


def background_significance(points: Points, with_b1: CommonCurve) -> tuple[float, float]:
    """Return b1 and its sigma, 1/K: scatter of the points and of the isotherms (jackknife) together."""
    _, _, columns = linear_columns(points, with_b1.hc, with_b1.kappa, with_b1.degree, background=True)
    nonlinear = nonlinear_columns(points, with_b1.u, with_b1.slope, with_b1.kappa)
    r = triangle_of(np.column_stack([columns[:, :-1], nonlinear, columns[:, -1]]))
    from_points = with_b1.rms / abs(float(r[-1, -1]))
    from_isotherms = jackknife(points, lambda others: np.array([refit(others, with_b1).b1]))
    return with_b1.b1, float(np.hypot(from_points, from_isotherms[0]))
