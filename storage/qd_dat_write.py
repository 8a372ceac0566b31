"""Writing ``.dat`` files that MultiVu's readers, Origin templates and :func:`read_dat` open."""

import logging
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from onnes.instruments.clock import Clock
from onnes.instruments.qd_file import encode, has_byte, option_of
from onnes.instruments.records import Cell
from onnes.storage.manifest import replace_file

_log = logging.getLogger(__name__)

# What a reader of a graph would write; other letters go by their names in Unicode.
_WORDS = {
    "\N{GREEK CAPITAL LETTER OMEGA}": "Ohm",
    "\N{OHM SIGN}": "Ohm",
    "\N{MINUS SIGN}": "-",
    "\N{GREEK SMALL LETTER MU}": "µ",
    "χ": "chi",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
}


@dataclass(frozen=True, slots=True)
class DatFacts:
    """What stands in the header.

    Args:
        title: one line.
        app: the option whose columns they are, such as ``MPMS3,1.0,1.1``.
        opened: when the first row was measured, s since 1970 UTC.
        info: {key: value} of the ``INFO`` lines.
        comments: lines for people.
    """

    title: str
    app: str
    opened: float
    info: Mapping[str, str] = field(default_factory=dict)
    comments: Sequence[str] = ()


def write_dat(path: Path, table: Mapping[str, Sequence[Cell | None]], facts: DatFacts, wall: Clock) -> None:
    """Write a file as MultiVu does: CRLF, cp1252, what was not measured empty, numbers with all digits.

    It is written beside and renamed. Commas become semicolons, because the format cannot quote them; a
    character that cp1252 lacks is spelled out, and both are logged.

    Args:
        table: {column of Quantum Design: its cells}, with ``Comment`` first and ``Time Stamp (sec)``, s since
            1970 UTC, second; None and NaN were not measured. A row that has a comment alone is a remark.

    Raises:
        ValueError: if the columns are not of one length.
        StorageError: if it cannot be written; what was there before is still there.
    """
    text = _Text(path.name)
    opened = datetime.fromtimestamp(facts.opened, UTC)
    lines = [
        "[Header]",
        *(f"; {text.plain(comment)}" for comment in facts.comments),
        f"TITLE, {text.plain(facts.title)}",
        f"FILEOPENTIME, {facts.opened!r}, {opened:%m/%d/%Y}, {opened:%I:%M:%S %p}",
        f"BYAPP, {facts.app}",
        *(_info(text.cell(key), text.cell(value), facts.app) for key, value in facts.info.items()),
        "DATATYPE, COMMENT,1",
        "DATATYPE, TIME,2",
        "TIMEMODE, SECONDS, RELATIVE",
        "STARTUPGROUP, All",
        "STARTUPAXIS, X, 2, LINEAR, AUTO",
        "[Data]",
        ",".join(text.cell(name) for name in table),
    ]
    for row in zip(*table.values(), strict=True):
        lines.append(",".join(map(text.value, row)))
    text.log()
    replace_file(path, encode("".join(f"{line}\r\n" for line in lines)), wall)


def _info(key: str, value: str, app: str) -> str:
    return f"INFO,{key},{value}" if option_of(app) == "mpms_xl" else f"INFO,{value},{key}"


class _Text:
    """Makes text fit for the file, and remembers what it had to change."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spelled: dict[str, str] = {}
        self._commas = 0

    def plain(self, text: str) -> str:
        """Return ``text`` on one line, of characters that have a byte."""
        return "".join(self._letter(letter) for letter in " ".join(text.splitlines()))

    def cell(self, text: str) -> str:
        """Return ``text`` as one cell."""
        self._commas += text.count(",")
        return self.plain(text).replace(",", ";")

    def value(self, value: Cell | None) -> str:
        """Return a number or a comment as one cell."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        if isinstance(value, str):
            return self.cell(value)
        if math.isinf(value):
            return "INF" if value > 0 else "-INF"
        return repr(value)

    def log(self) -> None:
        """Tell what was changed."""
        if self._spelled:
            _log.warning("%s: spelled out, because the format lacks them: %s", self._name, self._spelled)
        if self._commas:
            _log.info(
                "%s: commas became semicolons, because the format cannot quote them: %d",
                self._name,
                self._commas,
            )

    def _letter(self, letter: str) -> str:
        if has_byte(letter):
            return letter
        if letter not in self._spelled:
            self._spelled[letter] = _spelled(letter)
        return self._spelled[letter]


def _spelled(letter: str) -> str:
    if letter in _WORDS:
        return _WORDS[letter]
    name = unicodedata.name(letter, "")
    if name.startswith(("GREEK SMALL LETTER ", "GREEK CAPITAL LETTER ")):
        word = name.split()[3].lower()
        return word.capitalize() if "CAPITAL" in name else word
    known = "".join(part for part in unicodedata.normalize("NFKD", letter) if has_byte(part))
    return known.strip() or "?"
