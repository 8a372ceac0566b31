"""Resistance against temperature at one field, settled or swept."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.coarse_search import CoarseSearch
from onnes.procedures.experiment import FloatParameter, JsonParameter
from onnes.procedures.fine_pass import CoarsePoint, FineTemperature, fine_event, transition_k
from onnes.procedures.measurement import Setpoint
from onnes.procedures.options import Settle
from onnes.procedures.programs import Pass, Steps, Sweep, extended_temperature, passes, temperature_program
from onnes.procedures.resistance_session import Session
from onnes.procedures.settling import temperature_criterion
from onnes.procedures.take_up import (
    FROM_THE_START,
    TEMPERATURE,
    Left,
    TakeUp,
    left_at,
    run_up,
    side,
)
from onnes.procedures.watch import MeasuringStation


class ResistanceVsTemperature(CoarseSearch):
    """R(T) at one field: settled at each temperature, or while it ramps; one way or there and back.

    The field is set at the first temperature. The sample lags behind the thermometer while sweeping: measured
    both ways, the analysis can take that out.

    With a history below ``path_below_k``, a measurement that begins there is prepared before. A pass that
    begins at or above it has a history of its own, cooled in its field.

    With ``fine``, a finer pass over the transition follows all others.
    """

    kind: ClassVar[str] = "resistivity-temperature"
    program_unit: ClassVar[str] = "K"

    temperature_program: str = JsonParameter(
        "Temperature program", temperature_program, default={"setpoints_k": [300.0]}
    )
    field_oe: float = FloatParameter("Field", units="Oe", minimum=-2e5, maximum=2e5, default=0.0)
    fine: str = JsonParameter("Fine", FineTemperature.from_json, default="{}")

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        start = take_up or FROM_THE_START
        program = temperature_program(self.temperature_program)
        if take_up is None:
            self.contacts = None
        self._forget_coarse(start)
        session = Session(self, station, clock)
        is_prepared = self._is_prepared(start.curve, start.done)
        session.check(
            [kelvin for leg in self.legs() for kelvin in leg.program.ends()],
            [self.field_oe],
            rate_k_per_min=program.rate if isinstance(program, Sweep) else None,
            is_prepared=is_prepared,
        )
        self._open_leg = start.curve - 1
        session.go_on_with(start.flags)
        try:
            first = self._first_k(start)
            if is_prepared:
                yield from session.prepare(first)
            yield from session.at_temperature(first)
            yield from session.at_field(self.field_oe)
            if start.is_at_start:
                yield from self._heating(session, 0)
            session.start_source()
            leg = start.curve - 1
            while leg < len(self.legs()):
                self._open_leg = leg
                done, last = (start.done, start.last) if leg == start.curve - 1 else (0, math.nan)
                for item in self._curve(session, leg, done, last):
                    self._note(item)
                    yield item
                leg += 1
                yield from self._heating(session, leg)
                if leg == len(self.coarse_legs()):
                    yield from self._search()
            self._open_leg = leg
        finally:
            session.stop_source()

    def _curve(self, session: Session, leg: int, done: int, last: float) -> Iterator[Point | Event]:
        part = self.legs()[leg].program
        if isinstance(part, Sweep):
            yield from session.at_temperature(run_up(part, last).start if done else part.start)
            yield from session.temperature_sweep(lambda: self.sweep(leg), leg + 1, self.field_oe, last)
            return
        while done < len(values := self.legs()[leg].program.targets()):
            yield from session.settled_point("settled", leg + 1, values[done], self.field_oe)
            done += 1

    def _heating(self, session: Session, count: int) -> Iterator[Event]:
        """Look for self-heating if the curve is at its lowest temperature after ``count`` passes.

        The way there and back for the check alone may take hours.
        """
        if self.self_heating_check and count == self._passes_to_lowest():
            yield from session.check_heating(self._lowest_k())
            session.start_source()

    def _lowest_k(self) -> float:
        return min(kelvin for leg in self.legs() for kelvin in leg.program.ends())

    def _passes_to_lowest(self) -> int:
        ends = [self._start_k(1), *(leg.program.ends()[-1] for leg in self.legs())]
        return ends.index(self._lowest_k())

    def legs(self) -> list[Pass]:
        """Return the passes of the program as it stands, the fine one last: each is a curve."""
        return self.coarse_legs() + FineTemperature.from_json(self.fine).passes(self.centre)

    def coarse_legs(self) -> list[Pass]:
        """Return the passes of the temperature program."""
        return passes(temperature_program(self.temperature_program), both_directions=self.both_directions)

    # -- the fine pass

    @property
    def is_searched(self) -> bool:
        """Say whether the coarse passes have to find the transition."""
        return FineTemperature.from_json(self.fine).is_searched

    def coarse_curves(self) -> int:
        """Return how many curves the coarse passes have."""
        return len(self.coarse_legs())

    def _search(self) -> Iterator[Event]:
        """Look for the transition in the coarse passes, and say around what the fine pass is."""
        if self.is_searched:
            self.centre, reason = self._find(self._coarse)
            expected_k = FineTemperature.from_json(self.fine).expected_k
            yield fine_event("pass", "transition", self.centre, expected_k, "K", reason)

    def _find(self, points: Sequence[CoarsePoint]) -> tuple[float | None, str]:
        return transition_k(points)

    def _move_end(self, end: float) -> None:
        self.temperature_program = extended_temperature(self.temperature_program, end)

    # -- where it goes on

    def _take_up(self, stored: pd.DataFrame, *, history_kept: bool) -> TakeUp | None:
        """Return where to go on; see :meth:`take_up`.

        At or above ``path_below_k`` nothing hangs on the history, whichever way the curve came there.
        """
        left = self._left(stored)
        curve = left.curve
        if curve > len(self.legs()):
            return None
        is_stepped = isinstance(self.legs()[curve - 1].program, Steps)
        kept = history_kept and is_stepped and left.done > 0
        if kept or (left.last if left.done else self._start_k(curve)) >= self.path_below_k:
            where = f"goes on after {left.last:.6g} K" if left.done else "begins"
            message = f"curve {curve} {where}, approached from the same side"
            found = TakeUp("free", curve, left.done, left.last, 0.0, message)
            return replace(found, cost_s=self._approach_s(found))
        while curve > 1 and self._start_k(curve) < self.path_below_k:
            curve -= 1
        how = "prepared" if self._is_prepared(curve, 0) else f"begun at {self._start_k(curve):.6g} K"
        message = (
            f"curve {curve} is {how} and measured again: below {self.path_below_k:.6g} K it has a history"
        )
        found = TakeUp("path", curve, 0, math.nan, 0.0, message)
        again_s = self._rest_s(curve, 0, math.nan) - self._rest_s(left.curve, left.done, left.last)
        return replace(found, cost_s=self._approach_s(found) + again_s)

    def _left(self, stored: pd.DataFrame) -> Left:
        settle = Settle.from_json(self.settle)
        return left_at(
            stored, self.legs(), TEMPERATURE, lambda kelvin: temperature_criterion(kelvin, settle).within
        )

    def _is_prepared(self, curve: int, done: int) -> bool:
        return (curve, done) == (1, 0) and self._start_k(1) < self.path_below_k

    def _start_k(self, curve: int) -> float:
        return self.legs()[curve - 1].program.targets()[0]

    def _first_k(self, start: TakeUp) -> float:
        """Return the temperature to go to first, K: that from which the next point is approached."""
        legs = self.legs()
        part = legs[start.curve - 1].program
        if isinstance(part, Sweep) and start.done:
            return run_up(part, start.last).start
        value = part.targets()[start.done]
        if start.rule == "path":
            return value
        earlier = [leg.program for leg in legs[: start.curve - 1]]
        from_k = side([*earlier, part.first(start.done)] if isinstance(part, Steps) else earlier, value)
        return value if from_k is None else from_k

    # -- plan

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured."""
        plan = []
        is_searched = self.is_searched and self.centre is None
        for curve, leg in enumerate(self.legs(), start=1):
            is_swept = isinstance(leg.program, Sweep)
            direction = ("warming" if leg.rises else "cooling") if is_swept else "settled"
            is_estimated = is_searched and curve > len(self.coarse_legs())
            plan += [
                Setpoint(kelvin, self.field_oe, direction, curve, is_estimated)
                for kelvin in leg.program.targets()
            ]
        return plan

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, s."""
        start = take_up or FROM_THE_START
        is_ahead = start.is_at_start or start.curve <= self._passes_to_lowest()
        heating_s = self.heating_s() if is_ahead else 0.0
        return self._approach_s(start) + self._rest_s(start.curve, start.done, start.last) + heating_s

    def _approach_s(self, start: TakeUp) -> float:
        if self._is_prepared(start.curve, start.done):
            return self.prepare_s(self._start_k(1))
        first_k = self._first_k(start)
        part = self.legs()[start.curve - 1].program
        if isinstance(part, Sweep) and start.done:
            return self.temperature_settle_s(first_k) + abs(start.last - first_k) / part.per_s
        value = part.targets()[start.done]
        if value == first_k:
            return 0.0
        return self.temperature_settle_s(first_k) + self.temperature_ramp_s(first_k, value)

    def _rest_s(self, curve: int, done: int, last: float) -> float:
        """Return about how long what is left takes from its first setpoint on, s."""
        seconds = 0.0
        at: float | None = None
        for number, leg in enumerate(self.legs()[curve - 1 :], start=curve):
            part = leg.program
            is_open = number == curve and done > 0
            if isinstance(part, Sweep):
                whole_s = self.temperature_settle_s(part.start) + part.duration_s
                seconds += part.short_by(last) / part.per_s if is_open else whole_s
                continue
            for kelvin in part.values[done if is_open else 0 :]:
                if kelvin != at:
                    seconds += self.temperature_settle_s(kelvin)
                    seconds += 0.0 if at is None else self.temperature_ramp_s(at, kelvin)
                seconds += self.point_s()
                at = kelvin
        return seconds

    def label(self) -> str:
        """Return the field, for the name of the folder."""
        return f"{self.field_oe + 0.0:.9g}Oe"  # no "-0Oe"
