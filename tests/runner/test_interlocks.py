"""Interlocks trip at their level, not between the levels, and clear only after their hold time."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.interlock_table import InterlockEntry, interlock_levels
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import HeliumLevel, Reading
from onnes.instruments.station import StationLimits
from onnes.instruments.station_readings import ForeignSetpoint
from onnes.runner.interlocks import Interlocks, Trip
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab

LIMITS = StationLimits(
    temperature=Limits(1.9, 350.0, "K", "the station"),
    temperature_rate=Limits(0.0, 20.0, "K/min"),
    field=Limits(-90000.0, 90000.0, "Oe", "the magnet"),
    field_rate=Limits(0.0, 190.0, "Oe/s"),
)
HOLD_S = 30.0

Judge = Callable[[Interlocks, float, float], Iterator[Trip]]


def interlocks(planned: Limits | None = None, **entries: InterlockEntry) -> Interlocks:
    levels = interlock_levels(entries, 60.0, lambda place: f"ppms9.toml:{len(place)}")
    locks = Interlocks(levels, LIMITS, planned)
    locks.forget_reference(100.0)
    return locks


def reading(value: float, time: float, state: str = "stable") -> Reading:
    return Reading(value, time, state, state == "stable", 0x1141)


def temperature(locks: Interlocks, kelvin: float, time: float) -> Iterator[Trip]:
    return locks.readings(reading(kelvin, time), None, 5.0)


def field(locks: Interlocks, oersted: float, time: float) -> Iterator[Trip]:
    return locks.readings(reading(10.0, time), reading(oersted, time), 5.0)


def helium(locks: Interlocks, percent: float, time: float) -> Iterator[Trip]:
    return locks.helium(HeliumLevel(percent, "recent"), time)


def silent(locks: Interlocks, seconds: float, time: float) -> Iterator[Trip]:
    return locks.silent({"k6221": seconds}, time)


def disk(locks: Interlocks, gigabytes: float, time: float) -> Iterator[Trip]:
    return locks.disk(gigabytes, time)


def drift(locks: Interlocks, ohms: float, time: float) -> Iterator[Trip]:
    return locks.reference(ohms, time)


def stall(locks: Interlocks, waited_s: float, time: float) -> Iterator[Trip]:
    return locks.stall(waited_s, 2.0, time)


class Case(NamedTuple):
    """How an interlock is judged, and values: at its level, just beyond, between the levels, clear."""

    name: str
    judge: Judge
    level: float
    beyond: float
    between: float
    clear: float


CASES = [
    Case("temperature", temperature, 350.5, 350.6, 350.2, 350.0),
    Case("temperature", temperature, 1.4, 1.3, 1.6, 1.9),
    Case("field", field, 90900.0, 90901.0, 90400.0, 90000.0),
    Case("field", field, -90900.0, -90901.0, -90400.0, -90000.0),
    Case("helium", helium, 60.0, 59.9, 62.0, 63.0),
    Case("link", silent, 60.0, 60.1, 30.0, 0.0),
    Case("disk", disk, 1.0, 0.9, 1.5, 2.0),
    Case("reference_drift", drift, 101.0, 101.1, 100.7, 100.4),
    Case("reference_drift", drift, 99.0, 98.9, 99.3, 99.6),
    Case("data_stall", stall, 6.0, 6.1, 4.0, 3.0),
]
EACH = pytest.mark.parametrize("case", CASES, ids=[f"{case.name} {case.level:g}" for case in CASES])


@EACH
def test_it_trips_once_beyond_its_level_and_not_at_it(case: Case) -> None:
    locks, judge, name = interlocks(), case.judge, case.name
    assert [
        trip.name for value in (case.clear, case.between, case.level) for trip in judge(locks, value, 0.0)
    ] == []
    assert [trip.name for trip in judge(locks, case.beyond, 1.0)] == [name]
    assert list(judge(locks, case.beyond, 2.0)) == []
    assert not locks.is_clear(name)
    assert [trip.name for trip in locks.standing()] == [name]


@EACH
def test_it_clears_only_after_a_hold_time_on_the_clear_side(case: Case) -> None:
    locks, judge, name = interlocks(), case.judge, case.name
    assert len(list(judge(locks, case.beyond, 0.0))) == 1
    for time, value in (
        (10.0, case.between),
        (100.0, case.clear),
        (129.0, case.clear),
        (129.5, case.between),
        (140.0, case.clear),
    ):
        assert not list(judge(locks, value, time))
        assert not locks.is_clear(name)
    list(judge(locks, case.clear, 140.0 + HOLD_S - 0.1))
    assert not locks.is_clear(name)
    list(judge(locks, case.clear, 140.0 + HOLD_S))
    assert locks.is_clear(name)
    assert len(list(judge(locks, case.beyond, 200.0))) == 1


@EACH
def test_a_value_that_is_no_number_neither_trips_nor_clears(case: Case) -> None:
    locks, judge, name = interlocks(), case.judge, case.name
    assert not list(judge(locks, math.nan, 0.0))
    list(judge(locks, case.beyond, 1.0))
    for time in (2.0, 100.0, 200.0):
        assert not list(judge(locks, math.nan, time))
    assert not locks.is_clear(name)


def test_it_says_value_level_and_who_set_it() -> None:
    said = [
        next(helium(interlocks(), 58.0, 0.0)).message,
        next(disk(interlocks(disk=InterlockEntry(trip="5 GB", clear="6 GB")), 4.2, 0.0)).message,
        next(temperature(interlocks(), 352.0, 0.0)).message,
        next(field(interlocks(), -91000.0, 0.0)).message,
        next(interlocks().compliance(True, "a point was measured in compliance", 0.0)).message,
    ]
    assert said == [
        "helium level = 58 %; interlock helium trips below 60 % (ppms9.toml:2)",
        "4.2 GB are free on the drive of the runs; interlock disk trips below 5 GB (ppms9.toml:2)",
        "temperature = 352 K is 2 K beyond [1.9, 350] K (the station); interlock temperature trips above "
        "0.5 K (default)",
        "field = -91000 Oe is 1e+03 Oe beyond [-90000, 90000] Oe (the magnet); interlock field trips above "
        "1 % (default)",
        "a point was measured in compliance; interlock compliance trips at 1 readings (default)",
    ]


def test_the_values_are_kept_beside_the_text() -> None:
    trip = next(helium(interlocks(), 58.0, 0.0))
    assert (trip.policy, trip.values) == ("suspend", {"value": 58.0, "trip": 60.0, "clear": 63.0})


def test_the_limits_of_the_plan_count_from_when_the_sample_is_within_them() -> None:
    locks = interlocks(Limits(1.9, 60.0, "K", "the sample"))
    assert not list(temperature(locks, 300.0, 0.0))
    assert not list(temperature(locks, 59.0, 3600.0))
    (trip,) = temperature(locks, 60.6, 3700.0)
    assert "0.6 K beyond [1.9, 60] K (the sample and the station)" in trip.message


def test_a_level_that_is_old_is_noted_with_its_age() -> None:
    locks = interlocks()
    assert not [t for age in ("recent", "continuous") for t in locks.helium(HeliumLevel(80, age), 0.0)]
    (trip,) = locks.helium(HeliumLevel(80.0, "old"), 100.0)
    assert (trip.name, trip.policy) == ("helium_age", "note")
    assert "the helium level is more than 1.0 h old" in trip.message


def test_a_chamber_must_be_sealed_where_it_is_cold() -> None:
    locks = interlocks()
    for state, kelvin in (("purged and sealed", 4.0), ("high vacuum", 4.0), ("venting", 290.0)):
        assert not list(locks.chamber(state, kelvin, 0.0))
    (trip,) = locks.chamber("venting", 289.9, 1.0)
    assert (trip.policy, trip.message) == (
        "suspend",
        "chamber venting at 289.9 K; interlock chamber (default)",
    )


def test_a_chamber_of_unknown_condition_is_noted_once_and_hides_nothing() -> None:
    locks = interlocks()
    (trip,) = locks.chamber("sealed condition unknown", 4.0, 0.0)
    assert trip.policy == "note"
    assert not list(locks.chamber("sealed condition unknown", 4.0, 1.0))
    assert locks.is_clear("chamber")
    assert [trip.policy for trip in locks.chamber("venting", 4.0, 2.0)] == ["suspend"]


def test_a_foreign_setpoint_stays_until_a_person_clears_it() -> None:
    locks = interlocks()
    (trip,) = locks.foreign([ForeignSetpoint("field", "Oe", 200.0, 500.0)], 0.0)
    assert "somebody set field to 500 Oe, we had 200" in trip.message
    assert not list(locks.foreign([], 1000.0))
    assert not locks.is_clear("foreign_setpoint")
    locks.reset("foreign_setpoint")
    assert locks.is_clear("foreign_setpoint")


def test_compliance_is_counted_in_a_row() -> None:
    locks = interlocks(compliance=InterlockEntry(trip=3))
    found = [len(list(locks.compliance(bad, "x", 0.0))) for bad in (True, True, False, True, True, True)]
    assert found == [0, 0, 0, 0, 0, 1]


def test_the_first_reference_is_that_of_the_run_and_no_number_is_none() -> None:
    locks = interlocks()
    locks.forget_reference(50.0)
    assert [trip.name for trip in locks.reference(51.0, 0.0)] == ["reference_drift"]
    locks.forget_reference(math.nan)
    assert locks.is_clear("reference_drift")
    assert not [trip for ohms in (math.nan, 80.0, math.nan, 80.1) for trip in locks.reference(ohms, 1.0)]


def test_helium_is_judged_by_nobody_where_nobody_gave_a_level() -> None:
    locks = Interlocks(interlock_levels({}, None, lambda _: ""), LIMITS)
    assert not list(locks.helium(HeliumLevel(1.0, "recent"), 0.0))
    assert locks.is_clear("helium")


# --- the rate of the temperature, on what a cryostat does


def watched(
    lab: VirtualLab, seconds: float, commanded: Callable[[float], float], every_s: float = 1.0
) -> list[tuple[float, Trip]]:
    """Return when what tripped, reading the thermometer of ``lab`` as a night does."""
    locks, clock = interlocks(), lab.clock
    found: list[tuple[float, Trip]] = []
    while (t := lab.now()) < seconds:
        lab.tick()
        now = reading(lab.cryostat.reading(t), t)
        found += [(t, trip) for trip in locks.readings(now, None, commanded(t))]
        clock.sleep(every_s)
    return found


def cold_lab(kelvin: float) -> VirtualLab:
    return load_lab("default", VirtualClock(), seed=7, under={"cryostat": {"start_k": kelvin}})


@pytest.mark.parametrize(
    ("start", "target", "rate"),
    [(300.0, 120.0, 20.0), (90.0, 120.0, 20.0), (4.0, 10.0, 1.0), (300.0, 250.0, 5.0), (10.0, 2.0, 0.5)],
)
@pytest.mark.parametrize("every_s", [1.0, 5.0])
def test_a_ramp_its_overshoot_and_the_rest_after_it_are_no_alarm(
    start: float, target: float, rate: float, every_s: float
) -> None:
    lab = cold_lab(start)
    lab.at(60.0, lambda t: lab.cryostat.command(t, target, rate, 0))
    ramp_s = abs(target - start) / rate * 60.0
    assert watched(lab, 60.0 + ramp_s + 900.0, lambda t: rate if t >= 60.0 else 1.0, every_s) == []


@pytest.mark.parametrize("kelvin", [2.0, 10.0, 300.0])
def test_the_noise_of_an_hour_at_rest_is_no_alarm(kelvin: float) -> None:
    assert watched(cold_lab(kelvin), 3600.0, lambda _: 0.0) == []


def test_the_kick_of_a_settled_controller_is_no_alarm() -> None:
    lab = cold_lab(20.0)
    for t in (100.0, 400.0):
        lab.at(t, lambda t: lab.cryostat.kick(t, 0.2))
    assert watched(lab, 900.0, lambda _: 2.0) == []


@pytest.mark.parametrize("every_s", [1.0, 5.0])
def test_a_runaway_is_an_alarm_within_20_s_and_names_both_rates(every_s: float) -> None:
    lab = cold_lab(20.0)
    lab.at(100.0, lambda t: lab.cryostat.command(t, 300.0, 20.0, 1))
    found = watched(lab, 300.0, lambda _: 1.0, every_s)
    time, trip = found[0]
    # The thermometer follows what is heated after 30 s; from 3 K/min on it has run away.
    steep = next(t / 10 for t in range(1000, 3000) if _slope(lab, t / 10) > 3.0)
    assert steep < time <= steep + 20.0 + every_s
    assert trip.policy == "safe_stop"
    assert "K/min where 1 K/min was asked for; interlock temperature_rate trips above 2 K/min" in trip.message


def _slope(lab: VirtualLab, t: float) -> float:
    return (lab.cryostat.sensor(t + 0.5) - lab.cryostat.sensor(t - 0.5)) * 60.0
