"""Lake Shore 336 and 340: the dialect, the loop that heats the cryostat, and the stock driver."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymeasure.instruments.lakeshore import LakeShore3xx
from pymeasure.instruments.lakeshore.lakeshore_base import (
    LakeShoreHeaterChannel,
    LakeShoreTemperatureChannel,
)
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import virtual_time
from tests.sim.conftest import Bench, MakeBench

LS340, LS336 = "GPIB0::13::INSTR", "GPIB0::14::INSTR"
BOTH = pytest.mark.parametrize("address", [LS340, LS336])


@pytest.fixture
def dip(make_bench: MakeBench) -> Callable[..., Bench]:
    """Return what makes a strict bench of the dip probe, with a 336 beside its 340 where that is asked."""

    def make(address: str = LS340, **cryostat: Any) -> Bench:
        own: dict[str, Any] = {"cryostat": cryostat}
        if address == LS336:  # on the same plant, where nobody tells the 340 anything
            own["instrument"] = {"ls336": {"model": "lakeshore336", "resources": [LS336]}}
        return make_bench(under={"lab": {"strict": True}} | own, lab="dip")

    return make


def opened(bench: Bench, address: str = LS340) -> MessageBasedResource:
    return bench.open(address, read_termination="\r\n")


# --- dialect


@BOTH
def test_it_says_who_it_is_and_where_it_rests(address: str, dip: Callable[..., Bench]) -> None:
    bench = dip(address)
    controller = opened(bench, address)
    assert controller.query("*IDN?").startswith(f"LSCI,MODEL{'340' if address == LS340 else '336'},SIM")
    assert controller.query("RDGST? A;SETP? 1;RAMPST? 1") == "000;+300.000;0"
    assert float(controller.query("KRDG? A")) == pytest.approx(300.0, abs=0.02)
    assert bench.lab.journal == []


def test_only_the_340_takes_a_range_without_its_output(dip: Callable[..., Bench]) -> None:
    bench = dip(LS336)
    ls340, ls336 = opened(bench), opened(bench, LS336)
    ls340.write("RANGE 4")
    ls336.write("RANGE 1,2")
    assert (ls340.query("RANGE?"), ls336.query("RANGE? 1")) == ("4", "2")
    ls340.write("RANGE 1,2")
    ls336.write("RANGE 2")
    assert [(entry.kind, entry.command) for entry in bench.lab.journal] == [
        ("refused", "RANGE 1,2"),
        ("refused", "RANGE 2"),
    ]
    assert (ls340.query("RANGE?"), ls336.query("RANGE? 1")) == ("4", "2")
    assert int(ls340.query("*ESR?")) & 32


@BOTH
@pytest.mark.parametrize(
    ("told", "asked", "reply"),
    [
        ("PID 1,80,15,2", "PID? 1", "+0080.0,+0015.0,+0002.0"),
        ("PID 1, 80", "PID? 1", "+0080.0,+0020.0,+0000.0"),
        ("RAMP 1,1,2.5", "RAMP? 1", "1,+2.500"),
        ("MOUT 2,12.5", "MOUT? 2", "+12.50"),
        ("INNAME A,block", "INNAME? A", f"{'block':<15}"),
        ("INCRV B,22", "INCRV? B", "22"),
        ("TLIMIT A,320", "TLIMIT? A", "+320.000"),
        ("SETP 2,77", "SETP? 2", "+077.000"),
        ("*ESE 32", "*ESE?", "32"),
    ],
)
def test_settings_are_told_back(
    told: str, asked: str, reply: str, address: str, dip: Callable[..., Bench]
) -> None:
    bench = dip(address)
    controller = opened(bench, address)
    controller.write(told)
    assert controller.query(asked) == reply
    assert bench.lab.journal == []


@pytest.mark.parametrize(
    ("message", "bit"),
    [
        ("PID 1,5000", 16),
        ("PID 7,50", 16),
        ("PID 1,fifty", 32),
        ("PID 1", 32),
        ("PID 1,,20", 32),
        ("SETP 1", 32),
        ("SETP 1,-1", 16),
        ("SETP 1,nan", 16),
        ("RANGE 6", 16),
        ("KRDG? E", 16),
        ("KRDG?", 32),
        ("HTR? 1", 32),
        ("CRVHDR? 0", 16),
        ("OUTMODE? 1", 32),
        ("SYST:ERR?", 32),
        ("*ESE 256", 16),
    ],
)
def test_what_it_refuses_sets_a_bit_and_changes_nothing(
    message: str, bit: int, dip: Callable[..., Bench]
) -> None:
    bench = dip()
    controller = opened(bench)
    controller.write("*CLS")
    controller.write(message)
    assert int(controller.query("*ESR?")) == bit
    assert controller.query("*ESR?") == "0"
    assert controller.query("PID? 1;SETP? 1;RANGE?") == "+0050.0,+0020.0,+0000.0;+300.000;5"
    assert [entry.command for entry in bench.lab.journal] == [message]


def test_an_enabled_event_shows_in_the_status_byte(dip: Callable[..., Bench]) -> None:
    bench = dip()
    controller = opened(bench)
    controller.write("*CLS;*ESE 32;*SRE 32")
    controller.write("FROBNICATE")
    assert controller.query("*STB?") == str(0x20 | 0x40)
    assert controller.query("*ESR?") == "32"
    assert controller.query("*STB?") == "0"


def test_a_message_that_somebody_left_unread_is_not_thrown_away(dip: Callable[..., Bench]) -> None:
    bench = dip()
    controller = opened(bench)
    controller.write("RANGE?")
    assert controller.query("SETP? 1") == "5"


# --- loop


def test_the_setpoint_ramps_and_the_sample_follows_behind_the_sensor(dip: Callable[..., Bench]) -> None:
    bench = dip()
    controller = opened(bench)
    controller.write("RAMP 1,1,3")
    controller.write("SETP 1,270")
    start = bench.lab.now()
    bench.clock.sleep(300.0)
    setpoint, is_ramping, sensor, sample = map(
        float, controller.query("SETP? 1;RAMPST? 1;KRDG? A;KRDG? B").split(";")
    )
    passed_min = (bench.lab.now() - start) / 60.0
    assert setpoint == pytest.approx(300.0 - 3.0 * passed_min, abs=2e-3)
    assert is_ramping == 1
    # tau of the sensor 12 s, of the sample 8 s more: the lag of a straight line
    assert sensor - setpoint == pytest.approx(3.0 / 60.0 * 12.0, abs=5e-3)
    assert sample - sensor == pytest.approx(3.0 / 60.0 * 8.0, abs=5e-3)
    bench.clock.sleep(1800.0)
    assert controller.query("SETP? 1;RAMPST? 1") == "+270.000;0"
    assert float(controller.query("KRDG? A")) == pytest.approx(270.0, abs=0.01)


def test_without_a_ramp_the_setpoint_jumps_and_the_plant_comes_as_fast_as_it_can(
    dip: Callable[..., Bench],
) -> None:
    bench = dip()
    controller = opened(bench)
    controller.write("SETP 1,294")
    assert controller.query("SETP? 1;RAMPST? 1") == "+294.000;0"
    bench.clock.sleep(30.0)  # half a minute at 6 K/min, less the lag
    assert 297.0 < float(controller.query("KRDG? A")) < 299.9


def test_a_rate_of_zero_counts_as_no_ramp(dip: Callable[..., Bench]) -> None:
    controller = opened(dip())
    controller.write("RAMP 1,1,0;SETP 1,250")
    assert controller.query("SETP? 1;RAMPST? 1") == "+250.000;0"


def test_switching_the_ramp_off_lets_the_setpoint_jump_to_its_target(dip: Callable[..., Bench]) -> None:
    bench = dip()
    controller = opened(bench)
    controller.write("RAMP 1,1,1;SETP 1,200")
    bench.clock.sleep(60.0)
    assert controller.query("RAMPST? 1") == "1"
    controller.write("RAMP 1,0,1")
    assert controller.query("SETP? 1;RAMPST? 1") == "+200.000;0"


def test_with_its_heater_off_the_probe_cools_to_the_bath_and_comes_back(dip: Callable[..., Bench]) -> None:
    bench = dip(start_k=60.0)
    controller = opened(bench)
    controller.write("RANGE 0")
    bench.clock.sleep(3600.0)
    assert controller.query("HTR?;SETP? 1") == "+000.0;+060.000"
    assert float(controller.query("KRDG? A")) == pytest.approx(4.1, abs=0.01)
    controller.write("RANGE 5")
    bench.clock.sleep(3600.0)
    assert float(controller.query("KRDG? A")) == pytest.approx(60.0, abs=0.01)


def test_a_range_that_is_too_low_does_not_reach_the_setpoint(dip: Callable[..., Bench]) -> None:
    bench = dip(start_k=20.0)
    controller = opened(bench)
    controller.write("RANGE 4;SETP 1,200")
    bench.clock.sleep(7200.0)
    # 2.5 W over 0.03 W/K above the bath
    assert float(controller.query("KRDG? A")) == pytest.approx(4.1 + 2.5 / 0.03, abs=0.02)
    assert float(controller.query("HTR?")) == pytest.approx(100.0, abs=0.1)
    assert controller.query("SETP? 1") == "+200.000"


def test_the_output_is_what_the_loss_to_the_bath_takes(dip: Callable[..., Bench]) -> None:
    controller = opened(dip(start_k=104.1))
    assert float(controller.query("HTR?")) == pytest.approx(100.0 * 0.03 * 100.0 / 25.0, abs=0.06)


def test_a_reset_switches_the_heater_off(dip: Callable[..., Bench]) -> None:
    controller = opened(dip())
    controller.write("*RST")
    assert controller.query("RANGE?") == "0"


def test_a_lost_heater_is_told_by_its_status(make_bench: MakeBench) -> None:
    fault = {"kind": "heater_lost", "target": "cryostat", "at": 10.0}
    bench = make_bench(under={"fault": [fault]}, lab="dip")
    controller = opened(bench)
    assert controller.query("HTRST?") == "0"
    bench.clock.sleep(60.0)
    assert controller.query("HTRST?") == "5"


def test_a_setpoint_from_the_front_panel_is_told_like_any_other(make_bench: MakeBench) -> None:
    fault = {
        "kind": "foreign_setpoint",
        "target": "cryostat",
        "at": 10.0,
        "args": {"temperature_k": 250.0},
    }
    bench = make_bench(under={"fault": [fault]}, lab="dip")
    controller = opened(bench)
    bench.clock.sleep(3600.0)
    assert controller.query("SETP? 1") == "+250.000"


def test_a_lab_that_opens_on_its_way_goes_on_with_the_ramp(make_bench: MakeBench) -> None:
    start = {"start_k": 100.0, "start_setpoint_k": 50.0, "start_rate_k_per_min": 2.0}
    bench = make_bench(under={"cryostat": start}, lab="dip")
    controller = opened(bench)
    bench.clock.sleep(60.0)
    setpoint, is_ramping, ramp = controller.query("SETP? 1;RAMPST? 1;RAMP? 1").split(";")
    assert (is_ramping, ramp) == ("1", "1,+2.000")
    assert float(setpoint) == pytest.approx(98.0, abs=2e-3)


@pytest.mark.parametrize(("channel", "status"), [("A", "160"), ("B", "000"), ("C", "001")])
def test_an_open_sensor_and_an_input_without_one_are_told(
    channel: str, status: str, make_bench: MakeBench
) -> None:
    broken = {"model": "lakeshore340", "resources": [LS336], "inputs": {"A": "open", "B": "sample"}}
    bench = make_bench(under={"instrument": {"broken": broken}})
    assert opened(bench, LS336).query(f"RDGST? {channel}") == status


# --- stock driver

INPUTS = {"kelvin", "celsius", "sensor"}
OUTPUTS = {"output", "mout", "range", "setpoint"}
# with the reason why it is not like the others
INPUT_FINDINGS = {"celcius": "deprecated in favour of celsius"}
# of the controller; all that SCPIMixin adds
READINGS = {"id", "status", "complete"}
FINDINGS = {"options": "asks *OPT?, which it has not", "next_error": "asks SYST:ERR?, which it has not"}


@pytest.fixture
def stock(dip: Callable[..., Bench], request: pytest.FixtureRequest) -> Iterator[tuple[Bench, Any]]:
    bench = dip(request.param)
    driver = LakeShore3xx(request.param, visa_library=f"{bench.key}@onnes")
    yield bench, driver
    driver.adapter.close()


def of(driver: type) -> set[str]:
    return {name for name in dir(driver) if isinstance(getattr(driver, name, None), property)}


def test_no_property_of_the_stock_driver_is_left_out() -> None:
    assert of(LakeShoreTemperatureChannel) == {*INPUTS, *INPUT_FINDINGS}
    assert of(LakeShoreHeaterChannel) == OUTPUTS
    assert of(LakeShore3xx) == {*READINGS, *FINDINGS}


@pytest.mark.parametrize("stock", [LS336, LS340], indirect=True)
def test_the_stock_driver_reads_inputs(stock: tuple[Bench, Any]) -> None:
    bench, driver = stock
    for channel in (driver.input_A, driver.input_B):
        assert channel.kelvin == pytest.approx(300.0, abs=0.01)
        assert channel.celsius == pytest.approx(26.85, abs=0.01)
        assert channel.sensor == pytest.approx(0.5, abs=1e-3)
    assert all(getattr(driver, name) is not None for name in READINGS)
    assert bench.lab.journal == []


@pytest.mark.parametrize("stock", [LS336], indirect=True)
def test_the_stock_driver_gets_what_it_sets_of_a_336(stock: tuple[Bench, Any]) -> None:
    bench, driver = stock
    for output in (driver.output_1, driver.output_4):
        for name, value in (("setpoint", 280.5), ("mout", 12.5), ("range", "low"), ("range", "high")):
            setattr(output, name, value)
            assert getattr(output, name) == value
        assert output.output >= 0.0
    assert bench.lab.journal == []


@pytest.mark.parametrize("stock", [LS340], indirect=True)
def test_the_stock_driver_names_an_output_in_the_range_of_a_340(stock: tuple[Bench, Any]) -> None:
    bench, driver = stock
    driver.output_1.setpoint = 280.5
    driver.output_1.mout = 12.5
    assert (driver.output_1.setpoint, driver.output_1.mout) == (280.5, 12.5)
    assert bench.lab.journal == []
    driver.output_1.range = "low"
    for name in ("range", "output"):
        with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
            getattr(driver.output_1, name)
    assert [entry.command for entry in bench.lab.journal] == ["RANGE 1,1", "RANGE? 1", "HTR? 1"]


@pytest.mark.parametrize("stock", [LS336, LS340], indirect=True)
@pytest.mark.parametrize("name", sorted(FINDINGS))
def test_the_stock_driver_asks_for_scpi_that_is_not_there(name: str, stock: tuple[Bench, Any]) -> None:
    bench, driver = stock
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        getattr(driver, name)
    assert len(bench.lab.journal) == 1


@pytest.mark.parametrize("stock", [LS340], indirect=True)
def test_the_stock_wait_ends_while_the_temperature_still_moves(stock: tuple[Bench, Any]) -> None:
    bench, driver = stock
    with virtual_time(bench.clock):
        driver.write("RAMP 1,1,6")
        driver.output_1.setpoint = 290.0
        driver.input_A.wait_for_temperature(290.0)
        # the first reading within 0.1 %, 0.3 K, ends it
        assert driver.input_A.kelvin - 290.0 > 0.05
