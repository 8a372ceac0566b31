"""A 6221 and the 2182A on its serial line as one conductance meter, by differential conductance."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from onnes.instruments.averages import mean_and_error
from onnes.instruments.conductance import Conductance, Modulation
from onnes.instruments.errors import ConfigurationError, ContactError
from onnes.instruments.keithley2182a import OVERFLOW_V, RANGES_V
from onnes.instruments.limits import Limits
from onnes.instruments.reversal import LINE_CYCLES, SETTLE_S
from onnes.instruments.triggered_meter import APART, Triggered, TriggeredMeter, triggered

# Readings of each bias. Neighbours share A/D values; every third does not, and three such readings have a
# scatter.
_READINGS = 9
# A single bias is a staircase too, so low that every step of it is the same bias.
_SAME_BIAS = 1e-2

_FIRST_A = 1e-9  # the resistance is looked for from here on up, by decades (a)
# On the way to a bias; the resistance of a contact changes little from one to the next (a).
_FRACTIONS = (0.25, 0.5, 0.75, 1.0, 1.0)
_ROUNDED = 0.4  # of a step: so much the staircase may end late, and has the same number of steps
_EVEN = 1e-3  # of a step, by which steps of the bias may differ
# The buffer is asked for as a whole, so not too often.
_STREAM_S = 1.0

_SELF = "conductance meter"


class DifferentialConductance(TriggeredMeter):
    """dI/dV by hardware differential conductance: a staircase of current with +-delta on it in turns.

    Every three A/D values in a row make a reading of dV at +-delta, in which a constant and a linearly
    drifting EMF cancel; their mean is the bias, with the EMF in it. Each bias gets nine readings, of which
    three share nothing; their mean and scatter are what comes back.

    The modulation is a square of +-delta, the same at all biases: the asked voltage over the resistance at
    zero bias. What it is over the contact comes back with each bias, as the rms of the square. A sweep goes
    in equal steps of current, so that a contact whose resistance changes with the bias has other biases than
    asked for; what was found is told beside the setpoint. Between sweeps the current is 0.
    """

    power_limit_w: float | None = None
    _delta_a = 0.0
    _zero_bias_ohm = 0.0

    def start(self, modulation: Modulation) -> None:
        """Find the resistance at zero bias, and with it the current of the modulation.

        If any of it fails, the source is off again.

        Raises:
            LimitError: if the modulation is no voltage that the meter can read; nothing was sent.
            ContactError: if the contact takes no current within the compliance, or the power limit does not
                allow the modulation.
            InstrumentFault: if an instrument reports an error or does not do as told.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        # 1 nV is below the noise of one reading: 2182A user's manual, 15 nV rms at one line cycle (k).
        Limits(1e-9, RANGES_V[-1], "V", "the Keithley 2182A").check("modulation", modulation.volts_rms)
        self._prepare_both(_FIRST_A, LINE_CYCLES)
        with self._starting(_SELF):
            self.source.source_enabled = True
            self._zero_bias_ohm = self._resistance_at(modulation.volts_rms)
            self._delta_a = modulation.volts_rms / self._zero_bias_ohm
            self.source.ramp_to(0.0, self.ramp_a_per_s)
            self.meter.check_errors()

    def curve(self, biases_v: Sequence[float]) -> Iterator[Conductance]:
        """Yield dI/dV at each bias in order, as soon as it is measured.

        Each stretch of rising or of falling biases is a sweep of its own, with the current at 0 before it. A
        bias that would exceed the power limit is not driven: it comes back flagged ``power``, with NaN.

        Raises:
            ConfigurationError: if nothing was started, or the biases of a sweep are not equally spaced.
            LimitError: if a bias is none that the source and the meter can do; nothing was sent.
            ContactError: if the contact shows no voltage.
            InstrumentFault: if no new readings come.
            CommunicationError: if an instrument gives no usable answer, or did so only when its connection
                was opened anew: it may have lost its setup.
        """
        allowed = Limits(-self.compliance_v, self.compliance_v, "V", "the compliance of the wiring")
        for bias in biases_v:
            allowed.check("bias", bias)
        stretches = list(_stretches(biases_v))
        for stretch in stretches:
            _check_even(stretch)
        self._check_started(_SELF)
        for stretch in stretches:
            yield from self._stretch(stretch)

    def _resistance_at(self, volts: float) -> float:
        """Return the resistance at the smallest current that makes ``volts``, ohm."""
        source, amps = self.source, _FIRST_A
        while True:
            source.source_range = amps
            source.watch_compliance()
            high, low = self._volts_at(amps), self._volts_at(-amps)
            half = 0.5 * (high - low)
            if source.was_in_compliance():
                raise ContactError(
                    f"{source.name} reaches its compliance of {self.compliance_v:g} V at {amps:.3g} A, "
                    f"before the contact shows {volts:.3g} V: it is open; the source goes to 0"
                )
            if self._exceeds(half, amps):
                raise ContactError(
                    f"a modulation of {volts:.3g} V takes more than the power limit of "
                    f"{self.power_limit_w} W at {amps:.3g} A; choose a smaller one; the source goes to 0"
                )
            if abs(half) >= 0.5 * volts:
                return abs(half) / amps
            if abs(half) > 0.05 * volts:
                amps *= volts / abs(half)
            else:
                amps *= 10.0
            self.current_limits.check("current of the modulation", amps)

    def _exceeds(self, volts: float, amps: float) -> bool:
        return self.power_limit_w is not None and abs(volts * amps) > self.power_limit_w

    def _stretch(self, biases: tuple[float, ...]) -> Iterator[Conductance]:
        """Yield the biases of one sweep, those at its ends that need too much power without driving them."""
        source = self.source
        source.delta_abort()
        self.meter.prepare_for_reversal(LINE_CYCLES)
        ohm = self._resistance_towards(max(biases, key=abs))
        source.ramp_to(0.0, self.ramp_a_per_s)
        driven = [k for k, bias in enumerate(biases) if not self._exceeds(bias, bias / ohm)]
        if not driven:
            yield from map(_undriven, biases)
            return
        first, last = driven[0], driven[-1]
        yield from map(_undriven, biases[:first])
        yield from self._sweep(biases[first : last + 1], ohm)
        yield from map(_undriven, biases[last + 1 :])

    def _resistance_towards(self, bias: float) -> float:
        """Return V/I at the direct current that makes ``bias``, ohm, or at the largest of little power.

        It is approached from below: a contact that conducts best at zero bias would be overdriven.
        """
        ohm = self._zero_bias_ohm
        for fraction in _FRACTIONS if bias else ():
            amps = fraction * bias / ohm
            if self._exceeds(fraction * bias, amps):
                break
            self.current_limits.check("current of the bias", abs(amps) + self._delta_a)
            self.source.source_range = abs(amps) + self._delta_a
            ohm = abs(self._volts_at(amps) / amps)
            if not ohm:
                raise ContactError(
                    f"the contact shows no voltage at {amps:.3g} A: it is shorted; the source goes to 0"
                )
        return ohm

    def _sweep(self, biases: tuple[float, ...], ohm: float) -> Iterator[Conductance]:
        """Yield ``biases``, which take their currents at ``ohm``."""
        source, delta = self.source, self._delta_a
        count = _READINGS * len(biases)
        stride = (biases[-1] - biases[0]) / ohm / (len(biases) - 1) if len(biases) > 1 else _SAME_BIAS * delta
        step = stride / _READINGS
        start = biases[0] / ohm - 0.5 * (_READINGS - 1) * step
        stop = start + (count - 1 + _ROUNDED) * step
        largest = max(abs(start), abs(stop)) + abs(step) + delta
        self.current_limits.check("peak of the current", largest)
        source.source_range = largest
        self.meter.fix_range(1.2 * (max(map(abs, biases)) + delta * self._zero_bias_ohm))
        self.meter.check_errors()
        source.conductance_start = start
        source.conductance_stop = stop
        source.conductance_step = abs(step)
        source.conductance_delta = delta
        source.conductance_delay = SETTLE_S
        source.conductance_compliance_abort_enabled = False
        source.delta_measurement_sets = 1
        source.delta_buffer_points = count
        self._arm("DCON")
        source.watch_compliance()
        source.delta_start()
        try:
            for bias, readings in zip(biases, self._streamed(count), strict=True):
                yield self._conductance(bias, readings)
        finally:
            source.delta_abort()
        self._set_up.check(_SELF)

    def _streamed(self, count: int) -> Iterator[list[Triggered]]:
        """Yield the readings of each bias as they come."""
        per_look = max(_READINGS, _READINGS * round(_STREAM_S / (_READINGS * self._period_s)))
        done = 0
        while done < count:
            wanted = min(count, done + per_look)
            self._wait_for_buffer(wanted)
            found = self.source.link.query("TRAC:DATA?", triggered)
            self.source.was_in_compliance()  # which says if it was without power, too
            self._set_up.check(_SELF)
            while done + _READINGS <= min(count, len(found)):
                yield found[done : done + _READINGS]
                done += _READINGS

    def _conductance(self, bias: float, readings: Sequence[Triggered]) -> Conductance:
        apart = readings[1::APART]
        delta = self._delta_a
        current = sum(one.current for one in apart) / len(apart)
        flags = ("compliance",) if any(one.is_limited for one in readings) else ()
        if any(one.overflows or abs(one.average) >= OVERFLOW_V for one in readings):
            return _without_values(bias, current, (*flags, "overload"))
        volts, error = mean_and_error([one.volts for one in apart])
        if not volts:
            return _without_values(bias, current, flags)
        return Conductance(
            bias_setpoint=bias,
            bias=sum(one.average for one in apart) / len(apart),
            current=current,
            conductance=delta / volts,
            conductance_error=abs(delta / volts) * error / abs(volts),
            modulation=abs(volts),
            quadrature=math.nan,
            flags=flags,
        )


