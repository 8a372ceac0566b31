"""A curve relative to its normal state."""

import numpy as np
import pytest

from onnes.analysis.contact_normalisation import by_high_bias, by_normal_curve
from tests.analysis import contact_of_the_tests as slow

BIAS = np.arange(-20, 20.01, 0.2)
BACKGROUND = 0.1 * (1 + 1e-4 * BIAS**2 + 2e-4 * BIAS)
CURVE = slow.curve(2.0, BIAS) * BACKGROUND


def test_a_curve_above_tc_takes_the_background_away() -> None:
    noisy = BACKGROUND * (1 + 5e-3 * np.random.default_rng(1).standard_normal(len(BIAS)))
    found = by_normal_curve(BIAS, CURVE, 5e-4, BIAS, noisy, temperature_k=2.0, normal_k=45.0)
    assert found.curve.conductance == pytest.approx(slow.curve(2.0, BIAS), abs=6e-3)
    assert found.normal_s == pytest.approx(0.1, rel=5e-3)
    assert "curve at 45 K" in found.by


def test_high_bias_stands_for_it_within_two_percent_and_says_so() -> None:
    found = by_high_bias(BIAS, CURVE, 5e-4, gap_mv=7.0, temperature_k=2.0)
    assert np.max(np.abs(found.curve.conductance / slow.curve(2.0, BIAS) - 1)) < 0.03
    assert "some 2 % above normal" in found.by


def test_a_normal_curve_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="measure both over the same bias"):
        by_normal_curve(BIAS, CURVE, 5e-4, BIAS[20:-20], CURVE[20:-20], temperature_k=2.0, normal_k=45.0)
    with pytest.raises(ValueError, match="the normal curve has 3 points; 8 at least are needed"):
        by_normal_curve(BIAS, CURVE, 5e-4, BIAS[:3], CURVE[:3], temperature_k=2.0, normal_k=45.0)


def test_a_bias_that_ends_at_the_gap_has_no_background() -> None:
    with pytest.raises(ValueError, match="0 and 0 points beyond 22 mV on either side; 8 of each are needed"):
        by_high_bias(BIAS, CURVE, 5e-4, gap_mv=10.0, temperature_k=2.0)


def test_a_normal_conductance_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="the normal conductance is not positive everywhere"):
        by_normal_curve(BIAS, CURVE, 5e-4, BIAS, -BACKGROUND, temperature_k=2.0, normal_k=45.0)
