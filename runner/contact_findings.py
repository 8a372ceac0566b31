"""What a point contact says: gaps by a fit of BTK where the curve is one, and the conductance at zero bias.

Barrier and weight belong to the contact and not to the temperature: they are fitted at the lowest temperature
and held above it. A curve in a field, which mixes normal parts into it, is shown and not fitted.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from onnes.analysis.btk import sharvin_radius_nm
from onnes.analysis.btk_bands import fit_one_or_two_bands
from onnes.analysis.btk_fit import BtkFit, ContactCurve, fit_btk
from onnes.analysis.contact_normalisation import Normalised, by_high_bias, by_normal_curve
from onnes.analysis.contact_quality import flags_of, spoils
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused
from onnes.analysis.zero_bias import ZeroBias, zero_bias
from onnes.runner.results import Keyed
from onnes.storage.reader import Run

CONDUCTANCE_BIAS, CONDUCTANCE_TEMPERATURE = "conductance-bias", "conductance-temperature"

_MV = 1e3
_ASSUMED_GAP_MV = (
    7.0  # the larger one of MgB2 (k): where no curve above Tc is, its height is taken from there
)
_OF_STEP = 5e-3  # what a filter that settles to 99 % leaves of each step, less as directions are averaged (a)
_HOPELESS_CHI2 = 10.0  # a point (a); what is below it and above 2 is flagged
_NEAR_NORMAL_K = 4.0  # below the temperature of the reference: there the contact is normal too


@dataclass(frozen=True, slots=True, eq=False)
class BiasCurve:
    """G/G_N at one temperature and field, both directions in one; with its fit, if there is one."""

    kelvin: float
    field_oe: float
    normalised: Normalised
    spoilt: str
    fit: BtkFit | None


@dataclass(frozen=True, slots=True, eq=False)
class ContactFindings:
    """All curves of dI/dV against bias of a run."""

    name: str
    manifest: Mapping[str, Any]
    curves: tuple[BiasCurve, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ZeroBiasFindings:
    """G(0)/G_N against temperature at each field of a run, {Oe: curve}."""

    name: str
    manifest: Mapping[str, Any]
    curves: Mapping[float, ZeroBias]


def contact_findings(run: Run) -> tuple[ContactFindings, Keyed]:
    """Return the curves of a run over bias, and what they say.

    Raises:
        StorageError: if a file is damaged.
    """
    rows = _good(run)
    normal = rows[rows["Branch"] == "normal"]
    shown = rows[rows["Branch"] == "curve"]
    if shown.empty:
        reason = "the run has no good point"
        return ContactFindings(run.path.name, run.manifest, ()), [
            ("gap-1", refused("gap 1", "meV", "BTK", reason))
        ]
    curves: list[BiasCurve] = []
    keyed: Keyed = []
    lowest: BtkFit | None = None
    groups = shown.groupby(["Temperature setpoint (K)", "Field setpoint (Oe)"], sort=True, dropna=False)
    for at, part in groups:
        kelvin, field_oe = cast(tuple[float, float], at)
        found, reason = _curve(part, normal, kelvin, 0.0 if math.isnan(field_oe) else field_oe)
        if found is None:
            keyed.append(("contact", refused("conductance of the contact", "1", "G/G_N", reason)))
            continue
        if found.field_oe == 0:
            found, fit = _fitted(found, lowest)
            keyed += _of_fit(fit, found, is_first=lowest is None)
            if lowest is None and fit.curve:
                lowest = fit
        elif found.spoilt:
            keyed.append(
                (
                    f"contact-{found.kelvin:.4g}K-{found.field_oe:.0f}Oe",
                    refused(
                        "conductance of the contact", "1", "G/G_N", found.spoilt, flags=flags_of(found.spoilt)
                    ),
                )
            )
        curves.append(found)
    if curves:
        keyed.append(("normal-conductance", _normal(curves[0].normalised)))
    return ContactFindings(run.path.name, run.manifest, tuple(curves)), keyed


def zero_bias_findings(run: Run) -> tuple[ZeroBiasFindings, Keyed]:
    """Return G(0)/G_N of a run at each field, and what it says.

    Raises:
        StorageError: if a file is damaged.
    """
    rows = _good(run)
    curves: dict[float, ZeroBias] = {}
    keyed: Keyed = []
    for field_oe, part in rows.assign(
        **{"Field setpoint (Oe)": rows["Field setpoint (Oe)"].fillna(0.0)}
    ).groupby("Field setpoint (Oe)"):
        normal, shown = (part[part["Branch"] == name] for name in ("normal", "zero_bias"))
        if shown.empty:
            continue
        normal_s = float(normal["Conductance (S)"].mean()) if len(normal) else None
        error_s = float(normal["Conductance error (S)"].mean()) / len(normal) ** 0.5 if len(normal) else 0.0
        hottest = float((normal if len(normal) else shown)["Temperature (K)"].max())
        found = zero_bias(
            shown["Temperature (K)"],
            shown["Conductance (S)"],
            shown["Conductance error (S)"],
            above_k=hottest - _NEAR_NORMAL_K,
            normal_s=normal_s,
            normal_sigma_s=error_s,
        )
        where = cast(float, field_oe)
        curves[where] = found
        keyed.append((f"zbc-normal-{where:.0f}Oe", _named(found.normal, f"{where:.0f} Oe")))
        if where == 0:
            keyed.append(("tc-contact", found.tc))
    if not keyed:
        keyed = [("tc-contact", refused("Tc of the contact", "K", "G(0)", "the run has no good point"))]
    return ZeroBiasFindings(run.path.name, run.manifest, curves), keyed


def _good(run: Run) -> pd.DataFrame:
    rows = run.current
    return rows[rows["Flags"].fillna("").astype(str) == ""] if len(rows) else rows


def _curve(
    rows: pd.DataFrame, normal: pd.DataFrame, kelvin: float, field_oe: float
) -> tuple[BiasCurve | None, str]:
    """Return a curve relative to its normal state, and whether it is one of the theory; or why not."""
    try:
        ways = {str(way): _normalised(part, normal) for way, part in rows.groupby("Direction")}
        whole = _normalised(rows, normal)
    except ValueError as error:
        return None, str(error)
    first, *others = ways.values()
    spoilt = spoils(first.curve, others[0].curve if others else None)
    return BiasCurve(kelvin, field_oe, whole, spoilt, None), ""


def _fitted(curve: BiasCurve, lowest: BtkFit | None) -> tuple[BiasCurve, BtkFit]:
    """Return a curve with its fit; one that no parameters of the theory come near is spoilt.

    Args:
        lowest: the fit at the lowest temperature, whose barriers and weight are held, with their errors
    """
    fit = _fit(curve.normalised.curve, lowest, curve.spoilt)
    chi2 = max((result.goodness.get("chi2_per_dof", 0.0) for result in fit.results.values()), default=0.0)
    if chi2 <= _HOPELESS_CHI2:
        return replace(curve, fit=fit), fit
    spoilt = (
        f"chi^2 is {chi2:.3g} a point: no curve of the theory, as of a contact that is heated by its "
        "current; take less bias, or a contact of higher resistance"
    )
    fit = _fit(curve.normalised.curve, lowest, spoilt)
    return replace(curve, spoilt=spoilt, fit=fit), fit


def _fit(shown: ContactCurve, lowest: BtkFit | None, spoilt: str) -> BtkFit:
    if lowest is None:
        return fit_one_or_two_bands(shown, spoilt=spoilt)
    held = {name: value for name, value in lowest.values.items() if name[0] in "zw"}
    bands = 2 if "delta_2" in lowest.values else 1
    covariance = lowest.covariance(tuple(held))
    return fit_btk(shown, bands=bands, held=held, held_covariance=covariance, spoilt=spoilt)


def _normalised(rows: pd.DataFrame, normal: pd.DataFrame) -> Normalised:
    kelvin = float(rows["Temperature (K)"].mean())  # some mK from what was asked for are seen in the smearing
    # Both directions at one bias are one point; their setpoints are equal, their readings nearly.
    grouped = rows.groupby("Bias setpoint (V)")
    count = grouped.size()
    bias = _MV * grouped["Bias (V)"].mean()
    conductance = grouped["Conductance (S)"].mean()
    sigma: pd.Series[float] = grouped["Conductance error (S)"].mean() / np.sqrt(count)
    rms_mv = _MV * float(rows["Modulation (V)"].mean())
    noise = np.maximum(_values(sigma), _noise(_values(conductance), rows))
    noise = np.hypot(noise, _OF_STEP * np.abs(np.gradient(_values(conductance))))
    if normal.empty:
        return by_high_bias(
            _values(bias),
            _values(conductance),
            noise,
            gap_mv=_ASSUMED_GAP_MV,
            temperature_k=kelvin,
            modulation_mv_rms=rms_mv,
        )
    return by_normal_curve(
        _values(bias),
        _values(conductance),
        noise,
        _MV * normal["Bias (V)"],
        normal["Conductance (S)"],
        temperature_k=kelvin,
        normal_k=float(normal["Temperature (K)"].mean()),
        modulation_mv_rms=rms_mv,
    )


def _values(column: "pd.Series[float]") -> Floats:
    return np.asarray(column, dtype=np.float64)


def _noise(conductance: Floats, rows: pd.DataFrame) -> float:
    """Return the noise of a point that the curve itself shows, S; 0 where it cannot show any."""
    shown = min(_scatter(conductance), _apart(rows))
    return shown if math.isfinite(shown) else 0.0


def _scatter(conductance: Floats) -> float:
    """Return the noise of a point from third differences, S; of a coarse curve those are its curvature."""
    if len(conductance) < 8:
        return math.inf
    third = np.diff(conductance, n=3)
    return 1.4826 * float(np.median(np.abs(third))) / 20**0.5


def _apart(rows: pd.DataFrame) -> float:
    """Return the noise of the mean of both directions from how far they are apart, S."""
    ways = [
        part.groupby("Bias setpoint (V)")["Conductance (S)"].mean() for _, part in rows.groupby("Direction")
    ]
    if len(ways) < 2:
        return math.inf
    half = 0.5 * np.abs(_values((ways[0] - ways[1]).dropna()))
    return 1.4826 * float(np.median(half)) if len(half) else math.inf


def _of_fit(fit: BtkFit, found: BiasCurve, *, is_first: bool) -> Keyed:
    keyed: Keyed = []
    words = flags_of(found.spoilt)
    for name, result in fit.results.items():
        kind, _, number = name.partition("_")
        if not is_first and kind not in ("delta", "gamma"):
            continue
        key = {"delta": "gap", "gamma": "broadening", "z": "barrier", "weight": "weight"}[kind]
        goodness = dict(result.goodness)
        if is_first:
            goodness |= _correlations(fit, name)
            if name == max(one for one in fit.free if one[0] == "z"):
                goodness |= _profile(fit)
        without = () if found.normalised.normal_sigma_s is not None else ("normal_by_high_bias",)
        flags = tuple(dict.fromkeys((*result.flags, *words, *without)))
        keyed.append(
            (
                f"{key}-{number}-{found.kelvin:.4g}K",
                replace(
                    result,
                    quantity=f"{result.quantity}, {found.kelvin:.4g} K",
                    criterion=f"{result.criterion}; G_N by {found.normalised.by}",
                    goodness=goodness,
                    flags=flags,
                ),
            )
        )
    return keyed


def _correlations(fit: BtkFit, name: str) -> dict[str, float]:
    if name not in fit.free or not fit.correlation:
        return {}
    row = fit.correlation[fit.free.index(name)]
    return {
        f"correlation_with_{other}": value
        for other, value in zip(fit.free, row, strict=True)
        if other != name
    }


def _profile(fit: BtkFit) -> dict[str, float]:
    """Return the profile over the last barrier as numbers by name."""
    found: dict[str, float] = {}
    for row in fit.profile:
        (held, value), *rest = row.items()
        found |= {f"{name}_at_{held}_{value:.3g}": number for name, number in rest}
    return found


def _normal(normalised: Normalised) -> Result:
    ohm = 1 / normalised.normal_s
    return Result(
        "normal conductance at zero bias",
        normalised.normal_s,
        normalised.normal_sigma_s,
        "S",
        normalised.by,
        goodness={"normal_ohm": ohm, "sharvin_radius_nm": sharvin_radius_nm(ohm)},
        flags=() if normalised.normal_sigma_s is not None else ("normal_by_high_bias",),
    )


def _named(result: Result, where: str) -> Result:
    return replace(result, quantity=f"{result.quantity}, {where}")
