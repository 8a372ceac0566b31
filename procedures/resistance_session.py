"""How a measurement of resistance goes from setpoint to setpoint, and takes points there or on the way."""

import math
from collections.abc import Iterable, Iterator

from onnes.instruments.clock import Clock
from onnes.instruments.protocols import Resistance
from onnes.instruments.records import Event, Point
from onnes.procedures.options import MagnetUse, Settle
from onnes.procedures.programs import Sweep
from onnes.procedures.ramping import (
    Ramp,
    hold_temperature,
    magnet_of,
    regulated_field,
    regulated_temperature,
    set_field,
    set_temperature,
    settle_field,
    settle_temperature,
)
from onnes.procedures.resistance_measurement import COLD_K, COLD_RATE_OE_PER_S, ResistanceMeasurement
from onnes.procedures.settling import field_criterion, temperature_criterion
from onnes.procedures.transport import TEMPERATURE_MOVED, FourProbe
from onnes.procedures.watch import MeasuringStation, Watch

_REPEATS = 2  # of a settled point during which the temperature moved; it settles again before each


class Session:
    """One call of ``points()``: the station, what has been set so far, and what has been read.

    Raises:
        ConfigurationError: if the station does not have the wiring.
        LimitError: if the current or the rate between temperatures is not allowed; nothing was sent.
    """

    def __init__(self, measurement: ResistanceMeasurement, station: MeasuringStation, clock: Clock) -> None:
        self._station, self._clock = station, clock
        self._current_a, self._average = measurement.current_a, measurement.average
        self._settle = Settle.from_json(measurement.settle)
        self._magnet = MagnetUse.from_json(measurement.magnet)
        self._rate_k_per_min = measurement.temperature_rate_k_per_min or None
        self._poll_s = measurement.poll_s
        self._bridge = station.bridge(measurement.wiring)
        self._bridge.current_limits.check("current", self._current_a)
        if self._rate_k_per_min is not None:
            station.limits().temperature_rate.check("temperature rate", self._rate_k_per_min)
        self._watch = Watch(station)
        self._probe = FourProbe(self._watch, self._measure, clock, clock.now())
        self._kelvin: float | None = None  # where temperature and field were settled last; None on their way
        self._field_oe: float | None = None

    def _measure(self) -> Resistance:
        return self._bridge.measure(self._average)

    def check(
        self,
        temperatures: Iterable[float],
        fields: Iterable[float],
        *,
        rate_k_per_min: float | None = None,
        rate_oe_per_s: float | None = None,
    ) -> None:
        """Look at the whole plan before the first command: a limit at its end must not cost a night.

        Raises:
            ConfigurationError: if a field is asked for and there is no magnet.
            LimitError: if a setpoint or a rate is outside the station's limits; nothing was sent.
        """
        limits = self._station.limits()
        for kelvin in temperatures:
            limits.temperature.check("temperature", kelvin)
        if rate_k_per_min is not None:
            limits.temperature_rate.check("temperature rate", rate_k_per_min)
        for field_oe in fields:
            if self._needs_magnet(field_oe):
                magnet_of(self._station)[1].check("field", field_oe)
        for rate in (rate_oe_per_s, self._magnet.rate_oe_per_s):
            if rate is not None and self._station.magnet is not None:
                magnet_of(self._station)[2].check("field rate", rate)

    def start_source(self) -> None:
        """Switch the current on; range and current stay as they are until :meth:`stop_source`."""
        self._bridge.start(self._current_a)

    def stop_source(self) -> None:
        """Ramp the current to 0 and switch it off."""
        self._bridge.stop()

    # -- settled

    def at_temperature(self, kelvin: float) -> Iterator[Event]:
        """Settle at ``kelvin``; if that is where it settled before, make sure that it still is."""
        if kelvin == self._kelvin:
            criterion = temperature_criterion(kelvin, self._settle)
            event = hold_temperature(self._station, self._clock, kelvin, criterion, self._poll_s, self._watch)
            if event is not None:
                yield event
            return
        self._kelvin = None
        yield settle_temperature(
            self._station,
            self._clock,
            kelvin,
            rate_k_per_min=self._rate_k_per_min,
            settle=self._settle,
            poll_s=self._poll_s,
            watch=self._watch,
        )
        self._kelvin = kelvin

    def at_field(self, field_oe: float) -> Iterator[Event]:
        """Settle at ``field_oe``, in Oe, unless it is there; a station without magnet is at 0 Oe."""
        if field_oe == self._field_oe or not self._needs_magnet(field_oe):
            return
        self._field_oe = None
        use = self._magnet
        rate = use.rate_oe_per_s
        kelvin = self._watch.snapshot()[0].value if self._kelvin is None else self._kelvin
        if rate is None and not kelvin >= COLD_K:
            rate = min(COLD_RATE_OE_PER_S, magnet_of(self._station)[2].high)
        yield settle_field(
            self._station,
            self._clock,
            field_oe,
            rate_oe_per_s=rate,
            approach=use.approach,
            mode=use.mode,
            then_wait_s=use.then_wait_s,
            poll_s=self._poll_s,
            watch=self._watch,
        )
        self._field_oe = field_oe

    def settled_point(
        self, direction: str, curve: int, kelvin: float, field_oe: float
    ) -> Iterator[Point | Event]:
        """Take one point at rest; one during which the temperature moved is rejected and repeated."""
        for _ in range(1 + _REPEATS):
            yield from self.at_temperature(kelvin)
            point = self._probe.point(
                direction,
                curve,
                kelvin=kelvin,
                field_oe=field_oe if self._station.magnet is not None else math.nan,
                within_k=temperature_criterion(kelvin, self._settle).within,
            )
            yield point
            if TEMPERATURE_MOVED not in point.flags:
                return

    # -- swept

    def temperature_sweep(self, sweep: Sweep, curve: int, field_oe: float) -> Iterator[Point | Event]:
        """Ramp the temperature from where it is to the end of ``sweep`` and take points on the way."""
        self._kelvin = None
        set_temperature(self._station, sweep.end, sweep.rate)
        yield _sweep_event("temperature", "K", "K/min", sweep)
        within = temperature_criterion(sweep.end, self._settle).within
        direction = "warming" if sweep.rises else "cooling"
        if self._station.magnet is None:
            field_oe = math.nan
        for _ in Ramp(regulated_temperature(self._station, self._watch), sweep, within, self._clock):
            yield self._probe.point(direction, curve, field_oe=field_oe)

    def field_sweep(self, sweep: Sweep, curve: int, kelvin: float) -> Iterator[Point | Event]:
        """Ramp the field from where it is to the end of ``sweep`` and take points on the way."""
        self._field_oe = None
        set_field(self._station, sweep.end, sweep.rate)
        yield _sweep_event("field", "Oe", "Oe/s", sweep)
        within = field_criterion(sweep.end, 0.0).within
        direction = "rising" if sweep.rises else "falling"
        for _ in Ramp(regulated_field(self._station, self._watch, "driven"), sweep, within, self._clock):
            yield self._probe.point(direction, curve, kelvin=kelvin)

    def _needs_magnet(self, field_oe: float) -> bool:
        return self._station.magnet is not None or field_oe != 0


def _sweep_event(quantity: str, unit: str, rate_unit: str, sweep: Sweep) -> Event:
    return Event(
        "sweep",
        f"{quantity} sweep from {sweep.start:.9g} {unit} to {sweep.end:.9g} {unit} "
        f"at {sweep.rate:.9g} {rate_unit}",
        {
            "quantity": quantity,
            "unit": unit,
            "start": sweep.start,
            "end": sweep.end,
            "rate": sweep.rate,
            "rate_unit": rate_unit,
            "every_s": sweep.every_s,
        },
    )
