"""The field as a timeline of leads, switch, ramps and rests."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from onnes.sim.magnet import (
    CHARGING,
    DISCHARGING,
    DRIVEN,
    DRIVEN_STABLE,
    FINAL_APPROACH,
    LINEAR,
    NO_OVERSHOOT,
    OSCILLATE,
    PERSISTENT,
    PERSISTENT_STABLE,
    SWITCH_COOLING,
    SWITCH_WARMING,
    Magnet,
    MagnetSettings,
)


def about(value: float, abs: float | None = None) -> Any:
    """Return an approximate number that may stand inside a tuple."""
    return pytest.approx(value, abs=abs)


def magnet(**keys: object) -> Magnet:
    return Magnet(MagnetSettings.model_validate({"dead_time_s": (0.0, 0.0), **keys}), 7)


def driven(**keys: object) -> Magnet:
    return magnet(start_mode="driven", **keys)


def states(coil: Magnet, begin: float, end: float) -> list[tuple[int, float]]:
    """Return (state, how long it lasted in s) in order, to 0.1 s."""
    found: list[list[float]] = []
    for t in np.arange(begin, end, 0.1):
        code = coil.status(float(t))
        if not found or found[-1][0] != code:
            found.append([code, 0.0])
        found[-1][1] += 0.1
    return [(int(code), lasted) for code, lasted in found]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_driven_ramp_takes_the_field_over_the_rate_for_both_signs(sign: float) -> None:
    coil = driven()
    coil.command(10.0, sign * 20000.0, 100.0, LINEAR, DRIVEN)
    assert coil.supply(10.0) == 0.0
    assert coil.supply(110.0) == sign * 10000.0
    assert coil.supply(210.0) == coil.supply(1e5) == sign * 20000.0
    assert states(coil, 0.0, 300.0)[:4] == [
        (DRIVEN_STABLE, about(10.0, abs=0.11)),
        (CHARGING, about(200.0, abs=0.11)),
        (FINAL_APPROACH, about(8.0, abs=0.11)),
        (DRIVEN_STABLE, about(82.0, abs=0.21)),
    ]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_ramp_through_zero_discharges_and_then_charges(sign: float) -> None:
    coil = driven()
    coil.command(0.0, sign * 10000.0, 100.0, LINEAR, DRIVEN)
    coil.command(200.0, -sign * 5000.0, 100.0, LINEAR, DRIVEN)
    assert [code for code, _ in states(coil, 200.0, 400.0)] == [
        DISCHARGING,
        CHARGING,
        FINAL_APPROACH,
        DRIVEN_STABLE,
    ]
    assert coil.supply(300.0) == about(0.0, abs=1e-9)


def test_leads_and_switch_come_before_the_ramp_from_persistent_mode_and_after_it_again() -> None:
    coil = magnet()
    coil.command(0.0, 20000.0, 100.0, LINEAR, PERSISTENT)
    assert states(coil, 0.0, 300.0) == [
        (PERSISTENT_STABLE, about(5.0, abs=0.11)),  # the leads; there is no code for them
        (SWITCH_WARMING, about(30.0, abs=0.11)),
        (CHARGING, about(200.0, abs=0.11)),
        (FINAL_APPROACH, about(8.0, abs=0.11)),
        (SWITCH_COOLING, about(30.0, abs=0.11)),
        (PERSISTENT_STABLE, about(27.0, abs=0.21)),
    ]
    coil.command(1000.0, 0.0, 100.0, LINEAR, DRIVEN)
    assert states(coil, 1000.0, 1010.0)[0] == (PERSISTENT_STABLE, about(7.0, abs=0.11))
    assert coil.supply(1036.9) == 20000.0


def test_the_leads_never_take_longer_than_half_a_minute() -> None:
    coil = magnet(max_oe=160000.0, leads_oe_per_s=1000.0)
    coil.command(0.0, 160000.0, 190.0, LINEAR, PERSISTENT)
    coil.command(2000.0, 0.0, 190.0, LINEAR, PERSISTENT)
    assert states(coil, 2000.0, 2040.0)[0] == (PERSISTENT_STABLE, about(30.0, abs=0.11))


def test_a_command_while_the_switch_warms_warms_it_again_and_one_while_it_cools_too() -> None:
    for at, code in ((20.0, SWITCH_WARMING), (80.0, SWITCH_COOLING)):
        coil = magnet()
        coil.command(0.0, 1000.0, 100.0, LINEAR, PERSISTENT)
        assert coil.status(at) == code
        coil.command(at, 2000.0, 100.0, LINEAR, DRIVEN)
        assert states(coil, at, at + 40.0)[0] == (SWITCH_WARMING, about(30.0, abs=0.11))


def test_no_overshoot_takes_the_last_five_percent_at_a_fifth_of_the_rate() -> None:
    coil = driven()
    coil.command(0.0, -10000.0, 100.0, NO_OVERSHOOT, DRIVEN)
    assert coil.supply(95.0) == about(-9500.0)
    assert coil.supply(107.5) == about(-9750.0)
    assert coil.supply(120.0) == -10000.0


def test_oscillate_swings_about_the_target_ever_less() -> None:
    coil = driven()
    coil.command(0.0, 10000.0, 100.0, LINEAR, DRIVEN)
    coil.command(1000.0, 0.0, 100.0, OSCILLATE, DRIVEN)
    fields = np.array([coil.supply(float(t)) for t in np.arange(1000.0, 1600.0, 0.05)])
    turning = [b for a, b, c in zip(fields, fields[1:], fields[2:], strict=False) if (b - a) * (c - b) < 0]
    expected = [-10000.0 * 0.3 * (-0.6) ** k for k in range(8)]
    assert turning == pytest.approx(expected, abs=5.0)
    assert fields[-1] == 0.0


def test_oscillate_never_leaves_the_range_of_the_magnet() -> None:
    coil = driven()
    coil.command(0.0, -90000.0, 190.0, OSCILLATE, DRIVEN)
    assert min(coil.supply(float(t)) for t in np.arange(0.0, 1500.0, 0.5)) == -90000.0


def test_a_command_during_the_ramp_goes_on_from_the_present_field() -> None:
    coil = driven()
    coil.command(0.0, 10000.0, 100.0, LINEAR, DRIVEN)
    coil.command(40.0, 2000.0, 50.0, LINEAR, DRIVEN)
    assert coil.supply(40.0) == about(4000.0)
    assert coil.supply(60.0) == about(3000.0)
    assert coil.supply(80.0) == 2000.0
    assert coil.setpoint() == (2000.0, 50.0, LINEAR, DRIVEN)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_coming_down_from_a_large_field_the_sample_sees_the_opposite_field_at_zero(sign: float) -> None:
    coil = driven()
    coil.command(0.0, sign * 90000.0, 190.0, LINEAR, DRIVEN)
    assert coil.at_sample(1000.0) - coil.supply(1000.0) == about(sign * 12.0, abs=0.5)
    coil.command(1000.0, 0.0, 190.0, LINEAR, DRIVEN)
    assert coil.supply(3000.0) == 0.0
    assert coil.at_sample(3000.0) == about(-sign * 12.0, abs=0.01)


def test_the_remanence_grows_with_the_largest_field_and_creeps_after_the_ramp() -> None:
    coil = driven()
    assert coil.at_sample(0.0) == 0.0
    coil.command(0.0, 1000.0, 100.0, LINEAR, DRIVEN)
    share = math.tanh(0.1)
    assert coil.at_sample(10.0) - 1000.0 == about(12.5 * share)
    assert coil.at_sample(310.0) - 1000.0 == about((12.0 + 0.5 * math.exp(-1.0)) * share)


def test_oscillate_leaves_at_most_two_oersted_and_forgets_the_past() -> None:
    left = []
    for seed in range(12):
        coil = Magnet(MagnetSettings(start_mode="driven"), seed)
        coil.command(0.0, 90000.0, 190.0, LINEAR, DRIVEN)
        coil.command(1000.0, 0.0, 190.0, OSCILLATE, DRIVEN)
        left.append(coil.at_sample(9000.0))
    assert max(abs(oersted) for oersted in left) <= 2.0
    assert len(set(left)) == len(left)


def test_the_reported_field_is_that_of_the_supply_with_steps_and_noise() -> None:
    coil = driven()
    coil.command(0.0, 20000.0, 190.0, LINEAR, DRIVEN)
    readings = np.array([coil.reading(1000.0 + 2.0 * k) for k in range(2000)])
    assert abs(readings.mean() - 20000.0) < 0.15 + 4 * 0.1 / math.sqrt(2000)
    assert readings.std() == pytest.approx(0.1, rel=4 / math.sqrt(4000))
    assert coil.reading(1000.0) == coil.reading(1000.5)


def test_the_old_status_stays_up_after_a_command() -> None:
    coil = Magnet(MagnetSettings(start_mode="driven"), 7)
    coil.command(100.0, 50000.0, 100.0, LINEAR, DRIVEN)
    left = next(s for s in np.arange(0.0, 6.0, 0.01) if coil.status(100.0 + s) != DRIVEN_STABLE)
    assert 1.0 <= left <= 5.02
    assert coil.supply(100.0 + float(left)) > 90.0


def test_a_forced_status_hides_the_true_one() -> None:
    coil = driven()
    coil.force_status(11, 5.0)
    assert [coil.status(4.0), coil.status(5.0)] == [DRIVEN_STABLE, 11]
    coil.force_status(None, 6.0)
    assert coil.status(6.0) == DRIVEN_STABLE


def test_what_costs_helium_is_counted() -> None:
    coil = magnet()
    coil.command(0.0, 10000.0, 100.0, LINEAR, PERSISTENT)
    coil.command(1000.0, -10000.0, 100.0, LINEAR, PERSISTENT)
    assert coil.swept_oe(85.0) == about(5000.0)
    assert coil.swept_oe(5000.0) == about(30000.0)
    assert coil.heated_s(5000.0) == about(30.0 + 100.0 + 8.0 + 30.0 + 200.0 + 8.0)


def test_a_long_night_of_sweeps_keeps_few_pieces() -> None:
    coil = driven()
    for k in range(1000):
        coil.command(100.0 * k, 1000.0 * (-1) ** k, 100.0, LINEAR, DRIVEN)
    assert len(coil._pieces) < 400
    assert coil.swept_oe(1e6) == about(1000.0 + 999 * 2000.0)


@pytest.mark.parametrize(("mode", "code"), [("persistent", PERSISTENT_STABLE), ("driven", DRIVEN_STABLE)])
def test_the_lab_opens_with_the_field_and_the_history_it_was_left_with(mode: str, code: int) -> None:
    before = driven()
    before.command(0.0, 90000.0, 190.0, LINEAR, DRIVEN)
    before.command(1000.0, -20000.0, 190.0, LINEAR, DRIVEN)
    history = {"start_oe": -20000.0, "start_largest_oe": 90000.0, "start_direction": -1}
    after = magnet(start_mode=mode, **history)
    assert (after.supply(0.0), after.status(0.0)) == (-20000.0, code)
    assert after.setpoint() == (-20000.0, 190.0, LINEAR, PERSISTENT if mode == "persistent" else DRIVEN)
    assert after.at_sample(0.0) == about(before.at_sample(20_000.0))
    assert after.swept_oe(10.0) == 0.0
    after.command(10.0, 0.0, 190.0, OSCILLATE, DRIVEN)
    assert abs(after.at_sample(5000.0)) <= 2.0


def test_a_start_in_a_field_remembers_that_field_as_the_largest() -> None:
    coil = driven(start_oe=10000.0, start_direction=1)
    assert coil.at_sample(0.0) == about(10000.0 + 12.0 * math.tanh(1.0))
    assert driven(start_oe=10000.0).at_sample(0.0) == 10000.0


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"min_rate_oe_per_s": 200.0}, r"min_rate_oe_per_s = 200 Oe/s is above max_rate_oe_per_s = 190 Oe/s"),
        ({"dead_time_s": (-1.0, 1.0)}, "is not .shortest, longest."),
        ({"max_oe": 0.0}, "greater than 0"),
        ({"start_mode": "on"}, "persistent"),
        (
            {"start_oe": -90001.0},
            r"start_oe = -90001 Oe is outside \[-90000, 90000\] Oe, the range set by max_oe",
        ),
        (
            {"start_oe": -500.0, "start_largest_oe": 400.0},
            r"start_largest_oe = 400 Oe is outside \[500, 90000\] Oe, the range set by start_oe and max_oe",
        ),
        ({"start_largest_oe": 1e5}, r"start_largest_oe = 100000 Oe is outside \[0, 90000\] Oe"),
        ({"start_direction": 2}, "-1, 0 or 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        MagnetSettings.model_validate(keys)
