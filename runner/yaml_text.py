"""YAML as a sequence file may use it: text, lists and tables, each with its place.

ruamel.yaml reads YAML 1.2, so ``off`` and ``no`` are words. Every scalar stays the text that was typed:
``10`` becomes a number only where a model asks for one, and ``0.1`` never passes through a float. What makes
a file say more than one sees (anchors, merge keys, tags, several documents, a key given twice) is refused.
"""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from onnes.runner.problems import Place, Problem

# A night is some ten levels deep; a file of brackets alone must not exhaust the stack.
_DEEPEST = 40
_START = Place(1, 1)


class Text(str):
    """A scalar as typed; ``is_plain`` says that it stood without quotes."""

    __slots__ = ("is_plain", "place")
    place: Place
    is_plain: bool

    @classmethod
    def at(cls, value: str, place: Place, *, is_plain: bool = True) -> "Text":
        """Return ``value`` with its place."""
        text = cls(value)
        text.place, text.is_plain = place, is_plain
        return text


class Items(list[Any]):
    """A list with its place."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class Table(dict[str, Any]):
    """A mapping with its place and that of each key.

    ``name``, ``expected`` and ``complaint`` are filled by the model that reads it, for the message about a
    key that does not belong here.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.key_places: dict[str, Place] = {}
        self.name = "this table"
        self.expected: tuple[str, ...] = ()
        self.complaint: Problem | None = None


def place_of(value: object, default: Place = _START) -> Place:
    """Return where ``value`` was typed, ``default`` for what was not typed."""
    return value.place if isinstance(value, Text | Items | Table) else default


def read_yaml(text: str) -> tuple[Any, list[Problem]]:
    """Return the tree of the one document in ``text``, and what the dialect refuses in it.

    The tree is None where the text is no YAML at all.
    """
    reader = _Reader()
    try:
        return reader.document(text), reader.problems
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else _START
        where = f" {error.context}" if error.context else ""
        problem = f"this is not YAML: {error.problem}{where}"
    except YAMLError as error:  # an unprintable character; it has an offset, not a mark
        before = text[: getattr(error, "position", 0)]
        place = Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        problem = f"this is not YAML: {str(error).splitlines()[0]}"
    return None, [*reader.problems, Problem(place, problem)]


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def document(self, text: str) -> Any:
        tree: Any = None
        events = iter(YAML(typ="rt").parse(text))
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if tree is not None:
                    self._refuse(_place(event), "a second document; expected one document in a file")
                    break
            elif isinstance(event, NodeEvent):
                tree = self._node(event, events, 0)
        return Table(_START) if tree is None else tree

    def _refuse(self, place: Place, text: str) -> None:
        self.problems.append(Problem(place, text))

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Any:
        place = _place(event)
        if isinstance(event, AliasEvent):
            self._refuse(place, f"alias '*{event.anchor}'; write the value out where it is used")
            return Text.at("", place)
        if event.anchor is not None:
            self._refuse(place, f"anchor '&{event.anchor}'; write the value out where it is used")
        if event.tag is not None:
            self._refuse(place, f"tag '{event.tag}'; expected plain text, lists and tables without tags")
        if depth > _DEEPEST:
            raise MarkedYAMLError(problem=f"more than {_DEEPEST} levels", problem_mark=event.start_mark)
        if isinstance(event, MappingStartEvent):
            return self._table(place, events, depth)
        if isinstance(event, SequenceStartEvent):
            items = Items(place)
            while not isinstance(event := next(events), SequenceEndEvent):
                items.append(self._node(event, events, depth + 1))
            return items
        return Text.at(event.value, place, is_plain=event.style is None)

    def _table(self, place: Place, events: Iterator[Any], depth: int) -> Table:
        table = Table(place)
        while not isinstance(event := next(events), MappingEndEvent):
            key_place = _place(event)
            key = self._node(event, events, depth + 1)
            value_event = next(events)
            value = self._node(value_event, events, depth + 1)
            if isinstance(value, Text) and value == "" and value.is_plain:
                value.place = key_place  # nothing was typed, so the key is the place to look at
            if not isinstance(event, ScalarEvent):
                self._refuse(key_place, "a key that is no word; expected a name before the colon")
            elif key == "<<":
                self._refuse(key_place, "merge key '<<'; write the keys out where they are used")
            elif key in table:
                first = table.key_places[key].line
                self._refuse(key_place, f"key '{key}' again; it is given in line {first} already")
            else:
                table[str(key)] = value
                table.key_places[str(key)] = key_place
        return table
