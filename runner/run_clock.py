"""The clock that procedures get: while they sleep it runs the monitors and heeds what people ask for.

Drivers, composites and links sleep on the raw clock, so nothing ever cuts into a transaction, and a
point that was begun is finished (``docs/explanations/decisions``).
"""

import math
from collections.abc import Callable
from datetime import datetime

from onnes.instruments.clock import Clock
from onnes.instruments.errors import OnnesError
from onnes.runner.requests import Interrupted, Requests

# A request is heeded within this much lab time, plus the transaction under way.
SLICE_S = 1.0


class TimeLimitError(OnnesError, TimeoutError):
    """A step has lasted longer than the sequence allows it."""


class RunClock:
    """A raw clock whose sleeps run ``monitors`` and end early when a request stands.

    On an abort ``on_abort`` is called before anything else: the sources must not wait for what cleans up.
    Monitors talk to instruments and may take lab time of their own; a sleep never ends before its time.
    ``deadline`` is when the step under way must have ended, in s on the scale of :meth:`now`.
    """

    def __init__(
        self,
        clock: Clock,
        requests: Requests,
        monitors: Callable[[], None],
        on_abort: Callable[[], None] = lambda: None,
        on_request: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._requests = requests
        self._monitors = monitors
        self._on_abort = on_abort
        self._on_request = on_request
        self.deadline = math.inf

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
        """Run the monitors and raise what was asked for.

        Raises:
            Interrupted: when a stop or an abort is asked for, or what ``on_request`` makes of the rest.
            TimeLimitError: when the step has lasted too long.
        """
        if self._requests.pending:
            self._heed_requests()
        self._monitors()
        if self._requests.pending:  # a request that the monitors have found in a file
            self._heed_requests()
        if self._clock.now() > self.deadline:
            self.deadline = math.inf
            raise TimeLimitError(
                "the step has lasted longer than its time_limit; give it more, or less to do"
            )

    def _heed_requests(self) -> None:
        request = self._requests.take_end()
        if request is not None:
            if request.kind == "abort":
                self._on_abort()
            raise Interrupted(request)
        self._on_request()
