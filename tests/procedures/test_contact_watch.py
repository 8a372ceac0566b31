"""A contact that opens is told from a transition, from bad luck, and from what the leads do."""

import math
import random
from collections import deque
from dataclasses import replace
from typing import Any

import pytest

from onnes.instruments.clock import virtual_time
from onnes.instruments.errors import ContactError
from onnes.instruments.protocols import Resistance
from onnes.procedures.contact_watch import ContactWatch
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.procedures.transport import ResistancePoint
from tests.procedures.conftest import MakeBench

CURRENT_A = 1e-4
NOISE_V = 5e-9
SUPERCONDUCTOR = {"model": "bilayer", "gamma_t": "pristine", "w0_k": 0.06}


def resistance(ohms: float, dice: random.Random, **more: Any) -> Resistance:
    volts = CURRENT_A * ohms + dice.gauss(0.0, NOISE_V)
    error = abs(dice.gauss(0.0, NOISE_V)) / CURRENT_A  # as of two triples
    emf = 3e-7 + dice.gauss(0.0, NOISE_V)
    found = Resistance(volts, CURRENT_A, volts / CURRENT_A, error, emf, 0.0, (volts, -volts, volts))
    return replace(found, **more)


def watching(ohms: float = 10.0, count: int = 25, seed: int = 0) -> tuple[ContactWatch, random.Random]:
    watch, dice = ContactWatch(compliance_v=1.0), random.Random(seed)
    for n in range(count):
        watch.judge(resistance(ohms, dice), float(n))
    return watch, dice


def test_a_compliance_far_above_what_was_needed_is_a_contact() -> None:
    watch, dice = watching()
    assert watch.judge(resistance(0.1, dice, flags=("compliance",)), 25.0) == (
        "the source is in compliance at 1 V, although the last 20 points needed 0.001 V at most"
    )


def test_a_compliance_that_was_near_is_no_contact() -> None:
    watch, dice = watching(ohms=6000.0)
    assert watch.judge(resistance(10_000.0, dice, flags=("compliance",)), 25.0) == ""


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_points_tell_nothing(count: int) -> None:
    watch, dice = watching(count=count)
    assert watch.judge(resistance(0.1, dice, flags=("compliance",)), 25.0) == ""
    assert watch.judge(resistance(10.0, dice, resistance_error=5.0), 26.0) == ""


def test_noise_far_above_the_usual_is_a_contact() -> None:
    watch, dice = watching()
    reason = watch.judge(resistance(10.0, dice, resistance_error=2.0), 25.0)
    assert reason.startswith("the noise of the voltage is 0.0002 V, usually ")


def test_points_that_only_a_change_explained_are_doubtful_once_the_contact_opens() -> None:
    watch, dice = watching()
    assert watch.judge(resistance(5.0, dice, resistance_error=1.5), 25.0) == ""
    assert watch.judge(resistance(9.0, dice, resistance_error=1.5), 26.0) == ""
    reason = watch.judge(resistance(9.0, dice, resistance_error=2.0), 27.0)
    assert reason.endswith(
        "; the 2 points before it are doubtful, as only a change of resistance explains them"
    )


def test_points_that_nothing_had_to_explain_are_not_doubted() -> None:
    watch, dice = watching()
    assert watch.judge(resistance(5.0, dice, resistance_error=1.5), 25.0) == ""
    assert watch.judge(resistance(5.0, dice), 26.0) == ""
    assert "doubtful" not in watch.judge(resistance(5.0, dice, resistance_error=2.0), 27.0)


def test_an_asymmetry_of_the_two_currents_is_a_contact() -> None:
    watch, dice = watching()
    reason = watch.judge(resistance(10.0, dice, emf=3e-4), 25.0)
    assert reason.startswith("the voltages at +I and -I have become unequal by 0.000599 V, ")


def test_a_thermal_emf_that_went_on_drifting_in_a_long_pause_is_no_contact() -> None:
    watch, dice = ContactWatch(compliance_v=1.0), random.Random(0)
    for n in range(25):
        watch.judge(resistance(0.0, dice, emf=5e-8 * n), float(n))
    assert watch.judge(resistance(0.0, dice, emf=5e-8 * 1000), 1000.0) == ""


