from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.runner.sample_file import load_sample_file
from onnes.sim.samples import has_moment, make_magnetic_sample, make_sample

SAMPLES = Path(__file__).parents[2] / "examples" / "samples"
MINIMAL = 'sample = 1\nid = "a"\n[geometry]\nshape = "film"\n'


def _problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_sample_file(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_sample_can_be_mounted_in_the_virtual_lab(path: Path) -> None:
    sample = load_sample_file(path)
    assert sample.id == path.stem
    mountings: list[str | None] = [*sample.mounting] if sample.mounting else [None]
    for mounting in mountings:
        table = sample.virtual_sample(mounting)
        if has_moment(table):
            body = make_magnetic_sample(table, str(path))
            body.update(5.0, 1e4, 0.0)
            assert body.moment_emu() != 0
        if sample.contacts.kind:
            assert make_sample(table, str(path)).voltage(1e-6, 300.0, 0.0, 0.0) > 0


def test_the_geometry_is_in_cm_and_what_is_mounted_in_mm_and_nm() -> None:
    sample = load_sample_file(SAMPLES / "MB215-06.toml")
    assert sample.geometry_cm() == {
        "length_cm": 0.2,
        "width_cm": 0.1,
        "thickness_cm": 2.15e-5,
        "lateral_1_cm": 0.5,
        "lateral_2_cm": 0.5,
    }
    assert sample.geometry_uncertainty_cm() == {"length_cm": 0.01, "width_cm": 0.01, "thickness_cm": 5e-7}
    assert sample.virtual_sample() == {
        "length_mm": 2.0,
        "width_mm": 1.0,
        "thickness_nm": 215.0,
        "model": "bilayer",
        "gamma_t": 0.06,
        "lateral_mm": 5.0,
    }


def test_the_limits_of_a_sample_name_file_and_line() -> None:
    limits = load_sample_file(SAMPLES / "MB215-06.toml").plan_limits()
    assert limits.temperature is not None
    assert (limits.temperature.low, limits.temperature.high) == (1.9, 320.0)
    assert limits.current is not None
    assert limits.current.high == 5e-4
    line = next(
        number
        for number, text in enumerate((SAMPLES / "MB215-06.toml").read_text(encoding="utf-8").splitlines(), 1)
        if text.startswith('current = "500 uA"')
    )
    assert limits.current.set_by.endswith(f"examples/samples/MB215-06.toml:{line} limits.current")
    assert limits.field is None


def test_a_sample_needs_no_more_than_an_id_and_a_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    sample = load_sample_file(path)
    assert sample.geometry_cm() == {}
    assert sample.virtual_sample() == {}


BAR = """sample = 1
id = "bar"
[geometry]
shape = "bar"
length = "5 mm"
mass = "12.3 mg"
demagnetisation = "aharoni"
background = "holder.toml"
[mounting.long_axis]
field_along = "long axis"
axis = "length"
"""


def test_what_a_moment_is_judged_by_is_told_with_the_mounting(tmp_path: Path) -> None:
    (tmp_path / "holder.toml").write_text("", encoding="utf-8")
    (tmp_path / "a.toml").write_text(BAR, encoding="utf-8")
    assert load_sample_file(tmp_path / "a.toml").body("long_axis") == {
        "shape": "bar",
        "mass_g": 0.0123,
        "demagnetisation": "aharoni",
        "background": str((tmp_path / "holder.toml").resolve()),
        "axis": "length",
        "field_along": "long axis",
    }


def test_the_twin_is_mounted_as_the_sample_is_where_its_model_knows_a_direction() -> None:
    film, bar = (load_sample_file(SAMPLES / f"{name}.toml") for name in ("TS-01", "NC-01"))
    assert film.virtual_sample("parallel")["orientation"] == "parallel"
    assert "orientation" not in bar.virtual_sample("long_axis")
    names = film.mounting["perpendicular"], film.mounting["parallel"]
    named = film.model_copy(update={"mounting": dict(zip(("flat", "edge"), names, strict=True))})
    assert [named.virtual_sample(name)["orientation"] for name in ("flat", "edge")] == [
        "perpendicular",
        "parallel",
    ]
    assert load_sample_file(SAMPLES / "PD-01.toml").virtual_sample()["mass_g"] == 0.26


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MINIMAL + "lenght = '2 mm'\n", "5:1: unknown key 'geometry.lenght'; did you mean 'length'?"),
        (MINIMAL + "length = '2'\n", "5:1: geometry.length: '2' has no unit; expected a length; e.g. '2 m'"),
        (MINIMAL + "length = 2\n", "5:1: geometry.length: '2' has no unit; expected a length; e.g. '2 m'"),
        (MINIMAL + "length = '2 K'\n", "5:1: geometry.length: '2 K' is a temperature; expected a length"),
        (MINIMAL + "length = 'nan mm'\n", "5:1: geometry.length: 'nan mm' is not a finite number"),
        (MINIMAL + "length = '0 mm'\n", "5:1: geometry.length is not above zero"),
        (MINIMAL + "mass = '0 mg'\n", "5:1: geometry.mass is not above zero"),
        (MINIMAL + "lateral = ['5 mm', '0 mm']\n", "5:1: geometry.lateral is not above zero"),
        (
            MINIMAL + "demagnetisation = 1.2\n",
            "5:1: geometry.demagnetisation: 1.2 is no demagnetising factor",
        ),
        (
            MINIMAL + "demagnetisation = 'aharony'\n",
            "5:1: geometry.demagnetisation: 'aharony' is no demagnetising factor; expected one of aharoni",
        ),
        (MINIMAL + "background = 'none.toml'\n", "5:1: geometry.background: there is no file"),
        (
            MINIMAL + "[mounting.flat]\nfield_along = 'normal'\naxis = 'c'\n",
            "7:1: mounting.flat.axis = 'c' is not allowed; expected 'length', 'width' or 'thickness'",
        ),
        (MINIMAL + "[limits]\ncurrent = '0 A'\n", "6:1: limits.current is not above zero"),
        (MINIMAL + "[limits]\ntemperature = '9..2 K'\n", "6:1: limits.temperature: '9..2 K' goes down"),
        (MINIMAL + "[limits]\nfield = '9 T'\n", "6:1: unknown key 'limits.field'"),
        (MINIMAL + "[virtual]\ngamma_t = 0.06\n", "5:1: virtual has no model"),
        (MINIMAL.replace('"a"', '"a/b"'), "2:1: id = 'a/b'"),
        (MINIMAL.replace("film", "flim"), "4:1: geometry.shape = 'flim' is not allowed"),
        ("sample = 1\n[geometry]\nshape = 'film'\n", "1:1: the key 'id' is missing"),
        ("sample = 2\nid = 'a'\n[geometry]\nshape = 'film'\n", "1:1: sample = 2"),
        ("sample = \n", "1:10: "),
    ],
)
def test_a_wrong_sample_file_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = _problems(tmp_path, text)
    assert found.startswith(problem)


def test_a_sample_file_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"a\.toml: no such file"):
        load_sample_file(tmp_path / "a.toml")


def test_a_standard_says_so_to_the_analysis(tmp_path: Path) -> None:
    text = (SAMPLES / "PD-01.toml").read_text(encoding="utf-8")
    path = tmp_path / "PD-01.toml"
    path.write_text(text, encoding="utf-8")
    assert load_sample_file(path).body("straw")["standard"] == "palladium"
    path.write_text(text.replace('standard = "palladium"', 'standard = "nickel"'), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="palladium"):
        load_sample_file(path)
