"""A current source and a nanovoltmeter as one resistance bridge, by reversal of the current."""

import math

from onnes.instruments.keithley2182a import OVERFLOW_V
from onnes.instruments.protocols import Resistance
from onnes.instruments.reversal import (
    LINE_CYCLES,
    SETTLE_S,
    SIGNS,
    Reversal,
    Triple,
    resistance_of,
    triples_of,
)

# A range is chosen at the first current; a metal may gain this factor before the range is full.
_HEADROOM = 2.0

_SELF = "resistance bridge"


class ReversalBridge(Reversal):
    """Four-probe resistance by three-point reversal of the current.

    Readings are taken in triples at +I, -I, +I with the weights (1, -2, 1)/4, which cancel a constant and a
    linearly drifting thermal EMF. Triples do not overlap, so that their scatter over sqrt(n) is an honest
    error; overlapping ones share readings and would understate it. Between points the current stays on, so
    that what it heats stays warm.

    A point that an instrument cannot vouch for is flagged ``compliance`` or ``over_range``.
    """

    _current_a = 0.0

    def start(self, current_a: float) -> None:
        """Ramp up to ``current_a`` with the compliance set first; choose and fix both ranges.

        Range and current stay frozen until :meth:`stop`. If any of it fails, the source is off again.

        Raises:
            LimitError: if the current is out of range; nothing was sent.
            InstrumentFault: if an instrument reports an error or does not do as told.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        self.current_limits.check("excitation current", current_a)
        self._prepare(current_a)
        self.meter.prepare_for_reversal(LINE_CYCLES)
        self._current_a = current_a
        with self._starting(_SELF):
            self.source.source_enabled = True
            self.source.ramp_to(current_a, self.ramp_a_per_s)
            largest = max(abs(self._volts_at(sign * current_a)) for sign in SIGNS)
            self.meter.fix_range(_HEADROOM * largest)

    def measure(self, readings: int) -> Resistance:
        """Measure from at least ``readings`` voltage readings, and never fewer than two triples.

        Raises:
            ConfigurationError: if nothing was started.
            CommunicationError: if an instrument gives no usable answer, or did so only when its connection
                was opened anew: it may have lost its setup, and is started again before it measures.
        """
        current = self._current_a
        self._check_started(_SELF)
        count = triples_of(readings)
        triples, limited = self._vouched(lambda: [self._triple(current) for _ in range(count)])
        self._set_up.check(_SELF)
        flags = ("compliance",) if limited else ()
        volts = tuple(v for triple in triples for v in triple.volts)
        if max(map(abs, volts)) >= OVERFLOW_V:
            nan = math.nan
            return Resistance(nan, current, nan, nan, nan, nan, volts, (*flags, "over_range"))
        return resistance_of(triples, current, flags)

    def _volts_at(self, amps: float) -> float:
        self.source.set_current(amps)
        self._clock.sleep(SETTLE_S)
        return self.meter.read_voltage()

    def _triple(self, current: float) -> Triple:
        set_current, read, clock = self.source.set_current, self.meter.read_voltage, self._clock
        volts, times = [], []
        for sign in SIGNS:
            set_current(sign * current)
            clock.sleep(SETTLE_S)
            volts.append(read())
            times.append(clock.now())
        return Triple((volts[0], volts[1], volts[2]), (times[0], times[1], times[2]))
