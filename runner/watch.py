"""``onnes watch``: a night as it goes, read from its files; whoever looks on changes nothing."""

import math
import statistics
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.runner.file_tail import Follower, event_in, last_events, last_rows, size_of
from onnes.runner.find_night import find_night, newest_night
from onnes.runner.night_state import NightState, judge, number_in, time_in
from onnes.runner.status import StatusAnswer, clock_text, event_text, headline, warnings_of
from onnes.runner.text_curve import TextCurve
from onnes.storage.environment import ENVIRONMENT
from onnes.storage.night import EVENTS

REFRESH_S = 0.5  # wall time
_PERIOD_S = 30.0  # of the environment log, where there are no two rows that tell
_STALE_PERIODS = 3
_EVENTS = 5
_WIDEST, _HEIGHT = 100, 12  # of the curve, characters


class NightView:
    """What is shown of one night; each file is read on from where the last look ended."""

    def __init__(self, path: Path, wall: Clock) -> None:
        self._path = path
        self._wall = wall
        self.night = judge(path, wall)
        end = size_of(self.night.path / EVENTS)
        self._events = deque[dict[str, Any]](last_events(self.night.path / EVENTS), maxlen=_EVENTS)
        self._new_events = Follower(self.night.path / EVENTS, end)
        self._curve: TextCurve | None = None
        self._problem = ""

    def look(self) -> None:
        """Read what has come; a file that cannot be read for a moment is said and tried again."""
        try:
            self.night = judge(self._path, self._wall)
        except StorageError as error:
            self._problem = str(error)
        else:
            self._problem = ""
        found = (event_in(line) for line in self._new_events.lines())
        self._events += (event for event in found if event is not None)
        run = self.night.run
        if run is not None and (self._curve is None or self._curve.run != run):
            self._curve = TextCurve(run)
        if self._curve is not None:
            self._curve.look()

    def lines(self, width: int, *, plain: bool) -> list[str]:
        """Return one frame.

        Args:
            width: of the terminal, characters.
            plain: use nothing but letters.
        """
        night = self.night
        lines = [headline(night), *warnings_of(night)]
        if self._problem:
            lines.append(f"CANNOT BE READ, this is what was read last: {self._problem}")
        lines.append(strip(night, self._wall))
        if self._curve is not None:
            lines += ["", *self._curve.lines(min(width, _WIDEST), _HEIGHT, plain=plain)]
        lines += ["", *(event_text(event) for event in self._events)]
        if night.doing:
            lines.append(f"doing    {night.doing}")
        if night.ends_at is not None:
            lines.append(f"ends at  {clock_text(night.ends_at)}")
        return lines


def strip(night: NightState, wall: Clock) -> str:
    """Return temperature, field, helium and sources of the last environment row in one line, with its age.

    A row older than three periods of the log is never shown as live.
    """
    rows = last_rows(night.path / ENVIRONMENT)
    if not rows:
        return "T -  |  H -  |  He -  |  source -  |  nothing has been read yet"
    row = rows[-1]
    age = _age(night, rows, wall)
    parts = [
        f"T {_number(row.get('Temperature (K)'), '.3f')} K {row.get('Temperature state', '')}",
        f"H {_number(row.get('Field (Oe)'), '.1f')} Oe {row.get('Field state', '')}",
        f"He {_number(row.get('Helium (%)'), '.0f')} % ({row.get('Helium age', 'unknown')})",
        *(f"{label.removeprefix('Output ')} {value}" for label, value in row.items() if "Output " in label),
    ]
    return "  |  ".join([*(f"{part.strip()}{age}" for part in parts), night.state])


def _age(night: NightState, rows: list[dict[str, str]], wall: Clock) -> str:
    """Return "" for a row that is live, else how old it is."""
    read = time_in(rows[-1].get("Time UTC"))
    if read is None:
        return " [age unknown]"
    if not night.is_alive:
        return f" [last, {read:%H:%M:%S} UTC]"
    # The lab time of a virtual night is what its runner wrote with the last heartbeat.
    now = night.lab_time if night.simulated else wall.datetime()
    if now is None:
        return f" [{read:%H:%M:%S} UTC]"
    age_s = max(0.0, (now - read) / timedelta(seconds=1))
    if night.simulated and night.is_late:
        age_s += night.heartbeat_age_s
    return "" if age_s <= _STALE_PERIODS * _period_s(rows) else f" [{age_s:.0f} s old]"


def _period_s(rows: list[dict[str, str]]) -> float:
    times = [number_in(row.get("Elapsed (s)")) for row in rows[-10:]]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    known = [gap for gap in gaps if math.isfinite(gap) and gap > 0]
    return statistics.median(known) if known else _PERIOD_S


def _number(text: str | None, form: str) -> str:
    value = number_in(text)
    return format(value, form) if math.isfinite(value) else "-"


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """One frame, for a pipe or a program."""

    view: NightView

    @property
    def exit_code(self) -> int:
        """Return that of the night."""
        return self.view.night.exit_code

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, those of ``onnes status``."""
        return StatusAnswer(self.view.night).as_json()

    def print(self, console: Console) -> None:
        """Print the frame."""
        for line in self.view.lines(console.width, plain=not _has_braille(console)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def watch(text: str | None, runs: Path, wall: Clock, console: Console | None) -> FrameAnswer | StatusAnswer:
    """Show a night on ``console`` until it has ended or Ctrl-C is pressed; without a console take one frame.

    Raises:
        ConfigurationError: if there is no such night.
        StorageError: if its manifest cannot be read.
    """
    view = NightView(newest_night(runs) if text is None else find_night(text, runs), wall)
    view.look()
    if console is None:
        return FrameAnswer(view)
    plain = not _has_braille(console)
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while view.night.is_alive:
                live.update(Text("\n".join(view.lines(console.width, plain=plain))), refresh=True)
                wall.sleep(REFRESH_S)
                view.look()
    except KeyboardInterrupt:
        return StatusAnswer(view.night, messages=("you look on no more; the night goes on",))
    return StatusAnswer(view.night)


def _has_braille(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")
