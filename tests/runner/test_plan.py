import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import ConfigurationError, SequenceError
from onnes.procedures.measurement import Measurement
from onnes.procedures.options import Settle
from onnes.runner.plan import Measure, OnError, Plan, SetField, SetTemperature, Wait, make_plan

ROOT = Path(__file__).parents[2]
SEQUENCES = [*sorted((ROOT / "examples").glob("*.yaml")), ROOT / "runner" / "demo.yaml"]

STATION = """station = 1
name = "s"
backend = "simulated"
[instruments.ppms]
driver = "ppms"
resource = "GPIB0::15::INSTR"
[instruments.k6221]
driver = "keithley6221"
resource = "GPIB0::12::INSTR"
[instruments.k2182a]
driver = "keithley2182a"
resource = "GPIB0::7::INSTR"
[roles]
thermostat = "ppms"
magnet = "ppms"
[limits]
temperature = "1.9..350 K"
temperature_rate = "12 K/min"
field = "-9..9 T"
field_rate = "150 Oe/s"
[wiring.film]
measures = "resistance"
method = "reversal"
source = "k6221"
meter = "k2182a"
leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }
compliance = "1 V"
ramp = "1 mA/s"
[defaults]
settle = { for = "45 s", slope = "10 mK/min" }
poll = "3 s"
"""
SAMPLE = """sample = 1
id = "f"
[geometry]
shape = "film"
[limits]
temperature = "1.9..320 K"
temperature_rate = "5 K/min"
current = "500 uA"
power = "10 uW"
[expected]
resistance = "14 ohm"
[defaults]
current = "100 uA"
"""
HEAD = "sequence: 1\nstation: s\nsample: {film: f}\n"
FINISH = "finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}\n"

Planner = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    monkeypatch.chdir(tmp_path)

    def plan(steps: str, more: str = "", *, station: str = STATION, sample: str = SAMPLE) -> Plan:
        for folder, name, text in (("stations", "s", station), ("samples", "f", sample)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.toml").write_text(text, encoding="utf-8")
        path = Path("night.yaml")
        check = "" if "contact_check" in more else "contact_check: {declined: a test}\n"
        path.write_text(f"{HEAD}{FINISH}{more}steps:\n{steps}\n{check}", encoding="utf-8")
        return make_plan(path)

    return plan


def _refused(planned: Planner, steps: str, more: str = "", **files: str) -> list[str]:
    with pytest.raises(SequenceError) as caught:
        planned(steps, more, **files)
    return str(caught.value).splitlines()


def _measurements(plan: Plan) -> list[Any]:
    return [step.action.measurement for step in plan.steps if isinstance(step.action, Measure)]


@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: path.stem)
def test_every_shipped_night_plans_cleanly(path: Path) -> None:
    plan = make_plan(path)
    assert plan.steps
    assert [step.number for step in plan.steps] == list(range(1, len(plan.steps) + 1))
    for step in plan.steps:
        if isinstance(step.action, Measure):
            assert isinstance(step.action.measurement, Measurement)
            assert step.action.measurement.setpoints()


def test_the_demo_takes_five_fields_and_nine_isotherms_in_at_most_3000_points() -> None:
    plan = make_plan(ROOT / "runner" / "demo.yaml")
    actions = [step.action for step in plan.steps if isinstance(step.action, Measure)]
    sweeps = [action for action in actions if action.kind == "resistivity-temperature"]
    (isotherms,) = (action for action in actions if action.kind == "resistivity-field")
    assert len({action.label for action in sweeps}) == 5
    assert sweeps[0].label == "0Oe"
    assert json.loads(isotherms.measurement.temperatures) == [2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6]
    assert sum(len(action.measurement.setpoints()) for action in actions) <= 3000
    assert plan.station.backend == "simulated"


def test_a_rehearsal_takes_another_station_and_sample() -> None:
    path = ROOT / "examples" / "000-transport.yaml"
    plan = make_plan(path, station=str(ROOT / "examples/stations/ppms9-sim.toml"))
    assert plan.station.backend == "simulated"
    other = make_plan(path, sample=str(ROOT / "examples/samples/MB215-12.toml"))
    assert other.samples["film"].id == "MB215-12"
    assert other.sample_id == "MB215-12"


