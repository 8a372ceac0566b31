"""A finer pass over the transition, around where the coarse passes have seen it."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import LimitError
from onnes.instruments.records import Event, Point
from onnes.procedures.fine_pass import CoarsePoint, transition_k
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from tests.procedures.broken_off import points_of, stored

MakeStation = Callable[..., Any]
TC = 39.31
COARSE = [30.0 + 0.5 * n for n in range(61)]
FINE = {"width_k": 1.0, "step_k": 0.05}


def film(kelvin: float, _: float) -> float:
    return (1.0 + 1e-3 * kelvin) / (1.0 + math.exp(-(kelvin - TC) / 0.1))


def curve(**more: Any) -> ResistanceVsTemperature:
    given: dict[str, Any] = {
        "wiring": "film",
        "average": 4,
        "temperature_program": {"setpoints_k": COARSE},
        "fine": FINE,
        "self_heating_check": False,
        "settle": {"for_s": 4.0, "then_wait_s": 0.0},
    }
    return ResistanceVsTemperature(**(given | more))


def told(items: list[Point | Event]) -> list[str]:
    return [item.message for item in items if isinstance(item, Event) and item.kind == "fine"]


def test_the_fine_pass_lies_where_the_coarse_one_has_seen_the_transition(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = curve()
    items = list(measurement.points(make_station(kelvin=30.0, ohms=film), clock))
    fine = [point for point in points_of(items) if point.curve == 2]
    assert told(items) == [
        f"fine pass around the transition at {measurement.centre:.6g} K that was found in the coarse pass"
    ]
    assert measurement.centre == pytest.approx(TC, abs=0.15)
    steps = [point.temperature_setpoint for point in fine]
    assert steps == pytest.approx([steps[0] + 0.05 * n for n in range(21)])
    assert steps[10] == pytest.approx(measurement.centre, abs=0.05)
    assert {setpoint.is_estimated for setpoint in measurement.setpoints()} == {False}


def test_the_plan_marks_what_it_only_estimates() -> None:
    plan = curve(fine=FINE | {"expected_k": 39.0}).setpoints()
    assert [setpoint.is_estimated for setpoint in plan] == [False] * 61 + [True] * 21
    assert (plan[61].temperature_k, plan[-1].temperature_k) == (38.5, 39.5)
    assert len(curve().setpoints()) == 61
    given = curve(fine=FINE | {"around_k": 39.0}).setpoints()
    assert {setpoint.is_estimated for setpoint in given} == {False}
    assert len(given) == 82


def test_a_fine_sweep_follows_both_directions_of_a_coarse_one(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = curve(
        temperature_program={"sweep_k": [30.0, 60.0], "rate_k_per_min": 3.0, "every_s": 6.0},
        both_directions=True,
        fine={"width_k": 2.0, "rate_k_per_min": 0.5, "every_k": 0.05},
    )
    points = points_of(list(measurement.points(make_station(kelvin=30.0, ohms=film), clock)))
    assert {(point.curve, point.direction) for point in points} == {
        (1, "warming"),
        (2, "cooling"),
        (3, "warming"),
    }
    fine = [point.temperature for point in points if point.curve == 3]
    assert (fine[0], fine[-1]) == pytest.approx((TC - 1.0, TC + 1.0), abs=0.1)


def test_without_a_transition_the_expected_one_stands_or_nothing(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = curve(fine=FINE | {"expected_k": 39.0})
    items = list(measurement.points(make_station(kelvin=30.0), clock))
    assert told(items)[0].startswith("fine pass around the expected 39 K: no transition in the ")
    assert [point.temperature_setpoint for point in points_of(items)][61] == 38.5
    nothing = list(curve().points(make_station(kelvin=30.0), clock))
    assert told(nothing)[0].startswith("fine pass left out: none is expected, and no transition")
    assert len(points_of(nothing)) == 61


@pytest.mark.parametrize("count", [40, 61, 70])
def test_a_break_leaves_the_fine_pass_where_it_was(
    clock: VirtualClock, make_station: MakeStation, count: int
) -> None:
    station = make_station(kelvin=30.0, ohms=film)
    whole = points_of(list(curve().points(station, clock)))
    again = curve()  # another process
    left = again.take_up(stored(whole[:count]))
    assert left is not None
    rest = points_of(list(again.points(station, clock, left)))
    assert [point.temperature_setpoint for point in whole] == [
        point.temperature_setpoint for point in whole[:count] + rest
    ]
    assert again.take_up(stored(whole)) is None


def test_a_curve_that_is_measured_again_finds_its_centre_again(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=30.0, ohms=film)
    measurement = curve(path_below_k=50.0, fine=FINE | {"expected_k": 35.0})
    whole = points_of(list(measurement.points(station, clock)))
    left = measurement.take_up(stored(whole[:70]))
    assert left is not None
    assert (left.rule, left.curve) == ("path", 1)
    rest = points_of(list(measurement.points(station, clock, left)))
    assert [point.temperature_setpoint for point in rest] == [point.temperature_setpoint for point in whole]


def test_limits_of_the_fine_pass_are_met_before_anything_is_sent(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    with pytest.raises(LimitError, match=r"temperature = 399.\d* K|temperature = 400.\d* K"):
        list(curve(fine={"around_k": 400.0, "width_k": 2.0, "step_k": 0.1}).points(station, clock))
    assert station.cryostat.t.commands == []


@pytest.mark.parametrize(
    ("fine", "words"),
    [
        ({"width_k": 1.0}, "fine has the keys width_k; expected width_k with step_k, or with rate_k_per_min"),
        ({"step_k": 0.1}, "expected width_k with step_k"),
        ({"width_k": 1.0, "step_k": 0.1, "every_k": 0.1}, "expected width_k with step_k"),
        ({"width_k": 0.0, "step_k": 0.1}, r"fine.width_k = 0 must be above zero"),
        ({"witdh_k": 1.0}, "unknown key 'witdh_k' in fine"),
    ],
)
def test_what_is_no_fine_pass_is_refused(fine: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        curve(fine=fine)


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        ([], "nothing was measured"),
        ([(5.0, 1.0)], "1 points, too few"),
        ([(5.0, 1.0), (6.0, 1.1)], "the resistance falls to 1 ohm below 5 K, from 1.1 ohm above, not to a"),
        ([(5.0, 0.0), (6.0, 1.0), (7.0, 1.1)], ""),
    ],
)
def test_a_curve_without_a_transition_says_why(curve: list[tuple[float, float]], reason: str) -> None:
    found, why = transition_k([CoarsePoint(kelvin, kelvin, 0.0, ohm, 0.0, 1) for kelvin, ohm in curve])
    assert (found is None) == bool(reason)
    assert why.startswith(reason)
