"""The point contact: values of the reference, from conductance to voltage, what goes wrong with one."""

import cmath
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.andreev import Band, btk, smeared_conductance
from onnes.sim.lab_file import load_lab
from onnes.sim.samples import NonlinearSample, make_sample
from onnes.sim.samples_pointcontact import PointContact

Floats = NDArray[np.float64]

TC, NORMAL_OHM = 39.5, 20.0
PI, SIGMA = Band(2.3, 0.80, 0.6, 0.45, 15000.0), Band(7.0, 0.20, 1.0, 0.45, 90000.0)


def contact(**keys: Any) -> NonlinearSample:
    sample = make_sample({"model": "pointcontact", **keys}, "lab.toml")
    assert isinstance(sample, NonlinearSample)
    assert not sample.is_linear
    return sample


def zero_bias(kelvin: float, oersted: float = 0.0) -> float:
    return float(smeared_conductance((PI, SIGMA), kelvin, TC, oersted, 70.0)[1][0])


def slope_conductance(sample: NonlinearSample, amps: float, kelvin: float, oersted: float = 0.0) -> float:
    """Return dI/dV over that of the normal state, from the two voltages beside ``amps``."""
    step = 1e-9
    low, high = sample.voltages(np.array([amps - step, amps + step]), kelvin, oersted, 0.0)
    return float(2.0 * step * NORMAL_OHM / (high - low))


def slow_conductance(mv: float, kelvin: float, oersted: float) -> float:
    """Return G/G_N at one voltage, number by number after the printed formulas."""

    def one_energy(energy: float, gap: float, gamma: float, z: float) -> float:
        if gap == 0.0:
            return 1.0
        e = complex(abs(energy), gamma)
        root = cmath.sqrt(e * e - gap * gap)
        root = -root if root.imag < 0 else root
        g, tau = (e - root) / gap, 1.0 / (1.0 + z * z)
        above = 1.0 + tau * abs(g) ** 2 + (tau - 1.0) * abs(g * g) ** 2
        return above / abs(1.0 + (tau - 1.0) * g * g) ** 2

    x = [-9.0 + 0.1 * j for j in range(181)]
    weights = [1.0 / (4.0 * math.cosh(0.5 * value) ** 2) for value in x]
    total = 0.0
    for gap0, share, gamma, z, closing in ((2.3, 0.8, 0.6, 0.45, 1.5e4), (7.0, 0.2, 1.0, 0.45, 9e4)):
        h, gap = 1.0, 0.0
        if kelvin < TC:
            h = min(1.0, abs(oersted) / (closing * (1.0 - (kelvin / TC) ** 2)))
            gap = gap0 * math.tanh(1.74 * math.sqrt(TC / kelvin - 1.0)) * math.sqrt(1.0 - h)
        sums = [
            weight * one_energy(mv + 0.0861733 * kelvin * value, gap, gamma, z)
            for value, weight in zip(x, weights, strict=True)
        ]
        total += share * (h + (1.0 - h) * math.fsum(sums) / math.fsum(weights))
    return total


# --- conductance


def test_an_interface_without_barrier_doubles_the_conductance_inside_the_gap() -> None:
    energies = np.array([0.0, 0.3, 0.9])
    assert btk(energies, 1.0, 0.0, 0.0) == pytest.approx([2.0, 2.0, 2.0], rel=1e-4)


def test_a_barrier_has_the_zero_bias_conductance_of_blonder_tinkham_and_klapwijk() -> None:
    for z in (0.2, 0.5, 2.0):
        expected = 2.0 * (1.0 + z * z) / (1.0 + 2.0 * z * z) ** 2
        assert btk(np.zeros(1), 1.0, 0.0, z)[0] == pytest.approx(expected, rel=1e-5)
    assert btk(np.zeros(1), 1.0, 0.0, 0.5)[0] == pytest.approx(1.1111, abs=5e-5)


def test_a_high_barrier_shows_the_density_of_states() -> None:
    assert btk(np.array([1.5]), 1.0, 0.0, 30.0)[0] == pytest.approx(1.3414, abs=5e-5)
    assert btk(np.array([-1.5]), 1.0, 0.0, 30.0)[0] == btk(np.array([1.5]), 1.0, 0.0, 30.0)[0]