def test_a_block_at_several_fields_is_one_run_a_field(planned: Planner) -> None:
    plan = planned("  - resistivity: {temperature: 2..10 K step 2 K, field: [0 T, -3.2 T]}")
    first, second = plan.steps
    assert isinstance(first.action, Measure)
    assert isinstance(second.action, Measure)
    assert (first.action.kind, first.action.label) == ("resistivity-temperature", "0Oe")
    assert second.action.label == "-32000Oe"
    assert first.where == second.where == "night.yaml:6:5"
    assert second.action.mount == "film"


def test_a_measurement_gets_what_was_typed_to_the_last_digit(planned: Planner) -> None:
    (sweep,) = _measurements(
        planned(
            "  - resistivity: {temperature: {sweep: 300..2 K, rate: 2 K/min, every: 0.2 K}, field: 3.2 T}"
        )
    )
    assert json.loads(sweep.temperature_program) == {
        "sweep_k": [300, 2],
        "rate_k_per_min": 2,
        "every_k": 0.2,
    }
    assert (sweep.field_oe, sweep.both_directions, sweep.wiring) == (32000.0, False, "film")
    assert Path(sweep.station_file) == Path("stations/s.toml").resolve()


def test_isotherms_are_one_run_for_all_temperatures(planned: Planner) -> None:
    plan = planned(
        "  - isotherms: {temperature: [6 K, 2 K], field: {sweep: -1..1 T, rate: 20 Oe/s, every: 10 s},"
        " order: as_written, symmetrise: true}"
    )
    (step,) = plan.steps
    assert isinstance(step.action, Measure)
    assert (step.action.kind, step.action.label) == ("resistivity-field", "2K-6K")
    (isotherms,) = _measurements(plan)
    assert json.loads(isotherms.temperatures) == [6, 2]
    assert json.loads(isotherms.field_program) == {
        "sweep_oe": [-10000, 10000],
        "rate_oe_per_s": 20,
        "every_s": 10,
    }
    assert (isotherms.order, isotherms.symmetrise, isotherms.both_directions) == ("as_written", "true", True)


def test_block_beats_block_defaults_beat_group_defaults_beat_the_station(planned: Planner) -> None:
    (one,) = _measurements(
        planned(
            "  - resistivity: {temperature: 5 K, settle: {within: 1 mK}}",
            "defaults:\n"
            "  resistivity: {current: 50 uA, average: 4, settle: {within: 2 mK, then_wait: 5 s}}\n"
            "  settle: {within: 3 mK, then_wait: 6 s, timeout: 1 h, for: 20 s}\n"
            "  magnet: {rate: 40 Oe/s}\n",
        )
    )
    assert json.loads(one.settle) == {
        "within_k": 0.001,  # the block
        "then_wait_s": 5.0,  # defaults.resistivity
        "for_s": 20.0,  # defaults.settle
        "timeout_s": 3600.0,
        "slope_k_per_min": 0.01,  # the station
    }
    assert json.loads(one.magnet) == {"rate_oe_per_s": 40.0}
    assert (one.current_a, one.average, one.poll_s) == (5e-5, 4, 3.0)


def test_what_nobody_says_is_the_samples_or_built_in(planned: Planner) -> None:
    (one,) = _measurements(planned("  - resistivity: {temperature: 5 K}"))
    assert (one.current_a, one.average, one.field_oe) == (1e-4, 10, 0.0)
    assert one.temperature_rate_k_per_min == 5.0  # 10 K/min, but the sample stands 5


