"""The shipped JSON Schemas against what they describe, with as much of JSON Schema as they use."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from onnes.runner.cli import cli
from onnes.runner.results import NightResult
from onnes.runner.sequence import load_sequence
from onnes.runner.sequence_schema import FILE, sequence_schema
from onnes.runner.yaml_text import Items, Table, Text, read_yaml

ROOT = Path(__file__).parents[2]
OUTPUT = json.loads((ROOT / "runner" / "output.schema.json").read_text(encoding="utf-8"))
SEQUENCES = [*sorted((ROOT / "examples").glob("*.yaml")), ROOT / "runner" / "demo.yaml"]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = {
    *(
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "examples",
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
    ),
    *("properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"),
    *("items", "minItems", "minimum", "pattern"),
}


def _wrong(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield what is wrong with ``value``; a keyword that this does not know fails the test."""
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        yield from _wrong(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "type" in schema:
        is_bool = isinstance(value, bool) and schema["type"] != "boolean"
        if is_bool or not isinstance(value, _TYPES[schema["type"]]):
            yield f"{at}: {value!r} is no {schema['type']}"
            return
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    for word, allowed in (("anyOf", range(1, 99)), ("oneOf", range(1, 2))):
        if word in schema:
            fits = sum(not list(_wrong(value, option, root, at)) for option in schema[word])
            if fits not in allowed:
                yield f"{at}: {value!r} fits {fits} of {word}"
    if isinstance(value, dict):
        yield from _wrong_object(value, schema, root, at)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{at}: too short"
        for index, item in enumerate(value):
            yield from _wrong(item, schema.get("items", {}), root, f"{at}[{index}]")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{at}: {value!r} is below {schema['minimum']}"


def _wrong_object(
    value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str
) -> Iterator[str]:
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        yield f"{at}: {len(value)} keys"
    yield from (f"{at}: without {key}" for key in schema.get("required", []) if key not in value)
    for key, part in value.items():
        yield from _wrong(key, schema.get("propertyNames", {}), root, f"{at}.{key}")
        if key in properties:
            yield from _wrong(part, properties[key], root, f"{at}.{key}")
        elif rest is False:
            yield f"{at}: unknown {key}"
        elif isinstance(rest, dict):
            yield from _wrong(part, rest, root, f"{at}.{key}")


def _output_problems(value: Any, name: str) -> list[str]:
    return list(_wrong(value, {"$ref": f"#/$defs/{name}"}, OUTPUT))


def _plain(value: Any) -> Any:
    """Return what an editor's YAML parser makes of the tree."""
    if isinstance(value, Table):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, Items):
        return [_plain(part) for part in value]
    if isinstance(value, Text) and value.is_plain and re.fullmatch(r"true|false|[0-9]+", value):
        return json.loads(value)
    return str(value)


def test_the_shipped_schema_of_a_sequence_is_that_of_the_models() -> None:
    shipped = (ROOT / "runner" / FILE).read_text(encoding="utf-8")
    assert shipped == sequence_schema(), "run `python -m onnes.runner.sequence_schema`"


@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: path.stem)
def test_every_shipped_night_fits_the_schema_of_a_sequence(path: Path) -> None:
    schema = json.loads(sequence_schema())
    assert list(_wrong(_plain(load_sequence(path).tree), schema, schema)) == []


@pytest.mark.parametrize(
    "text",
    [
        "sequence: 2\nfinish: {}\nsteps: [wait: 1 s]\n",
        "sequence: 1\nfinish: {}\nsteps: [wiat: 1 s]\n",
        "sequence: 1\nfinish: {}\nsteps: [resistivity: {feild: 1 T}]\n",
        "sequence: 1\nsteps: [wait: 1 s]\n",
        "sequence: 1\nfinish: {}\nsteps: [isotherms: {order: up}]\n",
        "sequence: 1\nfinish: {}\nsteps: [{for: {feild: [1 T]}, do: [wait: 1 s]}]\n",
    ],
)
def test_the_schema_of_a_sequence_refuses_what_the_models_refuse(text: str) -> None:
    schema = json.loads(sequence_schema())
    tree, _ = read_yaml(text)
    assert list(_wrong(_plain(tree), schema, schema)) != []


def test_check_prints_what_its_schema_says() -> None:
    good = CliRunner().invoke(cli, ["check", str(ROOT / "examples" / "000-transport.yaml"), "--json"])
    found = json.loads(good.stdout)
    assert _output_problems(found, "check") == []
    assert found["plan"]["points"] == 11128
    bad = CliRunner().invoke(cli, ["check", str(ROOT / "examples" / "none.yaml"), "--json"])
    assert _output_problems(json.loads(bad.stdout), "check") == []


def test_sim_samples_prints_what_its_schema_says() -> None:
    found = json.loads(CliRunner().invoke(cli, ["sim", "samples", "--json"]).stdout)
    assert _output_problems(found, "sim_samples") == []
    assert {"bilayer", "metal"} <= set(found["models"])


def test_a_refused_night_fits_the_schema_of_a_night() -> None:
    found = json.loads(CliRunner().invoke(cli, ["run", "none.yaml", "--json"]).stdout)
    assert _output_problems(found, "night") == []
    assert found["simulated"] is None


def test_a_result_fits_the_schema_of_a_result_with_and_without_a_value() -> None:
    good = NightResult("tc-onset", "Tc", 39.3, 0.1, "K", "tangent", {"rms": 0.1})
    refused = NightResult("000-hc", "Hc", None, None, "Oe", "collapse", flags=("too few isotherms",))
    assert _output_problems(good.as_json(), "result") == []
    assert _output_problems(refused.as_json(), "result") == []
    assert _output_problems({**good.as_json(), "sigma": -1.0}, "result") != []
