"""Bodies in an alternating field: closed forms, harmonics, the frequency law, and the samples with them."""

import math
from typing import Any

import numpy as np
import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.sim.ac_susceptibility import Shape, bean, descending, external
from onnes.sim.critical_state import OE_PER_A_PER_CM, CriticalState, Material, Section
from onnes.sim.samples import AcSample, make_magnetic_sample

JC = 1000.0  # A/cm^2
HALF_CM = 0.05
PENETRATION_OE = OE_PER_A_PER_CM * JC * HALF_CM


def made(model: str, **keys: Any) -> AcSample:
    sample = make_magnetic_sample({"model": model, **keys}, "test")
    assert isinstance(sample, AcSample)
    return sample


def chi(kelvin: float, hertz: float, oersted: float = 1.0, **keys: Any) -> complex:
    """Return the susceptibility of the nanocomposite bar for its internal field."""
    sample = made("nanocomposite", demagnetisation=0.0, **keys)
    emu_per_oe = 5e-3 / (4.0 * math.pi)
    return sample.ac_moment_emu(oersted, hertz, kelvin, 0.0) / (emu_per_oe * oersted)


def driven(shape: Shape, x: float, harmonic: int) -> complex:
    """Return a harmonic of the second cycle of a critical state that is driven step by step."""
    width = 2.0 * HALF_CM
    section = Section.slab(width) if shape == "slab" else Section.bar(width, width)
    state = CriticalState(Material(100.0, lambda *_: JC), section)
    steps, amplitude = 400, x * PENETRATION_OE
    angles = 2.0 * np.pi * np.arange(2 * steps) / steps
    moments = []
    for angle in angles:
        state.update(4.0, amplitude * math.cos(float(angle)), 0.0)
        moments.append(state.four_pi_m)
    cycle, phase = np.array(moments[steps:]), harmonic * angles[steps:]
    scale = 2.0 / (steps * amplitude)
    return complex(scale * float(cycle @ np.cos(phase)), scale * float(cycle @ np.sin(phase)))


@pytest.mark.parametrize("shape", ["slab", "bar"])
@pytest.mark.parametrize("x", [0.3, 1.0, 1.8, 6.0])
@pytest.mark.parametrize("harmonic", [1, 2, 3])
def test_the_closed_forms_are_those_of_a_critical_state_driven_for_two_cycles(
    shape: Shape, x: float, harmonic: int
) -> None:
    # 96 layers know the penetration field to 1 %
    assert bean(shape, x, harmonic) == pytest.approx(driven(shape, x, harmonic), abs=4e-3)


@pytest.mark.parametrize(
    ("shape", "x", "real", "imaginary"),
    [
        ("slab", 1.0, -0.5, 0.2122),
        ("slab", 4.0 / 3.0, None, 0.2387),
        ("slab", 2.0, -0.2122, None),
        ("bar", 1.0, -0.3125, 0.2122),
        ("bar", 0.620, -0.5, None),
    ],
)
def test_the_values_of_the_reference_come_out(
    shape: Shape, x: float, real: float | None, imaginary: float | None
) -> None:
    found = bean(shape, x)
    assert real is None or found.real == pytest.approx(real, abs=2e-4)
    assert imaginary is None or found.imag == pytest.approx(imaginary, abs=1e-4)


@pytest.mark.parametrize("shape", ["slab", "bar"])
def test_the_forms_join_at_full_penetration_and_far_beyond_it(shape: Shape) -> None:
    assert bean(shape, 1.0 + 1e-9) == pytest.approx(bean(shape, 1.0), abs=1e-6)
    before, after = bean(shape, 999.99), bean(shape, 1000.01)
    assert after.real == pytest.approx(before.real, rel=2e-3)
    assert after.imag == pytest.approx(before.imag, rel=1e-4)
    assert bean(shape, 1e9).real < 0.0
    assert bean(shape, math.inf) == 0j


@pytest.mark.parametrize("shape", ["slab", "bar"])
def test_the_loop_closes_at_both_ends(shape: Shape) -> None:
    for x in (0.5, 1.0, 3.0):
        top, bottom = descending(shape, x, np.array([1.0, -1.0]))
        assert bottom == pytest.approx(-top)


