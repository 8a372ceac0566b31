"""The sample space and the helium level."""

from typing import Any

import pytest

from onnes.sim.chamber import (
    CONTINUOUS,
    FLOODING,
    HIGH_VACUUM,
    HIGH_VACUUM_ON,
    METER_HOURLY,
    METER_OFF,
    METER_ON,
    OLD,
    PRE_HIGH_VACUUM,
    PUMP,
    PUMPING,
    PURGE_SEAL,
    PURGED_AND_SEALED,
    PURGING,
    RECENT,
    SEAL,
    SEALED,
    VENT,
    VENT_SEAL,
    VENTED_AND_SEALED,
    VENTING,
    Chamber,
    Helium,
    HeliumSettings,
)


def about(value: float, abs: float | None = None) -> Any:
    """Return an approximate number that may stand inside a tuple."""
    return pytest.approx(value, abs=abs)


class Idle:
    def swept_oe(self, t: float) -> float:
        del t
        return 0.0

    def heated_s(self, t: float) -> float:
        del t
        return 0.0


class Busy:
    def swept_oe(self, t: float) -> float:
        return 100.0 * t

    def heated_s(self, t: float) -> float:
        return t


def helium(**keys: object) -> Helium:
    return Helium(HeliumSettings.model_validate(keys), Idle())


def test_the_level_falls_with_time_ramps_and_switch_heater() -> None:
    settings = HeliumSettings(static_percent_per_h=0.4, ramp_percent_per_koe=0.003, switch_percent_per_h=0.6)
    assert Helium(settings, Idle()).level(7200.0) == about(92.0 - 0.8)
    assert Helium(settings, Busy()).level(7200.0) == about(92.0 - 0.8 - 720 * 0.003 - 1.2)


def test_the_level_never_falls_below_zero() -> None:
    assert helium(level_percent=1.0).level(1e6) == 0.0


def test_an_hourly_meter_gives_the_value_of_the_last_hour() -> None:
    bath = helium(static_percent_per_h=1.0)
    assert bath.reading(0.0) == (92.0, RECENT)
    assert bath.reading(3599.0) == (92.0, RECENT)
    assert bath.reading(3601.0) == (about(91.0), RECENT)
    assert bath.reading(10 * 3600.0 + 1.0) == (about(82.0), RECENT)


def test_a_meter_that_is_off_grows_old() -> None:
    bath = helium(meter="off")
    assert bath.reading(3599.0) == (92.0, RECENT)
    assert bath.reading(3601.0) == (92.0, OLD)


def test_a_fresh_value_takes_ten_seconds_and_the_meter_goes_off_by_itself() -> None:
    bath = helium(meter="off", static_percent_per_h=1.0)
    bath.meter(7200.0, METER_ON)
    assert bath.reading(7209.0) == (92.0, OLD)
    assert bath.reading(7211.0) == (about(90.0, abs=0.01), CONTINUOUS)
    assert bath.reading(7259.0)[1] == CONTINUOUS
    assert bath.reading(7261.0)[1] == RECENT
    assert bath.reading(7260.0 + 3601.0) == (about(90.0, abs=0.02), OLD)


def test_switching_the_meter_off_keeps_its_last_value() -> None:
    bath = helium(static_percent_per_h=1.0)
    bath.meter(5000.0, METER_OFF)
    assert bath.reading(5000.0) == (about(91.0), RECENT)
    assert bath.reading(9000.0) == (about(91.0), OLD)
    bath.meter(9000.0, METER_HOURLY)
    assert bath.reading(9011.0) == (about(89.5, abs=0.01), RECENT)


@pytest.mark.parametrize(
    ("code", "during", "after_s", "final"),
    [
        (PURGE_SEAL, PURGING, 130.0, PURGED_AND_SEALED),
        (VENT_SEAL, VENTING, 70.0, VENTED_AND_SEALED),
        (PUMP, PUMPING, 1000.0, PUMPING),
        (VENT, FLOODING, 1000.0, FLOODING),
        (HIGH_VACUUM_ON, PRE_HIGH_VACUUM, 310.0, HIGH_VACUUM),
        (SEAL, PURGED_AND_SEALED, 10.0, PURGED_AND_SEALED),
    ],
)
def test_the_chamber_goes_through_its_states(code: int, during: int, after_s: float, final: int) -> None:
    space = Chamber(HeliumSettings(), Idle())
    assert space.status(0.0) == PURGED_AND_SEALED
    space.command(100.0, code)
    assert space.commanded() == code
    assert space.status(100.0) == during
    assert space.status(100.0 + after_s) == final


def test_sealing_while_it_pumps_leaves_the_condition_unknown_and_the_pressure_as_it_is() -> None:
    space = Chamber(HeliumSettings(), Idle())
    space.command(0.0, PUMP)
    space.command(40.0, SEAL)
    assert space.status(41.0) == SEALED
    assert space.pressure(1000.0) == about(space.pressure(40.0))
    assert 0.01 < space.pressure(1000.0) < 5.0


def test_venting_brings_air_pressure_and_pumping_takes_it_away() -> None:
    space = Chamber(HeliumSettings(), Idle())
    assert space.pressure(0.0) == about(5.0)
    space.command(0.0, VENT)
    assert space.pressure(1000.0) == about(760.0)
    space.command(1000.0, PUMP)
    assert space.pressure(1000.0) == about(760.0)
    assert space.pressure(2000.0) < 0.1


def test_a_forced_state_hides_the_true_one() -> None:
    space = Chamber(HeliumSettings(), Idle())
    space.force_status(15, 0.0)
    assert space.status(1.0) == 15
    space.force_status(None, 2.0)
    assert space.status(2.0) == PURGED_AND_SEALED
