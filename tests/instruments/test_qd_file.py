"""The grammar of .dat files, with everything odd that real ones have."""

import math

import pytest

from onnes.instruments.qd_columns import (
    MPMS3_COLUMNS,
    chosen_fit,
    kinds_of,
    resolve,
    unknown_columns,
)
from onnes.instruments.qd_file import (
    decode,
    encode,
    has_byte,
    number,
    option_of,
    read_columns,
    read_header,
)


def test_every_byte_can_be_read_and_written_back() -> None:
    everything = bytes(range(256))
    text = decode(everything)
    assert text[0xB5] == "µ"
    assert text[0x80] == "€"
    assert text[0x81] == "\x81"  # cp1252 says nothing of it
    assert encode(text) == everything


def test_a_file_that_begins_with_the_mark_of_utf8_is_utf8() -> None:
    assert decode("µ".encode(), utf8=True) == "µ"
    assert decode(b"\xb5", utf8=True) == "\ufffd"


def test_a_character_without_a_byte_is_named() -> None:
    assert not has_byte("ρ")
    with pytest.raises(ValueError, match=r"'ρ' cannot stand in a file in cp1252"):
        encode("ρ(T)")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.4E-6", 2.4e-6),
        ("3.000338e+002", 300.0338),
        (" -1.5", -1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("INF", math.inf),
        ("-INF", -math.inf),
        ("1.#INF", math.inf),
        ("-1.#IND", math.nan),
        ("nan", math.nan),
        ("", math.nan),
        ("DC", None),
        ("1_000", None),
    ],
)
def test_a_cell_is_a_number_empty_or_something_else(text: str, value: float | None) -> None:
    assert repr(number(text)) == repr(value)


@pytest.mark.parametrize(
    ("line", "stamp", "wall"),
    [
        ("FILEOPENTIME, 29595963.16,6/4/2013,11:53 AM", 29595963.16, "2013-06-04T11:53:00"),
        ("FILEOPENTIME,3876036857.16808,10/27/2022,12:54 pm", 3876036857.16808, "2022-10-27T12:54:00"),
        ("FILEOPENTIME,11728170.84,11/09/2012,4:35 pm", 11728170.84, "2012-11-09T16:35:00"),
        ("FILEOPENTIME,1.0,11/09/2012,12:01 am", 1.0, "2012-11-09T00:01:00"),
        ("FILEOPENTIME, 0.0, ,1/11/2022 11:54:38", 0.0, "2022-01-11T11:54:38"),
        (
            "FILEOPENTIME,1164777384.812000 11/28/2006, 9:16:24 PM",
            1164777384.812,
            "2006-11-28T21:16:24",
        ),
        ("FILEOPENTIME, 1700000000.5, 11/14/2023, 22:13:20 PM", 1700000000.5, "2023-11-14T22:13:20"),
        ("FILEOPENTIME,5.0,2/31/2022,1:00 pm", 5.0, ""),
        ("FILEOPENTIME,5.0", 5.0, ""),
    ],
)
def test_every_form_of_the_opening_time_is_read(line: str, stamp: float, wall: str) -> None:
    opened = read_header(["[Header]", line]).opened
    assert opened is not None
    assert (opened.stamp, opened.wall) == (stamp, wall)


def test_an_opening_time_without_a_number_has_none() -> None:
    opened = read_header(["FILEOPENTIME,,"]).opened
    assert opened is not None
    assert math.isnan(opened.stamp)
    assert read_header([]).opened is None


def test_info_is_value_first_and_its_last_field_the_key() -> None:
    header = read_header(
        [
            "BYAPP,MPMS3 w/ AC,1.0,1.1",
            "INFO,Release 1.1.16 Build 424, MultiVu Release 2.3.4.19,APPNAME",
            "INFO,10.2,SAMPLE_MASS",
            "INFO,,SAMPLE_VOLUME",
            "INFO,12 mg,SAMPLE_SIZE",
        ]
    )
    assert header.info["APPNAME"] == "Release 1.1.16 Build 424, MultiVu Release 2.3.4.19"
    assert header.sample_mass_mg == 10.2
    assert header.info["SAMPLE_VOLUME"] == ""
    assert header.info_number("SAMPLE_VOLUME") is None
    assert header.info_number("SAMPLE_SIZE") is None
    assert header.info_number("SAMPLE_HOLDER") is None


def test_info_is_key_first_in_an_xl_and_for_the_name_of_a_ppms_program() -> None:
    xl = read_header(
        [
            "INFO,NAME,Nb, 200 nm",
            "INFO, SEQUENCE FILE: zfc.seq",
            "BYAPP,MPMS Measurement,2.1,Summary",
        ]
    )
    assert xl.info == {"NAME": "Nb, 200 nm", "SEQUENCE FILE": "zfc.seq"}
    eto = read_header(
        [
            "BYAPP, Electrical Transport Option, Release 1.1.4 Build 5",
            "INFO, APPNAME, ETOption, Release 1.1.4 Build 5",
            "INFO,SC,SAMPLE1_TYPE",
        ]
    )
    assert eto.info == {"APPNAME": "ETOption, Release 1.1.4 Build 5", "SAMPLE1_TYPE": "SC"}


