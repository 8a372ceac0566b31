"""The strict drivers of the source meters 2400 and 2450 on their twins, alone and in a bridge."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley2400 import Keithley2400
from onnes.instruments.keithley2450 import Keithley2450
from onnes.instruments.open_station import open_station
from onnes.instruments.protocols import CurrentSource
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.station_file import load_station_file
from onnes.instruments.survey import survey_station
from onnes.instruments.visa import open_adapter, open_library
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

K2400, K2450, METER = "GPIB0::24::INSTR", "GPIB0::18::INSTR", "GPIB0::7::INSTR"
CLASSES: dict[str, Any] = {"k2400": Keithley2400, "k2450": Keithley2450}
RESOURCES = {"k2400": K2400, "k2450": K2450}
OHM, LEAD_OHM = 10.0, 12.0  # the metal bar at 300 K, each of its leads
Opened = tuple[Any, Keithley2182A, VirtualLab]
QUANTITIES = ("voltage", "current", "resistance")
BOTH = pytest.mark.parametrize("name", ["k2400", "k2450"])

_numbers = itertools.count(1)


@pytest.fixture
def open_it(clock: VirtualClock) -> Iterator[Callable[..., Opened]]:
    """Return what opens a source meter and a nanovoltmeter on a bar of metal, in strict mode."""
    with ExitStack() as stack:

        def open_(name: str = "k2400", **under: Any) -> Opened:
            tables = {
                "lab": {"strict": True},
                "sample": {"model": "metal"},
                "instrument": {name: {"model": name, "resources": [RESOURCES[name]]}},
                "drive": [{"port": f"{name}.out", "loop": "I"}],
                "read": [{"port": "k2182a.ch1", "loop": "I"}, {"port": f"{name}.sense", "loop": "I"}],
            }
            lab = load_lab("default", clock, under=tables | under)
            key = f"source-meter-{next(_numbers)}"
            set_lab(key, lab)
            stack.callback(forget_lab, key)
            manager = open_library("simulated", key)
            adapters = [open_adapter(manager, address, name="it") for address in (RESOURCES[name], METER)]
            for adapter in adapters:
                stack.callback(adapter.close)
            return (
                CLASSES[name](adapters[0], name, clock),
                Keithley2182A(adapters[1], "k2182a", clock),
                lab,
            )

        yield open_


# --- each property


@BOTH
def test_it_connects_and_sets_nothing(name: str, open_it: Callable[..., Opened]) -> None:
    source, _, lab = open_it(name)
    before = dict(vars(lab.instruments[name]))
    assert name[1:] in source.connect()
    source.answer()
    assert vars(lab.instruments[name]) == before
    assert source.check_errors() == []
    assert (lab.journal, source.link.retries) == ([], [])


@pytest.mark.parametrize("driver", CLASSES.values())
def test_each_has_what_a_current_source_needs(driver: type[Any]) -> None:
    assert {name for name in dir(CurrentSource) if not name.startswith("_")} <= set(dir(driver))


SHARED: list[tuple[str, Any]] = [
    ("source_current", 1.23456e-4),
    ("source_current", -1e-9),
    ("source_compliance", 1.5),
    ("source_enabled", True),
    ("source_mode", "current"),
    ("source_voltage", -1.25),
    ("compliance_current", 1e-3),
    ("compliance_voltage", 2.5),
    ("current_nplc", 0.1),
    ("voltage_nplc", 5.0),
    ("resistance_nplc", 2.0),
    ("wires", 4),
    ("buffer_points", 100),
]
OWN: dict[str, list[tuple[str, Any]]] = {
    "k2400": [
        ("source_delay", 0.5),
        ("source_delay_auto_enabled", False),
        ("auto_zero_enabled", False),
        ("output_off_state", "guard"),
        ("auto_output_off_enabled", True),
        ("filter_enabled", True),
        ("repeat_filter_enabled", False),
        ("filter_count", 20),
        ("current_range_auto_enabled", False),
        ("voltage_range_auto_enabled", False),
        ("resistance_range_auto_enabled", False),
        ("resistance_mode_auto_enabled", False),
        ("source_current_range_auto_enabled", False),
        ("source_voltage_range_auto_enabled", False),
        ("trigger_count", 5),
        ("arm_count", 5),
        ("trigger_delay", 0.5),
        ("arm_timer", 0.5),
        ("trigger_source", "trigger_link"),
        ("arm_source", "bus"),
        ("trigger_output_event", "sense"),
        ("arm_output_event", "trigger_exit"),
        ("trigger_input_line", 3),
        ("arm_input_line", 3),
        ("trigger_output_line", 4),
        ("arm_output_line", 4),
        ("display_enabled", False),
        ("line_frequency", 60),
        ("line_frequency_auto_enabled", False),
        ("front_terminals_enabled", False),
    ],
    "k2450": [
        ("source_current_delay", 0.5),
        ("source_current_delay_auto", False),
        ("source_voltage_delay", 0.5),
        ("source_voltage_delay_auto", False),
        ("current_filter_state", True),
        ("current_filter_type", "MOV"),
        ("current_filter_count", 20),
        ("voltage_filter_type", "MOV"),
        ("voltage_filter_count", 20),
        ("current_output_off_state", "GUAR"),
        ("voltage_output_off_state", "ZERO"),
    ],
}


RANGES = {
    "source_range",
    "source_current_range",
    "source_voltage_range",
    "current_range",
    "voltage_range",
    "resistance_range",
}
# what is only read: of the buffer, of PyMeasure's own way to measure, of IEEE 488.2
READ_ONLY = {
    *(f"{kind}_{what}" for kind in ("mean", "max", "min", "std") for what in QUANTITIES),
    *("means", "maximums", "minimums", "standard_devs", "buffer_data", *QUANTITIES),
    *("id", "options", "status", "complete", "next_error", "error"),
}
# deprecated names of PyMeasure's for what is above under another; nothing here uses them
OLD = {
    "k2400": {
        *("source_delay_auto", "auto_zero", "auto_output_off", "filter_state", "filter_type"),
        "line_frequency_auto",
    },
    "k2450": set[str](),
}


@BOTH
def test_no_property_is_left_out(name: str) -> None:
    driver = CLASSES[name]
    found = {each for each in dir(driver) if isinstance(getattr(driver, each, None), property)}
    tested = {what for what, _ in SHARED + OWN[name]}
    assert found == tested | RANGES | READ_ONLY | OLD[name]


@pytest.mark.parametrize(
    ("name", "what", "value"),
    [(name, what, value) for name, own in OWN.items() for what, value in SHARED + own],
)
def test_each_property_is_got_set_and_got(
    name: str, what: str, value: Any, open_it: Callable[..., Opened]
) -> None:
    source, _, lab = open_it(name)
    getattr(source, what)
    setattr(source, what, value)
    got = getattr(source, what)
    assert got == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)
    assert source.check_errors() == []
    assert (lab.journal, source.link.retries) == ([], [])


@BOTH
@pytest.mark.parametrize(
    ("what", "asked", "told"),
    [
        ("source_range", 1e-3, 1.05e-3),
        ("source_current_range", -0.01, 0.0105),
        ("source_voltage_range", 20.0, 21.0),
        ("current_range", 1.05, 1.05),
        ("voltage_range", 0.2, 0.21),
        ("resistance_range", 1.5e3, 2.1e3),
    ],
)
def test_a_range_is_the_smallest_that_holds_the_value(
    name: str, what: str, asked: float, told: float, open_it: Callable[..., Opened]
) -> None:
    source, _, lab = open_it(name)
    setattr(source, what, asked)
    assert getattr(source, what) == pytest.approx(told)
    assert lab.journal == []


@BOTH
@pytest.mark.parametrize(
    ("what", "value", "text"),
    [
        ("source_current", 2.0, r"source current = 2 A is outside \[-1.05, 1.05\] A, .*; nothing was sent"),
        ("source_current", math.nan, "source current = nan A is outside"),
        ("source_compliance", 300.0, "source_compliance = 300 V is outside"),
        ("source_compliance", 0.0, "source_compliance = 0 V is outside"),
        ("source_range", 2.0, "source range = 2 A is outside"),
        ("source_voltage", 300.0, "source_voltage = 300 V is outside"),
        ("source_voltage_range", 300.0, "source voltage range = 300 V is outside"),
        ("voltage_range", 300.0, "voltage range = 300 V is outside"),
        ("current_range", 2.0, "current range = 2 A is outside"),
        ("resistance_range", -1.0, "resistance range = -1 ohm is outside"),
        ("voltage_nplc", 50.0, "voltage_nplc = 50 line cycles is outside"),
        ("wires", 3, "wires = 3 is not allowed"),
        ("source_mode", "power", "source_mode = 'power' is not allowed"),
        ("buffer_points", 10_000_000, "buffer_points = 10000000 is outside"),
    ],
)
def test_what_is_out_of_range_is_refused_and_nothing_is_sent(
    name: str, what: str, value: Any, text: str, open_it: Callable[..., Opened]
) -> None:
    source, _, lab = open_it(name)
    before = getattr(source, what)
    with pytest.raises(LimitError, match=text):
        setattr(source, what, value)
    assert getattr(source, what) == before
    assert lab.journal == []


@BOTH
def test_a_name_that_it_has_not_is_refused(name: str, open_it: Callable[..., Opened]) -> None:
    source, *_ = open_it(name)
    with pytest.raises(AttributeError, match="has no attribute 'source_curent'; nothing was sent"):
        source.source_curent = 1e-3


# --- source


@BOTH
def test_the_current_ramps_in_steps(name: str, open_it: Callable[..., Opened], clock: VirtualClock) -> None:
    source, *_ = open_it(name)
    source.source_range = 1e-3
    source.source_enabled = True
    begin = clock.now()
    assert source.ramp_to(1e-3, 1e-3) == pytest.approx(1e-3)
    assert clock.now() - begin == pytest.approx(1.0, abs=0.3)


@BOTH
def test_a_range_makes_a_current_source_of_it(name: str, open_it: Callable[..., Opened]) -> None:
    source, *_ = open_it(name)
    assert source.source_mode == "voltage"  # as after *RST
    source.source_range = 1e-3
    assert source.source_mode == "current"


@BOTH
def test_a_voltage_source_that_is_on_is_not_turned_into_a_current_source(
    name: str, open_it: Callable[..., Opened]
) -> None:
    source, *_ = open_it(name)
    source.source_enabled = True
    with pytest.raises(InstrumentFault, match=f"{name} sources a voltage with its output on; bring it to 0"):
        source.source_range = 1e-3


@BOTH
def test_compliance_is_seen_and_forgotten(name: str, open_it: Callable[..., Opened]) -> None:
    source, *_ = open_it(name)
    source.source_compliance = 0.02
    source.source_range = 1e-3
    source.source_enabled = True
    source.set_current(1e-4)
    assert not source.watch_compliance()
    assert not source.was_in_compliance()
    source.set_current(1e-3)  # 34 mV of sample and leads
    assert source.was_in_compliance()
    assert source.watch_compliance()
    source.set_current(1e-4)
    assert not source.watch_compliance()


def test_only_the_2400_remembers_a_compliance_that_has_ended(open_it: Callable[..., Opened]) -> None:
    for name in CLASSES:
        source, *_ = open_it(name)
        source.source_compliance = 0.02
        source.source_range = 1e-3
        source.source_enabled = True
        assert not source.watch_compliance()
        source.set_current(1e-3)
        source.set_current(1e-4)
        assert source.was_in_compliance() is (name == "k2400")


@BOTH
def test_an_output_that_went_off_is_told(name: str, open_it: Callable[..., Opened]) -> None:
    source, *_ = open_it(name)
    with pytest.raises(CommunicationError, match=f"{name} has its output off, though it was switched on"):
        source.was_in_compliance()


def test_the_2400_measures_at_its_terminals(open_it: Callable[..., Opened]) -> None:
    source, _, lab = open_it()
    source.source_range = 1e-3
    source.source_enabled = True
    source.set_current(1e-3)
    volts, amps = source.measure()
    assert volts == pytest.approx(1e-3 * (OHM + 2 * LEAD_OHM), rel=1e-3)
    assert amps == pytest.approx(1e-3, rel=1e-3)
    source.wires = 4
    assert source.measure()[0] == pytest.approx(1e-3 * OHM, rel=1e-2)
    assert lab.journal == []


def test_the_2450_measures_what_was_chosen(open_it: Callable[..., Opened]) -> None:
    source, _, lab = open_it("k2450")
    source.source_range = 1e-3
    source.source_enabled = True
    source.set_current(1e-3)
    source.measure_voltage()
    assert source.measure_once() == pytest.approx(0.034, rel=1e-3)
    assert lab.journal == []


@BOTH
def test_a_current_that_reads_back_otherwise_is_a_fault(name: str) -> None:
    asked = ("SOUR:CURR 0.001;CURR?", "+2.000000E-03")
    with (
        expected_protocol(CLASSES[name], [asked, ("SOUR:CURR?", "+2.000000E-03")]) as source,
        pytest.raises(InstrumentFault, match=r"was told source current = 0\.001 and reads back 0\.002"),
    ):
        source.set_current(1e-3)


def test_a_current_that_was_lost_on_the_way_is_sent_once_more(open_it: Callable[..., Opened]) -> None:
    # the first message never arrives; what answers the question after it is the current of before
    fault = {"kind": "drop", "target": "k2400", "at": 0.0, "count": 1, "match": "SOUR:CURR 0.001*"}
    source, *_ = open_it(fault=[fault])
    assert source.set_current(1e-3) == pytest.approx(1e-3)
    assert [retry.question for retry in source.link.retries][-1] == "SOUR:CURR 0.001;CURR?"


# --- safe state


@BOTH
def test_the_safe_state_is_no_current_and_output_off(
    name: str, open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    source, _, lab = open_it(name)
    source.source_range = 1e-3
    source.source_enabled = True
    source.set_current(1e-3)
    begin = clock.now()
    assert source.safe_state(2e-3) == "0 A, output off"
    assert clock.now() - begin == pytest.approx(0.5, abs=0.2)
    assert (source.source_current, source.source_enabled) == (0.0, False)
    assert lab.wiring.terminals(f"{name}.out", lab.now()) == (0.0, 0.0)
    assert source.check_errors() == []
    source.shutdown()
    assert lab.journal == []


@BOTH
def test_the_safe_state_of_a_voltage_source_is_no_voltage(name: str, open_it: Callable[..., Opened]) -> None:
    source, _, lab = open_it(name)
    source.source_voltage = 0.03
    source.source_enabled = True
    assert source.safe_state() == "0 A, output off"
    assert source.source_voltage == 0.0
    assert lab.wiring.terminals(f"{name}.out", lab.now()) == (0.0, 0.0)


def test_a_source_whose_replies_are_spoilt_is_cut_off_all_the_same(
    open_it: Callable[..., Opened], clock: VirtualClock
) -> None:
    source, _, lab = open_it(fault=[{"kind": "garbage", "target": "k2400", "at": 60.0, "until": 1e4}])
    source.source_range = 1e-3
    source.source_enabled = True
    source.set_current(1e-3)
    clock.sleep(60.0)
    with pytest.raises(CommunicationError, match="was told 0 A and output off, which cannot be read back"):
        source.safe_state()
    assert lab.wiring.terminals("k2400.out", lab.now()) == (0.0, 0.0)


# --- in a bridge


@BOTH
def test_a_bridge_with_it_measures_the_resistance(name: str, open_it: Callable[..., Opened]) -> None:
    source, meter, lab = open_it(name)
    bridge = ReversalBridge(source, meter, compliance_v=1.0, ramp_a_per_s=0.1)
    bridge.start(1e-3)
    found = bridge.measure(30)
    assert found.flags == ()
    assert abs(found.resistance - OHM) <= 4 * found.resistance_error
    assert found.resistance_error < 1e-4
    bridge.stop()
    assert lab.wiring.terminals(f"{name}.out", lab.now()) == (0.0, 0.0)
    assert lab.journal == []


@BOTH
def test_a_bridge_whose_source_is_in_compliance_flags_its_points(
    name: str, open_it: Callable[..., Opened]
) -> None:
    source, meter, _ = open_it(name)
    bridge = ReversalBridge(source, meter, compliance_v=0.025, ramp_a_per_s=0.1)
    bridge.start(1e-3)
    assert bridge.measure(6).flags == ("compliance",)
    bridge.stop()


@BOTH
def test_a_bridge_that_fails_to_start_leaves_the_source_off(
    name: str, open_it: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, meter, lab = open_it(name)

    def fails(volts: float) -> float:
        raise InstrumentFault(f"no range for {volts}")

    monkeypatch.setattr(meter, "fix_range", fails)
    bridge = ReversalBridge(source, meter, compliance_v=1.0, ramp_a_per_s=0.1)
    with pytest.raises(InstrumentFault, match="no range"):
        bridge.start(1e-3)
    assert lab.wiring.terminals(f"{name}.out", lab.now()) == (0.0, 0.0)
    assert not source.source_enabled


# --- in a station

STATION = """
station = 1
name = "bench"
backend = "simulated"
[twin]
lab = "lab.toml"
[instruments.ls340]
driver = "lakeshore340"
resource = "GPIB0::13::INSTR"
[instruments.smu]
driver = "keithley{number}"
resource = "{resource}"
[instruments.k2182a]
driver = "keithley2182a"
resource = "GPIB0::7::INSTR"
[roles]
thermostat = "ls340"
[wiring.bar]
measures = "resistance"
method = "reversal"
source = "smu"
meter = "k2182a"
leads = {{ i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }}
compliance = "1 V"
ramp = "10 mA/s"
"""


@BOTH
def test_a_station_makes_it_safe_like_any_source(
    name: str, tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "station.toml"
    path.write_text(STATION.format(number=name[1:], resource=RESOURCES[name]), encoding="utf-8")
    lab = load_lab(
        "dip",
        clock,
        under={
            "lab": {"strict": True},
            "instrument": {name: {"model": name, "resources": [RESOURCES[name]]}},
        },
    )
    key = f"source-meter-{next(_numbers)}"
    set_lab(key, lab)
    station = open_station(load_station_file(path), clock, lab_key=key)
    try:
        bridge = station.bridge("bar")
        bridge.start(1e-3)
        assert station.look().sources_on == {"smu": True}
        assert bridge.measure(6).current == 1e-3
        steps = station.safe_state()
        assert station.look().sources_on == {"smu": False}
        assert all(step.confirmed for step in steps)
        assert steps[1].message == "0 A, output off"
        assert steps[2].message.startswith("temperature setpoint left at 300 K")
        found = {
            each.instrument: each for each in survey_station(load_station_file(path), clock, lab_key=key)
        }
        assert [reading.quantity for reading in found["smu"].readings] == ["current", "compliance"]
        assert [reading.quantity for reading in found["ls340"].readings][-1] == "heater output"
        assert not any(each.problem for each in found.values())
    finally:
        station.close()
        forget_lab(key)
    assert lab.journal == []
