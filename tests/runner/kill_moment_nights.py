"""Kills virtual nights of a magnetometer with SIGKILL at set moments, and takes them up in new processes.

    uv run python -m tests.runner.kill_moment_nights

Lab time is exact, so each kill comes in its phase; the lab and its MultiVu die with the runner. Needs POSIX.
"""

import os
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from onnes.instruments.clock import WallClock
from onnes.runner.night_state import judge
from onnes.storage.reader import Night
from tests.runner.left_nights import nothing_is_lost, rows_of
from tests.runner.moment_night import MomentNight, moment_night

# When the first runner is killed, lab time in s; attempts at ZFC, FCC and the virgin curve that count then.
PHASES = {
    "waiting for somebody": (40.0, (2, 2, 1)),
    "preparing": (2000.0, (2, 2, 1)),
    "in zfc": (3800.0, (2, 2, 1)),
    "in fcc": (5200.0, (1, 2, 1)),
    "between two programs": (6500.0, (1, 1, 2)),
    "in the virgin curve": (7590.0, (1, 1, 2)),
}
_FORK = get_context("fork")  # a process of its own that need not import everything again


def _in_another_process(work: Callable[[], int]) -> int | None:
    process = _FORK.Process(target=lambda: os._exit(work()))
    process.start()
    process.join()
    return process.exitcode


def _killed_at(home: Path, at: float) -> int:
    with pytest.MonkeyPatch.context() as patch:
        night = moment_night(home, patch)
        night.at(at, lambda _: os.kill(os.getpid(), signal.SIGKILL))
        night.run()
    return 1  # nobody was killed


def _taken_up(home: Path, path: Path) -> int:
    return MomentNight(home).take_up(path).exit_code


def main() -> None:
    """Kill and take up a night in each phase, and print what became of it."""
    wall = WallClock()
    for phase, (at, attempts) in PHASES.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "night"
            assert _in_another_process(partial(_killed_at, home, at)) == -signal.SIGKILL, phase
            (path,) = (found.parent for found in home.glob("runs/*/2*/night.json"))
            assert judge(path, wall).state == "crashed", phase
            before = rows_of(path)
            assert _in_another_process(partial(_taken_up, home, path)) == 0, phase
            nothing_is_lost(before, path)
            _is_whole(path, attempts, phase)
        print(f"{phase}: taken up and finished")


def _is_whole(path: Path, attempts: tuple[int, ...], phase: str) -> None:
    night = Night.open(path)
    assert night.status == "finished", phase
    found = [run.current.groupby("Curve") for run in night.runs]
    planned = [[10, 20, 40], [40, 20, 10], [10] * 4]
    measured = [list(curve["Temperature setpoint (K)"]) for run in found for _, curve in run]
    assert measured == planned, (phase, measured)
    of = tuple(int(attempt) for run in found for _, curve in run for attempt in curve["Attempt"].unique())
    assert of == attempts, (phase, of)  # one a curve: none is stitched
    stamps = [stamp for run in night.runs for stamp in run.data["Time stamp (s)"]]
    assert len(set(stamps)) == len(stamps), phase
    assert len([event for event in night.events["kind"] if event == "hand_over"]) == 2, phase


if __name__ == "__main__":
    main()
