"""Synthetic files of Quantum Design's options, each with the oddities that real ones have.

The real files seen may not be passed on; three that may lie beside the project, and tests of them are skipped
where they are not.
"""

from pathlib import Path

import pytest

from onnes.instruments.qd_columns import MPMS3_COLUMNS

REAL = Path(__file__).parents[2] / "shared" / "data" / "quantum-design"


def real(name: str) -> Path:
    """Return a real file, or skip the test."""
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path


def crlf(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("cp1252")


MPMS3_HEAD = (
    "[Header]",
    "; MPMS3 Data File (default extension .dat)",
    "TITLE,a film",
    "FILEOPENTIME,4004000000.25,11/18/2026,8:53 am",
    "BYAPP,MPMS3,1.0,1.1",
    "INFO,MPMS3 Measurement Release 1.1.16, MultiVu Release 2.3.4.19,APPNAME",
    "INFO,1.35,SAMPLE_MASS",
    "INFO,,SAMPLE_VOLUME",
    "DATATYPE,COMMENT,1",
    "DATATYPE,TIME,2",
)
MPMS3_ROW = ",".join(MPMS3_COLUMNS)


def mpms3_row(columns: tuple[str, ...] = MPMS3_COLUMNS, **values: object) -> str:
    """Return a row of an MPMS3; ``values`` by the names below."""
    names = {
        "comment": "Comment",
        "stamp": "Time Stamp (sec)",
        "kelvin": "Temperature (K)",
        "oe": "Magnetic Field (Oe)",
        "moment": "Moment (emu)",
        "error": "M. Std. Err. (emu)",
        "hz": "Frequency (Hz)",
        "fixed": "DC Moment Fixed Ctr (emu)",
        "fixed_error": "DC Moment Err Fixed Ctr (emu)",
        "free": "DC Moment Free Ctr (emu)",
        "free_error": "DC Moment Err Free Ctr (emu)",
        "fixed_fit": "DC Fixed Fit",
        "free_fit": "DC Free Fit",
        "centre": "DC Calculated Center (mm)",
        "ac": "AC Moment (emu)",
        "x_error": "AC X' Std Err. (emu/Oe)",
        "x": "AC X' (emu/Oe)",
        "drive": "AC Drive (Oe)",
    }
    cells = {names[key]: str(value) for key, value in values.items()}
    return ",".join(cells.get(column, "") for column in columns)


def dc_row(stamp: float, kelvin: float, moment: float) -> str:
    return mpms3_row(
        stamp=stamp,
        kelvin=kelvin,
        oe=5.0,
        fixed=moment,
        fixed_error=1e-9,
        free=moment * 1.01,
        free_error=2e-9,
        fixed_fit=0.97,
        free_fit=0.98,
        centre=32.5,
    )


RESISTIVITY = crlf(
    "[Header]",
    "; a real one has a copyright here",
    "TITLE, a bridge",
    "FILEOPENTIME, 29595963.16,6/4/2013,11:53 AM",
    "BYAPP, Resistivity, 2.1, 1.0",
    "INFO, APPNAME, Resistivity Option Release 1.3",
    "INFO, MB215, Sample1 Name",
    "INFO, 1.5, Sample1 Cross Section",
    "INFO, 0.12, Sample1 Length",
    "[Data]",
    "Comment,Time Stamp (sec),Status (code),Temperature (K),Magnetic Field (Oe),Sample Position (deg),"
    + ",".join(f"Bridge {n} Resistivity (Ohm),Bridge {n} Excitation (uA)" for n in range(1, 5))
    + ","
    + ",".join(f"Bridge {n} Std. Dev. (Ohm)" for n in range(1, 5))
    + ",Number of Readings,"
    + ",".join(f"Bridge {n} Resistance (Ohms)" for n in range(1, 5))
    + ",Signal 1 Vin (V),Signal 2 Vin (V),Digital Inputs (code),Drive 1 Iout (mA),Drive 1 Ipower (watts),"
    "Drive 2 Iout (mA),Drive 2 Ipower (watts),Pressure ()," + ",".join(f"Map {n} ()" for n in range(20, 30)),
    ",29596023.16,4369,3.000338e+002,0.0,0,12.5,100,,,,,,,0.01,,,,25,12.5",  # 20 of 41 cells
    ",29596083.16,4370,299.5,-1.5,0,12.4,100,,,,,,,0.02,,,,25,12.4",
)

LOGDATA = crlf(
    "[Header]",
    "FILEOPENTIME, 1000.5,11/09/2012,4:35 pm",
    "BYAPP, LogData, 1.1, 2.0",
    "INFO, APPNAME, MultiVu Release 1.5",
    "[Data]",
    "Comment,Time Stamp (sec),Status (code),Temperature (K),Magnetic Field (Oe),Bridge 1 Resistance (ohms),"
    "System Status (code),Setpoint (K),Magnet (Oe),Helium Level (percent)",
    ",1010.5,4373,10.0,0.5,101.25,1,10.0",
)

ACMS = crlf(
    "[Header]",
    "FILEOPENTIME,5000.0,11/09/2012,12:01 am",
    "BYAPP,ACMS,1.0,1.1",
    "INFO, APPNAME, ACMS Release 1.2",
    "[Data]",
    "Comment,Time Stamp (sec),Temperature (K),Magnetic Field (Oe),Frequency (Hz),Amplitude (Oe),M-DC (emu),"
    "M-Std.Dev. (emu),M' (emu),M'' (emu),Moment (emu),Phase (deg),Measure Type,PPMS Temperature (K),"
    "PPMS Status (code)",
    ",5010.0,4.2,100.0,,,-1.5E-3,2E-6,,,,,DC,4.21,4369",
    ",5020.0,4.2,100.0,333.0,10.0,,,-1.2E-4,3.0E-6,1.2004E-4,178.6,AC",
)

VSM = crlf(
    "[Header]",
    "FILEOPENTIME,11728170.84,11/09/2012,4:35 pm",
    "BYAPP,VSM,1.0,1.0",
    "INFO,VSM Option Release 1.3.2, MultiVu Release 1.5,APPNAME",
    "[Data]",
    "Comment,Time Stamp (sec),Temperature (K),Magnetic Field (Oe),Moment (emu),M. Std. Err. (emu),"
    "Transport Action,Averaging Time (sec),Frequency (Hz),Peak Amplitude (mm),Center Position (mm),"
    "Coil Signal' (mV),Coil Signal\" (mV),Range (mV),Drive (µA),PPMS Status (code)",
    "ZFC, 20 Oe",
    ",11728180.84,2.0,20.0,-2.4E-6,1E-8,1,1,40.0,2,35.1,0.1,0.2,INF,5,4369",
)

XL_DC = crlf(
    "[Header]",
    "TITLE,a film",
    "FILEOPENTIME,1164777384.812000 11/28/2006, 9:16:24 PM",
    "BYAPP,MPMS Measurement,2.1,Summary",
    "INFO,NAME,Nb, 200 nm",
    "INFO,WEIGHT,1.4",
    "INFO, SEQUENCE FILE: zfc.seq",
    "[Data]",
    "Time,Comment,Field (Oe),Temperature (K),Long Moment (emu),Long Scan Std Dev,Long Algorithm,Long Reg Fit,"
    "Scan Length (cm),Using ABS,",
    "1164777400.5,,5.0,2.0,-1.5E-3,1E-7,3,0.985,4,0,",
    "1164777500.5,cold, and dark,5.0,4.0,-1.4E-3,1E-7,3,0.984,4,0,",
)

XL_RSO = crlf(
    "[Header]",
    "FILEOPENTIME,1164777384.812000 11/28/2006, 9:16:24 PM",
    "BYAPP,MPMS Measurement,2.1,Summary",
    "[Data]",
    "Time,Comment,Field (Oe),Temperature (K),Long Moment (emu),Long Scan Std Dev,Long Algorithm,Long Reg Fit,"
    "Long Offset (cm),RSO Position (deg),Amplitude (cm),Frequency,Cycles to Average,",
    "1164777400.5,,5.0,2.0,-1.5E-3,1E-7,3,0.985,0.02,0,0.5,4,10,",
)
