"""The table ``[interlocks]`` of a station file: what trips a night, what clears it, and what happens then.

Every interlock has a default; what the file gives replaces it key by key. Whether one has tripped is for the
runner to judge; this file says only at which level.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from onnes.instruments import quantities
from onnes.instruments.limits import Limits
from onnes.instruments.toml_file import Place, Problem, one_of

Policy = Literal["note", "suspend", "safe_stop", "on_error"]
"""What happens when an interlock trips: it is written down; the night waits in the safe state until it is
clear; the night ends in the safe state; the policy of the step for failures decides."""

HOLD_S = 30.0
"""How long a reading must stay beyond ``clear`` before an interlock counts as cleared."""

_LONGEST_HOLD_S = 24 * 3600.0


class InterlockEntry(BaseModel):
    """What a station file changes of one interlock; what is left out keeps its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trip: Any = None  # what may be typed depends on the interlock
    clear: Any = None
    hold: quantities.Time | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class InterlockLevel:
    """One interlock as it counts: levels in ``unit``, ``hold_s`` in s, and who set it.

    It trips where the reading is beyond ``trip`` and clears where it was beyond ``clear``, on the other side,
    for ``hold_s``. An interlock on a state rather than a number has ``unit`` "" and the levels 1 and 0.
    ``set_by`` is "default", or file and line.
    """

    name: str
    trip: float
    clear: float
    hold_s: float
    policy: Policy
    unit: str
    set_by: str


@dataclass(frozen=True, slots=True)
class _Scale:
    """How a level is typed and kept: in ``unit``, ``per_base`` of which are one base unit of ``kind``.

    ``kind`` is "" for a bare number. A level outside [``low``, ``high``] protects nothing, or trips always.
    """

    kind: str
    unit: str
    low: float
    high: float
    per_base: float = 1.0


_PROTECTS: tuple[Policy, ...] = ("suspend", "safe_stop")  # the sample or the machine: never only written down
_MAY_NOTE: tuple[Policy, ...] = ("note", "suspend", "safe_stop")


@dataclass(frozen=True, slots=True)
class _Interlock:
    """One interlock: its defaults, and what may be changed of them.

    ``scales`` are the ways to type a level, the first that of the default; none where it is a state. Where
    the file gives only ``trip``, it clears at ``clear_ratio * trip + clear_offset``.
    """

    trip: float
    policy: Policy
    scales: tuple[_Scale, ...] = ()
    policies: tuple[Policy, ...] = _PROTECTS
    clear_ratio: float = 0.0
    clear_offset: float = 0.0
    trips_below: bool = False


def _state(policy: Policy, policies: tuple[Policy, ...]) -> _Interlock:
    return _Interlock(1.0, policy, policies=policies)


_TO_20_K = _Scale("temperature", "K", 0, 20)
_RATE = _Scale("temperature_rate", "K/min", 0, 60)
_TO_10_PERCENT = _Scale("fraction", "%", 0, 10, per_base=100)
_PERCENT = _Scale("fraction", "%", 0, 100, per_base=100)
_OERSTED = _Scale("field", "Oe", 0, 10_000)
_HOURS = _Scale("time", "h", 0, 24, per_base=1 / 3600)
_SECONDS = _Scale("time", "s", 0, 900)  # after 15 min without a link the policy of the step decides
_ROOM = _Scale("temperature", "K", 200, 350)
_GIGABYTES = _Scale("data_size", "GB", 0, 1e5)
_READINGS = _Scale("", "readings", 0, 1000)
_POINTS = _Scale("", "point times", 0, 1000)

