"""A lock-in, a drive coil and a balanced pick-up coil as an ac susceptometer."""

import math
from contextlib import suppress
from typing import Final

from onnes.instruments.errors import CommunicationError, ConfigurationError, OnnesError
from onnes.instruments.limits import Limits
from onnes.instruments.lock_in_readings import LockInReadings
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.set_up import SetUp
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.susceptometer import AcLimits, AcReading

_PEAK = math.sqrt(2.0)

# The filter averages over three periods at least, and over 0.3 s, where it lets 0.26 Hz of noise through (a).
_PERIODS = 3.0
_LEAST_TAU_S = 0.3
_SLOPE_DB: Final = 24
# chi'' is a hundredth of chi' and less below the peak: what is left of a step must be smaller by far (a).
_SETTLE = 0.9999

# The sine output comes in steps; where half of one is a larger part of it, it is no drive (a).
_STEP = 0.01

_SELF = "susceptometer"


def oe_per_volt(series_ohm: float, field_oe_per_a: float) -> float:
    """Return the amplitude of the drive, Oe peak, for 1 V rms of the sine output."""
    return _PEAK * field_oe_per_a / series_ohm


def drive_limits(
    lock_in: StanfordLockIn | type[StanfordLockIn], oe_peak_per_volt: float, coil: AcLimits
) -> AcLimits:
    """Return what a coil and a lock-in, or any of its model, can do together; amplitudes are peak.

    The lowest are those that the steps of the sine output meet within 1 %.

    Raises:
        LimitError: if no amplitude or frequency is within both.
    """
    sine = lock_in.sine_limits
    low = max(sine.low, 0.5 * lock_in.sine_step_v / _STEP)
    drive = Limits(low * oe_peak_per_volt, sine.high * oe_peak_per_volt, "Oe", f"the sine of {sine.set_by}")
    return AcLimits(
        coil.amplitude.narrowed(drive),
        coil.frequency.narrowed(lock_in.frequency_limits),
    )


