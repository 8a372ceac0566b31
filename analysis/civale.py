"""Jc from chi' of several amplitudes: half-screening temperatures, and the rectangles of Civale and others.

In a critical state chi' is a function of h/h*(T) alone, h* = 0.4 pi Jc a. So a level of chi' that is reached
at two amplitudes marks two temperatures whose Jc have the ratio of the amplitudes; a rectangle closes where
that holds. Creep makes chi' depend on frequency, and a dc field on the field: curves of a set share both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from scipy.interpolate import CubicSpline

from onnes.analysis.ac_susceptibility import AcCurve
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused

Convention = Literal["slab", "bar", "paper"]
# x = h/h* at chi' = -0.5 (Clem and Sanchez, PRB 50, 9355): slab exactly 1; cylinder or square bar the root of
# -1 + x - 5 x^2/16 = -1/2. The paper of the nanocomposite takes 1 for its bar, D_c being half the thickness.
HALF_SCREENING: Mapping[Convention, float] = {"slab": 1.0, "bar": 0.620204, "paper": 1.0}

_SAME = 1e-3  # relative difference of frequencies and dc fields that are the same
_SAME_RATIO = 0.02  # of h2/h1 and h3/h2
# What cubics through a grid miss where chi' bends, rms over where the grid may lie (seen, 50 mK).
_OF_A_STEP = 0.02
_SEEN = 3.0  # sigma
_MANY_GRAINS = 0.05
_DRAWS = 100
_SEED = 41710


@dataclass(frozen=True, slots=True)
class CivaleSet:
    """Curves of one frequency and one dc field, from the smallest amplitude up; see :func:`civale_set`."""

    curves: tuple[AcCurve, ...]


def civale_set(curves: Sequence[AcCurve]) -> CivaleSet:
    """Return the curves as one set.

    Raises:
        ValueError: if frequencies, dc fields or kinds (external, intrinsic) are mixed, fewer than two
            amplitudes are there, or one is there twice.
    """
    if len(curves) < 2:
        raise ValueError(f"a set of {len(curves)} amplitude; measure at two at least, three for a rectangle")
    for what, unit, values in (
        ("frequencies", "Hz", [curve.frequency_hz for curve in curves]),
        ("dc fields", "Oe", [curve.dc_field_oe for curve in curves]),
    ):
        low, high = min(values), max(values)
        if high - low > max(_SAME * abs(high), 1e-9):
            raise ValueError(
                f"{what} from {low:.6g} to {high:.6g} {unit} are mixed in one set; chi' depends on them, and "
                "a Jc from it would be none; take the curves of one alone"
            )
    if len({curve.kind for curve in curves}) > 1:
        raise ValueError("external and intrinsic curves are mixed in one set; correct all of them or none")
    ordered = tuple(sorted(curves, key=lambda curve: curve.amplitude_oe))
    for lower, upper in pairwise(ordered):
        if upper.amplitude_oe - lower.amplitude_oe < _SAME_RATIO * upper.amplitude_oe:
            raise ValueError(f"the amplitude {upper.amplitude_oe:.4g} Oe is there twice; give one curve each")
    return CivaleSet(ordered)


def temperature_at(curve: AcCurve, level: float) -> Result:
    """Return the temperature, K, at which chi' rises through ``level``, by the cubic of the points around it.

    sigma holds the noise over the slope, half of what the cubic differs from a straight line, and the error
    of volume and drive field that all points share.
    """
    quantity = f"T at chi' = {level:g}, {curve.amplitude_oe:.3g} Oe"
    criterion = f"chi' ({curve.kind}) = {level:g} at {curve.amplitude_oe:.4g} Oe, {curve.frequency_hz:.6g} Hz"
    found = _crossing(curve.temperature, curve.real, level)
    if isinstance(found, str):
        return refused(quantity, "K", criterion, found, n=len(curve.temperature))
    i, kelvin = found
    t, chi = curve.temperature, curve.real
    slope = float((chi[i + 1] - chi[i]) / (t[i + 1] - t[i]))
    sigma = curve.real_sigma
    noise = float(np.hypot(sigma[i], sigma[i + 1])) / 2**0.5 / slope
    grid = abs(float(t[i]) + (level - float(chi[i])) / slope - kelvin) / 2
    # chi/(1 - N chi) of an external chi that is off by a share of itself; N is 0 where it stays external.
    scale = abs(level) * (1 + curve.demagnetisation * level) * curve.scale_sigma / slope
    goodness = {"sigma_noise": noise, "sigma_grid": grid, "sigma_scale": scale, "slope_per_k": slope}
    window = {"temperature_k": (float(curve.temperature[i]), float(curve.temperature[i + 1]))}
    return Result(quantity, kelvin, math.hypot(noise, grid, scale), "K", criterion, window, 2, goodness)


def half_screening(curves: CivaleSet) -> tuple[Result, ...]:
    """Return the temperature, K, of chi' = -0.5 for each amplitude, from the smallest up."""
    return tuple(temperature_at(curve, -0.5) for curve in curves.curves)


