"""The SR830, byte by byte."""

import math
import struct
from typing import Any

import pytest
from pymeasure.instruments.srs.sr830 import LIAStatus
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.lock_ins import LockIn, LockInUse
from onnes.instruments.sr830 import SR830

Pairs = list[tuple[str | bytes | None, str | bytes | None]]

FILTERS: Pairs = [
    ("HARM 1", None),
    ("HARM?", "1"),
    ("OFSL3", None),
    ("OFSL?", "3"),
    ("OFLT9", None),
    ("OFLT?", "9"),
    ("SYNC 1", None),
    ("SYNC?", "1"),
    ("OEXP 1,0,0", None),
    ("OEXP 2,0,0", None),
    ("LIAS?", "32"),
]
INTERNAL: Pairs = [
    ("FMOD 1", None),
    ("FMOD?", "1"),
    ("HARM 1", None),
    ("HARM?", "1"),
    ("FREQ 17.77", None),
    ("FREQ?", "17.77"),
    *FILTERS,
]
EXTERNAL: Pairs = [("FMOD 0", None), ("FMOD?", "0"), *FILTERS]


def listening(pairs: Pairs, before: Pairs = INTERNAL) -> Any:  # a context manager of PyMeasure
    """Return a lock-in that is set up first, with what is said after that."""
    return expected_protocol(SR830, [*before, *pairs], clock=VirtualClock())


def test_it_is_a_lock_in() -> None:
    with expected_protocol(SR830, []) as lock_in:
        assert isinstance(lock_in, LockIn)


# --- setting up


def test_its_own_reference_and_filters_are_set_and_read_back_and_old_status_is_forgotten() -> None:
    with listening([("SNAP? 1,2", "1e-6,2e-8"), ("LIAS?", "0")]) as lock_in:
        lock_in.listen(LockInUse(), reference="internal")
        reading = lock_in.take()
    assert (reading.x, reading.y, reading.flags) == (1e-6, 2e-8, ())


def test_an_external_reference_is_waited_for_and_its_frequency_looked_at() -> None:
    after: Pairs = [("LIAS?", "8"), ("LIAS?", "0"), ("FREQ?", "17.770")]
    with listening(after, before=EXTERNAL) as lock_in:
        lock_in.listen(LockInUse(), reference="external")
        assert lock_in.link.clock.now() == pytest.approx(0.6)


def test_a_reference_that_does_not_lock_in_ten_time_constants_and_a_second_is_a_fault() -> None:
    with (
        listening([("LIAS?", "8")] * 14, before=EXTERNAL) as lock_in,
        pytest.raises(InstrumentFault, match="no external reference within 4 s; connect the reference outp"),
    ):
        lock_in.listen(LockInUse(), reference="external")


def test_a_reference_of_another_frequency_is_a_fault() -> None:
    with (
        listening([("LIAS?", "0"), ("FREQ?", "50.001")], before=EXTERNAL) as lock_in,
        pytest.raises(InstrumentFault, match=r"locked to 50\.001 Hz, but the source is at 17\.77 Hz"),
    ):
        lock_in.listen(LockInUse(), reference="external")


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (LockInUse(time_constant_s=0.2), r"time constant = 0\.2 s is not .*nearest are 0\.1 and 0\.3 s"),
        (LockInUse(time_constant_s=math.nan), "time constant = nan s is not one"),
        (LockInUse(slope_db=20), r"slope = 20 dB is not .*nearest are 18 and 24 dB"),  # type: ignore[arg-type]
        (LockInUse(settle=0.9), r"settled part = 0\.9 of a step is not"),
        (LockInUse(harmonic=0), r"harmonic = 0 is outside \[1, 19999\]"),
        (
            LockInUse(frequency_hz=2e5),
            r"frequency of the reference = 200000 Hz is outside \[0\.001, 102000\]",
        ),
        (LockInUse(frequency_hz=6e4, harmonic=2), "frequency of the harmonic = 120000 Hz is outside"),
        (LockInUse(frequency_hz=317.0, sync=True), r"synchronous filter at 317 Hz is outside \[0, 200\] Hz"),
    ],
)
def test_what_it_does_not_have_is_refused_with_the_nearest_and_nothing_is_sent(
    use: LockInUse, text: str
) -> None:
    with expected_protocol(SR830, []) as lock_in, pytest.raises(LimitError, match=text):
        lock_in.listen(use, reference="internal")


