"""The station file: what it says, and every way to get it wrong."""

from decimal import Decimal
from pathlib import Path

import pytest
from pymeasure.instruments import Instrument

from onnes.instruments.drivers import CLASSES
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.instrument_entry import DRIVERS
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.limits import Limits
from onnes.instruments.ppms import PPMS
from onnes.instruments.station_file import load_station_file

EXAMPLES = Path(__file__).parents[2] / "examples" / "stations"
GOOD = (EXAMPLES / "ppms9-sim.toml").read_text(encoding="utf-8")


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "ppms9.toml"
    path.write_text(text, encoding="utf-8")
    return path


def line(path: Path, start: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, text in enumerate(lines, start=1) if text.startswith(start))


def errors_of(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_station_file(path)
    return str(caught.value).replace(str(path), "ppms9.toml").splitlines()


@pytest.mark.parametrize(("name", "backend"), [("ppms9-sim", "simulated"), ("ppms9", "visa")])
def test_the_shipped_stations_are_good(name: str, backend: str) -> None:
    file = load_station_file(EXAMPLES / f"{name}.toml")
    assert (file.name, file.backend, file.path.stem) == (name, backend, name)
    assert file.limits.field == (Decimal(-90000), Decimal(90000))
    assert file.wiring["film"].compliance == Decimal(1)
    assert file.wiring["film"].abort_ramp == Decimal("0.1")
    assert file.defaults.settle.for_ == Decimal(60)
    assert file.helium is not None
    assert file.helium.minimum == Decimal("0.6")
    assert file.helium.use is not None
    assert file.helium.use.ramping == 0.01


def test_a_station_without_thermostat_and_magnetometer_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, ('thermostat = "ppms"\n', ""))
    assert errors_of(path) == [
        f"ppms9.toml:{line(path, '[roles]')}:1: roles names neither a thermostat nor a magnetometer; "
        "a station needs one of them"
    ]


def test_what_is_written_but_not_enforced_is_said_with_its_line(tmp_path: Path) -> None:
    path = changed(tmp_path)
    residual = line(path, "[residual_field]")
    told = (
        f"{path}:{residual}:1: residual_field is recorded and not yet enforced; "
        "correct fields near zero yourself",
    )
    assert load_station_file(path).not_enforced() == told
    path = changed(tmp_path, ('helium_gauge = "ppms"\n', ""), ("helium = { trip", "disk = {} # { trip"))
    minimum = line(path, "minimum =")
    assert load_station_file(path).not_enforced()[0] == (
        f"{path}:{minimum}:1: helium.minimum is recorded and not yet enforced; "
        "name a helium_gauge in [roles], or watch the level yourself"
    )
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[residual_field]")] + text[text.index("[safe_state]") :], "utf-8")
    assert load_station_file(path).not_enforced() == ()


def test_the_two_shipped_stations_differ_only_in_name_and_backend() -> None:
    one, other = (
        load_station_file(EXAMPLES / f"{name}.toml").model_dump() for name in ("ppms9-sim", "ppms9")
    )
    assert {key for key in one if one[key] != other[key]} == {"name", "title", "backend"}


def test_a_lab_that_is_a_path_does_not_depend_on_the_present_folder(tmp_path: Path) -> None:
    path = changed(tmp_path, ('lab = "demo"', 'lab = "../labs/mine.toml"'))
    assert load_station_file(path).lab == str((tmp_path / "../labs/mine.toml").resolve())
    assert load_station_file(EXAMPLES / "ppms9-sim.toml").lab == "demo"


def test_the_runs_lie_where_the_file_says_relative_to_itself(tmp_path: Path) -> None:
    assert load_station_file(changed(tmp_path)).runs_folder == tmp_path.parent / "runs"


def test_the_narrower_of_two_limits_counts_and_is_named(tmp_path: Path) -> None:
    narrowed = load_station_file(changed(tmp_path)).narrowed(
        Limits(1.9, 400.0, "K", "the PPMS"), None, Decimal(350)
    )
    assert (narrowed.low, narrowed.high, narrowed.set_by) == (1.9, 350.0, "ppms9.toml and the PPMS")


