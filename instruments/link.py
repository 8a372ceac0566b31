"""The one place where messages are exchanged with an instrument, and what is done when it does not answer."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import get_ident
from typing import Any, TypeVar, cast

import pyvisa
from pymeasure.adapters import Adapter, VISAAdapter
from pyvisa.constants import StatusCode
from pyvisa.resources import MessageBasedResource
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, OnnesError

T = TypeVar("T")

DEADLINE_S = 2.0
"""How long an instrument may take to answer, unless its driver knows that it is slower."""

LOOK_AT = "look at cable, power and address"

_RETRIES = 3  # before the resource is opened anew
_BACK_OFF_S = 0.5  # before the first further try; twice as long before each one after it
_LONGEST_BACK_OFF_S = 30.0
_SLICE_S = 0.5  # between two looks whether somebody is in a hurry

# A reply that the instrument gives away once: asked again, it would be another one, or an old one passed off
# as fresh. The caller triggers anew instead.
_GIVEN_ONCE = ("FETC", "DATA?", "DATA:", "SYST:ERR", "*ESR", "EVEN", "LIAS", "ERRS")


@dataclass(frozen=True, slots=True)
class Retry:
    """A message that was sent again: by which instrument, when (clock, s), which one and why."""

    instrument: str
    time: float
    question: str
    reason: str


class Link:
    """Exchanges messages with one instrument: deadline, device clear, a bounded number of tries.

    After a failed, late or foreign reply the device is cleared **first**, so that the late reply cannot be
    taken for the next one; then the question is asked again, up to three times, 0.5, 1 and 2 s later. At last
    the resource is closed, opened anew and asked once more. Each further try is noted in :attr:`retries`.
    Nothing but questions is ever sent twice. All waiting is on the raw clock.

    It belongs to the thread that uses it first, as long as that lives: replies to two threads would cross.
    Every use by another thread is refused with a RuntimeError.

    ``silent_since`` is the time of the first failure since the last usable answer, None while it answers;
    ``last_answer`` the time of that answer, at first that of opening; ``failures`` counts what failed and
    ``reopened`` how often the resource was opened anew. Times are of the clock, s.

    ``set_ups`` counts who set the instrument up for measurements of his own: only the last one still can.

    ``hurried`` says whether somebody wants the end of what is under way: then nothing is tried again, and an
    instrument that is silent is not asked.

    ``farewell`` is called before the connection is closed, for a server that counts its clients; that it
    fails keeps nothing open.

    Args:
        reply_delay_s: pause between a question and the reading of its answer.
        reply_end: what the instrument ends every reply with; a reply without it was cut off.
        hint: what to look at when the instrument is silent.
    """

    def __init__(
        self,
        adapter: Adapter,
        name: str,
        clock: Clock,
        *,
        reply_delay_s: float = 0.0,
        reply_end: str = "\n",
        hint: str = LOOK_AT,
    ) -> None:
        self.name = name
        self.clock = clock
        self.hint = hint
        self.retries: list[Retry] = []
        self.silent_since: float | None = None
        self.last_answer = clock.now()
        self.failures = 0
        self.reopened = 0
        self.set_ups = 0
        self.hurried: Callable[[], bool] = bool
        self.farewell: Callable[[], object] | None = None
        self._adapter = adapter
        self._connection = getattr(adapter, "connection", None)
        self._settings: dict[str, Any] | None = None  # of a resource that can be opened anew
        self._reply_delay_s = reply_delay_s
        self._reply_end = reply_end
        self._given_up: float | None = None  # when the silence began that a series of tries was spent on
        self._probe_at = 0.0
        self._pause_s = 0.0
        self._why_silent = ""
        self._thread = 0
        self._owner: threading.Thread | None = None
        self._send: Callable[[str], Any]
        self._receive: Callable[[], str]
        if isinstance(adapter, VISAAdapter) and isinstance(self._connection, MessageBasedResource):
            self._settings = {
                "timeout": self._connection.timeout,
                "write_termination": self._connection.write_termination,
                "read_termination": self._connection.read_termination,
            }
            self._bind(self._connection)
        else:  # PyMeasure's adapter for tests of what is on the wire; it knows no terminators
            self._send, self._receive = adapter.write, adapter.read

    def write(self, message: str) -> None:
        """Send a message that has no reply; it is never sent a second time.

        Raises:
            CommunicationError: if it could not be sent; whether the instrument got it is not known.
        """
        if get_ident() != self._thread:
            self._claim()
        try:
            self._send(message)
        except (pyvisa.errors.Error, OSError) as error:
            self._failed()
            raise CommunicationError(self._told(message, error)) from error

    def read(self) -> str:
        """Return one reply without its terminator.

        Raises:
            CommunicationError: if none came in time, or one that was cut off.
        """
        if get_ident() != self._thread:
            self._claim()
        try:
            return self._receive()
        except (pyvisa.errors.Error, OSError, ValueError) as error:
            raise CommunicationError(self._told("", error)) from error

    def send_bytes(self, data: bytes, what: str) -> None:
        """Send bytes that the driver has framed, in one piece and only once; ``what`` names them in errors.

        Raises:
            CommunicationError: if they could not be sent; whether the instrument got them is not known.
        """
        if get_ident() != self._thread:
            self._claim()
        try:
            self._adapter.write_bytes(data)
        except (pyvisa.errors.Error, OSError) as error:
            raise CommunicationError(self._told(what, error)) from error

    def receive_bytes(self, count: int, what: str, within_s: float) -> bytes:
        """Return exactly ``count`` bytes of what answers ``what``.

        Raises:
            CommunicationError: if they do not come within ``within_s``.
        """
        if get_ident() != self._thread:
            self._claim()
        try:
            if self._settings is not None and self._connection is not None:
                self._connection.timeout = max(1.0, 1e3 * within_s)  # ms
            data = bytes(self._adapter.read_bytes(count))
        except (pyvisa.errors.Error, OSError) as error:
            raise CommunicationError(self._told(what, error, within_s)) from error
        if len(data) != count:
            raise CommunicationError(f"{self.name} sent {len(data)} of {count} bytes to answer {what!r}")
        return data

    def exchange(self, message: str) -> str:
        """Send a question once and return its reply.

        Raises:
            CommunicationError: if it could not be sent, or the reply is missing, late or cut off.
        """
        if get_ident() != self._thread:
            self._claim()
        try:
            self._send(message)
            if self._reply_delay_s:
                self.clock.sleep(self._reply_delay_s)
            return self._receive()
        except (pyvisa.errors.Error, OSError, ValueError) as error:
            raise CommunicationError(self._told(message, error)) from error

    def query(self, message: str, parse: Callable[[str], T], again: str | None = None) -> T:
        """Ask until ``parse`` accepts the reply, and return what it makes of it.

        Args:
            parse: raises ValueError for a reply that does not fit the question.
            again: the question to repeat where ``message`` also sets something; default the message itself.

        Raises:
            CommunicationError: if no try gave a usable reply.
        """
        if self.silent_since is not None and self.hurried():
            raise self._left_alone(message)
        try:
            found = parse(self.exchange(message))
        except (CommunicationError, ValueError) as error:
            question = again or message
            return self._repeat(lambda: parse(self.exchange(question)), question, error)
        self.last_answer = self.clock.now()
        self.silent_since = None
        return found

    def attempt(self, action: Callable[[], T], question: str) -> T:
        """Do ``action``, which asks ``question``, until it succeeds, and return its result.

        Raises:
            CommunicationError: if no try gave a usable reply.
        """
        if self.silent_since is not None and self.hurried():
            raise self._left_alone(question)
        try:
            found = action()
        except (CommunicationError, ValueError) as error:
            return self._repeat(action, question, error)
        self.last_answer = self.clock.now()
        self.silent_since = None
        return found

    def probe(self, ask: Callable[[], object]) -> str:
        """Return why the instrument does not answer ``ask``; an empty text if it does.

        One that stays silent costs its deadline each time, which others on the bus wait for too. So it is
        left alone for 1 s after the first probe that failed, then twice as long each time, at most for 30 s;
        a probe within that repeats what the last one found.
        """
        if self.silent_since is None:
            self._pause_s = 0.0
        elif self.clock.now() < self._probe_at:
            return self._why_silent
        try:
            ask()
        except OnnesError as error:
            self._pause_s = min(2.0 * max(self._pause_s, _BACK_OFF_S), _LONGEST_BACK_OFF_S)
            self._probe_at = self.clock.now() + self._pause_s
            self._why_silent = str(error)
            return self._why_silent
        return ""

    def note_resent(self, message: str, reason: str) -> None:
        """Note that a driver sends ``message`` a second time, after it read back that it did not arrive."""
        self.retries.append(Retry(self.name, self.clock.now(), message, reason))

    def clear(self) -> None:
        """Make the device forget what it was asked and has not answered yet."""
        if get_ident() != self._thread:
            self._claim()
        if self._connection is not None:
            # A dead device cannot be cleared either; the next question says so with a better text.
            with suppress(pyvisa.errors.Error, OSError):
                self._connection.clear()

    def reopen(self) -> None:
        """Close the resource, open it anew with the settings it had, and clear the device.

        What the instrument was set to before may be lost: it may have been without power meanwhile.

        Raises:
            CommunicationError: if it cannot be opened, or was closed for good.
        """
        if get_ident() != self._thread:
            self._claim()
        if self._settings is None:
            raise CommunicationError(f"{self.name} is closed and cannot be opened anew")
        self._take_leave()
        adapter = cast(VISAAdapter, self._adapter)
        with suppress(pyvisa.errors.Error, OSError):  # a session that is gone is as good as closed
            # Not the adapter: on some libraries closing that closes the manager which all instruments share.
            adapter.connection.close()
        try:
            connection = adapter.manager.open_resource(adapter.resource_name, **self._settings)
        except (pyvisa.errors.Error, OSError, ValueError) as error:
            raise CommunicationError(
                f"{self.name} at {adapter.resource_name} cannot be opened anew: {error}"
            ) from error
        adapter.connection = self._connection = connection
        self._bind(connection)
        self.reopened += 1
        self.clear()

    def close(self) -> None:
        """Close the connection for good; it is not opened anew."""
        try:
            self._take_leave()
        finally:
            self._settings = None
            self._adapter.close()

    def _take_leave(self) -> None:
        if self.farewell is not None and not (self.silent_since is not None and self.hurried()):
            with suppress(OnnesError):  # a server that cannot be told finds out
                self.farewell()

    def _bind(self, connection: Any) -> None:
        self._send, self._receive = connection.write, _reader(connection, self._reply_end)

    def _claim(self) -> None:
        """Take possession for this thread.

        Raises:
            RuntimeError: if it belongs to another one.
        """
        this = threading.current_thread()
        if self._owner is not None and self._owner.is_alive():
            raise RuntimeError(
                f"{self.name} belongs to the thread {self._owner.name!r}, but {this.name!r} uses it; "
                "open and use a station in one thread, and ask that thread for its readings"
            )
        self._owner, self._thread = this, get_ident()

    def _failed(self) -> None:
        self.failures += 1
        if self.silent_since is None:
            self.silent_since = self.clock.now()

    def _repeat(self, action: Callable[[], T], question: str, error: Exception) -> T:
        """Do ``action`` again, whose first try raised ``error``; see the class for how often."""
        self._failed()
        if any(word in question.upper() for word in _GIVEN_ONCE):
            self.clear()
            raise CommunicationError(
                f"{error}; {question!r} is not asked again: its answer would be another one"
            ) from error
        can_reopen = self._settings is not None
        # A silence that one series of tries was spent on already gets no second one, only a new resource.
        tries = 1 if can_reopen and self._given_up == self.silent_since else 1 + _RETRIES
        found: T

        def clear_and_note(state: RetryCallState) -> None:
            self.clear()
            reason = state.outcome.exception() if state.outcome else None
            anew = "; its connection is opened anew first" if state.attempt_number >= tries else ""
            self.retries.append(Retry(self.name, self.clock.now(), question, f"{reason}{anew}"))

        try:
            for attempt in Retrying(
                sleep=self._rest,
                stop=lambda state: state.attempt_number >= tries + can_reopen or self.hurried(),
                wait=wait_exponential(multiplier=_BACK_OFF_S, max=_LONGEST_BACK_OFF_S),
                retry=retry_if_exception_type((CommunicationError, ValueError)),
                before_sleep=clear_and_note,
                reraise=True,
            ):
                with attempt:
                    number = attempt.retry_state.attempt_number
                    if number == 1:
                        raise error
                    if number > tries:
                        self.reopen()
                    found = self._done_again(action)
        except (CommunicationError, ValueError) as last:
            self.clear()
            if self.hurried():
                raise CommunicationError(f"{last}; not tried again: somebody wants an end") from last
            self._given_up = self.silent_since
            anew = ", the last after opening it anew" if can_reopen else ""
            raise CommunicationError(
                f"{self.name} gave no usable answer to {question!r} in {tries + can_reopen} tries{anew}; "
                f"last: {last}; {self.hint}"
            ) from last
        return found

    def _rest(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while not self.hurried() and (now := self.clock.now()) < end:
            self.clock.sleep_until(min(end, now + _SLICE_S))

    def _left_alone(self, question: str) -> CommunicationError:
        return CommunicationError(
            f"{self.name} is silent and was not asked {question!r}: somebody wants an end"
        )

    def _done_again(self, action: Callable[[], T]) -> T:
        try:
            found = action()
        except (CommunicationError, ValueError):
            self._failed()
            raise
        self.last_answer, self.silent_since = self.clock.now(), None
        return found

    def _told(self, message: str, error: Exception, within_s: float | None = None) -> str:
        if isinstance(error, pyvisa.errors.VisaIOError) and error.error_code == StatusCode.error_timeout:
            seconds = within_s or (self._settings or {}).get("timeout", 1e3 * DEADLINE_S) / 1e3
            return f"{self.name} did not answer {message!r} within {seconds:.3g} s"
        if isinstance(error, UnicodeDecodeError):
            return f"{self.name} answered {message!r} with bytes that are no text: {error.object!r}"
        return f"{self.name} failed at {message!r}: {error}"


def _reader(connection: Any, reply_end: str) -> Callable[[], str]:
    read_raw = connection.read_raw

    def receive() -> str:
        reply: str = read_raw().decode("ascii")
        if reply_end not in reply[-3:]:  # the end itself and at most CR and LF behind it
            raise ValueError(f"the reply {reply!r} was cut off before its end")
        return reply.strip()

    return receive
