"""Nights on the virtual lab, good and bad: how they end, what is kept, what the instruments are left in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from onnes.instruments.errors import OnnesError, SettleTimeout, StorageError
from onnes.runner.controls import Controls
from onnes.runner.ending import Outcome
from onnes.runner.live_bar import StopButton
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import make_plan
from onnes.runner.progress import Progress
from onnes.runner.requests import Request
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.device_k6221 import K6221
from onnes.sim.fault_kinds import WireFault
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night
from onnes.storage.run import RunFolder

SEQUENCE = """
sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
finish: {field: 0 Oe, temperature: 295 K}
steps:
  - isotherms:
      temperature: 300 K
      field: [0 Oe, 200 Oe, 400 Oe]
      current: 100 uA
      self_heating_check: false
"""


@dataclass
class Evening:
    """One night on a lab that a test may spoil."""

    folder: Path
    sequence: str = SEQUENCE
    seed: int = 7
    spoil: Callable[[VirtualLab], None] = lambda _: None
    after_point: Callable[[int, NightThread], None] = lambda _count, _night: None
    shown: list[Progress] = field(default_factory=list)
    thread: NightThread | None = None

    def run(self) -> Outcome:
        with self.ready() as night:
            night.start()
            assert night.wait(60)
            return night.outcome()

    @contextmanager
    def ready(self) -> Iterator[NightThread]:
        path = self.folder / "night.yaml"
        path.write_text(self.sequence, encoding="utf-8")
        with prepared(make_plan(path), LabChoice(seed=self.seed)) as (clock, key):
            assert key is not None
            self.spoil(get_lab(key))
            night = NightThread(make_plan(path), self.folder / "runs", clock, key)
            night.show = self._show
            self.thread = night
            yield night

    def _show(self, progress: Progress) -> None:
        self.shown.append(progress)
        if progress.point:
            assert self.thread is not None
            self.after_point(progress.point, self.thread)

    def lab(self) -> VirtualLab:
        assert self.thread is not None
        assert self.thread.lab_key is not None
        return get_lab(self.thread.lab_key)

    def output_is_on(self) -> bool:
        source = self.lab().instruments["k6221"]
        assert isinstance(source, K6221)
        return source.output

    @property
    def night(self) -> Night:
        assert self.thread is not None
        return Night.open(self.thread.folder)

    def events(self, kind: str) -> list[dict[str, Any]]:
        found = self.night.events
        return [
            {str(key): value for key, value in row.items()}
            for row in found[found.kind == kind].to_dict("records")
        ]


@pytest.fixture
def evening(tmp_path: Path) -> Evening:
    package = files("onnes.runner")
    for name in ("station", "sample"):
        text = package.joinpath(f"demo_{name}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return Evening(tmp_path)


def test_a_night_ends_finished_with_its_safe_state_read_back(evening: Evening) -> None:
    outcome = evening.run()
    night = evening.night
    assert (outcome.status, outcome.safe, outcome.exit_code) == ("finished", True, 0)
    assert night.status == "finished"
    assert [run.status for run in night.runs] == ["finished"]
    assert list(night.runs[0].data["Field setpoint (Oe)"]) == [0, 200, 400, 400, 200, 0]
    assert {step["values"]["instrument"] for step in evening.events("safe_state")} == {
        "ppms",
        "k6221",
        "k2182a",
    }


def test_the_finish_takes_field_and_temperature_where_the_sequence_says(evening: Evening) -> None:
    labs: list[VirtualLab] = []
    evening.spoil = labs.append
    evening.run()
    lab = labs[0]
    assert lab.cryostat.setpoint()[0] == 295.0
    assert lab.magnet.setpoint()[0] == 0.0


def test_the_environment_is_logged_while_the_night_waits(evening: Evening) -> None:
    evening.run()
    log = evening.night.environment
    assert len(log) > 5
    assert log["Temperature (K)"].between(294, 301).all()
    assert set(log["Output k6221"]) <= {"on", "off"}


def test_one_seed_gives_the_same_rows_and_another_seed_others(evening: Evening) -> None:
    rows = []
    for seed in (1, 1, 2):
        evening.seed = seed
        evening.run()
        text = (evening.night.runs[0].path / "data.csv").read_bytes()
        rows.append(b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#")))
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


def test_a_stop_finishes_the_point_and_runs_the_declared_finish(evening: Evening) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 2:
            night.requests.stop("a test")

    labs: list[VirtualLab] = []
    evening.spoil = labs.append
    evening.after_point = after
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("stopped", 4)
    assert len(evening.night.runs[0].data) == 2
    assert evening.night.runs[0].status == "stopped"
    assert labs[0].magnet.setpoint()[0] == 0.0
    assert "0 A, output off" in {event["message"] for event in evening.events("safe_state")}


def test_an_abort_leaves_field_and_temperature_where_they_are(evening: Evening) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 2:
            night.requests.abort("a test")

    labs: list[VirtualLab] = []
    evening.spoil = labs.append
    evening.after_point = after
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("aborted", 4)
    assert labs[0].magnet.setpoint()[0] == 200.0
    assert labs[0].cryostat.setpoint()[0] == 300.0
    assert evening.events("settled")[-1]["values"]["target"] == 200.0


def test_an_abort_ends_the_finish_of_a_stop(evening: Evening) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 3:
            night.requests.stop("a test")

    def show(progress: Progress) -> None:
        evening.shown.append(progress)
        if progress.state == "stopping":
            assert evening.thread is not None
            evening.thread.requests.abort("a test")
        elif progress.point:
            assert evening.thread is not None
            after(progress.point, evening.thread)

    with evening.ready() as night:
        night.show = show
        night.start()
        assert night.wait(60)
        assert night.outcome().status == "aborted"
    assert "abort asked by a test" in evening.events("finish_failed")[0]["message"]


def test_a_wait_that_times_out_stops_nothing(evening: Evening) -> None:
    with evening.ready() as night:
        night.start()
        night.wait(0.0)
        night.wait(0.001)
        assert night.wait(60)
        assert night.outcome().status == "finished"


def test_a_fault_state_ends_the_night_without_moving_anything(evening: Evening) -> None:
    def quench(lab: VirtualLab) -> None:
        lab.at(150.0, lambda t: lab.magnet.force_status(15, t))

    evening.spoil = quench
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "general failure" in evening.events("fault")[0]["message"]
    assert not evening.events("finish_failed")
    left = [
        event["message"] for event in evening.events("safe_state") if event["values"]["instrument"] == "ppms"
    ]
    assert "nothing was sent" in left[0]


def test_an_unknown_status_code_is_a_fault_that_names_the_code(evening: Evening) -> None:
    def spoil(lab: VirtualLab) -> None:
        lab.at(150.0, lambda t: lab.cryostat.force_status(9, t))

    evening.spoil = spoil
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "unknown temperature status 9" in outcome.message


@pytest.mark.parametrize("kind", ["timeout", "garbage", "partial", "stale"])
def test_one_bad_reply_costs_no_point_and_is_recorded(evening: Evening, kind: WireFault) -> None:
    evening.spoil = lambda lab: lab.faults.add(kind=kind, target="ppms", match="GETDAT*", at=240.0)
    outcome = evening.run()
    assert outcome.status == "finished"
    assert len(evening.night.runs[0].data) == 6
    assert evening.events("retry")


def test_an_instrument_that_falls_silent_ends_the_night_with_all_points_kept(evening: Evening) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 3:
            assert night.lab_key is not None
            get_lab(night.lab_key).faults.add(kind="timeout", target="k2182a", match="*", count=10_000)

    evening.after_point = after
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert len(evening.night.runs[0].data) == 3
    assert "k2182a" in outcome.message


def test_a_safe_state_that_cannot_be_confirmed_is_exit_code_5(evening: Evening) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 2:
            assert night.lab_key is not None
            get_lab(night.lab_key).faults.add(kind="timeout", target="k6221", match="*", count=10_000)

    evening.after_point = after
    outcome = evening.run()
    assert (outcome.safe, outcome.exit_code) == (False, 5)
    assert {event["values"]["instrument"] for event in evening.events("safe_state_failed")} == {"k6221"}
    assert any(event["values"]["instrument"] == "ppms" for event in evening.events("safe_state"))


def test_a_full_disk_suspends_the_night_and_loses_no_point(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RunFolder.append
    failures = iter([False, True, False, False, False, False])

    def full(self: RunFolder, point: Any) -> None:
        append(self, point)
        if next(failures):
            raise StorageError("no space left on the disk")

    monkeypatch.setattr(RunFolder, "append", full)
    flush, outputs = NightFolder.flush, []

    def look(self: NightFolder) -> None:
        outputs.append(evening.output_is_on())
        flush(self)

    monkeypatch.setattr(NightFolder, "flush", look)
    outcome = evening.run()
    assert outputs[0] is False
    assert outcome.status == "finished"
    assert len(evening.night.runs[0].data) == 6
    assert "suspended" in {progress.state for progress in evening.shown}
    assert "no space left on the disk" in evening.events("suspended")[0]["message"]


def test_a_disk_that_stays_full_fails_the_night_and_never_finishes_it(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Mock(side_effect=StorageError("no space left on the disk"))
    monkeypatch.setattr(RunFolder, "append", full)
    monkeypatch.setattr(NightFolder, "flush", full)
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "no space left" in outcome.message


def test_what_is_wrong_before_the_start_leaves_no_night_behind(evening: Evening) -> None:
    evening.spoil = lambda lab: lab.faults.add(kind="timeout", target="ppms", match="*", count=10_000)
    with pytest.raises(OnnesError, match="is MultiVu running"):
        evening.run()
    assert not list((evening.folder / "runs").glob("*/*/night.json"))


def test_a_second_press_within_five_seconds_aborts_and_a_later_one_does_not(evening: Evening) -> None:
    class Wall:
        time = 0.0

        def now(self) -> float:
            return self.time

    with evening.ready() as night:
        wall = Wall()
        button = StopButton(night, wall)  # type: ignore[arg-type]
        button.press()
        assert "stopping safely" in button.said
        wall.time = 6.0
        button.press()
        assert night.requests.latest == Request("stop", "Ctrl-C")
        wall.time = 10.0
        button.press()
        assert "aborting" in button.said
        assert night.requests.latest == Request("abort", "Ctrl-C")


STEPS = """
sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
finish: {field: 0 Oe}
steps:
  - set_temperature: {to: 299 K, rate: 5 K/min}
  - set_field: {to: 300 Oe, rate: 100 Oe/s}
  - set_temperature: {to: 298 K, wait: false}
  - set_field: {to: 500 Oe, wait: false}
  - wait: {stable: [temperature, field], timeout: 1 h}
  - wait: 10 min
  - wait: {until: "03:00"}
