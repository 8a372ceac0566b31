"""A machine whose software, started by somebody, adds a row to a file when it is due; and its station."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.moments import (
    AcMoment,
    HandedOver,
    MagnetometerFlags,
    MeasuredRow,
    MeasureStep,
    MeasureSusceptibility,
    Moment,
    MomentProgram,
    Scan,
    Streamed,
)

FOLDER = Path("multivu")


@dataclass
class FakeMagnetometer:
    """``operator_s``: when somebody comes; ``slowness``: how much longer all takes than was expected."""

    clock: VirtualClock
    operator_s: float = 120.0
    slowness: float = 1.0
    missing: frozenset[int] = frozenset()  # numbers of rows that never come
    blank: frozenset[int] = frozenset()  # numbers of rows without a moment
    stops_after: int = 10**9
    flags_of: dict[int, tuple[str, ...]] = field(default_factory=dict)
    unreadable: tuple[float, float] = (float("inf"), float("inf"))  # from when to when, s of the clock
    diary: list[tuple[str, ...]] = field(default_factory=list)
    programs: list[MomentProgram] = field(default_factory=list)
    _started: float = 0.0
    _given: int = 0

    @property
    def flags(self) -> MagnetometerFlags:
        return MagnetometerFlags(("dc",), can_set=False, reads_field_setpoint=False, largest_emu=10.0)

    def point_s(self, scan: Scan) -> float:
        return 20.0 * scan.scans

    def check(self, program: MomentProgram) -> None:
        self.diary.append(("check", program.name))

    def hand_over(self, programs: Sequence[MomentProgram]) -> HandedOver:
        name = programs[0].name
        self.diary += [("hand_over", program.name) for program in programs]
        return HandedOver(
            FOLDER / f"onnes-start-{name}.seq",
            FOLDER / f"{name}.txt",
            FOLDER / f"{name}.dat",
            f"start onnes-start-{name}.seq in MultiVu",
        )

    def left_behind(self, programs: Sequence[MomentProgram]) -> None:
        self.diary += [("left_behind", program.name) for program in programs]

    def follow(self, program: MomentProgram) -> None:
        self.diary.append(("follow", program.name))
        self.programs.append(program)
        self._started, self._given = self.clock.now() + self.operator_s, 0

    def poll(self) -> Streamed:
        now, rows = self.clock.now(), self.programs[-1].moments()
        if self.unreadable[0] <= now < self.unreadable[1]:
            raise StorageError("multivu/a.dat cannot be read: the network path was not found")
        found: list[MeasuredRow] = []
        remarks: list[str] = []
        due = self._started + sum(row.expected_s for row in rows[: self._given + 1]) * self.slowness
        while self._given < min(len(rows), self.stops_after) and due <= now:
            number = self._given
            self._given += 1
            if number in self.missing:
                remarks.append(f"row {number} is missing")
            else:
                found.append(self._moment(rows[number], number, due))
            due += rows[self._given].expected_s * self.slowness if self._given < len(rows) else 0.0
        is_there = now >= self._started
        data = FOLDER / f"{self.programs[-1].name}.dat"
        return Streamed(tuple(found), tuple(remarks), data if is_there else None, 100 * self._given)

    def let_go(self, *, ended: bool) -> None:
        self.diary.append(("let_go", "ended" if ended else "broken off"))

    def _moment(self, row: MeasureStep, number: int, due: float) -> MeasuredRow:
        if isinstance(row, MeasureSusceptibility):
            return AcMoment(
                planned=row,
                time=self.clock.now(),
                stamp_s=3.8e9 + due,
                temperature_k=row.temperature_k + 0.002,
                field_oe=row.field_oe + 0.1,
                amplitude_oe=row.amplitude_oe * 1.001,
                frequency_hz=row.frequency_hz * 1.001,
                in_phase_emu=math.nan if number in self.blank else -1e-3 * row.amplitude_oe,
                in_phase_error_emu=1e-8,
                quadrature_emu=1e-5 * row.amplitude_oe,
                quadrature_error_emu=1e-8,
                flags=self.flags_of.get(number, ()),
            )
        return Moment(
            planned=row,
            time=self.clock.now(),
            stamp_s=3.8e9 + due,
            temperature_k=row.temperature_k + 0.002,
            field_oe=row.field_oe + 0.1,
            moment_emu=math.nan if number in self.blank else -1e-3,
            moment_error_emu=1e-8,
            moment_fixed_emu=-1e-3,
            moment_free_emu=-1.01e-3,
            fit=0.98,
            fit_used="fixed",
            centre_cm=3.1,
            flags=self.flags_of.get(number, ()),
        )


class MomentStation:
    """A station with a magnetometer and nothing that can be set: whatever else is asked of it fails."""

    def __init__(self, machine: FakeMagnetometer) -> None:
        self.machine = machine
        self.calls: list[str] = []

    def magnetometer(self, name: str = "") -> FakeMagnetometer:
        if name not in ("", "mpms"):
            raise ConfigurationError(f"no magnetometer {name!r}; expected 'mpms'")
        return self.machine

    def safe_state(self) -> list[object]:
        self.calls.append("safe_state")
        return []

    def close(self) -> None:
        self.calls.append("close")
