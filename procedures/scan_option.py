"""How one moment is measured, as the text of a parameter says it."""

import math
from dataclasses import fields
from typing import get_args

from onnes.instruments.moments import Scan, ScanMode
from onnes.instruments.spelling import nearest
from onnes.procedures.options import mapping, positive

TITLE = "scan"
_KEYS = tuple(field.name for field in fields(Scan))
_OSCILLATING: tuple[ScanMode, ...] = ("rso", "vsm")

# A dc scan takes 20 s, an oscillating one 10 s (a): 3 dc scans were 60 s, an MPMS3 with VSM took 12.8 s
# from point to point of a loop (seen).
_SCAN_S: dict[ScanMode, float] = {"dc": 20.0, "rso": 10.0, "vsm": 10.0}


def scan_of(text: str) -> Scan:
    """Return what the JSON text of a scan says; ``{}`` is all defaults.

    Raises:
        ValueError: if it is no JSON object, or has a key or value that does not belong there.
    """
    given = mapping(text, TITLE)
    for key in given:
        if key not in _KEYS:
            raise ValueError(
                f"unknown key {key!r} in {TITLE}; expected some of {', '.join(_KEYS)}{nearest(key, _KEYS)}"
            )
    scan = Scan(**given)
    if scan.mode not in get_args(ScanMode):
        raise ValueError(f"{TITLE}.mode is {scan.mode!r}; expected one of {', '.join(get_args(ScanMode))}")
    positive(f"{TITLE}.length_cm", scan.length_cm)
    _check_count("scans", scan.scans)
    for name in ("frequency_hz", "cycles"):
        if getattr(scan, name) is not None and scan.mode not in _OSCILLATING:
            raise ValueError(
                f"{TITLE}.{name} belongs to the modes {', '.join(_OSCILLATING)}, not to {scan.mode}"
            )
    if scan.frequency_hz is not None:
        positive(f"{TITLE}.frequency_hz", scan.frequency_hz)
    if scan.cycles is not None:
        _check_count("cycles", scan.cycles)
    return scan


def usual_point_s(scan: Scan) -> float:
    """Return about how long one moment takes where nobody says, s."""
    cycles_s = (scan.cycles or 0) / (scan.frequency_hz or math.inf)
    return scan.scans * max(_SCAN_S[scan.mode], cycles_s)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{TITLE}.{name} is {value!r}; expected a whole number above zero")
