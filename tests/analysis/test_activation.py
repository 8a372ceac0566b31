"""Activation energies of thermally assisted flux flow."""

import numpy as np
import pytest

from onnes.analysis.activation import activation_energy, field_exponent
from onnes.analysis.isotherm import Floats

R_N, TC = 0.05, 39.0


def _resistance(t: Floats, field_oe: float, u0: float = 1500.0, q: float = 0.5, tc: float = TC) -> Floats:
    u = u0 * (1e4 / field_oe) ** q * np.maximum(1 - t / tc, 0)
    return np.asarray(R_N * np.exp(-u / t))


def test_u0_is_recovered_within_one_percent() -> None:
    t = np.arange(20.0, 39.0, 0.1)
    found = activation_energy(t, _resistance(t, 1e4), 0.0, normal_ohm=R_N, field_oe=1e4)
    assert found.value == pytest.approx(1500.0, rel=1e-9)
    assert found.goodness["tc_k"] == pytest.approx(TC, rel=1e-9)
    assert found.flags == ()


def test_the_errors_cover_what_noise_does() -> None:
    t = np.arange(20.0, 39.0, 0.1)
    pulls = []
    for seed in range(60):
        noise = 1e-3 * R_N * 1e-2
        r = _resistance(t, 1e4) + noise * np.random.default_rng(seed).standard_normal(len(t))
        found = activation_energy(t, r, noise, normal_ohm=R_N, field_oe=1e4)
        assert found.value is not None
        assert found.sigma is not None
        assert found.value == pytest.approx(1500.0, rel=0.01)
        pulls.append((found.value - 1500.0) / found.sigma)
    assert 0.3 < np.std(pulls) < 1.5


def test_another_temperature_dependence_is_flagged_as_curved() -> None:
    t = np.arange(15.0, 39.0, 0.1)
    r = R_N * np.exp(-1500.0 * np.maximum(1 - (t / TC) ** 2, 0) ** 1.5 / t)
    found = activation_energy(t, r, 1e-3 * r, normal_ohm=R_N, field_oe=1e4)
    assert "curved" in found.flags


def test_the_exponent_of_the_field_is_recovered() -> None:
    t = np.arange(10.0, 39.0, 0.1)
    fields = [1e3, 1e4, 3e4, 9e4]
    energies = [
        activation_energy(t, _resistance(t, h), 1e-3 * _resistance(t, h), normal_ohm=R_N, field_oe=h)
        for h in fields
    ]
    found = field_exponent(fields, energies)
    assert found.value == pytest.approx(0.5, abs=0.01)


def test_too_few_points_or_fields_are_refused() -> None:
    t = np.array([35.0, 36.0, 37.0])
    one = activation_energy(t, _resistance(t, 1e4), 0.0, normal_ohm=R_N, field_oe=1e4)
    assert "points in the window above 3 sigma of noise; 6 at least are needed" in one.reason
    assert field_exponent([1e4], [one]).reason == "0 fields with an energy; 3 at least are needed"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"R_n = 0\.0 ohm is not a positive number"):
        activation_energy([1.0], [1.0], 0.0, normal_ohm=0.0, field_oe=1.0)
    with pytest.raises(ValueError, match="2 fields and 0 energies"):
        field_exponent([1.0, 2.0], [])
