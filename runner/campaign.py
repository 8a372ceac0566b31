"""A campaign: virtual nights with faults, requests and kills, each judged independently of the engine."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError
from onnes.runner.campaign_files import PROGRAMS, write_night
from onnes.runner.campaign_judge import Verdict, judge_night
from onnes.runner.campaign_night import run_night, testimony
from onnes.runner.campaign_plan import PlannedNight, draw, undisturbed

_WALL_S: Final = 120.0  # a night takes about a second
_PROCESSES: Final = 8  # kills, and a person in the morning, who takes a night up again

_HEAVY: Final = ["onnes.runner.campaign_night"]


@dataclass(frozen=True)
class Campaign:
    """What came out of a campaign."""

    seed: int
    folder: Path
    jobs: int
    started: datetime
    wall_s: float
    verdicts: tuple[Verdict, ...]


def run_campaign(
    count: int, seed: int, jobs: int, folder: Path, wall: Clock, show: Callable[[int, int], None]
) -> Campaign:
    """Run and judge ``count`` nights in ``folder``, ``jobs`` at a time.

    Args:
        show: told how many nights of how many have ended.

    Raises:
        ConfigurationError: if the folder holds something already; nothing was run.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; give --out a folder of its own")
    began, started = wall.now(), wall.datetime()
    processes = _context()
    beside = {program: undisturbed(program, seed + place) for place, program in enumerate(PROGRAMS)}
    done, lock = 0, threading.Lock()

    def run(night: PlannedNight) -> Verdict:
        nonlocal done
        own = folder / night.name
        write_night(own, night)
        exits = _processes(processes, night, own)
        compared = folder / beside[night.program].name if night.number else None
        verdict = judge_night(night, own, exits, compared)
        with lock:
            done += 1
            show(done, count + len(beside))
        return verdict

    with ThreadPoolExecutor(jobs) as pool:
        undisturbed_ones = list(pool.map(run, beside.values()))
        durations = {each.night.program: _duration_s(each.folder) for each in undisturbed_ones}
        verdicts = [*undisturbed_ones, *pool.map(run, draw(count, seed, durations))]
    return Campaign(seed, folder, jobs, started, wall.now() - began, tuple(verdicts))


def _processes(
    processes: "multiprocessing.context.BaseContext", night: PlannedNight, folder: Path
) -> list[int | None]:
    """Run a night in as many processes as it takes; return their exit codes."""
    exits: list[int | None] = []
    while len(exits) < _PROCESSES:
        process = processes.Process(target=run_night, args=(str(folder),))  # type: ignore[attr-defined]
        process.start()
        process.join(_WALL_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            exits.append(None)
            break
        exits.append(process.exitcode)
        if not _goes_on(night, folder):
            break
    return exits


def _goes_on(night: PlannedNight, folder: Path) -> bool:
    """Say whether somebody takes the night up: after a kill or a refusal, and in the morning what failed."""
    last = next((line for line in reversed(testimony(folder)) if line["kind"] in _LAST_WORDS), None)
    if last is None or last["kind"] != "end":
        return last is not None and last["kind"] in ("killed", "refused")
    return bool(last["status"] == "failed" and night.number)


_LAST_WORDS: Final = frozenset({"end", "killed", "refused", "overdue"})


def _duration_s(folder: Path) -> float:
    ends: Iterable[float] = [line["lab_s"] for line in testimony(folder) if line["kind"] == "end"]
    return max(ends, default=3600.0)


def _context() -> "multiprocessing.context.BaseContext":
    """Return how processes are begun: each from one that has the libraries, where that is possible."""
    with suppress(ValueError):  # Windows has no fork: there each begins from nothing, which takes longer
        if os.name == "posix":
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(_HEAVY)
            return context
    return multiprocessing.get_context("spawn")
