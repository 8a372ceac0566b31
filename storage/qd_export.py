"""A run as a ``.dat`` file of Quantum Design, in the columns of the nearest option."""

import math
from collections.abc import Hashable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.qd_columns import MPMS3_COLUMNS
from onnes.instruments.records import Cell
from onnes.storage.qd_dat_write import DatFacts, write_dat
from onnes.storage.reader import Run

RESISTIVITY_COLUMNS = (
    *("Comment", "Time Stamp (sec)", "Status (code)", "Temperature (K)", "Magnetic Field (Oe)"),
    "Sample Position (deg)",
    *(f"Bridge {n} {what}" for n in range(1, 5) for what in ("Resistivity (Ohm)", "Excitation (uA)")),
    *(f"Bridge {n} Std. Dev. (Ohm)" for n in range(1, 5)),
    "Number of Readings",
    *(f"Bridge {n} Resistance (Ohms)" for n in range(1, 5)),
    *("Signal 1 Vin (V)", "Signal 2 Vin (V)", "Digital Inputs (code)"),
    *("Drive 1 Iout (mA)", "Drive 1 Ipower (watts)", "Drive 2 Iout (mA)", "Drive 2 Ipower (watts)"),
    "Pressure ()",
    *(f"Map {n} ()" for n in range(20, 30)),
)
XL_COLUMNS = (
    *("Time", "Comment", "Field (Oe)", "Temperature (K)", "Long Moment (emu)", "Long Scan Std Dev"),
    *("Long Algorithm", "Long Reg Fit"),
)

# {branch of a moment: how readers of such files call the measurement}; loops and virgin curves are MvsH.
_OF_TEMPERATURE = {"zfc": "ZFC", "fcc": "FC", "fcw": "FC"}

_ALTERNATING = "Moment in phase (emu)"
_Row = dict[str, Cell | None]


def write_run_dat(run: Run, path: Path, wall: Clock) -> None:
    """Write the good points of a run that count as a ``.dat`` file; it can be written again at any time.

    Moments go into the columns of an MPMS3 or, where they are fits of an MPMS-XL, of that; the first harmonic
    of alternating moments, raw, into those of the ac option of an MPMS3; resistances into the Resistivity
    option, bridge 1. The field is the one that the machine reports. Before each curve of moments stands a
    remark such as ``ZFC 100 Oe``, ``FC 100 Oe``, ``MvsH 5 K`` or ``AC curve 10 Oe``.

    Raises:
        ConfigurationError: if the run holds neither moments nor resistances: see :func:`fits_a_dat`.
        StorageError: if the run cannot be read, or the file not be written.
    """
    data = run.current
    rows: list[dict[Hashable, Any]] = data.to_dict("records")
    if "Moment (emu)" in data:
        xl = bool((data["Fit used"] == "long").any())
        columns, app = (
            (XL_COLUMNS, "MPMS Measurement,2.1,Summary") if xl else (MPMS3_COLUMNS, "MPMS3,1.0,1.1")
        )
        table = _moment_rows(rows, _xl_row if xl else _mpms3_row)
    elif _ALTERNATING in data:
        columns, app = MPMS3_COLUMNS, "MPMS3,1.0,1.1"
        table = _moment_rows([row for row in rows if row["Harmonic"] == 1], _ac_row)
    elif "Resistance (ohm)" in data:
        columns, app = RESISTIVITY_COLUMNS, "Resistivity, 2.1, 1.0"
        table = [_resistivity_row(row) for row in rows]
    else:
        raise ConfigurationError(
            f"{run.path} has neither moments nor resistances; a .dat file is made of one of the two"
        )
    write_dat(
        path, {name: [row.get(name) for row in table] for name in columns}, _facts(run, app, rows), wall
    )


def fits_a_dat(run: Run) -> bool:
    """Say whether the run holds what an option of Quantum Design has columns for."""
    return not {"Moment (emu)", _ALTERNATING, "Resistance (ohm)"}.isdisjoint(run.current.columns)


def _moment_rows(rows: list[dict[Hashable, Any]], write: Any) -> list[_Row]:
    table: list[_Row] = []
    before: tuple[str, Any] | None = None
    for row in rows:
        segment = (_remark(row), row.get("Curve"))
        if segment != before:
            table.append({"Comment": segment[0]})
            before = segment
        table.append(write(row))
    return table


def _remark(row: Mapping[Hashable, Any]) -> str:
    name = _OF_TEMPERATURE.get(str(row["Branch"]))
    if name:
        return f"{name} {row['Measuring field (Oe)']:.6g} Oe"
    if _ALTERNATING in row:
        return f"AC {row['Branch']} {row['Field setpoint (Oe)']:.6g} Oe"
    return f"MvsH {row['Temperature setpoint (K)']:.6g} K"


