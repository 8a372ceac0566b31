"""The 6221 as a source of waves: arming, starting, what flows, the phase marker and the end."""

import math

import pytest
from pyvisa.resources import MessageBasedResource

from onnes.sim.sources import Level
from onnes.sim.tones import Tone
from tests.sim.conftest import SOURCE, Bench

SINE = "SOUR:WAVE:FUNC SIN;FREQ 17;AMPL 1e-4;OFFS 2e-5"


def flows(bench: Bench) -> Level:
    bench.lab.tick()
    return bench.lab.wiring.output("k6221.out").at(bench.lab.now())


def tone_of(bench: Bench) -> Tone:
    tone = flows(bench).tone
    assert tone is not None
    return tone


def error(source: MessageBasedResource) -> str:
    return source.query("SYST:ERR?").strip()


def running(bench: Bench, setup: str = SINE) -> MessageBasedResource:
    source = bench.open(SOURCE)
    source.write(f"{setup};:SOUR:WAVE:ARM;INIT")
    assert error(source) == '0,"No error"'
    return source


def test_a_wave_flows_from_its_start_with_peak_and_offset(bench: Bench) -> None:
    source = bench.open(SOURCE)
    bench.clock.sleep(0.123)
    source.write(f"{SINE};:SOUR:WAVE:ARM")
    assert flows(bench)[::2] == (0.0, None)
    assert source.query("SOUR:WAVE:ARM?;:OUTP?") == "1;0\n"
    source.write("SOUR:WAVE:INIT")
    start = bench.lab.now()
    tone = tone_of(bench)
    assert flows(bench).amps == 2e-5
    assert (tone.hz, tone.peak) == (17.0, 1e-4)
    assert math.sin(2 * math.pi * 17 * start + tone.phase) == pytest.approx(0.0, abs=1e-9)
    assert math.cos(2 * math.pi * 17 * start + tone.phase) == pytest.approx(1.0)
    assert source.query("OUTP?") == "1\n"


def test_a_square_and_a_ramp_flow_as_mean_and_fundamental(bench: Bench) -> None:
    source = running(bench, "SOUR:WAVE:FUNC SQU;AMPL 1e-4;DCYC 75;OFFS 1e-5")
    assert flows(bench).amps == pytest.approx(1e-5 + 0.5e-4)
    assert tone_of(bench).peak == pytest.approx(1e-4 * 4 / math.pi * math.sin(0.75 * math.pi))
    source.write("SOUR:WAVE:ABOR;FUNC RAMP;DCYC 50;ARM;INIT")
    assert tone_of(bench).peak == pytest.approx(1e-4 * 8 / math.pi**2)


def test_an_arbitrary_wave_needs_its_points(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:WAVE:FUNC ARB2;ARM")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:WAVE:ARB:COPY 2")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:WAVE:ARB:DATA 1,-1;COPY 2;:SOUR:WAVE:AMPL 1e-4;ARM;INIT")
    assert tone_of(bench).peak == pytest.approx(1e-4 * 4 / math.pi)
    assert error(source) == '0,"No error"'


@pytest.mark.parametrize(
    "message",
    [
        "SOUR:WAVE:FREQ 33",
        "SOUR:WAVE:AMPL 2e-4",
        "SOUR:WAVE:OFFS 0",
        "SOUR:WAVE:FUNC SQU",
        "SOUR:WAVE:DCYC 30",
        "SOUR:WAVE:DUR:TIME 1",
        "SOUR:WAVE:RANG FIX",
        "SOUR:WAVE:PMAR:STAT 1",
        "SOUR:CURR 1e-6",
        "SOUR:CURR:RANG 1e-2",
    ],
)
def test_settings_are_locked_while_a_wave_is_armed(message: str, bench: Bench) -> None:
    source = running(bench)
    before = flows(bench)
    source.write(message)
    assert error(source) == '-221,"Settings conflict"'
    assert flows(bench) == before
    source.write("SOUR:WAVE:ABOR")
    source.write(message)
    assert error(source) == '0,"No error"'


def test_what_is_not_armed_does_not_start(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:WAVE:INIT")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:WAVE:ARM;ABOR;INIT")
    assert error(source) == '-221,"Settings conflict"'
    assert flows(bench) == Level(0.0, 10.0)


def test_a_peak_beyond_the_source_or_the_fixed_range_is_not_armed(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:WAVE:AMPL 0.06;OFFS -0.05;ARM")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:CURR:RANG 1e-4;:SOUR:WAVE:RANG FIX;AMPL 2e-4;OFFS 2e-5;ARM")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:WAVE:OFFS 1e-5;ARM")
    assert error(source) == '0,"No error"'
    assert float(source.query("SOUR:CURR:RANG?")) == 2e-4


def test_the_best_range_holds_offset_and_peak(bench: Bench) -> None:
    source = running(bench, "SOUR:WAVE:AMPL 1.5e-3;OFFS 1e-3")
    assert float(source.query("SOUR:CURR:RANG?")) == 2e-2


