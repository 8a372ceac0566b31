"""Loops, compliance and thermal EMF."""

import numpy as np
import pytest
from pydantic import ValidationError

from onnes.instruments.errors import ConfigurationError
from onnes.sim.cryostat import FAST_SETTLE, Cryostat, CryostatSettings
from onnes.sim.magnet import Magnet, MagnetSettings
from onnes.sim.samples import Sample, make_sample
from onnes.sim.wiring import DriveSettings, ReadSettings, ReferenceSettings, Wiring

OHM = 10.0
FRIDGE = Cryostat(CryostatSettings(start_k=300.0), 7)
QUIET = {"emf_nv": 0.0, "emf_noise_nv": 0.0, "emf_nv_per_k_per_min": 0.0}
DRIVE, READ = "k6221.out", "k2182a.ch1"


def wire() -> Sample:
    return make_sample({"model": "metal", "r300_ohm": OHM}, "lab.toml")


def wiring(
    *reads: dict[str, object], drives: tuple[str, ...] = (DRIVE,), fridge: Cryostat = FRIDGE, seed: int = 7
) -> Wiring:
    return Wiring(
        [DriveSettings(port=port, loop="I") for port in drives],
        [
            ReadSettings.model_validate({"port": READ, "loop": "I", **QUIET, **read})
            for read in reads or ({},)
        ],
        {"I": wire()},
        fridge,
        Magnet(MagnetSettings(), 7),
        seed,
    )


def test_the_voltage_is_current_times_resistance_without_the_leads() -> None:
    bench = wiring({"lead_ohm": 500.0})
    bench.set_source(DRIVE, 1.0, 1e-4, 10.0)
    assert bench.mean_voltage(READ, 1.0, 1.1) == pytest.approx(1e-4 * OHM, rel=1e-9)
    assert bench.mean_voltage(READ, 0.0, 0.9) == 0.0


def test_past_instants_see_the_current_of_that_time() -> None:
    bench = wiring()
    for t, amps in ((1.0, 1e-4), (2.0, -1e-4), (3.0, 2e-4)):
        bench.set_source(DRIVE, t, amps, 10.0)
    volts = [bench.mean_voltage(READ, t, t + 0.5) for t in (1.1, 2.1, 3.1)]
    assert volts == pytest.approx([1e-3, -1e-3, 2e-3], rel=1e-9)


def test_a_change_of_current_inside_the_integration_counts_for_its_share() -> None:
    bench = wiring()
    bench.set_source(DRIVE, 0.0, 1e-4, 10.0)
    bench.set_source(DRIVE, 0.75, -1e-4, 10.0)
    assert bench.mean_voltage(READ, 0.0, 1.0) == pytest.approx(0.5e-3, rel=1e-9)


def test_reversal_cancels_emf_and_its_linear_drift() -> None:
    noisy = wiring({"emf_nv": 3000.0, "emf_drift_nv_per_s": 50.0})
    amps = 1e-4
    readings = []
    for k in range(3):
        t = 1000.0 + 0.2 * k
        noisy.set_source(DRIVE, t, amps * (-1) ** k, 10.0)
        readings.append(noisy.mean_voltage(READ, t + 0.1, t + 0.2))
    first, second, third = readings
    assert abs(first - amps * OHM) > 5e-5
    assert (first - 2 * second + third) / 4 == pytest.approx(amps * OHM, rel=1e-9)


def test_the_emf_has_a_constant_a_drift_and_a_term_of_the_warming_rate() -> None:
    fridge = Cryostat(CryostatSettings(start_k=100.0), 7)
    fridge.command(0.0, 200.0, 6.0, FAST_SETTLE)
    bench = wiring({"emf_nv": 300.0, "emf_drift_nv_per_s": 2.0, "emf_nv_per_k_per_min": 10.0}, fridge=fridge)
    assert bench.mean_voltage(READ, 499.5, 500.5) == pytest.approx((300.0 + 1000.0 + 60.0) * 1e-9, rel=1e-6)


def test_the_slow_drift_of_the_emf_has_its_rms_and_belongs_to_the_seed() -> None:
    def drift(seed: int) -> list[float]:
        bench = wiring({"emf_noise_nv": 20.0}, seed=seed)
        return [bench.mean_voltage(READ, t, t + 0.1) * 1e9 for t in np.arange(0.0, 40_000.0, 50.0)]

    values = drift(7)
    assert values == drift(7)
    assert values != drift(8)
    # a 1/f drift of 20 nV rms shows less than that within half a day
    assert 5.0 < np.std(values) < 40.0
    assert np.abs(np.diff(values)).max() > 0.0


