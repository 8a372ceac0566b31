"""What becomes of a step that fails: tried again, left out, or the end of the night in good order."""

import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from onnes.instruments.errors import LimitError
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.ppms import PPMS
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.runner.engine import RunEngine
from tests.runner.asked_night import HEAD, AskedNight

MEASURED = """
  - isotherms:
      temperature: 300 K
      field: [0 Oe, 200 Oe, 400 Oe]
      current: 100 uA
"""


@pytest.fixture
def night(tmp_path: Path) -> AskedNight:
    package = files("onnes.runner")
    for name in ("station", "sample"):
        text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return AskedNight(tmp_path)


def steps(text: str, around: str = "") -> str:
    return f"{HEAD}finish: {{field: 0 Oe}}\n{around}steps:\n{text.lstrip(chr(10))}"


def statuses(night: AskedNight) -> list[str]:
    return [step["status"] for step in night.night.manifest["steps"]]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the field measurement raise at the given attempts, counted over the night, after one point each."""

    def fail(*attempts: int, error: Exception | None = None) -> None:
        points, count = ResistanceVsField.points, [0]

        def spoiled(self: ResistanceVsField, *arguments: Any, **named: Any) -> Any:
            count[0] += 1
            fails = count[0] in attempts
            for item in points(self, *arguments, **named):
                yield item
                if fails and hasattr(item, "resistance"):
                    raise error or ZeroDivisionError("a mistake of ours")

        monkeypatch.setattr(ResistanceVsField, "points", spoiled)

    return fail


def test_a_queue_goes_on_after_a_step_that_raises_and_the_night_says_which_failed(
    night: AskedNight, failing: Callable[..., None]
) -> None:
    night.sequence = steps(MEASURED * 4, "on_error: skip\n")
    failing(2)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert statuses(night) == ["finished", "failed", "finished", "finished"]
    assert [run.status for run in night.night.runs] == ["finished", "failed", "finished", "finished"]
    assert [len(run.current) for run in night.night.runs] == [6, 1, 6, 6]
    assert outcome.message.startswith("1 of 4 steps failed and the night went on: step 2 (isotherms")
    (event,) = night.events("step_failed")
    assert "\n" not in event["message"]
    assert "ZeroDivisionError: a mistake of ours" in event["message"]
    assert "Traceback" in event["values"]["traceback"]


def test_a_step_is_tried_again_in_lab_time_and_its_attempts_are_numbered(
    night: AskedNight, failing: Callable[..., None]
) -> None:
    night.sequence = steps(MEASURED, "on_error: {retry: 2, wait: 5 min, then: safe_stop}\n")
    failing(1, 2)
    outcome = night.run()
    assert outcome.status == "finished", outcome.message
    (run,) = night.night.runs
    assert [attempt["attempt"] for attempt in run.manifest["attempts"]] == [1, 2, 3]
    assert list(run.current["Field setpoint (Oe)"]) == [0, 200, 400, 400, 200, 0]
    retries = [float(event["t"]) for event in night.events("step_retry")]
    again = [float(event["t"]) for event in night.events("taken_up")]
    assert all(300.0 <= after - before <= 305.0 for before, after in zip(retries, again, strict=True))
    assert "try 1 of 2 again in 300 s" in night.said("step_retry")[0]


@pytest.mark.parametrize(
    ("policy", "status", "steps_are"),
    [
        ("{retry: 1, wait: 1 min, then: skip}", "failed", ["failed", "finished"]),
        ("{retry: 1, wait: 1 min, then: safe_stop}", "failed", ["failed", "queued"]),
        ("safe_stop", "failed", ["failed", "queued"]),
        ("skip", "failed", ["failed", "finished"]),
    ],
)
def test_after_its_tries_a_step_is_skipped_or_stops_the_night_in_good_order(
    night: AskedNight, policy: str, status: str, steps_are: list[str]
) -> None:
    night.sequence = steps(
        "  - set_temperature: {to: 250 K, wait: false}\n"
        "    on_error: safe_stop\n"
        f"  - wait: {{stable: [temperature], timeout: 1 s}}\n    on_error: {policy}\n"
        "  - wait: 1 s\n"
    )
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == (status, 3)
    assert statuses(night) == ["finished", *steps_are]
    assert "not settled" in outcome.message
    assert len(night.events("step_retry")) == policy.count("retry")
    assert night.events("settled")[-1]["values"]["target"] == 0.0  # finish runs
    if "safe_stop" in policy:
        assert "its on_error is safe_stop" in outcome.message


def test_a_limit_is_never_tried_again(night: AskedNight, failing: Callable[..., None]) -> None:
    night.sequence = steps(MEASURED, "on_error: {retry: 3, then: skip}\n")
    failing(1, 2, error=LimitError("current = 2 A is outside [0, 1] A, the station"))
    assert night.run().status == "failed"
    assert night.events("step_retry") == []
    assert len(night.events("step_failed")) == 1


def test_a_step_that_outlasts_its_time_limit_has_failed_and_a_pause_does_not_count(night: AskedNight) -> None:
    night.sequence = steps(
        "  - wait: 10 min\n    time_limit: 5 min\n    on_error: {retry: 3, then: skip}\n"
        "  - wait: 10 s\n    time_limit: 30 s\n"
    )
    night.ask(305.0, "pause")
    night.ask(345.0, "resume")
    assert night.run().status == "failed"
    assert statuses(night) == ["failed", "finished"]
    assert "longer than its time_limit" in night.said("step_failed")[0]
    assert night.events("step_retry") == []


@pytest.mark.parametrize(("driver", "name"), [(PPMS, "ppms"), (Keithley2182A, "k2182a")])
def test_an_instrument_whose_safe_state_raises_keeps_no_other_from_its_own(
    night: AskedNight, monkeypatch: pytest.MonkeyPatch, driver: type, name: str
) -> None:
    night.sequence = steps("  - wait: 1 s\n")
    monkeypatch.setattr(driver, "safe_state", Mock(side_effect=RuntimeError("a mistake of ours")))
    outcome = night.run()
    assert (outcome.safe, outcome.exit_code) == (False, 5)
    confirmed = {event["values"]["instrument"] for event in night.events("safe_state")}
    assert confirmed == {"ppms", "k6221", "k2182a"} - {name}
    assert any("RuntimeError: a mistake of ours" in text for text in night.said("safe_state_failed"))


# -- whoever watches


def test_a_second_thread_that_asks_an_instrument_gets_an_error_and_the_night_its_points(
    night: AskedNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    stations: list[Any] = []
    make = RunEngine.__init__

    def keep(self: RunEngine, plan: Any, station: Any, *arguments: Any, **named: Any) -> None:
        stations.append(station)
        make(self, plan, station, *arguments, **named)

    def ask_from_elsewhere() -> None:
        def ask() -> None:
            try:
                stations[0].thermostat.temperature()
            except RuntimeError as error:
                refused.append(str(error))

        thread = threading.Thread(target=ask, name="a display")
        thread.start()
        thread.join()

    monkeypatch.setattr(RunEngine, "__init__", keep)
    night.sequence = steps(MEASURED)
    for t in (50.0, 100.0, 150.0):
        night.at(t, ask_from_elsewhere)
    assert night.run().status == "finished"
    assert len(night.night.runs[0].current) == 6
    assert len(refused) == 3
    assert "belongs to the thread 'night'" in refused[0]
