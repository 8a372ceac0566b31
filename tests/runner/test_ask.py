"""What a person asks of a night from another terminal, and what is said of it before and after."""

import re
from collections.abc import Callable

import pytest

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner.ask import EFFECTS, WAIT_S, AskedAnswer, ask, ask_resume, new_end, night_to_ask
from onnes.runner.find_night import RUNS
from onnes.runner.night_state import STALE_S, NightState, judge
from onnes.storage.request_box import Asked, Kind, RequestBox
from tests.runner.conftest import OpenNight


class Runner:
    """A runner that looks at its requests whenever the one who waits lets wall time pass."""

    def __init__(self, night: OpenNight, monkeypatch: pytest.MonkeyPatch) -> None:
        self.night = night
        self.box = RequestBox(night.path, night.wall)
        self.taken: list[Asked] = []
        self.does: Callable[[Asked], object] = lambda _: None
        self._sleep = night.wall.sleep
        monkeypatch.setattr(night.wall, "sleep", self._look)

    def state(self) -> NightState:
        return judge(self.night.path, self.night.wall)

    def _look(self, seconds: float) -> None:
        self._sleep(seconds)
        for asked in self.box.take():
            assert isinstance(asked, Asked)
            self.taken.append(asked)
            self.does(asked)


@pytest.fixture
def runner(open_night: OpenNight, monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(open_night, monkeypatch)


def asked(runner: Runner, kind: Kind = "pause") -> AskedAnswer:
    return ask(runner.state(), kind, runner.night.wall)


def messages(answer: AskedAnswer) -> list[str]:
    found: list[str] = answer.as_json()["messages"]
    return found


def test_a_request_is_said_beforehand_taken_and_waited_for(runner: Runner) -> None:
    said: list[str] = []
    runner.does = lambda _: runner.night.state(state="paused")
    answer = ask(runner.state(), "pause", runner.night.wall, say=said.append)
    assert said == [
        "pause, night 1 (SIMULATED):",
        "  source      the point is finished, then ramped to 0",
        "  field       held",
        "  temperature setpoint held where it is",
        "  queue       paused; the queue waits",
    ]
    assert [(request.kind, request.values) for request in runner.taken] == [("pause", {})]
    assert re.fullmatch(r"\S+ on \S+", runner.taken[0].who)
    assert (answer.heard, answer.night.state, answer.exit_code) == (True, "paused", 0)
    assert messages(answer) == [
        "night 1 was asked to pause, and has heard it",
        "SIMULATED  paused, step 2 of 3, point 3 of 5",
    ]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (
            "stop",
            ["  MultiVu     its sequence is not stopped from here"],
        ),
        ("pause", ["  MultiVu     while it measures it cannot be held from here, and a pause is refused"]),
        ("helium_fill", ["  MultiVu     while it measures it goes on, and its points are marked"]),
        ("extend", []),
    ],
)
def test_multivu_that_has_a_sequence_is_said_to_go_on_with_it(
    runner: Runner, kind: Kind, says: list[str]
) -> None:
    step = {"number": 1, "name": "zfc_fc 50Oe", "status": "running", "handed_over": 1}
    runner.night.edit(steps=[step])
    said: list[str] = []
    ask(runner.state(), kind, runner.night.wall, wait_s=0.0, say=said.append)
    assert [line.partition(", and field")[0] for line in said if "MultiVu" in line] == says


@pytest.mark.parametrize(
    ("kind", "state"),
    [("stop", "stopping"), ("stop", "stopped"), ("abort", "aborted"), ("resume", "running")],
)
def test_the_wait_ends_when_the_night_does_what_it_was_asked(runner: Runner, kind: Kind, state: str) -> None:
    runner.night.state(state="paused")

    def does(_: Asked) -> None:
        if state in ("stopped", "aborted"):
            runner.night.edit(status=state, safe_state_confirmed=True)
        else:
            runner.night.state(state=state)

    runner.does = does
    answer = asked(runner, kind)
    assert answer.night.state == state
    assert runner.night.wall.now() < WAIT_S


def test_a_request_without_a_state_of_its_own_waits_for_the_event_that_answers_it(runner: Runner) -> None:
    runner.does = lambda _: runner.night.folder.event(
        "request", "skip: step 2 is skipped", {}, runner.night.wall
    )
    answer = asked(runner, "skip")
    assert messages(answer)[1] == "00:00:00 UTC  request: skip: step 2 is skipped"


