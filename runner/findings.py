"""From stored runs to results: which analysis belongs to which run, which paper value to which result.

Which paper values a night compares with is said by its manifest and by nothing else: ``compare_with``, a list
of keys of ``paper_values.toml``. A quantity that is not among them gets a plain key, such as ``tc-onset``.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from onnes.analysis.crossings import Crossings, crossings
from onnes.analysis.isotherm import Floats
from onnes.analysis.lag import at_sample, sample_lag
from onnes.analysis.minimum import resistance_minimum
from onnes.analysis.resistivity import resistivity, sheet_resistance
from onnes.analysis.result import Result, refused
from onnes.analysis.scaling import Collapse, collapse
from onnes.analysis.transition import transition
from onnes.analysis.two_step_transition import resistance_at, two_step_transition
from onnes.instruments.errors import OnnesError
from onnes.runner.contact_runs import CONTACT_KINDS, ContactRuns
from onnes.runner.hysteresis import hysteresis
from onnes.runner.measured import FieldRun, TemperatureRun, field_run, temperature_run
from onnes.runner.moment_findings import MOMENT_KINDS, MomentFindings
from onnes.runner.results import Keyed, NightResult, night_result
from onnes.runner.transport_together import (
    InField,
    LevelPoints,
    activation_energies,
    upper_critical_fields,
)
from onnes.storage.manifest import read_manifest
from onnes.storage.night import NIGHT_MANIFEST
from onnes.storage.reader import Night, Run

_ROUND_K = (300.0, 100.0)  # where papers print a resistivity
_H_OVER_4E2_OHM = 25812.80745 / 4  # exact since the SI of 2019

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TemperatureFindings:
    """A run R(T); ``lag_s`` is what its temperatures are corrected by, None where it is not known."""

    measured: TemperatureRun
    lag_s: float | None

    def temperatures(self) -> list[Floats]:
        """Return the temperature of the sample, K, for each branch; settled points do not lag."""
        lag_s = (self.measured.swept and self.lag_s) or 0.0
        return [at_sample(branch.temperature, branch.rate, lag_s) for branch in self.measured.branches]


@dataclass(frozen=True, slots=True)
class FieldFindings:
    """A set of isotherms with its scaling analyses; None where ``reason`` says why there are none."""

    measured: FieldRun
    crossings: Crossings | None
    collapse: Collapse | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a night or a run says, with what a figure needs beside the numbers."""

    path: Path
    provenance: Mapping[str, Any]
    results: tuple[NightResult, ...]
    temperature_runs: tuple[TemperatureFindings, ...]
    field_runs: tuple[FieldFindings, ...]
    moments: MomentFindings
    contacts: ContactRuns = field(default_factory=ContactRuns)
    upper_fields: tuple[LevelPoints, ...] = ()


def find(folder: Night | Run) -> Findings:
    """Analyse every run of a night, or one run; a run of a kind without an analysis is left out.

    A sample has one lag: that of its first sweep with both directions corrects all its sweeps from there on.
    """
    compare_with = frozenset(_night_manifest(folder).get("compare_with", ()))
    results: list[NightResult] = []
    temperature_runs: list[TemperatureFindings] = []
    field_runs: list[FieldFindings] = []
    lags_s: dict[str, float] = {}
    moments = MomentFindings()
    contacts = ContactRuns()
    for run in folder.runs if isinstance(folder, Night) else [folder]:
        keyed: Keyed = []
        try:
            if _kind(run) == "resistivity-temperature":
                sample = str(run.manifest.get("sample"))
                over_temperature, keyed = _over_temperature(
                    temperature_run(run), compare_with, lags_s.get(sample)
                )
                temperature_runs.append(over_temperature)
                if over_temperature.lag_s is not None:
                    lags_s[sample] = over_temperature.lag_s
            elif _kind(run) == "resistivity-field":
                over_field, keyed = _over_field(field_run(run))
                field_runs.append(over_field)
            elif _kind(run) in MOMENT_KINDS:
                keyed = moments.add(run, _kind(run), compare_with)
            elif _kind(run) in CONTACT_KINDS:
                keyed = contacts.add(run, _kind(run))
        except Exception as error:  # noqa: BLE001 - a run that cannot be analysed must not hide the others
            _log.debug("%s cannot be analysed", run.path, exc_info=True)
            reason = str(error) if isinstance(error, OnnesError) else f"{type(error).__name__}: {error}"
            keyed = [("analysis", refused(f"analysis of {run.path.name}", "1", _kind(run), reason))]
        ended = () if run.status == "finished" else (f"run {run.status}",)
        for key, result in keyed:
            made = night_result(key, result, ended, compare_with)
            lags = [other for other in results if other.id.startswith("sample-lag")]
            if (
                key.startswith("sample-lag")
                and result.reason
                and any(_kind_of_reason(made) == _kind_of_reason(other) for other in lags)
            ):
                continue  # five runs in field need not refuse their lag for one reason five times
            if any(made.id == other.id for other in results):
                made = _again(made, key, run)
            results.append(made)
    together = moments.together(compare_with)
    upper_fields, of_fields = _in_several_fields(temperature_runs)
    together += of_fields
    results += [night_result(key, result, (), compare_with) for key, result in together]
    origin: dict[str, Any] = {
        key: folder.manifest[key] for key in ("backend", "lab", "seed") if key in folder.manifest
    }
    return Findings(
        folder.path,
        origin,
        tuple(results),
        tuple(temperature_runs),
        tuple(field_runs),
        moments,
        contacts,
        tuple(upper_fields),
    )


