"""The dialect of Stanford Research's lock-ins: flat commands, status bytes that latch, silence to mistakes.

A command is a mnemonic, ``?`` for a query, and arguments between commas; blanks and the case of letters do
not count, and several commands are joined by ``;``. A mistake sets a bit of the standard event status and
nothing else. In strict mode it also goes into the journal.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from onnes.sim.device import Deferred, Device, InstrumentSettings, Reply
from onnes.sim.journal import JournalEntry

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

# Bits of the standard event status byte (SR830 manual, 5-26).
_EXE, _CMD, _PON = 16, 32, 128
# Bits of the serial poll status byte (SR830 manual, 5-25): no scan, no command running, an enabled bit of the
# error, the lock-in and the standard event status, a reply waits, service is requested.
_IFC, _ERR, _LIA, _MAV, _ESB, _SRQ = 2, 4, 8, 16, 32, 64

_UNIT: Final = re.compile(r"\s*(\*?[A-Z]+)\s*(\?)?(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?")
_CACHE_SIZE: Final = 4096


class CommandError(Exception):
    """A message that is not of this language: no such command, or the wrong arguments."""


class ExecutionError(Exception):
    """A command whose value is not allowed, or not now."""


# --- arguments --------------------------------------------------------------------------------------------


class Kind(Protocol):
    """How one argument is read and written."""

    def parse(self, text: str) -> Any:
        """Return the value of ``text``.

        Raises:
            CommandError: if it says none.
            ExecutionError: if it is not allowed.
        """

    def format(self, value: Any) -> str:
        """Return the reply."""


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise CommandError
    return float(text)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``low`` to ``high``; it may be written with a fraction of zeros."""

    low: int
    high: int

    def parse(self, text: str) -> int:
        """Return the number of ``text``."""
        value = _number(text)
        if value != int(value) or not self.low <= value <= self.high:
            raise ExecutionError
        return int(value)

    def format(self, value: int) -> str:
        """Return the reply."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Real:
    """A number from ``low`` to ``high``, rounded to ``digits`` behind the point or to 6 significant ones."""

    low: float
    high: float
    digits: int | None = None

    def parse(self, text: str) -> float:
        """Return the number of ``text``."""
        value = _number(text)
        if not self.low <= value <= self.high:
            raise ExecutionError
        return float(f"{value:.5e}") if self.digits is None else round(value, self.digits)

    def format(self, value: float) -> str:
        """Return the reply."""
        return f"{value:.6g}" if self.digits is None else f"{value:.{self.digits}f}"


class Words:
    """One of some words, or its place among them; replies are places."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def parse(self, text: str) -> int:
        """Return the place of ``text``; a word may be cut to the letters that are in capitals."""
        for place, word in enumerate(self.words):
            short = "".join(letter for letter in word if not letter.islower())
            if text in {short, word.upper()}:
                return place
        return Whole(0, len(self.words) - 1).parse(text)

    def format(self, value: int) -> str:
        """Return the reply."""
        return str(value)


# --- what a device declares -------------------------------------------------------------------------------


class Setting:
    """A value with its command and its query; the device's attribute is the value, of ``index`` a tuple.

    Args:
        name: the mnemonic.
        kind: how the value is read and written.
        default: after ``*RST``; with ``index`` of all alike, or a tuple.
        index: the first and the last number of several alike, as of four outputs.
        keeps: ``*RST`` leaves it as it is.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: Any,
        *,
        index: tuple[int, int] | None = None,
        keeps: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.index = index
        alike = 0 if index is None or isinstance(default, tuple) else index[1] - index[0] + 1
        self.default = (default,) * alike if alike else default
        self.keeps = keeps
        self.attribute = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name

    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return the declaration itself; an instance has the value in its own dictionary."""
        return self if instance is None else self.default


F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Entry:
    kinds: tuple[Kind, ...]
    optional: int
    call: Callable[..., Any]


def command(name: str, *kinds: Kind, optional: int = 0) -> Callable[[F], F]:
    """Declare ``method(device, t, *arguments)`` as a command; the last ``optional`` may be missing."""
    return _declare((name, False), kinds, optional)


def query(name: str, *kinds: Kind, optional: int = 0) -> Callable[[F], F]:
    """Declare ``method(device, t, *arguments)`` as a query; it returns the reply."""
    return _declare((name, True), kinds, optional)


def _declare(header: tuple[str, bool], kinds: tuple[Kind, ...], optional: int) -> Callable[[F], F]:
    def mark(function: F) -> F:
        vars(function).setdefault("srs_entries", {})[header] = _Entry(kinds, optional, function)
        return function

    return mark


