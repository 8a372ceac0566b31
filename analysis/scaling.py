"""Finite-size-scaling collapse (heads; the body follows)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnes.analysis.isotherm import Floats, Isotherm
from onnes.analysis.result import Result


@dataclass(frozen=True, slots=True, eq=False)
class Collapse:
    """Everything a collapse says.

    ``hc`` (Oe) and ``z_nu`` (1) with their uncertainties, or refused; ``rms`` of ln R about the common curve;
    ``u`` = (H - Hc)/T^(1/z_nu) in kOe/K^(1/z_nu), ``ln_r`` = ln(R/ohm), ``temperature`` (K), one entry a point, for the plot;
    ``curve_u``, ``curve_ln_r`` the fitted common curve; ``models`` {"2.6": rms at this z_nu over the best rms, ...};
    ``chosen`` the fixed z_nu with the least rms (of 7/3, 4/3, 2/3); ``map_hc_oe``, ``map_z_nu``, ``map_log10_rms``
    [z_nu, hc]; ``sliding`` z_nu per window of temperatures; ``slope`` z_nu from the slopes at Hc, a check.
    """

    hc: Result
    z_nu: Result
    rms: float
    u: Floats
    ln_r: Floats
    temperature: Floats
    curve_u: Floats
    curve_ln_r: Floats
    models: Mapping[str, float]
    chosen: str
    map_hc_oe: Floats
    map_z_nu: Floats
    map_log10_rms: Floats
    sliding: Sequence[Result]
    slope: Result


def collapse(
    isotherms: Sequence[Isotherm], *, field_sigma_oe: float = 5.0, temperature_sigma_k: float = 0.005
) -> Collapse:
    """Return Hc and z*nu of the collapse of ``isotherms`` on one curve of u = (H - Hc)/T^(1/z_nu)."""
    raise NotImplementedError
