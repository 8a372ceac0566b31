"""Resistance against temperature at one field, settled or swept."""

from collections.abc import Generator
from typing import ClassVar

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.experiment import FloatParameter, JsonParameter
from onnes.procedures.measurement import Setpoint
from onnes.procedures.programs import Pass, Sweep, passes, temperature_program
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.resistance_session import Session
from onnes.procedures.watch import MeasuringStation


class ResistanceVsTemperature(ResistanceMeasurement):
    """R(T) at one field: settled at each temperature, or while it ramps; one way or there and back.

    The field is set at the first temperature. The sample lags behind the thermometer while sweeping: measured
    both ways, the analysis can take that out.
    """

    kind: ClassVar[str] = "resistivity-temperature"

    temperature_program: str = JsonParameter(
        "Temperature program", temperature_program, default={"setpoints_k": [300.0]}
    )
    field_oe: float = FloatParameter("Field", units="Oe", minimum=-2e5, maximum=2e5, default=0.0)

    def points(self, station: MeasuringStation, clock: Clock) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        program = temperature_program(self.temperature_program)
        first = program.targets()[0]
        session = Session(self, station, clock)
        session.check(
            program.ends(),
            [self.field_oe],
            rate_k_per_min=program.rate if isinstance(program, Sweep) else None,
        )
        try:
            yield from session.at_temperature(first)
            yield from session.at_field(self.field_oe)
            session.start_source()
            for curve, leg in enumerate(self._passes(), start=1):
                part = leg.program
                if isinstance(part, Sweep):
                    yield from session.at_temperature(part.start)
                    yield from session.temperature_sweep(part, curve, self.field_oe)
                else:
                    for kelvin in part.values:
                        yield from session.settled_point("settled", curve, kelvin, self.field_oe)
        finally:
            session.stop_source()

    def _passes(self) -> list[Pass]:
        return passes(temperature_program(self.temperature_program), both_directions=self.both_directions)

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured."""
        plan = []
        for curve, leg in enumerate(self._passes(), start=1):
            is_swept = isinstance(leg.program, Sweep)
            direction = ("warming" if leg.rises else "cooling") if is_swept else "settled"
            plan += [Setpoint(kelvin, self.field_oe, direction, curve) for kelvin in leg.program.targets()]
        return plan

    def duration_s(self) -> float:
        """Return about how long the measurement takes from its first setpoint on, s."""
        seconds = 0.0
        at: float | None = None
        for leg in self._passes():
            part = leg.program
            if isinstance(part, Sweep):
                seconds += self.temperature_settle_s(part.start) + part.duration_s
                continue
            for kelvin in part.values:
                if kelvin != at:
                    seconds += self.temperature_settle_s(kelvin)
                    seconds += 0.0 if at is None else self.temperature_ramp_s(at, kelvin)
                seconds += self.point_s()
                at = kelvin
        return seconds

    def label(self) -> str:
        """Return the field, for the name of the folder."""
        return f"{self.field_oe + 0.0:.9g}Oe"  # no "-0Oe"
