"""What makes an instrument of PyMeasure strict."""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import pytest
from pymeasure.instruments import Instrument, SCPIMixin
from pymeasure.instruments.validators import (
    joined_validators,
    strict_discrete_set,
    strict_range,
    truncated_discrete_set,
    truncated_range,
)
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.strict import StrictInstrument, confirm


class Lax(SCPIMixin, Instrument):
    """What PyMeasure would make of it."""

    level = Instrument.control("LEV?", "LEV %g", "Level.", validator=truncated_range, values=[-1, 1])
    ratio = Instrument.control("RAT?", "RAT %0.3f", "Ratio.", validator=strict_range, values=[0, 10])
    count = Instrument.control("COUN?", "COUN %d", "Count.", validator=strict_range, values=[1, 9])
    step = Instrument.control("STEP?", "STEP %g", "Step.", validator=truncated_discrete_set, values=[1, 2, 5])
    mode = Instrument.control(
        "MODE?", "MODE %d", "Mode.", validator=strict_discrete_set, values={"dc": 0, "ac": 1}, map_values=True
    )
    shape = Instrument.control("SHAP?", "SHAP %s", "Shape.", values={"sine": "SIN"}, map_values=True)
    cycles = Instrument.control(
        "CYC?",
        "CYC %s",
        "Cycles.",
        validator=joined_validators(strict_range, strict_discrete_set),
        values=([1, 5], ["INF"]),
    )
    free = Instrument.control("FREE?", "FREE %g", "Free.")
    wide = Instrument.control(
        "WIDE?", "WIDE %g", "Wide.", validator=strict_range, values=[0, 1], dynamic=True
    )
    trigger = Instrument.setting("TRIG %g", "Trigger.", validator=strict_range, values=[0, 1])
    reading = Instrument.measurement("READ?", "Reading.")


class Firm(StrictInstrument, Lax):
    units: ClassVar[Mapping[str, str]] = {"level": "V"}
    resolutions: ClassVar[Mapping[str, float]] = {"wide": 0.01}

    def __init__(self, adapter: object, name: str = "firm", **kwargs: object) -> None:
        super().__init__(adapter, name, VirtualClock(), **kwargs)


def refuses(name: str, value: object, match: str) -> None:
    with expected_protocol(Firm, []) as firm, pytest.raises(LimitError, match=match):
        setattr(firm, name, value)


@pytest.mark.parametrize("value", [1.5, -2, math.nan, math.inf])
def test_a_value_that_would_be_clipped_is_refused_and_nothing_is_sent(value: float) -> None:
    refuses(
        "level", value, r"level = .* V is outside \[-1, 1\] V, the range set by the firm; nothing was sent"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ratio", -1),
        ("step", 3),
        ("step", 9),
        ("mode", "rf"),
        ("shape", "square"),
        ("cycles", 7),
        ("trigger", 2),
    ],
)
def test_a_value_outside_a_range_or_list_is_refused_and_nothing_is_sent(name: str, value: object) -> None:
    refuses(name, value, "nothing was sent")


def test_a_number_that_an_integer_format_would_cut_is_refused() -> None:
    refuses("count", 4.5, "nothing was sent")


def test_nan_is_refused_where_pymeasure_checks_nothing() -> None:
    refuses("free", math.nan, "nothing was sent")


@pytest.mark.parametrize(
    ("name", "value", "sent", "question", "reply"),
    [
        ("level", 0.123456789, "LEV 0.123456789", "LEV?", "0.123456789"),
        ("level", -1, "LEV -1", "LEV?", "-1.000000E+00"),
        ("ratio", 1.23456789, "RAT 1.23456789", "RAT?", "1.234568"),
        ("count", 4, "COUN 4", "COUN?", "4"),
        ("step", 5, "STEP 5", "STEP?", "5"),
        ("mode", "ac", "MODE 1", "MODE?", "1"),
        ("shape", "sine", "SHAP SIN", "SHAP?", "SIN"),
        ("cycles", "INF", "CYC INF", "CYC?", "INF"),
        ("wide", 0.5, "WIDE 0.5", "WIDE?", "0.507"),
    ],
)
def test_a_value_leaves_with_nine_digits_and_is_read_back(
    name: str, value: object, sent: str, question: str, reply: str
) -> None:
    with expected_protocol(Firm, [(sent, None), (question, reply)]) as firm:
        setattr(firm, name, value)


def test_a_setting_without_a_question_is_sent() -> None:
    with expected_protocol(Firm, [("TRIG 0.5", None)]) as firm:
        firm.trigger = 0.5


def test_another_value_read_back_is_a_fault() -> None:
    with (
        expected_protocol(Firm, [("LEV 0.5", None), ("LEV?", "0.4")]) as firm,
        pytest.raises(InstrumentFault, match=r"firm was told level = 0\.5 and reads back 0\.4"),
    ):
        firm.level = 0.5


@pytest.mark.parametrize("misspelt", ["levle", "Level", "mod"])
def test_a_misspelt_attribute_is_refused_and_the_nearest_is_named(misspelt: str) -> None:
    with (
        expected_protocol(Firm, []) as firm,
        pytest.raises(AttributeError, match=rf"no attribute {misspelt!r}; nothing was sent; did you mean"),
    ):
        setattr(firm, misspelt, 1)


