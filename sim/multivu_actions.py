"""What a MultiVu server does with the machine: the actions of MultiPyVu 3.8 on cryostat, magnet and chamber.

The server checks no range, as the maker's does not; a rate of 0 leaves everything where it is (seen).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onnes.sim import chamber, cryostat, magnet

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_SUCCESS: Final = "Call was successful"
_KEPT: Final = re.compile(r"[ :\-?\d.,\w]*")  # what the server reads of a query; it cuts at the first other

_TEMPERATURE_WORDS: Final[Mapping[int, str]] = {
    cryostat.STABLE: "Stable",
    cryostat.TRACKING: "Tracking",
    cryostat.NEAR: "Near",
    cryostat.CHASING: "Chasing",
    cryostat.FILLING: "Pot Operation",
    cryostat.STANDBY: "Standby",
    13: "Diagnostic",
    14: "Impedance Control Error",
    15: "General Failure",
}
_FIELD_WORDS: Final[Mapping[int, str]] = {
    0: "Unknown",
    magnet.PERSISTENT_STABLE: "Stable",
    magnet.SWITCH_WARMING: "Switch Warming",
    magnet.SWITCH_COOLING: "Switch Cooling",
    magnet.DRIVEN_STABLE: "Holding (driven)",
    magnet.FINAL_APPROACH: "Iterate",
    magnet.CHARGING: "Ramping",
    magnet.DISCHARGING: "Ramping",
    8: "Resetting",
    9: "Current Error",
    10: "Switch Error",
    magnet.QUENCHING: "Quenching",
    12: "Charging Error",
    14: "PSU Error",
    15: "General Failure",
}
_CHAMBER_WORDS: Final[Mapping[int, str]] = {
    0: "Unknown",
    chamber.PURGED_AND_SEALED: "Purged and Sealed",
    chamber.VENTED_AND_SEALED: "Vented and Sealed",
    chamber.SEALED: "Sealed (condition unknown)",
    chamber.PURGING: "Performing Purge/Seal",
    chamber.VENTING: "Performing Vent/Seal",
    chamber.PRE_HIGH_VACUUM: "Pre-HiVac",
    chamber.HIGH_VACUUM: "HiVac",
    chamber.PUMPING: "Pumping Continuously",
    chamber.FLOODING: "Flooding Continuously",
    chamber.HIGH_VACUUM_ERROR: "HiVac Error",
    chamber.GENERAL_FAILURE: "General Failure",
}

# What is waited for: 1 temperature, 2 field, 8 chamber (3.8; it was 4 before). Moving states only: MultiVu
# takes a failure for settled.
_TEMPERATURE, _FIELD, _CHAMBER = 1, 2, 8
_TEMPERATURE_MOVES: Final = frozenset({cryostat.TRACKING, cryostat.NEAR, cryostat.CHASING, cryostat.FILLING})
_FIELD_MOVES: Final = frozenset(
    {
        magnet.SWITCH_WARMING,
        magnet.SWITCH_COOLING,
        magnet.FINAL_APPROACH,
        magnet.CHARGING,
        magnet.DISCHARGING,
    }
)
_CHAMBER_MOVES: Final = frozenset({chamber.PURGING, chamber.VENTING, chamber.PRE_HIGH_VACUUM})
_GOOD, _NOTHING_SELECTED, _INVALID_MASK, _TIMED_OUT = 0, 200, 202, 258


class Refused(Exception):
    """The server answers with an error and changes nothing; the text is its."""


@dataclass(slots=True)
class WaitFor:
    """A wait until the parts in ``mask`` are steady in two looks, and ``delay_s`` more; until ``end``."""

    mask: int
    delay_s: float
    end: float
    every_s: float = 0.3  # seen
    _steady: int = 0
    _over_at: float | None = None

    def look(self, lab: "VirtualLab", t: float) -> int | None:
        """Return the code that ends the wait at ``t``, None while it goes on."""
        if not self.mask:
            return _NOTHING_SELECTED
        if self.mask & ~(_TEMPERATURE | _FIELD | _CHAMBER):
            return _INVALID_MASK
        self._steady = self._steady + 1 if is_steady(lab, self.mask, t) else 0
        if self._steady >= 2 and self._over_at is None:
            self._over_at = t + self.delay_s
        if self._over_at is not None and t >= self._over_at:
            return _GOOD
        return _TIMED_OUT if t >= self.end else None


def is_steady(lab: "VirtualLab", mask: int, t: float) -> bool:
    """Say whether nothing of what ``mask`` names moves."""
    moving = (
        (_TEMPERATURE, lab.cryostat.status(t) in _TEMPERATURE_MOVES),
        (_FIELD, lab.magnet.status(t) in _FIELD_MOVES),
        (_CHAMBER, lab.chamber.status(t) in _CHAMBER_MOVES),
    )
    return not any(moves for part, moves in moving if mask & part)


def obey(lab: "VirtualLab", flavor: str, action: str, query: str, t: float) -> str | WaitFor:
    """Do what ``action`` asks and return the result.

    Raises:
        Refused: if the server knows no such action, or the machine cannot do it.
        ValueError: if ``query`` says no number where one is due.
    """
    if action not in _ACTIONS:
        raise Refused(f'Unknown command: "{action}".')
    kept = _KEPT.match(query)
    return _ACTIONS[action](lab, flavor, kept[0] if kept else "", t)


def _temperature(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del flavor, query
    words = _TEMPERATURE_WORDS.get(lab.cryostat.status(t))
    if words is None:
        raise Refused("Unknown temperature state; it could mean MultiVu is not running.")
    return f"{lab.cryostat.reading(t)!r},K,{words}"


def _set_temperature(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del flavor
    kelvin, rate, approach = _numbers(query, 3, "Setting the temperature requires three numeric inputs")
    _check_code("approach", approach, 2)
    if rate > 0:
        lab.cryostat.command(t, kelvin, rate, int(approach))
    return "TEMP Command Received"


def _temperature_setpoints(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del flavor, query, t
    kelvin, rate, approach = lab.cryostat.setpoint()
    return f"({float(kelvin)!r}, {float(rate)!r}, {approach}),K,{_SUCCESS}"


def _field(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del flavor, query
    return f"{lab.magnet.reading(t)!r},Oe,{_FIELD_WORDS[lab.magnet.status(t)]}"


def _set_field(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    field, rate, approach, mode = _numbers(query, 4, "Setting the field requires four numeric inputs")
    _check_code("approach", approach, 3)
    _check_code("driven mode", mode, 2)
    if flavor == "VERSALAB" and approach == magnet.NO_OVERSHOOT:
        raise Refused("VERSALAB does not support the no_overshoot approach mode.")
    if flavor != "PPMS" and mode == magnet.PERSISTENT:
        raise Refused(f"{flavor} can only drive the magnet in driven mode.")
    if lab.magnet.has_quenched:
        raise Refused("Error when calling SetField()")
    if rate > 0:
        lab.magnet.command(t, field, rate, int(approach), int(mode))
    return "FIELD Command Received"


def _field_setpoints(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del query, t
    if flavor == "MPMS3":
        raise Refused("MPMS3 does not support getting field set points")
    field, rate, approach, mode = lab.magnet.setpoint()
    return f"({float(field)!r}, {float(rate)!r}, {approach}, {mode}),Oe,{_SUCCESS}"


def _chamber(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del query
    _check_chamber(flavor, "get")
    return f"0.0,,{_CHAMBER_WORDS[lab.chamber.status(t)]}"


def _set_chamber(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    _check_chamber(flavor, "set")
    (mode,) = _numbers(query, 1, "Setting the chamber requires 1 input")
    _check_code("selected mode", mode, 6)
    lab.chamber.command(t, int(mode))
    return "CHAMBER Command Received"


def _position(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del lab, flavor, query, t  # the plant has no rotator
    return "0.0,Deg,Transport stopped at set point"


def _is_waited_for(lab: "VirtualLab", flavor: str, query: str, t: float) -> str:
    del flavor
    return f"{int(is_steady(lab, int(query), t))},,{_SUCCESS}"


def _wait_for(lab: "VirtualLab", flavor: str, query: str, t: float) -> WaitFor:
    del lab, flavor
    delay_s, timeout_s, mask = _numbers(query, 3, "WaitFor requires three numeric inputs")
    return WaitFor(int(mask), delay_s, t + timeout_s if timeout_s else float("inf"))


_ACTIONS: Final[Mapping[str, Callable[["VirtualLab", str, str, float], str | WaitFor]]] = {
    "TEMP?": _temperature,
    "TEMP": _set_temperature,
    "TEMP_SETPOINTS?": _temperature_setpoints,
    "FIELD?": _field,
    "FIELD": _set_field,
    "FIELD_SETPOINTS?": _field_setpoints,
    "CHAMBER?": _chamber,
    "CHAMBER": _set_chamber,
    "POSITION?": _position,
    "WAITFOR?": _is_waited_for,
    "WAITFOR": _wait_for,
}


def _numbers(query: str, count: int, due: str) -> list[float]:
    parts = query.split(",")
    if len(parts) != count:
        raise Refused(f"{due}, separated by a comma, not {query!r}")
    return [float(part) for part in parts]


def _check_code(what: str, code: float, count: int) -> None:
    if code not in range(count):
        raise Refused(f"The {what}, {code:g}, is out of bounds.")


def _check_chamber(flavor: str, verb: str) -> None:
    if flavor == "OPTICOOL":
        raise Refused(f"{verb}_chamber() is not available for the OptiCool")
