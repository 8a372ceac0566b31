"""What the magnetometers are: their ways of measuring a moment, how long those take, and their ranges.

Marks: (m) seen in real files, (s) published, (k) general knowledge, (a) assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Machine = Literal["mpms3", "mpms_xl", "mpms5", "acms"]
Mode = Literal["dc", "rso", "vsm"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How one way of measuring runs: ``points`` of a scan, its time, what a moment costs besides, s.

    ``scan_s`` is the time of one scan; of an oscillating way that of a measurement without a number of
    cycles. ``lead_s`` passes before the first scan (the sample goes to where it begins), ``after_s`` behind
    the last (the fit, the way back).
    """

    points: int
    scan_s: float
    lead_s: float
    after_s: float
    frequency_hz: float = 0.0


TIMINGS: Final[Mapping[Machine, Mapping[Mode, Timing]]] = {
    "mpms3": {
        "dc": Timing(200, 4.0, 2.0, 4.0),  # 200 points, 4 s (m), the rest (a)
        "vsm": Timing(64, 2.0, 1.5, 1.5, 14.0),  # 2 s, 14 Hz (m); a point with its step of field 12.8 s (m)
    },
    "mpms_xl": {
        "dc": Timing(32, 8.0, 3.0, 5.0),  # 32 points (s); 3 scans in 20 to 60 s (a)
        "rso": Timing(64, 5.0, 1.5, 1.5, 1.0),  # 5 to 10 s (a)
    },
    "mpms5": {"dc": Timing(32, 8.0, 3.0, 5.0)},  # as the XL (a)
    "acms": {"dc": Timing(64, 1.0, 1.0, 2.0)},  # extraction within 0.1 s, a point in some seconds (k, a)
}

LARGEST_EMU: Final[Mapping[Machine, float]] = {
    "mpms3": 10.0,
    "mpms_xl": 1.25,
    "mpms5": 1.25,
    "acms": 5.0,
}  # dc (k)
RANGES: Final = (1, 10, 100, 1000)  # numbers of the ranges, the last one up to the largest moment (m, a)
FULL_SCALE_V: Final = 5.0  # of the SQUID's output, either way (a)


class MagnetometerSettings(BaseModel):
    """The table ``[magnetometer]`` of a lab file: the machine, its noise, its holder, its operator.

    The noise of a moment m of three scans (VSM: of 2 s) is that of ``noise_emu``, ``noise_fraction`` of m and
    ``noise_emu_per_oe`` of the field, added in squares (a: XL in a low field). ``drift_emu_per_s`` is how
    fast the background of a scan may run (rms, a). ``centre_mm`` is how far the sample sits from the given
    centre; the holder adds ``background_emu`` and ``background_emu_per_oe`` times the true field. The
    operator opens a new start file after ``operator_s``; a negative one says that nobody comes.

    Of the ac option, each part of an alternating moment m has a noise of ``ac_noise_emu`` and
    ``ac_noise_fraction`` of m, added in squares, at 10 s of averaging: with the bar of paper 001 that is 5e-3
    of the moment at 0.1 Oe and 5e-4 at 10 Oe (a). ``ac_phase_deg`` is how far its electronics lag, so that
    screening reads as a negative loss (a).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    machine: Machine
    operator_s: float = 60.0
    centre_mm: float = Field(default=0.0, ge=-10, le=10)
    noise_emu: float = Field(default=1e-8, ge=0)
    noise_fraction: float = Field(default=1e-4, ge=0)
    noise_emu_per_oe: float = Field(default=1e-11, ge=0)
    drift_emu_per_s: float = Field(default=1e-9, ge=0)
    background_emu: float = 0.0
    background_emu_per_oe: float = 0.0
    ac_noise_emu: float = Field(default=2e-7, ge=0)
    ac_noise_fraction: float = Field(default=5e-4, ge=0)
    ac_phase_deg: float = Field(default=0.5, ge=-180, le=180)
