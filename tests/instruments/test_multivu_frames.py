"""Frames, sessions and results of a MultiVu server, byte by byte and word by word."""

import json
from collections.abc import Callable

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault
from onnes.instruments.multivu import MultiVu
from onnes.instruments.multivu_frames import body_bytes, body_of, decimal, frame
from onnes.instruments.multivu_replies import (
    chamber_code,
    field_code,
    field_setpoint,
    reading,
    temperature_code,
    temperature_setpoint,
)
from onnes.instruments.ppms_replies import FieldSetpoint, TemperatureSetpoint

ID = "0f0e0d0c-0000-4000-8000-000000000001"
ASKED = (
    b'\x00g{"byteorder": "little", "message-type": "text/json", "message-encoding": "utf-8", '
    b'"message-length": 92}{"id": "0f0e0d0c-0000-4000-8000-000000000001", "action": "TEMP?", "query": "", '
    b'"result": ""}'
)
DONE = (
    b'\x00h{"byteorder": "little", "message-type": "text/json", "message-encoding": "utf-8", '
    b'"message-length": 135}{"id": "0f0e0d0c-0000-4000-8000-000000000001", "action": "TEMP?", "query": "", '
    b'"result": "300.0,K,Stable", "message_type": "completed"}'
)

Pair = tuple[bytes, bytes | None]


def body(number: int, action: str, query: str = "", result: str = "", kind: str = "") -> bytes:
    told = {
        "id": f"00000000-0000-4000-8000-{number:012x}",
        "action": action,
        "query": query,
        "result": result,
    }
    return frame({**told, "message_type": kind} if kind else told)


def asked(number: int, action: str, result: str, query: str = "", told: str | None = None) -> list[Pair]:
    """Return what is on the wire of one request that asks ``query``, or ``told`` after that was replaced."""
    told = query if told is None else told
    return [
        (
            body(number, action, query),
            body(number, action, query, kind="confirmed") + body(number, action, told, result, "completed"),
        ),
        (body(number, action, told, result, "confirmed"), None),
    ]


def started(flavor: str = "PPMS", query: str = "3.8.0;mv=1.9;t") -> list[Pair]:
    return asked(1, "START", f"Connected to {flavor} MultiVuServer at ('127.0.0.1', 37316)", told=query)


# --- frames


def test_a_request_is_the_bytes_that_the_maker_sends() -> None:
    assert frame({"id": ID, "action": "TEMP?", "query": "", "result": ""}) == ASKED


def test_a_completion_is_read_and_its_echo_confirms_it() -> None:
    head = DONE[2:106]
    assert body_bytes(head) == 135
    told = body_of(DONE[106:])
    assert told["result"] == "300.0,K,Stable"
    assert frame({**told, "message_type": "confirmed"}) == DONE.replace(b"completed", b"confirmed")


def test_a_frame_that_the_server_cannot_take_in_one_read_is_not_made() -> None:
    with pytest.raises(ValueError, match=r"is outside \[0, 4095\] bytes; nothing was sent"):
        frame({"result": "x" * 4000})


@pytest.mark.parametrize("header", [b"rubbish", b"\xff\xfe", b"[]", b'{"message-length": 3}'])
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="of a MultiVu server"):
        body_bytes(header)


def test_what_is_no_body_is_refused() -> None:
    with pytest.raises(ValueError, match="is no JSON object of a MultiVu server"):
        body_of(b"??")


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.95e22, "29500000000000000000000"), (1e-7, "0.0000001"), (-500.5, "-500.5"), (7, "7.0")],
)
def test_a_number_has_no_exponent_and_no_plus_sign(value: float, text: str) -> None:
    assert decimal(value) == text


# --- a session


def test_a_session_starts_asks_and_leaves_as_the_server_expects() -> None:
    pairs = [*started(), *asked(2, "TEMP?", "295.5,K,Tracking"), *asked(3, "CLOSE", "gone", told="CLOSE")]
    with expected_protocol(MultiVu, pairs, name="it", clock=VirtualClock()) as machine:
        assert machine.connect() == "Quantum Design PPMS, MultiVu 1.9, MultiPyVu 3.8.0"
        assert machine.temperature().value == 295.5
        machine._session.close()
        machine._session.close()  # the slot is given back once


def test_a_setpoint_travels_in_plain_decimals_and_is_read_back() -> None:
    before, after = "(300.0, 10.0, 0),K,Call was successful", "(1.90005, 0.5, 1),K,Call was successful"
    pairs = [
        *started(),
        *asked(2, "TEMP_SETPOINTS?", before),
        *asked(3, "TEMP", "TEMP Command Received", "1.90005,0.5,1"),
        *asked(4, "TEMP_SETPOINTS?", after),
    ]
    with expected_protocol(MultiVu, pairs, name="it", clock=VirtualClock()) as machine:
        machine.set_temperature(1.90005, 0.5, "no_overshoot")
        assert machine.confirmed_temperature() == 1.90005
        assert machine.commanded_rate_k_per_min() == 0.5


