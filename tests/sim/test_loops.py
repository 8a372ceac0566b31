"""Tones through a loop: harmonics, two tones at once, compliance, and what a meter for dc sees of them."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from onnes.instruments.errors import ConfigurationError
from onnes.sim.cryostat import Cryostat, CryostatSettings
from onnes.sim.fault_settings import FaultSettings, Spell
from onnes.sim.magnet import Magnet, MagnetSettings
from onnes.sim.sample_parameters import Value
from onnes.sim.samples import Sample, make_sample
from onnes.sim.tones import Tone
from onnes.sim.wiring import DriveSettings, ReadSettings, ReferenceSettings, Wiring

OUT, SINE, A, REF, MARKER = "k6221.out", "sr830.sine", "sr830.A", "sr830.ref", "k6221.phase_marker"
QUIET = {"emf_nv": 0.0, "emf_noise_nv": 0.0, "emf_nv_per_k_per_min": 0.0}
OHM = 10.0
HZ = 17.77


class Polynomial:
    """V = R1 I + R2 I^2 + R3 I^3 in V and A."""

    values: Mapping[str, Value] = {}
    is_linear = False
    R1, R2, R3 = 10.0, 3e3, 2e6

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        del temperature_k, field_oe, time_s
        return self.R1 * current_a + self.R2 * current_a**2 + self.R3 * current_a**3


class Vectorised(Polynomial):
    """The same, for many currents at once."""

    def voltages(
        self, currents_a: NDArray[np.float64], temperature_k: float, field_oe: float, time_s: float
    ) -> NDArray[np.float64]:
        del temperature_k, field_oe, time_s
        return self.R1 * currents_a + self.R2 * currents_a**2 + self.R3 * currents_a**3


def wiring(
    sample: Sample | None = None, *, series_ohm: float = 1e4, lead_ohm: float = 0.0, port: str = A
) -> Wiring:
    return Wiring(
        [DriveSettings(port=OUT, loop="I"), DriveSettings(port=SINE, loop="I", series_ohm=series_ohm)],
        [ReadSettings.model_validate({"port": port, "loop": "I", "lead_ohm": lead_ohm, **QUIET})],
        {"I": sample or make_sample({"model": "metal", "r300_ohm": OHM}, "lab.toml")},
        Cryostat(CryostatSettings(start_k=300.0), 7),
        Magnet(MagnetSettings(), 7),
        7,
        [ReferenceSettings.model_validate({"port": REF, "from": MARKER})],
    )


def phasor(bench: Wiring, port: str, t: float, hz: float, phase: float, harmonic: int) -> complex:
    return bench.heard(port, t, hz, phase, harmonic)[0]


def beats(
    bench: Wiring, port: str, t: float, hz: float, phase: float, harmonic: int
) -> list[tuple[float, complex]]:
    return bench.heard(port, t, hz, phase, harmonic)[1]


def test_a_tone_through_a_resistor_is_heard_in_phase_and_as_rms() -> None:
    bench = wiring()
    bench.set_source(OUT, 0.0, 0.0, 10.0, Tone(HZ, 1e-3))
    assert phasor(bench, A, 1.0, HZ, 0.0, 1) == pytest.approx(1e-3 * OHM / math.sqrt(2), rel=1e-6)
    assert phasor(bench, A, 1.0, HZ, 0.0, 2) == 0.0
    assert phasor(bench, A, -1.0, HZ, 0.0, 1) == 0.0


def test_a_tone_that_leads_the_reference_has_a_positive_y() -> None:
    bench = wiring()
    bench.set_source(OUT, 0.0, 0.0, 10.0, Tone(HZ, 1e-3, 0.3))
    heard = phasor(bench, A, 1.0, HZ, 0.1, 1)
    assert math.atan2(heard.imag, heard.real) == pytest.approx(0.2, abs=1e-12)


def test_a_voltage_drives_a_loop_through_its_series_resistance() -> None:
    bench = wiring(series_ohm=5e3)
    bench.set_source(SINE, 0.0, 0.0, math.inf, Tone(HZ, 1.0))
    assert abs(phasor(bench, A, 1.0, HZ, 0.0, 1)) == pytest.approx(1.0 / 5e3 * OHM / math.sqrt(2), rel=1e-6)


@pytest.mark.parametrize("sample", [Polynomial(), Vectorised()])
def test_harmonics_of_a_polynomial_are_those_of_theory(sample: Sample) -> None:
    dc, peak = 2e-4, 1e-3
    bench = wiring(sample)
    bench.set_source(OUT, 0.0, dc, 100.0, Tone(HZ, peak, 0.7))
    found = [phasor(bench, A, 1.0, HZ, 0.7, n) * math.sqrt(2) for n in (1, 2, 3)]
    slope = Polynomial.R1 + 2 * Polynomial.R2 * dc + 3 * Polynomial.R3 * (dc**2 + peak**2 / 4)
    bend = (Polynomial.R2 + 3 * Polynomial.R3 * dc) * peak**2 / 2
    # sin^2 = (1 - cos 2x) / 2 and -cos 2x = sin(2x - 90 deg); sin^3 has -sin(3x) / 4
    assert found == pytest.approx([slope * peak, -1j * bend, -Polynomial.R3 * peak**3 / 4], rel=1e-9)


def test_a_dc_meter_sees_what_the_sample_rectifies() -> None:
    dc, peak = 2e-4, 1e-3
    bench = wiring(Vectorised())
    bench.set_source(OUT, 0.0, dc, 100.0, Tone(HZ, peak))
    mean = Polynomial.R2 * peak**2 / 2 + 3 * Polynomial.R3 * dc * peak**2 / 2
    expected = Polynomial().voltage(dc, 300.0, 0.0, 0.0) + mean
    assert bench.mean_voltage(A, 1.0, 1.1) == pytest.approx(expected, rel=1e-9)
    straight = wiring()
    straight.set_source(OUT, 0.0, dc, 100.0, Tone(HZ, peak))
    assert straight.mean_voltage(A, 1.0, 1.1) == pytest.approx(dc * OHM, rel=1e-6)


def test_two_tones_on_one_loop_act_on_each_other() -> None:
    small, large = 1e-5, 1e-3
    bench = wiring(Vectorised(), series_ohm=1.0)
    bench.set_source(OUT, 0.0, 0.0, 100.0, Tone(HZ, small))
    bench.set_source(SINE, 0.0, 0.0, math.inf, Tone(111.0, large))
    slope = Polynomial.R1 + 3 * Polynomial.R3 * (large**2 / 2 + small**2 / 4)
    assert phasor(bench, A, 1.0, HZ, 0.0, 1) * math.sqrt(2) == pytest.approx(slope * small, rel=1e-9)
    ((beat_hz, other),) = beats(bench, A, 1.0, HZ, 0.0, 1)
    assert beat_hz == pytest.approx(111.0 - HZ)
    assert abs(other) * math.sqrt(2) == pytest.approx(
        (Polynomial.R1 + 3 * Polynomial.R3 * (small**2 / 2 + large**2 / 4)) * large, rel=1e-9
    )


def test_two_tones_of_one_frequency_add_as_phasors() -> None:
    bench = wiring(series_ohm=1.0)
    bench.set_source(OUT, 0.0, 0.0, 100.0, Tone(HZ, 1e-3))
    bench.set_source(SINE, 0.0, 0.0, math.inf, Tone(HZ, 1e-3, math.pi / 2))
    assert phasor(bench, A, 1.0, HZ, 0.0, 1) * math.sqrt(2) == pytest.approx(1e-2 * (1 + 1j), rel=1e-6)
    assert beats(bench, A, 1.0, HZ, 0.0, 1) == []


def test_compliance_goes_by_the_peak_and_cuts_the_crests() -> None:
    bench = wiring(lead_ohm=45.0)  # 100 ohm around the loop
    bench.set_source(OUT, 0.0, 5e-3, 1.0, Tone(HZ, 4e-3))
    assert not bench.in_compliance(OUT, 1.0)
    bench.set_source(OUT, 2.0, 5e-3, 1.0, Tone(HZ, 8e-3))
    assert bench.in_compliance(OUT, 3.0)
    assert bench.extremes(A, 3.0)[1] == pytest.approx(1e-2 * OHM, rel=1e-5)
    assert bench.mean_voltage(A, 3.0, 3.1) < 5e-3 * OHM  # only one crest is cut
    assert abs(phasor(bench, A, 3.0, HZ, 0.0, 2)) > 1e-3


def test_a_tone_beyond_its_compliance_is_loud_at_no_current_either() -> None:
    bench = wiring()
    bench.set_source(OUT, 0.0, 0.0, 0.1, Tone(HZ, 0.05))
    assert bench.in_compliance(OUT, 1.0)


def test_an_open_contact_silences_the_tone_and_adds_noise() -> None:
    bench = wiring()
    bench.set_source(OUT, 0.0, 0.0, 10.0, Tone(HZ, 1e-3))
    fault = FaultSettings.model_validate({"kind": "contact_open", "args": {"contacts": "voltage"}})
    bench.suffer("I", Spell(fault, 10.0, 20.0))
    assert bench.lead_noise(A, 5.0) == 0.0
    assert abs(phasor(bench, A, 5.0, HZ, 0.0, 1)) > 0.0
    assert phasor(bench, A, 15.0, HZ, 0.0, 1) == 0.0
    assert beats(bench, A, 15.0, 2 * HZ, 0.0, 1) == []
    assert bench.lead_noise(A, 15.0) > 1e-6
    assert bench.changes(A, 0.0, 30.0) == [10.0, 20.0]


def test_a_reference_is_heard_where_it_is_wired() -> None:
    bench = wiring()
    heard: list[float] = []
    bench.follow_reference(REF, heard.append)
    bench.set_reference(MARKER, 2.0, HZ, 0.5)
    bench.set_reference("sr860.sine", 3.0, 1.0)
    reference = bench.reference(REF)
    assert reference is not None
    assert (reference.at(1.0).hz, reference.at(2.0), heard) == (0.0, (HZ, 0.5), [2.0])
    assert reference.since(5.0) == 2.0
    assert bench.reference("sr860.ref") is None


class Coil:
    """A pick-up coil with 1 uV in phase and 2 uV in quadrature."""

    def phasor(self, port: str, t: float, hz: float, phase: float, harmonic: int) -> complex:
        del port, t, hz, phase
        return 1e-6 + 2e-6j if harmonic == 1 else 0j

    def changes(self, port: str, t0: float, t1: float) -> list[float]:
        del port
        return [0.5 * (t0 + t1)]

    def ohms(self, port: str, t: float) -> float:
        del port, t
        return 300.0


def test_a_port_may_listen_to_something_that_is_no_loop() -> None:
    bench = wiring(port="k2182a.ch1")
    bench.add_provider(A, Coil())
    assert phasor(bench, A, 1.0, HZ, 0.0, 1) == 1e-6 + 2e-6j
    assert (bench.changes(A, 1.0, 2.0), bench.ohms(A, 1.0)) == ([1.5], 300.0)
    assert A in bench.ports
    with pytest.raises(ConfigurationError, match=r"port 'sr830\.A' reads two things; give it one"):
        bench.add_provider(A, Coil())


def test_what_a_port_that_drives_no_loop_gives_is_kept_for_whoever_asks() -> None:
    bench = wiring()
    assert len(bench.output("sr860.sine")) == 1
    bench.set_source("sr860.sine", 3.0, 0.0, math.inf, Tone(HZ, 1.0))
    assert bench.output("sr860.sine").at(3.0).tone == Tone(HZ, 1.0)


def test_a_reference_wired_twice_is_refused() -> None:
    twice = [ReferenceSettings.model_validate({"port": REF, "from": source}) for source in (MARKER, SINE)]
    with pytest.raises(ConfigurationError, match=r"\[\[reference\]\] port 'sr830\.ref' is wired twice"):
        Wiring([], [], {}, Cryostat(CryostatSettings(), 7), Magnet(MagnetSettings(), 7), 7, twice)


def test_a_direct_step_is_a_jump_for_a_lock_in_only_beside_a_tone() -> None:
    bench = wiring(Polynomial())
    for t, amps, tone in [
        (1.0, 1e-3, None),
        (2.0, 2e-3, None),
        (3.0, 2e-3, Tone(HZ, 1e-4)),
        (4.0, 0.0, None),
    ]:
        bench.set_source(OUT, t, amps, 100.0, tone)
    bench.set_source(OUT, 5.0, 1e-3, 100.0)
    bench.set_source(SINE, 6.0, 0.0, math.inf, Tone(HZ, 1.0))
    bench.set_source(OUT, 7.0, 0.0, 100.0)  # beside the tone of the other source
    assert bench.changes(A, 0.0, 10.0) == [3.0, 4.0, 6.0, 7.0]
    assert bench.changes(A, 3.0, 6.0) == [4.0]
    assert bench.changes(A, 0.0, 10.0, dc=True) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert bench.changes("nobody.A", 0.0, 10.0) == []
