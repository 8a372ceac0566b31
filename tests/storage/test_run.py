"""A run on a full disk, a run that is given up, derived tables, damaged files."""

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night, Run
from onnes.storage.run import RunFolder

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


def test_a_full_disk_loses_no_point_and_no_run_ends_as_finished(
    night: NightFolder, make_run: MakeRun, drive: Drive, wall: VirtualClock
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(1.0))
    night.environment({"Temperature (K)": 1.0})
    night.event("note", "before", {}, wall)
    drive.full, drive.room = True, 2
    with pytest.raises(StorageError, match=r"data\.csv: 2 of \d+ bytes written; rows kept in memory: 1"):
        run.append(Sample(2.0))
    with pytest.raises(StorageError, match="no space left on device"):
        run.append(Sample(3.0))
    with pytest.raises(StorageError):
        run.append(Sample(4.0, rejected="noisy"))
    assert (run.pending(), night.pending()) == (3, 3)
    assert Run.open(run.path).data["Temperature (K)"].tolist() == [1.0]
    with pytest.raises(StorageError):
        run.close("finished")
    assert Run.open(run.path).status == "running"
    drive.full = False
    night.flush()
    assert night.pending() == 0
    run.append(Sample(5.0))
    run.close("finished")
    read = Run.open(run.path)
    assert read.data["Temperature (K)"].tolist() == [1.0, 2.0, 3.0, 5.0]
    assert read.rejected["Temperature (K)"].tolist() == [4.0]
    assert read.status == "finished"


def test_a_run_that_is_given_up_says_what_is_lost(
    night: NightFolder, make_run: MakeRun, drive: Drive
) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(1.0))
    drive.full = True
    with pytest.raises(StorageError):
        run.append(Sample(2.0))
    with pytest.raises(StorageError, match="rows kept in memory: 1"):
        run.close("failed")
    read = Run.open(run.path)
    assert (read.status, read.manifest["points"], read.manifest["lost"]) == ("failed", 1, 1)
    assert read.data["Temperature (K)"].tolist() == [1.0]
    assert night.pending() == 0


def test_a_run_that_found_no_room_can_be_made_later(
    night: NightFolder, make_run: MakeRun, drive: Drive
) -> None:
    drive.full, drive.room = True, 300
    with pytest.raises(StorageError, match=r"cannot write .*data\.csv"):
        make_run(COLUMNS)
    assert files(night.path) == {"night.json", "sequence.yaml", "events.jsonl", "environment.csv"}
    drive.full = False
    run = make_run(COLUMNS)
    run.append(Sample(4.2))
    run.close("finished")
    assert len(Run.open(run.path).data) == 1


def test_a_derived_table_is_replaced_as_a_whole(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(COLUMNS)
    first = pd.DataFrame({"Field (Oe)": [0.1 + 0.2, math.nan], "Note": ["a, b", "c"]})
    path = run.write_derived("symmetrised.csv", first)
    lines = path.read_bytes().decode().split("\n")
    assert json.loads(lines[0].removeprefix("#Onnes: "))["derived_from"] == "data.csv"
    assert lines[1:] == ["Field (Oe),Note", '0.30000000000000004,"a, b"', "nan,c", ""]
    pd.testing.assert_frame_equal(pd.read_csv(path, comment="#"), first)

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match="cannot replace"):
            run.write_derived("symmetrised.csv", first.head(1))
    assert path.read_bytes().decode().split("\n") == lines


@pytest.mark.parametrize("name", ["data.csv", "run.json", "../night.json", "a/b.csv", ""])
def test_a_derived_table_cannot_take_the_place_of_the_data(make_run: MakeRun, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a derived table"):
        make_run(COLUMNS).write_derived(name, pd.DataFrame())


@pytest.mark.parametrize("name", ["data.csv", "events.jsonl"])
def test_a_missing_file_is_reported(night: NightFolder, make_run: MakeRun, name: str) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(4.2))
    for path in night.path.rglob(name):
        path.rename(path.with_suffix(".moved"))
    with pytest.raises(StorageError, match=rf"cannot read .*{name}"):
        _ = Run.open(run.path).data, Night.open(night.path).events
    for path in night.path.rglob("*.moved"):
        path.rename(path.with_name(name))


def test_a_damaged_table_is_reported(make_run: MakeRun) -> None:
    run = make_run(COLUMNS)
    run.append(Sample(4.2))
    with (run.path / "data.csv").open("ab") as file:
        file.write(b"not a number,,1\n")
    with pytest.raises(StorageError, match=r"data\.csv is damaged: .*not a number"):
        _ = Run.open(run.path).data
