"""How long a plan will take, by what the magnet does meanwhile: for estimates of helium and of data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from onnes.instruments.station import StationLimits
from onnes.procedures.measurement import Measurement
from onnes.procedures.ramping import USUAL_RATE_K_PER_MIN
from onnes.runner.plan import Measure, Plan, SetField, SetTemperature, Wait

_USUAL_RATE_OE_PER_S = 100.0  # of magnets without a limit for it (a)

Use = Literal["idle", "driven", "ramping"]


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """Hours at zero field, at a field, and in ramps of the field; what the plan does to both quantities.

    A measurement that changes the field counts as ramping for all its time: the magnet ramps between its
    points. ``moves_field`` leaves out the ``finish``; ``coldest_k`` counts where the plan starts too.
    """

    hours: Mapping[Use, float]
    moves_field: bool
    coldest_k: float

    @property
    def total_h(self) -> float:
        """Return the hours of the whole plan."""
        return sum(self.hours.values())


def planned_time(
    plan: Plan, limits: StationLimits, *, kelvin: float, field_oe: float, now: datetime
) -> PlannedTime:
    """Return about how long the plan takes from where the station is; settling between steps is not counted.

    Args:
        limits: whose rates hold where the plan asks for none.
        kelvin: where the temperature starts.
        field_oe: where the field starts.
        now: when; a wait may end at a time of day.
    """
    walk = _Walk(limits, kelvin, field_oe, now)
    for step in plan.steps:
        action = step.action
        if isinstance(action, SetTemperature):
            walk.go_to_temperature(action.kelvin, action.rate_k_per_min, waits=action.wait)
        elif isinstance(action, SetField):
            walk.go_to_field(action.field_oe, action.rate_oe_per_s)
        elif isinstance(action, Wait):
            walk.wait(action)
        elif isinstance(action, Measure):
            walk.measure(action.measurement)
    moves_field = walk.moved_field
    if plan.finish.field_oe is not None:
        walk.go_to_field(plan.finish.field_oe, plan.finish.field_rate_oe_per_s)
    hours = {use: seconds / 3600.0 for use, seconds in walk.seconds.items()}
    return PlannedTime(hours, moves_field, walk.coldest_k)


class _Walk:
    """Goes through a plan on paper."""

    def __init__(self, limits: StationLimits, kelvin: float, field_oe: float, now: datetime) -> None:
        self._limits = limits
        self._kelvin, self._field_oe, self._began = kelvin, field_oe, now
        self.coldest_k = kelvin
        self.moved_field = False
        self.seconds: dict[Use, float] = {"idle": 0.0, "driven": 0.0, "ramping": 0.0}

    def go_to_temperature(self, kelvin: float, rate_k_per_min: float | None, *, waits: bool = True) -> None:
        rate = rate_k_per_min or min(USUAL_RATE_K_PER_MIN, self._limits.temperature_rate.high)
        if waits:
            self._rest(abs(kelvin - self._kelvin) / rate * 60.0)
        self._kelvin = kelvin
        self.coldest_k = min(self.coldest_k, kelvin)

    def go_to_field(self, field_oe: float, rate_oe_per_s: float | None = None) -> None:
        if field_oe == self._field_oe:
            return
        allowed = self._limits.field_rate
        rate = rate_oe_per_s or (_USUAL_RATE_OE_PER_S if allowed is None else allowed.high)
        self.seconds["ramping"] += abs(field_oe - self._field_oe) / rate
        self._field_oe = field_oe
        self.moved_field = True

    def wait(self, action: Wait) -> None:
        if action.for_s is not None:
            self._rest(action.for_s)
        elif action.until is not None:
            then = self._began + timedelta(seconds=sum(self.seconds.values()))
            self._rest((action.next_after(then) - then) / timedelta(seconds=1))

    def measure(self, measurement: Measurement) -> None:
        planned = measurement.setpoints()
        first, last = planned[0], planned[-1]
        if math.isnan(first.temperature_k):  # it is measured where temperature and field are
            self._rest(measurement.duration_s())
            return
        self.go_to_temperature(first.temperature_k, None)
        self.go_to_field(first.field_oe)
        self.coldest_k = min(self.coldest_k, *(point.temperature_k for point in planned))
        if any(point.field_oe != first.field_oe for point in planned):
            self.seconds["ramping"] += measurement.duration_s()
            self.moved_field = True
        else:
            self._rest(measurement.duration_s())
        self._kelvin, self._field_oe = last.temperature_k, last.field_oe

    def _rest(self, seconds: float) -> None:
        self.seconds["driven" if self._field_oe else "idle"] += seconds