def test_a_loop_fills_every_block_inside_that_takes_the_key(planned: Planner) -> None:
    plan = planned(
        """  - name: outer
    for: {field: [0 T, 1 T]}
    do:
      - wait: 1 s
      - for: {current: [10 uA, 20 uA]}
        do:
          - resistivity: {temperature: 5 K}"""
    )
    assert [type(step.action) for step in plan.steps] == [Wait, Measure, Measure] * 2
    found = [(m.field_oe, m.current_a) for m in _measurements(plan)]
    assert found == [(0, 1e-5), (0, 2e-5), (10000, 1e-5), (10000, 2e-5)]
    assert plan.steps[-1].loop == {"field": "1 T", "current": "20 uA"}


def test_a_loop_over_words_fills_them_in(planned: Planner) -> None:
    plan = planned(
        "  - for: {order: [interleaved, as_written]}\n"
        "    do: [{isotherms: {temperature: [2 K, 3 K], field: [0 T, 1 T]}}]"
    )
    assert [m.order for m in _measurements(plan)] == ["interleaved", "as_written"]


def test_a_repeat_does_its_steps_so_many_times_and_counts_them(planned: Planner) -> None:
    plan = planned(
        """  - repeat: 2
    do:
      - wait: 1 s
      - repeat: 2
        do: [{wait: 2 s}]"""
    )
    assert [step.loop["repeat"] for step in plan.steps] == [
        "1 of 2",
        "1 of 2, 1 of 2",
        "1 of 2, 2 of 2",
        "2 of 2",
        "2 of 2, 1 of 2",
        "2 of 2, 2 of 2",
    ]
    assert [step.number for step in plan.steps] == [1, 2, 3, 4, 5, 6]


def test_a_step_is_retried_twice_and_then_stops_where_nobody_says_more(planned: Planner) -> None:
    plan = planned("  - wait: 1 s")
    assert plan.steps[0].on_error == OnError(retries=2, wait_s=60.0, then="safe_stop")
    assert (plan.steps[0].time_limit_s, plan.notify, plan.end_by) == (None, (), None)


def test_the_nearest_on_error_around_a_step_counts(planned: Planner) -> None:
    plan = planned(
        """  - wait: 1 s
  - for: {field: [0 T]}
    on_error: {retry: 5, then: skip}
    do:
      - resistivity: {temperature: 5 K}
      - {wait: 1 s, on_error: safe_stop}
      - repeat: 1
        do: [{wait: 1 s}]
      - repeat: 1
        on_error: {wait: 5 min}
        do: [{wait: 1 s}]""",
        "on_error: skip\n",
    )
    assert [step.on_error for step in plan.steps] == [
        OnError(0, 0.0, "skip"),  # a word alone: no retries
        OnError(5, 60.0, "skip"),
        OnError(0, 0.0, "safe_stop"),
        OnError(5, 60.0, "skip"),
        OnError(2, 300.0, "safe_stop"),
    ]


def test_a_time_limit_is_that_of_each_run_of_its_step(planned: Planner) -> None:
    plan = planned("  - {resistivity: {temperature: 5 K, field: [0 T, 1 T]}, time_limit: 3 h}\n  - wait: 1 s")
    assert [step.time_limit_s for step in plan.steps] == [10800.0, 10800.0, None]


def test_a_time_limit_beside_a_loop_is_refused(planned: Planner) -> None:
    (found,) = _refused(planned, "  - {repeat: 2, time_limit: 3 h, do: [{wait: 1 s}]}")
    assert found.startswith("night.yaml:6:17: time_limit beside a loop; put it beside the steps in 'do'")


