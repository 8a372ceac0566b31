"""Which row of a growing file belongs to which step of a program: in order, and never shifted in silence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from onnes.instruments.moments import MeasureMoment, Moment, MomentProgram, ScanMode
from onnes.instruments.qd_columns import POOR_FIT, chosen_fit
from onnes.instruments.qd_tail import DatRow

# A row further from its setpoint than this is flagged. Quantum Design gives 0.5 % for a temperature; a
# supply at rest reports 20 000 Oe as 19 999.61 and 0 as 0.23 (seen), four times which is allowed.
_OFF_K, _OFF_K_PART = 0.05, 5e-3
_OFF_OE, _OFF_OE_PART = 2.0, 1e-4

# A row counts as that of the next-but-one step only where it is this much of the way between both steps from
# it at most: a reading that has not settled must not look like a missing row (a).
_CLEARLY = 0.25


@dataclass(frozen=True, slots=True)
class Matched:
    """What rows have given: moments, and remarks on rows that are missing or belong to no step."""

    moments: tuple[Moment, ...]
    remarks: tuple[str, ...]


class ProgramRows:
    """Matches the rows of one file with the steps of one program, in the order of both.

    Args:
        largest_emu: the end of the machine's range.
    """

    def __init__(self, program: MomentProgram, largest_emu: float) -> None:
        self._planned = program.moments()
        self._mode = program.scan.mode
        self._name = program.name
        self._largest_emu = largest_emu
        self._next = 0

    def match(self, rows: tuple[DatRow, ...], now: float) -> Matched:
        """Return what new rows are; remarks in the file, which the program wrote itself, are passed over.

        Args:
            now: when they were seen, s of the clock.
        """
        moments: list[Moment] = []
        remarks: list[str] = []
        for row in rows:
            if row.kind == "remark" or (row.kind == "other" and row.comment):  # the latter has a time stamp
                continue
            planned, said = self._place(row)
            remarks += said
            if planned is not None:
                moments.append(self._moment(row, planned, now))
        return Matched(tuple(moments), tuple(remarks))

    def _place(self, row: DatRow) -> tuple[MeasureMoment | None, tuple[str, ...]]:
        """Return the step that a row belongs to, None for none, and what is to be said of that."""
        left = self._planned[self._next :]
        where = f"line {row.line} of {self._name}.dat ({_at(*_where(row))})"
        if row.kind != self._mode:
            return None, (
                f"{where} is a row of kind {row.kind}, and {self._mode} is measured; it is left out",
            )
        if not left:
            return None, (
                f"{where} comes after all {len(self._planned)} rows of the program; it is left out",
            )
        passed = None if _is_at(row, left[0]) else self._passed(row)
        missing = _missing(row, left[:2])
        if not missing and passed is not None:
            return None, (f"{where} repeats {_of(passed)}, where {_of(left[0])} is next; it is left out",)
        if not missing and not _is_at(row, left[0]):
            missing = _missing(row, [step for step in left if step.curve == left[0].curve])
        first, self._next = self._next + 1, self._next + missing + 1
        if not missing:
            return left[0], ()
        which = f"{_of(left[0])}, number {first}"
        if missing > 1:
            which += f", and of the {missing - 1} after it"
        return left[missing], (
            f"there is no row of {which} of {len(self._planned)}: {where} is that of the step after "
            f"{'it; the step is' if missing == 1 else 'them; the steps are'} left out",
        )

    def _passed(self, row: DatRow) -> MeasureMoment | None:
        """Return the step before, or an earlier one of the curve that goes on, where a row clearly is."""
        other = self._planned[self._next]
        for number, step in enumerate(reversed(self._planned[: self._next])):
            if number and step.curve != self._planned[self._next].curve:
                return None
            if _is_clearly_at(row, step, other):
                return step
            other = step
        return None

    def _moment(self, row: DatRow, planned: MeasureMoment, now: float) -> Moment:
        def value(name: str) -> float:
            return row.values.get(name, math.nan)

        used, fit = _fit(self._mode, row)
        moment = value("moment_emu")  # of the two fits of a DC scan the one that is used, too
        flags = (
            *(() if _is_at(row, planned) else ("off_setpoint",)),
            *(("poor_fit",) if fit < POOR_FIT else ()),
            *(("range",) if abs(moment) >= self._largest_emu else ()),
        )
        return Moment(
            planned=planned,
            time=now,
            stamp_s=value("time_stamp_s"),
            temperature_k=value("temperature_k"),
            field_oe=value("field_oe"),
            moment_emu=moment,
            moment_error_emu=value("moment_error_emu"),
            moment_fixed_emu=value("moment_fixed_emu"),
            moment_free_emu=value("moment_free_emu"),
            fit=fit,
            fit_used=used,
            centre_cm=value("centre_cm"),
            flags=flags,
        )


def _fit(mode: ScanMode, row: DatRow) -> tuple[Literal["fixed", "free", "vsm", "long"], float]:
    """Return which fit the moment is taken from, and how well it fits, NaN where the file does not say."""
    values, nan = row.values, math.nan
    if mode == "vsm":
        return "vsm", nan
    if "moment_fixed_emu" not in values and "moment_free_emu" not in values:
        return "long", values.get("fit_long", nan)
    used = chosen_fit(
        values.get("fit_fixed", nan),
        values.get("fit_free", nan),
        values.get("moment_fixed_emu", nan),
        values.get("moment_free_emu", nan),
    )
    return used, values.get(f"fit_{used}", nan)


def _where(row: DatRow) -> tuple[float, float]:
    return row.values.get("temperature_k", math.nan), row.values.get("field_oe", math.nan)


def _allowed(planned: MeasureMoment) -> tuple[float, float]:
    """Return how far a row may be from its setpoint, K and Oe."""
    return (
        max(_OFF_K, _OFF_K_PART * planned.temperature_k),
        max(_OFF_OE, _OFF_OE_PART * abs(planned.field_oe)),
    )


def _missing(row: DatRow, left: Sequence[MeasureMoment]) -> int:
    """Return how many steps have no row where this one is clearly at a later one; 0 where it is at none."""
    found = (number for number in range(1, len(left)) if _is_clearly_at(row, left[number], left[number - 1]))
    return next(found, 0)


def _is_at(row: DatRow, planned: MeasureMoment) -> bool:
    (kelvin, oersted), (off_k, off_oe) = _where(row), _allowed(planned)
    return abs(kelvin - planned.temperature_k) <= off_k and abs(oersted - planned.field_oe) <= off_oe


def _is_clearly_at(row: DatRow, planned: MeasureMoment, other: MeasureMoment) -> bool:
    """Say whether a row is at one step and not at another, however close the two are."""
    apart_k = abs(planned.temperature_k - other.temperature_k)
    apart_oe = abs(planned.field_oe - other.field_oe)
    if not (apart_k or apart_oe):
        return False
    (kelvin, oersted), (off_k, off_oe) = _where(row), _allowed(planned)
    if apart_k:
        off_k = min(off_k, _CLEARLY * apart_k)
    if apart_oe:
        off_oe = min(off_oe, _CLEARLY * apart_oe)
    return abs(kelvin - planned.temperature_k) <= off_k and abs(oersted - planned.field_oe) <= off_oe


def _at(kelvin: float, oersted: float) -> str:
    return f"{kelvin:.6g} K, {oersted:.6g} Oe"


def _of(planned: MeasureMoment) -> str:
    return f"{_at(planned.temperature_k, planned.field_oe)} ({planned.branch})"
