"""An MPMS3 and its MultiVu server in the virtual lab, opened as a station."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvisa

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, InstrumentFault
from onnes.instruments.moments import MeasureMoment, MomentProgram, Scan, SetTemperature
from onnes.instruments.open_station import open_station
from onnes.instruments.protocols import Reading
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.instruments.survey import survey_station
from onnes.procedures import ramping
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

EXAMPLES = Path(__file__).parents[2] / "examples" / "stations"
SERVER = "TCPIP0::192.168.0.20::27183::SOCKET"
PROGRAM = MomentProgram(
    "n_0001_zfc-fc_a1",
    "ZFC at 5 Oe",
    (SetTemperature(290.0, 7.0), MeasureMoment(290.0, 5.0, 1, "zfc", 60.0)),
    Scan("vsm"),
    20.0,
)


@pytest.fixture
def lab(clock: VirtualClock, request: pytest.FixtureRequest) -> Iterator[VirtualLab]:
    table = {"model": "multivu", "flavor": "MPMS3", "resources": [SERVER]}
    under = {"instrument": {"multivu": table}, "magnet": {"start_mode": "driven"}}
    lab = load_lab("default", clock, under=under)
    set_lab(request.node.name, lab)
    yield lab
    forget_lab(request.node.name)


@pytest.fixture
def file(tmp_path: Path) -> StationFile:
    folder = tmp_path / "stations"
    shutil.copytree(EXAMPLES, folder)
    path = folder / "mpms3.toml"
    text = path.read_text(encoding="utf-8").replace('backend = "visa"', 'backend = "simulated"')
    text = text.replace("//squid/", "../").replace("mpms3-dc.seq", "mpms3-sim.seq")
    path.write_text(text, encoding="utf-8")
    return load_station_file(path)


@pytest.fixture
def station(
    lab: VirtualLab, clock: VirtualClock, file: StationFile, request: pytest.FixtureRequest
) -> Iterator[Station]:
    del lab
    station = open_station(file, clock, lab_key=request.node.name)
    yield station
    station.close()


def test_it_reads_temperature_field_and_chamber_through_its_server(station: Station) -> None:
    assert station.provenance["instruments"]["mpms"].startswith("Quantum Design MPMS3")
    found = station.look()
    assert isinstance(found.temperature, Reading)
    assert found.temperature.value == pytest.approx(300.0, abs=0.1)
    assert isinstance(found.field, Reading)
    assert isinstance(found.chamber, str)
    assert list(station.link_ages()) == ["mpms"]


def test_a_survey_reads_it_too(
    lab: VirtualLab, file: StationFile, clock: VirtualClock, request: pytest.FixtureRequest
) -> None:
    del lab
    (found,) = survey_station(file, clock, lab_key=request.node.name)
    assert found.problem == ""
    assert {reading.quantity for reading in found.readings} >= {"temperature", "field", "chamber"}
    assert set(found.roles) == {"thermostat", "magnet", "chamber", "magnetometer"}


def test_two_masters_never(station: Station, lab: VirtualLab) -> None:
    ramping.set_temperature(station, 295.0, 5.0)
    assert lab.cryostat.setpoint()[0] == 295.0
    magnetometer = station.magnetometer()
    magnetometer.hand_over([PROGRAM])
    magnetometer.follow(PROGRAM)
    with pytest.raises(InstrumentFault, match="which sets temperature and field; mpms set no temp"):
        ramping.set_temperature(station, 200.0, 5.0)
    (step,) = station.safe_state()
    assert not step.confirmed
    assert "MultiVu may go on with its sequence n_0001_zfc-fc_a1.seq; stop it there" in step.message
    assert station.foreign_setpoints() == []
    assert lab.cryostat.setpoint()[0] == 295.0
    magnetometer.let_go(ended=True)
    (step,) = station.safe_state()
    assert step.confirmed
    assert step.message.startswith("field held at ")
    ramping.set_temperature(station, 200.0, 5.0)
    assert lab.cryostat.setpoint()[0] == 200.0


def test_a_station_whose_template_is_wrong_leaves_no_connection_open(
    lab: VirtualLab, clock: VirtualClock, file: StationFile, request: pytest.FixtureRequest
) -> None:
    del lab
    template = file.path.parent / "templates/mpms3-sim.seq"
    template.write_text(template.read_text(encoding="cp1252").replace("{wait}", "10"), encoding="cp1252")
    with pytest.raises(ConfigurationError, match=r"no line has \{wait\}"):
        open_station(file, clock, lab_key=request.node.name)
    assert pyvisa.ResourceManager(f"{request.node.name}@onnes").list_opened_resources() == []
