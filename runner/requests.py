"""What people ask of a running night: a letter box that any thread fills and the run thread empties."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

RequestKind = Literal["stop", "abort", "pause", "resume", "skip", "extend", "acknowledge", "helium_fill"]
KINDS: frozenset[RequestKind] = frozenset(get_args(RequestKind))


@dataclass(frozen=True, slots=True)
class Request:
    """What someone asked for; ``values`` is what it needs beside its kind, such as a new end of a sweep.

    Args:
        utc: when it was asked, as the one who asks says.
    """

    kind: RequestKind
    who: str
    values: Mapping[str, Any] = field(default_factory=dict)
    utc: str = ""


class Interrupted(Exception):
    """A request ends what is under way; raised between two points."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"{request.kind} asked by {request.who}")
        self.request = request


class Requests:
    """The letter box of a night: any thread posts, the run thread reads.

    A stop or an abort stands until the night has ended, and an abort outranks a stop; a pause stands until it
    is resumed, a helium fill until it is asked for again. The others are taken once. ``pending`` says whether
    anything is there, ``has_news`` whether anything is not recorded yet; both are looked at at each point.
    """

    def __init__(self) -> None:
        self.pending = False
        self.has_news = False
        self._news: list[Request] = []
        self.only_abort = False
        self.urgent = False  # somebody wants an end and has not been heard yet
        self._end: Request | None = None
        self._standing: dict[str, Request] = {}
        self._once: list[Request] = []
        self._resumed: list[Request] = []  # those of them that have ended a pause
        self._lock = threading.RLock()  # re-entrant: a signal may come while the same thread posts
        self._posted = threading.Event()

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
            self._news.append(request)
            self.has_news = True
            kind = request.kind
            if kind == "abort":
                self._end, self.urgent = request, True
            elif self.only_abort:
                self._once.append(request)
            elif kind == "stop":
                self._end, self.urgent = self._end or request, True
            elif kind == "pause":
                self._standing.setdefault(kind, request)
            elif kind == "helium_fill" and kind in self._standing:
                del self._standing[kind]
            elif kind == "helium_fill":
                self._standing[kind] = request
            else:
                if kind == "resume" and "pause" in self._standing:
                    del self._standing["pause"]
                    self._resumed.append(request)
                self.urgent = self.urgent or kind == "skip"
                self._once.append(request)
            self._note()
        self._posted.set()

    def stop(self, who: str) -> None:
        """Ask to finish the point, run the declared ``finish`` and end."""
        self.post(Request("stop", who))

    def abort(self, who: str) -> None:
        """Ask to make the sources safe now and leave field and temperature as they are."""
        self.post(Request("abort", who))

    def take_end(self) -> Request | None:
        """Return what ends the night, or, taken once, the step: abort, stop or skip; None if nothing."""
        self.urgent = False
        return self._end or self.take("skip")

    def take(self, kind: RequestKind) -> Request | None:
        """Take the oldest request of a kind that is taken once; None if there is none to heed."""
        with self._lock:
            for request in () if self.only_abort else self._once:
                if request.kind == kind:
                    self._once.remove(request)
                    self._note()
                    return request
        return None

    def withdraw_pause(self) -> Request | None:
        """Let a pause that stands not stand any more, and return it; None if there is none."""
        with self._lock:
            pause = self._standing.pop("pause", None)
            self._note()
        return pause

    def take_vain(self, kinds: Collection[RequestKind]) -> list[Request]:
        """Take all requests of some kinds that nothing waits for; return those that have changed nothing."""
        with self._lock:
            found = [request for request in self._once if request.kind in kinds]
            self._once = [request for request in self._once if request.kind not in kinds]
            self._note()
            done = {id(request) for request in self._resumed}
            self._resumed = [request for request in self._resumed if request.kind not in kinds]
        return [request for request in found if id(request) not in done]

    def heed_only_abort(self) -> None:
        """From now on let nothing stand but an abort: the night is on its way out."""
        with self._lock:
            self.only_abort = True
            self._once += self._standing.values()
            self._standing.clear()
            if self._end is not None and self._end.kind != "abort":
                self._end = None
            self._note()

    def news(self) -> list[Request]:
        """Return what was asked since the last call, in order, to be recorded."""
        with self._lock:
            news, self._news = self._news, []
            self.has_news = False
        return news

    def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` of wall time for something new."""
        self._posted.wait(seconds)
        self._posted.clear()

    def _note(self) -> None:
        self.pending = bool(self._end or self._standing or self._once)
