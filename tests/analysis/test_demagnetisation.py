"""Demagnetisation factors against exact cases and printed numbers."""

import math

import pytest

from onnes.analysis.demagnetisation import (
    aharoni,
    brandt,
    disk,
    external,
    factor,
    given,
    intrinsic,
    prozorov_kogan,
)

BAR = ((0.1, 0.1), 0.5)


def test_a_uniformly_magnetised_cube_has_one_third() -> None:
    assert aharoni((0.3, 0.3), 0.3).n == pytest.approx(1 / 3, abs=1e-12)


def test_the_three_factors_of_a_prism_add_up_to_one() -> None:
    a, b, c = 0.11, 0.23, 0.57
    total = aharoni((a, b), c).n + aharoni((b, c), a).n + aharoni((c, a), b).n
    assert total == pytest.approx(1, abs=1e-12)


def test_a_bar_five_times_as_long_as_wide_has_the_known_factors() -> None:
    assert aharoni(*BAR).n == pytest.approx(0.0883, abs=5e-5)
    assert prozorov_kogan(*BAR).n == pytest.approx(0.1176, abs=5e-5)
    assert brandt(*BAR).n == pytest.approx(0.107, abs=5e-4)


def test_a_wire_along_the_field_has_almost_none_and_a_film_across_it_almost_one() -> None:
    assert aharoni((1e-4, 1e-4), 1.0).n == pytest.approx(0, abs=1e-3)
    film = aharoni((0.5, 0.5), 2.15e-5).n
    assert 1 - 1e-3 < film < 1
    assert prozorov_kogan((0.5, 0.5), 2.15e-5).n == pytest.approx(film, abs=1e-3)


def test_a_disk_as_thick_as_wide_has_the_factor_of_its_formula() -> None:
    assert disk(0.5, 0.5).n == pytest.approx(1 / 2.6)
    assert disk(0.5, 0.5).n == pytest.approx(prozorov_kogan((0.5, 0.5), 0.5).n, abs=0.02)


def test_a_sample_file_names_the_model_or_gives_the_number() -> None:
    assert factor("aharoni", *BAR) == aharoni(*BAR)
    assert factor("prozorov_kogan", *BAR).name == "Prozorov-Kogan, full screening"
    assert factor("brandt", *BAR) == brandt(*BAR)
    assert factor(0.05, *BAR) == (0.05, "given")


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="'osborn' is none of prozorov_kogan, aharoni, brandt, and no number"
    ):
        factor("osborn", *BAR)


@pytest.mark.parametrize("n", [-0.1, 1.0, math.nan])
def test_a_factor_outside_its_range_is_refused(n: float) -> None:
    with pytest.raises(ValueError, match=r"demagnetisation factor = .* is outside \[0, 1\)"):
        given(n)


@pytest.mark.parametrize("side", [0.0, -0.1, math.nan, math.inf])
def test_a_side_that_is_not_positive_is_refused(side: float) -> None:
    for model in (aharoni, prozorov_kogan, brandt):
        with pytest.raises(ValueError, match=r"side of the sample = .* cm is not a positive number"):
            model((0.1, side), 0.5)
    with pytest.raises(ValueError, match=r"side of the sample = .* cm is not a positive number"):
        disk(0.1, side)


def test_brandt_is_refused_for_a_plate() -> None:
    with pytest.raises(ValueError, match=r"0.3 x 0.1 cm is far from square.*use prozorov_kogan"):
        brandt((0.3, 0.1), 0.5)


def test_full_screening_reads_minus_one_over_one_minus_n_in_the_applied_field() -> None:
    assert external(-1.0, 0.0883) == pytest.approx(-1.0969, abs=1e-4)
    assert intrinsic(external(-0.37, 0.2), 0.2) == pytest.approx(-0.37, rel=1e-12)
