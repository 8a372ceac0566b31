"""What the measurements of a point contact share: its modulation, its reference and its limits."""

from typing import ClassVar

from onnes.instruments.conductance import CONTACT_TAU_S, Modulation
from onnes.instruments.records import Point
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.experiment import BooleanParameter, FloatParameter, JsonParameter
from onnes.procedures.options import LockInOptions
from onnes.procedures.setpoint_measurement import BRACKET_S, SetpointMeasurement

_DC_READING_S = 0.2  # for estimates alone: the dc voltage beside the lock-in


class ContactMeasurement(SetpointMeasurement):
    """Base of the measurements of dI/dV of a contact."""

    point: ClassVar[type[Point]] = ConductancePoint

    # over the contact, rms, held constant in voltage; 0.2 mV changes G(0) by 0.09 % at 2 K (physics.md 2.5)
    modulation_v: float = FloatParameter("Modulation", units="V", minimum=1e-9, maximum=1.0, default=2e-4)
    # time constants that are waited for at each bias; of four poles 3 would show a third of a step
    settle_tau: float = FloatParameter("Settle time constants", minimum=0.0, maximum=1000.0, default=10.0)
    lockin: str = JsonParameter("Lock-in", LockInOptions.from_json, default="{}")
    # what the contact may be heated with; 0 stands for what station and sample allow
    power_limit_w: float = FloatParameter("Power limit", units="W", minimum=0.0, maximum=1.0, default=0.0)
    # above the transition, where the reference is taken; 0 stands for none
    normal_at_k: float = FloatParameter("Normal at", units="K", minimum=0.0, maximum=1000.0, default=0.0)
    both_directions: bool = BooleanParameter("Both directions", default=False)

    def modulation(self) -> Modulation:
        """Return what the contact is modulated with."""
        use = LockInOptions.from_json(self.lockin).use(time_constant_s=CONTACT_TAU_S)
        return Modulation(self.modulation_v, self.settle_tau, use)

    def point_s(self) -> float:
        """Return about how long one point takes, s."""
        return self.settle_tau * self.modulation().lock_in.time_constant_s + _DC_READING_S + BRACKET_S
