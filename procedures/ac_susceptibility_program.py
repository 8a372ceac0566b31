"""Alternating moment against temperature, as a program that a magnetometer's own software runs."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.magnetometer_machines import ac_point_s
from onnes.instruments.moments import AcMoment, MeasuredRow
from onnes.instruments.records import Point
from onnes.procedures.experiment import BooleanParameter, FloatParameter, JsonParameter
from onnes.procedures.moment_measurement import MomentCurve, MomentMeasurement, spoilt
from onnes.procedures.moment_preparation import cool, take_field_away, warm
from onnes.procedures.moment_steps import MomentSteps
from onnes.procedures.residual_field import Gate
from onnes.procedures.setpoint_lists import fields_of, listed, spread, temperatures_of
from onnes.procedures.susceptibility_drives import (
    BACKGROUND,
    PHASE,
    Drive,
    PhaseCalibration,
    amplitudes_of,
    drives,
    frequencies_of,
)
from onnes.procedures.susceptibility_point import SusceptibilityPoint

_CURVE = "curve"
_AFTER_FIELD_S = 60.0  # without overshoot the field creeps in for about a minute (a)
# A row off its setpoint or drive is another point, one at the end of the range is no reading.
_SPOILING = ("off_setpoint", "off_drive", "range")


class AcSusceptibilityProgram(MomentMeasurement):
    """Alternating moment against temperature, in one dc field after the other.

    For each dc field the sample is warmed above the transition, degaussed and cooled in no field; rows deep
    in the screening state follow where ``phase`` asks for them, then the field is set and the temperatures
    are measured upward, and at last rows above the transition. Amplitudes are peaks. At each temperature and
    frequency they go from the smallest to the largest and back to the first.

    No dc field is too small for the residual field here: it moves Jc by its size over some kOe, and the drive
    is known whatever the magnet has left.
    """

    kind: ClassVar[str] = "susceptibility-temperature"
    point: ClassVar[type[Point]] = SusceptibilityPoint

    temperatures: str = JsonParameter("Temperatures", temperatures_of, default=[5.0])
    fields_oe: str = JsonParameter("Fields", fields_of, default=[0.0])
    amplitudes_oe: str = JsonParameter("Amplitudes", amplitudes_of, default=[1.0])
    frequencies_hz: str = JsonParameter("Frequencies", frequencies_of, default=[97.0])
    heating_check: bool = BooleanParameter("Heating check", default=True)
    phase: str = JsonParameter("Phase", PhaseCalibration.from_json, default="{}")
    averaging_s: float = FloatParameter("Averaging", units="s", minimum=0.01, maximum=10000.0, default=10.0)

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the temperatures do not rise, phase or background are measured on the wrong side of
                the transition, or as :meth:`MomentMeasurement.check`.
        """
        for before, kelvin in pairwise(temperatures_of(self.temperatures)):
            if not kelvin > before:
                raise ValueError(
                    f"temperatures has {kelvin:.9g} K after {before:.9g} K; list them upward: the sample is "
                    "cooled in no field and warmed"
                )
        PhaseCalibration.from_json(self.phase).check(self.path_below_k)
        super().check()

    def gates(self) -> list[Gate]:
        """Return none: the residual field spoils no dc field of a susceptibility."""
        return []

    def planned(self) -> list[MomentCurve]:
        """Return all curves in the order measured: those of the first dc field, then those of the next."""
        calibration = PhaseCalibration.from_json(self.phase)
        rising = temperatures_of(self.temperatures)
        found: list[MomentCurve] = []
        for field_oe in fields_of(self.fields_oe):
            first = len(found) + 1
            prepared = f"prepared from {self.recipe().warm_to_k:.9g} K and measured from the start"
            if calibration.calibrate_at_k is not None:
                found.append(self._planned(PHASE, (calibration.calibrate_at_k,), 0.0, first, prepared))
            found.append(self._planned(_CURVE, rising, field_oe, first, prepared))
            if calibration.background_at_k is not None:
                again = len(found) + 1
                how = f"measured at {calibration.background_at_k:.9g} K"
                found.append(self._planned(BACKGROUND, (calibration.background_at_k,), field_oe, again, how))
        return found

    def _planned(
        self, branch: str, kelvins: Sequence[float], field_oe: float, again: int, how: str
    ) -> MomentCurve:
        at = tuple((kelvin, field_oe) for kelvin in kelvins for _ in self.drives_of(branch))
        return MomentCurve(branch, "warming", f"AC {branch} {field_oe:.9g} Oe", at, again, how)

    def drives_of(self, branch: str) -> tuple[Drive, ...]:
        """Return what is done at each temperature of a curve."""
        return drives(
            amplitudes_of(self.amplitudes_oe),
            frequencies_of(self.frequencies_hz),
            (1,),
            branch,
            heating_check=self.heating_check and branch == _CURVE,
        )

    def _come_to(self, steps: MomentSteps, curve: MomentCurve) -> None:
        residual, recipe = self.known_residual(), self.recipe()
        if curve.branch == BACKGROUND:
            warm(steps, recipe)
            return
        calibration = PhaseCalibration.from_json(self.phase)
        if curve.branch == PHASE or calibration.calibrate_at_k is None:
            coldest = (temperatures_of(self.temperatures)[0], calibration.calibrate_at_k)
            take_field_away(steps, recipe, residual.setpoint_oe(0.0))
            cool(steps, recipe, min(kelvin for kelvin in coldest if kelvin is not None))
        if curve.branch == _CURVE:
            kelvin, field_oe = curve.at[0]
            # The phase was taken where nothing enters: cooling from there to the coldest point is harmless.
            steps.to_temperature(kelvin, self.wait_s)
            steps.to_field(residual.setpoint_oe(field_oe), self.field_wait_s(field_oe, _AFTER_FIELD_S))

    def _measure(self, steps: MomentSteps, number: int, curve: MomentCurve, place: int) -> None:
        each = self.drives_of(curve.branch)
        drive = each[place % len(each)]
        steps.measure_alternating(
            number,
            drive.branch,
            opens=place == 0,
            amplitude_oe=drive.amplitude_oe,
            frequency_hz=drive.frequency_hz,
            averaging_s=self.averaging_s,
            point_s=ac_point_s(drive.frequency_hz, self.averaging_s),
        )

    def _point(
        self,
        moment: MeasuredRow,
        curve: MomentCurve,
        field_oe: float,
        clock: Clock,
        began: float,
        rest_s: float,  # noqa: ARG002 - no column of an alternating moment
    ) -> SusceptibilityPoint:
        if not isinstance(moment, AcMoment):
            raise TypeError(f"{self.kind} has no place for a moment without a drive")
        planned = moment.planned
        return SusceptibilityPoint(
            time_utc=(clock.datetime() - timedelta(seconds=clock.now() - moment.time)).isoformat(),
            elapsed=moment.time - began,
            temperature_setpoint=planned.temperature_k,
            temperature=moment.temperature_k,
            field_setpoint=field_oe,
            field=moment.field_oe,
            amplitude_setpoint=planned.amplitude_oe,
            amplitude=moment.amplitude_oe,
            frequency=planned.frequency_hz,
            harmonic=1,
            in_phase=moment.in_phase_emu,
            in_phase_error=moment.in_phase_error_emu,
            quadrature=moment.quadrature_emu,
            quadrature_error=moment.quadrature_error_emu,
            branch=planned.branch,
            curve=planned.curve,
            direction=curve.direction,
            time_stamp=moment.stamp_s,
            flags=";".join(moment.flags),
            rejected=spoilt(moment.flags, _SPOILING, moment.in_phase_emu + moment.quadrature_emu),
        )

    def _left_at(self, stored: pd.DataFrame, curves: list[MomentCurve]) -> tuple[int, int]:
        """Return the number of the open curve and how many of its rows are stored or passed over.

        Raises:
            ValueError: if the last stored row belongs to none of the curves.
        """
        if stored.empty:
            return 1, 0
        row = stored.iloc[-1]
        number, kelvin = int(row["Curve"]), float(row["Temperature setpoint (K)"])
        drive = (float(row["Amplitude setpoint (Oe)"]), float(row["Frequency (Hz)"]), str(row["Branch"]))
        if 1 <= number <= len(curves):
            curve = curves[number - 1]
            each = self.drives_of(curve.branch)
            for place, (at_k, _) in enumerate(curve.at):
                planned = each[place % len(each)]
                if at_k == kelvin and drive == (planned.amplitude_oe, planned.frequency_hz, planned.branch):
                    done = place + 1
                    return (number + 1, 0) if done == len(curve.at) else (number, done)
        raise ValueError(
            f"the last stored point, at {kelvin:.9g} K, {drive[0]:.9g} Oe, {drive[1]:.9g} Hz in curve "
            f"{number}, is none of the program; the rows belong to another program"
        )

    def title(self) -> str:
        """Return what is measured, in words for a person, without a comma."""
        rising = temperatures_of(self.temperatures)
        return (
            f"ac susceptibility at {listed(amplitudes_of(self.amplitudes_oe))} Oe peak "
            f"{listed(frequencies_of(self.frequencies_hz))} Hz from {rising[0]:.9g} to {rising[-1]:.9g} K"
        )

    def label(self) -> str:
        """Return the range of dc fields, for the name of the folder."""
        return spread(fields_of(self.fields_oe), "Oe")
