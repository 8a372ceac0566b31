"""Spectra of whole virtual nights against what the contact was given, and what a bad contact is told as."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from onnes.analysis.btk_fit import fit_btk
from onnes.instruments.clock import WallClock
from onnes.instruments.errors import SequenceError
from onnes.runner.cli import cli
from onnes.runner.contact_findings import contact_findings
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.resume import left_night
from onnes.runner.virtual_night import prepared
from tests.runner.bad_night import BadNight
from tests.runner.spcs_nights import EXAMPLES, Spectra, analysed, contact_night, spectra

AT_2_K = """\
  - contact_check: {current: 10 uA}
  - point_contact:
      bias: -20..20 mV step 0.8 mV
      temperature: 2 K
      normal_at: 45 K
"""
ZERO_BIAS = """\
  - point_contact:
      zero_bias: true
      temperature: {sweep: 2 K .. 45 K, rate: 1 K/min, every: 0.3 K}
      field: [0 T, 1 T]
      normal_at: 45 K
"""
SHARPER = {
    "model": "pointcontact",
    "normal_ohm": 50.0,
    "delta_mev": [2.8, 6.2],
    "z": [0.6, 0.3],
    "gamma_mev": [0.3, 0.7],
    "weight": [0.7, 0.3],
}
# physics.md 6: the demands on gap, broadening, barrier and weight
DEMANDS = {
    "gap": (0.08, 0.2),
    "broadening": (0.03, 0.2),
    "barrier": (0.03, 0.06),
    "weight": (0.02, 0.02),
}
MB600 = {"gap": (2.3, 7.0), "broadening": (0.6, 1.0), "barrier": (0.45, 0.45), "weight": (0.8, 0.2)}


def driven_badly(**keys: float) -> dict[str, Any]:
    return {"model": "pointcontact", "normal_ohm": 20.0, **keys}


def gap_at(kelvin: float, zero_mev: float, tc: float = 39.5) -> float:
    """Return the gap of the example's contact, meV (physics.md 3.2)."""
    return zero_mev * math.tanh(1.74 * math.sqrt(tc / kelvin - 1))


def meets_the_demands(found: Spectra, truth: Mapping[str, tuple[float, float]]) -> None:
    for name, both in truth.items():
        for number in (1, 2) if name != "weight" else (1,):
            demand = DEMANDS[name][number - 1]
            key = f"{name}-{number}-2K"
            assert found.value(key) == pytest.approx(both[number - 1], abs=demand), key


def is_off(night: BadNight) -> bool:
    return night.the_lab.wiring.terminals("k6221.out", night.the_lab.now()) == (0.0, 0.0)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Spectra:
    steps = AT_2_K.replace("temperature: 2 K", "temperature: [2 K, 30 K, 41 K]")
    return spectra(contact_night(tmp_path_factory.mktemp("example"), steps))


@pytest.fixture(scope="module")
def zero_bias(tmp_path_factory: pytest.TempPathFactory) -> Spectra:
    return spectra(contact_night(tmp_path_factory.mktemp("zero"), ZERO_BIAS))


# --- good nights


def test_the_shipped_example_is_checked() -> None:
    found = CliRunner().invoke(cli, ["check", str(EXAMPLES / "000-spcs.yaml")])
    assert found.exit_code == 0, found.output


def test_contacts_are_checked_on_the_wiring_of_the_spectra(example: Spectra) -> None:
    (event,) = example.night.events("contact_check")
    assert event["values"]["good"]
    assert event["values"]["resistance_ohm"] == pytest.approx([20.0] * 4, rel=5e-3)


def test_gaps_broadening_barrier_and_weight_are_those_of_the_contact(example: Spectra) -> None:
    meets_the_demands(example, MB600)


def test_another_contact_gives_its_own_numbers(tmp_path: Path) -> None:
    found = spectra(contact_night(tmp_path, AT_2_K, virtual=SHARPER, says={"resistance": '"50 ohm"'}))
    truth = {"gap": (2.8, 6.2), "broadening": (0.3, 0.7), "barrier": (0.6, 0.3), "weight": (0.7, 0.3)}
    meets_the_demands(found, truth)


