"""How fast lab time passes in a rho(T) with a second between points, against stock PyMeasure in the same lab.

    uv run python benchmarks/lab_time.py

Both cool the same film from 300 K to 2 K at 2 K/min through PyVISA, with about 1 s between points, and read
temperature and field before and after each. Ours is the whole suite: strict drivers with read-back, six
voltages a point, settling, run engine, environment log, storage. The baseline is a bare procedure: stock
Keithley drivers, two voltages a point, Worker and Results, nothing checked, nothing read back.

Target: at least 10 000 lab seconds a wall second.
"""

import cProfile
import pstats
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from pymeasure.adapters import VISAAdapter
from pymeasure.experiment import Parameter, Procedure, Results, Worker
from pymeasure.instruments.keithley import Keithley2182, Keithley6221
from timing import machine

from onnes.instruments.clock import VirtualClock, WallClock, virtual_time
from onnes.instruments.open_station import open_station
from onnes.runner.engine import RunEngine
from onnes.runner.night_manifest import night_manifest
from onnes.runner.plan import make_plan
from onnes.runner.requests import Requests
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.lab import get_lab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night

ROUNDS = 3
SEQUENCE = """
sequence: 1
title: rho(T) for the benchmark
station: demo_station.toml
sample: {film: demo_sample.toml}
mounting: perpendicular
finish: {field: hold, temperature: hold}
steps:
  - resistivity:
      temperature: {sweep: 300 K .. 2 K, rate: 2 K/min, every: 2 s}
      average: 6
"""


@dataclass(frozen=True, slots=True)
class Race:
    """What a contestant did: lab time, wall time, points."""

    lab_s: float
    wall_s: float
    points: int


class Stock(Procedure):
    """A bare rho(T) as a beginner writes it with stock PyMeasure."""

    lab = Parameter("Lab", default="")
    DATA_COLUMNS: ClassVar[list[str]] = ["Temperature (K)", "Field (Oe)", "Voltage (V)", "Resistance (ohm)"]

    def execute(self) -> None:
        with virtual_time(get_lab(self.lab).clock):
            self.cool()

    def cool(self) -> None:
        library = f"{self.lab}@onnes"
        source = Keithley6221("GPIB0::12::INSTR", visa_library=library)
        meter = Keithley2182("GPIB0::7::INSTR", visa_library=library, read_termination="\n")
        ppms = VISAAdapter("GPIB0::15::INSTR", visa_library=library, write_termination="\n")
        meter.voltage_nplc = 1
        source.source_current = 0.0
        source.source_enabled = True
        ppms.write("TEMP 2 2 0")
        kelvin = 300.0
        while kelvin > 2.01:
            kelvin, oersted = self.look(ppms)
            volts = []
            for amps in (1e-4, -1e-4):
                source.source_current = amps
                volts.append(float(meter.voltage))
            self.look(ppms)
            voltage = (volts[0] - volts[1]) / 2
            self.emit(
                "results",
                dict(zip(self.DATA_COLUMNS, (kelvin, oersted, voltage, voltage / 1e-4), strict=True)),
            )
            if self.should_stop():
                return
            time.sleep(1.0)

    @staticmethod
    def look(ppms: VISAAdapter) -> tuple[float, float]:
        ppms.write("GETDAT? 6")
        _, _, kelvin, oersted = ppms.read().rstrip(";").split(",")
        return float(kelvin), float(oersted)


def stock(folder: Path) -> Race:
    """Stock PyMeasure in the demo's lab."""
    lab = load_lab("demo", VirtualClock(), sample={"model": "bilayer", "gamma_t": 0.06})
    set_lab("stock", lab)
    data = folder / "stock.csv"
    start = time.perf_counter()
    worker = Worker(Results(Stock(lab="stock"), str(data)))
    worker.start()
    worker.join(timeout=600)
    wall = time.perf_counter() - start
    if worker.results.procedure.status != Procedure.FINISHED:
        raise RuntimeError("the stock procedure did not finish")
    lines = data.read_text(encoding="utf-8").splitlines()
    return Race(lab.now(), wall, sum(not line.startswith("#") for line in lines) - 1)


def onnes(folder: Path) -> Race:
    """The whole suite in the demo's lab."""
    for name in ("demo_station.toml", "demo_sample.toml"):
        (folder / name).write_bytes(files("onnes.runner").joinpath(name).read_bytes())
    (folder / "night.yaml").write_text(SEQUENCE, encoding="utf-8")
    start = time.perf_counter()
    plan = make_plan(folder / "night.yaml")
    with prepared(plan, LabChoice()) as (clock, key), virtual_time(clock):
        station = open_station(plan.station, clock, lab_key=key)
        manifest = night_manifest(plan, station, clock, (), {})
        night = NightFolder.create(folder / "runs", plan.sample_id, WallClock(), manifest, plan.text)
        outcome = RunEngine(plan, station, night, clock, Requests(), lambda _: None).run()
        station.close()
        lab_s = clock.now()
    wall = time.perf_counter() - start
    if outcome.status != "finished":
        raise RuntimeError(outcome.message)
    return Race(lab_s, wall, sum(len(run.data) for run in Night.open(night.path).runs))


def main() -> None:
    print(f"rho(T) from 300 K to 2 K at 2 K/min, 1 s between points, best of {ROUNDS} rounds ({machine()})")
    races: dict[str, list[Race]] = {}
    for _ in range(ROUNDS):
        for name, contestant in (("stock PyMeasure, bare", stock), ("Onnes, the whole suite", onnes)):
            with tempfile.TemporaryDirectory() as folder:
                races.setdefault(name, []).append(contestant(Path(folder)))
    best = {name: min(found, key=lambda race: race.wall_s) for name, found in races.items()}
    baseline = best["stock PyMeasure, bare"]
    for name, race in best.items():
        speed, us = race.lab_s / race.wall_s, race.wall_s / race.points * 1e6
        ratio = speed * baseline.wall_s / baseline.lab_s
        print(
            f"  {name:24} {race.points} points, {race.lab_s:.0f} lab s in {race.wall_s:.2f} s: "
            f"x {speed:.0f}, {us:.0f} us/point, {ratio:.2f} x stock PyMeasure"
        )
    if best["Onnes, the whole suite"].lab_s / best["Onnes, the whole suite"].wall_s < 10_000:
        profile()


def profile() -> None:
    """Print what costs what."""
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profiler.runcall(onnes, Path(folder))
    print("the target is missed; the whole suite by own time:")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
