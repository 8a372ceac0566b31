"""Which row of a growing file belongs to which step of a program: in order, and never shifted in silence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from onnes.instruments.moments import (
    AcMoment,
    MeasuredRow,
    MeasureMoment,
    MeasureStep,
    MeasureSusceptibility,
    Moment,
    MomentProgram,
    ScanMode,
)
from onnes.instruments.qd_columns import POOR_FIT, Kind, chosen_fit
from onnes.instruments.qd_tail import DatRow

# A row further from its setpoint than this is flagged. Quantum Design gives 0.5 % for a temperature; a
# supply at rest reports 20 000 Oe as 19 999.61 and 0 as 0.23 (seen), four times which is allowed.
_OFF_K, _OFF_K_PART = 0.05, 5e-3
_OFF_OE, _OFF_OE_PART = 2.0, 1e-4
# So is one whose drive is further from what was asked for: the machine sets the amplitude by its own coil
# constant, and takes the nearest frequency that it has (a).
_OFF_AMPLITUDE_PART, _OFF_FREQUENCY_PART = 0.05, 0.02

# A row counts as that of the next-but-one step only where it is this much of the way between both steps from
# it at most: a reading that has not settled must not look like a missing row (a).
_CLEARLY = 0.25


@dataclass(frozen=True, slots=True)
class Matched:
    """What rows have given: moments, and remarks on rows that are missing or belong to no step."""

    moments: tuple[MeasuredRow, ...]
    remarks: tuple[str, ...]


class ProgramRows:
    """Matches the rows of one file with the steps of one program, in the order of both.

    Args:
        largest_emu: the end of the machine's range.
    """

    def __init__(self, program: MomentProgram, largest_emu: float) -> None:
        self._planned = program.moments()
        self._mode = program.scan.mode
        self._kinds = {self._kind(step) for step in self._planned}
        self._name = program.name
        self._largest_emu = largest_emu
        self._next = 0

    def match(self, rows: tuple[DatRow, ...], now: float) -> Matched:
        """Return what new rows are; remarks in the file, which the program wrote itself, are passed over.

        Args:
            now: when they were seen, s of the clock.
        """
        moments: list[MeasuredRow] = []
        remarks: list[str] = []
        for row in rows:
            if row.kind == "remark" or (row.kind == "other" and row.comment):  # the latter has a time stamp
                continue
            planned, said = self._place(row)
            remarks += said
            if isinstance(planned, MeasureSusceptibility):
                moments.append(self._alternating(row, planned, now))
            elif planned is not None:
                moments.append(self._moment(row, planned, now))
        return Matched(tuple(moments), tuple(remarks))

    def _kind(self, step: MeasureStep) -> Kind:
        return "ac" if isinstance(step, MeasureSusceptibility) else self._mode

    def _place(self, row: DatRow) -> tuple[MeasureStep | None, tuple[str, ...]]:
        """Return the step that a row belongs to, None for none, and what is to be said of that."""
        left = self._planned[self._next :]
        where = f"line {row.line} of {self._name}.dat ({_told(row)})"
        if row.kind not in self._kinds:
            measured = " and ".join(sorted(self._kinds))
            return None, (f"{where} is a row of kind {row.kind}, and {measured} is measured; it is left out",)
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
        if self._kind(left[missing]) != row.kind:
            return None, (
                f"{where} is a row of kind {row.kind}, where {_of(left[0])} of kind {self._kind(left[0])} is "
                "next; it is left out",
            )
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

    def _passed(self, row: DatRow) -> MeasureStep | None:
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

    def _alternating(self, row: DatRow, planned: MeasureSusceptibility, now: float) -> AcMoment:
        def value(name: str) -> float:
            return row.values.get(name, math.nan)

        drive_oe = value("ac_drive_oe")

        def emu(name: str) -> float:
            """Return a moment; an MPMS3 gives it for each oersted of the drive."""
            return row.values.get(f"{name}_emu", value(f"{name}_emu_per_oe") * drive_oe)

        in_phase, quadrature = emu("ac_in_phase"), emu("ac_out_of_phase")
        flags = (
            *(() if _is_steady_at(row, planned) else ("off_setpoint",)),
            *(() if _is_driven_as(row, planned) else ("off_drive",)),
            *(("range",) if math.hypot(in_phase, quadrature) >= self._largest_emu else ()),
        )
        return AcMoment(
            planned=planned,
            time=now,
            stamp_s=value("time_stamp_s"),
            temperature_k=value("temperature_k"),
            field_oe=value("field_oe"),
            amplitude_oe=drive_oe,
            frequency_hz=value("ac_frequency_hz"),
            in_phase_emu=in_phase,
            in_phase_error_emu=emu("ac_in_phase_error"),
            quadrature_emu=quadrature,
            quadrature_error_emu=emu("ac_out_of_phase_error"),
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


def _drive(row: DatRow) -> tuple[float, float]:
    return row.values.get("ac_drive_oe", math.nan), row.values.get("ac_frequency_hz", math.nan)


def _allowed(planned: MeasureStep) -> tuple[float, float]:
    """Return how far a row may be from its setpoint, K and Oe."""
    return (
        max(_OFF_K, _OFF_K_PART * planned.temperature_k),
        max(_OFF_OE, _OFF_OE_PART * abs(planned.field_oe)),
    )


def _missing(row: DatRow, left: Sequence[MeasureStep]) -> int:
    """Return how many steps have no row where this one is clearly at a later one; 0 where it is at none."""
    found = (number for number in range(1, len(left)) if _is_clearly_at(row, left[number], left[number - 1]))
    return next(found, 0)


def _is_at(row: DatRow, planned: MeasureStep) -> bool:
    """Say whether a row is of the kind of a step, at its setpoint, and driven as asked for."""
    if isinstance(planned, MeasureSusceptibility):
        return row.kind == "ac" and _is_steady_at(row, planned) and _is_driven_as(row, planned)
    return row.kind != "ac" and _is_steady_at(row, planned)


def _is_steady_at(row: DatRow, planned: MeasureStep) -> bool:
    (kelvin, oersted), (off_k, off_oe) = _where(row), _allowed(planned)
    return abs(kelvin - planned.temperature_k) <= off_k and abs(oersted - planned.field_oe) <= off_oe


def _is_driven_as(row: DatRow, planned: MeasureSusceptibility) -> bool:
    amplitude_oe, frequency_hz = _drive(row)
    return (
        abs(amplitude_oe - planned.amplitude_oe) <= _OFF_AMPLITUDE_PART * planned.amplitude_oe
        and abs(frequency_hz - planned.frequency_hz) <= _OFF_FREQUENCY_PART * planned.frequency_hz
    )


def _is_clearly_at(row: DatRow, planned: MeasureStep, other: MeasureStep) -> bool:
    """Say whether a row is at one step and not at another, however close the two are."""
    apart_k = abs(planned.temperature_k - other.temperature_k)
    apart_oe = abs(planned.field_oe - other.field_oe)
    if not (apart_k or apart_oe or _are_driven_apart(planned, other)):
        return False
    (kelvin, oersted), (off_k, off_oe) = _where(row), _allowed(planned)
    if apart_k:
        off_k = min(off_k, _CLEARLY * apart_k)
    if apart_oe:
        off_oe = min(off_oe, _CLEARLY * apart_oe)
    is_there = abs(kelvin - planned.temperature_k) <= off_k and abs(oersted - planned.field_oe) <= off_oe
    return is_there and _is_at(row, planned)


def _are_driven_apart(planned: MeasureStep, other: MeasureStep) -> bool:
    """Say whether the drives of two steps cannot be taken for each other; a moment has none."""
    if not isinstance(planned, MeasureSusceptibility) or not isinstance(other, MeasureSusceptibility):
        return type(planned) is not type(other)
    amplitudes, frequencies = (
        (planned.amplitude_oe, other.amplitude_oe),
        (planned.frequency_hz, other.frequency_hz),
    )
    return abs(amplitudes[0] - amplitudes[1]) > 2.0 * _OFF_AMPLITUDE_PART * max(amplitudes) or abs(
        frequencies[0] - frequencies[1]
    ) > 2.0 * _OFF_FREQUENCY_PART * max(frequencies)


def _at(kelvin: float, oersted: float) -> str:
    return f"{kelvin:.6g} K, {oersted:.6g} Oe"


def _driven(amplitude_oe: float, frequency_hz: float) -> str:
    return f", {amplitude_oe:.6g} Oe peak at {frequency_hz:.6g} Hz"


def _told(row: DatRow) -> str:
    return _at(*_where(row)) + (_driven(*_drive(row)) if row.kind == "ac" else "")


def _of(planned: MeasureStep) -> str:
    where = _at(planned.temperature_k, planned.field_oe)
    if isinstance(planned, MeasureSusceptibility):
        where += _driven(planned.amplitude_oe, planned.frequency_hz)
    return f"{where} ({planned.branch})"
