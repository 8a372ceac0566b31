"""Stock PyMeasure lock-in drivers, unmodified, against their twins in strict mode.

What is known to be wrong with a driver is written here as an expected finding, and found.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymeasure.instruments.srs import SR830, SR860
from pyvisa.errors import VisaIOError

from onnes.instruments.clock import virtual_time
from onnes.sim.tones import Tone
from tests.sim.conftest import Bench, MakeBench

LOCK_IN, OTHER = "GPIB0::8::INSTR", "GPIB0::9::INSTR"

NO_SCPI = ["complete", "options", "next_error"]

# property of SR830: values to set, in order
SR830_SETTINGS: dict[str, list[Any]] = {
    "sine_voltage": [0.004, 5.0, 0.1],
    "frequency": [1e-3, 102e3, 17.77],
    "phase": [-180.0, 90.25, 0.0],
    "sensitivity": SR830.SENSITIVITIES,
    "time_constant": [1e-5, 0.3, 30.0],
    "filter_slope": [6, 12, 18, 24],
    "filter_synchronous": [True, False],
    "harmonic": [1, 2, 100],
    "input_config": SR830.INPUT_CONFIGS,
    "input_grounding": SR830.INPUT_GROUNDINGS,
    "input_coupling": SR830.INPUT_COUPLINGS,
    "input_notch_config": SR830.INPUT_NOTCH_CONFIGS,
    "reference_source": SR830.REFERENCE_SOURCES,
    "reference_source_trigger": SR830.REFERENCE_SOURCE_TRIGGER,
    "sample_frequency": [*SR830.SAMPLE_FREQUENCIES, None],
    "reserve": SR830.RESERVE_VALUES,
    **{f"{name}{n}": [-10.5, 10.5, 1.25] for name in ("aux_out_", "dac") for n in range(1, 5)},
}
SR830_READINGS = {
    *("status", "id", "x", "y", "magnitude", "theta", "xy", "lia_status", "err_status", "buffer_count"),
    *(f"{name}{n}" for name in ("aux_in_", "adc") for n in range(1, 5)),
}
SR830_FINDINGS = {
    "channel1": "expects one number of DDEF?, and gets the ratio as well",
    "channel2": "as channel1",
    **dict.fromkeys(NO_SCPI, "the driver says that it has none"),
}

SR860_SETTINGS: dict[str, list[Any]] = {
    "phase": [-179.5, 90.125, 0.0],
    "frequency": [1e-3, 500e3, 17.77],
    "internalfrequency": [1e-3, 500e3, 17.77],
    "harmonic": [1, 5],
    "harmonicdual": [1, 98],
    "sine_voltage": [1e-9, 2.0, 0.1],
    "timebase": [0, 1],
    "reference_source": SR860.INPUT_REFERENCESOURCE,
    "reference_triggermode": SR860.INPUT_REFERENCETRIGGERMODE,
    "reference_source_trigger": SR860.INPUT_REFERENCETRIGGERMODE,
    "input_voltage_mode": SR860.INPUT_VOLTAGE_MODE,
    "input_config": SR860.INPUT_VOLTAGE_MODE,
    "input_coupling": SR860.INPUT_COUPLING,
    "input_shields": SR860.INPUT_SHIELDS,
    "input_grounding": SR860.INPUT_SHIELDS,
    "input_range": SR860.INPUT_RANGE,
    "input_current_gain": SR860.INPUT_GAIN,
    "sensitivity": SR860.SENSITIVITIES,
    "time_constant": SR860.TIME_CONSTANTS,
    "filter_slope": [0, 1, 2, 3],
    "filter_synchronous": SR860.INPUT_FILTER,
    **{f"frequencypreset{n}": [1e-3, 500e3, 17.77] for n in range(1, 5)},
    **{f"sine_amplitudepreset{n}": [1e-9, 2.0, 0.1] for n in range(1, 5)},
    **{f"sine_dclevelpreset{n}": [-5.0, 5.0, 0.1] for n in range(1, 5)},
    **{f"{name}{n}": [-10.5, 10.5, 1.25] for name in ("aux_out_", "dac") for n in range(1, 5)},
    "front_panel": SR860.ON_OFF_VALUES,
    "screen_layout": SR860.SCREEN_LAYOUT_VALUES,
    **{f"parameter_DAT{n}": [0, 15] for n in range(1, 5)},
    **{f"strip_chart_dat{n}": SR860.ON_OFF_VALUES for n in range(1, 5)},
}
SR860_READINGS = {
    *("x", "y", "magnitude", "theta", "gettimebase", "extfreqency", "detectedfrequency"),
    *("get_signal_strength_indicator", "get_noise_bandwidth"),
    *(f"{name}{n}" for name in ("aux_in_", "adc") for n in range(1, 5)),
}
SR860_FINDINGS = {
    "dcmode": "sends 2 and 3 for its second spelling of two modes",
    "input_signal": "as dcmode",
    "reference_externalinput": "has & for %",
    "filter_advanced": "sets ADVFIL and asks ADVFILT",
    "horizontal_time_div": "sets GSDP and asks GSPD",
    "sensitvity": "deprecated in favour of sensitivity",
    "filer_synchronous": "deprecated in favour of filter_synchronous",
    **dict.fromkeys([*NO_SCPI, "id", "status"], "the driver says that it has none"),
}


def properties(driver: type) -> set[str]:
    return {name for name in dir(driver) if isinstance(getattr(driver, name, None), property)}


def as_set(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-12)
    return bool(found == wanted)


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The default lab in strict mode, with an SR860 beside the SR830."""
    other = {"model": "sr860", "resources": [OTHER]}
    return make_bench(under={"lab": {"strict": True}, "instrument": {"sr860": other}})


