"""The demodulator of a lock-in amplifier, shared by all of them."""

from typing import Protocol


class Phasors(Protocol):
    """Who brings an alternating voltage to a port, instead of the contacts of a loop."""

    def phasor(self, port: str, t: float, hz: float, phase: float, harmonic: int) -> complex:
        """Return X + iY at ``harmonic`` times the reference ``sin(2 pi hz t + phase)``, V rms.

        It is that of the instant ``t``, without noise and before the phase setting of the lock-in.
        """

    def changes(self, port: str, t0: float, t1: float) -> list[float]:
        """Return the times inside (t0, t1), s, at which it may jump."""

    def ohms(self, port: str, t: float) -> float:
        """Return the resistance whose thermal noise is heard, ohm."""
