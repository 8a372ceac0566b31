"""Tc metrics of a resistive transition (heads; the body follows)."""

from typing import Any

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result


def transition(
    temperature: Floats, resistance: Floats, sigma: Floats | float, *, temperature_sigma_k: float = 0.002
) -> dict[str, Result]:
    """Return {"onset", "t90", "t50", "t10", "zero", "width", "rrr", "deviation"}: Result (K; rrr has no unit).

    One curve R(T); passes up and down in one array are kept apart (mean quoted, both in goodness, flag "up_down").
    A metric the curve does not have is refused with its reason.
    """
    raise NotImplementedError
