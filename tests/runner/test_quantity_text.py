from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from onnes.runner.problems import PlacedError
from onnes.runner.quantity_text import Sweep, grid, read_sweep, read_values
from onnes.runner.yaml_text import Table, read_yaml


def _given(text: str) -> object:
    tree, problems = read_yaml(f"it: {text}\n")
    assert problems == []
    assert isinstance(tree, Table)
    return tree["it"]


def _numbers(text: str, kind: str) -> list[Decimal]:
    return [typed.number for typed in read_values(_given(text), kind)]


def test_a_grid_of_tenths_does_not_creep() -> None:
    values = grid("2..60 K step 0.2 K", "temperature")
    assert values == tuple(Decimal(20 + 2 * index) / 10 for index in range(291))
    assert [float(value) for value in values[286:]] == [59.2, 59.4, 59.6, 59.8, 60.0]


@pytest.mark.parametrize("step", ["0.1", "0.3", "0.7", "1", "7.7", "25"])
@pytest.mark.parametrize(("first", "last"), [("2", "60"), ("60", "2"), ("-9", "9"), ("0.3", "-4.1")])
def test_a_grid_runs_from_its_first_end_to_its_last_in_even_steps(first: str, last: str, step: str) -> None:
    values = grid(f"{first}..{last} T step {step} T", "field")
    start, end, by = (Fraction(text) * 10_000 for text in (first, last, step))
    assert (Fraction(values[0]), Fraction(values[-1])) == (start, end)
    steps = [abs(Fraction(b) - Fraction(a)) for a, b in pairwise(values)]
    assert set(steps[:-1]) <= {by}
    assert 0 < steps[-1] <= by


def test_the_end_is_measured_even_where_the_step_misses_it() -> None:
    assert _numbers("2..3 K step 0.4 K", "temperature") == [Decimal(x) for x in ("2", "2.4", "2.8", "3")]


def test_a_grid_goes_down_when_its_range_does() -> None:
    assert _numbers("3 K .. 1 K step 500 mK", "temperature") == [
        Decimal(x) for x in ("3", "2.5", "2", "1.5", "1")
    ]


@pytest.mark.parametrize("spaced", ["linear", "log", "inverse", "square", "root"])
@pytest.mark.parametrize("ends", ["2..300 K", "300 K .. 2 K"])
def test_points_include_both_ends_and_go_one_way(ends: str, spaced: str) -> None:
    values = grid(f"{ends} points 31 spaced {spaced}", "temperature")
    assert len(values) == 31
    assert {values[0], values[-1]} == {2, 300}
    assert list(values) == sorted(values, reverse=values[0] > values[-1])


def test_points_are_even_in_the_spacing_that_is_asked_for() -> None:
    assert list(map(int, grid("0..1 T points 5", "field"))) == [0, 2500, 5000, 7500, 10000]
    assert [round(x, 12) for x in grid("1..100 K points 3 spaced log", "temperature")] == [1, 10, 100]
    assert round(1 / grid("1..2 K points 3 spaced inverse", "temperature")[1], 20) == Decimal("0.75")
    assert grid("0..4 T points 3 spaced root", "field")[1] == 10000
    squares = [x * x for x in grid("0..2 T points 5 spaced square", "field")]
    assert [round(x) for x in squares] == [0, 10**8, 2 * 10**8, 3 * 10**8, 4 * 10**8]


def test_square_spacing_through_zero_keeps_the_order() -> None:
    values = grid("-1..1 T points 5 spaced square", "field")
    assert list(values) == sorted(values)
    assert values[2] == 0


def test_lists_are_joined_in_order_and_an_equal_value_at_a_joint_is_taken_once() -> None:
    assert _numbers("[0..1 T step 0.5 T, 1..3 T step 1 T, 7 T]", "field") == [
        0,
        5000,
        10000,
        20000,
        30000,
        70000,
    ]
    assert _numbers("[[2 K, 3 K], [3 K, 2 K]]", "temperature") == [2, 3, 2]


