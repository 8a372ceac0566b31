"""Nights on which an interlock trips: helium, compliance, contacts, other people, disk, reference, data."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import SequenceError
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.procedures.transport import FourProbe
from onnes.runner.host import ClockWatch
from onnes.runner.plan import make_plan
from onnes.sim.chamber import METER_OFF
from tests.runner.bad_night import BadNight, demo_night
from tests.runner.test_engine import SEQUENCE

HELIUM = '[helium]\nminimum = "60 %"\n'
LATE = SEQUENCE.replace("steps:", "steps:\n  - wait: 57 min")  # the meter of the lab looks once an hour
SWEEP = SEQUENCE.replace("[0 Oe, 200 Oe, 400 Oe]", "{sweep: 0 .. 2000 Oe, rate: 10 Oe/s, every: 2 s}")
COLD = SEQUENCE.replace("temperature: 300 K\n", "temperature: 280 K\n")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    return demo_night(tmp_path, monkeypatch)


# --- row 14


def test_low_helium_takes_the_field_to_zero_and_ends_the_night_after_half_an_hour(night: BadNight) -> None:
    night.sequence = LATE.replace("[0 Oe, 200 Oe, 400 Oe]", "[200 Oe, 400 Oe]").replace(
        "steps:", "limits: {field_rate: 50 Oe/s}\nsteps:"
    )
    night.station_says(HELIUM)
    night.fault("helium_low", percent=30.0, at=250.0)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "helium level = 29.7 %; interlock helium trips below 60 %" in outcome.message
    assert "station.toml:" in outcome.message
    assert "it has not cleared for 30 min" in outcome.message
    since = night.when("interlock")
    assert night.commands("FIELD ", since=since, until=since + 20.0)[-1].split()[1:3] == ["0", "50"]
    assert night.off_at(since + 60.0)


def test_a_refill_is_seen_though_the_meter_looks_once_an_hour(night: BadNight) -> None:
    night.sequence = LATE
    night.station_says(HELIUM)
    night.fault("helium_low", percent=30.0, at=250.0, until=4000.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["helium"]
    assert 4000.0 < night.when("held") < 4000.0 + 700.0


def test_helium_that_is_to_stop_the_night_stops_it_at_once(night: BadNight) -> None:
    night.sequence = LATE
    night.station_says('[interlocks]\nhelium = { trip = "60 %", policy = "safe_stop" }\n')
    night.fault("helium_low", percent=30.0, at=250.0)
    outcome = night.run()
    assert outcome.exit_code == 3
    assert night.reasons() == []
    assert night.the_lab.magnet.setpoint()[0] == 0.0


def test_a_level_that_is_not_measured_any_more_is_noted(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace("steps:", "steps:\n  - wait: 130 min")
    night.station_says(HELIUM)
    night.at(100.0, lambda lab: lab.chamber.helium.meter(lab.now(), METER_OFF))
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.said("interlock") == [
        "the helium level is more than 1.0 h old; interlock helium_age trips at 1 h (default)"
    ]


# --- compliance and contacts


def test_one_point_in_compliance_suspends_and_is_measured_again(night: BadNight) -> None:
    night.fault("compliance", at=280.0, until=330.0)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["compliance"]
    assert list(night.rejected["Flags"]) == ["compliance"]
    tripped = night.when("interlock")
    assert "OUTPut 0" in night.commands("OUTPut", since=tripped - 0.1, until=tripped + 1.0)


def test_a_lasting_compliance_is_left_to_on_error_and_no_endless_loop(night: BadNight) -> None:
    night.fault("compliance", at=280.0)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "broken off 4 times without getting on, at last by: a point was measured in compliance" in (
        outcome.message
    )
    assert night.reasons() == ["compliance"] * 3
    assert night.setpoints == [0, 200]


def test_compliance_that_is_to_stop_the_night_stops_it(night: BadNight) -> None:
    night.station_says('[interlocks]\ncompliance = { policy = "safe_stop" }\n')
    night.fault("compliance", at=280.0)
    assert night.run().exit_code == 3
    assert night.reasons() == []
    assert len(night.rejected) == 1


@pytest.mark.parametrize("contacts", ["current", "voltage"])
def test_a_contact_that_opens_takes_the_current_away_and_is_left_to_on_error(
    night: BadNight, contacts: str
) -> None:
    night.sequence = SWEEP.replace("steps:", "on_error: {retry: 1, wait: 30 s}\nsteps:")
    night.fault("contact_open", at=300.0, contacts=contacts)
    outcome = night.run()
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("failed", True, 3)
    assert "a contact of wiring 'film' has opened" in outcome.message
    assert len(night.said("step_retry")) == 1  # what was usual is not forgotten when it is tried again
    assert len(night.said("interlock")) == 2
    flags = list(night.rejected["Flags"])
    assert all("contact_open" in flag for flag in flags)
    tripped = night.when("interlock")
    assert "OUTPut 0" in night.commands("OUTPut", since=tripped - 1.0, until=tripped + 0.1)
    ohms = night.first_run.current["Resistance (ohm)"]
    assert ohms.iloc[:30].std() < 0.01


def test_a_contact_that_opens_on_cooling_spoils_one_stored_point_at_most(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace(
        "  - isotherms:\n      temperature: 300 K\n      field: [0 Oe, 200 Oe, 400 Oe]\n",
        "  - resistivity:\n      temperature: {sweep: 300 .. 285 K, rate: 3 K/min, every: 5 s}\n"
        "      field: 0 Oe\n",
    )
    night.fault("contact_open", contacts="voltage", at=0.0, when={"temperature_below_k": 292.0})
    outcome = night.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3), outcome
    spoilt = night.first_run.current["Resistance (ohm)"] < 14.3
    assert spoilt.sum() <= 1
    assert "has opened" in outcome.message
    assert ("the point before it is doubtful" in outcome.message) == spoilt.iloc[-1]


@pytest.mark.parametrize(("policy", "reasons"), [("suspend", ["contact_open"] * 3), ("safe_stop", [])])
def test_an_open_contact_does_what_the_station_file_says(
    night: BadNight, policy: str, reasons: list[str]
) -> None:
    night.sequence = SWEEP
    night.station_says(f'[interlocks]\ncontact_open = {{ policy = "{policy}" }}\n')
    night.fault("contact_open", at=300.0)
    assert night.run().exit_code == 3
    assert night.reasons() == reasons
    assert night.said("step_retry") == []


# --- row 24


@pytest.mark.parametrize("at", [100.0, 265.0, 281.0])  # in a settle wait, at rest, during a ramp of the field
@pytest.mark.parametrize("what", [{"temperature_k": 310.0}, {"field_oe": 5000.0}])
def test_somebody_at_multivu_suspends_the_night_until_a_person_resumes(
    night: BadNight, at: float, what: dict[str, Any]
) -> None:
    night.fault("foreign_setpoint", at=at, **what)
    night.ask(at + 300.0, "resume")
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["foreign_setpoint"]
    assert at < night.when("interlock") < at + 20.0
    quantity = "temperature to 310 K" if "temperature_k" in what else "field to 5000 Oe"
    assert f"somebody set {quantity}, we had " in night.said("interlock")[0]
    rows = night.first_run.current
    assert (rows["Temperature (K)"] - 300.0).abs().max() < 0.2
    assert (rows["Field (Oe)"] - rows["Field setpoint (Oe)"]).abs().max() < 1.5
    later = night.commands("TEMP " if "temperature_k" in what else "FIELD ", since=at + 300.0)
    assert later  # it is approached again


def test_a_foreign_setpoint_that_is_to_stop_the_night_stops_it(night: BadNight) -> None:
    night.station_says('[interlocks]\nforeign_setpoint = { policy = "safe_stop" }\n')
    night.fault("foreign_setpoint", at=300.0, temperature_k=310.0)
    assert night.run().exit_code == 3
    assert night.reasons() == []


# --- the rest


def test_a_clock_that_jumps_is_told_and_moves_nothing(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = iter([None, None, 3600.0])
    monkeypatch.setattr(ClockWatch, "jump", lambda _: next(jumps, None))
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.said("clock_jump") == [
        "the clock of this computer jumped by +3600.0 s; rows go by the monotonic clock"
    ]
    assert night.first_run.current["Elapsed (s)"].is_monotonic_increasing


def test_a_notification_that_fails_is_told_and_ends_nothing(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnes.runner.notifications.TRY_PAUSE_S", 0.0)
    night.sequence = "notify: [started, suspended, finished]\n" + SEQUENCE
    night.fault("compliance", at=280.0, until=330.0)

    def refuse(title: str, text: str) -> bool:
        del title, text
        raise OSError("no network")

    with night.ready() as thread:
        thread.send = refuse
        thread.start()
        assert thread.wait(60)
        assert night.finished_with_each_setpoint_once(thread.outcome())


def test_a_full_drive_suspends_before_a_write_fails(night: BadNight, monkeypatch: pytest.MonkeyPatch) -> None:
    def free(_: Path) -> float:
        return 0.4e9 if 240.0 < night.running.clock.now() < 600.0 else 50e9

    monkeypatch.setattr("onnes.runner.monitors.free_bytes", free)
    assert night.finished_with_each_setpoint_once(night.run())
    assert night.reasons() == ["disk"]
    assert night.said("interlock") == [
        "0.4 GB are free on the drive of the runs; interlock disk trips below 1 GB (default)"
    ]
    assert 600.0 + 30.0 <= night.when("held") < 600.0 + 100.0


def test_an_unknown_chamber_is_noted_and_an_open_one_suspends_where_it_is_cold(night: BadNight) -> None:
    night.sequence = COLD
    for t, code in ((800.0, 3), (860.0, 8), (1200.0, 1)):
        night.at(t, lambda lab, code=code: lab.chamber.force_status(code, lab.now()))  # type: ignore[misc]
    assert night.finished_with_each_setpoint_once(night.run())
    assert [event["values"]["policy"] for event in night.events("interlock")] == ["note", "suspend"]
    assert "chamber pumping continuously at 280 K" in night.said("interlock")[1]
    assert night.reasons() == ["chamber"]


REFERENCE = SEQUENCE.replace(
    "current: 100 uA", "current: 100 uA\n      reference: {temperature: 300 K, field: 0 Oe}"
)


@pytest.mark.parametrize(("policy", "reasons"), [("note", []), ("suspend", ["reference_drift"])])
def test_a_reference_that_drifts_is_told_as_the_station_file_says(
    night: BadNight, policy: str, reasons: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    night.sequence = REFERENCE
    night.ask(1000.0, "resume")
    night.station_says(f'[interlocks]\nreference_drift = {{ trip = "0.5 %", policy = "{policy}" }}\n')

    measure = ReversalBridge.measure

    def aged(self: ReversalBridge, readings: int):  # type: ignore[no-untyped-def]

        found = measure(self, readings)
        return replace(
            found, resistance=found.resistance * (1.02 if night.running.clock.now() > 300 else 1.0)
        )

    monkeypatch.setattr(ReversalBridge, "measure", aged)
    assert night.run().status == "finished"
    assert night.reasons() == reasons
    (said,) = night.said("interlock")
    assert "the reference resistance went from" in said
    assert "by 2 %; interlock reference_drift trips above 0.5 %" in said


def test_references_of_two_runs_are_not_compared(night: BadNight) -> None:
    other = REFERENCE.split("steps:\n")[1].replace("300 K", "290 K")
    night.sequence = REFERENCE + other
    night.station_says('[interlocks]\nreference_drift = { trip = "0.02 %" }\n')
    assert night.run().status == "finished"
    assert night.said("interlock") == []


def test_a_sweep_that_yields_no_points_suspends_and_one_that_turns_does_not(
    night: BadNight, monkeypatch: pytest.MonkeyPatch
) -> None:

    take = FourProbe.take

    def deaf(self: FourProbe, *args, **more):  # type: ignore[no-untyped-def]
        if not 300.0 < night.running.clock.now() < 340.0:
            yield from take(self, *args, **more)

    monkeypatch.setattr(FourProbe, "take", deaf)
    night.sequence = SWEEP
    outcome = night.run()
    assert outcome.status == "finished", outcome
    assert night.reasons() == ["data_stall"]
    assert (
        "where one is due every 2 s; interlock data_stall trips above 3 point times"
        in (night.said("interlock")[0])
    )


def test_a_long_pause_in_a_sweep_is_no_stall_when_it_is_taken_up(night: BadNight) -> None:
    night.sequence = SWEEP
    night.ask(300.0, "pause")
    night.ask(400.0, "resume")
    outcome = night.run()
    assert outcome.status == "finished"
    assert night.said("interlock") == []
    assert night.said("request_refused") == []


def test_a_current_that_the_sample_does_not_stand_is_refused_and_nothing_is_sent(night: BadNight) -> None:
    night.sequence = SEQUENCE.replace("100 uA", "600 uA")
    path = night.folder / "night.yaml"
    path.write_text(night.sequence, encoding="utf-8")
    with pytest.raises(SequenceError, match="600 uA is above 500 uA, the most allowed"):
        make_plan(path)


@pytest.mark.parametrize("kind", ["field_offset", "persistent_leak"])
def test_a_field_that_is_not_as_reported_ends_nothing(night: BadNight, kind: str) -> None:
    night.fault(kind, at=100.0)  # type: ignore[arg-type]
    assert night.finished_with_each_setpoint_once(night.run())
    assert not math.isnan(night.first_run.current["Field (Oe)"].sum())
