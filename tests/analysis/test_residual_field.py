"""Residual field from a palladium standard."""

import numpy as np
import pytest

from onnes.analysis.isotherm import Floats
from onnes.analysis.residual_field import palladium_susceptibility, residual_field
from onnes.analysis.result import Result

FIELDS = np.array([-100.0, -50.0, -20.0, 20.0, 50.0, 100.0])
MASS = 0.26


def _moments(true_field: Floats, seed: int = 0, mass: float = MASS, chi: float = 5.25e-6) -> Floats:
    m = chi * mass * true_field
    return m + np.hypot(1e-8, 1e-4 * m) * np.random.default_rng(seed).standard_normal(len(true_field))


def _found(m: Floats, fields: Floats = FIELDS, **given: float) -> Result:
    return residual_field(fields, m, np.hypot(1e-8, 1e-4 * m), temperature_k=298.0, mass_g=MASS, **given)


def test_the_certified_moment_of_the_standard_is_its_table() -> None:
    assert palladium_susceptibility(298.0) * 0.26 * 1e4 == pytest.approx(1.365e-2)
    assert palladium_susceptibility(85.0) == pytest.approx(1.335 * 5.25e-6)
    assert palladium_susceptibility(67.5) == pytest.approx((1.31 + 1.335) / 2 * 5.25e-6)


@pytest.mark.parametrize("true", [20.0, -12.0, 0.0])
def test_the_residual_field_is_found_with_its_sign(true: float) -> None:
    found = _found(_moments(FIELDS + true))
    assert found.value == pytest.approx(true, abs=0.3)
    assert found.sigma is not None
    assert found.sigma < 0.05
    assert found.flags == ()


def test_the_quoted_error_covers_the_truth_over_seeds() -> None:
    pulls = []
    for seed in range(100):
        found = _found(_moments(FIELDS + 20.0, seed))
        assert found.value is not None
        assert found.sigma is not None
        pulls.append((found.value - 20.0) / found.sigma)
    assert np.mean(np.abs(pulls) < 3) > 0.97
    assert 0.5 < np.std(pulls) < 1.3


def test_a_wrong_mass_does_not_move_the_intercept_and_is_flagged() -> None:
    found = _found(_moments(FIELDS + 20.0, mass=0.2))
    assert found.value == pytest.approx(20.0, abs=0.3)
    assert found.flags == ("not_palladium",)
    assert found.goodness["slope_over_mass_chi"] == pytest.approx(0.2 / 0.26, rel=1e-3)


def test_a_diamagnet_is_not_palladium() -> None:
    assert "not_palladium" in _found(_moments(FIELDS + 20.0, chi=-5.25e-6)).flags


def test_fields_of_one_sign_carry_the_errors_of_mass_and_chi() -> None:
    fields = np.array([20.0, 50.0])
    found = _found(_moments(fields + 20.0), fields, mass_sigma=0.0, chi_sigma=0.02)
    assert found.value == pytest.approx(20.0, abs=0.3)
    assert found.flags == ("one_sided",)
    assert found.goodness["sigma_mass_chi"] == pytest.approx(0.02 * 55.0, rel=0.01)


def test_an_empty_holder_is_refused() -> None:
    found = _found(_moments(0 * FIELDS))
    assert found.value is None
    assert "the moment does not follow the field" in found.reason
    assert residual_field([], [], 0.0, temperature_k=298.0, mass_g=MASS).reason == (
        "no moments of the palladium standard"
    )


def test_a_mass_and_a_temperature_without_a_table_are_errors() -> None:
    with pytest.raises(ValueError, match=r"mass of the palladium standard = 0.0 g is not a positive number"):
        residual_field(FIELDS, FIELDS, 0.0, temperature_k=298.0, mass_g=0.0)
    with pytest.raises(ValueError, match=r"= 1.8 K is outside \[2, 400\] K, the range of its table"):
        residual_field(FIELDS, FIELDS, 0.0, temperature_k=1.8, mass_g=MASS)
    with pytest.raises(ValueError, match="moment of the palladium standard: arrays of shape"):
        residual_field(FIELDS, FIELDS[:2], 0.0, temperature_k=298.0, mass_g=MASS)


def test_moments_without_an_error_of_their_own_have_that_of_their_scatter() -> None:
    m = _moments(FIELDS + 20.0)
    found = residual_field(FIELDS, m, 0.0, temperature_k=298.0, mass_g=MASS)
    assert found.value == pytest.approx(20.0, abs=0.3)
    assert found.sigma is not None
    assert 0 < found.sigma < 0.05
    assert "chi2_per_dof" not in found.goodness