def screened_without_loss(curve: AcCurve) -> float:
    """Return -chi' at the coldest point above the loss peak where no loss is seen any more; 0 without one.

    It is the share that screens by itself, such as the inside of grains, and no part of the critical state.
    """
    top = int(np.argmax(curve.loss))
    quiet = np.flatnonzero(curve.loss[top:] < _SEEN * curve.loss_sigma[top:])
    if not len(quiet):
        return 0.0
    first = top + int(quiet[0])
    share = -float(curve.real[first])
    return share if share > _SEEN * float(curve.real_sigma[first]) else 0.0


def critical_current_at_half_screening(
    amplitude_oe: float,
    half_thickness_cm: float,
    half_thickness_sigma_cm: float,
    convention: Convention,
    grains: float = 0.0,
) -> Result:
    """Return Jc = (10/4 pi) h/(x D_c), A/cm^2, where chi' = -0.5; D_c is half the thickness across the field.

    Where a share ``grains`` of the sample screens by itself, chi' = -0.5 lies at x/(1 - grains): Jc is so
    much too high. It is not taken out, as the share changes with temperature, but counts as an error; above
    5 % it is flagged ``grains``. goodness has Jc by both formulas, of a slab and of a square bar.

    Raises:
        ValueError: if the amplitude or the thickness is not a positive number.

    >>> round(critical_current_at_half_screening(1.0, 0.05, 0.0, "paper").value, 1)
    15.9
    """
    for what, value, unit in (("amplitude", amplitude_oe, "Oe"), ("half thickness", half_thickness_cm, "cm")):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{what} = {value} {unit} is not a positive number")
    x = HALF_SCREENING[convention]
    jc = 10 / (4 * math.pi) * amplitude_oe / (x * half_thickness_cm)
    criterion = (
        f"chi' = -0.5 at h = {amplitude_oe:.4g} Oe peak, x = h/h* = {x:.4g} ({convention}), "
        f"D_c = {half_thickness_cm:.4g} cm"
    )
    of_size = jc * half_thickness_sigma_cm / half_thickness_cm
    goodness = {
        "sigma_size": of_size,
        "sigma_grains": jc * grains,
        "jc_as_slab": jc * x / HALF_SCREENING["slab"],
        "jc_as_square_bar": jc * x / HALF_SCREENING["bar"],
    }
    sigma = math.hypot(of_size, jc * grains)
    flags = ("grains",) if grains > _MANY_GRAINS else ()
    return Result("Jc at half screening", jc, sigma, "A/cm^2", criterion, {}, 1, goodness, flags)


def critical_current_at(
    kelvin: float, half_screening_k: Sequence[Result], critical_current: Sequence[Result]
) -> Result:
    """Return Jc at ``kelvin``, A/cm^2, from the pairs (T, Jc), by a quadratic in ln Jc through three of them.

    With two pairs it is a straight line. A temperature outside theirs is refused. A temperature error of
    10 mK is 14 % of Jc at 37.1 K: it is the larger part of sigma.
    """
    quantity = f"Jc at {kelvin:.5g} K"
    pairs = [
        (t, j)
        for t, j in zip(half_screening_k, critical_current, strict=True)
        if t.value is not None and j.value is not None
    ]
    criterion = f"quadratic in ln Jc through {len(pairs)} half-screening points"
    if pairs:
        criterion += f", such as {pairs[0][1].criterion}"
    if len(pairs) < 2:
        return refused(quantity, "A/cm^2", criterion, f"{len(pairs)} half-screening points; two are needed")
    t = np.array([pair[0].value for pair in pairs], dtype=np.float64)
    ln_j = np.log(np.array([pair[1].value for pair in pairs], dtype=np.float64))
    sigma_t = np.array([pair[0].sigma or 0.0 for pair in pairs])
    sigma_j = np.array([(pair[1].sigma or 0.0) / (pair[1].value or 1.0) for pair in pairs])
    margin = 2 * float(sigma_t.max()) + 0.02
    if not float(t.min()) - margin <= kelvin <= float(t.max()) + margin:
        reason = (
            f"{kelvin:.5g} K lies outside the half-screening temperatures, {t.min():.5g} to {t.max():.5g} K"
        )
        return refused(quantity, "A/cm^2", criterion, reason, n=len(pairs))
    degree = min(2, len(pairs) - 1)

    def at(temperatures: Floats) -> float:
        return float(np.polyval(np.polyfit(temperatures - kelvin, ln_j, degree), 0.0))

    value = at(t)
    random = np.random.default_rng(_SEED)
    draws = [at(t + sigma_t * random.standard_normal(len(t))) for _ in range(_DRAWS)]
    from_t, shared = float(np.std(draws)), float(sigma_j.mean())  # thickness and grains are one for all
    goodness = {"sigma_temperature": from_t * math.exp(value), "sigma_shared": shared * math.exp(value)}
    window = {"temperature_k": (float(t.min()), float(t.max()))}
    sigma = math.hypot(from_t, shared) * math.exp(value)
    flags = tuple(dict.fromkeys(flag for _, one in pairs for flag in one.flags))
    return Result(quantity, math.exp(value), sigma, "A/cm^2", criterion, window, len(pairs), goodness, flags)


