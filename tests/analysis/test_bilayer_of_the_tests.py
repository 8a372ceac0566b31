"""The film that the other tests measure has the numbers of its reference."""

from collections.abc import Callable

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats


def test_the_film_has_the_check_values_of_the_reference(rho: Callable[..., Floats]) -> None:
    fields = np.array([0.0, 30e3, 32e3, 60e3, 90e3])
    assert rho(2.0, fields) / 1.5e-4 == pytest.approx([0.658, 0.982, 1.000, 1.132, 1.154], abs=5e-4)
    kelvin = np.array([2.0, 8.0, 40.0, 300.0])
    assert rho(kelvin, 1e4) * 1e6 == pytest.approx([113.26, 130.91, 150.00, 154.8], abs=0.05)


def test_the_film_has_its_minimum_at_112_k(rho: Callable[..., Floats]) -> None:
    kelvin = np.arange(105.0, 120.0, 0.01)
    assert kelvin[np.argmin(rho(kelvin, 0.0))] == pytest.approx(112.0, abs=0.1)
