"""A program as lines of a MultiVu sequence, in the words of the user's template."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.moments import (
    MeasureMoment,
    MeasureSusceptibility,
    MomentProgram,
    Remark,
    Scan,
    SetField,
    SetTemperature,
    Step,
    Wait,
)
from onnes.instruments.protocols import FieldApproach, FieldMode, TemperatureApproach
from onnes.instruments.sequence_template import (
    ENCODING,
    END,
    MEASURE,
    MEASURE_AC,
    MEASURING,
    SequenceTemplate,
    filled,
)

# The codes of MultiVu's sequences for PPMS and MPMS3 (seen in public parsers).
_TEMPERATURE_APPROACHES: tuple[TemperatureApproach, ...] = ("fast_settle", "no_overshoot")
_FIELD_APPROACHES: tuple[FieldApproach, ...] = ("linear", "no_overshoot", "oscillate")
_FIELD_MODES: tuple[FieldMode, ...] = ("persistent", "driven")

# What a SQUID-VSM vibrates with, where a scan leaves it open: 14 Hz is fixed in the machine (k), and 28
# cycles are the 2 s over which it usually averages (a). No other mode has a usual value.
_USUAL_VSM: Mapping[str, str] = {"frequency": "14.0", "cycles": "28"}

_NOT_IN_TEXT = '",\r\n{}'  # of a remark: the quotes would end, the columns of the data file would shift


def plain(value: float) -> str:
    """Return all digits of a number without an exponent, as MultiVu reads it.

    >>> plain(1e-7), plain(-0.0), plain(5000.0)
    ('0.0000001', '0.0', '5000.0')
    """
    return format(Decimal(repr(value + 0.0)), "f")


def check_program(template: SequenceTemplate, program: MomentProgram) -> None:
    """Look whether the lines of a template can say what a program wants.

    Where the template lacks a placeholder that it need not have, the recorded value stands in every line; the
    program may then want one value only, which :func:`recorded` tells.

    Raises:
        ConfigurationError: if it wants several, a scan lacks a value, a text does not fit into a sequence, or
            no lines were recorded for what it measures.
    """
    if not template.measuring and any(isinstance(step, MeasureMoment) for step in program.steps):
        raise _not_recorded(template, program, "a moment", MEASURE, "{scans} and the like")
    if not template.measuring_ac and any(isinstance(step, MeasureSusceptibility) for step in program.steps):
        numbers = "{amplitude}, {frequency} and {averaging}"
        raise _not_recorded(template, program, "a susceptibility", MEASURE_AC, numbers)
    for text in (program.title, *(step.text for step in program.steps if isinstance(step, Remark))):
        _check_text(program, text)
    for placeholder, wanted in _left_out(template, program).items():
        if len(wanted) > 1:
            raise ConfigurationError(
                f"{template.path}: the template has no {{{placeholder}}}, and {program.name} needs more than "
                f"one value of it: {', '.join(sorted(wanted))}; put the placeholder where the value stands"
            )
    missing = [
        key for key in ("frequency", "cycles") if template.has(key) and _of_scan(program.scan, key) is None
    ]
    if missing and program.scan.mode != "dc" and _has_moments(program):
        raise ConfigurationError(
            f"{program.name}: a scan in mode {program.scan.mode} needs {' and '.join(missing)}; give them in "
            "the group scan of the sequence"
        )


def recorded(template: SequenceTemplate, program: MomentProgram) -> list[str]:
    """Return what the recorded lines must hold already, as ``temperature_approach: fast_settle``."""
    scan = {key: _of_scan(program.scan, key) for key in ("scan_mode", "scan_length_mm", "scans")}
    held = _left_out(template, program)
    if _has_moments(program):
        held |= {key: {value} for key, value in scan.items() if value is not None and not template.has(key)}
    return [f"{placeholder}: {value}" for placeholder, values in held.items() for value in values]


def compile_program(
    template: SequenceTemplate,
    program: MomentProgram,
    fastest_oe_per_s: float | None,
    *,
    simulated: bool,
) -> list[str]:
    """Return the lines of the sequence of ``program``, which :func:`check_program` has passed.

    A remark becomes the line with ``{comment}``; where the template has none, the file has no remarks.

    Args:
        fastest_oe_per_s: the rate of the field, Oe/s, where a step goes as fast as the machine does.
    """
    scan = {key: _of_scan(program.scan, key) or "0" for key in MEASURING}  # a DC scan has no frequency
    lines = [
        *header(program, simulated=simulated),
        filled(template.lines["data_file"], {"data_file": f"{program.name}.dat"}),
    ]
    for step in program.steps:
        lines += _lines(template, step, scan, fastest_oe_per_s)
    return lines


def header(program: MomentProgram, *, simulated: bool) -> list[str]:
    """Return the remarks that a sequence begins with; the name of a program begins with that of its night."""
    lines = [f"REM program {program.name}", f"REM {program.title}", f"REM moments: {len(program.moments())}"]
    return [*lines, "REM SIMULATED: for a virtual machine only"] if simulated else lines


def chained(template: SequenceTemplate, programs: Sequence[MomentProgram], *, simulated: bool) -> list[str]:
    """Return the lines of the start file: one that runs the sequence of each program in order."""
    lines = ["REM start of " + ", ".join(program.name for program in programs)]
    if simulated:
        lines.append("REM SIMULATED: for a virtual machine only")
    return lines + [filled(template.lines["chain"], {"chain": f"{program.name}.seq"}) for program in programs]


def encoded(lines: Sequence[str]) -> bytes:
    """Return the bytes of a sequence: cp1252, each line ended by CRLF."""
    return "".join(f"{line}\r\n" for line in lines).encode(ENCODING)


def _lines(
    template: SequenceTemplate, step: Step, scan: Mapping[str, str], fastest_oe_per_s: float | None
) -> Iterator[str]:
    if isinstance(step, MeasureMoment):
        yield from (filled(line, scan) for line in template.measuring)
    elif isinstance(step, SetTemperature):
        values = {
            "temperature": plain(step.kelvin),
            "temperature_rate": plain(step.rate_k_per_min),
            "temperature_approach": str(_TEMPERATURE_APPROACHES.index(step.approach)),
        }
        yield filled(template.lines["temperature"], values)
    elif isinstance(step, SetField):
        rate = fastest_oe_per_s if step.rate_oe_per_s is None else step.rate_oe_per_s
        values = {
            "field": plain(step.field_oe),
            "field_rate": "" if rate is None else plain(rate),
            "field_approach": str(_FIELD_APPROACHES.index(step.approach)),
            "field_mode": str(_FIELD_MODES.index(step.mode)),
        }
        yield filled(template.lines["field"], values)
    elif isinstance(step, Wait):
        values = {
            "wait": plain(step.seconds),
            "wait_temperature": str(int(step.temperature)),
            "wait_field": str(int(step.field)),
        }
        yield filled(template.lines["wait"], values)
    elif isinstance(step, MeasureSusceptibility):
        values = {name: plain(value) for name, value in _of_drive(step).items()}
        yield from (filled(line, values) for line in template.measuring_ac)
    elif "comment" in template.lines:
        yield filled(template.lines["comment"], {"comment": step.text})


def _of_scan(scan: Scan, placeholder: str) -> str | None:
    """Return what stands for a placeholder of the measuring lines; None where the scan leaves it open."""
    if placeholder == "scan_length_mm":
        return plain(float(f"{10.0 * scan.length_cm:.12g}"))  # 10 x 0.7 is meant as 7
    if placeholder == "frequency" and scan.frequency_hz is not None:
        return plain(scan.frequency_hz)
    if placeholder == "cycles" and scan.cycles is not None:
        return str(scan.cycles)
    if placeholder in ("frequency", "cycles"):
        return _USUAL_VSM[placeholder] if scan.mode == "vsm" else None
    return scan.mode if placeholder == "scan_mode" else str(scan.scans)


def _of_drive(step: MeasureSusceptibility) -> dict[str, float]:
    """Return the numbers of the placeholders of an alternating moment: Oe (peak), Hz, s."""
    return {
        "amplitude": step.amplitude_oe,
        "frequency": step.frequency_hz,
        "averaging": step.averaging_s,
    }


def _has_moments(program: MomentProgram) -> bool:
    return any(isinstance(step, MeasureMoment) for step in program.steps)


def _not_recorded(
    template: SequenceTemplate, program: MomentProgram, what: str, section: str, numbers: str
) -> ConfigurationError:
    return ConfigurationError(
        f"{template.path}: the template has no lines that measure {what}, and {program.name} needs them; "
        f"record one in MultiVu, put it between `REM {section}` and `REM {END}`, and put {numbers} where "
        "their numbers stand"
    )


def _left_out(template: SequenceTemplate, program: MomentProgram) -> dict[str, set[str]]:
    """Return the values that the steps of a program want of the placeholders that the template lacks."""
    left = {name: values for name, values in _wanted(program).items() if not template.has(name)}
    for step in program.steps:
        if isinstance(step, MeasureSusceptibility):
            for name, value in _of_drive(step).items():
                if not template.has_ac(name):
                    left.setdefault(name, set()).add(plain(value))
    return left


def _wanted(program: MomentProgram) -> dict[str, set[str]]:
    """Return the values that the steps of a program want, by the placeholders that a template may lack."""
    temperatures = [step for step in program.steps if isinstance(step, SetTemperature)]
    fields = [step for step in program.steps if isinstance(step, SetField)]
    return {
        "temperature_rate": {plain(step.rate_k_per_min) for step in temperatures},
        "temperature_approach": {step.approach for step in temperatures},
        "field_rate": {
            "the fastest" if step.rate_oe_per_s is None else plain(step.rate_oe_per_s) for step in fields
        },
        "field_approach": {step.approach for step in fields},
        "field_mode": {step.mode for step in fields},
    }


def _check_text(program: MomentProgram, text: str) -> None:
    wrong = next((character for character in text if character in _NOT_IN_TEXT), None)
    if wrong is None:
        wrong = next((character for character in text if not _can_be_written(character)), None)
    if wrong is not None:
        raise ConfigurationError(
            f"{program.name}: the text {text!r} has {wrong!r}, which does not fit into a sequence of "
            "MultiVu; take it out"
        )


def _can_be_written(character: str) -> bool:
    try:
        character.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True
