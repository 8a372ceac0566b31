"""A lock-in of Stanford Research: obeys messages, keeps status bytes that latch, and is silent to mistakes.

Several commands are joined by ``;``. A mistake sets a bit of the standard event status and nothing else; in
strict mode it also goes into the journal.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from onnes.sim.device import Device, InstrumentSettings, Reply
from onnes.sim.journal import JournalEntry
from onnes.sim.srs import (
    CommandError,
    Entries,
    Entry,
    ExecutionError,
    Setting,
    Whole,
    command,
    parse,
    query,
)

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

# Bits of the standard event status byte (SR830 manual, 5-26).
_EXE, _CMD, _PON = 16, 32, 128
# Bits of the serial poll status byte (SR830 manual, 5-25): no scan, no command running, an enabled bit of the
# error, the lock-in and the standard event status, a reply waits, service is requested.
_IFC, _ERR, _LIA, _MAV, _ESB, _SRQ = 2, 4, 8, 16, 32, 64

_CACHE_SIZE: Final = 4096  # messages remembered per class


class SrsDevice(Device):
    """What is the same in every lock-in of this maker; a subclass adds its settings, commands and queries.

    Replies pile up unread, as no new message drops them.
    """

    identity: ClassVar[str]  # reply to *IDN?; the serial number of a simulated instrument contains SIM
    _entries: ClassVar[Entries]
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
        replies: list[str | bytes] = []
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
        lines = [reply if isinstance(reply, bytes) else f"{reply}\n".encode() for reply in replies]
        return b"".join(lines)

    def _parse(self, unit: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        known = self._parsed.get(unit)
        if known is None:
            if len(self._parsed) >= _CACHE_SIZE:
                self._parsed.clear()
            known = self._parsed[unit] = parse(self._entries, unit)
        return known

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
) -> tuple[Entries, tuple[Setting, ...]]:
    entries: dict[tuple[str, bool], Entry] = {}
    settings: list[Setting] = []
    for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        declared = getattr(cls, name)
        if isinstance(declared, Setting):
            settings.append(declared)
            places = () if declared.index is None else (Whole(*declared.index),)
            entries[declared.name, False] = Entry((*places, declared.kind), 0, _setter(declared))
            entries[declared.name, True] = Entry(places, 0, _getter(declared))
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
