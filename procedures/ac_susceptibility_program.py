"""Alternating moment against temperature, through the sequence of a magnetometer's own software."""

import math
from datetime import timedelta
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.moments import AcMoment, MeasuredRow
from onnes.instruments.records import Point
from onnes.procedures.experiment import BooleanParameter, FloatParameter, JsonParameter
from onnes.procedures.moment_measurement import SPOILING, MomentCurve, MomentMeasurement
from onnes.procedures.moment_preparation import cool, take_field_away
from onnes.procedures.moment_steps import MomentSteps
from onnes.procedures.residual_field import Gate, gate
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

_FREQUENCY_TOLERANCE = 0.01  # the machine reports what its synthesiser makes of a frequency (a)


class AcSusceptibilityProgram(MomentMeasurement):
    """Alternating moment at each of several temperatures, in one dc field after the other.

    Before each dc field the sample is warmed above the transition, the magnet degaussed and the sample cooled
    in no field. Amplitudes are peaks. At each temperature and frequency they go from the smallest to the
    largest and back to the first. Where ``phase`` asks for it, rows deep in the screening state are taken
    before the dc field is set, and rows above the transition after its curve; nothing is corrected here.
    """

    kind: ClassVar[str] = "susceptibility-temperature"
    point: ClassVar[type[Point]] = SusceptibilityPoint

    temperatures: str = JsonParameter("Temperatures", temperatures_of, default=[5.0])
    fields_oe: str = JsonParameter("Fields", fields_of, default=[0.0])
    amplitudes_oe: str = JsonParameter("Amplitudes", amplitudes_of, default=[1.0])
    frequencies_hz: str = JsonParameter("Frequencies", frequencies_of, default=[97.0])
    heating_check: bool = BooleanParameter("Heating check", default=True)
    phase: str = JsonParameter("Phase", PhaseCalibration.from_json, default="{}")
    # with 10 s the noise is 5e-3, 1e-3 and 5e-4 of the moment at 0.1, 1 and 10 Oe (physics.md 6 (a))
    averaging_s: float = FloatParameter("Averaging", units="s", minimum=0.1, maximum=3600.0, default=10.0)

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if phase or background are measured on the wrong side of the transition, or as
                :meth:`MomentMeasurement.check`.
        """
        PhaseCalibration.from_json(self.phase).check(self.path_below_k)
        super().check()

    def gates(self) -> list[Gate]:
        """Return the dc fields that the residual field lets through; no field has no fraction to keep.

        Raises:
            ValueError: if it does not let one through.
        """
        fields = [field_oe for field_oe in fields_of(self.fields_oe) if field_oe]
        return [gate(self.known_residual(), field_oe) for field_oe in fields]

    def drives_of(self, branch: str) -> tuple[Drive, ...]:
        """Return what is done at each temperature of a curve."""
        return drives(
            amplitudes_of(self.amplitudes_oe),
            frequencies_of(self.frequencies_hz),
            (1,),
            branch,
            heating_check=self.heating_check and branch == "curve",
        )

    def planned(self) -> list[MomentCurve]:
        """Return all curves in the order measured: phase, curve and background of each dc field."""
        calibration = PhaseCalibration.from_json(self.phase)
        how = f"prepared from {self.recipe().warm_to_k:.9g} K and measured from the start"
        found: list[MomentCurve] = []
        for field_oe in fields_of(self.fields_oe):
            first = len(found) + 1
            parts: list[tuple[str, tuple[float, ...], float]] = []
            if calibration.calibrate_at_k is not None:
                parts.append((PHASE, (calibration.calibrate_at_k,), 0.0))
            parts.append(("curve", temperatures_of(self.temperatures), field_oe))
            if calibration.background_at_k is not None:
                parts.append((BACKGROUND, (calibration.background_at_k,), field_oe))
            for branch, kelvins, at_oe in parts:
                rows = len(self.drives_of(branch))
                at = tuple((kelvin, at_oe) for kelvin in kelvins for _ in range(rows))
                name = f"AC {branch.upper()} {at_oe:.9g} Oe"
                found.append(MomentCurve(branch, "settled", name, at, first, how))
        return found

    def _come_to(self, steps: MomentSteps, curve: MomentCurve) -> None:
        residual, recipe = self.known_residual(), self.recipe()
        start_k = curve.at[0][0]
        if curve.branch == PHASE or (curve.branch == "curve" and self._begins_with_curve()):
            take_field_away(steps, recipe, residual.setpoint_oe(0.0))
            cool(steps, recipe, start_k)
        else:  # the temperature comes before the dc field, so that the curve has its own history alone
            steps.to_temperature(start_k, self.wait_s)

    def _begins_with_curve(self) -> bool:
        return PhaseCalibration.from_json(self.phase).calibrate_at_k is None

    def _drive_at(self, curve: MomentCurve, place: int) -> Drive:
        driven = self.drives_of(curve.branch)
        return driven[place % len(driven)]

    def _measure(self, steps: MomentSteps, number: int, curve: MomentCurve, place: int) -> None:
        steps.measure_ac(number, self._drive_at(curve, place), self.averaging_s, opens=place == 0)

    def _point(
        self,
        moment: MeasuredRow,
        curve: MomentCurve,
        field_oe: float,
        clock: Clock,
        began: float,
        rest_s: float,  # noqa: ARG002 - of no use to an alternating moment
    ) -> Point:
        if not isinstance(moment, AcMoment):
            raise TypeError(f"{self.kind} has no place for a moment that does not alternate")
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
            frequency=moment.frequency_hz,
            harmonic=1,
            in_phase=moment.in_phase_emu,
            in_phase_error=moment.in_phase_error_emu,
            quadrature=moment.quadrature_emu,
            quadrature_error=moment.quadrature_error_emu,
            branch=planned.branch,
            curve=planned.curve,
            direction=curve.direction,
            time_stamp=moment.stamp_s,
            flags=",".join(moment.flags),
            rejected=", ".join(flag for flag in moment.flags if flag in SPOILING),
        )

    def _left_at(self, row: pd.Series, curves: list[MomentCurve]) -> tuple[int, int]:
        number, kelvin = int(row["Curve"]), float(row["Temperature setpoint (K)"])
        branch, amplitude = str(row["Branch"]), float(row["Amplitude setpoint (Oe)"])
        curve = curves[number - 1] if 1 <= number <= len(curves) else None
        if curve is not None:
            for place in reversed(range(len(curve.at))):
                drive = self._drive_at(curve, place)
                is_driven_so = (drive.branch, drive.amplitude_oe) == (branch, amplitude) and math.isclose(
                    drive.frequency_hz, float(row["Frequency (Hz)"]), rel_tol=_FREQUENCY_TOLERANCE
                )
                if curve.at[place][0] == kelvin and is_driven_so:
                    done = place + 1
                    return (number + 1, 0) if done == len(curve.at) else (number, done)
        raise ValueError(
            f"the last stored point, at {kelvin:.9g} K and {amplitude:.9g} Oe in curve {number}, is none of "
            "the program; the rows belong to another program"
        )

    def title(self) -> str:
        """Return what is measured, in words for a person, without a comma."""
        kelvins = temperatures_of(self.temperatures)
        amplitudes, frequencies = amplitudes_of(self.amplitudes_oe), frequencies_of(self.frequencies_hz)
        return (
            f"AC moment at {listed(amplitudes)} Oe and {listed(frequencies)} Hz "
            f"from {kelvins[0]:.9g} to {kelvins[-1]:.9g} K"
        )

    def label(self) -> str:
        """Return the range of dc fields, for the name of the folder."""
        return spread(fields_of(self.fields_oe), "Oe")