def test_a_property_that_cannot_be_set_or_read_says_so() -> None:
    with expected_protocol(Firm, []) as firm:
        with pytest.raises(AttributeError, match="reading of firm cannot be set, only read"):
            firm.reading = 1
        with pytest.raises(AttributeError, match="trigger of firm cannot be read, only set"):
            _ = firm.trigger


def test_the_allowed_values_of_a_dynamic_property_may_change() -> None:
    with expected_protocol(Firm, [("WIDE 5", None), ("WIDE?", "5")]) as firm:
        firm.wide_values = [0, 10]
        firm.wide = 5


@pytest.mark.parametrize("replies", [[("READ?", "1.?3")] * 4, [("READ?", "")] * 4])
def test_a_garbled_number_is_a_communication_error_and_never_text(replies: Sequence[tuple[str, str]]) -> None:
    with (
        expected_protocol(Firm, list(replies)) as firm,
        pytest.raises(
            CommunicationError, match=r"no usable answer to 'READ\?' in 4 tries.*which is no number"
        ),
    ):
        _ = firm.reading


def test_a_garbled_choice_is_a_communication_error() -> None:
    with (
        expected_protocol(Firm, [("SHAP?", "SQU")] * 4) as firm,
        pytest.raises(CommunicationError, match="a value it does not have"),
    ):
        _ = firm.shape


def test_a_garbled_number_is_asked_for_again() -> None:
    with expected_protocol(Firm, [("READ?", "1.?3"), ("READ?", "1.23")]) as firm:
        assert firm.reading == 1.23
        assert len(firm.link.retries) == 1


def test_an_empty_error_queue_is_no_fault() -> None:
    with expected_protocol(Firm, [("SYST:ERR?", '0,"No error"')]) as firm:
        assert firm.check_errors() == []


def test_a_queue_that_overflowed_with_replies_out_of_step_is_the_fault_of_the_link() -> None:
    pairs = [("SYST:ERR?", '-420,"Query UNTERMINATED"'), ("SYST:ERR?", '-350,"Queue overflow"')]
    with (
        expected_protocol(Firm, [*pairs, ("SYST:ERR?", '0,"No error"')]) as firm,
        pytest.raises(CommunicationError, match="reports 2 errors: -420"),
    ):
        firm.check_errors()


def test_errors_in_the_queue_are_a_fault_with_their_texts() -> None:
    replies = [("SYST:ERR?", '-222,"Parameter out of range"'), ("SYST:ERR?", '0,"No error"')]
    with (
        expected_protocol(Firm, replies) as firm,
        pytest.raises(InstrumentFault, match=r"firm reports 1 errors: -222.*Parameter out of range"),
    ):
        firm.check_errors()


def test_f26_an_instrument_that_always_answers_an_error_is_asked_twenty_times_and_no_more() -> None:
    with (
        expected_protocol(Firm, [("SYST:ERR?", '-113,"Undefined header"')] * 20) as firm,
        pytest.raises(InstrumentFault, match=r"reports 20 errors.*there may be more"),
    ):
        firm.check_errors()


def test_n_floats_are_read_as_exactly_four_n_bytes() -> None:
    data = struct.pack("<3f", 1.0, -2.5, 3e-9)
    with expected_protocol(Firm, [("TRCB?1,0,3", data)]) as firm:
        np.testing.assert_allclose(firm.read_floats("TRCB?1,0,3", 3), [1.0, -2.5, 3e-9], rtol=1e-6)


def test_a_binary_read_is_one_transfer() -> None:
    asked: list[tuple[int, int]] = []
    with expected_protocol(Firm, []) as firm:

        def read_bytes(count: int, chunk_size: int) -> bytes:
            asked.append((count, chunk_size))
            return bytes(count)

        firm.adapter.read_bytes = read_bytes
        firm.read_bytes(65532)
    assert asked == [(65532, 65532)]


@pytest.mark.parametrize("count", [-1, 0])
def test_a_binary_read_without_a_length_is_refused(count: int) -> None:
    with expected_protocol(Firm, []) as firm, pytest.raises(ValueError, match="needs the number of bytes"):
        firm.read_bytes(count)


def test_pymeasures_own_binary_read_is_refused() -> None:
    with expected_protocol(Firm, []) as firm, pytest.raises(ValueError, match="use read_floats"):
        firm.read_binary_values()


def test_too_few_bytes_are_a_communication_error() -> None:
    with (
        expected_protocol(Firm, [(None, b"\x00\x00")]) as firm,
        pytest.raises(CommunicationError, match="sent 2 of 8 bytes"),
    ):
        firm.read_bytes(8)


@pytest.mark.parametrize(("asked", "got"), [("dc", "ac"), (1.0, 1.1), (0.0, 1e-9), (True, False)])
def test_what_differs_by_more_than_the_resolution_is_a_fault(asked: object, got: object) -> None:
    with pytest.raises(InstrumentFault, match="look at the instrument"):
        confirm("x", asked, got, 0.0, "firm")
