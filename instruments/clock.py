"""Time is an argument: the wall clock, the virtual clock, and the redirect for foreign drivers.

This is the one file where real time enters. The rules of the redirect were found by trying it on PyMeasure
and PyVISA (``docs/explanations/decisions``).
"""

import asyncio  # noqa: F401 - imported before the redirect is installed, so that it keeps real time
import queue  # noqa: F401 - as asyncio
import selectors  # noqa: F401 - as asyncio
import socket  # noqa: F401 - as asyncio
import subprocess  # noqa: F401 - as asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

_REAL_SLEEP = time.sleep
_REAL_MONOTONIC = time.monotonic
_DEFAULT_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The time of the laboratory."""

    def now(self) -> float:
        """Return seconds since an arbitrary start; never goes backwards."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""

    def sleep_until(self, time: float) -> None:
        """Sleep until ``time`` on the scale of :meth:`now`; return at once if it has passed."""

    def datetime(self) -> datetime:
        """Return the time of day, UTC."""


class AttendedClock(Clock, Protocol):
    """A clock that lets others go on whenever it has slept."""

    def attend(self, attendant: Callable[[], object]) -> None:
        """Call ``attendant`` after each sleep: a virtual machine that nobody asks goes on by itself."""


def _check(seconds: float) -> float:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"cannot sleep {seconds} s")
    return seconds


class WallClock:
    """Real time, or ``speed`` times as fast for watching a virtual lab; it counts from ``start_s``.

    It reads the original functions, so it stays real inside :func:`virtual_time` too; that is what counts
    the fsync interval and the heartbeat of the owner.
    """

    def __init__(self, speed: float = 1.0, start_s: float = 0.0) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed = {speed} must be a positive number")
        self.speed = speed
        self._start_s = start_s
        self._attendants: list[Callable[[], object]] = []
        self._start = _REAL_MONOTONIC()
        self._utc = datetime.now(UTC)

    def now(self) -> float:
        """Return seconds since an arbitrary start; never goes backwards."""
        return self._start_s + (_REAL_MONOTONIC() - self._start) * self.speed

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        _REAL_SLEEP(_check(seconds) / self.speed)
        for attend in self._attendants:
            attend()

    def attend(self, attendant: Callable[[], object]) -> None:
        """Call ``attendant`` after each sleep: a virtual machine that nobody asks goes on by itself."""
        self._attendants.append(attendant)

    def sleep_until(self, time: float) -> None:
        """Sleep until ``time`` on the scale of :meth:`now`; return at once if it has passed."""
        self.sleep(max(0.0, time - self.now()))

    def system_datetime(self) -> datetime:
        """Return what the clock of the computer shows now, UTC.

        Unlike :meth:`datetime` it jumps when that clock is set, and counts a sleep of the computer.
        """
        return datetime.now(UTC)

    def datetime(self) -> datetime:
        """Return the time of day, UTC."""
        return self._utc + timedelta(seconds=self.now() - self._start_s)


