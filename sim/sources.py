"""What sources and references were set to, and when: whoever integrates or filters looks back."""

import math
from bisect import bisect_left, bisect_right
from typing import Final, Generic, NamedTuple, TypeVar

from onnes.sim.tones import Tone

KEEP_S: Final = 600.0  # ten readings of 50 power line cycles, and more
_PRUNE_AT: Final = 256

V = TypeVar("V")


class Timeline(Generic[V]):
    """A value that changes in steps. What is older than ``keep_s`` may be forgotten."""

    def __init__(self, first: V) -> None:
        self.keep_s = KEEP_S
        self._times = [-math.inf]
        self._values = [first]

    def __len__(self) -> int:
        return len(self._times)

    def set(self, t: float, value: V) -> None:
        """Let ``value`` hold from ``t`` on, lab time in s."""
        if value == self._values[-1]:
            return
        if len(self._times) > _PRUNE_AT:
            first = max(0, bisect_right(self._times, t - self.keep_s) - 1)
            del self._times[:first], self._values[:first]
        self._times.append(t)
        self._values.append(value)

    def at(self, t: float) -> V:
        """Return the value at ``t``; at a time of change the new one."""
        if t >= self._times[-1]:
            return self._values[-1]
        return self._values[max(0, bisect_right(self._times, t) - 1)]

    def since(self, t: float) -> float:
        """Return when the value that holds at ``t`` was set, s; minus infinity if it always did."""
        return self._times[max(0, bisect_right(self._times, t) - 1)]

    def changes(self, t0: float, t1: float) -> list[float]:
        """Return the times of change inside (t0, t1)."""
        if t0 >= self._times[-1]:
            return []
        return self._times[bisect_right(self._times, t0) : bisect_left(self._times, t1)]


class Level(NamedTuple):
    """What a source drives: direct current in A, the voltage it will not exceed, the alternating part."""

    amps: float = 0.0
    limit_v: float = math.inf
    tone: Tone | None = None

    @property
    def peak_a(self) -> float:
        """Return the largest current in A, with the sign of the direct one."""
        size = abs(self.amps) + (0.0 if self.tone is None else self.tone.peak)
        return math.copysign(size, self.amps)


class Reference(NamedTuple):
    """``sin(2 pi hz t + phase)``: what a lock-in multiplies with; ``hz`` is 0 where there is none."""

    hz: float = 0.0
    phase: float = 0.0
