"""One point of V(I), with all that is needed to judge it later."""

from dataclasses import dataclass
from typing import Annotated

from onnes.instruments.records import Column, Point


@dataclass(frozen=True, slots=True)
class CurrentVoltagePoint(Point):
    """The voltage at one current, temperature and field."""

    time_utc: Annotated[str, Column("Time UTC", "", "when the point was begun, ISO 8601, lab time")]
    elapsed: Annotated[float, Column("Elapsed", "s", "time since this attempt began; never jumps")]
    temperature_setpoint: Annotated[float, Column("Temperature setpoint", "K", "what is asked for")]
    temperature: Annotated[float, Column("Temperature", "K", "thermometer, at the middle of the readings")]
    field_setpoint: Annotated[float, Column("Field setpoint", "Oe", "what the magnet is asked for")]
    field: Annotated[float, Column("Field", "Oe", "as the supply reports it, at the middle of the readings")]
    current: Annotated[float, Column("Current", "A", "size of the current, which was reversed")]
    voltage: Annotated[float, Column("Voltage", "V", "the part that reverses with the current")]
    voltage_error: Annotated[float, Column("Voltage error", "V", "standard error")]
    voltage_positive: Annotated[
        float, Column("Voltage positive", "V", "mean at the positive current, EMF taken out")
    ]
    voltage_negative: Annotated[
        float,
        Column("Voltage negative", "V", "mean at the negative current, EMF taken out; NaN if not measured"),
    ]
    thermal_emf: Annotated[
        float, Column("Thermal EMF", "V", "the part that does not reverse at the smallest current")
    ]
    readings: Annotated[str, Column("Reversal readings", "", "raw voltages in V, in the order taken")]
    curve: Annotated[int, Column("Curve", "", "number of the curve, from 1")]
    direction: Annotated[str, Column("Direction", "", "rising")]
    status: Annotated[str, Column("Status", "", "packed status word after the readings")]
    flags: Annotated[str, Column("Flags", "", "what is odd about the point; empty for a good one")]
