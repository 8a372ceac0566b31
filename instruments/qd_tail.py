"""The end of a ``.dat`` file that MultiVu writes: what has come since the last look."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onnes.instruments.errors import StorageError
from onnes.instruments.qd_columns import Kind, chosen_fit, kinds_of, resolve, unknown_columns
from onnes.instruments.qd_file import (
    BOM,
    DATA,
    HEADER,
    ColumnRow,
    QdHeader,
    decode,
    number,
    read_columns,
    read_header,
)

# How much of the beginning, and of what was read last, is compared at each look: a header says when the file
# was opened within its first lines, and the last 1024 bytes hold a whole row of an MPMS3, 300 to 800 bytes,
# with its time stamp.
_HEAD_BYTES, _MARK_BYTES = 512, 1024
# A line above [Data] has 2 to 5 cells (seen), a row of an MPMS 28 and more.
_HEADER_CELLS = 12


@dataclass(frozen=True, slots=True)
class DatRow:
    """One row: ``values`` by our names (:mod:`onnes.instruments.qd_columns`), without what was not measured.

    ``line`` counts from 1. Of a dc row ``moment_emu`` is the fit that
    :func:`~onnes.instruments.qd_columns.chosen_fit` names.
    """

    line: int
    values: Mapping[str, float]
    comment: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class DatNews:
    """What has come since the last look.

    ``remarks`` are things worth an event: another file in the place of the first, an unknown column. ``size``
    is the size of the file, bytes; 0 where there is none.
    """

    rows: tuple[DatRow, ...]
    remarks: tuple[str, ...]
    size: int
    exists: bool


class DatTail:
    """Follows a growing file; whole lines only, each row once, whatever becomes of the file.

    The file is opened anew for each look and never locked: MultiVu goes on writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_known = False  # False: not seen yet, or gone
        self._given: set[str] = set()  # the rows given, by time stamp
        self._before: set[str] = set()  # of them those that stood in the file before this one
        self._repeated = 0
        self._said: set[str] = set()
        self._remarks: list[str] = []
        self._header = QdHeader()
        self._commas = 0  # of a row; 0: not known yet
        self._columns: ColumnRow | None = None  # once seen they stay, also those of a file that is cut later
        self._begin()

    def _begin(self) -> None:
        """Go to the start of the file."""
        self._offset = self._line = 0
        self._head = self._mark = b""
        self._utf8 = False
        self._above: list[str] | None = []  # the header so far; None: below the column row
        self._awaits_columns = False

    @property
    def header(self) -> QdHeader:
        """Return the header of the file; an empty one until it is complete."""
        return self._header

    def poll(self) -> DatNews:
        """Return what has come since the last look; never waits.

        Raises:
            StorageError: if the file is there and cannot be read, or its folder is gone.
        """
        try:
            return self._looked()
        except OSError as error:
            raise StorageError(
                f"cannot read {self._path}: {error.strerror or error}; "
                "bring the drive back, or close the program that keeps others from reading it"
            ) from error

    def _looked(self) -> DatNews:
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._look_for_another(file, size)
                rows = tuple(self._rows(self._news(file)))
        except FileNotFoundError:
            if not self._path.parent.is_dir():  # so Windows calls a share that is away, too
                raise
            return self._gone()
        if self._repeated:
            self._remarks.append(f"{self._path.name}: {self._repeated} rows had been read before")
            self._repeated = 0
        return DatNews(rows, self._told(), size, exists=True)

    def _gone(self) -> DatNews:
        if self._is_known:
            self._is_known = False
            self._remarks.append(f"{self._path.name} is gone")
            self._anew()
        return DatNews((), self._told(), 0, exists=False)

    def _told(self) -> tuple[str, ...]:
        told, self._remarks = tuple(self._remarks), []
        return told

    def _look_for_another(self, file: BinaryIO, size: int) -> None:
        """Go back to the start where this is not the file of the last look, or no longer what it was.

        What it holds decides, and not its number on the disk: a network drive may number an unchanged file
        anew at each opening (seen on Windows, watchdog's issue 683).
        """
        was_known, self._is_known = self._is_known, True
        if not was_known:
            return
        if not self._head.startswith(file.read(len(self._head))):
            what = "another file has taken its place"
        elif size < self._offset:
            what = f"it has become shorter, {size} bytes where {self._offset} were read"
        elif not self._same_mark(file):
            what = "rows that were read have been written over"
        else:
            return
        self._remarks.append(f"{self._path.name}: {what}; it is read anew from its start")
        self._anew()

    def _same_mark(self, file: BinaryIO) -> bool:
        file.seek(self._offset - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _anew(self) -> None:
        self._before = set(self._given)
        self._begin()

    def _news(self, file: BinaryIO) -> list[bytes]:
        """Return the whole lines that are new; behind the last newline stands what is being written."""
        file.seek(self._offset)
        content = file.read()
        content = content[: content.rfind(b"\n") + 1]
        if not content:
            return []
        if not self._offset and content.startswith(BOM):
            self._utf8 = True
        self._head += content[: _HEAD_BYTES - len(self._head)]
        self._mark = (self._mark + content[-_MARK_BYTES:])[-_MARK_BYTES:]
        first, self._offset = not self._offset, self._offset + len(content)
        return content.removeprefix(BOM if first else b"").split(b"\n")[:-1]

    def _rows(self, lines: list[bytes]) -> Iterator[DatRow]:
        for raw in lines:
            self._line += 1
            line = decode(raw, utf8=self._utf8).rstrip("\r")
            if not line.strip():
                continue
            mark = line.strip()
            if mark == HEADER:
                if self._above is None:
                    self._say(f"line {self._line}: a second header")
                self._above, self._awaits_columns = [], False
            elif mark == DATA:
                if self._above:
                    self._header = read_header(self._above)
                self._above, self._awaits_columns = None, True
            elif self._awaits_columns:
                self._take_columns(line)
            elif self._above is not None and not self._is_cut_at(line):
                self._above.append(line)
            elif self._columns is not None and (row := self._row(line, self._columns)) is not None:
                yield row

    def _is_cut_at(self, line: str) -> bool:
        """Say whether a row stands where the header was, because a file has lost its end; it is over then."""
        if self._columns is None or line.count(",") < max(len(self._columns.names) - 1, _HEADER_CELLS):
            return False
        self._above = None
        return True

    def _take_columns(self, line: str) -> None:
        self._awaits_columns = False
        columns = read_columns(line, self._header.option)
        if any(math.isfinite(number(name) or math.nan) for name in columns.names):
            self._say(f"line {self._line}: a row has run into the row of columns; it is left out")
            if self._columns is not None:
                return
        if self._columns is not None and columns != self._columns:
            self._say(f"the columns are others from line {self._line} on")
            self._commas = 0
        self._columns = columns
        self._places = resolve(columns.names, self._header.option)
        self._kinds = kinds_of(self._header.option)
        for name in unknown_columns(columns.names, self._header.option):
            self._say(f"unknown column {name!r}; it is left out")

    def _row(self, line: str, columns: ColumnRow) -> DatRow | None:
        cells = columns.cells(line)
        comment = "" if columns.comment is None else cells[columns.comment].strip()
        commas = line.count(",") - comment.count(",")
        self._commas = self._commas or max(commas, len(columns.names) - 1)
        if commas > self._commas:  # its numbers stand in the places of others
            self._say(
                f"line {self._line}: {commas + 1} cells where others have {self._commas + 1}, so a row has "
                "run into another; it is left out"
            )
            return None
        remark = columns.is_remark(cells)
        values = {} if remark else self._values(cells, columns.names)
        key = str(values.get("time_stamp_s", line))
        if key in self._before:
            self._repeated += 1
            return None
        self._given.add(key)
        return DatRow(self._line, values, comment, "remark" if remark else self._kind(values))

    def _values(self, cells: list[str], names: tuple[str, ...]) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, (factor, places) in self._places.items():
            for place in places:
                value = number(cells[place])
                if value is None:
                    self._say(
                        f"line {self._line}: {names[place]} = {cells[place].strip()!r} is no number; left out"
                    )
                elif not math.isnan(value):
                    values[name] = value * factor if factor != 1.0 else value
                    break
        fixed, free = values.get("moment_fixed_emu", math.nan), values.get("moment_free_emu", math.nan)
        if not (math.isnan(fixed) and math.isnan(free)):
            fits = values.get("fit_fixed", math.nan), values.get("fit_free", math.nan)
            used = chosen_fit(*fits, fixed, free)
            values["moment_emu"] = values[f"moment_{used}_emu"]
            if (error := values.get(f"moment_{used}_error_emu")) is not None:
                values["moment_error_emu"] = error
        return values

    def _kind(self, values: Mapping[str, float]) -> Kind:
        return next((kind for kind, marks in self._kinds if any(mark in values for mark in marks)), "other")

    def _say(self, what: str) -> None:
        text = f"{self._path.name}: {what}"
        if text not in self._said:
            self._said.add(text)
            self._remarks.append(text)
