"""Which checks of contacts a plan gets without being told, and what is said where there are none."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import SequenceError
from onnes.procedures.contact_check import ContactCheck
from onnes.runner.check import check_sequence
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import Measure, Plan, make_plan
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.lab import get_lab

STATIONS = Path(__file__).parents[2] / "examples/stations"
SAMPLE = """sample = 1
id = "f"
geometry = { shape = "film", length = "2 mm" }
limits = { current = "500 uA" }
expected = { tc = "38 K", resistance = "14 ohm", hysteretic = false }
"""
R = "resistivity: {temperature: [300 K], current: 100 uA}"

Planner = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    monkeypatch.chdir(tmp_path)

    def plan(
        steps: str, top: str = "", *, sample: str = SAMPLE, mounts: str = "film", station: str = "ppms9-sim"
    ) -> Plan:
        (tmp_path / "s.toml").write_text((STATIONS / f"{station}.toml").read_text("utf-8"), "utf-8")
        (tmp_path / "f.toml").write_text(sample, encoding="utf-8")
        mounted = ", ".join(f"{mount}: ./f.toml" for mount in mounts.split())
        head = f"sequence: 1\nstation: ./s.toml\nsample: {{{mounted}}}\nfinish: {{field: 0 Oe}}\n"
        path = tmp_path / "night.yaml"
        path.write_text(f"{head}{top}steps:\n{steps}\n", encoding="utf-8")
        return make_plan(Path("night.yaml"))

    return plan


def measurements(plan: Plan) -> list[Any]:
    return [step.action.measurement for step in plan.steps if isinstance(step.action, Measure)]


def checks(plan: Plan) -> list[tuple[int, str, float]]:
    """Return number, wiring and current of each check of contacts."""
    return [
        (step.number, step.action.mount, step.action.measurement.current_a)
        for step in plan.steps
        if isinstance(step.action, Measure) and isinstance(step.action.measurement, ContactCheck)
    ]


def refused(planned: Planner, steps: str, top: str = "", **more: str) -> list[str]:
    with pytest.raises(SequenceError) as caught:
        planned(steps, top, **more)
    return str(caught.value).splitlines()


def test_the_contacts_are_checked_before_the_first_electrical_block_at_its_current(planned: Planner) -> None:
    plan = planned(f"  - wait: 1 s\n  - {R}\n  - {R}")
    assert checks(plan) == [(2, "film", 1e-4)]
    check = plan.steps[1]
    assert (check.name, check.where) == ("contact_check 100uA", "night.yaml:7:5")
    assert [step.number for step in plan.steps] == [1, 2, 3, 4]


def test_the_check_follows_the_on_error_of_the_night_and_not_that_of_the_block(planned: Planner) -> None:
    plan = planned(f"  - {R}\n    on_error: skip", "on_error: {retry: 1, wait: 1 s, then: safe_stop}\n")
    assert (plan.steps[0].on_error.retries, plan.steps[0].on_error.then) == (1, "safe_stop")
    assert plan.steps[1].on_error.then == "skip"


def test_every_wiring_is_checked_once_before_the_first_block_of_any(planned: Planner) -> None:
    steps = "\n".join(
        f"  - resistivity: {{temperature: [300 K], wiring: {wiring}, current: {current}}}"
        for wiring, current in (("film", "10 uA"), ("film_ac", "20 uA"), ("film", "30 uA"))
    )
    plan = planned(steps, mounts="film film_ac", station="delta-sim")
    assert checks(plan) == [(1, "film", 1e-5), (2, "film_ac", 2e-5)]


def test_a_check_listens_as_the_block_that_follows(planned: Planner) -> None:
    block = "resistivity: {temperature: [300 K], current: 20 uA, lockin: {frequency: 13.7 Hz}}"
    plan = planned(f"  - {block}", mounts="film_ac", station="delta-sim")
    check, measurement = measurements(plan)
    assert check.lockin == measurement.lockin == '{"frequency_hz":13.7}'


def test_the_method_of_a_block_chooses_among_the_wirings_of_the_sample(planned: Planner) -> None:
    steps = "\n".join(
        f"  - resistivity: {{temperature: [300 K], method: {method}, current: 10 uA}}"
        for method in ("lock_in", "delta")
    )
    plan = planned(steps, mounts="film film_ac", station="delta-sim")
    assert [measurement.wiring for measurement in measurements(plan)] == ["film_ac", "film"] * 2
    other = steps.replace("lock_in", "reversal").splitlines()[0]
    (problem,) = refused(planned, other, mounts="film", station="delta-sim")
    assert problem == (
        "night.yaml:6:5: L005: method 'reversal' on the wiring 'film', which measures by 'delta'; leave the "
        "method out, or give the station a wiring for it"
    )


def test_a_written_check_takes_the_next_current_and_no_other_is_added(planned: Planner) -> None:
    plan = planned(f"  - contact_check: {{}}\n  - wait: 1 s\n  - {R}")
    assert checks(plan) == [(1, "film", 1e-4)]
    assert refused(planned, "  - contact_check: {}") == [
        "night.yaml:6:5: contact_check without 'current'; expected it here or in defaults; "
        "e.g. 'current: 100 uA', or in the sample file"
    ]


def test_before_a_curve_of_currents_the_smallest_is_checked(planned: Planner) -> None:
    plan = planned("  - current_voltage: {temperature: [5 K], current: 0..400 uA step 50 uA}")
    assert checks(plan) == [(1, "film", 5e-5)]


def test_a_loop_over_currents_is_checked_at_its_first(planned: Planner) -> None:
    plan = planned("  - for: {current: [20 uA, 50 uA]}\n    do: [{resistivity: {temperature: [300 K]}}]")
    assert checks(plan) == [(1, "film", 2e-5)]


def test_what_measures_nothing_electrical_is_not_checked(planned: Planner) -> None:
    plan = planned("  - wait: 1 s", "contact_check: {declined: soldered}\n")
    assert checks(plan) == []
    assert not any("contact_check" in text for text in plan.messages)


def test_a_declined_check_is_said_with_its_reason(planned: Planner) -> None:
    plan = planned(f"  - {R}", "contact_check: {declined: soldered}\n")
    assert checks(plan) == []
    assert plan.messages[0] == "night.yaml:5:1: L057: contact_check is declined: soldered"
    assert not any("L057" in text for text in planned(f"  - {R}").messages)


def test_twice_the_current_counts_against_the_limits(planned: Planner) -> None:
    (problem,) = refused(planned, f"  - {R.replace('100 uA', '300 uA')}")
    assert re.match(
        r"night.yaml:6:50: L050: 600 uA, twice 300 uA for the check of the contacts, is above 500 uA", problem
    )
    assert checks(planned(f"  - {R.replace('100 uA', '250 uA')}")) == [(1, "film", 2.5e-4)]


def test_twice_the_current_counts_against_the_power_too(planned: Planner) -> None:
    sample = SAMPLE.replace('current = "500 uA"', 'power = "0.2 uW"')
    (problem,) = refused(planned, f"  - {R}", sample=sample)
    assert "L050: 560 nW, 200 uA through the expected 14 ohm, twice 100 uA for the check" in problem


def test_a_current_that_is_itself_too_much_is_said_once(planned: Planner) -> None:
    (problem,) = refused(planned, f"  - {R.replace('100 uA', '600 uA')}")
    assert problem.startswith("night.yaml:6:50: 600 uA is above 500 uA")
    (problem,) = refused(planned, "  - resistivity: {temperature: [300 K]}")
    assert problem.startswith("night.yaml:6:5: resistivity without 'current'")


def test_the_points_of_a_fine_pass_are_marked_as_estimated() -> None:
    found = check_sequence(STATIONS.parent / "000-transport.yaml", station=None, sample=None)
    steps = found.as_json()["plan"]["steps"]
    assert [(step["points"], step["estimated_points"]) for step in steps[:3]] == [
        (4, 0),
        (3143, 161),
        (962, 0),
    ]


def test_open_contacts_fail_the_check_and_leave_the_source_at_0(planned: Planner, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(
        '[[read]]\nport = "k2182a.ch1"\nloop = "I"\nopens_below_k = 350.0\n', encoding="utf-8"
    )
    plan = planned(f"  - {R}", sample=SAMPLE + 'virtual = { model = "bilayer", gamma_t = 0.06 }\n')
    with prepared(plan, LabChoice(str(tmp_path / "lab.toml"), 1)) as (clock, key):
        assert key is not None
        thread = NightThread(plan, tmp_path / "runs", clock, key)
        thread.start()
        assert thread.wait(120)
        outcome, lab = thread.outcome(), get_lab(key)
        assert lab.wiring.terminals("k6221.out", lab.now()) == (0.0, 0.0)
    assert (outcome.status, outcome.safe) == ("failed", True)
    assert "step 1 (contact_check 100uA)" in outcome.message
    assert "compliance" in outcome.message
    assert not list(thread.folder.glob("02_*"))  # the night stops before it measures with them
