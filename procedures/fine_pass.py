"""A second, finer pass over the transition, around where the coarse passes have seen it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, median
from typing import ClassVar

from onnes.instruments.records import Event
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
        check_keys(self, "k", "rate_k_per_min")

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
        if self.step_k is not None:
            return [stepped(centre_k, self.width_k, self.step_k)]
        return [
            swept(centre_k, self.width_k, self.rate_k_per_min or math.nan, 60.0, self.every_k or math.nan)
        ]


def check_keys(fine: Options, unit: str, rate: str) -> None:
    """Look at which keys of a fine pass are given; ``unit`` ends their names, ``rate`` is the rate's.

    Raises:
        ValueError: if they do not make a pass, or one is not above zero.
    """
    given = [name for name in fine.__annotations__ if name != "TITLE" and getattr(fine, name) is not None]
    for name in given:
        positive(f"{fine.TITLE}.{name}", getattr(fine, name))
    width, step, every = f"width_{unit}", f"step_{unit}", f"every_{unit}"
    steps = {name for name in given if name in (step, rate, every)}
    if given and (width not in given or steps not in ({step}, {rate, every})):
        raise ValueError(
            f"{fine.TITLE} has the keys {', '.join(given)}; expected {width} with {step}, or with {rate} and "
            f"{every}"
        )


def stepped(centre: float, width: float, step: float) -> Pass:
    """Return a rising pass of multiples of ``step`` about ``centre``."""
    exact = Decimal(repr(step))  # decimal, so that steps do not creep
    start = (Decimal(repr(centre - 0.5 * width)) / exact).to_integral_value() * exact
    count = int(Decimal(repr(width)) / exact)
    return Pass(Steps(tuple(float(start + n * exact) for n in range(count + 1))), True)


def swept(centre: float, width: float, rate: float, rate_time_s: float, every: float) -> Pass:
    """Return a rising sweep about ``centre``, ``rate`` in ``rate_time_s``, with a point each ``every``."""
    per_s = rate / rate_time_s
    return Pass(Sweep(centre - 0.5 * width, centre + 0.5 * width, rate, per_s, every / per_s), True)


def fine_event(
    what: str, sought: str, found: float | None, expected: float | None, unit: str, reason: str
) -> Event:
    """Return the event that says around what the fine ``what`` is, and why."""
    if found is not None:
        where = f"around the {sought} at {found:.6g} {unit} that was found in the coarse {what}"
    elif expected is not None:
        where = f"around the expected {expected:.6g} {unit}: no {sought} in the coarse {what}, {reason}"
    else:
        where = f"left out: none is expected, and no {sought} in the coarse {what}, {reason}"
    return Event("fine", f"fine {what} {where}", {"centre": found, "unit": unit, "reason": reason})


@dataclass(frozen=True, slots=True)
class CoarsePoint:
    """What a search needs of a point: setpoint and temperature, K, field, Oe, resistance, ohm, its curve."""

    setpoint_k: float
    kelvin: float
    field_oe: float
    ohm: float
    error_ohm: float
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
