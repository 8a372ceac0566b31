"""How a night of a campaign is judged: from its files, its processes and what they wrote past the engine.

What the engine says of itself is compared with that, never believed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from onnes.instruments.errors import StorageError
from onnes.runner.campaign_files import RUNS
from onnes.runner.campaign_night import OVERDUE, end_of, testimony
from onnes.runner.campaign_plan import PlannedNight
from onnes.runner.find_night import all_nights
from onnes.runner.measuring import HAD_ENDED, RUNNER_GONE
from onnes.sim.fault_kinds import FAULT_KINDS
from onnes.storage.reader import Night, Run
from onnes.storage.table import ATTEMPT

_CODES: Final = {"finished": 0, "failed": 3, "stopped": 4, "aborted": 4}
_DONE: Final = frozenset({"finished", "skipped", "failed"})  # of a step in a night that went through its plan
_NEAR_ENOUGH: Final = 1.5  # a swept setpoint has a point within this many of their distances

_TEMPERATURE, _FIELD = "Temperature (K)", "Field (Oe)"
_TEMPERATURE_SETPOINT, _FIELD_SETPOINT = "Temperature setpoint (K)", "Field setpoint (Oe)"
_OHM, _SIGMA = "Resistance (ohm)", "Resistance error (ohm)"

# A point differs when it is further from the undisturbed night than five standard deviations of both and this
# share of the largest resistance of the run: what temperature, lag and remanence scatter (two seeds: 1e-4).
_SIGMAS, _SHARE = 5.0, 1e-3
# Data differ when more than this share of the points does: a point at the moment of a fault is no trend.
_MOST = 0.02

_AROUND_S: Final = 120.0  # lab time that opening a station with a silent instrument takes at most


@dataclass
class Verdict:
    """What is wrong with one night; each list holds a sentence a defect.

    ``told`` counts ends that were not confirmed and said so; ``differs`` is None where nothing was compared.
    """

    night: PlannedNight
    folder: Path
    points: int = 0
    lost: list[str] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stalls: list[str] = field(default_factory=list)
    told: int = 0
    kills: int = 0
    status: str = ""
    differs: str | None = None

    @property
    def is_bad_data(self) -> bool:
        """Say whether the data differ although nothing was to spoil them."""
        return bool(self.differs) and not self.night.is_spoiled

    @property
    def defects(self) -> list[str]:
        """Return everything that must not be, a sentence each."""
        found = [*self.lost, *self.unsafe, *self.wrong, *self.stalls]
        return [*found, f"data differ: {self.differs}"] if self.is_bad_data else found


def judge_night(
    night: PlannedNight, folder: Path, exits: Sequence[int | None], beside: Path | None = None
) -> Verdict:
    """Judge the night in ``folder``.

    Args:
        exits: the exit codes of its processes, in order; None for one that had to be ended from outside.
        beside: the folder of the undisturbed night to compare with.
    """
    said = testimony(folder)
    found = Verdict(night, folder)
    found.kills = sum(line["kind"] == "killed" for line in said)
    found.stalls = _stalls(said, exits)
    found.unsafe, found.told = _unsafe(night, said)
    try:
        stored = Night.open(all_nights(folder / RUNS)[0])
        found.status = stored.status
        found.points, found.lost = _lost(said, stored.runs)
        if not found.stalls:
            found.wrong = [*_wrong_words(night, stored, said, exits), *_wrong_end(night, stored, said)]
            undisturbed = stored if beside is None else Night.open(all_nights(beside / RUNS)[0])
            planned = {run.path.name: pd.DataFrame(run.manifest["setpoints"]) for run in undisturbed.runs}
            for run in stored.runs:
                found.wrong += _wrong_rows(run, planned[run.path.name])
            if beside is not None and found.status == "finished":
                found.differs = _difference(stored, undisturbed)
    except (StorageError, IndexError) as error:
        found.wrong.append(f"the night cannot be read: {error}")
    return found


# -- points


def _lost(said: Iterable[Mapping[str, Any]], runs: Iterable[Run]) -> tuple[int, list[str]]:
    """Return how many points were handed to the disk, and which are not there once."""
    told = [(line["run"], line["rejected"], line["time_utc"], line["elapsed"]) for line in _of(said, "point")]
    there: Counter[tuple[str, bool, str, float]] = Counter()
    for run in runs:
        for is_rejected, frame in ((False, run.data), (True, run.rejected)):
            if len(frame):
                times = zip(frame["Time UTC"], frame["Elapsed (s)"], strict=True)
                there.update((run.path.name, is_rejected, utc, float(t)) for utc, t in times)
    wrong = [f"the point of {point[2]} of {point[0]} is not there" for point in told if not there[point]]
    twice = [point for point, count in there.items() if count > 1]
    return len(told), wrong + [f"the point of {utc} of {run} is there twice" for run, _, utc, _ in twice]


# -- ends


def _stalls(said: Iterable[Mapping[str, Any]], exits: Iterable[int | None]) -> list[str]:
    found = [
        f"no end within its lab time: {line['state']}: {line['message']}" for line in _of(said, "overdue")
    ]
    if not found:
        found = ["no end within its wall time" for code in exits if code in (None, OVERDUE)]
    return found


def _unsafe(night: PlannedNight, said: Iterable[Mapping[str, Any]]) -> tuple[list[str], int]:
    """Return the ends that left something on, and how many were told not to be confirmed."""
    found, told = [], 0
    for end in _of(said, "end"):
        if not end["safe"]:
            told += 1
            if not any(fault.for_ever for fault in night.faults):
                found.append("the safe state was not confirmed although every instrument answers again")
            continue
        if end["output"]:
            found.append(f"{end['status']}, said to be safe: an output of the 6221 is on")
        if end["field_moves"]:
            found.append(f"{end['status']}, said to be safe: the field is ramping")
    return found, told


# -- words


def _wrong_words(
    night: PlannedNight, stored: Night, said: Sequence[Mapping[str, Any]], exits: Sequence[int | None]
) -> list[str]:
    """Return where manifests, steps, exit codes and what the runner said last contradict each other."""
    found = []
    ends = _of(said, "end")
    for end in ends:
        code = 5 if not end["safe"] else _CODES[end["status"]]
        if end["exit_code"] != code or code not in exits:
            found.append(f"{end['status']}, safe {end['safe']}: exit code {end['exit_code']}, not {code}")
    found += _wrongly_refused(night, said)
    if _last(said) == "killed" and stored.status != "running":
        found.append(f"killed, but night.json says {stored.status}")
    if _last(said) == "end" and stored.status != ends[-1]["status"]:
        found.append(f"night.json says {stored.status}, the runner said {ends[-1]['status']}")
    if stored.status != "running" and stored.manifest.get("safe_state_confirmed") != ends[-1]["safe"]:
        found.append("night.json and the runner disagree about the safe state")
    runs = {run.path.name: run.status for run in stored.runs}
    found += [
        f"{name} is running in a night that is {stored.status}"
        for name, status in runs.items()
        if status == "running" and stored.status != "running"
    ]
    for step in stored.manifest.get("steps", []):
        status, of_run = step["status"], runs.get(step.get("run", ""))
        if status == "finished" and of_run not in (None, "finished"):
            found.append(f"step {step['number']} is finished and its run {of_run}")
        if stored.status == "finished" and status not in ("finished", "skipped"):
            found.append(f"step {step['number']} is {status} in a night that is finished")
        if stored.status == "failed" and status == "running":
            found.append(f"step {step['number']} is running in a night that is failed")
    return found


def _wrongly_refused(night: PlannedNight, said: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the refusals to take the night up at a time when no fault of the wire gave a reason."""
    found, opened_s = [], 0.0
    wire = [fault.table for fault in night.faults if FAULT_KINDS[fault.kind].layer == "wire"]
    for line in said:
        if line["kind"] == "attempt":
            opened_s = line["opened_s"]
        elif line["kind"] == "refused" and not any(
            opened_s - _AROUND_S <= end_of(table) and table["at"] <= opened_s + _AROUND_S for table in wire
        ):
            found.append(f"a night that can be taken up was refused: {line['error']}")
    return found


