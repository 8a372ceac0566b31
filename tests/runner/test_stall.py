"""The watchdog of a night that stands still: told once, with the stack, and never interfering."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.runner import stall
from onnes.runner.stall import VIRTUAL_PATIENCE_S, StallWatch


class Night:
    """A run thread that waits in a function whose name its stack shows, and what is seen of it."""

    def __init__(self, folder: Path) -> None:
        self.progress = (10.0, 3)
        self.wall = VirtualClock()
        self.told: list[str] = []
        self.folder = folder
        self._go_on = threading.Event()
        self._there = threading.Event()
        self.thread = threading.Thread(target=self.waits_for_a_reply)
        self.thread.start()
        self._there.wait(20)

    def waits_for_a_reply(self) -> None:
        self._there.set()
        self._go_on.wait(20)

    def end(self) -> None:
        self._go_on.set()
        self.thread.join(20)

    def watch(self, **options: float) -> StallWatch:
        ident = self.thread.ident
        assert ident is not None
        return StallWatch(
            ident,
            lambda: self.progress,
            self.wall,
            self.folder,
            lambda: "temperature 40 K",
            self.told.append,
            **options,
        )

    def written(self) -> list[Path]:
        return sorted(self.folder.glob("stall-*.txt"))


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    made.end()


def test_a_night_that_stands_still_is_told_once_with_the_stack_of_its_thread(night: Night) -> None:
    watch = night.watch()
    for _ in range(5):
        night.wall.sleep(VIRTUAL_PATIENCE_S / 2)
        watch.look()
    (told,) = night.told
    assert told == (
        "nothing has moved for 30 s of wall time; what is waited for: temperature 40 K; "
        "stall-20260101T000030Z.txt has the stack of the run thread"
    )
    (path,) = night.written()
    text = path.read_text(encoding="utf-8")
    assert "waits_for_a_reply" in text
    assert "lab time 10.000 s, 3 points so far" in text


@pytest.mark.parametrize("moved", [(10.5, 3), (10.0, 4)], ids=["time", "points"])
def test_a_night_that_moves_is_not_told(night: Night, moved: tuple[float, int]) -> None:
    watch = night.watch()
    night.wall.sleep(VIRTUAL_PATIENCE_S - 1)
    watch.look()
    night.progress = moved
    night.wall.sleep(2)
    watch.look()
    assert (night.told, night.written()) == ([], [])


def test_a_night_that_moves_again_can_stall_again(night: Night) -> None:
    watch = night.watch()
    night.wall.sleep(VIRTUAL_PATIENCE_S)
    watch.look()
    night.progress = (11.0, 4)
    watch.look()
    night.wall.sleep(VIRTUAL_PATIENCE_S)
    watch.look()
    assert len(night.told) == len(night.written()) == 2


def test_hardware_has_more_patience(night: Night) -> None:
    watch = night.watch(patience_s=stall.HARDWARE_PATIENCE_S)
    night.wall.sleep(stall.HARDWARE_PATIENCE_S - 1)
    watch.look()
    assert night.told == []
    night.wall.sleep(1)
    watch.look()
    assert len(night.told) == 1


def test_a_folder_that_cannot_be_written_does_not_hide_the_stack(night: Night) -> None:
    night.folder = night.folder / "gone"
    watch = night.watch()
    night.wall.sleep(VIRTUAL_PATIENCE_S)
    watch.look()
    (told,) = night.told
    assert "the stack of the run thread cannot be written: No such file or directory" in told
    assert "waits_for_a_reply" in told


def test_a_run_thread_that_has_ended_has_no_stack(night: Night) -> None:
    watch = night.watch()
    night.end()
    night.wall.sleep(VIRTUAL_PATIENCE_S)
    watch.look()
    assert "the run thread has ended" in night.written()[0].read_text(encoding="utf-8")


@contextmanager
def quick_looks(monkeypatch: pytest.MonkeyPatch, watch: StallWatch) -> Iterator[None]:
    monkeypatch.setattr(stall, "LOOK_EVERY_S", 0.005)
    with watch:
        yield


def test_its_own_thread_looks_until_it_is_left(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    watch = night.watch()
    monkeypatch.setattr(watch, "_on_stall", lambda _: told.set())
    night.wall.sleep(VIRTUAL_PATIENCE_S)
    with quick_looks(monkeypatch, watch):
        assert told.wait(20)
    assert "stall watch" not in {thread.name for thread in threading.enumerate()}


def test_a_watchdog_that_fails_says_so_and_goes_on(
    night: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    twice = threading.Barrier(2)
    watch = night.watch()

    def fail() -> tuple[float, int]:
        twice.wait(20)
        raise ValueError("no progress here")

    monkeypatch.setattr(watch, "_progress", fail)
    with caplog.at_level(logging.ERROR), quick_looks(monkeypatch, watch):
        twice.wait(20)
        twice.wait(20)
    assert "the stall watch failed" in caplog.text
