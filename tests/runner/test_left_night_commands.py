"""What is typed of a night whose runner is gone, right and wrong: one message, an exit code, nothing lost."""

import json
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from onnes.instruments.clock import WallClock
from onnes.runner.cli import cli
from onnes.runner.night_thread import OWNERS
from onnes.storage.owner_lock import OwnerLock
from onnes.storage.reader import Night
from onnes.storage.request_box import post
from tests.runner.asked_night import AskedNight
from tests.runner.test_engine import SEQUENCE
from tests.runner.test_schemas import output_problems


def onnes(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None
    assert "Traceback" not in result.output
    return result


class Left:
    """A night below ./runs that looks as a killed runner leaves it, with two of six points."""

    def __init__(self, folder: Path) -> None:
        (self.path,) = (file.parent for file in folder.glob("runs/*/*/night.json"))
        self.folder = folder

    def edit(self, **entries: Any) -> None:
        file = self.path / "night.json"
        manifest = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**manifest, **entries}), encoding="utf-8")

    def content(self) -> dict[str, bytes]:
        """Return all files of the night, as they are, without those that only say who looked."""
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and not path.name.startswith("owner.lock")
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("left")
    package = files("onnes.runner")
    for name in ("station", "sample"):
        text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    night = AskedNight(folder, SEQUENCE)
    night.after_point = lambda count, running: running.requests.abort("a test") if count == 2 else None
    night.run()
    left = Left(folder)
    left.edit(status="running", heartbeat="2026-01-01T00:00:00+00:00", safe_state_confirmed=None)
    (run,) = left.path.glob("*/run.json")
    manifest = json.loads(run.read_text(encoding="utf-8"))
    run.write_text(json.dumps({**manifest, "status": "running"}), encoding="utf-8")
    return folder


