"""What people ask of a night: when it acts, in each of its phases, and what stands in its records."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from onnes.runner.night_thread import NightThread
from onnes.runner.requests import Request, RequestKind
from onnes.sim.lab import VirtualLab
from tests.runner.asked_night import HEAD, AskedNight

# A request is heeded within a slice of lab time, and the transaction under way, whose deadline is 2 s.
HEEDED_S = 1.0 + 2.0


@pytest.fixture
def night(tmp_path: Path) -> AskedNight:
    package = files("onnes.runner")
    for name in ("station", "sample"):
        text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return AskedNight(tmp_path)


MEASURE = """
  - resistivity:
      temperature: {sweep: 300 .. 290 K, rate: 1 K/min, every: 20 s}
      field: 0 Oe
      current: 100 uA
"""
BUSY = {
    "a temperature ramp": "  - set_temperature: {to: 250 K, rate: 1 K/min}\n",
    "a field ramp": "  - set_field: {to: 20000 Oe, rate: 10 Oe/s}\n",
    "settling": "  - set_temperature: {to: 300 K, settle: {for: 20 min}}\n",
    "a wait": "  - wait: 10 min\n",
    "a wait for rest": "  - set_field: {to: 20000 Oe, rate: 10 Oe/s, wait: false}\n"
    "  - wait: {stable: [field], timeout: 2 h}\n",
    "a sweep": MEASURE,
}


def steps(text: str, finish: str = "{field: 0 Oe}") -> str:
    return f"{HEAD}finish: {finish}\nsteps:\n{text.lstrip(chr(10))}  - wait: 1 s\n"


@pytest.mark.parametrize("phase", BUSY)
def test_a_busy_night_pauses_goes_on_and_skips_within_a_second(night: AskedNight, phase: str) -> None:
    night.sequence = steps(BUSY[phase])
    night.ask(200.5, "pause")
    night.ask(204.5, "resume")
    night.ask(300.5, "helium_fill")
    night.ask(304.5, "helium_fill")
    night.ask(400.5, "extend", quantity="field", end=1e9)
    night.ask(420.5, "acknowledge")
    night.ask(440.5, "skip")
    outcome = night.run()
    assert outcome.status == "finished"
    delays = {
        "pause": night.delay(200.5, state="paused"),
        "resume": night.delay(204.5, state="running"),
        "fill": night.delay(300.5, state="suspended"),
        "filled": night.delay(304.5, state="running"),
        "extend": night.delay(400.5, "extend_refused"),
        "acknowledge": night.delay(420.5, "request_refused"),
        "skip": night.delay(440.5, "skipped"),
    }
    assert max(delays.values()) <= HEEDED_S, delays
    asked = ["pause", "resume", "helium_fill", "helium_fill", "extend", "acknowledge", "skip"]
    assert night.said("request") == [f"{kind} asked by a test" for kind in asked]
    assert [step["status"] for step in night.night.manifest["steps"]][-2:] == ["skipped", "finished"]


def silent(lab: VirtualLab) -> None:
    lab.faults.add("timeout", target="ppms", match="*", at=100.0, count=100_000)


def silent_just_now(lab: VirtualLab) -> None:
    lab.faults.add("timeout", target="ppms", match="*", at=128.0, count=100_000)


def quench(lab: VirtualLab) -> None:
    lab.at(100.0, lambda t: lab.magnet.force_status(15, t))


FAILS = """  - wait: 100 s
  - wait: {stable: [temperature], timeout: 1 s}
    on_error: {retry: 5, wait: 30 min, then: skip}
