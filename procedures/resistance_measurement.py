"""What the measurements of resistance share: their parameters and estimates."""

from typing import ClassVar

from onnes.instruments.records import Point
from onnes.procedures.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    JsonParameter,
    Parameter,
)
from onnes.procedures.measurement import Measurement
from onnes.procedures.options import MagnetUse, Settle
from onnes.procedures.ramping import FIELD_WAIT_S, USUAL_RATE_K_PER_MIN
from onnes.procedures.settling import temperature_criterion
from onnes.procedures.transport import ResistancePoint

COLD_K, COLD_RATE_OE_PER_S = 4.0, 20.0  # a faster ramp heats the sample space below 4 K

# For estimates alone: one voltage reading, the two snapshots around them, the last approach of controllers.
_READING_S, _BRACKET_S, _APPROACH_S, _FIELD_APPROACH_S, _USUAL_RATE_OE_PER_S = 0.1, 0.1, 60.0, 10.0, 100.0


class ResistanceMeasurement(Measurement):
    """Base of the measurements of resistance."""

    point: ClassVar[type[Point]] = ResistancePoint

    wiring: str = Parameter("Wiring", default="")
    current_a: float = FloatParameter(
        "Excitation current", units="A", minimum=1e-12, maximum=1.0, default=1e-5
    )
    average: int = IntegerParameter("Average readings", minimum=1, maximum=100_000, default=10)
    settle: str = JsonParameter("Settle", Settle.from_json, default="{}")
    magnet: str = JsonParameter("Magnet", MagnetUse.from_json, default="{}")
    # between setpoints; 0 stands for the usual one: 10 K/min, or the station's limit
    temperature_rate_k_per_min: float = FloatParameter(
        "Temperature rate", units="K/min", minimum=0.0, maximum=100.0, default=0.0
    )
    both_directions: bool = BooleanParameter("Both directions", default=False)
    poll_s: float = FloatParameter("Poll interval", units="s", minimum=0.1, maximum=60.0, default=2.0)

    def point_s(self) -> float:
        """Return about how long one point takes, s."""
        return self.average * _READING_S + _BRACKET_S

    def temperature_ramp_s(self, start_k: float, kelvin: float) -> float:
        """Return about how long the ramp from ``start_k`` to ``kelvin`` takes, s."""
        return abs(kelvin - start_k) / (self.temperature_rate_k_per_min or USUAL_RATE_K_PER_MIN) * 60.0

    def temperature_settle_s(self, kelvin: float) -> float:
        """Return about how long it takes to settle at ``kelvin`` after a ramp, s."""
        criterion = temperature_criterion(kelvin, Settle.from_json(self.settle))
        return _APPROACH_S + criterion.for_s + criterion.then_wait_s

    def field_step_s(self, start_oe: float, field_oe: float, kelvin: float) -> float:
        """Return about how long it takes to go to ``field_oe`` and settle there, s."""
        if start_oe == field_oe:
            return 0.0
        use = MagnetUse.from_json(self.magnet)
        rate = use.rate_oe_per_s or (COLD_RATE_OE_PER_S if kelvin < COLD_K else _USUAL_RATE_OE_PER_S)
        wait_s = FIELD_WAIT_S[use.mode] if use.then_wait_s is None else use.then_wait_s
        return abs(field_oe - start_oe) / rate + _FIELD_APPROACH_S + wait_s
