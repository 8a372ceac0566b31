"""The 6221 and the 2182A as instruments: ranges, compliance, times, filters, noise, and what they repeat."""

import hashlib
from typing import Any

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from tests.sim.conftest import METER, PPMS, SOURCE, Bench, MakeBench


def measuring(bench: Bench, setup: str = "SENS:VOLT:DFIL 0;NPLC 1") -> MessageBasedResource:
    meter = bench.open(METER, timeout=60_000)
    meter.write(setup)
    return meter


def errors(instrument: MessageBasedResource) -> str:
    return instrument.query("SYST:ERR?").strip()


# --- 6221 -------------------------------------------------------------------------------------------------


def test_the_source_drives_only_while_its_output_is_on(bench: Bench) -> None:
    source, meter = bench.open(SOURCE), measuring(bench)
    source.write("SOUR:CURR 1e-3")
    off = float(meter.query("READ?"))
    source.write("OUTP ON")
    on = float(meter.query("READ?"))
    source.write("SOUR:CLE")
    cleared = float(meter.query("READ?"))
    assert off == pytest.approx(cleared, abs=200e-9)
    assert on - off > 1e-3
    assert source.query("SOUR:CURR?;:OUTP?") == "+0.000000E+00;0\n"


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("1e-9", 2e-9),
        ("2e-9", 2e-9),
        ("3e-5", 2e-4),
        ("-3e-5", 2e-4),
        ("0.1", 0.1),
        ("0.105", 0.1),
        ("0", 2e-9),
    ],
)
def test_a_fixed_range_is_the_lowest_that_holds_the_value(asked: str, chosen: float, bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write(f"SOUR:CURR:RANG {asked}")
    assert float(source.query("SOUR:CURR:RANG?")) == chosen
    assert source.query("SOUR:CURR:RANG:AUTO?") == "0\n"
    assert errors(source) == '0,"No error"'


def test_a_level_beyond_the_fixed_range_is_a_conflict_and_stays_unset(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:CURR:RANG 1e-4")
    source.write("SOUR:CURR 2.1e-4")  # 5 % over is what the range still holds
    assert errors(source) == '0,"No error"'
    source.write("SOUR:CURR 2.2e-4")
    assert errors(source) == '-221,"Settings conflict"'
    source.write("SOUR:CURR:RANG 1e-6")  # below the present level
    assert errors(source) == '-221,"Settings conflict"'
    assert source.query("SOUR:CURR?;:SOUR:CURR:RANG?") == "+2.100000E-04;+2.000000E-04\n"


def test_autorange_follows_the_level(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:CURR 5e-5")
    assert float(source.query("SOUR:CURR:RANG?")) == 2e-4
    source.write("SOUR:CURR:RANG 1e-2;RANG:AUTO 1")
    assert float(source.query("SOUR:CURR:RANG?")) == 2e-4


def test_compliance_sets_a_bit_that_stays_until_read(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:CURR:COMP 0.1;:SOUR:CURR 0.1;:OUTP 1")  # 12 ohm leads alone need 2.4 V
    assert int(source.query("STAT:MEAS:COND?")) & 8
    source.write("STAT:MEAS:ENAB 8;*SRE 1")
    assert source.read_stb() & 0x41 == 0x41
    assert int(source.query("STAT:MEAS?")) & 8
    source.write("SOUR:CURR 1e-4")
    assert source.query("STAT:MEAS:COND?;:STAT:MEAS?") == "0;0\n"
    source.write("OUTP 0;:SOUR:CURR 0.1")
    assert source.query("STAT:MEAS:COND?") == "0\n"


def test_a_compliance_of_a_moment_is_latched_and_one_that_lasts_only_once(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:CURR:COMP 0.1;:SOUR:CURR 1e-4;:OUTP 1")
    assert source.query("STAT:MEAS:EVEN?;COND?") == "0;0\n"
    source.write("SOUR:CURR -0.1")
    source.write("SOUR:CURR 1e-4")
    assert source.query("STAT:MEAS:EVEN?;COND?") == "8;0\n"
    source.write("SOUR:CURR 0.1")
    assert source.query("STAT:MEAS:EVEN?;COND?") == "8;8\n"
    assert source.query("STAT:MEAS:EVEN?;COND?") == "0;8\n"


def test_a_contact_that_opens_while_the_current_stays_is_latched_at_the_next_change(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:CURR 1e-4;:OUTP 1")
    with monkeypatch.context() as opened:
        opened.setattr(bench.lab.wiring, "in_compliance", lambda port, _t: port == "k6221.out")
        source.write("SOUR:CURR -1e-4")
    assert source.query("STAT:MEAS:EVEN?;COND?") == "8;0\n"


def test_delta_low_follows_high(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:DELT:HIGH 2e-4")
    assert source.query("SOUR:DELT:LOW?;NVPR?;ARM?") == "-2.000000E-04;0;0\n"


# --- 2182A ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setup", "seconds"),
    [
        ("SENS:VOLT:DFIL 0;NPLC 1", 0.04),
        ("SENS:VOLT:DFIL 0;NPLC 5", 0.2),
        ("SENS:VOLT:DFIL 0;APER 0.02", 0.04),
        ("SENS:VOLT:DFIL 0;NPLC 1;:SYST:AZER 0", 0.02),
        ("SENS:VOLT:DFIL 0;NPLC 1;:SYST:FAZ 0", 0.02),
        ("SENS:VOLT:DFIL 0;NPLC 1;LPAS 1", 0.165),
        ("SENS:VOLT:DFIL 1;DFIL:COUN 4;TCON REP;:SENS:VOLT:NPLC 1", 0.16),
        ("SENS:VOLT:DFIL 1;DFIL:COUN 4;TCON MOV;:SENS:VOLT:NPLC 1", 0.04),
        ("SENS:VOLT:DFIL 0;NPLC 1;:TRIG:DEL 0.5", 0.54),
        ("SENS:VOLT:DFIL 0;NPLC 1;:TRIG:COUN 3", 0.12),
    ],
)
def test_a_reading_takes_its_time(setup: str, seconds: float, bench: Bench) -> None:
    meter = measuring(bench, setup)
    start = bench.clock.now()
    meter.query("READ?")
    assert bench.clock.now() - start == pytest.approx(seconds + 0.005)  # and 5 ms of the bus
    assert errors(meter) == '0,"No error"'


def test_readings_last_longer_on_a_slower_mains(make_bench: MakeBench) -> None:
    bench = make_bench(under={"lab": {"line_hz": 60}})
    meter = measuring(bench)
    start = bench.clock.now()
    meter.query("READ?")
    assert bench.clock.now() - start == pytest.approx(2 / 60 + 0.005)
    meter.write("SENS:VOLT:NPLC 60")
    assert meter.query("SENS:VOLT:NPLC?;:SYST:LFR?") == "+6.000000E+01;60\n"


def test_integration_is_limited_to_a_second(bench: Bench) -> None:
    meter = measuring(bench)
    meter.write("SENS:VOLT:NPLC 60")
    assert errors(meter) == '-222,"Parameter data out of range"'


@pytest.mark.parametrize("nplc", [0.1, 1.0, 5.0])
def test_noise_falls_with_the_root_of_the_integration_time(nplc: float, make_bench: MakeBench) -> None:
    quiet = {"port": "k2182a.ch1", "loop": "I", "emf_nv": 0.0, "emf_noise_nv": 0.0}
    bench = make_bench(under={"read": [quiet]})
    meter = measuring(bench, f"SENS:VOLT:DFIL 0;NPLC {nplc}")
    volts = np.array([float(meter.query("READ?")) for _ in range(2000)])
    rms = 15e-9 / np.sqrt(nplc)
    assert volts.std() == pytest.approx(rms, rel=4 / np.sqrt(2 * 2000))
    assert volts.mean() == pytest.approx(0.0, abs=4 * rms / np.sqrt(2000))


def test_a_repeating_filter_averages_and_a_moving_one_keeps_what_it_had(make_bench: MakeBench) -> None:
    quiet = {"port": "k2182a.ch1", "loop": "I", "emf_nv": 0.0, "emf_noise_nv": 0.0}
    bench = make_bench(under={"read": [quiet]})
    meter = measuring(bench, "SENS:VOLT:NPLC 1;DFIL 1;DFIL:COUN 16;TCON REP")
    volts = np.array([float(meter.query("READ?")) for _ in range(500)])
    assert volts.std() == pytest.approx(15e-9 / 4, rel=4 / np.sqrt(2 * 500))
    meter.write("SENS:VOLT:DFIL:TCON MOV")
    volts = np.array([float(meter.query("READ?")) for _ in range(500)])[16:]
    assert volts.std() < 6e-9
    assert np.corrcoef(volts[1:], volts[:-1])[0, 1] > 0.8  # neighbours share 15 of 16 conversions


def test_a_moving_filter_smears_a_small_step_and_lets_a_large_one_through(bench: Bench) -> None:
    source = bench.open(SOURCE)
    meter = measuring(bench, "SENS:VOLT:NPLC 1;DFIL 1;DFIL:COUN 10;TCON MOV;WIND 0.01;:SENS:VOLT:RANG 0.01")
    source.write("OUTP 1")
    before = [float(meter.query("READ?")) for _ in range(10)][-1]
    source.write("SOUR:CURR 5e-8")  # 0.4 uV at 300 K, inside the window of 1 uV
    assert float(meter.query("READ?")) - before < 0.1e-6
    source.write("SOUR:CURR 1e-5")  # 86 uV
    assert float(meter.query("READ?")) - before > 80e-6


def test_more_than_120_percent_of_a_fixed_range_overflows(bench: Bench) -> None:
    source, meter = bench.open(SOURCE), measuring(bench)
    source.write("SOUR:CURR:COMP 50;:SOUR:CURR 2e-3;:OUTP 1")  # 17 mV
    assert 0.015 < float(meter.query("READ?")) < 0.02
    assert float(meter.query("SENS:VOLT:CHAN1:RANG?")) == 0.1  # found by autorange
    meter.write("SENS:VOLT:RANG 0.01")
    assert meter.query("READ?") == "+9.9E37\n"
    assert meter.query("SENS:VOLT:CHAN1:RANG:AUTO?") == "0\n"
    source.write("SOUR:CURR 1.3e-3")  # 11 mV: over the range, within its 120 %
    assert 0.010 < float(meter.query("READ?")) < 0.012


def test_a_fetched_reading_is_the_old_one_and_fresh_only_once(bench: Bench) -> None:
    meter = measuring(bench, "SENS:VOLT:DFIL 0;NPLC 1")
    meter.write("FETC?")
    assert errors(meter).startswith("-230")
    reading = meter.query("READ?")
    assert [meter.query("FETC?"), meter.query("SENS:DATA?")] == [reading, reading]
    meter.write("SENS:DATA:FRES?")
    assert errors(meter).startswith("-230")
    meter.write("INIT")
    bench.clock.sleep(0.1)
    fresh = meter.query("SENS:DATA:FRES?")
    assert fresh != reading
    assert meter.query("FETC?") == fresh


def test_a_reading_spans_a_change_of_the_current(bench: Bench) -> None:
    source, meter = bench.open(SOURCE), measuring(bench, "SENS:VOLT:DFIL 0;NPLC 5")
    source.write("SOUR:CURR 1e-3;:OUTP 1")
    full = float(meter.query("READ?"))
    meter.write("READ?")  # integrates for 0.2 s
    bench.clock.sleep(0.099)
    source.write("SOUR:CURR 0")
    assert float(meter.read()) == pytest.approx(full / 2, rel=1e-3)


def test_an_aborted_cycle_stores_nothing_more(bench: Bench) -> None:
    meter = measuring(bench, "SENS:VOLT:DFIL 0;NPLC 5;:TRAC:POIN 10;FEED:CONT NEXT;:TRIG:COUN 10;:INIT")
    bench.clock.sleep(0.5)
    meter.write("ABOR")
    bench.clock.sleep(10.0)
    assert len(meter.query_ascii_values("TRAC:DATA?")) == 2
    meter.write("TRAC:CLE;:TRAC:DATA?")
    assert errors(meter).startswith("-230")


def test_it_measures_only_when_asked(bench: Bench) -> None:
    meter = measuring(bench)
    meter.write("INIT:CONT 1")
    assert errors(meter) == '-221,"Settings conflict"'
    assert meter.query("INIT:CONT?") == "0\n"


def test_an_unwired_channel_reads_nothing_but_noise(bench: Bench) -> None:
    source, meter = bench.open(SOURCE), measuring(bench)
    source.write("SOUR:CURR 1e-3;:OUTP 1;")
    meter.write("SENS:CHAN 2")
    assert abs(float(meter.query("READ?"))) < 75e-9
    meter.write("SENS:CHAN 0")
    assert float(meter.query("READ?")) == 23.0


# --- what repeats -----------------------------------------------------------------------------------------


def script(bench: Bench, *, poll: bool = False) -> str:
    """Return a hash over the replies of a small measurement whose readings are pinned to lab times."""
    source, meter, ppms = bench.open(SOURCE), measuring(bench), bench.open(PPMS)
    source.write("SOUR:CURR:COMP 1;:SOUR:CURR 1e-4;:OUTP 1")
    ppms.write("TEMP 290 10 0")
    replies: list[Any] = []
    for number in range(1, 60):
        bench.clock.sleep_until(2.0 * number)
        replies.append(meter.query("READ?"))
        bench.clock.sleep_until(2.0 * number + 0.5)
        replies.append(ppms.query("GETDAT? 6"))
        if poll:
            for _ in range(3):
                ppms.query("GETDAT? 2")
                source.query("SOUR:CURR?")
    return hashlib.sha256("".join(replies).encode()).hexdigest()


def test_one_seed_gives_the_same_replies_and_another_others(make_bench: MakeBench) -> None:
    first = script(make_bench(seed=7))
    assert script(make_bench(seed=7)) == first
    assert script(make_bench(seed=8)) != first


def test_asking_more_often_changes_no_reading_of_equal_lab_time(make_bench: MakeBench) -> None:
    assert script(make_bench(), poll=True) == script(make_bench())
