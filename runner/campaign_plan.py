"""What the nights of a campaign suffer: faults, requests and kills, drawn from a seed.

The sizes here are assumed: large enough to hurt, short enough to be over before the next morning.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from onnes.sim.fault_kinds import FAULT_KINDS

KILL, REQUESTS, UNDISTURBED = "kill -9", "requests", "undisturbed"
KINDS: Final = (*FAULT_KINDS, KILL, REQUESTS, UNDISTURBED)
"""What a night may be about, in the order of the nights: each comes again every ``len(KINDS)`` nights."""

ASKED: Final = ("pause", "skip", "extend", "stop", "abort", "helium_fill", "acknowledge")

# Their readings are wrong or wrong by chance while they last, so their data are compared but not judged.
SPOILING: Final = frozenset(
    {
        "stuck", "offset", "drift", "range_stuck", "overload", "contact_open", "compliance", "lead_noise",
        "line_spur", "persistent_leak", "field_offset", "thermometer_error", "overshoot",
    }
)  # fmt: skip

_SILENT: Final = frozenset({"drop", "busy", "timeout"})
# Chances that something else happens too, and that it happens again.
_BESIDE_KILL, _BESIDE_REQUEST, _SECOND_FAULT, _AGAIN = 0.35, 0.3, 0.25, 0.3
_FOR_EVER, _SOMEONE_COMES = 0.15, 0.6


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A table ``[[fault]]``; one that is ``for_ever`` keeps an instrument silent until the next morning."""

    kind: str
    table: Mapping[str, Any]
    for_ever: bool = False


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """What somebody asks at ``at_s`` of lab time."""

    at_s: float
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedKill:
    """The end of a process: at a lab time counted from its start, or right after so many points."""

    by: Literal["time", "points"]
    after: float


@dataclass(frozen=True, slots=True)
class PlannedNight:
    """One night of a campaign.

    Args:
        program: which of the programs it measures.
        seed: of its lab.
        bound_s: lab time after which it counts as stalled.
        kills: one a process, in order.
        someone_comes: whether a person deals with a fault in the night; else it is the next morning.
    """

    number: int
    program: str
    seed: int
    bound_s: float
    faults: tuple[PlannedFault, ...] = ()
    requests: tuple[PlannedRequest, ...] = ()
    kills: tuple[PlannedKill, ...] = ()
    someone_comes: bool = True

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return f"night-{self.number:03d}" if self.number else f"undisturbed-{self.program}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what it suffers, each once, in the words of :data:`KINDS`."""
        found = [fault.kind for fault in self.faults]
        found += [KILL] * bool(self.kills) + [REQUESTS] * bool(self.requests)
        return tuple(dict.fromkeys(found)) or (UNDISTURBED,)

    @property
    def is_spoiled(self) -> bool:
        """Say whether its data are bound to differ."""
        return any(fault.kind in SPOILING for fault in self.faults)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> "PlannedNight":
        """Return the night that :meth:`as_json` wrote."""
        return cls(
            **{
                **entries,
                "faults": tuple(PlannedFault(**each) for each in entries["faults"]),
                "requests": tuple(PlannedRequest(**each) for each in entries["requests"]),
                "kills": tuple(PlannedKill(**each) for each in entries["kills"]),
            }
        )


def undisturbed(program: str, seed: int) -> PlannedNight:
    """Return the night of a program to which nothing happens; it has the number 0."""
    return PlannedNight(0, program, seed, bound_s=72 * 3600.0)


def draw(count: int, seed: int, durations_s: Mapping[str, float]) -> Iterator[PlannedNight]:
    """Yield ``count`` nights; the same seed and durations give the same nights.

    Args:
        durations_s: {program: lab time of its undisturbed night}; whatever happens, happens within it.
    """
    programs = list(durations_s)
    for number in range(1, count + 1):
        chance = random.Random(f"{seed} night {number}")
        about = KINDS[(number - 1) % len(KINDS)]
        program = chance.choice(programs)
        yield _night(number, program, seed + programs.index(program), about, durations_s[program], chance)


def _night(
    number: int, program: str, seed: int, about: str, duration_s: float, chance: random.Random
) -> PlannedNight:
    bound_s = 3 * duration_s + 48 * 3600.0  # what is given up is given up after a day
    if about == UNDISTURBED:
        return PlannedNight(number, program, seed, bound_s)
    kinds = [about] if about in FAULT_KINDS else []
    if kinds and chance.random() < _SECOND_FAULT:
        kinds.append(chance.choice(list(FAULT_KINDS)))
    faults = [fault for kind in dict.fromkeys(kinds) for fault in _faults(kind, duration_s, chance)]
    kills: list[PlannedKill] = []
    while (about == KILL and not kills) or chance.random() < (_AGAIN if kills else _BESIDE_KILL):
        kills.append(_kill(duration_s, chance))
    requests: list[PlannedRequest] = []
    while (about == REQUESTS and not requests) or chance.random() < (_AGAIN if requests else _BESIDE_REQUEST):
        requests.append(_request(duration_s, chance))
    return PlannedNight(
        number,
        program,
        seed,
        bound_s,
        tuple(faults),
        tuple(sorted(requests, key=lambda request: request.at_s)),
        tuple(kills),
        # Whoever acknowledges is there, and a night that hopes for the rest would wait for ever.
        someone_comes=any(r.kind == "acknowledge" for r in requests) or chance.random() < _SOMEONE_COMES,
    )


