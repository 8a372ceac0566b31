"""A 2182A that is heard only through the serial line of a 6221."""

from contextlib import suppress

from pymeasure.adapters import Adapter

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, ConfigurationError, OnnesError
from onnes.instruments.instrument_entry import BAUD_RATES
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.strict import confirm

# A reply keeps the terminator of the 2182A (6221 reference manual), so that it may be two lines or one. The
# answer to a second question behind it marks where it ends.
_ASK, _MARK = "SYST:COMM:SER:ENT?;*OPC?", ";1"
_BAUD = "SYST:COMM:SER:BAUD"
_TAKEN = "SOUR:DELT:ARM?;:SOUR:DCON:ARM?"


class Relay(Adapter):
    """Hands messages on to the meter at the other end of the serial line of ``source``.

    It has no connection of its own: clearing it clears the source, and closing it leaves the source open.
    """

    def __init__(self, source: Keithley6221) -> None:
        super().__init__()
        self.source = source
        self.connection = self  # which is what a device clear goes to

    def clear(self) -> None:
        """Make both ends forget what was asked, with the errors that a missing reply left in the source."""
        self.source.link.clear()
        with suppress(OnnesError):
            self.source.check_errors()

    @property
    def is_taken(self) -> bool:
        """Say whether the source has the meter for itself: delta or differential conductance is armed."""
        return "1" in self.source.link.query(_TAKEN, str)

    @property
    def baud(self) -> int:
        """Control the speed of the source's end of the line, baud."""
        return self.source.link.query(f"{_BAUD}?", int)

    @baud.setter
    def baud(self, rate: int) -> None:
        self.source.link.write(f"{_BAUD} {rate}")
        confirm("baud", rate, self.baud, 0.0, self.source.name)

    def ask(self, question: str) -> str:
        """Return the reply of the meter to ``question``, asked once.

        Raises:
            CommunicationError: if there is none, or one that is no text.
        """
        self._write(question)
        return self._read()

    def close(self) -> None:
        """Do nothing: the source closes its own connection."""

    def _write(self, command: str, **kwargs: object) -> None:
        del kwargs
        quote = "'" if '"' in command else '"'
        self.source.link.write(f"SYST:COMM:SER:SEND {quote}{command}{quote}")

    def _read(self, **kwargs: object) -> str:
        del kwargs
        link = self.source.link
        try:
            reply = link.exchange(_ASK)
            if not reply.endswith(_MARK):
                reply += link.read()
            text, mark, rest = reply.rpartition(_MARK)
            if not mark or rest or not text:
                raise CommunicationError(f"{self.source.name} hands on {reply!r}, which is no whole reply")
        except CommunicationError:
            self.clear()
            raise
        return text


class RelayedKeithley2182A(Keithley2182A):
    """A Keithley 2182A on the RS-232 line of a 6221.

    Each message crosses that line, at 1 ms for a byte at 9600 baud, and holds the source meanwhile: it is for
    setting the meter up. Its readings come by delta or differential conductance, which the source makes.

    Args:
        source: opened before; it is closed by itself.
        baud: the speed that the meter is set to; None: what the source has.
    """

    def __init__(
        self,
        source: Keithley6221,
        name: str = "Keithley 2182A",
        clock: Clock | None = None,
        baud: int | None = None,
    ) -> None:
        self.relay = Relay(source)
        self._told_baud = baud
        super().__init__(self.relay, name, clock)

    def connect(self) -> str:
        """Set the speed of the line where one was given, and return the identification.

        Raises:
            ConfigurationError: if the meter answers at another speed.
            CommunicationError: if it answers at none, or another instrument answers.
        """
        relay = self.relay
        relay.clear()
        if self._told_baud is not None:
            relay.baud = self._told_baud
        speed = relay.baud
        if not self._is_heard():
            found = self._heard_at(speed)
            if found is not None:
                raise ConfigurationError(
                    f"{self.name} answers at {found} baud, but the serial line of {relay.source.name} is set "
                    f"to {speed}; write baud = {found} for {self.name} in the station file, or set the meter "
                    f"to {speed} on its front panel"
                )
            raise CommunicationError(
                f"{self.name} does not answer on the serial line of {relay.source.name}, which is set to "
                f"{speed} baud, nor at any other speed; look at the cable, and set the meter to RS-232 (from "
                "the factory it has 9600 baud)"
            )
        return super().connect()

    def answer(self) -> None:
        """Ask who it is; while the source has the meter for itself, the source answers for it.

        Raises:
            CommunicationError: if it does not answer, or another instrument does.
        """
        if self.relay.is_taken:
            self.relay.source.answer()
        else:
            super().answer()

    def _is_heard(self) -> bool:
        try:
            return "2182" in self.relay.ask("*IDN?")
        except CommunicationError:
            return False

    def _heard_at(self, speed: int) -> int | None:
        """Return the other speed at which the meter answers; the line has ``speed`` again afterwards."""
        try:
            for rate in sorted(BAUD_RATES, reverse=True):
                self.relay.baud = rate
                if rate != speed and self._is_heard():
                    return rate
        finally:
            self.relay.baud = speed
        return None
