"""The Model 6000 driver, byte by byte."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from pymeasure.test import expected_protocol

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.ppms import PPMS
from onnes.instruments.protocols import Chamber, Cryostat, HeliumGauge, HeliumLevel, Reading, SealedCryostat

Pairs = Sequence[tuple[str | None, str | None]]
MAGNET = ("MAGCNF?", "90000,1000,20,3,12,30,30;")
READS = 0.1  # s of lab time that one question costs


@contextmanager
def ppms(pairs: Pairs, clock: VirtualClock | None = None) -> Iterator[PPMS]:
    with expected_protocol(PPMS, list(pairs), clock=clock or VirtualClock()) as instrument:
        yield instrument


def data(word: int, kelvin: float = 300.0, oersted: float = 0.0, stamp: float = 100.0) -> tuple[str, str]:
    return "GETDAT? 7", f"7,{stamp:.3f},{word},{kelvin},{oersted};"


def test_it_is_a_cryostat_a_chamber_and_a_helium_gauge() -> None:
    with ppms([MAGNET]) as instrument:
        assert isinstance(instrument, Cryostat)
        assert isinstance(instrument, Chamber)
        assert isinstance(instrument, HeliumGauge)


def test_connecting_clears_first_and_sets_nothing() -> None:
    with ppms([("REV?", "1.0,2.3;"), ("FIELD?", "0.00,100.0,0,0;"), MAGNET]) as instrument:
        assert instrument.connect() == "Quantum Design Model 6000, revision 1.0,2.3, magnet 90000 Oe"
        instrument.adapter.connection.clear.assert_called_once()


# --- readings


def test_temperature_and_field_come_from_one_question() -> None:
    clock = VirtualClock()
    with ppms([("GETDAT? 7", "7,1234.5,4417,4.2003,20000.1;")], clock) as instrument:
        temperature, field = instrument.snapshot()
    assert (temperature.value, temperature.state, temperature.is_stable) == (4.2003, "stable", True)
    assert (field.value, field.state, field.is_stable) == (20000.1, "driven", True)
    assert temperature.status == field.status == 0x1141
    assert clock.now() == pytest.approx(READS)
    assert temperature.time == pytest.approx(READS / 2)  # when the controller looked is not known


def test_a_negative_field_is_read() -> None:
    with ppms([("GETDAT? 5", "5,1.0,4417,-8999.7;")]) as instrument:
        assert instrument.field().value == -8999.7


def test_temperature_alone_asks_for_no_field() -> None:
    with ppms([("GETDAT? 3", "3,1.0,4370,250.5;")]) as instrument:
        reading = instrument.temperature()
    assert (reading.value, reading.state, reading.is_stable) == (250.5, "tracking", False)


@pytest.mark.parametrize("nibble", [0, 7])
def test_an_unknown_state_and_a_filling_reservoir_are_neither_stable_nor_faults(nibble: int) -> None:
    with ppms([("GETDAT? 3", f"3,1.0,{0x1110 | nibble},4.2;")]) as instrument:
        reading = instrument.temperature()
    assert reading.state == {0: "unknown", 7: "filling reservoir"}[nibble]
    assert not reading.is_stable


@pytest.mark.parametrize(
    ("nibble", "words"), [(10, "standby"), (13, "diagnostic"), (14, "impedance"), (15, "failure")]
)
def test_a_fault_of_the_temperature_control_is_raised_with_reading_and_word(nibble: int, words: str) -> None:
    word = 0x1110 | nibble
    with (
        ppms([("GETDAT? 3", f"3,1.0,{word},4.2;")]) as instrument,
        pytest.raises(InstrumentFault, match=rf"{words}.* at 4\.2 K \(status word {word:#06x}\)"),
    ):
        instrument.temperature()


@pytest.mark.parametrize(
    ("nibble", "words"), [(8, "resetting"), (11, "quenched at 9000 Oe"), (15, "general failure")]
)
def test_a_fault_of_the_magnet_is_raised_and_asks_for_no_command(nibble: int, words: str) -> None:
    with (
        ppms([("GETDAT? 5", f"5,1.0,{0x1101 | nibble << 4},9000;")]) as instrument,
        pytest.raises(InstrumentFault, match=rf"magnet:? {words}.*send no field command"),
    ):
        instrument.field()


@pytest.mark.parametrize("nibble", [3, 4, 8, 9, 11, 12])
def test_an_unknown_code_is_a_fault_and_never_a_guess(nibble: int) -> None:
    with (
        ppms([("GETDAT? 3", f"3,1.0,{0x1110 | nibble},4.2;")]) as instrument,
        pytest.raises(InstrumentFault, match=f"unknown temperature status {nibble}"),
    ):
        instrument.temperature()


@pytest.mark.parametrize(
    "reply",
    [
        "3,1.0,4369,4.2",  # cut off
        "7,1.0,4369,4.2,0;",  # to another question
        "3,1.0,4369;",  # too few
        "3,1.0,4369,4.2,5;",  # too many
        "3,1.0,4369,nan;",
        "3,1.0,4369,4?2;",
        "300,10,0;",
        ";",
    ],
)
def test_a_reply_that_does_not_fit_the_question_is_cleared_away_and_asked_again(reply: str) -> None:
    with ppms([("GETDAT? 3", reply), ("GETDAT? 3", "3,2.0,4369,4.2;")]) as instrument:
        assert instrument.temperature().value == 4.2
        instrument.adapter.connection.clear.assert_called_once()
        assert len(instrument.link.retries) == 1


def test_four_misfits_are_a_communication_error_that_asks_for_multivu() -> None:
    with (
        ppms([("GETDAT? 3", "300,10,0;")] * 4) as instrument,
        pytest.raises(CommunicationError, match=r"in 4 tries.*is MultiVu running\? it owns the GPIB board"),
    ):
        instrument.temperature()


def test_a_repeated_old_reply_is_never_taken_for_a_fresh_one() -> None:
    clock = VirtualClock()
    with ppms(
        [data(4369, stamp=1.5), data(4369, stamp=1.5), data(4369, 299.0, stamp=2.5)], clock
    ) as instrument:
        instrument.snapshot()
        clock.sleep(1.0)
        assert instrument.snapshot()[0].value == 299.0
        assert "is the one before" in instrument.link.retries[0].reason


def test_two_timestamps_that_went_backwards_are_a_restarted_controller() -> None:
    again = data(4369, stamp=6.0)
    with ppms([data(4369, stamp=1000.5), data(4369, stamp=3.5), data(4369, stamp=4.1), again]) as instrument:
        instrument.snapshot()
        for _ in range(2):  # it stays one until somebody looked
            with pytest.raises(
                InstrumentFault, match=r"controller of the PPMS was restarted: .* from 1000\.5 s"
            ):
                instrument.snapshot()


def test_a_restart_that_a_person_has_accepted_is_no_fault_any_more() -> None:
    again = [data(4369, stamp=6.0), data(4369, stamp=6.1)]
    with ppms([data(4369, stamp=1000.5), data(4369, stamp=3.5), data(4369, stamp=4.1), *again]) as instrument:
        instrument.snapshot()
        with pytest.raises(InstrumentFault, match="controller of the PPMS was restarted"):
            instrument.snapshot()
        instrument.accept_restart()
        instrument.snapshot()
        instrument.snapshot()
        assert len(instrument.link.retries) == 1


def stamped(stamps: list[float], snapshots: int) -> list[str]:
    """Take snapshots one after the other; return why questions were asked again."""
    with ppms([data(4369, stamp=stamp) for stamp in stamps]) as instrument:
        for _ in range(snapshots):
            instrument.snapshot()
        return [retry.reason for retry in instrument.link.retries]


@pytest.mark.parametrize("garbled", [3.5, 9000.5], ids=["smaller", "larger"])
def test_one_garbled_timestamp_is_asked_for_again_and_spoils_nothing(garbled: float) -> None:
    reasons = stamped([1000.5, garbled, 1001.2, 1001.3, 1001.4], snapshots=4)
    assert len(reasons) == 1
    assert "does not follow from 1000.5 s" in reasons[0]


def test_a_timestamp_garbled_by_little_spoils_one_later_question_at_most() -> None:
    assert len(stamped([1000.5, 1003.6, 1000.7, 1001.3, 1001.4], snapshots=4)) == 1


def test_a_controller_whose_time_was_set_ahead_is_believed_the_second_time() -> None:
    assert len(stamped([1000.5, 9000.5, 9001.1, 9001.2], snapshots=3)) == 1


def test_timestamps_that_never_agree_are_a_communication_error_and_no_restart() -> None:
    with pytest.raises(CommunicationError, match=r"in 4 tries; last: the time in the reply '7,5000\.5"):
        stamped([1000.5, 3.5, 9000.5, 1.5, 5000.5], snapshots=2)


def test_an_old_reply_twice_is_no_restart() -> None:
    reasons = stamped([1000.5, 999.5, 999.5, 1002.0], snapshots=2)
    assert len(reasons) == 2
    assert "is the one before" in reasons[1]


@pytest.mark.parametrize(("code", "state"), [(1, "purged and sealed"), (7, "high vacuum"), (0, "unknown")])
def test_the_chamber_is_read_in_words(code: int, state: str) -> None:
    with ppms([("GETDAT? 1", f"1,1.0,{0x1011 | code << 8};")]) as instrument:
        assert instrument.chamber_state() == state


def test_a_fault_of_the_chamber_is_raised() -> None:
    with (
        ppms([("GETDAT? 1", f"1,1.0,{0x1F11};")]) as instrument,
        pytest.raises(InstrumentFault, match="chamber: general failure"),
    ):
        instrument.chamber_state()


@pytest.mark.parametrize(("code", "age"), [(0, "old"), (1, "recent"), (2, "continuous")])
def test_the_helium_level_comes_with_its_age(code: int, age: str) -> None:
    with ppms([("LEVEL?", f"67.5,{code};")]) as instrument:
        assert instrument.helium_level() == HeliumLevel(67.5, age)  # type: ignore[arg-type]


def test_an_unknown_age_of_the_level_is_a_communication_error() -> None:
    with (
        ppms([("LEVEL?", "67.5,3;")] * 4) as instrument,
        pytest.raises(CommunicationError, match="has the code 3; expected 0 to 2"),
    ):
        instrument.helium_level()


def test_a_bridge_channel_is_read_in_ohm_and_ampere() -> None:
    with ppms([("GETDAT? 192", "192,1.0,1.25,10;")]) as instrument:
        assert instrument.bridge_readout(2) == pytest.approx((1.25, 10e-6))


def test_a_bridge_that_is_not_there_is_told_by_the_echoed_mask() -> None:
    with (
        ppms([("GETDAT? 48", "16,1.0,1.25;")] * 4) as instrument,
        pytest.raises(CommunicationError, match="lacks bit 5; is that option installed and on"),
    ):
        instrument.bridge_readout(1)


@pytest.mark.parametrize("channel", [0, 5])
def test_a_bridge_channel_that_does_not_exist_is_refused(channel: int) -> None:
    with ppms([]) as instrument, pytest.raises(LimitError, match=r"bridge channel = \d"):
        instrument.bridge_readout(channel)


# --- setting


def test_a_temperature_leaves_in_full_and_is_read_back() -> None:
    pairs = [
        ("TEMP?", "300,10,0;"),
        ("TEMP 4.20123457 1.25 1", None),
        ("TEMP?", "4.2012346,1.25,1;"),
    ]
    with ppms(pairs) as instrument:
        instrument.set_temperature(4.201234567, 1.25, "no_overshoot")


def test_a_field_leaves_in_full_and_is_read_back_within_its_resolution() -> None:
    pairs = [
        MAGNET,
        ("FIELD?", "0.00,100.0,0,0;"),
        ("FIELD -12345.678 100.25 1 1", None),
        ("FIELD?", "-12345.68,100.3,1,1;"),
    ]
    with ppms(pairs) as instrument:
        instrument.set_field(-12345.678, 100.25, "no_overshoot", "driven")


@pytest.mark.parametrize(
    ("kelvin", "rate"), [(1.0, 1), (401, 1), (float("nan"), 1), (10, 0), (10, 21), (10, -1)]
)
def test_a_temperature_out_of_range_is_refused_and_nothing_is_sent(kelvin: float, rate: float) -> None:
    with ppms([]) as instrument, pytest.raises(LimitError, match="nothing was sent"):
        instrument.set_temperature(kelvin, rate)


@pytest.mark.parametrize(
    ("oersted", "rate"), [(90001, 100), (-90001, 100), (float("inf"), 100), (0, 200), (0, 5)]
)
def test_a_field_out_of_range_is_refused_and_nothing_is_sent(oersted: float, rate: float) -> None:
    with ppms([MAGNET]) as instrument, pytest.raises(LimitError, match="nothing was sent"):
        instrument.set_field(oersted, rate)


def test_the_limit_of_the_field_is_what_the_controller_says_of_its_magnet() -> None:
    with ppms([("MAGCNF?", "140000,1000,20,3,12,30,30;")]) as instrument:
        assert instrument.field_limits.high == 140000
        assert instrument.field_limits.low == -140000


LOST_ONCE = [("TEMP?", "300,10,0;"), ("TEMP 4.2 10 0", None), ("TEMP?", "300,10,0;"), ("TEMP?", "300,10,0;")]


@pytest.mark.parametrize(
    "pairs",
    [
        [*LOST_ONCE, ("TEMP 4.2 10 0", None), ("TEMP?", "300,10,0;")],
        [*LOST_ONCE[:2], ("TEMP?", "4.3,10,0;"), ("TEMP?", "4.3,10,0;")],
    ],
)
def test_a_refused_temperature_is_a_fault(pairs: list[tuple[str, str | None]]) -> None:
    with (
        ppms(pairs) as instrument,
        pytest.raises(
            InstrumentFault, match=r"was told temperature 4\.2 K at 10 K/min, fast_settle, but reads back"
        ),
    ):
        instrument.set_temperature(4.2, 10)


def test_an_old_reply_after_a_set_is_not_taken_for_a_refusal() -> None:
    pairs = [("TEMP?", "300,10,0;"), ("TEMP 4.2 10 0", None), ("TEMP?", "300,10,0;"), ("TEMP?", "4.2,10,0;")]
    with ppms(pairs) as instrument:
        instrument.set_temperature(4.2, 10)
        instrument.adapter.connection.clear.assert_called_once()


def test_a_setpoint_that_was_lost_is_sent_once_more_and_noted() -> None:
    with ppms([*LOST_ONCE, ("TEMP 4.2 10 0", None), ("TEMP?", "4.2,10,0;")]) as instrument:
        instrument.set_temperature(4.2, 10)
        assert instrument.confirmed_temperature() == 4.2
        assert [retry.question for retry in instrument.link.retries] == ["TEMP 4.2 10 0"]


def test_an_unchanged_temperature_is_not_sent_again() -> None:
    with ppms([("TEMP?", "4.2,10,0;")]) as instrument:
        instrument.set_temperature(4.2, 10)


def test_an_unchanged_field_is_not_sent_again() -> None:
    with ppms([MAGNET, ("FIELD?", "100.00,50.0,0,1;")]) as instrument:
        instrument.set_field(100, 50)


def test_at_rest_another_rate_or_mode_alone_is_not_sent() -> None:
    with ppms([MAGNET, ("FIELD?", "100.00,50.0,0,0;"), ("GETDAT? 5", "5,1.0,4369,100;")]) as instrument:
        instrument.set_field(100, 20, "linear", "driven")


def test_while_ramping_another_rate_is_sent() -> None:
    pairs = [
        MAGNET,
        ("FIELD?", "100.00,50.0,0,1;"),
        ("GETDAT? 5", "5,1.0,4449,40;"),
        ("FIELD 100 20 0 1", None),
        ("FIELD?", "100.00,20.0,0,1;"),
    ]
    with ppms(pairs) as instrument:
        instrument.set_field(100, 20, "linear", "driven")


# --- the status that lags


@contextmanager
def cooling(pairs: Pairs, clock: VirtualClock) -> Iterator[PPMS]:
    start = [("TEMP?", "300,10,0;"), ("TEMP 4.2 10 0", None), ("TEMP?", "4.2,10,0;")]
    with ppms([*start, *pairs], clock) as instrument:
        instrument.set_temperature(4.2, 10)
        yield instrument


def test_a_stable_that_never_left_is_not_believed_before_15_s() -> None:
    clock = VirtualClock()
    with cooling([data(4369, stamp=1.5), data(4369, stamp=20.5)], clock) as instrument:
        early = instrument.snapshot()[0]
        assert (early.state, early.is_stable) == ("stable", False)
        clock.sleep(15.0)
        assert instrument.snapshot()[0].is_stable


def test_a_stable_that_has_left_once_is_believed() -> None:
    pairs = [data(4369, stamp=1.5), data(4370, stamp=2.5), data(4369, 4.2, stamp=3.5)]
    with cooling(pairs, VirtualClock()) as instrument:
        stable = [instrument.snapshot()[0].is_stable for _ in range(3)]
        assert stable == [False, False, True]


def test_in_persistent_mode_the_first_persistent_is_only_the_leads() -> None:
    clock = VirtualClock()
    pairs = [
        MAGNET,
        ("FIELD?", "0.00,100.0,0,0;"),
        ("FIELD 1000 100 0 0", None),
        ("FIELD?", "1000.00,100.0,0,0;"),
        ("GETDAT? 5", "5,1.5,4369,0;"),
        ("GETDAT? 5", "5,31.5,4369,0;"),
        ("GETDAT? 5", "5,33.5,4385,0;"),
        ("GETDAT? 5", "5,53.5,4369,1000;"),
    ]
    with ppms(pairs, clock) as instrument:
        instrument.set_field(1000, 100, "linear", "persistent")
        assert not instrument.field().is_stable
        clock.sleep(30.0)
        assert not instrument.field().is_stable
        assert instrument.field().state == "switch warming"
        clock.sleep(20.0)
        assert instrument.field().is_stable


@pytest.mark.parametrize(
    ("mode", "word", "stable"), [(1, 4417, True), (1, 4369, False), (0, 4369, True), (0, 4417, False)]
)
def test_a_field_rests_only_in_the_mode_that_was_commanded(mode: int, word: int, stable: bool) -> None:
    pairs = [("REV?", "1,1;"), ("FIELD?", f"0.00,100.0,0,{mode};"), MAGNET, ("GETDAT? 5", f"5,1.0,{word},0;")]
    with ppms(pairs) as instrument:
        instrument.connect()
        assert instrument.field().is_stable is stable


# --- holding


def ramping(pairs: Pairs) -> list[tuple[str | None, str | None]]:
    start = [
        MAGNET,
        ("FIELD?", "0.00,100.0,0,1;"),
        ("FIELD 1000 100 0 1", None),
        ("FIELD?", "1000.00,100.0,0,1;"),
    ]
    return [*start, *pairs]


@pytest.mark.parametrize(
    ("reading", "held"),
    [("412.346", "412.35"), ("-0.3", "0"), ("1000.4", "1000")],
    ids=["between", "below", "above"],
)
def test_a_hold_goes_to_the_reading_but_never_beyond_either_target(reading: str, held: str) -> None:
    pairs = ramping(
        [
            ("GETDAT? 5", f"5,1.5,4449,{reading};"),
            ("FIELD?", "1000.00,100.0,0,1;"),
            (f"FIELD {held} 100 0 1", None),
            ("FIELD?", f"{float(held):.2f},100.0,0,1;"),
        ]
    )
    with ppms(pairs) as instrument:
        instrument.set_field(1000, 100)
        instrument.hold_field()


def test_at_rest_a_hold_sends_nothing() -> None:
    with ppms([("GETDAT? 5", "5,1.0,4417,1000;"), ("GETDAT? 3", "3,2.0,4369,4.2;")]) as instrument:
        instrument.hold_field()
        instrument.hold_temperature()


def test_a_temperature_ramp_is_held_at_the_reading() -> None:
    pairs = [
        ("GETDAT? 3", "3,1.5,4370,123.4567;"),
        ("TEMP?", "4.2,10,0;"),
        ("TEMP?", "4.2,10,0;"),
        ("TEMP 123.457 10 0", None),
        ("TEMP?", "123.457,10,0;"),
    ]
    with ppms(pairs) as instrument:
        instrument.hold_temperature()


def test_the_safe_state_holds_the_field_and_leaves_the_temperature() -> None:
    pairs = [("GETDAT? 5", "5,1.0,4417,1000;"), ("FIELD?", "1000.00,100.0,0,1;"), ("TEMP?", "4.2,10,0;")]
    with ppms(pairs) as instrument:
        assert instrument.safe_state() == "field held at 1000 Oe, temperature setpoint left at 4.2 K"


def test_a_quenched_magnet_gets_no_command_in_the_safe_state() -> None:
    with ppms([("GETDAT? 5", f"5,1.0,{0x11B1},9000;")]) as instrument:
        assert instrument.safe_state().startswith("nothing was sent: magnet quenched at 9000 Oe")


# --- a setpoint that was lost, or whose read-back was

SET = "TEMP 250 5 0"
OLD, NEW = ("TEMP?", "300,10,0;"), ("TEMP?", "250,5,0;")
SPOILT = ("TEMP?", "2?0;")


def test_a_setpoint_that_was_lost_on_the_way_is_read_back_and_then_sent_again() -> None:
    with ppms([OLD, (SET, None), SPOILT, OLD, OLD, (SET, None), NEW]) as instrument:
        instrument.set_temperature(250.0, 5.0)
        assert [retry.question for retry in instrument.link.retries] == ["TEMP?", SET]
        assert "reads back TemperatureSetpoint(kelvin=300" in instrument.link.retries[1].reason
        assert instrument.confirmed_temperature() == 250.0


def test_a_setpoint_that_arrived_though_its_read_back_was_spoilt_is_not_sent_again() -> None:
    with ppms([OLD, (SET, None), SPOILT, NEW]) as instrument:
        instrument.set_temperature(250.0, 5.0)


@pytest.mark.parametrize("arrived", [True, False])
def test_after_a_setpoint_that_could_not_be_sent_the_next_call_reads_back_first(
    arrived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = [NEW] if arrived else [OLD, (SET, None), NEW]
    with ppms([OLD, *rest, ("GETDAT? 3", "3,100,4369,250;")]) as instrument:
        with monkeypatch.context() as lost:
            lost.setattr(instrument.link, "_send", fails_at(SET, instrument.link._send))
            with pytest.raises(CommunicationError, match="PPMS failed at 'TEMP 250 5 0'"):
                instrument.set_temperature(250.0, 5.0)
        assert instrument.confirmed_temperature() is None
        instrument.set_temperature(250.0, 5.0)
        assert instrument.confirmed_temperature() == 250.0
        assert not instrument.temperature().is_stable  # it may be about the setpoint before


def fails_at(message: str, send: Callable[[str], object]) -> Callable[[str], object]:
    def send_or_fail(command: str) -> object:
        if command == message:
            raise OSError("gone")
        return send(command)

    return send_or_fail


def test_after_its_connection_was_opened_anew_a_controller_is_not_told_a_setpoint_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ppms([OLD, (SET, None), SPOILT, OLD, OLD]) as instrument:
        clear = instrument.link.clear

        def clear_anew() -> None:
            instrument.link.reopened += 1
            clear()

        monkeypatch.setattr(instrument.link, "clear", clear_anew)
        with pytest.raises(
            CommunicationError, match=r"PPMS reads back .*300.* after its connection was opened anew; nothing"
        ):
            instrument.set_temperature(250.0, 5.0)


def test_a_setpoint_that_is_there_already_counts_as_ours() -> None:
    with ppms([NEW]) as instrument:
        instrument.set_temperature(250.0, 5.0)
        assert instrument.confirmed_temperature() == 250.0
        assert instrument.confirmed_field() is None
        instrument.forget_setpoints()
        assert instrument.confirmed_temperature() is None


# --- one look, holding, helium


def test_one_question_tells_temperature_field_and_chamber() -> None:
    with ppms([("GETDAT? 7", f"7,1.0,{0x111F},4.2,5;")]) as instrument:
        temperature, field, chamber = instrument.look()
    assert isinstance(temperature, InstrumentFault)
    assert isinstance(field, Reading)
    assert (field.value, chamber) == (5.0, "purged and sealed")


def test_a_cryostat_with_its_chamber_is_one_instrument() -> None:
    with ppms([MAGNET]) as instrument:
        assert isinstance(instrument, SealedCryostat)


def test_a_faulty_heater_is_left_alone_while_the_field_is_held() -> None:
    rest = ("GETDAT? 5", "5,1.0,4369,0;")
    fault = ("GETDAT? 3", f"3,2.0,{0x111F},4.2;")
    with ppms([rest, ("FIELD?", "0,100,0,0;"), fault]) as instrument:
        assert instrument.hold(temperature=True).startswith(
            "field held at 0 Oe, nothing was sent: temperature control: general failure"
        )


def test_a_helium_level_is_renewed_by_starting_the_meter() -> None:
    clock = VirtualClock()
    replies = ["61.0,0;", "61.0,0;", "59.5,2;"]
    with ppms([("LEVELON 1", None), *[("LEVEL?", reply) for reply in replies]], clock) as instrument:
        assert instrument.refresh_helium_level() == HeliumLevel(59.5, "continuous")
    assert clock.now() == pytest.approx(2 * 2.0 + 3 * READS)


def test_a_meter_that_gives_no_fresh_level_is_a_fault() -> None:
    with (
        ppms([("LEVELON 1", None), *[("LEVEL?", "61.0,0;")] * 16]) as instrument,
        pytest.raises(InstrumentFault, match=r"no fresh helium level 30 s after .* but 61 % of age 'old'"),
    ):
        instrument.refresh_helium_level()
