"""A current source and a nanovoltmeter as one resistance bridge, by reversal of the current."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from onnes.instruments.keithley2182a import OVERFLOW_V, Keithley2182A
from onnes.instruments.protocols import Resistance
from onnes.instruments.sourced import Source, Sourced

# One line cycle takes the hum of the mains out, at 15 nV rms; further averaging is done by the triples, whose
# scatter is the error.
LINE_CYCLES = 1.0

# From the change of the current to the reading: the leads and filters of a cryostat settle in about 1 ms.
SETTLE_S = 0.02

# A range is chosen at the first current; a metal may gain this factor before the range is full.
_HEADROOM = 2.0

SIGNS = (1.0, -1.0, 1.0)

_SELF = "resistance bridge"


@dataclass(frozen=True, slots=True)
class Triple:
    """V(+I), V(-I), V(+I), and when each was read, s."""

    volts: tuple[float, float, float]
    times: tuple[float, float, float]

    @property
    def reversing(self) -> float:
        """Return the part that reverses with the current; a drift of the EMF drops out."""
        first, second, third = self.volts
        return (first - 2.0 * second + third) / 4.0

    @property
    def emf(self) -> float:
        """Return the part that does not reverse, at the time of the second reading."""
        first, second, third = self.volts
        return (first + 2.0 * second + third) / 4.0


class ReversalBridge(Sourced):
    """Four-probe resistance by three-point reversal of the current.

    Readings are taken in triples at +I, -I, +I with the weights (1, -2, 1)/4, which cancel a constant and a
    linearly drifting thermal EMF. Triples do not overlap, so that their scatter over sqrt(n) is an honest
    error; overlapping ones share readings and would understate it. Between points the current stays on, so
    that what it heats stays warm.

    A point that an instrument cannot vouch for is flagged ``compliance`` or ``over_range``.

    Args:
        ramp_a_per_s: how fast the current goes up, and down at the end.
        abort_ramp_a_per_s: how fast it goes down on an abort; None: within one second.
    """

    def __init__(
        self,
        source: Source,
        meter: Keithley2182A,
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
    ) -> None:
        super().__init__(
            source,
            [meter],
            compliance_v=compliance_v,
            ramp_a_per_s=ramp_a_per_s,
            abort_ramp_a_per_s=abort_ramp_a_per_s,
        )
        self.meter = meter
        self._current_a = 0.0

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
        with self._off_if_it_fails():
            self._is_on = True
            self.source.source_enabled = True
            self.source.ramp_to(current_a, self.ramp_a_per_s)
            largest = max(abs(self._volts_at(sign * current_a)) for sign in SIGNS)
            self.meter.fix_range(_HEADROOM * largest)
            self.source.check_errors()
            self.meter.check_errors()
            self._set_up.check(_SELF)

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


def triples_of(readings: int) -> int:
    """Return how many triples give at least ``readings`` readings and a scatter."""
    return max(2, math.ceil(readings / len(SIGNS)))


def resistance_of(triples: Sequence[Triple], current: float, flags: tuple[str, ...]) -> Resistance:
    """Return what at least two triples at +-``current``, A, say together."""
    n = len(triples)
    voltage, scatter = mean_and_error([triple.reversing for triple in triples])
    emfs = [triple.emf for triple in triples]
    return Resistance(
        voltage=voltage,
        current=current,
        resistance=voltage / current,
        resistance_error=scatter / current,
        emf=sum(emfs) / n,
        emf_drift=slope([triple.times[1] for triple in triples], emfs),
        readings=tuple(v for triple in triples for v in triple.volts),
        flags=flags,
        signs=SIGNS * n,
    )


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of at least two values that share nothing, and its standard error."""
    n = len(values)
    mean = sum(values) / n
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the straight line through the values, by least squares."""
    n = len(times)
    t0, v0 = sum(times) / n, sum(values) / n
    spread = sum((t - t0) ** 2 for t in times)
    return (
        sum((t - t0) * (v - v0) for t, v in zip(times, values, strict=True)) / spread if spread else math.nan
    )
