"""Commands of another process to a night that is under way, through its real files; and who watches it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from rich.console import Console

from onnes.instruments.clock import WallClock
from onnes.runner import live_bar
from onnes.runner.cli import cli
from onnes.runner.live_bar import StopButton
from onnes.runner.night_thread import NightThread
from onnes.runner.progress import Progress
from tests.runner.asked_night import HEAD, AskedNight

# So long that the night is still there when it is asked; virtual hours pass in seconds.
LONG = f"{HEAD}finish: {{field: 0 Oe}}\nsteps:\n  - wait: 20000 h\n  - wait: 20000 h\n"


def onnes(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(cli, [*arguments, "--json"], standalone_mode=False)
    assert result.exception is None
    assert "Traceback" not in result.output
    assert result.return_value == code, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedNight:
    package = files("onnes.runner")
    for name in ("station", "sample"):
        text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return AskedNight(tmp_path, LONG)


@contextmanager
def under_way(night: AskedNight) -> Iterator[NightThread]:
    """Yield a night that is running, and see that it has ended afterwards."""
    with night.ready() as thread:
        thread.start()
        wall = WallClock()
        while not night.shown and wall.now() < 30:
            assert not thread.wait(0.01)
        try:
            yield thread
        finally:
            thread.requests.abort("the end of the test")
            assert thread.wait(30)


def test_a_night_is_paused_resumed_extended_skipped_and_stopped_from_another_process(
    night: AskedNight,
) -> None:
    with under_way(night) as thread:
        assert onnes("status")["state"] == "running"
        assert onnes("pause")["state"] == "paused"
        status = onnes("status")
        assert (status["state"], status["next"]) == ("paused", "to go on type: onnes resume 1")
        assert "pause asked by" in status["reason"]
        refused = onnes("acknowledge", code=2)
        assert any("request_refused: acknowledge asked by" in text for text in refused["messages"])
        assert onnes("resume")["state"] == "running"
        extended = onnes("extend", "2 T", code=2)
        assert any("nothing is measured at the moment" in text for text in extended["messages"])
        assert any("skipped: step 1" in text for text in onnes("skip")["messages"])
        assert onnes("helium-fill")["heard"]
        status = onnes("status")
        assert (status["state"], status["reason"].split(":")[0]) == ("suspended", "helium_fill")
        assert onnes("helium-fill")["heard"]
        assert onnes("stop")["state"] in ("stopping", "stopped")
        assert thread.wait(30)
        assert thread.outcome().exit_code == 4
    assert onnes("status", code=4)["state"] == "stopped"
    asked = [text.split(" asked by ")[0] for text in night.said("request")]
    assert asked == [
        "pause", "acknowledge", "resume", "extend", "skip", "helium_fill", "helium_fill", "stop",
    ]  # fmt: skip
    assert all(event["values"]["utc"] for event in night.events("request"))


def test_whatever_lies_among_the_requests_is_an_event_and_nothing_else(night: AskedNight) -> None:
    with under_way(night) as thread:
        box = thread.folder / "requests"
        (box / "garbage.json").write_bytes(b"\xff\x00{{{")
        (box / "huge.json").write_bytes(b"[" * 1_000_000)
        (box / "folder.json").mkdir()
        (box / "other.json").write_text('{"kind": "explode", "who": "me"}', encoding="utf-8")
        (box / "nobody.json").write_text('{"kind": "stop"}', encoding="utf-8")
        (box / "deep.json").write_text("[" * 60_000, encoding="utf-8")
        assert onnes("pause")["state"] == "paused"  # it is read in the same looks
    refused = " ".join(night.said("request_refused"))
    for name in ("garbage", "huge", "folder", "other", "nobody", "deep"):
        assert f"{name}.json" in refused
    assert night.night.status == "aborted"


def test_a_command_finds_the_night_that_runs_and_says_when_there_is_none(night: AskedNight) -> None:
    with under_way(night):
        assert onnes("stop", "--now")["state"] == "aborted"
    assert "no night is running" in onnes("stop", code=2)["messages"][0]
    assert "it is aborted; nothing was sent" in onnes("pause", "1", code=2)["messages"][0]


def test_a_display_that_fails_leaves_the_night_alone(
    night: AskedNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.sequence = LONG.replace("20000 h", "1 h")
    monkeypatch.setattr(live_bar, "_show", Mock(side_effect=OSError("the terminal is gone")))
    with night.ready() as thread:
        live_bar.watch(thread, StopButton(thread, WallClock()), Console(stderr=True))
        assert thread.outcome().status == "finished"


def test_who_looks_on_leaves_no_trace_in_the_night(night: AskedNight) -> None:
    with under_way(night) as thread:
        for _ in range(3):
            assert onnes("watch", "--once")["state"] == "running"
        assert not list((thread.folder / "requests").glob("*.json"))
        onnes("stop")
        thread.wait(30)
    assert night.night.status == "stopped"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no signal that cannot be caught")
def test_a_night_that_was_killed_is_crashed_with_its_point_and_may_be_given_up(night: AskedNight) -> None:
    (night.folder / "night.yaml").write_text(LONG, encoding="utf-8")
    command = [sys.executable, "-m", "onnes.runner.cli", "run", "night.yaml"]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    wall = WallClock()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as runner:
        while not list(Path("runs").glob("*/*/environment.csv")) and wall.now() < 30:
            assert runner.poll() is None
            wall.sleep(0.05)
        assert onnes("pause")["state"] == "paused"
        runner.kill()
    status = onnes("status", code=3)
    assert (status["state"], status["next"]) == ("crashed", "to go on with it type: onnes resume 1")
    assert onnes("stop", "1")["state"] == "stopped"
    assert onnes("status", code=4)["state"] == "stopped"


@pytest.mark.parametrize(("field_oe", "end"), [(20000.0, "4.20 K  20000 Oe"), (float("nan"), "4.20 K")])
def test_the_bar_shows_a_field_where_there_is_a_magnet(field_oe: float, end: str) -> None:
    shown = live_bar._state(
        Progress(state="running", point=3, points=9, temperature_k=4.2, field_oe=field_oe)
    )
    assert shown == f"3/9  {end}"
