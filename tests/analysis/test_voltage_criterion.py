"""Critical current and exponent by a voltage criterion."""

import numpy as np
import pytest

from onnes.analysis.voltage_criterion import CriticalCurrent, critical_current

VC, NOISE = 1e-6, 15e-9


def _found(
    ic: float, n: float, seed: int, *, ohm: float = 0.0, offset: float = 0.0, most: float = 1.25
) -> CriticalCurrent:
    current = np.linspace(0, most * ic, 101)
    voltage = VC * (current / ic) ** n + ohm * current + offset
    voltage += NOISE * np.random.default_rng(seed).standard_normal(len(current))
    until = voltage < 1000 * VC
    return critical_current(current[until], voltage[until], NOISE, criterion_v=VC)


def test_a_tenth_of_an_ampere_and_25_are_recovered() -> None:
    for seed in range(20):
        found = _found(0.1, 25, seed)
        assert found.ic.value == pytest.approx(0.1, rel=5e-3)
        assert found.n.value == pytest.approx(25, rel=2e-2)


@pytest.mark.parametrize(("ic", "n"), [(0.1, 25.0), (0.02, 8.0), (1.0, 40.0)])
def test_the_errors_cover_what_noise_does(ic: float, n: float) -> None:
    pulls = []
    for seed in range(40):
        found = _found(ic, n, seed)
        assert found.ic.value is not None
        assert found.ic.sigma is not None
        assert found.n.value is not None
        assert found.n.sigma is not None
        pulls.append([(found.ic.value - ic) / found.ic.sigma, (found.n.value - n) / found.n.sigma])
    assert np.all(np.abs(pulls) < 4)
    assert 0.3 < np.std(pulls) < 1.3


@pytest.mark.parametrize("n", [3.0, 4.0, 6.0])
def test_what_a_soft_power_law_has_at_low_currents_is_in_its_error(n: float) -> None:
    pulls = []
    for seed in range(20):
        found = _found(0.1, n, seed, ohm=1e-6)
        assert found.ic.value is not None
        assert found.ic.sigma is not None
        assert found.n.value is not None
        assert found.n.sigma is not None
        pulls += [(found.ic.value - 0.1) / found.ic.sigma, (found.n.value - n) / found.n.sigma]
    assert abs(np.mean(pulls)) < 1
    assert np.std(pulls) < 1.5


def test_a_power_law_like_that_of_leads_is_none() -> None:
    both = _found(0.1, 2.0, 1)
    for found in (both.ic, both.n):
        assert found.value is None
        assert "cannot be told from leads in series" in found.reason


def test_leads_and_offset_do_not_count() -> None:
    found = _found(0.1, 25, 1, ohm=1e-6, offset=4e-7)
    assert found.ic.value == pytest.approx(0.1, rel=5e-3)
    assert found.ic.goodness["baseline_v"] == pytest.approx(4e-7, abs=2e-8)


def test_a_current_that_ends_too_early_has_no_critical_current() -> None:
    assert "go to a higher current" in _found(0.1, 25, 2, most=0.95).ic.reason


def test_a_junction_that_jumps_is_no_power_law() -> None:
    current = np.linspace(0, 2e-3, 101)
    voltage = np.where(current > 1e-3, 10.0 * np.sqrt(np.maximum(current**2 - 1e-6, 0)), 0.0)
    found = critical_current(current, voltage, NOISE, criterion_v=VC)
    assert "it jumps: a quench or a junction, no power law" in found.ic.reason


def test_heating_bends_the_power_law_and_is_flagged() -> None:
    current = np.linspace(0, 0.125, 201)
    voltage = VC * (current / 0.1) ** 25
    voltage = VC * (current / (0.1 * (1 - 40 * current * voltage))) ** 25
    until = voltage < 100 * VC
    found = critical_current(current[until], voltage[until], 1e-9, criterion_v=VC)
    assert "curved" in found.n.flags or "poor_fit" in found.n.flags


def test_noise_above_the_criterion_is_refused() -> None:
    current = np.linspace(0, 0.1, 50)
    voltage = 1e-6 * np.random.default_rng(1).standard_normal(50)
    assert "is above the criterion" in critical_current(current, voltage, 1e-6, criterion_v=VC).ic.reason


def test_too_few_points_are_refused() -> None:
    assert (
        critical_current([0, 1], [0, 1], 0.1, criterion_v=VC).ic.reason == "2 points; 8 at least are needed"
    )
    current = np.linspace(0.5, 1.0, 20)
    found = critical_current(current, current**9, 1e-9, criterion_v=1e-1)
    assert "measure from 0 up" in found.n.reason


def test_a_criterion_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"criterion = 0\.0 V is not above 0"):
        critical_current([1.0], [1.0], 0.1, criterion_v=0.0)
