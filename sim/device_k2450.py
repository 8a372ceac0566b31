"""Keithley 2450 source meter, as far as drivers of its SCPI dialect go: one function measured at a time.

(k) is general knowledge to be checked against the manual, (a) assumed.
"""

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnes.sim.device import Deferred, InstrumentSettings
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_kinds import OVERFLOW, Boolean, Choice, Integer, Number, ScpiError
from onnes.sim.source_meter import CURRENTS_A, MOST_A, MOST_V, VOLTAGES_V, SourceMeter

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_FUNCTIONS = ("VOLT:DC", "CURR:DC", "RES")
_FUNCTION = Choice("VOLTage[:DC]", "CURRent[:DC]", "RESistance", quoted=True)
_FILTER = Choice("REPeat", "MOVing")
_OFF_STATE = Choice("NORMal", "ZERO", "HIMPedance", "GUARd")


class K2450(SourceMeter):
    """The 2450 with its front terminals on ``<name>.out``."""

    model = "k2450"
    identity = "KEITHLEY INSTRUMENTS,MODEL 2450,SIM2450,1.7.12b"
    ranges_of_current = (1.05e-8, 1.05e-7, *CURRENTS_A)  # from 10 nA (k)
    ranges_of_voltage = (0.021, *VOLTAGES_V)  # from 20 mV (k)

    limit_a = Param("SOURce[1]:VOLTage:ILIMit[:LEVel]", Number(-MOST_A, MOST_A), 1.05e-4)
    limit_v = Param("SOURce[1]:CURRent:VLIMit[:LEVel]", Number(-MOST_V, MOST_V), 21.0)
    function = Param("SENSe[1]:FUNCtion[:ON]", _FUNCTION, "CURR:DC")
    auto_zero = Param("SENSe[1]:AZERo[:STATe]", Boolean(), True)
    four_wire = Param("SENSe[1]:RESistance:RSENse", Boolean(), False)
    nplc_a = Param("SENSe[1]:CURRent[:DC]:NPLCycles", Number(0.01, 10.0), 1.0)
    nplc_v = Param("SENSe[1]:VOLTage[:DC]:NPLCycles", Number(0.01, 10.0), 1.0)
    nplc_ohm = Param("SENSe[1]:RESistance:NPLCycles", Number(0.01, 10.0), 1.0)
    filter_a = Param("SENSe[1]:CURRent[:DC]:AVERage[:STATe]", Boolean(), False)
    filter_a_type = Param("SENSe[1]:CURRent[:DC]:AVERage:TCONtrol", _FILTER, "REP")
    filter_a_count = Param("SENSe[1]:CURRent[:DC]:AVERage:COUNt", Integer(1, 100), 10)
    filter_v = Param("SENSe[1]:VOLTage[:DC]:AVERage[:STATe]", Boolean(), False)
    filter_v_type = Param("SENSe[1]:VOLTage[:DC]:AVERage:TCONtrol", _FILTER, "REP")
    filter_v_count = Param("SENSe[1]:VOLTage[:DC]:AVERage:COUNt", Integer(1, 100), 10)
    delay_a_s = Param("SOURce[1]:CURRent:DELay", Number(0.0, 999.9999), 0.0)
    delay_a_auto = Param("SOURce[1]:CURRent:DELay:AUTO", Boolean(), True)
    delay_v_s = Param("SOURce[1]:VOLTage:DELay", Number(0.0, 999.9999), 0.0)
    delay_v_auto = Param("SOURce[1]:VOLTage:DELay:AUTO", Boolean(), True)
    off_state_a = Param("OUTPut[1]:CURRent:SMODe", _OFF_STATE, "NORM")
    off_state_v = Param("OUTPut[1]:VOLTage:SMODe", _OFF_STATE, "NORM")
    route = Param("ROUTe:TERMinals", Choice("FRONt", "REAR"), "FRON")
    buffer_points = Param("TRACe:POINts", Integer(1, 6_875_000), 100_000)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._readings: list[float] = []  # of the default buffer

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a limit has no sign, and a delay of one's own ends the automatic one."""
        if name in {"limit_a", "limit_v"}:
            value = abs(value)
        elif name in {"delay_a_s", "delay_v_s"}:
            super().assign(name.replace("_s", "_auto"), False, t)
        super().assign(name, value, t)

    @query("SOURce[1]:CURRent:VLIMit[:LEVel]:TRIPped")
    @query("SOURce[1]:VOLTage:ILIMit[:LEVel]:TRIPped")
    def get_tripped(self, t: float) -> str:
        """Say whether the limit decides what flows now."""
        return "1" if self.in_compliance(t) else "0"

    @property
    def _averaged(self) -> int:
        """Return how many conversions a reading averages; the moving filter starts anew each time (a)."""
        if self.function == "RES":
            return 1
        is_on, count = (
            (self.filter_v, self.filter_v_count)
            if self.function == "VOLT:DC"
            else (self.filter_a, self.filter_a_count)
        )
        return int(count) if is_on else 1

    @query("READ")
    def read(self, t: float) -> Deferred:
        """Take a reading of the chosen function, also with the output off (a)."""
        del t
        place = _FUNCTIONS.index(self.function)
        nplc = (self.nplc_v, self.nplc_a, self.nplc_ohm)[place]
        count, step = self._averaged, self.conversion_s(nplc)

        def value(end: float) -> str:
            pairs = [self.measured(end - (count - k) * step, nplc) for k in range(count)]
            volts, amps = (statistics.fmean(values) for values in zip(*pairs, strict=True))
            ohms = volts / amps if amps and math.isfinite(volts) and math.isfinite(amps) else math.inf
            self._readings.append((volts, amps, ohms)[place])
            del self._readings[: -int(self.buffer_points)]
            return _number(self._readings[-1])

        return Deferred(count * step, value)

    @query("TRACe:STATistics:AVERage")
    def get_mean(self, t: float) -> str:
        """Return the mean of the buffer."""
        del t
        return _number(statistics.fmean(self._of_buffer(1)))

    @query("TRACe:STATistics:STDDev")
    def get_deviation(self, t: float) -> str:
        """Return the standard deviation of the buffer."""
        del t
        return _number(statistics.stdev(self._of_buffer(2)))

    @query("TRACe:STATistics:MAXimum")
    def get_maximum(self, t: float) -> str:
        """Return the largest reading of the buffer."""
        del t
        return _number(max(self._of_buffer(1)))

    @query("TRACe:STATistics:MINimum")
    def get_minimum(self, t: float) -> str:
        """Return the smallest reading of the buffer."""
        del t
        return _number(min(self._of_buffer(1)))

    def _of_buffer(self, least: int) -> Sequence[float]:
        if len(self._readings) < least:
            raise ScpiError(-230)
        return self._readings

    @command("TRACe:CLEar")
    def clear_buffer(self, t: float) -> None:
        """Empty the buffer."""
        del t
        self._readings = []

    @command("SYSTem:BEEPer[:IMMediate]", Number(65.0, 2e6), Number(0.0, 7.9))
    def beep(self, t: float, hz: float, seconds: float) -> None:
        """Make no sound."""

    @command("ABORt")
    def abort(self, t: float) -> None:
        """End what runs; nothing runs in the background here."""


def _number(value: float) -> str:
    return OVERFLOW if math.isinf(value) else f"{value:+.6E}"
