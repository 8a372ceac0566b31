"""Tc from a moment: where diamagnetism begins, by level and by noise, half the screening, the tangent.

In a granular sample these are different things, degrees apart: grains screen first, the links between them
later. So each is its own result, and none is "the" Tc.
"""

from dataclasses import dataclass

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, Window, refused
from onnes.analysis.sorted_curve import grid_sigma
from onnes.analysis.susceptibility import Susceptibility

_FEWEST = 8
_FEWEST_NORMAL = 4
_SHALLOW = 10.0  # sigma: a fall of chi of less than this is no transition
_SLOPED = 3.0  # sigma: a normal state with a slope beyond this is a line
_TILTED = 0.1  # of the plateau: a normal state that falls by more over its range is no normal state
_UNSURE = 0.05  # relative: a tangent that moves by more with the part that carries it is none
_NAMES = {
    "level": "onset of diamagnetism",
    "deviation": "onset of diamagnetism by noise",
    "midpoint": "Tc of half screening",
    "tangent": "Tc of the steepest tangent",
}


@dataclass(frozen=True, slots=True)
class MagneticTransition:
    """Temperatures of one transition, K.

    ``level``: chi is a fixed amount below the normal state; ``deviation``: k sigma below it; ``midpoint``:
    half of the plateau is reached; ``tangent``: the steepest tangent meets the normal state.
    """

    level: Result
    deviation: Result
    midpoint: Result
    tangent: Result


@dataclass(frozen=True, slots=True, eq=False)
class _Fall:
    """``fall`` of chi about its normal state at rising ``t``, its noise, and the plateau at the cold end."""

    t: Floats
    fall: Floats
    noise: Floats
    plateau: float
    plateau_sigma: float
    normal: int  # points of the normal state
    slope: float  # of the normal state, 1/K


class _NoFall(Exception):
    """There is no transition to measure; the text says why."""


def magnetic_transition(
    curve: Susceptibility,
    *,
    level: float = 0.002,
    k: float = 5.0,
    tangent: tuple[float, float] = (0.3, 0.7),
    temperature_sigma_k: float = 0.005,
) -> MagneticTransition:
    """Return onset and Tc, K, of a curve measured after zero-field cooling.

    The normal state is the points at the warm end up to the first two that lie ``k`` sigma below it: their
    mean, or a line (a holder, a moment of Curie) where that has a slope beyond 3 sigma. Each sigma holds the
    distance of the points, the noise there, and ``temperature_sigma_k``, what the thermometer is off by from
    point to point. ``level`` is how far chi falls for the onset, ``tangent`` the part of the plateau that
    carries the tangent.
    """
    criteria = {
        "level": f"4 pi chi is {level:g} below the normal state",
        "deviation": f"4 pi chi is {k:g} sigma below the normal state",
        "midpoint": "half of the plateau of 4 pi chi",
        "tangent": f"line through {tangent[0]:g} to {tangent[1]:g} of the plateau meets the normal state",
    }
    window: Window = {}
    if len(curve.temperature):
        window = {"temperature_k": (float(curve.temperature[0]), float(curve.temperature[-1]))}
    n = len(curve.temperature)
    try:
        found = _fall(curve, k)
    except _NoFall as error:
        none = {
            name: refused(_NAMES[name], "K", criterion, str(error), window=window, n=n)
            for name, criterion in criteria.items()
        }
        return MagneticTransition(**none)
    half = 0.5 * found.plateau
    results = {
        "level": _level(found, np.full(n, -level), 0.0, level < 3 * _normal_noise(found.noise, found.normal)),
        "deviation": _level(found, -k * found.noise, 0.0, False),
        "midpoint": _level(found, np.full(n, half), 0.5 * found.plateau_sigma, False),
        "tangent": _tangent(found, tangent),
    }
    goodness = {
        "plateau": found.plateau,
        "noise": _normal_noise(found.noise, found.normal),
        "normal_points": float(found.normal),
        "normal_slope_per_k": found.slope,
    }
    flags = ("background",) if found.slope else ()
    return MagneticTransition(
        **{
            name: refused(
                _NAMES[name], "K", criteria[name], answer, window=window, n=n, goodness=goodness, flags=flags
            )
            if isinstance(answer, str)
            else Result(
                _NAMES[name],
                answer[0],
                float(np.sqrt(answer[1] ** 2 + answer[2] ** 2 + temperature_sigma_k**2)),
                "K",
                criteria[name],
                window,
                n,
                {**goodness, "sigma_noise": answer[1], "sigma_grid": answer[2]},
                flags,
            )
            for name, answer in results.items()
        }
    )


