"""What a block will ask of the station, noted with its place before anything is built."""

from dataclasses import dataclass
from typing import Any

from onnes.runner import block_parts
from onnes.runner.plan_limits import Demand, extremes
from onnes.runner.problems import Place
from onnes.runner.quantity_text import Sweep, Typed
from onnes.runner.surroundings import Ledger, Surroundings


@dataclass(frozen=True)
class AskedValues:
    """Notes temperatures, fields and rates in the ledger; without a magnet a field is refused."""

    around: Surroundings
    ledger: Ledger

    def temperatures(self, program: tuple[Typed, ...] | Sweep | None) -> None:
        """Note setpoints, or the ends and the rate of a sweep."""
        if isinstance(program, Sweep):
            self.ledger.demands += extremes("temperature", (program.first, program.last))
            self.ledger.demands.append(Demand.of("temperature_rate", program.rate))
        elif program is not None:
            self.ledger.demands += extremes("temperature", program)

    def fields(self, program: tuple[Typed, ...] | Sweep) -> None:
        """Note setpoints, or the ends and the rate of a sweep."""
        if isinstance(program, Sweep):
            self.ledger.demands += extremes("field", (program.first, program.last))
            self.ledger.demands.append(Demand.of("field_rate", program.rate))
            return
        self.ledger.demands += extremes("field", program)
        if not self.around.has_magnet:
            for typed in program:
                if typed.number != 0:
                    self.refuse_field(typed.place)

    def refuse_field(self, place: Place) -> None:
        """Refuse a field, because there is nothing to make one."""
        self.ledger.refuse(
            place, f"the station {self.around.station.name} has no magnet; leave the field out"
        )

    def field_rates(self, *layers: block_parts.Magnet) -> None:
        """Note the rates of the magnet that somebody typed."""
        for layer in layers:
            if layer.rate is not None:
                self.ledger.demands.append(Demand.of("field_rate", layer.rate))


def lacks(block: str, key: str, example: str) -> str:
    """Return what is said of a key that a block cannot do without."""
    return f"{block} without '{key}'; expected it here or in defaults; e.g. '{key}: {example}'"


def as_json(program: tuple[Typed, ...] | Sweep, suffix: str, rate: str) -> dict[str, Any]:
    """Return a program of setpoints or a sweep as the procedures take it."""
    if not isinstance(program, Sweep):
        return {f"setpoints_{suffix}": [float(typed) for typed in program]}
    every = (
        {f"every_{suffix}": float(program.every_step)}
        if program.every_step is not None
        else {"every_s": float(program.every_s or 0)}
    )
    return {
        f"sweep_{suffix}": [float(program.first), float(program.last)],
        rate: float(program.rate),
        **every,
    }
