"""Numbers of virtual nights of ac susceptibility against what samples and machines were given.

The truth is computed from the printed formulas, apart from the virtual lab.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onnes.analysis.ac_susceptibility import AcCurve
from onnes.analysis.civale import civale_set, closure
from onnes.storage.qd_dat import read_dat
from onnes.storage.reader import Night, Run
from tests.analysis.ac_nanocomposite import critical_current
from tests.runner.ac_nights import CALIBRATED, PLAIN, Bar, ac_night, curves_of, rms
from tests.runner.truth_nights import MomentNight

Curves = Mapping[tuple[float, float], AcCurve]

STEPS = f"""\
defaults:
  {CALIBRATED}
  ac_susceptibility:
    temperature: [5 K, 10 K, 20 K, 30 K, 36.2..38.5 K step 50 mK]
    phase: {{calibrate_at: 10 K}}
steps:
  - ac_susceptibility: {{dc_field: 10 Oe, amplitude: [0.1 Oe, 1 Oe, 10 Oe], frequency: 10 Hz}}
  - ac_susceptibility: {{dc_field: 0 Oe, amplitude: 1 Oe, frequency: [10 Hz, 100 Hz, 1 kHz]}}
"""
OTHER_STEPS = f"""\
defaults:
  {CALIBRATED}
  ac_susceptibility: {{temperature: [4 K, 12 K, 20 K, 28..31 K step 50 mK], phase: {{calibrate_at: 4 K}}}}
steps:
  - ac_susceptibility: {{amplitude: [0.3 Oe, 1.2 Oe, 4.8 Oe], frequency: 10 Hz}}
  - ac_susceptibility: {{amplitude: 1.2 Oe, frequency: [10 Hz, 500 Hz]}}
