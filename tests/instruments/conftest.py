"""A station on a virtual lab in virtual time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.open_station import open_station
from onnes.instruments.relay import RelayedKeithley2182A
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.instruments.visa import open_adapter, open_library
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


RS232 = 'interface = "rs232"'


@dataclass(frozen=True)
class Relayed:
    """A 2182A behind the serial line of a 6221, and the lab they are in."""

    lab: VirtualLab
    source: Keithley6221
    meter: RelayedKeithley2182A

    def assert_off(self) -> None:
        """Say that no current is on, as the source reads it back and as the wiring has it."""
        assert not self.source.source_enabled
        assert self.source.source_current == 0.0


@pytest.fixture
def relayed(
    clock: VirtualClock, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Relayed]]:
    """Return what opens the default lab in strict mode, with the tables of the text over it."""
    opened: list[Relayed] = []

    def open_(text: str = "", told_baud: int | None = None, meter: str = "") -> Relayed:
        path = tmp_path / "relayed.toml"
        behind = f"[instrument.k2182a]\n{meter or RS232}\n"
        path.write_text(f"[lab]\nstrict = true\n{behind}{text}", encoding="utf-8")
        lab = load_lab(path, clock)
        set_lab(request.node.name, lab)
        manager = open_library("simulated", request.node.name)
        source = Keithley6221(open_adapter(manager, "GPIB0::12::INSTR", name="k6221"), "k6221", clock)
        opened.append(Relayed(lab, source, RelayedKeithley2182A(source, "k2182a", clock, told_baud)))
        return opened[-1]

    yield open_
    for one in opened:
        one.source.link.close()
    forget_lab(request.node.name)
