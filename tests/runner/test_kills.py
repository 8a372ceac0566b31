"""Nights are killed with SIGKILL, again and again, and end finished with every row."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="there is neither fork nor SIGKILL")
def test_nights_that_are_killed_eight_times_lose_no_row_and_are_finished() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.runner.kill_nights", "8"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == 0, told.stderr
    assert "free: 4 kills" in told.stdout
    assert "path: 4 kills" in told.stdout
