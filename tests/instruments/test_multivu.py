"""The driver of a MultiVu server on the virtual one: good days, and each fault of server and wire."""

import itertools
from collections.abc import Callable, Iterator

import pytest
import pyvisa

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.multivu import MultiVu
from onnes.instruments.multivu_session import MultiVuSession
from onnes.instruments.protocols import Chamber, Cryostat, SealedCryostat
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

SERVER = "TCPIP0::192.168.0.20::27183::SOCKET"
_numbers = itertools.count(1)


class Bench:
    """A lab whose one controller is a MultiVu server, and drivers opened on it."""

    def __init__(self, key: str, flavor: str) -> None:
        self.key = key
        self.clock = VirtualClock()
        table = {"model": "multivu", "flavor": flavor, "resources": [SERVER]}
        under = {"instrument": {"multivu": table}, "magnet": {"start_mode": "driven"}}
        self.lab: VirtualLab = load_lab("default", self.clock, under=under)
        set_lab(key, self.lab)
        self.manager = pyvisa.ResourceManager(f"{key}@onnes")
        self.opened: list[MultiVu] = []

    def open(self) -> MultiVu:
        self.opened.append(MultiVu.open(self.manager, SERVER, "mpms", self.clock))
        return self.opened[-1]

    def connect(self) -> MultiVu:
        machine = self.open()
        machine.connect()
        return machine

    def fault(self, kind: str, **more: float | str) -> None:
        """Let a fault begin now."""
        self.lab.faults.add(kind, "multivu", **more)  # type: ignore[arg-type]  # any kind, any argument
        with self.lab.lock:
            self.lab.tick()


MakeBench = Callable[[str], Bench]


@pytest.fixture
def on() -> Iterator[MakeBench]:
    """Return what makes a bench of a flavor."""
    benches: list[Bench] = []

    def make(flavor: str) -> Bench:
        benches.append(Bench(f"multivu-{next(_numbers)}", flavor))
        return benches[-1]

    yield make
    for bench in benches:
        for machine in bench.opened:
            machine.link.close()
        bench.manager.close()
        forget_lab(bench.key)


# --- good days


def test_it_is_a_cryostat_with_a_chamber(on: MakeBench) -> None:
    machine = on("MPMS3").connect()
    assert isinstance(machine, Cryostat)
    assert isinstance(machine, Chamber)
    assert isinstance(machine, SealedCryostat)


def test_connecting_says_what_is_there_and_sets_nothing(on: MakeBench) -> None:
    bench = on("MPMS3")
    before = bench.lab.cryostat.setpoint(), bench.lab.magnet.setpoint()
    assert bench.open().connect() == "Quantum Design MPMS3, MultiVu sim, MultiPyVu 3.8.0"
    assert (bench.lab.cryostat.setpoint(), bench.lab.magnet.setpoint()) == before


def test_a_look_finds_temperature_field_and_chamber_in_the_words_of_a_ppms(on: MakeBench) -> None:
    temperature, field, chamber = on("MPMS3").connect().look()
    assert not isinstance(temperature, Exception)
    assert not isinstance(field, Exception)
    assert (temperature.state, temperature.is_stable) == ("stable", True)
    assert temperature.value == pytest.approx(300.0, abs=0.05)
    assert (field.state, field.is_stable) == ("driven", True)
    assert chamber == "purged and sealed"


