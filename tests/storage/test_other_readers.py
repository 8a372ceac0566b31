"""Other programs open data.csv: PyMeasure, pandas, anything that reads CSV."""

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pandas as pd
import pytest
from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    Metadata,
    Parameter,
    Procedure,
    Results,
)

from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.reader import Run
from onnes.storage.run import RunFolder
from onnes.storage.table import RunHeader

MakeRun = Callable[[Sequence[Column]], RunFolder]
NUMBERS = [1.23456789, 299792458.0, 0.1 + 0.2, -1e-12, 12345.678901234567]


@dataclass(frozen=True, slots=True)
class Sample(Point):
    kelvin: Annotated[float, Column("Temperature", "K", "of the sample")]
    ohm: Annotated[float, Column("Resistance", "ohm", "mean of the reversals")]
    status: Annotated[str, Column("Status", "", "packed word")]
    flags: Annotated[str, Column("Flags", "", "what is doubtful about it")]


COLUMNS = list(columns_of(Sample).values())


class Tiny(Procedure):
    station = Parameter("Station", default="")
    current_a = FloatParameter("Excitation current", units="uA", default=1.0, minimum=-1e15, maximum=1e15)
    average = IntegerParameter("Average readings", default=10)
    persistent = BooleanParameter("Persistent", default=False)
    note = Parameter("Note", default="")
    version = Metadata("Onnes version", default="")
    DATA_COLUMNS: ClassVar[list[str]] = [column.label for column in COLUMNS]


def stored(night: NightFolder, procedure: str, current: float, note: str) -> Path:
    header = RunHeader(
        procedure,
        {
            "Station": ("", ""),
            "Excitation current": (current, "uA"),
            "Average readings": (7, ""),
            "Persistent": (True, ""),
            "Note": (note, ""),
        },
        {"backend": "simulated", "lab": "ppms9", "seed": 7},
        {"Onnes version": "0.1.0"},
    )
    run = night.create_run(1, "resistivity-field", "4.2K", {}, COLUMNS, header)
    for number, value in enumerate(NUMBERS):
        run.append(
            Sample(
                value, math.nan if number == 1 else value / 3, f"0x{number:04x}", "a, b #1" if number else ""
            )
        )
    run.close("finished")
    return run.path


@pytest.mark.parametrize("current", NUMBERS)
def test_pymeasure_finds_the_class_and_every_digit(night: NightFolder, current: float) -> None:
    path = stored(night, f"{Tiny.__module__}.Tiny", current, "")
    results = Results.load(str(path / "data.csv"))
    procedure = results.procedure
    assert type(procedure).__name__ == "Tiny"
    assert (procedure.current_a, procedure.average, procedure.persistent) == (current, 7, True)
    assert (procedure.station, procedure.version) == ("", "0.1.0")
    for _ in range(3):  # the first reading is whole, the later ones look for more
        assert list(results.data["Temperature (K)"]) == NUMBERS
    assert list(results.data["Flags"])[1:] == ["a, b #1"] * 4


@pytest.mark.parametrize(
    "note",
    ["µA, Ω, é", "back\\slash \\n", "a: b: c", "# no comment", '{"setpoints_k": [2, 3.5]}', " spaces "],
)
def test_text_comes_back_as_it_was(night: NightFolder, note: str) -> None:
    path = stored(night, "nowhere.Tiny", 1.0, note)
    for name in ("data.csv", "rejected.csv"):
        assert Results.load(str(path / name), procedure_class=Tiny).procedure.note == note
    assert Run.open(path).parameters["Note"] == (note, "")


def test_our_reader_needs_no_class_and_imports_nothing(night: NightFolder, tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('a data file ran code')\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        for number, procedure in enumerate(["trap.Procedure", "__main__.Gone", "os.system"], start=1):
            path = stored(night, procedure, 1.0, "")
            assert list(Run.open(path).data["Temperature (K)"]) == NUMBERS
            assert Run.open(path).manifest["header"]["procedure"] == procedure
            path.rename(path.with_name(f"9{number}_moved"))


def test_pandas_alone_reads_it(night: NightFolder) -> None:
    frame = pd.read_csv(stored(night, "a.B", 1.0, "") / "data.csv", comment="#")
    assert list(frame.columns) == [*(column.label for column in COLUMNS), "Attempt"]
    assert list(frame["Temperature (K)"]) == NUMBERS
    assert frame["Resistance (ohm)"].isna().tolist() == [False, True, False, False, False]


def test_any_reader_of_csv_finds_one_line_of_names_and_rows_of_one_length(night: NightFolder) -> None:
    content = (stored(night, "a.B", 1.0, "") / "data.csv").read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in content
    lines = content.decode().split("\n")
    start = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    rows = list(csv.reader(lines[start:-1], strict=True))
    assert lines[-1] == ""
    assert {len(row) for row in rows} == {len(COLUMNS) + 1}
    assert rows[2] == ["299792458.0", "nan", "0x0001", "a, b #1", "1"]


def test_the_same_points_give_the_same_bytes(night: NightFolder) -> None:
    contents = []
    for _ in range(2):
        path = stored(night, "a.B", 1.0, "x")
        contents.append((path / "data.csv").read_bytes())
        path.rename(path.with_name("moved"))
        for file in path.with_name("moved").iterdir():
            file.unlink()
        path.with_name("moved").rmdir()
    assert contents[0] == contents[1]
