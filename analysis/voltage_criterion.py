"""Critical current and exponent of V = Vc (I/Ic)^n, by a voltage criterion.

The ohmic and thermal part that is there without the superconductor is taken from the lowest currents. What
the power law itself has there, with n = 3 a few percent of the criterion, cannot be told from leads: it
counts as an error. The power law is a description of a narrow decade of voltages, so its window is in the
answer.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import SortedCurve, sorted_curve

_BASELINE = 0.3  # of the largest current: below it the voltage is that of the leads
_NOISE_SIGMAS, _OF_VC, _MOST_VC = 5.0, 1.0 / 3.0, 100.0
_FEWEST = 4
_SOFT = 0.05  # of Ic, by which what the power law has at low currents may change it
_POOR_CHI2 = 3.0
_JUMP = 10.0  # from one point to the next: a transition that is no power law
_CURVED = 3.0


@dataclass(frozen=True, slots=True)
class CriticalCurrent:
    """Ic (A) and the exponent n of one curve, with the resistance (ohm) and offset (V) below it."""

    ic: Result
    n: Result


def critical_current(current_a: Any, voltage_v: Any, sigma_v: Any, *, criterion_v: float) -> CriticalCurrent:
    """Return Ic at ``criterion_v`` and n, from one polarity of V(I).

    A straight line through the lowest 30 % of the currents is taken away; then log V against log I over the
    unbroken block of points between max(Vc/3, 5 sigma) and 100 Vc. Flags: ``poor_fit`` (chi^2/dof above 3),
    ``curved`` (a quadratic term in the logarithms beyond 3 sigma: heating, or no power law).

    Raises:
        ValueError: if the arrays differ in length, a sigma is negative, or the criterion is not above zero.
    """
    if not (math.isfinite(criterion_v) and criterion_v > 0):
        raise ValueError(f"criterion = {criterion_v} V is not above 0")
    curve = sorted_curve("V(I)", np.abs(np.asarray(current_a, dtype=np.float64)), voltage_v, sigma_v)
    found = _above_a_line(curve, np.zeros(len(curve.x)), criterion_v)
    ic, n = found.ic.value, found.n.value
    if ic is None or n is None:
        return found
    own = np.minimum(criterion_v * (curve.x / ic) ** n, criterion_v)
    other = _above_a_line(curve, own, criterion_v)
    if other.ic.value is None or other.n.value is None or abs(other.ic.value - ic) > _SOFT * ic:
        reason = f"n = {n:.2g} is too low: a power law that soft cannot be told from leads in series"
        return _nothing(found.ic.criterion, reason, found.ic.window, found.ic.n)
    return CriticalCurrent(_with(found.ic, other.ic.value - ic), _with(found.n, other.n.value - n))


def _with(found: Result, soft: float) -> Result:
    """Return a result with what the power law in the line at low currents adds to its error."""
    sigma = math.hypot(found.sigma or 0.0, soft)
    return replace(found, sigma=sigma, goodness={**found.goodness, "sigma_baseline": abs(soft)})


def _above_a_line(curve: SortedCurve, own_v: Floats, criterion_v: float) -> CriticalCurrent:
    """Return what :func:`critical_current` does, with ``own_v`` of the sample at the lowest currents."""
    text = f"V = {criterion_v:.4g} V above the line of the lowest {_BASELINE:.0%} of I"
    count = len(curve.x)
    if count < 2 * _FEWEST:
        return _nothing(text, f"{count} points; {2 * _FEWEST} at least are needed", {}, count)
    low = curve.x <= _BASELINE * curve.x[-1]
    if int(low.sum()) < _FEWEST:
        reason = f"{int(low.sum())} points below {_BASELINE:.0%} of the largest current; measure from 0 up"
        return _nothing(text, reason, {}, count)
    leads = curve.y[low] - own_v[low]
    line, unscaled = np.polyfit(curve.x[low], leads, 1, cov="unscaled")
    rest = leads - np.polyval(line, curve.x[low])
    noise = max(float(rest.std(ddof=2)), float(np.median(curve.sigma)))
    voltage = curve.y - np.polyval(line, curve.x)
    least = max(_OF_VC * criterion_v, _NOISE_SIGMAS * noise)
    if least >= criterion_v:
        reason = (
            f"5 sigma of noise, {_NOISE_SIGMAS * noise:.3g} V, is above the criterion, {criterion_v:.3g} V"
        )
        return _nothing(text, reason, {}, count)
    block = _block(voltage, least, _MOST_VC * criterion_v)
    if voltage.max() < criterion_v:
        reason = f"the voltage ends at {voltage.max():.3g} V, below the criterion; go to a higher current"
        return _nothing(text, reason, {}, count)
    n = block.stop - block.start
    if n < _FEWEST:
        jumps = n < 2 or bool(np.max(voltage[1:] / np.maximum(voltage[:-1], least)) > _JUMP)
        why = "it jumps: a quench or a junction, no power law" if jumps else "measure in smaller steps"
        return _nothing(
            text, f"{n} points between {least:.3g} and {_MOST_VC * criterion_v:.3g} V; {why}", {}, n
        )
    # The line is drawn at low currents and extended to high ones: all voltages there share its error.
    reach = np.column_stack([curve.x[block], np.ones(n)])
    shared = reach @ (noise**2 * unscaled) @ reach.T
    covariance = shared + np.diag(np.full(n, noise**2))
    return _fitted(curve.x[block], voltage[block], covariance, criterion_v, text, line)


def _fitted(
    current: Floats, voltage: Floats, covariance: Floats, criterion_v: float, text: str, line: Floats
) -> CriticalCurrent:
    x, y = np.log(current), np.log(voltage / criterion_v)
    n = len(x)
    x = x - (centre := float(x.mean()))
    weight: Floats = np.asarray(np.linalg.inv(covariance / np.outer(voltage, voltage)), dtype=np.float64)
    (level, power), errors, chi2 = _generalised(np.column_stack([np.ones(n), x]), y, weight)
    factor = max(chi2, 1.0)
    bent, bent_errors, bent_chi2 = _generalised(np.column_stack([np.ones(n), x, x * x]), y, weight)
    curvature = abs(float(bent[2])) / math.sqrt(float(bent_errors[2, 2]) * max(bent_chi2, 1.0))
    gradient = np.array([-1 / power, level / power**2])
    relative = math.sqrt(float(gradient @ errors @ gradient) * factor)
    flags = tuple(
        flag for flag, is_so in (("poor_fit", chi2 > _POOR_CHI2), ("curved", curvature > _CURVED)) if is_so
    )
    goodness = {
        "chi2_per_dof": chi2,
        "curvature_sigmas": curvature,
        "noise_v": float(math.sqrt(np.min(np.diag(covariance)))),
        "baseline_ohm": float(line[0]),
        "baseline_v": float(line[1]),
    }
    window = {
        "current_a": (float(current[0]), float(current[-1])),
        "voltage_v": (float(voltage[0]), float(voltage[-1])),
    }
    ic = math.exp(centre - level / power)
    sigma_n = math.sqrt(float(errors[1, 1]) * factor)
    return CriticalCurrent(
        Result("Ic", ic, ic * relative, "A", text, window, n, goodness, flags),
        Result("n of V ~ I^n", float(power), sigma_n, "1", text, window, n, goodness, flags),
    )


def _generalised(design: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats, float]:
    """Return parameters, their covariance, and chi^2 per degree of freedom, for errors that are shared."""
    errors = np.asarray(np.linalg.inv(design.T @ weight @ design), dtype=np.float64)
    best = errors @ design.T @ weight @ y
    rest = y - design @ best
    return np.asarray(best), errors, float(rest @ weight @ rest) / max(len(y) - design.shape[1], 1)


def _block(voltage: Floats, least: float, most: float) -> slice:
    """Return the unbroken run of points inside (least, most) that ends highest."""
    inside = (voltage > least) & (voltage < most)
    places = np.flatnonzero(inside)
    if not len(places):
        return slice(0, 0)
    end = int(places[-1])
    outside = np.flatnonzero(~inside[:end])
    return slice(int(outside[-1]) + 1 if len(outside) else 0, end + 1)


def _nothing(criterion: str, reason: str, window: Window, n: int) -> CriticalCurrent:
    return CriticalCurrent(
        refused("Ic", "A", criterion, reason, window=window, n=n),
        refused("n of V ~ I^n", "1", criterion, reason, window=window, n=n),
    )
