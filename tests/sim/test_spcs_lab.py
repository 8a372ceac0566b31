"""The lab ``spcs``: what nanovoltmeter and lock-in on the wire say of the contact."""

import math
from typing import Any

import pytest

from onnes.sim.tones import Tone
from tests.sim.conftest import METER, Bench, MakeBench
from tests.sim.test_point_contact import NORMAL_OHM, contact, slow_conductance

LOCK_IN = "GPIB0::8::INSTR"
HZ, PEAK_A = 17.77, 1.2e-5  # about 0.16 mV rms over 20 ohm


class Spectroscope:
    """Nanovoltmeter and lock-in on the contact of the lab, and the current through it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.meter: Any = bench.open(METER, timeout=60_000)
        self.lock_in: Any = bench.open(LOCK_IN)
        self.meter.write("SENS:VOLT:DFIL 0;NPLC 5")
        self.lock_in.write("FMOD 0;OFLT 8;OFSL 3;SENS 16")  # 0.3 s, 24 dB per octave, 500 uV

    def drive(self, amps: float) -> None:
        t, wiring = self.bench.lab.now(), self.bench.lab.wiring
        wiring.set_source("k6221.out", t, amps, 1.0, Tone(HZ, PEAK_A))
        wiring.set_reference("k6221.phase_marker", t, HZ)
        self.bench.clock.sleep(5.0)
        self.lock_in.query("LIAS?")

    def bias(self) -> float:
        return float(self.meter.query("READ?"))

    def conductance(self) -> float:
        """Return dI/dV over that of the normal state."""
        x, y = map(float, self.lock_in.query("SNAP? 1,2").split(","))
        assert int(self.lock_in.query("LIAS?")) == 0
        assert abs(y) < 1e-3 * x
        return PEAK_A / math.sqrt(2.0) / x * NORMAL_OHM


@pytest.fixture
def cold(make_bench: MakeBench) -> Spectroscope:
    return Spectroscope(make_bench(lab="spcs", under={"cryostat": {"start_k": 2.0}}))


@pytest.mark.parametrize("amps", [0.0, 6e-5, -1.5e-4, 3.4e-4, 8e-4])
def test_lock_in_and_nanovoltmeter_say_the_conductance_at_the_bias(amps: float, cold: Spectroscope) -> None:
    cold.drive(amps)
    bias = cold.bias()
    assert bias == pytest.approx(contact().voltage(amps, 2.0, 0.0, 0.0), abs=1e-6)  # with the EMF
    # The modulation of 0.16 mV rms rounds the curve, by 0.1 % where it is most curved (v).
    expected = slow_conductance(1e3 * bias, 2.0, 0.0)
    assert cold.conductance() == pytest.approx(expected, rel=2e-3)


def test_above_tc_the_contact_is_normal_for_both(make_bench: MakeBench) -> None:
    warm = Spectroscope(make_bench(lab="spcs", under={"cryostat": {"start_k": 45.0}}))
    warm.drive(2e-4)
    assert warm.bias() == pytest.approx(2e-4 * NORMAL_OHM, abs=1e-6)
    assert warm.conductance() == pytest.approx(1.0, rel=5e-4)
