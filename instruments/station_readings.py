"""What one look at a station finds: typed for whoever judges it, and as a row for the slow stream."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from onnes.instruments.errors import OnnesError
from onnes.instruments.protocols import HeliumLevel, Reading


@dataclass(frozen=True, slots=True)
class ForeignSetpoint:
    """A setpoint that is not the one we set: somebody else did. In ``unit``, K or Oe."""

    quantity: Literal["temperature", "field"]
    unit: str
    ours: float
    found: float


@dataclass(frozen=True, slots=True)
class StationReadings:
    """One look at everything around the sample; None where the station has no such part.

    A reading that failed is the error it raised, never the value before. ``time`` is of the clock, s, as is
    ``helium_time``, when the level was asked for (NaN: never). ``lock_ins`` has what spoilt the input of each
    lock-in since its last reading, which still finds it; ``sources_on`` says of each source whether its
    output is on, ``link_ages`` of each instrument how long ago it last answered, ``silent`` only of those
    that failed since for how long already, s.
    """

    time: float
    temperature: Reading | OnnesError | None
    temperature_setpoint: float | OnnesError | None
    field: Reading | OnnesError | None
    field_setpoint: float | OnnesError | None
    chamber: str | OnnesError | None
    helium: HeliumLevel | OnnesError | None
    helium_time: float
    lock_ins: Mapping[str, tuple[str, ...] | OnnesError]
    sources_on: Mapping[str, bool | OnnesError]
    link_ages: Mapping[str, float]
    silent: Mapping[str, float]
    foreign: tuple[ForeignSetpoint, ...]

    def row(self) -> dict[str, float | str]:
        """Return one row of the slow stream; NaN and the error's kind where a reading failed.

        Columns: temperature (K), field (Oe), their setpoints and states, status word, chamber, helium level
        (%) and age, for each lock-in what spoils its input, for each source whether its output is on, for
        each instrument the age of its link (s).
        """
        helium = self.helium
        readings = (self.temperature, self.field)
        status = next((reading.status for reading in readings if isinstance(reading, Reading)), None)
        row: dict[str, float | str] = {
            "Temperature (K)": _value(self.temperature),
            "Temperature setpoint (K)": _value(self.temperature_setpoint),
            "Temperature state": _state(self.temperature),
            "Field (Oe)": _value(self.field),
            "Field setpoint (Oe)": _value(self.field_setpoint),
            "Field state": _state(self.field),
            "Status": "" if status is None else f"{status:#06x}",
            "Chamber": _state(self.chamber),
            "Helium (%)": helium.percent if isinstance(helium, HeliumLevel) else math.nan,
            "Helium age": helium.age if isinstance(helium, HeliumLevel) else _state(helium),
        }
        for name, flags in self.lock_ins.items():
            row[f"Lock-in {name}"] = (
                _state(flags) if isinstance(flags, OnnesError) else ", ".join(flags) or "good"
            )
        for name, is_on in self.sources_on.items():
            row[f"Output {name}"] = (
                _state(is_on) if isinstance(is_on, OnnesError) else "on" if is_on else "off"
            )
        for name, age in self.link_ages.items():
            row[f"Link age {name} (s)"] = age
        return row


def _value(found: Reading | float | OnnesError | None) -> float:
    if isinstance(found, Reading):
        return found.value
    return found if isinstance(found, float) else math.nan


def _state(found: Reading | str | OnnesError | None) -> str:
    if isinstance(found, Reading):
        return found.state
    if isinstance(found, OnnesError):
        return type(found).__name__
    return found or "none"
