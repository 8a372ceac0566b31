"""T_irr and its line, from a Bean slab in closed form whose line is known."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from onnes.analysis.irreversibility import (
    Irreversibility,
    irreversibility_line,
    irreversibility_temperature,
)
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result

TC0 = 37.0
VOLUME, HALF = 2e-3, 0.025  # cm^3, cm
FIELDS = (100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0, 3000.0)
PERP, PAR = (4.9, 4e4, 1.0), (3.9, 2e4, 0.046)  # n, H0 (Oe), share of the induced part


@dataclass
class Curves:
    t: Floats
    zfc: Floats
    fc: Floats
    sigma: Floats


def _t_irr(field: float, n: float, h0: float) -> float:
    return float(TC0 * (1 - (field / h0) ** (1 / n)))


def _unscreened(field: float, jc: Floats) -> Floats:
    """Return -4 pi M of a zero-field-cooled slab, G: what a field-cooled one does not have."""
    full = 0.4 * math.pi * jc * HALF
    small = np.minimum(full, field)
    return np.asarray(np.where(full <= field, small / 2, field * (1 - field / (2 * np.maximum(full, field)))))


def _curves(field: float, body: tuple[float, float, float], seed: int, step: float = 0.25) -> Curves:
    n, h0, share = body
    rng = np.random.default_rng(seed)
    t = np.arange(2.0, 40.0, step) + 0.003 * rng.standard_normal(len(np.arange(2.0, 40.0, step)))
    near = np.clip(1 - t / _t_irr(field, n, h0), 0, None) ** 1.5
    induced = share * np.clip(1 - (t / 19.5) ** 4, 0, None)
    parting = induced * _unscreened(field, 2940 * np.clip(1 - (t / 19) ** 2, 0, None) * near)
    parting = parting + 0.01 * _unscreened(field, 6000 * near)
    warm = np.clip(1 - (t / TC0) ** 2, 1e-9, None)
    reversible = -0.05 * warm * field / (1 + field / (2000 * warm))
    scale = VOLUME / (4 * math.pi) / 1.06
    fc, zfc = scale * reversible, scale * (reversible - parting)
    sigma = np.full(len(t), 2e-8)
    return Curves(
        t, zfc + sigma * rng.standard_normal(len(t)), fc + sigma * rng.standard_normal(len(t)), sigma
    )


def _found(field: float, body: tuple[float, float, float], seed: int, **criterion: float) -> Irreversibility:
    c = _curves(field, body, seed)
    return irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, c.fc, c.sigma, **criterion)


def test_t_irr_is_found_near_the_truth_below_it() -> None:
    for field in FIELDS:
        found = _found(field, PERP, 1).chosen
        truth = _t_irr(field, 4.9, 4e4)
        assert found.value is not None
        assert truth - 0.8 < found.value < truth + 0.05


def test_the_quoted_error_covers_the_crossing_of_its_own_criterion() -> None:
    # M_FC - M_ZFC = 1e-5 (30 - T) emu and a threshold of 5 sqrt2 1e-6 emu: it is crossed at 29.293 K.
    pulls = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        t = np.arange(20.0, 40.0, 0.5) + rng.uniform(0, 0.5)
        parting = 1e-5 * np.clip(30 - t, 0, None)
        zfc, fc = -parting + 1e-6 * rng.standard_normal(len(t)), 1e-6 * rng.standard_normal(len(t))
        found = irreversibility_temperature(t, zfc, 1e-6, t, fc, 1e-6, temperature_sigma_k=0.0).chosen
        assert found.value is not None
        assert found.sigma is not None
        pulls.append((found.value - 29.2929) / found.sigma)
    assert np.mean(np.abs(pulls) < 3) > 0.98
    assert 0.4 < np.std(pulls) < 1.3


@pytest.mark.parametrize(("body", "n"), [(PERP, 5.11), (PAR, 4.03)])
def test_five_sigma_recover_the_exponent(body: tuple[float, float, float], n: float) -> None:
    line = irreversibility_line(FIELDS, [_found(field, body, 2) for field in FIELDS], tc0_k=TC0)
    assert line.n.value == pytest.approx(n, abs=0.3)
    assert set(line.sweep) == {(k, rel) for k in (3.0, 5.0, 8.0) for rel in (0.0, 1e-3, 1e-2)}
    assert line.n.goodness["sweep_high"] > line.n.goodness["sweep_low"]


def test_one_per_cent_of_the_moment_gives_another_exponent_and_a_warning() -> None:
    found = [_found(field, PERP, 3, rel=0.01) for field in FIELDS]
    line = irreversibility_line(FIELDS, found, tc0_k=TC0)
    assert line.n.value is not None
    assert line.n.value > 8
    assert "criterion" in line.n.flags
    plain = irreversibility_line(FIELDS, [_found(field, PERP, 3) for field in FIELDS], tc0_k=TC0)
    assert "criterion" in plain.n.flags
    assert plain.n.goodness["sweep_high"] == pytest.approx(line.n.value, rel=1e-9)


def test_the_scale_of_the_line_warns_of_the_criterion_as_its_exponent_does() -> None:
    # It is extrapolated to 0 K: the criteria read 13 to 21 kOe, and the fit alone would be sure to 0.4 kOe.
    line = irreversibility_line(FIELDS, [_found(field, PAR, 2) for field in FIELDS], tc0_k=TC0)
    assert "criterion" in line.h0.flags
    assert line.h0.goodness["sweep_high"] > (line.h0.value or 0.0) > line.h0.goodness["sweep_low"]


def test_an_exact_line_is_found_exactly_and_a_wrong_tc0_is_in_its_error() -> None:
    found = []
    for field in FIELDS:
        t = np.arange(2.0, 40.0, 0.01)
        sharp = np.where(t < _t_irr(field, 4.9, 4e4), -1e-3, 0.0)
        found.append(
            irreversibility_temperature(t, sharp, 1e-9, t, np.zeros(len(t)), 1e-9, temperature_sigma_k=0.0)
        )
    line = irreversibility_line(FIELDS, found, tc0_k=TC0)
    assert line.n.value == pytest.approx(4.9, abs=0.01)
    assert line.h0.value == pytest.approx(4e4, rel=0.01)
    assert "criterion" not in line.n.flags
    assert line.n.goodness["sigma_tc0"] == 0
    unsure = irreversibility_line(FIELDS, found, tc0_k=TC0, tc0_sigma_k=0.5)
    off = irreversibility_line(FIELDS, found, tc0_k=TC0 + 0.5)
    assert off.n.value is not None
    assert unsure.n.goodness["sigma_tc0"] == pytest.approx(abs(off.n.value - 4.9), rel=0.1)


def test_points_in_any_order_and_missing_points_change_little() -> None:
    c = _curves(1000.0, PERP, 4)
    order = np.random.default_rng(4).permutation(len(c.t))[: len(c.t) * 9 // 10]
    shuffled = irreversibility_temperature(
        c.t[order], c.zfc[order], c.sigma[order], c.t[::-1], c.fc[::-1], c.sigma[::-1]
    ).chosen
    plain = irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, c.fc, c.sigma).chosen
    assert plain.value is not None
    assert shuffled.value == pytest.approx(plain.value, abs=0.3)


def test_one_bad_point_above_it_is_not_t_irr() -> None:
    c = _curves(1000.0, PERP, 7)
    plain = irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, c.fc, c.sigma).chosen
    bad = c.zfc - np.where(np.arange(len(c.t)) == 130, 1e-6, 0.0)
    found = irreversibility_temperature(c.t, bad, c.sigma, c.t, c.fc, c.sigma).chosen
    assert c.t[130] > 30
    assert found.value == plain.value


def test_curves_that_never_part_have_no_t_irr() -> None:
    for seed in range(20):
        t = np.arange(2.0, 40.0, 0.25)
        zfc, fc = 1e-6 * np.random.default_rng(seed).standard_normal((2, len(t)))
        found = irreversibility_temperature(t, zfc, 1e-6, t, fc, 1e-6)
        assert found.chosen.value is None
        assert "the curves do not part by 7.1e-06 emu" in found.chosen.reason


def test_curves_that_are_apart_at_the_top_were_not_measured_far_enough() -> None:
    t = np.arange(2.0, 20.0, 0.5)
    found = irreversibility_temperature(t, np.full(len(t), -1.0), 1e-3, t, np.zeros(len(t)), 1e-3)
    assert "apart up to 19.5 K, the highest temperature" in found.chosen.reason


def test_curves_without_common_temperatures_are_refused() -> None:
    low, high = np.arange(2.0, 10.0), np.arange(20.0, 30.0)
    found = irreversibility_temperature(low, low, 1e-3, high, high, 1e-3)
    assert "the curves share 0 temperatures" in found.chosen.reason
    few = irreversibility_temperature(low[:3], low[:3], 1e-3, high, high, 1e-3)
    assert few.chosen.reason == "3 points of the ZFC curve, fewer than 5"


def test_two_fields_are_no_line_and_a_narrow_range_has_no_exponent() -> None:
    found = [_found(field, PERP, 5) for field in (100.0, 1000.0)]
    line = irreversibility_line((100.0, 1000.0), found, tc0_k=TC0)
    assert "is known in 2 of 2 fields; 3 at least are needed" in line.n.reason
    near = (1000.0, 1500.0, 2000.0)
    narrow = irreversibility_line(near, [_found(field, PERP, 5) for field in near], tc0_k=TC0)
    assert "span less than a factor of 3" in narrow.h0.reason
    assert irreversibility_line((), (), tc0_k=TC0).n.value is None


def test_wrong_arguments_of_the_line_are_errors() -> None:
    found = [_found(100.0, PERP, 6)]
    with pytest.raises(ValueError, match="2 fields and 1 irreversibility temperatures"):
        irreversibility_line((100.0, 200.0), found, tc0_k=TC0)
    with pytest.raises(ValueError, match="a field of the irreversibility line is not a positive number"):
        irreversibility_line((-100.0,), found, tc0_k=TC0)
    with pytest.raises(ValueError, match=r"Tc0 = 0.0 K is not a positive number"):
        irreversibility_line((100.0,), found, tc0_k=0.0)
    with pytest.raises(ValueError, match="ZFC moment: arrays of shape"):
        irreversibility_temperature([1.0, 2.0], [1.0], 0.1, [1.0], [1.0], 0.1)
    with pytest.raises(ValueError, match=r"FC moment: sigma = -0.1 is negative"):
        irreversibility_temperature([1.0], [1.0], 0.1, [1.0], [1.0], -0.1)


def test_curves_that_are_exchanged_or_reversed_are_said_to_be_that() -> None:
    c = _curves(1000.0, PERP, 7)
    exchanged = irreversibility_temperature(c.t, c.fc, c.sigma, c.t, c.zfc, c.sigma).chosen
    turned = irreversibility_temperature(c.t, -c.zfc, c.sigma, c.t, -c.fc, c.sigma).chosen
    for found in (exchanged, turned):
        assert found.reason.startswith("FC lies below ZFC, by up to ")
        assert found.reason.endswith("exchanged, or the sign of the moment or of the field is reversed")


def test_fc_below_zfc_is_flagged() -> None:
    c = _curves(1000.0, PERP, 7)
    good = irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, c.fc, c.sigma).chosen
    drifted = c.fc - np.where(c.t > 35, 1e-6, 0.0)  # the SQUID between the two curves
    found = irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, drifted, c.sigma).chosen
    assert "fc_below_zfc" not in good.flags
    assert "fc_below_zfc" in found.flags


def test_two_bad_points_above_t_irr_are_flagged() -> None:
    c = _curves(1000.0, PERP, 7)
    good = irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, c.fc, c.sigma).chosen
    jumped = c.fc + np.where(np.isin(np.arange(len(c.t)), (130, 131)), 1e-6, 0.0)
    found = irreversibility_temperature(c.t, c.zfc, c.sigma, c.t, jumped, c.sigma).chosen
    assert "parted_twice" not in good.flags
    assert found.value == pytest.approx(c.t[131], abs=0.3)
    assert "parted_twice" in found.flags


def test_a_field_that_all_curves_share_an_error_of_is_in_the_exponent() -> None:
    found = [_found(field, PERP, 1) for field in FIELDS]
    line = irreversibility_line(FIELDS, found, tc0_k=TC0)
    off = irreversibility_line([field + 20 for field in FIELDS], found, tc0_k=TC0, field_sigma_oe=20.0)
    assert line.n.value is not None
    assert off.n.value is not None
    assert off.n.sigma is not None
    assert line.n.goodness["sigma_field"] == 0.0
    assert abs(off.n.value - line.n.value) < 1.5 * off.n.goodness["sigma_field"]
    assert off.n.sigma > off.n.goodness["sigma_field"]


def _with_lag(lag_k: float) -> Result:
    """Return T_irr, 37 K, of a steep transition, FC read ``lag_k`` too warm."""

    def screened(t: Floats) -> Floats:
        return np.asarray(-1e-4 / (1 + np.exp((t - TC0) / 0.3)))

    t, rng = np.arange(30.0, 41.0, 0.1), np.random.default_rng(5)
    cooled = np.maximum(screened(t - lag_k), screened(np.full(len(t), TC0)))
    noise = 1e-7 * rng.standard_normal((2, len(t)))
    sigma = np.hypot(1e-7, 0.005 * np.abs(np.gradient(screened(t), t)))
    return irreversibility_temperature(t, screened(t) + noise[0], sigma, t, cooled + noise[1], sigma).chosen


def test_t_irr_on_a_steep_reversible_moment_hangs_on_the_thermometer_and_says_so() -> None:
    right, early = _with_lag(0.0), _with_lag(-0.05)
    assert right.value is not None
    assert early.value is not None
    assert right.value == pytest.approx(TC0, abs=0.1)
    assert early.value > TC0 + 0.5
    for found in (right, early):
        assert "thermometry" in found.flags
        assert found.goodness["moved_by_50_mk"] > 0.5


def test_t_irr_where_both_moments_vanish_does_not_hang_on_the_thermometer() -> None:
    t, rng = np.arange(30.0, 41.0, 0.1), np.random.default_rng(5)
    zfc = -1e-4 * np.clip(TC0 - t, 0, 1)
    noise = 1e-7 * rng.standard_normal((2, len(t)))
    found = irreversibility_temperature(t, zfc + noise[0], 1e-7, t, 0.01 * zfc + noise[1], 1e-7).chosen
    assert found.value == pytest.approx(TC0, abs=0.05)
    assert "thermometry" not in found.flags
