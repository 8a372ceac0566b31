"""Times contestants in turns, so that a slow minute of the machine hits them all alike."""

import gc
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Contestant = Callable[[int, Path], None]


def machine() -> str:
    """Return what the numbers were taken on."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def seconds(contestant: Contestant, count: int) -> float:
    """Return the wall time of one race over ``count`` points, s."""
    with tempfile.TemporaryDirectory() as folder:
        gc.collect()
        start = time.perf_counter()
        contestant(count, Path(folder))
        return time.perf_counter() - start


def best(contestants: Mapping[str, Contestant], count: int, rounds: int) -> dict[str, float]:
    """Return the wall time a point of each contestant in its best round, us; noise only ever adds."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            times[name].append(seconds(contestant, count) / count * 1e6)
    return {name: min(found) for name, found in times.items()}
