"""Nights of a susceptometer made of an SR830 and coils, against the truth, and what goes wrong with one."""

from collections.abc import Mapping

import numpy as np
import pytest

from onnes.runner.plan import make_plan
from tests.analysis.ac_nanocomposite import critical_current
from tests.runner.ac_nights import PLAIN, Bar, ac_night, curves_of, rms
from tests.runner.truth_nights import EXAMPLES, MomentNight

STEPS = f"""\
defaults:
  {PLAIN}
steps:
  - ac_susceptibility:
      temperature: [10 K, 20 K, 30 K, 36.5..37.7 K step 50 mK]
      amplitude: [0.05 Oe, 0.15 Oe, 0.45 Oe]
      frequency: [97 Hz, 970 Hz]
      phase: {{calibrate_at: 10 K}}
"""
AMPLITUDES, FREQUENCIES = (0.05, 0.15, 0.45), (97.0, 970.0)
BAR = Bar()
# What turns and adds in a coil: in the shipped lab, and in one out of null by half of the bar's moment.
COILS: Mapping[str, Mapping[str, float]] = {
    "shipped": {"phase_deg": 0.5},
    "out of balance": {
        "phase_deg": 4.0,
        "imbalance_emu_per_oe": 2e-4,
        "imbalance_loss_emu_per_oe": -5e-5,
        "pickup_ohm": 100.0,
    },
}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, MomentNight]:
    return {
        name: ac_night(
            tmp_path_factory.mktemp(name.replace(" ", "-")),
            STEPS,
            station="susceptometer-sim",
            seed=3 + number,
            lab=("susceptometer", coil),
        )
        for number, (name, coil) in enumerate(COILS.items())
    }


def test_the_shipped_example_is_planned() -> None:
    plan = make_plan(EXAMPLES / "001-susceptibility-coil.yaml")
    assert (plan.station.name, plan.mounting) == ("susceptometer-sim", "long_axis")


@pytest.mark.parametrize("coil", COILS)
def test_the_phase_of_the_coil_is_seen_at_each_frequency(
    nights: Mapping[str, MomentNight], coil: str
) -> None:
    for hertz in FREQUENCIES:
        assert abs(nights[coil].pull(f"ac-phase-{hertz:g}Hz", COILS[coil]["phase_deg"])) < 3
        assert nights[coil].sigma(f"ac-phase-{hertz:g}Hz") < 0.3


@pytest.mark.parametrize("coil", COILS)
def test_phase_and_imbalance_are_gone_from_what_is_left(nights: Mapping[str, MomentNight], coil: str) -> None:
    for (_, hertz), curve in curves_of(nights[coil]).items():
        cold = curve.temperature < 31
        within = 0.01 if hertz < 100 else 0.003
        assert np.abs(curve.real[cold] + 1).max() < within
        assert np.abs(curve.loss[cold]).max() < within


def test_the_imbalance_is_what_the_coil_has(nights: Mapping[str, MomentNight]) -> None:
    found = nights["out of balance"].results["ac-phase-970Hz"]["goodness"]["background_emu_per_oe"]
    assert found == pytest.approx(abs(complex(2e-4, -5e-5)), rel=0.01)


def test_half_screening_of_a_coil_night_is_that_of_the_bar(nights: Mapping[str, MomentNight]) -> None:
    pulls = []
    for night in nights.values():
        for amplitude in AMPLITUDES:
            for hertz in FREQUENCIES:
                truth = BAR.half_screening_k(amplitude, hertz)
                key = f"half-screening-{amplitude:g}Oe-{hertz:g}Hz"
                assert abs(night.value(key) - truth) < 0.015, key
                pulls.append(night.pull(key, truth))
    assert max(map(abs, pulls)) < 3, pulls
    assert 0.2 < rms(pulls) < 1.5, pulls


def test_rectangles_of_a_coil_night_close(nights: Mapping[str, MomentNight]) -> None:
    for night in nights.values():
        for hertz in FREQUENCIES:
            for level in (0.3, 0.4):
                found = night.results[f"rectangle-{hertz:g}Hz-{level:g}"]
                assert abs(found["value"]) < 3 * found["sigma"]


def test_the_loss_peak_of_a_coil_night_shifts_with_the_frequency(nights: Mapping[str, MomentNight]) -> None:
    for night in nights.values():
        truth = BAR.loss_peak_k(0.45, 970.0) - BAR.loss_peak_k(0.45, 97.0)
        assert abs(night.value("loss-peak-shift-0.45Oe") - truth) < 0.02
        assert abs(night.pull("loss-peak-shift-0.45Oe", truth)) < 3


def test_the_critical_current_of_a_coil_night_is_that_of_the_faster_law(
    nights: Mapping[str, MomentNight],
) -> None:
    # At 97 Hz the links are stiffer at 37.1 K by (f/10 Hz)^0.25: Jc reads so much more.
    for night in nights.values():
        stiffer = 9.7**0.25 * critical_current(37.1)
        assert abs(night.value("jc-ac-at-37.1K-97Hz") / stiffer - 1) < 0.25


def test_nothing_was_heated_and_no_row_is_flagged(nights: Mapping[str, MomentNight]) -> None:
    for night in nights.values():
        (run,) = night.runs
        assert list(run.current["Flags"].fillna("").unique()) == [""]
        for hertz in FREQUENCIES:
            assert "heated" not in night.results[f"ac-heating-0.05Oe-{hertz:g}Hz"]["flags"]
