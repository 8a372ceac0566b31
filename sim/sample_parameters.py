"""One parameter of a sample model, and the check of what a file says about it."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from onnes.instruments.errors import ConfigurationError

Mark = Literal["printed", "assumed"]
Pair = tuple[float, float]
Value = float | str | Pair

_SMALLEST_MM: Final = 1e-6
_LARGEST_MM: Final = 1e3


@dataclass(frozen=True, slots=True)
class Parameter:
    """Name, unit, default, mark and meaning of one key of ``[sample]``.

    ``mark`` says whether a paper prints the default or we assume it. ``default`` is None where a named row of
    the model fills the key: ``rows`` has {row: (value, mark)}; no row and no default: it must be given.
    ``kinds`` names the kinds of the model that have the key; empty for all. ``low`` and ``high`` are the
    allowed range, ends included. A parameter with ``choices`` is one of these words instead of a number; one
    whose default is a pair is two numbers, each inside the range.
    """

    name: str
    unit: str
    default: Value | None
    mark: Mark
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    kinds: tuple[str, ...] = ()
    rows: Mapping[str, tuple[float, Mark]] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Say whether it is one number, neither a word nor a pair."""
        return not self.choices and not isinstance(self.default, tuple)

    @property
    def range(self) -> str:
        """Return unit and allowed range, or the allowed words, for a message."""
        if self.choices:
            return f"[{', '.join(self.choices)}]"
        return f"[{self.low:.9g}, {self.high:.9g}]" + (f" {self.unit}" if self.unit else "")


def geometry(thickness: str, default: float, mark: Mark) -> tuple[Parameter, ...]:
    """Return the parameters of a bar; ``thickness`` is ``thickness_nm`` (films) or ``thickness_mm``."""
    unit = thickness.rpartition("_")[2]
    scale = 1e6 if unit == "nm" else 1.0
    small, large = _SMALLEST_MM, _LARGEST_MM
    return (
        Parameter("length_mm", "mm", 2.0, "assumed", "between the voltage contacts", small, large),
        Parameter("width_mm", "mm", 1.0, "assumed", "across the current", small, large),
        Parameter(thickness, unit, default, mark, "of the film or bar", small * scale, large * scale),
    )


def body(length: float, width: float, thickness: float, mark: Mark) -> tuple[Parameter, ...]:
    """Return the parameters of a piece whose size in mm gives its volume."""
    small, large = _SMALLEST_MM, _LARGEST_MM
    return (
        Parameter(
            "length_mm", "mm", length, mark, "of the whole piece; contacts, if any, at its ends", small, large
        ),
        Parameter("width_mm", "mm", width, mark, "of the whole piece", small, large),
        Parameter("thickness_mm", "mm", thickness, mark, "of the whole piece", small, large),
    )


def volume_cm3(values: Mapping[str, float]) -> float:
    """Return length times width times thickness in cm^3."""
    return values["length_mm"] * values["width_mm"] * values["thickness_mm"] * 1e-3


def ohm_per_ohm_cm(values: Mapping[str, float]) -> float:
    """Return length over cross-section in 1/cm."""
    return 10.0 * values["length_mm"] / (values["width_mm"] * values["thickness_mm"])


def check_keys(table: Mapping[str, Any], parameters: Sequence[Parameter], model: str, source: str) -> None:
    """Refuse keys that the model does not have.

    Raises:
        ConfigurationError: naming the key, the nearest one with unit and range, and all that exist.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for key in table:
        if key == "model" or key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}, in {known[near[0]].range}" if near else ""
        raise ConfigurationError(
            f"{source}: the sample model {model!r} has no key {key!r}{hint}; its keys are "
            + ", ".join(["model", *known])
        )


def checked(parameter: Parameter, value: object, source: str) -> float:
    """Return ``value`` as a number inside the range of ``parameter``.

    Raises:
        ConfigurationError: if it is no finite number, or outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(
            f"{source}: {parameter.name} = {value!r} is not a number; give one in {parameter.range}"
        )
    if not parameter.low <= value <= parameter.high:
        raise ConfigurationError(
            f"{source}: {parameter.name} = {value:.9g} {parameter.unit} is outside {parameter.range}, "
            "the range of the sample model"
        )
    return float(value)


def chosen(table: Mapping[str, Any], parameters: Sequence[Parameter], source: str) -> dict[str, str]:
    """Return {name: word} of the parameters with choices: from the table, else the default, if there is one.

    Raises:
        ConfigurationError: if it is none of the words, with the nearest one.
    """
    words: dict[str, str] = {}
    for parameter in parameters:
        if not parameter.choices:
            continue
        word = table.get(parameter.name, parameter.default)
        if word in parameter.choices:
            words[parameter.name] = str(word)
        elif parameter.name in table:
            near = difflib.get_close_matches(str(word), parameter.choices, n=1)
            hint = f"; did you mean {near[0]!r}" if near else ""
            raise ConfigurationError(
                f"{source}: {parameter.name} = {word!r} is none of {', '.join(parameter.choices)}{hint}"
            )
    return words


def pairs(table: Mapping[str, Any], parameters: Sequence[Parameter], source: str) -> dict[str, Pair]:
    """Return {name: two numbers} of the parameters that are pairs: from the table, else the default.

    Raises:
        ConfigurationError: if it is no list of two numbers, or one of them is outside the range.
    """
    found: dict[str, Pair] = {}
    for parameter in parameters:
        if not isinstance(parameter.default, tuple):
            continue
        value = table.get(parameter.name, parameter.default)
        if not isinstance(value, list | tuple) or len(value) != 2:
            first, second = parameter.default
            raise ConfigurationError(
                f"{source}: {parameter.name} = {value!r} is no pair; give two numbers in {parameter.range}, "
                f"for example [{first:.9g}, {second:.9g}]"
            )
        found[parameter.name] = (checked(parameter, value[0], source), checked(parameter, value[1], source))
    return found


def resolved(
    table: Mapping[str, Any], parameters: Sequence[Parameter], row: str, kind: str, source: str
) -> dict[str, float]:
    """Return {name: number} of the parameters of ``kind``: from the table, else its row, else the default.

    Parameters with choices are left to :func:`chosen`, pairs to :func:`pairs`.

    Raises:
        ConfigurationError: for a key of another kind, a missing key, or a bad value.
    """
    values: dict[str, float] = {}
    missing: list[Parameter] = []
    for parameter in parameters:
        if not parameter.is_number:
            continue
        applies = not parameter.kinds or kind in parameter.kinds
        if parameter.name in table:
            if not applies:
                raise ConfigurationError(
                    f"{source}: {parameter.name} belongs to a sample of kind {' or '.join(parameter.kinds)}, "
                    f"and this one is of kind {kind}; leave it out"
                )
            values[parameter.name] = checked(parameter, table[parameter.name], source)
        elif not applies:
            continue
        elif row in parameter.rows:
            values[parameter.name] = parameter.rows[row][0]
        elif isinstance(parameter.default, float):
            values[parameter.name] = parameter.default
        else:
            missing.append(parameter)
    if missing:
        needs = ", ".join(f"{parameter.name} (in {parameter.range})" for parameter in missing)
        names = list(dict.fromkeys(row for parameter in missing for row in parameter.rows))
        hint = f"; give them, or one of the rows {', '.join(names)}" if names else ""
        raise ConfigurationError(f"{source}: the sample of kind {kind} needs {needs}{hint}")
    return values
