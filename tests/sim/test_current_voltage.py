"""Current-voltage samples, flux flow, self-heating, thermometers."""

import math
from typing import Any

import numpy as np
import pytest

from onnes.sim.samples import NonlinearSample, Sample, make_sample
from onnes.sim.samples_current_voltage import CriticalCurrentSample
from onnes.sim.samples_generic import OhmicSample
from onnes.sim.self_heating import SelfHeated

TC, H2, IC0 = 39.0, 67000.0, 1e-2


def made(model: str, **keys: Any) -> Sample:
    return make_sample({"model": model, **keys}, "lab.toml")


def critical(model: str, **keys: Any) -> CriticalCurrentSample:
    sample = made(model, **keys)
    assert isinstance(sample, CriticalCurrentSample)
    assert isinstance(sample, NonlinearSample)
    assert not sample.is_linear
    return sample


def ohmic(model: str, **keys: Any) -> OhmicSample:
    sample = made(model, **keys)
    assert isinstance(sample, OhmicSample)
    assert sample.is_linear
    return sample


# --- critical current


def test_the_critical_current_falls_to_nothing_at_tc_and_at_the_upper_field() -> None:
    sample = critical("bridge")
    assert sample.critical_current(0.0, 0.0) == IC0
    share = 1.0 - (20.0 / TC) ** 2
    assert sample.critical_current(20.0, 0.0) == pytest.approx(IC0 * share**1.5, rel=1e-12)
    assert sample.critical_current(20.0, -0.25 * H2 * share) == pytest.approx(0.75 * IC0 * share**1.5)
    assert sample.critical_current(TC, 0.0) == sample.critical_current(50.0, 0.0) == 0.0
    assert sample.critical_current(20.0, H2 * share) == sample.critical_current(2.0, 1e5) == 0.0


# --- bridge


def test_a_bridge_has_the_criterion_at_its_critical_current_and_a_straight_line_on_logarithms() -> None:
    sample = critical("bridge", length_mm=0.2, exponent=17.0, normal_ohm=100.0)
    ic = sample.critical_current(10.0, 500.0)
    criterion_v = 1e-6 * 0.02
    assert sample.voltage(ic, 10.0, 500.0, 0.0) == pytest.approx(criterion_v, rel=1e-9)
    currents = ic * np.array([0.8, 0.95, 1.1, 1.3])
    volts = sample.voltages(currents, 10.0, 500.0, 0.0)
    assert volts == pytest.approx(criterion_v * (currents / ic) ** 17.0, rel=1e-9)
    assert sample.voltages(-currents, 10.0, 500.0, 0.0) == pytest.approx(-volts, rel=1e-12)


def test_a_bridge_has_never_more_than_its_normal_resistance() -> None:
    sample = critical("bridge", normal_ohm=5.0)
    far = np.array([-1.0, 0.3, 1e3])
    assert sample.voltages(far, 10.0, 0.0, 0.0) == pytest.approx(5.0 * far, rel=1e-12)
    assert sample.voltage(1e-3, 40.0, 0.0, 0.0) == pytest.approx(5e-3, rel=1e-12)
    assert sample.voltage(1e-3, 10.0, 1e5, 0.0) == pytest.approx(5e-3, rel=1e-12)


def test_without_a_current_nothing_has_a_voltage() -> None:
    for model in ("bridge", "junction", "pointcontact", "taff"):
        for kelvin in (10.0, 50.0):
            assert made(model).voltage(0.0, kelvin, 0.0, 0.0) == 0.0


# --- junction


def test_a_shunted_junction_has_no_voltage_up_to_its_critical_current_and_a_root_above() -> None:
    sample = critical("junction", normal_ohm=3.0)
    ic = sample.critical_current(4.0, 0.0)
    assert sample.voltages(np.array([0.5, -0.99, 1.0]) * ic, 4.0, 0.0, 0.0).tolist() == [0.0, 0.0, 0.0]
    for factor in (1.001, 1.5, -4.0):
        expected = math.copysign(3.0 * ic * math.sqrt(factor**2 - 1.0), factor)
        assert sample.voltage(factor * ic, 4.0, 0.0, 0.0) == pytest.approx(expected, rel=1e-9)
    assert sample.voltage(-1e-3, 60.0, 0.0, 0.0) == pytest.approx(-3e-3, rel=1e-12)


# --- flux flow


