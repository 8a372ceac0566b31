"""A known history: sources at zero, warm, oscillate to no field, cool, soak."""

from collections.abc import Callable
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import InstrumentFault, LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.records import Event, Point
from onnes.procedures.options import Prepare
from onnes.procedures.preparation import recipe_of
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature

MakeStation = Callable[..., Any]


def isotherm(**more: Any) -> ResistanceVsField:
    given: dict[str, Any] = {
        "wiring": "film",
        "average": 4,
        "temperatures": [5.0],
        "field_program": {"setpoints_oe": [0.0, 500.0]},
        "path_below_k": 40.0,
        "self_heating_check": False,  # it is tried in test_self_heating.py
    }
    return ResistanceVsField(**(given | more))


def test_the_defaults_hang_on_the_transition_and_the_station() -> None:
    assert recipe_of(Prepare(), 20.0).warm_to_k == 30.0
    assert recipe_of(Prepare(), 80.0).warm_to_k == 100.0
    assert recipe_of(Prepare(), 20.0).degauss_from_oe == 10000.0
    assert recipe_of(Prepare(), 20.0, Limits(-4000.0, 5000.0, "Oe")).degauss_from_oe == 4000.0
    assert recipe_of(Prepare(warm_to_k=60.0, degauss_from_oe=0.0), 20.0).warm_to_k == 60.0


def test_it_warms_takes_the_field_away_and_cools_in_this_order(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(5.0, 300.0)
    prepare = {"relax_s": 60.0, "cool_rate_k_per_min": 5.0, "soak_s": 90.0}
    items = list(isotherm(prepare=prepare).points(station, clock))
    kinds = [item.kind if isinstance(item, Event) else "point" for item in items]
    assert kinds == [
        "prepare", "settled",  # warm
        "prepare", "settled", "settled",  # oscillate
        "prepare",  # relax
        "prepare", "settled",  # cool
        "prepare",  # soak
        "settled", "point", "settled", "point",  # the way there
        "point", "settled", "point",
    ]  # fmt: skip
    assert station.cryostat.h.commands[:2] == [
        (10000.0, 190.0, "linear", "driven"),
        (0.0, 190.0, "oscillate", "driven"),
    ]
    assert station.cryostat.t.commands == [
        (50.0, 10.0, "fast_settle"),
        (10.0, 5.0, "fast_settle"),
        (5.0, 2.0, "fast_settle"),
    ]
    first = items[0]
    assert isinstance(first, Event)
    assert first.values == {
        "warm_to_k": 50.0,
        "degauss_from_oe": 10000.0,
        "approach": "oscillate",
        "relax_s": 60.0,
        "cool_rate_k_per_min": 5.0,
        "cool_to_k": 5.0,
        "soak_s": 90.0,
    }


def test_it_warms_and_changes_the_field_no_faster_than_the_measurement_does(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(5.0, 300.0)
    slow = isotherm(temperature_rate_k_per_min=1.5, magnet={"rate_oe_per_s": 40.0})
    for item in slow.points(station, clock):
        if isinstance(item, Point):
            break
    assert {rate for _, rate, _ in station.cryostat.t.commands} == {1.5}
    assert {rate for _, rate, _, _ in station.cryostat.h.commands} == {40.0}
    assert slow.prepare_s(5.0) > isotherm().prepare_s(5.0) + 1500.0


def test_the_current_is_off_while_it_is_prepared(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(5.0)
    diary = station.the_bridge.diary
    for item in isotherm(temperatures=[5.0, 6.0]).points(station, clock):
        if isinstance(item, Event) and item.kind == "prepare":
            assert diary[-1] == ("stop",)
    assert [entry[0] for entry in diary if entry[0] != "measure"] == ["stop", "start"] * 2 + ["stop"]


def test_without_a_magnet_it_warms_and_cools(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(20.0)
    station.magnet = None
    program = {"setpoints_k": [20.0, 30.0]}
    measurement = ResistanceVsTemperature(wiring="film", temperature_program=program, path_below_k=40.0)
    items = list(measurement.points(station, clock))
    messages = [item.message for item in items if isinstance(item, Event) and item.kind == "prepare"]
    assert messages == ["warm to 50 K", "cool to 20 K", "soak for 300 s"]
    assert station.cryostat.h.commands == []
    assert sum(isinstance(item, Point) for item in items) == 2


def test_a_fault_while_it_soaks_ends_it(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(5.0)
    items = isotherm().points(station, clock)
    while not (isinstance(item := next(items), Event) and item.message.startswith("soak")):
        pass
    station.quench_at(clock.now() + 100.0)
    with pytest.raises(InstrumentFault, match="quenching"):
        next(items)
    assert station.the_bridge.diary == [("stop",), ("stop",)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"prepare": {"warm_to_k": 450.0}}, "temperature to warm to = 450 K is outside"),
        ({"path_below_k": 395.0}, "temperature to warm to = 493.75 K is outside"),
        ({"prepare": {"degauss_from_oe": 1e5}}, "field to degauss from = 100000 Oe is outside"),
        ({"prepare": {"cool_rate_k_per_min": 50.0}}, "rate to cool at = 50 K/min is outside"),
    ],
)
def test_a_preparation_outside_the_limits_is_refused_before_anything_is_sent(
    clock: VirtualClock, make_station: MakeStation, more: dict[str, Any], words: str
) -> None:
    station = make_station(5.0)
    with pytest.raises(LimitError, match=words):
        list(isotherm(**more).points(station, clock))
    assert station.cryostat.t.commands + station.cryostat.h.commands + station.the_bridge.diary == []


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ({"warm_to_k": 0.0}, "prepare.warm_to_k = 0 must be above zero"),
        ({"soak_s": -1.0}, "prepare.soak_s = -1 is negative"),
        ({"approach": "fast"}, "prepare.approach is 'fast'; expected one of linear, no_overshoot, oscillate"),
        ({"warm": 50.0}, "unknown key 'warm' in prepare"),
    ],
)
def test_a_preparation_that_says_something_else_is_refused(prepare: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        isotherm(prepare=prepare)
