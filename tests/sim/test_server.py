"""The TCP door: for programs that are not ours, the maker's own MultiVu client among them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock, WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.multivu import MultiVuServer
from onnes.sim.server import Door, open_doors

SPEED = 60.0
MakeDoor = Callable[..., Door]


def lab_of(flavor: str, speed: float = SPEED) -> VirtualLab:
    table = {
        "model": "multivu",
        "flavor": flavor,
        "resources": ["TCPIP0::192.168.0.20::27183::SOCKET"],
    }
    return load_lab("default", WallClock(speed), under={"instrument": {"multivu": table}})


@pytest.fixture
def open_door() -> Iterator[MakeDoor]:
    """Return what opens an instrument of a lab on a free port."""
    doors: list[Door] = []

    def make(lab: VirtualLab, name: str) -> Door:
        doors.append(Door(lab, lab.instruments[name]))
        return doors[-1]

    yield make
    for door in doors:
        door.close()


def test_the_makers_own_client_sets_and_reads_the_virtual_machine(
    open_door: MakeDoor, makers_library: Any
) -> None:
    lab = lab_of("PPMS")
    door = open_door(lab, "multivu")
    with makers_library.Client(door.host, door.port) as client:
        assert client.instrument_name == "PPMS"
        assert client.get_multivu_version() == "sim"
        assert client.get_temperature()[0] == pytest.approx(300.0, abs=0.05)
        assert client.get_field()[1] == "Stable"
        assert client.get_chamber() == "Purged and Sealed"
        client.set_temperature(295.0, 20.0, client.temperature.approach_mode.fast_settle)
        client.set_field(-500.0, 100.0, client.field.approach_mode.linear, client.field.driven_mode.driven)
        client.set_chamber(client.chamber.mode.seal)
        assert client.get_temperature_setpoints() == (295.0, 20.0, "fast_settle")
        assert client.get_field_setpoints() == (-500.0, 100.0, "linear", "driven")
        assert lab.cryostat.setpoint() == (295.0, 20.0, 0)
        assert lab.magnet.setpoint() == (-500.0, 100.0, 0, 1)
        assert lab.chamber.commanded() == 0
    server = lab.instruments["multivu"]
    assert isinstance(server, MultiVuServer)
    assert server.client is None  # it said CLOSE


def test_an_instrument_of_lines_answers_at_a_door_too(open_door: MakeDoor) -> None:
    door = open_door(lab_of("PPMS"), "k6221")
    with socket.create_connection((door.host, door.port), timeout=5.0) as connection:
        connection.sendall(b"*ID")
        connection.sendall(b"N?\n")
        assert connection.makefile("rb").readline().startswith(b"KEITHLEY INSTRUMENTS INC.,MODEL 6221,SIM")


def test_each_connection_has_its_own_replies(open_door: MakeDoor) -> None:
    door = open_door(lab_of("PPMS"), "k6221")
    with (
        socket.create_connection((door.host, door.port), timeout=5.0) as one,
        socket.create_connection((door.host, door.port), timeout=5.0) as other,
    ):
        one.sendall(b"*IDN?\n")
        other.sendall(b"SOUR:CURR?\n")
        assert other.makefile("rb").readline().startswith(b"+0.000000E+00")
        assert one.makefile("rb").readline().startswith(b"KEITHLEY")


def test_a_closed_door_hangs_up_and_gives_its_port_back(open_door: MakeDoor) -> None:
    door = open_door(lab_of("PPMS"), "k6221")
    with socket.create_connection((door.host, door.port), timeout=5.0) as connection:
        connection.sendall(b"*IDN?\n")
        assert connection.makefile("rb").readline().startswith(b"KEITHLEY")
        door.close()
        assert connection.recv(1) == b""
    with closing(socket.create_server((door.host, door.port))):
        door.close()


def test_the_lab_goes_on_although_nobody_asks(open_door: MakeDoor) -> None:
    lab = lab_of("PPMS", speed=1000.0)
    happened: list[float] = []
    lab.at(1.0, happened.append)
    open_door(lab, "multivu")
    for _ in range(50):
        if happened:
            break
        lab.clock.sleep(100.0)
    assert happened == [1.0]


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.0.20"])
def test_a_door_opens_on_this_computer_only(host: str) -> None:
    lab = lab_of("PPMS")
    with pytest.raises(
        ConfigurationError, match=r"is not allowed: .* opens on 127.0.0.1 only; tunnel with ssh"
    ):
        Door(lab, lab.instruments["multivu"], host=host)


def test_a_door_of_a_lab_in_virtual_time_is_refused() -> None:
    lab = load_lab("default", VirtualClock())
    with pytest.raises(ConfigurationError, match="the lab 'default' runs in virtual time, which no other"):
        Door(lab, lab.instruments["k6221"])


def test_a_port_that_is_taken_is_told(open_door: MakeDoor) -> None:
    lab = lab_of("PPMS")
    port = open_door(lab, "multivu").port
    with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 cannot be opened for 'k6221'"):
        Door(lab, lab.instruments["k6221"], port)


def test_a_lab_without_a_network_has_no_door() -> None:
    bare = load_lab(
        "default", WallClock(), under={"instrument": {"k6221": {"resources": ["GPIB0::12::INSTR"]}}}
    )
    with pytest.raises(ConfigurationError, match="the lab 'default' has no instrument on a network; add a"):
        open_doors(bare)
