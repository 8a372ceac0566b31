"""The writer of the slow stream, ``environment.csv``: one row a look, and its first row fixes the columns."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.records import plain
from onnes.storage.append_file import AppendFile
from onnes.storage.table import (
    cell,
    column_line,
    header_length,
    onnes_entries,
    onnes_line,
    plain_as,
    table_parts,
)

ENVIRONMENT = "environment.csv"


class EnvironmentFile:
    """The slow stream of a night, taken up when it exists.

    Args:
        night: the night folder.
        wall: as for :class:`AppendFile`.
        about: what stands above the columns.

    Raises:
        StorageError: if the file cannot be written, or is damaged.
    """

    def __init__(self, night: Path, wall: Clock, about: Mapping[str, Any]) -> None:
        path = night / ENVIRONMENT
        self._about = about
        self._texts: dict[str, bool] = {}  # label: does it hold text
        self._left_out: set[str] = set()
        self._found = path.exists()
        if not self._found:
            self.file = AppendFile.create(path, wall)
            return
        self.file = AppendFile.take_up(path, wall, table_parts)
        head = self.file.head
        if head:
            (labels,) = csv.reader([head[header_length(head) :].decode()])
            texts = onnes_entries(head).get("text", [])
            self._texts = {label: label in texts for label in labels}

    def append(self, row: Mapping[str, float | int | str]) -> None:
        """Add one row.

        A file that was taken up keeps its columns, whatever the station reads now: what it has no column for
        is left out, and said once in ``file.remarks``; what is not read any more stays empty.

        Raises:
            TypeError: if a value is no number or text, or is one where the first row had the other.
            ValueError: if the columns are others than those of the first row; nothing is written.
            StorageError: if it cannot be written; the row is kept.
        """
        if not self._texts:
            texts = {label: isinstance(value, str) for label, value in row.items()}
            line = _line(texts, row)  # whatever is wrong with it is found before anything is kept
            named = [label for label, text in texts.items() if text]
            self.file.head = onnes_line({**self._about, "text": named}) + column_line(texts)
            self._texts = texts
            self.file.append(self.file.head + line)
            return
        if self._found:
            row = self._fitted(row)
        if row.keys() != self._texts.keys():
            raise ValueError(
                f"{ENVIRONMENT} has the columns of its first row; "
                f"missing {sorted(self._texts.keys() - row.keys())}, "
                f"unknown {sorted(row.keys() - self._texts.keys())}"
            )
        self.file.append(_line(self._texts, row))

    def _fitted(self, row: Mapping[str, float | int | str]) -> Mapping[str, float | int | str]:
        fitting = {
            label: value for label, value in row.items() if self._texts.get(label) is isinstance(value, str)
        }
        new = sorted(row.keys() - fitting.keys() - self._left_out)
        if new:
            self._left_out.update(new)
            self.file.remarks.append(
                f"{ENVIRONMENT} has no column for {', '.join(map(repr, new))}, or one of another type; "
                "left out from here on"
            )
        return {label: "" if text else math.nan for label, text in self._texts.items()} | fitting


def _line(texts: Mapping[str, bool], row: Mapping[str, float | int | str]) -> bytes:
    cells = [
        cell(plain_as(row[label], "text", label) if text else _number(row[label], label))
        for label, text in texts.items()
    ]
    return (",".join(cells) + "\n").encode()


def _number(value: object, label: str) -> float | int:
    found = plain(value, label)
    if isinstance(found, str):
        raise TypeError(f"column {label!r} got the text {found!r}; in the first row it held a number")
    return found
