"""What every Keithley source meter is: a source of current or voltage that measures at its own terminals.

A source of voltage within a current limit drives its loop as a source of that current within the voltage
would: what the sample takes is the same. (k) is general knowledge to be checked against the manuals, (a)
assumed.
"""

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, ClassVar

from onnes.sim.device import InstrumentSettings
from onnes.sim.noise import stream_key, white
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_device import ScpiDevice
from onnes.sim.scpi_kinds import Boolean, Choice, Number, ScpiError

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

# Full scales as they read back: 105 % of what the range is called (seen on an instrument).
CURRENTS_A = (1.05e-6, 1.05e-5, 1.05e-4, 1.05e-3, 1.05e-2, 0.105, 1.05)
VOLTAGES_V = (0.21, 2.1, 21.0, 210.0)
RESISTANCES_OHM = (21.0, 210.0, 2.1e3, 2.1e4, 2.1e5, 2.1e6, 2.1e7, 2.1e8)
MOST_A, MOST_V, MOST_OHM = CURRENTS_A[-1], VOLTAGES_V[-1], 2.1e8
_NOISE_OF_RANGE = 5e-6  # rms of a reading of 1 line cycle; it falls with the root of the integration (a)


class SourceMeter(ScpiDevice):
    """The source on the port ``<name>.out``; four-wire it reads its voltage on the port ``<name>.sense``."""

    terminals = ("out", "sense")
    ranges_of_current: ClassVar[tuple[float, ...]] = CURRENTS_A
    ranges_of_voltage: ClassVar[tuple[float, ...]] = VOLTAGES_V

    output = Param("OUTPut[1][:STATe]", Boolean(), False)
    source = Param("SOURce[1]:FUNCtion[:MODE]", Choice("VOLTage", "CURRent"), "VOLT")
    level_a = Param("SOURce[1]:CURRent[:LEVel][:IMMediate][:AMPLitude]", Number(-MOST_A, MOST_A), 0.0)
    level_v = Param("SOURce[1]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", Number(-MOST_V, MOST_V), 0.0)
    source_auto_a = Param("SOURce[1]:CURRent:RANGe:AUTO", Boolean(), True)
    source_auto_v = Param("SOURce[1]:VOLTage:RANGe:AUTO", Boolean(), True)
    auto_a = Param("SENSe[1]:CURRent[:DC]:RANGe:AUTO", Boolean(), True)
    auto_v = Param("SENSe[1]:VOLTage[:DC]:RANGe:AUTO", Boolean(), True)
    auto_ohm = Param("SENSe[1]:RESistance:RANGe:AUTO", Boolean(), True)
    auto_zero: bool
    four_wire: bool
    limit_a: float
    limit_v: float

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._port, self._sense = f"{name}.out", f"{name}.sense"
        self._noise = {what: stream_key(lab.seed, f"{name}.{what}") for what in ("volts", "amps")}
        self._reset_ranges()

    def _reset_ranges(self) -> None:
        self.source_range_a, self.source_range_v = CURRENTS_A[2], VOLTAGES_V[2]
        self.range_a, self.range_v, self.range_ohm = CURRENTS_A[2], VOLTAGES_V[2], RESISTANCES_OHM[4]

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        self._reset_ranges()

    # --- the source -----------------------------------------------------------------------------------

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a level that the fixed range cannot source is a settings conflict."""
        if name == "level_a":
            self.source_range_a = self._range_for(
                value, self.ranges_of_current, self.source_range_a, automatic=self.source_auto_a
            )
        elif name == "level_v":
            self.source_range_v = self._range_for(
                value, self.ranges_of_voltage, self.source_range_v, automatic=self.source_auto_v
            )
        self.watch("measurement", t)  # what became of the level before
        super().assign(name, value, t)
        self._drive(t)
        self.watch("measurement", t)

    @staticmethod
    def _range_for(value: float, ranges: tuple[float, ...], now: float, *, automatic: bool) -> float:
        if automatic:
            return lowest(ranges, value)
        if abs(value) > now:
            raise ScpiError(-221)
        return now

    def _drive(self, t: float) -> None:
        wiring = self.lab.wiring
        if not self.output:
            wiring.set_source(self._port, t, 0.0, self.limit_v)
        elif self.source == "CURR":
            wiring.set_source(self._port, t, self.level_a, self.limit_v)
        else:
            amps = math.copysign(self.limit_a, self.level_v) if self.level_v else 0.0
            wiring.set_source(self._port, t, amps, abs(self.level_v))

    def in_compliance(self, t: float) -> bool:
        """Say whether the limit decides what flows."""
        if not self.output:
            return False
        limited = self.lab.wiring.in_compliance(self._port, t)
        return limited if self.source == "CURR" else bool(self.level_v) and not limited

    @command("SOURce[1]:CURRent:RANGe", Number(-MOST_A, MOST_A))
    def set_source_range_a(self, t: float, amps: float) -> None:
        """Fix the lowest range that holds ``amps``."""
        self._fix(t, "source_auto_a", "source_range_a", lowest(self.ranges_of_current, amps), self.level_a)

    @query("SOURce[1]:CURRent:RANGe")
    def get_source_range_a(self, t: float) -> str:
        """Return the present range, A."""
        del t
        return f"{self.source_range_a:.6E}"

    @command("SOURce[1]:VOLTage:RANGe", Number(-MOST_V, MOST_V))
    def set_source_range_v(self, t: float, volts: float) -> None:
        """Fix the lowest range that holds ``volts``."""
        self._fix(t, "source_auto_v", "source_range_v", lowest(self.ranges_of_voltage, volts), self.level_v)

    @query("SOURce[1]:VOLTage:RANGe")
    def get_source_range_v(self, t: float) -> str:
        """Return the present range, V."""
        del t
        return f"{self.source_range_v:.6E}"

    def _fix(self, t: float, auto: str, name: str, full: float, level: float = 0.0) -> None:
        if abs(level) > full:
            raise ScpiError(-221)
        self.assign(auto, False, t)
        setattr(self, name, full)

    # --- the meter ------------------------------------------------------------------------------------

    @command("SENSe[1]:CURRent[:DC]:RANGe[:UPPer]", Number(-MOST_A, MOST_A))
    def set_range_a(self, t: float, amps: float) -> None:
        """Fix the lowest range that holds ``amps``."""
        self._fix(t, "auto_a", "range_a", lowest(self.ranges_of_current, amps))

    @query("SENSe[1]:CURRent[:DC]:RANGe[:UPPer]")
    def get_range_a(self, t: float) -> str:
        """Return the present range, A."""
        del t
        return f"{self.range_a:.6E}"

    @command("SENSe[1]:VOLTage[:DC]:RANGe[:UPPer]", Number(-MOST_V, MOST_V))
    def set_range_v(self, t: float, volts: float) -> None:
        """Fix the lowest range that holds ``volts``."""
        self._fix(t, "auto_v", "range_v", lowest(self.ranges_of_voltage, volts))

    @query("SENSe[1]:VOLTage[:DC]:RANGe[:UPPer]")
    def get_range_v(self, t: float) -> str:
        """Return the present range, V."""
        del t
        return f"{self.range_v:.6E}"

    @command("SENSe[1]:RESistance:RANGe[:UPPer]", Number(0.0, MOST_OHM))
    def set_range_ohm(self, t: float, ohms: float) -> None:
        """Fix the lowest range that holds ``ohms``."""
        self._fix(t, "auto_ohm", "range_ohm", lowest(RESISTANCES_OHM, ohms))

    @query("SENSe[1]:RESistance:RANGe[:UPPer]")
    def get_range_ohm(self, t: float) -> str:
        """Return the present range, ohm."""
        del t
        return f"{self.range_ohm:.6E}"

    def conversion_s(self, nplc: float) -> float:
        """Return how long one conversion takes; autozero adds two more, of zero and reference (k)."""
        return (3 if self.auto_zero else 1) * nplc / self.lab.line_hz

    def measured(self, start: float, nplc: float) -> tuple[float, float]:
        """Return (volts, amps) of one conversion that begins at ``start``; beyond a fixed range infinity."""
        end = start + nplc / self.lab.line_hz
        amps, volts = self.lab.wiring.terminals(self._port, end)
        if self.four_wire:
            volts = self.lab.wiring.mean_voltage(self._sense, start, end)
        stamp, share = round(end * 1e6), _NOISE_OF_RANGE / math.sqrt(nplc)
        if self.auto_v:
            self.range_v = lowest(self.ranges_of_voltage, volts)
        if self.auto_a:
            self.range_a = lowest(self.ranges_of_current, amps)
        volts += share * self.range_v * white(self._noise["volts"], stamp)
        amps += share * self.range_a * white(self._noise["amps"], stamp)
        return (
            volts if abs(volts) <= self.range_v else math.inf,
            amps if abs(amps) <= self.range_a else math.inf,
        )


def lowest(ranges: tuple[float, ...], value: float) -> float:
    """Return the lowest of ``ranges`` that holds ``value``, the highest if none does."""
    return ranges[min(bisect_left(ranges, abs(value)), len(ranges) - 1)]
