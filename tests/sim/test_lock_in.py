"""The demodulator: steps, noise, references, harmonics and foreign tones, against the formulas of filters."""

import math

import numpy as np
import pytest
from scipy.special import gammainc

from onnes.sim.cryostat import FAST_SETTLE, Cryostat, CryostatSettings
from onnes.sim.fault_settings import FaultSettings, Spell
from onnes.sim.lock_in import Demodulator, InputNoise, Listening, passed
from onnes.sim.magnet import Magnet, MagnetSettings
from onnes.sim.noise import stream_key
from onnes.sim.samples import make_sample
from onnes.sim.tones import Tone
from onnes.sim.wiring import DriveSettings, ReadSettings, ReferenceSettings, Wiring

OUT, MARKER, A, REF = "k6221.out", "k6221.phase_marker", "sr830.A", "sr830.ref"
QUIET = {"emf_nv": 0.0, "emf_noise_nv": 0.0, "emf_nv_per_k_per_min": 0.0, "lead_ohm": 0.0}
OHM, HZ = 10.0, 17.77
SILENT = InputNoise(0.0, 0.0)
ROOT2 = math.sqrt(2.0)


def bench(*, fridge: Cryostat | None = None, wired: bool = True, r300_ohm: float = OHM) -> Wiring:
    references = [ReferenceSettings.model_validate({"port": REF, "from": MARKER})] if wired else []
    return Wiring(
        [DriveSettings(port=OUT, loop="I"), DriveSettings(port="k2400.out", loop="I")],
        [ReadSettings.model_validate({"port": A, "loop": "I", **QUIET})],
        {"I": make_sample({"model": "metal", "r300_ohm": r300_ohm}, "lab.toml")},
        fridge or Cryostat(CryostatSettings(start_k=300.0), 7),
        Magnet(MagnetSettings(), 7),
        7,
        references,
    )


def lock_in(wiring: Wiring, noise: InputNoise = SILENT, seed: int = 7) -> Demodulator:
    return Demodulator(wiring, A, REF, stream_key(seed, "sr830"), noise)


def set_tone(wiring: Wiring, t: float, rms: float, hz: float = HZ, phase: float = 0.0) -> None:
    """Let the contacts show ``rms`` V."""
    wiring.set_source(OUT, t, 0.0, 100.0, Tone(hz, rms * ROOT2 / OHM, phase))


@pytest.mark.parametrize("x", [1e-3, 0.3, 3.0, 10.05, 30.0])
@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_the_part_that_is_passed_is_the_incomplete_gamma_function(poles: int, x: float) -> None:
    assert passed(poles, x) == pytest.approx(gammainc(poles, x), abs=1e-14)


@pytest.mark.parametrize(
    ("poles", "tau_for_99", "tau_for_999"),
    [(1, 4.61, 6.91), (2, 6.64, 9.23), (3, 8.41, 11.23), (4, 10.05, 13.06)],
)
def test_a_step_follows_the_formula_of_n_poles(poles: int, tau_for_99: float, tau_for_999: float) -> None:
    wiring, tau = bench(), 0.3
    meter = lock_in(wiring)
    meter.listen(1.0, Listening(hz=HZ, tau_s=tau, poles=poles))
    set_tone(wiring, 50.0, 1.0)
    for x in np.linspace(0.0, 20.0, 60):
        assert meter.output(50.0 + x * tau).real == pytest.approx(float(gammainc(poles, x)), abs=1e-6)
    assert meter.output(50.0 + tau_for_99 * tau).real == pytest.approx(0.99, rel=1e-4)
    assert meter.output(50.0 + tau_for_999 * tau).real == pytest.approx(0.999, rel=1e-4)


