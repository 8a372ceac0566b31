import pytest

from onnes.runner.problems import Place
from onnes.runner.yaml_text import Items, Table, Text, read_yaml


def _tree(text: str) -> Table:
    tree, problems = read_yaml(text)
    assert problems == []
    assert isinstance(tree, Table)
    return tree


def test_scalars_stay_the_text_that_was_typed() -> None:
    tree = _tree("a: 0.10\nb: 1e-3\nc: off\nd: no\ne: 'true'\nf: 2026-01-01\n")
    assert list(tree.values()) == ["0.10", "1e-3", "off", "no", "true", "2026-01-01"]
    assert [value.is_plain for value in tree.values()] == [True, True, True, True, False, True]


def test_every_key_and_value_knows_its_line_and_column() -> None:
    tree = _tree("first: 1\nlist:\n  - {deep: 10 K}\n")
    assert tree.key_places["list"] == Place(2, 1)
    items = tree["list"]
    assert isinstance(items, Items)
    table = items[0]
    assert isinstance(table, Table)
    assert table.key_places["deep"] == Place(3, 6)
    deep = table["deep"]
    assert isinstance(deep, Text)
    assert deep.place == Place(3, 12)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("a: &x 1\n", (1, 4), "anchor '&x'"),
        ("a: 1\nb: *a\n", (2, 4), "alias '*a'"),
        ("a: {<<: {b: 1}}\n", (1, 5), "merge key '<<'"),
        ("a: !!int 1\n", (1, 4), "tag 'tag:yaml.org,2002:int'"),
        ("a: !python/name:os.system 1\n", (1, 4), "tag '!python/name:os.system'"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "key 'a' again; it is given in line 1 already"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document"),
        ("[a]: 1\n", (1, 1), "a key that is no word"),
        ("a: [1\n", (2, 1), "this is not YAML"),
        ("a:\n\t- b\n", (2, 1), "this is not YAML: found character '\\t'"),
        ("a: \x07\n", (1, 4), "this is not YAML: unacceptable character"),
        ("a: b: c\n", (1, 5), "this is not YAML: mapping values are not allowed here"),
        ("a: " + 60 * "[" + 60 * "]" + "\n", (1, 44), "this is not YAML: more than 40 levels"),
    ],
)
def test_what_says_more_than_one_sees_is_refused(text: str, place: tuple[int, int], problem: str) -> None:
    _, problems = read_yaml(text)
    assert [(found.place.line, found.place.column) for found in problems] == [place]
    assert problems[0].text.startswith(problem)


def test_all_that_is_refused_is_reported_at_once() -> None:
    _, problems = read_yaml("a: &x 1\nb: !t 2\na: 3\n")
    assert [problem.place.line for problem in problems] == [1, 2, 3]
