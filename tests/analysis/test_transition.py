"""Tc metrics on transitions whose levels are known in closed form."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad

from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result
from onnes.analysis.transition import transition

NAMES = {"onset", "t90", "t50", "t10", "zero", "width", "rrr", "deviation"}
KNOTS = np.concatenate([np.arange(1.0, 40.0, 0.5), np.arange(40.0, 310.0, 2.0)])


def _phonons(kelvin: float, debye_k: float = 880.0) -> float:
    top = min(debye_k / kelvin, 60.0)
    integral = quad(lambda x: x**3 / (np.expm1(x) * -np.expm1(-x)), 0, top)[0]
    return float((kelvin / debye_k) ** 3 * integral)


TABLE = np.array([_phonons(float(kelvin)) for kelvin in KNOTS]) / _phonons(300.0)


def phonons(kelvin: Floats | float) -> Floats:
    return np.asarray(np.interp(kelvin, KNOTS, TABLE))


def step(x: Floats) -> Floats:
    clipped = np.clip(x, 0, 1)
    return np.asarray(clipped**2 * (3 - 2 * clipped))


def film(tc_k: float, width_k: float, a: float) -> Callable[[Floats], Floats]:
    """Return R(T) of a bilayer whose tangent onset is ``tc_k``; 1 in the normal state at 40 K."""
    t10 = tc_k - (5 / 6 - 0.195799) * width_k
    return lambda t: (1 + a * phonons(t)) / (1 + a * phonons(40.0)) * step((t - t10) / width_k + 0.195799)


def composite(t: Floats) -> Floats:
    return (1 + 2.2 * phonons(t)) / (1 + 2.2 * phonons(100.0)) * step((t - 37.02) / 2.16 + 0.195799)


def grid(fine_k: float = 0.05) -> Floats:
    parts = [
        np.arange(20, 30, 0.5),
        np.arange(30, 42, fine_k),
        np.arange(42, 80, 1.0),
        np.arange(80, 301, 5.0),
    ]
    return np.concatenate(parts)


def measured(curve: Callable[[Floats], Floats], seed: int, kelvin: Floats | None = None) -> dict[str, Result]:
    """Measure with 1e-3 R_n and 5 mK, the noise that the demands are made for."""
    random, t = np.random.default_rng(seed), grid() if kelvin is None else kelvin
    true_t = t + 0.005 * random.standard_normal(len(t))
    normal = float(curve(np.array([42.0]))[0])
    r = curve(true_t) + 1e-3 * normal * random.standard_normal(len(t))
    return transition(t, r, 1e-3 * normal, temperature_sigma_k=0.005)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("curve", "onset_k", "within_k"),
    [
        (film(39.3, 0.6, 5.0), 39.31, 0.05),
        (film(38.2, 1.2, 1.2), 38.20, 0.05),
        (film(35.0, 3.0, 0.35), 35.00, 0.1),
        (composite, 38.394, 0.08),
    ],
    ids=["pristine", "0.54", "0.30", "composite"],
)
def test_the_tangent_finds_the_onset(
    curve: Callable[[Floats], Floats], onset_k: float, within_k: float, seed: int
) -> None:
    found = measured(curve, seed)
    assert set(found) == NAMES
    onset = found["onset"]
    assert onset.value == pytest.approx(onset_k, abs=within_k)
    assert onset.sigma is not None
    assert 0.001 < onset.sigma < within_k
    assert "degree 1 from 1.1 to 1.5 Tc" in onset.criterion
    # The first loss of resistance is seen above the tangent.
    assert 0.0 < onset.goodness["deviation_k"] - onset_k < 0.5


@pytest.mark.parametrize("seed", [3, 4])
def test_the_composite_has_its_foot_and_its_zero(seed: int) -> None:
    found = measured(composite, seed)
    assert found["t10"].value == pytest.approx(37.019, abs=0.02)
    zero = found["zero"].value
    assert zero is not None
    assert 36.57 <= zero <= 36.77
    assert found["t90"].value == pytest.approx(37.02 + (1 - 2 * 0.195799) * 2.16, abs=0.03)
    assert found["t50"].value == pytest.approx(37.02 + (0.5 - 0.195799) * 2.16, abs=0.02)
    assert found["width"].value == pytest.approx((1 - 2 * 0.195799) * 2.16, abs=0.03)
    assert found["rrr"].value == pytest.approx(3.16, abs=0.03)


def test_the_sigma_covers_the_scatter_of_the_level() -> None:
    truth = 37.02 + (0.5 - 0.195799) * 2.16
    found = [measured(composite, seed)["t50"] for seed in range(8)]
    off = np.array([result.value for result in found], dtype=np.float64) - truth
    sigma = np.array([result.sigma for result in found], dtype=np.float64)
    assert np.all(np.abs(off) < 4 * sigma)
    assert off.std() < 2 * sigma.mean()


@pytest.mark.parametrize(
    "curve",
    [
        lambda t: 1 + 5 * phonons(t),
        lambda t: 0.1 * t,
        lambda t: np.ones_like(t),
        lambda t: 14 * (1 + 0.1 * phonons(t) - 0.0323 * np.log(t / 300)) * (1 - 0.34 * np.exp(-t / 12)),
    ],
    ids=["metal", "line", "flat", "film that keeps 0.66 of its resistance"],
)
def test_a_curve_without_transition_has_no_metric(curve: Callable[[Floats], Floats]) -> None:
    found = measured(curve, 5, np.arange(2.0, 301.0, 1.0))
    assert set(found) == NAMES
    assert all(result.value is None and result.reason for result in found.values())


def test_a_resistance_that_is_never_zero_has_an_onset_but_no_zero() -> None:
    found = measured(lambda t: composite(t) + 0.05, 6)
    assert found["onset"].value is not None
    assert found["t10"].value is not None
    assert found["zero"].value is None
    assert "R stays above" in found["zero"].reason


def test_a_curve_that_ends_inside_the_transition_has_no_foot() -> None:
    kelvin = grid()
    found = measured(composite, 7, kelvin[kelvin > 37.3])
    assert found["t50"].value is not None
    assert found["t10"].value is None
    assert "does not fall below 0.1" in found["t10"].reason
    assert "needs both" in found["width"].reason


def test_a_curve_that_ends_below_300_k_has_no_rrr() -> None:
    kelvin = grid()
    found = measured(composite, 8, kelvin[kelvin < 60])
    assert found["onset"].value == pytest.approx(38.394, abs=0.08)
    assert "R(300 K) was not measured" in found["rrr"].reason


def test_a_curve_without_a_normal_state_is_refused() -> None:
    kelvin = grid()
    found = measured(composite, 9, kelvin[kelvin < 39.0])
    assert found["onset"].value is None
    assert "normal line" in found["onset"].reason


def test_too_few_points_are_refused() -> None:
    assert "5 points" in measured(composite, 10, grid()[:5])["onset"].reason
    assert "0 points" in measured(composite, 10, np.empty(0))["onset"].reason
    coarse = np.concatenate([np.arange(20, 300, 1.0)])
    assert "too few for a tangent" in measured(film(39.3, 0.6, 5.0), 11, coarse)["onset"].reason


def test_an_insulating_normal_state_gets_a_parabola_and_says_so() -> None:
    found = measured(
        lambda t: (1 + 0.3 * np.log(300 / t)) * step((t - 10) / 2), 12, np.arange(2.0, 60.0, 0.1)
    )
    assert found["onset"].value == pytest.approx(10 + 2 * 5 / 6, abs=0.1)
    assert "degree 2" in found["onset"].criterion
    assert "insulating" in found["onset"].criterion


def test_passes_up_and_down_are_kept_apart() -> None:
    kelvin = np.concatenate([grid()[::-1] + 0.004, grid() - 0.004])
    found = measured(composite, 13, kelvin)
    onset = found["onset"]
    assert onset.value == pytest.approx(38.394, abs=0.08)
    assert "up_down" in onset.flags
    assert {"pass_1", "pass_2"} <= set(onset.goodness)


def both_ways(shift_k: float, seed: int) -> tuple[Floats, Floats]:
    random, up = np.random.default_rng(seed), grid()
    kelvin = np.concatenate([up + shift_k, up[::-1] - shift_k])
    true = np.concatenate([up, up[::-1]])
    return kelvin, composite(true) + 1e-3 * random.standard_normal(len(true))


def test_passes_that_disagree_are_refused() -> None:
    kelvin, ohms = both_ways(0.1, 14)
    found = transition(kelvin, ohms, 1e-3, temperature_sigma_k=0.005)
    assert found["t50"].value is None
    assert "warming and cooling disagree" in found["t50"].reason


def test_merged_sweeps_are_sorted_where_they_agree_and_refused_where_not() -> None:
    for shift_k, agrees in ((0.0005, True), (0.1, False)):
        kelvin, ohms = both_ways(shift_k, 15)
        order = np.random.default_rng(0).permutation(len(kelvin))
        t50 = transition(kelvin[order], ohms[order], 1e-3, temperature_sigma_k=0.005)["t50"]
        if agrees:
            assert t50.value == pytest.approx(37.677, abs=0.02)
        else:
            assert "disagree" in t50.reason


def test_merged_sweeps_without_a_common_temperature_are_refused_too() -> None:
    up = grid()
    kelvin, true = np.concatenate([up + 0.1, up - 0.0771]), np.concatenate([up, up])
    order = np.argsort(kelvin)
    ohms = composite(true) + 1e-3 * np.random.default_rng(18).standard_normal(len(true))
    assert "merged sweeps disagree" in transition(kelvin[order], ohms[order], 1e-3)["t50"].reason


def test_a_resistance_that_falls_with_temperature_has_no_transition() -> None:
    found = measured(lambda t: 16 - 2 * np.tanh(t / 20), 19, np.arange(2.0, 50.0, 0.25))
    assert found["t50"].value is None
    assert "disagree" not in found["t50"].reason


def test_points_at_one_temperature_are_averaged_or_refused() -> None:
    kelvin = np.concatenate([grid(), grid()])
    t50 = measured(composite, 16, np.sort(kelvin))["t50"]
    assert t50.value == pytest.approx(37.677, abs=0.02)
    ohms = composite(kelvin)
    ohms[len(grid()) :] *= 1.05
    order = np.argsort(kelvin, kind="stable")
    refusal = transition(kelvin[order], ohms[order], 1e-3)["t50"]
    assert refusal.value is None
    assert "disagree" in refusal.reason


def test_the_same_curve_gives_the_same_numbers() -> None:
    assert measured(composite, 17)["onset"] == measured(composite, 17)["onset"]


def test_wrong_arguments_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) temperatures and \(3,\) resistances"):
        transition(np.ones(2), np.ones(3), 0.0)
    with pytest.raises(ValueError, match=r"sigma of the temperature = -1 K"):
        transition(np.ones(3), np.ones(3), 0.0, temperature_sigma_k=-1)
    with pytest.raises(ValueError, match="a sigma of the resistance is negative"):
        transition(np.ones(3), np.ones(3), -1.0)
