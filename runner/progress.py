"""What a running night shows: an immutable snapshot that any thread may read."""

from typing import Literal, NamedTuple

from onnes.instruments.records import Point

State = Literal[
    "queued",
    "preparing",
    "running",
    "paused",
    "suspended",
    "stopping",
    "finished",
    "failed",
    "stopped",
    "aborted",
]


class Progress(NamedTuple):
    """Where the night is; a named tuple, since one is made for every point.

    ``done_s`` and ``total_s`` are lab seconds of the plan's own estimate; ``temperature_k`` and ``field_oe``
    are the last stored point's, NaN before there is one. ``last`` is that point itself, and ``run`` the name
    of the folder that it was stored in.
    """

    state: State = "queued"
    step: str = ""
    point: int = 0
    points: int = 0
    done_s: float = 0.0
    total_s: float = 0.0
    temperature_k: float = float("nan")
    field_oe: float = float("nan")
    message: str = ""
    run: str = ""
    last: Point | None = None
