"""What a magnetometer is asked for, and what it gives: programs of steps, and moments as they are measured.

No public interface triggers a moment on an MPMS: the machine's own software runs a sequence and writes a
file, which is followed. So a magnetometer streams; there is no call that measures one moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from onnes.instruments.protocols import FieldApproach, FieldMode, TemperatureApproach
from onnes.instruments.susceptometer import AcLimits

ScanMode = Literal["dc", "rso", "vsm"]


@dataclass(frozen=True, slots=True)
class Scan:
    """How one moment is measured: ``length_cm`` of the way through the coils, ``scans`` averaged to a point.

    ``frequency_hz`` and ``cycles`` are of the oscillating modes, rso and vsm.
    """

    mode: ScanMode = "dc"
    length_cm: float = 3.0
    scans: int = 3
    frequency_hz: float | None = None
    cycles: int | None = None


@dataclass(frozen=True, slots=True)
class SetTemperature:
    """Start a ramp of the temperature, K, K/min."""

    kelvin: float
    rate_k_per_min: float
    approach: TemperatureApproach = "fast_settle"


@dataclass(frozen=True, slots=True)
class SetField:
    """Start a ramp of the field, Oe, Oe/s; ``rate_oe_per_s`` None: as fast as the machine goes."""

    field_oe: float
    rate_oe_per_s: float | None = None
    approach: FieldApproach = "linear"
    mode: FieldMode = "driven"


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until temperature and field are stable, as asked for, and ``seconds`` more."""

    seconds: float
    temperature: bool = False
    field: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """Write a remark into the file, for example ``ZFC 5 Oe``: readers of such files look for it."""

    text: str


@dataclass(frozen=True, slots=True)
class MeasureMoment:
    """Measure one moment; one row of the file.

    ``temperature_k`` and ``field_oe`` are the setpoints in force: the row is matched with them.
    ``expected_s`` is about how long after the row before it comes (the first: after the start), s.
    """

    temperature_k: float
    field_oe: float
    curve: int
    branch: str  # zfc, fcc, fcw, virgin, or the leg of a loop
    expected_s: float


@dataclass(frozen=True, slots=True)
class MeasureSusceptibility:
    """Measure one alternating moment; one row of the file.

    ``amplitude_oe`` is the **peak** of the drive field in Oe, ``frequency_hz`` its frequency; ``averaging_s``
    how long the machine averages. The others as of :class:`MeasureMoment`; ``branch`` is one of those of
    :class:`onnes.procedures.susceptibility_point.SusceptibilityPoint`.
    """

    temperature_k: float
    field_oe: float
    amplitude_oe: float
    frequency_hz: float
    averaging_s: float
    curve: int
    branch: str
    expected_s: float


MeasureStep = MeasureMoment | MeasureSusceptibility
"""A step that gives a row of the file."""

Step = SetTemperature | SetField | Wait | Remark | MeasureStep


