"""What a lock-in hears of a periodic wave: its mean and its fundamental.

A wave runs between -1 and 1 and starts at phase 0. A square is high for the first ``duty`` of its period; a
ramp rises for ``duty`` of it and passes its mean, rising, at phase 0 (assumed). Overtones of the source
itself are left out (assumed): those that a lock-in finds come from the sample.
"""

import cmath
import math
from collections.abc import Sequence
from typing import NamedTuple


class Fundamental(NamedTuple):
    """``mean + peak * sin(2 pi n + phase)`` after n periods: in units of the amplitude, ``phase`` in rad."""

    mean: float
    peak: float
    phase: float


SINE = Fundamental(0.0, 1.0, 0.0)


def square(duty: float) -> Fundamental:
    """Return the fundamental of a square wave that is high for ``duty``, 0 to 1, of its period.

    >>> round(square(0.5).peak * math.pi, 12)
    4.0
    """
    return Fundamental(2.0 * duty - 1.0, 4.0 / math.pi * math.sin(math.pi * duty), math.pi * (0.5 - duty))


def ramp(duty: float) -> Fundamental:
    """Return the fundamental of a ramp that rises for ``duty``, 0 to 1, of its period."""
    if duty in {0.0, 1.0}:  # a saw tooth, the limit of what follows
        return Fundamental(0.0, 2.0 / math.pi, 0.0)
    return Fundamental(0.0, 2.0 * math.sin(math.pi * duty) / (math.pi**2 * duty * (1.0 - duty)), 0.0)


def stairs(points: Sequence[float]) -> Fundamental:
    """Return the fundamental of a wave that holds each of ``points`` for its share of the period."""
    count = len(points)
    turn = -2j * math.pi / count
    held = sum(value * cmath.exp(turn * n) for n, value in enumerate(points))
    # Each step is held for 1/count of the period: the integral of exp(-2 pi i n) over the first of them.
    c = held * (1.0 - cmath.exp(turn)) / (2j * math.pi)
    return Fundamental(sum(points) / count, 2.0 * abs(c), cmath.phase(c) + math.pi / 2.0 if c else 0.0)
