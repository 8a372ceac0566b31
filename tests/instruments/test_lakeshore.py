"""The strict Lake Shore drivers on their twins, and what they make of replies that no twin gives."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ConfigurationError, InstrumentFault, LimitError
from onnes.instruments.lakeshore import LakeShore336, LakeShore340
from onnes.instruments.lakeshore_replies import heater_loop, look, numbers
from onnes.instruments.protocols import Thermostat
from onnes.instruments.visa import open_adapter, open_library
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

LS340, LS336 = "GPIB0::13::INSTR", "GPIB0::14::INSTR"
CLASSES = {LS340: LakeShore340, LS336: LakeShore336}
Controller = LakeShore336 | LakeShore340
Opened = tuple[Any, VirtualLab]
_numbers = itertools.count(1)


@pytest.fixture
def open_it(clock: VirtualClock) -> Iterator[Callable[..., Opened]]:
    """Return what opens a controller in a dip probe of its own, in strict mode."""
    with ExitStack() as stack:

        def open_(address: str = LS340, inputs: dict[str, str] | None = None, **under: Any) -> Opened:
            tables: dict[str, Any] = {"lab": {"strict": True}} | under
            if address == LS336:
                ls336 = {"model": "lakeshore336", "resources": [LS336]}
                tables["instrument"] = {"ls336": ls336 | ({"inputs": inputs} if inputs else {})}
            lab = load_lab("dip", clock, under=tables)
            key = f"dip-{next(_numbers)}"
            set_lab(key, lab)
            stack.callback(forget_lab, key)
            adapter = open_adapter(open_library("simulated", key), address, name="it")
            stack.callback(adapter.close)
            return CLASSES[address](adapter, "ls", clock), lab

        yield open_


BOTH = pytest.mark.parametrize("address", [LS340, LS336])


def wait_until_stable(controller: Controller, clock: VirtualClock, within_s: float = 3600.0) -> float:
    """Look every 2 s until the temperature is stable; return how long that took, s."""
    begin = clock.now()
    while not controller.temperature().is_stable:
        assert clock.now() - begin < within_s
        clock.sleep(2.0)
    return clock.now() - begin


# --- connection


@BOTH
def test_it_connects_sets_nothing_and_says_its_input(address: str, open_it: Callable[..., Opened]) -> None:
    controller, lab = open_it(address)
    assert controller.connect().endswith("loop 1 by input A")
    controller.answer()
    assert controller.heater_range == controller.range_limits.high
    assert controller.temperature_setpoint() == 300.0
    assert controller.check_errors() == []
    assert (lab.journal, controller.link.retries) == ([], [])


@pytest.mark.parametrize("driver", CLASSES.values())
def test_each_has_what_a_thermostat_needs(driver: type[Any]) -> None:
    assert {name for name in dir(Thermostat) if not name.startswith("_")} <= set(dir(driver))


def test_a_loop_that_does_not_regulate_in_kelvin_is_refused(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it()
    controller.link.write("CSET 1,A,3,1")
    with pytest.raises(ConfigurationError, match="loop 1 does not regulate a temperature in kelvin; set it"):
        controller.connect()
    controller.link.write("CSET 1,A,1,0")
    with pytest.raises(ConfigurationError, match="does not regulate"):
        controller.connect()


@pytest.mark.parametrize("mode", ["0,1,0", "1,0,0", "3,1,0"])
def test_an_output_of_a_336_without_a_closed_loop_is_refused(
    mode: str, open_it: Callable[..., Opened]
) -> None:
    controller, _ = open_it(LS336)
    controller.link.write(f"OUTMODE 1,{mode}")
    with pytest.raises(ConfigurationError, match="does not regulate"):
        controller.connect()


def test_it_looks_at_the_input_that_the_loop_controls_by(open_it: Callable[..., Opened]) -> None:
    controller, lab = open_it()
    controller.link.write("CSET 1,B,1,1")
    assert controller.connect().endswith("input B")
    lab.cryostat.shift_thermometer(lab.now(), 2.0)
    # input B is the stage of the sample, which a wrong thermometer does not warm
    assert controller.temperature().value == pytest.approx(298.0, abs=2.1)
    assert controller.temperature().value != pytest.approx(302.0, abs=1.0)


# --- limits


@BOTH
@pytest.mark.parametrize(
    ("kelvin", "rate", "text"),
    [
        (0.5, 1.0, r"temperature = 0.5 K is outside \[1.4, 325\] K, .* nothing was sent"),
        (400.0, 1.0, r"temperature = 400 K is outside"),
        (float("nan"), 1.0, "temperature = nan K is outside"),
        (77.0, 0.0, r"temperature rate = 0 K/min is outside \[0.1, 100\] K/min"),
        (77.0, 200.0, "temperature rate = 200 K/min is outside"),
    ],
)
def test_out_of_range_is_refused_and_nothing_is_sent(
    kelvin: float, rate: float, text: str, address: str, open_it: Callable[..., Opened]
) -> None:
    controller, _ = open_it(address)
    with pytest.raises(LimitError, match=text):
        controller.set_temperature(kelvin, rate)
    assert controller.temperature_setpoint() == 300.0
    assert controller.confirmed_temperature() is None


def test_an_approach_that_it_does_not_know_is_refused(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it()
    with pytest.raises(LimitError, match="approach = 'no_overshoot' is not known to the ls, which only"):
        controller.set_temperature(290.0, 1.0, "no_overshoot")


def test_the_temperature_limit_of_the_controller_narrows_the_range(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it()
    controller.link.write("TLIMIT A,310")
    controller.connect()
    assert controller.temperature_limits.high == 310.0
    with pytest.raises(LimitError, match="the range set by TLIMIT A of the ls"):
        controller.set_temperature(315.0, 1.0)


def test_a_heater_that_is_off_is_told_before_anything_is_sent(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it()
    controller.heater_range = 0
    text = r"the heater of ls is off and cannot bring it to 290 K; switch its range on, .* \(1 to 5\)"
    with pytest.raises(InstrumentFault, match=text):
        controller.set_temperature(290.0, 1.0)
    assert controller.temperature_setpoint() == 300.0


# --- setpoint and ramp


@BOTH
def test_a_ramp_is_confirmed_on_its_way_and_at_its_end(
    address: str, open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, lab = open_it(address)
    controller.connect()
    controller.set_temperature(280.0, 2.0)
    assert controller.confirmed_temperature() == controller.temperature_setpoint() == 280.0
    assert controller.commanded_rate_k_per_min() == 2.0
    clock.sleep(300.0)
    reading = controller.temperature()
    assert (reading.state, reading.is_stable) == ("ramping", False)
    assert reading.value == pytest.approx(290.0, abs=0.5)
    assert reading.status == 1 << 8
    assert controller.temperature_setpoint() == 280.0
    took_s = wait_until_stable(controller, clock)
    assert took_s > 300.0 + 30.0  # the rest of the ramp, and the time it must stay inside
    assert controller.temperature().value == pytest.approx(280.0, abs=0.15)
    assert controller.temperature().state == "stable"
    assert (lab.journal, controller.link.retries) == ([], [])
    assert controller.check_errors() == []


def test_the_setpoint_that_is_there_already_is_not_sent_again(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.set_temperature(290.0, 5.0)
    wait_until_stable(controller, clock)
    sent: list[str] = []
    controller.link.write = sent.append
    controller.set_temperature(290.0, 5.0)
    controller.set_temperature(290.0, 1.0)  # another rate to where it rests
    assert sent == []
    assert controller.confirmed_temperature() == 290.0


def test_a_new_rate_on_the_way_is_sent(open_it: Callable[..., Opened], clock: VirtualClock) -> None:
    controller, _ = open_it()
    controller.set_temperature(200.0, 5.0)
    clock.sleep(60.0)
    controller.set_temperature(200.0, 1.0)
    assert controller.commanded_rate_k_per_min() == 1.0
    before = controller._look().setpoint
    clock.sleep(60.0)
    assert before - controller._look().setpoint == pytest.approx(1.0, abs=0.01)


def test_a_ramp_begins_where_the_probe_is_and_not_where_the_setpoint_was(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, lab = open_it()
    controller.set_temperature(4.2, 100.0)  # faster than the probe cools
    clock.sleep(600.0)
    here = controller.temperature().value
    assert here > 200.0
    controller.set_temperature(300.0, 1.0)
    setpoint = controller._look().setpoint
    assert setpoint == pytest.approx(here, abs=0.5)
    clock.sleep(60.0)
    assert lab.cryostat.sample(lab.now()) > here - 3.0


def test_hold_stops_a_ramp_where_it_is_and_sends_nothing_at_rest(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.set_temperature(200.0, 2.0)
    clock.sleep(600.0)
    controller.hold_temperature()
    held = controller.confirmed_temperature()
    assert held == pytest.approx(280.0, abs=0.1)
    wait_until_stable(controller, clock)
    assert controller.temperature_setpoint() == held
    sent: list[str] = []
    controller.link.write = sent.append
    controller.hold_temperature()
    assert sent == []


@pytest.mark.parametrize("ramp", [1, 0])
def test_hold_stops_a_probe_that_did_not_keep_up_where_it_is(
    ramp: int, open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, lab = open_it()
    controller.link.write(f"RAMP 1,{ramp},100;SETP 1,100")
    clock.sleep(600.0)
    here = controller.temperature().value
    assert here > 200.0
    controller.hold_temperature()
    assert controller.confirmed_temperature() == pytest.approx(here, abs=0.2)
    clock.sleep(600.0)
    assert lab.cryostat.sensor(lab.now()) == pytest.approx(here, abs=0.5)


def test_hold_sends_nothing_to_a_controller_whose_heater_is_off(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.heater_range = 0
    clock.sleep(600.0)
    controller.hold_temperature()
    assert controller.temperature_setpoint() == 300.0
    assert controller.temperature().state == "heater off"


def test_a_setpoint_that_somebody_else_set_is_not_taken_for_ours(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.set_temperature(290.0, 5.0)
    wait_until_stable(controller, clock)
    controller.link.write("SETP 1,250")
    clock.sleep(900.0)
    assert controller.temperature_setpoint() == 250.0
    assert controller.confirmed_temperature() == 290.0
    controller.forget_setpoints()
    assert controller.confirmed_temperature() is None


def test_a_setpoint_that_the_controller_does_not_take_is_a_fault(
    open_it: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    controller, _ = open_it()
    monkeypatch.setattr(controller.link, "write", str)
    with pytest.raises(InstrumentFault, match="ls was told temperature 290 K at 2 K/min, but reads back"):
        controller.set_temperature(290.0, 2.0)
    assert controller.confirmed_temperature() is None


# --- stability


def test_one_reading_inside_is_not_yet_stable(open_it: Callable[..., Opened], clock: VirtualClock) -> None:
    controller, _ = open_it()
    first = controller.temperature()
    assert (first.state, first.is_stable) == ("settling", False)
    clock.sleep(29.0)
    assert not controller.temperature().is_stable
    clock.sleep(2.0)
    assert controller.temperature().is_stable


def test_a_temperature_that_nobody_looked_at_counts_from_the_next_look(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.temperature()
    clock.sleep(600.0)
    assert not controller.temperature().is_stable


def test_a_temperature_that_leaves_is_no_longer_stable(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, lab = open_it()
    wait_until_stable(controller, clock)
    lab.cryostat.kick(lab.now(), 5.0)
    assert (controller.temperature().state, controller.temperature().is_stable) == ("settling", False)


# --- faults


def test_an_open_sensor_is_a_fault_with_its_status(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it(LS336, {"A": "open"})
    text = (
        "input A of ls: the temperature is above the curve of the sensor and the sensor reads over its range "
        r"\(RDGST 160\); look at the sensor and its leads"
    )
    with pytest.raises(InstrumentFault, match=text):
        controller.temperature()
    assert controller.safe_state().startswith("nothing was sent: input A of ls")


def test_a_lost_heater_is_a_fault(open_it: Callable[..., Opened], clock: VirtualClock) -> None:
    controller, _ = open_it(fault=[{"kind": "heater_lost", "target": "cryostat", "at": 60.0}])
    controller.temperature()
    clock.sleep(120.0)
    with pytest.raises(InstrumentFault, match=r"heater of ls: open load \(HTRST 5\) at .* K; look at the"):
        controller.temperature()
    assert controller.safe_state().startswith("nothing was sent: heater of ls: open load")


def test_a_heater_that_went_off_during_the_night_is_a_fault(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.set_temperature(290.0, 5.0)
    controller.link.write("RANGE 0")
    clock.sleep(60.0)
    with pytest.raises(InstrumentFault, match=r"the heater of ls is off at .* K, though its setpoint is"):
        controller.temperature()


def test_a_heater_that_nobody_here_needs_may_be_off(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it()
    controller.heater_range = 0
    reading = controller.temperature()
    assert (reading.state, reading.is_stable) == ("heater off", False)


def test_what_the_controller_refused_is_told(open_it: Callable[..., Opened]) -> None:
    controller, lab = open_it()
    assert controller.check_errors() == []
    controller.link.write("PID 1,5000")
    controller.link.write("FROBNICATE")
    text = r"ls reports a value that it does not allow and a command that it does not know \(\*ESR 48\)"
    with pytest.raises(InstrumentFault, match=text):
        controller.check_errors()
    assert controller.check_errors() == []
    assert len(lab.journal) == 2


# --- heater and safe state


@BOTH
def test_heater_and_gains_are_set_and_read_back(address: str, open_it: Callable[..., Opened]) -> None:
    controller, lab = open_it(address)
    for number in (0, 1, controller.range_limits.high):
        controller.heater_range = number
        assert controller.heater_range == number
    controller.gains = (80.0, 15.5, 2.0)
    assert controller.gains == (80.0, 15.5, 2.0)
    assert controller.heater_output > 10.0
    assert lab.journal == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("heater_range", 6, r"heater_range = 6 is outside \[0, 5\]"),
        ("gains", (0.0, 20.0, 0.0), r"P = 0 is outside \[0.1, 1000\]"),
        ("gains", (50.0, 2000.0, 0.0), "I = 2000 is outside"),
        ("gains", (50.0, 20.0, 300.0), "D = 300 % is outside"),
    ],
)
def test_heater_and_gains_out_of_range_are_refused(
    name: str, value: Any, text: str, open_it: Callable[..., Opened]
) -> None:
    controller, lab = open_it()
    with pytest.raises(LimitError, match=text):
        setattr(controller, name, value)
    assert lab.journal == []


def test_a_name_that_it_has_not_is_refused(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it()
    with pytest.raises(AttributeError, match="did you mean 'heater_range'"):
        controller.heater_rnage = 3


def test_the_safe_state_leaves_setpoint_and_heater_and_says_so(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.set_temperature(200.0, 2.0)
    clock.sleep(60.0)
    text = controller.safe_state()
    assert text.startswith("temperature setpoint left at 200 K, heater range 5, output 3")
    assert controller.temperature().state == "ramping"


def test_a_hold_with_the_temperature_stops_the_ramp(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    controller, _ = open_it()
    controller.set_temperature(200.0, 2.0)
    clock.sleep(60.0)
    assert controller.hold(temperature=True).startswith("temperature held at 29")
    clock.sleep(5.0)
    assert controller.temperature().state == "settling"


# --- replies


@pytest.mark.parametrize(
    ("reply", "count", "text"),
    [("1,2", 3, "the reply '1,2' is not 3 numbers"), ("nan", 1, "is not 1 numbers"), ("x", 1, "could not")],
)
def test_a_reply_that_is_not_all_numbers_is_refused(reply: str, count: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        numbers(reply, count)


def test_a_look_with_a_part_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="has 5 parts instead of 6"):
        look("1;0;1;0;3")


def test_a_loop_without_an_input_is_refused() -> None:
    with pytest.raises(ValueError, match="names no input"):
        heater_loop("0,1,1,0")


def test_spoilt_replies_are_asked_again(open_it: Callable[..., Opened]) -> None:
    controller, _ = open_it(fault=[{"kind": "garbage", "target": "ls340", "at": 0.0, "count": 1}])
    assert controller.temperature().value == pytest.approx(300.0, abs=0.05)
    assert len(controller.link.retries) == 1


def test_another_instrument_at_its_address_is_told() -> None:
    with (
        expected_protocol(LakeShore340, [("*IDN?", "LSCI,MODEL336,1,1")]) as controller,
        pytest.raises(CommunicationError, match="expected a 340, but 'LSCI,MODEL336,1,1' answers"),
    ):
        controller.answer()
