"""A point whose readings do not come, or whose contact has opened, is kept, marked and told."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ContactError
from onnes.instruments.records import Event, Point
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.procedures.transport import ResistancePoint

MakeStation = Callable[..., Any]


def sweep() -> ResistanceVsTemperature:
    program = {"sweep_k": [20.0, 26.0], "rate_k_per_min": 2.0, "every_s": 1.0}
    return ResistanceVsTemperature(wiring="film", average=4, temperature_program=program)


def points_until_it_fails(
    measurement: ResistanceVsTemperature,
    station: Any,
    clock: VirtualClock,
    error: type[Exception],
    words: str,
    *,
    spoil: Callable[[], None],
    after: int,
) -> list[ResistancePoint]:
    found: list[ResistancePoint] = []

    def take(items: Any) -> None:
        for item in items:
            if isinstance(item, ResistancePoint):
                found.append(item)
                if len(found) == after:
                    spoil()

    with pytest.raises(error, match=words):
        take(measurement.points(station, clock))
    return found


def test_a_resistance_that_does_not_come_is_nan_and_never_the_one_before(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(20.0)

    def spoil() -> None:
        def silent(readings: int) -> Any:  # noqa: ARG001 - the signature is the bridge's
            raise CommunicationError("k2182a did not answer in 2 s")

        station.the_bridge.measure = silent

    points = points_until_it_fails(
        sweep(), station, clock, CommunicationError, "did not answer", spoil=spoil, after=5
    )
    last = points[-1]
    assert (len(points), last.flags, last.rejected) == (6, "link", "k2182a did not answer in 2 s")
    assert math.isfinite(last.temperature_before)
    lost = (last.resistance, last.voltage, last.current, last.thermal_emf, last.temperature_after, last.field)
    assert all(math.isnan(value) for value in lost)
    assert (last.readings, last.status) == ("", "")
    assert station.the_bridge.diary[-1] == ("stop",)


@pytest.mark.parametrize(("which", "has_resistance"), [(1, False), (2, True)])
def test_a_temperature_that_does_not_come_is_nan(
    clock: VirtualClock, make_station: MakeStation, which: int, has_resistance: bool
) -> None:
    station = make_station(20.0)

    def spoil() -> None:
        whole, calls = station.snapshot, []

        def silent() -> Any:
            calls.append(clock.now())
            if len(calls) == which:
                raise CommunicationError("ppms did not answer in 2 s")
            return whole()

        station.snapshot = silent

    points = points_until_it_fails(
        sweep(), station, clock, CommunicationError, "ppms did not answer", spoil=spoil, after=5
    )
    last = points[-1]
    assert (last.flags, last.rejected) == ("link", "ppms did not answer in 2 s")
    assert math.isnan(last.temperature)
    assert math.isnan(last.temperature_after)
    assert math.isnan(last.temperature_rate)
    assert math.isnan(last.temperature_before) != has_resistance
    assert math.isfinite(last.resistance) == has_resistance


def test_an_open_contact_takes_the_current_away_within_the_reading(
    clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(20.0)

    def spoil() -> None:
        station.the_bridge.flags = ("compliance",)

    points = points_until_it_fails(
        sweep(),
        station,
        clock,
        ContactError,
        r"a contact of wiring 'film' has opened: the source is in compliance at 10 V, although the last 20 "
        r"points needed 1e-05 V at most; V = 1e-05 V, I = 1e-05 A, T = 21 K; the source is at 0 A",
        spoil=spoil,
        after=30,
    )
    last = points[-1]
    assert last.flags == "compliance;contact_open"
    assert "the source is in compliance" in last.rejected
    assert (last.voltage, last.current) == (1e-5, 1e-5)
    assert math.isfinite(last.temperature)
    kinds = [entry[0] for entry in station.the_bridge.diary]
    assert kinds[-3:] == ["measure", "stop", "stop"]


def test_a_compliance_from_the_start_is_flagged_alone(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(20.0)
    station.the_bridge.flags = ("compliance",)
    points = [item for item in sweep().points(station, clock) if isinstance(item, Point)]
    assert {point.rejected for point in points} == {"compliance"}


def test_a_measurement_says_what_it_waits_for(clock: VirtualClock, make_station: MakeStation) -> None:
    station = make_station(20.0)
    measurement = ResistanceVsTemperature(
        wiring="film", temperature_program={"setpoints_k": [20.0, 25.0]}, field_oe=100.0
    )
    told: set[str] = set()
    whole = station.snapshot

    def listening() -> Any:
        if measurement.watch is not None:
            told.add(measurement.watch.waiting())
        return whole()

    station.snapshot = listening
    items: list[Point | Event] = list(measurement.points(station, clock))
    assert "waiting for temperature 25 K" in {text.split(",")[0] for text in told}
    assert any(text.startswith("waiting for temperature 25 K, now 2") for text in told)
    assert any(text.startswith("waiting for field 100 Oe, now ") for text in told)
    assert items
    assert measurement.watch is not None
    assert measurement.watch.waiting() == ""
