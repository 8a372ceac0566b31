"""The nanocomposite bar: resistivity, critical current, and what a magnetometer finds on it."""

import math
from typing import Any

import numpy as np
import pytest

from onnes.sim.samples import make_sample
from onnes.sim.samples_nanocomposite import Nanocomposite

CM3 = 5e-3
DEMAGNETISATION = 0.0883


def bar(**keys: Any) -> Nanocomposite:
    sample = make_sample({"model": "nanocomposite", **keys}, "lab.toml")
    assert isinstance(sample, Nanocomposite)
    return sample


def after(sample: Nanocomposite, *path: tuple[float, float]) -> float:
    """Return M in emu/cm^3 at the end of a path of temperatures in K and fields in Oe."""
    for kelvin, oersted in path:
        sample.update(kelvin, oersted, 0.0)
    return sample.moment_emu() / CM3


def chi(sample: Nanocomposite, *path: tuple[float, float]) -> float:
    """Return 4 pi M/H at the end of a path."""
    return 4 * math.pi * after(sample, *path) / path[-1][1]


def zero_field_cooled(**keys: Any) -> Nanocomposite:
    sample = bar(**keys)
    after(sample, (60.0, 0.0), (38.5, 0.0), (2.0, 0.0))
    return sample


# --- resistivity and critical current


def test_the_resistivity_has_the_values_of_the_reference() -> None:
    sample = bar()
    found = [sample.resistivity(*at) * 1e6 for at in ((36.8, 0), (38, 0), (300, 0), (25, 3e4), (100, 0))]
    assert found == pytest.approx([0.4228, 12.236, 54.01, 13.604, 20.0], rel=3e-4)
    assert sample.resistivity(300.0, 0.0) / sample.resistivity(40.0, 0.0) == pytest.approx(3.16, abs=5e-3)


def test_the_transition_goes_on_above_the_upper_critical_field() -> None:
    sample = bar()
    normal = sample.resistivity(2.0, 2e5)
    assert sample.resistivity(2.0, 97900.0) / normal == pytest.approx(0.40, abs=3e-3)
    assert sample.resistivity(2.0, 1.2 * 97900.0) == normal


def test_between_zero_resistance_and_the_end_of_the_moment_the_pieces_disagree_as_printed() -> None:
    sample = bar()
    assert sample.resistivity(36.55, 0.0) == 0.0
    assert sample.resistivity(37.0, 0.0) > 0.0
    assert sample.jc(37.0, 0.0) > 1.0


def test_the_resistance_is_that_of_a_bar_with_contacts_at_its_ends() -> None:
    sample = bar(length_mm=4.0, width_mm=2.0, thickness_mm=0.5)
    assert sample.resistance(100.0, 0.0, 7.0) == pytest.approx(2e-5 * 0.4 / (0.2 * 0.05))
    assert sample.voltage(1e-3, 100.0, 0.0, 0.0) == pytest.approx(1e-3 * sample.resistance(100.0, 0.0, 0.0))


def test_the_critical_current_has_the_values_of_the_reference() -> None:
    sample = bar()
    found = [sample.jc(kelvin, 0.0) for kelvin in (5.0, 20.0, 30.0, 35.0)]
    assert found == pytest.approx([58980, 42183, 18714, 5278], rel=1e-4)
    links = [sample.jc(kelvin, 0.0) for kelvin in (37.1, 36.9, 36.6)]
    assert links == pytest.approx([1.598, 15.87, 150.3], rel=2e-3)


def test_the_critical_current_ends_at_the_links_and_at_the_upper_critical_field() -> None:
    sample = bar()
    assert sample.jc(37.5, 0.0) == sample.jc(40.0, 0.0) == 0.0
    upper = 97900.0 * (1 - 20 / 38.5) ** 1.23
    assert sample.jc(20.0, 0.999 * upper) > 0.0
    assert sample.jc(20.0, upper) == sample.jc(20.0, -upper) == 0.0
    assert sample.jc(20.0, 8000.0) < 0.5 * sample.jc(20.0, 0.0)


def test_links_that_close_above_the_grains_pass_no_current() -> None:
    sample = bar(tc_k=30.0)
    assert sample.jc(31.0, 0.0) == 0.0
    assert after(sample, (29.0, 0.0), (31.0, 50.0)) == 0.0


