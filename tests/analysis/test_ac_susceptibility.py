"""chi' and chi'' from moments, inside the sample, and the check by the first amplitude again."""

from dataclasses import replace

import numpy as np
import pytest

from onnes.analysis.ac_phase import AcMoments
from onnes.analysis.ac_susceptibility import ac_curve, heating_check, intrinsic, screening
from tests.analysis.ac_nanocomposite import curve

VOLUME = 5e-3
N = 0.1176


def _external(t: list[float], chi: list[complex], amplitude: float = 1.0):  # type: ignore[no-untyped-def]
    m = np.array(chi) * amplitude * VOLUME / (4 * np.pi)
    moments = AcMoments.of(m.real, m.imag, np.full(len(t), 1e-9), np.full(len(t), amplitude))
    return ac_curve(t, moments, volume_cm3=VOLUME, frequency_hz=10.0, dc_field_oe=0.0, geometry_sigma=0.02)


def test_a_sample_that_screens_all_reads_minus_one_inside() -> None:
    found = intrinsic(_external([5.0, 4.0], [-1 / (1 - N)] * 2), N)
    assert found.chi == pytest.approx([-1.0, -1.0], abs=1e-12)
    assert list(found.temperature) == [4.0, 5.0]
    assert found.kind == "intrinsic"


def test_what_is_inside_comes_back_from_outside() -> None:
    inside = np.array([-0.9 + 0.05j, -0.5 + 0.2387j, -0.1 + 0.02j])
    outside = inside / (1 + N * inside)
    found = intrinsic(_external([1.0, 2.0, 3.0], list(outside)), N)
    assert found.chi == pytest.approx(list(inside), abs=1e-12)


def test_the_factor_is_not_taken_out_twice() -> None:
    with pytest.raises(ValueError, match="intrinsic already"):
        intrinsic(curve(1.0), N)
    with pytest.raises(ValueError, match=r"demagnetisation factor = 1.2 is outside \[0, 1\)"):
        intrinsic(_external([1.0], [-1.0]), 1.2)


def test_the_screening_state_counts_volume_and_field_in_its_error() -> None:
    found = screening(_external([4.0, 5.0, 6.0], [-1.12, -1.12, -1.12]), 10.0)
    assert found.value == pytest.approx(-1.12)
    assert found.sigma == pytest.approx(0.02 * 1.12, rel=1e-3)
    assert screening(curve(1.0), 10.0).reason == "no points"


def test_the_first_amplitude_again_agrees_and_a_warmer_sample_is_flagged() -> None:
    before, again = curve(0.1, seed=1), curve(0.1, seed=2)
    assert heating_check(before, again).flags == ()
    warmer = replace(
        again, chi=np.interp(again.temperature + 0.15, again.temperature, again.real).astype(np.complex128)
    )
    assert heating_check(before, warmer).flags == ("heated",)


def test_no_common_temperature_is_no_check() -> None:
    before = curve(0.1)
    elsewhere = replace(before, temperature=before.temperature + 10)
    assert heating_check(before, elsewhere).reason == "the two have no temperature in common"


def test_curves_that_are_none_are_refused() -> None:
    moments = AcMoments.of([1.0, 2.0], [0.0, 0.0], 0.1, [1.0, 2.0])
    with pytest.raises(ValueError, match="amplitudes from 1 to 2 Oe are not one curve"):
        ac_curve([1.0, 2.0], moments, volume_cm3=1.0, frequency_hz=1.0, dc_field_oe=0.0, geometry_sigma=0.0)
    with pytest.raises(ValueError, match="give one of each a point"):
        ac_curve([1.0], moments, volume_cm3=1.0, frequency_hz=1.0, dc_field_oe=0.0, geometry_sigma=0.0)
    with pytest.raises(ValueError, match="is not a positive number"):
        _ = ac_curve(
            [1.0, 2.0], moments, volume_cm3=0.0, frequency_hz=1.0, dc_field_oe=0.0, geometry_sigma=0.0
        )
