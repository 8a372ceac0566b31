"""The moment of a film, of the reference bodies and of an empty holder."""

import math
from typing import Any

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.sim.samples import MagneticSample, make_magnetic_sample
from onnes.sim.samples_bodies import Body

SPHERE_CM3 = math.pi / 6 * 0.2**3


def made(model: str, **keys: Any) -> MagneticSample:
    return make_magnetic_sample({"model": model, **keys}, "lab.toml")


def film(gamma_t: float | str = "pristine", **keys: Any) -> MagneticSample:
    return made("bilayer", **{"gamma_t": gamma_t, "substrate_mm": 0.0, **keys})


def after(sample: MagneticSample, *path: tuple[float, float]) -> float:
    """Return the moment in emu at the end of a path of temperatures in K and fields in Oe."""
    for kelvin, oersted in path:
        sample.update(kelvin, oersted, 0.0)
    return sample.moment_emu()


# --- films


def test_a_zero_field_cooled_film_screens_as_in_the_reference() -> None:
    assert after(film(), (60.0, 0.0), (2.0, 0.0), (2.0, 5.0)) == pytest.approx(-2.38e-2, abs=5e-5)
    parallel = film(orientation="parallel")
    assert after(parallel, (60.0, 0.0), (2.0, 0.0), (2.0, 5.0)) == pytest.approx(-5.6e-7, abs=5e-9)


def test_a_field_cooled_film_screens_two_percent() -> None:
    cooled = after(film(), (60.0, 5.0), (2.0, 5.0))
    assert cooled / after(film(), (2.0, 0.0), (2.0, 5.0)) == pytest.approx(0.02, rel=1e-9)


def test_a_film_cooled_in_a_remanence_of_3_oe_loses_more_than_half_of_its_moment() -> None:
    assert after(film(), (60.0, 3.0), (2.0, 3.0), (2.0, 5.0)) == pytest.approx(-0.98e-2, abs=5e-5)


def test_a_film_of_small_fraction_screens_in_proportion() -> None:
    full, damaged = (after(film(gamma_t), (2.0, 0.0), (2.0, 5.0)) for gamma_t in ("pristine", 0.06))
    assert damaged / full == pytest.approx(0.0008, rel=0.05)  # its transition is wide: tanh(38/18) at 2 K


def test_a_film_keeps_field_that_it_cannot_hold_out() -> None:
    sample = film()
    assert after(sample, (2.0, 0.0), (2.0, 5000.0), (2.0, 0.0)) > 0.0
    assert after(sample, (sample.tc_k or 0.0, 0.0)) == 0.0


def test_a_substrate_is_seen_at_every_temperature() -> None:
    bare, mounted = film(), film(substrate_mm=0.5)
    assert after(mounted, (60.0, 5.0)) == pytest.approx(-8.7e-8, abs=1e-9)
    assert after(mounted, (60.0, 1e4)) == pytest.approx(-1.74e-4, abs=1e-6)
    path = ((60.0, 0.0), (2.0, 0.0), (2.0, 5.0))
    assert after(mounted, *path) - after(bare, *path) == pytest.approx(-8.7e-8, abs=1e-9)


def test_a_film_follows_a_path_of_opposite_fields_with_opposite_moments() -> None:
    plus, minus = film(), film()
    for kelvin, oersted in [(60.0, 5.0), (20.0, 5.0), (20.0, 900.0), (20.0, -100.0), (38.0, -100.0)]:
        assert after(minus, (kelvin, -oersted)) == -after(plus, (kelvin, oersted))


# --- type I


@pytest.mark.parametrize(
    ("element", "tc_k", "hc_oe"), [("Pb", 7.196, 803), ("In", 3.4145, 281.5), ("Sn", 3.722, 305)]
)
def test_a_type_i_sphere_screens_half_again_its_field_and_ends_at_hc(
    element: str, tc_k: float, hc_oe: float
) -> None:
    sphere = made("type_i", element=element)
    full = after(sphere, (2.0, 10.0)) * 4 * math.pi / SPHERE_CM3
    assert full == pytest.approx(-15.0, rel=1e-12)
    hc = hc_oe * (1 - (2.0 / tc_k) ** 2)
    assert after(sphere, (2.0, 0.999 * hc)) < 0.0
    assert after(sphere, (2.0, 1.001 * hc)) == after(sphere, (tc_k, 10.0)) == 0.0


