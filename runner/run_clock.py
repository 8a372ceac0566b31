"""The clock that procedures get: while they sleep it runs the monitors and heeds what people ask for.

Drivers, composites and links sleep on the raw clock, so nothing ever cuts into a transaction, and a
point that was begun is finished (``docs/explanations/decisions``).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from onnes.instruments.clock import Clock

# A request is heeded within this much lab time, plus the transaction under way.
SLICE_S = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """What someone asked of a running night."""

    kind: Literal["stop", "abort"]
    who: str


class Interrupted(Exception):
    """A request ends the measurement under way; raised by :class:`RunClock` between two points."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"{request.kind} asked by {request.who}")
        self.request = request


class Requests:
    """The letter box of a night: any thread posts, the run thread reads. An abort outranks a stop."""

    def __init__(self) -> None:
        self._latest: Request | None = None
        self._lock = threading.RLock()  # re-entrant: a signal may come while the same thread posts

    @property
    def latest(self) -> Request | None:
        """Return the request that stands, if any."""
        return self._latest

    def stop(self, who: str) -> None:
        """Ask to finish the point, run the declared ``finish`` and end."""
        with self._lock:
            self._latest = self._latest or Request("stop", who)

    def abort(self, who: str) -> None:
        """Ask to make the sources safe now and leave field and temperature as they are."""
        with self._lock:
            self._latest = Request("abort", who)


class RunClock:
    """A raw clock whose sleeps run ``monitors`` and end early when a request stands.

    On an abort ``on_abort`` is called before anything else: the sources must not wait for what cleans up.
    Monitors talk to instruments and may take lab time of their own; a sleep never ends before its time.
    """

    def __init__(
        self,
        clock: Clock,
        requests: Requests,
        monitors: Callable[[], None],
        on_abort: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._requests = requests
        self._monitors = monitors
        self._on_abort = on_abort
        self.held_up_s = 0.0
        self.heeds_stop = True  # not while the `finish` of a stop that was asked for is under way

    def now(self) -> float:
        """Return seconds since an arbitrary start; never goes backwards."""
        return self._clock.now()

    def datetime(self) -> datetime:
        """Return the time of day, UTC."""
        return self._clock.datetime()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass.

        Raises:
            ValueError: if ``seconds`` is negative or not finite.
            Interrupted: when a stop or an abort is asked for.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"cannot sleep {seconds} s")
        self.sleep_until(self._clock.now() + seconds)

    def sleep_until(self, time: float) -> None:
        """Sleep until ``time`` on the scale of :meth:`now`; return at once if it has passed.

        Raises:
            Interrupted: when a stop or an abort is asked for.
        """
        self.heed()
        while (now := self._clock.now()) < time:
            self._clock.sleep_until(min(time, now + SLICE_S))
            self.heed()

    def heed(self) -> None:
        """Run the monitors and raise what was asked for."""
        request = self._requests.latest
        if request is not None and request.kind == "abort":
            self._on_abort()
            raise Interrupted(request)
        if request is not None and self.heeds_stop:
            raise Interrupted(request)
        self._monitors()
