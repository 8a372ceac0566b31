"""One result of a night: a quantity with its uncertainty, under the paper's own key where it compares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnes.analysis.result import Result
from onnes.instruments.clock import WallClock
from onnes.runner.paper_values import PaperValue
from onnes.storage.manifest import json_bytes, plain_json, replace_file

Keyed = list[tuple[str, Result]]
"""Results of the analyses, each under the plain key of its quantity."""

_OF_A_RESULT = ("id", "quantity", "value", "sigma", "unit", "criterion", "goodness", "flags")
_OF_THE_PAPER = ("id", "quantity", "value", "unit", "relation", "printed", "criterion", "conditions")


@dataclass(frozen=True, slots=True)
class NightResult:
    """One quantity of a night. Without a sigma, or without a value, ``flags`` says why.

    ``id`` is the key of ``paper`` in ``paper_values.toml``, or a plain one such as ``tc-onset``.
    """

    id: str
    quantity: str
    value: float | None
    sigma: float | None
    unit: str
    criterion: str
    goodness: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    paper: PaperValue | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what ``output.schema.json`` describes for a result."""
        paper = self.paper and {key: getattr(self.paper, key) for key in _OF_THE_PAPER}
        entries: dict[str, Any] = plain_json(
            {**{key: getattr(self, key) for key in _OF_A_RESULT}, "paper": paper}, self.id
        )
        return entries


def write_results(folder: Path, results: Iterable[NightResult], provenance: Mapping[str, Any]) -> Path:
    """Write ``results.json`` of a night or a run, beside and renamed; return its path.

    Args:
        provenance: backend, and lab and seed of a simulation; they go into every file.

    Raises:
        StorageError: if the folder cannot be written; an older file is then as it was.
    """
    path = folder / "results.json"
    content = {**provenance, "results": [result.as_json() for result in results]}
    replace_file(path, json_bytes(content, indent=2) + b"\n", WallClock())
    return path
