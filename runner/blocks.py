"""The blocks of a sequence and the groups of keys they share, as models.

A block's keys are all optional here, because each may come from ``defaults`` or from a ``for`` around the
block; what a block cannot do without is asked for when the plan is made.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from onnes.runner import quantity_fields as typed
from onnes.runner.yaml_text import Items, Table, Text


def _yes_or_no(value: object) -> bool:
    # YAML 1.2: these are the booleans; `yes`, `on` and a quoted "true" are words.
    if isinstance(value, Text) and value.is_plain and value in ("true", "false"):
        return value == "true"
    shown = f"'{value}'" if isinstance(value, str) else "this"
    raise ValueError(f"{shown} is neither true nor false; expected true or false, without quotes")


def _count(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and 0 < int(value) <= 100_000:
        return int(value)
    shown = f"'{value}'" if isinstance(value, str) else "this"
    raise ValueError(f"{shown} is no whole number from 1 to 100000; e.g. 10")


def _words(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return str(value)
    raise ValueError(
        "expected text" if isinstance(value, Table | Items) else "nothing is given; expected text"
    )


YesOrNo = Annotated[bool, PlainValidator(_yes_or_no), WithJsonSchema({"type": "boolean"})]
Count = Annotated[int, PlainValidator(_count), WithJsonSchema({"type": "integer", "minimum": 1})]
Words = Annotated[str, PlainValidator(_words), WithJsonSchema({"type": "string"})]


class Part(BaseModel):
    """A table of a sequence file: unknown keys are refused, and the message knows the table's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    called: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _say_what_is_expected(cls, data: Any) -> Any:
        if isinstance(data, Table):
            data.name = cls.called
            data.expected = keys_of(cls)
        return data


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys of a table as they are typed."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


class Settle(Part):
    """When a temperature counts as settled; what is missing is the procedure's default."""

    called = "settle"
    within: typed.Temperature | None = None
    slope: typed.TemperatureRate | None = None
    for_: typed.Time | None = Field(default=None, alias="for")
    then_wait: typed.Time | None = None
    timeout: typed.Time | None = None


class Magnet(Part):
    """How the field is changed; what is missing is the procedure's default."""

    called = "magnet"
    rate: typed.FieldRate | None = None
    approach: Literal["linear", "no_overshoot", "oscillate"] | None = None
    mode: Literal["persistent", "driven"] | None = None
    then_wait: typed.Time | None = None


class Residual(Part):
    """How the field that the magnet keeps at zero current is known, and what of it is too much.

    ``accept`` is a fraction of the measuring field; with ``correct`` the setpoints are moved by the residual
    field, so that only its uncertainty counts.
    """

    called = "residual"
    from_: Literal["calibration", "pd", "estimate"] | None = Field(default=None, alias="from")
    accept: typed.Fraction | None = None
    correct: YesOrNo | None = None


class Prepare(Part):
    """How a sample is brought to a known magnetic state; what is missing is the default."""

    called = "prepare"
    warm_to: typed.Temperature | None = None
    degauss_from: typed.FieldSize | None = None
    approach: Literal["linear", "no_overshoot", "oscillate"] | None = None
    relax: typed.Time | None = None
    cool_rate: typed.TemperatureRate | None = None
    soak: typed.Time | None = None


class MomentPrepare(Prepare):
    """How it is brought there where a small field is measured in: the residual field counts too."""

    residual: Residual = Residual()


class Scan(Part):
    """How one moment is measured; what is missing is the default."""

    called = "scan"
    mode: Literal["dc", "rso", "vsm"] | None = None
    length: typed.Length | None = None
    scans: Count | None = None
    frequency: typed.Frequency | None = None
    cycles: Count | None = None


class Block(Part):
    """What every measurement block takes."""

    magnet: Magnet = Magnet()
    prepare: Prepare = Prepare()


class ElectricalBlock(Block):
    """What the blocks take that measure with leads on the sample."""

    wiring: Words | None = None
    current: typed.Current | None = None
    both_directions: YesOrNo | None = None
    average: Count | None = None
    settle: Settle = Settle()
    history: Literal["auto", "free", "path"] | None = None


class Resistivity(ElectricalBlock):
    """R(T), settled at each value or measured in a sweep, at one field or several."""

    called = "resistivity"
    temperature: typed.TemperatureProgram | None = None
    field: typed.Fields | None = None


class Reference(Part):
    """One point that is measured again before, between and after the isotherms."""

    called = "reference"
    temperature: typed.Temperature
    field: typed.Field


class Isotherms(ElectricalBlock):
    """R(H) at one temperature or several, range and current frozen for the set."""

    called = "isotherms"
    temperature: typed.Temperatures | None = None
    field: typed.FieldProgram | None = None
    order: Literal["interleaved", "as_written"] | None = None
    reference: Reference | None = None
    symmetrise: Annotated[
        Literal["auto", "true", "false"] | None,
        WithJsonSchema({"enum": ["auto", True, False]}),
    ] = None


class MomentBlock(Block):
    """What the blocks take that measure a moment: the history is always path."""

    prepare: MomentPrepare = MomentPrepare()
    scan: Scan = Scan()


class ZfcFc(MomentBlock):
    """M(T), warmed after cooling without field, and cooled and warmed in the field; one run a field."""

    called = "zfc_fc"
    temperature: typed.TemperatureProgram | None = None
    field: typed.Fields | None = None
    curves: Annotated[tuple[Literal["zfc", "fcc", "fcw"], ...], Field(min_length=1)] | None = None


class Magnetization(MomentBlock):
    """M(H) at one temperature or several: the virgin curve from 0 up, or a loop over its mirrored half."""

    called = "magnetization"
    curve: Literal["virgin", "loop"] | None = None
    temperature: typed.Temperatures | None = None
    field: typed.FieldProgram | None = None
    quadrants: Count | None = None
    wait: typed.Time | None = None


BLOCKS: dict[str, type[Block]] = {
    "resistivity": Resistivity,
    "isotherms": Isotherms,
    "zfc_fc": ZfcFc,
    "magnetization": Magnetization,
}


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