"""


def test_control_steps_set_wait_and_are_recorded(evening: Evening) -> None:
    evening.sequence = STEPS
    outcome = evening.run()
    assert outcome.status == "finished"
    targets = [event["values"]["target"] for event in evening.events("settled")]
    assert targets == [299.0, 300.0, 298.0, 500.0, 0.0]
    assert [step["status"] for step in evening.night.manifest["steps"]] == ["finished"] * 7


def test_a_fault_during_a_wait_ends_it_and_nothing_is_sent(evening: Evening) -> None:
    evening.sequence = STEPS.replace("finish: {field: 0 Oe}", "finish: {field: 0 Oe, temperature: 290 K}")
    labs: list[VirtualLab] = []

    def quench(lab: VirtualLab) -> None:
        labs.append(lab)
        lab.at(1500.0, lambda t: lab.magnet.force_status(15, t))

    evening.spoil = quench
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "general failure" in outcome.message
    assert labs[0].cryostat.setpoint()[0] == 298.0
    assert evening.night.environment["Field state"].iloc[-1] == "InstrumentFault"


def test_a_fault_on_the_way_to_the_finish_is_no_good_end(evening: Evening) -> None:
    def show(progress: Progress) -> None:
        if progress.state == "stopping":
            lab = evening.lab()
            lab.magnet.force_status(15, lab.now())

    with evening.ready() as night:
        night.show = show
        night.start()
        assert night.wait(60)
        outcome = night.outcome()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "finish not reached" in outcome.message


def test_a_finish_that_is_not_reached_is_a_failure_but_no_fault(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Controls, "finish", Mock(side_effect=SettleTimeout("field not settled")))
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "finish not reached: field not settled" in outcome.message
    assert evening.night.manifest["fault"] is None


def test_what_fails_while_cleaning_up_does_not_hide_an_abort(evening: Evening) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 2:
            evening.lab().faults.add("garbage", target="k6221", match="*CURR*", count=6)
            night.requests.abort("a test")

    evening.after_point = after
    labs: list[VirtualLab] = []
    evening.spoil = labs.append
    outcome = evening.run()
    assert outcome.status == "aborted"
    assert labs[0].magnet.setpoint()[0] == 200.0
    assert labs[0].cryostat.setpoint()[0] == 300.0


def test_an_abort_takes_the_source_down_at_the_abort_ramp(evening: Evening) -> None:
    station = evening.folder / "station.toml"
    text = station.read_text(encoding="utf-8").replace('ramp = "1 mA/s"', 'ramp = "1 uA/s"', 1)
    station.write_text(text, encoding="utf-8")
    asked: list[float] = []

    def after(count: int, night: NightThread) -> None:
        if count == 1:
            asked.append(night.clock.now())
            night.requests.abort("a test")

    evening.after_point = after
    evening.run()
    assert evening.events("abort")[0]["t"] - asked[0] < 2.0


def test_a_display_that_fails_does_not_end_the_night(evening: Evening) -> None:
    with evening.ready() as night:
        night.show = Mock(side_effect=RuntimeError("the window is gone"))
        night.start()
        assert night.wait(60)
        assert night.outcome().status == "finished"


def test_a_derived_table_that_cannot_be_written_costs_no_step(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening.sequence = SEQUENCE.replace("[0 Oe, 200 Oe, 400 Oe]", "[-200 Oe, 0 Oe, 200 Oe]")
    monkeypatch.setattr(RunFolder, "write_derived", Mock(side_effect=StorageError("open in another program")))
    outcome = evening.run()
    assert outcome.status == "finished"
    assert "open in another program" in evening.events("derived_failed")[0]["message"]


def test_a_suspended_night_does_not_time_out_its_waits(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening.sequence = SEQUENCE.replace("current: 100 uA", "current: 100 uA\n      settle: {timeout: 5 min}")
    environment, flush = NightFolder.environment, NightFolder.flush
    since: list[float] = []

    def full(self: NightFolder, row: Any) -> None:
        environment(self, row)
        if not since and row["Elapsed (s)"] > 60:
            since.append(row["Elapsed (s)"])
            raise StorageError("no space left on the disk")

    def still_full(self: NightFolder) -> None:
        assert evening.thread is not None
        if since and evening.thread.clock.now() < since[0] + 600:
            raise StorageError("no space left on the disk")
        flush(self)

    monkeypatch.setattr(NightFolder, "environment", full)
    monkeypatch.setattr(NightFolder, "flush", still_full)
    outcome = evening.run()
    assert outcome.status == "finished", outcome.message
    assert len(evening.night.runs[0].data) == 6


def test_a_point_that_could_not_be_written_is_no_good_stop(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after(count: int, night: NightThread) -> None:
        if count == 2:
            night.requests.stop("a test")

    close = RunFolder.close

    def lost(self: RunFolder, status: str) -> None:
        close(self, status)
        raise StorageError("no space left on the disk")

    evening.after_point = after
    monkeypatch.setattr(RunFolder, "close", lost)
    outcome = evening.run()
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "could not be written" in outcome.message
