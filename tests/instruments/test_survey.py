"""A look at every instrument of a station, also where one is missing."""

import math
from collections.abc import Callable

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.station_file import StationFile
from onnes.instruments.survey import Surveyed, survey_station
from onnes.sim.device_k6221 import K6221
from onnes.sim.lab import VirtualLab

Look = Callable[..., dict[str, Surveyed]]


@pytest.fixture
def survey(
    lab: VirtualLab, clock: VirtualClock, station_file: StationFile, request: pytest.FixtureRequest
) -> Look:
    del lab  # it is found by name

    def look(file: StationFile = station_file) -> dict[str, Surveyed]:
        return {found.instrument: found for found in survey_station(file, clock, lab_key=request.node.name)}

    return look


def test_each_instrument_is_named_with_its_roles_and_who_answers(survey: Look) -> None:
    found = survey()
    assert [(name, entry.driver, entry.resource) for name, entry in found.items()] == [
        ("ppms", "ppms", "GPIB0::15::INSTR"),
        ("k6221", "keithley6221", "GPIB0::12::INSTR"),
        ("k2182a", "keithley2182a", "GPIB0::7::INSTR"),
    ]
    assert found["ppms"].roles == ("thermostat", "magnet", "chamber", "helium gauge")
    assert (found["k6221"].roles, found["k2182a"].roles) == (("source of film",), ("meter of film",))
    assert all("MODEL" in entry.identity or "Model" in entry.identity for entry in found.values())
    assert {entry.problem for entry in found.values()} == {""}


def test_each_instrument_is_read_with_unit_state_and_age(survey: Look) -> None:
    found = survey()
    readings = {reading.quantity: reading for entry in found.values() for reading in entry.readings}
    assert {name: reading.unit for name, reading in readings.items()} == {
        "temperature": "K",
        "temperature setpoint": "K",
        "field": "Oe",
        "field setpoint": "Oe",
        "chamber": "",
        "helium": "%",
        "current": "A",
        "compliance": "V",
        "voltage": "V",
    }
    assert readings["temperature"].value == pytest.approx(300.0, abs=0.03)
    assert (readings["temperature"].state, readings["temperature"].age) == ("stable", "fresh")
    assert readings["helium"].value == pytest.approx(92.0, abs=0.1)
    assert readings["helium"].age == "recent"
    assert readings["chamber"].value == "purged and sealed"
    assert readings["current"].state == "output off"
    assert abs(float(readings["voltage"].value)) < 1e-5


def test_nothing_is_set(survey: Look, lab: VirtualLab) -> None:
    source = lab.instruments["k6221"]
    assert isinstance(source, K6221)
    source.execute("SOUR:CURR 1e-4", lab.now())
    source.execute("OUTP 1", lab.now())
    lab.cryostat.command(lab.now(), 250.0, 5.0, 0)
    lab.magnet.command(lab.now(), 1000.0, 100.0, 0, 1)
    survey()
    assert (source.level_a, source.output) == (1e-4, True)
    assert (lab.cryostat.setpoint()[0], lab.magnet.setpoint()[0]) == (250.0, 1000.0)
    assert lab.journal == []


def test_one_that_is_missing_does_not_hide_the_others(survey: Look, station_file: StationFile) -> None:
    source = station_file.instruments["k6221"].model_copy(update={"resource": "GPIB0::9::INSTR"})
    found = survey(
        station_file.model_copy(update={"instruments": {**station_file.instruments, "k6221": source}})
    )
    assert found["k6221"].problem == (
        "no instrument at GPIB0::9::INSTR (k6221); look at cable, power and address"
    )
    assert (found["k6221"].identity, found["k6221"].readings) == ("", ())
    assert (found["ppms"].problem, found["k2182a"].problem) == ("", "")


def test_one_that_is_another_is_told(survey: Look, station_file: StationFile) -> None:
    wrong = station_file.instruments["k6221"].model_copy(update={"resource": "GPIB0::7::INSTR"})
    found = survey(
        station_file.model_copy(update={"instruments": {**station_file.instruments, "k6221": wrong}})
    )
    assert "expected a 6221, but 'KEITHLEY INSTRUMENTS INC.,MODEL 2182A" in found["k6221"].problem


def test_a_silent_ppms_is_told_with_the_question_about_multivu(survey: Look, lab: VirtualLab) -> None:
    lab.faults.add("timeout", target="ppms", count=100)
    found = survey()
    assert "is MultiVu running? it owns the GPIB board: close it" in found["ppms"].problem
    assert found["k2182a"].problem == ""


def test_a_reading_that_fails_is_no_number_and_the_next_is_made(survey: Look, lab: VirtualLab) -> None:
    lab.magnet.force_status(11, lab.now())
    ppms = survey()["ppms"]
    readings = {reading.quantity: reading for reading in ppms.readings}
    assert math.isnan(float(readings["field"].value))
    assert readings["field"].state == "InstrumentFault"
    assert readings["helium"].value == pytest.approx(92.0, abs=0.1)
    assert "magnet quenched" in ppms.problem


def test_a_station_that_says_visa_is_not_surveyed_on_the_lab(
    survey: Look, station_file: StationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", "@onnes")
    with pytest.raises(ConfigurationError, match="station says backend = 'visa'"):
        survey(station_file.model_copy(update={"backend": "visa"}))