@pytest.fixture
def sr830(bench: Bench) -> Iterator[Any]:
    driver = SR830(LOCK_IN, visa_library=f"{bench.key}@onnes")
    yield driver
    driver.adapter.close()


@pytest.fixture
def sr860(bench: Bench) -> Iterator[Any]:
    driver = SR860(OTHER, visa_library=f"{bench.key}@onnes")
    yield driver
    driver.adapter.close()


def tone(bench: Bench, rms: float, hz: float = 17.77) -> None:
    """Let the contacts show ``rms`` V, with the reference."""
    loop = bench.lab.wiring._pairs["sr830.A"].loop
    t = bench.lab.now()
    bench.lab.wiring.set_source(
        "k6221.out", t, 0.0, 100.0, Tone(hz, rms * math.sqrt(2) / loop.voltage(1.0, t))
    )
    bench.lab.wiring.set_reference("k6221.phase_marker", t, hz)


def test_no_property_of_the_drivers_is_left_out() -> None:
    assert properties(SR830) == {*SR830_SETTINGS, *SR830_READINGS, *SR830_FINDINGS}
    assert properties(SR860) == {*SR860_SETTINGS, *SR860_READINGS, *SR860_FINDINGS}


@pytest.mark.parametrize("name", SR830_SETTINGS)
def test_the_sr830_driver_gets_what_it_sets(name: str, sr830: Any, bench: Bench) -> None:
    getattr(sr830, name)
    for value in SR830_SETTINGS[name]:
        setattr(sr830, name, value)
        assert as_set(found := getattr(sr830, name), value), f"{name} = {value!r} reads back as {found!r}"
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", SR860_SETTINGS)
def test_the_sr860_driver_gets_what_it_sets(name: str, sr860: Any, bench: Bench) -> None:
    getattr(sr860, name)
    for value in SR860_SETTINGS[name]:
        setattr(sr860, name, value)
        assert as_set(found := getattr(sr860, name), value), f"{name} = {value!r} reads back as {found!r}"
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", sorted(SR830_READINGS))
def test_the_sr830_driver_reads(name: str, sr830: Any, bench: Bench) -> None:
    assert getattr(sr830, name) is not None
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", sorted(SR860_READINGS))
def test_the_sr860_driver_reads(name: str, sr860: Any, bench: Bench) -> None:
    assert getattr(sr860, name) is not None
    assert bench.lab.journal == []


@pytest.mark.parametrize(("channel", "value", "told"), [("channel1", "R", 1), ("channel2", "Theta", 1)])
def test_the_sr830_driver_stumbles_over_the_ratio_of_a_display(
    channel: str, value: str, told: int, sr830: Any
) -> None:
    setattr(sr830, channel, value)
    assert getattr(sr830, channel) == [told, 0]


@pytest.mark.parametrize(
    ("name", "value", "kept", "finding"),
    [
        ("dcmode", "difference", "COM", ("refused EXE", "REFM 3")),
        ("input_signal", "current", "VOLT", ("refused EXE", "IVMD 3")),
        ("filter_advanced", "On", "Off", ("refused CMD", "ADVFIL 1")),
        ("horizontal_time_div", 3, 0.0, ("refused CMD", "GSDP 3")),
    ],
)
def test_the_sr860_driver_sends_what_is_no_command(
    name: str, value: Any, kept: Any, finding: tuple[str, str], sr860: Any, bench: Bench
) -> None:
    setattr(sr860, name, value)
    assert getattr(sr860, name) == kept
    assert [(entry.kind, entry.command) for entry in bench.lab.journal] == [finding]


def test_the_sr860_driver_cannot_write_the_impedance_of_the_reference(sr860: Any, bench: Bench) -> None:
    assert sr860.reference_externalinput == "1MEG"
    with pytest.raises(TypeError, match="not all arguments converted"):
        sr860.reference_externalinput = "50OHMS"
    assert bench.lab.journal == []


