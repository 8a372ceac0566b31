"""A dipole in the gradiometer, and what the two fits make of it."""

import numpy as np
import pytest

from onnes.sim.squid import fit_error_per_volt, fit_fixed, fit_free, positions, response, slope, vibrating

MOMENT = -3e-3


def test_a_centred_sample_is_read_right_by_both_fits_whatever_the_squid_drifts() -> None:
    z = positions(3.5, 200)
    volts = MOMENT * response(z) + 0.3 + 0.01 * z
    for fit in (fit_fixed(z, volts, 1.0), fit_free(z, volts, 1.0)):
        assert fit.moment_emu == pytest.approx(MOMENT, rel=1e-9)
        assert fit.quality == pytest.approx(1.0, abs=1e-9)
        assert fit.centre_cm == pytest.approx(0.0, abs=1e-9)
        assert fit.drift == pytest.approx(0.035)


@pytest.mark.parametrize("oscillating", [False, True])
def test_off_centre_the_fixed_fit_reads_too_little_and_badly_and_the_free_one_is_right(
    oscillating: bool,
) -> None:
    z = positions(3.5, 200, oscillating=oscillating)
    volts = MOMENT * response(z - 0.11)
    fixed, free = fit_fixed(z, volts, 2.0), fit_free(z, volts, 2.0)
    assert 0.96 < fixed.moment_emu / (2.0 * MOMENT) < 0.985
    assert 0.80 < fixed.quality < 0.88
    assert free.moment_emu == pytest.approx(2.0 * MOMENT, rel=1e-9)
    assert free.centre_cm == pytest.approx(0.11, abs=1e-6)
    assert free.quality == pytest.approx(1.0, abs=1e-6)


def test_coils_that_see_nothing_give_no_moment_and_no_quality() -> None:
    z = positions(3.0, 64)
    for fit in (fit_fixed(z, np.zeros(64), 1.0), fit_free(z, np.zeros(64), 1.0)):
        assert (fit.moment_emu, fit.quality, fit.centre_cm) == (0.0, 0.0, 0.0)


def test_a_centre_that_runs_out_of_the_scan_is_no_centre() -> None:
    z = positions(0.5, 64)
    volts = response(z - 0.6)
    assert fit_free(z, volts, 1.0) == fit_fixed(z, volts, 1.0)


def test_the_slope_of_the_response_is_its_derivative() -> None:
    z = np.linspace(-2.0, 2.0, 9)
    assert slope(z) == pytest.approx((response(z + 1e-5) - response(z - 1e-5)) / 2e-5, abs=1e-8)
    assert response(np.zeros(1)) == 1.0


def test_a_vibrating_sample_off_centre_reads_too_little() -> None:
    assert vibrating(0.5, 0.0) == 1.0
    assert 0.93 < vibrating(0.5, 0.11) < 0.96
    # A small vibration reads the curvature of the response.
    at_centre, off = (response(np.array([u - 1e-3, u, u + 1e-3])) @ [1.0, -2.0, 1.0] for u in (0.0, 0.11))
    assert vibrating(1e-3, 0.11) == pytest.approx(off / at_centre, rel=1e-4)


def test_white_noise_of_the_voltage_makes_the_error_that_is_told() -> None:
    z = positions(3.5, 200)
    told = fit_error_per_volt(3.5, 200)
    rng = np.random.default_rng(1)
    found = [fit_fixed(z, response(z) + rng.normal(0.0, 0.01, 200), 1.0) for _ in range(400)]
    assert np.std([fit.moment_emu for fit in found]) == pytest.approx(0.01 * told, rel=0.1)
    assert np.mean([fit.error_emu for fit in found]) == pytest.approx(0.01 * told, rel=0.05)
