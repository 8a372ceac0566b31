"""A calibration of the field that a magnet keeps at zero current: measured once, used before every night."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, PrivateAttr

from onnes.instruments import quantities
from onnes.instruments.protocols import FieldApproach
from onnes.instruments.quantities import show
from onnes.instruments.toml_file import Problem, line_of, load_toml, read_text
from onnes.runner.references import shown

Method = Literal["pd", "hall_probe"]


class Entry(BaseModel, extra="forbid", frozen=True):
    """One measured residual field: after which way to zero, from which field; with one sigma."""

    after: FieldApproach
    degauss_from: quantities.Field
    residual: quantities.Field
    uncertainty: quantities.Field
    measured: date
    method: Method


class ResidualCalibration(BaseModel, extra="forbid", frozen=True):
    """A calibration file: entries for different ways to zero; ``magnet`` says in words which it is of."""

    calibration: Literal[1]
    magnet: str = ""
    entry: tuple[Entry, ...]

    _path: Path = PrivateAttr(default=Path())
    _text: str = PrivateAttr(default="")

    def nearest(
        self, after: FieldApproach, degauss_from_oe: float, method: Method | None = None
    ) -> tuple[Entry, str]:
        """Return the entry of the same way to zero that began nearest to ``degauss_from_oe``, and its source.

        The source is in words, with file and line. Of two equally near the one measured last counts.

        Args:
            method: how it must have been measured; None: anyhow.

        Raises:
            ValueError: if there is none of that way and method.
        """
        fit = [
            (index, entry)
            for index, entry in enumerate(self.entry)
            if entry.after == after and method in (None, entry.method)
        ]
        if not fit:
            by = "" if method is None else f" by {method}"
            there = ", ".join(sorted({f"{entry.after} by {entry.method}" for entry in self.entry}))
            raise ValueError(
                f"{shown(self._path)} has no residual field measured{by} after {after}; it has {there}; "
                "measure one, or approach zero as it was measured"
            )
        last = max(entry.measured for _, entry in fit)
        index, entry = min(
            fit,
            key=lambda one: (
                abs(float(one[1].degauss_from) - degauss_from_oe),
                (last - one[1].measured).days,
            ),
        )
        line = line_of(self._text, ("entry", index))
        told = (
            f"{shown(self._path)}:{line}, measured {entry.measured.isoformat()} by {entry.method} after "
            f"{entry.after} from {show(entry.degauss_from, 'field', 'Oe')}"
        )
        return entry, told


def load_residual_calibration(path: Path) -> ResidualCalibration:
    """Return what the calibration file at ``path`` says.

    Raises:
        ConfigurationError: if there is no such file or it says something wrong, with every line.
    """
    found = load_toml(path, ResidualCalibration, _problems)
    found._path, found._text = path, read_text(path)
    return found


def _problems(file: ResidualCalibration) -> Iterator[Problem]:
    if not file.entry:
        yield Problem(("entry",), "there is no [[entry]]; expected one for each way to zero")
    for index, entry in enumerate(file.entry):
        for key, value in (("degauss_from", entry.degauss_from), ("uncertainty", entry.uncertainty)):
            if value <= Decimal(0):
                yield Problem(("entry", index, key), f"{key} = {value.normalize():f} Oe is not above zero")
