"""Time as an argument, and the redirect of `time` for drivers that are not ours."""

import importlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from onnes.instruments.clock import Clock, VirtualClock, WallClock, virtual_time

real = WallClock()  # stays real inside the redirect


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what ``function`` returns in a thread of its own; raise what it raises."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(function())
        except Exception as error:  # noqa: BLE001 - handed to the caller
            found.append(error)

    thread = threading.Thread(target=run, name="helper")
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


@pytest.fixture
def early_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that binds names of `time` when it is imported, as half of PyMeasure's drivers do."""
    (tmp_path / "early_bound_driver.py").write_text(
        "import time\nfrom time import sleep, monotonic as now\nwait = time.sleep\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("early_bound_driver")
    sys.modules.pop("early_bound_driver")


# --- clocks -----------------------------------------------------------------------------------------------


def test_virtual_time_passes_only_by_sleeping() -> None:
    clock = VirtualClock(datetime(2026, 11, 20, 18, 30, tzinfo=UTC))
    assert clock.now() == 0.0
    clock.sleep(3600.0)
    clock.sleep(0.0)
    assert clock.now() == 3600.0
    assert clock.datetime() == datetime(2026, 11, 20, 19, 30, tzinfo=UTC)


def test_sleeping_until_a_time_that_has_passed_takes_none() -> None:
    clock = VirtualClock()
    clock.sleep_until(10.1)
    assert clock.now() == 10.1
    clock.sleep_until(3.0)
    assert clock.now() == 10.1


def test_sleeping_until_reaches_the_time_to_the_last_bit() -> None:
    clock = VirtualClock()
    clock.sleep(0.1)
    for n in range(1, 2000):
        clock.sleep_until(n * 0.7)
        assert clock.now() >= n * 0.7


@pytest.mark.parametrize("clock", [VirtualClock(), WallClock()])
@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_an_impossible_sleep_is_refused(clock: Clock, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"cannot sleep {seconds} s"):
        clock.sleep(seconds)


def test_only_the_owner_lets_virtual_time_pass_but_anyone_reads_it() -> None:
    clock = VirtualClock()
    clock.sleep(5.0)
    assert in_thread(clock.now) == 5.0
    with pytest.raises(RuntimeError, match="thread 'helper' may not let virtual time pass"):
        in_thread(lambda: clock.sleep(1.0))
    with pytest.raises(RuntimeError, match="thread 'helper'"):
        in_thread(lambda: clock.sleep_until(6.0))
    assert clock.now() == 5.0


def test_the_thread_inside_the_redirect_owns_the_clock_until_it_leaves() -> None:
    clock = VirtualClock()
    entered, leave = threading.Event(), threading.Event()

    def run() -> None:
        with virtual_time(clock):
            time.sleep(100.0)
            entered.set()
            leave.wait(10.0)

    thread = threading.Thread(target=run)
    thread.start()
    assert entered.wait(10.0)
    with pytest.raises(RuntimeError, match="only the thread that runs the instruments may"):
        clock.sleep(1.0)
    leave.set()
    thread.join()
    clock.sleep(1.0)
    assert clock.now() == 101.0


def test_the_wall_clock_is_real_and_runs_at_its_speed() -> None:
    clock = WallClock(speed=50.0)
    wall, begin = real.now(), clock.now()
    clock.sleep(1.0)
    assert 0.02 <= real.now() - wall < 0.5
    assert clock.now() - begin >= 1.0
    assert (clock.datetime() - datetime.now(UTC)).total_seconds() > 0.9
    clock.sleep_until(clock.now() - 1.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_wall_clock_needs_a_positive_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="must be a positive number"):
        WallClock(speed)


# --- the redirect -----------------------------------------------------------------------------------------


def test_inside_the_redirect_time_is_lab_time() -> None:
    clock = VirtualClock()
    wall = real.now()
    with virtual_time(clock):
        time.sleep(7200.0)
        assert time.monotonic() == time.perf_counter() == 7200.0
        assert time.monotonic_ns() == time.perf_counter_ns() == 7_200_000_000_000
        assert time.time() == clock.datetime().timestamp()
        assert time.time_ns() == round(clock.datetime().timestamp() * 1e9)
    assert real.now() - wall < 5.0
    assert abs(time.time() - datetime.now(UTC).timestamp()) < 5.0


def test_other_threads_keep_real_time() -> None:
    clock = VirtualClock()
    with virtual_time(clock):
        clock.sleep(1e6)
        assert in_thread(time.monotonic) != clock.now()
        wall = real.now()
        in_thread(lambda: time.sleep(0.03))
        assert real.now() - wall >= 0.03
        assert clock.now() == 1e6


def test_names_bound_before_the_redirect_are_redirected_too(early_bound: ModuleType) -> None:
    clock = VirtualClock()
    with virtual_time(clock):
        early_bound.sleep(3600.0)
        early_bound.wait(3600.0)
        assert early_bound.now() == 7200.0
    wall = real.now()
    early_bound.sleep(0.02)
    assert real.now() - wall >= 0.02


def test_the_redirect_nests_and_ends_with_an_error() -> None:
    outer, inner = VirtualClock(), VirtualClock()

    def run() -> None:
        with virtual_time(outer):
            with virtual_time(inner):
                time.sleep(5.0)
            time.sleep(2.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert (outer.now(), inner.now()) == (2.0, 5.0)
    wall = real.now()
    time.sleep(0.02)
    assert real.now() - wall >= 0.02


def test_the_wall_clock_may_stand_behind_the_redirect() -> None:
    clock = WallClock(speed=1000.0)
    wall = real.now()
    with virtual_time(clock):
        time.sleep(20.0)
        assert time.monotonic() >= 20.0
    assert 0.02 <= real.now() - wall < 5.0


def test_a_loop_that_only_watches_the_time_moves_on() -> None:
    clock = VirtualClock()
    wall, looks = real.now(), 0
    with virtual_time(clock):
        end = time.monotonic() + 10.0
        while time.monotonic() < end:
            looks += 1
    assert clock.now() == pytest.approx(10.0, abs=1e-3)
    assert looks == pytest.approx(10.0 / 20e-6 + 1000, rel=1e-3)
    assert real.now() - wall < 20.0


def test_looking_at_the_time_now_and_then_costs_none() -> None:
    clock = VirtualClock()
    with virtual_time(clock):
        for _ in range(100):
            for _ in range(900):
                time.time()
            time.sleep(1.0)
        assert clock.now() == 100.0


def test_queues_and_events_keep_real_time_outs() -> None:
    clock = VirtualClock()
    with virtual_time(clock):
        wall = real.now()
        with pytest.raises(queue.Empty):
            queue.Queue[int]().get(timeout=0.05)
        assert not threading.Event().wait(0.05)
        assert 0.1 <= real.now() - wall < 5.0
        assert clock.now() == 0.0


def test_impossible_sleeps_are_refused_inside_the_redirect_too() -> None:
    with virtual_time(VirtualClock()), pytest.raises(ValueError, match="cannot sleep -1"):
        time.sleep(-1)


def test_a_driver_of_pymeasure_that_sleeps_takes_lab_time() -> None:
    from pymeasure.instruments.keithley import buffer  # noqa: PLC0415 - it binds `sleep` and `time` when imported

    class NeverFull(buffer.KeithleyBuffer):
        def ask(self, command: str) -> str:
            assert command == "*STB?"
            return "0"

    clock = VirtualClock()
    wall = real.now()
    with virtual_time(clock), pytest.raises(Exception, match="Timed out waiting"):
        NeverFull().wait_for_buffer(timeout=600.0, interval=0.1)
    assert clock.now() == pytest.approx(600.1, abs=0.11)
    assert real.now() - wall < 10.0