@dataclass(frozen=True, slots=True)
class MomentProgram:
    """All that the machine does for one measurement, in order.

    ``name`` is fit for the name of a file and unique among all programs that the machine has been given:
    the file with the moments is ``<name>.dat``. ``point_s`` is the longest time that a point of a curve takes
    where nothing is prepared, s.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    scan: Scan
    point_s: float

    def moments(self) -> list[MeasureStep]:
        """Return the rows that the file will have, in order."""
        return [step for step in self.steps if isinstance(step, MeasureStep)]


@dataclass(frozen=True, slots=True)
class Moment:
    """One row of the growing file, matched with what was planned.

    ``time`` is when the row was seen, s of our clock; ``stamp_s`` the time stamp in the file, on its own
    scale. Temperatures in K, fields in Oe as the machine reports them, moments in emu, the centre in cm.
    NaN stands for what the file does not have. ``moment_fixed_emu`` and ``moment_free_emu`` are the fits at
    the given and at a free centre; ``moment_emu`` is the one of them that ``fit_used`` names. ``flags`` says
    what spoils the row: ``off_setpoint``, ``poor_fit``, ``range``; empty for a good one.
    """

    planned: MeasureMoment
    time: float
    stamp_s: float
    temperature_k: float
    field_oe: float
    moment_emu: float
    moment_error_emu: float
    moment_fixed_emu: float
    moment_free_emu: float
    fit: float
    fit_used: Literal["fixed", "free", "vsm", "long"]
    centre_cm: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AcMoment:
    """One row of the growing file with an alternating moment, matched with what was planned.

    ``time``, ``stamp_s`` as of :class:`Moment`. ``in_phase_emu`` and ``quadrature_emu`` (positive for loss)
    are amplitudes (peak) in emu at the drive amplitude ``amplitude_oe`` (peak, Oe) and ``frequency_hz`` that
    the row reports, each with its error. ``flags``: ``off_setpoint``, ``off_drive``, ``range``; empty for
    a good one.
    """

    planned: MeasureSusceptibility
    time: float
    stamp_s: float
    temperature_k: float
    field_oe: float
    amplitude_oe: float
    frequency_hz: float
    in_phase_emu: float
    in_phase_error_emu: float
    quadrature_emu: float
    quadrature_error_emu: float
    flags: tuple[str, ...] = ()


MeasuredRow = Moment | AcMoment
"""A row of the growing file, of either kind."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A program in the hands of the machine's software: which file a person starts there, and how."""

    start: Path
    runbook: Path
    data: Path
    message: str  # for a person, one sentence


@dataclass(frozen=True, slots=True)
class Streamed:
    """What has come since the last look.

    ``remarks`` are things worth an event: another file in the place of the first, a row that belongs to no
    step, an unknown column. ``size`` is the size of the file, bytes; ``data`` is None until there is one.
    """

    moments: tuple[MeasuredRow, ...]
    remarks: tuple[str, ...]
    data: Path | None
    size: int


@dataclass(frozen=True, slots=True)
class MagnetometerFlags:
    """What the machine can do beside streaming moments.

    ``can_set``: temperature and field can be set and read between programs. ``reads_field_setpoint``: the
    setpoint of the field can be read back. ``largest_emu`` is the end of its range. ``ac`` is the record of
    its ac option, None where the machine has none.
    """

    modes: tuple[ScanMode, ...]
    can_set: bool
    reads_field_setpoint: bool
    largest_emu: float
    ac: AcLimits | None = None


@runtime_checkable
class Magnetometer(Protocol):
    """Streams moments: a program is handed over, a person starts it at the machine, its file is followed.

    While a program is followed nothing else sets temperature or field: the machine's software does.
    """

    @property
    def flags(self) -> MagnetometerFlags:
        """Return what the machine can do."""

    def point_s(self, scan: Scan) -> float:
        """Return about how long one moment takes, s, without the change of temperature or field before it."""

    def check(self, program: MomentProgram) -> None:
        """Look at a program before anything is written.

        Raises:
            LimitError: if a setpoint is outside the machine's limits, or an amplitude or frequency outside
                the record of its ac option.
            ConfigurationError: if the machine cannot scan like this, the template lacks a placeholder or the
                lines that measure a susceptibility, or a folder is not there.
        """

    def hand_over(self, programs: Sequence[MomentProgram]) -> HandedOver:
        """Write the sequences of ``programs``, one start for all of them in order, and what a person does.

        Raises:
            LimitError, ConfigurationError: as :meth:`check`; nothing was written.
            StorageError: if they cannot be written.
        """

    def left_behind(self, programs: Sequence[MomentProgram]) -> None:
        """Count ``programs``, which an earlier process handed over, as ones that may be running."""

    def follow(self, program: MomentProgram) -> None:
        """Follow the file of a program from its first row on, from the next :meth:`poll`."""

    def poll(self) -> Streamed:
        """Return what has come since the last look; never waits.

        Raises:
            StorageError: if the file is there and cannot be read.
        """

    def let_go(self, *, ended: bool) -> None:
        """Stop following; ``ended`` says that all its rows have come, so that its sequence is over."""
