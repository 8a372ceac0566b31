"""MultiVu's data files as the machines write them: head, rows, comments, grammar and time stamps of each.

An MPMS3 stamps with seconds since 1899-12-30 of the local time of its PC, which is UTC in the virtual lab; an
MPMS-XL with Unix time, and its last column has no name; the ACMS of a PPMS with seconds since its controller
was switched on. Bytes are only ever appended.
"""

import cmath
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from onnes.sim.ac_option import MeasuredAcMoment
from onnes.sim.magnetometer import MeasuredMoment
from onnes.sim.magnetometer_machines import Machine
from onnes.sim.multivu_columns import (
    ACMS_COLUMNS,
    MPMS3_COLUMNS,
    XL_AC_COLUMNS,
    XL_DC_COLUMNS,
    XL_RSO_COLUMNS,
)

ENCODING: Final = "cp1252"
_MPMS3_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
_MPMS3_CENTRE_MM: Final = 33.4  # where the sample is said to sit (m); the fits count from there
_ACTION_VSM, _ACTION_DC = 1.0, 6.0  # Transport Action (m)
_REGRESSION: Final = 1.0  # Long Algorithm: linear regression at the given centre (k)
_MM_PER_CM: Final = 10.0

Values = Mapping[str, float | str]
Measures = Literal["dc", "rso", "ac"]

_XL_COLUMNS: Final[Mapping[Measures, tuple[str, ...]]] = {
    "dc": XL_DC_COLUMNS,
    "rso": XL_RSO_COLUMNS,
    "ac": XL_AC_COLUMNS,
}


class DatWriter:
    """What the MultiVu of ``machine`` writes into a file; ``simulated_by`` says so in the head of each.

    Lab time 0 is ``epoch``. A file of an XL has the columns of what it ``measures`` and of nothing else.
    ``more_columns`` stand behind the machine's own, and stay empty.
    """

    def __init__(
        self,
        machine: Machine,
        epoch: datetime,
        simulated_by: str,
        *,
        measures: Measures = "dc",
        more_columns: tuple[str, ...] = (),
    ) -> None:
        self._machine = machine
        self._is_xl = machine not in ("mpms3", "acms")
        self._measures = measures
        self._epoch = epoch.astimezone(UTC)
        self._simulated_by = simulated_by
        own = _XL_COLUMNS[measures] if self._is_xl else MPMS3_COLUMNS if machine == "mpms3" else ACMS_COLUMNS
        self.columns = (*own, *more_columns)
        self._measured = 0

    def stamp(self, t: float) -> float:
        """Return lab time ``t`` in s as the machine stamps a row, s."""
        if self._machine == "acms":
            return t
        when = self._epoch + timedelta(seconds=t)
        return when.timestamp() if self._is_xl else (when - _MPMS3_EPOCH).total_seconds()

    def head(self, t: float) -> bytes:
        """Return everything down to the row of columns, of a file opened at ``t``."""
        when = self._epoch + timedelta(seconds=t)
        clock = f"{when.hour % 12 or 12}:{when:%M}"
        if not self._is_xl:
            half = "am" if when.hour < 12 else "pm"
            name = "MPMS3" if self._machine == "mpms3" else "ACMS"
            lines = [
                "[Header]",
                f"; {name} Data File (default extension .dat)",
                f"TITLE,{self._simulated_by}",
                f"FILEOPENTIME,{_number(self.stamp(t))},{when:%m/%d/%Y},{clock} {half}",
                f"BYAPP,{name},1.0,1.1",
                f"INFO,{name} Measurement; {self._simulated_by},APPNAME",
                "INFO,simulated,BACKEND",
                "INFO,0,MOMENT_UNITS",
                "DATATYPE,COMMENT,1",
                "DATATYPE,TIME,2",
                "STARTUPAXIS,X,2",
                "STARTUPAXIS,Y1,5",
                "STARTUPGROUP, All",
            ]
        else:
            half = "AM" if when.hour < 12 else "PM"
            lines = [
                "[Header]",
                f"TITLE, {self._simulated_by}",
                "BYAPP, MPMS Measurement,2.1,Summary",
                # No comma before the date: so it was seen.
                f"FILEOPENTIME, {self.stamp(t):.6f} {when.month}/{when.day}/{when.year}, "
                f"{clock}:{when:%S} {half}",
                f"INFO, APPNAME, MPMS Measurement; {self._simulated_by}",
                "INFO, BACKEND, simulated",
                "DATATYPE, TIME,1",
                "DATATYPE, COMMENT,2",
                "STARTUPAXIS, X, 4",
                "STARTUPAXIS, Y1, 5",
            ]
        return _encoded(*lines, "[Data]", ",".join(self.columns) + self._end)

    def comment(self, t: float, text: str) -> bytes:
        """Return a row with a comment and nothing else but its time."""
        stamp = "Time" if self._is_xl else "Time Stamp (sec)"
        return self._row({"Comment": text.replace(",", ";"), stamp: self.stamp(t)})

    def moment(
        self, t: float, moment: MeasuredMoment | MeasuredAcMoment, temperature_code: int, field_code: int
    ) -> bytes:
        """Return the row of a moment that was measured until ``t``, with the status codes of then.

        Raises:
            ValueError: if the columns of the file have no place for it.
        """
        self._measured += 1
        if self._is_xl:
            self._refuse_other(moment)
            return self._row(_xl(self.stamp(t), moment))
        common = {
            "Time Stamp (sec)": self.stamp(t),
            "Temperature (K)": moment.temperature_k,
            "Magnetic Field (Oe)": moment.field_oe,
        }
        if self._machine == "acms":
            packed = {"PPMS Status (code)": float(temperature_code | field_code << 4)}
            return self._row(common | packed | _acms(moment))
        values = {
            "Center Position (mm)": _MPMS3_CENTRE_MM,
            "Min. Temperature (K)": min(moment.temperatures_k),
            "Max. Temperature (K)": max(moment.temperatures_k),
            "Min. Field (Oe)": min(moment.fields_oe),
            "Max. Field (Oe)": max(moment.fields_oe),
            "Measure Count": 1.0,
            "Measurement Number": float(self._measured),
            "Temp. Status (code)": float(temperature_code),
            "Field Status (code)": float(field_code),
            "Average Temp (K)": moment.temperature_k,
        }
        return self._row(common | values | _mpms3(moment))

    def _refuse_other(self, moment: MeasuredMoment | MeasuredAcMoment) -> None:
        kind = "ac" if isinstance(moment, MeasuredAcMoment) else moment.scan.mode
        if kind != self._measures:
            raise ValueError(f"a row of kind {kind} has no columns in a file of {self._measures} rows")

    @property
    def _end(self) -> str:
        return "," if self._is_xl else ""

    def _row(self, values: Values) -> bytes:
        cells = (values.get(column, "") for column in self.columns)
        text = ",".join(cell if isinstance(cell, str) else _number(cell) for cell in cells)
        return _encoded(text + self._end)


