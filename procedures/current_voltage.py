"""V(I) at several temperatures and fields, up to where the critical current is passed."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import ClassVar

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, ContactError
from onnes.instruments.protocols import Resistance
from onnes.instruments.records import Event, Point
from onnes.procedures.current_voltage_point import CurrentVoltagePoint
from onnes.procedures.experiment import BooleanParameter, FloatParameter, IntegerParameter, JsonParameter
from onnes.procedures.grid_measurement import GridCurve, GridMeasurement, GridSession
from onnes.procedures.setpoint_lists import currents_of, fields_of, temperatures_of
from onnes.procedures.setpoint_measurement import BRACKET_S
from onnes.procedures.transport import CONTACT_OPEN
from onnes.procedures.watch import MeasuringStation

_READING_S = 0.1  # for estimates alone: one voltage reading
_QUENCH, _COMPLIANCE = "quench", "compliance"


class CurrentVoltage(GridMeasurement):
    """V(I) at each temperature and, there, at each field: the current rises until the voltage is too large.

    At the first reading beyond ``stop_at`` times the criterion the current is taken away, and the curve ends.
    At each current the voltage is measured by reversal, so both polarities are. A current of 0 A, with which
    a list may begin, is left out: a reversal tells nothing there.
    """

    kind: ClassVar[str] = "current-voltage"
    point: ClassVar[type[Point]] = CurrentVoltagePoint
    swept: ClassVar[str] = "Current (A)"

    currents_a: str = JsonParameter("Currents", currents_of, default=[1e-6])
    average: int = IntegerParameter("Average readings", minimum=1, maximum=100_000, default=10)
    both_polarities: bool = BooleanParameter("Both polarities", default=True)
    # how long the current is on at each reading; 0: it stays (staircase)
    pulse_s: float = FloatParameter("Pulse", units="s", minimum=0.0, maximum=10.0, default=0.0)
    # over the voltage contacts: 1 uV/cm over 3 mm
    criterion_v: float = FloatParameter("Criterion", units="V", minimum=1e-12, maximum=10.0, default=3e-7)
    stop_at: float = FloatParameter("Stop at", minimum=1.0, maximum=1e6, default=10.0)  # times the criterion

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the currents do not rise from 0 A on, or one polarity alone is asked for.
        """
        currents = currents_of(self.currents_a)
        if currents[0] < 0 or any(after <= before for before, after in pairwise(currents)):
            raise ValueError(
                f"currents_a is {self.currents_a}; list them rising from 0 A or above: the curve ends "
                "where the voltage is too large"
            )
        if not self.driven():
            raise ValueError("currents_a has no current above 0 A, so there is nothing to measure")
        if not self.both_polarities:
            raise ValueError(
                "Both polarities is false, but the voltage is measured by reversal of the current, which "
                "takes thermal EMFs out; leave it true"
            )

    def planned(self) -> list[GridCurve]:
        """Return all curves in order: field by field at each temperature."""
        return [
            GridCurve(kelvin, field_oe, "curve", "rising", self.driven())
            for kelvin in temperatures_of(self.temperatures)
            for field_oe in fields_of(self.fields_oe)
        ]

    def driven(self) -> tuple[float, ...]:
        """Return the currents that are driven, A: those above 0."""
        return tuple(current for current in currents_of(self.currents_a) if current > 0)

    def curve_s(self, curve: GridCurve) -> float:
        """Return about how long one curve takes where temperature and field have settled, s."""
        return len(curve.values) * (self.average * _READING_S + BRACKET_S)

    def _session(self, station: MeasuringStation, clock: Clock) -> "_Session":
        return _Session(self, station, clock)


