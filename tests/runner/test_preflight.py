"""What is said, and what is refused, before a night begins: on the virtual lab in virtual time."""

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onnes.instruments.clock import AttendedClock, VirtualClock, WallClock
from onnes.instruments.errors import (
    CommunicationError,
    ConfigurationError,
    InstrumentFault,
    LimitError,
    StorageError,
)
from onnes.instruments.limits import Limits
from onnes.instruments.open_station import open_station
from onnes.instruments.station import StationLimits
from onnes.runner import host
from onnes.runner.host import HostFacts
from onnes.runner.night_state import OWNER_LOCK
from onnes.runner.plan import Measure, Plan, make_plan
from onnes.runner.planned_time import planned_time
from onnes.runner.preflight import expected_bytes, preflight
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.storage.night import NIGHT_MANIFEST, NightFolder
from onnes.storage.owner_lock import OwnerLock

ROOT = Path(__file__).parents[2]
STATIONS = ROOT / "examples" / "stations"

HEAD = """sequence: 1
station: station.toml
sample: {film: sample.toml}
mounting: perpendicular
contact_check: {declined: a test}
finish: {field: 0 Oe, temperature: 295 K}
steps:
"""
AT_ZERO_FIELD = "  - wait: {for: 1 h}\n"
IN_A_FIELD = "  - set_field: {to: 1 T}\n  - wait: {for: 20 h}\n"
ISOTHERM = "  - isotherms: {temperature: 300 K, field: 0 T .. 1 T step 10 Oe, current: 1 uA}\n"
COLD = "  - set_temperature: {to: 10 K}\n"

Usage = namedtuple("Usage", "total used free")


@dataclass
class Evening:
    """The minutes before a night, on a lab that a test may spoil."""

    folder: Path
    key: str
    steps: str = AT_ZERO_FIELD
    helium: str = ""
    spoil: Callable[[VirtualLab], None] = lambda _: None
    lab_clock: AttendedClock = field(default_factory=VirtualClock)
    wall: VirtualClock = field(default_factory=lambda: VirtualClock(datetime(2027, 1, 10, 18, tzinfo=UTC)))
    station_text: Callable[[str], str] = lambda text: text
    backend: str = "simulated"
    nights: list[NightFolder] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def plan(self) -> Plan:
        text = (STATIONS / "ppms9-sim.toml").read_text(encoding="utf-8")
        (self.folder / "station.toml").write_text(self.station_text(text), encoding="utf-8")
        shutil.copy(ROOT / "runner" / "demo_sample.toml", self.folder / "sample.toml")
        (self.folder / "night.yaml").write_text(HEAD + self.steps, encoding="utf-8")
        return make_plan(self.folder / "night.yaml")

    def look(self, again: Path | None = None) -> list[str]:
        plan = self.plan()
        lab_file = self.folder / "lab.toml"
        lab_file.write_text(f"[lab]\nstrict = true\n[helium]\n{self.helium}\n", encoding="utf-8")
        self.lab = load_lab(lab_file, self.lab_clock)
        set_lab(self.key, self.lab)
        self.spoil(self.lab)
        station = open_station(plan.station, self.lab_clock, lab_key=self.key)
        if self.backend != "simulated":  # what is opened stays the twin
            text = self.station_text
            self.station_text = lambda read: text(read).replace('"simulated"', f'"{self.backend}"', 1)
            plan = self.plan()
        try:
            return preflight(plan, station, self.runs, self.lab_clock, self.wall, again)
        finally:
            station.close()

    def earlier_night(self, days: float, *, station: str = "ppms9-sim") -> NightFolder:
        wall = VirtualClock(self.wall.datetime() - timedelta(days=days))
        about = {"backend": "simulated", "lab": "demo", "seed": 7, "station": {"name": station}}
        night = NightFolder.create(self.runs, "MB215-06", wall, about, "sequence: 1\n")
        self.date(night, wall.datetime())
        self.nights.append(night)
        return night

    def date(self, night: NightFolder, when: datetime) -> None:
        for path in night.path.rglob("*"):
            os.utime(path, (when.timestamp(), when.timestamp()))


