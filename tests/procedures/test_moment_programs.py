"""What a magnetometer is told to do, in the right order: looked at without any machine."""

import random
from itertools import pairwise
from typing import Any

import pytest

from onnes.instruments.moments import MeasureMoment, MomentProgram, Remark, SetField, SetTemperature, Wait
from onnes.procedures.hysteresis_loop import HysteresisLoop
from onnes.procedures.moment_measurement import MomentMeasurement
from onnes.procedures.take_up import TakeUp
from onnes.procedures.virgin_curve import VirginCurve
from onnes.procedures.zfc_fc import ZfcFc

KNOWN = {"from": "calibration", "value_oe": 1.5, "sigma_oe": 0.1}
TC_K = 39.0
COLD_TO_WARM = [2.0, 20.0, 45.0]


def zfc_fc(**more: Any) -> ZfcFc:
    given: dict[str, Any] = {
        "fields_oe": [5.0],
        "temperatures": COLD_TO_WARM,
        "curves": ["zfc", "fcc", "fcw"],
        "residual": KNOWN,
        "path_below_k": TC_K,
    }
    return ZfcFc(**(given | more))


def virgin(**more: Any) -> VirginCurve:
    given = {"fields_oe": [0.0, 10.0, 20.0], "temperatures": [5.0, 10.0], "residual": KNOWN}
    return VirginCurve(**(given | {"path_below_k": TC_K} | more))


def loop(**more: Any) -> HysteresisLoop:
    given = {"fields_oe": [0.0, 500.0, 1000.0], "temperatures": [5.0, 10.0], "residual": KNOWN}
    return HysteresisLoop(**(given | {"path_below_k": TC_K} | more))


def told(program: MomentProgram) -> list[str]:
    """Return the steps in short: T temperature, H field, the remarks, m for a moment."""
    found = []
    for step in program.steps:
        if isinstance(step, SetTemperature):
            found.append(f"T{step.kelvin:g}")
        elif isinstance(step, SetField):
            found.append(f"H{step.field_oe:g} {step.approach}")
        elif isinstance(step, Remark):
            found.append(step.text)
        elif isinstance(step, MeasureMoment):
            found.append("m")
    return found


PREPARED = ["T49", "H10000 linear", "H0 oscillate", "H-1.5 no_overshoot"]


def at(curve: int) -> TakeUp:
    return TakeUp("path", curve, 0, float("nan"), 0.0, "")


def test_zfc_cools_in_the_corrected_zero_and_only_then_gets_its_field() -> None:
    assert told(zfc_fc().program()) == [
        *PREPARED,
        *("T2", "H3.5 no_overshoot"),
        *("ZFC 5 Oe", "m", "T20", "m", "T45", "m"),
        *("T49", "FCC 5 Oe", "T45", "m", "T20", "m", "T2", "m"),
        *("FCW 5 Oe", "m", "T20", "m", "T45", "m"),
    ]


def test_each_field_is_prepared_afresh() -> None:
    steps = told(zfc_fc(fields_oe=[5.0, -5.0], curves=["zfc"]).program())
    assert steps.count("H0 oscillate") == 2
    second = steps.index("T49", 1)
    assert steps[second:] == [*PREPARED, "T2", "H-6.5 no_overshoot", "ZFC -5 Oe", "m", "T20", "m", "T45", "m"]


def test_fcc_alone_gets_its_field_above_the_transition() -> None:
    steps = told(zfc_fc(curves=["fcc"]).program())
    assert steps == [*PREPARED, "H3.5 no_overshoot", "FCC 5 Oe", "T45", "m", "T20", "m", "T2", "m"]


def test_fcw_without_fcc_is_cooled_in_the_field_without_measuring() -> None:
    steps = told(zfc_fc(curves=["zfc", "fcw"]).program())
    assert steps[steps.index("T45") :] == ["T45", "m", "T49", "T2", "FCW 5 Oe", "m", "T20", "m", "T45", "m"]
    alone = told(zfc_fc(curves=["fcw"]).program())
    assert alone == [*PREPARED, "H3.5 no_overshoot", "T2", "FCW 5 Oe", "m", "T20", "m", "T45", "m"]


def test_a_sample_that_is_warmer_than_it_must_be_is_not_cooled_to_be_warmed() -> None:
    steps = told(zfc_fc(fields_oe=[5.0, -5.0], temperatures=[2.0, 300.0], curves=["zfc", "fcc"]).program())
    assert steps[6:13] == ["ZFC 5 Oe", "m", "T300", "m", "FCC 5 Oe", "m", "T2"]
    assert steps[13:15] == ["m", "T49"]


def test_fcc_taken_up_warms_in_the_field_and_cools_again() -> None:
    steps = told(zfc_fc().program(at(2)))
    assert steps[:4] == ["T49", "H3.5 no_overshoot", "FCC 5 Oe", "T45"]


