"""Each way to wire a sample: what it needs, and what is refused with its line."""

from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.instruments.wiring_table import Drive

HEAD = """
station = 1
name = "dewar"
backend = "simulated"
[instruments.ppms]
driver = "ppms"
resource = "GPIB0::15::INSTR"
[instruments.k6221]
driver = "keithley6221"
resource = "GPIB0::12::INSTR"
[instruments.relayed]
driver = "keithley2182a"
via = "k6221"
baud = 19200
[instruments.k2182a]
driver = "keithley2182a"
resource = "GPIB0::7::INSTR"
[roles]
thermostat = "ppms"
"""
LEADS = 'leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }'
DELTA = f"""
[wiring.film]
measures = "resistance"
method = "delta"
source = "k6221"
meter = "relayed"
{LEADS}
compliance = "1 V"
ramp = "1 mA/s"
"""
DIFFERENTIAL = DELTA.replace("resistance", "conductance").replace("delta", "differential")


def loaded(folder: Path, text: str) -> StationFile:
    path = folder / "dewar.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_station_file(path)


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, text)
    return [error.split("dewar.toml:", 1)[1] for error in str(caught.value).splitlines()]


@pytest.mark.parametrize("text", [DELTA, DIFFERENTIAL])
def test_a_meter_on_the_serial_line_is_for_delta_and_differential(tmp_path: Path, text: str) -> None:
    wiring = loaded(tmp_path, text + 'abort_ramp = "100 mA/s"').wiring["film"]
    assert wiring.drive == Drive(1.0, 1e-3, 0.1)


def test_no_abort_ramp_means_to_zero_within_a_second(tmp_path: Path) -> None:
    assert loaded(tmp_path, DELTA).wiring["film"].drive.abort_ramp_a_per_s is None


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('"relayed"', '"k2182a"', "meter", "needs k2182a on the serial line of k6221, which triggers and"),
        (
            '"k6221"\nmeter',
            '"k2182a"\nmeter',
            "source",
            "cannot be an alternating source; it is nanovoltmeter",
        ),
        ('"delta"', '"differential"', "method", "no method 'differential' for resistance; expected one of"),
        (
            '"delta"',
            '"mutual_inductance"',
            "method",
            "no method 'mutual_inductance' for resistance; expected",
        ),
        (LEADS, "", "[wiring", "the key 'wiring.film.leads' is missing"),
        (LEADS, LEADS + '\nseries = "1 kohm"', "series", "series belongs to no resistance by 'delta'; take"),
        (
            LEADS,
            LEADS + '\namplitude = "1..5 Oe"',
            "amplitude",
            "amplitude belongs to no resistance by 'delta'",
        ),
        (LEADS, LEADS + '\nbias_meter = "k2182a"', "bias_meter", "bias_meter belongs to no resistance by"),
        (LEADS, LEADS + '\nseries = "0 ohm"', "series", "series = 0 ohm must be above zero"),
        (
            '"1 V"',
            '"1 V"\nfield_constant = "100 Oe"',
            "field_con",
            "is a field; expected a field of a coil per",
        ),
        (
            '"1 V"',
            '"1 V"\npickup_constant = "2e-4 V"',
            "pickup",
            "expected a voltage of a pick-up coil per freq",
        ),
        ('"1 V"', '"1 V"\nfrequency = "10 kHz..10 Hz"', "freq", "goes down; expected the lower end first"),
    ],
)
def test_each_wrong_key_of_a_wiring_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, key: str, problem: str
) -> None:
    text = DELTA.replace(old, new)
    assert text != DELTA
    lines = (HEAD + text).splitlines()
    after = lines.index("[wiring.film]")
    number = 1 + next(n for n in range(after, len(lines)) if lines[n].startswith(key))
    assert any(error.startswith(f"{number}:1: ") and problem in error for error in refused(tmp_path, text))
