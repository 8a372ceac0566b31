"""Gaps by a fit of BTK, and what makes a reader doubt them."""

import numpy as np
import pytest

from onnes.analysis.btk import Band, bcs_gap, conductance
from onnes.analysis.btk_fit import BtkFit, ContactCurve, fit_btk
from onnes.analysis.contact_normalisation import by_high_bias, by_normal_curve
from onnes.analysis.contact_quality import flags_of, spoils
from onnes.analysis.isotherm import Floats
from tests.analysis import contact_of_the_tests as slow

BIAS = np.arange(-20, 20.01, 0.1)
CLEAN = slow.curve(2.0, BIAS)
NOISE = 5e-3
TRUTH = {
    "delta_1": 2.3,
    "delta_2": 7.0,
    "gamma_1": 0.6,
    "gamma_2": 1.0,
    "z_1": 0.45,
    "z_2": 0.45,
    "weight_1": 0.8,
}
DEMANDED = {
    "delta_1": 0.08,
    "delta_2": 0.2,
    "gamma_1": 0.03,
    "gamma_2": 0.2,
    "z_1": 0.03,
    "z_2": 0.06,
    "weight_1": 0.02,
}


def _curve(seed: int, clean: Floats = CLEAN, **given: float) -> ContactCurve:
    g = clean + NOISE * np.random.default_rng(seed).standard_normal(len(BIAS))
    return ContactCurve(BIAS, g, np.full(len(BIAS), NOISE), given.get("kelvin", 2.0), given.get("rms", 0.0))


def _pulls(fit: BtkFit, truth: dict[str, float]) -> list[float]:
    found = []
    for name, result in fit.results.items():
        assert result.value is not None, result.reason
        assert result.sigma is not None
        found.append((result.value - truth[name]) / result.sigma)
    return found


def test_the_parameters_of_the_contact_are_recovered() -> None:
    pulls = []
    for seed in range(5):
        fit = fit_btk(_curve(seed), with_profile=False)
        for name, result in fit.results.items():
            assert result.value == pytest.approx(TRUTH[name], abs=DEMANDED[name])
            assert result.flags == ()
        pulls += _pulls(fit, TRUTH)
    assert np.max(np.abs(pulls)) < 4
    assert 0.3 < np.std(pulls) < 1.6


def test_another_contact_has_its_own_parameters() -> None:
    bands = ((3.0, 0.4, 0.7, 0.6, 15e3), (6.0, 0.6, 0.3, 0.4, 9e4))
    truth = {
        "delta_1": 3.0,
        "delta_2": 6.0,
        "gamma_1": 0.4,
        "gamma_2": 0.6,
        "z_1": 0.7,
        "z_2": 0.3,
        "weight_1": 0.6,
    }
    fit = fit_btk(_curve(3, slow.curve(2.0, BIAS, bands=bands)), with_profile=False)
    assert np.max(np.abs(_pulls(fit, truth))) < 4


def test_one_band_is_enough_for_one_gap() -> None:
    bands = ((2.0, 0.3, 0.5, 1.0, 15e3),)
    fit = fit_btk(_curve(4, slow.curve(3.0, BIAS, bands=bands), kelvin=3.0), bands=1)
    assert fit.values["delta_1"] == pytest.approx(2.0, abs=0.05)
    assert fit.results["delta_1"].criterion == "BTK, one band, 3 K"


def test_two_gaps_taken_for_one_fit_poorly() -> None:
    sharp = ((2.0, 0.2, 0.5, 0.6, 15e3), (7.0, 0.3, 0.5, 0.4, 9e4))
    fit = fit_btk(_curve(5, slow.curve(2.0, BIAS, bands=sharp)), bands=1, with_profile=False)
    assert "poor_fit" in fit.results["delta_1"].flags


def test_the_modulation_is_taken_into_account() -> None:
    clean = conductance(BIAS, 2.0, [Band(*band[:4]) for band in slow.BANDS], modulation_mv_rms=1.0)
    right = fit_btk(_curve(6, clean, rms=1.0), with_profile=False)
    wrong = fit_btk(_curve(6, clean, rms=0.0), with_profile=False)
    assert abs(right.values["gamma_1"] - 0.6) < 0.05 < abs(wrong.values["gamma_1"] - 0.6)
    assert "wide_modulation" in right.results["gamma_1"].flags


