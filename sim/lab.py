"""The virtual lab: one clock, one plant, one wiring and the instruments that hang on them."""

import heapq
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyvisa import rname

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.device import Device, InstrumentSettings
from onnes.sim.device_k2182a import K2182A
from onnes.sim.device_k2400 import K2400
from onnes.sim.device_k2450 import K2450
from onnes.sim.device_k6221 import K6221
from onnes.sim.device_lakeshore import LakeShore336, LakeShore340
from onnes.sim.device_sr830 import SR830
from onnes.sim.device_sr860 import SR860
from onnes.sim.faults import Faults
from onnes.sim.journal import JournalEntry
from onnes.sim.multivu import MultiVuServer
from onnes.sim.ppms import Ppms6000

if TYPE_CHECKING:
    from onnes.sim.chamber import Chamber
    from onnes.sim.cryostat import Cryostat
    from onnes.sim.link import Link
    from onnes.sim.magnet import Magnet
    from onnes.sim.magnetometer import Magnetometer
    from onnes.sim.sequencer import Sequencer
    from onnes.sim.virtual_operator import VirtualOperator
    from onnes.sim.wiring import Wiring

DEVICES: Mapping[str, type[Device]] = {
    device.model: device
    for device in (
        *(Ppms6000, MultiVuServer, K6221, K2182A, SR830, SR860),
        *(K2400, K2450, LakeShore336, LakeShore340),
    )
}


class VirtualLab:
    """Clock, plant, wiring and instruments of one world.

    Lab time counts in s from the moment the lab is made. ``lock`` is held while anything of the lab changes,
    and never while anyone sleeps.

    Args:
        line_hz: the mains frequency that the meters integrate over.
        strict: refuse and write down every message that the instrument's manual does not allow.
        sha256: hash of the effective lab file, for the records.
        epoch: date that the lab's clocks show at lab time 0.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        cryostat: "Cryostat",
        magnet: "Magnet",
        chamber: "Chamber",
        wiring: "Wiring",
        name: str = "unnamed",
        seed: int = 0,
        line_hz: float = 50.0,
        strict: bool = False,
        sha256: str = "",
        epoch: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.clock = clock
        self.name = name
        self.seed = seed
        self.line_hz = line_hz
        self.strict = strict
        self.sha256 = sha256
        self.epoch = epoch
        self.cryostat = cryostat
        self.magnet = magnet
        self.chamber = chamber
        self.wiring = wiring
        self.lock = threading.RLock()
        self.journal: list[JournalEntry] = []
        self.faults = Faults(self)
        self.instruments: dict[str, Device] = {}
        self.resources: dict[str, Device] = {}  # canonical VISA name -> instrument
        self.links: dict[str, Link] = {}  # canonical VISA name -> the link that its sessions share
        self.origin = clock.now()
        # Of a lab with a magnetometer; the last two only where MultiVu has folders.
        self.magnetometer: Magnetometer | None = None
        self.sequencer: Sequencer | None = None
        self.operator: VirtualOperator | None = None
        self._agenda: list[tuple[float, int, Callable[[float], None]]] = []
        self._planned = 0

    def add(self, name: str, settings: InstrumentSettings) -> Device:
        """Put an instrument on the wire under ``name``.

        Raises:
            ConfigurationError: if another instrument has one of its VISA names.
        """
        device = DEVICES[settings.model](name, self, settings)
        for resource in settings.resources:
            holder = self.resources.setdefault(canonical(resource), device)
            if holder is not device:
                raise ConfigurationError(
                    f"{resource} belongs to {holder.name!r} and {name!r}; give each instrument its own"
                )
        self.instruments[name] = device
        return device

    def now(self) -> float:
        """Return lab time, s."""
        return self.clock.now() - self.origin

    def tick(self) -> float:
        """Run what is due, in order and each at its own time, and return lab time, s. Hold the lock."""
        t = self.clock.now() - self.origin
        agenda = self._agenda
        while agenda and agenda[0][0] <= t:
            due, _, run = heapq.heappop(agenda)
            run(due)
        return t

    def at(self, t: float, run: Callable[[float], None]) -> None:
        """Plan ``run(t)`` for lab time ``t``, s; entries of equal time run in the order planned."""
        self._planned += 1
        heapq.heappush(self._agenda, (t, self._planned, run))

    def next_event(self) -> float | None:
        """Return the lab time of the next planned event, s; None if nothing is planned."""
        return self._agenda[0][0] if self._agenda else None


def canonical(resource: str) -> str:
    """Return the VISA name in its full form, upper case.

    Raises:
        ValueError: if it is no VISA name.

    >>> canonical("gpib::15")
    'GPIB0::15::INSTR'
    """
    try:
        return str(rname.ResourceName.from_string(resource)).upper()
    except rname.InvalidResourceName:
        raise ValueError(f"{resource!r} is no VISA name; write for example 'GPIB0::15::INSTR'") from None


# PyVISA holds its libraries weakly, so a lab lives here: it survives closing the resource manager.
_labs: dict[str, VirtualLab] = {}


def set_lab(key: str, lab: VirtualLab) -> None:
    """Register ``lab``, so that PyVISA opens it as ``"<key>@onnes"``."""
    _labs[key] = lab


def find_lab(key: str) -> VirtualLab | None:
    """Return the lab registered as ``key``, None if there is none."""
    return _labs.get(key)


def get_lab(key: str) -> VirtualLab:
    """Return the lab registered as ``key``.

    Raises:
        ConfigurationError: if there is none.
    """
    if key not in _labs:
        raise ConfigurationError(f"no virtual lab is registered as {key!r}; there are {sorted(_labs)}")
    return _labs[key]


def forget_lab(key: str) -> None:
    """Drop the lab registered as ``key``; nothing happens if there is none."""
    _labs.pop(key, None)
