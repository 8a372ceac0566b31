"""Lag of the sample behind the thermometer.

A sample that follows the thermometer with a time constant lies ``rate * lag`` behind it once a ramp is
steady. Warming and cooling then trace the same R(T) at the temperature of the sample, and at no other: the
lag is the one number that makes the two curves coincide.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import median_filter
from scipy.optimize import nnls

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused

_QUANTITY, _UNIT = "sample lag", "s"
# Four time constants (30 s) of a block behind its ramp: until then the rate itself changes.
_TRANSIENT_S = 120.0
_LONGEST_S = 600.0  # a sample that lags by more is not in contact
_FEWEST = 8  # points of each curve in the common range
_STEPS = 5  # of Gauss-Newton, from a grid point some tenths of the lag away
# A temperature is asked for and answered within 0.15 s (a Model 6000: 0.1 s between write and read, 50 ms to
# reply); at which instant in it the controller looked is not known but always the same: half of the 0.15 s,
# since many points do not average it.
_TIMING_S = 0.075
_LARGEST_CHI2, _MOST_OUTLIERS = 2.0, 0.1  # beyond these the curves are not one curve
_REPLICAS = 100
# The bootstrap holds slopes and weights, which come from the same noisy points. On a transition 0.6 K wide at
# 0.3 K/min nights drawn anew scatter by 0.122 s where it said 0.090 s: this ratio.
_SLOPES_TOO = 1.36
_CAPPED_MEAN = 0.995  # of min(z^2, 9) for normal z
_SEED = 20001


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    temperature: Floats
    resistance: Floats
    rate: Floats
    start: float

    def at(self, lag_s: float) -> Floats:
        return self.temperature - self.rate * lag_s


def at_sample(temperature: Floats, rate: Floats | float, lag_s: float) -> Floats:
    """Return the temperature of the sample, K, from the reported one, its rate (K/s) and the lag (s)."""
    return temperature - rate * lag_s


def sample_lag(
    t_up: Floats,
    r_up: Floats,
    rate_up: Floats | float,
    t_down: Floats,
    r_down: Floats,
    rate_down: Floats | float,
) -> Result:
    """Return the lag, s: R of warming and of cooling coincide at T_sample = T - rate * lag.

    Rates are signed dT/dt of the reported temperature, K/s: positive when warming, negative when cooling.
    Points stand in the order in which they were measured. The first two minutes of each pass are left out
    (at most a quarter of the common range): there the rate changes and the lag is not yet steady.

    Each curve is interpolated at the points of the other. The noise of a point, constant plus |dR/dT| times
    that of the temperature, comes from the scatter within each curve: chi2_per_dof tests the coincidence.

    goodness: difference_before_k, difference_after_k (rms of R_up - R_down over rms |dR/dT|, noise-weighted),
    noise_k (what the scatter within the curves lets expect of difference_after_k), chi2_per_dof,
    sigma_bootstrap (noise of both curves; times sqrt(chi2_per_dof) where that is above 1),
    sigma_interpolation (half the difference between interpolating one curve and the other), sigma_timing
    (T and R of a point are centred alike to this, s) and outliers (points beyond 6 sigma).

    Raises:
        ValueError: if the arrays of one curve differ in length.
    """
    criterion = (
        f"R(T - rate*lag) of warming and cooling coincide, least squares weighted by noise, without the "
        f"first {_TRANSIENT_S:.0f} s of a pass, |lag| <= {_LONGEST_S:.0f} s"
    )
    up, down = _pass("warming", t_up, r_up, rate_up), _pass("cooling", t_down, r_down, rate_down)
    for name, curve in (("warming", up), ("cooling", down)):
        if len(curve.temperature) < _FEWEST:
            return refused(
                _QUANTITY,
                _UNIT,
                criterion,
                f"{name} has {len(curve.temperature)} points, fewer than {_FEWEST}",
            )
    rates = float(np.median(up.rate)), float(np.median(down.rate))
    difference = abs(rates[0] - rates[1])
    if difference <= 0.1 * max(abs(rates[0]), abs(rates[1])):
        reason = f"both passes have nearly the same rate, {rates[0]:.3g} and {rates[1]:.3g} K/s"
        return refused(_QUANTITY, _UNIT, criterion, reason)
    low = max(up.temperature.min(), down.temperature.min())
    high = min(up.temperature.max(), down.temperature.max())
    up, down = _steady(up, high - low), _steady(down, high - low)
    low = float(max(up.temperature.min(), down.temperature.min(), low))
    high = float(min(up.temperature.max(), down.temperature.max(), high))
    window, inside = {"temperature_k": (low, high)}, [_count(curve, low, high) for curve in (up, down)]
    if high <= low or min(inside) < _FEWEST:
        reason = (
            f"warming and cooling have {inside[0]} and {inside[1]} points in common, fewer than {_FEWEST}"
        )
        return refused(_QUANTITY, _UNIT, criterion, reason, n=sum(inside))
    return _fitted(criterion, _blocks(up), _blocks(down), window, difference)


def _fitted(
    criterion: str, up: _Pass, down: _Pass, window: dict[str, tuple[float, float]], rate_difference: float
) -> Result:
    low, high = window["temperature_k"]
    n = _count(up, low, high) + _count(down, low, high)
    if min(len(up.temperature), len(down.temperature)) < _FEWEST:
        reason = "the noise of the temperature leaves too few distinct points in the common range"
        return refused(_QUANTITY, _UNIT, criterion, reason, window=window, n=n)
    longest = min(_LONGEST_S, 0.25 * (high - low) / rate_difference)
    noise = _noise(up, down, 0.0)
    rise = float(np.ptp(np.percentile(np.concatenate([up.resistance, down.resistance]), [2, 98])))
    if rise <= 5 * noise[0]:
        reason = (
            f"R changes by {rise:.2g} ohm between {low:.4g} and {high:.4g} K, its noise is {noise[0]:.2g} ohm"
        )
        return refused(_QUANTITY, _UNIT, criterion, reason, window=window, n=n)
    lag = _coarse(up, down, noise, longest)
    for _ in range(_STEPS):
        noise = _noise(up, down, lag)  # the scatter of the rate enters with the lag
        residual, slope, sigma = _mismatch(up, down, lag, noise)
        weight = 1 / sigma**2 * _huber(residual / sigma)
        # What the lag does to each residual; its sum of squares is how much the curves say about the lag.
        above, below = (_mismatch(up, down, lag + shift, noise, at_lag_s=lag)[0] for shift in (0.1, -0.1))
        lever = (above - below) / 0.2
        information = float(np.sum(weight * lever**2))
        if not information > 0:
            reason = "R does not depend on the lag anywhere in the common range"
            return refused(_QUANTITY, _UNIT, criterion, reason, window=window, n=n)
        lag = float(np.clip(lag - np.sum(weight * lever * residual) / information, -longest, longest))
    if abs(lag) > 0.95 * longest:
        reason = f"no lag within {longest:.3g} s makes the curves coincide"
        return refused(_QUANTITY, _UNIT, criterion, reason, window=window, n=n)

    good = np.abs(residual) < 6 * sigma  # what the robust fit gives hardly any weight is counted, not squared
    chi2 = float(np.sum((residual[good] / sigma[good]) ** 2)) / max(int(good.sum()) - 1, 1)
    bootstrap = _bootstrap(up, down, lag, noise, weight * lever / information) * max(1.0, chi2) ** 0.5
    n_up = _count(up, *_common(up, down, lag), lag)
    halves = [
        float(np.sum((weight * lever * residual)[part]))
        / max(float(np.sum((weight * lever**2)[part])), 1e-300)
        for part in (slice(None, n_up), slice(n_up, None))
    ]
    interpolation = abs(halves[0] - halves[1]) / 2
    total = float(np.hypot(np.hypot(bootstrap, interpolation), _TIMING_S))
    per_k = float(np.sqrt(np.sum(weight * slope**2)))
    before_raw, before_slope, before_sigma = _mismatch(up, down, 0.0, noise)
    before = float(
        np.sqrt(np.sum((before_raw / before_sigma) ** 2) / np.sum((before_slope / before_sigma) ** 2))
    )
    goodness = {
        "difference_before_k": before,
        "difference_after_k": float(np.sqrt(np.sum(weight * residual**2))) / per_k,
        "noise_k": float(np.sqrt(np.sum(weight * sigma**2))) / per_k,
        "chi2_per_dof": chi2,
        "sigma_bootstrap": bootstrap,
        "sigma_interpolation": interpolation,
        "sigma_timing": _TIMING_S,
        "outliers": float((~good).sum()),
    }
    if total * rate_difference > 0.1 * (high - low) or total > longest / 4:
        reason = f"the curves carry no information on the lag: {lag:.3g} +- {total:.3g} s"
        return refused(_QUANTITY, _UNIT, criterion, reason, window=window, n=n, goodness=goodness)
    if chi2 > _LARGEST_CHI2 or (~good).sum() > _MOST_OUTLIERS * len(good):
        # A gain that drifts between the passes looks like a lag: 0.2 % a night read 3.66(5) s for 4 s.
        reason = (
            f"warming and cooling coincide at no lag: chi^2/dof = {chi2:.3g} at {lag:.3g} s (at most "
            f"{_LARGEST_CHI2:g}), {(~good).sum()} of {len(good)} points far off; "
            "did the gain or the sample change between them?"
        )
        return refused(_QUANTITY, _UNIT, criterion, reason, window=window, n=n, goodness=goodness)
    flags = ("negative_lag",) if lag < -3 * total else ()
    return Result(_QUANTITY, lag, total, _UNIT, criterion, window, n, goodness, flags)


def _pass(name: str, temperature: Floats, resistance: Floats, rate: Floats | float) -> _Pass:
    temperature, resistance = (
        np.asarray(temperature, dtype=np.float64),
        np.asarray(resistance, dtype=np.float64),
    )
    if temperature.ndim != 1 or temperature.shape != resistance.shape:
        raise ValueError(
            f"{name}: {temperature.shape} temperatures and {resistance.shape} resistances; "
            "give one of each a point"
        )
    rates = np.asarray(rate, dtype=np.float64)
    if rates.ndim and rates.shape != temperature.shape:
        raise ValueError(
            f"{name}: {rates.shape} rates for {temperature.shape} temperatures; give one for each point"
        )
    rates = np.broadcast_to(rates, temperature.shape)
    good = np.isfinite(temperature) & np.isfinite(resistance) & np.isfinite(rates)
    temperature, resistance, rates = temperature[good], resistance[good], rates[good]
    if len(rates) >= 9:
        # A fit against a noisy rate would underestimate the lag; a ramp changes its rate rarely.
        rates = median_filter(rates, 9, mode="nearest")
    start = float(temperature[0]) if len(temperature) else float("nan")
    return _Pass(temperature, resistance, rates, start)


def _steady(curve: _Pass, common_k: float) -> _Pass:
    """Return the curve without the part that the ramp passed before it was steady."""
    transient_k = min(abs(float(np.median(curve.rate))) * _TRANSIENT_S, max(common_k, 0.0) / 4)
    keep = np.abs(curve.temperature - curve.start) >= transient_k
    return _Pass(curve.temperature[keep], curve.resistance[keep], curve.rate[keep], curve.start)


def _count(curve: _Pass, low: float, high: float, lag_s: float = 0.0) -> int:
    temperature = curve.at(lag_s)
    return int(np.count_nonzero((temperature >= low) & (temperature <= high)))


def _blocks(curve: _Pass) -> _Pass:
    """Return means of as many neighbours as it takes to make temperature monotone despite its noise."""
    temperature = curve.temperature
    noise = 1.4826 * float(np.median(np.abs(np.diff(temperature, 2)))) / 6**0.5  # weights 1, -2, 1
    step = abs(float(np.median(np.diff(temperature))))
    # Means of m neighbours are m*step apart and have a scatter of noise/sqrt(m).
    size = 1 if step > 5 * noise else max(1, min(int(np.ceil((5 * noise / max(step, 1e-9)) ** (2 / 3))), 100))
    n = len(temperature) // size * size
    means = [
        np.asarray(x[:n].reshape(-1, size).mean(axis=1)) for x in (temperature, curve.resistance, curve.rate)
    ]
    order = np.argsort(means[0], kind="stable")
    keep = order[np.concatenate([[True], np.diff(means[0][order]) > 0])]
    return _Pass(means[0][keep], means[1][keep], means[2][keep], curve.start)


def _sorted(temperature: Floats, resistance: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(temperature, kind="stable")
    temperature = temperature[order]
    keep = np.concatenate([[True], np.diff(temperature) > 1e-9])
    return temperature[keep], resistance[order][keep]


def _common(up: _Pass, down: _Pass, lag_s: float) -> tuple[float, float]:
    t_up, t_down = up.at(lag_s), down.at(lag_s)
    return float(max(t_up.min(), t_down.min())), float(min(t_up.max(), t_down.max()))


def _mismatch(
    up: _Pass,
    down: _Pass,
    lag_s: float,
    noise: tuple[float, float],
    *,
    shake: tuple[Floats, Floats] | None = None,
    at_lag_s: float | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return R_up - R_down at every point of both curves, the local dR/dT, and its sigma."""
    held = lag_s if at_lag_s is None else at_lag_s  # the same points for every lag that is compared
    low, high = _common(up, down, held)
    differences, slopes = [], []
    r_up, r_down = (up.resistance, down.resistance) if shake is None else shake
    t_up, t_down = up.at(lag_s), down.at(lag_s)
    pairs = (up.at(held), t_up, r_up, t_down, r_down, 1.0), (down.at(held), t_down, r_down, t_up, r_up, -1.0)
    for place, own, own_r, other, other_r, sign in pairs:
        curve = PchipInterpolator(*_sorted(other, other_r), extrapolate=True)
        inside = (place >= low) & (place <= high)
        differences.append(sign * (own_r[inside] - curve(own[inside])))
        slopes.append(curve(own[inside], 1))
    slope = np.concatenate(slopes)
    # The point has one share of the noise, a place between two neighbours 0.8 on average (2/3 if linear).
    sigma = np.sqrt((noise[0] ** 2 + (noise[1] * slope) ** 2) * 1.8)
    return np.concatenate(differences), slope, np.asarray(sigma)