def test_who_is_told_of_what_and_when_the_night_should_end_is_in_the_plan(planned: Planner) -> None:
    plan = planned("  - wait: 1 s", 'notify: [failed, finished]\nend_by: "08:00"\n')
    assert (plan.notify, plan.end_by) == (("failed", "finished"), "08:00")
    assert any(
        text.startswith("night.yaml:6:1: end_by is recorded and not yet compared") for text in plan.messages
    )


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (
            "  - for: {field: [0 T]}\n    do: [{resistivity: {temperature: 5 K, field: 1 T}}]",
            "night.yaml:7:43: 'field' is given here and by the for in line 6; give it once",
        ),
        (
            "  - for: {field: [0 T]}\n"
            "    do: [{for: {field: [1 T]}, do: [{resistivity: {temperature: 5 K}}]}]",
            "night.yaml:7:17: 'field' is filled by the for in line 6; nest other keys",
        ),
        (
            "  - for: {order: [interleaved]}\n    do: [{resistivity: {temperature: 5 K}}]",
            "night.yaml:6:11: no block in this for takes 'order'; put one into 'do' that does",
        ),
        (
            "  - for: {order: [upward]}\n    do: [{isotherms: {temperature: 5 K, field: 0..1 T step 1 T}}]",
            "night.yaml:6:19: 'upward' is not known here; expected interleaved or as_written",
        ),
        (
            "  - resistivity: {field: 0 T}",
            "night.yaml:6:5: resistivity without 'temperature'; expected it here or in defaults",
        ),
        (
            "  - isotherms: {temperature: 5 K}",
            "night.yaml:6:5: isotherms without 'field'; expected it here or in defaults",
        ),
        (
            "  - resistivity: {temperature: 5 K, wiring: flim}",
            "night.yaml:6:5: no sample is on the wiring 'flim'; expected film; did you mean 'film'?",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(planned: Planner, steps: str, problem: str) -> None:
    (found,) = _refused(planned, steps)
    assert found.startswith(problem)


def test_a_measurement_without_any_current_is_refused(planned: Planner) -> None:
    sample = SAMPLE.replace('[defaults]\ncurrent = "100 uA"\n', "")
    (found,) = _refused(planned, "  - resistivity: {temperature: 5 K}", sample=sample)
    assert found.startswith("night.yaml:6:5: resistivity without 'current'; expected it here or in defaults")
    assert found.endswith("or in the sample file")


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (
            "  - isotherms: {temperature: 5 K, field: [1 T, ^0..12 T step 0.5 T]}",
            "12 T of '0..12 T step 0.5 T' is above 9 T; allowed -9 T .. 9 T "
            "(stations/s.toml:19 limits.field); lower the setpoint",
        ),
        ("  - isotherms: {temperature: 5 K, field: [1 T, ^-95 kOe]}", "-95 kOe is below -90 kOe; allowed"),
        (
            "  - isotherms: {temperature: 5 K, field: {sweep: 0..1 T, rate: ^1 T/min, every: 1 s}}",
            "1 T/min is above 0.9 T/min, the most allowed (stations/s.toml:20 limits.field_rate)",
        ),
        (
            "  - resistivity: {temperature: ^330 K}",
            "330 K is above 320 K; allowed 1.9 K .. 320 K (samples/f.toml:6 limits.temperature)",
        ),
        ("  - resistivity: {temperature: ^1 K}", "1 K is below 1.9 K; allowed 1.9 K .. 320 K"),
        (
            "  - resistivity: {temperature: {sweep: 9..2 K, rate: ^6 K/min, every: 1 s}}",
            "6 K/min is above 5 K/min, the most allowed (samples/f.toml:7 limits.temperature_rate)",
        ),
        (
            "  - resistivity: {temperature: 5 K, current: ^600 uA}",
            "600 uA is above 500 uA, the most allowed (samples/f.toml:8 limits.current); lower the current",
        ),
        (
            "  - resistivity: {temperature: 5 K, magnet: {rate: ^151 Oe/s}}",
            "151 Oe/s is above 150 Oe/s, the most allowed",
        ),
        ("  - set_temperature: ^400 K", "400 K is above 320 K"),
        ("  - set_temperature: {to: 4 K, rate: ^0.1 K/s}", "0.1 K/s is above 0.0833333333 K/s, the most"),
        ("  - set_field: ^10 T", "10 T is above 9 T"),
        ("  - set_field: {to: 1 T, rate: ^1 T/min}", "1 T/min is above 0.9 T/min"),
        (
            "  - for: {field: [1 T, ^10 T]}\n    do: [{resistivity: {temperature: 5 K}}]",
            "10 T is above 9 T; allowed -9 T .. 9 T (stations/s.toml:19 limits.field)",
        ),
    ],
)
def test_a_value_outside_the_limits_is_refused_where_it_was_typed(
    planned: Planner, steps: str, problem: str
) -> None:
    column = steps.index("^") + 1
    (found,) = _refused(planned, steps.replace("^", ""))
    assert found.startswith(f"night.yaml:6:{column}: {problem}")


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("  - resistivity: {temperature: ^450 K}", "450 K is above 400 K; allowed 1.9 K .. 400 K (the PPMS)"),
        (
            "  - set_temperature: {to: 4 K, rate: ^30 K/min}",
            "30 K/min is above 20 K/min, the most allowed (the P",
        ),
        (
            "  - set_field: {to: 1 T, rate: ^5 Oe/s}",
            "5 Oe/s is below 10 Oe/s, the least allowed (the PPMS); raise",
        ),
        (
            "  - resistivity: {temperature: 5 K, current: ^200 mA}",
            "200 mA is above 105 mA, the most allowed (the Keithley 6221); lower the current",
        ),
    ],
)
def test_what_a_driver_knows_is_checked_where_neither_station_nor_sample_says_less(
    planned: Planner, steps: str, problem: str
) -> None:
    start, end = STATION.index("[limits]"), STATION.index("[wiring.film]")
    sample = 'sample = 1\nid = "f"\ngeometry = { shape = "film" }\ndefaults = { current = "1 uA" }\n'
    (found,) = _refused(
        planned, steps.replace("^", ""), station=STATION[:start] + STATION[end:], sample=sample
    )
    assert found.startswith(f"night.yaml:6:{steps.index('^') + 1}: {problem}")