@pytest.mark.parametrize("name", NO_SCPI)
def test_the_drivers_have_no_scpi(name: str, sr830: Any, sr860: Any) -> None:
    for driver in (sr830, sr860):
        with pytest.raises(NotImplementedError):
            getattr(driver, name)


def test_quick_range_ends_on_the_smallest_scale_that_holds_the_signal(sr830: Any, bench: Bench) -> None:
    tone(bench, 3.1e-4)
    sr830.reference_source = "External"
    sr830.time_constant = 0.1
    sr830.sensitivity = 1e-6
    bench.clock.sleep(3.0)
    with virtual_time(bench.clock):
        sr830.quick_range()
    assert sr830.sensitivity == 5e-4
    assert sr830.magnitude == pytest.approx(3.1e-4, rel=1e-3)
    assert bench.lab.journal == []


def test_the_sr830_driver_reads_several_quantities_of_one_instant(sr830: Any, bench: Bench) -> None:
    tone(bench, 3.1e-4)
    sr830.reference_source = "External"
    bench.clock.sleep(3.0)
    x, y, r, frequency = sr830.snap("X", "Y", "R", "Frequency")
    assert r == pytest.approx(math.hypot(x, y), rel=1e-5)
    assert (x, frequency) == (pytest.approx(3.1e-4, rel=1e-3), 17.77)
    sr830.auto_gain()
    sr830.auto_reserve()
    sr830.auto_offset("X")
    assert sr830.x == pytest.approx(0.0, abs=1e-7)
    percent, expand = sr830.get_scaling("X")
    assert (percent, expand) == (pytest.approx(62.0, abs=0.1), 1)
    sr830.set_scaling("X", 0.0)
    sr830.auto_phase()
    assert sr830.y == pytest.approx(0.0, abs=1e-7)
    sr830.save_setup(3)
    sr830.reset()
    assert sr830.sine_voltage == 1.0
    sr830.sine_voltage = 0.5
    sr830.load_setup(3)
    assert (sr830.sensitivity, sr830.reference_source, sr830.sine_voltage) == (5e-4, "External", 1.0)
    sr830.clear()
    assert bench.lab.journal == []


def test_the_sr830_driver_sends_the_factor_of_an_expand_for_its_number(sr830: Any, bench: Bench) -> None:
    sr830.set_scaling("X", 0.0, 1)
    assert sr830.get_scaling("X") == (0.0, 10)
    sr830.set_scaling("X", 0.0, 10)
    assert [(entry.kind, entry.command) for entry in bench.lab.journal] == [("refused EXE", "OEXP 1,0.00,10")]


def test_the_sr830_driver_reads_its_buffer_in_lab_time(sr830: Any, bench: Bench) -> None:
    tone(bench, 3.1e-4)
    sr830.reference_source = "External"
    sr830.sample_frequency = 8
    bench.clock.sleep(3.0)
    sr830.reset_buffer()
    sr830.start_scan()
    bench.clock.sleep(2.0)
    sr830.pause_scan()
    bench.clock.sleep(2.0)
    assert sr830.buffer_count == 17  # the first at once
    with virtual_time(bench.clock):
        values = sr830.get_buffer(1, 0, 17)
    assert np.asarray(values) == pytest.approx(np.full(17, 3.1e-4), rel=1e-3)
    assert bench.lab.journal == []


def test_the_sr860_driver_reads_several_quantities_of_one_instant(make_bench: MakeBench) -> None:
    read = {"port": "sr860.A", "loop": "I"}
    reference = {"port": "sr860.ref", "from": "k6221.phase_marker"}
    under = {
        "lab": {"strict": True},
        "instrument": {"sr860": {"model": "sr860", "resources": [OTHER]}},
        "read": [read, {"port": "sr830.A", "loop": "I"}],
        "reference": [reference],
    }
    made = make_bench(under=under)
    tone(made, 3.1e-4)
    driver = SR860(OTHER, visa_library=f"{made.key}@onnes")
    driver.reference_source = "EXT"
    made.clock.sleep(3.0)
    x, y, frequency = driver.snap("X", "Y", "FExt")
    assert (x, frequency) == (pytest.approx(3.1e-4, rel=1e-3), 17.77)
    assert abs(y) < 1e-7
    assert driver.snap_all() == pytest.approx([x, y, x, 0.0], abs=0.1)
    assert driver.get_noise_bandwidth == pytest.approx(2.5)
    assert (driver.extfreqency, driver.detectedfrequency) == (17.77, 17.77)
    driver.screenshot()
    assert made.lab.journal == []
    driver.adapter.close()


def test_a_reply_that_nobody_read_comes_first_next_time(bench: Bench) -> None:
    lock_in: Any = bench.open(LOCK_IN)
    lock_in.write("SLVL?")
    assert lock_in.query("FREQ?") == "1.000\n"
    assert lock_in.read() == "1000\n"
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        lock_in.read()
