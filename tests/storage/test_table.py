"""Header and rows: what stands in the file is what was given."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.reader import Run
from onnes.storage.run import RunFolder
from onnes.storage.table import RowWriter, RunHeader, head, whole_rows

MakeRun = Callable[[Sequence[Column]], RunFolder]
SIMULATED = {"backend": "simulated", "lab": "ppms9", "seed": 7}


@dataclass(frozen=True, slots=True)
class Sample(Point):
    kelvin: Annotated[float, Column("Temperature", "K", "of the sample")]
    curve: Annotated[int, Column("Curve", "", "number of the pass")]
    direction: Annotated[Literal["warming", "cooling"], Column("Direction", "", "of the temperature")]
    flags: Annotated[str, Column("Flags", "", "what is doubtful about it")]


COLUMNS = list(columns_of(Sample).values())
LABELS = [column.label for column in COLUMNS]


def row(*values: Any, rejected: str = "") -> bytes:
    return RowWriter(Sample, LABELS, 1).row(Sample(*values, rejected=rejected))


def test_the_header_is_the_one_that_pymeasure_reads(header: RunHeader) -> None:
    assert head(
        header, {"night": "20261120T183005Z_MB215-06_0042", "run": "09_resistivity-field_4.2K"}, COLUMNS
    ) == (
        b"#Procedure: <onnes.procedures.no_such_module.ResistanceVsField>\n"
        b'#Onnes: {"format": 1, "night": "20261120T183005Z_MB215-06_0042", '
        b'"run": "09_resistivity-field_4.2K", "backend": "simulated", "lab": "ppms9", "seed": 7}\n'
        b"#Parameters:\n"
        b"#\tExcitation current: 0.00012345678901234567 A\n"
        b"#\tAverage readings: 7\n"
        b"#\tPersistent: False\n"
        b"#Metadata:\n"
        b"#\tOnnes version: 0.1.0\n"
        b"#Data:\n"
        b"Temperature (K),Curve,Direction,Flags\n"
    )


def test_a_row_has_all_digits_and_no_spaces() -> None:
    assert row(4.2, 1, "warming", "") == b"4.2,1,warming,,1\n"
    assert (
        row(0.1 + 0.2, 12, "cooling", "link;overload") == b"0.30000000000000004,12,cooling,link;overload,1\n"
    )
    assert row(math.nan, 1, "warming", "") == b"nan,1,warming,,1\n"
    assert row(-math.inf, 1, "warming", "") == b"-inf,1,warming,,1\n"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a,b", b'"a,b"'),
        ('2" wafer', b'"2"" wafer"'),
        ("# not a comment", b'"# not a comment"'),
        ("two\nlines", b'"two\nlines"'),
        ("two\r\nlines", b'"two\r\nlines"'),
        ("only\n", b'"only\n"'),
        ("µ, Ω, é", '"µ, Ω, é"'.encode()),
    ],
)
def test_text_is_quoted_when_it_must_be(text: str, cell: bytes) -> None:
    assert row(4.2, 1, "warming", text) == b"4.2,1,warming," + cell + b",1\n"


@pytest.mark.parametrize("kelvin", [np.float64(4.5), np.float32(4.5), np.float16(4.5)])
@pytest.mark.parametrize("curve", [np.int64(2), np.uint8(2), 2])
def test_numpy_scalars_are_written_as_plain_numbers(kelvin: Any, curve: Any) -> None:
    assert row(kelvin, curve, "warming", "") == b"4.5,2,warming,,1\n"


def test_a_whole_number_in_a_column_of_floats_is_written_as_a_float() -> None:
    assert row(4, 1, "warming", "") == b"4.0,1,warming,,1\n"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((None, 1, "warming", ""), "column 'Temperature (K)' got None of type NoneType"),
        ((True, 1, "warming", ""), "column 'Temperature (K)' got True of type bool"),
        ((np.array(4.2), 1, "warming", ""), "column 'Temperature (K)' got array(4.2) of type ndarray"),
        (("4.2", 1, "warming", ""), "column 'Temperature (K)' got '4.2' of type str; it takes a number"),
        ((4.2, 1.0, "warming", ""), "column 'Curve' got 1.0 of type float; it takes a whole number"),
        ((4.2, np.bool_(True), "warming", ""), "column 'Curve' got"),
        ((4.2, 1, 3, ""), "column 'Direction' got 3 of type int; it takes text"),
        ((4.2, 1, "warming", None), "column 'Flags' got None of type NoneType"),
        ((4.2, 1, "warming", "\ud800"), "half a surrogate pair"),
    ],
)
def test_a_value_of_another_type_is_refused_before_anything_is_written(
    make_run: MakeRun, values: tuple[Any, ...], text: str
) -> None:
    run = make_run(COLUMNS)
    before = (run.path / "data.csv").read_bytes()
    for reason in ("", "noisy"):
        with pytest.raises(TypeError) as caught:
            run.append(Sample(*values, rejected=reason))
        assert text in str(caught.value)
    assert (run.path / "data.csv").read_bytes() == before
    assert run.pending() == 0
    run.append(Sample(4.2, 1, "warming", ""))
    run.close("finished")
    assert len(Run.open(run.path).data) == 1


def test_a_point_with_other_columns_is_refused(make_run: MakeRun) -> None:
    @dataclass(frozen=True, slots=True)
    class Misspelt(Point):
        kelvin: Annotated[float, Column("Temprature", "K", "of the sample")]

    run = make_run(COLUMNS)
    with pytest.raises(
        TypeError, match=r"Misspelt does not fit .* missing .*'Temperature \(K\)'.* unknown .*Temprature"
    ):
        run.append(Misspelt(4.2))
    run.close("failed")


def test_a_column_of_anything_else_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Stable(Point):
        stable: Annotated[bool, Column("Stable", "", "true when settled")]

    with pytest.raises(
        TypeError, match="column 'Stable' is declared as <class 'bool'>; a column holds float, int or"
    ):
        RowWriter(Stable, ["Stable"], 1)


def test_any_text_and_any_float_survive(make_run: MakeRun) -> None:
    draw = random.Random(0)
    letters = [
        '"',
        ",",
        "\n",
        "\r",
        "#",
        "\t",
        " ",
        ";",
        "'",
        "\\",
        "\0",
        "a",
        "é",
        "Ω",
        "\u2028",
        "\x85",
        "\U0001f9f2",
    ]
    words = ["nan", "NA", "None", "null", "inf", "1.0", "-1", "True", "", " ", '"', '""', "\n", "#", "=1+1"]
    texts = words + ["".join(draw.choices(letters, k=draw.randint(1, 12))) for _ in range(1500)]
    floats = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308]
    floats += [draw.choice([-1, 1]) * draw.random() * 10.0 ** draw.randint(-30, 30) for _ in texts]
    run = make_run(COLUMNS)
    for number, (text, value) in enumerate(zip(texts, floats, strict=False)):
        run.append(Sample(value, number, "warming", text))
        run.append(Sample(value, number, "cooling", text, rejected=text or "no text"))
    run.close("finished")
    read = Run.open(run.path)
    assert list(read.data["Flags"]) == texts
    assert [repr(value) for value in read.data["Temperature (K)"]] == [
        repr(value) for value in floats[: len(texts)]
    ]
    assert list(read.data["Curve"]) == list(range(len(texts)))
    assert list(read.rejected["Rejected"]) == [text or "no text" for text in texts]
    assert list(read.rejected["Flags"]) == texts


def test_a_row_cut_anywhere_is_not_read() -> None:
    whole = b'1,"a\nb""\n""c",1\n'
    torn = b'2,"d"",\n\n""",1\n'
    for cut in range(len(torn)):
        assert whole_rows(whole + torn[:cut]) == whole
    assert whole_rows(whole + torn) == whole + torn


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"Note": ("two\nlines", "")}, "parameter 'Note' = 'two"),
        ({"Note": ("two\rlines", "")}, "one line"),
        ({"Note": ("tab\t", "")}, "without a tab at its end"),
        ({"Note: x": ("a", "")}, "a name has no ': '"),
        ({"Onnes version": ("a", "")}, r"\['Onnes version'\] are both parameters and metadata"),
    ],
)
def test_a_parameter_that_pymeasure_could_not_read_back_is_refused(
    parameters: dict[str, tuple[str, str]], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        RunHeader("a.B", parameters, SIMULATED, {"Onnes version": "0.1.0"})


@pytest.mark.parametrize(
    ("onnes", "text"),
    [
        ({}, "has no backend; expected 'visa' or 'simulated'"),
        ({"backend": "simulated", "seed": 7}, "backend = 'simulated' without lab"),
        ({"backend": "simulated"}, "without lab and seed"),
    ],
)
def test_data_that_do_not_say_where_they_come_from_are_refused(onnes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        RunHeader("a.B", {}, onnes)


def test_a_procedure_is_named_with_its_module() -> None:
    with pytest.raises(ValueError, match="is not a dotted name"):
        RunHeader("B", {}, {"backend": "visa"})
