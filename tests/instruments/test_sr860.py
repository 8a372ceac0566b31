"""The SR860, byte by byte, where it differs from the SR830."""

import math

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import LimitError
from onnes.instruments.lock_ins import LockIn, LockInUse
from onnes.instruments.sr860 import SR860

Pairs = list[tuple[str | bytes | None, str | bytes | None]]


def test_it_is_a_lock_in() -> None:
    with expected_protocol(SR860, []) as lock_in:
        assert isinstance(lock_in, LockIn)


def test_its_own_reference_and_filters_are_set_and_read_back() -> None:
    pairs: Pairs = [
        ("RSRC 0", None),
        ("RSRC?", "0"),
        ("HARM 1", None),
        ("HARM?", "1"),
        ("FREQ 317.123", None),
        ("FREQ?", "317.123"),
        ("HARM 2", None),
        ("HARM?", "2"),
        ("OFSL 1", None),
        ("OFSL?", "1"),
        ("OFLT 11", None),
        ("OFLT?", "11"),
        ("SYNC 0", None),
        ("SYNC?", "0"),
        ("LIAS?", "0"),
        ("CUROVLDSTAT?", "0"),
    ]
    with expected_protocol(SR860, pairs, clock=VirtualClock()) as lock_in:
        lock_in.listen(LockInUse(317.123, slope_db=12, harmonic=2), reference="internal")


@pytest.mark.parametrize(
    ("latched", "now", "flags"),
    [
        (0, 0, ()),
        (1, 0, ("overload",)),
        (2, 0, ("overload",)),
        (16, 0, ("overload",)),
        (64, 0, ("overload",)),
        (0, 16, ("overload",)),
        (8, 0, ("unlock",)),
        (0, 8, ("unlock",)),
        (128, 0, ()),
    ],
)
def test_what_latched_and_what_lasts_are_both_told(latched: int, now: int, flags: tuple[str, ...]) -> None:
    pairs: Pairs = [("SNAP? 0,1", "1e-6,0"), ("LIAS?", str(latched)), ("CUROVLDSTAT?", str(now))]
    with expected_protocol(SR860, pairs) as lock_in:
        assert lock_in.take().flags == flags


@pytest.mark.parametrize(
    ("volts", "scale", "input_range"),
    [(math.inf, 0, 0), (0.09, 2, 1), (30e-3, 4, 2), (10e-3, 5, 3), (3e-3, 7, 4), (3e-9, 25, 4)],
)
def test_the_input_range_holds_the_peaks_of_the_full_scale(
    volts: float, scale: int, input_range: int
) -> None:
    pairs: Pairs = [
        ("SCAL?", "0" if volts < 1.0 else "9"),
        (f"IRNG {input_range}", None),
        ("IRNG?", str(input_range)),
        (f"SCAL {scale}", None),
        ("SCAL?", str(scale)),
    ]
    with expected_protocol(SR860, pairs) as lock_in:
        assert lock_in.fit_range(volts)


@pytest.mark.parametrize(
    ("name", "value", "pairs"),
    [
        ("filter_advanced", True, [("ADVFILT 1", None), ("ADVFILT?", "1")]),
        ("reference_externalinput", "1MEG", [("REFZ 1", None), ("REFZ?", "1")]),
        ("horizontal_time_div", 16, [("GSPD 16", None), ("GSPD?", "16")]),
        ("frequencypreset3", 1e3, [("PSTF 2, 1000", None), ("PSTF? 2", "1000")]),
        ("frequencypreset4", 1e3, [("PSTF 3, 1000", None), ("PSTF? 3", "1000")]),
        ("sine_amplitudepreset1", 0.5, [("PSTA 0, 0.5", None), ("PSTA? 0", "0.5")]),
        ("sine_dclevelpreset4", 0.5, [("PSTL 3, 0.5", None), ("PSTL? 3", "0.5")]),
        ("filter_slope", 24, [("OFSL 3", None), ("OFSL?", "3")]),
        ("harmonicdual", 99, [("HARMDUAL 99", None), ("HARMDUAL?", "99")]),
        ("dcmode", "DIF", [("REFM 1", None), ("REFM?", "1")]),
        ("input_signal", "CURR", [("IVMD 1", None), ("IVMD?", "1")]),
    ],
)
def test_what_pymeasure_sends_wrongly_is_mended(name: str, value: object, pairs: Pairs) -> None:
    with expected_protocol(SR860, pairs) as lock_in:
        setattr(lock_in, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dcmode", "common"),
        ("input_signal", "voltage"),
        ("sine_voltage", 2.1),
        ("sine_dc_level", -5.1),
        ("frequency", 6e5),
        ("internalfrequency", 0.0),
        ("phase", 361.0),
        ("harmonic", 100),
        ("sensitivity", 3e-3),
        ("time_constant", 2.0),
        ("frequencypreset1", 6e5),
        ("aux_out_2", 11.0),
    ],
)
def test_what_it_does_not_have_is_refused(name: str, value: object) -> None:
    with expected_protocol(SR860, []) as lock_in, pytest.raises(LimitError, match="nothing was sent"):
        setattr(lock_in, name, value)


def test_the_safe_state_takes_direct_level_and_sine_to_their_minimum() -> None:
    pairs: Pairs = [("SOFF 0", None), ("SOFF?", "0"), ("SLVL 1e-09", None), *[("SLVL?", "1e-9")] * 2]
    with expected_protocol(SR860, pairs) as lock_in:
        assert lock_in.safe_state() == "sine at 1e-09 V rms, its minimum"
