"""The SR860: named arguments, its own status words, input ranges, direct voltage on the sine."""

import math
from typing import Any

import pytest

from onnes.sim.tones import Tone
from tests.sim.conftest import Bench, MakeBench

LOCK_IN = "GPIB0::9::INSTR"
SCALE_1, SCALE_2, UNLOCK, INPUT, SYNC = 1, 2, 8, 16, 32
HZ = 17.77


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The default lab with an SR860 instead of the SR830."""
    return make_bench(
        under={
            "instrument": {"sr860": {"model": "sr860", "resources": [LOCK_IN]}},
            "drive": [
                {"port": "k6221.out", "loop": "I"},
                {"port": "sr860.sine", "loop": "I", "series_ohm": 1e5},
            ],
            "read": [{"port": "sr860.A", "loop": "I"}],
            "reference": [{"port": "sr860.ref", "from": "k6221.phase_marker"}],
        }
    )


@pytest.fixture
def lock_in(bench: Bench) -> Any:
    return bench.open(LOCK_IN)


def tone(bench: Bench, rms: float, phase: float = 0.0) -> None:
    """Let the contacts show ``rms`` V, and give the reference."""
    t, wiring = bench.lab.now(), bench.lab.wiring
    ohm = wiring._pairs["sr860.A"].loop.voltage(1.0, t)
    wiring.set_source("k6221.out", t, 0.0, 100.0, Tone(HZ, rms * math.sqrt(2) / ohm, phase))
    wiring.set_reference("k6221.phase_marker", t, HZ)


def listening(bench: Bench, lock_in: Any, rms: float, phase: float = 0.0) -> None:
    tone(bench, rms, phase)
    lock_in.write("RSRC EXT;OFLT 10;OFSL 3")
    bench.clock.sleep(5.0)
    lock_in.query("LIAS?")


@pytest.mark.parametrize(
    ("sent", "asked", "reply"),
    [
        ("RSRC EXTERNAL", "RSRC?", "1"),
        ("rsrc ext", "RSRC?", "1"),
        ("IRNG 10M", "IRNG?", "4"),
        ("SYNC ON", "SYNC?", "1"),
        ("AUXV 0, 1.5", "AUXV? 0", "1.500"),
        ("PSTF2, 1e1", "PSTF? 2", "10"),
        ("Harm 3", "HARM?", "3"),
        ("PHAS 270.5", "PHAS?", "-89.500000"),
        ("CDSP 1, 5", "CDSP? 1", "5"),
        ("FREQ 123.456", "FREQINT?", "123.456"),
    ],
)
def test_arguments_are_numbers_or_names(sent: str, asked: str, reply: str, lock_in: Any) -> None:
    lock_in.write(sent)
    assert lock_in.query(asked) == f"{reply}\n"
    assert lock_in.query("*ESR? 4") == lock_in.query("*ESR? 5") == "0\n"


@pytest.mark.parametrize("sent", ["SCAL 28", "OFLT 22", "FREQ 1e5;HARM 6", "SLVL 0", "PSTF 4,1", "RSRC 4"])
def test_what_it_does_not_have_is_refused(sent: str, lock_in: Any) -> None:
    lock_in.write(sent)
    assert lock_in.query("*ESR? 4") == "1\n"


def test_scales_descend_and_do_not_cut_what_is_read(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 3e-3, phase=0.2)
    lock_in.write("SCAL 9")  # 1 mV
    assert float(lock_in.query("OUTP? R")) == pytest.approx(3e-3, rel=1e-3)
    assert int(lock_in.query("CUROVLDSTAT?")) == SCALE_1
    lock_in.write("SCAL 12;ASCL")
    assert lock_in.query("SCAL?") == "7\n"  # 5 mV
    assert int(lock_in.query("CUROVLDSTAT?")) == 0
    assert int(lock_in.query("LIAS?")) == SCALE_1 | SCALE_2


def test_a_smaller_input_range_overloads(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 20e-3)  # 28 mV peak
    assert [lock_in.query(q).strip() for q in ("ILVL?", "CUROVLDSTAT?")] == ["0", "0"]
    lock_in.write("IRNG 4")
    assert lock_in.query("ILVL?") == "4\n"
    assert int(lock_in.query("CUROVLDSTAT?")) == INPUT
    lock_in.write("ARNG")
    assert lock_in.query("IRNG?") == "3\n"
    assert int(lock_in.query("CUROVLDSTAT?")) == 0


def test_it_says_that_it_is_unlocked_and_that_the_synchronous_filter_is_out_of_range(
    bench: Bench, lock_in: Any
) -> None:
    lock_in.write("RSRC 1")
    bench.clock.sleep(1.0)
    assert int(lock_in.query("CUROVLDSTAT?")) == UNLOCK
    lock_in.write("RSRC 0;SYNC 1;FREQ 1000")
    assert int(lock_in.query("CUROVLDSTAT?")) == SYNC
    lock_in.write("FREQ 100")
    assert int(lock_in.query("CUROVLDSTAT?")) == 0
    assert int(lock_in.query("LIAS?")) & (UNLOCK | SYNC) == UNLOCK | SYNC


def test_quantities_have_numbers_and_names(bench: Bench, lock_in: Any) -> None:
    listening(bench, lock_in, 3e-3, phase=0.2)
    x, y, hz = map(float, lock_in.query("SNAP? X, Y, FExt").split(","))
    assert hz == HZ
    assert (x, y) == pytest.approx((3e-3 * math.cos(0.2), 3e-3 * math.sin(0.2)), rel=1e-3)
    assert float(lock_in.query("OUTP? THeta")) == pytest.approx(math.degrees(0.2), abs=0.05)
    lock_in.write("APHS")
    bench.clock.sleep(5.0)
    assert abs(float(lock_in.query("OUTP? 1"))) < 1e-6
    lock_in.write("AUXV 1,0.5;SOFF 0.25;SLVL 0.125")
    assert [float(lock_in.query(f"OUTP? {n}")) for n in (11, 13, 14, 15)] == [0.5, 0.125, 0.25, 1e5]
    shown = list(map(float, lock_in.query("SNAPD?").split(",")))
    assert shown[2] == pytest.approx(3e-3, rel=1e-3)
    assert float(lock_in.query("OUTP? XNO")) == pytest.approx(3.7e-9, rel=0.1)


def test_the_direct_voltage_of_the_sine_drives_the_loop(bench: Bench, lock_in: Any) -> None:
    lock_in.write("SOFF 2")
    level = bench.lab.wiring.output("sr860.sine").at(bench.lab.now())
    assert level.amps == pytest.approx(2e-5)


def test_its_own_sine_is_heard(bench: Bench, lock_in: Any) -> None:
    ohm = bench.lab.wiring._pairs["sr860.A"].loop.voltage(1.0, 0.0)
    lock_in.write("FREQ 111;SLVL 2;OFSL 3")
    bench.clock.sleep(5.0)
    assert float(lock_in.query("OUTP? X")) == pytest.approx(2.0 / 1e5 * ohm, rel=1e-3)
    assert float(lock_in.query("ENBW?")) == pytest.approx(5 / 64 / 0.1)
    lock_in.write("IVMD 1")
    assert float(lock_in.query("OUTP? X")) == 0.0
