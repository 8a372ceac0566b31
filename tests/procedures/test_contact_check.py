"""A check of contacts: linearity, drift, noise, phase and compliance, and a verdict that says what to do."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, ContactError, LimitError
from onnes.instruments.protocols import Resistance
from onnes.instruments.records import Event, Point
from onnes.procedures.contact_check import ContactCheck
from onnes.procedures.transport import ResistancePoint
from tests.procedures.conftest import FakeBridge, FakeLockInBridge, FakeStation

MakeStation = Callable[..., Any]


@dataclass
class Contacts(FakeBridge):
    """Contacts whose resistance, ohm, is a function of the current, A, and of how many were measured."""

    of: Callable[[float, int], float] = lambda *_: 1.0
    spoilt: tuple[tuple[str, Any], ...] = ()

    def measure(self, readings: int) -> Resistance:
        count = sum(entry[0] == "measure" for entry in self.diary)
        found = super().measure(readings)
        ohms = self.of(found.current, count)
        return replace(found, resistance=ohms, voltage=ohms * found.current, **dict(self.spoilt))


def check(**more: Any) -> ContactCheck:
    return ContactCheck(**({"wiring": "film", "current_a": 1e-4} | more))


def contacts(station: FakeStation, **more: Any) -> Contacts:
    found = Contacts(station, lambda _, __: 1.0, **more)
    station.bridges[""] = found
    return found


def verdict(items: list[Point | Event]) -> Event:
    (found,) = [item for item in items if isinstance(item, Event) and "good" in item.values]
    return found


def fails(measurement: ContactCheck, station: Any, clock: VirtualClock, words: str) -> Event:
    """Run a check that must fail; return its verdict."""
    found: list[Point | Event] = []
    items = measurement.points(station, clock)
    with pytest.raises(ContactError, match=words):
        found.extend(items)
    return verdict(found)


def test_good_contacts_have_the_same_resistance_at_three_currents(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    bridge = contacts(station)
    items = list(check().points(station, clock))
    points = [item for item in items if isinstance(item, ResistancePoint)]
    assert [p.current for p in points] == [1e-4, 5e-5, 2e-4, 1e-4]
    assert verdict(items).message == (
        "contacts of wiring 'film': good; R = 1 ohm at 0.0001 A, 1 ohm at 5e-05 A, 1 ohm at 0.0002 A, "
        "1 ohm at 0.0001 A"
    )
    assert verdict(items).values["good"] is True
    assert bridge.diary[-1] == ("stop",)
    assert station.cryostat.t.commands + station.cryostat.h.commands == []
    assert len(points) == len(check().setpoints())


def test_a_contact_that_is_no_ohmic_one_fails(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    bridge = contacts(station, of=lambda amps, _: 1.0 + 100.0 * amps)
    event = fails(
        check(),
        station,
        clock,
        r"'film' are not good at 4.2 K: R = 1.005 ohm at 5e-05 A is 0.005 ohm from 1.01 ohm at 0.0001 A.*"
        "mend the contacts, choose a smaller current, or decline the check with a reason",
    )
    assert len(event.values["faults"]) == 2
    assert bridge.diary[-1] == ("stop",)


def test_a_drift_is_no_fault_of_the_contacts(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contacts(station, of=lambda _, count: 1.0 + 1e-4 * count)
    assert verdict(list(check().points(station, clock))).values["good"] is True


def test_compliance_fails(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contacts(station).flags = ("compliance",)
    fails(check(), station, clock, "at 0.0001 A: compliance")


def test_noise_fails(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contacts(station, spoilt=(("resistance_error", 0.1),))
    fails(check(), station, clock, "noise = 1e-05 V at 0.0001 A is above 1e-06 V")


def test_a_phase_of_a_degree_fails(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contacts(station, spoilt=(("quadrature", 2e-6),))
    fails(check(), station, clock, "phase = 1.15 degrees at 0.0001 A is not below 1 degree")


def test_the_phase_of_noise_alone_is_no_fault(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contacts(station, of=lambda *_: 0.0, spoilt=(("quadrature", 1e-10),))
    assert verdict(list(check().points(station, clock))).values["good"] is True


def test_twice_the_current_beyond_the_limit_is_replaced_aloud(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contacts(station)
    items = list(check(current_a=0.08).points(station, clock))
    assert isinstance(items[0], Event)
    assert items[0].message == (
        "2 I = 0.16 A is beyond 0.1 A, the limit set by the fake; R at I/4 is compared in its place"
    )
    assert [item.current for item in items if isinstance(item, ResistancePoint)] == [0.08, 0.04, 0.02, 0.08]


def test_a_current_that_is_not_allowed_is_refused_first(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    bridge = contacts(station)
    with pytest.raises(LimitError, match=r"current = 0.2 A is outside"):
        list(check(current_a=0.2).points(station, clock))
    with pytest.raises(ConfigurationError, match=r"pairs = 'operator': two-wire .* still to come"):
        list(check(pairs="operator").points(station, clock))
    assert bridge.diary == []


def test_a_lock_in_listens_as_asked_for(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    bridge = station.bridges["lock_in"] = FakeLockInBridge(station, lambda _, __: 1.0)
    list(check(method="lock_in", lockin={"slope_db": 6}).points(station, clock))
    assert bridge.use.slope_db == 6


def test_a_check_is_made_again_as_a_whole(clock: VirtualClock, make_station: MakeStation) -> None:
    measurement = check()
    again = measurement.take_up(pd.DataFrame([{"Curve": 1}]))
    assert (again.rule, again.curve, again.done) == ("path", 1, 0)
    assert again.cost_s == measurement.duration_s()
    assert measurement.label() == "100uA"
    assert all(math.isnan(setpoint.temperature_k) for setpoint in measurement.setpoints())
    with pytest.raises(ValueError, match="no end that could be moved"):
        measurement.extend(1.0)
    station = make_station()
    contacts(station, reading_s=0.1)
    began = clock.now()
    list(measurement.points(station, clock))
    assert measurement.duration_s() == pytest.approx(clock.now() - began, rel=0.4)
