"""Nights that are left at a moment, as a kill leaves them, taken up again, and judged by their files."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from onnes.instruments.clock import WallClock
from onnes.runner.ending import Outcome
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.progress import Progress
from onnes.runner.resume import left_night
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.reader import Night, Run
from onnes.storage.run import RUN_MANIFEST

HEAD = """
sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
finish: {field: 0 Oe}
steps:
"""

# A free block, a free sweep up and down, and steps that set and wait.
FREE = (
    HEAD
    + """
  - isotherms: {temperature: [300 K, 298 K], field: [0 Oe, 200 Oe, 400 Oe], current: 100 uA}
  - set_field: {to: 100 Oe}
  - wait: 5 min
  - resistivity:
      temperature: {sweep: 298 K .. 301 K, rate: 1 K/min, every: 10 s}
      both_directions: true
      current: 100 uA
      field: 0 Oe
"""
)

# Isotherms with a history, so that each is prepared; a reference where there is none.
PATH = (
    HEAD
    + """
  - isotherms:
      temperature: [30 K, 32 K]
      field: [0 Oe, 300 Oe, 600 Oe]
      current: 100 uA
      history: path
      prepare: {warm_to: 42 K, degauss_from: 2000 Oe, relax: 1 min, soak: 1 min}
      reference: {temperature: 42 K, field: 0 Oe}
"""
)

AT_40_K = {"cryostat": {"start_k": 40.0}}


@dataclass
class LeftNights:
    """Runs a night, keeps copies of its folder as it was at moments, and takes such a copy up."""

    folder: Path
    sequence: str = FREE
    under: Mapping[str, Any] | None = None
    seed: int = 7
    copies: list[Path] = field(default_factory=list)
    thread: NightThread | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        package = files("onnes.runner")
        for name in ("station", "sample"):
            text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
            (self.folder / f"{name}.toml").write_text(text, encoding="utf-8")

    @property
    def path(self) -> Path:
        """The folder of the night that ran last."""
        assert self.thread is not None
        return self.thread.folder

    def has_begun(self) -> bool:
        """Say whether the night under way has its folder."""
        try:
            return self.path.is_dir()
        except (AssertionError, RuntimeError):
            return False

    def copy(self, *_: object) -> None:
        """Keep the folder of the night under way as it is now."""
        copy = self.folder / f"left{len(self.copies)}" / self.path.parent.name / self.path.name
        shutil.copytree(self.path, copy)
        self.copies.append(copy)

    def run(
        self,
        *,
        at_s: Sequence[float] = (),
        after: Sequence[int] = (),
        spoil: Callable[[VirtualLab], object] = id,
    ) -> Outcome:
        """Run the night; keep a copy at each lab time ``at_s`` and after so many points."""
        path = self.folder / "night.yaml"
        path.write_text(self.sequence, encoding="utf-8")
        choice = LabChoice(seed=self.seed, under=self.under)
        plan = make_plan(path)
        with prepared(plan, choice) as (clock, key):
            assert key is not None
            lab = get_lab(key)
            for moment in at_s:
                lab.at(moment, self.copy)
            spoil(lab)
            self.thread = NightThread(
                plan,
                self.folder / "runs",
                clock,
                key,
                twin=choice.for_manifest(),
                show=_counting(after, self.copy),
            )
            return self._outcome()

    def take_up(
        self, path: Path, *, after: Sequence[int] = (), spoil: Callable[[VirtualLab], object] = id
    ) -> Outcome:
        """Take the night in the folder ``path`` up, as the command does."""
        with self.taking_up(path) as (thread, lab):
            spoil(lab)
            thread.show = _counting(after, self.copy)
            return self._outcome()

    @contextmanager
    def taking_up(self, path: Path) -> Iterator[tuple[NightThread, VirtualLab]]:
        night = left_night(path, WallClock())
        with prepared(night.plan, night.choice(None)) as (clock, key):
            assert key is not None
            self.thread = NightThread(
                night.plan, path.parent.parent, clock, key, again=path, before=night.before
            )
            yield self.thread, get_lab(key)

    def _outcome(self) -> Outcome:
        assert self.thread is not None
        self.thread.start()
        assert self.thread.wait(60)
        return self.thread.outcome()


def _counting(after: Sequence[int], copy: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a display that keeps a copy after so many points of the night."""
    seen: list[tuple[str, int]] = []

    def show(progress: Progress) -> None:
        now = (progress.step, progress.point)
        if progress.point and (not seen or seen[-1] != now):
            seen.append(now)
            if len(seen) in after:
                copy()

    return show


