"""The status a Model 6000 shows: late after a command, and overruled by a fault."""

from collections.abc import Callable
from dataclasses import dataclass, field

from onnes.sim.noise import microseconds, uniform


@dataclass(slots=True)
class LateStatus:
    """The old code stays up for a dead time after each command (1 to 5 s were seen).

    That is the classic race: "stable" read just after a command belongs to the setpoint before it. The dead
    time is drawn from the seed and the time of the command.
    """

    key: int
    shortest_s: float
    longest_s: float
    _old: int = 0
    _until: float = -1.0
    _forced: list[tuple[float, int | None]] = field(default_factory=list)

    def commanded(self, t: float, old: int) -> None:
        """Freeze the code ``old``, shown at ``t``, for the dead time."""
        spread = self.longest_s - self.shortest_s
        self._old = old
        self._until = t + self.shortest_s + spread * uniform(self.key, microseconds(t))

    def force(self, code: int | None, t: float) -> None:
        """Show ``code`` from ``t`` on, whatever the plant does; None goes back to the plant."""
        self._forced = [(when, what) for when, what in self._forced if when < t] + [(t, code)]

    def shown(self, t: float, plant: Callable[[float], int]) -> int:
        """Return the code at ``t``, where ``plant`` says what is true."""
        for when, code in reversed(self._forced):
            if t >= when:
                if code is not None:
                    return code
                break
        return self._old if t < self._until else plant(t)
