"""One owner at a time, told by name, and none left behind by a kill."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from onnes.instruments.errors import OwnershipError, StorageError
from onnes.storage import owner_lock
from onnes.storage.owner_lock import OwnerLock, holder, last_holder

ABOUT = {"what": "night 0042", "since": "2026-11-20T18:30:05+00:00"}

OWNER = """
import sys
from pathlib import Path

from onnes.storage.owner_lock import OwnerLock

lock = OwnerLock(Path(sys.argv[1]), {"what": "night 0042", "since": "2026-11-20T18:30:05+00:00"})
lock.acquire()
print("mine", flush=True)
sys.stdin.readline()
lock.release()
print("free", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stations" / "ppms9.lock"


def test_a_second_owner_is_told_who_has_it(path: Path) -> None:
    assert holder(path) is None
    with OwnerLock(path, ABOUT):
        found = holder(path)
        assert found is not None
        assert (found["host"], found["pid"], found["what"]) == (platform.node(), os.getpid(), "night 0042")
        assert "process_started" in found
        with pytest.raises(OwnershipError) as refused:
            OwnerLock(path, {}).acquire()
    assert (
        f"on host {platform.node()}, pid {os.getpid()}, since 2026-11-20 18:30:05 UTC for night 0042; "
        "nothing was sent" in str(refused.value)
    )
    assert holder(path) is None
    with OwnerLock(path, ABOUT):
        pass


def test_a_lock_is_taken_once(path: Path) -> None:
    lock = OwnerLock(path, ABOUT)
    lock.acquire()
    with pytest.raises(OwnershipError, match="for night 0042"):
        lock.acquire()
    lock.release()
    lock.release()
    assert holder(path) is None


def test_a_killed_owner_owns_nothing_and_another_process_does(path: Path, tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER, encoding="utf-8")
    command = [sys.executable, str(script), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().strip() == b"mine"
        with pytest.raises(OwnershipError, match=f"pid {owner.pid}, since 2026"):
            OwnerLock(path, ABOUT).acquire()
        found = holder(path)
        assert found is not None
        assert found["pid"] == owner.pid
        owner.kill()
    assert holder(path) is None
    assert last_holder(path)["pid"] == owner.pid
    with OwnerLock(path, ABOUT):
        assert last_holder(path)["pid"] == os.getpid()
    assert last_holder(path) == {}


def test_an_owner_that_ends_gives_it_back_before_its_process_does(path: Path, tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER, encoding="utf-8")
    command = [sys.executable, str(script), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdin is not None
        owner.stdout.readline()
        owner.stdin.write("\n")
        owner.stdin.flush()
        assert owner.stdout.readline().strip() == "free"
        with OwnerLock(path, ABOUT):
            pass
        owner.stdin.close()


@pytest.mark.parametrize("record", [None, b"", b'{"pid": 12', b"[1]", b"\xff\0"])
def test_a_lock_whose_text_is_torn_or_missing_is_refused_all_the_same(
    path: Path, record: bytes | None
) -> None:
    with OwnerLock(path, ABOUT):
        beside = path.with_name("ppms9.lock.json")
        beside.unlink()
        if record is not None:
            beside.write_bytes(record)
        assert holder(path) == {"path": path.as_posix()}
        with pytest.raises(OwnershipError, match="owned by user unknown on host unknown, pid unknown"):
            OwnerLock(path, ABOUT).acquire()


def test_text_beside_a_free_lock_means_nothing(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    path.with_name("ppms9.lock.json").write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
    assert holder(path) is None
    with OwnerLock(path, ABOUT):
        assert holder(path) is not None


def test_a_look_does_not_keep_an_owner_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = owner_lock._file_lock(path)
    path.parent.mkdir()
    looking.acquire(blocking=False)
    tries = 0
    lock = OwnerLock(path, ABOUT)
    real = lock._lock.acquire

    def acquire(*, blocking: bool) -> object:
        nonlocal tries
        tries += 1
        if tries == 3:
            looking.release()
        return real(blocking=blocking)

    monkeypatch.setattr(lock._lock, "acquire", acquire)
    lock.acquire()
    assert tries == 3
    lock.release()


def test_a_lock_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot lock .*ppms9\.lock"):
        OwnerLock(tmp_path / "file" / "ppms9.lock", ABOUT).acquire()
    (tmp_path / "ppms9.lock.json").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*ppms9\.lock\.json"):
        OwnerLock(tmp_path / "ppms9.lock", ABOUT).acquire()
    assert holder(tmp_path / "ppms9.lock") is None


def test_a_lock_that_cannot_be_opened_tells_nobody_who_has_it(tmp_path: Path) -> None:
    (tmp_path / "ppms9.lock").mkdir()
    with pytest.raises(StorageError, match=r"cannot tell who owns .*ask as the user who made it"):
        holder(tmp_path / "ppms9.lock")


def test_what_is_said_about_a_lock_is_data(path: Path) -> None:
    with pytest.raises(TypeError, match=r"about\.what = .* cannot stand in JSON"):
        OwnerLock(path, {"what": object()})
