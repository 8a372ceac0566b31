"""What measurements of resistance share that look through coarse passes for the centre of a finer one."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from onnes.instruments.records import Event, Point
from onnes.procedures.fine_pass import CoarsePoint
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.resistance_session import SELF_HEATING
from onnes.procedures.take_up import Left, TakeUp, standing_flags
from onnes.procedures.transport import ResistancePoint

_COLUMNS = (
    "Temperature setpoint (K)",
    "Temperature (K)",
    "Field (Oe)",
    "Resistance (ohm)",
    "Resistance error (ohm)",
)


class CoarseSearch(ResistanceMeasurement):
    """Base of the measurements of resistance with finer passes.

    What the coarse ones told outlives a break.
    """

    centre: float | None = None  # of the finer passes, as the coarse ones tell it, K or Oe
    _coarse: tuple[CoarsePoint, ...] = ()  # the good points so far

    @property
    def is_searched(self) -> bool:
        """Say whether the coarse passes have to find the centre."""
        raise NotImplementedError

    def coarse_curves(self) -> int:
        """Return how many curves the coarse passes have."""
        raise NotImplementedError

    def _find(self, points: Sequence[CoarsePoint]) -> tuple[float | None, str]:
        """Return the centre, or None and why there is none."""
        raise NotImplementedError

    def _left(self, stored: pd.DataFrame) -> Left:
        """Return where the stored rows end in the program."""
        raise NotImplementedError

    def _take_up(self, stored: pd.DataFrame, *, history_kept: bool) -> TakeUp | None:
        raise NotImplementedError

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:
        """Return where to go on after a break; see :meth:`Measurement.take_up`.

        The centre is read back from the coarse passes, and flags that every point has stay.
        """
        self._read_coarse(stored)
        found = self._take_up(stored, history_kept=history_kept)
        return found and replace(found, flags=standing_flags(stored, (SELF_HEATING,)))

    def _note(self, item: Point | Event) -> None:
        """Keep a good point of a coarse pass."""
        if not (self.is_searched and isinstance(item, ResistancePoint)) or item.rejected:
            return
        if 0 < item.curve <= self.coarse_curves():
            point = CoarsePoint(
                item.temperature_setpoint,
                item.temperature,
                item.field,
                item.resistance,
                item.resistance_error,
                item.curve,
            )
            self._coarse = (*self._coarse, point)

    def _forget_coarse(self, start: TakeUp) -> None:
        """Forget the points of coarse passes that are measured again."""
        if start.curve <= self.coarse_curves():
            kept = start.curve if start.rule == "free" and start.done else start.curve - 1
            self._coarse = tuple(point for point in self._coarse if point.curve <= kept)
            self.centre = None

    def _read_coarse(self, stored: pd.DataFrame) -> None:
        """Read the points of the coarse passes back, and the centre if they are complete."""
        self._coarse, self.centre = (), None
        if stored.empty or not self.is_searched:
            return
        count = self.coarse_curves()
        rows = stored[(stored["Curve"] > 0) & (stored["Curve"] <= count)]
        columns = [*(rows[label].astype(float) for label in _COLUMNS), rows["Curve"].astype(int)]
        self._coarse = tuple(CoarsePoint(*values) for values in zip(*columns, strict=True))
        if stored["Curve"].max() > count or self._left(stored).curve > count:
            self.centre, _ = self._find(self._coarse)
