"""Resistance against field at several temperatures: isotherms, settled or swept, up and down."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.fine_isotherms import FineField, crossing_oe
from onnes.procedures.fine_pass import CoarsePoint, fine_event
from onnes.procedures.isotherm_program import IsothermProgram, direction_of
from onnes.procedures.options import Reference
from onnes.procedures.programs import Program, Steps, Sweep, extended_field, field_program
from onnes.procedures.resistance_session import Session
from onnes.procedures.setpoint_lists import temperatures_of
from onnes.procedures.settling import field_criterion
from onnes.procedures.take_up import (
    FIELD,
    FROM_THE_START,
    Left,
    TakeUp,
    left_at,
    run_up,
    side,
)
from onnes.procedures.watch import MeasuringStation


class ResistanceVsField(IsothermProgram):
    """R(H) at each of several temperatures, one set with one current and one range.

    Every second temperature is taken on the way up and the rest on the way down (``order``), so that a drift
    of contacts or thermometers does not look like a temperature dependence. The field goes to its start
    before the temperature settles, once an isotherm; at each field point the temperature is judged on what
    was read since.
    """

    kind: ClassVar[str] = "resistivity-field"
    program_unit: ClassVar[str] = "Oe"

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        start = take_up or FROM_THE_START
        program = field_program(self.field_program)
        temperatures = temperatures_of(self.temperatures)
        reference = Reference.from_json(self.reference)
        if take_up is None:
            self.contacts = None
        session = Session(self, station, clock)
        self._is_fine = False
        self._forget_coarse(start)
        fine_ends = [field_oe for leg in self.fine_legs() for field_oe in leg.program.ends()]
        session.check(
            [*temperatures, *_only(reference.temperature_k)],
            [*program.ends(), *fine_ends, *_only(reference.field_oe)],
            rate_oe_per_s=program.rate if isinstance(program, Sweep) else None,
            is_prepared=any(self._is_path(kelvin) for kelvin in temperatures),
        )
        session.go_on_with(start.flags)
        try:
            if self.self_heating_check and start.is_at_start:
                yield from session.at_field(self.coarse_legs()[0].program.targets()[0])
                yield from session.check_heating(min(temperatures))
            curve = start.curve
            while left := self.isotherms(curve):
                first, kelvin, self._is_fine = left[0].first, left[0].kelvin, left[0].is_fine
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
                    for item in self._curve(session, leg, first + leg, kelvin, done, last):
                        self._note(item)
                        yield item
                curve = first + len(self.legs())
                if curve == self.coarse_curves() + 1:
                    yield from self._search()
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
            yield from session.settled_point(direction_of(self.legs()[leg]), curve, kelvin, values[done])
            done += 1

    def _reference_point(self, session: Session, reference: Reference) -> Iterator[Point | Event]:
        if reference.temperature_k is None or reference.field_oe is None:
            return
        yield from session.at_field(reference.field_oe)
        yield from session.at_temperature(reference.temperature_k)
        session.start_source()
        yield from session.settled_point("reference", 0, reference.temperature_k, reference.field_oe)

    def extend(self, end: float) -> int:
        """Move the end of the running program further on; see :meth:`ResistanceMeasurement.extend`.

        Raises:
            ValueError: as there, and once the finer isotherms have begun.
        """
        if self._is_fine:
            raise ValueError(f"the program cannot be extended to {end:.9g} Oe: it is measured")
        return super().extend(end)

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

    # -- the finer isotherms

    def _search(self) -> Iterator[Event]:
        """Look for the crossing of the coarse isotherms, and say around what the finer ones are."""
        if self.is_searched:
            self.centre, reason = self._find(self._coarse)
            expected_oe = FineField.from_json(self.fine).expected_oe
            yield fine_event("isotherms", "crossing", self.centre, expected_oe, "Oe", reason)

    def _find(self, points: Sequence[CoarsePoint]) -> tuple[float | None, str]:
        return crossing_oe(points)

    def _left(self, stored: pd.DataFrame) -> Left:
        legs = [leg for isotherm in self.isotherms() for leg in isotherm.legs]
        return left_at(stored, legs, FIELD, lambda field_oe: field_criterion(field_oe, 0.0).within)

    # -- where it goes on

    def _take_up(self, stored: pd.DataFrame, *, history_kept: bool) -> TakeUp | None:
        """Return where to go on; see :meth:`take_up`.

        Below ``path_below_k`` an isotherm that was begun is prepared and measured again, that one alone.
        """
        left = self._left(stored)
        rest = self.isotherms(left.curve)
        if not rest:
            if self.reference == "{}" or _is_reference(stored.iloc[-1]):
                return None
            return TakeUp("free", left.curve, 0, math.nan, 0.0, "only the last reference is left")
        first, kelvin, count = rest[0].first, rest[0].kelvin, len(rest[0].legs)
        at = f"curve {left.curve} at {kelvin:.6g} K"
        is_stepped = isinstance(rest[0].legs[left.curve - first].program, Steps)
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
        here = self.isotherms(start.curve)[0]
        if self._is_path(here.kelvin):
            return None
        leg = start.curve - here.first
        part = here.legs[leg].program
        if isinstance(part, Sweep) and start.done:
            return run_up(part, start.last).start
        reference = Reference.from_json(self.reference)
        earlier: list[Program] = [item.program for item in here.legs[:leg]]
        if reference.field_oe is not None:
            earlier = [Steps((reference.field_oe,)), *earlier]
        elif here.first > 1:
            before = self.isotherms(here.first - 1)[0].legs
            earlier = [*(item.program for item in before), *earlier]
        if isinstance(part, Steps):
            earlier.append(part.first(start.done))
        return side(earlier, part.targets()[start.done])

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, s."""
        start = take_up or FROM_THE_START
        seconds = self._rest_s(start.curve, start.done, start.last)
        if start.is_at_start:
            seconds += self._heating_s()
        isotherms = self.isotherms(start.curve)
        if take_up is None or not isotherms:
            return seconds
        first, kelvin = isotherms[0].first, isotherms[0].kelvin
        if start.curve > first or start.done:  # a new isotherm begins with all of this anyway
            seconds += self.temperature_settle_s(kelvin) + self._reference_s(kelvin)
        from_oe = self._from_oe(start)
        if from_oe is None:
            return seconds
        part = isotherms[0].legs[start.curve - first].program
        if isinstance(part, Sweep) and start.done:
            return seconds + abs(start.last - from_oe) / part.per_s
        return seconds + self.field_step_s(from_oe, part.targets()[start.done], kelvin)


def _only(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _is_reference(row: pd.Series) -> bool:
    return bool(row["Curve"] == 0)
