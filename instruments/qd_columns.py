"""What the columns of Quantum Design's ``.dat`` files mean: one name for one quantity, whoever wrote it.

Columns are found by name: numbers of columns in the headers of real MPMS3 files are wrong. One name means
different things in files of different options, so the map depends on the option.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from onnes.instruments.qd_file import Option

Kind = Literal["dc", "vsm", "rso", "ac", "remark", "other"]
FitUsed = Literal["fixed", "free"]

POOR_FIT = 0.9
"""Below it the fit at the given centre is poor.

Seen: 0.71 where a sample sat 1.1 mm off, with 4.5 % of the moment missing and 0.97 for the fit at a free
centre.
"""

_MM_IN_CM = 0.1

# {ours: (factor, names in the files)}, small letters, single spaces; the first that is not empty counts.
_Map = Mapping[str, tuple[float, tuple[str, ...]]]

_EVERYWHERE: _Map = {
    "time_stamp_s": (1.0, ("time stamp (sec)", "time stamp (s)", "time")),
    "temperature_k": (1.0, ("temperature (k)",)),
    "field_oe": (1.0, ("magnetic field (oe)", "field (oe)")),
    "temperature_min_k": (1.0, ("min. temperature (k)",)),
    "temperature_max_k": (1.0, ("max. temperature (k)",)),
    "field_min_oe": (1.0, ("min. field (oe)",)),
    "field_max_oe": (1.0, ("max. field (oe)",)),
    "pressure_torr": (1.0, ("pressure (torr)", "chamber pressure (torr)")),
    "status": (1.0, ("status (code)", "ppms status (code)")),
    "temperature_status": (1.0, ("temp. status (code)", "temperature status (code)")),
    "field_status": (1.0, ("field status (code)",)),
    "chamber_status": (1.0, ("chamber status (code)",)),
    **{
        f"resistance_{n}_ohm": (1.0, (f"bridge {n} resistance (ohms)", f"resistance ch{n} (ohms)"))
        for n in range(1, 5)
    },
    **{
        f"resistance_{n}_error_ohm": (
            1.0,
            (f"bridge {n} std. dev. (ohm)", f"resistance std. dev. ch{n} (ohms)"),
        )
        for n in range(1, 5)
    },
}

_VSM: _Map = {
    "moment_emu": (1.0, ("moment (emu)",)),
    "moment_error_emu": (1.0, ("m. std. err. (emu)",)),
    "vibration_hz": (1.0, ("frequency (hz)",)),
    "centre_given_cm": (_MM_IN_CM, ("center position (mm)",)),
    "range": (1.0, ("range", "range (mv)")),
}

# Of files whose writer names columns as it likes: what a name says of itself is believed.
_BY_ITSELF: _Map = {
    "moment_emu": (1.0, ("moment (emu)",)),
    "moment_error_emu": (1.0, ("m. std. err. (emu)",)),
}

_OF_OPTION: Mapping[Option, _Map] = {
    "vsm": _VSM,
    "mpms3": {
        **_VSM,
        "moment_fixed_emu": (1.0, ("dc moment fixed ctr (emu)",)),
        "moment_fixed_error_emu": (1.0, ("dc moment err fixed ctr (emu)",)),
        "moment_free_emu": (1.0, ("dc moment free ctr (emu)",)),
        "moment_free_error_emu": (1.0, ("dc moment err free ctr (emu)",)),
        "fit_fixed": (1.0, ("dc fixed fit",)),
        "fit_free": (1.0, ("dc free fit",)),
        "centre_cm": (_MM_IN_CM, ("dc calculated center (mm)",)),
        "centre_error_cm": (_MM_IN_CM, ("dc calculated center err (mm)",)),
        "scan_length_cm": (_MM_IN_CM, ("dc scan length (mm)",)),
        "ac_moment_emu": (1.0, ("ac moment (emu)",)),
        "ac_in_phase_emu_per_oe": (1.0, ("ac x' (emu/oe)",)),
        "ac_out_of_phase_emu_per_oe": (1.0, ("ac x'' (emu/oe)", 'ac x" (emu/oe)')),
        "ac_in_phase_error_emu_per_oe": (1.0, ("ac x' std err. (emu/oe)",)),
        "ac_out_of_phase_error_emu_per_oe": (
            1.0,
            ("ac x'' std err. (emu/oe)", 'ac x" std err. (emu/oe)'),
        ),
        "ac_frequency_hz": (1.0, ("ac frequency (hz)",)),
        "ac_drive_oe": (1.0, ("ac drive (oe)",)),
    },
    "acms": {
        "moment_emu": (1.0, ("m-dc (emu)",)),
        "moment_error_emu": (1.0, ("m-std.dev. (emu)",)),
        "ac_moment_emu": (1.0, ("moment (emu)",)),  # here it is the modulus of the ac moment
        "ac_in_phase_emu": (1.0, ("m' (emu)",)),
        "ac_out_of_phase_emu": (1.0, ("m'' (emu)", 'm" (emu)')),
        "ac_frequency_hz": (1.0, ("frequency (hz)",)),
        "ac_drive_oe": (1.0, ("amplitude (oe)",)),
        "system_temperature_k": (1.0, ("ppms temperature (k)",)),
        "centre_given_cm": (1.0, ("sample center (cm)",)),
    },
    "mpms_xl": {
        "moment_emu": (1.0, ("long moment (emu)",)),
        "moment_error_emu": (1.0, ("long scan std dev",)),
        "fit_long": (1.0, ("long reg fit",)),
        "offset_cm": (1.0, ("long offset (cm)",)),
        "scan_length_cm": (1.0, ("scan length (cm)",)),
        "rso_amplitude_cm": (1.0, ("amplitude (cm)",)),
        "ac_in_phase_emu": (1.0, ("m' (emu)",)),
        "ac_out_of_phase_emu": (1.0, ('m" (emu)', "m'' (emu)")),
        "ac_in_phase_error_emu": (1.0, ("m' scan std dev",)),
        "ac_out_of_phase_error_emu": (1.0, ('m" scan std dev', "m'' scan std dev")),
        "ac_frequency_hz": (1.0, ("wave frequency (hz)",)),
        "ac_drive_oe": (1.0, ("drive amplitude (oe)",)),
    },
    "data_file": _BY_ITSELF,
    "unknown": _BY_ITSELF,
}

# A row is of the first kind one of whose quantities it has.
_KINDS: Mapping[Option, tuple[tuple[Kind, tuple[str, ...]], ...]] = {
    "vsm": (("vsm", ("moment_emu",)),),
    "mpms3": (
        ("dc", ("moment_fixed_emu", "moment_free_emu")),
        ("vsm", ("moment_emu",)),
        ("ac", ("ac_moment_emu", "ac_in_phase_emu_per_oe")),
    ),
    "acms": (("dc", ("moment_emu",)), ("ac", ("ac_moment_emu", "ac_in_phase_emu"))),
    "mpms_xl": (("rso", ("rso_amplitude_cm",)), ("dc", ("moment_emu",)), ("ac", ("ac_in_phase_emu",))),
}

# Exactly as in the files; read out of two of them.
_MPMS3 = """\
Comment,Time Stamp (sec),Temperature (K),Magnetic Field (Oe),Moment (emu),M. Std. Err. (emu),\
Transport Action,Averaging Time (sec),Frequency (Hz),Peak Amplitude (mm),Center Position (mm),\
Lockin Signal' (V),Lockin Signal (V),Range,M. Quad. Signal (emu),AC Moment (emu),AC M. Std Err. (emu),\
AC Phase (deg),AC Phase Std. Err. (deg),AC Susceptibility (emu/Oe),AC Suscept. Std Err. (emu/Oe),\
AC X' (emu/Oe),AC X' Std Err. (emu/Oe),AC X'' (emu/Oe),AC X'' Std Err. (emu/Oe),AC Drive (Oe),\
AC Frequency (Hz),AC Averaging Time (sec),AC Cycles,AC Range,AC Measure Type,AC Signal' (V),\
AC Signal'' (V),AC Trim Coil Ratio,AC Trim Coil Phase,Min. Temperature (K),Max. Temperature (K),\
Min. Field (Oe),Max. Field (Oe),Mass (grams),Motor Lag (deg),Pressure (Torr),Measure Count,\
Measurement Number,SQUID Status (code),Motor Status (code),Measure Status (code),Motor Current (amps),\
Motor Temp. (C),Temp. Status (code),Field Status (code),Chamber Status (code),Chamber Temp (K),\
Redirection State,Evercool Status,Average Temp (K),Rotation Angle (deg),Rotator state,\
DC Moment Fixed Ctr (emu),DC Moment Err Fixed Ctr (emu),DC Moment Free Ctr (emu),\
DC Moment Err Free Ctr (emu),DC Fixed Fit,DC Free Fit,DC Calculated Center (mm),\
DC Calculated Center Err (mm),DC Scan Length (mm),DC Scan Time (s),DC Number of Points,DC Squid Drift,\
DC Min V (V),DC Max V (V),DC Scans per Measure,Map 01,Map 02,Map 03,Map 04,Map 05,Map 06,Map 07,Map 08,\
Map 09,Map 10,Map 11,Map 12,Map 13,Map 14,Map 15,Map 16"""

MPMS3_COLUMNS = tuple(_MPMS3.split(","))
"""Columns of an MPMS3 with its ac option; files without an EverCool lack ``Evercool Status``."""


def plain_name(name: str) -> str:
    """Return a column's name in small letters with single spaces, as this map has it.

    >>> plain_name("AC X'  (emu/Oe)")
    "ac x' (emu/oe)"
    """
    return " ".join(name.split()).casefold()


def resolve(names: Sequence[str], option: Option) -> dict[str, tuple[float, tuple[int, ...]]]:
    """Return {our name: (factor, places of its columns)} of the quantities that the file has.

    Of several places the first counts that is not empty.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(plain_name(name), []).append(place)
    found = {}
    for ours, (factor, theirs) in {**_EVERYWHERE, **_OF_OPTION.get(option, {})}.items():
        columns = tuple(place for name in theirs for place in places.get(name, ()))
        if columns:
            found[ours] = (factor, columns)
    return found