def test_a_source_that_would_need_more_than_its_compliance_drives_what_it_can() -> None:
    bench = wiring({"lead_ohm": 45.0})
    bench.set_source(DRIVE, 0.0, -1e-2, 0.5)  # 10 ohm and two leads of 45 ohm need 1 V
    assert bench.in_compliance(DRIVE, 1.0)
    assert bench.mean_voltage(READ, 1.0, 1.1) == pytest.approx(-0.5 / 100.0 * OHM, rel=1e-6)
    bench.set_source(DRIVE, 2.0, -1e-2, 1.1)
    assert not bench.in_compliance(DRIVE, 3.0)
    assert bench.mean_voltage(READ, 3.0, 3.1) == pytest.approx(-1e-2 * OHM, rel=1e-6)


def test_a_source_at_zero_is_never_in_compliance() -> None:
    bench = wiring()
    bench.set_source(DRIVE, 0.0, 0.0, 0.1)
    assert not bench.in_compliance(DRIVE, 1.0)


def test_two_sources_of_one_loop_add() -> None:
    bench = wiring(drives=(DRIVE, "k2400.out"))
    bench.set_source(DRIVE, 0.0, 1e-4, 10.0)
    bench.set_source("k2400.out", 0.0, 3e-4, 10.0)
    assert bench.mean_voltage(READ, 1.0, 1.1) == pytest.approx(4e-3, rel=1e-6)


def test_an_unwired_port_drives_and_reads_nothing() -> None:
    bench = wiring()
    bench.set_source("k2400.out", 0.0, 1.0, 10.0)
    assert bench.mean_voltage("k2182a.ch2", 0.0, 1.0) == 0.0
    assert bench.mean_voltage(READ, 0.0, 1.0) == 0.0
    assert not bench.in_compliance("k2400.out", 1.0)
    assert bench.ports == {DRIVE, READ}


def test_a_loop_without_a_sample_is_a_short() -> None:
    bench = Wiring(
        [DriveSettings(port=DRIVE, loop="I")],
        [ReadSettings.model_validate({"port": READ, "loop": "I", **QUIET})],
        {},
        FRIDGE,
        Magnet(MagnetSettings(), 7),
        7,
    )
    bench.set_source(DRIVE, 0.0, 1e-3, 10.0)
    assert bench.mean_voltage(READ, 1.0, 1.1) == 0.0


def test_a_bridge_sees_neither_emf_nor_the_current_of_others() -> None:
    bench = wiring({"emf_nv": 5000.0})
    bench.set_source(DRIVE, 0.0, 1e-3, 10.0)
    amps, volts = bench.alternating(READ, 1e-5, 5.0, 1.0)
    assert volts / amps == pytest.approx(OHM, rel=1e-9)
    assert bench.alternating(READ, 1.0, 0.34, 1.0)[0] == pytest.approx(0.01, rel=1e-6)
    assert bench.alternating("ppms.bridge1", 1e-5, 5.0, 1.0) == (0.0, 0.0)


def test_a_long_night_keeps_a_short_timeline() -> None:
    bench = wiring()
    for k in range(20_000):
        bench.set_source(DRIVE, 10.0 * k, 1e-4 * (-1) ** k, 10.0)
    assert len(bench.output(DRIVE)) < 600
    now = 10.0 * 19_999
    assert bench.mean_voltage(READ, now - 5.0, now - 4.0) == pytest.approx(1e-3, rel=1e-6)
    assert bench.mean_voltage(READ, now + 5.0, now + 6.0) == pytest.approx(-1e-3, rel=1e-6)


@pytest.mark.parametrize("what", ["drive", "read"])
def test_a_port_wired_twice_is_refused(what: str) -> None:
    drives = [DriveSettings(port=DRIVE, loop=loop) for loop in ("I", "J")]
    reads = [ReadSettings(port=READ, loop=loop) for loop in ("I", "J")]
    with pytest.raises(ConfigurationError, match=rf"\[\[{what}\]\] port .* is wired twice"):
        Wiring(
            drives if what == "drive" else drives[:1],
            reads if what == "read" else reads[:1],
            {},
            FRIDGE,
            Magnet(MagnetSettings(), 7),
            7,
        )


def test_a_port_is_an_instrument_and_a_terminal() -> None:
    with pytest.raises(ValidationError, match="pattern"):
        DriveSettings(port="k6221", loop="I")
    reference = ReferenceSettings.model_validate({"port": "sr830.ref", "from": "k6221.phase_marker"})
    assert reference.source == "k6221.phase_marker"
