"""Coherence length from Hc2 and penetration depth from Hc1, in Ginzburg-Landau theory."""

import math

from scipy.optimize import brentq

from onnes.analysis.result import Result, refused

PHI0_OE_CM2 = 2.067834e-7  # flux quantum
_NM_PER_CM = 1e7
_XI, _LAMBDA = "GL coherence length", "GL penetration depth"


def coherence_length(hc2_oe: float, hc2_sigma_oe: float) -> Result:
    """Return xi = sqrt(phi0/(2 pi Hc2)), nm.

    Raises:
        ValueError: if a sigma is negative or not finite.

    >>> round(coherence_length(97900.0, 0.0).value, 2)
    5.8
    """
    _check_sigma("Hc2", hc2_sigma_oe, "Oe")
    criterion = f"xi = sqrt(phi0/(2 pi Hc2)), Hc2 = {hc2_oe:.6g} Oe"
    if not (math.isfinite(hc2_oe) and hc2_oe > 0):
        return refused(_XI, "nm", criterion, f"Hc2 = {hc2_oe} Oe is not a positive number")
    xi = math.sqrt(PHI0_OE_CM2 / (2 * math.pi * hc2_oe)) * _NM_PER_CM
    return Result(_XI, xi, 0.5 * xi * hc2_sigma_oe / hc2_oe, "nm", criterion, n=1)


def penetration_depth(
    hc1_oe: float, hc1_sigma_oe: float, xi_nm: float, xi_sigma_nm: float, *, core: float = 0.0
) -> Result:
    """Return lambda, nm, that solves Hc1 = phi0/(4 pi lambda^2) [ln(lambda/xi) + core].

    ``core`` is the energy of the vortex core: 0 without it, as published numbers are often computed, 0.5 in
    the London limit. It changes lambda by more than errors of Hc1 do, so the criterion prints it.

    Raises:
        ValueError: as ``coherence_length``.

    >>> round(penetration_depth(713.0, 0.0, 5.7, 0.0).value, 2)
    77.63
    """
    _check_sigma("Hc1", hc1_sigma_oe, "Oe")
    _check_sigma("xi", xi_sigma_nm, "nm")
    criterion = (
        f"Hc1 = phi0/(4 pi lambda^2) [ln(lambda/xi) + core], core = {core:g}, "
        f"Hc1 = {hc1_oe:.6g} Oe, xi = {xi_nm:.4g} nm"
    )
    for name, value, unit in (("Hc1", hc1_oe, "Oe"), ("xi", xi_nm, "nm")):
        if not (math.isfinite(value) and value > 0):
            return refused(_LAMBDA, "nm", criterion, f"{name} = {value} {unit} is not a positive number")
    scale = PHI0_OE_CM2 / (4 * math.pi) * _NM_PER_CM**2

    def excess(nm: float) -> float:
        return scale / nm**2 * (math.log(nm / xi_nm) + core) - hc1_oe

    # Hc1 falls with lambda only beyond ln(lambda/xi) + core = 1/2; the root below it has no meaning.
    largest = xi_nm * math.exp(0.5 - core)
    if excess(largest) <= 0:
        reason = (
            f"Hc1 = {hc1_oe:.4g} Oe is above {excess(largest) + hc1_oe:.4g} Oe, the largest that "
            f"xi = {xi_nm:.4g} nm allows; check units and Hc2"
        )
        return refused(_LAMBDA, "nm", criterion, reason)
    far = largest
    while excess(far) > 0:
        far *= 2
    depth = float(brentq(excess, largest, far, xtol=1e-10, rtol=1e-14))
    bracket = math.log(depth / xi_nm) + core
    # d ln Hc1 = (1/bracket - 2) d ln lambda - (1/bracket) d ln xi
    steep = 2 - 1 / bracket
    from_hc1 = depth * hc1_sigma_oe / hc1_oe / steep
    from_xi = depth * xi_sigma_nm / xi_nm / bracket / steep
    goodness = {"kappa": depth / xi_nm, "core": core, "sigma_hc1": from_hc1, "sigma_xi": from_xi}
    return Result(_LAMBDA, depth, math.hypot(from_hc1, from_xi), "nm", criterion, n=1, goodness=goodness)


def _check_sigma(name: str, sigma: float, unit: str) -> None:
    if not (math.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma of {name} = {sigma} {unit} is not a finite number of at least 0")
