"""Hc1 of virgin curves of a Bean bar whose Hc1 is known."""

import math

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.lower_critical_field import (
    lower_critical_field,
    lower_critical_field_at_zero,
    second_difference_noise,
)
from onnes.analysis.result import Result

N = 0.0883
TRUE_HC1 = 713.0
FIELDS = np.concatenate([np.arange(5.0, 200.0, 5.0), np.arange(200.0, 1301.0, 15.0)])


def _virgin(
    applied: Floats, hc1: float = TRUE_HC1, jc: float = 59000.0, n: float = N, half: float = 0.05
) -> Floats:
    """Return 4 pi M, G, of a square Bean bar with a surface barrier: flux enters above Hc1.

    The field at the surface is 0 up to Hc1 and H_i - Hc1 exp(-(H_i - Hc1)/(2 Hc1)) above; the flux front
    falls by 0.4 pi Jc from there, and the demagnetising field of the bar closes the loop.
    """
    full = 0.4 * math.pi * jc * half
    internal = applied / (1 - n)
    for _ in range(60):
        edge = np.where(
            internal > hc1, internal - hc1 * np.exp(-np.clip(internal - hc1, 0, None) / (2 * hc1)), 0.0
        )
        x = np.clip(edge / full, 0, 1)  # reach of the front, share of the half width
        # Mean over a square of a linear front: 2 (1 - u) weights the depth u.
        mean = edge * (x - x**2 / 3)
        magnetisation = mean - internal
        internal = 0.5 * internal + 0.5 * (applied - n * magnetisation)
    return np.asarray(magnetisation)


def _noisy(m: Floats, seed: int, noise: float = 0.03) -> Floats:
    rng = np.random.default_rng(seed)
    return m + np.hypot(noise, 1e-4 * m) * rng.standard_normal(len(m))


def test_extrapolation_finds_hc1_and_the_threshold_lies_a_little_above() -> None:
    found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS), 1), n=N, n_sigma=0.0)
    assert found.extrapolated.value == pytest.approx(TRUE_HC1, abs=20)
    assert found.threshold.value is not None
    assert 1.0 < found.threshold.value / TRUE_HC1 < 1.08
    assert "upper_bound" in found.threshold.flags
    assert "an upper bound, some 4% too high" in found.threshold.criterion


def test_the_quoted_error_covers_the_truth_over_seeds() -> None:
    pulls = []
    for seed in range(40):
        found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS), seed), n=N, n_sigma=0.0).extrapolated
        assert found.value is not None
        assert found.sigma is not None
        assert found.sigma < 30
        pulls.append((found.value - TRUE_HC1) / found.sigma)
    assert np.mean(np.abs(pulls) < 3) > 0.97


@pytest.mark.parametrize(("n", "hc1"), [(0.0883, 709.0), (0.116, 731.0)])
def test_the_factor_of_demagnetisation_scales_the_answer(n: float, hc1: float) -> None:
    m = _virgin(FIELDS)
    given, own = (lower_critical_field(FIELDS, m, n=x, n_sigma=0.03, sigma_g=0.03) for x in (n, N))
    assert given.extrapolated.value is not None
    assert own.extrapolated.value is not None
    assert given.extrapolated.value / own.extrapolated.value == pytest.approx(hc1 / 709.0, rel=1e-3)
    # Wrong by 0.03: the error of N that was given covers it.
    assert given.extrapolated.sigma is not None
    assert abs(given.extrapolated.value - TRUE_HC1) < 2 * given.extrapolated.sigma


def test_a_line_of_the_holder_changes_nothing() -> None:
    m = _noisy(_virgin(FIELDS), 2)
    plain = lower_critical_field(FIELDS, m, n=N).extrapolated
    tilted = lower_critical_field(FIELDS, m + 0.05 * FIELDS, n=N).extrapolated
    assert tilted.value == pytest.approx(plain.value, rel=1e-6)


def test_a_field_offset_of_2_oe_is_flagged_and_costs_less_than_its_error() -> None:
    m = _noisy(_virgin(FIELDS + 2.0), 3)
    found = lower_critical_field(FIELDS, m, n=N, n_sigma=0.0).extrapolated
    assert "field_offset" in found.flags
    assert found.goodness["field_offset_oe"] == pytest.approx(2.0, abs=0.1)
    assert found.value is not None
    assert found.sigma is not None
    assert abs(found.value - TRUE_HC1) < 3 * found.sigma


