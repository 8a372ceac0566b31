"""When a temperature or a field counts as settled."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, InstrumentFault, LimitError, SettleTimeout
from onnes.instruments.protocols import Reading
from onnes.procedures.options import Settle
from onnes.procedures.ramping import settle_field, settle_temperature, wait_until_stable
from onnes.procedures.settling import Track, temperature_criterion
from onnes.procedures.watch import Watch

MakeStation = Callable[..., Any]


def reading(time: float, value: float, state: str = "stable") -> Reading:
    return Reading(value, time, state, state == "stable", 0x1141)


def test_the_stable_of_the_old_setpoint_is_not_believed(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)
    event = settle_temperature(station, clock, 6.2, rate_k_per_min=2.0)
    assert clock.now() > 60.0 + 60.0  # the ramp, then the window
    assert event.kind == "settled"
    assert event.values["mean"] == pytest.approx(6.2, abs=5e-3)


def test_an_unchanged_setpoint_is_believed_after_the_leave_deadline(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)
    station.cryostat.t.settle_s = 0.0
    event = settle_temperature(station, clock, 4.2, settle=Settle(for_s=0.0, then_wait_s=0.0))
    assert 15.0 <= event.values["waited_s"] <= 18.0


def test_the_record_has_criterion_and_numbers(clock: VirtualClock, make_station: MakeStation) -> None:
    event = settle_temperature(make_station(kelvin=4.2), clock, 5.0)
    assert event.values["criterion"] == {
        "within": 5e-3,
        "slope_per_min": 5e-3,
        "for_s": 60.0,
        "then_wait_s": 30.0,
        "timeout_s": pytest.approx(3 * (0.8 / 10 * 60 + 90.0) + 600.0),
    }
    assert abs(event.values["slope_per_min"]) < 5e-3
    assert event.values["state"] == "stable"
    assert event.values["rate_k_per_min"] == 10.0
    assert event.message.startswith("temperature settled at 5 K after ")


def test_an_overshoot_passing_the_setpoint_does_not_count_as_settled(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=90.0)
    station.cryostat.t.overshoot, station.cryostat.t.settle_s = 0.7, 0.0  # the status says stable all along
    settle_temperature(station, clock, 120.0, rate_k_per_min=10.0, settle=Settle(within_k=0.06))
    assert abs(station.cryostat.t.at(clock.now()) - 120.0) < 0.06


def test_a_drift_inside_the_tolerance_does_not_count_as_settled(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)

    def drift(now: float, _: Reading, oersted: Reading) -> tuple[Reading, Reading]:
        value = 4.2 + 10e-3 / 60 * (now % 10_000)
        return Reading(value, now, "stable", True, 0x1141), oersted

    station.cryostat.hook = drift
    with pytest.raises(SettleTimeout, match=r"slope \+0\.01 K/min"):
        settle_temperature(station, clock, 4.2, settle=Settle(within_k=1.0, timeout_s=300.0))


def test_noise_of_the_thermometer_does_not_keep_it_from_settling(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)
    station.cryostat.t.noise = 1.8e-3
    event = settle_temperature(station, clock, 2.0, rate_k_per_min=2.0)
    assert event.values["waited_s"] < 66.0 + 20.0 + 60.0 + 30.0 + 60.0


def test_a_rest_beside_the_setpoint_does_not_count_as_settled(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)
    station.cryostat.t.offset = 10e-3
    with pytest.raises(SettleTimeout, match=r"off by \+0\.01 K\), slope [+-]\S+ K/min, state stable"):
        settle_temperature(station, clock, 5.0, settle=Settle(timeout_s=400.0))


def test_what_was_read_at_the_old_setpoint_says_nothing_about_a_new_one_beside_it(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0)
    watch = Watch(station)
    settle_temperature(station, clock, 5.0, watch=watch)
    station.cryostat.t.settle_s = 0.0
    event = settle_temperature(station, clock, 5.004, settle=Settle(then_wait_s=0.0), watch=watch)
    assert event.values["waited_s"] >= 60.0
    assert event.values["mean"] == pytest.approx(5.004, abs=5e-4)


def test_a_state_that_flickers_is_not_stable(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()

    def flicker(now: float, kelvin: Reading, oersted: Reading) -> tuple[Reading, Reading]:
        is_stable = math.floor(now / 4.0) % 2 == 0
        return kelvin, replace(
            oersted, is_stable=is_stable, state="driven" if is_stable else "final approach"
        )

    station.cryostat.hook = flicker
    with pytest.raises(SettleTimeout, match="field not settled"):
        settle_field(station, clock, 0.0, then_wait_s=0.0)


def test_a_time_out_tells_the_last_reading_slope_and_state(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)
    station.cryostat.t.offset = 2.2
    with pytest.raises(
        SettleTimeout,
        match=r"temperature not settled within 0\.005 K of 2 K for 60 s after 1\d\d s; "
        r"last reading 4\.2 K \(off by \+2\.2 K\), slope [+-]\d\S* K/min, state stable \(0x1141\); "
        r"look at the controller, or allow a longer timeout",
    ):
        settle_temperature(station, clock, 2.0, settle=Settle(timeout_s=120.0))


def test_a_setpoint_that_reads_back_otherwise_never_settles(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=4.2)
    station.cryostat.t.obeys = False
    with pytest.raises(SettleTimeout, match=r"the setpoint reads back as 4\.2 K"):
        settle_temperature(station, clock, 4.3, settle=Settle(within_k=0.2, timeout_s=200.0))


def test_a_nan_reading_never_settles(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=4.2)
    station.temperature_between(0.0, math.inf, value=math.nan)
    with pytest.raises(SettleTimeout, match="last reading nan K"):
        settle_temperature(station, clock, 4.2, settle=Settle(for_s=0.0, timeout_s=200.0))


def test_a_nan_reading_makes_the_window_start_anew(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=4.2)
    station.temperature_between(40.0, 41.9, value=math.nan)
    settle_temperature(station, clock, 4.2, settle=Settle(then_wait_s=0.0))
    assert clock.now() >= 102.0


def test_a_state_unknown_for_ten_seconds_is_a_fault(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=4.2)
    station.temperature_between(20.0, math.inf, state="unknown", is_stable=False, status=0x1140)
    with pytest.raises(
        InstrumentFault, match=r"temperature state has been unknown for 10 s; last reading 4\.2 K"
    ):
        settle_temperature(station, clock, 4.2)
    assert clock.now() < 35.0


def test_a_state_unknown_in_passing_is_overlooked(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=4.2)
    station.temperature_between(40.0, 48.0, state="unknown", is_stable=False, status=0x1140)
    settle_temperature(station, clock, 4.2, settle=Settle(then_wait_s=0.0))
    assert clock.now() < 20.0 + 60.0 + 3 * 2.0


def test_a_filling_reservoir_is_waited_for(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=4.2)
    station.temperature_between(20.0, 2000.0, state="filling reservoir", is_stable=False)
    settle_temperature(station, clock, 4.2, settle=Settle(timeout_s=200.0))
    assert clock.now() > 2060.0


def test_a_reservoir_that_fills_for_ever_times_out(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=4.2)
    station.temperature_between(20.0, math.inf, state="filling reservoir", is_stable=False)
    with pytest.raises(SettleTimeout, match="state filling reservoir"):
        settle_temperature(station, clock, 4.2, settle=Settle(timeout_s=200.0))
    assert clock.now() < 2 * 3600.0 + 400.0


def test_a_fault_while_settling_ends_the_wait(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(oersted=0.0)
    station.quench_at(50.0)
    with pytest.raises(InstrumentFault, match="quenching at"):
        settle_field(station, clock, 90000.0, rate_oe_per_s=100.0)
    assert clock.now() < 53.0


def test_a_field_settles_by_state_and_reading(clock: VirtualClock, make_station: MakeStation) -> None:
    event = settle_field(make_station(), clock, -1000.0, rate_oe_per_s=100.0)
    assert 10.0 + 20.0 + 10.0 <= event.values["waited_s"] <= 60.0
    assert event.values["criterion"]["slope_per_min"] is None
    assert event.values["mode"] == "driven"


def test_a_field_at_rest_in_the_other_mode_is_not_settled(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    with pytest.raises(SettleTimeout, match="state driven"):
        settle_field(make_station(), clock, 1000.0, rate_oe_per_s=100.0, mode="persistent")


def test_a_target_that_stands_is_settled_in_the_mode_the_magnet_rests_in(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(oersted=0.0)
    event = settle_field(station, clock, 0.0, mode="persistent")
    assert event.values["state"] == "driven"


def test_a_field_beside_its_setpoint_is_not_settled(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    station.cryostat.h.offset = 5.0
    with pytest.raises(SettleTimeout, match=r"field not settled within 1 Oe of 20000 Oe .*off by \+5 Oe"):
        settle_field(station, clock, 20000.0)


def test_what_is_stable_already_is_waited_for_at_its_own_setpoint(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    events = list(wait_until_stable(make_station(kelvin=7.0), clock, ("temperature", "field"), 600.0))
    assert [event.values["target"] for event in events] == [7.0, 0.0]


def test_nothing_is_sent_outside_the_limits(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    with pytest.raises(LimitError, match=r"temperature = 401 K is outside"):
        settle_temperature(station, clock, 401.0)
    with pytest.raises(LimitError, match=r"temperature rate = 21 K/min is outside"):
        settle_temperature(station, clock, 300.0, rate_k_per_min=21.0)
    with pytest.raises(LimitError, match=r"field = nan Oe is outside"):
        settle_field(station, clock, math.nan)
    with pytest.raises(LimitError, match=r"field rate = 200 Oe/s is outside"):
        settle_field(station, clock, 0.0, rate_oe_per_s=200.0)
    assert station.cryostat.t.commands == []
    assert station.cryostat.h.commands == []


def test_a_station_without_magnet_has_no_field_to_set(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station()
    station.magnet = None
    with pytest.raises(ConfigurationError, match="the station has no magnet; name one under"):
        settle_field(station, clock, 0.0)


@pytest.mark.parametrize(("start", "target"), [(300.0, 2.0), (11.1, 9.9)])
def test_a_cool_down_through_10_k_stops_there_and_goes_on_slowly(
    clock: VirtualClock, make_station: MakeStation, start: float, target: float
) -> None:
    station = make_station(kelvin=start)
    settle_temperature(station, clock, target, rate_k_per_min=6.0)
    assert station.cryostat.t.commands == [(10.0, 6.0, "fast_settle"), (target, 2.0, "fast_settle")]


@pytest.mark.parametrize(
    ("start", "target"), [(11.0, 2.0), (300.0, 10.0), (300.0, 12.0), (2.0, 300.0), (5.0, 9.0)]
)
def test_other_ways_do_not_stop_at_10_k(
    clock: VirtualClock, make_station: MakeStation, start: float, target: float
) -> None:
    station = make_station(kelvin=start)
    settle_temperature(station, clock, target, rate_k_per_min=6.0)
    assert station.cryostat.t.commands == [(target, 6.0, "fast_settle")]


def test_the_stop_at_10_k_lasts_at_most_30_s_a_kelvin(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(kelvin=30.0)
    station.cryostat.t.settle_s = math.inf  # never stable
    with pytest.raises(SettleTimeout, match="of 2 K"):
        settle_temperature(station, clock, 2.0, rate_k_per_min=10.0, settle=Settle(timeout_s=100.0))
    stop_s = 20.0 / 10.0 * 60.0 + 20.0 * 30.0
    assert clock.now() == pytest.approx(stop_s + 100.0, abs=6.0)


@pytest.mark.parametrize(
    ("kelvin", "within", "slope", "wait"),
    [
        (2.0, 5e-3, 5e-3, 30.0),
        (9.99, 5e-3, 5e-3, 30.0),
        (300.0, 0.15, 20e-3, 120.0),
        (155.0, 0.0775, 20e-3, 75.0),
    ],
)
def test_what_settled_means_depends_on_the_temperature(
    kelvin: float, within: float, slope: float, wait: float
) -> None:
    criterion = temperature_criterion(kelvin, Settle(), ramp_s=100.0)
    assert criterion.within == pytest.approx(within)
    assert (criterion.slope_per_min, criterion.for_s) == (slope, 60.0)
    assert criterion.then_wait_s == pytest.approx(wait)
    assert criterion.timeout_s == pytest.approx(3 * (160.0 + wait) + 600.0)


def test_a_track_gives_the_straight_line_of_its_window() -> None:
    track = Track("temperature", "K", 60.0)
    for n in range(5000):  # long enough for the origin of its sums to move
        track.add(reading(2.0 * n, 300.0 - 0.01 * n, "tracking"))
    line = track.line()
    assert line.slope_per_s == pytest.approx(-0.005, rel=1e-9)
    assert line.mean == pytest.approx(300.0 - 0.01 * (4999 - 15), rel=1e-12)
    assert (line.readings, line.span_s) == (31, 60.0)
    assert line.rms == pytest.approx(0.0, abs=1e-6)  # a thousandth of the noise


def test_a_track_tells_the_noise_about_its_line() -> None:
    track = Track("temperature", "K", 60.0)
    for n in range(31):
        track.add(reading(2.0 * n, 4.2 + (1e-3 if n % 2 else -1e-3)))
    assert track.line().rms == pytest.approx(1e-3, rel=0.05)


def test_a_gap_longer_than_the_window_breaks_a_track() -> None:
    track = Track("temperature", "K", 60.0)
    for time in (0.0, 2.0, 4.0, 100.0):
        track.add(reading(time, 4.2))
    assert (track.stable_since, track.stable_polls, track.line().readings) == (100.0, 1, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"within":0.1}',
            r"unknown key 'within' in settle; expected some of within_k, .*did you mean 'within_k'",
        ),
        ('{"within_k":0}', r"settle\.within_k = 0 must be above zero"),
        ('{"for_s":-1}', r"settle\.for_s = -1 is negative"),
        ('{"for_s":"60 s"}', r"settle\.for_s is '60 s'; expected a finite number"),
        ('{"timeout_s":true}', r"settle\.timeout_s is True; expected a finite number"),
        ("[1]", r"settle is \[1\]; expected a JSON object"),
        ("{", r"settle is not JSON"),
    ],
)
def test_a_wrong_settle_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settle.from_json(text)


def test_settle_survives_its_text() -> None:
    wanted = Settle(within_k=0.012345678901234567, for_s=30.0)
    assert Settle.from_json(wanted.to_json()) == wanted
    assert Settle().to_json() == "{}"