def test_values_on_the_limits_are_allowed(planned: Planner) -> None:
    plan = planned(
        "  - isotherms: {temperature: [1.9 K, 320 K], current: 500 uA,"
        " field: {sweep: -9..9 T, rate: 0.9 T/min, every: 60 s}}",
        sample=SAMPLE.replace('resistance = "14 ohm"', ""),
    )
    assert len(plan.steps) == 1


def test_the_sequence_may_only_narrow_the_limits(planned: Planner) -> None:
    problems = _refused(
        planned,
        "  - wait: 1 s",
        "limits: {temperature: 1..300 K, field: -9..9.5 T, current: 1 mA, temperature_rate: 5 K/min}\n",
    )
    assert [problem.partition(" is wider than ")[0] for problem in problems] == [
        "night.yaml:5:23: '1..300 K'",
        "night.yaml:5:40: '-9..9.5 T'",
        "night.yaml:5:60: '1 mA'",
    ]
    assert problems[2].endswith("(samples/f.toml:8 limits.current); the limits of a sequence may only narrow")


def test_the_narrower_limit_of_the_sequence_counts(planned: Planner) -> None:
    (found,) = _refused(
        planned,
        "  - set_field: 2 T",
        "limits: {field: -1..1 T, temperature_rate: 2 K/min, field_rate: 50 Oe/s}\n",
    )
    assert found.endswith(
        "2 T is above 1 T; allowed -1 T .. 1 T (night.yaml:5 limits.field); lower the setpoint"
    )
    (one,) = _measurements(
        planned(
            "  - isotherms: {temperature: 5 K, field: [0 T, 1 T]}",
            "limits: {temperature_rate: 2 K/min, field_rate: 50 Oe/s}\n",
        )
    )
    assert one.temperature_rate_k_per_min == 2.0
    assert json.loads(one.magnet) == {"rate_oe_per_s": 50.0}


def test_power_and_voltage_of_the_expected_resistance_are_checked(planned: Planner) -> None:
    (found,) = _refused(planned, "  - resistivity: {temperature: 5 K}", "limits: {power: 100 nW}\n")
    assert found == (
        "night.yaml:7:5: 140 nW, 100 uA through the expected 14 ohm, is above 100 nW, the most allowed "
        "(night.yaml:5 limits.power); lower the power"
    )
    (found,) = _refused(
        planned, "  - resistivity: {temperature: 5 K, current: 200 uA}", "limits: {voltage: 2 mV}\n"
    )
    assert found.startswith("night.yaml:7:46: 2.8 mV, 200 uA through the expected 14 ohm, is above 2 mV")


