"""Nights on which a part of the cryostat is in a fault state, or the temperature runs away."""

from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.runner.breaks import FAULT_WATCH_S
from onnes.runner.ended_night import acknowledge_ended
from onnes.runner.night_state import judge
from onnes.runner.night_thread import NightThread
from onnes.runner.resume import left_night
from onnes.runner.virtual_night import prepared
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.reader import Night
from tests.runner.bad_night import BadNight, demo_night
from tests.runner.test_engine import SEQUENCE

HOLDS = SEQUENCE.replace(", temperature: 295 K}", "}")
MILD = HOLDS.replace("temperature: 300 K\n", "temperature: 299 K\n")  # so that a rate was asked for


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    return demo_night(tmp_path, monkeypatch)


def force(part: str, code: int | None) -> Any:
    return lambda lab: getattr(lab, part).force_status(code, lab.now())


# --- row 7


def test_after_a_quench_the_sources_are_off_and_no_field_command_is_sent(night: BadNight) -> None:
    told: list[tuple[str, str]] = []
    night.sequence = "notify: [suspended, failed]\n" + SEQUENCE
    night.fault("quench", at=350.0)

    def send(title: str, text: str) -> bool:
        told.append((title, text))
        return True

    with night.ready() as thread:
        thread.send = send
        thread.start()
        assert thread.wait(60)
        outcome = thread.outcome()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert night.commands("FIELD ", since=350.0) == []
    assert night.commands("TEMP ", since=350.0) == []
    assert night.commands("OUTPut", since=350.0, until=360.0)[-2:] == ["OUTPut 0", "OUTPut?"]
    assert night.reasons() == ["fault"]
    (end,) = night.events("fault")
    assert FAULT_WATCH_S <= end["t"] - night.when("suspended") <= FAULT_WATCH_S + 60.0
    log = night.night.environment
    assert len(log[log["Elapsed (s)"] > 360.0]) > 100  # it goes on being logged
    assert set(log[log["Elapsed (s)"] > 390.0]["Field state"]) == {"InstrumentFault"}
    assert night.setpoints == [0, 200, 400, 400, 200]
    assert any("magnet quenched" in text for _, text in told)
    assert night.night.manifest["fault"].startswith("magnet quenched")


def test_a_quench_that_is_acknowledged_and_resumed_costs_no_setpoint(night: BadNight) -> None:
    night.fault("quench", at=350.0, until=500.0)
    night.ask(450.0, "resume")  # too early: nobody has acknowledged it
    night.ask(600.0, "acknowledge")
    night.ask(600.0 + FAULT_WATCH_S, "resume")  # who was here comes back: nothing ends meanwhile
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.commands("FIELD ", since=350.0, until=600.0 + FAULT_WATCH_S) == []
    assert night.said("resumed") == ["fault is over"]


