"""The two traces that an SR830 stores."""

from array import array
from collections.abc import Callable
from typing import Final

SIZE: Final = 16_383  # points of each trace (SR830 manual)


class TraceBuffer:
    """Points of both displays, taken at a rate in lab time or one at each trigger.

    Points are taken when somebody asks, each as of its own time; whoever changes what the displays show lets
    it catch up first.

    Args:
        displays: what both displays show at a time in s.
    """

    def __init__(self, displays: Callable[[float], tuple[float, float]]) -> None:
        self.is_running = False
        self._displays = displays
        self._traces = (array("f"), array("f"))
        self._next = 0.0
        self._interval_s = 0.0  # 0: at triggers

    def __len__(self) -> int:
        return len(self._traces[0])

    def start(self, t: float, hz: float | None) -> None:
        """Store from ``t`` on at ``hz``, or at triggers; goes on if it was paused."""
        if not self.is_running:
            self.is_running = True
            self._next, self._interval_s = t, 0.0 if hz is None else 1.0 / hz

    def pause(self) -> None:
        """Store nothing more, and keep what there is."""
        self.is_running = False

    def reset(self) -> None:
        """Stop and forget all points."""
        self.is_running = False
        for trace in self._traces:
            del trace[:]

    def trigger(self, t: float, *, loops: bool) -> None:
        """Store one point if it waits for triggers."""
        if self.is_running and not self._interval_s:
            self._store(t, loops)

    def catch_up(self, t: float, *, loops: bool) -> None:
        """Store the points that were due until ``t``; full, it ends or, with ``loops``, forgets the first."""
        while self.is_running and self._interval_s and self._next <= t:
            self._store(self._next, loops)
            self._next += self._interval_s

    def points(self, channel: int, start: int, count: int) -> "array[float]":
        """Return ``count`` points of channel 1 or 2.

        Raises:
            IndexError: if there are not so many.
        """
        if start + count > len(self):
            raise IndexError(f"{start + count} points are more than the {len(self)} there are")
        return self._traces[channel - 1][start : start + count]

    def _store(self, t: float, loops: bool) -> None:
        for trace, value in zip(self._traces, self._displays(t), strict=True):
            if len(trace) >= SIZE:
                del trace[0]
            trace.append(value)
        if len(self) >= SIZE and not loops:
            self.is_running = False
