"""What is wrong in a file: each problem with its place, all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column in a text file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and where."""

    place: Place
    text: str


class PlacedError(ValueError):
    """Several problems found in one value; raised by a validator, taken apart by who reports them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.text for problem in self.problems))


def report(file: str, problems: Iterable[Problem]) -> str:
    """Return ``file:line:column: text`` of each problem, one a line, sorted, each once."""
    return "\n".join(
        f"{file}:{problem.place.line}:{problem.place.column}: {problem.text}"
        for problem in sorted(set(problems))
    )


def choice(names: Sequence[str]) -> str:
    """Return ``a``, ``a or b``, or ``one of a, b, c``."""
    if len(names) > 2:
        return f"one of {', '.join(names)}"
    return " or ".join(names)
