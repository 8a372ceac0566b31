"""Nights of a dip probe: a thermostat without a magnet, and what goes wrong with one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import SequenceError
from onnes.runner.analyse import analyse
from onnes.runner.cli import cli
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.resume import left_night
from onnes.runner.virtual_night import prepared
from onnes.sim.lab import VirtualLab
from onnes.sim.samples_twostep import make_twostep
from onnes.storage.reader import Night
from tests.runner.bad_night import BadNight

LENGTH_CM, WIDTH_CM, THICKNESS_CM = 0.3, 0.3, 0.1  # of TS-01
EXAMPLES = Path(__file__).parents[2] / "examples"

SEQUENCE = """\
sequence: 1
station: station.toml
sample: {bar: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
finish: {temperature: hold}
steps:
  - resistivity:
      temperature: TEMPERATURES
      current: 1 mA
"""
SHORT = SEQUENCE.replace("TEMPERATURES", "[300 K, 296 K, 292 K]")
SWEPT = SEQUENCE.replace("TEMPERATURES", "{sweep: 300 K .. 290 K, rate: 1 K/min, every: 1 K}")
WHOLE = (
    SEQUENCE.replace("TEMPERATURES", "{sweep: 300 K .. 4.2 K, rate: 5 K/min, every: 2 K}")
    + "      both_directions: true\n"
)


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    monkeypatch.setattr("onnes.runner.hold._PERSON_S", 0.0)
    for name, example in (("station", "stations/dip-sim.toml"), ("sample", "samples/TS-01.toml")):
        (tmp_path / f"{name}.toml").write_text((EXAMPLES / example).read_text(encoding="utf-8"), "utf-8")
    return BadNight(tmp_path, SHORT)


def kelvins(night: BadNight) -> list[float]:
    """Return the setpoints of the points that count."""
    return list(night.first_run.current["Temperature setpoint (K)"])


def resistivity_at(run: pd.DataFrame, kelvin: float) -> float:
    """Return the mean resistivity of cooling and warming on straight lines between points, ohm cm."""
    kelvins, ohms = run["Temperature (K)"].to_numpy(), run["Resistance (ohm)"].to_numpy()
    turn = int(np.argmin(kelvins)) + 1
    cooling = np.interp(kelvin, kelvins[:turn][::-1], ohms[:turn][::-1])
    warming = np.interp(kelvin, kelvins[turn:], ohms[turn:])
    return float(cooling + warming) / 2.0 * WIDTH_CM * THICKNESS_CM / LENGTH_CM


# --- good nights


def test_the_shipped_example_is_checked_and_planned() -> None:
    found = CliRunner().invoke(cli, ["check", str(EXAMPLES / "003-transport.yaml")])
    assert found.exit_code == 0, found.output
    plan = make_plan(EXAMPLES / "003-transport.yaml")
    assert (plan.station.name, plan.mounting) == ("dip-sim", "perpendicular")


def test_a_whole_night_from_room_temperature_to_helium_and_back_finds_the_resistivity(
    night: BadNight,
) -> None:
    night.sequence = WHOLE
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    data = night.first_run.data
    assert data["Temperature (K)"].min() == pytest.approx(4.2, abs=0.05)
    assert data["Temperature (K)"].max() == pytest.approx(300.0, abs=0.5)
    truth = make_twostep({"model": "twostep", "length_mm": 3.0, "width_mm": 3.0, "thickness_mm": 1.0}, "it")
    for kelvin in (25.0, 100.0, 290.0):
        assert resistivity_at(data, kelvin) == pytest.approx(truth.resistivity(kelvin, 0.0), rel=0.01)
    found = {result.id: result for result in analyse(night.running.folder).results}
    assert found["resistivity"].value == pytest.approx(0.0300, rel=0.01)
    assert not night.said("suspended")
    assert night.the_lab.wiring.terminals("k6221.out", night.the_lab.now()) == (0.0, 0.0)
    assert night.said("safe_state")[1].startswith("temperature setpoint left at 300 K, heater range 5")


def test_a_settled_night_measures_each_temperature_and_asks_no_field(night: BadNight) -> None:
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    assert kelvins(night) == [300.0, 296.0, 292.0]
    assert night.first_run.data["Field (Oe)"].isna().all()
    assert night.commands("FIELD ") == []
    rows = night.night.environment
    assert set(rows["Field state"]) == {"none"}
    assert {"ramping", "settling", "stable"} <= set(rows["Temperature state"])


def test_a_field_is_refused_before_the_night(night: BadNight) -> None:
    path = night.folder / "night.yaml"
    path.write_text(SHORT.replace("current: 1 mA", "current: 1 mA\n      field: 1 T"), encoding="utf-8")
    with pytest.raises(SequenceError, match="the station dip-sim has no magnet; leave the field out"):
        make_plan(path)


def test_a_rate_that_the_station_does_not_allow_is_refused_before_the_night(night: BadNight) -> None:
    path = night.folder / "night.yaml"
    path.write_text(SWEPT.replace("1 K/min", "20 K/min"), encoding="utf-8")
    with pytest.raises(SequenceError, match=r"20 K/min is above 5 K/min, the most allowed .*station\.toml"):
        make_plan(path)


# --- bad ones


def test_a_heater_that_is_off_at_the_beginning_ends_the_night_safely(night: BadNight) -> None:
    night.at(0.1, lambda lab: say(lab, "RANGE 0"))
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) != ("finished", 0)
    assert outcome.safe
    assert any("the heater of ls340 is off" in text for text in night.said("suspended") + night.said("fault"))
    assert night.commands("SETP 1,") == []


def say(lab: VirtualLab, message: str) -> Any:
    """Press a key at the front panel of the controller."""
    return lab.instruments["ls340"].execute(message, lab.now())


def test_a_heater_that_breaks_stands_the_night_still_with_its_source_off(night: BadNight) -> None:
    night.fault("heater_lost", "cryostat", at=400.0, until=2000.0)
    night.ask(2500.0, "acknowledge")
    night.ask(2600.0, "resume")
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    assert kelvins(night) == [300.0, 296.0, 292.0]
    assert night.reasons() == ["fault"]
    assert "open load" in night.said("suspended")[0]
    since = night.when("suspended")
    assert night.commands("SETP 1,", since=since, until=2500.0) == []
    assert night.off_at(since + 60.0)


def test_a_setpoint_from_the_front_panel_suspends_until_it_is_accepted(night: BadNight) -> None:
    night.at(800.0, lambda lab: say(lab, "SETP 1,280"))
    night.ask(1500.0, "acknowledge")
    night.ask(1600.0, "resume")
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    assert night.reasons() == ["foreign_setpoint"]
    assert kelvins(night) == [300.0, 296.0, 292.0]


def test_a_setpoint_that_jumps_runs_away_and_ends_the_night_safely(night: BadNight) -> None:
    night.at(800.0, lambda lab: say(lab, "RAMP 1,0,1;SETP 1,280"))
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "interlock temperature_rate trips" in night.said("failed")[0]
    # the setpoint is brought to where the probe is, and it stays there
    end_s = night.when("ended")
    assert night.the_lab.cryostat.setpoint()[0] == pytest.approx(
        night.the_lab.cryostat.sensor(end_s), abs=1.0
    )


def test_a_stop_in_a_sweep_leaves_the_source_off_and_the_setpoint_as_it_is(night: BadNight) -> None:
    night.sequence = SWEPT
    night.ask(500.0, "stop")
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("stopped", True, 4)
    assert night.the_lab.wiring.terminals("k6221.out", night.the_lab.now()) == (0.0, 0.0)
    assert len(kelvins(night)) > 2


def test_a_pause_stops_the_ramp_and_a_resume_goes_on(night: BadNight) -> None:
    night.sequence = SWEPT
    night.ask(500.0, "pause")
    night.ask(1500.0, "resume")
    held: list[tuple[float, float]] = []
    night.at(1400.0, lambda lab: held.append((lab.cryostat.sensor(1400.0), lab.cryostat.ramped(1400.0))))
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    ((sensor, setpoint),) = held
    assert sensor == pytest.approx(setpoint, abs=0.05)
    assert setpoint > 290.5
    assert night.first_run.data["Temperature (K)"].min() == pytest.approx(290.0, abs=0.7)


def test_a_controller_that_is_silent_for_a_while_costs_no_setpoint(night: BadNight) -> None:
    night.fault("drop", "ls340", at=700.0, until=900.0)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    assert kelvins(night) == [300.0, 296.0, 292.0]


def test_a_night_that_was_left_in_a_sweep_is_taken_up(night: BadNight) -> None:
    night.sequence = SWEPT
    night.ask(500.0, "stop")
    assert night.run().status == "stopped"
    path = night.running.folder
    left = left_night(path, WallClock())
    with prepared(left.plan, left.choice(None)) as (clock, key):
        again = NightThread(left.plan, night.folder / "runs", clock, key, again=path, before=left.before)
        again.start()
        assert again.wait(60)
        assert again.outcome().status == "finished"
    data = Night.open(path).runs[0].current
    assert data["Temperature (K)"].min() == pytest.approx(290.0, abs=0.7)
