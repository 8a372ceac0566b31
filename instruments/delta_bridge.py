"""A 6221 and the 2182A on its serial line as one resistance bridge, by the delta mode of the source."""

import math

from onnes.instruments.averages import mean_and_error, slope
from onnes.instruments.errors import CommunicationError
from onnes.instruments.keithley2182a import OVERFLOW_V
from onnes.instruments.protocols import Resistance
from onnes.instruments.reversal import LINE_CYCLES, SETTLE_S, triples_of
from onnes.instruments.triggered_meter import APART, SILENT_S, Triggered, TriggeredMeter, triggered

# A range is chosen at the first current; a metal may gain this factor before the range is full.
_HEADROOM = 2.0
_TRIES = 3  # of a question that has no usable answer

_SELF = "delta bridge"


class DeltaBridge(TriggeredMeter):
    """Four-probe resistance by hardware delta: the source reverses the current and triggers the meter.

    A reading is made of three A/D values at +I, -I, +I with the weights (1, -2, 1)/4, which cancel a constant
    and a linearly drifting thermal EMF. The source makes one for every three values in a row, so that
    neighbours share two of them; of those only every third is taken, so that the scatter over sqrt(n) is an
    honest error. Between points the current goes on alternating, so that what it heats stays warm.

    A point that an instrument cannot vouch for is flagged ``compliance`` or ``over_range``.
    """

    _current_a = 0.0

    def start(self, current_a: float) -> None:
        """Choose and fix both ranges at the direct current, then arm delta and let it run.

        Ranges and current stay frozen until :meth:`stop`. Armed, the current goes from 0 to ``current_a`` at
        once, and at the end back to 0: delta knows no ramp. If any of it fails, the source is off again.

        Raises:
            LimitError: if the current is out of range; nothing was sent.
            InstrumentFault: if an instrument reports an error or does not do as told.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        self.current_limits.check("excitation current", current_a)
        self._prepare_both(current_a, LINE_CYCLES)
        source = self.source
        self._current_a = current_a
        with self._starting(_SELF):
            source.source_enabled = True
            largest = max(abs(self._volts_at(sign * current_a)) for sign in (1.0, -1.0))
            source.ramp_to(0.0, self.ramp_a_per_s)
            self.meter.fix_range(_HEADROOM * largest)
            self.meter.check_errors()
            source.delta_high_source = current_a  # the low one follows
            source.delta_delay = SETTLE_S
            source.delta_cycles = "INF"
            source.delta_measurement_sets = 1
            source.delta_compliance_abort_enabled = False  # the flag of the point says it, and more than once
            source.delta_cold_switch_enabled = False
            self._arm("DELT")
            source.delta_start()
            self._wait_for_buffer(1)

    def measure(self, readings: int) -> Resistance:
        """Measure from at least ``readings`` A/D values, and never fewer than two readings of three.

        Raises:
            ConfigurationError: if nothing was started.
            InstrumentFault: if no new readings come.
            CommunicationError: if the source gives no usable answer, or did so only when its connection was
                opened anew: it may have lost its setup, and is started again before it measures.
        """
        current = self._current_a
        self._check_started(_SELF)
        count = triples_of(readings)
        found, limited = self._vouched(lambda: self._fresh(count))
        self._set_up.check(_SELF)
        flags = ("compliance",) if limited or any(one.is_limited for one in found) else ()
        volts = tuple(one.volts for one in found)
        if any(one.overflows for one in found):
            nan = math.nan
            return Resistance(nan, current, nan, nan, nan, nan, volts, (*flags, "over_range"))
        voltage, error = mean_and_error(volts)
        emfs = [one.average for one in found]
        has_emf = max(map(abs, emfs)) < OVERFLOW_V  # which is how it says that it does not know (k)
        return Resistance(
            voltage=voltage,
            current=current,
            resistance=voltage / current,
            resistance_error=error / current,
            emf=sum(emfs) / count if has_emf else math.nan,
            emf_drift=slope([one.time for one in found], emfs) if has_emf else math.nan,
            readings=volts,
            flags=flags,
        )

    def _fresh(self, count: int) -> list[Triggered]:
        """Return ``count`` readings that share nothing with one another, nor with what was before."""
        found: list[Triggered] = []
        last = self._latest().number
        deadline = self._clock.now() + 2 * (count + 1) * APART * self._period_s + SILENT_S
        while len(found) < count:
            self._check_in_time(deadline)
            self._clock.sleep(APART * self._period_s)
            one = self._latest()
            if one.number >= last + APART:
                found.append(one)
                last = one.number
        return found

    def _latest(self) -> Triggered:
        """Return the latest reading; its number says whether it is a new one."""
        attempt = 1
        while True:
            try:
                return self.source.link.query("SENS:DATA?", _one)
            except CommunicationError:  # which the link does not ask again, as it knows no numbers
                if attempt == _TRIES:
                    raise
                attempt += 1


def _one(reply: str) -> Triggered:
    (only,) = triggered(reply)
    return only
