"""The good points of stored runs as the arrays that the analyses and the figure take."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from onnes.analysis.field_pairs import Averaged, average_directions, symmetrise
from onnes.analysis.isotherm import Floats, Isotherm
from onnes.storage.reader import Run

# Relative, where the sample file gives no uncertainty of its sizes: voltage contacts have a width.
_USUAL_SIGMA = 0.05
ABOVE_NOISE = 3.0  # standard errors from which on a resistance is told from zero
_OVERSHOT = 1.1  # widths of a finer pass: a sweep goes on to the point that is due (a)
_MOST_ZERO = 0.2  # share of such points from which on an isotherm is that of a superconductor


@dataclass(frozen=True, slots=True)
class Geometry:
    """Size between the voltage contacts, cm, and the relative uncertainty of w/l and of w t/l."""

    length_cm: float
    width_cm: float
    thickness_cm: float
    sheet_sigma: float
    bulk_sigma: float

    @property
    def resistivity_per_ohm(self) -> float:
        """Return w t / l, cm: rho = R w t / l."""
        return self.width_cm * self.thickness_cm / self.length_cm


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One monotone pass in the order of measuring; ``rate`` is signed dT/dt, K/s."""

    direction: str
    temperature: Floats
    rate: Floats
    field: Floats
    resistance: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TemperatureRun:
    """R(T) in one field. ``swept`` is False where each temperature was settled, so that nothing lags."""

    run: Run
    field_oe: float
    branches: tuple[Branch, ...]
    rejected: Branch
    swept: bool
    geometry: Geometry | None


@dataclass(frozen=True, slots=True, eq=False)
class IsothermCurves:
    """R(H) at one temperature: the passes, and what is left when their asymmetry is taken out.

    ``averaged`` is None where only one direction was measured; ``isotherm`` is None where no point is left.
    ``superconducting_oe`` is the highest field at which R is not told from its noise, where that holds for
    more than a fifth of the points, and None otherwise.
    """

    setpoint_k: float
    branches: tuple[Branch, ...]
    averaged: Averaged | None
    isotherm: Isotherm | None
    superconducting_oe: float | None = None

    @property
    def superconducting(self) -> str:
        """Return up to which field this isotherm is superconducting, as text; empty where it is not."""
        if self.superconducting_oe is None:
            return ""
        return f"superconducting up to {self.superconducting_oe:.0f} Oe at {self.setpoint_k:.3g} K"


@dataclass(frozen=True, slots=True, eq=False)
class FieldRun:
    """R(H) at a set of temperatures, ordered by temperature."""

    run: Run
    curves: tuple[IsothermCurves, ...]
    rejected: Branch
    geometry: Geometry | None

    @property
    def isotherms(self) -> list[Isotherm]:
        """Return the isotherms that the scaling analyses take."""
        return [curve.isotherm for curve in self.curves if curve.isotherm is not None]


def temperature_run(run: Run) -> TemperatureRun:
    """Return the R(T) curves of a ``resistivity-temperature`` run."""
    rows = _good(run)
    size, rejected = _geometry(run.manifest), _rejected(run)
    if rows.empty:
        return TemperatureRun(run, float("nan"), (), rejected, False, size)
    swept = bool(rows["Temperature setpoint (K)"].isna().any())
    branches = [_branch(part, "warming", "cooling", "Temperature (K)") for part in _passes(rows)]
    spliced = tuple(_spliced(branches, _fine_width_k(run.manifest)))
    return TemperatureRun(run, float(rows["Field setpoint (Oe)"].median()), spliced, rejected, swept, size)


def _fine_width_k(manifest: Mapping[str, Any]) -> float:
    """Return how wide the finer pass of a run is, K; 0 without one."""
    text = str(manifest.get("header", {}).get("parameters", {}).get("Fine", ["{}"])[0])
    return float(json.loads(text).get("width_k", 0.0))


def _spliced(branches: list[Branch], width_k: float) -> list[Branch]:
    """Return the coarse passes; in the one of its direction the finer pass stands for what it measured again.

    Alone it has no normal state above its transition, and nothing could be said of it.
    """
    *coarse, fine = branches
    spans = [float(np.ptp(branch.temperature)) for branch in branches]
    if not coarse or not width_k or spans[-1] > _OVERSHOT * width_k or max(spans[:-1]) < 2 * width_k:
        return branches
    alike = [branch for branch in coarse if branch.direction == fine.direction]
    into = (alike or coarse)[-1]
    low, high = float(fine.temperature.min()), float(fine.temperature.max())
    below, above = into.temperature < low, into.temperature > high
    parts = [_part(into, below), fine, _part(into, above)]
    joined = _joined(parts if into.direction == fine.direction else [parts[2], _turned(fine), parts[0]])
    return [joined if branch is into else branch for branch in coarse]


def _part(branch: Branch, inside: np.ndarray) -> Branch:
    arrays = (branch.temperature, branch.rate, branch.field, branch.resistance, branch.sigma)
    return Branch(branch.direction, *(array[inside] for array in arrays))


def _turned(branch: Branch) -> Branch:
    return _part(branch, np.arange(len(branch.temperature))[::-1])