@pytest.fixture
def evening(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Evening]:
    evening = Evening(tmp_path, request.node.name)
    yield evening
    forget_lab(evening.key)
    for night in evening.nights:
        night.close("aborted")


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what says how many bytes are free."""

    def says(free: float) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, int(free)))

    says(1e12)
    return says


@pytest.fixture(autouse=True)
def _big_drive(drive: Callable[[float], None]) -> None:
    """Let no test depend on the drive it runs on."""
    del drive


def test_a_station_at_rest_gives_no_message_and_nothing_is_set(evening: Evening) -> None:
    assert evening.look() == []
    assert evening.lab.cryostat.setpoint()[0] == 300.0
    assert evening.lab.magnet.setpoint()[0] == 0.0
    assert evening.lab.journal == []
    assert not evening.runs.exists()


def test_less_than_ten_times_the_planned_data_is_said(
    evening: Evening, drive: Callable[[float], None]
) -> None:
    needed = expected_bytes(evening.plan(), 1.0)
    drive(9 * needed)
    messages = evening.look()
    assert [message[:5] for message in messages] == ["L072:", "L072:"]
    assert "less than 10 x that; make room before the night" in messages[0]
    assert "interlock disk trips below 1 GB" in messages[1]


def test_less_than_twice_the_planned_data_is_refused(
    evening: Evening, drive: Callable[[float], None]
) -> None:
    drive(1.5 * expected_bytes(evening.plan(), 1.0))
    with pytest.raises(StorageError, match=r"MB are free on the drive of .*runs.* less than 2 x that"):
        evening.look()


def test_more_points_and_hours_need_more_room(evening: Evening) -> None:
    few = expected_bytes(evening.plan(), 1.0)
    evening.steps = ISOTHERM
    assert expected_bytes(evening.plan(), 1.0) - few > 1000 * 250
    assert expected_bytes(evening.plan(), 100.0) > expected_bytes(evening.plan(), 1.0)


def test_an_old_helium_level_is_measured_anew(evening: Evening) -> None:
    evening.helium = 'meter = "off"'
    evening.spoil = lambda _: evening.lab_clock.sleep(2 * 3600.0)
    assert evening.look() == []
    assert 5.0 < evening.lab_clock.now() - 2 * 3600.0 < 30.0


def test_a_level_that_stays_old_is_said_and_compared_with_nothing(evening: Evening) -> None:
    evening.helium = "level_percent = 50.0"
    evening.steps = IN_A_FIELD
    evening.spoil = lambda lab: lab.faults.add("garbage", "ppms", "LEVEL*", count=10**6, text="50.0,0;")
    (message,) = evening.look()
    assert message.startswith("L071: the helium level is older than 1 h and was 50 % then (")
    assert "shows no fresh helium level" in message


def test_a_level_below_the_minimum_refuses_a_plan_that_moves_the_field(evening: Evening) -> None:
    evening.helium, evening.steps = "level_percent = 55.0", IN_A_FIELD
    with pytest.raises(
        LimitError, match=r"helium level = 55 % is outside \[60, 100\] %, the range set by .*station.toml:\d+"
    ):
        evening.look()
    assert evening.lab.magnet.setpoint()[0] == 0.0


def test_a_level_below_the_minimum_is_said_where_the_field_stays(evening: Evening) -> None:
    evening.helium = "level_percent = 55.0"
    (message,) = evening.look()
    assert message.startswith("L070: helium level = 55 % is below 60 %")


@pytest.mark.parametrize(("level", "near"), [(71.0, "below"), (75.0, "within 10 % of"), (80.0, "")])
def test_what_will_be_left_of_the_helium_is_estimated(evening: Evening, level: float, near: str) -> None:
    evening.helium, evening.steps = f"level_percent = {level}", IN_A_FIELD
    messages = evening.look()  # 20 h at 0.6 %/h, and 2 min of ramps
    assert len(messages) == bool(near)
    if near:
        assert f"{near} 60 %, the minimum set by" in messages[0]
        assert "20 h at a field at 0.6 %/h and 0.037 h in ramps of the field at 1 %/h" in messages[0]


def test_a_check_of_contacts_takes_its_time_where_the_station_is(evening: Evening) -> None:
    evening.steps = "  - contact_check: {current: 100 uA}\n"
    limits = StationLimits(
        Limits(1.9, 350.0, "K"), Limits(0.0, 10.0, "K/min"), Limits(-9e4, 9e4, "Oe"), Limits(10, 100, "Oe/s")
    )
    found = planned_time(evening.plan(), limits, kelvin=300.0, field_oe=0.0, now=evening.wall.datetime())
    assert 0.0 < found.hours["idle"] < 0.1
    assert (found.moves_field, found.coldest_k) == (False, 300.0)


def test_the_hours_of_a_plan_are_told_apart_by_what_the_magnet_does(evening: Evening) -> None:
    evening.steps = (
        "  - set_temperature: {to: 200 K, rate: 5 K/min}\n  - wait: {for: 1 h}\n"
        "  - set_field: {to: 1 T, rate: 100 Oe/s}\n  - wait: {for: 2 h}\n" + ISOTHERM
    )
    plan = evening.plan()
    limits = StationLimits(
        Limits(1.9, 350.0, "K"), Limits(0.0, 10.0, "K/min"), Limits(-9e4, 9e4, "Oe"), Limits(10, 100, "Oe/s")
    )
    found = planned_time(plan, limits, kelvin=300.0, field_oe=0.0, now=evening.wall.datetime())
    measure = plan.steps[-1].action
    assert isinstance(measure, Measure)
    points_h = measure.measurement.duration_s() / 3600.0
    assert found.hours["idle"] == pytest.approx(20 / 60 + 1)
    assert found.hours["driven"] == pytest.approx(2 + 10 / 60)
    assert found.hours["ramping"] == pytest.approx(points_h + 2 * 100 / 3600)
    assert (found.moves_field, found.coldest_k) == (True, 200.0)


@pytest.mark.parametrize("spoil", ["temperature", "field", "chamber"])
def test_a_fault_state_ends_the_evening(evening: Evening, spoil: str) -> None:
    breaks: dict[str, Callable[[VirtualLab], None]] = {
        "temperature": lambda lab: lab.cryostat.force_status(15, 0.0),
        "field": lambda lab: lab.magnet.force_status(15, 0.0),
        "chamber": lambda lab: lab.chamber.force_status(15, 0.0),
    }
    evening.spoil = breaks[spoil]
    with pytest.raises(InstrumentFault, match="general failure"):
        evening.look()


def test_a_cryostat_that_answers_nonsense_ends_the_evening(evening: Evening) -> None:
    evening.spoil = lambda lab: lab.faults.add("garbage", "ppms", "GETDAT*", count=10**6)
    with pytest.raises(CommunicationError, match="GETDAT"):
        evening.look()


def test_a_chamber_that_is_not_sealed_is_said_before_it_gets_cold(evening: Evening) -> None:
    evening.spoil = lambda lab: lab.chamber.force_status(8, 0.0)
    assert evening.look() == []
    evening.steps = COLD
    (message,) = evening.look()
    assert message.startswith("chamber: the chamber is pumping continuously and the plan goes to 10 K")
    assert "trips below 290 K" in message


def test_an_interlock_that_would_trip_at_once_is_said(evening: Evening) -> None:
    evening.station_text = lambda text: text.replace("1.9..350 K", "1.9..298 K")
    (message,) = evening.look()
    assert message.startswith("temperature: temperature = 300 K is 2 K beyond")
    assert "(safe_stop) as soon as the night begins" in message


def test_a_crashed_night_of_this_station_is_said(evening: Evening) -> None:
    night = evening.earlier_night(2)
    (message,) = evening.look()
    assert message.startswith(f"L083: night {night.path} of this station crashed")
    assert "onnes resume" in message
    assert evening.look(again=night.path) == []


def test_a_crashed_night_refuses_a_real_station(evening: Evening) -> None:
    evening.earlier_night(2)
    evening.backend = "visa"
    with pytest.raises(ConfigurationError, match="resume it, or give it up with `onnes stop"):
        evening.look()


def test_a_night_that_is_at_work_is_told_from_a_crashed_one(evening: Evening) -> None:
    night = evening.earlier_night(0.01)
    evening.backend = "visa"
    with OwnerLock(night.path / OWNER_LOCK, {"what": "a night"}):
        (message,) = evening.look()
    assert message.startswith(f"L083: night {night.path} of this station is at work")


def test_nights_that_are_over_old_damaged_or_of_another_station_are_not_said(evening: Evening) -> None:
    evening.earlier_night(3).close("finished")
    evening.earlier_night(40)
    evening.earlier_night(2, station="other")
    damaged = evening.earlier_night(1)
    (damaged.path / NIGHT_MANIFEST).write_text("{", encoding="utf-8")
    evening.date(damaged, evening.wall.datetime())
    assert evening.look() == []


def test_only_manifests_of_the_last_month_are_read(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = evening.earlier_night(40), evening.earlier_night(5)
    read: list[str] = []
    loads = json.loads

    def noted(text: bytes) -> object:
        read.append(text.decode())
        return loads(text)

    monkeypatch.setattr(json, "loads", noted)
    evening.look()
    seen = "".join(text for text in read if '"night"' in text)
    assert young.path.name in seen
    assert old.path.name not in seen


def test_a_clock_before_the_newest_night_is_said(evening: Evening) -> None:
    evening.earlier_night(-0.5).close("finished")
    (message,) = evening.look()
    assert message.startswith("clock: this computer shows 2027-01-10 18:00:00 UTC, but night 2027")
    assert "set its clock" in message


def test_a_clock_a_day_before_the_newest_file_is_said(evening: Evening) -> None:
    night = evening.earlier_night(1)
    night.close("finished")
    evening.date(night, evening.wall.datetime() + timedelta(hours=20))
    assert evening.look() == []
    evening.date(night, evening.wall.datetime() + timedelta(hours=30))
    (message,) = evening.look()
    assert "has a file of 2027-01-12 00:00:00 UTC" in message


def test_the_computer_counts_in_real_time_only(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "host_facts", lambda: HostFacts(battery_percent=80.0))
    assert evening.look() == []
    evening.lab_clock = WallClock(1000.0)
    (message,) = evening.look()
    assert message.startswith("L073: this computer runs on its battery, 80 % left")
