"""What the magnetometers are: limits, ways to measure a moment and their times, the end of the range.

Marks of the numbers: (m) seen in real files, (s) published, (k) general knowledge, (a) assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from onnes.instruments.limits import Limits
from onnes.instruments.moments import ScanMode
from onnes.instruments.susceptometer import AcLimits


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """What a machine's sequences may set; ``field_rate`` None where nobody chooses the rate."""

    temperature: Limits
    temperature_rate: Limits
    field: Limits
    field_rate: Limits | None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a moment takes: ``per_scan_s`` for each scan, or else by cycles, and ``besides_s``."""

    per_scan_s: float
    besides_s: float


@dataclass(frozen=True, slots=True)
class Machine:
    """A magnetometer as its maker describes it: modes it can scan in, with their times, and its ac option."""

    name: str
    timings: Mapping[ScanMode, Timing]
    largest_emu: float
    limits: MachineLimits
    ac: AcLimits  # amplitudes are peak


_AC_BESIDES_S = 2.0  # of an alternating moment: the way through the coils and their nulling (a)


def ac_point_s(frequency_hz: float, averaging_s: float) -> float:
    """Return about how long an alternating moment takes, s, without a change of temperature or field before.

    >>> ac_point_s(10.0, 10.0), ac_point_s(0.1, 1.0)
    (12.0, 12.0)
    """
    return max(averaging_s, 1.0 / frequency_hz) + _AC_BESIDES_S


MPMS3 = Machine(
    name="MPMS3",
    timings={
        "dc": Timing(per_scan_s=4.0, besides_s=6.0),  # 4 s (m); the ways before and after (a)
        "vsm": Timing(per_scan_s=2.0, besides_s=3.0),  # 12.8 s with its step of the field (m)
    },
    largest_emu=10.0,  # (k)
    limits=MachineLimits(
        temperature=Limits(1.8, 400.0, "K", "the MPMS3"),  # (k)
        temperature_rate=Limits(0.01, 20.0, "K/min", "the MPMS3"),  # what MultiPyVu takes (s)
        field=Limits(-70_000.0, 70_000.0, "Oe", "the MPMS3"),  # (k)
        field_rate=Limits(0.01, 700.0, "Oe/s", "the MPMS3"),  # (k); a rate of 0 would never arrive
    ),
    ac=AcLimits(
        amplitude=Limits(5e-3, 10.0, "Oe", "the ac option of the MPMS3"),  # the upper end (k), the lower (a)
        frequency=Limits(0.1, 1000.0, "Hz", "the ac option of the MPMS3"),  # (k)
    ),
)

MPMS_XL = Machine(
    name="MPMS-XL",
    timings={
        "dc": Timing(per_scan_s=8.0, besides_s=8.0),  # three scans in 20 to 60 s (a)
        "rso": Timing(per_scan_s=5.0, besides_s=3.0),  # 5 to 10 s (a); with cycles given, by those
    },
    largest_emu=1.25,  # (k), without the extended range
    limits=MachineLimits(
        temperature=Limits(1.9, 400.0, "K", "the MPMS-XL"),  # (k)
        temperature_rate=Limits(0.01, 10.0, "K/min", "the MPMS-XL"),  # the lower end (a), the upper (s)
        field=Limits(-70_000.0, 70_000.0, "Oe", "the MPMS-XL"),  # 7 T (k); a 5 T magnet says the station file
        field_rate=None,
    ),
    ac=AcLimits(
        amplitude=Limits(2e-4, 4.0, "Oe", "the ac option of the MPMS-XL"),  # the lower end (s), the upper (k)
        frequency=Limits(0.01, 1000.0, "Hz", "the ac option of the MPMS-XL"),  # (s)
    ),
)

ACMS = Machine(
    name="ACMS",
    timings={"dc": Timing(per_scan_s=1.0, besides_s=3.0)},  # extraction: a point in some seconds (k, a)
    largest_emu=5.0,  # (k)
    limits=MachineLimits(
        temperature=Limits(1.9, 400.0, "K", "the PPMS"),  # (k)
        temperature_rate=Limits(0.01, 20.0, "K/min", "the PPMS"),  # (k)
        field=Limits(
            -160_000.0, 160_000.0, "Oe", "the PPMS"
        ),  # 16 T (k); a smaller magnet says the station file
        field_rate=Limits(10.0, 190.0, "Oe/s", "the PPMS"),  # (k)
    ),
    ac=AcLimits(
        amplitude=Limits(2e-3, 15.0, "Oe", "the ACMS"),  # (k)
        frequency=Limits(10.0, 10_000.0, "Hz", "the ACMS"),  # (k)
    ),
)
