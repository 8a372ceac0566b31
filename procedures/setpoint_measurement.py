"""What the measurements share that set temperature and field themselves: parameters and estimates."""

from onnes.procedures.experiment import FloatParameter, JsonParameter, Parameter
from onnes.procedures.measurement import Measurement
from onnes.procedures.options import MagnetUse, Prepare, Settle
from onnes.procedures.preparation import recipe_of
from onnes.procedures.ramping import FIELD_WAIT_S, USUAL_RATE_K_PER_MIN, ramp_s
from onnes.procedures.settling import temperature_criterion

COLD_K, COLD_RATE_OE_PER_S = 4.0, 20.0  # a faster ramp heats the sample space below 4 K

# For estimates alone: the two snapshots around a reading, the last approach of controllers.
BRACKET_S = 0.1
_APPROACH_S, _FIELD_APPROACH_S, _USUAL_RATE_OE_PER_S = 60.0, 10.0, 100.0


class SetpointMeasurement(Measurement):
    """Base of the measurements that go from setpoint to setpoint."""

    wiring: str = Parameter("Wiring", default="")
    settle: str = JsonParameter("Settle", Settle.from_json, default="{}")
    magnet: str = JsonParameter("Magnet", MagnetUse.from_json, default="{}")
    # between setpoints; 0 stands for the usual one: 10 K/min, or the station's limit
    temperature_rate_k_per_min: float = FloatParameter(
        "Temperature rate", units="K/min", minimum=0.0, maximum=100.0, default=0.0
    )
    poll_s: float = FloatParameter("Poll interval", units="s", minimum=0.1, maximum=60.0, default=2.0)
    # below it a point depends on how the sample came there; 0: nowhere
    path_below_k: float = FloatParameter("History below", units="K", minimum=0.0, maximum=1000.0, default=0.0)
    prepare: str = JsonParameter("Prepare", Prepare.from_json, default="{}")

    def prepare_s(self, kelvin: float) -> float:
        """Return about how long the preparation takes that ends at ``kelvin``, s."""
        recipe = recipe_of(Prepare.from_json(self.prepare), self.path_below_k)
        warm_rate = self.temperature_rate_k_per_min or USUAL_RATE_K_PER_MIN
        cool_rate = recipe.cool_rate_k_per_min or warm_rate
        field_rate = MagnetUse.from_json(self.magnet).rate_oe_per_s or _USUAL_RATE_OE_PER_S
        # There, in a few swings of falling size back to 0, which are as long as the way there again (a).
        field_s = 2.0 * recipe.degauss_from_oe / field_rate + 2.0 * (
            _FIELD_APPROACH_S + FIELD_WAIT_S["driven"]
        )
        return (
            ramp_s(kelvin, recipe.warm_to_k, warm_rate)
            + self.temperature_settle_s(recipe.warm_to_k)
            + field_s
            + recipe.relax_s
            + ramp_s(recipe.warm_to_k, kelvin, cool_rate)
            + self.temperature_settle_s(kelvin)
            + recipe.soak_s
        )

    def temperature_ramp_s(self, start_k: float, kelvin: float) -> float:
        """Return about how long the ramp from ``start_k`` to ``kelvin`` takes, s."""
        return ramp_s(start_k, kelvin, self.temperature_rate_k_per_min or USUAL_RATE_K_PER_MIN)

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
