"""The critical state: closed forms of Bean's model, memory, creep, and where one segment is one update."""

import math

import numpy as np
import pytest

from onnes.sim.critical_state import CriticalState, Material, Section

JC = 1000.0
HALF_CM = 0.05
PENETRATION_OE = 0.4 * math.pi * JC * HALF_CM
SLAB = Section.slab(2 * HALF_CM)
BAR = Section.bar(2 * HALF_CM, 2 * HALF_CM)


def bean(tc_k: float = 90.0, creep: float = 0.0) -> Material:
    return Material(tc_k, lambda _kelvin, _oersted: JC, creep=creep)


def after(state: CriticalState, *path: tuple[float, float]) -> float:
    """Return 4 pi M at the end of a path of temperatures in K and fields in Oe."""
    for kelvin, oersted in path:
        state.update(kelvin, oersted, 0.0)
    return state.four_pi_m


# --- closed forms


def test_the_layers_fill_the_body() -> None:
    for section in (SLAB, BAR, Section.bar(0.3, 0.1), Section.bar(0.1, 0.3)):
        assert section.weight.sum() == pytest.approx(1.0, rel=1e-12)
        assert section.depth_cm[-1] < HALF_CM
    assert pytest.approx(2 * (1 - BAR.depth_cm / HALF_CM) / 96) == BAR.weight
    assert np.array_equal(Section.bar(0.3, 0.1).weight, Section.bar(0.1, 0.3).weight)


def test_a_bar_much_wider_than_thick_is_a_slab() -> None:
    assert Section.bar(1e6, 2 * HALF_CM).weight == pytest.approx(SLAB.weight, rel=1e-5)


@pytest.mark.parametrize("x", [0.2, 0.7, 1.0])
def test_the_virgin_curve_is_that_of_bean(x: float) -> None:
    field = x * PENETRATION_OE
    assert after(CriticalState(bean(), SLAB), (5.0, field)) == pytest.approx(
        -field * (1 - x / 2), abs=2e-3 * PENETRATION_OE
    )
    assert after(CriticalState(bean(), BAR), (5.0, field)) == pytest.approx(
        -field * (1 - x + x * x / 3), abs=2e-3 * PENETRATION_OE
    )


@pytest.mark.parametrize(("width_cm", "share"), [(0.1, 1 / 3), (0.3, 4 / 9), (1e6, 1 / 2)])
def test_the_remanence_of_a_bar_is_that_of_bean(width_cm: float, share: float) -> None:
    state = CriticalState(bean(), Section.bar(width_cm, 2 * HALF_CM))
    assert after(state, (5.0, 5 * PENETRATION_OE), (5.0, 0.0)) == pytest.approx(
        share * PENETRATION_OE, rel=1e-3
    )


def test_a_full_shield_is_enhanced_by_the_demagnetisation_factor() -> None:
    strong = Material(90.0, lambda _kelvin, _oersted: 1e9)
    for factor in (0.0, 0.0883, 0.3):
        state = CriticalState(strong, BAR, factor)
        assert after(state, (5.0, 10.0)) == pytest.approx(-10.0 / (1.0 - factor), rel=1e-6)


def test_a_body_without_a_critical_current_lets_all_flux_in() -> None:
    state = CriticalState(Material(90.0, lambda _kelvin, _oersted: 0.0, lambda _kelvin: 500.0), SLAB)
    assert after(state, (5.0, 100.0)) == 0.0
    assert np.all(state.induction == 100.0)


def test_below_hc1_nothing_enters_and_what_is_in_leaves() -> None:
    guarded = Material(90.0, lambda _kelvin, _oersted: JC, lambda _kelvin: 500.0)
    state = CriticalState(guarded, SLAB)
    assert after(state, (5.0, 400.0)) == -400.0
    assert after(state, (5.0, 0.0)) == 0.0
    assert after(state, (100.0, 400.0), (5.0, 400.0), (5.0, 0.0)) > 0.0
    assert state.induction[0] == pytest.approx(0.4 * math.pi * JC * SLAB.depth_cm[0])


# --- memory


def test_a_new_body_has_no_flux_and_no_moment() -> None:
    state = CriticalState(bean(), SLAB)
    assert state.four_pi_m == 0.0
    assert not state.induction.any()


