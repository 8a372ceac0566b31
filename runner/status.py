"""``onnes status``: one screen for someone woken at night; its first line says all, its last what to type."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from onnes.instruments.clock import Clock
from onnes.runner.find_night import find_night, newest_night
from onnes.runner.night_state import NightState, judge

_BY_ITSELF = "it goes on by itself when the reason is gone; to look on type: onnes watch {call}"
_TO_TYPE = "; when it is dealt with: "  # from there on a reason says what to type, and so does the last line
_SUSPENDED = {  # what ends a suspension that needs a person, by the word that its reason begins with
    "fault": "when you have looked, type: onnes acknowledge {call}, then onnes resume {call}",
    "foreign_setpoint": "when nobody else sets it any more, type: onnes resume {call}",
    "helium_fill": "when the transfer is done, type: onnes helium-fill {call}",
}


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """What a night is doing, for a person or a program."""

    night: NightState
    which: str = ""  # how the night was chosen, where nobody named it
    messages: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return that of the night: 0 alive or finished, 3, 4 or 5."""
        return self.night.exit_code

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        night = self.night
        return {
            "night": str(night.path),
            "run": None if night.run is None else str(night.run),
            "simulated": night.simulated,
            "state": night.state,
            "reason": night.reason,
            "step": {"number": night.step_number, "of": night.steps, "name": night.step},
            "point": night.point,
            "points": night.points,
            "temperature_k": _finite(night.temperature_k),
            "field_oe": _finite(night.field_oe),
            "lab_time": _iso(night.lab_time),
            "doing": night.doing,
            "ends_at": _iso(night.ends_at),
            "heartbeat": _iso(night.heartbeat),
            "heartbeat_age_s": _finite(night.heartbeat_age_s),
            "owner": night.owner,
            "last_event": None
            if night.last_event is None
            else {key: str(night.last_event.get(key, "")) for key in ("utc", "kind", "message")},
            "safe_state_confirmed": night.safe,
            "unconfirmed": list(night.unconfirmed),
            "headline": headline(night),
            "messages": [*self.messages, *warnings_of(night)],
            "next": what_to_type(night),
        }

    def print(self, console: Console) -> None:
        """Print one screen."""
        for line in self.lines():
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    def lines(self) -> list[str]:
        """Return the screen."""
        night = self.night
        lines = [headline(night), *warnings_of(night), ""]
        lines.append(_row("night", f"{night.path}{f' ({self.which})' if self.which else ''}"))
        if night.simulated:
            lines.append(_row("lab", f"SIMULATED: {night.lab}; no hardware is touched"))
        elif night.station:
            lines.append(_row("station", night.station))
        if night.step:
            lines.append(_row("step", f"{night.step_number} of {night.steps}, {night.step}"))
        if night.run is not None:
            lines.append(_row("point", f"{night.point} of {night.points} in {night.run.name}"))
        lines.append(_row("read", _readings(night)))
        if night.safe:
            has_source = any("Output " in label for label in night.environment)
            said = "the safe state was read back: sources at 0" if has_source else "the station has no source"
            lines.append(_row("safe", said))
        if night.doing:
            lines.append(_row("doing", night.doing))
        if night.ends_at is not None:
            lines.append(_row("ends at", clock_text(night.ends_at)))
        if night.last_event is not None:
            lines.append(_row("event", event_text(night.last_event)))
        lines.append(_row("owner", _owner(night)))
        lines += [_row("message", message) for message in self.messages]
        return [*lines, "", what_to_type(night)]


def status(text: str | None, runs: Path, wall: Clock) -> StatusAnswer:
    """Judge the night or the run that ``text`` names, or the newest night in ``runs``.

    Raises:
        ConfigurationError: if there is none.
        StorageError: if a manifest cannot be read.
    """
    if text is not None:
        return StatusAnswer(judge(find_night(text, runs), wall))
    return StatusAnswer(judge(newest_night(runs), wall), which=f"the newest below {runs}")


