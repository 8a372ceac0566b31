"""The JSON Schema of a sequence file, made from the models.

The shipped ``sequence.schema.json`` serves editors and the window's forms; it is written anew by
``python -m onnes.runner.sequence_schema``.
"""

import json
from pathlib import Path
from typing import Any

from onnes.runner.sequence import SequenceFile

FILE = "sequence.schema.json"


def sequence_schema() -> str:
    """Return the schema as JSON text."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_as_typed(SequenceFile.model_json_schema()),
        "title": "Onnes sequence, version 1",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _as_typed(schema: Any) -> Any:
    """Return the schema without what the models add: defaults, generated titles, and null for "not given"."""
    if isinstance(schema, list):
        return [_as_typed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: _as_typed(part) for name, part in value.items()}
        if key in ("properties", "$defs")
        else _as_typed(value)
        for key, value in schema.items()
        if key not in ("default", "title")
    }
    if "anyOf" in found:
        given = [option for option in found["anyOf"] if option != {"type": "null"}]
        found = found | {"anyOf": given} if len(given) > 1 else _without(found, "anyOf") | given[0]
    return found


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


if __name__ == "__main__":
    (Path(__file__).parent / FILE).write_text(sequence_schema(), encoding="utf-8", newline="\n")
