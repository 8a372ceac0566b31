"""chi^2 of a collapse is 1 when the errors are as said, whatever they are shared by."""

from collections.abc import Callable

import numpy as np
import pytest

from onnes.analysis.common_curve import fit_common_curve, points_of
from onnes.analysis.consistency import SharedErrors, consistency, point_noise, stray, sufficient_degree
from onnes.analysis.isotherm import Isotherm

Maker = Callable[..., list[Isotherm]]


@pytest.mark.parametrize("noise", [1e-5, 3e-4, 3e-3])
def test_chi2_of_the_points_is_1_at_any_noise(isotherms: Maker, noise: float) -> None:
    points = points_of(isotherms(0, noise=noise))
    sigma, shared = point_noise(points), SharedErrors(5.0, 0.005)
    _, curve = sufficient_degree(points, (32.0, 3 / 7), sigma, shared)
    found = consistency(points, curve, sigma, shared)
    assert found.points == pytest.approx(1.0, abs=0.25)
    assert found.isotherms < 2


def test_errors_of_temperature_alone_are_taken_up_at_their_size(isotherms: Maker) -> None:
    shared = SharedErrors(5.0, 0.005, gain=1e-6)
    taken = []
    for seed in range(8):
        points = points_of(isotherms(seed, noise=1e-4, temperature_error_k=0.005))
        curve = fit_common_curve(points, (32.0, 3 / 7), 9, background=True)
        taken.append(consistency(points, curve, point_noise(points), shared).isotherms)
    assert float(np.mean(taken)) == pytest.approx(1.0, abs=0.6)  # some 8 x 6 degrees of freedom


def test_a_gain_error_ten_times_the_expected_is_beyond_chance(isotherms: Maker) -> None:
    points = points_of(isotherms(1, gain_error=1e-2))
    curve = fit_common_curve(points, (32.0, 3 / 7), 9, background=True)
    found = consistency(points, curve, point_noise(points), SharedErrors(5.0, 0.005))
    assert found.isotherms > 10
    assert found.isotherms_probability < 1e-6


def test_the_noise_is_the_larger_of_what_was_said_and_what_is_seen(isotherms: Maker) -> None:
    data = isotherms(2, noise=3e-4)
    understated = [Isotherm(i.temperature, i.field, i.resistance, i.sigma / 100) for i in data]
    overstated = [Isotherm(i.temperature, i.field, i.resistance, i.sigma * 10) for i in data]
    assert point_noise(points_of(understated)) == pytest.approx(3e-4, rel=0.4)
    assert point_noise(points_of(overstated)) == pytest.approx(3e-3, rel=0.01)


def test_a_settling_tail_of_half_a_millikelvin_does_not_refuse_a_quiet_film(isotherms: Maker) -> None:
    cold = isotherms(3, noise=5e-6, temperature_error_k=0.0)
    off_k = 1e-3 * (-1.0) ** np.arange(
        9
    )  # it dies out in a few points, half a millikelvin in the mean of these
    warm = isotherms(3, noise=5e-6, temperature_error_k=0.0, temperatures=np.arange(2.0, 6.01, 0.5) + off_k)
    tail = np.exp(-np.arange(len(cold[0].field)) / 3.0)
    data = [
        Isotherm(a.temperature, a.field, (1 - tail) * a.resistance + tail * b.resistance, a.sigma)
        for a, b in zip(cold, warm, strict=True)
    ]
    points = points_of(data)
    sigma, shared = point_noise(points), SharedErrors(5.0, 0.005)
    _, curve = sufficient_degree(points, (32.0, 3 / 7), sigma, shared)
    assert consistency(points, curve, sigma, shared).points > 1.2
    assert consistency(points, curve, stray(points, curve, sigma, shared), shared).points < 1.2
