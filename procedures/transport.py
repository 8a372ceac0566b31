"""One four-probe resistance between two readings of temperature and field, and what spoils it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from onnes.instruments.errors import ContactError
from onnes.instruments.protocols import Resistance
from onnes.instruments.records import Column, Point
from onnes.procedures.bracket import Bracket
from onnes.procedures.contact_watch import ContactWatch

CONTACT_OPEN = "contact_open"


@dataclass(frozen=True, slots=True)
class ResistancePoint(Point):
    """One resistance, with all that is needed to judge it later."""

    time_utc: Annotated[str, Column("Time UTC", "", "when the point was begun, ISO 8601, lab time")]
    elapsed: Annotated[float, Column("Elapsed", "s", "time since this attempt began; never jumps")]
    temperature_setpoint: Annotated[float, Column("Temperature setpoint", "K", "NaN while sweeping")]
    temperature: Annotated[
        float,
        Column("Temperature", "K", "thermometer, between before and after, at the middle of the readings"),
    ]
    temperature_before: Annotated[float, Column("Temperature before", "K", "thermometer before the readings")]
    temperature_after: Annotated[float, Column("Temperature after", "K", "thermometer after the readings")]
    temperature_rate: Annotated[
        float, Column("Temperature rate", "K/min", "slope of the readings of the last minute")
    ]
    field_setpoint: Annotated[float, Column("Field setpoint", "Oe", "NaN while sweeping")]
    field: Annotated[float, Column("Field", "Oe", "as the supply reports it, at the middle of the readings")]
    field_rate: Annotated[float, Column("Field rate", "Oe/s", "slope of the readings of the last minute")]
    current: Annotated[float, Column("Current", "A", "excitation")]
    voltage: Annotated[float, Column("Voltage", "V", "the part that reverses with the current")]
    resistance: Annotated[float, Column("Resistance", "ohm", "mean of the three-point reversals")]
    resistance_error: Annotated[float, Column("Resistance error", "ohm", "standard error of that mean")]
    thermal_emf: Annotated[float, Column("Thermal EMF", "V", "the part that does not reverse")]
    emf_drift: Annotated[float, Column("EMF drift", "V/s", "slope of the part that does not reverse")]
    quadrature: Annotated[
        float,
        Column("Quadrature", "V", "the part out of phase with an alternating current; NaN for a direct one"),
    ]
    readings: Annotated[str, Column("Reversal readings", "", "raw voltages in V, in the order taken")]
    direction: Annotated[
        str, Column("Direction", "", "warming, cooling, rising, falling, settled or reference")
    ]
    curve: Annotated[int, Column("Curve", "", "number of the monotone pass, from 1; 0 for a reference")]
    status: Annotated[str, Column("Status", "", "packed status word after the readings")]
    flags: Annotated[str, Column("Flags", "", "what is odd about the point; empty for a good one")]


_NO_RESISTANCE = Resistance(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, ())


class FourProbe:
    """Takes bracketed points: temperature and field, the voltages, temperature and field.

    Args:
        wiring: names the contacts in messages.
        measure: takes one resistance.
        stop: takes the current away.
        contacts: judges each resistance.
        standing: flags that every point has, because of what was found before.
    """

    def __init__(
        self,
        wiring: str,
        bracket: Bracket,
        measure: Callable[[], Resistance],
        stop: Callable[[], None],
        contacts: ContactWatch,
    ) -> None:
        self._wiring, self._bracket = wiring, bracket
        self._measure, self._stop, self._contacts = measure, stop, contacts
        self.standing: tuple[str, ...] = ()

    def take(
        self,
        direction: str,
        curve: int,
        *,
        kelvin: float = math.nan,
        field_oe: float = math.nan,
        within_k: float | None = None,
    ) -> Iterator[ResistancePoint]:
        """Take one point and yield it, also one that failed; then raise what went wrong.

        A reading that did not come is NaN, never the one before. When a contact has opened the current is
        taken away before anything else is read.

        Args:
            direction: warming, cooling, rising, falling, settled or reference.
            curve: number of the monotone pass.
            kelvin: setpoint, K; NaN in a temperature sweep.
            field_oe: setpoint, Oe; NaN in a field sweep.
            within_k: how far the temperature may move during the point, K; without it, in a sweep, the point
                is judged by status alone.

        Raises:
            InstrumentFault: in a fault state.
            CommunicationError: if an instrument does not answer; the point was yielded.
            ContactError: if a contact has opened; the point was yielded, the current is 0.
        """
        opened = ""

        def judge(resistance: Resistance, time: float) -> None:
            nonlocal opened
            opened = self._contacts.judge(resistance, time)
            if opened:
                self._stop()

        around = self._bracket.around(self._measure, judge=judge, within_k=within_k)
        found = around.found or _NO_RESISTANCE
        flags, reasons = list(found.flags), list(found.flags)
        if opened:
            flags.append(CONTACT_OPEN)
            reasons.append(opened)
        flags += [*around.flags, *self.standing]
        reasons += around.reasons
        if around.silent is None and not math.isfinite(found.resistance):
            reasons.append(f"resistance is {found.resistance} ohm")
        yield ResistancePoint(
            time_utc=around.time_utc,
            elapsed=around.elapsed,
            temperature_setpoint=kelvin,
            temperature=around.temperature,
            temperature_before=around.temperature_before,
            temperature_after=around.temperature_after,
            temperature_rate=around.temperature_rate,
            field_setpoint=field_oe,
            field=around.field,
            field_rate=around.field_rate,
            current=found.current,
            voltage=found.voltage,
            resistance=found.resistance,
            resistance_error=found.resistance_error,
            thermal_emf=found.emf,
            emf_drift=found.emf_drift,
            quadrature=found.quadrature,
            readings=";".join(map(repr, found.readings)),
            direction=direction,
            curve=curve,
            status=around.status,
            flags=";".join(flags),
            rejected="; ".join(reasons),
        )
        if around.silent is not None:
            raise around.silent
        if opened:
            raise ContactError(
                f"a contact of wiring {self._wiring!r} has opened: {opened}; V = {found.voltage:.4g} V, "
                f"I = {found.current:.4g} A, T = {around.temperature_before:.5g} K; the source is at 0 A; "
                "check the contacts before going on with this wiring"
            )
