"""The transitions of papers 001 and 003 from whole virtual nights, against what the samples are."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from onnes.runner.cli import cli
from tests.runner.transport_nights import EXAMPLES, TransportNight, run_night, transport_plan

# As examples/001-transport.yaml, on fewer fields and points, and only where something happens.
IN_FIELDS = """\
mounting: across
finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}
defaults:
  resistivity: {current: 5 mA, both_directions: true, self_heating_check: false, history: free}
steps:
  - resistivity:
      temperature: {sweep: 301 K .. 30 K, rate: 6 K/min, every: 0.25 K}
      fine: {around: Tc, width: 4 K, rate: 0.2 K/min, every: 50 mK}
  - resistivity: {temperature: {sweep: 41..25 K, rate: 1 K/min, every: 0.1 K}, field: [5 kOe, 10 kOe, 20 kOe]}
  - resistivity: {temperature: {sweep: 41..19 K, rate: 1 K/min, every: 0.1 K}, field: 30 kOe}
  - resistivity: {temperature: {sweep: 30..10 K, rate: 1 K/min, every: 0.1 K}, field: 50 kOe}
  - resistivity: {temperature: {sweep: 25..2 K, rate: 1 K/min, every: 0.1 K}, field: [70 kOe, 80 kOe]}
"""
FOUR_FIELDS = """\
mounting: across
finish: {field: 0 Oe}
defaults:
  resistivity: {current: 5 mA, self_heating_check: false, history: free}
steps:
  - resistivity: {temperature: {sweep: 46..26 K, rate: 1 K/min, every: 0.2 K}, field: [10 kOe, 20 kOe]}
  - resistivity: {temperature: {sweep: 34..10 K, rate: 1 K/min, every: 0.2 K}, field: 50 kOe}
  - resistivity: {temperature: {sweep: 25..4 K, rate: 1 K/min, every: 0.2 K}, field: 80 kOe}
"""
# As examples/003-transport.yaml, faster and with fewer points.
ON_A_PROBE = """\
mounting: perpendicular
contact_check: {declined: four probes soldered on a bar}
finish: {temperature: hold}
steps:
  - resistivity:
      temperature: {sweep: 300 K .. 4.2 K, rate: 2 K/min, every: 0.5 K}
      current: 1 mA
      both_directions: true
      self_heating_check: false
"""


def nanocomposite(folder: Path, sequence: str, seed: int, **virtual: float) -> TransportNight:
    samples = {"film": "NC-01"}
    plan = transport_plan(folder, sequence, station="ppms9-sim", samples=samples, virtual=virtual)
    return run_night(plan, folder, seed=seed)


def two_steps(folder: Path, seed: int, **virtual: float) -> TransportNight:
    plan = transport_plan(folder, ON_A_PROBE, station="dip-sim", samples={"bar": "TS-01"}, virtual=virtual)
    return run_night(plan, folder, seed=seed)


# --- paper 001


@pytest.fixture(scope="module")
def of_paper_001(tmp_path_factory: pytest.TempPathFactory) -> TransportNight:
    return nanocomposite(tmp_path_factory.mktemp("nano"), IN_FIELDS, 1)


def test_the_upper_critical_field_of_paper_001_is_found(of_paper_001: TransportNight) -> None:
    night = of_paper_001
    assert night.value("hc2-zero") == pytest.approx(97_800, abs=1500)
    assert night.value("hc2-alpha") == pytest.approx(0.23, abs=0.02)
    assert night.value("hc2-tc") == pytest.approx(37.018, abs=0.06)
    assert abs(night.pull("hc2-zero", 97_900)) < 3
    assert abs(night.pull("hc2-alpha", 0.23)) < 3


def test_the_transition_of_paper_001_is_found_without_a_second_step(of_paper_001: TransportNight) -> None:
    night = of_paper_001
    assert night.value("tc-onset") == pytest.approx(38.394, abs=0.08)
    assert night.value("tc-t10") == pytest.approx(37.019, abs=0.02)
    assert -0.05 < night.value("tc-zero") - 36.62 < 0.15
    assert night.value("resistivity-100K") == pytest.approx(2.0e-5, rel=0.005)
    assert "tc2" not in night.results


def test_every_level_has_its_field_and_the_limits_stand_beside(of_paper_001: TransportNight) -> None:
    night = of_paper_001
    for level in ("", "-t50", "-t90"):
        assert {f"hc2-{key}{level}" for key in ("zero", "alpha", "tc")} <= set(night.results)
    names = [night.results[f"hc2-zero{level}"]["quantity"] for level in ("", "-t50", "-t90")]
    assert names == ["Hc2(0)", "Hc2(0) at R/R_n = 0.5", "Hc2(0) at R/R_n = 0.9"]
    dirty, slope = night.results["hc2-zero-whh"], night.results["hc2-slope"]
    assert dirty["value"] < night.value("hc2-zero")  # the power law bends up, as a dirty limit does not
    assert dirty["value"] == pytest.approx(-0.6927 * slope["value"] * 36.4, rel=0.05)


def test_the_contacts_were_checked_and_both_directions_gave_one_lag(of_paper_001: TransportNight) -> None:
    night = of_paper_001
    assert night.runs[0].path.name.startswith("01_contact-check")
    assert night.value("sample-lag") == pytest.approx(4.0, abs=0.5)
    assert any(event["kind"] == "fine" for event in night.events)


def test_another_nanocomposite_has_its_own_field(tmp_path: Path) -> None:
    night = nanocomposite(tmp_path, FOUR_FIELDS, 2, h2_oe=120_000.0, alpha=0.35)
    assert night.value("hc2-zero") == pytest.approx(120_000, rel=0.02)
    assert night.value("hc2-alpha") == pytest.approx(0.35, abs=0.02)


# --- paper 003


def test_both_steps_of_paper_003_are_found_on_a_dip_probe(tmp_path: Path) -> None:
    night = two_steps(tmp_path, 1)
    assert night.value("tc2") == pytest.approx(18.96, abs=0.15)
    assert night.value("tc1") == pytest.approx(36.75, abs=0.3)
    assert night.value("resistivity-300K") == pytest.approx(0.0300, rel=0.01)
    assert "two_steps" in night.results["tc-onset"]["flags"]  # taken as one it is that of the lower step


def test_another_composite_on_the_probe_has_its_own_steps(tmp_path: Path) -> None:
    night = two_steps(tmp_path, 2, tc1_k=38.5, tc2_k=24.0, rho300_ohm_cm=0.05)
    assert night.value("tc2") == pytest.approx(24.0 - 0.04, abs=0.3)
    assert night.value("tc1") == pytest.approx(38.5 - 0.25, abs=0.3)
    assert night.value("resistivity-300K") == pytest.approx(0.05, rel=0.01)


def test_the_shipped_nights_are_checked_without_an_error() -> None:
    for name in ("000", "001", "003"):
        found = CliRunner().invoke(cli, ["check", str(EXAMPLES / f"{name}-transport.yaml")])
        assert found.exit_code == 0, found.output
        assert "does nothing yet" not in found.output
