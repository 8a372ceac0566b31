"""Resistance by lock-in, on a source and a lock-in that are fakes at the level of numbers."""

import math
import random
from statistics import pstdev

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ConfigurationError, InstrumentFault, LimitError
from onnes.instruments.lock_in_bridge import LockInBridge
from onnes.instruments.lock_in_readings import INDEPENDENT_TAU
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.protocols import ResistanceBridge
from tests.instruments.lock_in_fakes import FakeLockIn, FakeWaveSource

CURRENT = 1e-4


def bridge_of(ohms: complex = 2.0, noise_v: float = 0.0) -> tuple[LockInBridge, FakeWaveSource, FakeLockIn]:
    clock = VirtualClock()
    source, lock_in = FakeWaveSource(clock), FakeLockIn(clock)
    white = random.Random(3)
    lock_in.signal = lambda: (
        source.rms_a * ohms + noise_v * complex(white.gauss(0.0, 1.0), white.gauss(0.0, 1.0))
    )
    bridge = LockInBridge(
        source,  # type: ignore[arg-type]
        lock_in,  # type: ignore[arg-type]
        compliance_v=1.0,
        ramp_a_per_s=1e-3,
        abort_ramp_a_per_s=0.1,
    )
    return bridge, source, lock_in


def own_sine(ohms: float = 2.0, compliance_v: float = 10.0) -> tuple[LockInBridge, FakeLockIn]:
    lock_in = FakeLockIn(VirtualClock())
    lock_in.signal = lambda: lock_in.sine_voltage / 1e3 * ohms + 0j
    bridge = LockInBridge(
        lock_in,  # type: ignore[arg-type]
        lock_in,  # type: ignore[arg-type]
        compliance_v=compliance_v,
        ramp_a_per_s=1e-3,
        series_ohm=1e3,
    )
    return bridge, lock_in


def test_it_is_a_resistance_bridge() -> None:
    assert isinstance(bridge_of()[0], ResistanceBridge)


def test_the_current_is_rms_and_so_is_the_voltage() -> None:
    bridge, source, _ = bridge_of()
    bridge.start(CURRENT)
    assert source.rms_a == pytest.approx(CURRENT)
    found = bridge.measure(5)
    assert found.voltage == pytest.approx(2e-4)
    assert found.current == CURRENT
    assert found.resistance == pytest.approx(2.0)
    assert found.flags == ()
    assert math.isnan(found.emf)
    assert len(found.readings) == 5


def test_compliance_and_range_for_the_peak_come_before_the_wave() -> None:
    bridge, source, lock_in = bridge_of()
    bridge.start(CURRENT)
    assert source.told == ["safe at 0.001 A/s", "compliance 1.0 V", "range 0.000141 A", "wave 17.77 Hz"]
    assert lock_in.told == ["listen external 17.77 Hz"]


@pytest.mark.parametrize("amps", [0.0, 1e-12, 0.08, math.nan, -1e-4])
def test_a_current_whose_peak_is_out_of_range_is_refused_and_nothing_is_sent(amps: float) -> None:
    bridge, source, _ = bridge_of()
    with pytest.raises(
        LimitError, match=r"outside \[2e-12, 0\.0742462\d*\] A, the range set by the Keithley 6"
    ):
        bridge.start(amps)
    assert source.told == []


def test_the_full_scale_is_found_from_the_largest_down_and_each_settles() -> None:
    bridge, _, lock_in = bridge_of()
    lock_in.sensitivity = 1e-6
    bridge.start(CURRENT)
    assert lock_in.sensitivity == 5e-4
    settle = bridge.use.settle_s
    assert lock_in.link.clock.now() == pytest.approx(2 * settle)


