"""The sequence file: what is measured in a night, read with all its errors at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, ValidationError, WithJsonSchema

from onnes.instruments.errors import SequenceError
from onnes.instruments.spelling import nearest
from onnes.runner import quantity_fields as typed
from onnes.runner.alternating_text import read_peaks
from onnes.runner.block_parts import (
    Count,
    LockIn,
    Magnet,
    MomentPrepare,
    Part,
    Scan,
    Settle,
    Words,
    YesOrNo,
    keys_of,
)
from onnes.runner.blocks import (
    BLOCKS,
    AcSusceptibility,
    ContactCheck,
    CurrentVoltage,
    Isotherms,
    Magnetization,
    PointContact,
    Resistivity,
    ZfcFc,
)
from onnes.runner.control_blocks import SetFieldOrValue, SetTemperatureOrValue, TimeOfDay, WaitOrTime
from onnes.runner.on_error import OnErrorTyped
from onnes.runner.problems import Place, PlacedError, Problem, choice, report
from onnes.runner.quantity_text import Typed, read_positive_values, read_quantity, read_values
from onnes.runner.sequence_errors import problems_in
from onnes.runner.yaml_text import Items, Table, Text, place_of, read_yaml


class Limits(Part):
    """What this night allows itself; it may only be narrower than station and sample."""

    called = "limits"
    temperature: typed.TemperatureRange | None = None
    temperature_rate: typed.TemperatureRate | None = None
    field: typed.FieldRange | None = None
    field_rate: typed.FieldRate | None = None
    current: typed.Current | None = None
    voltage: typed.Voltage | None = None
    power: typed.Power | None = None


class Defaults(Part):
    """Keys for every block of a name, or for every block that takes a group."""

    called = "defaults"
    resistivity: Resistivity = Resistivity()
    isotherms: Isotherms = Isotherms()
    zfc_fc: ZfcFc = ZfcFc()
    magnetization: Magnetization = Magnetization()
    ac_susceptibility: AcSusceptibility = AcSusceptibility()
    point_contact: PointContact = PointContact()
    current_voltage: CurrentVoltage = CurrentVoltage()
    contact_check: ContactCheck = ContactCheck()
    settle: Settle = Settle()
    magnet: Magnet = Magnet()
    prepare: MomentPrepare = MomentPrepare()
    scan: Scan = Scan()
    lockin: LockIn = LockIn()


def _or_hold(kind: str) -> Any:
    def read(value: Any) -> Typed | None:
        return None if value == "hold" else read_quantity(value, kind)

    return PlainValidator(read)


class Finish(Part):
    """Where temperature and field go after the last step and on a safe stop."""

    called = "finish"
    field: Annotated[
        Typed | None,
        _or_hold("field"),
        WithJsonSchema({"type": "string", "examples": ["0 Oe", "hold"]}),
    ] = None
    approach: Literal["linear", "no_overshoot", "oscillate"] = "linear"
    temperature: Annotated[
        Typed | None,
        _or_hold("temperature"),
        WithJsonSchema({"type": "string", "examples": ["10 K", "hold"]}),
    ] = None
    rate: typed.TemperatureRate | None = None
    chamber: Literal["hold"] = "hold"  # sealing comes with what can seal a chamber


def _auto(value: Any) -> Literal["auto"]:
    if value == "auto":
        return "auto"
    shown = f"'{value}'" if isinstance(value, str) else "this"
    raise ValueError(f"{shown} is neither auto nor declined with a reason; e.g. '{{declined: wired today}}'")


class Declined(Part):
    """Why the contacts are not checked."""

    called = "contact_check"
    declined: Words


class Step(Part):
    """What may stand beside the block of a step."""

    called = "a step"
    name: Words = ""
    note: Words = ""
    enabled: YesOrNo = True
    on_error: OnErrorTyped | None = None
    time_limit: typed.TimeLimit | None = None


class ResistivityStep(Step):
    """Measure R(T)."""

    resistivity: Resistivity


class IsothermsStep(Step):
    """Measure R(H)."""

    isotherms: Isotherms


class ZfcFcStep(Step):
    """Measure M(T)."""

    zfc_fc: ZfcFc


class MagnetizationStep(Step):
    """Measure M(H)."""

    magnetization: Magnetization


class AcSusceptibilityStep(Step):
    """Measure the alternating moment."""

    ac_susceptibility: AcSusceptibility


class PointContactStep(Step):
    """Measure dI/dV."""

    point_contact: PointContact


class CurrentVoltageStep(Step):
    """Measure V(I)."""

    current_voltage: CurrentVoltage


class ContactCheckStep(Step):
    """Look at the contacts."""

    contact_check: ContactCheck


class SetTemperatureStep(Step):
    """Go to a temperature."""

    set_temperature: SetTemperatureOrValue


class SetFieldStep(Step):
    """Go to a field."""

    set_field: SetFieldOrValue


class WaitStep(Step):
    """Let time pass."""

    wait: WaitOrTime


# The kinds of the keys that a loop fills with quantities; any other key but a table or list takes a
# list of words, such as whole grids of a bias.
LOOPED: dict[str, str] = {
    "temperature": "temperature",
    "field": "field",
    "dc_field": "field",
    "current": "current",
    "amplitude": "field",
    "frequency": "frequency",
}
# Those of them that are never zero.
_READ: dict[str, Callable[[object, str], tuple[Typed, ...]]] = {
    "current": read_positive_values,
    "amplitude": read_peaks,
    "frequency": read_positive_values,
}
_TABLES_AND_LISTS = frozenset(
    ("settle", "magnet", "prepare", "reference", "scan", "curves", "lockin", "fine", "phase", "harmonics")
)
LOOP_KEYS = tuple(
    dict.fromkeys(key for block in BLOCKS.values() for key in keys_of(block) if key not in _TABLES_AND_LISTS)
)


@dataclass(frozen=True, slots=True)
class Loop:
    """One key and the values that it takes, pass by pass."""

    key: str
    key_place: Place
    values: tuple[Typed | Text, ...]


def _read_loop(value: Any) -> Loop:
    if not isinstance(value, Table) or len(value) != 1:
        raise ValueError("for takes one key with its values; e.g. 'for: {field: [0 T, 1 T]}'")
    ((key, given),) = value.items()
    if key not in LOOP_KEYS:
        names = sorted(LOOP_KEYS)
        text = f"no block takes the key '{key}' of this for; expected {choice(names)}{nearest(key, names)}"
        raise PlacedError([Problem(value.key_places[key], text)])
    place = value.key_places[key]
    if key in LOOPED:
        read = _READ.get(key, read_values)
        return Loop(key=key, key_place=place, values=read(given, LOOPED[key]))
    if not isinstance(given, Items) or not given or not all(isinstance(item, Text) for item in given):
        text = f"the values of '{key}' are no list of words; expected e.g. '[{key}1, {key}2]'"
        raise PlacedError([Problem(place_of(given), text)])
    return Loop(key=key, key_place=place, values=tuple(given))


class ForStep(Step):
    """Do the steps once for each value."""

    for_: Annotated[
        Loop,
        PlainValidator(_read_loop),
        WithJsonSchema(
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "propertyNames": {"enum": list(LOOP_KEYS)},
            }
        ),
    ] = Field(alias="for")
    do: Annotated[list["AnyStep"], Field(min_length=1)]


class RepeatStep(Step):
    """Do the steps so many times."""

    repeat: Count
    do: Annotated[list["AnyStep"], Field(min_length=1)]


_STEPS: dict[str, type[Step]] = {
    "resistivity": ResistivityStep,
    "isotherms": IsothermsStep,
    "zfc_fc": ZfcFcStep,
    "magnetization": MagnetizationStep,
    "ac_susceptibility": AcSusceptibilityStep,
    "point_contact": PointContactStep,
    "current_voltage": CurrentVoltageStep,
    "contact_check": ContactCheckStep,
    "for": ForStep,
    "repeat": RepeatStep,
    "set_temperature": SetTemperatureStep,
    "set_field": SetFieldStep,
    "wait": WaitStep,
}


def _block_of(step: Any) -> str | None:
    """Return the tag of the one block of a step, or None and leave the complaint with the table."""
    if not isinstance(step, Table):
        return None
    blocks = [key for key in step if key in _STEPS]
    if len(blocks) == 1:
        return f"a step with {blocks[0]}"
    names = sorted(_STEPS)
    unknown = [key for key in step if key not in keys_of(Step)]
    if blocks:
        text = f"a second block in one step, '{blocks[1]}' beside '{blocks[0]}'; write a step for each"
        step.complaint = Problem(step.key_places[blocks[1]], text)
    elif unknown:
        text = f"unknown block '{unknown[0]}'; expected {choice(names)}{nearest(unknown[0], names)}"
        step.complaint = Problem(step.key_places[unknown[0]], text)
    else:
        step.complaint = Problem(step.place, f"a step without a block; expected {choice(names)}")
    return None


AnyStep = Annotated[
    Annotated[ResistivityStep, Tag("a step with resistivity")]
    | Annotated[IsothermsStep, Tag("a step with isotherms")]
    | Annotated[ZfcFcStep, Tag("a step with zfc_fc")]
    | Annotated[MagnetizationStep, Tag("a step with magnetization")]
    | Annotated[AcSusceptibilityStep, Tag("a step with ac_susceptibility")]
    | Annotated[PointContactStep, Tag("a step with point_contact")]
    | Annotated[CurrentVoltageStep, Tag("a step with current_voltage")]
    | Annotated[ContactCheckStep, Tag("a step with contact_check")]
    | Annotated[ForStep, Tag("a step with for")]
    | Annotated[RepeatStep, Tag("a step with repeat")]
    | Annotated[SetTemperatureStep, Tag("a step with set_temperature")]
    | Annotated[SetFieldStep, Tag("a step with set_field")]
    | Annotated[WaitStep, Tag("a step with wait")],
    Discriminator(_block_of),
]


def _samples(value: Any) -> dict[str, Text]:
    if isinstance(value, Text) and value.strip():
        return {"": value}
    if isinstance(value, Table) and value and all(isinstance(item, Text) and item for item in value.values()):
        return dict(value)
    raise ValueError("expected a sample, e.g. 'MB215-06', or one for each wiring, e.g. '{film: MB215-06}'")


def _reference(value: Any) -> Text:
    if isinstance(value, Text) and value.strip():
        return value
    raise ValueError("expected the name or path of a station file; e.g. 'ppms9'")


class SequenceFile(Part):
    """The top level of a sequence file.

    ``sample`` maps the wiring to the reference; the wiring is ``""`` where the file names none.
    """

    called = "a sequence"
    sequence: Annotated[Literal["1"], WithJsonSchema({"const": 1})]
    title: str = ""
    station: Annotated[Text | None, PlainValidator(_reference), WithJsonSchema({"type": "string"})] = None
    sample: Annotated[
        dict[str, Text],
        PlainValidator(_samples),
        WithJsonSchema(
            {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}
        ),
    ] = Field(default_factory=dict)
    mounting: Words | None = None
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    contact_check: Annotated[
        Annotated[
            Literal["auto"],
            PlainValidator(_auto),
            WithJsonSchema({"const": "auto", "type": "string"}),
            Tag("in a word"),
        ]
        | Annotated[Declined, Tag("in a table")],
        Discriminator(lambda value: "in a table" if isinstance(value, Table) else "in a word"),
    ] = "auto"
    on_error: OnErrorTyped | None = None
    end_by: TimeOfDay | None = None
    notify: Annotated[
        tuple[Literal["started", "suspended", "failed", "finished"], ...], Field(min_length=1)
    ] = ()
    finish: Finish
    steps: Annotated[list[AnyStep], Field(min_length=1)]


class SequenceText:
    """A sequence file that was read: its model, its text, and the tree that knows the places."""

    def __init__(self, path: Path, text: str, tree: Table, model: SequenceFile) -> None:
        self.path, self.text, self.tree, self.model = path, text, tree, model


def load_sequence(path: Path) -> SequenceText:
    """Return the sequence file at ``path``.

    Raises:
        SequenceError: if there is no such file, it is not UTF-8, or it says something wrong: one line
            ``file:line:column: problem`` for each.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SequenceError(f"cannot read {path}: {error.strerror}; look at the name of the file") from None
    except UnicodeDecodeError as error:
        raise SequenceError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    tree, problems = read_yaml(text)
    model: SequenceFile | None = None
    if tree is not None and not isinstance(tree, Table):
        problems.append(Problem(place_of(tree), "a sequence file is a table; expected e.g. 'sequence: 1'"))
    elif tree is not None:
        try:
            model = SequenceFile.model_validate(tree)
        except ValidationError as error:
            refused = {problem.place for problem in problems}
            problems += [problem for problem in problems_in(error, tree) if problem.place not in refused]
    if problems or model is None:
        raise SequenceError(report(str(path), problems))
    return SequenceText(path, text, tree, model)
