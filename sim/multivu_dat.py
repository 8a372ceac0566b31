"""MultiVu's data files as the machines write them: head, rows, comments, grammar and time stamps of each.

An MPMS3 stamps with seconds since 1899-12-30 of the local time of its PC, which is UTC in the virtual lab; an
MPMS-XL with Unix time, and its last column has no name. Bytes are only ever appended.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from onnes.sim.magnetometer import MeasuredMoment
from onnes.sim.magnetometer_machines import Machine
from onnes.sim.multivu_columns import MPMS3_COLUMNS, XL_DC_COLUMNS, XL_RSO_COLUMNS

ENCODING: Final = "cp1252"
_MPMS3_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
_MPMS3_CENTRE_MM: Final = 33.4  # where the sample is said to sit (m); the fits count from there
_ACTION_VSM, _ACTION_DC = 1.0, 6.0  # Transport Action (m)
_REGRESSION: Final = 1.0  # Long Algorithm: linear regression at the given centre (k)
_MM_PER_CM: Final = 10.0

Values = Mapping[str, float | str]


class DatWriter:
    """What the MultiVu of ``machine`` writes into a file; ``simulated_by`` says so in the head of each.

    Lab time 0 is ``epoch``. ``more_columns`` stand behind the machine's own, and stay empty.
    """

    def __init__(
        self,
        machine: Machine,
        epoch: datetime,
        simulated_by: str,
        *,
        is_rso: bool = False,
        more_columns: tuple[str, ...] = (),
    ) -> None:
        self._is_mpms3 = machine == "mpms3"
        self._epoch = epoch.astimezone(UTC)
        self._simulated_by = simulated_by
        own = MPMS3_COLUMNS if self._is_mpms3 else XL_RSO_COLUMNS if is_rso else XL_DC_COLUMNS
        self.columns = (*own, *more_columns)
        self._measured = 0

    def stamp(self, t: float) -> float:
        """Return lab time ``t`` in s as the machine stamps a row, s."""
        when = self._epoch + timedelta(seconds=t)
        return (when - _MPMS3_EPOCH).total_seconds() if self._is_mpms3 else when.timestamp()

    def head(self, t: float) -> bytes:
        """Return everything down to the row of columns, of a file opened at ``t``."""
        when = self._epoch + timedelta(seconds=t)
        clock = f"{when.hour % 12 or 12}:{when:%M}"
        if self._is_mpms3:
            half = "am" if when.hour < 12 else "pm"
            lines = [
                "[Header]",
                "; MPMS3 Data File (default extension .dat)",
                f"TITLE,{self._simulated_by}",
                f"FILEOPENTIME,{_number(self.stamp(t))},{when:%m/%d/%Y},{clock} {half}",
                "BYAPP,MPMS3,1.0,1.1",
                f"INFO,MPMS3 Measurement; {self._simulated_by},APPNAME",
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
        stamp = "Time Stamp (sec)" if self._is_mpms3 else "Time"
        return self._row({"Comment": text.replace(",", ";"), stamp: self.stamp(t)})

    def moment(self, t: float, moment: MeasuredMoment, temperature_code: int, field_code: int) -> bytes:
        """Return the row of a moment that was measured until ``t``, with the status codes of then."""
        self._measured += 1
        if not self._is_mpms3:
            return self._row(self._xl_values(t, moment))
        values = {
            "Time Stamp (sec)": self.stamp(t),
            "Temperature (K)": moment.temperature_k,
            "Magnetic Field (Oe)": moment.field_oe,
            "Center Position (mm)": _MPMS3_CENTRE_MM,
            "Range": float(moment.range_number),
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
        return self._row(values | (_vsm(moment) if moment.scan.mode == "vsm" else _dc(moment)))

    def _xl_values(self, t: float, moment: MeasuredMoment) -> Values:
        scan, fit = moment.scan, moment.fixed
        values = {
            "Time": self.stamp(t),
            "Field (Oe)": moment.field_oe,
            "Temperature (K)": moment.temperature_k,
            "Scans per Measurement": float(scan.scans),
            "Delta Temp (K)": max(moment.temperatures_k) - min(moment.temperatures_k),
            "Error": 0.0,
            "EC Comp. Running": 0.0,
            "Using ABS": 0.0,
        }
        for mark in ("", " [w/o ABS]"):
            values |= {
                f"Long Moment{mark} (emu)": fit.moment_emu,
                f"Long Scan Std Dev{mark}": moment.spread_emu,
                f"Long Reg Fit{mark}": fit.quality,
            }
        values["Long Algorithm"] = _REGRESSION
        if scan.mode == "rso":
            free = moment.free
            return values | {
                "Long Offset (cm)": free.centre_cm,
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

    @property
    def _end(self) -> str:
        return "" if self._is_mpms3 else ","

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
