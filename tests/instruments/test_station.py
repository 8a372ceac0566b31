"""A whole station on the virtual lab: opening, reading, the bad day, the safe state."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from pymeasure.adapters import VISAAdapter
from pyvisa.constants import StatusCode

from onnes.instruments import open_station as open_station_module
from onnes.instruments.clock import VirtualClock
from onnes.instruments.drivers import CLASSES
from onnes.instruments.errors import (
    CommunicationError,
    ConfigurationError,
    InstrumentFault,
    LimitError,
)
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.ppms import PPMS
from onnes.instruments.protocols import Chamber, Cryostat, HeliumGauge, HeliumLevel, ResistanceBridge
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.instruments.station_readings import ForeignSetpoint
from onnes.instruments.visa import open_adapter
from onnes.sim.device_k6221 import K6221
from onnes.sim.lab import VirtualLab

Open = Callable[..., Station]
CURRENT = 1e-4
# One triple of readings at 15 nV rms each: the part that reverses has 15 nV * sqrt(6) / 4.
TRIPLE_V = 15e-9 * math.sqrt(6) / 4


def ppms_of(station: Station) -> PPMS:
    assert isinstance(station.magnet, PPMS)
    return station.magnet


def source_of(station: Station) -> Keithley6221:
    source = film_of(station).source
    assert isinstance(source, Keithley6221)
    return source


def film_of(station: Station) -> ReversalBridge:
    bridge = station.bridge("film")
    assert isinstance(bridge, ReversalBridge)
    return bridge


def test_the_shipped_station_opens_and_says_what_it_is(station: Station, lab: VirtualLab) -> None:
    told = station.provenance
    assert (told["backend"], told["library"]) == ("simulated", "onnes.sim.visa.OnnesVisaLibrary")
    assert (told["lab"], told["seed"], told["sha256"]) == (lab.name, lab.seed, lab.sha256)
    assert list(told["instruments"]) == ["ppms", "k6221", "k2182a"]
    assert all("SIM" in told["instruments"][name] for name in ("k6221", "k2182a"))
    assert lab.journal == []


def test_opening_sets_nothing(station: Station, lab: VirtualLab) -> None:
    del station
    assert lab.cryostat.setpoint()[0] == 300.0
    assert lab.magnet.setpoint()[0] == 0.0
    assert lab.journal == []


def test_its_capabilities_fit_their_protocols(station: Station) -> None:
    assert isinstance(station.thermostat, Cryostat)
    assert station.thermostat is station.magnet
    assert isinstance(station.chamber, Chamber)
    assert isinstance(station.helium_gauge, HeliumGauge)
    assert isinstance(station.bridge("film"), ResistanceBridge)
    assert station.bridge("film") is station.bridge("film")


def test_temperature_and_field_are_of_one_instant(station: Station) -> None:
    temperature, field = station.snapshot()
    assert field is not None
    assert temperature.time == field.time
    assert temperature.value == pytest.approx(300.0, abs=4 * 6e-3)
    assert field.value == pytest.approx(0.0, abs=1.0)


def test_the_narrowest_limits_count_and_name_who_set_them(station: Station) -> None:
    limits = station.limits()
    assert (limits.temperature.low, limits.temperature.high) == (1.9, 350.0)
    assert limits.temperature_rate.high == 10.0
    assert limits.field is not None
    assert limits.field_rate is not None
    assert (limits.field.low, limits.field.high, limits.field_rate.high) == (-90000.0, 90000.0, 150.0)
    with pytest.raises(LimitError, match=r"\[1\.9, 350\] K, the range set by ppms9-sim\.toml and the PPMS"):
        limits.temperature.check("temperature", 351.0)


def test_an_unknown_wiring_is_told_with_the_nearest(station: Station) -> None:
    with pytest.raises(ConfigurationError, match="no wiring 'fim'; did you mean 'film'"):
        station.bridge("fim")


def test_a_resistance_agrees_with_the_sample_within_its_error(
    station: Station, lab: VirtualLab, clock: VirtualClock
) -> None:
    bridge = station.bridge("film")
    bridge.start(CURRENT)
    points = [bridge.measure(12) for _ in range(50)]
    t = clock.now() - lab.origin
    lab.wiring.set_source("k6221.out", t, CURRENT, 1.0)
    plus = lab.wiring.mean_voltage("k2182a.ch1", t, t)
    lab.wiring.set_source("k6221.out", t + 1e-6, -CURRENT, 1.0)
    minus = lab.wiring.mean_voltage("k2182a.ch1", t + 1e-6, t + 1e-6)
    mean = sum(point.resistance for point in points) / len(points)
    assert mean == pytest.approx((plus - minus) / 2 / CURRENT, abs=4 * TRIPLE_V / math.sqrt(200) / CURRENT)
    errors = [point.resistance_error for point in points]
    assert sum(errors) / len(errors) == pytest.approx(TRIPLE_V / 2 / CURRENT, rel=0.25)
    assert {point.flags for point in points} == {()}
    assert points[0].emf == pytest.approx(300e-9, abs=100e-9)


def test_a_current_beyond_the_compliance_flags_the_point(station: Station) -> None:
    bridge = station.bridge("film")
    bridge.start(0.05)  # through 2 leads of 12 ohm and the film: above 1 V
    assert "compliance" in bridge.measure(6).flags


def test_a_contact_that_opens_only_at_the_negative_current_flags_the_point(
    station: Station, lab: VirtualLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge, source = station.bridge("film"), lab.instruments["k6221"]
    assert isinstance(source, K6221)
    bridge.start(CURRENT)
    monkeypatch.setattr(lab.wiring, "in_compliance", lambda _port, _t: source.level_a < 0)
    assert bridge.measure(6).flags == ("compliance",)
    monkeypatch.undo()
    assert bridge.measure(6).flags == ()


def test_the_environment_is_one_row(station: Station) -> None:
    row = station.look().row()
    assert row["Temperature (K)"] == pytest.approx(300.0, abs=0.03)
    assert (row["Temperature state"], row["Field state"], row["Chamber"]) == (
        "stable",
        "persistent",
        "purged and sealed",
    )
    assert row["Status"] == "0x1111"
    assert row["Helium (%)"] == pytest.approx(92.0, abs=0.1)
    assert row["Output k6221"] == "off"
    station.bridge("film").start(CURRENT)
    assert station.look().row()["Output k6221"] == "on"


def test_a_failed_reading_is_not_a_number_in_the_environment_and_never_the_one_before(
    station: Station, lab: VirtualLab, clock: VirtualClock
) -> None:
    before = station.look().row()
    lab.cryostat.force_status(15, clock.now())
    row = station.look().row()
    assert math.isnan(float(row["Temperature (K)"]))
    assert row["Temperature state"] == "InstrumentFault"
    assert row["Field state"] == "persistent"
    assert row["Status"] == "0x111f"
    assert list(row) == list(before)


# --- the bad day


@pytest.mark.parametrize("kind", ["garbage", "partial", "timeout", "latency"])
@pytest.mark.parametrize("name", ["ppms", "k6221", "k2182a"])
def test_one_bad_reply_costs_a_retry_and_no_wrong_number(
    station: Station, lab: VirtualLab, name: str, kind: str
) -> None:
    bridge = station.bridge("film")
    bridge.start(CURRENT)
    good = bridge.measure(6)
    lab.faults.add(kind, target=name)  # type: ignore[arg-type]
    found, (temperature, _) = bridge.measure(6), station.snapshot()
    assert found.resistance == pytest.approx(good.resistance, abs=8 * TRIPLE_V / CURRENT)
    assert found.flags == ()
    assert temperature.value == pytest.approx(300.0, abs=0.03)
    (retry,) = station.retries()
    assert retry.instrument == name
    assert station.retries() == []


@pytest.mark.parametrize("name", ["ppms", "k6221", "k2182a"])
def test_a_stale_reply_is_never_taken_for_a_fresh_one(station: Station, lab: VirtualLab, name: str) -> None:
    bridge = station.bridge("film")
    bridge.start(CURRENT)
    good = bridge.measure(6)
    station.snapshot()
    lab.faults.add("stale", target=name)
    found, (temperature, _) = bridge.measure(6), station.snapshot()
    assert found.resistance == pytest.approx(good.resistance, abs=8 * TRIPLE_V / CURRENT)
    assert found.resistance_error < 8 * TRIPLE_V / CURRENT
    assert temperature.value == pytest.approx(300.0, abs=0.03)
    assert lab.faults.armed == []


@pytest.mark.parametrize("kind", ["garbage", "partial", "timeout", "latency"])
@pytest.mark.parametrize("name", ["ppms", "k6221", "k2182a"])
def test_replies_that_stay_bad_are_a_communication_error(
    station: Station, lab: VirtualLab, name: str, kind: str
) -> None:
    station.bridge("film").start(CURRENT)
    lab.faults.add(kind, target=name, count=1000, **({"seconds": 9.0} if kind == "latency" else {}))  # type: ignore[arg-type]
    with pytest.raises(CommunicationError, match=rf"{name} gave no usable answer .* in 5 tries"):
        station.snapshot() if name == "ppms" else station.bridge("film").measure(6)


def test_a_setpoint_that_the_controller_refuses_is_a_fault(station: Station, lab: VirtualLab) -> None:
    lab.cryostat.settings = lab.cryostat.settings.model_copy(update={"highest_k": 320.0})
    with pytest.raises(InstrumentFault, match="was told temperature 330 K at 5 K/min, fast_settle, but"):
        ppms_of(station).set_temperature(330.0, 5.0)


@pytest.mark.parametrize(("code", "text"), [(3, "unknown temperature status 3"), (15, "general failure")])
def test_a_bad_temperature_status_is_a_fault(
    station: Station, lab: VirtualLab, clock: VirtualClock, code: int, text: str
) -> None:
    lab.cryostat.force_status(code, clock.now())
    with pytest.raises(InstrumentFault, match=text):
        station.snapshot()


def test_a_limit_is_checked_before_anything_is_sent(station: Station, lab: VirtualLab) -> None:
    assert station.magnet is not None
    with pytest.raises(LimitError, match="nothing was sent"):
        station.magnet.set_field(90001.0, 100.0)
    assert lab.magnet.setpoint()[0] == 0.0


# --- opening that fails


def test_f2_what_was_opened_and_only_that_becomes_safe_and_is_closed(
    open_it: Open, station_file: StationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe: list[str] = []
    opened: list[VISAAdapter] = []

    def made_safe(self: PPMS | Keithley6221, *_: object) -> str:
        safe.append(self.name)
        return "safe"

    def open_and_note(*arguments: Any, **options: Any) -> VISAAdapter:
        opened.append(open_adapter(*arguments, **options))
        return opened[-1]

    for kind in (PPMS, Keithley6221):
        monkeypatch.setattr(kind, "safe_state", made_safe)
    monkeypatch.setattr(open_station_module, "open_adapter", open_and_note)
    meter = station_file.instruments["k2182a"].model_copy(update={"resource": "GPIB0::9::INSTR"})
    file = station_file.model_copy(update={"instruments": {**station_file.instruments, "k2182a": meter}})
    with pytest.raises(CommunicationError, match=r"no instrument at GPIB0::9::INSTR \(k2182a\)"):
        open_it(file)
    assert safe == ["k6221", "ppms"]
    assert [adapter.resource_name for adapter in opened] == ["GPIB0::15::INSTR", "GPIB0::12::INSTR"]
    for adapter in opened:
        with pytest.raises(pyvisa.errors.InvalidSession):
            adapter.connection.session  # noqa: B018 - a closed one has none


def test_the_error_says_which_instrument_is_not_safe(
    open_it: Open, station_file: StationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: PPMS) -> str:
        raise InstrumentFault("magnet quenched")

    monkeypatch.setattr(PPMS, "safe_state", fails)
    wrong = station_file.instruments["k6221"].model_copy(update={"resource": "GPIB0::7::INSTR"})
    file = station_file.model_copy(update={"instruments": {**station_file.instruments, "k6221": wrong}})
    with pytest.raises(CommunicationError, match=r"expected a 6221, but 'KEITHLEY.*2182A") as caught:
        open_it(file)
    assert caught.value.__notes__ == ["ppms is not in its safe state: InstrumentFault: magnet quenched"]


def test_a_silent_ppms_is_told_with_the_question_about_multivu(open_it: Open, lab: VirtualLab) -> None:
    lab.faults.add("timeout", target="ppms", count=100)
    with pytest.raises(CommunicationError, match=r"ppms gave no usable answer.*is MultiVu running\? it owns"):
        open_it()


def test_a_station_that_says_visa_is_not_opened_on_the_lab(
    open_it: Open, station_file: StationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", "@onnes")
    with pytest.raises(ConfigurationError, match="station says backend = 'visa'"):
        open_it(station_file.model_copy(update={"backend": "visa"}))


# --- the safe state


@pytest.mark.parametrize("abort", [False, True])
def test_the_safe_state_ramps_the_source_as_the_wiring_says_and_confirms_each_step(
    station: Station, lab: VirtualLab, clock: VirtualClock, abort: bool
) -> None:
    bridge = film_of(station)
    bridge.start(CURRENT)
    steps = station.safe_state(abort=abort)
    assert [(step.instrument, step.confirmed, step.message) for step in steps] == [
        ("k6221", True, "0 A, output off"),
        ("ppms", True, "field held at 0 Oe, temperature setpoint left at 300 K"),
        ("k2182a", True, "nothing to do"),
    ]
    assert not lab.wiring.in_compliance("k6221.out", clock.now() - lab.origin)
    assert not bridge.is_running
    with pytest.raises(ConfigurationError, match="not started"):
        bridge.measure(6)
    assert station.look().row()["Output k6221"] == "off"


def test_a_ramping_field_is_held_between_its_targets(station: Station, clock: VirtualClock) -> None:
    ppms = ppms_of(station)
    ppms.set_temperature(250.0, 5.0)
    ppms.set_field(10000.0, 100.0)
    clock.sleep(90.0)
    reading = ppms.field().value
    steps = {step.instrument: step for step in station.safe_state()}
    assert steps["ppms"].confirmed
    assert 0.0 < reading <= ppms.field_setpoint() < 10000.0
    assert ppms.field_setpoint() == pytest.approx(reading, abs=100.0 * 0.5)
    assert ppms.temperature_setpoint() == 250.0


def test_f1_one_instrument_that_fails_does_not_keep_the_others_from_their_safe_state(
    station: Station, lab: VirtualLab
) -> None:
    station.bridge("film").start(CURRENT)
    lab.faults.add("timeout", target="k6221", count=1000)
    steps = {step.instrument: step for step in station.safe_state()}
    assert not steps["k6221"].confirmed
    assert "gave no usable answer" in steps["k6221"].message
    assert steps["ppms"].confirmed


@pytest.mark.parametrize("question", ["SOUR:CURR*", "OUTP*", "*"])
def test_a_source_whose_replies_are_spoilt_is_switched_off_but_not_confirmed(
    station: Station, lab: VirtualLab, question: str
) -> None:
    station.bridge("film").start(CURRENT)
    lab.faults.add("garbage", target="k6221", match=question, count=10_000, text="?.?")
    steps = {step.instrument: step for step in station.safe_state()}
    assert not steps["k6221"].confirmed
    assert "cannot be read back" in steps["k6221"].message
    source = lab.instruments["k6221"]
    assert isinstance(source, K6221)
    assert (source.level_a, source.output) == (0.0, False)


def test_a_start_that_fails_midway_leaves_the_source_off(station: Station, lab: VirtualLab) -> None:
    bridge = film_of(station)
    lab.faults.add("garbage", target="k2182a", match=":READ?", count=5)
    with pytest.raises(CommunicationError, match="k2182a gave no usable answer"):
        bridge.start(CURRENT)
    source = lab.instruments["k6221"]
    assert isinstance(source, K6221)
    assert (source.level_a, source.output, bridge.is_running) == (0.0, False, False)


def test_without_an_order_the_last_opened_is_made_safe_first(
    open_it: Open, station_file: StationFile
) -> None:
    station = open_it(station_file.model_copy(update={"safe_state": {}}))
    assert [step.instrument for step in station.safe_state()] == ["k2182a", "k6221", "ppms"]


def test_only_sources_are_stopped_where_only_that_is_asked(station: Station) -> None:
    assert [step.instrument for step in station.stop_sources()] == ["k6221"]


def test_all_close_together_and_closing_twice_does_nothing(station: Station) -> None:
    station.close()
    station.close()
    with pytest.raises(CommunicationError):
        station.snapshot()


def test_f23_one_closed_instrument_leaves_the_others_alive(station: Station) -> None:
    film_of(station).meter.adapter.close()
    assert station.snapshot()[0].state == "stable"


def test_every_driver_of_the_registry_can_be_opened(tmp_path: Path, open_it: Open) -> None:
    text = (Path(__file__).parents[2] / "examples/stations/ppms9-sim.toml").read_text(encoding="utf-8")
    path = tmp_path / "copy.toml"
    path.write_text(text, encoding="utf-8")
    drivers = {entry.driver for entry in open_it(load_station_file(path)).file.instruments.values()}
    magnetometry = {"multivu", "mpms3", "mpms_xl", "acms"}  # which are opened in the tests of theirs
    others = {"keithley2400", "keithley2450", "lakeshore336", "lakeshore340", "sr830", "sr860"}  # likewise
    assert drivers == set(CLASSES) - magnetometry - others


def test_all_are_closed_also_when_one_hangs(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    source, meter = source_of(station), film_of(station).meter

    def hangs() -> None:
        raise pyvisa.errors.VisaIOError(StatusCode.error_timeout)

    with monkeypatch.context() as patched:
        patched.setattr(source.adapter, "close", hangs)
        station.close()
    for adapter in (meter.adapter, ppms_of(station).adapter):
        with pytest.raises(pyvisa.errors.InvalidSession):
            adapter.connection.session  # noqa: B018 - a closed one has none


# --- one look, silence, other people


def test_one_look_asks_for_each_thing_once_and_for_helium_once_a_minute(
    station: Station, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    link = ppms_of(station).link
    exchange = link.exchange

    def note(message: str) -> str:
        asked.append(message)
        return exchange(message)

    monkeypatch.setattr(link, "exchange", note)
    first = station.look()
    assert asked == ["GETDAT? 7", "TEMP?", "FIELD?", "LEVEL?"]
    clock.sleep(30.0)
    again = station.look()
    assert asked[4:] == ["GETDAT? 7", "TEMP?", "FIELD?"]
    assert (again.helium, again.helium_time) == (first.helium, first.helium_time)
    clock.sleep(31.0)
    station.look()
    assert asked[-1] == "LEVEL?"


def test_a_look_has_setpoints_link_ages_and_who_is_silent(
    station: Station, lab: VirtualLab, clock: VirtualClock
) -> None:
    clock.sleep(100.0)
    row = station.look().row()
    assert (row["Temperature setpoint (K)"], row["Field setpoint (Oe)"]) == (300.0, 0.0)
    assert float(row["Link age ppms (s)"]) < 1.0
    assert float(row["Link age k2182a (s)"]) > 100.0
    assert station.look().silent == {}
    lab.faults.add("timeout", target="ppms", count=1000)
    found = station.look()
    assert isinstance(found.temperature, CommunicationError)
    assert isinstance(found.helium, HeliumLevel)  # less than a minute old
    assert list(found.silent) == ["ppms"]
    assert found.silent["ppms"] == pytest.approx(found.link_ages["ppms"], abs=3.0)
    row = found.row()
    assert math.isnan(float(row["Temperature setpoint (K)"]))
    assert row["Chamber"] == "CommunicationError"


def test_a_silent_instrument_is_named_with_the_reason_and_the_others_are_not(
    station: Station, lab: VirtualLab, clock: VirtualClock
) -> None:
    assert station.silent() == {}
    lab.faults.add("timeout", target="k2182a", count=7)  # 5 tries, then 2
    (why,) = station.silent().values()
    assert "k2182a gave no usable answer to '*IDN?' in 5 tries" in why
    assert station.silent() == {"k2182a": why}  # too early to ask again
    clock.sleep(1.0)
    assert "in 2 tries" in station.silent()["k2182a"]
    clock.sleep(2.0)
    assert station.silent() == {}
    assert lab.faults.armed == []


def test_a_setpoint_that_somebody_else_set_is_told_with_ours(station: Station, lab: VirtualLab) -> None:
    ppms = ppms_of(station)
    assert station.foreign_setpoints() == []
    lab.cryostat.command(lab.now(), 290.0, 5.0, 0)
    assert station.foreign_setpoints() == []  # we set none before
    ppms.set_temperature(280.0, 5.0)
    ppms.set_field(1000.0, 100.0)
    assert station.foreign_setpoints() == []
    lab.cryostat.command(lab.now(), 270.0, 5.0, 0)
    lab.magnet.command(lab.now(), 500.0, 100.0, 0, 1)
    assert station.foreign_setpoints() == [
        ForeignSetpoint("temperature", "K", 280.0, 270.0),
        ForeignSetpoint("field", "Oe", 1000.0, 500.0),
    ]
    assert station.look().foreign == tuple(station.foreign_setpoints())
    station.accept_setpoints()
    assert station.foreign_setpoints() == []


def test_a_setpoint_of_another_hand_cannot_be_told_while_nothing_answers(
    station: Station, lab: VirtualLab
) -> None:
    lab.faults.add("timeout", target="ppms", count=1000)
    with pytest.raises(CommunicationError, match=r"ppms gave no usable answer to 'TEMP\?'"):
        station.foreign_setpoints()


# --- holding, and who was not made safe


@pytest.mark.parametrize("temperature", [False, True])
def test_holding_stops_source_and_field_and_the_temperature_where_asked(
    station: Station, clock: VirtualClock, temperature: bool
) -> None:
    ppms = ppms_of(station)
    station.bridge("film").start(CURRENT)
    ppms.set_temperature(250.0, 5.0)
    ppms.set_field(10000.0, 100.0)
    clock.sleep(120.0)
    steps = {step.instrument: step for step in station.hold(temperature)}
    assert all(step.confirmed for step in steps.values())
    assert steps["k6221"].message == "0 A, output off"
    assert 0.0 < ppms.field_setpoint() < 10000.0
    assert (ppms.temperature_setpoint() == 250.0) is not temperature
    assert station.foreign_setpoints() == []


def test_a_quenched_magnet_and_a_faulty_heater_get_no_command(
    station: Station, lab: VirtualLab, clock: VirtualClock
) -> None:
    ppms = ppms_of(station)
    ppms.set_temperature(250.0, 5.0)
    ppms.set_field(10000.0, 100.0)
    clock.sleep(60.0)
    lab.magnet.force_status(11, lab.now())
    lab.cryostat.force_status(15, lab.now())
    steps = {step.instrument: step for step in station.hold(temperature=True)}
    assert steps["ppms"].message.count("nothing was sent") == 2
    assert (lab.magnet.setpoint()[0], lab.cryostat.setpoint()[0]) == (10000.0, 250.0)


def test_those_that_were_not_confirmed_are_made_safe_again_alone(station: Station, lab: VirtualLab) -> None:
    station.bridge("film").start(CURRENT)
    lab.faults.add("timeout", target="k6221", count=20)
    missing = [step.instrument for step in station.safe_state() if not step.confirmed]
    assert missing == ["k6221"]
    lab.faults.armed.clear()
    assert [(step.instrument, step.confirmed) for step in station.safe_state(only=missing)] == [
        ("k6221", True)
    ]


# --- a connection that was opened anew


@pytest.mark.parametrize("name", ["k6221", "k2182a"])
def test_a_bridge_over_a_connection_opened_anew_is_started_again_before_it_measures(
    station: Station, lab: VirtualLab, name: str
) -> None:
    bridge = film_of(station)
    bridge.start(CURRENT)
    lab.faults.add("timeout", target=name, count=4)
    with pytest.raises(
        CommunicationError,
        match=rf"connection to {name} was opened anew.*start the resistance bridge again",
    ):
        bridge.measure(6)
    assert not bridge.is_running
    with pytest.raises(CommunicationError, match="opened anew"):
        bridge.measure(6)
    bridge.stop()
    bridge.start(CURRENT)
    assert bridge.measure(6).flags == ()


def test_a_source_that_lost_its_current_in_a_silence_is_not_sent_one_again(
    station: Station, lab: VirtualLab
) -> None:
    source, device = film_of(station).source, lab.instruments["k6221"]
    assert isinstance(device, K6221)
    lab.faults.add("timeout", target="k6221", count=4)

    def lose_power(t: float) -> None:
        device.execute("*RST", t)

    lab.at(lab.now() + 5.0, lose_power)
    with pytest.raises(CommunicationError, match=r"reads back 0 A instead of 0\.0001 A after its connection"):
        source.set_current(CURRENT)
    assert (device.level_a, device.output) == (0.0, False)


def test_a_source_that_was_without_power_between_two_points_gives_no_point(
    station: Station, lab: VirtualLab
) -> None:
    bridge, device = station.bridge("film"), lab.instruments["k6221"]
    bridge.start(CURRENT)
    bridge.measure(6)
    device.execute("*RST", lab.now())
    with pytest.raises(CommunicationError, match="k6221 has its output off, though it was switched on"):
        bridge.measure(6)
