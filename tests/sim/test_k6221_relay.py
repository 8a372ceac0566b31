"""The serial line of the 6221: what reaches a 2182A on it, at which speed, and who stays silent."""

from pathlib import Path

import pytest
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab_file import load_lab
from tests.sim.conftest import METER, SOURCE, Bench, MakeBench

IDENTITY = "KEITHLEY INSTRUMENTS INC.,MODEL 2182A,SIM0002,C01\n"


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The lab with a 2182A behind the 6221."""
    return make_bench(lab="delta")


def error(source: MessageBasedResource) -> str:
    return source.query("SYST:ERR?").strip()


def relayed(source: MessageBasedResource, message: str) -> str:
    return source.query(f'SYST:COMM:SER:SEND "{message}";ENT?')


def assert_no_answer(source: MessageBasedResource) -> None:
    source.timeout = 500
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        source.query("SYST:COMM:SER:SEND '*IDN?';ENT?")
    assert error(source) == '-365,"Time out error"'
    assert error(source) == '-420,"Query UNTERMINATED"'  # the 6221 was asked to talk, too


def test_the_relay_hands_a_question_on_and_its_reply_back(bench: Bench) -> None:
    source = bench.open(SOURCE)
    assert relayed(source, "*IDN?") == IDENTITY + "\n"  # with the terminator of the 2182A
    source.write("SYST:COMM:SER:SEND 'SENS:VOLT:NPLC 2;:SENS:VOLT:RANG 0.1'")
    assert relayed(source, "SENS:VOLT:NPLC?;RANG?") == "+2.000000E+00;+1.000000E-01\n\n"
    assert error(source) == '0,"No error"'


def test_the_line_takes_its_time_both_ways(bench: Bench) -> None:
    source = bench.open(SOURCE)
    start = bench.clock.now()
    relayed(source, "*IDN?")
    # 1 ms of the bus and 4 ms of the 2182A
    assert bench.clock.now() - start == pytest.approx(0.005 + (6 + len(IDENTITY)) * 10 / 19200)


def test_the_relay_waits_for_a_reading(bench: Bench) -> None:
    source = bench.open(SOURCE, timeout=10_000)
    source.write("SYST:COMM:SER:SEND 'SENS:VOLT:DFIL 0;NPLC 5'")
    start = bench.clock.now()
    assert abs(float(relayed(source, "READ?"))) < 1e-6
    assert bench.clock.now() - start == pytest.approx(0.2 + 0.02, abs=0.01)


def test_a_2182a_on_its_serial_line_is_silent_on_the_bus(bench: Bench) -> None:
    meter = bench.open(METER, timeout=500)
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        meter.query("*IDN?")
    assert relayed(bench.open(SOURCE), "SYST:ERR?") == '0,"No error"\n\n'


def test_a_2182a_on_the_bus_is_silent_on_the_serial_line(make_bench: MakeBench) -> None:
    bench = make_bench()
    source = bench.open(SOURCE)
    assert source.query("SOUR:DELT:NVPR?;:SOUR:DCON:NVPR?") == "0;0\n"
    assert_no_answer(source)
    assert bench.open(METER).query("*IDN?") == IDENTITY


def test_another_speed_is_not_understood_until_both_agree(make_bench: MakeBench) -> None:
    bench = make_bench(lab="delta", under={"instrument": {"k2182a": {"baud": 9600}}})
    source = bench.open(SOURCE)
    assert source.query("SYST:COMM:SER:BAUD?;:SOUR:DELT:NVPR?") == "19200;0\n"
    assert_no_answer(source)
    source.write("SOUR:DELT:ARM")
    assert error(source) == '-241,"Hardware missing"'
    source.write("SYST:COMM:SER:BAUD 9600;:*RST")
    assert source.query("SYST:COMM:SER:BAUD?;:SOUR:DELT:NVPR?") == "9600;1\n"
    assert relayed(source, "*IDN?") == IDENTITY + "\n"


def test_a_line_that_ends_at_no_2182a_is_a_mistake_in_the_lab_file(tmp_path: Path) -> None:
    alone = tmp_path / "alone.toml"
    alone.write_text(
        "[instrument.k2182a]\nmodel = 'k6221'\nresources = ['GPIB0::7::INSTR']\n", encoding="utf-8"
    )
    with pytest.raises(ConfigurationError, match="'k6221' names 'k2182a', which is no 2182A of this lab"):
        load_lab(alone, VirtualClock())


def test_a_speed_that_no_serial_line_has_is_refused(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SYST:COMM:SER:BAUD 12345")
    assert error(source) == '-224,"Illegal parameter value"'
    source.write("SYST:COMM:SER:SEND *IDN?")
    assert error(source) == '-104,"Data type error"'


def test_a_message_lost_on_the_line_leaves_nothing_to_read(make_bench: MakeBench) -> None:
    lost = {"kind": "drop", "target": "k2182a", "match": "*IDN*"}
    bench = make_bench(lab="delta", under={"fault": [lost]})
    assert_no_answer(bench.open(SOURCE))


def test_nothing_is_handed_on_while_the_6221_has_the_2182a(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:DELT:ARM;:SYST:COMM:SER:SEND 'SENS:VOLT:NPLC 1'")
    assert error(source) == '-221,"Settings conflict"'
    source.write("SOUR:SWE:ABOR;:SYST:COMM:SER:SEND 'SENS:VOLT:NPLC 1'")
    assert error(source) == '0,"No error"'
