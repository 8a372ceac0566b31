"""The 6221 and the 2182A, byte by byte."""

import math

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221

# --- 6221


def test_a_current_leaves_with_nine_digits_and_is_read_back_in_the_same_message() -> None:
    with expected_protocol(Keithley6221, [("SOUR:CURR 0.00123456789;CURR?", "+1.234568E-03")]) as source:
        source.source_current = 1.23456789e-3


def test_setting_a_current_returns_what_the_source_gives() -> None:
    with expected_protocol(Keithley6221, [("SOUR:CURR 0.00123456789;CURR?", "1.2346e-3")]) as source:
        assert source.set_current(1.23456789e-3) == 1.2346e-3


@pytest.mark.parametrize("amps", [1.0, -0.106, math.nan, math.inf])
def test_a_current_out_of_range_is_refused_and_nothing_is_sent(amps: float) -> None:
    with (
        expected_protocol(Keithley6221, []) as source,
        pytest.raises(
            LimitError, match=r"source current = .* A is outside \[-0\.105, 0\.105\] A.*nothing was sent"
        ),
    ):
        source.source_current = amps


def test_a_current_that_was_lost_on_the_way_is_read_back_and_then_sent_again() -> None:
    pairs = [
        ("SOUR:CURR 0.0001;CURR?", "1?-?"),
        ("SOUR:CURR?", "0"),
        ("SOUR:CURR?", "0"),
        ("SOUR:CURR 0.0001;CURR?", "1e-4"),
    ]
    with expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source:
        assert source.set_current(1e-4) == 1e-4
        assert [retry.question for retry in source.link.retries] == ["SOUR:CURR?", "SOUR:CURR 0.0001;CURR?"]
        assert source.link.retries[-1].reason == "reads back 0 A after a failed exchange"


def test_a_current_that_arrived_though_its_reply_was_spoilt_is_not_sent_again() -> None:
    pairs = [("SOUR:CURR 0.0001;CURR?", "1?-?"), ("SOUR:CURR?", "1e-4")]
    with expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source:
        assert source.set_current(1e-4) == 1e-4


def test_a_meter_that_measures_by_itself_is_looked_at_without_a_trigger() -> None:
    pairs = [(":SENS:FUNC?", '"VOLT:DC"'), (":INIT:CONT?", "1"), (":FETC?", "1.5e-6")]
    with expected_protocol(Keithley2182A, pairs) as meter:
        assert meter.look() == (1.5e-6, False)


def test_a_meter_that_does_not_measure_voltage_is_told_and_left_alone() -> None:
    with (
        expected_protocol(Keithley2182A, [(":SENS:FUNC?", '"TEMP"')]) as meter,
        pytest.raises(InstrumentFault, match="measures temperature, not voltage; set it on its front panel"),
    ):
        meter.look()


def test_a_current_that_reads_back_differently_is_a_fault() -> None:
    pairs = [("SOUR:CURR 0.0001;CURR?", "1.1e-4"), ("SOUR:CURR?", "1.1e-4")]
    with (
        expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source,
        pytest.raises(InstrumentFault, match=r"was told source current = 0\.0001 and reads back 0\.00011"),
    ):
        source.source_current = 1e-4


def test_a_reply_left_over_from_before_is_not_taken_for_the_current() -> None:
    pairs = [("SOUR:CURR 0.0001;CURR?", "0"), ("SOUR:CURR?", "1.000000E-04")]
    with expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source:
        source.source_current = 1e-4
        source.adapter.connection.clear.assert_called_once()


@pytest.mark.parametrize(
    ("amps", "step"),
    [(0.0, 1e-13), (1e-9, 1e-13), (1.5e-3, 1e-7), (2.1e-3, 1e-7), (2.2e-3, 1e-6), (-0.105, 5e-6)],
)
def test_the_step_of_the_current_is_that_of_the_smallest_range(amps: float, step: float) -> None:
    with expected_protocol(Keithley6221, []) as source:
        assert source.resolution(amps) == pytest.approx(step)