def _fall(curve: Susceptibility, k: float) -> _Fall:
    t, chi, sigma = curve.temperature, curve.chi, curve.sigma
    n = len(t)
    if n < _FEWEST:
        raise _NoFall(f"{n} points, fewer than {_FEWEST}")
    count, line, noise = _normal_state(t, chi, sigma, k)
    fall = chi - np.polyval(line, t)
    cold = max(n // 10, 1)
    plateau = float(np.median(fall[:cold]))
    plateau_sigma = float(np.median(noise[:cold])) / cold**0.5
    quiet = _normal_noise(noise, count)
    if count == n or not plateau < -_SHALLOW * quiet:
        raise _NoFall(
            f"no diamagnetism: 4 pi chi falls by {max(-plateau, 0.0):.2g} down to {t[0]:.4g} K, less than "
            f"{_SHALLOW:g} sigma of {quiet:.2g}"
        )
    slope = float(line[0]) if len(line) == 2 else 0.0
    if count < _FEWEST_NORMAL + 1:
        raise _NoFall(
            f"the normal state has {count} points at most, from {t[n - count]:.4g} K on, and "
            f"{_FEWEST_NORMAL + 1} are needed; begin warmer, or take smaller steps there"
        )
    if abs(slope) * float(t[-1] - t[n - count]) > _TILTED * abs(plateau):
        raise _NoFall(
            f"the normal state is not flat: from {t[n - count]:.4g} to {t[-1]:.4g} K 4 pi chi changes by "
            f"{abs(slope) * float(t[-1] - t[n - count]):.2g}, the plateau is {plateau:.2g}; begin warmer, "
            "subtract the holder"
        )
    return _Fall(t, fall, noise, plateau, plateau_sigma, count, slope)


def _normal_state(t: Floats, chi: Floats, sigma: Floats, k: float) -> tuple[int, Floats, Floats]:
    """Return how many points of the warm end are normal, the line through them, and each point's noise."""
    n = len(t)
    count = _FEWEST_NORMAL
    while True:
        part = slice(n - count, n)
        line, spread = _line(t[part], chi[part], sigma[part])
        noise = np.maximum(sigma, spread)
        below = chi - np.polyval(line, t) < -k * noise
        colder = below[max(n - count - 2, 0) : n - count]
        if count == n or (len(colder) and bool(np.all(colder))):
            return count, line, noise
        count += 1


def _normal_noise(noise: Floats, normal: int) -> float:
    """Return the noise of the normal state; that of large moments is larger, in proportion to them."""
    return float(np.median(noise[len(noise) - normal :]))


def _line(t: Floats, chi: Floats, sigma: Floats) -> tuple[Floats, float]:
    """Return the coefficients, highest first, of the normal state, and the scatter about it."""
    n = len(t)
    mean = float(chi.mean())
    spread = float(chi.std(ddof=1))
    if n < _FEWEST_NORMAL + 2:  # the scatter of so few is no measure of the noise
        return np.array([mean]), float(np.median(sigma)) or spread
    slope, intercept = np.polyfit(t - t.mean(), chi, 1)
    about = float(np.sqrt(np.sum((chi - intercept - slope * (t - t.mean())) ** 2) / (n - 2)))
    error = max(about, float(np.median(sigma))) / float(np.sqrt(np.sum((t - t.mean()) ** 2)))
    if abs(slope) > _SLOPED * error:
        return np.array([slope, intercept - slope * t.mean()]), about
    return np.array([mean]), spread


def _level(
    found: _Fall, level: Floats, level_sigma: float, too_small: bool
) -> tuple[float, float, float] | str:
    """Return the highest crossing of ``level`` with its sigma of noise and of grid, or why there is none."""
    t, fall = found.t, found.fall
    if too_small:
        noise = _normal_noise(found.noise, found.normal)
        return f"the level {-level[0]:g} is below 3 sigma of the noise, {noise:.2g}"
    under = fall < level
    run = under[1:] & under[:-1]  # one point below may be noise, two are a transition
    if not np.any(run):
        return f"4 pi chi does not stay below {level[0]:.3g} of the normal state down to {t[0]:.4g} K"
    i = int(np.flatnonzero(run)[-1]) + 1
    if i + 1 == len(t):
        return f"4 pi chi is below the level up to {t[-1]:.4g} K, the highest temperature; begin warmer"
    step = float(t[i + 1] - t[i])
    rise = float(fall[i + 1] - fall[i])
    share = float(np.clip((level[i] - fall[i]) / rise, 0, 1)) if rise > 0 else 0.5
    sigma = float(np.hypot(found.noise[i], level_sigma)) * step / rise if rise > 0 else step
    return float(t[i]) + share * step, min(sigma, step), grid_sigma(t, fall, i)


def _tangent(found: _Fall, part: tuple[float, float]) -> tuple[float, float, float] | str:
    narrow = _meets(found, part)
    wide = _meets(found, (0.5 * part[0], 1 - 0.5 * (1 - part[1])))
    if narrow is None or wide is None:
        return "4 pi chi does not pass the middle of its fall between two points"
    value, noise, grid = narrow
    if abs(wide[0] - value) > _UNSURE * value:
        return (
            f"the tangent meets the normal state at {value:.4g} or {wide[0]:.4g} K, as more or less of the "
            "fall carries it; measure in smaller steps"
        )
    begins = float(found.t[-found.normal])
    if value > begins + float(found.t[-found.normal] - found.t[-found.normal - 1]):
        return (
            f"the tangent meets the normal state at {value:.4g} K, above {begins:.4g} K, "
            "where chi falls first"
        )
    return value, noise, float(np.hypot(wide[0] - value, grid))


def _meets(found: _Fall, part: tuple[float, float]) -> tuple[float, float, float] | None:
    """Return where the line through ``part`` of the plateau meets the normal state, and its two sigmas."""
    t, share = found.t, found.fall / found.plateau
    grid = 0.0
    inside = np.flatnonzero((share >= part[0]) & (share <= part[1]))
    if len(inside) < 2:  # steeper than the grid: the two points about the middle
        above = np.flatnonzero(share >= 0.5)
        if not len(above) or above[-1] + 1 == len(t):
            return None
        inside = np.array([above[-1], above[-1] + 1])
        grid = grid_sigma(t, share, int(above[-1]))
    x, y = t[inside], share[inside]
    slope, intercept = np.polyfit(x - x.mean(), y, 1)
    if not slope < 0:
        return None
    zero = float(x.mean() - intercept / slope)
    one = float(np.median(found.noise)) / abs(found.plateau) / abs(float(slope))
    noise = one * float(np.sqrt(1 / len(x) + (zero - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)))
    return zero, noise, grid