def test_the_modulation_is_constant_in_voltage_over_the_bias(example: Spectra) -> None:
    curve = example.runs[1].current
    settled = curve[curve["Bias setpoint (V)"].abs() < 19e-3]["Modulation (V)"]
    assert settled.median() == pytest.approx(2e-4, rel=1e-3)
    assert settled.std() < 0.02 * 2e-4
    # of the current it is not: dV/dI changes by a third
    assert curve["Conductance (S)"].max() > 1.1 * curve["Conductance (S)"].min()


def test_both_routes_agree(example: Spectra, tmp_path: Path) -> None:
    by_the_6221 = spectra(contact_night(tmp_path, AT_2_K, differential=True))
    meets_the_demands(by_the_6221, MB600)
    for key in ("gap-1-2K", "gap-2-2K"):
        apart = abs(example.value(key) - by_the_6221.value(key))
        assert apart < 3 * math.hypot(example.sigma(key), by_the_6221.sigma(key))


def test_a_wrong_held_barrier_is_seen_in_correlation_and_profile(example: Spectra) -> None:
    found, _ = contact_findings(example.runs[1])
    curve = found.curves[0].normalised.curve
    good = fit_btk(curve)
    assert good.largest_correlation > 0.8
    values = good.values
    wrong = fit_btk(curve, held={"z_2": 0.6, "weight_1": values["weight_1"], "gamma_2": values["gamma_2"]})
    assert {"poor_fit", "held_off"} & set(wrong.results["delta_1"].flags)
    chi2 = [row["chi2_per_dof"] for row in good.profile]
    assert min(chi2[0], chi2[-1]) > 5 * min(chi2)


def test_the_conductance_at_zero_bias_goes_to_that_of_the_normal_state(zero_bias: Spectra) -> None:
    rows = zero_bias.data
    rows = rows[rows["Field setpoint (Oe)"] == 0]
    normal = rows[rows["Branch"] == "normal"]["Conductance (S)"].mean()
    shown = rows[rows["Branch"] == "zero_bias"].sort_values("Temperature (K)")
    ratio = np.interp(
        [5.0, 10.0, 20.0, 30.0, 41.0], shown["Temperature (K)"], shown["Conductance (S)"] / normal
    )
    # physics.md 3.2 (v)
    assert ratio == pytest.approx([1.218, 1.243, 1.223, 1.162, 1.000], abs=0.01)
    assert zero_bias.value("tc-contact") == pytest.approx(39.5, abs=0.6)


def test_gaps_close_with_temperature_and_are_not_fitted_above(example: Spectra) -> None:
    assert example.value("gap-1-30K") == pytest.approx(gap_at(30.0, 2.3), abs=0.08)
    assert example.value("gap-2-30K") == pytest.approx(gap_at(30.0, 7.0), abs=0.2)
    assert example.results["gap-2-41K"]["value"] is None
    assert "no gap is seen" in example.results["gap-2-41K"]["flags"][0]


# --- contacts that are driven badly


@pytest.mark.parametrize(
    ("contact", "word", "flag"),
    [
        ({"critical_current_a": 5e-4}, "beyond the gap: the critical current", "dips"),
        ({"heating_k_per_w": 3e5}, "of a contact that is heated by its current", "poor_fit"),
    ],
    ids=["critical current", "heating"],
)
def test_a_contact_that_is_driven_badly_is_flagged_and_not_fitted(
    tmp_path: Path, contact: dict[str, float], word: str, flag: str
) -> None:
    found = spectra(contact_night(tmp_path, AT_2_K, virtual=driven_badly(**contact)))
    for name in ("gap-1", "gap-2", "weight-1"):
        result = found.results[f"{name}-2K"]
        assert result["value"] is None
        assert word in result["flags"][0]
        assert flag in result["flags"]


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ("      bias: -5..5 mV step 1 mV\n      temperature: [60 K, 50 K, 30 K]\n", 44),
        ("      zero_bias: true\n      temperature: {sweep: 50 K .. 30 K, rate: 1 K/min, every: 1 K}\n", 10),
    ],
    ids=["spectra", "zero bias"],
)
def test_a_contact_that_opens_while_cooling_is_said_and_its_points_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: str, kept: int
) -> None:
    monkeypatch.setattr("onnes.runner.hold._PERSON_S", 0.0)
    night = contact_night(tmp_path, "  - point_contact:\n" + steps, leads="opens_below_k = 40")
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "the contact is open" in outcome.message
    assert "the source is at 0 A" in outcome.message
    assert is_off(night)
    assert len(night.first_run.current) >= kept
    assert night.first_run.current["Temperature (K)"].min() > 39.0
    assert night.said("step_failed")


