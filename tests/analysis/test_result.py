"""A result is a number with its error or a reason, never both and never neither; an isotherm is checked."""

import math

import numpy as np
import pytest

from onnes.analysis.isotherm import Isotherm
from onnes.analysis.result import Result, refused


def test_a_refusal_has_a_reason_and_no_number() -> None:
    found = refused("Tc", "K", "tangent onset", "never leaves the normal state", n=7)
    assert found.value is None
    assert found.sigma is None
    assert found.reason == "never leaves the normal state"
    assert found.n == 7


def test_a_number_without_and_a_refusal_with_nothing_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"Tc: value = None, reason = ''; give one of the two"):
        Result("Tc", None, None, "K", "tangent onset")
    with pytest.raises(ValueError, match="give one of the two"):
        Result("Tc", 39.0, 0.1, "K", "tangent onset", reason="but no")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_not_a_value(value: float) -> None:
    with pytest.raises(ValueError, match="is not finite; give a reason instead"):
        Result("Tc", value, 0.1, "K", "tangent onset")


@pytest.mark.parametrize("sigma", [math.nan, math.inf, -0.1])
def test_sigma_is_a_finite_positive_number(sigma: float) -> None:
    with pytest.raises(ValueError, match="is not a finite, positive number"):
        Result("Tc", 39.0, sigma, "K", "tangent onset")


def test_an_isotherm_is_sorted_by_field_and_one_sigma_serves_all() -> None:
    found = Isotherm(2.0, np.array([2e3, 0.0, 1e3]), np.array([3.0, 1.0, 2.0]), np.array(0.1))
    assert found.field.tolist() == [0.0, 1e3, 2e3]
    assert found.resistance.tolist() == [1.0, 2.0, 3.0]
    assert found.sigma.tolist() == [0.1, 0.1, 0.1]


@pytest.mark.parametrize(
    ("temperature", "field", "resistance", "sigma", "message"),
    [
        (0.0, [0.0], [1.0], 0.1, "temperature of an isotherm = 0.0 K is not a positive number"),
        (math.nan, [0.0], [1.0], 0.1, "is not a positive number"),
        (2.0, [0.0, 1.0], [1.0], 0.1, r"isotherm at 2 K: \(2,\) fields and \(1,\) resistances"),
        (2.0, [math.nan], [1.0], 0.1, "a field is not finite or a resistance not positive"),
        (2.0, [0.0], [0.0], 0.1, "a resistance not positive; leave these points out"),
        (2.0, [0.0], [1.0], -0.1, "a sigma of the resistance is negative or NaN"),
        (2.0, [0.0], [1.0], math.nan, "a sigma of the resistance is negative or NaN"),
    ],
)
def test_a_broken_isotherm_is_an_error(
    temperature: float, field: list[float], resistance: list[float], sigma: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Isotherm(temperature, np.array(field), np.array(resistance), np.array(sigma))
