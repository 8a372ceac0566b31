"""Crossings of isotherms of films whose Hc is known."""

from collections.abc import Callable

import numpy as np
import pytest

from onnes.analysis.crossings import crossings
from onnes.analysis.isotherm import Isotherm

Maker = Callable[..., list[Isotherm]]
ERROR = np.array(1e-5)


@pytest.mark.parametrize(
    ("film", "hc"),
    [
        ({"film": "0.06"}, 32010),
        ({"film": "0.12"}, 33010),
        ({"hc": 21000.0, "z_nu": 1.4}, 21000),
        ({"hc": 45000.0, "z_nu": 0.7}, 45000),
    ],
)
def test_the_median_of_2_to_6_k_is_within_the_demand(
    isotherms: Maker, film: dict[str, object], hc: float
) -> None:
    for seed in range(4):
        found = crossings(isotherms(seed, **film)).median
        assert found.value is not None
        assert found.sigma is not None
        assert abs(found.value - hc) < 150
        assert abs(found.value - hc) < 3 * found.sigma


def test_neighbours_above_6_k_drift_and_the_drift_is_reported(isotherms: Maker) -> None:
    kelvin = [2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0]
    found = crossings(isotherms(1, temperatures=kelvin, noise=3e-5))
    by_pair = {(pair.low_k, pair.high_k): pair.field_oe for pair in found.pairs}
    assert by_pair[6.0, 8.0] == pytest.approx(32700, abs=150)
    assert by_pair[8.0, 10.0] == pytest.approx(34000, abs=150)
    assert by_pair[12.0, 15.0] == pytest.approx(35200, abs=250)
    assert found.drift.value is not None
    assert found.drift.value > 100
    assert "crossing_drifts" in found.drift.flags
    assert found.median.value == pytest.approx(32000, abs=150)
    assert found.median.window["temperature_k"] == (2.0, 6.0)


def test_a_clean_film_does_not_drift(isotherms: Maker) -> None:
    for seed in range(4):
        found = crossings(isotherms(seed)).drift
        assert found.value is not None
        assert found.sigma is not None
        assert abs(found.value) < 3 * found.sigma


def test_a_background_that_moves_every_crossing_is_covered(isotherms: Maker) -> None:
    for noise in (3e-4, 3e-5):
        for seed in range(3):
            found = crossings(isotherms(seed, noise=noise, background_per_k=1e-3)).median
            assert found.value is not None
            assert found.sigma is not None
            assert abs(found.value - 32000) < 3 * found.sigma


def test_the_accuracy_of_the_field_is_a_floor_of_sigma(isotherms: Maker) -> None:
    quiet = isotherms(0, noise=1e-6, temperature_error_k=0.0, field_offset_oe=0.0)
    for field_sigma_oe in (5.0, 50.0):
        found = crossings(quiet, field_sigma_oe=field_sigma_oe).median
        assert found.sigma is not None
        assert found.sigma >= field_sigma_oe
        assert found.goodness["field_sigma_oe"] == field_sigma_oe


def test_crossings_that_disagree_are_flagged_and_those_of_a_clean_film_are_not(isotherms: Maker) -> None:
    for seed in range(3):
        clean = crossings(isotherms(seed, noise=3e-5))
        assert "crossings_disagree" not in clean.median.flags + clean.drift.flags
        apart = crossings(isotherms(seed, noise=3e-5, gain_error=3e-3))
        assert apart.median.goodness["chi2_per_dof"] > 10
        assert "crossings_disagree" in apart.median.flags
        assert "crossings_disagree" in apart.drift.flags


def test_every_pair_is_there_with_its_error(isotherms: Maker) -> None:
    pairs = crossings(isotherms(2)).pairs
    assert len(pairs) == 36
    pulls = [(pair.field_oe - 32000) / pair.sigma_oe for pair in pairs if pair.field_oe and pair.sigma_oe]
    assert len(pulls) > 30
    assert float(np.sqrt(np.mean(np.square(pulls)))) < 2


def test_parallel_isotherms_do_not_cross() -> None:
    fields = np.linspace(0, 9e4, 46)
    apart = [Isotherm(t, fields, (1 + 0.1 * t) * (1 + 1e-6 * fields), ERROR) for t in (2.0, 3.0, 4.0)]
    found = crossings(apart)
    assert found.median.value is None
    assert "0 of 3 pairs cross within the window; the difference has no zero" in found.median.reason
    assert found.drift.value is None
    assert {pair.reason for pair in found.pairs} == {"the difference has no zero within the window"}


def test_equal_noisy_isotherms_do_not_cross_either() -> None:
    rng = np.random.default_rng(0)
    fields = np.linspace(0, 9e4, 46)
    same = [Isotherm(t, fields, 1 + 1e-4 * rng.standard_normal(46), ERROR) for t in (2.0, 3.0, 4.0, 5.0)]
    assert crossings(same).median.value is None


def test_a_second_crossing_is_told() -> None:
    fields = np.linspace(0, 9e4, 91)
    swing = [
        Isotherm(t, fields, np.exp(0.01 * t * np.sin((fields - 3e4) / 1e4)), ERROR)
        for t in (2.0, 3.0, 4.0, 5.0)
    ]
    found = crossings(swing)
    assert "several_crossings" in found.median.flags
    assert all(len(pair.others_oe) == 1 for pair in found.pairs)  # zeros at 30.0 and 61.4 kOe


def test_one_isotherm_or_none_is_refused(isotherms: Maker) -> None:
    for few in (isotherms(0)[:1], []):
        found = crossings(few)
        assert "at least 2 are needed" in found.median.reason
        assert found.pairs == []


def test_isotherms_without_common_fields_are_refused() -> None:
    low = Isotherm(2.0, np.linspace(0, 1e4, 20), np.ones(20), ERROR)
    high = Isotherm(4.0, np.linspace(2e4, 3e4, 20), np.ones(20), ERROR)
    assert crossings([low, high]).median.value is None


def test_fields_that_are_read_differently_are_interpolated(isotherms: Maker) -> None:
    shifted = [
        isotherms(k, temperatures=[2.0 + k], fields=np.linspace(0, 9e4, 91) + 170.0 * k)[0] for k in range(5)
    ]
    found = crossings(shifted).median
    assert found.value == pytest.approx(32000, abs=200)
