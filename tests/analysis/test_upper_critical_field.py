"""Hc2(T) from the temperatures at which R falls to a level: power law and WHH."""

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result
from onnes.analysis.upper_critical_field import power_law, whh, whh_field

FIELDS = np.array([0.0, 5e3, 1e4, 2e4, 3e4, 4e4, 5e4, 6e4, 7e4, 8e4, 9e4])


def _temperatures(h: Floats, hc2: float = 97900.0, alpha: float = 0.23, tc: float = 37.02) -> Floats:
    return np.asarray(tc * (1 - (h / hc2) ** (1 / (1 + alpha))))


def _pull(result: Result, truth: float) -> float:
    assert result.value is not None, result.reason
    assert result.sigma is not None
    return (result.value - truth) / result.sigma


def test_the_power_law_of_the_nanocomposite_is_recovered() -> None:
    found = power_law(FIELDS, _temperatures(FIELDS), 5e-3, level="R/R_n = 0.1")
    assert found.hc2.value == pytest.approx(97900, abs=1)
    assert found.alpha.value == pytest.approx(0.23, abs=1e-5)
    assert found.tc.value == pytest.approx(37.02, abs=1e-4)
    assert found.hc2.flags == ()
    assert "R/R_n = 0.1" in found.hc2.criterion


@pytest.mark.parametrize(
    ("hc2", "alpha", "tc", "noise_k"),
    [
        (97900.0, 0.23, 37.02, 0.005),
        (97900.0, 0.23, 37.02, 0.05),
        (140e3, 0.05, 38.9, 0.02),
        (60e3, 0.5, 30.0, 0.02),
    ],
)
def test_the_quoted_errors_cover_what_noise_does(hc2: float, alpha: float, tc: float, noise_k: float) -> None:
    h = FIELDS[hc2 * 0.95 > FIELDS]
    pulls = []
    for seed in range(40):
        t = _temperatures(h, hc2, alpha, tc) + noise_k * np.random.default_rng(seed).standard_normal(len(h))
        found = power_law(h, t, noise_k, level="R/R_n = 0.1")
        pulls.append([_pull(found.hc2, hc2), _pull(found.alpha, alpha), _pull(found.tc, tc)])
    assert np.all(np.abs(pulls) < 4)
    assert 0.3 < np.std(pulls) < 1.2


def test_fields_up_to_half_of_it_alone_say_that_they_extrapolate() -> None:
    h = FIELDS[FIELDS <= 5e4]
    sigmas = []
    for seed in range(10):
        t = _temperatures(h) + 0.05 * np.random.default_rng(seed).standard_normal(len(h))
        found = power_law(h, t, 0.05, level="R/R_n = 0.1")
        assert abs(_pull(found.hc2, 97900.0)) < 4
        sigmas.append(found.hc2.sigma or 0.0)
    assert np.median(sigmas) > 600


def test_warm_points_alone_are_flagged() -> None:
    h = FIELDS[FIELDS <= 4e4]
    assert "extrapolated" in power_law(h, _temperatures(h), 5e-3, level="R/R_n = 0.5").hc2.flags


def test_the_sign_of_the_field_does_not_matter() -> None:
    here, there = (power_law(h, _temperatures(FIELDS), 5e-3, level="x").hc2.value for h in (FIELDS, -FIELDS))
    assert here == there


def test_too_few_fields_are_refused() -> None:
    found = power_law(FIELDS[:4], _temperatures(FIELDS[:4]), 0.01, level="R/R_n = 0.1")
    assert found.hc2.reason == "3 fields above 0; 4 at least are needed for three parameters"
    assert found.alpha.value is None


def test_temperatures_that_do_not_fall_are_refused() -> None:
    found = power_law(FIELDS, 30 + 1e-4 * FIELDS, 0.01, level="x")
    assert "do not fall with the field" in found.hc2.reason


def test_arrays_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="give one of each a point"):
        power_law([1.0, 2.0], [1.0], 0.1, level="x")
    with pytest.raises(ValueError, match=r"sigma of a temperature = -0\.1 K is negative"):
        power_law([1.0], [1.0], -0.1, level="x")


def test_the_dirty_limit_at_zero_temperature_is_0_6927() -> None:
    assert whh_field(1e-3) == pytest.approx(0.6927, abs=1e-3)
    assert whh_field(1.0) == 0.0
    assert (whh_field(0.999) - whh_field(1.0)) / 0.001 == pytest.approx(1.0, abs=2e-3)
    with pytest.raises(ValueError, match="is outside"):
        whh_field(0.0)


def test_whh_of_a_dirty_superconductor_is_its_own() -> None:
    slope, tc = 5000.0, 20.0
    t = np.linspace(0.75, 1.0, 8) * tc
    h = np.array([whh_field(float(x / tc)) for x in t]) * tc * slope
    value, steep = whh(h, t, 0.02, level="R/R_n = 0.5")
    assert value.value == pytest.approx(0.6927 * tc * slope, rel=0.05)
    assert steep.value == pytest.approx(-slope, rel=0.05)
    assert value.goodness["pauli_oe"] == pytest.approx(18400 * tc, rel=0.01)


def test_the_slope_of_a_dirty_superconductor_is_found_within_its_error() -> None:
    slope, tc = 5000.0, 37.0
    t = np.linspace(0.75, 1.0, 12) * tc
    h = np.array([whh_field(float(x / tc)) for x in t]) * tc * slope
    pulls = []
    for seed in range(20):
        noise = 0.02 * np.random.default_rng(seed).standard_normal(len(t))
        for found, truth in zip(
            whh(h, t + noise, 0.02, level="x"), (0.6927 * tc * slope, -slope), strict=True
        ):
            assert found.value is not None
            assert found.sigma is not None
            assert found.flags == ()
            pulls.append((found.value - truth) / found.sigma)
    assert abs(np.mean(pulls)) < 0.5
    assert 0.5 < np.std(pulls) < 1.5


def test_a_curved_hc2_is_flagged() -> None:
    value, _ = whh(FIELDS, _temperatures(FIELDS), 0.005, level="R/R_n = 0.1")
    assert "curved" in value.flags


def test_a_slope_above_the_pauli_limit_is_flagged() -> None:
    h = np.linspace(0, 4e4, 6)
    value, _ = whh(h, 10 - h / 5e4, 0.01, level="x")
    assert "above_pauli" in value.flags


def test_too_few_points_near_tc_have_no_slope() -> None:
    value, steep = whh([0.0, 9e4], [37.0, 10.0], 0.01, level="x")
    assert value.reason == steep.reason
    assert "points above 0.7 of the highest temperature" in value.reason
    rising, _ = whh([0.0, 1e3, 2e3], [10.0, 10.5, 11.0], 0.01, level="x")
    assert rising.reason == "the temperatures do not fall with the field"