@pytest.fixture
def left(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    """A copy of it, which is spoiled freely; its files are where they were when it began."""
    folder = tmp_path / "there"
    shutil.copytree(made, folder)
    text = "sample.toml", "station.toml", "night.yaml"
    found = Left(folder)
    manifest = (found.path / "night.json").read_text(encoding="utf-8")
    for name in text:
        manifest = manifest.replace((made / name).as_posix(), (folder / name).as_posix())
    (found.path / "night.json").write_text(manifest, encoding="utf-8")
    monkeypatch.chdir(folder)
    return found


def test_a_crashed_night_is_taken_up_to_its_end(left: Left) -> None:
    result = onnes("resume", "1", "--yes", "--json")
    assert result.return_value == 0, result.output
    night = Night.open(left.path)
    assert night.status == "finished"
    assert list(night.runs[0].current["Field setpoint (Oe)"]) == [0, 200, 400, 400, 200, 0]


# -- giving it up


@pytest.mark.parametrize("command", [["stop", "1"], ["stop", "1", "--now"]])
def test_a_crashed_night_is_given_up_by_a_stop_and_may_be_taken_up_after_all(
    left: Left, command: list[str]
) -> None:
    before = left.content()
    result = onnes(*command, "--json")
    assert result.return_value == 0
    found = json.loads(result.stdout)
    assert output_problems(found, "asked") == []
    assert found["state"] == "stopped"
    assert found["effect"]["source"] == "as its runner left it: nothing is sent"
    assert "nothing was sent" in found["messages"][0]
    night = Night.open(left.path)
    assert night.status == "stopped"
    assert night.events.kind.iloc[-1] == "given_up"
    changed = {name for name, content in left.content().items() if before.get(name) != content}
    assert {name for name in changed if not name.startswith("requests")} == {"night.json", "events.jsonl"}
    assert onnes("status", "1").stdout.startswith("SIMULATED  stopped")
    assert onnes("resume", "1", "--yes").return_value == 0
    assert Night.open(left.path).status == "finished"


def test_of_a_given_up_night_on_hardware_it_is_said_that_the_current_may_be_on(left: Left) -> None:
    left.edit(backend="visa", lab=None, seed=None)
    result = onnes("stop", "1")
    assert result.return_value == 0
    assert "THE CURRENT MAY STILL BE ON" in result.stdout
    assert "`onnes station test demo`" in result.stdout
    status = onnes("status", "1")
    assert status.return_value == 5
    assert status.stdout.startswith("SAFE STATE NOT CONFIRMED")


@pytest.mark.parametrize("command", ["stop", "resume"])
def test_a_night_that_somebody_has_is_neither_given_up_nor_taken_up(left: Left, command: str) -> None:
    left.edit(owner={"host": "another"})  # whose heartbeat is old: it looks as if it had crashed
    before = left.content()
    with OwnerLock(left.path / "owner.lock", {"what": "a night", "since": "now"}):
        result = onnes(command, "1", *(["--yes"] if command == "resume" else []))
    assert result.return_value == 6
    assert "is owned by user" in result.stderr
    assert {name: c for name, c in left.content().items() if not name.startswith("requests")} == before


def test_a_station_that_another_night_uses_is_refused_with_exit_code_6_and_by_name(left: Left) -> None:
    lock = left.folder / "runs" / OWNERS / "demo.lock"
    with OwnerLock(lock, {"what": "station demo", "since": "now"}):
        result = onnes("resume", "1", "--yes")
        again = onnes("run", str(left.folder / "night.yaml"))
    for refused in (result, again):
        assert refused.return_value == 6
        assert "for station demo; nothing was sent" in refused.stderr
    assert len(list((left.folder / "runs").glob("*/*/night.json"))) == 1


# -- what cannot be taken up


def broken(text: str) -> Callable[[Left], object]:
    return lambda left: (left.path / "night.json").write_text(text, encoding="utf-8")


def replaced(name: str, old: str, new: str) -> Callable[[Left], object]:
    def spoil(left: Left) -> None:
        file = left.path / name if name == "sequence.yaml" else left.folder / name
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    return spoil


BAD: dict[str, tuple[Callable[[Left], object], str]] = {
    "finished": (lambda left: left.edit(status="finished"), "is finished; there is nothing to take up"),
    "another station": (replaced("station.toml", 'name = "demo"', 'name = "ppms14"'), "the station ppms14"),
    "a changed station": (replaced("station.toml", "1 V", "2 V"), "the station file changed since"),
    "a changed sample": (replaced("sample.toml", "[", "# new\n["), "the sample file changed since"),
    "a changed sequence": (replaced("sequence.yaml", "400 Oe", "500 Oe"), "the sequence changed since"),
    "no station file": (lambda left: (left.folder / "station.toml").unlink(), "of this night is missing"),
    "a torn manifest": (broken('{"status": "runn'), "is not JSON"),
    "a list": (broken("[1, 2]"), "holds a list; expected an object"),
    "an empty manifest": (broken(""), "is not JSON"),
    "an empty object": (broken("{}"), "night.json"),
    "no steps": (lambda left: left.edit(steps=[{"status": "running"}]), "steps"),
    "steps of a word": (lambda left: left.edit(steps="all"), "steps"),
    "no samples": (lambda left: left.edit(samples=7), "does not say samples"),
    "a newer format": (lambda left: left.edit(format=99), "format"),
    "a word for the owner": (lambda left: left.edit(owner="me"), "owner"),
    "a word for the state": (lambda left: left.edit(state="fine"), "state"),
    "an unacknowledged fault": (
        lambda left: left.edit(status="failed", fault="a quench"),
        "ended on a fault: a quench; look at the instrument, then `onnes acknowledge 1`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_taken_up_is_one_clear_message_and_changes_nothing(left: Left, kind: str) -> None:
    spoil, message = BAD[kind]
    spoil(left)
    before = left.content()
    result = onnes("resume", str(left.path), "--yes")
    assert result.return_value == 2, result.output
    assert message in result.stderr
    assert left.content() == before


@pytest.mark.usefixtures("left")
def test_a_folder_that_is_no_night_is_said_to_be_none() -> None:
    for command in (["resume", ".", "--yes"], ["stop", "."], ["status", "."]):
        result = onnes(*command)
        assert result.return_value == 2
        assert "is neither a night nor a run in a night" in result.stderr


def test_a_resume_that_is_not_agreed_to_changes_nothing(left: Left) -> None:
    before = left.content()
    result = CliRunner().invoke(cli, ["resume", "1"], input="n\n", standalone_mode=False)
    assert result.return_value == 2
    assert "left as it is; nothing was sent" in result.stderr
    assert left.content() == before


def test_what_was_asked_of_the_runner_before_is_refused_by_the_next(left: Left) -> None:
    post(left.path, "stop", "somebody", wall=WallClock())
    assert onnes("resume", "1", "--yes").return_value == 0
    night = Night.open(left.path)
    assert night.status == "finished"
    (refused,) = night.events[night.events.kind == "request_refused"].message
    assert "posted before this runner took the night" in refused


# -- a station that is not as it should be


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('k6221 = { output = "off" }', 'k6222 = { output = "off" }', "k6222"),
        ("[defaults]", '[interlocks]\nhelium = { trip = "50 %", clear = "40 %" }\n[defaults]', "clear"),
    ],
    ids=["a safe state of nobody", "levels in the wrong order"],
)
def test_a_wrong_station_is_refused_before_anything_is_opened(
    left: Left, old: str, new: str, message: str
) -> None:
    replaced("station.toml", old, new)(left)
    for command in (["check"], ["run"]):
        result = onnes(*command, str(left.folder / "night.yaml"))
        assert result.return_value == 2
        assert message in result.output
        assert "station.toml" in result.output
    assert len(list((left.folder / "runs").glob("*/*/night.json"))) == 1


# -- how a night ended, told from its folder


@pytest.mark.parametrize(
    ("entries", "code", "says", "next_is"),
    [
        ({"fault": "magnet: quench", "message": "magnet: quench"}, 3, "failed", "onnes resume 1"),
        ({"message": "step 1 failed"}, 3, "step 1 failed", "onnes resume 1"),
        ({"safe_state_confirmed": False}, 5, "SAFE STATE NOT CONFIRMED", "onnes station test demo"),
    ],
    ids=["on a fault", "a step", "not safe"],
)
def test_a_status_tells_how_a_night_failed(
    left: Left, entries: dict[str, Any], code: int, says: str, next_is: str
) -> None:
    left.edit(**{"status": "failed", "safe_state_confirmed": True, **entries})
    result = onnes("status", "1")
    assert result.return_value == code
    assert says in result.stdout.splitlines()[0]
    assert next_is in result.stdout.splitlines()[-1]


def test_a_night_that_ended_on_a_fault_is_acknowledged_and_then_taken_up(left: Left) -> None:
    left.edit(status="failed", fault="magnet: quench", safe_state_confirmed=True)
    assert "ended on a fault" in onnes("resume", "1", "--yes").stderr
    assert "acknowledged: magnet: quench" in onnes("acknowledge", "1").stdout
    assert onnes("resume", "1", "--yes").return_value == 0
    assert Night.open(left.path).status == "finished"


def test_a_fault_is_acknowledged_without_a_number_in_the_newest_night_that_ended_on_one(left: Left) -> None:
    left.edit(status="failed", fault="magnet: quench", safe_state_confirmed=True)
    assert "night 1: acknowledged: magnet: quench" in onnes("acknowledge").stdout
    again = onnes("acknowledge")
    assert (again.return_value, again.stdout) == (2, "")
    assert "no night is running" in again.stderr


def test_a_night_that_did_not_end_on_a_fault_has_nothing_to_acknowledge(left: Left) -> None:
    left.edit(status="failed", safe_state_confirmed=True)
    result = onnes("acknowledge", "1")
    assert result.return_value == 2
    assert "did not end on a fault; there is nothing to acknowledge" in result.stderr
