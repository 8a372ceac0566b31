"""The blocks of a sequence that go to a temperature or a field, and that wait."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import core_schema

from onnes.runner import quantity_fields as typed
from onnes.runner.block_parts import Part, Settle, YesOrNo
from onnes.runner.yaml_text import Table, Text


@dataclass(frozen=True, slots=True)
class _OrTable:
    """Annotates a block whose body may be a bare quantity, read as the table with that one ``key``."""

    key: str

    def read(self, value: Any) -> Any:
        if not isinstance(value, Text):
            return value
        table = Table(value.place)
        table[self.key] = value
        table.key_places[self.key] = value.place
        return table

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


class SetTemperature(Part):
    """Go to a temperature."""

    called = "set_temperature"
    to: typed.Temperature
    rate: typed.TemperatureRate | None = None
    approach: Literal["fast_settle", "no_overshoot"] = "fast_settle"
    settle: Settle = Settle()
    wait: YesOrNo = True


class SetField(Part):
    """Go to a field."""

    called = "set_field"
    to: typed.Field
    rate: typed.FieldRate | None = None
    approach: Literal["linear", "no_overshoot", "oscillate"] | None = None
    mode: Literal["persistent", "driven"] | None = None
    wait: YesOrNo = True


TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Wait(Part):
    """Let time pass: so long, until a time of day, or until temperature or field are stable."""

    called = "wait"
    for_: typed.Time | None = Field(default=None, alias="for")
    until: TimeOfDay | None = None
    stable: Annotated[tuple[Literal["temperature", "field"], ...], Field(min_length=1)] | None = None
    timeout: typed.Time | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Wait":
        given = [key for key in ("for_", "until", "stable") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("wait takes exactly one of for, until and stable; e.g. '10 min'")
        if self.timeout is not None and self.stable is None:
            raise ValueError("timeout belongs to stable; e.g. '{stable: [temperature], timeout: 1 h}'")
        return self


SetTemperatureOrValue = Annotated[SetTemperature, _OrTable("to")]
SetFieldOrValue = Annotated[SetField, _OrTable("to")]
WaitOrTime = Annotated[Wait, _OrTable("for")]
