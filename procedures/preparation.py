"""A known history: warm above the transition, take the field away, cool with nothing on."""

from collections.abc import Iterator
from dataclasses import dataclass

from onnes.instruments.clock import Clock
from onnes.instruments.protocols import FieldApproach
from onnes.instruments.records import Event
from onnes.procedures.options import Prepare, Settle
from onnes.procedures.ramping import POLL_S, magnet_of, settle_field, settle_temperature
from onnes.procedures.watch import MeasuringStation, Watch

_DEGAUSS_FROM_OE = 1e4  # from here an oscillation leaves least behind in a 9 T magnet (a)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a preparation. K, Oe, s; ``cool_rate_k_per_min`` None: the usual rate of the station."""

    warm_to_k: float
    degauss_from_oe: float
    approach: FieldApproach
    relax_s: float
    cool_rate_k_per_min: float | None
    soak_s: float


def recipe_of(prepare: Prepare, below_k: float, field_high_oe: float | None = None) -> Recipe:
    """Return what ``prepare`` says, with the defaults that hang on ``below_k``, the transition.

    Args:
        field_high_oe: the highest field of the station, Oe, which bounds the default to degauss from.
    """
    from_oe = prepare.degauss_from_oe
    if from_oe is None:
        from_oe = _DEGAUSS_FROM_OE if field_high_oe is None else min(_DEGAUSS_FROM_OE, field_high_oe)
    warm_to_k = prepare.warm_to_k
    return Recipe(
        warm_to_k=max(1.25 * below_k, below_k + 10.0) if warm_to_k is None else warm_to_k,
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
    settle: Settle | None = None,
    poll_s: float = POLL_S,
    watch: Watch | None = None,
) -> Iterator[Event]:
    """Bring the sample to ``kelvin``, K, in no field, with the history of ``recipe``; yield what is done.

    The sources are at zero before, which is for the caller. A station without a magnet is warmed and cooled
    only.

    Raises:
        LimitError: if a setpoint or rate is outside the station's limits.
        SettleTimeout: with the last reading.
        InstrumentFault: in a fault state.
    """
    watch = watch or Watch(station)
    yield _step(f"warm to {recipe.warm_to_k:.9g} K", recipe, kelvin)
    yield settle_temperature(station, clock, recipe.warm_to_k, settle=settle, poll_s=poll_s, watch=watch)
    if station.magnet is not None:
        start_oe = recipe.degauss_from_oe
        yield _step(f"{recipe.approach} from {start_oe:.9g} Oe to 0 Oe", recipe, kelvin)
        yield settle_field(station, clock, start_oe, poll_s=poll_s, watch=watch)
        yield settle_field(station, clock, 0.0, approach=recipe.approach, poll_s=poll_s, watch=watch)
        yield _step(f"let the magnet relax for {recipe.relax_s:.9g} s", recipe, kelvin)
        clock.sleep(recipe.relax_s)
    yield _step(f"cool to {kelvin:.9g} K", recipe, kelvin)
    yield settle_temperature(
        station,
        clock,
        kelvin,
        rate_k_per_min=recipe.cool_rate_k_per_min,
        settle=settle,
        poll_s=poll_s,
        watch=watch,
    )
    yield _step(f"soak for {recipe.soak_s:.9g} s", recipe, kelvin)
    clock.sleep(recipe.soak_s)


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
