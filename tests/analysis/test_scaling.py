"""The collapse: what it finds on films whose Hc and z*nu are known, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from onnes.analysis.common_curve import fit_common_curve, points_of
from onnes.analysis.isotherm import Isotherm
from onnes.analysis.scaling import Collapse, collapse
from onnes.analysis.scaling_checks import compare_models

Maker = Callable[..., list[Isotherm]]
INTERLEAVED = (0, 2, 4, 6, 8, 7, 5, 3, 1)
OTHER_TRUTHS: tuple[dict[str, object], ...] = (
    {},
    {"film": "0.12"},
    {"hc": 21000.0, "z_nu": 1.4},
    {"hc": 45000.0, "z_nu": 0.7},
)


def truth(film: dict[str, object]) -> tuple[float, float]:
    hc = film.get("hc", 33000.0 if film.get("film") == "0.12" else 32000.0)
    z_nu = film.get("z_nu", 7 / 3)
    assert isinstance(hc, float)
    assert isinstance(z_nu, float)
    return hc, z_nu


def pulls(found: Collapse, hc: float, z_nu: float) -> tuple[float, float]:
    assert found.hc.value is not None
    assert found.hc.sigma is not None
    assert found.z_nu.value is not None
    assert found.z_nu.sigma is not None
    return (found.hc.value - hc) / found.hc.sigma, (found.z_nu.value - z_nu) / found.z_nu.sigma


@pytest.mark.parametrize("film", OTHER_TRUTHS)
def test_clean_isotherms_give_hc_and_z_nu_within_the_demand(
    isotherms: Maker, film: dict[str, object]
) -> None:
    hc, z_nu = truth(film)
    for seed in range(2):
        found = collapse(isotherms(seed, **film))
        assert found.hc.value == pytest.approx(hc, abs=100)
        assert found.z_nu.value == pytest.approx(z_nu, abs=0.03)
        assert max(map(abs, pulls(found, hc, z_nu))) < 3
        assert found.hc.goodness["chi2_per_dof"] == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("film", OTHER_TRUTHS)
def test_quiet_isotherms_ask_for_a_softer_curve_and_are_still_covered(
    isotherms: Maker, film: dict[str, object]
) -> None:
    hc, z_nu = truth(film)
    quiet = {"noise": 1e-5, "temperature_error_k": 2e-4, "field_offset_oe": 1.0}
    found = collapse(isotherms(11, **quiet, **film))
    assert found.hc.value == pytest.approx(hc, abs=10)
    assert found.z_nu.value == pytest.approx(z_nu, abs=2e-3)
    assert max(map(abs, pulls(found, hc, z_nu))) < 3


def test_a_quiet_curve_gets_a_higher_degree_than_a_noisy_one(isotherms: Maker) -> None:
    noisy = collapse(isotherms(1))
    quiet = collapse(isotherms(1, noise=1e-5, temperature_error_k=0.0))
    assert noisy.hc.goodness["degree"] == 9
    assert quiet.hc.goodness["degree"] > 9


def test_the_accuracy_of_the_field_is_the_floor_of_sigma_hc(isotherms: Maker) -> None:
    quiet = isotherms(2, noise=1e-6, temperature_error_k=0.0, field_offset_oe=0.0)
    found = collapse(quiet, field_sigma_oe=20.0)
    assert found.hc.sigma is not None
    assert 20 <= found.hc.sigma < 25
    assert found.hc.goodness["field_sigma_oe"] == 20
    assert found.hc.goodness["stray_oe"] == pytest.approx(2.0)
    assert found.hc.goodness["stray_k"] == pytest.approx(5e-4)


def test_thermometry_is_the_floor_of_sigma_z_nu(isotherms: Maker) -> None:
    quiet = isotherms(2, noise=1e-6, temperature_error_k=0.0, field_offset_oe=0.0)
    sigmas = [collapse(quiet, temperature_sigma_k=kelvin).z_nu.sigma for kelvin in (0.005, 0.010)]
    assert sigmas[0] == pytest.approx(0.0044, rel=0.1)  # the scatter of z*nu when each isotherm errs by 5 mK
    assert sigmas[1] == pytest.approx(2 * (sigmas[0] or 0.0), rel=0.05)


def test_quoted_sigmas_agree_with_the_scatter_over_seeds(isotherms: Maker) -> None:
    both = np.array([pulls(collapse(isotherms(100 + seed)), 32000.0, 7 / 3) for seed in range(6)])
    rms = np.sqrt(np.mean(both**2, axis=0))
    assert np.all(rms < 1.5)
    assert np.all(rms > 0.15)  # the terms add in quadrature, hence larger than the scatter, not ten times


def test_a_gain_error_of_each_isotherm_is_flagged_and_covered(isotherms: Maker) -> None:
    for seed in range(3):
        found = collapse(isotherms(seed, gain_error=1e-3))
        assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3
        assert "systematics" in found.hc.flags
        assert found.hc.goodness["sigma_jack"] > 3 * found.hc.goodness["sigma_boot"]


def test_thermometry_within_its_accuracy_is_not_called_systematic(isotherms: Maker) -> None:
    for seed in range(3):
        found = collapse(isotherms(seed, film="0.12"))
        assert "systematics" not in found.hc.flags + found.z_nu.flags


CONTAMINATED = {"background_per_k": 1e-3, "drift": 2e-3, "spread_oe": 300.0}


@pytest.mark.parametrize("noise", [3e-4, 3e-5])
@pytest.mark.parametrize("order", [None, INTERLEAVED])
def test_contaminated_isotherms_are_covered_or_refused(
    isotherms: Maker, noise: float, order: tuple[int, ...] | None
) -> None:
    for seed in range(2):
        found = collapse(isotherms(seed, noise=noise, order=order, **CONTAMINATED))
        assert "background" in found.hc.flags
        if found.hc.value is None:
            assert found.hc.reason
        else:
            assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3


def test_a_background_is_freed_where_the_data_ask_for_it_and_its_change_is_in_sigma(isotherms: Maker) -> None:
    found = collapse(isotherms(3, **CONTAMINATED))
    goodness = found.hc.goodness
    assert goodness["plain"] == pytest.approx(34600, abs=200)
    assert found.hc.value == goodness["b1_free"] == pytest.approx(32000, abs=150)
    assert goodness["b1_per_k"] == pytest.approx(1.5e-3, abs=1e-4)
    assert goodness["sigma_b"] == pytest.approx(abs(goodness["plain"] - goodness["b1_free"]))
    assert found.hc.sigma is not None
    assert found.hc.sigma > goodness["sigma_b"]
    assert "background 1 + b1" in found.hc.criterion


@pytest.mark.parametrize("spread", [1000.0, 3000.0])
def test_a_spread_of_hc_inside_the_film_is_covered(isotherms: Maker, spread: float) -> None:
    found = collapse(isotherms(5, noise=3e-5, temperature_error_k=5e-4, spread_oe=spread))
    if found.hc.value is not None:
        assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3
        goodness = found.hc.goodness
        off = goodness["spread_variance_koe2"] - (spread / 1e3) ** 2
        assert abs(off) < 4 * goodness["sigma_spread_variance_koe2"]


@pytest.mark.parametrize("offset_k", [-0.1, -0.05, -0.02, 0.02, 0.05, 0.1])
def test_an_offset_of_all_temperatures_is_found_flagged_and_covered(
    isotherms: Maker, offset_k: float
) -> None:
    true = isotherms(0, noise=4e-6, temperature_error_k=0.0, field_offset_oe=0.0)
    found = collapse([replace(each, temperature=each.temperature + offset_k) for each in true])
    assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3
    goodness = found.z_nu.goodness
    assert goodness["offset_k"] == pytest.approx(offset_k, abs=4 * goodness["sigma_offset_k"])
    assert "temperature_offset" in found.z_nu.flags
    assert {"temperature_offset", "chosen_not_as_good_as_free"} <= set(found.model.flags)
    assert found.chosen == "7/3"
    assert found.model.value == pytest.approx(7 / 3)


@pytest.mark.parametrize("offset_k", [-0.1, -0.05, -0.02, 0.02, 0.05, 0.1])
def test_an_offset_hidden_by_other_errors_of_thermometry_is_covered(
    isotherms: Maker, offset_k: float
) -> None:
    for seed in range(2):
        true = isotherms(seed, noise=3e-5, temperature_error_k=0.001)
        found = collapse([replace(each, temperature=each.temperature + offset_k) for each in true])
        assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3
        assert found.model.value == pytest.approx(7 / 3)


def test_a_quiet_film_without_an_offset_keeps_its_small_errors(isotherms: Maker) -> None:
    found = collapse(isotherms(0, noise=4e-6, temperature_error_k=0.0))
    assert found.hc.sigma is not None
    assert found.z_nu.sigma is not None
    assert found.hc.sigma < 12
    assert found.z_nu.sigma < 0.006
    assert "temperature_offset" not in found.z_nu.flags


def test_a_magnetoresistance_of_the_film_is_covered_or_refused(isotherms: Maker) -> None:
    for noise in (3e-4, 1e-5):
        found = collapse(isotherms(6, noise=noise, magnetoresistance_per_t2=1.2e-4))
        if found.hc.value is not None:
            assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3


def test_isotherms_of_different_gain_are_refused(isotherms: Maker) -> None:
    found = collapse(isotherms(7, gain_error=1e-2))
    assert found.hc.value is None
    assert found.z_nu.value is None
    assert "the isotherms disagree by more than 0.001 in gain, 0.005 K and 5 Oe" in found.hc.reason
    assert found.hc.goodness["chi2_shared_per_dof"] > 2
    assert found.hc.goodness["sigma_total"] > 0


def test_isotherms_without_a_common_curve_are_refused(isotherms: Maker) -> None:
    found = collapse(isotherms(8, magnetoresistance_per_t2=1.2e-3))
    assert found.hc.value is None
    assert "no common curve: chi^2/dof = " in found.hc.reason


def test_two_isotherms_are_refused(isotherms: Maker) -> None:
    found = collapse(isotherms(9, temperatures=[2.0, 4.0]))
    assert "2 isotherms; at least 3 at different temperatures are needed" in found.hc.reason
    assert found.slope.value is None
    assert len(found.u) == 0


def test_the_same_temperature_twice_is_one_isotherm(isotherms: Maker) -> None:
    found = collapse(isotherms(9, temperatures=[2.0, 2.001, 4.0, 4.002]))
    assert found.hc.reason.startswith("2 isotherms")


def test_no_isotherms_at_all_are_refused() -> None:
    assert collapse([]).hc.reason.startswith("0 isotherms")


def test_a_narrow_range_of_temperature_is_refused(isotherms: Maker) -> None:
    found = collapse(isotherms(9, temperatures=[4.0, 5.0, 6.0]))
    assert "span less than a factor of 2" in found.hc.reason


def test_few_points_are_refused(isotherms: Maker) -> None:
    found = collapse(isotherms(9, fields=np.linspace(0, 9e4, 7)))
    assert "has 7 points; at least 12 are needed" in found.hc.reason


@pytest.mark.parametrize(("low", "high"), [(45e3, 90e3), (0.0, 22e3)])
def test_fields_on_one_side_of_hc_give_no_confident_number(isotherms: Maker, low: float, high: float) -> None:
    found = collapse(isotherms(10, fields=np.linspace(low, high, 61)))
    if found.hc.value is None:
        assert found.hc.reason
    else:
        assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3


def test_a_wire_that_does_not_feel_the_field_is_refused() -> None:
    rng = np.random.default_rng(0)
    fields = np.linspace(0, 9e4, 61)
    wire = [
        Isotherm(t, fields, 0.01 * (1 + 1e-4 * rng.standard_normal(61)), np.array(1e-6))
        for t in (2.0, 3.0, 4.0, 5.0)
    ]
    found = collapse(wire)
    assert found.hc.value is None
    assert found.hc.reason


def test_a_metal_with_magnetoresistance_is_refused() -> None:
    rng = np.random.default_rng(0)
    fields = np.linspace(0, 9e4, 61)
    rise = 1 + 3e-12 * fields**2
    metal = [
        Isotherm(t, fields, (1 + 0.01 * t) * rise * (1 + 1e-4 * rng.standard_normal(61)), np.array(1e-4))
        for t in (2.0, 3.0, 4.0, 5.0, 6.0)
    ]
    found = collapse(metal)
    assert found.hc.value is None
    assert found.hc.reason


def test_sparse_isotherms_are_within_the_demand(isotherms: Maker) -> None:
    found = collapse(isotherms(4, temperatures=[2, 3, 4, 5, 6], fields=np.linspace(0, 9e4, 46)))
    assert found.hc.value == pytest.approx(32010, abs=150)
    assert found.z_nu.value == pytest.approx(7 / 3, abs=0.05)


def test_negative_fields_count_by_their_magnitude(isotherms: Maker) -> None:
    fields = np.linspace(-90e3, 90e3, 121)
    found = collapse(isotherms(4, fields=fields, field_offset_oe=0.0))
    assert max(map(abs, pulls(found, 32000.0, 7 / 3))) < 3


def test_the_same_data_give_the_same_digits(isotherms: Maker) -> None:
    data = isotherms(12, temperatures=[2, 3, 4, 5, 6], fields=np.linspace(0, 9e4, 46))
    first, second = collapse(data), collapse(data[::-1])
    assert collapse(data).hc == first.hc
    assert second.hc.value == pytest.approx(
        first.hc.value, abs=1e-3
    )  # the order of isotherms does not matter


@pytest.mark.parametrize("film", [{}, {"film": "0.12"}])
def test_7_3_is_chosen_by_a_factor_above_20(isotherms: Maker, film: dict[str, object]) -> None:
    found = collapse(isotherms(13, noise=1e-4, temperature_error_k=0.0, **film))
    assert found.chosen == "7/3"
    assert found.models["4/3"] > 20 * found.models["7/3"]
    assert found.models["2/3"] > found.models["4/3"]
    assert found.model.value == pytest.approx(7 / 3)
    assert found.model.goodness["next_over_chosen"] > 20
    assert "chosen_not_as_good_as_free" not in found.model.flags


def test_7_3_is_told_from_its_neighbours_by_a_factor_above_10(isotherms: Maker) -> None:
    points = points_of(isotherms(13, noise=1e-4, temperature_error_k=0.0))
    curve = fit_common_curve(points, (32.0, 0.4), 9)
    found = compare_models(points, curve, {"7/3": 7 / 3, "2.0": 2.0, "2.6": 2.6})
    assert found.chosen == "7/3"
    assert found.ratio > 10
    assert found.ratios["2.0"] * curve.rms == pytest.approx(1.9e-3, rel=0.25)  # the values of the reference
    assert found.ratios["2.6"] * curve.rms == pytest.approx(1.2e-3, rel=0.25)


def test_no_fixed_model_is_chosen_for_a_film_of_another_z_nu(isotherms: Maker) -> None:
    found = collapse(isotherms(14, hc=21000.0, z_nu=1.4))
    assert found.chosen == "4/3"
    assert found.model.value is None
    assert "4/3, lies outside 3 sigma" in found.model.reason


def test_z_nu_by_slopes_is_within_the_demand(isotherms: Maker) -> None:
    found = collapse(isotherms(15, fields=np.linspace(0, 9e4, 181)))
    assert found.slope.value is not None
    assert found.slope.sigma is not None
    assert abs(found.slope.value - 7 / 3) < 0.25
    assert abs(found.slope.value - 7 / 3) < 3 * found.slope.sigma


def test_sliding_windows_agree_on_a_clean_film(isotherms: Maker) -> None:
    found = collapse(isotherms(16))
    assert len(found.sliding) == 5
    for window in found.sliding:
        assert window.value is not None
        assert window.sigma is not None
        assert abs(window.value - 7 / 3) < 4 * window.sigma


def test_the_map_has_its_valley_at_the_result(isotherms: Maker) -> None:
    found = collapse(isotherms(17))
    row, column = np.unravel_index(np.argmin(found.map_log10_rms), found.map_log10_rms.shape)
    assert found.map_hc_oe[column] == pytest.approx(found.hc.value, rel=0.04)
    assert found.map_z_nu[row] == pytest.approx(found.z_nu.value, rel=0.06)
    assert 10 ** found.map_log10_rms.min() == pytest.approx(found.rms, rel=0.05)


def test_the_points_lie_on_the_curve_that_is_given_for_the_plot(isotherms: Maker) -> None:
    found = collapse(isotherms(18, **CONTAMINATED))
    off = found.ln_r - np.interp(found.u, found.curve_u, found.curve_ln_r)
    assert np.sqrt(np.mean(off**2)) == pytest.approx(found.rms, rel=0.05)
    assert len(found.u) == len(found.temperature) == found.hc.n


def test_sheet_resistance_at_hc_is_that_of_the_film(isotherms: Maker) -> None:
    for film, expected in (("0.06", 6.98), ("0.12", 4.19)):
        found = collapse(isotherms(19, film=film))
        ohms = float(np.exp(np.interp(0.0, found.curve_u, found.curve_ln_r))) / 2.0  # twice as long as wide
        assert ohms == pytest.approx(expected, rel=5e-3)
