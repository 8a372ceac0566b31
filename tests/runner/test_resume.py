"""A night whose runner is gone is taken up where its files say, and measures each setpoint once."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import WallClock
from onnes.runner.night_thread import NightThread
from onnes.runner.requests import Request
from onnes.runner.resume import left_night, ran_on
from onnes.sim.device_k6221 import K6221
from onnes.sim.lab import VirtualLab
from onnes.sim.link import Link
from onnes.storage.append_file import AppendFile
from onnes.storage.environment import ENVIRONMENT
from onnes.storage.reader import Night
from onnes.storage.run import RunFolder
from tests.runner.left_nights import (
    AT_40_K,
    FREE,
    HEAD,
    PATH,
    LeftNights,
    attempts,
    events,
    finished_runs,
    is_whole,
    nothing_is_lost,
    rows_of,
)


@dataclass(frozen=True)
class Kind:
    sequence: str
    under: dict[str, Any] | None = None


SWEPT_FIELD = (
    HEAD
    + """
  - isotherms:
      temperature: [300 K, 299 K]
      field: {sweep: -300 Oe .. 300 Oe, rate: 10 Oe/s, every: 100 Oe}
      current: 100 uA
"""
)
LOOP = (
    HEAD
    + """
  - for: {field: [0 Oe, 500 Oe]}
    do:
      - resistivity: {temperature: [300 K, 299 K, 298 K], current: 100 uA}
      - wait: 2 min
