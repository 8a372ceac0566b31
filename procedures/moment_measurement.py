"""What the measurements of a moment share: a program that the machine's own software runs, and its rows."""

import math
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.moments import (
    AcMoment,
    HandedOver,
    Magnetometer,
    MeasuredRow,
    MeasureStep,
    MomentProgram,
)
from onnes.instruments.records import Event, Point
from onnes.procedures.experiment import FloatParameter, JsonParameter, Parameter
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.procedures.moment_point import MomentPoint
from onnes.procedures.moment_preparation import moment_recipe
from onnes.procedures.moment_steps import MomentSteps
from onnes.procedures.moment_stream import MomentStream
from onnes.procedures.options import MagnetUse, Prepare
from onnes.procedures.preparation import Recipe
from onnes.procedures.ramping import USUAL_RATE_K_PER_MIN
from onnes.procedures.residual_field import Gate, Residual
from onnes.procedures.scan_option import scan_of, usual_point_s
from onnes.procedures.take_up import TakeUp
from onnes.procedures.watch import MeasuringStation

# A magnet is quiet 5 to 7 min after a change of more than 1 kOe (seen); a corrected step of 1 kOe is no more.
_BIG_CHANGE_OE, _AFTER_BIG_S = 1e3 * (1.0 + 1e-9), 300.0
# A row off its setpoint is another point, one at the end of the range is no reading. A poor fit still counts:
# above the transition there is nothing to fit.
_SPOILING = ("off_setpoint", "range")


@dataclass(frozen=True, slots=True)
class MomentCurve:
    """Moments that share a history.

    ``at`` has the temperature, K, and the wanted field, Oe, of each. ``again`` is the number of the curve,
    from 1, from which all is done again when this one is broken off, and ``how`` says what that is.
    """

    branch: str
    direction: str
    name: str
    at: tuple[tuple[float, float], ...]
    again: int
    how: str


def spoilt(flags: Sequence[str], spoiling: Sequence[str], emu: float) -> str:
    """Return why a row does not count, ``""`` if it does: its ``spoiling`` flags, or no moment in it."""
    reasons = [flag for flag in flags if flag in spoiling]
    if not math.isfinite(emu):
        reasons.append(f"moment is {emu} emu")
    return ", ".join(reasons)


