"""Keithley 2182A nanovoltmeter: when it measures, what it keeps, and who listens to whom.

Facts from the manual's command tables and PyMeasure's driver; (k) is general knowledge to be checked against
the manual.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from onnes.sim.device import Deferred, InstrumentSettings, Reply
from onnes.sim.device_k2182a_input import K2182AInput
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_kinds import OVERFLOW, Boolean, Choice, Integer, Number, ScpiError

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab
    from onnes.sim.link import Link

_READING_AVAILABLE, _BUFFER_FULL = 32, 512  # bits 5 and 9 of the measurement register (k)

_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "MEAN": statistics.fmean,
    "SDEV": statistics.stdev,
    "MAX": max,
    "MIN": min,
    "PKPK": lambda values: max(values) - min(values),
}


class K2182ASettings(InstrumentSettings):
    """The table ``[instrument.NAME]`` of a 2182A.

    It listens on one ``interface`` only: on ``gpib``, or at ``baud`` on a serial line, as a 6221 has one.
    """

    interface: Literal["gpib", "rs232"] = "gpib"
    baud: Literal[300, 600, 1200, 2400, 4800, 9600, 19200] = 9600  # as it comes from the factory


class K2182A(K2182AInput):
    """The meter on the ports ``<name>.ch1`` and ``<name>.ch2``."""

    model = "k2182a"
    settings_model = K2182ASettings
    terminals = ("ch1", "ch2")
    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2182A,SIM0002,C01"

    continuous = Param("INITiate:CONTinuous", Boolean(), False)
    trigger_source = Param("TRIGger:SOURce", Choice("IMMediate"), "IMM")
    trigger_count = Param("TRIGger:COUNt", Integer(1, 9999), 1)
    trigger_delay_s = Param("TRIGger:DELay", Number(0.0, 999999.999), 0.0)
    sample_count = Param("SAMPle:COUNt", Integer(1, 1024), 1)

    buffer_points = Param("TRACe:POINts", Integer(2, 1024), 100)
    buffer_feed = Param("TRACe:FEED", Choice("SENSe[1]", "CALCulate[1]", "NONE"), "SENS")
    buffer_control = Param("TRACe:FEED:CONTrol", Choice("NEXT", "NEVer"), "NEV")
    data_format = Param("FORMat[:DATA]", Choice("ASCii"), "ASC")
    statistic = Param(
        "CALCulate2:FORMat", Choice("NONE", "MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"), "NONE"
    )
    statistic_on = Param("CALCulate2:STATe", Boolean(), False)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        about = cast(K2182ASettings, settings)
        self.serial_baud = about.baud if about.interface == "rs232" else None
        self._last: float | None = None
        self._is_fresh = False
        self._buffer: list[float] = []
        self._run = 0  # counts acquisitions, so that one that was aborted knows it

    def hears(self, link: "Link") -> bool:
        """Say whether it listens on ``link``: on the bus, or on a serial line of its own speed."""
        return not link.byte_s if self.serial_baud is None else link.baud == self.serial_baud

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; it measures when it is asked to, not continuously."""
        if name == "continuous" and value:
            raise ScpiError(-221)
        super().assign(name, value, t)

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        self._stop()

    # --- triggered by a 6221 --------------------------------------------------------------------------

    def hand_over(self, t: float) -> None:
        """Let a 6221 trigger the conversions: channel 1, no front autozero, whole power line cycles.

        An integration time with a fraction of a cycle becomes 1 cycle.
        """
        self._stop()
        self.assign("channel", 1, t)
        self.assign("function", "VOLT:DC", t)
        self.assign("front_auto_zero", False, t)
        if self.nplc != round(self.nplc):
            self.assign("nplc", 1.0, t)

    @property
    def conversion_s(self) -> float:
        """Return how long one A/D conversion takes, s."""
        return self._conversion_s()

    def converted(self, start: float) -> float:
        """Return the A/D value that was triggered at ``start``, V, past the digital filter (k).

        Out of range is infinity.
        """
        return self._in_range(self._convert(start), start + self._conversion_s())

    # --- readings -------------------------------------------------------------------------------------

    def _measure(self, start: float) -> float:
        self._last, self._is_fresh = self.value(start), True
        return self._last

    @query("READ")
    def read(self, t: float) -> Deferred:
        """Abort, trigger, and return the new readings."""
        del t
        self._stop()
        count = int(self.trigger_count * self.sample_count)
        delay, step = self.trigger_delay_s, self._reading_s() + self.trigger_delay_s

        def value(end: float) -> str:
            first = end - count * step + delay
            readings = [self._measure(first + k * step) for k in range(count)]
            self._is_fresh = False
            return ",".join(_text(reading) for reading in readings)

        return Deferred(count * step, value)

    @query("FETCh")
    @query("SENSe[1]:DATA[:LATest]")
    def fetch(self, t: float) -> str:
        """Return the last reading again, however old it is."""
        del t
        if self._last is None:
            raise ScpiError(-230)
        self._is_fresh = False
        return _text(self._last)

    @query("SENSe[1]:DATA:FRESh")
    def fetch_fresh(self, t: float) -> str:
        """Return the last reading, once."""
        if not self._is_fresh:
            raise ScpiError(-230)
        return self.fetch(t)

    # --- buffer ---------------------------------------------------------------------------------------

    @command("INITiate[:IMMediate]")
    def start(self, t: float) -> None:
        """Take the readings of one trigger cycle in the background."""
        self._stop()
        self._plan(t + self.trigger_delay_s, int(self.trigger_count * self.sample_count), self._run)

    def _plan(self, start: float, left: int, run: int) -> None:
        def done(end: float) -> None:
            if run != self._run:
                return
            value = self._measure(start)
            self.latch("measurement", _READING_AVAILABLE)
            if self.buffer_control == "NEXT" and self.buffer_feed != "NONE":
                self._store(value)
            if left > 1:
                self._plan(end + self.trigger_delay_s, left - 1, run)

        self.lab.at(start + self._reading_s(), done)

    def _store(self, value: float) -> None:
        self._buffer.append(value)
        if len(self._buffer) >= self.buffer_points:
            vars(self)["buffer_control"] = "NEV"
            self.latch("measurement", _BUFFER_FULL)

    @command("ABORt")
    def abort(self, t: float) -> None:
        """End the trigger cycle."""
        del t
        self._stop()

    def _stop(self) -> None:
        self._run += 1

    @command("TRACe:CLEar")
    def clear_buffer(self, t: float) -> None:
        """Empty the buffer."""
        del t
        self._buffer.clear()

    @query("TRACe:DATA")
    def get_buffer(self, t: float) -> str:
        """Return all readings of the buffer."""
        del t
        if not self._buffer:
            raise ScpiError(-230)
        return ",".join(_text(value) for value in self._buffer)

    @query("CALCulate2:IMMediate")
    def get_statistic(self, t: float) -> Reply:
        """Return the chosen statistic of the buffer."""
        del t
        values = self._buffer
        if not self.statistic_on or self.statistic == "NONE" or len(values) < 2:
            raise ScpiError(-230)
        return _text(_STATISTICS[self.statistic](values))


def _text(value: float) -> str:
    return OVERFLOW if abs(value) == float("inf") else f"{value:+.8E}"
