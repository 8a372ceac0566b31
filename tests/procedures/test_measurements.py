"""R(T) and R(H) on a station of pure Python: order, schedule, columns, and every way out."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, InstrumentFault, LimitError, SettleTimeout
from onnes.instruments.protocols import Reading
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.procedures.transport import ResistancePoint

MakeStation = Callable[..., Any]
SWEEP = {"sweep_k": [20.0, 26.0], "rate_k_per_min": 2.0, "every_s": 1.0}
CALM = {"self_heating_check": False}  # it is tried in test_self_heating.py


def points_of(items: list[Point | Event]) -> list[ResistancePoint]:
    return [item for item in items if isinstance(item, ResistancePoint)]


def events_of(items: list[Point | Event], kind: str) -> list[Event]:
    return [item for item in items if isinstance(item, Event) and item.kind == kind]


def sweep(**more: Any) -> ResistanceVsTemperature:
    given: dict[str, Any] = {"wiring": "film", "average": 4, "temperature_program": SWEEP} | CALM
    return ResistanceVsTemperature(**(given | more))


def isotherms(**more: Any) -> ResistanceVsField:
    given: dict[str, Any] = {
        "wiring": "film",
        "average": 4,
        "temperatures": [5.0, 6.0, 7.0],
        "field_program": {"setpoints_oe": [-500.0, 0.0, 500.0]},
    } | CALM
    return ResistanceVsField(**(given | more))


def test_a_sweep_is_sampled_on_the_clock_without_drift(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    points = points_of(list(sweep().points(make_station(), clock)))
    first = points[0].elapsed
    assert [round(point.elapsed - first, 6) for point in points] == [float(n) for n in range(len(points))]
    assert len(points) == pytest.approx(180, abs=3)


def test_a_sample_time_missed_by_a_slow_point_is_left_out(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    station.the_bridge.reading_s = 0.4  # four readings take 1.6 s of a schedule of 1 s
    points = points_of(list(sweep().points(station, clock)))
    first = points[0].elapsed
    assert [point.elapsed - first for point in points[:4]] == pytest.approx([0.0, 2.0, 4.0, 6.0])


def test_a_sweep_every_step_is_sampled_at_the_time_of_the_ramp(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"sweep_k": [20.0, 26.0], "rate_k_per_min": 2.0, "every_k": 0.1}
    points = points_of(list(sweep(temperature_program=program).points(make_station(), clock)))
    steps = [after.temperature - before.temperature for before, after in pairwise(points[:-1])]
    assert steps == pytest.approx([0.1] * len(steps), rel=1e-6)


def test_there_and_back_are_two_curves_with_their_directions(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    items = list(sweep(both_directions=True).points(make_station(), clock))
    points = points_of(items)
    assert {(point.curve, point.direction) for point in points} == {(1, "warming"), (2, "cooling")}
    assert points[-1].temperature == pytest.approx(20.0, abs=0.05)
    assert [event.message for event in events_of(items, "sweep")] == [
        "temperature sweep from 20 K to 26 K at 2 K/min",
        "temperature sweep from 26 K to 20 K at 2 K/min",
    ]
    assert math.isnan(points[0].temperature_setpoint)
    assert points[0].field_setpoint == 0.0


def test_a_sweep_through_10_k_does_not_stop_there(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=14.0)
    program = {"sweep_k": [14.0, 6.0], "rate_k_per_min": 6.0, "every_s": 2.0}
    list(sweep(temperature_program=program).points(station, clock))
    assert [command[0] for command in station.cryostat.t.commands] == [14.0, 6.0]


def test_a_sweep_knows_its_rate(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    station.cryostat.t.noise = 1.8e-3
    points = points_of(list(sweep().points(station, clock)))
    slope_noise = 1.8e-3 * math.sqrt(12 / 30) / 60.0 * 60.0  # of 30 readings in a minute, K/min
    for point in points[70:-5]:
        assert point.temperature_rate == pytest.approx(2.0, abs=5 * slope_noise)


def test_a_sweep_begins_with_a_rate_near_zero(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    station.cryostat.t.noise = 1.8e-3
    first = points_of(list(sweep().points(station, clock)))[0]
    assert first.temperature_rate == pytest.approx(0.0, abs=4 * 1.8e-3 * math.sqrt(12 / 5) / 8.0 * 60.0)


def test_points_farther_apart_than_a_minute_have_a_rate(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"sweep_k": [20.0, 40.0], "rate_k_per_min": 2.0, "every_s": 90.0}
    points = points_of(list(sweep(temperature_program=program).points(make_station(), clock)))
    assert [point.temperature_rate for point in points[2:-1]] == pytest.approx([2.0] * (len(points) - 3))


def test_a_sweep_ends_where_the_thermometer_comes_to_rest_beside_the_end(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    station.cryostat.t.offset = -0.03
    points = points_of(list(sweep(settle={"within_k": 0.04}).points(station, clock)))
    assert points[-1].temperature == pytest.approx(25.97, abs=0.02)


def test_the_stable_from_before_a_short_sweep_does_not_end_it(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"sweep_k": [20.0, 20.08], "rate_k_per_min": 0.2, "every_s": 1.0}
    points = points_of(list(sweep(temperature_program=program).points(make_station(kelvin=20.0), clock)))
    assert len(points) == pytest.approx(24 - 3, abs=1)  # the last 10 mK are within the tolerance of the end


def test_a_sweep_that_never_arrives_times_out(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=20.0)
    measurement = sweep()
    items = measurement.points(station, clock)
    for item in items:
        if isinstance(item, Point):
            break
    station.cryostat.t.set(clock.now(), 15.0, 1.0)  # somebody else
    with pytest.raises(
        SettleTimeout,
        match=r"temperature sweep from 20 K has not reached 26 K after 11\d\d s; last reading 15 K, "
        r"slope [+-]\S+ K/min, state stable \(0x1141\); look at the controller",
    ):
        list(items)
    assert station.the_bridge.diary[-1] == ("stop",)


def test_settled_points_are_taken_at_rest(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=20.0, ohms=lambda t, _: 1e-3 * t)
    station.cryostat.t.noise = 1.8e-3
    measurement = sweep(temperature_program={"setpoints_k": [20.0, 21.0, 22.0]}, both_directions=True)
    items = list(measurement.points(station, clock))
    points = points_of(items)
    assert [(point.temperature_setpoint, point.curve) for point in points] == [
        (20.0, 1), (21.0, 1), (22.0, 1), (22.0, 2), (21.0, 2), (20.0, 2),
    ]  # fmt: skip
    assert {point.direction for point in points} == {"settled"}
    assert [point.resistance for point in points] == pytest.approx(
        [1e-3 * point.temperature_setpoint for point in points], abs=1e-5
    )
    assert not any(point.rejected or point.flags for point in points)
    assert len(events_of(items, "settled")) == 1 + 5  # the field, and no temperature twice


def test_every_way_out_stops_the_bridge(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    items = isotherms().points(station, clock)
    while not isinstance(next(items), Point):
        pass
    assert station.the_bridge.diary[-1][0] == "measure"
    items.close()
    assert station.the_bridge.diary[-1] == ("stop",)


def test_a_quench_ends_the_sweep_after_the_points_so_far(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0, oersted=0.0)
    program = {"sweep_oe": [0.0, 90000.0], "rate_oe_per_s": 100.0, "every_s": 2.0}
    found: list[Point | Event] = []
    station.quench_at(500.0)
    items = isotherms(temperatures=[5.0], field_program=program).points(station, clock)
    with pytest.raises(InstrumentFault, match="quenching at"):
        found.extend(items)
    assert len(points_of(found)) > 50
    assert station.the_bridge.diary[-1] == ("stop",)


def test_isotherms_go_up_and_down_with_one_source_current(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(ohms=lambda t, h: t + 1e-4 * h)
    measurement = isotherms(current_a=1e-3)
    points = points_of(list(measurement.points(station, clock)))
    plan = measurement.setpoints()
    assert [(p.temperature_setpoint, p.field_setpoint, p.direction, p.curve) for p in points] == [
        (s.temperature_k, s.field_oe, s.direction, s.curve) for s in plan
    ]
    assert [s.temperature_k for s in plan[::6]] == [5.0, 7.0, 6.0]
    assert [s.field_oe for s in plan[:6]] == [-500.0, 0.0, 500.0, 500.0, 0.0, -500.0]
    assert [s.direction for s in plan[:6]] == ["rising"] * 3 + ["falling"] * 3
    starts = [entry for entry in station.the_bridge.diary if entry[0] != "measure"]
    assert starts == [("start", 1e-3), ("stop",)]
    assert {point.current for point in points} == {1e-3}


def test_as_written_keeps_the_order_of_the_temperatures() -> None:
    plan = isotherms(order="as_written").setpoints()
    assert [s.temperature_k for s in plan[::6]] == [5.0, 6.0, 7.0]


def test_an_undisturbed_temperature_costs_nothing_at_a_field_point(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0, oersted=-500.0)
    items = list(isotherms(temperatures=[5.0]).points(station, clock))
    assert [event.values["quantity"] for event in events_of(items, "settled")].count("temperature") == 1
    fields = [point.elapsed for point in points_of(items)[1:3]]
    polls_s = 2 * 2.0  # until it has been stable three times
    step_s = 500.0 / 190.0 + station.cryostat.h.settle_s + polls_s + 10.0
    assert fields[1] - fields[0] == pytest.approx(step_s, abs=3.0)


def test_a_temperature_disturbed_by_the_magnet_settles_again_before_the_point(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0, oersted=-500.0)
    items = isotherms(temperatures=[5.0]).points(station, clock)
    for item in items:
        if isinstance(item, Point):
            break
    station.cryostat.t.disturbed_at, station.cryostat.t.kick = clock.now() + 10.0, 0.5
    rest = list(items)
    again = events_of(rest, "settled")[1]
    assert again.values["after"] == "a disturbance"
    assert again.values["quantity"] == "temperature"
    assert points_of(rest)[0].temperature == pytest.approx(5.0, abs=5e-3)


def test_a_swept_isotherm_is_one_curve_a_direction(clock: VirtualClock, make_station: MakeStation) -> None:
    program = {"sweep_oe": [-1000.0, 1000.0], "rate_oe_per_s": 20.0, "every_s": 5.0}
    measurement = isotherms(temperatures=[5.0], field_program=program)
    points = points_of(list(measurement.points(make_station(), clock)))
    assert {(p.curve, p.direction) for p in points} == {(1, "rising"), (2, "falling")}
    assert {p.temperature_setpoint for p in points} == {5.0}
    assert all(math.isnan(p.field_setpoint) for p in points)
    assert points[5].field_rate == pytest.approx(20.0, rel=1e-6)
    assert len(points) == pytest.approx(len(measurement.setpoints()), abs=4)


def test_below_4_k_the_field_moves_slowly(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=3.0)
    list(isotherms(temperatures=[3.0], both_directions=False).points(station, clock))
    assert {command[1] for command in station.cryostat.h.commands} == {20.0}


def test_a_warm_magnet_moves_fast_to_the_start_of_cold_isotherms(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=300.0)
    list(isotherms(temperatures=[3.0], both_directions=False).points(station, clock))
    assert [command[1] for command in station.cryostat.h.commands] == [190.0, 20.0, 20.0]


def test_a_point_during_which_the_temperature_moved_is_rejected_and_repeated(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0)
    measurement = sweep(temperature_program={"setpoints_k": [5.0]}, settle={"then_wait_s": 0.0})
    calls: list[float] = []

    def hook(now: float, kelvin: Reading, oersted: Reading) -> tuple[Reading, Reading]:
        measured = sum(entry[0] == "measure" for entry in station.the_bridge.diary)
        moved = 0.05 if measured == 1 and not calls else 0.0
        if moved:
            calls.append(now)
        return Reading(kelvin.value + moved, now, kelvin.state, kelvin.is_stable, kelvin.status), oersted

    station.cryostat.hook = hook
    first, second = points_of(list(measurement.points(station, clock)))
    assert first.rejected == "temperature moved by +0.05 K during the point, more than 0.005 K"
    assert first.flags == "temperature_moved"
    assert (second.rejected, second.flags) == ("", "")


def test_in_a_sweep_a_moving_temperature_is_no_reason(clock: VirtualClock, make_station: MakeStation) -> None:
    assert not any(point.rejected for point in points_of(list(sweep().points(make_station(), clock))))


@pytest.mark.parametrize("flag", ["compliance", "over_range"])
def test_what_the_bridge_flags_is_rejected(clock: VirtualClock, make_station: MakeStation, flag: str) -> None:
    station = make_station()
    station.the_bridge.flags = (flag,)
    points = points_of(list(isotherms(temperatures=[5.0]).points(station, clock)))
    assert {(point.rejected, point.flags) for point in points} == {(flag, flag)}


def test_a_nan_is_rejected_with_its_name(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(ohms=lambda _, __: math.nan)
    points = points_of(list(sweep().points(station, clock)))
    assert {point.rejected for point in points} == {"resistance is nan ohm"}
    station = make_station(kelvin=20.0)
    items = sweep().points(station, clock)
    first = next(item for item in items if isinstance(item, ResistancePoint))
    station.temperature_between(0.0, math.inf, value=math.nan)
    second = next(item for item in items if isinstance(item, ResistancePoint))
    items.close()
    assert first.rejected == ""
    assert second.rejected == "temperature reads nan K before and nan K after"


def test_an_unknown_state_in_passing_rejects_a_point_of_a_sweep(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    items = sweep().points(station, clock)
    next(item for item in items if isinstance(item, ResistancePoint))
    station.temperature_between(0.0, clock.now() + 5.0, state="unknown", is_stable=False, status=0x1140)
    points = points_of(list(items))
    rejected = [point for point in points if point.rejected]
    assert 3 <= len(rejected) <= 5
    assert {point.flags for point in rejected} == {"temperature_unknown"}


def test_a_filling_reservoir_is_flagged_in_a_sweep(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=20.0)
    items = sweep().points(station, clock)
    next(item for item in items if isinstance(item, ResistancePoint))
    station.temperature_between(0.0, clock.now() + 5.0, state="filling reservoir", is_stable=False)
    points = points_of(list(items))
    assert {(point.flags, point.rejected) for point in points} == {("helium_fill", ""), ("", "")}


def test_a_limit_at_the_end_of_the_plan_is_met_before_its_start(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    for measurement, words in (
        (isotherms(temperatures=[5.0, 500.0]), "temperature = 500 K is outside"),
        (isotherms(field_program={"setpoints_oe": [0.0, 95000.0]}), "field = 95000 Oe is outside"),
        (isotherms(magnet={"rate_oe_per_s": 500.0}), "field rate = 500 Oe/s is outside"),
        (isotherms(temperature_rate_k_per_min=30.0), "temperature rate = 30 K/min is outside"),
        (isotherms(current_a=0.2), "current = 0.2 A is outside"),
        (
            sweep(temperature_program=SWEEP | {"rate_k_per_min": 25.0}),
            "temperature rate = 25 K/min is outside",
        ),
    ):
        with pytest.raises(LimitError, match=words):
            list(measurement.points(station, clock))
    assert station.cryostat.t.commands + station.cryostat.h.commands + station.the_bridge.diary == []


def test_a_dip_probe_without_magnet_measures_at_no_field(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    station.magnet = None
    points = points_of(list(sweep().points(station, clock)))
    assert all(math.isnan(point.field) and math.isnan(point.field_setpoint) for point in points)
    with pytest.raises(ConfigurationError, match="the station has no magnet"):
        list(sweep(field_oe=10.0).points(station, clock))


def test_an_unknown_wiring_is_named(clock: VirtualClock, make_station: MakeStation) -> None:
    with pytest.raises(ConfigurationError, match="no wiring 'flim'"):
        list(sweep(wiring="flim").points(make_station(), clock))


def test_a_row_has_the_columns_of_the_plan_and_plain_values(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = isotherms(temperatures=[5.0])
    point = points_of(list(measurement.points(make_station(), clock)))[0]
    row = row_of(point)
    assert list(row) == measurement.DATA_COLUMNS
    assert row["Status"] == "0x1141"
    assert row["Reversal readings"].count(";") == 3  # type: ignore[union-attr]
    assert row["Time UTC"].startswith("2026-01-01T00:0")  # type: ignore[union-attr]
    texts = [value for value in row.values() if isinstance(value, str)]
    assert not any(mark in text for text in texts for mark in ',#"\n')


def test_the_estimate_is_near_the_time_taken(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = isotherms(average=10)
    station = make_station(kelvin=5.0, oersted=-500.0)
    list(measurement.points(station, clock))
    assert measurement.duration_s() == pytest.approx(clock.now(), rel=0.25)
    began = clock.now()
    swept = sweep(both_directions=True)
    list(swept.points(make_station(kelvin=20.0), clock))
    assert swept.duration_s() == pytest.approx(clock.now() - began, rel=0.25)


def test_labels_name_what_a_run_holds_fixed() -> None:
    assert isotherms().label() == "5K-7K"
    assert isotherms(temperatures=[4.2]).label() == "4.2K"
    assert sweep(field_oe=-0.0).label() == "0Oe"
    assert sweep(field_oe=90000).label() == "90000Oe"


def test_a_metal_has_an_even_part_alone(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=5.0, oersted=-500.0, ohms=lambda _, h: 2.0 + 1e-7 * h * h + 1e-4 * h)
    measurement = isotherms(temperatures=[5.0, 6.0])
    frame = pd.DataFrame([row_of(point) for point in points_of(list(measurement.points(station, clock)))])
    table = measurement.derived(frame)["symmetrised"]
    assert set(table["Temperature setpoint (K)"]) == {5.0, 6.0}
    row = table[(table["Field (Oe)"] > 400) & (table["Temperature setpoint (K)"] == 6.0)].iloc[0]
    assert row["Resistance even (ohm)"] == pytest.approx(2.025)
    assert row["Resistance odd (ohm)"] == pytest.approx(0.05)


def test_an_isotherm_that_was_left_early_is_not_symmetrised(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0, oersted=-500.0)
    measurement = isotherms(temperatures=[5.0, 6.0])
    points = points_of(list(measurement.points(station, clock)))
    frame = pd.DataFrame([row_of(point) for point in points[:-2]])
    assert set(measurement.derived(frame)["symmetrised"]["Temperature setpoint (K)"]) == {5.0}
    assert list(measurement.derived(frame[:2])["symmetrised"]) == list(
        measurement.derived(frame)["symmetrised"]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"symmetrise": "false"},
        {"both_directions": False},
        {"field_program": {"setpoints_oe": [0.0, 500.0]}},
        {"field_program": {"setpoints_oe": [0.0]}},
    ],
)
def test_fields_without_partners_give_no_symmetrised_table(change: dict[str, Any]) -> None:
    assert isotherms(**change).derived(pd.DataFrame()) == {}
    with pytest.raises(ValueError, match="does not go both ways over a range symmetric about 0 Oe"):
        isotherms(**(change | {"symmetrise": "true", "both_directions": False}))
