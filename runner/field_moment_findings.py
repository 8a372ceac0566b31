"""What M(H) says: first slope and Hc1 of virgin curves, the critical current of loops."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnes.analysis.bean import LoopCurrent, loop_current
from onnes.analysis.critical_current import LAWS, CriticalCurrentLaw, Law, critical_current_law
from onnes.analysis.ginzburg_landau import penetration_depth
from onnes.analysis.isotherm import Floats
from onnes.analysis.lower_critical_field import (
    LowerCriticalField,
    lower_critical_field,
    lower_critical_field_at_zero,
)
from onnes.analysis.result import Result, refused
from onnes.analysis.virgin import initial_slope
from onnes.runner.moment_measured import MomentRun, Rows
from onnes.runner.paper_values import paper_values
from onnes.runner.results import Keyed

# A slope is looked for below: the recipe has its fine steps up to 200 Oe, which a magnet reads within 1 %
# (a); flux that enters earlier shortens it.
_SLOPE_UP_TO_OE = 202.0
_TOO_NARROW = "range_below_2h_star"
_TC_RANGE = 2.0  # of the warmest loop: beyond, loops say nothing of Tc


@dataclass(frozen=True, slots=True, eq=False)
class VirginFindings:
    """Virgin curves, {temperature asked for, K: Hc1 or slope}, and Hc1(0); None where there is none."""

    measured: MomentRun
    slopes: Mapping[float, Result]
    hc1: Mapping[float, LowerCriticalField]
    at_zero: Result | None


@dataclass(frozen=True, slots=True, eq=False)
class LoopFindings:
    """Loops, {temperature asked for, K: Jc}."""

    measured: MomentRun
    current: Mapping[float, LoopCurrent]


def virgin_findings(measured: MomentRun, compare_with: frozenset[str]) -> tuple[VirginFindings, Keyed]:
    """Return initial slope and Hc1 of each temperature, Hc1(0), and lambda where xi is known."""
    body = measured.body
    keyed: Keyed = []
    slopes: dict[float, Result] = {}
    found: dict[float, LowerCriticalField] = {}
    for kelvin in measured.temperatures_k:
        virgin = measured.of(kelvin)["virgin"]
        rows = _from_zero(virgin.rows)
        if not len(rows.moment):
            continue
        if body.volume_cm3 is None:
            reason = body.why["volume_cm3"]
            keyed += [
                (f"initial-slope-{kelvin:g}K", _none(f"initial slope 4 pi M/H, {kelvin:g} K", "1", reason)),
                (f"hc1-{kelvin:g}K", _none(f"Hc1, {kelvin:g} K", "Oe", reason)),
            ]
            continue
        four_pi_m = _four_pi_m(rows, body.volume_cm3)
        slopes[kelvin] = slope = _slope(four_pi_m, virgin.reading_oe, body.volume_sigma)
        keyed.append((f"initial-slope-{kelvin:g}K", _at(slope, kelvin)))
        if body.n is None:
            keyed.append((f"hc1-{kelvin:g}K", _none(f"Hc1, {kelvin:g} K", "Oe", body.why["n"])))
            continue
        found[kelvin] = one = lower_critical_field(
            rows.field,
            four_pi_m.moment,
            n=body.n.n,
            field_sigma_oe=virgin.field_sigma_oe,
            volume_sigma=body.volume_sigma,
        )
        keyed += [
            (f"hc1-{kelvin:g}K", _at(one.extrapolated, kelvin)),
            (f"hc1-threshold-{kelvin:g}K", _at(one.threshold, kelvin)),
        ]
    at_zero = None
    if len(found) > 1 or (found and "001-hc1-0" in compare_with):
        kelvins = list(found)
        at_zero = lower_critical_field_at_zero(kelvins, [one.extrapolated for one in found.values()])
        bound = lower_critical_field_at_zero(kelvins, [one.threshold for one in found.values()])
        keyed += [
            ("hc1-zero", at_zero),
            ("hc1-zero-threshold", replace(bound, quantity=f"{bound.quantity} by threshold")),
            ("penetration-depth", _depth(at_zero, compare_with)),
        ]
    return VirginFindings(measured, slopes, found, at_zero), keyed


def loop_findings(measured: MomentRun) -> tuple[LoopFindings, Keyed]:
    """Return Jc at zero internal field of each temperature."""
    body = measured.body
    keyed: Keyed = []
    found: dict[float, LoopCurrent] = {}
    for kelvin in measured.temperatures_k:
        quantity = f"critical current density, {kelvin:g} K"
        rows = _as_measured(measured, kelvin)
        missing = next((body.why[name] for name in ("volume_cm3", "n", "across") if name in body.why), "")
        if body.volume_cm3 is None or body.n is None or body.across is None:
            keyed.append((f"jc-{kelvin:g}K", _none(quantity, "A/cm^2", missing)))
            continue
        found[kelvin] = one = loop_current(
            rows.field,
            rows.moment,
            rows.sigma,
            volume_cm3=body.volume_cm3,
            shape=body.across,
            n=body.n.n,
            geometry_sigma=body.volume_sigma,
        )
        keyed.append((f"jc-{kelvin:g}K", _at(one.at_zero, kelvin)))
    return LoopFindings(measured, found), keyed


def laws_of_current(found: Sequence[LoopFindings]) -> tuple[Keyed, Mapping[Law, CriticalCurrentLaw]]:
    """Return Jc(0) and Tc of both laws through the loops of all runs of one sample in one mounting.

    A loop that is too narrow for Bean's state reads too low; it is left out, and that is said.
    """
    points = [(kelvin, one.at_zero) for each in found for kelvin, one in each.current.items()]
    if len(points) < 2:
        return [], {}
    good = [
        (kelvin, jc.value, _own_sigma(jc))
        for kelvin, jc in points
        if jc.value is not None and _TOO_NARROW not in jc.flags
    ]
    left_out = len(points) - len(good)
    kelvins, currents, sigmas = (np.array([point[i] for point in good], dtype=np.float64) for i in range(3))
    shared = max(
        (jc.goodness.get("sigma_geometry", 0.0) / jc.value for _, jc in points if jc.value), default=0.0
    )
    laws: dict[Law, CriticalCurrentLaw] = {}
    keyed: Keyed = []
    for law in LAWS:
        fit = critical_current_law(kelvins, currents, sigmas, law=law, tc_range=_TC_RANGE)
        name = law.replace("_", "-")
        flags = (f"{left_out} of {len(points)} loops left out",) if left_out else ()
        jc0, tc = (replace(one, flags=(*one.flags, *flags)) for one in (fit.jc0, fit.tc))
        if jc0.value is not None:
            sigma = math.hypot(jc0.sigma or 0.0, shared * jc0.value)
            jc0 = replace(jc0, sigma=sigma, goodness={**jc0.goodness, "sigma_geometry": shared * jc0.value})
        laws[law] = CriticalCurrentLaw(jc0, tc)
        keyed += [
            (f"jc-zero-{name}", replace(jc0, quantity=f"{jc0.quantity}, {name} law")),
            (f"jc-tc-{name}", replace(tc, quantity=f"{tc.quantity}, {name} law")),
        ]
    return keyed, laws


def _own_sigma(jc: Result) -> float:
    """Return the part of sigma that a loop does not share with the other loops of its sample."""
    return math.hypot(*(jc.goodness.get(f"sigma_{name}", 0.0) for name in ("noise", "to_zero")))


def _as_measured(measured: MomentRun, kelvin: float) -> Rows:
    parts = [branch.rows for branch in measured.branches if branch.at_k == kelvin]
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.joined(part)
    return rows


def _four_pi_m(rows: Rows, volume_cm3: float) -> Rows:
    scale = 4 * math.pi / volume_cm3
    return Rows(rows.temperature, rows.field, scale * rows.moment, scale * rows.sigma)


def _from_zero(rows: Rows) -> Rows:
    """Return the rows without the first where it reads a field of the other sign: it is the magnet's zero."""
    if len(rows.field) < 2 or rows.field[0] * rows.field[-1] >= 0:
        return rows
    return Rows(rows.temperature[1:], rows.field[1:], rows.moment[1:], rows.sigma[1:])


