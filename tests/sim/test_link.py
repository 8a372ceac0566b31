"""The message exchange: late replies, the shared output queue, and what the wire does to replies."""

import threading
from typing import Any, cast

import pytest
import pyvisa
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import WallClock
from onnes.sim.device import Deferred, Device, InstrumentSettings, Reply
from onnes.sim.fault_settings import duration_s
from onnes.sim.lab import forget_lab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.sim.link import Link, ReadEnd
from tests.sim.conftest import METER, PPMS, SOURCE, Bench, MakeBench


class Echo(Device):
    """Answers each question with itself; ``SLOW?`` takes a second."""

    model = "echo"

    def execute(self, message: str, t: float) -> Reply:
        del t
        if message == "SLOW?":
            return Deferred(1.0, lambda ready: f"{ready:.3f}")
        if message == "RAW?":
            return b"\x01\x02\n\x03"
        return message if message.endswith("?") else None


def echo_link(bench: Bench, *, has_end: bool = True) -> Link:
    settings = InstrumentSettings(model="echo", resources=("GPIB0::1::INSTR",))
    return Link(bench.lab, Echo("echo", bench.lab, settings), has_end=has_end)


def test_a_reply_later_than_the_time_out_stays_for_the_next_read(bench: Bench) -> None:
    meter = bench.open(METER, timeout=1000)
    meter.write("SENS:VOLT:NPLC 50;DFIL 0")  # 2 s with autozero at 50 Hz
    start = bench.clock.now()
    meter.write("READ?")
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        meter.read()
    assert bench.clock.now() - start == pytest.approx(1.001)
    meter.timeout = 5000
    assert float(meter.read()) == pytest.approx(300e-9, abs=200e-9)
    assert bench.clock.now() - start == pytest.approx(2.005)


