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


NURSERY = """
import mmap
import os
import random
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from onnes.instruments.clock import WallClock
from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.table import RunHeader, count_rows, header_length, whole_rows


@dataclass(frozen=True, slots=True)
class Sample(Point):
    number: Annotated[int, Column("Number", "", "counts from 0")]
    note: Annotated[str, Column("Note", "", "awkward text")]


def first():
    night = NightFolder.create(Path(sys.argv[1]), "a", clock, simulated, "")
    header = RunHeader("a.B", {}, simulated)
    return night, night.create_run(1, "a", "b", {}, columns, header), 0


def again():
    (path,) = Path(sys.argv[1]).glob("*/*_0001")
    night = NightFolder.reopen(path, clock)
    content = (path / "01_a_b" / "data.csv").read_bytes()
    done = count_rows(whole_rows(content[header_length(content) :])) - 1
    entry = {"rule": "free", "curve": 1, "done": done, "reason": "killed"}
    return night, night.reopen_run("01_a_b", entry, columns), done


def write(begin):
    night, run, number = begin()
    while True:
        run.append(Sample(number, 'two\\nlines, "quoted"'))
        number += 1
        shared[:] = struct.pack("qq", number, run.attempt)  # committed: append has returned
        if number % 7 == 0:
            night.event("note", 'a "quote', {"number": number}, clock)
            night.environment({"Number": number, "Note": "two\\nlines"})
            night.beat()


columns = list(columns_of(Sample).values())
simulated = {"backend": "simulated", "lab": "ppms9", "seed": 7}
shared = mmap.mmap(-1, 16)
chance = random.Random(20261126)
clock = WallClock()
begin = first
for kill in range(30):
    child = os.fork()
    if child == 0:
        try:
            write(begin)
        finally:
            os._exit(1)
    before = shared[:]
    while kill % 2 == 0 and shared[:] == before:  # every second one is killed while it writes, the first too
        clock.sleep(0.001)
    clock.sleep(chance.uniform(0.0, 0.03))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the writer failed by itself"
    begin = again
print(*struct.unpack("qq", shared[:]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it needs writers that begin in no time")
def test_thirty_kills_lose_no_row_and_write_none_twice(tmp_path: Path) -> None:
    (tmp_path / "nursery.py").write_text(NURSERY, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "nursery.py"), str(tmp_path / "runs")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    committed, attempt = map(int, done.stdout.split())
    (path,) = (tmp_path / "runs").glob("*/*_0001")
    night = Night.open(path)
    (run,) = night.runs
    assert len(run.data) - committed in (0, 1)  # the last row may be written before its writer could say so
    assert run.data["Number"].tolist() == list(range(len(run.data)))
    assert run.data["Attempt"].is_monotonic_increasing
    assert run.data["Attempt"].nunique() >= 15
    assert [entry["attempt"] for entry in run.attempts] == list(range(1, len(run.attempts) + 1))
    assert [entry["attempt"] for entry in night.attempts] == list(range(1, len(night.attempts) + 1))
    assert len(night.attempts) >= len(run.attempts) >= attempt
    assert set(run.data["Note"]) == {'two\nlines, "quoted"'}
    assert set(night.events["message"]) == {'a "quote'}
    assert set(night.environment["Note"]) == {"two\nlines"}