def test_a_step_from_zero_resistance_within_a_point_is_no_contact() -> None:
    for part in (1 / 12, 0.25, 0.5, 0.75, 11 / 12):  # of the point is normal already
        watch, dice = watching(ohms=0.0)
        scatter = math.sqrt(part * (1 - part) / 3) * 10.0
        emf = 3e-7 + CURRENT_A * 10.0 * min(part, 1 - part)
        on_its_way = resistance(10.0 * part, dice, resistance_error=scatter, emf=emf)
        assert watch.judge(on_its_way, 25.0) == ""
        assert watch.judge(resistance(10.0, dice), 26.0) == ""


def test_what_is_flagged_is_not_remembered() -> None:
    watch, dice = watching(count=0)
    for n in range(30):
        watch.judge(resistance(10.0, dice, flags=("over_range",)), float(n))
    assert watch.judge(resistance(0.1, dice, flags=("compliance",)), 31.0) == ""


@pytest.mark.parametrize("seed", range(20))
def test_noise_that_was_small_by_luck_raises_no_alarm(seed: int) -> None:
    watch, dice = watching(count=0, seed=seed)
    assert {watch.judge(resistance(0.0, dice), float(n)) for n in range(2000)} == {""}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("every_s", [1.0, 5.0])
def test_a_sharp_transition_of_the_virtual_lab_raises_no_alarm(
    make_bench: MakeBench, seed: int, every_s: float
) -> None:
    program = {"sweep_k": [36.0, 42.0], "rate_k_per_min": 2.0, "every_s": every_s}
    measurement = ResistanceVsTemperature(
        wiring="film", current_a=1e-3, average=4, temperature_program=program, both_directions=True
    )
    points = make_bench(36.0, seed=seed, sample=SUPERCONDUCTOR).points(measurement)
    assert min(p.resistance for p in points) < 1e-4
    assert max(p.resistance for p in points) > 0.1
    assert not any(p.flags for p in points)


@pytest.mark.parametrize("seed", [1, 2])
def test_isotherms_of_the_demo_raise_no_alarm(make_bench: MakeBench, seed: int) -> None:
    program = {"sweep_oe": [-90000.0, 90000.0], "rate_oe_per_s": 150.0, "every_s": 15.0}
    measurement = ResistanceVsField(
        wiring="film", current_a=1e-4, average=4, temperatures=[2.0, 3.0], field_program=program
    )
    assert not any(p.flags for p in make_bench(2.0, seed=seed).points(measurement))


def test_swapped_voltage_leads_are_no_open_contact() -> None:
    watch, dice = watching(count=0)
    for n in range(25):
        assert watch.judge(resistance(-10.0, dice, signs=(1, -1, 1)), float(n)) == ""


def test_a_voltage_against_the_current_is_a_contact_from_the_first_point_on() -> None:
    watch, dice = watching(count=0)
    found = resistance(10.0, dice, readings=(1e-3, 9e-4, 1e-3), signs=(1, -1, 1), emf=5e-5)
    assert watch.judge(found, 0.0) == (
        "the voltage is up to 0.00085 V against the current, which no resistance does"
    )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("opens_s", [0.0, 245.0])
def test_no_point_of_an_open_voltage_contact_counts(make_bench: MakeBench, seed: int, opens_s: float) -> None:
    opens_s += 0.4 * seed  # within a point, and between two
    fault = {"kind": "contact_open", "target": "I", "at": opens_s, "args": {"contacts": "voltage"}}
    program = {"sweep_k": [24.0, 20.0], "rate_k_per_min": 2.0, "every_s": 5.0}
    bench = make_bench(24.0, seed=seed, fault=[fault])
    measurement = ResistanceVsTemperature(
        wiring="film", current_a=1e-4, average=12, temperature_program=program
    )
    taken: list[Any] = []
    with virtual_time(bench.clock), pytest.raises(ContactError, match="contact of wiring 'film' has opened"):
        deque(map(taken.append, measurement.points(bench.station, bench.clock)))
    good = [item for item in taken if isinstance(item, ResistancePoint) and not item.rejected]
    assert all(abs(point.resistance - 13.0) < 0.5 for point in good), "the film is at 13 ohm here"
