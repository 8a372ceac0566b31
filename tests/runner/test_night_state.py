"""A night judged from its folder: alive, ended or crashed, and what is known of it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner.find_night import newest_night
from onnes.runner.night_state import ALIVE, STALE_S, State, judge, live_night
from onnes.storage.owner_lock import OwnerLock
from onnes.storage.reader import Run
from tests.runner.conftest import NightMaker, OpenNight, stored_point

MakeNight = Callable[..., NightMaker]
RUN = "02_resistivity-temperature_0Oe"


@pytest.fixture
def owned(open_night: OpenNight) -> Iterator[OpenNight]:
    """A night whose runner lives: this process."""
    with OwnerLock(open_night.path / "owner.lock", {"what": "night"}):
        yield open_night


def test_a_night_whose_lock_is_held_runs_however_old_its_heartbeat_is(owned: OpenNight) -> None:
    owned.wall.sleep(7200)
    night = judge(owned.path, owned.wall)
    assert (night.state, night.is_alive, night.is_late) == ("running", True, True)
    assert night.heartbeat_age_s == 7200
    assert night.exit_code == 0


def test_a_night_whose_lock_is_free_has_crashed_at_once(open_night: OpenNight) -> None:
    with OwnerLock(open_night.path / "owner.lock", {}):
        pass
    night = judge(open_night.path, open_night.wall)
    assert (night.state, night.exit_code) == ("crashed", 3)


def test_a_night_whose_runner_was_killed_has_crashed(open_night: OpenNight) -> None:
    code = (
        "import pathlib, sys\n"
        "from onnes.storage.owner_lock import OwnerLock\n"
        "lock = OwnerLock(pathlib.Path(sys.argv[1]), {})\n"
        "lock.acquire()\n"
        "print('owned', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(open_night.path / "owner.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as runner:
        try:
            assert runner.stdout is not None
            assert runner.stdout.readline() == "owned\n"
            assert judge(open_night.path, open_night.wall).state == "running"
        finally:
            runner.kill()
        runner.wait(20)
    assert judge(open_night.path, open_night.wall).state == "crashed"


@pytest.mark.parametrize(("age_s", "state"), [(STALE_S, "running"), (STALE_S + 1, "crashed")])
@pytest.mark.parametrize("host", ["another", None], ids=["of another host", "without a lock file"])
def test_without_a_lock_to_see_the_heartbeat_tells(
    open_night: OpenNight, host: str | None, age_s: float, state: str
) -> None:
    if host is not None:
        open_night.edit(owner={"host": host, "user": "kamerlingh", "pid": 7})
        with OwnerLock(open_night.path / "owner.lock", {}):
            pass
    open_night.wall.sleep(age_s)
    assert judge(open_night.path, open_night.wall).state == state


def test_a_lock_that_cannot_be_looked_at_leaves_it_to_the_heartbeat(
    open_night: OpenNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise StorageError(f"cannot tell who owns {path}")

    (open_night.path / "owner.lock").touch()
    monkeypatch.setattr("onnes.runner.night_state.holder", refuse)
    assert judge(open_night.path, open_night.wall).state == "running"


def test_a_night_that_ends_while_it_is_looked_at_has_not_crashed(
    open_night: OpenNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> None:
        open_night.run.close("stopped")
        open_night.folder.close("stopped")

    (open_night.path / "owner.lock").touch()
    monkeypatch.setattr("onnes.runner.night_state.holder", free)
    assert judge(open_night.path, open_night.wall).state == "stopped"


@pytest.mark.parametrize("state", [state for state in get_args(State) if state in ALIVE])
def test_the_state_that_a_living_runner_writes_counts(owned: OpenNight, state: str) -> None:
    owned.state(
        state=state, reason="helium low", doing="helium", temperature_k=3.5, field_oe=-2.0, point=4, points=9
    )
    night = judge(owned.path, owned.wall)
    assert (night.state, night.reason, night.doing) == (state, "helium low", "helium")
    assert (night.temperature_k, night.field_oe, night.point, night.points) == (3.5, -2.0, 4, 9)


def test_what_a_dead_runner_wrote_last_does_not_count_but_its_rows_do(open_night: OpenNight) -> None:
    open_night.state(state="paused", reason="lunch", point=1, points=5, temperature_k=99.0)
    open_night.wall.sleep(STALE_S + 1)
    night = judge(open_night.path, open_night.wall)
    assert (night.state, night.reason) == ("crashed", "")
    assert (night.point, night.points) == (3, 5)
    assert night.temperature_k == 4.2


def test_without_a_state_the_steps_and_rows_tell(owned: OpenNight) -> None:
    night = judge(owned.path, owned.wall)
    assert (night.step, night.step_number, night.steps) == ("isotherms", 2, 3)
    assert (night.point, night.points) == (3, 5)
    assert (night.temperature_k, night.field_oe) == (4.2, 20000.0)
    assert night.last_event is not None
    assert night.last_event["message"] == "night of 3 steps"
    assert (night.simulated, night.lab, night.station) == (True, "synthetic, seed 7", "ppms9")


def test_a_row_that_was_being_written_is_no_point(owned: OpenNight) -> None:
    with (owned.run.path / "data.csv").open("ab") as file:
        file.write(b"2026-01-01T00:0")
    assert judge(owned.path, owned.wall).point == 3


def test_rows_of_a_curve_that_was_restarted_do_not_count(owned: OpenNight) -> None:
    owned.run.next_attempt({"rule": "free", "curve": 1, "done": 3, "reason": "paused"})
    owned.run.append(stored_point(7.0))
    assert judge(owned.path, owned.wall).point == 4
    owned.run.next_attempt({"rule": "path", "curve": 1, "done": 0, "reason": "killed"})
    owned.run.append(stored_point(4.0))
    assert judge(owned.path, owned.wall).point == len(Run.open(owned.run.path).current) == 1


def test_a_night_that_was_taken_up_prepares_until_its_runner_says_more(owned: OpenNight) -> None:
    owned.state(state="stopped")
    assert judge(owned.path, owned.wall).state == "preparing"


@pytest.mark.parametrize(
    ("status", "safe", "code"),
    [
        ("finished", True, 0),
        ("failed", True, 3),
        ("stopped", True, 4),
        ("aborted", True, 4),
        ("finished", False, 5),
        ("failed", False, 5),
        ("stopped", False, 5),
    ],
)
def test_an_end_has_its_exit_code(open_night: OpenNight, status: str, safe: bool, code: int) -> None:
    open_night.folder.update(message="helium low", safe_state_confirmed=safe)
    open_night.run.close(status)
    open_night.folder.close(status)
    night = judge(open_night.path, open_night.wall)
    assert (night.state, night.safe, night.exit_code) == (status, safe, code)
    assert night.message == "helium low"


def test_what_the_latest_runner_could_not_confirm_is_named(open_night: OpenNight) -> None:
    event, wall = open_night.folder.event, open_night.wall
    event("safe_state_failed", "an older one", {}, wall)
    event("resumed", "taken up", {}, wall)
    event("safe_state", "magnet: held", {}, wall)
    event("safe_state_failed", "SAFE STATE NOT CONFIRMED: k6221: no answer", {"instrument": "k6221"}, wall)
    event("safe_state_failed", "no answer", {"instrument": "k6221"}, wall)
    assert judge(open_night.path, wall).unconfirmed == ("k6221: no answer",)


def test_damaged_events_are_left_out(owned: OpenNight) -> None:
    with (owned.path / "events.jsonl").open("ab") as file:
        file.write(b'not JSON\n["no event"]\n{"kind": "being writ')
    night = judge(owned.path, owned.wall)
    assert night.last_event is not None
    assert night.last_event["kind"] == "started"


@pytest.mark.parametrize(
    ("status", "state"), [(None, "running"), ("finished", "finished"), ("failed", "failed")]
)
def test_a_run_has_its_own_end_and_until_then_the_state_of_its_night(
    owned: OpenNight, status: str | None, state: str
) -> None:
    if status is not None:
        owned.run.close(status)
    run = judge(owned.path / RUN, owned.wall)
    assert (run.state, run.step, run.point, run.points) == (state, "isotherms", 3, 5)
    assert run.run is not None
    assert run.run.name == RUN


def test_what_is_no_night_is_refused(tmp_path: Path, open_night: OpenNight) -> None:
    with pytest.raises(
        ConfigurationError, match=r"neither a night nor a run in a night; expected a folder with"
    ):
        judge(tmp_path, open_night.wall)


def test_a_damaged_manifest_is_refused_and_hides_no_other_night(owned: OpenNight) -> None:
    damaged = owned.path.with_name("20260101T000000Z_other_0002")
    damaged.mkdir()
    (damaged / "night.json").write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="is not JSON"):
        judge(damaged, owned.wall)
    assert live_night(Path("runs"), owned.wall).path.resolve() == owned.path


def test_a_night_below_runs_is_called_by_its_number_and_another_by_its_folder(
    owned: OpenNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judge(owned.path, owned.wall).call == "1"
    path = owned.path.resolve()
    monkeypatch.chdir(path)
    assert judge(path, owned.wall).call == str(path)


def test_the_live_night_is_found_among_those_that_have_ended(owned: OpenNight, make_night: MakeNight) -> None:
    make_night().close()
    assert live_night(Path("runs"), owned.wall).path.resolve() == owned.path
    assert newest_night(Path("runs")).name.endswith("_0002")


def test_without_a_live_night_it_is_said_where_none_is(open_night: OpenNight) -> None:
    open_night.wall.sleep(STALE_S + 1)
    with pytest.raises(ConfigurationError, match=r"no night is running in .*runs; look with `onnes status`"):
        live_night(Path("runs"), open_night.wall)


def test_several_live_nights_are_named(owned: OpenNight, make_night: MakeNight) -> None:
    make_night()
    with pytest.raises(ConfigurationError, match="more than one night is running: 1, 2; say which"):
        live_night(Path("runs"), owned.wall)


def test_no_night_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no night in .*; give the folder of a night"):
        newest_night(tmp_path)
