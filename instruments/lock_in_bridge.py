"""A source of alternating current and a lock-in as one resistance bridge."""

import math
from typing import Any, cast

from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.limits import Limits
from onnes.instruments.link import Link
from onnes.instruments.lock_in_readings import LockInReadings
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.protocols import Resistance
from onnes.instruments.sourced import Source, Sourced
from onnes.instruments.stanford_lock_in import StanfordLockIn

_PEAK = math.sqrt(2.0)  # of a sine, over its rms value

_LEAST_RMS_A = 2e-12  # the least amplitude of the 6221 (PyMeasure's driver) is one peak of 2 pA

# physics.md 2.1: so large a part out of phase says that the phase is wrong, or the contacts are.
_OUT_OF_PHASE = 0.02
_SIGNIFICANT = 3.0  # standard errors

_SELF = "lock-in bridge"


class SineThroughResistor:
    """The sine output of a lock-in as a current source: a resistance in series makes it one.

    What a sine output has neither of, ``source_range`` and a compliance of its own, is only noted: the
    compliance limits the sine, so that not even an open contact sees more.

    Args:
        series_ohm: all that the current passes but the sample, the 50 ohm (k) of the output with it.
    """

    def __init__(self, lock_in: StanfordLockIn, series_ohm: float) -> None:
        self.lock_in = lock_in
        self.series_ohm = series_ohm
        self.name = lock_in.name
        self.link: Link = lock_in.link
        self.source_compliance = 0.0
        self.source_range = 0.0

    def rms_limits(self, compliance_v: float) -> Limits:
        """Return the allowed currents, A rms, within a compliance in V.

        Raises:
            LimitError: if not even the lowest sine stays within it.
        """
        sine = self.lock_in.sine_limits.narrowed(
            Limits(0.0, compliance_v / _PEAK, "V", "the compliance of the wiring")
        )
        return Limits(sine.low / self.series_ohm, sine.high / self.series_ohm, "A", f"{sine.set_by} (rms)")

    def start_wave(self, hz: float, peak_a: float) -> None:
        """Put the sine out; its frequency ``hz`` is the one that the lock-in listens at."""
        del hz
        self.lock_in.set_sine(peak_a / _PEAK * self.series_ohm)

    def current_rms(self) -> float:
        """Return the current, A rms, from the amplitude that is read back."""
        return self.lock_in.sine_voltage / self.series_ohm

    def check_errors(self) -> list[Any]:
        """Look at the registers of the lock-in, which raises as it does."""
        return self.lock_in.check_errors()

    def watch_compliance(self) -> bool:
        """Say that nothing limits the current: a sine output has no compliance."""
        return False

    def was_in_compliance(self) -> bool:
        """Say that nothing has limited the current."""
        return False

    def safe_state(self, rate_a_per_s: float | None = None) -> str:
        """Take the sine to its minimum, which no rate applies to; return what was read back."""
        del rate_a_per_s
        return self.lock_in.safe_state()


class LockInBridge(Sourced):
    """Four-probe resistance by a lock-in, at an alternating current from a 6221 or from its own sine output.

    Currents and voltages are **rms**; the limits of the source hold for the peak, which is sqrt(2) larger.
    The resistance is x over the current, ``quadrature`` is y. Readings are as far apart as the filter makes
    them independent, so that their scatter over sqrt(n) is an honest error. A sine has no use for a ramp: it
    starts and ends at once.

    A point is flagged ``compliance``, ``overload``, ``unlock``, or ``phase`` where the part out of phase is
    significant and exceeds 2 % of a significant part in phase: set the phase on a normal resistance.

    ``use`` says how the lock-in listens from the next :meth:`start` on.

    Args:
        series_ohm: where the source is the lock-in itself, what turns its sine into a current.
    """

    def __init__(
        self,
        source: Keithley6221 | StanfordLockIn,
        lock_in: StanfordLockIn,
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
        series_ohm: float | None = None,
    ) -> None:
        self._sine = None if series_ohm is None else SineThroughResistor(lock_in, series_ohm)
        super().__init__(
            # a sine output is no source of direct current, which is all that a Source can do beside
            cast(Source, source if self._sine is None else self._sine),
            [lock_in],
            compliance_v=compliance_v,
            ramp_a_per_s=ramp_a_per_s,
            abort_ramp_a_per_s=abort_ramp_a_per_s,
        )
        self.lock_in = lock_in
        self.use = LockInUse()
        self._readings = LockInReadings(lock_in)
        self._current_a = 0.0

    @property
    def current_limits(self) -> Limits:
        """Return the allowed currents, A rms."""
        if self._sine is not None:
            return self._sine.rms_limits(self.compliance_v)
        peak = self.source.current_limits
        return Limits(_LEAST_RMS_A, peak.high / _PEAK, "A", f"{peak.set_by} (rms of its peak)")

    def start(self, current_a: float) -> None:
        """Put out ``current_a`` (rms) with the compliance set first; find the full scale and settle.

        Where the amplitude comes in steps, as of a sine output, the current of :meth:`measure` is the one
        that is read back.

        Raises:
            LimitError: if the current is out of range, or the lock-in has not what ``use`` asks for; no
                current was sent.
            InstrumentFault: if an instrument reports an error or does not do as told, if no reference locks,
                or if the signal overloads the largest range.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        self.current_limits.check("excitation current", current_a)
        peak = _PEAK * current_a
        self._prepare(peak)
        self._current_a = current_a
        with self._starting(_SELF):
            if self._sine is not None:
                self._readings.listen(self.use, reference="internal")
                self._sine.start_wave(self.use.frequency_hz, peak)
                self._current_a = self._sine.current_rms()
            else:
                cast(Keithley6221, self.source).start_wave(self.use.frequency_hz, peak)
                self._readings.listen(self.use, reference="external")
            self._readings.find_range()

    def measure(self, readings: int) -> Resistance:
        """Measure from ``readings`` independent readings, and never fewer than two.

        An overload makes the point NaN; the range is wider for the next one.

        Raises:
            ConfigurationError: if nothing was started.
            InstrumentFault: if the signal overloads the largest range; the current goes on.
            CommunicationError: if an instrument gives no usable answer, or did so only when its connection
                was opened anew: it may have lost its setup, and is started again before it measures.
        """
        self._check_started(_SELF)
        found, limited = self._vouched(lambda: self._readings.average(readings))
        self._set_up.check(_SELF)
        flags = (*(("compliance",) if limited else ()), *found.flags)
        out_of_phase = abs(found.y) - _SIGNIFICANT * found.y_error > _OUT_OF_PHASE * abs(found.x)
        if out_of_phase and abs(found.x) > _SIGNIFICANT * found.x_error:
            flags = (*flags, "phase")
        return Resistance(
            voltage=found.x,
            current=self._current_a,
            resistance=found.x / self._current_a,
            resistance_error=found.x_error / self._current_a,
            emf=math.nan,
            emf_drift=math.nan,
            readings=found.xs,
            flags=flags,
            quadrature=found.y,
        )