def test_steps_of_the_source_within_the_memory_of_the_filter_all_count() -> None:
    wiring, tau = bench(), 1.0
    meter = lock_in(wiring)
    meter.listen(0.5, Listening(hz=HZ, tau_s=tau, poles=4))
    heights = [1e-3, -2e-3, 0.5e-3, 3e-3]
    for k, rms in enumerate(heights):
        set_tone(wiring, 10.0 + 1.7 * k, abs(rms), phase=0.0 if rms > 0 else math.pi)
    rises = np.diff([0.0, *heights])
    ages = 18.0 - (10.0 + 1.7 * np.arange(4))
    expected = float(np.sum(rises * gammainc(4, ages / tau)))
    assert meter.output(18.0).real == pytest.approx(expected, abs=1e-9)


def test_a_signal_that_grows_as_a_straight_line_is_late_by_its_poles() -> None:
    fridge = Cryostat(CryostatSettings(start_k=200.0), 7)
    fridge.command(0.0, 300.0, 6.0, FAST_SETTLE)
    wiring, tau = bench(fridge=fridge), 3.0
    meter = lock_in(wiring)
    set_tone(wiring, 0.0, 1e-3)
    meter.listen(0.5, Listening(hz=HZ, tau_s=tau, poles=4))
    t = 600.0
    late = wiring.heard(A, t - 4 * tau, HZ, 0.0, 1)[0].real
    assert abs(meter.output(t).real - wiring.heard(A, t, HZ, 0.0, 1)[0].real) > 1e-6
    assert meter.output(t).real == pytest.approx(late, rel=1e-5)


def test_a_new_filter_goes_on_from_the_last_output() -> None:
    wiring = bench()
    meter = lock_in(wiring)
    meter.listen(0.5, Listening(hz=HZ, tau_s=1.0, poles=1))
    set_tone(wiring, 10.0, 1e-3)
    half = meter.output(10.7)
    meter.listen(10.7, Listening(hz=HZ, tau_s=3.0, poles=4))
    assert meter.output(10.7) == half
    x = 4.0
    expected = half.real + (1e-3 - half.real) * float(gammainc(4, x))
    assert meter.output(10.7 + 3.0 * x).real == pytest.approx(expected, abs=1e-9)


def test_a_short_time_constant_settles_at_once() -> None:
    wiring = bench()
    meter = lock_in(wiring)
    meter.listen(0.5, Listening(hz=HZ, tau_s=0.03, poles=4))
    set_tone(wiring, 10.0, 1e-3)
    assert meter.output(10.0).real == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("tau", [0.3, 0.01])
@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_noise_has_its_density_in_the_bandwidth_of_the_filter(poles: int, tau: float) -> None:
    density = 6e-9
    meter = lock_in(bench(r300_ohm=1e-9), InputNoise(density, 0.0))
    listening = Listening(hz=1000.0, tau_s=tau, poles=poles)
    meter.listen(0.5, listening)
    outputs = np.array([meter.output(100.0 + k * 12.0 * tau) for k in range(2000)])
    expected = density * math.sqrt({1: 1 / 4, 2: 1 / 8, 3: 3 / 32, 4: 5 / 64}[poles] / tau)
    assert listening.bandwidth_hz == pytest.approx((expected / density) ** 2)
    assert np.std(outputs.real) == pytest.approx(expected, rel=0.05)
    assert np.std(outputs.imag) == pytest.approx(expected, rel=0.05)
    assert abs(np.corrcoef(outputs.real, outputs.imag)[0, 1]) < 0.1


def test_readings_within_one_time_constant_do_not_average_down() -> None:
    meter = lock_in(bench(), InputNoise(6e-9, 0.0))
    meter.listen(0.5, Listening(hz=1000.0, tau_s=1.0, poles=4))
    means, singles = [], []
    for k in range(300):
        outputs = [meter.output(100.0 + 20.0 * k + 0.01 * j).real for j in range(30)]
        means.append(np.mean(outputs))
        singles.append(outputs[0])
    assert np.std(means) > 0.9 * np.std(singles)


def test_asking_more_often_changes_nothing() -> None:
    def outputs(polled: bool) -> list[complex]:
        wiring = bench()
        meter = lock_in(wiring, InputNoise(6e-9, 10.0))
        meter.listen(0.5, Listening(hz=HZ, tau_s=0.3, poles=3))
        set_tone(wiring, 10.0, 1e-6)
        found = []
        for k in range(50):
            if polled:
                for j in range(5):
                    meter.output(10.0 + 0.4 * k + 0.05 * j)
            found.append(meter.output(10.0 + 0.4 * k + 0.3))
        return found

    assert outputs(polled=True) == outputs(polled=False)


