"""Messages to who sleeps: sent once, repeated where it counts, and never at the cost of the night."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Never

import keyring
import pytest
from keyring.errors import NoKeyringError

from onnes.instruments.clock import VirtualClock
from onnes.runner.notifications import TRIES, TRY_PAUSE_S, UNSAFE, Notifier

PATIENCE_S = 20.0  # of the test itself, for a thread that does not come
SECRET = "json://operator:hunter2@127.0.0.1:9"


# apprise imports imghdr, which Python 3.13 has no more; it goes without it then.
_imports_apprise = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class FakeWall(VirtualClock):
    """Wall time that passes when a test, or a thread that sleeps, says so."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds


class Sender:
    """Remembers what it was given; takes it unless it is told to fail."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.sent: list[tuple[str, str]] = []
        self._answers = list(answers)

    def __call__(self, title: str, text: str) -> bool:
        self.sent.append((title, text))
        answer = self._answers.pop(0) if self._answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONNES_NOTIFY", raising=False)
    monkeypatch.setattr(keyring, "get_password", lambda *_: None)
    monkeypatch.setattr(logging.getLogger("apprise"), "disabled", False)


def notifier(*kinds: str, send: Any = None, simulated: bool = False, wall: Any = None) -> Notifier:
    return Notifier(kinds, wall or FakeWall(), send, simulated=simulated, night="film_0042")


def test_a_message_says_which_night_and_what() -> None:
    sender = Sender()
    night = notifier("failed", send=sender)
    night.tell("failed", "helium low")
    night.close(PATIENCE_S)
    assert sender.sent == [("film_0042: failed", "film_0042: helium low")]
    assert night.told() == []


def test_what_an_earlier_runner_of_the_night_was_told_is_not_told_again() -> None:
    def refuse(_title: str, _text: str) -> bool:
        return False

    first = notifier("failed", send=refuse)
    first.tell("failed", "helium low")
    first.close(PATIENCE_S)
    (note,) = first.told()
    again = Notifier(("failed",), FakeWall(), refuse, simulated=False, night="film_0042", known=[note])
    again.tell("failed", "helium low")
    again.close(PATIENCE_S)
    assert again.told() == []


def test_a_message_of_a_simulated_night_begins_with_simulated() -> None:
    sender = Sender()
    night = notifier("started", send=sender, simulated=True)
    night.tell("started", "3 steps")
    night.close(PATIENCE_S)
    assert sender.sent == [("SIMULATED film_0042: started", "SIMULATED film_0042: 3 steps")]


def test_a_kind_that_is_not_wanted_is_not_sent() -> None:
    sender = Sender()
    night = notifier("failed", send=sender)
    night.tell("started", "3 steps")
    night.close(PATIENCE_S)
    assert (sender.sent, night.told()) == ([], [])


def test_of_each_kind_one_message_goes_out_in_ten_minutes_and_the_rest_is_told() -> None:
    sender, wall = Sender(), FakeWall()
    night = notifier("suspended", "failed", send=sender, wall=wall)
    night.tell("suspended", "first")
    wall.sleep(599)
    night.tell("suspended", "second")
    night.tell("failed", "another kind")
    wall.sleep(1)
    night.tell("suspended", "third")
    night.close(PATIENCE_S)
    assert sorted(text for _, text in sender.sent) == [
        "film_0042: another kind",
        "film_0042: first",
        "film_0042: third",
    ]
    (told,) = night.told()
    assert "one was 599 s ago" in told
    assert "second" in told
    assert night.told() == []


@pytest.mark.parametrize("kinds", [(), ("failed",)])
def test_an_unconfirmed_safe_state_is_always_sent_and_repeated(kinds: tuple[str, ...]) -> None:
    sender, wall = Sender(), FakeWall()
    night = notifier(*kinds, send=sender, wall=wall)
    night.tell(UNSAFE, "the source does not answer")
    wait_for(lambda: len(sender.sent) == 1)
    wall.sleep(60)
    wait_for(lambda: len(sender.sent) == 2)
    wall.sleep(540)
    night.close(PATIENCE_S)
    assert [title for title, _ in sender.sent] == ["film_0042: safe state not confirmed"] * 3


def test_repetitions_that_are_not_waited_for_are_told() -> None:
    sender = Sender()
    night = notifier(send=sender)
    night.tell(UNSAFE, "the source does not answer")
    wait_for(lambda: len(sender.sent) == 1)
    night.close(0.0)
    assert night.told()[0].startswith("not known to be sent when the night closed: safe_state_not_confirmed")


def test_a_message_that_fails_is_tried_again_after_a_pause() -> None:
    sender, wall = Sender(False, OSError("no route"), True), FakeWall()
    night = notifier("failed", send=sender, wall=wall)
    night.tell("failed", "helium low")
    night.close(PATIENCE_S)
    assert len(sender.sent) == TRIES
    assert wall.slept == [TRY_PAUSE_S] * 2
    assert night.told() == []


def test_a_message_that_fails_for_good_is_told_without_the_address() -> None:
    night = notifier("failed", send=Sender(*[OSError(f"cannot reach {SECRET}")] * TRIES))
    night.tell("failed", "helium low")
    night.close(PATIENCE_S)
    (told,) = night.told()
    assert told.startswith("message 'failed' was not sent to the sender after 3 tries: OSError")
    assert "hunter2" not in told


def test_a_sender_that_hangs_keeps_nobody_waiting() -> None:
    hanging = threading.Event()
    night = notifier("failed", send=lambda *_: hanging.wait(PATIENCE_S))
    night.tell("failed", "helium low")
    night.close(0.0)
    assert night.told() == ["not known to be sent when the night closed: failed"]
    hanging.set()


def test_without_an_address_one_note_says_what_to_set() -> None:
    night = notifier("started", "failed")
    night.close(PATIENCE_S)
    night.tell("failed", "helium low")
    (told,) = night.told()
    assert "there is no address; set ONNES_NOTIFY, or `keyring set onnes notify`" in told


def test_a_night_that_wants_no_messages_looks_for_no_address() -> None:
    night = notifier()
    night.close(PATIENCE_S)
    assert night.told() == []


def _fails_with(error: Exception) -> Callable[..., Never]:
    def fail(*_: str) -> Never:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoKeyringError("none"), "there is no address"),
        (RuntimeError("locked: hunter2"), "the addresses cannot be had (RuntimeError)"),
    ],
)
def test_a_keyring_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception, told: str) -> None:
    monkeypatch.setattr(keyring, "get_password", _fails_with(error))
    night = notifier("failed")
    night.close(PATIENCE_S)
    (note,) = night.told()
    assert told in note
    assert "hunter2" not in note


def test_without_apprise_one_note_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNES_NOTIFY", SECRET)
    monkeypatch.setitem(sys.modules, "apprise", None)
    night = notifier("failed")
    night.close(PATIENCE_S)
    assert night.told() == ["no messages are sent: apprise is not installed; `pip install onnes[notify]`"]


@_imports_apprise
def test_apprise_sends_to_every_address_and_what_it_does_not_know_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with web_hook() as (port, received):
        monkeypatch.setenv("ONNES_NOTIFY", f"hunter2://nowhere json://127.0.0.1:{port} hunter2")
        night = notifier("failed", simulated=True)
        night.tell("failed", "helium low")
        night.close(PATIENCE_S)
    assert [(message["title"], message["message"]) for message in received] == [
        ("SIMULATED film_0042: failed", "SIMULATED film_0042: helium low")
    ]
    told = night.told()
    assert [note.split(":")[0] for note in told] == [
        "no messages go to address 1 of ONNES_NOTIFY (hunter2)",
        "no messages go to address 3 of ONNES_NOTIFY (no scheme)",
    ]
    assert caplog.text == ""


@_imports_apprise
def test_an_address_of_the_keyring_is_used_where_the_environment_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with web_hook() as (port, received):
        monkeypatch.setattr(
            keyring,
            "get_password",
            lambda *of: f"json://127.0.0.1:{port}" if of == ("onnes", "notify") else None,
        )
        night = notifier("finished")
        night.tell("finished", "40 points")
        night.close(PATIENCE_S)
    assert (len(received), night.told()) == (1, [])


@contextmanager
def web_hook() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A server on the loopback that keeps the JSON it gets."""
    received: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port, received
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen")
