"""Programs of setpoints: values to settle at, or a ramp measured on its way; their monotone passes."""

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any

from onnes.procedures.options import compact, mapping, numbers, positive


@dataclass(frozen=True, slots=True)
class Steps:
    """Values to settle at, one after the other, K or Oe."""

    values: tuple[float, ...]

    def first(self, count: int) -> "Steps":
        """Return the first ``count`` of them."""
        return Steps(self.values[:count])

    def ends(self) -> tuple[float, ...]:
        """Return the values that are sent as setpoints."""
        return self.values

    def targets(self) -> tuple[float, ...]:
        """Return the planned values."""
        return self.values


@dataclass(frozen=True, slots=True)
class Sweep:
    """A ramp from ``start`` to ``end`` (K or Oe) measured every ``every_s``.

    ``rate`` is in K/min or Oe/s, as it is sent; ``per_s`` is the same in K/s or Oe/s.
    """

    start: float
    end: float
    rate: float
    per_s: float
    every_s: float

    @property
    def duration_s(self) -> float:
        """Return the time that the ramp takes, s."""
        return abs(self.end - self.start) / self.per_s

    @property
    def rises(self) -> bool:
        """Say whether the ramp goes up."""
        return self.end > self.start

    def short_by(self, value: float) -> float:
        """Return how far ``value`` is before the end; negative beyond it."""
        return self.end - value if self.rises else value - self.end

    def turned(self) -> "Sweep":
        """Return the sweep back."""
        return Sweep(self.end, self.start, self.rate, self.per_s, self.every_s)

    def ends(self) -> tuple[float, ...]:
        """Return the values that are sent as setpoints."""
        return (self.start, self.end)

    def targets(self) -> tuple[float, ...]:
        """Return the planned values: where the ramp is at each sampling time."""
        step = math.copysign(self.per_s * self.every_s, self.end - self.start)
        count = math.floor(self.duration_s / self.every_s + 1e-9)
        return tuple(self.start + n * step for n in range(count + 1))


Program = Steps | Sweep


@dataclass(frozen=True, slots=True)
class _Axis:
    what: str
    unit: str
    suffix: str
    rate_key: str
    rate_time_s: float


_TEMPERATURE = _Axis("temperature program", "K", "k", "rate_k_per_min", 60.0)
_FIELD = _Axis("field program", "Oe", "oe", "rate_oe_per_s", 1.0)


def temperature_program(text: str) -> Program:
    """Return what the JSON text of a temperature program says.

    It is ``{"setpoints_k": [...]}`` or ``{"sweep_k": [a, b], "rate_k_per_min": r, "every_s": s}``.

    A sweep takes ``every_k`` instead of ``every_s``: it then means the time in which the ramp goes that far.

    Raises:
        ValueError: if ``text`` says anything else.
    """
    return _program(text, _TEMPERATURE)


def field_program(text: str) -> Program:
    """Return what the JSON text of a field program says.

    It is ``{"setpoints_oe": [...]}`` or ``{"sweep_oe": [a, b], "rate_oe_per_s": r, "every_s": s}``.

    A sweep takes ``every_oe`` instead of ``every_s``, as :func:`temperature_program` does.

    Raises:
        ValueError: if ``text`` says anything else.
    """
    return _program(text, _FIELD)


@lru_cache(maxsize=16)  # read anew at each point, because its end may have been moved meanwhile
def _program(text: str, axis: _Axis) -> Program:
    given = mapping(text, axis.what)
    setpoints, sweep, step = f"setpoints_{axis.suffix}", f"sweep_{axis.suffix}", f"every_{axis.suffix}"
    if set(given) == {setpoints}:
        return Steps(numbers(setpoints, given[setpoints]))
    if set(given) not in ({sweep, axis.rate_key, "every_s"}, {sweep, axis.rate_key, step}):
        raise ValueError(
            f"{axis.what} has the keys {', '.join(given) or 'none'}; expected {setpoints}, "
            f"or {sweep} with {axis.rate_key} and one of every_s, {step}"
        )
    ends = numbers(sweep, given[sweep])
    if len(ends) != 2 or ends[0] == ends[1]:
        raise ValueError(f"{sweep} is {given[sweep]!r}; expected two different values")
    rate = positive(axis.rate_key, given[axis.rate_key])
    per_s = rate / axis.rate_time_s
    every_s = (
        positive("every_s", given["every_s"]) if "every_s" in given else positive(step, given[step]) / per_s
    )
    return Sweep(*ends, rate=rate, per_s=per_s, every_s=every_s)