def append(path: Path, data: bytes) -> None:
    """Append to a data file, so that a reader sees it at once.

    Raises:
        OSError: if it cannot be written.
    """
    with path.open("ab") as file:
        file.write(data)


def _xl(stamp: float, moment: MeasuredMoment | MeasuredAcMoment) -> Values:
    """Return a row of an MPMS-XL."""
    values = {
        "Time": stamp,
        "Field (Oe)": moment.field_oe,
        "Temperature (K)": moment.temperature_k,
        "Delta Temp (K)": max(moment.temperatures_k) - min(moment.temperatures_k),
        "Error": 0.0,
        "EC Comp. Running": 0.0,
        "Using ABS": 0.0,
    }
    if isinstance(moment, MeasuredAcMoment):
        return values | {
            "m' (emu)": moment.in_phase_emu,
            'm" (emu)': moment.quadrature_emu,
            "m' Scan Std Dev": moment.error_emu,
            'm" Scan Std Dev': moment.error_emu,
            "Wave Frequency (Hz)": moment.scan.frequency_hz,
            "Drive Amplitude (Oe)": moment.scan.amplitude_oe,
        }
    scan, fit = moment.scan, moment.fixed
    for mark in ("", " [w/o ABS]"):
        values |= {
            f"Long Moment{mark} (emu)": fit.moment_emu,
            f"Long Scan Std Dev{mark}": moment.spread_emu,
            f"Long Reg Fit{mark}": fit.quality,
        }
    values |= {"Long Algorithm": _REGRESSION, "Scans per Measurement": float(scan.scans)}
    if scan.mode == "rso":
        return values | {
            "Long Offset (cm)": moment.free.centre_cm,
            "Amplitude (cm)": 0.5 * scan.length_mm / _MM_PER_CM,
            "Frequency": moment.frequency_hz,
            "Cycles to Average": moment.frequency_hz * moment.scan_s,
        }
    percent = 100.0 * moment.spread_emu / abs(fit.moment_emu) if fit.moment_emu else 0.0
    return values | {
        "Long Percent Error (%)": percent,
        "Long Percent Error [w/o ABS] (%)": percent,
        "Points per Scan": float(moment.points),
        "Scan Length (cm)": scan.length_mm / _MM_PER_CM,
    }


