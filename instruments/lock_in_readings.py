"""Readings of a lock-in that know nothing of one another, on a full scale that fits them."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from onnes.instruments.averages import mean_and_error
from onnes.instruments.errors import ConfigurationError, InstrumentFault
from onnes.instruments.lock_ins import LockInReading, LockInUse
from onnes.instruments.stanford_lock_in import StanfordLockIn

# After so many time constants the correlation of white noise behind n equal poles has fallen below 5 %: for
# one to four poles it is exp(-u) times 1, 1 + u, 1 + u + u^2/3, 1 + u + 2u^2/5 + u^3/15, which follows from
# their response t^(n-1) exp(-t/tau). Readings closer than that repeat one another; their scatter is no error.
INDEPENDENT_TAU: Final = {6: 3.0, 12: 4.75, 18: 6.0, 24: 7.0}

# An output clips at 109 % of full scale, so the signal that overloads it is larger than what it reads (a).
_WIDER = 5.0

# From the largest to the smallest full scale each step gains a factor of 10 at least; nine decades, and one
# more step up for each of a few overloads on the way (a).
_MOST_RANGES = 15


@dataclass(frozen=True, slots=True)
class Averaged:
    """The mean of independent readings, V rms, with the errors of the mean from their scatter.

    ``xs`` are the readings of x in the order taken. With the flag ``overload`` all voltages are NaN.
    """

    x: float
    x_error: float
    y: float
    y_error: float
    xs: tuple[float, ...]
    flags: tuple[str, ...]


class LockInReadings:
    """Reads a lock-in as slowly as its filter makes readings independent, and keeps its range fitting.

    The range changes between points only, by the signal of the last one, and the filter settles before the
    next. An overload spoils its point and widens the range. Where the signal that is read is smaller than the
    range was chosen for, something else overloads, a hum for one: no smaller range is tried then until
    :meth:`find_range`. A reference that is lost spoils its point; where it stays lost it is a fault.
    """

    def __init__(self, lock_in: StanfordLockIn) -> None:
        self._lock_in = lock_in
        self._clock = lock_in.link.clock
        self._use = LockInUse()
        self._settled_at = 0.0
        self._fitted_for = 0.0
        self._least = 0.0
        self._is_overloaded = False
        self._is_unlocked = False

    def listen(self, use: LockInUse, *, reference: Literal["internal", "external"]) -> None:
        """Set up the lock-in, which raises as its :meth:`~StanfordLockIn.listen`."""
        self._lock_in.listen(use, reference=reference)
        self._use = use
        self.unsettle()

    def unsettle(self, settle_s: float | None = None) -> None:
        """Let the next reading wait until the filter has settled from now on: for ``settle_s``, or fully."""
        wait_s = self._use.settle_s if settle_s is None else settle_s
        self._settled_at = max(self._settled_at, self._clock.now() + wait_s)

    def find_range(self, expected_v: float = math.inf) -> None:
        """Choose the full scale from that of ``expected_v`` on, V rms, each settled; default the largest.

        Raises:
            InstrumentFault: if the signal overloads the largest, or none is found that keeps fitting.
        """
        self._least, self._fitted_for = 0.0, expected_v if math.isfinite(expected_v) else 0.0
        if self._lock_in.fit_range(expected_v):
            self.unsettle()
        self._settle_range()

    def take(self) -> LockInReading:
        """Take one settled reading, with the status since one time constant before it; the range stays.

        Raises:
            ConfigurationError: if the lock-in was set up to listen otherwise since.
        """
        self._check_use()
        self._forget_at(self._settled_at - self._use.time_constant_s)
        self._clock.sleep_until(self._settled_at)
        return self._lock_in.take()

    def average(self, readings: int) -> Averaged:
        """Take independent readings, two at least, and fit the range for the next point to them.

        Raises:
            ConfigurationError: if the lock-in was set up to listen otherwise since.
            InstrumentFault: if they overload the largest range, none keeps fitting after an overload, or
                there is no reference in any of them nor in those of the point before.
        """
        self._check_use()
        if self._is_overloaded:
            self._settle_range()
        self._forget_at(self._settled_at)
        spacing = INDEPENDENT_TAU[self._use.slope_db] * self._use.time_constant_s
        taken = []
        for _ in range(max(2, readings)):
            self._clock.sleep(spacing)
            taken.append(self._lock_in.take())
        self._look_at_the_lock(taken)
        self._fit(taken)
        xs = tuple(reading.x for reading in taken)
        flags = tuple(sorted({flag for reading in taken for flag in reading.flags}))
        if "overload" in flags:
            return Averaged(math.nan, math.nan, math.nan, math.nan, xs, flags)
        return Averaged(*mean_and_error(xs), *mean_and_error([reading.y for reading in taken]), xs, flags)

    def fit(self, reading: LockInReading) -> bool:
        """Fit the range to one reading for the next; say whether it changed; raises as :meth:`average`."""
        return self._fit([reading])

    def _settle_range(self) -> None:
        """Change the range until it fits, each settled."""
        for _ in range(_MOST_RANGES):
            if not self._fit([self.take()]):
                return
        raise InstrumentFault(
            f"{self._lock_in.name} finds no full scale that keeps fitting in {_MOST_RANGES} changes; "
            "look for a contact that opens and closes"
        )

    def _check_use(self) -> None:
        if self._lock_in.use != self._use:
            raise ConfigurationError(
                f"{self._lock_in.name} was set up for another measurement since; start this one again"
            )

    def _forget_at(self, time: float) -> None:
        """Wait until ``time``, if that is to come, and forget what latched until then."""
        self._clock.sleep_until(time)
        self._lock_in.take()

    def _look_at_the_lock(self, taken: list[LockInReading]) -> None:
        was, self._is_unlocked = self._is_unlocked, all("unlock" in reading.flags for reading in taken)
        if was and self._is_unlocked:
            raise InstrumentFault(
                f"{self._lock_in.name} has been without a lock on its reference for two points; look at the "
                "cable of the reference, its amplitude and its frequency"
            )

    def _fit(self, taken: list[LockInReading]) -> bool:
        signal = max(math.hypot(reading.x, reading.y) for reading in taken)
        self._is_overloaded = any("overload" in reading.flags for reading in taken)
        if self._is_overloaded:
            wider = _WIDER * max(signal, self._fitted_for)
            if signal < self._fitted_for:
                self._least = wider
            changed = self._lock_in.fit_range(wider) or self._lock_in.fit_range(math.inf)
            if not changed:
                raise InstrumentFault(
                    f"{self._lock_in.name} overloads on its largest range, {self._lock_in.sensitivity:g} V; "
                    "lower the excitation, or look for an open lead or a hum at its input"
                )
        elif any("unlock" in reading.flags for reading in taken):
            return False  # what is read without a reference says nothing of the signal
        else:
            wider = max(signal, self._least)
            changed = self._lock_in.fit_range(wider)
        self._fitted_for = wider
        if changed:
            self.unsettle()
        return changed
