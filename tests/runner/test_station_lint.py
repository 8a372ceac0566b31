"""What is wrong in a station file before an instrument is opened."""

from pathlib import Path

import pytest

from onnes.instruments.station_file import load_station_file
from onnes.runner.check import check_sequence
from onnes.runner.station_lint import station_problems

ROOT = Path(__file__).parents[2]
STATION = (ROOT / "examples/stations/ppms9-sim.toml").read_text(encoding="utf-8")


def _problems(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    text = STATION
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    head = f"{path}:"
    found = station_problems(load_station_file(path))
    assert all(line.startswith(head) for line in found)
    return [line.removeprefix(head) for line in found]


def test_the_shipped_stations_have_no_problems() -> None:
    for path in sorted((ROOT / "examples/stations").glob("*.toml")):
        assert station_problems(load_station_file(path)) == []


@pytest.mark.parametrize("volts", ["1000 V", "50 mV"])
def test_a_compliance_that_the_source_does_not_have_is_refused(tmp_path: Path, volts: str) -> None:
    (found,) = _problems(tmp_path, ('compliance = "1 V"', f'compliance = "{volts}"'))
    number = {"1000 V": "1000", "50 mV": "0.05"}[volts]
    assert found == (
        f"40:1: compliance = {number} V is outside [0.1, 105] V, the range set by the Keithley 6221; "
        "choose one inside"
    )


@pytest.mark.parametrize("volts", ["0.1 V", "105 V"])
def test_a_compliance_at_the_end_of_the_range_is_allowed(tmp_path: Path, volts: str) -> None:
    assert _problems(tmp_path, ('compliance = "1 V"', f'compliance = "{volts}"')) == []


@pytest.mark.parametrize("address", ["GPIB0:15:INSTR", "GPIB0::31::INSTR", "my ppms", ""])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    (found,) = _problems(tmp_path, ("GPIB0::15::INSTR", address))
    assert found == (
        f"14:1: '{address}' is no VISA address; expected one written out, no alias; e.g. 'GPIB0::15::INSTR'"
    )


@pytest.mark.parametrize("address", ["TCPIP0::10.0.0.5::inst0::INSTR", "ASRL3::INSTR", "GPIB::30::INSTR"])
def test_any_address_that_visa_knows_is_allowed(tmp_path: Path, address: str) -> None:
    assert _problems(tmp_path, ("GPIB0::15::INSTR", address)) == []


def test_an_address_given_twice_is_refused_however_it_is_written(tmp_path: Path) -> None:
    (found,) = _problems(tmp_path, ("GPIB0::7::INSTR", "gpib::12"))
    assert found == "20:1: 'gpib::12' is the address of k6221 too; give each instrument its own"


def test_check_finds_all_of_it_at_once(tmp_path: Path) -> None:
    text = STATION.replace("GPIB0::7::INSTR", "GPIB0::12::INSTR")
    (tmp_path / "s.toml").write_text(text.replace('"1 V"', '"1000 V"'), encoding="utf-8")
    found = check_sequence(ROOT / "examples/wire.yaml", station=str(tmp_path / "s.toml"), sample=None)
    assert found.exit_code == 2
    address, compliance = found.errors
    assert "s.toml:20:1: 'GPIB0::12::INSTR' is the address of k6221 too" in address
    assert "s.toml:40:1: compliance = 1000 V is outside [0.1, 105] V" in compliance