def _undriven(bias: float) -> Conductance:
    return _without_values(bias, math.nan, ("power",))


def _without_values(bias: float, current: float, flags: tuple[str, ...]) -> Conductance:
    nan = math.nan
    return Conductance(bias, nan, current, nan, nan, nan, nan, flags)


def is_even(biases: Sequence[float]) -> bool:
    """Say whether biases, V, that go one way go in equal steps, as a staircase needs."""
    steps = [after - before for before, after in pairwise(biases)]
    return not steps or max(steps) - min(steps) <= _EVEN * abs(steps[0])


def _check_even(biases: tuple[float, ...]) -> None:
    if not is_even(biases):
        steps = [after - before for before, after in pairwise(biases)]
        raise ConfigurationError(
            f"the biases go in steps from {min(map(abs, steps)):.3g} V to {max(map(abs, steps)):.3g} V; "
            "differential conductance takes equal steps: choose those, or a lock-in"
        )


def _stretches(biases: Sequence[float]) -> Iterator[tuple[float, ...]]:
    """Yield the longest stretches that rise or fall; a turning point belongs to the one before it.

    >>> list(_stretches([-1.0, 0.0, 1.0, 0.0, -1.0]))
    [(-1.0, 0.0, 1.0), (0.0, -1.0)]
    """
    stretch: list[float] = []
    for bias in biases:
        way = bias - stretch[-1] if stretch else 1.0
        if way == 0.0 or (len(stretch) > 1 and way * (stretch[-1] - stretch[-2]) < 0.0):
            yield tuple(stretch)
            stretch = []
        stretch.append(bias)
    if stretch:
        yield tuple(stretch)
