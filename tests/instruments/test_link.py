"""What the link does when an instrument is silent, late or answers something else."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import pyvisa
from pymeasure.adapters import Adapter
from pyvisa.constants import StatusCode

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError
from onnes.instruments.link import Link

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
def test_a_second_thread_is_refused_and_both_are_named(use: Callable[[Link], object]) -> None:
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
