"""The plan of what goes wrong in a lab, and the journal of what did."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from onnes.sim.device import Device
from onnes.sim.fault_kinds import FaultName
from onnes.sim.fault_settings import FaultSettings, Spell
from onnes.sim.faults_multivu import begin_in_multivu
from onnes.sim.faults_plant import begin_in_plant, end_in_plant
from onnes.sim.journal import JournalEntry
from onnes.sim.noise import microseconds, stream_key, uniform
from onnes.sim.sequencer import MULTIVU

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_LOOK_S: Final = 10.0  # how often `when` is looked at where `every` does not say how often to come
_BEFORE_IT_OBEYS: Final = frozenset({"drop", "scpi_error"})


@dataclass(slots=True)
class Armed:
    """A planned fault: how often it may still strike, whether ``when`` holds, the last interval it struck."""

    fault: FaultSettings
    key: int
    left: float
    may_strike: bool
    interval: int = -1


class Faults:
    """What goes wrong in ``lab``. Faults of the wire wait for messages, all others stand on the agenda."""

    def __init__(self, lab: "VirtualLab") -> None:
        self.armed: list[Armed] = []  # faults of the wire that may still strike
        self._lab = lab
        self._planned = 0

    def add(
        self,
        kind: FaultName,
        target: str = "*",
        match: str = "*",
        at: float | str = 0.0,
        count: int | None = None,
        *,
        until: float | str | None = None,
        every: float | str | None = None,
        p: float = 1.0,
        when: dict[str, float] | None = None,
        **args: float | str,
    ) -> None:
        """Plan a fault; the arguments are those of :class:`FaultSettings`.

        Raises:
            ValueError: as for :class:`FaultSettings` and :meth:`plan`.
        """
        table: dict[str, Any] = {"kind": kind, "target": target, "match": match, "at": at, "count": count}
        table |= {"until": until, "every": every, "p": p, "when": when, "args": args}
        self.plan(FaultSettings.model_validate(table))

    def plan(self, fault: FaultSettings) -> None:
        """Plan a fault; one whose time has passed already begins now.

        Raises:
            ValueError: if its target is nobody whom this kind can befall, or it asks for a setpoint that
                cryostat or magnet refuse.
        """
        lab = self._lab
        names = self._names(fault)
        if not names:
            raise ValueError(f"kind = {fault.kind!r} can befall nobody in this lab")
        if not any(fnmatchcase(name, fault.target) for name in names):
            raise ValueError(
                f"target = {fault.target!r} is none of {', '.join(names)}, whom {fault.kind!r} befalls"
            )
        _check_setpoints(lab, fault)
        with lab.lock:
            self._planned += 1
            # The place in the plan belongs to the key, so that two alike faults toss two coins.
            key = stream_key(lab.seed, f"fault {self._planned} {fault.kind}")
            armed = Armed(fault, key, fault.most, fault.when is None)
            first = max(fault.at, lab.now())
            if fault.about.layer != "wire":
                lab.at(first, partial(self._come, armed))
                return
            self.armed.append(armed)
            if fault.when is not None:
                lab.at(first, partial(self._look, armed))

    # --- the wire

    def strike(self, device: Device, message: str, t: float, *, arriving: bool) -> FaultSettings | None:
        """Return the fault that meets ``message`` on its way in or its reply, if any, and write it down."""
        for armed in list(self.armed):
            fault = armed.fault
            if fault.until is not None and t >= fault.until:
                self.armed.remove(armed)
            elif (
                armed.may_strike
                and t >= fault.at
                and (fault.kind in _BEFORE_IT_OBEYS) is arriving
                and fnmatchcase(device.name, fault.target)
                and fnmatchcase(message.upper(), fault.match.upper())
                and _concerns(fault, device, message, t)
                and self._is_time(armed, t)
            ):
                armed.left -= 1
                if armed.left <= 0:
                    self.armed.remove(armed)
                self._note(t, device.name, fault, message)
                if fault.about.lasts:
                    device.busy_until = fault.end(t)
                    self._lab.at(device.busy_until, partial(self._over, device.name, fault))
                return fault
        return None

    def _is_time(self, armed: Armed, t: float) -> bool:
        """Say whether the coin of this moment, and of this interval, lets it strike."""
        fault = armed.fault
        if fault.every is None:
            return fault.p == 1.0 or uniform(armed.key, microseconds(t)) <= fault.p
        interval = math.floor((t - fault.at) / fault.every)
        if interval == armed.interval or uniform(armed.key, interval) > fault.p:
            return False
        armed.interval = interval
        return True

    def _look(self, armed: Armed, t: float) -> None:
        fault = armed.fault
        if armed.left <= 0 or (fault.until is not None and t >= fault.until):
            return
        armed.may_strike = fault.when is None or fault.when.holds(self._lab, t)
        self._lab.at(t + _LOOK_S, partial(self._look, armed))

    def _over(self, name: str, fault: FaultSettings, t: float) -> None:
        self._note(t, name, fault, "ends")

    # --- the agenda

    def _come(self, armed: Armed, t: float) -> None:
        """Let a fault that is no message's strike if condition and coin allow, and plan the next look."""
        fault, lab = armed.fault, self._lab
        if fault.until is not None and t >= fault.until:
            return
        holds = fault.when is None or fault.when.holds(lab, t)
        if holds and (fault.p == 1.0 or uniform(armed.key, microseconds(t)) <= fault.p):
            armed.left -= 1
            spell = Spell(fault, t, fault.end(t) if fault.about.lasts else t)
            for name in self._names(fault):
                if fnmatchcase(name, fault.target):
                    self._begin(name, spell)
        if armed.left > 0 and (fault.every is not None or fault.when is not None):
            lab.at(t + (fault.every or _LOOK_S), partial(self._come, armed))

    def _begin(self, name: str, spell: Spell) -> None:
        lab, fault = self._lab, spell.fault
        layer = fault.about.layer
        self._note(spell.begin, name, fault, "begins" if fault.about.lasts else "happens")
        if layer == "plant":
            begin_in_plant(lab, name, spell)
        elif layer == "wiring":
            lab.wiring.suffer(name, spell)
        elif layer == "server":
            lab.instruments[name].suffer(spell)
        elif layer == "multivu":
            begin_in_multivu(lab, spell)
        else:
            front_end = lab.instruments[name].front_end
            if front_end is not None:
                front_end.suffer(spell)
        if fault.about.lasts and spell.end < math.inf:
            lab.at(spell.end, partial(self._end, name, spell))

    def _end(self, name: str, spell: Spell, t: float) -> None:
        self._note(t, name, spell.fault, "ends")
        if spell.fault.about.layer == "plant":
            end_in_plant(self._lab, name, spell)

    def _note(self, t: float, name: str, fault: FaultSettings, command: str) -> None:
        self._lab.journal.append(JournalEntry(t, name, fault.kind, command))

    def _names(self, fault: FaultSettings) -> list[str]:
        """Return whom a fault of this kind can befall in this lab."""
        lab, about = self._lab, fault.about
        can_have: dict[str, Callable[[Device], bool]] = {
            "wire": lambda device: device.has_error_queue or fault.kind != "scpi_error",
            "front end": lambda device: device.front_end is not None,
            "server": lambda device: device.is_server,
        }
        if about.layer in can_have:
            return [name for name, device in lab.instruments.items() if can_have[about.layer](device)]
        if about.layer == "wiring":
            return list(lab.wiring.loops)
        if about.layer == "multivu":
            return [MULTIVU] if lab.magnetometer is not None else []
        if fault.kind == "foreign_setpoint":
            parts = {"temperature_k": "cryostat", "field_oe": "magnet"}
            return [part for name, part in parts.items() if name in fault.args]
        return [about.part]


def _concerns(fault: FaultSettings, device: Device, message: str, t: float) -> bool:
    """Say whether a fault that matches can do anything to this message."""
    if fault.kind == "scpi_error":
        return device.has_error_queue
    if fault.kind == "wrong_idn":
        return message.strip().upper() == "*IDN?"
    return fault.kind != "busy" or t >= device.busy_until


def _check_setpoints(lab: "VirtualLab", fault: FaultSettings) -> None:
    if fault.kind != "foreign_setpoint":
        return
    kelvin, oersted = fault.number("temperature_k"), fault.number("field_oe")
    low, high, most = (
        lab.cryostat.settings.lowest_k,
        lab.cryostat.settings.highest_k,
        lab.magnet.settings.max_oe,
    )
    if kelvin < low or kelvin > high:
        raise ValueError(
            f"args.temperature_k = {kelvin:g} K is outside [{low:g}, {high:g}] K, set by [cryostat]"
        )
    if abs(oersted) > most:
        raise ValueError(
            f"args.field_oe = {oersted:g} Oe is outside [{-most:g}, {most:g}] Oe, set by [magnet]"
        )
