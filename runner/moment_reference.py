"""What a night of moments says against another one: the fraction of a whole sample, the anisotropy of one."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnes.analysis.result import Result
from onnes.analysis.susceptibility import MomentAt, screened_fraction
from onnes.analysis.virgin import slope_ratio
from onnes.instruments.errors import ConfigurationError
from onnes.runner.field_moment_findings import VirginFindings
from onnes.runner.moment_findings import MomentFindings
from onnes.runner.moment_measured import MomentBranch, MomentRun
from onnes.runner.results import Keyed
from onnes.runner.zfc_fc_findings import ZfcFcFindings, field_key


def against(found: MomentFindings, reference: MomentFindings, name: str) -> Keyed:
    """Return the ZFC moment over that of the reference in each field, and the ratios of initial slopes.

    Args:
        name: of the reference night.

    Raises:
        ConfigurationError: if the two have neither a field of M(T) nor a temperature of virgin curves in
            common.
    """
    keyed = [*_fractions(found.zfc_fc, reference.zfc_fc), *_ratios(found.virgin, reference.virgin)]
    if not keyed:
        raise ConfigurationError(
            f"the reference {name} has no ZFC curve in a field, and no virgin curve at a temperature, that "
            "was measured here too; name a night with the same setpoints"
        )
    return [
        (key, replace(result, criterion=f"{result.criterion}; reference {name}")) for key, result in keyed
    ]


def _fractions(mine: Sequence[ZfcFcFindings], others: Sequence[ZfcFcFindings]) -> Keyed:
    keyed: Keyed = []
    for one in mine:
        for field_oe in one.measured.fields_oe:
            sample = one.measured.of(field_oe).get("zfc")
            other = next((each for each in others if field_oe in each.measured.fields_oe), None)
            whole = None if other is None else other.measured.of(field_oe).get("zfc")
            if sample is None or other is None or whole is None:
                continue
            coldest = max(float(branch.rows.temperature.min()) for branch in (sample, whole))
            result = screened_fraction(
                _moment_at(sample, coldest),
                _moment_at(whole, coldest),
                geometry_sigma=math.hypot(_sigma(one.measured), _sigma(other.measured)),
            )
            quantity = f"{result.quantity} of the reference, {field_oe:g} Oe"
            keyed.append((f"fraction-of-reference-{field_key(field_oe)}", replace(result, quantity=quantity)))
    return keyed


def _ratios(mine: Sequence[VirginFindings], others: Sequence[VirginFindings]) -> Keyed:
    theirs: dict[float, Result] = {}
    for each in others:
        theirs |= {kelvin: slope for kelvin, slope in each.slopes.items() if kelvin not in theirs}
    keyed: Keyed = []
    for one in mine:
        for kelvin, slope in one.slopes.items():
            if kelvin in theirs:
                result = slope_ratio(slope, theirs[kelvin])
                quantity = f"{result.quantity} to the reference, {kelvin:g} K"
                keyed.append((f"slope-ratio-{kelvin:g}K", replace(result, quantity=quantity)))
    return keyed


def _moment_at(zfc: MomentBranch, kelvin: float) -> MomentAt:
    """Return the moment of the point nearest to ``kelvin``."""
    rows = zfc.rows
    place = int(np.argmin(np.abs(rows.temperature - kelvin)))
    sigma_oe = 0.0 if math.isnan(zfc.field_sigma_oe) else zfc.field_sigma_oe
    return MomentAt(
        float(rows.moment[place]),
        float(rows.sigma[place]),
        float(rows.temperature[place]),
        float(np.median(rows.field)),
        sigma_oe,
    )


def _sigma(measured: MomentRun) -> float:
    return measured.body.volume_sigma
