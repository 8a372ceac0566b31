"""What an ac susceptometer that is read point by point is asked for, and what it gives."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from onnes.instruments.limits import Limits


@dataclass(frozen=True, slots=True)
class AcLimits:
    """What a susceptometer can do: amplitude in Oe **peak**, frequency in Hz, with who says so."""

    amplitude: Limits
    frequency: Limits


@dataclass(frozen=True, slots=True)
class AcReading:
    """One alternating moment, as it stands in the coil: phase and background are not corrected.

    ``amplitude_oe`` is that of the drive as it is read back, Oe peak: a source has steps.
    ``in_phase`` is with the field (negative for screening), ``quadrature`` lags it by 90 degrees (positive
    for loss), both in emu of amplitude (peak, as the drive field), each with its error. ``flags`` as of a
    lock-in: ``overload``, ``unlock``.
    """

    amplitude_oe: float
    in_phase: float
    in_phase_error: float
    quadrature: float
    quadrature_error: float
    flags: tuple[str, ...] = ()


@runtime_checkable
class Susceptometer(Protocol):
    """Measures the alternating moment of a sample in a drive coil, whatever instruments it takes."""

    @property
    def ac_limits(self) -> AcLimits:
        """Return its capability record."""

    def start(self, amplitude_oe: float, frequency_hz: float, harmonic: int = 1) -> None:
        """Drive with ``amplitude_oe`` (peak) at ``frequency_hz`` and wait until that has settled.

        Raises:
            LimitError: if either is beyond the record; nothing was sent.
        """

    def measure(self, readings: int) -> AcReading:
        """Measure from ``readings`` independent readings.

        Raises:
            InstrumentFault: if it overloads on its largest range.
        """

    def stop(self) -> None:
        """Take the drive away; safe to call at any time."""
