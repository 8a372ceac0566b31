"""Real files give every number that was read out of them by hand; synthetic ones the other options."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.qd_columns import chosen_fit
from onnes.instruments.qd_tail import DatTail
from onnes.storage.qd_dat import QdFile, label_of, read_dat
from tests.qd_files import (
    ACMS,
    LOGDATA,
    MPMS3_HEAD,
    MPMS3_ROW,
    RESISTIVITY,
    VSM,
    XL_DC,
    XL_RSO,
    crlf,
    dc_row,
    mpms3_row,
    real,
)

HEAD = (*MPMS3_HEAD, "[Data]", MPMS3_ROW)


def read(tmp_path: Path, content: bytes, timezone: str | None = None) -> QdFile:
    path = tmp_path / "file.dat"
    path.write_bytes(content)
    return read_dat(path, timezone)


def to_ms(times: "pd.Series[pd.Timestamp]") -> list[str]:
    return [time.isoformat(timespec="milliseconds") for time in times.dt.round("ms")]


def total(path: Path, column: int, above: int) -> Decimal:
    """Return the sum over the decimal texts of a column, from 1."""
    lines = path.read_text(encoding="cp1252").splitlines()[above:]
    return sum((Decimal(line.split(",")[column - 1] or 0) for line in lines if line), Decimal(0))


def test_the_real_dc_file_is_read() -> None:
    path = real("mpms3_dc_ZFC_200Oe.dat")
    file = read_dat(path)
    assert (file.option, len(file.frame), file.raw.shape) == ("mpms3", 151, (151, 89))
    assert (file.frame.index[0], file.frame.index[-1]) == (42, 192)
    assert file.raw.loc[:, file.raw.notna().any() & (file.raw != "").any()].shape[1] == 39
    assert (file.notes, file.remarks) == ((), ())
    assert (file.frame["Kind"] == "dc").all()
    raw, frame = file.raw, file.frame
    assert raw["Moment (emu)"].isna().all()
    assert raw["Time Stamp (sec)"].iloc[[0, -1]].tolist() == [3876038305.87936, 3876059010.73758]
    assert frame["Temperature (K)"].iloc[[0, 75, -1]].tolist() == [
        2.00167036056519,
        27.5000991821289,
        299.911483764648,
    ]
    assert frame["Temperature (K)"].is_monotonic_increasing
    assert (frame["Field (Oe)"] == 199.961959838867).all()
    assert (raw["Transport Action"] == 6).all()
    assert raw["Range"].tolist() == [10] * 117 + [1] * 34
    assert raw["Average Temp (K)"].iloc[[0, -1]].tolist() == [2.00000633691487, 299.913671875]
    fixed, free = frame["Moment fixed (emu)"], frame["Moment free (emu)"]
    assert fixed.iloc[[0, 75, -1]].tolist() == [
        0.00442582599544823,
        0.00133397733212027,
        0.000128966299627094,
    ]
    assert free.iloc[[0, 75, -1]].tolist() == [
        0.00462539877787541,
        0.00138938479756142,
        0.000128999799161258,
    ]
    assert (fixed.max(), free.max(), int(fixed.argmax())) == (0.0102990440937799, 0.0107331809020536, 8)
    assert frame["Temperature (K)"].iloc[8] == 3.60142123699188
    assert (frame["Fit fixed"].lt(0.9)).tolist() == [True] * 140 + [False] * 11
    assert frame["Fit free"].max() == 0.977558076381683
    assert frame["Fit used"].tolist() == ["free"] * 140 + ["fixed"] * 11
    assert frame["Moment (emu)"].tolist() == free.tolist()[:140] + fixed.tolist()[140:]
    errors = raw["DC Calculated Center Err (mm)"]
    assert (errors.notna().sum(), errors.map(math.isfinite).sum(), errors.max()) == (129, 124, math.inf)
    assert [row + 1 for row in range(151) if errors.iloc[row] == math.inf] == [16, 25, 44, 105, 134]
    assert raw["DC Calculated Center (mm)"].iloc[[0, -1]].tolist() == [32.2895011901855, 33.3170318603516]
    for column, value in [("DC Scan Length (mm)", 35), ("DC Scan Time (s)", 4), ("DC Number of Points", 200)]:
        assert (raw[column] == value).all()
    assert total(path, 3, 41) == Decimal("10737.34248673915702")
    assert total(path, 59, 41) == Decimal("0.378023393658212109")
    assert total(path, 61, 41) == Decimal("0.393722379503464838")
    assert math.fsum(frame["Temperature (K)"]) == pytest.approx(10737.34248673915702, rel=1e-15)
    spacing = raw["Time Stamp (sec)"].diff()
    assert [round(value, 2) for value in (spacing.min(), spacing.max(), spacing.median())] == [
        91.07,
        219.12,
        101.14,
    ]
    assert to_ms(frame["Time"].iloc[[0, -1]]) == ["2022-10-27T13:18:25.879", "2022-10-27T19:03:30.738"]


def test_the_header_of_the_real_dc_file_is_read() -> None:
    header = read_dat(real("mpms3_dc_ZFC_200Oe.dat")).header
    assert header.sample_mass_mg == 10.2
    assert (header.info_number("SAMPLE_VOLUME"), header.info_number("SAMPLE_OFFSET")) == (28.8, 66.32)
    assert header.info["APPNAME"] == "MPMS3 Measurement Release 1.1.16 Build 424, MultiVu Release 2.3.4.19"
    assert header.opened is not None
    assert (header.opened.stamp, header.opened.wall) == (3876036857.16808, "2022-10-27T12:54:00")


def test_the_real_vsm_file_is_read() -> None:
    path = real("mpms3_vsm_MvsH_5K.dat")
    file = read_dat(path, "Europe/Rome")
    frame, raw = file.frame, file.raw
    assert (len(frame), raw.shape[1]) == (210, 88)
    assert (frame.index[0], frame.index[-1]) == (46, 255)
    assert raw.loc[:, raw.notna().any() & (raw != "").any()].shape[1] == 34
    assert (frame["Kind"] == "vsm").all()
    assert frame["Field (Oe)"].iloc[[0, 1, 29, 74, 119, 164, 209]].tolist() == [
        0.012241767719388,
        424.924011230469,
        19999.669921875,
        -0.232593595981598,
        -19999.609375,
        -0.0856923758983612,
        19999.6953125,
    ]
    assert frame["Moment (emu)"].iloc[[0, 1, 29, 74, 119, 164, 209]].tolist() == [
        2.49974428105469e-6,
        2.51425878000369e-6,
        -0.00018675037287449,
        1.1021984099633e-5,
        0.000187568882880762,
        -1.0720128635381e-5,
        -0.000187664817334136,
    ]
    assert (frame["Moment error (emu)"].min(), frame["Moment error (emu)"].max()) == (
        7.92800727216607e-9,
        1.00829803951209e-7,
    )
    assert (frame["Temperature (K)"].min(), frame["Temperature (K)"].max()) == (
        4.99245977401733,
        5.00323867797852,
    )
    assert (frame["Vibration (Hz)"] == 14.0008964538574).all()
    assert frame["AC frequency (Hz)"].isna().all()
    assert raw.filter(regex="^(DC|AC) ").isna().all().all()
    assert file.header.sample_mass_mg is None
    assert raw["Mass (grams)"].iloc[0] == 54.5252330587654
    assert total(path, 4, 45) == Decimal("310239.6976484227854288")
    assert total(path, 5, 45) == Decimal("-0.002548133237588687673")
    assert total(path, 3, 45) == Decimal("1049.97926640510551")
    assert frame["Temperature (K)"].std() == pytest.approx(0.79e-3, abs=0.005e-3)
    assert frame["Time"].iloc[0] == pd.Timestamp("2022-03-10T19:33:32.776100Z")


def test_the_real_transport_file_is_read() -> None:
    path = real("ppms_eto_2ch_9T.dat")
    file = read_dat(path)
    frame, raw = file.frame, file.raw
    assert (file.option, len(frame), raw.shape[1]) == ("eto", 81, 67)
    assert (frame.index[0], frame.index[-1]) == (25, 105)
    assert raw.loc[:, raw.notna().any() & (raw != "").any()].shape[1] == 34
    assert (frame["Temperature (K)"].max(), int(frame["Temperature (K)"].argmax())) == (120.693954, 30)
    assert (frame["Field (Oe)"] == 90000.1875).all()
    first = frame["Resistance 1 (ohm)"].dropna()
    assert (len(first), first.iloc[0], first.iloc[-1]) == (23, 0.0998475, 0.1075588)
    assert frame["Resistance 1 error (ohm)"].max() == 0.001200102
    assert (raw["Resistance Ch2 (Ohms)"].dropna() == 0).sum() == 58
    assert frame["Resistance 2 (ohm)"].isna().all()  # a negative deviation: no signal
    assert frame["Resistance 2 error (ohm)"].isna().all()
    assert frame["Temperature status"].tolist() == [1] + [6] * 21 + [5] + [6] * 20 + [5] * 38
    assert (frame["Chamber status"] == 3).all()
    assert total(path, 7, 24) == Decimal("2.4580236")
    assert total(path, 3, 24) == Decimal("9668.861629")
    assert to_ms(frame["Time"].iloc[[0, 1, -1]]) == [
        "2022-01-11T11:50:41.599",
        "2022-01-11T11:54:27.932",
        "2022-01-11T11:57:55.225",
    ]
    assert file.header.info["APPNAME"] == "ETOption, Release 1.1.4 Build 5"
    assert file.header.info["SAMPLE1_MATERIAL"] == "EuCuAs"


def test_short_rows_of_a_bridge_are_padded(tmp_path: Path) -> None:
    file = read(tmp_path, RESISTIVITY)
    assert file.raw.shape == (2, 41)
    assert file.frame["Temperature (K)"].tolist() == [300.0338, 299.5]
    assert file.frame["Resistance 1 (ohm)"].tolist() == [12.5, 12.4]
    assert file.frame["Resistance 2 (ohm)"].isna().all()
    assert file.frame["Temperature status"].tolist() == [1, 2]
    assert file.frame["Time"].iloc[0] == pd.Timestamp("2013-06-04T11:54:00")
    assert file.header.info["Sample1 Name"] == "MB215"


def test_a_log_is_read(tmp_path: Path) -> None:
    file = read(tmp_path, LOGDATA, "Europe/Rome")
    assert file.frame["Resistance 1 (ohm)"].tolist() == [101.25]
    assert file.raw["Helium Level (percent)"].isna().all()
    assert file.frame["Time"].iloc[0] == pd.Timestamp("2012-11-09T15:35:10Z")


def test_the_moment_of_an_acms_is_the_dc_one(tmp_path: Path) -> None:
    frame = read(tmp_path, ACMS).frame
    assert frame["Kind"].tolist() == ["dc", "ac"]
    assert frame["Moment (emu)"].iloc[0] == -1.5e-3
    assert math.isnan(frame["Moment (emu)"].iloc[1])
    assert frame["AC moment (emu)"].iloc[1] == 1.2004e-4
    assert frame["AC frequency (Hz)"].iloc[1] == 333.0
    assert frame["System temperature (K)"].iloc[0] == 4.21


def test_a_vsm_file_has_bytes_beyond_ascii_and_remarks_with_commas(tmp_path: Path) -> None:
    file = read(tmp_path, VSM)
    assert "Drive (µA)" in file.raw
    assert 'Coil Signal" (mV)' in file.raw
    assert file.remarks == ((7, "ZFC, 20 Oe"),)
    assert file.frame["Moment (emu)"].tolist() == [-2.4e-6]
    assert file.frame["Range"].tolist() == [math.inf]
    assert file.frame["Vibration (Hz)"].tolist() == [40.0]


def test_files_of_an_xl_are_in_utc_by_themselves(tmp_path: Path) -> None:
    file = read(tmp_path, XL_DC)
    assert file.frame["Moment (emu)"].tolist() == [-1.5e-3, -1.4e-3]
    assert file.frame["Kind"].tolist() == ["dc", "dc"]
    assert file.frame["Comment"].tolist() == ["", "cold, and dark"]
    assert file.frame["Time"].iloc[0] == pd.Timestamp("2006-11-29T05:16:40.5Z")
    assert file.header.info["NAME"] == "Nb, 200 nm"
    rso = read(tmp_path, XL_RSO).frame
    assert rso["Kind"].tolist() == ["rso"]
    assert rso["Offset (cm)"].tolist() == [0.02]


def test_an_ac_row_of_an_mpms3_has_its_moment_in_emu(tmp_path: Path) -> None:
    row = mpms3_row(stamp=4e9, kelvin=2.0, oe=5.0, ac=3e-6, x=1e-6, x_error=2e-8, drive=3.0)
    frame = read(tmp_path, crlf(*HEAD, row)).frame
    assert frame["Kind"].tolist() == ["ac"]
    assert frame["AC in phase (emu)"].tolist() == [3e-6]
    assert frame["AC in phase error (emu)"].tolist() == pytest.approx([6e-8])


@pytest.mark.parametrize("name", ["mpms3_dc_ZFC_200Oe.dat", "mpms3_vsm_MvsH_5K.dat", "ppms_eto_2ch_9T.dat"])
def test_what_is_followed_live_is_what_is_read_later(name: str) -> None:
    frame = read_dat(real(name)).frame
    for row in DatTail(real(name)).poll().rows:
        later = frame.loc[row.line]
        assert later["Kind"] == row.kind
        for quantity, value in row.values.items():
            if not quantity.startswith("resistance_2"):  # a channel without a signal
                assert later[label_of(quantity)] == value


@pytest.mark.parametrize("fixed", [-1.0, math.nan])
@pytest.mark.parametrize("free", [-1.05, math.nan])
@pytest.mark.parametrize("fixed_fit", [0.97, 0.71, math.nan])
@pytest.mark.parametrize("free_fit", [0.98, 0.6, math.nan])
def test_the_fit_is_chosen_alike_for_a_row_and_for_a_table(
    tmp_path: Path, fixed: float, free: float, fixed_fit: float, free_fit: float
) -> None:
    row = mpms3_row(
        stamp=4e9, kelvin=2.0, oe=5.0, fixed=fixed, free=free, fixed_fit=fixed_fit, free_fit=free_fit
    )
    frame = read(tmp_path, crlf(*HEAD, row)).frame
    if math.isnan(fixed) and math.isnan(free):
        assert frame["Fit used"].tolist() == [""]
    else:
        assert frame["Fit used"].tolist() == [chosen_fit(fixed_fit, free_fit, fixed, free)]


def test_what_the_makers_python_writer_makes_is_read(tmp_path: Path, makers_library: Any) -> None:
    path = tmp_path / "maker.dat"
    file = makers_library.DataFile()
    file.add_multiple_columns(["Temperature (K)", "Magnetic Field (Oe)", "Moment (emu)"])
    file.create_file_and_write_header(str(path), "a film")
    file.set_value("Temperature (K)", 2.5)
    file.set_value("Moment (emu)", -1.25e-4)
    file.write_data()
    found = read_dat(path)
    assert (found.option, found.header.title) == ("data_file", "a film")
    assert found.frame["Temperature (K)"].tolist() == [2.5]
    assert found.frame["Moment (emu)"].tolist() == [-1.25e-4]
    assert found.frame["Field (Oe)"].isna().all()
    assert found.frame["Time"].iloc[0].tzname() == "UTC"


def test_a_second_header_changes_the_columns(tmp_path: Path) -> None:
    second = crlf(*MPMS3_HEAD, "[Data]", "Comment,Time Stamp (sec),Moment (emu)", ",4004000009,-3E-4")
    file = read(tmp_path, crlf(*HEAD, dc_row(4004000000.0, 2.0, -1e-4)) + second)
    assert file.frame["Moment (emu)"].tolist() == [-1e-4, -3e-4]
    assert file.frame["Kind"].tolist() == ["dc", "vsm"]
    assert file.notes == ("line 25: the columns begin anew",)


def test_what_is_odd_is_kept_and_noted(tmp_path: Path) -> None:
    rows = [mpms3_row(stamp=4e9, kelvin="cold", oe=5.0, moment=1e-4) + ",0.5", "torn"]
    content = crlf(*MPMS3_HEAD, "[Data]", MPMS3_ROW + ",Strain (ppm)", *rows)
    file = read(tmp_path, content.removesuffix(b"\r\n"))
    assert file.raw["Strain (ppm)"].tolist() == [0.5]
    assert file.notes == (
        "line 14 has no end, as if it were still being written; it is left out",
        "unknown column 'Strain (ppm)'; it is in raw",
        "line 13: Temperature (K) = 'cold' is no number; left out",
    )


def test_a_cell_beyond_the_last_column_is_kept(tmp_path: Path) -> None:
    content = crlf("[Data]", "Comment,Time Stamp (sec)", ",4e9,7", ",4e9")
    file = read(tmp_path, content)
    assert file.raw["column 3"].tolist()[0] == 7
    assert "column 3 has values and no name" in file.notes


def test_a_file_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    file = read(tmp_path, crlf(*HEAD))
    assert file.frame.empty
    assert "Moment (emu)" in file.frame


def test_the_hour_that_comes_twice_in_autumn_goes_by_the_order_of_the_rows(tmp_path: Path) -> None:
    zero = pd.Timestamp("1899-12-30")
    texts = ["01:50", "02:10", "02:50", "02:05", "02:55", "03:05"]
    rows = [dc_row((pd.Timestamp(f"2026-10-25 {text}") - zero).total_seconds(), 2.0, -1e-4) for text in texts]
    file = read(tmp_path, crlf(*HEAD, *rows), "Europe/Rome")
    assert [f"{time:%H:%M}" for time in file.frame["Time"]] == [
        "23:50",
        "00:10",
        "00:50",
        "01:05",
        "01:55",
        "02:05",
    ]
    assert "the clocks go back" in file.notes[0]


def test_an_hour_that_spring_does_not_have_is_noted(tmp_path: Path) -> None:
    stamp = (pd.Timestamp("2026-03-29 02:30") - pd.Timestamp("1899-12-30")).total_seconds()
    file = read(tmp_path, crlf(*HEAD, dc_row(stamp, 2.0, -1e-4)), "Europe/Rome")
    assert file.frame["Time"].iloc[0] == pd.Timestamp("2026-03-29T01:30Z")
    assert file.notes == ("times that the zone does not have in spring are taken as an hour later",)


def test_stamps_of_a_controller_without_a_header_time_have_none(tmp_path: Path) -> None:
    file = read(tmp_path, RESISTIVITY.replace(b",6/4/2013,11:53 AM", b""))
    assert file.frame["Time"].isna().all()
    assert "the header has no time" in file.notes[0]


def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"timezone = 'Europe/Roma' is no time zone.*Europe/Rome"):
        read(tmp_path, XL_DC, "Europe/Roma")


def test_what_is_no_data_file_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"file\.dat:2: no line \[Data\] with a row of column names"):
        read(tmp_path, b"a,b\n1,2\n")
    with pytest.raises(StorageError, match=r"cannot read .*absent\.dat"):
        read_dat(tmp_path / "absent.dat")
