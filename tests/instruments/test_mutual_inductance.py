"""AC moments by mutual inductance, on a lock-in that is a fake at the level of numbers."""

import math

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, InstrumentFault, LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.mutual_inductance import MutualInductance
from onnes.instruments.susceptometer import AcLimits, Susceptometer
from tests.instruments.lock_in_fakes import FakeLockIn

RECORD = AcLimits(Limits(1e-3, 5.0, "Oe", "the coil"), Limits(10.0, 1e4, "Hz", "the coil"))
PICKUP = 2e-4  # V rms per Hz and emu rms


def coil_of(moment: complex = 0j, pickup: float = PICKUP) -> tuple[MutualInductance, FakeLockIn]:
    """Return a susceptometer whose sample has ``moment`` = m' + i m'' in emu, peak."""
    lock_in = FakeLockIn(VirtualClock())

    def signal() -> complex:
        """Project the rate of m' cos(n th) + m'' sin(n th), th = x - 90 deg, on sin and cos of n x."""
        n, hz = lock_in.use.harmonic, lock_in.use.frequency_hz
        x, y = 0.0, 0.0
        for k in range(64):
            angle = 2.0 * math.pi * k / 64
            th = n * (angle - 0.5 * math.pi)
            rate = PICKUP * n * hz * (moment.imag * math.cos(th) - moment.real * math.sin(th))
            x += rate * math.sin(n * angle) / 32
            y += rate * math.cos(n * angle) / 32
        return complex(x, y) / math.sqrt(2.0)

    lock_in.signal = signal
    coil = MutualInductance(
        lock_in,  # type: ignore[arg-type]
        series_ohm=1000.0,
        field_oe_per_a=100.0,
        pickup_v_per_hz_emu=pickup,
        limits=RECORD,
    )
    return coil, lock_in


def test_it_is_a_susceptometer() -> None:
    assert isinstance(coil_of()[0], Susceptometer)


@pytest.mark.parametrize(("hz", "harmonic"), [(10.0, 1), (1e3, 1), (1e3, 2), (1e3, 3)])
def test_screening_is_negative_in_phase_and_loss_positive_in_quadrature(hz: float, harmonic: int) -> None:
    coil, _ = coil_of(-4.4e-3 + 1e-4j)
    coil.start(0.1, hz, harmonic)
    found = coil.measure(3)
    assert found.in_phase == pytest.approx(-4.4e-3)
    assert found.quadrature == pytest.approx(1e-4)
    assert (found.in_phase_error, found.quadrature_error) == pytest.approx((0.0, 0.0), abs=1e-15)
    assert found.flags == ()


def test_a_pick_up_that_is_wound_the_other_way_turns_both_signs() -> None:
    coil, _ = coil_of(-4.4e-3 + 1e-4j, pickup=-PICKUP)
    coil.start(0.1, 10.0)
    found = coil.measure(3)
    assert (found.in_phase, found.quadrature) == pytest.approx((4.4e-3, -1e-4))


def test_the_amplitude_is_peak_and_the_sine_rms() -> None:
    coil, lock_in = coil_of()
    coil.start(0.1, 10.0)
    assert lock_in.sine_voltage == pytest.approx(0.1 / 100.0 / math.sqrt(2.0) * 1e3, rel=3e-3)
    assert coil.amplitude_oe == pytest.approx(0.1, rel=3e-3)


@pytest.mark.parametrize(("hz", "tau_s"), [(10.0, 0.3), (1e4, 0.3)])
def test_the_filter_averages_over_three_periods_and_a_change_settles_to_a_ten_thousandth(
    hz: float, tau_s: float
) -> None:
    coil, lock_in = coil_of()
    coil.start(0.1, hz)
    assert (lock_in.use.time_constant_s, lock_in.use.settle, lock_in.use.slope_db) == (tau_s, 0.9999, 24)
    assert lock_in.link.clock.now() >= 15.9 * tau_s


