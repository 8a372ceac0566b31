"""Crossings of isotherms (heads; the body follows)."""

from collections.abc import Sequence
from dataclasses import dataclass

from onnes.analysis.isotherm import Isotherm
from onnes.analysis.result import Result


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where two isotherms cross. ``field_oe`` and ``sigma_oe`` are None where they do not: see ``reason``."""

    low_k: float
    high_k: float
    field_oe: float | None
    sigma_oe: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Crossings:
    """``median`` (Oe) of the crossings inside the temperature window, ``drift`` dHx/dT (Oe/K), every pair."""

    median: Result
    drift: Result
    pairs: list[Crossing]


def crossings(isotherms: Sequence[Isotherm], *, temperature_window_k: tuple[float, float] = (2.0, 6.0)) -> Crossings:
    """Return the crossing field of every pair of isotherms, their median and drift."""
    raise NotImplementedError
