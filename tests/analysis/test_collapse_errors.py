"""The terms of the error, each against what it stands for."""

from collections.abc import Callable

import numpy as np
import pytest

from onnes.analysis.collapse_errors import (
    bootstrap,
    jackknife,
    pair_of,
    refit,
    spread_variance,
    temperature_term,
)
from onnes.analysis.common_curve import CommonCurve, Points, fit_common_curve, points_of, triangle_of
from onnes.analysis.isotherm import Isotherm

Maker = Callable[..., list[Isotherm]]


def fitted(data: list[Isotherm], *, background: bool = False) -> tuple[Points, CommonCurve]:
    points = points_of(data)
    return points, fit_common_curve(points, (32.0, 3 / 7), 9, background=background)


def test_the_triangle_in_blocks_is_that_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    for rows, width in ((5, 3), (1000, 12), (3001, 45), (40, 40)):
        columns = rng.standard_normal((rows, width))
        r = triangle_of(columns)
        assert r.T @ r == pytest.approx(columns.T @ columns, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("background", [False, True])
def test_the_bootstrap_in_one_step_is_that_of_full_fits(isotherms: Maker, background: bool) -> None:
    points, curve = fitted(
        isotherms(0, noise=3e-3, temperatures=[2, 3, 4, 5, 6], fields=np.linspace(0, 9e4, 46)),
        background=background,
    )
    rng = np.random.default_rng(1)
    found = []
    for _ in range(150):
        ln_r = points.ln_r - curve.residual
        for k in points.isotherms:
            inside = np.flatnonzero(points.isotherm == k)
            ln_r[inside] += curve.residual[rng.choice(inside, len(inside))]
        found.append(pair_of(refit(points.with_ln_r(ln_r), curve)))
    assert bootstrap(points, curve) == pytest.approx(np.std(found, axis=0, ddof=1), rel=0.25)


def test_the_bootstrap_is_the_scatter_that_noise_alone_makes(isotherms: Maker) -> None:
    quiet = {"temperature_error_k": 0.0, "field_offset_oe": 0.0, "fields": np.linspace(0, 9e4, 46)}
    fits = [fitted(isotherms(seed, **quiet)) for seed in range(25)]
    scatter = np.std([pair_of(curve) for _, curve in fits], axis=0, ddof=1)
    assert bootstrap(*fits[0]) == pytest.approx(scatter, rel=0.5)  # 25 seeds know their sd to 14 %


def test_the_temperature_term_is_the_scatter_that_thermometry_alone_makes(isotherms: Maker) -> None:
    exact = {"noise": 1e-7, "field_offset_oe": 0.0, "fields": np.linspace(0, 9e4, 46)}
    fits = [fitted(isotherms(seed, temperature_error_k=0.005, **exact)) for seed in range(25)]
    scatter = np.std([pair_of(curve) for _, curve in fits], axis=0, ddof=1)
    assert temperature_term(*fits[0], 0.005)[1] == pytest.approx(scatter[1], rel=0.5)


def test_the_jackknife_sees_what_isotherms_do_not_share(isotherms: Maker) -> None:
    def measure(points: Points) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return pair_of(fit_common_curve(points, (32.0, 3 / 7), 9))

    sigmas = [jackknife(points_of(isotherms(seed, gain_error=1e-3)), measure) for seed in range(6)]
    # the scatter expected for this gain error: 340 Oe, 0.026
    assert np.sqrt(np.mean(np.square(sigmas), axis=0)) == pytest.approx([0.34, 0.026], rel=0.6)


def test_a_spread_of_hc_is_read_from_the_rounding_of_the_curve(isotherms: Maker) -> None:
    points, curve = fitted(isotherms(3, noise=1e-5, temperature_error_k=0.0, spread_oe=2000.0, hc=32000.0))
    points = points_of(isotherms(3, noise=1e-5, temperature_error_k=0.0, spread_oe=2000.0))
    curve = fit_common_curve(points, (32.0, 3 / 7), 13)
    variance, sigma = spread_variance(points, curve)
    assert variance == pytest.approx(4.0, abs=0.4)
    assert 0 < sigma < 0.4
