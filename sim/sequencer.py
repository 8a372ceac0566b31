"""MultiVu runs sequences: it sets cryostat and magnet, waits, measures moments, and appends rows to a file.

Everything happens on the agenda of the lab, so a night of a sequence takes no more than its events. Poll
times and what MultiVu does with a line it does not know are assumed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnes.sim.ac_option import AcScan, AcUnderWay
from onnes.sim.cryostat import STABLE
from onnes.sim.fault_settings import Spell
from onnes.sim.journal import JournalEntry
from onnes.sim.magnet import DRIVEN_STABLE, PERSISTENT_STABLE
from onnes.sim.magnetometer import Magnetometer, MomentScan, MomentUnderWay
from onnes.sim.multivu_dat import ENCODING, DatWriter, Measures, append
from onnes.sim.multivu_sequence import (
    ChainTo,
    ChangeFile,
    Command,
    FileComment,
    GoToField,
    GoToTemperature,
    WaitFor,
    parse_line,
)

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

MULTIVU: Final = "multivu"  # as the journal calls it
_POLL_S: Final = 5.0  # longer than a status is late after a command
_DEEPEST: Final = 8  # sequences that chain each other
_FIELD_RESTS: Final = frozenset({DRIVEN_STABLE, PERSISTENT_STABLE})
_FOREIGN_COLUMN: Final = "Cold Head Temp (K)"


@dataclass(frozen=True, slots=True)
class MultiVuFolders:
    """Where MultiVu writes data files, and where it loads sequences from."""

    data: Path
    sequences: Path


@dataclass(slots=True)
class _Running:
    name: str
    lines: list[str]
    place: int = 0


class Sequencer:
    """The sequences of the MultiVu of ``lab``, whose moments come from ``magnetometer``."""

    def __init__(self, lab: "VirtualLab", magnetometer: Magnetometer, folders: MultiVuFolders) -> None:
        self.folders = folders
        self._lab = lab
        self._magnetometer = magnetometer
        self._stack: list[_Running] = []
        self._runs = 0  # how many were started or stopped: an event of an earlier one is void
        self._file: Path | None = None
        self._writer: DatWriter | None = None
        self._faults: list[Spell] = []  # of the data file, that strike with the next row or file

    @property
    def is_idle(self) -> bool:
        """Return whether no sequence runs."""
        return not self._stack

    def start(self, name: str, t: float) -> None:
        """Run the sequence ``name`` of the folder from ``t`` on, s; one that runs is stopped."""
        if self._stack:
            self.stop(t, f"{name} was started")
        self._runs += 1
        self._file = self._writer = None
        self._note(t, f"{name} begins")
        try:
            self._enter(name)
        except (OSError, ValueError) as error:
            self._note(t, f"{name} stops: {error}")
            return
        self._go_on(t)

    def stop(self, t: float, reason: str) -> None:
        """Stop the sequence that runs, if any; temperature and field stay where they were sent."""
        if self._stack:
            self._note(t, f"{self._stack[0].name} stops: {reason}")
        self._stack = []
        self._runs += 1

    def suffer(self, spell: Spell) -> None:
        """Take a fault upon it: a stop at once, one of the file with the next row or file."""
        if spell.fault.kind == "sequence_stopped":
            self.stop(spell.begin, "somebody stopped it")
        else:
            self._faults.append(spell)

    # --- the lines

    def _enter(self, name: str) -> None:
        if len(self._stack) == _DEEPEST:
            raise ValueError(f"{name} would be sequence {_DEEPEST + 1} in a chain; MultiVu takes {_DEEPEST}")
        text = (self.folders.sequences / name).read_text(encoding=ENCODING)
        self._stack.append(_Running(name, text.splitlines()))

    def _go_on(self, t: float) -> None:
        """Obey line after line until one takes time."""
        while self._stack:
            running = self._stack[-1]
            if running.place == len(running.lines):
                self._stack.pop()
                self._note(t, f"{running.name} ends")
                continue
            line = running.lines[running.place]
            running.place += 1
            try:
                command = parse_line(line)
                takes_time = command is not None and self._obey(command, t)
            except (OSError, ValueError) as error:
                self.stop(t, f"{running.name}:{running.place}: {error}")
                return
            if takes_time:
                return

    def _obey(self, command: Command, t: float) -> bool:
        """Obey one line, and say whether it takes time; what goes on then is on the agenda."""
        if isinstance(command, GoToTemperature):
            self._go_to_temperature(command, t)
        elif isinstance(command, GoToField):
            self._go_to_field(command, t)
        elif isinstance(command, ChainTo):
            self._enter(command.name)
        elif isinstance(command, ChangeFile):
            self._change_file(command.name, t)
        elif isinstance(command, FileComment):
            return self._write(self._open_writer().comment(t, command.text), t)
        elif isinstance(command, WaitFor):
            if command.temperature or command.field:
                self._later(t + _POLL_S, partial(self._look, command))
            else:
                self._later(t + command.seconds, self._go_on)
            return True
        else:
            self._measure(command, t)
            return True
        return False

    def _later(self, t: float, run: Callable[[float], None]) -> None:
        """Plan what goes on at ``t``, unless the sequence has been stopped by then."""
        runs = self._runs

        def go_on(due: float) -> None:
            if self._runs == runs:
                run(due)

        self._lab.at(t, go_on)

    # --- temperature and field

    def _go_to_temperature(self, command: GoToTemperature, t: float) -> None:
        cryostat = self._lab.cryostat
        settings = cryostat.settings
        _check("temperature", command.kelvin, settings.lowest_k, settings.highest_k, "K")
        _check("rate", command.rate_k_per_min, 0.01, settings.max_rate_k_per_min, "K/min")
        cryostat.command(t, command.kelvin, command.rate_k_per_min, command.approach)

    def _go_to_field(self, command: GoToField, t: float) -> None:
        magnet = self._lab.magnet
        settings = magnet.settings
        _check("field", command.oersted, -settings.max_oe, settings.max_oe, "Oe")
        _check("rate", command.rate_oe_per_s, settings.min_rate_oe_per_s, settings.max_rate_oe_per_s, "Oe/s")
        if magnet.has_quenched:
            raise ValueError("the magnet has quenched")
        magnet.command(t, command.oersted, command.rate_oe_per_s, command.approach, command.mode)

    def _look(self, command: WaitFor, t: float) -> None:
        warm = command.temperature and self._lab.cryostat.status(t) != STABLE
        ramps = command.field and self._lab.magnet.status(t) not in _FIELD_RESTS
        if warm or ramps:
            self._later(t + _POLL_S, partial(self._look, command))
        else:
            self._later(t + command.seconds, self._go_on)

    # --- moments and the file

    def _measure(self, scan: MomentScan | AcScan, t: float) -> None:
        self._open_writer()
        machine = self._magnetometer
        moment = machine.ac.begin(scan, t) if isinstance(scan, AcScan) else machine.begin(scan, t)
        for edge in moment.edges:
            self._later(edge, moment.look)
        self._later(moment.done, partial(self._report, moment))

    def _report(self, moment: MomentUnderWay | AcUnderWay, t: float) -> None:
        lab = self._lab
        codes = lab.cryostat.status(t), lab.magnet.status(t)
        try:
            takes_time = self._write(self._open_writer().moment(t, moment.result(), *codes), t)
        except (OSError, ValueError) as error:
            self.stop(t, f"the data file cannot be written: {error}")
            return
        if not takes_time:
            self._go_on(t)

    def _open_writer(self) -> DatWriter:
        if self._writer is None:
            raise ValueError("no data file is open; a line CDF must come before")
        return self._writer

    def _change_file(self, name: str, t: float) -> None:
        """Write rows into this file from now on; one that is there is continued."""
        lab = self._lab
        unknown = self._due("unknown_column")
        self._writer = DatWriter(
            self._magnetometer.settings.machine,
            lab.epoch,
            f"SIMULATED by the virtual lab {lab.name} with seed {lab.seed}",
            measures=self._what_comes(),
            more_columns=(_FOREIGN_COLUMN,) if unknown else (),
        )
        self._file = self.folders.data / name
        if not self._file.exists():
            append(self._file, self._writer.head(t))

    def _what_comes(self) -> Measures:
        """Return what the next row of the sequence is of: an XL has other columns for each."""
        running = self._stack[-1]
        for words in map(str.split, running.lines[running.place :]):
            if words[:2] == ["MES", "AC"]:
                return "ac"
            if words[:2] == ["MES", "MOMENT"]:
                return "rso" if words[2:3] == ["rso"] else "dc"
        return "dc"

    def _write(self, row: bytes, t: float) -> bool:
        """Append a row and say whether that takes time: a fault may cut it in two."""
        if self._file is None:
            raise ValueError("no data file is open; a line CDF must come before")
        file, head = self._file, self._open_writer().head(t)
        if self._due("file_replaced"):
            file.replace(_free_name(file))
            append(file, head)
        if self._due("file_truncated"):
            with file.open("r+b") as data:
                data.truncate(file.stat().st_size // 2)
        if self._due("second_header"):
            append(file, head)
        if (spell := self._due("partial_row")) is None:
            append(file, row)
            return False
        append(file, row[: len(row) // 2])
        self._later(t + spell.fault.number("seconds"), partial(self._write_rest, file, row[len(row) // 2 :]))
        return True

    def _write_rest(self, file: Path, rest: bytes, t: float) -> None:
        try:
            append(file, rest)
        except OSError as error:
            self.stop(t, f"the data file cannot be written: {error}")
            return
        self._go_on(t)

    def _due(self, kind: str) -> Spell | None:
        """Return a fault of this kind that waits to strike, and strike it off."""
        for spell in self._faults:
            if spell.fault.kind == kind:
                self._faults.remove(spell)
                return spell
        return None

    def _note(self, t: float, what: str) -> None:
        self._lab.journal.append(JournalEntry(t, MULTIVU, "sequence", what))


def _check(what: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise ValueError(
            f"{what} = {value:.9g} {unit} is outside [{low:.9g}, {high:.9g}] {unit}, set by the machine"
        )


def _free_name(file: Path) -> Path:
    """Return a name beside ``file`` that nothing has."""
    number = 1
    while (free := file.with_name(f"{file.stem}_{number}{file.suffix}")).exists():
        number += 1
    return free
