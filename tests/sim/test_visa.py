"""The PyVISA door: names, lifetimes, sessions, attributes, and the traps that other backends fell into."""

import gc
from pathlib import Path
from typing import Any, cast

import pytest
import pyvisa
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2182, Keithley6221
from pyvisa.constants import BufferOperation, EventMechanism, EventType, StatusCode
from pyvisa.errors import InvalidSession, VisaIOError
from pyvisa.highlevel import get_wrapper_class
from pyvisa.resources import GPIBInstrument, MessageBasedResource

from onnes.instruments.clock import VirtualClock, WallClock, virtual_time
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab import find_lab, forget_lab, get_lab, set_lab
from onnes.sim.lab_file import lab_key, load_lab
from onnes.sim.visa import OnnesVisaLibrary
from tests.sim.conftest import METER, PPMS, SOURCE, Bench, MakeBench


def test_pyvisa_finds_the_backend_by_its_name() -> None:
    assert get_wrapper_class("onnes") is OnnesVisaLibrary
    assert "Sim" not in OnnesVisaLibrary.__name__  # QCoDeS takes such a class for pyvisa-sim


def test_each_instrument_of_the_default_lab_answers(bench: Bench) -> None:
    identities = {name: bench.open(name).query("*IDN?") for name in (PPMS, SOURCE, METER)}
    assert all("SIM" in identity for identity in identities.values())
    assert "PPMS" in identities[PPMS]
    assert "6221" in identities[SOURCE]
    assert "2182A" in identities[METER]


def test_a_bare_name_opens_the_default_lab_on_the_wall_clock() -> None:
    forget_lab("default")
    manager = pyvisa.ResourceManager("@onnes")
    try:
        source = cast(MessageBasedResource, manager.open_resource(SOURCE))
        assert source.query("*idn?").startswith("KEITHLEY")
        assert isinstance(get_lab("default").clock, WallClock)
        assert manager.visalib.library_path == "default"
    finally:
        manager.close()
        forget_lab("default")


def test_a_lab_file_is_opened_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[lab]\nseed = 11\n[instrument.k6221]\nresources = ['GPIB0::3::INSTR']\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    manager = pyvisa.ResourceManager("mine.toml@onnes")
    try:
        assert manager.list_resources() == (
            "GPIB0::15::INSTR",
            "GPIB0::3::INSTR",
            "GPIB0::7::INSTR",
            "GPIB0::8::INSTR",
            "ASRL3::INSTR",
        )
        found = cast(OnnesVisaLibrary, manager.visalib).provenance()
        assert found == {"backend": "simulated", "lab": "mine", "seed": 11, "sha256": found["sha256"]}
        assert find_lab(str(file.resolve())) is find_lab(lab_key("mine.toml"))
    finally:
        manager.close()
        forget_lab(lab_key(file))


def test_the_environment_can_select_the_lab(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", f"{bench.key}@onnes")
    assert pyvisa.ResourceManager().visalib is bench.library


@pytest.mark.parametrize("name", ["no-such-lab", "labs/no-such.toml"])
def test_an_unknown_lab_is_an_error_and_never_the_default(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"no virtual lab '{name}'; there are default, contaminated, demo"
    ):
        pyvisa.ResourceManager(f"{name}@onnes")


def test_a_lab_that_nobody_registered_is_not_found() -> None:
    with pytest.raises(ConfigurationError, match="no virtual lab is registered as 'nobody'"):
        get_lab("nobody")
    forget_lab("nobody")


def test_two_labs_share_nothing(make_bench: MakeBench) -> None:
    first, second = make_bench(), make_bench()
    first.open(SOURCE).write("SOUR:CURR 1e-3")
    assert second.open(SOURCE).query("SOUR:CURR?").strip() == "+0.000000E+00"
    assert second.clock.now() < first.clock.now() + 0.006
    assert first.library is not second.library


def test_the_lab_is_looked_up_when_an_instrument_is_opened(bench: Bench) -> None:
    library = bench.library  # someone keeps it alive
    bench.open(SOURCE).write("SOUR:CURR 1e-3")
    clock = VirtualClock()
    set_lab(bench.key, load_lab("default", clock, seed=99))
    assert bench.open(SOURCE).query("SOUR:CURR?").strip() == "+0.000000E+00"
    assert library.provenance()["seed"] == 99


def test_the_lab_outlives_its_resource_manager(bench: Bench) -> None:
    bench.open(SOURCE).write("SOUR:CURR 1e-3")
    bench.manager.close()
    gc.collect()
    again = pyvisa.ResourceManager(f"{bench.key}@onnes")
    source = cast(MessageBasedResource, again.open_resource(SOURCE))
    assert source.query("SOUR:CURR?").strip() == "+1.000000E-03"
    again.close()


def test_closing_one_instrument_leaves_the_others_alive(bench: Bench) -> None:
    library = f"{bench.key}@onnes"
    source = Keithley6221(SOURCE, visa_library=library)
    meter = VISAAdapter(METER, visa_library=library)
    source.adapter.close()
    del source
    gc.collect()
    meter.write("*IDN?")
    assert "2182A" in meter.read()
    assert bench.library.library_path != "unset"
    assert all(path != "unset" for path in OnnesVisaLibrary.get_library_paths())
    meter.close()


def test_tests_may_pass_the_library_itself(bench: Bench) -> None:
    meter = Keithley2182(METER, visa_library=bench.library, read_termination=None)
    assert meter.line_frequency == 50
    meter.adapter.close()


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("GPIB0::16::INSTR", StatusCode.error_resource_not_found),
        ("TCPIP0::192.168.0.12::1395::SOCKET", StatusCode.error_resource_not_found),
    ],
)
def test_an_address_without_an_instrument_is_not_found(name: str, status: StatusCode, bench: Bench) -> None:
    with pytest.raises(VisaIOError) as error:
        bench.open(name)
    assert error.value.error_code == status


