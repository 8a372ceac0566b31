"""The two-step composite: resistivity, irreversibility line, slopes and remanence in both orientations."""

import math
from typing import Any

import numpy as np
import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.sim.critical_state import CriticalState, Material, Section
from onnes.sim.samples import make_sample
from onnes.sim.samples_twostep import TwoStep

CM3 = 2e-3
ORIENTATIONS = ("perpendicular", "parallel")


def plate(orientation: str = "perpendicular", **keys: Any) -> TwoStep:
    sample = make_sample({"model": "twostep", "orientation": orientation, **keys}, "lab.toml")
    assert isinstance(sample, TwoStep)
    return sample


def after(sample: TwoStep, *path: tuple[float, float]) -> float:
    """Return 4 pi M in G at the end of a path of temperatures in K and fields in Oe."""
    for kelvin, oersted in path:
        sample.update(kelvin, oersted, 0.0)
    return sample.moment_emu() * 4 * math.pi / CM3


def test_the_resistivity_has_the_values_of_the_reference() -> None:
    sample = plate()
    found = [sample.resistivity(kelvin, 0.0) for kelvin in (300.0, 45.0, 25.0)]
    assert found == pytest.approx([0.0300, 0.0405, 0.0272], abs=5e-5)
    assert sample.resistivity(16.5, 0.0) == pytest.approx(1.1e-5, abs=0.05e-5)


def test_a_field_moves_both_steps_down_whatever_its_sign() -> None:
    sample = plate()
    for kelvin in (17.5, 36.5):
        assert sample.resistivity(kelvin, 5e4) > sample.resistivity(kelvin, 0.0)
        assert sample.resistivity(kelvin, -5e4) == sample.resistivity(kelvin, 5e4)


def test_the_resistance_is_that_of_the_whole_plate() -> None:
    sample = plate()
    expected = sample.resistivity(100.0, 0.0) * 0.2 / (0.2 * 0.05)
    assert sample.resistance(100.0, 0.0, 7.0) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("orientation", "low", "high"), [("perpendicular", 26.06, 15.19), ("parallel", 27.44, 14.25)]
)
def test_the_irreversibility_line_is_that_of_the_reference(orientation: str, low: float, high: float) -> None:
    sample = plate(orientation)
    assert [sample.irreversibility_k(oersted) for oersted in (100.0, 3000.0)] == pytest.approx(
        [low, high], abs=5e-3
    )
    assert sample.irreversibility_k(-3000.0) == sample.irreversibility_k(3000.0)


def test_above_the_irreversibility_line_nothing_is_pinned() -> None:
    sample = plate()
    line = sample.irreversibility_k(3000.0)
    assert sample.jc_grain(line, 3000.0) == sample.jc_matrix(line, 3000.0) == 0.0
    assert sample.jc_grain(line - 0.1, 3000.0) > 0.0
    assert sample.jc_grain(2.0, 1e5) == 0.0
    rising, falling = plate(), plate()
    up = after(rising, (60.0, 0.0), (20.0, 0.0), (20.0, 3000.0))
    down = after(falling, (60.0, 0.0), (20.0, 0.0), (20.0, 9000.0), (20.0, 3000.0))
    assert up == down < 0.0  # reversible there


@pytest.mark.parametrize(
    ("orientation", "slopes"),
    [("perpendicular", [-0.994, -0.919, -0.0346]), ("parallel", [-0.0996, -0.0930, -0.0347])],
)
def test_the_initial_slopes_are_those_of_the_reference(orientation: str, slopes: list[float]) -> None:
    found = [
        after(plate(orientation), (60.0, 0.0), (kelvin, 0.0), (kelvin, 1.0)) for kelvin in (2.0, 10.0, 25.0)
    ]
    assert found[:2] == pytest.approx(slopes[:2], rel=1e-3)
    assert found[2] == pytest.approx(slopes[2], abs=5e-5)


def remanence(sample: TwoStep, steps: int) -> float:
    """Return 4 pi M in G after 2 kOe and back at 10 K, before the sum is divided by 1.06."""
    after(sample, (60.0, 0.0), (10.0, 0.0))
    fields = np.linspace(0.0, 2000.0, steps + 1)
    after(sample, *((10.0, oersted) for oersted in fields[1:]))
    return 1.06 * after(sample, *((10.0, oersted) for oersted in fields[-2::-1]))


@pytest.mark.parametrize("steps", [1, 5000])
def test_the_remanence_is_that_of_the_reference_in_one_step_and_in_five_thousand(steps: int) -> None:
    assert remanence(plate(), steps) == pytest.approx(17.05, abs=5e-3)


@pytest.mark.parametrize(("fine_oe", "expected"), [(0.0, 19.96), (200.0, 19.96), (4.0, 19.15)])
def test_without_smoothing_only_steps_of_a_fraction_of_an_oersted_converge(
    fine_oe: float, expected: float
) -> None:
    def pinned(kelvin: float, oersted: float) -> float:
        line = 37.0 * (1.0 - (abs(oersted) / 4e4) ** (1 / 4.9))
        return math.pow(1.0 - kelvin / line, 1.5) if line > kelvin else 0.0

    matrix, grains = (
        CriticalState(Material(37.0, jc), Section.slab(0.05), fine_below_oe=fine_oe)
        for jc in (
            lambda kelvin, oersted: 2940 * (1 - (kelvin / 19) ** 2) * pinned(kelvin, oersted),
            lambda kelvin, oersted: 6000 * pinned(kelvin, oersted),
        )
    )
    for state in (matrix, grains):
        for oersted in (0.0, 2000.0, 0.0):
            state.update(10.0, oersted, 0.0)
    total = (1 - (10 / 19.5) ** 4) * matrix.four_pi_m + 0.01 * grains.four_pi_m
    assert total == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_moment_is_never_larger_than_that_of_full_screening(orientation: str) -> None:
    for kelvin in (1.8, 5.0, 12.0, 18.0, 24.0, 36.0):
        for oersted in (1.0, 30.0, 1000.0, 5e4):
            screened = after(plate(orientation), (60.0, 0.0), (kelvin, 0.0), (kelvin, oersted))
            assert -oersted <= screened < 0.0


def test_above_the_upper_step_there_is_no_moment() -> None:
    assert after(plate(), (10.0, 1000.0), (37.0, 1000.0)) == 0.0
    assert plate().tc_k == 37.0


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_path_of_opposite_fields_gives_opposite_moments(orientation: str) -> None:
    plus, minus = plate(orientation), plate(orientation)
    for kelvin, oersted in [(60.0, 5.0), (10.0, 5.0), (10.0, 900.0), (10.0, -150.0), (25.0, -150.0)]:
        there = after(plus, (kelvin, oersted))
        assert after(minus, (kelvin, -oersted)) == pytest.approx(-there, rel=1e-9)


def test_zero_field_cooling_and_field_cooling_part_below_the_irreversibility_line() -> None:
    zfc, fc = plate(), plate()
    after(zfc, (60.0, 0.0), (2.0, 0.0))
    after(fc, (60.0, 100.0), (2.0, 100.0))
    gaps = [after(fc, (kelvin, 100.0)) - after(zfc, (kelvin, 100.0)) for kelvin in (5.0, 15.0, 27.0)]
    assert gaps[0] > gaps[1] > 1.0
    assert gaps[2] == pytest.approx(0.0, abs=1e-9)


def test_an_unknown_orientation_is_refused_with_the_nearest_one() -> None:
    text = r"^lab.toml: orientation = 'paralel' is none of perpendicular, parallel; did you mean 'parallel'$"
    with pytest.raises(ConfigurationError, match=text):
        plate("paralel")
