"""The interlocks of a station file: defaults, what replaces them, and every way to get them wrong."""

from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.interlock_table import InterlockLevel
from onnes.instruments.station_file import load_station_file

GOOD = (Path(__file__).parents[2] / "examples" / "stations" / "ppms9-sim.toml").read_text(encoding="utf-8")
HEADER = "[interlocks]"
GAUGE = 'helium_gauge = "ppms"\n'


def station_with(folder: Path, interlocks: str, *without: str) -> Path:
    """Write the shipped station with other interlocks, and without some of its lines."""
    start, end = GOOD.index(HEADER), GOOD.index("[safe_state]")
    text = f"{GOOD[:start]}{HEADER}\n{interlocks}\n{GOOD[end:]}"
    for line in without:
        assert line in text
        text = text.replace(line, "")
    path = folder / "ppms9.toml"
    path.write_text(text, encoding="utf-8")
    return path


def levels(folder: Path, interlocks: str, *without: str) -> dict[str, InterlockLevel]:
    return dict(load_station_file(station_with(folder, interlocks, *without)).interlocks)


def problem(folder: Path, interlocks: str, *without: str) -> str:
    path = station_with(folder, interlocks, *without)
    with pytest.raises(ConfigurationError) as caught:
        load_station_file(path)
    (told,) = str(caught.value).splitlines()
    number = path.read_text(encoding="utf-8").splitlines().index(HEADER) + 2
    where = f"{path}:{number}:1: "
    assert told.startswith(where)
    return told.removeprefix(where)


@pytest.mark.parametrize(
    ("name", "trip", "clear", "unit", "policy"),
    [
        ("temperature", 0.5, 0.0, "K", "safe_stop"),
        ("temperature_rate", 2.0, 1.0, "K/min", "safe_stop"),
        ("field", 1.0, 0.0, "%", "safe_stop"),
        ("helium", 60.0, 63.0, "%", "suspend"),
        ("helium_age", 1.0, 0.9, "h", "note"),
        ("chamber", 290.0, 292.0, "K", "suspend"),
        ("compliance", 1.0, 0.0, "readings", "suspend"),
        ("contact_open", 1.0, 0.0, "", "on_error"),
        ("reference_drift", 1.0, 0.5, "%", "note"),
        ("disk", 1.0, 2.0, "GB", "suspend"),
        ("foreign_setpoint", 1.0, 0.0, "", "suspend"),
        ("magnet_fault", 1.0, 0.0, "", "safe_stop"),
        ("heater_fault", 1.0, 0.0, "", "safe_stop"),
        ("link", 60.0, 0.0, "s", "suspend"),
        ("data_stall", 3.0, 1.5, "point times", "suspend"),
    ],
)
def test_each_interlock_has_its_default(
    tmp_path: Path, name: str, trip: float, clear: float, unit: str, policy: str
) -> None:
    level = levels(tmp_path, "")[name]
    assert (level.trip, level.clear, level.hold_s, level.unit) == (trip, clear, 30.0, unit)
    assert level.policy == policy
    if name != "helium":
        assert level.set_by == "default"


def test_there_are_no_others(tmp_path: Path) -> None:
    assert len(levels(tmp_path, "")) == 15


def test_the_helium_minimum_is_the_level_that_trips_and_is_named_with_its_line(tmp_path: Path) -> None:
    level = levels(tmp_path, "")["helium"]
    number = next(n for n, text in enumerate(GOOD.splitlines(), 1) if text.startswith("minimum"))
    assert level.set_by == f"{tmp_path / 'ppms9.toml'}:{number}"


def test_without_a_minimum_or_a_gauge_nothing_watches_the_helium(tmp_path: Path) -> None:
    start, end = GOOD.index("[helium]"), GOOD.index(HEADER)
    assert "helium" not in levels(tmp_path, "", GOOD[start:end])
    assert not [name for name in levels(tmp_path, "", GAUGE) if name.startswith("helium")]


def test_what_the_file_gives_replaces_the_default_key_by_key(tmp_path: Path) -> None:
    found = levels(
        tmp_path,
        """helium = { trip = "40 %", policy = "safe_stop" }
reference_drift = { trip = "0.5 %" }
disk = { clear = "5 GB" }
link = { hold = "2 min" }
field = { trip = "300 Oe" }
compliance = { trip = 3 }
helium_age = { trip = "90 min" }""",
    )
    path = tmp_path / "ppms9.toml"
    first = path.read_text(encoding="utf-8").splitlines().index(HEADER) + 2
    assert found["helium"] == InterlockLevel("helium", 40.0, 43.0, 30.0, "safe_stop", "%", f"{path}:{first}")
    assert (found["reference_drift"].trip, found["reference_drift"].clear) == (0.5, 0.25)
    assert (found["disk"].trip, found["disk"].clear) == (1.0, 5.0)
    assert (found["link"].trip, found["link"].hold_s) == (60.0, 120.0)
    assert (found["field"].trip, found["field"].clear, found["field"].unit) == (300.0, 0.0, "Oe")
    assert found["compliance"].trip == 3.0
    assert (found["helium_age"].trip, found["helium_age"].clear) == (1.5, 1.35)
    assert found["data_stall"].set_by == "default"


