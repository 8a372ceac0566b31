"""The numbers of the papers."""

import pytest

from onnes.runner.paper_values import paper_values


def test_every_number_of_the_papers_is_there_under_its_key() -> None:
    values = paper_values()
    assert len(values) == 124
    assert {value.paper for value in values.values()} == {"000", "001", "002", "003"}
    assert all(key == value.id and key.startswith(value.paper) for key, value in values.items())


def test_a_field_is_in_oersted() -> None:
    hc = paper_values()["000-hc"]
    assert (hc.value, hc.unit, hc.relation, hc.role) == (32000.0, "Oe", "~", "result")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("000-hc", "~ 32000 Oe"),
        ("000-crossing-006", "32000 Oe"),
        ("000-znu", "7/3"),
        ("000-rq", "<< 6450 ohm"),
        ("000-isotherm-range", "2 to 6 K"),
        ("000-gamma-t-215", "0.54, 0.3, 0.12, 0.06"),
    ],
)
def test_a_number_reads_as_in_the_paper(key: str, text: str) -> None:
    assert paper_values()[key].text == text


def test_a_list_of_numbers_is_a_tuple() -> None:
    assert paper_values()["000-isotherm-range"].value == (2.0, 6.0)


def test_the_numbers_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        paper_values()["000-hc"] = paper_values()["000-znu"]  # type: ignore[index]