def test_a_curve_into_negative_fields_in_any_order_gives_the_same() -> None:
    m = _noisy(_virgin(FIELDS), 4)
    plain = lower_critical_field(FIELDS, m, n=N)
    order = np.random.default_rng(4).permutation(len(FIELDS))
    mirrored = lower_critical_field(-FIELDS[order], -m[order], n=N)
    assert mirrored.extrapolated.value == pytest.approx(plain.extrapolated.value, rel=1e-9)
    assert mirrored.threshold.value == pytest.approx(plain.threshold.value, rel=1e-9)


def test_missing_points_are_no_penetration() -> None:
    m = _noisy(_virgin(FIELDS), 5)
    keep = np.random.default_rng(5).random(len(FIELDS)) > 0.2
    m[10] = np.nan
    found = lower_critical_field(FIELDS[keep], m[keep], n=N, n_sigma=0.0).extrapolated
    assert found.value == pytest.approx(TRUE_HC1, abs=30)


def test_eight_points_are_refused_rather_than_guessed() -> None:
    few = np.linspace(100, 1300, 8)
    found = lower_critical_field(few, _noisy(_virgin(few), 6), n=N)
    assert found.threshold.reason == "8 points, fewer than 12"
    assert found.extrapolated.value is None


def test_a_coarse_curve_never_reports_a_false_early_penetration() -> None:
    coarse = np.linspace(50, 1300, 26)
    for seed in range(40):
        found = lower_critical_field(coarse, _noisy(_virgin(coarse), seed), n=N).threshold
        assert found.value is None or found.value > 0.95 * TRUE_HC1


def test_a_curve_that_stays_on_its_line_has_no_hc1() -> None:
    h = np.arange(5.0, 500.0, 5.0)
    for seed in range(20):
        found = lower_critical_field(h, _noisy(_virgin(h), seed), n=N)
        assert found.threshold.value is None
        assert "in a row leave the Meissner line by 4 sigma" in found.threshold.reason


def test_noise_alone_has_no_hc1() -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal(len(FIELDS))
        found = lower_critical_field(FIELDS, noise, n=N)
        assert found.threshold.value is None
        assert found.extrapolated.value is None


def test_fields_of_both_signs_are_no_virgin_curve() -> None:
    h = np.linspace(-500, 600, 50)
    assert "have both signs" in lower_critical_field(h, -h, n=N).threshold.reason


def test_a_curve_that_begins_beyond_hc1_has_no_meissner_line() -> None:
    h = np.arange(800.0, 1300.0, 10.0)
    assert lower_critical_field(h, _noisy(_virgin(h), 7), n=N).extrapolated.value is None


def test_the_noise_of_second_differences_is_that_of_the_points() -> None:
    rng = np.random.default_rng(8)
    x = np.sort(rng.uniform(0, 1000, 4000))
    assert second_difference_noise(x, 0.3 * x + 2.5 * rng.standard_normal(4000)) == pytest.approx(
        2.5, rel=0.05
    )


def test_hc1_at_zero_is_extrapolated_with_its_error() -> None:
    temperatures = [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    found = []
    for k, t in enumerate(temperatures):
        hc1 = TRUE_HC1 * (1 - (t / 37.5) ** 2)
        fields = np.arange(5.0, 1.9 * hc1, hc1 / 60)
        curve = _noisy(_virgin(fields, hc1, jc=59000 * (1 - t / 38.5) ** 1.5 + 3e4), k)
        found.append(lower_critical_field(fields, curve, n=N, n_sigma=0.015))
    zero = lower_critical_field_at_zero(temperatures, [each.extrapolated for each in found])
    assert zero.value == pytest.approx(TRUE_HC1, abs=20)
    assert zero.goodness["tc_k"] == pytest.approx(37.5, abs=1)
    shared = TRUE_HC1 * math.hypot(0.015 / (1 - N), 0.01)
    assert zero.goodness["sigma_shared"] == pytest.approx(shared, rel=0.05)
    bound = lower_critical_field_at_zero(temperatures, [each.threshold for each in found])
    assert bound.value is not None
    assert bound.value > TRUE_HC1
    assert "upper_bound" in bound.flags


def test_hc1_at_zero_needs_three_temperatures_and_a_fall() -> None:
    one = Result("Hc1", 700.0, 10.0, "Oe", "test")
    assert "is known at 2 temperatures" in lower_critical_field_at_zero([5.0, 6.0], [one, one]).reason
    flat = lower_critical_field_at_zero([5.0, 6.0, 7.0], [one, one, one])
    assert "does not fall with T beyond 2 sigma" in flat.reason
    with pytest.raises(ValueError, match="1 temperatures and 2 results"):
        lower_critical_field_at_zero([5.0], [one, one])


def test_a_factor_of_one_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"demagnetisation factor = 1.0 is outside \[0, 1\)"):
        lower_critical_field(FIELDS, -FIELDS, n=1.0)
    with pytest.raises(ValueError, match="virgin curve: arrays of shape"):
        lower_critical_field(FIELDS, FIELDS[:3], n=0.0)


