"""Hc2(T) from the temperatures at which R falls to a level in each field: power law, and WHH.

The power law Hc2 = Hc2(0) (1 - T/Tc)^(1 + alpha) describes what was measured; its Hc2(0) is an extrapolation
and says how far. Werthamer, Helfand and Hohenberg (PR 147, 295) give the dirty limit from the slope at Tc.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, least_squares
from scipy.special import digamma

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused

WHH_FACTOR = (
    0.6927  # Hc2(0)/(Tc |dHc2/dT|) in the dirty limit without spin effects, from the digamma equation
)
PAULI_OE_PER_K = 18_400.0  # Clogston and Chandrasekhar: 1.84 T/K
_FEWEST_FIELDS = 4
_LEAST_SIGMA_K = 1e-4
_POOR_CHI2 = 4.0
_NEAR_TC = 0.7  # t above which the slope at Tc is taken
_COLDEST = 0.3  # t to which the curve of the dirty limit is tabulated: the points end at 0.7


@dataclass(frozen=True, slots=True)
class UpperCriticalField:
    """Hc2(0) (Oe), the exponent ``alpha`` of (1 - T/Tc)^(1 + alpha), and ``tc`` (K)."""

    hc2: Result
    alpha: Result
    tc: Result


def power_law(field_oe: Any, temperature_k: Any, sigma_k: Any, *, level: str) -> UpperCriticalField:
    """Fit T(H) = Tc [1 - (H/Hc2(0))^(1/(1 + alpha))], all three free; errors are those of T.

    The size of a field counts, not its sign. sigma = hypot(noise, window): the noise from the fit, times
    sqrt(chi2) where that is above 1; the window from leaving out the highest, and the lowest field in turn.
    Flag ``extrapolated`` where the lowest temperature is above half of Tc, ``poor_fit`` for chi2 above 4.

    Args:
        level: what defines the points, e.g. ``R/R_n = 0.1``

    Raises:
        ValueError: if the arrays differ in length or a sigma is negative.
    """
    h, t, s = _points(field_oe, temperature_k, sigma_k)
    criterion = f"Hc2(0) (1 - T/Tc)^(1 + alpha) through the points {level}"
    n = len(h)
    window: Window = (
        {"field_oe": (float(h.min()), float(h.max())), "temperature_k": (float(t.min()), float(t.max()))}
        if n
        else {}
    )
    fields = int(np.count_nonzero(np.unique(h) > 0))
    reason = ""
    if fields < _FEWEST_FIELDS:
        reason = f"{fields} fields above 0; {_FEWEST_FIELDS} at least are needed for three parameters"
    fit = None if reason else _fit(h, t, s)
    if fit is None:
        reason = reason or "the fit does not converge: the temperatures do not fall with the field"
        return _nothing(criterion, reason, window, n)
    values, errors, chi2 = fit
    spread = np.zeros(3)
    for left_out in (int(np.argmax(h)), _lowest(h)):
        keep = np.arange(n) != left_out
        if np.count_nonzero(np.unique(h[keep]) > 0) < _FEWEST_FIELDS:
            continue
        other = _fit(h[keep], t[keep], s[keep])
        if other is not None:
            spread = np.maximum(spread, np.abs(other[0] - values))
    sigma = np.hypot(errors, spread)
    rms = float(np.sqrt(np.mean((t - _model(values, h)) ** 2)))
    flags = []
    if chi2 > _POOR_CHI2:
        flags.append("poor_fit")
    if float(t.min()) > 0.5 * values[2]:
        flags.append("extrapolated")
    names = (("Hc2(0)", "Oe"), ("alpha", "1"), ("Tc of Hc2", "K"))
    found = [
        Result(
            quantity,
            float(values[k]),
            float(sigma[k]),
            unit,
            criterion,
            window,
            n,
            {
                "chi2_per_dof": chi2,
                "rms_k": rms,
                "sigma_noise": float(errors[k]),
                "sigma_window": float(spread[k]),
                "lowest_t": float(t.min()) / float(values[2]),
            },
            tuple(flags),
        )
        for k, (quantity, unit) in enumerate(names)
    ]
    return UpperCriticalField(*found)


def whh_field(t: float) -> float:
    """Return h = Hc2/(Tc |dHc2/dT| at Tc) in the dirty limit at t = T/Tc, dimensionless.

    Solves ln(1/t) = psi(1/2 + x/(2 t)) - psi(1/2) with h = pi^2 x/4.

    Raises:
        ValueError: if t is outside (0, 1].

    >>> round(whh_field(1e-4), 3)
    0.693
    """
    if not 0 < t <= 1:
        raise ValueError(f"t = T/Tc = {t} is outside (0, 1]")
    if t == 1:
        return 0.0

    def excess(x: float) -> float:
        return float(digamma(0.5 + x / (2 * t)) - digamma(0.5)) + math.log(t)

    return math.pi**2 / 4 * float(brentq(excess, 0.0, 1.0, xtol=1e-14))


def whh(field_oe: Any, temperature_k: Any, sigma_k: Any, *, level: str) -> tuple[Result, Result]:
    """Return Hc2(0) of the dirty limit (Oe), and the slope at Tc (Oe/K), from the points above 0.7 Tc.

    The curve of the dirty limit itself, which is no straight line, is fitted there with Tc and slope free;
    errors are those of T. Flag ``above_pauli`` where Hc2(0) exceeds 18.4 kOe/K Tc, ``curved`` where the
    points bend otherwise (chi2 above 4): the slope is then one of the window, and the dirty limit does not
    describe it.

    Raises:
        ValueError: as :func:`power_law`.
    """
    h, t, s = _points(field_oe, temperature_k, sigma_k)
    criterion = f"WHH, dirty limit: {WHH_FACTOR} Tc |dHc2/dT|, fitted to points {level} above {_NEAR_TC:g} Tc"
    near = t > _NEAR_TC * float(t.max()) if len(t) else np.zeros(0, dtype=bool)
    n = int(near.sum())
    if n < 3 or np.count_nonzero(np.unique(h[near]) > 0) < 2:
        reason = f"{n} points above {_NEAR_TC:g} of the highest temperature; three at least are needed"
        return _no_whh(criterion, reason, n)
    line = np.polyfit(h[near], t[near], 1, w=1 / s[near])
    if not line[0] < 0:
        return _no_whh(criterion, "the temperatures do not fall with the field", n)
    start = np.array([line[1], -1 / line[0]])
    kelvin = _dirty_limit()

    def residual(x: Floats) -> Floats:
        tc, steep = x * start
        return np.asarray((t[near] - tc * kelvin(h[near] / (tc * steep))) / s[near], dtype=np.float64)

    fit = least_squares(residual, np.ones(2), bounds=(0.5, 2.0), xtol=1e-12, ftol=1e-12)
    tc, steep = (fit.x * start).tolist()
    chi2 = 2 * float(fit.cost) / (n - 2)
    relative = np.linalg.inv(fit.jac.T @ fit.jac) * max(chi2, 1.0) / np.outer(fit.x, fit.x)
    value = WHH_FACTOR * tc * steep
    spread = math.sqrt(float(relative.sum())) * value
    pauli = PAULI_OE_PER_K * tc
    flags = []
    if chi2 > _POOR_CHI2:
        flags.append("curved")
    if value > pauli:
        flags.append("above_pauli")
    about = (
        criterion,
        {"temperature_k": (float(t[near].min()), float(t[near].max()))},
        n,
        {"chi2_per_dof": chi2, "pauli_oe": pauli, "tc_k": tc},
        tuple(flags),
    )
    error = steep * math.sqrt(float(relative[1, 1]))
    return (
        Result("Hc2(0), WHH", value, spread, "Oe", *about),
        Result("slope of Hc2 at Tc", -steep, error, "Oe/K", *about),
    )


def _dirty_limit() -> CubicSpline:
    """Return T/Tc of the dirty limit as a function of Hc2/(Tc |dHc2/dT|)."""
    t = np.linspace(1.0, _COLDEST, 60)
    return CubicSpline([whh_field(float(one)) for one in t], t)


def _no_whh(criterion: str, reason: str, n: int) -> tuple[Result, Result]:
    hc2 = refused("Hc2(0), WHH", "Oe", criterion, reason, n=n)
    return hc2, refused("slope of Hc2 at Tc", "Oe/K", criterion, reason, n=n)


def _points(field_oe: Any, temperature_k: Any, sigma_k: Any) -> tuple[Floats, Floats, Floats]:
    h, t = np.abs(np.asarray(field_oe, dtype=np.float64)), np.asarray(temperature_k, dtype=np.float64)
    if h.ndim != 1 or h.shape != t.shape:
        raise ValueError(f"{h.shape} fields and {t.shape} temperatures; give one of each a point")
    s = np.broadcast_to(np.asarray(sigma_k, dtype=np.float64), t.shape)
    if np.any(s < 0):
        raise ValueError(f"sigma of a temperature = {s.min():.3g} K is negative")
    good = np.isfinite(h) & np.isfinite(t) & np.isfinite(s)
    return h[good], t[good], np.maximum(s[good], _LEAST_SIGMA_K)


def _model(values: Sequence[float] | Floats, h: Floats) -> Floats:
    hc2, alpha, tc = values
    return np.asarray(tc * (1 - (h / hc2) ** (1 / (1 + alpha))))


def _fit(h: Floats, t: Floats, s: Floats) -> tuple[Floats, Floats, float] | None:
    """Return values and errors of (Hc2, alpha, Tc), and chi2 per degree of freedom; None without a fit."""
    top = float(t.max())
    fraction = max(1 - float(t[int(np.argmax(h))]) / top, 0.05)
    start = [float(h.max()) / fraction**1.2, 0.2, top + 1e-3 * top]
    scale = np.array([start[0], 1.0, start[2]])

    def residual(x: Floats) -> Floats:
        return (t - _model(x * scale, h)) / s

    found = least_squares(
        residual,
        np.array([1.0, 0.2, 1.0]),
        bounds=(np.array([float(h.max()) * 1e-3 / scale[0], -0.8, 0.5]), np.array([1e3, 5.0, 2.0])),
        x_scale=np.array([0.1, 0.1, 0.01]),
        xtol=1e-12,
        ftol=1e-12,
    )
    at_bound = bool(np.any(found.active_mask != 0))
    information = found.jac.T @ found.jac
    if not found.success or at_bound or np.linalg.cond(information) > 1e14:
        return None
    dof = len(t) - 3
    chi2 = float(2 * found.cost) / dof if dof > 0 else 0.0
    errors = np.sqrt(np.diag(np.linalg.inv(information)) * max(chi2, 1.0)) * scale
    return np.asarray(found.x * scale), np.asarray(errors), chi2


def _lowest(h: Floats) -> int:
    above = np.flatnonzero(h > 0)
    return int(above[np.argmin(h[above])])


def _nothing(criterion: str, reason: str, window: Window, n: int) -> UpperCriticalField:
    return UpperCriticalField(
        refused("Hc2(0)", "Oe", criterion, reason, window=window, n=n),
        refused("alpha", "1", criterion, reason, window=window, n=n),
        refused("Tc of Hc2", "K", criterion, reason, window=window, n=n),
    )
