"""What strict drivers of current sources have in common: the current, the compliance, the way to zero."""

import math
from contextlib import suppress
from typing import ClassVar

from onnes.instruments.errors import CommunicationError, OnnesError
from onnes.instruments.limits import Limits
from onnes.instruments.strict import StrictInstrument, confirm

_RAMP_STEP_S = 0.02


class StrictCurrentSource(StrictInstrument):
    """Sources a current in full digits, read back; write ``class X(StrictCurrentSource, PyMeasureX)``.

    A driver gives the words of its dialect: ``_RANGES_A`` what the ranges are called, a current can be set in
    ``_STEPS`` of each; ``_COMPLIANCE`` the question for the registers of the compliance, ``_IN_COMPLIANCE``
    its bit in them; ``_ABORTS`` what ends a mode that owns the level, ``_ZERO`` what sets all levels to 0.
    """

    current_limits: ClassVar[Limits]
    _RANGES_A: ClassVar[tuple[float, ...]]
    _STEPS: ClassVar[int]
    _OVER_RANGE: ClassVar[float] = 1.05  # a range sources 5 % beyond its name (manuals)
    # The event register latches what begins, until it is read; what began before and lasts is in the other.
    _COMPLIANCE: ClassVar[str] = "STAT:MEAS:EVEN?;COND?"
    _COMPLIANCE_NOW: ClassVar[str] = "STAT:MEAS:COND?"
    _IN_COMPLIANCE: ClassVar[int]
    _ABORTS: ClassVar[tuple[str, ...]]
    _ZERO: ClassVar[tuple[str, ...]] = ("SOUR:CURR 0",)
    source_enabled: bool

    def resolution(self, amps: float) -> float:
        """Return the step in which the current around ``amps`` can be set, A."""
        size = abs(amps)
        ranges = self._RANGES_A
        return next((full for full in ranges if size <= self._OVER_RANGE * full), ranges[-1]) / self._STEPS

    # --- the current

    def set_current(self, amps: float) -> float:
        """Set the current and return it as read back, both in one message, A.

        Where the message was lost on the way, as the read-back tells, it is sent once more.

        Raises:
            LimitError: if ``amps`` is out of range; nothing was sent.
            InstrumentFault: if another current is read back.
            CommunicationError: if nothing usable is read back, or another current after the connection was
                opened anew: the source may have been without power, and is not sent a current again.
        """
        limits = self.current_limits
        if not limits.low <= amps <= limits.high:  # also NaN; the text is made only for a refusal
            limits.check("source current", amps)
        link = self.link
        failures, reopened = link.failures, link.reopened
        message = "SOUR:CURR %.9g;CURR?" % amps  # noqa: UP031 - the fastest
        got = link.query(message, float, "SOUR:CURR?")
        if got == amps or abs(got - amps) <= self.resolution(amps):
            return got
        link.clear()  # a reply left over from before may have come first
        got = self.source_current
        if abs(got - amps) <= self.resolution(amps):
            return got
        if link.reopened != reopened:
            raise CommunicationError(
                f"{self.name} reads back {got:.9g} A instead of {amps:.9g} A after its connection was opened "
                "anew; nothing was sent again, as it may have lost its setup; set it up again"
            )
        if link.failures != failures:
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

    def ramp_to(self, amps: float, rate_a_per_s: float) -> float:
        """Go to ``amps`` in steps at ``rate_a_per_s`` and return the current as read back, A."""
        self.current_limits.check("source current", amps)
        start = self.source_current
        steps = math.ceil(abs(amps - start) / (rate_a_per_s * _RAMP_STEP_S))
        for step in range(1, steps):
            self.set_current(start + (amps - start) * step / steps)
            self.link.clock.sleep(_RAMP_STEP_S)
        return self.set_current(amps)

    # --- the compliance

    def watch_compliance(self) -> bool:
        """Say whether the compliance voltage limits the current now, and forget whether it did before."""
        question = self._COMPLIANCE
        registers = self.link.query(question, lambda reply: self._registers(reply)[-1], self._COMPLIANCE_NOW)
        return bool(registers & self._IN_COMPLIANCE)

    def was_in_compliance(self) -> bool:
        """Say whether the compliance voltage limited the current since :meth:`watch_compliance`, or does now.

        Raises:
            CommunicationError: if the reply is spoilt, as what was latched is lost then, or if the output is
                off: the source was without power since, and what it was set to is lost.
        """
        # After a power cycle the output is off, and so is all else that was set; one message asks for both.
        *registers, output = self.link.query(f"{self._COMPLIANCE};:OUTP?", self._registers_and_output)
        if not output:
            raise CommunicationError(
                f"{self.name} has its output off, though it was switched on; it may have been without power: "
                "look at its power and interlock, and set it up again"
            )
        return any(register & self._IN_COMPLIANCE for register in registers)

    def _registers(self, reply: str) -> list[int]:
        return [int(part) for part in reply.split(";")]

    def _registers_and_output(self, reply: str) -> list[int]:
        found = self._registers(reply)
        if len(found) != self._COMPLIANCE.count("?") + 1 or found[-1] not in (0, 1):
            raise ValueError(f"{reply!r} is not the registers of the compliance and the state of the output")
        return found

    # --- safe state

    def safe_state(self, rate_a_per_s: float | None = None) -> str:
        """Ramp the current to 0, then switch the output off; return what was read back.

        Without a rate the ramp takes one second. What owns the level, as a sweep or a wave, is aborted first.
        A source that cannot be ramped, as its replies are spoilt, is set to 0 and switched off all the same.

        Raises:
            CommunicationError: if that cannot be sent or read back.
            InstrumentFault: if the source does not do as told.
        """
        unramped = ""
        try:
            self._ramp_down(rate_a_per_s)
        except OnnesError as error:
            unramped = f", but not ramped: {error}"
            self._tell(*self._ABORTS)  # the first may have been lost, and the level be locked still
        finally:
            self._tell(*self._ZERO, "OUTPut 0")
        try:
            confirm("source_enabled", False, self.source_enabled, 0.0, self.name)
            confirm("source current", 0.0, self.source_current, self.resolution(0.0), self.name)
        except CommunicationError as error:
            raise CommunicationError(
                f"{self.name} was told 0 A and output off, which cannot be read back: {error}"
            ) from error
        return f"0 A, output off{unramped}"

    def _ramp_down(self, rate_a_per_s: float | None) -> None:
        for message in self._ABORTS:
            self.link.write(message)
        amps = self.source_current
        if self._is_current_on():
            self.ramp_to(0.0, rate_a_per_s or max(abs(amps), self.resolution(amps)))

    def _is_current_on(self) -> bool:
        return self.source_enabled

    def _tell(self, *messages: str) -> None:
        """Send messages without asking anything; whether they arrived is for the read-back to say."""
        for message in messages:
            with suppress(CommunicationError):
                self.link.write(message)
