"""The grammar of Quantum Design's ``.dat`` files: encoding, header, column row, rows.

Read out of real files of MPMS3, MPMS-XL, PPMS and MultiVu's own Python writer. The format has no quoting (a
column may be called ``Coil Signal" (mV)``), rows may be shorter than the column row, and an empty cell was
not measured. What the columns mean is in :mod:`onnes.instruments.qd_columns`.
"""

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Option = Literal[
    "mpms3",
    "mpms_xl",
    "vsm",
    "acms",
    "resistivity",
    "logdata",
    "eto",
    "act",
    "heat_capacity",
    "data_file",
    "unknown",
]
"""Which of MultiVu's options wrote the file; ``data_file`` is MultiVu's Python writer."""

BOM = b"\xef\xbb\xbf"
HEADER, DATA = "[Header]", "[Data]"

# How BYAPP begins, seen in real files; small letters.
_APPS: tuple[tuple[str, Option], ...] = (
    ("mpms3", "mpms3"),
    ("squid ac", "mpms3"),
    ("mpms", "mpms_xl"),
    ("vsm", "vsm"),
    ("acms", "acms"),
    ("resistivity", "resistivity"),
    ("logdata", "logdata"),
    ("electrical transport", "eto"),
    ("actransport", "act"),
    ("heatcapacity", "heat_capacity"),
    ("multivudatafile", "data_file"),
)

# cp1252 says nothing of five bytes; they stand for the control characters that latin-1 has there, so that
# every file can be read and no byte is lost.
_TABLE = "".join(
    chr(byte) if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252") for byte in range(256)
)
_BYTES = {character: byte for byte, character in enumerate(_TABLE)}
_ABOVE_LATIN = {byte: character for byte, character in enumerate(_TABLE) if ord(character) != byte}

# What the C library of Windows prints for a number that is none (Microsoft's printf).
_NOT_NUMBERS = re.compile(r"[+-]?1\.#(IND|QNAN|SNAN)0*|[+-]?nan(\(ind\))?", re.IGNORECASE)
_INFINITIES = re.compile(r"([+-]?)(1\.#INF0*|INF|INFINITY)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")  # float() would take 1_000 as well

_STAMP = re.compile(r"\s*([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?)")
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")  # month first, as in the United States
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([AaPp])[Mm])?")


def decode(content: bytes, *, utf8: bool = False) -> str:
    """Return the text of ``content``: cp1252, or UTF-8 where the file begins with its mark.

    Nothing is refused: the bytes that cp1252 leaves open become control characters, and what is no UTF-8
    becomes U+FFFD.
    """
    if utf8:
        return content.decode("utf-8", "replace")
    return content.decode("latin-1").translate(_ABOVE_LATIN)


def encode(text: str) -> bytes:
    """Return ``text`` as the bytes that :func:`decode` reads.

    Raises:
        ValueError: if a character has no byte.
    """
    try:
        return text.encode("ascii") if text.isascii() else bytes(_BYTES[character] for character in text)
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} cannot stand in a file in cp1252") from None


def has_byte(character: str) -> bool:
    """Return whether :func:`encode` takes the character."""
    return character in _BYTES


def number(text: str) -> float | None:
    """Return the number in a cell, NaN for an empty one, None where there is something else.

    >>> number("3.000338e+002"), number(" INF"), number(""), number("K")
    (300.0338, inf, nan, None)
    """
    text = text.strip()
    if not text:
        return math.nan
    if _NUMBER.fullmatch(text):
        return float(text)
    if found := _INFINITIES.fullmatch(text):
        return -math.inf if found[1] == "-" else math.inf
    return math.nan if _NOT_NUMBERS.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class FileOpened:
    """When the file was opened, as its header says: unreliable, by a minute or after the first rows.

    ``stamp`` is on the scale of the time stamps, s; ``wall`` the local time in ISO 8601, without a zone,
    ``""`` where there is none.
    """

    stamp: float
    wall: str


@dataclass(frozen=True, slots=True)
class QdHeader:
    """What stands above ``[Data]``.

    Args:
        title: as typed at the machine.
        app: the program that wrote the file, as it calls itself.
        option: the same, as one word.
        opened: when the file was opened; None where it does not say so.
        info: {key: value} of the ``INFO`` lines, both as written.
        comments: the lines that begin with a semicolon, without it.
        entries: (key, what follows its comma) of every line.
    """

    title: str = ""
    app: str = ""
    option: Option = "unknown"
    opened: FileOpened | None = None
    info: Mapping[str, str] = field(default_factory=dict)
    comments: tuple[str, ...] = ()
    entries: tuple[tuple[str, str], ...] = ()

    def info_number(self, key: str) -> float | None:
        """Return an entry of ``info`` as a number; None where it is missing, empty or no plain number."""
        found = number(self.info.get(key, ""))
        return None if found is None or math.isnan(found) else found

    @property
    def sample_mass_mg(self) -> float | None:
        """Return the mass of the sample that was typed at the machine, mg; None where there is none.

        The column ``Mass (grams)`` is the load of the motor.
        """
        return self.info_number("SAMPLE_MASS")


