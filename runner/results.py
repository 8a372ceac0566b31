"""One result of a night: a quantity with its uncertainty, under the paper's own key where it compares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnes.analysis.result import Result
from onnes.instruments.clock import WallClock
from onnes.runner.paper_values import PaperValue, paper_values
from onnes.storage.manifest import json_bytes, plain_json, replace_file

Keyed = list[tuple[str, Result]]
"""Results of the analyses, each under the plain key of its quantity."""

# Plain key of a quantity -> the paper values that it may be compared with.
_COMPARABLE = {
    "hc": ("000-hc",),
    "znu": ("000-znu",),
    "crossing": ("000-crossing-006", "000-crossing-012"),
    "sheet-resistance-hc": ("000-rq",),
    "rho-minimum": ("000-rho-minimum",),
    "tc-onset": ("000-tc-pri-215",),
    "chi-zfc-10Oe": ("001-chi-zfc",),
    "meissner-fraction-10Oe": ("001-chi-fc",),
    "tc-moment-onset-10Oe": ("001-chi-onset",),
    "hc1-zero": ("001-hc1-0",),
    "hc1-10K": ("001-hc1-10k",),
    "hc2-zero": ("001-hc2-0",),
    "hc2-alpha": ("001-hc2-alpha",),
    "half-screening-0.1Oe-10Hz-10Oe-dc": ("001-ths-0p1",),
    "half-screening-1Oe-10Hz-10Oe-dc": ("001-ths-1",),
    "half-screening-10Oe-10Hz-10Oe-dc": ("001-ths-10",),
    "jc-ac-at-37.1K-10Hz-10Oe-dc": ("001-jc-37p1",),
    "jc-ac-at-36.9K-10Hz-10Oe-dc": ("001-jc-36p9",),
    "jc-ac-at-36.6K-10Hz-10Oe-dc": ("001-jc-36p6",),
    "tc1": ("003-tc1",),
    "tc2": ("003-tc2",),
    "resistivity-300K": ("003-rho-300",),
    "penetration-depth": ("001-lambda",),
    "irreversibility-n": ("003-irr-n-perp", "003-irr-n-par"),
    "screened-fraction-5Oe": ("000-sc-fraction-006",),
}

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


def night_result(
    key: str, result: Result, ended: tuple[str, ...], compare_with: frozenset[str]
) -> NightResult:
    """Return a result with its flags, those of how the run ``ended``, and the value it compares with."""
    flags = (*result.flags, *ended)
    if result.reason:
        flags = (result.reason, *flags)
    elif result.sigma is None and not flags:
        flags = ("no sigma",)
    found = next((name for name in _COMPARABLE.get(key, ()) if name in compare_with), None)
    return NightResult(
        found or key,
        result.quantity,
        result.value,
        result.sigma,
        result.unit,
        result.criterion,
        dict(result.goodness),
        flags,
        paper_values()[found] if found else None,
    )


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