def extended_temperature(text: str, end: float) -> str:
    """Return the temperature program with its end moved to ``end``, K, as JSON text.

    Raises:
        ValueError: if ``end`` does not lie beyond its end in the same direction.
    """
    return _extended(text, end, _TEMPERATURE)


def extended_field(text: str, end: float) -> str:
    """Return the field program with its end moved to ``end``, Oe, as JSON text.

    Raises:
        ValueError: if ``end`` does not lie beyond its end in the same direction.
    """
    return _extended(text, end, _FIELD)


def _extended(text: str, end: float, axis: _Axis) -> str:
    program = _program(text, axis)
    given: dict[str, Any] = mapping(text, axis.what)
    if isinstance(program, Sweep):
        _check_beyond(program.start, program.end, end, axis)
        return compact(given | {f"sweep_{axis.suffix}": [program.start, end]})
    values = program.values
    if len(values) < 2 or values[-1] == values[-2]:
        raise ValueError(
            f"the {axis.what} ends with the single value {values[-1]:.9g} {axis.unit}, which has no direction"
        )
    _check_beyond(values[-2], values[-1], end, axis)
    last = Decimal(repr(values[-1]))  # decimal, so that 26 K and steps of 0.2 K do not creep
    step = last - Decimal(repr(values[-2]))
    count = int((Decimal(repr(end)) - last) / step)
    if count == 0:
        raise ValueError(
            f"end = {end:.9g} {axis.unit} is less than one step of {float(step):.9g} {axis.unit} beyond "
            f"{values[-1]:.9g} {axis.unit}, the end of the {axis.what}"
        )
    more = [float(last + n * step) for n in range(1, count + 1)]
    return compact({f"setpoints_{axis.suffix}": [*values, *more]})


def _check_beyond(before: float, end: float, new: float, axis: _Axis) -> None:
    if not math.isfinite(new) or not (new > end if end > before else new < end):
        raise ValueError(
            f"end = {new:.9g} {axis.unit} does not lie beyond {end:.9g} {axis.unit}, "
            f"the end of a {axis.what} that {'rises' if end > before else 'falls'}"
        )


@dataclass(frozen=True, slots=True)
class Pass:
    """A part of a program that goes one way; ``rises`` is None for a single value."""

    program: Program
    rises: bool | None


def passes(program: Program, *, both_directions: bool) -> list[Pass]:
    """Return the monotone passes of a program, in order; with ``both_directions`` it is run back again.

    A value where the program turns ends a pass; run back, the end of the program is measured once more.

    >>> [(leg.program.targets(), leg.rises) for leg in passes(Steps((0.0, 2.0, 1.0)), both_directions=False)]
    [((0.0, 2.0), True), ((1.0,), False)]
    """
    if isinstance(program, Sweep):
        there = Pass(program, program.rises)
        return [there, Pass(program.turned(), not program.rises)] if both_directions else [there]
    forth = _monotone(program.values)
    if not both_directions or len(program.values) == 1:
        return forth
    return forth + _monotone(program.values[::-1])


def _monotone(values: tuple[float, ...]) -> list[Pass]:
    legs: list[tuple[list[float], bool | None]] = [([values[0]], None)]
    for before, value in pairwise(values):
        leg, rises = legs[-1]
        if rises is None or rises == (value > before):
            leg.append(value)
            legs[-1] = leg, value > before
        else:
            legs.append(([value], value > before))
    return [Pass(Steps(tuple(leg)), rises) for leg, rises in legs]
