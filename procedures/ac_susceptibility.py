"""Alternating moment against temperature, through a susceptometer that is read point by point."""

import math
from collections.abc import Iterator
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.records import Point
from onnes.instruments.susceptometer import AcReading
from onnes.procedures.experiment import BooleanParameter, FloatParameter, IntegerParameter, JsonParameter
from onnes.procedures.programs import Pass, Steps
from onnes.procedures.setpoint_measurement import BRACKET_S
from onnes.procedures.susceptibility_drives import (
    BACKGROUND,
    PHASE,
    Drive,
    PhaseCalibration,
    amplitudes_of,
    drives,
    frequencies_of,
    harmonics_of,
)
from onnes.procedures.susceptibility_point import SusceptibilityPoint
from onnes.procedures.temperature_curves import CurveSession, TemperatureCurve, TemperatureCurves
from onnes.procedures.watch import MeasuringStation

_DRIVE_S, _READING_S = 4.0, 0.3  # for estimates alone: a new drive settles in 13 time constants of 0.3 s


class AcSusceptibility(TemperatureCurves):
    """Alternating moment against temperature, settled or swept, in one dc field after the other.

    Before each dc field the sample is warmed above the transition and cooled in no field. Amplitudes are
    peaks. At each temperature and frequency they go from the smallest to the largest and back to the first.

    Where ``phase`` asks for it, rows deep in the screening state are taken before the dc field is set, and
    rows above the transition after its curves; nothing is corrected here.
    """

    kind: ClassVar[str] = "susceptibility-temperature"
    point: ClassVar[type[Point]] = SusceptibilityPoint

    amplitudes_oe: str = JsonParameter("Amplitudes", amplitudes_of, default=[1.0])
    frequencies_hz: str = JsonParameter("Frequencies", frequencies_of, default=[97.0])
    harmonics: str = JsonParameter("Harmonics", harmonics_of, default=[1])
    heating_check: bool = BooleanParameter("Heating check", default=True)
    phase: str = JsonParameter("Phase", PhaseCalibration.from_json, default="{}")
    average: int = IntegerParameter("Average readings", minimum=1, maximum=100_000, default=10)
    # the transition; 40 K is that of MgB2, and the sample is then warmed to 50 K
    path_below_k: float = FloatParameter(
        "History below", units="K", minimum=0.0, maximum=1000.0, default=40.0
    )

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if phase or background are measured on the wrong side of the transition.
        """
        PhaseCalibration.from_json(self.phase).check(self.path_below_k)

    def legs(self) -> list[tuple[str, Pass]]:
        """Return branch and pass of each curve of one dc field: phase, curves, background."""
        calibration = PhaseCalibration.from_json(self.phase)
        found = [("curve", leg) for leg in self.passes()]
        if calibration.calibrate_at_k is not None:
            found.insert(0, (PHASE, Pass(Steps((calibration.calibrate_at_k,)), None)))
        if calibration.background_at_k is not None:
            found.append((BACKGROUND, Pass(Steps((calibration.background_at_k,)), None)))
        return found

    def field_of(self, branch: str, field_oe: float) -> float:
        """Return the dc field of a curve, Oe: the phase is set before the field is."""
        return 0.0 if branch == PHASE else field_oe

    def drives_of(self, branch: str) -> tuple[Drive, ...]:
        """Return what is done at each temperature of a curve."""
        return drives(
            amplitudes_of(self.amplitudes_oe),
            frequencies_of(self.frequencies_hz),
            harmonics_of(self.harmonics),
            branch,
            heating_check=self.heating_check and branch == "curve",
        )

    def rows_at(self, branch: str) -> int:
        """Return how many points belong to one temperature."""
        return len(self.drives_of(branch))

    def point_s(self) -> float:
        """Return about how long one drive takes, s."""
        return _DRIVE_S + self.average * _READING_S + BRACKET_S

    def _session(self, station: MeasuringStation, clock: Clock) -> "_Session":
        return _Session(self, station, clock)

    def _whole(self, stored: pd.DataFrame) -> pd.DataFrame:
        last = {branch: self.drives_of(branch)[-1] for branch, _ in self.legs()}
        ends = [
            (drive.branch, drive.amplitude_oe, drive.frequency_hz, drive.harmonic) for drive in last.values()
        ]
        labels = ["Branch", "Amplitude setpoint (Oe)", "Frequency (Hz)", "Harmonic"]
        is_end = [row in ends for row in stored[labels].itertuples(index=False, name=None)]
        return stored[is_end]

    def _taken(self, stored: pd.DataFrame, number: int, done: int) -> int:
        curve = self.planned()[number - 1]
        kelvin = curve.leg.program.targets()[done]
        rows = stored[(stored["Curve"] == number) & (stored["Temperature setpoint (K)"] == kelvin)]
        if rows.empty:
            return 0
        row = rows.iloc[-1]
        last = Drive(
            float(row["Amplitude setpoint (Oe)"]),
            float(row["Frequency (Hz)"]),
            int(row["Harmonic"]),
            str(row["Branch"]),
        )
        each = self.drives_of(curve.branch)
        return (each.index(last) + 1) % len(each)


class _Session(CurveSession):
    """One call of ``points()``: the susceptometer, and how it drives."""

    def __init__(self, measurement: AcSusceptibility, station: MeasuringStation, clock: Clock) -> None:
        super().__init__(measurement, station, clock)
        self._measurement = measurement
        self._susceptometer = station.susceptometer(measurement.wiring)
        limits = self._susceptometer.ac_limits
        for amplitude in amplitudes_of(measurement.amplitudes_oe):
            limits.amplitude.check("amplitude (peak)", amplitude)
        for frequency in frequencies_of(measurement.frequencies_hz):
            limits.frequency.check("frequency", frequency)
        self._driven: tuple[float, float, int] | None = None

    def start_source(self) -> None:
        """Do nothing: each point brings its own drive."""

    def stop_source(self) -> None:
        """Take the drive away."""
        self._driven = None
        self._susceptometer.stop()

    def take_at(
        self, number: int, curve: TemperatureCurve, kelvin: float, taken: int = 0
    ) -> Iterator[SusceptibilityPoint]:
        for drive in self._measurement.drives_of(curve.branch)[taken:]:
            wanted = drive.amplitude_oe, drive.frequency_hz, drive.harmonic
            if wanted != self._driven:
                self._driven = None
                self._susceptometer.start(*wanted)
                self._driven = wanted
            yield from self._take(drive, number, curve, kelvin)

    def _take(
        self, drive: Drive, number: int, curve: TemperatureCurve, kelvin: float
    ) -> Iterator[SusceptibilityPoint]:
        is_swept = math.isnan(kelvin)
        around = self._bracket.around(
            lambda: self._susceptometer.measure(self._measurement.average),
            within_k=None if is_swept else self.within_k(kelvin),
            setpoint_k=None if is_swept else kelvin,
        )
        found = around.found or _NOTHING
        reasons = [*found.flags, *around.reasons]
        if around.silent is None and not math.isfinite(found.in_phase):
            reasons.append(f"moment is {found.in_phase} emu")
        yield SusceptibilityPoint(
            time_utc=around.time_utc,
            elapsed=around.elapsed,
            temperature_setpoint=kelvin,
            temperature=around.temperature,
            field_setpoint=self.field_setpoint_oe(curve.field_oe),
            field=around.field,
            amplitude_setpoint=drive.amplitude_oe,
            amplitude=found.amplitude_oe,
            frequency=drive.frequency_hz,
            harmonic=drive.harmonic,
            in_phase=found.in_phase,
            in_phase_error=found.in_phase_error,
            quadrature=found.quadrature,
            quadrature_error=found.quadrature_error,
            branch=drive.branch,
            curve=number,
            direction=curve.direction,
            time_stamp=math.nan,
            flags=";".join([*found.flags, *around.flags]),
            rejected="; ".join(reasons),
        )
        if around.silent is not None:
            raise around.silent


_NOTHING = AcReading(math.nan, math.nan, math.nan, math.nan, math.nan)
