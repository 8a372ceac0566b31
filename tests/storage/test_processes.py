"""What other processes see: another locale, a writer that is killed."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from onnes.storage.reader import Night

WRITER = """
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from onnes.instruments.clock import WallClock
from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.table import RunHeader


@dataclass(frozen=True, slots=True)
class Sample(Point):
    number: Annotated[int, Column("Number", "", "counts from 0")]
    ohm: Annotated[float, Column("Resistance", "ohm", "a third of the number")]
    note: Annotated[str, Column("Note", "", "awkward text")]


clock = WallClock()
simulated = {"backend": "simulated", "lab": "ppms9", "seed": 7}
night = NightFolder.create(Path(sys.argv[1]), "dünn", clock, simulated, "title: µ\\n")
header = RunHeader("a.B", {"Note": ("Ω", "")}, simulated)
run = night.create_run(1, "resistivity-field", "4.2K", {}, list(columns_of(Sample).values()), header)
for number in range(int(sys.argv[2])):
    run.append(Sample(number, number / 3, f'µ, "{number}"\\n#'))
    if number % 7 == 0:
        night.event("note", "Ω", {"number": number}, clock)
        night.environment({"Number": number, "Note": "é"})
        night.update(step=number)
    if number % 50 == 0:
        print(number, flush=True)
run.close("finished")
night.close("finished")
"""


def test_the_bytes_are_utf_8_in_an_ascii_locale(tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER, encoding="utf-8")
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "LANG": "C"}
    command = [sys.executable, str(tmp_path / "writer.py"), str(tmp_path / "runs"), "8"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    (path,) = (tmp_path / "runs").glob("*/2*_0001")
    assert "#\tNote: Ω\n".encode() in (path / "01_resistivity-field_4.2K" / "data.csv").read_bytes()
    night = Night.open(path)
    assert (night.status, night.sequence_text) == ("finished", "title: µ\n")
    assert night.runs[0].data["Note"].tolist() == [f'µ, "{number}"\n#' for number in range(8)]
    assert night.events["message"].tolist() == ["Ω", "Ω"]
    assert night.environment["Note"].tolist() == ["é", "é"]


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_a_running_night_without_a_torn_row(tmp_path: Path, seed: int) -> None:
    (tmp_path / "writer.py").write_text(WRITER, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "writer.py"), str(tmp_path / "runs"), "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(random.Random(seed).randint(1, 30)):
            shown = int(writer.stdout.readline())
        writer.kill()
    (path,) = (tmp_path / "runs").glob("*/*dünn*")
    night = Night.open(path)
    assert (night.status, night.runs[0].status) == ("running", "running")
    data = night.runs[0].data
    assert len(data) > shown
    assert data["Number"].tolist() == list(range(len(data)))
    assert data["Resistance (ohm)"].tolist() == [number / 3 for number in range(len(data))]
    assert data["Note"].tolist() == [f'µ, "{number}"\n#' for number in range(len(data))]
    assert len(night.events) >= shown // 7
    assert len(night.environment) >= shown // 7
