"""The MgO/Mg2Si/MgB2 composite of paper 003: its superconductivity comes in two steps, at 37 and 19 K.

Below the upper step grains screen, below the lower one also the matrix between them, whose currents flow
in sheets: strong with the field perpendicular to the plate, weak with the field in it.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from onnes.sim.ac_susceptibility import amplitude_over, bean
from onnes.sim.critical_state import OE_PER_A_PER_CM, CriticalState, Material, Section
from onnes.sim.film_moment import ORIENTATIONS
from onnes.sim.resistivity import smooth_step
from onnes.sim.sample_parameters import Parameter, body, chosen, ohm_per_ohm_cm, resolved, volume_cm3
from onnes.sim.samples_generic import OhmicSample

TWOSTEP_PARAMETERS: Final = (
    *body(2.0, 2.0, 0.5, "assumed"),
    Parameter("rho300_ohm_cm", "ohm cm", 0.03, "printed", "resistivity at 300 K", 1e-12, 1e3),
    Parameter("tc1_k", "K", 37.0, "printed", "upper step: the grains", 1.0, 400.0),
    Parameter("tc2_k", "K", 19.0, "printed", "lower step: the matrix between the grains", 1.0, 400.0),
    Parameter("n_perp", "", 4.9, "printed", "exponent of the irreversibility line, perpendicular",
              0.1, 100.0),
    Parameter("n_par", "", 3.9, "printed", "exponent of the irreversibility line, parallel", 0.1, 100.0),
    Parameter("h0_perp_oe", "Oe", 4e4, "assumed", "irreversibility field at 0 K, perpendicular", 1.0, 1e7),
    Parameter("h0_par_oe", "Oe", 2e4, "assumed", "irreversibility field at 0 K, parallel", 1.0, 1e7),
    Parameter("jc_induced_a_per_cm2", "A/cm^2", 2940.0, "assumed", "critical current density of the matrix "
              "at 0 K", 1e-6, 1e9),
    Parameter("jc_grain_a_per_cm2", "A/cm^2", 6000.0, "assumed", "critical current density of the grains "
              "at 0 K", 1e-6, 1e9),
    Parameter("orientation", "", "perpendicular", "assumed", "of the field to the plate: perpendicular or "
              "parallel", choices=ORIENTATIONS),
)  # fmt: skip

# Everything below is assumed.
_UPTURN: Final = 0.35  # ln of the growth of the normal resistivity from 300 to 37 K
_LEFT: Final = 2e-4  # of the normal resistivity, below both steps
_PERCOLATION: Final = 0.55  # of the resistivity of the upper step, left to the lower one
_MATRIX_ABOVE_K: Final = 0.35  # the lower step of the resistivity ends this far above tc2_k
_SCREENING_ABOVE_K: Final = 0.5  # the volume that the matrix screens vanishes this far above tc2_k
_SMOOTHING_OE: Final = 20.0  # of |H| in the irreversibility line
_FINE_BELOW_OE: Final = 200.0  # there H + k is nearly not monotone
_MATRIX_WEIGHT: Final = {"perpendicular": 1.0, "parallel": 0.046}
_GRAIN_WEIGHT: Final = 0.01
_REVERSIBLE: Final = 0.05
_REVERSIBLE_OE: Final = 2000.0
_FULL_SCREENING: Final = 1.06  # sum of the weights at 0 K, so that |4 pi M| stays below |H|


class TwoStep(OhmicSample):
    """The plate; ``orientation`` says how the field lies to it and is not felt by the resistance."""

    def __init__(self, values: Mapping[str, float], orientation: str) -> None:
        super().__init__({**values, "orientation": orientation})
        self.tc_k = values["tc1_k"]
        self._tc1, self._tc2 = values["tc1_k"], values["tc2_k"]
        self._rho300 = values["rho300_ohm_cm"]
        self._ohm_per_ohm_cm = ohm_per_ohm_cm(values)
        self._emu_per_g = volume_cm3(values) / (4.0 * math.pi)
        side = "perp" if orientation == "perpendicular" else "par"
        self._power, self._h0 = 1.0 / values[f"n_{side}"], values[f"h0_{side}_oe"]
        self._jc_matrix, self._jc_grain = values["jc_induced_a_per_cm2"], values["jc_grain_a_per_cm2"]
        self._matrix_weight = _MATRIX_WEIGHT[orientation]
        self._half_cm = 0.05 * values["thickness_mm"]
        section = Section.slab(0.1 * values["thickness_mm"])
        self._matrix, self._grains = (
            CriticalState(Material(self._tc1, jc), section, fine_below_oe=_FINE_BELOW_OE)
            for jc in (self.jc_matrix, self.jc_grain)
        )
        self._four_pi_m = 0.0

    def resistivity(self, temperature_k: float, field_oe: float) -> float:
        """Return rho in ohm cm."""
        T, h = temperature_k, abs(field_oe) * 1e-4
        growth = (math.sqrt(300.0 / max(T, 5.0)) - 1.0) / (math.sqrt(300.0 / 37.0) - 1.0)
        t1, w1 = self._tc1 - 0.8 * h, 1.5 + 0.6 * h
        t2, w2 = (self._tc2 + _MATRIX_ABOVE_K) / (1.0 + 0.1 * h), 2.35 + h
        grains = smooth_step((T - t1 + w1) / w1)
        matrix = smooth_step((T - t2 + w2) / w2)
        left = _PERCOLATION * min(max(1.0 + 0.006 * (T - t2), 0.2), 1.5)
        share = matrix * (left + (1.0 - left) * grains) + _LEFT
        return self._rho300 * math.exp(_UPTURN * growth) * share

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance of the plate, ohm; the lab time does nothing."""
        del time_s
        return self.resistivity(temperature_k, field_oe) * self._ohm_per_ohm_cm

    def irreversibility_k(self, field_oe: float) -> float:
        """Return the temperature in K above which nothing is pinned; below 0 K beyond h0."""
        h = math.hypot(field_oe, _SMOOTHING_OE) / self._h0
        return self._tc1 * (1.0 - math.pow(h, self._power))

    def jc_matrix(self, temperature_k: float, field_oe: float) -> float:
        """Return the critical current density of the matrix in A/cm^2."""
        induced = max(1.0 - (temperature_k / self._tc2) ** 2, 0.0)
        return self._jc_matrix * induced * self._pinned(temperature_k, field_oe)

    def jc_grain(self, temperature_k: float, field_oe: float) -> float:
        """Return the critical current density of the grains in A/cm^2."""
        return self._jc_grain * self._pinned(temperature_k, field_oe)

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Bring the history to temperature in K and applied field in Oe, reached at ``t`` in s."""
        self._matrix.update(temperature_k, field_oe, t)
        self._grains.update(temperature_k, field_oe, t)
        total = self._matrix_weight * self._screened(temperature_k) * self._matrix.four_pi_m
        total += _GRAIN_WEIGHT * self._grains.four_pi_m
        order = 1.0 - (temperature_k / self._tc1) ** 2
        if order > 0.0:
            total -= _REVERSIBLE * order * field_oe / (1.0 + abs(field_oe) / (_REVERSIBLE_OE * order))
        self._four_pi_m = total / _FULL_SCREENING

    def ac_moment_emu(
        self,
        amplitude_oe: float,
        frequency_hz: float,
        temperature_k: float,
        dc_field_oe: float,
        harmonic: int = 1,
    ) -> complex:
        """Return the amplitude of the alternating moment in emu: in phase plus i times loss.

        Both currents are Bean's of a slab, at the Jc of the steady field; the frequency does nothing (a).
        """
        del frequency_hz
        matrix, grains = (
            bean("slab", amplitude_over(OE_PER_A_PER_CM * jc * self._half_cm, amplitude_oe), harmonic)
            for jc in (
                self.jc_matrix(temperature_k, dc_field_oe),
                self.jc_grain(temperature_k, dc_field_oe),
            )
        )
        total = self._matrix_weight * self._screened(temperature_k) * matrix + _GRAIN_WEIGHT * grains
        order = 1.0 - (temperature_k / self._tc1) ** 2
        if order > 0.0 and harmonic == 1:
            total -= _REVERSIBLE * order / (1.0 + abs(dc_field_oe) / (_REVERSIBLE_OE * order)) ** 2
        return self._emu_per_g * amplitude_oe / _FULL_SCREENING * total

    def moment_emu(self) -> float:
        """Return the moment in emu after the last update."""
        return self._emu_per_g * self._four_pi_m

    def _screened(self, T: float) -> float:
        """Return the share of the volume that the matrix screens."""
        return max(1.0 - (T / (self._tc2 + _SCREENING_ABOVE_K)) ** 4, 0.0)

    def _pinned(self, T: float, H: float) -> float:
        line = self.irreversibility_k(H)
        return math.pow(1.0 - T / line, 1.5) if line > T else 0.0


def make_twostep(table: Mapping[str, Any], source: str) -> TwoStep:
    """Return the plate that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    values = resolved(table, TWOSTEP_PARAMETERS, "", "twostep", source)
    return TwoStep(values, chosen(table, TWOSTEP_PARAMETERS, source)["orientation"])
