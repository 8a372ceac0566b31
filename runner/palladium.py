"""The residual field of a magnet from a run of a palladium standard."""

from dataclasses import dataclass, replace

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.residual_field import residual_field
from onnes.analysis.result import Result, refused
from onnes.procedures.moment_preparation import moment_recipe
from onnes.procedures.options import Prepare
from onnes.procedures.preparation import Recipe
from onnes.runner.moment_measured import MomentRun
from onnes.runner.results import Keyed

_QUANTITY = "residual field"


@dataclass(frozen=True, slots=True, eq=False)
class StandardFindings:
    """A run of a palladium standard: the field it found, after the preparation ``recipe``."""

    measured: MomentRun
    field: Result
    recipe: Recipe


def palladium_findings(measured: MomentRun) -> tuple[StandardFindings, Keyed]:
    """Return the residual field of the magnet from M(H) of a palladium standard.

    The moment's own error leaves out the reading of the field, so the scatter about the line counts. What the
    magnet keeps turns with the way the field goes; half the distance of the legs is in sigma.
    """
    parameters = measured.parameters
    recipe = moment_recipe(
        Prepare.from_json(str(parameters["Prepare"][0])), float(parameters["History below"][0])
    )
    found = _field(measured)
    return StandardFindings(measured, found, recipe), [("residual-field", found)]


def _field(measured: MomentRun) -> Result:
    mass_g = measured.body.mass_g
    if mass_g is None:
        return refused(_QUANTITY, "Oe", "palladium standard", "the sample file has no geometry.mass")
    kelvins = [float(branch.at_k) for branch in measured.branches if len(branch.rows.moment)]
    if not kelvins or np.isnan(kelvins[0]):
        reason = "M(T) in one field has no intercept; measure a loop about zero"
        return refused(_QUANTITY, "Oe", "palladium standard", reason)
    # Reported fields: what is looked for is what they leave out.
    kelvin = kelvins[0]
    legs: dict[str, tuple[Floats, Floats]] = {}
    for name, branch in measured.of(kelvin).items():
        reported = branch.rows.field - (measured.residual.value_oe or 0.0 if name == "virgin" else 0.0)
        legs[name] = reported, branch.rows.moment
    field_oe, moment = (np.concatenate([leg[i] for leg in legs.values()]) for i in range(2))
    found = residual_field(field_oe, moment, 0.0, temperature_k=kelvin, mass_g=mass_g)
    if found.value is None:
        return found
    each = [
        residual_field(*leg, 0.0, temperature_k=kelvin, mass_g=mass_g).value
        for leg in legs.values()
        if len(leg[0]) > 2 and leg[0].min() < 0 < leg[0].max()
    ]
    known = [value for value in each if value is not None]
    apart = (max(known) - min(known)) / 2 if known else 0.0
    sigma = float(np.hypot(found.sigma or 0.0, apart))
    goodness = {**found.goodness, "sigma_fit": found.sigma or 0.0, "sigma_history": apart}
    return replace(found, sigma=sigma, goodness=goodness)
