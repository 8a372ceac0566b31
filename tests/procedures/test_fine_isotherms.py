"""Finer isotherms over a crossing, around where the coarse ones have seen it."""

from collections.abc import Callable
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import Event, Point
from onnes.procedures.fine_isotherms import crossing_oe
from onnes.procedures.fine_pass import CoarsePoint
from onnes.procedures.resistance_vs_field import ResistanceVsField
from tests.procedures.broken_off import points_of, stored

MakeStation = Callable[..., Any]
CROSSING = 2350.0
FINE = {"width_oe": 400.0, "step_oe": 100.0}
PLAN = [(n * 500.0) for n in range(11)]


def film(kelvin: float, oersted: float) -> float:
    return 100.0 * (1.0 + 1e-4 * (oersted - CROSSING) / kelvin)


def isotherms(**more: Any) -> ResistanceVsField:
    given: dict[str, Any] = {
        "wiring": "film",
        "average": 4,
        "temperatures": [2.0, 3.0],
        "field_program": {"setpoints_oe": PLAN},
        "both_directions": False,
        "fine": FINE,
        "self_heating_check": False,
    }
    return ResistanceVsField(**(given | more))


def at(points: list[Any]) -> list[tuple[float, float, int]]:
    return [(point.temperature_setpoint, point.field_setpoint, point.curve) for point in points]


def told(items: list[Point | Event]) -> list[str]:
    return [item.message for item in items if isinstance(item, Event) and item.kind == "fine"]


def test_finer_isotherms_follow_all_coarse_ones_about_their_crossing(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = isotherms()
    items = list(measurement.points(make_station(ohms=film), clock))
    fine = [point for point in points_of(items) if point.curve > 2]
    (message,) = told(items)
    assert message.endswith(" Oe that was found in the coarse isotherms")
    assert measurement.centre == pytest.approx(CROSSING, abs=5.0)
    fields = [2200.0, 2300.0, 2400.0, 2500.0, 2600.0]
    assert at(fine) == [(2.0, field, 3) for field in fields] + [(3.0, field, 4) for field in fields]
    assert {point.direction for point in fine} == {"rising"}
    with pytest.raises(ValueError, match="cannot be extended to 9000 Oe: it is measured"):
        measurement.extend(9000.0)


def test_the_plan_marks_what_it_only_estimates(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = isotherms(fine=FINE | {"expected_oe": 2000.0})
    plan = measurement.setpoints()
    assert [setpoint.is_estimated for setpoint in plan] == [False] * 22 + [True] * 10
    assert (plan[22].field_oe, plan[-1].field_oe) == (1800.0, 2200.0)
    assert len(isotherms().setpoints()) == 22
    began = clock.now()
    list(measurement.points(make_station(kelvin=2.0), clock))
    assert measurement.duration_s() == pytest.approx(clock.now() - began, rel=0.3)


def test_without_a_crossing_the_expected_one_stands(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = isotherms(fine=FINE | {"expected_oe": 2000.0})
    items = list(measurement.points(make_station(ohms=lambda kelvin, _: kelvin), clock))
    assert told(items)[0].startswith("fine isotherms around the expected 2000 Oe: no crossing in the ")
    assert at(points_of(items))[22] == (2.0, 1800.0, 3)


@pytest.mark.parametrize("count", [15, 22, 25])
def test_a_break_leaves_them_where_they_were(
    clock: VirtualClock, make_station: MakeStation, count: int
) -> None:
    station = make_station(ohms=film)
    whole = points_of(list(isotherms().points(station, clock)))
    again = isotherms()  # another process
    left = again.take_up(stored(whole[:count]))
    assert left is not None
    rest = points_of(list(again.points(station, clock, left)))
    assert at(whole[:count] + rest) == at(whole)
    assert again.take_up(stored(whole)) is None


def test_a_sweep_is_a_fine_pass_too(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = isotherms(
        fine={"around_oe": 2000.0, "width_oe": 400.0, "rate_oe_per_s": 10.0, "every_oe": 50.0}
    )
    points = points_of(list(measurement.points(make_station(ohms=film), clock)))
    fine = [point.field for point in points if point.curve == 3]
    assert fine[0] == pytest.approx(1800.0, abs=60.0)
    assert fine[-1] == pytest.approx(2200.0, abs=60.0)


def test_superconducting_isotherms_have_no_crossing() -> None:
    points = [CoarsePoint(2.0, 2.0, field, 0.0, 1e-6, 1) for field in PLAN]
    assert crossing_oe(points) == (None, "0 isotherms with a resistance; at least 2 are needed")


def test_what_is_no_fine_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="fine has the keys width_oe; expected width_oe with step_oe, or"):
        isotherms(fine={"width_oe": 1.0})