def _kill(duration_s: float, chance: random.Random) -> PlannedKill:
    if chance.random() < 0.5:
        return PlannedKill("points", chance.randint(1, 50))
    return PlannedKill("time", round(chance.uniform(5.0, 0.9 * duration_s), 3))


def _request(duration_s: float, chance: random.Random) -> PlannedRequest:
    kind = chance.choice(ASKED)
    at_s = round(chance.uniform(30.0, 0.95 * duration_s), 1)
    if kind != "extend":
        return PlannedRequest(at_s, kind)
    values = chance.choice([{"quantity": "temperature", "end": 26.0}, {"quantity": "field", "end": 21_000.0}])
    return PlannedRequest(at_s, kind, values)


# -- faults

_Table = dict[str, Any]
_Draw = Callable[[float, random.Random], _Table]


def _faults(kind: str, duration_s: float, chance: random.Random) -> list[PlannedFault]:
    at = round(chance.uniform(60.0, 0.9 * duration_s), 1)
    if kind == "wrong_idn":  # nobody asks who an instrument is but when its link is opened anew
        cable = {"kind": "drop", "target": "k2182a", "at": at, "until": at + 90.0}
        table = {"kind": kind, "target": "k2182a", "at": at, "until": at + 600.0, "count": 2}
        return [PlannedFault("drop", cable), PlannedFault(kind, table)]
    if kind in _SILENT and chance.random() < _FOR_EVER:
        target = chance.choice(["k6221", "k2182a"])
        long = {"args": {"seconds": 600_000.0}} if kind == "busy" else {"count": 1_000_000}
        return [PlannedFault(kind, {"kind": kind, "target": target, "at": at, **long}, for_ever=True)]
    return [PlannedFault(kind, {"kind": kind, "at": at, **_DRAWS[kind](at, chance)})]


def _instrument(chance: random.Random) -> str:
    return chance.choice(["ppms", "k6221", "k2182a"])


def _spell(chance: random.Random, low_s: float = 30.0, high_s: float = 900.0) -> float:
    return round(chance.uniform(low_s, high_s), 1)


def _on_the_wire(most: int = 3, targets: tuple[str, ...] = ("ppms", "k6221", "k2182a")) -> _Draw:
    def table(at: float, chance: random.Random) -> _Table:
        target = chance.choice(targets)
        if chance.random() < 0.5:
            return {"target": target, "count": chance.randint(1, most)}
        return {"target": target, "until": at + 7200.0, "p": 0.01}

    return table


def _lasting(**sizes: tuple[float, float]) -> _Draw:
    def table(_at: float, chance: random.Random) -> _Table:
        args = {name: float(f"{chance.uniform(*size):.4g}") for name, size in sizes.items()}
        return {"args": {"seconds": _spell(chance), **args}}

    return table


def _cable(at: float, chance: random.Random) -> _Table:
    return {"target": _instrument(chance), "until": at + _spell(chance, 1.0, 600.0)}


def _busy(_at: float, chance: random.Random) -> _Table:
    return {"target": _instrument(chance), "args": {"seconds": _spell(chance, 5.0, 300.0)}}


def _contact(_at: float, chance: random.Random) -> _Table:
    return {"args": {"contacts": chance.choice(["current", "voltage"]), "seconds": _spell(chance)}}


def _foreign(_at: float, chance: random.Random) -> _Table:
    if chance.random() < 0.5:
        return {"args": {"temperature_k": round(chance.uniform(20.0, 80.0), 1)}}
    return {"args": {"field_oe": float(chance.randint(-20_000, 20_000))}}


_DRAWS: Final[Mapping[str, _Draw]] = {
    "timeout": _on_the_wire(),
    "latency": _on_the_wire(),
    "garbage": _on_the_wire(),
    "partial": _on_the_wire(),
    "stale": _on_the_wire(),
    "drop": _cable,
    "scpi_error": _on_the_wire(1, ("k6221", "k2182a")),
    "busy": _busy,
    "stuck": _lasting(),
    "offset": _lasting(volts=(1e-7, 1e-5)),
    "drift": _lasting(volts_per_s=(1e-10, 1e-8)),
    "range_stuck": _lasting(),
    "overload": _lasting(),
    "contact_open": _contact,
    "compliance": _lasting(ohm=(1e5, 1e7)),
    "lead_noise": _lasting(volts=(1e-7, 1e-5)),
    "line_spur": _lasting(volts=(1e-6, 1e-4)),
    "quench": _lasting(kick_k=(1.0, 10.0)),
    "switch_heater_stuck": _lasting(),
    "persistent_leak": _lasting(percent_per_h=(0.1, 5.0)),
    "field_offset": _lasting(oe=(-50.0, 50.0)),
    "reservoir_fill": _lasting(),
    "heater_lost": _lasting(k_per_min=(0.5, 5.0)),
    "overshoot": lambda _at, chance: {"args": {"kelvin": round(chance.uniform(-2.0, 2.0), 2)}},
    "thermometer_error": _lasting(kelvin=(-0.5, 0.5)),
    "standby": _lasting(k_per_min=(0.1, 2.0)),
    "helium_low": _lasting(percent=(20.0, 60.0)),
    "chamber_leak": _lasting(tau_s=(600.0, 7200.0)),
    "foreign_setpoint": _foreign,
}
