"""Heater and gains of a Lake Shore's loop, and what the controller refused."""

from typing import ClassVar

from pymeasure.instruments import Instrument

from onnes.instruments.errors import InstrumentFault
from onnes.instruments.lakeshore_replies import numbers, refusals
from onnes.instruments.limits import Limits
from onnes.instruments.strict import StrictInstrument, confirm

LOOP = 1
"""The loop whose heater is strong enough for a cryostat."""


class LakeShoreHeater(StrictInstrument, Instrument):
    """The part of a controller that heats; a driver gives the words in which its range is asked and set."""

    range_limits: ClassVar[Limits]
    _range_question: ClassVar[str]
    _range_command: ClassVar[str]
    _output_question: ClassVar[str]

    @property
    def heater_range(self) -> int:
        """Control the range of the heater; 0 is off."""
        return self.link.query(self._range_question, lambda reply: int(numbers(reply, 1)[0]))

    @heater_range.setter
    def heater_range(self, number: int) -> None:
        self.range_limits.check("heater_range", number)
        self.link.write(self._range_command.format(number))
        confirm("heater_range", number, self.heater_range, 0.0, self.name)

    @property
    def heater_output(self) -> float:
        """Read the output of the heater, % of its range."""
        return self.link.query(self._output_question, lambda reply: numbers(reply, 1)[0])

    gain_limits: ClassVar[tuple[Limits, Limits, Limits]] = (
        Limits(0.1, 1000.0, "", "the Lake Shore"),
        Limits(0.0, 1000.0, "", "the Lake Shore"),
        Limits(0.0, 200.0, "%", "the Lake Shore"),
    )

    @property
    def gains(self) -> tuple[float, float, float]:
        """Control P, I and D of loop 1."""
        p, i, d = self.link.query(f"PID? {LOOP}", lambda reply: numbers(reply, 3))
        return p, i, d

    @gains.setter
    def gains(self, pid: tuple[float, float, float]) -> None:
        for letter, limits, value in zip("PID", self.gain_limits, pid, strict=True):
            limits.check(letter, value)
        self.link.write(f"PID {LOOP},{','.join(f'{value:.9g}' for value in pid)}")
        for letter, told, got in zip("PID", pid, self.gains, strict=True):
            confirm(letter, told, got, 0.05, self.name)  # one digit after the point (manual)

    def check_errors(self) -> list[object]:
        """Read what the controller refused since the last call; an empty list if nothing.

        Raises:
            InstrumentFault: if it refused something.
        """
        events = self.link.query("*ESR?", lambda reply: int(numbers(reply, 1)[0]))
        if refused := refusals(events):
            raise InstrumentFault(f"{self.name} reports {refused} (*ESR {events})")
        return []
