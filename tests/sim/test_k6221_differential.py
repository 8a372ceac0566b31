"""Differential conductance with the 2182A behind the 6221, against what a polynomial V(I) must give."""

from collections.abc import Mapping

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from onnes.sim.current_reversals import Differential
from onnes.sim.sample_parameters import Value
from tests.sim.conftest import SOURCE, Bench, MakeBench

ARM_S = 25.0  # longer than arming takes at 50 power line cycles
_LINEAR, _SQUARE, _CUBE = 100.0, 2e5, 1e11  # V per A, A^2 and A^3
_NOISE_V = 15e-9 / np.sqrt(50)


class Polynomial:
    """A body whose voltage is a polynomial of its current."""

    values: Mapping[str, Value] = {}
    is_linear = False

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        del temperature_k, field_oe, time_s
        return current_a * (_LINEAR + current_a * (_SQUARE + current_a * _CUBE))


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """A 2182A behind the 6221, and a polynomial on the contacts."""
    quiet = {"port": "k2182a.ch1", "loop": "I", "emf_nv": 3000.0, "emf_noise_nv": 0.0}
    bench = make_bench(lab="delta", under={"read": [{**quiet, "emf_drift_nv_per_s": 50.0}]})
    bench.lab.wiring._loops["I"].sample = Polynomial()
    return bench


def error(source: MessageBasedResource) -> str:
    return source.query("SYST:ERR?").strip()


def readings(
    bench: Bench, setup: str, elements: str, points: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    source = bench.open(SOURCE, timeout=10_000)
    source.write(f"SOUR:CURR:COMP 50;:{setup};:TRAC:POIN 1000;:FORM:ELEM {elements}")
    source.write("SYST:COMM:SER:SEND 'SENS:VOLT:NPLC 50'")
    source.write("SOUR:DCON:ARM")
    bench.clock.sleep(ARM_S)
    source.write("INIT")
    bench.clock.sleep(1.1 * (points + 3))
    assert error(source) == '0,"No error"'
    found = np.array(source.query_ascii_values("TRAC:DATA?"))
    return found.reshape(points, len(elements.split(",")))


def test_readings_of_a_polynomial_are_what_its_coefficients_say(bench: Bench) -> None:
    setup = "SOUR:DCON:STAR -1e-5;STOP 1e-5;STEP 1e-6;DELT 2e-6"
    amps, volts, average = readings(bench, setup, "READ,SOUR,AVOL", 21)[:, [1, 0, 2]].T
    assert amps == pytest.approx(np.linspace(-1e-5, 1e-5, 21), abs=1e-14)
    step, delta = 1e-6, 2e-6
    sign = (-1.0) ** np.arange(21)  # the curvature between neighbours does not alternate, so the reading does
    wanted = (
        _LINEAR * delta
        + _SQUARE * (2 * amps * delta + sign * step**2 / 2)
        + _CUBE * (3 * amps**2 * delta + delta**3 + 1.5 * delta * step**2 + sign * 1.5 * amps * step**2)
    )
    assert np.abs(volts - wanted).max() < 5 * _NOISE_V * np.sqrt(6) / 4
    wanted = (
        _LINEAR * amps
        + _SQUARE * (amps**2 + delta**2 + step**2 / 2)
        + _CUBE * (amps**3 + 3 * amps * delta**2 + 1.5 * amps * step**2 + sign * 1.5 * delta * step**2)
    )
    drifted = 3e-6 + 50e-9 * 50
    assert np.abs(average - wanted).max() < 2 * drifted


def test_a_small_modulation_gives_the_derivative(bench: Bench) -> None:
    setup = "SOUR:DCON:STAR 5e-6;STOP 1.5e-5;STEP 1e-7;DELT 1e-6;:UNIT SIEM"
    amps, siemens = readings(bench, setup, "READ,SOUR", 101)[:, [1, 0]].T
    slope = _LINEAR + 2 * _SQUARE * amps + 3 * _CUBE * amps**2
    assert siemens == pytest.approx(1 / slope, rel=2e-3)


def test_a_sweep_down_gives_what_a_sweep_up_does(bench: Bench) -> None:
    up = readings(bench, "SOUR:DCON:STAR -1e-5;STOP 1e-5;STEP 2.5e-6;DELT 2e-6", "READ", 9)
    down = readings(bench, "SOUR:SWE:ABOR;:SOUR:DCON:STAR 1e-5;STOP -1e-5", "READ", 9)
    assert np.abs(down[::-1] - up).max() < 6 * _NOISE_V * np.sqrt(12) / 4
    assert up[0] != pytest.approx(up[-1], rel=1e-3)


def test_a_step_larger_than_the_interval_becomes_a_hundred_points() -> None:
    stairs = Differential(0.0, 1e-5, 2e-5, 1e-6)
    assert stairs.points == 100
    assert [stairs.centre_a(1), stairs.centre_a(100)] == pytest.approx([0.0, 1e-5])
    assert Differential(-1e-5, 1e-5, 1e-6, 1e-6).points == 21


def test_the_levels_are_those_of_the_manual() -> None:
    stairs = Differential(1e-5, -1e-5, 5e-6, 1e-6)
    assert stairs.conversions == 7
    assert [stairs.level_a(n) for n in range(7)] == pytest.approx(
        [16e-6, 9e-6, 6e-6, -1e-6, -4e-6, -11e-6, -14e-6]
    )
    assert stairs.largest_a == pytest.approx(16e-6)


def test_a_level_beyond_the_source_is_not_armed(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:DCON:STAR 0;STOP 0.105;STEP 0.01;DELT 1e-3;ARM")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:DCON:STOP 0.09;ARM")
    assert error(source) == '0,"No error"'


def test_defaults_and_limits_are_those_of_the_manual(bench: Bench) -> None:
    source = bench.open(SOURCE)
    assert source.query("SOUR:DCON:STAR?;STOP?;STEP?;DELT?;DEL?;CAB?") == (
        "-1.000000E-05;+1.000000E-05;+1.000000E-06;+1.000000E-06;+2.000000E-03;0\n"
    )
    assert source.query("SOUR:DCON:NVPR?;NVZ?;ARM?") == "1;+0.000000E+00;0\n"
    source.write("SOUR:DCON:DEL 1e-4")
    assert error(source) == '-222,"Parameter data out of range"'


def test_a_sweep_ends_at_zero_and_an_aborted_one_too(bench: Bench) -> None:
    readings(bench, "SOUR:DCON:STAR 0;STOP 1e-5;STEP 5e-6;DELT 1e-6", "READ", 3)
    timeline = bench.lab.wiring.output("k6221.out")
    assert timeline.at(bench.lab.now()).amps == 0.0
    source = bench.open(SOURCE)
    source.write("INIT")
    bench.clock.sleep(1.5)
    source.write("SOUR:SWE:ABOR")
    bench.clock.sleep(5.0)
    assert source.query("SOUR:DCON:ARM?;:SOUR:CURR?") == "0;+0.000000E+00\n"
    assert timeline.at(bench.lab.now()).amps == 0.0
