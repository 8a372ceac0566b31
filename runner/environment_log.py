"""The slow stream of a night: what cryostat and sources did between the points."""

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.station import Station
from onnes.storage.night import NightFolder

INTERVAL_S = 30.0  # often enough to see a helium transfer, seldom enough to leave the bus to the points


class EnvironmentLog:
    """Writes one row of ``environment.csv`` every ``INTERVAL_S`` of lab time, between two transactions."""

    def __init__(self, station: Station, night: NightFolder, clock: Clock) -> None:
        self._station = station
        self._night = night
        self._clock = clock
        self._due = clock.now()

    def is_due(self) -> bool:
        """Say whether it is time for the next row."""
        return self._clock.now() >= self._due

    def log(self, *, write: bool = True) -> None:
        """Read a row, write it, and raise the fault of thermostat or magnet if there is one.

        Raises:
            InstrumentFault: in a fault state; the row is written first.
            StorageError: if the row cannot be written; the night keeps it.
        """
        self._due = self._clock.now() + INTERVAL_S
        row: dict[str, float | int | str] = {
            "Time UTC": self._clock.datetime().isoformat(),
            "Elapsed (s)": self._clock.now(),
            **self._station.environment(),
        }
        if write:
            self._night.environment(row)
        if InstrumentFault.__name__ in (row["Temperature state"], row["Field state"]):
            self._station.snapshot()  # raises it, unless it was only a moment's
