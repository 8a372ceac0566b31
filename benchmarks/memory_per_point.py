"""How much memory grows over a long run, each contestant in a process of its own.

    uv run python benchmarks/memory_per_point.py

Target: at most 5 MB per 100 000 points of engine and storage. Needs POSIX (the peak is asked of getrusage).
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import machine

WARM_UP, COUNT = 3_000, 100_000
CONTESTANTS = {
    "PyMeasure 0.16 Worker + Results": "pymeasure_worker",
    "a list of the points": "kept_points",
    "Onnes storage": "storage",
    "Onnes engine + storage": "engine",
}
BASELINE = "PyMeasure 0.16 Worker + Results"


def kept_points(count: int, _: Path) -> None:
    """What it would be if the points were kept."""
    from dummies import points  # noqa: PLC0415 - in the measured process alone

    if len(list(points(count))) != count:
        raise RuntimeError("points are missing")


def peak_mb() -> float:
    """Return the highest resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes on macOS, kB on Linux


def child(name: str) -> None:
    """Print the growth from a short run to a long one, MB."""
    import contestants  # noqa: PLC0415 - in the measured process alone

    contestant = kept_points if name == "kept_points" else getattr(contestants, name)
    with tempfile.TemporaryDirectory() as folder:
        for sub in ("warm", "long"):
            (Path(folder) / sub).mkdir()
        contestant(WARM_UP, Path(folder) / "warm")
        before = peak_mb()
        contestant(COUNT, Path(folder) / "long")
        print(peak_mb() - before)


def main() -> None:
    print(f"growth of peak memory over {COUNT} points of 21 columns ({machine()})")
    growth = {
        name: float(subprocess.run([sys.executable, __file__, key], capture_output=True, check=True).stdout)
        for name, key in CONTESTANTS.items()
    }
    for name, grown in growth.items():
        print(f"  {name:34} {grown:7.1f} MB  {grown - growth[BASELINE]:+7.1f} MB against {BASELINE}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1])
    else:
        main()