def test_a_wrong_held_barrier_gives_wrong_gaps_with_small_errors_and_says_so() -> None:
    held = {"z_2": 0.6, "weight_1": 0.8, "gamma_2": 1.0}
    fit = fit_btk(_curve(7), held=held)
    delta = fit.results["delta_1"]
    assert delta.value == pytest.approx(2.52, abs=0.05)
    assert delta.sigma is not None
    assert delta.sigma < 0.02
    assert "held_off" in delta.flags
    lowest = min(fit.profile, key=lambda row: row["chi2_per_dof"])
    assert lowest["z_2"] < 0.55
    assert {"z_2", "chi2_per_dof", "delta_1", "delta_2"} <= set(lowest)


def test_the_correlations_show_what_stands_in_for_what() -> None:
    fit = fit_btk(_curve(8))
    assert fit.largest_correlation == pytest.approx(0.93, abs=0.02)
    size = len(fit.free)
    assert [len(row) for row in fit.correlation] == [size] * size
    assert fit.correlation[0][0] == pytest.approx(1.0)
    assert len(fit.profile) == 7


def test_a_short_bias_is_flagged() -> None:
    part = np.abs(BIAS) <= 12
    whole = _curve(9)
    short = ContactCurve(BIAS[part], whole.conductance[part], whole.sigma[part], 2.0)
    assert "bias_short" in fit_btk(short, with_profile=False).results["delta_2"].flags


def _dipped() -> ContactCurve:
    curve = _curve(10)
    dip = 0.15 * np.exp(-(((np.abs(BIAS) - 12) / 1.0) ** 2))
    return ContactCurve(BIAS, curve.conductance - dip, curve.sigma, 2.0)


def test_dips_beyond_the_gap_are_not_fitted() -> None:
    reason = spoils(_dipped())
    assert "the critical current of the contact was exceeded, or it was heated" in reason
    assert flags_of(reason) == ("dips",)
    fit = fit_btk(_dipped(), spoilt=reason)
    assert fit.results["delta_1"].value is None
    assert fit.results["delta_1"].reason == reason


def test_a_good_curve_has_nothing_against_it() -> None:
    for seed in range(10):
        assert spoils(_curve(seed), _curve(seed + 50)) == ""


def test_directions_that_differ_are_not_fitted() -> None:
    up, down = _curve(11), _curve(12)
    shifted = ContactCurve(BIAS, np.interp(BIAS + 0.5, BIAS, down.conductance), down.sigma, 2.0)
    reason = spoils(up, shifted)
    assert "the two directions differ" in reason
    assert flags_of(reason) == ("hysteresis",)


def test_a_conductance_that_is_not_normal_at_high_bias_is_not_fitted() -> None:
    curve = _curve(13)
    reason = spoils(ContactCurve(BIAS, curve.conductance * 0.9, curve.sigma, 2.0))
    assert "from the normal state" in reason
    assert "not_normal" in flags_of(reason)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bands; expected 1 or 2"):
        fit_btk(_curve(1), bands=3)
    with pytest.raises(ValueError, match="there is no parameter 'z_3' to hold"):
        fit_btk(_curve(1), held={"z_3": 1.0})
    few = ContactCurve(BIAS[:20], CLEAN[:20], np.full(20, NOISE), 2.0)
    assert fit_btk(few).results["delta_1"].reason == "20 points for 7 parameters; measure in smaller steps"


# -- a normal state that is not exactly known, and parameters that are held


def _raw(seed: int, clean: Floats = CLEAN) -> Floats:
    return 0.05 * (clean + NOISE * np.random.default_rng(seed).standard_normal(len(BIAS)))


