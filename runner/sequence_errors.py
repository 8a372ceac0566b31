"""What pydantic finds wrong in a sequence file, in the words and at the places of the file."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from onnes.instruments.spelling import nearest
from onnes.runner.problems import Place, PlacedError, Problem, choice
from onnes.runner.yaml_text import Items, Table, Text, place_of


def problems_in(error: ValidationError, tree: Table) -> Iterator[Problem]:
    """Yield every problem of ``error``; ``tree`` is what was validated."""
    for detail in error.errors():
        yield from _problems(detail, tree)


def _walk(tree: Any, loc: tuple[int | str, ...]) -> tuple[Any, Place, int]:
    """Follow ``loc`` into the tree; return the value, the place of its key, and how many parts led there.

    pydantic puts the tags of unions and the names of validators into ``loc``; they match no key and are
    stepped over.
    """
    node, key_place, used = tree, place_of(tree), 0
    for number, part in enumerate(loc, start=1):
        if isinstance(node, Table) and part in node:
            key_place, node, used = node.key_places[str(part)], node[str(part)], number
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node):
            node, used = node[part], number
            key_place = place_of(node, key_place)
    return node, key_place, used


def _problems(detail: ErrorDetails, tree: Table) -> Iterator[Problem]:
    loc, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
    node, key_place, _ = _walk(tree, loc)
    cause = context.get("error")
    if isinstance(cause, PlacedError):
        yield from cause.problems
    elif kind == "extra_forbidden":
        parent, _, _ = _walk(tree, loc[:-1])
        key = str(loc[-1])
        names = sorted(parent.expected) if isinstance(parent, Table) else []
        name = parent.name if isinstance(parent, Table) else "this table"
        if (name, key) in _ELSEWHERE:
            yield Problem(key_place, f"'{key}' in {name} {_ELSEWHERE[name, key]}")
            return
        yield Problem(
            key_place, f"unknown key '{key}' in {name}; expected {choice(names)}{nearest(key, names)}"
        )
    elif kind == "missing":
        parent, parent_key, _ = _walk(tree, loc[:-1])
        name = parent.name if isinstance(parent, Table) else "this table"
        yield Problem(parent_key, f"{name} without '{loc[-1]}'{_EXAMPLES.get(str(loc[-1]), '')}")
    elif kind == "too_short" and node:
        return  # pydantic counts only the items that are right; the wrong ones are reported themselves
    elif kind == "union_tag_not_found" and isinstance(node, Table) and node.complaint:
        yield node.complaint
    else:
        yield Problem(place_of(node, key_place), _words(kind, detail, node))


# Keys that the language has elsewhere, or will have; nobody should take their absence for a typing error.
_ELSEWHERE = {
    ("prepare", "residual"): "belongs to zfc_fc and magnetization; leave it out",
    ("wait", "operator"): "cannot be built yet; leave it out, and start the rest as a second night",
}

_EXAMPLES = {
    "sequence": "; expected the version of the language; e.g. 'sequence: 1'",
    "finish": (
        "; expected where field and temperature go at the end; "
        "e.g. 'finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}'"
    ),
    "steps": "; expected a list of steps; e.g. '- wait: 10 min'",
}


def _words(kind: str, detail: ErrorDetails, node: Any) -> str:
    context = detail.get("ctx", {})
    given = f"'{node}'" if isinstance(node, Text) else ("a list" if isinstance(node, Items) else "a table")
    if given == "''":
        given = "nothing"
    match kind:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            names = [name.strip("'") for name in str(context["expected"]).replace(" or ", ", ").split(", ")]
            near = nearest(node, names) if isinstance(node, Text) else ""
            return f"{given} is not known here; expected {choice(names)}{near}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"{given} is no table of keys; expected e.g. '{{key: value}}'"
        case "list_type" | "tuple_type":
            return f"{given} is no list; expected e.g. '[first, second]'"
        case "too_short":
            return "an empty list; expected at least one item"
        case "string_type":
            return f"{given} is no text"
        case "string_pattern_mismatch":
            return f"{given} is no time of day; expected hours and minutes; e.g. '22:00'"
        case "union_tag_not_found":
            return f"{given} is no step; expected a table with one block; e.g. '- wait: 10 min'"
        case _:
            return f"{given} does not fit here: {detail['msg'].lower()}"
