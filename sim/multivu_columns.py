"""The column rows of MultiVu's data files, exactly as the machines write them, and the head of each file.

MPMS3: a real file (``mpms3_vsm_MvsH_5K.dat``). MPMS-XL: published lists; which of its columns without ABS
there are beside the dc moment is concluded from their number, and the order of those of its ac option is
assumed (a). ACMS: the beginning of a published list; the rest of its 57 columns is left out.
"""

from typing import Final

# fmt: off
MPMS3_COLUMNS: Final = tuple((
    "Comment,Time Stamp (sec),Temperature (K),Magnetic Field (Oe),Moment (emu),M. Std. Err. (emu),"
    "Transport Action,Averaging Time (sec),Frequency (Hz),Peak Amplitude (mm),Center Position (mm),"
    "Lockin Signal' (V),Lockin Signal (V),Range,M. Quad. Signal (emu),"
    "AC Moment (emu),AC M. Std Err. (emu),AC Phase (deg),AC Phase Std. Err. (deg),"
    "AC Susceptibility (emu/Oe),AC Suscept. Std Err. (emu/Oe),AC X' (emu/Oe),AC X' Std Err. (emu/Oe),"
    "AC X'' (emu/Oe),AC X'' Std Err. (emu/Oe),AC Drive (Oe),AC Frequency (Hz),AC Averaging Time (sec),"
    "AC Cycles,AC Range,AC Measure Type,AC Signal' (V),AC Signal'' (V),AC Trim Coil Ratio,AC Trim Coil Phase,"
    "Min. Temperature (K),Max. Temperature (K),Min. Field (Oe),Max. Field (Oe),Mass (grams),"
    "Motor Lag (deg),Pressure (Torr),Measure Count,Measurement Number,SQUID Status (code),"
    "Motor Status (code),Measure Status (code),Motor Current (amps),Motor Temp. (C),Temp. Status (code),"
    "Field Status (code),Chamber Status (code),Chamber Temp (K),Redirection State,Average Temp (K),"
    "Rotation Angle (deg),Rotator state,DC Moment Fixed Ctr (emu),DC Moment Err Fixed Ctr (emu),"
    "DC Moment Free Ctr (emu),DC Moment Err Free Ctr (emu),DC Fixed Fit,DC Free Fit,"
    "DC Calculated Center (mm),DC Calculated Center Err (mm),DC Scan Length (mm),DC Scan Time (s),"
    "DC Number of Points,DC Squid Drift,DC Min V (V),DC Max V (V),DC Scans per Measure,"
    + ",".join(f"Map {number:02d}" for number in range(1, 17))
).split(","))

# fmt: on

_XL_DC_FIT: Final = ("Moment", "Scan Std Dev", "Algorithm", "Reg Fit", "Percent Error (%)")
_XL_RSO_FIT: Final = (
    *("Moment", "Scan Std Dev", "Offset (cm)", "Offset Std Dev"),
    *("Algorithm", "Reg Fit", "Reg Factor"),
)


def _fits(names: tuple[str, ...], left_out: tuple[str, ...], mark: str) -> tuple[str, ...]:
    """Return the columns of both SQUID directions; a mark stands before the unit."""
    found = []
    for direction in ("Long", "Trans"):
        for name in names:
            if name not in left_out:
                full = f"{direction} {name}" + (" (emu)" if name == "Moment" else "")
                text, bracket, unit = full.partition(" (")
                found.append(f"{text}{mark}{bracket}{unit}")
    return tuple(found)


_XL_HEAD: Final = ("Time", "Comment", "Field (Oe)", "Temperature (K)")
_XL_END: Final = ("Error", "EC Comp. Running", "Using ABS")
_WITHOUT_ABS: Final = " [w/o ABS]"

XL_DC_COLUMNS: Final = (
    *_XL_HEAD,
    *_fits(_XL_DC_FIT, (), ""),
    *_fits(_XL_DC_FIT, ("Algorithm",), _WITHOUT_ABS),
    *("Points per Scan", "Scans per Measurement", "Scan Length (cm)", "Delta Temp (K)", "Rot Position (deg)"),
    *_XL_END,
)
XL_RSO_COLUMNS: Final = (
    *_XL_HEAD,
    *_fits(_XL_RSO_FIT, (), ""),
    *_fits(_XL_RSO_FIT, ("Algorithm", "Reg Factor"), _WITHOUT_ABS),
    *("RSO Position (deg)", "Amplitude (cm)", "Frequency", "Cycles to Average", "Scans per Measurement"),
    "Delta Temp (K)",
    *_XL_END,
)
XL_AC_COLUMNS: Final = (
    *_XL_HEAD,
    *("m' (emu)", 'm" (emu)', "m' Scan Std Dev", 'm" Scan Std Dev'),
    *("Wave Frequency (Hz)", "Drive Amplitude (Oe)", "Delta Temp (K)"),
    *_XL_END,
)
ACMS_COLUMNS: Final = (
    *("Comment", "Time Stamp (sec)", "Temperature (K)", "Magnetic Field (Oe)"),
    *("Frequency (Hz)", "Amplitude (Oe)", "M-DC (emu)", "M-Std.Dev. (emu)"),
    *("M' (emu)", "M'' (emu)", "Moment (emu)", "Phase (deg)"),
    *("Calcoil' (emu)", "Calcoil'' (emu)", "Calcoil (emu)", "CC Phase (deg)"),
    *("Count", "Gain", "Measure Type", "Elapsed (sec)", "Sample Center (cm)", "Max.Signal (V)"),
    "PPMS Status (code)",
)
