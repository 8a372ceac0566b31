"""Bodies that are no superconductors of ours: a metal wire, and what every ohmic sample shares."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnes.sim.phonons import phonons
from onnes.sim.sample_parameters import Parameter, Value, geometry, resolved

METAL_PARAMETERS: Final = (
    *geometry("thickness_mm", 1.0, "assumed"),
    Parameter("r300_ohm", "ohm", 10.0, "assumed", "resistance at 300 K", 1e-9, 1e9),
    Parameter("rrr", "", 60.0, "assumed", "resistance at 300 K over the residual one", 1.0, 1e5),
    Parameter("debye_k", "K", 343.0, "assumed", "Debye temperature; 343 is copper", 10.0, 3000.0),
)


class OhmicSample:
    """A sample whose voltage is proportional to the current. ``values`` has every parameter as used."""

    is_linear = True

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance between the voltage contacts, ohm, at lab time ``time_s``."""
        raise NotImplementedError(f"{type(self).__name__} has no resistance")

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the voltage between the voltage contacts, V."""
        return current_a * self.resistance(temperature_k, field_oe, time_s)

    def voltages(
        self,
        currents_a: NDArray[np.float64],
        temperature_k: NDArray[np.float64] | float,
        field_oe: float,
        time_s: float,
    ) -> NDArray[np.float64]:
        """Return :meth:`voltage` in V at each current in A, of the same shape; each may have its own K."""
        return currents_a * self.resistances(temperature_k, field_oe, time_s)

    def resistances(
        self,
        temperature_k: NDArray[np.float64] | float,
        field_oe: NDArray[np.float64] | float,
        time_s: NDArray[np.float64] | float = 0.0,
    ) -> NDArray[np.float64]:
        """Return :meth:`resistance` in ohm for arrays, broadcast against each other."""
        T, H, t = np.broadcast_arrays(temperature_k, field_oe, time_s)
        flat = zip(T.ravel().tolist(), H.ravel().tolist(), t.ravel().tolist(), strict=True)
        return np.array([self.resistance(*here) for here in flat], dtype=np.float64).reshape(T.shape)


class Metal(OhmicSample):
    """A metal wire: R = R300 [1/RRR + (1 - 1/RRR) BG(T; th, 5)]."""

    def __init__(self, values: Mapping[str, float]) -> None:
        super().__init__(dict(values))
        self._residual = values["r300_ohm"] / values["rrr"]
        self._lattice = values["r300_ohm"] - self._residual
        self._phonons = phonons(values["debye_k"], 5)

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance between the voltage contacts, ohm; the field does nothing."""
        del field_oe, time_s
        return self._residual + self._lattice * self._phonons(temperature_k)


def make_metal(table: Mapping[str, Any], source: str) -> Metal:
    """Return the wire that ``table`` describes; ``r300_ohm`` is given, so the geometry changes nothing.

    Raises:
        ConfigurationError: for a missing key or a bad value.
    """
    return Metal(resolved(table, METAL_PARAMETERS, "", "metal", source))
