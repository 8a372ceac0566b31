"""Bodies with a moment and no contacts: a type I ellipsoid, a palladium reference, an empty holder.

None of them has a history, so no crossing of a transition is to be visited.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from onnes.sim.sample_parameters import Parameter, Value, body, chosen, resolved, volume_cm3

_ELEMENTS: Final = ("Pb", "In", "Sn")

TYPE_I_PARAMETERS: Final = (
    *body(2.0, 2.0, 2.0, "assumed"),
    Parameter("element", "", None, "assumed", "Pb, In or Sn; fills tc_k and hc_oe", choices=_ELEMENTS),
    Parameter("tc_k", "K", None, "assumed", "critical temperature; filled by an element", 0.01, 100.0,
              rows={"Pb": (7.196, "assumed"), "In": (3.4145, "assumed"), "Sn": (3.722, "assumed")}),
    Parameter("hc_oe", "Oe", None, "assumed", "critical field at 0 K; filled by an element", 0.1, 1e5,
              rows={"Pb": (803.0, "assumed"), "In": (281.5, "assumed"), "Sn": (305.0, "assumed")}),
    Parameter("demagnetisation", "", 1.0 / 3.0, "assumed", "along the field; 1/3 is a sphere", 1e-3, 0.999),
)  # fmt: skip
PALLADIUM_PARAMETERS: Final = (
    *body(4.0, 3.0, 1.8, "assumed"),
    Parameter("mass_g", "g", 0.26, "assumed", "which alone gives the moment", 1e-6, 1e3),
)
HOLDER_PARAMETERS: Final = (
    Parameter("chi_emu_per_oe", "emu/Oe", 0.0, "assumed", "of this holder, beside the background of the "
              "magnetometer; below 0 diamagnetic", -1e-3, 1e-3),
)  # fmt: skip

_PALLADIUM_EMU_PER_G_OE: Final = 5.25e-6  # at 298 K; reference of the MPMS calibration
# (a) chi over chi(298 K), linear between these temperatures in K and constant beyond them
_PALLADIUM_K: Final = (2.0, 20.0, 50.0, 85.0, 120.0, 200.0, 298.0, 400.0)
_PALLADIUM_SHAPE: Final = (1.24, 1.25, 1.31, 1.335, 1.31, 1.17, 1.0, 0.84)


_PHASES: Final = 32  # of one cycle of an alternating field


class Body:
    """A body whose moment follows temperature and field at once."""

    tc_k: float | None = None

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values
        self._moment = 0.0

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Take over temperature in K and field in Oe; the lab time ``t`` does nothing."""
        del t
        self._moment = self._emu(temperature_k, field_oe)

    def moment_emu(self) -> float:
        """Return the moment in emu after the last update."""
        return self._moment

    def ac_moment_emu(
        self,
        amplitude_oe: float,
        frequency_hz: float,
        temperature_k: float,
        dc_field_oe: float,
        harmonic: int = 1,
    ) -> complex:
        """Return the amplitude of the alternating moment in emu: what follows at once has no loss."""
        del frequency_hz
        cosines = np.cos(2.0 * np.pi * (np.arange(_PHASES) + 0.5) / _PHASES)
        moments = [self._emu(temperature_k, dc_field_oe + amplitude_oe * float(c)) for c in cosines]
        weights = np.cos(2.0 * np.pi * harmonic * (np.arange(_PHASES) + 0.5) / _PHASES)
        return complex(2.0 / _PHASES * float(np.dot(weights, moments)), 0.0)

    def _emu(self, T: float, H: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no moment")


class TypeI(Body):
    """An ellipsoid of a type I superconductor whose axes are length, width and thickness.

    It screens fully up to (1 - N) Hc and is in the intermediate state from there to Hc.
    """

    def __init__(self, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        super().__init__({**values, **words})
        self._tc, self._hc0, self._n = values["tc_k"], values["hc_oe"], values["demagnetisation"]
        self._emu_per_g = math.pi / 6.0 * volume_cm3(values) / (4.0 * math.pi)

    def _emu(self, T: float, H: float) -> float:
        hc = self._hc0 * (1.0 - (T / self._tc) ** 2)
        h = abs(H)
        if hc <= h or self._tc <= T:
            return 0.0
        four_pi_m = h / (1.0 - self._n) if h <= (1.0 - self._n) * hc else (hc - h) / self._n
        return -math.copysign(four_pi_m, H) * self._emu_per_g


class Palladium(Body):
    """The palladium reference that a magnetometer is calibrated with."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(dict(values))
        self._emu_per_oe = _PALLADIUM_EMU_PER_G_OE * values["mass_g"]

    def _emu(self, T: float, H: float) -> float:
        return self._emu_per_oe * float(np.interp(T, _PALLADIUM_K, _PALLADIUM_SHAPE)) * H


class Holder(Body):
    """A sample holder with nothing in it."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(dict(values))
        self._chi = values["chi_emu_per_oe"]

    def _emu(self, T: float, H: float) -> float:
        del T
        return self._chi * H


def make_type_i(table: Mapping[str, Any], source: str) -> TypeI:
    """Return the ellipsoid that ``table`` describes; keys given explicitly beat the ``element``.

    Raises:
        ConfigurationError: for a missing key or a bad value.
    """
    words = chosen(table, TYPE_I_PARAMETERS, source)
    row = words.get("element", "")
    return TypeI(resolved(table, TYPE_I_PARAMETERS, row, "type_i", source), words)


def make_palladium(table: Mapping[str, Any], source: str) -> Palladium:
    """Return the reference that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    return Palladium(resolved(table, PALLADIUM_PARAMETERS, "", "palladium", source))


def make_holder(table: Mapping[str, Any], source: str) -> Holder:
    """Return the holder that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    return Holder(resolved(table, HOLDER_PARAMETERS, "", "holder", source))
