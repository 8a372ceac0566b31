"""Differential conductance on the virtual 6221 with a contact that is no straight line, in strict mode."""

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from onnes.instruments.conductance import ConductanceMeter, Modulation
from onnes.instruments.differential_conductance import DifferentialConductance
from onnes.instruments.errors import ConfigurationError, ContactError, InstrumentFault, LimitError
from onnes.instruments.triggered_meter import Triggered
from onnes.sim.sample_parameters import Value
from tests.instruments.conftest import Relayed

OHM, CUBE = 20.0, 1e8  # of the contact at zero bias, and V per A^3: 60 ohm differential at 0.37 mA
MODULATION = Modulation(volts_rms=2e-4)
BIASES = [float(v) for v in np.linspace(-4e-3, 4e-3, 17)]


class Contact:
    """A contact that conducts best at zero bias."""

    values: Mapping[str, Value] = {}
    is_linear = False

    def __init__(self, ohm: float = OHM) -> None:
        self.ohm = ohm

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        del temperature_k, field_oe, time_s
        return current_a * (self.ohm + CUBE * current_a**2)


class Bench:
    """The meter on the contact."""

    def __init__(self, relayed: Relayed, contact: Contact) -> None:
        self.lab, self.source = relayed.lab, relayed.source
        self.assert_off = relayed.assert_off
        relayed.lab.wiring._loops["I"].sample = contact
        relayed.meter.connect()
        self.meter = DifferentialConductance(
            relayed.source, relayed.meter, compliance_v=1.0, ramp_a_per_s=1e-3, abort_ramp_a_per_s=0.1
        )


Opener = Callable[..., Bench]


@pytest.fixture
def opened(relayed: Callable[..., Relayed]) -> Opener:
    text = "[[read]]\nport = 'k2182a.ch1'\nloop = 'I'\nemf_nv = 300\nemf_drift_nv_per_s = 20\n"
    return lambda ohm=OHM: Bench(relayed(text), Contact(ohm))


def test_it_is_a_conductance_meter(opened: Opener) -> None:
    meter = opened().meter
    assert isinstance(meter, ConductanceMeter)
    assert (meter.compliance_v, meter.power_limit_w) == (1.0, None)


