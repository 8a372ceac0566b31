"""What the link does when an instrument is silent, late or answers something else."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import pyvisa
from pymeasure.adapters import Adapter
from pyvisa.constants import StatusCode
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError
from onnes.instruments.link import Link
from onnes.instruments.visa import open_adapter, open_library
from onnes.sim.lab import VirtualLab

TIMEOUT = pyvisa.errors.VisaIOError(StatusCode.error_timeout)
LOST = pyvisa.errors.VisaIOError(StatusCode.error_connection_lost)


class Line:
    """The connection of a scripted adapter: notes device clears in the journal."""

    timeout = 2000.0
    lost = False

    def __init__(self, journal: list[str]) -> None:
        self._journal = journal

    def clear(self) -> None:
        if self.lost:
            raise LOST
        self._journal.append("<clear>")

    def close(self) -> None:
        pass


class Scripted(Adapter):
    """Answers each question with the next entry of a script; an exception is raised."""

    lost = False

    def __init__(self, *replies: str | Exception) -> None:
        super().__init__()
        self.journal: list[str] = []
        self.connection = Line(self.journal)
        self._replies: Iterator[str | Exception] = iter(replies)

    def _write(self, command: str, **_: object) -> None:
        if self.lost:
            raise LOST
        self.journal.append(command)

    def _read(self, **_: object) -> str:
        reply = next(self._replies)
        if isinstance(reply, Exception):
            raise reply
        return reply


def link_to(*replies: str | Exception) -> tuple[Link, Scripted, VirtualClock]:
    adapter, clock = Scripted(*replies), VirtualClock()
    return Link(adapter, "ppms", clock, hint="is MultiVu running?"), adapter, clock


def test_a_good_reply_costs_one_message() -> None:
    link, adapter, clock = link_to("4.2")
    assert link.query("T?", float) == 4.2
    assert adapter.journal == ["T?"]
    assert clock.now() == 0.0
    assert link.retries == []


@pytest.mark.parametrize("bad", [TIMEOUT, LOST, "4.?2", "", pyvisa.errors.InvalidSession(), OSError("gone")])
def test_after_a_bad_reply_the_device_is_cleared_first_and_asked_again_second(bad: str | Exception) -> None:
    link, adapter, clock = link_to(bad, "4.2")
    assert link.query("T?", float) == 4.2
    assert adapter.journal == ["T?", "<clear>", "T?"]
    assert clock.now() == pytest.approx(0.5)


def test_each_retry_is_noted_with_time_question_and_reason() -> None:
    link, _, _ = link_to(TIMEOUT, "x", "4.2")
    link.query("T?", float)
    assert [(retry.instrument, retry.time, retry.question) for retry in link.retries] == [
        ("ppms", 0.0, "T?"),
        ("ppms", 0.5, "T?"),
    ]
    assert "did not answer 'T?' within 2 s" in link.retries[0].reason
    assert "could not convert" in link.retries[1].reason


def test_four_bad_replies_are_an_error_that_says_what_to_do() -> None:
    link, adapter, clock = link_to(TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT)
    with pytest.raises(
        CommunicationError,
        match=r"ppms gave no usable answer to 'T\?' in 4 tries; last: .* within 2 s; is MultiVu running\?",
    ):
        link.query("T?", float)
    assert adapter.journal == ["T?", "<clear>"] * 4
    assert clock.now() == pytest.approx(0.5 + 1.0 + 2.0)


@pytest.mark.parametrize("question", [":FETC?", "SENS:DATA?", "SYST:ERR?", "TRAC:DATA?"])
def test_a_reply_that_is_given_once_is_never_asked_for_again(question: str) -> None:
    link, adapter, _ = link_to(TIMEOUT)
    with pytest.raises(CommunicationError, match="is not asked again"):
        link.query(question, float)
    assert adapter.journal == [question, "<clear>"]


def test_after_a_failed_set_only_the_question_is_repeated() -> None:
    link, adapter, _ = link_to(TIMEOUT, "1e-4")
    assert link.query("CURR 1e-4;CURR?", float, "CURR?") == 1e-4
    assert adapter.journal == ["CURR 1e-4;CURR?", "<clear>", "CURR?"]


def test_a_message_that_cannot_be_sent_is_a_communication_error() -> None:
    link, adapter, _ = link_to()
    adapter.lost = True
    with pytest.raises(CommunicationError, match="ppms failed at 'X'"):
        link.write("X")


def test_bytes_that_are_no_text_are_told_as_such() -> None:
    link, _, _ = link_to(*[UnicodeDecodeError("ascii", b"\xff\x00", 0, 1, "no text")] * 4)
    with pytest.raises(CommunicationError, match="with bytes that are no text"):
        link.query("T?", float)


def test_the_pause_before_a_reply_is_on_the_clock() -> None:
    adapter, clock = Scripted("1"), VirtualClock()
    Link(adapter, "ppms", clock, reply_delay_s=0.1).query("T?", float)
    assert clock.now() == pytest.approx(0.1)


def test_an_action_of_several_messages_is_repeated_as_a_whole() -> None:
    link, adapter, _ = link_to("x", "3")
    assert link.attempt(lambda: float(link.exchange("A?")), "A?") == 3.0
    assert adapter.journal == ["A?", "<clear>", "A?"]


def test_a_lost_link_does_not_stop_a_device_clear() -> None:
    link, adapter, _ = link_to()
    adapter.connection.lost = True
    link.clear()
    assert adapter.journal == []


@pytest.mark.parametrize(
    "use",
    [lambda link: link.write("X"), Link.read, lambda link: link.exchange("T?"), Link.clear],
    ids=["write", "read", "exchange", "clear"],
)
def test_f17_a_second_thread_is_refused_and_both_are_named(use: Callable[[Link], object]) -> None:
    link, adapter, _ = link_to("4.2", "4.2")
    link.write("A")
    with ThreadPoolExecutor(1, "window") as other:
        refused = other.submit(use, link).exception()
    assert isinstance(refused, RuntimeError)
    assert str(refused) == (
        "ppms belongs to the thread 'MainThread', but 'window_0' uses it; "
        "open and use a station in one thread, and ask that thread for its readings"
    )
    assert adapter.journal == ["A"]


def test_a_thread_that_has_ended_leaves_the_instrument_to_the_next() -> None:
    link, adapter, _ = link_to()
    first = threading.Thread(target=link.write, args=("A",))
    first.start()
    first.join()
    link.write("B")
    assert adapter.journal == ["A", "B"]


# --- silence, and a resource that is opened anew


def test_a_good_reply_ends_the_silence_that_a_bad_one_began() -> None:
    link, _, clock = link_to("1", TIMEOUT, TIMEOUT, "2", "3")
    clock.sleep(10.0)
    link.query("T?", float)
    assert (link.last_answer, link.silent_since, link.failures) == (10.0, None, 0)
    clock.sleep(5.0)
    link.query("T?", float)
    assert (link.last_answer, link.silent_since, link.failures) == (16.5, None, 2)


def test_the_silence_counts_from_its_first_failure() -> None:
    link, adapter, clock = link_to(*[TIMEOUT] * 8)
    clock.sleep(3.0)
    for _ in range(2):
        with pytest.raises(CommunicationError):
            link.query("T?", float)
    assert (link.last_answer, link.silent_since) == (0.0, 3.0)
    assert adapter.journal.count("T?") == 8


def test_a_message_that_cannot_be_sent_begins_a_silence_too() -> None:
    link, adapter, _ = link_to()
    adapter.lost = True
    with pytest.raises(CommunicationError):
        link.write("X")
    assert (link.silent_since, link.failures) == (0.0, 1)


def test_a_silent_instrument_is_probed_less_and_less_often_and_at_last_every_30_s() -> None:
    link, adapter, clock = link_to(*[TIMEOUT] * 1000)
    asked: list[float] = []

    def ask() -> None:
        asked.append(clock.now())
        link.query("T?", float)

    while clock.now() < 200.0:
        assert "no usable answer to 'T?'" in link.probe(ask)
        clock.sleep(0.25)
    pauses = [later - earlier - 3.5 for earlier, later in pairwise(asked)]  # 3.5 s are the tries themselves
    assert pauses[:7] == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])
    assert adapter.journal.count("T?") == 4 * len(asked)


def test_a_probe_that_is_answered_says_nothing_and_forgets_the_pauses() -> None:
    link, _, clock = link_to(*[TIMEOUT] * 4, "1", *[TIMEOUT] * 4, "2")
    assert link.probe(lambda: link.query("T?", float)) != ""
    clock.sleep(1.0)
    assert link.probe(lambda: link.query("T?", float)) == ""
    assert link.probe(lambda: link.query("T?", float)) != ""
    clock.sleep(1.0)
    assert link.probe(lambda: link.query("T?", float)) == ""


def test_a_scripted_adapter_cannot_be_opened_anew() -> None:
    link, _, _ = link_to()
    with pytest.raises(CommunicationError, match="ppms is closed and cannot be opened anew"):
        link.reopen()


@pytest.fixture
def real(lab: VirtualLab, clock: VirtualClock, request: pytest.FixtureRequest) -> Iterator[Link]:
    """Return a link to the source of the lab, on PyMeasure's own adapter."""
    del lab  # it is found by name
    manager = open_library("simulated", request.node.name)
    link = Link(open_adapter(manager, "GPIB0::12::INSTR", name="k6221"), "k6221", clock)
    yield link
    link.close()


