"""VISA: the library that is really there, and the one place where messages are exchanged.

PyVISA takes ``PYVISA_LIBRARY`` from the environment when nobody names a library, so a stray variable would
turn a real night into a simulated one. What was asked for is therefore compared with what was got.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import get_ident
from typing import Any, Literal, TypeVar

import pyvisa
from pymeasure.adapters import Adapter, VISAAdapter
from pyvisa.constants import StatusCode

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, ConfigurationError, OnnesError

T = TypeVar("T")

Backend = Literal["visa", "simulated"]

DEADLINE_S = 2.0
"""How long an instrument may take to answer, unless its driver knows that it is slower."""

TRIES = 3
_BACK_OFF_S = 0.5  # before the second try; twice as long before each further one
_LOOK_AT = "look at cable, power and address"

# A reply that the instrument gives away once: asked again, it would be another one, or an old one passed off
# as fresh. The caller triggers anew instead.
_GIVEN_ONCE = ("FETC", "DATA?", "DATA:", "SYST:ERR", "*ESR", "EVEN")


@dataclass(frozen=True, slots=True)
class Retry:
    """A question that was asked again: by which instrument, when (clock, s), which one and why."""

    instrument: str
    time: float
    question: str
    reason: str


class Link:
    """Exchanges messages with one instrument: deadline, device clear, a bounded number of tries.

    After a failed, late or foreign reply the device is cleared **first**, so that the late reply cannot be
    taken for the next one; then the question is asked again. Each further try is noted in :attr:`retries`.
    Nothing but questions is ever sent twice. All waiting is on the raw clock.

    It belongs to the thread that uses it first, as long as that lives: replies to two threads would cross.
    Every use by another thread is refused with a RuntimeError.

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
        hint: str = _LOOK_AT,
    ) -> None:
        self.name = name
        self.clock = clock
        self.hint = hint
        self.retries: list[Retry] = []
        self._connection = getattr(adapter, "connection", None)
        self._reply_delay_s = reply_delay_s
        self._thread = 0
        self._owner: threading.Thread | None = None
        if isinstance(adapter, VISAAdapter) and isinstance(
            self._connection, pyvisa.resources.MessageBasedResource
        ):
            self._send: Callable[[str], Any] = self._connection.write
            self._receive = _reader(self._connection, reply_end)
        else:  # PyMeasure's adapter for tests of what is on the wire; it knows no terminators
            self._send, self._receive = adapter.write, adapter.read

    def write(self, message: str) -> None:
        """Send a message that has no reply.

        Raises:
            CommunicationError: if it could not be sent.
        """
        if get_ident() != self._thread:
            self._claim()
        try:
            self._send(message)
        except (pyvisa.errors.Error, OSError) as error:
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
        """Ask until ``parse`` accepts the reply, at most three times, and return what it makes of it.

        Args:
            parse: raises ValueError for a reply that does not fit the question.
            again: the question to repeat where ``message`` also sets something; default the message itself.

        Raises:
            CommunicationError: if no try gave a usable reply.
        """
        try:
            return parse(self.exchange(message))
        except (CommunicationError, ValueError) as error:
            question = again or message
            return self._repeat(lambda: parse(self.exchange(question)), question, error)

    def attempt(self, action: Callable[[], T], question: str) -> T:
        """Do ``action``, which asks ``question``, at most three times, and return its result.

        Raises:
            CommunicationError: if no try gave a usable reply.
        """
        try:
            return action()
        except (CommunicationError, ValueError) as error:
            return self._repeat(action, question, error)

    def clear(self) -> None:
        """Make the device forget what it was asked and has not answered yet."""
        if get_ident() != self._thread:
            self._claim()
        if self._connection is not None:
            # A dead device cannot be cleared either; the next question says so with a better text.
            with suppress(pyvisa.errors.Error, OSError):
                self._connection.clear()

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

    def _repeat(self, action: Callable[[], T], question: str, error: Exception) -> T:
        told_once = any(word in question.upper() for word in _GIVEN_ONCE)
        for attempt in range(1, 1 if told_once else TRIES):
            self.clear()
            self.retries.append(Retry(self.name, self.clock.now(), question, str(error)))
            self.clock.sleep(_BACK_OFF_S * 2 ** (attempt - 1))
            try:
                return action()
            except (CommunicationError, ValueError) as again:
                error = again
        self.clear()
        if told_once:
            raise CommunicationError(
                f"{error}; {question!r} is not asked again: its answer would be another one"
            )
        raise CommunicationError(
            f"{self.name} gave no usable answer to {question!r} in {TRIES} tries; last: {error}; {self.hint}"
        ) from error

    def _told(self, message: str, error: Exception) -> str:
        if isinstance(error, pyvisa.errors.VisaIOError) and error.error_code == StatusCode.error_timeout:
            seconds = getattr(self._connection, "timeout", 1e3 * DEADLINE_S) / 1e3
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


