"""The terminal of a running night: a bar with the time left, and Ctrl-C as the stop button."""

import logging
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from onnes.instruments.clock import Clock, WallClock
from onnes.runner.night_state import judge
from onnes.runner.night_thread import NightThread
from onnes.runner.progress import Progress

# A second Ctrl-C within this wall time means "abort now"; a later one only says again what is under way.
ABORT_WITHIN_S = 5.0
_REFRESH_S = 0.1
# What ends a process from outside also asks to stop safely; SIGHUP is POSIX, SIGBREAK Windows.
_OTHER_SIGNALS = ("SIGTERM", "SIGHUP", "SIGBREAK")

_log = logging.getLogger(__name__)


class StopButton:
    """Ctrl-C once asks to stop safely, twice within ABORT_WITHIN_S to abort."""

    def __init__(self, night: NightThread, wall: Clock) -> None:
        self._night = night
        self._wall = wall
        self._pressed: float | None = None
        self.said = ""

    def press(self) -> None:
        """Post the request and say in words what will happen."""
        now = self._wall.now()
        again = self._pressed is not None and now - self._pressed <= ABORT_WITHIN_S
        self._pressed = now
        if again:
            self._night.requests.abort("Ctrl-C")
            self.said = "aborting: sources to 0, field and temperature are left"
        else:
            self._night.requests.stop("Ctrl-C")
            self.said = f"stopping safely after this point; Ctrl-C again within {ABORT_WITHIN_S:.0f} s aborts"


def watch(night: NightThread, button: StopButton, console: Console) -> None:
    """Start a night and show it on ``console`` until it has ended; a display that fails stops nothing."""
    night.start()
    try:
        _show(night, button, console)
    except Exception:  # noqa: BLE001 - whoever watches must not be able to end the night
        _log.exception("the display failed; the night goes on, look with `onnes status`")
        night.wait()
    except BaseException:  # an interrupt that is no signal of ours: the process must not end under the night
        night.requests.stop("the display, which was interrupted")
        night.wait()
        raise


def _show(night: NightThread, button: StopButton, console: Console) -> None:
    latest = Progress()

    def take(progress: Progress) -> None:
        nonlocal latest
        latest = progress

    night.show = take
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Bar(*columns, TimeRemainingColumn(), TextColumn("{task.fields[state]}"), console=console) as bar:
        task = bar.add_task("preparing", total=None, state="")

        def update() -> None:
            bar.update(
                task,
                description=latest.step or latest.state,
                completed=latest.done_s,
                total=latest.total_s or None,
                state=_state(latest),
            )

        said, begun = "", False
        while not night.wait(_REFRESH_S):
            if not begun and night.has_folder:
                begun = True
                console.print(_begun(night), markup=False, highlight=False, soft_wrap=True)
            if button.said != said:
                said = button.said
                console.print(said, markup=False, highlight=False)
            update()
        update()


@contextmanager
def signals_ask(night: NightThread) -> Iterator[StopButton]:
    """Let signals post requests instead of raising; yield the button that Ctrl-C presses.

    It lasts until the answer is made: a press that comes after the night has ended must not cost its results.
    """
    button = StopButton(night, WallClock())
    if threading.current_thread() is not threading.main_thread():  # only the main thread has signals
        yield button
        return

    def pressed(_number: int, _frame: FrameType | None) -> None:
        button.press()

    def told(number: int, _frame: FrameType | None) -> None:
        night.requests.stop(signal.Signals(number).name)

    before = {signal.SIGINT: signal.signal(signal.SIGINT, pressed)}
    for name in _OTHER_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, told)
    try:
        yield button
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _begun(night: NightThread) -> str:
    """Return where the night is, and how to reach it from elsewhere."""
    state = judge(night.folder, WallClock())
    asks = ", ".join(f"onnes {verb} {state.call}" for verb in ("status", "pause", "stop"))
    return f"night {night.folder.resolve()}; from another terminal: {asks}"


def _state(progress: Progress) -> str:
    if progress.state in ("paused", "suspended", "stopping"):
        return f"{progress.state} {progress.message}".rstrip()
    if not progress.points:
        return ""
    if not progress.point:
        return f"0/{progress.points}"
    field = "" if math.isnan(progress.field_oe) else f"  {progress.field_oe:.0f} Oe"
    return f"{progress.point}/{progress.points}  {progress.temperature_k:.2f} K{field}"
