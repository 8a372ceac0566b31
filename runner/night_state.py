"""What a night is doing, judged from its folder alone: the files are the truth, whoever asks.

Whether its runner lives is told by the lock it holds on ``owner.lock``. The lock of another host cannot be
seen from here; there the age of the heartbeat tells.
"""

import math
import platform
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner import progress
from onnes.runner.file_tail import last_events, last_rows, rows_that_count
from onnes.runner.find_night import RUNS, all_nights
from onnes.storage.environment import ENVIRONMENT
from onnes.storage.manifest import read_manifest
from onnes.storage.night import EVENTS, HEARTBEAT_INTERVAL_S, NIGHT_MANIFEST
from onnes.storage.owner_lock import holder
from onnes.storage.run import DATA, RUN_MANIFEST

OWNER_LOCK = "owner.lock"
_LOUD = "SAFE STATE NOT CONFIRMED: "  # how an event begins that is sent as a message as well
STALE_S = 60.0  # (a) twelve heartbeats: a disk that is busy for a while makes no crash
LATE_S = 3 * HEARTBEAT_INTERVAL_S  # a value older than that is not shown as live

State = Literal[progress.State, "crashed"]  # which nobody tells of himself
ALIVE: frozenset[str] = frozenset(get_args(State)[:6])

_NOT_BEGUN_OR_DONE = frozenset({"queued", "finished"})  # status of a step
_KIND_OF_ENTRY = {"owner": dict, "state": dict, "station": dict, "steps": list}  # where there is one at all
_START_OF_A_RUNNER = frozenset({"started", "resumed"})  # kinds of events


@dataclass(frozen=True, slots=True)
class NightState:
    """Where a night is; NaN, None and empty text stand for what its folder does not say.

    Args:
        path: the night folder.
        run: the run that was asked about, else the one that is open.
        call: what a person types for this night: its number, or its folder.
        heartbeat_age_s: wall time since its runner showed that it lives.
        point: points stored in the run.
        points: points planned in the run.
        safe: whether the safe state was read back; None where the night has not ended.
        unconfirmed: what could not be confirmed of it, a sentence each.
        lab_time: when temperature and field were read.
        environment: the last row of ``environment.csv``.
        lab: name and seed of the virtual lab.
        fault: on which it ended and that nobody has acknowledged.
        is_with_multivu: a program of the step that runs was handed over; MultiVu may be going on with it.
    """

    path: Path
    call: str
    state: State
    reason: str
    simulated: bool
    lab: str
    station: str
    run: Path | None
    step: str
    step_number: int
    steps: int
    point: int
    points: int
    temperature_k: float
    field_oe: float
    lab_time: datetime | None
    environment: dict[str, str]
    doing: str
    ends_at: datetime | None
    heartbeat: datetime | None
    heartbeat_age_s: float
    owner: dict[str, Any]
    last_event: dict[str, Any] | None
    safe: bool | None
    unconfirmed: tuple[str, ...]
    message: str
    fault: str
    is_with_multivu: bool

    @property
    def is_alive(self) -> bool:
        """Say whether a runner is at work on it."""
        return self.state in ALIVE

    @property
    def is_late(self) -> bool:
        """Say whether the heartbeat is too old for what it says to be shown as live."""
        return not self.heartbeat_age_s <= LATE_S

    @property
    def exit_code(self) -> int:
        """Return 0 alive or finished, 3 failed or crashed, 4 stopped or aborted, 5 not known to be safe."""
        if self.safe is False:
            return 5
        return {"failed": 3, "crashed": 3, "stopped": 4, "aborted": 4}.get(self.state, 0)


def judge(path: Path, wall: Clock) -> NightState:
    """Judge the night, or the night of the run, in the folder ``path``.

    Args:
        wall: a wall clock, for the age of the heartbeat.

    Raises:
        ConfigurationError: if ``path`` is neither a night nor a run in a night.
        StorageError: if a manifest cannot be read.
    """
    night, asked = path, None
    if not (path / NIGHT_MANIFEST).is_file() and (path / RUN_MANIFEST).is_file():
        night, asked = path.resolve().parent, path.resolve()
    if not (night / NIGHT_MANIFEST).is_file():
        raise ConfigurationError(
            f"{path} is neither a night nor a run in a night; expected a folder with {NIGHT_MANIFEST} or "
            f"{RUN_MANIFEST}, or the number of a night, e.g. 0042"
        )
    manifest, alive = _manifest_and_life(night, wall)
    found = _judged(night, manifest, alive, wall)
    return found if asked is None else _of_run(found, asked)