def headline(night: NightState) -> str:
    """Return the state of a night in one line."""
    at = "" if night.heartbeat is None else f" {clock_text(night.heartbeat)}"
    point = f", point {night.point} of {night.points}" if night.points else ""
    why = f" ({_why(night.reason)})" if night.reason else ""
    if night.state == "crashed":
        said = f"crashed{at}{point}; onnes resume {night.call}"
    elif night.is_alive:
        step = f", step {night.step_number} of {night.steps}" if night.step_number else ""
        ends = "" if night.ends_at is None else f", ends at {clock_text(night.ends_at)}"
        said = f"{night.state}{why}{step}{point}{ends}"
    else:
        said = f"{night.state}{at}{point}{f': {night.message}' if night.message else ''}"
    if night.safe is False:
        said = f"SAFE STATE NOT CONFIRMED, look at the instruments now; {said}"
    return f"SIMULATED  {said}" if night.simulated else said


def _why(reason: str) -> str:
    """Return why a night stands still, without what its last line says, and each thing said once."""
    word, _, told = reason.partition(_TO_TYPE)[0].partition(": ")
    name = word.replace("_", " ")
    return told if told.startswith(name) else ": ".join(filter(None, (name, told)))


def warnings_of(night: NightState) -> list[str]:
    """Return what a person must know before anything else."""
    found = [f"NOT CONFIRMED: {step}" for step in night.unconfirmed] if night.safe is False else []
    if night.safe is False and not found:
        found.append("NOT CONFIRMED: which step it was is in events.jsonl")
    if night.state == "crashed" and not night.simulated:
        found.append(
            f"THE CURRENT MAY STILL BE ON: look at the source, or `onnes resume {night.call}`, or "
            f"`onnes station test {night.station or 'STATION'}`, which reads every instrument and sets none"
        )
        found.append(
            "field and temperature go on to the setpoints they had; a field may be at rest, not at zero"
        )
    if night.is_alive and night.is_late:
        found.append(
            f"NO HEARTBEAT for {night.heartbeat_age_s:.0f} s although its runner is there: the disk may be "
            "full or gone, or it hangs (then stall-*.txt in its folder says on what); values here are old"
        )
    return found


def what_to_type(night: NightState) -> str:
    """Return what a person types next."""
    call = night.call
    if night.safe is False:
        station = night.station or "STATION"
        return f"look at the instruments, then type: onnes station test {station}"
    if night.state == "paused":
        return f"to go on type: onnes resume {call}"
    if night.state == "suspended":
        return _SUSPENDED.get(night.reason.partition(":")[0], _BY_ITSELF).format(call=call)
    if night.is_alive:
        return f"to look on type: onnes watch {call}"
    if night.state == "finished":
        return f"to see the results type: onnes analyse {call}"
    if night.fault:
        return f"when you have looked, type: onnes acknowledge {call}, then onnes resume {call}"
    if night.state == "failed":
        return f"when its reason is gone, type: onnes resume {call}"
    return f"to go on with it type: onnes resume {call}"


def clock_text(when: datetime) -> str:
    """Return a time as the clock on the wall shows it, e.g. ``Fri 02:14``."""
    return f"{when.astimezone():%a %H:%M}"


def event_text(event: dict[str, Any]) -> str:
    """Return one line for an event."""
    values = event.get("values")
    whose = values.get("instrument") if isinstance(values, dict) else None
    told = f"{whose}: {event.get('message', '')}" if whose else event.get("message", "")
    return f"{str(event.get('utc', ''))[11:19]} UTC  {event.get('kind', '')}: {told}"


def _readings(night: NightState) -> str:
    if night.lab_time is None:
        return "nothing yet"
    values = f"T {_value(night.temperature_k, '.3f')} K, H {_value(night.field_oe, '.1f')} Oe"
    outputs = [
        f"{label} {value}" for label, value in night.environment.items() if label.startswith("Output ")
    ]
    sources = f" ({', '.join(outputs)} in the last environment row)" if outputs else ""
    return f"{values} at {night.lab_time:%H:%M:%S} UTC of the lab{sources}"


def _owner(night: NightState) -> str:
    owner = night.owner
    who = f"{owner.get('user') or 'unknown'} on {owner.get('host') or 'unknown'}, pid {owner.get('pid', '?')}"
    age = (
        "never seen" if math.isinf(night.heartbeat_age_s) else f"last seen {night.heartbeat_age_s:.0f} s ago"
    )
    return f"{who}, {age}" + ("" if night.is_alive else ", not running")


def _row(name: str, text: str) -> str:
    return f"{name:<9}{text}"


def _value(number: float, form: str) -> str:
    return format(number, form) if math.isfinite(number) else "-"


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
