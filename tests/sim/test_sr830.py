"""The SR830: ranges and roundings of its manual, overload and unlock, sine output, buffer."""

import hashlib
import math
import struct
from typing import Any

import numpy as np
import pytest
from pyvisa.errors import VisaIOError

from onnes.instruments.errors import ConfigurationError
from onnes.sim.tones import Tone
from tests.sim.conftest import Bench, MakeBench

LOCK_IN = "GPIB0::8::INSTR"
INPUT, OUTPUT, UNLOCK, RANGE, TAU, TRIGGER = 1, 4, 8, 16, 32, 64
HZ = 17.77


@pytest.fixture
def lock_in(bench: Bench) -> Any:
    return bench.open(LOCK_IN)


def tone(bench: Bench, rms: float, hz: float = HZ) -> None:
    """Let the contacts show ``rms`` V, and give the reference."""
    t, wiring = bench.lab.now(), bench.lab.wiring
    ohm = wiring._pairs["sr830.A"].loop.voltage(1.0, t)
    wiring.set_source("k6221.out", t, 0.0, 100.0, Tone(hz, rms * math.sqrt(2) / ohm))
    wiring.set_reference("k6221.phase_marker", t, hz)


def listening(bench: Bench, lock_in: Any, rms: float) -> None:
    """Listen to ``rms`` V on the scale of 1 V, settled."""
    tone(bench, rms)
    lock_in.write("FMOD 0;OFLT 8;OFSL 3")
    bench.clock.sleep(5.0)
    lock_in.query("LIAS?")


def status(lock_in: Any) -> int:
    return int(lock_in.query("LIAS?"))


@pytest.mark.parametrize(
    ("sent", "asked", "reply"),
    [
        ("SLVL 0.0051", "SLVL?", "0.006"),  # steps of 2 mV
        ("PHAS 541", "PHAS?", "-179.00"),  # wrapped
        ("PHAS -200", "PHAS?", "160.00"),
        ("PHAS 12.345", "PHAS?", "12.35"),
        ("FREQ 123456e-3", "FREQ?", "123.46"),  # five digits
        ("FREQ 0.00123", "FREQ?", "0.0012"),  # or 0.1 mHz
        ("FREQ 1000;HARM 200", "HARM?", "102"),  # not above 102 kHz
    ],
)
def test_values_are_rounded_as_the_manual_says(sent: str, asked: str, reply: str, lock_in: Any) -> None:
    lock_in.write(sent)
    found = lock_in.query(asked).strip()
    assert float(found) == pytest.approx(float(reply), abs=1e-9)
    assert lock_in.query("*ESR? 4") == "0\n"


@pytest.mark.parametrize("sent", ["HARM 100;FREQ 2000", "FMOD 0;FREQ 100", "SENS 27", "OFLT 14"])
def test_what_does_not_go_together_is_refused(sent: str, lock_in: Any) -> None:
    lock_in.write(sent)
    assert lock_in.query("*ESR? 4") == "1\n"


