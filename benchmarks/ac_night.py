"""What a night of ac susceptibility costs: 110 temperatures, 3 amplitudes and 3 frequencies of paper 001.

    uv run python benchmarks/ac_night.py

A virtual MPMS3 measures them by sequence, with phase and background, and with the first amplitude again at
each frequency; its file is followed to the stored rows. Baselines are the closed forms of the sample alone
over the same rows, and pandas reading them.

Target: 5 s a night.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import pandas as pd
from timing import machine

from onnes.runner.nights import run_file
from onnes.sim.samples import AcSample, make_magnetic_sample
from onnes.storage.reader import Night

ROUNDS = 3
TARGET_S = 5.0
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
  - ac_susceptibility:
      temperature: 34..39.45 K step 50 mK
      amplitude: [0.1 Oe, 1 Oe, 10 Oe]
      frequency: [10 Hz, 100 Hz, 1 kHz]
      dc_field: 10 Oe
      phase: {calibrate_at: 10 K}
      prepare:
        warm_to: 60 K
        degauss_from: 1 T
        residual: {from: calibration, accept: 25 %, correct: true}
"""


@dataclass(frozen=True, slots=True)
class Race:
    """A night: wall time, lab time, and its rows as stored."""

    wall_s: float
    lab_s: float
    rows: pd.DataFrame
    file: bytes


def night(folder: Path) -> Race:
    """The whole suite, without the server of MultiVu."""
    for part in ("templates", "calibrations"):
        (folder / part).mkdir()
        for source in (EXAMPLES / "stations" / part).iterdir():
            (folder / part / source.name).write_bytes(source.read_bytes())
    text = (EXAMPLES / "stations/mpms3-sim.toml").read_text(encoding="utf-8").replace("../", "")
    lines = [line for line in text.splitlines() if not line.startswith(NETWORK)]
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


def closed_forms(rows: pd.DataFrame) -> float:
    """Return the wall time of the sample alone over the drives of ``rows``, s."""
    sample = make_magnetic_sample({"model": "nanocomposite"}, "the benchmark")
    if not isinstance(sample, AcSample):
        raise TypeError("the bar has no answer to an alternating field")
    columns = ("Amplitude (Oe)", "Frequency (Hz)", "Temperature (K)", "Field (Oe)")
    drives = list(zip(*(rows[name].tolist() for name in columns), strict=True))
    start = time.perf_counter()
    for drive in drives:
        sample.ac_moment_emu(*drive)
    return time.perf_counter() - start


def read(file: bytes) -> float:
    """Return the wall time in which pandas reads the rows, s."""
    start = time.perf_counter()
    pd.read_csv(BytesIO(file), comment="#")
    return time.perf_counter() - start


def best(race: Callable[[], float]) -> float:
    """Return the best of several rounds; noise only ever adds."""
    return min(race() for _ in range(ROUNDS))


def main() -> None:
    print(f"a night of ac susceptibility, best of {ROUNDS} rounds ({machine()})")
    races = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            races.append(night(Path(folder)))
    fastest = min(races, key=lambda race: race.wall_s)
    alone_s = best(partial(closed_forms, fastest.rows))
    count = len(fastest.rows)
    print(f"  {count} rows, the closed forms alone    {alone_s:7.4f} s")
    print(f"  {count} rows, pandas reading them       {best(partial(read, fastest.file)):7.4f} s")
    verdict = "met" if fastest.wall_s < TARGET_S else "missed"
    print(
        f"  {count} rows, night, file followed      {fastest.wall_s:7.2f} s of {fastest.lab_s / 3600:.1f} "
        f"lab h, {fastest.wall_s / alone_s:.0f} x the closed forms, target {TARGET_S:.0f} s: {verdict}"
    )


if __name__ == "__main__":
    main()
