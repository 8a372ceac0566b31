"""The MgO/MgB2 nanocomposite of paper 001: a bar of weakly linked grains with a critical state."""

import math
from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from onnes.sim.ac_susceptibility import SHAPES, FrequencyLaw, Shape, amplitude_over, bean, external
from onnes.sim.critical_state import (
    LARGEST_DEMAGNETISATION,
    OE_PER_A_PER_CM,
    CriticalState,
    Material,
    Section,
)
from onnes.sim.resistivity import NormalState, ResistiveTransition
from onnes.sim.sample_parameters import Parameter, body, chosen, ohm_per_ohm_cm, resolved, volume_cm3
from onnes.sim.samples_generic import OhmicSample

NANOCOMPOSITE_PARAMETERS: Final = (
    *body(5.0, 1.0, 1.0, "printed"),
    Parameter("rho100_ohm_cm", "ohm cm", 2.0e-5, "printed", "resistivity at 100 K", 1e-12, 1e3),
    Parameter("a", "", 2.2, "assumed", "strength of the phonons", 0.0, 1e4),
    Parameter("h2_oe", "Oe", 97900.0, "printed", "upper critical field at 0 K", 1.0, 1e7),
    Parameter("t10_k", "K", 37.02, "assumed", "10 % of the resistive transition without field", 1.0, 400.0),
    Parameter("alpha", "", 0.23, "printed", "curvature of the upper critical field", 0.0, 10.0),
    Parameter("w1_k", "K", 2.11, "assumed", "width of the resistive transition, less 0.05 K", 0.0, 100.0),
    Parameter("b", "", 3.0, "assumed", "broadening of the transition at h2_oe", 0.0, 100.0),
    Parameter("tc_k", "K", 38.5, "printed", "where the magnetic moment vanishes", 1.0, 400.0),
    Parameter("tc_link_k", "K", 37.5, "assumed", "where the current between the grains vanishes", 1.0, 400.0),
    Parameter("jc_link_a_per_cm2", "A/cm^2", 160.0, "printed", "critical current density of the links 0.9 K "
              "below tc_link_k", 1e-6, 1e9),
    Parameter("jc_bulk_a_per_cm2", "A/cm^2", 6e4, "assumed", "critical current density of the bulk at 0 K",
              1e-6, 1e9),
    Parameter("hc1_oe", "Oe", 713.0, "printed", "lower critical field at 0 K; 0 for none", 0.0, 1e6),
    Parameter("grain_fraction", "", 0.10, "assumed", "volume of grains that pin by themselves", 0.0, 1.0),
    Parameter("grain_field_oe_per_k", "Oe/K", 60.0, "assumed", "growth of the field that a grain pins, down "
              "to 0.8 K below tc_k", 0.0, 1e5),
    Parameter("demagnetisation", "", 0.0883, "assumed", "demagnetisation factor along the field", 0.0,
              LARGEST_DEMAGNETISATION),
    Parameter("creep", "", 0.0, "assumed", "loss of Jc for each unit of ln(1 + t/1 s) of rest", 0.0, 0.05),
    Parameter("ac_shape", "", "slab", "printed", "of the closed forms of an alternating field: slab or bar, "
              "half the thinner side deep", choices=SHAPES),
    Parameter("ac_onset_k", "K", 36.7, "printed", "from which on a frequency is felt", 1.0, 400.0),
    Parameter("ac_span_k", "K", 0.8, "assumed", "until it is felt fully", 1e-3, 400.0),
    Parameter("ac_power", "", 0.5, "assumed", "of the frequency in the penetration field, above the span",
              0.0, 2.0),
    Parameter("ac_loss_per_decade", "", 0.12, "assumed", "growth of the loss with the frequency, above the "
              "span", 0.0, 0.3),
    Parameter("ac_grain_fraction", "", 0.05, "assumed", "volume that grains screen from an alternating field "
              "0.8 K below tc_k; twice as much from 1.6 K on", 0.0, 0.5),
)  # fmt: skip

_LINK_SPAN_K: Final = 0.9
_LINK_POWER: Final = 5.6789  # through 1.6, 16 and 160 A/cm^2 at 37.1, 36.9 and 36.6 K, as printed
_FIELD_SCALE_OE: Final = 8000.0  # (a) Jc falls as 1/(1 + H/8 kOe)
_ENTRY_HALF_CM: Final = 0.05  # half the thickness that Hc1 was read on
_ENTRY_OE: Final = 50.0  # (a) below this penetration field the weak links hide Hc1
_GRAIN_SPAN_K: Final = 0.8  # (a)
_REVERSIBLE: Final = 0.01  # (a) a field-cooled moment of 1 % of the field