def test_what_the_field_at_the_sample_is_off_by_is_in_the_error() -> None:
    # Cooled in 20 Oe that nobody reports: the curve is that of the change, flux enters 20 Oe early.
    residual, hc1 = 20.0, 200.0
    applied = np.arange(0.0, 400.0, 5.0)
    m = _noisy(_virgin(applied + residual, hc1) + residual / (1 - N), 1)
    blind = lower_critical_field(applied, m, n=N).extrapolated
    assert blind.value is not None
    assert blind.sigma is not None
    assert abs(blind.value - hc1) > 3 * blind.sigma
    found = lower_critical_field(applied, m, n=N, field_sigma_oe=residual)
    for one in (found.extrapolated, found.threshold):
        assert one.goodness["sigma_field"] == pytest.approx(residual / (1 - N))
    assert found.extrapolated.value is not None
    assert found.extrapolated.sigma is not None
    assert abs(found.extrapolated.value - hc1) < 2 * found.extrapolated.sigma


def test_a_field_of_which_nobody_knows_the_error_is_flagged() -> None:
    found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS), 1), n=N, field_sigma_oe=math.nan)
    assert "residual_unknown" in found.extrapolated.flags
    assert "residual_unknown" in found.threshold.flags


@pytest.mark.parametrize("n", [N, 0.2])
def test_a_factor_that_is_not_that_of_the_first_slope_is_flagged(n: float) -> None:
    found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS, n=n), 1), n=N)
    assert ("meissner_slope" in found.extrapolated.flags) == (n != N)
    assert ("meissner_slope" in found.threshold.flags) == (n != N)


def test_a_plate_across_the_field_has_no_hc1_by_its_factor() -> None:
    found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS), 1), n=0.9999)
    for one in (found.extrapolated, found.threshold):
        assert one.reason == "N = 0.9999: the field at the edge of a plate across the field is not H/(1 - N)"


def test_a_ferromagnetic_trace_has_no_threshold_that_anything_confirms() -> None:
    trace = 30 * np.tanh(FIELDS / 800)
    found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS) + trace, 1), n=N)
    assert found.extrapolated.value is None
    assert found.threshold.value is not None
    assert found.threshold.value < 0.7 * TRUE_HC1
    assert "unconfirmed" in found.threshold.flags


def test_a_moment_of_reversed_sign_is_said_to_be_that() -> None:
    found = lower_critical_field(FIELDS, -_noisy(_virgin(FIELDS), 1), n=N)
    assert found.threshold.reason == "the moment is not diamagnetic in small fields; is its sign reversed?"


def test_hc1_at_zero_keeps_the_flags_and_the_field_error_of_its_curves() -> None:
    kelvins = [2.0, 10.0, 20.0]
    curves = [_noisy(_virgin(FIELDS, 713 * (1 - (t / 38) ** 2)), 1) for t in kelvins]
    found = [lower_critical_field(FIELDS, m, n=0.2, field_sigma_oe=10.0).extrapolated for m in curves]
    at_zero = lower_critical_field_at_zero(kelvins, found)
    assert "meissner_slope" in at_zero.flags
    assert at_zero.goodness["sigma_shared"] > 10 / (1 - 0.2)


def test_a_wrong_factor_that_the_first_slope_speaks_against_is_in_the_error() -> None:
    right = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS), 1), n=N).extrapolated
    assert right.goodness["sigma_n"] == pytest.approx(0.015 * (right.value or 0.0) / (1 - N), rel=1e-3)
    found = lower_critical_field(FIELDS, _noisy(_virgin(FIELDS, n=0.2), 1), n=0.1176).extrapolated
    assert found.value is not None
    assert found.sigma is not None
    assert found.goodness["off_full_screening"] == pytest.approx(0.103, abs=0.003)
    assert abs(found.value - TRUE_HC1) < 3 * found.sigma