def test_set_and_wait_carry_their_defaults(planned: Planner) -> None:
    plan = planned(
        """  - set_temperature: {to: 10 K, approach: no_overshoot, settle: {within: 1 mK}, wait: false}
  - set_field: {to: -1 T, mode: persistent}
  - wait: {stable: [temperature]}
  - {enabled: false, name: later, set_field: 99 T}""",
        "defaults: {magnet: {rate: 30 Oe/s, approach: no_overshoot, then_wait: 5 s}}\n",
    )
    kelvin, field, wait = (step.action for step in plan.steps)
    settle = Settle(within_k=0.001, for_s=45.0, slope_k_per_min=0.01)
    assert kelvin == SetTemperature(10.0, 5.0, "no_overshoot", settle, wait=False)
    assert field == SetField(-10000.0, 30.0, "no_overshoot", "persistent", 5.0, wait=True)
    assert wait == Wait(None, None, ("temperature",), 3600.0)
    assert "night.yaml:10:35: later is switched off" in plan.messages


def test_the_time_of_day_comes_next_after_now() -> None:
    now = datetime(2026, 1, 1, 21, 30, tzinfo=UTC).astimezone()
    wait = Wait(None, f"{now.hour:02d}:{now.minute:02d}", (), 1.0)
    assert (wait.next_after(now) - now).total_seconds() == 86400
    with pytest.raises(ValueError, match="expected hours and minutes"):
        Wait(1.0, None, (), 1.0).next_after(now)


def test_finish_says_where_field_and_temperature_go(planned: Planner) -> None:
    finish = planned("  - wait: 1 s").finish
    assert (finish.field_oe, finish.approach, finish.temperature_k) == (0.0, "oscillate", 10.0)
    assert finish.rate_k_per_min == 5.0


@pytest.mark.parametrize(
    ("finish", "problem"),
    [
        (
            "finish: {temperature: 10 K}",
            "night.yaml:4:1: finish without 'field', and the station has a magnet",
        ),
        ("finish: {field: 10 T}", "night.yaml:4:17: 10 T is above 9 T"),
        ("finish: {field: hold, temperature: 400 K}", "night.yaml:4:36: 400 K is above 320 K"),
        (
            "finish: {field: hold, temperature: 4 K, rate: 6 K/min}",
            "night.yaml:4:47: 6 K/min is above 5 K/min, the most allowed",
        ),
    ],
)
def test_a_finish_that_is_wrong_is_refused(planned: Planner, finish: str, problem: str) -> None:
    planned("  - wait: 1 s")
    path = Path("night.yaml")
    path.write_text(f"{HEAD}{finish}\nsteps: [wait: 1 s]\n", encoding="utf-8")
    with pytest.raises(SequenceError) as caught:
        make_plan(path)
    assert str(caught.value).startswith(problem)


