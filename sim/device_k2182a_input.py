"""Keithley 2182A: what its input does with a voltage: ranges, integration, autozero, filters, references.

Facts from the manual's command tables and PyMeasure's driver; (a) is our assumption, (k) general knowledge
to be checked against the manual.
"""

import math
import statistics
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from onnes.sim.device import InstrumentSettings
from onnes.sim.faults_front_end import FrontEnd
from onnes.sim.noise import stream_key, white
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_device import ScpiDevice
from onnes.sim.scpi_kinds import Boolean, Choice, Integer, Number, ScpiError

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_RANGES_V = {1: (0.01, 0.1, 1.0, 10.0, 100.0), 2: (0.1, 1.0, 10.0)}
_OVER_RANGE = 1.2  # 120 V on channel 1, 12 V on channel 2
_NOISE_V = 15e-9  # rms at 1 PLC (k); it falls with the root of the integration time
_LOW_PASS_S = 0.125  # what the analog filter adds to a conversion
_INSIDE_C = 23.0  # the temperature inside the instrument (a)

_VOLT = "SENSe[1]:VOLTage[:DC]"
_TEMP = "SENSe[1]:TEMPerature"


class _Names(NamedTuple):
    """What the settings of one channel are called."""

    auto: str
    range: str
    relative: str
    reference: str


_NAMES = tuple(_Names(f"auto_{n}", f"range_{n}_v", f"relative_{n}", f"reference_{n}_v") for n in (1, 2))


