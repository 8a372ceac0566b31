"""One band or two, by what the curve asks for."""

import numpy as np
import pytest

from onnes.analysis.btk_bands import fit_one_or_two_bands
from onnes.analysis.btk_fit import ContactCurve
from onnes.analysis.isotherm import Floats
from tests.analysis import contact_of_the_tests as slow

BIAS = np.arange(-20, 20.01, 0.2)
NOISE = 5e-3


def _curve(clean: Floats, seed: int) -> ContactCurve:
    noise = NOISE * np.random.default_rng(seed).standard_normal(len(BIAS))
    return ContactCurve(BIAS, clean + noise, np.full(len(BIAS), NOISE), 2.0)


def test_a_contact_with_one_gap_has_no_second() -> None:
    clean = slow.curve(2.0, BIAS, bands=((3.0, 0.5, 0.4, 1.0, 15e3),))
    for seed in range(2):
        fit = fit_one_or_two_bands(_curve(clean, seed))
        gap = fit.results["delta_1"]
        assert gap.value == pytest.approx(3.0, abs=0.03)
        assert gap.criterion.startswith("BTK, one band")
        for name in ("delta_2", "gamma_2", "z_2", "weight_1"):
            assert fit.results[name].value is None
            assert "one band fits as well" in fit.results[name].reason


def test_a_contact_with_two_gaps_has_both() -> None:
    clean = slow.curve(2.0, BIAS)
    for seed in range(2):
        fit = fit_one_or_two_bands(_curve(clean, seed))
        assert fit.results["delta_2"].value == pytest.approx(7.0, abs=0.4)
        assert fit.results["delta_2"].criterion.startswith("BTK, two bands")


def test_what_spoils_a_curve_spoils_both() -> None:
    fit = fit_one_or_two_bands(_curve(slow.curve(2.0, BIAS), 1), spoilt="heated")
    assert {result.reason for result in fit.results.values()} == {"heated"}
