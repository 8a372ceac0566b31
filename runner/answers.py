"""What a command answers: one object that prints as text for people or as JSON for programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from onnes.runner.report import print_results
from onnes.runner.results import NightResult


class Answer(Protocol):
    """The answer of any command; ``output.schema.json`` describes its JSON."""

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command."""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""

    def print(self, console: Console) -> None:
        """Print it for people."""


@dataclass(frozen=True, slots=True)
class NightAnswer:
    """What ``demo``, ``run`` and ``analyse`` found."""

    simulated: bool
    night: Path
    runs: tuple[Path, ...] = ()
    results: tuple[NightResult, ...] = ()
    messages: tuple[str, ...] = ()
    figure: Path | None = None
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "simulated": self.simulated,
            "night": str(self.night),
            "runs": [str(run) for run in self.runs],
            "results": [result.as_json() for result in self.results],
            "messages": list(self.messages),
        }

    def print(self, console: Console) -> None:
        """Print the table of results, the messages and where the night is."""
        if self.results:
            print_results(self.results, console)
        lines = [*self.messages, f"night   {self.night}"]
        if self.figure is not None:
            lines.append(f"figure  {self.figure}")
        if self.simulated:
            lines.append("SIMULATED: no hardware was touched")
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
