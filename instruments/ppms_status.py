"""The packed status word of a PPMS Model 6000: a code a part, and what each means.

Codes: status word of GETDAT, bit 0 of its mask (read out of real MultiVu files); the same as MultiVu shows.
"""

from enum import IntEnum
from typing import Self

from onnes.instruments.errors import InstrumentFault


class StatusCode(IntEnum):
    """A code of four bits; its name in lower case is the state in words."""

    part: str  # what the code is about
    shift: int  # how far up in the word it sits

    @property
    def words(self) -> str:
        """Return the state in words."""
        return self.name.lower().replace("_", " ")

    def __init_subclass__(cls, part: str, shift: int) -> None:
        cls.part = part
        cls.shift = shift

    @classmethod
    def from_packed(cls, word: int) -> Self:
        """Return the state that ``word`` says.

        Raises:
            InstrumentFault: if the code has no meaning.
        """
        code = (word >> cls.shift) & 0xF
        try:
            return cls(code)
        except ValueError:
            raise InstrumentFault(
                f"unknown {cls.part} status {code} in packed word {word:#06x}; "
                f"look at the {cls.part} before going on"
            ) from None


class TemperatureStatus(StatusCode, part="temperature", shift=0):
    """Temperature control, bits 0-3."""

    UNKNOWN = 0
    STABLE = 1
    TRACKING = 2
    NEAR = 5
    CHASING = 6
    FILLING_RESERVOIR = 7
    STANDBY = 10
    DIAGNOSTIC = 13
    IMPEDANCE_CONTROL_ERROR = 14
    GENERAL_FAILURE = 15


class FieldStatus(StatusCode, part="magnet", shift=4):
    """Magnet, bits 4-7."""

    UNKNOWN = 0
    PERSISTENT = 1
    SWITCH_WARMING = 2
    SWITCH_COOLING = 3
    DRIVEN = 4
    FINAL_APPROACH = 5
    CHARGING = 6
    DISCHARGING = 7
    RESETTING = 8
    CURRENT_ERROR = 9
    SWITCH_ERROR = 10
    QUENCHING = 11
    CHARGING_ERROR = 12
    POWER_SUPPLY_ERROR = 14
    GENERAL_FAILURE = 15


class ChamberStatus(StatusCode, part="chamber", shift=8):
    """Sample chamber, bits 8-11."""

    UNKNOWN = 0
    PURGED_AND_SEALED = 1
    VENTED_AND_SEALED = 2
    SEALED_CONDITION_UNKNOWN = 3
    PURGING = 4
    VENTING = 5
    PREPARING_HIGH_VACUUM = 6
    HIGH_VACUUM = 7
    PUMPING_CONTINUOUSLY = 8
    FLOODING_CONTINUOUSLY = 9
    HIGH_VACUUM_ERROR = 14
    GENERAL_FAILURE = 15


# A state that a person must look at is never "settled", though MultiVu itself counts some as that. Standby is
# one, since nobody here asks for it: the controller was restarted.
TEMPERATURE_FAULTS = frozenset(
    {
        TemperatureStatus.STANDBY,
        TemperatureStatus.DIAGNOSTIC,
        TemperatureStatus.IMPEDANCE_CONTROL_ERROR,
        TemperatureStatus.GENERAL_FAILURE,
    }
)
FIELD_FAULTS = frozenset(status for status in FieldStatus if status >= FieldStatus.RESETTING)
CHAMBER_FAULTS = frozenset({ChamberStatus.HIGH_VACUUM_ERROR, ChamberStatus.GENERAL_FAILURE})

FIELD_AT_REST = frozenset({FieldStatus.PERSISTENT, FieldStatus.DRIVEN})


def chamber_words(word: int) -> str:
    """Return the state of the chamber that ``word`` says, in words.

    Raises:
        InstrumentFault: in a fault state, or one without meaning.
    """
    state = ChamberStatus.from_packed(word)
    if state in CHAMBER_FAULTS:
        raise InstrumentFault(f"chamber: {state.words} (status word {word:#06x}); look at the chamber")
    return state.words
