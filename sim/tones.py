"""An alternating part of a current, a voltage or a field in the virtual lab."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tone:
    """``peak * sin(2 pi hz t + phase)`` with lab time t in s: ``peak`` in A, V or Oe, ``phase`` in radians.

    What one instrument's sine and its reference have in common is ``phase``: at equal ``hz`` only the
    difference of two phases can be seen.
    """

    hz: float
    peak: float
    phase: float = 0.0
