"""A measurement that was broken off goes on where its stored rows end, with the history that it needs."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import Event, Point
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from tests.procedures.broken_off import points_of, stored, taken_up, until

MakeStation = Callable[..., Any]

SETTLED_K = {"setpoints_k": [20.0, 21.0, 22.0, 23.0]}
SWEPT_K = {"sweep_k": [20.0, 32.0], "rate_k_per_min": 2.0, "every_s": 4.0}
SETTLED_OE = {"setpoints_oe": [-500.0, 0.0, 500.0]}
SWEPT_OE = {"sweep_oe": [-6000.0, 6000.0], "rate_oe_per_s": 20.0, "every_s": 10.0}


def against_temperature(program: dict[str, Any], **more: Any) -> ResistanceVsTemperature:
    given: dict[str, Any] = {"wiring": "film", "average": 4, "temperature_program": program}
    return ResistanceVsTemperature(**(given | more))


def against_field(program: dict[str, Any] = SETTLED_OE, **more: Any) -> ResistanceVsField:
    given: dict[str, Any] = {
        "wiring": "film",
        "average": 4,
        "temperatures": [5.0, 6.0, 7.0],
        "field_program": program,
    }
    return ResistanceVsField(**(given | more))


def plan_of(points: list[Any]) -> list[tuple[float, float, str, int]]:
    return [(p.temperature_setpoint, p.field_setpoint, p.direction, p.curve) for p in points]


def planned(measurement: Any) -> list[tuple[float, float, str, int]]:
    return [(s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()]


def kinds_of(items: list[Point | Event]) -> list[str]:
    return [item.message for item in items if isinstance(item, Event) and item.kind == "prepare"]


def sent(ramp: Any, since: int = 0) -> list[float]:
    return [command[0] for command in ramp.commands[since:]]


@pytest.mark.parametrize("program", [SETTLED_K, SWEPT_K])
def test_nothing_stored_begins_at_the_start(
    clock: VirtualClock, make_station: MakeStation, program: dict[str, Any]
) -> None:
    measurement = against_temperature(program)
    take_up = measurement.take_up(pd.DataFrame())
    assert take_up is not None
    assert (take_up.rule, take_up.curve, take_up.done, take_up.cost_s) == ("free", 1, 0, 0.0)
    assert math.isnan(take_up.last)
    fresh = points_of(measurement.points(make_station(20.0), clock))
    again = points_of(measurement.points(make_station(20.0), clock, take_up))
    assert plan_of(again)[:1] == plan_of(fresh)[:1] or program is SWEPT_K
    assert len(again) == len(fresh)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("count", range(1, 8))
def test_settled_temperatures_are_each_measured_once(
    clock: VirtualClock, make_station: MakeStation, count: int, both: bool
) -> None:
    measurement = against_temperature(SETTLED_K, both_directions=both)
    plan = planned(measurement)
    station = make_station(20.0)
    before = until(measurement, station, clock, min(count, len(plan) - 1))
    _, items = taken_up(measurement, before, station, clock)
    assert plan_of(before + points_of(items)) == plan


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 11, 12, 17])
@pytest.mark.parametrize("reference", [{}, {"temperature_k": 20.0, "field_oe": 100.0}])
def test_settled_fields_are_each_measured_once(
    clock: VirtualClock, make_station: MakeStation, count: int, reference: dict[str, float]
) -> None:
    measurement = against_field(reference=reference)
    station = make_station(5.0, -500.0)
    before = until(measurement, station, clock, count)
    _, items = taken_up(measurement, before, station, clock)
    found = [row for row in plan_of(before + points_of(items)) if row[3] > 0]
    assert found == [row for row in planned(measurement) if row[3] > 0]


def test_a_rejected_point_is_measured_again(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = against_temperature(SETTLED_K)
    station = make_station(20.0)
    before = until(measurement, station, clock, 1)
    station.the_bridge.flags = ("over_range",)
    before += until(measurement, station, clock, 1, measurement.take_up(stored(before)))
    station.the_bridge.flags = ()
    assert before[-1].rejected
    take_up, items = taken_up(measurement, before, station, clock)
    assert (take_up.done, take_up.last) == (1, 20.0)
    assert plan_of([before[0], *points_of(items)]) == planned(measurement)


def test_a_value_asked_for_twice_is_measured_twice(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = against_temperature({"setpoints_k": [20.0, 20.0, 21.0]})
    station = make_station(20.0)
    before = until(measurement, station, clock, 1)
    take_up, items = taken_up(measurement, before, station, clock)
    assert take_up.done == 1
    assert plan_of(before + points_of(items)) == planned(measurement)


def test_rows_of_another_program_are_refused(clock: VirtualClock, make_station: MakeStation) -> None:
    before = until(against_temperature(SETTLED_K), make_station(20.0), clock, 2)
    with pytest.raises(
        ValueError, match=r"Temperature setpoint \(K\) = 21, which is no setpoint of the prog"
    ):
        against_temperature({"setpoints_k": [20.0, 25.0]}).take_up(stored(before))


def test_a_complete_measurement_is_not_taken_up(clock: VirtualClock, make_station: MakeStation) -> None:
    for measurement, station in (
        (against_temperature(SETTLED_K), make_station(20.0)),
        (against_temperature(SWEPT_K, both_directions=True), make_station(20.0)),
        (against_field(), make_station(5.0, -500.0)),
        (against_field(SWEPT_OE, temperatures=[5.0]), make_station(5.0, -6000.0)),
    ):
        assert measurement.take_up(stored(points_of(measurement.points(station, clock)))) is None


def test_a_field_is_approached_from_the_side_of_the_setpoint_before(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field(temperatures=[5.0])
    station = make_station(5.0, -500.0)
    before = until(measurement, station, clock, 4)  # the first one on the way back
    station.cryostat.set_field(-9000.0, 190.0)
    since = len(station.cryostat.h.commands)
    take_up, _ = taken_up(measurement, before, station, clock)
    assert sent(station.cryostat.h, since) == [500.0, 0.0, -500.0]
    assert take_up.message == "curve 2 at 5 K goes on after 500 Oe, approached from the same side"


def test_the_first_field_on_the_way_back_is_approached_as_on_the_way_there(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field(temperatures=[5.0])
    station = make_station(5.0, -500.0)
    before = until(measurement, station, clock, 3)
    since = len(station.cryostat.h.commands)
    taken_up(measurement, before, station, clock)
    assert sent(station.cryostat.h, since) == [0.0, 500.0, 0.0, -500.0]


def test_the_first_field_of_an_isotherm_is_approached_from_the_isotherm_before(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field()
    station = make_station(5.0, -500.0)
    before = until(measurement, station, clock, 6)
    since = len(station.cryostat.h.commands)
    taken_up(measurement, before, station, clock)
    assert sent(station.cryostat.h, since)[:3] == [0.0, -500.0, 0.0]


def test_a_temperature_is_approached_from_the_side_of_the_setpoint_before(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_temperature(SETTLED_K)
    station = make_station(20.0)
    before = until(measurement, station, clock, 2)
    station.cryostat.set_temperature(300.0, 20.0)
    clock.sleep(1000.0)
    since = len(station.cryostat.t.commands)
    taken_up(measurement, before, station, clock)
    assert sent(station.cryostat.t, since) == [21.0, 22.0, 23.0]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("count", [1, 40, 89, 100, 120])
def test_a_temperature_sweep_goes_on_without_gap_and_without_a_reading_twice(
    clock: VirtualClock, make_station: MakeStation, count: int, both: bool
) -> None:
    if count > 91 and not both:
        return
    measurement = against_temperature(SWEPT_K, both_directions=both)
    station = make_station(20.0)
    before = until(measurement, station, clock, count)
    station.cryostat.set_temperature(50.0, 20.0)  # meanwhile
    clock.sleep(200.0)
    take_up, items = taken_up(measurement, before, station, clock)
    again = points_of(items)
    spacing = 2.0 / 60.0 * 4.0
    for curve, sign in ((1, 1.0), (2, -1.0)) if both else ((1, 1.0),):
        kelvin = [p.temperature for p in before + again if p.curve == curve]
        steps = [sign * (after - first) for first, after in pairwise(kelvin)]
        assert all(0 < step < 1.01 * spacing for step in steps[:-1])
        ends = [20.0, 32.0] if sign > 0 else [32.0, 20.0]
        assert [kelvin[0], kelvin[-1]] == pytest.approx(ends, abs=0.05)
    if count > 60 and take_up.done:
        begun = next(item for item in items if isinstance(item, Event) and item.kind == "sweep")
        sign = 1.0 if take_up.curve == 1 else -1.0
        run_up_k = min(sign * (take_up.last - (20.0 if sign > 0 else 32.0)), 150.0 * 2.0 / 60.0)
        assert sign * (take_up.last - begun.values["start"]) == pytest.approx(run_up_k)


@pytest.mark.parametrize("count", [3, 80, 130, 200])
def test_a_field_sweep_goes_on_without_gap_and_without_a_reading_twice(
    clock: VirtualClock, make_station: MakeStation, count: int
) -> None:
    measurement = against_field(SWEPT_OE, temperatures=[5.0, 6.0], both_directions=True)
    station = make_station(5.0, -6000.0)
    before = until(measurement, station, clock, count)
    station.cryostat.set_field(0.0, 190.0)
    clock.sleep(100.0)
    _, items = taken_up(measurement, before, station, clock)
    for curve in range(1, 5):
        field = [p.field for p in before + points_of(items) if p.curve == curve]
        sign = 1.0 if curve % 2 else -1.0
        steps = [sign * (after - first) for first, after in pairwise(field)]
        assert all(0 < step < 1.01 * 200.0 for step in steps[:-1])
        assert [sign * field[0], sign * field[-1]] == pytest.approx([-6000.0, 6000.0], abs=15.0)


def test_what_is_done_again_costs_what_is_left_more(clock: VirtualClock, make_station: MakeStation) -> None:
    for measurement, at in (
        (against_temperature(SWEPT_K), (20.0, 0.0)),
        (against_temperature(SETTLED_K), (20.0, 0.0)),
        (against_field(), (5.0, -500.0)),
        (against_field(path_below_k=40.0), (5.0, -500.0)),
        (against_field(reference={"temperature_k": 20.0, "field_oe": 0.0}), (20.0, 0.0)),
    ):
        times = [clock.now()]
        list(measurement.points(make_station(*at), clock))
        times.append(clock.now())
        station = make_station(*at)
        before = until(measurement, station, clock, 3)
        times.append(clock.now())
        take_up, _ = taken_up(measurement, before, station, clock)
        times.append(clock.now())
        whole_s, first_s, second_s = (after - began for began, after in pairwise(times))
        assert measurement.remaining_s(take_up) == pytest.approx(second_s, rel=0.3)
        assert take_up.cost_s == pytest.approx(first_s + second_s - whole_s, rel=0.3, abs=120.0)
        assert measurement.remaining_s(None) == measurement.duration_s()


# -- path


def test_an_isotherm_below_tc_is_prepared_and_measured_again_and_that_one_alone(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field(path_below_k=40.0)
    station = make_station(5.0, -500.0)
    before = until(measurement, station, clock, 6 + 4)
    take_up, items = taken_up(measurement, before, station, clock)
    assert (take_up.rule, take_up.curve, take_up.done) == ("path", 3, 0)
    assert math.isnan(take_up.last)
    assert plan_of(points_of(items)) == planned(measurement)[6:]
    assert kinds_of(items)[:6] == [
        "warm to 50 K",
        "oscillate from 10000 Oe to 0 Oe",
        "let the magnet relax for 300 s",
        "cool to 7 K",
        "soak for 300 s",
        "warm to 50 K",  # before the isotherm at 6 K
    ]
    assert "curves 3 to 4 at 7 K: prepared and measured from the start" in take_up.message


def test_each_isotherm_below_tc_is_prepared_also_in_a_quiet_night(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field(path_below_k=6.5, order="as_written")
    items = list(measurement.points(make_station(5.0), clock))
    assert [message for message in kinds_of(items) if "cool" in message] == ["cool to 5 K", "cool to 6 K"]


def test_a_cold_start_is_prepared_and_a_pass_from_above_has_its_own_history(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"setpoints_k": [5.0, 30.0, 50.0]}
    measurement = against_temperature(program, both_directions=True, path_below_k=40.0, field_oe=100.0)
    station = make_station(20.0)
    items = list(measurement.points(station, clock))
    assert kinds_of(items)[0] == "warm to 50 K"
    assert sent(station.cryostat.h) == [10000.0, 0.0, 100.0]
    points = points_of(items)
    zero_field_cooled, _ = taken_up(measurement, points[:2], station, clock)
    assert (zero_field_cooled.rule, zero_field_cooled.curve) == ("path", 1)
    take_up, again = taken_up(measurement, points[:5], station, clock)
    assert (take_up.rule, take_up.curve, take_up.done) == ("path", 2, 0)
    assert kinds_of(again) == []
    assert plan_of(points_of(again)) == planned(measurement)[3:]
    assert take_up.message.startswith("curve 2 is begun at 50 K and measured again: below 40 K")


def test_a_warming_pass_after_a_cooling_one_takes_the_cooling_with_it(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"setpoints_k": [50.0, 30.0, 5.0]}
    measurement = against_temperature(program, both_directions=True, path_below_k=40.0)
    station = make_station(50.0)
    points = points_of(measurement.points(station, clock))
    take_up, again = taken_up(measurement, points[:4], station, clock)
    assert (take_up.rule, take_up.curve) == ("path", 1)
    assert plan_of(points_of(again)) == planned(measurement)


def test_above_tc_a_curve_that_comes_from_below_goes_on_freely(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"setpoints_k": [5.0, 45.0, 50.0]}
    measurement = against_temperature(program, path_below_k=40.0)
    station = make_station(5.0)
    before = until(measurement, station, clock, 2)
    take_up, items = taken_up(measurement, before, station, clock)
    assert (take_up.rule, take_up.done) == ("free", 2)
    assert plan_of(before + points_of(items)) == planned(measurement)
    assert kinds_of(items) == []


def test_a_swept_path_curve_is_never_stitched(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = against_temperature(SWEPT_K, path_below_k=40.0)
    station = make_station(20.0)
    whole = points_of(measurement.points(station, clock))
    before = until(measurement, station, clock, 30)
    take_up, items = taken_up(measurement, before, station, clock)
    assert (take_up.rule, take_up.curve) == ("path", 1)
    again = points_of(items)
    assert [p.temperature for p in again] == pytest.approx([p.temperature for p in whole], abs=0.02)


# -- reference


def test_the_reference_is_measured_before_between_and_after(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field(reference={"temperature_k": 20.0, "field_oe": 100.0})
    points = points_of(measurement.points(make_station(20.0), clock))
    assert plan_of(points) == planned(measurement)
    places = [n for n, point in enumerate(points) if point.direction == "reference"]
    assert places == [0, 7, 14, 21]
    assert {points[n].curve for n in places} == {0}
    assert set(measurement.derived(stored(points))["symmetrised"]["Temperature setpoint (K)"]) == {
        5.0,
        6.0,
        7.0,
    }


def test_the_reference_is_measured_again_before_going_on(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = against_field(reference={"temperature_k": 20.0, "field_oe": 100.0})
    station = make_station(20.0)
    whole = points_of(measurement.points(station, clock))
    take_up, items = taken_up(measurement, whole[:3], station, clock)
    assert take_up.done == 2
    assert [p.direction for p in points_of(items)[:2]] == ["reference", "rising"]
    take_up, items = taken_up(measurement, whole[:-1], station, clock)
    assert [p.direction for p in points_of(items)] == ["reference"]
    assert take_up.message == "only the last reference is left"
    assert measurement.take_up(stored(whole)) is None


def test_a_reference_must_not_touch_the_history() -> None:
    with pytest.raises(
        ValueError, match=r"reference.temperature_k = 20 K is below 40 K, where a point hangs"
    ):
        against_field(path_below_k=40.0, reference={"temperature_k": 20.0, "field_oe": 0.0})
    with pytest.raises(ValueError, match="reference needs both temperature_k and field_oe, or neither"):
        against_field(reference={"temperature_k": 20.0})
