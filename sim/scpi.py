"""SCPI command tables: what a device declares, the trie it is compiled to, and the parser.

A device names each header once, as its manual prints it (``"[SOURce[1]]:CURRent[:LEVel]"``); short and long
forms, optional nodes, the path rule after ``;``, argument types and ranges follow from that.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Generic, Protocol, TypeVar, overload

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


# --- kinds of arguments -----------------------------------------------------------------------------------


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
            ":".join(way): ":".join(_short_form(node.partition("[")[0]) for node in next(headers(word)))
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


def _short_form(word: str) -> str:
    return "".join(letter for letter in word if not letter.islower())


# --- what a device declares -------------------------------------------------------------------------------


class Param(Generic[V]):
    """A setting with its command and its query; the device's attribute is the value.

    Args:
        header: as the manual prints it, without ``?``.
        kind: how its value is read and written.
        default: after power-on and ``*RST``.
        keeps: ``*RST`` leaves it as it is.
    """

    def __init__(self, header: str, kind: Kind[V], default: V, *, keeps: bool = False) -> None:
        self.header = header
        self.kind = kind
        self.default = default
        self.keeps = keeps
        self.name = ""

    def parse(self, text: str) -> V:
        """Return the value of ``text``, which may be DEFault for numbers."""
        if isinstance(self.default, bool | str) or text.upper() not in {"DEF", "DEFAULT"}:
            return self.kind.parse(text)
        return self.default

    def format(self, value: V) -> str:
        """Return the reply for ``value``."""
        return self.kind.format(value)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Param[V]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> V: ...
    def __get__(self, instance: object | None, owner: type) -> "Param[V] | V":
        # Reached for an instance only before its first assignment; then its own dictionary has the value.
        return self if instance is None else self.default


@dataclass(frozen=True, slots=True)
class Entry:
    """One header and the arguments it takes.

    Of ``kinds`` the last ``optional`` may be missing; with ``repeats`` the last may come again and again.
    """

    header: str
    is_query: bool
    kinds: tuple[Callable[[str], Any], ...]
    optional: int = 0
    repeats: bool = False


F = TypeVar("F", bound=Callable[..., Any])


def command(header: str, *kinds: Kind[Any], optional: int = 0, repeats: bool = False) -> Callable[[F], F]:
    """Declare ``method(device, t, *arguments)`` as the command ``header`` with arguments of ``kinds``."""
    return _declare(Entry(header, False, tuple(kind.parse for kind in kinds), optional, repeats))


def query(header: str) -> Callable[[F], F]:
    """Declare ``method(device, t)`` as the query ``header?``; it returns the reply."""
    return _declare(Entry(header, True, ()))


def _declare(entry: Entry) -> Callable[[F], F]:
    def mark(function: F) -> F:
        vars(function).setdefault("scpi_entries", []).append(entry)
        return function

    return mark


# --- headers ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """One mnemonic on the way down a header."""

    children: dict[str, "Node"] = field(default_factory=dict)
    actions: dict[bool, tuple[Entry, Callable[..., Any]]] = field(default_factory=dict)  # by is_query


_PIECE = re.compile(r"\[|\]|:|[A-Za-z*]+(?:\d+)?(?:\[\d+\])?")


def headers(spec: str) -> Iterator[tuple[str, ...]]:
    """Yield each way through the optional nodes of a header, as mnemonics with their cases.

    >>> list(headers("[SOURce[1]]:CLEar[:IMMediate]"))
    [('SOURce[1]', 'CLEar', 'IMMediate'), ('SOURce[1]', 'CLEar'), ('CLEar', 'IMMediate'), ('CLEar',)]
    """
    nodes: list[tuple[str, bool]] = []
    depth = 0
    for piece in _PIECE.findall(spec):
        if piece in "[]":
            depth += 1 if piece == "[" else -1
        elif piece != ":":
            nodes.append((piece, depth > 0))

    def ways(place: int) -> Iterator[tuple[str, ...]]:
        if place == len(nodes):
            yield ()
            return
        mnemonic, is_optional = nodes[place]
        for rest in ways(place + 1):
            yield (mnemonic, *rest)
        if is_optional:
            yield from ways(place + 1)

    return ways(0)


def spellings(mnemonic: str) -> set[str]:
    """Return the spellings of one mnemonic in upper case.

    >>> sorted(spellings("SOURce[1]"))
    ['SOUR', 'SOUR1', 'SOURCE', 'SOURCE1']
    """
    name, _, suffix = mnemonic.partition("[")
    forms = {_short_form(name), name.upper()}
    return forms | {form + suffix.rstrip("]") for form in forms}


def add_to(root: Node, entry: Entry, function: Callable[..., Any]) -> None:
    """Put a header with all its spellings into the trie.

    Raises:
        ValueError: if another declaration has the same header.
    """
    for way in headers(entry.header):
        node = root
        for mnemonic in way:
            forms = spellings(mnemonic)
            below = next((node.children[form] for form in forms if form in node.children), Node())
            node.children |= dict.fromkeys(forms, below)
            node = below
        if node.actions.setdefault(entry.is_query, (entry, function))[1] is not function:
            raise ValueError(f"{entry.header}{'?' * entry.is_query} is declared twice")


# --- messages ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """One part of a message: ``call(device, t, *arguments)``."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


