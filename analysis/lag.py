"""Lag of the sample behind the thermometer (heads; the body follows)."""

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result


def sample_lag(
    t_up: Floats,
    r_up: Floats,
    rate_up: Floats | float,
    t_down: Floats,
    r_down: Floats,
    rate_down: Floats | float,
) -> Result:
    """Return the lag, s: R of warming and of cooling coincide at T_sample = T - rate * lag.

    Rates are signed dT/dt of the reported temperature, K/s: positive when warming, negative when cooling.
    goodness: difference_before_k, difference_after_k (rms of R_up - R_down over |dR/dT|), chi2_per_dof.
    """
    raise NotImplementedError


def at_sample(temperature: Floats, rate: Floats | float, lag_s: float) -> Floats:
    """Return the temperature of the sample, K, from the reported one, its rate (K/s) and the lag (s)."""
    return temperature - rate * lag_s
