"""A 2182A behind the serial line of a 6221, on the virtual lab in strict mode."""

from collections.abc import Callable

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ConfigurationError
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.relay import RelayedKeithley2182A
from onnes.sim.lab import VirtualLab
from tests.instruments.conftest import Relayed

Opener = Callable[..., Relayed]


def opened(
    relayed: Opener, told_baud: int | None = None, meter: str = ""
) -> tuple[VirtualLab, Keithley6221, RelayedKeithley2182A]:
    one = relayed(told_baud=told_baud, meter=meter)
    return one.lab, one.source, one.meter


def test_a_meter_at_the_speed_of_the_line_says_who_it_is(relayed: Opener) -> None:
    lab, source, meter = opened(relayed)
    assert "2182A" in meter.connect()
    meter.answer()
    assert lab.journal == []
    assert source.check_errors() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("active_channel", 1),
        ("channel_function", "voltage"),
        ("voltage_nplc", 1.0),
        ("digital_filter_enabled", False),
        ("analog_filter_enabled", False),
        ("front_autozero_enabled", True),
        ("trigger_count", 2),
    ],
)
def test_its_properties_are_set_and_read_back_over_the_line(
    relayed: Opener, name: str, value: object
) -> None:
    lab, source, meter = opened(relayed)
    meter.connect()
    setattr(meter, name, value)
    assert getattr(meter, name) == value
    assert meter.check_errors() == []
    assert source.check_errors() == []
    assert lab.journal == []


def test_it_is_prepared_and_read_over_the_line(relayed: Opener) -> None:
    _, source, meter = opened(relayed)
    meter.connect()
    meter.prepare_for_reversal(1.0)
    assert abs(meter.read_voltage()) < 1e-5
    assert source.check_errors() == []


def test_a_speed_that_the_station_file_gives_is_set_first(relayed: Opener) -> None:
    _, _, meter = opened(relayed, 9600, 'interface = "rs232"\nbaud = 9600')
    assert "2182A" in meter.connect()
    assert meter.relay.baud == 9600


@pytest.mark.parametrize("told", [None, 19200])
def test_a_meter_at_another_speed_is_told_with_both(relayed: Opener, told: int | None) -> None:
    _, source, meter = opened(relayed, told, 'interface = "rs232"\nbaud = 9600')
    with pytest.raises(
        ConfigurationError,
        match="k2182a answers at 9600 baud, but the serial line of k6221 is set to 19200; write baud = 9600",
    ):
        meter.connect()
    assert meter.relay.baud == 19200
    assert source.check_errors() == []


def test_a_meter_on_the_bus_is_not_heard_on_the_line(relayed: Opener) -> None:
    _, source, meter = opened(relayed, None, 'interface = "gpib"')
    with pytest.raises(
        CommunicationError,
        match="k2182a does not answer on the serial line of k6221, which is set to 19200 baud",
    ):
        meter.connect()
    assert source.check_errors() == []


def test_a_meter_that_the_source_has_for_itself_is_not_asked(
    relayed: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source, meter = opened(relayed)
    meter.connect()
    source.delta_arm()
    clock.sleep(5.0)
    monkeypatch.setattr(meter.relay, "_write", lambda _command: pytest.fail("the meter was asked"))
    meter.answer()
    source.safe_state()


def test_a_reply_that_was_lost_is_asked_for_again(relayed: Opener) -> None:
    lab, source, meter = opened(relayed)
    meter.connect()
    lab.faults.add("timeout", target="k6221", count=1)
    assert meter.voltage_nplc == 5.0
    assert len(meter.link.retries) == 1
    assert source.check_errors() == []


def test_closing_the_meter_leaves_the_source_open(relayed: Opener) -> None:
    _, source, meter = opened(relayed)
    meter.connect()
    meter.link.close()
    source.answer()
