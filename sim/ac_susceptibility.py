"""What an alternating field of the critical state does: closed forms of Bean, harmonics, the frequency law.

For H = h cos(wt) a body has 4 pi M = h sum of chi'_n cos(n wt) + chi''_n sin(n wt): chi' is negative where it
screens, chi'' positive where it loses. Both are of full screening -1, for the internal field (no
demagnetisation), and are given as the complex number chi' + i chi''.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Shape = Literal["slab", "bar"]
SHAPES: Final = ("slab", "bar")

_FAR: Final = 1e3  # beyond it the closed forms cancel in floating point
_PHASES: Final = 1024  # of half a cycle; the third harmonic is then right to 1e-6
_PENETRATED: Final = {"slab": 32.0 / (15.0 * math.pi), "bar": 128.0 / (105.0 * math.pi)}
_REFERENCE_HZ: Final = 10.0  # where the frequency law leaves the penetration field as it is


def bean(shape: Shape, x: float, harmonic: int = 1) -> complex:
    """Return the susceptibility of Bean's critical state, 1 for full screening (Clem and Sanchez).

    Args:
        shape: a slab in a parallel field, or a square bar along it, which has the formulas of a cylinder.
        x: amplitude of the field over the field that penetrates to the middle.
        harmonic: of the drive; the even ones are 0, as Jc does not depend on the field of one cycle.

    >>> bean("slab", 1.0).real, round(bean("bar", 1.0).imag, 4)
    (-0.5, 0.2122)
    """
    if harmonic % 2 == 0 or math.isinf(x):
        return 0j
    if harmonic > 1:
        return _of_loop(shape, x, harmonic)
    if x > _FAR:
        return complex(-_PENETRATED[shape] * x**-1.5, _loss(shape, x))
    return complex(_screening(shape, x), _loss(shape, x))


def _screening(shape: Shape, x: float) -> float:
    low = x / 2.0 - 1.0 if shape == "slab" else -1.0 + x - 5.0 * x * x / 16.0
    if x <= 1.0:
        return low
    angle, root = math.acos(1.0 - 2.0 / x), math.sqrt(x - 1.0)
    if shape == "slab":
        return (low * angle - (1.0 - 4.0 / (3.0 * x) + 4.0 / (3.0 * x * x)) * root) / math.pi
    return (low * angle + (0.625 * x - 19.0 / 12.0 + 1.0 / x - 2.0 / (3.0 * x * x)) * root) / math.pi


def _loss(shape: Shape, x: float) -> float:
    if shape == "slab":
        if x <= 1.0:
            return 2.0 * x / (3.0 * math.pi)
        return 2.0 / math.pi * (1.0 / x - 2.0 / (3.0 * x * x))
    return 2.0 / (3.0 * math.pi) * (2.0 * x - x * x if x <= 1.0 else 2.0 / x - 1.0 / (x * x))


@lru_cache(maxsize=4096)
def _of_loop(shape: Shape, x: float, harmonic: int) -> complex:
    """Return an odd harmonic from the descending half of the loop; the ascending one is its mirror."""
    angle = np.pi * (np.arange(_PHASES) + 0.5) / _PHASES
    moment = descending(shape, x, np.cos(angle))
    scale = 2.0 / _PHASES
    return complex(
        scale * float(moment @ np.cos(harmonic * angle)), scale * float(moment @ np.sin(harmonic * angle))
    )


def descending(shape: Shape, x: float, field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 4 pi M while the field falls from its largest value; all fields in units of that.

    Bean's loop after the first cycle: from the surface to where the reversed current has come, the induction
    is that of the new field; deeper it is left from the largest one.
    """
    reached = np.minimum(0.5 * x * (1.0 - field), 1.0)
    dropped = (1.0 - field) * _volume(shape, reached) - 2.0 / x * _first_moment(shape, reached)
    first = np.array([min(x, 1.0)])
    largest = _volume(shape, first) - _first_moment(shape, first) / x
    result: NDArray[np.float64] = largest - dropped - field
    return result


def _volume(shape: Shape, depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the volume from the surface down to ``depth``, in units of half the thickness."""
    return depth if shape == "slab" else 2.0 * depth - depth * depth


def _first_moment(shape: Shape, depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the integral of the depth over that volume."""
    half = 0.5 * depth * depth
    return half if shape == "slab" else 2.0 * half - 2.0 * depth**3 / 3.0


@dataclass(frozen=True, slots=True)
class FrequencyLaw:
    """How flux that creeps lets a faster field in less, between ``onset_k`` and ``onset_k + span_k`` (a).

    The penetration field grows as ``(f / 10 Hz)**(power w)`` and the loss by ``loss_per_decade w`` of itself
    for each decade; w rises from 0 to 1 over the span. An interpolation, not a theory of creep.
    """

    onset_k: float
    span_k: float
    power: float
    loss_per_decade: float

    def share(self, temperature_k: float) -> float:
        """Return w."""
        return min(max((temperature_k - self.onset_k) / self.span_k, 0.0), 1.0)

    def stiffening(self, temperature_k: float, frequency_hz: float) -> float:
        """Return the factor of the penetration field."""
        return math.pow(frequency_hz / _REFERENCE_HZ, self.power * self.share(temperature_k))

    def loss(self, temperature_k: float, frequency_hz: float) -> float:
        """Return the factor of the loss."""
        decades = math.log10(frequency_hz / _REFERENCE_HZ)
        return 1.0 + self.loss_per_decade * self.share(temperature_k) * decades


def amplitude_over(field_oe: float, amplitude_oe: float) -> float:
    """Return x, the amplitude over the field of full penetration; infinite where nothing is pinned."""
    return amplitude_oe / field_oe if field_oe > 0.0 else math.inf


def external(chi: complex, demagnetisation: float) -> complex:
    """Return the susceptibility for the applied field of a body whose internal one is ``chi``.

    >>> round(external(-1 + 0j, 0.0883).real, 4)
    -1.0969
    """
    return chi / (1.0 + demagnetisation * chi)
