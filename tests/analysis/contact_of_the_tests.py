"""dI/dV of a two-band contact by the printed formulas, point by point: for tests of the analysis."""

import cmath
import math

import numpy as np

from onnes.analysis.isotherm import Floats

KB = 0.0861733
BANDS = ((2.3, 0.6, 0.45, 0.80, 15e3), (7.0, 1.0, 0.45, 0.20, 90e3))  # delta, gamma, z, weight, H
TC = 39.5


def sigma(energy: float, delta: float, gamma: float, z: float) -> float:
    """Return BTK's sigma at T = 0."""
    if delta <= 0:
        return 1.0
    e = complex(abs(energy), max(gamma, 1e-6))
    root = cmath.sqrt(e * e - delta * delta)
    if root.imag < 0:
        root = -root
    g = (e - root) / delta
    tau = 1 / (1 + z * z)
    return float((1 + tau * abs(g) ** 2 + (tau - 1) * abs(g * g) ** 2) / abs(1 + (tau - 1) * g * g) ** 2)


_X = np.linspace(-9, 9, 181)
_K = 1 / (4 * np.cosh(_X / 2) ** 2)
_K = _K / _K.sum()


def thermal(bias: float, kelvin: float, delta: float, gamma: float, z: float) -> float:
    """Return sigma smeared by temperature, by the printed quadrature."""
    return sum(
        float(k) * sigma(bias + KB * kelvin * float(x), delta, gamma, z) for k, x in zip(_K, _X, strict=True)
    )


def conductance(
    bias: float,
    kelvin: float,
    *,
    field_oe: float = 0.0,
    rms: float = 0.0,
    bands: tuple[tuple[float, float, float, float, float], ...] = BANDS,
    tc: float = TC,
) -> float:
    """Return G/G_N at a bias in mV."""
    total = 0.0
    for delta0, gamma, z, weight, h_oe in bands:
        delta = delta0 * math.tanh(1.74 * math.sqrt(tc / kelvin - 1)) if kelvin < tc else 0.0
        h = min(1.0, abs(field_oe) / (h_oe * (1 - (kelvin / tc) ** 2))) if kelvin < tc else 1.0
        gap = delta * math.sqrt(1 - h)
        if rms:
            angles = [(m + 0.5) * math.pi / 12 for m in range(12)]
            weights = [math.sin(a) ** 2 for a in angles]
            inner = sum(
                w * thermal(bias + math.sqrt(2) * rms * math.cos(a), kelvin, gap, gamma, z)
                for a, w in zip(angles, weights, strict=True)
            ) / sum(weights)
        else:
            inner = thermal(bias, kelvin, gap, gamma, z)
        total += weight * (h + (1 - h) * inner)
    return total


def curve(
    kelvin: float,
    bias: Floats,
    *,
    rms: float = 0.0,
    bands: tuple[tuple[float, float, float, float, float], ...] = BANDS,
) -> Floats:
    """Return G/G_N at each bias in mV."""
    return np.array([conductance(float(v), kelvin, rms=rms, bands=bands) for v in bias])
