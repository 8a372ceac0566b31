"""A station on a virtual lab in virtual time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.open_station import open_station
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

SHIPPED = Path(__file__).parents[2] / "examples" / "stations" / "ppms9-sim.toml"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def lab(clock: VirtualClock, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[VirtualLab]:
    """Return the lab of the demo in strict mode, registered under a name of its own."""
    path = tmp_path / "strict.toml"
    path.write_text("[lab]\nstrict = true\n[sample]\ngamma_t = 0.06\n", encoding="utf-8")
    lab = load_lab(path, clock)
    set_lab(request.node.name, lab)
    yield lab
    forget_lab(request.node.name)


@pytest.fixture
def station_file() -> StationFile:
    return load_station_file(SHIPPED)


@pytest.fixture
def open_it(
    lab: VirtualLab, clock: VirtualClock, station_file: StationFile, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Station]]:
    """Return what opens the shipped station, or another file, on the lab."""
    del lab  # it is found by name
    opened: list[Station] = []

    def open_(file: StationFile = station_file) -> Station:
        opened.append(open_station(file, clock, lab_key=request.node.name))
        return opened[-1]

    yield open_
    for station in opened:
        station.close()


@pytest.fixture
def station(open_it: Callable[..., Station]) -> Station:
    return open_it()
