"""The terminal of a running night: a bar with the time left, and Ctrl-C as the stop button."""

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from onnes.instruments.clock import Clock, WallClock
from onnes.runner.night_thread import NightThread
from onnes.runner.progress import Progress

# A second Ctrl-C within this wall time means "abort now"; a later one only says again what is under way.
ABORT_WITHIN_S = 5.0
_REFRESH_S = 0.1


class StopButton:
    """Ctrl-C once asks to stop safely, twice within ABORT_WITHIN_S to abort."""

    def __init__(self, night: NightThread, wall: Clock) -> None:
        self._night = night
        self._wall = wall
        self._pressed: float | None = None

    def press(self) -> str:
        """Post the request and return what will happen, in words."""
        now = self._wall.now()
        again = self._pressed is not None and now - self._pressed <= ABORT_WITHIN_S
        self._pressed = now
        if again:
            self._night.requests.abort("Ctrl-C")
            return "aborting: sources to 0, field and temperature are left"
        self._night.requests.stop("Ctrl-C")
        return f"stopping safely after this point; Ctrl-C again within {ABORT_WITHIN_S:.0f} s aborts"


def watch(night: NightThread, console: Console) -> None:
    """Start a night and show it on ``console`` until it has ended."""
    button = StopButton(night, WallClock())
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Bar(*columns, TimeRemainingColumn(), TextColumn("{task.fields[state]}"), console=console) as bar:
        task = bar.add_task("preparing", total=None, state="")
        latest = Progress()

        def show(progress: Progress) -> None:
            nonlocal latest
            latest = progress

        night.show = show
        night.start()
        ended = False
        while not ended:
            try:
                ended = night.wait(_REFRESH_S)
                bar.update(
                    task,
                    description=latest.step or latest.state,
                    completed=latest.done_s,
                    total=latest.total_s or None,
                    state=_state(latest),
                )
            except KeyboardInterrupt:
                console.print(button.press(), markup=False, highlight=False)


def _state(progress: Progress) -> str:
    if progress.state in ("suspended", "stopping"):
        return f"{progress.state} {progress.message}".rstrip()
    if not progress.points:
        return ""
    return f"{progress.point}/{progress.points}  {progress.temperature_k:.2f} K  {progress.field_oe:.0f} Oe"
