"""The table of a magnetometer in a station file, and every way to get it wrong."""

from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.station_file import load_station_file

EXAMPLES = Path(__file__).parents[2] / "examples" / "stations"
GOOD = (EXAMPLES / "mpms3.toml").read_text(encoding="utf-8")
HOST = 'host = "192.168.0.20:27183"'


def changed(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in GOOD
    path = folder / "mpms3.toml"
    path.write_text(GOOD.replace(old, new) if old else GOOD, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["mpms3", "mpms3-sim", "mpms5-sim", "mpms-xl-sim"])
def test_the_shipped_magnetometers_are_good(name: str) -> None:
    file = load_station_file(EXAMPLES / f"{name}.toml")
    assert file.name == name
    assert file.roles.magnetometer == "mpms"
    assert (file.backend == "simulated") == name.endswith("-sim")
    assert file.not_enforced() == ()


def test_the_shipped_acms_is_good() -> None:
    file = load_station_file(EXAMPLES / "acms-sim.toml")
    assert (file.name, file.roles.magnetometer) == ("acms-sim", "acms")
    assert file.not_enforced() == ()


def test_its_files_lie_relative_to_the_station_file(tmp_path: Path) -> None:
    path = changed(tmp_path, '"//squid/QdData"', '"../multivu/data"')
    files = load_station_file(path).multivu_files()
    assert files is not None
    assert files.template == tmp_path / "templates/mpms3-dc.seq"
    assert (files.data, files.sequences) == (tmp_path.parent / "multivu/data", Path("//squid/QdSequences"))
    path.write_text(
        path.read_text(encoding="utf-8").replace("sequences =", "# sequences ="), encoding="utf-8"
    )
    files = load_station_file(path).multivu_files("mpms")
    assert files is not None
    assert files.sequences == files.data
    assert load_station_file(path).multivu_files("ppms") is None


def test_its_host_is_a_socket_of_visa(tmp_path: Path) -> None:
    entry = load_station_file(changed(tmp_path)).instruments["mpms"]
    assert entry.address == "TCPIP0::192.168.0.20::27183::SOCKET"
    entry = load_station_file(changed(tmp_path, HOST, 'host = "squid"')).instruments["mpms"]
    assert entry.address == "TCPIP0::squid::27183::SOCKET"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('route = "multivu_sequence"', "", "mpms has no route; expected route = 'multivu_sequence'"),
        ('"multivu_sequence"', '"edc"', "route = 'edc' cannot be built yet"),
        ('"multivu_sequence"', '"multivu_sequences"', "no route 'multivu_sequences'; did you mean"),
        ('template = "templates/mpms3-dc.seq"', "", "mpms has no template; expected template = "),
        ('data = "//squid/QdData"', "", "mpms has no data; expected data = "),
        (HOST, 'host = "squid:port"', "host = 'squid:port' is no address; e.g. host = "),
        (HOST, "", "cannot be a thermostat; it is magnetometer; give it a host"),
        (
            HOST,
            'resource = "GPIB0::1::INSTR"',
            "resource: a magnetometer is found by the files",
        ),
        (HOST, 'timeout = "9 s"', "timeout: a MultiVu server has deadlines of its own"),
        ('driver = "mpms3"', 'driver = "mpms_xl"', "no server reaches the MultiVu of driver 'mpms_xl'"),
        (
            'driver = "mpms3"',
            'driver = "multivu"',
            "route belongs to a magnetometer; mpms has driver 'multivu'",
        ),
        ('magnetometer = "mpms"', 'magnetometer = "mpsm"', "no instrument 'mpsm'; did you mean 'mpms'?"),
    ],
)
def test_each_wrong_key_is_told_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load_station_file(path)
    assert any(told.startswith(f"{path}:") and problem in told for told in str(caught.value).splitlines())