def test_a_request_that_the_night_refuses_has_exit_code_2(runner: Runner) -> None:
    runner.does = lambda _: runner.night.folder.event(
        "extend_refused", "extend asked by me: no new end", {}, runner.night.wall
    )
    assert asked(runner, "extend").exit_code == 2


def test_a_runner_that_does_not_look_is_told_and_not_waited_for_long(open_night: OpenNight) -> None:
    RequestBox(open_night.path, open_night.wall)
    answer = ask(judge(open_night.path, open_night.wall), "stop", open_night.wall)
    assert open_night.wall.now() == pytest.approx(WAIT_S)
    assert answer.heard is False
    assert "has not heard it yet: it looks between two transactions" in messages(answer)[0]


def test_a_request_that_is_heard_and_not_carried_out_is_shown_by_the_state(runner: Runner) -> None:
    answer = asked(runner, "stop")
    assert (answer.heard, answer.night.state) == (True, "running")


def test_without_waiting_it_returns_at_once(runner: Runner) -> None:
    answer = ask(runner.state(), "stop", runner.night.wall, wait_s=0.0)
    assert (answer.heard, runner.night.wall.now()) == (None, 0.0)
    assert messages(answer) == ["night 1 was asked to stop"]


@pytest.mark.parametrize("kind", EFFECTS)
def test_each_request_says_what_it_does_and_is_one_that_a_runner_takes(runner: Runner, kind: Kind) -> None:
    asked(runner, kind)
    assert [request.kind for request in runner.taken] == [kind]
    assert all(EFFECTS[kind])


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({"status": "finished"}, "it is finished"),
        ({"status": "stopped"}, "it is stopped"),
        ({}, "it crashed; onnes resume 1"),
    ],
)
def test_a_night_that_nobody_runs_is_not_asked(
    open_night: OpenNight, entries: dict[str, str], why: str
) -> None:
    open_night.edit(**entries)
    open_night.wall.sleep(STALE_S + 1)
    night = judge(open_night.path, open_night.wall)
    with pytest.raises(
        ConfigurationError, match=f"^night 1 cannot be asked to helium fill: {why}; nothing was sent$"
    ):
        ask(night, "helium_fill", open_night.wall)


def test_a_night_without_a_letter_box_is_an_error(open_night: OpenNight) -> None:
    with pytest.raises(StorageError, match="cannot post stop"):
        ask(judge(open_night.path, open_night.wall), "stop", open_night.wall)


@pytest.mark.parametrize("state", ["paused", "suspended"])
def test_a_paused_or_suspended_night_is_asked_to_go_on(runner: Runner, state: str) -> None:
    runner.night.state(state=state)
    runner.does = lambda _: runner.night.state(state="running")
    assert ask_resume(runner.state(), runner.night.wall).night.state == "running"


def test_a_night_that_runs_is_not_asked_to_go_on(runner: Runner) -> None:
    with pytest.raises(
        ConfigurationError, match="night 1 is running, not paused; there is nothing to resume"
    ):
        ask_resume(runner.state(), runner.night.wall)


def test_without_a_name_the_live_night_is_asked_and_with_one_that_night(open_night: OpenNight) -> None:
    for text in (None, "1"):
        assert night_to_ask(text, RUNS, open_night.wall).call == "1"


@pytest.mark.parametrize(
    ("text", "quantity", "end"),
    [
        ("60 K", "temperature", 60.0),
        ("500 mK", "temperature", 0.5),
        ("2 T", "field", 20000.0),
        ("-5 Oe", "field", -5.0),
    ],
)
def test_a_new_end_is_a_temperature_or_a_field(text: str, quantity: str, end: float) -> None:
    assert new_end(text) == {"quantity": quantity, "end": end, "text": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60", "'60' has no unit; expected a temperature; e.g. '60 K'; or a field, e.g. '2 T'; quotes keep"),
        ("3 mA", "'3 mA' is a current"),
        ("nan K", "'nan K' is not a finite number"),
        ("", "'' is not a number with a unit"),
    ],
)
def test_what_is_no_end_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}"):
        new_end(text)
