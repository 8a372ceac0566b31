"""What M(T) says: screening, the transition, where ZFC and FC part, and in which residual field."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnes.analysis.demagnetisation import FLAT, intrinsic
from onnes.analysis.irreversibility import Irreversibility, irreversibility_line, irreversibility_temperature
from onnes.analysis.magnetic_transition import magnetic_transition
from onnes.analysis.result import Result, refused
from onnes.analysis.susceptibility import (
    MomentAt,
    Susceptibility,
    screened_fraction,
    susceptibility,
    susceptibility_at,
)
from onnes.runner.moment_body import Body
from onnes.runner.moment_measured import MomentBranch, MomentRun, with_thermometer
from onnes.runner.paper_values import paper_values
from onnes.runner.results import Keyed

N_SIGMA = 0.015  # how far the models of a 1 x 1 x 5 mm bar are apart
_AS_COLD_K = 1.0  # (a) FCC that ends this much above the first point of ZFC ends on the plateau still
# A full film of square shape against the disk of the same area (a): the factor of its moment.
_DISK_FOR_SQUARE = 0.05
_UNLIKE = 2.0  # sigma: what no sample does is flagged from here on
_FEWEST_WARM = 4
_NAMES = {"zfc": "ZFC", "fcc": "FCC", "fcw": "FCW"}
_TRANSITIONS = ("deviation", "midpoint", "tangent")


@dataclass(frozen=True, slots=True, eq=False)
class ZfcFcFindings:
    """Curves over temperature; ``parting`` has what parts ZFC and FC, {field asked for, Oe: T_irr}.

    ``onset`` is the highest onset of diamagnetism by noise; None where none was found.
    """

    measured: MomentRun
    parting: Mapping[float, Irreversibility]
    onset: Result | None


def field_key(field_oe: float) -> str:
    """Return a field as the end of a key: ``10Oe``, ``minus-5Oe``."""
    return f"{'minus-' if field_oe < 0 else ''}{abs(field_oe):g}Oe"


def zfc_fc_findings(measured: MomentRun) -> tuple[ZfcFcFindings, Keyed]:
    """Return what the curves of each field say."""
    keyed: Keyed = []
    parting: dict[float, Irreversibility] = {}
    onsets: list[Result] = []
    for field_oe in measured.fields_oe:
        branches = measured.of(field_oe)
        transition = _transition(branches["zfc"], measured.body) if "zfc" in branches else []
        seen = [result for name, result in transition if name == "deviation" and result.value is not None]
        onsets += seen
        found = _screening(branches, measured.body, seen[0].value if seen else None)
        cooled = branches.get("fcc", branches.get("fcw"))
        if "zfc" in branches:
            found += [(f"tc-moment-{name}", result) for name, result in transition]
            if cooled is not None:
                parting[field_oe] = _parting(branches["zfc"], cooled)
                found.append(("t-irr", parting[field_oe].chosen))
        keyed += [
            (f"{key}-{field_key(field_oe)}", replace(result, quantity=f"{result.quantity}, {field_oe:g} Oe"))
            for key, result in found
        ]
    onset = max(onsets, key=lambda result: result.value or 0.0, default=None)
    return ZfcFcFindings(measured, parting, onset), keyed


def recorded_residual(measured: MomentRun) -> Result:
    """Return the residual field that the run was measured with; an estimate is a bound and no value."""
    known = measured.residual
    quantity, criterion = "residual field, recorded", f"{known.source}: {known.known or known}"
    if known.value_oe is None:
        return refused(quantity, "Oe", criterion, f"not measured: {known}")
    flags = () if known.is_corrected else ("residual_not_corrected",)
    return Result(quantity, known.value_oe, known.error_oe, "Oe", criterion, flags=flags)


def line_of_fields(
    found: Sequence[ZfcFcFindings], compare_with: frozenset[str]
) -> tuple[Keyed, "IrreversibilityPoints | None"]:
    """Return n and H0 of the irreversibility line through all fields of one sample in one mounting.

    Tc0 is the one a paper holds where the night compares with its exponent, else the highest onset.
    """
    at_sample = [_at_sample(each.measured.of(field)["zfc"]) for each in found for field in each.parting]
    fields, errors = [abs(field) for field, _ in at_sample], [error for _, error in at_sample]
    parted = [each.parting[field] for each in found for field in each.parting]
    asked = compare_with & {"003-irr-n-perp", "003-irr-n-par"}
    if len({abs(field) for each in found for field in each.parting}) < 2 and not asked:
        return [], None  # one field is no line, and nobody asked for one
    onset = max((each.onset for each in found if each.onset), key=lambda one: one.value or 0.0, default=None)
    tc0_k, tc0_sigma_k = math.nan, 0.0
    if asked:
        tc0_k, whence = _printed("003-irr-tc0"), "as the paper holds it"
    elif onset is not None and onset.value is not None:
        tc0_k, tc0_sigma_k, whence = onset.value, onset.sigma or 0.0, "the highest onset of diamagnetism"
    if math.isnan(tc0_k):
        criterion = "ln H against ln(1 - T_irr/Tc0)"
        reason = "no onset of diamagnetism was found in any field, so Tc0 is not known"
        return [
            ("irreversibility-n", refused("exponent n of the irreversibility line", "1", criterion, reason))
        ], None
    known = [error for error in errors if not math.isnan(error)]
    line = irreversibility_line(
        fields, parted, tc0_k=tc0_k, tc0_sigma_k=tc0_sigma_k, field_sigma_oe=max(known, default=0.0)
    )
    unknown = ("residual_unknown",) if len(known) < len(errors) else ()
    sweep = {
        f"n_k{k:g}_rel{rel:g}": result.value
        for (k, rel), result in line.sweep.items()
        if result.value is not None
    }
    n = replace(
        line.n,
        criterion=f"{line.n.criterion}; Tc0 {whence}",
        goodness={**line.n.goodness, **sweep},
        flags=(*line.n.flags, *unknown),
    )
    h0 = replace(line.h0, flags=(*line.h0.flags, *unknown))
    mounting = found[0].measured.body.mounting
    where = f", {mounting}" if mounting else ""
    keyed = [
        ("irreversibility-n", replace(n, quantity=f"{n.quantity}{where}")),
        ("irreversibility-h0", replace(h0, quantity=f"{h0.quantity}{where}")),
    ]
    return keyed, IrreversibilityPoints(tuple(fields), tuple(parted), tc0_k, n, h0)


@dataclass(frozen=True, slots=True, eq=False)
class IrreversibilityPoints:
    """T_irr in fields, Oe, with the line through them."""

    fields_oe: tuple[float, ...]
    parted: tuple[Irreversibility, ...]
    tc0_k: float
    n: Result
    h0: Result


def _at_sample(zfc: MomentBranch) -> tuple[float, float]:
    """Return the field at the sample and its error, Oe; that asked for is another where nobody corrected."""
    return float(np.median(zfc.rows.field)), zfc.field_sigma_oe


def _printed(key: str) -> float:
    value = paper_values()[key].value
    return value if isinstance(value, float) else value[0]


def _screening(branches: Mapping[str, MomentBranch], body: Body, onset_k: float | None) -> Keyed:
    """Return 4 pi chi at the lowest temperature, applied and intrinsic, and the fraction it means.

    ``onset_k`` is where the normal state begins, None where that is not known.
    """
    keyed: Keyed = []
    for name in ("zfc", "fcc"):
        branch = branches.get(name)
        if branch is None or not len(branch.rows.moment):
            continue
        title = f"4 pi chi {_NAMES[name]}"
        if body.volume_cm3 is None:
            reason = body.why["volume_cm3"]
            keyed.append((f"chi-{name}", refused(title, "1", "4 pi m/(V H) in the applied field", reason)))
            continue
        curve = susceptibility_of(branch, body)
        applied = susceptibility_at(curve, float(curve.temperature[0]))
        applied = _against_normal_state(applied, branch, onset_k)
        applied = replace(
            applied,
            quantity=f"{title} at {float(curve.temperature[0]):.3g} K, applied field",
            criterion=f"{applied.criterion}, V = {body.volume_cm3:.4g} cm^3",
            flags=(*applied.flags, *_field_flags(branch)),
        )
        keyed.append((f"chi-{name}", applied))
        if name == "zfc":
            keyed.append(("chi-zfc-intrinsic", _plausible(_intrinsic(applied, body), -1.0)))
        elif applied.value is not None and body.area_cm2 is None:
            keyed.append(("meissner-fraction", _meissner(applied, curve, branches.get("zfc"))))
    if "zfc" in branches and body.area_cm2 is not None and len(branches["zfc"].rows.moment):
        fraction = _fraction_of_film(branches["zfc"], body.area_cm2, body)
        fraction = _against_normal_state(fraction, branches["zfc"], onset_k)
        keyed.append(("screened-fraction", _plausible(fraction, 1.0)))
    return keyed


def _against_normal_state(found: Result, branch: MomentBranch, onset_k: float | None) -> Result:
    """Return what was made of the coldest moment with the moment above the onset as a term of sigma.

    It is not taken off: whether it is the holder's, and the same in the cold, the curve does not say.
    """
    if found.value is None:
        return found
    rows, sigma = branch.rows, found.sigma or 0.0
    normal = rows.temperature > (math.inf if onset_k is None else onset_k)
    warm, cold = rows.moment[normal], rows.moment[int(np.argmin(rows.temperature))]
    if len(warm) < _FEWEST_WARM or not cold:
        return found
    share = float(np.median(warm) / cold)
    noise = float(np.median(rows.sigma[normal])) / math.sqrt(len(warm)) / abs(cold)
    term = abs(share * found.value) if abs(share) > 3 * noise else 0.0
    flags = ("normal_state_moment",) if term > sigma else ()
    goodness = {**found.goodness, "normal_state": share * found.value, "sigma_normal_state": term}
    return replace(found, sigma=math.hypot(sigma, term), goodness=goodness, flags=(*found.flags, *flags))


def _plausible(found: Result, full: float) -> Result:
    """Return a screening flagged where it is of the wrong sign or beyond ``full``, which is all there is."""
    if found.value is None:
        return found
    share, sigma = found.value / full, (found.sigma or 0.0) / abs(full)
    flags: tuple[str, ...] = ("paramagnetic",) if share < -_UNLIKE * sigma else ()
    if share > 1 + _UNLIKE * sigma:
        flags += ("beyond_full_screening",)
    return replace(found, flags=(*found.flags, *flags))


def _meissner(applied: Result, cooled: Susceptibility, zfc: MomentBranch | None) -> Result:
    """Return the fraction of a curve that cooled as far as ZFC did; one that was broken off has none."""
    quantity = "Meissner fraction, - 4 pi chi FCC"
    reached = float(cooled.temperature[0])
    coldest = reached if zfc is None or not len(zfc.rows.moment) else float(zfc.rows.temperature.min())
    if reached > coldest + _AS_COLD_K:
        reason = f"FCC was measured down to {reached:.3g} K, and ZFC begins at {coldest:.3g} K"
        return refused(quantity, "1", applied.criterion, reason)
    return replace(applied, quantity=quantity, value=-(applied.value or 0.0))


def _field_flags(branch: MomentBranch) -> tuple[str, ...]:
    """Return the flag of a value that is divided by a field of which nobody knows what the magnet added."""
    return ("residual_unknown",) if math.isnan(branch.field_sigma_oe) else ()


def susceptibility_of(branch: MomentBranch, body: Body) -> Susceptibility:
    """Return 4 pi chi of a branch over temperature; per volume of 1 cm^3 where that is not known."""
    rows = branch.rows
    sigma_oe = branch.field_sigma_oe
    return susceptibility(
        rows.temperature,
        rows.moment,
        rows.sigma,
        field_oe=float(np.median(rows.field)),
        volume_cm3=body.volume_cm3 or 1.0,
        field_sigma_oe=0.0 if math.isnan(sigma_oe) else sigma_oe,
        geometry_sigma=body.volume_sigma,
    )


def _intrinsic(applied: Result, body: Body) -> Result:
    quantity = applied.quantity.replace("applied field", "internal field")
    if body.n is None or applied.value is None:
        reason = body.why.get("n", applied.reason)
        return refused(quantity, "1", "chi/(1 - N chi)", reason)
    n, chi = body.n.n, applied.value
    criterion = f"chi/(1 - N chi), N = {n:.4g} ({body.n.name})"
    if n > FLAT:  # chi is a matter of the shape there
        reason = f"N = {n:.4g}: across the field chi/(1 - N chi) is -1/N, whatever was measured"
        return refused(quantity, "1", criterion, reason)
    value = intrinsic(chi, n)
    parts = {"sigma_chi": (applied.sigma or 0.0) / (1 - n * chi) ** 2, "sigma_n": value**2 * N_SIGMA}
    return replace(
        applied,
        quantity=quantity,
        value=value,
        sigma=math.hypot(*parts.values()),
        criterion=criterion,
        goodness={**parts, "n": n},
    )


def _fraction_of_film(zfc: MomentBranch, area_cm2: float, body: Body) -> Result:
    """Return the moment over that of the same film screening in full.

    That is computed, for a disk of the same area, m = -2 R^3 H/(3 pi): thin against its radius and much wider
    than its penetration depth.
    """
    coldest = int(np.argmin(zfc.rows.temperature))
    field_oe = float(np.median(zfc.rows.field))
    sigma_oe = 0.0 if math.isnan(zfc.field_sigma_oe) else zfc.field_sigma_oe
    kelvin = float(zfc.rows.temperature[coldest])
    full_emu = -2 * math.sqrt(area_cm2 / math.pi) ** 3 / (3 * math.pi) * field_oe
    one = MomentAt(
        float(zfc.rows.moment[coldest]), float(zfc.rows.sigma[coldest]), kelvin, field_oe, sigma_oe
    )
    # The field of the reference is that of the sample: its error counts once.
    reference = MomentAt(full_emu, 0.0, kelvin, field_oe, 0.0)
    found = screened_fraction(
        one, reference, geometry_sigma=math.hypot(1.5 * body.volume_sigma, _DISK_FOR_SQUARE)
    )
    return replace(
        found,
        criterion=f"{found.criterion}, computed for full screening of the film",
        flags=(*found.flags, *_field_flags(zfc)),
    )


def _transition(zfc: MomentBranch, body: Body) -> Keyed:
    """Return onset and Tc; the onset by level needs the volume, the others do not."""
    found = magnetic_transition(susceptibility_of(zfc, body))
    keyed: Keyed = []
    if (
        body.volume_cm3 is not None and body.area_cm2 is None
    ):  # of a film the level is no part of its screening
        keyed.append(("onset", found.level))
    keyed += [(name, getattr(found, name)) for name in _TRANSITIONS]
    return [
        (
            name,
            replace(
                one,
                flags=tuple("normal_state_slopes" if flag == "background" else flag for flag in one.flags),
            ),
        )
        for name, one in keyed
    ]


def _parting(zfc: MomentBranch, cooled: MomentBranch) -> Irreversibility:
    # In a field below zero everything is reversed, and FC lies below ZFC.
    sign = -1.0 if zfc.at_oe < 0 else 1.0
    alone, field_cooled = with_thermometer(zfc.rows), with_thermometer(cooled.rows)
    return irreversibility_temperature(
        alone.temperature,
        sign * alone.moment,
        alone.sigma,
        field_cooled.temperature,
        sign * field_cooled.moment,
        field_cooled.sigma,
    )
