"""The same dummy instruments and columns for every contestant: one setpoint, two channels, no latency."""

import math
from collections.abc import Iterator
from dataclasses import fields

from onnes.instruments.records import columns_of
from onnes.procedures.transport import ResistancePoint

LABELS = [column.label for column in columns_of(ResistancePoint).values()]
SIMULATED = {"backend": "simulated", "lab": "dummy", "seed": 0}


class DummyThermometer:
    """Follows its setpoint with a wiggle, so that its readings have all their digits."""

    def __init__(self) -> None:
        self.setpoint = 300.0

    def read(self) -> float:
        return self.setpoint + 1e-3 * math.sin(self.setpoint)


class DummyBridge:
    """Reads the voltage of a metal at 0.1 mA."""

    def read(self, kelvin: float) -> float:
        return 1e-4 * (0.1 + 1e-3 * kelvin)


def values(count: int) -> Iterator[tuple[float | int | str, ...]]:
    """Yield the values of the columns of a resistance point, ``count`` times."""
    thermometer, bridge = DummyThermometer(), DummyBridge()
    nan = math.nan
    for number in range(count):
        thermometer.setpoint = 300.0 - 298.0 * number / count
        before = thermometer.read()
        volts = bridge.read(before)
        after = thermometer.read()
        yield (
            "2026-01-01T00:00:00.000",
            float(number),
            nan,
            0.5 * (before + after),
            before,
            after,
            -2.0,
            0.0,
            0.0,
            0.0,
            1e-4,
            volts,
            volts / 1e-4,
            1e-9,
            5e-6,
            1e-9,
            nan,
            f"{volts!r};{-volts!r};{volts!r}",
            "cooling",
            1,
            "0x1141",
            "",
        )


def points(count: int) -> Iterator[ResistancePoint]:
    """Yield ``count`` resistance points."""
    for row in values(count):
        yield ResistancePoint(*row)  # type: ignore[arg-type]  # the order is that of the columns


if len(fields(ResistancePoint)) - 1 != len(LABELS) or len(next(values(1))) != len(LABELS):
    raise RuntimeError("the dummy values no longer fit the columns of a resistance point")
