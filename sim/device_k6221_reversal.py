"""Keithley 6221 with a 2182A behind it: reversing the current, taking readings, and the buffer.

Facts from the manual's command tables; (k) is general knowledge to be checked against it, (a) our assumption.
"""

import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from onnes.sim.current_reversals import Reversals, average_v, reversed_v
from onnes.sim.device import InstrumentSettings
from onnes.sim.device_k2182a import K2182A
from onnes.sim.device_k6221_relay import K6221Relay
from onnes.sim.device_k6221_source import LARGEST_A, K6221Source
from onnes.sim.scpi import OVERFLOW, Choice, Integer, Param, ScpiError, command, query
from onnes.sim.tones import Tone

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_INFINITE = 9.9e37
_DONE, _ABORTED = 2, 8  # bits 1 and 3 of the operation register: all readings taken, ended by compliance (k)
_READING_AVAILABLE, _BUFFER_FULL = 32, 512  # bits 5 and 9 of the measurement register (k)
# Arming prepares the 2182A and takes its zero: about 3 s at 5 power line cycles, spread so (a).
_ARM_S, _ARM_CYCLES = 1.0, 20.0


class _Reading(NamedTuple):
    """One reading with all that FORMat:ELEMents can ask for."""

    volts: float
    seconds: float  # since the start
    number: int
    step_a: float
    centre_a: float
    is_limited: bool
    average_v: float


_UNITS = {"V": "VDC", "OHMS": "OHM", "W": "W", "SIEM": "SIE"}  # the words of the element UNIT (k)
_ELEMENTS = ("READ", "TST", "UNIT", "RNUM", "SOUR", "COMP", "AVOL")  # the order in which they come
_DEFAULT_ELEMENTS = frozenset({"READ", "TST"})