def _wrong_end(night: PlannedNight, stored: Night, said: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return where the end is not that of what has happened."""
    if _last(said) != "end":
        return [f"no process said how it ended; night.json says {stored.status}"]
    found, status = [], stored.status
    asked = _asked_last(said)
    skipped = [step["number"] for step in stored.manifest.get("steps", []) if step["status"] == "skipped"]
    if skipped and "skip" not in _asked(said):
        found.append(f"step {skipped[0]} is skipped and nobody asked for it")
    wish = {"abort": "aborted", "stop": "stopped"}
    expected = next((word for kind, word in wish.items() if kind in asked), "finished")
    if status == expected:
        return found
    if expected == "finished":
        can_fail = any(fault.for_ever for fault in night.faults) or not night.someone_comes
        if status != "failed" or not can_fail:
            message = str(stored.manifest.get("message", ""))
            found.append(f"{status} although everything that went wrong was over: {message}")
    elif status == "finished" or status not in ("failed", *wish.values()):
        found.append(f"{status} although {' and '.join(sorted(asked & wish.keys()))} was asked")
    return found


def _wrong_rows(run: Run, planned: pd.DataFrame) -> list[str]:
    """Return which setpoints of a finished run have no row that counts or too many, and what is mixed."""
    found = []
    if run.status == "finished":
        for curve in planned["curve"].unique():
            points = planned[planned["curve"] == curve]
            texts = _wrong_curve(_of_curve(run.current, curve), _of_curve(run.rejected, curve), points)
            found += [f"{run.path.name}, curve {curve}: {text}" for text in texts]
    if len(run.current):
        found += [f"{run.path.name}: {text}" for text in _stitched(run)]
    return found


def _stitched(run: Run) -> list[str]:
    """Return which curves hold points on both sides of a break that the sample does not remember."""
    found = []
    path_below_k = float(run.parameters["History below"][0])
    cold = run.current.groupby("Curve")[_TEMPERATURE].mean() < path_below_k
    for entry in run.attempts[1:]:
        attempt, curve, done = entry["attempt"], entry["curve"], entry["done"]
        if entry["rule"] == "path":
            old = run.current[(run.current[ATTEMPT.label] < attempt) & (run.current["Curve"] >= curve)]
            if len(old):
                found.append(
                    f"attempt {attempt} restarts curve {curve}, and {len(old)} older rows of it count"
                )
        elif done and entry["reason"].startswith((RUNNER_GONE, HAD_ENDED)) and cold[curve]:
            found.append(f"attempt {attempt} goes on within curve {curve} although {entry['reason']}")
    return found


def _wrong_curve(good: pd.DataFrame, rejected: pd.DataFrame, planned: pd.DataFrame) -> list[str]:
    """Return what is missing and what is double in one curve; a rejected point was measured, too."""
    rows = pd.concat([frame for frame in (good, rejected) if len(frame)] or [good])
    if rows.empty:
        return [f"none of {len(planned)} setpoints was measured"]
    swept = next((name for name in (_TEMPERATURE, _FIELD) if rows[_setpoint(name)].isna().all()), None)
    if swept is not None:
        wanted = planned["temperature_k" if swept == _TEMPERATURE else "field_oe"].to_numpy(float)
        step = float(np.median(np.abs(np.diff(wanted)))) if len(wanted) > 1 else 1.0
        there = rows[swept].to_numpy(float)
        gaps = [value for value in wanted if np.abs(there - value).min() > _NEAR_ENOUGH * step]
        return [f"nothing was measured near {value:g}" for value in gaps]
    pairs = set(_pairs(rows))
    wants = Counter(zip(planned["temperature_k"], planned["field_oe"], strict=True))
    found = [f"no point at {k:g} K, {oe:g} Oe" for k, oe in wants if (k, oe) not in pairs]
    counted = Counter(_pairs(good))
    double = [(k, oe, n) for (k, oe), n in counted.items() if n > max(1, wants[k, oe])]  # 1: an extension
    return found + [f"{n} points at {k:g} K, {oe:g} Oe" for k, oe, n in double]


def _pairs(rows: pd.DataFrame) -> list[tuple[float, float]]:
    if rows.empty:
        return []
    return list(zip(rows[_TEMPERATURE_SETPOINT], rows[_FIELD_SETPOINT], strict=True))


def _of_curve(frame: pd.DataFrame, curve: object) -> pd.DataFrame:
    return frame[frame["Curve"] == curve] if len(frame) else frame


# -- data


def _difference(stored: Night, undisturbed: Night) -> str:
    """Return in words how the rows that count differ from the undisturbed night; empty within the noise."""
    others = {run.path.name: run.current for run in undisturbed.runs}
    compared, far, worst = 0, 0, 0.0
    for run in stored.runs:
        other = others.get(run.path.name)
        if other is None or run.current.empty or other.empty:
            continue
        beyond = _beyond(run.current, other)
        compared, far = compared + len(beyond), far + int((beyond > 0).sum())
        worst = max(worst, float(beyond.max(initial=0.0)))
    if far <= _MOST * compared:
        return ""
    return f"{far} of {compared} points, the furthest by {worst:.3g} ohm beyond the noise"


def _beyond(rows: pd.DataFrame, other: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return by how many ohm each row is beyond what noise allows, compared where both were measured."""
    largest = float(other[_OHM].abs().max())
    found: list[float] = []
    for curve, mine in rows.groupby("Curve"):
        theirs = other[other["Curve"] == curve]
        if theirs.empty:
            continue
        along = _FIELD if np.ptp(theirs[_FIELD]) > np.ptp(theirs[_TEMPERATURE]) * 50 else _TEMPERATURE
        theirs = theirs.sort_values(along)
        x, there = theirs[along].to_numpy(float), mine[along].to_numpy(float)
        margin = 0.02 * float(np.ptp(x)) if len(x) > 1 else np.inf
        inside = (there >= x[0] - margin) & (there <= x[-1] + margin)
        ohm = np.interp(there, x, theirs[_OHM])
        sigma = np.hypot(mine[_SIGMA], np.interp(there, x, theirs[_SIGMA]))
        beyond = np.abs(mine[_OHM].to_numpy(float) - ohm) - _SIGMAS * sigma - _SHARE * largest
        found += list(np.asarray(beyond, float)[inside])
    return np.array(found)


# -- testimony


def _setpoint(name: str) -> str:
    return _TEMPERATURE_SETPOINT if name == _TEMPERATURE else _FIELD_SETPOINT


def _of(said: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [line for line in said if line["kind"] == kind]


def _last(said: Sequence[Mapping[str, Any]]) -> str:
    ends = [line["kind"] for line in said if line["kind"] in ("end", "killed", "refused", "overdue")]
    return str(ends[-1]) if ends else ""


def _asked(said: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(line["request"] for line in said if line["kind"] == "asked")


def _asked_last(said: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return what was asked of the last process."""
    asked: set[str] = set()
    for line in said:
        if line["kind"] == "attempt":
            asked.clear()
        elif line["kind"] == "asked":
            asked.add(line["request"])
    return frozenset(asked)