def test_without_a_known_residual_the_zero_is_that_of_the_supply() -> None:
    steps = told(zfc_fc(fields_oe=[1000.0], residual={"bound_oe": 5.0}, curves=["zfc"]).program())
    assert steps[:5] == ["T49", "H10000 linear", "H0 oscillate", "T2", "H1000 no_overshoot"]


def test_a_virgin_curve_is_prepared_at_each_temperature() -> None:
    one = ["H8.5 no_overshoot", "m", "H18.5 no_overshoot", "m"]
    assert told(virgin().program()) == [
        *(*PREPARED, "T5", "virgin 5 K", "m", *one),
        *(*PREPARED, "T10", "virgin 10 K", "m", *one),
    ]


def test_a_loop_has_five_quarters_and_a_turn_is_measured_once() -> None:
    plan = [(point.field_oe, point.curve) for point in loop(temperatures=[5.0]).setpoints()]
    assert plan == [
        *((0.0, 1), (500.0, 1), (1000.0, 1)),
        *((500.0, 2), (0.0, 2)),
        *((-500.0, 3), (-1000.0, 3)),
        *((-500.0, 4), (0.0, 4)),
        *((500.0, 5), (1000.0, 5)),
    ]
    assert not any(str(field_oe) == "-0.0" for field_oe, _ in plan)
    branches = [row.branch for row in loop(temperatures=[5.0]).program().moments()]
    assert branches == ["virgin"] * 3 + ["down"] * 4 + ["up"] * 4


def test_a_loop_may_end_after_fewer_quarters() -> None:
    assert [point.field_oe for point in loop(temperatures=[5.0], quadrants=2).setpoints()][-1] == 0.0


def test_a_loop_corrects_the_residual_only_on_its_virgin_leg() -> None:
    rows = loop(temperatures=[5.0]).program().moments()
    assert [row.field_oe for row in rows[:5]] == [-1.5, 498.5, 998.5, 500.0, 0.0]


@pytest.mark.parametrize(
    ("measurement", "seconds"),
    [
        (zfc_fc(curves=["zfc"]), 60.0),
        (zfc_fc(fields_oe=[2000.0], curves=["zfc"]), 300.0),
        (zfc_fc(magnet={"then_wait_s": 7.0}, curves=["zfc"]), 7.0),
        (virgin(wait_s=12.0), 12.0),
        (loop(fields_oe=[0.0, 500.0, 2000.0], wait_s=12.0, quadrants=1), 300.0),
        (loop(fields_oe=[0.0, 1000.0], wait_s=12.0, quadrants=1, residual=KNOWN | {"value_oe": 0.7}), 12.0),
        (loop(fields_oe=[0.0, 500.0, 2000.0], wait_s=400.0, quadrants=1), 400.0),
    ],
)
def test_a_moment_waits_for_the_magnet(measurement: MomentMeasurement, seconds: float) -> None:
    steps = measurement.program().steps
    last = max(n for n, step in enumerate(steps) if isinstance(step, SetField))
    assert steps[last + 1] == Wait(seconds, temperature=True, field=True)


@pytest.mark.parametrize("seed", range(40))
def test_the_field_rests_whenever_the_temperature_moves_and_the_reverse(seed: int) -> None:
    choose = random.Random(seed)
    kelvins = sorted(choose.sample(range(2, 80), choose.randint(1, 6)))
    fields = sorted(choose.sample(range(100, 20000), choose.randint(1, 4)))
    curves = [name for name in ("zfc", "fcc", "fcw") if choose.random() < 0.6] or ["zfc"]
    measurement = choose.choice(
        [
            zfc_fc(fields_oe=fields, temperatures=kelvins, curves=curves),
            virgin(fields_oe=[0, *fields], temperatures=choose.sample(kelvins, len(kelvins))),
            loop(fields_oe=[0, *fields], temperatures=kelvins, quadrants=choose.randint(1, 5)),
        ]
    )
    first = choose.randint(1, max(point.curve for point in measurement.setpoints()))
    for take_up in (None, at(first if isinstance(measurement, ZfcFc) else 1)):
        program = measurement.program(take_up)
        for step, after in pairwise(program.steps):
            if isinstance(step, SetTemperature | SetField):
                assert isinstance(after, Wait)
                assert after.temperature
                assert after.field
        begins = 1 if take_up is None else take_up.curve
        planned = [(p.temperature_k, p.curve) for p in measurement.setpoints() if p.curve >= begins]
        assert [(row.temperature_k, row.curve) for row in program.moments()] == planned


@pytest.mark.parametrize("measurement", [zfc_fc(fields_oe=[5.0, -5.0]), virgin(), loop()])
def test_the_sample_is_above_its_transition_whenever_the_magnet_is_degaussed(
    measurement: MomentMeasurement,
) -> None:
    kelvin = 0.0
    for step in measurement.program().steps:
        if isinstance(step, SetTemperature):
            kelvin = step.kelvin
        if isinstance(step, SetField) and (step.approach == "oscillate" or step.field_oe == 1e4):
            assert kelvin > TC_K