def connection_of(link: Link) -> MessageBasedResource:
    assert isinstance(link._connection, MessageBasedResource)
    return link._connection


def test_after_three_further_tries_the_resource_is_opened_anew_and_asked_once_more(
    real: Link, lab: VirtualLab, clock: VirtualClock
) -> None:
    before, timeout = connection_of(real), connection_of(real).timeout
    lab.faults.add("timeout", target="k6221", count=4)
    assert real.query("SOUR:CURR?", float) == 0.0
    assert real.reopened == 1
    assert connection_of(real) is not before
    assert [round(retry.time, 1) for retry in real.retries] == [2.0, 4.5, 7.5, 11.5]
    assert clock.now() == pytest.approx(4 * 2.0 + 0.5 + 1.0 + 2.0 + 4.0, abs=0.1)
    assert connection_of(real).timeout == timeout


def test_a_session_that_somebody_closed_is_opened_anew(real: Link) -> None:
    connection_of(real).close()
    assert real.query("SOUR:CURR?", float) == 0.0
    assert real.reopened == 1


def test_what_stays_silent_is_told_with_all_that_was_tried(real: Link, lab: VirtualLab) -> None:
    lab.faults.add("timeout", target="k6221", count=1000)
    with pytest.raises(
        CommunicationError,
        match=r"k6221 gave no usable answer to 'OUTP\?' in 5 tries, the last after opening it anew; last: "
        r"k6221 did not answer 'OUTP\?' within 2 s; look at cable, power and address",
    ):
        real.query("OUTP?", int)
    with pytest.raises(CommunicationError, match="in 2 tries, the last after opening it anew"):
        real.query("OUTP?", int)  # the same silence gets no second series