# --- status


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (0, ()),
        (1, ("overload",)),
        (2, ("overload",)),
        (4, ("overload",)),
        (8, ("unlock",)),
        (9, ("overload", "unlock")),
        (64, ()),
    ],
)
def test_each_bit_of_the_status_is_told(status: int, flags: tuple[str, ...]) -> None:
    with expected_protocol(SR830, [("SNAP? 1,2", "0,0"), ("LIAS?", str(status))]) as lock_in:
        assert lock_in.take().flags == flags


def test_what_latched_stays_for_the_point_however_often_somebody_looks() -> None:
    pairs: Pairs = [("LIAS?", "4"), ("SNAP? 1,2", "0,0"), ("LIAS?", "0"), *[("LIAS?", "0")] * 2]
    pairs += [("SNAP? 1,2", "0,0"), ("LIAS?", "8"), ("SNAP? 1,2", "0,0"), ("LIAS?", "0")]
    with expected_protocol(SR830, pairs) as lock_in:
        assert lock_in.lia_status == LIAStatus.OUTPUT_OVERLOAD
        assert lock_in.look().flags == ("overload",)
        assert lock_in.is_out_of_range()
        assert lock_in.lia_status == LIAStatus.OUTPUT_OVERLOAD
        assert lock_in.take().flags == ("overload", "unlock")
        assert lock_in.take().flags == ()


def test_clearing_the_status_registers_loses_nothing_for_the_point() -> None:
    pairs: Pairs = [("LIAS?", "1"), ("*CLS", None), ("SNAP? 1,2", "0,0"), ("LIAS?", "0")]
    with expected_protocol(SR830, pairs) as lock_in:
        lock_in.clear()
        assert lock_in.take().flags == ("overload",)


def test_a_spoilt_status_is_not_asked_again_as_it_is_empty_then() -> None:
    with (
        expected_protocol(SR830, [("SNAP? 1,2", "0,0"), ("LIAS?", "4?")]) as lock_in,
        pytest.raises(CommunicationError, match="is not asked again"),
    ):
        lock_in.take()


def test_a_pair_of_voltages_that_is_none_is_asked_again() -> None:
    pairs: Pairs = [("SNAP? 1,2", "nan,0"), ("SNAP? 1,2", "1e-6"), ("SNAP? 1,2", "1e-6,0"), ("LIAS?", "0")]
    with expected_protocol(SR830, pairs, clock=VirtualClock()) as lock_in:
        assert lock_in.take().x == 1e-6


def test_a_filter_that_changed_by_itself_is_a_fault() -> None:
    after: Pairs = [("SNAP? 1,2", "0,0"), ("LIAS?", "16"), ("OFLT?", "9"), ("SYNC?", "0")]
    with listening(after) as lock_in:
        lock_in.listen(LockInUse(), reference="internal")
        with pytest.raises(
            InstrumentFault, match=r"constant of 0\.3 s and the synchronous filter off; choose"
        ):
            lock_in.take()


def test_a_filter_that_changed_by_itself_is_a_fault_of_the_reading_also_after_somebody_has_looked() -> None:
    asked: Pairs = [("SNAP? 1,2", "0,0"), ("LIAS?", "32"), ("OFLT?", "8"), ("SYNC?", "1")]
    again: Pairs = [("SNAP? 1,2", "0,0"), ("LIAS?", "0"), *asked[2:]]
    with listening([*asked, *again]) as lock_in:
        lock_in.listen(LockInUse(), reference="internal")
        with pytest.raises(InstrumentFault, match="changed its filters by itself"):
            lock_in.look()
        with pytest.raises(InstrumentFault, match="changed its filters by itself"):
            lock_in.take()


def test_an_overload_beside_a_changed_filter_is_not_lost_with_the_fault() -> None:
    after: Pairs = [("SNAP? 1,2", "0,0"), ("LIAS?", "36"), ("OFLT?", "8"), ("SYNC?", "1")]
    after += [("SNAP? 1,2", "0,0"), ("LIAS?", "0"), ("OFLT?", "9"), ("SYNC?", "1")]
    with listening(after) as lock_in:
        lock_in.listen(LockInUse(), reference="internal")
        with pytest.raises(InstrumentFault, match="changed its filters by itself"):
            lock_in.look()
        assert lock_in.take().flags == ("overload",)


