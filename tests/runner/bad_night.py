"""A night on the virtual lab on which things go wrong, and what was said to the instruments meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from onnes.runner.ending import Outcome
from onnes.runner.night_thread import NightThread
from onnes.runner.requests import Request, RequestKind
from onnes.sim.fault_kinds import FaultName
from onnes.sim.lab import VirtualLab
from onnes.storage.reader import Run
from tests.runner.test_engine import Evening


class Sent(NamedTuple):
    """A message that an instrument obeyed: when, lab time in s, whom, what."""

    t: float
    to: str
    message: str


@dataclass
class BadNight(Evening):
    """Plans what goes wrong before the night, and tells afterwards what became of it."""

    sent: list[Sent] = field(default_factory=list)
    plans: list[Callable[[VirtualLab], None]] = field(default_factory=list)
    labs: list[VirtualLab] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spoil = self._spoil

    def fault(self, kind: FaultName, target: str = "*", match: str = "*", **more: Any) -> None:
        """Plan a fault of the virtual lab."""
        self.plans.append(lambda lab: lab.faults.add(kind, target, match, **more))

    def at(self, t: float, do: Callable[[VirtualLab], None]) -> None:
        """Plan something at lab time ``t``, s."""
        self.plans.append(lambda lab: lab.at(t, lambda _: do(lab)))

    def ask(self, t: float, *kinds: RequestKind) -> None:
        """Plan that a person asks for something at lab time ``t``, s."""

        self.at(t, lambda _: self.post(*kinds))

    def post(self, *kinds: RequestKind) -> None:
        """Ask for something now."""
        for kind in kinds:
            self.running.requests.post(Request(kind, "a test"))

    def station_says(self, text: str) -> None:
        """Add to the station file."""
        file = self.folder / "station.toml"
        file.write_text(file.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")

    @property
    def running(self) -> NightThread:
        assert self.thread is not None
        return self.thread

    @property
    def the_lab(self) -> VirtualLab:
        return self.labs[-1]

    def _spoil(self, lab: VirtualLab) -> None:
        self.labs.append(lab)
        for name, device in lab.instruments.items():
            device.execute = self._listening(name, device.execute)  # type: ignore[method-assign]
        for plan in self.plans:
            plan(lab)

    def _listening(self, name: str, execute: Callable[..., Any]) -> Callable[..., Any]:
        def listen(message: str, t: float) -> Any:
            self.sent.append(Sent(t, name, message))
            return execute(message, t)

        return listen

    # -- what became of it

    def commands(self, start: str, since: float = 0.0, until: float = float("inf")) -> list[str]:
        """Return the messages that began with ``start``, in order."""
        return [m for t, _, m in self.sent if m.startswith(start) and since <= t < until]

    def said(self, kind: str) -> list[str]:
        """Return the messages of all events of a kind."""
        return [event["message"] for event in self.events(kind)]

    def reasons(self) -> list[str]:
        """Return why the night stood still, each time."""
        return [event["values"]["reason"] for event in self.events("suspended")]

    def when(self, kind: str) -> float:
        """Return the lab time of the first event of a kind, s."""
        return float(self.events(kind)[0]["t"])

    @property
    def first_run(self) -> Run:
        return self.night.runs[0]

    @property
    def setpoints(self) -> list[float]:
        """Return the field setpoints of the good points that count."""
        return list(self.first_run.current["Field setpoint (Oe)"])

    @property
    def rejected(self) -> pd.DataFrame:
        return pd.read_csv(self.first_run.path / "rejected.csv", comment="#")

    def off_at(self, t: float) -> bool:
        """Say whether the environment log knows the source to be off at ``t``, lab time in s."""
        log = self.night.environment
        return bool((log[log["Elapsed (s)"] <= t]["Output k6221"].iloc[-1]) == "off")

    def finished_with_each_setpoint_once(self, outcome: Outcome) -> bool:
        """Say whether the usual six points are there, and the night ended well."""
        good = (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
        assert good, outcome
        return self.setpoints == [0, 200, 400, 400, 200, 0]


def demo_night(folder: Path, monkeypatch: pytest.MonkeyPatch) -> BadNight:
    """Return a night of the demo's station and sample in ``folder``, in which no person is waited for."""
    monkeypatch.setattr("onnes.runner.hold._PERSON_S", 0.0)
    for name in ("station", "sample"):
        text = files("onnes.runner").joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return BadNight(folder)
