"""Whole nights of a virtual point contact, and what their analysis says: for tests against the truth."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from onnes.runner.analyse import analyse
from onnes.storage.reader import Run
from tests.runner.bad_night import BadNight

EXAMPLES = Path(__file__).parents[2] / "examples"

_HEAD = """\
sequence: 1
station: station.toml
sample: {{{wiring}: sample.toml}}
mounting: perpendicular
contact_check: {{declined: a test}}
finish: {{field: 0 Oe, temperature: {finish}}}
"""
# the 2182A is heard through the 6221 then, and the lock-in has nothing to do
_DIFFERENTIAL_STATION = (
    (r'^resource = "GPIB0::7::INSTR"', 'via = "k6221"'),
    (r'^method = "lock_in"', 'method = "differential"'),
    (r'^meter = "sr830"', 'meter = "k2182a"'),
    (r"^bias_meter = .*\n", ""),
)
_DIFFERENTIAL_LAB = '[instrument.k2182a]\ninterface = "rs232"\n'


class Spectra(NamedTuple):
    """A night that has ended: what it was, and its results as ``results.json`` has them, by key."""

    night: BadNight
    results: Mapping[str, Mapping[str, Any]]

    def value(self, key: str) -> float:
        """Return a result that is there; its reason otherwise fails the test."""
        found = self.results[key]
        assert found["value"] is not None, (key, found["flags"])
        return float(found["value"])

    def sigma(self, key: str) -> float:
        """Return the uncertainty of a result."""
        return float(self.results[key]["sigma"])

    @property
    def runs(self) -> Sequence[Run]:
        """Return the runs as they are stored."""
        return self.night.night.runs

    @property
    def data(self) -> pd.DataFrame:
        """Return the good points of the first run."""
        return self.runs[0].current


def contact_files(
    folder: Path,
    *,
    station: str = "ppms14-sim",
    sample: str = "MB600-196",
    virtual: Mapping[str, Any] | None = None,
    says: Mapping[str, str] | None = None,
    leads: str = "",
    lab: str = "",
    differential: bool = False,
) -> None:
    """Copy an example station and sample to ``folder``, with a lab of their own.

    Args:
        virtual: ``[virtual]`` of the sample file: another sample than the example's.
        says: keys that replace those of the sample file wherever they stand.
        leads: a line that is added to what the lab says of the voltage contacts.
        lab: tables that are added to the station's lab.
        differential: dI/dV by the 6221 with the 2182A on its serial line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = (EXAMPLES / f"stations/{station}.toml").read_text(encoding="utf-8")
    name = re.search(r'^lab = "(\w+)"', text, flags=re.MULTILINE)
    assert name is not None
    own = (Path(__file__).parents[2] / f"sim/lab_{name[1]}.toml").read_text(encoding="utf-8")
    if leads:
        own = own.replace("[[read]]\n", f"[[read]]\n{leads}\n", 1)
    if differential:
        for pattern, instead in _DIFFERENTIAL_STATION:
            text = re.sub(pattern, instead, text, flags=re.MULTILINE)
        own += _DIFFERENTIAL_LAB
    (folder / "lab.toml").write_text(f"{own}\n{lab}", encoding="utf-8")
    text = text.replace(f'lab = "{name[1]}"', 'lab = "lab.toml"').replace('runs = "../runs"', 'runs = "runs"')
    (folder / "station.toml").write_text(text, encoding="utf-8")
    text = (EXAMPLES / f"samples/{sample}.toml").read_text(encoding="utf-8")
    for key, value in (says or {}).items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    if virtual:
        keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in virtual.items())
        text = f"{text.partition('[virtual]')[0]}[virtual]\n{keys}"
    (folder / "sample.toml").write_text(text, encoding="utf-8")


def contact_night(
    folder: Path, steps: str, *, wiring: str = "contact", finish: str = "hold", seed: int = 1, **files: Any
) -> BadNight:
    """Return a night that may still be spoilt: see :func:`contact_files`."""
    contact_files(folder, **files)
    head = _HEAD.format(wiring=wiring, finish=finish)
    return BadNight(folder, f"{head}steps:\n{steps}", seed)


def spectra(night: BadNight) -> Spectra:
    """Run a night to its good end and analyse it."""
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("finished", 0), outcome
    return analysed(night)


def analysed(night: BadNight) -> Spectra:
    """Analyse a night, however it ended."""
    report = analyse(night.running.folder)
    return Spectra(night, {result.id: json.loads(json.dumps(result.as_json())) for result in report.results})
