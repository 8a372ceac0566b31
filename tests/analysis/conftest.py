"""Films whose truth is known: normal state blended with a scaling function, apart from the virtual lab."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicSpline

from onnes.analysis.isotherm import Floats, Isotherm

OHM_PER_OHM_CM = 2.0 / 2.15e-5  # a film 2.15e-5 cm thick, twice as long as wide
FILMS: dict[str, dict[str, float]] = {
    "0.06": {"rho40": 1.5e-4, "hc": 32000.0, "z_nu": 7 / 3, "amplitude": 0.8, "u0": -1.5, "w": 1.0},
    "0.12": {"rho40": 9.0e-5, "hc": 33000.0, "z_nu": 7 / 3, "amplitude": 1.6, "u0": -1.6, "w": 0.9},
}
FIELDS = np.linspace(0, 90e3, 61)
TEMPERATURES = np.arange(2.0, 6.01, 0.5)


def _phonons() -> CubicSpline:
    kelvin = np.geomspace(1.0, 400.0, 300)

    def one(t: float) -> float:
        top = min(880.0 / t, 60.0)
        return float((t / 880.0) ** 3 * quad(lambda x: x**3 / (np.expm1(x) * -np.expm1(-x)), 0, top)[0])

    return CubicSpline(kelvin, np.array([one(float(t)) for t in kelvin]) / one(300.0))


BG = _phonons()
C = float(0.10 * 112.0 * BG(112.0, 1))


def _smooth_step(x: Floats) -> Floats:
    x = np.clip(x, 0, 1)
    return np.asarray(x**2 * (3 - 2 * x))


def resistivity(
    kelvin: Floats | float,
    oersted: Floats | float,
    film: str = "0.06",
    *,
    background_per_k: float = 0.0,
    magnetoresistance_per_t2: float = 0.0,
    spread_oe: float = 0.0,
    **given: float,
) -> Floats:
    """Return rho(T, H), ohm*cm, with departures from exact scaling; ``given`` replaces the film's own."""
    p = FILMS[film] | given
    t, h = np.broadcast_arrays(np.asarray(kelvin, dtype=float), np.asarray(oersted, dtype=float))
    if spread_oe:
        nodes, weights = np.polynomial.hermite_e.hermegauss(9)
        parts = [
            w * resistivity(t, h, film, **{**given, "hc": p["hc"] + spread_oe * x})
            for x, w in zip(nodes, weights / weights.sum(), strict=True)
        ]
        rho = np.sum(parts, axis=0)
    else:
        normal = p["rho40"] * _normal_state(t) / _normal_state(np.array(40.0))
        q = _smooth_step((40 - t) / 34)
        u = (np.abs(h) - p["hc"]) / 1e4 / np.maximum(t, 0.05) ** (1 / p["z_nu"])
        ln_f = -p["amplitude"] * (_logistic(u, p) - _logistic(np.array(0.0), p))
        rho = np.exp((1 - q) * np.log(normal) + q * (np.log(p["rho40"]) + ln_f))
    background = 1 + background_per_k * np.minimum(t - 6, 0)
    return np.asarray(rho * background * (1 + magnetoresistance_per_t2 * (h / 1e4) ** 2))


def _normal_state(t: Floats) -> Floats:
    return np.asarray(1 + 0.10 * BG(t) + C * np.log(300 / np.maximum(t, 1)))


def _logistic(u: Floats, p: dict[str, float]) -> Floats:
    return np.asarray(1 / (1 + np.exp((u - p["u0"]) / p["w"])))


def measured_isotherms(
    seed: int,
    *,
    temperatures: Sequence[float] | Floats = TEMPERATURES,
    fields: Floats = FIELDS,
    noise: float = 3e-4,
    temperature_error_k: float = 0.005,
    field_offset_oe: float = 5.0,
    gain_error: float = 0.0,
    drift: float = 0.0,
    order: Sequence[int] | None = None,
    **film: Any,
) -> list[Isotherm]:
    """Return isotherms as measured: relative noise of R, an error of T for each isotherm, one field offset.

    ``drift`` is the gain gathered over the set, measured in ``order`` (from cold to warm unless said).
    """
    rng = np.random.default_rng(seed)
    offset = field_offset_oe * rng.standard_normal()
    rank = {isotherm: place for place, isotherm in enumerate(order or range(len(temperatures)))}
    found = []
    for k, kelvin in enumerate(temperatures):
        true_k = kelvin + temperature_error_k * rng.standard_normal()
        true = OHM_PER_OHM_CM * resistivity(true_k, fields + offset, **film)
        true = (
            true
            * (1 + gain_error * rng.standard_normal())
            * (1 + drift * rank[k] / max(len(temperatures) - 1, 1))
        )
        reading = true * (1 + noise * rng.standard_normal(len(fields)))
        found.append(Isotherm(kelvin, fields, reading, noise * true))
    return found


@pytest.fixture(scope="session")
def isotherms() -> Callable[..., list[Isotherm]]:
    """Return the maker of measured isotherms of a bilayer."""
    return measured_isotherms


@pytest.fixture(scope="session")
def rho() -> Callable[..., Floats]:
    """Return rho(T, H) of a bilayer, ohm*cm."""
    return resistivity
