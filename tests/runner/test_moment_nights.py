"""Nights of a magnetometer in the virtual lab: MultiVu measures, the night follows its files."""

import re
from pathlib import Path

import pytest

from onnes.instruments.clock import WallClock
from onnes.runner.nights import resume_folder
from onnes.runner.resume import left_night
from onnes.storage.qd_dat import read_dat
from tests.runner.bad_night import BadNight

EXAMPLES = Path(__file__).parents[2] / "examples"
SEQUENCE = """
sequence: 1
station: station.toml
sample: sample.toml
mounting: long_axis
contact_check: {declined: there are no contacts}
finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}
defaults:
  prepare: {warm_to: 50 K, relax: 1 min, soak: 1 min}
  scan: {mode: vsm}
steps:
  - zfc_fc: {field: 200 Oe, temperature: [10 K, 20 K, 40 K], curves: [zfc, fcc]}
  - magnetization: {curve: virgin, temperature: 10 K, field: 0..600 Oe step 200 Oe}
"""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    """A night of the virtual MPMS3 with the nanocomposite bar and the MultiVu server beside the sequence."""
    monkeypatch.setattr("onnes.runner.hold._PERSON_S", 0.0)
    station = (EXAMPLES / "stations/mpms3-sim.toml").read_text(encoding="utf-8")
    station = station.replace("../multivu", "multivu").replace(
        'calibration = "calibrations/mpms3-sim.toml"', ""
    )
    (tmp_path / "station.toml").write_text(station, encoding="utf-8")
    (tmp_path / "templates").mkdir()
    for name, folder in (("mpms3-sim.seq", "templates"), ("NC-01.toml", "")):
        source = EXAMPLES / ("stations/templates" if folder else "samples") / name
        target = tmp_path / (f"{folder}/{name}" if folder else "sample.toml")
        target.write_bytes(source.read_bytes())
    return BadNight(tmp_path, SEQUENCE)


@pytest.fixture
def night(beside: BadNight) -> BadNight:
    """The same of a machine that is not reached over the network: only its sequence sets anything."""
    station = beside.folder / "station.toml"
    text = station.read_text(encoding="utf-8")
    text = re.sub(r"^(host|thermostat|magnet|chamber) = .*\n", "", text, flags=re.MULTILINE)
    station.write_text(text, encoding="utf-8")
    return beside


def _sequences(night: BadNight) -> list[str]:
    folder = night.folder / "multivu/mpms3-sim/sequences"
    return sorted(path.name for path in folder.glob("onnes-start-*.seq"))


def _data(night: BadNight) -> list[str]:
    name = f"{night.night.path.name}_"
    return sorted(
        path.stem.removeprefix(name) for path in (night.folder / "multivu/mpms3-sim/data").glob("*.dat")
    )


def test_one_start_is_enough_for_a_stretch_of_measurements_and_the_finish(night: BadNight) -> None:
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome
    assert len(night.said("hand_over")) == len(_sequences(night)) == 1
    assert _data(night) == ["01_zfc-fc_a1", "02_finish_a1", "02_magnetization-virgin_a1"]
    zfc_fc, virgin = night.night.runs
    assert list(zfc_fc.data["Branch"]) == ["zfc"] * 3 + ["fcc"] * 3
    assert list(zfc_fc.data["Temperature setpoint (K)"]) == [10, 20, 40, 40, 20, 10]
    assert list(virgin.data["Measuring field (Oe)"]) == [0, 200, 400, 600]
    assert [run.manifest["attempts"][-1]["attempt"] for run in (zfc_fc, virgin)] == [1, 1]
    (reached,) = night.said("finish")
    kelvin = float(reached.removeprefix("MultiVu has reached the finish: ").partition(" K")[0])
    assert kelvin == pytest.approx(10.0, abs=0.05)
    # What the analysis of a moment needs is with the data.
    assert zfc_fc.manifest["mounting"] == "long_axis"
    assert zfc_fc.manifest["body"]["axis"] == "length"
    assert zfc_fc.manifest["body"]["demagnetisation"] == "prozorov_kogan"
    # The points are there as a file of Quantum Design too, in the columns of the machine.
    exported = read_dat(zfc_fc.path / "data.dat")
    assert exported.frame["Moment (emu)"].dropna().tolist() == zfc_fc.data["Moment (emu)"].tolist()
    assert [text for _, text in exported.remarks] == ["ZFC 200 Oe", "FC 200 Oe"]
    # It is shown what is waited for, and a long preparation is no stall.
    assert any("waiting for the row at 10 K, 200 Oe" in said for said in night.said("waiting"))
    assert not night.events("suspended")
    assert not night.events("stall")


