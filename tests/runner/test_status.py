"""What someone reads who is woken at night: the first line says it all, the last what to type."""

import re
from dataclasses import replace

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.runner.find_night import RUNS
from onnes.runner.night_state import STALE_S
from onnes.runner.status import clock_text, event_text, status
from onnes.storage.owner_lock import OwnerLock
from tests.runner.conftest import OpenNight


def lines(night: OpenNight) -> list[str]:
    return status(None, RUNS, night.wall).lines()


def on_hardware(night: OpenNight) -> None:
    night.edit(backend="visa", lab=None, seed=None)


def test_a_running_night_says_where_it_is_and_when_it_ends(open_night: OpenNight) -> None:
    open_night.state(
        state="running", point=412, points=900, ends_at="2026-01-01T04:05:00+00:00", doing="settling"
    )
    found = lines(open_night)
    assert re.fullmatch(
        r"SIMULATED  running, step 2 of 3, point 412 of 900, ends at \w{3} \d\d:\d\d", found[0]
    )
    assert found[-1] == "to look on type: onnes watch 1"
    text = "\n".join(found)
    assert "(the newest below runs)" in text
    assert "lab      SIMULATED: synthetic, seed 7; no hardware is touched" in text
    assert "read     T 4.200 K, H 20000.0 Oe at 00:00:00 UTC of the lab" in text
    assert "event    00:00:00 UTC  started: night of 3 steps" in text
    assert re.search(r"owner    \S+ on \S+, pid \d+, last seen 0 s ago$", text, re.MULTILINE)


def test_a_crash_on_hardware_says_loudly_that_the_current_may_be_on(open_night: OpenNight) -> None:
    on_hardware(open_night)
    open_night.wall.sleep(STALE_S + 1)
    found = lines(open_night)
    assert re.fullmatch(r"crashed \w{3} \d\d:\d\d, point 3 of 5; onnes resume 1", found[0])
    assert found[1] == (
        "THE CURRENT MAY STILL BE ON: look at the source, or `onnes resume 1`, or "
        "`onnes station test ppms9`, which reads every instrument and sets none"
    )
    assert found[-1] == "to go on with it type: onnes resume 1"
    assert "SIMULATED" not in "\n".join(found)


def test_a_crash_in_the_virtual_lab_leaves_nothing_on(open_night: OpenNight) -> None:
    open_night.wall.sleep(STALE_S + 1)
    found = lines(open_night)
    assert found[0].startswith("SIMULATED  crashed ")
    assert "CURRENT" not in "\n".join(found)


def test_an_unconfirmed_safe_state_is_the_first_thing_said_with_what_it_was(open_night: OpenNight) -> None:
    on_hardware(open_night)
    open_night.folder.event("safe_state_failed", "source k6221: no answer", {}, open_night.wall)
    open_night.edit(status="failed", safe_state_confirmed=False, message="link lost")
    answer = status(None, RUNS, open_night.wall)
    found = answer.lines()
    assert found[0].startswith("SAFE STATE NOT CONFIRMED, look at the instruments now; failed ")
    assert found[0].endswith("point 3 of 5: link lost")
    assert found[1] == "NOT CONFIRMED: source k6221: no answer"
    assert found[-1] == "look at the instruments, then type: onnes station test ppms9"
    assert answer.exit_code == 5


def test_an_unconfirmed_safe_state_without_its_event_says_where_to_look(open_night: OpenNight) -> None:
    open_night.edit(status="failed", safe_state_confirmed=False)
    assert lines(open_night)[1] == "NOT CONFIRMED: which step it was is in events.jsonl"


def test_a_runner_that_lives_without_a_heartbeat_is_told(open_night: OpenNight) -> None:
    with OwnerLock(open_night.path / "owner.lock", {}):
        open_night.wall.sleep(600)
        found = lines(open_night)
    assert found[1].startswith("NO HEARTBEAT for 600 s although its runner is there")


