"""Half-screening temperatures, rectangles and Jc from chi' of several amplitudes."""

from dataclasses import replace

import numpy as np
import pytest

from onnes.analysis.civale import (
    civale_set,
    closure,
    critical_current_at,
    critical_current_at_half_screening,
    half_screening,
    screened_without_loss,
    temperature_at,
)
from onnes.analysis.result import Result
from tests.analysis.ac_nanocomposite import critical_current, curve

AMPLITUDES = (0.1, 1.0, 10.0)
PRINTED_K = {0.1: 37.107, 1.0: 36.911, 10.0: 36.609}  # of the model, without noise


def _number(result: Result) -> tuple[float, float]:
    assert result.value is not None, result.reason
    assert result.sigma is not None
    return result.value, result.sigma


def _set(seed: int | None = None, **other: float):  # type: ignore[no-untyped-def]
    return civale_set([curve(h, seed=seed, **other) for h in AMPLITUDES])


def test_half_screening_lies_where_the_model_has_it() -> None:
    for amplitude, found in zip(AMPLITUDES, half_screening(_set()), strict=True):
        assert found.value == pytest.approx(PRINTED_K[amplitude], abs=0.002)


def test_with_noise_half_screening_stays_within_15_mk_and_its_errors() -> None:
    pulls = []
    for seed in range(40):
        for amplitude, found in zip(AMPLITUDES, half_screening(_set(seed)), strict=True):
            value, sigma = _number(found)
            assert abs(value - PRINTED_K[amplitude]) < 0.015
            pulls.append((value - PRINTED_K[amplitude]) / sigma)
    assert 0.3 < np.std(pulls) < 2


def test_jc_of_the_printed_amplitudes_is_that_of_the_paper() -> None:
    jc = [critical_current_at_half_screening(h, 0.05, 0.0, "paper").value for h in AMPLITUDES]
    assert jc == pytest.approx([1.5915, 15.915, 159.15], rel=1e-4)


def test_half_screening_of_a_bar_means_a_larger_jc_than_that_of_a_slab() -> None:
    slab = critical_current_at_half_screening(1.0, 0.05, 0.0, "slab").value
    bar = critical_current_at_half_screening(1.0, 0.05, 0.0, "bar").value
    assert slab is not None
    assert bar is not None
    assert bar / slab == pytest.approx(1.612, abs=0.001)


@pytest.mark.parametrize(("kelvin", "model"), [(37.1, 1.74), (36.9, 17.8), (36.6, 166.0)])
def test_jc_at_a_given_temperature_is_the_models_within_its_error(kelvin: float, model: float) -> None:
    jc = [critical_current_at_half_screening(h, 0.05, 0.001, "paper") for h in AMPLITUDES]
    clean, _ = _number(critical_current_at(kelvin, half_screening(_set()), jc))
    assert clean == pytest.approx(model, rel=0.02)
    truth = critical_current(kelvin)
    for seed in range(20):
        value, sigma = _number(critical_current_at(kelvin, half_screening(_set(seed)), jc))
        assert value == pytest.approx(truth, rel=0.3)
        assert abs(value - clean) < 4 * sigma


def test_jc_is_refused_where_no_half_screening_was_seen() -> None:
    jc = [critical_current_at_half_screening(h, 0.05, 0.0, "paper") for h in AMPLITUDES]
    found = critical_current_at(30.0, half_screening(_set()), jc)
    assert found.reason == "30 K lies outside the half-screening temperatures, 36.609 to 37.108 K"


@pytest.mark.parametrize(("level", "sd_k"), [(-0.3, 0.006), (-0.4, 0.008), (-0.5, 0.011)])
def test_rectangles_close(level: float, sd_k: float) -> None:
    assert abs(_number(closure(_set(), level))[0]) < 0.002
    misses = []
    for seed in range(12):
        value, sigma = _number(closure(_set(seed), level))
        assert abs(value) < 3.5 * sigma
        misses.append(value)
    assert np.std(misses) == pytest.approx(sd_k, rel=0.6)


