"""How a measurement goes from setpoint to setpoint, and takes points there or on the way."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from onnes.instruments.clock import Clock
from onnes.instruments.records import Event, Point
from onnes.procedures.bracket import Bracket
from onnes.procedures.options import MagnetUse, Prepare, Settle
from onnes.procedures.preparation import check_recipe, prepare_sample, recipe_of
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
from onnes.procedures.setpoint_measurement import COLD_K, COLD_RATE_OE_PER_S, SetpointMeasurement
from onnes.procedures.settling import Regulated, field_criterion, temperature_criterion
from onnes.procedures.take_up import is_beyond, run_up
from onnes.procedures.watch import MeasuringStation, Watch

Taken = TypeVar("Taken", bound=Point)


class SetpointSession:
    """One call of ``points()``: the station, and where its temperature and field were settled last.

    Raises:
        LimitError: if the rate between temperatures is not allowed; nothing was sent.
    """

    def __init__(self, measurement: SetpointMeasurement, station: MeasuringStation, clock: Clock) -> None:
        self._station, self._clock = station, clock
        self._settle = Settle.from_json(measurement.settle)
        self._magnet = MagnetUse.from_json(measurement.magnet)
        self._rate_k_per_min = measurement.temperature_rate_k_per_min or None
        self._poll_s = measurement.poll_s
        limits = station.limits()
        self._recipe = recipe_of(
            Prepare.from_json(measurement.prepare),
            measurement.path_below_k,
            limits.field,
        )
        if self._rate_k_per_min is not None:
            limits.temperature_rate.check("temperature rate", self._rate_k_per_min)
        self._watch = measurement.watch = Watch(station)
        self._bracket = Bracket(self._watch, clock, clock.now())
        self._kelvin: float | None = None  # where temperature and field were settled last; None on their way
        self._field_oe: float | None = None

    def stop_source(self) -> None:
        """Take away what drives the sample; safe to call at any time."""
        raise NotImplementedError

    def close(self) -> None:
        """Take away what drives the sample, and what was set for this measurement alone."""
        self.stop_source()

    def within_k(self, kelvin: float) -> float:
        """Return how far from ``kelvin`` the temperature counts as settled, K."""
        return temperature_criterion(kelvin, self._settle).within

    def field_setpoint_oe(self, field_oe: float) -> float:
        """Return ``field_oe``, Oe; NaN where there is no magnet to ask for it."""
        return field_oe if self._station.magnet is not None else math.nan

    def check(
        self,
        temperatures: Iterable[float],
        fields: Iterable[float],
        *,
        rate_k_per_min: float | None = None,
        rate_oe_per_s: float | None = None,
        is_prepared: bool = False,
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
        if is_prepared:
            check_recipe(self._station, self._recipe)

    def prepare(self, kelvin: float) -> Iterator[Event]:
        """Take the drive away and bring the sample to ``kelvin`` in no field, with a known history."""
        self.stop_source()
        self._kelvin = self._field_oe = None
        yield from prepare_sample(
            self._station,
            self._clock,
            self._recipe,
            kelvin,
            rate_k_per_min=self._rate_k_per_min,
            rate_oe_per_s=self._magnet.rate_oe_per_s,
            settle=self._settle,
            poll_s=self._poll_s,
            watch=self._watch,
        )
        self._kelvin = kelvin

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
        # A thermometer that is settled at the limit scatters to both sides of it.
        if rate is None and not kelvin >= COLD_K - temperature_criterion(COLD_K, self._settle).within:
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

    # -- swept

    def ramp_temperature(
        self,
        program: Callable[[], Sweep],
        take: Callable[[], Iterator[Taken]],
        value: Callable[[Taken], float],
        last: float = math.nan,
    ) -> Iterator[Point | Event]:
        """Ramp the temperature from where it is to the end of the sweep and take points on the way.

        Args:
            program: returns the sweep as it stands: its end may be moved meanwhile.
            take: takes what belongs to one sampling time.
            value: returns the temperature of a point, K.
            last: the last reading stored, K: good points up to there are the run-up, and not yielded.
        """
        self._kelvin = None
        yield from self._swept(
            regulated_temperature(self._station, self._watch),
            program,
            last,
            "K/min",
            send=lambda sweep: set_temperature(self._station, sweep.end, sweep.rate),
            within=self.within_k,
            take=take,
            value=value,
        )

    def ramp_field(
        self,
        program: Callable[[], Sweep],
        take: Callable[[], Iterator[Taken]],
        value: Callable[[Taken], float],
        last: float = math.nan,
    ) -> Iterator[Point | Event]:
        """Ramp the field from where it is to the end of the sweep and take points on the way.

        Args:
            program: returns the sweep as it stands: its end may be moved meanwhile.
            take: takes what belongs to one sampling time.
            value: returns the field of a point, Oe.
            last: the last reading stored, Oe: good points up to there are the run-up, and not yielded.
        """
        self._field_oe = None
        yield from self._swept(
            regulated_field(self._station, self._watch, "driven"),
            program,
            last,
            "Oe/s",
            send=lambda sweep: set_field(self._station, sweep.end, sweep.rate),
            within=lambda field_oe: field_criterion(field_oe, 0.0).within,
            take=take,
            value=value,
        )

    def _swept(
        self,
        what: Regulated,
        program: Callable[[], Sweep],
        last: float,
        rate_unit: str,
        *,
        send: Callable[[Sweep], float],
        within: Callable[[float], float],
        take: Callable[[], Iterator[Taken]],
        value: Callable[[Taken], float],
    ) -> Iterator[Point | Event]:
        sweep = program() if math.isnan(last) else run_up(program(), last)
        send(sweep)
        yield _sweep_event(what, sweep, rate_unit, last)
        ramp = Ramp(what, sweep, within(sweep.end), self._clock)
        for _ in ramp:
            end = program().end
            if end != ramp.sweep.end:
                ramp.go_on_to(end, within(end))
                send(ramp.sweep)
                yield _sweep_event(what, ramp.sweep, rate_unit, last)
            for point in take():
                if point.rejected or is_beyond(sweep, value(point), last):
                    yield point

    def _needs_magnet(self, field_oe: float) -> bool:
        return self._station.magnet is not None or field_oe != 0


def _sweep_event(what: Regulated, sweep: Sweep, rate_unit: str, last: float) -> Event:
    quantity, unit = what.track.name, what.track.unit
    run_up_to = "" if math.isnan(last) else f"; good points count beyond {last:.9g} {unit}"
    return Event(
        "sweep",
        f"{quantity} sweep from {sweep.start:.9g} {unit} to {sweep.end:.9g} {unit} "
        f"at {sweep.rate:.9g} {rate_unit}{run_up_to}",
        {
            "quantity": quantity,
            "unit": unit,
            "start": sweep.start,
            "end": sweep.end,
            "rate": sweep.rate,
            "rate_unit": rate_unit,
            "every_s": sweep.every_s,
            "run_up_s": 0.0 if math.isnan(last) else abs(last - sweep.start) / sweep.per_s,
        },
    )
