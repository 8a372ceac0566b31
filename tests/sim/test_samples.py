"""Samples: check values computed apart from the code, the departures, the table of parameters."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.sim.phonons import phonons
from onnes.sim.resistivity import smooth_step
from onnes.sim.sample_parameters import Value
from onnes.sim.samples import PARAMETERS, check_sample, make_magnetic_sample, make_sample
from onnes.sim.samples_bilayer import Bilayer, Breakdown, Superconducting
from onnes.sim.samples_generic import Metal

ROWS: tuple[float | str, ...] = ("pristine", 0.54, 0.30, 0.12, 0.06)
CONTACTED = (
    *("sc", "qbs", "metal", "nanocomposite", "twostep"),
    *("pointcontact", "bridge", "junction", "taff", "pt100", "cernox"),
)
FULL_SC: Mapping[str, Any] = {"rho40_ohm_cm": 1e-5, "a": 1.0, "tc_k": 30.0, "w0_k": 1.0}
FULL_QBS: Mapping[str, Any] = {
    "rho40_ohm_cm": 2e-4,
    "a": 0.1,
    "tc_k": 40.0,
    "hc_oe": 21000.0,
    "z_nu": 1.4,
    "amplitude": 0.8,
    "u0": -1.5,
    "w": 1.0,
}


def film(gamma_t: float | str = 0.06, **keys: Any) -> Bilayer:
    sample = make_sample({"model": "bilayer", "gamma_t": gamma_t, **keys}, "lab.toml")
    assert isinstance(sample, Bilayer)
    return sample


def crossing(sample: Bilayer, low_k: float, high_k: float) -> float:
    """Return the field in Oe where two isotherms cross, by bisection."""
    low, high = 2e4, 5e4
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        falls = sample.resistivity(low_k, middle) < sample.resistivity(high_k, middle)
        low, high = (middle, high) if falls else (low, middle)
    return low


# --- phonons


def test_bloch_grueneisen_has_the_values_of_the_reference() -> None:
    lattice = phonons(880.0, 3)
    values = [lattice(kelvin) for kelvin in (20.0, 40.0, 100.0, 112.0, 200.0, 300.0)]
    # 20 K is printed as 6.870e-4; the integral to 12 digits is 6.8691e-4
    assert values == pytest.approx([6.8691e-4, 5.495e-3, 0.08412, 0.11595, 0.47974, 1.0], rel=1e-4)


@pytest.mark.parametrize(("debye_k", "exponent"), [(880.0, 3), (343.0, 5)])
def test_the_table_of_phonons_follows_the_integral(debye_k: float, exponent: int) -> None:
    def integral(kelvin: float) -> float:
        x = (np.arange(200_000) + 0.5) / 200_000 * min(debye_k / kelvin, 60.0)
        area = float(np.mean(x**exponent / (np.expm1(x) * -np.expm1(-x)))) * min(debye_k / kelvin, 60.0)
        return (kelvin / debye_k) ** exponent * area

    lattice = phonons(debye_k, exponent)
    for kelvin in (2.3, 7.77, 25.25, 77.3, 133.1, 399.9):
        assert lattice(kelvin) == pytest.approx(integral(kelvin) / integral(300.0), rel=1e-4, abs=1e-10)


def test_phonons_freeze_out_and_their_slope_is_that_of_the_table() -> None:
    lattice = phonons(880.0, 3)
    assert lattice(0.0) == 0.0
    assert lattice.slope(112.0) == pytest.approx((lattice(112.1) - lattice(111.9)) / 0.2, rel=1e-4)
    assert 0.10 * 112.0 * lattice.slope(112.0) == pytest.approx(0.0323, abs=5e-5)


# --- bilayers of kind qbs


def test_the_resistivity_of_gamma_006_has_the_values_of_the_reference() -> None:
    sample = film(0.06)
    at_2_k = [sample.resistivity(2.0, oersted) / 1.5e-4 for oersted in (0.0, 3e4, 3.2e4, 6e4, 9e4)]
    assert at_2_k == pytest.approx([0.658, 0.982, 1.000, 1.132, 1.154], abs=5e-4)
    at_1_t = [sample.resistivity(kelvin, 1e4) * 1e6 for kelvin in (2.0, 8.0, 40.0, 300.0)]
    assert at_1_t == pytest.approx([113.26, 130.91, 150.00, 154.8], abs=0.05)


@pytest.mark.parametrize(("gamma_t", "hc_oe", "square_ohm"), [(0.06, 32000.0, 6.98), (0.12, 33000.0, 4.19)])
def test_the_sheet_resistance_at_the_critical_field_is_that_of_the_reference(
    gamma_t: float, hc_oe: float, square_ohm: float
) -> None:
    sample = film(gamma_t, length_mm=1.0, width_mm=1.0)
    for kelvin in (2.0, 3.7, 6.0):
        assert sample.resistance(kelvin, hc_oe, 0.0) == pytest.approx(square_ohm, abs=5e-3)
        assert sample.resistance(kelvin, -hc_oe, 0.0) == sample.resistance(kelvin, hc_oe, 0.0)


def test_the_resistance_minimum_lies_at_112_k() -> None:
    kelvin = np.linspace(60.0, 170.0, 11001)
    assert kelvin[film(0.06).resistances(kelvin, 0.0).argmin()] == pytest.approx(112.0, abs=0.05)


def test_neighbouring_isotherms_cross_at_hc_below_6_k_and_drift_above() -> None:
    sample = film(0.06)
    for pair in ((2.0, 2.5), (3.0, 4.0), (5.0, 6.0)):
        assert crossing(sample, *pair) == pytest.approx(32000.0, abs=0.1)
    above = [crossing(sample, *pair) / 1e3 for pair in ((6.0, 8.0), (8.0, 10.0), (10.0, 12.0), (12.0, 15.0))]
    assert above == pytest.approx([32.7, 34.0, 34.8, 35.2], abs=0.05)


def test_below_6_k_the_resistance_is_a_function_of_the_scaling_variable_alone() -> None:
    sample = film(0.06)
    for u in (-1.2, -0.3, 0.4, 1.5):
        values = [
            sample.resistivity(kelvin, 32000.0 + 1e4 * u * kelvin ** (3.0 / 7.0))
            for kelvin in (2.0, 3.0, 4.5, 6.0)
        ]
        assert np.ptp(values) / values[0] < 1e-12


def test_a_film_nobody_has_seen_can_be_made_and_scales_with_its_own_numbers() -> None:
    sample = make_sample({"model": "bilayer", "gamma_t": 0.2, **FULL_QBS}, "lab.toml")
    assert isinstance(sample, Breakdown)
    assert crossing(sample, 2.0, 5.0) == pytest.approx(21000.0, abs=0.1)
    low, high = (sample.resistivity(kelvin, 21000.0 + 5000.0 * kelvin ** (1 / 1.4)) for kelvin in (2.0, 5.0))
    assert low == pytest.approx(high, rel=1e-12)
    assert sample.resistivity(40.0, 0.0) == pytest.approx(2e-4)


# --- bilayers of kind sc


@pytest.mark.parametrize(
    ("gamma_t", "tc_k", "rho40"), [("pristine", 39.3, 1.5e-6), (0.54, 38.2, 6e-6), (0.3, 35.0, 2.2e-5)]
)
def test_the_steepest_tangent_of_the_transition_meets_the_normal_state_at_tc(
    gamma_t: float | str, tc_k: float, rho40: float
) -> None:
    sample = film(gamma_t)
    kelvin = np.linspace(tc_k - 5.0, tc_k + 1.0, 60001)
    normal = make_sample({"model": "bilayer", "gamma_t": gamma_t, "tc_k": 10.0}, "lab.toml")
    assert isinstance(normal, Bilayer)
    r = sample.resistances(kelvin, 0.0) / normal.resistances(kelvin, 0.0)
    slopes = np.gradient(r, kelvin)
    steepest = int(slopes.argmax())
    onset = kelvin[steepest] + (1.0 - r[steepest]) / slopes[steepest]
    assert onset == pytest.approx(tc_k, abs=2e-3)
    assert sample.resistivity(40.0, 0.0) == pytest.approx(rho40, rel=1e-9 if tc_k < 39 else 1e-2)
    assert sample.resistivity(2.0, 0.0) == 0.0


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_the_ten_percent_point_lies_on_the_upper_critical_field(share: float) -> None:
    sample = film("pristine")
    t10 = 39.3 - (5.0 / 6.0 - 0.195799) * 0.6
    normal = film("pristine", tc_k=10.0, h2_oe=1.0)
    kelvin = share * t10
    field = 67000.0 * (1.0 - share) ** 1.2
    assert sample.resistivity(kelvin, field) / normal.resistivity(kelvin, field) == pytest.approx(
        0.1,
        abs=2e-6,  # 0.195799 has six digits
    )


def test_the_smooth_step_is_clipped() -> None:
    assert [smooth_step(x) for x in (-1.0, 0.0, 0.5, 1.0, 7.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]


# --- departures


def test_a_background_bends_the_film_below_6_k_only() -> None:
    plain, bent = film(), film(background_per_k=1e-3)
    for kelvin, factor in ((2.0, 0.996), (5.0, 0.999), (6.0, 1.0), (20.0, 1.0)):
        assert bent.resistivity(kelvin, 2e4) == pytest.approx(
            plain.resistivity(kelvin, 2e4) * factor, rel=1e-12
        )


def test_magnetoresistance_grows_with_the_square_of_the_field() -> None:
    plain, bent = film(), film(magnetoresistance_per_t2=1e-4)
    for oersted in (-3e4, 0.0, 9e4):
        factor = 1.0 + 1e-4 * (oersted / 1e4) ** 2
        assert bent.resistivity(3.0, oersted) == pytest.approx(
            plain.resistivity(3.0, oersted) * factor, rel=1e-12
        )


def test_a_spread_of_hc_is_the_gaussian_average_over_hc() -> None:
    spread = film(hc_spread_oe=3000.0)
    shifts = np.linspace(-6.0, 6.0, 2401)
    weights = np.exp(-0.5 * shifts**2)
    for kelvin, oersted in ((2.0, 3.1e4), (4.0, 1e4), (15.0, 4e4)):
        values = np.array(
            [film(hc_oe=32000.0 + 3000.0 * x).resistivity(kelvin, oersted) for x in shifts[::40]]
        )
        average = np.average(values, weights=weights[::40])
        assert spread.resistivity(kelvin, oersted) == pytest.approx(average, rel=1e-6)


def test_the_gain_drifts_with_lab_time() -> None:
    plain, drifting = film(), film(gain_drift_per_h=1.4286e-4)
    assert drifting.resistance(4.0, 1e4, 0.0) == plain.resistance(4.0, 1e4, 0.0)
    after_a_night = drifting.resistance(4.0, 1e4, 14 * 3600.0) / plain.resistance(4.0, 1e4, 0.0)
    assert after_a_night == pytest.approx(1.002, abs=1e-6)


def test_the_hall_pickup_is_odd_in_the_field_and_drops_out_of_the_symmetrised_resistance() -> None:
    plain, tilted = film(), film(hall_pickup_ohm_per_t=0.02)
    up, down = tilted.resistance(4.0, 5e4, 0.0), tilted.resistance(4.0, -5e4, 0.0)
    assert 0.5 * (up + down) == pytest.approx(plain.resistance(4.0, 5e4, 0.0), rel=1e-12)
    assert 0.5 * (up - down) == pytest.approx(0.1, rel=1e-9)


# --- geometry, voltage, wire


def test_the_resistance_is_resistivity_times_length_over_cross_section() -> None:
    sample = film(length_mm=3.0, width_mm=0.5, thickness_nm=100.0)
    expected = sample.resistivity(10.0, 0.0) * 0.3 / (0.05 * 1e-5)
    assert sample.resistance(10.0, 0.0, 0.0) == pytest.approx(expected, rel=1e-12)


def test_the_voltage_is_proportional_to_the_current() -> None:
    sample = film()
    ohm = sample.resistance(3.0, 1e4, 0.0)
    for amps in (-1e-3, 0.0, 1e-6):
        assert sample.voltage(amps, 3.0, 1e4, 0.0) == pytest.approx(amps * ohm, rel=1e-14)


def test_arrays_of_temperature_and_field_are_broadcast() -> None:
    sample = film()
    table = sample.resistances(np.array([[2.0], [4.0]]), np.array([0.0, 1e4, 9e4]))
    assert table.shape == (2, 3)
    assert table[1, 2] == sample.resistance(4.0, 9e4, 0.0)


def test_a_metal_wire_has_its_residual_resistance_ratio() -> None:
    wire = make_sample({"model": "metal", "r300_ohm": 12.0}, "lab.toml")
    assert isinstance(wire, Metal)
    assert wire.resistance(300.0, 0.0, 0.0) == pytest.approx(12.0)
    assert wire.resistance(300.0, 0.0, 0.0) / wire.resistance(2.0, 0.0, 0.0) == pytest.approx(60.0, rel=1e-3)
    assert wire.resistance(77.0, 9e4, 0.0) == wire.resistance(77.0, 0.0, 0.0)


# --- the table of parameters


@pytest.mark.parametrize("model", PARAMETERS)
def test_every_parameter_has_a_unit_a_mark_a_meaning_and_a_range_around_its_defaults(model: str) -> None:
    names = [parameter.name for parameter in PARAMETERS[model]]
    assert len(names) == len(set(names))
    for parameter in PARAMETERS[model]:
        assert parameter.meaning
        assert {parameter.mark, *(mark for _, mark in parameter.rows.values())} <= {"printed", "assumed"}
        assert parameter.low < parameter.high
        values = [value for value, _ in parameter.rows.values()]
        values += [parameter.default] if isinstance(parameter.default, float) else []
        values += parameter.default if isinstance(parameter.default, tuple) else ()
        assert all(parameter.low <= value <= parameter.high for value in values), parameter.name
        suffixes = {"_k": "K", "_oe": "Oe", "_ohm": "ohm", "_mm": "mm", "_nm": "nm", "_cm": "ohm cm"}
        for suffix, unit in suffixes.items():
            if parameter.name.endswith(suffix) and "_per_" not in parameter.name:
                assert parameter.unit == unit, parameter.name


def test_the_keys_of_the_bilayer_are_those_of_the_reference() -> None:
    keys = (
        "length_mm width_mm thickness_nm gamma_t rho40_ohm_cm a tc_k w0_k volume_fraction magnetic_width_k "
        "lateral_mm substrate_mm orientation hc_oe z_nu amplitude u0 w h2_oe alpha b "
        "background_per_k magnetoresistance_per_t2 hc_spread_oe gain_drift_per_h hall_pickup_ohm_per_t "
        "heating_k_per_w"
    )
    assert {parameter.name for parameter in PARAMETERS["bilayer"]} == set(keys.split())


@pytest.mark.parametrize("gamma_t", ROWS)
def test_a_row_of_the_table_fills_the_rest_and_what_is_given_wins(gamma_t: float | str) -> None:
    assert film(gamma_t).values["gamma_t"] == gamma_t
    assert film(gamma_t, tc_k=33.3).values["tc_k"] == 33.3
    assert isinstance(film(gamma_t), Breakdown if gamma_t in (0.12, 0.06) else Superconducting)


@pytest.mark.parametrize("kind", [*CONTACTED, "type_i", "palladium", "holder"])
def test_every_key_can_be_set(kind: str) -> None:
    model = "bilayer" if kind in ("sc", "qbs") else kind
    base = {"sc": FULL_SC, "qbs": FULL_QBS, "type_i": {"element": "Sn"}}.get(kind, {})
    make: Callable[..., Any] = make_sample if kind in CONTACTED else make_magnetic_sample
    for parameter in PARAMETERS[model]:
        if parameter.kinds and kind not in parameter.kinds:
            continue
        known = parameter.default if isinstance(parameter.default, float) else 20.0
        number = min(max(known * 1.01, parameter.low), parameter.high)
        value: Value = parameter.choices[-1] if parameter.choices else number
        if isinstance(parameter.default, tuple):
            value = parameter.default[::-1]
        sample = make({"model": model, **base, parameter.name: value}, "lab.toml")
        assert sample.values[parameter.name] == value


@pytest.mark.parametrize("model", ["palladium", "type_i", "holder"])
def test_a_body_without_contacts_is_refused_where_a_voltage_is_wanted(model: str) -> None:
    text = (
        f"^lab.toml: the sample model '{model}' has no contacts; those that have are bilayer, metal, "
        "nanocomposite, twostep, pointcontact, bridge, junction, taff, pt100, cernox$"
    )
    with pytest.raises(ConfigurationError, match=text):
        make_sample({"model": model}, "lab.toml")


def test_a_check_takes_every_model_and_refuses_what_it_says_wrong() -> None:
    check_sample({"model": "palladium"}, "lab.toml")
    check_sample({"model": "metal"}, "lab.toml")
    for model in ("palladium", "metal"):
        with pytest.raises(ConfigurationError, match=f"'{model}' has no key 'hc'"):
            check_sample({"model": model, "hc": 3.0}, "lab.toml")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({}, r"lab.toml: there is no sample model None; the models are bilayer, metal, nano"),
        ({"model": "bilayr"}, r"no sample model 'bilayr'; did you mean 'bilayer'"),
        (
            {"model": "metal", "rr": 3.0},
            r"'metal' has no key 'rr'; did you mean 'rrr', in \[1, 100000\]; its keys",
        ),
        (
            {"model": "bilayer", "hc": 3.0},
            r"'bilayer' has no key 'hc'; did you mean 'hc_oe', in \[1, 1000000\] Oe; its keys are model,",
        ),
        (
            {"model": "bilayer", "gamma_t": 0.2},
            r"of kind sc needs rho40_ohm_cm \(in .* ohm cm\), .*; give them, or one of the rows pristine,",
        ),
        (
            {"model": "bilayer", "gamma_t": "new"},
            r"gamma_t = 'new' is neither a positive number nor 'pristine'",
        ),
        ({"model": "bilayer", "gamma_t": True}, r"gamma_t = True is neither"),
        (
            {"model": "bilayer", "gamma_t": 0.06, "alpha": 0.3},
            r"alpha belongs to a sample of kind sc, and this one is of kind qbs; leave it out",
        ),
        ({"model": "bilayer", "gamma_t": 0.06, "tc_k": math.nan}, r"tc_k = nan is not a number; give one in"),
        ({"model": "bilayer", "gamma_t": 0.06, "tc_k": "40"}, r"tc_k = '40' is not a number"),
        ({"model": "bilayer", "gamma_t": 0.06, "w": True}, r"w = True is not a number"),
        (
            {"model": "bilayer", "gamma_t": 0.06, "tc_k": -4.0},
            r"tc_k = -4 K is outside \[6\.5, 400\] K, the range of the sample model",
        ),
    ],
)
def test_a_bad_sample_is_refused_with_its_reason(table: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        make_sample(table, "lab.toml")
