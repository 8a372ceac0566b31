"""Alternating moments: the order of drives, phase and background, limits, and where it goes on."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, LimitError
from onnes.instruments.records import Event, Point, row_of
from onnes.instruments.susceptometer import AcReading
from onnes.procedures.ac_susceptibility import AcSusceptibility
from onnes.procedures.susceptibility_point import SusceptibilityPoint
from tests.procedures.conftest import FakeStation
from tests.procedures.fake_meters import FakeSusceptometer

MakeStation = Callable[..., Any]


def ac(**more: Any) -> AcSusceptibility:
    given: dict[str, Any] = {
        "wiring": "film",
        "temperature_program": {"setpoints_k": [34.0, 36.0, 38.0]},
        "amplitudes_oe": [1.0, 0.1],
        "frequencies_hz": [97.0, 997.0],
    }
    return AcSusceptibility(**(given | more))


def coil(station: FakeStation) -> FakeSusceptometer:
    found = FakeSusceptometer(station, lambda h, _, kelvin: complex(-h * (39.0 - kelvin), 0.01 * h) * 1e-4)
    station.meters["susceptometer"] = found
    return found


def points_of(items: list[Point | Event]) -> list[SusceptibilityPoint]:
    return [item for item in items if isinstance(item, SusceptibilityPoint)]


def stored(points: list[SusceptibilityPoint]) -> pd.DataFrame:
    return pd.DataFrame([row_of(point) for point in points if not point.rejected])


def prepared(items: list[Point | Event]) -> list[str]:
    return [item.message for item in items if isinstance(item, Event) and item.message.startswith("warm to")]


def test_amplitudes_rise_and_come_back_to_the_first_at_each_frequency(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = coil(station)
    measurement = ac()
    points = points_of(list(measurement.points(station, clock)))
    assert [(p.amplitude_setpoint, p.frequency, p.branch) for p in points[:6]] == [
        (0.1, 97.0, "curve"),
        (1.0, 97.0, "curve"),
        (0.1, 97.0, "heating_check"),
        (0.1, 997.0, "curve"),
        (1.0, 997.0, "curve"),
        (0.1, 997.0, "heating_check"),
    ]
    assert [(p.temperature_setpoint, p.field_setpoint, p.direction, p.curve) for p in points] == [
        (s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()
    ]
    assert points[1].in_phase == pytest.approx(-5e-4)
    assert points[1].quadrature == pytest.approx(1e-6)
    assert {p.rejected for p in points} == {""}
    assert meter.diary[-1] == ("stop",)


def test_one_drive_is_started_once(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = coil(station)
    points = points_of(
        list(ac(amplitudes_oe=[1.0], frequencies_hz=[97.0], harmonics=[1]).points(station, clock))
    )
    assert {p.branch for p in points} == {"curve"}
    assert [entry for entry in meter.diary if entry[0] == "start"] == [("start", 1.0, 97.0, 1)]


def test_harmonics_are_measured_at_each_amplitude(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = coil(station)
    measurement = ac(frequencies_hz=[97.0], harmonics=[1, 3], heating_check=False)
    points = points_of(list(measurement.points(station, clock)))
    assert [(p.amplitude_setpoint, p.harmonic) for p in points[:4]] == [
        (0.1, 1),
        (0.1, 3),
        (1.0, 1),
        (1.0, 3),
    ]
    assert ("start", 1.0, 97.0, 3) in meter.diary


def test_phase_comes_before_the_dc_field_and_background_after_the_curve(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    coil(station)
    calibration = {"calibrate_at_k": 10.0, "background_at_k": 45.0}
    measurement = ac(fields_oe=[0.0, 500.0], phase=calibration)
    items = list(measurement.points(station, clock))
    points = points_of(items)
    groups: list[tuple[str, float, float, int]] = []
    for p in points:
        branch = "curve" if p.branch == "heating_check" else p.branch
        group = branch, p.temperature_setpoint, p.field_setpoint, p.curve
        if not groups or groups[-1] != group:
            groups.append(group)
    assert groups[5:] == [
        ("phase", 10.0, 0.0, 4),
        ("curve", 34.0, 500.0, 5),
        ("curve", 36.0, 500.0, 5),
        ("curve", 38.0, 500.0, 5),
        ("background", 45.0, 500.0, 6),
    ]
    assert prepared(items) == ["warm to 50 K"] * 2
    assert len(points) == len(measurement.setpoints()) == 2 * (4 + 3 * 6 + 4)
    assert {p.branch for p in points if p.temperature_setpoint in (10.0, 45.0)} == {"phase", "background"}


def test_a_sweep_takes_every_drive_at_each_sampling_time(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    coil(station)
    program = {"sweep_k": [34.0, 39.5], "rate_k_per_min": 0.1, "every_s": 60.0}
    measurement = ac(temperature_program=program)
    points = points_of(list(measurement.points(station, clock)))
    assert [p.amplitude_setpoint for p in points[:6]] == [0.1, 1.0, 0.1] * 2
    assert all(math.isnan(p.temperature_setpoint) and p.direction == "warming" for p in points)
    assert points[6].temperature - points[0].temperature == pytest.approx(0.1, abs=1e-3)
    assert points[1].temperature > points[0].temperature
    assert len(points) == pytest.approx(len(measurement.setpoints()), abs=12)


def test_a_drive_beyond_the_record_is_refused_before_anything_is_sent(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    meter = coil(station)
    with pytest.raises(
        LimitError, match=r"amplitude \(peak\) = 10 Oe is outside \[0.001, 4\] Oe, the range set by the fake"
    ):
        list(ac(amplitudes_oe=[0.1, 1.0, 10.0]).points(station, clock))
    with pytest.raises(LimitError, match=r"frequency = 9970 Hz is outside \[0.1, 1000\] Hz"):
        list(ac(frequencies_hz=[9970.0]).points(station, clock))
    with pytest.raises(LimitError, match="temperature = 450 K is outside"):
        list(ac(phase={"background_at_k": 450.0}).points(station, clock))
    assert station.cryostat.t.commands + station.cryostat.h.commands + meter.diary == []


def test_an_overload_rejects_the_point_alone(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    meter = coil(station)
    items = ac().points(station, clock)
    next(item for item in items if isinstance(item, SusceptibilityPoint))
    meter.flags = ("overload",)
    spoilt = next(item for item in items if isinstance(item, SusceptibilityPoint))
    meter.flags = ()
    assert (spoilt.flags, spoilt.rejected) == ("overload", "overload")
    assert {p.rejected for p in points_of(list(items))} == {""}


def test_what_is_no_moment_is_rejected(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    coil(station).moment = lambda *_: complex(math.nan, 0.0)
    assert {p.rejected for p in points_of(list(ac().points(station, clock)))} == {"moment is nan emu"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"amplitudes_oe": [0.0]}, "amplitudes_oe has 0; each must be above zero"),
        ({"frequencies_hz": [-97.0]}, "frequencies_hz has -97; each must be above zero"),
        ({"harmonics": [0]}, "harmonics is 0; expected a whole number from 1"),
        ({"harmonics": []}, r"harmonics is \[\]; expected a list of whole numbers from 1"),
        ({"phase": {"calibrate_at_k": 41.0}}, "phase.calibrate_at_k = 41 K is not below 40 K"),
        ({"phase": {"background_at_k": 39.0}}, "phase.background_at_k = 39 K is not above 40 K"),
        ({"phase": {"calibrate_at_k": 0.0}}, "phase.calibrate_at_k = 0 must be above zero"),
        ({"phase": {"calibrate_at": 10.0}}, "unknown key 'calibrate_at' in phase"),
    ],
)
def test_what_no_susceptometer_does_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ac(**more)


def test_an_open_curve_is_prepared_and_measured_again(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    coil(station)
    measurement = ac(fields_oe=[0.0, 500.0])
    points = points_of(list(measurement.points(station, clock)))
    assert measurement.take_up(stored(points)) is None
    left = measurement.take_up(stored(points[: 18 + 8]))
    assert left is not None
    assert (left.rule, left.curve) == ("path", 2)
    again = list(measurement.points(station, clock, left))
    assert prepared(again) == ["warm to 50 K"]
    assert [p.field_setpoint for p in points_of(again)] == [500.0] * 18
    begins = measurement.take_up(stored(points[:18]))
    assert begins is not None
    assert (begins.rule, begins.curve) == ("free", 2)
    assert prepared(list(measurement.points(station, clock, begins))) == ["warm to 50 K"]


def test_a_history_that_was_kept_goes_on_with_the_temperature_of_which_points_are_missing(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    coil(station)
    measurement = ac()
    points = points_of(list(measurement.points(station, clock)))
    kept = measurement.take_up(stored(points[:9]), history_kept=True)
    assert kept is not None
    assert (kept.rule, kept.curve, kept.done, kept.taken) == ("free", 1, 1, 3)
    again = points_of(list(measurement.points(station, clock, kept)))
    assert [p.temperature_setpoint for p in again] == [36.0] * 3 + [38.0] * 6
    drives = [(p.amplitude_setpoint, p.frequency, p.branch) for p in (*points[:9], *again)]
    assert drives == [(p.amplitude_setpoint, p.frequency, p.branch) for p in points]


def test_what_was_taken_of_the_first_temperature_does_not_count_where_the_sample_is_prepared_again(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    coil(station)
    measurement = ac()
    points = points_of(list(measurement.points(station, clock)))
    begins = measurement.take_up(stored(points[:2]))
    assert begins is not None
    assert (begins.rule, begins.curve, begins.done, begins.taken) == ("path", 1, 0, 0)


def test_nothing_stored_begins_at_the_start(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    coil(station)
    start = ac().take_up(pd.DataFrame())
    assert start is not None
    assert (start.curve, start.done) == (1, 0)
    began = clock.now()
    list(ac().points(station, clock, start))
    assert ac().duration_s() == pytest.approx(clock.now() - began, rel=0.3)


def test_the_amplitude_of_a_point_is_the_one_that_was_driven_beside_the_one_asked_for(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station()
    coil(station).step_oe = 0.03
    points = points_of(list(ac(amplitudes_oe=[0.1]).points(station, clock)))
    assert {p.amplitude_setpoint for p in points} == {0.1}
    assert [p.amplitude for p in points] == pytest.approx([0.09] * len(points))


def test_a_point_that_did_not_come_has_no_amplitude_either(
    clock: VirtualClock, make_station: MakeStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    meter = coil(station)

    def silent(_: int) -> AcReading:
        raise CommunicationError("silent")

    monkeypatch.setattr(meter, "measure", silent)
    found: list[Point | Event] = []
    with pytest.raises(CommunicationError, match="silent"):
        found.extend(ac().points(station, clock))
    (point,) = points_of(found)
    assert math.isnan(point.amplitude)
    assert point.rejected
    assert meter.diary[-1] == ("stop",)