def live_night(runs: Path, wall: Clock) -> NightState:
    """Return the one night in the folder ``runs`` that a runner is at work on.

    Raises:
        ConfigurationError: if there is none, or more than one.
    """
    found = [state for path in all_nights(runs) if (state := _if_alive(path, wall))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError(f"no night is running in {runs.resolve()}; look with `onnes status`")
    names = ", ".join(state.call for state in found)
    raise ConfigurationError(f"more than one night is running: {names}; say which")


def newest_on_a_fault(runs: Path, wall: Clock) -> NightState | None:
    """Return the newest night in the folder ``runs`` that ended on a fault nobody has acknowledged."""
    for path in reversed(all_nights(runs)):
        with suppress(StorageError):  # a damaged night must not keep anybody from another one
            state = judge(path, wall)
            if state.fault and not state.is_alive:
                return state
    return None


def _if_alive(path: Path, wall: Clock) -> NightState | None:
    try:
        state = judge(path, wall)
    except StorageError:  # a damaged night must not keep anybody from stopping another one
        return None
    return state if state.is_alive else None


def _manifest_and_life(night: Path, wall: Clock) -> tuple[dict[str, Any], bool]:
    manifest = _manifest(night / NIGHT_MANIFEST)
    if manifest.get("status") != "running":
        return manifest, False
    alive = _lives(night, manifest, wall)
    if not alive:  # it may have ended between the two looks
        manifest = _manifest(night / NIGHT_MANIFEST)
    return manifest, alive


def _manifest(path: Path) -> dict[str, Any]:
    manifest = read_manifest(path)
    wrong = [
        key for key, kind in _KIND_OF_ENTRY.items() if not isinstance(manifest.get(key), kind | type(None))
    ]
    steps = manifest.get("steps") or []
    if "steps" not in wrong and not all(
        isinstance(step, dict) and isinstance(step.get("number"), int) for step in steps
    ):
        wrong.append("steps")
    if wrong:
        raise StorageError(
            f"{path} is damaged: without a proper entry {', '.join(wrong)}; nothing was changed; restore it "
            "from a copy, or begin a new night"
        )
    return manifest


def _lives(night: Path, manifest: dict[str, Any], wall: Clock) -> bool:
    beats = _age_s(time_in(manifest.get("heartbeat")), wall) <= STALE_S
    here = manifest.get("owner", {}).get("host") == platform.node()
    lock = night / OWNER_LOCK
    if not here or not lock.exists():
        return beats
    try:
        return holder(lock) is not None
    except StorageError:  # the lock of another user
        return beats


def _judged(night: Path, manifest: dict[str, Any], alive: bool, wall: Clock) -> NightState:
    told = manifest.get("state") or {}
    events = last_events(night / EVENTS)
    heartbeat = time_in(manifest.get("heartbeat"))
    status = str(manifest.get("status"))
    state: State = "running"
    if status != "running":
        state = _known(status, "failed")
    elif not alive:
        state = "crashed"
    else:
        written = str(told.get("state", "running"))  # an end is that of the runner before this one
        state = _known(written, "running") if written in ALIVE else "preparing"
    steps = manifest.get("steps") or []
    step: dict[str, Any] = next((s for s in reversed(steps) if s.get("status") not in _NOT_BEGUN_OR_DONE), {})
    run = None if state == "finished" else _unfinished_run(night)
    counted = alive and told.get("points")  # by the engine; counting the rows of a long run takes a while
    stored, planned = (0, 0) if run is None or counted else _points(run)
    rows = last_rows(night / ENVIRONMENT)
    row = rows[-1] if rows else {}
    live = (
        told
        if alive and told.get("temperature_k") is not None
        else {
            "temperature_k": row.get("Temperature (K)"),
            "field_oe": row.get("Field (Oe)"),
            "lab_time": row.get("Time UTC"),
        }
    )
    backend = manifest.get("backend")
    return NightState(
        path=night,
        call=_call(night, manifest),
        state=state,
        reason=str(told.get("reason") or "") if alive else "",
        simulated=backend == "simulated",
        lab=f"{manifest.get('lab')}, seed {manifest.get('seed')}" if backend == "simulated" else "",
        station=str((manifest.get("station") or {}).get("name") or ""),
        run=run,
        step=str(told.get("step") or step.get("name") or "") if alive else str(step.get("name") or ""),
        step_number=int(step.get("number") or 0),
        steps=len(steps),
        point=int(told.get("point") or 0) if counted else stored,
        points=int(told["points"]) if counted else planned,
        temperature_k=number_in(live.get("temperature_k")),
        field_oe=number_in(live.get("field_oe")),
        lab_time=time_in(live.get("lab_time")),
        environment=row,
        doing=str(told.get("doing") or "") if alive else "",
        ends_at=time_in(told.get("ends_at")) if alive else None,
        heartbeat=heartbeat,
        heartbeat_age_s=_age_s(heartbeat, wall),
        owner=dict(manifest.get("owner") or {}),
        last_event=events[-1] if events else None,
        safe=None if status == "running" else manifest.get("safe_state_confirmed"),
        unconfirmed=_unconfirmed(events),
        message=str(manifest.get("message") or "") if status != "running" else "",
        fault="" if manifest.get("acknowledged") else str(manifest.get("fault") or ""),
        is_with_multivu=bool(step.get("handed_over")),
    )


def _of_run(night: NightState, run: Path) -> NightState:
    """Return the state of a run: its own end, or that of its night while it has none."""
    manifest = read_manifest(run / RUN_MANIFEST)
    status = str(manifest.get("status"))
    stored, planned = _points(run)
    step = manifest.get("step") or {}
    about = replace(
        night,
        run=run,
        step=str(step.get("name") or run.name),
        step_number=int(step.get("number") or 0),
        point=stored,
        points=planned,
    )
    return (
        about if status == "running" else replace(about, state=_known(status, "failed"), reason="", doing="")
    )


def _unfinished_run(night: Path) -> Path | None:
    """Return the run that is open, else the last one that was broken off."""
    broken_off = None
    for path in sorted(night.glob(f"*/{RUN_MANIFEST}"), reverse=True):
        try:
            status = read_manifest(path).get("status")
        except StorageError:
            continue  # the folder was just being made
        if status == "running":
            return path.parent
        if status != "finished" and broken_off is None:
            broken_off = path.parent
    return broken_off


def _points(run: Path) -> tuple[int, int]:
    """Return how many stored points of a run count, and how many were planned."""
    manifest = read_manifest(run / RUN_MANIFEST)
    planned = len(manifest.get("setpoints") or [])
    # A sweep yields a point more or less than its length promises.
    return min(rows_that_count(run / DATA, manifest.get("attempts") or []), planned), planned


def _unconfirmed(events: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return what the safe state of the latest runner could not confirm."""
    starts = [index for index, event in enumerate(events) if event.get("kind") in _START_OF_A_RUNNER]
    latest = events[starts[-1] :] if starts else events
    said = (_whose(event) for event in latest if event.get("kind") == "safe_state_failed")
    return tuple(dict.fromkeys(said))


def _whose(event: dict[str, Any]) -> str:
    """Return what an event says, with the instrument in front: each thing once, however it is told."""
    values = event.get("values")
    whose = values.get("instrument") if isinstance(values, dict) else None
    message = str(event.get("message", "")).removeprefix(_LOUD)
    return f"{whose}: {message.removeprefix(f'{whose}: ')}" if whose else message


def _call(night: Path, manifest: dict[str, Any]) -> str:
    number = manifest.get("number")
    in_runs = night.resolve().parent.parent == RUNS.resolve()
    return str(number) if number is not None and in_runs else str(night)


def _known(name: str, otherwise: State) -> State:
    return next((state for state in get_args(State) if state == name), otherwise)


def number_in(value: object) -> float:
    """Return a number of a manifest or a table, NaN where it is none."""
    try:
        return float(value)  # type: ignore[arg-type]  # whatever it is, it is a number or it is not
    except (TypeError, ValueError):
        return math.nan


def time_in(value: object) -> datetime | None:
    """Return a time of a manifest or a table, UTC, None where it is none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _age_s(when: datetime | None, wall: Clock) -> float:
    return math.inf if when is None else max(0.0, (wall.datetime() - when) / timedelta(seconds=1))
