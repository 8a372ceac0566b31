"""What procedures ask for: capabilities, never models.

A class fits a protocol by having its methods; PPMS, MPMS and a Lake Shore controller need no common base.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from onnes.instruments.errors import OnnesError
from onnes.instruments.limits import Limits

TemperatureApproach = Literal["fast_settle", "no_overshoot"]
FieldApproach = Literal["linear", "no_overshoot", "oscillate"]
FieldMode = Literal["persistent", "driven"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One fresh reading of a regulated quantity with the controller's own opinion of it.

    ``value`` is in K or Oe; ``time`` is the middle of question and reply on the clock's scale, s; ``state``
    is the controller's word for what it does, ``is_stable`` whether that word means settled, ``status`` the
    raw status word (0 where none is).
    """

    value: float
    time: float
    state: str
    is_stable: bool
    status: int


@runtime_checkable
class Thermostat(Protocol):
    """Regulates and reports the temperature of the sample space."""

    @property
    def temperature_limits(self) -> Limits:
        """Return the allowed setpoints, K."""

    @property
    def temperature_rate_limits(self) -> Limits:
        """Return the allowed rates, K/min."""

    def set_temperature(
        self, kelvin: float, rate_k_per_min: float, approach: TemperatureApproach = "fast_settle"
    ) -> None:
        """Start a ramp to ``kelvin`` and confirm the setpoint by reading it back."""

    def temperature_setpoint(self) -> float:
        """Read the setpoint back, K."""

    def commanded_rate_k_per_min(self) -> float:
        """Return the rate that was read back with the setpoint last, K/min; 0 before there was one."""

    def confirmed_temperature(self) -> float | None:
        """Return the setpoint that was set here and read back last, K; None where none is to rely on.

        A read-back that differs from it was set by somebody else.
        """

    def forget_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""

    def temperature(self) -> Reading:
        """Read the temperature; raise InstrumentFault in a fault state."""

    def hold_temperature(self) -> None:
        """Stop a ramp where it is; at rest send nothing."""


@runtime_checkable
class Magnet(Protocol):
    """Regulates and reports the field of a superconducting magnet."""

    @property
    def field_limits(self) -> Limits:
        """Return the allowed setpoints, Oe."""

    @property
    def field_rate_limits(self) -> Limits:
        """Return the allowed rates, Oe/s."""

    def set_field(
        self,
        field_oe: float,
        rate_oe_per_s: float,
        approach: FieldApproach = "linear",
        mode: FieldMode = "driven",
    ) -> None:
        """Start a ramp to ``field_oe`` and confirm the setpoint by reading it back."""

    def field_setpoint(self) -> float:
        """Read the setpoint back, Oe."""

    def confirmed_field(self) -> float | None:
        """Return the setpoint that was set here and read back last, Oe; None where none is to rely on."""

    def forget_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""

    def field(self) -> Reading:
        """Read the field as the supply reports it; raise InstrumentFault in a fault state."""

    def hold_field(self) -> None:
        """Stop a ramp where it is; at rest send nothing."""


@runtime_checkable
class Cryostat(Thermostat, Magnet, Protocol):
    """A thermostat and a magnet that one transaction reads together."""

    def snapshot(self) -> tuple[Reading, Reading]:
        """Read temperature and field of one instant."""


@runtime_checkable
class Chamber(Protocol):
    """The sealed sample space."""

    def chamber_state(self) -> str:
        """Read the state of the chamber in the controller's words; raise InstrumentFault in a fault state."""


@runtime_checkable
class SealedCryostat(Cryostat, Chamber, Protocol):
    """Thermostat, magnet and the chamber around them, which one transaction reads together."""

    def look(self) -> tuple[Reading | OnnesError, Reading | OnnesError, str | OnnesError]:
        """Read temperature, field and chamber of one instant; the fault of one takes only its own place."""


