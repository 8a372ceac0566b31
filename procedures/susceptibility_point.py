"""One alternating moment, with all that is needed to judge it later; phase and background are left in."""

from dataclasses import dataclass
from typing import Annotated

from onnes.instruments.records import Column, Point


@dataclass(frozen=True, slots=True)
class SusceptibilityPoint(Point):
    """One alternating moment at one temperature, field, amplitude and frequency.

    Branches: ``curve`` for what is wanted; ``heating_check`` for the first amplitude again after the largest;
    ``phase`` for points deep in the screening state, by which the phase is set; ``background`` for points
    above the transition, where only the coils are left.
    """

    time_utc: Annotated[str, Column("Time UTC", "", "when the point was begun or seen, ISO 8601, lab time")]
    elapsed: Annotated[float, Column("Elapsed", "s", "time since this attempt began; never jumps")]
    temperature_setpoint: Annotated[float, Column("Temperature setpoint", "K", "NaN while sweeping")]
    temperature: Annotated[float, Column("Temperature", "K", "at the middle of the readings")]
    field_setpoint: Annotated[
        float,
        Column("Field setpoint", "Oe", "the dc field asked for; a corrected residual field is not in it"),
    ]
    field: Annotated[float, Column("Field", "Oe", "the dc field as the supply reports it")]
    amplitude_setpoint: Annotated[float, Column("Amplitude setpoint", "Oe", "of the drive field, peak")]
    amplitude: Annotated[float, Column("Amplitude", "Oe", "of the drive field, peak, as reported")]
    frequency: Annotated[float, Column("Frequency", "Hz", "of the drive field")]
    harmonic: Annotated[int, Column("Harmonic", "", "of the moment that was measured")]
    in_phase: Annotated[
        float,
        Column("Moment in phase", "emu", "amplitude with the drive field, negative for screening; raw"),
    ]
    in_phase_error: Annotated[float, Column("Moment in phase error", "emu", "standard error")]
    quadrature: Annotated[
        float, Column("Moment quadrature", "emu", "amplitude behind the drive field, positive for loss; raw")
    ]
    quadrature_error: Annotated[float, Column("Moment quadrature error", "emu", "standard error")]
    branch: Annotated[str, Column("Branch", "", "curve, heating_check, phase or background")]
    curve: Annotated[int, Column("Curve", "", "number of the curve, from 1")]
    direction: Annotated[str, Column("Direction", "", "warming, cooling or settled")]
    time_stamp: Annotated[
        float, Column("Time stamp", "s", "of the row in the machine's file; NaN without one")
    ]
    flags: Annotated[str, Column("Flags", "", "what is odd about the point; empty for a good one")]
