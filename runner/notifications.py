"""Messages to whoever sleeps: sent from a thread of their own, so that a night never waits for a network.

Addresses come from the environment or the keyring and are never written anywhere: what went wrong is told
by the place of an address and its scheme, or by the kind of an error, not by a text that may hold them.
"""

import logging
import os
import threading
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from onnes.instruments.clock import Clock

UNSAFE = "safe_state_not_confirmed"
"""The kind that is sent whatever a sequence asks for, without a rate limit, and repeated."""

VARIABLE = "ONNES_NOTIFY"
KEYRING = ("onnes", "notify")  # service and user

MESSAGE_INTERVAL_S = 600.0  # at most one message of a kind in this wall time
TRIES = 3
TRY_PAUSE_S = 5.0  # (a) a network that is gone for a moment is back
UNSAFE_REPEATS_S = (60.0, 600.0)  # (a) after the first: for who slept through it
_LOOK_S = 0.2  # how often a repetition that is due later is looked for

Send = Callable[[str, str], bool]
"""Send a title and a text, and say whether it was taken."""


class _Message(NamedTuple):
    due: float
    kind: str
    text: str


class _Door(NamedTuple):
    name: str
    send: Send


class Notifier:
    """Tells a person about one night; nothing in it ends or delays the night.

    Args:
        kinds: which of started, suspended, failed, finished are wanted.
        wall: wall time, for the intervals and the pauses between tries.
        send: sends a message instead of the addresses of environment or keyring.
        simulated: whether the night is; its messages then begin with SIMULATED.
        night: the name that stands in every message.
        known: what an earlier runner of the night was told already; it is not told again.
    """

    def __init__(
        self,
        kinds: Collection[str],
        wall: Clock,
        send: Send | None = None,
        *,
        simulated: bool,
        night: str,
        known: Collection[str] = (),
    ) -> None:
        self._kinds = frozenset(kinds)
        self._wall = wall
        self._send = send
        self._about = f"SIMULATED {night}" if simulated else night
        self._change = threading.Condition()
        self._waiting: list[_Message] = []
        self._last: dict[str, float] = {}  # when a message of a kind was taken
        self._notes: list[str] = []
        self._known = frozenset(known)
        self._closing = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notifications", daemon=True)
        self._started = False
        if self._kinds:
            self._start()  # a missing address is better told now than when the night fails

    def tell(self, kind: str, text: str) -> None:
        """Have ``text`` sent, if messages of this kind are wanted; return at once."""
        if kind != UNSAFE and kind not in self._kinds:
            return
        now = self._wall.now()
        with self._change:
            ago = now - self._last.get(kind, -MESSAGE_INTERVAL_S)
            if self._closing or self._ended.is_set():
                return  # there is no address, or nobody waits any more; either was told
            if kind != UNSAFE and ago < MESSAGE_INTERVAL_S:
                self._notes.append(
                    f"no message '{kind}' was sent: one was {ago:.0f} s ago, and there is one in "
                    f"{MESSAGE_INTERVAL_S:.0f} s at most; it was: {text}"
                )
                return
            self._last[kind] = now
            delays = (0.0, *UNSAFE_REPEATS_S) if kind == UNSAFE else (0.0,)
            self._waiting += [_Message(now + delay, kind, text) for delay in delays]
            self._change.notify()
        self._start()

    def told(self) -> list[str]:
        """Return what could not be sent and why, each once; the run thread makes events of it."""
        with self._change:
            notes, self._notes = self._notes, []
        return [note for note in notes if note not in self._known]

    def close(self, timeout: float) -> None:
        """Wait up to ``timeout`` wall seconds for what is still to be sent, repetitions too, then give up."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._started:
            self._ended.wait(timeout)
        with self._change:
            if self._waiting:
                kinds = ", ".join(message.kind for message in self._waiting)
                self._notes.append(f"not known to be sent when the night closed: {kinds}")
                self._waiting.clear()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._thread.start()

    def _work(self) -> None:
        try:
            doors = self._doors()
            while doors and (message := self._next()) is not None:
                for door in doors:
                    self._deliver(door, message)
                with self._change:
                    if message in self._waiting:  # not when the night was closed meanwhile
                        self._waiting.remove(message)
        finally:
            with self._change:
                self._ended.set()
                self._waiting.clear()

    def _next(self) -> _Message | None:
        """Wait for the next message that is due; None when nothing can come any more."""
        with self._change:
            while True:
                now = self._wall.now()
                for message in self._waiting:
                    if message.due <= now:
                        return message
                if self._closing and not self._waiting:
                    return None
                self._change.wait(_LOOK_S if self._waiting else None)

    def _deliver(self, door: _Door, message: _Message) -> None:
        retrying = Retrying(
            sleep=self._wall.sleep,
            stop=stop_after_attempt(TRIES),
            wait=wait_fixed(TRY_PAUSE_S),
            retry=retry_if_result(bool),
            retry_error_callback=lambda state: "" if state.outcome is None else state.outcome.result(),
        )
        why = retrying(self._try, door, message)
        if why:
            self._note(f"message '{message.kind}' was not sent to {door.name} after {TRIES} tries: {why}")

    def _try(self, door: _Door, message: _Message) -> str:
        """Return "" if the message was taken, else why not."""
        try:
            taken = door.send(
                f"{self._about}: {message.kind.replace('_', ' ')}", f"{self._about}: {message.text}"
            )
        except Exception as error:  # noqa: BLE001 - a failing notifier must not end the night
            return f"{type(error).__name__} (its text is left out: it may hold the address)"
        return "" if taken else "it was not taken; look at the address and the network"

    def _doors(self) -> list[_Door]:
        if self._send is not None:
            return [_Door("the sender", self._send)]
        try:
            addresses, source = _addresses()
            if not addresses:
                self._note(
                    f"no messages are sent: there is no address; set {VARIABLE}, or `keyring set "
                    f"{' '.join(KEYRING)}`, to addresses of apprise separated by spaces"
                )
            return self._opened(addresses, source)
        except ImportError:
            self._note("no messages are sent: apprise is not installed; `pip install onnes[notify]`")
        except Exception as error:  # noqa: BLE001 - a keyring may fail in its own ways; the night goes on
            self._note(f"no messages are sent: the addresses cannot be had ({type(error).__name__})")
        return []

    def _opened(self, addresses: list[str], source: str) -> list[_Door]:
        if not addresses:
            return []
        import apprise  # noqa: PLC0415 - an extra, and slow to import

        # It logs addresses that it does not understand in full; what matters is told here.
        logging.getLogger("apprise").disabled = True
        doors = []
        for number, address in enumerate(addresses, start=1):
            receiver = apprise.Apprise()
            scheme = address.partition("://")[0] if "://" in address else "no scheme"
            name = f"address {number} of {source} ({scheme})"
            if receiver.add(address):
                doors.append(_Door(name, _sender(receiver)))
            else:
                self._note(f"no messages go to {name}: apprise does not know such an address")
        return doors

    def _note(self, text: str) -> None:
        with self._change:
            self._notes.append(text)


class _Receiver(Protocol):
    def notify(self, *, body: str, title: str) -> object: ...


def _sender(receiver: _Receiver) -> Send:
    return lambda title, text: bool(receiver.notify(body=text, title=title))


def _addresses() -> tuple[list[str], str]:
    """Return the addresses and where they are from.

    Raises:
        ImportError: if keyring is not installed and the environment has none.
        Exception: whatever a keyring raises when it is locked or broken.
    """
    if found := os.environ.get(VARIABLE, "").split():
        return found, VARIABLE
    import keyring  # noqa: PLC0415 - an extra, and slow to import
    from keyring.errors import NoKeyringError  # noqa: PLC0415 - as above

    try:
        return (keyring.get_password(*KEYRING) or "").split(), "the keyring"
    except NoKeyringError:
        return [], "the keyring"
