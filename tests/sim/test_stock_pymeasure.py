"""Stock PyMeasure drivers, unmodified, against their twins in strict mode.

What is known to be wrong with a driver is written here as an expected finding, and found.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymeasure.instruments.keithley import Keithley2182, Keithley6221
from pymeasure.instruments.keithley.keithley2182 import Keithley2182Channel
from pyvisa.errors import VisaIOError

from onnes.instruments.clock import virtual_time
from tests.sim.conftest import METER, SOURCE, Bench, MakeBench

# property of Keithley6221: values to set, in order
SOURCE_SETTINGS: dict[str, list[Any]] = {
    "source_enabled": [True, False],
    "shield_to_guard_enabled": [True, False],
    "source_delay": [0.5, 1e-3, 999999.0],
    "output_low_grounded": [True, False],
    "source_current": [1.234e-3, -0.105, 0.0],
    "source_compliance": [0.1, 105.0, 2.5],
    "source_range": [2e-9, 2e-5, 0.1],
    "source_auto_range": [True, False],
    "delta_unit": ["Ohms", "W", "Siemens", "V"],
    "delta_high_source": [0.0, 1e-4, 0.105],
    "delta_low_source": [-0.105, -1e-6, 0.0],
    "delta_delay": [0.0, 1e-3, 9999.999],
    "delta_cycles": [1, 65536],
    "delta_measurement_sets": [2, 100],
    "delta_compliance_abort_enabled": [True, False],
    "delta_cold_switch_enabled": [True, False],
    "delta_buffer_points": [10, 1_000_000],
    "waveform_function": ["ramp", "square", "arbitrary1", "arbitrary4", "sine"],
    "waveform_frequency": [1e-3, 1e5, 17.77],
    "waveform_amplitude": [2e-12, 0.105, 1e-4],
    "waveform_offset": [-0.1, 0.1, 0.0],
    "waveform_dutycycle": [0.0, 100.0, 30.0],
    "waveform_duration_time": [100e-9, 999999.0],
    "waveform_duration_cycles": [1e-3, 100.0],
    "waveform_ranging": ["fixed", "best"],
    "waveform_use_phasemarker": [True, False],
    "waveform_phasemarker_phase": [-180.0, 180.0, 0.0],
    "waveform_phasemarker_line": [1, 6],
    "display_enabled": [False, True],
    "measurement_event_enabled": [512, 0],
    "operation_event_enabled": [128, 0],
    "questionable_event_enabled": [1, 0],
    "srq_event_enabled": [128, 0],
    "buffer_points": [2, 1024],
}
SOURCE_READINGS = {
    "id",
    "options",
    "status",
    "complete",
    "measurement_events",
    "operation_events",
    "questionable_events",
    "standard_events",
    "delta_connected",
    "next_error",
}
# with the reason why it is not like the others
SOURCE_FINDINGS = {
    "standard_event_enabled": "asks ESE? without its star",
    "delta_sense": "readings exist only while delta runs",
    "delta_values": "the buffer is empty while no delta has run",
    "buffer_data": "as delta_values",
    "error": "deprecated in favour of next_error",
}

METER_SETTINGS: dict[str, list[Any]] = {
    "auto_zero_enabled": [False, True],
    "display_enabled": [False, True],
    "active_channel": [0, 2, 1],
    "channel_function": ["temperature", "voltage"],
    "voltage_nplc": [0.01, 50, 1.0],
    "thermocouple": list("BEJKNRST"),
    "temperature_nplc": [0.01, 50, 1.0],
    "temperature_reference_junction": ["SIM", "INT"],
    "temperature_simulated_reference": [0.0, 60.0, 23.0],
    "trigger_count": [9999, 1],
    "trigger_delay": [1.5, 0.0],
    "buffer_points": [2, 1024, 5],
}
CHANNEL_SETTINGS: dict[str, list[Any]] = {
    "voltage_range": [0.1, 1.0, 10.0],
    "voltage_range_auto_enabled": [False, True],
    "voltage_offset": [-1.5, 1.5, 0.0],
    "temperature_offset": [-273.0, 1800.0, 0.0],
    "voltage_offset_enabled": [True, False],
    "temperature_offset_enabled": [True, False],
}
METER_READINGS = {
    "id",
    "options",
    "status",
    "complete",
    "line_frequency",
    "voltage",
    "temperature",
    "internal_temperature",
    "next_error",
}
STATISTICS = {"mean", "maximum", "minimum", "standard_dev", "buffer_data"}


def properties(driver: type) -> set[str]:
    return {name for name in dir(driver) if isinstance(getattr(driver, name, None), property)}


def assert_no_findings(bench: Bench, driver: Any) -> None:
    assert driver.ask("SYST:ERR?").startswith("0,")
    assert bench.lab.journal == []


def as_set(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-12)
    return bool(found == wanted)


@pytest.fixture
def source(strict_bench: Bench) -> Iterator[Any]:
    driver = Keithley6221(SOURCE, visa_library=f"{strict_bench.key}@onnes")
    yield driver
    driver.adapter.close()


@pytest.fixture
def meter(strict_bench: Bench) -> Iterator[Any]:
    # The default, '\r', makes PyVISA warn about every reply: it is the one finding of this driver, below.
    driver = Keithley2182(
        METER, visa_library=f"{strict_bench.key}@onnes", read_termination="\n", timeout=60_000
    )
    yield driver
    driver.adapter.close()


def test_no_property_of_the_drivers_is_left_out() -> None:
    assert properties(Keithley6221) == {*SOURCE_SETTINGS, *SOURCE_READINGS, *SOURCE_FINDINGS}
    assert properties(Keithley2182) == {*METER_SETTINGS, *METER_READINGS, *STATISTICS}
    assert properties(Keithley2182Channel) == set(CHANNEL_SETTINGS)


def get_set_get(bench: Bench, driver: Any, holder: Any, name: str, values: list[Any]) -> None:
    getattr(holder, name)
    for value in values:
        setattr(holder, name, value)
        found = getattr(holder, name)
        assert as_set(found, value), f"{name} = {value!r} reads back as {found!r}"
    assert_no_findings(bench, driver)


@pytest.mark.parametrize("name", SOURCE_SETTINGS)
def test_the_6221_driver_gets_what_it_sets(name: str, source: Any, strict_bench: Bench) -> None:
    get_set_get(strict_bench, source, source, name, SOURCE_SETTINGS[name])


@pytest.mark.parametrize("name", METER_SETTINGS)
def test_the_2182_driver_gets_what_it_sets(name: str, meter: Any, strict_bench: Bench) -> None:
    get_set_get(strict_bench, meter, meter, name, METER_SETTINGS[name])


@pytest.mark.parametrize("channel", [1, 2])
@pytest.mark.parametrize("name", CHANNEL_SETTINGS)
def test_each_channel_of_the_2182_driver_gets_what_it_sets(
    name: str, channel: int, meter: Any, strict_bench: Bench
) -> None:
    get_set_get(strict_bench, meter, meter.channels[channel], name, CHANNEL_SETTINGS[name])


@pytest.mark.parametrize("name", sorted(SOURCE_READINGS))
def test_the_6221_driver_reads(name: str, source: Any, strict_bench: Bench) -> None:
    assert getattr(source, name) is not None
    assert_no_findings(strict_bench, source)


@pytest.mark.parametrize("name", sorted(METER_READINGS))
def test_the_2182_driver_reads(name: str, meter: Any, strict_bench: Bench) -> None:
    assert getattr(meter, name) is not None
    assert_no_findings(strict_bench, meter)


def test_infinite_durations_and_counts_can_be_set(source: Any, strict_bench: Bench) -> None:
    source.waveform_duration_set_infinity()
    source.delta_cycles = source.delta_delay = source.delta_measurement_sets = "INF"
    assert source.waveform_duration_time == source.delta_cycles == 9.9e37
    assert_no_findings(strict_bench, source)


def test_methods_of_the_6221_driver_are_obeyed(source: Any, strict_bench: Bench) -> None:
    twin: Any = strict_bench.lab.instruments["k6221"]
    source.enable_source()
    source.beep(440, 0.1)
    source.define_arbitary_waveform([0.0, 0.5, -1.0], location=2)
    source.delta_abort()
    source.waveform_abort()
    source.reset_buffer()
    assert (twin.output, twin.wave_function) == (True, "ARB2")
    source.shutdown()
    assert not twin.output
    assert_no_findings(strict_bench, source)


def test_triggers_of_the_6221_driver_are_obeyed_but_for_a_source_it_does_not_have(
    source: Any, strict_bench: Bench
) -> None:
    twin: Any = strict_bench.lab.instruments["k6221"]
    source.trigger_immediately()
    source.set_timed_arm(0.5)
    source.output_trigger_on_external(line=3)
    assert (twin.arm_source, twin.arm_timer_s, twin.trigger_output, twin.trigger_output_line) == (
        "TIM",
        0.5,
        "DEL",
        3,
    )
    source.trigger_on_external(line=2)
    source.disable_output_trigger()
    source.trigger()
    assert (twin.arm_source, twin.trigger_source, twin.trigger_input_line) == ("TLIN", "TLIN", 2)
    assert_no_findings(strict_bench, source)
    source.trigger_on_bus()
    assert [(entry.kind, entry.command) for entry in strict_bench.lab.journal] == [
        ("refused -224", ":ARM:SOUR BUS;:TRIG:SOUR BUS;")
    ]


@pytest.mark.parametrize(
    ("start", "code"),
    [("delta_arm", -241), ("delta_start", -221), ("waveform_start", -221)],
)
def test_what_is_not_ready_is_refused_by_the_instrument(
    start: str, code: int, source: Any, strict_bench: Bench
) -> None:
    getattr(source, start)()
    assert source.next_error[0] == code
    assert [entry.kind for entry in strict_bench.lab.journal] == [f"refused {code}"]


def test_the_recipe_of_the_6221_driver_ends_its_wave_with_a_service_request(
    source: Any, strict_bench: Bench
) -> None:
    source.clear()
    source.waveform_function = "square"
    source.waveform_amplitude = 0.05
    source.waveform_offset = 0
    source.source_compliance = 10
    source.waveform_dutycycle = 50
    source.waveform_frequency = 347
    source.waveform_ranging = "best"
    source.waveform_duration_cycles = 100
    source.operation_event_enabled = 128
    source.srq_event_enabled = 128
    source.waveform_arm()
    source.waveform_start()
    start = strict_bench.clock.now()
    with virtual_time(strict_bench.clock):
        source.adapter.wait_for_srq()
    assert strict_bench.clock.now() - start == pytest.approx(100 / 347, abs=0.01)
    source.waveform_abort()
    source.shutdown()
    assert_no_findings(strict_bench, source)


def test_delta_comes_out_of_the_stock_6221_driver(make_bench: MakeBench) -> None:
    bench = make_bench(lab="delta", under={"lab": {"strict": True}})
    source: Any = Keithley6221(SOURCE, visa_library=f"{bench.key}@onnes", timeout=10_000)
    assert source.delta_connected
    source.write("SYST:COMM:SER:SEND 'SENS:VOLT:NPLC 1'")
    source.delta_unit = "Ohms"
    source.delta_high_source = 1e-4
    source.delta_delay = 5e-3
    source.delta_cycles = source.delta_buffer_points = 20
    source.delta_measurement_sets = 1
    source.delta_compliance_abort_enabled = True
    source.delta_arm()
    bench.clock.sleep(5.0)
    source.delta_start()
    bench.clock.sleep(1.0)
    last_ohms, seconds = source.delta_sense
    ohms = source.delta_values[::2]
    source.delta_abort()
    source.shutdown()
    assert len(ohms) == 20
    assert (ohms[-1], seconds) == (last_ohms, pytest.approx(22 * 0.025))
    truth = bench.lab.wiring._pairs["k2182a.ch1"].loop.voltage(1.0, bench.lab.now())
    assert np.mean(ohms) == pytest.approx(truth, abs=4 * 15e-9 / 1e-4 / np.sqrt(20))
    assert_no_findings(bench, source)
    source.adapter.close()


def test_the_6221_driver_asks_for_an_enable_register_without_its_star(
    source: Any, strict_bench: Bench
) -> None:
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        _ = source.standard_event_enabled
    source.standard_event_enabled = 1
    assert [(entry.kind, entry.command) for entry in strict_bench.lab.journal if entry.command] == [
        ("refused -113", "ESE?"),
        ("refused -113", "ESE 1"),
    ]


@pytest.mark.parametrize("name", ["delta_sense", "delta_values", "buffer_data"])
def test_there_are_no_delta_readings_while_no_delta_runs(name: str, source: Any) -> None:
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        getattr(source, name)
    assert source.next_error[0] in {-221, -230}


@pytest.mark.parametrize("driver", [Keithley6221, Keithley2182])
def test_reset_puts_a_colon_before_common_commands(driver: Any, strict_bench: Bench) -> None:
    instrument = driver(SOURCE if driver is Keithley6221 else METER, visa_library=f"{strict_bench.key}@onnes")
    instrument.reset()
    instrument.adapter.close()
    (finding,) = strict_bench.lab.journal
    assert (finding.kind, finding.command) == ("refused -113", "status:queue:clear;*RST;:stat:pres;:*CLS;")


def test_the_2182_driver_waits_for_a_terminator_that_never_comes(strict_bench: Bench) -> None:
    meter = Keithley2182(METER, visa_library=f"{strict_bench.key}@onnes")
    with pytest.warns(UserWarning, match="doesn't end with termination characters"):
        assert meter.line_frequency == 50
    assert [entry[1:] for entry in strict_bench.lab.journal] == [("k2182a", "terminator", r"'\r'")]
    meter.adapter.close()


def test_the_2182_driver_sets_up_channels_and_references(meter: Any, strict_bench: Bench) -> None:
    twin: Any = strict_bench.lab.instruments["k2182a"]
    meter.ch_1.voltage_range = 1.0
    meter.ch_1.setup_voltage(auto_range=True, nplc=2)
    assert (twin.channel, twin.nplc, twin.auto_1) == (1, 2.0, True)
    meter.ch_1.acquire_voltage_reference()
    assert meter.ch_1.voltage_offset == pytest.approx(300e-9, abs=100e-9)  # the EMF
    meter.ch_2.setup_temperature(nplc=1)
    assert (twin.channel, twin.function, twin.temperature_nplc) == (2, "TEMP", 1.0)
    meter.ch_2.acquire_temperature_reference()
    assert meter.ch_2.temperature_offset == 23.0
    assert_no_findings(strict_bench, meter)


def test_the_2182_driver_fills_its_buffer_in_lab_time(meter: Any, strict_bench: Bench) -> None:
    meter.ch_1.setup_voltage(nplc=5)
    meter.write("SENS:VOLT:DFIL 0")
    meter.config_buffer(points=20, delay=0.3)
    start = strict_bench.clock.now()
    with virtual_time(strict_bench.clock):
        meter.start_buffer()
        assert not meter.is_buffer_full()
        meter.wait_for_buffer()
    assert strict_bench.clock.now() - start == pytest.approx(20 * (0.3 + 0.2), abs=0.2)
    data = meter.buffer_data
    assert len(data) == 20
    assert meter.mean == pytest.approx(data.mean(), rel=1e-7)
    assert meter.standard_dev == pytest.approx(data.std(ddof=1), rel=1e-6)
    assert (meter.minimum, meter.maximum) == (data.min(), data.max())
    assert_no_findings(strict_bench, meter)


def test_a_four_probe_resistance_comes_out_of_stock_drivers(make_bench: MakeBench) -> None:
    bench = make_bench(lab="demo", under={"cryostat": {"start_k": 4.0}})
    library = f"{bench.key}@onnes"
    source = Keithley6221(SOURCE, visa_library=library)
    meter = Keithley2182(METER, visa_library=library, read_termination="\n", timeout=60_000)
    meter.write("SENS:VOLT:DFIL 0")
    source.source_compliance = 1.0
    source.enable_source()
    volts = []
    for amps in (1e-4, -1e-4, 1e-4):
        source.source_current = amps
        volts.append(meter.voltage)
    ohms = (volts[0] - 2 * volts[1] + volts[2]) / 4 / 1e-4
    loop = bench.lab.wiring._pairs["k2182a.ch1"].loop
    assert loop.sample is not None
    truth = loop.sample.voltage(1.0, bench.lab.cryostat.sample(bench.clock.now()), 0.0, bench.clock.now())
    sigma = 15e-9 / np.sqrt(5) * np.sqrt(6) / 4 / 1e-4
    assert ohms == pytest.approx(truth, abs=4 * sigma)
    source.shutdown()
    source.adapter.close()
    meter.adapter.close()
