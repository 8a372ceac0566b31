"""The susceptometer of a station on the coil of the virtual lab, with its lock-in between."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import LimitError
from onnes.instruments.open_station import open_station
from onnes.instruments.station import Station
from onnes.instruments.station_file import load_station_file
from onnes.instruments.susceptometer import Susceptometer
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

STATION = Path(__file__).parents[2] / "examples" / "stations" / "susceptometer-sim.toml"
BAR_EMU_PER_OE = 5e-3 / (4.0 * math.pi)
IMBALANCE = complex(4e-6, 1e-6)  # emu/Oe, as the lab says
LAG = math.radians(0.5)


@pytest.fixture
def lab(clock: VirtualClock, request: pytest.FixtureRequest) -> Iterator[VirtualLab]:
    lab = load_lab("susceptometer", clock, under={"cryostat": {"start_k": 36.9}})
    set_lab(request.node.name, lab)
    yield lab
    forget_lab(request.node.name)


@pytest.fixture
def station(lab: VirtualLab, clock: VirtualClock, request: pytest.FixtureRequest) -> Iterator[Station]:
    del lab
    station = open_station(load_station_file(STATION), clock, lab_key=request.node.name)
    yield station
    station.close()


@pytest.fixture
def coil(station: Station) -> Susceptometer:
    return station.susceptometer("coil")


def chi(moment: complex, amplitude_oe: float) -> complex:
    """Return the susceptibility inside the bar, with lag and imbalance of the coil taken out."""
    seen = moment * complex(math.cos(LAG), -math.sin(LAG))
    outside = (seen / amplitude_oe - IMBALANCE) / BAR_EMU_PER_OE
    return outside / (1.0 - 0.0883 * outside)


@pytest.mark.parametrize(
    ("hertz", "expected"), [(100.0, complex(-0.8308, 0.0740)), (1000.0, complex(-0.8731, 0.0571))]
)
def test_it_measures_the_bar_of_the_reference(coil: Susceptometer, hertz: float, expected: complex) -> None:
    # By hand: Jc = 15.87 A/cm^2 at 36.9 K, h* = 0.997 Oe (f / 10 Hz)^0.125, x = 0.376 and 0.282, grains 0.1.
    coil.start(0.5, hertz)
    found = coil.measure(4)
    assert found.flags == ()
    assert chi(complex(found.in_phase, found.quadrature), 0.5) == pytest.approx(expected, abs=0.01)
    assert found.in_phase_error < 1e-2 * abs(found.in_phase)


def test_its_drive_ends_where_the_sine_of_the_lock_in_does(coil: Susceptometer, lab: VirtualLab) -> None:
    assert coil.ac_limits.amplitude.high == pytest.approx(0.7071, abs=1e-4)
    with pytest.raises(LimitError, match="amplitude of the drive = 1 Oe is outside"):
        coil.start(1.0, 10.0)
    coil.start(0.5, 100.0)
    coil.stop()
    assert_at_its_lowest(lab)


def test_made_safe_the_station_leaves_the_sine_at_its_lowest(
    station: Station, coil: Susceptometer, lab: VirtualLab
) -> None:
    coil.start(0.5, 100.0)
    assert all(step.confirmed for step in station.safe_state())
    assert_at_its_lowest(lab)


def assert_at_its_lowest(lab: VirtualLab) -> None:
    tone = lab.wiring.output("sr830.sine").at(lab.now()).tone
    assert tone is not None
    assert tone.peak == pytest.approx(4e-3 * math.sqrt(2.0))