def closure(curves: CivaleSet, level: float) -> Result:
    """Return how far a rectangle misses, T_B - T_D in K, that begins at ``level`` of the middle amplitude.

    A: chi' of h2 is ``level``; B: chi' of h3 is ``level``; C: chi' of h1 at the temperature of A; D: chi' of
    h2 is that of C. It closes where chi' is a function of h/h*(T) alone, within its noise. The three smallest
    amplitudes with equal ratios are taken. Flag ``open`` beyond 3 sigma.
    """
    quantity = f"closure of the rectangle at chi' = {level:g}"
    criterion = f"T_B - T_D of the rectangle at chi' = {level:g}"
    three = _geometric(curves.curves)
    if three is None:
        listed = ", ".join(f"{curve.amplitude_oe:.4g}" for curve in curves.curves)
        reason = f"no three of the amplitudes {listed} Oe have equal ratios"
        return refused(quantity, "K", criterion, reason)
    criterion += ", h = " + ", ".join(f"{curve.amplitude_oe:.4g}" for curve in three) + " Oe"
    found = _miss([curve.real for curve in three], three, level)
    n = sum(len(curve.temperature) for curve in three)
    if isinstance(found, str):
        return refused(quantity, "K", criterion, found, n=n)
    random = np.random.default_rng(_SEED)
    noises = [(curve, curve.real_sigma) for curve in three]
    draws = []
    for _ in range(_DRAWS):
        noisy = [curve.real + sigma * random.standard_normal(len(sigma)) for curve, sigma in noises]
        drawn = _miss(noisy, three, level)
        if not isinstance(drawn, str):
            draws.append(drawn)
    if len(draws) < _DRAWS // 2:
        return refused(quantity, "K", criterion, "the noise hides the corners of the rectangle", n=n)
    low, high = np.percentile(draws, [15.87, 84.13])
    spacing = float(np.median(np.diff(three[1].temperature)))
    noise = max(float(high - low) / 2, 1e-6)
    grid = _OF_A_STEP * spacing
    sigma = math.hypot(noise, grid)
    flags = ("open",) if abs(found) > 3 * sigma else ()
    goodness = {"sigma_noise": noise, "sigma_grid": grid}
    return Result(quantity, found, sigma, "K", criterion, {}, n, goodness, flags)


def _miss(chi: Sequence[Floats], three: Sequence[AcCurve], level: float) -> float | str:
    corner_a = _crossing(three[1].temperature, chi[1], level)
    corner_b = _crossing(three[2].temperature, chi[2], level)
    if isinstance(corner_a, str) or isinstance(corner_b, str):
        return corner_a if isinstance(corner_a, str) else str(corner_b)
    low, high = float(three[0].temperature[0]), float(three[0].temperature[-1])
    if not low <= corner_a[1] <= high:
        return f"the smallest amplitude was not measured at {corner_a[1]:.5g} K"
    level_c = _between(three[0].temperature, chi[0], corner_a[1])
    corner_d = _crossing(three[1].temperature, chi[1], level_c)
    return corner_d if isinstance(corner_d, str) else corner_b[1] - corner_d[1]


def _geometric(curves: Sequence[AcCurve]) -> tuple[AcCurve, AcCurve, AcCurve] | None:
    for i, first in enumerate(curves):
        for j in range(i + 1, len(curves)):
            for k in range(j + 1, len(curves)):
                lower = curves[j].amplitude_oe / first.amplitude_oe
                upper = curves[k].amplitude_oe / curves[j].amplitude_oe
                if abs(lower / upper - 1) < _SAME_RATIO:
                    return first, curves[j], curves[k]
    return None


def _crossing(t: Any, chi: Floats, level: float) -> tuple[int, float] | str:
    """Return the point before the highest crossing of ``level`` upwards, and its temperature; or why not."""
    if len(t) < 4:
        return f"{len(t)} points"
    above = chi >= level
    up = np.flatnonzero(~above[:-1] & above[1:])
    if not len(up):
        return f"chi' does not rise through {level:.4g}; it lies in {chi.min():.4g} to {chi.max():.4g}"
    i = int(up[-1])
    start = min(max(i - 1, 0), len(t) - 4)
    near = slice(start, start + 4)
    cubic = CubicSpline(t[near], chi[near])
    roots = [float(root) for root in cubic.solve(level, extrapolate=False) if t[i] <= root <= t[i + 1]]
    linear = float(t[i] + (level - chi[i]) / (chi[i + 1] - chi[i]) * (t[i + 1] - t[i]))
    return i, min(roots, key=lambda root: abs(root - linear)) if roots else linear


def _between(t: Floats, chi: Floats, kelvin: float) -> float:
    """Return chi' at ``kelvin`` by the cubic through the four points around it."""
    i = int(np.searchsorted(t, kelvin)) - 1
    start = min(max(i - 1, 0), len(t) - 4)
    near = slice(start, start + 4)
    return float(CubicSpline(t[near], chi[near])(kelvin))
