"""The template of a MultiVu sequence: lines that a user recorded, with placeholders for the numbers.

What the lines of a machine look like is only partly public, and those that measure are not at all. So the
user records one of each in MultiVu and puts ``{temperature}`` and the like where a number stands; no line is
ever made up here.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.spelling import nearest

ENCODING = "cp1252"
"""How MultiVu writes its files."""

MEASURE, MEASURE_AC, END = "onnes measure", "onnes measure ac", "onnes end"
"""The remarks around the lines that measure one point: a moment, or an alternating one."""

MEASURING = frozenset({"scan_mode", "scan_length_mm", "scans", "frequency", "cycles"})
"""The placeholders that the lines that measure a moment may have."""

MEASURING_AC = frozenset({"amplitude", "frequency", "averaging"})
"""The placeholders that the lines that measure an alternating moment may have."""

# A line by the placeholder that makes it one, and what it may and must have besides.
_MAY_HAVE: Mapping[str, frozenset[str]] = {
    "temperature": frozenset({"temperature_rate", "temperature_approach"}),
    "field": frozenset({"field_rate", "field_approach", "field_mode"}),
    "wait": frozenset({"wait_temperature", "wait_field"}),
    "data_file": frozenset(),
    "comment": frozenset(),
    "chain": frozenset(),
}
_MUST_HAVE: Mapping[str, tuple[str, ...]] = {"wait": ("wait_temperature", "wait_field")}
_NEEDED = ("temperature", "field", "wait", "data_file")
_SECTIONS = {MEASURE: MEASURING, MEASURE_AC: MEASURING_AC}
_ALL = frozenset(_MAY_HAVE).union(*_MAY_HAVE.values(), *_SECTIONS.values())

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_REMARK = re.compile(r"REM\b\s*(?P<text>.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SequenceTemplate:
    """The recorded lines: ``lines`` by the placeholder that makes each one, ``measuring`` for one moment.

    ``measuring_ac`` are those for one alternating moment. One of the two is empty where none were recorded.
    """

    path: Path
    lines: Mapping[str, str]
    measuring: tuple[str, ...]
    measuring_ac: tuple[str, ...] = ()

    def has(self, placeholder: str) -> bool:
        """Say whether a placeholder stands anywhere but in the lines for an alternating moment."""
        return any(f"{{{placeholder}}}" in line for line in (*self.lines.values(), *self.measuring))

    def has_ac(self, placeholder: str) -> bool:
        """Say whether a placeholder stands in the lines for an alternating moment."""
        return any(f"{{{placeholder}}}" in line for line in self.measuring_ac)


@dataclass(frozen=True, slots=True)
class _Found:
    line: int
    column: int
    problem: str


def load_template(path: Path) -> SequenceTemplate:
    """Return what the template says.

    Raises:
        ConfigurationError: with every problem as ``file:line:column: text``, one a line.
    """
    text = _read(path)
    lines: dict[str, tuple[int, str]] = {}
    measuring: dict[str, list[str]] = {name: [] for name in _SECTIONS}
    found: list[_Found] = []
    began: dict[str, int] = {}  # the line that each section began in
    section = ""  # the one that is open
    number = 0
    for number, line in enumerate(text.splitlines(), start=1):
        remark = _REMARK.fullmatch(line.strip())
        words = "" if remark is None else " ".join(remark["text"].lower().split())
        if words in _SECTIONS:
            if words in began:
                found.append(_Found(number, 1, f"a second `REM {words}`; expected one section"))
            elif section:
                found.append(_Found(number, 1, f"`REM {words}` before the `REM {END}` of `REM {section}`"))
            section, began[words] = words, number
        elif words == END:
            if not section:
                found.append(_Found(number, 1, f"`REM {END}` without `REM {MEASURE}` before it"))
            section = ""
        elif remark or not line.strip() or line.lstrip().startswith("!"):
            continue  # a remark, or a line that is disabled
        elif section:
            where = f"between `REM {section}` and `REM {END}`"
            found += _unknown(number, line, _SECTIONS[section], where)
            measuring[section].append(line.rstrip())
        else:
            found += _recorded(number, line, lines)
    if section:
        found.append(_Found(began[section], 1, f"`REM {section}` without `REM {END}` after it"))
    last = max(number, 1)
    found += [
        _Found(
            last,
            1,
            f"no line has {{{name}}}; record one in MultiVu and put {{{name}}} where its value stands",
        )
        for name in _NEEDED
        if name not in lines
    ]
    found += [
        _Found(
            began.get(name, last),
            1,
            f"no line measures; put the recorded ones between `REM {name}` and `REM {END}`",
        )
        for name in _SECTIONS
        if not measuring[name] and (name in began or (name == MEASURE and not began))
    ]
    if found:
        told = sorted(found, key=lambda one: (one.line, one.column))
        raise ConfigurationError("\n".join(f"{path}:{one.line}:{one.column}: {one.problem}" for one in told))
    return SequenceTemplate(
        path,
        {name: line for name, (_, line) in lines.items()},
        tuple(measuring[MEASURE]),
        tuple(measuring[MEASURE_AC]),
    )


def template_problems(path: Path) -> list[str]:
    """Return what is wrong with a template, as ``file:line:column: text``; none where it can be used."""
    try:
        load_template(path)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def filled(line: str, values: Mapping[str, str]) -> str:
    """Return a line with its placeholders replaced.

    >>> filled("TMP TEMP {temperature} 3.0 0", {"temperature": "5.0"})
    'TMP TEMP 5.0 3.0 0'
    """
    return _PLACEHOLDER.sub(lambda match: values[match[1]], line)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(ENCODING)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}:{line}:1: not the text of a sequence ({ENCODING}); record it in MultiVu"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path}:1:1: the template cannot be read: {error.strerror}; record one in MultiVu, and name it "
            "under template in the station file"
        ) from error


def _recorded(number: int, line: str, lines: dict[str, tuple[int, str]]) -> Iterator[_Found]:
    """Yield what is wrong with a line outside the measuring section; note it where it is one of the known."""
    names = _PLACEHOLDER.findall(line)
    keys = [name for name in names if name in _MAY_HAVE]
    if not names:
        yield _Found(
            number,
            1,
            f"{line.strip()!r} has no placeholder; put a line that measures between `REM {MEASURE}` and "
            f"`REM {END}`, and take out any other",
        )
    elif not keys:
        outside = _ALL.difference(*_SECTIONS.values())
        yield from _unknown(number, line, outside, "outside the measuring lines")
        if all(name in _ALL for name in names):
            owner = next((key for key, others in _MAY_HAVE.items() if names[0] in others), None)
            if owner is not None:
                yield _Found(
                    number, _column(line, names[0]), f"{{{names[0]}}} stands without {{{owner}}} in its line"
                )
    elif len(keys) > 1:
        told = " and ".join(f"{{{key}}}" for key in keys)
        yield _Found(number, _column(line, keys[1]), f"{told} stand in one line; expected a line for each")
    else:
        (key,) = keys
        yield from _unknown(number, line, _MAY_HAVE[key] | {key}, f"in the line with {{{key}}}")
        for needed in _MUST_HAVE.get(key, ()):
            if needed not in names:
                yield _Found(number, 1, f"the line with {{{key}}} lacks {{{needed}}}")
        if key in lines:
            yield _Found(
                number, _column(line, key), f"{{{key}}} stands in line {lines[key][0]} too; expected one line"
            )
        lines.setdefault(key, (number, line.rstrip()))


def _unknown(number: int, line: str, allowed: Collection[str], where: str) -> Iterator[_Found]:
    for match in _PLACEHOLDER.finditer(line):
        name = match[1]
        if name in allowed:
            continue
        if name in _ALL:
            problem = f"{{{name}}} does not belong {where}"
        else:
            problem = f"unknown placeholder {{{name}}}{nearest(name, sorted(_ALL))}"
        yield _Found(number, match.start() + 1, f"{problem}; allowed {where}: {_listed(allowed)}")


def _listed(names: Collection[str]) -> str:
    order: Sequence[str] = sorted(names)
    return ", ".join(f"{{{name}}}" for name in order)


def _column(line: str, name: str) -> int:
    return line.index(f"{{{name}}}") + 1