def test_a_quench_while_the_night_is_paused_waits_for_a_person_as_well(night: BadNight) -> None:
    night.ask(300.0, "pause")
    night.fault("quench", at=350.0, until=500.0)
    night.ask(600.0, "acknowledge", "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["fault"]
    assert night.said("paused") == ["pause asked by a test"]
    assert night.said("request_refused") == []


def test_a_history_is_lost_in_a_quench_though_the_field_reads_the_same(night: BadNight) -> None:
    sample = night.folder / "sample.toml"
    text = sample.read_text(encoding="utf-8").replace("hysteretic = false", "hysteretic = true")
    sample.write_text(text, encoding="utf-8")
    night.sequence = HOLDS.replace("temperature: 300 K", "temperature: 20 K\n      history: path").replace(
        "[0 Oe, 200 Oe, 400 Oe]", "[0 Oe, 200 Oe]"
    )
    first: list[float] = []

    def quench_at_the_first_point(count: int, thread: NightThread) -> None:
        if count == 1 and not first:
            first.append(thread.clock.now())
            lab = night.the_lab
            lab.faults.add("quench", at=lab.now() + 0.5, until=lab.now() + 60.0)
            lab.at(lab.now() + 100.0, lambda _: night.post("acknowledge", "resume"))

    night.after_point = quench_at_the_first_point
    outcome = night.run()
    assert outcome.status == "finished", outcome
    assert "prepared and measured from the start" in night.said("taken_up")[0]
    assert night.setpoints == [0, 200, 200, 0]


def test_a_night_that_ended_on_a_fault_is_acknowledged_and_taken_up(night: BadNight) -> None:
    night.fault("quench", at=350.0)
    assert night.run().exit_code == 3
    path, wall = night.running.folder, WallClock()
    with pytest.raises(ConfigurationError, match=r"ended on a fault: magnet quenched.*onnes acknowledge"):
        left_night(path, wall)
    acknowledge_ended(judge(path, wall), wall)
    left = left_night(path, wall)
    with prepared(left.plan, left.choice(None)) as (clock, key):
        again = NightThread(left.plan, night.folder / "runs", clock, key, again=path, before=left.before)
        again.start()
        assert again.wait(60)
        assert again.outcome().status == "finished"
    rows = Night.open(path).runs[0].current
    assert list(rows["Field setpoint (Oe)"]) == [0, 200, 400, 400, 200, 0]


def test_a_second_fault_wants_an_acknowledgement_of_its_own(night: BadNight) -> None:
    night.fault("quench", at=350.0)
    night.run()
    path, wall = night.running.folder, WallClock()
    acknowledge_ended(judge(path, wall), wall)
    left = left_night(path, wall)
    with prepared(left.plan, left.choice(None)) as (clock, key):
        assert key is not None
        lab = get_lab(key)
        lab.faults.add("quench", at=lab.now() + 250.0)
        again = NightThread(left.plan, night.folder / "runs", clock, key, again=path, before=left.before)
        again.start()
        assert again.wait(60)
        assert again.outcome().exit_code == 3
    with pytest.raises(ConfigurationError, match=r"ended on a fault: magnet quenched.*onnes acknowledge"):
        left_night(path, wall)


# --- row 8


@pytest.mark.parametrize("code", [8, 9, 10, 11, 12, 14, 15, 13])
def test_a_fault_of_the_magnet_gets_no_field_command(night: BadNight, code: int) -> None:
    night.at(290.0, force("magnet", code))
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert night.commands("FIELD ", since=290.0) == []
    assert f"{code:x}1" in outcome.message.partition("status word 0x1")[2] or code == 13
    assert night.off_at(400.0)


@pytest.mark.parametrize("code", [10, 13, 14, 15, 9])
def test_a_fault_of_the_temperature_gets_no_temperature_command_and_the_field_is_held(
    night: BadNight, code: int
) -> None:
    night.at(279.9, force("cryostat", code))  # the field has just begun to ramp
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert night.commands("TEMP ", since=279.0) == []
    assert len(night.commands("FIELD ", since=279.9)) <= 1  # held where it was
    assert any("field held at" in message for message in night.said("hold"))


@pytest.mark.parametrize("code", [14, 15, 13])
def test_a_fault_of_the_chamber_gets_no_command_and_the_field_is_held(night: BadNight, code: int) -> None:
    night.at(250.0, force("chamber", code))
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "chamber" in outcome.message
    assert night.commands("CHAMBER ", since=0.0) == []
    assert night.when("suspended") < 290.0


@pytest.mark.parametrize("part", ["cryostat", "magnet"])
@pytest.mark.parametrize("seconds", [6.0, 60.0])
def test_a_state_may_be_unknown_in_passing_and_is_a_fault_after_10_s(
    night: BadNight, part: str, seconds: float
) -> None:
    night.at(284.0, force(part, 0))
    night.at(284.0 + seconds, force(part, None))
    night.ask(600.0, "acknowledge", "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ([] if seconds < 10.0 else ["fault"])
    if seconds > 10.0:
        assert "state has been unknown for" in night.said("suspended")[0]


def test_a_restarted_controller_is_a_fault_until_somebody_knows_of_it(night: BadNight) -> None:
    night.fault("standby", at=300.0, until=500.0)
    night.ask(600.0, "acknowledge", "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["fault"]
    assert "the controller of the PPMS was restarted" in night.said("suspended")[0]
    assert night.commands("TEMP ", since=300.0, until=600.0) == []


def test_a_controller_in_standby_stays_a_fault_until_it_has_left_it(night: BadNight) -> None:
    night.fault("standby", at=300.0, until=900.0)
    night.ask(600.0, "acknowledge", "resume")
    night.ask(1000.0, "acknowledge", "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["fault", "fault"]
    assert "temperature control: standby" in night.said("suspended")[1]


def test_a_lost_heater_ends_the_night_with_the_trace_of_its_temperature(night: BadNight) -> None:
    night.fault("heater_lost", at=300.0, k_per_min=3.0, code=13.0)
    outcome = night.run()
    assert outcome.exit_code == 3
    log = night.night.environment
    assert set(log[log["Elapsed (s)"] > 330.0]["Temperature state"]) == {"InstrumentFault"}


# --- row 6


@pytest.mark.parametrize("kelvin", [18.0, -18.0])
def test_a_temperature_that_runs_away_is_stopped_where_it_is(night: BadNight, kelvin: float) -> None:
    night.sequence = MILD
    night.fault("overshoot", at=500.0, kelvin=kelvin)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "interlock temperature_rate trips" in outcome.message
    assert night.when("interlock") < 530.0
    (command,) = night.commands("TEMP ", since=500.0)
    stopped_at = float(command.split()[1])
    assert abs(stopped_at - 299.0) > 2.0
    assert f"its setpoint goes to {stopped_at:.6g} K" in night.said("runaway")[0]
    assert night.the_lab.magnet.setpoint()[0] == 0.0  # as finish says


def test_a_finish_that_names_a_temperature_goes_there_after_a_runaway(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace("temperature: 300 K\n", "temperature: 299 K\n")
    night.fault("overshoot", at=500.0, kelvin=18.0)
    assert night.run().exit_code == 3
    assert [command.split()[1] for command in night.commands("TEMP ", since=500.0)] == ["295"]


def test_a_temperature_beyond_its_limit_goes_back_to_the_limit(night: BadNight) -> None:
    station = night.folder / "station.toml"
    text = station.read_text(encoding="utf-8")
    station.write_text(text.replace('"1.9..350 K"', '"1.9..301 K"'), encoding="utf-8")
    night.sequence = HOLDS
    night.fault("thermometer_error", at=400.0, kelvin=8.0)
    night.sequence = night.sequence.replace("400 Oe]", "400 Oe, 600 Oe]")
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "K beyond [1.9, 301] K" in outcome.message
    assert [command.split()[1] for command in night.commands("TEMP ", since=400.0)] == ["301"]


def test_a_runaway_on_the_way_to_the_finish_stops_the_temperature_and_not_the_field(
    night: BadNight,
) -> None:
    night.sequence = MILD.replace(
        "finish: {field: 0 Oe}", "finish: {field: 0 Oe, temperature: 298 K}"
    ).replace("400 Oe]", "4000 Oe]\n      both_directions: false")

    def run_away(count: int, _: NightThread) -> None:
        if count == 3:
            lab: VirtualLab = night.the_lab
            lab.faults.add("overshoot", at=lab.now() + 3.0, kelvin=20.0)

    night.after_point = run_away
    outcome = night.run()
    assert night.said("runaway"), night.night.events[["kind", "message"]].to_string()
    assert night.the_lab.magnet.setpoint()[0] == 0.0
    assert abs(night.the_lab.magnet.supply(night.the_lab.now())) < 1.0
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert outcome.message.startswith("on the way to the finish: temperature changes by")
    stops = [
        float(command.split()[1]) for command in night.commands("TEMP ", since=night.when("runaway") - 1)
    ]
    assert stops[0] < 320.0  # where it was
    assert stops[-1] == 320.0  # the limit of the sample, beyond which it went


# --- row 32


def test_points_during_a_reservoir_fill_are_marked_and_nothing_is_settled(night: BadNight) -> None:
    night.sequence = HOLDS.replace(
        "[0 Oe, 200 Oe, 400 Oe]", "{sweep: 0 .. 2000 Oe, rate: 10 Oe/s, every: 5 s}"
    )
    night.fault("reservoir_fill", at=300.0, seconds=60.0)
    outcome = night.run()
    assert outcome.status == "finished", outcome
    rows = night.first_run.current
    marked = rows["Flags"].fillna("").str.contains("helium_fill")
    assert 8 <= marked.sum() <= 14
    assert not marked.iloc[0]
    assert not marked.iloc[-1]
    assert night.reasons() == []


def test_a_settle_waits_until_the_reservoir_is_full(night: BadNight) -> None:
    night.fault("reservoir_fill", at=260.0, seconds=1800.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == []
    assert any("filling reservoir" in message for message in night.said("waiting"))


def test_a_leak_of_a_cold_chamber_holds_the_night(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace("temperature: 300 K\n", "temperature: 280 K\n")
    night.fault("chamber_leak", at=900.0, until=1000.0)
    night.ask(1200.0, "acknowledge", "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["fault"]
    assert "chamber: general failure" in night.said("suspended")[0]
