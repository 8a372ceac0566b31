"""Nights on which the magnet must come down, or must be left alone, while something else goes wrong."""

from pathlib import Path
from typing import Any

import pytest

from onnes.sim.lab import VirtualLab
from tests.runner.bad_night import BadNight, demo_night
from tests.runner.test_engine import SEQUENCE

CHARGED = SEQUENCE.replace("steps:", "steps:\n  - set_field: {to: 1000 Oe}\n  - wait: 2 h", 1)
LOW_FROM = 3400.0  # the meter of the lab looks once an hour


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    made = demo_night(tmp_path, monkeypatch)
    made.sequence = CHARGED
    made.station_says('[helium]\nminimum = "60 %"\n')
    return made


@pytest.mark.parametrize("question", ["TEMP?", "LEVEL?"])
def test_no_field_is_sent_to_a_magnet_whose_quench_takes_the_helium(night: BadNight, question: str) -> None:
    quenched: list[float] = []

    def spoil(lab: VirtualLab) -> None:
        ppms = lab.instruments["ppms"]
        execute = ppms.execute

        def quench(message: str, t: float) -> Any:
            if message == question and t > 3635.0 and not quenched:  # as it looks for the helium
                quenched.append(t)
                lab.magnet.force_status(15, t)
            return execute(message, t)

        ppms.execute = quench  # type: ignore[method-assign]

    night.plans.append(spoil)
    night.fault("helium_low", percent=30.0, at=LOW_FROM)
    assert night.run().exit_code == 3
    assert night.when("interlock") < quenched[0] + 120.0
    assert night.commands("FIELD ", since=quenched[0]) == []


def test_a_pause_does_not_keep_the_field_up_when_the_helium_gets_low(night: BadNight) -> None:
    night.ask(3000.0, "pause")
    night.fault("helium_low", percent=30.0, at=LOW_FROM, until=4500.0)
    night.ask(7000.0, "resume")
    assert night.run().status == "finished"
    since = night.when("interlock")
    assert since < 4000.0
    sent = night.commands("FIELD ", since=since, until=7000.0)
    assert [message.split()[1] for message in sent] == ["0"]


def test_a_helium_transfer_holds_the_field_though_the_level_is_low(night: BadNight) -> None:
    night.ask(3000.0, "helium_fill")
    night.fault("helium_low", percent=30.0, at=LOW_FROM, until=4500.0)
    night.ask(7000.0, "helium_fill")
    assert night.run().status == "finished"
    assert night.commands("FIELD ", since=night.when("interlock"), until=7000.0) == []


def test_a_field_that_could_not_be_sent_to_zero_is_sent_there_when_the_link_is_back(night: BadNight) -> None:
    night.fault("helium_low", percent=30.0, at=LOW_FROM)
    night.fault("timeout", "ppms", "FIELD*", at=3639.9, until=3800.0)
    night.run()
    since = night.when("interlock")
    assert len(night.said("hold_failed")) > 0
    assert "FIELD 0 150 0 1" in night.commands("FIELD ", since=3800.0, until=since + 400.0)


def test_an_outage_in_a_sweep_is_told_as_an_outage_alone(night: BadNight) -> None:
    sweep = "{sweep: 0 .. 4000 Oe, rate: 10 Oe/s, every: 2 s}"
    night.sequence = SEQUENCE.replace("[0 Oe, 200 Oe, 400 Oe]", sweep)
    night.fault("timeout", "ppms", at=400.0, until=500.0)
    assert night.run().status == "finished"
    assert night.reasons() == ["link"]
