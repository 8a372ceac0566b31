"""``onnes check``: everything that can be found wrong without opening anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from onnes.instruments.errors import OnnesError
from onnes.procedures.setpoint_measurement import SetpointMeasurement
from onnes.runner.estimate import estimates_s
from onnes.runner.plan import Measure, Plan, PlanStep, make_plan
from onnes.runner.virtual_night import LabChoice, make_lab


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What was found; ``plan`` is None where there were errors."""

    errors: tuple[str, ...]
    messages: tuple[str, ...] = ()
    plan: Plan | None = None

    @property
    def exit_code(self) -> int:
        """Return 2 with errors, else 0."""
        return 2 if self.errors else 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; there are no warnings before there is a lint."""
        steps = self._steps()
        plan = {
            "steps": steps,
            "points": sum(step["points"] for step in steps),
            "duration_s": sum(step["duration_s"] for step in steps),
        }
        return {
            "errors": list(self.errors),
            "warnings": [],
            "messages": list(self.messages),
            "plan": plan if self.plan else None,
        }

    def _steps(self) -> list[dict[str, Any]]:
        if self.plan is None:
            return []
        return [
            _step(step, seconds)
            for step, seconds in zip(self.plan.steps, estimates_s(self.plan), strict=True)
        ]

    def print(self, console: Console) -> None:
        """Print the messages, the steps and the count of errors."""
        lines = [*self.errors, *self.messages]
        steps = self._steps()
        lines += [f"{step['number']:3d}  {step['what']}  {_in_words(step)}" for step in steps]
        if steps:
            points, seconds = (sum(step[key] for step in steps) for key in ("points", "duration_s"))
            lines.append(f"{points} points, {_about(seconds)}")
        count = len(self.errors)
        lines.append(f"{count} error{'' if count == 1 else 's'}")
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def check_sequence(file: Path, *, station: str | None, sample: str | None) -> CheckAnswer:
    """Check a sequence with its station, its samples and, for a simulated station, its lab."""
    try:
        plan = make_plan(file, station=station, sample=sample)
        if plan.station.backend == "simulated":
            make_lab(plan, LabChoice())
    except OnnesError as error:
        return CheckAnswer(tuple(str(error).splitlines()))
    return CheckAnswer((), plan.messages, plan)


def _step(step: PlanStep, duration_s: float) -> dict[str, Any]:
    action = step.action
    measurement = action.measurement if isinstance(action, Measure) else None
    setpoints = measurement.setpoints() if measurement else []
    return {
        "number": step.number,
        "what": f"{action.kind} {action.label}" if isinstance(action, Measure) else step.name,
        "where": step.where,
        "points": len(setpoints),
        "estimated_points": sum(setpoint.is_estimated for setpoint in setpoints),
        "duration_s": duration_s,
        "path_below_k": measurement.path_below_k if isinstance(measurement, SetpointMeasurement) else 0.0,
    }


def _in_words(step: Mapping[str, Any]) -> str:
    """Return e.g. ``12 points, 5 of them estimated, about 2 h 10 min, path below 38 K``."""
    said = [f"{step['points']} points"] if step["points"] else []
    if step["estimated_points"]:
        said.append(f"{step['estimated_points']} of them estimated")
    said.append(_about(step["duration_s"]) if step["duration_s"] else "time not counted")
    if step["path_below_k"]:
        said.append(f"path below {step['path_below_k']:.9g} K")
    return ", ".join(said)


def _about(seconds: float) -> str:
    """Return a time in words.

    >>> _about(7790)
    'about 2 h 10 min'
    """
    if seconds < 90:
        return f"about {seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"
