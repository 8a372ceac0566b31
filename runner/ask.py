"""What a person asks of a night that runs in another process, and in words what comes of it."""

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.quantities import KINDS, quantity, unit_in
from onnes.runner.file_tail import Follower, event_in, size_of
from onnes.runner.find_night import find_night
from onnes.runner.night_state import NightState, judge, live_night, newest_on_a_fault
from onnes.runner.status import event_text, headline, what_to_type
from onnes.storage.night import EVENTS
from onnes.storage.owner_lock import this_process
from onnes.storage.request_box import Kind, post

WAIT_S = 15.0  # (a) wall time for an answer: a request is heeded within 1 s of lab time and a transaction
_LOOK_S = 0.5


class Effect(NamedTuple):
    """What a request does to source, field, temperature and queue (nights.md, section 5)."""

    source: str
    field: str
    temperature: str
    queue: str


EFFECTS: dict[Kind, Effect] = {
    "stop": Effect(
        "the point is finished, then ramped to 0",
        "goes to `finish.field` by its approach",
        "goes to `finish.temperature`",
        "night and run end as stopped, the rest of the queue is dropped",
    ),
    "abort": Effect(
        "to 0 at the wiring's abort ramp, now",
        "held at its present value",
        "left as it is",
        "night and run end as aborted, `finish` is not run",
    ),
    "pause": Effect(
        "the point is finished, then ramped to 0",
        "held",
        "setpoint held where it is",
        "paused; the queue waits",
    ),
    "resume": Effect(
        "restored and settled",
        "as the point needs it",
        "re-approached from the same side",
        "the same point; where the pause broke the history, prepared again and the curve from its start",
    ),
    "skip": Effect(
        "to 0",
        "as the next step needs it",
        "as the next step needs it",
        "run ends as stopped, then the next step",
    ),
    "extend": Effect(
        "as it is",
        "as it is, or on to the new end",
        "as it is, or on to the new end",
        "the running measurement goes on to the new end",
    ),
    "acknowledge": Effect("stays at 0", "nothing is sent", "nothing is sent", "a resume is allowed"),
    "helium_fill": Effect(
        "the point is finished, then ramped to 0",
        "held where it is, ramps wait",
        "held where it is, ramps wait",
        "suspended; asked again: re-approached, and the same point",
    ),
}

# What breaks a measurement off does not reach MultiVu, and nothing is set while its sequence may run.
_GOES_ON = (
    "its sequence is not stopped from here, and field and temperature follow it until you stop it there"
)
_BY_MULTIVU: dict[Kind, str] = {
    "stop": _GOES_ON,
    "abort": _GOES_ON,
    "skip": _GOES_ON,
    "pause": "while it measures it cannot be held from here, and a pause is refused",
    "helium_fill": "while it measures it goes on, and its points are marked",
}

_ENDED = frozenset({"finished", "failed", "stopped", "aborted", "crashed"})
# The states that show that a request was carried out; where there are none an event has to say so.
_REACHED: dict[Kind, frozenset[str]] = {
    "stop": _ENDED | {"stopping"},
    "abort": _ENDED,
    "pause": _ENDED | {"paused"},
    "resume": _ENDED | {"preparing", "running"},
}


@dataclass(frozen=True, slots=True)
class AskedAnswer:
    """What was asked, whether it was heard, and where the night is now."""

    kind: Kind
    night: NightState
    heard: bool | None  # None where nobody waited for it
    events: tuple[dict[str, Any], ...] = ()
    refused: bool = False

    @property
    def exit_code(self) -> int:
        """Return 0 when it was asked, 2 when the night refused it."""
        return 2 if self.refused else 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return answer_json(self.kind, self.night, EFFECTS[self.kind], self._messages(), heard=self.heard)

    def print(self, console: Console) -> None:
        """Print what came of it."""
        for line in [*self._messages(), what_to_type(self.night)]:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _messages(self) -> list[str]:
        asked = f"night {self.night.call} was asked to {self.kind.replace('_', ' ')}"
        if self.heard is None:
            return [asked]
        if not self.heard:
            return [
                f"{asked}, and has not heard it yet: it looks between two transactions",
                headline(self.night),
            ]
        return [f"{asked}, and has heard it", *map(event_text, self.events), headline(self.night)]


def answer_json(
    kind: Kind, night: NightState, effect: Effect, messages: Sequence[str], *, heard: bool | None
) -> dict[str, Any]:
    """Return the answer to a request as plain JSON values, whoever gives it."""
    return {
        "night": str(night.path),
        "simulated": night.simulated,
        "request": kind,
        "effect": effect._asdict(),
        "heard": heard,
        "state": night.state,
        "reason": night.reason,
        "messages": list(messages),
    }


