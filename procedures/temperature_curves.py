"""Something against temperature at each of several fields: what such measurements share."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.experiment import BooleanParameter, JsonParameter
from onnes.procedures.measurement import Setpoint
from onnes.procedures.options import Settle
from onnes.procedures.programs import Pass, Steps, Sweep, passes, temperature_program
from onnes.procedures.setpoint_lists import fields_of, spread
from onnes.procedures.setpoint_measurement import SetpointMeasurement
from onnes.procedures.setpoint_session import SetpointSession
from onnes.procedures.settling import temperature_criterion
from onnes.procedures.susceptibility_point import SusceptibilityPoint
from onnes.procedures.take_up import FROM_THE_START, SweptColumns, TakeUp, left_at, run_up, side
from onnes.procedures.watch import MeasuringStation

REFERENCE = "normal"  # the branch that hangs on no history: it is taken above the transition

_COLUMNS = SweptColumns("Temperature setpoint (K)", "Temperature (K)", "Temperature (K)")


@dataclass(frozen=True, slots=True)
class TemperatureCurve:
    """One pass over temperatures at ``field_oe``, Oe."""

    field_oe: float
    branch: str
    leg: Pass

    @property
    def start_k(self) -> float:
        """Return the first temperature, K."""
        return self.leg.program.targets()[0]

    @property
    def direction(self) -> str:
        """Return how the temperature goes while points are taken."""
        if isinstance(self.leg.program, Steps):
            return "settled"
        return "warming" if self.leg.rises else "cooling"


class CurveSession(SetpointSession):
    """A session that takes what belongs to one temperature, at rest or on the way."""

    def start_source(self) -> None:
        """Switch on what drives the sample, unless it is on."""
        raise NotImplementedError

    def take_at(
        self, number: int, curve: TemperatureCurve, kelvin: float, taken: int = 0
    ) -> Iterator[ConductancePoint | SusceptibilityPoint]:
        """Take the points that belong to ``kelvin``, K, after the first ``taken``; NaN in a sweep."""
        raise NotImplementedError


class TemperatureCurves(SetpointMeasurement):
    """Base of the measurements against temperature at one field after the other.

    The source is at zero while the field changes. Where the first curve of a field begins below
    ``path_below_k``, the sample is prepared and the field set after it was cooled; one that begins above is
    cooled in its field.
    """

    temperature_program: str = JsonParameter(
        "Temperature program", temperature_program, default={"setpoints_k": [4.2]}
    )
    fields_oe: str = JsonParameter("Fields", fields_of, default=[0.0])
    both_directions: bool = BooleanParameter("Both directions", default=False)

    def legs(self) -> list[tuple[str, Pass]]:
        """Return branch and pass of each curve of one field, in the order measured."""
        raise NotImplementedError

    def point_s(self) -> float:
        """Return about how long what belongs to one temperature takes, s."""
        raise NotImplementedError

    def field_of(self, branch: str, field_oe: float) -> float:  # noqa: ARG002 - for subclasses
        """Return in which field a curve of the group of ``field_oe`` is taken, Oe."""
        return field_oe

    def rows_at(self, branch: str) -> int:  # noqa: ARG002 - for subclasses
        """Return how many points belong to one temperature."""
        return 1

    def _session(self, station: MeasuringStation, clock: Clock) -> CurveSession:
        raise NotImplementedError

    def _whole(self, stored: pd.DataFrame) -> pd.DataFrame:
        """Return one row for each temperature whose points are all stored."""
        return stored

    def _taken(self, stored: pd.DataFrame, number: int, done: int) -> int:  # noqa: ARG002 - for subclasses
        """Return how many points of the temperature after ``done`` of curve ``number`` are stored."""
        return 0

    def passes(self) -> list[Pass]:
        """Return the passes of the temperature program."""
        return passes(temperature_program(self.temperature_program), both_directions=self.both_directions)

    def planned(self) -> list[TemperatureCurve]:
        """Return all curves, in the order measured."""
        return [
            TemperatureCurve(self.field_of(branch, field_oe), branch, leg)
            for field_oe in fields_of(self.fields_oe)
            for branch, leg in self.legs()
        ]

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        start = take_up or FROM_THE_START
        program = temperature_program(self.temperature_program)
        curves = self.planned()
        session = self._session(station, clock)
        session.check(
            [kelvin for curve in curves for kelvin in curve.leg.program.ends()],
            fields_of(self.fields_oe),
            rate_k_per_min=program.rate if isinstance(program, Sweep) else None,
            is_prepared=any(self._is_prepared(curves, number) for number in range(1, len(curves) + 1)),
        )
        try:
            for number, curve in enumerate(curves[start.curve - 1 :], start=start.curve):
                is_next = number == start.curve
                done, last = (start.done, start.last) if is_next else (0, math.nan)
                if is_next or curves[number - 2].field_oe != curve.field_oe:
                    session.stop_source()
                if done == 0 and self._is_prepared(curves, number):
                    yield from session.prepare(curve.start_k)
                yield from session.at_temperature(_first_k(curve, done, last))
                yield from session.at_field(curve.field_oe)
                yield from self._curve(session, number, curve, start if is_next else FROM_THE_START)
        finally:
            session.close()

    def _curve(
        self, session: CurveSession, number: int, curve: TemperatureCurve, start: TakeUp
    ) -> Iterator[Point | Event]:
        part = curve.leg.program
        if isinstance(part, Sweep):
            session.start_source()
            yield from session.ramp_temperature(
                lambda: part,
                lambda: session.take_at(number, curve, math.nan),
                lambda point: point.temperature,
                start.last,
            )
            return
        for place, kelvin in enumerate(part.values[start.done :]):
            yield from session.at_temperature(kelvin)
            session.start_source()
            yield from session.take_at(number, curve, kelvin, 0 if place else start.taken)

    def _is_prepared(self, curves: list[TemperatureCurve], number: int) -> bool:
        """Say whether the sample is prepared before curve ``number``."""
        curve = curves[number - 1]
        return curve.start_k < self.path_below_k and number == self._first_with_history(number)

    def _first_with_history(self, number: int) -> int:
        """Return the number of the first curve of the same field that is no reference."""
        branches = [branch for branch, _ in self.legs()]
        first = next(place for place, branch in enumerate(branches) if branch != REFERENCE)
        return number - (number - 1) % len(branches) + first

    # -- where it goes on

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:
        """Return where to go on after a break; see :meth:`Measurement.take_up`.

        A temperature of which points are missing goes on with those. A curve that hangs on its history is
        measured again with all of its field, unless the sample has kept it.
        """
        curves = self.planned()
        settle = Settle.from_json(self.settle)
        left = left_at(
            self._whole(stored) if len(stored) else stored,
            [leg for _, leg in self.legs()],
            _COLUMNS,
            lambda kelvin: temperature_criterion(kelvin, settle).within,
        )
        if left.curve > len(curves):
            return None
        if stored.empty:
            return FROM_THE_START
        number, curve = left.curve, curves[left.curve - 1]
        first = self._first_with_history(number)
        is_stepped = isinstance(curve.leg.program, Steps)
        begins = left.done == 0 and number <= first  # with whatever history it is given then
        cold = (left.last if left.done else curve.start_k) < self.path_below_k
        taken = self._taken(stored, number, left.done) if is_stepped else 0
        if begins or not cold or (history_kept and is_stepped):
            where = f"goes on after {left.last:.6g} K" if left.done else "begins"
            message = f"curve {number} at {curve.field_oe:.6g} Oe {where}"
            found = TakeUp("free", number, left.done, left.last, 0.0, message, taken=taken)
            if begins and taken:  # it is prepared again, and what was taken of its first temperature too
                found = replace(found, rule="path", taken=0)
        else:
            which = f"curve {first}" if first == number else f"curves {first} to {number}"
            message = (
                f"{which} at {curve.field_oe:.6g} Oe: measured again from the start, "
                f"because below {self.path_below_k:.6g} K they have a history"
            )
            found = TakeUp("path", first, 0, math.nan, 0.0, message)
        rest_s = self._rest_s(curves, left.curve, left.done, left.last)
        return replace(found, cost_s=self.remaining_s(found) - rest_s)

    def extend(self, end: float) -> int:
        """Refuse: the curves are fixed.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"curves cannot be extended to {end:.9g} K: add a block to the sequence")

    # -- plan

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured: one entry for each point."""
        return [
            Setpoint(kelvin, curve.field_oe, curve.direction, number)
            for number, curve in enumerate(self.planned(), start=1)
            for kelvin in curve.leg.program.targets()
            for _ in range(self.rows_at(curve.branch))
        ]

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, s."""
        start = take_up or FROM_THE_START
        curves = self.planned()
        seconds = self._rest_s(curves, start.curve, start.done, start.last)
        if not start.done:
            return seconds
        curve = curves[start.curve - 1]
        first_k, part = _first_k(curve, start.done, start.last), curve.leg.program
        seconds += self.temperature_settle_s(first_k)
        if isinstance(part, Sweep):
            return seconds + abs(start.last - first_k) / part.per_s
        return seconds + self.temperature_ramp_s(first_k, part.values[start.done])

    def _rest_s(self, curves: list[TemperatureCurve], first: int, done: int, last: float) -> float:
        """Return about how long what is left takes, s."""
        seconds = 0.0
        at: tuple[float, float] | None = None
        for number, curve in enumerate(curves[first - 1 :], start=first):
            part = curve.leg.program
            is_open = number == first and done > 0
            if not is_open and self._is_prepared(curves, number):
                seconds += self.prepare_s(curve.start_k)
            if at is not None:
                seconds += self.field_step_s(at[1], curve.field_oe, curve.start_k)
                seconds += self.temperature_ramp_s(at[0], curve.start_k)
            at = part.targets()[-1], curve.field_oe
            if isinstance(part, Sweep):
                whole_s = self.temperature_settle_s(part.start) + part.duration_s
                seconds += part.short_by(last) / part.per_s if is_open else whole_s
                continue
            before: float | None = None
            for kelvin in part.values[done if is_open else 0 :]:
                seconds += self.temperature_settle_s(kelvin) + self.point_s() * self.rows_at(curve.branch)
                seconds += 0.0 if before is None else self.temperature_ramp_s(before, kelvin)
                before = kelvin
        return seconds

    def label(self) -> str:
        """Return the range of fields, for the name of the folder."""
        return spread(fields_of(self.fields_oe), "Oe")


def _first_k(curve: TemperatureCurve, done: int, last: float) -> float:
    """Return the temperature to go to first, K: that from which the next point is approached."""
    part = curve.leg.program
    if not done:
        return curve.start_k
    if isinstance(part, Sweep):
        return run_up(part, last).start
    value = part.values[done]
    from_k = side([part.first(done)], value)
    return value if from_k is None else from_k