def test_every_number_remembers_where_it_was_typed() -> None:
    values = read_values(_given("[2 K, 3..4 K step 1 K]"), "temperature")
    assert [(typed.place.line, typed.place.column) for typed in values] == [(1, 6), (1, 11), (1, 11)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2..60 K step 0 K", "has a step of zero; expected a step above 0"),
        ("2..60 K step -1 K", "below zero; expected a step above 0"),
        ("2..60 K step 1", "'1' has no unit; expected a temperature"),
        ("2..60 K step 1 T", "'1 T' is a field; expected a temperature"),
        ("5..5 K step 1 K", "starts where it ends"),
        ("2..60 K", "does not say which values; expected a step or a number of points"),
        ("2..60 K points 1", "has 1 points; expected a whole number from 2 up"),
        ("2..60 K points 2.5", "has 2.5 points; expected a whole number from 2 up"),
        (
            "2..60 K points 11 spaced logarithmic",
            "unknown spacing 'logarithmic'; expected one of linear, log",
        ),
        ("1..60 K step 1 nK", "unknown unit 'nK'"),
        ("2..300 K step 0.001 mK", "values; expected at most 100000"),
        ("0..5 K step 1 K", "reaches 0 K or below; expected temperatures above 0 K"),
        ("2..60 K stp 1 K", "unknown unit 'K stp 1 K'"),
        ("[]", "an empty list; expected a temperature"),
        ("[2 K, [], 3 K]", "an empty list"),
        ("{a: 1}", "a table is no quantity"),
    ],
)
def test_values_that_say_nothing_sensible_are_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(PlacedError, match=problem):
        read_values(_given(text), "temperature")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-1..1 T points 11 spaced log", "both ends above 0 needed"),
        ("0..1 T points 11 spaced log", "both ends above 0 needed"),
        ("-2..-1 T points 11 spaced inverse", "both ends above 0 needed"),
        ("-1..1 T points 11 spaced root", "both ends at 0 or above needed"),
    ],
)
def test_a_spacing_that_has_no_meaning_there_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        grid(text, "field")


def test_every_wrong_item_of_a_list_is_reported_at_its_own_place() -> None:
    with pytest.raises(PlacedError) as caught:
        read_values(_given("[nan K, 2 K, 3, 4 T]"), "temperature")
    assert [problem.place.column for problem in caught.value.problems] == [6, 18, 21]


def _sweep(text: str, kind: str = "temperature") -> Sweep:
    given = _given(text)
    assert isinstance(given, Table)
    return read_sweep(given, kind)


def test_a_sweep_is_measured_every_step_or_every_so_many_seconds() -> None:
    by_step = _sweep("{sweep: 300 K .. 2 K, rate: 2 K/min, every: 0.2 K}")
    assert (float(by_step.first), float(by_step.last), float(by_step.rate)) == (300, 2, 2)
    assert by_step.every_s is None
    assert by_step.every_step is not None
    assert float(by_step.every_step) == 0.2
    by_time = _sweep("{sweep: 0..1 T, rate: 20 Oe/s, every: 1 min}", "field")
    assert by_time.every_s is not None
    assert float(by_time.every_s) == 60
    assert by_time.every_step is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{sweep: 300..2 K, rate: 2 K/min}", "a sweep without 'every'"),
        ("{sweep: 300..2 K, rate: 2 K/min, evry: 1 K}", "unknown key 'evry'.*did you mean 'every'"),
        ("{sweep: 300..2 K, rate: 0 K/min, every: 1 K}", "the rate '0 K/min' never gets anywhere"),
        ("{sweep: 300..2 K, rate: 2, every: 1 K}", "'2' has no unit; expected a temperature rate"),
        ("{sweep: 300..2 K, rate: 2 K/min, every: 0 s}", "the interval '0 s' never gets anywhere"),
        ("{sweep: 300..2 K, rate: 2 K/min, every: 1 T}", "'1 T' is a field.*or a time"),
        ("{sweep: 2..2 K, rate: 2 K/min, every: 1 K}", "starts where it ends"),
        ("{sweep: 300..0 K, rate: 2 K/min, every: 1 K}", "reaches 0 K or below"),
        ("{sweep: [300 K, 2 K], rate: 2 K/min, every: 1 K}", "a list is no range"),
    ],
)
def test_a_sweep_that_cannot_be_done_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PlacedError, match=problem):
        _sweep(text)


@pytest.mark.parametrize("every", ["1 ms", "1e-9 K"])
def test_a_sweep_of_more_points_than_memory_is_refused(every: str) -> None:
    table = _given(f"{{sweep: 300 K .. 2 K, rate: 1 mK/min, every: {every}}}")
    assert isinstance(table, Table)
    with pytest.raises(PlacedError) as refused:
        read_sweep(table, "temperature")
    assert "points; expected at most 100000" in refused.value.problems[0].text
