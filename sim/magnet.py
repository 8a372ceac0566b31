"""Field in closed form: a timeline of leads, switch heater, ramps and rests, for both signs of field.

Times and remanence are assumed within the vendor's bounds; noise was read off real logs. The reported field
is the current of the supply; the sample sees that plus what the winding has trapped.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from onnes.sim.fault_settings import Spell
from onnes.sim.late_status import LateStatus
from onnes.sim.noise import Held, microseconds, stream_key, uniform

PERSISTENT_STABLE, SWITCH_WARMING, SWITCH_COOLING = 1, 2, 3
DRIVEN_STABLE, FINAL_APPROACH, CHARGING, DISCHARGING, QUENCHING = 4, 5, 6, 7, 11
LINEAR, NO_OVERSHOOT, OSCILLATE = 0, 1, 2
PERSISTENT, DRIVEN = 0, 1

_LONG_AGO_S: Final = -1e9
_NOISE_INTERVAL_S: Final = 2.0
_KEEP_S: Final = 4000.0  # the hourly reading of the helium level looks back an hour
_SATURATES_OE: Final = 1e4  # the remanence grows as tanh(largest field / 1 T)
_SWITCH_IS_WARM: Final = frozenset({DRIVEN_STABLE, FINAL_APPROACH, CHARGING, DISCHARGING})
_HEATER_IS_ON: Final = _SWITCH_IS_WARM | {SWITCH_WARMING}
_SWITCHES: Final = frozenset({SWITCH_WARMING, SWITCH_COOLING})
_QUENCH_TAU_S: Final = 1.5
_HOUR_S: Final = 3600.0


class MagnetSettings(BaseModel):
    """The table ``[magnet]`` of a lab file; fields in Oe, rates in Oe/s, times in s.

    ``switch_heat_s``, ``switch_cool_s``, ``max_oe``, ``oe_per_a``, ``inductance_h`` and the two voltages are
    what ``MAGCNF?`` answers. The leads take ``leads_s`` and one second for each ``leads_oe_per_s`` of field.
    ``remanence_oe`` is what the winding traps after a large field, ``remanence_oscillate_oe`` the most that
    is left after an oscillate approach; ``relaxation_oe`` creeps away after a ramp (all a).

    The lab opens at rest at ``start_oe``. ``start_largest_oe`` is the largest field since the last oscillate
    (without it that of ``start_oe``), ``start_direction`` the sign of the last change of field since then;
    with 0 there was none, and nothing is trapped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_oe: float = Field(default=90000.0, gt=0)
    min_rate_oe_per_s: float = Field(default=10.0, gt=0)
    max_rate_oe_per_s: float = Field(default=190.0, gt=0)
    start_mode: Literal["persistent", "driven"] = "persistent"
    start_oe: float = 0.0
    start_largest_oe: float | None = Field(default=None, ge=0)
    start_direction: Literal[-1, 0, 1] = 0
    switch_heat_s: float = Field(default=30.0, ge=0)
    switch_cool_s: float = Field(default=30.0, ge=0)
    leads_s: float = Field(default=5.0, ge=0)
    leads_oe_per_s: float = Field(default=10000.0, gt=0)
    leads_longest_s: float = Field(default=30.0, ge=0)
    settle_s: float = Field(default=8.0, ge=0)
    oe_per_a: float = Field(default=1800.0, gt=0)
    inductance_h: float = Field(default=9.0, gt=0)
    low_voltage: float = Field(default=2.0, gt=0)
    high_voltage: float = Field(default=3.5, gt=0)
    remanence_oe: float = Field(default=12.0, ge=0)
    remanence_oscillate_oe: float = Field(default=2.0, ge=0)
    relaxation_oe: float = Field(default=0.5, ge=0)
    relaxation_s: float = Field(default=300.0, gt=0)
    reading_step_oe: float = Field(default=0.3, ge=0)
    reading_noise_oe: float = Field(default=0.1, ge=0)
    dead_time_s: tuple[float, float] = (1.0, 5.0)

    @model_validator(mode="after")
    def _ranges(self) -> "MagnetSettings":
        if self.min_rate_oe_per_s > self.max_rate_oe_per_s:
            raise ValueError(
                f"min_rate_oe_per_s = {self.min_rate_oe_per_s:.9g} Oe/s is above "
                f"max_rate_oe_per_s = {self.max_rate_oe_per_s:.9g} Oe/s"
            )
        if abs(self.start_oe) > self.max_oe:
            raise ValueError(
                f"start_oe = {self.start_oe:.9g} Oe is outside [{-self.max_oe:.9g}, {self.max_oe:.9g}] Oe, "
                "the range set by max_oe"
            )
        largest = self.start_largest_oe
        if largest is not None and not abs(self.start_oe) <= largest <= self.max_oe:
            raise ValueError(
                f"start_largest_oe = {largest:.9g} Oe is outside [{abs(self.start_oe):.9g}, "
                f"{self.max_oe:.9g}] Oe, the range set by start_oe and max_oe"
            )
        if not 0 <= self.dead_time_s[0] <= self.dead_time_s[1]:
            raise ValueError(f"dead_time_s = {list(self.dead_time_s)} s is not [shortest, longest]")
        return self