def _in_several_fields(runs: list[TemperatureFindings]) -> tuple[list[LevelPoints], Keyed]:
    """Return Hc2(T) and activation energies of each sample that was measured in several fields."""
    samples: dict[str, list[InField]] = {}
    for found in runs:
        branches = found.measured.branches
        if not branches:
            continue
        curve = InField(
            found.measured.field_oe,
            np.concatenate(found.temperatures()),
            np.concatenate([branch.resistance for branch in branches]),
            np.concatenate([branch.sigma for branch in branches]),
        )
        samples.setdefault(str(found.measured.run.manifest.get("sample")), []).append(curve)
    points: list[LevelPoints] = []
    keyed: Keyed = []
    for curves in samples.values():
        of_levels, results = upper_critical_fields(curves)
        points += of_levels
        keyed += [*results, *activation_energies(curves)]
    return points, keyed


def _kind_of_reason(result: NightResult) -> str:
    """Return the reason of a refusal without the numbers that follow its colon."""
    return result.flags[0].partition(":")[0] if result.value is None else ""


def _again(result: NightResult, key: str, run: Run) -> NightResult:
    """Return a result whose id an earlier run of the night has, under an id and a name of its own run.

    The key of the paper stays with the first: the second compares with nothing.
    """
    number = int(str(run.manifest["run"]).split("_")[0])
    return replace(result, id=f"{key}-run{number}", quantity=f"{result.quantity}, run {number}", paper=None)


def _night_manifest(folder: Night | Run) -> Mapping[str, Any]:
    """Return the manifest of the night, also for a run inside one; nothing for a run that was copied out."""
    if isinstance(folder, Run):
        home = folder.path.parent
        return read_manifest(home / NIGHT_MANIFEST) if (home / NIGHT_MANIFEST).is_file() else {}
    return folder.manifest


def _kind(run: Run) -> str:
    """Return what was measured against what, from the run's name ``<number>_<kind>_<label>``."""
    return str(run.manifest["run"]).split("_")[1]


