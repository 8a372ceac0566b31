"""Resistivity and sheet resistance from resistance and geometry."""

import math

from onnes.analysis.result import Result, refused

# The contacts of a film have a width of some 5 % of their distance.
_CONTACTS = 0.05


def resistivity(
    resistance_ohm: float,
    resistance_sigma_ohm: float,
    *,
    length_cm: float,
    width_cm: float,
    thickness_cm: float,
    geometry_sigma: float = _CONTACTS,
) -> Result:
    """Return rho = R w t / l, ohm*cm; ``geometry_sigma`` is the relative uncertainty of w t / l.

    ``sigma`` holds both parts; goodness keeps them apart: ``sigma_statistical`` (ohm*cm) is that of the
    reading, ``sigma_geometry`` (ohm*cm) is the same for every point of the sample and cancels in ratios.

    Raises:
        ValueError: if a size is not a positive number, or an uncertainty is negative or not finite.

    >>> round(resistivity(2.0, 0.0, length_cm=0.5, width_cm=0.1, thickness_cm=1e-5).value, 12)
    4e-06
    """
    sizes = {"length": length_cm, "width": width_cm, "thickness": thickness_cm}
    return _scaled(
        ("resistivity", "ohm*cm", "R w t / l"),
        resistance_ohm,
        resistance_sigma_ohm,
        sizes,
        thickness_cm,
        geometry_sigma,
    )


def sheet_resistance(
    resistance_ohm: float,
    resistance_sigma_ohm: float,
    *,
    length_cm: float,
    width_cm: float,
    geometry_sigma: float = _CONTACTS,
) -> Result:
    """Return R_sq = R w / l, ohm; ``geometry_sigma`` is the relative uncertainty of w / l.

    Raises:
        ValueError: as ``resistivity``.
    """
    sizes = {"length": length_cm, "width": width_cm}
    return _scaled(
        ("sheet resistance", "ohm", "R w / l"),
        resistance_ohm,
        resistance_sigma_ohm,
        sizes,
        1.0,
        geometry_sigma,
    )


def _scaled(
    what: tuple[str, str, str],
    resistance_ohm: float,
    resistance_sigma_ohm: float,
    sizes_cm: dict[str, float],
    thickness: float,
    geometry_sigma: float,
) -> Result:
    quantity, unit, criterion = what
    for name, size in sizes_cm.items():
        if not (math.isfinite(size) and size > 0):
            raise ValueError(
                f"{name} of the sample = {size} cm is not a positive number; correct the sample file"
            )
    for name, sigma in (
        ("sigma of R", resistance_sigma_ohm),
        ("relative sigma of the geometry", geometry_sigma),
    ):
        if not (math.isfinite(sigma) and sigma >= 0):
            raise ValueError(f"{name} = {sigma} is not a finite number of at least 0")
    sizes = ", ".join(f"{name} {size:g} cm" for name, size in sizes_cm.items())
    criterion = f"{criterion}: {sizes}, {geometry_sigma:.2g} relative"
    if not math.isfinite(resistance_ohm):
        return refused(quantity, unit, criterion, f"R = {resistance_ohm} ohm is not a finite number")
    factor = sizes_cm["width"] * thickness / sizes_cm["length"]
    value = resistance_ohm * factor
    statistical, geometry = resistance_sigma_ohm * factor, abs(value) * geometry_sigma
    goodness = {"sigma_statistical": statistical, "sigma_geometry": geometry, "factor": factor}
    flags = ("geometry_dominates",) if geometry > statistical else ()
    return Result(
        quantity,
        value,
        math.hypot(statistical, geometry),
        unit,
        criterion,
        n=1,
        goodness=goodness,
        flags=flags,
    )
