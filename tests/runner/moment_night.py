"""Nights of the virtual MPMS3 on which things go wrong: at its MultiVu, its server, its share, its person."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import WallClock
from onnes.runner.ended_night import acknowledge_ended
from onnes.runner.ending import Outcome
from onnes.runner.night_state import judge
from onnes.runner.night_thread import NightThread
from onnes.runner.resume import left_night
from onnes.runner.virtual_night import prepared
from onnes.sim import multivu, multivu_actions
from onnes.sim.lab import VirtualLab, get_lab
from tests.runner.bad_night import BadNight, Sent

EXAMPLES = Path(__file__).parents[2] / "examples"
SEQUENCE = """
sequence: 1
station: station.toml
sample: sample.toml
mounting: long_axis
contact_check: {declined: there are no contacts}
finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}
defaults:
  prepare: {warm_to: 50 K, relax: 1 min, soak: 1 min}
  scan: {mode: vsm}
steps:
  - zfc_fc: {field: 200 Oe, temperature: [10 K, 20 K, 40 K], curves: [zfc, fcc]}
  - magnetization: {curve: virgin, temperature: 10 K, field: 0..600 Oe step 200 Oe}
"""


@dataclass
class MomentNight(BadNight):
    """``set`` is what the MultiVu server was told to do with temperature and field."""

    machine: str = "mpms3"
    set: list[Sent] = field(default_factory=list)

    @property
    def multivu(self) -> Path:
        """The folder with the sequences and data of the virtual MultiVu."""
        return self.folder / f"multivu/{self.machine}-sim"

    def starts(self) -> list[str]:
        """Return the start files that nobody has withdrawn."""
        return sorted(path.name for path in (self.multivu / "sequences").glob("onnes-start-*.seq"))

    def files(self) -> list[str]:
        """Return the data files, named as the program they are of."""
        name = f"{self.night.path.name}_"
        return sorted(path.stem.removeprefix(name) for path in (self.multivu / "data").glob("*.dat"))

    def take_up(self, path: Path) -> Outcome:
        """Take the night in the folder ``path`` up, as the command does, in a lab that nothing befalls."""
        with self.taking_up(path) as night:
            night.start()
            assert night.wait(60)
            return night.outcome()

    @contextmanager
    def taking_up(self, path: Path) -> Iterator[NightThread]:
        """Take it up; a fault that it has ended on counts as dealt with."""
        wall = WallClock()
        if json.loads((path / "night.json").read_text(encoding="utf-8")).get("fault"):
            acknowledge_ended(judge(path, wall), wall)
        left = left_night(path, wall)
        with prepared(left.plan, left.choice(None)) as (clock, key):
            assert key is not None
            self.plans.clear()
            self.spoil(get_lab(key))
            self.thread = NightThread(
                left.plan, path.parent.parent, clock, key, again=path, before=left.before
            )
            self.thread.show = self._show
            yield self.thread

    def _spoil(self, lab: VirtualLab) -> None:
        super()._spoil(lab)

        def obey(of: VirtualLab, flavor: str, action: str, query: str, t: float) -> Any:
            if action in ("TEMP", "FIELD"):
                self.set.append(Sent(t, "multivu", f"{action} {query}"))
            return _OBEY(of, flavor, action, query, t)

        setattr(multivu, "obey", obey)  # noqa: B010 - not exported; put back by the fixture

    def sequence_ran(self) -> list[tuple[float, float]]:
        """Return from when to when a sequence ran in MultiVu, lab time in s."""
        notes = [entry for entry in self.the_lab.journal if entry.kind == "sequence"]
        begins = [n.t for n in notes if re.fullmatch(r"onnes-start-.* begins", n.command)]
        ends = [n.t for n in notes if re.fullmatch(r"onnes-start-\S* (ends|stops:.*)", n.command)]
        return list(zip(begins, [*ends, float("inf")], strict=False))


_OBEY = multivu_actions.obey


def moment_night(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, served: bool = False, machine: str = "mpms3"
) -> MomentNight:
    """Return a night of a virtual magnetometer with the nanocomposite bar, in which no person is waited for.

    ``machine`` is ``mpms3`` or ``mpms-xl``, which oscillates the sample. ``served``: its MultiVu is reached
    over the network, too; otherwise only its sequence sets anything.
    """
    monkeypatch.setattr("onnes.runner.hold._PERSON_S", 0.0)
    monkeypatch.setattr(multivu, "obey", _OBEY)
    station = (EXAMPLES / f"stations/{machine}-sim.toml").read_text(encoding="utf-8")
    station = station.replace("../multivu", "multivu")
    station = re.sub(r"^calibration = .*\n", "", station, flags=re.MULTILINE)
    if not served:
        station = re.sub(r"^(host|thermostat|magnet|chamber) = .*\n", "", station, flags=re.MULTILINE)
    (folder / "templates").mkdir(parents=True)
    (folder / "station.toml").write_text(station, encoding="utf-8")
    template = f"templates/{machine}-sim.seq"
    (folder / template).write_bytes((EXAMPLES / "stations" / template).read_bytes())
    (folder / "sample.toml").write_bytes((EXAMPLES / "samples/NC-01.toml").read_bytes())
    sequence = SEQUENCE if machine == "mpms3" else SEQUENCE.replace("vsm", "rso, frequency: 1 Hz, cycles: 5")
    return MomentNight(folder, sequence, machine=machine)
