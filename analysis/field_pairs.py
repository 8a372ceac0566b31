"""Curves at +H and -H, rising and falling, combined so that what has the wrong symmetry drops out (heads)."""

from dataclasses import dataclass

from onnes.analysis.isotherm import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """Mean of a rising and a falling curve on a common grid; ``half_difference`` is the hysteresis, ohm."""

    field: Floats
    resistance: Floats
    sigma: Floats
    half_difference: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Symmetrised:
    """Rxx (even in H) and Rxy (odd in H), ohm, at ``field`` >= 0."""

    field: Floats
    rxx: Floats
    rxy: Floats
    sigma: Floats


def average_directions(
    field_rising: Floats,
    resistance_rising: Floats,
    sigma_rising: Floats | float,
    field_falling: Floats,
    resistance_falling: Floats,
    sigma_falling: Floats | float,
) -> Averaged:
    """Return the mean of both directions at equal reported field; the magnet's remanence cancels to first order."""
    raise NotImplementedError


def symmetrise(
    field_rising: Floats,
    resistance_rising: Floats,
    sigma_rising: Floats | float,
    field_falling: Floats,
    resistance_falling: Floats,
    sigma_falling: Floats | float,
) -> Symmetrised:
    """Pair R(+H, rising) with R(-H, falling): Rxx is half the sum, Rxy half the difference."""
    raise NotImplementedError
