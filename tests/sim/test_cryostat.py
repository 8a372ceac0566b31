"""Temperatures as closed forms of commands and time."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from onnes.sim.cryostat import (
    CHASING,
    FAST_SETTLE,
    NEAR,
    NO_OVERSHOOT,
    STABLE,
    TRACKING,
    Cryostat,
    CryostatSettings,
)

TAU1, TAU2 = 30.0, 4.0


def cryostat(seed: int = 7, **keys: float) -> Cryostat:
    return Cryostat(CryostatSettings.model_validate(keys), seed)


def settled(target: float, approach: int = FAST_SETTLE, rate: float = 20.0, start: float = 300.0) -> Cryostat:
    fridge = cryostat(start_k=start)
    fridge.command(0.0, target, rate, approach)
    return fridge


def first_time(fridge: Cryostat, code: int, begin: float, end: float) -> float:
    for t in np.arange(begin, end, 0.25):
        if fridge.status(float(t)) == code:
            return float(t)
    raise AssertionError(f"never {code} before {end} s")


@pytest.mark.parametrize(("start", "target"), [(100.0, 200.0), (200.0, 100.0)])
def test_sensor_and_sample_lag_by_rate_times_their_time_constants(start: float, target: float) -> None:
    fridge = settled(target, rate=5.0, start=start)
    slope = math.copysign(5.0 / 60.0, target - start)
    t = 15 * TAU1
    assert fridge.ramped(t) == pytest.approx(start + slope * t, rel=1e-12)
    assert fridge.ramped(t) - fridge.sensor(t) == pytest.approx(slope * TAU1, rel=1e-5)
    assert fridge.sensor(t) - fridge.sample(t) == pytest.approx(slope * TAU2, rel=1e-5)
    assert fridge.sample_rate(t) == pytest.approx(slope, rel=1e-5)


def test_the_lag_of_a_real_log_is_seen() -> None:
    fridge = settled(100.0, rate=5.0, start=300.0)
    assert fridge.sensor(1140.0) - fridge.ramped(1140.0) == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("taus", [(30.0, 4.0), (30.0, 30.0), (10.0, 25.0)])
def test_the_closed_form_obeys_the_differential_equations(taus: tuple[float, float]) -> None:
    tau1, tau2 = taus
    fridge = cryostat(start_k=90.0, tau_sensor_s=tau1, tau_sample_s=tau2, overshoot_fraction=0.0)
    fridge.command(0.0, 120.0, 6.0, FAST_SETTLE)
    fridge.command(200.0, 60.0, 12.0, NO_OVERSHOOT)
    step = 0.02
    sensor = sample = 90.0
    for k in range(40_000):
        t = k * step
        sensor += step * (fridge.ramped(t + step / 2) - sensor) / tau1
        sample += step * (fridge.sensor(t + step / 2) - sample) / tau2
        if k % 4000 == 3999:
            assert fridge.sensor(t + step) == pytest.approx(sensor, abs=5e-3)
            assert fridge.sample(t + step) == pytest.approx(sample, abs=5e-3)


def test_the_sample_follows_the_swing_of_the_sensor() -> None:
    fridge = settled(120.0, rate=5.6, start=90.0)
    for t in (330.0, 380.0, 500.0):
        rate = (fridge.sample(t + 1e-3) - fridge.sample(t - 1e-3)) / 2e-3
        assert fridge.sample_rate(t) == pytest.approx(rate, rel=1e-5)


def test_fast_settle_overshoots_as_the_real_file_shows() -> None:
    fridge = settled(120.0, rate=5.6, start=90.0)
    times = np.arange(0.0, 800.0, 0.1)
    error = np.array([fridge.sensor(t) for t in times]) - 120.0
    crossing = times[np.argmax(error > 0)]
    peak = times[np.argmax(error)]
    assert error.max() == pytest.approx(0.694, abs=0.1)  # the closed form is within 0.2 K of the file
    assert error.max() / 120.0 == pytest.approx(0.0058, abs=0.001)
    assert peak - crossing == pytest.approx(40.0, abs=5.0)
    back = times[(times > peak) & (error < 0)][0]
    assert back - crossing == pytest.approx(110.0, abs=10.0)
    assert fridge.sensor(crossing + 150.0) - 120.0 == pytest.approx(-0.11, abs=0.2)
    assert fridge.status(float(crossing) + 154.0) == NEAR


def test_a_cooling_step_swings_below_the_target() -> None:
    fridge = settled(90.0, rate=5.6, start=120.0)
    lowest = min(fridge.sensor(t) for t in np.arange(0.0, 800.0, 0.5))
    assert lowest - 90.0 == pytest.approx(-0.5, abs=0.1)


def test_no_overshoot_stays_on_its_side_and_takes_the_last_two_percent_at_a_quarter_of_the_rate() -> None:
    fridge = settled(120.0, NO_OVERSHOOT, rate=6.0, start=90.0)
    assert max(fridge.sensor(t) for t in np.arange(0.0, 2000.0, 0.5)) <= 120.0
    end_of_fast = 0.98 * 30.0 / 0.1
    assert fridge.ramped(end_of_fast) == pytest.approx(119.4, abs=1e-9)
    assert fridge.ramped(end_of_fast + 12.0) == pytest.approx(119.7, abs=1e-9)
    assert fridge.ramped(end_of_fast + 24.0) == pytest.approx(120.0, abs=1e-9)


def test_cooling_below_20_k_is_limited_by_the_capacity() -> None:
    fridge = cryostat(start_k=30.0, cooling_k_per_min=20.0)
    fridge.command(0.0, 2.0, 20.0, FAST_SETTLE)
    assert fridge.ramped(30.0) == pytest.approx(20.0)
    assert 6.0 <= fridge.ramped(30.0) - fridge.ramped(90.0) <= 8.0
    fridge.command(1000.0, 40.0, 20.0, FAST_SETTLE)
    assert fridge.ramped(1060.0) == pytest.approx(22.0)  # warming is not


def test_room_temperature_to_base_takes_40_to_60_minutes_however_fast_it_is_asked() -> None:
    fridge = settled(1.9)
    assert 40.0 <= first_time(fridge, STABLE, 10.0, 4000.0) / 60.0 <= 60.0


def test_the_status_goes_through_tracking_chasing_near_and_stable() -> None:
    fridge = settled(120.0, rate=5.6, start=90.0)
    seen = [STABLE]
    for t in np.arange(0.0, 1500.0, 0.25):
        code = fridge.status(float(t))
        if code != seen[-1]:
            seen.append(code)
    assert seen == [STABLE, TRACKING, CHASING, NEAR, CHASING, NEAR, STABLE]


def test_near_begins_and_ends_where_the_real_file_shows_it() -> None:
    fridge = settled(120.0, rate=5.6, start=90.0)
    times = np.arange(330.0, 600.0, 0.05)
    codes = [fridge.status(float(t)) for t in times]
    edges = [fridge.sensor(t) - 120.0 for t, a, b in zip(times, codes, codes[1:], strict=False) if a != b]
    assert edges[0] == pytest.approx(-0.0036 * 120.0, abs=0.03)  # 6 -> 5 on the approach
    assert 0.424 < edges[2] < 0.456  # 6 -> 5 on the return


@pytest.mark.parametrize("target", [2.0, 4.2, 40.0, 300.0])
def test_stable_means_a_minute_inside_the_tolerance(target: float) -> None:
    fridge = settled(target, rate=10.0, start=target + 5.0)
    tolerance = max(5e-3, 2e-4 * target)
    t = first_time(fridge, STABLE, 10.0, 3000.0)
    assert all(
        abs(fridge.sensor(t - s) - target) <= tolerance * (1 + 1e-6) for s in np.arange(0.0, 59.5, 0.5)
    )
    assert abs(fridge.sensor(t - 60.5) - target) > tolerance
    assert all(fridge.status(float(later)) == STABLE for later in np.arange(t, t + 3000.0, 10.0))


@pytest.mark.parametrize("seed", range(8))
def test_the_old_stable_stays_up_for_one_to_five_seconds_after_a_command(seed: int) -> None:
    fridge = cryostat(seed)
    assert fridge.status(99.0) == STABLE
    fridge.command(100.0, 250.0, 5.0, FAST_SETTLE)
    left = next(t for t in np.arange(100.0, 106.0, 0.01) if fridge.status(float(t)) != STABLE)
    assert 1.0 <= left - 100.0 <= 5.02
    assert fridge.sensor(float(left)) < 300.0  # it cools already while the status still says stable
    assert fridge.setpoint() == (250.0, 5.0, FAST_SETTLE)


def test_the_dead_time_differs_between_seeds_and_between_commands() -> None:
    def dead_time(seed: int, at: float) -> float:
        fridge = cryostat(seed)
        fridge.command(at, 250.0, 5.0, FAST_SETTLE)
        return float(next(s for s in np.arange(0.0, 6.0, 0.01) if fridge.status(at + s) != STABLE))

    assert len({dead_time(seed, 100.0) for seed in range(6)}) >= 5
    assert dead_time(7, 100.0) != dead_time(7, 101.0)
    assert dead_time(7, 100.0) == dead_time(7, 100.0)


def test_a_command_for_the_same_target_at_rest_leaves_it_stable() -> None:
    fridge = cryostat()
    fridge.command(100.0, 300.0, 5.0, FAST_SETTLE)
    assert {fridge.status(float(t)) for t in np.arange(100.0, 300.0, 1.0)} == {STABLE}


def test_a_command_during_the_ramp_starts_from_where_it_is() -> None:
    fridge = settled(100.0, rate=6.0, start=200.0)
    before = [fridge.sensor(299.999), fridge.sample(299.999), fridge.ramped(300.0)]
    fridge.command(300.0, 250.0, 6.0, FAST_SETTLE)
    assert [fridge.sensor(300.0), fridge.sample(300.0), fridge.ramped(300.0)] == pytest.approx(
        before, abs=1e-3
    )
    assert fridge.ramped(360.0) == pytest.approx(before[2] + 6.0)


def test_a_forced_status_lasts_until_it_is_ended() -> None:
    fridge = cryostat()
    fridge.force_status(13, 50.0)
    fridge.force_status(None, 60.0)
    assert [fridge.status(t) for t in (49.0, 50.0, 59.0, 60.0)] == [STABLE, 13, 13, STABLE]


def test_the_reading_is_the_same_however_often_it_is_read() -> None:
    once, often = cryostat(), cryostat()
    for t in np.arange(0.0, 100.0, 0.1):
        often.reading(float(t))
    assert [once.reading(t) for t in (1.0, 33.3, 99.9)] == [often.reading(t) for t in (1.0, 33.3, 99.9)]
    assert once.reading(30.1) == once.reading(31.9)
    assert once.reading(30.1) != once.reading(32.1)


@pytest.mark.parametrize(("kelvin", "rms"), [(3.0, 1.8e-3), (300.0, 6e-3)])
def test_the_noise_of_the_reading_is_that_of_a_real_controller(kelvin: float, rms: float) -> None:
    fridge = cryostat(start_k=kelvin)
    noise = np.array([fridge.reading(2.0 * k) for k in range(4000)]) - kelvin
    assert noise.std() == pytest.approx(rms, rel=4 / math.sqrt(2 * 4000))
    assert abs(noise.mean()) < 4 * rms / math.sqrt(4000)


def test_a_thermometer_that_reads_too_much_leaves_the_sample_too_cold() -> None:
    fridge = cryostat(start_k=10.0, thermometer_offset_k=0.5)
    assert fridge.sensor(5.0) == 10.0
    assert fridge.sample(5.0) == 9.5


def test_the_lab_opens_at_rest_or_on_the_way_that_it_was_left_on() -> None:
    resting = cryostat(start_k=20.0, start_setpoint_k=20.0)
    assert (resting.status(0.0), resting.setpoint()) == (STABLE, (20.0, 20.0, FAST_SETTLE))
    moving = cryostat(start_k=20.0, start_setpoint_k=40.0, start_rate_k_per_min=5.0)
    assert (moving.status(0.0), moving.setpoint()) == (TRACKING, (40.0, 5.0, FAST_SETTLE))
    assert (moving.sensor(0.0), moving.sample(0.0)) == (20.0, 20.0)
    assert moving.ramped(120.0) == pytest.approx(30.0)
    assert moving.status(1000.0) == STABLE


def test_what_disturbs_the_temperature_obeys_the_differential_equations() -> None:
    fridge = cryostat(start_k=90.0)
    fridge.swing(100.0, 3.0)
    fridge.kick(200.0, 2.0)
    fridge.shift_thermometer(300.0, 1.0)
    for t in (150.0, 250.0, 350.0, 400.0):
        rate = (fridge.sample(t + 1e-3) - fridge.sample(t - 1e-3)) / 2e-3
        assert fridge.sample_rate(t) == pytest.approx(rate, rel=1e-5)
    assert max(fridge.sensor(100.0 + s) for s in range(100)) == pytest.approx(93.0, abs=1e-3)
    for t in (100.0, 200.0, 300.0):  # the sample never jumps but by the kick
        jump = fridge.sample(t) - fridge.sample(t - 1e-6)
        assert jump == pytest.approx(2.0 if t == 200.0 else 0.0, abs=1e-6)


def test_a_long_night_of_disturbances_keeps_few_of_them() -> None:
    fridge = cryostat(start_k=10.0)
    for k in range(500):
        fridge.kick(600.0 * k, 0.1)
    assert len(fridge._disturbances) < 20
    assert fridge.status(600.0 * 500) == STABLE


def test_a_long_night_keeps_few_pieces_and_recent_ones_can_still_be_asked() -> None:
    fridge = cryostat(start_k=10.0)
    for k in range(2000):
        fridge.command(30.0 * k, 10.0 + k % 2, 10.0, FAST_SETTLE)
    assert len(fridge._pieces) < 100
    now = 30.0 * 1999
    assert fridge.sensor(now - 500.0) == pytest.approx(10.5, abs=1.0)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"start_k": 1.8}, r"start_k = 1\.8 K is outside \[1\.9, 400\] K"),
        ({"start_setpoint_k": 401.0}, r"start_setpoint_k = 401 K is outside \[1\.9, 400\] K, the range set"),
        ({"start_rate_k_per_min": 21.0}, r"start_rate_k_per_min = 21 K/min is above max_rate_k_per_min = 20"),
        ({"dead_time_s": (5.0, 1.0)}, r"dead_time_s = \[5\.0, 1\.0\] s is not \[shortest, longest\]"),
        ({"tau_sample_s": 0.0}, "greater than 0"),
        ({"lag_s": 3.0}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        CryostatSettings.model_validate(keys)
