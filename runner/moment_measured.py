"""The moments of a stored run as branches: each a curve of one history, at one field or one temperature."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnes.analysis.isotherm import Floats
from onnes.analysis.susceptibility import subtract_background
from onnes.instruments.errors import ConfigurationError
from onnes.procedures.residual_field import Residual
from onnes.runner.moment_body import Body, body_of
from onnes.storage.qd_dat import read_dat
from onnes.storage.reader import Run
from onnes.storage.run import RUN_MANIFEST

# Above the transition there is no signal to fit, so a poor fit says nothing against a small moment.
HARMLESS = frozenset({"poor_fit"})
_CORRECTED = "Field corrected (Oe)"
_NEIGHBOURS = 9  # points whose median error counts where the machine gives a point less
_SAME_FIELD = 0.02  # relative; a holder was measured in the same field within this, or 1 Oe
_SAME_K = 0.5
_MAD = 1.4826  # of a Gaussian: sigma over the median distance from the median
# Two readings of one thermometer of a settled machine differ by so much, K (a): 0.02 % at 25 K.
THERMOMETER_K = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Moments in the order measured: K, Oe at the sample as far as that is known, emu, emu."""

    temperature: Floats
    field: Floats
    moment: Floats
    sigma: Floats

    def joined(self, other: "Rows") -> "Rows":
        """Return these rows and those of ``other`` after them."""
        return Rows(
            np.concatenate([self.temperature, other.temperature]),
            np.concatenate([self.field, other.field]),
            np.concatenate([self.moment, other.moment]),
            np.concatenate([self.sigma, other.sigma]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class MomentBranch:
    """One history: ``name`` is zfc, fcc, fcw, virgin, down or up.

    ``at_k`` and ``at_oe`` are what was asked for: the first is NaN in a curve over temperature, the second in
    a curve over field. ``field_sigma_oe`` is one sigma of the field at the sample, or its bound where that is
    an estimate; NaN where nobody knows it. ``reading_oe`` is the noise of the field as it is reported.
    ``flagged`` rows are shown and not used.
    """

    name: str
    at_k: float
    at_oe: float
    rows: Rows
    flagged: Rows
    field_sigma_oe: float
    reading_oe: float


@dataclass(frozen=True, slots=True, eq=False)
class MomentRun:
    """All branches of a run in the order measured, the sample under them, and what the magnet had left.

    ``name`` is that of its folder or file; ``parameters`` as :attr:`Run.parameters`.
    """

    name: str
    manifest: Mapping[str, Any]
    parameters: Mapping[str, tuple[Any, str]]
    branches: tuple[MomentBranch, ...]
    body: Body
    residual: Residual

    def of(self, at: float) -> dict[str, MomentBranch]:
        """Return {name: branch} of one field or temperature, ``down`` and ``up`` each in one piece."""
        found: dict[str, MomentBranch] = {}
        for branch in self.branches:
            if at not in (branch.at_k, branch.at_oe):
                continue
            if branch.name in found:
                first = found[branch.name]
                branch = MomentBranch(
                    branch.name,
                    branch.at_k,
                    branch.at_oe,
                    first.rows.joined(branch.rows),
                    first.flagged.joined(branch.flagged),
                    first.field_sigma_oe,
                    first.reading_oe,
                )
            found[branch.name] = branch
        return found

    @property
    def fields_oe(self) -> list[float]:
        """Return the fields of curves over temperature, in the order measured."""
        return list(dict.fromkeys(one.at_oe for one in self.branches if not np.isnan(one.at_oe)))

    @property
    def temperatures_k(self) -> list[float]:
        """Return the temperatures of curves over field, rising."""
        return sorted({one.at_k for one in self.branches if not np.isnan(one.at_k)})


def moment_run(run: Run, *, over_field: bool) -> MomentRun:
    """Return the branches of a run, without the moment of the holder where the sample file names its file.

    Raises:
        ConfigurationError: if the holder was not measured on the same grid, or its file is none.
        StorageError: if a file is damaged.
    """
    body = body_of(run.manifest)
    holder = _holder(Path(body.background)) if body.background else None
    branches = []
    table = run.current
    for _, part in table.groupby("Curve", sort=True) if len(table) else ():
        first = part.iloc[0]
        good = _harmless(part["Flags"])
        rows, flagged = rows_of(part[good], _CORRECTED), rows_of(part[~good], _CORRECTED)
        at_k = float(first["Temperature setpoint (K)"]) if over_field else float("nan")
        at_oe = float("nan") if over_field else float(first["Measuring field (Oe)"])
        if holder is not None and len(rows.moment):
            rows = _without(holder, rows, body.background, over_field=over_field)
        sigma_oe = float(part["Field corrected error (Oe)"].median())
        off_oe = part["Field (Oe)"] - part["Field setpoint (Oe)"]
        reading_oe = float(np.median(np.abs(off_oe - off_oe.median()))) * _MAD
        branches.append(MomentBranch(str(first["Branch"]), at_k, at_oe, rows, flagged, sigma_oe, reading_oe))
    residual = Residual.from_json(str(run.parameters.get("Residual", ("{}", ""))[0]))
    return MomentRun(run.path.name, run.manifest, run.parameters, tuple(branches), body, residual)


def running_sigma(sigma: Floats) -> Floats:
    """Return the error of each point, at least the median of its neighbours'.

    A machine takes it from the scatter of a few scans, which is by chance now a third of the noise, now three
    times as much: k sigma of one point is then no criterion.
    """
    known = np.nan_to_num(sigma, nan=0.0)
    usual = pd.Series(known).rolling(_NEIGHBOURS, center=True, min_periods=1).median()
    return np.asarray(np.maximum(known, usual), dtype=np.float64)


def with_thermometer(rows: Rows) -> Rows:
    """Return the rows with what the thermometer adds to sigma: its noise times the slope of the moment.

    Two curves whose thermometer readings differ by some mK differ where the moment is steep, and have not
    parted.
    """
    order = np.argsort(rows.temperature, kind="stable")
    t, m = rows.temperature[order], rows.moment[order]
    slope = np.zeros(len(t))
    if len(t) > 2:
        apart = np.maximum(t[2:] - t[:-2], THERMOMETER_K)
        slope[1:-1] = np.abs(m[2:] - m[:-2]) / apart
        slope[0], slope[-1] = slope[1], slope[-2]
    sigma = np.empty(len(t))
    sigma[order] = np.hypot(rows.sigma[order], slope * THERMOMETER_K)
    return Rows(rows.temperature, rows.field, rows.moment, sigma)


def _harmless(flags: "pd.Series[str]") -> "pd.Series[bool]":
    return flags.fillna("").astype(str).map(lambda text: set(filter(None, text.split(","))) <= HARMLESS)


def rows_of(table: pd.DataFrame, field: str = "Field (Oe)") -> Rows:
    """Return the rows of a table of moments, with the field of the column ``field``."""

    def column(label: str) -> Floats:
        return table[label].to_numpy(dtype=np.float64)

    return Rows(
        column("Temperature (K)"),
        column(field),
        column("Moment (emu)"),
        running_sigma(column("Moment error (emu)")),
    )


def _holder(path: Path) -> Rows:
    """Return the moments of an empty holder: ``data.csv`` of a run, or a file of MultiVu.

    Raises:
        ConfigurationError: if it is neither.
        StorageError: if it cannot be read.
    """
    if (path.parent / RUN_MANIFEST).is_file():
        return rows_of(Run.open(path.parent).current, _CORRECTED)
    if path.suffix.lower() != ".dat":
        raise ConfigurationError(
            f"geometry.background = {path} is no measurement; expected data.csv of a run or a .dat of MultiVu"
        )
    frame = read_dat(path).frame
    if "Moment (emu)" not in frame:
        raise ConfigurationError(f"geometry.background = {path} has no moments")
    return rows_of(frame[frame["Moment (emu)"].notna()])


def _without(holder: Rows, rows: Rows, path: str, *, over_field: bool) -> Rows:
    same = _same(holder, rows, over_field=over_field)
    x, holder_x = (rows.field, holder.field) if over_field else (rows.temperature, holder.temperature)
    if not same.any():
        where = f"{np.median(rows.temperature):.4g} K" if over_field else f"{np.median(rows.field):.4g} Oe"
        raise ConfigurationError(
            f"the holder, {path}, was not measured at {where}; measure it there, or leave out "
            "geometry.background"
        )
    try:
        moment, sigma = subtract_background(
            x, rows.moment, rows.sigma, holder_x[same], holder.moment[same], holder.sigma[same]
        )
    except ValueError as error:
        raise ConfigurationError(f"the holder, {path}: {error}") from None
    return Rows(rows.temperature, rows.field, moment, sigma)


def _same(holder: Rows, rows: Rows, *, over_field: bool) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    if over_field:
        return np.abs(holder.temperature - np.median(rows.temperature)) <= _SAME_K
    field_oe = float(np.median(rows.field))
    return np.abs(holder.field - field_oe) <= max(_SAME_FIELD * abs(field_oe), 1.0)


def all_flagged(branches: Iterable[MomentBranch]) -> Rows:
    """Return the rows of all branches that are shown and not used."""
    nothing = np.empty(0)
    found = Rows(nothing, nothing, nothing, nothing)
    for branch in branches:
        found = found.joined(branch.flagged)
    return found
