"""One moment as the machine's file has it, with all that is needed to judge it later."""

from dataclasses import dataclass
from typing import Annotated

from onnes.instruments.records import Column, Point


@dataclass(frozen=True, slots=True)
class MomentPoint(Point):
    """One moment at one temperature and field."""

    time_utc: Annotated[str, Column("Time UTC", "", "when the row was seen, ISO 8601, lab time")]
    elapsed: Annotated[float, Column("Elapsed", "s", "time since this attempt began; never jumps")]
    temperature_setpoint: Annotated[
        float, Column("Temperature setpoint", "K", "what the machine is asked for")
    ]
    temperature: Annotated[float, Column("Temperature", "K", "as the machine reports it")]
    field_setpoint: Annotated[
        float, Column("Field setpoint", "Oe", "what the magnet is asked for, correction included")
    ]
    field: Annotated[
        float, Column("Field", "Oe", "as the machine reports it, from the current of its supply")
    ]
    field_corrected: Annotated[
        float,
        Column("Field corrected", "Oe", "reported field plus the residual field, as far as that is known"),
    ]
    field_corrected_error: Annotated[
        float,
        Column(
            "Field corrected error",
            "Oe",
            "one sigma of the residual field, its bound if it is an estimate; NaN where it is unknown",
        ),
    ]
    moment: Annotated[float, Column("Moment", "emu", "the one of the fits that counts")]
    moment_error: Annotated[float, Column("Moment error", "emu", "as the machine reports it")]
    moment_fixed: Annotated[float, Column("Moment fixed", "emu", "fit at the given centre; NaN without one")]
    moment_free: Annotated[float, Column("Moment free", "emu", "fit with a free centre; NaN without one")]
    fit: Annotated[float, Column("Fit", "", "quality of the fit that counts, 1 at best; NaN without one")]
    fit_used: Annotated[str, Column("Fit used", "", "which fit counts: fixed, free, vsm or long")]
    centre: Annotated[float, Column("Centre", "cm", "where the sample sits in the scan; NaN without a fit")]
    time_stamp: Annotated[float, Column("Time stamp", "s", "of the row, on the file's own scale")]
    since_field_change: Annotated[
        float,
        Column(
            "Time since field change",
            "s",
            "at least so long the field has been at rest: the waits before its first row, and since",
        ),
    ]
    branch: Annotated[str, Column("Branch", "", "zfc, fcc, fcw, virgin, down or up")]
    measuring_field: Annotated[
        float, Column("Measuring field", "Oe", "the field that is wanted at the sample")
    ]
    curve: Annotated[int, Column("Curve", "", "number of the curve, from 1")]
    direction: Annotated[str, Column("Direction", "", "warming, cooling, rising or falling")]
    flags: Annotated[str, Column("Flags", "", "what is odd about the point; empty for a good one")]
