"""Analysing what is stored."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner.analyse import analyse
from onnes.runner.figure import draw
from onnes.runner.find_night import find_night
from onnes.runner.findings import find
from onnes.runner.results import NightResult, write_results
from onnes.runner.sample_file import load_sample_file
from onnes.storage.reader import Night
from tests.runner.conftest import NightMaker

MakeNight = Callable[..., NightMaker]

KELVIN = np.arange(2, 300, 5.0)


@pytest.fixture
def small_night(make_night: MakeNight) -> Path:
    return make_night().sweep(KELVIN, 0.0).close()


def test_a_night_gets_results_and_a_figure(small_night: Path) -> None:
    report = analyse(small_night)
    assert report.simulated
    assert report.night == small_night
    assert [run.name for run in report.runs] == ["01_resistivity-temperature_0Oe"]
    assert report.figure == small_night / "figure.png"
    assert report.figure.read_bytes().startswith(b"\x89PNG")
    assert report.messages == ()
    stored = json.loads((small_night / "results.json").read_text(encoding="utf-8"))
    assert stored["backend"] == "simulated"
    assert stored["results"] == [result.as_json() for result in report.results]
    assert not list(small_night.glob(".*"))


def test_a_run_alone_gets_its_own_results_and_figure(small_night: Path) -> None:
    [run] = small_night.glob("01_*")
    report = analyse(run)
    assert report.night == small_night
    assert report.runs == (run,)
    assert (run / "results.json").is_file()
    assert (run / "figure.png").is_file()


def test_a_run_that_was_copied_out_of_its_night_is_analysed(small_night: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(next(small_night.glob("01_*")), tmp_path / "copy"))
    report = analyse(run)
    assert report.night == run
    assert report.results


def test_analysing_again_gives_the_same_results(small_night: Path) -> None:
    analyse(small_night)
    first = (small_night / "results.json").read_bytes()
    analyse(small_night)
    assert (small_night / "results.json").read_bytes() == first


def test_a_night_that_was_killed_is_analysed_as_far_as_it_came(make_night: MakeNight) -> None:
    maker = make_night().sweep(KELVIN, 0.0)
    report = analyse(maker.path)
    assert report.results
    (message,) = report.messages
    assert message.startswith(f"{maker.path.name} is running (last heartbeat 2026-01-01T00:00:00")
    assert "look at the sources" in message


def test_a_night_without_runs_says_so(make_night: MakeNight) -> None:
    night = make_night().close("aborted")
    report = analyse(night)
    assert report.results == ()
    assert report.figure is None
    assert f"{night.name} has no run that can be analysed yet" in report.messages


def test_a_folder_that_is_neither_night_nor_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"neither a night nor a run; expected a folder with night\.json"
    ):
        analyse(tmp_path)


def test_results_that_cannot_be_written_are_an_error(small_night: Path) -> None:
    with pytest.raises(StorageError, match="cannot replace"):
        write_results(small_night / "gone", [], {"backend": "visa"})


def test_a_figure_that_cannot_be_written_is_an_error(small_night: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot replace"):
        draw(find(Night.open(small_night)), tmp_path / "gone" / "figure.png")


def test_a_night_is_found_by_its_folder_and_by_its_number(small_night: Path) -> None:
    runs = small_night.parents[1]
    assert find_night(str(small_night), runs) == small_night
    assert find_night("0001", runs) == small_night
    assert find_night("1", runs) == small_night


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0042", "there is no night 0042 in"),
        ("nowhere", "there is no folder nowhere; give the folder of a night or a run"),
    ],
)
def test_a_night_that_is_not_there_is_refused(small_night: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        find_night(text, small_night.parents[1])


def test_a_number_that_two_folders_have_is_refused(small_night: Path) -> None:
    shutil.copytree(small_night, small_night.with_name("copy_0001"))
    with pytest.raises(ConfigurationError, match="night 0001 is more than one in"):
        find_night("1", small_night.parents[1])


def test_a_result_is_json_without_nan() -> None:
    result = NightResult("x", "q", None, None, "1", "c", {"rms": float("nan"), "n": np.float64(2)}, ("why",))
    entries: dict[str, Any] = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert entries == {
        "id": "x",
        "quantity": "q",
        "value": None,
        "sigma": None,
        "unit": "1",
        "criterion": "c",
        "goodness": {"rms": None, "n": 2.0},
        "flags": ["why"],
        "paper": None,
    }


SAMPLE = """
sample = 1
id = "MB215-06"
version = 2
[geometry]
shape = "film"
length = "4.0 mm"
width = "1.0 mm"
thickness = "215 nm"
"""


def named(night: Path) -> Path:
    """Let the run of a night say which sample it measured."""
    path = night / "01_resistivity-temperature_0Oe" / "run.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    entries["sample"] = {"id": "MB215-06", "version": 1}
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def resistivity(results: tuple[NightResult, ...]) -> float:
    return next(result.value for result in results if result.unit == "ohm*cm" and result.value is not None)


def test_wrong_sizes_are_put_right_afterwards_and_the_recorded_ones_stay(
    small_night: Path, tmp_path: Path
) -> None:
    recorded = named(small_night).read_bytes()
    sample = tmp_path / "MB215-06.toml"
    sample.write_text(SAMPLE, encoding="utf-8")
    before = analyse(small_night)
    after = analyse(small_night, load_sample_file(sample))  # twice as long as was recorded
    assert resistivity(after.results) == pytest.approx(resistivity(before.results) / 2)
    assert "version 2" in after.messages[0]
    assert named(small_night).read_bytes() == recorded


def test_the_sizes_of_another_sample_are_refused(small_night: Path, tmp_path: Path) -> None:
    named(small_night)
    sample = tmp_path / "other.toml"
    sample.write_text(SAMPLE.replace("MB215-06", "NC-01"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"NC-01, which was not measured here; expected MB215-06"):
        analyse(small_night, load_sample_file(sample))
