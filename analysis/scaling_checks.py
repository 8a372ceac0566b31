"""What stands beside a collapse: fixed exponents, the map of rms, z*nu per window and by slopes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnes.analysis.collapse_errors import refit, temperature_term
from onnes.analysis.common_curve import CommonCurve, Points, fit_common_curve, sum_of_squares
from onnes.analysis.isotherm import Floats, Isotherm
from onnes.analysis.result import Result, refused

# quantum percolation, classical percolation, and the clean (2+1)-dimensional XY model
FIXED_Z_NU: Mapping[str, float] = {"7/3": 7 / 3, "4/3": 4 / 3, "2/3": 2 / 3}
_MAP_SIZE = 21
_SLIDING = 5  # isotherms a window: fewer leave Hc and z*nu indistinguishable
_SLOPE_HALF_WIDTH_OE = 4000.0  # with a cubic
_SLOPE_LEAST_POINTS = 6


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """How well fixed z*nu collapse the isotherms, Hc free.

    ``ratios`` {name: rms over the rms of the free fit}, ``chosen`` the name with the least, ``ratio`` the rms
    of the next best over that of the chosen.
    """

    ratios: Mapping[str, float]
    chosen: str
    ratio: float


def compare_models(
    points: Points, curve: CommonCurve, z_nu: Mapping[str, float] = FIXED_Z_NU
) -> ModelComparison:
    """Return the rms with each z*nu held, over that of ``curve``."""
    ratios = {}
    for name, value in z_nu.items():
        held = fit_common_curve(
            points,
            (curve.hc, 1 / value),
            curve.degree,
            background=curve.background,
            hold_kappa=True,
        )
        ratios[name] = held.rms / max(curve.rms, 1e-15)  # exact data have no rms
    ranked = sorted(ratios, key=lambda name: ratios[name])
    return ModelComparison(ratios, ranked[0], ratios[ranked[1]] / ratios[ranked[0]])


def rms_map(points: Points, curve: CommonCurve) -> tuple[Floats, Floats, Floats]:
    """Return Hc (Oe), z*nu and log10 of the rms of ln R [z*nu, Hc] around a collapse, no background."""
    hc = curve.hc * np.linspace(0.7, 1.3, _MAP_SIZE)
    z_nu = curve.z_nu * np.geomspace(0.6, 1 / 0.6, _MAP_SIZE)
    squares = [[sum_of_squares(points, h, 1 / z, curve.degree) for h in hc] for z in z_nu]
    rms = np.sqrt(np.maximum(squares, 1e-30) / len(points.ln_r))
    return hc * 1e3, z_nu, np.log10(rms)


def sliding_z_nu(points: Points, curve: CommonCurve, temperature_sigma_k: float) -> list[Result]:
    """Return z*nu of every five neighbouring isotherms.

    Sigma holds the scatter of the points and thermometry, not what the whole set shows; the windows overlap.
    """
    quantity, criterion = "z*nu of five isotherms", f"collapse, degree {curve.degree}"
    temperatures = np.array([points.temperature[points.isotherm == k][0] for k in points.isotherms])
    ranked = np.array(points.isotherms)[np.argsort(temperatures)]
    results = []
    for first in range(len(ranked) - _SLIDING + 1):
        part = points.where(np.isin(points.isotherm, ranked[first : first + _SLIDING]))
        window = {"temperature_k": (float(part.temperature.min()), float(part.temperature.max()))}
        fit = refit(part, curve)
        scatter = np.sqrt(np.sum(np.linalg.inv(fit.triangle) ** 2, axis=1)) * fit.rms
        hc_sigma = float(np.hypot(scatter[0], temperature_term(part, fit, temperature_sigma_k)[0]))
        sigma = float(
            np.hypot(scatter[1] / fit.kappa**2, temperature_term(part, fit, temperature_sigma_k)[1])
        )
        goodness = {"rms": fit.rms, "hc_oe": fit.hc * 1e3, "sigma_hc_oe": hc_sigma * 1e3}
        if not (np.isfinite(sigma) and sigma < fit.z_nu / 2):
            reason = f"z*nu = {fit.z_nu:.3g} is not resolved (sigma {sigma:.2g})"
            results.append(
                refused(quantity, "1", criterion, reason, window=window, n=len(part.ln_r), goodness=goodness)
            )
        else:
            results.append(
                Result(quantity, fit.z_nu, sigma, "1", criterion, window, len(part.ln_r), goodness)
            )
    return results


def z_nu_by_slopes(isotherms: Sequence[Isotherm], hc_oe: float) -> Result:
    """Return z*nu from d ln R/dH at Hc ~ T^(-1/z_nu): some fifty times noisier than the collapse, a check."""
    quantity = "z*nu from slopes at Hc"
    criterion = "d ln R/dH at Hc (cubic within 4 kOe) ~ T^(-1/z*nu)"
    temperatures, slopes, sigmas, n = [], [], [], 0
    for isotherm in isotherms:
        distance = (np.abs(isotherm.field) - hc_oe) / _SLOPE_HALF_WIDTH_OE
        inside = np.abs(distance) <= 1
        if np.count_nonzero(inside) < _SLOPE_LEAST_POINTS:
            continue
        columns = np.vander(distance[inside], 4, increasing=True)
        ln_r = np.log(isotherm.resistance[inside])
        q, r = np.linalg.qr(columns)
        solution = np.linalg.solve(r, q.T @ ln_r)
        residual = ln_r - columns @ solution
        scatter = float(residual @ residual) / (len(ln_r) - 4)
        reported = float(np.mean((isotherm.sigma[inside] / isotherm.resistance[inside]) ** 2))
        inverse = np.linalg.inv(r)
        n += len(ln_r)
        temperatures.append(isotherm.temperature)
        slopes.append(float(solution[1]))
        sigmas.append(float(np.sqrt(max(scatter, reported) * np.sum(inverse[1] ** 2))))
    slope, sigma, t = np.array(slopes), np.array(sigmas), np.array(temperatures)
    if len(t) < 3:
        reason = f"{len(t)} isotherms have {_SLOPE_LEAST_POINTS} points within 4 kOe of Hc; 3 are needed"
        return refused(quantity, "1", criterion, reason, n=n)
    window = {"temperature_k": (float(t.min()), float(t.max()))}
    window["field_oe"] = (hc_oe - _SLOPE_HALF_WIDTH_OE, hc_oe + _SLOPE_HALF_WIDTH_OE)
    if not (np.all(slope > 3 * sigma) or np.all(slope < -3 * sigma)):
        reason = "a slope at Hc is within 3 sigma of zero"
        return refused(quantity, "1", criterion, reason, window=window, n=n)
    relative = np.maximum(sigma / np.abs(slope), 1e-9)
    columns = np.column_stack([np.ones_like(t), np.log(t)]) / relative[:, None]
    solution, *_ = np.linalg.lstsq(columns, np.log(np.abs(slope)) / relative, rcond=None)
    chi2 = float(np.sum((np.log(np.abs(slope)) / relative - columns @ solution) ** 2))
    covariance = np.linalg.inv(columns.T @ columns) * max(1.0, chi2 / (len(t) - 2))
    kappa, kappa_sigma = -float(solution[1]), float(np.sqrt(covariance[1, 1]))
    goodness = {"chi2_per_dof": chi2 / (len(t) - 2), "kappa": kappa}
    if kappa < 3 * kappa_sigma:
        reason = f"1/z*nu = {kappa:.3g} is within 3 sigma ({kappa_sigma:.2g}) of zero"
        return refused(quantity, "1", criterion, reason, window=window, n=n, goodness=goodness)
    return Result(quantity, 1 / kappa, kappa_sigma / kappa**2, "1", criterion, window, n, goodness)