"""
)
KINDS = {
    "a free night with settled and swept steps": Kind(FREE),
    "isotherms with a history and a reference": Kind(PATH, AT_40_K),
    "swept isotherms": Kind(SWEPT_FIELD),
    "a loop over fields": Kind(LOOP),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_night_left_at_any_write_is_taken_up_and_measures_each_setpoint_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    nights = LeftNights(tmp_path, KINDS[kind].sequence, KINDS[kind].under)
    with monkeypatch.context() as watched:
        _copy_at_every_write(watched, nights, step=24)
        nights.run()
    is_whole(nights.path)
    left = [copy for copy in nights.copies if Night.open(copy).status == "running"]
    assert len(left) >= 3
    for copy in left:
        before, finished = rows_of(copy), finished_runs(copy)
        outcome = nights.take_up(copy)
        assert (outcome.status, outcome.safe) == ("finished", True), outcome.message
        nothing_is_lost(before, copy)
        is_whole(copy)
        assert {name: (copy / name).read_bytes() for name in finished} == finished


def _copy_at_every_write(patch: pytest.MonkeyPatch, nights: LeftNights, step: int) -> None:
    """Keep a copy of the folder after every ``step``-th row, rename and folder that is made."""
    count = -1

    def then_copy(write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*args: Any, **options: Any) -> Any:
            nonlocal count
            found = write(*args, **options)
            if nights.has_begun():
                count += 1
                if count % step == step - 1:
                    nights.copy()
            return found

        return written

    patch.setattr(AppendFile, "append", then_copy(AppendFile.append))
    patch.setattr(Path, "replace", then_copy(Path.replace))


def test_a_run_folder_that_the_manifest_does_not_name_yet_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights, create = LeftNights(tmp_path, KINDS["a loop over fields"].sequence), RunFolder.create

    def created(*args: Any) -> RunFolder:
        run = create(*args)
        nights.copy()
        return run

    monkeypatch.setattr(RunFolder, "create", created)
    nights.run()
    copy = nights.copies[1]
    assert nights.take_up(copy).status == "finished"
    is_whole(copy)
    assert [entry["rule"] for entry in Night.open(copy).runs[1].attempts[1:]] == ["free"]


def test_the_choice_and_its_cost_are_shown_before_anything_is_sent_and_recorded_after(tmp_path: Path) -> None:
    nights = LeftNights(tmp_path, PATH, AT_40_K)
    nights.run(after=[9])  # a reference, five points of the first isotherm, a reference, two of the second
    (copy,) = nights.copies
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    outline = left_night(copy, WallClock()).outline()
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before
    assert "curves 3 to 4 at 32 K: prepared and measured from the start" in outline[0]
    assert "rule: path" in outline[0]
    assert "min of it to come back to where it was" in outline[-1]
    nights.take_up(copy)
    assert attempts(copy, "field") == [("path", 3, 0)]
    (taken_up,) = events(copy, "taken_up")
    assert taken_up["values"]["rule"] == "path"
    assert taken_up["values"]["reason"] == "its runner was gone"
    (run,) = Night.open(copy).runs
    assert len(run.data) > len(run.current)  # what the preparation superseded is kept, and does not count


def test_a_night_that_is_taken_up_reads_before_it_sets_and_takes_the_current_away_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = LeftNights(tmp_path)
    nights.run(after=[3])
    sent: list[tuple[str, str]] = []
    write = Link.write

    def noted(self: Link, data: bytes, end: bool = True) -> None:
        sent.append((self.device.name, data.decode().strip()))
        write(self, data, end)

    def still_on(lab: VirtualLab) -> None:
        source = lab.instruments["k6221"]
        assert isinstance(source, K6221)
        for command in ("SOUR:CURR:RANG 1e-3", "SOUR:CURR 1e-4", "OUTP ON"):
            source.execute(command, lab.now())
        assert source.output
        monkeypatch.setattr(Link, "write", noted)

    outcome = nights.take_up(nights.copies[0], spoil=still_on)
    assert (outcome.status, outcome.safe) == ("finished", True)
    sets = [(name, line) for name, line in sent if "?" not in line and not line.startswith("*")]
    assert sets[0][0] == "k6221"
    first_of_the_ppms = next(index for index, (name, _) in enumerate(sets) if name == "ppms")
    assert any(
        line.startswith("OUTP") and line.endswith(("OFF", "0")) for _, line in sets[:first_of_the_ppms]
    )
    assert sent.index(next(item for item in sent if item[0] == "ppms")) < sent.index(sets[0])  # read first


@pytest.mark.parametrize(("kind", "status"), [("stop", "stopped"), ("abort", "aborted")])
def test_a_night_that_somebody_ended_is_taken_up(tmp_path: Path, kind: str, status: str) -> None:
    nights = LeftNights(tmp_path)
    assert nights.run(spoil=_asks(nights, kind, 700.0)).status == status
    before = rows_of(nights.path)
    assert nights.take_up(nights.path).status == "finished"
    assert {e["values"]["reason"] for e in events(nights.path, "taken_up")} == {f"it had ended as {status}"}
    begun = [event["message"] for event in events(nights.path, "started")]
    assert begun[0] == "night of 4 steps"
    assert re.fullmatch(r"taken up, [1-4] of 4 steps are left", begun[1])
    nothing_is_lost(before, nights.path)
    is_whole(nights.path)
    assert [entry.get("status_before") for entry in Night.open(nights.path).attempts] == [None, status]


def test_a_step_that_failed_is_measured_when_taken_up_and_one_that_was_skipped_is_not(tmp_path: Path) -> None:
    nights = LeftNights(tmp_path, FREE.replace("steps:", "on_error: skip\nsteps:"))

    def spoil(lab: VirtualLab) -> None:
        lab.faults.add(kind="timeout", target="k2182a", match="*", at=200.0, until=1900.0, count=100_000)

    assert nights.run(spoil=spoil).status == "failed"
    steps = Night.open(nights.path).manifest["steps"]
    assert [step["status"] for step in steps] == ["failed", "finished", "finished", "finished"]
    finished = finished_runs(nights.path)
    assert nights.take_up(nights.path).status == "finished"
    is_whole(nights.path)
    assert {name: (nights.path / name).read_bytes() for name in finished} == finished

    skipped = LeftNights(tmp_path / "skipped", FREE)
    skipped.run(after=[20], spoil=_asks(skipped, "skip", 500.0))
    copy = skipped.copies[0]
    assert "isotherms" not in " ".join(left_night(copy, WallClock()).outline()[:-1])
    skipped.take_up(copy)
    assert [run.status for run in Night.open(copy).runs] == ["stopped", "finished"]


def _asks(nights: LeftNights, kind: Any, at_s: float) -> Callable[[VirtualLab], None]:
    def ask(_: float) -> None:
        thread: NightThread | None = nights.thread
        assert thread is not None
        thread.requests.post(Request(kind, "a test"))

    return lambda lab: lab.at(at_s, ask)


def test_a_night_killed_again_while_it_is_taken_up_is_taken_up_again(tmp_path: Path) -> None:
    nights = LeftNights(tmp_path, PATH, AT_40_K)
    nights.run(after=[3])
    copy = nights.copies[0]
    for _ in range(3):
        before = rows_of(copy)
        nights.take_up(copy, after=[2])
        copy = nights.copies[-1]
        nothing_is_lost(before, copy)
    assert nights.take_up(copy).status == "finished"
    is_whole(copy)
    assert [entry["attempt"] for entry in Night.open(copy).attempts] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("torn", ["no rows", "a torn row"])
def test_a_slow_stream_that_is_empty_or_torn_keeps_no_night_from_being_taken_up(
    tmp_path: Path, torn: str
) -> None:
    nights = LeftNights(tmp_path)
    nights.run(after=[2])
    copy = nights.copies[0]
    environment = copy / "environment.csv"
    if torn == "no rows":
        environment.write_bytes(b"")
    else:
        environment.write_bytes(environment.read_bytes() + b"2026-01-01T00:0")
    assert nights.take_up(copy).status == "finished"
    is_whole(copy)
    if torn == "a torn row":
        assert any("torn row" in event["message"] for event in events(copy, "storage"))


def test_the_gap_shows_and_the_field_is_where_the_ramp_that_was_left_has_ended(tmp_path: Path) -> None:
    nights = LeftNights(tmp_path, HEAD + "  - set_field: {to: 5000 Oe, rate: 10 Oe/s}\n  - wait: 2 min\n")
    nights.run(at_s=[200.0])
    copy = nights.copies[0]
    with nights.taking_up(copy) as (_, lab):
        assert lab.magnet.settings.start_oe == 5000.0
        assert lab.clock.now() >= 200.0 + 30.0
    assert nights.take_up(copy).status == "finished"
    elapsed = Night.open(copy).environment["Elapsed (s)"]
    assert elapsed.diff().max() > 45.0
    is_whole(copy)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"Temperature (K)": "219.862", "Temperature setpoint (K)": "290"}, "219.86 K when it was last read"),
        ({"Field (Oe)": "1000", "Field setpoint (Oe)": "-60000"}, "on its way to -60000 Oe"),
        ({"Temperature (K)": "290.02", "Temperature setpoint (K)": "290", "Field (Oe)": "nan"}, ""),
    ],
    ids=["temperature", "field", "at rest"],
)
def test_what_was_on_its_way_when_the_runner_went_is_said_with_the_cost(
    tmp_path: Path, row: dict[str, str], said: str
) -> None:
    (tmp_path / ENVIRONMENT).write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    found = ran_on(tmp_path)
    assert len(found) == bool(said)
    assert said in "".join(found)
