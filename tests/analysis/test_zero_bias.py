"""G(0) against temperature, and what is read from it."""

import numpy as np
import pytest

from onnes.analysis.zero_bias import ZeroBias, zero_bias
from tests.analysis import contact_of_the_tests as slow

T = np.arange(2.0, 45.01, 0.25)
G_N = 0.1
CLEAN = np.array([slow.conductance(0.0, float(t)) for t in T]) * G_N


def _found(seed: int, **given: float) -> ZeroBias:
    noisy = CLEAN * (1 + 5e-3 * np.random.default_rng(seed).standard_normal(len(T)))
    return zero_bias(T, noisy, 5e-3 * G_N, **{"above_k": 40.5, "normal_s": G_N, **given})


def test_the_conductance_returns_to_that_of_the_normal_state() -> None:
    for seed in range(10):
        found = _found(seed)
        assert found.normal.value == pytest.approx(1.0, abs=0.01)
        assert found.normal.flags == ()


def test_the_tc_of_the_contact_is_that_of_the_model_within_its_error() -> None:
    for seed in range(20):
        tc = _found(seed).tc
        assert tc.value is not None, tc.reason
        assert tc.sigma is not None
        assert abs(tc.value - slow.TC) < 2.5 * tc.sigma
        assert tc.sigma < 0.8


def test_another_contact_has_another_tc() -> None:
    bands = ((1.3, 0.3, 0.3, 1.0, 1e4),)
    g = np.array([slow.conductance(0.0, float(t), bands=bands, tc=20.0) for t in T])
    tc = zero_bias(T, g, 1e-4, above_k=21.0, normal_s=1.0).tc
    assert tc.value is not None
    assert tc.sigma is not None
    assert abs(tc.value - 20.0) < 2.5 * tc.sigma


def test_a_contact_that_does_not_return_is_flagged() -> None:
    found = zero_bias(T, CLEAN * 1.03, 1e-4, above_k=40.5, normal_s=G_N)
    assert found.normal.flags == ("not_normal",)


def test_without_a_normal_conductance_the_points_above_stand_for_it() -> None:
    found = zero_bias(T, CLEAN, 1e-4, above_k=40.5)
    assert found.ratio[0] == pytest.approx(1.195, abs=1e-3)
    assert found.normal.reason == "G_N was taken from these points themselves"


def test_nothing_is_said_where_nothing_was_measured() -> None:
    found = zero_bias(T[T < 30], CLEAN[T < 30], 1e-4, above_k=40.5)
    assert found.tc.reason == "no points from 40.5 K on, and no normal conductance given"
    flat = zero_bias(T, np.full(len(T), G_N), 1e-4, above_k=40.5, normal_s=G_N)
    assert flat.tc.reason == "G(0) does not differ from G_N"
    sparse = zero_bias(T[::20], CLEAN[::20], 1e-4, above_k=40.5, normal_s=G_N)
    assert "of the largest excess; 5 needed" in sparse.tc.reason


def test_points_that_still_change_do_not_stand_for_the_normal_state() -> None:
    part = T <= 25
    noisy = CLEAN * (1 + 5e-3 * np.random.default_rng(2).standard_normal(len(T)))
    found = zero_bias(T[part], noisy[part], 5e-3 * G_N, above_k=15.0)
    for result in (found.tc, found.normal):
        assert result.value is None
        assert "that is not the normal state; measure above Tc, or give normal_at" in result.reason


def test_the_error_of_one_point_of_reference_is_in_what_is_read_with_it() -> None:
    pulls, ends = [], []
    for seed in range(20):
        reference = G_N * (1 + 5e-3 * np.random.default_rng(1000 + seed).standard_normal())
        found = _found(seed, normal_s=reference, normal_sigma_s=5e-3 * G_N)
        assert found.normal.value is not None
        assert found.normal.sigma is not None
        pulls.append((found.normal.value - 1) / found.normal.sigma)
        assert found.tc.value is not None
        assert found.tc.sigma is not None
        ends.append((found.tc.value - slow.TC) / found.tc.sigma)
    assert 0.5 < np.std(pulls) < 1.5
    assert np.max(np.abs(ends)) < 3