def _noise(up: _Pass, down: _Pass, lag_s: float) -> tuple[float, float]:
    """Return the noise of R, ohm, and of T, K, from how far points lie off a cubic through neighbours."""
    squares, slopes = [], []
    for curve in (up, down):
        t, r = _sorted(curve.at(lag_s), curve.resistance)
        near = np.stack([t[:-4], t[1:-3], t[3:-1], t[4:]])
        middle = t[2:-2]
        share = np.ones_like(near)
        for i in range(4):
            for j in range(4):
                if i != j:
                    share[i] *= (middle - near[j]) / (near[i] - near[j])
        off = r[2:-2] - np.sum(share * np.stack([r[:-4], r[1:-3], r[3:-1], r[4:]]), axis=0)
        squares.append(off**2 / (1 + np.sum(share**2, axis=0)))
        slopes.append((r[3:-1] - r[1:-3]) / (t[3:-1] - t[1:-3]))
    square, slope2 = np.concatenate(squares), np.concatenate(slopes) ** 2
    floor = 1e-9 * float(np.abs(up.resistance).max()) + 1e-300
    variance = np.full_like(square, float(np.median(square)) / 0.455 + floor**2)  # median of chi^2(1)
    found = np.zeros(2)
    for _ in range(4):
        capped = np.minimum(square, 9 * variance) / _CAPPED_MEAN
        design = np.stack([np.ones_like(slope2), slope2], axis=1) / variance[:, None]
        scale = np.linalg.norm(design, axis=0) + 1e-300
        found = nnls(design / scale, capped / variance)[0] / scale
        variance = found[0] + found[1] * slope2 + floor**2
    return float(np.sqrt(found[0] + floor**2)), float(np.sqrt(found[1]))


