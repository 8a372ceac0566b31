"""What a differential conductance is asked for, and what it gives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from onnes.instruments.limits import Limits
from onnes.instruments.lock_ins import LockInUse

CONTACT_TAU_S = 0.1
"""The time constant where nobody chooses one, s: at 17.77 Hz the shortest that takes out twice of it."""


@dataclass(frozen=True, slots=True)
class Modulation:
    """The small alternating voltage over the contact, V rms, held constant in voltage over the bias.

    ``settle_tau`` is how many time constants are waited at each bias: four poles show 99 % of a step after
    10 of them, and 35 % after 3. With 100 ms that costs 1 s a point.
    """

    volts_rms: float = 2e-4
    settle_tau: float = 10.0
    lock_in: LockInUse = field(default_factory=lambda: LockInUse(time_constant_s=CONTACT_TAU_S))


@dataclass(frozen=True, slots=True)
class Conductance:
    """One differential conductance dI/dV with all that is needed to judge it.

    ``bias_setpoint`` and ``bias`` are the dc voltage asked for and found over the voltage contacts, V;
    ``current`` the dc current, A; ``conductance`` and its error in S; ``modulation`` the alternating voltage
    that was over the contact, V rms; ``quadrature`` the part of dV/dI out of phase, over that in phase;
    ``flags`` what spoils it (``compliance``, ``overload``, ``unlock``, ``power``); empty for a good one.
    """

    bias_setpoint: float
    bias: float
    current: float
    conductance: float
    conductance_error: float
    modulation: float
    quadrature: float
    flags: tuple[str, ...] = ()


@runtime_checkable
class ConductanceMeter(Protocol):
    """Measures dI/dV of a contact against bias, whatever instruments it takes."""

    @property
    def current_limits(self) -> Limits:
        """Return the allowed peak currents, A: direct and alternating part together."""

    @property
    def compliance_v(self) -> float:
        """Return the largest voltage that the source gives, V."""

    @property
    def power_limit_w(self) -> float | None:
        """Return what the contact may be heated with, W; None where nothing limits it."""

    @power_limit_w.setter
    def power_limit_w(self, watts: float | None) -> None:
        """Set it; a bias that would exceed it is not driven: the point comes back flagged ``power``."""

    def start(self, modulation: Modulation) -> None:
        """Set the compliance, switch on at 0 A, find the resistance at zero bias, set up the modulation.

        If any of it fails, the source is off again.
        """

    def curve(self, biases_v: Sequence[float]) -> Iterator[Conductance]:
        """Yield dI/dV at each bias in order; the current goes from one to the next without going to 0."""

    def stop(self) -> None:
        """Ramp the current to 0 and switch the output off; safe to call at any time."""