def test_another_seed_gives_other_noise() -> None:
    def output(seed: int) -> complex:
        meter = lock_in(bench(), InputNoise(6e-9, 0.0), seed)
        meter.listen(0.5, Listening(hz=HZ, tau_s=0.3, poles=3))
        return meter.output(10.0)

    assert output(7) == output(7)
    assert output(7) != output(8)


def test_noise_rises_below_the_corner_and_with_the_resistance_of_the_source() -> None:
    noise = InputNoise(6e-9, 18.0)
    assert noise.at(1e6, 0.0) == pytest.approx(6e-9, rel=1e-4)
    assert noise.at(18.0, 0.0) == pytest.approx(6e-9 * ROOT2)
    assert noise.at(1e9, 1e6) == pytest.approx(math.hypot(6e-9, 128.7e-9), rel=1e-3)  # 4 kT R at 300 K


def test_noisy_leads_are_heard() -> None:
    wiring = bench()
    meter = lock_in(wiring, InputNoise(6e-9, 0.0))
    meter.listen(0.5, Listening(hz=1000.0, tau_s=0.3, poles=1))
    fault = FaultSettings.model_validate({"kind": "lead_noise", "args": {"volts": 1e-6}})
    wiring.suffer("I", Spell(fault, 100.0, math.inf))
    found = np.array([meter.output(200.0 + 4.0 * k) for k in range(500)])
    expected = 1e-6 * math.sqrt(0.04) * math.sqrt(0.25 / 0.3)  # 1 uV rms over 20 ms
    assert np.std(found.real) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_a_tone_beside_the_reference_is_attenuated_and_turns(poles: int) -> None:
    wiring, tau, off = bench(), 0.3, 0.4
    meter = lock_in(wiring)
    meter.listen(0.5, Listening(hz=HZ, tau_s=tau, poles=poles))
    set_tone(wiring, 0.0, 1e-3, hz=HZ + off)
    expected = 1e-3 * abs(1 + 2j * math.pi * off * tau) ** -poles
    found = [meter.output(60.0 + k * 0.1) for k in range(25)]
    assert np.abs(found) == pytest.approx(expected, rel=1e-5)
    turned = np.unwrap(np.angle(found))
    assert np.polyfit(np.arange(25) * 0.1, turned, 1)[0] == pytest.approx(2 * math.pi * off, rel=1e-4)


def test_two_tones_are_both_heard_by_who_listens_to_them() -> None:
    wiring = bench()
    set_tone(wiring, 0.0, 1e-3)
    wiring.set_source("k2400.out", 0.0, 0.0, 100.0, Tone(111.0, 2e-3 * ROOT2 / OHM))
    for hz, rms in ((HZ, 1e-3), (111.0, 2e-3)):
        meter = lock_in(wiring)
        meter.listen(0.5, Listening(hz=hz, tau_s=1.0, poles=4))
        assert abs(meter.output(100.0)) == pytest.approx(rms, rel=1e-4)


def test_a_line_spur_is_heard_at_the_frequency_of_the_line() -> None:
    wiring = bench()
    fault = FaultSettings.model_validate({"kind": "line_spur", "args": {"volts": 1e-3, "hz": 50.0}})
    wiring.suffer("I", Spell(fault, 0.0, math.inf))
    on, beside = lock_in(wiring), lock_in(wiring)
    on.listen(0.5, Listening(hz=50.0, tau_s=1.0, poles=4))
    beside.listen(0.5, Listening(hz=48.0, tau_s=1.0, poles=4))
    assert abs(on.output(100.0)) == pytest.approx(1e-3 / ROOT2, rel=1e-4)
    attenuated = 1e-3 / ROOT2 * abs(1 + 4j * math.pi) ** -4
    assert abs(beside.output(100.0)) == pytest.approx(attenuated, rel=0.05)


