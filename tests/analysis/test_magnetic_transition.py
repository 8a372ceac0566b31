"""Onset and Tc of a susceptibility whose truth is known."""

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.magnetic_transition import magnetic_transition
from onnes.analysis.susceptibility import Susceptibility

TC, WIDTH = 38.4, 3.2  # chi = -1.097 (1 - x^2 (3 - 2x)), x = (T - TC + WIDTH)/WIDTH within [0, 1]
MIDPOINT = TC - WIDTH / 2
ONSET = 38.4 - 0.0788  # where 1.097 S((TC-T)/WIDTH) = 0.002


def _grid(top: float = 42.0) -> Floats:
    return np.concatenate([np.arange(2.0, 34.0, 0.5), np.arange(34.0, top, 0.1)])


def _chi(t: Floats) -> Floats:
    y = np.clip((TC - t) / WIDTH, 0, 1)
    return np.asarray(-1.097 * y**2 * (3 - 2 * y))


def _measured(seed: int, noise: float, t: Floats | None = None, background: float = 0.0) -> Susceptibility:
    t = _grid() if t is None else t
    rng = np.random.default_rng(seed)
    chi = _chi(t) + background * (1 + 0.02 * t) + noise * rng.standard_normal(len(t))
    return Susceptibility(t, chi, np.full(len(t), noise), 0.05)


def test_each_criterion_finds_its_own_temperature() -> None:
    found = magnetic_transition(_measured(1, 2e-5))
    assert found.level.value == pytest.approx(ONSET, abs=0.03)
    assert found.midpoint.value == pytest.approx(MIDPOINT, abs=0.01)
    # The steepest tangent of S, slope 3/2, meets the normal state a third of the width above the middle.
    assert found.tangent.value == pytest.approx(MIDPOINT + WIDTH / 3, abs=0.1)
    assert found.deviation.value is not None
    assert ONSET < found.deviation.value < TC


@pytest.mark.parametrize("name", ["level", "midpoint", "tangent"])
def test_the_quoted_errors_cover_the_truth(name: str) -> None:
    truth = {"level": ONSET, "midpoint": MIDPOINT, "tangent": MIDPOINT + WIDTH / 3}[name]
    pulls = []
    for seed in range(40):
        t = _grid() + np.random.default_rng(seed).uniform(0, 0.1)
        found = getattr(magnetic_transition(_measured(seed, 2e-4, t)), name)
        pulls.append((found.value - truth) / found.sigma)
    assert np.mean(np.abs(pulls) < 3) > 0.97
    assert found.sigma < 0.05  # an error that covers everything says nothing


def test_a_holder_moves_neither_onset_nor_midpoint() -> None:
    found = magnetic_transition(_measured(2, 2e-5, background=-0.02))
    assert found.level.value == pytest.approx(ONSET, abs=0.05)
    assert found.midpoint.value == pytest.approx(MIDPOINT, abs=0.02)
    assert found.level.flags == ("background",)


def test_noise_alone_has_no_transition() -> None:
    t = _grid()
    for seed in range(20):
        noise = 1e-3 * np.random.default_rng(seed).standard_normal(len(t))
        found = magnetic_transition(Susceptibility(t, noise, np.full(len(t), 1e-3), 0.05))
        for result in (found.level, found.deviation, found.midpoint, found.tangent):
            assert result.value is None
            assert "no diamagnetism" in result.reason


def test_a_curve_that_ends_within_the_transition_has_no_onset() -> None:
    found = magnetic_transition(_measured(3, 2e-5, _grid(38.0)))
    assert found.level.value is None
    assert "the normal state has 4 points at most, from" in found.level.reason
    assert "and 5 are needed; begin warmer" in found.level.reason


def test_a_level_below_the_noise_is_refused_where_the_midpoint_is_not() -> None:
    found = magnetic_transition(_measured(4, 2e-3))
    assert "the level 0.002 is below 3 sigma of the noise" in found.level.reason
    assert found.midpoint.value == pytest.approx(MIDPOINT, abs=0.05)


def test_a_step_within_the_grid_is_known_to_the_grid() -> None:
    t = np.arange(2.0, 60.0, 2.0)
    chi = np.where(t < 38.4, -1.0, 0.0)
    found = magnetic_transition(Susceptibility(t, chi, np.full(len(t), 1e-4), 0.05))
    assert found.midpoint.sigma == pytest.approx(2 / 12**0.5, rel=0.01)
    assert found.midpoint.value == pytest.approx(38.4, abs=2 * 2 / 12**0.5)


def test_too_few_points_are_refused() -> None:
    t = np.arange(2.0, 7.0)
    found = magnetic_transition(Susceptibility(t, _chi(t), np.full(5, 1e-4), 0.05))
    assert found.level.reason == "5 points, fewer than 8"


def test_the_noise_that_counts_is_that_of_the_normal_state() -> None:
    t = _grid()
    sigma = np.hypot(1e-4, 5e-3 * _chi(t))
    chi = _chi(t) + sigma * np.random.default_rng(6).standard_normal(len(t))
    found = magnetic_transition(Susceptibility(t, chi, sigma, 0.05))
    assert found.level.value == pytest.approx(ONSET, abs=0.05)
    assert found.level.goodness["noise"] < 3e-4


def test_a_tangent_that_misses_the_transition_is_refused() -> None:
    t = np.arange(2.0, 60.0, 2.0)
    noise = np.full(len(t), 1e-4)
    # Steepest at its top, where no tangent is laid.
    chi = np.interp(t, [2.0, 28.0, 38.0, 40.0], [-1.0, -0.9, -0.4, 0.0])
    found = magnetic_transition(Susceptibility(t, chi, noise, 0.05))
    assert found.midpoint.value is not None
    assert "at 46 K, above 40 K, where chi falls first" in found.tangent.reason
    kinked = np.interp(t, [2.0, 20.0, 36.0, 38.0, 40.0], [-1.0, -0.84, -0.7, -0.3, 0.0])
    found = magnetic_transition(Susceptibility(t, kinked, noise, 0.05))
    assert "as more or less of the fall carries it; measure in smaller steps" in found.tangent.reason
