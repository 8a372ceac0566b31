"""The sealed sample space and the helium bath: what a Model 6000 knows of them.

Durations and pressures of the chamber and the costs of helium are ours (a); the states are those of
the Model 6000's manual.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

PURGED_AND_SEALED, VENTED_AND_SEALED, SEALED, PURGING, VENTING = 1, 2, 3, 4, 5
PRE_HIGH_VACUUM, HIGH_VACUUM, PUMPING, FLOODING = 6, 7, 8, 9

SEAL, PURGE_SEAL, VENT_SEAL, PUMP, VENT, HIGH_VACUUM_ON = 0, 1, 2, 3, 4, 5

OLD, RECENT, CONTINUOUS = 0, 1, 2  # codes of LEVEL?
METER_OFF, METER_ON, METER_HOURLY = 0, 1, 2  # codes of LEVELON, numbering (k)

_PRESSURE_TAU_S: Final = 20.0
_PURGE_S: Final = 120.0
_VENT_S: Final = 60.0
_PRE_HIGH_VACUUM_S: Final = 300.0
_TORR: Final = {
    PURGED_AND_SEALED: 5.0,
    VENTED_AND_SEALED: 760.0,
    PURGING: 5.0,
    VENTING: 760.0,
    PRE_HIGH_VACUUM: 1e-3,
    HIGH_VACUUM: 1e-5,
    PUMPING: 1e-2,
    FLOODING: 760.0,
}
_FRESH_AFTER_S: Final = 10.0  # from LEVELON to a value (seen in public drivers)
_AUTO_OFF_S: Final = 60.0
_HOUR_S: Final = 3600.0


class HeliumSettings(BaseModel):
    """The table ``[helium]`` of a lab file: level, what it loses, and what the meter does at first.

    A full sweep of 90 kOe costs ``90 * ramp_percent_per_koe`` (a).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level_percent: float = Field(default=92.0, ge=0, le=100)
    static_percent_per_h: float = Field(default=0.35, ge=0)
    ramp_percent_per_koe: float = Field(default=0.002, ge=0)
    switch_percent_per_h: float = Field(default=0.15, ge=0)
    meter: Literal["off", "hourly"] = "hourly"


class MagnetLoad(Protocol):
    """What of the magnet costs helium."""

    def swept_oe(self, t: float) -> float:
        """Return the way that the field has gone, Oe."""

    def heated_s(self, t: float) -> float:
        """Return how long the switch heater has burnt, s."""


class Helium:
    """The level of liquid helium, and the meter that is read now and then because reading it costs helium."""

    def __init__(self, settings: HeliumSettings, magnet: MagnetLoad) -> None:
        self.settings = settings
        self._magnet = magnet
        self._mode = METER_HOURLY if settings.meter == "hourly" else METER_OFF
        self._since = -_FRESH_AFTER_S  # so that the lab opens with a value of that moment
        self._last = (0.0, settings.level_percent)  # time and value of the last reading before this mode

    def level(self, t: float) -> float:
        """Return the true level in percent; never below 0."""
        lost = self.settings.static_percent_per_h * t / _HOUR_S
        lost += self.settings.ramp_percent_per_koe * self._magnet.swept_oe(t) / 1000.0
        lost += self.settings.switch_percent_per_h * self._magnet.heated_s(t) / _HOUR_S
        return max(0.0, self.settings.level_percent - lost)

    def meter(self, t: float, mode: int) -> None:
        """Switch the meter: 0 off, 1 on (continuous, off by itself after 60 s), 2 hourly."""
        self._last = self._latest(t)
        self._mode, self._since = mode, t

    def reading(self, t: float) -> tuple[float, int]:
        """Return the level that the controller holds in percent, and its age code."""
        when, percent = self._latest(t)
        if self._mode == METER_ON and _FRESH_AFTER_S <= t - self._since < _AUTO_OFF_S:
            return percent, CONTINUOUS
        return percent, RECENT if t - when < _HOUR_S else OLD

    def _latest(self, t: float) -> tuple[float, float]:
        running_s = t - self._since
        if self._mode == METER_OFF or running_s < _FRESH_AFTER_S:
            return self._last
        if self._mode == METER_ON:
            when = min(t, self._since + _AUTO_OFF_S)
        else:
            first = self._since + _FRESH_AFTER_S
            when = first + _HOUR_S * math.floor((t - first) / _HOUR_S)
        return when, self.level(when)


@dataclass(frozen=True, slots=True)
class _Stage:
    t0: float
    state: int
    pressure: float  # at t0, Torr


class Chamber:
    """The state and pressure of the sample space, and the helium bath around it."""

    def __init__(self, settings: HeliumSettings, magnet: MagnetLoad) -> None:
        self.helium = Helium(settings, magnet)
        self._command = PURGE_SEAL
        self._stages = [_Stage(0.0, PURGED_AND_SEALED, _TORR[PURGED_AND_SEALED])]
        self._forced: int | None = None

    def command(self, t: float, code: int) -> None:
        """Obey CHAMBER: 0 seal, 1 purge and seal, 2 vent and seal, 3 pump, 4 vent, 5 high vacuum."""
        now = _Stage(t, self._stage(t).state, self.pressure(t))
        if code == PURGE_SEAL:
            steps = [(0.0, PURGING), (_PURGE_S, PURGED_AND_SEALED)]
        elif code == VENT_SEAL:
            steps = [(0.0, VENTING), (_VENT_S, VENTED_AND_SEALED)]
        elif code == HIGH_VACUUM_ON:
            steps = [(0.0, PRE_HIGH_VACUUM), (_PRE_HIGH_VACUUM_S, HIGH_VACUUM)]
        elif code in (PUMP, VENT):
            steps = [(0.0, PUMPING if code == PUMP else FLOODING)]
        else:
            is_sealed = now.state in (PURGED_AND_SEALED, VENTED_AND_SEALED, SEALED)
            steps = [(0.0, now.state if is_sealed else SEALED)]
        self._command = code
        self._stages = [now]
        for after_s, state in steps:
            self._stages.append(_Stage(t + after_s, state, self.pressure(t + after_s)))

    def commanded(self) -> int:
        """Return the last command."""
        return self._command

    def status(self, t: float) -> int:
        """Return the status nibble, or what was forced."""
        return self._stage(t).state if self._forced is None else self._forced

    def force_status(self, code: int | None, t: float) -> None:
        """Show ``code`` from now on (a leak, an unknown code); None ends it."""
        del t  # nobody asks for a status before the present
        self._forced = code

    def pressure(self, t: float) -> float:
        """Return the pressure in Torr."""
        stage = self._stage(t)
        target = _TORR.get(stage.state, stage.pressure)  # a sealed chamber keeps what it has
        return target + (stage.pressure - target) * math.exp(-(t - stage.t0) / _PRESSURE_TAU_S)

    def _stage(self, t: float) -> _Stage:
        if t >= self._stages[-1].t0:
            return self._stages[-1]
        return self._stages[max(0, bisect_right(self._stages, t, key=lambda stage: stage.t0) - 1)]