def test_a_range_is_fixed_and_holds_the_current() -> None:
    pairs = [("SOUR:CURR:RANG:AUTO 0;:SOUR:CURR:RANG 0.00015", None), ("SOUR:CURR:RANG?", "2.000000E-04")]
    with expected_protocol(Keithley6221, pairs) as source:
        source.source_range = -1.5e-4


def test_a_range_too_small_for_the_current_is_a_fault() -> None:
    pairs = [("SOUR:CURR:RANG:AUTO 0;:SOUR:CURR:RANG 0.00015", None), *[("SOUR:CURR:RANG?", "2E-05")] * 2]
    with (
        expected_protocol(Keithley6221, pairs) as source,
        pytest.raises(InstrumentFault, match="source range"),
    ):
        source.source_range = 1.5e-4


@pytest.mark.parametrize("volts", [0.05, 106.0, -1.0])
def test_a_compliance_out_of_range_is_refused(volts: float) -> None:
    with (
        expected_protocol(Keithley6221, []) as source,
        pytest.raises(LimitError, match=r"source_compliance = .* V is outside \[0\.1, 105\] V"),
    ):
        source.source_compliance = volts


def test_the_compliance_is_read_back() -> None:
    pairs = [(":SOUR:CURR:COMP 1.5", None), (":SOUR:CURR:COMP?", "+1.500000E+00")]
    with expected_protocol(Keithley6221, pairs) as source:
        source.source_compliance = 1.5


@pytest.mark.parametrize(
    ("reply", "limited"), [("0;0", False), ("8;0", True), ("0;8", True), ("1;32", False), ("41;33", True)]
)
def test_compliance_is_bit_3_of_the_latched_or_the_present_register(reply: str, limited: bool) -> None:
    with expected_protocol(Keithley6221, [("STAT:MEAS:EVEN?;COND?;:OUTP?", f"{reply};1")]) as source:
        assert source.was_in_compliance() is limited


def test_a_source_whose_output_is_off_without_being_told_so_has_lost_its_setup() -> None:
    with (
        expected_protocol(Keithley6221, [("STAT:MEAS:EVEN?;COND?;:OUTP?", "0;0;0")]) as source,
        pytest.raises(CommunicationError, match="has its output off, though it was switched on; it may have"),
    ):
        source.was_in_compliance()


@pytest.mark.parametrize(("reply", "limited"), [("8;0", False), ("0;8", True)])
def test_watching_the_compliance_forgets_what_was_latched_before(reply: str, limited: bool) -> None:
    pairs = [("STAT:MEAS:EVEN?;COND?", "?;?"), ("STAT:MEAS:COND?", reply[2:])]
    for said in ([("STAT:MEAS:EVEN?;COND?", reply)], pairs):
        with expected_protocol(Keithley6221, said, clock=VirtualClock()) as source:
            assert source.watch_compliance() is limited


@pytest.mark.parametrize("reply", ["8", "8;0", "8;0;1;0", "8?0;1", ""])
def test_a_garbled_register_is_not_asked_again_as_it_is_empty_then(reply: str) -> None:
    with (
        expected_protocol(Keithley6221, [("STAT:MEAS:EVEN?;COND?;:OUTP?", reply)]) as source,
        pytest.raises(CommunicationError, match="is not asked again"),
    ):
        source.was_in_compliance()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_delay", 1e-4),
        ("waveform_frequency", 1e6),
        ("waveform_amplitude", 1.0),
        ("waveform_offset", -1.0),
        ("waveform_dutycycle", 101),
        ("waveform_duration_time", 1e9),
        ("delta_high_source", 1.0),
        ("delta_low_source", 0.1),
        ("delta_cycles", 0),
        ("delta_delay", "ever"),
        ("waveform_function", "triangle"),
    ],
)
def test_whatever_pymeasure_would_clip_is_refused(name: str, value: object) -> None:
    with expected_protocol(Keithley6221, []) as source, pytest.raises(LimitError, match="nothing was sent"):
        setattr(source, name, value)


