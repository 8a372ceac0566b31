"""The files of MultiVu byte by byte: columns, numbers, characters."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from onnes.sim.multivu_columns import MPMS3_COLUMNS, XL_DC_COLUMNS, XL_RSO_COLUMNS
from onnes.sim.multivu_dat import DatWriter, append

EPOCH = datetime(2022, 10, 27, 12, 54, 17, tzinfo=UTC)


def test_the_columns_of_an_mpms3_are_those_of_a_real_file() -> None:
    row = ",".join(MPMS3_COLUMNS)
    # Of line 45 of mpms3_vsm_MvsH_5K.dat, without its line end.
    real = "256e92e56475eed97af8473fe195956dfff69de02e4063187c5a4f899b9eb8a1"
    assert hashlib.sha256(row.encode()).hexdigest() == real
    assert len(MPMS3_COLUMNS) == 88


def test_the_columns_of_an_xl_have_their_number_and_order() -> None:
    assert len(XL_DC_COLUMNS) == 30
    assert XL_DC_COLUMNS[:9] == (
        *("Time", "Comment", "Field (Oe)", "Temperature (K)", "Long Moment (emu)", "Long Scan Std Dev"),
        *("Long Algorithm", "Long Reg Fit", "Long Percent Error (%)"),
    )
    assert len(XL_RSO_COLUMNS) == 37
    assert XL_RSO_COLUMNS[6:11] == (
        *("Long Offset (cm)", "Long Offset Std Dev", "Long Algorithm", "Long Reg Fit", "Long Reg Factor"),
    )
    assert "Long Offset [w/o ABS] (cm)" in XL_RSO_COLUMNS
    for columns in (XL_DC_COLUMNS, XL_RSO_COLUMNS):
        assert len(set(columns)) == len(columns)


def test_each_machine_stamps_from_its_own_epoch() -> None:
    # Seen: 3876036857.168 is 2022-10-27 12:54:17.168.
    assert DatWriter("mpms3", EPOCH, "").stamp(0.168) == pytest.approx(3876036857.168)
    assert DatWriter("mpms_xl", EPOCH, "").stamp(1.5) == EPOCH.timestamp() + 1.5
    east = EPOCH.astimezone(timezone(timedelta(hours=9)))
    assert DatWriter("mpms3", east, "").stamp(0.0) == 3876036857.0


@pytest.mark.parametrize(
    ("hour", "text"), [(0, "12:30 am"), (1, "1:30 am"), (12, "12:30 pm"), (23, "11:30 pm")]
)
def test_the_head_tells_the_time_of_day_with_twelve_hours(hour: int, text: str) -> None:
    writer = DatWriter("mpms3", datetime(2026, 3, 5, hour, 30, tzinfo=UTC), "SIMULATED")
    assert f",03/05/2026,{text}\r\n".encode() in writer.head(0.0)


def test_a_comment_keeps_its_row_whole_whatever_stands_in_it() -> None:
    row = DatWriter("mpms3", EPOCH, "").comment(0.0, "ZFC, 5 µm, 300 Å, χ")
    assert row.startswith("ZFC; 5 µm; 300 Å; ?,3876036857,".encode("cp1252"))
    assert row.endswith(b",\r\n")
    assert row.count(b",") == 87


def test_bytes_are_only_added(tmp_path: Path) -> None:
    file = tmp_path / "a.dat"
    append(file, b"one\r\n")
    append(file, b"two\r\n")
    assert file.read_bytes() == b"one\r\ntwo\r\n"
    with pytest.raises(OSError, match="none"):
        append(tmp_path / "none" / "a.dat", b"")