def test_a_station_without_a_magnet_takes_no_field(planned: Planner) -> None:
    station = STATION.replace('magnet = "ppms"\n', "")
    problems = _refused(
        planned,
        "  - set_field: 1 T\n  - isotherms: {temperature: 5 K, field: 0..1 T step 1 T}\n"
        "  - resistivity: {temperature: 5 K, field: 1 T}",
        station=station,
    )
    assert [problem.split(" ")[0] for problem in problems] == [
        "night.yaml:4:17:",
        "night.yaml:6:5:",
        "night.yaml:7:5:",
        "night.yaml:8:44:",
    ]
    assert all("has no magnet" in problem for problem in problems)


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("station: x\nsample: {film: f}", "night.yaml:2:10: no station 'x': no file stations/x.toml in "),
        ("station: s2\nsample: {film: f}", "did you mean 's'?"),
        ("station: ./x.toml\nsample: {film: f}", "night.yaml:2:10: no station file x.toml"),
        ("sample: {film: f}", "night.yaml:1:1: no station; expected 'station: NAME' in the sequence"),
        ("station: s\nsample: {film: x}", "night.yaml:3:16: no sample 'x': no file samples/x.toml in "),
        ("station: s", "night.yaml:1:1: no sample; expected 'sample: NAME' in the sequence, or --sample"),
        (
            "station: s\nsample: {flim: f}",
            "night.yaml:3:10: 'flim' is no wiring of the station, nor its magnetometer; expected film",
        ),
        ("station: s\nsample: f\nmounting: flat", "night.yaml:4:11: sample f has no mounting 'flat'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(planned: Planner, head: str, problem: str) -> None:
    planned("  - wait: 1 s")
    path = Path("night.yaml")
    path.write_text(f"sequence: 1\n{head}\n{FINISH}steps: [wait: 1 s]\n", encoding="utf-8")
    with pytest.raises(SequenceError) as caught:
        make_plan(path)
    assert problem in str(caught.value)


def test_references_are_found_in_a_parent_folder_and_by_path(planned: Planner) -> None:
    planned("  - wait: 1 s")
    deep = Path("a/b")
    deep.mkdir(parents=True)
    text = Path("night.yaml").read_text(encoding="utf-8")
    (deep / "night.yaml").write_text(text, encoding="utf-8")
    assert make_plan(deep / "night.yaml").sample_id == "f"
    by_path = text.replace("station: s", "station: ../../stations/s.toml")
    (deep / "night.yaml").write_text(by_path, encoding="utf-8")
    assert make_plan(deep / "night.yaml").station.name == "s"


def test_a_reference_on_the_command_line_is_named_in_the_message(planned: Planner) -> None:
    planned("  - wait: 1 s")
    with pytest.raises(ConfigurationError, match=r"--station: no station 'nowhere'"):
        make_plan(Path("night.yaml"), station="nowhere")


def test_an_unknown_driver_is_refused_with_file_and_line(planned: Planner) -> None:
    with pytest.raises(
        ConfigurationError, match=r"stations/s\.toml:5:1: no driver 'ppmss'.*did you mean 'ppms'"
    ):
        planned("  - wait: 1 s", station=STATION.replace('"ppms"\nresource', '"ppmss"\nresource'))


def test_problems_of_sequence_and_sample_file_come_together(planned: Planner) -> None:
    planned("  - wait: 1 s")
    Path("samples/f.toml").write_text(SAMPLE.replace("14 ohm", "14"), encoding="utf-8")
    path = Path("night.yaml")
    path.write_text(
        f"{HEAD}{FINISH}steps: [wait: 1 s]\n".replace("station: s", "station: x"), encoding="utf-8"
    )
    with pytest.raises(SequenceError) as caught:
        make_plan(path)
    sequence, sample = str(caught.value).splitlines()
    assert sequence.startswith("night.yaml:2:10: no station 'x'")
    assert sample.endswith(
        "f.toml:11:1: expected.resistance: '14' has no unit; expected a resistance; e.g. '14 ohm'"
    )


def test_a_sample_with_several_mountings_asks_for_one(planned: Planner) -> None:
    sample = SAMPLE + '[mounting.flat]\nfield_along = "c"\n[mounting.upright]\nfield_along = "ab"\n'
    (found,) = _refused(planned, "  - wait: 1 s", sample=sample)
    assert found == (
        "night.yaml:3:1: the sample can be mounted in several ways; "
        "expected 'mounting: ' with flat or upright"
    )
    assert planned("  - wait: 1 s", "mounting: flat\n", sample=sample).mounting == "flat"


def test_what_the_station_file_promises_and_nothing_keeps_yet_is_said(planned: Planner) -> None:
    station = f'{STATION}\n[residual_field]\nafter_max_field = "20 Oe"\nafter_oscillate = "5 Oe"\n'
    plan = planned("  - wait: 1 s", "contact_check: {declined: soldered}\n", station=station)
    where = f"{plan.station_path}:{len(station.splitlines()) - 2}:1"
    assert plan.messages == (
        f"{where}: residual_field is recorded and not yet enforced; correct fields near zero yourself",
    )
