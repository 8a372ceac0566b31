"""What a plan consists of: numbered steps, each with one action, and what comes at the end."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from onnes.instruments.protocols import FieldApproach, FieldMode, TemperatureApproach
from onnes.procedures.measurement import Measurement
from onnes.procedures.options import Settle
from onnes.runner.on_error import USUAL, OnError


@dataclass(frozen=True, slots=True)
class SetTemperature:
    """Go to ``kelvin``; without ``wait`` only start."""

    kelvin: float
    rate_k_per_min: float | None
    approach: TemperatureApproach
    settle: Settle
    wait: bool


@dataclass(frozen=True, slots=True)
class SetField:
    """Go to ``field_oe``; a rate or wait of None is the station's."""

    field_oe: float
    rate_oe_per_s: float | None
    approach: FieldApproach
    mode: FieldMode
    then_wait_s: float | None
    wait: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass: ``for_s``, until the time of day ``until``, or until what is named is ``stable``."""

    for_s: float | None
    until: str | None
    stable: tuple[str, ...]
    timeout_s: float

    def next_after(self, now: datetime) -> datetime:
        """Return when ``until``, read as time of day in the zone of this machine, comes next after ``now``.

        Raises:
            ValueError: if this wait has no time of day.
        """
        found = re.fullmatch(r"(\d\d):(\d\d)", self.until or "")
        if found is None:
            raise ValueError(f"until is {self.until!r}; expected hours and minutes; e.g. '22:00'")
        local = now.astimezone()
        then = local.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return then if then > local else then + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Measure:
    """Take one run: its kind and label name the folder; ``mount`` is the wiring, or the magnetometer."""

    kind: str
    label: str
    mount: str
    measurement: Measurement


Action = SetTemperature | SetField | Wait | Measure


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One action, with the place in the file it comes from and the loop values of its pass.

    ``on_error`` says what happens when it fails; without a ``time_limit_s`` it may take as long as it does.
    """

    number: int
    where: str
    name: str
    note: str
    loop: Mapping[str, str]
    action: Action
    on_error: OnError = USUAL
    time_limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Where field and temperature go at the end; None is hold. A field rate of None is the station's."""

    field_oe: float | None
    approach: FieldApproach
    temperature_k: float | None
    rate_k_per_min: float | None
    chamber: Literal["hold", "seal"]
    field_rate_oe_per_s: float | None = None
