"""SR830 and SR860 and what is built of them, against their twins in strict mode."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymeasure.adapters import VISAAdapter

from onnes.instruments.clock import VirtualClock
from onnes.instruments.conductance import Modulation
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.lock_in_bridge import LockInBridge
from onnes.instruments.lock_in_conductance import LockInConductance
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.protocols import Resistance
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.sr830 import SR830
from onnes.instruments.sr860 import SR860
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.visa import open_adapter, open_library
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.sim.samples import make_sample

LAB = """
[lab]
strict = true
[sample]
gamma_t = 0.06
[instrument.sr860]
model = "sr860"
resources = ["GPIB0::9::INSTR"]
[[drive]]
port = "k6221.out"
loop = "I"
[[read]]
port = "k2182a.ch1"
loop = "I"
emf_nv = 300
lead_ohm = 12
[[read]]
port = "sr830.A"
loop = "I"
lead_ohm = 12
[[read]]
port = "sr860.A"
loop = "I"
lead_ohm = 12
[[reference]]
port = "sr830.ref"
from = "k6221.phase_marker"
[[reference]]
port = "sr860.ref"
from = "k6221.phase_marker"
"""

OWN_SINE = """
[lab]
strict = true
[sample]
gamma_t = 0.06
[[drive]]
port = "sr830.sine"
loop = "I"
series_ohm = 1000.0
[[drive]]
port = "k6221.out"
loop = "I"
[[read]]
port = "k2182a.ch1"
loop = "I"
emf_nv = 300
[[read]]
port = "sr830.A"
loop = "I"
lead_ohm = 12
"""

CONTACT = """
[lab]
strict = true
[cryostat]
start_k = 4.2
[sample]
model = "pointcontact"
normal_ohm = 20.0
[[drive]]
port = "k6221.out"
loop = "J"
[[read]]
port = "sr830.A"
loop = "J"
lead_ohm = 12
[[read]]
port = "k2182a.ch1"
loop = "J"
emf_nv = 3000
lead_ohm = 12
[[reference]]
port = "sr830.ref"
from = "k6221.phase_marker"
"""

Opening = Callable[[int], VISAAdapter]


@pytest.fixture
def text() -> str:
    return LAB


@pytest.fixture
def lab(
    clock: VirtualClock, tmp_path: Path, request: pytest.FixtureRequest, text: str
) -> Iterator[VirtualLab]:
    path = tmp_path / "lock_ins.toml"
    path.write_text(text, encoding="utf-8")
    lab = load_lab(path, clock)
    set_lab(request.node.name, lab)
    yield lab
    forget_lab(request.node.name)


@pytest.fixture
def at(lab: VirtualLab, request: pytest.FixtureRequest) -> Iterator[Opening]:
    """Return what opens the resource of a GPIB address; strict mode has found nothing to say in the end."""
    manager = open_library("simulated", request.node.name)
    opened: list[VISAAdapter] = []

    def open_(number: int) -> VISAAdapter:
        opened.append(open_adapter(manager, f"GPIB0::{number}::INSTR", name="it", reply_termination="\n"))
        return opened[-1]

    yield open_
    for adapter in opened:
        adapter.close()
    assert lab.journal == []


@pytest.fixture
def sr830(at: Opening, clock: VirtualClock) -> SR830:
    lock_in = SR830(at(8), clock=clock)
    assert "SR830" in lock_in.connect()
    return lock_in


@pytest.fixture
def sr860(at: Opening, clock: VirtualClock) -> SR860:
    lock_in = SR860(at(9), clock=clock)
    assert "SR860" in lock_in.connect()
    return lock_in


@pytest.fixture
def source(at: Opening, clock: VirtualClock) -> Keithley6221:
    return Keithley6221(at(12), clock=clock)


# --- properties


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sine_voltage", 0.25),
        ("frequency", 17.77),
        ("frequency", 102e3),
        ("phase", 270.0),
        ("phase", -12.34),
        ("sensitivity", 2e-9),
        ("sensitivity", 1.0),
        ("time_constant", 10e-6),
        ("time_constant", 30.0),
        ("filter_slope", 24),
        ("filter_synchronous", True),
        ("harmonic", 3),
        ("input_config", "A - B"),
        ("input_grounding", "Ground"),
        ("input_coupling", "DC"),
        ("input_notch_config", "Both"),
        ("reference_source", "External"),
        ("reference_source_trigger", "POS EDGE"),
        ("reserve", "High Reserve"),
        ("sample_frequency", 512),
        ("sample_frequency", None),
        ("channel1", "R"),
        ("channel2", "Theta"),
        *[(f"aux_out_{n}", -10.5) for n in range(1, 5)],
        *[(f"dac{n}", 1.25) for n in range(1, 5)],
    ],
)
def test_each_property_of_the_sr830_is_got_set_and_got(sr830: SR830, name: str, value: object) -> None:
    _got_set_got(sr830, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sine_voltage", 1e-9),
        ("sine_voltage", 1.23456),
        ("sine_dc_level", -0.5),
        ("frequency", 317.123),
        ("internalfrequency", 500e3),
        ("phase", -90.0),
        ("phase", 270.0),
        ("sensitivity", 1e-9),
        ("sensitivity", 1.0),
        ("time_constant", 1e-6),
        ("time_constant", 30e3),
        ("filter_slope", 24),
        ("filter_synchronous", True),
        ("filter_advanced", True),
        ("harmonic", 5),
        ("harmonicdual", 99),
        ("timebase", 1),
        ("dcmode", "DIF"),
        ("reference_source", "EXT"),
        ("reference_triggermode", "POS"),
        ("reference_externalinput", "50OHMS"),
        ("input_signal", "CURR"),
        ("input_voltage_mode", "A-B"),
        ("input_coupling", "DC"),
        ("input_shields", "Ground"),
        ("input_range", "10M"),
        ("input_current_gain", "100MEG"),
        *[(f"frequencypreset{n}", 1234.5) for n in range(1, 5)],
        *[(f"sine_amplitudepreset{n}", 0.125) for n in range(1, 5)],
        *[(f"sine_dclevelpreset{n}", -1.25) for n in range(1, 5)],
        *[(f"aux_out_{n}", -10.5) for n in range(1, 5)],
        *[(f"dac{n}", 1.25) for n in range(1, 5)],
        ("front_panel", "0"),
        ("screen_layout", "5"),
        *[(f"parameter_DAT{n}", 9) for n in range(1, 5)],
        *[(f"strip_chart_dat{n}", "0") for n in range(1, 5)],
        ("horizontal_time_div", 16),
    ],
)
def test_each_property_of_the_sr860_is_got_set_and_got(sr860: SR860, name: str, value: object) -> None:
    _got_set_got(sr860, name, value)


def _got_set_got(lock_in: StanfordLockIn, name: str, value: object) -> None:
    getattr(lock_in, name)
    setattr(lock_in, name, value)
    got = getattr(lock_in, name)
    if name == "phase":
        assert isinstance(value, float)
        assert (got - value) % 360.0 == pytest.approx(0.0, abs=1e-9)
    else:
        assert got == (pytest.approx(value) if isinstance(value, float) else value)
    assert lock_in.check_errors() == []
    assert lock_in.link.retries == []


def test_what_is_only_read_is_read(sr830: SR830, sr860: SR860) -> None:
    for name in ("x", "y", "magnitude", "theta", "xy", "adc1", "aux_in_4", "lia_status", "err_status", "id"):
        getattr(sr830, name)
    assert len(sr830.snap("X", "Y", "Frequency")) == 3
    for name in ("x", "y", "magnitude", "theta", "adc1", "aux_in_4", "gettimebase", "extfreqency"):
        getattr(sr860, name)
    for name in ("detectedfrequency", "get_signal_strength_indicator", "get_noise_bandwidth"):
        getattr(sr860, name)
    assert len(sr860.snap(0, 1, 2)) == 3
    assert len(sr860.snap_all()) == 4
    assert sr830.check_errors() == sr860.check_errors() == []


# --- status, ranges, buffer


def driven(source: Keithley6221, peak_a: float, hz: float = 17.77) -> None:
    source.source_compliance = 10.0
    source.source_range = peak_a
    source.start_wave(hz, peak_a)


@pytest.mark.parametrize("model", ["sr830", "sr860"])
def test_an_overload_stays_for_the_point_and_the_range_that_fits_ends_it(
    model: str, source: Keithley6221, clock: VirtualClock, request: pytest.FixtureRequest
) -> None:
    lock_in: StanfordLockIn = request.getfixturevalue(model)
    driven(source, 1e-4)
    use = LockInUse()
    lock_in.listen(use, reference="external")
    lock_in.sensitivity = 1e-6
    clock.sleep(use.settle_s)
    assert "overload" in lock_in.look().flags
    lock_in.fit_range(math.inf)
    clock.sleep(use.settle_s)
    reading = lock_in.take()
    assert "overload" in reading.flags
    lock_in.fit_range(abs(complex(reading.x, reading.y)))
    clock.sleep(use.settle_s)
    lock_in.take()
    assert lock_in.take().flags == ()
    source.safe_state()


@pytest.mark.parametrize("model", ["sr830", "sr860"])
def test_without_a_wave_no_reference_locks(model: str, request: pytest.FixtureRequest) -> None:
    lock_in: StanfordLockIn = request.getfixturevalue(model)
    with pytest.raises(InstrumentFault, match="no external reference within 4 s"):
        lock_in.listen(LockInUse(), reference="external")


def test_a_reference_that_ends_is_flagged(sr830: SR830, source: Keithley6221, clock: VirtualClock) -> None:
    driven(source, 1e-5)
    sr830.listen(LockInUse(), reference="external")
    sr830.take()
    source.safe_state()
    clock.sleep(1.0)
    assert sr830.take().flags == ("unlock",)


def test_the_buffer_gives_as_many_points_as_were_recorded(
    sr830: SR830, source: Keithley6221, clock: VirtualClock
) -> None:
    driven(source, 1e-4)
    sr830.listen(LockInUse(), reference="external")
    clock.sleep(5.0)
    x = sr830.take().x
    sr830.sample_frequency = 16
    sr830.start_buffer()
    clock.sleep(2.0)
    points = sr830.get_buffer(1)
    assert len(points) == pytest.approx(32, abs=1)
    assert points.mean() == pytest.approx(x, rel=1e-3)
    sr830.check_errors()
    source.safe_state()


# --- resistance


def by_reversal(at: Opening, source: Keithley6221, clock: VirtualClock) -> Resistance:
    bridge = ReversalBridge(source, Keithley2182A(at(7), clock=clock), compliance_v=1.0, ramp_a_per_s=1e-3)
    bridge.start(1e-4)
    found = bridge.measure(30)
    bridge.stop()
    return found


@pytest.mark.parametrize("model", ["sr830", "sr860"])
def test_lock_in_and_reversal_give_one_resistance(
    model: str, at: Opening, source: Keithley6221, clock: VirtualClock, request: pytest.FixtureRequest
) -> None:
    lock_in: StanfordLockIn = request.getfixturevalue(model)
    direct = by_reversal(at, source, clock)
    bridge = LockInBridge(source, lock_in, compliance_v=1.0, ramp_a_per_s=1e-3)
    bridge.start(1e-4)
    found = bridge.measure(10)
    bridge.stop()
    assert found.flags == ()
    assert found.resistance_error < 1e-4 * found.resistance
    error = math.hypot(direct.resistance_error, found.resistance_error)
    assert found.resistance == pytest.approx(direct.resistance, abs=4.0 * error)
    assert abs(found.quadrature) < 1e-3 * found.voltage
    assert source.source_current == 0.0
    assert not source.source_enabled


@pytest.mark.parametrize("text", [OWN_SINE])
def test_its_own_sine_through_a_resistor_gives_that_resistance_too(
    sr830: SR830, at: Opening, source: Keithley6221, clock: VirtualClock
) -> None:
    direct = by_reversal(at, source, clock)
    bridge = LockInBridge(sr830, sr830, compliance_v=10.0, ramp_a_per_s=1e-3, series_ohm=1000.0)
    bridge.start(1e-4)
    found = bridge.measure(10)
    bridge.stop()
    assert found.flags == ()
    error = math.hypot(direct.resistance_error, found.resistance_error)
    assert found.resistance == pytest.approx(direct.resistance, abs=4.0 * error)
    assert sr830.sine_voltage == 4e-3


# --- contacts


@pytest.mark.parametrize("text", [CONTACT])
@pytest.mark.parametrize(("by_meter", "step_v", "close_v"), [(True, 1e-3, 3e-6), (False, 2.5e-4, 3e-5)])
def test_the_conductance_of_a_contact_is_the_slope_of_its_current(
    by_meter: bool,
    step_v: float,
    close_v: float,
    sr830: SR830,
    at: Opening,
    source: Keithley6221,
    clock: VirtualClock,
) -> None:
    contact = make_sample({"model": "pointcontact", "normal_ohm": 20.0}, "test")
    bias_meter = Keithley2182A(at(7), clock=clock) if by_meter else None
    meter = LockInConductance(source, sr830, bias_meter, compliance_v=0.5, ramp_a_per_s=1e-3)
    # 10 time constants settle a filter of 12 dB to 5e-4
    meter.start(Modulation(2e-4, 10.0, LockInUse(317.0, 0.1, 12)))
    n = round(8e-3 / step_v)
    found = list(meter.curve([k * step_v for k in range(-n, n + 1)]))
    meter.stop()

    def volts(amps: float) -> float:
        return contact.voltage(amps, 4.2, 0.0, 0.0)

    for point in found:
        assert point.flags == ()
        assert point.bias == pytest.approx(point.bias_setpoint, abs=0.35 * step_v)
        assert point.bias == pytest.approx(volts(point.current), abs=close_v)
        small = 1e-4 / 20.0  # half of the modulation, which smears by less than the tolerance
        slope = (volts(point.current + small) - volts(point.current - small)) / (2.0 * small)
        assert point.conductance == pytest.approx(1.0 / slope, rel=5e-3)  # physics.md 6: noise of G
        assert point.modulation == pytest.approx(2e-4, rel=0.1)
        assert 0.0 < point.conductance_error < 1e-3 * point.conductance
    assert not source.source_enabled
    assert source.check_errors() == sr830.check_errors() == []