class K6221Reversal(K6221Source, K6221Relay):
    """What delta and differential conductance have in common.

    Armed, a mode starts at once when it is told to, and switches the output on. Each conversion of the 2182A
    begins a delay after the current has changed. While the 6221 has the 2182A, nothing is handed on to it
    (a). After the last reading the current is 0 and the mode stays armed (a); aborted, it is 0 too.
    """

    sweep_count = Param("[SOURce[1]]:SWEep:COUNt", Integer(1, 65536, infinite=True), 1)
    unit = Param("UNIT[:VOLTage[:DC]]", Choice("V", "OHMS", "W", "SIEMens"), "V")
    buffer_points = Param("TRACe:POINts", Integer(1, 1_000_000), 100)
    buffer_feed = Param("TRACe:FEED", Choice("SENSe[1]", "CALCulate[1]", "NONE"), "SENS")
    buffer_control = Param("TRACe:FEED:CONTrol", Choice("NEXT", "NEVer"), "NEV")
    data_format = Param("FORMat[:DATA]", Choice("ASCii"), "ASC")

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._elements = _DEFAULT_ELEMENTS
        self._readings: list[_Reading] = []
        self._forget()

    def _forget(self) -> None:
        self._reversals: Reversals | None = None
        self._meter: K2182A | None = None
        self._delay_s = 0.0
        self._aborts_limited = False
        self._ready_at = math.inf
        self._amps: float | None = None  # what flows; None while no conversion is on
        self._values: deque[tuple[float, bool]] = deque(maxlen=3)  # A/D values, and whether in compliance
        self._conversion = 0
        self._passes = 0
        self._begin = 0.0
        self._taken = 0
        self._last: _Reading | None = None
        self._is_fresh = False

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        self._elements = _DEFAULT_ELEMENTS
        self._readings.clear()

    # --- arming ---------------------------------------------------------------------------------------

    def arm_reversals(self, mode: str, reversals: Reversals, delay_s: float, aborts: bool, t: float) -> None:
        """Let ``mode`` take over source and nanovoltmeter; the level becomes 0 (a).

        Raises:
            ScpiError: -241 if no 2182A is heard, -221 if the source or its fixed range cannot drive it.
        """
        meter = self.nanovoltmeter
        if meter is None:
            raise ScpiError(-241)
        if reversals.largest_a > LARGEST_A:
            raise ScpiError(-221)
        self.disarm(t)
        self.assign("level_a", 0.0, t)
        self.arm(mode, reversals.largest_a, t, fixes_range=not self.auto_range)
        meter.hand_over(t)
        self._reversals, self._meter = reversals, meter
        self._delay_s, self._aborts_limited = delay_s, aborts
        self._ready_at = t + _ARM_S + _ARM_CYCLES * meter.nplc / self.lab.line_hz

    def is_armed(self, mode: str, t: float) -> str:
        """Return ``1`` once ``mode`` is ready to start."""
        return "1" if self.armed == mode and t >= self._ready_at else "0"

    def hears_meter(self, t: float) -> str:
        """Return ``1`` if a 2182A answers on the serial line."""
        del t
        return "0" if self.nanovoltmeter is None else "1"

    def send(self, t: float, message: str) -> None:
        """Hand ``message`` on to the 2182A, unless it is in use."""
        if self._reversals is not None:
            raise ScpiError(-221)
        super().send(t, message)

    def disarm(self, t: float) -> None:
        """End the readings, too; those in the buffer stay."""
        self._forget()
        super().disarm(t)

    @command("[SOURce[1]]:SWEep:ABORt")
    def abort_reversals(self, t: float) -> None:
        """End delta or differential conductance and leave the 2182A alone."""
        if self._reversals is not None:
            self.disarm(t)

    # --- readings -------------------------------------------------------------------------------------

    @command("INITiate[:IMMediate]")
    def start(self, t: float) -> None:
        """Start what is armed; the buffer is filled anew."""
        if self._reversals is None or t < self._ready_at:
            raise ScpiError(-221)
        self.run += 1
        self._readings.clear()
        vars(self)["buffer_control"] = "NEXT"
        self._begin, self._passes, self._taken = t, 0, 0
        self._last, self._is_fresh = None, False
        self._begin_pass(self._reversals, t)
        self.assign("output", True, t)

    def _begin_pass(self, reversals: Reversals, t: float) -> None:
        self._values.clear()
        self._conversion = 0
        self._go_to(reversals.level_a(0), t)

    def _go_to(self, amps: float, t: float) -> None:
        self._amps = amps
        self.drive(t)
        if self._meter is not None:
            end = t + self._delay_s + self._meter.conversion_s
            self.lab.at(end, partial(self._convert, run=self.run))

    def _convert(self, t: float, run: int) -> None:
        """Take the A/D value that is ready at ``t``, and go on."""
        reversals, meter = self._reversals, self._meter
        if run != self.run or reversals is None or meter is None:
            return
        is_limited = self.lab.wiring.in_compliance(self.port, t)
        self._values.append((meter.converted(t - meter.conversion_s), is_limited))
        if len(self._values) == 3:
            self._take(reversals, t)
        if is_limited and self._aborts_limited:
            self.disarm(t)
            self.latch("operation", _ABORTED)
            return
        self._conversion += 1
        if self._conversion < reversals.conversions:
            self._go_to(reversals.level_a(self._conversion), t)
            return
        self._passes += 1
        if self._passes < self.sweep_count:
            self._begin_pass(reversals, t)
            return
        self._amps = None
        self.drive(t)
        self.latch("operation", _DONE)

    def _take(self, reversals: Reversals, t: float) -> None:
        middle = self._conversion - 1
        before, at, after = (value for value, _ in self._values)
        is_over = math.isinf(before) or math.isinf(at) or math.isinf(after)
        reading = _Reading(
            volts=math.inf if is_over else reversed_v(middle, before, at, after),
            seconds=t - self._begin,
            number=self._taken,
            step_a=reversals.step_a,
            centre_a=reversals.centre_a(middle),
            is_limited=any(is_limited for _, is_limited in self._values),
            average_v=math.inf if is_over else average_v(before, at, after),
        )
        self._last, self._is_fresh = reading, True
        self._taken += 1
        self.latch("measurement", _READING_AVAILABLE)
        if self.buffer_control == "NEXT" and self.buffer_feed != "NONE":
            self._readings.append(reading)
            if len(self._readings) >= self.buffer_points:
                vars(self)["buffer_control"] = "NEV"
                self.latch("measurement", _BUFFER_FULL)

    def flowing(self) -> tuple[float, Tone | None]:
        """Return the current of the conversion that is on, A."""
        return super().flowing() if self._amps is None else (self._amps, None)

    @query("SENSe[1]:DATA[:LATest]")
    def get_latest(self, t: float) -> str:
        """Return the last reading again, however old it is; nothing armed, there is none to have."""
        del t
        if self._reversals is None:
            raise ScpiError(-221)
        if self._last is None:
            raise ScpiError(-230)
        self._is_fresh = False
        return self._text(self._last)

    @query("SENSe[1]:DATA:FRESh")
    def get_fresh(self, t: float) -> str:
        """Return the last reading, once."""
        if self._reversals is not None and not self._is_fresh:
            raise ScpiError(-230)
        return self.get_latest(t)

    # --- buffer and format ----------------------------------------------------------------------------

    @query("TRACe:DATA")
    def get_buffer(self, t: float) -> str:
        """Return all readings of the buffer."""
        del t
        if not self._readings:
            raise ScpiError(-230)
        return ",".join(self._text(reading) for reading in self._readings)

    @query("TRACe:POINts:ACTual")
    def count_buffer(self, t: float) -> str:
        """Return how many readings the buffer holds."""
        del t
        return str(len(self._readings))

    @command("TRACe:CLEar")
    def clear_buffer(self, t: float) -> None:
        """Empty the buffer."""
        del t
        self._readings.clear()

    @command(
        "FORMat:ELEMents",
        Choice("READing", "TSTamp", "UNITs", "RNUMber", "SOURce", "COMPliance", "AVOLtage", "ALL", "DEFault"),
        repeats=True,
    )
    def set_elements(self, t: float, *words: str) -> None:
        """Choose what belongs to a reading on the wire; ``DEFault`` is reading and time."""
        del t
        chosen = set(words) - {"ALL", "DEF"}
        if "DEF" in words:
            chosen |= _DEFAULT_ELEMENTS
        self._elements = frozenset(_ELEMENTS) if "ALL" in words else frozenset(chosen)

    @query("FORMat:ELEMents")
    def get_elements(self, t: float) -> str:
        """Return what belongs to a reading on the wire."""
        del t
        return ",".join(word for word in _ELEMENTS if word in self._elements)

    def _text(self, reading: _Reading) -> str:
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