def test_the_next_request_leaves_5_ms_after_the_confirmation_at_the_earliest() -> None:
    clock = VirtualClock()
    pairs = [*started(), *asked(2, "TEMP?", "1.9,K,Stable"), *asked(3, "TEMP?", "1.9,K,Stable")]
    with expected_protocol(MultiVu, pairs, name="it", clock=clock) as machine:
        machine.connect()
        machine.temperature()
        machine.temperature()
    assert clock.now() == pytest.approx(0.010)


def test_a_completion_of_an_earlier_request_is_passed_over() -> None:
    late = body(1, "START", "", "late", "completed")
    (question, answer), confirmation = asked(2, "TEMP?", "1.9,K,Stable")
    assert answer is not None
    pairs = [*started(), (question, late + answer), confirmation]
    with expected_protocol(MultiVu, pairs, name="it", clock=VirtualClock()) as machine:
        assert machine.temperature().value == 1.9


def test_a_result_too_long_to_be_echoed_is_confirmed_without_it() -> None:
    result = "MultiPyVuError: " + "x" * 3900
    setpoint = "(300.0, 10.0, 0),K,Call was successful"
    question = body(3, "TEMP", "295.0,5.0,0")
    long = {"id": "00000000-0000-4000-8000-000000000003", "action": "TEMP", "query": "295.0,5.0,0"}
    content = json.dumps({**long, "result": result, "message_type": "completed"}).encode()
    header = frame({})[2:].replace(b'"message-length": 2}{}', b'"message-length": %d}' % len(content))
    completion = len(header).to_bytes(2, "big") + header + content
    pairs = [
        *started(),
        *asked(2, "TEMP_SETPOINTS?", setpoint),
        (question, completion),
        (frame({**long, "result": "", "message_type": "confirmed"}), None),
    ]
    with (
        expected_protocol(MultiVu, pairs, name="it", clock=VirtualClock()) as machine,
        pytest.raises(
            InstrumentFault, match=r"it refuses TEMP 295.0,5.0,0: 'MultiPyVuError: x+'; look at MultiVu"
        ),
    ):
        machine.set_temperature(295.0, 5.0)


def test_a_machine_of_another_flavor_after_a_reopening_is_not_taken_for_the_same() -> None:
    with expected_protocol(MultiVu, started("MPMS3"), name="it", clock=VirtualClock()) as machine:
        machine._session.flavor = "PPMS"
        with pytest.raises(CommunicationError, match="it was a PPMS and now is a MPMS3; look which MultiVu"):
            machine._session.begin()


def test_a_machine_that_nobody_knows_is_refused() -> None:
    with expected_protocol(MultiVu, started("ROTICOOL"), name="it", clock=VirtualClock()) as machine:
        machine.connect()
        with pytest.raises(InstrumentFault, match="it is a 'ROTICOOL', whose limits are not known"):
            machine.set_temperature(295.0, 5.0)


# --- results


def test_readings_and_setpoints_are_read() -> None:
    assert reading("-0.5,Oe,Holding (driven)", "Oe") == (-0.5, "Holding (driven)")
    assert reading("0.0,,Unknown", "") == (0.0, "Unknown")
    assert temperature_setpoint("(295.0, 5.0, 0),K,Call was successful") == TemperatureSetpoint(
        295.0, 5.0, "fast_settle"
    )
    assert field_setpoint("(-500.5, 100.0, 1, 0),Oe,Call was successful") == FieldSetpoint(
        -500.5, 100.0, "no_overshoot", "persistent"
    )


@pytest.mark.parametrize("result", ["300.0,K", "300.0,Oe,Stable", "nan,K,Stable", "x,K,Stable", ""])
def test_a_reading_that_does_not_fit_is_refused(result: str) -> None:
    with pytest.raises(ValueError, match=r"is not value,K,state|no finite value|could not convert"):
        reading(result, "K")


@pytest.mark.parametrize(
    "result",
    [
        "(295.0, 5.0),K,Call was successful",
        "(295.0, 5.0, 0),Oe,Call was successful",
        "(295.0, inf, 0),K,Call was successful",
        "295.0, 5.0, 0,K,Call was successful",
        "(295.0, 5.0, 0),K,Call failed",
    ],
)
def test_a_setpoint_that_does_not_fit_is_refused(result: str) -> None:
    with pytest.raises(ValueError, match="is no setpoint of 3 numbers in K"):
        temperature_setpoint(result)


def test_a_setpoint_with_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="has the code 2; expected 0 to 1"):
        temperature_setpoint("(295.0, 5.0, 2),K,Call was successful")


@pytest.mark.parametrize(
    ("code", "part"), [(temperature_code, "temperature"), (field_code, "magnet"), (chamber_code, "chamber")]
)
def test_a_state_without_meaning_is_a_fault(code: Callable[[str], int], part: str) -> None:
    with pytest.raises(InstrumentFault, match=f"unknown {part} state 'Fine'; look at the {part}"):
        code("Fine")


def test_states_are_those_of_the_status_word_of_a_model_6000() -> None:
    assert temperature_code("Pot Operation") == 0x7
    assert field_code("Quenching") == 0xB0
    assert chamber_code("HiVac Error") == 0xE00
