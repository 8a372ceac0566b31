"""The slow stream of a night: what cryostat and sources did between the points."""

from onnes.instruments.clock import Clock
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

    def log(self) -> None:
        """Read and write a row.

        Raises:
            StorageError: if the row cannot be written; the night keeps it.
        """
        row: dict[str, float | int | str] = {
            "Time UTC": self._clock.datetime().isoformat(),
            "Elapsed (s)": self._clock.now(),
            **self._station.environment(),
        }
        self._due = self._clock.now() + INTERVAL_S
        self._night.environment(row)
