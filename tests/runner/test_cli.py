"""The command line as a person or a program meets it: exit codes, one message each, one JSON object."""

import json
import os
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from onnes.instruments.clock import WallClock
from onnes.runner import nights
from onnes.runner.cli import cli
from onnes.runner.plan import make_plan
from onnes.storage.reader import Night

EXAMPLES = Path(__file__).parents[2] / "examples"

SEQUENCE = """\
sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
finish: {field: 0 Oe}
steps:
  - resistivity:
      temperature: {sweep: 300 K .. 290 K, rate: 5 K/min, every: 1 K}
      current: 100 uA
      settle: {for: 20 s, then_wait: 1 s}
      self_heating_check: false
"""
# So many times real time: a transaction's 2 s are then 80 ms, which a busy machine still keeps.
PACE = "25"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("station", "sample"):
        text = files("onnes.runner").joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "night.yaml").write_text(SEQUENCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def onnes(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False)


def answer(result: Result) -> dict[str, Any]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.usefixtures("folder")
def test_a_night_runs_and_answers_with_one_json_object() -> None:
    result = onnes("run", "night.yaml", "--json")
    found = answer(result)
    assert (result.exception, result.return_value) == (None, 0)
    assert found["simulated"] is True
    assert Night.open(Path(found["night"])).status == "finished"
    assert [Path(run).parent for run in found["runs"]] == [Path(found["night"])]


@pytest.mark.usefixtures("folder")
def test_a_film_of_the_paper_is_compared_under_the_papers_own_keys() -> None:
    found = answer(onnes("run", "night.yaml", "--json"))
    assert "000-rho-minimum" in {result["id"] for result in found["results"]}


@pytest.mark.parametrize(
    ("example", "keys"),
    [
        ("001-transport", {"001-hc2-0", "001-hc2-alpha"}),
        ("003-transport", {"003-tc1", "003-tc2", "003-rho-300"}),
    ],
)
def test_the_transport_of_a_paper_is_compared_with_it(example: str, keys: set[str]) -> None:
    assert keys <= set(nights._compared(make_plan(EXAMPLES / f"{example}.yaml")))


def test_a_person_reads_where_the_night_is_and_that_it_is_simulated(folder: Path) -> None:
    result = onnes("run", "night.yaml")
    assert "SIMULATED" in result.stdout
    assert str(folder / "runs") in result.stdout.replace("\n", "")


@pytest.mark.usefixtures("folder")
def test_a_night_is_analysed_again_by_its_number() -> None:
    first = answer(onnes("run", "night.yaml", "--json"))
    again = answer(onnes("analyse", "1", "--json"))
    assert again["results"] == first["results"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("night.yaml", "current: 100 uA", "curent: 100 uA", "night.yaml:10:7: unknown key 'curent'"),
        ("night.yaml", "100 uA", "100", "night.yaml:10:16: '100' has no unit"),
        ("night.yaml", "100 uA", "100 K", "night.yaml:10:16: '100 K' is a temperature"),
        ("night.yaml", "100 uA", "nan uA", "night.yaml:10:16: "),
        ("night.yaml", "every: 1 K", "every: 0 K", "night.yaml:9:"),
        ("night.yaml", "290 K", "400 K", "night.yaml:9:"),
        ("night.yaml", "100 uA", "1 mA", "night.yaml:10:16: 1 mA is above 0.5 mA"),
        ("night.yaml", "station: station.toml", "station: nowhere", "night.yaml:2:10: "),
        ("night.yaml", "sample.toml", "nothing.toml", "night.yaml:3:16: "),
        ("station.toml", 'driver = "ppms"', 'driver = "pmps"', "no driver 'pmps'; did you mean 'ppms'"),
        ("station.toml", 'lab = "demo"', 'lab = "demmo"', "demmo"),
        ("station.toml", 'name = "demo"', 'nmae = "demo"', "did you mean 'name'"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_is_typed_wrong_is_one_message_and_exit_code_2(
    folder: Path, command: str, file: str, old: str, new: str, message: str
) -> None:
    edit(folder / file, old, new)
    result = onnes(command, "night.yaml", "--json")
    found = answer(result)
    assert (result.exception, result.return_value) == (None, 2)
    texts = found["errors"] if command == "check" else found["messages"]
    assert any(message in text for text in texts), texts
    assert not list((folder / "runs").glob("*/*/night.json"))


def test_a_real_station_is_refused_where_the_environment_selects_the_virtual_lab(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder / "station.toml", 'backend = "simulated"', 'backend = "visa"')
    monkeypatch.setenv("PYVISA_LIBRARY", "@onnes")
    result = onnes("run", "night.yaml", "--json")
    assert result.return_value == 2
    assert "unset PYVISA_LIBRARY" in answer(result)["messages"][0]


@pytest.mark.usefixtures("folder")
def test_a_simulated_station_is_refused_where_the_environment_selects_another_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", "@sim")
    result = onnes("run", "night.yaml", "--json")
    assert result.return_value == 2
    assert "unset PYVISA_LIBRARY" in answer(result)["messages"][0]


def test_a_real_station_without_a_visa_library_says_what_to_install(folder: Path) -> None:
    edit(folder / "station.toml", 'backend = "simulated"', 'backend = "visa"')
    result = onnes("run", "night.yaml", "--json")
    assert result.return_value == 2
    assert "VISA library" in answer(result)["messages"][0]
    assert not list((folder / "runs").glob("*/*/night.json"))


def test_an_empty_address_asks_for_multivu(folder: Path) -> None:
    edit(folder / "station.toml", "GPIB0::15::INSTR", "GPIB0::16::INSTR")
    result = onnes("run", "night.yaml", "--json")
    assert result.return_value == 2
    assert "is MultiVu running? it owns the GPIB board" in answer(result)["messages"][0]


def test_what_the_magnet_itself_does_not_allow_is_refused_before_anything_is_sent(folder: Path) -> None:
    (folder / "small.toml").write_text("[magnet]\nmax_oe = 50000\n", encoding="utf-8")
    edit(folder / "station.toml", 'lab = "demo"', 'lab = "small.toml"')
    edit(folder / "night.yaml", "      current:", "      field: 7 T\n      current:")
    result = onnes("run", "night.yaml", "--json")
    assert result.return_value == 2
    assert "night.yaml:10:14: 7 T is above 5 T" in answer(result)["messages"][0]
    assert not list((folder / "runs").glob("*/*/night.json"))


def test_speed_and_seed_are_refused_for_a_real_station(folder: Path) -> None:
    edit(folder / "station.toml", 'backend = "simulated"', 'backend = "visa"')
    for option in (["--seed", "3"], ["--real-time", "10"]):
        result = onnes("run", "night.yaml", *option)
        assert result.return_value == 2
        assert "has no virtual lab" in result.stderr


@pytest.mark.usefixtures("folder")
def test_an_unknown_night_is_one_message() -> None:
    result = onnes("analyse", "42")
    assert result.return_value == 2
    assert "there is no night 0042" in result.stderr


def test_the_command_line_starts_without_qt_and_without_the_heavy_libraries() -> None:
    code = (
        "import sys, onnes.runner.cli\n"
        "heavy = ['PySide6', 'PyQt6', 'PyQt5', 'qtpy', 'pyqtgraph', 'pandas', 'scipy', 'matplotlib']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_whole_night_imports_no_qt() -> None:
    code = (
        "import sys, onnes.runner.nights\n"
        "print([name for name in ('PySide6', 'PyQt6', 'PyQt5', 'qtpy', 'pyqtgraph') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_a_killed_night_can_be_read_and_is_not_finished(folder: Path, rows: int) -> None:
    wall = WallClock()
    command = [sys.executable, "-m", "onnes.runner.cli", "run", "night.yaml", "--real-time", PACE]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        try:
            while stored_rows(folder) < rows or not list(folder.glob("runs/*/*/night.json")):
                assert process.poll() is None, process.communicate()
                assert wall.now() < 60
                wall.sleep(0.01)
        finally:
            process.kill()
    night = Night.open(next(folder.glob("runs/*/*/night.json")).parent)
    assert night.status == "running"
    for run in night.runs:
        assert run.status == "running"
        assert len(run.data) >= rows
        assert run.data.empty or run.data["Resistance (ohm)"].notna().all()


@pytest.mark.skipif(sys.platform == "win32", reason="a console event cannot be sent to one child alone there")
@pytest.mark.parametrize(
    ("signals", "status"),
    [
        ([signal.SIGINT], "stopped"),
        ([signal.SIGTERM], "stopped"),
        ([signal.SIGINT, signal.SIGINT], "aborted"),
        ([signal.SIGINT] * 5, "aborted"),
    ],
    ids=["ctrl-c", "terminated", "twice", "a burst"],
)
def test_a_signal_ends_a_night_in_its_safe_state(
    folder: Path, signals: list[signal.Signals], status: str
) -> None:
    edit(folder / "night.yaml", "300 K .. 290 K", "300 K .. 50 K")
    wall = WallClock()
    command = [sys.executable, "-m", "onnes.runner.cli", "run", "night.yaml", "--real-time", PACE, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while stored_rows(folder) < 1:
                assert process.poll() is None, process.communicate()
                assert wall.now() < 60
                wall.sleep(0.01)
            for number in signals:
                process.send_signal(number)
                wall.sleep(0.02)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    night = Night.open(Path(json.loads(output)["night"]))
    assert (process.returncode, night.status) == (4, status), errors
    assert f"{night.path}; from another terminal: onnes status 1, onnes pause 1, onnes stop 1" in errors
    kinds = list(night.events["kind"])
    assert "safe_state" in kinds
    assert "safe_state_failed" not in kinds


def stored_rows(folder: Path) -> int:
    files_ = list(folder.glob("runs/*/*/*/data.csv"))
    if not files_:
        return -1
    return sum(not line.startswith(b"#") for line in files_[0].read_bytes().splitlines()) - 1


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("speed", ["nan", "inf", "0", "abc"])
def test_a_speed_that_is_none_is_a_usage_error(speed: str) -> None:
    result = CliRunner().invoke(cli, ["run", "night.yaml", "--real-time", speed])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("folder")
def test_damaged_data_are_told_and_seen_from_the_exit_code() -> None:
    night = Path(answer(onnes("run", "night.yaml", "--json"))["night"])
    data = next(night.glob("*/data.csv"))
    data.unlink()
    result = onnes("analyse", "1", "--json")
    assert result.return_value == 3
    assert any("data.csv" in flag for found in answer(result)["results"] for flag in found["flags"])


def test_a_station_on_the_command_line_is_also_looked_for_beside_the_sequence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "stations").mkdir()
    (folder / "station.toml").rename(folder / "stations" / "other.toml")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert onnes("check", str(folder / "night.yaml"), "--station", "other").return_value == 0
