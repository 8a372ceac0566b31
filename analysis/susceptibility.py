"""Moments made comparable: without the holder, per volume and field, or relative to a reference."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused
from onnes.analysis.sorted_curve import sorted_curve

_GEOMETRY = 0.05  # relative error of the volume of a sample of some mm, measured with a calliper
_SEEN = 5.0  # sigma: a reference moment below this is none
_SAME_K = 0.05  # K; or 1 % of the temperature, where that is more
_SAME_FIELD = 0.01  # relative; fields that differ by more than this and by 3 sigma are not the same


@dataclass(frozen=True, slots=True, eq=False)
class Susceptibility:
    """4 pi chi (volume, dimensionless, in the applied field) at rising ``temperature`` (K).

    ``sigma`` is the noise alone; ``scale_sigma`` the relative error that all points share, of volume and
    field. It moves plateaus and leaves the temperatures of a transition alone.
    """

    temperature: Floats
    chi: Floats
    sigma: Floats
    scale_sigma: float


class MomentAt(NamedTuple):
    """A moment, emu, with its noise and the temperature, K, and field at the sample, Oe, it belongs to."""

    moment_emu: float
    sigma_emu: float
    temperature_k: float
    field_oe: float
    field_sigma_oe: float


def susceptibility(
    temperature: Any,
    moment: Any,
    sigma: Any,
    *,
    field_oe: float,
    volume_cm3: float,
    field_sigma_oe: float = 0.0,
    geometry_sigma: float = _GEOMETRY,
) -> Susceptibility:
    """Return 4 pi m/(V H) of moments in emu, sorted by temperature.

    Args:
        field_oe: at the sample: the set field and what the magnet adds to it
        geometry_sigma: relative error of the volume

    Raises:
        ValueError: if the arrays differ in length, the volume is not a positive number, or the field is 0.
    """
    if not (math.isfinite(volume_cm3) and volume_cm3 > 0):
        raise ValueError(
            f"volume of the sample = {volume_cm3} cm^3 is not a positive number; correct the sample file"
        )
    if not (math.isfinite(field_oe) and field_oe != 0):
        raise ValueError(f"field at the sample = {field_oe} Oe has no susceptibility")
    curve = sorted_curve("moment", temperature, moment, sigma)
    scale = 4 * math.pi / (volume_cm3 * field_oe)
    shared = math.hypot(geometry_sigma, field_sigma_oe / field_oe)
    return Susceptibility(curve.x, scale * curve.y, abs(scale) * curve.sigma, shared)


def susceptibility_at(curve: Susceptibility, kelvin: float, *, within_k: float = 0.25) -> Result:
    """Return 4 pi chi at ``kelvin``: the mean of the points within ``within_k``.

    ``sigma_noise`` and ``sigma_scale`` (volume and field) are kept apart in goodness: only the first is left
    in a ratio of two results of one sample.
    """
    quantity, criterion = "4 pi chi", f"mean of the points within {within_k:g} K of {kelvin:g} K"
    near = np.abs(curve.temperature - kelvin) <= within_k
    n = int(near.sum())
    if not n:
        reason = "no points"
        if len(curve.temperature):
            reason = f"the nearest point is at {_nearest(curve.temperature, kelvin):.5g} K"
        return refused(quantity, "1", criterion, reason)
    t, chi = curve.temperature[near], curve.chi[near]
    value = float(chi.mean())
    noise = float(np.sqrt(np.sum(curve.sigma[near] ** 2))) / n
    if n > 1:
        noise = max(noise, float(chi.std(ddof=1)) / n**0.5)
    scale = abs(value) * curve.scale_sigma
    goodness = {"sigma_noise": noise, "sigma_scale": scale}
    window = {"temperature_k": (float(t.min()), float(t.max()))}
    return Result(quantity, value, math.hypot(noise, scale), "1", criterion, window, n, goodness)


def subtract_background(
    x: Any, moment: Any, sigma: Any, background_x: Any, background: Any, background_sigma: Any
) -> tuple[Floats, Floats]:
    """Return the moments without those of the holder, and their sigma, emu, in the order given.

    ``x`` is the temperature (K) at one field or the field (Oe) at one temperature: that of the grid on which
    both were measured. Between points of the background it is interpolated linearly, never beyond them.

    Raises:
        ValueError: if arrays differ in length, a moment lies outside the range of the background, or the
            background has fewer than two points.
    """
    grid = np.asarray(x, dtype=np.float64)
    values = np.asarray(moment, dtype=np.float64)
    errors = np.broadcast_to(np.asarray(sigma, dtype=np.float64), values.shape)
    if grid.shape != values.shape:
        raise ValueError(
            f"moment: arrays of shape {grid.shape} and {values.shape}; give one value of each a point"
        )
    holder = sorted_curve("background", background_x, background, background_sigma)
    if len(holder.x) < 2:
        raise ValueError(f"background has {len(holder.x)} points; two at least are needed to interpolate")
    low, high = float(holder.x[0]), float(holder.x[-1])
    outside = grid[(grid < low) | (grid > high)]
    if len(outside):
        raise ValueError(
            f"{len(outside)} points from {outside.min():.6g} to {outside.max():.6g} lie outside the "
            f"background, [{low:.6g}, {high:.6g}]; measure the holder on the same grid"
        )
    under, under_sigma = holder.at(grid)
    return values - under, np.hypot(errors, under_sigma)


def screened_fraction(sample: MomentAt, reference: MomentAt, *, geometry_sigma: float = 0.0) -> Result:
    """Return the superconducting fraction m/m_ref of two samples of one size, both after zero-field cooling.

    Both at the same temperature, field and orientation; ``geometry_sigma`` is the relative error of the ratio
    of their sizes. A fraction within 3 sigma of zero is flagged ``not_resolved``: what it says is its sigma.
    """
    quantity = "superconducting fraction"
    criterion = (
        f"m/m_ref at {sample.temperature_k:.4g} K, {sample.field_oe:.4g} Oe; "
        f"m_ref = {reference.moment_emu:.4g} emu at {reference.temperature_k:.4g} K, "
        f"{reference.field_oe:.4g} Oe"
    )
    reason = _not_comparable(sample, reference)
    if reason:
        return refused(quantity, "1", criterion, reason)
    value = float(sample.moment_emu / reference.moment_emu)
    noise = math.hypot(sample.sigma_emu, value * reference.sigma_emu) / abs(reference.moment_emu)
    fields = math.hypot(
        sample.field_sigma_oe / sample.field_oe, reference.field_sigma_oe / reference.field_oe
    )
    goodness = {
        "sigma_noise": noise,
        "sigma_field": abs(value) * fields,
        "sigma_geometry": abs(value) * geometry_sigma,
    }
    sigma = math.hypot(*goodness.values())
    flags = ("not_resolved",) if abs(value) < 3 * sigma else ()
    window = {"temperature_k": (sample.temperature_k, reference.temperature_k)}
    return Result(quantity, value, sigma, "1", criterion, window, 2, goodness, flags)


def _not_comparable(sample: MomentAt, reference: MomentAt) -> str:
    if not all(math.isfinite(number) for number in (*sample, *reference)):
        return "a moment, temperature or field is not a number"
    apart = abs(sample.temperature_k - reference.temperature_k)
    if apart > max(_SAME_K, 0.01 * reference.temperature_k):
        return (
            f"the reference was measured at {reference.temperature_k:.4g} K, not at "
            f"{sample.temperature_k:.4g} K"
        )
    if sample.field_oe == 0 or reference.field_oe == 0:
        return "in zero field nothing is screened"
    error = math.hypot(sample.field_sigma_oe, reference.field_sigma_oe)
    if abs(sample.field_oe - reference.field_oe) > max(3 * error, _SAME_FIELD * abs(reference.field_oe)):
        return f"the reference was measured in {reference.field_oe:.4g} Oe, not in {sample.field_oe:.4g} Oe"
    if abs(reference.moment_emu) < _SEEN * reference.sigma_emu or reference.moment_emu == 0:
        return (
            f"the reference moment, {reference.moment_emu:.3g} emu, is within {_SEEN:g} sigma of zero "
            f"(sigma {reference.sigma_emu:.2g} emu)"
        )
    return ""


def _nearest(values: Floats, value: float) -> float:
    return float(values[int(np.argmin(np.abs(values - value)))])
