"""Setpoints as people type them: single quantities, grids, lists of both, and sweeps.

Everything stays Decimal, so that ``2..60 K step 0.2 K`` hits 59.8 K and not 59.800000000000004 K, and every
number remembers where it was typed, so that a limit can say which one it refuses.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onnes.instruments.quantities import (
    KINDS,
    expected,
    quantity,
    quantity_range,
    tidy,
    unit_in,
)
from onnes.instruments.spelling import nearest
from onnes.runner.problems import Place, PlacedError, Problem, choice
from onnes.runner.yaml_text import Items, Table, place_of

_STEP = re.compile(r"(?P<range>.+?)\s+step\s+(?P<step>.+)")
_POINTS = re.compile(r"(?P<range>.+?)\s+points\s+(?P<points>\S+)(?:\s+spaced\s+(?P<spaced>\S+))?")
# A night of a day has some ten thousand points; a mistyped step must not fill the memory.
_MOST_VALUES = 100_000


def _any(value: Decimal) -> bool:
    del value
    return True


def _signed_root(value: Decimal) -> Decimal:
    return value.sqrt() if value >= 0 else -(-value).sqrt()


@dataclass(frozen=True, slots=True)
class _Spacing:
    """Even steps in ``forward(x)``; ``allows`` says for which ends that has a meaning."""

    forward: Callable[[Decimal], Decimal]
    backward: Callable[[Decimal], Decimal]
    allows: Callable[[Decimal], bool]
    needs: str


_SPACINGS = {
    "linear": _Spacing(lambda x: x, lambda y: y, _any, ""),
    "log": _Spacing(lambda x: x.ln(), lambda y: y.exp(), lambda x: x > 0, "both ends above 0"),
    "inverse": _Spacing(lambda x: 1 / x, lambda y: 1 / y, lambda x: x > 0, "both ends above 0"),
    # Through zero the sign is kept, so that a field sweep over both signs stays one monotone pass.
    "square": _Spacing(lambda x: x * abs(x), _signed_root, _any, ""),
    "root": _Spacing(lambda x: x.sqrt(), lambda y: y * y, lambda x: x >= 0, "both ends at 0 or above"),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """One number in the base unit of its kind, with the text it stands in, its unit and its place."""

    number: Decimal
    text: str
    unit: str
    place: Place

    def __float__(self) -> float:
        return float(self.number)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Measure while ramping from ``first`` to ``last`` at ``rate``, every so many s or every step."""

    first: Typed
    last: Typed
    rate: Typed
    every_s: Typed | None
    every_step: Typed | None
    place: Place


def read_quantity(value: object, kind: str) -> Typed:
    """Return the single quantity of ``kind`` that ``value`` says.

    Raises:
        ValueError: if it is none, with what was expected.
    """
    if not isinstance(value, str):
        raise ValueError(f"a {shape(value)} is no quantity; expected {expected(kind)}")
    if value.strip() == "":
        raise ValueError(f"nothing is given; expected {expected(kind)}")
    return Typed(quantity(value, kind), str(value), unit_in(value), place_of(value))


def read_values(
    value: object, kind: str, read: Callable[[object, str], Typed] = read_quantity
) -> tuple[Typed, ...]:
    """Return the values of a quantity, a grid, or a list of them joined in order.

    An equal value where two items of a list meet is taken once.

    Args:
        read: how a single quantity is read.

    Raises:
        PlacedError: with every item that says no value.
    """
    problems: list[Problem] = []
    numbers = _join(value, kind, problems, read)
    if problems:
        raise PlacedError(problems)
    return tuple(numbers)


def read_positive_values(value: object, kind: str) -> tuple[Typed, ...]:
    """Return the values of a quantity, a grid, or a list of them, each of them above zero.

    Raises:
        PlacedError: with every item that says no value, or one that is not above zero.
    """
    return all_positive(read_values(value, kind), kind)


