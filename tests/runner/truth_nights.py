"""Whole nights of a virtual magnetometer, and what their analysis says: for tests against the truth."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnes.instruments.records import Point
from onnes.runner.analyse import analyse
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import Plan, make_plan
from onnes.runner.progress import Progress
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.reader import Night, Run

EXAMPLES = Path(__file__).parents[2] / "examples"

HEAD = """\
sequence: 1
station: station.toml
sample: sample.toml
mounting: {mounting}
contact_check: {{declined: there are no contacts}}

"""


FINISH = "finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}\n"


class MomentNight(NamedTuple):
    """A night that has ended: its folder, and its results as ``results.json`` has them, by key.

    ``left_oe`` has for each run the field at the sample beyond that of the coil when a point came, which
    nobody at a magnetometer knows.
    """

    folder: Path
    results: Mapping[str, Mapping[str, Any]]
    left_oe: Mapping[str, Sequence[float]]
    messages: Sequence[str]

    def value(self, key: str) -> float:
        """Return a result that is there; its reason otherwise fails the test."""
        found = self.results[key]
        assert found["value"] is not None, (key, found["flags"])
        return float(found["value"])

    def sigma(self, key: str) -> float:
        """Return the uncertainty of a result."""
        return float(self.results[key]["sigma"])

    def pull(self, key: str, truth: float) -> float:
        """Return by how many of its own sigmas a result is off."""
        return (self.value(key) - truth) / self.sigma(key)

    @property
    def runs(self) -> Sequence[Run]:
        """Return the runs as they are stored."""
        return Night.open(self.folder).runs


def moment_plan(
    folder: Path,
    station: str,
    sample: str,
    steps: str,
    *,
    mounting: str,
    virtual: Mapping[str, float] | None = None,
    geometry: Mapping[str, str] | None = None,
    finish: str = FINISH,
    bound: str = "",
) -> Plan:
    """Return the plan of a night on copies of an example station and sample in ``folder``.

    Args:
        virtual: keys of ``[virtual]`` of the sample file: another sample than that of the papers
        geometry: keys of ``[geometry]`` of the sample file, e.g. ``{"width": "2 mm"}``
        bound: what the station file says of the residual field at most, instead of what it says

    Raises:
        SequenceError: if the night is refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _station_file(folder, station, bound)
    _sample_file(folder, sample, virtual or {}, geometry or {})
    sequence = folder / "night.yaml"
    sequence.write_text(HEAD.format(mounting=mounting) + finish + steps, encoding="utf-8")
    return make_plan(sequence)


def run_night(
    plan: Plan,
    folder: Path,
    *,
    seed: int = 1,
    compare_with: tuple[str, ...] = (),
    spoil: Callable[[VirtualLab], None] = lambda _: None,
    calibration: Path | None = None,
) -> MomentNight:
    """Run a planned night to its end and analyse it."""
    left_oe: dict[str, list[float]] = {}
    with prepared(plan, LabChoice(seed=seed)) as (clock, key):
        assert key is not None
        lab = get_lab(key)
        spoil(lab)
        shown: list[Point | None] = [None]
        thread = NightThread(plan, folder / "runs", clock, key, compare_with=compare_with)

        def look(progress: Progress) -> None:
            oe = left_oe.setdefault(progress.run, [])
            if progress.last is not None and progress.last is not shown[-1]:
                shown.append(progress.last)
                oe.append(lab.magnet.at_sample(lab.now()) - lab.magnet.supply(lab.now()))

        thread.show = look
        thread.start()
        assert thread.wait(120)
        outcome = thread.outcome()
    assert (outcome.status, outcome.exit_code) == ("finished", 0), outcome
    report = analyse(thread.folder, calibration=calibration)
    results = {result.id: json.loads(json.dumps(result.as_json())) for result in report.results}
    return MomentNight(thread.folder, results, left_oe, report.messages)


def moment_night(
    folder: Path,
    station: str,
    sample: str,
    steps: str,
    *,
    mounting: str,
    seed: int = 1,
    virtual: Mapping[str, float] | None = None,
    geometry: Mapping[str, str] | None = None,
    compare_with: tuple[str, ...] = (),
) -> MomentNight:
    """Plan a night, run it, and analyse it: see :func:`moment_plan` and :func:`run_night`."""
    plan = moment_plan(folder, station, sample, steps, mounting=mounting, virtual=virtual, geometry=geometry)
    return run_night(plan, folder, seed=seed, compare_with=compare_with)


def _station_file(folder: Path, station: str, bound: str) -> None:
    """Copy a station; of a magnetometer sequences alone set anything, which is fast: nobody asks a server."""
    text = (EXAMPLES / f"stations/{station}.toml").read_text(encoding="utf-8")
    if "magnetometer = " in text:
        text = re.sub(r"^(host|thermostat|magnet|chamber) = .*\n", "", text, flags=re.MULTILINE)
    if bound:
        text = re.sub(r"^(after_\w+) = .*$", rf'\1 = "{bound}"', text, flags=re.MULTILINE)
    (folder / "station.toml").write_text(text.replace("../multivu", "multivu"), encoding="utf-8")
    for part in ("templates", "calibrations"):
        (folder / part).mkdir(exist_ok=True)
        for source in (EXAMPLES / "stations" / part).iterdir():
            (folder / part / source.name).write_bytes(source.read_bytes())


def _sample_file(
    folder: Path, sample: str, virtual: Mapping[str, float], geometry: Mapping[str, str]
) -> None:
    text = (EXAMPLES / f"samples/{sample}.toml").read_text(encoding="utf-8")
    for name, size in geometry.items():
        text = re.sub(rf"^{name} = .*$", f'{name} = "{size}"', text, count=1, flags=re.MULTILINE)
    for name in virtual:
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
    text = text.rstrip("\n") + "\n"
    text += "".join(f"{name} = {value!r}\n" for name, value in virtual.items())
    (folder / "sample.toml").write_text(text, encoding="utf-8")