def _mpms3_row(row: Mapping[Hashable, Any]) -> _Row:
    written: _Row = {
        "Time Stamp (sec)": _unix(row["Time UTC"]),
        "Temperature (K)": row["Temperature (K)"],
        "Magnetic Field (Oe)": row["Field (Oe)"],
    }
    if row["Fit used"] == "vsm":
        return {
            **written,
            "Moment (emu)": row["Moment (emu)"],
            "M. Std. Err. (emu)": row["Moment error (emu)"],
            "Transport Action": 1,
        }
    used = "Free" if row["Fit used"] == "free" else "Fixed"
    return {
        **written,
        "Transport Action": 6,
        "DC Moment Fixed Ctr (emu)": row["Moment fixed (emu)"],
        "DC Moment Free Ctr (emu)": row["Moment free (emu)"],
        f"DC Moment Err {used} Ctr (emu)": row["Moment error (emu)"],
        f"DC {used} Fit": row["Fit"],
        "DC Calculated Center (mm)": row["Centre (cm)"] * 10.0,
    }


def _ac_row(row: Mapping[Hashable, Any]) -> _Row:
    drive = row["Amplitude (Oe)"]
    return {
        "Time Stamp (sec)": _unix(row["Time UTC"]),
        "Temperature (K)": row["Temperature (K)"],
        "Magnetic Field (Oe)": row["Field (Oe)"],
        "AC Moment (emu)": math.hypot(row[_ALTERNATING], row["Moment quadrature (emu)"]),
        "AC X' (emu/Oe)": row[_ALTERNATING] / drive,
        "AC X' Std Err. (emu/Oe)": row["Moment in phase error (emu)"] / drive,
        "AC X'' (emu/Oe)": row["Moment quadrature (emu)"] / drive,
        "AC X'' Std Err. (emu/Oe)": row["Moment quadrature error (emu)"] / drive,
        "AC Drive (Oe)": drive,
        "AC Frequency (Hz)": row["Frequency (Hz)"],
    }


def _xl_row(row: Mapping[Hashable, Any]) -> _Row:
    return {
        "Time": _unix(row["Time UTC"]),
        "Temperature (K)": row["Temperature (K)"],
        "Field (Oe)": row["Field (Oe)"],
        "Long Moment (emu)": row["Moment (emu)"],
        "Long Scan Std Dev": row["Moment error (emu)"],
        "Long Reg Fit": row["Fit"],
    }


def _resistivity_row(row: Mapping[Hashable, Any]) -> _Row:
    return {
        "Time Stamp (sec)": _unix(row["Time UTC"]),
        "Status (code)": int(row["Status"], 16) if row["Status"] else None,
        "Temperature (K)": row["Temperature (K)"],
        "Magnetic Field (Oe)": row["Field (Oe)"],
        "Bridge 1 Resistivity (Ohm)": row["Resistance (ohm)"],  # the unit says that no geometry went in
        "Bridge 1 Excitation (uA)": row["Current (A)"] * 1e6,
        "Bridge 1 Std. Dev. (Ohm)": row["Resistance error (ohm)"],
        "Bridge 1 Resistance (Ohms)": row["Resistance (ohm)"],
    }


def _unix(utc: str) -> float:
    return datetime.fromisoformat(utc).timestamp() if utc else math.nan


def _facts(run: Run, app: str, rows: list[dict[Hashable, Any]]) -> DatFacts:
    manifest = run.manifest
    sample = manifest.get("sample") or {}
    simulated = manifest["backend"] == "simulated"
    times = [_unix(row["Time UTC"]) for row in rows if row["Time UTC"]]
    began = times[0] if times else datetime.fromisoformat(manifest["started"]).timestamp()
    entries: dict[str, Any] = {
        "APPNAME": "Onnes",
        "SAMPLE_MATERIAL": sample.get("title"),
        "SAMPLE_ID": sample.get("id"),
        **{f"GEOMETRY_{name.upper()}": value for name, value in (manifest.get("geometry") or {}).items()},
        "RUN": f"{manifest['night']}/{manifest['run']}",
        "BACKEND": manifest["backend"],
        "LAB": manifest.get("lab"),
        "SEED": manifest.get("seed"),
    }
    title = f"{sample.get('id') or ''} {manifest['run']}".strip()
    return DatFacts(
        title=f"SIMULATED {title}" if simulated else title,
        app=app,
        opened=began,
        info={key: str(value) for key, value in entries.items() if value is not None},
        comments=(
            "Written by Onnes from data.csv; times are UTC",
            *(("SIMULATED: measured in a virtual lab, on no sample",) if simulated else ()),
        ),
    )
