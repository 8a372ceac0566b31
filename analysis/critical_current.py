"""How Jc depends on temperature: the depairing law of Ginzburg-Landau theory, and (1 - T/Tc)^(3/2) near Tc.

A fit of two parameters to a few points always gives two numbers. Whether the law holds is in its goodness:
the three printed values of a nanocomposite miss the 3/2 law by a factor of 1.5, whatever Tc.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize_scalar

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import sorted_curve

Law = Literal["depairing", "three_halves"]
LAWS: dict[Law, str] = {
    "depairing": "Jc(0) (1 - t^2)^1.5 (1 + t^2)^0.5",
    "three_halves": "Jc(0) (1 - t)^1.5",
}
_POOR_RMS = 0.1  # of ln Jc: a law that misses its points by more than a tenth is none
_POOR_CHI2 = 4.0


@dataclass(frozen=True, slots=True)
class CriticalCurrentLaw:
    """``jc0``: Jc(0), A/cm^2; ``tc``: K. Goodness of both holds ``rms_ln``, and ``chi2_per_dof`` if known."""

    jc0: Result
    tc: Result


def critical_current_law(
    temperature: Any,
    jc: Any,
    jc_sigma: Any,
    *,
    law: Law,
    tc_k: float | None = None,
    tc_range: float = 1.2,
) -> CriticalCurrentLaw:
    """Return Jc(0) and Tc of a law fitted to ln Jc, A/cm^2 at K.

    ``tc_k`` is held where it is given, else free up to ``tc_range`` times the highest temperature. Where no
    sigma is known, give 0: all points then count alike, and sigma comes from their scatter.

    Raises:
        ValueError: if the arrays differ in length, or a sigma is negative.
    """
    curve = sorted_curve("Jc", temperature, jc, jc_sigma)
    positive = curve.y > 0
    t, ln_j = curve.x[positive], np.log(curve.y[positive])
    criterion = f"{LAWS[law]}, t = T/Tc, least squares of ln Jc, Tc {'free' if tc_k is None else 'held'}"
    n, free = len(t), 2 if tc_k is None else 1
    window: Window = {"temperature_k": (float(t[0]), float(t[-1]))} if n else {}
    reason = ""
    if n < free + 1:
        reason = f"{n} points with Jc > 0; {free + 1} at least are needed"
    elif tc_k is not None and tc_k <= t[-1]:
        reason = f"Jc is not zero at {t[-1]:.5g} K, above the given Tc = {tc_k:.5g} K"
    if reason:
        return _nothing(criterion, reason, window, n)
    relative = curve.sigma[positive] / curve.y[positive]
    known = bool(np.all(relative > 0))
    weight = 1 / relative if known else np.ones(n)

    def off(tc: float) -> tuple[Floats, float]:
        shape = ln_j - _ln_law(law, t / tc)
        ln_j0 = float(np.average(shape, weights=weight**2))
        return shape - ln_j0, ln_j0

    def misfit(tc: float) -> float:
        return float(np.sum((weight * off(tc)[0]) ** 2))

    low, high = float(t[-1]) * (1 + 1e-9), float(t[-1]) * tc_range
    best = tc_k
    if best is None:
        best = _least(misfit, low, high)
        if best > high - 1e-3 * (high - low):
            reason = f"Tc runs to the end of its range, {high:.5g} K; the points do not bound it"
            return _nothing(criterion, reason, window, n)
    residual, ln_j0 = off(best)
    chi2 = misfit(best) / max(n - free, 1)
    rms = float(np.sqrt(np.mean(residual**2)))
    goodness = {"rms_ln": rms, "factor_rms": math.exp(rms), "free_parameters": float(free)}
    if known:
        goodness["chi2_per_dof"] = chi2
    poor = chi2 > _POOR_CHI2 if known else rms > _POOR_RMS
    flags = ("poor_fit",) if poor else ()
    step = 1e-4 * (best - t[-1]) if tc_k is None else 1e-5 * best
    change = (_ln_law(law, t / (best + step)) - _ln_law(law, t / (best - step))) / (2 * step)
    columns = np.column_stack([np.ones(n), change])[:, :free] * weight[:, None]
    covariance = np.linalg.inv(columns.T @ columns) * (max(chi2, 1.0) if known else chi2)
    j0 = math.exp(ln_j0)
    spread = np.sqrt(np.diag(covariance))
    jc0 = Result("Jc(0)", j0, j0 * float(spread[0]), "A/cm^2", criterion, window, n, goodness, flags)
    if tc_k is not None:
        held = refused("Tc of Jc(T)", "K", criterion, "Tc was given", window=window, n=n, goodness=goodness)
        return CriticalCurrentLaw(jc0, held)
    tc = Result("Tc of Jc(T)", best, float(spread[1]), "K", criterion, window, n, goodness, flags)
    return CriticalCurrentLaw(jc0, tc)


def _ln_law(law: Law, t: Floats) -> Floats:
    if law == "depairing":
        return np.asarray(1.5 * np.log1p(-(t**2)) + 0.5 * np.log1p(t**2))
    return np.asarray(1.5 * np.log1p(-t))


def _least(misfit: Any, low: float, high: float) -> float:
    """Return the place of the least misfit, looked for on a logarithmic lattice: it is steep near ``low``."""
    lattice = low + (high - low) * np.geomspace(1e-6, 1, 400)
    values = [misfit(float(x)) for x in lattice]
    k = int(np.argmin(values))
    if k in (0, len(lattice) - 1):
        return float(lattice[k])
    found = minimize_scalar(
        misfit,
        bounds=(float(lattice[k - 1]), float(lattice[k + 1])),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


def _nothing(criterion: str, reason: str, window: Window, n: int) -> CriticalCurrentLaw:
    return CriticalCurrentLaw(
        refused("Jc(0)", "A/cm^2", criterion, reason, window=window, n=n),
        refused("Tc of Jc(T)", "K", criterion, reason, window=window, n=n),
    )
