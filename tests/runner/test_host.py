"""What is known of the computer of a night, how it is kept awake, and jumps of its clock."""

import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from onnes.instruments.clock import WallClock
from onnes.runner import host
from onnes.runner.host import ClockWatch, HostFacts, host_facts, host_warnings, keep_awake

posix = pytest.mark.skipif(os.name != "posix", reason="Windows is asked by a call, not by a helper")

HELPER = """#!/bin/sh
echo "$@" > {folder}/asked
echo $$ > {folder}/pid
shift $(($# - 1))
exec "$1"
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put what writes down how it was asked before the helper of the system."""
    for name in ("caffeinate", "systemd-inhibit"):
        script = tmp_path / name
        script.write_text(HELPER.format(folder=tmp_path), encoding="utf-8")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_nothing_known_is_no_warning() -> None:
    assert host_warnings(HostFacts()) == []


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (HostFacts(reboot="RebootPending"), "a restart of this computer is pending (RebootPending)"),
        (HostFacts(battery_percent=63.0), "runs on its battery, 63 % left; plug it in"),
        (HostFacts(sleeps_after_s=1800.0), "is set to sleep after 30 min"),
    ],
)
def test_each_fact_is_a_warning_with_its_rule(facts: HostFacts, said: str) -> None:
    (message,) = host_warnings(facts)
    assert message.startswith("L073: ")
    assert said in message


def test_a_battery_counts_only_when_it_is_known_to_be_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def battery(plugged: bool | None) -> float | None:
        found = psutil._ntp.sbattery(percent=63, secsleft=1, power_plugged=plugged)
        monkeypatch.setattr(psutil, "sensors_battery", lambda: found, raising=False)
        return host_facts().battery_percent

    assert [battery(plugged) for plugged in (True, None, False)] == [None, None, 63.0]


def test_a_battery_that_cannot_be_read_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no such file")

    monkeypatch.setattr(psutil, "sensors_battery", broken, raising=False)
    assert host_facts().battery_percent is None


@posix
def test_a_pending_restart_is_found_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = tmp_path / "reboot-required"
    monkeypatch.setattr(host, "_REBOOT_REQUIRED", flag)
    assert host_facts().reboot is None
    flag.touch()
    assert host_facts().reboot == str(flag)


@posix
def test_a_helper_keeps_the_system_awake_until_the_night_is_over(helper: Path) -> None:
    with keep_awake():
        while not (helper / "pid").exists() or not (pid := (helper / "pid").read_text(encoding="utf-8")):
            pass
        assert psutil.pid_exists(int(pid))
    assert not psutil.pid_exists(int(pid))
    assert (helper / "asked").read_text(encoding="utf-8").split()[-1] == "cat"


@posix
def test_the_helper_ends_with_a_night_that_is_killed(helper: Path) -> None:
    night = (
        "import os, pathlib, sys\nfrom onnes.runner.host import keep_awake\n"
        "pid = pathlib.Path(sys.argv[1]) / 'pid'\n"
        "with keep_awake():\n"
        "    while not pid.exists() or not pid.read_text(): pass\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", night, str(helper)], check=False).returncode == 9
    pid = int((helper / "pid").read_text(encoding="utf-8"))
    try:
        psutil.Process(pid).wait(10)
    except psutil.NoSuchProcess:
        return
    assert not psutil.pid_exists(pid)


@posix
def test_a_helper_that_is_refused_is_logged_and_ends_no_night(
    helper: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("caffeinate", "systemd-inhibit"):
        (helper / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING), keep_awake():
        pass
    assert "ended with 1; this computer was not kept awake" in caplog.text


@posix
def test_without_a_helper_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = psutil.Process().children()  # other tests leave servers of theirs running
    with keep_awake():
        assert psutil.Process().children() == before


def test_an_error_of_the_night_passes_through() -> None:
    with pytest.raises(ValueError, match="of the night"), keep_awake():
        raise ValueError("of the night")


class Times:
    """A time of day and a stop watch that a test sets."""

    def __init__(self) -> None:
        self.utc = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)
        self.s = 5.0

    def pass_(self, seconds: float, *, jump: float = 0.0) -> None:
        self.s += seconds
        self.utc += timedelta(seconds=seconds + jump)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1.5])
def test_a_jump_of_utc_is_told_once(jump: float) -> None:
    times = Times()
    watch = ClockWatch(lambda: times.utc, lambda: times.s)
    times.pass_(600.0)
    assert watch.jump() is None
    times.pass_(600.0, jump=jump)
    assert watch.jump() == pytest.approx(jump)
    times.pass_(600.0)
    assert watch.jump() is None


def test_a_drift_is_told_when_it_has_come_to_a_second() -> None:
    times = Times()
    watch = ClockWatch(lambda: times.utc, lambda: times.s)
    told = []
    for _ in range(8):
        times.pass_(3600.0, jump=0.3)
        told.append(watch.jump())
    assert [jump is None for jump in told] == [True, True, True, False, True, True, True, False]


def test_the_clock_of_the_computer_agrees_with_itself() -> None:
    wall = WallClock()
    assert ClockWatch(wall.system_datetime, wall.now).jump() is None
