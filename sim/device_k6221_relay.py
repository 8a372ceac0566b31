"""Keithley 6221: the serial line over which it speaks with a 2182A and hands on what it is told.

The wire of the trigger link goes along with it: a 2182A that is heard here is also triggered from here.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from onnes.sim.device import Deferred, InstrumentSettings
from onnes.sim.device_k2182a import K2182A, K2182ASettings
from onnes.sim.link import Link
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_device import ScpiDevice
from onnes.sim.scpi_kinds import Choice, Integer, Quoted, ScpiError

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600)  # (k)


class K6221Settings(InstrumentSettings):
    """The table ``[instrument.NAME]`` of a 6221.

    ``relay`` names the 2182A at the end of its serial line, ``baud`` is the speed its own end is set to when
    the lab opens. The 2182A has a ``baud`` of its own: where they differ, neither understands the other.
    """

    relay: str | None = None
    baud: Literal[300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600] = 19200

    def conflicts(self, others: Mapping[str, InstrumentSettings]) -> Iterator[tuple[str, str]]:
        """Yield ``relay`` if what it names is no 2182A."""
        if self.relay is not None and not isinstance(others.get(self.relay), K2182ASettings):
            yield "relay", f"names {self.relay!r}, which is no 2182A of this lab; name one, or leave it out"


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
        self.holds_meter = False  # while it triggers the 2182A

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a serial line knows a few speeds only."""
        if name == "relay_baud" and value not in _BAUDS:
            raise ScpiError(-224)
        super().assign(name, value, t)

    @property
    def line(self) -> Link | None:
        """Return the serial line at its present speed; None if nothing is at its other end."""
        if self._line is None and self._about.relay is not None:
            self._line = Link(self.lab, self.lab.instruments[self._about.relay], has_end=False)
        if self._line is not None:
            self._line.baud = int(self.relay_baud)
        return self._line

    @property
    def nanovoltmeter(self) -> K2182A | None:
        """Return the 2182A that listens on the line; None if there is none, or at another speed."""
        line = self.line
        if line is None or not isinstance(line.device, K2182A) or not line.device.hears(line):
            return None
        return line.device

    @command("SYSTem:COMMunicate:SERial:SEND", Quoted())
    def send(self, t: float, message: str) -> None:
        """Hand ``message`` on to the 2182A; nothing else is answered until its last byte is through.

        Raises:
            ScpiError: -221 while it is triggered from here (a).
        """
        if self.holds_meter:
            raise ScpiError(-221)
        line = self.line
        if line is not None:
            arrival = t + (len(message) + 1) * line.byte_s
            self.busy_until = max(self.busy_until, arrival)
            line.obey(message, arrival)

    @query("SYSTem:COMMunicate:SERial:ENTer")
    def enter(self, t: float) -> Deferred:
        """Return what the 2182A says, with the terminator that it puts behind it.

        Raises:
            ScpiError: -365 if it has nothing to say (a): the 6221 answers nothing then.
        """
        line = self.line
        if line is None or math.isinf(ready_at := line.ready_at):
            raise ScpiError(-365)

        def value(due: float) -> str:
            text = line.taken(due).decode("latin-1")
            self.busy_until = max(self.busy_until, due + len(text) * line.byte_s)
            return text

        # Counted from the instant that is asked for: a clock on the wall has gone on since.
        return Deferred(max(0.0, ready_at - t), value)