def test_a_reading_is_dated_in_the_middle_of_question_and_reply(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    before = bench.clock.now()
    reading = machine.temperature()
    assert before < reading.time < bench.clock.now() < before + 0.1


@pytest.mark.parametrize("flavor", ["PPMS", "DYNACOOL", "MPMS3"])
def test_temperature_and_field_arrive_where_they_were_told(flavor: str, on: MakeBench) -> None:
    bench = on(flavor)
    machine = bench.connect()
    machine.set_temperature(295.0, 5.0)
    machine.set_field(-1000.0, 100.0)
    assert not machine.temperature().is_stable
    assert not machine.field().is_stable
    bench.clock.sleep(900.0)
    temperature, field = machine.snapshot()
    assert temperature.is_stable
    assert field.is_stable
    assert temperature.value == pytest.approx(295.0, abs=0.1)
    assert field.value == pytest.approx(-1000.0, abs=1.0)
    assert (machine.temperature_setpoint(), machine.field_setpoint()) == (295.0, -1000.0)
    assert (machine.confirmed_temperature(), machine.confirmed_field()) == (295.0, -1000.0)
    assert machine.link.retries == []


def test_an_unchanged_target_is_not_sent_again(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    machine.set_field(500.0, 100.0)
    bench.clock.sleep(60.0)
    swept = bench.lab.magnet.swept_oe(bench.clock.now())
    machine.set_field(500.0, 100.0)
    bench.clock.sleep(60.0)
    assert bench.lab.magnet.swept_oe(bench.clock.now()) == swept
    assert machine.field().is_stable


@pytest.mark.parametrize("flavor", ["PPMS", "MPMS3"])
def test_a_hold_stops_both_ramps_where_they_are(flavor: str, on: MakeBench) -> None:
    bench = on(flavor)
    machine = bench.connect()
    machine.set_temperature(200.0, 5.0)
    machine.set_field(20_000.0, 100.0)
    bench.clock.sleep(60.0)
    done = machine.hold(temperature=True)
    assert done.startswith("field held at ")
    assert "temperature held at 29" in done
    bench.clock.sleep(600.0)
    assert 5_000.0 < machine.field().value < 8_000.0
    assert machine.temperature().value > 290.0


def test_the_safe_state_leaves_the_temperature_setpoint(on: MakeBench) -> None:
    machine = on("MPMS3").connect()
    machine.set_temperature(200.0, 5.0)
    assert machine.safe_state().endswith("temperature setpoint left at 200 K")


# --- limits


@pytest.mark.parametrize(
    ("flavor", "kelvin", "rate", "told"),
    [
        ("MPMS3", 1000.0, 5.0, r"temperature = 1000 K is outside \[1.8, 400\] K, the range set by the MPMS3"),
        (
            "VERSALAB",
            4.2,
            5.0,
            r"temperature = 4.2 K is outside \[50, 400\] K, the range set by the VersaLab",
        ),
        ("MPMS3", 295.0, 0.0, r"temperature rate = 0 K/min is outside \[0.01, 20\] K/min"),
        ("MPMS3", float("nan"), 5.0, r"temperature = nan K is outside"),
    ],
)
def test_a_temperature_out_of_range_is_not_sent(
    flavor: str, kelvin: float, rate: float, told: str, on: MakeBench
) -> None:
    bench = on(flavor)
    before = bench.lab.cryostat.setpoint()
    with pytest.raises(LimitError, match=told):
        bench.connect().set_temperature(kelvin, rate)
    assert bench.lab.cryostat.setpoint() == before


@pytest.mark.parametrize(
    ("flavor", "oersted", "rate", "told"),
    [
        (
            "MPMS3",
            1e7,
            100.0,
            r"field = 10000000 Oe is outside \[-70000, 70000\] Oe, the range set by the MPMS3",
        ),
        ("MPMS3", 100.0, 0.0, r"field rate = 0 Oe/s is outside \[0.1, 700\] Oe/s"),
        ("MPMS3", 100.0, -5.0, r"field rate = -5 Oe/s is outside"),
        (
            "PPMS",
            100.0,
            200.0,
            r"field rate = 200 Oe/s is outside \[10, 190\] Oe/s, the range set by the PPMS",
        ),
        ("OPTICOOL", 80e3, 10.0, r"field = 80000 Oe is outside \[-70000, 70000\] Oe"),
    ],
)
def test_a_field_out_of_range_is_not_sent(
    flavor: str, oersted: float, rate: float, told: str, on: MakeBench
) -> None:
    bench = on(flavor)
    before = bench.lab.magnet.setpoint()
    with pytest.raises(LimitError, match=told):
        bench.connect().set_field(oersted, rate)
    assert bench.lab.magnet.setpoint() == before


def test_what_a_magnet_cannot_do_is_not_sent(on: MakeBench) -> None:
    with pytest.raises(
        LimitError, match="mode = 'persistent' is not allowed by the MultiVu server of the MPMS3"
    ):
        on("MPMS3").connect().set_field(100.0, 100.0, mode="persistent")
    with pytest.raises(
        LimitError, match="approach = 'no_overshoot' is not among linear, oscillate, set by the"
    ):
        on("VERSALAB").connect().set_field(100.0, 100.0, "no_overshoot")


def test_a_ppms_may_be_persistent(on: MakeBench) -> None:
    bench = on("PPMS")
    machine = bench.connect()
    machine.set_field(1000.0, 100.0, mode="persistent")
    bench.clock.sleep(120.0)
    assert machine.field().state == "persistent"
    assert machine.field().is_stable
    assert machine.field_setpoint_in_full().mode == "persistent"


def test_a_machine_without_a_chamber_says_so(on: MakeBench) -> None:
    with pytest.raises(InstrumentFault, match="mpms is an OPTICOOL, which has no chamber; take the role"):
        on("OPTICOOL").connect().chamber_state()


# --- the field setpoint of an MPMS3


def test_a_field_that_rests_elsewhere_was_set_by_somebody_else(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    machine.set_field(1000.0, 100.0)
    bench.clock.sleep(60.0)
    bench.lab.magnet.command(bench.clock.now(), 3000.0, 100.0, 0, 1)
    bench.clock.sleep(10.0)
    assert machine.field_setpoint() == 1000.0  # it moves, which contradicts nothing yet
    bench.clock.sleep(60.0)
    assert machine.field_setpoint() == pytest.approx(3000.0, abs=1.0)
    assert machine.confirmed_field() == 1000.0
    machine.forget_setpoints()
    assert machine.confirmed_field() is None
    assert machine.field_setpoint() == pytest.approx(3000.0, abs=1.0)


def test_a_ramp_that_nobody_here_began_has_no_setpoint(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.magnet.command(bench.clock.now(), 30_000.0, 100.0, 0, 1)
    bench.clock.sleep(10.0)
    with pytest.raises(
        CommunicationError, match="an MPMS3 does not tell its field setpoint: wait until it rests"
    ):
        machine.field_setpoint()


def test_a_magnet_at_rest_in_persistent_mode_is_given_the_time_of_its_leads(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.magnet.command(bench.clock.now(), 60_000.0, 700.0, 0, 0)
    bench.clock.sleep(600.0)
    assert machine.field().state == "persistent"
    machine.set_field(0.0, 700.0)  # the leads take 11 s, without a state of their own
    bench.clock.sleep(600.0)
    assert machine.field().value == pytest.approx(0.0, abs=1.0)


def test_an_mpms3_that_does_not_begin_to_ramp_is_a_fault(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.fault("set_ignored", says="received")
    with pytest.raises(
        InstrumentFault, match=r"was told field 1000 Oe, but 10 s later is at .* Oe \(driven\)"
    ):
        machine.set_field(1000.0, 100.0)
    assert machine.confirmed_field() is None


# --- states


def test_a_quench_is_a_fault_and_gets_no_command(on: MakeBench) -> None:
    bench = on("PPMS")
    machine = bench.connect()
    machine.set_field(9000.0, 100.0)
    bench.clock.sleep(60.0)
    bench.lab.faults.add("quench")
    with pytest.raises(InstrumentFault, match=r"magnet quenched at .* send no field command"):
        machine.field()
    assert machine.hold().startswith("nothing was sent: magnet quenched")
    with pytest.raises(InstrumentFault, match=r"mpms refuses FIELD .*SetField.*look at MultiVu on its PC"):
        machine._session.tell("FIELD", "100.0,100.0,0,1")


def test_no_state_for_a_moment_is_asked_again(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.cryostat.force_status(0, bench.clock.now())
    bench.lab.cryostat.force_status(None, bench.clock.now() + 0.3)
    assert machine.temperature().state == "stable"
    assert [retry.question for retry in machine.link.retries] == ["TEMP?"]


def test_no_state_for_long_is_an_error(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.cryostat.force_status(0, bench.clock.now())
    with pytest.raises(CommunicationError, match="could mean MultiVu is not running"):
        machine.temperature()


def test_the_fault_of_one_part_takes_only_its_place_in_a_look(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.chamber.force_status(15, bench.clock.now())
    temperature, field, chamber = machine.look()
    assert not isinstance(temperature, Exception)
    assert not isinstance(field, Exception)
    assert isinstance(chamber, InstrumentFault)
    bench.lab.faults.add("drop", "multivu", until=3600.0)
    with pytest.raises(CommunicationError, match="no usable answer to"):
        machine.look()


# --- faults of the server


def test_a_server_just_started_is_tried_for_2_s(on: MakeBench) -> None:
    bench = on("MPMS3")
    bench.fault("connection_refused", seconds=1.5)
    assert bench.open().connect().startswith("Quantum Design MPMS3")
    bench.fault("connection_refused", seconds=60.0)
    before = bench.clock.now()
    with pytest.raises(
        CommunicationError, match=f"no instrument at {SERVER} .*is the MultiVu server running"
    ):
        bench.open()
    assert bench.clock.now() - before == pytest.approx(2.0, abs=0.3)


def test_a_slot_that_a_dead_client_keeps_is_told_with_the_remedy(on: MakeBench) -> None:
    bench = on("MPMS3")
    first = bench.connect()
    bench.fault("dead_client")
    first.link.farewell = None  # it dies without CLOSE
    first.link.close()
    with pytest.raises(CommunicationError, match="still holds a dead client; restart it on the MultiVu PC"):
        bench.open().connect()


def test_a_client_that_closes_gives_its_slot_back(on: MakeBench) -> None:
    bench = on("MPMS3")
    bench.fault("dead_client")
    bench.connect().link.close()
    assert bench.open().connect().startswith("Quantum Design MPMS3")


def test_a_connection_opened_anew_leaves_no_dead_client(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.fault("dead_client")
    bench.lab.faults.add("timeout", "multivu", "TEMP?*", count=1)
    bench.lab.faults.add("drop", "multivu", "FIELD?*", count=4)
    assert machine.field().state == "driven"
    assert machine.link.reopened == 1
    assert machine.temperature().state == "stable"


def test_a_second_client_is_refused(on: MakeBench) -> None:
    bench = on("MPMS3")
    bench.connect()
    with pytest.raises(CommunicationError, match=r"refuses this client: .Connection attempt rejected from"):
        bench.open().connect()


def test_a_server_of_another_version_is_refused_with_both_named(on: MakeBench) -> None:
    bench = on("MPMS3")
    bench.fault("server_version", text="2.6.1")
    with pytest.raises(
        CommunicationError, match=r"is of version '2.6.1', and this client speaks 3.8; install"
    ):
        bench.open().connect()


@pytest.mark.parametrize("kind", ["late_confirmation", "split_frame", "swallowed_request"])
def test_it_does_nothing_that_kills_a_server_or_is_swallowed(kind: str, on: MakeBench) -> None:
    bench = on("MPMS3")
    bench.fault(kind)
    machine = bench.connect()
    for _ in range(20):
        machine.look()
    machine.set_temperature(295.0, 5.0)
    bench.clock.sleep(10.0)
    assert machine.temperature_setpoint() == 295.0
    assert machine.link.retries == []
    assert [entry for entry in bench.lab.journal if entry.command != "begins"] == []


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("unconfirmed", "was told temperature 295 K .* but reads back .*300.0"),
        ("received", "was told temperature 295 K .* but reads back .*300.0"),
        ("nothing", "mpms refuses TEMP 295.0,5.0,0: ''"),
    ],
)
def test_a_setpoint_that_multivu_did_not_take_is_a_fault(says: str, told: str, on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.fault("set_ignored", says=says)
    with pytest.raises(InstrumentFault, match=told):
        machine.set_temperature(295.0, 5.0)
    assert machine.confirmed_temperature() is None


# --- faults of the wire


def test_a_lost_completion_comes_again_and_costs_no_second_question(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("timeout", "multivu", "TEMP?*")
    before = bench.clock.now()
    assert machine.temperature().state == "stable"
    assert bench.clock.now() - before == pytest.approx(1.0, abs=0.1)
    assert machine.link.retries == []


def test_a_lost_question_is_asked_again(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("drop", "multivu", "TEMP?*")
    assert machine.temperature().state == "stable"
    assert [retry.reason for retry in machine.link.retries] == ["mpms did not answer 'TEMP?' within 2 s"]


def test_a_lost_setpoint_is_sent_again_only_after_the_read_back_says_so(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("drop", "multivu", "TEMP 295*")
    machine.set_temperature(295.0, 5.0)
    assert bench.lab.cryostat.setpoint() == (295.0, 5.0, 0)
    (retry,) = machine.link.retries
    assert retry.question == "TEMP 295.0,5.0,0"
    assert "reads back" in retry.reason


def test_a_setpoint_whose_reply_is_lost_is_sent_once(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("latency", "multivu", "FIELD 1000*", seconds=20.0)
    commands: list[float] = []
    command = bench.lab.magnet.command
    bench.lab.magnet.command = lambda t, *rest: (commands.append(t), command(t, *rest))[1]  # type: ignore[method-assign, func-returns-value]
    machine.set_field(1000.0, 100.0)
    assert len(commands) == 1
    assert machine.confirmed_field() == 1000.0


@pytest.mark.parametrize("kind", ["garbage", "partial", "stale"])
def test_a_spoilt_reply_is_never_taken_for_a_reading(kind: str, on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    machine.field()
    bench.lab.faults.add(kind, "multivu", "TEMP?*")  # type: ignore[arg-type]
    reading = machine.temperature()
    assert reading.value == pytest.approx(300.0, abs=0.05)
    assert machine.field().value == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("kind", ["garbage", "partial", "stale"])
def test_a_setpoint_whose_reply_is_spoilt_is_read_back_and_sent_once(kind: str, on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    machine.field()
    bench.lab.faults.add(kind, "multivu", "TEMP 295*")  # type: ignore[arg-type]
    bench.lab.faults.add(kind, "multivu", "FIELD 1000*")  # type: ignore[arg-type]
    machine.set_temperature(295.0, 5.0)
    machine.set_field(1000.0, 100.0)
    assert (machine.confirmed_temperature(), machine.confirmed_field()) == (295.0, 1000.0)
    assert not [retry for retry in machine.link.retries if retry.question.startswith(("TEMP ", "FIELD "))]


@pytest.mark.parametrize("kind", ["garbage", "partial"])
def test_a_farewell_whose_reply_is_spoilt_keeps_no_connection_from_being_opened_anew(
    kind: str, on: MakeBench
) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add(kind, "multivu", "CLOSE")  # type: ignore[arg-type]
    machine.link.reopen()
    assert machine.temperature().state == "stable"
    assert machine.link.reopened == 1


def test_a_reply_that_is_none_is_told_as_a_failure_of_the_link(on: MakeBench) -> None:
    bench = on("MPMS3")
    session = MultiVuSession(bench.open().link)
    session.begin()
    bench.lab.faults.add("garbage", "multivu", "TEMP 295*")
    with pytest.raises(CommunicationError, match=r"mpms did not answer 'TEMP' properly: b'.*' is no JSON"):
        session.tell("TEMP", "295.0,5.0,0")


def test_a_server_that_is_silent_for_long_is_an_error_with_the_remedy(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("drop", "multivu", until=3600.0)
    with pytest.raises(
        CommunicationError, match=r"no usable answer to 'TEMP\?' in 5 tries.*restart it on the Mul"
    ):
        machine.temperature()
    assert machine.link.silent_since is not None


def test_a_connection_that_the_server_closed_is_opened_anew(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    machine.link.send_bytes(b"\x00\x05hello", "rubbish")
    with pytest.raises(CommunicationError, match="mpms failed at 'rubbish': VI_ERROR_CONN_LOST"):
        machine.link.send_bytes(b"more", "rubbish")
    assert machine.temperature().state == "stable"
    assert machine.link.reopened == 1


def test_closing_leaves_a_silent_server_without_a_word_where_somebody_is_in_a_hurry(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("drop", "multivu", until=3600.0)
    with pytest.raises(CommunicationError):
        machine.answer()
    machine.link.hurried = lambda: True
    before = bench.clock.now()
    machine.link.close()
    assert bench.clock.now() == before


def test_a_link_that_cannot_say_farewell_is_closed_all_the_same(on: MakeBench) -> None:
    bench = on("MPMS3")
    machine = bench.connect()
    bench.lab.faults.add("drop", "multivu", "CLOSE")
    machine.link.close()
    assert bench.open().connect().startswith("Quantum Design MPMS3")
