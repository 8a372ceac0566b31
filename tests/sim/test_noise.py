"""Noise that belongs to lab time."""

import math

import numpy as np
import pytest

from onnes.sim.noise import Held, Pink, microseconds, stream_key, uniform, white, white_array

KEY = stream_key(7, "k2182a.ch1")
N = 200_000
NUMBERS = white_array(KEY, np.arange(N))


def test_single_numbers_and_arrays_are_the_same_noise() -> None:
    at = [0, 1, 2, 17, 10**6, 3_600_000_000, -5]
    array = white_array(KEY, np.array(at))
    np.testing.assert_allclose(array, [white(KEY, n) for n in at], rtol=1e-14, atol=1e-15)


def test_white_noise_is_normal_and_uncorrelated() -> None:
    sigma = 1.0 / math.sqrt(N)
    assert abs(NUMBERS.mean()) < 4 * sigma
    assert abs(NUMBERS.std() - 1.0) < 4 * sigma / math.sqrt(2)
    assert abs(np.corrcoef(NUMBERS[1:], NUMBERS[:-1])[0, 1]) < 4 * sigma
    assert abs((NUMBERS**4).mean() / NUMBERS.var() ** 2 - 3.0) < 4 * math.sqrt(24) * sigma


def test_another_seed_or_stream_gives_other_noise() -> None:
    for other in (stream_key(8, "k2182a.ch1"), stream_key(7, "k2182a.ch2")):
        assert abs(np.corrcoef(NUMBERS, white_array(other, np.arange(N)))[0, 1]) < 4 / math.sqrt(N)


def test_uniform_numbers_fill_the_interval_evenly() -> None:
    numbers = np.array([uniform(KEY, n) for n in range(20_000)])
    assert numbers.min() > 0.0
    assert numbers.max() <= 1.0
    assert abs(numbers.mean() - 0.5) < 4 / math.sqrt(12 * numbers.size)


def test_a_held_value_is_the_same_however_often_and_in_which_order_it_is_read() -> None:
    held = Held(KEY, 2.0)
    often = [held(t) for t in (0.0, 0.1, 1.9, 1.999)]
    assert len(set(often)) == 1
    assert held(2.0) != often[0]
    assert held(1.0) == often[0]
    assert Held(KEY, 2.0)(1.0) == often[0]


def test_the_counter_of_a_reading_is_its_time_in_microseconds() -> None:
    assert microseconds(12.3456789) == 12_345_679


def test_pink_drift_has_unit_rms_and_depends_on_nothing_but_time() -> None:
    drift = Pink(KEY, fastest_s=4.0, octaves=4)
    times = np.arange(0.0, 400_000.0, 7.0)
    values = np.array([drift(t) for t in times])
    # 256 s is the slowest node spacing: some 1500 independent values of the slowest octave
    assert values.std() == pytest.approx(1.0, abs=0.1)
    fresh = Pink(KEY, fastest_s=4.0, octaves=4)
    assert [fresh(t) for t in times[:50][::-1]] == list(values[:50][::-1])


def test_pink_drift_is_a_straight_line_below_its_fastest_node() -> None:
    drift = Pink(KEY)
    assert drift(1001.0) - drift(1000.0) == pytest.approx(drift(1003.0) - drift(1002.0), abs=1e-9)


def test_the_spectrum_of_pink_drift_falls_as_one_over_f() -> None:
    drift = Pink(KEY)
    step_s, length = 8.0, 4096
    powers = np.zeros(length // 2)
    for start in range(16):
        values = np.array([drift((start * length + k) * step_s) for k in range(length)])
        powers += np.abs(np.fft.rfft(values * np.hanning(length))[1 : length // 2 + 1]) ** 2
    frequency = np.arange(1, length // 2 + 1) / (length * step_s)
    inside = (frequency > 1e-3) & (frequency < 2e-2)
    slope = np.polyfit(np.log(frequency[inside]), np.log(powers[inside]), 1)[0]
    assert slope == pytest.approx(-1.07, abs=0.2)