def _acms(moment: MeasuredMoment | MeasuredAcMoment) -> dict[str, float]:
    """Return what is the ACMS's own in a row; its ac rows have no column for an error."""
    if isinstance(moment, MeasuredMoment):
        return {
            "M-DC (emu)": moment.fixed.moment_emu,
            "M-Std.Dev. (emu)": moment.spread_emu,
            "Count": float(moment.scan.scans),
            "Sample Center (cm)": moment.free.centre_cm,
        }
    modulus, phase = cmath.polar(complex(moment.in_phase_emu, moment.quadrature_emu))
    return {
        "Frequency (Hz)": moment.scan.frequency_hz,
        "Amplitude (Oe)": moment.scan.amplitude_oe,
        "M' (emu)": moment.in_phase_emu,
        "M'' (emu)": moment.quadrature_emu,
        "Moment (emu)": modulus,
        "Phase (deg)": math.degrees(phase),
        "Count": 1.0,
        "Elapsed (sec)": moment.scan.averaging_s,
    }


def _mpms3(moment: MeasuredMoment | MeasuredAcMoment) -> dict[str, float]:
    if isinstance(moment, MeasuredAcMoment):
        return _ac(moment)
    fits = _vsm(moment) if moment.scan.mode == "vsm" else _dc(moment)
    return {"Range": float(moment.range_number), **fits}


def _ac(moment: MeasuredAcMoment) -> dict[str, float]:
    drive = moment.scan.amplitude_oe
    modulus, phase = cmath.polar(complex(moment.in_phase_emu, moment.quadrature_emu))
    error = moment.error_emu
    return {
        "AC Moment (emu)": modulus,
        "AC M. Std Err. (emu)": error,
        "AC Phase (deg)": math.degrees(phase),
        "AC Susceptibility (emu/Oe)": modulus / drive,
        "AC Suscept. Std Err. (emu/Oe)": error / drive,
        "AC X' (emu/Oe)": moment.in_phase_emu / drive,
        "AC X' Std Err. (emu/Oe)": error / drive,
        "AC X'' (emu/Oe)": moment.quadrature_emu / drive,
        "AC X'' Std Err. (emu/Oe)": error / drive,
        "AC Drive (Oe)": drive,
        "AC Frequency (Hz)": moment.scan.frequency_hz,
        "AC Averaging Time (sec)": moment.scan.averaging_s,
    }


def _vsm(moment: MeasuredMoment) -> dict[str, float]:
    fit = moment.fixed
    return {
        "Moment (emu)": fit.moment_emu,
        "M. Std. Err. (emu)": fit.error_emu,
        "Transport Action": _ACTION_VSM,
        "Averaging Time (sec)": moment.scan_s,
        "Frequency (Hz)": moment.frequency_hz,
        "Peak Amplitude (mm)": 0.5 * moment.scan.length_mm,
    }


def _dc(moment: MeasuredMoment) -> dict[str, float]:
    fixed, free = moment.fixed, moment.free
    return {
        "Transport Action": _ACTION_DC,
        "DC Moment Fixed Ctr (emu)": fixed.moment_emu,
        "DC Moment Err Fixed Ctr (emu)": fixed.error_emu,
        "DC Moment Free Ctr (emu)": free.moment_emu,
        "DC Moment Err Free Ctr (emu)": free.error_emu,
        "DC Fixed Fit": fixed.quality,
        "DC Free Fit": free.quality,
        "DC Calculated Center (mm)": _MPMS3_CENTRE_MM + _MM_PER_CM * free.centre_cm,
        "DC Scan Length (mm)": moment.scan.length_mm,
        "DC Scan Time (s)": moment.scan_s,
        "DC Number of Points": float(moment.points),
        "DC Squid Drift": free.drift,
        "DC Min V (V)": moment.lowest_v,
        "DC Max V (V)": moment.highest_v,
        "DC Scans per Measure": float(moment.scan.scans),
    }


def _number(value: float) -> str:
    """Return fifteen digits, an exponent as ``E-6``: so MultiVu writes them (m)."""
    mantissa, sign, exponent = f"{value:.15g}".partition("e")
    return f"{mantissa}E{int(exponent)}" if sign else mantissa


def _encoded(*lines: str) -> bytes:
    """Return lines as bytes; MultiVu writes ``?`` for what its code page lacks."""
    return "".join(f"{line}\r\n" for line in lines).encode(ENCODING, errors="replace")