# --- the instrument ---------------------------------------------------------------------------------------


class SrsDevice(Device):
    """What is the same in every lock-in of this maker; a subclass adds its settings, commands and queries.

    Replies pile up unread, as no new message drops them.
    """

    identity: ClassVar[str]  # reply to *IDN?; the serial number of a simulated instrument contains SIM
    _entries: ClassVar[Mapping[tuple[str, bool], _Entry]]
    _settings: ClassVar[tuple[Setting, ...]]
    _parsed: ClassVar[dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._entries, cls._settings = _compiled(cls)
        cls._parsed = {}

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        for setting in self._settings:
            vars(self)[setting.attribute] = setting.default
        # Status bytes and what of them asks for service, by their query.
        self._bits = {"*ESR": _PON, "LIAS": 0, "ERRS": 0}
        self._enabled = {"*ESR": 0, "LIAS": 0, "ERRS": 0}
        self._service = 0

    # --- messages

    def execute(self, message: str, t: float) -> Reply:
        """Obey one message; the replies of several queries are one line each."""
        replies: list[str | bytes | Deferred] = []
        for unit in message.split(";"):
            if not unit.strip():
                continue
            try:
                call, arguments = self._parse(unit)
                reply = call(self, t, *arguments)
            except CommandError:
                self._refuse(_CMD, "refused CMD", t, unit)
            except ExecutionError:
                self._refuse(_EXE, "refused EXE", t, unit)
            else:
                if reply is not None:
                    replies.append(reply)
        if len(replies) < 2:
            return replies[0] if replies else None
        return "\n".join(reply for reply in replies if isinstance(reply, str))

    def _parse(self, unit: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        known = self._parsed.get(unit)
        if known is None:
            if len(self._parsed) >= _CACHE_SIZE:
                self._parsed.clear()
            known = self._parsed[unit] = self._understood(unit)
        return known

    def _understood(self, unit: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        found = _UNIT.fullmatch(unit.upper())
        if found is None:
            raise CommandError
        name, question, rest = found[1], found[2], "".join(found[3].split())
        entry = self._entries.get((name, bool(question)))
        if entry is None:
            raise CommandError
        texts = rest.split(",") if rest else []
        if not len(entry.kinds) - entry.optional <= len(texts) <= len(entry.kinds):
            raise CommandError
        return entry.call, tuple(kind.parse(text) for kind, text in zip(entry.kinds, texts, strict=False))

    def _refuse(self, bit: int, what: str, t: float, unit: str) -> None:
        self._bits["*ESR"] |= bit
        if self.lab.strict:
            self.lab.journal.append(JournalEntry(t, self.name, what, unit.strip()))

    def assign(self, attribute: str, value: Any, t: float) -> None:
        """Give a setting a new value; a device overrides it where more follows from one."""
        del t
        vars(self)[attribute] = value

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        for setting in self._settings:
            if not setting.keeps:
                self.assign(setting.attribute, setting.default, t)

    # --- status

    def look(self, t: float) -> None:
        """Latch the bits of what has happened until ``t``; here nothing does."""

    def latch(self, byte: str, bits: int) -> None:
        """Set bits of the status ``LIAS`` or ``ERRS``, which stay until they are read."""
        self._bits[byte] |= bits

    def is_scanning(self) -> bool:
        """Say whether data are being stored."""
        return False

    def status_byte(self, t: float, message_available: bool) -> int:
        """Return the serial poll status byte."""
        self.look(t)
        byte = _IFC | (0 if self.is_scanning() else 1) | (_MAV if message_available else 0)
        for name, bit in (("*ESR", _ESB), ("LIAS", _LIA), ("ERRS", _ERR)):
            if self._bits[name] & self._enabled[name]:
                byte |= bit
        return byte | _SRQ if byte & self._service else byte

    @query("*ESR", Whole(0, 7), optional=1)
    def _standard(self, t: float, bit: int | None = None) -> str:
        return self._taken("*ESR", t, bit)

    @query("LIAS", Whole(0, 15), optional=1)
    def _lock_in(self, t: float, bit: int | None = None) -> str:
        return self._taken("LIAS", t, bit)

    @query("ERRS", Whole(0, 7), optional=1)
    def _errors(self, t: float, bit: int | None = None) -> str:
        return self._taken("ERRS", t, bit)

    def _taken(self, name: str, t: float, bit: int | None) -> str:
        """Return a status byte, or one bit of it, and clear what was returned."""
        self.look(t)
        bits = self._bits[name]
        if bit is None:
            self._bits[name] = 0
            return str(bits)
        self._bits[name] &= ~(1 << bit)
        return str(bits >> bit & 1)

    @query("*STB", Whole(0, 7), optional=1)
    def _serial_poll(self, t: float, bit: int | None = None) -> str:
        byte = self.status_byte(t, message_available=False)
        return str(byte if bit is None else byte >> bit & 1)

    @command("*ESE", Whole(0, 255), Whole(0, 1), optional=1)
    def _enable_standard(self, t: float, value: int, on: int | None = None) -> None:
        del t
        self._enable("*ESR", value, on)

    @command("LIAE", Whole(0, 255), Whole(0, 1), optional=1)
    def _enable_lock_in(self, t: float, value: int, on: int | None = None) -> None:
        del t
        self._enable("LIAS", value, on)

    @command("ERRE", Whole(0, 255), Whole(0, 1), optional=1)
    def _enable_errors(self, t: float, value: int, on: int | None = None) -> None:
        del t
        self._enable("ERRS", value, on)

    def _enable(self, name: str, value: int, on: int | None) -> None:
        self._enabled[name] = _with_bit(self._enabled[name], value, on)

    @command("*SRE", Whole(0, 255), Whole(0, 1), optional=1)
    def _enable_service(self, t: float, value: int, on: int | None = None) -> None:
        del t
        self._service = _with_bit(self._service, value, on)

    @query("*ESE", Whole(0, 7), optional=1)
    def _standard_enabled(self, t: float, bit: int | None = None) -> str:
        del t
        return _bit_of(self._enabled["*ESR"], bit)

    @query("LIAE", Whole(0, 15), optional=1)
    def _lock_in_enabled(self, t: float, bit: int | None = None) -> str:
        del t
        return _bit_of(self._enabled["LIAS"], bit)

    @query("ERRE", Whole(0, 7), optional=1)
    def _errors_enabled(self, t: float, bit: int | None = None) -> str:
        del t
        return _bit_of(self._enabled["ERRS"], bit)

    @query("*SRE", Whole(0, 7), optional=1)
    def _service_enabled(self, t: float, bit: int | None = None) -> str:
        del t
        return _bit_of(self._service, bit)

    @command("*CLS")
    def _clear_status(self, t: float) -> None:
        """Clear the status bytes; what is enabled stays."""
        self.look(t)  # what has happened until now has been seen
        self._bits = dict.fromkeys(self._bits, 0)

    # --- commands that all have

    @command("*RST")
    def _reset(self, t: float) -> None:
        self.reset(t)

    @query("*IDN")
    def _identify(self, t: float) -> str:
        del t
        return self.identity


def _with_bit(byte: int, value: int, on: int | None) -> int:
    """Return ``value``, or ``byte`` with its bit number ``value`` set to ``on``.

    Raises:
        ExecutionError: if there is no such bit.
    """
    if on is None:
        return value
    if value > 15:
        raise ExecutionError
    return byte | 1 << value if on else byte & ~(1 << value)


def _bit_of(byte: int, bit: int | None) -> str:
    return str(byte if bit is None else byte >> bit & 1)


def _compiled(
    cls: type[SrsDevice],
) -> tuple[Mapping[tuple[str, bool], _Entry], tuple[Setting, ...]]:
    entries: dict[tuple[str, bool], _Entry] = {}
    settings: list[Setting] = []
    for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        declared = getattr(cls, name)
        if isinstance(declared, Setting):
            settings.append(declared)
            places = () if declared.index is None else (Whole(*declared.index),)
            entries[declared.name, False] = _Entry((*places, declared.kind), 0, _setter(declared))
            entries[declared.name, True] = _Entry(places, 0, _getter(declared))
        entries |= getattr(declared, "srs_entries", {})
    return entries, tuple(settings)


def _setter(setting: Setting) -> Callable[..., None]:
    attribute = setting.attribute
    if setting.index is None:

        def one(device: SrsDevice, t: float, value: Any) -> None:
            device.assign(attribute, value, t)

        return one
    first = setting.index[0]

    def of_many(device: SrsDevice, t: float, number: int, value: Any) -> None:
        values = list(vars(device)[attribute])
        values[number - first] = value
        device.assign(attribute, tuple(values), t)

    return of_many


def _getter(setting: Setting) -> Callable[..., str]:
    attribute, form = setting.attribute, setting.kind.format
    if setting.index is None:

        def one(device: SrsDevice, t: float) -> str:
            del t
            return form(vars(device)[attribute])

        return one
    first = setting.index[0]

    def of_many(device: SrsDevice, t: float, number: int) -> str:
        del t
        return form(vars(device)[attribute][number - first])

    return of_many