def test_a_body_of_demagnetisation_n_screens_more_for_the_applied_field() -> None:
    assert external(-1.0 + 0j, 0.0883).real == pytest.approx(-1.0 / (1.0 - 0.0883))


@pytest.mark.parametrize(
    ("kelvin", "hertz", "real", "imaginary"),
    [
        (36.9, 10.0, -0.5487, 0.1915),
        (36.9, 1000.0, -0.7462, 0.1142),
        (36.5, 10.0, -0.9727, 0.0116),
        (36.5, 1000.0, -0.9727, 0.0116),
        (38.0, 10.0, -0.03125, 0.0),
    ],
)
def test_the_nanocomposite_has_the_values_of_the_reference(
    kelvin: float, hertz: float, real: float, imaginary: float
) -> None:
    found = chi(kelvin, hertz)
    assert found == pytest.approx(complex(real, imaginary), abs=1e-4)


@pytest.mark.parametrize(("oersted", "kelvin"), [(0.1, 37.107), (1.0, 36.911), (10.0, 36.609)])
def test_half_of_the_nanocomposite_is_screened_where_the_reference_says(
    oersted: float, kelvin: float
) -> None:
    assert chi(kelvin - 0.002, 10.0, oersted).real < -0.5 < chi(kelvin + 0.002, 10.0, oersted).real


def test_the_loss_of_the_nanocomposite_peaks_higher_at_a_higher_frequency() -> None:
    kelvins = np.linspace(36.5, 37.4, 1801)
    peaks = [kelvins[np.argmax([chi(float(T), hertz).imag for T in kelvins])] for hertz in (10.0, 1000.0)]
    assert peaks[1] - peaks[0] == pytest.approx(0.085, abs=0.005)


def test_the_nanocomposite_shows_the_applied_field_a_larger_moment_than_its_inside() -> None:
    sample = made("nanocomposite")
    found = sample.ac_moment_emu(0.1, 10.0, 5.0, 0.0)
    assert found.real == pytest.approx(-1.097 * 5e-3 / (4.0 * math.pi) * 0.1, rel=1e-3)
    assert found.imag == pytest.approx(0.0, abs=1e-3 * abs(found.real))


def test_a_steady_field_softens_the_links_and_a_bar_penetrates_sooner_than_a_slab() -> None:
    sample = made("nanocomposite")
    assert (
        sample.ac_moment_emu(10.0, 10.0, 36.5, 500.0).real > sample.ac_moment_emu(10.0, 10.0, 36.5, 0.0).real
    )
    assert chi(36.9, 10.0, ac_shape="bar").real > chi(36.9, 10.0).real


def test_a_shape_that_is_none_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        ConfigurationError, match="ac_shape = 'slap' is none of slab, bar; did you mean 'slab'"
    ):
        make_magnetic_sample({"model": "nanocomposite", "ac_shape": "slap"}, "test")


def test_the_plate_of_two_steps_screens_in_two_steps_and_loses_between_them() -> None:
    plate = made("twostep")
    cold, between, warm = (plate.ac_moment_emu(1.0, 10.0, kelvin, 0.0) for kelvin in (2.0, 25.0, 38.0))
    full = 2e-3 / (4.0 * math.pi)
    assert cold.real / full == pytest.approx(-0.994, abs=0.01)
    assert between.real / full == pytest.approx(-0.035, abs=0.005)
    assert warm == 0j
    assert plate.ac_moment_emu(10.0, 10.0, 18.5, 0.0).imag > 0.0
    assert plate.ac_moment_emu(10.0, 10.0, 18.5, 0.0, harmonic=3) != 0j


def test_a_body_without_history_follows_the_field_without_loss() -> None:
    for model, keys in (
        ("palladium", {}),
        ("holder", {"chi_emu_per_oe": 1e-6}),
        ("type_i", {"element": "Pb"}),
    ):
        sample = made(model, **keys)
        steady = make_magnetic_sample({"model": model, **keys}, "test")
        steady.update(5.0, 1.0, 0.0)
        found = sample.ac_moment_emu(1.0, 10.0, 5.0, 0.0)
        assert found == pytest.approx(complex(steady.moment_emu(), 0.0))
        assert sample.ac_moment_emu(1.0, 10.0, 5.0, 0.0, harmonic=3) == pytest.approx(0j, abs=1e-15)
