"""Resistivity and sheet resistance."""

import math

import pytest

from onnes.analysis.resistivity import resistivity, sheet_resistance


def test_a_bar_has_the_resistivity_of_its_size() -> None:
    rho = resistivity(14.0, 1e-4, length_cm=0.2, width_cm=0.1, thickness_cm=2.15e-5, geometry_sigma=0.03)
    assert rho.value == pytest.approx(14.0 * 0.1 * 2.15e-5 / 0.2, rel=1e-12)
    assert rho.unit == "ohm*cm"


def test_the_error_of_the_geometry_is_kept_apart_from_that_of_the_reading() -> None:
    rho = resistivity(10.0, 0.4, length_cm=0.5, width_cm=0.5, thickness_cm=1e-5, geometry_sigma=0.03)
    assert rho.goodness["sigma_statistical"] == pytest.approx(4e-6, rel=1e-12)
    assert rho.goodness["sigma_geometry"] == pytest.approx(3e-6, rel=1e-12)
    assert rho.sigma == pytest.approx(5e-6, rel=1e-12)


def test_a_sheet_has_no_thickness() -> None:
    sheet = sheet_resistance(14.0, 0.0, length_cm=0.2, width_cm=0.1, geometry_sigma=0.05)
    assert sheet.value == pytest.approx(7.0, rel=1e-12)
    assert sheet.sigma == pytest.approx(0.35, rel=1e-12)
    assert sheet.flags == ("geometry_dominates",)


def test_a_negative_resistance_stays_negative_with_a_positive_sigma() -> None:
    rho = resistivity(-1e-9, 1e-9, length_cm=1.0, width_cm=1.0, thickness_cm=1.0)
    assert rho.value == -1e-9
    assert rho.sigma == pytest.approx(1e-9 * math.hypot(1, 0.05), rel=1e-12)


def test_a_resistance_that_is_no_number_is_refused() -> None:
    rho = resistivity(float("nan"), 0.0, length_cm=1.0, width_cm=1.0, thickness_cm=1.0)
    assert rho.value is None
    assert rho.reason == "R = nan ohm is not a finite number"


@pytest.mark.parametrize("length_cm", [0.0, -0.1, float("nan"), float("inf")])
def test_a_size_that_is_not_positive_is_an_error(length_cm: float) -> None:
    with pytest.raises(ValueError, match=r"length of the sample = .* cm is not a positive number"):
        sheet_resistance(1.0, 0.0, length_cm=length_cm, width_cm=0.1)


def test_a_negative_uncertainty_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"relative sigma of the geometry = -0.1"):
        sheet_resistance(1.0, 0.0, length_cm=1.0, width_cm=0.1, geometry_sigma=-0.1)
    with pytest.raises(ValueError, match=r"sigma of R = nan"):
        sheet_resistance(1.0, float("nan"), length_cm=1.0, width_cm=0.1)
