"""SCPI command tables: what a device declares, the trie it is compiled to, and the parser.

A device names each header once, as its manual prints it (``"[SOURce[1]]:CURRent[:LEVel]"``); short and long
forms, optional nodes, the path rule after ``;``, argument types and ranges follow from that.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from onnes.sim.scpi_headers import headers, spellings
from onnes.sim.scpi_kinds import Kind, ScpiError

V = TypeVar("V")


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


# --- the trie ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """One mnemonic on the way down a header."""

    children: dict[str, "Node"] = field(default_factory=dict)
    actions: dict[bool, tuple[Entry, Callable[..., Any]]] = field(default_factory=dict)  # by is_query


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