class _Session(GridSession):
    """One call of ``points()``: its meter, and where it stops.

    Raises:
        ConfigurationError: if the station does not have the wiring, or the curve would stop at a voltage that
            the source cannot give.
        LimitError: if a current or the rate between temperatures is not allowed; nothing was sent.
    """

    def __init__(self, measurement: CurrentVoltage, station: MeasuringStation, clock: Clock) -> None:
        super().__init__(measurement, station, clock)
        self._wiring, self._average = measurement.wiring, measurement.average
        self._pulse_s = measurement.pulse_s or None
        self._stop_v = measurement.stop_at * measurement.criterion_v
        self._meter = station.current_voltage(measurement.wiring)
        for current in measurement.driven():
            self._meter.current_limits.check("current", current)
        if not self._stop_v < self._meter.compliance_v:
            raise ConfigurationError(
                f"the curve stops at {self._stop_v:.4g} V, which is not below the compliance of "
                f"{self._meter.compliance_v:.4g} V: it would end as if a contact had opened; choose "
                "a smaller criterion or stop_at, or raise the compliance of the wiring"
            )

    def stop_source(self) -> None:
        """Ramp the current to 0 and switch it off."""
        self._meter.stop()

    def take_curve(self, number: int, curve: GridCurve) -> Iterator[Point | Event]:
        """Take V at each current of ``curve`` until one is too large; the current is 0 after it."""
        self._meter.start_curve(max(curve.values), self._pulse_s)
        emf = math.nan
        for current in curve.values:
            opened = ""

            def judge(found: Resistance, _: float, current: float = current) -> None:
                nonlocal opened
                opened = self._opened(found, current)
                if opened or _QUENCH in found.flags:
                    self.stop_source()

            around = self._bracket.around(
                partial(self._meter.voltage_at, current, self._average, self._stop_v),
                judge=judge,
                within_k=self.within_k(curve.kelvin),
                setpoint_k=curve.kelvin,
            )
            found = around.found or _NOTHING
            if math.isnan(emf):
                emf = found.emf
            flags, reasons = list(found.flags), list(found.flags)
            if opened:
                flags.append(CONTACT_OPEN)
                reasons.append(opened)
            if around.silent is None and not math.isfinite(found.voltage):
                reasons.append(f"voltage is {found.voltage} V")
            yield CurrentVoltagePoint(
                time_utc=around.time_utc,
                elapsed=around.elapsed,
                temperature_setpoint=curve.kelvin,
                temperature=around.temperature,
                field_setpoint=self.field_setpoint_oe(curve.field_oe),
                field=around.field,
                current=found.current,
                voltage=found.voltage,
                voltage_error=found.resistance_error * found.current,
                voltage_positive=_mean_at(1, found, emf),
                voltage_negative=_mean_at(-1, found, emf),
                thermal_emf=emf,
                readings=";".join(map(repr, found.readings)),
                curve=number,
                direction=curve.direction,
                status=around.status,
                flags=";".join([*flags, *around.flags]),
                rejected="; ".join([*reasons, *around.reasons]),
            )
            if around.silent is not None:
                raise around.silent
            if opened:
                raise ContactError(
                    f"a contact of wiring {self._wiring!r} has opened: {opened}; I = {current:.4g} A, "
                    f"T = {around.temperature_before:.5g} K; the source is at 0 A; check the contacts before "
                    "going on with this wiring"
                )
            if _QUENCH in found.flags:
                yield self._quenched(number, curve, current)
                break
        self.stop_source()

    def _opened(self, found: Resistance, current: float) -> str:
        """Return why a contact must have opened; the voltage that the sample itself makes ends the curve."""
        if _COMPLIANCE not in found.flags or _QUENCH in found.flags:
            return ""
        largest_v = max(map(abs, found.readings), default=math.nan)
        return (
            f"the source is in compliance at {self._meter.compliance_v:.3g} V with {current:.4g} A, and only "
            f"{largest_v:.3g} V are at the voltage contacts"
        )

    def _quenched(self, number: int, curve: GridCurve, current: float) -> Event:
        return Event(
            _QUENCH,
            f"curve {number} at {curve.kelvin:.6g} K, {curve.field_oe:.6g} Oe ended at {current:.4g} A: the "
            f"voltage passed {self._stop_v:.4g} V, and the current was taken away",
            {
                "curve": number,
                "temperature_k": curve.kelvin,
                "field_oe": curve.field_oe,
                "current_a": current,
                "stop_v": self._stop_v,
            },
        )


_NOTHING = Resistance(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, ())


def _mean_at(sign: int, found: Resistance, emf: float) -> float:
    """Return the mean of the readings at one polarity without ``emf``, V; NaN where there are none."""
    chosen: Sequence[float] = [
        volts for of, volts in zip(found.signs, found.readings, strict=False) if of * sign > 0
    ]
    return fmean(chosen) - emf if chosen else math.nan
