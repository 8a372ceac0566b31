"""The conductance between a normal metal and a superconductor: BTK with broadening, and its thermal smearing.

Energies in meV and voltages in mV, so that one is the other. Blonder, Tinkham, Klapwijk, Phys. Rev. B 25,
4515; the broadening as Dynes, Phys. Rev. Lett. 41, 1509 (k).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BOLTZMANN_MEV_PER_K: Final = 0.0861733
NODES_PER_KT: Final = 10  # of energy, for each kT
_REACH_KT: Final = 9  # the derivative of the Fermi function is followed this far to each side
_SMALLEST_GAMMA_MEV: Final = 1e-6  # keeps the square root on its branch at the edge of the gap

_X: Final = np.arange(-_REACH_KT * NODES_PER_KT, _REACH_KT * NODES_PER_KT + 1) / NODES_PER_KT
_UNSCALED: Final = 1.0 / (4.0 * np.cosh(0.5 * _X) ** 2)
_KERNEL: Final[Floats] = _UNSCALED / _UNSCALED.sum()  # 181 weights


@dataclass(frozen=True, slots=True)
class Band:
    """One band of the superconductor, each part of which either has its gap or is a vortex core.

    ``delta_mev`` and ``h_oe`` are gap and field where the cores overlap, at 0 K; ``weight`` its share of the
    normal conductance, ``gamma_mev`` its broadening and ``z`` the barrier.
    """

    delta_mev: float
    weight: float
    gamma_mev: float
    z: float
    h_oe: float

    def normal_share(self, t: float, field_oe: float) -> float:
        """Return the share of vortex cores, 0 to 1, at the reduced temperature ``t`` and a field in Oe."""
        closing_oe = self.h_oe * (1.0 - t * t)
        return 1.0 if t >= 1.0 or abs(field_oe) >= closing_oe else abs(field_oe) / closing_oe

    def gap_mev(self, t: float, field_oe: float) -> float:
        """Return the gap outside the vortex cores in meV."""
        if t >= 1.0:
            return 0.0
        opened = math.tanh(1.74 * math.sqrt(1.0 / t - 1.0)) if t > 0.0 else 1.0
        return self.delta_mev * opened * math.sqrt(1.0 - self.normal_share(t, field_oe))


def btk(energies_mev: Floats, delta_mev: float, gamma_mev: float, z: float) -> Floats:
    """Return the conductance over that of the normal state at each energy in meV, at 0 K; shape as given."""
    if delta_mev == 0.0:
        return np.ones_like(energies_mev)
    energy = np.abs(energies_mev) + 1j * max(gamma_mev, _SMALLEST_GAMMA_MEV)
    root = np.sqrt(energy * energy - delta_mev * delta_mev)
    root = np.where(root.imag < 0.0, -root, root)
    ratio = (energy - root) / delta_mev
    transparency = 1.0 / (1.0 + z * z)
    andreev = np.abs(ratio) ** 2
    above: Floats = 1.0 + transparency * andreev + (transparency - 1.0) * andreev**2
    below: Floats = np.abs(1.0 + (transparency - 1.0) * ratio * ratio) ** 2
    return above / below


def smeared_conductance(
    bands: tuple[Band, ...], temperature_k: float, tc_k: float, field_oe: float, highest_mv: float
) -> tuple[float, Floats]:
    """Return (step in mV, conductance over that of the normal state at 0, 1, 2 ... steps, up to the highest).

    The step is a tenth of kT, so that the nodes of the smearing fall on nodes of energy.

    Args:
        temperature_k: above 0 K.
        highest_mv: up to where it is wanted, mV.
    """
    t = temperature_k / tc_k
    step = BOLTZMANN_MEV_PER_K * temperature_k / NODES_PER_KT
    reach = _REACH_KT * NODES_PER_KT
    count = math.ceil(highest_mv / step) + 1
    energies = np.abs(np.arange(-reach, count + reach) * step)
    mixed = np.zeros_like(energies)
    for band in bands:
        normal = band.normal_share(t, field_oe)
        gapped = btk(energies, band.gap_mev(t, field_oe), band.gamma_mev, band.z)
        mixed += band.weight * (normal + (1.0 - normal) * gapped)
    return step, np.convolve(mixed, _KERNEL, mode="valid")
