"""TOML files against a pydantic model: every problem at once, each with file and line.

The parser of the standard library gives no positions, so the line of a key is found by looking for its table
and name in the text.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.spelling import nearest

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*(?P<path>[^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*(?P<path>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_SYNTAX = re.compile(r"(?P<problem>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file: at which key, and what."""

    place: Place
    text: str


def load_toml(
    path: Path, model: type[Model], check: Callable[[Model], Iterable[Problem]] | None = None
) -> Model:
    """Return the model that the file says.

    Args:
        check: finds what no single key can show, such as a name that another table does not have; it is asked
            when every key is right by itself.

    Raises:
        ConfigurationError: with every problem as ``file:line:column: text``, one a line, sorted by line.
    """
    text = read_text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX.match(str(error))
        where, problem = (
            (f"{found['line']}:{found['column']}", found["problem"]) if found else ("1:1", str(error))
        )
        raise ConfigurationError(
            f"{path}:{where}: {problem[:1].lower()}{problem[1:]}; expected TOML"
        ) from None
    try:
        loaded = model.model_validate(table)
    except ValidationError as error:
        raise _all(path, text, [_problem(details, model) for details in error.errors()]) from None
    problems = list(check(loaded)) if check else []
    if problems:
        raise _all(path, text, problems)
    return loaded


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file.

    Raises:
        ConfigurationError: if there is no such file, or it is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file{_nearest_file(path)}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}:{line}:1: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _nearest_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"; there is no folder {folder} either"
    beside = sorted(p.name for p in folder.glob(f"*{path.suffix}"))
    return nearest(path.name, beside) or f"; {folder} has {', '.join(beside) or 'no such files'}"


def one_of(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` or, where nothing is near, ``; expected one of ...``."""
    names = list(known)
    return nearest(word, names) or f"; expected one of {', '.join(names)}"


def line_of(text: str, place: Place) -> int:
    r"""Return the line, from 1, of the key at ``place``, or else of the nearest table around it.

    >>> line_of("[a]\nx = 1\n[a.b]\ny = 2\n", ("a", "b", "y"))
    4
    """
    lines = _lines(text)
    for size in range(len(place), 0, -1):
        if place[:size] in lines:
            return lines[place[:size]]
    return 1


def _lines(text: str) -> dict[Place, int]:
    lines: dict[Place, int] = {}
    counted: dict[Place, int] = {}
    table: Place = ()
    inside_string = ""
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if inside_string:
            inside_string = "" if inside_string in line else inside_string
            continue
        header = None if depth else _HEADER.match(line)
        key = None if depth else _KEY.match(line)
        if header and not key:
            table = _parts(header["path"])
            if header[1] == "[[":
                counted[table] = counted.get(table, -1) + 1
                table = (*table, counted[table])
            _note(lines, table, number)
        elif key:
            _note(lines, table + _parts(key["path"]), number)
        inside_string = next((q for q in ('"""', "'''") if line.count(q) % 2), "")
        depth += _opened(line) if not header else 0
    return lines


def _note(lines: dict[Place, int], place: Place, number: int) -> None:
    for size in range(1, len(place) + 1):
        lines.setdefault(place[:size], number)


def _parts(path: str) -> Place:
    return tuple(part.strip("\"'") for part in _PART.findall(path))


def _opened(line: str) -> int:
    """Return how many brackets of values the line leaves open, texts and comments left out."""
    bare = re.sub(r""""(?:\\.|[^"\\])*"|'[^']*'|#.*""", "", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")


def _all(path: Path, text: str, problems: Iterable[Problem]) -> ConfigurationError:
    told = sorted((line_of(text, problem.place), problem.text) for problem in problems)
    return ConfigurationError("\n".join(f"{path}:{line}:1: {problem}" for line, problem in told))


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    place = details["loc"]
    name = ".".join(str(part) for part in place)
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields(model, place[:-1])
        return Problem(place, f"unknown key {name!r}{one_of(str(place[-1]), known)}")
    if kind == "missing":
        return Problem(place, f"the key {name!r} is missing")
    if kind == "literal_error":
        return Problem(place, f"{name} = {details['input']!r} is not allowed; expected {context['expected']}")
    if kind == "value_error":
        return Problem(place, f"{name}: {context['error']}")
    return Problem(place, f"{name} = {details['input']!r}: {details['msg'][:1].lower()}{details['msg'][1:]}")


def _fields(model: type[BaseModel], place: Place) -> list[str]:
    """Return the keys of the table at ``place``."""
    inner: type[BaseModel] | None = model
    for part in place:
        fields = inner.model_fields if inner else {}
        named = next((f for key, f in fields.items() if part in (key, f.alias)), None)
        inner = _model_in(named.annotation) if named else inner  # the name of an entry, or its number
    return [field.alias or key for key, field in inner.model_fields.items()] if inner else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside ``dict[str, Model]``, ``Model | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
