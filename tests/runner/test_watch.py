"""A night as it goes: nothing old is shown as live, nothing is read twice, nothing is touched."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from onnes.instruments.errors import StorageError
from onnes.runner import file_tail, text_curve
from onnes.runner.file_tail import Follower, labels_of, last_lines, last_rows
from onnes.runner.find_night import RUNS
from onnes.runner.night_state import judge
from onnes.runner.text_curve import TextCurve, picture
from onnes.runner.watch import NightView, strip, watch
from onnes.storage.owner_lock import OwnerLock
from tests.runner.conftest import OpenNight, stored_point


@pytest.fixture
def night(open_night: OpenNight) -> Iterator[OpenNight]:
    """A night whose runner lives."""
    with OwnerLock(open_night.path / "owner.lock", {}):
        yield open_night


def on_hardware(night: OpenNight) -> None:
    night.edit(backend="visa", lab=None, seed=None)


def shown(night: OpenNight) -> str:
    return strip(judge(night.path, night.wall), night.wall)


def test_the_strip_shows_what_was_read_last(night: OpenNight) -> None:
    assert shown(night) == (
        "T 4.200 K stable  |  H 20000.0 Oe persistent  |  He 63 % (recent)  |  k6221 on  |  running"
    )


def test_a_reading_that_failed_is_a_dash(night: OpenNight) -> None:
    night.environment(**{"Temperature (K)": float("nan"), "Temperature state": "CommunicationError"})
    assert shown(night).startswith("T - K CommunicationError  |  ")


def test_values_older_than_three_periods_carry_their_age(night: OpenNight) -> None:
    on_hardware(night)
    night.wall.sleep(10)
    night.environment()  # a row in 10 s
    night.wall.sleep(30)
    assert " old]" not in shown(night)
    night.wall.sleep(1)
    assert shown(night).startswith(
        "T 4.200 K stable [31 s old]  |  H 20000.0 Oe persistent [31 s old]  |  He "
    )


def test_of_a_virtual_night_the_age_is_lab_time(night: OpenNight) -> None:
    night.state(state="running", temperature_k=4.2, lab_time="2026-01-01T00:01:30+00:00")
    assert " old]" not in shown(night)
    night.state(state="running", temperature_k=4.2, lab_time="2026-01-01T00:01:31+00:00")
    assert "T 4.200 K stable [91 s old]" in shown(night)


def test_values_of_a_virtual_night_without_a_heartbeat_are_old(night: OpenNight) -> None:
    night.state(state="running", temperature_k=4.2, lab_time="2026-01-01T00:00:00+00:00")
    night.wall.sleep(100)
    assert "T 4.200 K stable [100 s old]" in shown(night)


def test_the_last_values_of_a_night_that_has_ended_say_when_they_were_read(open_night: OpenNight) -> None:
    open_night.edit(status="finished", safe_state_confirmed=True)
    assert shown(open_night).startswith("T 4.200 K stable [last, 00:00:00 UTC]  |  ")


def test_a_row_without_its_time_has_an_unknown_age(night: OpenNight) -> None:
    night.environment(**{"Time UTC": ""})
    assert "T 4.200 K stable [age unknown]" in shown(night)


def test_before_the_first_row_there_are_only_dashes(night: OpenNight) -> None:
    (night.path / "environment.csv").write_bytes(b"")
    assert shown(night) == "T -  |  H -  |  He -  |  source -  |  nothing has been read yet"


def test_a_frame_has_headline_strip_curve_events_and_end(night: OpenNight) -> None:
    night.state(state="running", points=5, point=3, doing="settling 7 K", ends_at="2026-01-01T04:05:00+00:00")
    view = NightView(night.path, night.wall)
    view.look()
    lines = view.lines(40, plain=True)
    assert lines[0].startswith("SIMULATED  running, step 2 of 3, point 3 of 5, ends at ")
    assert lines[1].startswith("T 4.200 K stable")
    assert lines[3] == (
        "Resistance (ohm) 0.4 .. 0.6 against Temperature (K) 4 .. 6, 3 points, 02_resistivity-temperature_0Oe"
    )
    assert [line.count("*") for line in lines[4:16] if line.strip()] == [1, 1, 1]
    assert lines[17] == "00:00:00 UTC  started: night of 3 steps"
    assert lines[18] == "doing    settling 7 K"
    assert re.fullmatch(r"ends at  \w{3} \d\d:\d\d", lines[19])


def test_events_and_points_that_come_are_added_once(night: OpenNight) -> None:
    view = NightView(night.path, night.wall)
    view.look()
    for kelvin in (7.0, 8.0):
        night.run.append(stored_point(kelvin))
        night.folder.event("settled", f"{kelvin:.0f} K", {}, night.wall)
        view.look()
    text = "\n".join(view.lines(40, plain=True))
    assert "against Temperature (K) 4 .. 8, 5 points" in text
    assert text.count("settled: 7 K") == text.count("settled: 8 K") == text.count("started:") == 1


def test_a_drive_that_is_gone_is_said_and_the_last_state_kept(
    night: OpenNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = NightView(night.path, night.wall)

    def gone(*_: object) -> None:
        raise StorageError("cannot read night.json: no such device")

    monkeypatch.setattr("onnes.runner.watch.judge", gone)
    view.look()
    lines = view.lines(40, plain=True)
    assert lines[0].startswith("SIMULATED  running")
    assert lines[1] == "CANNOT BE READ, this is what was read last: cannot read night.json: no such device"


def a_terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def test_watching_ends_when_the_night_ends(night: OpenNight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        night.wall, "sleep", lambda _: night.edit(status="stopped", safe_state_confirmed=True)
    )
    console = a_terminal()
    answer = watch(None, RUNS, night.wall, console)
    assert isinstance(console.file, io.StringIO)
    assert "running, step 2 of 3" in console.file.getvalue()
    assert (answer.exit_code, answer.as_json()["state"]) == (4, "stopped")


def test_ctrl_c_leaves_the_night_alone(night: OpenNight, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(night.wall, "sleep", press)
    before = sorted((path, path.read_bytes()) for path in night.path.rglob("*") if path.is_file())
    answer = watch(None, RUNS, night.wall, a_terminal())
    assert (answer.exit_code, answer.as_json()["state"]) == (0, "running")
    assert answer.as_json()["messages"] == ["you look on no more; the night goes on"]
    assert before == sorted((path, path.read_bytes()) for path in night.path.rglob("*") if path.is_file())


def test_one_frame_is_printed_without_waiting(night: OpenNight) -> None:
    console = Console(file=io.StringIO(), width=40)
    watch("1", RUNS, night.wall, None).print(console)
    assert isinstance(console.file, io.StringIO)
    assert "T 4.200 K stable" in console.file.getvalue()
    assert night.wall.now() == 0.0


def test_a_long_run_is_drawn_from_a_part_of_its_points(
    night: OpenNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_curve, "_MOST_POINTS", 10)
    for index in range(100):
        night.run.append(stored_point(7.0 + index))
    curve = TextCurve(night.run.path)
    curve.look()
    assert curve.rows == 103
    assert 5 <= len(curve._points) <= 10
    assert curve._points[0] == (4.0, 0.4)


def test_points_without_a_number_are_not_drawn(night: OpenNight) -> None:
    night.run.append(stored_point(float("nan")))
    curve = TextCurve(night.run.path)
    curve.look()
    assert (curve.rows, len(curve._points)) == (4, 3)


def test_a_run_without_points_says_so(tmp_path: Path) -> None:
    curve = TextCurve(tmp_path / "01_resistivity-temperature_0Oe")
    curve.look()
    assert curve.lines(10, 2, plain=True) == ["01_resistivity-temperature_0Oe: no point to draw yet"]


@pytest.mark.parametrize(
    ("name", "label"),
    [("01_zfc-fc_50Oe", "Temperature (K) 4 .. 5"), ("02_magnetization-loop_5K", "Field (Oe) 10 .. 20")],
)
def test_moments_are_drawn_against_what_was_swept(tmp_path: Path, name: str, label: str) -> None:
    (tmp_path / name).mkdir()
    rows = "Temperature (K),Field (Oe),Moment (emu)\n4.0,10.0,-1e-3\n5.0,20.0,-2e-3\n"
    (tmp_path / name / "data.csv").write_text(rows, encoding="utf-8")
    curve = TextCurve(tmp_path / name)
    curve.look()
    assert curve.lines(2, 2, plain=True) == [
        f"Moment (emu) -0.002 .. -0.001 against {label}, 2 points, {name}",
        "* ",
        " *",
    ]


def test_a_picture_is_drawn_with_braille_where_the_terminal_has_it() -> None:
    assert picture([(0, 0), (1, 1)], 1, 1, plain=False) == ["\N{BRAILLE PATTERN DOTS-47}"]


def test_a_picture_of_one_point_or_a_constant_is_no_division_by_zero() -> None:
    assert picture([(4.2, 1.0)], 2, 2, plain=True) == ["  ", "* "]


def test_a_follower_gives_each_line_once_and_waits_for_whole_ones(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    follower = Follower(file)
    assert list(follower.lines()) == []
    file.write_bytes(b"one\ntw")
    assert list(follower.lines()) == ["one"]
    with file.open("ab") as more:
        more.write(b"o\nthree\n")
    assert list(follower.lines()) == ["two", "three"]
    assert list(follower.lines()) == []


def test_a_follower_reads_long_files_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_tail, "_BLOCK_BYTES", 8)
    file = tmp_path / "data.csv"
    file.write_bytes(b"".join(b"%d\n" % number for number in range(100)))
    assert list(Follower(file).lines()) == [str(number) for number in range(100)]


def test_a_file_that_lost_its_end_is_followed_from_there(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"one\ntwo\n")
    follower = Follower(file)
    list(follower.lines())
    file.write_bytes(b"one\n")
    list(follower.lines())
    file.write_bytes(b"one\nthree\n")
    assert list(follower.lines()) == ["three"]


def test_the_tail_of_a_file_has_whole_lines_only(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"first\nsecond\nthird\nbeing writ")
    assert last_lines(file) == ["first", "second", "third"]
    assert last_lines(file, most_bytes=20) == ["third"]
    assert last_lines(tmp_path / "none") == []


def test_rows_of_a_table_are_read_from_its_end_under_the_labels_of_its_head(
    night: OpenNight, tmp_path: Path
) -> None:
    night.environment(**{"Helium age": "12 s, then none"})
    assert [row["Helium age"] for row in last_rows(night.path / "environment.csv")] == [
        "recent",
        "12 s, then none",
    ]
    (tmp_path / "torn.csv").write_bytes(b"#Onnes: {}\nTime UT")
    assert labels_of(tmp_path / "torn.csv") == []
