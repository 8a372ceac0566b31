"""What a night tells: events, the entries of its manifest, and the snapshot that others watch."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.instruments.records import Event, Point
from onnes.instruments.safe_state import SafeStep
from onnes.runner.breaks import BrokenOff, StorageFailed
from onnes.runner.plan import PlanStep
from onnes.runner.progress import Progress
from onnes.storage.night import NightFolder

# A step that is not done again when the night is taken up: measured, or left out by somebody's wish.
DONE = frozenset({"finished", "skipped"})

FIELD_MOVED_OE = 2.0  # more than a field at rest scatters: its reading has steps of 0.3 Oe (seen)

_log = logging.getLogger(__name__)


class Record:
    """Writes events and manifest of one night and shows its progress; never raises.

    A line that cannot be written is kept by the night and written later: whether the night can go on is
    decided by its points.

    Args:
        before: the entry of each step, by number, that an earlier runner of this night left.
    """

    def __init__(
        self,
        night: NightFolder,
        clock: Clock,
        show: Callable[[Progress], None],
        steps: Iterable[PlanStep],
        before: Mapping[int, Mapping[str, Any]],
        total_s: float,
    ) -> None:
        self.night = night
        self.progress = Progress(total_s=total_s)
        self.doing: Callable[[], str] = str  # what is waited for, in words
        self._clock = clock
        self._show = show
        queued = {"status": "queued"}
        self._steps: dict[int, dict[str, Any]] = {
            step.number: {
                "number": step.number,
                "name": step.name,
                "where": step.where,
                **before.get(step.number, queued),
            }
            for step in steps
        }
        # What a magnet remembers: the largest field and the sign of its last change since the last oscillate.
        self._largest_oe, self._direction, self._field_oe = 0.0, 0, math.nan
        night.describe = self.state
        self.last_event_at = clock.now()
        self._storage_since = math.nan  # when writing failed first since the last point

    # -- events

    def event(self, kind: str, message: str, values: Mapping[str, Any] | None = None) -> None:
        """Add an event to ``events.jsonl``."""
        self.last_event_at = self._clock.now()
        try:
            self.night.event(kind, message, values or {}, self._clock)
        except StorageError as error:
            self._not_written(error)

    def keep(self, event: Event) -> None:
        """Add an event that a procedure has yielded."""
        if event.values.get("approach") == "oscillate":
            self._largest_oe, self._direction = 0.0, 0
        self.event(event.kind, event.message, event.values)

    def safe_steps(self, kind: str, steps: Iterable[SafeStep]) -> None:
        """Add an event for each step into a hold or safe state; ``<kind>_failed`` if not confirmed."""
        for step in steps:
            self.event(
                kind if step.confirmed else f"{kind}_failed",
                step.message,
                {"instrument": step.instrument, "confirmed": step.confirmed},
            )

    def saw_field(self, field_oe: float) -> None:
        """Remember what a reading says of the history of the magnet."""
        moved = field_oe - self._field_oe
        if abs(moved) < FIELD_MOVED_OE:
            return
        if moved == moved:
            self._direction = 1 if moved > 0 else -1
        self._field_oe = field_oe
        self._largest_oe = max(self._largest_oe, abs(field_oe))

    # -- manifest

    def step(self, number: int, **entries: Any) -> None:
        """Change what ``night.json`` says of a step."""
        self._steps[number].update(entries)
        self.update(steps=list(self._steps.values()))

    def of_step(self, number: int) -> Mapping[str, Any]:
        """Return what ``night.json`` says of a step."""
        return self._steps[number]

    def is_done(self, number: int) -> bool:
        """Say whether a step needs nothing more."""
        return self._steps[number]["status"] in DONE

    def failed_steps(self) -> str:
        """Return which steps failed while the night went on, as a sentence; empty where none did."""
        failed = [step for step in self._steps.values() if step["status"] == "failed"]
        names = "; ".join(
            f"step {step['number']} ({step['name']}) failed: {step['message']}" for step in failed
        )
        return (
            f"{len(failed)} of {len(self._steps)} steps failed and the night went on: {names}"
            if failed
            else ""
        )

    def update(self, **entries: Any) -> None:
        """Change entries of ``night.json``."""
        try:
            self.night.update(**entries)
        except StorageError as error:
            self._not_written(error)

    def _not_written(self, error: StorageError) -> None:
        # Why it stands still is more than that, and an event that quotes the message would grow with each.
        if self.progress.state not in ("paused", "suspended"):
            self.tell(message=str(error))

    def state(self) -> Mapping[str, Any]:
        """Return what ``night.json`` says of the present; written with each heartbeat."""
        now = self.progress
        return {
            "state": {
                "state": now.state,
                "reason": now.message,
                "step": now.step,
                "point": now.point,
                "points": now.points,
                "temperature_k": now.temperature_k,
                "field_oe": now.field_oe,
                "doing": self.doing(),
                "done_s": now.done_s,
                "total_s": now.total_s,
                "lab_time": self._clock.datetime(),
                "field_history": {"largest_oe": self._largest_oe, "direction": self._direction},
            }
        }

    def storage_failed(self, error: StorageError) -> BrokenOff:
        """Return what suspends the night until writing works again."""

        def probe() -> None:
            self.night.flush()
            self.night.update(**self.state())  # proves that something new can be written

        if math.isnan(self._storage_since):
            self._storage_since = self._clock.now()
        return BrokenOff(StorageFailed(self._clock, error, probe, self._storage_since))

    # -- snapshot

    def tell(self, **changes: Any) -> None:
        """Show the progress with ``changes``; a change of state is written at once."""
        before = self.progress.state
        self.progress = self.progress._replace(**changes)
        if self.progress.state != before:
            self.update(**self.state())
        self._shown()

    def point(self, point: Point, count: int, done_s: float) -> None:
        """Show that a point was stored."""
        self._storage_since = math.nan
        now = self.progress
        kelvin, field_oe = getattr(point, "temperature", math.nan), getattr(point, "field", math.nan)
        # Each field by hand: `_replace` takes four times as long, and this is done at every point.
        self.progress = Progress(
            now.state,
            now.step,
            count,
            now.points,
            done_s,
            now.total_s,
            kelvin,
            field_oe,
            now.message,
            now.run,
            point,
        )
        self._shown()

    def _shown(self) -> None:
        try:
            self._show(self.progress)
        except Exception:  # noqa: BLE001 - whoever watches must not be able to end the night
            _log.exception("the display of the progress failed")
