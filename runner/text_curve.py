"""The points of a run that is still open as a small picture of text, with bounded memory."""

import math
from collections.abc import Sequence
from pathlib import Path

from onnes.runner.file_tail import Follower, cells, labels_of
from onnes.runner.night_state import number_in
from onnes.storage.run import DATA

_MOST_POINTS = 4000  # more than a terminal can show
_MEASURED = ("Resistance (ohm)", "Moment (emu)")
_SWEPT = {  # by the kind in the folder's name
    "-temperature_": "Temperature (K)",
    "-field_": "Field (Oe)",
    "_zfc-fc_": "Temperature (K)",
    "_magnetization-": "Field (Oe)",
}
# Bits of a braille cell, two dots wide and four high, from the top; Unicode chapter 21.1.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800

XY = tuple[float, float]


class TextCurve:
    """Follows ``data.csv`` of one run; every row is read once, and of many points every n-th is kept."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.rows = 0
        self._file = Follower(run / DATA)
        self._labels: list[str] = []
        self._points: list[XY] = []
        self._every = 1
        self._x = next((label for part, label in _SWEPT.items() if part in run.name), "")
        self._y = ""

    def look(self) -> None:
        """Take in the rows that have come."""
        self._labels = self._labels or labels_of(self.run / DATA)
        if not self._labels:
            return
        self._y = next((label for label in _MEASURED if label in self._labels), "")
        known = bool(self._y) and self._x in self._labels
        for line in self._file.lines():
            row = [] if line.startswith("#") else cells(line)
            if len(row) != len(self._labels) or row == self._labels:
                continue
            if known and self.rows % self._every == 0:
                self._keep(row)
            self.rows += 1

    def lines(self, width: int, height: int, *, plain: bool) -> list[str]:
        """Return the picture, ``width`` characters wide, with the ranges of its axes.

        Args:
            plain: draw with letters, for a terminal that has no braille.
        """
        if not self._points:
            return [f"{self.run.name}: no point to draw yet"]
        x, y = ([point[axis] for point in self._points] for axis in (0, 1))
        return [
            f"{self._y} {min(y):.6g} .. {max(y):.6g} against {self._x} {min(x):.6g} .. {max(x):.6g}, "
            f"{self.rows} points, {self.run.name}",
            *picture(self._points, width, height, plain=plain),
        ]

    def _keep(self, row: list[str]) -> None:
        point = (
            number_in(row[self._labels.index(self._x)]),
            number_in(row[self._labels.index(self._y)]),
        )
        if not (math.isfinite(point[0]) and math.isfinite(point[1])):
            return
        self._points.append(point)
        if len(self._points) > _MOST_POINTS:
            self._points = self._points[::2]
            self._every *= 2


def picture(points: Sequence[XY], width: int, height: int, *, plain: bool) -> list[str]:
    """Return ``points`` drawn into ``height`` lines of ``width`` characters, the smallest at bottom left.

    >>> picture([(0, 0), (1, 1), (2, 2)], 3, 3, plain=True)
    ['  *', ' * ', '*  ']
    """
    across, down = (1, 1) if plain else (2, 4)
    grid = [[0] * width for _ in range(height)]
    columns = _places([x for x, _ in points], width * across)
    rows = _places([y for _, y in points], height * down)
    for column, row in zip(columns, rows, strict=True):
        row = height * down - 1 - row
        grid[row // down][column // across] |= 1 if plain else _DOTS[row % 4][column % 2]
    if plain:
        return ["".join(" *"[bits] for bits in line) for line in grid]
    return ["".join(chr(_BRAILLE + bits) for bits in line) for line in grid]


def _places(values: Sequence[float], count: int) -> list[int]:
    low, high = min(values), max(values)
    if not high > low:
        return [0] * len(values)
    return [min(count - 1, int((value - low) / (high - low) * count)) for value in values]