def test_readings_are_as_far_apart_as_the_filter_makes_them_independent() -> None:
    bridge, _, lock_in = bridge_of()
    bridge.use = LockInUse(slope_db=12, time_constant_s=1.0)
    bridge.start(CURRENT)
    lock_in.taken.clear()
    bridge.measure(3)
    apart = [b - a for a, b in zip(lock_in.taken, lock_in.taken[1:], strict=False)]
    assert apart == pytest.approx([4.75] * 3)


@pytest.mark.parametrize("slope", [6, 12, 18, 24])
def test_at_that_distance_filtered_white_noise_has_lost_its_correlation(slope: int) -> None:
    poles, step, reach = slope // 6, 0.01, 40.0
    response = [t ** (poles - 1) * math.exp(-t) for t in (step * k for k in range(int(reach / step)))]

    def overlap(shift: int) -> float:
        return sum(a * b for a, b in zip(response, response[shift:], strict=False))

    left = overlap(round(INDEPENDENT_TAU[slope] / step)) / overlap(0)
    assert 0.04 < left < 0.0505


def test_the_error_covers_the_scatter_of_white_noise() -> None:
    bridge, _, _ = bridge_of(noise_v=3e-9)
    bridge.start(CURRENT)
    points = [bridge.measure(6) for _ in range(300)]
    rms = pstdev([point.resistance for point in points])
    told = math.sqrt(sum(point.resistance_error**2 for point in points) / len(points))
    assert told == pytest.approx(rms, rel=0.15)


def test_a_part_out_of_phase_beyond_two_percent_is_flagged() -> None:
    bridge, _, _ = bridge_of(2.0 + 0.05j)
    bridge.start(CURRENT)
    found = bridge.measure(4)
    assert found.flags == ("phase",)
    assert found.quadrature == pytest.approx(5e-6)


def test_a_sample_without_resistance_has_no_phase_to_be_wrong() -> None:
    bridge, _, _ = bridge_of(1e-6j, noise_v=1e-9)
    bridge.start(CURRENT)
    assert bridge.measure(8).flags == ()


def test_an_overload_spoils_the_point_and_widens_the_range_for_the_next() -> None:
    bridge, source, lock_in = bridge_of()
    bridge.start(CURRENT)
    lock_in.signal = lambda: 30.0 * source.rms_a + 0j
    found = bridge.measure(2)
    assert found.flags == ("overload",)
    assert math.isnan(found.resistance)
    assert bridge.measure(2).resistance == pytest.approx(30.0)


def test_the_range_follows_a_transition_down_and_settles_after_each_change() -> None:
    bridge, source, lock_in = bridge_of()
    bridge.start(CURRENT)
    lock_in.signal = lambda: 1e-4 * source.rms_a + 0j
    bridge.measure(2)
    assert lock_in.sensitivity == 2e-8
    before = lock_in.link.clock.now()
    bridge.measure(2)
    spacing = INDEPENDENT_TAU[24] * 0.3
    assert lock_in.link.clock.now() - before == pytest.approx(bridge.use.settle_s + 2 * spacing)


def test_a_hum_that_overloads_keeps_the_range_wide_without_spoiling_every_second_point() -> None:
    bridge, _, lock_in = bridge_of()
    bridge.start(CURRENT)
    lock_in.hum = 3e-3
    assert [bridge.measure(2).flags for _ in range(6)] == [("overload",), *[()] * 5]


def test_a_signal_that_overloads_the_largest_range_is_a_fault_and_the_source_is_off() -> None:
    bridge, source, _ = bridge_of(1e5)
    with pytest.raises(InstrumentFault, match="overloads on its largest range, 1 V; lower the excitation"):
        bridge.start(CURRENT)
    assert not source.is_on
    assert not bridge.is_running


def test_a_signal_that_never_keeps_still_is_a_fault() -> None:
    bridge, _, lock_in = bridge_of()
    size = iter([1e-3, 1e-3, 1e-1, 1e-1] * 50)  # each is taken twice: the first forgets the status
    lock_in.signal = lambda: next(size) + 0j
    with pytest.raises(InstrumentFault, match="finds no full scale that keeps fitting in 15 changes"):
        bridge.start(CURRENT)


