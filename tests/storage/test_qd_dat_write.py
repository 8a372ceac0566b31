"""What is written as a .dat file reads back as it was, and says where it comes from."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.qd_tail import DatTail
from onnes.instruments.records import Cell, Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.qd_dat import read_dat
from onnes.storage.qd_dat_write import DatFacts, write_dat
from onnes.storage.qd_export import write_run_dat
from onnes.storage.reader import Run
from onnes.storage.table import RunHeader

MakeRun = Callable[[Sequence[Column]], object]
UNIX = 1795000000.125
FACTS = DatFacts("a film", "MPMS3,1.0,1.1", UNIX, {"SAMPLE_MASS": "1.35", "NOTE": "thick, dark"}, ("ρ(T)",))
VALUES = [0.1 + 0.2, -1.2345678901234567e-12, 5e-324, math.inf, -math.inf, math.nan]


def table() -> dict[str, list[Cell | None]]:
    return {
        "Comment": ["ZFC, 5 Oe", *[None] * len(VALUES)],
        "Time Stamp (sec)": [None, *(UNIX + number for number in range(len(VALUES)))],
        "Temperature (K)": [None, *[2.0] * len(VALUES)],
        "Moment (emu)": [None, *VALUES],
        "Transport Action": [None, *[1] * len(VALUES)],
    }


def test_numbers_come_back_bit_for_bit(tmp_path: Path, wall: VirtualClock) -> None:
    path = tmp_path / "a.dat"
    write_dat(path, table(), FACTS, wall)
    file = read_dat(path)
    assert list(map(repr, file.frame["Moment (emu)"])) == list(map(repr, VALUES))
    assert file.frame["Time stamp (s)"].tolist() == [UNIX + number for number in range(6)]
    assert file.frame["Time"].iloc[0] == pd.Timestamp(UNIX, unit="s", tz="UTC")
    assert [text for _, text in file.remarks] == ["ZFC; 5 Oe"]
    assert file.header.info == {"SAMPLE_MASS": "1.35", "NOTE": "thick; dark"}
    assert file.header.sample_mass_mg == 1.35
    assert file.header.opened is not None
    assert file.header.opened.stamp == UNIX
    assert file.header.comments == ("rho(T)",)
    assert file.notes == ()


def test_the_file_has_the_lines_that_multivu_writes(tmp_path: Path, wall: VirtualClock) -> None:
    path = tmp_path / "a.dat"
    write_dat(path, table(), FACTS, wall)
    lines = path.read_bytes().split(b"\r\n")
    assert lines[0] == b"[Header]"
    assert b"FILEOPENTIME, 1795000000.125, 11/18/2026, 11:06:40 AM" in lines
    assert b"BYAPP, MPMS3,1.0,1.1" in lines
    assert lines[lines.index(b"[Data]") - 1] == b"STARTUPAXIS, X, 2, LINEAR, AUTO"
    assert lines[lines.index(b"[Data]") + 2] == b"ZFC; 5 Oe,,,,"
    assert lines[-2] == b",1795000005.125,2.0,,1"
    assert lines[-1] == b""


def test_letters_that_the_format_lacks_are_spelled_out_and_logged(
    tmp_path: Path, wall: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    facts = DatFacts("Ω \N{GREEK SMALL LETTER MU} ő 超 \N{MINUS SIGN}\nµ°", "MPMS3", UNIX)
    with caplog.at_level(logging.INFO):
        write_dat(tmp_path / "a.dat", table(), facts, wall)
    assert read_dat(tmp_path / "a.dat").header.title == "Ohm µ o ? - µ°"
    assert "a.dat: spelled out, because the format lacks them" in caplog.text
    assert "a.dat: commas became semicolons" in caplog.text


def test_columns_of_different_length_are_refused(tmp_path: Path, wall: VirtualClock) -> None:
    with pytest.raises(ValueError, match="shorter"):
        write_dat(tmp_path / "a.dat", {"Comment": [None], "Range": []}, FACTS, wall)


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path, wall: VirtualClock) -> None:
    with pytest.raises(StorageError, match=r"cannot replace .*a\.dat"):
        write_dat(tmp_path / "absent" / "a.dat", table(), FACTS, wall)


@dataclass(frozen=True, slots=True)
class MomentLike(Point):
    time: Annotated[str, Column("Time UTC", "", "")]
    setpoint: Annotated[float, Column("Temperature setpoint", "K", "")]
    kelvin: Annotated[float, Column("Temperature", "K", "")]
    oe: Annotated[float, Column("Field", "Oe", "")]
    moment: Annotated[float, Column("Moment", "emu", "")]
    error: Annotated[float, Column("Moment error", "emu", "")]
    fixed: Annotated[float, Column("Moment fixed", "emu", "")]
    free: Annotated[float, Column("Moment free", "emu", "")]
    fit: Annotated[float, Column("Fit", "", "")]
    used: Annotated[str, Column("Fit used", "", "")]
    centre: Annotated[float, Column("Centre", "cm", "")]
    branch: Annotated[str, Column("Branch", "", "")]
    target: Annotated[float, Column("Measuring field", "Oe", "")]
    curve: Annotated[int, Column("Curve", "", "")]


@dataclass(frozen=True, slots=True)
class ResistanceLike(Point):
    time: Annotated[str, Column("Time UTC", "", "")]
    kelvin: Annotated[float, Column("Temperature", "K", "")]
    oe: Annotated[float, Column("Field", "Oe", "")]
    current: Annotated[float, Column("Current", "A", "")]
    ohm: Annotated[float, Column("Resistance", "ohm", "")]
    error: Annotated[float, Column("Resistance error", "ohm", "")]
    status: Annotated[str, Column("Status", "", "")]


@dataclass(frozen=True, slots=True)
class Neither(Point):
    oe: Annotated[float, Column("Field", "Oe", "")]


@pytest.fixture
def stored(night: NightFolder, header: RunHeader) -> Callable[..., Run]:
    def store(*points: Point) -> Run:
        columns = list(columns_of(type(points[0])).values())
        entries = {"sample": {"id": "MB215", "title": "Nb, 80 nm"}, "geometry": {"thickness": 8e-6}}
        folder = night.create_run(1, "zfc-fc", "5Oe", entries, columns, header)
        for point in points:
            folder.append(point)
        folder.close("finished")
        return Run.open(folder.path)

    return store


def moment(minute: int, branch: str, curve: int, used: str = "fixed") -> MomentLike:
    time = f"2026-11-18T08:{minute:02}:00+00:00"
    return MomentLike(
        time, 2.0, 2.001, 5.01, -1e-4, 1e-9, -1e-4, -1.01e-4, 0.97, used, 3.25, branch, 5.0, curve
    )


def test_a_run_of_moments_opens_as_a_file_of_an_mpms3(
    stored: Callable[..., Run], tmp_path: Path, wall: VirtualClock
) -> None:
    run = stored(
        moment(0, "zfc", 1), moment(1, "zfc", 1), moment(2, "fcc", 2, "free"), moment(3, "virgin", 3, "vsm")
    )
    write_run_dat(run, tmp_path / "data.dat", wall)
    file = read_dat(tmp_path / "data.dat")
    assert file.option == "mpms3"
    assert [text for _, text in file.remarks] == ["ZFC 5 Oe", "FC 5 Oe", "MvsH 2 K"]
    assert file.frame["Kind"].tolist() == ["dc", "dc", "dc", "vsm"]
    assert file.frame["Moment fixed (emu)"].tolist()[:3] == [-1e-4] * 3
    assert file.frame["Moment free (emu)"].tolist()[:3] == [-1.01e-4] * 3
    assert file.frame["Moment error (emu)"].tolist() == [1e-9] * 4
    assert file.frame["Centre (cm)"].iloc[0] == pytest.approx(3.25)
    assert file.frame["Time"].iloc[0] == pd.Timestamp("2026-11-18T08:00Z")
    assert file.notes == ()
    assert len(DatTail(tmp_path / "data.dat").poll().rows) == 7


def test_a_simulated_run_is_marked_in_its_file(
    stored: Callable[..., Run], tmp_path: Path, wall: VirtualClock
) -> None:
    run = stored(moment(0, "zfc", 1))
    write_run_dat(run, tmp_path / "data.dat", wall)
    header = read_dat(tmp_path / "data.dat").header
    assert header.title.startswith("SIMULATED MB215")
    assert any("SIMULATED" in comment for comment in header.comments)
    assert {key: header.info[key] for key in ("BACKEND", "LAB", "SEED")} == {
        "BACKEND": "simulated",
        "LAB": "ppms9",
        "SEED": "7",
    }
    assert header.info["SAMPLE_MATERIAL"] == "Nb; 80 nm"
    assert header.info["GEOMETRY_THICKNESS"] == "8e-06"


def test_moments_of_an_xl_go_into_its_columns(
    stored: Callable[..., Run], tmp_path: Path, wall: VirtualClock
) -> None:
    write_run_dat(stored(moment(0, "zfc", 1, "long")), tmp_path / "data.dat", wall)
    file = read_dat(tmp_path / "data.dat")
    assert (file.option, file.header.info["BACKEND"]) == ("mpms_xl", "simulated")
    assert file.frame["Moment (emu)"].tolist() == [-1e-4]
    assert [text for _, text in file.remarks] == ["ZFC 5 Oe"]


def test_a_run_of_resistances_opens_as_a_file_of_a_bridge(
    stored: Callable[..., Run], tmp_path: Path, wall: VirtualClock
) -> None:
    time = "2026-11-18T08:00:00+00:00"
    run = stored(
        ResistanceLike(time, 4.2, 10.0, 1e-5, 12.5, 0.01, "0x1111"),
        ResistanceLike(time, 4.2, 10.0, 1e-5, 12.5, 0.01, ""),
    )
    write_run_dat(run, tmp_path / "data.dat", wall)
    file = read_dat(tmp_path / "data.dat")
    assert (file.option, file.raw.shape[1]) == ("resistivity", 41)
    assert file.frame["Resistance 1 (ohm)"].tolist() == [12.5, 12.5]
    assert file.frame["Temperature status"].iloc[0] == 1
    assert file.raw["Status (code)"].iloc[0] == 4369


def test_a_run_of_something_else_is_refused(
    stored: Callable[..., Run], tmp_path: Path, wall: VirtualClock
) -> None:
    with pytest.raises(ConfigurationError, match="neither moments nor resistances"):
        write_run_dat(stored(Neither(5.0)), tmp_path / "data.dat", wall)