def test_names_are_matched_in_any_case_and_form(bench: Bench) -> None:
    assert bench.open("gpib::12").query("*IDN?").startswith("KEITHLEY")
    assert bench.manager.list_resources("?*") == (
        PPMS,
        SOURCE,
        "TCPIP0::192.168.0.12::1394::SOCKET",
        METER,
        "GPIB0::8::INSTR",
        "ASRL3::INSTR",
    )
    assert bench.manager.list_resources("GPIB?*::7::?*") == (METER,)


def test_a_closed_session_is_invalid(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.close()
    with pytest.raises(InvalidSession):
        source.write("*CLS")


def test_attributes_have_the_defaults_of_their_interface(bench: Bench) -> None:
    gpib = cast(GPIBInstrument, bench.open(SOURCE))
    socket = cast(Any, bench.open("TCPIP0::192.168.0.12::1394::SOCKET"))
    assert (gpib.timeout, gpib.read_termination, gpib.send_end) == (2000, None, True)
    assert (gpib.interface_number, gpib.primary_address, gpib.resource_class) == (0, 12, "INSTR")
    assert gpib.get_visa_attribute(pyvisa.constants.ResourceAttribute.termchar) == 10  # not the board number
    assert (socket.timeout, socket.port if hasattr(socket, "port") else 1394) == (2000, 1394)
    assert gpib.resource_manufacturer_name == "Onnes"
    assert gpib.last_status == StatusCode.success
    with pytest.raises(VisaIOError) as error:
        gpib.set_visa_attribute(pyvisa.constants.ResourceAttribute.asrl_baud_rate, 9600)
    assert error.value.error_code == StatusCode.error_nonsupported_attribute
    with pytest.raises(VisaIOError) as error:
        gpib.set_visa_attribute(pyvisa.constants.ResourceAttribute.interface_number, 1)
    assert error.value.error_code == StatusCode.error_attribute_read_only


def test_a_socket_needs_its_terminator(bench: Bench) -> None:
    name = "TCPIP0::192.168.0.12::1394::SOCKET"
    socket = bench.open(name, timeout=1000)
    socket.write("*IDN?")
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        socket.read()
    other = bench.open(name, timeout=1000, read_termination="\n")
    assert other.query("*IDN?").endswith("A01")


def test_a_serial_line_ends_at_its_terminator_and_takes_its_time(make_bench: MakeBench) -> None:
    serial = {"resources": ["ASRL4::INSTR"], "interface": "rs232", "baud": 9600}
    bench = make_bench(under={"instrument": {"k2182a": serial}})
    meter = bench.open("ASRL4::INSTR")
    start = bench.clock.now()
    identity = meter.query("*IDN?")
    assert identity == "KEITHLEY INSTRUMENTS INC.,MODEL 2182A,SIM0002,C01\n"
    # 10 bits a byte at 9600 baud, "*IDN?" with CR and LF one way, the reply the other; 5 ms of the instrument
    assert bench.clock.now() - start == pytest.approx(0.005 + (7 + len(identity)) * 10 / 9600)


def test_bytes_can_be_read_one_at_a_time(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("OUTP?")
    assert [source.read_bytes(1) for _ in range(2)] == [b"0", b"\n"]
    assert bench.open(SOURCE).query("OUTP?") == "0\n"


def test_flush_throws_away_what_waits(bench: Bench) -> None:
    meter = bench.open(METER)
    meter.write("*IDN?")
    bench.clock.sleep(0.1)
    meter.flush(BufferOperation.discard_read_buffer)
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        meter.read()


def test_the_status_byte_says_that_a_reply_waits(bench: Bench) -> None:
    source = bench.open(SOURCE)
    assert source.read_stb() & 16 == 0
    source.write("OUTP?")
    assert source.read_stb() & 16 == 0  # still on its way
    bench.clock.sleep(0.01)
    assert source.read_stb() & 16 == 16
    source.read()
    assert source.read_stb() & 16 == 0


def test_locks_events_and_the_remote_line_are_accepted(bench: Bench) -> None:
    source = cast(GPIBInstrument, bench.open(SOURCE))
    with source.lock_context():
        source.assert_trigger()
    source.control_ren(pyvisa.constants.RENLineOperation.asrt)
    source.enable_event(EventType.service_request, EventMechanism.queue)
    source.disable_event(EventType.service_request, EventMechanism.queue)


def test_a_service_request_is_waited_for_in_lab_time(bench: Bench) -> None:
    meter = cast(GPIBInstrument, bench.open(METER))
    meter.write("SENS:VOLT:DFIL 0;NPLC 5;:STAT:MEAS:ENAB 512;*SRE 1")
    meter.write("TRAC:POIN 10;FEED:CONT NEXT;:TRIG:COUN 10;:INIT")
    start = bench.clock.now()
    with virtual_time(bench.clock):
        meter.wait_for_srq(timeout=10_000)
    assert bench.clock.now() - start == pytest.approx(10 * 0.2, abs=0.01)
    assert len(meter.query_ascii_values("TRAC:DATA?")) == 10
    meter.write("*CLS")
    with virtual_time(bench.clock), pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        meter.wait_on_event(EventType.service_request, 500)


def test_debug_information_names_the_shipped_labs() -> None:
    assert OnnesVisaLibrary.get_debug_info() == {
        "Labs that come along": (
            "default, contaminated, demo, bad_day, 14t, delta, spcs, "
            "dip, susceptometer, acms, mpms3, mpms5, mpms_xl"
        )
    }
