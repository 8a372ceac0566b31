"""About how long each step of a plan takes, with the ramps between the steps; needs no hardware."""

import math

from onnes.procedures.measurement import Measurement
from onnes.procedures.options import Settle
from onnes.procedures.ramping import FIELD_WAIT_S, USUAL_RATE_K_PER_MIN
from onnes.procedures.setpoint_measurement import SetpointMeasurement
from onnes.procedures.settling import temperature_criterion
from onnes.runner.plan import Measure, Plan, PlanStep, SetField, SetTemperature, Wait

_APPROACH_S = 60.0  # the last kelvins of a controller (a), as the measurements estimate them
_USUAL_RATE_OE_PER_S = 100.0  # where nobody asks for one (a)


def estimates_s(plan: Plan) -> tuple[float, ...]:
    """Return about how long each step takes, s.

    Where the night begins is not known beforehand, so the first ramps of temperature and field count as
    nothing, and so does a wait until a time of day.
    """
    walk = _Walk()
    return tuple(walk.step_s(step) for step in plan.steps)


class _Walk:
    """Where temperature (K) and field (Oe) are between two steps, and when a ramp under way is over."""

    def __init__(self) -> None:
        self._kelvin: float | None = None
        self._field_oe: float | None = None
        self._now_s = 0.0
        self._over_s = 0.0

    def step_s(self, step: PlanStep) -> float:
        action = step.action
        if isinstance(action, Measure):
            seconds = self._measure_s(action.measurement)
        elif isinstance(action, SetTemperature):
            seconds = self._set_temperature_s(action)
        elif isinstance(action, SetField):
            seconds = self._set_field_s(action)
        else:
            seconds = self._wait_s(action)
        self._now_s += seconds
        return seconds

    def _measure_s(self, measurement: Measurement) -> float:
        points = measurement.setpoints()
        first, last = points[0], points[-1]
        seconds = measurement.duration_s()
        if math.isnan(first.temperature_k):  # it is measured where temperature and field are
            return seconds
        if isinstance(measurement, SetpointMeasurement):
            if self._kelvin is not None:
                seconds += measurement.temperature_ramp_s(self._kelvin, first.temperature_k)
            if self._field_oe is not None:
                seconds += measurement.field_step_s(self._field_oe, first.field_oe, first.temperature_k)
        self._kelvin, self._field_oe = last.temperature_k, last.field_oe
        return seconds

    def _set_temperature_s(self, action: SetTemperature) -> float:
        start_k = action.kelvin if self._kelvin is None else self._kelvin
        ramp_s = abs(action.kelvin - start_k) / (action.rate_k_per_min or USUAL_RATE_K_PER_MIN) * 60.0
        self._kelvin = action.kelvin
        return self._arrives(ramp_s, _settle_s(action.kelvin, action.settle), waits=action.wait)

    def _set_field_s(self, action: SetField) -> float:
        start_oe = action.field_oe if self._field_oe is None else self._field_oe
        ramp_s = abs(action.field_oe - start_oe) / (action.rate_oe_per_s or _USUAL_RATE_OE_PER_S)
        self._field_oe = action.field_oe
        wait_s = FIELD_WAIT_S[action.mode] if action.then_wait_s is None else action.then_wait_s
        return self._arrives(ramp_s, wait_s, waits=action.wait)

    def _arrives(self, ramp_s: float, settle_s: float, *, waits: bool) -> float:
        if waits:
            return ramp_s + settle_s
        self._over_s = max(self._over_s, self._now_s + ramp_s)
        return 0.0

    def _wait_s(self, action: Wait) -> float:
        if action.stable:
            return max(0.0, self._over_s - self._now_s)
        return action.for_s or 0.0


def _settle_s(kelvin: float, settle: Settle) -> float:
    criterion = temperature_criterion(kelvin, settle)
    return _APPROACH_S + criterion.for_s + criterion.then_wait_s
