"""The Model 6000 as a program on the bus sees it."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.sim.chamber import Chamber, HeliumSettings
from onnes.sim.cryostat import Cryostat, CryostatSettings
from onnes.sim.device import InstrumentSettings
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.magnet import Magnet, MagnetSettings
from onnes.sim.ppms import Ppms6000
from onnes.sim.samples import make_sample
from onnes.sim.wiring import DriveSettings, ReadSettings, Wiring

EVERYTHING = (1 << 30) - 1


def controller(*, strict: bool = False, start_k: float = 300.0, **magnet: Any) -> Ppms6000:
    cryostat = Cryostat(CryostatSettings(start_k=start_k), 7)
    coil = Magnet(MagnetSettings.model_validate({"start_mode": "driven", **magnet}), 7)
    lab = VirtualLab(
        VirtualClock(),
        cryostat=cryostat,
        magnet=coil,
        chamber=Chamber(HeliumSettings(), coil),
        wiring=Wiring(
            [DriveSettings(port="k6221.out", loop="I")],
            [ReadSettings(port="ppms.bridge1", loop="I", lead_ohm=10.0)],
            {"I": make_sample({"model": "metal", "r300_ohm": 10.0}, "lab.toml")},
            cryostat,
            coil,
            7,
        ),
        seed=7,
        strict=strict,
        epoch=datetime(2026, 1, 1, 23, 59, 50, tzinfo=UTC),
    )
    return Ppms6000("ppms", lab, InstrumentSettings(model="ppms6000", resources=("GPIB0::15::INSTR",)))


def ask(ppms: Ppms6000, message: str, t: float = 0.0) -> str:
    reply = ppms.execute(message, t)
    assert reply is not None, f"{message!r} was not answered"
    return reply


def numbers(reply: str) -> list[float]:
    assert reply.endswith(";")
    return [float(part) for part in reply[:-1].split(",")]


@pytest.mark.parametrize(
    "message",
    [
        "TEMP 200 10 1",
        "TEMP 200,10,1",
        "temp 200, 10 ,1",
        "Temp  200   10 1 ",
        "TEMP,200,10,1",
        "TEMP 2e2 10.0 1;",
    ],
)
def test_a_setpoint_is_understood_with_either_separator_and_in_any_case(message: str) -> None:
    ppms = controller()
    assert ppms.execute(message, 0.0) is None
    assert ask(ppms, "TEMP?") == "200,10,1;"
    assert ask(ppms, "temp ?") == "200,10,1;"


def test_the_temperature_setpoint_reads_back_in_full_and_as_the_final_target() -> None:
    ppms = controller()
    ppms.execute("TEMP 123.456789 7.25 0", 0.0)
    assert ask(ppms, "TEMP?", 10.0) == "123.456789,7.25,0;"
    assert ppms.lab.cryostat.ramped(10.0) > 298.0


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_field_setpoint_reads_back_to_its_resolution_for_both_signs(sign: str) -> None:
    ppms = controller()
    ppms.execute(f"FIELD {sign}32123.456 42.6 1 1", 0.0)
    assert ask(ppms, "FIELD?") == f"{sign}32123.46,42.6,1,1;"
    field = numbers(ask(ppms, "GETDAT? 4", 5000.0))[2]
    assert field == pytest.approx(float(f"{sign}32123.456"), abs=0.15 + 4 * 0.1)


@pytest.mark.parametrize(
    "message",
    [
        "TEMP 401 10 0",
        "TEMP 1.8 10 0",
        "TEMP nan 10 0",
        "TEMP 100 20.1 0",
        "TEMP 100 0 0",
        "TEMP 100 -5 0",
        "TEMP 100 10 2",
        "TEMP 100 10 0.5",
        "TEMP 100 10",
        "TEMP 100 10 0 0",
        "TEMP warm 10 0",
        "TEMP",
        "FIELD 90001 100 0 1",
        "FIELD -90001 100 0 1",
        "FIELD inf 100 0 1",
        "FIELD 1000 9 0 1",
        "FIELD 1000 191 0 1",
        "FIELD 1000 100 3 1",
        "FIELD 1000 100 0 2",
        "FIELD 1000 100 0",
        "CHAMBER 6",
        "LEVELON 3",
        "BRIDGE 5 10 10 0 0 10",
        "BRIDGE 1 5001 10 0 0 10",
        "BRIDGE 1 0.001 10 0 0 10",
        "BRIDGE 1 10 10 2 0 10",
        "DRVOUT 3 1 1",
        "DRVOUT 1 1001 1",
        "HEAT 3",
        "1 2 3",
        "?",
    ],
)
def test_what_it_cannot_do_is_refused_in_silence_and_changes_nothing(message: str) -> None:
    ppms = controller(strict=True)
    questions = ["TEMP?", "FIELD?", "CHAMBER?", "BRIDGE? 1", "DRVOUT? 1", "GETDAT? 7"]
    before = [ask(ppms, question) for question in questions]
    assert ppms.execute(message, 0.0) is None
    assert [ask(ppms, question) for question in questions] == before
    assert [(entry.instrument, entry.kind, entry.command) for entry in ppms.lab.journal] == [
        ("ppms", "refused", message)
    ]


@pytest.mark.parametrize(
    "question", ["HEAT?", "GETDAT?", "GETDAT? x", "GETDAT? 1.5", "BRIDGE? 0", "TEMP? 3", "MOVE?"]
)
def test_a_question_it_does_not_know_is_not_answered(question: str) -> None:
    assert controller().execute(question, 0.0) is None


def test_getdat_answers_mask_timestamp_and_values_in_the_order_of_the_bits() -> None:
    mask, stamp, status, kelvin, oersted = numbers(ask(controller(), "GETDAT? 7", 12.5))
    assert (mask, int(status)) == (7, 0x1141)
    assert kelvin == pytest.approx(300.0, abs=4 * 6e-3)
    assert oersted == pytest.approx(0.0, abs=4 * 0.1)
    assert numbers(ask(controller(), "GETDAT? 7", 14.0))[1] - stamp == pytest.approx(1.5)


@pytest.mark.parametrize("separator", [" ", ",", "  ", ""])
def test_getdat_takes_its_mask_with_any_separator(separator: str) -> None:
    assert ask(controller(), f"GetDat?{separator}2", 1.0) == ask(controller(), "GETDAT? 2", 1.0)


def test_the_echoed_mask_lacks_what_is_not_there() -> None:
    ppms = controller()
    mask, _, *values = numbers(ask(ppms, f"GETDAT? {EVERYTHING}"))
    assert int(mask) == 0b1111_1111_0000_0000_0111 | 0  # no rotator, no bridge on, no user map
    assert len(values) == int(mask).bit_count()
    assert numbers(ask(ppms, "GETDAT? 8")) == [0.0, pytest.approx(1234567.0)]
    assert numbers(ask(ppms, "GETDAT? 10"))[0] == 2.0


def test_a_bridge_that_is_on_and_wired_reads_the_sample() -> None:
    ppms = controller()
    ppms.execute("BRIDGE 1 10 1000 0 0 95", 0.0)
    ppms.execute("BRIDGE 2 10 1000 0 0 95", 0.0)
    assert ask(ppms, "BRIDGE? 1") == "1,10,1000,0,0,95;"
    mask, _, ohm, microamps = numbers(ask(ppms, "GETDAT? 240", 1.0))
    assert mask == 0b11 << 4  # bridge 2 is wired to nothing
    assert microamps == pytest.approx(10.0)
    readings = np.array([numbers(ask(ppms, "GETDAT? 16", 0.24 * k))[2] for k in range(1000)])
    assert ohm in readings
    assert readings.mean() == pytest.approx(10.0, abs=4 * 2.5e-3 / math.sqrt(1000))
    assert readings.std() == pytest.approx(2.5e-3, rel=4 / math.sqrt(2000))


@pytest.mark.parametrize(("limits", "microamps"), [("1000 1000 0 0 1", 100.0), ("5000 10 0 0 100", 1000.0)])
def test_a_bridge_keeps_to_its_limits_of_voltage_and_power(limits: str, microamps: float) -> None:
    ppms = controller()
    ppms.execute(f"BRIDGE 1 {limits}", 0.0)
    assert numbers(ask(ppms, "GETDAT? 32", 1.0))[2] == pytest.approx(microamps, rel=1e-6)


def test_a_bridge_with_all_limits_zero_is_off() -> None:
    ppms = controller()
    ppms.execute("BRIDGE 1 10 100 0 0", 0.0)
    assert ask(ppms, "BRIDGE? 1") == "1,10,100,0,0,100;"
    ppms.execute("BRIDGE 1 0 0 0 0 0", 1.0)
    assert numbers(ask(ppms, "GETDAT? 16", 1.0))[0] == 0.0


def test_the_old_stable_is_read_right_after_a_command() -> None:
    ppms = controller()
    ppms.execute("TEMP 200 10 0;FIELD 10000 100 0 1", 100.0)
    words = [int(numbers(ask(ppms, "GETDAT? 1", t))[2]) for t in (100.0, 100.9, 105.1)]
    assert words == [0x1141, 0x1141, 0x1162]


def test_the_status_word_packs_the_four_states() -> None:
    ppms = controller()
    ppms.lab.cryostat.force_status(10, 0.0)
    ppms.lab.magnet.force_status(11, 0.0)
    ppms.execute("CHAMBER 3", 0.0)
    assert int(numbers(ask(ppms, "GETDAT? 1", 0.0))[2]) == 0x18BA
    assert ask(ppms, "CHAMBER?") == "3;"


def test_a_status_code_without_meaning_can_be_shown_and_taken_back() -> None:
    ppms = controller()
    ppms.lab.cryostat.force_status(4, 10.0)
    ppms.lab.cryostat.force_status(None, 20.0)
    nibbles = [int(numbers(ask(ppms, "GETDAT? 1", t))[2]) & 15 for t in (9.0, 10.0, 20.0)]
    assert nibbles == [1, 4, 1]


def test_the_helium_level_comes_with_the_code_of_its_age() -> None:
    ppms = controller()
    assert ask(ppms, "LEVEL?", 10.0) == "92.0,1;"
    ppms.execute("LEVELON 0", 10.0)
    assert ask(ppms, "LEVEL?", 3700.0) == "92.0,0;"
    ppms.execute("LEVELON 1", 7200.0)
    assert ask(ppms, "LEVEL?", 7205.0) == "92.0,0;"
    # two hours at 0.35 %/h, and the switch heater of driven mode at 0.15 %/h
    assert ask(ppms, "LEVEL?", 7215.0) == "91.0,2;"
    assert ask(ppms, "LEVEL?", 7300.0) == "91.0,1;"


def test_the_magnet_names_its_field_and_its_switch_times() -> None:
    reply = ask(controller(max_oe=140000.0, switch_heat_s=25.0, switch_cool_s=20.0), "MAGCNF?")
    values = numbers(reply)
    assert len(values) == 7
    assert (values[0], values[5], values[6]) == (140000.0, 25.0, 20.0)


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("*IDN?", "QUANTUM DESIGN,PPMS MODEL 6000,SIM0001,1.0;"),
        ("*idn?", "QUANTUM DESIGN,PPMS MODEL 6000,SIM0001,1.0;"),
        ("REV?", "1.0,1.0;"),
        ("DATE?", "01/02/2026;"),
        ("TIME?", "00:00:05;"),
        ("DIGIN?", "0;"),
        ("ADVNUM?", "0;"),
        ("TEMP?;FIELD?", "300,20,0;0.00,190.0,0,1;"),
    ],
)
def test_the_small_questions_are_answered(question: str, reply: str) -> None:
    assert ask(controller(), question, 15.0) == reply


def test_a_driver_output_is_kept_and_shown() -> None:
    ppms = controller()
    ppms.execute("DRVOUT 2 12.5 3", 0.0)
    ppms.execute("BEEP 1 1000", 0.0)
    assert ask(ppms, "DRVOUT? 2") == "2,12.5,3;"
    assert numbers(ask(ppms, f"GETDAT? {1 << 17}"))[2] == 12.5


def test_a_lab_that_goes_on_reports_setpoints_values_and_status_that_fit() -> None:
    under = {
        "cryostat": {"start_k": 12.0, "start_setpoint_k": 20.0, "start_rate_k_per_min": 2.0},
        "magnet": {"start_oe": -30000.0, "start_largest_oe": 50000.0, "start_direction": 1},
    }
    ppms = load_lab("default", VirtualClock(), under=under).instruments["ppms"]
    assert isinstance(ppms, Ppms6000)
    assert ask(ppms, "TEMP?;FIELD?") == "20,2,0;-30000.00,190.0,0,0;"
    word, kelvin, oersted = numbers(ask(ppms, "GETDAT? 7"))[2:]
    assert (int(word) & 15, int(word) >> 4 & 15) == (2, 1)
    assert kelvin == pytest.approx(12.0, abs=0.01)
    assert oersted == pytest.approx(-30000.0, abs=0.6)


def test_a_vented_chamber_has_air_in_it() -> None:
    ppms = controller()
    ppms.execute("CHAMBER 2", 0.0)
    word, torr = numbers(ask(ppms, f"GETDAT? {1 | 1 << 19}", 200.0))[2:]
    assert (int(word) >> 8) & 15 == 2
    assert torr == pytest.approx(760.0, rel=1e-3)


def test_reading_another_instrument_or_more_often_changes_nothing() -> None:
    quiet, busy = controller(), controller()
    for ppms in (quiet, busy):
        ppms.execute("TEMP 100 5 0", 0.0)
        ppms.execute("FIELD 5000 50 0 1", 0.0)
        ppms.execute("BRIDGE 1 10 1000 0 0 95", 0.0)
    for k in range(500):
        busy.execute(f"GETDAT? {EVERYTHING}", 0.37 * k)
    for t in (200.0, 333.3, 1000.0):
        assert ask(quiet, f"GETDAT? {EVERYTHING}", t) == ask(busy, f"GETDAT? {EVERYTHING}", t)


def test_a_reply_takes_fifty_milliseconds_and_ends_without_a_line_feed() -> None:
    assert Ppms6000.query_latency_s == 0.05
    assert Ppms6000.terminator == b""
