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
HIGH_VACUUM_ERROR, GENERAL_FAILURE = 14, 15

SEAL, PURGE_SEAL, VENT_SEAL, PUMP, VENT, HIGH_VACUUM_ON = 0, 1, 2, 3, 4, 5

OLD, RECENT, CONTINUOUS = 0, 1, 2  # codes of LEVEL?
METER_OFF, METER_ON, METER_HOURLY = 0, 1, 2  # codes of LEVELON, numbering (k)

_PRESSURE_TAU_S: Final = 20.0
_PURGE_S: Final = 120.0
_VENT_S: Final = 60.0
_PRE_HIGH_VACUUM_S: Final = 300.0
_AIR_TORR: Final = 760.0
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
        self._changes: list[tuple[float, float]] = []  # (when, percent): what a fault took or a person gave
        self._dropped = 0.0  # what `drop_to` took and `refill` has not given back, percent

    def level(self, t: float) -> float:
        """Return the true level in percent; never below 0."""
        lost = self.settings.static_percent_per_h * t / _HOUR_S
        lost += self.settings.ramp_percent_per_koe * self._magnet.swept_oe(t) / 1000.0
        lost += self.settings.switch_percent_per_h * self._magnet.heated_s(t) / _HOUR_S
        changed = sum(percent for when, percent in self._changes if t >= when)
        return min(100.0, max(0.0, self.settings.level_percent - lost + changed))

    def change(self, t: float, percent: float) -> None:
        """Add ``percent`` to the level at ``t``."""
        self._changes.append((t, percent))

    def drop_to(self, t: float, percent: float) -> None:
        """Let the level fall to ``percent`` at ``t``; one that is lower already stays."""
        lost = max(0.0, self.level(t) - percent)
        self._dropped += lost
        self.change(t, -lost)

    def refill(self, t: float) -> None:
        """Give back what ``drop_to`` took."""
        self.change(t, self._dropped)
        self._dropped = 0.0

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
        self._leak: tuple[float, float] | None = None  # since when, time constant in s
        self._leak_code = GENERAL_FAILURE

    def command(self, t: float, code: int) -> None:
        """Obey CHAMBER: 0 seal, 1 purge and seal, 2 vent and seal, 3 pump, 4 vent, 5 high vacuum."""
        now = _Stage(t, self._stage(t).state, self._tight_pressure(t))
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
            self._stages.append(_Stage(t + after_s, state, self._tight_pressure(t + after_s)))

    def commanded(self) -> int:
        """Return the last command."""
        return self._command

    def status(self, t: float) -> int:
        """Return the status nibble, or what was forced."""
        if self._forced is not None:
            return self._forced
        return self._stage(t).state if self._leak is None else self._leak_code

    def force_status(self, code: int | None, t: float) -> None:
        """Show ``code`` from now on (a leak, an unknown code); None ends it."""
        del t  # nobody asks for a status before the present
        self._forced = code

    def pressure(self, t: float) -> float:
        """Return the pressure in Torr."""
        torr = self._tight_pressure(t)
        if self._leak is None or t < self._leak[0]:
            return torr
        since, tau_s = self._leak
        return torr + (_AIR_TORR - torr) * -math.expm1(-(t - since) / tau_s)

    def leak(self, t: float, tau_s: float) -> None:
        """Let air in from ``t`` on, with a time constant in s; the controller reports a failure."""
        at_high_vacuum = self._stage(t).state in (PRE_HIGH_VACUUM, HIGH_VACUUM)
        self._leak_code = HIGH_VACUUM_ERROR if at_high_vacuum else GENERAL_FAILURE
        self._leak = (t, tau_s)

    def tighten(self, t: float) -> None:
        """Stop the leak; what came in is pumped or stays as the state of the chamber has it."""
        stage = _Stage(t, self._stage(t).state, self.pressure(t))
        self._leak = None
        self._stages = [stage, *(later for later in self._stages if later.t0 > t)]

    def _tight_pressure(self, t: float) -> float:
        """Return what the pressure were without a leak, Torr."""
        stage = self._stage(t)
        target = _TORR.get(stage.state, stage.pressure)  # a sealed chamber keeps what it has
        return target + (stage.pressure - target) * math.exp(-(t - stage.t0) / _PRESSURE_TAU_S)

    def _stage(self, t: float) -> _Stage:
        if t >= self._stages[-1].t0:
            return self._stages[-1]
        return self._stages[max(0, bisect_right(self._stages, t, key=lambda stage: stage.t0) - 1)]
