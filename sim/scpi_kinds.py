"""What the arguments of SCPI commands are, and with which errors they are refused."""

import re
from dataclasses import dataclass
from itertools import product
from typing import Protocol, TypeVar

from onnes.sim.scpi_headers import headers, short_form, spellings

V = TypeVar("V")

ERRORS = {  # SCPI 1999, volume 2, chapter 21
    0: "No error",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -221: "Settings conflict",
    -222: "Parameter data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -241: "Hardware missing",
    -350: "Queue overflow",
    -365: "Time out error",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    803: "Not permitted with OUTPUT off",  # of a source meter (k); positive codes are the instrument's own
}
OVERFLOW = "+9.9E37"  # what a reading out of range and infinity look like on the wire


class ScpiError(Exception):
    """A message that the instrument refuses; ``code`` goes to its error queue."""

    def __init__(self, code: int) -> None:
        super().__init__(f'{code},"{ERRORS[code]}"')
        self.code = code


class Kind(Protocol[V]):
    """How one argument is read and written."""

    def parse(self, text: str) -> V:
        """Return the value of ``text``; raise ScpiError if it is none."""

    def format(self, value: V) -> str:
        """Return the reply."""


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_INFINITY = 9.9e37  # what instruments call infinite


def _number(text: str, low: float, high: float, infinite: bool) -> float:
    word = text.upper()
    if word in {"MIN", "MINIMUM"}:
        return low
    if word in {"MAX", "MAXIMUM"}:
        return high
    if infinite and word in {"INF", "INFINITY"}:
        return _INFINITY
    if _NUMBER.fullmatch(text) is None:
        raise ScpiError(-104)
    return float(text)


@dataclass(frozen=True, slots=True)
class Number:
    """A real number in a closed range; MINimum and MAXimum are its ends.

    ``infinite`` says that INFinity is allowed too, ``digits`` are those after the point of the reply.
    """

    low: float
    high: float
    infinite: bool = False
    digits: int = 6

    def parse(self, text: str) -> float:
        """Return the number of ``text``."""
        value = _number(text, self.low, self.high, self.infinite)
        if not self.low <= value <= self.high and not (self.infinite and value >= _INFINITY):
            raise ScpiError(-222)
        return value

    def format(self, value: float) -> str:
        """Return the reply, such as ``+1.000000E-03``."""
        return OVERFLOW if value >= _INFINITY else f"{value:+.{self.digits}E}"


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in a closed range; a number with a fraction is rounded, as IEEE 488.2 asks."""

    low: int
    high: int
    infinite: bool = False

    def parse(self, text: str) -> float:
        """Return the number of ``text``."""
        value = round(_number(text, self.low, self.high, self.infinite))
        if not self.low <= value <= self.high and not (self.infinite and value >= _INFINITY):
            raise ScpiError(-222)
        return value

    def format(self, value: float) -> str:
        """Return the reply."""
        return OVERFLOW if value >= _INFINITY else f"{value:.0f}"


@dataclass(frozen=True, slots=True)
class Boolean:
    """ON, OFF or a number, of which 0 is off."""

    def parse(self, text: str) -> bool:
        """Return whether ``text`` says on."""
        word = text.upper()
        return word == "ON" or (word != "OFF" and round(_number(text, 0.0, 1.0, False)) != 0)

    def format(self, value: bool) -> str:
        """Return ``1`` or ``0``."""
        return "1" if value else "0"


class Quoted:
    """Any text in single or double quotes; its value is what stands between them."""

    def parse(self, text: str) -> str:
        """Return the text without its quotes."""
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            raise ScpiError(-104)
        return text[1:-1]

    def format(self, value: str) -> str:
        """Return the reply."""
        return f'"{value}"'


class Choice:
    """One of some words in short or long form, such as ``"SINusoid"``; replies are short.

    ``quoted`` is for words that travel in quotes, such as ``"VOLTage[:DC]"`` of SENSe:FUNCtion; their reply
    is the full header in short form.
    """

    def __init__(self, *words: str, quoted: bool = False) -> None:
        self.words = words
        self.quoted = quoted
        self._short = {
            ":".join(way): ":".join(short_form(node.partition("[")[0]) for node in next(headers(word)))
            for word in words
            for ways in headers(word)
            for way in product(*(spellings(node) for node in ways))
        }

    def parse(self, text: str) -> str:
        """Return the short form of ``text``."""
        word = (Quoted().parse(text) if self.quoted else text).upper()
        if word not in self._short:
            raise ScpiError(-224)
        return self._short[word]

    def format(self, value: str) -> str:
        """Return the reply."""
        return f'"{value}"' if self.quoted else value
