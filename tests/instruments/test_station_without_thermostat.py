"""A station whose temperature and field only somebody else's software sets: the older MPMS."""

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import cast

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.station import Station
from onnes.instruments.station_file import DRIVERS, load_station_file
from onnes.procedures import ramping

SHIPPED = Path(__file__).parents[2] / "examples" / "stations" / "ppms9-sim.toml"
Open = Callable[..., Station]


@pytest.fixture
def bare(tmp_path: Path, open_it: Open, monkeypatch: pytest.MonkeyPatch) -> Station:
    """Return a station of which one instrument counts as a magnetometer, and nothing as a thermostat."""
    can_be = frozenset({"magnetometer", "nanovoltmeter"})
    monkeypatch.setitem(cast(MutableMapping[str, object], DRIVERS), "keithley2182a", can_be)
    text = SHIPPED.read_text(encoding="utf-8")
    roles = text[text.index("[roles]") : text.index("[limits]")]
    without = text.replace(roles, '[roles]\nmagnetometer = "k2182a"\n\n')
    for table, after in (("[helium]", "[interlocks]"), ("helium = {", "reference_drift")):
        without = without[: without.index(table)] + without[without.index(after) :]
    path = tmp_path / "bare.toml"
    path.write_text(without, encoding="utf-8")
    return open_it(load_station_file(path))


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


def test_it_can_be_held_and_made_safe(bare: Station) -> None:
    assert all(step.confirmed for step in [*bare.hold(temperature=True), *bare.safe_state()])


def test_the_limits_of_the_station_file_count_all_the_same(bare: Station) -> None:
    limits = bare.limits()
    assert (limits.temperature.low, limits.temperature.high) == (1.9, 350.0)
    assert limits.field is None


def test_a_station_without_magnetometer_says_so(station: Station) -> None:
    with pytest.raises(ConfigurationError, match="the station has no magnetometer; name one under"):
        station.magnetometer()
