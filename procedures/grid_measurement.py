"""Curves of something that is swept at each temperature and field: what such measurements share."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.experiment import JsonParameter
from onnes.procedures.measurement import Setpoint
from onnes.procedures.setpoint_lists import fields_of, spread, temperatures_of
from onnes.procedures.setpoint_measurement import SetpointMeasurement
from onnes.procedures.setpoint_session import SetpointSession
from onnes.procedures.take_up import FROM_THE_START, TakeUp
from onnes.procedures.watch import MeasuringStation


@dataclass(frozen=True, slots=True)
class GridCurve:
    """One curve at ``kelvin``, K, and ``field_oe``, Oe: its ``values`` in the order measured, V or A."""

    kelvin: float
    field_oe: float
    branch: str
    direction: str
    values: tuple[float, ...]


class GridSession(SetpointSession):
    """A session that takes whole curves at rest."""

    def take_curve(self, number: int, curve: GridCurve) -> Iterator[Point | Event]:
        """Take one curve where temperature and field have settled."""
        raise NotImplementedError


class GridMeasurement(SetpointMeasurement):
    """Base of the measurements that take curves at each temperature and, there, at each field.

    The source is at zero while temperature or field changes. At temperatures below ``path_below_k`` the
    sample is prepared before the first field. A curve that was broken off is measured again from its start.
    """

    # label of the column that tells how far a curve has come
    swept: ClassVar[str] = ""

    temperatures: str = JsonParameter("Temperatures", temperatures_of, default=[4.2])
    fields_oe: str = JsonParameter("Fields", fields_of, default=[0.0])

    def planned(self) -> list[GridCurve]:
        """Return all curves, in the order measured."""
        raise NotImplementedError

    def curve_s(self, curve: GridCurve) -> float:
        """Return about how long one curve takes where temperature and field have settled, s."""
        raise NotImplementedError

    def _session(self, station: MeasuringStation, clock: Clock) -> GridSession:
        raise NotImplementedError

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event; see :meth:`Measurement.points`."""
        start = take_up or FROM_THE_START
        curves = self.planned()
        session = self._session(station, clock)
        session.check(
            [curve.kelvin for curve in curves],
            [curve.field_oe for curve in curves],
            is_prepared=any(self._is_prepared(curves, number) for number in range(1, len(curves) + 1)),
        )
        try:
            for number, curve in enumerate(curves[start.curve - 1 :], start=start.curve):
                if number == start.curve or not _is_same_place(curves, number):
                    session.stop_source()
                if self._is_prepared(curves, number):
                    yield from session.prepare(curve.kelvin)
                yield from session.at_field(curve.field_oe)
                yield from session.at_temperature(curve.kelvin)
                yield from session.take_curve(number, curve)
        finally:
            session.close()

    def _is_prepared(self, curves: list[GridCurve], number: int) -> bool:
        return curves[number - 1].kelvin < self.path_below_k and number == _first_at(curves, number)

    # -- where it goes on

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:
        """Return where to go on after a break; see :meth:`Measurement.take_up`.

        An open curve is measured again; below ``path_below_k`` with those before it at its temperature,
        unless the sample has kept its history.
        """
        curves = self.planned()
        number, is_open = self._left_at(stored, curves)
        if number > len(curves):
            return None
        if stored.empty:
            return FROM_THE_START
        curve = curves[number - 1]
        first = _first_at(curves, number)
        if curve.kelvin < self.path_below_k and not history_kept and (is_open or number > first):
            which = f"curve {first}" if first == number else f"curves {first} to {number}"
            message = (
                f"{which} at {curve.kelvin:.6g} K: prepared and measured from the start, "
                f"because below {self.path_below_k:.6g} K they have a history"
            )
            found = TakeUp("path", first, 0, math.nan, 0.0, message)
        elif is_open:
            found = TakeUp(
                "path", number, 0, math.nan, 0.0, f"curve {number} is measured again from its start"
            )
        else:
            found = TakeUp("free", number, 0, math.nan, 0.0, f"curve {number} begins")
        after = number + 1 if is_open else number
        return replace(found, cost_s=self.remaining_s(found) - self._rest_s(curves, after))

    def _left_at(self, stored: pd.DataFrame, curves: list[GridCurve]) -> tuple[int, bool]:
        """Return the number of the curve to take next, and whether it was begun.

        Raises:
            ValueError: if the last stored row belongs to none of the curves.
        """
        if stored.empty:
            return 1, False
        row = stored.iloc[-1]
        number, kelvin = int(row["Curve"]), float(row["Temperature setpoint (K)"])
        if not 1 <= number <= len(curves) or curves[number - 1].kelvin != kelvin:
            raise ValueError(
                f"the last stored point, at {kelvin:.9g} K in curve {number}, is none of the program; "
                "the rows belong to another program"
            )
        values, at = curves[number - 1].values, float(row[self.swept])
        is_last = all(abs(at - values[-1]) <= abs(at - value) for value in values)
        return (number + 1, False) if is_last else (number, True)

    def extend(self, end: float) -> int:
        """Refuse: the curves are fixed.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"curves cannot be extended to {end:.9g}: add a block to the sequence")

    # -- plan

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured: one entry for each point of each curve."""
        return [
            Setpoint(curve.kelvin, curve.field_oe, curve.direction, number)
            for number, curve in enumerate(self.planned(), start=1)
            for _ in curve.values
        ]

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, s."""
        start = take_up or FROM_THE_START
        curves = self.planned()
        if take_up is None:
            return self._rest_s(curves, 1)
        curve = curves[start.curve - 1]
        is_new = start.curve == _first_at(curves, start.curve)  # settling there is counted anyway
        return self._rest_s(curves, start.curve) + (
            0.0 if is_new else self.temperature_settle_s(curve.kelvin)
        )

    def _rest_s(self, curves: list[GridCurve], first: int) -> float:
        """Return about how long the curves from ``first`` on take, s."""
        seconds = 0.0
        at: GridCurve | None = None
        for number, curve in enumerate(curves[first - 1 :], start=first):
            if self._is_prepared(curves, number):
                seconds += self.prepare_s(curve.kelvin)
            if number == _first_at(curves, number):
                seconds += self.temperature_settle_s(curve.kelvin)
                seconds += 0.0 if at is None else self.temperature_ramp_s(at.kelvin, curve.kelvin)
            if at is not None:
                seconds += self.field_step_s(at.field_oe, curve.field_oe, curve.kelvin)
            seconds += self.curve_s(curve)
            at = curve
        return seconds

    def label(self) -> str:
        """Return the range of temperatures, for the name of the folder."""
        return spread(temperatures_of(self.temperatures), "K")


def _first_at(curves: list[GridCurve], number: int) -> int:
    """Return the number of the first of the curves at the temperature of curve ``number``."""
    first = number
    while first > 1 and curves[first - 2].kelvin == curves[number - 1].kelvin:
        first -= 1
    return first


def _is_same_place(curves: list[GridCurve], number: int) -> bool:
    before, curve = curves[number - 2], curves[number - 1]
    return (before.kelvin, before.field_oe) == (curve.kelvin, curve.field_oe)
