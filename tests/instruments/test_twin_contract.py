"""Every driver property that is used, against its twin in strict mode: get, set, get, and no error."""

from collections.abc import Iterator

import pytest
from pymeasure.adapters import VISAAdapter

from onnes.instruments.clock import VirtualClock
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.ppms import PPMS
from onnes.instruments.protocols import HeliumLevel
from onnes.instruments.visa import open_adapter, open_library
from onnes.sim.lab import VirtualLab

ROUGHLY = 1e-6


@pytest.fixture
def at(lab: VirtualLab, request: pytest.FixtureRequest) -> "Iterator[Opener]":
    opener = Opener(request.node.name)
    yield opener
    opener.close()
    assert lab.journal == []


class Opener:
    """Opens resources of the lab registered under the name of the test."""

    def __init__(self, key: str) -> None:
        self._manager = open_library("simulated", key)
        self._adapters: list[VISAAdapter] = []

    def __call__(self, number: int, end: str | None = "\n") -> VISAAdapter:
        self._adapters.append(
            open_adapter(self._manager, f"GPIB0::{number}::INSTR", name="it", reply_termination=end)
        )
        return self._adapters[-1]

    def close(self) -> None:
        for adapter in self._adapters:
            adapter.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_current", 1.23456e-4),
        ("source_current", -1e-9),
        ("source_compliance", 1.5),
        ("source_range", 2e-4),
        ("source_auto_range", False),
        ("source_enabled", True),
        ("source_delay", 0.002),
        ("output_low_grounded", True),
        ("shield_to_guard_enabled", True),
        ("delta_unit", "Ohms"),
        ("delta_high_source", 1e-4),
        ("delta_low_source", -1e-4),
        ("delta_delay", 0.01),
        ("delta_cycles", 100),
        ("delta_cycles", "INF"),
        ("delta_measurement_sets", 2),
        ("delta_compliance_abort_enabled", True),
        ("delta_cold_switch_enabled", True),
        ("delta_buffer_points", 1000),
        ("waveform_function", "square"),
        ("waveform_frequency", 17.77),
        ("waveform_amplitude", 1.23456e-5),
        ("waveform_offset", -1e-6),
        ("waveform_dutycycle", 25),
        ("waveform_duration_time", 2.5),
        ("waveform_duration_cycles", 300),
        ("waveform_ranging", "fixed"),
        ("waveform_use_phasemarker", True),
        ("waveform_phasemarker_phase", 30),
        ("waveform_phasemarker_line", 2),
        ("conductance_start", -2e-5),
        ("conductance_stop", 3e-5),
        ("conductance_step", 1e-7),
        ("conductance_delta", 2e-7),
        ("conductance_delay", 0.02),
        ("conductance_compliance_abort_enabled", True),
    ],
)
def test_each_property_of_the_6221_is_got_set_and_got(
    at: Opener, clock: VirtualClock, name: str, value: object
) -> None:
    source = Keithley6221(at(12), clock=clock)
    assert "6221" in source.connect()
    getattr(source, name)
    setattr(source, name, value)
    got = getattr(source, name)
    assert got == (pytest.approx(value, rel=ROUGHLY) if isinstance(value, float) else value) or got == 9.9e37
    assert source.check_errors() == []
    assert source.link.retries == []


def test_a_wave_of_the_6221_starts_changes_and_ends_without_an_error(
    at: Opener, clock: VirtualClock, lab: VirtualLab
) -> None:
    source = Keithley6221(at(12), clock=clock)
    source.source_compliance = 1.0
    source.source_range = 2e-4
    source.start_wave(17.77, 1e-5, 1e-4)
    source.set_wave(2e-5, -1e-4)
    assert source.source_enabled
    assert not source.was_in_compliance()
    source.stop_wave()
    assert source.safe_state() == "0 A, output off"
    assert source.check_errors() == []
    assert lab.wiring.mean_voltage("k2182a.ch1", lab.now(), lab.now()) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("active_channel", 2),
        ("channel_function", "temperature"),
        ("voltage_nplc", 1.0),
        ("digital_filter_enabled", False),
        ("analog_filter_enabled", True),
        ("auto_zero_enabled", False),
        ("front_autozero_enabled", False),
        ("trigger_count", 3),
        ("sample_count", 4),
        ("trigger_delay", 0.5),
        ("display_enabled", False),
        ("thermocouple", "K"),
        ("temperature_nplc", 2.0),
        ("temperature_reference_junction", "SIM"),
        ("temperature_simulated_reference", 25.0),
    ],
)
def test_each_property_of_the_2182a_is_got_set_and_got(
    at: Opener, clock: VirtualClock, name: str, value: object
) -> None:
    meter = Keithley2182A(at(7), clock=clock)
    assert "2182A" in meter.connect()
    getattr(meter, name)
    setattr(meter, name, value)
    assert getattr(meter, name) == (pytest.approx(value) if isinstance(value, float) else value)
    assert meter.check_errors() == []
    assert meter.link.retries == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("voltage_range", 0.1),
        ("voltage_range_auto_enabled", False),
        ("voltage_offset", 1e-3),
        ("voltage_offset_enabled", True),
    ],
)
@pytest.mark.parametrize("channel", ["ch_1", "ch_2"])
def test_each_property_of_a_channel_is_got_set_and_got(
    at: Opener, clock: VirtualClock, channel: str, name: str, value: object
) -> None:
    meter = Keithley2182A(at(7), clock=clock)
    ch = getattr(meter, channel)
    getattr(ch, name)
    setattr(ch, name, value)
    assert getattr(ch, name) == (pytest.approx(value) if isinstance(value, float) else value)
    assert meter.check_errors() == []


def test_what_is_only_read_is_read(at: Opener, clock: VirtualClock) -> None:
    meter = Keithley2182A(at(7), clock=clock)
    meter.prepare_for_reversal(1.0)
    assert meter.line_frequency == 50
    assert abs(meter.read_voltage()) < 1e-3
    assert abs(meter.voltage) < 1e-3
    assert meter.fix_range(0.05) == 0.1
    source = Keithley6221(at(12), clock=clock)
    source.source_enabled = True
    assert not source.was_in_compliance()
    assert source.safe_state() == "0 A, output off"
    source.check_errors()
    meter.check_errors()


def test_the_ppms_is_read_and_set(at: Opener, clock: VirtualClock) -> None:
    ppms = PPMS(at(15, None), clock=clock)
    assert "magnet 90000 Oe" in ppms.connect()
    assert ppms.temperature().state == "stable"
    assert ppms.field().state == "persistent"
    assert ppms.snapshot()[0].value == pytest.approx(300.0, abs=4 * 6e-3)
    assert ppms.chamber_state() == "purged and sealed"
    assert isinstance(ppms.helium_level(), HeliumLevel)
    ppms.set_temperature(250.123, 12.5, "no_overshoot")
    assert ppms.temperature_setpoint() == 250.123
    ppms.set_field(-1234.56, 50.5, "linear", "driven")
    assert ppms.field_setpoint() == -1234.56
    assert ppms.link.retries == []
