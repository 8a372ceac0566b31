"""Source meters 2400 and 2450: sourcing into a loop, measuring their terminals, and the stock drivers."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pymeasure.instruments.keithley import Keithley2400, Keithley2450
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import virtual_time
from tests.sim.conftest import METER, Bench, MakeBench

K2400, K2450 = "GPIB0::24::INSTR", "GPIB0::18::INSTR"
OHM, LEAD_OHM = 10.0, 12.0  # the metal bar at 300 K, each of its leads
LAB: dict[str, Any] = {
    "sample": {"model": "metal"},
    "instrument": {
        "k2400": {"model": "k2400", "resources": [K2400]},
        "k2450": {"model": "k2450", "resources": [K2450]},
    },
    "read": [{"port": "k2182a.ch1", "loop": "I"}, {"port": "k2400.sense", "loop": "I"}],
}
DRIVES = {"k2400": [{"port": "k2400.out", "loop": "I"}], "k2450": [{"port": "k2450.out", "loop": "I"}]}


@pytest.fixture
def bench_of(make_bench: MakeBench) -> Callable[[str], Bench]:
    """Return what makes a strict bench on which one source meter drives the loop."""

    def make(name: str = "k2400") -> Bench:
        return make_bench(under={"lab": {"strict": True}, **LAB, "drive": DRIVES[name]})

    return make


def opened(bench: Bench, address: str = K2400) -> MessageBasedResource:
    return bench.open(address, timeout=60_000)


def reading(instrument: MessageBasedResource) -> list[float]:
    return [float(part) for part in instrument.query("READ?").split(",")]


def nanovolts(bench: Bench) -> float:
    meter = bench.open(METER, timeout=60_000)
    meter.write(":SENS:VOLT:DFIL 0;NPLC 1")
    return float(meter.query("READ?"))


# --- source


def test_it_drives_the_loop_only_while_its_output_is_on(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    source = opened(bench)
    source.write(":SOUR:FUNC CURR;:SOUR:CURR 1e-3")
    assert nanovolts(bench) == pytest.approx(0.0, abs=1e-6)
    source.write(":OUTP ON")
    assert nanovolts(bench) == pytest.approx(1e-3 * OHM, abs=1e-6)
    source.write(":SOUR:CLE")
    assert nanovolts(bench) == pytest.approx(0.0, abs=1e-6)
    assert source.query("SYST:ERR?").startswith("0,")


def test_two_wires_read_the_leads_too_and_four_do_not(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":SOUR:FUNC CURR;:SOUR:CURR 1e-3;:SENS:FUNC:ALL;:OUTP ON")
    volts, amps, ohms, *_ = reading(source)
    assert volts == pytest.approx(1e-3 * (OHM + 2 * LEAD_OHM), rel=1e-4)
    assert amps == pytest.approx(1e-3, rel=1e-4)
    assert ohms == pytest.approx(volts / amps, rel=1e-4)
    source.write(":SYST:RSEN ON")
    assert reading(source)[0] == pytest.approx(1e-3 * OHM, rel=1e-3)


def test_a_voltage_source_gives_the_current_that_sample_and_leads_take(
    bench_of: Callable[..., Bench],
) -> None:
    bench = bench_of()
    source = opened(bench)
    source.write(":SOUR:VOLT 0.034;:SENS:CURR:PROT 0.01;:OUTP ON")
    assert reading(source)[1] == pytest.approx(1e-3, rel=1e-3)
    assert source.query(":SENS:CURR:PROT:TRIP?").strip() == "0"
    source.write(":SENS:CURR:PROT 5e-4")
    assert reading(source)[1] == pytest.approx(5e-4, rel=1e-3)
    assert source.query(":SENS:CURR:PROT:TRIP?").strip() == "1"


def test_a_negative_voltage_drives_a_negative_current(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":SOUR:VOLT -0.034;:SENS:CURR:PROT 0.01;:OUTP ON")
    assert reading(source)[1] == pytest.approx(-1e-3, rel=1e-3)


def test_compliance_limits_the_current_and_is_latched(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":SOUR:FUNC CURR;:SENS:VOLT:PROT 0.017;:SENS:FUNC:ALL;:SOUR:CURR 1e-3;:OUTP ON")
    _, amps, _, _, status = reading(source)
    assert amps == pytest.approx(5e-4, rel=1e-3)
    assert int(status) & 8
    source.write(":SOUR:CURR 1e-4")
    assert source.query(":STAT:MEAS:COND?").strip() == "0"
    assert int(source.query(":STAT:MEAS?")) == 1 << 14
    assert source.query(":STAT:MEAS?").strip() == "0"


@pytest.mark.parametrize("range_", ["SOUR:CURR:RANG", "SENS:CURR:RANG"])
@pytest.mark.parametrize(
    ("asked", "told"), [("1e-6", 1.05e-6), ("1.2e-6", 1.05e-5), ("-0.01", 0.0105), ("1.05", 1.05)]
)
def test_a_range_is_told_as_its_full_scale(
    range_: str, asked: str, told: float, bench_of: Callable[..., Bench]
) -> None:
    source = opened(bench_of())
    source.write(f":{range_} {asked}")
    assert float(source.query(f":{range_}?")) == pytest.approx(told)
    assert source.query(f":{range_}:AUTO?").strip() == "0"


def test_a_level_beyond_a_fixed_range_is_a_conflict(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":SOUR:CURR:RANG 1e-6;:SOUR:CURR 1e-3")
    assert source.query("SYST:ERR?").startswith("-221,")
    source.write(":SOUR:CURR:RANG:AUTO 1;:SOUR:CURR 1e-3;:SOUR:CURR:RANG 1e-6")
    assert source.query("SYST:ERR?").startswith("-221,")
    assert float(source.query(":SOUR:CURR?")) == 1e-3


# --- meter


def test_a_reading_with_the_output_off_is_refused(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    source = bench.open(K2400, timeout=100)
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        source.query("READ?")
    assert source.query("SYST:ERR?") == '803,"Not permitted with OUTPUT off"\n'
    assert int(source.query("*ESR?")) & 8


def test_elements_keep_their_order_and_what_is_not_measured_is_no_number(
    bench_of: Callable[..., Bench],
) -> None:
    source = opened(bench_of())
    source.write(":FORM:ELEM STATUS, RES, VOLT;:SOUR:FUNC CURR;:SENS:FUNC:CONC 0;:SENS:FUNC 'VOLT';:OUTP 1")
    assert source.query(":FORM:ELEM?") == "VOLT,RES,STAT\n"
    volts, ohms, _ = reading(source)
    assert volts == pytest.approx(0.0, abs=1e-4)
    assert ohms == 9.91e37


def test_beyond_a_fixed_range_it_overflows(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:SENS:VOLT:RANG 0.2;:SOUR:CURR 0.01;:OUTP 1")
    volts, *_, status = reading(source)
    assert volts == 9.9e37
    assert int(status) & 1


def test_noise_falls_with_integration_and_a_reading_takes_its_time(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    source = opened(bench)
    source.write(":SOUR:FUNC CURR;:SENS:FUNC:CONC 0;:SENS:FUNC 'VOLT';:SENS:VOLT:RANG 0.2;:OUTP 1")

    def spread(nplc: float) -> tuple[float, float]:
        source.write(f":SENS:VOLT:NPLC {nplc:g}")
        begin = bench.lab.now()
        volts = [reading(source)[0] for _ in range(200)]
        return float(np.std(volts)), (bench.lab.now() - begin) / 200

    (fast, fast_s), (slow, slow_s) = spread(0.1), spread(10.0)
    assert fast / slow == pytest.approx(10.0, rel=0.25)
    assert slow_s - fast_s == pytest.approx(3 * 9.9 / 50.0, rel=0.05)


def test_the_buffer_fills_in_the_background_and_has_statistics(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    source = opened(bench)
    source.write(":SOUR:FUNC CURR;:SENS:FUNC:ALL;:SOUR:CURR 1e-3;:OUTP ON")
    source.write(":TRAC:POIN 5;:TRIG:COUN 5;:TRAC:FEED:CONT NEXT;:INIT")
    assert not int(source.query("STAT:MEAS?")) & 512
    bench.clock.sleep(10.0)
    assert int(source.query("STAT:MEAS?")) & 512
    assert len(source.query("TRAC:DATA?").split(",")) == 25
    source.write("CALC3:FORM MEAN")
    mean = [float(part) for part in source.query("CALC3:DATA?").split(",")]
    assert mean == pytest.approx([0.034, 1e-3, 34.0], rel=1e-3)
    source.write("TRAC:CLE")
    source.write("CALC3:DATA?")
    assert source.query("SYST:ERR?").startswith("-230,")


def test_a_bus_trigger_starts_what_waits_for_it(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    source = opened(bench)
    source.write(":SOUR:FUNC CURR;:OUTP ON;:ARM:SOUR BUS;:TRAC:POIN 1;:TRAC:FEED:CONT NEXT;:INIT")
    bench.clock.sleep(5.0)
    assert not int(source.query("STAT:MEAS?")) & 512
    source.write("*TRG")
    bench.clock.sleep(5.0)
    assert int(source.query("STAT:MEAS?")) & 512


def test_arm_and_trigger_counts_fit_the_buffer_together(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":ARM:COUN 50;:TRIG:COUN 51")
    assert source.query("SYST:ERR?").startswith("-221,")


def test_automatic_output_off_switches_off_after_a_reading(bench_of: Callable[..., Bench]) -> None:
    source = opened(bench_of())
    source.write(":SOUR:FUNC CURR;:SOUR:CLE:AUTO ON;:OUTP ON")
    reading(source)
    assert source.query("OUTP?").strip() == "0"


def test_a_reset_is_what_a_test_on_the_instrument_found(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of()
    source = opened(bench)
    source.write(":SOUR:FUNC CURR;:SOUR:CURR:RANG 1;:SOUR:CURR 0.5;:SENS:VOLT:RANG 200;:OUTP ON;:SOUR:DEL 2")
    source.write(":SENS:CURR:RANG 1;:SENS:RES:RANG 1e3;:SENS:VOLT:PROT 200;:SYST:AZER ONCE;:SENS:AVER ON")
    source.write("*RST")
    expected = {
        "OUTP": "0",
        "OUTP:SMOD": "NORM",
        "ROUT:TERM": "FRON",
        "SENS:CURR:RANG": 1.05e-4,
        "SENS:CURR:RANG:AUTO": "1",
        "SENS:CURR:NPLC": 1.0,
        "SENS:CURR:PROT": 1.05e-4,
        "SENS:VOLT:RANG": 21.0,
        "SENS:VOLT:RANG:AUTO": "1",
        "SENS:VOLT:NPLC": 1.0,
        "SENS:VOLT:PROT": 21.0,
        "SENS:RES:MODE": "AUTO",
        "SENS:RES:RANG": 2.1e5,
        "SENS:RES:RANG:AUTO": "1",
        "SENS:RES:NPLC": 1.0,
        "SENS:AVER": "0",
        "SENS:AVER:COUN": 10,
        "SENS:AVER:TCON": "REP",
        "SOUR:CLE:AUTO": "0",
        "SOUR:FUNC": "VOLT",
        "SOUR:DEL": 1e-3,
        "SOUR:DEL:AUTO": "1",
        "SOUR:CURR:RANG": 1.05e-4,
        "SOUR:CURR:RANG:AUTO": "1",
        "SOUR:VOLT:RANG": 21.0,
        "SOUR:VOLT:RANG:AUTO": "1",
        "SOUR:CURR": 0.0,
        "SOUR:VOLT": 0.0,
        "SYST:AZER": "1",
    }
    for header, wanted in expected.items():
        found = source.query(f":{header}?").strip()
        assert (found if isinstance(wanted, str) else float(found)) == wanted, header
    assert bench.lab.journal == []


def test_the_2450_reads_one_function_at_a_time(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of("k2450")
    source = opened(bench, K2450)
    source.write(":SOUR:FUNC CURR;:SOUR:CURR 1e-3;:SENS:FUNC 'VOLT';:OUTP ON")
    assert float(source.query("READ?")) == pytest.approx(0.034, rel=1e-3)
    source.write(":SENS:FUNC 'RES'")
    assert float(source.query("READ?")) == pytest.approx(34.0, rel=1e-3)
    source.write(":SOUR:CURR:VLIM 0.017")
    assert source.query(":SOUR:CURR:VLIM:TRIP?").strip() == "1"
    assert bench.lab.journal == []


# --- stock drivers

BOOL: list[Any] = [True, False]
SETTINGS_2400: dict[str, list[Any]] = {
    "source_enabled": BOOL,
    "source_mode": ["current", "voltage"],
    "source_delay": [0.0, 999.9, 0.5],
    "source_delay_auto_enabled": BOOL,
    "auto_zero_enabled": BOOL,
    "output_off_state": ["disconnected", "zero", "guard", "normal"],
    "auto_output_off_enabled": BOOL,
    "filter_enabled": BOOL,
    "repeat_filter_enabled": BOOL,
    "filter_count": [1, 100],
    "current_range_auto_enabled": BOOL,
    "current_nplc": [0.01, 10.0],
    "compliance_current": [1e-3, 1.05],
    "source_current": [1.05, -1e-3, 0.0],
    "source_current_range_auto_enabled": BOOL,
    "voltage_range_auto_enabled": BOOL,
    "voltage_nplc": [0.01, 10.0],
    "compliance_voltage": [0.2, 210.0],
    "source_voltage": [210.0, -1.5, 0.0],
    "source_voltage_range_auto_enabled": BOOL,
    "resistance_mode_auto_enabled": BOOL,
    "resistance_range_auto_enabled": BOOL,
    "resistance_nplc": [0.01, 10.0],
    "buffer_points": [2, 1024],
    "trigger_count": [2500, 1],
    "arm_count": [2500, 1],
    "trigger_delay": [999.0, 0.0],
    "arm_timer": [1e-3, 99999.0],
    "trigger_source": ["trigger_link", "immediate"],
    "arm_source": ["trigger_link", "timer", "manual", "bus", "immediate"],
    "trigger_output_event": ["source", "delay", "sense", "none"],
    "arm_output_event": ["trigger_enter", "trigger_exit", "none"],
    "trigger_input_line": [1, 4],
    "arm_input_line": [1, 4],
    "trigger_output_line": [1, 4],
    "arm_output_line": [1, 4],
    "display_enabled": [False, True],
    "wires": [4, 2],
    "line_frequency": [60, 50],
    "line_frequency_auto_enabled": BOOL,
    "front_terminals_enabled": [False, True],
}
# a range reads back as its full scale
RANGES: dict[str, tuple[float, float]] = {
    "current_range": (0.01, 0.0105),
    "voltage_range": (2.0, 2.1),
    "resistance_range": (2000.0, 2100.0),
    "source_current_range": (1e-4, 1.05e-4),
    "source_voltage_range": (200.0, 210.0),
}
READINGS_2400 = {"id", "options", "status", "complete", "next_error", "current", "voltage", "resistance"}
STATISTICS = {
    f"{kind}_{what}"
    for kind in ("mean", "max", "min", "std")
    for what in ("voltage", "current", "resistance")
} | {"means", "maximums", "minimums", "standard_devs"}
# deprecated in favour of others
OLD_2400 = {
    "source_delay_auto",
    "auto_zero",
    "auto_output_off",
    "filter_state",
    "filter_type",
    "line_frequency_auto",
    "error",
}

SETTINGS_2450: dict[str, list[Any]] = {
    "source_mode": ["current", "voltage"],
    "current_nplc": [0.01, 10.0],
    "compliance_current": [1e-3, 1.05],
    "source_current": [1.05, -1e-3, 0.0],
    "source_current_delay": [0.0, 999.0],
    "source_current_delay_auto": BOOL,
    "voltage_nplc": [0.01, 10.0],
    "compliance_voltage": [0.2, 210.0],
    "source_voltage": [210.0, -1.5, 0.0],
    "source_voltage_delay": [0.0, 999.0],
    "source_voltage_delay_auto": BOOL,
    "resistance_nplc": [0.01, 10.0],
    "wires": [4, 2],
    "buffer_points": [2, 6_875_000],
    "current_filter_type": ["MOV", "REP"],
    "current_filter_count": [1, 100],
    "voltage_filter_type": ["MOV", "REP"],
    "voltage_filter_count": [1, 100],
    "current_output_off_state": ["HIMP", "ZERO", "GUAR", "NORM"],
    "voltage_output_off_state": ["HIMP", "ZERO", "GUAR", "NORM"],
}
READINGS_2450 = {*READINGS_2400, "source_enabled"}
# with the reason why it is not like the others
FINDINGS_2450 = {
    "current_filter_state": "tells ON and OFF, is told 1 and 0 by the instrument",
    "error": "deprecated in favour of next_error",
}


def of(driver: type) -> set[str]:
    return {name for name in dir(driver) if isinstance(getattr(driver, name, None), property)}


@pytest.fixture
def k2400(bench_of: Callable[..., Bench]) -> Iterator[tuple[Bench, Any]]:
    bench = bench_of()
    driver = Keithley2400(K2400, visa_library=f"{bench.key}@onnes", timeout=60_000)
    yield bench, driver
    driver.adapter.close()


@pytest.fixture
def k2450(bench_of: Callable[..., Bench]) -> Iterator[tuple[Bench, Any]]:
    bench = bench_of("k2450")
    driver = Keithley2450(K2450, visa_library=f"{bench.key}@onnes", timeout=60_000)
    yield bench, driver
    driver.adapter.close()


def test_no_property_of_the_stock_drivers_is_left_out() -> None:
    buffered = {*STATISTICS, "buffer_data"}
    assert of(Keithley2400) == {*SETTINGS_2400, *RANGES, *READINGS_2400, *OLD_2400, *buffered}
    assert of(Keithley2450) == {*SETTINGS_2450, *RANGES, *READINGS_2450, *FINDINGS_2450, *buffered}


def get_set_get(bench: Bench, driver: Any, name: str, values: list[Any]) -> None:
    getattr(driver, name)
    for value in values:
        setattr(driver, name, value)
        found = getattr(driver, name)
        assert found == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), name
    assert driver.ask("SYST:ERR?").startswith("0,")
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", SETTINGS_2400)
def test_the_2400_driver_gets_what_it_sets(name: str, k2400: tuple[Bench, Any]) -> None:
    get_set_get(*k2400, name, SETTINGS_2400[name])


@pytest.mark.parametrize("name", SETTINGS_2450)
def test_the_2450_driver_gets_what_it_sets(name: str, k2450: tuple[Bench, Any]) -> None:
    get_set_get(*k2450, name, SETTINGS_2450[name])


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("meter", ["k2400", "k2450"])
def test_the_drivers_read_a_range_as_its_full_scale(
    meter: str, name: str, request: pytest.FixtureRequest
) -> None:
    bench, driver = request.getfixturevalue(meter)
    asked, told = RANGES[name]
    setattr(driver, name, asked)
    assert getattr(driver, name) == pytest.approx(told)
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", sorted(READINGS_2400))
def test_the_2400_driver_reads(name: str, k2400: tuple[Bench, Any]) -> None:
    bench, driver = k2400
    assert getattr(driver, name) is not None
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", sorted(READINGS_2450))
def test_the_2450_driver_reads(name: str, k2450: tuple[Bench, Any]) -> None:
    bench, driver = k2450
    assert getattr(driver, name) is not None
    assert bench.lab.journal == []


def test_the_2400_driver_sources_measures_and_buffers(k2400: tuple[Bench, Any]) -> None:
    bench, driver = k2400
    with virtual_time(bench.clock):
        driver.source_mode = "current"
        driver.compliance_voltage = 2.0
        driver.enable_source()
        driver.ramp_to_current(1e-3)
        found = driver.measure_all()
        assert found["voltage"] == pytest.approx(0.034, rel=1e-3)
        assert found["current"] == pytest.approx(1e-3, rel=1e-3)
        driver.write(":TRAC:CLE;POIN 3;FEED:CONT NEXT")
        driver.trigger_count = 3
        driver.start_buffer()
        bench.clock.sleep(5.0)
        assert driver.buffer_data.size == 15
        assert driver.mean_voltage == pytest.approx(0.034, rel=1e-3)
        assert driver.std_voltage < 1e-5
        driver.shutdown()
    assert not bench.lab.instruments["k2400"].output  # type: ignore[attr-defined]
    assert bench.lab.journal == []


def test_the_2450_driver_sources_and_measures(k2450: tuple[Bench, Any]) -> None:
    bench, driver = k2450
    with virtual_time(bench.clock):
        driver.apply_current(compliance_voltage=2.0)
        driver.enable_source()
        driver.measure_voltage()
        driver.ramp_to_current(1e-3)
        assert driver.voltage == pytest.approx(0.034, rel=1e-3)
        driver.shutdown()
    assert not bench.lab.instruments["k2450"].output  # type: ignore[attr-defined]


def test_the_2450_driver_resets_with_a_colon_before_a_common_command(k2450: tuple[Bench, Any]) -> None:
    bench, driver = k2450
    driver.reset()
    assert [(e.kind, e.command) for e in bench.lab.journal] == [("refused -113", "*RST;:stat:pres;:*CLS;")]


def test_the_2400_driver_configures_its_buffer_with_common_commands_in_between(
    k2400: tuple[Bench, Any],
) -> None:
    bench, driver = k2400
    driver.config_buffer(points=10)
    assert bench.lab.journal == []
    assert driver.buffer_points == driver.trigger_count == 10


def test_old_names_of_the_2400_driver_still_work(k2400: tuple[Bench, Any]) -> None:
    bench, driver = k2400
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for name in sorted(OLD_2400):
            assert getattr(driver, name) is not None
    assert bench.lab.journal == []
