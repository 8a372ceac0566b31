"""A night in a fresh folder, and drives that fail."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Column
from onnes.storage import append_file
from onnes.storage.night import NightFolder
from onnes.storage.run import RunFolder
from onnes.storage.table import RunHeader

SIMULATED = {"backend": "simulated", "lab": "ppms9", "seed": 7}


@pytest.fixture
def wall() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def night(tmp_path: Path, wall: VirtualClock) -> Iterator[NightFolder]:
    night = NightFolder.create(tmp_path / "runs", "MB215-06", wall, SIMULATED, "title: a night\n")
    yield night
    with suppress(StorageError):  # where the test left the disk full
        night.close("aborted")


@pytest.fixture
def header() -> RunHeader:
    return RunHeader(
        "onnes.procedures.no_such_module.ResistanceVsField",
        {
            "Excitation current": (0.00012345678901234567, "A"),
            "Average readings": (7, ""),
            "Persistent": (False, ""),
        },
        SIMULATED,
        {"Onnes version": "0.1.0"},
    )


@pytest.fixture
def make_run(night: NightFolder, header: RunHeader) -> Callable[[Sequence[Column]], RunFolder]:
    def make(columns: Sequence[Column]) -> RunFolder:
        return night.create_run(1, "resistivity-field", "4.2K", {}, columns, header)

    return make


@dataclass
class Drive:
    """What the files that storage opens from now on do; switched by the test."""

    full: bool = False
    room: int = 0  # bytes that still fit when it is full
    gone: bool = False  # cannot be opened either


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Drive:
    state = Drive()

    class File(FileIO):
        def __init__(self, path: Path, mode: str) -> None:
            if state.gone:
                raise OSError(errno.EIO, "drive gone")
            super().__init__(path, mode)

        def write(self, data: Any) -> int:
            if not state.full:
                return super().write(data)
            if not state.room:
                raise OSError(errno.ENOSPC, "no space left on device")
            part, state.room = min(state.room, len(data)), 0
            return super().write(data[:part])

    monkeypatch.setattr(append_file, "FileIO", File)
    return state
