"""The files of one night of a campaign: a short sequence with station, sample and lab of its own.

They lie in one folder, so that ``onnes run <folder>/night.yaml`` repeats the night by hand.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from onnes.runner.campaign_plan import PlannedNight

PLAN, SEQUENCE, RUNS = "plan.json", "night.yaml", "runs"

_HEAD: Final = """\
sequence: 1
title: a night of a campaign, {program}
station: station.toml
sample: {{film: sample.toml}}
mounting: perpendicular
contact_check: {{declined: the virtual lab has no contacts that could be bad}}
finish: {{field: 0 Oe}}
"""

_ISOTHERMS: Final = """\
  - isotherms:
      temperature: [20 K, 15 K]
      field: 0..12000 Oe step 800 Oe
      current: 100 uA
"""

PROGRAMS: Final = {
    "temperature-sweep": """\
steps:
  - set_field: {to: 5000 Oe, rate: 100 Oe/s}
  - resistivity:
      temperature: {sweep: 60 K .. 30 K, rate: 3 K/min, every: 0.75 K}
      field: 5000 Oe
      current: 100 uA
      both_directions: true
""",
    "isotherms": f"steps:\n{_ISOTHERMS}",
    "isotherms-swept": """\
on_error: {retry: 2, wait: 60 s, then: skip}
steps:
  - isotherms:
      temperature: [20 K, 15 K]
      field: {sweep: 0..20000 Oe, rate: 50 Oe/s, every: 1000 Oe}
      current: 100 uA
""",
    "two-steps": f"""\
on_error: skip
steps:
{_ISOTHERMS.replace("[20 K, 15 K]", "15 K")}\
  - wait: 5 min
  - resistivity:
      temperature: [16 K, 18 K, 20 K, 22 K, 24 K, 26 K, 28 K, 30 K]
      current: 100 uA
      both_directions: true
      settle: {{for: 30 s}}
""",
    "history": """\
steps:
  - isotherms:
      temperature: [37 K, 36 K]
      field: 0..12000 Oe step 800 Oe
      current: 100 uA
      history: path
""",
}
"""{name: its part of the sequence}; below Tc the last one depends on how the sample came there."""

_SUPERCONDUCTS: Final = frozenset({"history"})
_START_K: Final = {
    "temperature-sweep": 62.0, "isotherms": 21.0, "isotherms-swept": 21.0, "two-steps": 14.0, "history": 60.0
}  # fmt: skip


def write_night(folder: Path, night: PlannedNight) -> None:
    """Write the files of ``night`` into ``folder``, which must not exist."""
    folder.mkdir(parents=True)
    package = files("onnes.runner")
    station = package.joinpath("demo_station.toml").read_text(encoding="utf-8")
    station = station.replace(
        'lab = "demo" # name or path of a lab file', f'lab = "lab.toml"\nseed = {night.seed}'
    )
    sample = package.joinpath("demo_sample.toml").read_text(encoding="utf-8")
    if night.program in _SUPERCONDUCTS:
        sample = sample.replace("hysteretic = false", "hysteretic = true")
        sample = sample.replace("gamma_t = 0.06\n", 'gamma_t = "pristine"\n')
    texts = {
        SEQUENCE: _HEAD.format(program=night.program) + PROGRAMS[night.program],
        "station.toml": station,
        "sample.toml": sample,
        "lab.toml": _lab(night),
        PLAN: json.dumps(night.as_json(), indent=1) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def read_plan(folder: Path) -> PlannedNight:
    """Return the plan of the night in ``folder``."""
    return PlannedNight.from_json(json.loads((folder / PLAN).read_text(encoding="utf-8")))


def _lab(night: PlannedNight) -> str:
    """Return the lab file: cold already, so that the night is short, and with all that goes wrong in it."""
    lines = ["[lab]", 'name = "campaign"', "", "[cryostat]", f"start_k = {_START_K[night.program]}"]
    for fault in night.faults:
        lines += ["", "[[fault]]", *(f"{key} = {_toml(value)}" for key, value in fault.table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)
