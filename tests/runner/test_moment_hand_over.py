"""What is in the hands of MultiVu when a runner ends at that line, or the share takes nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.moments import HandedOver, MomentProgram
from onnes.instruments.sequence_route import SequenceRoute
from onnes.runner.requests import Request
from tests.runner.moment_night import MomentNight, moment_night
from tests.runner.test_moment_bad_days import IN_ZFC, ZFC_FC, away, shared  # noqa: F401 - a fixture


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    """A night of a machine that only its sequence sets."""
    return moment_night(tmp_path / "night", monkeypatch)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    """A night of a machine whose MultiVu server is asked beside the sequence."""
    return moment_night(tmp_path / "served", monkeypatch, served=True)


def test_a_name_is_noted_on_the_disk_before_a_file_of_that_name_is_written(
    night: MomentNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[list[int]] = []

    def killed(self: SequenceRoute, programs: Sequence[MomentProgram]) -> HandedOver:
        (manifest,) = night.folder.glob("runs/*/2*/night.json")
        steps = json.loads(manifest.read_text(encoding="utf-8"))["steps"]
        noted.append([step.get("handed_over", 0) for step in steps])
        return _HAND_OVER(self, programs)

    monkeypatch.setattr(SequenceRoute, "hand_over", killed)
    assert night.run().exit_code == 0
    assert noted == [[1, 1]]


_HAND_OVER = SequenceRoute.hand_over


def test_a_night_taken_up_sets_nothing_while_the_sequence_of_the_runner_before_may_go_on(
    served: MomentNight,
) -> None:
    served.ask(IN_ZFC, "stop")
    assert served.run().status == "stopped"
    with served.taking_up(served.night.path) as again:
        again.requests.post(Request("stop", "a test"))
        again.start()
        assert again.wait(60)
        outcome = again.outcome()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("stopped", False, 5), outcome
    assert "finish not reached: MultiVu may go on with its sequence" in outcome.message
    assert "_01_zfc-fc_a1.seq, " in outcome.message
    assert "_02_magnetization-virgin_a1.seq, which sets temperature and field" in outcome.message
    assert served.set == []


def test_a_sequence_whose_rows_are_all_stored_is_no_master_of_a_night_taken_up(served: MomentNight) -> None:
    served.at(7655.0, lambda _: served.post("abort"))  # on the way to the finish
    assert served.run().status == "aborted"
    path = served.night.path / "night.json"
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert [step["status"] for step in manifest["steps"]] == ["finished", "finished"]
    manifest["steps"][1]["status"] = "running"  # so a runner leaves it that is killed after the run is closed
    path.write_text(json.dumps(manifest), encoding="utf-8")
    outcome = served.take_up(path.parent)
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome


def test_a_night_taken_up_on_the_way_to_the_finish_is_safe_only_where_multivu_has_come_there(
    night: MomentNight,
) -> None:
    night.at(7655.0, lambda _: night.post("abort"))
    assert night.run().status == "aborted"
    path = night.night.path
    (file,) = (night.multivu / "data").glob("*_02_finish_a1.dat")
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rstrip().rindex(b"\n") + 1])  # as it was before MultiVu came there
    outcome = night.take_up(path)  # in a lab whose MultiVu does nothing
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", False, 5), outcome
    assert f"finish not reached: {file} has stopped growing" in outcome.message
    file.write_bytes(whole)
    outcome = night.take_up(path)
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0), outcome


def test_a_share_that_is_away_at_the_hand_over_is_waited_for(
    shared: MomentNight,  # noqa: F811 - the fixture
) -> None:
    shared.sequence = shared.sequence.replace("steps:\n", "steps:\n  - wait: 5 min\n")
    away(shared, 100.0, 600.0)
    outcome = shared.run()
    assert outcome.exit_code == 0, outcome
    assert list(shared.first_run.current["Temperature setpoint (K)"]) == ZFC_FC
    assert shared.when("hand_over") > 600.0
    assert shared.reasons() == ["link"]


def test_a_share_that_takes_nothing_is_tried_some_times_and_is_no_fault_of_our_disk(
    night: MomentNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.parent.name == "sequences":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3), outcome
    assert (
        "the sequences cannot be written: No space left on device; nothing was handed over" in outcome.message
    )
    assert set(night.reasons()) == {"link"}
    assert list((night.multivu / "sequences").iterdir()) == []
