"""Which row of the growing file is awaited, since when, and when that is too long."""

import math
from dataclasses import replace
from pathlib import Path

from onnes.instruments.errors import CommunicationError, InstrumentFault, StorageError
from onnes.instruments.moments import (
    Magnetometer,
    MeasuredRow,
    MeasureStep,
    MomentProgram,
    SetField,
    Streamed,
    Wait,
)

_MINUTE_S = 60.0

# MultiVu goes on while the folder that we share with it is away, so looking away costs nothing, and giving up
# costs the whole preparation: as long as a silent instrument is waited for (a), and as the awaited row takes.
_AWAY_S = 900.0


class MomentStream:
    """Keeps count of the rows of a program.

    Args:
        now: when the following began, s on the clock's scale.
        start: the file that somebody has to start; None where it is started with another program.
        start_within_s: how much longer the first row may then take: somebody has to come, and the sample may
            be far from where the program begins.
    """

    def __init__(
        self, program: MomentProgram, now: float, *, start: Path | None = None, start_within_s: float = 0.0
    ) -> None:
        self._program, self._start = program, start
        self._start_within_s = 0.0 if start is None else start_within_s
        self._away: tuple[float, StorageError] | None = None  # since when the file cannot be read, and why
        self._rows = program.moments()
        self._changes = _field_changes(program)
        self._rest_began: dict[int, float] = {}  # number of the field change: since when it is at rest, stamp
        self._at = 0
        self._since = self._now = now
        self._last: MeasuredRow | None = None

    @property
    def is_over(self) -> bool:
        """Say whether the last row has come."""
        return self._at >= len(self._rows)

    @property
    def has_begun(self) -> bool:
        """Say whether nobody has to start it any more."""
        return self._start is None

    def look(self, machine: Magnetometer, now: float) -> Streamed:
        """Return what has come since the last look; nothing while the file cannot be read.

        MultiVu goes on meanwhile. The first such look tells of it, and the first that can read it again.
        """
        try:
            seen = machine.poll()
        except StorageError as error:
            told = f"{self._program.name}.dat cannot be looked at, while MultiVu goes on: {error}"
            remarks = (told,) if self._away is None else ()
            self._away = (now if self._away is None else self._away[0]), error
            return Streamed((), remarks, None, 0)
        if self._away is None:
            return seen
        (since, _), self._away = self._away, None
        back = f"{self._program.name}.dat can be looked at again, after {now - since:.0f} s"
        return replace(seen, remarks=(back, *seen.remarks))

    def came(self, moment: MeasuredRow) -> int:
        """Note that a row has come and return its number in the program, from 0; it may skip some."""
        number = self._rows.index(moment.planned, self._at)
        self._at, self._since, self._last = number + 1, moment.time, moment
        return number

    def since_field_change_s(self, moment: MeasuredRow, number: int) -> float:
        """Return at least how long the field has been at rest, s; NaN without a time stamp."""
        change, waited_s = self._changes[number]
        began = self._rest_began.setdefault(change, moment.stamp_s - waited_s)
        return moment.stamp_s - began

    def waiting(self) -> str:
        """Return which row is awaited, and when it is expected."""
        if self.is_over:
            return ""
        if self._start is not None:
            return f"waiting for somebody to start {self._start.name} in MultiVu"
        left_s = self._rows[self._at].expected_s - (self._now - self._since)
        minutes = f"{abs(left_s) / _MINUTE_S:.0f} min"
        when = f"expected in {minutes}" if left_s >= 0 else f"expected {minutes} ago"
        return f"waiting for the row at {_where(self._rows[self._at])} ({when})"

    def check(self, now: float, seen: Streamed) -> None:
        """Look at how long the awaited row has not come.

        Raises:
            InstrumentFault: if that is too long.
            CommunicationError: if that is too long, and the file cannot be read.
        """
        self._now = now
        if self.is_over:
            return
        if self._start is not None and seen.data is not None:  # begun: a sequence begins with its file
            self._start, self._since = None, now
        row, usual_s = self._rows[self._at], self._program.point_s
        # Three ordinary points, and half as much again of what a preparation takes longer than one (a).
        allowed_s = 3.0 * usual_s + 1.5 * (row.expected_s - usual_s)
        if self._last is None:
            allowed_s += self._start_within_s
        if now - self._since <= allowed_s:
            return
        if self._away is not None:
            since, error = self._away
            if now - since <= _AWAY_S:
                return
            away = f"{(now - since) / _MINUTE_S:.3g} min"
            # Not raised from the error of the file, which would count as one of our own disk.
            raise CommunicationError(f"{self._program.name}.dat cannot be followed, for {away} now: {error}")
        raise InstrumentFault(
            f"{self._file(seen)}; the row at {_where(row)} has not come for {now - self._since:.0f} s, and "
            f"{allowed_s:.0f} s is the longest for it; look at MultiVu; when the night goes on, the block is "
            "prepared again"
        )

    def _file(self, seen: Streamed) -> str:
        if seen.data is None:
            what = "" if self._start is None else f", so {self._start.name} was not started"
            return f"{self._program.name}.dat is not there{what}"
        row = (
            "no row of the program" if self._last is None else f"the last row at {_where(self._last.planned)}"
        )
        return f"{seen.data} has stopped growing at {seen.size} bytes, {row}"


def _where(row: MeasureStep) -> str:
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
        elif isinstance(step, MeasureStep):
            found.append((change, waited_s))
    return found
