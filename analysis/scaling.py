"""Finite-size scaling of isotherms R(H): Hc and z*nu by collapse on one curve of u = (H - Hc)/T^(1/z*nu).

The answer carries all it depends on, or is refused: isotherms that differ by more than noise, thermometry,
field and a gain error of 0.1 % explain are not one curve, and no number is given for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from onnes.analysis.collapse_errors import Terms, error_terms
from onnes.analysis.common_curve import (
    KAPPA_RANGE,
    CommonCurve,
    Points,
    fit_common_curve,
    points_of,
    starting_point,
)
from onnes.analysis.consistency import (
    Consistency,
    SharedErrors,
    consistency,
    point_noise,
    stray,
    sufficient_degree,
)
from onnes.analysis.isotherm import Floats, Isotherm
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.scaling_checks import (
    FIXED_Z_NU,
    ModelComparison,
    compare_models,
    rms_map,
    sliding_z_nu,
    z_nu_by_slopes,
)

_LEAST_ISOTHERMS = 3
_LEAST_FACTOR = 1.98  # a factor of 2 in T, as read by a thermometer
_LEAST_POINTS = 12  # of an isotherm: the polynomial has ten coefficients
_WORST_CHI2 = 2.0
_AS_GOOD_AS_FREE = 1.1  # rms with z*nu held over that of the free fit
_UNLIKELY = 1e-3  # with few isotherms chi^2/dof of the shared errors exceeds 2 by chance
_OE_PER_KOE = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class Collapse:
    """Everything a collapse says.

    ``hc`` (Oe) and ``z_nu`` with their uncertainties, or refused; ``rms`` of ln R about the common curve.
    For the plot, one entry a point: ``u`` in kOe/K^(1/z_nu), ``ln_r`` = ln(R/ohm), ``temperature`` (K), and
    ``curve_u``, ``curve_ln_r`` the common curve; empty where there is none.
    ``models`` {"7/3": rms with this z*nu held over the rms of the free fit, ...}; ``chosen`` the one with the
    least; ``model`` the same as a result, refused where even the best does not fit.
    ``map_log10_rms`` [z_nu, hc] over ``map_z_nu`` and ``map_hc_oe`` (Oe). ``sliding``: z*nu per window of
    temperatures; ``slope``: z*nu from the slopes at Hc, a check only.
    """

    hc: Result
    z_nu: Result
    rms: float
    u: Floats
    ln_r: Floats
    temperature: Floats
    curve_u: Floats
    curve_ln_r: Floats
    models: Mapping[str, float]
    chosen: str
    model: Result
    map_hc_oe: Floats
    map_z_nu: Floats
    map_log10_rms: Floats
    sliding: Sequence[Result]
    slope: Result


def collapse(
    isotherms: Sequence[Isotherm], *, field_sigma_oe: float = 5.0, temperature_sigma_k: float = 0.005
) -> Collapse:
    """Return Hc and z*nu of the collapse of ``isotherms`` on one curve.

    The whole field range is used, with the least degree (9, 11, ...) that two more coefficients do not
    improve. A background 1 + b1 (T - Tref) common to all fields is part of the curve where b1 is beyond
    3 sigma; its change of the result is a term of sigma either way.

    Args:
        isotherms: means of rising and falling curves; the scaling is in |H|
        field_sigma_oe: accuracy of the field: a floor of sigma(Hc), and what each isotherm may be off by
        temperature_sigma_k: accuracy of the isotherms' temperatures against each other, likewise
    """
    refusal = _too_little(isotherms)
    if refusal:
        return _nothing(refusal, _window(isotherms), sum(len(isotherm.field) for isotherm in isotherms))
    points = points_of(isotherms)
    shared = SharedErrors(field_sigma_oe, temperature_sigma_k)
    noise = point_noise(points)
    degree, with_b1 = sufficient_degree(points, starting_point(points, 9), noise, shared)
    plain = fit_common_curve(points, (with_b1.hc, with_b1.kappa), degree)
    judged = consistency(points, with_b1, stray(points, with_b1, noise, shared), shared)
    unfit = _no_curve(points, plain)
    if unfit:
        return _nothing(unfit, _window(isotherms), len(points.ln_r), _chi2(judged), plain)
    terms, chosen = _terms(points, plain, with_b1, temperature_sigma_k)
    hc, z_nu = _answers(points, plain, with_b1, chosen, terms, judged, shared)
    comparison = compare_models(points, chosen)
    hc_oe, map_z_nu, log10_rms = rms_map(points, chosen)
    grid = np.linspace(*chosen.u_range, 400)
    return Collapse(
        hc=hc,
        z_nu=z_nu,
        rms=chosen.rms,
        u=chosen.u,
        ln_r=_without_background(points, chosen),
        temperature=points.temperature,
        curve_u=grid,
        curve_ln_r=chosen.ln_r(grid),
        models=comparison.ratios,
        chosen=comparison.chosen,
        model=_model(comparison, z_nu),
        map_hc_oe=hc_oe,
        map_z_nu=map_z_nu,
        map_log10_rms=log10_rms,
        sliding=sliding_z_nu(points, chosen, temperature_sigma_k),
        slope=z_nu_by_slopes(isotherms, chosen.hc * _OE_PER_KOE),
    )


def _too_little(isotherms: Sequence[Isotherm]) -> str:
    """Return why these isotherms cannot be scaled, "" if they can."""
    temperatures = sorted(isotherm.temperature for isotherm in isotherms)
    apart = sum(b > 1.01 * a for a, b in pairwise([*temperatures, float("inf")]))
    if apart < _LEAST_ISOTHERMS:
        return f"{apart} isotherms; at least {_LEAST_ISOTHERMS} at different temperatures are needed"
    if temperatures[-1] < _LEAST_FACTOR * temperatures[0]:
        return (
            f"temperatures from {temperatures[0]:.4g} to {temperatures[-1]:.4g} K span less than a "
            "factor of 2; measure colder or warmer isotherms too"
        )
    fewest = min(isotherms, key=lambda isotherm: len(isotherm.field))
    if len(fewest.field) < _LEAST_POINTS:
        return (
            f"the isotherm at {fewest.temperature:.4g} K has {len(fewest.field)} points; "
            f"at least {_LEAST_POINTS} are needed"
        )
    return ""


def _no_curve(points: Points, curve: CommonCurve) -> str:
    """Return why the fit is no crossing, "" if it is one."""
    if not curve.u.min() < 0 < curve.u.max():
        side = "above" if curve.u.min() >= 0 else "below"
        return (
            f"every field lies {side} the best Hc = {curve.hc * _OE_PER_KOE:.4g} Oe (u has one sign); "
            "measure on both sides of the crossing"
        )
    if not 1.05 * KAPPA_RANGE[0] < curve.kappa < 0.95 * KAPPA_RANGE[1]:
        return f"the least variance lies at the edge of the search, 1/z*nu = {curve.kappa:.3g}; no crossing"
    if np.ptp(points.ln_r) < 10 * curve.rms:
        return "R does not depend on the field beyond its scatter"
    return ""


def _terms(
    points: Points, plain: CommonCurve, with_b1: CommonCurve, sigma_k: float
) -> tuple[Terms, CommonCurve]:
    terms = error_terms(points, plain, with_b1, plain, sigma_k)
    if abs(terms.b1) <= 3 * terms.b1_sigma:
        return terms, plain
    return error_terms(points, plain, with_b1, with_b1, sigma_k), with_b1


def _answers(
    points: Points,
    plain: CommonCurve,
    with_b1: CommonCurve,
    chosen: CommonCurve,
    terms: Terms,
    judged: Consistency,
    shared: SharedErrors,
) -> tuple[Result, Result]:
    sigma = terms.total(shared.field_oe / _OE_PER_KOE)
    reason = _refusal(judged, shared) or _unresolved(points, chosen, sigma)
    common = {
        "rms": chosen.rms,
        **_chi2(judged),
        "degree": float(chosen.degree),
        "b1_per_k": terms.b1,
        "sigma_b1_per_k": terms.b1_sigma,
        "spread_variance_koe2": terms.spread_koe2,
        "sigma_spread_variance_koe2": terms.spread_koe2_sigma,
        "offset_k": terms.offset_k,
        "sigma_offset_k": terms.offset_k_sigma,
        "temperature_sigma_k": shared.temperature_k,
        "field_sigma_oe": shared.field_oe,
        "gain_sigma": shared.gain,
        "stray_k": shared.stray_k,
        "stray_oe": shared.stray_oe,
    }
    criterion = (
        f"least variance of ln R about one Chebyshev polynomial of degree {chosen.degree} "
        "in (H - Hc)/T^(1/z*nu)" + (", background 1 + b1 (T - Tref) free" if chosen.background else "")
    )
    window = {
        "temperature_k": (float(points.temperature.min()), float(points.temperature.max())),
        "field_oe": (float(points.field.min()) * _OE_PER_KOE, float(points.field.max()) * _OE_PER_KOE),
    }
    results = []
    for axis, (quantity, unit, scale) in enumerate(
        (("critical field Hc", "Oe", _OE_PER_KOE), ("z*nu", "1", 1.0))
    ):
        parts = {
            "sigma_boot": terms.bootstrap,
            "sigma_jack": terms.jackknife,
            "sigma_window": terms.window,
            "sigma_b": terms.background,
            "sigma_spread": terms.spread,
            "sigma_temperature": terms.temperature,
            "sigma_offset": terms.offset,
        }
        goodness = {**common, **{name: float(part[axis]) * scale for name, part in parts.items()}}
        for name, curve in (("plain", plain), ("b1_free", with_b1)):
            goodness[name] = curve.hc * _OE_PER_KOE if axis == 0 else curve.z_nu
        value, error = (chosen.hc, chosen.z_nu)[axis] * scale, float(sigma[axis]) * scale
        flags = _flags(terms, axis)
        n = len(points.ln_r)
        if reason:
            goodness["sigma_total"] = error
            results.append(
                refused(quantity, unit, criterion, reason, window=window, n=n, goodness=goodness, flags=flags)
            )
        else:
            results.append(Result(quantity, value, error, unit, criterion, window, n, goodness, flags))
    return results[0], results[1]


def _flags(terms: Terms, axis: int) -> tuple[str, ...]:
    """Return the warnings: isotherms disagree, a background, a spread of Hc, no window inside.

    Isotherms disagree where the jackknife is beyond 3 times what scatter and thermometry make; scatter alone
    would raise the flag on every second clean film, whose z*nu is limited by thermometry.
    """
    known = float(np.hypot(terms.bootstrap[axis], terms.temperature[axis]))
    flags = {
        "systematics": terms.jackknife[axis] > 3 * known,
        "background": abs(terms.b1) > 3 * terms.b1_sigma,
        "spread_of_hc": terms.spread_koe2 > 3 * terms.spread_koe2_sigma,
        "temperature_offset": abs(terms.offset_k) > 3 * terms.offset_k_sigma,
        "no_narrow_window": terms.window_fits == 2,
    }
    return tuple(name for name, raised in flags.items() if raised)


def _chi2(judged: Consistency) -> dict[str, float]:
    return {"chi2_per_dof": judged.points, "chi2_shared_per_dof": judged.isotherms}


def _refusal(judged: Consistency, shared: SharedErrors) -> str:
    """Return why the isotherms are not one curve, "" if they are; b1 is free in what is judged."""
    if judged.points > _WORST_CHI2:
        return (
            f"no common curve: chi^2/dof = {judged.points:.3g} with a background free "
            f"(at most {_WORST_CHI2:.3g}); the isotherms differ in shape"
        )
    if judged.isotherms > _WORST_CHI2 and judged.isotherms_probability < _UNLIKELY:
        return (
            f"the isotherms disagree by more than {shared.gain:.3g} in gain, {shared.temperature_k:.3g} K "
            f"and {shared.field_oe:.3g} Oe explain: chi^2/dof = {judged.isotherms:.3g} of these errors with "
            f"a background free (at most {_WORST_CHI2:.3g}); look for drift, a change of range or of contacts"
        )
    return ""


def _unresolved(points: Points, curve: CommonCurve, sigma: Floats) -> str:
    """Return why the numbers mean nothing although they exist, "" if they do mean something."""
    half_range = 0.5 * float(np.ptp(points.field))
    if not np.all(np.isfinite(sigma)):
        return "the uncertainty has no bound"
    if sigma[0] > half_range or sigma[1] > 0.5 * curve.z_nu:
        return (
            f"not resolved: Hc = {curve.hc * _OE_PER_KOE:.4g} Oe with sigma {sigma[0] * _OE_PER_KOE:.2g} Oe, "
            f"z*nu = {curve.z_nu:.3g} with sigma {sigma[1]:.2g}"
        )
    return ""


def _model(comparison: ModelComparison, z_nu: Result) -> Result:
    """Return the fixed z*nu that collapses best, refused where it is beyond 3 sigma of the free one."""
    quantity = "z*nu of " + ", ".join(FIXED_Z_NU)
    criterion = "least rms of ln R about the common curve, z*nu held and Hc free"
    goodness = {f"rms_ratio_{name}": ratio for name, ratio in comparison.ratios.items()}
    goodness["next_over_chosen"] = comparison.ratio
    chosen = FIXED_Z_NU[comparison.chosen]
    reason = ""
    if z_nu.value is None or z_nu.sigma is None:
        reason = f"no collapse: {z_nu.reason}"
    elif abs(chosen - z_nu.value) > 3 * z_nu.sigma:
        reason = (
            f"the best of them, {comparison.chosen}, lies outside 3 sigma of the free "
            f"z*nu = {z_nu.value:.4g} +- {z_nu.sigma:.2g}"
        )
    flags = z_nu.flags
    if comparison.ratios[comparison.chosen] > _AS_GOOD_AS_FREE:
        flags += ("chosen_not_as_good_as_free",)
    if reason:
        return refused(
            quantity, "1", criterion, reason, window=z_nu.window, n=z_nu.n, goodness=goodness, flags=flags
        )
    flags += ("choice_among_fixed_values",)  # hence no sigma
    return Result(quantity, chosen, None, "1", criterion, z_nu.window, z_nu.n, goodness, flags)


def _without_background(points: Points, curve: CommonCurve) -> Floats:
    """Return ln R with the background taken out, which is what lies on the curve."""
    return points.ln_r - curve.b1 * (points.temperature - points.reference_k)


def _window(isotherms: Sequence[Isotherm]) -> Window:
    if not isotherms:
        return {}
    temperatures = [isotherm.temperature for isotherm in isotherms]
    fields = np.abs(np.concatenate([isotherm.field for isotherm in isotherms]))
    window = {"temperature_k": (min(temperatures), max(temperatures))}
    if len(fields):
        window["field_oe"] = (float(fields.min()), float(fields.max()))
    return window


def _nothing(
    reason: str,
    window: Window,
    n: int,
    goodness: Mapping[str, float] | None = None,
    curve: CommonCurve | None = None,
) -> Collapse:
    """Return the collapse that is none; what a plot needs stays empty."""

    def none(quantity: str, unit: str) -> Result:
        return refused(
            quantity, unit, "collapse of the isotherms", reason, window=window, n=n, goodness=goodness
        )

    empty = np.empty(0)
    return Collapse(
        hc=none("critical field Hc", "Oe"),
        z_nu=none("z*nu", "1"),
        rms=curve.rms if curve else float("nan"),
        u=empty,
        ln_r=empty,
        temperature=empty,
        curve_u=empty,
        curve_ln_r=empty,
        models={},
        chosen="",
        model=none("z*nu of " + ", ".join(FIXED_Z_NU), "1"),
        map_hc_oe=empty,
        map_z_nu=empty,
        map_log10_rms=np.empty((0, 0)),
        sliding=(),
        slope=none("z*nu from slopes at Hc", "1"),
    )
