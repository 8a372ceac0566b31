"""The measurements of contacts, V(I) and alternating moments with strict drivers in the virtual lab."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock, virtual_time
from onnes.instruments.open_station import open_station
from onnes.instruments.records import Event, Point
from onnes.instruments.station_file import load_station_file
from onnes.procedures.ac_susceptibility import AcSusceptibility
from onnes.procedures.contact_check import ContactCheck
from onnes.procedures.current_voltage import CurrentVoltage
from onnes.procedures.differential_conductance_vs_bias import DifferentialConductanceVsBias
from onnes.procedures.measurement import Measurement
from onnes.procedures.zero_bias_conductance import ZeroBiasConductance
from onnes.sim.lab import forget_lab, set_lab
from onnes.sim.lab_file import load_lab

_numbers = count(1)
_BENCH = """
station = 1
name = "bench"
title = "every instrument of the lab"
backend = "simulated"
runs = "runs"
[twin]
lab = "{key}"
[instruments.ppms]
driver = "ppms"
resource = "GPIB0::15::INSTR"
[instruments.k6221]
driver = "keithley6221"
resource = "GPIB0::12::INSTR"
[instruments.k2182a]
driver = "keithley2182a"
resource = "GPIB0::7::INSTR"
[instruments.sr830]
driver = "sr830"
resource = "GPIB0::8::INSTR"
[roles]
thermostat = "ppms"
magnet = "ppms"
[limits]
field = "-9..9 T"
[wiring.film]
measures = "resistance"
method = "reversal"
source = "k6221"
meter = "k2182a"
{driven}
[wiring.contact]
measures = "conductance"
method = "lock_in"
source = "k6221"
meter = "sr830"
bias_meter = "k2182a"
{driven}
[wiring.coil]
measures = "susceptibility"
method = "mutual_inductance"
source = "sr830"
meter = "sr830"
series = "1 kohm"
field_constant = "100 Oe/A"
pickup_constant = "2e-4 V/Hz/emu"
amplitude = "0.001..0.5 Oe"
frequency = "10 Hz..10 kHz"
"""
_DRIVEN = """leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }
compliance = "1 V"
ramp = "1 mA/s"
"""
QUICK = {"for_s": 10.0, "then_wait_s": 0.0}

Run = Callable[[Measurement], list[Any]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    keys: list[str] = []

    def make(lab_name: str, kelvin: float, **under: Any) -> Run:
        keys.append(f"contacts-{next(_numbers)}")
        clock = VirtualClock()
        lab = load_lab(lab_name, clock, seed=7, under={"cryostat": {"start_k": kelvin}, **under})
        set_lab(keys[-1], lab)
        file = tmp_path / f"{keys[-1]}.toml"
        file.write_text(_BENCH.format(key=keys[-1], driven=_DRIVEN), encoding="utf-8")
        with virtual_time(clock):
            station = open_station(load_station_file(file), clock)

        def run(measurement: Measurement) -> list[Point | Event]:
            with virtual_time(clock):
                return list(measurement.points(station, clock))

        return run

    yield make
    for key in keys:
        forget_lab(key)


def points_of(items: list[Any]) -> list[Any]:
    return [item for item in items if isinstance(item, Point)]


def spectrum(kelvin: float, biases: list[float]) -> DifferentialConductanceVsBias:
    return DifferentialConductanceVsBias(
        wiring="contact",
        temperatures=[kelvin],
        biases_v=biases,
        settle_tau=13.0,  # to 99.9 % at 24 dB
        lockin={"time_constant_s": 0.1},
        settle=QUICK,
        both_directions=False,
    )


def test_a_contact_shows_its_gap_and_none_above_the_transition(bench: Callable[..., Run]) -> None:
    biases = [n * 1e-3 for n in range(-16, 17)]
    cold, normal = (points_of(bench("spcs", kelvin)(spectrum(kelvin, biases))) for kelvin in (2.0, 45.0))
    for points in (cold, normal):
        assert {point.rejected for point in points} == {""}
        assert [point.bias_setpoint for point in points] == biases
        assert [point.bias for point in points] == pytest.approx(biases, abs=1e-4)
    zero, gap = biases.index(0.0), biases.index(2e-3)
    assert normal[zero].conductance == pytest.approx(1.0 / 20.0, rel=0.02)
    assert cold[gap].conductance > 1.2 * normal[gap].conductance
    assert cold[-1].conductance == pytest.approx(normal[-1].conductance, rel=0.05)


def test_a_lock_in_asks_for_no_past_that_the_lab_has_forgotten(bench: Callable[..., Run]) -> None:
    measurement = spectrum(45.0, [-1e-3, 0.0, 1e-3])
    measurement.temperatures = "[45.0, 2.0]"  # more than an hour apart
    points = points_of(bench("spcs", 45.0)(measurement))
    assert {point.rejected for point in points} == {""}
    assert len(points) == 6


def test_the_conductance_at_zero_bias_comes_down_to_the_normal_one(bench: Callable[..., Run]) -> None:
    run = bench("spcs", 20.0)
    measurement = ZeroBiasConductance(
        wiring="contact",
        temperature_program={"setpoints_k": [20.0, 30.0, 42.0]},
        settle_tau=13.0,  # to 99.9 % at 24 dB
        lockin={"time_constant_s": 0.1},
        settle=QUICK,
    )
    points = points_of(run(measurement))
    assert {point.rejected for point in points} == {""}
    cold, warm, normal = (point.conductance for point in points)
    assert cold > warm > normal == pytest.approx(1.0 / 20.0, rel=0.02)


def test_good_contacts_of_the_lab_are_good(bench: Callable[..., Run]) -> None:
    run = bench("demo", 300.0)
    items = run(ContactCheck(wiring="film", current_a=1e-4))
    assert items[-1].values["good"] is True


def test_a_film_in_its_normal_state_has_a_straight_line(bench: Callable[..., Run]) -> None:
    run = bench("demo", 100.0)
    measurement = CurrentVoltage(
        wiring="film",
        temperatures=[100.0],
        currents_a=[0.0, 1e-5, 1e-4, 1e-3],
        criterion_v=0.05,
        settle=QUICK,
    )
    points = points_of(run(measurement))
    assert {point.rejected for point in points} == {""}
    ohms = [point.voltage / point.current for point in points]
    assert ohms == pytest.approx([ohms[-1]] * 3, rel=1e-3)
    assert points[-1].voltage_positive == pytest.approx(-points[-1].voltage_negative, rel=1e-3)


def test_a_bar_screens_below_its_transition_and_not_above(bench: Callable[..., Run]) -> None:
    run = bench("susceptometer", 10.0)
    measurement = AcSusceptibility(
        wiring="coil",
        temperature_program={"setpoints_k": [36.0]},
        amplitudes_oe=[0.05, 0.4],
        frequencies_hz=[97.0],
        phase={"calibrate_at_k": 10.0, "background_at_k": 45.0},
        path_below_k=40.0,
        prepare={"warm_to_k": 45.0, "degauss_from_oe": 100.0, "relax_s": 10.0, "soak_s": 10.0},
        settle=QUICK,
    )
    points = points_of(run(measurement))
    assert {point.rejected for point in points} == {""}
    assert [point.branch for point in points] == (
        ["phase"] * 2 + ["curve", "curve", "heating_check"] + ["background"] * 2
    )
    deep, background = points[1], points[-1]
    assert deep.in_phase < 0
    assert abs(background.in_phase) < 0.1 * abs(deep.in_phase)
    again, first = points[4], points[2]
    assert again.in_phase == pytest.approx(first.in_phase, rel=0.05)
