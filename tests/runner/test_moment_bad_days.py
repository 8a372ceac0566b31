"""Bad days of a magnetometer night: its MultiVu, its files, its share and its person go wrong."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onnes.sim.fault_kinds import MultiVuFault, ServerFault
from onnes.sim.lab import VirtualLab
from tests.runner.moment_night import MomentNight, moment_night

ZFC_FC = [10, 20, 40, 40, 20, 10]
VIRGIN = [0, 200, 400, 600]
# Of an undisturbed night, lab time: its sequence begins at 70 s, ZFC has rows from 3346 s to 4126 s, FCC from
# 5096 s to 5930 s, the virgin curve from 7501 s to 7646 s, and the finish is reached at 7669 s.
PREPARING, IN_ZFC, IN_FCC, BETWEEN, IN_VIRGIN = 2000.0, 3800.0, 5200.0, 6500.0, 7590.0

_STAMP, _MOMENT = ("Time Stamp (sec)", "Time"), ("Moment (emu)", "Long Moment (emu)")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    """A night of a machine that only its sequence sets."""
    return moment_night(tmp_path / "night", monkeypatch)


def written(night: MomentNight, program: str) -> list[float]:
    """Return the time stamps of the moments that are whole in the files of a program, in order."""
    stamps: set[float] = set()
    for file in (night.multivu / "data").glob(f"*_{program}*.dat"):
        rows = list(csv.reader(file.read_text(encoding="cp1252").splitlines()))
        names = next(row for row in rows if "Comment" in row)
        stamp, moment = (next(names.index(name) for name in of if name in names) for of in (_STAMP, _MOMENT))
        whole = [row for row in rows if len(row) == len(names) and row != names]
        stamps |= {float(row[stamp]) for row in whole if row[moment]}
    return sorted(stamps)


def is_whole(night: MomentNight, *, all_were_seen: bool = True) -> None:
    """Each planned moment is there once, in order, each curve is of one attempt, and no row was lost.

    ``all_were_seen``: of a program that was given up MultiVu has written nothing more.
    """
    zfc_fc, virgin = night.night.runs
    assert list(zfc_fc.current["Temperature setpoint (K)"]) == ZFC_FC
    assert list(zfc_fc.current["Branch"]) == ["zfc"] * 3 + ["fcc"] * 3
    assert list(virgin.current["Measuring field (Oe)"]) == VIRGIN
    for run, program in ((zfc_fc, "01_zfc-fc"), (virgin, "02_magnetization")):
        assert all(curve["Attempt"].nunique() == 1 for _, curve in run.current.groupby("Curve"))
        stamps = list(run.data["Time stamp (s)"])
        assert stamps == [stamp for stamp in written(night, program) if all_were_seen or stamp in stamps]


def told(night: MomentNight) -> list[str]:
    """Return what was said of the files of MultiVu, without the name of the night."""
    return [text.replace(f"{night.night.path.name}_", "") for text in night.said("magnetometer")]


# -- the file


@pytest.mark.parametrize("machine", ["mpms3", "mpms-xl"])
def test_of_a_good_file_nothing_is_said_and_each_row_is_a_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    night = moment_night(tmp_path / "night", monkeypatch, machine=machine)
    assert night.run().exit_code == 0
    is_whole(night)
    assert told(night) == []  # nor of the remarks that the program writes into it


@pytest.mark.parametrize(
    ("kind", "at", "more", "says"),
    [
        ("file_replaced", IN_FCC, {}, "another file has taken its place; it is read anew from its start"),
        ("partial_row", IN_FCC, {"seconds": 40.0}, None),
        ("second_header", IN_FCC, {}, "line 22: a second header"),
        ("unknown_column", 0.0, {}, "unknown column"),
    ],
)
def test_a_file_that_is_changed_in_the_middle_costs_no_row_and_repeats_none(
    night: MomentNight, kind: MultiVuFault, at: float, more: dict[str, Any], says: str | None
) -> None:
    night.fault(kind, at=at, count=1, **more)
    assert night.run().exit_code == 0
    is_whole(night)
    assert not night.events("suspended")
    assert [text.partition(": ")[2].startswith(says or "") for text in told(night)] == [True] * bool(says)


def test_a_file_that_loses_its_end_costs_the_row_that_runs_into_the_rest_and_no_other(
    night: MomentNight,
) -> None:
    night.fault("file_truncated", at=IN_FCC, count=1)
    assert night.run().exit_code == 0
    zfc_fc = night.first_run.current
    assert list(zfc_fc["Temperature setpoint (K)"]) == [10, 20, 40, 40, 10]
    assert (zfc_fc["Temperature (K)"] - zfc_fc["Temperature setpoint (K)"]).abs().max() < 0.1
    shorter, run_into, missing = (text.removeprefix("01_zfc-fc_a1.dat: ") for text in told(night))
    assert shorter.startswith("it has become shorter, ")
    assert run_into == "line 15: a row has run into the row of columns; it is left out"
    assert missing.startswith("there is no row of 20 K, 200 Oe (fcc), number 5 of 6: line 16 of ")


def test_a_file_that_is_written_anew_in_utf8_costs_no_row(night: MomentNight) -> None:
    def anew(_: object) -> None:
        (file,) = (night.multivu / "data").glob("*_zfc-fc_a1.dat")
        file.write_text(file.read_text(encoding="cp1252"), encoding="utf-8-sig", newline="")

    night.at(IN_FCC, anew)
    assert night.run().exit_code == 0
    is_whole(night)
    assert ["another file has taken its place" in text for text in told(night)][:1] == [True]


# -- its sequence, and the person who starts it


@pytest.mark.parametrize(
    ("at", "row", "again", "attempts"),
    [
        (IN_ZFC, "20 K, 200 Oe", "curve 1 from ZFC 200 Oe on", [2, 2]),
        (IN_FCC, "40 K, 200 Oe", "curve 2 from FCC 200 Oe on", [1, 2]),
    ],
)
def test_growth_that_stops_says_where_and_resume_prepares_the_open_curve_again(
    night: MomentNight, at: float, row: str, again: str, attempts: list[int]
) -> None:
    night.fault("sequence_stopped", at=at, count=1)
    outcome = night.run()
    (file,) = (night.multivu / "data").glob("*_zfc-fc_a1.dat")
    assert (outcome.status, outcome.exit_code) == ("failed", 5)
    size = file.stat().st_size
    assert f"{file} has stopped growing at {size} bytes, the last row at {row}; the row at" in outcome.message
    assert night.reasons() == ["fault"]
    assert len(night.said("hold_failed")) == 1  # told once, though nobody came for an hour
    begun = night.first_run.data
    assert night.take_up(night.night.path).exit_code == 0
    is_whole(night)
    assert any(again in text for text in night.said("taken_up"))
    assert list(night.first_run.current.groupby("Curve")["Attempt"].first()) == attempts
    assert list(night.first_run.data["Time stamp (s)"])[: len(begun)] == list(begun["Time stamp (s)"])


def test_somebody_who_comes_late_starts_the_whole_night_all_the_same(night: MomentNight) -> None:
    night.fault("operator_absent", at=0.0, until=5000.0)
    assert night.run().exit_code == 0
    is_whole(night)
    assert not night.events("suspended")
    assert len(night.starts()) == 1


# -- the share


@pytest.fixture
def shared(night: MomentNight) -> MomentNight:
    """A night that sees the data of MultiVu through a share, which can be away while MultiVu goes on."""
    real = night.folder / "c"
    real.mkdir()
    night.multivu.mkdir(parents=True)
    try:
        (night.multivu / "data").symlink_to(real, target_is_directory=True)
    except OSError:
        pytest.skip("this user may make no links")

    def at_home(lab: VirtualLab) -> None:
        assert lab.sequencer is not None
        lab.sequencer.folders = replace(lab.sequencer.folders, data=real)

    night.plans.append(at_home)
    return night


def away(night: MomentNight, since: float, until: float) -> None:
    link = night.multivu / "data"
    night.at(since, lambda _: link.unlink())
    night.at(until, lambda _: link.symlink_to(night.folder / "c", target_is_directory=True))


@pytest.mark.parametrize("since", [20.0, PREPARING, IN_FCC, 5900.0, BETWEEN, 7655.0])
def test_a_share_that_is_away_for_minutes_costs_nothing(shared: MomentNight, since: float) -> None:
    away(shared, since, since + 800.0)
    assert shared.run().exit_code == 0
    is_whole(shared)
    assert not shared.events("suspended")
    gone, back = (text.partition(".dat ")[2] for text in told(shared))
    assert gone.startswith("cannot be looked at, while MultiVu goes on: cannot read ")
    assert back.startswith("can be looked at again, after 8")
    assert len(shared.starts()) == 1


def test_a_share_that_comes_back_too_late_costs_the_open_curve_and_no_night(shared: MomentNight) -> None:
    away(shared, IN_FCC, IN_FCC + 1800.0)
    outcome = shared.run()
    assert outcome.exit_code == 0, outcome
    is_whole(shared, all_were_seen=False)  # it has gone on with FCC
    assert shared.reasons() == ["link"]
    assert list(shared.first_run.current.groupby("Curve")["Attempt"].first()) == [1, 2]


def test_a_share_that_stays_away_is_given_up_in_the_end_and_resumed(shared: MomentNight) -> None:
    away(shared, IN_FCC, 1e6)
    outcome = shared.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 5)
    assert ".dat cannot be followed, for 1" in outcome.message
    assert shared.reasons() == ["link"]
    (shared.multivu / "data").symlink_to(shared.folder / "c", target_is_directory=True)
    assert shared.take_up(shared.night.path).exit_code == 0
    is_whole(shared, all_were_seen=False)
    assert list(shared.first_run.current.groupby("Curve")["Attempt"].first()) == [1, 2]


# -- its server


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    """A night of a machine whose MultiVu server is asked beside the sequence."""
    return moment_night(tmp_path / "served", monkeypatch, served=True)


@pytest.mark.parametrize("kind", ["late_confirmation", "swallowed_request", "split_frame", "dead_client"])
def test_a_server_with_the_faults_of_the_makers_costs_no_row(served: MomentNight, kind: ServerFault) -> None:
    served.fault(kind, at=0.0, until=1e9)
    outcome = served.run()
    assert outcome.exit_code == 0, outcome
    is_whole(served)
    assert not served.events("suspended")


def test_a_server_that_takes_no_connection_for_some_minutes_costs_no_row(served: MomentNight) -> None:
    served.fault("drop", target="multivu", at=IN_FCC, until=IN_FCC + 300.0)
    served.fault("connection_refused", at=IN_FCC, seconds=300.0)
    outcome = served.run()
    assert outcome.exit_code == 0, outcome
    is_whole(served)
    assert not served.events("suspended")
    (told,) = (event for event in served.events("interlock") if event["values"]["interlock"] == "link")
    assert IN_FCC + 60.0 <= told["t"] <= IN_FCC + 120.0
    # What was not read is not in the log, and what was read again is.
    log = served.night.environment.set_index("Elapsed (s)")["Temperature (K)"]
    assert log[IN_FCC + 60.0 : IN_FCC + 290.0].isna().all()
    assert log[IN_FCC + 400.0 :].notna().all()


def test_a_finish_that_the_server_does_not_take_is_no_finished_night(served: MomentNight) -> None:
    served.fault("set_ignored", at=0.0, until=1e9, says="unconfirmed")
    outcome = served.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3), outcome
    assert "finish not reached" in outcome.message
    is_whole(served)
