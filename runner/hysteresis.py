"""By how much field the curves of falling and of rising field are shifted: the remanence of the magnet."""

from collections.abc import Sequence

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused
from onnes.runner.measured import ABOVE_NOISE, FieldRun, IsothermCurves

_QUANTITY = "field at the sample, falling minus rising, at equal reported field"
_FEWEST_ISOTHERMS = 3  # their scatter is the sigma
_FEWEST_POINTS = 6  # of an isotherm: three numbers are fitted
_SEEN = 3.0  # standard errors from zero at which a drift counts as there
_USELESS_OE = 100.0  # several times the remanence of any magnet of this kind
_USELESS_SHARE = 0.1  # of the range of fields, where that is small
_CLEAR = 10.0  # a slope whose square is less than this times that of its noise is lowered by it too much


def hysteresis(measured: FieldRun) -> Result | None:
    """Return the shift in Oe; None where one direction was measured. A magnet's is -2 times its remanence.

    Of each isotherm R_falling - R_rising = R * (shift * dlnR/dH + g0 + g1 * H), by least squares: a gain that
    drifts through the two passes changes R in proportion to the time between the two readings at a field,
    which at a steady sweep is linear in the field. The shift is the mean of the isotherms and sigma the
    standard error of the mean. Where neither g0 nor g1 is seen the fit without them counts, and its distance
    from the fit with them, which is what a drift just not seen can do, is added to sigma.

    goodness: oe_with_drift, oe_without_drift, drift (g0), drift_per_oe (g1) and their sigmas, isotherms.
    """
    both = [curve for curve in measured.curves if curve.averaged is not None]
    if not both:
        return None
    criterion = "least squares of R_falling - R_rising = R*(shift*dlnR/dH + g0 + g1*H), mean of isotherms"
    resistive = [curve for curve in both if curve.superconducting_oe is None]
    if not resistive:
        return refused(_QUANTITY, "Oe", criterion, f"{both[0].superconducting}; R does not show the field")
    fitted = [pair for curve in resistive if (pair := _pair(curve)) is not None]
    if len(fitted) < _FEWEST_ISOTHERMS:
        reason = (
            f"{len(fitted)} of {len(both)} isotherms with both directions depend on the field beyond noise; "
            f"a sigma needs {_FEWEST_ISOTHERMS}"
        )
        return refused(_QUANTITY, "Oe", criterion, reason)
    n = sum(len(field) for _, _, field in fitted)
    simple = [_least_squares([slope], difference) for slope, difference, _ in fitted]
    full = [
        _least_squares([slope, np.ones_like(field), field], difference) for slope, difference, field in fitted
    ]
    if not np.isfinite(
        [one for fits in (simple, full) for coefficients, _ in fits for one in coefficients]
    ).all():
        return refused(_QUANTITY, "Oe", criterion, "R does not depend on the field", n=n)
    (without,), (without_sigma,) = _mean(simple)
    (with_drift, g0, g1), (with_sigma, g0_sigma, g1_sigma) = _mean(full)
    drifts = abs(g0) > _SEEN * g0_sigma or abs(g1) > _SEEN * g1_sigma
    if drifts:
        shift, sigma = with_drift, with_sigma
    else:
        shift, sigma = without, float(np.hypot(without_sigma, with_drift - without))
        criterion = "least squares of R_falling - R_rising = shift*dR/dH, mean of isotherms"
    goodness = {
        "oe_with_drift": with_drift,
        "oe_without_drift": without,
        "drift": g0,
        "drift_sigma": g0_sigma,
        "drift_per_oe": g1,
        "drift_per_oe_sigma": g1_sigma,
        "isotherms": float(len(fitted)),
    }
    fields = np.concatenate([field for _, _, field in fitted])
    most = min(_USELESS_OE, _USELESS_SHARE * float(np.ptp(fields)))
    if sigma > most:
        reason = f"R depends too little on the field: {shift:.0f} +- {sigma:.0f} Oe says nothing"
        return refused(_QUANTITY, "Oe", criterion, reason, n=n, goodness=goodness)
    return Result(
        _QUANTITY,
        shift,
        sigma,
        "Oe",
        criterion,
        n=n,
        goodness=goodness,
        flags=("gain_drift",) if drifts else (),
    )


def _pair(curve: IsothermCurves) -> tuple[Floats, Floats, Floats] | None:
    """Return dlnR/dH, the relative difference and the field; None where R does not depend on it clearly."""
    averaged = curve.averaged
    if averaged is None or len(averaged.field) < _FEWEST_POINTS:
        return None
    resistance = averaged.resistance
    keep = resistance > ABOVE_NOISE * averaged.sigma
    if np.count_nonzero(keep) < _FEWEST_POINTS:
        return None
    slope = np.gradient(resistance, averaged.field, edge_order=2)[keep]
    # Between neighbours on both sides: two shares of noise over two steps.
    slope_noise = 2**0.5 * averaged.sigma[keep] / (2 * np.gradient(averaged.field)[keep])
    if not slope @ slope > _CLEAR * (slope_noise @ slope_noise):
        return None
    slope = slope / resistance[keep]
    return slope, 2 * averaged.half_difference[keep] / resistance[keep], averaged.field[keep]


def _least_squares(columns: Sequence[Floats], difference: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients of the columns and their information; NaN where these are not told apart."""
    nothing = np.full(len(columns), np.nan)
    scales = np.array([np.linalg.norm(column) for column in columns])
    if not np.all(scales > 0):
        return nothing, nothing
    design = np.stack(columns, axis=1) / scales
    if np.linalg.matrix_rank(design, tol=1e-9) < len(columns):
        return nothing, nothing
    inverse = np.linalg.pinv(design)
    return inverse @ difference / scales, scales**2 / np.sum(inverse**2, axis=1)


def _mean(fits: Sequence[tuple[Floats, Floats]]) -> tuple[list[float], list[float]]:
    """Return mean and standard error of each coefficient, from the scatter of the isotherms.

    An isotherm counts by how much it says: a warm one that hardly depends on the field, or whose slope looks
    like the drift, says little.
    """
    values, information = np.stack([one for one, _ in fits]), np.stack([one for _, one in fits])
    weight = information / information.sum(axis=0)
    mean = np.sum(weight * values, axis=0)
    # Unbiased where each variance goes as 1/information; the plain standard error at equal weights.
    variance = np.sum(weight * (values - mean) ** 2, axis=0) / (len(fits) - 1)
    return mean.tolist(), np.sqrt(variance).tolist()