@pytest.mark.parametrize(
    ("state", "reason", "last"),
    [
        ("paused", "pause: asked", "to go on type: onnes resume 1"),
        (
            "suspended",
            "disk: full",
            "it goes on by itself when the reason is gone; to look on type: onnes watch 1",
        ),
        (
            "suspended",
            "fault: quench",
            "when you have looked, type: onnes acknowledge 1, then onnes resume 1",
        ),
        ("suspended", "helium_fill: asked", "when the transfer is done, type: onnes helium-fill 1"),
        ("suspended", "foreign_setpoint: 4 K", "when nobody else sets it any more, type: onnes resume 1"),
        ("stopping", "asked", "to look on type: onnes watch 1"),
    ],
)
def test_the_last_line_of_a_live_night_is_what_to_type(
    open_night: OpenNight, state: str, reason: str, last: str
) -> None:
    open_night.state(state=state, reason=reason)
    found = lines(open_night)
    assert found[0].startswith(f"SIMULATED  {state} ({reason.replace('_', ' ')}), step 2 of 3")
    assert found[-1] == last


def test_a_night_that_ended_on_a_fault_wants_it_acknowledged_once(open_night: OpenNight) -> None:
    open_night.edit(status="failed", safe_state_confirmed=True, fault="magnet quenched")
    assert lines(open_night)[-1] == "when you have looked, type: onnes acknowledge 1, then onnes resume 1"
    open_night.edit(acknowledged={"fault": "magnet quenched"})
    assert lines(open_night)[-1] == "when its reason is gone, type: onnes resume 1"


def test_a_safe_state_that_was_read_back_is_said(open_night: OpenNight) -> None:
    said = "safe     the safe state was read back: sources at 0"
    assert said not in lines(open_night)
    open_night.edit(status="stopped", safe_state_confirmed=True)
    assert said in lines(open_night)


def test_a_station_without_a_source_has_none_at_0(open_night: OpenNight) -> None:
    open_night.edit(status="stopped", safe_state_confirmed=True)
    answer = status(None, RUNS, open_night.wall)
    mute = {key: value for key, value in answer.night.environment.items() if "Output " not in key}
    said = replace(answer, night=replace(answer.night, environment=mute)).lines()
    assert "safe     the station has no source" in said


def test_an_event_of_an_instrument_names_it() -> None:
    event = {"utc": "2026-01-01T02:03:04+00:00", "kind": "hold", "message": "0 A, output off"}
    assert event_text(event) == "02:03:04 UTC  hold: 0 A, output off"
    assert (
        event_text({**event, "values": {"instrument": "k6221"}})
        == "02:03:04 UTC  hold: k6221: 0 A, output off"
    )


@pytest.mark.parametrize(
    ("ended", "last"),
    [
        ("finished", "to see the results type: onnes analyse 1"),
        ("failed", "when its reason is gone, type: onnes resume 1"),
        ("stopped", "to go on with it type: onnes resume 1"),
    ],
)
def test_the_last_line_of_an_ended_night_is_what_to_type(
    open_night: OpenNight, ended: str, last: str
) -> None:
    open_night.edit(status=ended, safe_state_confirmed=True)
    found = lines(open_night)
    assert found[0].startswith(f"SIMULATED  {ended} {clock_text(open_night.wall.datetime())}")
    assert found[-1] == last


def test_a_night_is_found_by_its_number_and_by_its_folder(open_night: OpenNight) -> None:
    for text in ("1", "0001", str(open_night.path)):
        assert status(text, RUNS, open_night.wall).night.path.name == open_night.path.name
    with pytest.raises(ConfigurationError, match="there is no night 0042"):
        status("42", RUNS, open_night.wall)


def test_a_folder_that_says_next_to_nothing_still_makes_a_screen(open_night: OpenNight) -> None:
    (open_night.path / "environment.csv").write_bytes(b"")
    (open_night.path / "events.jsonl").write_bytes(b"")
    open_night.edit(heartbeat=None, owner={}, steps=[], station=None)
    text = "\n".join(lines(open_night))
    assert "read     nothing yet" in text
    assert "owner    unknown on unknown, pid ?, never seen, not running" in text


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("pause: pause asked by ada", "pause asked by ada"),
        ("helium_fill: helium fill asked by ada", "helium fill asked by ada"),
        ("fault: magnet quenched; when it is dealt with: `onnes acknowledge`", "fault: magnet quenched"),
        ("disk: 0.7 GB are free", "disk: 0.7 GB are free"),
    ],
)
def test_the_first_line_says_nothing_twice_and_leaves_what_to_type_to_the_last(
    open_night: OpenNight, reason: str, said: str
) -> None:
    open_night.state(state="suspended", reason=reason)
    assert lines(open_night)[0].startswith(f"SIMULATED  suspended ({said}), step 2 of 3")
