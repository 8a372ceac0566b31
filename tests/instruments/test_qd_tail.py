"""A growing file is followed whatever becomes of it: torn rows, a new header, another file in its place."""

import re
import shutil
from pathlib import Path

import pytest

from onnes.instruments.errors import StorageError
from onnes.instruments.qd_tail import DatTail
from tests.qd_files import ACMS, MPMS3_HEAD, MPMS3_ROW, XL_DC, XL_RSO, crlf, dc_row, mpms3_row, real

HEAD = crlf(*MPMS3_HEAD, "[Data]", MPMS3_ROW)
STAMP = 4004000000.0


def row(number: int, moment: float = -1e-4) -> bytes:
    return crlf(dc_row(STAMP + number, 2.0 + number, moment))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "film.dat"


@pytest.fixture
def tail(path: Path) -> DatTail:
    return DatTail(path)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def kelvins(tail: DatTail) -> list[float]:
    return [row.values["temperature_k"] for row in tail.poll().rows]


def test_a_file_that_is_still_to_come_has_nothing(tail: DatTail) -> None:
    news = tail.poll()
    assert (news.rows, news.remarks, news.size, news.exists) == ((), (), 0, False)


def test_rows_come_once_and_whole(tail: DatTail, path: Path) -> None:
    first, second = row(0), row(1)
    append(path, HEAD + first + second[:50])
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [2.0]
    assert news.rows[0].line == 13
    assert news.size == path.stat().st_size
    assert tail.poll().rows == ()
    append(path, second[50:-1])  # all but the newline
    assert tail.poll().rows == ()
    append(path, b"\n")
    assert kelvins(tail) == [3.0]
    assert tail.poll().rows == ()


def test_a_header_may_still_grow(tail: DatTail, path: Path) -> None:
    for byte in range(0, len(HEAD), 37):
        append(path, HEAD[byte : byte + 37])
        assert tail.poll().rows == ()
    append(path, row(0))
    assert kelvins(tail) == [2.0]
    assert tail.header.option == "mpms3"
    assert tail.header.sample_mass_mg == 1.35


def test_a_dc_row_has_both_fits_and_the_better_one_as_its_moment(tail: DatTail, path: Path) -> None:
    poor = mpms3_row(
        stamp=STAMP, kelvin=2.0, oe=5.0, fixed=-1.0, fixed_error=0.1, free=-1.045, free_error=0.2,
        fixed_fit=0.71, free_fit=0.97, centre=32.5,
    )  # fmt: skip
    append(path, HEAD + row(0) + crlf(poor))
    good, better = tail.poll().rows
    assert good.kind == "dc"
    assert good.values["moment_emu"] == good.values["moment_fixed_emu"] == -1e-4
    assert better.values["moment_fixed_emu"] == -1.0
    assert better.values["moment_emu"] == -1.045
    assert better.values["moment_error_emu"] == 0.2
    assert better.values["centre_cm"] == pytest.approx(3.25)


def test_rows_of_one_file_are_of_several_kinds(tail: DatTail, path: Path) -> None:
    append(
        path,
        HEAD
        + row(0)
        + crlf(
            mpms3_row(stamp=STAMP + 1, kelvin=2.0, oe=5.0, moment=-2e-4, error="1E-9", hz=14.0),
            mpms3_row(stamp=STAMP + 2, kelvin=2.0, oe=5.0, ac=3e-6, x=1e-6, drive=3.0),
            mpms3_row(stamp=STAMP + 3, kelvin=2.0, oe=5.0),
            "ZFC 5 Oe,,",
        ),
    )
    rows = tail.poll().rows
    assert [found.kind for found in rows] == ["dc", "vsm", "ac", "other", "remark"]
    assert "ac_frequency_hz" not in rows[1].values
    assert rows[1].values["vibration_hz"] == 14.0
    assert rows[4].comment == "ZFC 5 Oe"
    assert rows[4].values == {}


def test_what_was_not_measured_is_absent(tail: DatTail, path: Path) -> None:
    append(path, HEAD + crlf(f",{STAMP},2.0"))
    assert tail.poll().rows[0].values == {"time_stamp_s": STAMP, "temperature_k": 2.0}