def test_the_zero_bias_conductance_has_the_values_of_the_reference() -> None:
    warming = [zero_bias(kelvin) for kelvin in (2.0, 5.0, 10.0, 20.0, 30.0, 38.0, 41.0)]
    assert warming == pytest.approx([1.195, 1.218, 1.243, 1.223, 1.162, 1.051, 1.000], abs=6e-4)
    in_field = [zero_bias(2.0, oersted) for oersted in (0.0, 5e3, 1e4, 2e4, 5e4, 9e4)]
    assert in_field == pytest.approx([1.195, 1.136, 1.079, 1.032, 1.017, 1.000], abs=6e-4)


def test_far_beyond_the_gaps_the_conductance_is_still_a_little_high() -> None:
    step, g = smeared_conductance((PI, SIGMA), 2.0, TC, 0.0, 70.0)
    high = np.interp([15.0, 20.0, 30.0], step * np.arange(len(g)), g) - 1.0
    assert high == pytest.approx([0.02, 0.01, 0.005], rel=0.1)


@pytest.mark.parametrize(("kelvin", "oersted"), [(2.0, 0.0), (7.3, 8000.0), (35.0, 3000.0)])
def test_the_smeared_conductance_is_that_of_the_printed_formulas(kelvin: float, oersted: float) -> None:
    step, g = smeared_conductance((PI, SIGMA), kelvin, TC, oersted, 20.0)
    for place in (0, len(g) // 9, len(g) // 3, len(g) - 1):
        assert g[place] == pytest.approx(slow_conductance(step * place, kelvin, oersted), rel=1e-9)


# --- voltage


@pytest.mark.parametrize(
    ("kelvin", "oersted"), [(2.03, 0.0), (4.2, -3333.0), (10.1, 14100.0), (20.13, 57.0), (38.1, 77.0)]
)
def test_the_slope_of_the_voltage_is_the_conductance_of_the_printed_formulas(
    kelvin: float, oersted: float
) -> None:
    sample = contact()
    for amps in (0.0, 3e-5, -1.1e-4, 2.5e-4, 3.4e-4, 9e-4):
        mv = 1e3 * sample.voltage(amps, kelvin, oersted, 0.0)
        expected = slow_conductance(mv, kelvin, oersted)
        assert slope_conductance(sample, amps, kelvin, oersted) == pytest.approx(expected, abs=1e-3)


def test_the_current_is_the_integral_of_the_conductance_over_the_voltage() -> None:
    sample, kelvin = contact(), 4.2
    volts = np.linspace(0.0, 12e-3, 241)
    g = np.array([slow_conductance(1e3 * value, kelvin, 0.0) for value in volts])
    step = volts[1] - volts[0]
    simpson = step / 3.0 * (g[0] + g[-1] + 4.0 * g[1:-1:2].sum() + 2.0 * g[2:-1:2].sum())
    assert sample.voltage(simpson / NORMAL_OHM, kelvin, 0.0, 0.0) == pytest.approx(12e-3, rel=1e-5)


def test_many_currents_at_once_have_the_voltages_of_each_and_are_odd() -> None:
    sample = contact()
    currents = np.linspace(-1e-3, 1e-3, 33)
    volts = sample.voltages(currents, 5.0, 1000.0, 0.0)
    assert volts.shape == currents.shape
    each = [sample.voltage(amps, 5.0, 1000.0, 0.0) for amps in currents.tolist()]
    assert volts == pytest.approx(each, rel=1e-13, abs=0.0)
    assert volts == pytest.approx(-volts[::-1], abs=1e-12)


def test_temperature_and_field_change_the_voltage_without_steps() -> None:
    sample = contact()
    kelvin = np.linspace(9.0, 11.0, 2001)
    rise = np.diff([sample.voltage(1e-4, value, 0.0, 0.0) for value in kelvin.tolist()])
    oersted = np.linspace(900.0, 1600.0, 2001)
    fall = np.diff([sample.voltage(1e-4, 5.0, value, 0.0) for value in oersted.tolist()])
    for steps in (rise, fall):
        assert np.abs(steps).max() < 5.0 * np.abs(steps).mean()


def test_from_tc_on_the_contact_is_its_normal_resistance() -> None:
    for kelvin in (TC, 41.0, 300.0):
        assert contact().voltage(3e-4, kelvin, 500.0, 0.0) == pytest.approx(3e-4 * NORMAL_OHM, rel=1e-12)
    just_below = contact().voltage(3e-4, TC - 1e-6, 0.0, 0.0)
    assert just_below == pytest.approx(3e-4 * NORMAL_OHM, rel=1e-6)


def test_far_beyond_the_gaps_the_voltage_goes_on_as_a_straight_line_with_an_excess_current() -> None:
    near, far = contact().voltages(np.array([5e-3, 50e-3]), 2.0, 0.0, 0.0)
    assert (far - near) / 45e-3 == pytest.approx(NORMAL_OHM, rel=2e-3)
    assert near < 5e-3 * NORMAL_OHM


def test_the_gaps_of_other_parameters_are_where_they_were_put() -> None:
    sample = contact(delta_mev=[5.0, 5.0], z=[5.0, 5.0], gamma_mev=[0.0, 0.0], weight=[0.5, 0.5])
    currents = np.linspace(1e-6, 5e-4, 1500)
    volts = sample.voltages(currents, 2.0, 0.0, 0.0)
    peak = volts[1:][np.argmax(np.diff(currents) / np.diff(volts))]
    assert peak == pytest.approx(5.2e-3, abs=3e-4)  # smearing moves the maximum out by about kT


# --- what goes wrong with a contact


def test_a_spreading_resistance_adds_to_the_bias_and_lowers_the_conductance() -> None:
    plain, spread = contact(), contact(spreading_ohm=5.0)
    difference = spread.voltage(2e-4, 2.0, 0.0, 0.0) - plain.voltage(2e-4, 2.0, 0.0, 0.0)
    assert difference == pytest.approx(1e-3, rel=1e-12)
    expected = 1.0 / (1.0 / slope_conductance(plain, 2e-4, 2.0) + 5.0 / NORMAL_OHM)
    assert slope_conductance(spread, 2e-4, 2.0) == pytest.approx(expected, rel=1e-6)


def test_a_neck_beyond_its_critical_current_makes_a_dip_and_adds_a_resistance() -> None:
    plain = contact()
    driven = contact(critical_current_a=6e-4, neck_ohm=4.0)
    ic = 6e-4 * (1.0 - (2.0 / TC) ** 2) ** 1.5
    assert driven.voltage(0.99 * ic, 2.0, 0.0, 0.0) == plain.voltage(0.99 * ic, 2.0, 0.0, 0.0)
    dip = slope_conductance(driven, 1.001 * ic, 2.0)
    after = slope_conductance(driven, 20.0 * ic, 2.0)
    assert dip < 0.5 * after < slope_conductance(plain, 1.001 * ic, 2.0)
    assert after == pytest.approx(NORMAL_OHM / (NORMAL_OHM + 4.0), rel=5e-3)


def test_a_contact_that_heats_itself_is_that_of_the_temperature_its_power_brings() -> None:
    plain, hot = contact(), contact(heating_k_per_w=3e6)
    amps = 4e-4
    volts = hot.voltage(amps, 2.0, 0.0, 0.0)
    warm_k = 2.0 + 3e6 * amps * volts
    assert 8.0 < warm_k < 20.0
    assert volts == pytest.approx(plain.voltage(amps, warm_k, 0.0, 0.0), rel=1e-4)
    assert slope_conductance(hot, 0.0, 2.0) == pytest.approx(slope_conductance(plain, 0.0, 2.0), rel=1e-6)


def test_a_contact_driven_until_it_is_normal_by_its_own_heat_has_a_dip_beyond_the_gap() -> None:
    hot = contact(heating_k_per_w=3e6)
    currents = np.linspace(0.0, 1.2e-3, 241)
    volts = hot.voltages(currents, 2.0, 0.0, 0.0)
    g = np.diff(currents) / np.diff(volts) * NORMAL_OHM
    assert g.min() < 0.97
    assert volts[g.argmin()] > 7e-3
    assert g[-1] == pytest.approx(1.0, abs=1e-9)


def lock_in_formula(mv: float, peak_mv: float, kelvin: float) -> float:
    """Return the first harmonic of G/G_N for a modulation held in voltage, by the printed average."""
    angles = (np.arange(12) + 0.5) * math.pi / 12.0
    weights = np.sin(angles) ** 2
    values = [slow_conductance(mv + peak_mv * math.cos(angle), kelvin, 0.0) for angle in angles.tolist()]
    return float(np.average(values, weights=weights))


def heard(sample: NonlinearSample, amps: float, rms_mv: float, kelvin: float) -> float:
    """Return the first harmonic of G/G_N, with a sine of current that brings ``rms_mv`` of voltage."""
    sine = np.sin(np.linspace(0.0, 2.0 * math.pi, 64, endpoint=False))
    wanted_v = math.sqrt(2.0) * 1e-3 * rms_mv
    peak_a = wanted_v / NORMAL_OHM
    for _ in range(5):
        volts = sample.voltages(amps + peak_a * sine, kelvin, 0.0, 0.0)
        first_v = float(2.0 * np.mean(volts * sine))
        peak_a *= wanted_v / first_v
    return peak_a * NORMAL_OHM / wanted_v


@pytest.mark.parametrize(("amps", "rms_mv"), [(0.0, 0.2), (0.0, 0.5), (0.0, 1.0), (1.4e-4, 0.3)])
def test_the_first_harmonic_of_the_voltage_is_the_conductance_smeared_by_the_modulation(
    amps: float, rms_mv: float
) -> None:
    sample = contact()
    mv = 1e3 * sample.voltage(amps, 2.0, 0.0, 0.0)
    # The current is the sine here and the voltage nearly one: the difference is of second order.
    expected = lock_in_formula(mv, math.sqrt(2.0) * rms_mv, 2.0)
    assert heard(sample, amps, rms_mv, 2.0) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("rms_mv", "percent"), [(0.2, 0.09), (0.5, 0.56), (1.0, 2.17)])