def test_hc1_starts_at_the_printed_value_and_vanishes_with_the_links() -> None:
    sample = bar()
    assert sample.hc1(0.0) == pytest.approx(713.0, rel=1e-9)
    assert sample.hc1(37.49) < 1e-6
    assert sample.hc1(37.5) == sample.hc1(39.0) == 0.0


# --- ZFC and FC


@pytest.mark.parametrize(
    ("kelvin", "expected", "within"),
    [
        (2.0, -1.097, 5e-4),
        (20.0, -1.097, 5e-4),
        (36.0, -1.097, 5e-4),
        (36.6, -0.73, 5e-3),
        (37.0, -0.11, 5e-3),
        (38.4, -0.06, 5e-3),
    ],
)
def test_zero_field_cooling_screens_as_in_the_reference(
    kelvin: float, expected: float, within: float
) -> None:
    warming = zero_field_cooled()
    assert chi(warming, (2.0, 10.0), (kelvin, 10.0)) == pytest.approx(expected, abs=within)


def test_field_cooling_expels_one_percent_and_warming_in_the_field_finds_the_same() -> None:
    sample = bar()
    grid = (30.0, 20.0, 10.0)
    cooled = [
        chi(sample, (60.0, 10.0), (38.5, 10.0), (30.0, 10.0)),
        *(chi(sample, (kelvin, 10.0)) for kelvin in grid[1:]),
    ]
    assert chi(sample, (2.0, 10.0)) == pytest.approx(-0.0100, abs=5e-5)
    warmed = [chi(sample, (kelvin, 10.0)) for kelvin in reversed(grid)]
    assert warmed[::-1] == pytest.approx(cooled, rel=1e-9)


def test_above_tc_there_is_no_moment() -> None:
    assert after(bar(), (60.0, 10.0)) == after(zero_field_cooled(), (2.0, 10.0), (38.5, 10.0)) == 0.0


def test_a_field_cooled_bar_keeps_its_flux_when_the_field_goes() -> None:
    sample = bar()
    after(sample, (60.0, 200.0), (5.0, 200.0), (5.0, 0.0))
    assert sample.induction[-1] == pytest.approx(200.0)
    assert sample.induction[0] < 20.0


def test_cooling_in_a_remanent_field_spoils_the_zero_field_cooled_moment() -> None:
    clean = chi(zero_field_cooled(), (2.0, 10.0))
    spoilt = chi(bar(), (60.0, 3.0), (2.0, 3.0), (2.0, 10.0))
    assert spoilt == pytest.approx(0.7 * clean, rel=0.02)


@pytest.mark.parametrize("overshoot", [(36.6, 12.0), (36.8, 10.0)])
def test_an_overshoot_of_field_or_temperature_near_tc_stays_in_the_curve(
    overshoot: tuple[float, float],
) -> None:
    clean = chi(zero_field_cooled(), (2.0, 10.0), (36.6, 10.0))
    damaged = chi(zero_field_cooled(), (2.0, 10.0), (36.6, 10.0), overshoot, (36.6, 10.0))
    assert abs(damaged) < 0.98 * abs(clean)


# --- loops


def half_loop(kelvin: float, at_oe: float = 0.0, **keys: Any) -> float:
    """Return half the height of the loop in emu/cm^3 at an applied field."""
    sample = zero_field_cooled(**keys)
    down = after(sample, (kelvin, 0.0), (kelvin, 2e4), (kelvin, at_oe))
    up = after(sample, (kelvin, -2e4), (kelvin, at_oe))
    return 0.5 * (down - up)


def half_loop_inside(kelvin: float) -> float:
    """Return half the height of the loop in emu/cm^3 at zero internal field, H - D 4 pi M."""
    sample = zero_field_cooled()
    fields = np.arange(150.0, -151.0, -1.0)
    after(sample, (kelvin, 0.0), (kelvin, 2e4))
    down = np.array([after(sample, (kelvin, oersted)) for oersted in fields])
    after(sample, (kelvin, -2e4))
    up = np.array([after(sample, (kelvin, oersted)) for oersted in fields[::-1]])
    inside_down = fields - DEMAGNETISATION * 4 * math.pi * down
    inside_up = fields[::-1] - DEMAGNETISATION * 4 * math.pi * up
    return float(np.interp(0, inside_down[::-1], down[::-1]) - np.interp(0, inside_up, up)) / 2


