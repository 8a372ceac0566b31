"""One curve for all isotherms: ln R = P(u) [+ b1 (T - Tref)], u = (H - Hc)/T^kappa, by variable projection.

P is a Chebyshev polynomial. For given (Hc, kappa) its coefficients, and b1 if it is free, follow exactly from
linear least squares; only (Hc, kappa) are searched, by Gauss-Newton steps with the projected Jacobian of
Kaufman (BIT 15, 49 (1975)). Fields are in kOe here, so that both unknowns are of order one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from onnes.analysis.isotherm import Floats, Isotherm

KAPPA_RANGE = (0.02, 3.0)  # 1/(z nu), physics of any known transition lies well inside
_START_Z_NU = (0.4, 0.7, 1.0, 1.5, 2.5, 5.0)
_START_FIELDS = 15
_OE_PER_KOE = 1e3
_BLOCK = 8000  # elements of a matrix: OpenBLAS takes one thread up to 9216 in its matrix-vector product


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Every point of every isotherm: |H| in kOe, T in K, ln(R/ohm), sigma of ln R, number of its isotherm."""

    field: Floats
    temperature: Floats
    ln_r: Floats
    sigma: Floats
    isotherm: np.ndarray[tuple[int], np.dtype[np.intp]]

    def where(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Points":
        """Return the chosen points alone."""
        return Points(
            self.field[chosen],
            self.temperature[chosen],
            self.ln_r[chosen],
            self.sigma[chosen],
            self.isotherm[chosen],
        )

    def with_ln_r(self, ln_r: Floats) -> "Points":
        """Return the same points with other resistances."""
        return replace(self, ln_r=ln_r)

    def with_temperature(self, temperature: Floats) -> "Points":
        """Return the same points read at other temperatures."""
        return replace(self, temperature=temperature)

    @property
    def isotherms(self) -> list[int]:
        """Return the numbers of the isotherms that are there."""
        return [int(k) for k in np.unique(self.isotherm)]

    @property
    def reference_k(self) -> float:
        """Return the temperature, K, at which the background is 1: the geometric middle."""
        return float(np.sqrt(self.temperature.min() * self.temperature.max()))


def points_of(isotherms: Sequence[Isotherm]) -> Points:
    """Return the points of all isotherms; the scaling is in the magnitude of the field."""
    sizes = [len(isotherm.field) for isotherm in isotherms]
    return Points(
        np.abs(np.concatenate([isotherm.field for isotherm in isotherms])) / _OE_PER_KOE,
        np.repeat([isotherm.temperature for isotherm in isotherms], sizes),
        np.log(np.concatenate([isotherm.resistance for isotherm in isotherms])),
        np.concatenate([isotherm.sigma / isotherm.resistance for isotherm in isotherms]),
        np.repeat(np.arange(len(isotherms)), sizes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CommonCurve:
    """A fit. ``hc`` in kOe; ``u``, ``slope`` = P'(u) and ``residual`` of ln R have one entry a point.

    ``triangle`` and ``towards`` are what the least-squares step in (hc, kappa) solves, with everything that
    the linear coefficients absorb projected out: triangle @ step = towards.
    """

    hc: float
    kappa: float
    b1: float
    background: bool
    degree: int
    coefficients: Floats
    u_range: tuple[float, float]
    u: Floats
    slope: Floats
    residual: Floats
    triangle: Floats
    towards: Floats

    @property
    def z_nu(self) -> float:
        """Return z*nu."""
        return 1 / self.kappa

    @property
    def rms(self) -> float:
        """Return the rms residual of ln R."""
        return float(np.sqrt(np.mean(self.residual**2)))

    def ln_r(self, u: Floats, derivative: int = 0) -> Floats:
        """Return P(u), or its derivative."""
        low, high = self.u_range
        scale = 2 / (high - low)
        series = chebyshev.chebder(self.coefficients, derivative) if derivative else self.coefficients
        return _series(scale * (u - low) - 1, series) * scale**derivative


def triangle_of(columns: Floats) -> Floats:
    """Return the triangle R of the QR factorisation of tall ``columns``.

    The last column being the target, R holds the whole least-squares problem. The rows are taken in blocks:
    BLAS starts its threads for larger ones, and on a busy machine these wait for each other a hundred times
    longer than they work.
    """
    rows, width = columns.shape
    block = max(_BLOCK // width, 2 * width)
    padded = np.zeros((-(-rows // block) * block, width))
    padded[:rows] = columns
    each = _triangles(padded.reshape(-1, block, width))
    together = max(_BLOCK // width**2, 2)
    while len(each) > 1:
        tall = np.zeros((-(-len(each) // together) * together, width, width))
        tall[: len(each)] = each
        each = _triangles(tall.reshape(-1, together * width, width))
    first: Floats = each[0]
    return first


def _triangles(blocks: Floats) -> Floats:
    return np.asarray(np.linalg.qr(blocks, mode="r"), dtype=np.float64)


def _series(x: Floats, coefficients: Any) -> Floats:
    return np.asarray(chebyshev.chebval(x, coefficients), dtype=np.float64)


def product(columns: Floats, coefficients: Floats) -> Floats:
    """Return columns @ coefficients, without BLAS for the reason that ``triangle_of`` gives."""
    result: Floats = np.einsum("ij,j->i", columns, coefficients)
    return result


def chebyshev_columns(x: Floats, degree: int) -> Floats:
    """Return T_0(x) .. T_degree(x) as columns."""
    columns = np.empty((len(x), degree + 1))
    columns[:, 0] = 1
    columns[:, 1] = x
    for j in range(2, degree + 1):
        columns[:, j] = 2 * x * columns[:, j - 1] - columns[:, j - 2]
    return columns


def linear_columns(
    points: Points, hc: float, kappa: float, degree: int, *, background: bool
) -> tuple[Floats, tuple[float, float], Floats]:
    """Return u, its range and the columns that the linear coefficients multiply (the background last)."""
    u = (points.field - hc) * points.temperature**-kappa
    low, high = float(u.min()), float(u.max())
    columns = chebyshev_columns((2 * u - low - high) / (high - low), degree)
    if background:
        columns = np.column_stack([columns, points.temperature - points.reference_k])
    return u, (low, high), columns


def nonlinear_columns(points: Points, u: Floats, slope: Floats, kappa: float) -> Floats:
    """Return d(ln R)/d hc and d(ln R)/d kappa, as columns, with the coefficients held."""
    return np.column_stack([-slope * points.temperature**-kappa, -slope * u * np.log(points.temperature)])


def sum_of_squares(points: Points, hc: float, kappa: float, degree: int) -> float:
    """Return the least sum of squares of ln R at (Hc in kOe, kappa)."""
    _, _, columns = linear_columns(points, hc, kappa, degree, background=False)
    return float(triangle_of(np.column_stack([columns, points.ln_r]))[-1, -1] ** 2)


def curve_at(
    points: Points, hc: float, kappa: float, degree: int, *, background: bool = False
) -> CommonCurve:
    """Return the best common curve at (Hc in kOe, kappa)."""
    u, u_range, columns = linear_columns(points, hc, kappa, degree, background=background)
    r = triangle_of(np.column_stack([columns, points.ln_r]))
    coefficients = np.asarray(np.linalg.solve(r[:-1, :-1], r[:-1, -1]), dtype=np.float64)
    series = coefficients[: degree + 1]
    scale = 2 / (u_range[1] - u_range[0])
    slope = _series(scale * (u - u_range[0]) - 1, chebyshev.chebder(series)) * scale
    residual = points.ln_r - product(columns, coefficients)
    width = columns.shape[1]
    r = triangle_of(np.column_stack([columns, nonlinear_columns(points, u, slope, kappa), residual]))
    return CommonCurve(
        hc=hc,
        kappa=kappa,
        b1=float(coefficients[-1]) if background else 0.0,
        background=background,
        degree=degree,
        coefficients=series,
        u_range=u_range,
        u=u,
        slope=slope,
        residual=residual,
        triangle=r[width : width + 2, width : width + 2],
        towards=r[width : width + 2, -1],
    )


def starting_point(points: Points, degree: int) -> tuple[float, float]:
    """Return the (Hc in kOe, kappa) of a coarse grid with the least variance."""
    low, high = np.quantile(points.field, [0.05, 0.95])
    grid = [(float(hc), 1 / z_nu) for hc in np.linspace(low, high, _START_FIELDS) for z_nu in _START_Z_NU]
    return min(grid, key=lambda start: sum_of_squares(points, start[0], start[1], degree))


def fit_common_curve(
    points: Points,
    start: tuple[float, float],
    degree: int,
    *,
    background: bool = False,
    hold_kappa: bool = False,
    steps: int = 40,
) -> CommonCurve:
    """Return the common curve of least variance of ln R.

    Args:
        start: (Hc in kOe, kappa)
        background: b1 is free
        hold_kappa: only Hc is searched
        steps: Gauss-Newton steps at most; a clean collapse takes two
    """
    best = curve_at(points, *start, degree, background=background)
    cost = float(best.residual @ best.residual)
    damping = 0.0
    free = 1 if hold_kappa else 2
    for _ in range(steps):
        triangle = best.triangle[:free, :free]
        normal = triangle.T @ triangle
        # the tiny diagonal keeps the step finite where R does not depend on H at all
        normal += np.diag(damping * np.diag(normal) + 1e-12 * np.trace(normal) + 1e-300)
        step = np.zeros(2)
        step[:free] = np.linalg.solve(normal, triangle.T @ best.towards[:free])
        hc, kappa = best.hc + float(step[0]), best.kappa + float(step[1])
        if not KAPPA_RANGE[0] < kappa < KAPPA_RANGE[1] or abs(hc) > 10 * points.field.max():
            damping = max(10 * damping, 1e-2)
            continue
        trial = curve_at(points, hc, kappa, degree, background=background)
        trial_cost = float(trial.residual @ trial.residual)
        if trial_cost < cost:
            gain = cost - trial_cost
            best, cost, damping = trial, trial_cost, damping / 10 if damping > 1e-4 else 0.0
            if gain < 1e-7 * cost:  # with 1000 points a step of 0.01 sigma
                break
        elif trial_cost - cost <= 1e-7 * cost or damping > 1e8:
            break
        else:
            damping = max(10 * damping, 1e-2)
    return best
