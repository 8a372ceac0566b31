"""The loss peak and its shift with the frequency."""

from dataclasses import replace

import numpy as np
import pytest

from onnes.analysis.loss_peak import frequency_shift, loss_peak
from tests.analysis.ac_nanocomposite import chi, curve

# Of the model on a grid of 1 mK: the temperatures where chi'' is largest at 10 Hz and 1 kHz, 1 Oe.
_GRID = np.arange(36.5, 37.4, 0.001)
TRUE_K = {
    hertz: float(_GRID[int(np.argmax([chi(float(t), 1.0, hertz).imag for t in _GRID]))])
    for hertz in (10.0, 1000.0)
}


def test_the_model_has_the_shift_that_is_demanded() -> None:
    assert TRUE_K[1000.0] - TRUE_K[10.0] == pytest.approx(0.085, abs=0.004)


def test_the_shift_is_found_within_15_mk_and_its_errors() -> None:
    pulls = []
    for seed in range(30):
        found = frequency_shift(curve(1.0, 10.0, seed=seed), curve(1.0, 1000.0, seed=seed))
        assert found.value is not None, found.reason
        assert found.sigma is not None
        assert found.value == pytest.approx(TRUE_K[1000.0] - TRUE_K[10.0], abs=0.015)
        pulls.append((found.value - TRUE_K[1000.0] + TRUE_K[10.0]) / found.sigma)
    assert np.std(pulls) < 2


def test_a_curve_without_loss_has_no_peak() -> None:
    flat = replace(curve(1.0), chi=curve(1.0).real.astype(np.complex128))
    assert loss_peak(flat).reason == "no chi'' above 5 sigma"


def test_a_peak_at_the_end_of_the_curve_is_none() -> None:
    whole = curve(10.0)
    part = whole.temperature > TRUE_K[10.0]
    cut = replace(whole, temperature=whole.temperature[part], chi=whole.chi[part], sigma=whole.sigma[part])
    assert loss_peak(cut).reason == "the loss is largest at the end of the curve"


def test_a_coarse_grid_says_so_in_its_error() -> None:
    found = loss_peak(curve(1.0, step_k=0.3))
    assert found.reason or (found.sigma or 0) > 0.02


def test_different_amplitudes_have_no_shift_with_frequency() -> None:
    with pytest.raises(ValueError, match="amplitude = 1 and 10 Oe differ"):
        frequency_shift(curve(1.0), curve(10.0))


def test_the_thermometer_counts_by_the_slope_of_the_loss_and_not_of_the_screening() -> None:
    places = []
    for seed in range(12):
        random = np.random.default_rng([seed, 7])
        sharp = curve(1.0, seed=seed, step_k=0.02)
        errors = 0.005 * random.standard_normal(len(sharp.temperature))
        values = np.array([chi(float(t), 1.0, 10.0) for t in sharp.temperature + errors])
        noise = sharp.chi - np.array([chi(float(t), 1.0, 10.0) for t in sharp.temperature])
        found = loss_peak(replace(sharp, chi=values + noise, thermometer_k=0.005))
        assert found.value is not None
        assert found.sigma is not None
        places.append((found.value, found.sigma))
    spread = float(np.std([value for value, _ in places]))
    assert 0.5 * spread < float(np.mean([sigma for _, sigma in places])) < 2.0 * spread