def _slope(four_pi_m: Rows, reading_oe: float, volume_sigma: float) -> Result:
    """Return the initial slope; the noise of the reported field counts as that of the moment it goes with."""

    def fitted(sigma_g: Floats) -> Result:
        return initial_slope(
            four_pi_m.field,
            four_pi_m.moment,
            sigma_g,
            up_to_oe=_SLOPE_UP_TO_OE,
            geometry_sigma=volume_sigma,
        )

    first = fitted(four_pi_m.sigma)
    return first if first.value is None else fitted(np.hypot(four_pi_m.sigma, first.value * reading_oe))


def _depth(hc1: Result, compare_with: frozenset[str]) -> Result:
    quantity, criterion = "GL penetration depth", "Hc1 = phi0/(4 pi lambda^2) ln(lambda/xi)"
    if hc1.value is None:
        return refused(quantity, "nm", criterion, f"no Hc1(0): {hc1.reason}")
    if "001-lambda" not in compare_with:
        reason = "xi is not known: it comes from Hc2, which the resistivity in a field tells"
        return refused(quantity, "nm", criterion, reason)
    xi = paper_values()["001-xi"].value
    found = penetration_depth(hc1.value, hc1.sigma or 0.0, xi if isinstance(xi, float) else xi[0], 0.0)
    return replace(found, criterion=f"{found.criterion} (xi as the paper has it)")


def _at(result: Result, kelvin: float) -> Result:
    return replace(result, quantity=f"{result.quantity}, {kelvin:g} K")


def _none(quantity: str, unit: str, reason: str) -> Result:
    return refused(quantity, unit, "needs the geometry of the sample", reason)