def test_frequencies_that_grow_with_the_amplitude_leave_the_rectangles_open() -> None:
    mixed = [
        replace(curve(h, hertz, seed=3), frequency_hz=10.0)  # somebody who wrote down one frequency
        for h, hertz in ((0.1, 10.0), (1.0, 100.0), (10.0, 1000.0))
    ]
    found = closure(civale_set(mixed), -0.3)
    assert abs(_number(found)[0]) > 0.03
    assert found.flags == ("open",)


def test_mixed_frequencies_are_refused() -> None:
    with pytest.raises(ValueError, match="frequencies from 10 to 100 Hz are mixed in one set"):
        civale_set([curve(0.1), curve(1.0, 100.0), curve(10.0)])


def test_mixed_dc_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="dc fields from 0 to 10 Oe are mixed in one set"):
        civale_set([curve(0.1), curve(1.0, dc_field_oe=0.0)])


def test_external_and_intrinsic_curves_are_not_one_set() -> None:
    with pytest.raises(ValueError, match="external and intrinsic curves are mixed"):
        civale_set([curve(0.1), replace(curve(1.0), kind="external")])


def test_one_amplitude_is_no_set() -> None:
    with pytest.raises(ValueError, match="a set of 1 amplitude"):
        civale_set([curve(1.0)])
    with pytest.raises(ValueError, match="the amplitude 1 Oe is there twice"):
        civale_set([curve(1.0), curve(1.0)])


def test_a_rectangle_needs_three_amplitudes_of_equal_ratio() -> None:
    two = civale_set([curve(0.1), curve(1.0)])
    assert closure(two, -0.3).reason == "no three of the amplitudes 0.1, 1 Oe have equal ratios"


def test_a_level_that_is_not_reached_has_no_temperature() -> None:
    found = temperature_at(curve(1.0), -1.2)
    assert found.value is None
    assert "does not rise through -1.2" in found.reason


def test_another_sample_has_other_half_screening_temperatures() -> None:
    (found,) = [temperature_at(curve(1.0, seed=1, links_k=36.0, bulk=2e4), -0.5)]
    grid = np.linspace(34, 36, 4001)
    from tests.analysis.ac_nanocomposite import chi  # noqa: PLC0415 - beside its one use

    truth = float(grid[np.argmin([abs(chi(float(t), 1.0, links_k=36.0, bulk=2e4).real + 0.5) for t in grid])])
    value, sigma = _number(found)
    assert abs(value - truth) < max(4 * sigma, 0.01)


@pytest.mark.parametrize(("amplitude", "size"), [(0.0, 0.05), (1.0, -0.05)])
def test_a_jc_without_field_or_size_is_refused(amplitude: float, size: float) -> None:
    with pytest.raises(ValueError, match="is not a positive number"):
        critical_current_at_half_screening(amplitude, size, 0.0, "slab")


def test_grains_that_screen_by_themselves_are_in_the_error_of_jc() -> None:
    pulls = []
    for seed in range(10):
        curves = civale_set([curve(h, seed=seed) for h in AMPLITUDES])
        temperatures = half_screening(curves)
        grains = screened_without_loss(curves.curves[0])
        assert 0.03 < grains < 0.12
        found = [critical_current_at_half_screening(h, 0.05, 0.0, "paper", grains) for h in AMPLITUDES]
        for kelvin, truth in ((37.1, 1.598), (36.9, 15.87), (36.6, 150.3)):
            jc = critical_current_at(kelvin, temperatures, found)
            assert jc.value is not None
            assert jc.sigma is not None
            assert jc.flags == ("grains",)
            pulls.append((jc.value - truth) / jc.sigma)
    assert abs(np.mean(pulls)) < 1.6
    assert max(pulls) < 3


def test_a_sample_without_grains_screens_nothing_without_loss() -> None:
    bare = curve(1.0)
    grains = np.clip(0.05 * (38.5 - bare.temperature) / 0.8, 0.0, 0.1)
    assert screened_without_loss(replace(bare, chi=(bare.chi + grains) / (1 - grains))) == 0.0


def test_jc_is_there_by_both_formulas() -> None:
    found = critical_current_at_half_screening(1.0, 0.05, 0.0, "paper")
    assert found.goodness["jc_as_slab"] == pytest.approx(15.9, abs=0.05)
    assert found.goodness["jc_as_square_bar"] == pytest.approx(1.612 * 15.915, rel=1e-3)
