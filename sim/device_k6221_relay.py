"""Keithley 6221: the serial line over which it speaks with a 2182A and hands on what it is told.

The wire of the trigger link goes along with it: a 2182A that is heard here is also triggered from here.
"""

import math
from typing import TYPE_CHECKING, Any, Literal, cast

from onnes.sim.device import Deferred, InstrumentSettings
from onnes.sim.device_k2182a import K2182A
from onnes.sim.link import Link
from onnes.sim.scpi import Choice, Integer, Param, Quoted, ScpiError, command, query
from onnes.sim.scpi_device import ScpiDevice

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600)  # (k)
_BITS = 10  # of one byte on the line: start, eight, stop


class K6221Settings(InstrumentSettings):
    """The table ``[instrument.NAME]`` of a 6221.

    ``relay`` names the 2182A at the end of its serial line, ``baud`` is the speed its own end is set to when
    the lab opens. The 2182A has a ``baud`` of its own: where they differ, neither understands the other.
    """

    relay: str | None = None
    baud: Literal[300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600] = 19200


class K6221Relay(ScpiDevice):
    """``SYSTem:COMMunicate:SERial``: messages to the 2182A and its replies, at the speed of the line."""

    relay_baud = Param("SYSTem:COMMunicate:SERial:BAUD", Integer(300, 57600), 19200, keeps=True)
    relay_terminator = Param(
        "SYSTem:COMMunicate:SERial:TERMinator", Choice("LF", "CR", "CRLF", "LFCR"), "LF", keeps=True
    )
    relay_pace = Param("SYSTem:COMMunicate:SERial:PACE", Choice("NONE", "XON"), "NONE", keeps=True)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._about = cast(K6221Settings, settings)
        vars(self)["relay_baud"] = self._about.baud
        self._line: Link | None = None

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a serial line knows a few speeds only."""
        if name == "relay_baud" and value not in _BAUDS:
            raise ScpiError(-224)
        super().assign(name, value, t)

    @property
    def nanovoltmeter(self) -> K2182A | None:
        """Return the 2182A that is heard on the line; None if there is none, or at another speed."""
        meter = self.lab.instruments.get(self._about.relay) if self._about.relay else None
        is_heard = isinstance(meter, K2182A) and meter.serial_baud == self.relay_baud
        return cast(K2182A, meter) if is_heard else None

    def _serial(self, meter: K2182A) -> Link:
        if self._line is None:
            self._line = Link(self.lab, meter, has_end=False)
        self._line.byte_s = _BITS / self.relay_baud
        return self._line

    @command("SYSTem:COMMunicate:SERial:SEND", Quoted())
    def send(self, t: float, message: str) -> None:
        """Hand ``message`` on to the 2182A; nothing else is answered until its last byte is through."""
        arrival = t + (len(message) + 1) * _BITS / self.relay_baud
        self.busy_until = max(self.busy_until, arrival)
        meter = self.nanovoltmeter
        if meter is not None:
            self._serial(meter).obey(message, arrival)

    @query("SYSTem:COMMunicate:SERial:ENTer")
    def enter(self, t: float) -> Deferred:
        """Return what the 2182A says, with the terminator that it puts behind it.

        Raises:
            ScpiError: -365 if it has nothing to say (a): the 6221 answers nothing then.
        """
        del t
        line, byte_s = self._line, _BITS / self.relay_baud
        if line is None or self.nanovoltmeter is None or math.isinf(due_s := line.due_s()):
            raise ScpiError(-365)

        def value(due: float) -> str:
            text = line.taken(due).decode("latin-1")
            self.busy_until = max(self.busy_until, due + len(text) * byte_s)
            return text

        return Deferred(due_s, value)