class VirtualClock:
    """Time that passes only when someone sleeps: a night in milliseconds.

    It counts from ``start_s``, s after ``epoch``, so that a night that is taken up goes on counting.

    Only one thread may let it pass: the one inside :func:`virtual_time`, before that the one that made the
    clock. Any thread may read it.

    >>> clock = VirtualClock()
    >>> clock.sleep(3600.0)
    >>> clock.datetime().isoformat()
    '2026-01-01T01:00:00+00:00'
    """

    def __init__(self, epoch: datetime = _DEFAULT_EPOCH, start_s: float = 0.0) -> None:
        self._now = start_s
        self._attendants: list[Callable[[], object]] = []
        self._epoch = epoch
        self._owner = threading.get_ident()

    def now(self) -> float:
        """Return seconds since an arbitrary start; never goes backwards."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        if self._owner != threading.get_ident():
            raise RuntimeError(
                f"thread {threading.current_thread().name!r} may not let virtual time pass; "
                "only the thread that runs the instruments may"
            )
        self._now += _check(seconds)
        for attend in self._attendants:
            attend()

    def attend(self, attendant: Callable[[], object]) -> None:
        """Call ``attendant`` after each sleep: a virtual machine that nobody asks goes on by itself."""
        self._attendants.append(attendant)

    def sleep_until(self, time: float) -> None:
        """Sleep until ``time`` on the scale of :meth:`now`; return at once if it has passed."""
        if time > self._now:
            self.sleep(time - self._now)
            self._now = max(self._now, time)  # an ulp may be missing from the sum

    def datetime(self) -> datetime:
        """Return the time of day, UTC."""
        return self._epoch + timedelta(seconds=self._now)

    @contextmanager
    def _owned(self) -> Iterator[None]:
        before, self._owner = self._owner, threading.get_ident()
        try:
            yield
        finally:
            self._owner = before


# A loop that only looks at the time would stand still for ever. After this many looks in a row without a
# sleep each further one costs a little lab time; fewer cost nothing, so that a log record cannot shift the
# data.
_FREE_LOOKS = 1000
_COST_OF_A_LOOK_S = 20e-6


class _Redirect(threading.local):
    clock: Clock | None = None
    looks: int = 0


_redirect = _Redirect()


def _looked(clock: Clock) -> Clock:
    _redirect.looks += 1
    if _redirect.looks > _FREE_LOOKS and isinstance(clock, VirtualClock):
        clock.sleep(_COST_OF_A_LOOK_S)
    return clock


def _sleep(seconds: float) -> None:
    clock = _redirect.clock
    if clock is None:
        _REAL_SLEEP(seconds)
    else:
        _redirect.looks = 0
        clock.sleep(seconds)


def _dispatcher(real: Callable[[], Any], virtual: Callable[[Clock], Any]) -> Callable[[], Any]:
    def dispatch() -> Any:
        clock = _redirect.clock
        return real() if clock is None else virtual(_looked(clock))

    dispatch.__name__ = dispatch.__qualname__ = real.__name__
    dispatch.__doc__ = real.__doc__
    return dispatch


def _now_ns(clock: Clock) -> int:
    return round(clock.now() * 1e9)


_dispatchers: dict[str, Callable[..., Any]] = {
    "sleep": _sleep,
    "time": _dispatcher(time.time, lambda clock: clock.datetime().timestamp()),
    "time_ns": _dispatcher(time.time_ns, lambda clock: round(clock.datetime().timestamp() * 1e9)),
    "monotonic": _dispatcher(time.monotonic, lambda clock: clock.now()),
    "monotonic_ns": _dispatcher(time.monotonic_ns, _now_ns),
    "perf_counter": _dispatcher(time.perf_counter, lambda clock: clock.now()),
    "perf_counter_ns": _dispatcher(time.perf_counter_ns, _now_ns),
}
_originals = {id(getattr(time, name)): name for name in _dispatchers}

# Locks, queues, sockets and test runners keep real time: with a redirected `monotonic` and a real
# `Condition.wait`, `queue.Queue.get(timeout=...)` never returns (seen).
_LEFT_ALONE = (
    "asyncio",
    "concurrent",
    "multiprocessing",
    "queue",
    "selectors",
    "socket",
    "subprocess",
    "threading",
    "_pytest",
    "pytest",
    "pluggy",
    "pytest_timeout",
    __name__,
)


def _install() -> None:
    """Put the dispatchers in place for good; on each entry also in modules that bound the names early."""
    for name, dispatcher in _dispatchers.items():
        setattr(time, name, dispatcher)
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(_LEFT_ALONE) or module_name == "time":
            continue
        for name, value in list(getattr(module, "__dict__", {}).items()):
            replaced = _originals.get(id(value))
            if replaced is not None:
                setattr(module, name, _dispatchers[replaced])


@contextmanager
def virtual_time(clock: Clock) -> Iterator[None]:
    """Redirect ``time.sleep``, ``time``, ``monotonic``, ``perf_counter`` to ``clock`` in this thread alone.

    For drivers that are not ours. Our own code is given the clock. Every other thread keeps real time, as do
    locks, events, queues and sockets in this one. Inside, this thread owns a :class:`VirtualClock`.
    """
    _install()
    before, _redirect.clock = _redirect.clock, clock
    _redirect.looks = 0
    try:
        if isinstance(clock, VirtualClock):
            with clock._owned():
                yield
        else:
            yield
    finally:
        _redirect.clock = before