def test_a_curve_gives_the_conductance_at_the_bias_that_it_found(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    found = list(bench.meter.curve(BIASES))
    bench.meter.stop()
    assert bench.lab.journal == []
    assert [one.bias_setpoint for one in found] == BIASES
    currents = np.array([one.current for one in found])
    delta = 2e-4 / OHM
    # of a cube, three values in a row with +-delta give 3 I^2 + delta^2 besides the resistance
    wanted = OHM + CUBE * (3 * currents**2 + delta**2)
    pulls = [(one.conductance - 1 / r) / one.conductance_error for one, r in zip(found, wanted, strict=True)]
    assert np.median(np.abs(pulls)) < 2.0
    assert [one.conductance for one in found] == pytest.approx(1 / wanted, rel=2e-3)
    assert [one.bias for one in found] == pytest.approx(
        currents * (OHM + CUBE * (currents**2 + 3 * delta**2)), abs=2e-5
    )
    assert [one.modulation for one in found] == pytest.approx(delta * wanted, rel=2e-3)
    assert found[0].bias == pytest.approx(BIASES[0], rel=0.05)
    assert found[-1].bias == pytest.approx(BIASES[-1], rel=0.05)
    assert {one.flags for one in found} == {()}
    assert all(math.isnan(one.quadrature) for one in found)


def test_back_again_is_a_sweep_of_its_own_and_gives_the_same(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    there = list(bench.meter.curve(BIASES))
    back = list(bench.meter.curve(BIASES[::-1]))[::-1]
    assert [one.bias_setpoint for one in back] == BIASES
    assert [one.conductance for one in back] == pytest.approx([one.conductance for one in there], rel=2e-3)


def test_a_single_bias_is_measured_with_an_error(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    (zero,) = bench.meter.curve([0.0])
    assert zero.conductance == pytest.approx(1 / OHM, rel=1e-3)
    assert 0.0 < zero.conductance_error < 1e-3 / OHM
    assert zero.bias == pytest.approx(0.0, abs=2e-6)


def test_a_list_that_turns_comes_back_in_its_order(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    biases = [-1e-3, 0.0, 1e-3, 0.0, -1e-3]
    assert [one.bias_setpoint for one in bench.meter.curve(biases)] == biases


def test_a_bias_beyond_the_power_limit_is_not_driven(opened: Opener) -> None:
    bench = opened()
    bench.meter.power_limit_w = 2e-7
    bench.meter.start(MODULATION)
    found = list(bench.meter.curve(BIASES))
    assert [one.bias_setpoint for one in found] == BIASES
    driven = [one for one in found if one.flags != ("power",)]
    assert 3 < len(driven) < len(BIASES)
    assert max(abs(one.bias * one.current) for one in driven) < 1.1 * 2e-7
    assert all(math.isnan(one.conductance) for one in found if one.flags)


def test_an_open_contact_is_told_and_the_source_is_off(opened: Opener) -> None:
    bench = opened(1e12)
    with pytest.raises(
        ContactError, match=r"k6221 reaches its compliance of 1 V at 1e-09 A, before the contact"
    ):
        bench.meter.start(MODULATION)
    bench.assert_off()


def test_a_modulation_beyond_the_power_limit_is_told_and_the_source_is_off(opened: Opener) -> None:
    bench = opened()
    bench.meter.power_limit_w = 1e-12
    with pytest.raises(
        ContactError, match=r"a modulation of 0\.0002 V takes more than the power limit of 1e-12"
    ):
        bench.meter.start(MODULATION)
    bench.assert_off()


@pytest.mark.parametrize("volts", [0.0, math.nan, 1e3])
def test_no_modulation_is_refused_and_nothing_is_sent(opened: Opener, volts: float) -> None:
    with pytest.raises(LimitError, match=r"modulation = .* V is outside \[1e-09, 100\] V"):
        opened().meter.start(Modulation(volts_rms=volts))


def test_a_bias_beyond_the_compliance_is_refused(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    with pytest.raises(
        LimitError, match=r"bias = 1\.5 V is outside \[-1, 1\] V, the range set by the compliance"
    ):
        next(iter(bench.meter.curve([0.0, 1.5])))


def test_unequal_steps_are_refused(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    with pytest.raises(
        ConfigurationError, match=r"steps from 0\.001 V to 0\.002 V; differential conductance tak"
    ):
        next(iter(bench.meter.curve([0.0, 1e-3, 3e-3])))


def test_a_meter_that_was_not_started_gives_no_curve(opened: Opener) -> None:
    with pytest.raises(ConfigurationError, match="the conductance meter is not started"):
        next(iter(opened().meter.curve(BIASES)))


def test_a_curve_that_is_left_early_can_be_stopped_and_another_begun(opened: Opener) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    curve = bench.meter.curve(BIASES)
    next(curve)
    assert isinstance(curve, Generator)
    curve.close()
    assert len(list(bench.meter.curve(BIASES[:3]))) == 3
    curve = bench.meter.curve(BIASES)
    next(curve)
    bench.meter.stop(abort=True)
    bench.assert_off()


def test_readings_that_stop_coming_are_told(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    query = bench.source.link.query

    def stuck(message: str, *rest: object) -> object:
        return 2 if message == "TRAC:POIN:ACT?" else query(message, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.source.link, "query", stuck)
    with pytest.raises(InstrumentFault, match="k6221 gets no new readings from k2182a"):
        list(bench.meter.curve(BIASES))


def test_a_bias_that_the_source_does_not_know_is_told_as_none(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    streamed = bench.meter._streamed

    def without_average(count: int) -> Iterator[list[Triggered]]:
        for readings in streamed(count):
            yield [replace(one, average=9.9e37) for one in readings]

    monkeypatch.setattr(bench.meter, "_streamed", without_average)
    (found,) = bench.meter.curve([0.0])
    assert math.isnan(found.bias)
    assert found.flags == ("overload",)


def test_a_contact_that_shows_no_voltage_at_all_is_a_short(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    monkeypatch.setattr(bench.meter, "_volts_at", lambda _: 0.0)
    with pytest.raises(ContactError, match=r"no voltage at 5e-05 A: it is shorted; the source goes to 0"):
        next(bench.meter.curve([4e-3]))


def test_a_reading_without_voltage_has_no_conductance(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened()
    bench.meter.start(MODULATION)
    streamed = bench.meter._streamed

    def without_volts(count: int) -> Iterator[list[Triggered]]:
        for readings in streamed(count):
            yield [replace(one, volts=0.0) for one in readings]

    monkeypatch.setattr(bench.meter, "_streamed", without_volts)
    (found,) = bench.meter.curve([0.0])
    assert math.isnan(found.conductance)
