"""Nights on which an instrument does not answer, answers nonsense, or loses a message."""

import math
from pathlib import Path

import pytest

from onnes.instruments.errors import CommunicationError
from onnes.sim.lab import VirtualLab
from tests.runner.bad_night import BadNight, demo_night
from tests.runner.test_engine import SEQUENCE

SWEEP = SEQUENCE.replace("[0 Oe, 200 Oe, 400 Oe]", "{sweep: 0 .. 2000 Oe, rate: 10 Oe/s, every: 2 s}")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    return demo_night(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("target", "at"),
    [("ppms", 100.0), ("ppms", 300.0), ("k6221", 100.0), ("k6221", 300.0), ("k2182a", 300.0)],
)
def test_thirty_seconds_of_silence_cost_no_setpoint(night: BadNight, target: str, at: float) -> None:
    night.fault("drop", target, at=at, until=at + 30.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert set(night.reasons()) <= {"link"}
    assert night.said("retry")


def test_silence_within_a_point_rejects_it_with_no_value_and_it_is_measured_again(night: BadNight) -> None:
    night.fault("drop", "k2182a", at=300.0, until=330.0)
    assert night.finished_with_each_setpoint_once(night.run())
    (row,) = night.rejected.to_dict("records")
    assert row["Flags"] == "link"
    assert math.isnan(row["Resistance (ohm)"])
    assert math.isnan(row["Voltage (V)"])
    assert "k2182a gave no usable answer" in row["Rejected"]
    assert night.reasons() == ["link"]


def test_what_answers_goes_to_zero_while_the_cryostat_is_silent(night: BadNight) -> None:
    night.fault("drop", "ppms", at=300.0, until=500.0)
    assert night.finished_with_each_setpoint_once(night.run())
    down = night.when("suspended")
    assert down < 330.0
    assert "OUTPut 0" in night.commands("OUTPut", since=300.0, until=down + 10.0)
    assert "OUTPut 1" not in night.commands("OUTPut", since=300.0, until=500.0)
    assert night.off_at(450.0)
    assert night.the_lab.journal[0].kind == "drop"


def test_a_source_that_was_silent_goes_to_zero_as_soon_as_it_answers(night: BadNight) -> None:
    night.fault("drop", "k6221", at=300.0, until=420.0)
    night.fault("drop", "k2182a", at=300.0, until=900.0)
    assert night.finished_with_each_setpoint_once(night.run())
    off = [t for t, to, message in night.sent if to == "k6221" and message == "OUTPut 0" and t > 300.0]
    assert 420.0 < off[0] < 480.0
    assert night.events("resumed")[0]["t"] > 900.0


def test_the_device_is_cleared_before_a_question_is_asked_again(night: BadNight) -> None:
    cleared: list[float] = []

    def listen(lab: VirtualLab) -> None:
        lab.instruments["ppms"].clear = cleared.append  # type: ignore[method-assign, assignment]

    night.plans.append(listen)
    night.fault("timeout", "ppms", "GETDAT*", at=240.0)
    assert night.finished_with_each_setpoint_once(night.run())
    struck = night.the_lab.journal[0].t
    again = next(t for t, _, message in night.sent if message.startswith("GETDAT") and t > struck)
    assert [t for t in cleared if struck < t < again]
    assert "did not answer" in night.said("retry")[0]


@pytest.mark.parametrize("kind", ["garbage", "stale", "partial", "timeout"])
def test_bad_replies_of_the_meter_give_no_wrong_number(night: BadNight, kind: str) -> None:
    night.fault(kind, "k2182a", at=250.0, every=40.0)  # type: ignore[arg-type]
    assert night.finished_with_each_setpoint_once(night.run())
    ohms = night.first_run.current["Resistance (ohm)"]
    assert ohms.max() - ohms.min() < 1e-3 * ohms.mean()


def test_a_silence_of_twenty_minutes_is_left_to_on_error_and_the_field_goes_home(night: BadNight) -> None:
    night.fault("drop", "ppms", at=300.0, until=1500.0)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    failed = night.when("step_failed")
    assert 300.0 + 900.0 <= failed <= 300.0 + 960.0
    assert "on_error is safe_stop" in outcome.message
    assert night.the_lab.magnet.setpoint()[0] == 0.0
    assert night.reasons() == ["link", "link"]  # of the step, and of the way to the finish
    assert night.setpoints == [0, 200]
    assert night.night.environment["Link age ppms (s)"].max() > 900.0
    row = night.night.environment[night.night.environment["Elapsed (s)"].between(500, 1400)].iloc[0]
    assert math.isnan(row["Temperature (K)"])
    assert row["Temperature state"] == "CommunicationError"


def test_on_error_skip_goes_on_with_the_next_step(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace("steps:", "on_error: skip\nsteps:") + "  - wait: 20 min\n"
    night.fault("drop", "k2182a", at=300.0, until=1400.0)
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert [step["status"] for step in night.night.manifest["steps"]] == ["failed", "finished"]
    assert night.first_run.status == "failed"
    assert night.night.environment["Output k6221"].iloc[-1] == "off"


@pytest.mark.parametrize("match", ["FIELD 400*", "FIELD 0 *"])
def test_a_setpoint_that_is_lost_on_the_wire_is_read_back_and_sent_once_more(
    night: BadNight, match: str
) -> None:
    night.fault("drop", "ppms", match, at=200.0, count=1)
    assert night.finished_with_each_setpoint_once(night.run())
    assert len([message for message in night.said("retry") if "FIELD" in message]) == 1


def test_silence_in_a_sweep_costs_no_curve(night: BadNight) -> None:
    night.sequence = SWEEP
    night.fault("drop", "ppms", at=300.0, until=340.0)
    outcome = night.run()
    assert outcome.status == "finished", outcome
    rows = night.first_run.current
    up = rows[rows["Curve"] == 1]["Field (Oe)"]
    assert (up.diff().dropna() > -1.0).all()  # but for the noise of the reading
    assert up.max() > 1990.0
    assert up.diff().max() < 50.0  # nothing is left out
    assert set(rows["Attempt"]) == {1, 2}
    assert not night.said("step_retry")


def test_a_wait_that_never_ends_times_out_and_is_left_to_on_error(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace("steps:", "on_error: {retry: 1}\nsteps:")
    night.fault("switch_heater_stuck", at=100.0)
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    said = night.said("step_retry")
    assert len(said) == 1
    for part in ("field not settled within 1 Oe of 200 Oe", "last reading", "slope", "state switch warming"):
        assert part in said[0]
    assert night.reasons() == ["retry"]
    assert night.setpoints == [0]
    assert any("switch warming" in message for message in night.said("waiting"))


def test_a_cryostat_that_is_silent_from_the_start_says_close_multivu(night: BadNight) -> None:
    night.fault("drop", "ppms", at=0.0, until=1e6)
    with pytest.raises(CommunicationError, match=r"is MultiVu running.* close it"):
        night.run()
    assert not list((night.folder / "runs").glob("*/*/night.json"))


def the_source_is_gone(lab: VirtualLab) -> None:
    lab.faults.add("drop", "k6221", at=lab.now(), until=1e6)


def test_a_safe_state_that_fails_is_loud_and_tried_again_and_exit_code_5(night: BadNight) -> None:
    night.at(300.0, the_source_is_gone)
    outcome = night.run()
    assert (outcome.safe, outcome.exit_code) == (False, 5)
    loud = night.said("safe_state_failed")
    assert len(loud) >= 5
    assert loud[0].startswith("SAFE STATE NOT CONFIRMED: k6221: ")
    times = [event["t"] for event in night.events("safe_state_failed")]
    assert times[-1] - times[0] > 200.0
    assert {event["values"]["instrument"] for event in night.events("safe_state")} == {"ppms", "k2182a"}
    assert night.night.manifest["safe_state_confirmed"] is False


def test_a_noisy_bus_costs_time_and_no_point(night: BadNight) -> None:
    night.fault("garbage", "*", at=100.0, p=0.05)
    night.fault("timeout", "*", at=100.0, p=0.02)
    assert night.finished_with_each_setpoint_once(night.run())
    assert len(night.said("retry")) > 10
