"""What a lock-in amplifier is asked for, and what it gives."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from onnes.instruments.limits import Limits

Slope = Literal[6, 12, 18, 24]

# Settling of n equal poles after a step, in time constants (physics.md 4.10, the inverse of the regularised
# incomplete gamma function; Stanford Research's manuals round it up).
SETTLING_TAU: Final = {
    0.99: {6: 4.61, 12: 6.64, 18: 8.41, 24: 10.05},
    0.999: {6: 6.91, 12: 9.23, 18: 11.23, 24: 13.06},
    0.9999: {6: 9.21, 12: 11.76, 18: 13.93, 24: 15.91},
}


@dataclass(frozen=True, slots=True)
class LockInUse:
    """How a lock-in listens; the defaults are those of ``lockin`` in a sequence.

    ``frequency_hz`` and ``time_constant_s`` in Hz and s, ``slope_db`` in dB per octave, ``settle`` the part
    of a step that is waited for before a reading counts (0.99, 0.999 or 0.9999), ``sync`` the synchronous
    filter (None: on below 200 Hz).
    """

    frequency_hz: float = 17.77
    time_constant_s: float = 0.3
    slope_db: Slope = 24
    settle: float = 0.999
    sync: bool | None = None
    harmonic: int = 1

    @property
    def settle_s(self) -> float:
        """Return how long after a change a reading counts, s."""
        return SETTLING_TAU[self.settle][self.slope_db] * self.time_constant_s


@dataclass(frozen=True, slots=True)
class LockInReading:
    """One demodulated voltage: ``x`` in phase and ``y`` in quadrature, V rms, at ``time``, s.

    ``flags`` says what spoilt it since the reading before: ``overload``, ``unlock``; empty for a good one.
    """

    x: float
    y: float
    time: float
    flags: tuple[str, ...] = ()


@runtime_checkable
class LockIn(Protocol):
    """Demodulates a voltage at its own reference. It is the only reader of its latched status."""

    @property
    def frequency_limits(self) -> Limits:
        """Return the allowed frequencies of harmonic times reference, Hz."""

    @property
    def sine_limits(self) -> Limits:
        """Return the allowed amplitudes of its own sine output, V rms; 0 where it can be off."""

    def listen(self, use: LockInUse, *, reference: Literal["internal", "external"]) -> None:
        """Set reference, frequency (internal alone), harmonic and filters, and forget the status so far.

        Raises:
            LimitError: if a value is not one that it has, with the nearest ones; nothing was sent.
            InstrumentFault: if something else is read back.
        """

    def set_sine(self, volts_rms: float) -> None:
        """Set the amplitude of the sine output, V rms; 0 means as low as it goes."""

    def set_phase(self, degrees: float) -> None:
        """Set the phase of the reference, degrees."""

    def fit_range(self, volts_rms: float) -> bool:
        """Choose the full scale for a signal of ``volts_rms``; say whether it changed.

        Up when the signal is above 80 % of full scale, down when it is below 10 %. After a change the filter
        settles anew.
        """

    def take(self) -> LockInReading:
        """Read x and y of one instant and take the status since the reading before, which is over then."""

    def look(self) -> LockInReading:
        """Read x and y with the status so far, and leave that for the next :meth:`take`."""
