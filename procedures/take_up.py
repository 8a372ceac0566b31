"""Where a measurement that was broken off goes on: found from its stored rows alone.

The same rows give the same answer in the process that took them and after a crash. Two rules of history
exist: ``free``, where a point depends on its own temperature, field and direction, and ``path``, where it
depends on how the sample came there, so that the open curve is measured again from its preparation.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from onnes.procedures.programs import Pass, Program, Sweep

# The thermometer lags a ramp by rate x 30 s (seen): after five such times less than 1 % of a change of the
# lag is left. A ramp of the field is given as long: what it heats in the sample is then steady too (a).
RUN_UP_S = 150.0


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Where a measurement goes on, and what that costs.

    ``curve`` counts from 1; those before it stay, with rule ``path`` its stored rows do not count any more.
    ``done`` setpoints of it are stored already. ``last`` is the last setpoint stored, K or Oe, in a sweep the
    last stored reading; NaN where nothing is. ``cost_s`` is the lab time of what is done again. ``flags`` are
    those that every point goes on having, because of what was found before the break. Where a setpoint has
    several points, ``taken`` of the one after ``done`` are stored, too, and stay.
    """

    rule: Literal["free", "path"]
    curve: int
    done: int
    last: float
    cost_s: float
    message: str
    flags: tuple[str, ...] = ()
    taken: int = 0

    @property
    def is_at_start(self) -> bool:
        """Say whether nothing that was measured stays."""
        return self.curve == 1 and self.done == 0


FROM_THE_START = TakeUp("free", 1, 0, math.nan, 0.0, "from the start")


@dataclass(frozen=True, slots=True)
class Left:
    """How far the stored rows go: the open curve, its stored setpoints, the last value, K or Oe, or NaN."""

    curve: int
    done: int
    last: float


@dataclass(frozen=True, slots=True)
class SweptColumns:
    """Labels of the swept quantity: its setpoint, its reading, and the reading taken last in a point."""

    setpoint: str
    reading: str
    latest: str


TEMPERATURE = SweptColumns("Temperature setpoint (K)", "Temperature (K)", "Temperature after (K)")
FIELD = SweptColumns("Field setpoint (Oe)", "Field (Oe)", "Field (Oe)")


def left_at(
    stored: pd.DataFrame, legs: Sequence[Pass], columns: SweptColumns, within: Callable[[float], float]
) -> Left:
    """Return where the rows stop; past the last curve if that is complete.

    A setpoint whose point was rejected left no row, so it is measured again if nothing came after it.

    Args:
        stored: the rows that count, in order of time, with the columns of ``data.csv``.
        legs: the passes of the program; curves run through them again and again.
        within: tolerance at the end of a sweep.

    Raises:
        ValueError: if a stored setpoint is none of the program.
    """
    rows = stored[stored["Curve"] > 0] if len(stored) else stored
    if rows.empty:
        return Left(1, 0, math.nan)
    row = rows.iloc[-1]
    curve = int(row["Curve"])
    mine = rows[rows["Curve"] == curve]
    program = legs[(curve - 1) % len(legs)].program
    if isinstance(program, Sweep):
        done, last = len(mine), float(row[columns.reading])
        is_over = program.short_by(float(row[columns.latest])) <= within(program.end)
    else:
        last = float(row[columns.setpoint])
        if last not in program.values:
            raise ValueError(
                f"the last stored point of curve {curve} has {columns.setpoint} = {last:.9g}, "
                "which is no setpoint of the program; the rows belong to another program"
            )
        again = int((mine[columns.setpoint] == last).sum())  # a value may be asked for several times in a row
        done = program.values.index(last) + min(again, program.values.count(last))
        is_over = done >= len(program.values)
    return Left(curve + 1, 0, math.nan) if is_over else Left(curve, done, last)


def standing_flags(stored: pd.DataFrame, flags: Collection[str]) -> tuple[str, ...]:
    """Return which of ``flags`` the last stored point has."""
    found = str(stored["Flags"].iloc[-1]).split(";") if len(stored) else []
    return tuple(flag for flag in flags if flag in found)


def run_up(sweep: Sweep, last: float) -> Sweep:
    """Return the rest of ``sweep`` after the reading ``last``, with a run-up that makes its lag steady."""
    back = last - math.copysign(RUN_UP_S * sweep.per_s, sweep.end - sweep.start)
    return replace(sweep, start=max(back, sweep.start) if sweep.rises else min(back, sweep.start))


def is_beyond(sweep: Sweep, value: float, last: float) -> bool:
    """Say whether ``value`` is not known to lie before ``last`` in the direction of ``sweep``, or at it."""
    return not (value <= last if sweep.rises else value >= last)


def side(earlier: Sequence[Program], value: float) -> float | None:
    """Return from where an undisturbed measurement comes to ``value``, K or Oe; None at its very beginning.

    That is the last earlier setpoint that differs, for a sweep a run-up before its end. The remanence of a
    magnet has the sign of the last change of the field, and a thermometer the lag of the last ramp: a point
    that is approached from the other side would not lie on the curve.
    """
    for program in reversed(earlier):
        if isinstance(program, Sweep):
            return run_up(program, program.end).start
        for before in reversed(program.values):
            if before != value:
                return before
    return None
