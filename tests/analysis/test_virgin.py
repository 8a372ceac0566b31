"""Initial slope and its anisotropy."""

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.virgin import initial_slope, slope_ratio

FIELDS = np.arange(2.0, 41.0, 2.0)


def _curve(slope: float, seed: int, full: float = 1e4, offset: float = 0.0) -> Floats:
    h = FIELDS + offset
    return slope * h * (1 - h / (4 * full)) + 0.05 * np.random.default_rng(seed).standard_normal(len(h))


def test_the_slopes_of_two_orientations_and_their_ratio_are_found() -> None:
    perp = initial_slope(FIELDS, _curve(-0.919, 1), 0.05, up_to_oe=40.0)
    par = initial_slope(FIELDS, _curve(-0.0930, 2), 0.05, up_to_oe=40.0)
    assert perp.value == pytest.approx(-0.919, abs=0.01)
    ratio = slope_ratio(perp, par)
    assert ratio.value == pytest.approx(9.9, abs=1.0)
    assert ratio.sigma is not None
    assert ratio.sigma < 1.0


def test_the_noise_covers_the_truth_over_seeds() -> None:
    pulls = []
    for seed in range(100):
        found = initial_slope(FIELDS, _curve(-0.9, seed, full=1500), 0.05, up_to_oe=40.0, geometry_sigma=0.0)
        assert found.value is not None
        assert found.sigma is not None
        pulls.append((found.value + 0.9) / found.sigma)
    assert np.mean(np.abs(pulls) < 3) > 0.97
    assert 0.5 < np.std(pulls) < 1.3


def test_a_field_offset_of_2_oe_counts_for_nothing() -> None:
    plain = initial_slope(FIELDS, _curve(-0.9, 3), 0.05, up_to_oe=40.0)
    assert initial_slope(FIELDS, _curve(-0.9, 3, offset=2.0), 0.05, up_to_oe=40.0).value == pytest.approx(
        plain.value, abs=1e-3
    )


def test_noise_alone_is_no_slope_to_divide_by() -> None:
    none = initial_slope(FIELDS, _curve(0.0, 4), 0.05, up_to_oe=40.0)
    assert none.flags == ("not_resolved",)
    perp = initial_slope(FIELDS, _curve(-0.9, 5), 0.05, up_to_oe=40.0)
    assert slope_ratio(perp, none).reason == "the second slope is within 3 sigma of zero"


def test_few_points_have_no_slope() -> None:
    few = initial_slope(FIELDS, _curve(-0.9, 6), 0.05, up_to_oe=5.0)
    assert few.reason == "2 points up to 5 Oe, fewer than 5"
    assert slope_ratio(few, few).reason == "the first slope: 2 points up to 5 Oe, fewer than 5"
    with pytest.raises(ValueError, match="virgin curve: arrays of shape"):
        initial_slope(FIELDS, FIELDS[:2], 0.1, up_to_oe=5.0)


def test_fields_beyond_full_penetration_are_left_out() -> None:
    # A slab that is full of flux at 12 Oe: -H + H^2/24 below, constant above.
    h = FIELDS / 2
    m = 0.03 * np.where(h < 12, -h + h**2 / 24, -6.0) + 1e-4 * np.random.default_rng(7).standard_normal(
        len(h)
    )
    found = initial_slope(h, m, 1e-4, up_to_oe=40.0)
    assert found.value == pytest.approx(-0.03, rel=0.02)
    assert found.window["field_oe"][1] < 14
    assert "poor_fit" not in found.flags


def test_a_curve_that_no_parabola_fits_is_flagged() -> None:
    jagged = -0.5 * FIELDS + np.where(np.arange(len(FIELDS)) % 2, 1.0, -1.0)
    assert "poor_fit" in initial_slope(FIELDS, jagged, 1e-3, up_to_oe=40.0).flags
