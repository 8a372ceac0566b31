"""Nights and runs that broke off are taken up in their own folders, and nothing of them is lost."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night, Run
from onnes.storage.run import RunFolder
from onnes.storage.table import RunHeader

SIMULATED = {"backend": "simulated", "lab": "ppms9", "seed": 7}
FREE = {"rule": "free", "curve": 1, "done": 2, "reason": "the link was silent"}
PATH = {"rule": "path", "curve": 2, "done": 0, "reason": "killed"}
RUN = "01_resistivity-field_4.2K"
MakeRun = Callable[[Sequence[Column]], RunFolder]


class Drive(Protocol):
    full: bool
    room: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Sample(Point):
    curve: Annotated[int, Column("Curve", "", "number of the pass")]
    kelvin: Annotated[float, Column("Temperature", "K", "of the sample")]
    note: Annotated[str, Column("Note", "", "text")] = 'two\nlines "quoted"'


COLUMNS = list(columns_of(Sample).values())


@pytest.fixture
def killed(night: NightFolder, make_run: MakeRun, wall: VirtualClock) -> Path:
    """A night as a kill leaves it: three good points, one rejected, a torn row in every file."""
    run = make_run(COLUMNS)
    for curve, kelvin in ((1, 1.0), (1, 2.0), (2, 3.0)):
        run.append(Sample(curve, kelvin))
    run.append(Sample(2, 4.0, rejected="noisy"))
    night.event("note", 'a "quote', {}, wall)
    night.environment({"Temperature (K)": 4.2, "Status": "0x1", "Helium (%)": 62.0})
    copy = night.path.with_name("copy")
    shutil.copytree(night.path, copy)
    for name, torn in (
        (f"{RUN}/data.csv", b'2,4.0,"two\nli'),
        (f"{RUN}/rejected.csv", b"2,"),
        ("events.jsonl", b'{"t": 1'),
        ("environment.csv", b"4.1,0x"),
    ):
        with (copy / name).open("ab") as file:
            file.write(torn)
    wall.sleep(600.0)
    return copy


def rows(folder: Path) -> list[tuple[float, int]]:
    data = Run.open(folder).data
    return list(zip(data["Temperature (K)"].tolist(), data["Attempt"].tolist(), strict=True))


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*.*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_killed_night_goes_on_behind_its_last_whole_rows(killed: Path, wall: VirtualClock) -> None:
    header = (killed / RUN / "data.csv").read_bytes().split(b"\n1,1.0")[0]
    night = NightFolder.reopen(killed, wall)
    assert Night.open(killed).status == "running"
    run = night.reopen_run(RUN, PATH, COLUMNS)
    assert sorted(night.remarks()) == [
        f"{RUN}: cut 13 bytes of a torn row off data.csv: b'2,4.0,\"two\\nli'",
        f"{RUN}: cut 2 bytes of a torn row off rejected.csv: b'2,'",
        "cut 6 bytes of a torn row off environment.csv: b'4.1,0x'",
        "cut 7 bytes of a torn row off events.jsonl: b'{\"t\": 1'",
    ]
    assert night.remarks() == []
    run.append(Sample(2, 3.0))
    run.append(Sample(2, 4.0, rejected="noisy"))
    night.event("note", "taken up", {}, wall)
    night.environment({"Temperature (K)": 4.3, "Status": "0x2", "Helium (%)": 61.0})
    run.close("finished")
    night.close("finished")
    read = Night.open(killed)
    assert rows(killed / RUN) == [(1.0, 1), (2.0, 1), (3.0, 1), (3.0, 2)]
    assert (killed / RUN / "data.csv").read_bytes().startswith(header)
    assert read.runs[0].rejected["Attempt"].tolist() == [1, 2]
    assert (read.runs[0].manifest["points"], read.runs[0].manifest["rejected"]) == (4, 2)
    assert read.events["message"].tolist() == ['a "quote', "taken up"]
    assert read.environment["Helium (%)"].tolist() == [62.0, 61.0]
    assert (read.status, read.runs[0].status) == ("finished", "finished")


def test_the_night_says_who_took_it_up_and_what_was_found(killed: Path, wall: VirtualClock) -> None:
    NightFolder.reopen(killed, wall).close("stopped")
    wall.sleep(60.0)
    night = NightFolder.reopen(killed, wall)
    read = Night.open(killed)
    assert "ended" not in read.manifest
    assert read.owner["pid"] == os.getpid()
    assert read.heartbeat == wall.datetime()
    assert [
        (each["attempt"], each["started"][11:19], each["owner"]["pid"], each.get("status_before"))
        for each in read.attempts
    ] == [
        (1, "00:00:00", os.getpid(), None),
        (2, "00:10:00", os.getpid(), "running"),
        (3, "00:11:00", os.getpid(), "stopped"),
    ]
    assert read.attempts[1]["heartbeat_before"] == "2026-01-01T00:00:00+00:00"
    night.close("aborted")


def test_a_run_says_why_each_attempt_was_begun(killed: Path, wall: VirtualClock) -> None:
    night = NightFolder.reopen(killed, wall)
    run = night.reopen_run(RUN, FREE)
    assert run.attempt == 2
    wall.sleep(5.0)
    run.next_attempt(PATH)
    assert Run.open(run.path).attempts == [
        {"attempt": 1, "started": "2026-01-01T00:00:00+00:00"},
        {"attempt": 2, "started": "2026-01-01T00:10:00+00:00", **FREE},
        {"attempt": 3, "started": "2026-01-01T00:10:05+00:00", **PATH},
    ]
    run.append(Sample(2, 3.0))
    run.append(Sample(2, 4.0))
    night.close("stopped")
    assert rows(run.path) == [(1.0, 1), (2.0, 1), (3.0, 1), (3.0, 3), (4.0, 3)]


@pytest.mark.parametrize("status", ["failed", "stopped", "aborted"])
def test_a_run_that_ended_badly_is_taken_up_in_the_same_process(
    night: NightFolder, make_run: MakeRun, status: str
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(1, 1.0))
    with pytest.raises(ValueError, match=rf"run {RUN} is open; begin its next attempt there"):
        night.reopen_run(RUN, FREE)
    run.close(status)
    again = night.reopen_run(RUN, FREE, COLUMNS)
    assert Run.open(run.path).status == "running"
    assert "ended" not in Run.open(run.path).manifest
    again.append(Sample(1, 2.0))
    again.close("finished")
    assert rows(run.path) == [(1.0, 1), (2.0, 2)]
    assert Run.open(run.path).manifest["points"] == 2
    with pytest.raises(ConfigurationError, match="is finished; there is nothing to take up in it"):
        night.reopen_run(RUN, FREE)


def test_an_attempt_that_cannot_be_recorded_has_not_begun(
    night: NightFolder, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(1, 1.0))

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match="No space left on device"):
            run.next_attempt(FREE)
    assert run.attempt == 1
    run.append(Sample(1, 2.0))
    run.next_attempt(FREE)
    run.append(Sample(1, 3.0))
    night.flush()
    assert rows(run.path) == [(1.0, 1), (2.0, 1), (3.0, 2)]
    assert [each["attempt"] for each in Run.open(run.path).attempts] == [1, 2]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"rule": "maybe"}, "rule = 'maybe' of an attempt is neither 'free' nor 'path'"),
        ({"curve": 0}, "curve = 0 counts from 1 and done = 2 from 0"),
        ({"done": -1}, "done = -1 from 0"),
        ({"reason": ""}, "an attempt has no reason; say what broke the one before it off"),
    ],
)
def test_an_attempt_says_how_and_why(make_run: MakeRun, wrong: dict[str, Any], text: str) -> None:
    run = make_run(COLUMNS)
    with pytest.raises(ValueError, match=text):
        run.next_attempt({**FREE, **wrong})
    assert run.attempt == 1


def test_points_of_another_type_are_refused_after_a_resume(killed: Path, wall: VirtualClock) -> None:
    @dataclass(frozen=True, slots=True)
    class Other(Point):
        curve: Annotated[int, Column("Curve", "", "")]
        kelvin: Annotated[str, Column("Temperature", "K", "")]
        note: Annotated[str, Column("Note", "", "")]

    night = NightFolder.reopen(killed, wall)
    run = night.reopen_run(RUN, FREE)
    with pytest.raises(TypeError, match="Other has columns of other types than the points before it"):
        run.append(Other(1, "cold", ""))
    night.close("failed")


def test_other_columns_are_refused(killed: Path, wall: VirtualClock) -> None:
    night = NightFolder.reopen(killed, wall)
    before = contents(killed / RUN)
    columns = [COLUMNS[0], Column("Field", "Oe", ""), COLUMNS[2]]
    with pytest.raises(
        StorageError, match=r"other columns .*missing \['Temperature \(K\)'\], unknown \['Field \(Oe\)'\]"
    ):
        night.reopen_run(RUN, FREE, columns)
    assert contents(killed / RUN) == before
    night.close("failed")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.unlink(), r"cannot read .*night\.json.*; nothing was changed; restore it from a"),
        (lambda path: path.write_bytes(b'{"form'), r"night\.json is not JSON: .*; nothing was changed"),
        (lambda path: path.write_bytes(b"[1]"), r"night\.json holds a list; expected an object; nothing was"),
        (
            lambda path: edit(path, format=2),
            "has format 2 and this version takes up format 1",
        ),
        (
            lambda path: edit(path, owner=None, status=None),
            "without a proper entry status, owner",
        ),
        (lambda path: edit(path, attempts=[{}]), "without a proper entry attempts"),
        (lambda path: edit(path, seed=None), "without a proper entry backend, lab and seed"),
        (
            lambda path: edit(path, sequence_sha256="0"),
            r"sequence\.yaml is not the text that",
        ),
        (lambda path: path.with_name("sequence.yaml").unlink(), r"cannot read .*sequence\.yaml"),
    ],
)
def test_a_night_that_is_damaged_is_refused_and_left_as_it_is(
    killed: Path, wall: VirtualClock, damage: Callable[[Path], None], text: str
) -> None:
    damage(killed / "night.json")
    before = contents(killed)
    with pytest.raises(StorageError, match=text):
        NightFolder.reopen(killed, wall)
    assert contents(killed) == before


def edit(path: Path, **entries: Any) -> None:
    found = {**json.loads(path.read_bytes()), **entries}
    kept = {key: value for key, value in found.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def test_a_finished_night_is_refused(night: NightFolder, wall: VirtualClock) -> None:
    night.close("finished")
    before = contents(night.path)
    with pytest.raises(ConfigurationError, match="_0001 is finished; there is nothing to take up in it"):
        NightFolder.reopen(night.path, wall)
    assert contents(night.path) == before


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda run: (run / "run.json").unlink(), r"cannot read .*run\.json.*; nothing was changed"),
        (
            lambda run: edit(run / "run.json", columns=[1]),
            "columns is no list of columns",
        ),
        (
            lambda run: (run / "data.csv").write_bytes(b"#Procedure: <a.B>\nCur"),
            "has lost the names",
        ),
        (lambda run: (run / "rejected.csv").unlink(), r"cannot take up .*rejected\.csv"),
    ],
)
def test_a_run_that_is_damaged_is_refused(
    killed: Path, wall: VirtualClock, damage: Callable[[Path], None], text: str
) -> None:
    night = NightFolder.reopen(killed, wall)
    damage(killed / RUN)
    before = contents(killed / RUN)
    with pytest.raises(StorageError, match=text):
        night.reopen_run(RUN, FREE)
    after = contents(killed / RUN)
    assert after.keys() == before.keys()
    assert all(before[name].startswith(content) for name, content in after.items())
    night.close("failed")


def test_a_run_that_was_being_made_is_moved_aside_and_made_anew(
    killed: Path, wall: VirtualClock, header: RunHeader
) -> None:
    (killed / RUN / "run.json").unlink()
    night = NightFolder.reopen(killed, wall)
    night.remarks()
    before = contents(killed / RUN)
    run = night.create_run(1, "resistivity-field", "4.2K", {}, COLUMNS, header)
    assert night.remarks() == [f"{RUN} had no run.json; moved to {RUN}.unmade1 and made anew"]
    assert contents(killed / f"{RUN}.unmade1") == before
    run.append(Sample(1, 1.0))
    run.close("finished")
    night.close("finished")
    assert [read.path.name for read in Night.open(killed).runs] == [RUN]


def test_a_run_killed_before_its_first_point_is_taken_up(
    night: NightFolder, make_run: MakeRun, wall: VirtualClock
) -> None:
    make_run(COLUMNS)
    copy = night.path.with_name("copy")
    shutil.copytree(night.path, copy)
    again = NightFolder.reopen(copy, wall)
    run = again.reopen_run(RUN, FREE)
    run.append(Sample(1, 1.0))
    run.close("finished")
    again.close("finished")
    assert rows(copy / RUN) == [(1.0, 2)]
    assert Run.open(copy / RUN).manifest["columns"][1]["kind"] == "float"


def test_a_night_of_version_0_1_is_taken_up(killed: Path, wall: VirtualClock) -> None:
    edit(killed / "night.json", attempts=None)
    edit(killed / RUN / "run.json", attempts=None)
    assert (Night.open(killed).attempts, Run.open(killed / RUN).attempts) == ([], [])
    assert len(Run.open(killed / RUN).current) == 3
    night = NightFolder.reopen(killed, wall)
    run = night.reopen_run(RUN, PATH)
    assert [each["attempt"] for each in Night.open(killed).attempts] == [1, 2]
    assert [each["attempt"] for each in Run.open(killed / RUN).attempts] == [1, 2]
    assert run.attempt == 2
    night.close("stopped")


def test_the_slow_stream_keeps_its_columns_in_a_night_that_was_taken_up(
    killed: Path, wall: VirtualClock
) -> None:
    night = NightFolder.reopen(killed, wall)
    night.remarks()
    for kelvin in (5.0, 6.0):
        night.environment({"Pressure (Torr)": 10.0, "Temperature (K)": kelvin, "Helium (%)": "unknown"})
    assert night.remarks() == [
        "environment.csv has no column for 'Helium (%)', 'Pressure (Torr)', or one of another type; "
        "left out from here on"
    ]
    night.close("stopped")
    read = Night.open(killed).environment
    assert read["Temperature (K)"].tolist() == [4.2, 5.0, 6.0]
    assert read["Status"].tolist() == ["0x1", "", ""]
    assert read["Helium (%)"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("left", [b"", b"#Onnes: {}\nTempera"])
def test_a_slow_stream_without_a_whole_row_begins_again(
    killed: Path, wall: VirtualClock, left: bytes
) -> None:
    (killed / "environment.csv").write_bytes(left)
    night = NightFolder.reopen(killed, wall)
    night.environment({"Pressure (Torr)": 10.0})
    night.close("stopped")
    assert Night.open(killed).environment["Pressure (Torr)"].tolist() == [10.0]


def test_a_night_killed_before_its_streams_were_made_is_taken_up(killed: Path, wall: VirtualClock) -> None:
    (killed / "events.jsonl").unlink()
    (killed / "environment.csv").unlink()
    night = NightFolder.reopen(killed, wall)
    night.event("note", "first", {}, wall)
    night.close("stopped")
    assert Night.open(killed).events["message"].tolist() == ["first"]


def test_a_night_that_cannot_be_written_is_not_taken_up(
    killed: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(30, "Read-only file system")

    before = (killed / "night.json").read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match="Read-only file system"):
            NightFolder.reopen(killed, wall)
    assert (killed / "night.json").read_bytes() == before
    NightFolder.reopen(killed, wall).close("stopped")


def test_a_night_whose_folder_was_removed_goes_on_when_it_is_back(
    night: NightFolder, make_run: MakeRun, wall: VirtualClock
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(1, 1.0))
    night.environment({"Temperature (K)": 1.0})
    wall.sleep(1.5)
    night.beat()
    shutil.rmtree(night.path)
    run.append(Sample(1, 2.0))
    wall.sleep(1.5)
    with pytest.raises(StorageError, match=r"data\.csv: No such file or directory; rows kept in memory: 2"):
        run.append(Sample(1, 3.0))
    with pytest.raises(StorageError):
        night.environment({"Temperature (K)": 3.0})
    for _ in range(3):
        with pytest.raises(StorageError):
            night.flush()
    assert night.pending() == 3
    run.path.mkdir(parents=True)
    night.flush()
    assert night.pending() == 0
    assert [remark.split(" came back empty and was begun anew;")[0] for remark in night.remarks()] == [
        "environment.csv",
        f"{RUN}: data.csv",
        f"{RUN}: rejected.csv",
    ]
    night.event("note", "after", {}, wall)
    run.append(Sample(1, 4.0, rejected="noisy"))
    run.close("finished")
    night.close("finished")
    read = Night.open(night.path)
    assert read.runs[0].data["Temperature (K)"].tolist() == [2.0, 3.0]
    assert read.runs[0].rejected["Temperature (K)"].tolist() == [4.0]
    assert read.environment["Temperature (K)"].tolist() == [3.0]
    assert read.events["message"].tolist() == ["after"]
    assert read.sequence_text == "title: a night\n"


def test_a_run_that_a_full_disk_gave_up_is_taken_up_when_there_is_room(
    night: NightFolder, make_run: MakeRun, drive: Drive
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(1, 1.0))
    drive.full, drive.room = True, 3
    with pytest.raises(StorageError):
        run.append(Sample(1, 2.0))
    with pytest.raises(StorageError):
        run.close("failed")
    drive.full = False
    again = night.reopen_run(RUN, FREE)
    assert night.remarks() == [f"{RUN}: cut 3 bytes of a torn row off data.csv: b'1,2'"]
    again.append(Sample(1, 2.0))
    again.close("finished")
    assert rows(run.path) == [(1.0, 1), (2.0, 2)]
    assert Run.open(run.path).manifest["points"] == 2


@pytest.mark.parametrize(
    ("entries", "kept"),
    [
        ([FREE, FREE], [11, 12, 21, 22, 23]),
        ([PATH, FREE], [11, 12, 22, 23]),
        ([FREE, PATH], [11, 12, 23]),
        ([{**PATH, "curve": 1}, FREE], [12, 22, 23]),
        ([FREE, {**PATH, "curve": 1}], [23]),
        ([FREE, {**PATH, "curve": 3}], [11, 12, 21, 22, 23]),
    ],
)
def test_rows_count_unless_their_curve_was_begun_again(
    make_run: MakeRun, entries: list[dict[str, Any]], kept: list[int]
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(0, 1.0))  # a reference point stays
    run.append(Sample(1, 11.0))
    run.append(Sample(2, 21.0))
    run.next_attempt(entries[0])
    run.append(Sample(1, 12.0))
    run.append(Sample(2, 22.0))
    run.next_attempt(entries[1])
    run.append(Sample(2, 23.0))
    read = Run.open(run.path)
    assert sorted(read.current["Temperature (K)"].tolist()) == [1.0, *map(float, sorted(kept))]
    assert read.current.index.tolist() == list(range(len(kept) + 1))
    assert len(read.data) == 6


def test_a_run_without_points_has_none_that_count(make_run: MakeRun) -> None:
    run = make_run(COLUMNS)
    run.next_attempt(PATH)
    assert Run.open(run.path).current.empty
