"""Thermally assisted flux flow: the activation energy of a resistance that falls as exp(-U/T).

With U = U0 (1 - T/Tc) the slope of ln R against 1/T is -U0 for every T, and the prefactor is R_n exp(U0/Tc);
for another U(T) it is -(U - T dU/dT), which is why the straightness is part of the result.
"""

import math
from typing import Any

import numpy as np

from onnes.analysis.result import Result, refused
from onnes.analysis.sorted_curve import sorted_curve

_LOW, _HIGH = 1e-4, 1e-1  # of R_n: below it is noise, above it flux flow
_FEWEST = 6
_CURVED = 3.0  # sigma of the quadratic term


def activation_energy(
    temperature: Any, resistance: Any, sigma: Any, *, normal_ohm: float, field_oe: float
) -> Result:
    """Return U0, K, of one field from the points between 1e-4 and 1e-1 of ``normal_ohm``.

    goodness: chi2_per_dof, ln_prefactor, tc_k (where the straight line meets R_n), curvature_sigmas. Flag
    ``curved`` where a quadratic term is seen: then the slope is not U0.

    Raises:
        ValueError: if the arrays differ in length, a sigma is negative, or R_n is not a positive number.
    """
    if not (math.isfinite(normal_ohm) and normal_ohm > 0):
        raise ValueError(f"R_n = {normal_ohm} ohm is not a positive number")
    curve = sorted_curve("resistance", temperature, resistance, sigma)
    quantity = f"U0 at {field_oe:.4g} Oe"
    criterion = f"slope of ln R against 1/T, {_LOW:g} to {_HIGH:g} of R_n = {normal_ohm:.4g} ohm"
    seen = (curve.y > _LOW * normal_ohm) & (curve.y < _HIGH * normal_ohm) & (curve.y > 3 * curve.sigma)
    n = int(seen.sum())
    if n < _FEWEST:
        reason = f"{n} points in the window above 3 sigma of noise; {_FEWEST} at least are needed"
        return refused(quantity, "K", criterion, reason, n=n)
    inverse, ln_r = 1 / curve.x[seen], np.log(curve.y[seen])
    error = curve.sigma[seen] / curve.y[seen]
    known = bool(np.all(error > 0))
    weight = 1 / error if known else np.ones(n)
    centre = float(np.average(inverse, weights=weight**2))

    def fitted(degree: int) -> tuple[np.ndarray, np.ndarray, float]:
        design = np.vander(inverse - centre, degree + 1, increasing=True) * weight[:, None]
        covariance = np.linalg.inv(design.T @ design)
        best = covariance @ design.T @ (weight * ln_r)
        rest = weight * ln_r - design @ best
        return best, covariance, float(rest @ rest) / max(n - degree - 1, 1)

    best, covariance, chi2 = fitted(1)
    factor = max(chi2, 1.0) if known else chi2
    value, spread = -float(best[1]), math.sqrt(float(covariance[1, 1]) * factor)
    intercept = float(best[0]) + value * centre
    bent, bent_covariance, bent_chi2 = fitted(2)
    bent_factor = max(bent_chi2, 1.0) if known else max(bent_chi2, 1e-30)
    curvature = float(abs(bent[2]) / math.sqrt(float(bent_covariance[2, 2]) * bent_factor))
    goodness = {
        "chi2_per_dof": chi2,
        "ln_prefactor": intercept,
        "curvature_sigmas": curvature,
    }
    above = intercept - math.log(normal_ohm)
    if above > 0:
        goodness["tc_k"] = value / above
    flags = ("curved",) if curvature > _CURVED else ()
    window = {"temperature_k": (float(curve.x[seen].min()), float(curve.x[seen].max()))}
    return Result(quantity, value, spread, "K", criterion, window, n, goodness, flags)


def field_exponent(field_oe: Any, energies: list[Result]) -> Result:
    """Return q of U0 ~ H^-q from the activation energies of several fields.

    Raises:
        ValueError: if there is not one energy a field.
    """
    h = np.abs(np.asarray(field_oe, dtype=np.float64))
    if len(h) != len(energies):
        raise ValueError(f"{len(h)} fields and {len(energies)} energies; give one of each")
    quantity, criterion = "q of U0 ~ H^-q", "slope of ln U0 against ln H"
    pairs = [
        (field, one.value, one.sigma or 0.0)
        for field, one in zip(h, energies, strict=True)
        if one.value is not None and one.value > 0 and field > 0
    ]
    n = len(pairs)
    if n < 3:
        return refused(quantity, "1", criterion, f"{n} fields with an energy; 3 at least are needed", n=n)
    x = np.log([pair[0] for pair in pairs])
    y = np.log([pair[1] for pair in pairs])
    error = np.array([max(pair[2] / pair[1], 1e-9) for pair in pairs])
    design = np.column_stack([np.ones(n), x]) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    best = covariance @ design.T @ (y / error)
    rest = y / error - design @ best
    chi2 = float(rest @ rest) / (n - 2)
    sigma = math.sqrt(float(covariance[1, 1]) * max(chi2, 1.0))
    window = {"field_oe": (float(min(pair[0] for pair in pairs)), float(max(pair[0] for pair in pairs)))}
    flags = ("poor_fit",) if chi2 > 4 else ()
    return Result(quantity, -float(best[1]), sigma, "1", criterion, window, n, {"chi2_per_dof": chi2}, flags)
