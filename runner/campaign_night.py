"""One night of a campaign, in a process of its own that may be killed at any moment.

What the judge must know independently of the engine is written to a file of its own: each point that was
handed to the disk, what was asked, what was killed, and how the lab looked when the engine had ended.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import OnnesError
from onnes.instruments.records import Point
from onnes.runner.campaign_files import RUNS, SEQUENCE, read_plan
from onnes.runner.campaign_plan import PlannedKill, PlannedNight
from onnes.runner.ended_night import acknowledge_ended
from onnes.runner.find_night import all_nights
from onnes.runner.night_state import judge
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.progress import Progress
from onnes.runner.resume import left_night
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.device_k6221 import K6221
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.request_box import LOOK_INTERVAL_S, post

WITNESS: Final = "witness.jsonl"
OVERDUE: Final = 70  # exit code of a process whose night would not end

_LOOK_S = 10.0  # lab time between two looks of the person
_COMES_AFTER_S = 20.0  # lab time; each second that a night waits for a person costs 20 ms of wall time
_AFTER_A_FAULT_S = 30.0  # lab time after its end
_TRIES_AGAIN_S = 600.0  # lab time after a refusal
_MOVES_OE = 2.0  # a field that changes by more in a minute is ramping
_WHO = "campaign"


def run_night(folder: str) -> None:
    """Run the night in ``folder``, or take it up if it was begun; end this process with its exit code."""
    sys.exit(_Attempt(Path(folder)).run())


class Witness:
    """A file that is written past the engine and its storage, a line at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def say(self, kind: str, **values: Any) -> None:
        """Add a line, in one call to the operating system."""
        os.write(self._file, json.dumps({"kind": kind, **values}).encode() + b"\n")


