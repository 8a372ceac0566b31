"""Keithley 6221: the readings it makes of a 2182A's A/D values: unit, elements on the wire, buffer.

Facts from the manual's command tables; (k) is general knowledge to be checked against it.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

from onnes.sim.device import InstrumentSettings
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_device import ScpiDevice
from onnes.sim.scpi_kinds import OVERFLOW, Choice, Integer, ScpiError

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_READING_AVAILABLE, _BUFFER_FULL = 32, 512  # bits 5 and 9 of the measurement register (k)
_UNITS = {"V": "VDC", "OHMS": "OHM", "W": "W", "SIEM": "SIE"}  # the words of the element UNIT (k)
_ELEMENTS = ("READ", "TST", "UNIT", "RNUM", "SOUR", "COMP", "AVOL")  # the order in which they come
_DEFAULT_ELEMENTS = frozenset({"READ", "TST"})


class Reading(NamedTuple):
    """One reading with all that ``FORMat:ELEMents`` can ask for; a voltage out of range is infinity."""

    volts: float
    average_v: float
    step_a: float  # that ``volts`` is the answer to
    centre_a: float
    seconds: float  # since the start
    number: int
    is_limited: bool  # in compliance


class K6221Readings(ScpiDevice):
    """What is asked with ``SENSe:DATA`` and ``TRACe:DATA``."""

    unit = Param("UNIT[:VOLTage[:DC]]", Choice("V", "OHMS", "W", "SIEMens"), "V")
    buffer_points = Param("TRACe:POINts", Integer(1, 1_000_000), 100)
    buffer_feed = Param("TRACe:FEED", Choice("SENSe[1]", "CALCulate[1]", "NONE"), "SENS")
    buffer_control = Param("TRACe:FEED:CONTrol", Choice("NEXT", "NEVer"), "NEV")
    data_format = Param("FORMat[:DATA]", Choice("ASCii"), "ASC")
    status_format = Param("FORMat:SREGister", Choice("ASCii"), "ASC")

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self.takes_readings = False  # a mode that takes some is armed
        self._elements = _DEFAULT_ELEMENTS
        self._buffer: list[Reading] = []
        self._last: Reading | None = None
        self._is_fresh = False

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        self._elements = _DEFAULT_ELEMENTS
        self._buffer.clear()

    def forget_last(self) -> None:
        """Have no last reading, so that none of a run before passes for one of the next."""
        self._last, self._is_fresh = None, False

    def begin_readings(self) -> None:
        """Forget the readings of the run before, also those in the buffer, and fill it anew."""
        self.forget_last()
        self._buffer.clear()
        vars(self)["buffer_control"] = "NEXT"

    def keep(self, reading: Reading) -> None:
        """Take a new reading, and store it while the buffer has room."""
        self._last, self._is_fresh = reading, True
        self.latch("measurement", _READING_AVAILABLE)
        if self.buffer_control == "NEXT" and self.buffer_feed != "NONE":
            self._buffer.append(reading)
            if len(self._buffer) >= self.buffer_points:
                vars(self)["buffer_control"] = "NEV"
                self.latch("measurement", _BUFFER_FULL)

    @query("SENSe[1]:DATA[:LATest]")
    def get_latest(self, t: float) -> str:
        """Return the last reading again, however old it is; where nothing is armed there is none to have."""
        del t
        if not self.takes_readings:
            raise ScpiError(-221)
        if self._last is None:
            raise ScpiError(-230)
        self._is_fresh = False
        return self._text(self._last)

    @query("SENSe[1]:DATA:FRESh")
    def get_fresh(self, t: float) -> str:
        """Return the last reading, once."""
        if self.takes_readings and not self._is_fresh:
            raise ScpiError(-230)
        return self.get_latest(t)

    @query("TRACe:DATA")
    def get_buffer(self, t: float) -> str:
        """Return all readings of the buffer."""
        del t
        if not self._buffer:
            raise ScpiError(-230)
        return ",".join(self._text(reading) for reading in self._buffer)

    @query("TRACe:POINts:ACTual")
    def count_buffer(self, t: float) -> str:
        """Return how many readings the buffer holds."""
        del t
        return str(len(self._buffer))

    @command("TRACe:CLEar")
    def clear_buffer(self, t: float) -> None:
        """Empty the buffer."""
        del t
        self._buffer.clear()

    @command(
        "FORMat:ELEMents",
        Choice("READing", "TSTamp", "UNITs", "RNUMber", "SOURce", "COMPliance", "AVOLtage", "ALL", "DEFault"),
        repeats=True,
    )
    def set_elements(self, t: float, *words: str) -> None:
        """Choose what belongs to a reading on the wire; ``DEFault`` is reading and time."""
        del t
        chosen = set(_ELEMENTS) if "ALL" in words else set(words) - {"DEF"}
        self._elements = frozenset(chosen | _DEFAULT_ELEMENTS if "DEF" in words else chosen)

    @query("FORMat:ELEMents")
    def get_elements(self, t: float) -> str:
        """Return what belongs to a reading on the wire."""
        del t
        return ",".join(word for word in _ELEMENTS if word in self._elements)

    def _text(self, reading: Reading) -> str:
        elements = {
            "READ": _number(_in_unit(self.unit, reading.volts, reading.step_a)),
            "TST": f"{reading.seconds:+.6E}",
            "UNIT": _UNITS[self.unit],
            "RNUM": str(reading.number),
            "SOUR": f"{reading.centre_a:+.8E}",
            "COMP": "T" if reading.is_limited else "F",
            "AVOL": _number(reading.average_v),
        }
        return ",".join(elements[name] for name in _ELEMENTS if name in self._elements)


def _in_unit(unit: str, volts: float, amps: float) -> float:
    if math.isinf(volts) or unit == "V":
        return volts
    if unit == "W":
        return volts * amps
    above, below = (volts, amps) if unit == "OHMS" else (amps, volts)
    return above / below if below else math.inf


def _number(value: float) -> str:
    return OVERFLOW if math.isinf(value) else f"{value:+.8E}"