def test_a_new_message_drops_the_unread_reply_of_a_scpi_instrument(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("*IDN?")
    assert source.query("OUTP?") == "0\n"
    assert source.query("SYST:ERR?") == '-410,"Query INTERRUPTED"\n'


def test_a_reply_on_its_way_is_dropped_too(bench: Bench) -> None:
    meter = bench.open(METER, timeout=100)
    meter.write("READ?")
    assert "2182A" in meter.query("*IDN?")
    assert meter.query("SYST:ERR?").startswith("-410")


def test_reading_what_nobody_asked_for_is_an_error_and_takes_the_time_out(bench: Bench) -> None:
    source = bench.open(SOURCE, timeout=700)
    start = bench.clock.now()
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        source.read()
    assert bench.clock.now() - start == pytest.approx(0.7)
    assert source.query("SYST:ERR?") == '-420,"Query UNTERMINATED"\n'


def test_all_sessions_of_one_gpib_address_share_its_output(bench: Bench) -> None:
    first, second = bench.open(PPMS), bench.open(PPMS)
    first.write("TEMP?")
    second.write("FIELD?")
    assert second.read() == "300,20,0;"  # the answer to the other one, as on hardware
    assert first.read() == first.query("FIELD?")


def test_each_connection_of_a_socket_has_its_own_output(bench: Bench) -> None:
    name = "TCPIP0::192.168.0.12::1394::SOCKET"
    first, second = (bench.open(name, read_termination="\n") for _ in range(2))
    first.write("*IDN?")
    second.write("OUTP?")
    assert second.read() == "0"
    assert first.read().startswith("KEITHLEY")


def test_a_device_clear_empties_input_and_output(bench: Bench) -> None:
    source = bench.open(SOURCE, timeout=100)
    source.send_end = False
    source.write_raw(b"SOUR:CU")  # half a message
    source.send_end = True
    source.write("*IDN?")
    source.clear()
    with pytest.raises(VisaIOError):
        source.read()
    assert source.query("*CLS;OUTP?") == "0\n"


def test_a_message_may_come_in_pieces_and_several_in_one_write(bench: Bench) -> None:
    link = echo_link(bench)
    link.write(b"HEL", end=False)
    link.write(b"LO?\r\nTWO?\n", end=True)
    assert link.read(100, 1.0) == (b"HELLO?\n", ReadEnd.END)
    assert link.read(100, 1.0) == (b"TWO?\n", ReadEnd.END)


def test_a_read_ends_at_end_terminator_count_or_time_out(bench: Bench) -> None:
    link = echo_link(bench)
    link.write(b"RAW?")
    assert link.read(100, 1.0, terminator=10) == (b"\x01\x02\n", ReadEnd.TERMINATOR)
    assert link.read(100, 1.0) == (b"\x03", ReadEnd.END)
    link.write(b"A?")
    assert link.read(1, 1.0) == (b"A", ReadEnd.COUNT)
    assert link.read(100, 1.0) == (b"?\n", ReadEnd.END)
    assert link.read(100, 1.0) == (b"", ReadEnd.TIMEOUT)


def test_without_an_end_line_a_read_goes_on_over_replies(bench: Bench) -> None:
    link = echo_link(bench, has_end=False)
    link.write(b"A?\nB?\n")
    assert link.read(4, 1.0) == (b"A?\nB", ReadEnd.COUNT)
    assert link.read(100, 1.0, terminator=10) == (b"?\n", ReadEnd.TERMINATOR)
    link.write(b"C?")  # no line feed, so no message yet
    assert link.read(100, 1.0) == (b"", ReadEnd.TIMEOUT)


def test_a_slow_reply_is_computed_when_it_is_ready(bench: Bench) -> None:
    link = echo_link(bench)
    bench.clock.sleep(9.0)
    link.write(b"SLOW?")
    bench.clock.sleep(100.0)
    assert link.read(100, 0.0) == (b"10.001\n", ReadEnd.END)


def test_what_is_planned_runs_in_order_at_its_own_time(bench: Bench) -> None:
    seen: list[tuple[str, float]] = []
    lab = bench.lab
    lab.at(2.0, lambda t: seen.append(("late", t)))
    lab.at(1.0, lambda t: seen.append(("first", t)))
    lab.at(1.0, lambda t: seen.append(("second", t)))
    lab.at(1.5, lambda t: lab.at(t, lambda t: seen.append(("planned meanwhile", t))))
    bench.clock.sleep(10.0)
    assert lab.tick() == 10.0
    assert seen == [("first", 1.0), ("second", 1.0), ("planned meanwhile", 1.5), ("late", 2.0)]
    assert lab.next_event() is None


# --- faults of the wire -----------------------------------------------------------------------------------


def test_a_mute_instrument_gives_a_time_out_once(bench: Bench) -> None:
    bench.lab.faults.add("timeout", "ppms", "TEMP*")
    ppms = bench.open(PPMS, timeout=500)
    assert ppms.query("FIELD?")
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        ppms.query("TEMP?")
    assert ppms.query("temp?") == "300,20,0;"
    assert [entry[1:] for entry in bench.lab.journal] == [("ppms", "timeout", "TEMP?")]


def test_latency_delays_the_reply(bench: Bench) -> None:
    bench.lab.faults.add("latency", seconds=7.5)
    source = bench.open(SOURCE, timeout=10_000)
    start = bench.clock.now()
    assert source.query("OUTP?") == "0\n"
    assert bench.clock.now() - start == pytest.approx(7.505)


@pytest.mark.parametrize(
    ("kind", "args", "reply"),
    [
        ("garbage", {}, "3?0?2?,??\n"),
        ("garbage", {"text": "@@"}, "@@\n"),
        ("partial", {}, "300,"),
        ("partial", {"bytes": 2}, "30"),
    ],
)
def test_replies_are_spoilt(kind: Any, args: dict[str, Any], reply: str, bench: Bench) -> None:
    bench.lab.faults.add(kind, match="300,20,0?", **args)
    link = echo_link(bench)
    link.write(b"300,20,0?")
    data, end = link.read(100, 1.0)
    assert end is ReadEnd.END
    assert data.decode() == reply


def test_a_stale_reply_comes_before_the_right_one(bench: Bench) -> None:
    ppms = bench.open(PPMS)
    chamber = ppms.query("CHAMBER?")
    assert ppms.query("TEMP?") == "300,20,0;"
    bench.lab.faults.add("stale", "ppms")
    assert ppms.query("CHAMBER?") == "300,20,0;"
    assert ppms.query("FIELD?") == chamber  # from now on every reply belongs to the question before
    ppms.clear()
    assert ppms.query("CHAMBER?") == chamber


def test_a_fault_strikes_from_its_time_on_and_as_often_as_told(bench: Bench) -> None:
    bench.lab.faults.add("garbage", "k6221", at="1m", count=2, text="?")
    source = bench.open(SOURCE)
    before = source.query("OUTP?")
    bench.clock.sleep(60.0)
    source.write("SOUR:CURR 1e-3")  # asks for nothing, so nothing is spoilt
    assert [before, *(source.query("OUTP?") for _ in range(3))] == ["0\n", "?\n", "?\n", "0\n"]
    assert [entry.kind for entry in bench.lab.journal] == ["garbage"] * 2
    assert all(entry.t > 60.0 for entry in bench.lab.journal)


def test_a_lab_file_can_plan_faults(make_bench: MakeBench) -> None:
    fault = {"kind": "garbage", "target": "k*", "match": "OUTP*", "at": "5 s", "args": {"text": "!"}}
    bench = make_bench(under={"fault": [fault]})
    source = bench.open(SOURCE)
    bench.clock.sleep(5.0)
    assert [source.query("OUTP?"), source.query("OUTP?")] == ["!\n", "0\n"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"kind": "unlock"}, "Input should be 'timeout', 'latency', 'garbage', 'partial', 'stale', "),
        ({"kind": "timeout", "at": "soon"}, "'soon' is no time"),
        ({"kind": "timeout", "at": -1.0}, "greater than or equal to 0"),
        ({"kind": "timeout", "count": 0}, "greater than or equal to 1"),
        ({"kind": "timeout", "seconds": 1.0}, "take nothing, not 'seconds'"),
        ({"kind": "latency", "seconds": "long"}, "args.seconds = 'long' is no number"),
        ({"kind": "latency", "seconds": -1.0}, "args.seconds = -1 s is outside .0, 86400. s"),
        ({"kind": "garbage", "text": 5}, "args.text = 5 is no text"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(bench: Bench, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        bench.lab.faults.add(**arguments)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h15m", 8100.0), ("1.5 min", 90.0), ("3s", 3.0), ("1h 5s", 3605.0), (7.0, 7.0)]
)
def test_times_are_read(text: str | float, seconds: float) -> None:
    assert duration_s(text) == seconds


def test_a_stale_reply_of_a_scpi_instrument_spoils_one_question_only(bench: Bench) -> None:
    source = bench.open(SOURCE)
    identity = source.query("*IDN?")
    bench.lab.faults.add("stale", "k6221")
    assert source.query("OUTP?") == identity
    assert source.query("SYST:ERR?") == '-410,"Query INTERRUPTED"\n'


def test_two_threads_on_one_instrument_get_each_others_answers(bench: Bench) -> None:
    # As on hardware: nothing locks, and nothing says so. It is why one thread owns the instruments.
    key = f"{bench.key}-real-time"
    set_lab(key, load_lab("default", WallClock(speed=50.0)))
    manager = pyvisa.ResourceManager(f"{key}@onnes")
    wrong: list[str] = []

    def ask(question: str, right: str) -> None:
        ppms = cast(MessageBasedResource, manager.open_resource(PPMS, timeout=5000))
        for _ in range(1000):  # how often they cross hangs on the machine; a few are enough
            if len(wrong) > 2:
                return
            try:
                reply = ppms.query(question)
            except VisaIOError:
                reply = "none"
            if not reply.startswith(right):
                wrong.append(reply)

    threads = [
        threading.Thread(target=ask, args=arguments)
        for arguments in (("TEMP?", "300,"), ("*IDN?", "QUANTUM"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manager.close()
    forget_lab(key)
    assert len(wrong) > 2
