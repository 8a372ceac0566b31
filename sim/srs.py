"""The dialect of Stanford Research's lock-ins: what a device declares, and the parser.

A command is a mnemonic, ``?`` for a query, and arguments between commas; blanks and the case of letters do
not count.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

_UNIT: Final = re.compile(r"\s*(\*?[A-Z]+)\s*(\?)?(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?")


class CommandError(Exception):
    """A message that is not of this language: no such command, or the wrong arguments."""


class ExecutionError(Exception):
    """A command whose value is not allowed, or not now."""


# --- arguments --------------------------------------------------------------------------------------------


class Kind(Protocol):
    """How one argument is read and written."""

    def parse(self, text: str) -> Any:
        """Return the value of ``text``.

        Raises:
            CommandError: if it says none.
            ExecutionError: if it is not allowed.
        """

    def format(self, value: Any) -> str:
        """Return the reply."""


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise CommandError
    return float(text)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``low`` to ``high``; it may be written with a fraction of zeros."""

    low: int
    high: int

    def parse(self, text: str) -> int:
        """Return the number of ``text``."""
        value = _number(text)
        if value != int(value) or not self.low <= value <= self.high:
            raise ExecutionError
        return int(value)

    def format(self, value: int) -> str:
        """Return the reply."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Real:
    """A number from ``low`` to ``high``, rounded to ``digits`` behind the point or to 6 significant ones."""

    low: float
    high: float
    digits: int | None = None

    def parse(self, text: str) -> float:
        """Return the number of ``text``."""
        value = _number(text)
        if not self.low <= value <= self.high:
            raise ExecutionError
        return float(f"{value:.5e}") if self.digits is None else round(value, self.digits)

    def format(self, value: float) -> str:
        """Return the reply."""
        return f"{value:.6g}" if self.digits is None else f"{value:.{self.digits}f}"


class Words:
    """One of some words, or its place among them; replies are places."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def parse(self, text: str) -> int:
        """Return the place of ``text``; a word may be cut to the letters that are in capitals."""
        for place, word in enumerate(self.words):
            short = "".join(letter for letter in word if not letter.islower())
            if text in {short, word.upper()}:
                return place
        return Whole(0, len(self.words) - 1).parse(text)

    def format(self, value: int) -> str:
        """Return the reply."""
        return str(value)


# --- what a device declares -------------------------------------------------------------------------------


class Setting:
    """A value with its command and its query; the device's attribute is the value, of ``index`` a tuple.

    Args:
        name: the mnemonic.
        kind: how the value is read and written.
        default: after ``*RST``; with ``index`` of all alike, or a tuple.
        index: the first and the last number of several alike, as of four outputs.
        keeps: ``*RST`` leaves it as it is.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: Any,
        *,
        index: tuple[int, int] | None = None,
        keeps: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.index = index
        alike = 0 if index is None or isinstance(default, tuple) else index[1] - index[0] + 1
        self.default = (default,) * alike if alike else default
        self.keeps = keeps
        self.attribute = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name

    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return the declaration itself; an instance has the value in its own dictionary."""
        return self if instance is None else self.default


F = TypeVar("F", bound=Callable[..., Any])
Entries = Mapping[tuple[str, bool], "Entry"]  # by mnemonic, and whether it is a query


@dataclass(frozen=True, slots=True)
class Entry:
    """What one header takes, of which the last ``optional`` may be missing, and who obeys."""

    kinds: tuple[Kind, ...]
    optional: int
    call: Callable[..., Any]


def command(name: str, *kinds: Kind, optional: int = 0) -> Callable[[F], F]:
    """Declare ``method(device, t, *arguments)`` as a command; the last ``optional`` may be missing."""
    return _declare((name, False), kinds, optional)


def query(name: str, *kinds: Kind, optional: int = 0) -> Callable[[F], F]:
    """Declare ``method(device, t, *arguments)`` as a query; it returns the reply."""
    return _declare((name, True), kinds, optional)


def _declare(header: tuple[str, bool], kinds: tuple[Kind, ...], optional: int) -> Callable[[F], F]:
    def mark(function: F) -> F:
        vars(function).setdefault("srs_entries", {})[header] = Entry(kinds, optional, function)
        return function

    return mark


def parse(entries: Entries, unit: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return who obeys one command, and its arguments.

    Raises:
        CommandError: if nobody does, or the arguments are not such as it takes.
        ExecutionError: if an argument is not allowed.
    """
    found = _UNIT.fullmatch(unit.upper())
    if found is None:
        raise CommandError
    name, question, rest = found[1], found[2], "".join(found[3].split())
    entry = entries.get((name, bool(question)))
    if entry is None:
        raise CommandError
    texts = rest.split(",") if rest else []
    if not len(entry.kinds) - entry.optional <= len(texts) <= len(entry.kinds):
        raise CommandError
    return entry.call, tuple(kind.parse(text) for kind, text in zip(entry.kinds, texts, strict=False))
