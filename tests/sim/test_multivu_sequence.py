"""Lines of a MultiVu sequence: the known ones, and what is wrong with the others."""

import pytest

from onnes.sim.magnetometer import MomentScan
from onnes.sim.multivu_sequence import (
    ChainTo,
    ChangeFile,
    Command,
    FileComment,
    GoToField,
    GoToTemperature,
    WaitFor,
    parse_line,
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("TMP TEMP 5.000000 3.000000 0", GoToTemperature(5.0, 3.0, 0)),
        ("FLD FIELD -1000.0 20.0 2 1", GoToField(-1000.0, 20.0, 2, 1)),
        ("WAI WAITFOR 60 1 0 0 0 0", WaitFor(60.0, True, False)),
        ("WAI WAITFOR 0 0 1 1 1 2", WaitFor(0.0, False, True)),
        (r'CDF "C:\QdMultiVu\Data\night.dat"', ChangeFile("night.dat")),
        ('CDF "../../night.dat"', ChangeFile("night.dat")),
        ('DFC "ZFC 5 Oe"', FileComment("ZFC 5 Oe")),
        ("CHN night_01_zfc-fc_a1.seq", ChainTo("night_01_zfc-fc_a1.seq")),
        ("MES MOMENT rso 30 2 1.0 5", MomentScan("rso", 30.0, 2, 1.0, 5)),
        ("  MES MOMENT dc 35.0 3 0 0 ", MomentScan("dc", 35.0, 3, 0.0, 0)),
        ("REM measures nothing", None),
        ("!TMP TEMP 5 3 0", None),
        ("", None),
    ],
)
def test_a_known_line_says_what_it_asks_for(line: str, command: Command | None) -> None:
    assert parse_line(line) == command


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("LPT SCANT 300 5 2 10 0 0", "unknown line 'LPT SCANT 300 5 2 10 0 0'"),
        ("TMP TEMPO 5 3 0", "unknown line"),
        ("TMP TEMP 5 3", "TMP TEMP takes 3 numbers, not 2: '5 3'"),
        ("TMP TEMP five 3 0", "TMP TEMP takes 3 numbers, not 'five 3 0'"),
        ("TMP TEMP nan 3 0", "TMP TEMP takes finite numbers"),
        ("TMP TEMP 5 3 2", "approach = 2 is none of 0, 1"),
        ("FLD FIELD 0 100 3 1", "approach = 3 is none of 0, 1, 2"),
        ("FLD FIELD 0 100 0 2", "end mode = 2 is none of 0, 1"),
        ("WAI WAITFOR -1 1 1 0 0 0", "delay = -1 s is negative"),
        ("WAI WAITFOR 1 1 2 0 0 0", "wait for = 2 is none of 0, 1"),
        ("CDF night.dat", "CDF wants a text in quotes, not 'night.dat'"),
        ("MES MOMENT ac 30 1 0 0", "MES MOMENT 'ac' is none of dc, rso, vsm"),
        ("MES MOMENT dc 30 0 0 0", "MES MOMENT wants a length above 0 mm, 1 or more scans"),
        ("MES MOMENT dc 30 1.5 0 0", "1 or more scans"),
    ],
)
def test_a_line_that_multivu_would_not_take_says_why(line: str, problem: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is looked at below
        parse_line(line)
    assert problem in str(error.value)