def open_library(backend: Backend, lab: str = "default") -> pyvisa.ResourceManager:
    """Return the resource manager of the library that ``backend`` asks for.

    Args:
        lab: name or path of the virtual lab; ignored for hardware.

    Raises:
        ConfigurationError: if there is no such library, or the environment selects the other kind.
    """
    named = os.environ.get("PYVISA_LIBRARY", "")
    if named and named.endswith("@onnes") != (backend == "simulated"):
        raise _wrong_backend(backend, f"the environment selects PYVISA_LIBRARY = {named!r}")
    try:
        manager = pyvisa.ResourceManager(f"{lab}@onnes" if backend == "simulated" else "")
    except OnnesError:
        raise
    except (pyvisa.errors.Error, OSError, ValueError) as error:
        if backend == "simulated":
            raise ConfigurationError(
                f"the virtual lab cannot be opened: {error}; install onnes anew"
            ) from error
        raise ConfigurationError(
            f"no VISA library for backend = {backend!r}: {error}; install that of the maker of the GPIB "
            "board (NI-VISA, Keysight IO Libraries), or pyvisa-py"
        ) from error
    found = library_kind(manager)
    if found != backend:
        raise _wrong_backend(backend, f"the VISA library is {_class_name(manager)}, which is {found}")
    return manager


def _wrong_backend(backend: Backend, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"station says backend = {backend!r}, but {found}; correct backend in the station file, "
        "or unset PYVISA_LIBRARY"
    )


def library_kind(manager: pyvisa.ResourceManager) -> Backend:
    """Return what the library behind ``manager`` really is."""
    return "simulated" if type(manager.visalib).__module__.startswith("onnes.sim") else "visa"


def _class_name(manager: pyvisa.ResourceManager) -> str:
    kind = type(manager.visalib)
    return f"{kind.__module__}.{kind.__qualname__}"


def library_provenance(manager: pyvisa.ResourceManager) -> Mapping[str, Any]:
    """Return what the library is: class and path, of a virtual lab also its name, seed and hash."""
    told = {"backend": library_kind(manager), "library": _class_name(manager)}
    if told["backend"] == "simulated":
        return told | dict(manager.visalib.provenance())  # type: ignore[attr-defined]  # the virtual lab's
    return told | {"library_path": str(manager.visalib.library_path)}


def open_adapter(
    manager: pyvisa.ResourceManager,
    resource: str,
    *,
    name: str,
    deadline_s: float = DEADLINE_S,
    termination: str = "\n",
    reply_termination: str | None = "\n",
    hint: str = _LOOK_AT,
) -> VISAAdapter:
    """Open ``resource`` for PyMeasure.

    Raises:
        ConfigurationError: if ``resource`` is no VISA resource name, or its interface is not installed.
        CommunicationError: if no instrument is found there, or another program holds it.
    """
    try:
        return VISAAdapter(
            resource,
            visa_library=manager.visalib,
            timeout=round(1e3 * deadline_s),
            write_termination=termination,
            read_termination=reply_termination,
        )
    except OnnesError:
        raise
    except pyvisa.errors.VisaIOError as error:
        raise _not_opened(name, resource, error, hint) from error
    except (pyvisa.errors.Error, OSError, ValueError) as error:
        raise ConfigurationError(
            f"{name}: {resource!r} cannot be opened: {error}; "
            "expected a VISA resource name; e.g. 'GPIB0::15::INSTR'"
        ) from error


def _not_opened(name: str, resource: str, error: pyvisa.errors.VisaIOError, hint: str) -> OnnesError:
    code = error.error_code
    if code in (StatusCode.error_resource_not_found, StatusCode.error_timeout):
        return CommunicationError(f"no instrument at {resource} ({name}); {hint}")
    if code in (StatusCode.error_resource_busy, StatusCode.error_resource_locked):
        return CommunicationError(f"{name} at {resource} is held by another program; close it; {hint}")
    if code == StatusCode.error_invalid_resource_name:
        return ConfigurationError(
            f"{name}: {resource!r} is no VISA resource name; expected for example 'GPIB0::15::INSTR'"
        )
    if code in (StatusCode.error_library_not_found, StatusCode.error_interface_number_not_configured):
        return ConfigurationError(
            f"{name}: the interface of {resource} is not installed: {error.description}"
        )
    return CommunicationError(f"{name} at {resource} cannot be opened: {error.description}; {hint}")