@pytest.mark.parametrize("setting", ["DUR:TIME 0.5", "DUR:CYCL 8.5"])
def test_a_wave_ends_after_its_duration_and_says_so(setting: str, bench: Bench) -> None:
    source = running(bench, f"{SINE};{setting}")
    source.write("*CLS")
    bench.clock.sleep(0.45)
    assert (source.query("STAT:OPER?"), flows(bench).amps) == ("0\n", 2e-5)
    bench.clock.sleep(0.1)
    assert source.query("STAT:OPER?") == "128\n"
    assert flows(bench) == Level(0.0, 10.0)
    assert source.query("SOUR:WAVE:ARM?") == "1\n"  # so it can be started again
    source.write("SOUR:WAVE:INIT")
    assert flows(bench).amps == 2e-5


def test_a_wave_that_was_aborted_does_not_end_the_next_one(bench: Bench) -> None:
    source = running(bench, f"{SINE};DUR:TIME 0.5")
    bench.clock.sleep(0.4)
    source.write("SOUR:WAVE:ABOR;ARM;INIT")
    bench.clock.sleep(0.4)
    assert flows(bench).amps == 2e-5
    assert source.query("STAT:OPER?") == "0\n"


@pytest.mark.parametrize("message", ["SOUR:WAVE:ABOR", "ABOR", "OUTP 0", "SOUR:CLE", "*RST", "SOUR:DELT:ARM"])
def test_every_way_to_end_a_wave_leaves_no_current(message: str, bench: Bench) -> None:
    source = running(bench)
    source.write(message)
    if message == "SOUR:DELT:ARM":  # nothing answers on the serial line, so the wave goes on
        assert error(source) == '-241,"Hardware missing"'
        source.write("SOUR:WAVE:ABOR")
    assert flows(bench)[::2] == (0.0, None)
    assert source.query("SOUR:WAVE:ARM?") == "0\n"


def test_an_aborted_wave_gives_the_output_back_to_the_level(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write(f"SOUR:CURR 3e-6;:{SINE};:SOUR:WAVE:ARM;INIT")
    source.write("SOUR:WAVE:ABOR")
    assert flows(bench) == Level(3e-6, 10.0)


def test_the_phase_marker_gives_a_reference_while_the_wave_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, float, float]] = []

    def note(port: str, t: float, hz: float, phase: float = 0.0) -> None:
        given.append((port, hz, math.sin(2 * math.pi * hz * t + phase)))

    monkeypatch.setattr(bench.lab.wiring, "set_reference", note)
    source = running(bench)
    source.write("SOUR:WAVE:ABOR")
    assert given == [("k6221.phase_marker", 0.0, 0.0)]  # off: no reference was given
    given.clear()
    source.write("SOUR:WAVE:PMAR:STAT 1;LEV 30;:SOUR:WAVE:ARM;INIT")
    source.write("SOUR:WAVE:ABOR")
    assert given == [
        ("k6221.phase_marker", 17.0, pytest.approx(-0.5)),  # 30 degrees behind the wave
        ("k6221.phase_marker", 0.0, 0.0),
    ]


@pytest.mark.parametrize("marker_deg", [0, 90, -30])
def test_a_lock_in_hears_the_wave_at_the_phase_of_its_marker(marker_deg: int, bench: Bench) -> None:
    lock_in = bench.open("GPIB0::8::INSTR")
    lock_in.write("FMOD 0;SENS 17;OFLT 8;OFSL 3;RSLP 1")
    assert int(lock_in.query("LIAS?")) & 8  # unlocked
    bench.clock.sleep(0.123)
    source = running(bench, f"SOUR:WAVE:FREQ 17.77;AMPL 1e-4;OFFS 2e-5;PMAR {marker_deg};PMAR:STAT 1")
    bench.clock.sleep(3.0)
    lock_in.query("LIAS?")
    bench.clock.sleep(0.1)
    assert not int(lock_in.query("LIAS?")) & 8
    assert float(lock_in.query("FREQ?")) == pytest.approx(17.77)
    ohms = bench.lab.wiring._pairs["sr830.A"].loop.voltage(1.0, bench.lab.now())
    assert float(lock_in.query("OUTP? 3")) == pytest.approx(1e-4 / math.sqrt(2) * ohms, rel=1e-3)
    assert float(lock_in.query("OUTP? 4")) == pytest.approx(marker_deg, abs=0.1)
    source.write("SOUR:WAVE:ABOR")
    assert int(lock_in.query("LIAS?")) & 8


def test_compliance_follows_the_peak(bench: Bench) -> None:
    source = running(bench, "SOUR:CURR:COMP 0.1;:SOUR:WAVE:AMPL 1e-3;OFFS 0")
    assert source.query("STAT:MEAS:COND?") == "0\n"
    source.write("SOUR:WAVE:ABOR;AMPL 1e-2;ARM;INIT")  # 24 ohm of leads alone take 0.24 V
    assert int(source.query("STAT:MEAS:COND?")) & 8
