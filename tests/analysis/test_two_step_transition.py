"""The two transition temperatures of a composite."""

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.two_step_transition import resistance_at, two_step_transition
from tests.analysis.ac_nanocomposite import smooth_step, two_step_resistivity

T = np.concatenate([np.arange(4.2, 60.0, 0.1), np.arange(60.0, 300.5, 1.0)])


def test_both_temperatures_of_the_composite_of_the_paper_are_found() -> None:
    tc2, tc1 = two_step_transition(T, two_step_resistivity(T), 0.0)
    assert tc2.value == pytest.approx(18.96, abs=0.15)
    assert tc1.value == pytest.approx(36.75, abs=0.3)


def test_with_noise_they_stay_within_their_errors() -> None:
    clean = two_step_transition(T, two_step_resistivity(T), 0.0)
    for seed in range(8):
        noise = 1e-3 * 0.04
        rho = two_step_resistivity(T) + noise * np.random.default_rng(seed).standard_normal(len(T))
        for found, truth in zip(two_step_transition(T, rho, noise), clean, strict=True):
            assert found.value is not None, found.reason
            assert found.sigma is not None
            assert truth.value is not None
            assert abs(found.value - truth.value) < 4 * found.sigma


def test_another_composite_has_its_own() -> None:
    tc2, tc1 = two_step_transition(T, two_step_resistivity(T, tc1=38.5, tc2=24.0), 0.0)
    assert tc2.value == pytest.approx(24.0 - 0.39, abs=0.2)
    assert tc1.value == pytest.approx(38.25, abs=0.3)


def test_a_single_step_has_no_lower_temperature() -> None:
    rho = 1e-5 * T * np.clip((T - 36) / 1.0, 0, 1)
    tc2, tc1 = two_step_transition(T, rho, 1e-9)
    assert tc1.value is not None
    assert tc2.value is None
    assert "no second step" in tc2.reason or "needed" in tc2.reason


def test_the_resistivity_at_300_k_is_that_of_the_paper() -> None:
    rho = two_step_resistivity(T)
    assert resistance_at(T, rho, 1e-5, 300.0).value == pytest.approx(0.03, rel=1e-3)


def test_a_curve_that_ends_below_has_no_value_at_300_k() -> None:
    cold = T[T < 280]
    found = resistance_at(cold, two_step_resistivity(cold), 0.0, 300.0)
    assert found.reason == "0 points near 300 K; measure there"


@pytest.mark.parametrize(("share", "lower_k"), [(0.4, 19.35), (0.3, 19.35), (0.45, 16.0)])
def test_a_steeper_upper_step_is_not_drawn_through_the_plateau_of_the_lower(
    share: float, lower_k: float
) -> None:
    def step(t: Floats, end_k: float, width_k: float) -> Floats:
        return smooth_step((t - end_k + width_k) / width_k)

    rho = step(T, lower_k, 2.35) * (share + (1 - share) * step(T, 37.0, 1.5)) * (1 + 2e-4 * (300 - T))
    for seed in range(4):
        noisy = rho * (1 + 1e-3 * np.random.default_rng(seed).standard_normal(len(T)))
        tc2, tc1 = two_step_transition(T, noisy, 1e-3 * rho)
        assert tc2.value == pytest.approx(lower_k - 2.35 / 6, abs=0.1)
        assert tc1.value == pytest.approx(37.0 - 1.5 / 6, abs=0.1)
