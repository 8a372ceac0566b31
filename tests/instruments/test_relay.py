"""A 2182A behind the serial line of a 6221, on the virtual lab in strict mode."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ConfigurationError
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.relay import RelayedKeithley2182A
from onnes.instruments.visa import open_adapter, open_library
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

LAB = """
[lab]
strict = true
[instrument.k6221]
relay = "k2182a"
baud = 19200
[instrument.k2182a]
interface = "rs232"
baud = {meter}
"""

Pair = tuple[Keithley6221, RelayedKeithley2182A, VirtualLab]


@pytest.fixture
def pair(
    clock: VirtualClock, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Pair]]:
    opened: list[Keithley6221] = []

    def open_(meter: int = 19200, told: int | None = None, lab: str = LAB) -> Pair:
        path = tmp_path / "relay.toml"
        path.write_text(lab.format(meter=meter), encoding="utf-8")
        made = load_lab(path, clock)
        set_lab(request.node.name, made)
        manager = open_library("simulated", request.node.name)
        source = Keithley6221(open_adapter(manager, "GPIB0::12::INSTR", name="k6221"), "k6221", clock)
        opened.append(source)
        return source, RelayedKeithley2182A(source, "k2182a", clock, told), made

    yield open_
    for source in opened:
        source.link.close()
    forget_lab(request.node.name)


def test_a_meter_at_the_speed_of_the_line_says_who_it_is(pair: Callable[..., Pair]) -> None:
    source, meter, lab = pair()
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
    pair: Callable[..., Pair], name: str, value: object
) -> None:
    source, meter, lab = pair()
    meter.connect()
    setattr(meter, name, value)
    assert getattr(meter, name) == value
    assert meter.check_errors() == []
    assert source.check_errors() == []
    assert lab.journal == []


def test_it_is_prepared_and_read_over_the_line(pair: Callable[..., Pair]) -> None:
    source, meter, _ = pair()
    meter.connect()
    meter.prepare_for_reversal(1.0)
    assert abs(meter.read_voltage()) < 1e-5
    assert source.check_errors() == []


def test_a_speed_that_the_station_file_gives_is_set_first(pair: Callable[..., Pair]) -> None:
    _, meter, _ = pair(9600, 9600)
    assert "2182A" in meter.connect()
    assert meter.relay.baud == 9600


@pytest.mark.parametrize("told", [None, 19200])
def test_a_meter_at_another_speed_is_told_with_both(pair: Callable[..., Pair], told: int | None) -> None:
    source, meter, _ = pair(9600, told)
    with pytest.raises(
        ConfigurationError,
        match="k2182a answers at 9600 baud, but the serial line of k6221 is set to 19200; write baud = 9600",
    ):
        meter.connect()
    assert meter.relay.baud == 19200
    assert source.check_errors() == []


def test_a_meter_on_the_bus_is_not_heard_on_the_line(pair: Callable[..., Pair]) -> None:
    source, meter, _ = pair(lab=LAB.replace("rs232", "gpib"))
    with pytest.raises(
        CommunicationError,
        match="k2182a does not answer on the serial line of k6221, which is set to 19200 baud",
    ):
        meter.connect()
    assert source.check_errors() == []


def test_a_meter_that_the_source_has_for_itself_is_not_asked(
    pair: Callable[..., Pair], clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, meter, _ = pair()
    meter.connect()
    source.delta_arm()
    clock.sleep(5.0)
    monkeypatch.setattr(meter.relay, "_write", lambda _command: pytest.fail("the meter was asked"))
    meter.answer()
    source.safe_state()


def test_a_reply_that_was_lost_is_asked_for_again(pair: Callable[..., Pair]) -> None:
    source, meter, lab = pair()
    meter.connect()
    lab.faults.add("timeout", target="k6221", count=1)
    assert meter.voltage_nplc == 5.0
    assert len(meter.link.retries) == 1
    assert source.check_errors() == []


def test_closing_the_meter_leaves_the_source_open(pair: Callable[..., Pair]) -> None:
    source, meter, _ = pair()
    meter.connect()
    meter.link.close()
    source.answer()
