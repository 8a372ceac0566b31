"""Taking up a night whose runner is gone: what is left of it, what that costs, and where its lab was."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner.file_tail import last_events, last_rows
from onnes.runner.measuring import take_up_extension
from onnes.runner.night_state import NightState, judge
from onnes.runner.plan import Measure, Plan, PlanStep
from onnes.runner.record import DONE
from onnes.runner.stored_plan import plan_of_night
from onnes.runner.virtual_night import LabChoice, LeftState
from onnes.storage.environment import ENVIRONMENT
from onnes.storage.manifest import read_manifest
from onnes.storage.night import EVENTS, NIGHT_MANIFEST
from onnes.storage.reader import Run
from onnes.storage.run import RUN_MANIFEST

# A virtual lab stands still while nobody runs it; this much of its time passes until somebody does, s.
_GAP_S = 60.0

# Farther than that from its setpoint it was on its way: more than a controller at rest swings (assumed).
_ON_ITS_WAY_K, _ON_ITS_WAY_OE = 0.5, 50.0


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left to do of one step: in words, how long it takes and how much of that is done again, s."""

    number: int
    name: str
    what: str
    rest_s: float
    again_s: float


@dataclass(frozen=True)
class LeftNight:
    """A night that can be taken up.

    ``before`` is what ``night.json`` says of each step, by number; ``rests`` what is left to do; ``ran_on``
    what was on its way when it was last read, a sentence each.
    """

    path: Path
    manifest: Mapping[str, Any]
    plan: Plan
    before: Mapping[int, Mapping[str, Any]]
    rests: tuple[Rest, ...]
    left: LeftState
    ran_on: tuple[str, ...] = ()

    def outline(self) -> list[str]:
        """Return in words what taking it up does, a line a step, and what it costs."""
        lines = [
            f"{rest.number:3d}  {rest.name}: {rest.what}; about {_hours(rest.rest_s)}" for rest in self.rests
        ]
        done = len(self.plan.steps) - len(self.rests)
        again_s = sum(rest.again_s for rest in self.rests)
        rest_s = sum(rest.rest_s for rest in self.rests)
        total = f"{done} of {len(self.plan.steps)} steps are done; the rest takes about {_hours(rest_s)}"
        return [*lines, f"{total}, {_hours(again_s)} of it to come back to where it was", *self.ran_on]

    def choice(self, real_time: float | None) -> LabChoice:
        """Return the virtual lab that goes on where the night was left."""
        twin = self.manifest.get("twin") or {}
        if self.plan.station.backend != "simulated":
            return LabChoice(left=self.left)
        return LabChoice(
            twin.get("lab"), self.manifest.get("seed"), twin.get("under"), real_time=real_time, left=self.left
        )


def left_night(path: Path, wall: Clock) -> LeftNight:
    """Read what is left of the night in the folder ``path``; nothing is changed.

    Raises:
        ConfigurationError: if it is finished or alive, ended on a fault that nobody has acknowledged, or its
            sequence, station or sample files are not those it was begun with.
        StorageError: if its manifest is damaged.
    """
    state = judge(path, wall)
    if state.is_alive:
        raise ConfigurationError(
            f"night {state.call} is {state.state} in another process ({_owner(state)}); "
            f"look with `onnes status {state.call}`"
        )
    if state.state == "finished":
        raise ConfigurationError(f"night {state.call} is finished; there is nothing to take up")
    manifest = read_manifest(path / NIGHT_MANIFEST)
    if manifest.get("fault") and not manifest.get("acknowledged"):
        raise ConfigurationError(
            f"night {state.call} ended on a fault: {manifest['fault']}; look at the instrument, "
            f"then `onnes acknowledge {state.call}`, then `onnes resume {state.call}`"
        )
    plan = plan_of_night(path, manifest)
    steps = {int(step["number"]): step for step in manifest.get("steps") or []}
    for number, name in _runs(path):  # a kill may come between the folder and the line that names it
        steps[number] = {**steps.get(number, {"status": "queued"}), "run": name}
    rests = tuple(
        _rest(path, step, steps.get(step.number, {})) for step in plan.steps if not _done(step, steps)
    )
    left = _left_state(path, manifest, plan, wall)
    return LeftNight(path, manifest, plan, steps, rests, left, ran_on(path))


def _done(step: PlanStep, steps: Mapping[int, Mapping[str, Any]]) -> bool:
    return steps.get(step.number, {}).get("status") in DONE