"""
Spoil = Callable[[VirtualLab], None]
STILL: dict[str, tuple[str, Spoil, str]] = {
    "a pause": (BUSY["a temperature ramp"], lambda _: None, "pause"),
    "a helium transfer": (BUSY["a temperature ramp"], lambda _: None, "helium_fill"),
    "a link that is down": (BUSY["a temperature ramp"], silent, ""),
    "the tries of a link": (BUSY["a temperature ramp"], silent_just_now, ""),
    "a fault": (BUSY["a wait"], quench, ""),
    "a pause between two tries": (FAILS, lambda _: None, ""),
}

STATES = {"a pause": "paused", "the tries of a link": "running"}


def stand_still(night: AskedNight, phase: str) -> None:
    text, night.spoil, kind = STILL[phase]
    night.sequence = steps(text)
    if kind:
        night.ask(101.0, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", [*BUSY, *STILL])
@pytest.mark.parametrize("kind", ["stop", "abort"])
def test_a_stop_and_an_abort_act_within_a_second_in_every_phase(
    night: AskedNight, phase: str, kind: str
) -> None:
    if phase in STILL:
        stand_still(night, phase)
    else:
        night.sequence = steps(BUSY[phase])
    night.ask(130.5, kind)  # type: ignore[arg-type]
    night.run()
    state_before = [state for t, state in night.states if t < 130.5][-1]
    assert state_before == STATES.get(phase, "suspended" if phase in STILL else "running")
    assert night.delay(130.5, state="stopping") <= HEEDED_S
    assert night.said("request")[-1] == f"{kind} asked by a test"


@pytest.mark.parametrize("phase", STILL)
def test_a_skip_acts_within_a_second_while_the_night_stands_still(night: AskedNight, phase: str) -> None:
    stand_still(night, phase)
    night.ask(130.5, "skip")
    night.ask(133.5, "resume" if STILL[phase][2] == "pause" else "helium_fill")
    night.ask(137.0, "abort")
    night.run()
    assert night.delay(130.5, "skipped") <= HEEDED_S


# -- on the way out

WAY_OUT = "{field: 6 T}"


def test_on_the_way_out_only_an_abort_is_heeded_and_the_rest_is_told(night: AskedNight) -> None:
    night.sequence = steps(BUSY["a wait"], finish=WAY_OUT)
    night.ask(100.0, "stop", who="one")
    others: list[RequestKind] = ["pause", "skip", "resume", "extend", "acknowledge", "helium_fill", "stop"]
    night.ask(200.5, *others, who="another")
    night.ask(300.5, "abort", who="a third")
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("aborted", 4)
    assert night.delay(200.5, "request_refused") <= HEEDED_S
    assert sorted(text.split(":")[0] for text in night.said("request_refused")) == [
        f"{kind} asked by another" for kind in sorted(others)
    ]
    assert all("on its way out" in text for text in night.said("request_refused"))
    assert night.delay(300.5, "abort") <= HEEDED_S
    assert len(night.said("request")) == 9


def test_a_link_that_fails_on_the_way_out_costs_the_stop_nothing(night: AskedNight) -> None:
    night.sequence = steps(BUSY["a wait"], finish=WAY_OUT)
    night.spoil = lambda lab: lab.faults.add("timeout", target="ppms", match="*", at=200.0, count=30)
    night.ask(100.0, "stop")
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("stopped", 4), outcome.message
    assert [state for _, state in night.states] == ["running", "stopping", "suspended", "stopping", "stopped"]
    assert night.events("settled")[-1]["values"]["target"] == 60000.0


# -- after a pause


def test_a_wait_ends_when_it_was_to_end_however_long_the_pause(night: AskedNight) -> None:
    night.sequence = steps("  - wait: 10 min\n").replace("  - wait: 1 s\n", "")
    night.ask(100.0, "pause")
    night.ask(160.0, "resume")
    night.run()
    (ended,) = [t for t, state in night.states if state == "stopping"]
    begun = night.states[0][0]
    assert ended - begun == pytest.approx(600.0, abs=2.0)


@pytest.mark.parametrize("kind", ["pause", "helium_fill"])
def test_a_ramp_nobody_waited_for_goes_on_after_standing_still(night: AskedNight, kind: RequestKind) -> None:
    night.sequence = steps(
        "  - set_temperature: {to: 290 K, rate: 1 K/min, wait: false}\n"
        "  - set_field: {to: 3000 Oe, rate: 10 Oe/s, wait: false}\n"
        "  - wait: 4 min\n"
        "  - wait: {stable: [temperature, field], timeout: 2 h}\n"
    )
    night.ask(100.0, kind)
    night.ask(102.5, "resume" if kind == "pause" else kind)
    night.run()
    targets = [event["values"]["target"] for event in night.events("settled")]
    assert targets == [290.0, 3000.0, 0.0]


def test_a_ramp_goes_where_it_was_to_go_after_a_pause(night: AskedNight) -> None:
    night.sequence = steps(BUSY["a field ramp"] + "  - set_temperature: {to: 290 K, rate: 2 K/min}\n")
    night.ask(500.0, "pause")
    night.ask(503.0, "resume")
    night.ask(2300.0, "pause")
    night.ask(2303.0, "resume")
    night.run()
    assert [event["values"]["target"] for event in night.events("settled")] == [20000.0, 290.0, 0.0]
    assert len(night.said("paused")) == 2


def test_an_extension_asked_in_a_pause_is_heeded_there_and_measured(night: AskedNight) -> None:
    night.sequence = steps(MEASURE)
    night.ask(300.0, "pause", who="one")
    night.ask(302.5, "extend", who="one", quantity="temperature", end=289.0)
    night.ask(305.0, "resume", who="another")
    outcome = night.run()
    assert outcome.status == "finished"
    assert night.delay(302.5, "extended") <= HEEDED_S
    assert "one" in night.said("extended")[0]
    assert night.night.runs[0].current["Temperature (K)"].min() < 289.7
    assert night.said("request")[-1] == "resume asked by another"


@pytest.mark.parametrize(
    ("measured", "values", "told"),
    [
        ("a sweep", {"quantity": "field", "end": 1e4}, "goes along a temperature"),
        ("a sweep", {"quantity": "temperature", "end": 299.0}, "beyond"),
        ("a sweep", {"quantity": "temperature", "end": 500.0}, "is outside"),
        ("a sweep", {"quantity": "temperature", "end": "far"}, "is no new end"),
        ("a wait", {"quantity": "temperature", "end": 280.0}, "nothing is measured at the moment"),
    ],
)
def test_an_extension_that_cannot_be_is_told_and_changes_nothing(
    night: AskedNight, measured: str, values: dict[str, Any], told: str
) -> None:
    night.sequence = steps(BUSY[measured])
    night.ask(300.0, "extend", **values)
    assert night.run().status == "finished"
    (refused,) = night.said("extend_refused")
    assert "extend asked by a test" in refused
    assert told in refused


ISOTHERM = """
  - isotherms:
      temperature: 300 K
      field: [0 Oe, 200 Oe, 400 Oe]
      current: 100 uA