def test_a_ramp_goes_in_steps_at_its_rate() -> None:
    clock = VirtualClock()
    pairs = [
        ("SOUR:CURR?", "0"),
        ("SOUR:CURR 2e-05;CURR?", "2E-05"),
        ("SOUR:CURR 4e-05;CURR?", "4E-05"),
        ("SOUR:CURR 5e-05;CURR?", "5E-05"),
    ]
    pairs[1:3] = [
        ("SOUR:CURR 1.66666667e-05;CURR?", "1.666667E-05"),
        ("SOUR:CURR 3.33333333e-05;CURR?", "3.333333E-05"),
    ]
    with expected_protocol(Keithley6221, pairs, clock=clock) as source:
        assert source.ramp_to(5e-5, 1e-3) == 5e-5
    assert clock.now() == pytest.approx(0.04)


SAFE = [("SOUR:SWE:ABOR", None), ("SOUR:WAVE:ABOR", None)]
CUT_OFF = [("SOUR:CURR 0", None), ("OUTPut 0", None)]
OFF = [*CUT_OFF, ("OUTPut?", "0"), ("SOUR:CURR?", "0")]


def test_the_safe_state_aborts_ramps_to_zero_and_switches_off_in_this_order() -> None:
    pairs = [
        *SAFE,
        ("SOUR:CURR?", "1E-04"),
        ("OUTPut?", "1"),
        ("SOUR:CURR?", "1E-04"),
        ("SOUR:CURR 0;CURR?", "0"),
        *OFF,
    ]
    with expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source:
        assert source.safe_state(rate_a_per_s=1.0) == "0 A, output off"


def test_without_a_rate_the_ramp_to_zero_takes_a_second() -> None:
    clock = VirtualClock()
    steps = [(f"SOUR:CURR {1e-4 * k / 50:.9g};CURR?", f"{1e-4 * k / 50:.6E}") for k in range(49, 0, -1)]
    pairs = [
        *SAFE,
        ("SOUR:CURR?", "1E-04"),
        ("OUTPut?", "1"),
        ("SOUR:CURR?", "1E-04"),
        *steps,
        ("SOUR:CURR 0;CURR?", "0"),
        *OFF,
    ]
    with expected_protocol(Keithley6221, pairs, clock=clock) as source:
        source.safe_state()
    assert clock.now() == pytest.approx(1.0, abs=0.03)


def test_an_output_that_is_off_is_not_ramped() -> None:
    pairs = [*SAFE, ("SOUR:CURR?", "1E-04"), ("OUTPut?", "0"), *OFF]
    with expected_protocol(Keithley6221, pairs) as source:
        source.shutdown()


def test_an_output_that_stays_on_is_a_fault() -> None:
    pairs = [
        *SAFE,
        ("SOUR:CURR?", "0"),
        ("OUTPut?", "0"),
        *CUT_OFF,
        ("OUTPut?", "1"),
    ]
    with (
        expected_protocol(Keithley6221, pairs) as source,
        pytest.raises(InstrumentFault, match="source_enabled"),
    ):
        source.safe_state()


def test_a_source_that_cannot_be_ramped_is_switched_off_all_the_same_and_says_so() -> None:
    pairs = [*SAFE, *[("SOUR:CURR?", "1?-?4")] * 4, *SAFE, *OFF]
    with expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source:
        assert source.safe_state().startswith("0 A, output off, but not ramped: Keithley 6221 gave no usable")


def test_a_source_whose_zero_cannot_be_read_back_is_off_but_not_confirmed() -> None:
    pairs = [*SAFE, *[("SOUR:CURR?", "1?-?4")] * 4, *SAFE, *OFF[:3], *[("SOUR:CURR?", "0?0")] * 4]
    with (
        expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source,
        pytest.raises(CommunicationError, match=r"was told 0 A and output off, which cannot be read back: "),
    ):
        source.safe_state()


