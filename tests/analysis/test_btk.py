"""The conductance of a contact."""

import numpy as np
import pytest

from onnes.analysis.btk import Band, bcs_gap, conductance, sharvin_radius_nm, transparency
from tests.analysis import contact_of_the_tests as slow

BIAS = np.linspace(-20, 20, 41)


def _bands(kelvin: float) -> list[Band]:
    return [Band(bcs_gap(d, kelvin, slow.TC), g, z, w) for d, g, z, w, _ in slow.BANDS]


def test_a_perfect_contact_doubles_the_conductance() -> None:
    assert transparency(np.array([0.0, 1.0]), 2.3, 0.0, 0.0) == pytest.approx([2.0, 2.0], abs=1e-5)


def test_a_barrier_lowers_it_as_the_theory_says() -> None:
    z = 0.5
    assert transparency(np.array([0.0]), 2.3, 0.0, z) == pytest.approx(2 * (1 + z * z) / (1 + 2 * z * z) ** 2)
    assert 2 * (1 + z * z) / (1 + 2 * z * z) ** 2 == pytest.approx(1.1111, abs=1e-4)


def test_a_high_barrier_gives_the_density_of_states_of_dynes() -> None:
    (found,) = transparency(np.array([1.5 * 2.3]), 2.3, 0.0, 30.0)
    assert found == pytest.approx(1.3414, abs=2e-4)


@pytest.mark.parametrize(
    ("kelvin", "zbc"), [(2, 1.195), (5, 1.218), (10, 1.243), (20, 1.223), (30, 1.162), (38, 1.051), (41, 1.0)]
)
def test_the_zero_bias_conductance_is_the_printed_one(kelvin: float, zbc: float) -> None:
    (found,) = conductance(np.array([0.0]), kelvin, _bands(kelvin))
    assert found == pytest.approx(zbc, abs=6e-4)


@pytest.mark.parametrize(("kelvin", "rms"), [(2.0, 0.0), (2.0, 0.2), (10.0, 1.0)])
def test_the_fast_model_is_the_slow_one(kelvin: float, rms: float) -> None:
    fast = conductance(BIAS, kelvin, _bands(kelvin), modulation_mv_rms=rms)
    assert fast == pytest.approx(slow.curve(kelvin, BIAS, rms=rms), abs=3e-4)


@pytest.mark.parametrize(("rms", "percent"), [(0.2, 0.09), (0.5, 0.56), (1.0, 2.17)])
def test_modulation_changes_the_zero_bias_conductance_as_printed(rms: float, percent: float) -> None:
    at_zero = np.array([0.0])
    (without,) = conductance(at_zero, 2.0, _bands(2.0))
    (with_it,) = conductance(at_zero, 2.0, _bands(2.0), modulation_mv_rms=rms)
    assert 100 * abs(with_it / without - 1) == pytest.approx(percent, abs=0.05)


def test_a_field_drives_part_of_a_band_normal() -> None:
    whole, half = Band(2.3, 0.6, 0.45), Band(2.3, 0.6, 0.45, normal_part=0.5)
    none = Band(2.3, 0.6, 0.45, normal_part=1.0)
    values = [float(conductance(np.array([0.0]), 2.0, [band])[0]) for band in (whole, half, none)]
    assert values[0] > values[1] > values[2] == pytest.approx(1.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature = 0 K is not above 0"):
        conductance(BIAS, 0, _bands(2.0))
    with pytest.raises(ValueError, match="modulation = -1 mV rms is negative"):
        conductance(BIAS, 2.0, _bands(2.0), modulation_mv_rms=-1)
    with pytest.raises(ValueError, match="R_N = 0 ohm is not above 0"):
        sharvin_radius_nm(0)
