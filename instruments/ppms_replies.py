"""What a Model 6000 answers: each reply read strictly, so that one to another question is refused.

Every function raises ValueError for a reply that does not fit; the link then clears and asks again.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

from onnes.instruments.protocols import FieldApproach, FieldMode, HeliumLevel, TemperatureApproach

Name = TypeVar("Name", bound=str)

# Model 6000 GPIB commands: the number sent is the place in the list.
TEMPERATURE_APPROACHES: tuple[TemperatureApproach, ...] = ("fast_settle", "no_overshoot")
FIELD_APPROACHES: tuple[FieldApproach, ...] = ("linear", "no_overshoot", "oscillate")
FIELD_MODES: tuple[FieldMode, ...] = ("persistent", "driven")
_LEVEL_AGES: tuple[Literal["old", "recent", "continuous"], ...] = ("old", "recent", "continuous")


@dataclass(frozen=True, slots=True)
class TemperatureSetpoint:
    """What ``TEMP?`` tells: K, K/min."""

    kelvin: float
    rate_k_per_min: float
    approach: TemperatureApproach


@dataclass(frozen=True, slots=True)
class FieldSetpoint:
    """What ``FIELD?`` tells: Oe, Oe/s."""

    field_oe: float
    rate_oe_per_s: float
    approach: FieldApproach
    mode: FieldMode


def numbers(reply: str, count: int | None = None) -> list[float]:
    """Return the fields of a reply; all must be finite numbers, and ``count`` of them."""
    values = [float(part) for part in text(reply).split(",")]
    if count is not None and len(values) != count:
        raise ValueError(f"the reply {reply!r} has {len(values)} fields instead of {count}")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"the reply {reply!r} is not all numbers")
    return values


def text(reply: str) -> str:
    """Return a reply without its end."""
    if not reply.endswith(";"):
        raise ValueError(f"the reply {reply!r} does not end with ';'")
    return reply[:-1]


def data(reply: str, mask: int) -> tuple[float, list[float]]:
    """Return the timestamp (s) of a reply to ``GETDAT?`` and the values in ascending order of the bits asked.

    The reply echoes the mask it answers, which lacks the bits of items that are not there.
    """
    echoed, stamp, *values = numbers(reply)
    echo = int(echoed)
    if echo & ~mask or not echo:
        raise ValueError(f"the reply {reply!r} is to mask {echo}, not to {mask}")
    if len(values) != echo.bit_count():
        raise ValueError(f"the reply {reply!r} has {len(values)} values for {echo.bit_count()} bits")
    if echo != mask:
        missing = [str(bit) for bit in range(mask.bit_length()) if mask & ~echo & (1 << bit)]
        raise ValueError(
            f"the reply {reply!r} lacks bit {', '.join(missing)}; is that option installed and on?"
        )
    return stamp, values


def _named(names: tuple[Name, ...], code: float, reply: str) -> Name:
    if code not in range(len(names)):
        raise ValueError(f"the reply {reply!r} has the code {code:g}; expected 0 to {len(names) - 1}")
    return names[int(code)]


def temperature_setpoint(reply: str) -> TemperatureSetpoint:
    """Read the reply to ``TEMP?``."""
    kelvin, rate, approach = numbers(reply, 3)
    return TemperatureSetpoint(kelvin, rate, _named(TEMPERATURE_APPROACHES, approach, reply))


def field_setpoint(reply: str) -> FieldSetpoint:
    """Read the reply to ``FIELD?``."""
    oersted, rate, approach, mode = numbers(reply, 4)
    return FieldSetpoint(
        oersted, rate, _named(FIELD_APPROACHES, approach, reply), _named(FIELD_MODES, mode, reply)
    )


def largest_field(reply: str) -> float:
    """Read the largest field (Oe) out of the reply to ``MAGCNF?``."""
    largest = numbers(reply, 7)[0]
    if largest <= 0:
        raise ValueError(f"the reply {reply!r} names no field")
    return largest


def helium_level(reply: str) -> HeliumLevel:
    """Read the reply to ``LEVEL?``."""
    percent, age = numbers(reply, 2)
    return HeliumLevel(percent, _named(_LEVEL_AGES, age, reply))
