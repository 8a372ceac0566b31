"""A 6221 and a lock-in, perhaps with a nanovoltmeter for the bias, as one meter of dI/dV against bias."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import cast

from onnes.instruments.conductance import Conductance, Modulation
from onnes.instruments.errors import ContactError, InstrumentFault, LimitError
from onnes.instruments.keithley2182a import OVERFLOW_V, Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.limits import Limits
from onnes.instruments.lock_in_readings import LockInReadings
from onnes.instruments.lock_ins import LockInReading
from onnes.instruments.sourced import Source, Sourced
from onnes.instruments.stanford_lock_in import StanfordLockIn

_PEAK = math.sqrt(2.0)  # of a sine, over its rms value

# A contact is 1 to 100 ohm (physics.md 2.5): the modulation is found from a current that is too small for it.
_LARGEST_OHM = 1e4
_LARGEST_FACTOR = 100.0  # by which a step towards it may raise the current (a)
_MODULATION_WITHIN = 0.1  # of what was asked for, at zero bias (a)
_MOST_STEPS = 12

_NOISE_READINGS = 10  # at zero bias; their scatter is known to a quarter of itself

# A bias counts as reached within this part of the distance to the next one (a). By the lock-in alone a better
# one costs a settling more, and the bias that is found is the one that is told.
_CLOSE_BY_METER, _CLOSE_BY_INTEGRAL = 0.05, 0.3

# From the change of the current to the reading of the bias, as for a reversal.
_SETTLE_S = 0.02
_LEAST_STEPS = 20  # from 0 to the largest bias, however few are asked for (a)
_BIAS_READINGS = 4  # of the thermal voltage at 0 A
_LONGEST_LINE_CYCLES = 25
_LEFT_OVER = 0.01  # of the modulation, in a bias that was averaged over line cycles (a)

_SELF = "conductance meter"


class LockInConductance(Sourced):
    """Differential conductance by a small sine on a direct current, with the sine held constant in voltage.

    The lock-in reads dV/dI times the alternating current, which is for each bias the modulation over the last
    dV/dI. The bias is what ``bias_meter`` reads less its reading at 0 A; beyond its range a point is flagged
    ``overload`` and the current goes back. Without a meter the bias is the integral of dV/dI over the current
    from 0, by trapezoids. It is gone to in steps of the distance between two biases, so that a jump cannot
    drive the contact far beyond.

    One reading is taken at each bias, ``settle_tau`` time constants after the last change. Its error is the
    scatter of readings at zero bias, as one reading has none. Status counts from one time constant before it:
    the reference is lost for some periods while the wave restarts.

    ``power_limit_w`` is checked before each step with the power of direct and alternating current together.

    Args:
        bias_meter: reads the direct voltage over the same contacts.
        ramp_a_per_s: how fast the current goes down at the end.
        abort_ramp_a_per_s: how fast it goes down on an abort; None: within one second.
    """

    def __init__(
        self,
        source: Keithley6221,
        lock_in: StanfordLockIn,
        bias_meter: Keithley2182A | None = None,
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
    ) -> None:
        super().__init__(
            cast(Source, source),
            [lock_in] if bias_meter is None else [lock_in, bias_meter],
            compliance_v=compliance_v,
            ramp_a_per_s=ramp_a_per_s,
            abort_ramp_a_per_s=abort_ramp_a_per_s,
        )
        self.lock_in = lock_in
        self.bias_meter = bias_meter
        self.power_limit_w: float | None = None
        self._wave = source
        self._readings = LockInReadings(lock_in)
        self._modulation = Modulation()
        self._full_a = 0.0
        self._direct_a = self._rms_a = 0.0
        self._bias_v = 0.0
        self._ohms = 0.0  # dV/dI that the next step is taken with
        self._good = (0.0, 0.0, 0.0)  # current, bias and dV/dI of the last good reading
        self._emf_v = 0.0
        self._noise_v = 0.0
        self._limited = False

    def start(self, modulation: Modulation) -> None:
        """Set the compliance, switch on at 0 A, find the resistance at zero bias, set up the modulation.

        If any of it fails, the source is off again.

        Raises:
            ContactError: if the contact is open.
            LimitError: if the modulation, its settling or its frequency is out of range, and nothing was
                sent; or if the contact takes more current or power for it than is allowed.
            InstrumentFault: if an instrument does not do as told, no reference locks, a signal overloads the
                largest range, or no current makes the modulation.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        highest = self.compliance_v / _PEAK
        Limits(1e-9, highest, "V", "1 nV and the compliance").check("modulation", modulation.volts_rms)
        Limits(1.0, 100.0, "time constants", "the conductance meter").check(
            "settling at each bias", modulation.settle_tau
        )
        self._modulation = modulation
        rms = modulation.volts_rms / _LARGEST_OHM
        self._prepare(_PEAK * rms)
        with self._starting(_SELF):
            self._full_a = self._wave.source_range
            self._direct_a, self._rms_a, self._bias_v, self._limited = 0.0, rms, 0.0, False
            self._wave.start_wave(modulation.lock_in.frequency_hz, _PEAK * rms)
            self._readings.listen(modulation.lock_in, reference="external")
            self._find_modulation()
            self._prepare_bias_meter()

    def curve(self, biases_v: Sequence[float]) -> Iterator[Conductance]:
        """Yield dI/dV at each bias in order; the current goes from one to the next without going to 0.

        While the wave restarts, for a few milliseconds, the direct current flows alone. A point that cannot
        be vouched for is flagged; with ``overload`` and ``power`` it has no values.

        Raises:
            ConfigurationError: if nothing was started.
            LimitError: if a peak of the current would be out of range; the current stays where it is.
            InstrumentFault: if the signal overloads the largest range, or a bias cannot be reached.
            CommunicationError: if an instrument gives no usable answer, or did so only when its connection
                was opened anew.
        """
        self._check_started(_SELF)
        if not all(math.isfinite(bias) for bias in biases_v):
            raise LimitError("biases of a curve must be numbers, V; nothing was sent")
        distances = [abs(b - a) for a, b in pairwise(biases_v) if a != b]
        largest = max(map(abs, [*biases_v, self._bias_v]))
        step_v = min(median(distances or [largest]), largest / _LEAST_STEPS)
        step_v = max(step_v, self._modulation.volts_rms)  # nothing narrower than that is to be seen
        if self.bias_meter is not None:
            self.bias_meter.fix_range(abs(self._emf_v) + largest + 2.0 * step_v)
        for bias in biases_v:
            self._check_started(_SELF)
            yield self._point(bias, step_v)

    # --- start

    def _find_modulation(self) -> None:
        """Find the current that makes the modulation at zero bias, and dV/dI and the noise with it."""
        asked = self._modulation.volts_rms
        for _ in range(_MOST_STEPS):
            self._readings.find_range()
            found = self._readings.average(2)
            if self.source.was_in_compliance():
                raise ContactError(
                    f"the contact is open: {self._rms_a:.3g} A rms at zero bias bring the source into its "
                    f"compliance of {self.compliance_v:.3g} V; the source is at 0 A; look at the leads"
                )
            if found.flags:
                raise InstrumentFault(
                    f"the modulation at zero bias is spoilt by {' and '.join(found.flags)}; look at the leads"
                )
            if abs(found.x - asked) <= _MODULATION_WITHIN * asked:
                break
            factor = asked / found.x if found.x > asked / _LARGEST_FACTOR else _LARGEST_FACTOR
            self._check_power(asked, 0.0, 0.0, factor * self._rms_a)
            self._drive(0.0, factor * self._rms_a)
            self._readings.unsettle()
        else:
            raise InstrumentFault(
                f"no current makes a modulation of {asked:.6g} V rms at zero bias; the last, "
                f"{self._rms_a:.6g} A rms, made {found.x:.6g} V; look for a short or an open lead"
            )
        still = self._readings.average(_NOISE_READINGS)
        self._noise_v = still.x_error * math.sqrt(_NOISE_READINGS)
        self._ohms = still.x / self._rms_a
        self._good = (0.0, 0.0, self._ohms)

    def _prepare_bias_meter(self) -> None:
        meter = self.bias_meter
        if meter is None:
            return
        hz = self._modulation.lock_in.frequency_hz
        meter.prepare_for_reversal(line_cycles(hz, meter.line_frequency))
        self._emf_v = sum(meter.read_voltage() for _ in range(_BIAS_READINGS)) / _BIAS_READINGS
        if abs(self._emf_v) >= OVERFLOW_V:
            raise InstrumentFault(f"{meter.name} reads no voltage at 0 A; look at the voltage leads")

    # --- a point

    def _point(self, target: float, step_v: float) -> Conductance:
        self._limited = False
        try:
            reading, limited = self._vouched(lambda: self._reading_at(target, step_v))
        except _TooMuchPower:
            return self._without_values(target, math.nan, ("power",))
        self._set_up.check(_SELF)
        self._readings.fit(reading)
        flags = (*(("compliance",) if limited or self._limited else ()), *reading.flags)
        is_beyond = math.isnan(self._bias_v)
        if is_beyond and "overload" not in flags:
            flags = (*flags, "overload")
        if "overload" in flags or not reading.x:
            spoilt = self._without_values(target, self._bias_v, flags)
            if is_beyond:
                self._go_back()
            return spoilt
        conductance = self._rms_a / reading.x
        return Conductance(
            bias_setpoint=target,
            bias=self._bias_v,
            current=self._direct_a,
            conductance=conductance,
            conductance_error=conductance * self._noise_v / abs(reading.x),
            modulation=abs(reading.x),
            quadrature=reading.y / reading.x,
            flags=flags,
        )

    def _without_values(self, target: float, bias_v: float, flags: tuple[str, ...]) -> Conductance:
        nan = math.nan
        return Conductance(target, bias_v, self._direct_a, nan, nan, nan, nan, flags)

    def _go_back(self) -> None:
        """Go to the current of the last good reading."""
        amps, self._bias_v, self._ohms = self._good
        self._drive(amps, self._next_rms())

    def _reading_at(self, target: float, step_v: float) -> LockInReading:
        """Go to a bias and return the settled reading there; at compliance, that where it began."""
        by_meter = self.bias_meter is not None
        close = (_CLOSE_BY_METER if by_meter else _CLOSE_BY_INTEGRAL) * step_v
        most = _MOST_STEPS + 2 * math.ceil(abs(target - self._bias_v) / step_v)
        reading = None
        for _ in range(most):
            left = target - self._bias_v
            if reading is not None and abs(left) <= close:
                return reading
            onward = math.copysign(min(abs(left), step_v), left)
            # at 0 A the bias is 0, and the way to it needs no finding
            amps = 0.0 if not target and abs(left) <= 2.0 * step_v else self._direct_a + onward / self._ohms
            self._check_power(self._modulation.volts_rms, self._bias_v + onward, amps, self._next_rms())
            self._drive(amps, self._next_rms())
            self._limited |= self.source.was_in_compliance()
            if by_meter and not self._limited:
                self._follow_by_meter()
                if abs(target - self._bias_v) > close and amps:
                    continue
            reading = self._settled()
            if self._limited or not amps or "overload" in reading.flags or math.isnan(self._bias_v):
                return reading
        raise InstrumentFault(
            f"bias = {target:.6g} V cannot be reached in {most} steps; the last is {self._bias_v:.6g} V "
            f"at {self._direct_a:.6g} A; look for a contact that changes"
        )

    def _settled(self) -> LockInReading:
        """Take a reading where the current is, and dV/dI and bias from it.

        One that overloads tells nothing of dV/dI; the bias is then taken to follow the last good one.
        """
        reading = self._readings.take()
        amps, bias, ohms = self._good
        is_good = "overload" not in reading.flags and reading.x > 0.0
        self._ohms = reading.x / self._rms_a if is_good else ohms
        if self.bias_meter is None:
            way = 0.5 * (ohms + self._ohms) * (self._direct_a - amps)
            self._bias_v = bias + way if self._direct_a else 0.0
        else:
            self._bias_v = self._read_bias()
        if is_good and not math.isnan(self._bias_v):
            self._good = (self._direct_a, self._bias_v, self._ohms)
        return reading

    def _follow_by_meter(self) -> None:
        """Read the bias, and take dV/dI for the next step from the way there."""
        self._clock.sleep(_SETTLE_S)
        amps, bias, _ = self._good
        self._bias_v = self._read_bias()
        if math.isnan(self._bias_v):
            return
        if self._direct_a != amps and (self._bias_v - bias) / (self._direct_a - amps) > 0.0:
            self._ohms = (self._bias_v - bias) / (self._direct_a - amps)
        self._good = (self._direct_a, self._bias_v, self._ohms)

    def _read_bias(self) -> float:
        """Return the bias, V; NaN beyond the range of the meter."""
        volts = cast(Keithley2182A, self.bias_meter).read_voltage()
        return volts - self._emf_v if abs(volts) < OVERFLOW_V else math.nan

    def _next_rms(self) -> float:
        return self._modulation.volts_rms / self._ohms

    def _check_power(self, modulation_v: float, bias_v: float, amps: float, rms: float) -> None:
        limit = self.power_limit_w
        watts = abs(bias_v * amps) + modulation_v * rms
        if limit is not None and not watts <= limit:
            raise _TooMuchPower(
                f"power in the contact = {watts:.6g} W is outside [0, {limit:.6g}] W, the range set by the "
                "sample; it is not driven"
            )

    def _drive(self, direct_a: float, rms_a: float) -> None:
        """Send a direct and an alternating current; a range that is too small for both is changed first.

        The direct one is set beside the offset of the wave, so that it stays when the wave ends: there is
        something to ramp down then.
        """
        peak = abs(direct_a) + _PEAK * rms_a
        self._wave.current_limits.check("peak of the current", peak)
        self._wave.stop_wave()  # the direct current of before flows on
        if peak > self._full_a:
            self._wave.source_range = peak
            self._full_a = self._wave.source_range
        self._wave.set_current(direct_a)
        self._wave.set_wave(_PEAK * rms_a, direct_a)
        self._direct_a, self._rms_a = direct_a, rms_a
        modulation = self._modulation
        self._readings.unsettle(modulation.settle_tau * modulation.lock_in.time_constant_s)


class _TooMuchPower(LimitError):
    """A bias would heat the contact with more than is allowed."""


def line_cycles(hz: float, line_hz: float) -> int:
    """Return over how many cycles of the mains a direct voltage is averaged beside a sine of ``hz``.

    The fewest that leave 1 % of the sine at most, or of up to 25 those that leave least.

    >>> line_cycles(17.77, 50.0)
    14
    """

    def left_over(cycles: int) -> float:
        x = math.pi * hz * cycles / line_hz
        return abs(math.sin(x) / x)

    counts = range(1, _LONGEST_LINE_CYCLES + 1)
    return next((n for n in counts if left_over(n) <= _LEFT_OVER), min(counts, key=left_over))