def test_without_a_normal_curve_the_fit_moves_the_scale_and_finds_the_contact() -> None:
    for seed in range(3):
        guessed = by_high_bias(BIAS, _raw(seed), 0.05 * NOISE, gap_mv=7.0, temperature_k=2.0)
        fit = fit_btk(guessed.curve, with_profile=False)
        assert np.max(np.abs(_pulls(fit, TRUTH))) < 3.5
        # at 15 to 20 mV G is still 1 to 2 % high, so G_N is that much too high there
        assert -0.06 < fit.results["delta_1"].goodness["normal_moved"] < 0.0
        assert np.std(np.array(fit.curve) - guessed.curve.conductance) < 1.1 * NOISE


def test_the_error_of_the_normal_curve_is_in_that_of_the_broadening() -> None:
    exact = fit_btk(_curve(20), with_profile=False).results["gamma_1"].sigma
    assert exact is not None
    few = BIAS[::16]
    pulls = []
    for seed in range(6):
        normal = 0.05 * (1 + 4 * NOISE * np.random.default_rng(100 + seed).standard_normal(len(few)))
        divided = by_normal_curve(
            BIAS, _raw(seed), 0.05 * NOISE, few, normal, temperature_k=2.0, normal_k=45.0
        )
        gamma = fit_btk(divided.curve, with_profile=False).results["gamma_1"]
        assert gamma.value is not None
        assert gamma.sigma is not None
        assert gamma.sigma > 1.3 * exact
        pulls.append((gamma.value - 0.6) / gamma.sigma)
    assert np.max(np.abs(pulls)) < 3


def test_the_errors_of_what_is_held_are_in_those_of_the_gaps() -> None:
    part = slice(None, None, 4)
    warm = slow.curve(10.0, BIAS[part])
    held = ("z_1", "z_2", "weight_1")
    pulls, alone = [], []
    for seed in range(8):
        cold = fit_btk(_curve(seed), with_profile=False)
        values = {name: cold.values[name] for name in held}
        noise = NOISE * np.random.default_rng(50 + seed).standard_normal(len(warm))
        curve = ContactCurve(BIAS[part], warm + noise, np.full(len(warm), NOISE), 10.0)
        fit = fit_btk(curve, held=values, held_covariance=cold.covariance(held), with_profile=False)
        exact = fit_btk(curve, held=values, with_profile=False)
        gap, bare = fit.results["delta_2"], exact.results["delta_2"]
        assert bare.value == pytest.approx(gap.value)
        assert gap.value is not None
        assert gap.sigma is not None
        assert bare.sigma is not None
        pulls.append((gap.value - bcs_gap(7.0, 10.0, slow.TC)) / gap.sigma)
        alone.append((gap.value - bcs_gap(7.0, 10.0, slow.TC)) / bare.sigma)
    assert np.std(pulls) < 1.7
    assert np.std(alone) > 1.3 * np.std(pulls)


def test_a_parameter_at_the_end_of_its_range_has_no_value() -> None:
    clear = slow.curve(2.0, BIAS, bands=((2.3, 0.6, 0.0, 0.8, 15e3), (7.0, 1.0, 0.0, 0.2, 90e3)))
    fit = next(
        fit
        for seed in range(10)
        if "at_bound" in (fit := fit_btk(_curve(seed, clear), with_profile=False)).results["delta_1"].flags
    )
    (ended,) = [result for result in fit.results.values() if result.value is None]
    assert ended.quantity.startswith("barrier Z")
    assert "an end of its range: the curve does not fix it" in ended.reason
    assert fit.results["delta_1"].value is not None


def test_a_covariance_of_other_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match=r"covariance of \(2, 2\) for 1 held parameters"):
        fit_btk(_curve(1), held={"z_1": 0.45}, held_covariance=np.eye(2))


def test_an_error_of_the_thermometer_is_in_that_of_the_broadening_where_noise_is_low() -> None:
    g = conductance(BIAS, 2.0, [Band(2.3, 0.6, 0.45, 0.8), Band(7.0, 1.0, 0.45, 0.2)])
    quiet = ContactCurve(BIAS, g, np.full(len(BIAS), 1e-6), 2.005)
    gamma = fit_btk(quiet, with_profile=False).results["gamma_1"]
    assert gamma.value is not None
    assert gamma.sigma is not None
    assert 0.5 < abs(gamma.value - 0.6) / gamma.sigma < 1.5
