"""The fundamental of each wave against a Fourier sum over the wave itself."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from onnes.sim.waves import SINE, Fundamental, ramp, square, stairs

_POINTS = 40_000
_TIMES = (np.arange(_POINTS) + 0.5) / _POINTS


def drawn_square(duty: float) -> Callable[[float], float]:
    return lambda n: 1.0 if n < duty else -1.0


def drawn_ramp(duty: float) -> Callable[[float], float]:
    def wave(n: float) -> float:
        n = (n + 0.5) % 1.0 - 0.5  # rises through 0 at n = 0
        if abs(n) < duty / 2:
            return 2.0 * n / duty
        away = abs(n) - duty / 2
        return math.copysign(1.0 - 2.0 * away / (1.0 - duty), n)

    return wave


def assert_is_fundamental(wave: Callable[[float], float], found: Fundamental) -> None:
    values = np.array([wave(n) for n in _TIMES])
    in_phase = 2.0 * float(np.mean(values * np.sin(2 * np.pi * _TIMES)))
    quadrature = 2.0 * float(np.mean(values * np.cos(2 * np.pi * _TIMES)))
    assert found.mean == pytest.approx(float(values.mean()), abs=1e-3)
    assert found.peak * math.cos(found.phase) == pytest.approx(in_phase, abs=1e-3)
    assert found.peak * math.sin(found.phase) == pytest.approx(quadrature, abs=1e-3)


def test_a_sine_is_its_own_fundamental() -> None:
    assert_is_fundamental(lambda n: math.sin(2 * math.pi * n), SINE)


@pytest.mark.parametrize("duty", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_a_square_is_high_first(duty: float) -> None:
    assert_is_fundamental(drawn_square(duty), square(duty))


@pytest.mark.parametrize("duty", [0.1, 0.5, 0.8])
def test_a_ramp_passes_its_mean_at_the_start(duty: float) -> None:
    assert_is_fundamental(drawn_ramp(duty), ramp(duty))


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_saw_tooth_is_the_limit_of_a_ramp(end: float) -> None:
    assert ramp(end) == pytest.approx(ramp(abs(end - 1e-6)), abs=1e-5)


@pytest.mark.parametrize("points", [(0.2, 0.9, -0.4), (1.0, -1.0), (0.5,), tuple(np.linspace(-1, 1, 50))])
def test_an_arbitrary_wave_holds_each_of_its_points(points: tuple[float, ...]) -> None:
    assert_is_fundamental(lambda n: points[int(n * len(points))], stairs(points))