def field_run(run: Run) -> FieldRun:
    """Return the isotherms of a ``resistivity-field`` run; a row belongs to its temperature setpoint.

    The points of the reference belong to none: they tell of a drift.
    """
    rows = _good(run)
    rows = rows[rows["Direction"] != "reference"] if len(rows) else rows
    if rows.empty:
        return FieldRun(run, (), _rejected(run), _geometry(run.manifest))
    curves = [
        _isotherm(float(part["Temperature setpoint (K)"].iloc[0]), part)
        for _, part in rows.groupby("Temperature setpoint (K)", sort=True)
    ]
    return FieldRun(run, tuple(curves), _rejected(run), _geometry(run.manifest))


def _isotherm(setpoint_k: float, rows: pd.DataFrame) -> IsothermCurves:
    branches = tuple(_branch(part, "rising", "falling", "Field (Oe)") for part in _passes(rows))
    rising = [_approached(branch) for branch in branches if branch.direction == "rising"]
    falling = [_approached(branch) for branch in branches if branch.direction == "falling"]
    averaged = None
    if rising and falling:
        up, down = _joined(rising), _joined(falling)
        pair = (up.field, up.resistance, up.sigma, down.field, down.resistance, down.sigma)
        averaged = average_directions(*pair)
        # A pickup of the Hall voltage is odd in H and leaves only when both signs were measured.
        if up.field.min() < -0.5 * up.field.max():
            even = symmetrise(*pair)
            field, resistance, sigma = even.field, even.rxx, even.sigma
        else:
            field, resistance, sigma = averaged.field, averaged.resistance, averaged.sigma
    else:
        one = _joined(list(branches))
        field, resistance, sigma = one.field, one.resistance, one.sigma
    finite = np.isfinite(field) & np.isfinite(resistance)
    # R > 0 alone would keep the positive half of the noise about zero.
    keep = finite & (resistance > 0) & (resistance > ABOVE_NOISE * sigma)
    zero = finite & ~keep
    superconducting_oe = None
    if zero.sum() > _MOST_ZERO * finite.sum():
        superconducting_oe = float(np.abs(field[zero]).max())
    isotherm = None
    if keep.any():
        mean_k = float(rows["Temperature (K)"].mean())
        isotherm = Isotherm(mean_k, field[keep], resistance[keep], sigma[keep])
    return IsothermCurves(setpoint_k, branches, averaged, isotherm, superconducting_oe)


def _good(run: Run) -> pd.DataFrame:
    """Return the rows that count, with a finite resistance and without a flag, in order of time.

    A curve that was taken up is one branch of several attempts: it went on beyond its last reading.
    """
    rows = run.current
    if rows.empty:
        return rows
    unflagged = rows["Flags"].fillna("").astype(str) == ""
    good: pd.DataFrame = rows[
        unflagged & np.isfinite(rows["Resistance (ohm)"]) & np.isfinite(rows["Temperature (K)"])
    ]
    return good


def _passes(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for _, part in rows.groupby("Curve", sort=True):
        yield part


def _branch(rows: pd.DataFrame, up: str, down: str, along: str) -> Branch:
    directions = rows["Direction"].unique()
    direction = str(directions[0]) if len(directions) == 1 else ""
    if direction not in (up, down):  # settled points carry the order of their setpoints only
        swept = rows[along].to_numpy(dtype=np.float64)
        direction = up if len(swept) < 2 or swept[-1] >= swept[0] else down
    return _arrays(rows, direction)


def _approached(branch: Branch) -> Branch:
    """Return a pass without its first point: that field was reached the other way round, or not moved at all.

    The remanence of the magnet has the sign of the last change, so this point belongs to the other direction:
    left in, the two ends of an averaged isotherm keep all of it.
    """
    if len(branch.field) < 2:
        return branch
    arrays = (branch.temperature, branch.rate, branch.field, branch.resistance, branch.sigma)
    return Branch(branch.direction, *(array[1:] for array in arrays))


def _arrays(rows: pd.DataFrame, direction: str) -> Branch:
    def column(label: str) -> Floats:
        return rows[label].to_numpy(dtype=np.float64)

    return Branch(
        direction,
        column("Temperature (K)"),
        column("Temperature rate (K/min)") / 60.0,
        column("Field (Oe)"),
        column("Resistance (ohm)"),
        np.nan_to_num(column("Resistance error (ohm)"), nan=0.0),
    )


def _joined(branches: list[Branch]) -> Branch:
    if len(branches) == 1:
        return branches[0]
    parts = [(b.temperature, b.rate, b.field, b.resistance, b.sigma) for b in branches]
    return Branch(branches[0].direction, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _rejected(run: Run) -> Branch:
    rows = run.rejected
    if rows.empty:
        nothing = np.empty(0)
        return Branch("", nothing, nothing, nothing, nothing, nothing)
    return _arrays(rows, "")


def _geometry(manifest: Mapping[str, Any]) -> Geometry | None:
    names = ("length_cm", "width_cm", "thickness_cm")
    sizes = {name: float(size) for name, size in manifest.get("geometry", {}).items() if name in names}
    if len(sizes) < len(names) or not all(size > 0 for size in sizes.values()):
        return None
    given = manifest.get("geometry_uncertainty", {})
    relative = {name: given[name] / size for name, size in sizes.items() if name in given}
    sheet = math.hypot(relative.get("length_cm", 0.0), relative.get("width_cm", 0.0))
    bulk = math.hypot(sheet, relative.get("thickness_cm", 0.0))
    return Geometry(**sizes, sheet_sigma=sheet or _USUAL_SIGMA, bulk_sigma=bulk or _USUAL_SIGMA)