def test_the_rows_are_expected_as_long_as_the_whole_takes() -> None:
    for measurement in (zfc_fc(), virgin(), loop()):
        program = measurement.program()
        assert measurement.duration_s() == pytest.approx(sum(row.expected_s for row in program.moments()))
        within = [row.expected_s for before, row in pairwise(program.moments()) if before.curve == row.curve]
        assert program.point_s == max(within)


def test_a_row_takes_its_ramp_its_wait_and_its_scans() -> None:
    rows = zfc_fc(temperature_rate_k_per_min=2.0, wait_s=20.0, point_s=45.0).program().moments()
    assert rows[1].expected_s == pytest.approx(18.0 / 2.0 * 60.0 + 240.0 + 20.0 + 45.0)


def test_a_program_is_named_by_its_kind_and_label_or_by_the_caller() -> None:
    assert zfc_fc().program().name == "zfc-fc_5Oe"
    assert virgin().program().name == "magnetization-virgin_5K-10K"
    assert loop(program_name="n1_02_a2").program().name == "n1_02_a2"


def test_the_title_says_what_is_measured() -> None:
    assert zfc_fc().program().title == "ZFC FCC FCW at 5 Oe from 2 to 45 K"
    assert virgin().program().title == "virgin curves up to 20 Oe at 5 and 10 K"
    assert loop().program().title == "loops of 5 quarters between -1000 and 1000 Oe at 5 and 10 K"


@pytest.mark.parametrize("measurement", [zfc_fc(fields_oe=[5.0, -5.0, 10.0]), virgin(), loop()])
def test_no_text_of_a_program_has_what_a_line_of_multivu_does_not_take(
    measurement: MomentMeasurement,
) -> None:
    program = measurement.program()
    texts = [step.text for step in program.steps if isinstance(step, Remark)]
    assert not any(set(text) & set('",{}') for text in [program.name, program.title, *texts])


@pytest.mark.parametrize(
    ("build", "given", "text"),
    [
        (zfc_fc, {"temperatures": [2.0, 45.0, 20.0]}, r"temperatures has 20 K after 45 K; list them upward"),
        (zfc_fc, {"temperatures": [2.0, 2.0]}, r"temperatures has 2 K after 2 K"),
        (zfc_fc, {"temperatures": {"sweep_k": [2, 45]}}, r"measured is at setpoints alone: give a list"),
        (zfc_fc, {"temperatures": []}, r"temperatures is \[\]; expected a list of at least one number"),
        (zfc_fc, {"curves": ["fcc", "zfc"]}, r"expected some of zfc, fcc, fcw, each once, in this order"),
        (zfc_fc, {"curves": ["fc"]}, r"expected some of zfc, fcc, fcw"),
        (zfc_fc, {"fields_oe": [5.0, 0.5]}, r"residual field 1\.5 \+- 0\.1 Oe.*measuring field 0\.5 Oe"),
        (
            zfc_fc,
            {"prepare": {"warm_to_k": 39.0}},
            r"prepare\.warm_to_k = 39 K is not above 39 K, the transition: .*; warm to 49 K",
        ),
        (zfc_fc, {"magnet": {"approach": "oscillate"}}, r"magnet\.approach is 'oscillate', which swings"),
        (zfc_fc, {"program_name": "a:b"}, r"Program name = 'a:b' names a file; use a to z, A to Z, digits"),
        (
            zfc_fc,
            {"program_name": "Nb₃Sn"},
            r"Program name = 'Nb₃Sn' names a file; use a to z, A to Z, digits",
        ),
        (
            virgin,
            {"fields_oe": [10.0, 20.0]},
            r"fields_oe has 2 fields from 10 Oe; list at least two, from 0",
        ),
        (virgin, {"fields_oe": [0.0]}, r"fields_oe has 1 fields from 0 Oe; list at least two"),
        (virgin, {"fields_oe": [0.0, 20.0, 10.0]}, r"fields_oe has 10 Oe after 20 Oe; list them upward"),
        (virgin, {"fields_oe": {"sweep_oe": [0, 9]}}, r"fields_oe is .*; measured is at setpoints alone"),
        (
            virgin,
            {"fields_oe": [0.0, 3.0, 9e3]},
            r"is 0\.0667 of the measuring field 3 Oe, outside \[0, 0\.05\]",
        ),
        (loop, {"quadrants": 6}, r"Quadrants = 6 is outside \[1, 5\]"),
    ],
)
def test_a_wrong_program_is_refused_before_the_night(build: Any, given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build(**given)


@pytest.mark.parametrize("measurement", [zfc_fc(), virgin(), loop()])
def test_a_program_in_the_hands_of_multivu_cannot_be_extended(measurement: MomentMeasurement) -> None:
    with pytest.raises(ValueError, match="cannot be extended to 60: MultiVu runs it as it was handed over"):
        measurement.extend(60.0)
