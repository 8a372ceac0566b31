from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.runner.known_residual import known_residual, usual_source
from onnes.runner.residual_calibration import load_residual_calibration

ENTRY = """[[entry]]
after = "oscillate"
degauss_from = "1 T"
residual = "-2.1 Oe"
uncertainty = "0.3 Oe"
measured = 2026-01-12
method = "pd"
"""
OTHERS = """[[entry]]
after = "oscillate"
degauss_from = "5 T"
residual = "-3 Oe"
uncertainty = "0.5 Oe"
measured = 2026-02-01
method = "hall_probe"
[[entry]]
after = "oscillate"
degauss_from = "1 T"
residual = "-1.8 Oe"
uncertainty = "0.2 Oe"
measured = 2026-03-01
method = "hall_probe"
"""
STATION = Path(__file__).parents[2] / "examples" / "stations" / "ppms9-sim.toml"


def _station(tmp_path: Path, calibration: str | None, table: str = "") -> StationFile:
    text = STATION.read_text(encoding="utf-8")
    head, _, rest = text.partition("[residual_field]")
    own = '[residual_field]\nafter_max_field = "20 Oe"\nafter_oscillate = "5 Oe"\n' if not table else ""
    if calibration is not None:
        (tmp_path / "pd.toml").write_text(calibration, encoding="utf-8")
        own += 'calibration = "pd.toml"\n'
    path = tmp_path / "station.toml"
    path.write_text(f"{head}{own}[helium]{rest.partition('[helium]')[2]}", encoding="utf-8")
    return load_station_file(path)


def test_the_nearest_entry_of_the_same_way_to_zero_counts(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY}{OTHERS}")
    far = known_residual(station, "ppms", "calibration", "oscillate", 40_000.0)
    assert (far["value_oe"], far["sigma_oe"]) == (-3.0, 0.5)
    assert str(far["known"]).endswith(
        "pd.toml:9, measured 2026-02-01 by hall_probe after oscillate from 50000 Oe"
    )


def test_of_two_entries_as_near_the_one_measured_last_counts(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY}{OTHERS}")
    assert known_residual(station, "ppms", "calibration", "oscillate", 1e4)["value_oe"] == -1.8


def test_repeats_of_one_night_count_together_with_the_spread_of_the_next(tmp_path: Path) -> None:
    values = (-2.0, -1.0, 0.0, 1.0, 2.0)
    entries = "".join(ENTRY.replace("-2.1", f"{value}") for value in values)
    night = entries.replace("2026-01-12", "2026-01-13", 2)  # it passed midnight
    old = ENTRY.replace("-2.1", "4").replace("2026-01-12", "2025-12-01")  # a former time does not count
    station = _station(tmp_path, f"calibration = 1\n{old}{night}")
    found = known_residual(station, "ppms", "calibration", "oscillate", 1e4)
    assert found["value_oe"] == 0.0
    # Standard deviation 1.58 Oe, that of one more about the mean of five, and Student's factor for five.
    assert found["sigma_oe"] == pytest.approx(1.5811 * 1.2**0.5 * 1.14, rel=1e-3)
    assert "measured 2026-01-13 by pd, 5 times after oscillate from 10000 Oe" in str(found["known"])


def test_repeats_that_agree_are_no_better_known_than_one(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY}{ENTRY}")
    assert known_residual(station, "ppms", "calibration", "oscillate", 1e4)["sigma_oe"] == 0.3


def test_pd_takes_only_what_a_palladium_standard_gave(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY}{OTHERS}")
    assert known_residual(station, "ppms", "pd", "oscillate", 1e4)["value_oe"] == -2.1


def test_a_way_to_zero_that_was_never_calibrated_is_refused(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY}")
    with pytest.raises(ValueError, match=r"no residual field measured after linear; it has oscillate by pd"):
        known_residual(station, "ppms", "calibration", "linear", 1e4)


def test_a_station_without_a_calibration_says_how_to_get_one(tmp_path: Path) -> None:
    station = _station(tmp_path, None)
    assert usual_source(station) == "estimate"
    with pytest.raises(ValueError, match=r"names no calibration; measure one with a palladium standard"):
        known_residual(station, "ppms", "calibration", "oscillate", 1e4)


def test_an_estimate_is_what_the_station_says_of_the_way_to_zero(tmp_path: Path) -> None:
    station = _station(tmp_path, None)
    found = known_residual(station, "ppms", "estimate", "oscillate", 1e4)
    assert found["bound_oe"] == 5.0
    assert "residual_field.after_oscillate" in str(found["known"])
    assert known_residual(station, "ppms", "estimate", "linear", 1e4)["bound_oe"] == 20.0


def test_a_calibration_that_is_not_there_is_told_with_the_line_that_names_it(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY}")
    (tmp_path / "pd.toml").unlink()
    told = (
        r"station\.toml:\d+:1: there is no calibration .*pd\.toml yet; measure a palladium standard and write"
    )
    with pytest.raises(ConfigurationError, match=told):
        known_residual(station, "ppms", "calibration", "oscillate", 1e4)


def test_a_calibration_that_is_wrong_is_told_with_both_lines(tmp_path: Path) -> None:
    station = _station(tmp_path, f"calibration = 1\n{ENTRY.replace('0.3 Oe', '0 Oe')}")
    told = r"station\.toml:\d+:1: the calibration cannot be used: .*pd\.toml:6:1: uncertainty = 0 Oe is not"
    with pytest.raises(ConfigurationError, match=told):
        known_residual(station, "ppms", "calibration", "oscillate", 1e4)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("calibration = 1\n", "1:1: the key 'entry' is missing"),
        (f"calibration = 1\n{ENTRY}".replace("0.3 Oe", "0 Oe"), "6:1: uncertainty = 0 Oe is not above zero"),
        (f"calibration = 1\n{ENTRY}".replace("0.3 Oe", "0.3"), "6:1: entry.0.uncertainty: '0.3' has no unit"),
        (f"calibration = 1\n{ENTRY}".replace("method", "methd"), "8:1: unknown key 'entry.0.methd'"),
        (f"calibration = 1\n{ENTRY}".replace('"pd"', '"squid"'), "8:1: entry.0.method = 'squid'"),
    ],
)
def test_a_wrong_calibration_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "pd.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_residual_calibration(path)
    assert any(line.startswith(f"{path}:{problem}") for line in str(caught.value).splitlines()), caught.value
