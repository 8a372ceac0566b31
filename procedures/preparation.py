"""A known history: warm above the transition, take the field away, cool with nothing on."""

from collections.abc import Iterator
from dataclasses import dataclass

from onnes.instruments.clock import Clock
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import FieldApproach
from onnes.instruments.records import Event
from onnes.procedures.options import Prepare, Settle
from onnes.procedures.ramping import POLL_S, magnet_of, settle_field, settle_temperature
from onnes.procedures.watch import MeasuringStation, Watch

_DEGAUSS_FROM_OE = 1e4  # from here an oscillation leaves least behind in a 9 T magnet (a)
_ABOVE_TC, _ABOVE_TC_K = 1.25, 10.0  # so far above the transition no vortex stays pinned (a)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a preparation. K, Oe, s; ``cool_rate_k_per_min`` None: as fast as it warms."""

    warm_to_k: float
    degauss_from_oe: float
    approach: FieldApproach
    relax_s: float
    cool_rate_k_per_min: float | None
    soak_s: float


def recipe_of(prepare: Prepare, below_k: float, field: Limits | None = None) -> Recipe:
    """Return what ``prepare`` says, with the defaults that hang on ``below_k``, the transition.

    Args:
        field: which fields are allowed, Oe: an oscillation goes to both signs.
    """
    from_oe = prepare.degauss_from_oe
    if from_oe is None:
        from_oe = _DEGAUSS_FROM_OE if field is None else min(_DEGAUSS_FROM_OE, field.high, -field.low)
    warm_to_k = prepare.warm_to_k
    return Recipe(
        warm_to_k=max(_ABOVE_TC * below_k, below_k + _ABOVE_TC_K) if warm_to_k is None else warm_to_k,
        degauss_from_oe=from_oe,
        approach=prepare.approach,
        relax_s=prepare.relax_s,
        cool_rate_k_per_min=prepare.cool_rate_k_per_min,
        soak_s=prepare.soak_s,
    )


def prepare_sample(
    station: MeasuringStation,
    clock: Clock,
    recipe: Recipe,
    kelvin: float,
    *,
    rate_k_per_min: float | None = None,
    rate_oe_per_s: float | None = None,
    settle: Settle | None = None,
    poll_s: float = POLL_S,
    watch: Watch | None = None,
) -> Iterator[Event]:
    """Bring the sample to ``kelvin``, K, in no field, with the history of ``recipe``; yield what is done.

    The sources are at zero before, which is for the caller. A station without a magnet is warmed and cooled
    only.

    Args:
        rate_k_per_min: at which it warms, and cools where the recipe names no rate, K/min; None: the usual
            one of the station.
        rate_oe_per_s: at which the field changes, Oe/s; None: the station's.
        settle: what settled means; defaults by temperature.
        poll_s: s between two readings.
        watch: where readings are remembered.

    Raises:
        LimitError: if a setpoint or rate is outside the station's limits.
        SettleTimeout: with the last reading.
        InstrumentFault: in a fault state.
    """
    watch = watch or Watch(station)
    yield _step(f"warm to {recipe.warm_to_k:.9g} K", recipe, kelvin)
    yield settle_temperature(
        station,
        clock,
        recipe.warm_to_k,
        rate_k_per_min=rate_k_per_min,
        settle=settle,
        poll_s=poll_s,
        watch=watch,
    )
    if station.magnet is not None:
        start_oe = recipe.degauss_from_oe
        yield _step(f"{recipe.approach} from {start_oe:.9g} Oe to 0 Oe", recipe, kelvin)
        ways: tuple[tuple[float, FieldApproach], ...] = ((start_oe, "linear"), (0.0, recipe.approach))
        for field_oe, approach in ways:
            yield settle_field(
                station,
                clock,
                field_oe,
                rate_oe_per_s=rate_oe_per_s,
                approach=approach,
                poll_s=poll_s,
                watch=watch,
            )
        yield _step(f"let the magnet relax for {recipe.relax_s:.9g} s", recipe, kelvin)
        _stay(watch, clock, recipe.relax_s, poll_s)
    yield _step(f"cool to {kelvin:.9g} K", recipe, kelvin)
    yield settle_temperature(
        station,
        clock,
        kelvin,
        rate_k_per_min=recipe.cool_rate_k_per_min or rate_k_per_min,
        settle=settle,
        poll_s=poll_s,
        watch=watch,
    )
    yield _step(f"soak for {recipe.soak_s:.9g} s", recipe, kelvin)
    _stay(watch, clock, recipe.soak_s, poll_s)


def check_recipe(station: MeasuringStation, recipe: Recipe) -> None:
    """Look at each setpoint of a preparation before the first command.

    Raises:
        LimitError: if one is outside the station's limits; nothing was sent.
    """
    limits = station.limits()
    limits.temperature.check("temperature to warm to", recipe.warm_to_k)
    if recipe.cool_rate_k_per_min is not None:
        limits.temperature_rate.check("rate to cool at", recipe.cool_rate_k_per_min)
    if station.magnet is not None:
        magnet_of(station)[1].check("field to degauss from", recipe.degauss_from_oe)


def _stay(watch: Watch, clock: Clock, seconds: float, poll_s: float) -> None:
    """Let ``seconds`` pass and go on reading: a fault is seen, and what is settled stays known to be."""
    end = clock.now() + seconds
    while clock.now() < end:
        clock.sleep_until(min(end, clock.now() + poll_s))
        watch.snapshot()


def _step(message: str, recipe: Recipe, kelvin: float) -> Event:
    return Event(
        "prepare",
        message,
        {
            "warm_to_k": recipe.warm_to_k,
            "degauss_from_oe": recipe.degauss_from_oe,
            "approach": recipe.approach,
            "relax_s": recipe.relax_s,
            "cool_rate_k_per_min": recipe.cool_rate_k_per_min,
            "cool_to_k": kelvin,
            "soak_s": recipe.soak_s,
        },
    )