class Nanocomposite(OhmicSample):
    """The bar. Its resistance and its critical current are those of different pieces, as printed.

    The field is along the length.
    """

    def __init__(self, values: Mapping[str, float], shape: Shape) -> None:
        super().__init__({**values, "ac_shape": shape})
        self.tc_k = values["tc_k"]
        self._tc, self._tc_link = values["tc_k"], values["tc_link_k"]
        self._jc_link, self._jc_bulk = values["jc_link_a_per_cm2"], values["jc_bulk_a_per_cm2"]
        self._h2, self._power = values["h2_oe"], 1.0 + values["alpha"]
        self._hc1, self._grain_field = values["hc1_oe"], values["grain_field_oe_per_k"]
        self._normal = NormalState(values["rho100_ohm_cm"], 100.0, values["a"])
        self._transition = ResistiveTransition(
            values["t10_k"], values["h2_oe"], values["alpha"], values["w1_k"], values["b"]
        )
        self._ohm_per_ohm_cm = ohm_per_ohm_cm(values)
        self._emu_per_g = volume_cm3(values) / (4.0 * math.pi)
        material = Material(
            self._tc,
            self.jc,
            self.hc1,
            self.grain_field,
            values["grain_fraction"],
            _REVERSIBLE,
            values["creep"],
        )
        section = Section.bar(0.1 * values["width_mm"], 0.1 * values["thickness_mm"])
        self._demagnetisation = values["demagnetisation"]
        self._state = CriticalState(material, section, self._demagnetisation)
        self._shape, self._half_cm = shape, 0.05 * min(values["width_mm"], values["thickness_mm"])
        self._law = FrequencyLaw(
            values["ac_onset_k"], values["ac_span_k"], values["ac_power"], values["ac_loss_per_decade"]
        )
        self._ac_grains = values["ac_grain_fraction"]

    def resistivity(self, temperature_k: float, field_oe: float) -> float:
        """Return rho in ohm cm."""
        return self._normal(temperature_k) * self._transition(temperature_k, field_oe)

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance of the bar, ohm; the lab time does nothing."""
        del time_s
        return self.resistivity(temperature_k, field_oe) * self._ohm_per_ohm_cm

    def jc(self, temperature_k: float, field_oe: float) -> float:
        """Return the critical current density in A/cm^2 at an internal field, without creep."""
        if temperature_k >= self._tc_link:
            return 0.0
        upper = self._h2 * max(1.0 - temperature_k / self._tc, 0.0) ** self._power
        h = abs(field_oe)
        if h >= upper:
            return 0.0
        return self._jc0(temperature_k) / (1.0 + h / _FIELD_SCALE_OE) * math.sqrt(1.0 - h / upper)

    def hc1(self, temperature_k: float) -> float:
        """Return the lower critical field in Oe."""
        if temperature_k >= self._tc_link:
            return 0.0
        penetration = OE_PER_A_PER_CM * self._jc0(temperature_k) * _ENTRY_HALF_CM
        open_share = -math.expm1(-penetration / _ENTRY_OE)
        return self._hc1 * (1.0 - (temperature_k / self._tc_link) ** 2) * open_share

    def grain_field(self, temperature_k: float) -> float:
        """Return how far in Oe the induction of the grains may differ from the mean."""
        return self._grain_field * min(_GRAIN_SPAN_K, max(self._tc - temperature_k, 0.0))

    @property
    def induction(self) -> NDArray[np.float64]:
        """Return the induction in G of each layer, from the surface inwards; shape (96,)."""
        return self._state.induction

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Bring the history to temperature in K and applied field in Oe, reached at ``t`` in s."""
        self._state.update(temperature_k, field_oe, t)

    def moment_emu(self) -> float:
        """Return the moment in emu after the last update."""
        return self._emu_per_g * self._state.four_pi_m

    def susceptibility(
        self,
        amplitude_oe: float,
        frequency_hz: float,
        temperature_k: float,
        dc_field_oe: float,
        harmonic: int = 1,
    ) -> complex:
        """Return chi' + i chi'' of full screening -1 for the internal field, in the links and the grains.

        Jc is that at the steady field; what was trapped before and what the alternating field shakes loose
        of it do nothing.
        """
        grains = self._ac_grains * min(max((self._tc - temperature_k) / _GRAIN_SPAN_K, 0.0), 2.0)
        penetration = OE_PER_A_PER_CM * self.jc(temperature_k, dc_field_oe) * self._half_cm
        penetration *= self._law.stiffening(temperature_k, frequency_hz)
        links = bean(self._shape, amplitude_over(penetration, amplitude_oe), harmonic)
        links = complex(links.real, links.imag * self._law.loss(temperature_k, frequency_hz))
        return (1.0 - grains) * links - (grains if harmonic == 1 else 0.0)

    def ac_moment_emu(
        self,
        amplitude_oe: float,
        frequency_hz: float,
        temperature_k: float,
        dc_field_oe: float,
        harmonic: int = 1,
    ) -> complex:
        """Return the amplitude of the alternating moment in emu: in phase plus i times loss.

        It is that of the applied field: the demagnetisation of the bar is in the first harmonic.
        """
        chi = self.susceptibility(amplitude_oe, frequency_hz, temperature_k, dc_field_oe, harmonic)
        if harmonic == 1:
            chi = external(chi, self._demagnetisation)
        return self._emu_per_g * amplitude_oe * chi

    def _jc0(self, T: float) -> float:
        """Return the critical current density without field: links and bulk in series."""
        t2 = (T / self._tc) ** 2
        link = self._jc_link * (max(self._tc_link - T, 0.0) / _LINK_SPAN_K) ** _LINK_POWER
        bulk = self._jc_bulk * max(1.0 - t2, 0.0) ** 1.5 * math.sqrt(1.0 + t2)
        return link * bulk / (link + bulk) if link > 0.0 and bulk > 0.0 else 0.0


def make_nanocomposite(table: Mapping[str, Any], source: str) -> Nanocomposite:
    """Return the bar that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    values = resolved(table, NANOCOMPOSITE_PARAMETERS, "", "nanocomposite", source)
    shape = chosen(table, NANOCOMPOSITE_PARAMETERS, source)["ac_shape"]
    return Nanocomposite(values, cast(Shape, shape))