@pytest.mark.parametrize(
    ("old", "new", "where", "problem"),
    [
        ("station = 1", "station = 2", "station", "station = 2 is not allowed; expected 1"),
        ('backend = "simulated"', 'backend = "sim"', "backend", "expected 'visa' or 'simulated'"),
        ('backend = "simulated"', "", "# A PPMS", "the key 'backend' is missing"),
        (
            "[residual_field]",
            "[residual_feild]",
            "[residual_feild]",
            "did you mean 'residual_field'",
        ),
        ('compliance = "1 V"', 'complience = "1 V"', "complience", "did you mean 'compliance'"),
        ('compliance = "1 V"', 'compliance = "1"', "compliance", "'1' has no unit; expected a voltage"),
        ('compliance = "1 V"', 'compliance = "1 A"', "compliance", "'1 A' is a current; expected a voltage"),
        ('compliance = "1 V"', "compliance = nan", "compliance", "not a finite number"),
        ('compliance = "1 V"', 'compliance = "0 V"', "compliance", "compliance = 0 V must be above zero"),
        ('\nramp = "1 mA/s"', '\nramp = "-1 mA/s"', "ramp", "must be above zero"),
        ('field = "-9..9 T"', 'field = "9 T"', "field", "'9 T' is not a range"),
        ('field = "-9..9 T"', 'field = "9..-9 T"', "field", "expected the lower end first"),
        ('field = "-9..9 T"', "field = 9", "field", "9 is not a range; expected e.g."),
        (
            'driver = "ppms"',
            'driver = "pmps"',
            "driver",
            "no driver 'pmps'; did you mean 'ppms'?; there are ppms, multivu",
        ),
        ('magnet = "ppms"', 'magnet = "pms"', "magnet", "no instrument 'pms'; did you mean 'ppms'?"),
        ('magnet = "ppms"', 'magnet = "k6221"', "magnet", "k6221 (driver 'keithley6221') cannot be a magnet"),
        (
            'meter = "k2182a"',
            'meter = "k6221"',
            "meter",
            "cannot be a nanovoltmeter; it is alternating source, current source",
        ),
        (
            'method = "reversal"',
            'method = "bridge"',
            "method",
            "'bridge' for resistance cannot be built yet; expected one of reversal, delta, lock_in",
        ),
        (
            'method = "reversal"',
            'method = "delta"',
            "meter",
            "needs k2182a on the serial line of k6221, which",
        ),
        (
            'method = "reversal"',
            'method = "lock_in"',
            "meter",
            "k2182a (driver 'keithley2182a') cannot be a lock in; it is nanovoltmeter",
        ),
        (
            'measures = "resistance"',
            'measures = "conductance"',
            "method",
            "no method 'reversal' for conductance; expected one of lock_in, differential",
        ),
        ('compliance = "1 V"\n', "", "[wiring.film]", "the key 'wiring.film.compliance' is missing"),
        ('\nramp = "1 mA/s"\n', "\n", "[wiring.film]", "the key 'wiring.film.ramp' is missing"),
        (
            'compliance = "1 V"',
            'compliance = "1 V"\nseries = "1 kohm"',
            "series",
            "series belongs to no resistance by 'reversal'; take it out",
        ),
        (
            'method = "reversal"',
            'method = "reversel"',
            "method",
            "no method 'reversel' for resistance; did you mean 'reversal'?",
        ),
        (
            'resource = "GPIB0::7::INSTR"',
            'via = "k6221"',
            "meter",
            "method = 'reversal' would send each reading over it and hold the source meanwhile; ",
        ),
        (
            'resource = "GPIB0::7::INSTR"',
            'via = "ppms"',
            "via",
            "k2182a (driver 'keithley2182a') via ppms (dr",
        ),
        (
            'resource = "GPIB0::7::INSTR"',
            'resource = "GPIB0::7::INSTR"\nvia = "k6221"',
            'resource = "GPIB0::7',
            "resource: k2182a is heard through k6221, which has an address; take it out",
        ),
        (
            'resource = "GPIB0::7::INSTR"',
            'via = "k6221"\nbaud = 9800',
            "baud",
            "baud = 9800 is no rate of a 2182A; expected one of 300, 600, 1200, 2400, 4800, 9600, 19200",
        ),
        (
            'resource = "GPIB0::7::INSTR"',
            'resource = "GPIB0::7::INSTR"\nbaud = 9600',
            "baud",
            "baud belongs to a meter with via; k2182a has none; take it out",
        ),
        ('k6221 = { output = "off" }', 'k6221 = { sine = "4 mV" }', "k6221", "is no lock-in; take it out"),
        ('resource = "GPIB0::7::INSTR"', 'via = "k6222"', "via", "no instrument 'k6222'"),
        ('resource = "GPIB0::7::INSTR"', "", "[instruments.k2182a]", "k2182a has no address"),
        (
            'resource = "GPIB0::7::INSTR"',
            'resource = "GPIB0::7::INSTR"\ntimeout = "0 s"',
            "timeout",
            "above zero",
        ),
        (
            'k6221 = { output = "off" }',
            'k6211 = { output = "off" }',
            "k6211",
            "no instrument 'k6211'; did you mean",
        ),
        ('minimum = "60 %"', 'minimum = "100 %"', "minimum", "minimum = 100 % must be between 0 and 100 %"),
        ('output = "off"', 'output = "on"', "k6221", "safe_state.k6221.output = 'on' is not allowed"),
        ('idle = "0.4 %/h"', 'idle = "0.4 %"', "use", "is no rate of helium use"),
    ],
)
def test_each_wrong_key_or_value_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, where: str, problem: str
) -> None:
    path = changed(tmp_path, (old, new))
    start = f"ppms9.toml:{line(path, where)}:1: "
    assert any(found.startswith(start) and problem in found for found in errors_of(path))


def test_all_problems_are_told_at_once_in_order(tmp_path: Path) -> None:
    path = changed(tmp_path, ('compliance = "1 V"', 'compliance = "1"'), ('poll = "2 s"', 'pole = "2 s"'))
    assert [error.split(": ", 1)[1] for error in errors_of(path)] == [
        "wiring.film.compliance: '1' has no unit; expected a voltage; e.g. '1 V'",
        "unknown key 'defaults.pole'; did you mean 'poll'?",
    ]


def test_every_driver_name_has_a_class_and_every_class_its_capabilities() -> None:
    assert set(DRIVERS) == set(CLASSES)
    stock = {"ppms": PPMS, "keithley6221": Keithley6221, "keithley2182a": Keithley2182A}
    assert {name: CLASSES[name] for name in stock} == stock
    assert all(issubclass(kind, Instrument) for kind in stock.values())