class MutualInductance:
    """AC moments by mutual inductance: the sine of a lock-in drives a coil, its input reads the pick-up.

    The pick-up is balanced, so that only the sample is seen. It gives the rate of change of the moment, which
    leads it by a quarter of a period: with a drive ``h sin`` as the reference a moment ``m' sin - m'' cos``
    gives ``x`` proportional to m'' and ``y`` to m'. The harmonics count from the crest of the drive, as in
    ``m'_n cos(n th) + m''_n sin(n th)`` for ``h cos(th)``, which is a quarter of a period of the first away
    from its zero: each harmonic turns x and y on by another quarter. Phase and background are left as they
    stand in the coil.

    Args:
        series_ohm: what turns the sine into a current, the coil and the 50 ohm (k) of the output with it.
        field_oe_per_a: of the drive coil.
        pickup_v_per_hz_emu: V rms per Hz and emu rms of the first harmonic; negative for a pick-up that is
            wound the other way.
        limits: the coil's own record.
    """

    def __init__(
        self,
        lock_in: StanfordLockIn,
        *,
        series_ohm: float,
        field_oe_per_a: float,
        pickup_v_per_hz_emu: float,
        limits: AcLimits,
    ) -> None:
        self.source = self.lock_in = lock_in
        self._oe_per_volt = oe_per_volt(series_ohm, field_oe_per_a)
        self._pickup = pickup_v_per_hz_emu
        self._limits = limits
        self._readings = LockInReadings(lock_in)
        self._set_up = SetUp([lock_in])
        self._detected_hz = 0.0  # 0: not started
        self._harmonic = 1
        self._seen: dict[int, float] = {}  # the last signal of a harmonic, V rms per Oe and Hz

    @property
    def ac_limits(self) -> AcLimits:
        """Return what coil and lock-in can do together: see :func:`drive_limits`.

        Which amplitude it is, :attr:`amplitude_oe` tells.

        Raises:
            LimitError: if no amplitude or frequency is within both.
        """
        return drive_limits(self.lock_in, self._oe_per_volt, self._limits)

    @property
    def amplitude_oe(self) -> float:
        """Return the amplitude of the drive, Oe peak, from the sine that is read back."""
        return self.lock_in.sine_voltage * self._oe_per_volt

    def start(self, amplitude_oe: float, frequency_hz: float, harmonic: int = 1) -> None:
        """Drive with ``amplitude_oe`` (peak) at ``frequency_hz``, find the full scale and settle.

        The search for the full scale starts at the one that fitted the harmonic last, scaled to the drive.

        Raises:
            LimitError: if any is beyond the record; nothing was sent.
            InstrumentFault: if the lock-in does not do as told, or overloads on its largest range.
            CommunicationError: if it gives no usable answer, or did so only over a connection opened anew.
        """
        limits = self.ac_limits
        limits.amplitude.check("amplitude of the drive", amplitude_oe)
        limits.frequency.check("frequency of the drive", frequency_hz)
        use = self._use(frequency_hz, harmonic)
        self._set_up.claim()
        with suppress(CommunicationError):  # what an outage before left there is over now
            self.lock_in.check_errors()
        try:
            self._readings.listen(use, reference="internal")
            self.lock_in.set_sine(amplitude_oe / self._oe_per_volt)
            self._readings.unsettle()
            self._readings.find_range(
                self._seen.get(harmonic, math.inf) * amplitude_oe * harmonic * frequency_hz
            )
            self.lock_in.check_errors()
            self._set_up.check(_SELF)
        except BaseException as error:  # a Ctrl-C, too, must not leave a drive on; it is raised again
            try:
                self.stop()
            except OnnesError as also:
                error.add_note(f"the drive is not known to be at its minimum: {also}")
            raise
        self._detected_hz, self._harmonic = harmonic * frequency_hz, harmonic

    def measure(self, readings: int) -> AcReading:
        """Measure from ``readings`` independent readings, and never fewer than two.

        An overload makes the reading NaN; the range is wider for the next one.

        Raises:
            ConfigurationError: if nothing was started, or the lock-in was set up otherwise since.
            InstrumentFault: if it overloads on its largest range.
            CommunicationError: if the lock-in gives no usable answer, or did so only when its connection was
                opened anew: it may have lost its setup, and is started again before it measures.
        """
        if not self._detected_hz:
            raise ConfigurationError(
                f"the {_SELF} is not started; start() sets amplitude and frequency first"
            )
        self._set_up.check(_SELF)
        (found, amplitude_oe), _ = self._set_up.vouched(
            lambda: (self._readings.average(readings), self.amplitude_oe), self.lock_in.check_errors
        )
        self._set_up.check(_SELF)
        if "overload" not in found.flags:
            drive = amplitude_oe * self._detected_hz
            self._seen[self._harmonic] = math.hypot(found.x, found.y) / drive
        emu_per_volt = _PEAK / (self._pickup * self._detected_hz)
        moment = emu_per_volt * complex(found.x, found.y) * (-1j) ** (2 - self._harmonic)
        errors = (found.y_error, found.x_error) if self._harmonic % 2 else (found.x_error, found.y_error)
        return AcReading(
            amplitude_oe=amplitude_oe,
            in_phase=moment.real,
            in_phase_error=errors[0] * abs(emu_per_volt),
            quadrature=-moment.imag,
            quadrature_error=errors[1] * abs(emu_per_volt),
            flags=found.flags,
        )

    def stop(self) -> None:
        """Take the drive to its minimum, as a sine output has no off; safe to call at any time."""
        self.forget_start()
        self.lock_in.link.set_ups += 1  # who else has set it up since measures with nothing
        self.lock_in.safe_state()

    def forget_start(self) -> None:
        """Take the drive for off: somebody else made the lock-in safe."""
        self._detected_hz = 0.0

    def _use(self, frequency_hz: float, harmonic: int) -> LockInUse:
        least = max(_LEAST_TAU_S, _PERIODS / frequency_hz)
        # 0.3 s is among the entries of both models; below 0.1 mHz no frequency is left that needs more.
        tau = next(tau for tau in self.lock_in.TIME_CONSTANTS if tau >= least)
        return LockInUse(frequency_hz, tau, _SLOPE_DB, _SETTLE, harmonic=harmonic)