@dataclass(frozen=True, slots=True)
class HeliumLevel:
    """Level in percent; ``age`` as the controller tells it: ``continuous``, ``recent`` (< 1 h) or ``old``."""

    percent: float
    age: Literal["continuous", "recent", "old"]


@runtime_checkable
class HeliumGauge(Protocol):
    """Reports how much liquid helium is left."""

    def helium_level(self) -> HeliumLevel:
        """Read the level that the controller holds, with its age; start no measurement."""

    def refresh_helium_level(self) -> HeliumLevel:
        """Start the meter and return a level measured now; it takes about 10 s."""


@dataclass(frozen=True, slots=True)
class Resistance:
    """One four-probe resistance with all that is needed to judge it.

    Voltages in V, currents in A, resistances in ohm. ``readings`` are the raw voltages in the order taken,
    ``signs`` the sign of the current at each of them, empty where it is not known;
    ``emf`` the part of the voltage that does not reverse with the current, ``emf_drift`` its slope in V/s,
    both NaN for an alternating current; ``quadrature`` the part out of phase with it, V, NaN for a direct
    one.
    ``flags`` names what spoils the point (``compliance``, ``over_range``); empty for a good one.
    """

    voltage: float
    current: float
    resistance: float
    resistance_error: float
    emf: float
    emf_drift: float
    readings: tuple[float, ...]
    flags: tuple[str, ...] = ()
    signs: tuple[float, ...] = ()
    quadrature: float = math.nan


@runtime_checkable
class ResistanceBridge(Protocol):
    """Measures four-probe resistance, whatever instruments it takes."""

    @property
    def current_limits(self) -> Limits:
        """Return the allowed currents, A."""

    @property
    def compliance_v(self) -> float:
        """Return the largest voltage that the source gives, V."""

    def start(self, current_a: float) -> None:
        """Set the compliance, switch on at 0 A, ramp up to ``current_a`` and fix both ranges.

        Range and current stay frozen until :meth:`stop`. If any of it fails, the source is off again.
        """

    def measure(self, readings: int) -> Resistance:
        """Measure from at least ``readings`` voltage readings at the current of :meth:`start`."""

    def stop(self) -> None:
        """Ramp the current to 0 and switch the output off; safe to call at any time."""


@runtime_checkable
class CurrentSource(Protocol):
    """Sources a direct current that is read back, within a compliance voltage."""

    @property
    def current_limits(self) -> Limits:
        """Return the allowed currents, A."""

    def set_current(self, amps: float) -> float:
        """Set the current and return it as read back, A."""

    def ramp_to(self, amps: float, rate_a_per_s: float) -> float:
        """Go to ``amps`` in steps at ``rate_a_per_s`` and return the current as read back, A."""

    def watch_compliance(self) -> bool:
        """Say whether the compliance voltage limits the current now, and forget whether it did before."""

    def was_in_compliance(self) -> bool:
        """Say whether the compliance voltage limited it since :meth:`watch_compliance`, or does now."""


@runtime_checkable
class CurrentVoltageMeter(Protocol):
    """Measures V(I) at currents that change from point to point, with the range fixed for the largest."""

    @property
    def current_limits(self) -> Limits:
        """Return the allowed currents, A."""

    @property
    def compliance_v(self) -> float:
        """Return the largest voltage that the source gives, V."""

    def start_curve(self, largest_a: float, pulse_s: float | None = None) -> None:
        """Set compliance and ranges for currents up to ``largest_a`` and switch on at 0 A.

        Args:
            pulse_s: the current is on for so long at each reading and 0 between; None: it stays (staircase).

        Raises:
            LimitError: if the current or the pulse is out of range; nothing was sent.
        """

    def voltage_at(self, current_a: float, readings: int, stop_v: float) -> Resistance:
        """Measure at +-``current_a`` by reversal.

        At the first reading beyond +-``stop_v`` the current goes to 0 before anything else, and what was
        measured comes back flagged ``quench``.
        """

    def stop(self) -> None:
        """Ramp the current to 0 and switch the output off; safe to call at any time."""
