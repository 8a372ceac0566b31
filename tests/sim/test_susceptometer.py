"""A drive coil and a balanced pick-up in the lab: what a lock-in hears of sample and coils."""

import cmath
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.lock_in import Demodulator, InputNoise, Listening
from onnes.sim.samples import AcSample, make_magnetic_sample
from onnes.sim.tones import Tone
from tests.sim.conftest import Bench, MakeBench

PORT = "k2182a.ch1"  # what hears does not matter here
COIL = {"drive": "k6221.out", "pickup": PORT, "phase_deg": 0.0}
BALANCED = {"imbalance_emu_per_oe": 0.0, "imbalance_loss_emu_per_oe": 0.0}
BAR = {"model": "nanocomposite"}
HZ = 77.0
AMPS = 0.01  # 1 Oe in a coil of 100 Oe/A
V_PER_HZ_EMU = 2e-4


def opened(own: Mapping[str, Any] = COIL, sample: Mapping[str, Any] | None = None, **more: Any) -> VirtualLab:
    under = {
        "drive": [],
        "read": [],
        "coil": [{**COIL, **BALANCED, **own}],
        "cryostat": {"start_k": 36.9},
        "magnet": {"start_mode": "driven"},
        "sample": BAR,
    }
    return load_lab("default", VirtualClock(), under=under | more, sample=sample)


def driven(lab: VirtualLab, amps: float = AMPS, phase: float = 0.0, direct: float = 0.0) -> None:
    lab.wiring.set_source("k6221.out", 0.0, direct, 10.0, Tone(HZ, amps, phase))


def heard(lab: VirtualLab, harmonic: int = 1, phase: float = 0.0, hz: float = HZ, t: float = 1.0) -> complex:
    return lab.wiring.heard(PORT, t, hz, phase, harmonic)[0]


def moment_emu(harmonic: int = 1, oersted: float = 1.0, field_oe: float = 0.0) -> complex:
    sample = make_magnetic_sample(BAR, "test")
    assert isinstance(sample, AcSample)
    return sample.ac_moment_emu(oersted, HZ, 36.9, field_oe, harmonic)


@pytest.mark.parametrize("harmonic", [1, 3])
@pytest.mark.parametrize("phase", [0.0, 0.7])
def test_it_hears_the_rate_of_change_of_the_moment(harmonic: int, phase: float) -> None:
    lab = opened()
    driven(lab, phase=phase)
    # Independent: the moment over one cycle, differentiated and projected as a lock-in does.
    t = np.arange(4096) / (4096 * HZ)
    along = 2.0 * math.pi * HZ * t + phase - 0.5 * math.pi  # H = h sin(wt + phase) = h cos(along)
    m = moment_emu(harmonic)
    rate = -m.real * np.sin(harmonic * along) + m.imag * np.cos(harmonic * along)
    volts = V_PER_HZ_EMU * harmonic * HZ * rate
    reference = harmonic * 2.0 * math.pi * HZ * t
    expected = complex(
        float(np.mean(volts * np.sin(reference))), float(np.mean(volts * np.cos(reference)))
    ) * math.sqrt(2.0)
    found = heard(lab, harmonic)
    assert abs(found - expected) < 3e-4 * abs(expected)


def test_screening_is_negative_y_and_loss_positive_x() -> None:
    lab = opened()
    driven(lab)
    found = heard(lab) * math.sqrt(2.0) / (V_PER_HZ_EMU * HZ)
    assert found.real == pytest.approx(moment_emu().imag, rel=1e-3)
    assert found.imag == pytest.approx(moment_emu().real, rel=1e-3)
    assert found.imag < 0.0 < found.real


def test_a_lag_turns_the_signal_and_a_reference_is_followed() -> None:
    lab, late = opened(), opened({"phase_deg": 0.5})
    for one in (lab, late):
        driven(one)
    assert cmath.phase(heard(late) / heard(lab)) == pytest.approx(-math.radians(0.5))
    assert cmath.phase(heard(lab, phase=0.3) / heard(lab)) == pytest.approx(-0.3)
    assert heard(lab, hz=78.0) == 0j
    assert heard(lab, harmonic=2) == 0j


def test_an_empty_coil_gives_what_it_is_out_of_balance_by() -> None:
    lab = opened({"imbalance_emu_per_oe": 4e-6, "imbalance_loss_emu_per_oe": 1e-6}, sample={"model": "metal"})
    driven(lab)
    found = heard(lab) * math.sqrt(2.0) / (V_PER_HZ_EMU * HZ)
    assert found == pytest.approx(complex(1e-6, 4e-6))
    assert heard(lab, harmonic=3) == 0j


def test_it_sees_as_much_of_the_sample_as_its_place_allows() -> None:
    whole, part = opened(), opened({"position": 0.8})
    for one in (whole, part):
        driven(one)
    assert heard(part) / heard(whole) == pytest.approx(0.8)