def bean_jc(half_height: float) -> float:
    """Return Jc in A/cm^2 of a square bar 1 mm thick from half the height of its loop in emu/cm^3."""
    return 20 * half_height / (0.1 * (1 - 1 / 3)) * 2


def test_the_loop_at_5_k_has_the_height_of_the_reference() -> None:
    applied, inside = half_loop(5.0), half_loop_inside(5.0)
    assert [applied, inside] == pytest.approx([106.3, 98.4], abs=0.06)
    assert [applied * CM3, inside * CM3] == pytest.approx([0.53, 0.49], abs=5e-3)


@pytest.mark.parametrize(
    ("kelvin", "inside", "applied"),
    [(5.0, 59069, 63796), (20.0, 42316, 45868), (30.0, 18909, 20600), (35.0, 5501, 5998)],
)
def test_beans_jc_at_zero_internal_field_is_that_without_demagnetisation(
    kelvin: float, inside: float, applied: float
) -> None:
    assert bean_jc(half_loop_inside(kelvin)) == pytest.approx(inside, abs=1.5)
    assert bean_jc(half_loop(kelvin, demagnetisation=0.0)) == pytest.approx(inside, abs=1.5)
    assert bean_jc(half_loop(kelvin)) == pytest.approx(applied, abs=1.5)


def test_a_path_of_opposite_fields_gives_opposite_moments() -> None:
    path = [(60.0, 5.0), (10.0, 5.0), (10.0, 1500.0), (10.0, -700.0), (36.8, -700.0), (36.8, 20.0)]
    plus, minus = bar(), bar()
    for kelvin, oersted in path:
        there = after(plus, (kelvin, oersted))
        assert after(minus, (kelvin, -oersted)) == pytest.approx(-there, rel=1e-9, abs=1e-12)


Path = tuple[tuple[float, float], ...]


def in_one_update_and_in_five_hundred(path: Path, **keys: Any) -> tuple[list[float], list[float]]:
    """Return M in emu/cm^3 at each corner of a path from 2 K and 0 Oe, by one update a leg and by 500."""
    once, slowly = zero_field_cooled(**keys), zero_field_cooled(**keys)
    wholes, stepped, last = [], [], (2.0, 0.0)
    for corner in path:
        wholes.append(after(once, corner))
        kelvin, oersted = (np.linspace(a, b, 501)[1:].tolist() for a, b in zip(last, corner, strict=True))
        stepped.append(after(slowly, *zip(kelvin, oersted, strict=True)))
        last = corner
    return wholes, stepped


@pytest.mark.parametrize(
    "path",
    [
        ((2.0, 5000.0), (2.0, -3000.0), (2.0, 100.0)),
        ((30.0, 0.0), (30.0, 900.0), (10.0, 900.0), (10.0, -900.0)),
        ((2.0, 10.0), (36.6, 10.0), (37.2, 10.0), (2.0, 10.0)),
    ],
)
def test_one_update_of_a_leg_equals_five_hundred_steps(path: Path) -> None:
    whole, stepped = in_one_update_and_in_five_hundred(path)
    assert whole == pytest.approx(stepped, abs=2e-4)


@pytest.mark.parametrize(("demagnetisation", "share"), [(0.0, 1e-12), (DEMAGNETISATION, 2e-3)])
def test_warming_in_a_large_field_is_one_update_as_far_as_the_internal_field_is_constant(
    demagnetisation: float, share: float
) -> None:
    # As screening breaks down the internal field falls with it, so that the band is not quite monotone.
    path = ((2.0, 900.0), (36.0, 900.0), (36.7, 900.0))
    whole, stepped = in_one_update_and_in_five_hundred(path, demagnetisation=demagnetisation)
    assert whole == pytest.approx(stepped, rel=share)


def test_creep_lowers_the_remanent_moment_with_time() -> None:
    sample = bar(creep=0.02)
    for at, t in (((60.0, 0.0), 0.0), ((5.0, 0.0), 1.0), ((5.0, 2e4), 2.0), ((5.0, 0.0), 3.0)):
        sample.update(*at, t)
    start = sample.moment_emu()
    moments = []
    for held in (10.0, 100.0, 1000.0):
        sample.update(5.0, 0.0, 3.0 + held)
        moments.append(sample.moment_emu() / start)
    assert moments == pytest.approx([1 - 0.02 * math.log1p(t) for t in (10, 100, 1000)], abs=0.02)
    assert 1.0 > moments[0] > moments[1] > moments[2]
