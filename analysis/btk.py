"""dI/dV of a contact between a normal metal and a superconductor of one band or two.

Blonder, Tinkham and Klapwijk (PRB 25, 4515) with the broadening of Dynes and others (PRL 41, 1509), smeared
by temperature and by the modulation of a lock-in. Everything is relative to the normal state; energies in
meV, biases in mV, temperatures in K.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnes.analysis.isotherm import Floats

KB_MEV_PER_K: Final = 0.0861733
_LEAST_GAMMA_MEV = 1e-6
_REACH = 12.0  # kT on either side: the derivative of the Fermi function is 2e-5 of its top there
_STEPS_A_KT = 6.0  # of the energy grid; the kernel is then exact to 1e-6
_FINEST_MEV, _COARSEST_MEV = 5e-3, 0.04
_MIDPOINTS = 12  # of the quadrature over a period of the modulation


@dataclass(frozen=True, slots=True)
class Band:
    """One band: gap ``delta_mev``, broadening ``gamma_mev``, barrier ``z`` and ``weight`` in the conductance.

    ``normal_part`` is the part of the contact that the field has driven normal: 0 without a field.
    """

    delta_mev: float
    gamma_mev: float
    z: float
    weight: float = 1.0
    normal_part: float = 0.0


def bcs_gap(delta0_mev: float, temperature_k: float, tc_k: float) -> float:
    """Return the gap at a temperature, meV: delta0 tanh(1.74 sqrt(Tc/T - 1)), 0 from Tc on.

    >>> round(bcs_gap(2.3, 2.0, 39.5), 4)
    2.3
    """
    if temperature_k >= tc_k:
        return 0.0
    return delta0_mev * math.tanh(1.74 * math.sqrt(tc_k / temperature_k - 1))


def transparency(energy_mev: Floats, delta_mev: float, gamma_mev: float, z: float) -> Floats:
    """Return sigma(E) at zero temperature, dimensionless: 1 + A - B over that of the normal state.

    E, delta and gamma in meV; without a gap it is 1.
    """
    energy = np.abs(np.asarray(energy_mev, dtype=np.float64))
    if delta_mev <= 0:
        return np.ones_like(energy)
    broad = energy + 1j * max(gamma_mev, _LEAST_GAMMA_MEV)
    root = np.sqrt(broad * broad - delta_mev * delta_mev)
    root = np.where(root.imag < 0, -root, root)  # the branch that decays
    amplitude = (broad - root) / delta_mev
    tau = 1 / (1 + z * z)
    square = amplitude * amplitude
    above = 1 + tau * np.abs(amplitude) ** 2 + (tau - 1) * np.abs(square) ** 2
    return np.asarray(above / np.abs(1 + (tau - 1) * square) ** 2, dtype=np.float64)


class Smearing:
    """What temperature and modulation do to sigma(E) at the biases of one curve: one matrix, made once.

    Args:
        bias_mv: shape (n,)
        modulation_mv_rms: of the lock-in whose first harmonic was read; 0 for none
    """

    def __init__(self, bias_mv: Floats, temperature_k: float, modulation_mv_rms: float = 0.0) -> None:
        bias = np.asarray(bias_mv, dtype=np.float64)
        kt = KB_MEV_PER_K * temperature_k
        step = min(max(kt / _STEPS_A_KT, _FINEST_MEV), _COARSEST_MEV)
        peak = math.sqrt(2) * modulation_mv_rms
        most = float(np.max(np.abs(bias))) + _REACH * kt + peak + step
        half = math.ceil(most / step)
        self.energy_mev: Floats = np.asarray(
            step * np.arange(half + 1), dtype=np.float64
        )  # sigma is even: one side is enough
        full = step * np.arange(-half, half + 1)
        angles = (np.arange(_MIDPOINTS) + 0.5) * math.pi / _MIDPOINTS if peak else np.array([math.pi / 2])
        weights = np.sin(angles) ** 2
        weights = weights / weights.sum()
        kernel = np.zeros((len(bias), len(full)))
        for angle, weight in zip(angles, weights, strict=True):
            x = np.clip((full[None, :] - bias[:, None] - peak * math.cos(angle)) / (2 * kt), -300, 300)
            kernel += weight / np.cosh(x) ** 2
        kernel /= kernel.sum(axis=1, keepdims=True)
        folded = kernel[:, half:].copy()
        folded[:, 1:] += kernel[:, :half][:, ::-1]
        self._kernel = folded

    def conductance(self, bands: Sequence[Band], scale: float = 1.0) -> Floats:
        """Return G/G_N at the biases, shape (n,); the weights of the bands are as they are given."""
        total = np.zeros_like(self.energy_mev)
        for band in bands:
            gap = band.delta_mev * math.sqrt(max(1 - band.normal_part, 0.0))
            inner = transparency(self.energy_mev, gap, band.gamma_mev, band.z)
            total += band.weight * (band.normal_part + (1 - band.normal_part) * inner)
        return np.asarray(scale * (self._kernel @ total))


def conductance(
    bias_mv: Floats, temperature_k: float, bands: Sequence[Band], *, modulation_mv_rms: float = 0.0
) -> Floats:
    """Return G/G_N at ``bias_mv``, shape (n,).

    Raises:
        ValueError: if the temperature is not above zero, or the modulation is negative.
    """
    if not temperature_k > 0:
        raise ValueError(f"temperature = {temperature_k} K is not above 0")
    if not modulation_mv_rms >= 0:
        raise ValueError(f"modulation = {modulation_mv_rms} mV rms is negative")
    return Smearing(np.atleast_1d(bias_mv), temperature_k, modulation_mv_rms).conductance(bands)


def sharvin_radius_nm(normal_ohm: float, rho_l_ohm_cm2: float = 6e-12) -> float:
    """Return the radius of a ballistic contact, nm: sqrt(4 rho l/(3 pi R)).

    ``rho_l_ohm_cm2`` is a property of the metal, 6e-12 ohm cm^2 for MgB2 (assumed). A soft contact is many
    such in parallel: its radius is that of one with all of the conductance.

    Raises:
        ValueError: if the resistance is not above zero.

    >>> round(sharvin_radius_nm(10.0), 1)
    5.0
    """
    if not normal_ohm > 0:
        raise ValueError(f"R_N = {normal_ohm} ohm is not above 0")
    return 1e7 * math.sqrt(4 * rho_l_ohm_cm2 / (3 * math.pi * normal_ohm))
