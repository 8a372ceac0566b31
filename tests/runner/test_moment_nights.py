"""Nights of a magnetometer in the virtual lab: MultiVu measures, the night follows its files."""

from pathlib import Path

import pytest

from onnes.instruments.clock import WallClock
from onnes.runner.nights import resume_folder
from onnes.runner.resume import left_night
from onnes.storage.qd_dat import read_dat
from tests.runner.moment_night import MomentNight, moment_night


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    """A night with the MultiVu server beside the sequence."""
    return moment_night(tmp_path / "beside", monkeypatch, served=True)


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    """A night of a machine that is not reached over the network: only its sequence sets anything."""
    return moment_night(tmp_path / "night", monkeypatch)


def test_one_start_is_enough_for_a_stretch_of_measurements_and_the_finish(night: MomentNight) -> None:
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome
    assert len(night.said("hand_over")) == len(night.starts()) == 1
    assert night.files() == ["01_zfc-fc_a1", "02_finish_a1", "02_magnetization-virgin_a1"]
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


def test_a_zfc_branch_screens_and_an_fcc_branch_less(night: MomentNight) -> None:
    night.run()
    moments = night.night.runs[0].data["Moment (emu)"]
    zfc, fcc = moments[0], moments[5]
    assert zfc < fcc < 0 or zfc < 0 < fcc
    assert abs(moments[2]) < 0.05 * abs(zfc)  # at 40 K it is normal


def test_a_sequence_that_is_stopped_is_prepared_again_under_a_new_name(night: MomentNight) -> None:
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
    assert "01_zfc-fc_a2" in night.files()
    assert "02_magnetization-virgin_a2" in night.files()
    assert "02_magnetization-virgin_a1" not in night.files()


def test_a_night_that_nobody_starts_says_which_file_waits_and_is_resumed(night: MomentNight) -> None:
    night.fault("operator_absent", at=0.0, until=1e9)
    night.ask(3000.0, "stop")
    outcome = night.run()
    # Nothing can be set from here, so the finish is not reached; and nobody knows what MultiVu goes on with.
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("stopped", False, 5)
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
    assert "01_zfc-fc_a2" in night.files()


def test_beside_a_sequence_the_server_sets_the_finish_and_reads_what_goes_on(beside: MomentNight) -> None:
    outcome = beside.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome
    assert beside.files() == ["01_zfc-fc_a1", "02_magnetization-virgin_a1"]  # no program for the finish
    surroundings = beside.night.environment
    assert surroundings["Temperature (K)"].max() > 49.0  # MultiVu warmed the sample above its transition
    assert surroundings["Temperature (K)"].iloc[-1] == pytest.approx(10.0, abs=0.1)
    assert not beside.events("foreign_setpoint")
    assert not beside.events("suspended")
    assert list(beside.night.runs[0].data["Branch"]) == ["zfc"] * 3 + ["fcc"] * 3


def test_a_server_that_is_away_for_a_while_costs_a_sequence_that_goes_on_nothing(beside: MomentNight) -> None:
    beside.fault("timeout", target="multivu", at=3000.0, until=3100.0)
    outcome = beside.run()
    assert (outcome.status, outcome.exit_code) == ("finished", 0), outcome
