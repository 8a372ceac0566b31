"""The virtual lab of a night: made for it, registered under a key of its own, forgotten afterwards."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onnes.instruments.clock import AttendedClock, Clock, VirtualClock, WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.runner.plan import Plan
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.sim.mounting import MAGNETOMETER
from onnes.sim.sequencer import MultiVuFolders

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class LabChoice:
    """What stands in for the station: ``lab`` beats the station's twin, ``under`` lies below its file.

    With ``lab`` given, what the lab file says of the sample holds, not the ``[virtual]`` of the sample file.
    """

    lab: str | None = None
    seed: int | None = None
    under: Mapping[str, Any] | None = None
    real_time: float | None = None
    left: "LeftState | None" = None

    def for_manifest(self) -> dict[str, Any]:
        """Return what ``night.json`` keeps of the choice, so that the night can be taken up."""
        return {"lab": self.lab, "seed": self.seed, "under": self.under}


@dataclass(frozen=True, slots=True)
class LeftState:
    """Where a night was left: its clock, s after its epoch, and the state of cryostat and magnet.

    A virtual lab dies with its process; a real one does not. So the lab opens as the files tell that it was.
    """

    clock_s: float
    epoch: datetime
    tables: Mapping[str, Any]


@contextmanager
def prepared(plan: Plan, choice: LabChoice) -> Iterator[tuple[Clock, str | None]]:
    """Yield the clock of the night and, for a simulated station, the key of its lab.

    Raises:
        ConfigurationError: if the lab is not as it should be, or a choice is made for a real station.
    """
    if plan.station.backend == "visa":
        if choice.seed is not None or choice.real_time is not None or choice.lab is not None:
            raise ConfigurationError(
                f"{plan.station_path}: backend = 'visa' has no virtual lab; "
                "leave out --seed, --real-time and --lab, or use a simulated station"
            )
        yield WallClock(start_s=_since(choice.left)), None
        return
    lab = make_lab(plan, choice)
    key = f"night-{next(_numbers)}"
    set_lab(key, lab)
    try:
        yield lab.clock, key
    finally:
        forget_lab(key)


def make_lab(plan: Plan, choice: LabChoice) -> VirtualLab:
    """Return the lab of a simulated station, at lab time 0.

    Raises:
        ConfigurationError: if the lab file or what is mounted in it is not as it should be.
    """
    name = choice.lab or plan.station.lab
    seed = plan.station.twin.seed if choice.seed is None else choice.seed
    mounted = None
    if choice.lab is None:
        mounted = {
            _place(plan, mount): sample.virtual_sample(plan.mounting)
            for mount, sample in plan.samples.items()
            if sample.virtual
        }
    files, left = plan.station.multivu_files(), choice.left
    multivu = None if files is None else MultiVuFolders(files.data, files.sequences)

    def made(clock: AttendedClock) -> VirtualLab:
        return load_lab(
            name,
            clock,
            seed=seed,
            sample=mounted or None,
            under=choice.under,
            start=None if left is None else left.tables,
            opened_s=_since(left),
            multivu=multivu,
        )

    if choice.real_time is not None:
        return made(WallClock(choice.real_time, _since(left)))
    if left is not None:
        return made(VirtualClock(left.epoch, left.clock_s))
    return made(VirtualClock(made(VirtualClock()).epoch))  # the file says on which day the night begins


def _place(plan: Plan, mount: str) -> str:
    """Return what the lab calls a mount: the source that drives the wiring, or its magnetometer."""
    wiring = plan.station.wiring.get(mount)
    return MAGNETOMETER if wiring is None else wiring.source


def _since(left: LeftState | None) -> float:
    return 0.0 if left is None else left.clock_s
