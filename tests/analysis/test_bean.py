"""Jc of Bean loops in closed form, whose Jc is known."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from onnes.analysis.bean import Cylinder, LoopCurrent, Rectangle, Shape, Slab, loop_current
from onnes.analysis.isotherm import Floats

HALF, VOLUME, N = 0.05, 5e-3, 0.0883
BAR = Rectangle((0.1, 0.1))
DEPTH = (np.arange(2000) + 0.5) / 2000


@dataclass
class Loop:
    field: Floats
    moment: Floats
    sigma: Floats


def _falling(internal: Floats, top: float, jc: float, h0: float, hc1: float, weight: Floats) -> Floats:
    """Return 4 pi M, G, on the leg that falls from ``top`` after any number of loops.

    From the surface the field rises inwards as far as the field has fallen; beyond, what the rising leg left
    falls inwards from ``top``; beyond its reach nothing was ever changed. Flux of the other sign enters with
    a delay from ``hc1`` on.
    """
    full = 0.4 * math.pi * jc * HALF
    outside = np.clip(-internal, 0, None)
    entered = np.where(outside > hc1, outside - hc1 * np.exp(-(outside - hc1) / (2 * max(hc1, 1.0))), 0.0)
    edge = np.where(internal >= 0, internal, -entered)
    outer = edge[:, None] + full / (1 + np.abs(internal[:, None]) / h0) * DEPTH
    left = top - full / (1 + top / h0) * DEPTH
    return np.asarray(np.where(left > 0, np.minimum(outer, left), 0) @ weight - internal)


def _loop(
    jc: float = 59000.0,
    *,
    top: float = 30e3,
    h0: float = 1e12,
    hc1: float = 0.0,
    n: float = N,
    bar: bool = True,
    points: int = 301,
    noise: float = 0.0,
    seed: int = 0,
) -> Loop:
    """Return both legs as measured, falling from +top, rising from -top, at evenly spaced internal fields."""
    weight = 2 * (1 - DEPTH) if bar else np.ones(len(DEPTH))
    internal = np.linspace(top, -top, points)
    down = _falling(internal, top, jc, h0, hc1, weight / len(DEPTH))
    up = -down  # of the fields -internal
    field = np.concatenate([internal + n * down, (-internal + n * up)[1:]])
    moment = VOLUME / (4 * math.pi) * np.concatenate([down, up[1:]])
    sigma = np.hypot(2e-8, noise * np.abs(moment))
    rng = np.random.default_rng(seed)
    return Loop(field, moment + (sigma if noise else 0) * rng.standard_normal(len(field)), sigma)


def _current(loop: Loop, shape: Shape = BAR, n: float = N, **given: float) -> LoopCurrent:
    return loop_current(loop.field, loop.moment, loop.sigma, volume_cm3=VOLUME, shape=shape, n=n, **given)


@pytest.mark.parametrize("jc", [58980.0, 42183.0, 18714.0, 5278.0])
def test_a_square_bar_gives_back_its_jc(jc: float) -> None:
    found = _current(_loop(jc)).at_zero
    assert found.value == pytest.approx(jc, rel=2e-3)
    assert found.flags == ()


def test_slab_and_cylinder_give_back_their_jc() -> None:
    slab = _current(_loop(40e3, bar=False), Slab(2 * HALF)).at_zero
    assert slab.value == pytest.approx(40e3, rel=2e-3)
    cylinder = _current(_loop(40e3), Cylinder(HALF)).at_zero  # a square bar has the weights of a cylinder
    assert cylinder.value == pytest.approx(40e3, rel=2e-3)


def test_a_rectangle_lies_between_square_and_slab_whatever_the_order_of_its_sides() -> None:
    assert Rectangle((0.1, 0.1)).factor == pytest.approx(300)
    assert Rectangle((100.0, 0.1)).factor == pytest.approx(Slab(0.1).factor, rel=1e-3)
    assert Rectangle((0.2, 0.1)).factor == Rectangle((0.1, 0.2)).factor


def test_a_loop_with_a_kink_at_zero_is_read_before_it_and_too_high_at_applied_field_zero() -> None:
    for points in (151, 301, 302):
        found = _current(_loop(59000.0, h0=8000.0, hc1=700.0, points=points)).at_zero
        assert found.value == pytest.approx(59000.0, rel=0.005)
        assert 1.05 < found.goodness["at_applied_field"] / 59000.0 < 1.12


def test_a_wrong_factor_of_demagnetisation_is_within_the_error_quoted_for_it() -> None:
    loop = _loop(59000.0, h0=8000.0)
    right = _current(loop).at_zero
    for wrong in (N - 0.03, N + 0.03):
        found = _current(loop, n=wrong, n_sigma=0.03).at_zero
        assert right.value is not None
        assert found.value is not None
        assert 0 < abs(found.value - right.value) < 1.6 * found.goodness["sigma_n"]


def test_the_noise_covers_the_truth_over_seeds() -> None:
    pulls = []
    for seed in range(60):
        found = _current(_loop(30e3, noise=5e-3, seed=seed), geometry_sigma=0.0, n_sigma=0.0).at_zero
        assert found.value is not None
        assert found.sigma is not None
        pulls.append((found.value - 30e3) / found.sigma)
    assert np.mean(np.abs(pulls) < 3) > 0.97
    assert 0.6 < np.std(pulls) < 1.3


def test_errors_of_sizes_are_kept_apart_from_noise() -> None:
    found = _current(_loop(30e3), geometry_sigma=0.05).at_zero
    assert found.goodness["sigma_geometry"] == pytest.approx(0.05 * 30e3, rel=0.01)
    assert found.goodness["sigma_noise"] < 1


@pytest.mark.parametrize("bar", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0, 1.2, 1.5, 1.9])
def test_a_loop_of_less_than_twice_full_penetration_is_always_flagged(share: float, bar: bool) -> None:
    jc = 59000.0
    loop = _loop(jc, top=share * 0.4 * math.pi * jc * HALF, bar=bar)
    found = _current(loop, BAR if bar else Slab(2 * HALF))
    assert "range_below_2h_star" in found.at_zero.flags
    if share <= 0.9:
        assert not np.any(found.valid)


def test_points_near_the_turns_are_not_valid() -> None:
    found = _current(_loop(59000.0))
    h_star = 0.4 * math.pi * 59000.0 * HALF
    assert found.at_zero.goodness["h_star_oe"] == pytest.approx(h_star, rel=2e-3)
    assert not found.valid[0]
    assert not found.valid[-1]
    inside = np.abs(found.field) < 30e3 - 2.31 * h_star
    assert np.all(found.valid[inside])
    assert found.jc[found.valid] == pytest.approx(59000.0, rel=5e-3)


def test_a_linear_background_changes_nothing_and_a_field_offset_of_2_oe_little() -> None:
    loop = _loop(59000.0, h0=8000.0)
    plain = _current(loop).at_zero.value
    tilted = Loop(loop.field, loop.moment + 1e-8 * loop.field, loop.sigma)
    assert _current(tilted).at_zero.value == pytest.approx(plain, rel=2e-3)
    shifted = Loop(loop.field + 2, loop.moment, loop.sigma)
    assert _current(shifted).at_zero.value == pytest.approx(plain, rel=1e-3)


def test_a_virgin_leg_before_the_loop_is_left_out() -> None:
    loop = _loop(30e3)
    virgin = np.linspace(0, loop.field[0], 40, endpoint=False)
    longer = Loop(
        np.concatenate([virgin, loop.field]),
        np.concatenate([np.full(40, -0.1), loop.moment]),
        np.concatenate([np.full(40, 2e-8), loop.sigma]),
    )
    assert _current(longer).at_zero.value == pytest.approx(_current(loop).at_zero.value, rel=1e-9)


def test_missing_points_matter_little() -> None:
    loop = _loop(30e3)
    keep = np.random.default_rng(1).random(len(loop.field)) > 0.2
    loop.moment[5] = np.nan
    found = _current(Loop(loop.field[keep], loop.moment[keep], loop.sigma[keep])).at_zero
    assert found.value == pytest.approx(30e3, rel=5e-3)


def test_one_side_of_a_loop_is_refused() -> None:
    loop = _loop(30e3)
    there = loop.field > 0
    found = _current(Loop(loop.field[there], loop.moment[there], loop.sigma[there]))
    assert found.at_zero.value is None
    assert "are one side of a loop; the rising leg has to come from" in found.at_zero.reason
    assert len(found.jc) == 0


def test_a_loop_without_its_rising_leg_is_refused() -> None:
    loop = _loop(30e3)
    found = _current(Loop(loop.field[:301], loop.moment[:301], loop.sigma[:301])).at_zero
    assert "the rising leg does not go through" in found.reason


def test_points_out_of_order_are_refused_rather_than_paired() -> None:
    loop = _loop(30e3)
    order = np.random.default_rng(2).permutation(len(loop.field))
    found = _current(Loop(loop.field[order], loop.moment[order], loop.sigma[order])).at_zero
    assert found.value is None
    assert "give its points as measured" in found.reason


def test_noise_alone_is_a_closed_loop() -> None:
    loop = _loop(30e3)
    for seed in range(20):
        noise = 1e-6 * np.random.default_rng(seed).standard_normal(len(loop.field))
        found = loop_current(loop.field, noise, 1e-6, volume_cm3=VOLUME, shape=BAR, n=N).at_zero
        assert found.value is None
        assert "the loop is not open at H_i = 0" in found.reason


def test_an_inverted_loop_has_no_current() -> None:
    loop = _loop(30e3)
    found = loop_current(loop.field, -loop.moment, 1e-6, volume_cm3=VOLUME, shape=BAR, n=0.0).at_zero
    assert "is negative: the fields are too far apart at H_i = 0, or the legs are exchanged" in found.reason


def test_too_few_points_are_refused() -> None:
    assert _current(_loop(30e3, points=7)).at_zero.reason == "13 points, fewer than 16"


def test_sizes_that_are_not_positive_are_errors() -> None:
    for make, name in ((Slab, "thickness"), (Cylinder, "radius")):
        with pytest.raises(ValueError, match=f"{name} of the sample = 0.0 cm is not a positive number"):
            make(0.0)
    with pytest.raises(ValueError, match=r"side of the sample = -0.1 cm is not a positive number"):
        Rectangle((0.1, -0.1))
    with pytest.raises(ValueError, match=r"volume of the sample = 0.0 cm\^3 is not a positive number"):
        loop_current([0.0], [0.0], 0.1, volume_cm3=0.0, shape=BAR, n=N)
    with pytest.raises(ValueError, match=r"demagnetisation factor = 1.0 is outside \[0, 1\)"):
        loop_current([0.0], [0.0], 0.1, volume_cm3=VOLUME, shape=BAR, n=1.0)
    with pytest.raises(ValueError, match="loop: arrays of shape"):
        loop_current([0.0, 1.0], [0.0], 0.1, volume_cm3=VOLUME, shape=BAR, n=N)


def test_flux_jumps_about_zero_are_flagged() -> None:
    loop = _loop(59000.0, h0=8000.0, hc1=700.0, noise=1e-3)
    assert _current(loop).at_zero.flags == ()
    jumped = Loop(loop.field, np.where(np.abs(loop.field) < 3000, 0.1, 1.0) * loop.moment, loop.sigma)
    found = _current(jumped).at_zero
    assert found.value is not None
    assert found.value < 0.2 * 59000
    assert "wider_elsewhere" in found.flags


def test_one_bad_point_is_no_second_peak() -> None:
    loop = _loop(59000.0, h0=8000.0, noise=1e-3)
    moment = np.where(np.arange(len(loop.field)) == 100, 3.0, 1.0) * loop.moment
    assert "wider_elsewhere" not in _current(Loop(loop.field, moment, loop.sigma)).at_zero.flags


def test_a_plate_across_the_field_has_no_current_by_its_internal_field() -> None:
    found = _current(_loop(59000.0), n=0.9999).at_zero
    assert found.reason.startswith("N = 0.9999: a plate across the field has no internal field")