# The table of the specification for nights. Its levels are assumed (a) until nights on hardware say better,
# and so is where an interlock clears for which the table names only the level that trips.
_INTERLOCKS: Mapping[str, _Interlock] = {
    # beyond the limit in force
    "temperature": _Interlock(0.5, "safe_stop", (_TO_20_K,)),
    # or 3 x the rate commanded where that is more, from a line fitted over 20 s
    "temperature_rate": _Interlock(2.0, "safe_stop", (_RATE,), clear_ratio=0.5),
    # beyond the limit in force, which the percentage is of
    "field": _Interlock(1.0, "safe_stop", (_TO_10_PERCENT, _OERSTED)),
    # [helium] minimum is its default; the field goes to 0 before the night waits
    "helium": _Interlock(0.0, "suspend", (_PERCENT,), clear_ratio=1.0, clear_offset=3.0, trips_below=True),
    "helium_age": _Interlock(1.0, "note", (_HOURS,), _MAY_NOTE, clear_ratio=0.9),
    # below it the chamber must be purged and sealed, or in high vacuum
    "chamber": _Interlock(290.0, "suspend", (_ROOM,), clear_ratio=1.0, clear_offset=2.0, trips_below=True),
    # readings in a row; the source goes to 0
    "compliance": _Interlock(1.0, "suspend", (_READINGS,)),
    # the source goes to 0
    "contact_open": _state("on_error", ("on_error", *_PROTECTS)),
    # of a reference point that is measured again
    "reference_drift": _Interlock(1.0, "note", (_PERCENT,), _MAY_NOTE, clear_ratio=0.5),
    # free
    "disk": _Interlock(1.0, "suspend", (_GIGABYTES,), clear_ratio=2.0, trips_below=True),
    "foreign_setpoint": _state("suspend", _PROTECTS),
    # by the status word; the faulty part gets no command
    "magnet_fault": _state("safe_stop", ("safe_stop",)),
    "heater_fault": _state("safe_stop", ("safe_stop",)),
    # without a usable answer
    "link": _Interlock(60.0, "suspend", (_SECONDS,)),
    # without a row, in expected times of a point
    "data_stall": _Interlock(3.0, "suspend", (_POINTS,), _MAY_NOTE, clear_ratio=0.5),
}
_WITH_LOCK_INS = ("overload", "unlock")


def interlock_levels(
    entries: Mapping[str, InterlockEntry], helium_minimum: float | None, line: Callable[[Place], str]
) -> Mapping[str, InterlockLevel]:
    """Return every interlock as it counts; ``helium`` only where somebody gave a level.

    Args:
        helium_minimum: of the table ``[helium]``, %; None without one.
        line: returns ``file:line`` of a key.

    Raises:
        ValueError: if :func:`interlock_problems` has any.
    """
    levels: dict[str, InterlockLevel] = {}
    for name, interlock in _INTERLOCKS.items():
        entry = entries.get(name, InterlockEntry())
        trip, scale = _trip(name, interlock, entry, helium_minimum)
        if trip is None:
            continue
        clear = _clear(interlock, entry, trip, scale)
        set_by = "default"
        if name in entries:
            set_by = line(("interlocks", name))
        elif name == "helium":
            set_by = line(("helium", "minimum"))
        levels[name] = InterlockLevel(
            name=name,
            trip=trip,
            clear=clear,
            hold_s=HOLD_S if entry.hold is None else float(entry.hold),
            policy=_policy(name, interlock, entry),
            unit="" if scale is None else scale.unit,
            set_by=set_by,
        )
    return levels


def interlock_problems(
    entries: Mapping[str, InterlockEntry], helium_minimum: float | None, *, has_helium_gauge: bool
) -> Iterator[Problem]:
    """Yield what is wrong in ``[interlocks]``: at most one problem for each of them."""
    for name, entry in entries.items():
        place = ("interlocks", name)
        if name in _WITH_LOCK_INS:
            yield Problem(place, f"the interlock {name!r} comes with lock-ins, which cannot be built yet")
        elif name not in _INTERLOCKS:
            yield Problem(place, f"no interlock {name!r}{one_of(name, _INTERLOCKS)}")
        elif name in ("helium", "helium_age") and not has_helium_gauge:
            yield Problem(
                place, f"the interlock {name!r} needs a helium gauge, and [roles] names none; take it out"
            )
        else:
            yield from _refused(place, name, entry, helium_minimum)


def _refused(
    place: Place, name: str, entry: InterlockEntry, helium_minimum: float | None
) -> Iterator[Problem]:
    interlock = _INTERLOCKS[name]
    try:
        _policy(name, interlock, entry)
        hold_s = 0.0 if entry.hold is None else float(entry.hold)
        if not 0 <= hold_s <= _LONGEST_HOLD_S:
            raise ValueError(f"hold = {hold_s:.9g} s is outside [0, {_LONGEST_HOLD_S:.9g}] s")
        trip, scale = _trip(name, interlock, entry, helium_minimum)
        if trip is None:
            raise ValueError("there is no level to trip at; give trip here, or minimum in [helium]")
        _clear(interlock, entry, trip, scale)
    except ValueError as error:
        yield Problem(place, f"interlocks.{name}: {error}")


