"""The runbook of a hand-over: what a person at the machine does and looks at, in plain English."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from onnes.instruments.moments import (
    MeasureMoment,
    MeasureStep,
    MeasureSusceptibility,
    MomentProgram,
    Remark,
    Scan,
    SetField,
    SetTemperature,
    Step,
)


def runbook(
    programs: Sequence[MomentProgram],
    *,
    machine: str,
    start: Path,
    data: Path,
    largest_emu: float,
    recorded: Iterable[str],
    simulated: bool,
) -> str:
    """Return the runbook of programs that are started together.

    Args:
        start: the file that is opened in MultiVu.
        data: the folder where the files of the moments appear.
        largest_emu: the end of the machine's range.
        recorded: what the recorded lines of the template must hold, which nobody can check from here.
    """
    return "\n".join(_lines(programs, machine, start, data, largest_emu, tuple(recorded), simulated)) + "\n"


def _lines(
    programs: Sequence[MomentProgram],
    machine: str,
    start: Path,
    data: Path,
    largest_emu: float,
    recorded: tuple[str, ...],
    simulated: bool,
) -> Iterator[str]:
    rows = sum(len(program.moments()) for program in programs)
    counted = f"{_count(len(programs), 'measurement')}, {_count(rows, 'moment')}"
    yield f"{machine}: {counted}, about {_duration(programs)}"
    if simulated:
        yield "SIMULATED: for a virtual machine; nothing here is hardware"
    yield from ("", "Before the start, look:")
    yield "- the sample is centred, at the field and temperature at which it gives a moment that can be seen"
    yield f"- the moment stays below {largest_emu:.4g} emu, the end of the range, at the largest field"
    yield "- there is helium for the whole time, and for the way of the field back to zero"
    yield "- nobody else sets temperature or field: no other sequence runs, no other program is connected"
    for held in recorded:
        yield f"- the recorded lines of the template hold {held}; it has no placeholder for that"
    yield from ("", "Start:")
    yield f"- in MultiVu open the sequence {start} and run it, once"
    yield f"- the moments appear in {data}; the night goes on by itself when the first one is there"
    for number, program in enumerate(programs, start=1):
        yield from ("", f"{number}. {program.title} ({program.name})")
        if any(isinstance(step, MeasureMoment) for step in program.steps):
            yield f"   {_scan(program.scan)}"
        yield from (f"   - {line}" for line in _steps(program))
    yield from ("", "If it stops:")
    yield "- leave the file with the moments where it is; nothing that was measured is lost"
    yield "- put right what stopped it; do not run the sequence again: temperature and field have a history"
    yield "- resume the night; it prepares the sample anew and hands over a sequence with a new name"


def _steps(program: MomentProgram) -> Iterator[str]:
    """Yield what happens in order; the points of one branch together, without the setpoints between them."""
    points: list[MeasureStep] = []
    before: list[str] = []
    for step in program.steps:
        if isinstance(step, MeasureStep):
            if points and _together(step) != _together(points[-1]):
                yield _measured(points)
                points = []
            if not points:
                yield from before
            points.append(step)
            before = []
        elif told := _told(step):
            before.append(told)
    if points:
        yield _measured(points)
    yield from before


def _told(step: Step) -> str:
    if isinstance(step, SetTemperature):
        return f"temperature to {step.kelvin:.6g} K at {step.rate_k_per_min:.4g} K/min"
    if isinstance(step, SetField):
        rate = "" if step.rate_oe_per_s is None else f" at {step.rate_oe_per_s:.4g} Oe/s"
        return f"field to {step.field_oe:.9g} Oe{rate}, {step.approach.replace('_', ' ')}"
    return f"remark: {step.text}" if isinstance(step, Remark) else ""


def _together(point: MeasureStep) -> tuple[str, int, bool]:
    """Return what points that are told together have in common."""
    return point.branch, point.curve, isinstance(point, MeasureSusceptibility)


def _measured(points: Sequence[MeasureStep]) -> str:
    first, last = points[0], points[-1]
    told = (
        f"measure {_count(len(points), 'moment')} ({first.branch}): {first.temperature_k:.6g} K, "
        f"{first.field_oe:.6g} Oe to {last.temperature_k:.6g} K, {last.field_oe:.6g} Oe"
    )
    drives = [point for point in points if isinstance(point, MeasureSusceptibility)]
    if not drives:
        return told
    amplitudes = ", ".join(f"{value:.6g}" for value in dict.fromkeys(one.amplitude_oe for one in drives))
    frequencies = ", ".join(f"{value:.6g}" for value in dict.fromkeys(one.frequency_hz for one in drives))
    return f"{told}, in a drive field of {amplitudes} Oe (peak) at {frequencies} Hz"


def _scan(scan: Scan) -> str:
    extra = "" if scan.frequency_hz is None else f", {scan.frequency_hz:.4g} Hz"
    extra += "" if scan.cycles is None else f", {scan.cycles} cycles"
    return f"scan: {scan.mode}, {scan.length_cm:.4g} cm, {scan.scans} averaged to a point{extra}"


def _duration(programs: Sequence[MomentProgram]) -> str:
    minutes = sum(row.expected_s for program in programs for row in program.moments()) / 60.0
    return f"{minutes / 60.0:.1f} h" if minutes >= 90 else f"{minutes:.0f} min"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
