"""Every code of the packed status word, and real words read out of MultiVu files."""

import pytest

from onnes.instruments.errors import InstrumentFault
from onnes.instruments.ppms_status import (
    CHAMBER_FAULTS,
    FIELD_FAULTS,
    TEMPERATURE_FAULTS,
    ChamberStatus,
    FieldStatus,
    StatusCode,
    TemperatureStatus,
)

TEMPERATURE = {
    0: "unknown",
    1: "stable",
    2: "tracking",
    5: "near",
    6: "chasing",
    7: "filling reservoir",
    10: "standby",
    13: "diagnostic",
    14: "impedance control error",
    15: "general failure",
}
FIELD = {
    0: "unknown",
    1: "persistent",
    2: "switch warming",
    3: "switch cooling",
    4: "driven",
    5: "final approach",
    6: "charging",
    7: "discharging",
    8: "resetting",
    9: "current error",
    10: "switch error",
    11: "quenching",
    12: "charging error",
    14: "power supply error",
    15: "general failure",
}
CHAMBER = {
    0: "unknown",
    1: "purged and sealed",
    2: "vented and sealed",
    3: "sealed condition unknown",
    4: "purging",
    5: "venting",
    6: "preparing high vacuum",
    7: "high vacuum",
    8: "pumping continuously",
    9: "flooding continuously",
    14: "high vacuum error",
    15: "general failure",
}


@pytest.mark.parametrize("code", range(16))
@pytest.mark.parametrize(
    ("status", "table", "part"),
    [
        (TemperatureStatus, TEMPERATURE, "temperature"),
        (FieldStatus, FIELD, "magnet"),
        (ChamberStatus, CHAMBER, "chamber"),
    ],
)
def test_every_status_code_has_a_meaning_or_is_a_fault(
    status: type[StatusCode], table: dict[int, str], part: str, code: int
) -> None:
    word = code << status.shift
    if code in table:
        assert status.from_packed(word).words == table[code]
    else:
        with pytest.raises(InstrumentFault, match=f"unknown {part} status {code} in packed word {word:#06x}"):
            status.from_packed(word)


@pytest.mark.parametrize(
    ("word", "temperature", "field", "chamber"),
    [
        (4369, "stable", "persistent", "purged and sealed"),
        (4370, "tracking", "persistent", "purged and sealed"),
        (4373, "near", "persistent", "purged and sealed"),
        (4374, "chasing", "persistent", "purged and sealed"),
        (4378, "standby", "persistent", "purged and sealed"),
        (4385, "stable", "switch warming", "purged and sealed"),
        (4417, "stable", "driven", "purged and sealed"),
        (4881, "stable", "persistent", "sealed condition unknown"),
        (4929, "stable", "driven", "sealed condition unknown"),
        (4945, "stable", "final approach", "sealed condition unknown"),
        (4961, "stable", "charging", "sealed condition unknown"),
    ],
)
def test_real_words_are_read(word: int, temperature: str, field: str, chamber: str) -> None:
    assert TemperatureStatus.from_packed(word).words == temperature
    assert FieldStatus.from_packed(word).words == field
    assert ChamberStatus.from_packed(word).words == chamber


def test_the_states_that_a_person_must_look_at() -> None:
    assert {int(s) for s in TEMPERATURE_FAULTS} == {10, 13, 14, 15}
    assert {int(s) for s in FIELD_FAULTS} == {8, 9, 10, 11, 12, 14, 15}
    assert {int(s) for s in CHAMBER_FAULTS} == {14, 15}
