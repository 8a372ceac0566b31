"""A hard superconductor that remembers: flux profiles of the critical state, clipped by every change.

The body is cut into layers of equal depth below its surface. In each layer the induction may differ from the
field at the surface by at most k = 0.4 pi Jc depth; a change of temperature or field clips what is there into
the new band and leaves the rest as it was. Fields are in Oe, induction and 4 pi M in G,
Jc in A/cm^2, sizes in cm.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LAYERS: Final = 96
OE_PER_A_PER_CM: Final = 0.4 * math.pi  # field behind a sheet of 1 A/cm
_PASSES: Final = 15  # of the demagnetisation loop; each gains a factor of the demagnetisation factor
_CLOSE: Final = 1e-9
_STILL_K: Final = 0.020  # a smaller change does not start creep anew
_STILL_OE: Final = 1.0
_FINE_STEPS: Final = 10  # from the edge of the fine range of field to zero
LARGEST_DEMAGNETISATION: Final = 0.5  # above it the demagnetisation loop does not converge


def _zero(temperature_k: float) -> float:
    """Return 0 for a body without the property."""
    del temperature_k
    return 0.0


@dataclass(frozen=True, slots=True)
class Section:
    """Depth in cm and share of the volume of each layer, from the surface inwards."""

    depth_cm: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def slab(cls, thickness_cm: float) -> "Section":
        """Return the section of an infinite slab in a field parallel to its faces."""
        return cls(_depths(0.5 * thickness_cm), np.full(LAYERS, 1.0 / LAYERS))

    @classmethod
    def bar(cls, width_cm: float, thickness_cm: float) -> "Section":
        """Return the section of a long rectangular bar in a field along it.

        The layers are frames of one thickness; a square has the weights 2 (1 - d/a)/N of a cylinder.
        """
        half = 0.5 * min(width_cm, thickness_cm)
        depth = _depths(half)
        frame = 2.0 * (width_cm + thickness_cm - 4.0 * depth) / (width_cm * thickness_cm)
        return cls(depth, frame * half / LAYERS)


def _depths(half_thickness_cm: float) -> NDArray[np.float64]:
    return (np.arange(LAYERS) + 0.5) * half_thickness_cm / LAYERS


@dataclass(frozen=True, slots=True)
class Material:
    """What a hard superconductor is made of.

    ``jc`` gives the critical current density in A/cm^2 at a temperature in K and an internal field in Oe,
    ``hc1`` the lower critical field in Oe, ``grain_field`` how far in Oe the induction of the grains may
    differ from the mean. ``grain_fraction`` and ``reversible_fraction`` are shares of the volume; ``creep``
    is the loss of Jc for each unit of ln(1 + t_hold / 1 s).
    """

    tc_k: float
    jc: Callable[[float, float], float]
    hc1: Callable[[float], float] = _zero
    grain_field: Callable[[float], float] = _zero
    grain_fraction: float = 0.0
    reversible_fraction: float = 0.0
    creep: float = 0.0


class CriticalState:
    """One body and its history, which starts without flux at zero field.

    A monotone segment of temperature or field is one update. Where ``jc`` falls so fast with the field that
    this fails near zero field, the part of a segment with |H| below ``fine_below_oe`` is walked in steps of a
    tenth of it.
    """

    def __init__(
        self,
        material: Material,
        section: Section,
        demagnetisation: float = 0.0,
        fine_below_oe: float = 0.0,
    ) -> None:
        self._material = material
        self._section = section
        self._demagnetisation = demagnetisation
        self._fine_oe = fine_below_oe
        self._induction = np.zeros(LAYERS)
        self._grain_induction = 0.0
        self._four_pi_m = 0.0
        self._temperature_k: float | None = None  # the first segment has one temperature, its end
        self._field_oe = 0.0
        self._held_at = (math.inf, math.inf)  # temperature and field that creep counts from
        self._held_since = 0.0

    @property
    def four_pi_m(self) -> float:
        """Return 4 pi M in G after the last update."""
        return self._four_pi_m

    @property
    def induction(self) -> NDArray[np.float64]:
        """Return the induction in G of each layer, from the surface inwards; shape (96,)."""
        return self._induction.copy()

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Go in one segment to ``temperature_k`` and the applied ``field_oe``, reached at ``t`` in s."""
        creep = self._creep(temperature_k, field_oe, t)
        from_k = temperature_k if self._temperature_k is None else self._temperature_k
        from_oe = self._field_oe
        for share in _shares(from_oe, field_oe, self._fine_oe):
            kelvin, oersted = (
                (1.0 - share) * from_k + share * temperature_k,
                from_oe + share * (field_oe - from_oe),
            )
            self._step(kelvin, oersted, creep)
        self._step(temperature_k, field_oe, creep)
        self._temperature_k, self._field_oe = temperature_k, field_oe

    def _creep(self, temperature_k: float, field_oe: float, t: float) -> float:
        """Return the factor that creep leaves of Jc."""
        if not self._material.creep:
            return 1.0
        kelvin, oersted = self._held_at
        if abs(temperature_k - kelvin) > _STILL_K or abs(field_oe - oersted) > _STILL_OE:
            self._held_at, self._held_since = (temperature_k, field_oe), t
        # stays above zero for years: with a creep of 0.05 until t_hold is e^20 s
        return 1.0 - self._material.creep * math.log1p(t - self._held_since)

    def _step(self, temperature_k: float, field_oe: float, creep: float) -> None:
        material = self._material
        if temperature_k >= material.tc_k:
            self._induction.fill(field_oe)
            self._grain_induction = field_oe
            self._four_pi_m = 0.0
            return
        hc1 = material.hc1(temperature_k)
        shielding = self._enter(temperature_k, field_oe, hc1, creep)
        mean = float(self._section.weight @ self._induction)
        reach = material.grain_field(temperature_k)
        self._grain_induction = min(max(self._grain_induction, mean - reach), mean + reach)
        total = shielding + material.grain_fraction * (self._grain_induction - mean)
        if hc1 > 0.0:
            expelled = material.reversible_fraction * (1.0 - (temperature_k / material.tc_k) ** 4)
            total -= expelled * mean / (1.0 + (mean / hc1) ** 2)
        self._four_pi_m = total

    def _enter(self, temperature_k: float, field_oe: float, hc1: float, creep: float) -> float:
        """Clip the induction into the band of the new field and return 4 pi M in G of the currents."""
        before, section = self._induction, self._section
        after = before
        internal, four_pi_m = field_oe, math.inf
        for _ in range(_PASSES):
            jc = self._material.jc(temperature_k, internal) * creep
            if jc > 0.0:
                band = (OE_PER_A_PER_CM * jc) * section.depth_cm
                entering = entry_field(internal, hc1)
                low, high = min(entering, internal), max(entering, internal)
                after = np.minimum(np.maximum(before, low - band), high + band)
            else:
                after = np.full(LAYERS, internal)
            last, four_pi_m = four_pi_m, float(section.weight @ after) - internal
            internal = field_oe - self._demagnetisation * four_pi_m
            if not self._demagnetisation or abs(four_pi_m - last) < _CLOSE * max(1.0, abs(field_oe)):
                break
        self._induction = after
        return four_pi_m


def entry_field(field_oe: float, hc1_oe: float) -> float:
    """Return the induction in G just below the surface while flux enters.

    >>> entry_field(300.0, 500.0), entry_field(300.0, 0.0), round(entry_field(-1000.0, 500.0), 2)
    (0.0, 300.0, -696.73)
    """
    if hc1_oe <= 0.0:
        return field_oe
    above = abs(field_oe) - hc1_oe
    if above <= 0.0:
        return 0.0
    return math.copysign(abs(field_oe) - hc1_oe * math.exp(-0.5 * above / hc1_oe), field_oe)


def _shares(start: float, end: float, fine: float) -> list[float]:
    """Return the points of a segment of field that lie below ``fine``, its end excluded, as shares of it."""
    low, high = max(min(start, end), -fine), min(max(start, end), fine)
    if high <= low:
        return []
    steps = math.ceil((high - low) / fine * _FINE_STEPS)
    shares = sorted(((np.linspace(low, high, steps + 1) - start) / (end - start)).tolist())
    return [share for share in shares if 0.0 < share < 1.0]
