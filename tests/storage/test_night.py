"""The folders of a night and its runs: made exclusively, never ending as finished in silence."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.append_file import AppendFile
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night, Run
from onnes.storage.run import RunFolder
from onnes.storage.table import RunHeader

SIMULATED = {"backend": "simulated", "lab": "ppms9", "seed": 7}
MakeRun = Callable[[Sequence[Column]], RunFolder]


class Drive(Protocol):
    full: bool
    room: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Sample(Point):
    kelvin: Annotated[float, Column("Temperature", "K", "of the sample")]
    flags: Annotated[str, Column("Flags", "", "what is doubtful about it")] = ""


COLUMNS = list(columns_of(Sample).values())


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_night_has_the_folders_of_the_design(night: NightFolder, make_run: MakeRun) -> None:
    run = make_run(COLUMNS)
    assert re.fullmatch(
        r"2026-01-01/20260101T000000Z_MB215-06_0001", night.path.relative_to(night.path.parents[1]).as_posix()
    )
    assert run.path == night.path / "01_resistivity-field_4.2K"
    night.environment({"Temperature (K)": 4.2})
    run.close("finished")
    night.close("finished")
    assert files(night.path) == {
        "night.json",
        "sequence.yaml",
        "events.jsonl",
        "environment.csv",
        "01_resistivity-field_4.2K/run.json",
        "01_resistivity-field_4.2K/data.csv",
        "01_resistivity-field_4.2K/rejected.csv",
    }


def test_what_was_given_is_read_back(night: NightFolder, make_run: MakeRun, wall: VirtualClock) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(4.2))
    run.append(Sample(math.nan, "link"))
    run.append(Sample(99.0, rejected="overload, range 2"))
    run.update(settings={"current_a": np.float64(1e-4)})
    night.update(steps=[{"number": 1, "status": "running"}])
    wall.sleep(60.0)
    run.close("finished")
    night.close("stopped")
    read = Night.open(night.path)
    assert (read.status, [r.status for r in read.runs]) == ("stopped", ["finished"])
    assert read.sequence_text == "title: a night\n"
    assert read.manifest["steps"] == [{"number": 1, "status": "running"}]
    assert read.manifest["seed"] == 7
    assert len(read.manifest["sequence_sha256"]) == 64
    assert (read.manifest["started"], read.manifest["ended"]) == (
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:01:00+00:00",
    )
    data = read.runs[0].data
    assert list(data.columns) == ["Temperature (K)", "Flags", "Attempt"]
    assert data["Temperature (K)"].tolist()[:1] == [4.2]
    assert np.isnan(data["Temperature (K)"].iloc[1])
    assert data["Flags"].tolist() == ["", "link"]
    assert data["Attempt"].tolist() == [1, 1]
    assert read.runs[0].rejected["Rejected"].tolist() == ["overload, range 2"]
    assert read.runs[0].parameters["Excitation current"] == (0.00012345678901234567, "A")
    assert read.runs[0].parameters["Persistent"] == (False, "")
    manifest = read.runs[0].manifest
    assert (manifest["points"], manifest["rejected"], manifest["settings"]) == (2, 1, {"current_a": 1e-4})
    assert manifest["columns"][0] == {
        "label": "Temperature (K)",
        "name": "Temperature",
        "unit": "K",
        "description": "of the sample",
        "kind": "float",
    }


def test_the_sequence_is_kept_byte_for_byte(tmp_path: Path, wall: VirtualClock) -> None:
    text = "title: 'µ'\r\n# no newline at the end"
    night = NightFolder.create(tmp_path, "a", wall, SIMULATED, text)
    assert (night.path / "sequence.yaml").read_bytes() == text.encode()
    assert Night.open(night.path).sequence_text == text
    night.close("stopped")


def test_nights_and_runs_are_never_taken_twice(
    night: NightFolder, make_run: MakeRun, wall: VirtualClock
) -> None:
    runs = night.path.parents[1]
    second = NightFolder.create(runs, "MB215-06", wall, SIMULATED, "")
    assert second.path.name == "20260101T000000Z_MB215-06_0002"
    second.close("stopped")
    run = make_run(COLUMNS)
    run.append(Sample(4.2))
    with pytest.raises(StorageError, match=r"4\.2K exists already; a new run never takes an existing folder"):
        make_run(COLUMNS)
    run.close("finished")
    assert len(Run.open(run.path).data) == 1


def test_runs_are_read_in_the_order_of_the_plan(night: NightFolder, header: RunHeader) -> None:
    for number in (100, 2, 10):
        night.create_run(number, "resistivity-field", "4.2K", {}, COLUMNS, header)
    (night.path / "03_resistivity-field_6K").mkdir()  # killed while it was made
    assert [run.path.name.split("_")[0] for run in Night.open(night.path).runs] == ["02", "10", "100"]


def test_two_processes_at_once_get_different_numbers(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from onnes.instruments.clock import VirtualClock\n"
        "from onnes.storage.names import take_number\n"
        "sys.stdin.readline(); print([take_number(Path(sys.argv[1])) for _ in range(50)])"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]  # type: ignore[call-overload]  # pipes
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    numbers = [number for process in processes for number in json.loads(process.communicate()[0])]
    assert sorted(numbers) == list(range(1, 101))


def test_a_night_that_was_not_ended_is_still_running(night: NightFolder, make_run: MakeRun) -> None:
    make_run(COLUMNS).append(Sample(4.2))
    read = Night.open(night.path)
    assert (read.status, read.runs[0].status, len(read.runs[0].data)) == ("running", "running", 1)
    assert read.manifest["owner"]["pid"] == os.getpid()


@pytest.mark.parametrize("status", ["finished", "failed", "aborted", "stopped"])
def test_the_status_says_how_it_ended(night: NightFolder, make_run: MakeRun, status: str) -> None:
    run = make_run(COLUMNS)
    run.close(status)
    run.close("failed")  # a second end changes nothing
    night.close(status)
    night.close("failed")
    assert (Night.open(night.path).status, Run.open(run.path).status) == (status, status)


@pytest.mark.parametrize("status", ["running", "done", ""])
def test_another_end_is_refused(night: NightFolder, make_run: MakeRun, status: str) -> None:
    with pytest.raises(
        ValueError, match="is no end of a run; expected one of finished, failed, aborted, stopped"
    ):
        make_run(COLUMNS).close(status)
    with pytest.raises(ValueError, match="is no end"):
        night.close(status)


def test_an_open_run_ends_with_its_night(night: NightFolder, make_run: MakeRun) -> None:
    run = make_run(COLUMNS)
    with pytest.raises(ValueError, match=r"run 01_resistivity-field_4.2K is still open"):
        night.close("finished")
    night.close("aborted")
    assert Run.open(run.path).status == "aborted"
    with pytest.raises(ValueError, match="is closed; a point cannot be added"):
        run.append(Sample(4.2))


def test_the_heartbeat_is_wall_time_and_rare(
    night: NightFolder, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        written.append(wall.datetime().isoformat())
        real(descriptor)

    night.beat()
    monkeypatch.setattr(os, "fsync", fsync)
    for _ in range(640):
        wall.sleep(1 / 64)
        night.beat()
    assert len(set(written)) == 2
    assert Night.open(night.path).manifest["heartbeat"] == written[-1] == "2026-01-01T00:00:10+00:00"


def test_the_heartbeat_syncs_the_last_point_before_a_long_wait(
    night: NightFolder, make_run: MakeRun, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(AppendFile, "sync", lambda file: synced.append(file.path.name))
    make_run(COLUMNS)
    synced.clear()
    run = night.create_run(2, "a", "b", {}, COLUMNS, RunHeader("a.B", {}, SIMULATED))
    synced.clear()
    run.append(Sample(4.2))
    wall.sleep(1.5)
    night.beat()
    assert "data.csv" in synced
    monkeypatch.undo()


def test_events_keep_the_time_of_the_laboratory(night: NightFolder) -> None:
    lab = VirtualClock()
    lab.sleep(12.5)
    night.event("settle", "within 0.01 K, Ω", {"kelvin": math.nan, "raw": np.array([1.5])}, lab)
    night.event("note", 'two\nlines and "quotes"', {}, lab)
    with pytest.raises(TypeError, match=r"values.x = .* cannot stand in JSON"):
        night.event("note", "", {"x": object()}, lab)
    lines = (night.path / "events.jsonl").read_bytes().decode().splitlines()
    assert lines[0] == (
        '{"t": 12.5, "utc": "2026-01-01T00:00:12.500000+00:00", "kind": "settle", '
        '"message": "within 0.01 K, Ω", "values": {"kelvin": null, "raw": [1.5]}}'
    )
    events = Night.open(night.path).events
    assert events["t"].tolist() == [12.5, 12.5]
    assert events["message"].iloc[1] == 'two\nlines and "quotes"'
    assert events["values"].iloc[0] == {"kelvin": None, "raw": [1.5]}


def test_a_torn_last_event_is_not_read_and_a_damaged_one_is_reported(
    night: NightFolder, wall: VirtualClock
) -> None:
    assert Night.open(night.path).events.empty
    night.event("note", "whole", {}, wall)
    path = night.path / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"t": 1.0, "ut')
    assert Night.open(night.path).events["message"].tolist() == ["whole"]
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(StorageError, match=r"events\.jsonl:2: not JSON"):
        _ = Night.open(night.path).events


def test_the_slow_stream_keeps_numbers_text_and_gaps(night: NightFolder) -> None:
    assert Night.open(night.path).environment.empty
    night.environment(
        {"Time UTC": "2026-01-01T00:00:00", "Temperature (K)": 4.2, "Status": "0x1141", "Note": ""}
    )
    night.environment({"Note": "a, b", "Time UTC": "later", "Temperature (K)": math.nan, "Status": "nan"})
    for wrong in ({"Note": "", "Time UTC": "", "Temprature (K)": 4.2, "Status": ""}, {"Note": ""}):
        with pytest.raises(ValueError, match=r"has the columns of its first row; missing .*Temperature"):
            night.environment(wrong)  # type: ignore[arg-type]  # a dict is invariant
    good: dict[str, float | int | str] = {"Time UTC": "", "Temperature (K)": 4.2, "Status": "", "Note": ""}
    with pytest.raises(
        TypeError, match=r"'Temperature .K.' got the text 'x'; in the first row it held a number"
    ):
        night.environment({**good, "Temperature (K)": "x"})
    with pytest.raises(TypeError, match="column 'Status' got 3 of type int; it takes text"):
        night.environment({**good, "Status": 3})
    path = night.path / "environment.csv"
    assert b'"backend": "simulated", "lab": "ppms9", "seed": 7' in path.read_bytes().split(b"\n")[0]
    path.write_bytes(path.read_bytes() + b"torn,4.")
    read = Night.open(night.path).environment
    assert read["Status"].tolist() == ["0x1141", "nan"]
    assert read["Note"].tolist() == ["", "a, b"]
    assert read["Temperature (K)"].isna().tolist() == [False, True]


@pytest.mark.parametrize("where", ["night", "run"])
def test_entries_of_storage_cannot_be_overwritten(night: NightFolder, make_run: MakeRun, where: str) -> None:
    folder = night if where == "night" else make_run(COLUMNS)
    with pytest.raises(ValueError, match=rf"status of {where}.json is written by storage"):
        folder.update(status="finished")


def test_columns_have_their_own_labels(make_run: MakeRun, night: NightFolder) -> None:
    with pytest.raises(ValueError, match="Attempt: two columns have this label"):
        make_run([Column("Attempt", "", "")])
    assert Night.open(night.path).runs == []


def test_a_night_that_does_not_say_where_its_data_come_from_is_refused(
    tmp_path: Path, wall: VirtualClock
) -> None:
    with pytest.raises(ValueError, match=r"night.json says backend = 'simulated' without lab and seed"):
        NightFolder.create(tmp_path, "a", wall, {"backend": "simulated"}, "")
    assert list(tmp_path.iterdir()) == []


def test_a_night_that_found_no_room_leaves_nothing_behind(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match="No space left on device"):
        NightFolder.create(tmp_path, "a", wall, SIMULATED, "")
    assert files(tmp_path) == {".taken/0001"}


def test_a_first_row_of_the_slow_stream_that_found_no_room_is_written_later(
    drive: Drive, night: NightFolder
) -> None:
    drive.full, drive.room = True, 5
    with pytest.raises(StorageError, match=r"environment\.csv: 5 of \d+ bytes written"):
        night.environment({"Temperature (K)": 4.2})
    drive.full = False
    night.environment({"Temperature (K)": 4.1})
    assert Night.open(night.path).environment["Temperature (K)"].tolist() == [4.2, 4.1]