def test_another_file_in_its_place_is_read_from_its_start(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0) + row(1))
    tail.poll()
    beside = path.with_name("beside.dat")
    beside.write_bytes(HEAD.replace(b"a film", b"A FILM") + row(0) + row(1) + row(2) + row(3))
    beside.replace(path)
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [4.0, 5.0]
    assert news.remarks == (
        "film.dat: another file has taken its place; it is read anew from its start",
        "film.dat: 2 rows had been read before",
    )
    assert tail.poll().remarks == ()


def test_a_file_written_anew_in_place_is_noticed_by_its_head(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0))
    tail.poll()
    with path.open("r+b") as file:
        file.write(HEAD.replace(b"a film", b"A FILM") + row(7) + row(8))
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [9.0, 10.0]
    assert "another file has taken its place" in news.remarks[0]


def test_rows_that_were_written_over_are_noticed(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0) + row(1))
    tail.poll()
    with path.open("r+b") as file:
        file.write(HEAD + row(0) + row(5) + row(6))
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [7.0, 8.0]
    assert "rows that were read have been written over" in news.remarks[0]


def test_a_share_that_numbers_its_files_anew_at_each_look_is_followed_without_a_word(
    tail: DatTail, path: Path
) -> None:
    append(path, HEAD + row(0))
    assert kelvins(tail) == [2.0]
    for number in (1, 2):
        copy = path.with_suffix(".copy")
        shutil.copyfile(path, copy)
        copy.replace(path)  # the same bytes, another number of the file
        append(path, row(number))
        news = tail.poll()
        assert [found.values["temperature_k"] for found in news.rows] == [2.0 + number]
        assert news.remarks == ()


def test_a_file_that_becomes_shorter_is_said_and_read_anew(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0) + row(1))
    size = tail.poll().size
    with path.open("r+b") as file:
        file.truncate(len(HEAD + row(0)))
    news = tail.poll()
    assert news.rows == ()
    shorter = len(HEAD + row(0))
    assert news.remarks[0] == (
        f"film.dat: it has become shorter, {shorter} bytes where {size} were read; "
        "it is read anew from its start"
    )
    append(path, row(2))
    assert kelvins(tail) == [4.0]


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (len(HEAD + row(0)) - 40, "line 13: .* cells where others have .*, so a row has run into another"),
        (len(HEAD) - 60, "line 12: a row has run into the row of columns"),
        (HEAD.index(b"4004") + 5, "line 4: .* cells where others have .*, so a row has run into another"),
    ],
)
def test_of_a_file_that_is_cut_in_a_line_the_next_row_is_lost_and_no_other(
    tail: DatTail, path: Path, left: int, says: str
) -> None:
    append(path, HEAD + row(0))
    tail.poll()
    with path.open("r+b") as file:
        file.truncate(left)
    append(path, row(1) + row(2))
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [4.0]
    _, broken = news.remarks
    assert re.search(says, broken)
    append(path, row(3))
    assert kelvins(tail) == [5.0]


def test_an_emptied_file_is_followed_on(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0))
    tail.poll()
    path.write_bytes(b"")
    assert "shorter, 0 bytes" in tail.poll().remarks[0]
    append(path, HEAD + row(0) + row(1))
    assert kelvins(tail) == [3.0]


def test_a_file_that_goes_and_comes_back_repeats_nothing(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0))
    tail.poll()
    content = path.read_bytes()
    path.unlink()
    gone = tail.poll()
    assert (gone.exists, gone.size, gone.remarks) == (False, 0, ("film.dat is gone",))
    assert tail.poll().remarks == ()
    path.write_bytes(content + row(1))
    assert kelvins(tail) == [3.0]


def test_a_folder_that_is_away_is_no_file_that_is_gone(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0))
    tail.poll()
    away = path.parent.with_name("away")
    path.parent.rename(away)
    with pytest.raises(StorageError, match=r"cannot read .*film\.dat: .*; bring the drive back"):
        tail.poll()
    away.rename(path.parent)
    append(path, row(1))
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [3.0]
    assert news.remarks == ()


def test_two_rows_of_one_time_both_come(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0) + row(0))
    assert kelvins(tail) == [2.0, 2.0]


def test_columns_may_change_in_the_middle(tail: DatTail, path: Path) -> None:
    append(path, HEAD + row(0))
    tail.poll()
    append(
        path,
        crlf(*MPMS3_HEAD, "[Data]", "Comment,Time Stamp (sec),Moment (emu),Temperature (K)")
        + crlf(f",{STAMP + 9},-3E-4,9.0"),
    )
    news = tail.poll()
    assert [(found.kind, found.values["temperature_k"]) for found in news.rows] == [("vsm", 9.0)]
    assert news.remarks == (
        "film.dat: line 14: a second header",
        "film.dat: the columns are others from line 25 on",
    )