def test_a_direct_current_adds_a_steady_field() -> None:
    lab, with_field = opened(), opened()
    driven(lab)
    driven(with_field, direct=5.0)
    field_oe = 500.0 + with_field.magnet.at_sample(1.0)
    expected = moment_emu(field_oe=field_oe)
    found = heard(with_field) * math.sqrt(2.0) / (V_PER_HZ_EMU * HZ)
    assert complex(found.imag, found.real) == pytest.approx(expected, rel=1e-3)
    assert abs(found) != pytest.approx(abs(heard(lab)) * math.sqrt(2.0) / (V_PER_HZ_EMU * HZ), rel=1e-2)


def test_nothing_is_heard_of_a_drive_that_was_not_told() -> None:
    assert heard(opened()) == 0j
    lab = opened()
    driven(lab, amps=0.0)
    assert heard(lab) == 0j


def test_a_lock_in_hears_it_settle_when_the_drive_changes() -> None:
    lab = opened()
    driven(lab)
    lab.wiring.set_source("k6221.out", 10.0, 0.0, 10.0, Tone(HZ, 2.0 * AMPS))
    assert lab.wiring.changes(PORT, 5.0, 15.0) == [10.0]
    assert lab.wiring.ohms(PORT, 1.0) == 200.0
    demodulator = Demodulator(lab.wiring, PORT, "k2182a.ref", 1, InputNoise(0.0, 1.0))
    demodulator.listen(0.0, Listening(hz=HZ, tau_s=0.3, poles=4))
    before, after = heard(lab, t=9.0), heard(lab, t=11.0)
    assert demodulator.output(9.9) == pytest.approx(before, rel=1e-3)
    assert abs(demodulator.output(10.5) - after) > 0.1 * abs(after - before)
    assert demodulator.output(16.0) == pytest.approx(after, rel=1e-3)


# --- as the SR830 of the shipped lab reads it -------------------------------------------------------------

SR830 = "GPIB0::8::INSTR"


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(lab="susceptometer", under={"cryostat": {"start_k": 5.0}})


def read(bench: Bench, wait_s: float = 10.0) -> complex:
    bench.clock.sleep(wait_s)
    x, y = bench.open(SR830).query("SNAP?1,2").split(",")
    return complex(float(x), float(y))


def test_a_bar_in_its_coil_screens_the_sine_of_the_lock_in(bench: Bench) -> None:
    lock_in = bench.open(SR830)
    for line in ("FREQ 1000", "SLVL 5", "SENS 17", "OFLT 9"):
        lock_in.write(line)
    oersted = 5.0 * math.sqrt(2.0) / 1000.0 * 100.0
    found = read(bench) * math.sqrt(2.0) / (V_PER_HZ_EMU * 1000.0)
    screened = -1.097 * 5e-3 / (4.0 * math.pi) * oersted
    assert found.imag == pytest.approx(screened, rel=0.02)  # the pick-up is out of balance by 1 %
    lag = math.radians(0.5)
    assert found.real == pytest.approx(screened * math.sin(lag) + 1e-6 * oersted, rel=0.05)


def test_the_sine_at_its_lowest_still_drives_and_a_change_of_it_settles(bench: Bench) -> None:
    lock_in = bench.open(SR830)
    for line in ("FREQ 1000", "SLVL 0.004", "SENS 5", "OFLT 11"):
        lock_in.write(line)
    low = read(bench, 60.0)
    assert low.imag < 0.0
    for line in ("SENS 17", "OFLT 8", "SLVL 4"):
        lock_in.write(line)
    assert abs(read(bench, 0.05)) < 0.5 * abs(read(bench)) < abs(read(bench))
    assert read(bench).imag / low.imag == pytest.approx(1000.0, rel=0.1)


# --- in a lab file ----------------------------------------------------------------------------------------


def test_a_sample_is_mounted_where_its_source_drives_the_coil() -> None:
    lab = opened(sample={"k6221": {"model": "holder", "chi_emu_per_oe": -1e-5}})
    driven(lab)
    found = heard(lab) * math.sqrt(2.0) / (V_PER_HZ_EMU * HZ)
    assert found == pytest.approx(-1e-5j)


@pytest.mark.parametrize(
    ("under", "text"),
    [
        ({"coil": [{**COIL, "drive": "k6221.sine"}]}, "'k6221' has no terminal 'sine'; it has out"),
        ({"coil": [{**COIL, "pickup": "x.A"}]}, "port 'x.A' belongs to no instrument"),
        (
            {"coil": [{**COIL, "series_ohm": 1000.0}]},
            "'k6221.out' gives a current, which no series_ohm changes",
        ),
        (
            {"coil": [COIL], "drive": [{"port": "k6221.out", "loop": "I"}]},
            "'k6221.out' drives a loop and a coil",
        ),
        ({"coil": [{**COIL, "position": 1.5}]}, "coil.1.position = 1.5: should be less than or equal to 1"),
        ({"coil": [COIL, COIL]}, "port 'k2182a.ch1' reads two things; give it one"),
    ],
)
def test_what_is_wrong_with_a_coil_is_told(under: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        opened(**under)


def test_a_sample_without_an_answer_is_not_mounted_in_a_coil() -> None:
    film = {"model": "bilayer", "gamma_t": "pristine"}
    with pytest.raises(ConfigurationError, match="sample at k6221: the sample model 'bilayer' has no answer"):
        opened(sample={"k6221": film})
