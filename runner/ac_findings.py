"""What ac susceptibility says: phase, chi' and chi'', half screening, Jc, rectangles and loss peaks.

A run has rows of several amplitudes, frequencies and dc fields. Phase and background belong to a frequency; a
set of rectangles to a frequency and a dc field; a shift of the loss peak to an amplitude and a dc field.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pandas as pd

from onnes.analysis.ac_phase import AcCalibration, AcMoments, calibration
from onnes.analysis.ac_susceptibility import AcCurve, ac_curve, heating_check, intrinsic, screening
from onnes.analysis.bean import Rectangle, Shape
from onnes.analysis.civale import (
    CivaleSet,
    civale_set,
    closure,
    critical_current_at,
    critical_current_at_half_screening,
    half_screening,
    screened_without_loss,
)
from onnes.analysis.loss_peak import frequency_shift, loss_peak
from onnes.analysis.result import Result, refused
from onnes.runner.moment_body import Body, body_of
from onnes.runner.moment_measured import THERMOMETER_K
from onnes.runner.results import Keyed
from onnes.storage.reader import Run

SUSCEPTIBILITY = "susceptibility-temperature"

_LEVELS = (-0.3, -0.4, -0.5)
_SLAB = 3.0  # of the sides of a cross-section: from there on flux enters from two sides (a)
_DEEP_K = 1.0  # above the coldest point: there the sample screens all, if it does anywhere


@dataclass(frozen=True, slots=True, eq=False)
class DriveCurve:
    """chi of one drive, corrected as far as that is known; ``again`` is the first amplitude once more.

    ``asked_oe`` is the amplitude that was asked for, by which results are named; that of the curve is as
    reported, where the steps of a drive count.
    """

    curve: AcCurve
    again: AcCurve | None
    direction: str
    asked_oe: float


@dataclass(frozen=True, slots=True, eq=False)
class AcFindings:
    """The curves of a run, in the order of frequency and amplitude, and the calibration by frequency."""

    name: str
    manifest: Mapping[str, Any]
    body: Body
    curves: tuple[DriveCurve, ...]
    calibrations: Mapping[float, AcCalibration]
    rejected: pd.DataFrame = field(repr=False)


def ac_findings(run: Run) -> tuple[AcFindings, Keyed]:
    """Return the curves of a run and what they say.

    Raises:
        StorageError: if a file is damaged.
    """
    body = body_of(run.manifest)
    table = run.current
    good = table[table["Flags"].fillna("").astype(str) == ""] if len(table) else table
    if good.empty:
        found = AcFindings(run.path.name, run.manifest, body, (), {}, table)
        return found, [("chi-ac", refused("chi'", "1", "alternating moment", "the run has no good point"))]
    calibrations = {
        cast(float, hertz): _calibration(part)
        for hertz, part in _first_harmonic(good).groupby("Frequency (Hz)")
    }
    keyed: Keyed = [
        (f"ac-phase-{hertz:g}Hz", _named(one.phase, f"{hertz:g} Hz")) for hertz, one in calibrations.items()
    ]
    if body.volume_cm3 is None:
        reason = body.why["volume_cm3"]
        found = AcFindings(run.path.name, run.manifest, body, (), calibrations, good.iloc[:0])
        return found, [*keyed, ("chi-ac", refused("chi'", "1", "4 pi m/(V h)", reason))]
    curves = tuple(_curves(_first_harmonic(good), calibrations, body, body.volume_cm3))
    found = AcFindings(run.path.name, run.manifest, body, curves, calibrations, good.iloc[:0])
    keyed += _of_curves(curves)
    keyed += _of_sets(curves, body)
    keyed += _of_frequencies(curves)
    return found, [(key, _with_flags(result, curves, calibrations, key)) for key, result in keyed]


# -- from rows to curves


def _first_harmonic(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["Harmonic"] == 1]


def _moments(rows: pd.DataFrame) -> AcMoments:
    sigma = rows[["Moment in phase error (emu)", "Moment quadrature error (emu)"]].max(axis=1)
    return AcMoments.of(
        rows["Moment in phase (emu)"],
        rows["Moment quadrature (emu)"],
        sigma.fillna(0.0),
        rows["Amplitude (Oe)"],
    )


def _calibration(rows: pd.DataFrame) -> AcCalibration:
    phase, above = (_moments(rows[rows["Branch"] == name]) for name in ("phase", "background"))
    return calibration(phase, above)


def _curves(
    rows: pd.DataFrame, calibrations: Mapping[float, AcCalibration], body: Body, volume_cm3: float
) -> list[DriveCurve]:
    keys = ["Frequency (Hz)", "Field setpoint (Oe)", "Amplitude setpoint (Oe)", "Direction"]
    shown = rows[rows["Branch"].isin(["curve", "heating_check"])]
    # A coil without a magnet is at 0 Oe.
    shown = shown.assign(**{"Field setpoint (Oe)": shown["Field setpoint (Oe)"].fillna(0.0)})
    found = []
    for key, part in shown.groupby(keys, sort=True):
        hertz, dc_oe, asked_oe, direction = cast(tuple[float, float, float, str], key)
        pair = [part[part["Branch"] == name] for name in ("curve", "heating_check")]
        if pair[0].empty:
            continue
        made = [
            _curve(one, calibrations[hertz], body, volume_cm3, hertz, dc_oe) if len(one) else None
            for one in pair
        ]
        if made[0] is not None:
            found.append(DriveCurve(made[0], made[1], direction, asked_oe))
    return found


def _curve(
    rows: pd.DataFrame, known: AcCalibration, body: Body, volume_cm3: float, hertz: float, dc_oe: float
) -> AcCurve:
    corrected = known.corrected(_moments(rows))
    outside = ac_curve(
        rows["Temperature (K)"],
        corrected,
        volume_cm3=volume_cm3,
        frequency_hz=hertz,
        dc_field_oe=dc_oe,
        geometry_sigma=body.volume_sigma,
    )
    made = outside if body.n is None else intrinsic(outside, body.n.n)
    return replace(made, thermometer_k=THERMOMETER_K)


# -- what they say


def _drive(one: DriveCurve) -> str:
    return f"{one.asked_oe:.3g}Oe-{one.curve.frequency_hz:.4g}Hz{_in_dc(one.curve.dc_field_oe)}"


def _in_dc(dc_oe: float) -> str:
    """Return the end of the key of a result in a dc field, nothing without one."""
    return f"-{dc_oe:.4g}Oe-dc" if dc_oe else ""


def _of_curves(curves: tuple[DriveCurve, ...]) -> Keyed:
    keyed: Keyed = []
    for one in curves:
        curve = one.curve
        deep = screening(curve, float(curve.temperature[0]) + _DEEP_K)
        dc = f", {curve.dc_field_oe:.4g} Oe dc" if curve.dc_field_oe else ""
        where = f"{curve.amplitude_oe:.3g} Oe, {curve.frequency_hz:.4g} Hz{dc}"
        keyed.append((f"chi-screening-{_drive(one)}", _named(deep, where)))
        if one.again is not None:
            keyed.append((f"ac-heating-{_drive(one)}", _named(heating_check(curve, one.again), where)))
        keyed.append((f"loss-peak-{_drive(one)}", loss_peak(curve)))
    return keyed


def _of_sets(curves: tuple[DriveCurve, ...], body: Body) -> Keyed:
    keyed: Keyed = []
    groups: dict[tuple[float, float, str], list[DriveCurve]] = {}
    for one in curves:
        key = (one.curve.frequency_hz, one.curve.dc_field_oe, one.direction)
        groups.setdefault(key, []).append(one)
    several_hz, several_dc = (len({key[place] for key in groups}) > 1 for place in (0, 1))
    for (hertz, dc_oe, _), group in groups.items():
        after = f"-{hertz:.4g}Hz{_in_dc(dc_oe)}"
        # Said of a set where the run has others that it could be taken for.
        where = [f"{hertz:.4g} Hz"] * several_hz + [f"{dc_oe:.4g} Oe dc"] * several_dc
        if len(group) < 2:
            continue
        try:
            together = civale_set([one.curve for one in group])
        except ValueError as error:
            reason = str(error)
            keyed.append((f"rectangle{after}", refused("rectangles", "K", "T_B - T_D", reason)))
            continue
        asked_oe = [one.asked_oe for one in sorted(group, key=lambda one: one.curve.amplitude_oe)]
        found = _of_set(together, asked_oe, body, after)
        keyed += [(key, _named(result, ", ".join(where)) if where else result) for key, result in found]
    return keyed


def _of_set(together: CivaleSet, asked_oe: list[float], body: Body, after: str) -> Keyed:
    temperatures = half_screening(together)
    keyed: Keyed = [
        (f"half-screening-{asked:.3g}Oe{after}", found)
        for asked, found in zip(asked_oe, temperatures, strict=True)
    ]
    keyed += [(f"rectangle{after}-{abs(level):g}", closure(together, level)) for level in _LEVELS]
    if body.across is None:
        reason = body.why.get("across", "the cross-section is not known")
        keyed.append((f"jc-ac{after}", refused("Jc at half screening", "A/cm^2", "x = 1", reason)))
        return keyed
    # The construction of the paper: a slab of half the thickness across the field.
    reach = body.across.reach_cm
    grains = screened_without_loss(together.curves[0])
    currents = [
        _as_slab(
            critical_current_at_half_screening(
                curve.amplitude_oe, reach, reach * body.volume_sigma / 2, "paper", grains
            ),
            body.across,
        )
        for curve in together.curves
    ]
    for asked, kelvin, current in zip(asked_oe, temperatures, currents, strict=True):
        if kelvin.value is not None:
            keyed.append((f"jc-ac-{asked:.3g}Oe{after}", _at(current, kelvin)))
    # At round temperatures, which nights and papers have in common.
    for near in dict.fromkeys(round(one.value, 1) for one in temperatures if one.value is not None):
        current = critical_current_at(near, temperatures, currents)
        if current.value is not None:
            keyed.append((f"jc-ac-at-{near:g}K{after}", current))
    return keyed


def _as_slab(current: Result, across: Shape) -> Result:
    """Return a Jc by x = 1 with a flag where the cross-section is nearer to a square than to a slab."""
    is_slab = isinstance(across, Rectangle) and max(across.sides_cm) > _SLAB * min(across.sides_cm)
    return current if is_slab else replace(current, flags=(*current.flags, "slab_formula"))


def _at(current: Result, kelvin: Result) -> Result:
    """Return a Jc with the temperature it belongs to, and its error, in goodness."""
    where = {"temperature_k": kelvin.value or math.nan, "temperature_sigma_k": kelvin.sigma or 0.0}
    return replace(
        current,
        quantity=f"{current.quantity}, {kelvin.value:.5g} K",
        goodness={**current.goodness, **where},
    )


def _of_frequencies(curves: tuple[DriveCurve, ...]) -> Keyed:
    keyed: Keyed = []
    groups: dict[tuple[float, float, str], list[AcCurve]] = {}
    for one in curves:
        key = (one.asked_oe, one.curve.dc_field_oe, one.direction)
        groups.setdefault(key, []).append(one.curve)
    for (amplitude, dc_oe, _), group in groups.items():
        ordered = sorted(group, key=lambda curve: curve.frequency_hz)
        if len(ordered) > 1:
            shift = frequency_shift(ordered[0], ordered[-1])
            named = _named(shift, f"{amplitude:.3g} Oe")
            keyed.append((f"loss-peak-shift-{amplitude:.3g}Oe{_in_dc(dc_oe)}", named))
    return keyed


def _named(result: Result, where: str) -> Result:
    return replace(result, quantity=f"{result.quantity}, {where}")


def _with_flags(
    result: Result, curves: tuple[DriveCurve, ...], calibrations: Mapping[float, AcCalibration], key: str
) -> Result:
    """Return a result with what is wrong with all curves: no phase, no background, no demagnetisation."""
    if result.value is None or key.startswith("ac-phase"):
        return result
    flags = dict.fromkeys(flag for one in calibrations.values() for flag in one.flags)
    if any(one.curve.kind == "external" for one in curves):
        flags["external"] = None
    new = tuple(flag for flag in flags if flag not in result.flags)
    return replace(result, flags=(*result.flags, *new))
