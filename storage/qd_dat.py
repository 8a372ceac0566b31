"""Reading Quantum Design's ``.dat`` files as pandas: every option, every row, every column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnes.instruments.errors import StorageError
from onnes.instruments.qd_columns import POOR_FIT, kinds_of, resolve, unknown_columns
from onnes.instruments.qd_file import (
    BOM,
    DATA,
    HEADER,
    ColumnRow,
    Option,
    QdHeader,
    decode,
    number,
    read_columns,
    read_header,
)
from onnes.storage.qd_time import times_of
from onnes.storage.reader import EXACT

LINE = "Line"
"""Name of the index of the frames: the line in the file, from 1."""

_UNITS = {
    "emu_per_oe": "emu/Oe",
    "emu": "emu",
    "ohm": "ohm",
    "torr": "Torr",
    "cm": "cm",
    "hz": "Hz",
    "oe": "Oe",
    "k": "K",
    "s": "s",
}


@dataclass(frozen=True)
class QdFile:
    """A file as it was read; ``frame`` and ``raw`` have one index, the line in the file.

    Args:
        path: where it was.
        header: what stands above the data; the first, where there are several.
        option: which option of MultiVu wrote it.
        frame: one row a measurement, in columns of one name for one quantity, such as ``Moment (emu)``;
            NaN was not measured. ``Kind`` is dc, vsm, rso, ac or other; ``Time`` is UTC where the zone is
            known, otherwise local without one.
        raw: the same rows in the columns of the file.
        remarks: (line, text) of the rows that hold a comment alone.
        notes: what is odd about the file, one sentence each.
    """

    path: Path
    header: QdHeader
    option: Option
    frame: pd.DataFrame
    raw: pd.DataFrame
    remarks: tuple[tuple[int, str], ...]
    notes: tuple[str, ...]


@dataclass
class _Section:
    """The rows under one column row."""

    header: QdHeader
    columns: ColumnRow
    lines: list[int] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    comments: dict[int, str] = field(default_factory=dict)


def read_dat(path: Path | str, timezone: str | None = None) -> QdFile:
    """Read a file of any option; nothing that MultiVu opens is refused, and what is odd is in ``notes``.

    Args:
        timezone: where the machine stands, such as ``Europe/Rome``: the times become UTC. Files do not say,
            and the zone of this computer is never taken for it. In the hour that comes twice in autumn the
            order of the rows decides.

    Raises:
        StorageError: if the file cannot be read, or has no ``[Data]`` and column row.
        ConfigurationError: if there is no such zone.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}; is it the right file?") from error
    notes: list[str] = []
    remarks: list[tuple[int, str]] = []
    sections = _sections(path, content, notes, remarks)
    raws, frames = [], []
    for section in sections:
        raws.append(raw := _raw(section, notes))
        frames.append(_canonical(section, raw, timezone, notes))
    frame, raw = _joined(frames, notes), _joined(raws, notes)
    header = sections[0].header
    return QdFile(path, header, header.option, frame, raw, tuple(remarks), tuple(dict.fromkeys(notes)))


def _joined(frames: Sequence[pd.DataFrame], notes: list[str]) -> pd.DataFrame:
    if len({str(frame["Time"].dtype) for frame in frames if "Time" in frame}) > 1:
        notes.append("some times are UTC and others local; name the time zone to compare them")
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return filled[0] if len(filled) == 1 else pd.concat(filled)


