"""Superconductors whose voltage tells of their critical current: a bridge, a junction, flux flow by creep."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnes.sim.current_voltage import critical_current, power_law, resistively_shunted
from onnes.sim.sample_parameters import Parameter, Value, geometry, resolved
from onnes.sim.samples_generic import OhmicSample

Floats = NDArray[np.float64]

_CRITICAL: Final = (
    Parameter("tc_k", "K", 39.0, "assumed", "where the critical current vanishes", 0.5, 400.0),
    Parameter("critical_current_a", "A", 1e-2, "assumed", "at 0 K without field", 1e-9, 1e3),
    Parameter("h2_oe", "Oe", 67000.0, "assumed", "field that takes the critical current at 0 K", 1.0, 1e7),
    Parameter("normal_ohm", "ohm", 5.0, "assumed", "resistance in the normal state", 1e-9, 1e6),
)
BRIDGE_PARAMETERS: Final = (
    *geometry("thickness_nm", 200.0, "assumed"),
    *_CRITICAL,
    Parameter("exponent", "", 20.0, "assumed", "n of V = Vc (I/Ic)^n", 1.0, 200.0),
    Parameter("criterion_uv_per_cm", "uV/cm", 1.0, "assumed", "Vc over the length, at which the current is "
              "the critical one", 1e-6, 1e6),
)  # fmt: skip
JUNCTION_PARAMETERS: Final = (*geometry("thickness_nm", 200.0, "assumed"), *_CRITICAL)
TAFF_PARAMETERS: Final = (
    *geometry("thickness_nm", 200.0, "assumed"),
    Parameter("tc_k", "K", 39.0, "assumed", "where the barrier vanishes", 0.5, 400.0),
    Parameter("rho_n_ohm_cm", "ohm cm", 5e-6, "assumed", "resistivity in the normal state", 1e-12, 1e3),
    Parameter("u0_k", "K", 1500.0, "assumed", "barrier at 0 K and h0_oe", 0.0, 1e6),
    Parameter("h0_oe", "Oe", 1e4, "assumed", "field at which the barrier is u0_k", 1.0, 1e7),
    Parameter("q", "", 0.5, "assumed", "the barrier falls as (h0/H)^q, from 1 Oe on", 0.0, 10.0),
)


class CriticalCurrentSample:
    """What bridge and junction share: a critical current, above which there is a voltage."""

    is_linear = False

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values: Mapping[str, Value] = dict(values)
        self._tc, self._h2 = values["tc_k"], values["h2_oe"]
        self._at_zero_a, self._normal_ohm = values["critical_current_a"], values["normal_ohm"]

    def critical_current(self, temperature_k: float, field_oe: float) -> float:
        """Return the critical current in A, 0 from Tc and the upper field on."""
        return float(self._critical_a(temperature_k, field_oe))

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the voltage between the voltage contacts, V."""
        return float(self.voltages(np.array([current_a]), temperature_k, field_oe, time_s)[0])

    def voltages(
        self, currents_a: Floats, temperature_k: Floats | float, field_oe: float, time_s: float
    ) -> Floats:
        """Return the voltage in V at each current in A; the lab time does nothing."""
        del time_s
        return self._above(currents_a, self._critical_a(temperature_k, field_oe))

    def _critical_a(self, T: Floats | float, H: float) -> Floats:
        return critical_current(self._at_zero_a, T / self._tc, H, self._h2)

    def _above(self, currents_a: Floats, ic_a: Floats) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} has no voltage")


class Bridge(CriticalCurrentSample):
    """A microbridge with pinned flux: V = Vc sgn(I) (|I|/Ic)^n, no more than in the normal state."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(values)
        self._criterion_v = 1e-6 * values["criterion_uv_per_cm"] * 0.1 * values["length_mm"]
        self._exponent = values["exponent"]

    def _above(self, currents_a: Floats, ic_a: Floats) -> Floats:
        return power_law(currents_a, ic_a, self._criterion_v, self._exponent, self._normal_ohm)


class Junction(CriticalCurrentSample):
    """A resistively shunted junction without capacitance: V = sgn(I) R sqrt(I^2 - Ic^2) above Ic, else 0."""

    def _above(self, currents_a: Floats, ic_a: Floats) -> Floats:
        return resistively_shunted(currents_a, ic_a, self._normal_ohm)


class FluxFlow(OhmicSample):
    """Thermally assisted flux flow: rho = rho_n exp{-U0 (H0/max(H, 1 Oe))^q [1 - T/Tc]+ / T}."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(dict(values))
        area_cm2 = 0.1 * values["width_mm"] * 1e-7 * values["thickness_nm"]
        self._normal_ohm = values["rho_n_ohm_cm"] * 0.1 * values["length_mm"] / area_cm2
        self._tc, self._u0 = values["tc_k"], values["u0_k"]
        self._h0, self._q = values["h0_oe"], values["q"]

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance between the voltage contacts, ohm; the lab time does nothing."""
        del time_s
        barrier_k = self._u0 * math.pow(self._h0 / max(abs(field_oe), 1.0), self._q)
        return self._normal_ohm * math.exp(
            -barrier_k * max(1.0 - temperature_k / self._tc, 0.0) / temperature_k
        )


def make_bridge(table: Mapping[str, Any], source: str) -> Bridge:
    """Return the bridge that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    return Bridge(resolved(table, BRIDGE_PARAMETERS, "", "bridge", source))


def make_junction(table: Mapping[str, Any], source: str) -> Junction:
    """Return the junction that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    return Junction(resolved(table, JUNCTION_PARAMETERS, "", "junction", source))


def make_taff(table: Mapping[str, Any], source: str) -> FluxFlow:
    """Return the film with thermally assisted flux flow that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value.
    """
    return FluxFlow(resolved(table, TAFF_PARAMETERS, "", "taff", source))
