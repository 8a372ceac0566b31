"""Phase and background of a susceptometer."""

import math

import numpy as np
import pytest

from onnes.analysis.ac_phase import AcMoments, calibration

VOLUME = 5e-3
NONE = AcMoments.of([], [], [], [])


def _raw(
    chi: complex, amplitude: float, degrees: float, background: complex, noise: float, seed: int, n: int
) -> AcMoments:
    random = np.random.default_rng(seed)
    m = chi * amplitude * VOLUME / (4 * math.pi)
    turned = m * np.exp(1j * math.radians(degrees)) + background * amplitude
    values = turned + noise * (random.standard_normal(n) + 1j * random.standard_normal(n))
    return AcMoments.of(values.real, values.imag, np.full(n, noise), np.full(n, amplitude))


def _joined(*rows: AcMoments) -> AcMoments:
    moment = np.concatenate([one.moment for one in rows])
    return AcMoments.of(
        moment.real,
        moment.imag,
        np.concatenate([one.sigma for one in rows]),
        np.concatenate([one.amplitude_oe for one in rows]),
    )


def test_half_a_degree_is_seen_and_removed() -> None:
    for seed in range(20):
        screening = _raw(-1.12, 1.0, 0.5, 2e-6 + 1e-6j, 1e-7, seed, 9)
        above = _raw(0.0, 1.0, 0.5, 2e-6 + 1e-6j, 1e-7, seed + 100, 6)
        found = calibration(screening, above)
        assert found.phase.value is not None
        assert found.phase.sigma is not None
        assert found.phase.value == pytest.approx(0.5, abs=0.05)
        assert abs(found.phase.value - 0.5) < 4 * found.phase.sigma
        in_between = _raw(-0.4 + 0.23j, 1.0, 0.5, 2e-6 + 1e-6j, 1e-7, seed + 200, 1)
        right = found.corrected(in_between)
        chi = 4 * math.pi * right.moment[0] / VOLUME
        error = 4 * math.pi * right.sigma[0] / VOLUME
        assert abs(chi.imag - 0.23) < 4 * error
        assert abs(chi.real + 0.4) < 4 * error


def test_uncorrected_it_leaks_some_percent_of_a_bean_peak() -> None:
    raw = _raw(-0.5 + 0.2387j, 1.0, 0.5, 0.0, 0.0, 1, 1).moment[0] * 4 * math.pi / VOLUME
    assert (raw.imag - 0.2387) / 0.2387 == pytest.approx(-0.0183, abs=0.001)
    deep = _raw(-1.0, 1.0, 0.5, 0.0, 0.0, 1, 1).moment[0] * 4 * math.pi / VOLUME
    assert abs(deep.imag) / 0.2387 == pytest.approx(0.037, abs=0.001)


def test_without_points_above_the_background_is_unknown_and_it_says_so() -> None:
    found = calibration(_raw(-1.0, 1.0, 0.5, 0.0, 1e-8, 2, 5), NONE)
    assert "background_unknown" in found.flags


def test_without_screening_points_nothing_is_turned_and_it_says_so() -> None:
    found = calibration(NONE, _raw(0.0, 1.0, 0.5, 1e-6, 1e-9, 3, 5))
    assert found.phase.value is None
    assert "phase_uncorrected" in found.flags
    raw = _raw(-1.0, 1.0, 0.5, 1e-6, 0.0, 4, 1)
    assert found.corrected(raw).moment[0] == pytest.approx(raw.moment[0] - 1e-6, rel=1e-3)


def test_phases_that_differ_with_the_amplitude_are_flagged() -> None:
    one, other = _raw(-1.0, 1.0, 0.5, 0.0, 1e-8, 5, 4), _raw(-1.0, 10.0, 1.5, 0.0, 1e-8, 6, 4)
    between = _raw(-1.0, 3.0, 0.2, 0.0, 1e-8, 7, 4)
    assert "phases_differ" in calibration(_joined(one, between, other), NONE).flags


def test_the_loss_that_a_large_amplitude_makes_is_no_phase() -> None:
    # chi'' = 2 h/(3 pi h*): what the nanocomposite has at 10 K.
    rows = [_raw(-1.0 + 6e-5j * h, h, 0.5, 0.0, 1e-9 * h, 10 + n, 4) for n, h in enumerate((0.1, 1.0, 10.0))]
    found = calibration(_joined(*rows), NONE).phase
    assert found.value == pytest.approx(0.5, abs=2e-3)
    assert "extended to no amplitude" in found.criterion


def test_a_sample_too_small_to_have_a_phase_has_none() -> None:
    found = calibration(_raw(-1.0, 1.0, 0.5, 0.0, 1e-3, 7, 5), NONE)
    assert found.phase.reason == "no point of 5 deep in the screening state has a moment above 10 sigma"


def test_moments_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="give pairs"):
        AcMoments.of([1.0, 2.0], [1.0], 0.1, 1.0)
    with pytest.raises(ValueError, match=r"sigma of a moment = -0\.1 emu is negative"):
        AcMoments.of([1.0], [1.0], [-0.1], [1.0])
    with pytest.raises(ValueError, match="amplitude = 0 Oe is not above 0"):
        AcMoments.of([1.0], [1.0], [0.1], [0.0])