def all_positive(values: tuple[Typed, ...], kind: str) -> tuple[Typed, ...]:
    """Return the values as they are.

    Raises:
        PlacedError: with every item that is not above zero.
    """
    low = {typed.place: typed.text for typed in values if typed.number <= 0}
    if low:
        texts = {place: f"'{text}' reaches 0 or below" for place, text in low.items()}
        raise PlacedError(
            [Problem(place, f"{text}; expected {expected(kind)}") for place, text in texts.items()]
        )
    return values


def _join(
    value: object, kind: str, problems: list[Problem], read: Callable[[object, str], Typed]
) -> list[Typed]:
    if isinstance(value, Items):
        if not value:
            problems.append(Problem(value.place, f"an empty list; expected {expected(kind)}"))
        joined: list[Typed] = []
        for item in value:
            further = _join(item, kind, problems, read)
            same = bool(joined and further) and joined[-1].number == further[0].number
            joined += further[1:] if same else further
        return joined
    try:
        if isinstance(value, str) and (".." in value or " step " in value or " points " in value):
            unit, place = unit_in(value.partition(" points ")[0]), place_of(value)
            numbers = [Typed(number, str(value), unit, place) for number in grid(value, kind)]
        else:
            numbers = [read(value, kind)]
        _refuse_zero_kelvin(numbers, kind)
        return numbers
    except ValueError as error:
        problems.append(Problem(place_of(value), str(error)))
        return []


def grid(text: str, kind: str) -> tuple[Decimal, ...]:
    """Return the values of ``range step quantity`` or ``range points N spaced S``; both ends are in it.

    Raises:
        ValueError: if the range is empty, the step is not above zero, the spacing is unknown or has no
            meaning for these ends, or there are more than 100 000 values.

    >>> [str(value) for value in grid("2..3 K step 0.4 K", "temperature")]
    ['2', '2.4', '2.8', '3']
    >>> [str(value) for value in grid("10 K..1 K points 3 spaced inverse", "temperature")]
    ['10', '1.818181818181818181818181818', '1']
    """
    stripped = text.strip()
    if stepped := _STEP.fullmatch(stripped):
        return _by_step(text, *quantity_range(stepped["range"], kind), quantity(stepped["step"], kind))
    if pointed := _POINTS.fullmatch(stripped):
        first, last = quantity_range(pointed["range"], kind)
        return _by_points(text, first, last, pointed["points"], pointed["spaced"] or "linear")
    quantity_range(stripped, kind)
    raise ValueError(
        f"'{text}' does not say which values; expected a step or a number of points; "
        f"e.g. '{stripped} step {KINDS[kind].example}' or '{stripped} points 11'"
    )


def _by_step(text: str, first: Decimal, last: Decimal, step: Decimal) -> tuple[Decimal, ...]:
    if step <= 0:
        of = "zero" if step == 0 else f"{step}, below zero"
        raise ValueError(
            f"'{text}' has a step of {of}; expected a step above 0, the range gives the direction"
        )
    _refuse_empty(text, first, last)
    steps = abs(last - first) / step
    _refuse_too_many(text, steps + 2)
    signed = step if last > first else -step
    values = [tidy(first + signed * number) for number in range(int(steps) + 1)]
    if values[-1] != last:
        values.append(last)
    return tuple(values)


def _by_points(text: str, first: Decimal, last: Decimal, points: str, spaced: str) -> tuple[Decimal, ...]:
    if not (points.isascii() and points.isdigit() and int(points) >= 2):
        raise ValueError(f"'{text}' has {points} points; expected a whole number from 2 up")
    _refuse_empty(text, first, last)
    _refuse_too_many(text, Decimal(points))
    if spaced not in _SPACINGS:
        names = list(_SPACINGS)
        raise ValueError(
            f"'{text}' has the unknown spacing '{spaced}'; expected {choice(names)}{nearest(spaced, names)}"
        )
    spacing = _SPACINGS[spaced]
    if not (spacing.allows(first) and spacing.allows(last)):
        raise ValueError(f"'{text}' cannot be spaced {spaced} from {first} to {last}: {spacing.needs} needed")
    low, high, last_index = spacing.forward(first), spacing.forward(last), int(points) - 1
    between = [
        tidy(spacing.backward(low + (high - low) * number / last_index)) for number in range(1, last_index)
    ]
    return first, *between, last


