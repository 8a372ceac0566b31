"""``onnes sim samples``: every sample model of the virtual lab with all its parameters."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from onnes.sim.sample_parameters import Value
from onnes.sim.samples import PARAMETERS


@dataclass(frozen=True, slots=True)
class SampleModels:
    """The models by name; each parameter with unit, default, mark and meaning."""

    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "models": {
                model: [
                    {
                        "name": parameter.name,
                        "unit": parameter.unit,
                        "default": _plain(parameter.default),
                        "mark": parameter.mark,
                        "meaning": parameter.meaning,
                        "rows": {
                            row: {"value": v, "mark": mark} for row, (v, mark) in parameter.rows.items()
                        },
                    }
                    for parameter in parameters
                ]
                for model, parameters in PARAMETERS.items()
            }
        }

    def print(self, console: Console) -> None:
        """Print one table a model; a default that depends on the row shows each row's."""
        for model, parameters in PARAMETERS.items():
            key = Column("key", no_wrap=True)  # it is there to be typed
            table = Table(key, "unit", "default", "mark", "meaning", title=model, title_justify="left")
            for parameter in parameters:
                rows = [f"{row}: {value:g} ({mark})" for row, (value, mark) in parameter.rows.items()]
                default = "\n".join(rows) or _shown(parameter.default)
                table.add_row(parameter.name, parameter.unit, default, parameter.mark, parameter.meaning)
            console.print(table)


def _plain(default: Value | None) -> float | str | list[float] | None:
    return list(default) if isinstance(default, tuple) else default


def _shown(default: Value | None) -> str:
    if isinstance(default, tuple):
        return "[" + ", ".join(f"{value:g}" for value in default) + "]"
    return f"{default:g}" if isinstance(default, float | int) else default or ""


def sample_models() -> SampleModels:
    """Return what the command answers."""
    return SampleModels()
