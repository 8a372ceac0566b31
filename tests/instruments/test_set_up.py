"""Two measurements on one instrument: only the one that has set it up last gets a point."""

from collections.abc import Callable

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ConfigurationError
from onnes.instruments.limits import Limits
from onnes.instruments.lock_in_bridge import LockInBridge
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.mutual_inductance import MutualInductance
from onnes.instruments.susceptometer import AcLimits
from tests.instruments.lock_in_fakes import FakeLockIn, FakeWaveSource

CURRENT = 1e-4
COIL_USE = LockInUse(10.0, 0.3, 24, 0.9999)  # what the coil asks for at 10 Hz


def by_own_sine(lock_in: FakeLockIn, series_ohm: float = 1e3) -> LockInBridge:
    bridge = LockInBridge(
        lock_in,  # type: ignore[arg-type]
        lock_in,  # type: ignore[arg-type]
        compliance_v=10.0,
        ramp_a_per_s=1e-3,
        series_ohm=series_ohm,
    )
    bridge.use = COIL_USE
    return bridge


def coil_on(lock_in: FakeLockIn) -> MutualInductance:
    return MutualInductance(
        lock_in,  # type: ignore[arg-type]
        series_ohm=1e3,
        field_oe_per_a=100.0,
        pickup_v_per_hz_emu=2e-4,
        limits=AcLimits(Limits(1e-3, 5.0, "Oe", "the coil"), Limits(10.0, 1e4, "Hz", "the coil")),
    )


@pytest.fixture
def lock_in() -> FakeLockIn:
    found = FakeLockIn(VirtualClock())
    found.signal = lambda: 1e-3 * found.sine_voltage + 0j
    return found


Act = Callable[[LockInBridge, MutualInductance], object]


@pytest.mark.parametrize(
    "act", [lambda _, coil: coil.start(0.1, 10.0), lambda _, coil: coil.stop()], ids=["start", "stop"]
)
def test_a_bridge_whose_sine_the_coil_has_changed_since_gives_no_point(lock_in: FakeLockIn, act: Act) -> None:
    bridge, coil = by_own_sine(lock_in), coil_on(lock_in)
    bridge.start(CURRENT)
    act(bridge, coil)
    assert not bridge.is_running
    with pytest.raises(ConfigurationError, match="SR830 was set up for another measurement since"):
        bridge.measure(2)


@pytest.mark.parametrize(
    "act", [lambda bridge, _: bridge.start(CURRENT), lambda bridge, _: bridge.stop()], ids=["start", "stop"]
)
def test_a_coil_whose_drive_the_bridge_has_changed_since_gives_no_point(
    lock_in: FakeLockIn, act: Act
) -> None:
    bridge, coil = by_own_sine(lock_in), coil_on(lock_in)
    coil.start(0.1, 10.0)
    act(bridge, coil)
    with pytest.raises(ConfigurationError, match="set up for another measurement since; start the suscept"):
        coil.measure(2)


def test_a_bridge_whose_sine_another_one_has_taken_down_gives_no_point(lock_in: FakeLockIn) -> None:
    first, second = by_own_sine(lock_in), by_own_sine(lock_in, 2e3)
    first.start(CURRENT)
    second.start(CURRENT)
    first.stop()
    assert lock_in.sine_voltage == 4e-3
    with pytest.raises(ConfigurationError, match="set up for another measurement since"):
        second.measure(2)


def test_a_lock_in_that_another_source_is_measured_by_since_gives_no_point() -> None:
    clock = VirtualClock()
    lock_in = FakeLockIn(clock)
    bridges = []
    for _ in range(2):
        source = FakeWaveSource(clock)
        bridge = LockInBridge(
            source,  # type: ignore[arg-type]
            lock_in,  # type: ignore[arg-type]
            compliance_v=1.0,
            ramp_a_per_s=1e-3,
        )
        bridge.start(CURRENT)
        bridges.append(bridge)
    with pytest.raises(ConfigurationError, match="SR830 was set up for another measurement since"):
        bridges[0].measure(2)


# --- the coil alone, whose readings somebody has to vouch for as well


def test_a_coil_whose_lock_in_was_reached_anew_is_started_again(lock_in: FakeLockIn) -> None:
    coil = coil_on(lock_in)
    coil.start(0.1, 10.0)
    lock_in.link.reopened += 1
    with pytest.raises(CommunicationError, match=r"connection to SR830 was opened anew.*start the suscept"):
        coil.measure(2)


def test_readings_of_a_coil_that_nobody_can_vouch_for_are_taken_again(lock_in: FakeLockIn) -> None:
    coil = coil_on(lock_in)
    coil.start(0.1, 10.0)
    lock_in.errors = ["SR830 lost messages"]
    before = len(lock_in.taken)
    coil.measure(2)
    assert len(lock_in.taken) - before == 6  # each time the status of before is forgotten first
    lock_in.errors = ["SR830 was switched on anew"] * 3
    with pytest.raises(CommunicationError, match="switched on anew"):
        coil.measure(2)


def test_a_coil_that_fails_to_start_says_if_its_drive_is_not_known_to_be_down(
    lock_in: FakeLockIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    coil = coil_on(lock_in)

    def fails(_: object = None) -> str:
        raise CommunicationError("gone")

    monkeypatch.setattr(lock_in, "set_sine", fails)
    monkeypatch.setattr(lock_in, "safe_state", fails)
    with pytest.raises(CommunicationError, match="gone") as caught:
        coil.start(0.1, 10.0)
    assert caught.value.__notes__ == ["the drive is not known to be at its minimum: gone"]