def test_lines_nobody_knows_are_kept() -> None:
    header = read_header(["[Header]", "; a word", "NEWKEY,1,2", "FIELDGROUP, DC, 2,3", "TITLE, a, b", ""])
    assert header.comments == ("a word",)
    assert header.title == "a, b"
    assert ("NEWKEY", "1,2") in header.entries


@pytest.mark.parametrize(
    ("app", "option"),
    [
        ("VSM,1.0,1.0", "vsm"),
        (" LogData, 1.1, 2.0", "logdata"),
        (" Resistivity, 2.1, 1.0", "resistivity"),
        ("ACMS,1.0,1.1", "acms"),
        ("HeatCapacity", "heat_capacity"),
        (" Electrical Transport Option, Release 1.1.4 Build 5", "eto"),
        ("ACTRANSPORT,2.0,1.1", "act"),
        ("MPMS3,1.0,1.1", "mpms3"),
        ("MPMS3 w/ AC,1.0,1.1", "mpms3"),
        ("SQUID AC", "mpms3"),
        ("MPMS Measurement,2.1,Summary", "mpms_xl"),
        ("MultiVuDataFile Python class", "data_file"),
        ("Torque", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_program_names_the_option(app: str, option: str) -> None:
    assert option_of(app) == option


def test_rows_are_padded_and_commas_of_a_comment_are_its_own() -> None:
    columns = read_columns('Comment,Time Stamp (sec),A,Coil Signal" (mV)', "vsm")
    assert columns.names == ("Comment", "Time Stamp (sec)", "A", 'Coil Signal" (mV)')
    assert columns.cells(",1.5,2") == ["", "1.5", "2", ""]
    assert columns.cells("ZFC, 5 Oe, cold") == ["ZFC, 5 Oe, cold", "", "", ""]
    assert columns.cells("a, b,1.5,2,3") == ["a, b", "1.5", "2", "3"]
    assert columns.is_remark(columns.cells("ZFC 5 Oe,,,"))
    assert not columns.is_remark(columns.cells("note,1.5,2,3"))
    assert not columns.is_remark(columns.cells(",,,"))
    assert columns.cells(",1,2,3,4") == ["", "1", "2", "3", "4"]


def test_the_column_behind_a_trailing_comma_is_none() -> None:
    columns = read_columns("Time,Comment,Field (Oe),", "mpms_xl")
    assert columns.names == ("Time", "Comment", "Field (Oe)")
    assert columns.cells("1.5,cold, and dark,5,") == ["1.5", "cold, and dark", "5"]


def test_columns_of_one_name_are_told_apart() -> None:
    assert read_columns("A,,A,A", "unknown").names == ("A", "column 2", "A [2]", "A [3]")


def test_only_multivus_python_writer_quotes_the_names() -> None:
    assert read_columns('"Comment","M, raw (emu)"', "data_file").names == ("Comment", "M, raw (emu)")
    assert read_columns('"Comment","M"', "unknown").names == ('"Comment"', '"M"')


def test_columns_are_found_by_name_and_option() -> None:
    mpms3 = resolve(MPMS3_COLUMNS, "mpms3")
    assert mpms3["moment_emu"] == (1.0, (4,))
    assert mpms3["vibration_hz"] == (1.0, (8,))
    assert mpms3["ac_frequency_hz"] == (1.0, (26,))
    acms = resolve(("Frequency (Hz)", "Moment (emu)", "M-DC (emu)"), "acms")
    assert acms == {
        "ac_frequency_hz": (1.0, (0,)),
        "ac_moment_emu": (1.0, (1,)),
        "moment_emu": (1.0, (2,)),
    }
    assert resolve(("AC X'  (emu/Oe)",), "mpms3") == {"ac_in_phase_emu_per_oe": (1.0, (0,))}
    assert resolve(("Frequency (Hz)",), "unknown") == {}


def test_an_mpms3_without_evercool_has_no_unknown_column() -> None:
    assert unknown_columns([name for name in MPMS3_COLUMNS if name != "Evercool Status"], "mpms3") == []
    assert unknown_columns(["Temperature (K)", "Strain (ppm)"], "mpms3") == ["Strain (ppm)"]
    assert unknown_columns(["Strain (ppm)"], "vsm") == []
    assert kinds_of("resistivity") == ()


@pytest.mark.parametrize(
    ("fits", "moments", "used"),
    [
        ((0.97, 0.98), (1.0, 1.0), "fixed"),
        ((0.71, 0.97), (1.0, 1.0), "free"),
        ((0.71, 0.60), (1.0, 1.0), "fixed"),
        ((math.nan, math.nan), (1.0, 1.0), "fixed"),
        ((math.nan, 0.98), (1.0, 1.0), "free"),
        ((0.71, 0.97), (1.0, math.nan), "fixed"),
        ((0.97, 0.98), (math.nan, 1.0), "free"),
    ],
)
def test_a_poor_fit_at_the_given_centre_gives_way_to_a_better_one(
    fits: tuple[float, float], moments: tuple[float, float], used: str
) -> None:
    assert chosen_fit(*fits, *moments) == used