def _over_temperature(
    measured: TemperatureRun, compare_with: frozenset[str], lag_s: float | None
) -> tuple[TemperatureFindings, Keyed]:
    """Return the run with its lag, and what it says; no transition or no minimum is no result.

    Args:
        lag_s: of the sample, where an earlier run has told.
    """
    if not measured.branches:
        reason = "the run has no good point"
        return TemperatureFindings(measured, None), [
            ("resistivity", refused("resistivity", "ohm*cm", "R w t / l", reason))
        ]
    lag = _lag(measured) if lag_s is None else None
    if lag is not None:
        lag_s = lag.value
    findings = TemperatureFindings(measured, lag_s)
    keyed: Keyed = []
    in_field = abs(measured.field_oe) >= 1
    temperature = np.concatenate(findings.temperatures())
    resistance = np.concatenate([branch.resistance for branch in measured.branches])
    sigma = np.concatenate([branch.sigma for branch in measured.branches])
    lagging = ("lag_not_corrected",) if measured.swept and lag_s is None else ()
    of_transition: tuple[str, ...] = lagging
    if not in_field:
        keyed.append(("resistivity", _resistivity(measured, temperature, resistance, sigma)))
        order = np.argsort(temperature, kind="stable")
        minimum = resistance_minimum(temperature[order], resistance[order], sigma[order])
        if minimum.value is not None or "000-rho-minimum" in compare_with:
            keyed.append(("rho-minimum", replace(minimum, flags=(*minimum.flags, *lagging))))
        for kelvin in _ROUND_K:
            keyed += _at_round(measured, temperature, resistance, sigma, kelvin)
        two = _two_steps(temperature, resistance, sigma, lagging)
        keyed += two
        of_transition = (*lagging, "two_steps") if two else lagging
    metrics = transition(temperature, resistance, sigma)
    if metrics["t50"].value is not None:
        for name, metric in metrics.items():
            key = name if name == "rrr" else f"tc-{name}"
            keyed.append((key, replace(metric, flags=(*metric.flags, *of_transition))))
    elif _halves(temperature, resistance, sigma):
        onset = metrics["onset"]
        reason = onset.reason or f"{metrics['t50'].criterion} is not found: {metrics['t50'].reason}"
        keyed.append(("tc-onset", replace(onset, value=None, sigma=None, reason=reason)))
    if lag is not None:
        keyed.insert(0, ("sample-lag", lag))
    return findings, _in_field(keyed, measured.field_oe) if in_field else keyed


def _at_round(
    measured: TemperatureRun, temperature: Floats, resistance: Floats, sigma: Floats, kelvin: float
) -> Keyed:
    """Return rho at ``kelvin``, as papers print it, where the run was there and the size is known."""
    ohms = resistance_at(temperature, resistance, sigma, kelvin)
    size = measured.geometry
    if ohms.value is None or size is None:
        return []
    found = resistivity(
        ohms.value,
        ohms.sigma or 0.0,
        length_cm=size.length_cm,
        width_cm=size.width_cm,
        thickness_cm=size.thickness_cm,
        geometry_sigma=size.bulk_sigma,
    )
    return [(f"resistivity-{kelvin:.0f}K", replace(found, quantity=f"resistivity at {kelvin:.0f} K"))]


def _two_steps(temperature: Floats, resistance: Floats, sigma: Floats, flags: tuple[str, ...]) -> Keyed:
    """Return both Tc of a transition in two steps; nothing where there is one step."""
    lower, upper = two_step_transition(temperature, resistance, sigma)
    if lower.value is None or upper.value is None:
        return []
    return [(key, replace(one, flags=(*one.flags, *flags))) for key, one in (("tc2", lower), ("tc1", upper))]


def _halves(temperature: Floats, resistance: Floats, sigma: Floats) -> bool:
    """Tell whether R falls to below half within 14 % of the temperature: no metal does, 1.14^5 < 2."""
    order = np.argsort(temperature, kind="stable")
    t, r = temperature[order], resistance[order]
    above = np.interp(1.14 * t, t, r)
    seen = above > 10 * np.interp(1.14 * t, t, sigma[order])  # and not one noise above another
    return bool(np.any(seen & (r < above / 2)))


def _in_field(keyed: Keyed, field_oe: float) -> Keyed:
    return [
        (f"{key}-{field_oe:.0f}Oe", replace(result, quantity=f"{result.quantity} in {field_oe:.0f} Oe"))
        for key, result in keyed
    ]


def _lag(measured: TemperatureRun) -> Result | None:
    """Return the lag of the sample where the run has both directions; settled points do not lag."""
    up = [branch for branch in measured.branches if branch.direction == "warming"]
    down = [branch for branch in measured.branches if branch.direction == "cooling"]
    if not (measured.swept and up and down):
        return None
    return sample_lag(
        up[0].temperature, up[0].resistance, up[0].rate, down[0].temperature, down[0].resistance, down[0].rate
    )


