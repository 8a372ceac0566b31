"""The flat dialect of Lake Shore controllers: units of a message, and settings of several fields."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Bits of the standard event register that a refusal sets, IEEE 488.2 11.5: execution error, command error.
EXECUTION: Final = 16
COMMAND: Final = 32

_UNIT = re.compile(r"\s*(\*?[A-Za-z]+)(\?)?(?:\s+(.*))?", re.DOTALL)


class Refused(Exception):
    """The controller does not obey; ``bit`` goes to its event register."""

    def __init__(self, bit: int) -> None:
        super().__init__(bit)
        self.bit = bit


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a setting: its range, and the format of its reply."""

    low: float
    high: float
    form: str
    default: float

    def value(self, text: str) -> float:
        """Return the number of ``text``; raise Refused if it is none, or outside the range."""
        try:
            value = float(text)
        except ValueError:
            raise Refused(COMMAND) from None
        if not self.low <= value <= self.high:
            raise Refused(EXECUTION)
        return value


@dataclass(frozen=True, slots=True)
class Word:
    """A text of a setting, of at most ``longest`` characters."""

    longest: int
    default: str

    def value(self, text: str) -> str:
        """Return ``text``, cut to its length as the controller does."""
        return text[: self.longest]


Entry = Number | Word


@dataclass(frozen=True, slots=True)
class Setting:
    """Fields that are set and asked together, once for each of ``keys``; trailing ones may be left out."""

    keys: tuple[str, ...]
    fields: tuple[Entry, ...]


def whole(low: int, high: int, default: int) -> Number:
    """Return a whole number of a setting."""
    return Number(low, high, "d", default)


def parsed(unit: str) -> tuple[str, bool, list[str]]:
    """Return the word of a unit, whether it asks, and its arguments; raise Refused if it is none."""
    found = _UNIT.fullmatch(unit)
    if found is None:
        raise Refused(COMMAND)
    rest = (found[3] or "").strip()
    return found[1].upper(), found[2] is not None, [part.strip() for part in rest.split(",")] if rest else []


def one(args: Sequence[str], allowed: Sequence[str]) -> str:
    """Return the only argument, which must be one of ``allowed``."""
    if len(args) != 1:
        raise Refused(COMMAND)
    word = args[0].upper()
    if word not in allowed:
        raise Refused(EXECUTION)
    return word


def mask(args: Sequence[str]) -> int:
    """Return the bits that the only argument enables."""
    if len(args) != 1:
        raise Refused(COMMAND)
    return int(whole(0, 255, 0).value(args[0]))