def _sections(path: Path, content: bytes, notes: list[str], remarks: list[tuple[int, str]]) -> list[_Section]:
    utf8 = content.startswith(BOM)
    *lines, torn = content.removeprefix(BOM).split(b"\n")
    if torn.strip():
        notes.append(f"line {len(lines) + 1} has no end, as if it were still being written; it is left out")
    header = QdHeader()
    above: list[str] = []
    inside = awaits = False
    sections: list[_Section] = []
    markers = {HEADER.encode(), DATA.encode()}
    for number_, raw in enumerate(lines, start=1):
        line = raw.rstrip(b"\r")
        if line[:1] == b"[" and line.strip() in markers:
            inside = line.strip() == DATA.encode()
            awaits = inside
            if inside and above:
                header = read_header(above)
            above = []
        elif not line.strip():
            continue
        elif awaits:
            awaits = False
            columns = read_columns(decode(line, utf8=utf8), header.option)
            sections.append(_Section(header, columns))
            if len(sections) > 1:
                notes.append(f"line {number_}: the columns begin anew")
        elif inside:
            _take(sections[-1], number_, line, utf8, remarks)
        else:
            above.append(decode(line, utf8=utf8))
    if not sections:
        raise StorageError(
            f"{path}:{len(lines)}: no line {DATA} with a row of column names below it; "
            "is it a data file of MultiVu?"
        )
    return sections


def _take(section: _Section, line: int, row: bytes, utf8: bool, remarks: list[tuple[int, str]]) -> None:
    """Put a row to its section, with its comment apart, so that only numbers and words are left in cells."""
    at = section.columns.comment
    if at is not None and row.split(b",", at + 1)[at : at + 1] not in ([], [b""]):
        cells = section.columns.cells(decode(row, utf8=utf8))
        comment = cells[at].strip()
        if section.columns.is_remark(cells):
            remarks.append((line, comment))
            return
        section.comments[line] = comment
        cells[at] = ""
        row = ",".join(cells).encode()
    elif not row.isascii():
        row = decode(row, utf8=utf8).encode()
    section.lines.append(line)
    section.rows.append(row)


def _raw(section: _Section, notes: list[str]) -> pd.DataFrame:
    names = list(section.columns.names)
    width = max((row.count(b",") + 1 for row in section.rows), default=0)
    labels = names + [f"column {place}" for place in range(len(names) + 1, width + 1)]
    index = pd.Index(section.lines, name=LINE)
    if not section.rows:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in names}, index=index)
    raw: pd.DataFrame = pd.read_csv(
        BytesIO(b"\n".join(section.rows) + b"\n"),
        header=None,
        names=labels,
        index_col=False,
        quoting=3,  # csv.QUOTE_NONE: nothing is quoted, and a quotation mark is one
        keep_default_na=False,
        na_values=[""],
        skip_blank_lines=False,
        low_memory=False,
        **EXACT,
    )
    raw.index = index
    for label in labels[len(names) :]:  # such as a row with a comma at its end
        if raw[label].isna().all():
            del raw[label]
        else:
            notes.append(f"{label} has values and no name")
    notes.extend(
        f"unknown column {name!r}; it is in raw" for name in unknown_columns(names, section.header.option)
    )
    at = section.columns.comment
    if at is not None:
        comments = pd.Series("", index=index, dtype="str")
        for line, text in section.comments.items():
            comments[line] = text
        raw[names[at]] = comments
    return raw


def _numbers(column: "pd.Series[Any]", notes: list[str]) -> "pd.Series[float]":
    """Return a column as numbers; a word among them is noted and becomes NaN."""
    if column.dtype.kind in "fiu":
        return column.astype("float64")
    values = []
    for line, cell in column.items():
        value = cell if isinstance(cell, float) else number(str(cell))
        if value is None:
            notes.append(f"line {line}: {column.name} = {str(cell).strip()!r} is no number; left out")
        values.append(np.nan if value is None else value)
    return pd.Series(values, index=column.index, dtype="float64")


def label_of(name: str) -> str:
    """Return the label of a quantity, with its unit.

    >>> label_of("moment_fixed_error_emu"), label_of("fit_free")
    ('Moment fixed error (emu)', 'Fit free')
    """
    for ending, unit in _UNITS.items():
        if name.endswith(f"_{ending}"):
            name = f"{name.removesuffix(f'_{ending}')} ({unit})"
            break
    words = (name[:1].upper() + name[1:]).replace("_", " ")
    return "AC" + words[2:] if words.startswith("Ac ") else words


