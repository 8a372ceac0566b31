"""Laws of Jc(T)."""

import numpy as np
import pytest

from onnes.analysis.critical_current import Law, critical_current_law
from onnes.analysis.isotherm import Floats

PRINTED_T, PRINTED_JC = [37.1, 36.9, 36.6], [1.6, 16.0, 160.0]  # of the nanocomposite, from half screening


def _law(law: Law, t: Floats, jc0: float, tc: float) -> Floats:
    x = t / tc
    return np.asarray(jc0 * (np.sqrt((1 - x**2) ** 3 * (1 + x**2)) if law == "depairing" else (1 - x) ** 1.5))


def test_the_printed_points_do_not_follow_the_three_halves_law_and_it_says_so() -> None:
    found = critical_current_law(PRINTED_T, PRINTED_JC, 0.0, law="three_halves")
    assert found.tc.value == pytest.approx(37.134, abs=5e-4)
    assert found.tc.goodness["rms_ln"] == pytest.approx(0.436, abs=5e-4)
    assert found.tc.flags == ("poor_fit",)
    assert found.jc0.flags == ("poor_fit",)


def test_a_law_is_found_again_with_errors_that_cover_it() -> None:
    t = np.linspace(2, 37, 15)
    for law in ("depairing", "three_halves"):
        true = _law(law, t, 6e4, 38.5)
        pulls = []
        for seed in range(60):
            jc = true * (1 + 0.02 * np.random.default_rng(seed).standard_normal(len(t)))
            found = critical_current_law(t, jc, 0.02 * true, law=law)
            assert found.jc0.value is not None
            assert found.jc0.sigma is not None
            assert found.tc.value is not None
            assert found.tc.sigma is not None
            assert not found.jc0.flags or found.jc0.goodness["chi2_per_dof"] > 4
            pulls += [(found.jc0.value - 6e4) / found.jc0.sigma, (found.tc.value - 38.5) / found.tc.sigma]
        assert np.mean(np.abs(pulls) < 3) > 0.97
        assert 0.5 < np.std(pulls) < 1.3


def test_a_held_tc_leaves_one_parameter() -> None:
    t = np.linspace(5, 30, 6)
    found = critical_current_law(t, _law("depairing", t, 6e4, 38.5), 0.0, law="depairing", tc_k=38.5)
    assert found.jc0.value == pytest.approx(6e4, rel=1e-9)
    assert found.jc0.goodness["rms_ln"] == pytest.approx(0, abs=1e-9)
    assert found.tc.reason == "Tc was given"


def test_the_wrong_law_is_flagged() -> None:
    t = np.linspace(2, 37, 15)
    jc = _law("three_halves", t, 6e4, 38.5)
    assert "poor_fit" in critical_current_law(t, jc, 0.02 * jc, law="depairing").jc0.flags


def test_points_that_do_not_fall_have_no_tc() -> None:
    found = critical_current_law([5.0, 10.0, 15.0, 20.0], [1e4, 1.1e4, 1.2e4, 1.3e4], 0.0, law="depairing")
    assert "Tc runs to the end of its range" in found.tc.reason


def test_too_few_points_and_a_tc_below_them_are_refused() -> None:
    assert (
        "2 points with Jc > 0" in critical_current_law([1.0, 2.0], [1.0, 1.0], 0, law="depairing").jc0.reason
    )
    found = critical_current_law(PRINTED_T, PRINTED_JC, 0.0, law="depairing", tc_k=37.0)
    assert "Jc is not zero at 37.1 K, above the given Tc = 37 K" in found.jc0.reason
    with pytest.raises(ValueError, match="Jc: arrays of shape"):
        critical_current_law([1.0, 2.0], [1.0], 0.0, law="depairing")
