"""A measuring field passes only if what the magnet keeps is small against it."""

from typing import Any

import pytest

from onnes.procedures.options import compact
from onnes.procedures.residual_field import Residual, gate

MEASURED = {"from": "calibration", "value_oe": -1.5, "sigma_oe": 0.1, "known": "mpms3-pd.toml"}


def residual(**given: Any) -> Residual:
    return Residual.from_json(compact(given))


def measured(**given: Any) -> Residual:
    return residual(**(MEASURED | given))


def test_a_known_residual_is_taken_off_the_setpoint() -> None:
    passed = gate(measured(), 5.0)
    assert (passed.field_oe, passed.setpoint_oe, passed.wrong_oe) == (5.0, 6.5, 0.2)
    assert "-1.5 +- 0.1 Oe (mpms3-pd.toml)" in passed.message
    assert measured().at_sample_oe(6.5) == 5.0


def test_a_negative_field_is_gated_on_its_size() -> None:
    assert gate(measured(), -5.0).setpoint_oe == -3.5


def test_the_uncertainty_of_a_corrected_residual_is_gated_at_two_sigma() -> None:
    assert gate(measured(sigma_oe=0.125), 5.0).wrong_oe == 0.25
    with pytest.raises(
        ValueError,
        match=r"0\.252 Oe \(2 sigma, corrected\) is 0\.0504 of the measuring field 5 Oe, outside \[0, 0\.05\]"
        r", the fraction set by residual\.accept; measure it better with a Pd standard, take a larger field",
    ):
        gate(measured(sigma_oe=0.126), 5.0)


def test_a_residual_that_is_not_corrected_counts_with_its_size() -> None:
    kept = measured(correct=False)
    assert not kept.is_corrected
    assert kept.at_sample_oe(100.0) == 98.5
    passed = gate(kept, 34.0)
    assert (passed.setpoint_oe, passed.wrong_oe) == (34.0, 1.7)
    with pytest.raises(ValueError, match=r"size \+ 2 sigma, not corrected\).*; correct it, degauss with osc"):
        gate(kept, 33.0)


def test_an_estimate_is_gated_on_its_bound_and_corrects_nothing() -> None:
    estimate = residual(bound_oe=5.0, known="ppms9.toml:12", **{"from": "estimate"})
    passed = gate(estimate, 100.0)
    assert (passed.setpoint_oe, passed.wrong_oe) == (100.0, 5.0)
    assert estimate.at_sample_oe(100.0) == 100.0
    with pytest.raises(
        ValueError,
        match=r"at most 5 Oe \(ppms9\.toml:12\): 5 Oe \(bound\) is 1 of the measuring field 5 Oe.*Pd",
    ):
        gate(estimate, 5.0)


def test_who_says_nothing_gets_the_largest_bound() -> None:
    assert gate(residual(), 2400.0).wrong_oe == 120.0
    with pytest.raises(ValueError, match="nothing was measured; no magnet of Quantum Design keeps more"):
        gate(residual(), 2399.0)


def test_no_fraction_of_zero_field_can_be_accepted() -> None:
    with pytest.raises(ValueError, match="is inf of the measuring field 0 Oe"):
        gate(measured(), 0.0)


@pytest.mark.parametrize("given", [{}, MEASURED, MEASURED | {"correct": False, "accept": 0.1}])
def test_the_text_gives_back_what_it_was_made_from(given: dict[str, Any]) -> None:
    found = residual(**given)
    assert Residual.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"form": "pd"}, r"unknown key 'form' in residual; expected some of from, accept.*'from'"),
        ({"from": "guess"}, r"residual\.from is 'guess'; expected one of estimate, calibration, pd"),
        ({"from": "estimate", "correct": True}, r"an estimate is a bound without a sign"),
        ({"from": "estimate", "value_oe": 1.0}, r"value_oe and sigma_oe belong to a calibration or pd"),
        ({"from": "estimate", "bound_oe": -1.0}, r"residual\.bound_oe = -1 must be above zero"),
        ({"from": "pd", "value_oe": 1.0}, r"residual: pd needs value_oe and sigma_oe"),
        (MEASURED | {"sigma_oe": 0.0}, r"residual\.sigma_oe = 0 must be above zero"),
        (MEASURED | {"value_oe": "1 Oe"}, r"residual\.value_oe is '1 Oe'; expected a finite number"),
        (MEASURED | {"bound_oe": 5.0}, r"bound_oe belongs to an estimate; calibration has value_oe"),
        ({"accept": 1.0}, r"residual\.accept = 1 is outside \(0, 1\)"),
        ({"correct": "yes"}, r"residual\.correct is 'yes'; expected true or false"),
        ({"known": 3}, r"residual\.known is 3; expected text"),
    ],
)
def test_what_is_wrong_with_a_residual_is_said(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        residual(**given)
