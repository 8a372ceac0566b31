"""Gaps of a contact by a fit of the BTK theory, with all that a reader needs to doubt it.

Gap, broadening, barrier and weight stand in for each other: a fit with one of them held at a wrong value
comes out with small errors and a wrong gap. So the correlations of the parameters and the profile over the
barrier are part of the answer, and a curve that is not of this theory is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from onnes.analysis.btk import Band, Smearing
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused

ONE_BAND: Final = ("delta_1", "gamma_1", "z_1")
TWO_BANDS: Final = ("delta_1", "delta_2", "gamma_1", "gamma_2", "z_1", "z_2", "weight_1")
_UNITS: Final = {"delta": "meV", "gamma": "meV", "z": "1", "weight": "1"}
_BOUNDS: Final = {"delta": (0.05, 30.0), "gamma": (1e-3, 10.0), "z": (0.0, 5.0), "weight": (0.0, 1.0)}
# Gaps of MgB2's two bands from published contacts, meV (k), and starts about them: the misfit has more than
# one minimum, and a start with both gaps alike finds a wrong one.
_STARTS: Final = (
    {"delta_1": 2.8, "delta_2": 6.0, "gamma_1": 0.5, "gamma_2": 0.8, "z_1": 0.5, "z_2": 0.5, "weight_1": 0.7},
    {"delta_1": 2.0, "delta_2": 7.5, "gamma_1": 0.8, "gamma_2": 1.5, "z_1": 0.3, "z_2": 0.3, "weight_1": 0.9},
    {"delta_1": 3.5, "delta_2": 9.0, "gamma_1": 0.3, "gamma_2": 0.5, "z_1": 0.8, "z_2": 0.6, "weight_1": 0.5},
    {"delta_1": 1.2, "delta_2": 4.0, "gamma_1": 0.3, "gamma_2": 0.5, "z_1": 0.5, "z_2": 0.5, "weight_1": 0.7},
)
_CORRELATED = 0.95
_POOR_CHI2 = 2.0
_OFF_MINIMUM = 9.0  # of chi^2: a held value is 3 sigma away from where the data want it
_FLAT = 5e-3  # of G_N: a curve that never leaves it by more shows no gap (a)
_FLAT_SIGMAS = 4.0
_GAP_MOVES = 0.01  # of a gap: where the noise is low, chi^2 alone sees a misfit that changes nothing (a)
_THERMOMETER_K = 0.005  # of a settled machine (a): the smearing by kT is taken for broadening
_STEP = 1e-4  # of a held parameter, for its slope
_MANY_GAPS = 2.5  # beyond them the conductance is flat within 2 %


@dataclass(frozen=True, slots=True, eq=False)
class ContactCurve:
    """G/G_N of a contact at one temperature (K), sorted by bias (mV), with its noise; shapes (n,).

    ``normal_errors`` is what one sigma of the normal state, which all points share, does to G_N over the
    bias: relative, one row for each way it can be wrong, shape (m, n); None where it is known exactly.
    """

    bias_mv: Floats
    conductance: Floats
    sigma: Floats
    temperature_k: float
    modulation_mv_rms: float = 0.0
    normal_errors: Floats | None = None


@dataclass(frozen=True, slots=True)
class BtkFit:
    """Parameters by name, their correlations (rows and columns in the order of ``free``), and the profile.

    ``profile`` gives for each held value of the last barrier chi^2/dof and the gaps that come with it;
    ``values`` are all parameters, those that were held included; ``curve`` is the fit at the biases, with G_N
    moved within its error to where it fits best.
    """

    results: Mapping[str, Result]
    values: Mapping[str, float]
    free: tuple[str, ...]
    correlation: tuple[tuple[float, ...], ...] = ()
    profile: tuple[Mapping[str, float], ...] = ()
    curve: tuple[float, ...] = field(default=(), repr=False)

    @property
    def largest_correlation(self) -> float:
        """Return the largest size of a correlation between two parameters; 0 for fewer than two."""
        size = len(self.free)
        return max((abs(self.correlation[i][j]) for i in range(size) for j in range(i)), default=0.0)

    def covariance(self, names: Sequence[str]) -> Floats:
        """Return that of fitted parameters, shape (len(names), len(names)); 0 of one at its bound."""
        places = [self.free.index(name) for name in names]
        sigma = np.array([self.results[name].sigma or 0.0 for name in names])
        return np.asarray(np.array(self.correlation)[np.ix_(places, places)] * np.outer(sigma, sigma))


def fit_btk(
    curve: ContactCurve,
    *,
    bands: int = 2,
    held: Mapping[str, float] | None = None,
    held_covariance: Floats | None = None,
    spoilt: str = "",
    with_profile: bool = True,
) -> BtkFit:
    """Fit one band or two to one curve by bounded least squares from several starts.

    sigma is that of the fit, times sqrt(chi^2/dof) where that is above 1, with what the errors of the normal
    state, of held parameters and of the thermometer (5 mK) add. A parameter that ran to the end of its range
    is refused. Flags of every parameter: ``poor_fit`` (chi^2/dof above 2), ``correlated`` (above 0.95 with
    another), ``at_bound``, ``held_off`` (a held parameter lies 3 sigma away from where the data want it, and
    a gap 1 % with it), ``bias_short`` (below 2.5 of the larger gap), ``wide_modulation`` (more than half the
    thermal width). A curve that is normal everywhere is refused.

    Args:
        held: parameters by name that are not fitted
        held_covariance: of those, in their order; None where they are exact
        spoilt: why the curve is not of this theory, as :func:`onnes.analysis.contact_quality.spoils` says;
            then nothing is fitted
        with_profile: also fit with the last barrier held at values about its own

    Raises:
        ValueError: if there are other than 1 or 2 bands, a held parameter does not exist, or the covariance
            is not that of the held ones.
    """
    names = {1: ONE_BAND, 2: TWO_BANDS}.get(bands)
    if names is None:
        raise ValueError(f"{bands} bands; expected 1 or 2")
    fixed = dict(held or {})
    for name in fixed:
        if name not in names:
            raise ValueError(f"there is no parameter {name!r} to hold; there are {', '.join(names)}")
    if held_covariance is not None and held_covariance.shape != (len(fixed), len(fixed)):
        raise ValueError(f"covariance of {held_covariance.shape} for {len(fixed)} held parameters")
    free = tuple(name for name in names if name not in fixed)
    criterion = _criterion(curve, bands, fixed)
    n = len(curve.bias_mv)
    reason = spoilt
    if not reason and n < 5 * len(free):
        reason = f"{n} points for {len(free)} parameters; measure in smaller steps"
    reason = reason or _no_gap(curve)
    if reason:
        results = {name: refused(_quantity(name), _unit(name), criterion, reason, n=n) for name in free}
        return BtkFit(results, fixed, free)
    model = _Model(curve, names)
    best = model.best(free, fixed)
    values = {**fixed, **dict(zip(free, best.x.tolist(), strict=True))}
    dof = max(n - len(free), 1)
    chi2 = 2 * float(best.cost) / dof
    inverse = np.linalg.pinv(best.jac.T @ best.jac)
    warmer = _Model(replace(curve, temperature_k=curve.temperature_k + _THERMOMETER_K), names)
    by_thermometer = inverse @ best.jac.T @ (warmer.misfit(values) - model.misfit(values))
    covariance = inverse * max(chi2, 1.0) + np.outer(by_thermometer, by_thermometer)
    if held_covariance is not None:
        moved = inverse @ best.jac.T @ model.slopes(values, tuple(fixed))
        covariance = covariance + moved @ held_covariance @ moved.T
    errors = np.sqrt(np.diag(covariance))
    correlation = covariance / np.maximum(np.outer(errors, errors), 1e-300)
    flags = _flags(curve, values, free, chi2, correlation)
    last = f"z_{bands}"
    profile: tuple[Mapping[str, float], ...] = ()
    if with_profile:
        centre = values[last]
        width = 0.25 if last not in free else max(3 * float(errors[free.index(last)]), 0.05)
        profile = model.profile(free, fixed, values, last, centre, width)
    if fixed and model.wants_another(values, 2 * float(best.cost)):
        flags = (*flags, "held_off")
    normal_moved = model.normal_moved(values)
    goodness = {"chi2_per_dof": chi2, "largest_correlation": _largest(correlation)}
    if curve.normal_errors is not None:
        goodness["normal_moved"] = float(np.interp(0.0, curve.bias_mv, normal_moved))
    window = {"bias_mv": (float(curve.bias_mv.min()), float(curve.bias_mv.max()))}
    results = {
        name: Result(
            _quantity(name),
            values[name],
            float(error),
            _unit(name),
            criterion,
            window,
            n,
            goodness,
            flags,
        )
        for name, error in zip(free, errors, strict=True)
    }
    for name in _at_bound(values, free):
        reason = f"it ran to {values[name]:.3g} {_unit(name)}, an end of its range: the curve does not fix it"
        results[name] = replace(results[name], value=None, sigma=None, reason=reason)
    return BtkFit(
        results,
        values,
        free,
        tuple(tuple(row) for row in correlation.tolist()),
        profile,
        tuple((model.curve(values) + normal_moved * curve.conductance).tolist()),
    )


def _no_gap(curve: ContactCurve) -> str:
    """Return why there is no gap to fit: the contact is normal."""
    off = np.abs(curve.conductance - 1)
    if np.any(off > np.maximum(_FLAT, _FLAT_SIGMAS * curve.sigma)):
        return ""
    return (
        f"the conductance is that of the normal state within {float(off.max()):.2g} at "
        f"{curve.temperature_k:.4g} K: no gap is seen"
    )


class _Model:
    """The misfit of one curve, with its smearing made once.

    The errors of G_N, which the points share, are in the covariance of the misfit: so a scale that is
    a little wrong is not taken for a gap, and ``_whiten`` makes its parts independent.
    """

    def __init__(self, curve: ContactCurve, names: Sequence[str]) -> None:
        self._curve, self._names = curve, names
        self._smearing = Smearing(curve.bias_mv, curve.temperature_k, curve.modulation_mv_rms)
        sigma = np.maximum(curve.sigma, 1e-9)
        self._shared: Floats = np.zeros((0, len(sigma)))
        if curve.normal_errors is not None:
            self._shared = curve.normal_errors * curve.conductance
        covariance = np.diag(sigma**2) + self._shared.T @ self._shared
        self._whiten: Floats = np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)))

    def curve(self, values: Mapping[str, float]) -> Floats:
        return self._smearing.conductance(_bands(values))

    def misfit(self, values: Mapping[str, float]) -> Floats:
        """Return it in units of its error, independent parts; shape (n,)."""
        return np.asarray(self._whiten @ (self._curve.conductance - self.curve(values)))

    def normal_moved(self, values: Mapping[str, float]) -> Floats:
        """Return by how much G_N is likely too low, relative, over the bias; shape (n,)."""
        parts = (self._whiten @ self._shared.T).T @ self.misfit(values)
        return np.asarray(parts @ self._shared / self._curve.conductance)

    def slopes(self, values: Mapping[str, float], names: Sequence[str]) -> Floats:
        """Return how the misfit changes with the parameters ``names``; shape (n, len(names))."""
        here = self.misfit(values)
        columns = [(self.misfit({**values, name: values[name] + _STEP}) - here) / _STEP for name in names]
        return np.asarray(np.column_stack(columns))

    def fit(
        self,
        free: Sequence[str],
        fixed: Mapping[str, float],
        start: Mapping[str, float],
        tolerance: float = 1e-9,
    ) -> OptimizeResult:
        low, high = (np.array([_bound(name)[k] for name in free]) for k in (0, 1))

        def residual(x: Floats) -> Floats:
            return self.misfit({**fixed, **dict(zip(free, x.tolist(), strict=True))})

        first = np.clip([start[name] for name in free], low + 1e-6, high - 1e-6)
        return least_squares(
            residual, first, bounds=(low, high), xtol=tolerance, ftol=tolerance, x_scale="jac"
        )

    def best(self, free: Sequence[str], fixed: Mapping[str, float]) -> OptimizeResult:
        fits = [self.fit(free, fixed, start) for start in _STARTS]
        if "delta_1" in free and "delta_2" in free:
            fits = [
                one for one in fits if one.x[free.index("delta_1")] < one.x[free.index("delta_2")]
            ] or fits
        return min(fits, key=lambda one: float(one.cost))

    def profile(
        self,
        free: Sequence[str],
        fixed: Mapping[str, float],
        values: Mapping[str, float],
        name: str,
        centre: float,
        width: float,
    ) -> tuple[Mapping[str, float], ...]:
        rest = tuple(one for one in free if one != name)
        dof = max(len(self._whiten) - len(rest), 1)
        found = []
        for held in np.linspace(max(centre - width, 0.0), centre + width, 7).tolist():
            without = {key: value for key, value in fixed.items() if key != name}
            one = self.fit(rest, {**without, name: held}, values, 1e-6)
            fitted = dict(zip(rest, one.x.tolist(), strict=True))
            gaps = {key: value for key, value in fitted.items() if key.startswith("delta")}
            found.append({name: held, "chi2_per_dof": 2 * float(one.cost) / dof, **gaps})
        return tuple(found)

    def wants_another(self, values: Mapping[str, float], chi2: float) -> bool:
        """Say whether letting go of what was held lowers chi^2 by more than 3 sigma, and moves a gap."""
        whole = self.fit(tuple(self._names), {}, values, 1e-6)
        moved = max(
            abs(found / values[name] - 1)
            for name, found in zip(self._names, whole.x.tolist(), strict=True)
            if name.startswith("delta")
        )
        return chi2 - 2 * float(whole.cost) > _OFF_MINIMUM and moved > _GAP_MOVES


def _bands(values: Mapping[str, float]) -> list[Band]:
    if "delta_2" not in values:
        return [Band(values["delta_1"], values["gamma_1"], values["z_1"])]
    weight = values["weight_1"]
    return [
        Band(values["delta_1"], values["gamma_1"], values["z_1"], weight),
        Band(values["delta_2"], values["gamma_2"], values["z_2"], 1 - weight),
    ]


def _bound(name: str) -> tuple[float, float]:
    return _BOUNDS[name.partition("_")[0]]


def _unit(name: str) -> str:
    return _UNITS[name.partition("_")[0]]


def _quantity(name: str) -> str:
    kind, _, number = name.partition("_")
    return {"delta": "gap", "gamma": "broadening", "z": "barrier Z", "weight": "weight"}[kind] + f" {number}"


def _criterion(curve: ContactCurve, bands: int, fixed: Mapping[str, float]) -> str:
    held = "".join(f", {name} = {value:.4g} held" for name, value in fixed.items())
    modulation = f", modulation {curve.modulation_mv_rms:.3g} mV rms" if curve.modulation_mv_rms else ""
    which = "one band" if bands == 1 else "two bands"
    return f"BTK, {which}, {curve.temperature_k:.4g} K{modulation}{held}"


def _flags(
    curve: ContactCurve,
    values: Mapping[str, float],
    free: Sequence[str],
    chi2: float,
    correlation: np.ndarray[Any, np.dtype[np.float64]],
) -> tuple[str, ...]:
    widest = max(value for name, value in values.items() if name.startswith("delta"))
    reach = float(min(curve.bias_mv.max(), -curve.bias_mv.min()))
    thermal_mv = 3.53 * 0.0861733 * curve.temperature_k
    found = {
        "poor_fit": chi2 > _POOR_CHI2,
        "correlated": _largest(correlation) > _CORRELATED,
        "at_bound": bool(_at_bound(values, free)),
        "bias_short": reach < _MANY_GAPS * widest,
        "wide_modulation": curve.modulation_mv_rms > 0.5 * thermal_mv,
    }
    return tuple(flag for flag, is_so in found.items() if is_so)


def _at_bound(values: Mapping[str, float], free: Sequence[str]) -> list[str]:
    return [
        name
        for name in free
        for low, high in [_bound(name)]
        if min(values[name] - low, high - values[name]) < 1e-4 * (high - low)
    ]


def _largest(correlation: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    off = np.abs(correlation - np.diag(np.diag(correlation)))
    return float(off.max()) if off.size else 0.0
