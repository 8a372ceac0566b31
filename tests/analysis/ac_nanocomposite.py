"""chi' and chi'' of the nanocomposite, and other samples, as the formulas say: for tests of the analysis."""

import math

import numpy as np

from onnes.analysis.ac_susceptibility import AcCurve
from onnes.analysis.isotherm import Floats

NOISE = {0.1: 5e-3, 1.0: 1e-3, 10.0: 5e-4}  # of chi, by amplitude in Oe


def critical_current(kelvin: float, *, tc_k: float = 38.5, links_k: float = 37.5, bulk: float = 6e4) -> float:
    """Return Jc0, A/cm^2."""
    if kelvin >= links_k:
        return 0.0
    t = kelvin / tc_k
    links = 160.0 * (max(links_k - kelvin, 0.0) / 0.9) ** 5.6789
    return float(1.0 / (1.0 / links + 1.0 / (bulk * (1 - t * t) ** 1.5 * math.sqrt(1 + t * t))))


def slab(x: float) -> complex:
    """Return chi' + i chi'' of a slab at x = h/h*."""
    if x <= 1:
        return complex(-1 + x / 2, 2 * x / (3 * math.pi))
    angle = math.acos(1 - 2 / x)
    real = ((x / 2 - 1) * angle - (1 - 4 / (3 * x) + 4 / (3 * x * x)) * math.sqrt(x - 1)) / math.pi
    return complex(real, 2 / math.pi * (1 / x - 2 / (3 * x * x)))


def chi(
    kelvin: float,
    amplitude_oe: float,
    hertz: float = 10.0,
    *,
    tc_k: float = 38.5,
    onset_k: float = 36.7,
    **other: float,
) -> complex:
    """Return the intrinsic susceptibility; ``onset_k`` is where frequency begins to count."""
    grains = 0.05 * min(max((tc_k - kelvin) / 0.8, 0.0), 2.0)
    jc = critical_current(kelvin, tc_k=tc_k, **other)
    if jc == 0:
        return complex(-grains, 0.0)
    omega = min(max((kelvin - onset_k) / 0.8, 0.0), 1.0)
    h_star = 0.4 * math.pi * jc * 0.05 * (hertz / 10.0) ** (omega / 2)
    found = slab(min(amplitude_oe / h_star, 1e3))
    loss = found.imag * (1 + 0.12 * omega * math.log10(hertz / 10.0))
    return complex(-grains + (1 - grains) * found.real, (1 - grains) * loss)


def curve(
    amplitude_oe: float,
    hertz: float = 10.0,
    *,
    seed: int | None = None,
    dc_field_oe: float = 10.0,
    step_k: float = 0.05,
    **other: float,
) -> AcCurve:
    """Return a curve from 34 to 39.5 K, with the noise of its amplitude where there is a seed."""
    t: Floats = np.arange(34.0, 39.5 + step_k / 2, step_k)
    values = np.array([chi(float(kelvin), amplitude_oe, hertz, **other) for kelvin in t])
    noise = NOISE[amplitude_oe]
    if seed is not None:
        random = np.random.default_rng([seed, int(10 * amplitude_oe), int(hertz)])
        values = values + noise * (random.standard_normal(len(t)) + 1j * random.standard_normal(len(t)))
    sigma = np.full(len(t), noise)
    return AcCurve(t, values, sigma, amplitude_oe, hertz, dc_field_oe, kind="intrinsic")


def smooth_step(x: Floats) -> Floats:
    """Return x^2 (3 - 2x) inside [0, 1]."""
    inside = np.clip(x, 0.0, 1.0)
    return np.asarray(inside**2 * (3 - 2 * inside))


def two_step_resistivity(kelvin: Floats, *, tc1: float = 37.0, tc2: float = 19.35) -> Floats:
    """Return rho of the two-step composite in zero field, ohm cm."""
    rise = 0.35 * (np.sqrt(300 / np.maximum(kelvin, 5)) - 1) / (math.sqrt(300 / 37) - 1)
    upper = smooth_step((kelvin - tc1 + 1.5) / 1.5)
    lower = smooth_step((kelvin - tc2 + 2.35) / 2.35)
    plateau = 0.55 * np.clip(1 + 0.006 * (kelvin - tc2), 0.2, 1.5)
    return np.asarray(0.03 * np.exp(rise) * (lower * (plateau + (1 - plateau) * upper) + 2e-4))
