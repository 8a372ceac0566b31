"""What a night may ask for, and a check of everything that it will ask for before anything is sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal

from onnes.instruments.errors import LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.quantities import KINDS, quantity, show, units_of
from onnes.runner.problems import Place, Problem
from onnes.runner.quantity_text import Typed

# Of these only a most is set; the range is symmetric because a current has two directions.
_MOST_ONLY = ("temperature_rate", "field_rate", "current", "voltage", "power")


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """The narrowest limits by kind of quantity, in its base unit; None where nobody set one."""

    temperature: Limits | None = None
    temperature_rate: Limits | None = None
    field: Limits | None = None
    field_rate: Limits | None = None
    current: Limits | None = None
    voltage: Limits | None = None
    power: Limits | None = None

    def of(self, kind: str) -> Limits | None:
        """Return the limits of a kind of quantity."""
        limits = getattr(self, kind)
        return limits if isinstance(limits, Limits) else None

    def narrowed(self, other: "PlanLimits") -> "PlanLimits":
        """Return the limits inside both.

        Raises:
            LimitError: if two ranges do not overlap.
        """
        both = {}
        for kind in (field.name for field in fields(self)):
            mine, theirs = self.of(kind), other.of(kind)
            both[kind] = mine.narrowed(theirs) if mine and theirs else mine or theirs
        return replace(self, **both)


def limits_of(kind: str, low: Decimal, high: Decimal, set_by: str) -> Limits:
    """Return a range of ``kind`` with who set it."""
    return Limits(float(low), float(high), KINDS[kind].base, set_by)


def at_most(kind: str, most: Decimal, set_by: str) -> Limits:
    """Return the range from minus to plus ``most``; a rate, voltage or power counts by its magnitude."""
    return limits_of(kind, -most, most, set_by)


@dataclass(frozen=True, slots=True)
class Demand:
    """One value that the plan will ask for: how it was typed, and where."""

    kind: str
    number: Decimal
    unit: str
    said: str
    place: Place

    @classmethod
    def of(cls, kind: str, typed: Typed) -> "Demand":
        """Return the demand for a number as typed."""
        shown = show(typed.number, kind, typed.unit)
        is_grid = any(word in typed.text for word in ("..", " step ", " points "))
        said = f"{shown} of '{typed.text}'" if is_grid else shown
        return cls(kind, typed.number, typed.unit, said, typed.place)


def extremes(kind: str, values: Sequence[Typed]) -> Iterable[Demand]:
    """Yield the least and the greatest of the values that were typed at each place."""
    by_place: dict[Place, list[Typed]] = {}
    for typed in values:
        by_place.setdefault(typed.place, []).append(typed)
    for group in by_place.values():
        ends = {typed.number: typed for typed in (min(group, key=_number), max(group, key=_number))}
        yield from (Demand.of(kind, typed) for typed in ends.values())


def _number(typed: Typed) -> Decimal:
    return typed.number


def refused(
    demands: Iterable[Demand], limits: PlanLimits, sources: Sequence[PlanLimits] = ()
) -> list[Problem]:
    """Return a problem for every demand that lies outside the limits.

    Args:
        sources: what ``limits`` was narrowed from; the message then names who set the end that is in the way.
    """
    problems = []
    for demand in demands:
        allowed = limits.of(demand.kind)
        if allowed is not None and not allowed.contains(float(demand.number)):
            above = float(demand.number) > allowed.high
            setters = [given for source in sources if (given := source.of(demand.kind))]
            narrowest = min(setters, key=lambda one: one.high if above else -one.low, default=allowed)
            named = replace(allowed, set_by=narrowest.set_by)
            problems.append(Problem(demand.place, _outside(demand, named, above)))
    return problems


def _outside(demand: Demand, allowed: Limits, above: bool) -> str:
    kind, unit = demand.kind, demand.unit
    end = show(allowed.high if above else allowed.low, kind, unit)
    side, change, extreme = ("above", "lower", "most") if above else ("below", "raise", "least")
    what = KINDS[kind].name.removeprefix("a ")
    if kind in _MOST_ONLY:
        return f"{demand.said} is {side} {end}, the {extreme} allowed ({allowed.set_by}); {change} the {what}"
    return (
        f"{demand.said} is {side} {end}; allowed {show(allowed.low, kind, unit)} .. "
        f"{show(allowed.high, kind, unit)} ({allowed.set_by}); {change} the setpoint"
    )


def wider(kind: str, ends: tuple[Typed, Typed] | Typed, outer: Limits) -> Problem | None:
    """Return a problem if a limit of the sequence is wider than ``outer``; it may only narrow."""
    low, high = ends if isinstance(ends, tuple) else (ends, ends)
    is_range = isinstance(ends, tuple)
    if (not is_range or float(low.number) >= outer.low) and float(high.number) <= outer.high:
        return None
    unit = high.unit
    allowed = f"{show(outer.low, kind, unit)} .. " if is_range else "at most "
    return Problem(
        high.place,
        f"'{high.text}' is wider than {allowed}{show(outer.high, kind, unit)} ({outer.set_by}); "
        "the limits of a sequence may only narrow",
    )


def narrow(limits: PlanLimits, other: PlanLimits, place: Place, problems: list[Problem]) -> PlanLimits:
    """Return the limits inside both; ranges that do not overlap become a problem at ``place``."""
    try:
        return limits.narrowed(other)
    except LimitError as error:
        problems.append(Problem(place, str(error)))
        return limits


def readable(value: Decimal, kind: str) -> str:
    """Return the unit of ``kind`` in which ``value`` is the smallest number from 1 up.

    >>> readable(Decimal("1.4e-7"), "power")
    'nW'
    """
    sizes = sorted(((quantity(f"1 {unit}", kind), unit) for unit in units_of(kind)), reverse=True)
    return next((unit for size, unit in sizes if abs(value) >= size), sizes[-1][1])