class _Attempt:
    """One process of a night, from its start or from where the one before left it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._night: PlannedNight = read_plan(folder)
        before = [line for line in testimony(folder) if line["kind"] == "attempt"]
        self._number = len(before) + 1
        self._refused = sum(line["kind"] == "refused" for line in testimony(folder))
        self._witness = Witness(folder / WITNESS)
        self._points = 0
        self._seen: Point | None = None
        self._last = Progress()
        self._stands_since: float | None = None
        self._kill: PlannedKill | None = None
        if self._number <= len(self._night.kills):
            self._kill = self._night.kills[self._number - 1]

    def run(self) -> int:
        """Run it and return the exit code that the command would have."""
        runs = self._folder / RUNS
        found = all_nights(runs) if runs.is_dir() else []
        again, before, choice = None, {}, LabChoice()
        try:
            if not found:
                plan = make_plan(self._folder / SEQUENCE)
            else:
                again, wall = found[0].resolve(), WallClock()
                state = judge(again, wall)
                if state.state == "failed" and _has_unacknowledged_fault(again):
                    acknowledge_ended(state, wall)
                left = left_night(again, wall)
                plan, before = left.plan, dict(left.before)
                choice = _later(left.choice(None), _TRIES_AGAIN_S * self._refused)
            with prepared(plan, choice) as (clock, key):
                if key is None:
                    raise RuntimeError("a campaign runs in the virtual lab alone")
                lab = get_lab(key)
                thread = NightThread(
                    plan, runs, clock, key, self._show, again=again, before=before, quiet=True,
                    twin=choice.for_manifest(),
                )  # fmt: skip
                self._witness.say("attempt", number=self._number, opened_s=lab.origin, again=bool(again))
                self._arrange(lab, thread)
                thread.start()
                thread.wait()
                outcome = thread.outcome()
                self._witness.say(
                    "end", status=outcome.status, safe=outcome.safe, exit_code=outcome.exit_code,
                    message=outcome.message, lab_s=clock.now(), **_look(lab),
                )  # fmt: skip
        except OnnesError as error:  # as the command line judges it
            self._witness.say("refused", error=f"{type(error).__name__}: {error}")
            return 2
        return outcome.exit_code

    def _show(self, progress: Progress) -> None:
        point, self._last = progress.last, progress
        if point is None or point is self._seen:
            return
        self._seen = point
        self._points += 1
        self._witness.say("point", run=progress.run, rejected=bool(point.rejected), **_of(point))
        kill = self._kill
        if kill is not None and kill.by == "points" and self._points >= kill.after:
            self._die()

    # -- what happens at a lab time

    def _arrange(self, lab: VirtualLab, thread: NightThread) -> None:
        if self._kill is not None and self._kill.by == "time":
            lab.at(self._kill.after, lambda _t: self._die())
        lab.at(self._night.bound_s, lambda _t: self._give_up())
        for request in self._night.requests:
            at = request.at_s - lab.origin
            if at > 0:  # what was asked of an earlier process is not asked again
                lab.at(at, self._asking(thread, request.kind, request.values))
        faults = [fault for fault in self._night.faults if not fault.for_ever]
        ends = [end_of(fault.table) - lab.origin for fault in faults]
        lab.at(_LOOK_S, lambda t: self._person(lab, thread, max(ends, default=0.0), t))

    def _asking(self, thread: NightThread, kind: str, values: Mapping[str, Any]) -> Callable[[float], None]:
        return lambda _t: self._ask(thread, kind, values)

    def _ask(self, thread: NightThread, kind: str, values: Mapping[str, Any] = {}) -> None:
        wall = WallClock()
        try:
            post(thread.folder, kind, _WHO, values, wall=wall)
        except OnnesError as error:  # nobody is there to hear it
            self._witness.say("not_asked", request=kind, error=str(error))
            return
        self._witness.say("asked", request=kind, state=self._last.state, step=self._last.step)
        wall.sleep(LOOK_INTERVAL_S)  # so that it is heard at this lab time, however fast the night goes

    def _person(self, lab: VirtualLab, thread: NightThread, faults_end: float, t: float) -> None:
        """Look whether the night waits for somebody, and answer when it has for a while."""
        lab.at(t + _LOOK_S, lambda later: self._person(lab, thread, faults_end, later))
        if self._last.state not in ("paused", "suspended"):
            self._stands_since = None
            return
        if self._stands_since is None:
            self._stands_since = t
        if t - self._stands_since < _COMES_AFTER_S:
            return
        why = self._last.message.partition(":")[0]
        answers = {"pause": ["resume"], "helium_fill": ["helium_fill"], "foreign_setpoint": ["resume"]}
        if why == "fault" and self._night.someone_comes and t >= faults_end + _AFTER_A_FAULT_S:
            answers["fault"] = ["acknowledge", "resume"]
        for kind in answers.get(why, []):
            self._ask(thread, kind)
        self._stands_since = None

    def _die(self) -> None:
        self._witness.say("killed", points=self._points)
        psutil.Process().kill()

    def _give_up(self) -> None:
        self._witness.say("overdue", state=self._last.state, message=self._last.message)
        os._exit(OVERDUE)


def testimony(folder: Path) -> list[dict[str, Any]]:
    """Return what the processes of a night wrote past the engine, in order."""
    path = folder / WITNESS
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # behind the last newline stands what was being written
    return [json.loads(line) for line in lines]


def _later(choice: LabChoice, seconds: float) -> LabChoice:
    """Return the same lab, so much of its time later."""
    if choice.left is None:
        return choice
    return replace(choice, left=replace(choice.left, clock_s=choice.left.clock_s + seconds))


def _of(point: Point) -> dict[str, Any]:
    names = ("time_utc", "elapsed", "curve", "temperature_setpoint", "field_setpoint", "resistance")
    return {name: value for name in names if (value := getattr(point, name, None)) == value}


def _look(lab: VirtualLab) -> dict[str, Any]:
    """Return how the lab itself looks, whatever anybody was told over the wire."""
    with lab.lock:
        t = lab.tick()
        sources = [device for device in lab.instruments.values() if isinstance(device, K6221)]
        moved = abs(lab.magnet.supply(t + 60.0) - lab.magnet.supply(t))
        return {
            "output": any(source.output for source in sources),
            "field_moves": moved > _MOVES_OE and not lab.magnet.has_quenched,
            "field_oe": lab.magnet.supply(t),
            "kelvin": lab.cryostat.sensor(t),
        }


def end_of(table: Mapping[str, Any]) -> float:
    """Return the lab time, s, at which a planned fault is over at the latest, if it says when."""
    lasts = float(table.get("args", {}).get("seconds", 0.0))
    return max(float(table["at"]) + lasts, float(table.get("until", 0.0)))


def _has_unacknowledged_fault(night: Path) -> bool:
    manifest = json.loads((night / "night.json").read_text(encoding="utf-8"))
    return bool(manifest.get("fault")) and not manifest.get("acknowledged")
