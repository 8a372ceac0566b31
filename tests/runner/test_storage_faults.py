"""A disk that is full, gone or read-only: the night stands still in its hold state and loses nothing."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import StorageError
from onnes.runner.ending import Outcome
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.progress import Progress
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.device_k6221 import K6221
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.append_file import AppendFile
from onnes.storage.environment import EnvironmentFile
from onnes.storage.manifest import Manifest
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night
from onnes.storage.run import RunFolder
from tests.runner.left_nights import FREE, LeftNights, events, is_whole

_SIZE = "12m"  # the least that is not refused before the night


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A drive of 12 MB that really fills up."""
    folder = tmp_path / "drive"
    folder.mkdir()
    made = shutil.which("mount") and hasattr(os, "geteuid") and os.geteuid() == 0
    if not made or _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)):
        pytest.skip("only root of a Linux machine can mount a drive of its own")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*words: str) -> int:
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode


class Drive:
    """A night on a drive that goes wrong at a moment of lab time, and comes back when the night stands still.

    Attributes:
        was_on: whether the source was on each time the night stood still.
    """

    def __init__(self, nights: LeftNights, breaks: Callable[[], None], mends: Callable[[], object]) -> None:
        self.nights, self.breaks, self.mends = nights, breaks, mends
        self.states: list[str] = []
        self.was_on: list[bool] = []

    def run(self, runs: Path, at_s: float) -> Outcome:
        path = self.nights.folder / "night.yaml"
        path.write_text(self.nights.sequence, encoding="utf-8")
        plan = make_plan(path)
        with prepared(plan, LabChoice(seed=7)) as (clock, key):
            assert key is not None
            lab = get_lab(key)
            lab.at(at_s, lambda _t: self.breaks())
            night = NightThread(plan, runs, clock, key)
            self.nights.thread = night
            night.show = partial(self.see, lab)
            night.start()
            assert night.wait(60)
            return night.outcome()

    def _mend(self, _t: float) -> None:
        self.mends()

    def see(self, lab: VirtualLab, progress: Progress) -> None:
        if progress.state == "suspended" and (not self.states or self.states[-1] != "suspended"):
            source = lab.instruments["k6221"]
            assert isinstance(source, K6221)
            lab.at(lab.now() + 25.0, lambda _t: self.was_on.append(source.output))
            lab.at(lab.now() + 60.0, self._mend)
        self.states.append(progress.state)


def ballast(folder: Path) -> None:
    """Fill the drive up to its last bytes."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 512):
            with suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass


def nights_on(folder: Path, sequence: str = FREE) -> LeftNights:
    """Return nights whose station does not mind a small disk, so that the writing itself fails."""
    nights = LeftNights(folder, sequence)
    station = folder / "station.toml"
    table = '\n[interlocks.disk]\ntrip = "0 GB"\nclear = "0.000001 GB"\n'
    station.write_text(station.read_text(encoding="utf-8") + table, encoding="utf-8")
    return nights


# Lab times of FREE: the first isotherm settles until 250 s, the second is over at 880 s, steps that set and
# wait follow, the sweep begins at 1500 s.
MOMENTS = {
    "while it settles": 100.0,
    "between two settled points": 320.0,
    "while it waits": 1050.0,
    "during a sweep": 1800.0,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_drive_that_fills_up_suspends_the_night_and_keeps_every_point(
    tmp_path: Path, mount: Path, moment: str
) -> None:
    drive = Drive(nights_on(tmp_path), partial(ballast, mount), (mount / "ballast").unlink)
    outcome = drive.run(mount / "runs", at_s=MOMENTS[moment])
    assert (outcome.status, outcome.safe) == ("finished", True), outcome.message
    assert "suspended" in drive.states
    assert drive.was_on[0] is False
    is_whole(drive.nights.path)
    suspended = events(drive.nights.path, "suspended")
    assert suspended[0]["values"]["reason"] == "storage"
    assert re.search("o space left|bytes written", suspended[0]["message"])  # the last row fits in part


def test_a_drive_that_stays_full_fails_the_night_and_never_finishes_it(tmp_path: Path, mount: Path) -> None:
    drive = Drive(nights_on(tmp_path), partial(ballast, mount), lambda: None)
    outcome = drive.run(mount / "runs", at_s=320.0)
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "o space left" in outcome.message
    assert Night.open(drive.nights.path).status != "finished"
    (mount / "ballast").unlink()  # and who makes room may take it up
    assert drive.nights.take_up(drive.nights.path).status == "finished"
    is_whole(drive.nights.path)


@pytest.mark.parametrize("where", ["the night", "the run"])
def test_a_folder_that_goes_and_comes_back_costs_no_point(tmp_path: Path, where: str) -> None:
    nights = nights_on(tmp_path)

    def folder() -> Path:
        return nights.path if where == "the night" else next(nights.path.glob("01_*"))

    moved: list[tuple[Path, Path]] = []

    def goes() -> None:
        moved.append((folder(), tmp_path / "away"))
        moved[0][0].rename(moved[0][1])

    drive = Drive(nights, goes, lambda: moved[0][1].exists() and moved[0][1].rename(moved[0][0]))
    outcome = drive.run(tmp_path / "runs", at_s=320.0)
    assert outcome.status == "finished", outcome.message
    is_whole(nights.path)


def test_a_folder_that_is_gone_for_good_fails_the_night(tmp_path: Path) -> None:
    nights = nights_on(tmp_path)
    drive = Drive(nights, lambda: shutil.rmtree(nights.path), lambda: None)
    outcome = drive.run(tmp_path / "runs", at_s=320.0)
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "rows kept in memory" in outcome.message or "could not be written" in outcome.message


CALLS: dict[str, tuple[type, str]] = {
    "at the creation of a run": (RunFolder, "create"),
    "at the close of a run": (RunFolder, "close"),
    "at the close of the night": (NightFolder, "close"),
    "at the manifests": (Manifest, "write"),
    "in the slow stream alone": (EnvironmentFile, "append"),
    "at every table and event": (AppendFile, "append"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_for_ten_minutes_is_made_again_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    nights = nights_on(tmp_path)
    kind, name = CALLS[call]
    works = getattr(kind, name)
    began: list[float] = []

    def fails(*args: Any, **options: Any) -> Any:
        if nights.thread is not None and nights.has_begun():
            now = nights.thread.clock.now()
            if not began and now > 300.0:
                began.append(now)
            if began and now < began[0] + 600.0:
                raise StorageError("the network drive is gone")
        return works(*args, **options)

    monkeypatch.setattr(kind, name, fails)
    drive = Drive(nights, lambda: None, lambda: None)
    outcome = drive.run(tmp_path / "runs", at_s=310.0)
    assert began
    assert (outcome.status, outcome.safe) == ("finished", True), outcome.message
    is_whole(nights.path)
