"""A station with a wiring of every kind, a sample on each, and what ``check`` says of one block on it."""

from collections.abc import Sequence
from pathlib import Path

from onnes.runner.check import CheckAnswer, check_sequence

STATION = """station = 1
name = "every"
backend = "visa"
runs = "runs"

[instruments.ppms]
driver = "ppms"
resource = "GPIB0::15::INSTR"
[instruments.k6221]
driver = "keithley6221"
resource = "GPIB0::12::INSTR"
[instruments.k2182a]
driver = "keithley2182a"
resource = "GPIB0::7::INSTR"
[instruments.sr830]
driver = "sr830"
resource = "GPIB0::8::INSTR"
[instruments.coil_lock_in]
driver = "sr830"
resource = "GPIB0::9::INSTR"

[roles]
thermostat = "ppms"
magnet = "ppms"

[limits]
temperature = "1.9..350 K"
temperature_rate = "10 K/min"
field = "-9..9 T"
field_rate = "150 Oe/s"

[wiring.film]
measures = "resistance"
method = "reversal"
source = "k6221"
meter = "k2182a"
leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }
compliance = "1 V"
ramp = "10 mA/s"

[wiring.contact]
measures = "conductance"
method = "lock_in"
source = "k6221"
meter = "sr830"
bias_meter = "k2182a"
leads = { i_plus = "5", i_minus = "8", v_plus = "6", v_minus = "7" }
compliance = "1 V"
ramp = "10 mA/s"

[wiring.coil]
measures = "susceptibility"
method = "mutual_inductance"
source = "coil_lock_in"
meter = "coil_lock_in"
series = "100 ohm"
field_constant = "100 Oe/A"
pickup_constant = "2e-4 V/Hz/emu"
amplitude = "0.001..5 Oe"
frequency = "10 Hz..10 kHz"

[safe_state]
k6221 = { output = "off" }
sr830 = { sine = "4 mV" }
coil_lock_in = { sine = "4 mV" }
ppms = { field = "hold", temperature = "hold" }
"""
SAMPLE = """sample = 1
id = "f"
geometry = { shape = "film", length = "2 mm" }
limits = { current = "100 mA", voltage = "2 V", power = "200 mW" }
expected = { tc = "38 K", resistance = "10 ohm", gap = "2.3 mV", hysteretic = false }
"""
HEAD = """sequence: 1
station: ./s.toml
sample: {film: ./f.toml, contact: ./f.toml, coil: ./f.toml}
finish: {field: 0 Oe}
contact_check: {declined: nothing is mounted}
steps:
"""


def checked(
    folder: Path, *steps: str, sample: str = SAMPLE, head: str = HEAD, station: str = STATION
) -> CheckAnswer:
    """Return what ``check`` says of steps as they stand in a list, the first one in line 7."""
    (folder / "s.toml").write_text(station, encoding="utf-8")
    (folder / "f.toml").write_text(sample, encoding="utf-8")
    night = folder / "night.yaml"
    night.write_text(head + "".join(f"  - {step}\n" for step in steps), encoding="utf-8")
    return check_sequence(night, station=None, sample=None)


def where_and_what(folder: Path, lines: Sequence[str]) -> list[str]:
    """Return the lines that speak of a step, without the name of the file: ``7:5: ...``."""
    head = f"{folder / 'night.yaml'}:"
    return [line.removeprefix(head) for line in lines if "L057" not in line]


def warned(folder: Path, *steps: str, sample: str = SAMPLE) -> list[str]:
    """Return what is said of steps that are allowed."""
    answer = checked(folder, *steps, sample=sample)
    assert answer.errors == ()
    return where_and_what(folder, answer.messages)


def refused(
    folder: Path, *steps: str, sample: str = SAMPLE, head: str = HEAD, station: str = STATION
) -> list[str]:
    """Return what steps are refused with, none where they are allowed."""
    return where_and_what(folder, checked(folder, *steps, sample=sample, head=head, station=station).errors)
