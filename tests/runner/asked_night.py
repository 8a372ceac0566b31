"""A night of which people ask something at given lab times, and what came of it when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from onnes.instruments.clock import VirtualClock
from onnes.runner.ending import Outcome
from onnes.runner.night_thread import NightThread
from onnes.runner.progress import Progress
from onnes.runner.requests import Request, RequestKind
from onnes.sim.lab import VirtualLab
from tests.runner.test_engine import Evening

HEAD = """
sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
"""


@dataclass
class AskedNight(Evening):
    """Does things at exact lab times, in the midst of a transaction too, as another thread would."""

    plans: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    states: list[tuple[float, str]] = field(default_factory=list)

    def at(self, t: float, do: Callable[[], None]) -> None:
        """Plan something at lab time ``t``, s."""
        self.plans.append((t, do))

    def ask(self, t: float, *kinds: RequestKind, who: str = "a test", **values: Any) -> None:
        """Plan that somebody asks for something at lab time ``t``, s."""
        for kind in kinds:
            self.at(t, lambda kind=kind: self.running.requests.post(Request(kind, who, values)))  # type: ignore[misc]

    def run(self) -> Outcome:
        with self.ready() as night:
            clock = night.clock
            assert isinstance(clock, VirtualClock)
            self.plans.sort(key=lambda plan: plan[0])
            sleep, planned = clock.sleep, self.plans

            def sleep_and_do(seconds: float) -> None:
                end = clock.now() + seconds
                while planned and planned[0][0] <= end:
                    t, do = planned.pop(0)
                    sleep(max(0.0, t - clock.now()))
                    do()
                sleep(max(0.0, end - clock.now()))

            clock.sleep = sleep_and_do  # type: ignore[method-assign]
            night.start()
            if not night.wait(30):
                night.requests.abort("the test, which has waited for too long")
                raise TimeoutError(f"the night does not end: {self.states[-3:]}")
            return night.outcome()

    @property
    def running(self) -> NightThread:
        assert self.thread is not None
        return self.thread

    def _show(self, progress: Progress) -> None:
        super()._show(progress)
        if not self.states or self.states[-1][1] != progress.state:
            self.states.append((self.running.clock.now(), progress.state))

    def listen(self, heard: Callable[[str, float], None]) -> None:
        """Let ``heard`` know of each message to the PPMS and when it comes, before it is obeyed."""

        def spoil(lab: VirtualLab) -> None:
            ppms, execute = lab.instruments["ppms"], lab.instruments["ppms"].execute

            def hear_and_obey(message: str, t: float) -> Any:
                heard(message, t)
                return execute(message, t)

            ppms.execute = hear_and_obey  # type: ignore[method-assign]

        self.spoil = spoil

    # -- what came of it

    def said(self, kind: str) -> list[str]:
        """Return the messages of all events of a kind."""
        return [event["message"] for event in self.events(kind)]

    def delay(self, since: float, kind: str = "", state: str = "") -> float:
        """Return after how long an event of a kind was told, or a state shown, s; infinite if never."""
        times = [t for t, shown in self.states if shown == state] if state else []
        times += [float(event["t"]) for event in self.events(kind)] if kind else []
        return min((t - since for t in times if t >= since), default=float("inf"))
