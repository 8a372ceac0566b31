"""Is a curve dI/dV one of the theory at all: or was the contact heated, or its critical current exceeded?

A contact that is driven into its normal state has dips beyond the gap, a conductance at high bias that is not
that of the normal state, and two directions that differ. A fit of such a curve gives gaps that are none.
"""

from collections.abc import Sequence

import numpy as np

from onnes.analysis.btk_fit import ContactCurve
from onnes.analysis.isotherm import Floats

_DIP = 0.02  # below 1; BTK with broadening never falls below it outside the gap
_SIGMAS = 4.0
_POINTS = 3  # in a row
_NORMAL = 0.05  # the conductance at high bias and that of the normal state
_DIFFER_CHI2 = 3.0
# Behind a filter that settles to 99 % each direction keeps a hundredth of the step before; and between
# points, which are not at the same biases in both, the curve is no straight line (a).
_OF_STEP = 0.03
_HIGH = 0.85  # of the largest bias


def spoils(curve: ContactCurve, other: ContactCurve | None = None) -> str:
    """Return why a curve must not be fitted, empty if nothing speaks against it.

    Args:
        other: the same curve taken in the other direction
    """
    found = [_dips(curve), _not_normal(curve), "" if other is None else _differ(curve, other)]
    return "; ".join(reason for reason in found if reason)


def flags_of(reason: str) -> tuple[str, ...]:
    """Return the short words for what spoils a curve."""
    words: Sequence[tuple[str, str]] = (
        ("dip", "dips"),
        ("directions differ", "hysteresis"),
        ("high bias", "not_normal"),
        ("no curve of the theory", "poor_fit"),
    )
    return tuple(flag for text, flag in words if text in reason)


def _dips(curve: ContactCurve) -> str:
    bias, g = np.abs(curve.bias_mv), curve.conductance
    top = float(bias[int(np.argmax(_even(g)))])
    below = (bias > top) & (g < 1 - np.maximum(_DIP, _SIGMAS * curve.sigma))
    for start in range(len(g) - _POINTS + 1):
        if np.all(below[start : start + _POINTS]):
            deepest = int(np.argmin(np.where(below, g, np.inf)))
            return (
                f"a dip to {g[deepest]:.3g} G_N at {curve.bias_mv[deepest]:.3g} mV, beyond the gap: the "
                "critical current of the contact was exceeded, or it was heated; measure a contact of higher "
                "resistance"
            )
    return ""


def _not_normal(curve: ContactCurve) -> str:
    bias = np.abs(curve.bias_mv)
    high = bias >= _HIGH * bias.max()
    mean = float(curve.conductance[high].mean())
    if abs(mean - 1) <= _NORMAL:
        return ""
    return (
        f"the conductance at high bias is {mean:.3g} G_N, more than {_NORMAL:.0%} from the normal state: the "
        "contact changed, was heated, or has a resistance in series"
    )


def _differ(curve: ContactCurve, other: ContactCurve) -> str:
    at = np.interp(curve.bias_mv, other.bias_mv, other.conductance)
    noise = np.hypot(curve.sigma, np.interp(curve.bias_mv, other.bias_mv, other.sigma))
    noise = np.hypot(noise, _OF_STEP * _steps(curve.conductance))
    difference = curve.conductance - at
    chi2 = float(np.mean((difference / np.maximum(noise, 1e-9)) ** 2))
    if chi2 <= _DIFFER_CHI2:
        return ""
    worst = int(np.argmax(np.abs(difference)))
    return (
        f"the two directions differ by {abs(difference[worst]):.2g} G_N at {curve.bias_mv[worst]:.3g} mV "
        f"(chi^2 {chi2:.2g} a point): heating, or a contact that changed; use less power"
    )


def _steps(g: Floats) -> Floats:
    """Return the larger of the changes to both neighbours."""
    change = np.abs(np.diff(g))
    return np.asarray(np.maximum(np.pad(change, (1, 0)), np.pad(change, (0, 1))))


def _even(g: Floats) -> Floats:
    """Return a running mean of three: one noisy point is no maximum."""
    return np.asarray(np.convolve(np.pad(g, 1, mode="edge"), np.full(3, 1 / 3), mode="valid"))
