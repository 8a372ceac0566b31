"""What a person says of a night that nobody runs: its fault is dealt with, or it is given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console

from onnes.instruments.clock import Clock, VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.runner.ask import EFFECTS, Effect, answer_json
from onnes.runner.file_tail import last_events
from onnes.runner.night_state import OWNER_LOCK, NightState, judge, number_in, time_in
from onnes.storage.manifest import Manifest, read_manifest
from onnes.storage.night import EVENTS, NIGHT_MANIFEST, NightFolder
from onnes.storage.owner_lock import OwnerLock, this_process
from onnes.storage.request_box import Kind

_GIVEN_UP = Effect(
    "as its runner left it: nothing is sent",
    "as its runner left it: nothing is sent",
    "as its runner left it: nothing is sent",
    "the night ends as stopped",
)


@dataclass(frozen=True, slots=True)
class NotedAnswer:
    """What was written into a night that nobody runs, and what follows from it; nothing was sent."""

    kind: Kind
    night: NightState
    said: tuple[str, ...]
    effect: Effect

    @property
    def exit_code(self) -> int:
        """Return 0: it is written."""
        return 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return answer_json(self.kind, self.night, self.effect, self.said, heard=True)

    def print(self, console: Console) -> None:
        """Print it for people."""
        for line in self.said:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def acknowledge_ended(night: NightState, wall: Clock) -> NotedAnswer:
    """Note that a person has dealt with the fault on which a night ended.

    Raises:
        ConfigurationError: if it did not end on a fault.
        OwnershipError: if somebody is at work on it.
        StorageError: if the manifest cannot be read or written.
    """
    path = night.path / NIGHT_MANIFEST
    with _owned(night, wall):
        manifest = Manifest(path, wall, read_manifest(path))
        fault = manifest.entries.get("fault")
        if not fault:
            raise ConfigurationError(
                f"night {night.call} did not end on a fault; there is nothing to acknowledge"
            )
        manifest.put({"acknowledged": {**this_process(), "utc": wall.datetime(), "fault": fault}})
        manifest.write()
    text = f"night {night.call}: acknowledged: {fault}; go on with `onnes resume {night.call}`"
    return NotedAnswer("acknowledge", night, (text,), EFFECTS["acknowledge"])


def give_up(night: NightState, kind: Kind, wall: Clock) -> NotedAnswer:
    """Close a night that crashed as ``stopped``, so that another one may begin; no instrument is opened.

    Raises:
        OwnershipError: if somebody is at work on it.
        StorageError: if its files are damaged or cannot be written; nothing is changed then.
    """
    by = this_process()
    who = f"{by['user'] or 'somebody'} on {by['host']}"
    with _owned(night, wall):
        clock = _clock_of(night, wall)
        folder = NightFolder.reopen(night.path, wall)
        message = f"given up by {who} after its runner was gone; no instrument was made safe"
        folder.event("given_up", message, {"utc": wall.datetime()}, clock)
        # The lab of a simulated night is gone with its runner; an instrument is as it was left.
        folder.update(message=message, safe_state_confirmed=None if night.simulated else False)
        folder.close("stopped")
    said = [f"night {night.call} is given up and closed as stopped; nothing was sent"]
    if not night.simulated:
        said.append(
            "THE CURRENT MAY STILL BE ON, and field and temperature go on to the setpoints they had: look at "
            f"the instruments; `onnes station test {night.station or 'STATION'}` reads each and sets none"
        )
    said.append(f"what is measured is kept; to go on with it after all: `onnes resume {night.call}`")
    return NotedAnswer(kind, judge(night.path, wall), tuple(said), _GIVEN_UP)


def _owned(night: NightState, wall: Clock) -> OwnerLock:
    return OwnerLock(night.path / OWNER_LOCK, {"what": night.path.name, "since": wall.datetime()})


def _clock_of(night: NightState, wall: Clock) -> Clock:
    """Return a clock that goes on with the seconds that the events of the night count; a lab stood still."""
    events = last_events(night.path / EVENTS)
    last = events[-1] if events else {}
    seconds, utc = number_in(last.get("t")), time_in(last.get("utc"))
    if utc is None or seconds != seconds:
        return wall
    since_s = 0.0 if night.simulated else _seconds(wall.datetime(), utc)
    return VirtualClock(utc - timedelta(seconds=seconds), seconds + since_s)


def _seconds(now: datetime, then: datetime) -> float:
    return max(0.0, (now - then) / timedelta(seconds=1))