def test_the_modulation_changes_the_zero_bias_conductance_as_much_as_the_reference_says(
    rms_mv: float, percent: float
) -> None:
    sample = contact()
    change = heard(sample, 0.0, rms_mv, 2.0) / slope_conductance(sample, 0.0, 2.0) - 1.0
    assert 100.0 * change == pytest.approx(percent, rel=0.06)


# --- in its lab


def test_the_lab_of_spectroscopy_has_a_contact_in_a_magnet_of_14_t() -> None:
    lab = load_lab("spcs", VirtualClock())
    assert lab.magnet.settings.max_oe == 140_000.0
    assert lab.magnet.settings.remanence_oe <= 120.0
    assert lab.wiring.loops == ("J",)
    lab.wiring.set_source("k6221.out", 0.0, 1e-4, 1.0)
    volts = lab.wiring.mean_voltage("k2182a.ch1", 1.0, 1.1)
    assert volts == pytest.approx(1e-4 * NORMAL_OHM, abs=1e-6)  # but for the EMF


# --- what a file says


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            {"weight": [0.8, 0.3]},
            r"weight = \[0\.8, 0\.3\] adds up to 1\.1, and the shares of pi and sigma are 1 together",
        ),
        (
            {"delta_mev": 2.3},
            r"delta_mev = 2\.3 is no pair; give two numbers in \[0\.01, 100\] meV, for example \[2\.3, 7\]",
        ),
        ({"z": [0.4]}, r"z = \[0\.4\] is no pair"),
        ({"delta_mev": [2.3, 700.0]}, r"delta_mev = 700 meV is outside \[0\.01, 100\] meV, the range of"),
        ({"h_oe": [15000.0, "big"]}, r"h_oe = 'big' is not a number; give one in \[1, 10000000\] Oe"),
        ({"normal_ohm": 0.0}, r"normal_ohm = 0 ohm is outside"),
        ({"heating_k_per_w": -1.0}, r"heating_k_per_w = -1 K/W is outside \[0, 1e\+09\] K/W"),
        ({"delta": [2.3, 7.0]}, r"'pointcontact' has no key 'delta'; did you mean 'delta_mev', in"),
    ],
)
def test_a_bad_contact_is_refused_with_its_reason(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^lab.toml: .*{text}"):
        contact(**keys)


def test_the_pairs_of_a_file_are_the_values_of_the_contact() -> None:
    sample = contact(delta_mev=[2.0, 6.5])
    assert sample.values["delta_mev"] == (2.0, 6.5)
    assert sample.values["weight"] == (0.8, 0.2)


def test_a_contact_has_few_tables_in_memory_however_long_the_night() -> None:
    sample = make_sample({"model": "pointcontact"}, "lab.toml")
    assert isinstance(sample, PointContact)
    for kelvin in np.linspace(2.0, 40.0, 400).tolist():
        sample.voltage(1e-5, kelvin, 0.0, 0.0)
        sample.voltage(1e-5, kelvin, 10.0 * kelvin, 0.0)
    assert sample._cell.cache_info().currsize <= 64
