"""From a block of ac susceptibility to the measurements it stands for, with every default filled in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from onnes.instruments.drivers import CLASSES
from onnes.instruments.errors import LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.mutual_inductance import drive_limits, oe_per_volt
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.susceptometer import AcLimits
from onnes.procedures.ac_susceptibility import AcSusceptibility
from onnes.procedures.options import compact
from onnes.runner.asked_values import as_json, lacks
from onnes.runner.block_parts import Phase, Settle
from onnes.runner.build_electrical import ElectricalBuilder
from onnes.runner.build_moments import MomentBuilder
from onnes.runner.electrical_lint import (
    DrivenRun,
    beyond_record,
    mixed_set,
    no_phase,
    not_rising,
    not_screening,
)
from onnes.runner.filled import Filled
from onnes.runner.moment_check import machine_of
from onnes.runner.plan_steps import Measure
from onnes.runner.quantity_text import Sweep, Typed

_OF_A_COIL: Mapping[str, Any] = {"wiring": None, "average": None, "settle": Settle()}
_ABOVE_TC_K = 2.0  # where the background of the coils is taken: nothing is left of the transition (a)
_EXAMPLES = {"temperature": "34..40 K step 50 mK", "amplitude": "[0.1 Oe, 1 Oe]", "frequency": "97 Hz"}


@dataclass(frozen=True)
class SusceptibilityBuilder(ElectricalBuilder):
    """Builds the measurements of ac susceptibility, through a coil here or through MultiVu's sequence."""

    driven: list[tuple[Filled, DrivenRun]] = field(default_factory=list)

    def measures(self, filled: Filled) -> Iterator[Measure]:
        """Yield the run that a block stands for; what is wrong goes to the ledger."""
        self.asked.field_rates(self.defaults.magnet, *filled.layers("magnet"))
        for key, example in _EXAMPLES.items():
            if filled.get(key) is None:
                self.ledger.refuse(filled.place, lacks(filled.name, key, example))
        temperatures = filled.get("temperature")
        self.asked.temperatures(temperatures)
        fields = filled.get("dc_field") or (Typed(Decimal(0), "0 Oe", "Oe", filled.place),)
        self.asked.fields(fields)
        if any(filled.get(key) is None for key in _EXAMPLES):
            return
        phase = self._phase(filled)
        self._look(filled, temperatures, is_calibrated=bool(phase))
        driven = (
            tuple(map(float, values)) for values in (*map(filled.get, ("amplitude", "frequency")), fields)
        )
        self.driven.append((filled, DrivenRun(*driven)))
        drives = self._drives(filled, phase)
        coils = [
            wiring for wiring in self.around.station.wiring.values() if wiring.measures == "susceptibility"
        ]
        if self.around.magnetometer is not None and not coils:
            self._refuse_foreign(filled, _OF_A_COIL, f"{self.around.magnetometer} measures by itself")
            builder = MomentBuilder(self.around, self.defaults, self.ledger, self.history, self.asked)
            yield from builder.susceptibilities(filled, temperatures, fields, drives)
            return
        yield from self._through_a_coil(filled, temperatures, fields, drives)

    def look_at_sets(self) -> None:
        """Refuse amplitudes in several blocks that are meant for rectangles and cannot make any (L061).

        Within a block the drives are a grid, so that each frequency and dc field has all amplitudes. That
        blocks in several files are not put together is not known here: the analysis says it.
        """
        by_wiring: dict[str | None, list[tuple[Filled, DrivenRun]]] = {}
        for one in self.driven:
            by_wiring.setdefault(one[0].get("wiring"), []).append(one)
        for driven in by_wiring.values():
            number = mixed_set([run for _, run in driven])
            if number is None:
                continue
            (first, there), (filled, here) = driven[0], driven[number]
            self.ledger.refuse(
                filled.place,
                f"L061: {here} here and {there} in line {first.place.line} make no set of rectangles, "
                "which is of one frequency and one dc field; give one block both amplitudes",
            )

    def _through_a_coil(
        self,
        filled: Filled,
        temperatures: tuple[Typed, ...] | Sweep,
        fields: tuple[Typed, ...],
        drives: dict[str, Any],
    ) -> Iterator[Measure]:
        wiring = self._wiring(filled, "susceptibility")
        if wiring is None:
            return
        self._refuse_foreign(
            filled, {"averaging": None}, "through a coil readings are counted: 'average: 10'"
        )
        if (limits := self._limits(filled, wiring)) is not None:
            self._refuse_beyond(filled, limits)
        history = self.history.preparation(filled, wiring)
        if not history:
            return
        given = self._common(filled, wiring, temperatures) | drives | history
        if (average := filled.get("average")) is not None:
            given["average"] = average
        given |= {
            "temperature_program": compact(as_json(temperatures, "k", "rate_k_per_min")),
            "fields_oe": compact([float(field) for field in fields]),
            "harmonics": compact(list(filled.get("harmonics") or (1,))),
        }
        try:
            measurement = AcSusceptibility(**given)
        except ValueError as error:
            self.ledger.refuse(filled.place, str(error))
            return
        yield Measure(measurement.kind, measurement.label(), wiring, measurement)

    def _refuse_foreign(self, filled: Filled, unset: Mapping[str, Any], why: str) -> None:
        """Refuse keys that the other route takes; ``unset`` has each as it is where nobody gives it."""
        for key, value in unset.items():
            if any(getattr(layer, key) != value for layer in (filled.behind, filled.block)):
                self.ledger.refuse(filled.place, f"L005: '{key}' is for another kind of station; {why}")

    def _limits(self, filled: Filled, wiring: str) -> AcLimits | None:
        """Return what the coil of a wiring and the sine of its lock-in can do together; None with neither."""
        station = self.around.station
        coil = station.wiring[wiring].coil
        model = CLASSES[station.instruments[station.wiring[wiring].meter].driver]
        if not issubclass(model, StanfordLockIn):
            return None
        set_by = f"the coil of wiring {wiring!r}"
        record = AcLimits(Limits(*coil.amplitude_oe, "Oe", set_by), Limits(*coil.frequency_hz, "Hz", set_by))
        try:
            return drive_limits(model, oe_per_volt(coil.series_ohm, coil.field_oe_per_a), record)
        except LimitError as error:
            self.ledger.refuse(filled.place, f"L060: {error}")
            return None

    def _drives(self, filled: Filled, phase: dict[str, float]) -> dict[str, Any]:
        """Return what both routes take: the drives, and where the phase is set."""
        check = filled.get("heating_check")
        return {
            "amplitudes_oe": compact([float(value) for value in filled.get("amplitude")]),
            "frequencies_hz": compact([float(value) for value in filled.get("frequency")]),
            "heating_check": True if check is None else check,
            "phase": compact(phase),
        }

    def _phase(self, filled: Filled) -> dict[str, float]:
        """Return where phase and background are taken: given, and above the transition that is expected."""
        phase = filled.block.phase if filled.block.phase != "stored" else filled.behind.phase  # type: ignore[attr-defined]  # both are AcSusceptibility
        if not isinstance(phase, Phase):
            return {}
        self.asked.temperatures((phase.calibrate_at,))
        tc = self._tc()
        if tc is None:
            return {"calibrate_at_k": float(phase.calibrate_at)}
        if text := not_screening(float(phase.calibrate_at), tc):
            self.ledger.refuse(phase.calibrate_at.place, text)
            return {}
        return {"calibrate_at_k": float(phase.calibrate_at), "background_at_k": tc + _ABOVE_TC_K}

    def _tc(self) -> float | None:
        """Return the expected Tc of the sample, K."""
        known = [sample.expected.tc for sample in self.around.samples.values()]
        return next((float(tc) for tc in known if tc is not None), None)

    def _look(self, filled: Filled, temperatures: tuple[Typed, ...] | Sweep, *, is_calibrated: bool) -> None:
        """Say what is unwise, and refuse what the machine does not have."""
        values = [temperatures.first, temperatures.last] if isinstance(temperatures, Sweep) else temperatures
        kelvin = [float(value) for value in values]
        self._say(filled, not_rising([float(value) for value in filled.get("amplitude")]))
        self._say(filled, no_phase(kelvin, is_calibrated=is_calibrated, tc_k=self._tc()))
        magnetometer = self.around.magnetometer
        machine = None if magnetometer is None else machine_of(self.around.station, magnetometer)
        if machine is not None and machine.ac is not None:
            self._refuse_beyond(filled, machine.ac)

    def _refuse_beyond(self, filled: Filled, limits: AcLimits) -> None:
        for amplitude in filled.get("amplitude"):
            for frequency in filled.get("frequency"):
                if text := beyond_record(float(amplitude), float(frequency), limits):
                    place = amplitude.place if "amplitude" in text else frequency.place
                    self.ledger.refuse(place, text)