def test_the_record_is_that_of_coil_and_lock_in_together() -> None:
    limits = coil_of()[0].ac_limits
    assert limits.amplitude.high == pytest.approx(5.0 * math.sqrt(2.0) * 0.1)
    assert limits.amplitude.low == pytest.approx(0.1 * math.sqrt(2.0) * 0.1)  # half a step of 2 mV is 1 %
    assert (limits.frequency.low, limits.frequency.high) == (10.0, 1e4)


@pytest.mark.parametrize(
    ("oe", "hz", "text"),
    [
        (5.0, 10.0, r"amplitude of the drive = 5 Oe is outside \[0\.0141421356, 0\.707106781\] Oe"),
        (1e-3, 10.0, "the range set by the sine of the SR830"),
        (math.nan, 10.0, "amplitude of the drive"),
        (0.1, 1.0, r"frequency of the drive = 1 Hz is outside \[10, 10000\] Hz, the range set by the coil"),
    ],
)
def test_what_is_beyond_the_record_is_refused_and_nothing_is_sent(oe: float, hz: float, text: str) -> None:
    coil, lock_in = coil_of()
    with pytest.raises(LimitError, match=text):
        coil.start(oe, hz)
    assert lock_in.told == []


@pytest.mark.parametrize("oe", [0.01415, 0.0153, 0.0167, 0.7])
def test_an_amplitude_of_the_record_is_met_within_a_percent(oe: float) -> None:
    coil, _ = coil_of()
    coil.start(oe, 10.0)
    assert coil.amplitude_oe == pytest.approx(oe, rel=1e-2)


def test_an_overload_makes_the_reading_nan_and_widens_the_range() -> None:
    coil, lock_in = coil_of(-4.4e-3 + 0j)
    coil.start(0.1, 10.0)
    lock_in.signal = lambda: 1e-3 + 0j
    found = coil.measure(2)
    assert found.flags == ("overload",)
    assert math.isnan(found.in_phase)
    assert coil.measure(2).flags == ()


def test_a_coil_that_overloads_the_largest_range_is_a_fault_and_its_drive_minimal() -> None:
    coil, lock_in = coil_of(1e4 + 0j)
    with pytest.raises(InstrumentFault, match="overloads on its largest range"):
        coil.start(0.1, 1e3)
    assert lock_in.sine_voltage == 4e-3


def test_stopped_it_has_the_least_drive_and_does_not_measure() -> None:
    coil, lock_in = coil_of()
    coil.start(0.1, 10.0)
    coil.stop()
    assert lock_in.sine_voltage == 4e-3
    with pytest.raises(ConfigurationError, match="the susceptometer is not started"):
        coil.measure(2)


def test_made_safe_by_somebody_else_it_is_not_started_any_more() -> None:
    coil, lock_in = coil_of()
    coil.start(0.1, 10.0)
    assert coil.source.name == lock_in.name
    coil.forget_start()
    with pytest.raises(ConfigurationError, match="is not started"):
        coil.measure(2)


def test_the_next_drive_settles_once_on_the_range_that_the_last_one_tells() -> None:
    coil, lock_in = coil_of(-4.4e-3 + 0j)
    coil.start(0.1, 10.0)
    first_s = lock_in.link.clock.now()
    coil.measure(2)
    began = lock_in.link.clock.now()
    coil.start(0.5, 100.0)
    assert lock_in.link.clock.now() - began == pytest.approx(0.3 * 15.91)
    assert first_s > 1.9 * 0.3 * 15.91
    assert coil.measure(2).in_phase == pytest.approx(-4.4e-3)


def test_a_lock_in_that_somebody_else_set_up_since_is_not_read_for_this_coil() -> None:
    coil, lock_in = coil_of()
    coil.start(0.1, 10.0)
    lock_in.listen(LockInUse(17.77), reference="external")
    with pytest.raises(
        ConfigurationError, match="SR830 was set up for another measurement since; start this"
    ):
        coil.measure(2)
