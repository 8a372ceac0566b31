"""Directions and signs of the field, combined."""

import numpy as np
import pytest

from onnes.analysis.field_pairs import average_directions, symmetrise
from onnes.analysis.isotherm import Floats

UP = np.linspace(-9e4, 9e4, 181)
DOWN = UP[::-1]
ONES = np.ones(2)


def even(field: Floats) -> Floats:
    return np.asarray(10 + 2 / (1 + np.exp((2e4 - np.abs(field)) / 1e4)))


def test_the_remanence_of_the_magnet_leaves_the_mean_and_is_the_hysteresis() -> None:
    field = np.linspace(0, 9e4, 91)
    found = average_directions(field, even(field + 12), 1e-4, field[::-1], even(field - 12)[::-1], 1e-4)
    assert found.field == pytest.approx(field)
    assert found.resistance[1:] == pytest.approx(even(field)[1:], abs=1e-6)  # 12 Oe alone would be 6e-4
    assert found.half_difference[20] == pytest.approx((even(field - 12) - even(field + 12))[20] / 2, abs=1e-9)
    assert found.sigma == pytest.approx(1e-4 / np.sqrt(2))


def test_directions_on_different_grids_are_interpolated() -> None:
    rising, falling = np.linspace(0, 9e4, 91), np.linspace(9e4, 300, 87)
    found = average_directions(rising, even(rising), 1e-4, falling, even(falling), 2e-4)
    assert found.field[0] == pytest.approx(1000)
    assert found.resistance == pytest.approx(even(found.field), abs=2e-5)


def test_readings_at_one_field_are_averaged_first() -> None:
    field, ohms = np.array([0.0, 1e3, 1e3, 2e3]), np.array([1.0, 2.0, 4.0, 5.0])
    found = average_directions(field, ohms, 0.2, field[::-1], ohms[::-1], 0.2)
    assert found.resistance.tolist() == [1.0, 3.0, 5.0]
    assert found.sigma[1] == pytest.approx(0.1)


def test_a_hall_pickup_is_all_of_rxy_and_nothing_of_rxx() -> None:
    found = symmetrise(UP, even(UP) + 1e-6 * UP, 1e-3, DOWN, even(DOWN) + 1e-6 * DOWN, 1e-3)
    assert found.field[0] == 0
    assert found.field[-1] == 9e4
    assert found.rxx == pytest.approx(even(found.field), abs=1e-9)
    assert found.rxy == pytest.approx(1e-6 * found.field, abs=1e-9)
    assert found.sigma[5] == pytest.approx(1e-3 / 2)  # four readings


def test_hysteresis_does_not_fake_a_hall_voltage() -> None:
    found = symmetrise(UP, even(UP + 12), 0.0, DOWN, even(DOWN - 12), 0.0)
    assert np.abs(found.rxy[1:]).max() < 1e-6
    assert found.rxx[1:] == pytest.approx(even(found.field[1:]), abs=1e-6)


def test_one_pair_of_branches_is_enough() -> None:
    rising, falling = np.linspace(0, 9e4, 91), np.linspace(0, -9e4, 91)
    found = symmetrise(
        rising, even(rising) + 1e-6 * rising, 1e-3, falling, even(falling) + 1e-6 * falling, 1e-3
    )
    assert found.rxy == pytest.approx(1e-6 * found.field, abs=1e-9)
    assert found.sigma[5] == pytest.approx(1e-3 / np.sqrt(2))


def test_points_without_a_number_are_left_out() -> None:
    broken = even(UP).copy()
    broken[3] = np.nan
    found = symmetrise(UP, broken, 1e-3, DOWN, even(DOWN), 1e-3)
    assert np.all(np.isfinite(found.rxx))


def test_one_sign_of_the_field_cannot_be_symmetrised() -> None:
    field = np.linspace(1e3, 9e4, 90)
    with pytest.raises(ValueError, match=r"share no \+H and -H; measure both signs"):
        symmetrise(field, even(field), 0.0, field[::-1], even(field), 0.0)


def test_curves_that_share_no_field_are_an_error() -> None:
    with pytest.raises(ValueError, match="share no field; measure both over one range"):
        average_directions(np.array([0.0, 1e3]), ONES, 0.0, np.array([3e3, 2e3]), ONES, 0.0)


def test_arrays_of_different_length_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"rising: \(2,\) fields and \(3,\) resistances"):
        average_directions(ONES, np.ones(3), 0.0, ONES, ONES, 0.0)


def test_a_curve_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="falling: no finite point of 2"):
        average_directions(ONES, ONES, 0.0, ONES, np.nan * ONES, 0.0)
