"""Current-voltage curves in closed form, and how a critical current falls with temperature and field."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def critical_current(at_zero_a: float, t: Floats | float, field_oe: float, h2_oe: float) -> Floats:
    """Return Ic in A: Ic(0) (1 - t^2)^1.5 (1 - |H|/H2(t)), H2(t) = H2 (1 - t^2); 0 from Tc and H2(t) on (a).

    Args:
        at_zero_a: Ic at 0 K without field, A.
        t: temperature over Tc; the answer has its shape.
        h2_oe: the field at 0 K that takes it all, Oe.

    >>> float(critical_current(1e-3, 0.0, 500.0, 1000.0))
    0.0005
    """
    left = np.maximum(1.0 - np.square(t), 0.0)
    return at_zero_a * np.sqrt(left) * np.maximum(left - abs(field_oe) / h2_oe, 0.0)


def power_law(
    currents_a: Floats, ic_a: Floats, criterion_v: float, exponent: float, normal_ohm: float
) -> Floats:
    """Return V = Vc sgn(I) (|I|/Ic)^n in V at each current, but no more than that of the normal state.

    Args:
        ic_a: where the voltage is ``criterion_v``; where it is 0 A all is normal.
    """
    normal = normal_ohm * currents_a
    # Logarithms keep a current far above Ic from overflowing; without current or Ic they are not needed.
    with np.errstate(divide="ignore", invalid="ignore"):
        size = math.log(criterion_v) + exponent * (np.log(np.abs(currents_a)) - np.log(ic_a))
        most = np.log(np.abs(normal))
        volts: Floats = np.where(size < most, np.copysign(np.exp(size), currents_a), normal)
    return volts


def resistively_shunted(currents_a: Floats, ic_a: Floats, ohm: float) -> Floats:
    """Return V = sgn(I) R sqrt(I^2 - Ic^2) in V above Ic, else 0: an overdamped junction, no hysteresis."""
    above = np.sqrt(np.maximum(currents_a * currents_a - ic_a * ic_a, 0.0))
    volts: Floats = ohm * np.copysign(above, currents_a)
    return volts
