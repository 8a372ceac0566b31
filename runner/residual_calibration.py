"""A calibration of the field that a magnet keeps at zero current: measured once, used before every night."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_ONE_NIGHT_DAYS = 1  # entries no further apart are repeats: a night passes midnight
# Half-width of the central 68.3 % of Student's t over sigma, for 2 repeats, 3, ...; beyond, the last.
_STUDENT = (1.84, 1.32, 1.20, 1.14, 1.11, 1.09, 1.08, 1.07, 1.06, 1.05)


class Entry(BaseModel, extra="forbid", frozen=True):
    """One measured residual field: after which way to zero, from which field; with one sigma."""

    after: FieldApproach
    degauss_from: quantities.Field
    residual: quantities.Field
    uncertainty: quantities.Field
    measured: date
    method: Method


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The residual field to expect the next time, Oe, with one sigma, and in words whence it is known."""

    residual_oe: float
    sigma_oe: float
    known: str


class ResidualCalibration(BaseModel, extra="forbid", frozen=True):
    """A calibration file: entries for different ways to zero; ``magnet`` says in words which it is of."""

    calibration: Literal[1]
    magnet: str = ""
    entry: tuple[Entry, ...]

    _path: Path = PrivateAttr(default=Path())
    _text: str = PrivateAttr(default="")

    def expected(
        self, after: FieldApproach, degauss_from_oe: float, method: Method | None = None
    ) -> Calibrated:
        """Return the residual field to expect after the same way to zero, from nearest ``degauss_from_oe``.

        Of entries equally near those measured last count. Repeats of one night count together: the mean, and
        as sigma how far one further repeat is expected from it. One entry alone has no spread: its sigma is
        that of the measurement, and what the next way to zero leaves may be further away.

        Args:
            method: how it must have been measured; None: anyhow.

        Raises:
            ValueError: if there is none of that way and method.
        """
        fit = [entry for entry in self.entry if entry.after == after and method in (None, entry.method)]
        if not fit:
            by = "" if method is None else f" by {method}"
            there = ", ".join(sorted({f"{entry.after} by {entry.method}" for entry in self.entry}))
            raise ValueError(
                f"{shown(self._path)} has no residual field measured{by} after {after}; it has {there}; "
                "measure one, or approach zero as it was measured"
            )
        near = min(abs(float(entry.degauss_from) - degauss_from_oe) for entry in fit)
        fit = [entry for entry in fit if abs(float(entry.degauss_from) - degauss_from_oe) == near]
        last = max(fit, key=lambda entry: entry.measured)
        repeats = [
            entry
            for entry in fit
            if (entry.degauss_from, entry.method) == (last.degauss_from, last.method)
            and (last.measured - entry.measured).days <= _ONE_NIGHT_DAYS
        ]
        residual_oe, sigma_oe = _next_of(repeats)
        line = line_of(self._text, ("entry", self.entry.index(repeats[0])))
        times = f", {len(repeats)} times" if len(repeats) > 1 else ""
        told = (
            f"{shown(self._path)}:{line}, measured {last.measured.isoformat()} by {last.method}{times} after "
            f"{last.after} from {show(last.degauss_from, 'field', 'Oe')}"
        )
        return Calibrated(residual_oe, sigma_oe, told)


def _next_of(repeats: Sequence[Entry]) -> tuple[float, float]:
    """Return the mean, and sigma of one further repeat about it, Oe."""
    values = [float(entry.residual) for entry in repeats]
    own_oe = max(float(entry.uncertainty) for entry in repeats)
    n = len(values)
    if n == 1:
        return values[0], own_oe
    spread_oe = statistics.stdev(values) * (1 + 1 / n) ** 0.5 * _STUDENT[min(n - 2, len(_STUDENT) - 1)]
    # The spread of repeats holds the error of each already; it is never less than that.
    return statistics.fmean(values), max(spread_oe, own_oe)


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
