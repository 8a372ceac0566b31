"""From stored runs of susceptibility, contacts and V(I) to results and panels; the truth is known."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from onnes.runner.analyse import analyse
from onnes.runner.contact_figure import contact_panels
from onnes.runner.figure import draw
from onnes.runner.findings import Findings, find
from onnes.runner.results import NightResult
from onnes.storage.reader import Night
from tests.runner.driven_nights import DrivenNight, half_screening_k

BIAS = np.arange(-20e-3, 20.05e-3, 0.1e-3)


def _found(night: DrivenNight) -> tuple[Findings, dict[str, NightResult]]:
    findings = find(Night.open(night.close()))
    assert len({result.id for result in findings.results}) == len(findings.results)
    return findings, {result.id: result for result in findings.results}


def _drawn(findings: Findings) -> list[Axes]:
    drawn = []
    for panel in contact_panels(findings.contacts, findings.upper_fields):
        axes = Figure().subplots()
        panel(axes)
        drawn.append(axes)
    return drawn


# -- susceptibility


@pytest.fixture(scope="module")
def susceptibility(tmp_path_factory: pytest.TempPathFactory) -> tuple[Findings, dict[str, NightResult]]:
    night = DrivenNight(tmp_path_factory.mktemp("ac"))
    return _found(night.susceptibility([0.1, 1.0, 10.0], [10.0, 100.0], [0.0, 10.0]))


@pytest.mark.parametrize("after", ["10Hz", "100Hz", "10Hz-10Oe-dc", "100Hz-10Oe-dc"])
@pytest.mark.parametrize("amplitude", [0.1, 1.0, 10.0])
def test_half_screening_is_found_at_each_drive_and_dc_field(
    susceptibility: tuple[Findings, dict[str, NightResult]], amplitude: float, after: str
) -> None:
    result = susceptibility[1][f"half-screening-{amplitude:g}Oe-{after}"]
    truth = half_screening_k(amplitude) + (0.05 if after.startswith("100Hz") else 0)
    assert result.value == pytest.approx(truth, abs=0.003)
    assert result.unit == "K"


def test_each_drive_in_each_dc_field_has_results_of_its_own(
    susceptibility: tuple[Findings, dict[str, NightResult]],
) -> None:
    ids = susceptibility[1]
    for stem in (
        "chi-screening-1Oe-10Hz",
        "loss-peak-1Oe-100Hz",
        "ac-heating-0.1Oe-10Hz",
        "loss-peak-shift-1Oe",
    ):
        assert {stem, f"{stem}-10Oe-dc"} <= set(ids)
    assert ids["chi-screening-1Oe-10Hz"].value == pytest.approx(-1.0, abs=0.001)
    assert ids["loss-peak-shift-1Oe"].value == pytest.approx(0.05, abs=0.005)
    assert ids["ac-phase-10Hz"].value == pytest.approx(0.0, abs=0.05)


def test_what_belongs_to_one_of_several_drives_says_in_its_name_to_which(
    susceptibility: tuple[Findings, dict[str, NightResult]],
) -> None:
    named = {key: result.quantity for key, result in susceptibility[1].items()}
    assert named["half-screening-0.1Oe-10Hz"] == "T at chi' = -0.5, 0.1 Oe, 10 Hz, 0 Oe dc"
    assert named["loss-peak-shift-10Oe"] == "shift of the loss peak, 10 to 100 Hz, 10 Oe"


def test_a_first_amplitude_that_comes_back_otherwise_is_flagged_as_heated(tmp_path: Path) -> None:
    _, cold = _found(DrivenNight(tmp_path / "a").susceptibility([0.1, 1.0]))
    _, warm = _found(DrivenNight(tmp_path / "b").susceptibility([0.1, 1.0], is_heated=True))
    assert "heated" not in cold["ac-heating-0.1Oe-10Hz"].flags
    assert "heated" in warm["ac-heating-0.1Oe-10Hz"].flags


def test_a_run_without_calibration_says_so_on_every_result(tmp_path: Path) -> None:
    _, named = _found(DrivenNight(tmp_path).susceptibility([0.1, 1.0], is_calibrated=False))
    assert named["ac-phase-10Hz"].value is None
    assert {"phase_uncorrected", "background_unknown"} <= set(named["half-screening-1Oe-10Hz"].flags)


def test_a_sample_without_size_has_no_susceptibility_and_the_reason(tmp_path: Path) -> None:
    _, named = _found(DrivenNight(tmp_path, geometry={}).susceptibility([0.1, 1.0]))
    assert named["chi-ac"].value is None
    assert named["chi-ac"].flags != ()


def test_a_run_of_flagged_points_has_no_good_one(tmp_path: Path) -> None:
    findings, named = _found(DrivenNight(tmp_path).susceptibility([1.0], flags="overload"))
    assert named["chi-ac"].flags == ("the run has no good point",)
    assert _drawn(findings) == []


def test_chi_and_loss_are_drawn_over_one_temperature_axis(
    susceptibility: tuple[Findings, dict[str, NightResult]],
) -> None:
    (axes,) = _drawn(susceptibility[0])
    upper, lower = axes.child_axes[:2]
    assert upper.get_shared_x_axes().joined(upper, lower)
    assert lower.get_ylabel() == "χ''"
    assert upper.get_ylabel() == "χ' (intrinsic)"
    assert axes.get_title() == "ac susceptibility in 0, 10 Oe dc"


# -- contacts, and voltage against current


def test_a_curve_that_dips_beyond_the_gap_is_flagged_and_not_fitted(tmp_path: Path) -> None:
    ratio = 1 + 0.6 * np.exp(-((BIAS / 4e-3) ** 2)) - 0.3 * np.exp(-(((np.abs(BIAS) - 9e-3) / 1e-3) ** 2))
    findings, named = _found(DrivenNight(tmp_path).conductance({2.0: ratio}, BIAS, 0.05))
    gap = named["gap-1-2K"]
    assert gap.value is None
    assert "dips" in gap.flags
    assert named["normal-conductance"].goodness["normal_ohm"] == pytest.approx(20.0)
    assert _drawn(findings)[0].get_title() == "dI/dV: not fitted"


def test_curves_at_three_temperatures_are_a_stack_and_a_map(tmp_path: Path) -> None:
    dip = -0.3 * np.exp(-(((np.abs(BIAS) - 9e-3) / 1e-3) ** 2))
    curves = {kelvin: 1 + 0.5 * np.exp(-((BIAS / 4e-3) ** 2)) + dip for kelvin in (2.0, 4.0, 6.0)}
    findings, _ = _found(DrivenNight(tmp_path).conductance(curves, BIAS, 0.05))
    stack, colours = _drawn(findings)
    assert stack.get_ylabel().startswith("G/G_N, each 0.08 above")
    # No legend lies over the gaps: each curve has its temperature at its end.
    assert stack.get_legend() is None
    assert [text.get_text().strip() for text in stack.texts] == ["2", "4", "6"]
    assert stack.get_xlabel() == "V (mV); T (K) at the end of each curve"
    assert (colours.get_xlabel(), colours.get_ylabel()) == ("V (mV)", "T (K)")


def test_the_conductance_at_zero_bias_tells_the_tc_of_the_contact(tmp_path: Path) -> None:
    kelvin = np.arange(2.0, 44.0, 0.5)
    ratio = 1 + 0.5 * np.clip((38.0 - kelvin) / 20, 0, 1)
    findings, named = _found(DrivenNight(tmp_path).zero_bias({0.0: ratio, 1e4: ratio}, kelvin, 0.05))
    assert named["zbc-normal-0Oe"].value == pytest.approx(1.0, abs=0.01)
    assert named["zbc-normal-10000Oe"].value == pytest.approx(1.0, abs=0.01)
    assert named["tc-contact"].value == pytest.approx(38.0, abs=1.0)
    assert _drawn(findings)[0].get_ylabel() == "G(0)/G_N"


def test_critical_current_and_n_are_those_of_the_power_law(tmp_path: Path) -> None:
    findings, named = _found(DrivenNight(tmp_path).current_voltage(10e-3, 20.0, 1e-6))
    assert named["ic-2K-0Oe"].value == pytest.approx(10e-3, rel=0.005)
    assert named["n-value-2K-0Oe"].value == pytest.approx(20.0, rel=0.02)
    assert "polarities_differ" not in named["ic-2K-0Oe"].flags
    (axes,) = _drawn(findings)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_title().endswith(" A at 2 K, 0 kOe")


def test_the_key_of_curves_at_temperatures_and_fields_tells_both_apart(tmp_path: Path) -> None:
    at = [(kelvin, field_oe) for kelvin in (2.0, 4.0) for field_oe in (0.0, 1e4)]
    findings, _ = _found(DrivenNight(tmp_path).current_voltage(10e-3, 20.0, 1e-6, at=at))
    (axes,) = _drawn(findings)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["2", "4", "0 kOe", "10 kOe"]


def test_polarities_with_two_critical_currents_are_flagged(tmp_path: Path) -> None:
    _, named = _found(DrivenNight(tmp_path).current_voltage(10e-3, 20.0, 1e-6, negative=1.05))
    assert "polarities_differ" in named["ic-2K-0Oe"].flags


def test_a_curve_of_flagged_points_has_no_critical_current(tmp_path: Path) -> None:
    findings, named = _found(DrivenNight(tmp_path).current_voltage(10e-3, 20.0, 1e-6, flags="compliance"))
    assert named["ic"].flags == ("the run has no good point",)
    assert _drawn(findings) == []


# -- what is written


def test_a_night_of_all_of_them_is_drawn_and_its_results_are_written(tmp_path: Path) -> None:
    night = DrivenNight(tmp_path).susceptibility([0.1, 1.0]).current_voltage(10e-3, 20.0, 1e-6)
    report = analyse(night.close())
    assert report.figure is not None
    assert matplotlib.image.imread(report.figure).shape[0] > 500
    written = json.loads((report.night / "results.json").read_text(encoding="utf-8"))
    assert (written["backend"], written["lab"], written["seed"]) == ("simulated", "synthetic", 1)
    results = {result["id"]: result for result in written["results"]}
    half = results["half-screening-1Oe-10Hz"]
    assert half["value"] == pytest.approx(half_screening_k(1.0), abs=0.003)
    assert (half["unit"], half["criterion"] != "") == ("K", True)
    assert half["sigma"] > 0
    assert {"ic-2K-0Oe", "n-value-2K-0Oe", "ac-phase-10Hz", "rectangle-10Hz-0.4"} <= set(results)


def test_every_panel_of_a_virtual_night_has_its_watermark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = DrivenNight(tmp_path).susceptibility([0.1, 1.0]).current_voltage(10e-3, 20.0, 1e-6)
    kept: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: kept.append(figure))
    draw(find(Night.open(night.close())), tmp_path / "figure.png")
    (figure,) = kept
    said = [text.get_text() for text in figure.findobj(Text)]
    assert sum("SIMULATED" in text for text in said) >= 2


def test_the_map_of_a_contact_leaves_its_watermark_in_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = dict.fromkeys((2.0, 4.0, 6.0), np.ones(len(BIAS)))  # without a gap nothing is fitted
    night = DrivenNight(tmp_path).conductance(curves, BIAS, 0.05)
    kept: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: kept.append(figure))
    draw(find(Night.open(night.close())), tmp_path / "figure.png")
    (mapped,) = [axes for axes in kept[0].axes if axes.collections and axes.get_ylabel() == "T (K)"]
    (mark,) = [text for text in mapped.texts if text.get_text() == "SIMULATED"]
    assert mapped.collections[0].get_zorder() < mark.get_zorder()
