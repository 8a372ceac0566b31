"""What a Lake Shore controller answers: each reply read strictly, so that one to another question is refused.

Every function raises ValueError for a reply that does not fit; the link then clears and asks again.
"""

import math
from dataclasses import dataclass

# RDGST?, by bit (manuals of 336 and 340).
_FAULTS = {
    1: "the reading is invalid",
    2: "the reading is old",
    16: "the temperature is below the curve of the sensor",
    32: "the temperature is above the curve of the sensor",
    64: "the sensor reads zero",
    128: "the sensor reads over its range",
}

_REFUSALS = {  # IEEE 488.2, 11.5.1
    4: "a query error",
    8: "a device error",
    16: "a value that it does not allow",
    32: "a command that it does not know",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a loop: K, bits of RDGST?, setpoint where it is now (K), range of the heater (0 off)."""

    kelvin: float
    reading_status: int
    setpoint: float
    is_ramping: bool
    range: int
    heater_status: int


@dataclass(frozen=True, slots=True)
class HeaterLoop:
    """How a loop is set up: the input it controls by, whether it regulates, and whether in kelvin."""

    channel: str
    is_closed: bool
    in_kelvin: bool


def numbers(reply: str, count: int) -> list[float]:
    """Return the fields of a reply, ``count`` finite numbers."""
    values = [float(part) for part in reply.split(",")]
    if len(values) != count or not all(map(math.isfinite, values)):
        raise ValueError(f"the reply {reply!r} is not {count} numbers")
    return values


def look(reply: str) -> Look:
    """Read the six replies that tell all of a loop at once."""
    parts = reply.split(";")
    if len(parts) != 6:
        raise ValueError(f"the reply {reply!r} has {len(parts)} parts instead of 6")
    kelvin, status, setpoint, is_ramping, number, heater = (numbers(part, 1)[0] for part in parts)
    return Look(kelvin, int(status), setpoint, bool(is_ramping), int(number), int(heater))


def heater_loop(reply: str) -> HeaterLoop:
    """Read the reply to ``CSET?`` of a 340: input, units (1 kelvin), on, on at power-up."""
    channel, *rest = (part.strip() for part in reply.split(","))
    if channel not in ("A", "B", "C", "D"):
        raise ValueError(f"the reply {reply!r} names no input")
    units, is_on, _ = numbers(",".join(rest), 3)
    return HeaterLoop(channel, is_closed=bool(is_on), in_kelvin=units == 1)


def reading_faults(status: int) -> str:
    """Return in words what is wrong with a reading; an empty text if nothing is."""
    return " and ".join(words for bit, words in _FAULTS.items() if status & bit)


def refusals(events: int) -> str:
    """Return in words what ``*ESR?`` says was refused; an empty text if nothing was."""
    return " and ".join(words for bit, words in _REFUSALS.items() if events & bit)
