"""Quantities, grids and sweeps as fields of a model: text in the file, numbers with places in the model."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from onnes.instruments.quantities import KINDS, expected, quantity_range, unit_in
from onnes.runner.alternating_text import read_peaks, read_rms
from onnes.runner.quantity_text import (
    SWEEP_KEYS,
    Sweep,
    Typed,
    read_positive_values,
    read_quantity,
    read_sweep,
    read_values,
    shape,
)
from onnes.runner.yaml_text import Table, place_of


@dataclass(frozen=True, slots=True)
class _Reads:
    """Annotates a model field: how its text is read, and the JSON Schema that says so."""

    kind: str

    def read(self, value: Any) -> Any:
        return read_quantity(value, self.kind)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "description": expected(self.kind), "examples": [KINDS[self.kind].example]}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        del schema, handler
        return self.schema()


class _ReadsPositive(_Reads):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        typed = read_quantity(value, self.kind)
        if typed.number <= 0:
            raise ValueError(f"'{typed.text}' is not above 0; expected {expected(self.kind)}")
        return typed


class _ReadsNotNegative(_Reads):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        typed = read_quantity(value, self.kind)
        if typed.number < 0:
            raise ValueError(f"'{typed.text}' is below 0; expected {expected(self.kind)}")
        return typed


class _ReadsRange(_Reads):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"a {shape(value)} is no range; expected e.g. '2 .. {KINDS[self.kind].example}'")
        low, high = quantity_range(value, self.kind)
        if low > high:
            raise ValueError(f"'{value}' goes down; expected the lower end first")
        unit, place = unit_in(value), place_of(value)
        return Typed(low, str(value), unit, place), Typed(high, str(value), unit, place)

    def schema(self) -> dict[str, Any]:
        known = KINDS[self.kind]
        return {
            "type": "string",
            "description": f"{known.name} range 'A .. B', lower end first",
            "examples": [f"2 .. {known.example}"],
        }


class _ReadsValues(_Reads):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        return read_values(value, self.kind)

    def schema(self) -> dict[str, Any]:
        text = _Reads.schema(self)
        grids = f"{KINDS[self.kind].name} with its unit, 'A .. B step C', or 'A .. B points N spaced log'"
        item = {"type": "string", "description": grids, "examples": text["examples"]}
        nested = {"type": "array", "minItems": 1, "items": {"anyOf": [item, {"type": "array"}]}}
        return {"anyOf": [item, nested]}


class _ReadsPositiveValues(_ReadsValues):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        return read_positive_values(value, self.kind)


class _ReadsNotNegativeValues(_ReadsValues):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        found = read_values(value, self.kind)
        for typed in found:
            if typed.number < 0:
                raise ValueError(f"'{typed.text}' goes below 0; expected {expected(self.kind)}")
        return found


class _ReadsPeaks(_ReadsValues):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        return read_peaks(value, self.kind)


class _ReadsRms(_Reads):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        return read_rms(value, self.kind)

    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "description": "a voltage with the word rms or peak",
            "examples": ["0.2 mV rms"],
        }


class _ReadsProgram(_ReadsValues):
    __slots__ = ()

    def read(self, value: Any) -> Any:
        return read_sweep(value, self.kind) if isinstance(value, Table) else read_values(value, self.kind)

    def schema(self) -> dict[str, Any]:
        text = {"type": "string"}
        sweep = {
            "type": "object",
            "properties": dict.fromkeys(SWEEP_KEYS, text),
            "required": list(SWEEP_KEYS),
            "additionalProperties": False,
            "description": f"measured while ramping; rate is {expected(self.kind + '_rate')}",
        }
        return {"anyOf": [*_ReadsValues.schema(self)["anyOf"], sweep]}


Temperature = Annotated[Typed, _ReadsPositive("temperature")]
TemperatureRate = Annotated[Typed, _ReadsPositive("temperature_rate")]
Field = Annotated[Typed, _Reads("field")]
FieldSize = Annotated[Typed, _ReadsPositive("field")]
FieldRate = Annotated[Typed, _ReadsPositive("field_rate")]
Current = Annotated[Typed, _ReadsPositive("current")]
Voltage = Annotated[Typed, _ReadsPositive("voltage")]
Power = Annotated[Typed, _ReadsPositive("power")]
Resistance = Annotated[Typed, _ReadsPositive("resistance")]
ElectricField = Annotated[Typed, _ReadsPositive("electric_field")]
RmsVoltage = Annotated[Typed, _ReadsRms("voltage")]
Length = Annotated[Typed, _ReadsPositive("length")]
Frequency = Annotated[Typed, _ReadsPositive("frequency")]
Fraction = Annotated[Typed, _ReadsPositive("fraction")]
Time = Annotated[Typed, _ReadsNotNegative("time")]
TimeLimit = Annotated[Typed, _ReadsPositive("time")]
TemperatureRange = Annotated[tuple[Typed, Typed], _ReadsRange("temperature")]
FieldRange = Annotated[tuple[Typed, Typed], _ReadsRange("field")]
Temperatures = Annotated[tuple[Typed, ...], _ReadsValues("temperature")]
Fields = Annotated[tuple[Typed, ...], _ReadsValues("field")]
FieldPeaks = Annotated[tuple[Typed, ...], _ReadsPeaks("field")]
Frequencies = Annotated[tuple[Typed, ...], _ReadsPositiveValues("frequency")]
Voltages = Annotated[tuple[Typed, ...], _ReadsValues("voltage")]
Currents = Annotated[tuple[Typed, ...], _ReadsNotNegativeValues("current")]
TemperatureProgram = Annotated[tuple[Typed, ...] | Sweep, _ReadsProgram("temperature")]
FieldProgram = Annotated[tuple[Typed, ...] | Sweep, _ReadsProgram("field")]
