"""The virtual MultiVu server on the wire: frames, actions, its one slot, and what kills the maker's."""

import json
from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from onnes.instruments.errors import ConfigurationError
from tests.sim.conftest import Bench, MakeBench

SERVER = "TCPIP0::192.168.0.20::27183::SOCKET"
HEADER = (
    b'{"byteorder": "little", "message-type": "text/json", "message-encoding": "utf-8", "message-length": %d}'
)


def frame(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    header = HEADER % len(content)
    return len(header).to_bytes(2, "big") + header + content


class Wire:
    """A client that does exactly what a test tells it."""

    def __init__(self, bench: Bench) -> None:
        self.clock = bench.clock
        self.resource: MessageBasedResource = bench.open(SERVER, timeout=5000)
        self._number = 0

    def request(self, action: str, query: str = "") -> bytes:
        self._number += 1
        return frame({"id": f"n{self._number}", "action": action, "query": query, "result": ""})

    def reply(self) -> dict[str, Any]:
        length = int.from_bytes(self.resource.read_bytes(2), "big")
        header = json.loads(self.resource.read_bytes(length))
        return dict(json.loads(self.resource.read_bytes(header["message-length"])))

    def confirm(self, reply: dict[str, Any]) -> None:
        self.resource.write_raw(frame({**reply, "message_type": "confirmed"}))
        self.clock.sleep(0.01)

    def ask(self, action: str, query: str = "") -> dict[str, Any]:
        self.resource.write_raw(self.request(action, query))
        assert self.reply()["message_type"] == "confirmed"
        completed = self.reply()
        assert completed["message_type"] == "completed"
        self.confirm(completed)
        return completed

    def is_silent(self) -> bool:
        try:
            self.resource.read_bytes(2)
        except VisaIOError as error:
            return error.error_code == StatusCode.error_timeout
        return False


def lab_with(make_bench: MakeBench, flavor: str = "MPMS3", **more: str) -> Bench:
    table = {"model": "multivu", "flavor": flavor, "resources": [SERVER], **more}
    return make_bench(under={"instrument": {"multivu": table}, "magnet": {"start_mode": "driven"}})


def begin(bench: Bench, kind: str, **args: Any) -> None:
    bench.lab.faults.add(kind, **args)  # type: ignore[arg-type]  # any kind
    with bench.lab.lock:
        bench.lab.tick()


@pytest.fixture
def mpms(make_bench: MakeBench) -> Bench:
    return lab_with(make_bench)


@pytest.fixture
def wire(mpms: Bench) -> Wire:
    wire = Wire(mpms)
    wire.ask("START")
    return wire


# --- frames


def test_a_request_is_confirmed_and_then_completed_byte_by_byte(
    mpms: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = Wire(mpms).resource
    monkeypatch.setattr(mpms.lab.cryostat, "reading", lambda _: 300.0)
    asked = {"id": "0f0e0d0c-0000-4000-8000-000000000001", "action": "TEMP?", "query": "", "result": ""}
    resource.write_raw(frame(asked))
    first = (
        b'\x00h{"byteorder": "little", "message-type": "text/json", "message-encoding": "utf-8", '
        b'"message-length": 121}{"id": "0f0e0d0c-0000-4000-8000-000000000001", "action": "TEMP?", '
        b'"query": "", "result": "", "message_type": "confirmed"}'
    )
    second = (
        b'\x00h{"byteorder": "little", "message-type": "text/json", "message-encoding": "utf-8", '
        b'"message-length": 135}{"id": "0f0e0d0c-0000-4000-8000-000000000001", "action": "TEMP?", '
        b'"query": "", "result": "300.0,K,Stable", "message_type": "completed"}'
    )
    assert resource.read_bytes(len(first)) == first
    assert resource.read_bytes(len(second)) == second


def test_a_frame_may_come_in_any_pieces(wire: Wire) -> None:
    for byte in wire.request("TEMP?"):
        wire.resource.write_raw(bytes([byte]))
    assert wire.reply()["message_type"] == "confirmed"
    assert wire.reply()["result"].endswith(",K,Stable")


def test_an_unconfirmed_completion_comes_again_after_1_and_2_s(wire: Wire) -> None:
    began = wire.clock.now()
    wire.resource.write_raw(wire.request("TEMP?"))
    replies = [wire.reply() for _ in range(4)]
    assert [reply["message_type"] for reply in replies] == ["confirmed"] + ["completed"] * 3
    assert replies[1] == replies[2] == replies[3]
    assert wire.clock.now() - began == pytest.approx(2.0, abs=0.1)
    assert wire.is_silent()
    assert wire.ask("STATUS")["result"] == "connected"


def test_what_is_no_frame_ends_the_connection_and_nothing_else(mpms: Bench, wire: Wire) -> None:
    wire.resource.write_raw(b"\x00\x05hello")
    with pytest.raises(VisaIOError) as error:
        wire.resource.read_bytes(2)
    assert error.value.error_code == StatusCode.error_connection_lost
    with pytest.raises(VisaIOError):
        wire.resource.write_raw(wire.request("TEMP?"))
    assert Wire(mpms).ask("START")["result"].startswith("Connected to MPMS3")


# --- actions


def test_start_tells_version_multivu_and_flavor(mpms: Bench) -> None:
    reply = Wire(mpms).ask("START")
    assert reply["query"] == "3.8.0;mv=sim"
    assert reply["result"].startswith("Connected to MPMS3 MultiVuServer at ('127.0.0.1', ")


def test_the_version_is_that_of_the_lab_file(make_bench: MakeBench) -> None:
    assert Wire(lab_with(make_bench, version="3.8.2")).ask("START")["query"] == "3.8.2;mv=sim"


def test_a_lab_file_with_an_unknown_flavor_is_refused(make_bench: MakeBench) -> None:
    with pytest.raises(ConfigurationError, match=r"instrument.multivu.flavor = 'MPMS-XL'"):
        lab_with(make_bench, "MPMS-XL")


@pytest.mark.parametrize(
    ("action", "query", "result"),
    [
        ("ALIVE", "", "Connected to MPMS3 MultiVuServer at ('127.0.0.1', 50000)"),
        ("STATUS", "", "connected"),
        ("TEMP_SETPOINTS?", "", "(300.0, 20.0, 0),K,Call was successful"),
        ("TEMP", "295.0,5.0,0", "TEMP Command Received"),
        ("FIELD", "1000.0,100.0,0,1", "FIELD Command Received"),
        ("CHAMBER?", "", "0.0,,Purged and Sealed"),
        ("CHAMBER", "0", "CHAMBER Command Received"),
        ("POSITION?", "", "0.0,Deg,Transport stopped at set point"),
        ("WAITFOR?", "1", "1,,Call was successful"),
        ("FOO", "", 'MultiPyVuError: Unknown command: "FOO".'),
        ("FIELD_SETPOINTS?", "", "MultiPyVuError: MPMS3 does not support getting field set points"),
        ("FIELD", "1.0,1.0,0,0", "MultiPyVuError: MPMS3 can only drive the magnet in driven mode."),
        ("FIELD", "1.0,1.0,3,1", "MultiPyVuError: The approach, 3, is out of bounds."),
        ("CHAMBER", "6", "MultiPyVuError: The selected mode, 6, is out of bounds."),
        ("TEMP", "295.0,5.0", "MultiPyVuError: Setting the temperature requires three numeric inputs"),
        ("TEMP", "2.95e+2,5.0,0", "MultiPyVuError: Setting the temperature requires three numeric inputs"),
        ("TEMP", "hot,5.0,0", "The command 'TEMP' has not been implemented."),
    ],
)
def test_each_action_has_the_result_of_the_makers_server(
    action: str, query: str, result: str, wire: Wire
) -> None:
    assert wire.ask(action, query)["result"].startswith(result)


def test_setpoints_of_a_ppms_are_told_as_they_were_set(make_bench: MakeBench) -> None:
    wire = Wire(lab_with(make_bench, "PPMS"))
    wire.ask("FIELD", "-500.5,100.0,1,0")
    assert wire.ask("FIELD_SETPOINTS?")["result"] == "(-500.5, 100.0, 1, 0),Oe,Call was successful"


def test_no_range_is_checked_and_a_rate_of_0_moves_nothing(mpms: Bench, wire: Wire) -> None:
    assert wire.ask("TEMP", "1000.0,5.0,0")["result"] == "TEMP Command Received"
    assert mpms.lab.cryostat.setpoint() == (1000.0, 5.0, 0)
    before = mpms.lab.magnet.setpoint()
    assert wire.ask("FIELD", "1000.0,0.0,0,1")["result"] == "FIELD Command Received"
    assert mpms.lab.magnet.setpoint() == before


def test_the_machine_is_the_one_that_the_model_6000_controls(mpms: Bench, wire: Wire) -> None:
    wire.ask("TEMP", "250.0,5.0,1")
    assert mpms.open("GPIB0::15::INSTR").query("TEMP?") == "250,5,1;"


def test_an_opticool_has_no_chamber(make_bench: MakeBench) -> None:
    result = Wire(lab_with(make_bench, "OPTICOOL")).ask("CHAMBER", "0")["result"]
    assert result == "MultiPyVuError: set_chamber() is not available for the OptiCool"


def test_a_versalab_knows_no_approach_without_overshoot(make_bench: MakeBench) -> None:
    result = Wire(lab_with(make_bench, "VERSALAB")).ask("FIELD", "1.0,1.0,1,1")["result"]
    assert result == "MultiPyVuError: VERSALAB does not support the no_overshoot approach mode."


@pytest.mark.parametrize(
    ("query", "code", "seconds"),
    [("0,0,2", 0, 12.0), ("5,0,2", 0, 17.0), ("0,3,2", 258, 3.0), ("0,0,0", 200, 0.0)],
)
def test_a_wait_ends_when_the_magnet_rests_or_its_time_is_over(
    query: str, code: int, seconds: float, wire: Wire
) -> None:
    wire.resource.timeout = 60_000
    wire.ask("FIELD", "1000.0,100.0,0,1")
    wire.clock.sleep(6.0)  # the status is late at first; 10 s of ramp and 8 s of settling
    began = wire.clock.now()
    assert wire.ask("WAITFOR", query)["result"] == f"WAITFOR Command Received,{code}"
    assert wire.clock.now() - began == pytest.approx(seconds, abs=0.7)


# --- its one slot


def test_a_second_client_is_rejected_and_hung_up_on(mpms: Bench, wire: Wire) -> None:
    second = Wire(mpms)
    assert second.ask("STATUS")["result"] == "connected"
    assert second.ask("START")["result"].endswith("another client is connected.")
    with pytest.raises(VisaIOError):
        second.ask("TEMP?")
    assert wire.ask("TEMP?")["result"].endswith("Stable")


@pytest.mark.parametrize("says_so", [True, False])
def test_a_client_that_is_gone_leaves_the_slot_free(says_so: bool, mpms: Bench, wire: Wire) -> None:
    if says_so:
        assert wire.ask("CLOSE")["result"].endswith("disconnected.")
    wire.resource.close()
    other = Wire(mpms)
    assert other.ask("STATUS")["result"] == "idle"
    assert other.ask("START")["result"].startswith("Connected to")


def test_an_exit_closes_the_server_and_leaves_the_lab(mpms: Bench, wire: Wire) -> None:
    assert wire.ask("EXIT")["query"] == "EXIT"
    with pytest.raises(VisaIOError):
        Wire(mpms)
    assert mpms.open("GPIB0::15::INSTR").query("TEMP?").startswith("300,")


# --- what kills the maker's


def test_a_dead_client_keeps_the_slot_until_the_server_is_restarted(mpms: Bench, wire: Wire) -> None:
    begin(mpms, "dead_client", seconds=600.0)
    wire.resource.close()
    other = Wire(mpms)
    other.resource.write_raw(other.request("START"))
    assert other.is_silent()
    mpms.clock.sleep(600.0)
    assert Wire(mpms).ask("START")["result"].startswith("Connected to")


def test_a_split_frame_kills_it_where_the_lab_says_so(mpms: Bench, wire: Wire) -> None:
    begin(mpms, "split_frame")
    data = wire.request("TEMP?")
    wire.resource.write_raw(data[:50])
    wire.resource.write_raw(data[50:])
    assert wire.is_silent()


def test_a_late_confirmation_kills_it_where_the_lab_says_so(mpms: Bench, wire: Wire) -> None:
    begin(mpms, "late_confirmation")
    wire.resource.write_raw(wire.request("TEMP?"))
    wire.reply()
    completed = wire.reply()
    wire.clock.sleep(3.5)
    wire.confirm(completed)
    wire.resource.read_bytes(2 * (2 + len(HEADER % 100) + len(json.dumps(completed))))  # the repeats
    wire.resource.write_raw(wire.request("TEMP?"))
    assert wire.is_silent()


def test_a_request_behind_a_confirmation_is_swallowed_where_the_lab_says_so(mpms: Bench, wire: Wire) -> None:
    begin(mpms, "swallowed_request")
    wire.resource.write_raw(wire.request("TEMP?"))
    wire.reply()
    echo = frame({**wire.reply(), "message_type": "confirmed"})
    wire.resource.write_raw(echo + wire.request("FIELD?"))
    assert wire.is_silent()
    assert mpms.lab.journal[-1].kind == "swallowed_request"
    assert mpms.lab.journal[-1].command == "FIELD?"


@pytest.mark.parametrize(
    ("says", "result"),
    [
        ("unconfirmed", "FIELD Command Received,SET_POINT_UNCONFIRMED"),
        ("received", "FIELD Command Received"),
        ("nothing", ""),
    ],
)
def test_a_setpoint_may_be_received_and_ignored(says: str, result: str, mpms: Bench, wire: Wire) -> None:
    before = mpms.lab.magnet.setpoint()
    begin(mpms, "set_ignored", says=says)
    assert wire.ask("FIELD", "1000.0,100.0,0,1")["result"] == result
    assert mpms.lab.magnet.setpoint() == before


def test_faults_of_a_server_befall_nobody_in_a_lab_without_one(bench: Bench) -> None:
    with pytest.raises(ValueError, match="kind = 'dead_client' can befall nobody in this lab"):
        bench.lab.faults.add("dead_client")
