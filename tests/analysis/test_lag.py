"""The lag of a sample behind its thermometer, on curves whose lag is known."""

from collections.abc import Callable

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.lag import at_sample, sample_lag
from onnes.analysis.result import Result

Pass = tuple[Floats, Floats, Floats]


def wire(kelvin: Floats) -> Floats:
    return 0.01 * (1 + 0.004 * (kelvin - 273))


def film(kelvin: Floats) -> Floats:
    return 14 / (1 + np.exp(-(kelvin + 4) / 9))


def superconductor(kelvin: Floats) -> Floats:
    x = np.clip((kelvin - 38.7) / 0.6, 0, 1)
    return np.asarray(0.05 * x**2 * (3 - 2 * x))


def swept(
    curve: Callable[[Floats], Floats],
    start_k: float,
    stop_k: float,
    rate_k_per_s: float,
    *,
    lag_s: float,
    every_s: float,
    seed: int,
    relative_noise: float = 3e-5,
) -> Pass:
    """Sweep a block (30 s behind its ramp) with a sample behind it; readings of T are held for 2 s."""
    random = np.random.default_rng(seed)
    block_s, sign = 30.0, np.sign(stop_k - start_k)
    t = np.arange(0, abs(stop_k - start_k) / rate_k_per_s, every_s)
    block = start_k + sign * rate_k_per_s * (t - block_s * (1 - np.exp(-t / block_s)))
    decay = (block_s**2 * np.exp(-t / block_s) - lag_s**2 * np.exp(-t / lag_s)) / (block_s - lag_s)
    sample = start_k + sign * rate_k_per_s * (t - block_s - lag_s + decay)
    held = random.standard_normal(int(t[-1] / 2) + 2)[(t / 2).astype(int)]
    reported = block + np.maximum(1.8e-3, 2e-5 * block) * held
    resistance = curve(sample)
    noise = relative_noise * np.abs(resistance).max() * random.standard_normal(len(t))
    return reported, resistance + noise, np.gradient(reported, t)


def lag_of(up: Pass, down: Pass) -> Result:
    return sample_lag(*up, *down)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_wire_at_5_k_per_min_has_the_lag_it_was_given(seed: int) -> None:
    down = swept(wire, 300, 250, 5 / 60, lag_s=4, every_s=5, seed=seed)
    up = swept(wire, 250, 300, 5 / 60, lag_s=4, every_s=5, seed=seed + 100)
    found = lag_of(up, down)
    assert found.value == pytest.approx(4.0, abs=0.1)
    assert found.value is not None
    assert abs(found.value - 4.0) < 4 * found.goodness["sigma_bootstrap"] + 1e-3
    assert found.goodness["difference_before_k"] == pytest.approx(2 * 5 / 60 * 4, abs=0.02)
    assert found.goodness["difference_after_k"] < 0.02  # 6 mK of each reading
    assert 0.5 < found.goodness["chi2_per_dof"] < 1.7
    assert found.flags == ()


def test_the_bootstrap_covers_the_scatter_of_the_lag() -> None:
    found = []
    for seed in range(8):
        down = swept(film, 300, 2, 0.05, lag_s=4, every_s=20, seed=seed)
        up = swept(film, 2, 300, 0.05, lag_s=4, every_s=20, seed=seed + 100)
        found.append(lag_of(up, down))
    values = np.array([result.value for result in found], dtype=np.float64)
    quoted = np.array([result.goodness["sigma_bootstrap"] for result in found])
    assert np.all(np.abs(values - 4.0) < 0.15)
    assert 0.4 < values.std(ddof=1) / quoted.mean() < 2.0  # 8 draws know their spread to 25 %


def test_the_sigma_covers_the_lag_of_a_narrow_transition() -> None:
    pulls = []
    for seed in range(6):
        down = swept(superconductor, 41, 37.5, 0.005, lag_s=4, every_s=5, seed=seed, relative_noise=1e-4)
        up = swept(superconductor, 37.5, 41, 0.005, lag_s=4, every_s=5, seed=seed + 100, relative_noise=1e-4)
        found = lag_of(up, down)
        assert found.value is not None
        assert found.sigma is not None
        assert found.sigma < 0.3
        pulls.append((found.value - 4.0) / found.sigma)
    assert np.abs(pulls).max() < 3


