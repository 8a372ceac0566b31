"""What a virtual magnetometer costs: a step of the sample's critical state, and a whole ZFC/FC night.

    uv run python benchmarks/magnetometry.py

The night has 300 temperatures after zero-field cooling and again on cooling in the field: 600 rows of a
virtual MultiVu in a file that is followed, through plan, sequence, interlocks, environment log and storage,
to the stored rows. Its baselines are the bare critical state of the bar through the same
temperatures and fields, and pandas reading the same rows. An MPMS3 is also asked over its server, every 5 s
of lab time.

Targets: 0.3 ms a step, 3 s a night.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from timing import machine

from onnes.runner.nights import run_file
from onnes.sim.samples import make_magnetic_sample
from onnes.storage.reader import Night

ROUNDS = 3
STEPS = 2000
EXAMPLES = Path(__file__).parents[1] / "examples"
NETWORK = ("host =", "thermostat =", "magnet =", "chamber =")
SEQUENCE = """
sequence: 1
station: station.toml
sample: sample.toml
mounting: long_axis
contact_check: {declined: there are no contacts}
finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}
steps:
  - zfc_fc:
      field: 10 Oe
      temperature: 2..40 K points 300 spaced linear
      curves: [zfc, fcc]
      prepare:
        warm_to: 60 K
        degauss_from: 1 T
        residual: {from: calibration, accept: 25 %, correct: true}
      scan: {mode: vsm}
"""
BAR = "bar, 96 layers and its own field"
SAMPLES: Mapping[str, Mapping[str, object]] = {
    "film, one trapped field": {"model": "bilayer", "gamma_t": "pristine", "orientation": "perpendicular"},
    BAR: {"model": "nanocomposite"},
    "plate, twice 96 layers": {"model": "twostep"},
}


@dataclass(frozen=True, slots=True)
class Race:
    """A night: wall time, lab time, and its rows as stored."""

    wall_s: float
    lab_s: float
    rows: pd.DataFrame
    file: bytes


def way(steps: int) -> Sequence[tuple[float, float]]:
    """Return temperatures and fields of ZFC and FC: cold, into the field, warm, cold again."""
    half = np.linspace(2.0, 40.0, steps // 2)
    return [(float(kelvin), 10.0) for kelvin in (*half, *half[::-1])]


def bare(model: Mapping[str, object], points: Sequence[tuple[float, float]]) -> float:
    """Return the wall time of the sample alone through ``points``, s."""
    sample = make_magnetic_sample(model, "the benchmark")
    start = time.perf_counter()
    for t, (kelvin, oersted) in enumerate(points):
        sample.update(kelvin, oersted, float(t))
        sample.moment_emu()
    return time.perf_counter() - start


def night(folder: Path, *, over_network: bool) -> Race:
    """The whole suite, with or without the server of MultiVu."""
    for part in ("templates", "calibrations"):
        (folder / part).mkdir()
        for source in (EXAMPLES / "stations" / part).iterdir():
            (folder / part / source.name).write_bytes(source.read_bytes())
    text = (EXAMPLES / "stations/mpms3-sim.toml").read_text(encoding="utf-8").replace("../", "")
    lines = [line for line in text.splitlines() if over_network or not line.startswith(NETWORK)]
    (folder / "station.toml").write_text("\n".join(lines), encoding="utf-8")
    (folder / "sample.toml").write_bytes((EXAMPLES / "samples/NC-01.toml").read_bytes())
    (folder / "night.yaml").write_text(SEQUENCE, encoding="utf-8")
    start = time.perf_counter()
    answer = run_file(folder / "night.yaml", station=None, sample=None, seed=1, real_time=None)
    wall = time.perf_counter() - start
    if answer.exit_code != 0 or answer.night is None:
        raise RuntimeError(str(answer.messages))
    found = Night.open(answer.night)
    (run,) = found.runs
    lab_s = float(found.environment["Elapsed (s)"].iloc[-1])
    return Race(wall, lab_s, run.data, (run.path / "data.csv").read_bytes())


def best(race: Callable[[], float]) -> float:
    """Return the best of several rounds; noise only ever adds."""
    return min(race() for _ in range(ROUNDS))


def main() -> None:
    print(f"virtual magnetometers, best of {ROUNDS} rounds ({machine()})")
    points = way(STEPS)
    costs = {name: best(partial(bare, model, points)) / STEPS * 1e6 for name, model in SAMPLES.items()}
    baseline = next(iter(costs.values()))
    for name, us in costs.items():
        print(f"  a step, {name:34} {us:7.1f} us, {us / baseline:5.1f} x the film, target 300 us")
    races: dict[bool, list[Race]] = {}
    for _ in range(ROUNDS):
        for over_network in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                races.setdefault(over_network, []).append(night(Path(folder), over_network=over_network))
    fastest = {key: min(found, key=lambda race: race.wall_s) for key, found in races.items()}
    rows = fastest[False].rows
    reached = list(zip(rows["Temperature (K)"], rows["Field corrected (Oe)"], strict=True))
    model_s = best(partial(bare, SAMPLES[BAR], reached))
    print(f"  {len(rows)} points, the bar alone           {model_s:7.3f} s")
    print(f"  {len(rows)} points, pandas reading the rows {best(partial(read, fastest[False].file)):7.3f} s")
    for over_network, race in fastest.items():
        name = "server asked too" if over_network else "file followed"
        print(
            f"  {len(race.rows)} points, night, {name:17} {race.wall_s:7.2f} s of {race.lab_s / 3600:.1f} "
            f"lab h, {race.wall_s / model_s:.0f} x the bar alone, target 3 s"
        )


def read(file: bytes) -> float:
    """Return the wall time in which pandas reads the rows, s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_bytes(file)
        start = time.perf_counter()
        pd.read_csv(path, comment="#")
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
