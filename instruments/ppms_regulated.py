"""What a driver of a cryostat knows of a quantity beyond its reading: setpoints and when to believe."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from onnes.instruments.errors import CommunicationError, InstrumentFault
from onnes.instruments.link import Link
from onnes.instruments.ppms_replies import FieldSetpoint, TemperatureSetpoint

Setpoint = TypeVar("Setpoint", TemperatureSetpoint, FieldSetpoint)


@dataclass(slots=True)
class Regulated:
    """One regulated quantity.

    ``came_from`` is the target before the present one, ``confirmed`` what was set here and read back last;
    both None where that is not known. "Stable" before ``doubted_until`` (clock, s) is about the setpoint
    before, unless it has left since.
    """

    came_from: float | None = None
    confirmed: float | None = None
    doubted_until: float = -math.inf

    def is_believed(self, now: float, *, rests: bool) -> bool:
        """Say whether a state read ``now`` is about the present setpoint; ``rests``: it says so itself."""
        if not rests:
            self.doubted_until = -math.inf
        return now >= self.doubted_until

    def between(self, value: float, target: float) -> float:
        """Return ``value``, but within the last two targets; as it is where the first is unknown."""
        if self.came_from is None:
            return value
        return min(max(value, min(self.came_from, target)), max(self.came_from, target))

    def send(
        self,
        link: Link,
        message: str,
        ask: Callable[[], Setpoint],
        matches: Callable[[Setpoint], bool],
        asked: str,
        *,
        was: Setpoint,
        came_from: float | None,
        lag_s: float,
        write: Callable[[str], None],
    ) -> Setpoint:
        """Send a setpoint and return what is read back; send it again only where it was lost on the way.

        Args:
            asked: the setpoint in words.
            was: what was read back before: where that still stands, the message may have been lost.
            came_from: the target before; None: it is the same, only the way there is another.
            lag_s: how long "stable" may be about the setpoint before.
            write: sends the message once.

        Raises:
            InstrumentFault: if another setpoint is read back.
            CommunicationError: if it cannot be sent or read back, or another one is read back after the
                connection was opened anew.
        """
        failures, reopened = link.failures, link.reopened
        # Also a message that fails may have got through: from here on neither "stable" nor our knowledge of
        # the setpoint holds, until it is read back.
        before, self.came_from, self.confirmed = self.came_from, None, None
        self.doubted_until = link.clock.now() + lag_s
        write(message)
        self.came_from = before if came_from is None else came_from
        got = ask()
        if not matches(got):
            # The first reply after a command may be the one to the question before; once more, after a clear.
            link.clear()
            got = ask()
        if not matches(got) and link.reopened != reopened:
            raise CommunicationError(
                f"{link.name} reads back {got} after its connection was opened anew; nothing was sent again, "
                "as it may have been restarted; look at what it does, then set it again"
            )
        if not matches(got) and (link.failures != failures or got == was):
            link.note_resent(message, f"reads back {got}")
            write(message)
            got = ask()
        if not matches(got):
            raise InstrumentFault(
                f"{link.name} was told {asked}, but reads back {got}; "
                "it refused, or somebody else sets it: look at its front panel"
            )
        return got
