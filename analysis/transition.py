"""Tc metrics of a resistive transition.

All levels are fractions of the normal line extrapolated from above. What the curve does not show is refused.
Sources of the windows and levels: the usual 90 / 50 / 10 % criteria; the normal line from 1.1 to 1.5 Tc is a
compromise between the foot of the fluctuations below it and the curvature of the phonons above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.passes import one_curve, split_passes
from onnes.analysis.result import Result, refused
from onnes.analysis.transition_metrics import NAMES, Curve, Metrics, NoTransition, measure, noise_of

_REPLICAS = 60
_SEED = 39300
_UP_DOWN_K = 0.020  # warming against cooling after the lag correction; more means: sweep more slowly
_UNITS = dict.fromkeys(NAMES, "K") | {"rrr": "1"}
_QUANTITIES = {
    "onset": "Tc onset",
    "t90": "T at 90 %",
    "t50": "T at 50 %",
    "t10": "T at 10 %",
    "zero": "T of zero resistance",
    "width": "transition width",
    "rrr": "residual resistance ratio",
    "deviation": "T of deviation",
}
_CRITERIA = {
    "onset": "tangent at the steepest point of R/R_n meets 1",
    "t90": "R/R_n = 0.9",
    "t50": "R/R_n = 0.5",
    "t10": "R/R_n = 0.1",
    "zero": "highest T with R < max(1e-3 R_n, 3 noise)",
    "width": "T90 - T10",
    "rrr": "R(300 K)/R_n(onset)",
    "deviation": "R leaves the normal line downwards by 3 sigma for good",
}
# Normal windows in units of the onset, degree (None: by the rule) and levels of the tangent that are varied.
_VARIANTS: tuple[dict[str, Any], ...] = (
    {"window": (1.05, 1.4)},
    {"window": (1.15, 1.6)},
    {"degree": 1},
    {"degree": 2},
    {"tangent": (0.05, 0.95)},
    {"tangent": (0.2, 0.8)},
)


@dataclass(frozen=True, slots=True)
class _Found:
    """The metrics of one curve with their uncertainties, or why it has none."""

    metrics: Metrics
    sigma: dict[str, float]
    bootstrap: dict[str, float]
    spread: dict[str, float]


def transition(
    temperature: Floats, resistance: Floats, sigma: Floats | float, *, temperature_sigma_k: float = 0.002
) -> dict[str, Result]:
    """Return {"onset", "t90", "t50", "t10", "zero", "width", "rrr", "deviation"}: Result (K; rrr no unit).

    One curve R(T). Passes up and down in one array are kept apart (mean quoted, both in goodness, flag
    "up_down") and refused where they disagree by more than 3 sigma and 20 mK. Points in any other order are
    sorted; those at one temperature are averaged, or refused when they disagree. A metric the curve does not
    have is refused with its reason.

    goodness: sigma_bootstrap (noise of R and T drawn anew), sigma_window (spread over windows and degree of
    the normal line and over the levels of the tangent fit), r_normal_ohm (R_n at the onset),
    normal_rms_relative, noise_ohm, and for the onset deviation_k.

    Raises:
        ValueError: if the arrays differ in length or an uncertainty is negative.
    """
    t, r = np.asarray(temperature, dtype=np.float64), np.asarray(resistance, dtype=np.float64)
    if t.ndim != 1 or t.shape != r.shape:
        raise ValueError(f"{t.shape} temperatures and {r.shape} resistances; give one of each a point")
    if not temperature_sigma_k >= 0:
        raise ValueError(f"sigma of the temperature = {temperature_sigma_k} K is negative or NaN")
    error = np.broadcast_to(np.nan_to_num(np.asarray(sigma, dtype=np.float64)), t.shape)
    if np.any(error < 0):
        raise ValueError("a sigma of the resistance is negative")
    good = np.isfinite(t) & np.isfinite(r) & (t > 0)
    passes = split_passes(t[good], r[good], error[good])
    found: list[_Found] = []
    try:
        for one in passes:
            curve = one_curve(*one, temperature_sigma_k)
            found.append(_found(curve, temperature_sigma_k))
    except NoTransition as why:
        return {
            name: refused(_QUANTITIES[name], _UNITS[name], _CRITERIA[name], str(why), n=int(good.sum()))
            for name in NAMES
        }
    return {name: _joined(name, found) for name in NAMES}


def _found(curve: Curve, temperature_sigma_k: float) -> _Found:
    """Return the metrics of one sorted curve with bootstrap and spread.

    Raises:
        NoTransition: where the curve has none.
    """
    metrics = measure(curve)
    noise = noise_of(curve, metrics)
    random = np.random.default_rng(_SEED)
    draws: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(_REPLICAS):
        t = curve.temperature + temperature_sigma_k * random.standard_normal(len(curve.temperature))
        r = curve.resistance + noise * random.standard_normal(len(curve.temperature))
        order = np.argsort(t, kind="stable")
        _collect(draws, replace(curve, temperature=t[order], resistance=r[order], sigma=noise[order]))
    varied: dict[str, list[float]] = {name: [] for name in NAMES}
    for variant in _VARIANTS:
        _collect(varied, curve, **variant)
    bootstrap = {name: _robust_sd(draws[name]) for name in NAMES}
    spread = {
        name: float(np.sqrt(np.mean((np.array(values) - metrics.values[name]) ** 2)))
        if (values := varied[name]) and name in metrics.values
        else 0.0
        for name in NAMES
    }
    total = {
        name: float(
            np.sqrt(bootstrap[name] ** 2 + spread[name] ** 2 + metrics.resolution.get(name, 0.0) ** 2)
        )
        for name in NAMES
    }
    return _Found(metrics, total, bootstrap, spread)


def _collect(into: dict[str, list[float]], curve: Curve, **choices: Any) -> None:
    try:
        values = measure(curve, **choices).values
    except NoTransition:
        return
    for name, value in values.items():
        into[name].append(value)


def _robust_sd(values: Sequence[float]) -> float:
    """Return half of the central 68 %: a single draw that jumps to another point does not count."""
    if len(values) < 2:
        return 0.0
    low, high = np.percentile(values, [15.87, 84.13])
    return float(high - low) / 2


def _joined(name: str, found: Sequence[_Found]) -> Result:
    unit, n = _UNITS[name], sum(one.metrics.n for one in found)
    first = found[0].metrics
    criterion = f"{_CRITERIA[name]}; {first.criterion}"
    window = {
        "temperature_k": (
            min(one.metrics.normal_k[0] for one in found),
            max(one.metrics.normal_k[1] for one in found),
        )
    }
    for one in found:
        if name not in one.metrics.values:
            return refused(_QUANTITIES[name], unit, criterion, one.metrics.missing[name], window=window, n=n)
    values = np.array([one.metrics.values[name] for one in found])
    sigmas = np.array([one.sigma[name] for one in found])
    value = float(values.mean())
    apart = float(np.ptp(values)) / 2
    goodness = {
        "sigma_bootstrap": float(np.mean([one.bootstrap[name] for one in found])),
        "sigma_window": float(np.mean([one.spread[name] for one in found])),
        "r_normal_ohm": float(np.mean([one.metrics.r_normal for one in found])),
        "normal_rms_relative": float(np.mean([one.metrics.normal_rms for one in found])),
        "noise_ohm": float(np.mean([one.metrics.noise for one in found])),
    }
    if name == "onset" and all("deviation" in one.metrics.values for one in found):
        goodness["deviation_k"] = float(np.mean([one.metrics.values["deviation"] for one in found]))
    flags = list(first.flags)
    if len(found) > 1:
        goodness |= {f"pass_{k}": float(v) for k, v in enumerate(values, start=1)}
        flags.append("up_down")
        agreed = 0.01 * abs(value) if unit == "1" else _UP_DOWN_K
        if 2 * apart > max(3 * float(np.hypot(*sigmas[:2])), agreed):
            reason = (
                f"warming and cooling disagree: {values.min():.6g} and {values.max():.6g} {unit}; "
                "correct the lag, or sweep more slowly"
            )
            return refused(
                _QUANTITIES[name],
                unit,
                criterion,
                reason,
                window=window,
                n=n,
                goodness=goodness,
                flags=tuple(flags),
            )
    # The passes share the choice of window: their mean is no more certain of it than each alone.
    total = float(np.hypot(np.sqrt(np.mean(sigmas**2)), apart))
    return Result(_QUANTITIES[name], value, total, unit, criterion, window, n, goodness, tuple(flags))
