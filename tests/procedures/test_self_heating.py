"""R at the current against R at half of it: an event, a flag on every point, and no silence after a break."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, LimitError
from onnes.instruments.protocols import Resistance
from onnes.instruments.records import Event, Point
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from tests.procedures.broken_off import points_of, stored
from tests.procedures.conftest import FakeBridge

MakeStation = Callable[..., Any]
AMPS = 1e-4


@dataclass
class WarmSample(FakeBridge):
    """A resistance that the current changes by ``heats`` of it, with an error of 1e-6 ohm."""

    heats: float = 0.0

    def measure(self, readings: int) -> Resistance:
        found = super().measure(readings)
        ohms = found.resistance * (1.0 + self.heats * (found.current / AMPS) ** 2)
        return replace(found, resistance=ohms)


def isotherms(**more: Any) -> ResistanceVsField:
    given: dict[str, Any] = {
        "wiring": "film",
        "current_a": AMPS,
        "temperatures": [6.0, 5.0],
        "order": "as_written",
        "field_program": {"setpoints_oe": [0.0, 500.0]},
        "both_directions": False,
    }
    return ResistanceVsField(**(given | more))


def curve(program: dict[str, Any], **more: Any) -> ResistanceVsTemperature:
    return ResistanceVsTemperature(wiring="film", current_a=AMPS, temperature_program=program, **more)


def sample(station: Any, heats: float) -> WarmSample:
    found = WarmSample(station, lambda _, __: 1.0, heats=heats)
    station.bridges[""] = found
    return found


def checks(items: list[Point | Event]) -> list[Event]:
    return [item for item in items if isinstance(item, Event) and item.kind == "self_heating"]


def test_isotherms_begin_with_a_check_at_the_lowest_temperature(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    bridge = sample(station, heats=0.0)
    items = list(isotherms().points(station, clock))
    (event,) = checks(items)
    assert event.message == (
        "R(0.0001 A) = 1 ohm and R(5e-05 A) = 1 ohm at 5 K, +0 ohm apart with a standard error of 6.3e-07 "
        "ohm and a drift of 0 ohm, agree"
    )
    assert (event.values["is_heated"], event.values["temperature_k"]) == (False, 5.0)
    assert items.index(event) < items.index(points_of(items)[0])
    starts = [entry for entry in bridge.diary if entry[0] != "measure"]
    assert [entry[1] for entry in starts if entry[0] == "start"] == [5e-5, AMPS, 5e-5, AMPS]
    assert {point.flags for point in points_of(items)} == {""}


def test_a_heated_sample_is_flagged_at_every_point_and_goes_on(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    sample(station, heats=1e-4)
    items = list(isotherms().points(station, clock))
    (event,) = checks(items)
    assert event.values["is_heated"] is True
    assert "differ: every point from now on is flagged self_heating" in event.message
    assert event.values["resistance_ohm"] - event.values["half_ohm"] == pytest.approx(0.75e-4, rel=1e-6)
    assert {(point.flags, point.rejected) for point in points_of(items)} == {("self_heating", "")}


def test_a_heated_sample_stays_flagged_after_a_break(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    sample(station, heats=1e-4)
    measurement = isotherms()
    rows = points_of(list(measurement.points(station, clock)))[:2]
    left = isotherms().take_up(stored(rows))
    assert left is not None
    assert left.flags == ("self_heating",)
    again = list(isotherms().points(station, clock, left))
    assert checks(again) == []
    assert {point.flags for point in points_of(again)} == {"self_heating"}


def test_a_break_before_the_first_point_leaves_the_check_to_be_made(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    sample(station, heats=1e-4)
    for measurement in (isotherms(), curve({"setpoints_k": [5.0, 6.0]})):
        start = measurement.take_up(pd.DataFrame())
        assert start is not None
        assert start.flags == ()
        items = list(measurement.points(station, clock, start))
        assert len(checks(items)) == 1
        assert {point.flags for point in points_of(items)} == {"self_heating"}


def test_a_drift_of_the_resistance_is_no_heating(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    sample(station, heats=0.0).ohms = lambda _, __: 1.0 + 1e-6 * clock.now()
    (event,) = checks(list(isotherms().points(station, clock)))
    assert event.values["is_heated"] is False
    assert event.values["drift_ohm"] > 1e-6


def test_what_cannot_be_compared_is_flagged(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    sample(station, heats=math.nan)
    (event,) = checks(list(isotherms().points(station, clock)))
    assert event.values["is_heated"] is True


@pytest.mark.parametrize(
    ("program", "both", "before"),
    [
        ({"setpoints_k": [5.0, 6.0, 7.0]}, False, 0),  # begins at its lowest temperature
        ({"setpoints_k": [7.0, 6.0, 5.0]}, True, 3),  # turns there
        ({"setpoints_k": [7.0, 6.0, 5.0]}, False, 3),  # ends there
        ({"setpoints_k": [6.0, 5.0, 7.0]}, False, 2),
    ],
)
def test_a_curve_is_checked_where_it_comes_to_its_lowest_temperature(
    clock: VirtualClock, make_station: MakeStation, program: dict[str, Any], both: bool, before: int
) -> None:
    station = make_station()
    sample(station, heats=1e-4)
    items = list(curve(program, both_directions=both).points(station, clock))
    (event,) = checks(items)
    assert event.values["temperature_k"] == 5.0
    flags = [point.flags for point in points_of(items)]
    assert flags == [""] * before + ["self_heating"] * (len(flags) - before)


def test_a_sweep_is_checked_at_rest_at_its_lowest_end(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=8.0)
    sample(station, heats=1e-4)
    program = {"sweep_k": [8.0, 5.0], "rate_k_per_min": 2.0, "every_s": 5.0}
    measurement = curve(program, both_directions=True)
    items = list(measurement.points(station, clock))
    (event,) = checks(items)
    assert event.values["temperature_k"] == 5.0
    assert {(point.curve, point.flags) for point in points_of(items)} == {(1, ""), (2, "self_heating")}
    assert measurement.duration_s() == pytest.approx(clock.now(), rel=0.3)


def test_it_can_be_left_out(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    sample(station, heats=1e-4)
    assert checks(list(isotherms(self_heating_check=False).points(station, clock))) == []


def test_half_a_current_that_cannot_be_driven_is_refused_first(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    bridge = sample(station, heats=0.0)
    with pytest.raises(LimitError, match="half the current = 5e-10 A is outside"):
        list(isotherms(current_a=1e-9).points(station, clock))
    assert bridge.diary == []


def test_a_check_that_the_connection_does_not_allow_is_told_and_ends_nothing(
    clock: VirtualClock, make_station: MakeStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    bridge = sample(station, heats=0.1)
    measure, count = bridge.measure, iter(range(1000))

    def noisy(readings: int) -> Resistance:
        if next(count) == 2:
            raise CommunicationError("the meter gives no usable answer")
        return measure(readings)

    monkeypatch.setattr(bridge, "measure", noisy)
    items = list(isotherms().points(station, clock))
    (event,) = checks(items)
    assert event.message == "self-heating was not checked: the meter gives no usable answer"
    assert event.values == {"is_heated": None}
    assert [point.flags for point in points_of(items)] == [""] * 4
