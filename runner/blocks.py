"""The measurement blocks of a sequence, as models.

A block's keys are all optional here, because each may come from ``defaults`` or from a ``for`` around the
block; what a block cannot do without is asked for when the plan is made.
"""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, WithJsonSchema

from onnes.runner import quantity_fields as typed
from onnes.runner.block_parts import (
    Count,
    FineField,
    FineTemperature,
    LockIn,
    Magnet,
    MomentPrepare,
    Part,
    Phase,
    Prepare,
    Scan,
    Settle,
    Words,
    YesOrNo,
)
from onnes.runner.yaml_text import Table


class Block(Part):
    """A measurement block."""


class SetpointBlock(Block):
    """What the blocks take that go to temperatures and fields."""

    magnet: Magnet = Magnet()
    prepare: Prepare = Prepare()


class ElectricalBlock(SetpointBlock):
    """What the blocks take that measure with leads on the sample."""

    wiring: Words | None = None
    settle: Settle = Settle()
    history: Literal["auto", "free", "path"] | None = None


class ResistanceBlock(ElectricalBlock):
    """What the blocks take that measure a resistance."""

    both_directions: YesOrNo | None = None
    average: Count | None = None
    current: typed.Current | None = None
    method: Literal["delta", "reversal", "lock_in", "bridge"] | None = None
    lockin: LockIn = LockIn()
    self_heating_check: YesOrNo | None = None


class Resistivity(ResistanceBlock):
    """R(T), settled at each value or measured in a sweep, at one field or several."""

    called = "resistivity"
    temperature: typed.TemperatureProgram | None = None
    field: typed.Fields | None = None
    fine: FineTemperature | None = None


class Reference(Part):
    """One point that is measured again before, between and after the isotherms."""

    called = "reference"
    temperature: typed.Temperature
    field: typed.Field


class Isotherms(ResistanceBlock):
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
    fine: FineField | None = None


class MomentBlock(SetpointBlock):
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


class AcSusceptibility(SetpointBlock):
    """The alternating moment against temperature; amplitudes are peaks."""

    called = "ac_susceptibility"
    prepare: MomentPrepare = MomentPrepare()
    wiring: Words | None = None
    temperature: typed.TemperatureProgram | None = None
    amplitude: typed.FieldPeaks | None = None
    frequency: typed.Frequencies | None = None
    dc_field: typed.Fields | None = None
    heating_check: YesOrNo | None = None
    phase: Annotated[
        Annotated[Literal["stored"], Tag("in a word")] | Annotated[Phase, Tag("in a table")],
        Discriminator(lambda value: "in a table" if isinstance(value, Table | Phase) else "in a word"),
    ] = "stored"
    harmonics: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    averaging: typed.TimeLimit | None = None
    average: Count | None = None
    settle: Settle = Settle()


class PointContact(ElectricalBlock):
    """dI/dV of a contact: against bias, or at zero bias against temperature."""

    called = "point_contact"
    temperature: typed.TemperatureProgram | None = None
    bias: typed.Voltages | None = None
    zero_bias: YesOrNo | None = None
    field: typed.Fields | None = None
    both_directions: YesOrNo | None = None
    modulation: typed.RmsVoltage | None = None
    normal_at: typed.Temperature | None = None
    lockin: LockIn = LockIn()
    method: Literal["lock_in", "differential"] | None = None
    settle_tau: Count | None = None


class CurrentVoltage(ElectricalBlock):
    """V(I) at one temperature or several, from 0 up, by a staircase or by pulses."""

    called = "current_voltage"
    temperature: typed.Temperatures | None = None
    current: typed.Currents | None = None
    field: typed.Fields | None = None
    average: Count | None = None
    both_polarities: YesOrNo | None = None
    pulse: typed.TimeLimit | None = None
    criterion: typed.ElectricField | None = None
    stop_at: Count | None = None


class ContactCheck(Block):
    """R at half the current, the current and twice it, on the leads as they are."""

    called = "contact_check"
    wiring: Words | None = None
    current: typed.Current | None = None
    max_resistance: typed.Resistance | None = None
    pairs: Literal["operator", "switch"] | None = None


BLOCKS: dict[str, type[Block]] = {
    "resistivity": Resistivity,
    "isotherms": Isotherms,
    "zfc_fc": ZfcFc,
    "magnetization": Magnetization,
    "ac_susceptibility": AcSusceptibility,
    "point_contact": PointContact,
    "current_voltage": CurrentVoltage,
    "contact_check": ContactCheck,
}
