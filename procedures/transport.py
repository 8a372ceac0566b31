"""One four-probe resistance between two readings of temperature and field, and what spoils it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, ContactError
from onnes.instruments.protocols import Reading, Resistance
from onnes.instruments.records import Column, Point
from onnes.procedures.contact_watch import ContactWatch
from onnes.procedures.settling import FILLING
from onnes.procedures.watch import Watch

TEMPERATURE_MOVED = "temperature_moved"
CONTACT_OPEN = "contact_open"
LINK = "link"
_NOISE_SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class ResistancePoint(Point):
    """One resistance, with all that is needed to judge it later."""

    time_utc: Annotated[str, Column("Time UTC", "", "when the point was begun, ISO 8601, lab time")]
    elapsed: Annotated[float, Column("Elapsed", "s", "time since the measurement began; never jumps")]
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
    readings: Annotated[str, Column("Reversal readings", "", "raw voltages in V, in the order taken")]
    direction: Annotated[
        str, Column("Direction", "", "warming, cooling, rising, falling, settled or reference")
    ]
    curve: Annotated[int, Column("Curve", "", "number of the monotone pass, from 1; 0 for a reference")]
    status: Annotated[str, Column("Status", "", "packed status word after the readings")]
    flags: Annotated[str, Column("Flags", "", "what is odd about the point; empty for a good one")]


_NO_READING = Reading(math.nan, math.nan, "", False, 0)
_NO_RESISTANCE = Resistance(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, ())


class FourProbe:
    """Takes bracketed points: temperature and field, the voltages, temperature and field.

    Args:
        wiring: names the contacts in messages.
        measure: takes one resistance.
        stop: takes the current away.
        contacts: judges each resistance.
        began: time on the clock's scale that counts as zero of "Elapsed".
    """

    def __init__(
        self,
        wiring: str,
        watch: Watch,
        measure: Callable[[], Resistance],
        stop: Callable[[], None],
        contacts: ContactWatch,
        clock: Clock,
        began: float,
    ) -> None:
        self._wiring, self._watch, self._clock, self._began = wiring, watch, clock, began
        self._measure, self._stop, self._contacts = measure, stop, contacts

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
        clock, watch = self._clock, self._watch
        time_utc = clock.datetime().isoformat(timespec="milliseconds")
        elapsed = clock.now() - self._began
        before = after = _NO_READING
        field_before: Reading | None = None
        field_after: Reading | None = None
        found = _NO_RESISTANCE
        noise_k, middle, opened = 0.0, math.nan, ""
        silent: CommunicationError | None = None
        try:
            before, field_before = watch.snapshot()
            noise_k = 0.0 if within_k is None else self._noise_k()
            started = clock.now()
            found = self._measure()
            middle = 0.5 * (started + clock.now())
            opened = self._contacts.judge(found, middle)
            if opened:
                self._stop()
            after, field_after = watch.snapshot()
        except CommunicationError as error:
            silent = error

        flags = list(found.flags)
        reasons = list(found.flags)
        if opened:
            flags.append(CONTACT_OPEN)
            reasons.append(opened)
        if silent is not None:
            flags.append(LINK)
            reasons.append(str(silent))
        for what, pair in (("temperature", (before, after)), ("field", (field_before, field_after))):
            if any(reading is not None and reading.state == "unknown" for reading in pair):
                flags.append(f"{what}_unknown")
                reasons.append(f"{what} state unknown")
        if FILLING in (before.state, after.state):
            flags.append("helium_fill")
        if within_k is not None:
            moved = after.value - before.value
            if abs(moved) > within_k + noise_k:
                flags.append(TEMPERATURE_MOVED)
                reasons.append(
                    f"temperature moved by {moved:+.3g} K during the point, more than {within_k:.3g} K"
                )
        temperature = _between(before, after, middle)
        if silent is None and not math.isfinite(temperature):
            reasons.append(f"temperature reads {before.value} K before and {after.value} K after")
        if silent is None and not math.isfinite(found.resistance):
            reasons.append(f"resistance is {found.resistance} ohm")
        if field_before is None or field_after is None:
            field = field_rate = math.nan
        else:
            field = _between(field_before, field_after, middle)
            field_rate = watch.field.line().slope_per_s
        yield ResistancePoint(
            time_utc,
            elapsed,
            kelvin,
            temperature,
            before.value,
            after.value,
            math.nan if after is _NO_READING else watch.temperature.line().slope_per_s * 60.0,
            field_oe,
            field,
            field_rate,
            found.current,
            found.voltage,
            found.resistance,
            found.resistance_error,
            found.emf,
            found.emf_drift,
            ";".join(map(repr, found.readings)),
            direction,
            curve,
            "" if after is _NO_READING else f"0x{after.status:04X}",
            ";".join(flags),
            rejected="; ".join(reasons),
        )
        if silent is not None:
            raise silent
        if opened:
            raise ContactError(
                f"a contact of wiring {self._wiring!r} has opened: {opened}; V = {found.voltage:.4g} V, "
                f"I = {found.current:.4g} A, T = {before.value:.5g} K; the source is at 0 A; "
                "check the contacts before going on with this wiring"
            )

    def _noise_k(self) -> float:
        # One reading scatters by 1.8 mK rms at 3 K (seen): two differ by more than 5 mK one time in twenty.
        rms = self._watch.temperature.line().rms
        return 0.0 if math.isnan(rms) else _NOISE_SIGMAS * math.sqrt(2.0) * rms


def _between(before: Reading, after: Reading, time: float) -> float:
    """Return the value at ``time`` on the straight line through two readings, K or Oe."""
    passed = after.time - before.time
    part = (time - before.time) / passed if passed > 0 else 0.5
    return before.value + part * (after.value - before.value)
