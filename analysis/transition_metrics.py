"""Tc metrics of one sorted curve, without their uncertainties."""

from dataclasses import dataclass, field

import numpy as np
from numpy.polynomial import Polynomial

from onnes.analysis.isotherm import Floats

NAMES = ("onset", "t90", "t50", "t10", "zero", "width", "rrr", "deviation")
LEVELS = {"t90": 0.9, "t50": 0.5, "t10": 0.1}
_WINDOW = (1.1, 1.5)
_NEAR = (1.03, 1.4)  # where the curve ends too early, or the onset is too low, for the first
_FEWEST_NORMAL = 5
_FEWEST = 12
_SHARP = 0.5  # of the onset: a fall that takes longer is that of a metal or of a weak insulator
_ZERO = 1e-3


class NoTransition(Exception):
    """The curve has no transition that could be measured; the text says why. Raised by ``measure``."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """R(T) sorted by temperature, K and ohm."""

    temperature: Floats
    resistance: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """``values`` by name, or why not in ``missing``; ``resolution`` is what the grid of points allows."""

    values: dict[str, float]
    missing: dict[str, str]
    resolution: dict[str, float]
    normal: Polynomial
    normal_k: tuple[float, float]
    normal_rms: float
    r_normal: float
    noise: float
    criterion: str
    n: int
    flags: tuple[str, ...] = field(default=())


def measure(
    curve: Curve,
    *,
    window: tuple[float, float] | None = None,
    degree: int | None = None,
    tangent: tuple[float, float] = (0.1, 0.9),
) -> Metrics:
    """Return the metrics of a sorted curve.

    Raises:
        NoTransition: where there is none, or the normal state above it was not measured.
    """
    t, r = curve.temperature, curve.resistance
    if len(t) < _FEWEST:
        raise NoTransition(f"{len(t)} points, fewer than {_FEWEST}")
    onset = _guess(t, r)
    for _ in range(4):  # window and onset depend on each other, weakly
        normal, inside, criterion = _normal(t, r, onset, window, degree)
        ratio = r / _positive(normal, t)
        tangent_t, slope, below = _tangent(t, ratio, onset, tangent)
        if abs(tangent_t - onset) < 1e-4 * onset:
            break
        onset = tangent_t
    _judge(t, ratio, tangent_t, slope)
    onset = tangent_t
    r_normal = float(normal(onset))
    freedom = max(int(inside.sum()) - len(normal.coef), 1)
    rms = float(np.sqrt(np.sum((r[inside] - normal(t[inside])) ** 2) / freedom))
    cold = _cold_noise(r, ratio)
    noise = max(cold, float(np.median(curve.sigma)) if cold == 0 else 0.0)
    values, missing, resolution = {"onset": onset}, {}, {}
    for name, level in LEVELS.items():
        crossing = _crossing(t, ratio, level, onset)
        if crossing is None:
            missing[name] = f"R/R_n does not fall below {level:g} above {t[0]:.4g} K, the lowest temperature"
        else:
            values[name], resolution[name] = crossing
    if "t90" in values and "t10" in values:
        values["width"] = values["t90"] - values["t10"]
        resolution["width"] = float(np.hypot(resolution["t90"], resolution["t10"]))
    else:
        missing["width"] = "T90 - T10 needs both: " + next(missing[k] for k in ("t90", "t10") if k in missing)
    _zero(t, r, onset, r_normal, noise, values, missing, resolution)
    _ratio_300(t, r, r_normal, values, missing)
    _deviation(t, r, normal, rms, onset, values, missing, resolution)
    flags = ("few_points_in_transition",) if below < 6 else ()
    return Metrics(
        values,
        missing,
        resolution,
        normal,
        (float(t[inside].min()), float(t[inside].max())),
        rms / abs(r_normal),
        r_normal,
        noise,
        criterion,
        int(inside.sum()) + below,
        flags,
    )


def noise_of(curve: Curve, metrics: Metrics) -> Floats:
    """Return the noise of each point, ohm: that of the cold end below half of R_n, that of the line above.

    The scatter of the normal line includes that of the thermometer there, and its misfit: an upper bound.
    """
    normal = _positive(metrics.normal, curve.temperature)
    share = np.clip(curve.resistance / normal, 0, 1)
    top = metrics.normal_rms * abs(metrics.r_normal)
    return np.maximum(metrics.noise + (top - metrics.noise) * share, curve.sigma)


def _guess(t: Floats, r: Floats) -> float:
    """Return about the onset: the tangent where R rises most steeply meets R at 1.5 times that temperature.

    Points are merged to even out their noise. In a wide transition the normal line above the steepest place
    itself would lie inside the transition, and look normal.
    """
    span = max(0.05, 0.0005 * float(t[-1] - t[0]))  # K; 10 times the noise of a good thermometer
    groups = np.floor((t - t[0]) / span).astype(int)
    count = np.bincount(groups)
    filled = count > 0
    mean_t, mean_r = (
        np.bincount(groups, t)[filled] / count[filled],
        np.bincount(groups, r)[filled] / count[filled],
    )
    if len(mean_t) < 5:
        raise NoTransition(f"the points span {t[0]:.5g} to {t[-1]:.5g} K, too narrow for a transition")
    # Over three neighbours each side where they are dense, over one where they are sparse.
    reach = 3 if len(mean_t) > 60 and float(np.median(np.diff(mean_t))) < 0.2 else 1
    rise = (mean_r[2 * reach :] - mean_r[: -2 * reach]) / (mean_t[2 * reach :] - mean_t[: -2 * reach])
    steepest = int(np.argmax(rise))
    at_k, at_ohm = float(mean_t[reach:-reach][steepest]), float(mean_r[reach:-reach][steepest])
    top_ohm = float(np.interp(_WINDOW[1] * at_k, mean_t, mean_r))
    if not (rise[steepest] > 0 and top_ohm > at_ohm):
        return at_k
    return min(at_k + (top_ohm - at_ohm) / float(rise[steepest]), _WINDOW[1] * at_k)


def _normal(
    t: Floats, r: Floats, onset: float, window: tuple[float, float] | None, degree: int | None
) -> tuple[Polynomial, np.ndarray, str]:
    chosen = window or (_WINDOW if t[-1] >= 1.3 * onset else _NEAR)
    inside = (t >= chosen[0] * onset) & (t <= chosen[1] * onset)
    if int(inside.sum()) < _FEWEST_NORMAL and window is None:
        chosen = _NEAR
        inside = (t >= chosen[0] * onset) & (t <= chosen[1] * onset)
    n = int(inside.sum())
    if n < _FEWEST_NORMAL or np.ptp(t[inside]) < 0.1 * onset:
        raise NoTransition(
            f"{n} points in {chosen[0] * onset:.4g} to {chosen[1] * onset:.4g} K, too few or too narrow for "
            f"the normal line above a steepest point near {onset:.4g} K; measure up to {1.5 * onset:.3g} K"
        )
    line = Polynomial.fit(t[inside], r[inside], 1)
    insulating = False
    if degree is None:
        residual = r[inside] - line(t[inside])
        spread = float(np.sqrt(np.sum(residual**2) / max(n - 2, 1)))
        fall = float(line(t[inside][0]) - line(t[inside][-1]))
        # The ends of a fitted line differ by 12**0.5 times its slope's share of the noise.
        insulating = fall > 3 * spread * (12 / n) ** 0.5 and fall > 1e-4 * abs(float(line(onset)))
        degree = 2 if insulating else 1
    fit = line if degree == 1 else Polynomial.fit(t[inside], r[inside], degree)
    criterion = (
        f"R_n of degree {degree} from {chosen[0]:g} to {chosen[1]:g} Tc"
        f"{', insulating: dR/dT < 0 by 3 sigma' if insulating else ''}"
    )
    return fit, inside, criterion


def _positive(normal: Polynomial, t: Floats) -> Floats:
    """Return R_n(T), held at a hundredth of its largest value where it would pass through zero."""
    values = np.asarray(normal(t))
    top = float(values.max())
    if not top > 0:
        raise NoTransition("the normal line is not positive")
    return np.maximum(values, 0.01 * top)


def _tangent(t: Floats, ratio: Floats, guess: float, levels: tuple[float, float]) -> tuple[float, float, int]:
    """Return where the steepest tangent meets 1, its slope, 1/K, and how many points carry it.

    A cubic over the middle of the transition: a straight line through it would be less steep than its centre.
    """
    # The highest crossing of each level bounds the part: a foot or a second step below it does not count.
    above = np.flatnonzero((ratio <= levels[0]) & (t < 1.3 * guess))
    start = int(above[-1]) + 1 if len(above) else 0
    under = np.flatnonzero((ratio < levels[1]) & (t < 1.3 * guess))
    if not len(under):
        raise NoTransition(
            f"no transition: R stays above {levels[1]:g} of the normal line down to {t[0]:.4g} K"
        )
    stop = int(under[-1]) + 1
    part = slice(start, stop)
    n = stop - start
    if n < 3:
        raise NoTransition(
            f"{max(n, 0)} points between {levels[0]:g} and {levels[1]:g} of R_n near {guess:.4g} K, "
            "too few for a tangent; measure in smaller steps"
        )
    fit = Polynomial.fit(t[part], ratio[part], 3 if n >= 5 else 1)
    rise = fit.deriv()
    places = np.linspace(t[start], t[stop - 1], 201)
    # The steepest place of a noisy cubic may be its end: it is looked for in the middle of the levels.
    middle = places[(fit(places) > 0.25) & (fit(places) < 0.75)]
    if not len(middle):
        middle = places
    place = float(middle[int(np.argmax(rise(middle)))])
    slope = float(rise(place))
    if not slope > 0:
        raise NoTransition(f"R does not rise with T near {guess:.4g} K")
    return place + (1 - float(fit(place))) / slope, slope, n


def _judge(t: Floats, ratio: Floats, onset: float, slope: float) -> None:
    lowest = float(np.min(ratio[t < onset])) if np.any(t < onset) else 1.0
    if lowest > 0.5:
        raise NoTransition(f"no transition: R falls only to {lowest:.2g} of the normal line at {t[0]:.4g} K")
    if 1 / slope > _SHARP * onset:
        raise NoTransition(
            f"no transition: at its steepest R falls by R_n within {1 / slope:.3g} K, "
            f"more than {_SHARP:g} of the {onset:.3g} K where it begins"
        )


def _crossing(t: Floats, ratio: Floats, level: float, onset: float) -> tuple[float, float] | None:
    """Return the highest temperature where the ratio crosses the level, and the resolution there."""
    under = np.flatnonzero((ratio < level) & (t < 1.2 * onset))
    if not len(under) or under[-1] + 1 >= len(t):
        return None
    k = int(under[-1])
    linear = float(t[k] + (level - ratio[k]) * (t[k + 1] - t[k]) / (ratio[k + 1] - ratio[k]))
    near = np.flatnonzero((np.abs(ratio - level) < 0.06) & (np.abs(t - linear) < 0.1 * onset))
    near = near[ratio[near] > 0]
    if len(near) >= 6:
        fit = Polynomial.fit(t[near], ratio[near] - level, 2 if len(near) >= 8 else 1)
        low, high = float(t[near].min()), float(t[near].max())
    elif k >= 1 and k + 2 < len(t):
        part = slice(k - 1, k + 3)
        fit = Polynomial.fit(t[part], ratio[part] - level, 3)
        low, high = float(t[k]), float(t[k + 1])
    else:
        return linear, float(t[k + 1] - t[k]) / 12**0.5
    roots = np.asarray(fit.roots())
    real = [float(np.real(x)) for x in roots if abs(np.imag(x)) < 1e-9 and low <= np.real(x) <= high]
    if not real:
        return linear, float(t[k + 1] - t[k]) / 12**0.5
    value = min(real, key=lambda x: abs(x - linear))
    jump = abs(float(ratio[k + 1] - ratio[k]))
    # One step over most of the transition says no more than that the level lies between two points.
    return value, float(t[k + 1] - t[k]) / 12**0.5 if jump > 0.4 and len(near) < 6 else abs(
        value - linear
    ) / 2


def _cold_noise(r: Floats, ratio: Floats) -> float:
    """Return the scatter of R where the sample superconducts, ohm; 0 where it was not measured there."""
    above = np.flatnonzero(ratio > 0.02)
    cold = r[: int(above[0])] if len(above) else r
    if len(cold) < 5:
        return 0.0
    return 1.4826 * float(np.median(np.abs(cold - np.median(cold))))


def _zero(
    t: Floats,
    r: Floats,
    onset: float,
    r_normal: float,
    noise: float,
    values: dict[str, float],
    missing: dict[str, str],
    resolution: dict[str, float],
) -> None:
    threshold = max(_ZERO * r_normal, 3 * noise)
    under = np.flatnonzero((r < threshold) & (t < onset))
    if not len(under):
        missing["zero"] = f"R stays above {threshold:.2g} ohm down to {t[0]:.4g} K, the lowest temperature"
        return
    k = int(under[-1])
    values["zero"] = float(t[k])
    resolution["zero"] = float(t[k + 1] - t[k]) if k + 1 < len(t) else 0.0


def _ratio_300(
    t: Floats, r: Floats, r_normal: float, values: dict[str, float], missing: dict[str, str]
) -> None:
    near = np.abs(t - 300) < 10
    if not np.any(near) or float(t[near].max()) < 299:
        missing["rrr"] = f"R(300 K) was not measured: the curve ends at {t[-1]:.4g} K"
        return
    top = r[near]
    hot = float(np.polyval(np.polyfit(t[near] - 300, top, 1), 0.0)) if len(top) >= 4 else float(top[-1])
    values["rrr"] = hot / r_normal


def _deviation(
    t: Floats,
    r: Floats,
    normal: Polynomial,
    rms: float,
    onset: float,
    values: dict[str, float],
    missing: dict[str, str],
    resolution: dict[str, float],
) -> None:
    part = np.flatnonzero((t > 0.5 * onset) & (t < 1.1 * onset))
    off = r[part] < normal(t[part]) - 3 * max(rms, 1e-9 * abs(float(normal(onset))))
    back = np.flatnonzero(~off)
    if not len(back) or back[0] == 0 or not np.any(off):
        missing["deviation"] = "R does not leave the normal line by 3 sigma within the measured range"
        return
    k = int(back[0]) - 1  # the last of the unbroken run of points below the line
    values["deviation"] = float(t[part[k]])
    resolution["deviation"] = float(t[part[k] + 1] - t[part[k]])