def ask(
    night: NightState,
    kind: Kind,
    wall: Clock,
    *,
    values: Mapping[str, Any] | None = None,
    wait_s: float = WAIT_S,
    say: Callable[[str], object] = lambda _: None,
) -> AskedAnswer:
    """Post a request to the runner of ``night``, and wait up to ``wait_s`` wall seconds for what it does.

    Args:
        say: told beforehand, line by line, what the request does to source, field, temperature and queue.

    Raises:
        ConfigurationError: if nobody is at work on the night.
        StorageError: if the request cannot be written.
    """
    if not night.is_alive:
        crashed = (
            f"it crashed; onnes resume {night.call}" if night.state == "crashed" else f"it is {night.state}"
        )
        raise ConfigurationError(
            f"night {night.call} cannot be asked to {kind.replace('_', ' ')}: {crashed}; nothing was sent"
        )
    say(f"{kind.replace('_', ' ')}, night {night.call}{' (SIMULATED)' if night.simulated else ''}:")
    for name, effect in EFFECTS[kind]._asdict().items():
        say(f"  {name:<12}{effect}")
    if night.is_with_multivu and kind in _BY_MULTIVU:
        say(f"  {'MultiVu':<12}{_BY_MULTIVU[kind]}")
    events = Follower(night.path / EVENTS, size_of(night.path / EVENTS))
    file = post(night.path, kind, _who(), values or {}, wall=wall)
    if wait_s <= 0:
        return AskedAnswer(kind, night, None)
    return _await(night, kind, file, events, wall, wait_s)


def _await(
    night: NightState, kind: Kind, file: Path, events: Follower, wall: Clock, wait_s: float
) -> AskedAnswer:
    until = wall.now() + wait_s
    said: list[dict[str, Any]] = []
    while True:
        heard = not file.exists()
        said += (event for line in events.lines() if (event := event_in(line)) is not None)
        with suppress(StorageError):  # the drive may be gone for a moment; the next look tells
            night = judge(night.path, wall)
        refused = any(_refuses(event, kind, file) for event in said)
        done = refused or (night.state in _REACHED[kind] if kind in _REACHED else bool(said))
        if (heard and done) or not night.is_alive or wall.now() >= until:
            return AskedAnswer(kind, night, heard, tuple(said), refused)
        wall.sleep(_LOOK_S)


def _refuses(event: Mapping[str, Any], kind: Kind, file: Path) -> bool:
    """Say whether an event refuses this request: others may be refused in the same moment."""
    refused = str(event.get("kind")).endswith("_refused")
    return refused and str(event.get("message")).startswith((f"{kind} asked by ", file.name))


def ask_resume(
    night: NightState,
    wall: Clock,
    *,
    wait_s: float = WAIT_S,
    say: Callable[[str], object] = lambda _: None,
) -> AskedAnswer:
    """Ask a night that is paused or suspended to go on.

    Raises:
        ConfigurationError: if it is neither, or nobody is at work on it.
        StorageError: if the request cannot be written.
    """
    if night.is_alive and night.state not in ("paused", "suspended"):
        raise ConfigurationError(
            f"night {night.call} is {night.state}, not paused; there is nothing to resume"
        )
    return ask(night, "resume", wall, wait_s=wait_s, say=say)


def night_to_ask(text: str | None, runs: Path, wall: Clock, *, kind: Kind | None = None) -> NightState:
    """Return the night that ``text`` names, or the one that is running in the folder ``runs``.

    Where none is running, a fault is acknowledged in the newest night that ended on one.

    Raises:
        ConfigurationError: if there is none, or nothing is named and more than one is running.
        StorageError: if its manifest cannot be read.
    """
    if text is not None:
        return judge(find_night(text, runs), wall)
    try:
        return live_night(runs, wall)
    except ConfigurationError:
        ended = newest_on_a_fault(runs, wall) if kind == "acknowledge" else None
        if ended is None:
            raise
        return ended


def new_end(text: str) -> dict[str, Any]:
    """Return the new end of a measurement that ``text`` says: K of a temperature, Oe of a field.

    Raises:
        ConfigurationError: if it is neither.
    """
    kind = "field" if unit_in(text) in KINDS["field"].units else "temperature"
    try:
        end = quantity(text, kind)
    except ValueError as error:
        raise ConfigurationError(
            f"{error}; or a field, e.g. '2 T'; quotes keep number and unit together"
        ) from None
    return {"quantity": kind, "end": float(end), "text": text}


def _who() -> str:
    return f"{this_process()['user'] or 'somebody'} on {platform.node()}"