@pytest.mark.parametrize(
    ("interlock", "told"),
    [
        (
            'helium = { trip = "60 %", clear = "58 %" }',
            "interlocks.helium: interlock levels in the wrong order: it trips below 60 %, so clear = 58 % "
            "must be above that",
        ),
        (
            'helium = { clear = "60 %" }',
            "interlocks.helium: interlock levels in the wrong order: it trips below 60 %, so clear = 60 % "
            "must be above that",
        ),
        (
            'reference_drift = { clear = "1 %" }',
            "interlocks.reference_drift: interlock levels in the wrong order: it trips above 1 %, so clear = "
            "1 % must be below that",
        ),
        (
            'temperature = { trip = "0 K" }',
            "interlocks.temperature: interlock levels in the wrong order: it trips above 0 K, so clear = 0 K "
            "must be below that",
        ),
        (
            'magnet_fault = { policy = "suspend" }',
            "interlocks.magnet_fault: policy = 'suspend' is not allowed for magnet_fault; "
            "expected 'safe_stop'",
        ),
        (
            'heater_fault = { policy = "note" }',
            "interlocks.heater_fault: policy = 'note' is not allowed for heater_fault; expected 'safe_stop'; "
            "only helium_age, reference_drift, data_stall may be just noted",
        ),
        (
            'link = { policy = "on_error" }',
            "interlocks.link: policy = 'on_error' is not allowed for link; expected 'suspend' or 'safe_stop'",
        ),
        (
            'link = { policy = "suspnd" }',
            "interlocks.link: no policy 'suspnd'; did you mean 'suspend'?",
        ),
        ('heluim = { trip = "60 %" }', "no interlock 'heluim'; did you mean 'helium'?"),
        ("overload = {}", "the interlock 'overload' comes with lock-ins, which cannot be built yet"),
        ("unlock = {}", "the interlock 'unlock' comes with lock-ins, which cannot be built yet"),
        (
            'helium = { trip = "120 %" }',
            "interlocks.helium: trip = 120 % is outside [0, 100] %",
        ),
        (
            'helium = { trip = "98 %" }',
            "interlocks.helium: clear, which follows from trip, = 101 % is outside [0, 100] %",
        ),
        ('link = { trip = "20 min" }', "interlocks.link: trip = 1200 s is outside [0, 900] s"),
        ('link = { hold = "-1 s" }', "interlocks.link: hold = -1 s is outside [0, 86400] s"),
        (
            'link = { trip = "60 K" }',
            "interlocks.link: trip: '60 K' is a temperature; expected a time in s, ms, min or h; e.g. '60 s'",
        ),
        (
            "disk = { trip = 1 }",
            "interlocks.disk: trip = 1 has no unit; expected an amount of data in GB or MB; e.g. '1 GB'",
        ),
        (
            'data_stall = { trip = "3 s" }',
            "interlocks.data_stall: trip = '3 s' is no number of point times; e.g. trip = 3",
        ),
        (
            'field = { trip = "2 %", clear = "10 Oe" }',
            "interlocks.field: trip is in % and clear in Oe; give both in one unit",
        ),
        ('field = { clear = "10 Oe" }', "interlocks.field: clear is in Oe; give trip in Oe too"),
        (
            'magnet_fault = { trip = "1 %" }',
            "interlocks.magnet_fault: trip: it has no level, it is or it is not; expected hold or policy",
        ),
        ("link = { trap = 1 }", "unknown key 'interlocks.link.trap'; did you mean 'trip'?"),
    ],
)
def test_each_wrong_interlock_is_told_in_one_sentence_with_its_line(
    tmp_path: Path, interlock: str, told: str
) -> None:
    assert problem(tmp_path, interlock) == told


@pytest.mark.parametrize("name", ["helium", "helium_age"])
def test_a_station_without_a_helium_gauge_has_no_helium_interlock(tmp_path: Path, name: str) -> None:
    assert problem(tmp_path, f'{name} = {{ policy = "suspend" }}', GAUGE) == (
        f"the interlock {name!r} needs a helium gauge, and [roles] names none; take it out"
    )


def test_a_helium_interlock_needs_a_level_from_somewhere(tmp_path: Path) -> None:
    start, end = GOOD.index("[helium]"), GOOD.index(HEADER)
    assert problem(tmp_path, 'helium = { policy = "suspend" }', GOOD[start:end]) == (
        "interlocks.helium: there is no level to trip at; give trip here, or minimum in [helium]"
    )
