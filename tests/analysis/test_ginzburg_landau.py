"""GL lengths against the printed numbers of the nanocomposite."""

import math

import numpy as np
import pytest

from onnes.analysis.ginzburg_landau import PHI0_OE_CM2, coherence_length, penetration_depth


def test_the_printed_fields_give_the_known_lengths() -> None:
    assert coherence_length(97900.0, 0.0).value == pytest.approx(5.798, abs=1e-3)
    assert penetration_depth(713.0, 0.0, 5.7, 0.0).value == pytest.approx(77.63, abs=0.01)


def test_the_core_term_is_explicit_and_printed() -> None:
    assert penetration_depth(713.0, 0.0, 5.7, 0.0, core=0.5).value == pytest.approx(86.1, abs=0.05)
    assert penetration_depth(713.0, 0.0, 5.798, 0.0, core=0.5).value == pytest.approx(85.9, abs=0.05)
    assert "core = 0.5" in penetration_depth(713.0, 0.0, 5.7, 0.0, core=0.5).criterion
    assert "core = 0," in penetration_depth(713.0, 0.0, 5.7, 0.0).criterion


def test_the_depth_solves_its_equation() -> None:
    found = penetration_depth(450.0, 0.0, 6.2, 0.0, core=0.3)
    assert found.value is not None
    cm = found.value * 1e-7
    hc1 = PHI0_OE_CM2 / (4 * math.pi * cm**2) * (math.log(found.value / 6.2) + 0.3)
    assert hc1 == pytest.approx(450.0, rel=1e-10)
    assert found.goodness["kappa"] == pytest.approx(found.value / 6.2)


def test_the_errors_are_those_of_the_inputs() -> None:
    rng = np.random.default_rng(3)
    xi = coherence_length(97900.0, 1500.0)
    many = [coherence_length(97900.0 + 1500.0 * x, 0.0).value for x in rng.standard_normal(2000)]
    assert xi.sigma == pytest.approx(np.std(np.array(many, dtype=float)), rel=0.05)
    depth = penetration_depth(713.0, 20.0, 5.7, 0.2)
    draws = [
        penetration_depth(713.0 + 20.0 * x, 0.0, 5.7 + 0.2 * y, 0.0).value
        for x, y in rng.standard_normal((2000, 2))
    ]
    assert depth.sigma == pytest.approx(np.std(np.array(draws, dtype=float)), rel=0.05)


def test_a_lower_critical_field_that_no_depth_has_is_refused() -> None:
    found = penetration_depth(2e6, 0.0, 5.7, 0.0)
    assert found.value is None
    assert "the largest that xi = 5.7 nm allows" in found.reason


@pytest.mark.parametrize("field", [0.0, -5.0, math.nan])
def test_a_field_that_is_not_positive_is_refused(field: float) -> None:
    assert "Hc2 = " in coherence_length(field, 1.0).reason
    assert "Hc1 = " in penetration_depth(field, 1.0, 5.7, 0.1).reason
    assert "xi = " in penetration_depth(713.0, 1.0, field, 0.1).reason


def test_a_negative_uncertainty_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"sigma of Hc2 = -1.0 Oe"):
        coherence_length(97900.0, -1.0)
    with pytest.raises(ValueError, match="sigma of xi = nan nm"):
        penetration_depth(713.0, 1.0, 5.7, math.nan)
