"""A measurement is a generator of points; it runs in our engine and in a stock PyMeasure ``Worker`` alike."""

import logging
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from onnes.instruments.clock import Clock, WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.open_station import open_station
from onnes.instruments.records import Event, Point, accepted, columns_of
from onnes.instruments.spelling import nearest
from onnes.instruments.station import Station
from onnes.instruments.station_file import load_station_file
from onnes.procedures.experiment import Parameter, Procedure
from onnes.procedures.take_up import TakeUp
from onnes.procedures.watch import MeasuringStation, Waits

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setpoint:
    """One planned point: in a sweep, where the ramp should be when it is taken. K, Oe.

    ``is_estimated``: what is measured before it decides where it will be.
    """

    temperature_k: float
    field_oe: float
    direction: str
    curve: int
    is_estimated: bool = False


class Measurement(Procedure):
    """Base of all measurements: what is measured, in which order; storing and plotting is for the caller.

    The run engine calls :meth:`points` with station and clock of its own. Stock PyMeasure calls ``startup``,
    ``execute`` and ``shutdown``, which open the station file named by the parameter "Station".

    A parameter or attribute that does not exist is refused, with the nearest name.

    Raises:
        TypeError: for a parameter that does not exist.
        ValueError: for a value that a parameter does not take.
    """

    point: ClassVar[type[Point]] = Point
    kind: ClassVar[str] = ""  # names the run folder

    station_file: str = Parameter("Station", default="")  # a path; used where nobody injects a station

    clock: Clock
    station: Station | None = None
    watch: Waits | None = None  # of the points() under way: what it waits for is there to read
    status: int
    _metadata: dict[str, Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.DATA_COLUMNS = [column.label for column in columns_of(cls.point).values()]

    def __init__(self, **parameters: object) -> None:
        super().__init__()
        self.clock = WallClock()
        for name, value in parameters.items():
            if name not in self._parameters:
                raise TypeError(
                    f"{type(self).__name__} has no parameter {name!r}{nearest(name, self._parameters)}"
                )
            setattr(self, name, value)
        self.check()

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._parameters:
            parameter = self._parameters[name]
            if value is not None:
                parameter.value = value
                value = parameter.value
            elif parameter.is_set():
                raise ValueError(f"{parameter.name} is None; leave it out for its default")
        elif (
            name not in _PYMEASURE_SETS
            and not hasattr(type(self), name)
            and name not in _declared(type(self))
        ):
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}{nearest(name, self._parameters)}"
            )
        super().__setattr__(name, value)

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the parameters contradict each other.
        """

    def points(
        self, station: MeasuringStation, clock: Clock, take_up: TakeUp | None = None
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield each point as it is taken, and each event worth a line.

        Args:
            take_up: where to go on after a break; without it, from the start.

        Raises:
            LimitError: before anything is sent, if the plan leaves the limits of the station.
            SettleTimeout, InstrumentFault, CommunicationError, ContactError: when it cannot go on; the source
                is at 0.
        """
        raise NotImplementedError

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp | None:
        """Return where to go on after a break, None if everything is measured; needs no hardware.

        Args:
            stored: the rows that count, in order of time, with the columns of ``data.csv``.
            history_kept: whether temperature and field have stayed where they were since the break, so that a
                curve between two setpoints may go on although its points hang on their history.

        Raises:
            ValueError: if they do not belong to the program.
        """
        raise NotImplementedError

    def remaining_s(self, take_up: TakeUp | None) -> float:
        """Return about how long it takes from ``take_up`` to the end, s; needs no hardware."""
        raise NotImplementedError

    def extend(self, end: float) -> int:
        """Move the end of the running program further on, K or Oe; the next point goes by it.

        Return the number of the first curve that does: those before it are measured.

        Limits are for the caller to look at; the drivers refuse what is outside theirs.

        Raises:
            ValueError: if it cannot be moved there, with the reason; nothing has changed.
        """
        raise NotImplementedError

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured; needs no hardware."""
        raise NotImplementedError

    def duration_s(self) -> float:
        """Return about how long the measurement takes from its first setpoint on, s; needs no hardware."""
        return self.remaining_s(None)

    def label(self) -> str:
        """Return what this run holds fixed, fit for the name of a folder."""
        raise NotImplementedError

    def derived(self, frame: pd.DataFrame) -> Mapping[str, pd.DataFrame]:  # noqa: ARG002 - for subclasses
        """Return tables that follow from the data, by name; ``frame`` has the columns of ``data.csv``."""
        return {}

    # -- what stock PyMeasure calls

    def startup(self) -> None:
        """Open the station, unless one was given.

        Raises:
            ConfigurationError: if no station is named, or its file or instruments are not as they should be.
            ValueError: if the parameters contradict each other.
        """
        self.check()
        if self.station is None:
            if not self.station_file:
                raise ConfigurationError(
                    "no station; set the parameter 'Station' to the path of a station file"
                )
            self.station = open_station(load_station_file(Path(self.station_file)), self.clock)

    def execute(self) -> None:
        """Hand each good point to PyMeasure until it wants to stop."""
        if self.station is None:
            raise ConfigurationError("no station is open; startup() opens it")
        with closing(self.points(self.station, self.clock)) as items:
            for row in accepted(items):
                self.emit("results", row)
                if self.should_stop():
                    return

    def shutdown(self) -> None:
        """Leave everything in its safe state; never raises, and may be called at any time and again."""
        station, self.station = self.station, None
        if station is None:
            return
        # A Worker whose shutdown raises hangs for ever, with the status Running.
        try:
            for step in station.safe_state():
                _log.log(logging.INFO if step.confirmed else logging.ERROR, "safe state: %s", step.message)
        except Exception:  # noqa: BLE001 - whatever failed, the station is closed next
            _log.exception("the safe state failed; look at the instruments")
        try:
            station.close()
        except Exception:  # noqa: BLE001 - as above
            _log.exception("the station did not close")

    def get_estimates(self) -> float:
        """Return the duration, s, for the estimator of a stock window."""
        return self.duration_s()


# What PyMeasure's Procedure and Worker assign without declaring it on the class.
_PYMEASURE_SETS = frozenset({"status", "_metadata"})


def _declared(kind: type) -> frozenset[str]:
    return frozenset(name for base in kind.__mro__ for name in vars(base).get("__annotations__", ()))