@dataclass(frozen=True, slots=True)
class _Flux:
    """What the winding remembers.

    ``direction`` is the sign of the last change of field, 0 if there was none since the last oscillate;
    ``largest`` the largest field in Oe since then; ``residue`` what that oscillate left, Oe; ``rest_since``
    when the field last stopped.
    """

    direction: int
    largest: float
    residue: float
    rest_since: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """One straight piece of the timeline, from ``t0`` until the next one begins.

    ``field`` is that at ``t0`` in Oe, ``slope`` in Oe/s; in a quench the field dies away instead. ``swept``
    in Oe and ``heated`` in s count ramps and switch heater up to ``t0``. ``closed_at`` is since when the coil
    has no supply behind it, infinity while it has one.
    """

    t0: float
    field: float
    slope: float
    state: int
    flux: _Flux
    swept: float
    heated: float
    closed_at: float

    def at(self, t: float) -> float:
        if self.state == QUENCHING:
            return self.field * math.exp(-(t - self.t0) / _QUENCH_TAU_S)
        return self.field + self.slope * (t - self.t0)


class Magnet:
    """The field of a superconducting magnet, as a function of the commands so far and lab time in s."""

    def __init__(self, settings: MagnetSettings, seed: int) -> None:
        self.settings = settings
        self.keep_s = _KEEP_S
        mode, state = (
            (PERSISTENT, PERSISTENT_STABLE)
            if settings.start_mode == "persistent"
            else (DRIVEN, DRIVEN_STABLE)
        )
        field = settings.start_oe
        self._setpoint = (field, settings.max_rate_oe_per_s, LINEAR, mode)
        self._late = LateStatus(stream_key(seed, "magnet.status"), *settings.dead_time_s)
        self._noise = Held(stream_key(seed, "magnet.field"), _NOISE_INTERVAL_S)
        self._residue_key = stream_key(seed, "magnet.residue")
        largest = abs(field) if settings.start_largest_oe is None else settings.start_largest_oe
        flux = _Flux(settings.start_direction, largest, 0.0, _LONG_AGO_S)
        closed_at = 0.0 if mode == PERSISTENT else math.inf
        self._pieces = [_Piece(0.0, field, 0.0, state, flux, 0.0, 0.0, closed_at)]
        self._starts = [0.0]
        self._switch_is_stuck = False
        self._spells: list[Spell] = []  # of a leak, of an offset

    def command(self, t: float, target_oe: float, rate_oe_per_s: float, approach: int, mode: int) -> None:
        """Start a ramp at ``t``; limits are the controller's task.

        ``approach`` is 0 linear, 1 no overshoot, 2 oscillate; ``mode`` 0 persistent, 1 driven.
        """
        self._late.commanded(t, self.status(t))
        self._setpoint = (target_oe, rate_oe_per_s, approach, mode)
        self._run(t)

    def _run(self, t: float) -> None:
        """Lay down the timeline from ``t`` on towards the setpoint."""
        target_oe, rate_oe_per_s, approach, mode = self._setpoint
        begin = t
        self._forget_after(t)
        field, state = self.supply(t), self._pieces[-1].state
        if state == PERSISTENT_STABLE:
            leads_s = self.settings.leads_s + abs(field) / self.settings.leads_oe_per_s
            t = self._append(t, field, PERSISTENT_STABLE, min(leads_s, self.settings.leads_longest_s))
        if state not in _SWITCH_IS_WARM:
            t = self._append(t, field, SWITCH_WARMING, self.settings.switch_heat_s)
        for there, rate in self._nodes(field, target_oe, rate_oe_per_s, approach):
            if there != field:
                charging = abs(there) > abs(field)
                duration_s = abs(there - field) / rate
                t = self._append(t, field, CHARGING if charging else DISCHARGING, duration_s, there)
                field = there
        t = self._append(t, field, FINAL_APPROACH, self.settings.settle_s, oscillated=approach == OSCILLATE)
        if mode == PERSISTENT:
            t = self._append(t, field, SWITCH_COOLING, self.settings.switch_cool_s)
            # The leads run down meanwhile; the controller has no code for it.
            self._append(t, field, PERSISTENT_STABLE, math.inf)
        else:
            self._append(t, field, DRIVEN_STABLE, math.inf)
        if self._switch_is_stuck:
            self._stop_at_switch(begin)

    @property
    def has_quenched(self) -> bool:
        """Return whether it quenched and nobody has cleared that."""
        return self._pieces[-1].state == QUENCHING

    def quench(self, t: float) -> None:
        """Let the coil go normal at ``t``: all current and trapped flux are lost; it stays a fault."""
        field = self.supply(t)
        self._forget_after(t)
        self._append(t, field, QUENCHING, math.inf)
        self._pieces[-1] = replace(self._pieces[-1], flux=_Flux(0, 0.0, 0.0, t))

    def clear_quench(self, t: float) -> None:
        """Clear the quench as a person does: the supply rests at 0 in the mode it was in."""
        _, rate, approach, mode = self._setpoint
        self._setpoint = (0.0, rate, approach, mode)
        self._append(t, 0.0, PERSISTENT_STABLE if mode == PERSISTENT else DRIVEN_STABLE, math.inf)

    def hold_switch(self, t: float) -> None:
        """Let the persistent switch stay as it is from ``t`` on: what waits for it waits."""
        self._switch_is_stuck = True
        self._stop_at_switch(t)

    def free_switch(self, t: float) -> None:
        """Let the switch work again; what waited for it goes on."""
        self._switch_is_stuck = False
        state = self._pieces[-1].state
        if state == SWITCH_COOLING:
            begin = max(t, self._starts[-1])  # a ramp may still be on its way there
            field = self.supply(begin)
            after = self._append(begin, field, SWITCH_COOLING, self.settings.switch_cool_s)
            self._append(after, field, PERSISTENT_STABLE, math.inf)
        elif state == SWITCH_WARMING:
            self._run(t)

    def suffer(self, spell: Spell) -> None:
        """Take a leak of the persistent current or an offset of the field upon it."""
        self._spells.append(spell)

    def _stop_at_switch(self, t: float) -> None:
        """Cut the timeline after the first piece in which the switch would change."""
        for place, piece in enumerate(self._pieces):
            over = self._starts[place + 1] if place + 1 < len(self._starts) else math.inf
            if over > t and piece.state in _SWITCHES:
                del self._pieces[place + 1 :], self._starts[place + 1 :]
                return

    def setpoint(self) -> tuple[float, float, int, int]:
        """Return the last command: target in Oe, rate in Oe/s, approach, mode."""
        return self._setpoint

    def supply(self, t: float) -> float:
        """Return the field that the current of the supply stands for, without noise, Oe."""
        return self._piece_at(t).at(t)

    def steps(self, begin: float, end: float) -> list[float]:
        """Return the times after ``begin`` until ``end`` at which the true field turns or jumps, s, in order.

        Between two of them it goes one way.
        """
        edges = {edge for spell in self._spells for edge in (spell.begin, spell.end)}
        return sorted(t for t in {*self._starts, *edges} if begin < t <= end)

    def at_sample(self, t: float) -> float:
        """Return the true field at the sample in Oe: that of the supply and the flux trapped in the winding.

        Coming down from a large positive field the sample sees a negative field when the supply reads 0.
        """
        piece = self._piece_at(t)
        field = piece.at(t)
        if self._spells:
            field += self._strayed(piece, t)
        flux = piece.flux
        if not flux.direction:
            return field + flux.residue
        history = math.tanh(max(flux.largest, abs(field)) / _SATURATES_OE)
        rest_s = 0.0 if piece.slope else t - flux.rest_since
        creep = self.settings.relaxation_oe * math.exp(-rest_s / self.settings.relaxation_s)
        trapped = flux.direction * (self.settings.remanence_oe + creep)
        return field + flux.residue * (1.0 - history) + trapped * history

    def reading(self, t: float) -> float:
        """Return the reported field in Oe: in steps of the converter, with noise held for 2 s."""
        field, step = self.supply(t), self.settings.reading_step_oe
        if step:
            field = round(field / step) * step
        return field + self.settings.reading_noise_oe * self._noise(t)

    def status(self, t: float) -> int:
        """Return the nibble of the packed status word, or what was forced."""
        return self._late.shown(t, self._true_status)

    def force_status(self, code: int | None, t: float) -> None:
        """Show ``code`` from ``t`` on (a quench, an unknown code); None ends it."""
        self._late.force(code, t)

    def swept_oe(self, t: float) -> float:
        """Return the way that the field has gone since the lab opened, Oe; it costs helium."""
        piece = self._piece_at(t)
        return piece.swept + abs(piece.at(t) - piece.field)

    def heated_s(self, t: float) -> float:
        """Return how long the switch heater has burnt since the lab opened, s; it costs helium."""
        piece = self._piece_at(t)
        return piece.heated + (t - piece.t0 if piece.state in _HEATER_IS_ON else 0.0)

    def _strayed(self, piece: _Piece, t: float) -> float:
        """Return how far faults took the field of the coil from that of the supply, Oe."""
        offset = decay = 0.0
        for spell in self._spells:
            if spell.fault.kind == "field_offset":
                offset += spell.fault.number("oe") if spell.covers(t) else 0.0
            else:
                leaked_s = max(0.0, min(t, spell.end) - max(spell.begin, piece.closed_at))
                decay += spell.fault.number("percent_per_h") / 100.0 * leaked_s / _HOUR_S
        return offset + piece.at(t) * math.expm1(-decay)

    def _forget_after(self, t: float) -> None:
        """Drop the pieces that would have begun after ``t``, and those that ended long ago."""
        first = max(0, bisect_right(self._starts, t - self.keep_s) - 1)
        last = bisect_right(self._starts, t)
        self._pieces, self._starts = self._pieces[first:last], self._starts[first:last]

    def _true_status(self, t: float) -> int:
        return self._piece_at(t).state

    def _piece_at(self, t: float) -> _Piece:
        if t >= self._starts[-1]:
            return self._pieces[-1]
        return self._pieces[max(0, bisect_right(self._starts, t) - 1)]

    def _nodes(self, start: float, target: float, rate: float, approach: int) -> list[tuple[float, float]]:
        """Return (field in Oe, rate towards it in Oe/s) of each turning point and change of rate.

        Zero is one of them: there discharging turns into charging.
        """
        if approach == OSCILLATE:
            swings = [target + (target - start) * 0.3 * (-0.6) ** k for k in range(8)]
            largest = self.settings.max_oe
            nodes = [(max(-largest, min(largest, swing)), rate) for swing in swings] + [(target, rate)]
        elif approach == NO_OVERSHOOT:
            nodes = [(target - 0.05 * (target - start), rate), (target, rate / 5.0)]
        else:
            nodes = [(target, rate)]
        through_zero = []
        for node, speed in nodes:
            if start * node < 0:
                through_zero.append((0.0, speed))
            through_zero.append((node, speed))
            start = node
        return through_zero

    def _append(
        self,
        t: float,
        field: float,
        state: int,
        duration_s: float,
        target: float | None = None,
        *,
        oscillated: bool = False,
    ) -> float:
        """Add a piece that begins at ``t`` in ``field``, a ramp if it has a ``target``; return its end."""
        before = self._pieces[-1]
        flux = before.flux
        if before.slope:
            flux = replace(flux, largest=max(flux.largest, abs(field)), rest_since=t)
        if oscillated:
            chance = 2.0 * uniform(self._residue_key, microseconds(t)) - 1.0
            left = self.settings.remanence_oscillate_oe * chance * math.tanh(flux.largest / _SATURATES_OE)
            flux = _Flux(0, 0.0, left, t)
        slope = 0.0
        if target is not None:
            slope = (target - field) / duration_s
            flux = replace(flux, direction=1 if slope > 0 else -1, largest=max(flux.largest, abs(field)))
        closed_at = math.inf
        if state in {PERSISTENT_STABLE, SWITCH_WARMING}:  # the leads run up while the coil keeps its own
            closed_at = before.closed_at if before.closed_at < math.inf else t
        piece = _Piece(t, field, slope, state, flux, self.swept_oe(t), self.heated_s(t), closed_at)
        self._pieces.append(piece)
        self._starts.append(t)
        return t + duration_s
