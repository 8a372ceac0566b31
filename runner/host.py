"""The computer of a night: is it about to go down, how is it kept awake, and does its clock jump?"""

import ctypes
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil

JUMP_S = 1.0
"""Seconds between UTC and a monotonic clock from which on UTC has jumped."""

_REBOOT_REQUIRED = Path("/var/run/reboot-required")  # what Debian and Ubuntu leave after an update
_LAST_WORD_S = 5.0  # wall time in which a helper ends that was told to; it takes milliseconds (seen)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What could be found out about the computer.

    ``reboot`` is what says that a restart is pending, ``battery_percent`` the charge where it runs on its
    battery, ``sleeps_after_s`` how long it waits on mains before it sleeps; None for no, and for not known.
    """

    reboot: str | None = None
    battery_percent: float | None = None
    sleeps_after_s: float | None = None


def host_warnings(facts: HostFacts | None = None) -> list[str]:
    """Return what speaks against starting a night on this computer now (L073), one sentence each.

    Args:
        facts: instead of those of this computer.
    """
    facts = host_facts() if facts is None else facts
    found: list[str] = []
    if facts.reboot is not None:
        found.append(
            f"L073: a restart of this computer is pending ({facts.reboot}), and may come by itself; "
            "restart it before the night"
        )
    if facts.battery_percent is not None:
        found.append(
            f"L073: this computer runs on its battery, {facts.battery_percent:.0f} % left; plug it in before "
            "the night"
        )
    if facts.sleeps_after_s is not None:
        found.append(
            f"L073: this computer is set to sleep after {facts.sleeps_after_s / 60.0:.3g} min; set it to "
            "never sleep before the night, which it is asked for meanwhile and may refuse"
        )
    return found


def host_facts() -> HostFacts:
    """Return what this computer tells; what it does not tell is None."""
    if sys.platform == "win32":
        return HostFacts(_windows_reboot(), _battery_percent(), _windows_sleep_s())
    else:
        reboot = str(_REBOOT_REQUIRED) if _REBOOT_REQUIRED.exists() else None
        return HostFacts(reboot, _battery_percent())


def _battery_percent() -> float | None:
    try:
        battery = psutil.sensors_battery()
    except Exception:  # noqa: BLE001 - psutil raises what the drivers of a board make it; not known is no warning
        return None
    # `power_plugged` is None where the system cannot tell.
    return None if battery is None or battery.power_plugged is not False else float(battery.percent)


if sys.platform == "win32":
    import winreg

    _CURRENT = r"SOFTWARE\Microsoft\Windows\CurrentVersion"
    _REBOOT_KEYS = (  # their presence is the news; documented by Microsoft for its own update tools
        rf"{_CURRENT}\Component Based Servicing\RebootPending",
        rf"{_CURRENT}\WindowsUpdate\Auto Update\RebootRequired",
    )
    # The scheme in force, and in it the group "sleep" with the setting "sleep after", s.
    _SCHEMES = r"SYSTEM\CurrentControlSet\Control\Power\User\PowerSchemes"
    _SLEEP_AFTER = r"238c9fa8-0aad-41ed-83f4-97be242c8f20\29f6c1db-86da-48c5-9fdb-f2b67b1f44da"

    _CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001  # flags of SetThreadExecutionState

    def _windows_reboot() -> str | None:
        for key in _REBOOT_KEYS:
            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key):
                    return key.rsplit("\\", 1)[-1]
            except OSError:
                continue
        return None

    def _windows_sleep_s() -> float | None:
        """Return after how long it sleeps on mains, s; None for never, and where nobody ever set it."""
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _SCHEMES) as schemes:
                scheme = winreg.QueryValueEx(schemes, "ActivePowerScheme")[0]
            path = rf"{_SCHEMES}\{scheme}\{_SLEEP_AFTER}"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as setting:
                return float(winreg.QueryValueEx(setting, "ACSettingIndex")[0]) or None
        except (OSError, TypeError, ValueError):
            return None

    @contextmanager
    def _awake() -> Iterator[None]:
        """Hold the system awake; it counts for the thread that enters, which has to live as long."""
        tell = ctypes.windll.kernel32.SetThreadExecutionState
        tell.argtypes, tell.restype = [ctypes.c_uint], ctypes.c_uint
        if not tell(_CONTINUOUS | _SYSTEM_REQUIRED):
            _log.warning("Windows does not take the request to stay awake; set it to never sleep")
        try:
            yield
        finally:
            tell(_CONTINUOUS)

else:
    _REQUESTS: Sequence[Sequence[str]] = (
        ("caffeinate", "-i"),
        ("systemd-inhibit", "--what=idle:sleep", "--who=Onnes", "--why=a night is running"),
    )

    @contextmanager
    def _awake() -> Iterator[None]:
        """Hold the system awake by a helper around ``cat``.

        That ends with the pipe to it, which the system closes when this process ends, however it does.
        """
        helper = _helper()
        try:
            yield
        finally:
            if helper is not None:
                _end(helper)

    def _helper() -> "subprocess.Popen[bytes] | None":
        request = next((request for request in _REQUESTS if shutil.which(request[0])), None)
        if request is None:
            return None
        try:
            return subprocess.Popen(
                [*request, "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C at the terminal is for the night alone
            )
        except OSError as error:
            _log.warning("%s cannot be started: %s; set this computer to never sleep", request[0], error)
            return None

    def _end(helper: "subprocess.Popen[bytes]") -> None:
        try:
            helper.communicate(timeout=_LAST_WORD_S)
        except subprocess.TimeoutExpired:
            helper.kill()
            helper.wait()
        if helper.returncode:
            _log.warning(
                "the request to stay awake ended with %d; this computer was not kept awake; "
                "set it to never sleep",
                helper.returncode,
            )


@contextmanager
def keep_awake() -> Iterator[None]:
    """Ask the system to stay awake meanwhile; where it cannot be asked nothing happens. Never raises.

    To be entered and left by the thread that runs the night, and not for a night in virtual time.
    """
    with _awake():
        yield


class ClockWatch:
    """Compares UTC with a monotonic clock: time set by hand, by a server, or lost in a sleep of the computer.

    Args:
        utc: the time of day that the computer shows now.
        monotonic: seconds since an arbitrary start.
    """

    def __init__(self, utc: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._utc = utc
        self._monotonic = monotonic
        self._began, self._start = utc(), monotonic()
        self._known_s = 0.0

    def jump(self) -> float | None:
        """Return by how much UTC has jumped since the last jump, s; None while that is at most 1 s."""
        passed_s = (self._utc() - self._began) / timedelta(seconds=1)
        jump_s = passed_s - (self._monotonic() - self._start) - self._known_s
        if abs(jump_s) <= JUMP_S:
            return None
        self._known_s += jump_s
        return jump_s