def test_the_phase_setting_turns_the_reading_back() -> None:
    wiring = bench()
    meter = lock_in(wiring)
    set_tone(wiring, 0.0, 1e-3, phase=0.4)
    meter.listen(0.5, Listening(hz=HZ, tau_s=0.1, poles=2, phase=0.3))
    assert meter.output(60.0) == pytest.approx(1e-3 * complex(math.cos(0.1), math.sin(0.1)), rel=1e-6)


def external(wiring: Wiring, at: float = 0.5) -> Demodulator:
    meter = lock_in(wiring)
    meter.listen(at, Listening(hz=None, tau_s=0.1, poles=2))
    return meter


def test_an_external_reference_brings_frequency_and_phase() -> None:
    wiring = bench()
    meter = external(wiring)
    set_tone(wiring, 5.0, 1e-3, phase=0.4)
    wiring.set_reference(MARKER, 5.0, HZ, 0.4)
    assert meter.reference(6.0).hz == HZ
    assert meter.output(60.0) == pytest.approx(1e-3, rel=1e-6)
    set_tone(wiring, 60.0, 1e-3, hz=111.0)
    wiring.set_reference(MARKER, 60.0, 111.0)
    assert abs(meter.output(120.0)) == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("wired", [True, False])
def test_without_a_reference_it_is_unlocked_and_shows_nothing(wired: bool) -> None:
    wiring = bench(wired=wired)
    meter = external(wiring)
    set_tone(wiring, 0.0, 1e-3)
    assert meter.is_unlocked(60.0)
    assert abs(meter.output(60.0)) < 1e-15


def test_a_reference_is_locked_after_the_time_of_the_manual() -> None:
    wiring = bench()
    meter = external(wiring)
    wiring.set_reference(MARKER, 10.0, HZ)
    needed = 2 / HZ + 5e-3
    assert meter.is_unlocked(10.0 + needed - 1e-3)
    assert not meter.is_unlocked(10.0 + needed + 1e-3)
    late = external(wiring, at=20.0)
    assert late.is_unlocked(20.0 + 0.9 * needed)
    assert not late.is_unlocked(20.0 + 1.1 * needed)
    wiring.set_reference(MARKER, 30.0, 1e4)
    assert meter.is_unlocked(30.039)
    assert not meter.is_unlocked(30.041)
    wiring.set_reference(MARKER, 40.0, 0.0)
    assert meter.is_unlocked(99.0)


def test_the_crest_counts_what_the_coupling_lets_through() -> None:
    wiring = bench()
    meter = lock_in(wiring)
    wiring.set_source(OUT, 0.0, 1e-2, 100.0, Tone(HZ, 1e-3))
    assert meter.crest_v(10.0, dc=False) == pytest.approx(1e-3 * OHM, rel=1e-3)
    assert meter.crest_v(10.0, dc=True) == pytest.approx(1.1e-2 * OHM, rel=1e-3)


def test_a_long_time_constant_remembers_what_happened_an_hour_ago() -> None:
    fridge = Cryostat(CryostatSettings(start_k=100.0), 7)
    wiring, tau = bench(fridge=fridge), 300.0
    meter = lock_in(wiring)
    meter.listen(0.5, Listening(hz=HZ, tau_s=tau, poles=4))
    for k in range(400):  # more changes than a timeline keeps without need
        set_tone(wiring, 10.0 + k, 1e-3 if k % 2 else 3e-3)
        fridge.command(10.0 + k, 100.0, 1.0, FAST_SETTLE)
    set_tone(wiring, 410.0, 2e-3)
    now = 410.0 + 4.0 * tau
    fridge.command(now - 1.0, 100.0, 1.0, FAST_SETTLE)
    ohm = wiring.heard(A, now, HZ, 0.0, 1)[0].real / 2e-3
    assert meter.output(now).real / ohm == pytest.approx(
        2e-3 * float(gammainc(4, 400.0 / tau + 4.0)), rel=2e-3
    )