# -- what must be true of a night that was taken up


def rows_of(night: Path) -> dict[str, bytes]:
    """Return the whole rows of every table and list of events, by file."""
    found = {}
    for file in sorted([*night.glob("*/*.csv"), *night.glob("*.csv"), night / "events.jsonl"]):
        if file.is_file() and file.name in ("data.csv", "rejected.csv", "environment.csv", "events.jsonl"):
            content = file.read_bytes()
            found[file.relative_to(night).as_posix()] = content[: content.rfind(b"\n") + 1]
    return found


def finished_runs(night: Path) -> dict[str, bytes]:
    """Return the content of every file of the runs that are finished."""
    return {
        file.relative_to(night).as_posix(): file.read_bytes()
        for manifest in night.glob(f"*/{RUN_MANIFEST}")
        if json.loads(manifest.read_bytes())["status"] == "finished"
        for file in manifest.parent.iterdir()
    }


def nothing_is_lost(before: Mapping[str, bytes], night: Path) -> None:
    """Every row that was there is there, byte for byte and in its place."""
    after = rows_of(night)
    for name, content in before.items():
        assert after.get(name, b"").startswith(content), f"{name}: rows are gone or changed"


def is_whole(night: Path) -> None:
    """Each planned setpoint has one row that counts, no curve with a history is stitched, time goes on."""
    found = Night.open(night)
    assert found.status == "finished"
    for run in found.runs:
        assert run.status == "finished"
        _has_every_setpoint(run)
        _is_not_stitched(run)
        _goes_on(run.data["Time UTC"])
    environment = found.environment
    _goes_on(environment["Time UTC"], environment["Elapsed (s)"])
    _goes_on(found.events["utc"], found.events["t"])


def _has_every_setpoint(run: Run) -> None:
    rows = run.current[run.current["Curve"] > 0]  # a reference is measured again whenever it is come back to
    planned = [
        (p["curve"], p["temperature_k"], p["field_oe"]) for p in run.manifest["setpoints"] if p["curve"]
    ]
    if "every" not in str(run.parameters):
        columns = ("Curve", "Temperature setpoint (K)", "Field setpoint (Oe)")
        assert Counter(zip(*(rows[name] for name in columns), strict=True)) == Counter(planned), run.path
        return
    swept = "temperature_k" if "temperature" in run.path.name else "field_oe"
    label = "Temperature (K)" if swept == "temperature_k" else "Field (Oe)"
    for curve, mine in rows.groupby("Curve"):
        targets = [p[swept] for p in run.manifest["setpoints"] if p["curve"] == curve]
        step = (targets[1] - targets[0]) if len(targets) > 1 else 1.0
        way = mine[label].to_numpy() * (1 if step > 0 else -1)
        assert (way[1:] - way[:-1]).max() < 2.2 * abs(step), f"{run.path}: a gap in curve {curve}"
        # A reading scatters, so that neighbours may change places; a piece measured twice may not.
        assert (way[1:] - way[:-1]).min() > -0.5 * abs(step), f"{run.path}: curve {curve} goes back"
        assert abs(len(mine) - len(targets)) <= 5, f"{run.path}: {len(mine)} of {len(targets)} points"


def _is_not_stitched(run: Run) -> None:
    below_k = float(run.parameters["History below"][0])
    rows = run.current
    if not below_k or "Temperature setpoint (K)" not in rows:
        return
    cold = rows[(rows["Temperature setpoint (K)"] < below_k) & (rows["Curve"] > 0)]
    for kelvin, mine in cold.groupby("Temperature setpoint (K)"):
        assert mine["Attempt"].nunique() == 1, f"{run.path}: {kelvin} K is stitched of several attempts"


def _goes_on(utc: "pd.Series[str]", seconds: "pd.Series[float] | None" = None) -> None:
    times = pd.to_datetime(utc, format="ISO8601")
    assert times.is_monotonic_increasing, times[times.diff() < pd.Timedelta(0)]
    assert seconds is None or seconds.is_monotonic_increasing, seconds[seconds.diff() < 0]


def attempts(night: Path, kind: str) -> list[tuple[str, int, int]]:
    """Return (rule, curve, done) of the later attempts of the run of a kind."""
    (run,) = (run for run in Night.open(night).runs if kind in run.path.name)
    return [(entry["rule"], entry["curve"], entry["done"]) for entry in run.attempts[1:]]


def events(night: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of one kind."""
    found = Night.open(night).events
    return [{str(k): v for k, v in row.items()} for row in found[found.kind == kind].to_dict("records")]
