"""The plan of a night that is taken up again, and what must be as it was."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, SequenceError
from onnes.instruments.open_station import open_station
from onnes.runner.night_manifest import night_manifest
from onnes.runner.plan import Measure, Plan, make_plan
from onnes.runner.stored_plan import plan_of_night
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.storage.night import NightFolder
from onnes.storage.reader import Night

STATION = (Path(__file__).parents[2] / "examples/stations/ppms9-sim.toml").read_text(encoding="utf-8")
SAMPLE = """sample = 1
id = "f"
geometry = { shape = "film" }
defaults = { current = "100 uA" }
expected = { hysteretic = false }
"""
SEQUENCE = """sequence: 1
station: ../s.toml
sample: {film: f}
finish: {field: 0 Oe}
steps: [resistivity: {temperature: 5 K}]
contact_check: {declined: a test}
"""
Stored = tuple[Plan, Path, Mapping[str, Any]]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """A night as it was begun in another working directory, with what its manifest says."""
    lab = tmp_path / "lab"
    (lab / "nights" / "samples").mkdir(parents=True)
    for name, text in (
        ("s.toml", STATION),
        ("nights/samples/f.toml", SAMPLE),
        ("nights/night.yaml", SEQUENCE),
    ):
        (lab / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(lab)
    plan = make_plan(Path("nights/night.yaml"))
    with prepared(plan, LabChoice()) as (clock, key):
        station = open_station(plan.station, clock, lab_key=key)
        manifest = night_manifest(plan, station, clock, (), {})
        station.close()
    night = NightFolder.create(tmp_path / "runs", "f", VirtualClock(), manifest, plan.text)
    night.close("aborted")
    monkeypatch.chdir(tmp_path)
    return plan, night.path, Night.open(night.path).manifest


def test_a_stored_night_is_planned_as_it_was_from_anywhere(stored: Stored) -> None:
    plan, night, manifest = stored
    again = plan_of_night(night, manifest)
    assert again.path == night / "sequence.yaml"
    assert again.sha256 == plan.sha256
    assert [step.where for step in again.steps] == [f"{night / 'sequence.yaml'}:5:9"]
    (was,), (now,) = plan.steps, again.steps
    assert isinstance(was.action, Measure)
    assert isinstance(now.action, Measure)
    assert now.action.measurement.setpoints() == was.action.measurement.setpoints()
    assert again.samples["film"].id == "f"
    assert not any("changed since" in text for text in again.messages)


def test_a_night_begun_with_another_sample_keeps_it(stored: Stored, tmp_path: Path) -> None:
    _, night, manifest = stored
    other = tmp_path / "g.toml"
    text = SAMPLE.replace('"f"', '"g"')
    other.write_text(text, encoding="utf-8")
    entry = {"path": str(other), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    assert plan_of_night(night, {**manifest, "samples": {"film": entry}}).samples["film"].id == "g"


def test_a_sequence_that_was_edited_meanwhile_is_said_and_the_stored_one_runs(
    stored: Stored, tmp_path: Path
) -> None:
    _, night, manifest = stored
    original = tmp_path / "lab" / "nights" / "night.yaml"
    original.write_text(SEQUENCE.replace("5 K", "6 K"), encoding="utf-8")
    plan = plan_of_night(night, manifest)
    assert plan.messages[-1] == (
        f"{original}: changed since this night was started; {night / 'sequence.yaml'}, as stored then, "
        "is what runs"
    )
    original.unlink()
    assert not any("changed since" in text for text in plan_of_night(night, manifest).messages)


def _edit(path: Path) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}# edited\n", encoding="utf-8")


def _rename(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('name = "ppms9-sim"', 'name = "other"')
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "file", "reason"),
    [
        (_edit, "sequence.yaml", "the sequence changed since this night was started; put it back, or start"),
        (Path.unlink, "sequence.yaml", "the sequence of this night is missing; put it back, or start"),
        (_edit, "lab/s.toml", "the station file changed since this night was started; put it back"),
        (Path.unlink, "lab/s.toml", "the station file of this night is missing; put it back"),
        (_rename, "lab/s.toml", "is the station other, the night was started on ppms9-sim; resume it there"),
        (_edit, "lab/nights/samples/f.toml", "the sample file changed since this night was started; put it"),
        (Path.unlink, "lab/nights/samples/f.toml", "the sample file of this night is missing; put it back"),
    ],
)
def test_what_is_not_as_the_night_was_started_with_is_refused(
    stored: Stored, tmp_path: Path, change: Callable[[Path], None], file: str, reason: str
) -> None:
    _, night, manifest = stored
    path = night / file if file == "sequence.yaml" else tmp_path / file
    change(path)
    with pytest.raises(ConfigurationError) as caught:
        plan_of_night(night, manifest)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(str(path))
    assert reason in line


def test_every_reason_is_told_at_once(stored: Stored, tmp_path: Path) -> None:
    _, night, manifest = stored
    for path in (night / "sequence.yaml", tmp_path / "lab" / "s.toml"):
        _edit(path)
    with pytest.raises(ConfigurationError) as caught:
        plan_of_night(night, manifest)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("key", ["station", "samples", "sequence_sha256"])
def test_a_manifest_that_does_not_say_what_the_night_was_is_refused(stored: Stored, key: str) -> None:
    _, night, manifest = stored
    rest = {name: value for name, value in manifest.items() if name != key}
    with pytest.raises(
        ConfigurationError, match=rf"night\.json does not say {key}.*; the night cannot be taken up"
    ):
        plan_of_night(night, rest)


def test_a_sample_that_the_manifest_does_not_name_is_refused(stored: Stored) -> None:
    _, night, manifest = stored
    with pytest.raises(SequenceError) as caught:
        plan_of_night(night, {**manifest, "samples": {}})
    assert str(caught.value) == (
        f"{night / 'sequence.yaml'}:3:16: the night was started without a sample on 'film'"
    )
