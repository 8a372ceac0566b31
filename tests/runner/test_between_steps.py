"""What must not pass from one step or curve to another: a run, a count of breaks, a current, an end."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import CommunicationError, StorageError
from onnes.instruments.records import Point
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.runner.night_thread import NightThread
from onnes.runner.requests import Request
from onnes.storage.manifest import Manifest
from onnes.storage.run import RUN_MANIFEST, RunFolder
from tests.runner.bad_night import BadNight, demo_night
from tests.runner.test_engine import SEQUENCE

_ISOTHERM = SEQUENCE.partition("steps:\n")[2]


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    return demo_night(tmp_path, monkeypatch)


def test_a_run_whose_last_line_is_written_late_takes_no_point_from_the_next_step(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = Manifest.write, [StorageError("no space left on the disk")]

    def full(self: Manifest) -> None:
        if self.path.name == RUN_MANIFEST and self.entries["status"] == "finished" and failures:
            raise failures.pop()
        write(self)

    monkeypatch.setattr(Manifest, "write", full)
    night.sequence = SEQUENCE + _ISOTHERM
    assert night.run().status == "finished"
    assert [len(run.current) for run in night.night.runs] == [6, 6]


def test_a_step_that_gets_on_between_its_breaks_has_not_failed_because_the_one_before_came_further(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields, more = "[0 Oe, 200 Oe, 400 Oe]", "[0 Oe, 1000 Oe, 2000 Oe, 3000 Oe, 4000 Oe, 5000 Oe]"
    night.sequence = SEQUENCE + _ISOTHERM.replace(f"{fields}\n", f"{more}\n      both_directions: false\n")
    close, points, attempts = RunFolder.close, ResistanceVsField.points, itertools.count(1)

    def close_and_pause(self: RunFolder, status: str) -> None:
        close(self, status)
        if self.path.name.startswith("01"):
            night.post("pause")
            night.the_lab.at(night.the_lab.clock.now() + 60.0, lambda _: night.post("resume"))

    def broken_off(self: ResistanceVsField, *arguments: Any, **named: Any) -> Any:
        breaks = 1 < next(attempts) < 7
        for item in points(self, *arguments, **named):
            yield item
            if breaks and isinstance(item, Point):
                raise CommunicationError("a cable hangs loose")

    monkeypatch.setattr(RunFolder, "close", close_and_pause)
    monkeypatch.setattr(ResistanceVsField, "points", broken_off)
    outcome = night.run()
    assert (outcome.status, outcome.message) == ("finished", "")
    assert night.reasons() == ["link"] * 5


def test_a_source_that_answers_again_goes_to_zero_before_the_night_goes_on(night: BadNight) -> None:
    night.fault("drop", "k6221", at=300.0, until=345.0)
    assert night.finished_with_each_setpoint_once(night.run())
    on_again = night.when("held")
    told = [t for t, to, message in night.sent if to == "k6221" and message == "OUTPut 0" and t > 300.0]
    assert told[0] < on_again


def test_a_skip_leaves_no_current_on_where_the_source_did_not_hear_of_it(night: BadNight) -> None:
    night.sequence = SEQUENCE + "  - wait: 10 min\n"
    night.fault("drop", "k6221", at=299.0, until=335.0)
    night.ask(300.0, "skip")
    assert night.run().safe
    assert night.the_lab.clock.now() > 900.0
    assert night.off_at(500.0)


def test_an_extension_leaves_the_setpoints_of_the_isotherms_before_as_they_were_measured(
    night: BadNight,
) -> None:
    night.sequence = SEQUENCE.replace(
        "temperature: 300 K", "temperature: [300 K, 299 K, 298 K]\n      order: as_written"
    )
    ends = {7: 600.0, 15: 800.0}  # in the second and in the third isotherm

    def extend(count: int, running: NightThread) -> None:
        if (end := ends.pop(count, None)) is not None:
            running.requests.post(Request("extend", "a test", {"quantity": "field", "end": end}))

    night.after_point = extend
    assert night.run().status == "finished"
    run = night.first_run
    planned = [setpoint["field_oe"] for setpoint in run.manifest["setpoints"]]
    assert planned == night.setpoints
    assert max(planned[:6]) == 400
    assert max(planned[6:14]) == 600
    assert max(planned[14:]) == 800
    assert night.shown[-1].points == len(planned)
