"""Resistance from phonons (Bloch-Gruneisen), tabulated once for each metal."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEP_K: Final = 0.5
_HIGHEST_K: Final = 420.0  # above every cryostat here; beyond it the last cubic goes on
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


class Phonons:
    """``BG(T; th, n)`` = J(T)/J(300 K), J = (T/th)^n int_0^min(th/T, 60) x^n / [(e^x-1)(1-e^-x)] dx.

    One cubic for each half kelvin, with the exact value and slope at both of its ends.
    """

    def __init__(self, debye_k: float, exponent: int) -> None:
        self.debye_k = debye_k
        self.exponent = exponent
        T = np.arange(0.0, _HIGHEST_K + _STEP_K, _STEP_K)
        value = np.zeros_like(T)
        slope = np.zeros_like(T)
        value[1:], slope[1:] = self._integral(T[1:])
        scale = float(self._integral(np.array([300.0]))[0][0])
        value, slope = value / scale, slope / scale * _STEP_K
        rise = np.diff(value)
        cubics = np.stack(
            [value[:-1], slope[:-1], 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise]
        )
        self._cubics: list[tuple[float, float, float, float]] = [
            (float(c0), float(c1), float(c2), float(c3)) for c0, c1, c2, c3 in cubics.T
        ]
        self._last = len(self._cubics) - 1

    def __call__(self, T: float) -> float:
        """Return BG at ``T`` in K; 1 at 300 K."""
        position = T / _STEP_K
        cell = min(max(int(position), 0), self._last)
        c0, c1, c2, c3 = self._cubics[cell]
        x = position - cell
        return c0 + x * (c1 + x * (c2 + x * c3))

    def slope(self, T: float) -> float:
        """Return dBG/dT at ``T``, 1/K."""
        position = T / _STEP_K
        cell = min(max(int(position), 0), self._last)
        _, c1, c2, c3 = self._cubics[cell]
        x = position - cell
        return (c1 + x * (2.0 * c2 + x * 3.0 * c3)) / _STEP_K

    def _integral(self, T: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return J and dJ/dT at each ``T`` > 0."""
        n, reduced = self.exponent, self.debye_k / T
        top = np.minimum(reduced, 60.0)
        x = 0.5 * top[:, None] * (_NODES + 1.0)
        # (e^x-1)(1-e^-x) = 4 sinh^2(x/2)
        area = 0.5 * top * ((x**n / (4.0 * np.sinh(0.5 * x) ** 2)) @ _WEIGHTS)
        edge = np.where(reduced < 60.0, top**n / (4.0 * np.sinh(0.5 * top) ** 2), 0.0)
        value = reduced**-n * area
        return value, n * value / T - reduced**-n * edge * self.debye_k / T**2


@lru_cache(maxsize=32)
def phonons(debye_k: float, exponent: int) -> Phonons:
    """Return the table for a Debye temperature in K and an exponent (3 or 5), built once."""
    return Phonons(debye_k, exponent)
