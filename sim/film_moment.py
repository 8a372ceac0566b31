"""The magnetic moment of a thin square film: one trapped field, and the substrate under the film."""

import math
from typing import Final

_LAMBDA_CM: Final = 1e-5  # (a) penetration depth
_FROZEN: Final = 0.98  # (a) of the field, trapped on cooling through Tc
_PINNING_OE: Final = 500.0  # (a) how far the trapped field may differ from the applied one at 0 K
# (k) sapphire: mass susceptibility in emu/g/Oe, density in g/cm^3
_SUBSTRATE_EMU_PER_G_OE: Final = -3.5e-7
_SUBSTRATE_G_PER_CM3: Final = 3.98

ORIENTATIONS: Final = ("perpendicular", "parallel")


class FilmMoment:
    """The history of a film of ``lateral_cm`` by ``lateral_cm`` and its moment in emu.

    It starts without flux at zero field.
    """

    def __init__(
        self,
        *,
        tc_k: float,
        volume_fraction: float,
        width_k: float,
        lateral_cm: float,
        thickness_cm: float,
        substrate_cm: float,
        orientation: str,
    ) -> None:
        self._tc, self._width = tc_k, width_k
        area = lateral_cm**2
        gain = _perpendicular(area) if orientation == "perpendicular" else _parallel(area, thickness_cm)
        self._emu_per_oe = gain * volume_fraction
        self._substrate = area * substrate_cm * _SUBSTRATE_G_PER_CM3 * _SUBSTRATE_EMU_PER_G_OE
        self._trapped_oe = 0.0
        self._moment = 0.0

    def update(self, temperature_k: float, field_oe: float) -> None:
        """Bring the history to temperature in K and field in Oe."""
        self._moment = self._substrate * field_oe
        if temperature_k >= self._tc:
            self._trapped_oe = _FROZEN * field_oe
            return
        order = 1.0 - (temperature_k / self._tc) ** 2
        reach = _PINNING_OE * order**1.5
        self._trapped_oe = min(max(self._trapped_oe, field_oe - reach), field_oe + reach)
        screening = math.tanh((self._tc - temperature_k) / self._width) * order**0.15
        self._moment -= self._emu_per_oe * screening * (field_oe - self._trapped_oe)

    @property
    def emu(self) -> float:
        """Return the moment in emu after the last update."""
        return self._moment


def _perpendicular(area: float) -> float:
    """Return the moment per field in emu/Oe of a disk of ``area`` in cm^2 that screens fully."""
    return 2.0 * math.sqrt(area / math.pi) ** 3 / (3.0 * math.pi)


def _parallel(area: float, thickness: float) -> float:
    """Return the moment per field in emu/Oe of a film in its plane, area in cm^2 and thickness in cm."""
    depth = 2.0 * _LAMBDA_CM / thickness
    return area * thickness / (4.0 * math.pi) * (1.0 - depth * math.tanh(1.0 / depth))