def _huber(z: Floats) -> Floats:
    return np.asarray(1 / np.maximum(1.0, np.abs(z) / 3))


def _cost(up: _Pass, down: _Pass, lag_s: float, noise: tuple[float, float]) -> float:
    low, high = _common(up, down, lag_s)
    if min(_count(up, low, high, lag_s), _count(down, low, high, lag_s)) < _FEWEST:
        return float("inf")
    residual, _, sigma = _mismatch(up, down, lag_s, noise)
    z = np.abs(residual / sigma)
    return float(np.mean(np.where(z < 3, z**2, 6 * z - 9)))


def _coarse(up: _Pass, down: _Pass, noise: tuple[float, float], longest_s: float) -> float:
    """Return the lag of least robust mismatch on a grid that is dense about zero."""
    grid = longest_s * np.sinh(np.linspace(-5, 5, 81)) / np.sinh(5)
    return float(grid[int(np.argmin([_cost(up, down, float(lag), noise) for lag in grid]))])


def _bootstrap(up: _Pass, down: _Pass, lag_s: float, noise: tuple[float, float], gain: Floats) -> float:
    """Return the spread of the lag, s, when both curves get another noise of the size they have.

    Each point enters as itself and as a support of the interpolation; the spread of single residuals would
    miss that these are the same noise.
    """
    random = np.random.default_rng(_SEED)
    clean, _, _ = _mismatch(up, down, lag_s, noise)
    sigmas = []
    for curve in (up, down):
        slope = np.gradient(curve.resistance, curve.temperature)
        sigmas.append(np.sqrt(noise[0] ** 2 + (noise[1] * slope) ** 2))
    lags = []
    for _ in range(_REPLICAS):
        shaken = (
            up.resistance + sigmas[0] * random.standard_normal(len(sigmas[0])),
            down.resistance + sigmas[1] * random.standard_normal(len(sigmas[1])),
        )
        lags.append(float(gain @ (_mismatch(up, down, lag_s, noise, shake=shaken)[0] - clean)))
    return _SLOPES_TOO * float(np.std(lags))
