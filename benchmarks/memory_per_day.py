"""How much memory grows over thirty virtual days of a station that measures and waits.

    uv run python benchmarks/memory_per_day.py

Target: below 20 MB in 30 days. The baseline is the same process keeping every row of the slow stream, as a
list of readings would. Needs Linux (the resident memory is read from /proc).
"""

import gc
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from timing import machine

from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.virtual_night import LabChoice, prepared

DAYS = 30
WARM_UP_DAYS = 2  # caches, imports and the first table of everything
ROWS_PER_DAY = 24 * 120  # of the slow stream, one each 30 s

SEQUENCE = """
sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a benchmark}
finish: {field: 0 Oe}
steps:
  - repeat: %d
    do:
      - isotherms: {temperature: 300 K, field: [0 Oe, 200 Oe], current: 100 uA}
      - wait: 8 h
"""


def resident_mb() -> float:
    """Return the resident memory of this process, MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def days(count: int, folder: Path) -> dict[int, float]:
    """Run one night of so many days; return the resident memory at the end of each, MB."""
    package = files("onnes.runner")
    for name in ("station", "sample"):
        text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    file = folder / "soak.yaml"
    file.write_text(SEQUENCE % (3 * count), encoding="utf-8")
    plan, found = make_plan(file), {}
    with prepared(plan, LabChoice(seed=7)) as (clock, key):
        night = NightThread(plan, folder / "runs", clock, key)

        def look(_: object) -> None:
            day = int(clock.now() // 86400)
            if day not in found:
                found[day] = resident_mb()

        night.show = look
        night.start()
        night.wait()
        outcome = night.outcome()
        if outcome.status != "finished":
            raise RuntimeError(outcome.message)
        found[count] = resident_mb()
    return found


def main() -> None:
    """Print the growth and the baseline."""
    with tempfile.TemporaryDirectory() as folder:
        found = days(DAYS + WARM_UP_DAYS, Path(folder))
    grown = (found[DAYS + WARM_UP_DAYS] - found[WARM_UP_DAYS]) / DAYS * 30
    before = resident_mb()
    kept = [{str(column): float(row + column) for column in range(18)} for row in range(ROWS_PER_DAY * 30)]
    baseline = resident_mb() - before
    print(f"growth of resident memory over 30 virtual days, {3 * DAYS} runs and waits ({machine()})")
    print(f"  Onnes, lab and engine                   {grown:7.1f} MB")
    print(
        f"  the {len(kept)} rows of the slow stream kept   {baseline:7.1f} MB; ratio {grown / baseline:.3f}"
    )
    if "-v" in sys.argv:
        print("  at the end of each day:", {day: round(mb, 1) for day, mb in sorted(found.items())})


if __name__ == "__main__":
    main()
