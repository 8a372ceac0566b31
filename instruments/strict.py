"""What makes a PyMeasure instrument strict.

PyMeasure clips many setpoints without a word (1 A asked of a 6221 gives 0.105 A), sends six digits, accepts
misspelt attributes and only logs errors. Its property creators keep what they were told as default
arguments; each inherited property is rebuilt from those: ``class X(StrictInstrument, PyMeasureX)`` is strict.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pymeasure.adapters import Adapter
from pymeasure.instruments.common_base import CommonBase, DynamicProperty
from pymeasure.instruments.validators import strict_range, truncated_range
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import Clock, WallClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.link import Link
from onnes.instruments.spelling import nearest

_FLOAT_FORMAT = re.compile(r"%[-+ 0#]*\d*(?:\.\d+)?[eEfFgG]")
_MOST_ERRORS = 20
_OVERFLOW = -350
_QUERY_ERRORS = range(-499, -399)  # SCPI's class for replies that were not read, or read with nothing asked
_INFINITE = 9.9e37  # how SCPI writes it
# What a reply in seven digits is off by, at most; drivers name the properties that are coarser.
_RELATIVE_RESOLUTION = 1e-6


class Strict:
    """Refuses what PyMeasure would clip, round, shorten or ignore. For instruments and channels.

    Class attributes of a driver: ``units`` {property: unit} for error texts, ``resolutions`` {property: step}
    where the instrument keeps fewer than seven digits of what it is told.
    """

    units: ClassVar[Mapping[str, str]] = {}
    resolutions: ClassVar[Mapping[str, float]] = {}
    _sealed = False
    _dynamic: ClassVar[frozenset[str]] = frozenset()
    link: Link
    name: str

    # PyMeasure's own looks through a list of names at every access, 0.7 us each; strict drivers need it not.
    __getattribute__ = object.__getattribute__

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, found in inspect.getmembers(cls, lambda member: isinstance(member, property)):
            if _made_by_pymeasure(found):
                if isinstance(found, DynamicProperty):
                    cls._dynamic |= {f"{name}_values"}
                setattr(cls, name, _strict_property(name, found))

    def __setattr__(self, name: str, value: Any) -> None:
        if self._sealed and not name.startswith("_") and not self._has_attribute(name):
            hint = nearest(name, [n for n in dir(self) if not n.startswith("_")])
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; nothing was sent{hint}")
        super().__setattr__(name, value)

    def _has_attribute(self, name: str) -> bool:
        return name in self.__dict__ or hasattr(type(self), name) or name in self._dynamic


def _made_by_pymeasure(found: property) -> bool:
    makers = [f.__qualname__ for f in (found.fget, found.fset) if f is not None]
    return bool(makers) and all(maker.startswith("CommonBase.control.<locals>") for maker in makers)


def _strict_property(name: str, declared: property) -> property:
    told = {p.name: p.default for p in inspect.signature(declared.fset).parameters.values()}  # type: ignore[arg-type]
    question = inspect.signature(declared.fget).parameters["get_command"].default  # type: ignore[arg-type]
    command: str | None = told["set_command"] and _FLOAT_FORMAT.sub("%.9g", told["set_command"])
    answers_text = _answers_text(declared, told["values"])

    def values_of(self: Any) -> Any:
        """Return the allowed values; a dynamic property may have its own in class or instance."""
        dynamic = isinstance(declared, DynamicProperty)
        return getattr(self, f"{name}_values", told["values"]) if dynamic else told["values"]

    def ask(self: Any) -> Any:
        try:
            value = declared.fget(self, values=values_of(self))  # type: ignore[misc, call-arg]
        except KeyError as error:  # how PyMeasure says that a reply is not in the map
            raise ValueError(
                f"{self.name} answered {question!r} with a value it does not have: {error}"
            ) from None
        if isinstance(value, str) and not answers_text:
            raise ValueError(f"{self.name} answered {question!r} with {value!r}, which is no number")
        return value

    def get(self: Any) -> Any:
        if question is None:
            raise AttributeError(f"{name} of {self.name} cannot be read, only set")
        return self.link.attempt(lambda: ask(self), question)

    def set_(self: Any, value: Any) -> None:
        if command is None:
            raise AttributeError(f"{name} of {self.name} cannot be set, only read; nothing was sent")
        allowed = values_of(self)
        _check(
            self, name, value, told["validator"], allowed, whole="%d" in command and not told["map_values"]
        )
        wire = told["set_process"](value)
        if told["map_values"]:
            wire = allowed[wire] if isinstance(allowed, dict) else allowed.index(wire)
        self.write(command % wire)
        if question is not None:
            confirm(name, value, get(self), self.resolutions.get(name, 0.0), self.name)

    return property(get, set_, doc=declared.__doc__)


def _answers_text(declared: property, values: Any) -> bool:
    cast = inspect.getclosurevars(declared.fget).nonlocals.get("cast")  # type: ignore[arg-type]
    listed = values if isinstance(values, list | tuple | dict) else ()
    return cast is str or any(isinstance(entry, str) for entry in listed) or _nested_text(listed)


def _nested_text(listed: Any) -> bool:
    return any(isinstance(e, list | tuple) and any(isinstance(i, str) for i in e) for e in listed)


def _check(
    self: Any, name: str, value: Any, validator: Callable[[Any, Any], Any], allowed: Any, *, whole: bool
) -> None:
    """Refuse what the validator of PyMeasure would refuse, and also what it would change."""
    unit = self.units.get(name, "")
    if validator in (strict_range, truncated_range):
        Limits(float(min(allowed)), float(max(allowed)), unit, f"the {self.name}").check(name, value)
    try:
        unchanged = validator(value, allowed) == value and (not isinstance(allowed, dict) or value in allowed)
    except (ValueError, TypeError):
        unchanged = False
    if not unchanged or (whole and value != int(value)):
        choices = list(allowed) if isinstance(allowed, dict | tuple | list) else allowed
        raise LimitError(
            f"{name} = {value!r} {unit}".rstrip()
            + f" is not allowed by the {self.name}; expected one of {choices}; nothing was sent"
        )


def confirm(what: str, asked: Any, got: Any, resolution: float, instrument: str) -> None:
    """Compare what was asked with what was read back.

    Raises:
        InstrumentFault: if they differ by more than the instrument resolves.
    """
    if got == asked or (asked == "INF" and isinstance(got, float) and got >= _INFINITE):
        return
    number = isinstance(asked, int | float) and isinstance(got, int | float)
    if number and abs(got - asked) <= max(resolution, _RELATIVE_RESOLUTION * abs(asked)):
        return
    raise InstrumentFault(
        f"{instrument} was told {what} = {asked!r} and reads back {got!r}; look at the instrument"
    )


class StrictInstrument(Strict):
    """The strict side of an instrument; write ``class X(StrictInstrument, PyMeasureX)``."""

    reply_end: ClassVar[str] = "\n"
    reply_termination: ClassVar[str | None] = "\n"  # the character that ends a read; None: only END does
    reply_delay_s: ClassVar[float] = 0.0
    hint: ClassVar[str] = "look at cable, power and address"
    model_name: ClassVar[str] = ""  # what the reply to ``*IDN?`` names
    adapter: Adapter

    def __init__(self, adapter: Adapter | str, name: str, clock: Clock | None = None, **kwargs: Any) -> None:
        super().__init__(adapter, name, **kwargs)  # type: ignore[call-arg]  # PyMeasure's Instrument comes next
        self.link = Link(
            self.adapter,
            name,
            clock or WallClock(),
            reply_delay_s=self.reply_delay_s,
            reply_end=self.reply_end,
            hint=self.hint,
        )
        self._sealed = True

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a message without reply; raise CommunicationError if that fails."""
        del kwargs
        self.link.write(command)

    def read(self, **kwargs: Any) -> str:
        """Return one reply; raise CommunicationError if it is missing, late or cut off."""
        del kwargs
        return self.link.read()

    def read_bytes(self, count: int, **kwargs: Any) -> bytes:
        """Return exactly ``count`` bytes, in one transfer.

        Raises:
            ValueError: if ``count`` is not positive: PyMeasure would read byte by byte until a timeout.
            CommunicationError: if fewer came.
        """
        del kwargs
        if count < 1:
            raise ValueError(
                f"count = {count}: a binary read needs the number of bytes; it never ends at a timeout"
            )
        try:
            with self._without_termination():
                data = bytes(self.adapter.read_bytes(count, chunk_size=count))
        except (OSError, ValueError) as error:
            raise CommunicationError(
                f"{self.name} did not send {count} bytes: {error}; {self.hint}"
            ) from error
        if len(data) != count:
            raise CommunicationError(f"{self.name} sent {len(data)} of {count} bytes; {self.hint}")
        return data

    @contextmanager
    def _without_termination(self) -> Iterator[None]:
        """Let no byte of a binary reply pass for the end of it."""
        connection = getattr(self.adapter, "connection", None)
        if not isinstance(connection, MessageBasedResource):
            yield  # PyMeasure's adapter for tests of what is on the wire
            return
        usual = connection.read_termination
        connection.read_termination = None
        try:
            yield
        finally:
            connection.read_termination = usual

    def read_binary_values(self, **kwargs: Any) -> npt.NDArray[np.float64]:
        """Refuse PyMeasure's binary read, which does not know its length."""
        del kwargs
        raise ValueError("a binary read needs the number of values; use read_floats")

    def read_floats(self, command: str, count: int) -> npt.NDArray[np.float64]:
        """Send ``command`` and return the ``count`` little-endian 4-byte floats that it answers.

        Raises:
            CommunicationError: if fewer came.
        """
        self.link.write(command)
        return np.frombuffer(self.read_bytes(4 * count), dtype="<f4").astype(np.float64)

    def check_errors(self) -> list[Any]:
        """Empty the error queue; an empty list if nothing was in it.

        Raises:
            InstrumentFault: if it held errors, at most 20 of which are read.
            CommunicationError: if all it held says that questions and replies got out of step.
        """
        errors: list[tuple[int, str]] = []
        while len(errors) < _MOST_ERRORS:
            entry = self.link.query("SYST:ERR?", _error_entry)
            if entry[0] == 0:
                break
            errors.append(entry)
        if not errors:
            return []
        more = "; there may be more" if len(errors) == _MOST_ERRORS else ""
        told = f"{self.name} reports {len(errors)} errors: {'; '.join(text for _, text in errors)}{more}"
        codes = {code for code, _ in errors}
        # A long silence overfills the queue; what it then dropped came after what it still tells.
        if codes - {_OVERFLOW} and all(code in _QUERY_ERRORS for code in codes - {_OVERFLOW}):
            raise CommunicationError(told)
        raise InstrumentFault(told)

    def connect(self) -> str:
        """Clear the line and return the identification; nothing is set.

        Raises:
            CommunicationError: if another instrument answers.
        """
        self.link.clear()
        return self.identify()

    def identify(self) -> str:
        """Return the reply to ``*IDN?``.

        Raises:
            CommunicationError: if it does not name the model, or none comes.
        """
        identity = self.link.query("*IDN?", str)
        if self.model_name not in identity:
            raise CommunicationError(
                f"{self.name}: expected a {self.model_name}, but {identity!r} answers; "
                "correct its resource in the station file"
            )
        return identity

    def answer(self) -> None:
        """Ask a question that changes nothing.

        Raises:
            CommunicationError: if the instrument does not answer, or another one does.
        """
        self.identify()

    def shutdown(self) -> None:
        """Bring the instrument into its safe state, as PyMeasure's windows ask at the end of a run."""
        self.safe_state()

    def safe_state(self) -> str:
        """Bring the instrument into its safe state and return what was done and read back."""
        return "nothing to do"


def _error_entry(reply: str) -> tuple[int, str]:
    code, comma, text = reply.partition(",")
    if not comma:
        raise ValueError(f"{reply!r} is no entry of an error queue")
    return int(code), f"{int(code)} {text}"


class StrictChannel(Strict):
    """The strict side of a channel; write ``class X(StrictChannel, PyMeasureChannel)``."""

    parent: Any

    def __init__(self, parent: CommonBase, id: int | str) -> None:
        super().__init__(parent, id)  # type: ignore[call-arg]  # PyMeasure's Channel comes next
        self._sealed = True

    @property
    def link(self) -> Link:  # type: ignore[override]  # it is the parent's
        """Return the link of the instrument that the channel belongs to."""
        return self.parent.link  # type: ignore[no-any-return]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the name for error texts."""
        return f"{self.parent.name}, channel {self.id}"

    id: int | str
