"""One differential conductance, with all that is needed to judge it later."""

from dataclasses import dataclass
from typing import Annotated

from onnes.instruments.records import Column, Point


@dataclass(frozen=True, slots=True)
class ConductancePoint(Point):
    """dI/dV of a contact at one bias, temperature and field."""

    time_utc: Annotated[str, Column("Time UTC", "", "when the point was begun, ISO 8601, lab time")]
    elapsed: Annotated[float, Column("Elapsed", "s", "time since this attempt began; never jumps")]
    temperature_setpoint: Annotated[float, Column("Temperature setpoint", "K", "NaN while sweeping")]
    temperature: Annotated[float, Column("Temperature", "K", "thermometer, at the middle of the readings")]
    field_setpoint: Annotated[float, Column("Field setpoint", "Oe", "what the magnet is asked for")]
    field: Annotated[float, Column("Field", "Oe", "as the supply reports it, at the middle of the readings")]
    bias_setpoint: Annotated[float, Column("Bias setpoint", "V", "the dc voltage asked for")]
    bias: Annotated[float, Column("Bias", "V", "the dc voltage over the contact")]
    current: Annotated[float, Column("Current", "A", "the dc current")]
    conductance: Annotated[float, Column("Conductance", "S", "dI/dV")]
    conductance_error: Annotated[float, Column("Conductance error", "S", "standard error")]
    modulation: Annotated[float, Column("Modulation", "V", "alternating voltage over the contact, rms")]
    quadrature: Annotated[float, Column("Quadrature", "", "dV/dI out of phase over that in phase")]
    frequency: Annotated[float, Column("Frequency", "Hz", "of the modulation; NaN without one")]
    branch: Annotated[str, Column("Branch", "", "curve, normal (the reference above Tc) or zero_bias")]
    curve: Annotated[int, Column("Curve", "", "number of the monotone pass, from 1")]
    direction: Annotated[str, Column("Direction", "", "rising, falling, warming, cooling or settled")]
    status: Annotated[str, Column("Status", "", "packed status word after the readings")]
    flags: Annotated[str, Column("Flags", "", "what is odd about the point; empty for a good one")]
