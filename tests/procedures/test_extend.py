"""While a program runs its end can be moved further in the same direction."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import Event, Point
from onnes.procedures.programs import extended_field, extended_temperature
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.procedures.transport import ResistancePoint
from tests.procedures.broken_off import points_of

MakeStation = Callable[..., Any]

SWEPT_K = {"sweep_k": [20.0, 22.0], "rate_k_per_min": 2.0, "every_k": 0.1}


def against_temperature(program: dict[str, Any], **more: Any) -> ResistanceVsTemperature:
    return ResistanceVsTemperature(wiring="film", average=4, temperature_program=program, **more)


def against_field(program: dict[str, Any], **more: Any) -> ResistanceVsField:
    return ResistanceVsField(wiring="film", average=4, temperatures=[5.0, 6.0], field_program=program, **more)


def extended_after(
    count: int, end: float, measurement: ResistanceMeasurement, station: Any, clock: VirtualClock
) -> list[Point | Event]:
    items: list[Point | Event] = []
    for item in measurement.points(station, clock):
        items.append(item)
        if isinstance(item, ResistancePoint) and len(points_of(items)) == count:
            measurement.extend(end)
    return items


def test_steps_go_on_with_the_last_width(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = against_temperature({"setpoints_k": [20.0, 20.4, 20.6]}, both_directions=True)
    points = points_of(extended_after(3, 21.05, measurement, make_station(20.0), clock))
    there = [20.0, 20.4, 20.6, 20.8, 21.0]
    assert [p.temperature_setpoint for p in points] == there + there[::-1]
    assert [s.temperature_k for s in measurement.setpoints()] == there + there[::-1]
    assert [p.curve for p in points] == [1] * 5 + [2] * 5


@pytest.mark.parametrize("count", [1, 10, 18])
def test_a_sweep_goes_on_at_its_rate_and_comes_back_from_the_new_end(
    clock: VirtualClock, make_station: MakeStation, count: int
) -> None:
    measurement = against_temperature(SWEPT_K, both_directions=True)
    station = make_station(20.0)
    items = extended_after(count, 25.0, measurement, station, clock)
    points = points_of(items)
    up = [p.temperature for p in points if p.curve == 1]
    assert max(after - before for before, after in pairwise(up)) < 0.11
    assert up[-1] == pytest.approx(25.0, abs=0.05)
    assert points[-1].temperature == pytest.approx(20.0, abs=0.05)
    swept = [command[:2] for command in station.cryostat.t.commands if command[1] == 2.0]
    assert swept == [(22.0, 2.0), (25.0, 2.0), (20.0, 2.0)]
    messages = [item.message for item in items if isinstance(item, Event) and item.kind == "sweep"]
    assert messages[1] == "temperature sweep from 20 K to 25 K at 2 K/min"
    assert measurement.temperature_program == ('{"sweep_k":[20.0,25.0],"rate_k_per_min":2.0,"every_k":0.1}')


def test_a_field_sweep_goes_on_and_the_next_isotherms_with_it(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    program = {"sweep_oe": [0.0, -2000.0], "rate_oe_per_s": 20.0, "every_s": 10.0}
    measurement = against_field(program, both_directions=False)
    points = points_of(extended_after(5, -3000.0, measurement, make_station(5.0), clock))
    for curve in (1, 2):
        assert [p for p in points if p.curve == curve][-1].field == pytest.approx(-3000.0, abs=1.0)


def test_on_the_way_back_the_end_is_where_it_was(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = against_temperature({"setpoints_k": [20.0, 21.0]}, both_directions=True)
    with pytest.raises(ValueError, match="cannot be extended to 23 K: the way back has begun"):
        extended_after(3, 23.0, measurement, make_station(20.0), clock)
    measurement = against_field({"setpoints_oe": [0.0, 100.0]})
    with pytest.raises(ValueError, match="cannot be extended to 300 Oe: the way back has begun"):
        extended_after(4, 300.0, measurement, make_station(5.0), clock)


def test_what_is_measured_cannot_become_longer(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = against_temperature({"setpoints_k": [20.0, 21.0]})
    list(measurement.points(make_station(20.0), clock))
    with pytest.raises(ValueError, match="cannot be extended to 23 K: it is measured"):
        measurement.extend(23.0)


@pytest.mark.parametrize(
    ("program", "end", "words"),
    [
        (
            {"setpoints_k": [20.0, 21.0]},
            20.5,
            "end = 20.5 K does not lie beyond 21 K, the end of a temperature ",
        ),
        ({"setpoints_k": [20.0, 19.0]}, 25.0, "the end of a temperature program that falls"),
        ({"setpoints_k": [20.0, 21.0]}, 21.5, "end = 21.5 K is less than one step of 1 K beyond 21 K"),
        ({"setpoints_k": [20.0]}, 21.5, "ends with the single value 20 K, which has no direction"),
        (SWEPT_K, 21.0, "end = 21 K does not lie beyond 22 K, the end of a temperature program that rises"),
        (SWEPT_K, float("nan"), "end = nan K does not lie beyond 22 K"),
    ],
)
def test_an_end_that_is_no_extension_is_refused(program: dict[str, Any], end: float, words: str) -> None:
    measurement = against_temperature(program)
    before = measurement.temperature_program
    with pytest.raises(ValueError, match=words):
        measurement.extend(end)
    assert measurement.temperature_program == before


def test_an_end_that_breaks_the_symmetry_asked_for_is_refused() -> None:
    measurement = against_field({"setpoints_oe": [-100.0, 0.0, 100.0]}, symmetrise="true")
    before = measurement.field_program
    with pytest.raises(ValueError, match="does not go both ways over a range symmetric about 0 Oe"):
        measurement.extend(200.0)
    assert measurement.field_program == before


def test_steps_do_not_creep() -> None:
    assert extended_temperature('{"setpoints_k":[0.0,0.1]}', 0.7) == (
        '{"setpoints_k":[0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7]}'
    )
    assert extended_field('{"setpoints_oe":[100.0,0.0]}', -250.0) == (
        '{"setpoints_oe":[100.0,0.0,-100.0,-200.0]}'
    )
