"""What a plan is made in: the station, its samples, the limits, and the book of what was found on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onnes.instruments.station_file import StationFile
from onnes.procedures.ramping import USUAL_RATE_K_PER_MIN
from onnes.procedures.setpoint_measurement import COLD_K, COLD_RATE_OE_PER_S
from onnes.runner.plan_limits import Demand, PlanLimits
from onnes.runner.problems import Place, Problem
from onnes.runner.sample_file import SampleFile


@dataclass(frozen=True)
class Surroundings:
    """The station, what is mounted on its wirings or its magnetometer, and the narrowest limits of all.

    ``field_rate_oe_per_s`` is the most that the sequence allows itself; None leaves the rate to the station.
    """

    station: StationFile
    station_path: Path
    samples: Mapping[str, SampleFile]
    limits: PlanLimits
    field_rate_oe_per_s: float | None
    mounting: str | None = None

    @property
    def magnetometer(self) -> str | None:
        """Return the name of the magnetometer, None without one."""
        return self.station.roles.magnetometer

    @property
    def has_magnet(self) -> bool:
        """Say whether the station has a magnet; a magnetometer has its own."""
        return self.station.roles.magnet is not None or self.magnetometer is not None

    @property
    def can_be_set(self) -> bool:
        """Say whether temperature and field can be set between the measurements."""
        return self.station.roles.thermostat is not None

    def usual_rate_k_per_min(self) -> float:
        """Return the rate between setpoints where nobody asks for one, K/min."""
        allowed = self.limits.temperature_rate
        return USUAL_RATE_K_PER_MIN if allowed is None else min(USUAL_RATE_K_PER_MIN, allowed.high)

    def usual_rate_oe_per_s(self, lowest_k: float) -> float | None:
        """Return the field rate where nobody asks for one, Oe/s, for measuring down to ``lowest_k``."""
        allowed = self.field_rate_oe_per_s
        return allowed if allowed is None or lowest_k >= COLD_K else min(allowed, COLD_RATE_OE_PER_S)


@dataclass
class Ledger:
    """Problems, demands and messages, gathered while a plan is made."""

    problems: list[Problem] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    messages: list[tuple[Place, str]] = field(default_factory=list)

    def refuse(self, place: Place, text: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(place, text))
