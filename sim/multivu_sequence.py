"""The lines of a MultiVu sequence, dialect of PPMS and MPMS3: what each asks for, if it is a known one.

``MES MOMENT`` and ``MES AC`` are the virtual machine's own: the argument lists of the real measuring lines
are not public.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Final, cast

from onnes.sim.ac_option import AcScan
from onnes.sim.magnetometer import MomentScan
from onnes.sim.magnetometer_machines import Mode


@dataclass(frozen=True, slots=True)
class GoToTemperature:
    """``TMP TEMP``: K, K/min, approach 0 fast, 1 no overshoot."""

    kelvin: float
    rate_k_per_min: float
    approach: int


@dataclass(frozen=True, slots=True)
class GoToField:
    """``FLD FIELD``: Oe, Oe/s, approach 0 linear, 1 no overshoot, 2 oscillate, end 0 persistent, 1 driven."""

    oersted: float
    rate_oe_per_s: float
    approach: int
    mode: int


@dataclass(frozen=True, slots=True)
class WaitFor:
    """``WAI WAITFOR``: until temperature and field are stable, as asked for, and ``seconds`` more."""

    seconds: float
    temperature: bool
    field: bool


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """``CDF``: the rows go to this data file from now on."""

    name: str


@dataclass(frozen=True, slots=True)
class FileComment:
    """``DFC``: a row with a comment."""

    text: str


@dataclass(frozen=True, slots=True)
class ChainTo:
    """``CHN``: run this sequence, then go on behind the line."""

    name: str


Command = GoToTemperature | GoToField | WaitFor | ChangeFile | FileComment | ChainTo | MomentScan | AcScan

_QUOTED: Final = re.compile(r'"([^"]*)"')
_MODES: Final = ("dc", "rso", "vsm")


def parse_line(line: str) -> Command | None:
    """Return what a line asks for; None for an empty one, a remark, and one that ``!`` switches off.

    Raises:
        ValueError: if MultiVu would not know the line, or a number in it is none or out of its range.
    """
    text = line.strip()
    if not text or text.startswith("!") or text.split()[0] == "REM":
        return None
    for start, make in _LINES.items():
        if text == start or text.startswith(start + " "):
            return make(text[len(start) :].strip())
    raise ValueError(f"unknown line {text!r}")


def _temperature(text: str) -> Command:
    kelvin, rate, approach = _numbers(text, "TMP TEMP", 3)
    return GoToTemperature(kelvin, rate, _code(approach, "approach", 2))


def _field(text: str) -> Command:
    oersted, rate, approach, mode = _numbers(text, "FLD FIELD", 4)
    return GoToField(oersted, rate, _code(approach, "approach", 3), _code(mode, "end mode", 2))


def _wait(text: str) -> Command:
    """Position and chamber are at rest in this machine, so waiting for them is over at once."""
    seconds, temperature, field, position, chamber, on_error = _numbers(text, "WAI WAITFOR", 6)
    if seconds < 0:
        raise ValueError(f"delay = {seconds:.9g} s is negative")
    for value in (position, chamber):
        _code(value, "wait for", 2)
    _code(on_error, "on error", 3)
    return WaitFor(seconds, bool(_code(temperature, "wait for", 2)), bool(_code(field, "wait for", 2)))


def _moment(text: str) -> Command:
    mode, _, rest = text.partition(" ")
    if mode not in _MODES:
        raise ValueError(f"MES MOMENT {mode!r} is none of {', '.join(_MODES)}")
    length_mm, scans, frequency_hz, cycles = _numbers(rest, "MES MOMENT " + mode, 4)
    if length_mm <= 0 or scans < 1 or scans % 1 or frequency_hz < 0 or cycles < 0 or cycles % 1:
        raise ValueError(
            "MES MOMENT wants a length above 0 mm, 1 or more scans, a frequency of 0 or more Hz and 0 or "
            f"more cycles, not {rest!r}"
        )
    return MomentScan(cast(Mode, mode), length_mm, int(scans), frequency_hz, int(cycles))


def _alternating(text: str) -> Command:
    amplitude_oe, frequency_hz, averaging_s = _numbers(text, "MES AC", 3)
    if amplitude_oe <= 0 or frequency_hz <= 0 or averaging_s <= 0:
        raise ValueError(
            "MES AC wants an amplitude above 0 Oe, a frequency above 0 Hz and an averaging above 0 s, not "
            f"{text!r}"
        )
    return AcScan(amplitude_oe, frequency_hz, averaging_s)


def _quoted(kind: Callable[[str], Command], what: str) -> Callable[[str], Command]:
    def make(text: str) -> Command:
        found = _QUOTED.match(text)
        if found is None:
            raise ValueError(f"{what} wants a text in quotes, not {text!r}")
        return kind(found[1])

    return make


def file_name(path: str) -> str:
    """Return the last part of a path of Windows or of elsewhere: this machine has one folder of each kind."""
    return PureWindowsPath(path).name


def _numbers(text: str, what: str, count: int) -> Sequence[float]:
    words = text.split()
    if len(words) != count:
        raise ValueError(f"{what} takes {count} numbers, not {len(words)}: {text!r}")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{what} takes {count} numbers, not {text!r}") from None
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{what} takes finite numbers, not {text!r}")
    return numbers


def _code(value: float, what: str, count: int) -> int:
    if value not in range(count):
        raise ValueError(f"{what} = {value:.9g} is none of {', '.join(map(str, range(count)))}")
    return int(value)


_LINES: Final[Mapping[str, Callable[[str], Command]]] = {
    "TMP TEMP": _temperature,
    "FLD FIELD": _field,
    "WAI WAITFOR": _wait,
    "CDF": _quoted(lambda path: ChangeFile(file_name(path)), "CDF"),
    "DFC": _quoted(FileComment, "DFC"),
    "CHN": lambda path: ChainTo(file_name(path.strip('"'))),
    "MES MOMENT": _moment,
    "MES AC": _alternating,
}
