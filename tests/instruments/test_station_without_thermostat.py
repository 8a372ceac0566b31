"""A station whose temperature and field only somebody else's software sets: the older MPMS."""

import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.moments import Magnetometer, MeasureMoment, MomentProgram, Scan
from onnes.instruments.open_station import open_station
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.instruments.survey import survey_station
from onnes.procedures import ramping
from onnes.sim.lab import VirtualLab

EXAMPLES = Path(__file__).parents[2] / "examples" / "stations"
Open = Callable[..., Station]


@pytest.fixture
def bare_file(tmp_path: Path) -> StationFile:
    folder = tmp_path / "stations"
    shutil.copytree(EXAMPLES, folder)
    return load_station_file(folder / "mpms-xl-sim.toml")


@pytest.fixture
def bare(bare_file: StationFile, open_it: Open) -> Station:
    return open_it(bare_file)


def test_the_acms_of_a_ppms_is_one_too(tmp_path: Path, open_it: Open) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "stations")
    station = open_it(load_station_file(tmp_path / "stations" / "acms-sim.toml"))
    flags = station.magnetometer().flags
    assert (flags.modes, flags.can_set) == (("dc",), False)
    assert flags.ac is not None
    assert flags.ac.frequency.high == 10_000.0
    field = station.limits().field
    assert field is not None
    assert (field.high, field.set_by) == (90_000.0, "acms-sim.toml")


def test_a_look_at_it_finds_no_temperature_and_no_error(bare: Station) -> None:
    found = bare.look()
    assert (found.temperature, found.temperature_setpoint, found.field) == (None, None, None)
    assert found.foreign == ()
    row = found.row()
    assert row["Temperature state"] == "none"
    assert row["Temperature (K)"] != row["Temperature (K)"]


def test_its_temperature_cannot_be_read_nor_set(bare: Station) -> None:
    with pytest.raises(ConfigurationError, match="no thermostat; its temperature cannot be read"):
        bare.snapshot()
    with pytest.raises(ConfigurationError, match="no thermostat; name one under"):
        ramping.set_temperature(bare, 10.0)


def test_its_setpoints_are_nobodys_and_accepting_them_is_no_trouble(bare: Station) -> None:
    bare.accept_setpoints()
    assert bare.foreign_setpoints() == []


def test_it_has_no_link_to_age_or_to_be_silent(bare: Station) -> None:
    assert bare.link_ages() == {}
    assert bare.silent() == {}
    assert bare.retries() == []


def test_it_can_be_held_and_made_safe_without_anything_sent(bare: Station, lab: VirtualLab) -> None:
    for step in [*bare.hold(temperature=True), *bare.safe_state()]:
        assert step.confirmed
        assert step.message.startswith("nothing to make safe: no source")
    assert lab.journal == []


def test_its_sequences_are_limited_by_machine_and_station_file(bare: Station) -> None:
    limits = bare.limits()
    assert (limits.temperature.low, limits.temperature.high) == (1.9, 390.0)
    assert limits.field is not None
    assert (limits.field.high, limits.field.set_by) == (50_000.0, "mpms-xl-sim.toml")
    assert limits.field_rate is None


def test_its_magnetometer_is_found_by_role_and_by_name(bare: Station) -> None:
    found = bare.magnetometer()
    assert isinstance(found, Magnetometer)
    assert bare.magnetometer("mpms") is found
    assert not found.flags.can_set
    with pytest.raises(ConfigurationError, match="no magnetometer 'mpsm'; did you mean 'mpms'"):
        bare.magnetometer("mpsm")


def test_a_station_without_magnetometer_says_so(station: Station) -> None:
    with pytest.raises(ConfigurationError, match="the station has no magnetometer; name one under"):
        station.magnetometer()


def test_the_folders_of_a_simulated_station_are_made(bare: Station) -> None:
    files = bare.file.multivu_files()
    assert files is not None
    assert files.data.is_dir()
    assert files.sequences.is_dir()


def test_a_survey_says_what_the_magnetometer_is_and_reads_nothing(
    bare_file: StationFile, lab: VirtualLab, clock: VirtualClock, request: pytest.FixtureRequest
) -> None:
    del lab
    (found,) = survey_station(bare_file, clock, lab_key=request.node.name)
    assert (found.problem, found.readings, found.roles) == ("", (), ("magnetometer",))
    assert found.identity.startswith("MPMS-XL SIMULATED, followed through the files of MultiVu in ")


def test_a_template_that_lacks_a_placeholder_is_found_when_the_station_opens(
    bare_file: StationFile, open_it: Open
) -> None:
    files = bare_file.multivu_files()
    assert files is not None
    text = files.template.read_text(encoding="cp1252")
    files.template.write_text(text.replace("{temperature} ", "5.0 "), encoding="cp1252")
    with pytest.raises(ConfigurationError, match=r"mpms-xl-sim\.seq:4:.* stands without \{temperature\}"):
        open_it(bare_file)


def test_a_program_for_a_mode_that_the_machine_lacks_is_refused(bare: Station) -> None:
    step = MeasureMoment(5.0, 5.0, 1, "zfc", 60.0)
    program = MomentProgram("p", "t", (step,), Scan(mode="vsm"), 10.0)
    with pytest.raises(ConfigurationError, match="cannot scan in mode 'vsm'; expected one of dc, rso"):
        bare.magnetometer().check(program)


def test_a_real_one_needs_no_visa_library_and_says_which_folder_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "onnes.instruments.open_station.open_library", Mock(side_effect=ConfigurationError("no VISA library"))
    )
    text = (EXAMPLES / "mpms-xl-sim.toml").read_text(encoding="utf-8")
    text = text.replace('backend = "simulated"', 'backend = "visa"').replace("../multivu/mpms-xl-sim", "mv")
    (tmp_path / "templates").mkdir()
    template = "templates/mpms-xl-sim.seq"
    (tmp_path / template).write_bytes((EXAMPLES / template).read_bytes())
    (tmp_path / "real.toml").write_text(text, encoding="utf-8")
    file = load_station_file(tmp_path / "real.toml")
    with pytest.raises(ConfigurationError, match=r"there is no folder .*data, which data in the station"):
        open_station(file, VirtualClock())
    (surveyed,) = survey_station(file, VirtualClock())
    assert "share it from the computer of MultiVu, or correct the station file" in surveyed.problem
    for folder in ("mv/data", "mv/sequences"):
        (tmp_path / folder).mkdir(parents=True)
    station = open_station(file, VirtualClock())
    assert station.provenance["backend"] == "visa"
    assert station.provenance["instruments"]["mpms"].startswith("MPMS-XL, followed through the files")
    assert station.silent() == {}
    (tmp_path / "mv/data").rmdir()
    assert "there is no folder" in station.silent()["mpms"]
