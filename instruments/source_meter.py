"""What strict drivers of Keithley source meters have in common: a current source within a voltage limit."""

from typing import Any, ClassVar

from onnes.instruments.current_source import StrictCurrentSource
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.limits import Limits
from onnes.instruments.strict import StrictInstrument, confirm


class SourceMeterCurrent(StrictCurrentSource):
    """A source meter as a current source; write ``class X(SourceMeterCurrent, PyMeasureX)``.

    ``_LIMIT`` is the header of the voltage limit.
    """

    voltage_limits: ClassVar[Limits]
    _LIMIT: ClassVar[str]
    _ABORTS = ("ABOR",)
    _ZERO = ("SOUR:CURR 0", "SOUR:VOLT 0")
    source_mode: Any
    source_current_range: Any

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

    def _is_current_on(self) -> bool:
        """Say whether there is a current to ramp down; a voltage source is set to 0 V at once."""
        return bool(self.source_enabled) and self.source_mode == "current"


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
