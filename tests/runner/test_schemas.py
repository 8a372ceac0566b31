"""The shipped JSON Schemas against what they describe."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from onnes.runner.cli import cli
from onnes.runner.results import NightResult
from onnes.runner.sequence import load_sequence
from onnes.runner.sequence_schema import FILE, sequence_schema
from onnes.runner.yaml_text import Items, Table, Text, read_yaml

ROOT = Path(__file__).parents[2]
OUTPUT = json.loads((ROOT / "runner" / "output.schema.json").read_text(encoding="utf-8"))
SEQUENCES = [*sorted((ROOT / "examples").glob("*.yaml")), ROOT / "runner" / "demo.yaml"]


def _problems(value: Any, schema: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def output_problems(value: Any, name: str) -> list[str]:
    return _problems(value, {"$defs": OUTPUT["$defs"], "$ref": f"#/$defs/{name}"})


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
    assert _problems(_plain(load_sequence(path).tree), schema) == []


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
    assert _problems(_plain(tree), schema) != []


def test_check_prints_what_its_schema_says() -> None:
    good = CliRunner().invoke(cli, ["check", str(ROOT / "examples" / "000-transport.yaml"), "--json"])
    found = json.loads(good.stdout)
    assert output_problems(found, "check") == []
    assert found["plan"]["points"] == 11303
    bad = CliRunner().invoke(cli, ["check", str(ROOT / "examples" / "none.yaml"), "--json"])
    assert output_problems(json.loads(bad.stdout), "check") == []


def test_sim_samples_prints_what_its_schema_says() -> None:
    found = json.loads(CliRunner().invoke(cli, ["sim", "samples", "--json"]).stdout)
    assert output_problems(found, "sim_samples") == []
    assert {"bilayer", "metal"} <= set(found["models"])


def test_a_refused_night_fits_the_schema_of_a_night() -> None:
    found = json.loads(CliRunner().invoke(cli, ["run", "none.yaml", "--json"]).stdout)
    assert output_problems(found, "night") == []
    assert found["simulated"] is None


def test_a_result_fits_the_schema_of_a_result_with_and_without_a_value() -> None:
    good = NightResult("tc-onset", "Tc", 39.3, 0.1, "K", "tangent", {"rms": 0.1})
    refused = NightResult("000-hc", "Hc", None, None, "Oe", "collapse", flags=("too few isotherms",))
    assert output_problems(good.as_json(), "result") == []
    assert output_problems(refused.as_json(), "result") == []
    assert output_problems({**good.as_json(), "sigma": -1.0}, "result") != []


def test_the_table_of_samples_shows_a_pair_as_it_is_typed() -> None:
    shown = CliRunner().invoke(cli, ["sim", "samples"]).stdout
    row = next(line for line in shown.splitlines() if "delta_mev" in line)
    assert "[2.3, 7]" in row
