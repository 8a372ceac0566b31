"""A known history as steps of a program: warm above the transition, take the field away, cool."""

from onnes.procedures.moment_steps import MomentSteps
from onnes.procedures.options import Prepare
from onnes.procedures.preparation import Recipe, recipe_of

_STEADY_S = 60.0  # after a change of a few Oe a magnet is quiet within a minute (a)


def moment_recipe(prepare: Prepare, below_k: float) -> Recipe:
    """Return the numbers of the preparation of a sample with its transition at ``below_k``, K.

    Raises:
        ValueError: if it does not warm above the transition.
    """
    recipe = recipe_of(prepare, below_k)
    if not recipe.warm_to_k > below_k:
        raise ValueError(
            f"prepare.warm_to_k = {recipe.warm_to_k:.9g} K is not above {below_k:.9g} K, the transition: the "
            f"sample keeps what it has trapped; warm to {recipe_of(Prepare(), below_k).warm_to_k:.9g} K"
        )
    return recipe


def take_field_away(steps: MomentSteps, recipe: Recipe, zero_oe: float) -> None:
    """Warm the sample, degauss the magnet, let it relax, and leave ``zero_oe``, Oe, the corrected zero.

    The sample is above its transition all the while, so nothing of this stays in it.
    """
    warm(steps, recipe)
    steps.to_field(recipe.degauss_from_oe, 0.0, "linear")
    steps.to_field(0.0, recipe.relax_s, recipe.approach)
    steps.to_field(zero_oe, _STEADY_S, "no_overshoot")


def warm(steps: MomentSteps, recipe: Recipe) -> None:
    """Warm the sample above its transition in whatever field there is; nothing where it is as warm."""
    if not steps.is_at_least(recipe.warm_to_k):
        steps.to_temperature(recipe.warm_to_k, _STEADY_S, approach="fast_settle")


def cool(steps: MomentSteps, recipe: Recipe, kelvin: float) -> None:
    """Cool to ``kelvin``, K, in the field that there is, and soak."""
    steps.to_temperature(kelvin, recipe.soak_s, rate_k_per_min=recipe.cool_rate_k_per_min)
