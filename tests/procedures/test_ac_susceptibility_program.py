"""Alternating moments through the sequence of a magnetometer: the steps, the rows, and where it goes on."""

from typing import Any

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.moments import (
    MeasureMoment,
    MeasureSusceptibility,
    SetField,
    SetTemperature,
    Step,
)
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.ac_susceptibility_program import AcSusceptibilityProgram
from onnes.procedures.susceptibility_point import SusceptibilityPoint
from onnes.procedures.take_up import TakeUp
from tests.procedures.fake_magnetometer import FakeMagnetometer, MomentStation

KNOWN = {"from": "calibration", "value_oe": 0.0, "sigma_oe": 0.1}


def ac(**more: Any) -> AcSusceptibilityProgram:
    given: dict[str, Any] = {
        "temperatures": [34.0, 36.0],
        "amplitudes_oe": [10.0, 0.1],
        "frequencies_hz": [97.0, 997.0],
    }
    return AcSusceptibilityProgram(**(given | more))


def measured(measurement: AcSusceptibilityProgram) -> list[MeasureSusceptibility]:
    return [step for step in measurement.program().steps if isinstance(step, MeasureSusceptibility)]


def run(
    measurement: AcSusceptibilityProgram,
    clock: VirtualClock,
    take_up: TakeUp | None = None,
    **of_machine: Any,
) -> list[Point | Event]:
    station: Any = MomentStation(FakeMagnetometer(clock, **of_machine))
    return list(measurement.points(station, clock, take_up))


def points_of(items: list[Point | Event]) -> list[SusceptibilityPoint]:
    return [item for item in items if isinstance(item, SusceptibilityPoint)]


def stored(points: list[SusceptibilityPoint]) -> pd.DataFrame:
    return pd.DataFrame([row_of(point) for point in points if not point.rejected])


def setting(steps: tuple[Step, ...]) -> list[tuple[str, float]]:
    """Return what is set, and at which temperature rows begin, in order."""
    found: list[tuple[str, float]] = []
    for step in steps:
        if isinstance(step, SetTemperature):
            found.append(("K", step.kelvin))
        elif isinstance(step, SetField):
            found.append(("Oe", step.field_oe))
        elif isinstance(step, MeasureSusceptibility) and found[-1][0] in ("K", "Oe"):
            found.append((step.branch, step.temperature_k))
    return found


def test_amplitudes_rise_and_come_back_to_the_first_at_each_frequency() -> None:
    rows = measured(ac())
    assert [(row.amplitude_oe, row.frequency_hz, row.branch) for row in rows[:6]] == [
        (0.1, 97.0, "curve"),
        (10.0, 97.0, "curve"),
        (0.1, 97.0, "heating_check"),
        (0.1, 997.0, "curve"),
        (10.0, 997.0, "curve"),
        (0.1, 997.0, "heating_check"),
    ]
    assert [row.temperature_k for row in rows] == [34.0] * 6 + [36.0] * 6
    assert {row.averaging_s for row in rows} == {10.0}
    assert rows[1].expected_s == 12.0
    assert not [step for step in ac().program().steps if isinstance(step, MeasureMoment)]


def test_each_dc_field_is_prepared_with_its_phase_before_the_field() -> None:
    measurement = ac(
        fields_oe=[0.0, 500.0],
        residual=KNOWN,
        phase={"calibrate_at_k": 10.0, "background_at_k": 45.0},
    )
    second = setting(measurement.program(TakeUp("path", 4, 0, float("nan"), 0.0, "")).steps)
    assert second == [
        ("K", 50.0),
        ("Oe", 10000.0),
        ("Oe", 0.0),
        ("K", 10.0),
        ("phase", 10.0),
        ("K", 34.0),
        ("Oe", 500.0),
        ("curve", 34.0),
        ("K", 36.0),
        ("curve", 36.0),
        ("K", 50.0),
        ("K", 45.0),
        ("background", 45.0),
    ]
    assert [curve.again for curve in measurement.planned()] == [1, 1, 3, 4, 4, 6]


def test_every_row_becomes_a_point(clock: VirtualClock) -> None:
    measurement = ac(phase={"calibrate_at_k": 10.0})
    points = points_of(run(measurement, clock))
    assert len(points) == len(measurement.setpoints()) == 4 + 12
    assert [point.branch for point in points[:4]] == ["phase"] * 4
    second = points[5]
    assert second.amplitude_setpoint == 10.0
    assert second.amplitude == pytest.approx(10.01)
    assert second.frequency == 97.0
    assert second.in_phase == pytest.approx(-1e-2)
    assert second.quadrature == pytest.approx(1e-4)
    assert (second.curve, second.direction, second.harmonic) == (2, "warming", 1)
    assert second.temperature_setpoint == 34.0
    assert second.rejected == ""
    assert list(row_of(second)) == measurement.DATA_COLUMNS


def test_a_row_off_its_drive_is_rejected(clock: VirtualClock) -> None:
    points = points_of(run(ac(), clock, flags_of={2: ("off_drive",)}))
    assert [point.rejected for point in points[:4]] == ["", "", "off_drive", ""]


def test_an_open_curve_is_prepared_and_measured_again(clock: VirtualClock) -> None:
    measurement = ac(fields_oe=[0.0, 500.0], residual=KNOWN)
    points = points_of(run(measurement, clock))
    assert measurement.take_up(stored(points)) is None
    left = measurement.take_up(stored(points[:15]))
    assert left is not None
    assert (left.rule, left.curve) == ("path", 2)
    assert left.message == ("curve 2 from AC curve 500 Oe on: prepared from 50 K and measured from the start")
    assert [p.field_setpoint for p in points_of(run(measurement, clock, left))] == [500.0] * 12
    begins = measurement.take_up(stored(points[:12]))
    assert begins is not None
    assert begins.curve == 2
    assert left.cost_s > begins.cost_s


def test_rows_of_another_program_are_refused(clock: VirtualClock) -> None:
    rows = stored(points_of(run(ac(amplitudes_oe=[0.5]), clock))[:1])
    with pytest.raises(ValueError, match=r"at 34 K, 0.5 Oe, 97 Hz in curve 1, is none of the program"):
        ac().take_up(rows)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"phase": {"calibrate_at_k": 41.0}}, r"phase.calibrate_at_k = 41 K is not below 40 K"),
        ({"amplitudes_oe": [0.0]}, "amplitudes_oe has 0; each must be above zero"),
        ({"prepare": {"warm_to_k": 30.0}}, "prepare.warm_to_k = 30 K is not above 40 K"),
        ({"temperatures": [36.0, 34.0]}, "temperatures has 34 K after 36 K; list them upward"),
    ],
)
def test_what_no_machine_should_run_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ac(**more)


def test_names_fit_a_file_and_a_line_of_multivu() -> None:
    program = ac().program()
    assert program.name == "susceptibility-temperature_0Oe"
    assert program.title == "ac susceptibility at 10 and 0.1 Oe peak 97 and 997 Hz from 34 to 36 K"


def test_a_row_without_a_moment_does_not_count(clock: VirtualClock) -> None:
    points = points_of(run(ac(), clock, blank=frozenset({1}), flags_of={2: ("off_drive", "range")}))
    assert [point.rejected for point in points[:3]] == ["", "moment is nan emu", "off_drive, range"]
    assert points[2].flags == "off_drive;range"  # as of a susceptometer that is read point by point
