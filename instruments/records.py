"""What a measurement yields: points whose columns are declared once, and events.

A point is a frozen dataclass; each of its fields carries the :class:`Column` that names it in files, on
axes and in the documentation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, get_type_hints

import numpy as np
import pint

_ALIASES = {
    "emu": ["emu = 1e-3 ampere * meter ** 2"],
    "Ohm": ["@alias ohm = Ohm"],
    "Torr": ["@alias torr = Torr"],
}


def _teach_column_units() -> None:
    # PyMeasure parses the unit of every column label with pint's application registry and refuses a procedure
    # whose unit it does not know. These names are for labels alone; what people type goes through
    # onnes.instruments.quantities.
    registry = pint.get_application_registry()  # type: ignore[no-untyped-call]  # pint has no type for it
    for name, definitions in _ALIASES.items():
        if name not in registry:
            for definition in definitions:
                registry.define(definition)


_teach_column_units()

Cell = float | int | str


@dataclass(frozen=True, slots=True)
class Column:
    """Name, unit and meaning of one column, said once.

    ``unit`` is ``""`` for none, otherwise only what PyMeasure's header reader can parse.
    """

    name: str
    unit: str
    description: str

    @property
    def label(self) -> str:
        """Return the text at the head of the column and on the axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class Point:
    """One measured point. ``rejected`` is the reason why it does not count, ``""`` for a good point."""

    rejected: str = field(default="", kw_only=True)

    def __init_subclass__(cls) -> None:
        columns_of(cls)  # so that a field without its column is refused when the module is imported


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and why: settled, noted, retried. It goes to ``events.jsonl``."""

    kind: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


_COLUMNS: dict[type[Any], Mapping[str, Column]] = {}
_GETTERS: dict[type[Any], "tuple[tuple[str, ...], attrgetter[Any]]"] = {}


def columns_of(kind: type[Any]) -> Mapping[str, Column]:
    """Return {field name: column} of a kind of point, in order.

    Raises:
        TypeError: if a field carries no :class:`Column`.
    """
    if kind in _COLUMNS:
        return _COLUMNS[kind]
    columns: dict[str, Column] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in Point.__annotations__:
            continue
        found = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Column)]
        if len(found) != 1:
            raise TypeError(f"{kind.__name__}.{name} needs exactly one Column; it has {len(found)}")
        columns[name] = found[0]
    _COLUMNS[kind] = columns
    return columns


def _getter(kind: type[Any]) -> "tuple[tuple[str, ...], attrgetter[Any]]":
    getter = _GETTERS.get(kind)
    if getter is None:
        columns = columns_of(kind)
        # `rejected` rides along, so that attrgetter returns a tuple for a point of one column too.
        getter = _GETTERS[kind] = tuple(c.label for c in columns.values()), attrgetter("rejected", *columns)
    return getter


def plain(value: object, label: str) -> Cell:
    """Return ``value`` as plain float, int or str; numpy scalars become Python's own.

    Raises:
        TypeError: for anything else, such as None, bool or an array, with the column named.
    """
    kind = type(value)
    if kind is float or kind is int or kind is str:
        return value  # type: ignore[return-value]
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.integer):
        return int(value)
    raise TypeError(f"column {label!r} got {value!r} of type {kind.__name__}; it takes float, int or text")


def row_of(point: Point) -> dict[str, Cell]:
    """Return {column label: plain value} of a point.

    Raises:
        TypeError: if a value is neither number nor text.
    """
    labels, values = _getter(type(point))
    return {label: plain(value, label) for label, value in zip(labels, values(point)[1:], strict=True)}


def accepted(items: Iterable[Point | Event]) -> Iterator[dict[str, Cell]]:
    """Yield the row of each good point; events and rejected points are not for stock PyMeasure."""
    for item in items:
        if isinstance(item, Point) and not item.rejected:
            yield row_of(item)
