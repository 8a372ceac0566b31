"""What each kind of MultiVu machine has and allows; the server itself checks nothing of it (seen, 3.8.0).

Fields and rates are those of the smallest magnet sold under the name where a flavor has several, since the
server does not tell which one is there: Quantum Design's data sheets, (a) where none says. The rates of
temperature are those that MultiPyVu's own client allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from onnes.instruments.limits import Limits
from onnes.instruments.protocols import FieldApproach

_SLOWEST_OE_PER_S: Final = 0.1  # (a); what matters is that 0 is refused: it freezes the field (seen)


@dataclass(frozen=True, slots=True)
class Flavor:
    """One kind of machine: K, K/min, Oe, Oe/s.

    ``reads_field_setpoint`` says whether the server tells it, ``is_driven_only`` that the magnet cannot be
    set persistent through the server, which allows that on a PPMS alone.
    """

    temperature: Limits
    temperature_rate: Limits
    field: Limits
    field_rate: Limits
    approaches: tuple[FieldApproach, ...] = ("linear", "no_overshoot", "oscillate")
    reads_field_setpoint: bool = True
    has_chamber: bool = True
    is_driven_only: bool = True


def _limits(
    name: str, kelvin: tuple[float, float], oersted: float, rate: tuple[float, float]
) -> tuple[Limits, Limits, Limits, Limits]:
    return (
        Limits(*kelvin, "K", name),
        Limits(0.01, 20.0, "K/min", name),
        Limits(-oersted, oersted, "Oe", name),
        Limits(*rate, "Oe/s", name),
    )


FLAVORS: Final[Mapping[str, Flavor]] = {
    "PPMS": Flavor(*_limits("the PPMS", (1.9, 400.0), 90e3, (10.0, 190.0)), is_driven_only=False),
    "DYNACOOL": Flavor(*_limits("the DynaCool", (1.8, 400.0), 90e3, (_SLOWEST_OE_PER_S, 200.0))),
    "VERSALAB": Flavor(
        *_limits("the VersaLab", (50.0, 400.0), 30e3, (_SLOWEST_OE_PER_S, 300.0)),
        approaches=("linear", "oscillate"),
    ),
    "MPMS3": Flavor(
        *_limits("the MPMS3", (1.8, 400.0), 70e3, (_SLOWEST_OE_PER_S, 700.0)), reads_field_setpoint=False
    ),
    "OPTICOOL": Flavor(
        *_limits("the OptiCool", (1.7, 350.0), 70e3, (_SLOWEST_OE_PER_S, 100.0)), has_chamber=False
    ),
}
