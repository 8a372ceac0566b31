"""The numbers of virtual nights against what the sample was given: the truth is inside the quoted error."""

import json
from pathlib import Path
from typing import Any

import pytest

from onnes.runner.analyse import analyse
from onnes.runner.night_thread import NightThread
from onnes.runner.nights import demo_files
from onnes.runner.plan import make_plan
from onnes.runner.virtual_night import LabChoice, prepared

# The demo's isotherms on a coarser grid, so that many nights fit into a test.
SEQUENCE = """\
sequence: 1
station: {folder}/demo_station.toml
sample: {{film: {folder}/demo_sample.toml}}
mounting: perpendicular
contact_check: {{declined: a test}}
finish: {{field: 0 Oe}}
steps:
  - isotherms:
      temperature: 2..6 K step 1 K
      field: 0..6 T step 0.3 T
      current: 100 uA
"""


def night(folder: Path, lab: str, seed: int) -> dict[str, dict[str, Any]]:
    """Run a night and return its results by key."""
    with demo_files() as package:
        path = folder / "night.yaml"
        path.write_text(SEQUENCE.format(folder=package.as_posix()), encoding="utf-8")
        plan = make_plan(path)
    with prepared(plan, LabChoice(lab, seed, {"sample": {"gamma_t": 0.06}})) as (clock, key):
        thread = NightThread(plan, folder / "runs", clock, key)
        thread.start()
        assert thread.wait(60)
        assert thread.outcome().status == "finished"
    return {result.id: json.loads(json.dumps(result.as_json())) for result in analyse(thread.folder).results}


def lab_file(folder: Path, **sample: float) -> str:
    path = folder / "lab.toml"
    keys = "".join(f"{name} = {value!r}\n" for name, value in sample.items())
    path.write_text(f"[sample]\n{keys}", encoding="utf-8")
    return str(path)


def is_covered(result: dict[str, Any], truth: float) -> bool:
    """Say whether the truth lies within 3 sigma, or the result was refused with its reason."""
    if result["value"] is None:
        return bool(result["flags"])
    return abs(float(result["value"]) - truth) <= 3 * float(result["sigma"])


@pytest.mark.parametrize("seed", range(1, 11))
def test_critical_field_and_exponent_are_found_for_every_seed(tmp_path: Path, seed: int) -> None:
    results = night(tmp_path, "demo", seed)
    assert abs(results["hc"]["value"] - 32000) <= 100
    assert abs(results["znu"]["value"] - 7 / 3) <= 0.03
    assert is_covered(results["hc"], 32000)
    assert is_covered(results["znu"], 7 / 3)


@pytest.mark.parametrize(("hc_oe", "z_nu"), [(21000.0, 1.4), (38000.0, 0.9), (27000.0, 3.0)])
def test_a_film_that_nobody_has_seen_gives_its_own_numbers(tmp_path: Path, hc_oe: float, z_nu: float) -> None:
    results = night(tmp_path, lab_file(tmp_path, hc_oe=hc_oe, z_nu=z_nu), 1)
    assert abs(results["hc"]["value"] - hc_oe) <= 100
    assert abs(results["znu"]["value"] - z_nu) <= 0.03
    assert is_covered(results["hc"], hc_oe)
    assert is_covered(results["znu"], z_nu)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_contaminated_film_is_never_confidently_wrong(tmp_path: Path, seed: int) -> None:
    results = night(tmp_path, "contaminated", seed)
    assert is_covered(results["hc"], 32000)
    assert is_covered(results["znu"], 7 / 3)


@pytest.mark.parametrize(
    "departure",
    [
        {"background_per_k": 3e-4},
        {"magnetoresistance_per_t2": 1e-3},
        {"hc_spread_oe": 1000.0},
        {"gain_drift_per_h": 5e-4},
        {"hall_pickup_ohm_per_t": 5e-3},
    ],
    ids=lambda departure: next(iter(departure)),
)
def test_each_departure_from_exact_scaling_is_covered_or_refused(
    tmp_path: Path, departure: dict[str, float]
) -> None:
    results = night(tmp_path, lab_file(tmp_path, **departure), 1)
    assert is_covered(results["hc"], 32000)
    assert is_covered(results["znu"], 7 / 3)


def test_a_critical_field_outside_what_was_measured_is_refused(tmp_path: Path) -> None:
    results = night(tmp_path, lab_file(tmp_path, hc_oe=80000.0), 1)
    assert results["hc"]["value"] is None
    assert results["znu"]["value"] is None
    assert results["hc"]["flags"]
