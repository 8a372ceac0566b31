"""Nights are killed with SIGKILL, again and again, and end finished with every row."""

import subprocess
import sys
from pathlib import Path

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is neither fork nor SIGKILL")


@posix
def test_nights_that_are_killed_eight_times_lose_no_row_and_are_finished() -> None:
    told = _told("tests.runner.kill_nights", "8")
    assert "free: 4 kills" in told
    assert "path: 4 kills" in told


@posix
def test_nights_of_a_magnetometer_that_are_killed_in_any_phase_are_finished_and_never_stitched() -> None:
    told = _told("tests.runner.kill_moment_nights")
    assert told.count("taken up and finished") == 6


def _told(*module: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout
