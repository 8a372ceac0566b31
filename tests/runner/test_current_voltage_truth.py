"""V(I) and flux flow of whole virtual nights against what the sample was given."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from onnes.runner.cli import cli
from tests.runner.bad_night import Sent
from tests.runner.spcs_nights import EXAMPLES, Spectra, contact_night, spectra

CURVES = """\
  - current_voltage:
      temperature: [5 K, 30 K]
      field: [0 T, 1 T]
      current: 0..12 mA step 50 uA
      criterion: 10 uV/cm
      stop_at: 30
      average: 20
"""
FLUX_FLOW = """\
  - for: {field: [1 T, 2 T, 9 T]}
    do:
      - resistivity:
          temperature: {sweep: 18 K .. 60 K, rate: 1 K/min, every: 0.5 K}
          current: 1 mA
          both_directions: true
"""
WHERE = [(5.0, 0.0), (5.0, 1e4), (30.0, 0.0), (30.0, 1e4)]
BRIDGE: dict[str, Any] = {"wiring": "bridge", "station": "bridge-sim", "sample": "MB-bridge"}
OTHER = {"model": "bridge", "critical_current_a": 7e-3, "exponent": 9, "tc_k": 36.0, "h2_oe": 5e4}


@pytest.fixture(scope="module", params=[1, 2])
def bridge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Spectra:
    return spectra(contact_night(tmp_path_factory.mktemp("bridge"), CURVES, seed=request.param, **BRIDGE))


def critical_current_a(
    kelvin: float,
    field_oe: float,
    at_zero_a: float = 10e-3,
    n: float = 20.0,
    tc: float = 39.0,
    h2: float = 67e3,
) -> float:
    """Return where V is 10 uV/cm, A, of a bridge whose Ic is that of 1 uV/cm."""
    left = 1 - (kelvin / tc) ** 2
    return at_zero_a * math.sqrt(left) * (left - field_oe / h2) * math.pow(10.0, 1 / n)


def key(name: str, kelvin: float, field_oe: float) -> str:
    return f"{name}-{kelvin:.4g}K-{field_oe:.0f}Oe"


def after_the_last_current(sent: Sequence[Sent], until: float) -> list[Sent]:
    """Return what was said to source and meter from the last current that is not 0 on, until ``until``."""
    heard = [one for one in sent if one.to in ("k6221", "k2182a") and one.t < until]
    last = max(
        count
        for count, one in enumerate(heard)
        if one.message.startswith("SOUR:CURR ") and float(one.message[10:].partition(";")[0])
    )
    return heard[last + 1 :]


def test_the_shipped_example_is_checked() -> None:
    found = CliRunner().invoke(cli, ["check", str(EXAMPLES / "current-voltage.yaml")])
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(("kelvin", "field_oe"), WHERE)
def test_critical_current_and_exponent_are_those_of_the_bridge(
    bridge: Spectra, kelvin: float, field_oe: float
) -> None:
    ic, n = key("ic", kelvin, field_oe), key("n-value", kelvin, field_oe)
    assert bridge.value(ic) == pytest.approx(critical_current_a(kelvin, field_oe), rel=5e-3)
    assert bridge.value(n) == pytest.approx(20.0, rel=0.02)
    assert abs(bridge.value(n) - 20.0) < 4 * bridge.sigma(n)
    assert bridge.results[ic]["flags"] == []


def test_another_bridge_gives_its_own_numbers(tmp_path: Path) -> None:
    found = spectra(contact_night(tmp_path, CURVES, virtual=OTHER, **BRIDGE))
    for kelvin, field_oe in WHERE:
        truth = critical_current_a(kelvin, field_oe, 7e-3, 9.0, 36.0, 5e4)
        assert found.value(key("ic", kelvin, field_oe)) == pytest.approx(truth, rel=5e-3)
        assert found.value(key("n-value", kelvin, field_oe)) == pytest.approx(9.0, rel=0.02)


def test_beyond_the_stop_voltage_the_current_is_taken_away_before_another_reading(tmp_path: Path) -> None:
    night = contact_night(tmp_path, CURVES.replace("0..12 mA step 50 uA", "0..14 mA step 1 mA"), **BRIDGE)
    spectra(night)
    assert len(night.said("quench")) == 4
    for event in night.events("quench"):
        after = after_the_last_current(night.sent, event["t"])
        assert [one.message for one in after[:2]] == [":READ?", "SOUR:CURR 0;CURR?"]
        assert after[1].t - after[0].t < 0.1
        assert not [one for one in after[2:] if one.to == "k2182a"]
    assert night.the_lab.wiring.terminals("k6221.out", night.the_lab.now()) == (0.0, 0.0)


def test_the_barrier_of_flux_flow_is_found_in_each_field(tmp_path: Path) -> None:
    flow = {"model": "taff"}
    found = spectra(contact_night(tmp_path, FLUX_FLOW, finish="60 K", virtual=flow, **BRIDGE))
    for field_oe in (1e4, 2e4, 9e4):
        truth = 1500.0 * math.sqrt(1e4 / field_oe)
        assert found.value(f"u0-{field_oe:.0f}Oe") == pytest.approx(truth, rel=0.01)
    assert found.value("u0-exponent") == pytest.approx(0.5, abs=0.01)
