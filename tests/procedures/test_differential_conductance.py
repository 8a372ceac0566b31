"""dI/dV against bias: order, reference, open contacts, power, and where it goes on."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ContactError, InstrumentFault, LimitError
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.differential_conductance_vs_bias import DifferentialConductanceVsBias
from tests.procedures.conftest import FakeStation
from tests.procedures.fake_meters import FakeConductanceMeter

MakeStation = Callable[..., Any]
BIASES = [-2e-3, -1e-3, 0.0, 1e-3, 2e-3]


def spectra(**more: Any) -> DifferentialConductanceVsBias:
    given: dict[str, Any] = {
        "wiring": "film",
        "temperatures": [5.0, 8.0],
        "fields_oe": [0.0, 1000.0],
        "biases_v": BIASES,
    }
    return DifferentialConductanceVsBias(**(given | more))


def contact(station: FakeStation, **more: Any) -> FakeConductanceMeter:
    meter = FakeConductanceMeter(station, lambda bias, _, __: 0.1 * (2.0 - abs(bias) / 4e-3), **more)
    station.meters["conductance"] = meter
    return meter


def points_of(items: list[Point | Event]) -> list[ConductancePoint]:
    return [item for item in items if isinstance(item, ConductancePoint)]


def stored(points: list[ConductancePoint]) -> pd.DataFrame:
    return pd.DataFrame([row_of(point) for point in points if not point.rejected])


def test_curves_go_both_ways_at_each_field_of_each_temperature(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station)
    measurement = spectra()
    points = points_of(list(measurement.points(station, clock)))
    assert [(p.temperature_setpoint, p.field_setpoint, p.direction, p.curve) for p in points] == [
        (s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()
    ]
    assert [p.bias_setpoint for p in points[:10]] == BIASES + BIASES[::-1]
    assert [p.direction for p in points[:10]] == ["rising"] * 5 + ["falling"] * 5
    assert [(p.temperature_setpoint, p.field_setpoint) for p in points[::10]] == [
        (5.0, 0.0),
        (5.0, 1000.0),
        (8.0, 0.0),
        (8.0, 1000.0),
    ]
    assert {p.rejected for p in points} == {""}
    assert {p.branch for p in points} == {"curve"}
    assert [entry[0] for entry in meter.diary if entry[0] != "bias"][-1] == "stop"


def test_the_current_is_off_while_temperature_or_field_changes(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station)
    is_on, changed = False, []
    for item in spectra().points(station, clock):
        entries = [entry[0] for entry in meter.diary if entry[0] != "bias"]
        is_on = bool(entries) and entries[-1] == "start"
        if isinstance(item, Event) and item.kind == "settled":
            changed.append(is_on)
    assert changed == [False] * 6  # two temperatures; 0, 1000, 0 and 1000 Oe
    assert len([entry for entry in meter.diary if entry[0] == "start"]) == 4


def test_the_reference_comes_first_at_the_first_field(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contact(station)
    measurement = spectra(normal_at_k=45.0)
    points = points_of(list(measurement.points(station, clock)))
    assert {(p.branch, p.temperature_setpoint, p.field_setpoint, p.curve) for p in points[:5]} == {
        ("normal", 45.0, 0.0, 1)
    }
    assert {p.branch for p in points[5:]} == {"curve"}
    assert len(points) == len(measurement.setpoints()) == 45


def test_the_modulation_and_the_narrower_power_reach_the_meter_and_leave_it(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station, power_limit_w=1e-3)
    list(spectra(modulation_v=3e-4, power_limit_w=1e-6).points(station, clock))
    assert meter.diary[1] == ("start", 3e-4, 1e-6)
    assert meter.power_limit_w == 1e-3
    list(spectra(power_limit_w=1.0).points(station, clock))
    assert [entry for entry in meter.diary if entry[0] == "start"][-1] == ("start", 2e-4, 1e-3)


def test_biases_that_would_heat_the_contact_are_rejected_and_told(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contact(station)
    measurement = spectra(temperatures=[5.0], fields_oe=[0.0], both_directions=False, power_limit_w=5e-7)
    items = list(measurement.points(station, clock))
    assert [p.rejected for p in points_of(items)] == ["power", "", "", "", "power"]
    told = [item for item in items if isinstance(item, Event) and item.kind == "power"]
    assert [event.message for event in told] == [
        "curve 1: 2 biases from 0.002 V on were not driven, as they would heat the contact with more than "
        "5e-07 W"
    ]


def test_a_source_in_compliance_without_a_voltage_over_the_contact_is_an_open_contact(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station, flags_at=lambda bias: ("compliance",) if bias == 1e-3 else ())
    words = r"'film' has opened: the source is in compliance at 1 V, and only 0 V of it are over .* is at 0 A"
    with pytest.raises(ContactError, match=words):
        list(spectra().points(station, clock))
    assert meter.diary[-1] == ("stop",)


def test_an_opening_contact_loses_its_conductance_and_the_current_goes_before_the_next_look(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station)
    items = spectra().points(station, clock)
    for _ in range(7):
        next(item for item in items if isinstance(item, ConductancePoint))
    meter.siemens = lambda *_: 1e-4
    last = next(item for item in items if isinstance(item, ConductancePoint))
    with pytest.raises(ContactError, match=r"its conductance is 0.0001 S, usually 0\.1"):
        next(items)
    assert "contact_open" in last.flags
    assert "its conductance is 0.0001 S" in last.rejected
    assert meter.diary[-1] == ("stop",)


def test_what_is_no_conductance_is_rejected(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    contact(station).siemens = lambda *_: math.nan
    points = points_of(list(spectra(temperatures=[5.0]).points(station, clock)))
    assert {p.rejected for p in points} == {"conductance is nan S"}


def test_a_difference_of_direct_currents_has_no_frequency(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = contact(station)
    assert {p.frequency for p in points_of(list(spectra().points(station, clock)))} == {17.77}
    meter.quadrature = math.nan
    assert all(math.isnan(p.frequency) for p in points_of(list(spectra().points(station, clock))))


def test_a_meter_that_ends_too_early_is_a_fault(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = contact(station, ends_after=3)
    with pytest.raises(InstrumentFault, match="dI/dV of wiring 'film' ended after 3 of 5 biases"):
        list(spectra().points(station, clock))
    assert meter.diary[-1] == ("stop",)


def test_a_temperature_that_leaves_its_setpoint_rejects_the_points(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0)
    contact(station)
    items = spectra(temperatures=[5.0], fields_oe=[0.0]).points(station, clock)
    first = next(item for item in items if isinstance(item, ConductancePoint))
    station.cryostat.t.disturbed_at, station.cryostat.t.kick = clock.now(), 0.5
    assert first.rejected == ""
    assert "temperature moved by +0.4" in points_of(list(items))[0].rejected


def test_limits_are_met_before_anything_is_sent(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = contact(station)
    for more, words in (
        ({"temperatures": [5.0, 500.0]}, "temperature = 500 K is outside"),
        ({"fields_oe": [95000.0]}, "field = 95000 Oe is outside"),
        ({"normal_at_k": 450.0}, "temperature = 450 K is outside"),
    ):
        with pytest.raises(LimitError, match=words):
            list(spectra(**more).points(station, clock))
    assert station.cryostat.t.commands + station.cryostat.h.commands + meter.diary == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"modulation_v": 0.0}, r"Modulation = 0.0 V is outside"),
        ({"biases_v": [0.0, 1e-3, 0.0]}, "list at least two that go one way"),
        ({"biases_v": [0.0]}, "list at least two that go one way"),
        ({"normal_at_k": 7.0}, "Normal at = 7 K is not above 8 K"),
        ({"temperatures": {"sweep_k": [2, 5]}}, "measured is at setpoints alone"),
        ({"lockin": {"slope_db": 7}}, "lockin.slope_db is 7"),
    ],
)
def test_what_contradicts_itself_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        spectra(**more)


def test_an_open_curve_is_measured_again_and_those_before_it_stay(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contact(station)
    measurement = spectra()
    points = points_of(list(measurement.points(station, clock)))
    assert measurement.take_up(stored(points)) is None
    left = measurement.take_up(stored(points[:8]))
    assert left is not None
    assert (left.rule, left.curve, left.done) == ("path", 2, 0)
    again = points_of(list(measurement.points(station, clock, left)))
    assert [p.curve for p in again] == [p.curve for p in points[5:]]
    between = measurement.take_up(stored(points[:10]))
    assert between is not None
    assert (between.rule, between.curve, between.message) == ("free", 3, "curve 3 begins")
    assert measurement.remaining_s(between) < measurement.remaining_s(left) < measurement.duration_s()


def test_below_the_transition_all_fields_of_a_temperature_are_measured_again(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    contact(station)
    measurement = spectra(path_below_k=6.0)
    items = list(measurement.points(station, clock))
    points = points_of(items)
    prepared = [item.message for item in items if isinstance(item, Event) and item.kind == "prepare"]
    assert prepared[0] == "warm to 16 K"
    left = measurement.take_up(stored(points[:15]))
    assert left is not None
    assert (left.rule, left.curve) == ("path", 1)
    assert left.message.startswith("curves 1 to 4 at 5 K: prepared and measured from the start, because")
    kept = measurement.take_up(stored(points[:15]), history_kept=True)
    assert kept is not None
    assert (kept.rule, kept.curve) == ("free", 4)
    warm = measurement.take_up(stored(points[:32]))
    assert warm is not None
    assert warm.curve == 7


def test_rows_of_another_program_are_refused() -> None:
    row = {"Curve": 1, "Temperature setpoint (K)": 77.0, "Bias setpoint (V)": 0.0}
    with pytest.raises(ValueError, match="at 77 K in curve 1, is none of the program"):
        spectra().take_up(pd.DataFrame([row]))
    with pytest.raises(ValueError, match="add a block to the sequence"):
        spectra().extend(1.0)


def test_the_estimate_is_near_the_time_taken(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=5.0)
    contact(station)
    measurement = spectra(biases_v=[n * 2e-5 for n in range(100)])
    began = clock.now()
    list(measurement.points(station, clock))
    assert measurement.duration_s() == pytest.approx(clock.now() - began, rel=0.3)
    assert measurement.label() == "5K-8K"
