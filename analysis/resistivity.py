"""Resistivity and sheet resistance from resistance and geometry."""

from onnes.analysis.result import Result


def resistivity(
    resistance_ohm: float,
    resistance_sigma_ohm: float,
    *,
    length_cm: float,
    width_cm: float,
    thickness_cm: float,
    geometry_sigma: float = 0.05,
) -> Result:
    """Return rho = R w t / l, ohm*cm; ``geometry_sigma`` is the relative uncertainty of w t / l (5 %: contacts have a width)."""
    raise NotImplementedError


def sheet_resistance(
    resistance_ohm: float, resistance_sigma_ohm: float, *, length_cm: float, width_cm: float, geometry_sigma: float = 0.05
) -> Result:
    """Return R_sq = R w / l, ohm."""
    raise NotImplementedError
