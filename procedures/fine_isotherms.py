"""Finer isotherms over a crossing, around where the coarse ones have seen it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

import numpy as np

from onnes.analysis.crossings import crossings
from onnes.analysis.isotherm import Isotherm
from onnes.procedures.fine_pass import CoarsePoint, check_keys, stepped, swept
from onnes.procedures.options import Options
from onnes.procedures.programs import Pass


@dataclass(frozen=True, slots=True)
class FineField(Options):
    """A rising pass of ``width_oe`` about a field at each temperature; without ``width_oe`` there is none.

    ``around_oe`` is the centre; without it the coarse isotherms find their crossing, and where they do not it
    is ``expected_oe``. Settled every ``step_oe``, or swept at ``rate_oe_per_s`` with a point every
    ``every_oe``.
    """

    TITLE: ClassVar[str] = "fine"

    around_oe: float | None = None
    expected_oe: float | None = None
    width_oe: float | None = None
    step_oe: float | None = None
    rate_oe_per_s: float | None = None
    every_oe: float | None = None

    def __post_init__(self) -> None:
        check_keys(self, "oe", "rate_oe_per_s")

    @property
    def is_searched(self) -> bool:
        """Say whether the coarse isotherms have to find the centre."""
        return self.width_oe is not None and self.around_oe is None

    def passes(self, found_oe: float | None) -> list[Pass]:
        """Return the pass about ``found_oe``, Oe, or what stands for it; none where there is nothing."""
        centre_oe = self.around_oe or found_oe or self.expected_oe
        if self.width_oe is None or centre_oe is None:
            return []
        if self.step_oe is not None:
            return [stepped(centre_oe, self.width_oe, self.step_oe)]
        return [
            swept(centre_oe, self.width_oe, self.rate_oe_per_s or math.nan, 1.0, self.every_oe or math.nan)
        ]


def crossing_oe(points: Sequence[CoarsePoint]) -> tuple[float | None, str]:
    """Return where the isotherms cross, Oe, or None and why they do not.

    Points without resistance are left out: they belong to a superconductor, not to a crossing.
    """
    temperatures = sorted({point.setpoint_k for point in points})
    isotherms = []
    for kelvin in temperatures:
        mine = sorted(
            (point.field_oe, point.ohm, point.error_ohm)
            for point in points
            if point.setpoint_k == kelvin and point.ohm > 0
        )
        if mine:
            field, ohm, error = np.array(mine, dtype=np.float64).T
            isotherms.append(Isotherm(kelvin, field, ohm, error))
    if len(isotherms) < 2:
        return None, f"{len(isotherms)} isotherms with a resistance; at least 2 are needed"
    window = temperatures[0], temperatures[-1]
    found = crossings(isotherms, temperature_window_k=window)
    fields = [pair.field_oe for pair in found.pairs if pair.field_oe is not None]
    if fields:  # good enough to aim at, also where two isotherms are too few for a result
        return median(fields), ""
    return None, found.median.reason