class K2182AInput(ScpiDevice):
    """The input of the ports ``<name>.ch1`` and ``<name>.ch2``, up to a value that its range holds."""

    channel = Param("SENSe[1]:CHANnel", Integer(0, 2), 1)
    function = Param("SENSe[1]:FUNCtion", Choice("VOLTage[:DC]", "TEMPerature", quoted=True), "VOLT:DC")
    nplc = Param(f"{_VOLT}:NPLCycles", Number(0.01, 60.0), 5.0)
    auto_1 = Param(f"{_VOLT}:CHANnel1:RANGe:AUTO", Boolean(), True)
    auto_2 = Param(f"{_VOLT}:CHANnel2:RANGe:AUTO", Boolean(), True)
    range_1_v = Param(f"{_VOLT}:CHANnel1:RANGe[:UPPer]", Number(0.0, 120.0), 0.01)
    range_2_v = Param(f"{_VOLT}:CHANnel2:RANGe[:UPPer]", Number(0.0, 12.0), 0.1)
    reference_1_v = Param(f"{_VOLT}:CHANnel1:REFerence", Number(-120.0, 120.0), 0.0)
    reference_2_v = Param(f"{_VOLT}:CHANnel2:REFerence", Number(-12.0, 12.0), 0.0)
    relative_1 = Param(f"{_VOLT}:CHANnel1:REFerence:STATe", Boolean(), False)
    relative_2 = Param(f"{_VOLT}:CHANnel2:REFerence:STATe", Boolean(), True)
    filter_on = Param(f"{_VOLT}:DFILter[:STATe]", Boolean(), True)
    filter_count = Param(f"{_VOLT}:DFILter:COUNt", Integer(1, 100), 10)
    filter_window_percent = Param(f"{_VOLT}:DFILter:WINDow", Number(0.0, 10.0), 0.01)
    filter_type = Param(f"{_VOLT}:DFILter:TCONtrol", Choice("MOVing", "REPeat"), "MOV")
    low_pass = Param(f"{_VOLT}:LPASs[:STATe]", Boolean(), False)

    temperature_nplc = Param(f"{_TEMP}:NPLCycles", Number(0.01, 60.0), 5.0)
    thermocouple = Param(f"{_TEMP}:TCouple[:TYPE]", Choice(*"BEJKNRST"), "J")
    junction = Param(f"{_TEMP}:RJUNction:RSELect", Choice("INTernal", "SIMulated"), "INT")
    junction_c = Param(f"{_TEMP}:RJUNction:SIMulated", Number(0.0, 60.0), 23.0)
    temperature_reference_1_c = Param(f"{_TEMP}:CHANnel1:REFerence", Number(-273.0, 1800.0), 0.0)
    temperature_reference_2_c = Param(f"{_TEMP}:CHANnel2:REFerence", Number(-273.0, 1800.0), 0.0)
    temperature_relative_1 = Param(f"{_TEMP}:CHANnel1:REFerence:STATe", Boolean(), False)
    temperature_relative_2 = Param(f"{_TEMP}:CHANnel2:REFerence:STATe", Boolean(), False)

    auto_zero = Param("SYSTem:AZERo[:STATe]", Boolean(), True)
    front_auto_zero = Param("SYSTem:FAZero[:STATe]", Boolean(), True)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self.front_end: FrontEnd = FrontEnd(self._healthy_until)
        self._ports = {1: f"{name}.ch1", 2: f"{name}.ch2"}
        self._noise = stream_key(lab.seed, f"{name}.white")
        self._stack: deque[float] = deque()  # of the moving filter

    @property
    def _names(self) -> "_Names":
        return _NAMES[1] if self.channel == 2 else _NAMES[0]

    # --- settings -------------------------------------------------------------------------------------

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a range becomes the next one of the instrument and ends autoranging."""
        if name in {"nplc", "temperature_nplc"} and value > self.lab.line_hz:
            raise ScpiError(-222)
        if name in {"range_1_v", "range_2_v"}:
            channel = 1 if name == "range_1_v" else 2
            value = next((full for full in _RANGES_V[channel] if value <= full), _RANGES_V[channel][-1])
            super().assign(f"auto_{channel}", False, t)
        super().assign(name, value, t)
        if not name.startswith(("buffer", "statistic", "trigger")):
            self._stack.clear()

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        super().assign("auto_1", True, t)  # resetting a range has switched them off
        super().assign("auto_2", True, t)

    @command(f"{_VOLT}:RANGe:AUTO", Boolean())
    def set_auto(self, t: float, on: bool) -> None:
        """Switch autoranging of the active channel."""
        self.assign(self._names.auto, on, t)

    @query(f"{_VOLT}:RANGe:AUTO")
    def get_auto(self, t: float) -> str:
        """Return whether the active channel ranges by itself."""
        del t
        return "1" if vars(self)[self._names.auto] else "0"

    @command(f"{_VOLT}:RANGe[:UPPer]", Number(0.0, 120.0))
    def set_range(self, t: float, volts: float) -> None:
        """Set the range of the active channel."""
        self.assign(self._names.range, volts, t)

    @query(f"{_VOLT}:RANGe[:UPPer]")
    def get_range(self, t: float) -> str:
        """Return the range of the active channel, V."""
        del t
        return f"{vars(self)[self._names.range]:+.6E}"

    @command(f"{_VOLT}:APERture", Number(1e-4, 1.2))
    def set_aperture(self, t: float, seconds: float) -> None:
        """Set the integration time."""
        self.assign("nplc", seconds * self.lab.line_hz, t)

    @query(f"{_VOLT}:APERture")
    def get_aperture(self, t: float) -> str:
        """Return the integration time, s."""
        del t
        return f"{self.nplc / self.lab.line_hz:+.6E}"

    @query("SYSTem:LFRequency")
    def get_line_frequency(self, t: float) -> str:
        """Return the mains frequency, Hz."""
        del t
        return f"{self.lab.line_hz:.0f}"

    @query(f"{_TEMP}:RTEMperature")
    def get_inside(self, t: float) -> str:
        """Return the temperature inside, Celsius."""
        del t
        return f"{_INSIDE_C:+.8E}"

    @command(f"{_VOLT}:CHANnel1:REFerence:ACQuire")
    def acquire_reference_1(self, t: float) -> None:
        """Take the present voltage of channel 1 as its reference."""
        self._acquire(1, t)

    @command(f"{_VOLT}:CHANnel2:REFerence:ACQuire")
    def acquire_reference_2(self, t: float) -> None:
        """Take the present voltage of channel 2 as its reference."""
        self._acquire(2, t)

    def _acquire(self, channel: int, t: float) -> None:
        if channel == self.channel:
            self.assign(f"reference_{channel}_v", self._convert(max(0.0, t - self._conversion_s())), t)

    @command(f"{_TEMP}:CHANnel1:REFerence:ACQuire")
    def acquire_temperature_1(self, t: float) -> None:
        """Take the present temperature of channel 1 as its reference."""
        self.assign("temperature_reference_1_c", _INSIDE_C, t)

    @command(f"{_TEMP}:CHANnel2:REFerence:ACQuire")
    def acquire_temperature_2(self, t: float) -> None:
        """Take the present temperature of channel 2 as its reference."""
        self.assign("temperature_reference_2_c", _INSIDE_C, t)

    # --- conversions ----------------------------------------------------------------------------------

    def _conversion_s(self) -> float:
        # Autozero takes a second integration, with the front end reversed.
        phases = 2 if self.auto_zero and self.front_auto_zero else 1
        nplc = self.nplc if self.function == "VOLT:DC" else self.temperature_nplc
        return phases * nplc / self.lab.line_hz + (_LOW_PASS_S if self.low_pass else 0.0)

    def _reading_s(self) -> float:
        repeats = self.filter_count if self.filter_on and self.filter_type == "REP" else 1
        return repeats * self._conversion_s()

    def _convert(self, start: float) -> float:
        """Return one conversion that begins at ``start`` as the front end gives it, V."""
        return self.front_end.shown(self._healthy(start), start + self._conversion_s())

    def _healthy_until(self, end: float) -> float:
        return self._healthy(max(0.0, end - self._conversion_s()))

    def _healthy(self, start: float) -> float:
        """Return one conversion that begins at ``start``, V; noise is keyed by the time it ends at."""
        end = start + self._conversion_s()
        begin = start + (_LOW_PASS_S if self.low_pass else 0.0)
        volts = self.lab.wiring.mean_voltage(self._ports[2 if self.channel == 2 else 1], begin, end)
        return volts + _NOISE_V / math.sqrt(self.nplc) * white(self._noise, round(end * 1e6))

    def value(self, start: float) -> float:
        """Return the reading that begins at ``start``, V or Celsius; out of range is infinity."""
        if self.channel == 0 or self.function == "TEMP":
            return _INSIDE_C if self.channel == 0 or self.junction == "INT" else self.junction_c
        value = self._in_range(self._filtered(start), start + self._reading_s())
        if vars(self)[self._names.relative]:
            value -= vars(self)[self._names.reference]
        return value

    def _in_range(self, value: float, end: float) -> float:
        """Return ``value`` of what ended at ``end``, V; infinity if the range does not hold it."""
        settings = vars(self)
        auto, span, _, _ = self._names
        if settings[auto]:
            ranges = _RANGES_V[2 if self.channel == 2 else 1]
            settings[span] = next((v for v in ranges if abs(value) <= v * _OVER_RANGE), ranges[-1])
        full = self.front_end.span(settings[span], end)
        return math.inf if abs(value) > full * _OVER_RANGE or self.front_end.overloads(end) else value

    def _filtered(self, start: float) -> float:
        if not self.filter_on:
            return self._convert(start)
        count = int(self.filter_count)
        if self.filter_type == "REP":
            step = self._conversion_s()
            return statistics.fmean([self._convert(start + k * step) for k in range(count)])
        # The moving filter averages what its stack holds. A conversion outside the window empties it (a): the
        # instrument would then fill it anew before it answers.
        new = self._convert(start)
        if self._stack:
            window = self.filter_window_percent / 100 * vars(self)[self._names.range]
            if abs(new - statistics.fmean(self._stack)) > window:
                self._stack.clear()
        self._stack.append(new)
        while len(self._stack) > count:
            self._stack.popleft()
        return statistics.fmean(self._stack)
