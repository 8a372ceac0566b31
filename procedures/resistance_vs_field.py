"""Resistance against field at several temperatures: isotherms, settled or swept, up and down."""

import json
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.experiment import BooleanParameter, JsonParameter, ListParameter
from onnes.procedures.measurement import Setpoint
from onnes.procedures.options import Reference, numbers
from onnes.procedures.programs import Pass, Program, Steps, Sweep, extended_field, field_program, passes
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.resistance_session import SELF_HEATING, Session
from onnes.procedures.settling import field_criterion
from onnes.procedures.symmetrised import symmetrised
from onnes.procedures.take_up import FIELD, FROM_THE_START, TakeUp, left_at, run_up, side, standing_flags
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
    program_unit: ClassVar[str] = "Oe"

    temperatures: str = JsonParameter("Temperatures", _temperatures, default=[300.0])
    field_program: str = JsonParameter("Field program", field_program, default={"setpoints_oe": [0.0]})
    both_directions: bool = BooleanParameter("Both directions", default=True)
    order: str = ListParameter("Order", choices=["interleaved", "as_written"], default="interleaved")
    symmetrise: str = ListParameter("Symmetrise", choices=["auto", "true", "false"], default="auto")
    reference: str = JsonParameter("Reference", Reference.from_json, default="{}")

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if a symmetrised table is asked for of fields that have no partner, or a reference
                where the sample has a history.
        """
        if self.symmetrise == "true" and not self._is_symmetric():
            raise ValueError(
                "Symmetrise is true, but the field program does not go both ways over a range symmetric "
                "about 0 Oe; use auto, or fields from -H to +H with both directions"
            )
        kelvin = Reference.from_json(self.reference).temperature_k
        if kelvin is not None and kelvin < self.path_below_k:
            raise ValueError(
                f"reference.temperature_k = {kelvin:.9g} K is below {self.path_below_k:.9g} K, where a point "
                "hangs on the history of the sample; choose a reference above"
            )

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        start = take_up or FROM_THE_START
        program = field_program(self.field_program)
        temperatures = _temperatures(self.temperatures)
        reference = Reference.from_json(self.reference)
        if take_up is None:
            self.contacts = None
        session = Session(self, station, clock)
        session.check(
            [*temperatures, *_only(reference.temperature_k)],
            [*program.ends(), *_only(reference.field_oe)],
            rate_oe_per_s=program.rate if isinstance(program, Sweep) else None,
            is_prepared=any(self._is_path(kelvin) for kelvin in temperatures),
        )
        session.go_on_with(start.flags)
        try:
            if self.self_heating_check and start.is_at_start:
                yield from session.at_field(self._leg(0).targets()[0])
                yield from session.check_heating(min(temperatures))
            for first, kelvin in self._isotherms(start.curve):
                self._first_curve = first
                is_open = first <= start.curve
                self._open_leg = start.curve - first if is_open else 0
                if not (is_open and self._is_kept(start, first, kelvin)):
                    yield from self._reference_point(session, reference)
                    from_oe = self._from_oe(start) if take_up is not None and is_open else None
                    if self._is_path(kelvin):
                        yield from session.prepare(kelvin)
                    if from_oe is not None:  # taken up: come from where an undisturbed curve comes
                        yield from session.at_field(from_oe)
                    if from_oe is None or not start.done:
                        yield from session.at_field(self._leg(self._open_leg).targets()[0])
                yield from session.at_temperature(kelvin)
                session.start_source()
                for leg in range(self._open_leg, len(self.legs())):
                    self._open_leg = leg
                    is_next = first + leg == start.curve
                    done, last = (start.done, start.last) if is_next else (0, math.nan)
                    yield from self._curve(session, leg, first + leg, kelvin, done, last)
            yield from self._reference_point(session, reference)
            self._open_leg = len(self.legs())
        finally:
            session.stop_source()

    def _curve(
        self, session: Session, leg: int, curve: int, kelvin: float, done: int, last: float
    ) -> Iterator[Point | Event]:
        part = self._leg(leg)
        if isinstance(part, Sweep):
            yield from session.at_field(run_up(part, last).start if done else part.start)
            yield from session.at_temperature(kelvin)
            yield from session.field_sweep(lambda: self.sweep(leg), curve, kelvin, last)
            return
        while done < len(values := self._leg(leg).targets()):
            yield from session.at_field(values[done])
            yield from session.settled_point(_direction(self.legs()[leg]), curve, kelvin, values[done])
            done += 1

    def _reference_point(self, session: Session, reference: Reference) -> Iterator[Point | Event]:
        if reference.temperature_k is None or reference.field_oe is None:
            return
        yield from session.at_field(reference.field_oe)
        yield from session.at_temperature(reference.temperature_k)
        session.start_source()
        yield from session.settled_point("reference", 0, reference.temperature_k, reference.field_oe)

    # -- program

    def legs(self) -> list[Pass]:
        """Return the passes of the program as it stands: each is a curve of each isotherm."""
        return passes(field_program(self.field_program), both_directions=self.both_directions)

    def _leg(self, leg: int) -> Program:
        return self.legs()[leg].program

    def _move_end(self, end: float) -> None:
        before = self.field_program
        self.field_program = extended_field(before, end)
        try:
            self.check()
        except ValueError:
            self.field_program = before
            raise

    def _ordered(self) -> list[float]:
        written = list(_temperatures(self.temperatures))
        return written if self.order == "as_written" else written[::2] + written[1::2][::-1]

    def _isotherms(self, from_curve: int = 1) -> list[tuple[int, float]]:
        """Return (number of the first curve, temperature in K) of each isotherm from ``from_curve`` on."""
        count = len(self.legs())
        every = [(1 + n * count, kelvin) for n, kelvin in enumerate(self._ordered())]
        return [(first, kelvin) for first, kelvin in every if first + count > from_curve]

    def _is_path(self, kelvin: float) -> bool:
        return kelvin < self.path_below_k

    # -- where it goes on

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:
        """Return where to go on after a break; see :meth:`Measurement.take_up`.

        Below ``path_below_k`` an isotherm that was begun is prepared and measured again, that one alone.
        """
        found = self._take_up(stored, history_kept=history_kept)
        return found and replace(found, flags=standing_flags(stored, (SELF_HEATING,)))

    def _take_up(self, stored: pd.DataFrame, *, history_kept: bool) -> TakeUp | None:
        count = len(self.legs())
        left = left_at(stored, self.legs(), FIELD, lambda field_oe: field_criterion(field_oe, 0.0).within)
        if left.curve > count * len(self._ordered()):
            if self.reference == "{}" or _is_reference(stored.iloc[-1]):
                return None
            return TakeUp("free", left.curve, 0, math.nan, 0.0, "only the last reference is left")
        first, kelvin = self._isotherms(left.curve)[0]
        at = f"curve {left.curve} at {kelvin:.6g} K"
        is_stepped = isinstance(self._leg(left.curve - first), Steps)
        if self._is_path(kelvin) and history_kept and is_stepped and (left.done or left.curve > first):
            message = f"{at} goes on where it stands: the sample has kept its history"
            found = TakeUp("free", left.curve, left.done, left.last, 0.0, message)
        elif not self._is_path(kelvin):
            where = f"goes on after {left.last:.6g} Oe" if left.done else "begins"
            message = f"{at} {where}, approached from the same side"
            found = TakeUp("free", left.curve, left.done, left.last, 0.0, message)
        else:
            curves = f"curve {first}" if count == 1 else f"curves {first} to {first + count - 1}"
            message = (
                f"{curves} at {kelvin:.6g} K: prepared and measured from the start, "
                f"because below {self.path_below_k:.6g} K they have a history"
            )
            found = TakeUp("path", first, 0, math.nan, 0.0, message)
        undisturbed_s = self._rest_s(left.curve, left.done, left.last)
        return replace(found, cost_s=self.remaining_s(found) - undisturbed_s)

    def _is_kept(self, start: TakeUp, first: int, kelvin: float) -> bool:
        """Say whether an isotherm with a history goes on where it stands, because the sample has kept it."""
        begun = start.done > 0 or start.curve > first
        return begun and start.rule == "free" and self._is_path(kelvin)

    def _from_oe(self, start: TakeUp) -> float | None:
        """Return the field from which the next point is approached, Oe; None where it does not matter."""
        first, kelvin = self._isotherms(start.curve)[0]
        if self._is_path(kelvin):
            return None
        leg = start.curve - first
        part = self._leg(leg)
        if isinstance(part, Sweep) and start.done:
            return run_up(part, start.last).start
        reference = Reference.from_json(self.reference)
        before = [item.program for item in self.legs()]
        earlier: list[Program] = [*before[:leg]]
        if reference.field_oe is not None:
            earlier = [Steps((reference.field_oe,)), *earlier]
        elif first > 1:
            earlier = [*before, *earlier]
        if isinstance(part, Steps):
            earlier.append(part.first(start.done))
        return side(earlier, part.targets()[start.done])

    # -- plan

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured."""
        reference = Reference.from_json(self.reference)
        marks = []
        if reference.temperature_k is not None and reference.field_oe is not None:
            marks = [Setpoint(reference.temperature_k, reference.field_oe, "reference", 0)]
        plan = []
        for first, kelvin in self._isotherms():
            plan += marks
            for curve, leg in enumerate(self.legs(), start=first):
                plan += [
                    Setpoint(kelvin, field_oe, _direction(leg), curve) for field_oe in leg.program.targets()
                ]
        return plan + marks

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, s."""
        start = take_up or FROM_THE_START
        seconds = self._rest_s(start.curve, start.done, start.last)
        if start.is_at_start:
            seconds += self._heating_s()
        isotherms = self._isotherms(start.curve)
        if take_up is None or not isotherms:
            return seconds
        first, kelvin = isotherms[0]
        if start.curve > first or start.done:  # a new isotherm begins with all of this anyway
            seconds += self.temperature_settle_s(kelvin) + self._reference_s(kelvin)
        from_oe = self._from_oe(start)
        if from_oe is None:
            return seconds
        part = self._leg(start.curve - first)
        if isinstance(part, Sweep) and start.done:
            return seconds + abs(start.last - from_oe) / part.per_s
        return seconds + self.field_step_s(from_oe, part.targets()[start.done], kelvin)

    def _heating_s(self) -> float:
        """Return about how long self-heating is looked for before the first isotherm, s."""
        lowest_k, first_k = min(_temperatures(self.temperatures)), self._ordered()[0]
        if not self.self_heating_check or lowest_k == first_k:
            return self.heating_s()
        way_s = self.temperature_ramp_s(lowest_k, first_k) + self.temperature_settle_s(lowest_k)
        return way_s + self.heating_s()

    def _reference_s(self, kelvin: float) -> float:
        """Return about how long the reference takes on the way to ``kelvin``, there and back, s."""
        reference = Reference.from_json(self.reference).temperature_k
        if reference is None:
            return 0.0
        way_s = self.temperature_ramp_s(kelvin, reference) + self.temperature_ramp_s(reference, kelvin)
        return way_s + self.temperature_settle_s(reference) + self.point_s()

    def _rest_s(self, curve: int, done: int, last: float) -> float:
        """Return about how long what is left takes from its first setpoint on, s."""
        seconds = self._reference_s(self._ordered()[-1])
        at_k = at_oe = None
        for first, kelvin in self._isotherms(curve):
            if curve <= first and not (done and curve == first):
                seconds += self.temperature_settle_s(kelvin) + self._reference_s(kelvin)
                seconds += self.prepare_s(kelvin) if self._is_path(kelvin) else 0.0
            seconds += 0.0 if at_k is None else self.temperature_ramp_s(at_k, kelvin)
            at_k = kelvin
            for number, leg in enumerate(self.legs(), start=first):
                if number < curve:
                    continue
                part = leg.program
                is_open = number == curve and done > 0
                if isinstance(part, Sweep):
                    if not is_open:
                        seconds += 0.0 if at_oe is None else self.field_step_s(at_oe, part.start, kelvin)
                    seconds += part.short_by(last) / part.per_s if is_open else part.duration_s
                    at_oe = part.end
                    continue
                for field_oe in part.values[done if is_open else 0 :]:
                    seconds += 0.0 if at_oe is None else self.field_step_s(at_oe, field_oe, kelvin)
                    seconds += self.point_s()
                    at_oe = field_oe
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
        legs = self.legs()
        rising = {field_oe for leg in legs if leg.rises is True for field_oe in leg.program.ends()}
        falling = {field_oe for leg in legs if leg.rises is False for field_oe in leg.program.ends()}
        return len(rising) > 1 and falling == {-field_oe for field_oe in rising}


def _direction(leg: Pass) -> str:
    return "settled" if leg.rises is None else "rising" if leg.rises else "falling"


def _only(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _is_reference(row: pd.Series) -> bool:
    return bool(row["Curve"] == 0)