def read_header(lines: Iterable[str]) -> QdHeader:
    """Read the lines above ``[Data]``; a line that says nothing known is kept in ``entries``."""
    comments, entries = [], []
    for line in lines:
        text = line.strip()
        if text.startswith(";"):
            comments.append(text[1:].strip())
        elif text and text != HEADER:
            key, _, rest = text.partition(",")
            entries.append((key.strip(), rest))
    found = dict(reversed(entries))  # the first of each key
    app = found.get("BYAPP", "").strip()
    option = option_of(app)
    return QdHeader(
        title=found.get("TITLE", "").strip(),
        app=app,
        option=option,
        opened=_opened(found["FILEOPENTIME"]) if "FILEOPENTIME" in found else None,
        info=dict(_info(rest, option) for key, rest in entries if key == "INFO"),
        comments=tuple(comments),
        entries=tuple(entries),
    )


def option_of(app: str) -> Option:
    """Return which option calls itself ``app`` in ``BYAPP``."""
    name = app.strip().casefold()
    return next((option for start, option in _APPS if name.startswith(start)), "unknown")


def _info(rest: str, option: Option) -> tuple[str, str]:
    # Value first, so that the key stands behind the last comma; but an MPMS-XL writes the key first, and so
    # do PPMS and ETO in the line of APPNAME. The XL also writes one as "KEY: value".
    first, comma, after = rest.partition(",")
    if not comma:
        key, _, value = rest.partition(":")
        return key.strip(), value.strip()
    if option == "mpms_xl" or first.strip() == "APPNAME":
        return first.strip().removesuffix(":"), after.strip()
    value, _, key = rest.rpartition(",")
    return key.strip(), value.strip()


def _opened(rest: str) -> FileOpened:
    stamp = _STAMP.match(rest)
    behind = rest[stamp.end() :] if stamp else rest
    return FileOpened(float(stamp[1]) if stamp else math.nan, _wall(behind))


def _wall(text: str) -> str:
    date, time = _DATE.search(text), _TIME.search(text)
    if not date or not time:
        return ""
    month, day, year = (int(part) for part in date.groups())
    hour, minute, second = int(time[1]), int(time[2]), int(time[3] or 0)
    half = (time[4] or "").casefold()
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    wall = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    try:
        datetime.fromisoformat(wall)
    except ValueError:  # the 31st of a month that has none
        return ""
    return wall


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """The names of the columns, and which of them is the comment's."""

    names: tuple[str, ...]
    comment: int | None

    def cells(self, line: str) -> list[str]:
        """Take a row apart into at least one cell a column; further cells stand behind them.

        A comment that holds commas is put together again: what follows the column of comments is a number.
        """
        cells = line.split(",")
        at = self.comment
        if at is not None and cells[at : at + 1] not in ([], [""]):
            while len(cells) > at + 1 and number(cells[at + 1]) is None:
                cells[at : at + 2] = [",".join(cells[at : at + 2])]
        wanted = len(self.names)
        while len(cells) > wanted and not cells[-1].strip():
            cells.pop()
        cells.extend([""] * (wanted - len(cells)))
        return cells

    def is_remark(self, cells: list[str]) -> bool:
        """Return whether a row has text in its comment and nothing else."""
        at = self.comment
        return at is not None and bool(cells[at].strip()) and not any(map(str.strip, _without(cells, at)))


def _without(cells: list[str], at: int) -> list[str]:
    return cells[:at] + cells[at + 1 :]


def read_columns(line: str, option: Option) -> ColumnRow:
    """Read the column row.

    A column whose name is taken is called ``name [2]``, one without a name ``column 7``.
    The last column of an MPMS-XL, which stands behind a trailing comma and has no name, is none.
    """
    # MultiVu's Python writer quotes its names, and a comma may stand inside; nothing else does.
    names = next(csv.reader([line])) if option == "data_file" else line.split(",")
    names = [name.strip() for name in names]
    if names and not names[-1]:
        names.pop()
    taken: list[str] = []
    for place, name in enumerate(names, start=1):
        label, again = name or f"column {place}", 1
        while label in taken:
            again += 1
            label = f"{name} [{again}]"
        taken.append(label)
    return ColumnRow(tuple(taken), taken.index("Comment") if "Comment" in taken else None)
