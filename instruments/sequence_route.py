"""Moments through sequences of MultiVu: written, started by a person, followed by the file that grows."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.magnetometer_machines import Machine, MachineLimits, Timing
from onnes.instruments.moments import (
    HandedOver,
    MagnetometerFlags,
    MeasureMoment,
    MeasureSusceptibility,
    MomentProgram,
    Scan,
    SetField,
    SetTemperature,
    Streamed,
)
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.program_rows import ProgramRows
from onnes.instruments.qd_tail import DatTail
from onnes.instruments.runbook import runbook
from onnes.instruments.sequence_compiler import (
    chained,
    check_program,
    compile_program,
    encoded,
    plain,
    recorded,
)
from onnes.instruments.sequence_template import SequenceTemplate

START = "onnes-start-"
"""What the name of a start file begins with; the name of its first program follows."""

_PART = ".part"  # of a file that is being written; MultiVu does not show it among its sequences


class SequenceRoute:
    """Streams moments from sequences that MultiVu runs; a person starts them.

    Args:
        name: of the instrument in the station file.
        limits: the narrowest of machine and station file.
        simulated: whether the machine is a virtual one; every sequence and runbook says so.

    Raises:
        ConfigurationError: if the template cannot be used.
    """

    def __init__(
        self,
        name: str,
        machine: Machine,
        files: MultiVuFiles,
        template: SequenceTemplate,
        limits: MachineLimits,
        clock: Clock,
        *,
        simulated: bool,
    ) -> None:
        self.name = name
        self.machine = machine
        self.files = files
        self.limits = limits
        self._template = template
        self._clock = clock
        self._simulated = simulated
        self._open: dict[str, MomentProgram] = {}  # handed over, and not known to have ended
        self._rates: dict[str, float] = {}  # largest of each program, K/min: asked for at every look
        self._start: Path | None = None
        self._followed = ""
        self._tail: DatTail | None = None
        self._rows: ProgramRows | None = None
        self._data: Path | None = None

    @property
    def flags(self) -> MagnetometerFlags:
        """Return what the machine can do."""
        return MagnetometerFlags(
            modes=tuple(self.machine.timings),
            can_set=False,
            reads_field_setpoint=False,
            largest_emu=self.machine.largest_emu,
            ac=self.machine.ac,
        )

    @property
    def masters(self) -> tuple[str, ...]:
        """Return the sequences that may be setting temperature and field just now."""
        return tuple(f"{name}.seq" for name in self._open)

    def commanded_rate_k_per_min(self) -> float:
        """Return the largest rate of the programs that may be running, K/min; 0 where none is."""
        return max((self._rate(program) for program in self._open.values()), default=0.0)

    def _rate(self, program: MomentProgram) -> float:
        if program.name not in self._rates:
            steps = (step for step in program.steps if isinstance(step, SetTemperature))
            self._rates[program.name] = max((step.rate_k_per_min for step in steps), default=0.0)
        return self._rates[program.name]

    def point_s(self, scan: Scan) -> float:
        """Return about how long one moment takes, s, without the change of temperature or field before it.

        Raises:
            ConfigurationError: if the machine has no such mode.
        """
        timing = self._timing(scan)
        if scan.mode == "rso" and scan.cycles is not None and scan.frequency_hz:
            return scan.scans * scan.cycles / scan.frequency_hz + timing.besides_s
        return scan.scans * timing.per_scan_s + timing.besides_s

    def check(self, program: MomentProgram) -> None:
        """Look at a program before anything is written.

        Raises:
            LimitError: if a setpoint or rate is outside the machine's limits or the station's, or an
                amplitude or frequency outside the record of its ac option.
            ConfigurationError: if the machine cannot scan like this, the template lacks a placeholder or the
                lines that measure a susceptibility, or a folder is not there.
        """
        self.check_program(program)
        self.check_folders()

    def check_program(self, program: MomentProgram) -> None:
        """Look at a program wherever the folders are.

        Raises:
            LimitError, ConfigurationError: as :meth:`check`, the folders left out.
        """
        if any(isinstance(step, MeasureMoment) for step in program.steps):
            self._timing(program.scan)
        check_program(self._template, program)
        limits = self.limits
        for step in program.steps:
            if isinstance(step, SetTemperature):
                limits.temperature.check("temperature", step.kelvin)
                limits.temperature_rate.check("temperature rate", step.rate_k_per_min)
            elif isinstance(step, SetField):
                limits.field.check("field", step.field_oe)
                self._check_rate(step)
            elif isinstance(step, MeasureSusceptibility):
                self.machine.ac.amplitude.check("amplitude of the drive field (peak)", step.amplitude_oe)
                self.machine.ac.frequency.check("frequency of the drive field", step.frequency_hz)

    def check_folders(self) -> None:
        """Look whether MultiVu's folders are there.

        Raises:
            ConfigurationError: if one is not.
        """
        if away := self.folders_away():
            raise ConfigurationError(away)

    def folders_away(self) -> str:
        """Return which of MultiVu's folders is not there, and what to do; empty where both are."""
        for key, folder in (("data", self.files.data), ("sequences", self.files.sequences)):
            is_there = False
            with suppress(OSError):  # a network that is down: before Python 3.14 is_dir() raises that
                is_there = folder.is_dir()
            if not is_there:
                return (
                    f"{self.name}: there is no folder {folder}, which {key} in the station file names; "
                    "share it from the computer of MultiVu, or correct the station file"
                )
        return ""

    def hand_over(self, programs: Sequence[MomentProgram]) -> HandedOver:
        """Write the sequences of ``programs``, one start for all of them in order, and what a person does.

        The start file comes last, when all that it chains is there. Where the template has no ``{chain}``, it
        is one long sequence.

        Raises:
            LimitError, ConfigurationError: as :meth:`check_program`, or if a file of such a name is there
                already; nothing was written.
            StorageError: if a folder is not there, or they cannot be written; what was written is taken away
                again, where that can be.
        """
        for program in programs:
            self.check_program(program)
        if away := self.folders_away():
            raise StorageError(away)
        first, folder, template = programs[0], self.files.sequences, self._template
        start = self._start_of(first)
        book = start.with_suffix(".txt")
        sequences = {program.name: self._compiled(program) for program in programs}
        contents: dict[Path, bytes] = {}
        if template.has("chain"):
            contents = {folder / f"{name}.seq": encoded(lines) for name, lines in sequences.items()}
            started = chained(template, programs, simulated=self._simulated)
        else:
            started = [line for lines in sequences.values() for line in lines]
        contents[book] = self._runbook(programs, start).encode("utf-8")
        contents[start] = encoded(started)
        self._write(contents, [self._data_of(program) for program in programs])
        self._open = {program.name: program for program in programs}
        self._start = start
        return HandedOver(
            start=start,
            runbook=book,
            data=self._data_of(first),
            message=f"start {start.name} in MultiVu (folder {folder}); look first at {book.name} beside it",
        )

    def accept_stopped(self) -> None:
        """Count no sequence as one that may go on: a person has looked at MultiVu and stopped it."""
        self._open.clear()

    def left_behind(self, programs: Sequence[MomentProgram]) -> None:
        """Count ``programs``, which an earlier process handed over, as ones that may be running.

        That process is gone, MultiVu is not. Their start file is withdrawn as by :meth:`let_go`.
        """
        self._open.update((program.name, program) for program in programs)
        for program in programs:
            self._withdraw(self._start_of(program))

    def follow(self, program: MomentProgram) -> None:
        """Follow the file of a program from its first row on, from the next :meth:`poll`."""
        self._data = self._data_of(program)
        self._tail = DatTail(self._data)
        self._rows = ProgramRows(program, self.machine.largest_emu)
        self._open.setdefault(program.name, program)
        self._followed = program.name

    def poll(self) -> Streamed:
        """Return what has come since the last look; never waits.

        Raises:
            StorageError: if the file is there and cannot be read.
        """
        if self._tail is None or self._rows is None:
            return Streamed((), (), None, 0)
        news = self._tail.poll()
        matched = self._rows.match(news.rows, self._clock.now())
        return Streamed(
            moments=matched.moments,
            remarks=(*news.remarks, *matched.remarks),
            data=self._data if news.exists else None,
            size=news.size,
        )

    def let_go(self, *, ended: bool) -> None:
        """Stop following; ``ended`` says that all its rows have come, so that its sequence is over.

        A start file that no data have come of yet is renamed to ``.withdrawn``: started later, by somebody
        who does not know, it would keep MultiVu from what is handed over then.
        """
        if ended:
            self._open.pop(self._followed, None)
        elif self._start is not None:
            self._withdraw(self._start)
        self._tail = self._rows = self._data = None

    # -- writing

    def _start_of(self, first: MomentProgram) -> Path:
        return self.files.sequences / f"{START}{first.name}.seq"

    def _withdraw(self, start: Path) -> None:
        """Rename a start file away, where its first program has no data yet."""
        first = self.files.data / f"{start.stem.removeprefix(START)}.dat"
        with suppress(OSError):  # it is not there, or its share is gone: it counts as one that may go on
            if not first.exists():
                start.replace(start.with_suffix(".withdrawn"))

    def _compiled(self, program: MomentProgram) -> list[str]:
        rate = self.limits.field_rate
        return compile_program(
            self._template, program, None if rate is None else rate.high, simulated=self._simulated
        )

    def _runbook(self, programs: Sequence[MomentProgram], start: Path) -> str:
        held = dict.fromkeys(one for program in programs for one in recorded(self._template, program))
        return runbook(
            programs,
            machine=self.machine.name,
            start=start,
            data=self.files.data,
            largest_emu=self.machine.largest_emu,
            recorded=held,
            simulated=self._simulated,
        )

    def _refuse_existing(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if path.exists():
                raise ConfigurationError(
                    f"{path} is there already, and is not written over; nothing was handed over; "
                    "give the program another name, or move the file away"
                )

    def _write(self, contents: Mapping[Path, bytes], data: Sequence[Path]) -> None:
        written: list[Path] = []
        try:
            self._refuse_existing([*contents, *data])
            for path, content in contents.items():
                part = path.with_name(path.name + _PART)
                written.append(part)
                part.write_bytes(content)
                part.replace(path)
                written[-1] = path
        except OSError as error:
            for path in written:
                with suppress(OSError):  # a share that is gone; without a start file nobody starts the rest
                    path.unlink()
            raise StorageError(
                f"{self.files.sequences}: the sequences cannot be written: {error.strerror or error}; "
                "nothing was handed over; look at the share and its free space"
            ) from error

    def _data_of(self, program: MomentProgram) -> Path:
        return self.files.data / f"{program.name}.dat"

    # -- checking

    def _timing(self, scan: Scan) -> Timing:
        timing = self.machine.timings.get(scan.mode)
        if timing is None:
            raise ConfigurationError(
                f"{self.name}: the {self.machine.name} cannot scan in mode {scan.mode!r}; expected one of "
                f"{', '.join(self.machine.timings)}"
            )
        return timing

    def _check_rate(self, step: SetField) -> None:
        allowed = self.limits.field_rate
        if step.rate_oe_per_s is not None and allowed is not None:
            allowed.check("field rate", step.rate_oe_per_s)
        elif step.rate_oe_per_s is not None and not self._template.has("field_rate"):
            raise ConfigurationError(
                f"{self.name}: a field rate of {plain(step.rate_oe_per_s)} Oe/s is asked for, and the "
                f"{self.machine.name} has none to choose; leave rate out"
            )
        elif step.rate_oe_per_s is None and allowed is None and self._template.has("field_rate"):
            raise ConfigurationError(
                f"{self._template.path}: the template has {{field_rate}}, and the {self.machine.name} has no "
                "rate to choose; put the recorded value back"
            )