def test_above_tc_the_body_forgets_and_takes_the_field() -> None:
    state = CriticalState(bean(tc_k=39.0), SLAB)
    after(state, (5.0, 3000.0), (5.0, 0.0))
    assert after(state, (39.0, 7.0)) == 0.0
    assert np.all(state.induction == 7.0)


def test_an_overshoot_of_the_field_stays_in_the_body() -> None:
    direct, overshot = CriticalState(bean(), SLAB), CriticalState(bean(), SLAB)
    clean = after(direct, (5.0, 20.0))
    damaged = after(overshot, (5.0, 22.0), (5.0, 20.0))
    assert clean == pytest.approx(-20 + 20**2 / (2 * PENETRATION_OE), rel=1e-4)
    assert damaged == pytest.approx(
        -22 + 22**2 / (2 * PENETRATION_OE) + 2 - 2**2 / (4 * PENETRATION_OE), rel=1e-4
    )
    assert after(direct, (5.0, 22.0)) == after(overshot, (5.0, 22.0))


def test_the_past_under_a_larger_field_is_wiped_out() -> None:
    plain, busy = CriticalState(bean(), BAR, 0.1), CriticalState(bean(), BAR, 0.1)
    after(busy, (5.0, 30.0), (5.0, -20.0), (5.0, 10.0))
    assert after(busy, (5.0, 300.0)) == pytest.approx(after(plain, (5.0, 300.0)), rel=1e-9)


def test_the_profile_that_is_handed_out_is_a_copy() -> None:
    state = CriticalState(bean(), SLAB)
    after(state, (5.0, 50.0))
    state.induction[:] = 0.0
    assert state.induction.any()


# --- creep


def creeping(creep: float) -> CriticalState:
    state = CriticalState(bean(creep=creep), SLAB)
    state.update(5.0, 1000.0, 0.0)
    state.update(5.0, 0.0, 50.0)
    return state


def test_creep_lowers_the_remanence_with_the_logarithm_of_time() -> None:
    state = creeping(0.02)
    start = state.four_pi_m
    for held in (1.0, 100.0, 3600.0):
        state.update(5.0, 0.0, 50.0 + held)
        assert state.four_pi_m / start == pytest.approx(1 - 0.02 * math.log1p(held), rel=1e-9)


def test_without_creep_time_does_nothing() -> None:
    state = creeping(0.0)
    start = state.four_pi_m
    state.update(5.0, 0.0, 1e6)
    assert state.four_pi_m == start


@pytest.mark.parametrize(
    ("kelvin", "oersted", "share"),
    [
        (5.01, -0.5, 1 - 0.02 * math.log1p(100.0)),
        (5.0, -2.0, 1.0),
        (5.03, 0.0, 1.0),
    ],
)
def test_a_small_change_lets_creep_go_on_and_a_larger_one_starts_it_anew(
    kelvin: float, oersted: float, share: float
) -> None:
    state = creeping(0.02)
    start = state.four_pi_m
    state.update(kelvin, oersted, 150.0)
    assert state.four_pi_m / start == pytest.approx(share, rel=1e-9)


# --- one segment, one update


def test_a_fine_range_walks_the_segment_near_zero_field_where_jc_falls_steeply() -> None:
    def steep(_kelvin: float, oersted: float) -> float:
        return JC * max(1.0 - math.pow(abs(oersted) / 100.0, 0.1), 0.0)

    material = Material(90.0, steep)
    once, fine, by_hand = (CriticalState(material, SLAB, fine_below_oe=oe) for oe in (0.0, 10.0, 0.0))
    for state in (once, fine, by_hand):
        state.update(5.0, 100.0, 0.0)
    for oersted in range(10, -1, -1):
        by_hand.update(5.0, float(oersted), 0.0)
    assert after(fine, (5.0, 0.0)) == pytest.approx(by_hand.four_pi_m, rel=1e-9)
    assert after(once, (5.0, 0.0)) > 1.05 * fine.four_pi_m


def test_the_first_segment_has_the_temperature_of_its_end() -> None:
    def only_at_5_k(kelvin: float, _oersted: float) -> float:
        return JC if kelvin == 5.0 else 0.0

    state = CriticalState(Material(90.0, only_at_5_k), SLAB, fine_below_oe=200.0)
    whole = CriticalState(Material(90.0, only_at_5_k), SLAB)
    assert after(state, (5.0, 30.0)) == pytest.approx(after(whole, (5.0, 30.0)), rel=1e-12)
