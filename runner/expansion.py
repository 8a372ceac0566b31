"""From steps as typed to steps as done: loops unrolled, defaults filled in, measurements built.

Precedence of a key: the loop around a block or the block itself, ``defaults.<block>``, ``defaults.<group>``,
the station's or sample's defaults, what is built in. Every value that will be asked for is noted as a demand
with the place where it was typed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from onnes.instruments.quantities import show
from onnes.procedures.options import Settle
from onnes.runner import block_parts, blocks, control_blocks
from onnes.runner.asked_values import AskedValues
from onnes.runner.build_contacts import ContactBuilder
from onnes.runner.build_electrical import magnet_options, settle_options
from onnes.runner.build_measurements import MeasurementBuilder
from onnes.runner.build_moments import MomentBuilder
from onnes.runner.build_susceptibility import SusceptibilityBuilder
from onnes.runner.contact_checks import ContactChecks
from onnes.runner.filled import Filled
from onnes.runner.history_rules import HistoryRules
from onnes.runner.on_error import USUAL, OnError, policy
from onnes.runner.plan_limits import Demand
from onnes.runner.plan_steps import Action, Finish, Measure, PlanStep, SetField, SetTemperature, Wait
from onnes.runner.problems import Place
from onnes.runner.quantity_text import Typed
from onnes.runner.sequence import (
    LOOPED,
    ForStep,
    Loop,
    RepeatStep,
    SequenceText,
    SetFieldStep,
    SetTemperatureStep,
    Step,
    WaitStep,
)
from onnes.runner.sequence_errors import problems_in
from onnes.runner.surroundings import Ledger, Surroundings
from onnes.runner.yaml_text import Table, Text

# A wait for stability without a timeout of its own; nothing in a PPMS takes longer to settle.
_WAIT_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a loop fills in during one pass."""

    loop: Loop
    value: Typed | Text

    def shown(self) -> str:
        if isinstance(self.value, Typed):
            return show(self.value.number, LOOPED[self.loop.key], self.value.unit)
        return str(self.value)


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around a step: the loops with the values of their pass, and what they lend to it."""

    bound: tuple[_Bound, ...] = ()
    loop: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    note: str = ""
    on_error: OnError = USUAL

    def within(self, step: Step, key: str, value: str, bound: tuple[_Bound, ...] = ()) -> "_Around":
        """Return what stands around the steps in ``step``, in the pass where ``key`` is ``value``."""
        return _Around(
            (*self.bound, *bound),
            {**self.loop, key: value},
            step.name,
            step.note,
            policy(step.on_error, self.on_error),
        )


@dataclass(frozen=True, slots=True)
class _Unrolled:
    """A step outside all loops: its block, where that was typed, and what stood around it.

    ``filled`` is a measurement block with what the loops fill in, and its defaults; None for every other
    block, and where it is wrong.
    """

    step: Step
    block: str
    place: Place
    around: _Around
    filled: Filled | None


class Expansion:
    """Expands the steps of one sequence file."""

    def __init__(self, sequence: SequenceText, around: Surroundings, ledger: Ledger) -> None:
        self._sequence = sequence
        self._around = around
        self._ledger = ledger
        self._defaults = sequence.model.defaults
        self._history = HistoryRules(around, self._defaults.prepare, ledger)
        asked = AskedValues(around, ledger)
        self._resistances = MeasurementBuilder(around, self._defaults, ledger, self._history, asked)
        self._contacts = ContactBuilder(around, self._defaults, ledger, self._history, asked)
        self._susceptibilities = SusceptibilityBuilder(around, self._defaults, ledger, self._history, asked)
        self._moments = MomentBuilder(around, self._defaults, ledger, self._history, asked)
        self._checks = ContactChecks(around, self._defaults)

    def steps(self) -> tuple[PlanStep, ...]:
        """Return every step of the night in order, numbered from 1."""
        model = self._sequence.model
        around = _Around(on_error=policy(model.on_error, USUAL))
        unrolled = list(self._walk(model.steps, self._sequence.tree["steps"], around))
        blocks_in_order = [one.filled for one in unrolled]
        first = self._checks.first_electrical(blocks_in_order)
        found: list[PlanStep] = []
        for index, one in enumerate(unrolled):
            if index == first:
                found += self._contacts_before(blocks_in_order[index:], blocks_in_order[:index], one.place)
            found += self._planned(one, self._checks.next_on_its_wiring(blocks_in_order, index))
        self._susceptibilities.look_at_sets()
        return tuple(replace(step, number=number) for number, step in enumerate(found, start=1))

    def _walk(self, steps: Sequence[Step], tables: Sequence[Table], around: _Around) -> Iterator[_Unrolled]:
        for step, table in zip(steps, tables, strict=True):
            block = _block(step)
            place = table.key_places[block]
            if not step.enabled:
                self._ledger.messages.append((place, f"{step.name or block} is switched off"))
                continue
            if isinstance(step, ForStep | RepeatStep):
                if step.time_limit is not None:
                    text = "time_limit beside a loop; put it beside the steps in 'do', each pass has its own"
                    self._ledger.refuse(table.key_places["time_limit"], text)
                yield from self._loop(step, table, around)
                continue
            filled = None
            if block in blocks.BLOCKS and (
                own := self._filled(getattr(step, block), table[block], around.bound)
            ):
                filled = Filled(block, own, getattr(self._defaults, block), place)
            yield _Unrolled(step, block, place, around, filled)

    def _planned(self, one: _Unrolled, like: Filled | None) -> Iterator[PlanStep]:
        """Yield the steps that a block stands for; ``like`` is the electrical block that comes next."""
        step, around = one.step, one.around
        # A loop's name, note and on_error are those of the steps in it that have none.
        for action in self._actions(one, like):
            label = f" {action.label}" if isinstance(action, Measure) else ""
            yield PlanStep(
                number=0,  # given when all are known
                where=f"{self._sequence.path}:{one.place.line}:{one.place.column}",
                name=step.name or f"{around.name or one.block}{label}",
                note=step.note or around.note,
                loop=around.loop,
                action=action,
                on_error=policy(step.on_error, around.on_error),
                time_limit_s=None if step.time_limit is None else float(step.time_limit),
            )

    def _contacts_before(
        self, ahead: Sequence[Filled | None], behind: Sequence[Filled | None], place: Place
    ) -> Iterator[PlanStep]:
        """Yield the checks of contacts that nobody wrote down, unless they are declined."""
        declined = self._sequence.model.contact_check
        if declined != "auto":
            key = self._sequence.tree.key_places["contact_check"]
            self._ledger.messages.append((key, f"L057: contact_check is declined: {declined.declined}"))
            return
        for check, like in self._checks.unwritten(ahead, behind, place):
            for action in self._contacts.measures(check, like):
                yield PlanStep(
                    number=0,
                    where=f"{self._sequence.path}:{place.line}:{place.column}",
                    name=f"{check.name} {action.label}",
                    note="",
                    loop={},
                    action=action,
                    on_error=policy(self._sequence.model.on_error, USUAL),
                )

    def _loop(self, step: ForStep | RepeatStep, table: Table, around: _Around) -> Iterator[_Unrolled]:
        if isinstance(step, RepeatStep):
            outside = around.loop.get("repeat")
            for number in range(1, step.repeat + 1):
                shown = f"{number} of {step.repeat}"
                counted = f"{outside}, {shown}" if outside else shown
                yield from self._walk(step.do, table["do"], around.within(step, "repeat", counted))
            return
        loop = step.for_
        outer = next((one for one in around.bound if one.loop.key == loop.key), None)
        if outer is not None:
            self._ledger.refuse(
                loop.key_place,
                f"'{loop.key}' is filled by the for in line {outer.loop.key_place.line}; nest other keys",
            )
            return
        if not any(_takes(inner, loop.key) for inner in step.do):
            self._ledger.refuse(
                loop.key_place, f"no block in this for takes '{loop.key}'; put one into 'do' that does"
            )
            return
        for value in loop.values:
            one = _Bound(loop, value)
            yield from self._walk(step.do, table["do"], around.within(step, loop.key, one.shown(), (one,)))

    def _actions(self, one: _Unrolled, like: Filled | None) -> Iterator[Action]:
        step, place = one.step, one.place
        if one.block in blocks.BLOCKS:
            if one.filled is not None:
                yield from self._measures(one.filled, like)
        elif not self._around.can_be_set and not (isinstance(step, WaitStep) and not step.wait.stable):
            self._ledger.refuse(
                place,
                f"{one.block} on the station {self._around.station.name}: MultiVu's sequence prepares each "
                "block; this machine cannot be set from here; leave the step out",
            )
        elif isinstance(step, SetTemperatureStep):
            yield self._set_temperature(step.set_temperature)
        elif isinstance(step, SetFieldStep):
            yield from self._set_field(step.set_field, place)
        elif isinstance(step, WaitStep):
            yield _wait(step.wait)

    def _measures(self, filled: Filled, like: Filled | None) -> Iterator[Measure]:
        block = filled.block
        if isinstance(block, blocks.ResistanceBlock):
            yield from self._resistances.measures(filled)
        elif isinstance(block, blocks.PointContact | blocks.CurrentVoltage | blocks.ContactCheck):
            yield from self._contacts.measures(filled, like)
        elif isinstance(block, blocks.AcSusceptibility):
            yield from self._susceptibilities.measures(filled)
        elif isinstance(block, blocks.MomentBlock):
            yield from self._moments.measures(filled)

    def _filled(self, block: blocks.Block, table: Any, bound: tuple[_Bound, ...]) -> blocks.Block | None:
        """Return the block with what the loops around it fill in; None if that is wrong."""
        keys = block_parts.keys_of(type(block))
        update: dict[str, Any] = {}
        for one in bound:
            key = one.loop.key
            if key not in keys:
                continue
            if key in table:
                text = f"'{key}' is given here and by the for in line {one.loop.key_place.line}; give it once"
                self._ledger.refuse(table.key_places[key], text)
                return None
            if isinstance(one.value, Typed):
                is_single = key == "current" and not isinstance(block, blocks.CurrentVoltage)
                update[key] = one.value if is_single else (one.value,)
                continue
            given = Table(one.value.place)
            given[key], given.key_places[key] = one.value, one.value.place
            try:
                update[key] = getattr(type(block).model_validate(given), key)
            except ValidationError as error:
                self._ledger.problems += problems_in(error, given)
                return None
        return block.model_copy(update=update)

    def _set_temperature(self, block: control_blocks.SetTemperature) -> SetTemperature:
        self._ledger.demands.append(Demand.of("temperature", block.to))
        if block.rate is not None:
            self._ledger.demands.append(Demand.of("temperature_rate", block.rate))
        self._history.at_temperature(float(block.to))
        settle = settle_options(self._around.station.defaults.settle, self._defaults.settle, block.settle)
        return SetTemperature(
            kelvin=float(block.to),
            rate_k_per_min=float(block.rate) if block.rate else self._around.usual_rate_k_per_min(),
            approach=block.approach,
            settle=Settle(**settle),
            wait=block.wait,
        )

    def _set_field(self, block: control_blocks.SetField, place: Place) -> Iterator[SetField]:
        if not self._around.has_magnet:
            self._ledger.refuse(place, f"the station {self._around.station.name} has no magnet")
            return
        self._ledger.demands.append(Demand.of("field", block.to))
        self._history.at_field(float(block.to))
        for rate in (block.rate, self._defaults.magnet.rate):
            if rate is not None:
                self._ledger.demands.append(Demand.of("field_rate", rate))
        own = block_parts.Magnet.model_construct(rate=block.rate, approach=block.approach, mode=block.mode)
        usual = self._around.field_rate_oe_per_s
        use = {"rate_oe_per_s": usual, "approach": "linear", "mode": "driven", "then_wait_s": None}
        yield SetField(
            field_oe=float(block.to), wait=block.wait, **(use | magnet_options(self._defaults.magnet, own))
        )

    def finish(self) -> Finish:
        """Return what happens to field and temperature at the end."""
        finish = self._sequence.model.finish
        table = self._sequence.tree["finish"]
        place = self._sequence.tree.key_places["finish"]
        has_magnet = self._around.has_magnet
        if has_magnet and "field" not in table:
            self._ledger.refuse(
                place,
                "finish without 'field', and the station has a magnet; e.g. 'field: 0 Oe' or 'field: hold'",
            )
        if not has_magnet and finish.field is not None:
            self._ledger.refuse(finish.field.place, f"the station {self._around.station.name} has no magnet")
        for kind, typed in (
            ("field", finish.field),
            ("temperature", finish.temperature),
            ("temperature_rate", finish.rate),
        ):
            if typed is not None:
                self._ledger.demands.append(Demand.of(kind, typed))
        rate = float(finish.rate) if finish.rate else self._around.usual_rate_k_per_min()
        return Finish(
            field_oe=None if finish.field is None else float(finish.field),
            approach=finish.approach,
            temperature_k=None if finish.temperature is None else float(finish.temperature),
            rate_k_per_min=rate,
            chamber=finish.chamber,
            field_rate_oe_per_s=self._around.field_rate_oe_per_s,
        )


def _block(step: Step) -> str:
    beside = block_parts.keys_of(Step)
    return next(key for key in block_parts.keys_of(type(step)) if key not in beside)


def _takes(step: Step, key: str) -> bool:
    if isinstance(step, ForStep | RepeatStep):
        return any(_takes(inner, key) for inner in step.do)
    block = blocks.BLOCKS.get(_block(step))
    return block is not None and key in block_parts.keys_of(block)


def _wait(block: control_blocks.Wait) -> Wait:
    return Wait(
        for_s=None if block.for_ is None else float(block.for_),
        until=block.until,
        stable=block.stable or (),
        timeout_s=_WAIT_TIMEOUT_S if block.timeout is None else float(block.timeout),
    )
