"""Nights on which several things go wrong at once, and what tells a person that nothing moves."""

import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import StorageError
from onnes.sim.lab import VirtualLab
from onnes.storage.night import NightFolder
from onnes.storage.run import RunFolder
from tests.runner.bad_night import BadNight, demo_night
from tests.runner.test_engine import SEQUENCE

HELIUM = '[helium]\nminimum = "60 %"\n'
LATE = SEQUENCE.replace("steps:", "steps:\n  - wait: 57 min")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    return demo_night(tmp_path, monkeypatch)


def test_a_link_that_is_down_while_helium_is_low_delays_nothing_but_itself(night: BadNight) -> None:
    night.sequence = LATE
    night.station_says(HELIUM)
    night.fault("helium_low", percent=30.0, at=250.0, until=4100.0)
    night.fault("drop", "ppms", at=3800.0, until=4000.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["helium"]
    assert [event["values"]["interlock"] for event in night.events("interlock")] == ["helium", "link"]


def test_helium_that_stays_low_behind_a_broken_link_is_a_safe_stop_and_no_skipped_step(
    night: BadNight,
) -> None:
    night.sequence = LATE.replace("steps:", "on_error: skip\nsteps:") + "  - wait: 10 min\n"
    night.station_says(HELIUM)
    night.fault("helium_low", percent=30.0, at=250.0)
    night.fault("drop", "ppms", at=3590.0, until=3680.0)
    outcome = night.run()
    assert outcome.exit_code == 3
    assert "it has not cleared for 30 min" in outcome.message
    assert night.reasons() == ["link", "helium"]
    assert night.night.manifest["steps"][-1]["status"] == "queued"


def test_a_drive_that_fills_while_the_link_is_down_holds_the_night_on(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> float:
        return 0.4e9 if 320.0 < night.running.clock.now() < 700.0 else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    night.fault("drop", "ppms", at=300.0, until=420.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["link", "disk"]
    assert len(night.events("held")) == 1
    assert night.when("held") > 700.0


def test_a_write_that_fails_while_the_link_is_down_loses_no_point(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, flush = RunFolder.append, NightFolder.flush

    def is_full() -> bool:
        return 290.0 < night.running.clock.now() < 600.0

    def full(self: RunFolder, point: Any) -> None:
        append(self, point)
        if is_full():
            raise StorageError("no space left on the disk")

    def still_full(self: NightFolder) -> None:
        if is_full():
            raise StorageError("no space left on the disk")
        flush(self)

    monkeypatch.setattr(RunFolder, "append", full)
    monkeypatch.setattr(NightFolder, "flush", still_full)
    night.fault("drop", "k6221", at=320.0, until=420.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["storage"]
    assert night.when("resumed") >= 600.0


def test_an_interlock_that_trips_while_another_holds_is_waited_for_too(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> float:
        return 0.4e9 if 240.0 < night.running.clock.now() < 500.0 else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    night.fault("foreign_setpoint", at=400.0, temperature_k=310.0)
    night.ask(900.0, "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["disk", "foreign_setpoint"]
    assert night.when("held") > 900.0


def test_a_pause_and_helium_each_end_by_themselves(night: BadNight) -> None:
    night.sequence = LATE
    night.station_says(HELIUM)
    night.fault("helium_low", percent=30.0, at=250.0, until=4100.0)
    night.ask(3590.0, "pause")
    night.ask(3700.0, "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.said("paused") == ["pause asked by a test"]
    assert night.reasons() == ["helium"]
    assert night.when("held") > 4100.0


def test_an_interlock_that_flaps_ends_by_on_error_and_not_never(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> float:  # trips, clears for its hold time, and trips again before the next point
        return 0.4e9 if night.running.clock.now() % 150.0 < 60.0 else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "broken off 4 times without getting on, at last by: 0.4 GB are free" in outcome.message
    assert set(night.reasons()) == {"disk"}
    assert len(night.reasons()) in (3, 4)  # a break before the step has begun is none of it


def test_a_step_that_was_given_up_leaves_the_interlock_armed_for_the_next(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> float:
        now = night.running.clock.now()  # it flaps, and then it stays low for a while
        return 0.4e9 if (now % 150.0 < 60.0 if now < 660.0 else now < 1200.0) else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    steps = SEQUENCE[SEQUENCE.index("  - isotherms") :]
    night.sequence = SEQUENCE.replace("steps:", "on_error: skip\nsteps:") + steps
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert outcome.message.startswith("1 of 2 steps failed and the night went on")
    assert set(night.reasons()) == {"disk"}
    assert night.events("held")[-1]["t"] > 1200.0
    assert list(night.night.runs[1].current["Field setpoint (Oe)"]) == [0, 200, 400, 400, 200, 0]


def test_a_wait_gets_on_with_the_time_however_often_it_is_broken_off(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> float:
        return 0.4e9 if night.running.clock.now() % 600.0 < 60.0 else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    night.sequence = SEQUENCE[: SEQUENCE.index("steps:")] + "steps:\n  - wait: 1.5 h\n"
    outcome = night.run()
    assert outcome.status == "finished", outcome
    assert len(night.reasons()) >= 8
    assert 5400.0 <= night.running.clock.now() < 5600.0  # what stood still is no longer wait


def test_a_trip_on_the_way_to_the_finish_breaks_nothing_off(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(_: Path) -> float:
        return 0.4e9 if night.shown and night.shown[-1].state == "stopping" else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    night.sequence = SEQUENCE.replace("400 Oe]", "6000 Oe]\n      both_directions: false")
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("finished", 0)
    assert night.said("interlock")
    assert night.reasons() == []
    assert night.the_lab.magnet.setpoint()[0] == 0.0


def test_a_fault_while_a_link_is_down_waits_for_a_person(night: BadNight) -> None:
    night.fault("drop", "k6221", at=300.0, until=420.0)
    night.at(360.0, lambda lab: lab.magnet.force_status(15, lab.now()))
    night.at(600.0, lambda lab: lab.magnet.force_status(None, lab.now()))
    night.ask(700.0, "acknowledge", "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["link", "fault"]
    assert night.commands("FIELD ", since=360.0, until=700.0) == []


# --- nothing moves


def test_every_ten_minutes_it_is_said_what_is_waited_for(night: BadNight) -> None:
    night.sequence = LATE.replace("57 min", "2 h")
    assert night.finished_with_each_setpoint_once(night.run())
    times = [event["t"] for event in night.events("waiting")]
    assert 11 <= len(times) <= 12
    assert all(600.0 <= b - a < 610.0 for a, b in pairwise(times))
    assert night.said("waiting")[0].startswith("running: wait")
    assert " K, " in night.said("waiting")[0]


def test_a_run_thread_that_is_stuck_in_a_transaction_is_told_with_its_stack(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnes.runner.stall.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("onnes.runner.night_thread.VIRTUAL_PATIENCE_S", 0.5)  # a slow disk is no stall
    go_on, told = threading.Event(), threading.Event()
    messages: list[str] = []

    def blocks(lab: VirtualLab) -> None:
        execute = lab.instruments["k2182a"].execute

        def stuck(message: str, t: float) -> Any:
            if t > 300.0:
                go_on.wait(30)
            return execute(message, t)

        lab.instruments["k2182a"].execute = stuck  # type: ignore[method-assign]

    def send(_title: str, text: str) -> bool:
        messages.append(text)
        told.set()
        return True

    night.sequence = "notify: [suspended]\n" + SEQUENCE
    night.plans.append(blocks)
    with night.ready() as thread:
        thread.send = send
        thread.start()
        assert told.wait(30)
        go_on.set()
        assert thread.wait(60)
        assert night.finished_with_each_setpoint_once(thread.outcome())
    stacks = list(thread.folder.glob("stall-*.txt"))
    assert stacks
    text = stacks[0].read_text(encoding="utf-8")
    assert "go_on.wait" in text
    assert "what is waited for: running: isotherms 300K" in text
    assert "nothing has moved for" in messages[0]
    assert night.said("stall")[0].endswith("has the stack of the run thread")
