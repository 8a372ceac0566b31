"""Whole nights of a virtual cryostat on copies of the examples, and what their analysis says."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from onnes.runner.analyse import analyse
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import Plan, make_plan
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.reader import Night, Run

EXAMPLES = Path(__file__).parents[2] / "examples"


class TransportNight(NamedTuple):
    """A night that has ended: its folder, and its results as ``results.json`` has them, by key."""

    folder: Path
    results: Mapping[str, Mapping[str, Any]]

    def value(self, key: str) -> float:
        """Return a result that is there; its reason otherwise fails the test."""
        found = self.results[key]
        assert found["value"] is not None, (key, found["flags"])
        return float(found["value"])

    def pull(self, key: str, truth: float) -> float:
        """Return by how many of its own sigmas a result is off."""
        return (self.value(key) - truth) / float(self.results[key]["sigma"])

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the runs as they are stored."""
        return tuple(Night.open(self.folder).runs)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the events of the night and of its runs."""
        lines = [
            line
            for path in sorted(self.folder.rglob("events.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        return [json.loads(line) for line in lines]


def transport_plan(
    folder: Path,
    sequence: str,
    *,
    station: str | Path,
    samples: Mapping[str, str],
    lab: str = "",
    virtual: Mapping[str, float] | None = None,
) -> Plan:
    """Return the plan of a night on copies of an example station and of example samples in ``folder``.

    Args:
        station: the name of an example, or a file.
        sequence: the text of the night, with ``station: station.toml`` and the samples by their id.
        samples: of the mounts by their id, one copy of each file.
        lab: the text of a lab file; empty for the lab of the station.
        virtual: keys of ``[virtual]`` of the sample files: other samples than those of the papers.

    Raises:
        SequenceError: if the night is refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    of_station = station if isinstance(station, Path) else EXAMPLES / f"stations/{station}.toml"
    text = of_station.read_text(encoding="utf-8")
    if lab:
        (folder / "lab.toml").write_text(lab, encoding="utf-8")
        text = re.sub(r"^lab = .*$", 'lab = "lab.toml"', text, count=1, flags=re.MULTILINE)
    (folder / "station.toml").write_text(text, encoding="utf-8")
    for sample in set(samples.values()):
        of_sample = (EXAMPLES / f"samples/{sample}.toml").read_text(encoding="utf-8")
        keys = "".join(f"{name} = {value!r}\n" for name, value in (virtual or {}).items())
        (folder / f"{sample}.toml").write_text(of_sample.rstrip("\n") + "\n" + keys, encoding="utf-8")
    mounts = ", ".join(f"{mount}: {sample}.toml" for mount, sample in samples.items())
    path = folder / "night.yaml"
    path.write_text(f"sequence: 1\nstation: station.toml\nsample: {{{mounts}}}\n{sequence}", encoding="utf-8")
    return make_plan(path)


def run_night(
    plan: Plan, folder: Path, *, seed: int = 1, spoil: Callable[[VirtualLab], None] = lambda _: None
) -> TransportNight:
    """Run a planned night to its end and analyse it."""
    with prepared(plan, LabChoice(seed=seed)) as (clock, key):
        assert key is not None
        spoil(get_lab(key))
        thread = NightThread(plan, folder / "runs", clock, key)
        thread.start()
        assert thread.wait(300)
        outcome = thread.outcome()
    assert (outcome.status, outcome.exit_code) == ("finished", 0), outcome
    results = {
        result.id: json.loads(json.dumps(result.as_json())) for result in analyse(thread.folder).results
    }
    return TransportNight(thread.folder, results)
