"""The sine of the 6221, byte by byte."""

import math
from collections.abc import Callable

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.keithley6221 import Keithley6221
from tests.instruments.conftest import Relayed

SET_UP = [
    (":SOUR:WAVE:ABOR", None),
    (":SOUR:WAVE:FUNC SIN", None),
    (":SOUR:WAVE:FUNC?", "SIN"),
    (":SOUR:WAVE:FREQ 17.77", None),
    (":SOUR:WAVE:FREQ?", "+1.777000E+01"),
    (":SOUR:WAVE:RANG FIX", None),
    (":SOUR:WAVE:RANG?", "FIX"),
    (":SOUR:WAVE:DUR:TIME INF", None),
    (":SOUR:WAVE:PMAR 0", None),
    (":SOUR:WAVE:PMAR?", "0"),
    (":SOUR:WAVE:PMAR:STAT 1", None),
    (":SOUR:WAVE:PMAR:STAT?", "1"),
]
LEVELS = [
    (":SOUR:WAVE:AMPL 1.23456789e-05", None),
    (":SOUR:WAVE:AMPL?", "+1.234568E-05"),
    (":SOUR:WAVE:OFFS -0.0001", None),
    (":SOUR:WAVE:OFFS?", "-1.000000E-04"),
    (":SOUR:WAVE:ARM", None),
]
RUN = [("SOUR:WAVE:ARM?", "1"), (":SOUR:WAVE:INIT", None), ("OUTPut?", "1")]


def test_a_wave_is_set_up_with_the_phase_marker_on_and_the_range_fixed() -> None:
    with expected_protocol(Keithley6221, [*SET_UP, *LEVELS, *RUN]) as source:
        source.start_wave(17.77, 1.23456789e-5, -1e-4)


def test_amplitude_and_offset_change_between_an_abort_and_a_new_start() -> None:
    with expected_protocol(Keithley6221, [SET_UP[0], *LEVELS, *RUN]) as source:
        source.set_wave(1.23456789e-5, -1e-4)


def test_ending_a_wave_leaves_the_direct_current_alone() -> None:
    with expected_protocol(Keithley6221, [(":SOUR:WAVE:ABOR", None)]) as source:
        source.stop_wave()


@pytest.mark.parametrize(
    ("hz", "peak", "offset", "text"),
    [
        (1e6, 1e-5, 0.0, r"frequency of the wave = 1000000 Hz is outside \[0\.001, 100000\] Hz"),
        (17.0, 1e-12, 0.0, r"amplitude of the wave = 1e-12 A is outside \[2e-12, 0\.105\] A"),
        (17.0, math.nan, 0.0, "amplitude of the wave = nan A"),
        (17.0, 1e-5, -0.2, r"offset of the wave = -0\.2 A is outside"),
        (17.0, 0.006, -0.1, r"peak of the current = 0\.106 A is outside \[-0\.105, 0\.105\] A"),
    ],
)
def test_a_wave_beyond_the_source_is_refused_and_nothing_is_sent(
    hz: float, peak: float, offset: float, text: str
) -> None:
    with expected_protocol(Keithley6221, []) as source, pytest.raises(LimitError, match=text):
        source.start_wave(hz, peak, offset)


def test_a_change_beyond_the_source_is_refused_and_the_wave_goes_on() -> None:
    with expected_protocol(Keithley6221, []) as source, pytest.raises(LimitError, match="peak of the curr"):
        source.set_wave(0.006, 0.1)


@pytest.mark.parametrize(
    ("replies", "text"),
    [([("SOUR:WAVE:ARM?", "0")], "wave armed"), ([*RUN[:2], ("OUTPut?", "0")], "source_enabled")],
)
def test_a_wave_that_does_not_start_is_a_fault(replies: list[tuple[str, str | None]], text: str) -> None:
    with (
        expected_protocol(Keithley6221, [SET_UP[0], *LEVELS, *replies]) as source,
        pytest.raises(InstrumentFault, match=text),
    ):
        source.set_wave(1.23456789e-5, -1e-4)


def test_a_wave_whose_abort_was_lost_is_at_zero_in_its_safe_state_all_the_same(
    relayed: Callable[..., Relayed], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = relayed()
    source = bench.source
    source.source_range = 1e-3
    source.set_current(1e-4)
    source.start_wave(17.77, 1e-5, 1e-4)
    write = source.link.write

    def loses_one(message: str) -> None:
        monkeypatch.setattr(source.link, "write", write)
        raise CommunicationError(f"lost {message!r}")

    monkeypatch.setattr(source.link, "write", loses_one)
    assert source.safe_state() == "0 A, output off, but not ramped: lost 'SOUR:SWE:ABOR'"
    bench.assert_off()