def test_thermally_assisted_flux_flow_is_a_straight_line_on_an_arrhenius_plot() -> None:
    sample = ohmic("taff")
    normal = sample.resistance(60.0, 0.0, 0.0)
    assert normal == pytest.approx(5e-6 * 0.2 / (0.1 * 2e-5), rel=1e-12)
    for oersted in (1e4, -1e4, 4e4):
        barrier = 1500.0 * math.sqrt(1e4 / abs(oersted))
        inverse = np.array([1 / 36.0, 1 / 30.0, 1 / 25.0])
        logarithms = np.log([sample.resistance(1.0 / x, oersted, 0.0) / normal for x in inverse.tolist()])
        assert np.diff(logarithms) / np.diff(inverse) == pytest.approx(-barrier, rel=1e-9)
        # The prefactor is R_n exp(U0/Tc), because the barrier itself falls with temperature.
        assert logarithms[0] + barrier * inverse[0] == pytest.approx(barrier / TC, rel=1e-9)


def test_below_one_oersted_the_barrier_grows_no_more() -> None:
    sample = ohmic("taff")
    assert sample.resistance(38.999, 0.0, 0.0) == sample.resistance(38.999, 0.7, 0.0) > 0.0


# --- self-heating


def test_a_piece_at_the_end_of_a_bad_thermal_contact_is_warmed_by_its_own_current() -> None:
    plain, hot = made("metal"), made("metal", heating_k_per_w=1e4)
    assert isinstance(hot, NonlinearSample)
    amps = 30e-3
    volts = hot.voltage(amps, 40.0, 0.0, 0.0)
    warm_k = 40.0 + 1e4 * amps * volts
    assert warm_k > 42.0
    assert volts == pytest.approx(plain.voltage(amps, warm_k, 0.0, 0.0), rel=1e-2)  # three passes
    assert volts > 1.05 * plain.voltage(amps, 40.0, 0.0, 0.0)
    assert hot.voltage(1e-6, 40.0, 0.0, 0.0) == pytest.approx(plain.voltage(1e-6, 40.0, 0.0, 0.0), rel=1e-6)


def test_heating_grows_with_the_square_of_the_current() -> None:
    plain, hot = made("metal"), made("metal", heating_k_per_w=1e3)
    excess = [
        hot.voltage(amps, 100.0, 0.0, 0.0) / plain.voltage(amps, 100.0, 0.0, 0.0) - 1.0
        for amps in (5e-3, 10e-3)
    ]
    assert excess[1] == pytest.approx(4.0 * excess[0], rel=1e-2)


def test_a_piece_without_heating_stays_what_it_is() -> None:
    assert not isinstance(made("metal", heating_k_per_w=0.0), SelfHeated)
    assert made("metal").is_linear


def test_many_currents_of_a_heated_piece_have_the_voltages_of_each() -> None:
    hot = made("metal", heating_k_per_w=1e4)
    assert isinstance(hot, NonlinearSample)
    currents = np.array([[-2e-2, 0.0], [1e-2, 3e-2]])
    expected = [[hot.voltage(amps, 20.0, 0.0, 0.0) for amps in row] for row in currents.tolist()]
    assert hot.voltages(currents, 20.0, 0.0, 0.0).tolist() == expected


# --- thermometers


def test_a_pt100_is_that_of_iec_60751() -> None:
    sample = ohmic("pt100")
    assert sample.resistance(273.15, 0.0, 0.0) == 100.0
    assert sample.resistance(77.35, 9e4, 0.0) == pytest.approx(20.333, abs=5e-4)
    assert sample.resistance(373.15, 0.0, 0.0) == pytest.approx(138.5055, abs=1e-4)


def test_below_its_standard_a_pt100_falls_on_without_a_step_to_a_residual_resistance() -> None:
    sample = ohmic("pt100")
    kelvin = np.linspace(2.0, 80.0, 7801)
    ohm = sample.resistances(kelvin, 0.0)
    assert (np.diff(ohm) >= 0.0).all()
    assert np.diff(ohm).max() < 6e-3
    assert ohm[0] == pytest.approx(0.2, abs=1e-3)


def test_a_cernox_has_the_values_of_the_reference() -> None:
    sample = ohmic("cernox")
    ohm = [sample.resistance(kelvin, 0.0, 0.0) for kelvin in (4.2, 77.35, 300.0)]
    assert ohm == pytest.approx([3421.0, 199.9, 59.4], abs=0.5)
    slope = (sample.resistance(4.201, 0.0, 0.0) - sample.resistance(4.199, 0.0, 0.0)) / 2e-3
    assert slope == pytest.approx(-1253.0, abs=0.5)
