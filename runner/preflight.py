"""The last look before a night: would it be stopped at once, or run out of something before its end?"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from onnes.instruments.clock import Clock, VirtualClock
from onnes.instruments.errors import ConfigurationError, OnnesError, StorageError
from onnes.instruments.station import Station
from onnes.runner.helium_check import fresh_level, helium_messages
from onnes.runner.host import host_warnings
from onnes.runner.interlocks import GOOD_CHAMBERS, Interlocks, Trip
from onnes.runner.monitors import ENVIRONMENT_S
from onnes.runner.night_state import NightState, judge
from onnes.runner.plan import Measure, Plan
from onnes.runner.planned_time import PlannedTime, planned_time
from onnes.storage.free_space import BYTES_PER_POINT, free_bytes
from onnes.storage.manifest import read_manifest
from onnes.storage.night import NIGHT_MANIFEST

# Of a planned point in `run.json` (seen: 80 to 90), of a row of `environment.csv` (seen: 177), and of
# manifests, events, results and figure together (seen: below 1 MB), with room for one that waits for long.
_BYTES_PER_SETPOINT, _BYTES_PER_ROW, _LEAST_BYTES = 100, 200, 5_000_000
_WARN_BELOW, _REFUSE_BELOW = 10, 2  # times the planned data, L072

_OTHER_NIGHTS_DAYS = 30  # a night that crashed longer ago has been seen by somebody
_ROOM_K = 295.0  # where a night may begin whose temperature cannot be read; for estimates only (a)
_FILES_AHEAD = timedelta(days=1)  # a server's clock and time zone may differ from ours by less

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STARTED = re.compile(r"(\d{8}T\d{6})Z_")

Found = TypeVar("Found")


def preflight(
    plan: Plan, station: Station, runs: Path, clock: Clock, wall: Clock, again: Path | None = None
) -> list[str]:
    """Return what a person should know before the night begins, one sentence each, with its rule.

    Nothing is set; the meter of the helium level is started where the level is old.

    Args:
        station: just opened.
        runs: the folder of the nights; it need not exist yet.
        clock: the laboratory's.
        wall: a wall clock.
        again: the night that is taken up, which is not another one.

    Raises:
        ConfigurationError: if another night of this station has crashed, and the station is no simulated one.
        StorageError: if the drive has less than twice the room that the night needs, or does not say.
        LimitError: if the helium level is below the minimum and the plan moves the field.
        InstrumentFault: if thermostat, magnet or chamber are in a fault state.
        CommunicationError: if one of them, or the helium gauge, gives no usable answer.
    """
    messages = _other_nights(plan, runs, wall, again)
    gauge, minimum = station.helium_gauge, station.file.interlocks.get("helium")
    # Before the station looks at it: what it has seen of the level it keeps for a minute.
    level = fresh_level(gauge) if gauge is not None and minimum is not None else None
    found = station.look()
    temperature = None if found.temperature is None else _read(found.temperature)
    chamber = found.chamber
    field = None if found.field is None else _read(found.field)
    chamber = None if chamber is None else _read(chamber)
    setpoint = None if found.field_setpoint is None else _read(found.field_setpoint)
    planned = planned_time(
        plan,
        station.limits(),
        kelvin=_ROOM_K if temperature is None else temperature.value,
        field_oe=setpoint or 0.0,
        now=clock.datetime(),
    )
    if level is not None and minimum is not None:
        use = None if station.file.helium is None else station.file.helium.use
        messages += helium_messages(*level, minimum, use, planned)
    messages += _disk(plan, planned, runs)
    interlocks = Interlocks(station.file.interlocks, station.limits())
    if temperature is not None:
        messages += map(_tripped, interlocks.readings(temperature, field, 0.0))
    if chamber is not None:
        messages += _chamber(station, chamber, planned)
    messages += _clock(runs, wall)
    if not isinstance(clock, VirtualClock):  # which is over before the computer falls asleep
        messages += host_warnings()
    return messages


def _read(found: Found | OnnesError) -> Found:
    if isinstance(found, OnnesError):
        raise found
    return found


# -- room


def expected_bytes(plan: Plan, hours: float) -> int:
    """Return about how many bytes the night of ``plan`` writes in so many hours."""
    points = sum(len(s.action.measurement.setpoints()) for s in plan.steps if isinstance(s.action, Measure))
    return (
        _LEAST_BYTES
        + points * (BYTES_PER_POINT + _BYTES_PER_SETPOINT)
        + round(hours * 3600.0 / ENVIRONMENT_S) * _BYTES_PER_ROW
    )


def _disk(plan: Plan, planned: PlannedTime, runs: Path) -> list[str]:
    folder = runs.resolve()
    free = free_bytes(next(path for path in (folder, *folder.parents) if path.exists()))
    needed = expected_bytes(plan, planned.total_h)
    text = (
        f"{free / 1e6:.4g} MB are free on the drive of {folder}, and the night writes about "
        f"{needed / 1e6:.3g} MB"
    )
    if free < _REFUSE_BELOW * needed:
        raise StorageError(
            f"{text}, less than {_REFUSE_BELOW} x that; nothing was set; make room, or choose another "
            "folder for the runs in the station file"
        )
    messages = []
    if free < _WARN_BELOW * needed:
        messages.append(f"L072: {text}, less than {_WARN_BELOW} x that; make room before the night")
    trip = plan.station.interlocks["disk"].trip
    if free < trip * 1e9:
        messages.append(
            f"L072: {text}; interlock disk trips below {trip:.3g} GB, so that the night would wait from its "
            "start on; make room before it"
        )
    return messages


# -- interlocks


def _tripped(trip: Trip) -> str:
    return (
        f"{trip.name}: {trip.message}, and would trip ({trip.policy}) as soon as the night begins; "
        "bring the station back into its limits first"
    )


def _chamber(station: Station, state: str, planned: PlannedTime) -> list[str]:
    level = station.file.interlocks["chamber"]
    if state in GOOD_CHAMBERS or planned.coldest_k >= level.trip:
        return []
    return [
        f"chamber: the chamber is {state} and the plan goes to {planned.coldest_k:.4g} K; interlock chamber "
        f"({level.policy}, {level.set_by}) trips below {level.trip:.4g} K; purge and seal it before the night"
    ]


# -- other nights


def _other_nights(plan: Plan, runs: Path, wall: Clock, again: Path | None) -> list[str]:
    since = f"{wall.datetime() - timedelta(days=_OTHER_NIGHTS_DAYS):%Y-%m-%d}"
    ours = [night for night in _nights(runs, since) if again is None or night.resolve() != again.resolve()]
    states = [judge(night, wall) for night in ours if _runs_on(plan.station.name, night)]
    crashed = [state for state in states if state.state == "crashed"]
    if crashed and plan.station.backend == "visa":
        raise ConfigurationError(
            f"{'; '.join(map(_about, crashed))}; nothing was set; resume it, or give it up with "
            f"`onnes stop {crashed[0].call}`, before a new night begins"
        )
    messages = [
        f"L083: {_about(state)}; resume it with `onnes resume {state.call}`, or give it up with "
        f"`onnes stop {state.call}`"
        for state in crashed
    ]
    return messages + [
        f"L083: {_about(state)}; wait until it has ended, or stop it with `onnes stop {state.call}`"
        for state in states
        if state.is_alive
    ]


def _about(state: NightState) -> str:
    owner = ", ".join(f"{key} {state.owner[key]}" for key in ("user", "host", "pid") if state.owner.get(key))
    beat = "" if state.heartbeat is None else f", last heartbeat {state.heartbeat:%Y-%m-%d %H:%M:%S} UTC"
    how = "is at work" if state.is_alive else "crashed"
    return f"night {state.path} of this station {how} ({owner}{beat})"


def _runs_on(station: str, night: Path) -> bool:
    try:
        manifest = read_manifest(night / NIGHT_MANIFEST)
    except StorageError:  # a damaged night must not keep anybody from beginning another one
        return False
    about = manifest.get("station") or {}
    return manifest.get("status") == "running" and about.get("name") == station


def _nights(runs: Path, since: str = "") -> Iterator[Path]:
    """Yield the nights begun since a date, the latest first."""
    days = [day for day in runs.glob("*") if _DATE.fullmatch(day.name) and day.name >= since]
    for day in sorted(days, reverse=True):
        yield from sorted((path.parent for path in day.glob(f"2*/{NIGHT_MANIFEST}")), reverse=True)


# -- the clock


def _clock(runs: Path, wall: Clock) -> list[str]:
    """Return what the files say against the clock of the computer."""
    newest = next(_nights(runs), None)
    now = wall.datetime()
    if newest is None:
        return []
    shows = f"clock: this computer shows {now:%Y-%m-%d %H:%M:%S} UTC, but"
    advice = "set its clock before the night, which dates every point by it"
    name = _STARTED.match(newest.name)
    if name and now < (started := datetime.strptime(f"{name[1]}+0000", "%Y%m%dT%H%M%S%z")):
        return [f"{shows} night {newest.name} was begun {started:%Y-%m-%d %H:%M:%S} UTC; {advice}"]
    written = max(map(_written, newest.rglob("*")))
    if now < (latest := datetime.fromtimestamp(written, UTC)) - _FILES_AHEAD:
        return [f"{shows} {newest.name} has a file of {latest:%Y-%m-%d %H:%M:%S} UTC; {advice}"]
    return []


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a file that is replaced just now
        return 0.0
