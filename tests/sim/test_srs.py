"""The dialect: what is understood, what is refused in silence, and status bytes that latch."""

from typing import Any

import pytest
from pyvisa.errors import VisaIOError

from tests.sim.conftest import Bench, MakeBench

LOCK_IN = "GPIB0::8::INSTR"
EXE, CMD, POWER_ON = 16, 32, 128


@pytest.fixture
def lock_in(bench: Bench) -> Any:
    return bench.open(LOCK_IN)


@pytest.mark.parametrize(
    ("sent", "asked", "reply"),
    [
        ("OFLT 9", "OFLT?", "9"),
        ("oflt9", "oflt ?", "9"),
        ("  OFLT   9 ", "OFLT ?", "9"),
        ("SRAT4.000000", "SRAT?", "4"),
        ("AUXV1,0.500000;", "AUXV?1;", "0.500"),
        ("AUXV 2 , -1e-1", "AUXV ? 2", "-0.100"),
        ("DDEF2,1,0", "DDEF?2;", "1,0"),
        ("OEXP 1,12.5,2", "OEXP? 1", "12.50,2"),
        ("FPOP 2,1", "FPOP? 2", "1"),
        ("*ESE 32;*SRE 32", "*ESE?", "32"),
    ],
)
def test_blanks_and_case_do_not_count(sent: str, asked: str, reply: str, lock_in: Any) -> None:
    lock_in.write(sent)
    assert lock_in.query(asked) == f"{reply}\n"
    assert lock_in.query("*ESR?") == f"{POWER_ON}\n"


def test_several_commands_go_in_one_line_and_each_query_answers_in_its_own(lock_in: Any) -> None:
    lock_in.write("OFLT 5;OFSL 2;OFLT?;OFSL?")
    assert lock_in.read().split() == ["5", "2"]


def test_points_in_binary_stand_between_the_lines_of_other_replies(lock_in: Any) -> None:
    lock_in.write("SRAT 14;STRT;TRIG;OFLT?;TRCB? 1,0,1;SPTS?")
    data = lock_in.read_bytes(8)
    assert (data[:2], data[6:]) == (b"8\n", b"1\n")


@pytest.mark.parametrize(
    ("sent", "bit"),
    [
        ("NOPE", CMD),
        ("OFLT", CMD),
        ("OFLT 1,2", CMD),
        ("OFLT fast", CMD),
        ("OFLT -1", EXE),
        ("OFLT 20", EXE),
        ("OFLT 3.5", EXE),
        ("OFLT nan", CMD),
        ("SLVL 5.001", EXE),
        ("SLVL 0", EXE),
        ("AUXV 5,1", EXE),
        ("SPTS 3", CMD),
        ("?", CMD),
        ("*ESE 20,1", EXE),
        ("RSET 7", EXE),
    ],
)
def test_a_mistake_sets_its_bit_and_changes_nothing(sent: str, bit: int, lock_in: Any, bench: Bench) -> None:
    twin: Any = bench.lab.instruments["sr830"]
    lock_in.query("*ESR?")
    before = dict(vars(twin))
    lock_in.write(sent)
    assert lock_in.query("*ESR?") == f"{bit}\n"
    assert lock_in.query("*ESR?") == "0\n"
    assert {name: vars(twin)[name] for name in before if name.endswith(("code", "_v", "hz"))} == {
        name: value for name, value in before.items() if name.endswith(("code", "_v", "hz"))
    }
    assert bench.lab.journal == []


def test_what_follows_a_mistake_is_obeyed(lock_in: Any) -> None:
    lock_in.write("NOPE;OFLT 4")
    assert lock_in.query("OFLT?") == "4\n"


def test_a_query_that_is_refused_answers_nothing(lock_in: Any) -> None:
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        lock_in.query("OUTP? 7")
    assert lock_in.query("*ESR? 4") == "1\n"


def test_strict_mode_writes_down_what_is_refused(make_bench: MakeBench) -> None:
    strict = make_bench(under={"lab": {"strict": True}})
    lock_in: Any = strict.open(LOCK_IN)
    lock_in.write("OFLT 5;NOPE 3;OFLT 99")
    assert [entry[1:] for entry in strict.lab.journal] == [
        ("sr830", "refused CMD", "NOPE 3"),
        ("sr830", "refused EXE", "OFLT 99"),
    ]


def test_one_bit_of_a_status_byte_is_taken_alone(lock_in: Any) -> None:
    lock_in.write("NOPE;OFLT 99")
    assert lock_in.query("*ESR? 5") == "1\n"
    assert lock_in.query("*ESR? 5") == "0\n"
    assert lock_in.query("*ESR?") == f"{POWER_ON | EXE}\n"


def test_clearing_the_status_leaves_what_is_enabled(lock_in: Any) -> None:
    lock_in.write("*ESE 5,1;LIAE 2,1;LIAE 3,1;LIAE 2,0;ERRE 6;*SRE 8;NOPE;*CLS")
    assert [lock_in.query(f"{name}?").strip() for name in ("*ESE", "LIAE", "ERRE", "*SRE")] == [
        *("32", "8", "6", "8")
    ]
    assert [lock_in.query(f"{name} 3").strip() for name in ("LIAE?", "*SRE?")] == ["1", "1"]
    assert [lock_in.query(f"{name}?").strip() for name in ("*ESR", "LIAS", "ERRS")] == ["0", "0", "0"]


def test_an_enabled_event_asks_for_service_until_it_is_read(lock_in: Any) -> None:
    idle = 1 | 2  # no scan, no command running
    lock_in.write("*CLS;*ESE 32;*SRE 32")
    assert lock_in.stb == idle
    lock_in.write("NOPE")
    assert lock_in.stb == idle | 32 | 64
    assert lock_in.query("*STB? 5") == "1\n"
    assert lock_in.query("*STB?") == f"{idle | 32 | 64}\n"
    lock_in.query("*ESR?")
    assert lock_in.stb == idle


def test_a_waiting_reply_is_in_the_status_byte(lock_in: Any, bench: Bench) -> None:
    lock_in.write("OFLT?")
    bench.clock.sleep(0.1)
    assert lock_in.stb & 16
    lock_in.read()
    assert not lock_in.stb & 16


def test_a_reset_returns_to_the_defaults_but_for_the_interface(lock_in: Any) -> None:
    lock_in.write("SLVL 0.1;FREQ 17.77;HARM 2;OFLT 12;OUTX 0;AUXV 3,1;*RST")
    replies = [lock_in.query(q).strip() for q in ("SLVL?", "FREQ?", "HARM?", "OFLT?", "OUTX?", "AUXV? 3")]
    assert replies == ["1.000", "1000", "1", "8", "0", "0.000"]