def _policy(name: str, interlock: _Interlock, entry: InterlockEntry) -> Policy:
    """Return what happens.

    Raises:
        ValueError: if this interlock cannot have it.
    """
    found = next((policy for policy in interlock.policies if policy == entry.policy), None)
    if entry.policy is None:
        return interlock.policy
    if found is not None:
        return found
    if entry.policy not in get_args(Policy):
        raise ValueError(f"no policy {entry.policy!r}{one_of(entry.policy, interlock.policies)}")
    allowed = " or ".join(repr(policy) for policy in interlock.policies)
    noted = ", ".join(other for other, known in _INTERLOCKS.items() if "note" in known.policies)
    why = f"; only {noted} may be just noted" if entry.policy == "note" else ""
    raise ValueError(f"policy = {entry.policy!r} is not allowed for {name}; expected {allowed}{why}")


def _trip(
    name: str, interlock: _Interlock, entry: InterlockEntry, helium_minimum: float | None
) -> tuple[float | None, _Scale | None]:
    """Return the level that trips, None where nobody gave one, and what it is typed in.

    Raises:
        ValueError: if the file's is no such level, or outside its range.
    """
    if not interlock.scales:
        given = [key for key in ("trip", "clear") if getattr(entry, key) is not None]
        if given:
            raise ValueError(f"{given[0]}: it has no level, it is or it is not; expected hold or policy")
        return interlock.trip, None
    if entry.trip is not None:
        return _level("trip", entry.trip, interlock.scales)
    scale = interlock.scales[0]
    if entry.clear is not None and len(interlock.scales) > 1:
        scale = _level("clear", entry.clear, interlock.scales)[1]
        if scale is not interlock.scales[0]:
            raise ValueError(f"clear is in {scale.unit}; give trip in {scale.unit} too")
    return (helium_minimum if name == "helium" else interlock.trip), scale


def _clear(interlock: _Interlock, entry: InterlockEntry, trip: float, scale: _Scale | None) -> float:
    """Return the level that clears.

    Raises:
        ValueError: if the file's is no such level, or on the side of the other.
    """
    if scale is None:
        return interlock.clear_offset
    if entry.clear is None:
        clear = interlock.clear_ratio * trip + interlock.clear_offset
        _within("clear, which follows from trip,", clear, scale)
    else:
        clear, found = _level("clear", entry.clear, interlock.scales)
        if found.unit != scale.unit:
            raise ValueError(f"trip is in {scale.unit} and clear in {found.unit}; give both in one unit")
    if not (clear > trip if interlock.trips_below else clear < trip):
        side, wrong = ("below", "above") if interlock.trips_below else ("above", "below")
        raise ValueError(
            f"interlock levels in the wrong order: it trips {side} {trip:.9g} {scale.unit}, so clear = "
            f"{clear:.9g} {scale.unit} must be {wrong} that"
        )
    return clear


def _level(key: str, typed: object, scales: tuple[_Scale, ...]) -> tuple[float, _Scale]:
    """Return the level that was typed, and in which of the scales.

    Raises:
        ValueError: if it is in none of them, or outside its range.
    """
    unit = quantities.unit_in(typed) if isinstance(typed, str) else ""
    scale = next((s for s in scales if s.kind and unit in quantities.units_of(s.kind)), scales[0])
    if not scale.kind:
        if isinstance(typed, bool) or not isinstance(typed, int | float):
            raise ValueError(f"{key} = {typed!r} is no number of {scale.unit}; e.g. {key} = 3")
        value = float(typed)
    else:
        if not isinstance(typed, str):
            raise ValueError(f"{key} = {typed!r} has no unit; expected {quantities.expected(scale.kind)}")
        try:
            value = float(quantities.quantity(typed, scale.kind)) * scale.per_base
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        value = float(f"{value:.12g}")  # 0.6 * 100 and 3600 / 3600 are meant as typed
    _within(key, value, scale)
    return value, scale


def _within(key: str, value: float, scale: _Scale) -> None:
    limits = Limits(scale.low, scale.high, scale.unit)
    if not limits.contains(value):
        raise ValueError(
            f"{key} = {value:.9g} {scale.unit} is outside [{scale.low:.9g}, {scale.high:.9g}] {scale.unit}"
        )
