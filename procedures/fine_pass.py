"""A second, finer pass over the transition, around where the coarse passes have seen it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, median
from typing import ClassVar

from onnes.procedures.options import Options, positive
from onnes.procedures.programs import Pass, Steps, Sweep

_NORMAL_TO = 1.2  # the normal resistance is looked at from the transition up to so many times it (a)
_FALLEN_TO = 0.1  # what falls by less is no transition to zero (a)


@dataclass(frozen=True, slots=True)
class FineTemperature(Options):
    """A monotone pass of ``width_k`` about a temperature; without ``width_k`` there is none.

    ``around_k`` is the centre; without it the coarse passes find the transition, and where they do not it is
    ``expected_k``. Settled every ``step_k``, or swept at ``rate_k_per_min`` with a point every ``every_k``.
    """

    TITLE: ClassVar[str] = "fine"

    around_k: float | None = None
    expected_k: float | None = None
    width_k: float | None = None
    step_k: float | None = None
    rate_k_per_min: float | None = None
    every_k: float | None = None

    def __post_init__(self) -> None:
        given = [name for name in self.__annotations__ if name != "TITLE" and getattr(self, name) is not None]
        for name in given:
            positive(f"{self.TITLE}.{name}", getattr(self, name))
        steps = {name for name in given if name in ("step_k", "rate_k_per_min", "every_k")}
        if given and (self.width_k is None or steps not in ({"step_k"}, {"rate_k_per_min", "every_k"})):
            raise ValueError(
                f"{self.TITLE} has the keys {', '.join(given)}; expected width_k with step_k, or with "
                "rate_k_per_min and every_k"
            )

    @property
    def is_searched(self) -> bool:
        """Say whether the coarse passes have to find the centre."""
        return self.width_k is not None and self.around_k is None

    def passes(self, found_k: float | None) -> list[Pass]:
        """Return the pass about ``found_k``, K, or what stands for it; none where there is nothing.

        It goes up: what a lag of the thermometer does to it is known from the coarse passes.
        """
        centre_k = self.around_k or found_k or self.expected_k
        if self.width_k is None or centre_k is None:
            return []
        half_k = 0.5 * self.width_k
        if self.step_k is None:
            rate, every_k = self.rate_k_per_min or math.nan, self.every_k or math.nan
            per_s = rate / 60.0
            return [Pass(Sweep(centre_k - half_k, centre_k + half_k, rate, per_s, every_k / per_s), True)]
        step = Decimal(repr(self.step_k))  # decimal, so that steps do not creep
        start = (Decimal(repr(centre_k - half_k)) / step).to_integral_value() * step
        count = int(Decimal(repr(self.width_k)) / step)
        values = tuple(float(start + n * step) for n in range(count + 1))
        return [Pass(Steps(values), True)]


@dataclass(frozen=True, slots=True)
class CoarsePoint:
    """What the search needs of a point: K, ohm, and its curve."""

    kelvin: float
    ohm: float
    curve: int


def transition_k(points: Sequence[CoarsePoint]) -> tuple[float | None, str]:
    """Return where half of the normal resistance is left, K, or None and why there is no such temperature.

    This is only good enough to aim at: the metrics of :mod:`onnes.analysis.transition` want three points
    within the transition, which a coarse pass need not have. Each pass is looked at alone, and the mean is
    taken: a lag moves them in opposite directions.
    """
    found: list[float] = []
    reason = "nothing was measured"
    for number in sorted({point.curve for point in points}):
        curve = sorted((point.kelvin, point.ohm) for point in points if point.curve == number)
        half_k, why = _half_k([kelvin for kelvin, _ in curve], [ohm for _, ohm in curve])
        if half_k is None:
            reason = why
        else:
            found.append(half_k)
    return (fmean(found), "") if found else (None, reason)


def _half_k(kelvin: list[float], ohm: list[float]) -> tuple[float | None, str]:
    rises = [after - before for before, after in pairwise(ohm)]
    if not rises:
        return None, f"{len(ohm)} points, too few"
    steepest = max(range(len(rises)), key=rises.__getitem__)
    above = [
        value
        for at, value in zip(kelvin[steepest + 1 :], ohm[steepest + 1 :], strict=True)
        if at <= _NORMAL_TO * kelvin[steepest + 1]
    ]
    normal, least = median(above), min(ohm[: steepest + 1])
    if not least < _FALLEN_TO * normal:
        return None, (
            f"the resistance falls to {least:.4g} ohm below {kelvin[steepest]:.5g} K, from {normal:.4g} ohm "
            f"above, not to a part of {_FALLEN_TO:g}"
        )
    last = max(place for place, value in enumerate(ohm[: steepest + 2]) if value < 0.5 * normal)
    part = (0.5 * normal - ohm[last]) / (ohm[last + 1] - ohm[last])
    return kelvin[last] + part * (kelvin[last + 1] - kelvin[last]), ""
