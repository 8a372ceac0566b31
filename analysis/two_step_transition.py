"""A transition in two steps: each Tc is where the tangent of its step meets the line above it.

The lower step of a composite is that of the links between its grains; the plateau above it is its normal
state. The upper one rises from that plateau, which is taken away before its tangent is drawn.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused
from onnes.analysis.sorted_curve import SortedCurve, sorted_curve
from onnes.analysis.transition import transition

_ABOVE = 1.1  # of the lower Tc: where its plateau begins, as the normal line of any transition
_PLATEAU = 1.3  # of the lower Tc: where the part of it ends that is extended below the upper step
_REACH = 3  # points on either side, over which the rise at one of them is taken
_GENTLE = 0.1  # of the steepest rise: where the foot of that step is
_PART = 0.2  # of R at the steepest place: a foot with less has no step below it
_FEWEST = 6
_NEAR_K = 5.0
_FIRM = 0.05  # of an upper Tc: one that hangs more on the window is no step, but the rise of a metal


def two_step_transition(temperature: Any, resistance: Any, sigma: Any) -> tuple[Result, Result]:
    """Return (Tc2, Tc1), K, of the lower and the upper step, by tangents.

    The steepest step of a curve is found first; the other one is looked for above and below it. Both are
    refused where there is none.

    Raises:
        ValueError: if the arrays differ in length or a sigma is negative.
    """
    curve = sorted_curve("resistance", temperature, resistance, sigma)
    if (lower := _below_the_steepest(curve)) is not None:
        plateau_k = lower["onset"].value or 0.0
        return _named(lower["onset"], "Tc2"), _named(_upper(curve, plateau_k)["onset"], "Tc1")
    steepest = _steps(curve)
    if (onset := steepest["onset"].value) is None:
        return _named(steepest["onset"], "Tc2"), _named(steepest["onset"], "Tc1")
    above = _upper(curve, onset)
    if above["onset"].value is not None:
        foot = above["t10"].value or above["onset"].value
        lower = _steps(_part(curve, curve.x < foot))
        return _named(lower["onset"], "Tc2"), _named(above["onset"], "Tc1")
    foot = steepest["t10"].value or onset
    below = _steps(_part(curve, curve.x < foot))
    if below["onset"].value is not None:
        # From the plateau of the lower step on, the upper one again.
        return _named(below["onset"], "Tc2"), _named(_upper(curve, below["onset"].value)["onset"], "Tc1")
    reason = f"there is no second step beside that at {onset:.4g} K"
    return (
        refused(
            "Tc2", "K", below["onset"].criterion, f"{reason}: {below['onset'].reason}", n=below["onset"].n
        ),
        _named(steepest["onset"], "Tc1"),
    )


def resistance_at(temperature: Any, resistance: Any, sigma: Any, kelvin: float) -> Result:
    """Return R at ``kelvin``, ohm: a straight line through the points within 5 K.

    Raises:
        ValueError: if the arrays differ in length or a sigma is negative.
    """
    curve = sorted_curve("resistance", temperature, resistance, sigma)
    quantity = f"R at {kelvin:g} K"
    criterion = f"straight line through the points within {_NEAR_K:g} K of {kelvin:g} K"
    near = np.abs(curve.x - kelvin) <= _NEAR_K
    n = int(near.sum())
    if n < _FEWEST or not curve.x[near][0] - 0.5 <= kelvin <= curve.x[near][-1] + 0.5:
        return refused(quantity, "ohm", criterion, f"{n} points near {kelvin:g} K; measure there", n=n)
    line = Polynomial.fit(curve.x[near], curve.y[near], 1)
    rms = float(np.sqrt(np.sum((curve.y[near] - line(curve.x[near])) ** 2) / (n - 2)))
    noise = max(rms, float(np.median(curve.sigma[near]))) / n**0.5
    window = {"temperature_k": (float(curve.x[near][0]), float(curve.x[near][-1]))}
    return Result(quantity, float(line(kelvin)), noise, "ohm", criterion, window, n, {"rms_ohm": rms})


def _below_the_steepest(curve: SortedCurve) -> dict[str, Result] | None:
    """Return the metrics of a lower step whose plateau carries a steeper one; None where there is none.

    A tangent to the whole of such a curve would be drawn through the plateau.
    """
    if len(curve.x) < 4 * _REACH:
        return None
    rise = (curve.y[2 * _REACH :] - curve.y[: -2 * _REACH]) / (curve.x[2 * _REACH :] - curve.x[: -2 * _REACH])
    steepest = int(np.argmax(rise))
    gentle = np.flatnonzero(rise[:steepest] < _GENTLE * rise[steepest])
    if not len(gentle):
        return None
    foot = int(gentle[-1]) + _REACH
    if not curve.y[foot] > _PART * curve.y[steepest + _REACH]:
        return None
    lower = _steps(_part(curve, curve.x < curve.x[foot]))
    return lower if lower["onset"].value is not None and lower["t50"].value is not None else None


def _upper(curve: SortedCurve, lower_k: float) -> dict[str, Result]:
    """Return the metrics of the step above ``lower_k``, K, without the plateau it rises from."""
    part = _part(curve, curve.x > _ABOVE * lower_k)
    flat = part.x < _PLATEAU * lower_k
    if int(flat.sum()) < _FEWEST:
        return _steps(_part(part, flat))
    plateau = Polynomial.fit(part.x[flat], part.y[flat], 1)
    found = _steps(SortedCurve(part.x, part.y - plateau(part.x), part.sigma))
    onset = found["onset"]
    if onset.value is not None and (onset.sigma or 0.0) > _FIRM * onset.value:
        reason = f"R rises above {lower_k:.4g} K without a step that a tangent could be drawn to"
        found["onset"] = replace(onset, value=None, sigma=None, reason=reason)
    return found


def _steps(curve: SortedCurve) -> dict[str, Result]:
    return transition(curve.x, curve.y, curve.sigma)


def _part(curve: SortedCurve, inside: np.ndarray[Any, np.dtype[np.bool_]]) -> SortedCurve:
    x: Floats = curve.x[inside]
    return SortedCurve(x, curve.y[inside], curve.sigma[inside])


def _named(found: Result, quantity: str) -> Result:
    return replace(found, quantity=quantity)
