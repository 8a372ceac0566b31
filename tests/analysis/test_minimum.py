"""The minimum of rho(T), on curves whose minimum is known."""

import numpy as np
import pytest
from scipy.integrate import quad

from onnes.analysis.isotherm import Floats
from onnes.analysis.minimum import resistance_minimum

KELVIN = np.arange(50.0, 200.0, 1.0)


def phonons(kelvin: Floats, debye_k: float = 880.0) -> Floats:
    """Return the Bloch-Grueneisen integral with n = 3, 1 at 300 K."""

    def one(t: float) -> float:
        top = min(debye_k / t, 60.0)
        return float((t / debye_k) ** 3 * quad(lambda x: x**3 / (np.expm1(x) * -np.expm1(-x)), 0, top)[0])

    return np.array([one(float(t)) for t in kelvin]) / one(300.0)


def film(kelvin: Floats) -> Floats:
    """Return R of the bilayer gamma_t = 0.06, ohm: its minimum is at 112.0 K."""
    slope = float(np.diff(phonons(np.array([111.9, 112.1])))[0]) / 0.2
    return 14 * (1 + 0.10 * phonons(kelvin) + 0.10 * 112.0 * slope * np.log(300 / kelvin))


CLEAN = film(KELVIN)


def test_the_phonons_are_those_of_the_reference() -> None:
    expected = [6.870e-4, 5.495e-3, 0.08412, 0.11595, 0.47974]
    assert phonons(np.array([20.0, 40, 100, 112, 200])) == pytest.approx(expected, rel=2e-3)


def test_a_film_without_noise_has_its_minimum_at_112_k() -> None:
    found = resistance_minimum(KELVIN, CLEAN, 0.0)
    assert found.value == pytest.approx(112.03, abs=0.15)
    assert found.n == 111


@pytest.mark.parametrize("seed", range(6))
def test_noise_leaves_the_minimum_within_1_k_and_within_its_sigma(seed: int) -> None:
    noise = 2e-5 * np.random.default_rng(seed).standard_normal(len(KELVIN))
    found = resistance_minimum(KELVIN, CLEAN * (1 + noise), 14 * 2e-5)
    assert found.value == pytest.approx(112.03, abs=1.0)
    assert found.value is not None
    assert found.sigma is not None
    assert abs(found.value - 112.0) < 3 * found.sigma
    assert found.goodness["rms_relative"] == pytest.approx(2e-5, rel=0.4)


def test_the_sigma_of_the_scatter_covers_the_scatter() -> None:
    values, quoted = [], []
    for seed in range(30):
        noise = 5e-5 * np.random.default_rng(seed).standard_normal(len(KELVIN))
        found = resistance_minimum(KELVIN, CLEAN * (1 + noise), 0.0)
        assert found.value is not None
        values.append(found.value)
        quoted.append(found.goodness["sigma_scatter"])
    assert 0.6 < float(np.std(values)) / float(np.mean(quoted)) < 1.6  # 30 draws know their spread to 13 %


def test_order_and_points_without_a_number_do_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(KELVIN))
    noisy = CLEAN * (1 + 2e-5 * np.random.default_rng(1).standard_normal(len(KELVIN)))
    kelvin, ohms = np.append(KELVIN[order], 100.0), np.append(noisy[order], np.nan)
    assert resistance_minimum(kelvin, ohms, 0.0).value == pytest.approx(
        resistance_minimum(KELVIN, noisy, 0.0).value, abs=1e-6
    )


def test_a_metal_has_no_minimum() -> None:
    found = resistance_minimum(KELVIN, 1 + phonons(KELVIN), 1e-6)
    assert found.value is None
    assert "no minimum between" in found.reason


def test_a_minimum_at_the_edge_of_the_window_is_refused() -> None:
    found = resistance_minimum(KELVIN, 1 + 1e-5 * (KELVIN - 61.0) ** 2, 1e-6)
    assert found.value is None
    assert "no minimum between 63 and 167 K" in found.reason


def test_a_minimum_that_drowns_in_noise_is_refused() -> None:
    for seed in range(5):
        noise = 0.05 * np.random.default_rng(seed).standard_normal(len(KELVIN))
        found = resistance_minimum(KELVIN, CLEAN * (1 + noise), 0.7)
        assert found.value is None
        assert found.reason


def test_a_quoted_error_larger_than_the_depth_refuses_even_a_smooth_curve() -> None:
    found = resistance_minimum(KELVIN, CLEAN, 1.0)
    assert found.value is None
    assert "less than 4 sigma" in found.reason


def test_too_few_points_or_half_a_window_are_refused() -> None:
    assert "5 points from 60 to 170 K" in resistance_minimum(KELVIN[60:65], CLEAN[60:65], 0.0).reason
    half = KELVIN > 100
    assert "K only" in resistance_minimum(KELVIN[half], CLEAN[half], 0.0).reason
    assert "0 points" in resistance_minimum(np.empty(0), np.empty(0), np.empty(0)).reason


def test_wrong_arguments_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) temperatures and \(3,\) resistances"):
        resistance_minimum(np.ones(2), np.ones(3), 0.0)
