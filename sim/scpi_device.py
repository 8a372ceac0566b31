"""A SCPI instrument: executes parsed messages, keeps the error queue and the registers of IEEE 488.2."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from onnes.sim.device import Deferred, Device, InstrumentSettings, Reply
from onnes.sim.journal import JournalEntry
from onnes.sim.scpi import Entry, Node, Param, Unit, add_to, command, parse, query
from onnes.sim.scpi_kinds import ERRORS, Boolean, Choice, Integer, ScpiError

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_QUEUE_SIZE = 10  # as a 2182A's
_CACHE_SIZE = 4096  # messages remembered per class; setpoints make new ones all the time
_WORD = Choice("MINimum", "MAXimum", "DEFault").parse

# Bits of the status byte, IEEE 488.2 11.2 and the Keithley manuals: measurement summary, error available,
# questionable summary, message available, event summary, service request, operation summary.
_MSB, _EAV, _QSB, _MAV, _ESB, _MSS, _OSB = 1, 4, 8, 16, 32, 64, 128
# Bits of the standard event register: operation complete, query error, device error, execution error,
# command error, power on.
_OPC, _DEVICE_ERROR, _PON = 1, 8, 128
_EVENT_OF_ERROR = {-1: 32, -2: 16, -3: 8, -4: 4}  # by hundreds of the code


class ScpiDevice(Device):
    """What is the same in every SCPI instrument; a subclass adds its Params, commands and queries."""

    drops_unread = True
    has_error_queue = True
    identity: ClassVar[str]  # reply to *IDN?; the serial number of a simulated instrument contains SIM
    _root: ClassVar[Node]
    _params: ClassVar[tuple[Param[Any], ...]]
    _parsed: ClassVar[tuple[dict[str, list[Unit]], dict[str, list[Unit]]]]  # normal and strict mode

    display_enabled = Param("DISPlay:ENABle", Boolean(), True)
    standard_enable = Param("*ESE", Integer(0, 255), 0, keeps=True)
    service_enable = Param("*SRE", Integer(0, 255), 0, keeps=True)
    measurement_enable = Param("STATus:MEASurement:ENABle", Integer(0, 65535), 0, keeps=True)
    operation_enable = Param("STATus:OPERation:ENABle", Integer(0, 65535), 0, keeps=True)
    questionable_enable = Param("STATus:QUEStionable:ENABle", Integer(0, 65535), 0, keeps=True)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._root, cls._params = _compiled(cls)
        cls._parsed = ({}, {})

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._errors: deque[int] = deque()
        self._standard_events = _PON
        self._events = {"measurement": 0, "operation": 0, "questionable": 0}
        self._seen = dict(self._events)
        for param in self._params:
            vars(self)[param.name] = param.default

    # --- messages -------------------------------------------------------------------------------------

    def execute(self, message: str, t: float) -> Reply:
        """Obey one message; replies of several queries are joined by ``;``."""
        strict = self.lab.strict
        units = self._parsed[strict].get(message)
        if units is None:
            units = self._remember(message, strict)
        reply: Reply = None
        replies: list[str | bytes | Deferred] = []
        for unit in units:
            try:
                reply = unit.call(self, t, *unit.arguments)
            except ScpiError as error:
                self.refuse(error.code, t, message)
            else:
                if reply is not None:
                    replies.append(reply)
        return _joined(replies) if len(replies) > 1 else replies[0] if replies else None

    def _remember(self, message: str, strict: bool) -> list[Unit]:
        cache = self._parsed[strict]
        if len(cache) >= _CACHE_SIZE:
            cache.clear()
        units = cache[message] = parse(self._root, message, strict)
        return units

    def assign(self, name: str, value: Any, t: float) -> None:
        """Give the Param ``name`` a new value; a device overrides it where more follows from one."""
        del t
        vars(self)[name] = value

    # --- errors and status ----------------------------------------------------------------------------

    def refuse(self, code: int, t: float, message: str = "") -> None:
        """Put an error into the queue; in strict mode also into the journal, with the message."""
        if len(self._errors) < _QUEUE_SIZE:
            self._errors.append(code)
        else:
            self._errors[-1] = -350
        self._standard_events |= _EVENT_OF_ERROR[-(-code // 100)] if code < 0 else _DEVICE_ERROR
        if self.lab.strict:
            self.lab.journal.append(JournalEntry(t, self.name, f"refused {code}", message))

    def interrupted(self, t: float) -> None:
        """Queue -410, as the reply was dropped unread."""
        self.refuse(-410, t)

    def unterminated(self, t: float) -> None:
        """Queue -420: it was asked to talk and has nothing to say."""
        self.refuse(-420, t)

    def condition(self, register: str, t: float) -> int:
        """Return the bits that are true now in the register ``measurement``, ``operation``, ..."""
        del register, t
        return 0

    def latch(self, register: str, bits: int) -> None:
        """Set event bits, which stay until they are read."""
        self._events[register] |= bits

    def watch(self, register: str, t: float) -> int:
        """Latch the bits of the condition that became true since the last look, and return the condition.

        A device calls it around whatever may change its condition; one that lasts is latched once.
        """
        now = self.condition(register, t)
        self.latch(register, now & ~self._seen[register])
        self._seen[register] = now
        return now

    def status_byte(self, t: float, message_available: bool) -> int:
        """Return the status byte; bit 6 says that an enabled bit is set."""
        byte = _MAV if message_available else 0
        if self._errors:
            byte |= _EAV
        if self._standard_events & int(self.standard_enable):
            byte |= _ESB
        for register, enable, bit in (
            ("measurement", self.measurement_enable, _MSB),
            ("operation", self.operation_enable, _OSB),
            ("questionable", self.questionable_enable, _QSB),
        ):
            self.watch(register, t)
            if self._events[register] & int(enable):
                byte |= bit
        return byte | _MSS if byte & int(self.service_enable) & ~_MSS else byte

    def _take_events(self, register: str, t: float) -> str:
        self.watch(register, t)
        events, self._events[register] = self._events[register], 0
        return str(events)

    # --- commands that all have -----------------------------------------------------------------------

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        for param in self._params:
            if not param.keeps:
                self.assign(param.name, param.default, t)

    @command("*RST")
    @command("SYSTem:PRESet")
    def _reset(self, t: float) -> None:
        self.reset(t)

    @query("*IDN")
    def _identify(self, t: float) -> str:
        del t
        return self.identity

    @command("*CLS")
    def _clear_status(self, t: float) -> None:
        del t
        self._errors.clear()
        self._standard_events = 0
        self._events = dict.fromkeys(self._events, 0)

    @query("*ESR")
    def _take_standard_events(self, t: float) -> str:
        del t
        events, self._standard_events = self._standard_events, 0
        return str(events)

    @command("*OPC")
    def _note_completion(self, t: float) -> None:
        del t
        self._standard_events |= _OPC

    @query("*OPC")
    def _is_complete(self, t: float) -> str:
        del t
        return "1"

    @query("*STB")
    def _status(self, t: float) -> str:
        return str(self.status_byte(t, message_available=False))

    @query("*TST")
    @query("*OPT")
    def _zero(self, t: float) -> str:
        """Say that the self-test passed, and that no option is fitted (k)."""
        del t
        return "0"

    @command("*WAI")
    def _wait(self, t: float) -> None:
        """Nothing here overlaps."""

    @command("*TRG")
    def _trigger(self, t: float) -> None:
        self.trigger(t)

    @query("SYSTem:ERRor[:NEXT]")
    @query("STATus:QUEue[:NEXT]")
    def _next_error(self, t: float) -> str:
        del t
        code = self._errors.popleft() if self._errors else 0
        return f'{code},"{ERRORS[code]}"'

    @command("STATus:QUEue:CLEar")
    @command("SYSTem:CLEar")
    def _clear_errors(self, t: float) -> None:
        del t
        self._errors.clear()

    @command("STATus:PRESet")
    def _preset_status(self, t: float) -> None:
        for name in ("measurement_enable", "operation_enable", "questionable_enable"):
            self.assign(name, 0, t)

    @query("SYSTem:VERSion")
    def _version(self, t: float) -> str:
        del t
        return "1999.0"

    @query("STATus:MEASurement[:EVENt]")
    def _measurement_events(self, t: float) -> str:
        return self._take_events("measurement", t)

    @query("STATus:OPERation[:EVENt]")
    def _operation_events(self, t: float) -> str:
        return self._take_events("operation", t)

    @query("STATus:QUEStionable[:EVENt]")
    def _questionable_events(self, t: float) -> str:
        return self._take_events("questionable", t)

    @query("STATus:MEASurement:CONDition")
    def _measurement_condition(self, t: float) -> str:
        return str(self.condition("measurement", t))

    @query("STATus:OPERation:CONDition")
    def _operation_condition(self, t: float) -> str:
        return str(self.condition("operation", t))

    @query("STATus:QUEStionable:CONDition")
    def _questionable_condition(self, t: float) -> str:
        return str(self.condition("questionable", t))


def _joined(replies: Sequence[str | bytes | Deferred]) -> str | Deferred:
    """Join the replies of one message; those that take time are taken one after the other."""
    times = [reply.dt if isinstance(reply, Deferred) else 0.0 for reply in replies]

    def value(t: float) -> str:
        texts: list[str] = []
        left = sum(times)
        for reply, dt in zip(replies, times, strict=True):
            left -= dt
            text = reply.value(t - left) if isinstance(reply, Deferred) else reply
            texts.append(text if isinstance(text, str) else text.decode("latin-1"))
        return ";".join(texts)

    total = sum(times)
    return Deferred(total, value) if total else value(0.0)


def _compiled(cls: type[ScpiDevice]) -> tuple[Node, tuple[Param[Any], ...]]:
    """Return the trie of all that the class and its bases declare, and their Params."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    root = Node()
    params: list[Param[Any]] = []
    for name in names:
        declared = getattr(cls, name)
        if isinstance(declared, Param):
            params.append(declared)
            add_to(root, Entry(declared.header, False, (declared.parse,)), _setter(declared))
            add_to(root, Entry(declared.header, True, (_WORD,), optional=1), _getter(declared))
        for entry in getattr(declared, "scpi_entries", ()):
            add_to(root, entry, declared)
    return root, tuple(params)


def _setter(param: Param[Any]) -> Callable[[ScpiDevice, float, Any], None]:
    name = param.name

    def assign(device: ScpiDevice, t: float, value: Any) -> None:
        device.assign(name, value, t)

    return assign


def _getter(param: Param[Any]) -> Callable[..., str]:
    name, form = param.name, param.format

    def reply(device: ScpiDevice, t: float, word: str = "") -> str:
        del t
        return form(param.parse(word) if word else vars(device)[name])

    return reply
