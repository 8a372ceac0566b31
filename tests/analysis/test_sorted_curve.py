"""Curves in order."""

import numpy as np
import pytest

from onnes.analysis.sorted_curve import grid_sigma, sorted_curve


def test_points_are_sorted_and_those_that_are_no_numbers_left_out() -> None:
    curve = sorted_curve("moment", [3.0, 1.0, np.nan, 2.0], [30.0, 10.0, 0.0, np.nan], 0.5)
    assert list(curve.x) == [1.0, 3.0]
    assert list(curve.y) == [10.0, 30.0]
    assert list(curve.sigma) == [0.5, 0.5]


def test_points_at_one_place_become_their_mean() -> None:
    curve = sorted_curve("moment", [1.0, 2.0, 1.0], [10.0, 20.0, 14.0], [3.0, 1.0, 4.0])
    assert list(curve.y) == [12.0, 20.0]
    assert curve.sigma[0] == pytest.approx(2.5)


def test_a_curve_without_points_is_empty() -> None:
    assert len(sorted_curve("moment", [], [], 0.1).x) == 0


def test_between_points_both_errors_count() -> None:
    curve = sorted_curve("moment", [0.0, 10.0], [0.0, 100.0], [4.0, 3.0])
    y, sigma = curve.at(np.array([5.0, 0.0, 10.0]))
    assert list(y) == [50.0, 0.0, 100.0]
    assert list(sigma) == [2.5, 4.0, 3.0]


def test_a_jump_is_known_to_its_step_and_a_line_exactly() -> None:
    x = np.arange(6.0)
    assert grid_sigma(x, np.array([0.0, 0, 0, 1, 1, 1]), 2) == pytest.approx(1 / 12**0.5)
    assert grid_sigma(x, x, 2) == 0
    assert grid_sigma(x, x**2, 2) == pytest.approx(2 / 5 / 12**0.5)


def test_arrays_that_do_not_match_and_negative_errors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"moment: arrays of shape \(2,\) and \(1,\); give one value"):
        sorted_curve("moment", [1.0, 2.0], [1.0], 0.1)
    with pytest.raises(ValueError, match=r"moment: \(3,\) sigmas of \(2,\) points; give one a point"):
        sorted_curve("moment", [1.0, 2.0], [1.0, 2.0], [0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match=r"moment: sigma = -0.1 is negative"):
        sorted_curve("moment", [1.0, 2.0], [1.0, 2.0], [0.1, -0.1])
