"""What people ask of a night while MultiVu measures: in each phase, and nothing is set behind its back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from onnes.runner.requests import Request, RequestKind
from onnes.sim.lab import VirtualLab
from tests.runner.moment_night import MomentNight, moment_night
from tests.runner.test_moment_bad_days import BETWEEN, IN_FCC, IN_VIRGIN, IN_ZFC, PREPARING, is_whole

WAITING = 40.0  # for somebody to start it
MakeNight = Callable[[str], MomentNight]


@pytest.fixture
def night_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeNight:
    """Return a night of a machine that only its sequence sets, or of one that is served, too."""
    return lambda how: moment_night(tmp_path / "night", monkeypatch, served=how == "served")


def nothing_was_set_while_multivu_might_go_on(night: MomentNight) -> None:
    since, runs = night.when("hand_over"), night.sequence_ran()
    until = runs[-1][1] if runs else float("inf")
    assert [sent for sent in night.set if since <= sent.t < until] == []


@pytest.mark.parametrize(
    ("how", "kind", "at"),
    [
        *(("alone", "stop", at) for at in (WAITING, PREPARING, IN_ZFC, BETWEEN, IN_VIRGIN)),
        ("alone", "abort", IN_FCC),
        ("served", "stop", PREPARING),
        ("served", "abort", IN_ZFC),
    ],
)
def test_a_stop_and_an_abort_act_at_once_and_say_that_multivu_may_go_on(
    night_of: MakeNight, how: str, kind: RequestKind, at: float
) -> None:
    night = night_of(how)
    night.ask(at, kind)
    outcome = night.run()
    status = {"stop": "stopped", "abort": "aborted"}[kind]
    assert (outcome.status, outcome.safe, outcome.exit_code) == (status, False, 5), outcome
    assert ("finish not reached" in outcome.message) is (kind == "stop")
    assert at <= night.when("safe_state_failed") <= at + 1.5  # a slice and a transaction
    said = night.said("safe_state_failed")[0]
    assert "MultiVu may go on with its sequence" in said
    assert said.endswith("; stop it there")
    assert night.set == []
    assert len(night.starts()) == (0 if at == WAITING else 1)  # withdrawn, unless it was started


def test_a_pause_before_somebody_has_started_it_withdraws_the_start(night_of: MakeNight) -> None:
    night = night_of("alone")
    night.ask(WAITING, "pause")
    night.ask(WAITING + 300.0, "resume")
    outcome = night.run()
    assert outcome.exit_code == 0, outcome
    is_whole(night, all_were_seen=False)
    assert len(night.said("paused")) == len(night.said("hold_failed")) == 1
    assert "stop what MultiVu still does of this night first" in night.said("hand_over")[1]
    nothing_was_set_while_multivu_might_go_on(night)


@pytest.mark.parametrize(("how", "at"), [("alone", PREPARING), ("alone", BETWEEN), ("served", IN_ZFC)])
def test_a_pause_while_multivu_measures_is_refused_and_costs_nothing(
    night_of: MakeNight, how: str, at: float
) -> None:
    night = night_of(how)
    night.ask(at, "pause")
    outcome = night.run()
    assert outcome.exit_code == 0, outcome
    is_whole(night)
    assert len(night.said("hand_over")) == 1
    (refused,) = night.said("request_refused")
    assert refused.startswith("pause asked by a test: MultiVu measures by its own sequence")
    assert not night.said("paused")


@pytest.mark.parametrize("how", ["alone", "served"])
def test_points_of_a_helium_fill_are_marked_while_multivu_measures(night_of: MakeNight, how: str) -> None:
    night = night_of(how)
    night.ask(IN_ZFC, "helium_fill")
    night.ask(IN_FCC, "helium_fill")
    outcome = night.run()
    assert outcome.exit_code == 0, outcome
    is_whole(night)
    flags = night.first_run.current["Flags"].fillna("").tolist()
    marked = [place for place, flag in enumerate(flags) if flag == "helium_fill"]
    assert marked
    assert marked == list(range(marked[0], marked[-1] + 1))
    assert marked[0] > 0
    assert marked[-1] < len(flags) - 1
    assert not night.said("suspended")


@pytest.mark.parametrize(("how", "at"), [("alone", WAITING), ("served", IN_FCC)])
def test_a_skip_leaves_the_step_out_and_hands_over_the_rest(night_of: MakeNight, how: str, at: float) -> None:
    night = night_of(how)
    night.ask(at, "skip")
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("finished", 0), outcome
    assert [step["status"] for step in night.night.manifest["steps"]] == ["skipped", "finished"]
    assert [run.status for run in night.night.runs] == ["stopped", "finished"]
    nothing_was_set_while_multivu_might_go_on(night)


@pytest.mark.parametrize("how", ["alone", "served"])
def test_after_a_skip_of_the_last_step_the_finish_is_left_to_multivu(night_of: MakeNight, how: str) -> None:
    night = night_of(how)
    night.ask(IN_VIRGIN, "skip")
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 5), outcome
    assert outcome.message.startswith("finish not reached: ")
    assert night.set == []


def test_who_has_stopped_the_sequence_and_says_so_lets_the_next_step_set(night_of: MakeNight) -> None:
    night = night_of("served")
    before, _ = night.sequence.split("  - magnetization")
    night.sequence = before + "  - set_temperature: {to: 20 K}\n"
    night.ask(IN_FCC, "skip")
    stopped_at = IN_FCC + 300.0

    def stopped(lab: VirtualLab) -> None:
        assert lab.sequencer is not None
        lab.sequencer.stop(lab.now(), "somebody stopped it")
        night.post("acknowledge", "resume")

    night.at(stopped_at, stopped)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome
    (told,) = night.said("suspended")
    assert told.startswith("MultiVu may go on with its sequence ")
    assert "mpms set no temperature: wait until all moments have come, or stop it there; when it is" in told
    assert [sent.message for sent in night.set] == [
        "TEMP 20.0,10.0,0",
        "TEMP 10.0,10.0,0",
        "FIELD 0.0,700.0,2,1",
    ]
    assert min(sent.t for sent in night.set) >= stopped_at


def test_an_extension_is_refused_and_changes_nothing(night_of: MakeNight) -> None:
    night = night_of("alone")
    asked = Request("extend", "a test", {"quantity": "temperature", "end": 60.0, "text": "60 K"})
    night.at(IN_FCC, lambda _: night.running.requests.post(asked))
    assert night.run().exit_code == 0
    is_whole(night)
    assert "extended to 60: MultiVu runs it as it was handed over" in night.said("extend_refused")[0]
    nothing_was_set_while_multivu_might_go_on(night)


# -- who is at the window of MultiVu


def test_a_setpoint_of_somebody_else_is_seen_while_no_program_runs(night_of: MakeNight) -> None:
    night = night_of("served")
    night.sequence = night.sequence.replace(
        "steps:\n", "steps:\n  - set_temperature: {to: 290 K}\n  - wait: 30 min\n"
    )
    night.fault("foreign_setpoint", at=900.0, count=1, temperature_k=250.0)
    night.ask(1200.0, "resume")
    outcome = night.run()
    assert outcome.exit_code == 0, outcome
    assert night.reasons() == ["foreign_setpoint"]
    assert "250" in night.said("suspended")[0]
    assert night.when("suspended") <= 920.0
