"""Rows reach the disk once, whole and in order, whatever the drive does."""

import errno
import os
import re
from io import FileIO
from pathlib import Path
from typing import Protocol

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.storage.append_file import AppendFile


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
    file = AppendFile(tmp_path / "a", wall, b"head\n")
    file.append(b"1,2\n")
    assert (tmp_path / "a").read_bytes() == b"head\n1,2\n"
    file.close()


def test_a_file_that_exists_is_never_taken(tmp_path: Path, wall: VirtualClock) -> None:
    (tmp_path / "a").write_bytes(b"of someone else\n")
    with pytest.raises(StorageError, match=r"cannot create .*a: File exists"):
        AppendFile(tmp_path / "a", wall)
    assert (tmp_path / "a").read_bytes() == b"of someone else\n"


def test_rows_are_synced_once_a_second_of_wall_time(
    tmp_path: Path, wall: VirtualClock, syncs: list[int]
) -> None:
    file = AppendFile(tmp_path / "a", wall)
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
    file = AppendFile(tmp_path / "a", wall)
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
    file = AppendFile(tmp_path / "a", wall)
    row = b"x" * 1023 + b"\n"
    for _ in range(3000):
        file.append(row)
    assert len(syncs) == 2
    file.close()


@pytest.mark.parametrize("room", [0, 1, 5])
def test_a_full_disk_keeps_the_rows_and_writes_them_once_when_there_is_room(
    tmp_path: Path, wall: VirtualClock, drive: Drive, room: int
) -> None:
    file = AppendFile(tmp_path / "a", wall)
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
    file = AppendFile(tmp_path / "a", wall)
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
    file = AppendFile(tmp_path / "a", wall)
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
    file = AppendFile(tmp_path / "a", wall)
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
    file = AppendFile(tmp_path / "a", wall)
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


def test_a_file_that_lost_synced_rows_is_reported(tmp_path: Path, wall: VirtualClock, drive: Drive) -> None:
    file = AppendFile(tmp_path / "a", wall)
    file.append(b"0\n")
    file.sync()
    drive.full = True
    with pytest.raises(StorageError):
        file.append(b"1\n")
    (tmp_path / "a").write_bytes(b"")
    drive.full = False
    with pytest.raises(StorageError, match="it has 0 bytes where 2 were written"):
        file.flush()
    assert file.pending() == 1
    with pytest.raises(StorageError):
        file.close()


def test_an_interrupted_write_is_repaired_by_the_next(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(FileIO):
        def write(self, data: object) -> int:
            super().write(bytes(data)[:3])  # type: ignore[call-overload]  # FileIO takes any buffer
            monkeypatch.undo()
            raise KeyboardInterrupt

    file = AppendFile(tmp_path / "a", wall)
    file.append(b"row 0\n")
    file._file.close()
    file._file = Interrupted(tmp_path / "a", "r+")
    file._file.seek(6)
    with pytest.raises(KeyboardInterrupt):
        file.append(b"row 1\n")
    file.append(b"row 2\n")
    file.close()
    assert (tmp_path / "a").read_bytes() == b"row 0\nrow 1\nrow 2\n"
