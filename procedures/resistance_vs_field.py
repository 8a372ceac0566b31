"""Resistance against field at several temperatures: isotherms, settled or swept, up and down."""

import json
from collections.abc import Generator, Iterator, Mapping
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.experiment import BooleanParameter, JsonParameter, ListParameter
from onnes.procedures.measurement import Setpoint
from onnes.procedures.options import numbers
from onnes.procedures.programs import Pass, Sweep, field_program, passes
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.resistance_session import Session
from onnes.procedures.symmetrised import symmetrised
from onnes.procedures.watch import MeasuringStation


def _temperatures(text: str) -> tuple[float, ...]:
    return numbers("temperatures", json.loads(text))


class ResistanceVsField(ResistanceMeasurement):
    """R(H) at each of several temperatures, one set with one current and one range.

    Every second temperature is taken on the way up and the rest on the way down (``order``), so that a drift
    of contacts or thermometers does not look like a temperature dependence. The field goes to its start
    before the temperature settles, once an isotherm; at each field point the temperature is judged on what
    was read since.
    """

    kind: ClassVar[str] = "resistivity-field"

    temperatures: str = JsonParameter("Temperatures", _temperatures, default=[300.0])
    field_program: str = JsonParameter("Field program", field_program, default={"setpoints_oe": [0.0]})
    both_directions: bool = BooleanParameter("Both directions", default=True)
    order: str = ListParameter("Order", choices=["interleaved", "as_written"], default="interleaved")
    symmetrise: str = ListParameter("Symmetrise", choices=["auto", "true", "false"], default="auto")

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if a symmetrised table is asked for of fields that have no partner.
        """
        if self.symmetrise == "true" and not self._is_symmetric():
            raise ValueError(
                "Symmetrise is true, but the field program does not go both ways over a range symmetric "
                "about 0 Oe; use auto, or fields from -H to +H with both directions"
            )

    def points(self, station: MeasuringStation, clock: Clock) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        program = field_program(self.field_program)
        session = Session(self, station, clock)
        session.check(
            _temperatures(self.temperatures),
            program.ends(),
            rate_oe_per_s=program.rate if isinstance(program, Sweep) else None,
        )
        legs = self._passes()
        start_oe = program.targets()[0]
        curve = 0
        try:
            for kelvin in self._ordered():
                yield from session.at_field(start_oe)
                yield from session.at_temperature(kelvin)
                if curve == 0:
                    session.start_source()
                for leg in legs:
                    curve += 1
                    yield from self._isotherm(session, leg, curve, kelvin)
        finally:
            session.stop_source()

    def _isotherm(self, session: Session, leg: Pass, curve: int, kelvin: float) -> Iterator[Point | Event]:
        part = leg.program
        if isinstance(part, Sweep):
            yield from session.at_field(part.start)
            yield from session.at_temperature(kelvin)
            yield from session.field_sweep(part, curve, kelvin)
            return
        for field_oe in part.values:
            yield from session.at_field(field_oe)
            yield from session.settled_point(_direction(leg), curve, kelvin, field_oe)

    def _passes(self) -> list[Pass]:
        return passes(field_program(self.field_program), both_directions=self.both_directions)

    def _ordered(self) -> list[float]:
        written = list(_temperatures(self.temperatures))
        return written if self.order == "as_written" else written[::2] + written[1::2][::-1]

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured."""
        plan = []
        curve = 0
        for kelvin in self._ordered():
            for leg in self._passes():
                curve += 1
                plan += [
                    Setpoint(kelvin, field_oe, _direction(leg), curve) for field_oe in leg.program.targets()
                ]
        return plan

    def duration_s(self) -> float:
        """Return about how long the measurement takes from its first setpoint on, s."""
        seconds = 0.0
        at_k = at_oe = None
        for kelvin in self._ordered():
            seconds += self.temperature_settle_s(kelvin)
            seconds += 0.0 if at_k is None else self.temperature_ramp_s(at_k, kelvin)
            at_k = kelvin
            for leg in self._passes():
                part = leg.program
                for field_oe in part.ends()[:1] if isinstance(part, Sweep) else part.values:
                    seconds += 0.0 if at_oe is None else self.field_step_s(at_oe, field_oe, kelvin)
                    at_oe = field_oe
                if isinstance(part, Sweep):
                    seconds += part.duration_s
                    at_oe = part.end
                else:
                    seconds += self.point_s() * len(part.values)
        return seconds

    def label(self) -> str:
        """Return the range of temperatures, for the name of the folder."""
        temperatures = _temperatures(self.temperatures)
        low, high = min(temperatures), max(temperatures)
        return f"{low:.9g}K" if low == high else f"{low:.9g}K-{high:.9g}K"

    def derived(self, frame: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
        """Return the symmetrised table if the fields have partners: R(+H, rising) with R(-H, falling)."""
        if self.symmetrise == "false" or not self._is_symmetric():
            return {}
        return {"symmetrised": symmetrised(frame)}

    def _is_symmetric(self) -> bool:
        legs = self._passes()
        rising = {field_oe for leg in legs if leg.rises is True for field_oe in leg.program.ends()}
        falling = {field_oe for leg in legs if leg.rises is False for field_oe in leg.program.ends()}
        return len(rising) > 1 and falling == {-field_oe for field_oe in rising}


def _direction(leg: Pass) -> str:
    return "settled" if leg.rises is None else "rising" if leg.rises else "falling"