def test_a_level_that_does_not_go_to_zero_is_a_fault() -> None:
    pairs = [*SAFE, ("SOUR:CURR?", "0"), ("OUTPut?", "0"), *OFF[:3], ("SOUR:CURR?", "1E-4")]
    with (
        expected_protocol(Keithley6221, pairs, clock=VirtualClock()) as source,
        pytest.raises(InstrumentFault, match="source current"),
    ):
        source.safe_state()


@pytest.mark.parametrize("driver", [Keithley6221, Keithley2182A])
def test_another_instrument_at_the_address_is_told(driver: type[Keithley6221] | type[Keithley2182A]) -> None:
    with (
        expected_protocol(driver, [("*IDN?", "STANFORD,SR830,1,1")]) as instrument,
        pytest.raises(CommunicationError, match="'STANFORD,SR830,1,1' answers; correct its resource"),
    ):
        instrument.connect()


# --- 2182A


def test_a_reading_is_triggered() -> None:
    with expected_protocol(Keithley2182A, [(":READ?", "-1.234567E-06")]) as meter:
        assert meter.read_voltage() == -1.234567e-6


def test_a_garbled_reading_is_triggered_anew() -> None:
    with expected_protocol(
        Keithley2182A, [(":READ?", "-?.?3"), (":READ?", "2E-06")], clock=VirtualClock()
    ) as meter:
        assert meter.read_voltage() == 2e-6
        meter.adapter.connection.clear.assert_called_once()


@pytest.mark.parametrize(
    ("volts", "full"), [(0.0, 0.01), (0.012, 0.01), (-0.013, 0.1), (1.1, 1.0), (5.0, 10.0), (9.9e37, 100.0)]
)
def test_the_range_is_the_smallest_that_holds_the_voltage(volts: float, full: float) -> None:
    pairs = [(f":SENS:VOLT:CHAN1:RANG {full:.9g}", None), (":SENS:VOLT:CHAN1:RANG?", f"{full:.6E}")]
    with expected_protocol(Keithley2182A, pairs) as meter:
        assert meter.fix_range(volts) == full


def test_each_channel_has_its_own_limits() -> None:
    with expected_protocol(Keithley2182A, []) as meter:
        with pytest.raises(LimitError, match=r"voltage_range = 100 V is outside \[0, 12\] V"):
            meter.ch_2.voltage_range = 100
        with pytest.raises(AttributeError, match="did you mean 'voltage_range'"):
            meter.ch_1.voltage_rnage = 1


def test_for_a_reversal_both_filters_are_off() -> None:
    pairs: list[tuple[str | None, str | None]] = [("*RST", None)]
    for command, value, reply in (
        (":SENS:CHAN", "1", "1"),
        ("SENS:FUNC", '"VOLT:DC"', '"VOLT:DC"'),
        (":SENS:VOLT:NPLC", "1", "+1.00"),
        (":SENS:VOLT:DFIL:STAT", "0", "0"),
        (":SENS:VOLT:LPAS:STAT", "0", "0"),
        (":SYST:AZER:STAT", "1", "1"),
        (":SYST:FAZ:STAT", "1", "1"),
        (":TRIG:COUN", "1", "1"),
        (":SAMP:COUN", "1", "1"),
    ):
        pairs += [(f"{command} {value}", None), (f":{command.lstrip(':')}?", reply)]
    with expected_protocol(Keithley2182A, [*pairs, ("SYST:ERR?", '0,"No error"')]) as meter:
        meter.prepare_for_reversal(1.0)


def test_replies_out_of_step_are_a_communication_error() -> None:
    pairs = [("SYST:ERR?", '-410,"Query INTERRUPTED"'), ("SYST:ERR?", '0,"No error"')]
    with expected_protocol(Keithley2182A, pairs) as meter, pytest.raises(CommunicationError, match="-410"):
        meter.check_errors()


def test_a_meter_is_always_safe() -> None:
    with expected_protocol(Keithley2182A, []) as meter:
        assert meter.safe_state() == "nothing to do"
