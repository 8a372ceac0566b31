"""Breaks a measurement off after a number of points and takes it up again, as a night does."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.take_up import TakeUp
from onnes.procedures.transport import ResistancePoint


def points_of(items: Iterable[Point | Event]) -> list[ResistancePoint]:
    return [item for item in items if isinstance(item, ResistancePoint)]


def stored(points: Iterable[ResistancePoint], attempt: int = 1) -> pd.DataFrame:
    """Return the good points as the reader gives them back."""
    return pd.DataFrame([row_of(point) | {"Attempt": attempt} for point in points if not point.rejected])


def until(
    measurement: ResistanceMeasurement,
    station: Any,
    clock: VirtualClock,
    count: int,
    take_up: TakeUp | None = None,
) -> list[ResistancePoint]:
    """Measure ``count`` points and leave."""
    found: list[ResistancePoint] = []
    items = measurement.points(station, clock, take_up)
    for item in items if count else ():
        if isinstance(item, ResistancePoint):
            found.append(item)
            if len(found) == count:
                break
    items.close()
    return found


def taken_up(
    measurement: ResistanceMeasurement, before: list[ResistancePoint], station: Any, clock: VirtualClock
) -> tuple[TakeUp, list[Point | Event]]:
    """Return where the measurement goes on after ``before``, and all that follows."""
    take_up = measurement.take_up(stored(before))
    if take_up is None:
        raise ValueError("everything is measured")
    return take_up, list(measurement.points(station, clock, take_up))
