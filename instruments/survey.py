"""What a station has and what it reads right now, instrument by instrument; nothing is set.

For a look before a night: one instrument that is missing does not hide the others.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyvisa

from onnes.instruments.clock import Clock
from onnes.instruments.drivers import Instrument
from onnes.instruments.errors import OnnesError
from onnes.instruments.keithley2182a import OVERFLOW_V, Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.lakeshore import LakeShore336, LakeShore340
from onnes.instruments.mpms import Mpms
from onnes.instruments.mpms_remote import RemoteMpms3
from onnes.instruments.multivu import MultiVu
from onnes.instruments.open_station import library_of, open_instrument
from onnes.instruments.ppms import PPMS
from onnes.instruments.protocols import HeliumLevel, Reading
from onnes.instruments.safe_state import close_all
from onnes.instruments.source_meter import SourceMeterCurrent
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.station_file import StationFile

_FRESH = "fresh"


@dataclass(frozen=True, slots=True)
class SurveyedReading:
    """One quantity as it was read; NaN with the error's kind as state where that failed.

    ``age`` is ``fresh``, ``latest`` of a meter that measures by itself, or the controller's word for a level.
    """

    quantity: str
    unit: str
    value: float | str
    state: str
    age: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One instrument: what it is for, where, who answers, what it reads, and what is wrong and to be done.

    ``problem`` is empty where all is well; ``identity`` is where nobody answered.
    """

    instrument: str
    roles: tuple[str, ...]
    driver: str
    resource: str
    identity: str
    readings: tuple[SurveyedReading, ...]
    problem: str


def survey_station(file: StationFile, clock: Clock, *, lab_key: str | None = None) -> list[Surveyed]:
    """Open, identify and read each instrument of ``file`` by itself and close it again; set nothing.

    Args:
        lab_key: registered name of a virtual lab, for a simulated station; default the file's ``[twin]``.

    Raises:
        ConfigurationError: if the VISA library is not the one that the file asks for.
    """
    manager = library_of(file, lab_key)
    return [_surveyed(manager, file, name, clock) for name in file.instruments]


def _surveyed(manager: pyvisa.ResourceManager | None, file: StationFile, name: str, clock: Clock) -> Surveyed:
    entry = file.instruments[name]
    identity, problems = "", []
    readings: list[SurveyedReading] = []
    opened: dict[str, Instrument] = {}
    try:
        for one in filter(None, (entry.via, name)):
            opened[one] = open_instrument(manager, file, one, clock, opened)
        identity = opened[name].connect()
        for quantity, unit, ask in _questions(opened[name]):
            try:
                readings.append(SurveyedReading(quantity, unit, *ask()))
            except OnnesError as error:
                readings.append(SurveyedReading(quantity, unit, math.nan, type(error).__name__, ""))
                problems.append(str(error))
    except OnnesError as error:
        problems.append(str(error))
    finally:
        close_all(opened)
    return Surveyed(
        instrument=name,
        roles=tuple(_roles(file, name)),
        driver=entry.driver,
        resource=entry.address or entry.data or (f"via {entry.via}" if entry.via else ""),
        identity=identity,
        readings=tuple(readings),
        problem="; ".join(dict.fromkeys(problems)),
    )


def _roles(file: StationFile, name: str) -> Iterator[str]:
    yield from (role.replace("_", " ") for role, instrument in file.roles if instrument == name)
    for wiring, entry in file.wiring.items():
        if entry.source == name:
            yield f"source of {wiring}"
        if entry.meter == name:
            yield f"meter of {wiring}"


# Value, state and age; see SurveyedReading.
_Asked = tuple[float | str, str, str]
_Question = tuple[str, str, Callable[[], _Asked]]


def _questions(instrument: Instrument) -> list[_Question]:
    """Return (quantity, unit, how to read it) of all that an instrument tells without being set."""
    if isinstance(instrument, PPMS):
        return [*_of_cryostat(instrument), *_of_helium(instrument)]
    if isinstance(instrument, MultiVu | RemoteMpms3):
        return _of_cryostat(instrument)
    if isinstance(instrument, Mpms):
        return []
    if isinstance(instrument, StanfordLockIn):
        return _of_lock_in(instrument)
    if isinstance(instrument, LakeShore336 | LakeShore340):
        return _of_controller(instrument)
    if isinstance(instrument, Keithley6221 | SourceMeterCurrent):
        return _of_source(instrument)
    return _of_meter(instrument)


def _of_cryostat(cryostat: PPMS | MultiVu | RemoteMpms3) -> list[_Question]:
    def regulated(reading: Reading) -> _Asked:
        return reading.value, reading.state, _FRESH

    return [
        ("temperature", "K", lambda: regulated(cryostat.temperature())),
        ("temperature setpoint", "K", lambda: (cryostat.temperature_setpoint(), "", _FRESH)),
        ("field", "Oe", lambda: regulated(cryostat.field())),
        ("field setpoint", "Oe", lambda: (cryostat.field_setpoint(), "", _FRESH)),
        ("chamber", "", lambda: (cryostat.chamber_state(), "", _FRESH)),
    ]


def _of_controller(controller: LakeShore336 | LakeShore340) -> list[_Question]:
    def temperature() -> _Asked:
        reading = controller.temperature()
        return reading.value, reading.state, _FRESH

    def heater() -> _Asked:
        return controller.heater_output, f"range {controller.heater_range}", _FRESH

    return [
        ("temperature", "K", temperature),
        ("temperature setpoint", "K", lambda: (controller.temperature_setpoint(), "", _FRESH)),
        ("heater output", "%", heater),
    ]


def _of_helium(ppms: PPMS) -> list[_Question]:
    def helium(level: HeliumLevel) -> _Asked:
        return level.percent, "", level.age

    return [("helium", "%", lambda: helium(ppms.helium_level()))]


def _of_lock_in(lock_in: StanfordLockIn) -> list[_Question]:
    def part(name: Literal["x", "y"]) -> _Asked:
        reading = lock_in.look()
        return getattr(reading, name), ", ".join(reading.flags), _FRESH

    return [
        ("in phase", "V", lambda: part("x")),
        ("in quadrature", "V", lambda: part("y")),
        ("sine", "V", lambda: (lock_in.sine_voltage, "", _FRESH)),
    ]


def _of_source(source: Keithley6221 | SourceMeterCurrent) -> list[_Question]:
    def current() -> _Asked:
        return source.source_current, f"output {'on' if source.source_enabled else 'off'}", _FRESH

    return [
        ("current", "A", current),
        ("compliance", "V", lambda: (source.source_compliance, "", _FRESH)),
    ]


def _of_meter(meter: Keithley2182A) -> list[_Question]:
    def voltage() -> _Asked:
        volts, is_fresh = meter.look()
        return volts, "overflow" if abs(volts) >= OVERFLOW_V else "", _FRESH if is_fresh else "latest"

    return [("voltage", "V", voltage)]