def test_a_zfc_branch_screens_and_an_fcc_branch_less(night: BadNight) -> None:
    night.run()
    moments = night.night.runs[0].data["Moment (emu)"]
    zfc, fcc = moments[0], moments[5]
    assert zfc < fcc < 0 or zfc < 0 < fcc
    assert abs(moments[2]) < 0.05 * abs(zfc)  # at 40 K it is normal


def test_a_sequence_that_is_stopped_is_prepared_again_under_a_new_name(night: BadNight) -> None:
    night.fault("sequence_stopped", at=4000.0, count=1)
    states: list[str] = []

    def look(count: int, thread: object) -> None:
        del count, thread
        states.append(night.shown[-1].state)

    night.after_point = look
    for t in range(6000, 20000, 1000):
        night.ask(float(t), "acknowledge", "resume")
    outcome = night.run()
    assert outcome.status == "finished", outcome
    assert night.reasons() == ["fault"]
    assert "has stopped growing at" in night.said("suspended")[0]
    first = night.first_run
    assert [entry.get("rule") for entry in first.manifest["attempts"]][1:] == ["path"]
    assert list(first.current["Temperature setpoint (K)"]) == [10, 20, 40, 40, 20, 10]
    starts = night.said("hand_over")
    assert len(starts) == 2
    assert "stop what MultiVu still does of this night first" in starts[1]
    assert "01_zfc-fc_a2" in _data(night)
    assert "02_magnetization-virgin_a2" in _data(night)
    assert "02_magnetization-virgin_a1" not in _data(night)


def test_a_night_that_nobody_starts_says_which_file_waits_and_is_resumed(night: BadNight) -> None:
    night.fault("operator_absent", at=0.0, until=1e9)
    night.ask(3000.0, "stop")
    outcome = night.run()
    # Nothing can be set from here, so the finish is not reached; and nobody knows what MultiVu goes on with.
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", False, 5)
    assert "finish not reached: temperature and field cannot be set from here" in outcome.message
    start = Path(night.events("hand_over")[0]["values"]["start"]).name
    assert any(f"waiting for somebody to start {start} in MultiVu" in said for said in night.said("waiting"))
    assert night.said("hand_over")[0].startswith(f"start {start} in MultiVu")

    left = left_night(night.night.path, WallClock())
    assert [rest.number for rest in left.rests] == [1, 2]
    resumed = resume_folder(str(night.night.path), real_time=None, agree=lambda _: True)
    assert resumed.exit_code == 0
    assert [run.status for run in night.night.runs] == ["finished", "finished"]
    assert night.first_run.manifest["attempts"][-1]["rule"] == "path"
    assert "01_zfc-fc_a2" in _data(night)


def test_beside_a_sequence_the_server_sets_the_finish_and_reads_what_goes_on(beside: BadNight) -> None:
    outcome = beside.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome
    assert _data(beside) == ["01_zfc-fc_a1", "02_magnetization-virgin_a1"]  # no program for the finish
    surroundings = beside.night.environment
    assert surroundings["Temperature (K)"].max() > 49.0  # MultiVu warmed the sample above its transition
    assert surroundings["Temperature (K)"].iloc[-1] == pytest.approx(10.0, abs=0.1)
    assert not beside.events("foreign_setpoint")
    assert not beside.events("suspended")
    assert list(beside.night.runs[0].data["Branch"]) == ["zfc"] * 3 + ["fcc"] * 3


def test_a_server_that_is_away_for_a_while_costs_a_sequence_that_goes_on_nothing(beside: BadNight) -> None:
    beside.fault("timeout", target="multivu", at=3000.0, until=3100.0)
    outcome = beside.run()
    assert (outcome.status, outcome.exit_code) == ("finished", 0), outcome
