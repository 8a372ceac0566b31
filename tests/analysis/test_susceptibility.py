"""Susceptibility, holder and fraction."""

import math

import numpy as np
import pytest

from onnes.analysis.susceptibility import (
    MomentAt,
    screened_fraction,
    subtract_background,
    susceptibility,
    susceptibility_at,
)

VOLUME = 5e-3
PRISTINE = MomentAt(-2.38e-2, 2.4e-6, 2.0, 5.0, 0.1)


def test_a_bar_that_screens_fully_reads_minus_one_over_one_minus_n() -> None:
    t = np.array([3.0, 2.0, 2.5])
    moment = np.full(3, -1.097 * 10 * VOLUME / (4 * math.pi))
    curve = susceptibility(t, moment, 2e-8, field_oe=10.0, volume_cm3=VOLUME, field_sigma_oe=0.5)
    found = susceptibility_at(curve, 2.0, within_k=0.1)
    assert found.value == pytest.approx(-1.097)
    assert found.n == 1
    assert found.goodness["sigma_noise"] == pytest.approx(2e-8 * 4 * math.pi / (10 * VOLUME))
    assert found.goodness["sigma_scale"] == pytest.approx(1.097 * math.hypot(0.05, 0.05))


def test_the_moment_of_a_negative_field_has_the_same_susceptibility() -> None:
    up = susceptibility([2.0], [-4e-3], 1e-8, field_oe=10.0, volume_cm3=VOLUME)
    down = susceptibility([2.0], [4e-3], 1e-8, field_oe=-10.0, volume_cm3=VOLUME)
    assert down.chi == pytest.approx(up.chi)
    assert down.sigma == pytest.approx(up.sigma)


def test_a_temperature_that_was_not_measured_has_no_susceptibility() -> None:
    curve = susceptibility([5.0, 6.0], [-1e-3, -1e-3], 1e-8, field_oe=10.0, volume_cm3=VOLUME)
    assert susceptibility_at(curve, 2.0).reason == "the nearest point is at 5 K"
    empty = susceptibility([], [], 1e-8, field_oe=10.0, volume_cm3=VOLUME)
    assert susceptibility_at(empty, 2.0).reason == "no points"


def test_points_that_scatter_beyond_their_noise_have_the_sigma_of_their_scatter() -> None:
    curve = susceptibility([1.9, 2.0, 2.1], [-1e-3, -2e-3, -3e-3], 1e-8, field_oe=10.0, volume_cm3=VOLUME)
    found = susceptibility_at(curve, 2.0)
    assert found.goodness["sigma_noise"] == pytest.approx(1e-3 / 3**0.5 * 4 * math.pi / (10 * VOLUME))


def test_a_field_of_zero_and_a_volume_of_zero_are_errors() -> None:
    with pytest.raises(ValueError, match=r"field at the sample = 0.0 Oe has no susceptibility"):
        susceptibility([2.0], [1.0], 0.1, field_oe=0.0, volume_cm3=VOLUME)
    with pytest.raises(ValueError, match=r"volume of the sample = 0.0 cm\^3 is not a positive number"):
        susceptibility([2.0], [1.0], 0.1, field_oe=1.0, volume_cm3=0.0)


def test_the_holder_is_subtracted_on_another_grid_and_its_error_is_added() -> None:
    t = np.array([30.0, 2.5])
    clean, sigma = subtract_background(
        t, np.array([1.0, 2.0]), 0.3, np.array([2.0, 3.0, 40.0]), np.array([-1.0, -1.0, -1.0]), 0.4
    )
    assert clean == pytest.approx([2.0, 3.0])
    assert sigma[1] == pytest.approx(math.hypot(0.3, 0.4 / 2**0.5))


def test_the_holder_is_not_extrapolated() -> None:
    with pytest.raises(ValueError, match=r"2 points from 1.9 to 45 lie outside the background, \[2, 40\]"):
        subtract_background([1.9, 20.0, 45.0], [0.0, 0.0, 0.0], 0.1, [2.0, 40.0], [1.0, 1.0], 0.1)
    with pytest.raises(ValueError, match="background has 1 points"):
        subtract_background([2.0], [0.0], 0.1, [2.0], [1.0], 0.1)
    with pytest.raises(ValueError, match="give one value of each a point"):
        subtract_background([2.0, 3.0], [0.0], 0.1, [2.0, 4.0], [1.0, 1.0], 0.1)


def test_a_fraction_of_a_thousandth_is_found_with_its_error() -> None:
    found = screened_fraction(MomentAt(-1.9e-5, 2e-8, 2.0, 5.0, 0.1), PRISTINE)
    assert found.value == pytest.approx(8e-4, rel=0.01)
    assert found.sigma == pytest.approx(8e-4 * 2**0.5 * 0.02, rel=0.02)
    assert not found.flags


def test_a_fraction_within_the_noise_is_a_bound() -> None:
    found = screened_fraction(MomentAt(-1e-8, 2e-8, 2.0, 5.0, 0.1), PRISTINE)
    assert found.flags == ("not_resolved",)
    assert found.sigma == pytest.approx(2e-8 / 2.38e-2, rel=0.01)


@pytest.mark.parametrize(
    ("sample", "reference", "reason"),
    [
        (PRISTINE._replace(temperature_k=4.0), PRISTINE, "was measured at 2 K, not at 4 K"),
        (PRISTINE._replace(field_oe=7.0), PRISTINE, "was measured in 5 Oe, not in 7 Oe"),
        (PRISTINE._replace(field_oe=0.0), PRISTINE, "in zero field nothing is screened"),
        (PRISTINE, PRISTINE._replace(sigma_emu=1e-2), "within 5 sigma of zero"),
        (PRISTINE._replace(moment_emu=math.nan), PRISTINE, "is not a number"),
    ],
)
def test_moments_that_cannot_be_compared_have_no_fraction(
    sample: MomentAt, reference: MomentAt, reason: str
) -> None:
    found = screened_fraction(sample, reference)
    assert found.value is None
    assert reason in found.reason