def test_a_transition_narrower_than_the_shift_is_brought_to_coincide() -> None:
    down = swept(superconductor, 45, 30, 0.05, lag_s=20, every_s=1, seed=1, relative_noise=1e-3)
    up = swept(superconductor, 30, 45, 0.05, lag_s=20, every_s=1, seed=2, relative_noise=1e-3)
    found = lag_of(up, down)  # the curves are 2 K apart, the transition is 0.6 K wide
    assert found.value is not None
    assert found.sigma is not None
    assert abs(found.value - 20.0) < 3 * found.sigma
    assert found.goodness["difference_after_k"] < 0.02


def test_the_start_of_a_ramp_does_not_count_when_its_nominal_rate_is_given() -> None:
    down = swept(wire, 300, 250, 5 / 60, lag_s=4, every_s=5, seed=5)
    up = swept(wire, 250, 300, 5 / 60, lag_s=4, every_s=5, seed=6)
    found = sample_lag(up[0], up[1], 5 / 60, down[0], down[1], -5 / 60)
    assert found.value == pytest.approx(4.0, abs=0.1)


def test_noise_larger_than_the_step_of_the_temperature_is_averaged() -> None:
    down = swept(lambda kelvin: 0.1 * kelvin, 34, 30, 0.2 / 60, lag_s=4, every_s=2, seed=7)
    up = swept(lambda kelvin: 0.1 * kelvin, 30, 34, 0.2 / 60, lag_s=4, every_s=2, seed=8)
    found = lag_of(up, down)
    assert found.value is not None
    assert found.sigma is not None
    assert abs(found.value - 4.0) < 4 * found.sigma
    assert found.sigma < 0.3


def test_a_sample_without_lag_has_none() -> None:
    down = swept(wire, 300, 250, 5 / 60, lag_s=1e-3, every_s=5, seed=9)
    up = swept(wire, 250, 300, 5 / 60, lag_s=1e-3, every_s=5, seed=10)
    found = lag_of(up, down)
    assert found.value == pytest.approx(0.0, abs=0.1)
    assert found.flags == ()


def test_curves_that_no_lag_brings_together_are_flagged_and_their_sigma_grows() -> None:
    down = swept(film, 60, 2, 1 / 60, lag_s=4, every_s=20, seed=11)
    up = swept(film, 2, 60, 1 / 60, lag_s=4, every_s=20, seed=12)
    drifted = (up[0], up[1] * 1.005, up[2])  # a contact that changed between the passes
    found = lag_of(drifted, down)
    assert found.value is None
    assert "coincide at no lag" in found.reason


def test_a_flat_resistance_says_nothing() -> None:
    down = swept(lambda kelvin: 1.0 + 0 * kelvin, 300, 250, 5 / 60, lag_s=4, every_s=5, seed=13)
    up = swept(lambda kelvin: 1.0 + 0 * kelvin, 250, 300, 5 / 60, lag_s=4, every_s=5, seed=14)
    found = lag_of(up, down)
    assert found.value is None
    assert "R changes by" in found.reason


def test_passes_without_a_common_range_say_nothing() -> None:
    down = swept(wire, 300, 280, 5 / 60, lag_s=4, every_s=2, seed=15)
    up = swept(wire, 250, 270, 5 / 60, lag_s=4, every_s=2, seed=16)
    found = lag_of(up, down)
    assert found.value is None
    assert "points in common" in found.reason


def test_two_passes_at_one_rate_say_nothing() -> None:
    up = swept(wire, 250, 300, 5 / 60, lag_s=4, every_s=5, seed=17)
    found = sample_lag(up[0], up[1], 5 / 60, up[0], up[1], 5 / 60)
    assert found.value is None
    assert "nearly the same rate" in found.reason


def test_too_few_points_say_nothing() -> None:
    few, nothing = np.array([1.0, 2.0]), np.empty(0)
    assert "warming has 2 points" in sample_lag(few, few, 0.1, few, few, -0.1).reason
    assert "warming has 0 points" in sample_lag(nothing, nothing, 0.1, nothing, nothing, -0.1).reason


def test_arrays_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"warming: \(3,\) temperatures and \(2,\) resistances"):
        sample_lag(np.ones(3), np.ones(2), 0.1, np.ones(3), np.ones(3), -0.1)
    with pytest.raises(ValueError, match=r"cooling: \(2,\) rates for \(3,\) temperatures"):
        sample_lag(np.ones(3), np.ones(3), 0.1, np.ones(3), np.ones(3), np.ones(2))


def test_a_warming_sample_is_colder_than_reported() -> None:
    assert at_sample(np.array([100.0]), 0.05, 4.0) == pytest.approx(99.8)
    assert at_sample(np.array([100.0]), np.array([-0.05]), 4.0) == pytest.approx(100.2)
