"""Kills virtual nights with SIGKILL at random moments and takes them up until they are finished.

    uv run python -m tests.runner.kill_nights 100

Half of the kills befall nights without a history and half nights with one; a night that is taken up may be
killed again. After each kill every row that a reader saw before must be there, byte for byte. Needs POSIX.
"""

import math
import os
import random
import signal
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from onnes.instruments.clock import Clock, WallClock
from onnes.runner.night_state import judge
from onnes.storage.reader import Night
from tests.runner.left_nights import AT_40_K, FREE, PATH, LeftNights, is_whole, nothing_is_lost, rows_of

_LOOK_S = 0.005
_FORK = get_context("fork")  # a process of its own that need not import everything again


@dataclass
class Tally:
    """What a campaign came to."""

    nights: int = 0
    kills: int = 0
    rows_seen: int = 0
    attempts: int = 0
    latest_s: float = 0.0


def _run(folder: Path, path: Path | None, sequence: str, seed: int) -> None:
    under = AT_40_K if sequence == PATH else None
    nights = LeftNights(folder, sequence, under, seed)
    outcome = nights.run() if path is None else nights.take_up(path)
    os._exit(0 if outcome.status == "finished" else 1)


def campaign(sequence: str, kills: int, seed: int, folder: Path, wall: Clock) -> Tally:
    """Kill nights of ``sequence`` until ``kills`` were killed; each is taken up until it is finished.

    A kill comes within the time that an undisturbed night takes here. One that comes too late kills nobody
    and is not counted.
    """
    chance, tally = random.Random(seed), Tally()
    start = wall.now()
    undisturbed = _FORK.Process(target=_run, args=(folder / "undisturbed", None, sequence, seed))
    undisturbed.start()
    undisturbed.join()
    tally.latest_s = wall.now() - start
    while tally.kills < kills:
        tally.nights += 1
        home = folder / f"night{tally.nights}"
        _one_night(sequence, chance, home, wall, tally, kills)
        (path,) = _nights(home)
        is_whole(path)
        _has_the_right_rules(path, sequence)
        tally.attempts += sum(len(run.attempts) - 1 for run in Night.open(path).runs)
    return tally


def _one_night(
    sequence: str, chance: random.Random, home: Path, wall: Clock, tally: Tally, kills: int
) -> None:
    seen: dict[str, bytes] = {}
    while True:
        path = next(iter(_nights(home)), None)
        process = _FORK.Process(target=_run, args=(home, path, sequence, tally.nights))
        process.start()
        moment, spare = math.inf, tally.kills >= kills
        while process.is_alive() and wall.now() < moment:
            for found in _nights(home):
                seen = _later(seen, rows_of(found))  # a reader who watches
                if moment == math.inf and not spare:
                    moment = wall.now() + chance.uniform(0.0, tally.latest_s)
            process.join(_LOOK_S)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        (found,) = _nights(home)
        nothing_is_lost(seen, found)
        if process.exitcode == 0:
            tally.rows_seen += sum(content.count(b"\n") for content in seen.values())
            return
        assert process.exitcode == -signal.SIGKILL, f"{found}: a runner ended with {process.exitcode}"
        tally.kills += 1
        state = judge(found, wall)
        if state.state == "finished":  # killed after the last word was said
            return
        assert state.state == "crashed", state.state


def _later(seen: dict[str, bytes], now: dict[str, bytes]) -> dict[str, bytes]:
    return {**seen, **{name: rows for name, rows in now.items() if len(rows) >= len(seen.get(name, b""))}}


def _nights(home: Path) -> list[Path]:
    return sorted(path.parent for path in home.glob("runs/*/2*/night.json"))


def _has_the_right_rules(path: Path, sequence: str) -> None:
    for run in Night.open(path).runs:
        last = max(p["curve"] for p in run.manifest["setpoints"])
        for entry in run.attempts[1:]:
            only_reference_left = entry["curve"] > last
            nothing_left = entry["done"] == 0 and entry["curve"] == 1 and run.attempts[-1] == entry
            right = "path" if sequence == PATH else "free"
            assert entry["rule"] == right or only_reference_left or nothing_left, (run.path, entry)


def main(kills: int, seed: int) -> None:
    """Run both halves and print what they came to."""
    wall = WallClock()
    for name, sequence in (("free", FREE), ("path", PATH)):
        with tempfile.TemporaryDirectory() as folder:
            tally = campaign(sequence, (kills + 1) // 2, seed, Path(folder), wall)
        print(
            f"{name}: {tally.kills} kills in {tally.nights} nights, {tally.attempts} attempts after the "
            f"first, {tally.rows_seen} rows seen, none lost and none twice"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