class MomentMeasurement(Measurement):
    """Base of the measurements of a moment.

    The whole of it is one program, preparation included: it is handed over, somebody starts it in MultiVu,
    and its file is followed. Nothing is set from here meanwhile. A program that was broken off is never gone
    on with, because the machine's software may have gone on with it: the open curve is measured again.

    The run engine sets ``handed_over`` where it has handed the program over together with others, and
    ``start`` to the file that somebody has to start, where the program is the first of them, or ``after`` to
    the last row of the program before; otherwise :meth:`points` does that.
    """

    point: ClassVar[type[Point]] = MomentPoint

    magnetometer: str = Parameter("Magnetometer", default="")
    scan: str = JsonParameter("Scan", scan_of, default="{}")
    magnet: str = JsonParameter("Magnet", MagnetUse.from_json, default={"approach": "no_overshoot"})
    prepare: str = JsonParameter("Prepare", Prepare.from_json, default="{}")
    residual: str = JsonParameter("Residual", Residual.from_json, default="{}")
    # the transition; 40 K is that of MgB2, and the sample is then warmed to 50 K
    path_below_k: float = FloatParameter(
        "History below", units="K", minimum=0.01, maximum=1000.0, default=40.0
    )
    # between setpoints; 0 stands for the usual one, 10 K/min
    temperature_rate_k_per_min: float = FloatParameter(
        "Temperature rate", units="K/min", minimum=0.0, maximum=100.0, default=0.0
    )
    # before each point, when temperature and field are stable: a bulk sample lags by 20 s (a)
    wait_s: float = FloatParameter("Wait", units="s", minimum=0.0, maximum=86400.0, default=30.0)
    # how long a moment takes; 0 stands for what the mode of the scan usually takes
    point_s: float = FloatParameter("Point time", units="s", minimum=0.0, maximum=86400.0, default=0.0)
    # so much longer may the first row take: somebody has to come and start it (a)
    start_within_s: float = FloatParameter(
        "Start within", units="s", minimum=0.0, maximum=604800.0, default=3600.0
    )
    poll_s: float = FloatParameter("Poll interval", units="s", minimum=0.1, maximum=60.0, default=5.0)
    program_name: str = Parameter("Program name", default="")  # empty: kind and label

    handed_over: bool = False
    start: Path | None = None
    after: MeasureStep | None = None

    # -- what a measurement says

    def planned(self) -> list[MomentCurve]:
        """Return all curves in the order measured."""
        raise NotImplementedError

    def title(self) -> str:
        """Return what is measured, in words for a person, without a comma: a line of MultiVu takes none."""
        raise NotImplementedError

    def gates(self) -> list[Gate]:
        """Return the measuring fields that the residual field lets through.

        Raises:
            ValueError: if it does not let one through.
        """
        raise NotImplementedError

    def _come_to(self, steps: MomentSteps, curve: MomentCurve) -> None:
        """Add what is done before the first moment of a curve; ``steps`` knows what was done so far."""
        raise NotImplementedError

    def _residual_of(self, curve: MomentCurve) -> Residual | None:  # noqa: ARG002 - for subclasses
        """Return the residual field while a curve is measured, None where nobody knows it."""
        return self.known_residual()

    # -- what the parameters say

    def known_residual(self) -> Residual:
        """Return what is known of the residual field after the preparation."""
        return Residual.from_json(self.residual)

    def recipe(self) -> Recipe:
        """Return the numbers of the preparation."""
        return moment_recipe(Prepare.from_json(self.prepare), self.path_below_k)

    def field_wait_s(self, change_oe: float, usual_s: float) -> float:
        """Return how long to wait when the field has changed by ``change_oe``, Oe, and is stable, s."""
        asked_s = MagnetUse.from_json(self.magnet).then_wait_s
        if asked_s is not None:
            return asked_s
        return max(_AFTER_BIG_S, usual_s) if abs(change_oe) > _BIG_CHANGE_OE else usual_s

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the preparation does not warm above the transition, the way of changing the field
                swings about it, the name is none for a file, or the residual field is too large.
        """
        self.recipe()
        if MagnetUse.from_json(self.magnet).approach == "oscillate":
            raise ValueError(
                "magnet.approach is 'oscillate', which swings about a measuring field: the sample keeps the "
                "largest; use no_overshoot or linear"
            )
        if not re.fullmatch(r"[\w.+-]*", self.program_name, re.ASCII):  # a sequence is written in cp1252
            raise ValueError(
                f"Program name = {self.program_name!r} names a file; use a to z, A to Z, digits and . _ + -"
            )
        self.gates()

    # -- the program

    def program(self, take_up: TakeUp | None = None) -> MomentProgram:
        """Return all that the machine does, from ``take_up`` on; needs no hardware."""
        steps = self._steps(1 if take_up is None else take_up.curve)
        return MomentProgram(
            name=self.program_name or f"{self.kind}_{self.label()}",
            title=self.title(),
            steps=tuple(steps.steps),
            scan=scan_of(self.scan),
            point_s=steps.longest_point_s,
        )

    def _steps(self, first: int) -> MomentSteps:
        curves, after = self.planned(), self.after
        steps = MomentSteps(
            kelvin=curves[first - 1].at[0][0] if after is None else after.temperature_k,
            from_oe=0.0 if after is None else after.field_oe,
            rate_k_per_min=self.temperature_rate_k_per_min or USUAL_RATE_K_PER_MIN,
            magnet=MagnetUse.from_json(self.magnet),
            point_s=self.point_s or usual_point_s(scan_of(self.scan)),
        )
        for number, curve in enumerate(curves[first - 1 :], start=first):
            self._come_to(steps, curve)
            steps.remark(curve.name)
            residual = self._residual_of(curve)
            for place, (kelvin, field_oe) in enumerate(curve.at):
                asked_oe = field_oe if residual is None else residual.setpoint_oe(field_oe)
                change_oe = asked_oe - (steps.field_oe or 0.0)
                steps.to_field(asked_oe, self.field_wait_s(change_oe, self.wait_s))
                steps.to_temperature(kelvin, self.wait_s)
                self._measure(steps, number, curve, place)
        return steps

    def _measure(self, steps: MomentSteps, number: int, curve: MomentCurve, place: int) -> None:
        """Add the row that is the ``place``-th of a curve, from 0."""
        steps.measure(number, curve.branch, opens=place == 0)

    # -- the rows

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point and event.

        Raises:
            ValueError: if the parameters contradict each other, or the residual field is too large.
            ConfigurationError: if the station has no such magnetometer, or that cannot run the program.
            LimitError: if a setpoint is outside the machine's limits; nothing was written.
            StorageError: if the program cannot be written.
            InstrumentFault: if a row does not come.
            CommunicationError: if the file cannot be read for long.
        """
        self.check()
        machine = station.magnetometer(self.magnetometer)
        program = self.program(take_up)
        for passed in self.gates():
            yield self._let_through(passed)
        if not self.handed_over:
            machine.check(program)
            handed = machine.hand_over([program])
            self.start = handed.start
            yield _handed_over(program, handed)
        yield from self._followed(machine, program, clock, take_up)

    def _followed(
        self,
        machine: Magnetometer,
        program: MomentProgram,
        clock: Clock,
        take_up: TakeUp | None,
    ) -> Iterator[Point | Event]:
        began = clock.now()
        stream = self.watch = MomentStream(
            program, began, start=self.start, start_within_s=self.start_within_s
        )
        first = 1 if take_up is None else take_up.curve
        wanted = [(curve, field_oe) for curve in self.planned()[first - 1 :] for _, field_oe in curve.at]
        machine.follow(program)
        try:
            while True:
                seen = stream.look(machine, clock.now())
                for remark in seen.remarks:
                    yield Event("magnetometer", remark, {"program": program.name, "size": seen.size})
                for moment in seen.moments:
                    number = stream.came(moment)
                    rest_s = stream.since_field_change_s(moment, number)
                    yield self._point(moment, *wanted[number], clock, began, rest_s)
                if stream.is_over:
                    return
                stream.check(clock.now(), seen)
                clock.sleep(self.poll_s)
        finally:
            machine.let_go(ended=stream.is_over)

    def _let_through(self, passed: Gate) -> Event:
        recipe = self.recipe()
        values = {
            "field_oe": passed.field_oe,
            "setpoint_oe": passed.setpoint_oe,
            "wrong_oe": passed.wrong_oe,
            "approach": recipe.approach,
            "degauss_from_oe": recipe.degauss_from_oe,
        }
        return Event("residual_field", passed.message, values)

    def _point(
        self,
        moment: MeasuredRow,
        curve: MomentCurve,
        field_oe: float,
        clock: Clock,
        began: float,
        rest_s: float,
    ) -> Point:
        if isinstance(moment, AcMoment):
            raise TypeError(f"{self.kind} has no place for an alternating moment")
        residual = self._residual_of(curve)
        planned = moment.planned
        return MomentPoint(
            time_utc=(clock.datetime() - timedelta(seconds=clock.now() - moment.time)).isoformat(),
            elapsed=moment.time - began,
            temperature_setpoint=planned.temperature_k,
            temperature=moment.temperature_k,
            field_setpoint=planned.field_oe,
            field=moment.field_oe,
            field_corrected=(moment.field_oe if residual is None else residual.at_sample_oe(moment.field_oe)),
            field_corrected_error=math.nan if residual is None else residual.error_oe,
            moment=moment.moment_emu,
            moment_error=moment.moment_error_emu,
            moment_fixed=moment.moment_fixed_emu,
            moment_free=moment.moment_free_emu,
            fit=moment.fit,
            fit_used=moment.fit_used,
            centre=moment.centre_cm,
            time_stamp=moment.stamp_s,
            since_field_change=rest_s,
            branch=curve.branch,
            measuring_field=field_oe,
            curve=planned.curve,
            direction=curve.direction,
            flags=",".join(moment.flags),
            rejected=spoilt(moment.flags, _SPOILING, moment.moment_emu),
        )

    # -- where it goes on

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:  # noqa: ARG002 - the machine's software may have gone on
        """Return where to go on after a break; see :meth:`Measurement.take_up`.

        An open curve is measured again, with those before it that its history hangs on.
        """
        curves = self.planned()
        open_curve, done = self._left_at(stored, curves)
        if open_curve > len(curves):
            return None
        again = curves[open_curve - 1].again
        if again == 1 and stored.empty:
            return TakeUp("path", 1, 0, math.nan, 0.0, "from the start")
        curve = curves[again - 1]
        which = f"curve {again}" if again == open_curve else f"curves {again} to {open_curve}"
        found = TakeUp("path", again, 0, math.nan, 0.0, f"{which} from {curve.name} on: {curve.how}")
        rows = self.program().moments()
        rest_s = sum(row.expected_s for row in rows if row.curve >= open_curve)
        rest_s -= sum(row.expected_s for row in [row for row in rows if row.curve == open_curve][:done])
        return replace(found, cost_s=self.remaining_s(found) - rest_s)

    def _left_at(self, stored: pd.DataFrame, curves: list[MomentCurve]) -> tuple[int, int]:
        """Return the number of the open curve and how many of its rows are stored or passed over.

        Raises:
            ValueError: if the last stored row belongs to none of the curves.
        """
        if stored.empty:
            return 1, 0
        row = stored.iloc[-1]
        number = int(row["Curve"])
        place = float(row["Temperature setpoint (K)"]), float(row["Measuring field (Oe)"])
        if not 1 <= number <= len(curves) or place not in curves[number - 1].at:
            raise ValueError(
                f"the last stored point, at {place[0]:.9g} K, {place[1]:.9g} Oe in curve {number}, is none "
                "of the program; the rows belong to another program"
            )
        at = curves[number - 1].at
        done = at.index(place) + 1
        return (number + 1, 0) if done == len(at) else (number, done)

    def extend(self, end: float) -> int:
        """Refuse: the machine's software has the program already.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"the program cannot be extended to {end:.9g}: MultiVu runs it as it was handed over; add a "
            "block to the sequence"
        )

    # -- plan

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured, with the fields that are wanted."""
        return [
            Setpoint(kelvin, field_oe, curve.direction, number)
            for number, curve in enumerate(self.planned(), start=1)
            for kelvin, field_oe in curve.at
        ]

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, preparation included, s."""
        return self._steps(1 if take_up is None else take_up.curve).total_s


def _handed_over(program: MomentProgram, handed: HandedOver) -> Event:
    return Event(
        "hand_over",
        handed.message,
        {
            "program": program.name,
            "start": str(handed.start),
            "runbook": str(handed.runbook),
            "data": str(handed.data),
        },
    )