def kinds_of(option: Option) -> tuple[tuple[Kind, tuple[str, ...]], ...]:
    """Return the kinds of row and the quantities that mark them; the first that a row has names it."""
    return _KINDS.get(option, ())


def unknown_columns(names: Sequence[str], option: Option) -> list[str]:
    """Return the columns that no file of the option seen so far has; they are kept all the same.

    Only of the MPMS3 is the whole column row known, so that nothing is said of the others.
    """
    if option != "mpms3":
        return []
    known = {plain_name(name) for name in MPMS3_COLUMNS} | {"ac x' (emu/oe)", 'ac x" (emu/oe)'}
    return [name for name in names if plain_name(name) not in known]


def chosen_fit(fixed: float, free: float, moment_fixed: float, moment_free: float) -> FitUsed:
    """Return which fit of a dc scan gives the moment.

    The one at the given centre, unless it is poor and the one at a free centre is better, or nothing is known
    of it or of how well it fits.

    Args:
        fixed, free: how well they fit, 1 for exactly.
        moment_fixed, moment_free: what they gave, emu; NaN for nothing.
    """
    if math.isnan(moment_free):
        return "fixed"
    unknown = math.isnan(fixed) and not math.isnan(free)
    better = fixed < POOR_FIT and free > fixed
    return "free" if math.isnan(moment_fixed) or unknown or better else "fixed"
