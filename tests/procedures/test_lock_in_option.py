"""A resistance by another method, and how its lock-in listens."""

from collections.abc import Callable
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.lock_ins import LockInUse
from onnes.procedures.options import LockInOptions
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from tests.procedures.conftest import FakeLockInBridge

MakeStation = Callable[..., Any]


def at_20_k(**more: Any) -> ResistanceVsTemperature:
    given: dict[str, Any] = {"wiring": "film", "temperature_program": {"setpoints_k": [20.0]}}
    return ResistanceVsTemperature(**(given | more))


def test_the_method_and_the_lock_in_reach_the_bridge(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=20.0)
    bridge = station.bridges["lock_in"] = FakeLockInBridge(station, lambda _, __: 2.0)
    measurement = at_20_k(method="lock_in", lockin={"time_constant_s": 1.0, "slope_db": 12})
    points = [item for item in measurement.points(station, clock) if hasattr(item, "resistance")]
    assert [point.resistance for point in points] == [2.0]
    assert bridge.use == LockInUse(time_constant_s=1.0, slope_db=12)
    assert station.the_bridge.diary == []


def test_a_lock_in_without_options_has_its_defaults_again(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    bridge = station.bridges["lock_in"] = FakeLockInBridge(station, lambda _, __: 2.0)
    bridge.use = LockInUse(time_constant_s=30.0)  # what the measurement before has left
    list(at_20_k(method="lock_in").points(station, clock))
    assert bridge.use == LockInUse()


def test_a_bridge_without_lock_in_refuses_its_options(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=20.0)
    with pytest.raises(ConfigurationError, match="'film' is not measured by a lock-in; leave lockin out"):
        list(at_20_k(lockin={"slope_db": 12}).points(station, clock))
    assert station.the_bridge.diary == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"frequency_hz": 0}, "lockin.frequency_hz = 0 must be above zero"),
        ({"time_constant_s": "1"}, "lockin.time_constant_s is '1'; expected a finite number"),
        ({"slope_db": 20}, "lockin.slope_db is 20; expected one of 6, 12, 18, 24"),
        ({"settle": 0.95}, "lockin.settle is 0.95; expected one of 0.99, 0.999, 0.9999"),
        ({"sync": 1}, "lockin.sync is 1; expected true or false"),
        ({"harmonic": 0}, "lockin.harmonic is 0; expected a whole number from 1"),
        ({"slop_db": 24}, "unknown key 'slop_db' in lockin"),
    ],
)
def test_what_no_lock_in_takes_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        at_20_k(lockin=given)
    assert LockInOptions.from_json("{}").use() == LockInUse()
