"""What strict drivers of Keithley source meters have in common: a current source within a voltage limit.

The order is that of :class:`onnes.instruments.keithley6221.Keithley6221`, for which it can stand in.
"""

import math
from contextlib import suppress
from typing import Any, ClassVar

from onnes.instruments.errors import CommunicationError, InstrumentFault, OnnesError
from onnes.instruments.keithley6221 import identify
from onnes.instruments.limits import Limits
from onnes.instruments.strict import StrictInstrument, confirm

_RAMP_STEP_S = 0.02


class SourceMeterCurrent(StrictInstrument):
    """Sources a current in full digits, read back; write ``class X(SourceMeterCurrent, PyMeasureX)``.

    A driver gives the words of its dialect: ``_MODEL`` of ``*IDN?``, ``_LIMIT`` header of the voltage limit,
    ``_RANGES_A`` what the ranges of current are called, of 1/``_STEPS`` of which a current can be set.
    """

    current_limits: ClassVar[Limits]
    voltage_limits: ClassVar[Limits]
    _MODEL: ClassVar[str]
    _LIMIT: ClassVar[str]
    _RANGES_A: ClassVar[tuple[float, ...]]
    _STEPS: ClassVar[int]
    _OVER_RANGE: ClassVar[float] = 1.05  # a range sources 5 % beyond its name (manuals)
    source_enabled: Any
    source_mode: Any
    source_current_range: Any

    def connect(self) -> str:
        """Clear the line and return the identification; nothing is set.

        Raises:
            CommunicationError: if another instrument answers.
        """
        self.link.clear()
        return identify(self, self._MODEL)

    def answer(self) -> None:
        """Ask who it is; raise CommunicationError if it does not answer, or another instrument does."""
        identify(self, self._MODEL)

    def resolution(self, amps: float) -> float:
        """Return the step in which the current around ``amps`` can be set, A."""
        size = abs(amps)
        ranges = self._RANGES_A
        return next((full for full in ranges if size <= self._OVER_RANGE * full), ranges[-1]) / self._STEPS

    # --- the source

    def set_current(self, amps: float) -> float:
        """Set the current and return it as read back, A.

        Raises:
            LimitError: if ``amps`` is out of range; nothing was sent.
            InstrumentFault: if another current is read back.
            CommunicationError: if nothing usable is read back, or another current after the connection was
                opened anew: the source may have been without power, and is not sent a current again.
        """
        self.current_limits.check("source current", amps)
        link = self.link
        failures, reopened = link.failures, link.reopened
        message = f"SOUR:CURR {amps:.9g};:SOUR:CURR?"
        got = link.query(message, float, "SOUR:CURR?")
        if abs(got - amps) <= self.resolution(amps):
            return got
        link.clear()  # a reply left over from before may have come first
        got = self.source_current
        if abs(got - amps) > self.resolution(amps) and link.reopened != reopened:
            raise CommunicationError(
                f"{self.name} reads back {got:.9g} A instead of {amps:.9g} A after its connection was opened "
                "anew; nothing was sent again, as it may have lost its setup; set it up again"
            )
        if abs(got - amps) > self.resolution(amps) and link.failures != failures:
            link.note_resent(message, f"reads back {got:.9g} A after a failed exchange")
            got = link.query(message, float, "SOUR:CURR?")
        confirm("source current", amps, got, self.resolution(amps), self.name)
        return got

    @property
    def source_current(self) -> float:
        """Control the current, A."""
        return self.link.query("SOUR:CURR?", float)

    @source_current.setter
    def source_current(self, amps: float) -> None:
        self.set_current(amps)

    @property
    def source_compliance(self) -> float:
        """Control the largest voltage in V that it gives to drive a current."""
        return self.link.query(f"{self._LIMIT}?", float)

    @source_compliance.setter
    def source_compliance(self, volts: float) -> None:
        self.voltage_limits.check("source_compliance", volts)
        self.link.write(f"{self._LIMIT} {volts:.9g}")
        confirm("source_compliance", volts, self.source_compliance, 0.0, self.name)

    @property
    def source_range(self) -> float:
        """Control the full scale, A; set, it makes a current source of it, with the smallest range that fits.

        Raises:
            InstrumentFault: if the output is on as a voltage source, as what hangs on it would feel the jump.
        """
        return float(self.source_current_range)

    @source_range.setter
    def source_range(self, amps: float) -> None:
        self.current_limits.check("source range", amps)
        if self.source_mode != "current":
            if self.source_enabled:
                raise InstrumentFault(
                    f"{self.name} sources a voltage with its output on; bring it to 0 V and switch it off"
                )
            self.source_mode = "current"
        self.source_current_range = abs(amps)

    def ramp_to(self, amps: float, rate_a_per_s: float) -> float:
        """Go to ``amps`` in steps at ``rate_a_per_s`` and return the current as read back, A."""
        self.current_limits.check("source current", amps)
        start = self.source_current
        steps = math.ceil(abs(amps - start) / (rate_a_per_s * _RAMP_STEP_S))
        for step in range(1, steps):
            self.set_current(start + (amps - start) * step / steps)
            self.link.clock.sleep(_RAMP_STEP_S)
        return self.set_current(amps)

    # --- safe state

    def safe_state(self, rate_a_per_s: float | None = None) -> str:
        """Ramp the current to 0, then switch the output off; return what was read back.

        Without a rate the ramp takes one second. A voltage source is set to 0 V at once. A source that cannot
        be ramped, as its replies are spoilt, is set to 0 and switched off all the same.

        Raises:
            CommunicationError: if that cannot be sent or read back.
            InstrumentFault: if the source does not do as told.
        """
        unramped = ""
        try:
            self._ramp_down(rate_a_per_s)
        except OnnesError as error:
            unramped = f", but not ramped: {error}"
        finally:
            self._cut_off()
        try:
            confirm("source_enabled", False, self.source_enabled, 0.0, self.name)
            confirm("source current", 0.0, self.source_current, self.resolution(0.0), self.name)
        except CommunicationError as error:
            raise CommunicationError(
                f"{self.name} was told 0 A and output off, which cannot be read back: {error}"
            ) from error
        return f"0 A, output off{unramped}"

    def _ramp_down(self, rate_a_per_s: float | None) -> None:
        self.link.write("ABOR")
        amps = self.source_current
        if self.source_enabled and self.source_mode == "current":
            self.ramp_to(0.0, rate_a_per_s or max(abs(amps), self.resolution(amps)))

    def _cut_off(self) -> None:
        """Set 0 and switch off without asking anything; whether it worked is for the read-back to say."""
        for message in ("SOUR:CURR 0", "SOUR:VOLT 0", "OUTP 0"):
            with suppress(CommunicationError):
                self.link.write(message)


def full_scale(question: str, command: str, limits: Limits, doc: str) -> property:
    """Return a property of a range, which is told a value and keeps the smallest full scale that holds it."""
    what = doc.partition(",")[0].removeprefix("Control the ")

    def get(self: StrictInstrument) -> float:
        return self.link.query(question, float)

    def set_(self: StrictInstrument, value: float) -> None:
        limits.check(what, value)
        self.link.write(command.format(abs(value)))
        got = get(self)
        if not got >= abs(value) * (1.0 - 1e-6):  # also NaN; seven digits come back
            confirm(what, value, got, 0.0, self.name)

    return property(get, set_, doc=doc)
