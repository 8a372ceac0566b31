"""A watchdog for a night that neither moves nor ends: it says what is waited for, and never interferes."""

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from onnes.instruments.clock import Clock
from onnes.storage.names import utc_stamp

# Wall time without any progress (a). Virtual time flies by whatever is waited for; on hardware a transaction
# with all its retries takes a minute, and nothing but that keeps the run thread from coming by.
VIRTUAL_PATIENCE_S = 30.0
HARDWARE_PATIENCE_S = 300.0
LOOK_EVERY_S = 5.0

_log = logging.getLogger(__name__)


class StallWatch:
    """Looks every few wall seconds whether a night goes on, from a thread of its own; a context manager.

    Each stall is told once: the stack of the run thread goes into ``stall-<utc>.txt`` in ``folder``, and
    ``on_stall`` is called from the watching thread. A night that moves again can stall again.

    Args:
        thread_ident: the run thread's.
        progress: (time, points so far). On the virtual clock its time; on hardware, where time passes by
            itself, the time at which the run thread last came by.
        wall: counts the patience; a wall clock.
        folder: that of the night.
        doing: what the night is waiting for, in words.
        on_stall: told one sentence.
        patience_s: wall time without progress that is a stall.
    """

    def __init__(
        self,
        thread_ident: int,
        progress: Callable[[], tuple[float, int]],
        wall: Clock,
        folder: Path,
        doing: Callable[[], str],
        on_stall: Callable[[str], None],
        *,
        patience_s: float = VIRTUAL_PATIENCE_S,
    ) -> None:
        self._ident = thread_ident
        self._progress = progress
        self._wall = wall
        self._folder = folder
        self._doing = doing
        self._on_stall = on_stall
        self._patience_s = patience_s
        self._seen = progress()
        self._since = wall.now()
        self._told = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join(LOOK_EVERY_S)

    def look(self) -> None:
        """Look once; write and tell when the night has stood still for too long."""
        seen, now = self._progress(), self._wall.now()
        if seen != self._seen:
            self._seen, self._since, self._told = seen, now, False
        elif not self._told and now - self._since >= self._patience_s:
            self._told = True
            self._on_stall(self._describe(now - self._since))

    def _describe(self, still_s: float) -> str:
        time, points = self._seen
        waits_for = self._doing() or "not known what"
        said = f"nothing has moved for {still_s:.0f} s of wall time; what is waited for: {waits_for}"
        frame = sys._current_frames().get(self._ident)
        stack = traceback.format_stack(frame) if frame is not None else ["the run thread has ended\n"]
        utc = self._wall.datetime()
        path = self._folder / f"stall-{utc_stamp(utc)}.txt"
        text = f"{utc.isoformat()}  {said}\nlab time {time:.3f} s, {points} points so far\n\n{''.join(stack)}"
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            return (
                f"{said}; the stack of the run thread cannot be written: {error.strerror}\n{''.join(stack)}"
            )
        return f"{said}; {path.name} has the stack of the run thread"

    def _watch(self) -> None:
        while not self._end.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a watchdog that fails must not end what it watches, nor itself
                _log.exception("the stall watch failed")
