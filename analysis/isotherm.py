"""One curve R(H) at one temperature, as the scaling analyses take it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Isotherm:
    """R(H) at one temperature, sorted by field.

    Average the rising and the falling curve first (``onnes.analysis.field_pairs``): the remanence of the
    magnet moves them apart, and their mean is free of it to first order.

    Args:
        temperature: mean of the readings, K
        field: reported field, Oe
        resistance: ohm
        sigma: standard error of each resistance, ohm; a number holds for all points

    Raises:
        ValueError: if the temperature is not a positive number, the arrays differ in length, or a resistance
            is not a positive number (a superconducting point has no place in a scaling analysis).
    """

    temperature: float
    field: Floats
    resistance: Floats
    sigma: Floats

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature of an isotherm = {self.temperature} K is not a positive number")
        field, resistance = _floats(self.field), _floats(self.resistance)
        sigma = np.broadcast_to(_floats(self.sigma), resistance.shape)
        if field.ndim != 1 or field.shape != resistance.shape:
            raise ValueError(
                f"isotherm at {self.temperature:.9g} K: {field.shape} fields and "
                f"{resistance.shape} resistances; give one of each a point"
            )
        if not np.all(np.isfinite(field)) or not np.all(np.isfinite(resistance) & (resistance > 0)):
            raise ValueError(
                f"isotherm at {self.temperature:.9g} K: a field is not finite or a resistance not positive; "
                "leave these points out"
            )
        if not np.all(sigma >= 0):  # NaN fails too
            raise ValueError(
                f"isotherm at {self.temperature:.9g} K: a sigma of the resistance is negative or NaN"
            )
        order = np.argsort(field, kind="stable")
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "field", field[order])
        object.__setattr__(self, "resistance", resistance[order])
        object.__setattr__(self, "sigma", sigma[order])


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
