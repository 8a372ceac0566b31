"""Resistance thermometers as samples: a platinum Pt100 and a Cernox-like film."""

import math
from collections.abc import Mapping
from typing import Any, Final

from onnes.sim.phonons import phonons
from onnes.sim.sample_parameters import geometry, resolved
from onnes.sim.samples_generic import OhmicSample

THERMOMETER_PARAMETERS: Final = geometry("thickness_mm", 1.0, "assumed")

_FREEZING_K: Final = 273.15
_STANDARD_FROM_K: Final = 73.15  # IEC 60751 begins at -200 Celsius
_RESIDUAL_OHM: Final = 0.2  # (a)
_PLATINUM_DEBYE_K: Final = 230.0  # (k)
# (a) ln(R / ohm) as a polynomial in ln(T / K), the constant first
_CERNOX: Final = (10.972426, -2.4410255, 0.33896218, -0.0061801288, -0.0026890836)


class Pt100(OhmicSample):
    """A Pt100 after IEC 60751; below the -200 Celsius where that begins, phonons and a residual part (a)."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(dict(values))
        self._phonons = phonons(_PLATINUM_DEBYE_K, 5)
        lattice_ohm = _iec_60751(_STANDARD_FROM_K) - _RESIDUAL_OHM
        self._below_ohm = lattice_ohm / self._phonons(_STANDARD_FROM_K)

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance in ohm; field and lab time do nothing."""
        del field_oe, time_s
        if temperature_k >= _STANDARD_FROM_K:
            return _iec_60751(temperature_k)
        return _RESIDUAL_OHM + self._below_ohm * self._phonons(temperature_k)


class Cernox(OhmicSample):
    """A zirconium oxynitride film, a semiconductor: steep where it is cold."""

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance in ohm; field and lab time do nothing."""
        del field_oe, time_s
        y = math.log(temperature_k)
        total = 0.0
        for coefficient in reversed(_CERNOX):
            total = total * y + coefficient
        return math.exp(total)


def _iec_60751(kelvin: float) -> float:
    t = kelvin - _FREEZING_K
    share = 1.0 + 3.9083e-3 * t - 5.775e-7 * t * t
    if t < 0.0:
        share -= 4.183e-12 * (t - 100.0) * t**3
    return 100.0 * share


def make_pt100(table: Mapping[str, Any], source: str) -> Pt100:
    """Return a Pt100; its geometry changes nothing.

    Raises:
        ConfigurationError: for a bad value.
    """
    return Pt100(resolved(table, THERMOMETER_PARAMETERS, "", "pt100", source))


def make_cernox(table: Mapping[str, Any], source: str) -> Cernox:
    """Return a Cernox-like thermometer; its geometry changes nothing.

    Raises:
        ConfigurationError: for a bad value.
    """
    return Cernox(resolved(table, THERMOMETER_PARAMETERS, "", "cernox", source))
