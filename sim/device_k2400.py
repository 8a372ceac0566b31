"""Keithley 2400 source meter: elements of a reading, buffer with statistics, arm and trigger layers.

Commands are those that drivers send, in their long and short forms; defaults are those that a driver's test
asserts on the instrument. (k) is general knowledge to be checked against the manual, (a) assumed.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnes.sim.device import Deferred, InstrumentSettings
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_kinds import OVERFLOW, Boolean, Choice, Integer, Number, ScpiError
from onnes.sim.source_meter import MOST_A, MOST_V, SourceMeter

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_NOT_MEASURED = 9.91e37  # how SCPI writes "not a number"
_OUTPUT_OFF = 803  # what a reading with the output off queues (k)
_MOST_POINTS = 2500  # of the buffer, and of arm count times trigger count
_READING_AVAILABLE, _BUFFER_FULL, _COMPLIANCE = 1 << 6, 1 << 9, 1 << 14  # measurement register (k)
_ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT")  # a reply keeps this order, whatever order was asked
# Bits of the status element: overflow, compliance, what is measured, what is sourced (k).
_OVER, _LIMITED, _VOLTS, _AMPS, _OHMS, _SOURCES_V, _SOURCES_A = (
    1, 1 << 3, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15,
)  # fmt: skip

_Reading = tuple[float, float, float, float, float]
_FUNCTION = Choice("VOLTage[:DC]", "CURRent[:DC]", "RESistance", quoted=True)
_OF_FUNCTION = {"VOLT:DC": _VOLTS, "CURR:DC": _AMPS, "RES": _OHMS}
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "MEAN": statistics.fmean,
    "SDEV": statistics.stdev,
    "MAX": max,
    "MIN": min,
    "PKPK": lambda values: max(values) - min(values),
}


class _AutoZero(Boolean):
    """On, off, or ONCE: now, and off from then on (k)."""

    def parse(self, text: str) -> bool:
        """Return whether it goes on by itself."""
        return text.upper() != "ONCE" and super().parse(text)


class K2400(SourceMeter):
    """The 2400 with its front terminals on ``<name>.out``."""

    model = "k2400"
    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,SIM2400,C34 Sep 21 2016 15:30:00/A02  /J/K"

    limit_a = Param("SENSe[1]:CURRent[:DC]:PROTection[:LEVel]", Number(-MOST_A, MOST_A), 1.05e-4)
    limit_v = Param("SENSe[1]:VOLTage[:DC]:PROTection[:LEVel]", Number(-MOST_V, MOST_V), 21.0)
    off_state = Param("OUTPut[1]:SMODe", Choice("HIMPedance", "NORMal", "ZERO", "GUARd"), "NORM")
    clears_itself = Param("SOURce[1]:CLEar:AUTO", Boolean(), False)
    auto_zero = Param("SYSTem:AZERo[:STATe]", _AutoZero(), True)
    delay_s = Param("SOURce[1]:DELay", Number(0.0, 999.9999), 1e-3)
    delay_auto = Param("SOURce[1]:DELay:AUTO", Boolean(), True)
    nplc = Param("SENSe[1]:VOLTage[:DC]:NPLCycles", Number(0.01, 10.0), 1.0)
    concurrent = Param("SENSe[1]:FUNCtion:CONCurrent", Boolean(), True)
    resistance_mode = Param("SENSe[1]:RESistance:MODE", Choice("MANual", "AUTO"), "AUTO")
    filter_on = Param("SENSe[1]:AVERage[:STATe]", Boolean(), False)
    filter_type = Param("SENSe[1]:AVERage:TCONtrol", Choice("REPeat", "MOVing"), "REP")
    filter_count = Param("SENSe[1]:AVERage:COUNt", Integer(1, 100), 10)
    four_wire = Param("SYSTem:RSENse", Boolean(), False)
    line_hz = Param("SYSTem:LFRequency", Integer(50, 60), 50, keeps=True)
    line_auto = Param("SYSTem:LFRequency:AUTO", Boolean(), True, keeps=True)
    route = Param("ROUTe:TERMinals", Choice("FRONt", "REAR"), "FRON")
    data_format = Param("FORMat[:DATA]", Choice("ASCii"), "ASC")

    arm_count = Param("ARM:COUNt", Integer(1, _MOST_POINTS), 1)
    arm_source = Param("ARM:SOURce", Choice("IMMediate", "TLINk", "TIMer", "MANual", "BUS"), "IMM")
    arm_timer_s = Param("ARM:TIMer", Number(1e-3, 99999.99), 0.1)
    arm_in = Param("ARM:ILINe", Integer(1, 4), 1)
    arm_out = Param("ARM:OLINe", Integer(1, 4), 2)
    arm_event = Param("ARM:OUTPut", Choice("TENTer", "TEXit", "NONE"), "NONE")
    trigger_count = Param("TRIGger:COUNt", Integer(1, _MOST_POINTS), 1)
    trigger_source = Param("TRIGger:SOURce", Choice("IMMediate", "TLINk"), "IMM")
    trigger_delay_s = Param("TRIGger:DELay", Number(0.0, 999.9999), 0.0)
    trigger_in = Param("TRIGger:ILINe", Integer(1, 4), 1)
    trigger_out = Param("TRIGger:OLINe", Integer(1, 4), 2)
    trigger_event = Param("TRIGger:OUTPut", Choice("SOURce", "DELay", "SENSe", "NONE"), "NONE")

    buffer_points = Param("TRACe:POINts", Integer(1, _MOST_POINTS), 100)
    buffer_feed = Param("TRACe:FEED", Choice("SENSe[1]", "CALCulate[1]", "CALCulate2"), "SENS")
    buffer_control = Param("TRACe:FEED:CONTrol", Choice("NEXT", "NEVer"), "NEV")
    statistic = Param("CALCulate3:FORMat", Choice("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"), "MEAN")

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        self._functions: tuple[str, ...] = ("CURR:DC",)
        self._elements: tuple[str, ...] = _ELEMENTS
        super().__init__(name, lab, settings)
        vars(self)["line_hz"] = int(lab.line_hz)
        self._stack: list[tuple[float, float]] = []  # of the moving filter
        self._buffer: list[_Reading] = []
        self._last: list[_Reading] = []
        self._run = 0  # counts acquisitions, so that one that was aborted knows it
        self._waits_for_bus = False

    # --- settings -------------------------------------------------------------------------------------

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a limit has no sign, and a delay of one's own ends the automatic one."""
        if name in {"limit_a", "limit_v"}:
            value = abs(value)
        elif name == "delay_s":
            super().assign("delay_auto", False, t)
        elif name in {"arm_count", "trigger_count"}:
            other = self.trigger_count if name == "arm_count" else self.arm_count
            if value * other > _MOST_POINTS:
                raise ScpiError(-221)
        elif name == "line_hz" and value not in {50, 60}:
            raise ScpiError(-224)
        super().assign(name, value, t)
        if name.startswith("filter"):
            self._stack = []

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        vars(self)["delay_auto"] = True
        self._functions, self._elements = ("CURR:DC",), _ELEMENTS
        self.abort(t)

    @command("SENSe[1]:CURRent[:DC]:NPLCycles", Number(0.01, 10.0))
    @command("SENSe[1]:RESistance:NPLCycles", Number(0.01, 10.0))
    def set_nplc(self, t: float, cycles: float) -> None:
        """Set the integration, which all functions share."""
        self.assign("nplc", cycles, t)

    @query("SENSe[1]:CURRent[:DC]:NPLCycles")
    @query("SENSe[1]:RESistance:NPLCycles")
    def get_nplc(self, t: float) -> str:
        """Return the integration in line cycles."""
        del t
        return f"{self.nplc:.6E}"

    @command("SENSe[1]:FUNCtion[:ON]", _FUNCTION, repeats=True)
    def measure_too(self, t: float, *functions: str) -> None:
        """Measure these, beside those before if several may be measured at once."""
        del t
        kept = self._functions if self.concurrent else ()
        self._functions = tuple(dict.fromkeys((*kept, *functions)))

    @query("SENSe[1]:FUNCtion[:ON]")
    def get_functions(self, t: float) -> str:
        """Return what is measured."""
        del t
        return ",".join(_FUNCTION.format(name) for name in self._functions)

    @command("SENSe[1]:FUNCtion[:ON]:ALL")
    def measure_all(self, t: float) -> None:
        """Measure voltage, current and resistance."""
        del t
        self._functions = tuple(_OF_FUNCTION)

    @command(
        "FORMat:ELEMents[:SENSe[1]]",
        Choice("VOLTage", "CURRent", "RESistance", "TIME", "STATus"),
        repeats=True,
    )
    def choose_elements(self, t: float, *elements: str) -> None:
        """Send only these with a reading, in the order of the instrument."""
        del t
        self._elements = tuple(name for name in _ELEMENTS if name in elements)

    @query("FORMat:ELEMents[:SENSe[1]]")
    def get_elements(self, t: float) -> str:
        """Return what is sent with a reading."""
        del t
        return ",".join(self._elements)

    @query("SENSe[1]:VOLTage[:DC]:PROTection:TRIPped")
    @query("SENSe[1]:CURRent[:DC]:PROTection:TRIPped")
    def get_tripped(self, t: float) -> str:
        """Say whether the source is in compliance now."""
        return "1" if self.in_compliance(t) else "0"

    def condition(self, register: str, t: float) -> int:
        """Return bit 14 of the measurement register while the source is in compliance."""
        return _COMPLIANCE if register == "measurement" and self.in_compliance(t) else 0

    @command("SOURce[1]:CLEar[:IMMediate]")
    def clear_output(self, t: float) -> None:
        """Switch the output off."""
        self.assign("output", False, t)

    # --- readings -------------------------------------------------------------------------------------

    def _reading_s(self) -> float:
        conversions = self.filter_count if self.filter_on and self.filter_type == "REP" else 1
        delay = 1e-3 if self.delay_auto else self.delay_s
        return float(delay + conversions * len(self._functions) * self.conversion_s(self.nplc))

    def _read(self, start: float) -> _Reading:
        """Take the reading that begins at ``start``."""
        step = self.conversion_s(self.nplc)
        if not self.filter_on:
            volts, amps = self.measured(start, self.nplc)
        else:
            count = int(self.filter_count)
            fresh = count if self.filter_type == "REP" else 1
            self._stack = [*self._stack, *(self.measured(start + k * step, self.nplc) for k in range(fresh))]
            self._stack = self._stack[-count:]
            volts, amps = (statistics.fmean(values) for values in zip(*self._stack, strict=True))
        status = _SOURCES_A if self.source == "CURR" else _SOURCES_V
        status |= sum(_OF_FUNCTION[name] for name in self._functions)
        status |= _LIMITED if self.in_compliance(start) else 0
        status |= _OVER if math.isinf(volts) or math.isinf(amps) else 0
        # What is sourced and not measured is told as it was programmed (k).
        told_v = self.level_v if self.source == "VOLT" else _NOT_MEASURED
        told_a = self.level_a if self.source == "CURR" else _NOT_MEASURED
        return (
            volts if "VOLT:DC" in self._functions else told_v,
            amps if "CURR:DC" in self._functions else told_a,
            _ratio(volts, amps) if "RES" in self._functions else _NOT_MEASURED,
            start,
            float(status),
        )

    def _answered(self, t: float) -> Deferred:
        if not self.output:
            raise ScpiError(_OUTPUT_OFF)
        self.abort(t)
        count = int(self.arm_count * self.trigger_count)
        step = self._reading_s() + self.trigger_delay_s

        def value(end: float) -> str:
            self._last = [self._read(end - (count - k) * step) for k in range(count)]
            if self.clears_itself:
                self.assign("output", False, end)
            return self._text(self._last)

        return Deferred(count * step, value)

    def _text(self, readings: Sequence[_Reading]) -> str:
        places = [_ELEMENTS.index(name) for name in self._elements]
        return ",".join(_number(reading[place]) for reading in readings for place in places)

    @query("READ")
    def read(self, t: float) -> Deferred:
        """Trigger and return new readings; refused while the output is off."""
        return self._answered(t)

    @query("FETCh")
    def fetch(self, t: float) -> str:
        """Return the last readings again."""
        del t
        if not self._last:
            raise ScpiError(-230)
        return self._text(self._last)

    @query("MEASure:VOLTage[:DC]")
    def measure_voltage(self, t: float) -> Deferred:
        """Measure the voltage alone; a ``MEASure?`` switches the output on (k)."""
        return self._measure(t, "VOLT:DC")

    @query("MEASure:CURRent[:DC]")
    def measure_current(self, t: float) -> Deferred:
        """Measure the current alone."""
        return self._measure(t, "CURR:DC")

    @query("MEASure:RESistance")
    def measure_resistance(self, t: float) -> Deferred:
        """Measure the resistance alone."""
        return self._measure(t, "RES")

    def _measure(self, t: float, function: str) -> Deferred:
        self._functions = (function,)
        if function == "RES" and self.resistance_mode == "AUTO":
            # The instrument chooses a test current by the range: 1 mA up to 2 kohm, less above (k).
            self.assign("source", "CURR", t)
            self.assign("level_a", min(1e-3, 2.1 / self.range_ohm), t)
        self.assign("output", True, t)
        return self._answered(t)

    # --- triggers and buffer ----------------------------------------------------------------------------

    @command("INITiate[:IMMediate]")
    def start(self, t: float) -> None:
        """Take readings in the background; with the arm source BUS from the next trigger on."""
        if not self.output:
            raise ScpiError(_OUTPUT_OFF)
        self._run += 1
        self._waits_for_bus = self.arm_source == "BUS"
        if not self._waits_for_bus:
            self._plan(t, int(self.arm_count * self.trigger_count), self._run)

    def trigger(self, t: float) -> None:
        """Obey ``*TRG`` or a group execute trigger."""
        if self._waits_for_bus:
            self._waits_for_bus = False
            self._plan(t, int(self.arm_count * self.trigger_count), self._run)

    def _plan(self, t: float, left: int, run: int) -> None:
        start = t + self.trigger_delay_s

        def done(end: float) -> None:
            if run != self._run:
                return
            reading = self._read(start)
            self._last = [reading]
            self.latch("measurement", _READING_AVAILABLE)
            if self.buffer_control == "NEXT":
                self._buffer.append(reading)
                if len(self._buffer) >= self.buffer_points:
                    vars(self)["buffer_control"] = "NEV"
                    self.latch("measurement", _BUFFER_FULL)
            if left > 1:
                self._plan(end, left - 1, run)

        self.lab.at(start + self._reading_s(), done)

    @command("ABORt")
    def abort(self, t: float) -> None:
        """End what runs."""
        del t
        self._run += 1
        self._waits_for_bus = False

    @command("TRIGger:CLEar")
    def clear_triggers(self, t: float) -> None:
        """Forget triggers that wait; none does here."""

    @command("TRACe:CLEar")
    def clear_buffer(self, t: float) -> None:
        """Empty the buffer."""
        del t
        self._buffer = []

    @query("TRACe:DATA")
    def get_buffer(self, t: float) -> str:
        """Return all readings of the buffer."""
        del t
        if not self._buffer:
            raise ScpiError(-230)
        return self._text(self._buffer)

    @query("CALCulate3:DATA")
    def get_statistic(self, t: float) -> str:
        """Return the chosen statistic of voltage, current and resistance in the buffer."""
        del t
        if len(self._buffer) < 2:
            raise ScpiError(-230)
        rows = list(zip(*self._buffer, strict=True))[:3]
        of = _STATISTICS[self.statistic]
        return ",".join(_number(_NOT_MEASURED if _NOT_MEASURED in row else of(row)) for row in rows)

    @command("SYSTem:BEEPer[:IMMediate]", Number(65.0, 2e6), Number(0.0, 7.9))
    def beep(self, t: float, hz: float, seconds: float) -> None:
        """Make no sound."""


def _ratio(volts: float, amps: float) -> float:
    return volts / amps if amps and math.isfinite(volts) and math.isfinite(amps) else math.inf


def _number(value: float) -> str:
    return OVERFLOW if math.isinf(value) else f"{value:+.6E}"