def test_a_resource_that_is_gone_is_told_as_such(
    real: Link, lab: VirtualLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.faults.add("timeout", target="k6221", count=4)
    monkeypatch.delitem(lab.resources, "GPIB0::12::INSTR")
    with pytest.raises(
        CommunicationError, match=r"last: k6221 at GPIB0::12::INSTR cannot be opened anew: .*look at cable"
    ):
        real.query("OUTP?", int)
    monkeypatch.undo()
    assert real.query("OUTP?", int) == 0


def test_a_link_that_was_closed_for_good_stays_closed(real: Link) -> None:
    real.close()
    with pytest.raises(CommunicationError, match="in 4 tries"):
        real.query("OUTP?", int)
    assert real.reopened == 0


def test_a_reply_that_is_given_once_is_not_asked_for_over_a_new_connection_either(
    real: Link, lab: VirtualLab
) -> None:
    lab.faults.add("timeout", target="k6221", count=1)
    with pytest.raises(CommunicationError, match="is not asked again"):
        real.query("SYST:ERR?", str)
    assert real.reopened == 0


def test_who_wants_an_end_waits_for_one_try_of_a_silent_instrument_and_for_no_further_question() -> None:
    link, adapter, clock = link_to(*[TIMEOUT] * 9)
    link.hurried = lambda: True
    with pytest.raises(CommunicationError, match="not tried again: somebody wants an end"):
        link.query("A?", float)
    asked, now = len(adapter.journal), clock.now()
    with pytest.raises(CommunicationError, match=r"is silent and was not asked 'B\?': somebody wants an end"):
        link.query("B?", float)
    with pytest.raises(CommunicationError, match=r"is silent and was not asked 'C\?'"):
        link.attempt(lambda: float(link.exchange("C?")), "C?")
    assert len(adapter.journal) == asked
    assert clock.now() == now


def test_a_pause_between_two_tries_ends_when_somebody_wants_an_end() -> None:
    link, _, clock = link_to(*[TIMEOUT] * 9)
    link.hurried = lambda: clock.now() >= 0.6  # in the second pause, which is 1 s long
    with pytest.raises(CommunicationError, match="not tried again"):
        link.query("A?", float)
    assert clock.now() < 1.2