def test_an_unknown_column_is_said_once(tail: DatTail, path: Path) -> None:
    append(path, crlf(*MPMS3_HEAD, "[Data]", MPMS3_ROW + ",Strain (ppm)") + row(0))
    assert tail.poll().remarks == ("film.dat: unknown column 'Strain (ppm)'; it is left out",)
    append(path, row(1))
    assert tail.poll().remarks == ()


def test_a_word_in_the_place_of_a_number_is_said_and_left_out(tail: DatTail, path: Path) -> None:
    append(path, HEAD + crlf(mpms3_row(stamp=STAMP, kelvin="cold", oe=5.0, moment=1e-4)))
    news = tail.poll()
    assert "temperature_k" not in news.rows[0].values
    assert news.rows[0].values["field_oe"] == 5.0
    assert news.remarks == ("film.dat: line 13: Temperature (K) = 'cold' is no number; left out",)


def test_files_of_other_options_are_followed_too(tmp_path: Path) -> None:
    for content, kinds, moment in [
        (XL_DC, ["dc", "dc"], -1.5e-3),
        (XL_RSO, ["rso"], -1.5e-3),
        (ACMS, ["dc", "ac"], -1.5e-3),
    ]:
        path = tmp_path / "other.dat"
        path.write_bytes(content)
        rows = DatTail(path).poll().rows
        assert [found.kind for found in rows] == kinds
        assert rows[0].values["moment_emu"] == moment


def test_a_file_in_utf8_is_read_as_such(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + HEAD + "µ".encode() + b"\r\n")
    assert DatTail(path).poll().rows[0].comment == "µ"


def test_each_look_reads_only_what_is_new(tail: DatTail, path: Path) -> None:
    append(path, HEAD + b"".join(row(number) for number in range(100, 600)))
    assert len(tail.poll().rows) == 500
    with path.open("r+b") as file:  # nothing of the rows in the middle is looked at again
        file.seek(len(HEAD) + 100 * len(row(100)))
        file.write(b"x" * len(row(100)) * 100)
    append(path, row(600))
    news = tail.poll()
    assert [found.values["temperature_k"] for found in news.rows] == [602.0]
    assert news.remarks == ()


def test_two_hundred_thousand_rows_come_once_each_and_a_look_costs_what_is_new(
    tail: DatTail, path: Path
) -> None:
    """The file stays open, so that the writing costs little; 100 looks at 2000 new rows each."""
    stamps: list[float] = []
    with path.open("wb") as file:
        file.write(HEAD)
        for look in range(100):
            file.write(b"".join(row(2000 * look + number) for number in range(2000)))
            file.flush()
            stamps += [found.values["time_stamp_s"] for found in tail.poll().rows]
    assert stamps == [STAMP + number for number in range(200_000)]
    assert tail.poll().rows == ()


def test_a_file_that_cannot_be_read_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "folder.dat"
    folder.mkdir()
    with pytest.raises(StorageError, match=r"cannot read .*folder\.dat: .*bring the drive back"):
        DatTail(folder).poll()


@pytest.mark.parametrize(
    ("name", "rows", "first", "last"),
    [
        ("mpms3_dc_ZFC_200Oe.dat", 151, 42, 192),
        ("mpms3_vsm_MvsH_5K.dat", 210, 46, 255),
        ("ppms_eto_2ch_9T.dat", 81, 25, 105),
    ],
)
def test_a_real_file_that_grows_by_odd_pieces_gives_every_row_once(
    tmp_path: Path, name: str, rows: int, first: int, last: int
) -> None:
    content = real(name).read_bytes()
    path = tmp_path / name
    tail = DatTail(path)
    lines: list[int] = []
    for start in range(0, len(content), 4099):
        append(path, content[start : start + 4099])
        news = tail.poll()
        assert news.remarks == ()
        lines += [found.line for found in news.rows]
    assert (len(lines), lines[0], lines[-1]) == (rows, first, last)
    shutil.copy(path, tmp_path / "copy.dat")
    assert len(DatTail(tmp_path / "copy.dat").poll().rows) == rows