def _resistivity(measured: TemperatureRun, temperature: Floats, resistance: Floats, sigma: Floats) -> Result:
    hottest = int(np.argmax(temperature))
    quantity = f"resistivity at the hottest, {temperature[hottest]:.3g} K"
    if measured.geometry is None:
        return refused(quantity, "ohm*cm", "R w t / l", "the manifest of the run has no geometry")
    size = measured.geometry
    found = resistivity(
        float(resistance[hottest]),
        float(sigma[hottest]),
        length_cm=size.length_cm,
        width_cm=size.width_cm,
        thickness_cm=size.thickness_cm,
        geometry_sigma=size.bulk_sigma,
    )
    return replace(found, quantity=quantity)


def _over_field(measured: FieldRun) -> tuple[FieldFindings, Keyed]:
    isotherms = measured.isotherms
    zero = [curve for curve in measured.curves if curve.superconducting_oe is not None]
    if not isotherms and not zero:
        reason = "the run has no good point"
        return FieldFindings(measured, None, None, reason), _no_scaling(reason)[:1]
    if zero:
        widest = max(zero, key=lambda curve: curve.superconducting_oe or 0.0)
        reason = f"{widest.superconducting}; no scaling"
        shift = hysteresis(measured)
        keyed = _no_scaling(reason) + ([] if shift is None else [("hysteresis", shift)])
        return FieldFindings(measured, None, None, reason), keyed
    crossed = crossings(isotherms)
    collapsed = collapse(isotherms)
    keyed = [
        ("hc", collapsed.hc),
        ("znu", _with_slope_check(collapsed)),
        ("crossing", crossed.median),
        ("crossing-drift", crossed.drift),
        ("znu-model", collapsed.model),
        ("sheet-resistance-hc", _sheet_resistance(measured, collapsed)),
    ]
    shift = hysteresis(measured)
    if shift is not None:
        keyed.append(("hysteresis", shift))
    return FieldFindings(measured, crossed, collapsed), keyed


def _no_scaling(reason: str) -> Keyed:
    """Return the results of a scaling analysis, refused; the critical field is the first."""
    criterion = "collapse of the isotherms"
    return [
        ("hc", refused("critical field", "Oe", criterion, reason)),
        ("znu", refused("z*nu", "1", criterion, reason)),
        ("crossing", refused("crossing field", "Oe", "crossings of neighbouring isotherms", reason)),
    ]


def _with_slope_check(collapsed: Collapse) -> Result:
    """Return z*nu of the collapse, with that of the slopes at Hc in its goodness.

    The slopes are a check and no result: their sigma is that of the noise alone, and a background or a drift,
    for which the collapse answers, moves them by fifty times as much (seen in the contaminated lab).
    """
    z_nu = collapsed.z_nu
    if collapsed.slope.value is None:
        return z_nu
    return replace(z_nu, goodness={**z_nu.goodness, "z_nu_by_slopes": collapsed.slope.value})


def _sheet_resistance(measured: FieldRun, collapsed: Collapse) -> Result:
    quantity, criterion = "sheet resistance at Hc", "common curve of the collapse at H = Hc, R w / l"
    hc, z_nu = collapsed.hc, collapsed.z_nu
    if hc.value is None or z_nu.value is None:
        return refused(quantity, "ohm", criterion, f"no Hc: {hc.reason or z_nu.reason}")
    if measured.geometry is None:
        return refused(quantity, "ohm", criterion, "the manifest of the run has no geometry")
    ohms = float(np.exp(np.interp(0.0, collapsed.curve_u, collapsed.curve_ln_r)))
    slope = float(np.interp(0.0, collapsed.curve_u, np.gradient(collapsed.curve_ln_r, collapsed.curve_u)))
    # The coldest isotherm is the steepest: there an error of Hc counts most.
    coldest_k = float(collapsed.temperature.min())
    u_sigma = (hc.sigma or 0.0) / 1000 / coldest_k ** (1 / z_nu.value)
    ohms_sigma = ohms * float(np.hypot(collapsed.rms, slope * u_sigma))
    size = measured.geometry
    found = sheet_resistance(
        ohms, ohms_sigma, length_cm=size.length_cm, width_cm=size.width_cm, geometry_sigma=size.sheet_sigma
    )
    fraction = (found.value or 0.0) / _H_OVER_4E2_OHM
    return replace(
        found,
        quantity=quantity,
        criterion=f"{criterion} ({found.criterion})",
        goodness={**found.goodness, "of_h_over_4e2": fraction},
    )
