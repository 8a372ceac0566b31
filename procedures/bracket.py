"""What stands around a reading: temperature and field before and after it, and what they spoil."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError
from onnes.instruments.protocols import Reading
from onnes.procedures.settling import FILLING
from onnes.procedures.watch import Watch

TEMPERATURE_MOVED = "temperature_moved"
LINK = "link"
_NOISE_SIGMAS = 4.0

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Bracketed(Generic[Found]):
    """A reading between two readings of temperature (K) and field (Oe); what did not come is NaN or None.

    ``temperature`` and ``field`` are at the middle of the reading, the rates in K/min and Oe/s. ``flags``
    says what is odd, ``reasons`` what of it rejects the point. ``silent`` is raised by who took the point
    once it is yielded.
    """

    found: Found | None
    time_utc: str
    elapsed: float
    temperature: float
    temperature_before: float
    temperature_after: float
    temperature_rate: float
    field: float
    field_rate: float
    status: str
    flags: tuple[str, ...]
    reasons: tuple[str, ...]
    silent: CommunicationError | None


_NO_READING = Reading(math.nan, math.nan, "", False, 0)


class Bracket:
    """Takes readings between two snapshots.

    Args:
        began: time on the clock's scale that counts as zero of "Elapsed".
    """

    def __init__(self, watch: Watch, clock: Clock, began: float) -> None:
        self._watch, self._clock, self._began = watch, clock, began

    def around(
        self,
        measure: Callable[[], Found],
        *,
        judge: Callable[[Found, float], None] | None = None,
        within_k: float | None = None,
        setpoint_k: float | None = None,
    ) -> Bracketed[Found]:
        """Read temperature and field, measure, and read them again.

        Args:
            judge: is given what was measured and when, s, before anything else is read.
            within_k: how far the temperature may move during the reading, K; without it, in a sweep, the
                reading is judged by status alone.
            setpoint_k: from where that counts, K; without it from the reading before.

        Raises:
            InstrumentFault: in a fault state.
        """
        clock, watch = self._clock, self._watch
        time_utc = clock.datetime().isoformat(timespec="milliseconds")
        elapsed = clock.now() - self._began
        before = after = _NO_READING
        field_before: Reading | None = None
        field_after: Reading | None = None
        found: Found | None = None
        noise_k, middle = 0.0, math.nan
        silent: CommunicationError | None = None
        try:
            before, field_before = watch.snapshot()
            noise_k = 0.0 if within_k is None else self._noise_k()
            started = clock.now()
            found = measure()
            middle = 0.5 * (started + clock.now())
            if judge is not None:
                judge(found, middle)
            after, field_after = watch.snapshot()
        except CommunicationError as error:
            silent = error

        flags: list[str] = []
        reasons: list[str] = []
        if silent is not None:
            flags.append(LINK)
            reasons.append(str(silent))
        for what, pair in (("temperature", (before, after)), ("field", (field_before, field_after))):
            if any(reading is not None and reading.state == "unknown" for reading in pair):
                flags.append(f"{what}_unknown")
                reasons.append(f"{what} state unknown")
        if FILLING in (before.state, after.state):
            flags.append("helium_fill")
        if within_k is not None:
            moved = after.value - (before.value if setpoint_k is None else setpoint_k)
            if abs(moved) > within_k + noise_k:
                flags.append(TEMPERATURE_MOVED)
                since = "during the point" if setpoint_k is None else "from its setpoint"
                reasons.append(f"temperature moved by {moved:+.3g} K {since}, more than {within_k:.3g} K")
        temperature = _between(before, after, middle)
        if silent is None and not math.isfinite(temperature):
            reasons.append(f"temperature reads {before.value} K before and {after.value} K after")
        if field_before is None or field_after is None:
            field = field_rate = math.nan
        else:
            field = _between(field_before, field_after, middle)
            field_rate = watch.field.line().slope_per_s
        return Bracketed(
            found=found,
            time_utc=time_utc,
            elapsed=elapsed,
            temperature=temperature,
            temperature_before=before.value,
            temperature_after=after.value,
            temperature_rate=(
                math.nan if after is _NO_READING else watch.temperature.line().slope_per_s * 60.0
            ),
            field=field,
            field_rate=field_rate,
            status="" if after is _NO_READING else f"0x{after.status:04X}",
            flags=tuple(flags),
            reasons=tuple(reasons),
            silent=silent,
        )

    def _noise_k(self) -> float:
        # One reading scatters by 1.8 mK rms at 3 K (seen): two differ by more than 5 mK one time in twenty.
        rms = self._watch.temperature.line().rms
        return 0.0 if math.isnan(rms) else _NOISE_SIGMAS * math.sqrt(2.0) * rms


def _between(before: Reading, after: Reading, time: float) -> float:
    """Return the value at ``time`` on the straight line through two readings, K or Oe."""
    passed = after.time - before.time
    part = (time - before.time) / passed if passed > 0 else 0.5
    return before.value + part * (after.value - before.value)