"""
SEEDS = (1, 2, 3)
AMPLITUDES = (0.1, 1.0, 10.0)
PRINTED_K = {0.1: 37.1, 1.0: 36.9, 10.0: 36.6}
BAR, OTHER = Bar(), Bar(tc_k=31.0, tc_link_k=30.0, ac_onset_k=29.2, jc_bulk_a_per_cm2=3e4)
COMPARED = ("001-ths-0p1", "001-ths-1", "001-ths-10", "001-jc-37p1", "001-jc-36p9", "001-jc-36p6")
DC = "-10Hz-10Oe-dc"
LEAK = math.sin(math.radians(0.5))  # of the screening into the loss


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, MomentNight]:
    return {
        seed: ac_night(
            tmp_path_factory.mktemp(f"bar-{seed}"),
            STEPS,
            seed=seed,
            compare_with=COMPARED,
        )
        for seed in SEEDS
    }


@pytest.fixture(scope="module")
def curves(bars: Mapping[int, MomentNight]) -> Mapping[int, tuple[Curves, Curves]]:
    """For each seed the curves of three amplitudes, and those of three frequencies."""
    return {seed: (curves_of(night), curves_of(night, run=1)) for seed, night in bars.items()}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> MomentNight:
    """Another bar, 4 % thinner than its file says, in a machine that lags by another angle."""
    return ac_night(
        tmp_path_factory.mktemp("other"),
        OTHER_STEPS,
        seed=5,
        geometry={"width": "1.04 mm"},
        virtual={
            "tc_k": OTHER.tc_k,
            "tc_link_k": OTHER.tc_link_k,
            "ac_onset_k": OTHER.ac_onset_k,
            "jc_bulk_a_per_cm2": OTHER.jc_bulk_a_per_cm2,
            "hc1_oe": 400.0,
            "width_mm": 1.0,
        },
        lab=("mpms3", {"ac_phase_deg": -1.3}),
    )


# -- half screening


@pytest.mark.parametrize(
    ("amplitude", "model", "key"),
    [(0.1, 37.107, "001-ths-0p1"), (1.0, 36.911, "001-ths-1"), (10.0, 36.609, "001-ths-10")],
)
def test_half_screening_is_where_the_model_has_it_and_stands_beside_the_paper(
    bars: Mapping[int, MomentNight], amplitude: float, model: float, key: str
) -> None:
    assert BAR.half_screening_k(amplitude) == pytest.approx(model, abs=1e-3)
    for night in bars.values():
        assert abs(night.value(key) - model) < 0.015
        assert night.results[key]["paper"]["value"] == PRINTED_K[amplitude]


def test_half_screening_is_as_far_off_as_it_says_over_the_seeds(bars: Mapping[int, MomentNight]) -> None:
    keys = {0.1: "001-ths-0p1", 1.0: "001-ths-1", 10.0: "001-ths-10"}
    pulls = [
        night.pull(key, BAR.half_screening_k(amplitude))
        for night in bars.values()
        for amplitude, key in keys.items()
    ]
    assert max(map(abs, pulls)) < 3, pulls
    assert 0.2 < rms(pulls) < 1.5, pulls


def test_another_bar_of_wrong_thickness_has_its_own_half_screening(other: MomentNight) -> None:
    pulls = [
        other.pull(f"half-screening-{amplitude:g}Oe-10Hz", OTHER.half_screening_k(amplitude))
        for amplitude in (0.3, 1.2, 4.8)
    ]
    assert max(map(abs, pulls)) < 3, pulls
    assert rms(pulls) > 0.2, pulls
    for amplitude in (0.3, 1.2, 4.8):
        found = other.results[f"half-screening-{amplitude:g}Oe-10Hz"]
        assert abs(found["value"] - OTHER.half_screening_k(amplitude)) < 0.015
        assert found["goodness"]["sigma_scale"] > 0  # 4 % of the volume are in it


# -- critical current


@pytest.mark.parametrize(("kelvin", "truth"), [(37.1, 1.598), (36.9, 15.87), (36.6, 150.3)])
def test_the_critical_current_at_the_printed_temperatures_is_found(
    bars: Mapping[int, MomentNight], kelvin: float, truth: float
) -> None:
    assert critical_current(kelvin) == pytest.approx(truth, rel=1e-3)
    for night in bars.values():
        key = f"001-jc-{kelvin:g}".replace(".", "p")
        assert abs(night.value(key) / truth - 1) < 0.25
        assert night.results[key]["sigma"] > 0.02 * truth  # 5 mK of a thermometer are 7 %


@pytest.mark.parametrize(("amplitude", "printed"), [(0.1, 1.59), (1.0, 15.9), (10.0, 159.2)])
def test_the_construction_of_the_paper_is_exact(
    bars: Mapping[int, MomentNight], amplitude: float, printed: float
) -> None:
    found = bars[1].results[f"jc-ac-{amplitude:g}Oe{DC}"]
    assert found["value"] == pytest.approx(printed, rel=4e-3)
    assert "(paper), D_c = 0.05 cm" in found["criterion"]


def test_the_critical_current_of_another_bar_is_its_own(other: MomentNight) -> None:
    def jc(kelvin: float) -> float:
        return critical_current(kelvin, tc_k=OTHER.tc_k, links_k=OTHER.tc_link_k, bulk=3e4)

    keys = [key for key in other.results if key.startswith("jc-ac-at-")]
    assert len(keys) == 3
    for key in keys:
        kelvin = float(key.removeprefix("jc-ac-at-").partition("K")[0])
        assert abs(other.value(key) / jc(kelvin) - 1) < 0.25, key


# -- rectangles


def test_rectangles_close_at_one_frequency(bars: Mapping[int, MomentNight], other: MomentNight) -> None:
    pulls = []
    for night, after in [*((night, DC) for night in bars.values()), (other, "-10Hz")]:
        for level in (0.3, 0.4, 0.5):
            found = night.results[f"rectangle{after}-{level:g}"]
            assert "open" not in found["flags"]
            pulls.append(found["value"] / found["sigma"])
    assert max(map(abs, pulls)) < 3, pulls
    assert rms(pulls) > 0.2, pulls


def test_curves_of_two_frequencies_are_no_set(curves: Mapping[int, tuple[Curves, Curves]]) -> None:
    slow, fast = curves[1]
    mixed = [slow[0.1, 10.0], fast[1.0, 1000.0], slow[10.0, 10.0]]
    with pytest.raises(ValueError, match="frequencies from 10 to 1000 Hz are mixed in one set; chi' depends"):
        civale_set(mixed)


def test_rectangles_of_a_frequency_that_nobody_told_of_stay_open(
    curves: Mapping[int, tuple[Curves, Curves]],
) -> None:
    for slow, fast in curves.values():
        told = replace(fast[1.0, 1000.0], frequency_hz=10.0, dc_field_oe=10.0)
        found = closure(civale_set([slow[0.1, 10.0], told, slow[10.0, 10.0]]), -0.4)
        assert "open" in found.flags
        assert found.value is not None
        assert abs(found.value) > 0.03


def test_curves_of_two_dc_fields_are_no_set(curves: Mapping[int, tuple[Curves, Curves]]) -> None:
    at_10_oe, at_none = curves[1]
    with pytest.raises(ValueError, match="dc fields from 0 to 10 Oe are mixed in one set"):
        civale_set([at_10_oe[0.1, 10.0], at_none[1.0, 10.0]])


# -- frequency


def test_the_loss_peak_shifts_with_the_frequency(bars: Mapping[int, MomentNight]) -> None:
    truth = BAR.loss_peak_k(1.0, 1000.0) - BAR.loss_peak_k(1.0)
    assert truth == pytest.approx(0.085, abs=0.002)
    pulls = []
    for night in bars.values():
        assert abs(night.value("loss-peak-shift-1Oe") - 0.085) < 0.015
        pulls.append(night.pull("loss-peak-shift-1Oe", truth))
    assert max(map(abs, pulls)) < 3, pulls


def test_the_loss_peak_of_another_bar_shifts_by_its_own(other: MomentNight) -> None:
    truth = OTHER.loss_peak_k(1.2, 500.0) - OTHER.loss_peak_k(1.2)
    assert abs(other.value("loss-peak-shift-1.2Oe") - truth) < 0.015
    assert abs(other.pull("loss-peak-shift-1.2Oe", truth)) < 3


def test_the_frequency_does_nothing_where_the_links_carry_all(
    curves: Mapping[int, tuple[Curves, Curves]],
) -> None:
    def at_36_5(curve: AcCurve) -> float:
        return float(curve.real[np.argmin(np.abs(curve.temperature - 36.5))])

    for _, driven in curves.values():
        slow = at_36_5(driven[1.0, 10.0])
        assert slow == pytest.approx(-0.9727, abs=0.005)
        assert all(abs(at_36_5(driven[1.0, hertz]) - slow) < 0.003 for hertz in (100.0, 1000.0))


# -- phase and heating


def test_the_phase_of_the_machine_is_seen(bars: Mapping[int, MomentNight]) -> None:
    keys = ("ac-phase-10Hz", "ac-phase-10Hz-run2", "ac-phase-100Hz", "ac-phase-1000Hz")
    pulls = [night.pull(key, 0.5) for night in bars.values() for key in keys]
    assert max(map(abs, pulls)) < 3, pulls
    assert 0.3 < rms(pulls) < 2, pulls
    for night in bars.values():
        assert all(night.sigma(key) < 0.1 for key in keys)


def test_another_phase_is_seen_and_its_sign_is_kept(other: MomentNight) -> None:
    pulls = [other.pull(f"ac-phase-{hertz}Hz", -1.3) for hertz in (10, 500)]
    assert max(map(abs, pulls)) < 3, pulls


def test_the_phase_is_taken_out_of_the_loss(curves: Mapping[int, tuple[Curves, Curves]]) -> None:
    for _, driven in curves.values():
        for hertz in (10.0, 100.0, 1000.0):
            cold = driven[1.0, hertz]
            loss = cold.loss[cold.temperature < 31]
            assert len(loss) == 4
            assert abs(loss.mean()) < 0.25 * LEAK


def test_what_was_measured_had_the_phase_in_it(bars: Mapping[int, MomentNight]) -> None:
    rows = bars[1].runs[1].current
    cold = rows[(rows["Branch"] == "curve") & (rows["Temperature (K)"] < 31)]
    leaks = cold["Moment quadrature (emu)"] / cold["Moment in phase (emu)"]
    assert leaks.mean() == pytest.approx(LEAK, rel=0.1)


def test_the_first_amplitude_agrees_after_the_largest(
    bars: Mapping[int, MomentNight], other: MomentNight
) -> None:
    nights = [*((night, f"0.1Oe{DC}") for night in bars.values()), (other, "0.3Oe-10Hz")]
    pulls = []
    for night, drive in nights:
        found = night.results[f"ac-heating-{drive}"]
        assert "heated" not in found["flags"]
        pulls.append(found["value"] / found["sigma"])
    assert max(map(abs, pulls)) < 3, pulls


def test_the_bar_screens_in_full_within_what_is_known_of_its_volume(
    bars: Mapping[int, MomentNight], other: MomentNight
) -> None:
    drives = ["0.1Oe", "1Oe", "10Oe"]
    for night in bars.values():
        assert all(abs(night.value(f"chi-screening-{drive}{DC}") + 1) < 0.01 for drive in drives)
    assert abs(other.pull("chi-screening-0.3Oe-10Hz", -1.0)) < 3


def test_each_row_is_in_a_file_that_readers_of_an_mpms3_open(bars: Mapping[int, MomentNight]) -> None:
    night = bars[1]
    for run in night.runs:
        rows, file = run.current, read_dat(run.path / "data.dat")
        assert file.option == "mpms3"
        per_oe = rows["Moment in phase (emu)"] / rows["Amplitude (Oe)"]
        assert list(file.raw["AC X' (emu/Oe)"].dropna().astype(float)) == pytest.approx(list(per_oe))
        assert [text for _, text in file.remarks][:2] == ["AC phase 0 Oe", f"AC curve {dc_of(run):g} Oe"]
    assert "derived_failed" not in set(Night.open(night.folder).events["kind"])


def dc_of(run: Run) -> float:
    """Return the dc field of the curves of a run, Oe."""
    rows = run.current
    (field_oe,) = rows[rows["Branch"] == "curve"]["Field setpoint (Oe)"].unique()
    return float(field_oe)


# -- other machines


@pytest.mark.parametrize(
    ("station", "hertz"), [("mpms-xl-sim", 10.0), ("acms-sim", 97.0)], ids=["mpms-xl", "acms"]
)
def test_other_machines_find_the_same_bar_at_what_they_can_drive(
    tmp_path: Path, station: str, hertz: float
) -> None:
    steps = f"""\
defaults:
  {PLAIN}
steps:
  - ac_susceptibility:
      temperature: [5 K, 10 K, 20 K, 36.5..37.7 K step 50 mK]
      amplitude: [0.25 Oe, 1 Oe, 4 Oe]
      frequency: {hertz:g} Hz
      phase: {{calibrate_at: 10 K}}
"""
    night = ac_night(tmp_path, steps, station=station)
    for amplitude in (0.25, 1.0, 4.0):
        truth, key = BAR.half_screening_k(amplitude, hertz), f"half-screening-{amplitude:g}Oe-{hertz:g}Hz"
        assert abs(night.value(key) - truth) < 0.015
        assert abs(night.pull(key, truth)) < 3
    assert abs(night.pull(f"ac-phase-{hertz:g}Hz", 0.5)) < 3
    closed = night.results[f"rectangle-{hertz:g}Hz-0.4"]
    assert abs(closed["value"]) < 3 * closed["sigma"]
