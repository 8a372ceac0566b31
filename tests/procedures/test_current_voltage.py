"""V(I): where a curve stops, quench and open contacts, and where it goes on."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, ContactError, LimitError
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.current_voltage import CurrentVoltage
from onnes.procedures.current_voltage_point import CurrentVoltagePoint
from tests.procedures.conftest import FakeStation
from tests.procedures.fake_meters import FakeCurrentVoltageMeter

MakeStation = Callable[..., Any]


def power_law(amps: float, kelvin: float, oersted: float) -> float:
    """Return the voltage with a critical current that falls with temperature and field."""
    critical_a = 5e-3 * (1.0 - kelvin / 40.0) / (1.0 + abs(oersted) / 1e4)
    return 3e-7 * math.pow(amps / critical_a, 20.0)


def curves(**more: Any) -> CurrentVoltage:
    given: dict[str, Any] = {
        "wiring": "film",
        "temperatures": [5.0, 20.0],
        "fields_oe": [0.0, 1e4],
        "currents_a": [0.0, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3],
    }
    return CurrentVoltage(**(given | more))


def bridge(station: FakeStation, **more: Any) -> FakeCurrentVoltageMeter:
    meter = FakeCurrentVoltageMeter(station, power_law, **more)
    station.meters["current_voltage"] = meter
    return meter


def points_of(items: list[Point | Event]) -> list[CurrentVoltagePoint]:
    return [item for item in items if isinstance(item, CurrentVoltagePoint)]


def stored(points: list[CurrentVoltagePoint]) -> pd.DataFrame:
    return pd.DataFrame([row_of(point) for point in points if not point.rejected])


def test_each_curve_ends_where_the_voltage_is_too_large(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = bridge(station)
    items = list(curves().points(station, clock))
    points = points_of(items)
    ends = {p.curve: p for p in points if p.rejected}
    assert {number: (p.current, p.rejected) for number, p in ends.items()} == {
        1: (5e-3, "quench"),
        2: (3e-3, "quench"),
        3: (3e-3, "quench"),
        4: (2e-3, "quench"),
    }
    assert all(p.voltage < 3e-6 for p in points if not p.rejected)
    told = [item for item in items if isinstance(item, Event) and item.kind == "quench"]
    where, what = told[1].message.split(": ")
    assert where == "curve 2 at 5 K, 10000 Oe ended at 0.003 A"
    assert what == "the voltage passed 3e-06 V, and the current was taken away"
    after = [
        meter.diary[place + 1] for place, entry in enumerate(meter.diary) if entry[:2] == ("voltage", 5e-3)
    ]
    assert after == [("stop",)]


def test_a_curve_that_stays_below_has_every_current(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = bridge(station)
    measurement = curves(currents_a=[1e-4, 2e-4], pulse_s=5e-3, average=6)
    points = points_of(list(measurement.points(station, clock)))
    assert [(p.temperature_setpoint, p.field_setpoint, p.direction, p.curve) for p in points] == [
        (s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()
    ]
    assert [entry for entry in meter.diary if entry[0] == "start"] == [("start", 2e-4, 5e-3)] * 4
    assert ("voltage", 1e-4, 6) in meter.diary
    assert meter.diary[-1] == ("stop",)


def test_both_polarities_are_told_without_the_emf(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    bridge(station)
    point = points_of(list(curves(temperatures=[5.0], fields_oe=[0.0]).points(station, clock)))[3]
    assert point.current == 4e-3
    assert point.thermal_emf == 1e-6
    assert point.voltage_positive == pytest.approx(power_law(4e-3, 5.0, 0.0), rel=1e-2)
    assert point.voltage_negative == pytest.approx(-power_law(4e-3, 5.0, 0.0), rel=1e-2)
    assert point.voltage_error == pytest.approx(1e-9)
    assert point.readings.count(";") == 2


def test_a_source_in_compliance_without_a_voltage_is_an_open_contact(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = bridge(station)
    items = curves().points(station, clock)
    next(item for item in items if isinstance(item, CurrentVoltagePoint))
    meter.flags = ("compliance",)
    last = next(item for item in items if isinstance(item, CurrentVoltagePoint))
    assert meter.diary[-1] == ("stop",)
    with pytest.raises(
        ContactError,
        match=r"'film' has opened: the source is in compliance at 1 V with 0.002 A, and only 1e-06 V are at",
    ):
        next(items)
    assert last.flags == "compliance;contact_open"


def test_the_compliance_of_a_quench_is_no_open_contact(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = bridge(station)
    meter.volts = lambda amps, _, __: 0.9 if amps > 1e-3 else 0.0
    meter.limited_v = 0.5
    points = points_of(list(curves(temperatures=[5.0], fields_oe=[0.0]).points(station, clock)))
    assert [p.rejected for p in points] == ["", "compliance; quench"]


def test_a_stop_that_the_source_cannot_reach_is_refused(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = bridge(station)
    with pytest.raises(ConfigurationError, match="stops at 1 V, which is not below the compliance of 1 V"):
        list(curves(criterion_v=0.1).points(station, clock))
    with pytest.raises(LimitError, match=r"current = 0.2 A is outside"):
        list(curves(currents_a=[0.1, 0.2]).points(station, clock))
    assert station.cryostat.t.commands + meter.diary == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"currents_a": [1e-3, 1e-3]}, "list them rising from 0 A or above"),
        ({"currents_a": [-1e-3, 1e-3]}, "list them rising from 0 A or above"),
        ({"currents_a": [0.0]}, "no current above 0 A"),
        ({"both_polarities": False}, "measured by reversal of the current"),
    ],
)
def test_what_is_no_curve_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        curves(**more)


def test_what_is_no_voltage_is_rejected(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    bridge(station).volts = lambda *_: math.nan
    points = points_of(list(curves(temperatures=[5.0], fields_oe=[0.0]).points(station, clock)))
    assert {p.rejected for p in points} == {"voltage is nan V"}


def test_an_open_curve_is_measured_again(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    bridge(station)
    measurement = curves(currents_a=[1e-4, 2e-4, 3e-4])
    points = points_of(list(measurement.points(station, clock)))
    assert measurement.take_up(stored(points)) is None
    left = measurement.take_up(stored(points[:5]))
    assert left is not None
    assert (left.rule, left.curve) == ("path", 2)
    assert [p.curve for p in points_of(list(measurement.points(station, clock, left)))] == (
        [2] * 3 + [3] * 3 + [4] * 3
    )
