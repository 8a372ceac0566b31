"""Minimum of rho(T) (heads; the body follows)."""

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result


def resistance_minimum(
    temperature: Floats, resistance: Floats, sigma: Floats | float, *, window_k: tuple[float, float] = (60.0, 170.0)
) -> Result:
    """Return the temperature of the minimum, K, of a quartic fitted in ``window_k``."""
    raise NotImplementedError
