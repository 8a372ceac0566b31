from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from onnes.instruments.quantities import (
    KINDS,
    Field,
    Temperature,
    base_unit,
    expected,
    quantity,
    quantity_range,
    units_of,
)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5 Oe", "field", "5"),
        ("5 G", "field", "5"),
        ("0.3 T", "field", "3000"),
        ("-0.5 T", "field", "-5000"),
        ("1 uT", "field", "0.01"),
        ("3.2 kOe", "field", "3200"),
        ("10 K", "temperature", "10"),
        ("50 mK", "temperature", "0.05"),
        ("1 K/s", "temperature_rate", "60"),
        ("0.9 T/min", "field_rate", "150"),
        ("6 mT/min", "field_rate", "1"),
        ("100 uA", "current", "0.0001"),
        ("1e-3 A", "current", "0.001"),
        ("140 nW", "power", "1.4e-7"),
        ("1 mohm", "resistance", "0.001"),
        ("2.0 mm", "length", "0.2"),
        ("215 nm", "length", "0.0000215"),
        ("1 h", "time", "3600"),
        ("0.5 %", "fraction", "0.005"),
        ("17.77 Hz", "frequency", "17.77"),
        ("10K", "temperature", "10"),
    ],
)
def test_a_quantity_is_converted_exactly(text: str, kind: str, value: str) -> None:
    assert quantity(text, kind) == Decimal(value)


def test_five_oersted_stay_the_digits_that_were_typed() -> None:
    assert str(quantity("5 Oe", "field")) == "5"
    assert str(quantity("0.3 T", "field")) == "3000"


@pytest.mark.parametrize("text", ["5 \N{MICRO SIGN}A", "5 \N{GREEK SMALL LETTER MU}A", "5 uA"])
def test_the_micro_sign_is_read_as_u(text: str) -> None:
    assert quantity(text, "current") == Decimal("5e-6")


@pytest.mark.parametrize("text", ["3 k\N{OHM SIGN}", "3 k\N{GREEK CAPITAL LETTER OMEGA}", "3 kohm"])
def test_the_omega_is_read_as_ohm(text: str) -> None:
    assert quantity(text, "resistance") == Decimal(3000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_of_every_kind_is_known_and_the_base_unit_is_one(kind: str) -> None:
    values = [quantity(f"1 {unit}", kind) for unit in units_of(kind)]
    assert all(value > 0 for value in values)
    assert base_unit(kind) not in units_of(kind) or quantity(f"7 {base_unit(kind)}", kind) == 7
    assert quantity(KINDS[kind].example, kind) > 0


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("10", "temperature_rate", "'10' has no unit; expected a temperature rate; e.g. '10 K/min'"),
        ("5 K", "field", "'5 K' is a temperature; expected a field in Oe, kOe, T, mT, uT or G; e.g. '5 Oe'"),
        ("5 Oe", "temperature", "'5 Oe' is a field; expected a temperature in K or mK; e.g. '10 K'"),
        ("nan K", "temperature", "'nan K' is not a finite number; expected a temperature in K or mK"),
        ("-inf K", "temperature", "'-inf K' is not a finite number"),
        (".nan", "temperature", "'.nan' is not a number with a unit"),
        ("1e999 K", "temperature", "'1e999 K' is too large for a number"),
        (
            "3 V/√Hz",
            "voltage",
            "'3 V/√Hz' has the unknown unit 'V/√Hz'; expected a voltage in V, mV, uV or nV",
        ),
        ("5 mk", "temperature", "has the unknown unit 'mk'.*; did you mean 'mK'?"),
        ("1,5 K", "temperature", "unknown unit ',5 K'"),
        ("5 K K", "temperature", "unknown unit 'K K'"),
        ("5 K now", "temperature", "unknown unit 'K now'"),
        ("2 .. 5 K", "temperature", "unknown unit"),
        ("--5 K", "temperature", "is not a number with a unit"),
        ("", "temperature", "'' is not a number with a unit"),
        ("20 degC", "temperature", "unknown unit 'degC'"),
        ("1 parsec", "length", "unknown unit 'parsec'"),
    ],
)
def test_what_is_not_a_quantity_of_the_kind_is_refused(text: str, kind: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("?", r"\?")):
        quantity(text, kind)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("2..300 K", (2, 300)),
        ("300 K .. 2 K", (300, 2)),
        ("50 mK..2 K", (Decimal("0.05"), 2)),
        ("1.9..2.5 K", (Decimal("1.9"), Decimal("2.5"))),
    ],
)
def test_a_range_takes_the_unit_of_its_end(text: str, ends: tuple[Any, Any]) -> None:
    assert quantity_range(text, "temperature") == ends


@pytest.mark.parametrize("text", ["2...3 K", "..3 K", "3 K..", "1..2..3 K", "5 K"])
def test_what_is_not_a_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a range; expected two ends with '\.\.' between"):
        quantity_range(text, "temperature")


def test_a_range_without_a_unit_at_its_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'3' has no unit; expected a temperature; e.g. '3 K'"):
        quantity_range("2 K..3", "temperature")


class _Bath(BaseModel, extra="forbid"):
    temperature: Temperature
    field: Field


def test_a_model_reads_quantities_from_text() -> None:
    bath = _Bath.model_validate({"temperature": "4.2 K", "field": "1 T"})
    assert (bath.temperature, bath.field) == (Decimal("4.2"), Decimal(10000))


@pytest.mark.parametrize("value", [10, 10.0, True, None, [1], float("nan")])
def test_a_model_refuses_what_has_no_unit(value: object) -> None:
    with pytest.raises(ValidationError, match=r"expected a temperature"):
        _Bath.model_validate({"temperature": value, "field": "1 T"})


def test_the_json_schema_of_a_quantity_is_text_with_its_units() -> None:
    schema = _Bath.model_json_schema()["properties"]["field"]
    assert schema["type"] == "string"
    assert schema["description"] == expected("field")
