"""When a measurement depends on how the sample came there, and how it is then prepared."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import SequenceError
from onnes.runner.plan import Measure, Plan, make_plan

STATION = (Path(__file__).parents[2] / "examples/stations/ppms9-sim.toml").read_text(encoding="utf-8")
SAMPLE = """sample = 1
id = "f"
geometry = { shape = "film" }
defaults = { current = "100 uA" }
limits = { temperature = "1.9..320 K", temperature_rate = "5 K/min" }
"""
TC = SAMPLE + 'expected = { tc = "38 K" }\n'
SOFT = SAMPLE + 'expected = { tc = "38 K", hysteretic = false }\n'
HEAD = "sequence: 1\nstation: s\nsample: {film: f}\nfinish: {field: 0 Oe}\n"

DECLINED = "contact_check: {declined: a test}\n"

ISOTHERMS = "  - isotherms: {temperature: 5 K, field: [0 T, 1 T]}"
WARMING = "resistivity: {temperature: 5..60 K step 5 K}"

Planner = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    monkeypatch.chdir(tmp_path)

    def plan(
        steps: str, more: str = "", *, sample: str = TC, station: str = STATION, head: str = HEAD
    ) -> Plan:
        for folder, name, text in (("stations", "s", station), ("samples", "f", sample)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.toml").write_text(text, encoding="utf-8")
        path = Path("night.yaml")
        path.write_text(f"{head}{more}steps:\n{steps}\n{DECLINED}", encoding="utf-8")
        return make_plan(path)

    return plan


def _below_k(plan: Plan) -> list[float]:
    return [measurement.path_below_k for measurement in _measurements(plan)]


def _measurements(plan: Plan) -> list[Any]:
    return [step.action.measurement for step in plan.steps if isinstance(step.action, Measure)]


def _messages(plan: Plan) -> list[str]:
    """Return what is said of the sequence, but of contacts and of too few isotherms."""
    beside = ("contact_check", "L040")
    return [
        text
        for text in plan.messages
        if text.startswith("night.yaml") and not any(word in text for word in beside)
    ]


def _refused(planned: Planner, steps: str, more: str = "", **files: str) -> list[str]:
    with pytest.raises(SequenceError) as caught:
        planned(steps, more, **files)
    return str(caught.value).splitlines()


def test_isotherms_below_the_expected_tc_are_path(planned: Planner) -> None:
    plan = planned(ISOTHERMS)
    assert _below_k(plan) == [38.0]
    assert _messages(plan) == []


def test_isotherms_above_the_expected_tc_are_free(planned: Planner) -> None:
    assert _below_k(planned("  - isotherms: {temperature: [38 K, 50 K], field: [0 T, 1 T]}")) == [0.0]


def test_a_sample_without_hysteresis_is_free(planned: Planner) -> None:
    plan = planned(ISOTHERMS, sample=SOFT)
    assert (_below_k(plan), _messages(plan)) == ([0.0], [])


def test_without_an_expected_tc_auto_is_free_and_says_so_once(planned: Planner) -> None:
    plan = planned(f"{ISOTHERMS}\n{ISOTHERMS}", sample=SAMPLE)
    assert _below_k(plan) == [0.0, 0.0]
    assert _messages(plan) == [
        "night.yaml:6:5: the sample f has no expected.tc, so the history is free everywhere; "
        "give it, say hysteretic = false, or say 'history: path'"
    ]


def test_cooling_in_a_field_set_above_tc_is_free(planned: Planner) -> None:
    assert _below_k(planned("  - resistivity: {temperature: 60..5 K step 5 K, field: [0 T, 1 T]}")) == [0, 0]


def test_warming_from_below_tc_is_path_where_the_field_was_set_there(planned: Planner) -> None:
    steps = "  - resistivity: {temperature: 5..60 K step 5 K, field: [0 T, 1 T]}"
    assert _below_k(planned(steps)) == [0.0, 38.0]


def test_a_field_that_stays_from_above_tc_is_free(planned: Planner) -> None:
    warming = "  - resistivity: {temperature: 5..60 K step 5 K, field: 1 T}"
    assert _below_k(planned(f"{warming}\n{warming}")) == [38.0, 0.0]


def test_a_field_changed_below_tc_counts_until_the_sample_was_warm(planned: Planner) -> None:
    steps = (
        "  - set_temperature: 5 K\n  - set_field: 1 T\n  - set_field: 0 Oe\n"
        f"  - {WARMING}\n  - set_temperature: 60 K\n  - {WARMING}"
    )
    assert _below_k(planned(steps)) == [38.0, 0.0]


def test_what_the_block_says_beats_the_rule(planned: Planner) -> None:
    plan = planned(
        "  - isotherms: {temperature: 5 K, field: [0 T, 1 T], history: free}\n"
        "  - resistivity: {temperature: 60..5 K step 5 K}",
        "defaults: {resistivity: {history: path}}\n",
    )
    assert _below_k(plan) == [0.0, 38.0]
    assert _messages(plan) == [
        "night.yaml:7:5: L033: the field has changed below the expected Tc, 38 K, and the history is taken "
        "as free; say 'history: path', or hysteretic = false in the sample file"
    ]


def test_path_of_a_sample_without_hysteresis_is_path_and_free_says_nothing(planned: Planner) -> None:
    steps = (
        "  - isotherms: {temperature: 5 K, field: [0 T, 1 T], history: path}\n"
        "  - isotherms: {temperature: 5 K, field: [0 T, 1 T], history: free}"
    )
    plan = planned(steps, sample=SOFT)
    assert (_below_k(plan), _messages(plan)) == ([38.0, 0.0], [])


def test_a_preparation_carries_the_defaults_that_hang_on_sample_and_station(planned: Planner) -> None:
    (one,) = _measurements(planned(ISOTHERMS))
    assert json.loads(one.prepare) == {
        "warm_to_k": 48.0,
        "degauss_from_oe": 10000.0,
        "cool_rate_k_per_min": 5.0,  # 10 K/min, but the sample stands 5
    }
    (one,) = _measurements(planned(ISOTHERMS, sample=TC.replace("38 K", "90 K")))
    assert json.loads(one.prepare)["warm_to_k"] == 112.5
    (one,) = _measurements(
        planned(
            "  - isotherms: {temperature: 5 K, field: [0 Oe, 10 Oe]}",
            "limits: {field: -0.5..0.4 T}\n",
        )
    )
    assert json.loads(one.prepare)["degauss_from_oe"] == 4000.0


def test_a_preparation_is_read_key_by_key_from_block_and_defaults(planned: Planner) -> None:
    (one,) = _measurements(
        planned(
            "  - isotherms: {temperature: 5 K, field: [0 T, 1 T], prepare: {warm_to: 60 K}}",
            "defaults:\n"
            "  isotherms: {prepare: {warm_to: 55 K, soak: 1 min, degauss_from: 2 T}}\n"
            "  prepare: {soak: 2 min, relax: 3 min, approach: no_overshoot, cool_rate: 3 K/min}\n",
        )
    )
    assert json.loads(one.prepare) == {
        "warm_to_k": 60.0,
        "degauss_from_oe": 20000.0,
        "approach": "no_overshoot",
        "relax_s": 180.0,
        "cool_rate_k_per_min": 3.0,
        "soak_s": 60.0,
    }


def test_path_without_an_expected_tc_is_everywhere(planned: Planner) -> None:
    steps = "  - isotherms: {temperature: 5 K, field: [0 T, 1 T], history: path, prepare: {warm_to: 60 K}}"
    plan = planned(steps, sample=SAMPLE)
    assert _below_k(plan) == [320.0]
    assert _messages(plan) == [
        "night.yaml:6:5: the sample has no expected.tc, so the history is path everywhere: below 320 K, "
        "the upper temperature limit"
    ]
    (found,) = _refused(planned, steps.replace(", prepare: {warm_to: 60 K}", ""), sample=SAMPLE)
    assert found.startswith("night.yaml:6:5: history: path without a temperature to warm to; expected")


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        ("warm_to: ^400 K", "400 K is above 320 K; allowed 1.9 K .. 320 K (samples/f.toml:5"),
        ("degauss_from: ^10 T", "10 T is above 9 T; allowed -9 T .. 9 T (stations/s.toml"),
        ("cool_rate: ^6 K/min", "6 K/min is above 5 K/min, the most allowed (samples/f.toml:5"),
        (
            "warm_to: ^38 K",
            "L030: warm_to, 38 K, is not above the expected Tc, 38 K, so the old state stays; "
            "expected e.g. '48 K'",
        ),
    ],
)
def test_a_preparation_outside_the_limits_is_refused_where_it_was_typed(
    planned: Planner, prepare: str, problem: str
) -> None:
    steps = f"  - isotherms: {{temperature: 5 K, field: [0 T, 1 T], prepare: {{{prepare}}}}}"
    (found,) = _refused(planned, steps.replace("^", ""))
    assert found.startswith(f"night.yaml:6:{steps.index('^') + 1}: {problem}")


def test_a_preparation_by_default_that_the_sample_does_not_stand_is_refused(planned: Planner) -> None:
    (found,) = _refused(planned, ISOTHERMS, "limits: {temperature: 2..40 K}\n")
    assert found.startswith(
        "night.yaml:7:5: 48 K, which prepare takes where nobody says more, is above 40 K; allowed"
    )


def test_warming_only_just_above_tc_is_said(planned: Planner) -> None:
    plan = planned("  - isotherms: {temperature: 5 K, field: [0 T, 1 T], prepare: {warm_to: 42 K}}")
    assert [text.partition(": ")[2] for text in _messages(plan)] == [
        "L030: warm_to, 42 K, is less than 5 K above the expected Tc, 38 K; vortices may stay pinned"
    ]


def test_a_preparation_that_is_not_used_is_said(planned: Planner) -> None:
    plan = planned("  - resistivity: {temperature: 60..5 K step 5 K, prepare: {warm_to: 60 K}}")
    assert _messages(plan) == ["night.yaml:6:5: prepare is given and not used: the history is free here"]


def test_a_reference_is_a_parameter_of_the_isotherms(planned: Planner) -> None:
    (one,) = _measurements(
        planned(
            "  - isotherms: {temperature: 5 K, field: [0 T, 1 T]}",
            "defaults: {isotherms: {reference: {temperature: 45 K, field: 0.1 T}}}\n",
        )
    )
    assert json.loads(one.reference) == {"temperature_k": 45.0, "field_oe": 1000.0}


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("temperature: ^400 K, field: 0 T", "400 K is above 320 K"),
        ("temperature: 45 K, field: ^10 T", "10 T is above 9 T"),
        (
            "temperature: ^20 K, field: 0 T",
            "the reference at 20 K lies below 38 K, where the history counts, and would change it; "
            "choose a temperature above",
        ),
    ],
)
def test_a_reference_that_cannot_be_is_refused_where_it_was_typed(
    planned: Planner, reference: str, problem: str
) -> None:
    steps = f"  - isotherms: {{temperature: 5 K, field: [0 T, 1 T], reference: {{{reference}}}}}"
    (found,) = _refused(planned, steps.replace("^", ""))
    assert found.startswith(f"night.yaml:6:{steps.index('^') + 1}: {problem}")


def test_a_station_without_a_magnet_is_free_and_its_path_has_nothing_to_degauss(planned: Planner) -> None:
    station = STATION.replace('magnet = "ppms"\n', "")
    plan = planned(
        f"  - {WARMING}\n  - resistivity: {{temperature: 5 K, history: path}}",
        station=station,
        head=HEAD.replace("field: 0 Oe", "temperature: hold"),
    )
    free, path = _measurements(plan)
    assert (free.path_below_k, path.path_below_k) == (0.0, 38.0)
    assert json.loads(path.prepare) == {"warm_to_k": 48.0, "cool_rate_k_per_min": 5.0}
