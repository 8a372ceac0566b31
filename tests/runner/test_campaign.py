"""Campaigns of virtual nights, and whether their judge can say that something is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.runner.campaign import Campaign, run_campaign
from onnes.runner.campaign_answer import CampaignAnswer
from onnes.runner.campaign_judge import Verdict, judge_night
from onnes.runner.campaign_plan import KILL, KINDS, REQUESTS, PlannedNight, draw
from onnes.storage.night import NIGHT_MANIFEST

SEED = 1
NIGHTS = 6
DURATIONS = {"temperature-sweep": 2000.0, "isotherms": 3000.0}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    folder = tmp_path_factory.mktemp("campaign")
    return run_campaign(NIGHTS, SEED, 2, folder, WallClock(), lambda _done, _of: None)


@pytest.fixture
def copy(campaign: Campaign, tmp_path: Path) -> Path:
    """An undisturbed night of isotherms that a test may spoil."""
    shutil.copytree(campaign.folder / "undisturbed-isotherms", tmp_path / "night")
    return tmp_path / "night"


def judged(folder: Path, campaign: Campaign, beside: bool = True) -> Verdict:
    night = PlannedNight.from_json(json.loads((folder / "plan.json").read_text(encoding="utf-8")))
    return judge_night(night, folder, [0], campaign.folder / "undisturbed-isotherms" if beside else None)


def edit(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(change(lines)), encoding="utf-8")


def data_of(folder: Path) -> Path:
    return next(folder.glob("runs/*/*/*/data.csv"))


def test_a_small_campaign_with_a_kill_a_request_and_faults_loses_nothing(campaign: Campaign) -> None:
    answer = CampaignAnswer(campaign)
    assert answer.sentences() == []
    assert answer.exit_code == 0
    rows = answer.rows()
    assert rows[KILL]["resumed"] >= 1
    assert rows[REQUESTS]["nights"] >= 1
    assert {"timeout", "latency", "garbage", "partial", "stale", "drop"} <= rows.keys()
    assert rows["total"]["points"] > 300


def test_an_untouched_night_has_no_defect(campaign: Campaign, copy: Path) -> None:
    assert judged(copy, campaign).defects == []


def test_a_row_that_is_gone_is_a_lost_point(campaign: Campaign, copy: Path) -> None:
    edit(data_of(copy), lambda lines: lines[:-1])
    found = judged(copy, campaign)
    assert len(found.lost) == 1
    assert "no point at" in found.wrong[0]


def test_a_row_that_is_there_twice_is_counted(campaign: Campaign, copy: Path) -> None:
    edit(data_of(copy), lambda lines: [*lines, lines[-1]])
    found = judged(copy, campaign)
    assert "is there twice" in found.lost[0]
    assert "2 points at" in found.wrong[0]


def test_a_torn_last_row_is_no_loss(campaign: Campaign, copy: Path) -> None:
    edit(data_of(copy), lambda lines: [*lines, "2026-01-01T00"])
    assert judged(copy, campaign).defects == []


@pytest.mark.parametrize("status", ["failed", "stopped", "running"])
def test_a_status_that_is_not_what_happened_is_wrong(campaign: Campaign, copy: Path, status: str) -> None:
    file = next(copy.glob(f"runs/*/*/{NIGHT_MANIFEST}"))
    entries = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**entries, "status": status}), encoding="utf-8")
    assert judged(copy, campaign).wrong


@pytest.mark.parametrize("part", ["output", "field_moves"])
def test_what_is_left_on_behind_a_safe_end_is_unsafe(campaign: Campaign, copy: Path, part: str) -> None:
    def left_on(lines: list[str]) -> list[str]:
        return [*lines[:-1], json.dumps({**json.loads(lines[-1]), part: True}) + "\n"]

    edit(copy / "witness.jsonl", left_on)
    assert len(judged(copy, campaign).unsafe) == 1


def test_a_process_that_had_to_be_ended_from_outside_is_a_stall(copy: Path) -> None:
    night = PlannedNight(1, "isotherms", SEED, 0.0)
    assert judge_night(night, copy, [None]).stalls == ["no end within its wall time"]


def test_a_stop_that_was_asked_and_did_not_stop_is_wrong(campaign: Campaign, copy: Path) -> None:
    asked = json.dumps({"kind": "asked", "request": "stop"}) + "\n"
    edit(copy / "witness.jsonl", lambda lines: [lines[0], asked, *lines[1:]])
    assert judged(copy, campaign).wrong == ["finished although stop was asked"]


def test_resistances_beyond_the_noise_differ_from_the_undisturbed_night(
    campaign: Campaign, copy: Path
) -> None:
    def shifted(lines: list[str]) -> list[str]:
        head = next(number for number, line in enumerate(lines) if line.startswith("Time UTC"))
        column = lines[head].split(",").index("Resistance (ohm)")
        rows = [line.split(",") for line in lines[head + 1 :]]
        for row in rows[:5]:
            row[column] = repr(1.01 * float(row[column]))
        return [*lines[: head + 1], *(",".join(row) for row in rows)]

    edit(data_of(copy), shifted)
    found = judged(copy, campaign)
    assert found.is_bad_data
    assert "5 of " in found.defects[-1]


def test_a_defect_says_how_to_see_it_again(campaign: Campaign, copy: Path) -> None:
    edit(data_of(copy), lambda lines: lines[:-1])
    spoiled = Campaign(SEED, copy.parent, 1, campaign.started, 1.0, (judged(copy, campaign),))
    answer = CampaignAnswer(spoiled)
    assert answer.exit_code == 3
    assert f"onnes run {copy / 'night.yaml'}" in answer.sentences()[0]


def test_every_kind_of_fault_comes_in_its_turn_and_one_seed_draws_the_same_nights() -> None:
    nights = list(draw(len(KINDS), SEED, DURATIONS))
    assert {kind for night in nights for kind in night.kinds} == set(KINDS)
    assert nights == list(draw(len(KINDS), SEED, DURATIONS))
    assert nights != list(draw(len(KINDS), SEED + 1, DURATIONS))
    assert [PlannedNight.from_json(json.loads(json.dumps(night.as_json()))) for night in nights] == nights


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with pytest.raises(ConfigurationError, match="is not empty"):
        run_campaign(1, SEED, 1, tmp_path, WallClock(), lambda _done, _of: None)
