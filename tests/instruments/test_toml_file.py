"""TOML with lines: every problem at once."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.toml_file import Problem, line_of, load_toml


class Inner(BaseModel, extra="forbid"):
    size: int
    colour: str = "red"


class Outer(BaseModel, extra="forbid"):
    name: str
    inner: dict[str, Inner]
    many: list[Inner] = []


def write(folder: Path, text: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(text, encoding="utf-8")
    return path


def error_of(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_toml(path, Outer)
    return str(caught.value).replace(str(path), "lab.toml").splitlines()


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "x"\n[inner.a]\nsize = 3\n')
    assert load_toml(path, Outer).inner["a"].size == 3


def test_every_problem_is_told_at_once_with_its_line_sorted(tmp_path: Path) -> None:
    text = '[[many]]\nsize = 1\n[[many]]\nsize = "big"\n\n[inner.a]\ncolor = "blue"\n'
    assert error_of(write(tmp_path, text)) == [
        "lab.toml:1:1: the key 'name' is missing",
        "lab.toml:4:1: many.1.size = 'big': input should be a valid integer, "
        "unable to parse string as an integer",
        "lab.toml:6:1: the key 'inner.a.size' is missing",
        "lab.toml:7:1: unknown key 'inner.a.color'; did you mean 'colour'?",
    ]


def test_a_key_of_an_inline_table_has_the_line_of_the_table(tmp_path: Path) -> None:
    text = 'name = "x"\n\n[inner]\na = { size = 1, weight = 2 }\n'
    assert error_of(write(tmp_path, text)) == [
        "lab.toml:4:1: unknown key 'inner.a.weight'; expected one of size, colour"
    ]


def test_bad_syntax_has_line_and_column(tmp_path: Path) -> None:
    assert error_of(write(tmp_path, 'name = "x"\nsize 3\n')) == [
        "lab.toml:2:6: expected '=' after a key in a key/value pair; expected TOML"
    ]


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "")
    with pytest.raises(ConfigurationError, match=r"lbb\.toml: no such file; did you mean 'lab\.toml'\?"):
        load_toml(tmp_path / "lbb.toml", Outer)
    with pytest.raises(ConfigurationError, match="no such file; there is no folder"):
        load_toml(tmp_path / "nowhere" / "lab.toml", Outer)


def test_a_folder_instead_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read|Permission"):
        load_toml(tmp_path, Outer)


def test_another_encoding_than_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_bytes(b'name = "x"\n# \xb5A\n')
    assert error_of(path) == ["lab.toml:2:1: not UTF-8 text; save the file as UTF-8"]


def test_what_only_the_whole_file_shows_is_told_at_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "x"\n[inner.a]\nsize = 3\n')
    with pytest.raises(ConfigurationError, match=r"lab\.toml:3:1: too small"):
        load_toml(path, Outer, lambda _: [Problem(("inner", "a", "size"), "too small")])


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("a",), 1),
        (("b", "c"), 2),
        (("list", 3), 3),
        (("text",), 7),
        (("t", "q r", "k"), 11),
        (("t", "q r", "missing"), 10),
        (("nowhere",), 1),
        (("p", 0, "n"), 13),
        (("p", 1, "n"), 15),
    ],
)
def test_the_line_of_a_key_is_found(place: tuple[str | int, ...], line: int) -> None:
    text = (
        "a = 1\nb.c = 2\nlist = [\n  'k = 3', # ]\n  '[x]',\n]\ntext = '''\nz = 4\n'''\n"
        '[t."q r"] # comment\nk=1\n[[p]]\nn=1\n[[p]]\nn=2\n'
    )
    assert line_of(text, place) == line