def test_a_bias_beyond_the_power_is_refused_where_the_resistance_is_known(tmp_path: Path) -> None:
    night = contact_night(tmp_path, AT_2_K, says={"power": '"10 uW"'})
    (tmp_path / "night.yaml").write_text(night.sequence, encoding="utf-8")
    with pytest.raises(
        SequenceError, match=r"night\.yaml:10:13: 20 uW, 20 mV over the expected 20 ohm, is abo"
    ):
        make_plan(tmp_path / "night.yaml")


def test_a_bias_beyond_the_power_is_not_driven_and_said(tmp_path: Path) -> None:
    steps = AT_2_K.replace("step 0.8 mV", "step 0.4 mV")
    found = spectra(contact_night(tmp_path, steps, says={"power": '"10 uW"', "resistance": '"80 ohm"'}))
    assert "from 0.0144 V on were not driven, as they would heat the contact" in found.night.said("power")[0]
    curve = found.runs[1].current
    assert (curve["Bias (V)"] * curve["Current (A)"]).max() < 10e-6
    assert "bias_short" in found.results["gap-2-2K"]["flags"]


def test_no_modulation_is_refused(tmp_path: Path) -> None:
    night = contact_night(tmp_path, AT_2_K + "      modulation: 0 mV rms\n")
    (tmp_path / "night.yaml").write_text(night.sequence, encoding="utf-8")
    with pytest.raises(SequenceError, match=r"night\.yaml:13:19: '0 mV rms' is not above 0"):
        make_plan(tmp_path / "night.yaml")


def test_a_meter_at_another_baud_rate_is_said_before_anything_is_driven(tmp_path: Path) -> None:
    night = contact_night(tmp_path, AT_2_K, differential=True)
    file = tmp_path / "lab.toml"
    file.write_text(file.read_text(encoding="utf-8") + "baud = 9600\n", encoding="utf-8")
    with pytest.raises(Exception, match="baud"):
        night.run()


# --- nights that are broken off


def taken_up(night: BadNight) -> None:
    """Take the night up where it was left, to its good end."""
    path = night.running.folder
    left = left_night(path, WallClock())
    with prepared(left.plan, left.choice(None)) as (clock, key):
        again = NightThread(left.plan, night.folder / "runs", clock, key, again=path, before=left.before)
        again.start()
        assert again.wait(60)
        assert again.outcome().status == "finished"


def test_a_night_of_spectra_that_was_stopped_goes_on_with_the_next_curve(tmp_path: Path) -> None:
    whole = AT_2_K.replace("step 0.8 mV", "step 4 mV").replace(
        "temperature: 2 K", "temperature: [20 K, 30 K]"
    )
    night = contact_night(tmp_path, whole)

    def stop_in_the_third_curve(count: int, _: NightThread) -> None:
        if count == 25:
            night.post("stop")

    night.after_point = stop_in_the_third_curve
    assert night.run().status == "stopped"
    assert is_off(night)
    taken_up(night)
    data = analysed(night).runs[1].current
    counts = data.groupby(["Curve", "Bias setpoint (V)"]).size()
    assert set(counts) == {1}
    assert len(data) == 5 * 11
