"""What several R(T) runs of one sample in different fields say together: Hc2(T), and activation energies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnes.analysis.activation import activation_energy, field_exponent
from onnes.analysis.ginzburg_landau import coherence_length
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result
from onnes.analysis.transition import transition
from onnes.analysis.upper_critical_field import UpperCriticalField, power_law, whh
from onnes.runner.results import Keyed

LEVELS = {"t10": "0.1", "t50": "0.5", "t90": "0.9"}

_FEWEST_FIELDS = 4  # above 0: with fewer no exponent can be told
_SIGMAS = 3.0  # an activation energy less certain than that is none
_THERMOMETER_K = 0.005  # of a settled machine, one field against the next (a)


@dataclass(frozen=True, slots=True, eq=False)
class InField:
    """R(T) at one field, Oe: K, ohm, ohm, at the temperature of the sample."""

    field_oe: float
    temperature: Floats
    resistance: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class LevelPoints:
    """Where R/R_n has a level: fields, temperatures with their errors, and the fit through them."""

    level: str
    field_oe: Floats
    temperature_k: Floats
    sigma_k: Floats
    fit: UpperCriticalField


def upper_critical_fields(curves: Sequence[InField]) -> tuple[list[LevelPoints], Keyed]:
    """Return the points of each level with their fit, and what they say; nothing for less than 4 fields."""
    fields = {abs(curve.field_oe) for curve in curves if abs(curve.field_oe) >= 1}
    if len(fields) < _FEWEST_FIELDS:
        return [], []
    metrics = [
        (curve.field_oe, transition(curve.temperature, curve.resistance, curve.sigma)) for curve in curves
    ]
    found: list[LevelPoints] = []
    keyed: Keyed = []
    for name, number in LEVELS.items():
        points = [
            (field_oe, metric[name].value, metric[name].sigma)
            for field_oe, metric in metrics
            if metric[name].value is not None
        ]
        if not points:
            continue
        field_oe, kelvin, sigma = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
        sigma = np.hypot(sigma, _THERMOMETER_K)
        level = f"R/R_n = {number}"
        fit = power_law(field_oe, kelvin, sigma, level=level)
        found.append(LevelPoints(level, field_oe, kelvin, sigma, fit))
        if name != "t10":
            keyed += [
                (f"{key}-{name}", replace(result, quantity=f"{result.quantity} at {level}"))
                for key, result in _of_fit(fit)
            ]
        else:
            keyed += _of_fit(fit)
            dirty, slope = whh(field_oe, kelvin, sigma, level=level)
            keyed += [("hc2-zero-whh", dirty), ("hc2-slope", slope)]
            if fit.hc2.value is not None:
                keyed.append(("coherence-length-hc2", coherence_length(fit.hc2.value, fit.hc2.sigma or 0.0)))
    return found, keyed


def _of_fit(fit: UpperCriticalField) -> Keyed:
    return [("hc2-zero", fit.hc2), ("hc2-alpha", fit.alpha), ("hc2-tc", fit.tc)]


def activation_energies(curves: Sequence[InField]) -> Keyed:
    """Return U0 of each field in which R falls exponentially, and q of U0 ~ H^-q; nothing for sharp steps.

    R_n is R at the onset of each curve. A transition whose steepest part is its foot has no such part.
    """
    found: list[tuple[float, Result]] = []
    for curve in curves:
        if abs(curve.field_oe) < 1:
            continue
        onset = transition(curve.temperature, curve.resistance, curve.sigma)["onset"]
        if onset.value is None:
            continue
        energy = activation_energy(
            curve.temperature,
            curve.resistance,
            curve.sigma,
            normal_ohm=onset.goodness["r_normal_ohm"],
            field_oe=abs(curve.field_oe),
        )
        # Curved, or lost in its error, means that it is no activation: a transition that only ends there.
        is_seen = energy.value is not None and energy.value > _SIGMAS * (energy.sigma or 0.0)
        if is_seen and "curved" not in energy.flags:
            found.append((abs(curve.field_oe), energy))
    keyed: Keyed = [(f"u0-{field_oe:.0f}Oe", energy) for field_oe, energy in found]
    if len(found) >= 3:
        keyed.append(
            ("u0-exponent", field_exponent([pair[0] for pair in found], [pair[1] for pair in found]))
        )
    return keyed