def _runs(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number of the step and name of each run folder."""
    for file in path.glob(f"*/{RUN_MANIFEST}"):
        number, _, _ = file.parent.name.partition("_")
        if number.isdecimal():
            yield int(number), file.parent.name


def _rest(path: Path, step: PlanStep, entry: Mapping[str, Any]) -> Rest:
    """Return what is left of a step; a run that cannot be read is told when it is taken up."""
    action, name = step.action, step.name
    if not isinstance(action, Measure):
        what = "is still to be done" if entry.get("status", "queued") == "queued" else "is done again"
        return Rest(step.number, name, what, 0.0, 0.0)
    measurement = action.measurement
    run = path / str(entry.get("run", ""))
    if not entry.get("run") or not (run / RUN_MANIFEST).is_file():
        return Rest(step.number, name, "is still to be measured", measurement.duration_s(), 0.0)
    stored = Run.open(run)
    take_up_extension(measurement, stored)
    take_up = None if stored.status == "finished" else measurement.take_up(stored.current)
    if take_up is None:
        return Rest(step.number, name, "is measured", 0.0, 0.0)
    what = f"{take_up.message} (rule: {take_up.rule}, {len(stored.data)} points are stored)"
    return Rest(step.number, name, what, measurement.remaining_s(take_up), take_up.cost_s)


def _left_state(path: Path, manifest: Mapping[str, Any], plan: Plan, wall: Clock) -> LeftState:
    """Return clock and surroundings as the slow stream and the events tell them, and a gap later.

    Raises:
        StorageError: if the slow stream says nothing of the time.
    """
    rows = last_rows(path / ENVIRONMENT)
    row = rows[-1] if rows else {}
    events = last_events(path / EVENTS)
    try:
        told = [(float(row["Elapsed (s)"]), row["Time UTC"])] if row else []
        if events:  # an event may be later than the last row
            told.append((float(events[-1]["t"]), events[-1]["utc"]))
        clock_s, text = max(told) if told else (0.0, manifest["started_lab"])
        utc = datetime.fromisoformat(text)
    except (KeyError, ValueError) as error:
        raise StorageError(f"{path / ENVIRONMENT} does not say when the night stopped: {error}") from error
    epoch = utc - timedelta(seconds=clock_s)
    if plan.station.backend != "simulated":
        gap_s = max(0.0, (wall.datetime() - utc) / timedelta(seconds=1))
        return LeftState(clock_s + gap_s, epoch, {})
    history = (manifest.get("state") or {}).get("field_history") or {}
    return LeftState(clock_s + _GAP_S, epoch, _tables(row, history))


def ran_on(path: Path) -> tuple[str, ...]:
    """Return what was not where it was going: nobody stopped it, and the way back is in no estimate."""
    rows = last_rows(path / ENVIRONMENT)
    row, found = rows[-1] if rows else {}, []
    for name, unit, least in (("Temperature", "K", _ON_ITS_WAY_K), ("Field", "Oe", _ON_ITS_WAY_OE)):
        here, end = _number(row, f"{name} ({unit})"), _number(row, f"{name} setpoint ({unit})")
        if here is not None and end is not None and abs(end - here) > least:
            found.append(
                f"the {name.lower()} was {here:.5g} {unit} when it was last read, on its way to {end:.5g} "
                f"{unit}, and nobody stopped it: the way back from there comes on top"
            )
    return tuple(found)


def _tables(row: Mapping[str, str], history: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how a virtual lab opens that goes on: whatever ramped has arrived in the meantime."""
    found: dict[str, dict[str, Any]] = {}
    kelvin, target = _number(row, "Temperature (K)"), _number(row, "Temperature setpoint (K)")
    if kelvin is not None:
        found["cryostat"] = {"start_k": kelvin}
        if target is not None:
            found["cryostat"]["start_setpoint_k"] = target
    field, end = _number(row, "Field (Oe)"), _number(row, "Field setpoint (Oe)")
    if field is not None:
        here = round(field if end is None else end, 2)
        direction = (here > field + 1) - (here < field - 1) or int(history.get("direction", 0))
        largest = max(abs(here), float(history.get("largest_oe", 0.0)))
        mode = "persistent" if "persistent" in row.get("Field state", "") else "driven"
        found["magnet"] = {
            "start_oe": here,
            "start_largest_oe": largest,
            "start_direction": direction,
            "start_mode": mode,
        }
    percent = _number(row, "Helium (%)")
    if percent is not None:
        found["helium"] = {"level_percent": percent}
    return found


def _number(row: Mapping[str, str], label: str) -> float | None:
    try:
        value = float(row.get(label, ""))
    except ValueError:
        return None
    return value if value == value else None


def _owner(state: NightState) -> str:
    owner = state.owner
    return ", ".join(f"{key} {owner[key]}" for key in ("user", "host", "pid") if owner.get(key))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"
