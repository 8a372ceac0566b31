"""The text of a scan says how a moment is measured, or what is wrong with it."""

from typing import Any

import pytest

from onnes.instruments.moments import Scan
from onnes.procedures.options import compact
from onnes.procedures.scan_option import scan_of, usual_point_s


def test_a_scan_has_the_defaults_of_what_is_left_out() -> None:
    assert scan_of('{"mode":"rso","frequency_hz":1.0,"cycles":10}') == Scan("rso", 3.0, 3, 1.0, 10)


@pytest.mark.parametrize(
    ("scan", "seconds"),
    [
        (Scan(), 60.0),
        (Scan("vsm", scans=1), 10.0),
        (Scan("rso", scans=2, frequency_hz=0.5, cycles=10), 40.0),
    ],
)
def test_a_moment_takes_as_long_as_its_scans(scan: Scan, seconds: float) -> None:
    assert usual_point_s(scan) == seconds


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"lenght_cm": 4}, r"unknown key 'lenght_cm' in scan; expected some of mode, length_cm.*'length_cm'"),
        ({"mode": "ac"}, r"scan\.mode is 'ac'; expected one of dc, rso, vsm"),
        ({"length_cm": 0}, r"scan\.length_cm = 0 must be above zero"),
        ({"scans": 1.5}, r"scan\.scans is 1\.5; expected a whole number above zero"),
        ({"frequency_hz": 1.0}, r"scan\.frequency_hz belongs to the modes rso, vsm, not to dc"),
        ({"mode": "vsm", "frequency_hz": -1.0}, r"scan\.frequency_hz = -1 must be above zero"),
        ({"mode": "rso", "cycles": 0}, r"scan\.cycles is 0; expected a whole number above zero"),
    ],
)
def test_what_is_wrong_with_a_scan_is_said(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        scan_of(compact(given))