def test_an_unlocked_reference_and_compliance_are_flagged() -> None:
    bridge, source, lock_in = bridge_of()
    bridge.start(CURRENT)
    lock_in.flags, source.limits = lambda: ("unlock",), lambda: True
    assert bridge.measure(2).flags == ("compliance", "unlock")


def test_a_reference_that_stays_lost_for_a_second_point_is_a_fault_and_one_that_comes_back_is_none() -> None:
    bridge, _, lock_in = bridge_of()
    bridge.start(CURRENT)
    for flags in (("unlock",), (), ("unlock",)):
        lock_in.flags = lambda flags=flags: flags  # type: ignore[misc]
        assert bridge.measure(2).flags == flags
    says = "without a lock on its reference for two points; look at the cable of the reference"
    with pytest.raises(InstrumentFault, match=says):
        bridge.measure(2)


def test_without_a_reference_the_range_stays_for_what_comes_after() -> None:
    bridge, _, lock_in = bridge_of()
    bridge.start(CURRENT)
    fitting = lock_in.sensitivity
    lock_in.signal, lock_in.flags = lambda: 0j, lambda: ("unlock",)
    bridge.measure(2)
    assert lock_in.sensitivity == fitting


def test_nothing_is_measured_before_a_start_or_after_a_stop() -> None:
    bridge, source, _ = bridge_of()
    bridge.start(CURRENT)
    bridge.stop(abort=True)
    assert source.told[-1] == "safe at 0.1 A/s"
    with pytest.raises(ConfigurationError, match="the lock-in bridge is not started"):
        bridge.measure(2)


def test_a_lock_in_that_was_reached_anew_has_lost_its_setup() -> None:
    bridge, _, lock_in = bridge_of()
    bridge.start(CURRENT)
    lock_in.link.reopened += 1
    with pytest.raises(CommunicationError, match="connection to SR830 was opened anew"):
        bridge.measure(2)


def test_readings_that_nobody_can_vouch_for_are_taken_again() -> None:
    bridge, _, lock_in = bridge_of()
    bridge.start(CURRENT)
    lock_in.errors = ["lost messages"]
    assert bridge.measure(2).resistance == pytest.approx(2.0)
    assert lock_in.link.cleared == 1


# --- its own sine, through a resistance in series


def test_the_sine_of_the_lock_in_drives_the_current_that_is_read_back() -> None:
    bridge, lock_in = own_sine()
    bridge.start(1.0009e-4)  # 0.10009 V, which comes as 0.1 V
    found = bridge.measure(2)
    assert found.current == pytest.approx(1e-4)
    assert found.resistance == pytest.approx(2.0)
    assert lock_in.told == ["sine 0.004 V", "listen internal 17.77 Hz", "sine 0.1 V"]
    bridge.stop()
    assert lock_in.sine_voltage == 4e-3


@pytest.mark.parametrize("amps", [3e-6, 6e-3])
def test_a_current_that_the_sine_has_not_is_refused(amps: float) -> None:
    bridge, lock_in = own_sine()
    with pytest.raises(LimitError, match=r"outside \[4e-06, 0\.005\] A, the range set by the SR830"):
        bridge.start(amps)
    assert lock_in.told == []


def test_the_compliance_limits_the_peak_of_the_sine() -> None:
    bridge, _ = own_sine(compliance_v=1.0)
    with pytest.raises(LimitError, match=r"0\.000707\d*\] A, the range set by the SR830 and the compliance"):
        bridge.start(1e-3)


def test_a_compliance_below_the_lowest_sine_leaves_no_current() -> None:
    bridge, lock_in = own_sine(compliance_v=1e-3)
    with pytest.raises(
        LimitError, match=r"of the SR830 and .* of the compliance of the wiring do not overlap"
    ):
        bridge.start(1e-5)
    assert lock_in.told == []