def _refuse_empty(text: str, first: Decimal, last: Decimal) -> None:
    if first == last:
        raise ValueError(f"'{text}' starts where it ends; expected two different ends, or one single value")


def _refuse_zero_kelvin(ends: Sequence[Typed], kind: str) -> None:
    if kind == "temperature" and min(end.number for end in ends) <= 0:
        raise ValueError(f"'{ends[0].text}' reaches 0 K or below; expected temperatures above 0 K")


def _refuse_too_many(text: str, count: Decimal) -> None:
    if count > _MOST_VALUES:
        raise ValueError(f"'{text}' has {count:.3g} values; expected at most {_MOST_VALUES}")


SWEEP_KEYS = ("sweep", "rate", "every")


def read_sweep(table: Table, kind: str) -> Sweep:
    """Return the sweep ``{sweep: range, rate: rate, every: time or step}`` of a temperature or field.

    Raises:
        PlacedError: with everything that is wrong or missing in it.
    """
    problems = [
        Problem(
            table.key_places[key],
            f"unknown key '{key}' in a sweep; expected {choice(SWEEP_KEYS)}{nearest(key, SWEEP_KEYS)}",
        )
        for key in table
        if key not in SWEEP_KEYS
    ]
    example = f"{{sweep: 2 .. {KINDS[kind].example}, rate: {KINDS[kind + '_rate'].example}, every: 10 s}}"
    for key in SWEEP_KEYS:
        if key not in table:
            problems.append(Problem(table.place, f"a sweep without '{key}'; e.g. '{example}'"))

    def take(key: str, read: Callable[[Any], Any]) -> Any:
        if key not in table:
            return None
        try:
            return read(table[key])
        except ValueError as error:
            problems.append(Problem(place_of(table[key]), str(error)))
            return None

    ends = take("sweep", lambda value: _sweep_ends(value, kind))
    rate = take("rate", lambda value: _above_zero(read_quantity(value, f"{kind}_rate"), "rate"))
    every = take("every", lambda value: _sweep_interval(value, kind))
    if problems:
        raise PlacedError(problems)
    every_s, every_step = every
    span = abs(ends[1].number - ends[0].number)
    seconds = span / rate.number * (60 if kind == "temperature" else 1)  # K/min, Oe/s
    count = seconds / every_s.number if every_s is not None else span / every_step.number
    if count > _MOST_VALUES:
        place, text = (
            place_of(table["every"]),
            f"a sweep with {count:.3g} points; expected at most {_MOST_VALUES}",
        )
        raise PlacedError([Problem(place, text)])
    return Sweep(ends[0], ends[1], rate, every_s, every_step, table.place)


def _sweep_ends(value: object, kind: str) -> tuple[Typed, Typed]:
    if not isinstance(value, str):
        raise ValueError(f"a {shape(value)} is no range; expected e.g. '2 .. {KINDS[kind].example}'")
    first, last = quantity_range(value, kind)
    _refuse_empty(value, first, last)
    unit, place = unit_in(value), place_of(value)
    ends = Typed(first, str(value), unit, place), Typed(last, str(value), unit, place)
    _refuse_zero_kelvin(ends, kind)
    return ends


def _sweep_interval(value: object, kind: str) -> tuple[Typed | None, Typed | None]:
    if isinstance(value, str) and unit_in(value) in KINDS["time"].units:
        return _above_zero(read_quantity(value, "time"), "interval"), None
    try:
        return None, _above_zero(read_quantity(value, kind), "interval")
    except ValueError as error:
        raise ValueError(f"{error}; or a time, e.g. '10 s'") from None


def _above_zero(typed: Typed, what: str) -> Typed:
    if typed.number <= 0:
        raise ValueError(f"the {what} '{typed.text}' never gets anywhere; expected one above 0")
    return typed


def shape(value: object) -> str:
    """Return what a value that is no text is called in a message."""
    return "list" if isinstance(value, Sequence) else "table"
