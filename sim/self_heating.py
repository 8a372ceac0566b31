"""A piece that its own current warms above the cryostat."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onnes.sim.sample_parameters import Parameter, Value

HEATING_PARAMETERS: Final = (
    Parameter("heating_k_per_w", "K/W", 0.0, "assumed", "warming by the power of its own current; 1e3 to 1e5 "
              "for a piece on a puck, 0 for none", 0.0, 1e9),
)  # fmt: skip

_PASSES: Final = 3  # of T_s = T + heating I V(I, T_s)

Floats = NDArray[np.float64]
Volts = Callable[[Floats, Floats | float, float, float], Floats]  # of currents, A, temperatures, K, Oe, s


class SelfHeated:
    """A sample with contacts at the temperature that its own power brings it to.

    That temperature follows the current at once, so a curve is the same in both directions. The moment does
    not know of it.

    Args:
        cold: the voltage of the sample at given temperatures of its own.
        kelvin_per_watt: warming over dissipated power, K/W, above 0.
    """

    is_linear = False

    def __init__(self, cold: Volts, kelvin_per_watt: float, values: Mapping[str, Value]) -> None:
        self.values = values
        self._cold = cold
        self._kelvin_per_watt = kelvin_per_watt

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the voltage between the voltage contacts, V, at the cryostat's temperature in K."""
        return float(self.voltages(np.array([current_a]), temperature_k, field_oe, time_s)[0])

    def voltages(
        self, currents_a: Floats, temperature_k: Floats | float, field_oe: float, time_s: float
    ) -> Floats:
        """Return :meth:`voltage` in V at each current in A, of the same shape."""
        warm_k = temperature_k
        for _ in range(_PASSES):
            watts = currents_a * self._cold(currents_a, warm_k, field_oe, time_s)
            warm_k = temperature_k + self._kelvin_per_watt * watts
        return self._cold(currents_a, warm_k, field_oe, time_s)
