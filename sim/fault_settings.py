"""The table ``[[fault]]`` of a lab file: what goes wrong, with whom, when, and how often."""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from onnes.sim.fault_kinds import (
    FAULT_KINDS,
    MULTIVU_FAULT_KINDS,
    FaultKind,
    FaultName,
    Quantity,
    Words,
)

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_DURATION: Final = re.compile(rf"(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m(?:in)?)?\s*(?:{_NUMBER}\s*s)?")


def duration_s(text: object) -> object:
    """Return ``"2h15m"``, ``"90 min"`` or ``"5s"`` in s; anything but text is returned as it is.

    Raises:
        ValueError: for text that is no time.

    >>> duration_s("2h15m")
    8100.0
    """
    if not isinstance(text, str):
        return text
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no time; write for example '2h15m', '90 s' or a number of seconds")
    hours, minutes, seconds = (float(part or 0.0) for part in found.groups())
    return hours * 3600.0 + minutes * 60.0 + seconds


Seconds = Annotated[float, BeforeValidator(duration_s)]


class WhenSettings(BaseModel):
    """The table ``when`` of a fault: all that it says must hold; looked at on the agenda of the lab only.

    The temperature is that of the thermometer in K, the field the size of the reported one in Oe, both
    without noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    temperature_below_k: float | None = None
    temperature_above_k: float | None = None
    field_below_oe: float | None = None
    field_above_oe: float | None = None
    helium_below_percent: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "WhenSettings":
        if not self.model_fields_set:
            raise ValueError(f"when says no condition; there are {', '.join(type(self).model_fields)}")
        return self

    def holds(self, lab: "VirtualLab", t: float) -> bool:
        """Say whether all conditions hold at lab time ``t`` in s."""
        kelvin, field = lab.cryostat.sensor(t), abs(lab.magnet.supply(t))
        percent = lab.chamber.helium.level(t)
        below = (
            (kelvin, self.temperature_below_k),
            (field, self.field_below_oe),
            (percent, self.helium_below_percent),
        )
        above = ((kelvin, self.temperature_above_k), (field, self.field_above_oe))
        return all(limit is None or value < limit for value, limit in below) and all(
            limit is None or value > limit for value, limit in above
        )


class FaultSettings(BaseModel):
    """The table ``[[fault]]`` of a lab file; :mod:`onnes.sim.fault_kinds` lists the kinds.

    ``target`` is a glob on the name of the instrument (wire, front end, server), of the loop (wiring) or of
    the part of the plant; ``match`` one on the message (wire only; case does not count). Times are lab time,
    s, or text such as ``"2h15m"``.

    A fault of the wire strikes the messages from ``at`` until ``until``; with ``every`` at most one in each
    such interval. Any other one strikes at ``at``, and with ``every`` again and again until ``until``. With
    ``p`` a coin is tossed each time, which depends on seed and lab time alone. With ``when`` a look every
    10 s (off the wire every ``every``, if it is given) says whether it may strike.

    It strikes ``count`` times. Without ``count``: once, or as often as it can with ``every``, and on the wire
    with ``p`` or, for a fault of single messages, with ``until``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: FaultName
    target: str = "*"
    match: str = "*"
    at: Annotated[Seconds, Field(ge=0)] = 0.0
    until: Seconds | None = None
    every: Annotated[Seconds, Field(gt=0)] | None = None
    p: float = Field(default=1.0, gt=0, le=1)
    count: int | None = Field(default=None, ge=1)
    when: WhenSettings | None = None
    args: dict[str, int | float | str] = {}

    @property
    def about(self) -> FaultKind:
        """Return what the catalogue says of its kind."""
        return FAULT_KINDS.get(self.kind) or MULTIVU_FAULT_KINDS[self.kind]

    @property
    def most(self) -> float:
        """Return how often it strikes at most."""
        if self.count is not None:
            return self.count
        each_message = self.p < 1.0 or (self.until is not None and not self.about.lasts)
        meets_many = self.about.layer == "wire" and each_message
        return math.inf if self.every is not None or meets_many else 1

    def number(self, name: str) -> float:
        """Return a number of ``args``, or its default; NaN if it has none."""
        value = self.args.get(name, self.about.args[name].default)
        return math.nan if value is None else float(value)

    def text(self, name: str) -> str | None:
        """Return a text of ``args``, or its default; None if it has none."""
        value = self.args.get(name, self.about.args[name].default)
        return None if value is None else str(value)

    def end(self, begin: float) -> float:
        """Return when it heals that began at ``begin``, s; infinity if it never does."""
        seconds = self.number("seconds")
        end = math.inf if math.isnan(seconds) else begin + seconds
        return end if self.until is None else min(end, self.until)

    @model_validator(mode="after")
    def _check_times(self) -> "FaultSettings":
        if self.until is not None and self.until <= self.at:
            raise ValueError(f"until = {self.until:g} s is not after at = {self.at:g} s")
        if self.match != "*" and self.about.layer != "wire":
            raise ValueError(
                f"match = {self.match!r} is for faults of the wire; {self.kind!r} meets no message"
            )
        if self.most > 1 and self.every is None and self.about.layer != "wire":
            raise ValueError(f"count = {self.count} needs every, for nothing else brings {self.kind!r} back")
        if self.every is not None and self.about.lasts and not self.number("seconds") <= self.every:
            raise ValueError(
                f"every = {self.every:g} s needs args.seconds of at most that, so that {self.kind!r} ends "
                "before it comes back"
            )
        return self

    @model_validator(mode="after")
    def _check_args(self) -> "FaultSettings":
        allowed = self.about.args
        for name, value in self.args.items():
            if name not in allowed:
                names = ", ".join(allowed) or "nothing"
                raise ValueError(f"args of a fault {self.kind!r} take {names}, not {name!r}")
            _check(name, value, allowed[name])
        if self.about.needs and not set(self.about.needs) & set(self.args):
            raise ValueError(f"args of a fault {self.kind!r} need {' or '.join(self.about.needs)}")
        return self


def _check(name: str, value: float | str, allowed: Quantity | Words) -> None:
    if isinstance(allowed, Words):
        if not isinstance(value, str):
            raise ValueError(f"args.{name} = {value!r} is no text")
        if allowed.choices and value not in allowed.choices:
            raise ValueError(f"args.{name} = {value!r} is none of {', '.join(allowed.choices)}")
        return
    if isinstance(value, str):
        raise ValueError(f"args.{name} = {value!r} is no number")
    unit = f" {allowed.unit}" if allowed.unit else ""
    if not allowed.low <= value <= allowed.high:
        raise ValueError(
            f"args.{name} = {value:g}{unit} is outside [{allowed.low:g}, {allowed.high:g}]{unit}, "
            "the range of this kind of fault"
        )
    if allowed.allowed and value not in allowed.allowed:
        choices = ", ".join(f"{choice:g}" for choice in allowed.allowed)
        raise ValueError(f"args.{name} = {value:g} is none of {choices}")


@dataclass(frozen=True, slots=True)
class Spell:
    """One time that a lasting fault acts, from ``begin`` until before ``end``, lab time in s."""

    fault: FaultSettings
    begin: float
    end: float

    def covers(self, t: float) -> bool:
        """Say whether it acts at ``t``."""
        return self.begin <= t < self.end
