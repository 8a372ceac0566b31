"""What a point costs on its way to the disk, against stock PyMeasure and bare loops.

    uv run python benchmarks/cost_per_point.py

Target: engine and storage together at most 1.0 x stock PyMeasure, and as cheap at the end of a long run as
at its beginning.
"""

import cProfile
import pstats
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import contestants
from contestants import bare_loop, bare_loop_fsync, engine, pymeasure_worker, storage
from dummies import points, values
from timing import best, machine

from onnes.procedures.transport import ResistancePoint

COUNT, ROUNDS = 20_000, 9
LONG, BLOCK = 100_000, 10_000
BASELINE = "PyMeasure 0.16 Worker + Results"


def main() -> None:
    found = best(
        {
            "the dummy values alone": lambda count, _: deque(values(count), 0).clear(),
            "the dummy points alone": lambda count, _: deque(points(count), 0).clear(),
            "bare loop, csv.writer, flush each": bare_loop,
            BASELINE: pymeasure_worker,
            "Onnes storage": storage,
            "Onnes engine + storage": engine,
        },
        COUNT,
        ROUNDS,
    )
    found |= best({"bare loop, csv.writer, fsync each": bare_loop_fsync}, COUNT // 20, ROUNDS)
    print(f"cost per point, {COUNT} points of 21 columns, best of {ROUNDS} rounds ({machine()})")
    for name, cost in sorted(found.items(), key=lambda item: item[1]):
        print(f"  {name:34} {cost:7.1f} us  {cost / found[BASELINE]:5.2f} x {BASELINE}")
    first, last = growth()
    print(
        f"engine + storage in a run of {LONG} points: "
        f"{first:.1f} us in the first {BLOCK}, {last:.1f} us in the last"
    )
    if found["Onnes engine + storage"] > found[BASELINE]:
        profile()


def growth() -> tuple[float, float]:
    """Return the cost of a point in the first and in the last block of a long run, us."""
    marks: list[float] = []

    def marked(count: int) -> Iterator[ResistancePoint]:
        for number, point in enumerate(points(count)):
            if number % BLOCK == 0:
                marks.append(time.perf_counter())
            yield point
        marks.append(time.perf_counter())

    contestants.points = marked
    try:
        with tempfile.TemporaryDirectory() as folder:
            engine(LONG, Path(folder))
    finally:
        contestants.points = points
    return (marks[1] - marks[0]) / BLOCK * 1e6, (marks[-1] - marks[-2]) / BLOCK * 1e6


def profile() -> None:
    """Print what costs what."""
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profiler.runcall(engine, COUNT, Path(folder))
    print("the target is missed; engine + storage by own time:")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()
