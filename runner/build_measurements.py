"""From a block of the sequence to the measurements it stands for, with every default filled in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onnes.instruments.quantities import show
from onnes.instruments.spelling import nearest
from onnes.instruments.station_file import SettleDefaults
from onnes.procedures.options import compact
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.runner import block_parts, blocks
from onnes.runner.asked_values import AskedValues, as_json, lacks
from onnes.runner.filled import Filled
from onnes.runner.history_rules import HistoryRules
from onnes.runner.plan_limits import Demand, readable
from onnes.runner.plan_steps import Measure
from onnes.runner.problems import Place, choice
from onnes.runner.quantity_text import Sweep, Typed
from onnes.runner.sequence import Defaults
from onnes.runner.surroundings import Ledger, Surroundings

ResistanceMeasurement = ResistanceVsTemperature | ResistanceVsField

_SETTLE_KEYS = {
    "within": "within_k",
    "slope": "slope_k_per_min",
    "for_": "for_s",
    "then_wait": "then_wait_s",
    "timeout": "timeout_s",
}
_MAGNET_KEYS = {"rate": "rate_oe_per_s", "approach": "approach", "mode": "mode", "then_wait": "then_wait_s"}


def settle_options(*layers: block_parts.Settle | SettleDefaults) -> dict[str, float]:
    """Return the keys of ``settle`` as the procedures take them; later layers win, key by key."""
    merged: dict[str, float] = {}
    for layer in layers:
        for key, name in _SETTLE_KEYS.items():
            if (value := getattr(layer, key)) is not None:
                merged[name] = float(value)
    return merged


def magnet_options(*layers: block_parts.Magnet) -> dict[str, Any]:
    """Return the keys of ``magnet`` as the procedures take them; later layers win, key by key."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, name in _MAGNET_KEYS.items():
            if (value := getattr(layer, key)) is not None:
                merged[name] = float(value) if isinstance(value, Typed) else value
    return merged


@dataclass(frozen=True)
class MeasurementBuilder:
    """Builds the measurements of one sequence file."""

    around: Surroundings
    defaults: Defaults
    ledger: Ledger
    history: HistoryRules
    asked: AskedValues

    def measures(self, name: str, block: blocks.ElectricalBlock, place: Place) -> Iterator[Measure]:
        """Yield the runs that a block stands for; what is wrong goes to the ledger.

        Args:
            name: the block's name in the file.
            block: the block, what a loop fills in included.
            place: of the block's name.
        """
        filled = Filled(name, block, getattr(self.defaults, name), place)
        self.asked.field_rates(self.defaults.magnet, *filled.layers("magnet"))
        wiring = self._wiring(filled)
        current = self._current(filled, wiring)
        program = filled.get("temperature")
        if program is None:
            self.ledger.refuse(place, lacks(name, "temperature", "2..300 K step 1 K"))
        if isinstance(block, blocks.Resistivity):
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
        common = self._common(filled, wiring, current, program)
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
        both, order, symmetrise = map(filled.get, ("both_directions", "order", "symmetrise"))
        yield from self._built(
            ResistanceVsField,
            wiring,
            filled,
            self._common(filled, wiring, current, temperatures)
            | self._reference(filled)
            | {
                "temperatures": compact([float(kelvin) for kelvin in temperatures]),
                "field_program": compact(as_json(fields, "oe", "rate_oe_per_s")),
                "both_directions": True if both is None else both,
                "order": order or "interleaved",
                "symmetrise": symmetrise or "auto",
            },
        )

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

    def _common(
        self, filled: Filled, wiring: str, current: Typed, temperatures: tuple[Typed, ...] | Sweep
    ) -> dict[str, Any]:
        station = self.around.station
        settle = settle_options(station.defaults.settle, self.defaults.settle, *filled.layers("settle"))
        magnet = magnet_options(self.defaults.magnet, *filled.layers("magnet"))
        ends = (temperatures.first, temperatures.last) if isinstance(temperatures, Sweep) else temperatures
        usual = self.around.usual_rate_oe_per_s(min(map(float, ends)))
        if usual is not None:
            magnet.setdefault("rate_oe_per_s", usual)
        given: dict[str, Any] = {
            "station_file": str(self.around.station_path),
            "wiring": wiring,
            "current_a": float(current),
            "settle": compact(settle),
            "magnet": compact(magnet),
            "temperature_rate_k_per_min": self.around.usual_rate_k_per_min(),
        }
        if (average := filled.get("average")) is not None:
            given["average"] = average
        if station.defaults.poll is not None:
            given["poll_s"] = float(station.defaults.poll)
        return given

    def _wiring(self, filled: Filled) -> str | None:
        mounted = [name for name in self.around.samples if name in self.around.station.wiring]
        wiring = filled.get("wiring")
        if not self.around.station.wiring:
            instead = "it measures moments, by zfc_fc and magnetization" if self.around.magnetometer else ""
            text = f"{filled.name} needs a wiring, and the station {self.around.station.name} has none"
            self.ledger.refuse(filled.place, "; ".join(filter(None, (text, instead))))
        elif wiring is None and len(mounted) == 1:
            return mounted[0]
        elif wiring is None:
            self.ledger.refuse(
                filled.place, f"{filled.name} without 'wiring'; there are samples on {', '.join(mounted)}"
            )
        elif wiring not in mounted:
            text = (
                f"no sample is on the wiring '{wiring}'; expected {choice(mounted)}{nearest(wiring, mounted)}"
            )
            self.ledger.refuse(filled.place, text)
        else:
            return str(wiring)
        return None

    def _current(self, filled: Filled, wiring: str | None) -> Typed | None:
        sample = self.around.samples.get(wiring or "")
        current = filled.get("current")
        if current is None and sample is not None and sample.defaults.current is not None:
            number = sample.defaults.current
            current = Typed(number, "", readable(number, "current"), filled.place)
        if not isinstance(current, Typed):
            if wiring is not None:
                self.ledger.refuse(
                    filled.place, lacks(filled.name, "current", "100 uA") + ", or in the sample file"
                )
            return None
        self.ledger.demands.append(Demand.of("current", current))
        if sample is not None and sample.expected.resistance is not None:
            self._note_heating(current, sample.expected.resistance)
        return current

    def _note_heating(self, current: Typed, ohm: Decimal) -> None:
        """Ask for the voltage and the power that the expected resistance makes of the current."""
        why = f"{show(current.number, 'current', current.unit)} through the expected {ohm.normalize():f} ohm"
        for kind, number in (("voltage", current.number * ohm), ("power", current.number**2 * ohm)):
            unit = readable(number, kind)
            said = f"{show(number, kind, unit)}, {why},"
            self.ledger.demands.append(Demand(kind, number, unit, said, current.place))


def _shown(typed: Typed) -> str:
    return show(typed.number, "temperature", typed.unit)