_UNIT = re.compile(r"\s*(:?)(\*?[a-z]\w*(?::[a-z]\w*)*)(\s*\?|(?=\s|$))\s*(.*)", re.DOTALL | re.IGNORECASE)
_OUTSIDE_QUOTES = re.compile(r"""[^;,"']+|"[^"]*"|'[^']*'|(?P<separator>[;,])""")


def split(text: str, separator: str) -> list[str]:
    """Split outside quotes.

    Raises:
        ScpiError: -102 if a quote is not closed.

    >>> split('SEND "a;b";ENT?', ";")
    ['SEND "a;b"', 'ENT?']
    """
    if "'" not in text and '"' not in text:
        return text.split(separator)
    parts, place = [""], 0
    for piece in _OUTSIDE_QUOTES.finditer(text):
        if piece.start() != place:
            break
        place = piece.end()
        if piece["separator"] == separator:
            parts.append("")
        else:
            parts[-1] += piece[0]
    if place != len(text):
        raise ScpiError(-102)
    return parts


def parse(root: Node, message: str, strict: bool) -> list[Unit]:
    """Return the units of a message; nothing after one that cannot be parsed, as IEEE 488.2 asks.

    Outside ``strict`` three habits of real drivers pass: a colon before a common command (``:*CLS``), a blank
    before ``?``, and after ``;`` a header that starts at the root without its colon.
    """
    units: list[Unit] = []
    path = root
    try:
        for part in split(message, ";"):
            if part.strip():  # drivers end their messages with ';'
                unit, path = _parse_unit(root, path, part, strict)
                units.append(unit)
    except ScpiError as error:
        units.append(Unit(_refuse, (error.code,)))
    return units


def _refuse(_device: object, _t: float, code: int) -> None:
    """Stand for the part of a message that cannot be parsed."""
    raise ScpiError(code)


def _parse_unit(root: Node, path: Node, part: str, strict: bool) -> tuple[Unit, Node]:
    found = _UNIT.fullmatch(part)
    if found is None or (strict and len(found[3]) > 1):
        raise ScpiError(-102)
    colon, header, question, rest = found.groups()
    names = header.upper().split(":")
    is_common = header.startswith("*")
    if is_common:
        node, parent = _walk(root, names)[0], path
        if colon and strict:
            raise ScpiError(-113)
    else:
        node, parent = _walk(root if colon else path, names)
        if node is None and not colon and not strict:
            node, parent = _walk(root, names)
    action = None if node is None else node.actions.get(bool(question))
    if action is None:
        raise ScpiError(-113)
    entry, function = action
    texts = [text.strip() for text in split(rest, ",")] if rest.strip() else []
    try:
        return Unit(function, _arguments(entry, texts)), parent
    except ScpiError as error:
        if error.code > -200:
            raise
        return Unit(_refuse, (error.code,)), parent  # an execution error: the rest of the message is obeyed


def _walk(start: Node, names: Sequence[str]) -> tuple[Node | None, Node]:
    """Return the node at the end of the header and the one above it, from which the next header starts."""
    node: Node | None = start
    parent = start
    for name in names:
        if node is None:
            return None, parent
        parent, node = node, node.children.get(name)
    return node, parent


def _arguments(entry: Entry, texts: Sequence[str]) -> tuple[Any, ...]:
    kinds = entry.kinds
    if len(texts) < len(kinds) - entry.optional:
        raise ScpiError(-109)
    if entry.repeats:
        kinds += (kinds[-1],) * (len(texts) - len(kinds))
    if len(texts) > len(kinds):
        raise ScpiError(-108)
    return tuple(kind(text) for kind, text in zip(kinds, texts, strict=False))
