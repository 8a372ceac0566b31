"""What V(I) says: Ic by the criterion of the run and n, at each temperature and field, of both polarities."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import refused
from onnes.analysis.voltage_criterion import CriticalCurrent, critical_current
from onnes.runner.results import Keyed
from onnes.storage.reader import Run

CURRENT_VOLTAGE = "current-voltage"

_ASYMMETRIC = 3.0  # sigma between the critical currents of the two polarities
_WITHOUT_VOLTAGE = 0.8  # of Ic: with n = 20 a hundredth of the criterion is left there (a)


@dataclass(frozen=True, slots=True, eq=False)
class VoltageCurve:
    """V(I) at one temperature, K, and field, Oe: A, V, V, with what was read from it."""

    kelvin: float
    field_oe: float
    current: Floats
    voltage: Floats
    sigma: Floats
    found: CriticalCurrent


@dataclass(frozen=True, slots=True, eq=False)
class CurrentVoltageFindings:
    """The curves of a run, and the criterion, V."""

    name: str
    manifest: Mapping[str, Any]
    criterion_v: float
    curves: tuple[VoltageCurve, ...]


def current_voltage_findings(run: Run) -> tuple[CurrentVoltageFindings, Keyed]:
    """Return the curves of a run and what they say.

    Raises:
        StorageError: if a file is damaged.
    """
    criterion_v = float(run.parameters["Criterion"][0])
    rows = run.current
    # The last point of a curve may be flagged: the one at which the current was taken away.
    good = rows[rows["Flags"].fillna("").astype(str) == ""] if len(rows) else rows
    if good.empty:
        nothing = refused("Ic", "A", f"V = {criterion_v:.4g} V", "the run has no good point")
        return CurrentVoltageFindings(run.path.name, run.manifest, criterion_v, ()), [("ic", nothing)]
    curves: list[VoltageCurve] = []
    keyed: Keyed = []
    for _, part in good.groupby("Curve", sort=True):
        curve = _curve(part, criterion_v)
        curves.append(curve)
        where = f"{curve.kelvin:.4g} K, {curve.field_oe:.0f} Oe"
        after = f"-{curve.kelvin:.4g}K-{curve.field_oe:.0f}Oe"
        flags = _asymmetry(part, criterion_v)
        for key, result in (("ic", curve.found.ic), ("n-value", curve.found.n)):
            told = replace(result, quantity=f"{result.quantity}, {where}")
            keyed.append((key + after, replace(told, flags=(*told.flags, *flags)) if told.value else told))
    return CurrentVoltageFindings(run.path.name, run.manifest, criterion_v, tuple(curves)), keyed


def _curve(rows: pd.DataFrame, criterion_v: float) -> VoltageCurve:
    current, voltage, sigma = (
        rows[label].to_numpy(dtype=np.float64)
        for label in ("Current (A)", "Voltage (V)", "Voltage error (V)")
    )
    first = rows.iloc[0]
    return VoltageCurve(
        float(first["Temperature setpoint (K)"]),
        float(np.nan_to_num(cast(float, first["Field setpoint (Oe)"]))),
        current,
        voltage,
        sigma,
        critical_current(current, voltage, sigma, criterion_v=criterion_v),
    )


def _asymmetry(rows: pd.DataFrame, criterion_v: float) -> tuple[str, ...]:
    """Return a flag where the two polarities have different critical currents.

    One polarity alone has the thermal EMF in it, whose wander along the curve looks like a difference: as
    much as it is where the sample has no voltage yet is allowed for.
    """
    found = []
    for label, sign in (("Voltage positive (V)", 1.0), ("Voltage negative (V)", -1.0)):
        curve = critical_current(
            rows["Current (A)"], sign * rows[label], rows["Voltage error (V)"], criterion_v=criterion_v
        )
        if curve.ic.value is None or curve.ic.sigma is None or curve.n.value is None:
            return ()
        found.append((curve.ic.value, curve.ic.sigma, curve.n.value))
    (plus, plus_sigma, n), (minus, minus_sigma, _) = found
    free = rows[rows["Current (A)"] < _WITHOUT_VOLTAGE * min(plus, minus)]
    emf_v = 0.5 * (free["Voltage positive (V)"] + free["Voltage negative (V)"])
    wander = 2.0 * float(emf_v.std()) / (n * criterion_v) * plus
    sigma = float(np.sqrt(plus_sigma**2 + minus_sigma**2 + wander**2))
    return ("polarities_differ",) if abs(plus - minus) > _ASYMMETRIC * sigma else ()
