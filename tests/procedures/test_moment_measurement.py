"""A program is handed over, somebody starts it, and its rows become points: good days and bad ones."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pymeasure.experiment import Procedure, Results, Worker

from onnes.instruments.clock import VirtualClock, virtual_time
from onnes.instruments.errors import CommunicationError, ConfigurationError, InstrumentFault
from onnes.instruments.moments import MeasureMoment
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.moment_measurement import MomentMeasurement
from onnes.procedures.moment_point import MomentPoint
from onnes.procedures.take_up import TakeUp
from tests.procedures.fake_magnetometer import FOLDER, FakeMagnetometer, MomentStation
from tests.procedures.test_moment_programs import loop, virgin, zfc_fc


@pytest.fixture
def machine(clock: VirtualClock) -> FakeMagnetometer:
    return FakeMagnetometer(clock)


def items_of(
    measurement: MomentMeasurement, machine: FakeMagnetometer, take_up: TakeUp | None = None
) -> Iterator[Point | Event]:
    station: Any = MomentStation(machine)
    return measurement.points(station, machine.clock, take_up)


def points_of(measurement: MomentMeasurement, machine: FakeMagnetometer) -> list[MomentPoint]:
    return [item for item in items_of(measurement, machine) if isinstance(item, MomentPoint)]


def stored(points: list[MomentPoint]) -> pd.DataFrame:
    return pd.DataFrame([row_of(point) for point in points if not point.rejected])


def plan_of(points: list[MomentPoint]) -> list[tuple[float, float, str, int]]:
    return [(p.temperature_setpoint, p.measuring_field, p.direction, p.curve) for p in points]


def planned(measurement: MomentMeasurement) -> list[tuple[float, float, str, int]]:
    return [(s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()]


def left_after(points: list[MomentPoint], measurement: MomentMeasurement) -> TakeUp:
    found = measurement.take_up(stored(points))
    if found is None:
        raise ValueError("everything is measured")
    return found


# -- a good night


@pytest.mark.parametrize("measurement", [zfc_fc(fields_oe=[5.0, -5.0]), virgin(), loop()])
def test_every_planned_moment_becomes_a_point(
    measurement: MomentMeasurement, machine: FakeMagnetometer
) -> None:
    points = points_of(measurement, machine)
    assert plan_of(points) == planned(measurement)
    assert not any(point.rejected for point in points)
    name = measurement.program().name
    assert machine.diary == [
        ("check", name),
        ("hand_over", name),
        ("follow", name),
        ("let_go", "ended"),
    ]


def test_a_point_has_the_field_at_the_sample_beside_what_the_machine_says(machine: FakeMagnetometer) -> None:
    point = points_of(zfc_fc(), machine)[0]
    assert (point.measuring_field, point.field_setpoint, point.field) == (5.0, 3.5, 3.6)
    assert point.field_corrected == pytest.approx(5.1)
    assert point.field_corrected_error == 0.1
    assert (point.branch, point.fit_used, point.time_utc[:10]) == ("zfc", "fixed", "2026-01-01")


def test_an_estimate_leaves_the_field_as_reported_with_its_bound(machine: FakeMagnetometer) -> None:
    point = points_of(zfc_fc(fields_oe=[1000.0], residual={"bound_oe": 5.0}), machine)[0]
    assert (point.field_corrected, point.field_corrected_error) == (1000.1, 5.0)


def test_past_its_virgin_leg_nobody_knows_the_residual_of_a_loop(machine: FakeMagnetometer) -> None:
    points = points_of(loop(temperatures=[5.0]), machine)
    assert points[2].field_corrected == pytest.approx(1000.1)
    assert points[3].field_corrected == points[3].field == 500.1
    assert [math.isnan(point.field_corrected_error) for point in points] == [False] * 3 + [True] * 8


def test_a_point_says_how_long_the_field_has_been_at_rest(machine: FakeMagnetometer) -> None:
    points = points_of(zfc_fc(), machine)
    assert points[0].since_field_change == 60.0
    assert points[1].since_field_change == pytest.approx(60.0 + points[1].time_stamp - points[0].time_stamp)
    assert points[-1].since_field_change > 1000.0
    steps = points_of(virgin(temperatures=[5.0], wait_s=12.0), machine)
    assert [point.since_field_change for point in steps[1:]] == [12.0, 12.0]


def test_the_gate_and_the_file_to_start_are_told_first(machine: FakeMagnetometer) -> None:
    gate, hand_over = list(items_of(zfc_fc(), machine))[:2]
    assert isinstance(gate, Event)
    assert gate.kind == "residual_field"
    assert gate.message.startswith("residual field 1.5 +- 0.1 Oe (a calibration): 0.2 Oe")
    assert gate.values["approach"] == "oscillate"
    assert isinstance(hand_over, Event)
    assert (hand_over.kind, hand_over.message) == (
        "hand_over",
        "start onnes-start-zfc-fc_5Oe.seq in MultiVu",
    )
    assert hand_over.values["runbook"] == str(FOLDER / "zfc-fc_5Oe.txt")


def test_what_was_handed_over_with_others_is_only_followed(machine: FakeMagnetometer) -> None:
    measurement = zfc_fc()
    measurement.handed_over = True
    assert plan_of(points_of(measurement, machine)) == planned(measurement)
    assert [what for what, _ in machine.diary] == ["follow", "let_go"]


def test_somebody_may_start_it_late(machine: FakeMagnetometer) -> None:
    machine.operator_s = 3600.0
    assert len(points_of(zfc_fc(), machine)) == 9


def test_everything_may_take_longer_than_was_expected(machine: FakeMagnetometer) -> None:
    machine.slowness = 1.4
    assert len(points_of(loop(), machine)) == 22


def test_it_says_whether_it_waits_for_somebody_or_for_a_row_and_how_long(machine: FakeMagnetometer) -> None:
    measurement = zfc_fc()
    said: list[str] = []

    def listen() -> None:
        if measurement.watch is not None:
            said.append(measurement.watch.waiting())

    machine.clock.attend(listen)
    points_of(measurement, machine)
    assert said[0] == "waiting for somebody to start onnes-start-zfc-fc_5Oe.seq in MultiVu"
    assert "waiting for the row at 45 K, 3.5 Oe (expected in 1 min)" in said
    said.clear()
    measurement.handed_over, measurement.start, machine.slowness = True, None, 1.2
    points_of(measurement, machine)
    assert said[1].startswith("waiting for the row at 2 K, 3.5 Oe (expected in 3")
    assert any("ago)" in text for text in said)


# -- bad ones


def test_a_program_that_nobody_starts_is_a_fault(machine: FakeMagnetometer) -> None:
    machine.operator_s = 1e6
    with pytest.raises(
        InstrumentFault,
        match=r"zfc-fc_5Oe\.dat is not there, so onnes-start-zfc-fc_5Oe\.seq was not started; the row at 2"
        r" K, 3\.5 Oe has not come for \d+ s, and \d+ s is the longest for it; look at MultiVu; when",
    ):
        points_of(zfc_fc(), machine)
    assert machine.diary[-1] == ("let_go", "broken off")
    first, usual = zfc_fc().program().moments()[0].expected_s, zfc_fc().program().point_s
    allowed = 3600.0 + 3.0 * usual + 1.5 * (first - usual)
    assert allowed < machine.clock.now() <= allowed + 5.0


def test_a_file_that_was_to_follow_another_and_does_not_is_a_fault(machine: FakeMagnetometer) -> None:
    machine.operator_s = 1e6
    measurement = zfc_fc()
    measurement.handed_over = True
    with pytest.raises(InstrumentFault, match=r"zfc-fc_5Oe\.dat is not there; the row at"):
        points_of(measurement, machine)


def test_a_file_that_stops_growing_is_a_fault_that_names_its_last_row(machine: FakeMagnetometer) -> None:
    machine.stops_after = 2
    found: list[Point | Event] = []
    with pytest.raises(
        InstrumentFault,
        match=r"zfc-fc_5Oe\.dat has stopped growing at 200 bytes, the last row at 20 K, 3\.5 Oe; the row at",
    ):
        found.extend(items_of(zfc_fc(), machine))
    assert machine.diary[-1] == ("let_go", "broken off")


def test_a_file_without_a_row_says_so(machine: FakeMagnetometer) -> None:
    machine.stops_after = 0
    with pytest.raises(
        InstrumentFault, match=r"stopped growing at 0 bytes, no row of the program; the row at 2 K"
    ):
        points_of(zfc_fc(), machine)


def test_a_missing_row_leaves_a_gap_and_a_remark(machine: FakeMagnetometer) -> None:
    machine.missing = frozenset({1})
    items = list(items_of(zfc_fc(), machine))
    points = [item for item in items if isinstance(item, MomentPoint)]
    assert plan_of(points) == [row for n, row in enumerate(planned(zfc_fc())) if n != 1]
    remarks = [item for item in items if isinstance(item, Event) and item.kind == "magnetometer"]
    assert [remark.message for remark in remarks] == ["row 1 is missing"]


def test_the_last_row_missing_is_a_stall(machine: FakeMagnetometer) -> None:
    machine.missing = frozenset({8})
    with pytest.raises(InstrumentFault, match=r"the row at 45 K, 3\.5 Oe has not come"):
        points_of(zfc_fc(), machine)


def test_a_row_off_its_setpoint_does_not_count_and_a_poor_fit_does(machine: FakeMagnetometer) -> None:
    machine.flags_of = {0: ("off_setpoint",), 1: ("poor_fit",), 2: ("poor_fit", "range")}
    points = points_of(zfc_fc(), machine)
    assert [point.rejected for point in points[:4]] == ["off_setpoint", "", "range", ""]
    assert [point.flags for point in points[:3]] == ["off_setpoint", "poor_fit", "poor_fit,range"]


def test_a_row_without_a_moment_does_not_count(machine: FakeMagnetometer) -> None:
    machine.blank = frozenset({1})
    assert [point.rejected for point in points_of(zfc_fc(), machine)[:3]] == ["", "moment is nan emu", ""]


def test_a_folder_that_is_away_for_a_while_is_told_once_and_costs_nothing(machine: FakeMagnetometer) -> None:
    undisturbed = points_of(zfc_fc(), FakeMagnetometer(VirtualClock()))
    machine.unreadable = (2500.0, 3300.0)
    items = list(items_of(zfc_fc(), machine))
    points = [item for item in items if isinstance(item, MomentPoint)]
    assert [point.time_stamp for point in points] == [point.time_stamp for point in undisturbed]
    told = [item.message for item in items if isinstance(item, Event) and item.kind == "magnetometer"]
    assert told == [
        "zfc-fc_5Oe.dat cannot be looked at, while MultiVu goes on: multivu/a.dat cannot be read: the "
        "network path was not found",
        "zfc-fc_5Oe.dat can be looked at again, after 800 s",
    ]


def test_while_its_folder_is_away_a_row_may_be_missed_for_a_quarter_of_an_hour(
    machine: FakeMagnetometer,
) -> None:
    machine.unreadable = 2500.0, math.inf
    with pytest.raises(
        CommunicationError, match=r"zfc-fc_5Oe\.dat cannot be followed, for .* min now: multivu/a\.dat cannot"
    ):
        points_of(zfc_fc(), machine)
    assert machine.diary[-1] == ("let_go", "broken off")
    assert machine.clock.now() >= 2500.0 + 900.0


def test_only_the_first_of_a_stretch_waits_for_somebody(machine: FakeMagnetometer) -> None:
    machine.operator_s = 4500.0
    measurement = zfc_fc()
    measurement.handed_over, measurement.start = True, FOLDER / "onnes-start-a.seq"
    assert len(points_of(measurement, machine)) == 9
    measurement.start = None
    with pytest.raises(InstrumentFault, match=r"zfc-fc_5Oe\.dat is not there; the row at"):
        points_of(measurement, machine)


def test_a_program_that_follows_another_comes_from_where_that_ends() -> None:
    measurement = zfc_fc()
    alone = measurement.program()
    measurement.after = MeasureMoment(300.0, 70_000.0, 1, "up", 60.0)
    program = measurement.program()
    done = [[step for step in p.steps if not isinstance(step, MeasureMoment)] for p in (alone, program)]
    assert done[0] == done[1]
    first, second, *_ = alone.moments()
    # From 300 K to 49 K instead of from 2 K, and from 7 T to the 1 T it is degaussed from, not from 0.
    later_s = (251.0 - 47.0) / 10.0 * 60.0 + (60_000.0 - 10_000.0) / 100.0
    assert program.moments()[0].expected_s == pytest.approx(first.expected_s + later_s)
    assert program.moments()[1].expected_s == pytest.approx(second.expected_s)


def test_a_magnetometer_that_is_not_there_is_refused(machine: FakeMagnetometer) -> None:
    with pytest.raises(ConfigurationError, match="no magnetometer 'squid'"):
        points_of(zfc_fc(magnetometer="squid"), machine)


def test_the_residual_is_gated_again_when_it_begins(machine: FakeMagnetometer) -> None:
    measurement = zfc_fc()
    measurement.residual = '{"from":"estimate","bound_oe":5.0}'
    with pytest.raises(
        ValueError, match=r"at most 5 Oe \(an estimate\): 5 Oe \(bound\) is 1 of the measuring"
    ):
        points_of(measurement, machine)
    assert machine.diary == []


# -- broken off


def taken(measurement: MomentMeasurement, count: int) -> list[MomentPoint]:
    """Return the first ``count`` points of a night of its own."""
    return points_of(measurement, FakeMagnetometer(VirtualClock()))[:count]


@pytest.mark.parametrize(
    ("curves", "count", "curve", "says"),
    [
        (["zfc", "fcc", "fcw"], 0, 1, "from the start"),
        (
            ["zfc", "fcc", "fcw"],
            2,
            1,
            "curve 1 from ZFC 5 Oe on: prepared from 49 K and measured from the start",
        ),
        (["zfc", "fcc", "fcw"], 3, 2, "curve 2 from FCC 5 Oe on: warmed to 49 K in the field, cooled and"),
        (["zfc", "fcc", "fcw"], 5, 2, "curve 2 from FCC 5 Oe on"),
        (["zfc", "fcc", "fcw"], 6, 2, "curves 2 to 3 from FCC 5 Oe on: warmed to 49 K in the field"),
        (["zfc", "fcc", "fcw"], 8, 2, "curves 2 to 3 from FCC 5 Oe on"),
        (["zfc", "fcw"], 4, 2, "curve 2 from FCW 5 Oe on: warmed to 49 K in the field, cooled and measured"),
        (["fcc", "fcw"], 4, 1, "curves 1 to 2 from FCC 5 Oe on: prepared from 49 K"),
    ],
)
def test_zfc_fc_is_taken_up_by_the_history_of_its_curves(
    curves: list[str], count: int, curve: int, says: str
) -> None:
    measurement = zfc_fc(curves=curves)
    found = left_after(taken(measurement, count), measurement)
    assert (found.rule, found.curve, found.done) == ("path", curve, 0)
    assert found.message.startswith(says)


@pytest.mark.parametrize(
    ("count", "curve"), [(1, 1), (3, 1), (7, 1), (10, 1), (11, 6), (12, 6), (15, 6), (21, 6)]
)
def test_a_loop_is_measured_again_at_its_temperature_alone(count: int, curve: int) -> None:
    found = left_after(taken(loop(), count), loop())
    assert (found.rule, found.curve) == ("path", curve)


@pytest.mark.parametrize(("count", "curve"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_a_virgin_curve_is_measured_again_at_its_temperature_alone(count: int, curve: int) -> None:
    assert left_after(taken(virgin(), count), virgin()).curve == curve


@pytest.mark.parametrize("measurement", [zfc_fc(fields_oe=[5.0, -5.0]), virgin(), loop()])
def test_what_counts_of_two_attempts_is_each_planned_moment_once(
    measurement: MomentMeasurement, machine: FakeMagnetometer
) -> None:
    for count in range(1, len(measurement.setpoints())):
        before = taken(measurement, count)
        take_up = left_after(before, measurement)
        items = items_of(measurement, machine, take_up)
        after = [item for item in items if isinstance(item, MomentPoint)]
        kept = [point for point in before if point.curve < take_up.curve]
        assert plan_of(kept + after) == planned(measurement)


@pytest.mark.parametrize("measurement", [zfc_fc(), virgin(), loop()])
def test_a_complete_measurement_is_not_taken_up(
    measurement: MomentMeasurement, machine: FakeMagnetometer
) -> None:
    assert measurement.take_up(stored(points_of(measurement, machine))) is None


def test_a_take_up_costs_what_is_done_again() -> None:
    measurement = zfc_fc()
    whole, rows = measurement.duration_s(), measurement.program().moments()
    done_s = sum(row.expected_s for row in rows[:2])
    assert left_after(taken(measurement, 2), measurement).cost_s == pytest.approx(done_s)
    fcc = left_after(taken(measurement, 4), measurement)
    assert 0.0 < fcc.cost_s < measurement.remaining_s(fcc) < whole
    assert left_after([], measurement).cost_s == 0.0


def test_rows_of_another_program_are_refused() -> None:
    points = taken(zfc_fc(), 2)
    with pytest.raises(
        ValueError, match=r"the last stored point, at 20 K, 5 Oe in curve 1, is none of the pro"
    ):
        zfc_fc(temperatures=[2.0, 30.0]).take_up(stored(points))


# -- stock PyMeasure


def test_a_stock_worker_stores_the_moments(
    tmp_path: Path, clock: VirtualClock, machine: FakeMagnetometer
) -> None:
    class VirtualWorker(Worker):
        def run(self) -> None:
            with virtual_time(clock):
                super().run()

    station: Any = MomentStation(machine)
    measurement = zfc_fc()
    measurement.clock, measurement.station = clock, station
    worker = VirtualWorker(Results(measurement, str(tmp_path / "data.csv")), port=None)
    worker.start()
    worker.join(60)
    assert worker.procedure.status == Procedure.FINISHED
    found = Results.load(str(tmp_path / "data.csv"))
    assert list(found.data["Moment (emu)"]) == [-1e-3] * 9
    assert list(found.data["Branch"]) == ["zfc"] * 3 + ["fcc"] * 3 + ["fcw"] * 3
    assert station.calls == ["safe_state", "close"]
    for name, parameter in measurement.parameter_objects().items():
        assert found.parameters[name].value == parameter.value, name
