"""Which row of the growing file is awaited, since when, and when that is too long."""

import math
from pathlib import Path

from onnes.instruments.errors import InstrumentFault
from onnes.instruments.moments import MeasureMoment, Moment, MomentProgram, SetField, Streamed, Wait

_MINUTE_S = 60.0


class MomentStream:
    """Keeps count of the rows of a program.

    Args:
        now: when the following began, s on the clock's scale.
        start_within_s: how much longer the first row may take: somebody has to start the sequence.
        start: the file to start, None where it is started with another program.
    """

    def __init__(
        self, program: MomentProgram, now: float, *, start_within_s: float, start: Path | None
    ) -> None:
        self._program, self._start, self._start_within_s = program, start, start_within_s
        self._rows = program.moments()
        self._changes = _field_changes(program)
        self._rest_began: dict[int, float] = {}  # number of the field change: since when it is at rest, stamp
        self._at = 0
        self._since = self._now = now
        self._last: Moment | None = None

    @property
    def is_over(self) -> bool:
        """Say whether the last row has come."""
        return self._at >= len(self._rows)

    def came(self, moment: Moment) -> int:
        """Note that a row has come and return its number in the program, from 0; it may skip some."""
        number = self._rows.index(moment.planned, self._at)
        self._at, self._since, self._last = number + 1, moment.time, moment
        return number

    def since_field_change_s(self, moment: Moment, number: int) -> float:
        """Return at least how long the field has been at rest, s; NaN without a time stamp."""
        change, waited_s = self._changes[number]
        began = self._rest_began.setdefault(change, moment.stamp_s - waited_s)
        return moment.stamp_s - began

    def waiting(self) -> str:
        """Return which row is awaited, and when it is expected."""
        if self.is_over:
            return ""
        if self._last is None and self._start is not None:
            return f"waiting for somebody to start {self._start.name} in MultiVu"
        left_s = self._rows[self._at].expected_s - (self._now - self._since)
        minutes = f"{abs(left_s) / _MINUTE_S:.0f} min"
        when = f"expected in {minutes}" if left_s >= 0 else f"expected {minutes} ago"
        return f"waiting for the row at {_where(self._rows[self._at])} ({when})"

    def check(self, now: float, seen: Streamed) -> None:
        """Look at how long the awaited row has not come.

        Raises:
            InstrumentFault: if that is too long.
        """
        self._now = now
        if self.is_over:
            return
        row, usual_s = self._rows[self._at], self._program.point_s
        # Three ordinary points, and half as much again of what a preparation takes longer than one (a).
        allowed_s = 3.0 * usual_s + 1.5 * (row.expected_s - usual_s)
        if self._last is None:
            allowed_s += self._start_within_s
        if now - self._since <= allowed_s:
            return
        raise InstrumentFault(
            f"{self._file(seen)}; no row for {(now - self._since) / _MINUTE_S:.3g} min, more than "
            f"{allowed_s / _MINUTE_S:.3g} min, the longest for the row at {_where(row)}; look at MultiVu; "
            "`onnes resume` prepares the block again"
        )

    def _file(self, seen: Streamed) -> str:
        if seen.data is None:
            what = "" if self._start is None else f", so {self._start.name} was not started"
            return f"{self._program.name}.dat is not there{what}"
        row = (
            "no row of the program" if self._last is None else f"the last row at {_where(self._last.planned)}"
        )
        return f"{seen.data} has stopped growing at {seen.size} bytes, {row}"


def _where(row: MeasureMoment) -> str:
    return f"{row.temperature_k:.6g} K, {row.field_oe:.6g} Oe"


def _field_changes(program: MomentProgram) -> list[tuple[int, float]]:
    """Return for each row the number of the last change of the field, and what is waited since, s."""
    found: list[tuple[int, float]] = []
    change, waited_s = 0, math.nan
    for step in program.steps:
        if isinstance(step, SetField):
            change, waited_s = change + 1, 0.0
        elif isinstance(step, Wait):
            waited_s += step.seconds
        elif isinstance(step, MeasureMoment):
            found.append((change, waited_s))
    return found