def _canonical(section: _Section, raw: pd.DataFrame, timezone: str | None, notes: list[str]) -> pd.DataFrame:
    names, option = section.columns.names, section.header.option
    values: dict[str, pd.Series[float]] = {}
    for ours, (factor, places) in resolve(names, option).items():
        column = _numbers(raw[names[places[0]]], notes)
        for place in places[1:]:
            column = column.fillna(_numbers(raw[names[place]], notes))
        values[ours] = column * factor if factor != 1.0 else column
    kind = _kinds(option, values, raw.index)
    used = _choose_fits(values, raw.index)
    _no_signal(values)
    _ac_moments(values)
    _status_parts(values)
    frame: dict[str, pd.Series[Any]] = {label_of(name): column for name, column in values.items()}
    if "time_stamp_s" in values:
        frame = {
            "Time": times_of(values["time_stamp_s"], section.header.opened, timezone, notes.append),
            **frame,
        }
    if used is not None:
        frame["Fit used"] = used
    frame["Kind"] = kind
    if section.columns.comment is not None:
        frame["Comment"] = raw[names[section.columns.comment]]
    return pd.DataFrame(frame, index=raw.index)


def _kinds(option: Option, values: Mapping[str, "pd.Series[float]"], index: Any) -> "pd.Series[str]":
    kinds = pd.Series("other", index=index, dtype="str")
    for kind, marks in reversed(kinds_of(option)):
        for mark in marks:
            if mark in values:
                kinds[values[mark].notna()] = kind
    return kinds


def _choose_fits(values: dict[str, "pd.Series[float]"], index: Any) -> "pd.Series[str] | None":
    """Fill the moment of dc rows from the fit that :func:`chosen_fit` would take, for all rows at once."""
    if "moment_fixed_emu" not in values and "moment_free_emu" not in values:
        return None
    nothing = pd.Series(np.nan, index=index)
    fixed, free = values.get("moment_fixed_emu", nothing), values.get("moment_free_emu", nothing)
    fits = values.get("fit_fixed", nothing), values.get("fit_free", nothing)
    unknown = fits[0].isna() & fits[1].notna()
    better = (fits[0] < POOR_FIT) & (fits[1] > fits[0])
    takes_free = free.notna() & (fixed.isna() | unknown | better)
    dc = fixed.notna() | free.notna()
    for ours, of_fixed, of_free in (
        ("moment_emu", "moment_fixed_emu", "moment_free_emu"),
        ("moment_error_emu", "moment_fixed_error_emu", "moment_free_error_emu"),
        ("fit", "fit_fixed", "fit_free"),
    ):
        chosen = values.get(of_fixed, nothing).mask(takes_free, values.get(of_free, nothing))
        values[ours] = values.get(ours, nothing).mask(dc, chosen)
    used = pd.Series("", index=index, dtype="str")
    used[dc] = "fixed"
    used[takes_free] = "free"
    return used


def _no_signal(values: dict[str, "pd.Series[float]"]) -> None:
    # Seen: a channel without a sample gives exactly 0 ohm with a negative standard deviation.
    for name in [name for name in values if re.fullmatch(r"resistance_\d_error_ohm", name)]:
        nothing = values[name] < 0
        for dropped in (name, name.replace("_error", "")):
            if dropped in values:
                values[dropped] = values[dropped].mask(nothing)


def _ac_moments(values: dict[str, "pd.Series[float]"]) -> None:
    for part in ("in_phase", "out_of_phase", "in_phase_error", "out_of_phase_error"):
        susceptibility = values.get(f"ac_{part}_emu_per_oe")
        if susceptibility is not None and "ac_drive_oe" in values:
            values[f"ac_{part}_emu"] = susceptibility * values["ac_drive_oe"]


def _status_parts(values: dict[str, "pd.Series[float]"]) -> None:
    # The packed word of a PPMS, four bits each: temperature, field, chamber.
    if "status" in values:
        word = values["status"]
        for name, shift in (("temperature_status", 1), ("field_status", 16), ("chamber_status", 256)):
            if name not in values:
                values[name] = word // shift % 16