"""


@pytest.mark.parametrize("then", ["resume", "stop"])
def test_after_a_pause_the_next_setpoint_is_approached_again_and_each_is_measured_once(
    night: AskedNight, then: RequestKind
) -> None:
    night.sequence = steps(ISOTHERM)
    asked = iter([Request("pause", "a test")])

    def after(count: int, running: NightThread) -> None:
        if count == 2 and (request := next(asked, None)):
            night.ask(running.clock.now() + 5.0, then)  # the only one planned
            running.requests.post(request)

    night.after_point = after
    assert night.run().status == {"resume": "finished", "stop": "stopped"}[then]
    (run,) = night.night.runs
    found = list(run.current["Field setpoint (Oe)"])
    if then == "stop":
        assert found == [0, 200]
        assert run.status == "stopped"
        return
    assert found == [0, 200, 400, 400, 200, 0]
    assert sorted(set(run.data["Attempt"])) == [1, 2]
    taken_up = night.events("taken_up")[0]["t"]
    approached = [e["values"]["target"] for e in night.events("settled") if e["t"] > taken_up]
    assert 400.0 in approached
    assert "pause asked by a test" in run.manifest["attempts"][1]["reason"]


@pytest.mark.parametrize("end", [1000.0, 900.0])
def test_a_list_of_fields_is_extended_by_its_own_step(night: AskedNight, end: float) -> None:
    night.sequence = steps(ISOTHERM)
    asked = iter([Request("extend", "a test", {"quantity": "field", "end": end})])

    def after(count: int, running: NightThread) -> None:
        if count == 2 and (request := next(asked, None)):
            running.requests.post(request)

    night.after_point = after
    night.run()
    found = list(night.night.runs[0].current["Field setpoint (Oe)"])
    up = [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0][: 6 if end == 1000.0 else 5]
    assert found == [*up, *reversed(up)]


# -- two at once


@pytest.mark.parametrize(
    ("kinds", "status", "wins"),
    [
        (("pause", "stop"), "stopped", "stop"),
        (("stop", "pause"), "stopped", "stop"),
        (("stop", "abort"), "aborted", "abort"),
        (("abort", "stop"), "aborted", "abort"),
        (("stop", "stop"), "stopped", "stop"),
        (("skip", "stop"), "stopped", "stop"),
        (("skip", "abort", "pause"), "aborted", "abort"),
    ],
)
def test_of_two_requests_at_once_the_stronger_wins_and_both_are_recorded(
    night: AskedNight, kinds: tuple[RequestKind, ...], status: str, wins: str
) -> None:
    night.sequence = steps(BUSY["a wait"])
    night.ask(100.0, *kinds)
    outcome = night.run()
    assert outcome.status == status
    assert outcome.message == f"{wins} asked by a test"
    assert night.said("request") == [f"{kind} asked by a test" for kind in kinds]


def test_a_skip_and_a_pause_leave_the_step_out_and_pause_before_the_next(night: AskedNight) -> None:
    night.sequence = steps("  - wait: 10 min\n  - set_temperature: {to: 250 K, wait: false}\n")
    night.ask(100.0, "skip", "pause")
    messages: list[str] = []
    night.listen(lambda message, _: messages.append(message))
    night.at(103.0, lambda: messages.append("now"))
    night.ask(104.0, "resume")
    assert night.run().status == "finished"
    assert [step["status"] for step in night.night.manifest["steps"]] == ["skipped", "finished", "finished"]
    set_to_250 = [message.startswith("TEMP 250") for message in messages]
    assert any(set_to_250)
    assert not any(set_to_250[: messages.index("now")])
    assert night.delay(100.0, state="paused") <= HEEDED_S


def test_a_pause_asked_twice_is_resumed_once(night: AskedNight) -> None:
    night.sequence = steps(BUSY["a wait"])
    night.ask(100.0, "pause", "pause")
    night.ask(103.0, "resume")
    assert night.run().status == "finished"
    assert len(night.said("paused")) == 1
    assert night.said("request_refused") == []


def test_a_resume_that_meets_nothing_does_not_answer_what_comes_later(night: AskedNight) -> None:
    night.sequence = steps(BUSY["a wait"])
    night.ask(100.0, "resume")
    too_early = iter([Request("acknowledge", "a test")])  # in the midst of the reading that finds the fault

    def heard(message: str, t: float) -> None:
        if t > 150.0 and message.startswith("GETDAT") and (request := next(too_early, None)):
            night.lab().magnet.force_status(15, t)
            night.running.requests.post(request)

    night.listen(heard)
    night.ask(300.0, "resume")
    night.at(305.0, lambda: night.lab().magnet.force_status(1, 305.0))
    night.ask(310.0, "acknowledge", who="somebody who looked")
    night.ask(313.0, "resume", who="somebody who looked")
    outcome = night.run()
    assert outcome.status == "finished", outcome.message
    assert night.delay(305.0, state="running") >= 8.0
    assert [text.split(":")[0] for text in night.said("request_refused")] == [
        "resume asked by a test",
        "acknowledge asked by a test",
        "resume asked by a test",
    ]
