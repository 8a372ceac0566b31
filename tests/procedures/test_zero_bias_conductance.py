"""dI/dV at zero bias against temperature: fields, sweeps, the reference, and where it goes on."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, LimitError
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.zero_bias_conductance import ZeroBiasConductance
from tests.procedures.conftest import FakeStation
from tests.procedures.fake_meters import FakeConductanceMeter

MakeStation = Callable[..., Any]
SWEEP = {"sweep_k": [5.0, 20.0], "rate_k_per_min": 3.0, "every_s": 5.0}


def zero_bias(**more: Any) -> ZeroBiasConductance:
    given: dict[str, Any] = {
        "wiring": "film",
        "temperature_program": {"setpoints_k": [5.0, 8.0, 11.0]},
        "fields_oe": [0.0, 1000.0],
    }
    return ZeroBiasConductance(**(given | more))


def contact(station: FakeStation) -> FakeConductanceMeter:
    meter = FakeConductanceMeter(station, lambda _, kelvin, __: 0.2 - 1e-3 * kelvin)
    station.meters["conductance"] = meter
    return meter


def points_of(items: list[Point | Event]) -> list[ConductancePoint]:
    return [item for item in items if isinstance(item, ConductancePoint)]


def stored(points: list[ConductancePoint]) -> pd.DataFrame:
    return pd.DataFrame([row_of(point) for point in points if not point.rejected])


def prepared(items: list[Point | Event]) -> list[str]:
    return [item.message for item in items if isinstance(item, Event) and item.message.startswith("warm to")]


def test_each_field_has_its_curve(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = contact(station)
    measurement = zero_bias(both_directions=True)
    points = points_of(list(measurement.points(station, clock)))
    assert [(p.temperature_setpoint, p.field_setpoint, p.direction, p.curve) for p in points] == [
        (s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()
    ]
    assert [p.curve for p in points] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert {(p.branch, p.bias_setpoint, p.rejected) for p in points} == {("zero_bias", 0.0, "")}
    assert [entry[0] for entry in meter.diary].count("start") == 2
    assert meter.diary[-1] == ("stop",)


def test_the_reference_is_one_point_of_each_field(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contact(station)
    measurement = zero_bias(normal_at_k=45.0)
    points = points_of(list(measurement.points(station, clock)))
    assert [p.branch for p in points] == (["normal"] + ["zero_bias"] * 3) * 2
    assert [p.temperature_setpoint for p in points[::4]] == [45.0, 45.0]
    assert [p.curve for p in points] == [1, 2, 2, 2, 3, 4, 4, 4]


def test_a_sweep_takes_points_on_the_way(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contact(station)
    measurement = zero_bias(temperature_program=SWEEP, both_directions=True)
    points = points_of(list(measurement.points(station, clock)))
    assert {(p.curve, p.direction, p.field_setpoint) for p in points} == {
        (1, "warming", 0.0),
        (2, "cooling", 0.0),
        (3, "warming", 1000.0),
        (4, "cooling", 1000.0),
    }
    assert all(math.isnan(p.temperature_setpoint) for p in points)
    assert len(points) == pytest.approx(len(measurement.setpoints()), abs=8)
    for point in points:
        assert point.conductance == pytest.approx(0.2 - 1e-3 * point.temperature, rel=1e-3)


def test_below_the_transition_each_field_begins_with_a_preparation(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contact(station)
    items = list(zero_bias(path_below_k=40.0, normal_at_k=60.0, both_directions=True).points(station, clock))
    assert prepared(items) == ["warm to 50 K"] * 2
    falling = zero_bias(path_below_k=10.0, temperature_program={"setpoints_k": [11.0, 8.0, 5.0]})
    assert prepared(list(falling.points(station, clock))) == []


def test_a_silent_meter_leaves_a_point_without_numbers(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station)

    def silent(*_: float) -> float:
        raise CommunicationError("the fake does not answer")

    items = zero_bias().points(station, clock)
    next(item for item in items if isinstance(item, ConductancePoint))
    meter.siemens = silent
    last = next(item for item in items if isinstance(item, ConductancePoint))
    with pytest.raises(CommunicationError, match="the fake does not answer"):
        next(items)
    assert (last.flags, last.rejected, last.bias_setpoint) == ("link", "the fake does not answer", 0.0)
    assert math.isnan(last.conductance)
    assert meter.diary[-1] == ("stop",)


def test_it_goes_on_after_the_last_temperature_from_the_same_side(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contact(station)
    measurement = zero_bias()
    points = points_of(list(measurement.points(station, clock)))
    assert measurement.take_up(stored(points)) is None
    left = measurement.take_up(stored(points[:2]))
    assert left is not None
    assert (left.rule, left.curve, left.done) == ("free", 1, 2)
    since = len(station.cryostat.t.commands)
    again = points_of(list(measurement.points(station, clock, left)))
    assert [(p.temperature_setpoint, p.curve) for p in again] == [(11.0, 1), (5.0, 2), (8.0, 2), (11.0, 2)]
    assert [command[0] for command in station.cryostat.t.commands[since:]][:2] == [8.0, 11.0]
    assert 0 < left.cost_s < measurement.remaining_s(left)


def test_a_sweep_goes_on_after_a_run_up(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contact(station)
    measurement = zero_bias(temperature_program=SWEEP, fields_oe=[0.0])
    points = points_of(list(measurement.points(station, clock)))
    half = points[:40]
    left = measurement.take_up(stored(half))
    assert left is not None
    assert (left.curve, left.done) == (1, 40)
    again = points_of(list(measurement.points(station, clock, left)))
    assert again[0].temperature > half[-1].temperature
    assert again[0].temperature == pytest.approx(half[-1].temperature, abs=0.6)


def test_a_curve_with_a_history_is_measured_again_with_its_field(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contact(station)
    measurement = zero_bias(path_below_k=40.0, normal_at_k=60.0)
    points = points_of(list(measurement.points(station, clock)))
    left = measurement.take_up(stored(points[:7]))
    assert left is not None
    assert (left.rule, left.curve) == ("path", 4)
    assert left.message == (
        "curve 4 at 1000 Oe: measured again from the start, because below 40 K they have a history"
    )
    assert prepared(list(measurement.points(station, clock, left))) == ["warm to 50 K"]
    kept = measurement.take_up(stored(points[:7]), history_kept=True)
    assert kept is not None
    assert (kept.rule, kept.curve, kept.done) == ("free", 4, 2)
    assert prepared(list(measurement.points(station, clock, kept))) == []


def test_limits_and_contradictions_are_refused(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = contact(station)
    fast = SWEEP | {"rate_k_per_min": 30.0}
    with pytest.raises(LimitError, match="temperature rate = 30 K/min is outside"):
        list(zero_bias(temperature_program=fast).points(station, clock))
    with pytest.raises(LimitError, match="temperature rate = 25 K/min is outside"):
        list(zero_bias(temperature_rate_k_per_min=25.0).points(station, clock))
    assert station.cryostat.t.commands + meter.diary == []
    with pytest.raises(ValueError, match="Normal at = 10 K is below 11 K, the highest temperature"):
        zero_bias(normal_at_k=10.0)
    with pytest.raises(ValueError, match="curves cannot be extended to 30 K"):
        zero_bias().extend(30.0)


def test_the_estimate_is_near_the_time_taken(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=5.0)
    contact(station)
    for measurement in (zero_bias(), zero_bias(temperature_program=SWEEP)):
        began = clock.now()
        list(measurement.points(station, clock))
        assert measurement.duration_s() == pytest.approx(clock.now() - began, rel=0.3)
    assert zero_bias().label() == "0Oe-1000Oe"
