"""A current source and a nanovoltmeter that measure V(I), with the current reversed at each point."""

import math

from onnes.instruments.keithley2182a import RANGES_V
from onnes.instruments.limits import Limits
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

# 2182A reference manual, speeds (k): 15 readings a second at one line cycle with autozero, after the settling
# of the leads. Longer than 10 s is no pulse (a).
PULSE_LIMITS = Limits(0.1, 10.0, "s", "the Keithley 2182A at one line cycle")
_REST = 9.0  # pulse lengths at 0 A after each pulse, so that a tenth of the heat remains (a)

_SELF = "V(I) measurement"


class _Quenched(Exception):
    """The voltage went beyond its bound; the current is at 0 already."""


class ReversalCurve(Reversal):
    """V(I) by three-point reversal at currents that change from point to point.

    Each point is taken in triples at +I, -I, +I, as by :class:`ReversalBridge`. The current stays between
    points (staircase), or is on for each reading alone (pulses, with nine times their length at 0 A between).
    The range of the source is fixed for the largest current, that of the meter for the voltage at which a
    point ends.
    """

    _largest_a = 0.0
    _pulse_s: float | None = None
    _stop_v = math.nan
    _readings: tuple[float, ...] = ()

    def start_curve(self, largest_a: float, pulse_s: float | None = None) -> None:
        """Set compliance and range for currents up to ``largest_a`` and switch on at 0 A.

        If any of it fails, the source is off again.

        Args:
            pulse_s: the current is on for so long at each reading and 0 between; None: it stays (staircase).

        Raises:
            LimitError: if the current or the pulse is out of range; nothing was sent.
            InstrumentFault: if an instrument reports an error or does not do as told.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        self.current_limits.check("largest current", largest_a)
        if pulse_s is not None:
            PULSE_LIMITS.check("pulse", pulse_s)
        self._prepare(largest_a)
        self.meter.prepare_for_reversal(LINE_CYCLES)
        self._largest_a, self._pulse_s, self._stop_v = largest_a, pulse_s, math.nan
        with self._starting(_SELF):
            self.source.set_current(0.0)
            self.source.source_enabled = True

    def voltage_at(self, current_a: float, readings: int, stop_v: float) -> Resistance:
        """Measure at +-``current_a`` by reversal, from at least ``readings`` readings and two triples.

        At the first reading beyond +-``stop_v`` the current goes to 0 before anything else, and what was
        measured comes back flagged ``quench``: its voltage is the mean of the readings with the sign of their
        current, which holds the EMF; error and EMF are NaN.

        Raises:
            LimitError: if the current is above that of :meth:`start_curve`, or ``stop_v`` above what the
                meter can read; nothing was sent.
            ConfigurationError: if nothing was started.
            CommunicationError: if an instrument gives no usable answer, or did so only when its connection
                was opened anew.
        """
        limits = self.current_limits
        Limits(limits.low, self._largest_a or limits.high, "A", "start_curve()").check("current", current_a)
        Limits(0.0, RANGES_V[-1], "V", "the Keithley 2182A").check("stop voltage", stop_v)
        self._check_started(_SELF)
        if stop_v != self._stop_v:
            self.meter.fix_range(stop_v)
            self._stop_v = stop_v
        try:
            triples, limited = self._vouched(lambda: self._triples(current_a, triples_of(readings)))
        except _Quenched:
            return self._quenched(current_a)
        self._set_up.check(_SELF)
        return resistance_of(triples, current_a, ("compliance",) if limited else ())

    def _triples(self, current: float, count: int) -> list[Triple]:
        self._readings = ()
        return [self._triple(current) for _ in range(count)]

    def _triple(self, current: float) -> Triple:
        (a, at), (b, bt), (c, ct) = [self._read_at(sign * current) for sign in SIGNS]
        return Triple((a, b, c), (at, bt, ct))

    def _read_at(self, amps: float) -> tuple[float, float]:
        """Return the voltage at ``amps``, V, and when it was read, s.

        Raises:
            _Quenched: if it is beyond the bound; the current is at 0 then.
        """
        source, clock = self.source, self._clock
        since = clock.now()
        source.set_current(amps)
        clock.sleep(SETTLE_S)
        volts = self.meter.read_voltage()
        if abs(volts) > self._stop_v:  # also an overflow of the range, which was fixed for it
            source.set_current(0.0)
            self._readings += (volts,)
            raise _Quenched
        at = clock.now()
        self._readings += (volts,)
        if self._pulse_s is not None:
            clock.sleep_until(since + self._pulse_s)
            source.set_current(0.0)
            clock.sleep(_REST * self._pulse_s)
        return volts, at

    def _quenched(self, current: float) -> Resistance:
        volts = self._readings
        signs = (SIGNS * len(volts))[: len(volts)]
        limited = self.source.was_in_compliance()
        voltage = sum(sign * v for sign, v in zip(signs, volts, strict=True)) / len(volts)
        return Resistance(
            voltage=voltage,
            current=current,
            resistance=voltage / current,
            resistance_error=math.nan,
            emf=math.nan,
            emf_drift=math.nan,
            readings=volts,
            flags=("compliance", "quench") if limited else ("quench",),
            signs=signs,
        )
