"""What people ask of a running night: a letter box that any thread fills and the run thread empties."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RequestKind = Literal["stop", "abort", "pause", "resume", "skip", "extend", "acknowledge", "helium_fill"]


@dataclass(frozen=True, slots=True)
class Request:
    """What someone asked for; ``values`` is what it needs beside its kind, such as a new end of a sweep."""

    kind: RequestKind
    who: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Interrupted(Exception):
    """A request ends what is under way; raised between two points."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"{request.kind} asked by {request.who}")
        self.request = request


class Requests:
    """The letter box of a night: any thread posts, the run thread reads.

    A stop or an abort stands until the night has ended, and an abort outranks a stop; a pause stands until it
    is resumed, a helium fill until it is asked for again. The others are taken once. ``pending`` says whether
    anything is there; it is looked at at each point.
    """

    def __init__(self) -> None:
        self.pending = False
        self._end: Request | None = None
        self._standing: dict[str, Request] = {}
        self._once: list[Request] = []
        self._lock = threading.RLock()  # re-entrant: a signal may come while the same thread posts
        self._news = threading.Event()

    @property
    def latest(self) -> Request | None:
        """Return the stop or abort that stands, if any."""
        return self._end

    @property
    def pause(self) -> Request | None:
        """Return the pause that stands, if any."""
        return self._standing.get("pause")

    @property
    def helium_fill(self) -> Request | None:
        """Return the helium fill that stands, if any."""
        return self._standing.get("helium_fill")

    def post(self, request: Request) -> None:
        """Put a request in the box."""
        with self._lock:
            kind = request.kind
            if kind == "abort":
                self._end = request
            elif kind == "stop":
                self._end = self._end or request
            elif kind == "pause":
                self._standing.setdefault(kind, request)
            elif kind == "helium_fill" and kind in self._standing:
                del self._standing[kind]
            elif kind == "helium_fill":
                self._standing[kind] = request
            else:
                if kind == "resume":
                    self._standing.pop("pause", None)
                self._once.append(request)
            self._note()
        self._news.set()

    def stop(self, who: str) -> None:
        """Ask to finish the point, run the declared ``finish`` and end."""
        self.post(Request("stop", who))

    def abort(self, who: str) -> None:
        """Ask to make the sources safe now and leave field and temperature as they are."""
        self.post(Request("abort", who))

    def take(self, kind: RequestKind) -> Request | None:
        """Take the oldest request of a kind that is taken once; None if there is none."""
        with self._lock:
            for request in self._once:
                if request.kind == kind:
                    self._once.remove(request)
                    self._note()
                    return request
        return None

    def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` of wall time for something new."""
        self._news.wait(seconds)
        self._news.clear()

    def _note(self) -> None:
        self.pending = bool(self._end or self._standing or self._once)
