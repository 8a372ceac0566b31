"""The layers that a lab is made of: files and tables laid over each other, and where each key stands."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from onnes.instruments.errors import ConfigurationError
from onnes.sim.toml_lines import toml_lines

SHIPPED = (
    *("default", "contaminated", "demo", "bad_day", "14t", "delta", "spcs"),
    *("dip", "susceptometer", "acms", "mpms3", "mpms5", "mpms_xl"),
)

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the files (or mappings) that make a lab, with the places of its keys."""

    source: str
    data: Mapping[str, Any]
    lines: Mapping[Loc, int] = field(default_factory=dict)

    def place(self, loc: Loc) -> tuple[int, int]:
        """Return how much of ``loc`` stands in this layer, and the line of that."""
        value: Any = self.data
        length = 0
        for part in loc:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
            length += 1
        line = next((self.lines[loc[:n]] for n in range(length, 0, -1) if loc[:n] in self.lines), 1)
        return length, line


def is_path(text: str) -> bool:
    """Say whether ``text`` is the path of a lab file rather than the name of a lab."""
    return text.endswith(".toml") or "/" in text or "\\" in text


def shipped_layer(name: str) -> Layer:
    """Return a lab that comes along."""
    source = f"lab_{name}.toml"
    return _layer(source, files("onnes.sim").joinpath(source).read_text(encoding="utf-8"))


def named_layer(name_or_path: str) -> Layer:
    """Return a lab by the name of one that comes along, or by the path of its file.

    Raises:
        ConfigurationError: if there is none, it cannot be read, or it is no TOML.
    """
    if name_or_path in SHIPPED:
        return shipped_layer(name_or_path)
    if not is_path(name_or_path):
        near = difflib.get_close_matches(name_or_path, SHIPPED, n=1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        raise ConfigurationError(
            f"there is no lab {name_or_path!r}; the shipped ones are {', '.join(SHIPPED)}, a lab file is "
            f"given by its path, such as labs/mine.toml{hint}"
        )
    try:
        text = Path(name_or_path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the lab file {name_or_path}: {error.strerror or error}; look at the path, which "
            f"counts from {Path.cwd()}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name_or_path}:1:1: is not UTF-8 text; save it as UTF-8") from None
    return _layer(name_or_path, text, Path(name_or_path).stem)


def _layer(source: str, text: str, name: str | None = None) -> Layer:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        problem, line, column = found.groups() if found else (str(error), None, None)
        end = text.count("\n") + 1
        raise ConfigurationError(
            f"{source}:{line or end}:{column or 1}: {problem[:1].lower()}{problem[1:]}; expected TOML"
        ) from None
    if name is not None and isinstance(data.setdefault("lab", {}), dict):
        data["lab"].setdefault("name", name)  # so that no data file says "default" of a lab that is not
    return Layer(source, data, toml_lines(text))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with ``above`` laid over it key by key; lists are replaced as a whole.

    So is ``[sample]`` if ``above`` names another model.
    """
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if not isinstance(value, Mapping) or not isinstance(old, Mapping):
            result[key] = value
        elif key == "sample" and value.get("model", old.get("model")) != old.get("model"):
            result[key] = dict(value)
        else:
            result[key] = merged(old, value)
    return result


class Problems:
    """What is wrong, each with the place it came from."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self._found: list[tuple[int, int, str]] = []
        self._reported: set[Loc] = set()

    def add(self, problem: str, *locs: Loc) -> None:
        """Note ``problem`` at the one of ``locs`` that stands in the uppermost layer."""
        if self._reported & set(locs):
            return  # one problem at a place is enough
        self._reported |= set(locs)
        height, line = max(self._place(loc) for loc in locs)
        layer = self._layers[height]
        place = f"{layer.source}:{line}:1: " if layer.lines else f"{layer.source}: "
        self._found.append((height, line, place + problem))

    def _place(self, loc: Loc) -> tuple[int, int]:
        """Return the layer that says most about ``loc``, the upper one if two do, and the line there."""
        best = (0, 1, 0)
        for height, layer in enumerate(self._layers):
            length, line = layer.place(loc)
            replaces = isinstance(layer.data.get(str(loc[0])), list)  # a list of tables hides those below
            if replaces or (length and length >= best[0]):
                best = (length, line, height)
        return best[2], best[1]

    def report(self) -> None:
        """Raise ConfigurationError if there are any."""
        if self._found:
            raise ConfigurationError("\n".join(text for _, _, text in sorted(self._found)))