def test_readings_travel_with_three_digits_of_the_exponent(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    x, y = lock_in.query("SNAP? 1,2").strip().split(",")
    assert x[-5:] == "e-004" or x[-5:] == "e-003"
    assert float(x) == pytest.approx(1e-3, rel=1e-4)
    assert abs(float(y)) < 1e-6


def test_the_outputs_are_of_one_instant(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    lock_in.write("PHAS 30")
    bench.clock.sleep(5.0)
    x, y, r, angle, aux, hz = map(float, lock_in.query("SNAP? 1,2,3,4,5,9").split(","))
    assert r == pytest.approx(math.hypot(x, y), rel=1e-5)
    assert (aux, hz) == (0.0, HZ)
    assert angle == pytest.approx(-30.0, abs=0.01)
    assert [float(lock_in.query(f"OUTP? {n}")) for n in (1, 2, 3, 4)] == pytest.approx(
        [x, y, r, angle], rel=1e-3
    )
    lock_in.write("DDEF 1,1,0;DDEF 2,1,0")
    assert [float(lock_in.query(f"OUTR? {n}")) for n in (1, 2)] == pytest.approx([r, angle], rel=1e-3)
    lock_in.write("DDEF 1,2,0")
    assert float(lock_in.query("OUTR? 1")) == pytest.approx(8.5e-9, rel=0.1)  # 6 nV with 1/f at 17.77 Hz


def test_an_output_beyond_its_scale_is_cut_and_says_so(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1.2e-3)
    assert status(lock_in) == 0
    lock_in.write("SENS 17")  # 1 mV
    assert float(lock_in.query("OUTP? 1")) == pytest.approx(1.09e-3)
    assert status(lock_in) & OUTPUT
    lock_in.write("SENS 18")
    assert status(lock_in) & OUTPUT  # until the change it was
    assert status(lock_in) == 0


def test_an_overload_between_two_looks_is_latched(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 0.5e-3)
    lock_in.write("SENS 17")
    tone(bench, 5e-3)
    bench.clock.sleep(5.0)
    tone(bench, 0.5e-3)
    bench.clock.sleep(5.0)
    assert lock_in.query("LIAS? 2") == "1\n"
    assert lock_in.query("LIAS? 2") == "0\n"


def test_offset_and_expand_move_the_end_of_the_scale(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 0.9e-3)
    lock_in.write("SENS 17;OEXP 1,85,1")
    assert float(lock_in.query("OUTP? 1")) == pytest.approx(0.05e-3, rel=1e-2)
    lock_in.write("OEXP 1,0,1")
    status(lock_in)
    assert float(lock_in.query("OUTP? 1")) == pytest.approx(0.109e-3)
    assert status(lock_in) & OUTPUT


def test_more_reserve_takes_a_foreign_tone_that_overloads_the_input(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-6)
    lock_in.write("SENS 9;RMOD 2")  # 2 uV, low noise
    bench.lab.faults.add("line_spur", at=bench.lab.now() + 1.0, volts=1e-3, hz=50.0)
    bench.clock.sleep(2.0)
    assert status(lock_in) & INPUT
    lock_in.write("RMOD 0")
    bench.clock.sleep(1.0)
    status(lock_in)
    assert not status(lock_in) & INPUT
    lock_in.write("RMOD 2;ARSV")
    assert lock_in.query("RMOD?") == "0\n"


def test_direct_voltage_overloads_only_where_it_is_coupled(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-6)
    bench.lab.wiring.set_source("k6221.out", bench.lab.now(), 1e-3, 100.0, Tone(HZ, 1e-9))
    lock_in.write("SENS 9")
    bench.clock.sleep(5.0)
    status(lock_in)
    assert not status(lock_in) & INPUT
    lock_in.write("ICPL 1")
    assert status(lock_in) & INPUT


def test_a_direct_voltage_that_overloads_between_two_looks_is_latched(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-6)
    lock_in.write("SENS 9;ICPL 1")
    bench.lab.wiring.set_source("k6221.out", bench.lab.now(), 0.0, 100.0)
    status(lock_in)
    for amps in (1e-3, 0.0):
        bench.clock.sleep(5.0)
        bench.lab.wiring.set_source("k6221.out", bench.lab.now(), amps, 100.0)
    bench.clock.sleep(5.0)
    assert status(lock_in) & INPUT
    assert not status(lock_in) & INPUT


def test_it_is_unlocked_without_a_reference(bench: Bench, lock_in: Any) -> None:
    lock_in.write("FMOD 0")
    bench.clock.sleep(1.0)
    assert status(lock_in) & UNLOCK
    assert status(lock_in) & UNLOCK  # still
    tone(bench, 1e-3)
    bench.clock.sleep(1.0)
    status(lock_in)
    assert not status(lock_in) & UNLOCK
    assert lock_in.query("FREQ?") == "17.77\n"


def test_the_range_of_the_frequency_takes_long_filters_away(lock_in: Any) -> None:
    lock_in.write("FREQ 100;OFLT 15;SYNC 1")
    assert status(lock_in) & RANGE
    assert lock_in.query("OFLT?") == "15\n"
    lock_in.write("FREQ 202")  # not yet
    assert not status(lock_in) & RANGE
    lock_in.write("FREQ 204")
    assert status(lock_in) & (RANGE | TAU) == RANGE | TAU
    lock_in.write("FREQ 100")
    assert [lock_in.query(q).strip() for q in ("OFLT?", "SYNC?")] == ["13", "0"]  # not restored


def test_the_sine_output_drives_a_loop_through_a_resistor_and_is_never_off(make_bench: MakeBench) -> None:
    drive = {"port": "sr830.sine", "loop": "I", "series_ohm": 1e5}
    bench = make_bench(under={"drive": [drive]})
    lock_in: Any = bench.open(LOCK_IN)
    ohm = bench.lab.wiring._pairs["sr830.A"].loop.voltage(1.0, 0.0)
    for volts in ("1.000", "0.004"):
        lock_in.write(f"SLVL {volts};FREQ 17.77;OFSL 3")
        bench.clock.sleep(5.0)
        assert float(lock_in.query("OUTP? 1")) == pytest.approx(float(volts) / 1e5 * ohm, abs=3e-8)
    lock_in.write("HARM 2")
    bench.clock.sleep(5.0)
    assert abs(float(lock_in.query("OUTP? 3"))) < 1e-7


def test_the_sine_output_follows_an_external_reference(make_bench: MakeBench) -> None:
    bench = make_bench(under={"drive": [{"port": "sr830.sine", "loop": "I", "series_ohm": 1e5}]})
    lock_in: Any = bench.open(LOCK_IN)
    lock_in.write("FMOD 0;OFSL 3")
    bench.lab.wiring.set_reference("k6221.phase_marker", bench.lab.now(), 31.0, 0.7)
    driven = bench.lab.wiring.output("sr830.sine").at(bench.lab.now()).tone
    assert driven is not None
    assert (driven.hz, driven.phase) == (31.0, 0.7)
    assert driven.peak == pytest.approx(math.sqrt(2) / 1e5)
    bench.clock.sleep(5.0)
    assert abs(float(lock_in.query("OUTP? 4"))) < 0.1


@pytest.mark.parametrize(
    ("drive", "problem"),
    [
        ({"port": "sr830.sine", "loop": "I"}, "'sr830.sine' gives a voltage; give series_ohm, which makes"),
        ({"port": "k6221.out", "loop": "I", "series_ohm": 1e3}, "'k6221.out' gives a current, which no ser"),
    ],
)
def test_only_a_voltage_goes_through_a_resistor(
    drive: dict[str, Any], problem: str, make_bench: MakeBench
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make_bench(under={"drive": [drive]})


def test_the_buffer_fills_in_lab_time_and_comes_in_three_forms(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    lock_in.write("SRAT 7;SEND 0;REST;STRT")  # 8 Hz
    assert not lock_in.stb & 1
    bench.clock.sleep(1.06)
    lock_in.write("PAUS")
    assert lock_in.stb & 1
    assert lock_in.query("SPTS?") == "9\n"
    texts = lock_in.query("TRCA? 1,0,9").strip().split(",")
    assert texts.pop() == ""  # the last has its comma
    lock_in.write("TRCB? 1,0,9")
    floats = struct.unpack("<9f", lock_in.read_bytes(36))
    lock_in.write("TRCL? 1,0,9")
    packed = lock_in.read_bytes(36)
    parts = [struct.unpack_from("<hBB", packed, 4 * k) for k in range(9)]
    assert floats == pytest.approx([float(text) for text in texts], rel=1e-5)
    assert [m * 2.0 ** (e - 124) for m, e, _ in parts] == pytest.approx(floats, rel=1e-4)
    assert floats == pytest.approx([1e-3] * 9, rel=1e-3)
    lock_in.write("REST")
    assert lock_in.query("SPTS?") == "0\n"


def test_points_that_are_not_there_are_refused(bench: Bench, lock_in: Any) -> None:
    lock_in.write("SRAT 7;STRT")
    bench.clock.sleep(1.0)
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        lock_in.query("TRCA? 1,0,100")
    assert lock_in.query("*ESR? 4") == "1\n"


def test_a_full_buffer_ends_or_forgets_its_first_points(lock_in: Any, bench: Bench) -> None:
    lock_in.write("OFLT 0;SRAT 13;SEND 0;STRT")
    bench.clock.sleep(40.0)
    assert lock_in.query("SPTS?") == "16383\n"
    assert lock_in.stb & 1
    lock_in.write("REST;SEND 1;STRT")
    bench.clock.sleep(33.0)
    assert lock_in.query("SPTS?") == "16383\n"
    assert not lock_in.stb & 1


def test_a_setting_changed_meanwhile_does_not_reach_back_into_the_buffer(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    lock_in.write("OFLT 6;SRAT 7;REST;STRT")  # 10 ms: settles at once
    bench.clock.sleep(1.0)
    lock_in.write("PHAS 180")
    bench.clock.sleep(1.0)
    lock_in.write("PAUS;TRCA? 1,0,16")
    values = np.array([float(text) for text in lock_in.read().strip().split(",")[:-1]])
    assert (values[:8] > 0).all()
    assert (values[9:] < 0).all()


def test_triggers_store_one_point_each_or_begin_a_scan(bench: Bench, lock_in: Any) -> None:
    lock_in.write("SRAT 14;STRT;TRIG;TRIG;*CLS")
    lock_in.assert_trigger()
    assert lock_in.query("SPTS?") == "3\n"
    assert status(lock_in) & TRIGGER
    lock_in.write("REST;SRAT 7;TSTR 1;TRIG")
    bench.clock.sleep(1.0)
    assert int(lock_in.query("SPTS?")) == 9
    lock_in.write("REST;TSTR 0;STRD")
    bench.clock.sleep(1.0)
    assert int(lock_in.query("SPTS?")) == 5  # begun half a second late


def test_a_buffer_that_nobody_asks_fills_all_the_same(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    lock_in.write("SRAT 0;STRT")  # one in 16 s
    bench.clock.sleep(4 * 3600.0)
    assert lock_in.query("SPTS?") == "901\n"


@pytest.mark.parametrize(
    ("kind", "args", "change"), [("offset", {"volts": 1e-4}, 1e-4), ("drift", {"volts_per_s": 1e-5}, 1e-4)]
)
def test_faults_of_the_input_reach_both_outputs(
    kind: Any, args: dict[str, Any], change: float, bench: Bench, lock_in: Any
) -> None:
    listening(bench, lock_in, 1e-3)
    before = np.array([float(text) for text in lock_in.query("SNAP? 1,2").split(",")])
    bench.lab.faults.add(kind, "sr830", at=bench.lab.now() + 1.0, **args)
    bench.clock.sleep(11.0)
    after = np.array([float(text) for text in lock_in.query("SNAP? 1,2").split(",")])
    assert after - before == pytest.approx([change, change], abs=2e-6)


def test_a_stuck_or_overloaded_input_shows_it(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    begin = bench.lab.now()
    bench.lab.faults.add("stuck", "sr830", at=begin + 1.0, until=begin + 100.0)
    bench.lab.faults.add("overload", "sr830", at=begin + 200.0, until=begin + 300.0)
    bench.clock.sleep(2.0)
    stuck = lock_in.query("SNAP? 1,2")
    tone(bench, 3e-3)
    bench.clock.sleep(10.0)
    assert lock_in.query("SNAP? 1,2") == stuck
    assert not status(lock_in) & INPUT
    bench.clock.sleep_until(bench.lab.origin + begin + 250.0)
    assert status(lock_in) & INPUT


def test_the_input_for_currents_is_open(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 1e-3)
    lock_in.write("ISRC 2")
    assert float(lock_in.query("OUTP? 3")) == 0.0


def replies(bench: Bench, polls: int) -> str:
    lock_in: Any = bench.open(LOCK_IN)
    listening(bench, lock_in, 1e-6)
    found = []
    for k in range(20):
        for j in range(polls):
            bench.clock.sleep_until(bench.lab.origin + 10.0 + k + 0.1 * j)
            lock_in.query("SNAP? 1,2")
        bench.clock.sleep_until(bench.lab.origin + 10.9 + k)
        found.append(lock_in.query("SNAP? 1,2"))
    return hashlib.sha256("".join(found).encode()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_however_often_it_is_read(make_bench: MakeBench) -> None:
    first = replies(make_bench(), 0)
    assert first == replies(make_bench(), 0) == replies(make_bench(), 6)
    assert first != replies(make_bench(seed=8), 0)
