"""Rows reach the disk once, whole and in order, whatever the drive does."""

import errno
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext, suppress
from io import FileIO
from pathlib import Path
from typing import Protocol

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.storage.append_file import AppendFile
from onnes.storage.table import line_parts, table_parts


class Drive(Protocol):
    full: bool
    room: int
    gone: bool


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


def rows(count: int, start: int = 0) -> list[bytes]:
    return [b"row %d\n" % number for number in range(start, start + count)]


def test_a_row_is_in_the_file_when_append_returns(tmp_path: Path, wall: VirtualClock) -> None:
    file = AppendFile.create(tmp_path / "a", wall, b"head\n")
    file.append(b"1,2\n")
    assert (tmp_path / "a").read_bytes() == b"head\n1,2\n"
    file.close()


def test_a_file_that_exists_is_never_taken(tmp_path: Path, wall: VirtualClock) -> None:
    (tmp_path / "a").write_bytes(b"of someone else\n")
    with pytest.raises(StorageError, match=r"cannot create .*a: File exists"):
        AppendFile.create(tmp_path / "a", wall)
    assert (tmp_path / "a").read_bytes() == b"of someone else\n"


def test_rows_are_synced_once_a_second_of_wall_time(
    tmp_path: Path, wall: VirtualClock, syncs: list[int]
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    for row in rows(40):
        wall.sleep(0.125)
        file.append(row)
    assert len(syncs) == 5
    file.close()
    assert len(syncs) == 5  # nothing was left
    file.close()


def test_a_last_row_before_a_long_wait_is_synced_by_the_look_of_the_owner(
    tmp_path: Path, wall: VirtualClock, syncs: list[int]
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    file.append(b"1\n")
    file.sync_if_due()
    assert syncs == []
    wall.sleep(1.0)
    file.sync_if_due()
    assert syncs == [2]
    wall.sleep(9.0)
    file.sync_if_due()
    assert syncs == [2]
    file.close()


def test_memory_stays_bounded_when_no_wall_time_passes(
    tmp_path: Path, wall: VirtualClock, syncs: list[int]
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    row = b"x" * 1023 + b"\n"
    for _ in range(3000):
        file.append(row)
    assert len(syncs) == 2
    file.close()


@pytest.mark.parametrize("room", [0, 1, 5])
def test_a_full_disk_keeps_the_rows_and_writes_them_once_when_there_is_room(
    tmp_path: Path, wall: VirtualClock, drive: Drive, room: int
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    for row in rows(3):
        file.append(row)
    drive.full, drive.room = True, room
    for pending, row in enumerate(rows(4, start=3), start=1):
        with pytest.raises(StorageError, match=re.escape(f"rows kept in memory: {pending};")):
            file.append(row)
        assert file.pending() == pending
    assert (tmp_path / "a").read_bytes() == b"".join(rows(3)) + rows(1, 3)[0][:room]
    with pytest.raises(StorageError, match="make room or bring the drive back"):
        file.flush()
    drive.full = False
    file.flush()
    assert file.pending() == 0
    file.append(rows(1, start=7)[0])
    file.close()
    assert (tmp_path / "a").read_bytes() == b"".join(rows(8))


def test_a_disk_that_fills_up_again_half_way_tears_nothing(
    tmp_path: Path, wall: VirtualClock, drive: Drive
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    file.append(rows(1)[0])
    drive.full = True
    for row in rows(3, start=1):
        with pytest.raises(StorageError):
            file.append(row)
    for room in (9, 2, 0, 30, 3):
        drive.room = room
        with pytest.raises(StorageError):
            file.flush()
    drive.full = False
    file.flush()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"".join(rows(4))


def test_appending_writes_what_is_pending_first(tmp_path: Path, wall: VirtualClock, drive: Drive) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    drive.full = True
    with pytest.raises(StorageError):
        file.append(b"1\n")
    drive.full = False
    file.append(b"2\n")
    assert (tmp_path / "a").read_bytes() == b"1\n2\n"
    assert file.pending() == 0
    file.close()


def test_after_a_failed_sync_every_row_since_the_last_good_one_is_written_again(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    file.append(b"0\n")
    file.sync()

    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fsync)
        file.append(b"1\n")
        wall.sleep(2.0)
        with pytest.raises(StorageError, match="Input/output error; rows kept in memory: 2"):
            file.append(b"2\n")
        with pytest.raises(StorageError):
            file.flush()
        assert file.pending() == 2
    file.flush()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"0\n1\n2\n"


def test_a_drive_that_comes_back_without_what_was_not_synced_gets_it_again(
    tmp_path: Path, wall: VirtualClock, drive: Drive
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    file.append(b"0\n")
    file.sync()
    file.append(b"1\n")
    drive.full = drive.gone = True
    with pytest.raises(StorageError):
        file.append(b"2\n")
    with pytest.raises(StorageError, match="drive gone"):
        file.flush()
    (tmp_path / "a").write_bytes(b"0\n")
    drive.full = drive.gone = False
    file.flush()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"0\n1\n2\n"


def test_a_file_that_came_back_shorter_is_left_alone(
    tmp_path: Path, wall: VirtualClock, drive: Drive
) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    for row in rows(2):
        file.append(row)
    file.sync()
    drive.full = True
    with pytest.raises(StorageError):
        file.append(b"row 2\n")
    (tmp_path / "a").write_bytes(b"row 0\n")
    drive.full = False
    with pytest.raises(StorageError, match=r"it has 6 bytes where 12 were written .move it away"):
        file.flush()
    assert file.pending() == 1
    assert (tmp_path / "a").read_bytes() == b"row 0\n"
    (tmp_path / "a").rename(tmp_path / "older")
    file.close()
    assert (tmp_path / "a").read_bytes() == b"row 2\n"


@pytest.mark.parametrize("back", ["the folder alone", "the empty file"])
def test_a_folder_that_was_removed_and_came_back_empty_gets_the_rows_from_then_on(
    tmp_path: Path, wall: VirtualClock, back: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    file = AppendFile.create(folder / "a", wall, b"head\n")
    file.append(b"0\n")
    file.sync()
    (folder / "a").unlink()
    folder.rmdir()
    file.append(b"1\n")  # the system takes it
    wall.sleep(1.5)
    with pytest.raises(StorageError, match="No such file or directory; rows kept in memory: 2"):
        file.append(b"2\n")
    with pytest.raises(StorageError, match="No such file"):
        file.flush()
    assert not folder.exists()
    folder.mkdir()
    if back == "the empty file":
        (folder / "a").touch()
    file.append(b"3\n")
    file.close()
    assert (folder / "a").read_bytes() == b"head\n1\n2\n3\n"
    assert file.remarks == ["a came back empty and was begun anew; 7 bytes of before are lost"]


def test_a_loss_that_is_found_while_the_disk_is_full_tears_nothing(
    tmp_path: Path, wall: VirtualClock, drive: Drive
) -> None:
    file = AppendFile.create(tmp_path / "a", wall, b"head\n")
    for row in rows(3):
        file.append(row)
    file.sync()
    (tmp_path / "a").unlink()
    drive.full = True
    for room in (0, 3, 20, 7):
        drive.room = room
        with pytest.raises(StorageError):
            file.append(b"row %d\n" % (10 + room))
    drive.full = False
    file.flush()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"head\nrow 10\nrow 13\nrow 30\nrow 17\n"
    assert len(file.remarks) == 1


def test_another_file_in_its_place_is_noticed(tmp_path: Path, wall: VirtualClock) -> None:
    file = AppendFile.create(tmp_path / "a", wall)
    file.append(b"0\n")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError, match="another file has taken its place; rows kept in memory: 1"):
        file.sync()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"0\n"


@pytest.mark.parametrize("fails", ["close", "fsync", "stat"])
def test_a_network_drive_that_fails_in_every_call_raises_only_storage_errors(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    class Gone(FileIO):
        def close(self) -> None:
            super().close()
            if fails == "close":
                raise OSError(errno.EHOSTDOWN, "host is down")

    def broken(*_: object) -> None:
        raise OSError(errno.EHOSTDOWN, "host is down")

    file = AppendFile.create(tmp_path / "a", wall)
    file._file.close()
    file._file = Gone(tmp_path / "a", "r+")
    file.append(b"0\n")
    with monkeypatch.context() as gone:
        if fails == "fsync":
            gone.setattr(os, "fsync", broken)
        elif fails == "stat":
            gone.setattr(Path, "stat", broken)
        if fails != "close":
            with pytest.raises(StorageError, match="host is down; rows kept in memory: 1"):
                file.sync()
            with pytest.raises(StorageError, match="host is down") if fails == "fsync" else nullcontext():
                file.flush()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"0\n"


@pytest.mark.parametrize("torn", [b"", b'2,"a\nb', b"2,", b"\0\0\0"])
def test_a_file_is_taken_up_behind_its_last_whole_row(
    tmp_path: Path, wall: VirtualClock, torn: bytes
) -> None:
    whole = b'#it "says\nNumber,Note\n0,"two\nlines"\n1,x\n'
    (tmp_path / "a").write_bytes(whole + torn)
    file = AppendFile.take_up(tmp_path / "a", wall, table_parts)
    assert file.head == b'#it "says\nNumber,Note\n'
    assert (tmp_path / "a").read_bytes() == whole
    expected = [f"cut {len(torn)} bytes of a torn row off a: {torn!r}"] if torn else []
    assert file.remarks == expected
    file.append(b"2,y\n")
    file.close()
    assert (tmp_path / "a").read_bytes() == whole + b"2,y\n"


def test_a_quote_in_a_line_of_events_tears_nothing(tmp_path: Path, wall: VirtualClock) -> None:
    (tmp_path / "a").write_bytes(b'{"a": "\\""}\n{"b": 1}\n{"c')
    file = AppendFile.take_up(tmp_path / "a", wall, line_parts)
    file.close()
    assert (tmp_path / "a").read_bytes() == b'{"a": "\\""}\n{"b": 1}\n'


def test_a_table_that_is_damaged_in_the_middle_is_not_cut_there(tmp_path: Path, wall: VirtualClock) -> None:
    content = b'A\n1\n"2\n' + b"3\n" * 40_000
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(StorageError, match="no row ends properly in its last 80003 bytes; nothing was"):
        AppendFile.take_up(tmp_path / "a", wall, table_parts)
    assert (tmp_path / "a").read_bytes() == content


def test_a_file_that_cannot_be_taken_up_is_reported(tmp_path: Path, wall: VirtualClock) -> None:
    with pytest.raises(StorageError, match=r"cannot take up .*a: No such file or directory"):
        AppendFile.take_up(tmp_path / "a", wall, table_parts)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_real_limit_of_the_system_loses_no_row(tmp_path: Path, wall: VirtualClock) -> None:
    resource = pytest.importorskip("resource")
    file = AppendFile.create(tmp_path / "a", wall, b"head\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    failed = 0
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))  # Python ignores SIGXFSZ
        for row in rows(20):
            try:
                file.append(row)
            except StorageError as error:
                assert "File too large" in str(error) or "bytes written" in str(error)  # noqa: PT017 - counted
                failed += 1
        assert file.pending() == failed > 10
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.flush()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"head\n" + b"".join(rows(20))


def test_a_real_full_disk_loses_no_row(tmp_path: Path, wall: VirtualClock) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if mount is None or subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        file = AppendFile.create(disk / "a", wall)
        (disk / "other").write_bytes(b"x" * 40_000)
        row = b"x" * 999 + b"\n"
        failed = 0
        for _ in range(40):
            with suppress(StorageError):
                file.append(row)
                continue
            failed += 1
        assert file.pending() == failed > 10
        (disk / "other").unlink()
        file.flush()
        file.close()
        assert (disk / "a").read_bytes() == row * 40
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_interrupted_write_is_repaired_by_the_next(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(FileIO):
        def write(self, data: object) -> int:
            super().write(bytes(data)[:3])  # type: ignore[call-overload]  # FileIO takes any buffer
            monkeypatch.undo()
            raise KeyboardInterrupt

    file = AppendFile.create(tmp_path / "a", wall)
    file.append(b"row 0\n")
    file._file.close()
    file._file = Interrupted(tmp_path / "a", "r+")
    file._file.seek(6)
    with pytest.raises(KeyboardInterrupt):
        file.append(b"row 1\n")
    file.append(b"row 2\n")
    file.close()
    assert (tmp_path / "a").read_bytes() == b"row 0\nrow 1\nrow 2\n"
