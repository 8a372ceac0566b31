"""From a block of resistance to the measurements it stands for, with every default filled in."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from onnes.instruments.quantities import show
from onnes.procedures.options import compact
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.runner import block_parts, blocks
from onnes.runner.asked_values import as_json, lacks
from onnes.runner.build_electrical import ElectricalBuilder
from onnes.runner.electrical_lint import too_few_isotherms
from onnes.runner.filled import Filled
from onnes.runner.plan_limits import Demand
from onnes.runner.plan_steps import Measure
from onnes.runner.quantity_text import Sweep, Typed

ResistanceMeasurement = ResistanceVsTemperature | ResistanceVsField


_LOCK_IN_READINGS = 4  # of a point: 8 s at 300 ms and 24 dB


class MeasurementBuilder(ElectricalBuilder):
    """Builds the measurements of resistance of one sequence file."""

    def measures(self, filled: Filled) -> Iterator[Measure]:
        """Yield the runs that a block stands for; what is wrong goes to the ledger."""
        self.asked.field_rates(self.defaults.magnet, *filled.layers("magnet"))
        wiring = self._wiring(filled, "resistance")
        current = self._current(filled, wiring)
        program = filled.get("temperature")
        if program is None:
            self.ledger.refuse(filled.place, lacks(filled.name, "temperature", "2..300 K step 1 K"))
        if isinstance(filled.block, blocks.Resistivity):
            yield from self._resistivity(filled, wiring, current, program)
        else:
            yield from self._isotherms(filled, wiring, current, program)

    def _resistivity(
        self, filled: Filled, wiring: str | None, current: Typed | None, program: Any
    ) -> Iterator[Measure]:
        fields = filled.get("field") or (Typed(Decimal(0), "0 Oe", "Oe", filled.place),)
        self.asked.fields(fields)
        self.asked.temperatures(program)
        if wiring is None or current is None or program is None:
            return
        tc = self.around.samples[wiring].expected.tc
        common = self._resistance(filled, wiring, current, program)
        common |= self._fine(filled, "temperature", "k", None if tc is None else float(tc))
        for field in fields:
            yield from self._built(
                ResistanceVsTemperature,
                wiring,
                filled,
                common
                | {
                    "temperature_program": compact(as_json(program, "k", "rate_k_per_min")),
                    "field_oe": float(field),
                    "both_directions": bool(filled.get("both_directions")),
                },
            )

    def _isotherms(
        self, filled: Filled, wiring: str | None, current: Typed | None, temperatures: Any
    ) -> Iterator[Measure]:
        fields = filled.get("field")
        if fields is None:
            self.ledger.refuse(filled.place, lacks("isotherms", "field", "0..6 T step 0.25 T"))
        elif not self.around.has_magnet:
            self.asked.refuse_field(filled.place)
        else:
            self.asked.fields(fields)
        self.asked.temperatures(temperatures)
        if wiring is None or current is None or temperatures is None or fields is None:
            return
        self._say(filled, too_few_isotherms([float(kelvin) for kelvin in temperatures]))
        both, order, symmetrise = map(filled.get, ("both_directions", "order", "symmetrise"))
        yield from self._built(
            ResistanceVsField,
            wiring,
            filled,
            self._resistance(filled, wiring, current, temperatures)
            | self._fine(filled, "field", "oe", None)
            | self._reference(filled)
            | {
                "temperatures": compact([float(kelvin) for kelvin in temperatures]),
                "field_program": compact(as_json(fields, "oe", "rate_oe_per_s")),
                "both_directions": True if both is None else both,
                "order": order or "interleaved",
                "symmetrise": symmetrise or "auto",
            },
        )

    def _resistance(
        self, filled: Filled, wiring: str, current: Typed, temperatures: tuple[Typed, ...] | Sweep
    ) -> dict[str, Any]:
        self._method(filled, wiring)
        given = self._common(filled, wiring, temperatures) | self._by_lock_in(wiring, _LOCK_IN_READINGS)
        given |= self._averaged(filled)
        given["current_a"] = float(current)
        if lock_in := self._lock_in(filled, wiring):
            given["lockin"] = compact(lock_in)
        if (check := filled.get("self_heating_check")) is not None:
            given["self_heating_check"] = check
        return given

    def _fine(self, filled: Filled, kind: str, suffix: str, expected: float | None) -> dict[str, str]:
        """Return the finer pass over temperatures or fields, with ``suffix`` for their unit in its keys.

        Args:
            expected: where it will be if the coarse passes do not tell; None if nobody knows.
        """
        fine: block_parts.FineTemperature | block_parts.FineField | None = filled.get("fine")
        if fine is None:
            return {}
        rate = "rate_k_per_min" if suffix == "k" else "rate_oe_per_s"
        given = {
            f"around_{suffix}": fine.around,
            f"width_{suffix}": fine.width,
            f"step_{suffix}": fine.step,
            f"every_{suffix}": fine.every,
            rate: fine.rate,
        }
        found = {key: float(typed) for key, typed in given.items() if typed is not None}
        if fine.around is None and expected is not None:
            found[f"expected_{suffix}"] = expected
        if fine.rate is not None:
            self.ledger.demands.append(Demand.of(f"{kind}_rate", fine.rate))
        if fine.around is not None:
            half = fine.width.number / 2
            for number in (fine.around.number - half, fine.around.number + half):
                said = f"{show(number, kind, fine.around.unit)}, an end of the fine pass,"
                self.ledger.demands.append(Demand(kind, number, fine.around.unit, said, fine.around.place))
        return {"fine": compact(found)}

    def _built(
        self,
        build: Callable[..., ResistanceMeasurement],
        wiring: str,
        filled: Filled,
        parameters: Mapping[str, Any],
    ) -> Iterator[Measure]:
        try:
            measurement = build(**parameters)
            of_history = self.history.parameters(filled, wiring, measurement)
            if self._disturbs(filled, of_history.get("path_below_k", 0.0)):
                return
            if of_history:
                measurement = build(**parameters, **of_history)
        except ValueError as error:
            self.ledger.refuse(filled.place, str(error))
            return
        yield Measure(measurement.kind, measurement.label(), wiring, measurement)

    def _reference(self, filled: Filled) -> dict[str, str]:
        reference: blocks.Reference | None = filled.get("reference")
        if reference is None:
            return {}
        self.asked.temperatures((reference.temperature,))
        self.asked.fields((reference.field,))
        point = {"temperature_k": float(reference.temperature), "field_oe": float(reference.field)}
        return {"reference": compact(point)}

    def _disturbs(self, filled: Filled, below_k: float) -> bool:
        """Refuse a reference that would change the history of what is measured, and say whether it would."""
        reference = filled.get("reference") if isinstance(filled.block, blocks.Isotherms) else None
        if reference is None or float(reference.temperature) >= below_k:
            return False
        self.ledger.refuse(
            reference.temperature.place,
            f"the reference at {_shown(reference.temperature)} lies below {below_k:.9g} K, where the "
            "history counts, and would change it; choose a temperature above",
        )
        return True


def _shown(typed: Typed) -> str:
    return show(typed.number, "temperature", typed.unit)