def test_a_bit_for_the_filter_that_is_as_told_is_no_fault() -> None:
    after: Pairs = [("SNAP? 1,2", "0,0"), ("LIAS?", "32"), ("OFLT?", "9"), ("SYNC?", "1")]
    with listening(after) as lock_in:
        lock_in.listen(LockInUse(), reference="internal")
        assert lock_in.take().flags == ()


@pytest.mark.parametrize(
    ("replies", "error", "text"),
    [
        (("16", "0"), InstrumentFault, r"refused a command \(\*ESR\? = 16\)"),
        (("32", "0"), InstrumentFault, "refused a command"),
        (("0", "64"), InstrumentFault, r"failed test of its own \(ERRS\? = 64\)"),
        (("4", "0"), CommunicationError, "lost messages"),
        (("128", "0"), CommunicationError, "was switched on anew .*; set it up again"),
    ],
)
def test_registers_tell_refusals_failures_and_a_power_cycle(
    replies: tuple[str, str], error: type[Exception], text: str
) -> None:
    with (
        expected_protocol(SR830, list(zip(("*ESR?", "ERRS?"), replies, strict=True))) as lock_in,
        pytest.raises(error, match=text),
    ):
        lock_in.check_errors()


def test_a_key_that_was_pressed_is_no_error() -> None:
    with expected_protocol(SR830, [("*ESR?", "64"), ("ERRS?", "0")]) as lock_in:
        assert lock_in.check_errors() == []


# --- ranges


@pytest.mark.parametrize(
    ("index", "volts", "chosen"),
    [
        (17, 0.9e-3, 18),  # 1 mV: 90 % is too much
        (17, 1.5e-3, 18),
        (17, 90e-6, 15),  # 9 % is too little, and 200 uV hold it
        (17, math.inf, 26),
        (0, 1.0, 26),
        (26, 0.0, 0),
    ],
)
def test_the_full_scale_follows_the_signal(index: int, volts: float, chosen: int) -> None:
    pairs: Pairs = [("SENS?", str(index)), (f"SENS{chosen}", None), ("SENS?", str(chosen))]
    with expected_protocol(SR830, pairs) as lock_in:
        assert lock_in.fit_range(volts)


@pytest.mark.parametrize(
    ("index", "volts"), [(17, 0.8e-3), (17, 0.1e-3), (26, 5.0), (26, math.inf), (0, 0.0)]
)
def test_within_ten_to_eighty_percent_or_at_an_end_the_full_scale_stays(index: int, volts: float) -> None:
    with expected_protocol(SR830, [("SENS?", str(index))]) as lock_in:
        assert not lock_in.fit_range(volts)


@pytest.mark.parametrize("volts", [math.nan, -1e-3])
def test_no_full_scale_fits_a_signal_that_is_none(volts: float) -> None:
    with expected_protocol(SR830, []) as lock_in, pytest.raises(LimitError, match=r"outside \[0, inf\] V"):
        lock_in.fit_range(volts)


# --- what PyMeasure would clip, round or spoil


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sine_voltage", 6.0),
        ("sine_voltage", 0.0),
        ("frequency", 1e9),
        ("phase", 1e3),
        ("aux_out_1", 11.0),
        ("dac4", -11.0),
        ("sensitivity", 1.1e-3),
        ("time_constant", 0.2),
        ("filter_slope", 7),
        ("harmonic", 20_000),
        ("reserve", "Lowest"),
        ("sample_frequency", 3.0),
        ("channel1", "Y"),
        ("input_config", "B"),
    ],
)
def test_whatever_pymeasure_would_clip_or_round_is_refused(name: str, value: object) -> None:
    with expected_protocol(SR830, []) as lock_in, pytest.raises(LimitError, match="nothing was sent"):
        setattr(lock_in, name, value)


def test_the_last_harmonic_is_one_of_its_own() -> None:
    with expected_protocol(SR830, [("HARM 19999", None), ("HARM?", "19999")]) as lock_in:
        lock_in.harmonic = 19_999


def test_a_phase_reads_back_within_half_a_turn() -> None:
    with expected_protocol(SR830, [("PHAS 270", None), ("PHAS?", "-90.00")]) as lock_in:
        lock_in.set_phase(270.0)


