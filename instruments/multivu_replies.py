"""What a MultiVu server answers, in its words: readings, states, setpoints; each read strictly.

The words are those of MultiPyVu 3.8; the states are the same as in the status word of a Model 6000. Every
function raises ValueError for a result that does not fit, and InstrumentFault for a state without meaning.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from onnes.instruments.errors import InstrumentFault
from onnes.instruments.ppms_replies import (
    FIELD_APPROACHES,
    FIELD_MODES,
    TEMPERATURE_APPROACHES,
    FieldSetpoint,
    TemperatureSetpoint,
)
from onnes.instruments.ppms_status import ChamberStatus, FieldStatus, TemperatureStatus

RAMPING: Final = "Ramping"  # the one word for charging and discharging

TEMPERATURE_WORDS: Final[Mapping[str, TemperatureStatus]] = {
    "Stable": TemperatureStatus.STABLE,
    "Tracking": TemperatureStatus.TRACKING,
    "Near": TemperatureStatus.NEAR,
    "Chasing": TemperatureStatus.CHASING,
    "Pot Operation": TemperatureStatus.FILLING_RESERVOIR,
    "Standby": TemperatureStatus.STANDBY,
    "Diagnostic": TemperatureStatus.DIAGNOSTIC,
    "Impedance Control Error": TemperatureStatus.IMPEDANCE_CONTROL_ERROR,
    "General Failure": TemperatureStatus.GENERAL_FAILURE,
}
FIELD_WORDS: Final[Mapping[str, FieldStatus]] = {
    "Unknown": FieldStatus.UNKNOWN,
    "Stable": FieldStatus.PERSISTENT,
    "Switch Warming": FieldStatus.SWITCH_WARMING,
    "Switch Cooling": FieldStatus.SWITCH_COOLING,
    "Holding (driven)": FieldStatus.DRIVEN,
    "Iterate": FieldStatus.FINAL_APPROACH,
    RAMPING: FieldStatus.CHARGING,
    "Resetting": FieldStatus.RESETTING,
    "Current Error": FieldStatus.CURRENT_ERROR,
    "Switch Error": FieldStatus.SWITCH_ERROR,
    "Quenching": FieldStatus.QUENCHING,
    "Charging Error": FieldStatus.CHARGING_ERROR,
    "PSU Error": FieldStatus.POWER_SUPPLY_ERROR,
    "General Failure": FieldStatus.GENERAL_FAILURE,
}
CHAMBER_WORDS: Final[Mapping[str, ChamberStatus]] = {
    "Unknown": ChamberStatus.UNKNOWN,
    "Purged and Sealed": ChamberStatus.PURGED_AND_SEALED,
    "Vented and Sealed": ChamberStatus.VENTED_AND_SEALED,
    "Sealed (condition unknown)": ChamberStatus.SEALED_CONDITION_UNKNOWN,
    "Performing Purge/Seal": ChamberStatus.PURGING,
    "Performing Vent/Seal": ChamberStatus.VENTING,
    "Pre-HiVac": ChamberStatus.PREPARING_HIGH_VACUUM,
    "HiVac": ChamberStatus.HIGH_VACUUM,
    "Pumping Continuously": ChamberStatus.PUMPING_CONTINUOUSLY,
    "Flooding Continuously": ChamberStatus.FLOODING_CONTINUOUSLY,
    "HiVac Error": ChamberStatus.HIGH_VACUUM_ERROR,
    "General Failure": ChamberStatus.GENERAL_FAILURE,
}

_SUCCESS: Final = "Call was successful"


def reading(result: str, unit: str) -> tuple[float, str]:
    """Return value and state of ``300.0,K,Stable``."""
    parts = result.split(",")
    if len(parts) != 3 or parts[1] != unit:
        raise ValueError(f"{result!r} is not value,{unit},state")
    value = float(parts[0])
    if not math.isfinite(value):
        raise ValueError(f"{result!r} has no finite value")
    return value, parts[2]


def temperature_code(words: str) -> int:
    """Return the state of the temperature control as bits 0 to 3 of a status word."""
    return _known(TEMPERATURE_WORDS, "temperature", words)


def field_code(words: str) -> int:
    """Return the state of the magnet as bits 4 to 7 of a status word."""
    return _known(FIELD_WORDS, "magnet", words) << FieldStatus.shift


def chamber_code(words: str) -> int:
    """Return the state of the chamber as bits 8 to 11 of a status word."""
    return _known(CHAMBER_WORDS, "chamber", words) << ChamberStatus.shift


def _known(table: Mapping[str, int], part: str, words: str) -> int:
    if words not in table:
        raise InstrumentFault(f"unknown {part} state {words!r}; look at the {part} before going on")
    return int(table[words])


def temperature_setpoint(result: str) -> TemperatureSetpoint:
    """Read ``(295.0, 5.0, 0),K,Call was successful``: K, K/min, approach."""
    kelvin, rate, approach = _setpoint(result, "K", 3)
    return TemperatureSetpoint(kelvin, rate, TEMPERATURE_APPROACHES[_code(result, approach, 2)])


def field_setpoint(result: str) -> FieldSetpoint:
    """Read ``(-500.5, 100.0, 1, 0),Oe,Call was successful``: Oe, Oe/s, approach, mode."""
    oersted, rate, approach, mode = _setpoint(result, "Oe", 4)
    return FieldSetpoint(
        oersted,
        rate,
        FIELD_APPROACHES[_code(result, approach, 3)],
        FIELD_MODES[_code(result, mode, 2)],
    )


def _setpoint(result: str, unit: str, count: int) -> list[float]:
    found = re.fullmatch(rf"\(([^()]*)\),{unit},{_SUCCESS}", result)
    values = [float(part) for part in found[1].split(",")] if found else []
    if len(values) != count or not all(map(math.isfinite, values)):
        raise ValueError(f"{result!r} is no setpoint of {count} numbers in {unit}")
    return values


def _code(result: str, value: float, count: int) -> int:
    if value not in range(count):
        raise ValueError(f"{result!r} has the code {value:g}; expected 0 to {count - 1}")
    return int(value)
