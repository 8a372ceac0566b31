"""The text of a table: PyMeasure's header, rows as CSV, and reading them back.

The layout is the one that ``pymeasure.experiment.Results.load`` accepts (PyMeasure 0.16); quoting follows RFC
4180; UTF-8 without a mark, LF; floats with all their digits.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, get_args, get_origin, get_type_hints

from onnes.instruments.records import Cell, Column, Point, columns_of, plain
from onnes.storage.manifest import json_bytes

FORMAT = 1
"""Version of the folders' layout; it stands in every file."""

ATTEMPT = Column("Attempt", "", "1 for the first try at a curve, more after a resume")
REJECTED = Column("Rejected", "", "why the point does not count")

Kind = Literal["float", "int", "text"]

_QUOTED = re.compile(r'[,"#\r\n]')
_TAKES = {"float": "a number", "int": "a whole number", "text": "text"}


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What stands above the table of a run.

    Args:
        procedure: dotted name of the procedure's class; it is written, never imported.
        parameters: {PyMeasure's label: (value, unit)}; the unit is ``""`` for none and otherwise the very
            text of the parameter's declaration.
        onnes: what the whole file is: always ``backend``, and ``lab`` and ``seed`` when it is simulated.
        metadata: {label: value}.

    Raises:
        ValueError: if PyMeasure could not read it back, or it does not say where the data come from.
    """

    procedure: str
    parameters: Mapping[str, tuple[Cell | bool, str]]
    onnes: Mapping[str, Any]
    metadata: Mapping[str, Cell | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+(\.\w+)+", self.procedure):
            raise ValueError(
                f"procedure = {self.procedure!r} is not a dotted name; e.g. 'package.module.Class'"
            )
        provenance(self.onnes, "the header of a run")
        twice = self.parameters.keys() & self.metadata.keys()
        if twice:
            raise ValueError(
                f"{sorted(twice)} are both parameters and metadata; PyMeasure keeps one of the two"
            )
        _header_lines(self)

    def plain(self) -> dict[str, Any]:
        """Return it as the entries that ``run.json`` keeps."""
        return {
            "procedure": self.procedure,
            "parameters": {name: list(pair) for name, pair in self.parameters.items()},
            "metadata": dict(self.metadata),
        }


def provenance(entries: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return backend, lab and seed out of ``entries``.

    Raises:
        ValueError: if the backend is missing, or lab and seed of a simulation are: simulated data must never
            pass for real.
    """
    backend = entries.get("backend")
    if not isinstance(backend, str):
        raise ValueError(
            f"{what} has no backend; expected 'visa' or 'simulated', so that nobody takes one for the other"
        )
    wanted = ("lab", "seed") if backend == "simulated" else ()
    missing = [key for key in wanted if entries.get(key) is None]
    if missing:
        raise ValueError(f"{what} says backend = 'simulated' without {' and '.join(missing)}")
    return {key: entries[key] for key in ("backend", "lab", "seed") if entries.get(key) is not None}


def onnes_line(entries: Mapping[str, Any]) -> bytes:
    """Return the comment line of JSON that tells what the file is; PyMeasure skips it."""
    return b"#Onnes: " + json_bytes({"format": FORMAT, **entries}) + b"\n"


def _header_lines(header: RunHeader) -> tuple[list[str], list[str]]:
    parameters = [_header_line(name, value, unit) for name, (value, unit) in header.parameters.items()]
    return parameters, [_header_line(name, value, "") for name, value in header.metadata.items()]


def _header_line(name: str, value: Cell | bool, unit: str) -> str:
    text = str(value) if isinstance(value, bool) else str(plain(value, name))
    line = f"#\t{name}: {text} {unit}" if unit else f"#\t{name}: {text}"
    if ": " in name or re.search(r"[\r\n]", line) or line != line.rstrip("\t\v\f"):
        raise ValueError(
            f"parameter {name!r} = {value!r} cannot stand in a header: "
            "a value is one line without a tab at its end, a name has no ': '"
        )
    return line


def head(header: RunHeader, onnes: Mapping[str, Any], columns: Iterable[Column]) -> bytes:
    """Return everything above the first row: header and column names.

    Args:
        onnes: what is known beyond ``header.onnes``, such as night and run; it stands in front.
    """
    parameters, metadata = _header_lines(header)
    start = f"#Procedure: <{header.procedure}>\n".encode()
    lines = ["#Parameters:", *parameters, "#Metadata:", *metadata, "#Data:"]
    return (
        start
        + onnes_line({**onnes, **header.onnes})
        + "".join(f"{line}\n" for line in lines).encode()
        + column_line(column.label for column in columns)
    )


def column_line(labels: Iterable[str]) -> bytes:
    """Return the line of column names."""
    return (",".join(map(quoted, labels)) + "\n").encode()


def quoted(text: str) -> str:
    """Return ``text`` as one cell.

    >>> print(quoted("3 K, up"), quoted("plain"))
    "3 K, up" plain
    """
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def cell(value: Cell) -> str:
    """Return a plain value as one cell; NaN is ``nan``."""
    return quoted(value) if isinstance(value, str) else repr(value)


def kinds_of(kind: type[Point]) -> dict[str, Kind]:
    """Return {column label: what its cells are} of a kind of point.

    Raises:
        TypeError: if a field is annotated with anything but float, int or str.
    """
    hints = get_type_hints(kind)
    return {column.label: _kind(hints[name], column.label) for name, column in columns_of(kind).items()}


def _kind(hint: Any, label: str) -> Kind:
    kinds = {type(value) for value in get_args(hint)} if get_origin(hint) is Literal else {hint}
    names: dict[type, Kind] = {float: "float", int: "int", str: "text"}
    if len(kinds) == 1 and (name := names.get(kinds.pop())):
        return name
    raise TypeError(f"column {label!r} is declared as {hint}; a column holds float, int or str")


class RowWriter:
    """Turns points of one kind into rows; what can be found out once is found out here.

    Args:
        kind: the class of the points.
        labels: the columns of the table, without those that storage adds.
        attempt: written in the last column.

    Raises:
        TypeError: if the point has not exactly these columns.
    """

    def __init__(self, kind: type[Point], labels: Sequence[str], attempt: int) -> None:
        self.kinds = kinds_of(kind)
        if list(self.kinds) != list(labels):
            raise TypeError(
                f"{kind.__name__} does not fit the table: missing {sorted(set(labels) - self.kinds.keys())}, "
                f"unknown {sorted(self.kinds.keys() - set(labels))}, expected in this order {list(labels)}"
            )
        types: dict[Kind, type] = {"float": float, "int": int, "text": str}
        # `rejected` rides along, so that attrgetter returns a tuple for a point of one column too.
        self._values = attrgetter(*columns_of(kind), "rejected")
        self._types = (*(types[name] for name in self.kinds.values()), str)
        self._template = (
            ",".join("%s" if name == "text" else "%r" for name in self.kinds.values()) + f",{attempt}%.0s\n"
        )
        self._commas = len(self.kinds)
        self._attempt = attempt

    def row(self, point: Point) -> bytes:
        """Return the row of ``data.csv``.

        Raises:
            TypeError: if a value is not what its column holds, with the column named.
        """
        values = self._values(point)
        if tuple(map(type, values)) == self._types:
            text: str = self._template % values
            # Plain cells need no quotes, and that is seen from the whole row faster than cell by cell.
            if (
                text.count(",") == self._commas
                and '"' not in text
                and "#" not in text
                and "\r" not in text
                and text.find("\n") == len(text) - 1
            ):
                return _encoded(text)
        return _encoded(",".join([*self._cells(values), str(self._attempt)]) + "\n")

    def rejected_row(self, point: Point) -> bytes:
        """Return the row of ``rejected.csv``, the reason at its end.

        Raises:
            TypeError: as :meth:`row`.
        """
        reason = quoted(plain_as(point.rejected, "text", REJECTED.label))
        cells = self._cells(self._values(point))
        return _encoded(",".join([*cells, str(self._attempt), reason]) + "\n")

    def _cells(self, values: tuple[Any, ...]) -> list[str]:
        return [
            cell(plain_as(value, kind, label))
            for value, (label, kind) in zip(values[:-1], self.kinds.items(), strict=True)
        ]


def plain_as(value: object, kind: Kind, label: str) -> Any:
    """Return ``value`` as a plain float, int or str, whichever the column holds.

    Raises:
        TypeError: if it is something else, with the column named.
    """
    found = plain(value, label)
    if kind == "float" and not isinstance(found, str):
        return float(found)
    if (kind == "int" and type(found) is int) or (kind == "text" and type(found) is str):
        return found
    raise TypeError(f"column {label!r} got {value!r} of type {type(value).__name__}; it takes {_TAKES[kind]}")


def header_length(content: bytes) -> int:
    """Return how many bytes the comment lines in front of a table take."""
    match = re.match(rb"(?:#[^\n]*\n)*", content)
    return match.end() if match else 0


def onnes_entries(content: bytes) -> dict[str, Any]:
    """Return what :func:`onnes_line` wrote above a table; empty when there is no such line."""
    match = re.search(rb"^#Onnes: (.*)$", content[: header_length(content)], re.MULTILINE)
    return dict(json.loads(match[1])) if match else {}


def whole_rows(body: bytes) -> bytes:
    r"""Return the rows that are complete: up to the last newline that does not stand inside quotes.

    >>> whole_rows(b'1,"a"\n2,"torn\nro')
    b'1,"a"\n'
    """
    pieces = body.split(b'"')  # every second one stands inside quotes
    end = len(body)
    for index in reversed(range(len(pieces))):
        end -= len(pieces[index])
        newline = pieces[index].rfind(b"\n")
        if index % 2 == 0 and newline >= 0:
            return body[: end + newline + 1]
        end -= 1
    return b""


def table_parts(content: bytes) -> tuple[bytes, bytes]:
    """Take a table apart for going on with it: its head, and head and whole rows together.

    Both are empty when not even the line of column names is complete.
    """
    start = header_length(content)
    body = whole_rows(content[start:])
    return (content[:start] + first_row(body), content[:start] + body) if body else (b"", b"")


def line_parts(content: bytes) -> tuple[bytes, bytes]:
    """Take a file of plain lines apart as :func:`table_parts` does; it has no head."""
    return b"", content[: content.rfind(b"\n") + 1]


def first_row(body: bytes) -> bytes:
    """Return the first of whole rows, such as the column names."""
    end = body.find(b"\n") + 1
    while body.count(b'"', 0, end) % 2:
        end = body.find(b"\n", end) + 1
    return body[:end]


def count_rows(rows: bytes) -> int:
    r"""Return how many whole rows there are; a newline inside quotes ends none.

    >>> count_rows(b'1,"two\nlines"\n2,a\n')
    2
    """
    return sum(piece.count(b"\n") for piece in rows.split(b'"')[::2])


def _encoded(row: str) -> bytes:
    try:
        return row.encode()
    except UnicodeEncodeError as error:
        raise TypeError(
            f"the row {row!r} holds half a surrogate pair, which no text file can hold"
        ) from error