def test_a_phase_that_is_not_taken_is_a_fault() -> None:
    with (
        expected_protocol(SR830, [("PHAS 27", None), ("PHAS?", "0")]) as lock_in,
        pytest.raises(InstrumentFault, match=r"phase = 27\.0 and reads back 0\.0"),
    ):
        lock_in.set_phase(27.0)


def test_what_a_channel_shows_is_read_without_its_divisor() -> None:
    with expected_protocol(SR830, [("DDEF 1,1,0", None), ("DDEF? 1", "1,0")]) as lock_in:
        lock_in.channel1 = "R"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("Z", 0.0), "offset of 'Z'"),
        (("X", 0.0, 5), "expanded by 5"),
        (("X", 106.0), r"offset = 106 % is outs"),
    ],
)
def test_an_offset_that_it_does_not_have_is_refused(arguments: tuple[Any, ...], text: str) -> None:
    with expected_protocol(SR830, []) as lock_in, pytest.raises(LimitError, match=text):
        lock_in.set_scaling(*arguments)


@pytest.mark.parametrize("name", ["quick_range", "fill_buffer", "buffer_measure", "wait_for_buffer", "reset"])
def test_what_never_ends_or_drives_the_sample_is_refused(name: str) -> None:
    with expected_protocol(SR830, []) as lock_in, pytest.raises(ValueError, match=r"nothing was sent|; use "):
        getattr(lock_in, name)()


# --- sine


@pytest.mark.parametrize(("volts", "sent"), [(0.0, "0.004"), (0.1, "0.1")])
def test_a_sine_of_zero_is_as_low_as_it_goes(volts: float, sent: str) -> None:
    with expected_protocol(SR830, [(f"SLVL{sent}", None), ("SLVL?", sent)]) as lock_in:
        lock_in.set_sine(volts)


def test_the_safe_state_is_the_lowest_sine_and_tells_what_was_read_back() -> None:
    with expected_protocol(SR830, [("SLVL0.004", None), *[("SLVL?", "0.004")] * 2]) as lock_in:
        assert lock_in.safe_state() == "sine at 0.004 V rms, its minimum"


def test_a_sine_that_stays_is_a_fault() -> None:
    with (
        expected_protocol(SR830, [("SLVL0.004", None), ("SLVL?", "1.000")]) as lock_in,
        pytest.raises(InstrumentFault, match=r"sine_voltage = 0\.004 and reads back 1\.0"),
    ):
        lock_in.safe_state()


# --- buffer


def test_the_buffer_records_x_and_y_until_it_is_full() -> None:
    pairs: Pairs = [
        ("DDEF 1,0,0", None),
        ("DDEF? 1", "0,0"),
        ("DDEF 2,0,0", None),
        ("DDEF? 2", "0,0"),
        ("FAST 0", None),
        ("REST", None),
        ("SEND 0", None),
        ("STRT", None),
    ]
    with expected_protocol(SR830, pairs) as lock_in:
        lock_in.start_buffer()


def test_a_buffer_that_pushes_its_points_is_refused() -> None:
    with expected_protocol(SR830, []) as lock_in, pytest.raises(ValueError, match="between its replies"):
        lock_in.start_buffer(fast=True)


def test_points_of_the_buffer_come_in_bytes_of_known_number() -> None:
    points = struct.pack("<3f", 1.0, -2.0, 0.5)
    with expected_protocol(SR830, [(b"SPTS?", b"4"), (b"TRCB? 2,1,3", points)]) as lock_in:
        assert list(lock_in.get_buffer(2, 1)) == [1.0, -2.0, 0.5]


@pytest.mark.parametrize(("channel", "start", "end"), [(3, 0, 1), (1, 0, 5), (1, 2, 2), (1, -1, 2)])
def test_points_that_were_not_recorded_are_refused(channel: int, start: int, end: int) -> None:
    with (
        expected_protocol(SR830, [("SPTS?", "4")]) as lock_in,
        pytest.raises(LimitError, match="not among the 4 that the"),
    ):
        lock_in.get_buffer(channel, start, end)


def test_a_buffer_that_is_cut_off_is_a_communication_error() -> None:
    with (
        expected_protocol(SR830, [(b"SPTS?", b"4"), (b"TRCB? 1,0,4", b"12345678")]) as lock_in,
        pytest.raises(CommunicationError, match="8 of 16 bytes"),
    ):
        lock_in.get_buffer()
