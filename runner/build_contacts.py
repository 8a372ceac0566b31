"""From a block of contacts or V(I) to the measurements it stands for, with every default filled in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from onnes.instruments.differential_conductance import is_even
from onnes.instruments.quantities import show
from onnes.procedures.contact_check import ContactCheck
from onnes.procedures.current_voltage import CurrentVoltage
from onnes.procedures.differential_conductance_vs_bias import DifferentialConductanceVsBias
from onnes.procedures.options import compact
from onnes.procedures.zero_bias_conductance import ZeroBiasConductance
from onnes.runner import blocks
from onnes.runner.asked_values import as_json, lacks
from onnes.runner.build_electrical import ElectricalBuilder, lowest_of
from onnes.runner.contact_checks import usual_current
from onnes.runner.electrical_lint import narrow_bias, no_normal_reference, wide_modulation
from onnes.runner.filled import Filled
from onnes.runner.plan_limits import Demand, extremes, readable
from onnes.runner.plan_steps import Measure
from onnes.runner.quantity_text import Sweep, Typed

ContactMeasurement = DifferentialConductanceVsBias | ZeroBiasConductance | CurrentVoltage

# Of each resistance of a check by lock-in: 42 s at 300 ms and 24 dB. Fewer pass three errors by chance.
_CHECK_READINGS = 20
_CRITERION_UV_PER_CM = 1.0  # the usual one
_NORMAL_OHM = "expected.resistance"


class ContactBuilder(ElectricalBuilder):
    """Builds the measurements of point contacts, of V(I) and of contacts of one sequence file."""

    def measures(self, filled: Filled, like: Filled | None) -> Iterator[Measure]:
        """Yield the runs that a block stands for; what is wrong goes to the ledger.

        Args:
            filled: the block.
            like: the block of resistance or V(I) that comes next on the wiring: a check of contacts drives
                and listens as it does.
        """
        if isinstance(filled.block, blocks.ContactCheck):
            yield from self._contact_check(filled, like)
            return
        self.asked.field_rates(self.defaults.magnet, *filled.layers("magnet"))
        if isinstance(filled.block, blocks.PointContact):
            yield from self._point_contact(filled)
        else:
            yield from self._current_voltage(filled)

    # -- dI/dV

    def _point_contact(self, filled: Filled) -> Iterator[Measure]:
        wiring = self._wiring(filled, "conductance")
        temperatures, biases, zero = map(filled.get, ("temperature", "bias", "zero_bias"))
        fields = self._fields(filled)
        if temperatures is None:
            self.ledger.refuse(filled.place, lacks("point_contact", "temperature", "[2 K, 5 K, 10 K]"))
        if (biases is None) == (not zero):
            self.ledger.refuse(
                filled.place,
                "point_contact takes exactly one of bias and zero_bias; e.g. 'bias: -20..20 mV step 0.1 mV' "
                "or 'zero_bias: true'",
            )
            return
        self.asked.temperatures(temperatures)
        if biases is not None and isinstance(temperatures, Sweep):
            self.ledger.refuse(
                filled.place,
                "point_contact with a bias settles at single temperatures; e.g. '[2 K, 5 K]', or "
                "'zero_bias: true' with a sweep",
            )
            return
        if wiring is None or temperatures is None:
            return
        given = self._contact(filled, wiring, temperatures, fields)
        if biases is None:
            both = bool(filled.get("both_directions"))
            program = compact(as_json(temperatures, "k", "rate_k_per_min"))
            given |= {"temperature_program": program, "both_directions": both}
            yield from self._built(ZeroBiasConductance, wiring, filled, given)
            return
        if not _go_one_way([bias.number for bias in biases]):
            self.ledger.refuse(
                biases[0].place,
                f"the bias '{biases[0].text}' is one value or turns; expected several that go one way, "
                "'both_directions' takes them back again; e.g. '-20..20 mV step 0.1 mV'",
            )
            return
        by_steps = self.around.station.wiring[wiring].method == "differential"
        if by_steps and not is_even([float(bias) for bias in biases]):
            self.ledger.refuse(
                biases[0].place,
                f"the biases from '{biases[0].text}' on have unequal steps, and wiring '{wiring}' measures "
                "by 'differential', which takes equal ones; e.g. '-20..20 mV step 0.1 mV', or take a lock-in",
            )
            return
        self.ledger.demands += extremes("voltage", biases)
        self._look_at_bias(filled, wiring, biases)
        both = filled.get("both_directions")
        given |= {
            "temperatures": compact([float(kelvin) for kelvin in temperatures]),
            "biases_v": compact([float(bias) for bias in biases]),
            "both_directions": True if both is None else both,
        }
        yield from self._built(DifferentialConductanceVsBias, wiring, filled, given)

    def _contact(
        self, filled: Filled, wiring: str, temperatures: tuple[Typed, ...] | Sweep, fields: tuple[Typed, ...]
    ) -> dict[str, Any]:
        sample = self.around.samples[wiring]
        given = self._common(filled, wiring, temperatures)
        given["fields_oe"] = compact([float(field) for field in fields])
        self._method(filled, wiring)
        lock_in = self._lock_in(filled, wiring)
        if lock_in:
            given["lockin"] = compact(lock_in)
        modulation, normal_at = filled.get("modulation"), filled.get("normal_at")
        if modulation is not None:
            given["modulation_v"] = float(modulation)
        self._say(filled, wide_modulation(given.get("modulation_v", 2e-4), lowest_of(temperatures)))
        if (settle_tau := filled.get("settle_tau")) is not None:
            given["settle_tau"] = float(settle_tau)
        if normal_at is not None:
            self.asked.temperatures((normal_at,))
            given["normal_at_k"] = float(normal_at)
        tc = sample.expected.tc
        text = no_normal_reference(
            None if normal_at is None else float(normal_at), None if tc is None else float(tc)
        )
        self._say(filled, text)
        if (power := self._allowed("power")) is not None:
            given["power_limit_w"] = power
        return given

    def _look_at_bias(self, filled: Filled, wiring: str, biases: tuple[Typed, ...]) -> None:
        expected = self.around.samples[wiring].expected
        gap = None if expected.gap is None else float(expected.gap)
        self._say(filled, narrow_bias([float(bias) for bias in biases], gap))
        if expected.resistance is None:
            return
        # What the largest bias drives through the expected resistance, and heats the contact with.
        largest = max(biases, key=lambda bias: abs(bias.number))
        volts, ohm = abs(largest.number), expected.resistance
        why = f"{show(volts, 'voltage', largest.unit)} over the expected {ohm.normalize():f} ohm"
        for kind, number in (("current", volts / ohm), ("power", volts**2 / ohm)):
            unit = readable(number, kind)
            said = f"{show(number, kind, unit)}, {why},"
            self.ledger.demands.append(Demand(kind, number, unit, said, largest.place))

    # -- voltage against current

    def _current_voltage(self, filled: Filled) -> Iterator[Measure]:
        wiring = self._wiring(filled, "resistance")
        temperatures, currents = filled.get("temperature"), filled.get("current")
        fields = self._fields(filled)
        if temperatures is None:
            self.ledger.refuse(filled.place, lacks("current_voltage", "temperature", "[2 K, 4 K]"))
        if currents is None:
            self.ledger.refuse(filled.place, lacks("current_voltage", "current", "0..1 mA points 41"))
        else:
            self.ledger.demands += extremes("current", currents)
        self.asked.temperatures(temperatures)
        if wiring is None or temperatures is None or currents is None:
            return
        if (method := self.around.station.wiring[wiring].method) != "reversal":
            self.ledger.refuse(
                filled.place,
                f"L005: V(I) is measured by 'reversal', and the wiring '{wiring}' measures by '{method}'; "
                "give the station a wiring for it",
            )
            return
        numbers = [current.number for current in currents]
        if any(after <= before for before, after in pairwise(numbers)):
            self.ledger.refuse(
                currents[0].place,
                f"the currents of '{currents[0].text}' do not rise; list them from 0 upward: the curve ends "
                "where the voltage is too large; e.g. '0..1 mA points 41'",
            )
            return
        criterion_v = self._criterion(filled, wiring)
        if criterion_v is None:
            return
        given = self._common(filled, wiring, temperatures) | self._averaged(filled)
        given |= {
            "temperatures": compact([float(kelvin) for kelvin in temperatures]),
            "fields_oe": compact([float(field) for field in fields]),
            "currents_a": compact([float(current) for current in currents]),
            "criterion_v": criterion_v,
        }
        both, stop_at, pulse = map(filled.get, ("both_polarities", "stop_at", "pulse"))
        if both is not None:
            given["both_polarities"] = both
        if stop_at is not None:
            given["stop_at"] = float(stop_at)
        if pulse is not None:
            given["pulse_s"] = float(pulse)
        yield from self._built(CurrentVoltage, wiring, filled, given)

    def _criterion(self, filled: Filled, wiring: str) -> float | None:
        """Return the voltage between the contacts that the criterion means, V; None without a length."""
        length = self.around.samples[wiring].geometry.length
        criterion = filled.get("criterion")
        uv_per_cm = _CRITERION_UV_PER_CM if criterion is None else float(criterion)
        if length is None:
            self.ledger.refuse(
                filled.place,
                f"current_voltage stops by a criterion of {uv_per_cm:g} uV/cm, and the sample has no "
                "geometry.length, the distance of its voltage contacts; give it in the sample file",
            )
            return None
        return 1e-6 * uv_per_cm * float(length)

    # -- the contacts themselves

    def _contact_check(self, filled: Filled, like: Filled | None) -> Iterator[Measure]:
        wiring = self._wiring(filled, "resistance", "conductance")
        if like is not None and filled.get("current") is None:
            # what is wrong with the current of the block is said there
            current = usual_current(like) or self._current_of_sample(like, wiring)
        else:
            current = self._current(filled, wiring)
        for key in ("pairs", "max_resistance"):
            if filled.get(key) is not None:
                self.ledger.refuse(
                    filled.place,
                    f"'{key}' is of the two-wire resistances of pairs of contacts, which are still to come; "
                    "leave it out, and measure them by hand",
                )
        if wiring is None or current is None:
            return
        self._ask_for_double(filled, wiring, current)
        given: dict[str, Any] = {
            "station_file": str(self.around.station_path),
            "wiring": wiring,
            "current_a": float(current),
            **self._by_lock_in(wiring, _CHECK_READINGS),
        }
        if like is not None and hasattr(like.block, "lockin") and (lock_in := self._lock_in(like, wiring)):
            given["lockin"] = compact(lock_in)
        yield from self._built(ContactCheck, wiring, filled, given)

    def _ask_for_double(self, filled: Filled, wiring: str, current: Typed) -> None:
        """Ask for twice the current, and for what it makes of the expected resistance (L050)."""
        double = 2 * current.number
        shown = show(double, "current", current.unit)
        why = f"twice {show(current.number, 'current', current.unit)} for the check of the contacts,"
        asked = [("current", double, current.number, "")]
        ohm = self.around.samples[wiring].expected.resistance
        if ohm is not None:
            self._look_at_compliance(filled, wiring, float(double), float(ohm))
            through = f", {shown} through the expected {ohm.normalize():f} ohm"
            asked += [
                ("voltage", double * ohm, current.number * ohm, through),
                ("power", double**2 * ohm, current.number**2 * ohm, through),
            ]
        for kind, number, single, through in asked:
            allowed = self.around.limits.of(kind)
            if allowed is not None and not allowed.contains(float(single)):
                continue  # the current itself is too much, which is said of it
            unit = current.unit if kind == "current" else readable(number, kind)
            said = f"L050: {show(number, kind, unit)}{through}, {why}"
            self.ledger.demands.append(Demand(kind, number, unit, said, current.place))

    # -- all of them

    def _fields(self, filled: Filled) -> tuple[Typed, ...]:
        fields: tuple[Typed, ...] = filled.get("field") or (Typed(Decimal(0), "0 Oe", "Oe", filled.place),)
        self.asked.fields(fields)
        return fields

    def _built(
        self,
        build: Callable[..., ContactMeasurement | ContactCheck],
        wiring: str,
        filled: Filled,
        parameters: Mapping[str, Any],
    ) -> Iterator[Measure]:
        try:
            measurement = build(**parameters)
            if not isinstance(measurement, ContactCheck):
                of_history = self.history.parameters(filled, wiring, measurement)
                if of_history:
                    measurement = build(**parameters, **of_history)
        except ValueError as error:
            self.ledger.refuse(filled.place, str(error))
            return
        yield Measure(measurement.kind, measurement.label(), wiring, measurement)


def _go_one_way(numbers: Sequence[Decimal]) -> bool:
    steps = [after - before for before, after in pairwise(numbers)]
    return bool(steps) and (min(steps) > 0 or max(steps) < 0)
