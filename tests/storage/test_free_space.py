"""Room on the drive."""

from pathlib import Path

import pytest

from onnes.instruments.errors import StorageError
from onnes.storage.free_space import free_bytes


def test_the_drive_of_a_folder_tells_its_room(tmp_path: Path) -> None:
    assert 0 < free_bytes(tmp_path) < 1 << 60


def test_a_drive_that_is_gone_has_no_room_to_tell_of(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot tell the free space of .*nowhere: .*; bring the"):
        free_bytes(tmp_path / "nowhere")
