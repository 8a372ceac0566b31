"""From a magnetometry block of the sequence to the measurements it stands for, every default filled in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.moments import Scan
from onnes.instruments.quantities import show
from onnes.procedures.ac_susceptibility_program import AcSusceptibilityProgram
from onnes.procedures.hysteresis_loop import HysteresisLoop
from onnes.procedures.moment_measurement import MomentMeasurement
from onnes.procedures.options import Prepare, compact
from onnes.procedures.residual_field import Residual, gate
from onnes.procedures.virgin_curve import VirginCurve
from onnes.procedures.zfc_fc import ZfcFc
from onnes.runner import block_parts, blocks
from onnes.runner.asked_values import AskedValues, lacks
from onnes.runner.build_electrical import magnet_options
from onnes.runner.filled import Filled
from onnes.runner.history_rules import HistoryRules
from onnes.runner.known_residual import known_residual, usual_source
from onnes.runner.moment_check import machine_of, refused_by, screening_emu, unlike_the_twin, without_numbers
from onnes.runner.plan_steps import Measure
from onnes.runner.problems import Place, choice
from onnes.runner.quantity_text import Sweep, Typed
from onnes.runner.sequence import Defaults
from onnes.runner.surroundings import Ledger, Surroundings

_LARGE_STEP_OE, _RELAX_S = 1000.0, 300.0  # a magnet relaxes for 5 min after such a change (seen)

_SCAN_KEYS = {
    "mode": "mode",
    "length": "length_cm",
    "scans": "scans",
    "frequency": "frequency_hz",
    "cycles": "cycles",
}


@dataclass(frozen=True)
class MomentBuilder:
    """Builds the measurements of moments of one sequence file."""

    around: Surroundings
    defaults: Defaults
    ledger: Ledger
    history: HistoryRules
    asked: AskedValues

    def measures(self, filled: Filled) -> Iterator[Measure]:
        """Yield the run that a block stands for; what is wrong goes to the ledger."""
        self.asked.field_rates(self.defaults.magnet, *filled.layers("magnet"))
        temperatures, fields = filled.get("temperature"), filled.get("field")
        if temperatures is None:
            self.ledger.refuse(filled.place, lacks(filled.name, "temperature", "2..45 K step 0.5 K"))
        if fields is None:
            self.ledger.refuse(filled.place, lacks(filled.name, "field", "5 Oe"))
        else:
            self.asked.fields(fields)
        self.asked.temperatures(temperatures)
        mount = self._mount(filled)
        if mount is None or temperatures is None or fields is None:
            return
        if isinstance(temperatures, Sweep) or isinstance(fields, Sweep):
            self._refuse_sweep(filled)
            return
        common = self._common(filled, mount, fields)
        if common is None:
            return
        if isinstance(filled.block, blocks.ZfcFc):
            yield from self._zfc_fc(filled, mount, common, temperatures, fields)
        else:
            yield from self._magnetization(filled, mount, common, temperatures, fields)

    def _zfc_fc(
        self,
        filled: Filled,
        mount: str,
        common: dict[str, Any],
        temperatures: tuple[Typed, ...],
        fields: tuple[Typed, ...],
    ) -> Iterator[Measure]:
        curves = filled.get("curves") or ("zfc", "fcc")
        if "fcw" in curves and "fcc" not in curves:
            self.ledger.refuse(
                filled.place,
                "L032: curves has fcw without fcc, whose cooling it begins with; expected e.g. "
                "'[zfc, fcc, fcw]'",
            )
            return
        yield from self._built(
            ZfcFc,
            mount,
            filled,
            common
            | {
                "fields_oe": compact([float(field) for field in fields]),
                "temperatures": compact([float(kelvin) for kelvin in temperatures]),
                "curves": compact(list(curves)),
            },
        )

    def _magnetization(
        self,
        filled: Filled,
        mount: str,
        common: dict[str, Any],
        temperatures: tuple[Typed, ...],
        fields: tuple[Typed, ...],
    ) -> Iterator[Measure]:
        curve = filled.get("curve")
        if curve is None:
            self.ledger.refuse(filled.place, lacks("magnetization", "curve", "virgin"))
            return
        given: dict[str, Any] = {
            "temperatures": compact([float(kelvin) for kelvin in temperatures]),
            "fields_oe": compact([float(field) for field in fields]),
        }
        if (wait := filled.get("wait")) is not None:
            given["wait_s"] = float(wait)
        quadrants = filled.get("quadrants")
        if quadrants is not None and curve == "virgin":
            self.ledger.refuse(filled.place, "quadrants belong to a loop; leave them out of a virgin curve")
            return
        if quadrants is not None:
            given["quadrants"] = quadrants
        yield from self._built(
            VirginCurve if curve == "virgin" else HysteresisLoop, mount, filled, common | given
        )

    def susceptibilities(
        self, filled: Filled, temperatures: Any, fields: tuple[Typed, ...], drives: dict[str, Any]
    ) -> Iterator[Measure]:
        """Yield the run of an alternating moment that MultiVu's sequence measures.

        Args:
            drives: amplitudes, frequencies and phase as the procedure takes them.
        """
        mount = self._mount(filled)
        if mount is None:
            return
        if isinstance(temperatures, Sweep):
            self._refuse_sweep(filled)
            return
        if tuple(filled.get("harmonics") or (1,)) != (1,):
            self.ledger.refuse(
                filled.place, f"L005: {mount} gives the first harmonic alone; leave 'harmonics' out"
            )
            return
        history = self.history.preparation(filled, mount)
        residual = self._residual(filled, mount, history["prepare"]) if history else None
        if residual is None:
            return
        given = self._shared(filled, mount, residual, self._magnet(filled)) | history | drives
        if (averaging := filled.get("averaging")) is not None:
            given["averaging_s"] = float(averaging)
        given |= {
            "temperatures": compact([float(kelvin) for kelvin in temperatures]),
            "fields_oe": compact([float(field) for field in fields]),
        }
        yield from self._built(AcSusceptibilityProgram, mount, filled, given)

    def _refuse_sweep(self, filled: Filled) -> None:
        self.ledger.refuse(
            filled.place,
            f"{filled.name} with a sweep; MultiVu's sequence measures a moment at a setpoint; "
            "e.g. '2..45 K step 0.5 K'",
        )

    def _built(
        self, build: type[MomentMeasurement], mount: str, filled: Filled, parameters: dict[str, Any]
    ) -> Iterator[Measure]:
        try:
            measurement = build(**parameters)
        except ValueError as error:
            self.ledger.refuse(filled.place, str(error))
            return
        if why := refused_by(self.around.station, mount, measurement.program()):
            self.ledger.refuse(filled.place, why)
            return
        yield Measure(measurement.kind, measurement.label(), mount, measurement)

    def _common(self, filled: Filled, mount: str, fields: tuple[Typed, ...]) -> dict[str, Any] | None:
        """Return what all of them take; None where something is wrong with it."""
        history = self.history.preparation(filled, mount)
        magnet = self._magnet(filled)
        self._look_at_the_approach(filled, magnet, fields)
        self._look_at_the_range(filled, mount, fields)
        if not history:
            return None
        residual = self._residual(filled, mount, history["prepare"])
        if residual is None or not self._gated(filled, residual, fields):
            return None
        given = self._shared(filled, mount, residual, magnet)
        return given | history | {"scan": compact(self._scan(filled, mount))}

    def _magnet(self, filled: Filled) -> dict[str, Any]:
        magnet = {"approach": "no_overshoot"} | magnet_options(self.defaults.magnet, *filled.layers("magnet"))
        if self.around.field_rate_oe_per_s is not None:
            magnet.setdefault("rate_oe_per_s", self.around.field_rate_oe_per_s)
        return magnet

    def _shared(
        self, filled: Filled, mount: str, residual: Residual, magnet: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what direct and alternating moments take."""
        self._look_at_the_mounting(filled, mount)
        return {
            "station_file": str(self.around.station_path),
            "magnetometer": mount,
            "magnet": compact(magnet),
            "residual": residual.to_json(),
            "temperature_rate_k_per_min": self.around.usual_rate_k_per_min(),
        }

    # -- where, how, and in which field

    def _mount(self, filled: Filled) -> str | None:
        name = self.around.magnetometer
        if name is None:
            self.ledger.refuse(
                filled.place,
                f"{filled.name} needs a magnetometer, and the station {self.around.station.name} has none; "
                "with leads on the sample, measure resistivity or isotherms",
            )
        elif name not in self.around.samples:
            self.ledger.refuse(
                filled.place,
                f"no sample is mounted on {name}; expected 'sample: {{{name}: NAME}}'; there are samples on "
                f"{', '.join(self.around.samples) or 'nothing'}",
            )
        else:
            return name
        return None

    def _scan(self, filled: Filled, mount: str) -> dict[str, Any]:
        """Return how a moment is measured; a mode that the machine does not have is refused."""
        merged: dict[str, Any] = {}
        for layer in (self.defaults.scan, *filled.layers("scan")):
            for key, name in _SCAN_KEYS.items():
                if (value := getattr(layer, key)) is not None:
                    merged[name] = float(value) if isinstance(value, Typed) else value
        machine = machine_of(self.around.station, mount)
        known = [] if machine is None else list(machine.timings)
        mode = merged.get("mode", Scan().mode)
        if mode not in known:
            self.ledger.refuse(
                filled.place,
                f"L005: {mount} cannot scan in the mode {mode}; expected {choice(known)}; "
                f"e.g. 'scan: {{mode: {known[0]}}}'",
            )
        return merged

    def _residual(self, filled: Filled, mount: str, prepare: str) -> Residual | None:
        told: dict[str, Any] = {}
        for layer in (self.defaults.prepare, *filled.layers("prepare")):
            for key in block_parts.Residual.model_fields:
                if (value := getattr(layer.residual, key)) is not None:
                    told[key] = value
        station = self.around.station
        source = told.get("from_") or usual_source(station)
        recipe = Prepare.from_json(prepare)
        given: dict[str, Any] = {"from": source, "correct": told.get("correct", source != "estimate")}
        if isinstance(accept := told.get("accept"), Typed):
            if float(accept) >= 1.0:
                self.ledger.refuse(
                    accept.place,
                    f"accept = {accept.text} would take a residual field as large as the measuring field; "
                    "expected less than 100 %, e.g. '5 %'",
                )
                return None
            given["accept"] = float(accept)
        try:
            known = known_residual(station, mount, source, recipe.approach, recipe.degauss_from_oe or 0.0)
            return Residual.from_json(compact(given | dict(known)))
        except (ValueError, ConfigurationError) as error:
            self.ledger.refuse(filled.place, str(error))
            return None

    def _gated(self, filled: Filled, residual: Residual, fields: tuple[Typed, ...]) -> bool:
        """Refuse measuring fields that the residual field spoils, each at its place; say whether none is."""
        spoilt: dict[Place, str] = {}
        for field in self._measuring(filled, fields):
            if field.number == 0:
                spoilt[field.place] = (
                    f"{filled.name} in a measuring field of 0 Oe: there is nothing to screen or to trap; "
                    "expected e.g. '5 Oe'"
                )
                continue
            try:
                gate(residual, float(field))
            except ValueError as error:
                spoilt.setdefault(field.place, f"L031: {error}")
        for place, text in spoilt.items():
            self.ledger.refuse(place, text)
        return not spoilt

    def _measuring(self, filled: Filled, fields: tuple[Typed, ...]) -> Iterable[Typed]:
        """Return the fields that the residual field must be small against."""
        if filled.name == "zfc_fc":
            return fields
        return [field for field in fields if field.number != 0][:1]

    def _look_at_the_approach(
        self, filled: Filled, magnet: dict[str, Any], fields: tuple[Typed, ...]
    ) -> None:
        if magnet["approach"] != "no_overshoot":
            self._say(
                filled,
                f"L034: the field is approached {magnet['approach']}; an overshoot stays in the sample; "
                "expected no_overshoot",
            )
        wait_s = magnet.get("then_wait_s")
        largest = max(abs(float(field)) for field in fields)
        if wait_s is not None and wait_s < _RELAX_S and filled.name == "zfc_fc" and largest > _LARGE_STEP_OE:
            self._say(
                filled,
                f"L035: {wait_s:.9g} s after a change to {show(largest, 'field', 'Oe')}, and the magnet "
                f"relaxes for {_RELAX_S:.9g} s; expected 'then_wait: 5 min'",
            )

    def _look_at_the_mounting(self, filled: Filled, mount: str) -> None:
        sample, name = self.around.samples[mount], self.around.mounting
        mounted = sample.mounting.get(name or "")
        if sample.geometry.shape == "film" and (mounted is None or mounted.axis is None):
            which = "mounting.NAME" if name is None else f"mounting.{name}"
            self._say(
                filled,
                f"L081: the film {sample.id} is mounted without an axis, and its moments differ by 4e4 "
                f"between them; give {which}.axis in its file",
            )
        elif lacks_what := without_numbers(sample, name):
            self._say_once(
                filled,
                f"L082: {sample.id} will have moments and no Hc1 or susceptibility inside: {lacks_what}; "
                "`onnes analyse NIGHT --sample` makes them when the file says it",
            )
        if self.around.station.backend == "simulated" and (why := unlike_the_twin(sample, name)):
            self._say_once(filled, f"L085: {why}; leave it to the real machine")

    def _look_at_the_range(self, filled: Filled, mount: str, fields: tuple[Typed, ...]) -> None:
        """Warn of a ZFC moment beyond the range; the fields of a loop go beyond what a body screens."""
        sample, machine = self.around.samples[mount], machine_of(self.around.station, mount)
        largest = max(fields, key=lambda field: abs(field.number))
        emu = screening_emu(sample, self.around.mounting, float(largest))
        if filled.name != "zfc_fc" or machine is None or emu is None or emu <= machine.largest_emu:
            return
        text = (
            f"{sample.id} would have a moment of {emu:.3g} emu if it screened all of "
            f"{show(largest.number, 'field', 'Oe')}, beyond {machine.largest_emu:.9g} emu, the range of the "
            f"{machine.name}; take a smaller field or a smaller piece"
        )
        self.ledger.messages.append((largest.place, text))

    def _say_once(self, filled: Filled, text: str) -> None:
        if all(said != text for _, said in self.ledger.messages):
            self._say(filled, text)

    def _say(self, filled: Filled, text: str) -> None:
        self.ledger.messages.append((filled.place, text))
