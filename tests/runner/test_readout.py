"""What is printed of one reading of everything."""

import io
import shutil
from pathlib import Path

from rich.console import Console

from onnes.instruments.station_file import load_station_file
from onnes.instruments.survey import Surveyed
from onnes.runner.readout import ReadoutAnswer, read_station

STATIONS = Path(__file__).parents[2] / "examples/stations"


def test_an_instrument_that_tells_nothing_is_shown_and_says_so() -> None:
    station = load_station_file(STATIONS / "mpms-xl-sim.toml")
    silent = Surveyed("mpms", ("magnetometer",), "mpms_xl", "multivu/data", "MPMS-XL", (), "")
    console = Console(file=io.StringIO(), width=160)
    ReadoutAnswer(station, (silent,), tests=False).print(console)
    assert isinstance(console.file, io.StringIO)
    assert "nothing can be read from here; in a night the rows of its file tell" in console.file.getvalue()


def test_a_meter_behind_the_source_answers_also_while_the_clock_on_the_wall_goes_on(tmp_path: Path) -> None:
    station = tmp_path / "delta-sim.toml"
    shutil.copy(STATIONS / "delta-sim.toml", station)
    found = {one.instrument: one for one in read_station(str(station), tests=False).found}
    assert found["k2182a"].problem == ""
    assert "2182A" in found["k2182a"].identity
