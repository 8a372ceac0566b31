"""What the blocks of a sequence are made of: the words people type, and the groups of keys they share."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from onnes.runner import quantity_fields as typed
from onnes.runner.quantity_text import Typed, read_quantity
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


class LockIn(Part):
    """How a lock-in listens; what is missing is the default."""

    called = "lockin"
    frequency: typed.Frequency | None = None
    time_constant: typed.TimeLimit | None = None
    slope: Literal["6 dB", "12 dB", "18 dB", "24 dB"] | None = None
    settle: Literal["99 %", "99.9 %", "99.99 %"] | None = None
    sync: YesOrNo | None = None


def _around(word: str, kind: str) -> Any:
    """Return how the centre of a fine pass is read: ``word`` (None: found by the coarse pass), or a value."""

    def read(value: Any) -> Typed | None:
        if value == word:
            return None
        try:
            return read_quantity(value, kind)
        except ValueError as error:
            raise ValueError(f"{error}, or {word!r}") from None

    return PlainValidator(read)


class FineTemperature(Part):
    """A second, finer pass of R(T): settled by ``step``, or swept at ``rate`` with points ``every``."""

    called = "fine"
    around: Annotated[
        Typed | None, _around("Tc", "temperature"), WithJsonSchema({"type": "string", "examples": ["Tc"]})
    ]
    width: typed.Temperature
    step: typed.Temperature | None = None
    rate: typed.TemperatureRate | None = None
    every: typed.Temperature | None = None

    @model_validator(mode="after")
    def _settled_or_swept(self) -> "FineTemperature":
        _settled_or_swept(self.step, self.rate, self.every, "20 mK", "0.1 K/min")
        return self


class FineField(Part):
    """A second, finer pass of R(H): settled by ``step``, or swept at ``rate`` with points ``every``."""

    called = "fine"
    around: Annotated[
        Typed | None,
        _around("crossing", "field"),
        WithJsonSchema({"type": "string", "examples": ["crossing"]}),
    ]
    width: typed.FieldSize
    step: typed.FieldSize | None = None
    rate: typed.FieldRate | None = None
    every: typed.FieldSize | None = None

    @model_validator(mode="after")
    def _settled_or_swept(self) -> "FineField":
        _settled_or_swept(self.step, self.rate, self.every, "200 Oe", "20 Oe/s")
        return self


def _settled_or_swept(
    step: Typed | None, rate: Typed | None, every: Typed | None, a_step: str, a_rate: str
) -> None:
    if (step is None) == (rate is None and every is None) or (step is None) != (
        rate is not None and every is not None
    ):
        raise ValueError(
            f"fine takes either step or rate with every; e.g. 'step: {a_step}' or "
            f"'rate: {a_rate}, every: {a_step}'"
        )


class Phase(Part):
    """Where the phase of a susceptometer is set: deep in the screening state."""

    called = "phase"
    calibrate_at: typed.Temperature
