"""Field at the sample of a magnet set to zero, from a palladium standard.

A superconducting magnet holds some Oe when it reports none, and there is no field sensor in a magnetometer.
Palladium is a paramagnet of known susceptibility: its moment is zero where the field is.
"""

import math
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import sorted_curve

_QUANTITY = "residual field"
_CHI_298 = 5.25e-6  # emu/g/Oe, of the standard sold with the magnetometers
# chi(T)/chi(298 K); the shape is an assumption with a flat maximum near 85 K, linear between.
_SHAPE_K = np.array([2.0, 20.0, 50.0, 85.0, 120.0, 200.0, 298.0, 400.0])
_SHAPE = np.array([1.24, 1.25, 1.31, 1.335, 1.31, 1.17, 1.0, 0.84])
_CHI_SIGMA = 0.02  # relative, (a): 298 K is certified, the shape is not
_MASS_SIGMA = 0.002  # relative: 0.26 g on a balance of 0.5 mg
_SEEN = 10.0  # sigma of the slope: a moment that does not follow the field says nothing of it
_NOT_PD = 3.0  # sigma between the slope and mass x chi


def palladium_susceptibility(temperature_k: float) -> float:
    """Return chi_g of palladium, emu/g/Oe.

    Raises:
        ValueError: outside 2 to 400 K.

    >>> palladium_susceptibility(298.0)
    5.25e-06
    """
    low, high = float(_SHAPE_K[0]), float(_SHAPE_K[-1])
    if not low <= temperature_k <= high:
        raise ValueError(
            f"temperature of the palladium standard = {temperature_k:.4g} K is outside "
            f"[{low:g}, {high:g}] K, the range of its table"
        )
    return _CHI_298 * float(np.interp(temperature_k, _SHAPE_K, _SHAPE))


def residual_field(
    field_oe: Any,
    moment_emu: Any,
    sigma_emu: Any,
    *,
    temperature_k: float,
    mass_g: float,
    mass_sigma: float = _MASS_SIGMA,
    chi_sigma: float = _CHI_SIGMA,
) -> Result:
    """Return the field at the sample less the reported field, Oe, from moments of a palladium standard.

    With reported fields on both sides of zero it is the intercept of a line m(H) over its slope, free of the
    mass and of chi to first order. With one side alone it is the mean of m/(chi mass) - H, and carries
    their errors: flagged ``one_sided``. A slope that is not mass times chi is flagged ``not_palladium``: the
    standard's own moment, or a wrong mass, is then in the result too.

    Args:
        field_oe: reported fields near zero, both approached in the same way as for the sample
        mass_sigma: relative
        chi_sigma: relative

    Raises:
        ValueError: if the arrays differ in length, a sigma is negative, the mass is not positive, or the
            temperature is outside 2 to 400 K.
    """
    if not (math.isfinite(mass_g) and mass_g > 0):
        raise ValueError(f"mass of the palladium standard = {mass_g} g is not a positive number")
    per_oe = palladium_susceptibility(temperature_k) * mass_g
    relative = math.hypot(mass_sigma, chi_sigma)
    curve = sorted_curve("moment of the palladium standard", field_oe, moment_emu, sigma_emu)
    h, m, sigma = curve.x, curve.y, curve.sigma
    n = len(h)
    window: Window = {"field_oe": (float(h[0]), float(h[-1]))} if n else {}
    if n >= 3 and h[0] < 0 < h[-1]:
        return _intercept(h, m, sigma, per_oe, relative, window)
    criterion = f"mean of m/(chi mass) - H, chi mass = {per_oe:.4g} emu/Oe"
    if not n:
        return refused(_QUANTITY, "Oe", criterion, "no moments of the palladium standard")
    true = m / per_oe
    noise = (
        max(float(np.sqrt(np.sum(sigma**2))) / n, float(m.std(ddof=1)) / n**0.5 if n > 2 else 0.0) / per_oe
    )
    shared = abs(float(true.mean())) * relative
    goodness = {"sigma_noise": noise, "sigma_mass_chi": shared}
    value = float(np.mean(true - h))
    return Result(
        _QUANTITY, value, math.hypot(noise, shared), "Oe", criterion, window, n, goodness, ("one_sided",)
    )


def _intercept(h: Floats, m: Floats, sigma: Floats, per_oe: float, relative: float, window: Window) -> Result:
    n = len(h)
    criterion = "field where the line m(H) of both signs is zero, sign reversed"
    known = bool(np.all(sigma > 0))
    weight = 1 / sigma if known else np.ones(n)
    columns = np.column_stack([np.ones(n), h]) * weight[:, None]
    answer, *_ = np.linalg.lstsq(columns, m * weight, rcond=None)
    at_zero, slope = float(answer[0]), float(answer[1])
    residual = m - at_zero - slope * h
    chi2 = float(np.sum((residual * weight) ** 2)) / (n - 2)
    covariance = np.linalg.inv(columns.T @ columns) * (max(chi2, 1.0) if known else chi2)
    slope_sigma = math.sqrt(float(covariance[1, 1]))
    goodness = {
        "rms_emu": float(np.sqrt(np.mean(residual**2))),
        "slope_emu_per_oe": slope,
        "sigma_slope_emu_per_oe": slope_sigma,
        "slope_over_mass_chi": slope / per_oe,
    }
    if known:
        goodness["chi2_per_dof"] = chi2
    if abs(slope) < _SEEN * slope_sigma:
        reason = (
            f"the moment does not follow the field: slope {slope:.2g} emu/Oe within {_SEEN:g} sigma of zero; "
            "is the standard mounted and centred?"
        )
        return refused(_QUANTITY, "Oe", criterion, reason, window=window, n=n, goodness=goodness)
    value = at_zero / slope
    lever = np.array([1.0, -value]) / slope
    noise = math.sqrt(float(lever @ covariance @ lever))
    foreign = abs(slope - per_oe) > _NOT_PD * math.hypot(slope_sigma, per_oe * relative)
    flags: tuple[str, ...] = ("not_palladium",) if foreign else ()
    if chi2 > 4 and known:
        flags += ("poor_fit",)
    return Result(_QUANTITY, value, noise, "Oe", criterion, window, n, goodness, flags)
