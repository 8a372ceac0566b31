"""Keithley 6221 with a 2182A behind it: arming both, reversing the current, one conversion after the other.

(k) is general knowledge to be checked against the manual, (a) our assumption.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from onnes.sim.current_reversals import Reversals, average_v, reversed_v
from onnes.sim.device import InstrumentSettings
from onnes.sim.device_k2182a import K2182A
from onnes.sim.device_k6221_readings import K6221Readings, Reading
from onnes.sim.device_k6221_relay import K6221Relay
from onnes.sim.device_k6221_source import K6221Source
from onnes.sim.scpi import Param, command
from onnes.sim.scpi_kinds import Integer, ScpiError
from onnes.sim.tones import Tone

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_DONE, _ABORTED = 2, 8  # bits 1 and 3 of the operation register: all readings taken, ended by compliance (k)
# Arming prepares the 2182A and takes its zero: about 3 s at 5 power line cycles, spread so (a).
_ARM_S, _ARM_CYCLES = 1.0, 20.0


@dataclass(frozen=True, slots=True)
class _Armed:
    """What is ready to start from ``ready_at`` on."""

    reversals: Reversals
    meter: K2182A
    delay_s: float
    aborts_limited: bool
    ready_at: float


@dataclass(slots=True)
class _Run:
    """What was started at ``begin``; ``amps`` flows during the conversion that is on."""

    begin: float
    amps: float = 0.0
    passes: int = 0
    conversion: int = 0  # of this pass
    readings: int = 0
    values: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=3))  # V, in compliance


class K6221Reversal(K6221Source, K6221Readings, K6221Relay):
    """What delta and differential conductance have in common.

    Armed, a mode starts at once when it is told to, and switches the output on. Each conversion of the 2182A
    begins a delay after the current has changed. After the last reading the current is 0 and the mode stays
    armed (a); aborted, it is 0 too.
    """

    sweep_count = Param("[SOURce[1]]:SWEep:COUNt", Integer(1, 65536, infinite=True), 1)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._armed: _Armed | None = None
        self._run: _Run | None = None

    # --- arming ---------------------------------------------------------------------------------------

    def arm_reversals(self, mode: str, reversals: Reversals, delay_s: float, aborts: bool, t: float) -> None:
        """Let ``mode`` take over source and nanovoltmeter; the level becomes 0 (a).

        Raises:
            ScpiError: -241 if no 2182A is heard, -221 if the source or its fixed range cannot drive it.
        """
        meter = self.nanovoltmeter
        if meter is None:
            raise ScpiError(-241)
        self.arm(mode, reversals.largest_a, t, fixes_range=not self.auto_range)
        vars(self)["level_a"] = 0.0
        self.drive(t)
        meter.hand_over(t)
        ready_at = t + _ARM_S + _ARM_CYCLES * meter.nplc / self.lab.line_hz
        self._armed = _Armed(reversals, meter, delay_s, aborts, ready_at)
        self.forget_last()
        self.holds_meter = self.takes_readings = True

    def is_armed(self, mode: str, t: float) -> str:
        """Return ``1`` once ``mode`` is ready to start."""
        is_ready = self.armed == mode and self._armed is not None and t >= self._armed.ready_at
        return "1" if is_ready else "0"

    def hears_meter(self, t: float) -> str:
        """Return ``1`` if a 2182A answers on the serial line."""
        del t
        return "0" if self.nanovoltmeter is None else "1"

    def disarm(self, t: float) -> None:
        """End the run, too; readings in the buffer stay."""
        self._armed = self._run = None
        self.holds_meter = self.takes_readings = False
        super().disarm(t)

    @command("[SOURce[1]]:SWEep:ABORt")
    def abort_reversals(self, t: float) -> None:
        """End delta or differential conductance and leave the 2182A alone."""
        if self._armed is not None:
            self.disarm(t)

    # --- running --------------------------------------------------------------------------------------

    @command("INITiate[:IMMediate]")
    def start(self, t: float) -> None:
        """Start what is armed; the buffer is filled anew."""
        armed = self._armed
        if armed is None or t < armed.ready_at:
            raise ScpiError(-221)
        self.begin_readings()
        self._run = run = _Run(begin=t)
        vars(self)["output"] = True
        self._go_on(armed, run, t)

    def flowing(self) -> tuple[float, Tone | None]:
        """Return the current of the conversion that is on, A."""
        return super().flowing() if self._run is None else (self._run.amps, None)

    def _go_on(self, armed: _Armed, run: _Run, t: float) -> None:
        """Set the current of the next conversion, and take it when it is done."""
        run.amps = armed.reversals.level_a(run.conversion)
        self.put_out(t)
        end = t + armed.delay_s + armed.meter.conversion_s
        self.lab.at(end, partial(self._convert, armed=armed, run=run))

    def _convert(self, t: float, armed: _Armed, run: _Run) -> None:
        if run is not self._run:
            return
        is_limited = self.watch("measurement", t) != 0
        run.values.append((armed.meter.converted(t - armed.meter.conversion_s), is_limited))
        if len(run.values) == 3:
            self.keep(_reading(armed.reversals, run, t))
            run.readings += 1
        if is_limited and armed.aborts_limited:
            self.disarm(t)
            self.latch("operation", _ABORTED)
            return
        run.conversion += 1
        if run.conversion >= armed.reversals.conversions:
            run.passes, run.conversion = run.passes + 1, 0
            run.values.clear()
        if run.passes < self.sweep_count:
            self._go_on(armed, run, t)
            return
        self._run = None
        self.drive(t)
        self.latch("operation", _DONE)


def _reading(reversals: Reversals, run: _Run, t: float) -> Reading:
    middle = run.conversion - 1
    before, at, after = (volts for volts, _ in run.values)
    is_over = math.isinf(before) or math.isinf(at) or math.isinf(after)
    return Reading(
        volts=math.inf if is_over else reversed_v(middle, before, at, after),
        average_v=math.inf if is_over else average_v(before, at, after),
        step_a=reversals.step_a,
        centre_a=reversals.centre_a(middle),
        seconds=t - run.begin,
        number=run.readings,
        is_limited=any(is_limited for _, is_limited in run.values),
    )