def test_the_intermediate_state_joins_screening_and_the_normal_state() -> None:
    sphere = made("type_i", element="Pb", demagnetisation=0.25)
    hc = 803.0 * (1 - (2.0 / 7.196) ** 2)
    edge = 0.75 * hc
    assert after(sphere, (2.0, edge)) == pytest.approx(after(sphere, (2.0, edge * (1 + 1e-9))), rel=1e-6)
    assert after(sphere, (2.0, edge)) * 4 * math.pi / SPHERE_CM3 == pytest.approx(-hc, rel=1e-9)
    assert after(sphere, (2.0, -edge)) == -after(sphere, (2.0, edge))


def test_a_type_i_body_has_no_memory() -> None:
    sphere = made("type_i", element="Pb")
    fresh = after(sphere, (4.2, 100.0))
    assert after(sphere, (4.2, 2000.0), (4.2, -300.0), (20.0, 5.0), (4.2, 100.0)) == fresh
    assert sphere.tc_k is None


def test_an_element_nobody_listed_is_made_from_its_own_numbers() -> None:
    mercury = made("type_i", tc_k=4.154, hc_oe=411.0)
    assert isinstance(mercury, Body)
    assert "element" not in mercury.values
    assert after(mercury, (4.2, 10.0)) == 0.0 > after(mercury, (4.1, 1.0))


# --- palladium, holder


def test_palladium_at_1_t_has_the_moment_of_the_reference() -> None:
    sample = made("palladium")
    assert after(sample, (298.0, 1e4)) == pytest.approx(1.365e-2, rel=1e-9)
    assert after(sample, (298.0, -20.0)) == pytest.approx(-2.73e-5, rel=1e-9)
    assert after(made("palladium", mass_g=0.13), (298.0, 1e4)) == pytest.approx(0.6825e-2, rel=1e-9)


def test_the_susceptibility_of_palladium_has_its_maximum_near_85_k() -> None:
    sample = made("palladium")
    per_oe = [after(sample, (kelvin, 1.0)) / (0.26 * 5.25e-6) for kelvin in (2, 35, 85, 249, 400)]
    assert per_oe == pytest.approx([1.24, 1.28, 1.335, 1.085, 0.84], rel=1e-9)


def test_an_empty_holder_adds_nothing_unless_it_is_told_to() -> None:
    assert after(made("holder"), (2.0, 7e4)) == 0.0
    assert after(made("holder", chi_emu_per_oe=-2e-8), (2.0, 1e4)) == pytest.approx(-2e-4)


# --- what is refused


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            {"model": "metal"},
            "the sample model 'metal' has no magnetic moment; those that have are bilayer, nanocomposite, ",
        ),
        ({"model": "paladium"}, "there is no sample model 'paladium'; did you mean 'palladium'; the models "),
        ({"model": "palladium", "mass": 1.0}, "has no key 'mass'; did you mean 'mass_g', in "),
        ({"model": "palladium", "mass_g": 0.0}, r"mass_g = 0 g is outside \[1e-06, 1000\] g"),
        (
            {"model": "type_i"},
            r"needs tc_k \(in \[0.01, 100\] K\), hc_oe \(.*\); give them, or one of the rows Pb, In, Sn",
        ),
        ({"model": "type_i", "element": "Hg"}, "element = 'Hg' is none of Pb, In, Sn$"),
        (
            {"model": "type_i", "elment": "Pb"},
            r"no key 'elment'; did you mean 'element', in \[Pb, In, Sn\]; ",
        ),
        ({"model": "holder", "chi_emu_per_oe": 1.0}, "chi_emu_per_oe = 1 emu/Oe is outside "),
        ({"model": "bilayer", "gamma_t": 0.06, "orientation": 3.0}, "orientation = 3.0 is none of perpend"),
        ({"model": "bilayer", "gamma_t": 0.06, "substrate_mm": -1.0}, "substrate_mm = -1 mm is outside"),
        ({"model": "nanocomposite", "demagnetisation": 0.7}, r"= 0.7 *is outside \[0, 0.5\]"),
        ({"model": "nanocomposite", "creep": 0.2}, r"creep = 0.2 *is outside \[0, 0.05\]"),
    ],
)
def test_a_bad_magnetic_sample_is_refused_with_its_reason(table: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        make_magnetic_sample(table, "lab.toml")
