"""``onnes check``: everything that can be found wrong without opening anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from onnes.instruments.errors import OnnesError
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
        steps = [_step(step) for step in self.plan.steps] if self.plan else []
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

    def print(self, console: Console) -> None:
        """Print the messages, the steps and the count of errors."""
        lines = [*self.errors, *self.messages]
        for step in self.plan.steps if self.plan else ():
            found = _step(step)
            lines.append(f"{found['number']:3d}  {found['what']}  {found['points']} points")
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


def _step(step: PlanStep) -> dict[str, Any]:
    action = step.action
    if isinstance(action, Measure):
        measurement = action.measurement
        what, points = f"{action.kind} {action.label}", len(measurement.setpoints())
        duration_s = measurement.duration_s()
    else:
        what, points, duration_s = step.name or type(action).__name__, 0, 0.0
    return {
        "number": step.number,
        "what": what,
        "where": step.where,
        "points": points,
        "duration_s": duration_s,
    }
