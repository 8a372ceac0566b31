"""The commands for a night of another process, as a person or a program meets them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from onnes.runner.cli import cli
from onnes.storage.owner_lock import OwnerLock
from onnes.storage.request_box import RequestBox
from tests.runner.conftest import OpenNight
from tests.runner.test_schemas import output_problems

KINDS = {
    ("stop",): "stop",
    ("stop", "--now"): "abort",
    ("pause",): "pause",
    ("skip",): "skip",
    ("extend", "-2 T"): "extend",
    ("acknowledge",): "acknowledge",
    ("helium-fill",): "helium_fill",
}


@pytest.fixture
def live(open_night: OpenNight) -> Iterator[OpenNight]:
    """A night with a runner that has a letter box."""
    RequestBox(open_night.path, open_night.wall)
    with OwnerLock(open_night.path / "owner.lock", {}):
        yield open_night


def onnes(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False)


def answer(result: Result) -> dict[str, Any]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def posted(night: OpenNight) -> list[dict[str, Any]]:
    return [json.loads(file.read_bytes()) for file in (night.path / "requests").glob("*.json")]


@pytest.mark.parametrize("command", [["status"], ["watch"], ["watch", "--once"]])
def test_looking_on_answers_with_one_json_object(live: OpenNight, command: list[str]) -> None:
    result = onnes(*command, "--json")
    found = answer(result)
    assert output_problems(found, "status") == []
    assert (result.return_value, found["state"], found["point"]) == (0, "running", 3)
    assert found["heartbeat_age_s"] > 0  # the wall clock of the one who asks is not that of the test
    assert live.path.name in found["night"]


def test_a_person_gets_one_screen(live: OpenNight) -> None:
    result = onnes("status")
    assert result.stdout.startswith("SIMULATED  running, step 2 of 3, point 3 of 5\n")
    assert len(result.stdout.splitlines()) < 24
    frame = onnes("watch", "1", "--once")
    assert "T 4.200 K stable" in frame.stdout
    assert live.path.name not in frame.stderr


def test_a_crashed_night_has_exit_code_3_and_fits_the_schema(open_night: OpenNight) -> None:
    result = onnes("status", str(open_night.path), "--json")
    found = answer(result)
    assert output_problems(found, "status") == []
    assert (result.return_value, found["state"]) == (3, "crashed")
    assert found["next"] == "to go on with it type: onnes resume 1"


@pytest.mark.parametrize(("command", "kind"), KINDS.items(), ids=lambda value: "-".join(value))
def test_a_request_is_posted_and_answered_with_one_json_object(
    live: OpenNight, command: tuple[str, ...], kind: str
) -> None:
    result = onnes(*command, "--no-wait", "--json")
    found = answer(result)
    assert output_problems(found, "asked") == []
    assert (result.return_value, found["request"], found["heard"]) == (0, kind, None)
    (request,) = posted(live)
    assert request["kind"] == kind
    if kind == "extend":
        assert request["values"] == {"quantity": "field", "end": -20000.0, "text": "-2 T"}


@pytest.mark.usefixtures("live")
def test_a_person_reads_what_will_happen_before_it_does() -> None:
    result = onnes("stop", "--no-wait")
    assert result.stderr.splitlines() == [
        "stop, night 1 (SIMULATED):",
        "  source      the point is finished, then ramped to 0",
        "  field       goes to `finish.field` by its approach",
        "  temperature goes to `finish.temperature`",
        "  queue       night and run end as stopped, the rest of the queue is dropped",
    ]
    assert result.stdout == "night 1 was asked to stop\nto look on type: onnes watch 1\n"


@pytest.mark.parametrize("command", KINDS, ids="-".join)
def test_a_night_that_is_over_is_not_asked_and_the_exit_code_is_2(
    live: OpenNight, command: tuple[str, ...]
) -> None:
    live.edit(status="finished")
    result = onnes(*command, "1", "--json")
    found = answer(result)
    assert output_problems(found, "night") == []
    assert result.return_value == 2
    assert found["messages"] == [result.stderr.strip()]
    assert re.fullmatch(
        r"night 1 cannot be asked to [\w ]+: it is finished; nothing was sent", found["messages"][0]
    )
    assert posted(live) == []


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["status", "42"], "there is no night 0042"),
        (["watch", "nowhere"], "there is no folder nowhere"),
        (["stop", "42"], "there is no night 0042"),
        (["extend", "60", "K"], "'60' has no unit"),
    ],
)
def test_what_is_typed_wrong_is_one_message_and_exit_code_2(command: list[str], message: str) -> None:
    result = onnes(*command)
    assert (result.exception, result.return_value) == (None, 2)
    assert message in result.stderr
    assert result.stdout == ""


def test_without_any_night_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no night in" in onnes("status").stderr
    assert "no night is running in" in onnes("stop").stderr


def test_another_process_takes_the_request_while_the_command_waits(open_night: OpenNight) -> None:
    code = (
        "import json, pathlib, sys\n"
        "from onnes.instruments.clock import WallClock\n"
        "from onnes.storage.owner_lock import OwnerLock\n"
        "from onnes.storage.request_box import RequestBox\n"
        "night, wall = pathlib.Path(sys.argv[1]), WallClock()\n"
        "with OwnerLock(night / 'owner.lock', {}):\n"
        "    box = RequestBox(night, wall)\n"
        "    print('ready', flush=True)\n"
        "    while not (asked := box.take()):\n"
        "        assert wall.now() < 60\n"
        "        wall.sleep(0.02)\n"
        "    manifest = json.loads((night / 'night.json').read_text(encoding='utf-8'))\n"
        "    manifest.update(status='stopped', safe_state_confirmed=True, message=asked[0].kind)\n"
        "    (night / 'night.new').write_text(json.dumps(manifest), encoding='utf-8')\n"
        "    (night / 'night.new').replace(night / 'night.json')\n"
    )
    command = [sys.executable, "-c", code, str(open_night.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        try:
            assert runner.stdout is not None
            assert runner.stdout.readline() == "ready\n"
            found = answer(onnes("stop", "--json"))
            assert runner.wait(60) == 0
        finally:
            runner.kill()
    assert (found["heard"], found["state"]) == (True, "stopped")
    assert found["messages"][-1].endswith("point 3 of 5: stop")


def test_the_commands_start_without_the_heavy_libraries(open_night: OpenNight) -> None:
    code = (
        "import sys\n"
        "from onnes.runner.cli import cli\n"
        "cli.main(['status', sys.argv[1], '--json'], standalone_mode=False)\n"
        "heavy = ['pandas', 'scipy.optimize', 'matplotlib', 'pymeasure', 'pyvisa']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", code, str(open_night.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"
