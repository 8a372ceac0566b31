"""Delta with the 2182A behind the 6221: times, readings, drift, buffer, formats, and the ways out."""

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from onnes.sim.wiring import Wiring
from tests.sim.conftest import SOURCE, Bench, MakeBench

SETUP = "SOUR:DELT:HIGH 1e-5;DEL 2e-3;COUN 100;CAB 0;:TRAC:POIN 100"
ARM_S = 3.5  # longer than arming takes at 5 power line cycles


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The lab with a 2182A behind the 6221."""
    return make_bench(lab="delta")


def error(source: MessageBasedResource) -> str:
    return source.query("SYST:ERR?").strip()


def amps(bench: Bench) -> float:
    bench.lab.tick()
    return bench.lab.wiring.output("k6221.out").at(bench.lab.now()).amps


def armed(bench: Bench, setup: str = SETUP, meter: str = "SENS:VOLT:NPLC 1") -> MessageBasedResource:
    source = bench.open(SOURCE, timeout=10_000)
    source.write(f"{setup};:SYST:COMM:SER:SEND '{meter}'")
    source.write("SOUR:DELT:ARM")
    bench.clock.sleep(ARM_S)
    assert source.query("SOUR:DELT:ARM?;:SYST:ERR?") == '1;0,"No error"\n'
    return source


def running(bench: Bench, setup: str = SETUP) -> MessageBasedResource:
    source = armed(bench, setup)
    source.write("INIT")
    return source


def true_ohms(bench: Bench) -> float:
    t = bench.lab.now()
    return bench.lab.wiring._pairs["k2182a.ch1"].loop.voltage(1.0, t)


# --- readings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("emf", [(300.0, 0.0), (3000.0, 50.0), (-3000.0, -500.0)])
def test_delta_reads_the_resistance_through_a_drifting_emf(
    emf: tuple[float, float], make_bench: MakeBench
) -> None:
    read = {"port": "k2182a.ch1", "loop": "I", "emf_nv": emf[0], "emf_drift_nv_per_s": emf[1]}
    bench = make_bench(lab="delta", under={"read": [read]})
    source = running(bench)
    bench.clock.sleep(3.0)
    ohms = np.array(source.query_ascii_values("FORM:ELEM READ;:TRAC:DATA?")) / 1e-5
    assert len(ohms) == 100
    # Of n readings in a row the mean weighs nearly every A/D value with 1/n.
    sigma = 15e-9 / 1e-5 / np.sqrt(100)
    assert ohms.mean() == pytest.approx(true_ohms(bench), abs=4 * sigma)
    assert ohms.std() == pytest.approx(15e-9 * np.sqrt(6) / 4 / 1e-5, rel=0.3)


def test_a_period_is_the_delay_and_one_conversion(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 0.01;COUN 5")
    bench.clock.sleep(1.0)
    seconds = source.query_ascii_values("FORM:ELEM TST;:TRAC:DATA?")
    assert seconds == pytest.approx([0.03 * n for n in (3, 4, 5, 6, 7)])


def test_the_current_alternates_and_ends_at_zero(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 0.08;COUN 4")
    begin = bench.lab.now()
    seen = []
    for number in range(7):
        bench.clock.sleep_until(begin + 0.1 * number + 0.05)
        seen.append(amps(bench))
    assert seen == [1e-5, -1e-5, 1e-5, -1e-5, 1e-5, -1e-5, 0.0]
    assert int(source.query("STAT:OPER?")) & 2
    assert source.query("OUTP?") == "1\n"


def test_the_last_reading_repeats_and_is_fresh_once(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 2e-3;COUN INF")
    for message in ("SENS:DATA:FRES?", "SENS:DATA?"):
        source.write(message)
        assert error(source) == '-230,"Data corrupt or stale"'
    bench.clock.sleep(0.1)
    source.write("SYST:COMM:SER:SEND '*RST'")
    assert error(source) == '-221,"Settings conflict"'
    first = source.query("SENS:DATA:FRES?")
    source.write("SENS:DATA:FRES?")
    assert error(source) == '-230,"Data corrupt or stale"'
    assert source.query("SENS:DATA?") == first
    bench.clock.sleep(0.1)
    assert source.query("SENS:DATA:FRES?") != first


def test_there_are_no_readings_where_nothing_is_armed(bench: Bench) -> None:
    source = running(bench)
    bench.clock.sleep(1.0)
    source.write("SOUR:SWE:ABOR")
    for message in ("SENS:DATA?", "SENS:DATA:FRES?"):
        source.write(message)
        assert error(source) == '-221,"Settings conflict"'
    assert len(source.query_ascii_values("TRAC:DATA?")) > 20  # what was taken stays
    source.write("SOUR:DELT:ARM;:SENS:DATA?")  # but the last reading is none of the run to come
    assert error(source) == '-230,"Data corrupt or stale"'


def test_readings_are_given_in_the_unit_that_is_asked(bench: Bench) -> None:
    source = running(bench)
    bench.clock.sleep(3.0)
    source.write("FORM:ELEM READ")
    (volts,) = source.query_ascii_values("SENS:DATA?")
    (ohms,) = source.query_ascii_values("UNIT OHMS;:SENS:DATA?")
    (siemens,) = source.query_ascii_values("UNIT SIEM;:SENS:DATA?")
    (watts,) = source.query_ascii_values("UNIT W;:SENS:DATA?")
    assert ohms == pytest.approx(volts / 1e-5)
    assert siemens == pytest.approx(1 / ohms)
    assert watts == pytest.approx(volts * 1e-5)


def test_all_elements_come_in_their_order(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 2e-3;COUN 3")
    bench.clock.sleep(1.0)
    source.write("FORM:ELEM AVOL,READ")
    assert source.query("FORM:ELEM?") == "READ,AVOL\n"
    volts, average = source.query_ascii_values("SENS:DATA?")
    assert volts == pytest.approx(1e-5 * true_ohms(bench), abs=60e-9)
    assert average == pytest.approx(300e-9, abs=150e-9)  # the EMF
    elements = source.query("FORM:ELEM ALL;:SENS:DATA?").strip().split(",")
    assert elements[2:6] == ["VDC", "2", "+1.00000000E-05", "F"]
    source.write("FORM:ELEM DEF")
    assert source.query("FORM:ELEM?") == "READ,TST\n"


def test_the_buffer_ends_where_it_is_full_and_the_next_run_begins_it_anew(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 2e-3;COUN 30;:TRAC:POIN 10")
    bench.clock.sleep(1.0)
    assert source.query("TRAC:POIN:ACT?") == "10\n"
    assert int(source.query("STAT:MEAS?")) & 512
    source.write("FORM:ELEM RNUM")
    assert source.query("TRAC:DATA?") == "0,1,2,3,4,5,6,7,8,9\n"
    source.write("INIT")
    assert source.query("TRAC:POIN:ACT?") == "0\n"
    bench.clock.sleep(1.0)
    source.write("TRAC:CLE;:TRAC:DATA?")
    assert error(source) == '-230,"Data corrupt or stale"'


def test_sets_repeat_the_run_with_conversions_of_their_own(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 0.08;COUN 2;:SOUR:SWE:COUN 2")
    bench.clock.sleep(1.0)
    seconds = source.query_ascii_values("FORM:ELEM TST;:TRAC:DATA?")
    assert seconds == pytest.approx([0.3, 0.4, 0.7, 0.8])


def test_a_start_while_it_runs_begins_anew(bench: Bench) -> None:
    source = running(bench, "SOUR:DELT:HIGH 1e-5;DEL 0.08;COUN 2")
    bench.clock.sleep(0.25)
    source.write("INIT")
    bench.clock.sleep(0.25)
    assert source.query("TRAC:POIN:ACT?") == "0\n"  # though the run before would have had two by now
    bench.clock.sleep(1.0)
    assert source.query_ascii_values("FORM:ELEM TST;:TRAC:DATA?") == pytest.approx([0.3, 0.4])


def test_a_reading_over_the_range_overflows(bench: Bench) -> None:
    source = armed(
        bench, "SOUR:DELT:HIGH 2e-3;COUN 3;:SOUR:CURR:COMP 50", "SENS:VOLT:NPLC 1;:SENS:VOLT:RANG 0.01"
    )
    source.write("INIT")
    bench.clock.sleep(1.0)
    assert source.query("FORM:ELEM READ,AVOL;:SENS:DATA?") == "+9.9E37,+9.9E37\n"


def test_asking_more_often_changes_no_reading(make_bench: MakeBench) -> None:
    def readings(polls: int) -> str:
        bench = make_bench(lab="delta")
        source = armed(bench)
        bench.clock.sleep_until(bench.lab.origin + 10.0)
        source.write("INIT")
        for _ in range(polls):
            bench.clock.sleep(0.07)
            source.query("SENS:DATA?;:SOUR:CURR?")
        bench.clock.sleep_until(bench.lab.origin + 20.0)
        return source.query("FORM:ELEM READ;:TRAC:DATA?")

    assert readings(0) == readings(20)


# --- arming -----------------------------------------------------------------------------------------------


def test_arming_takes_its_time_and_prepares_the_2182a(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SYST:COMM:SER:SEND 'SENS:CHAN 2;:SENS:VOLT:NPLC 2.5'")
    source.write("SYST:COMM:SER:SEND 'SENS:VOLT:NPLC 2.5'")
    source.write("SOUR:CURR 1e-6;:OUTP 1;:SOUR:DELT:ARM")
    assert amps(bench) == 0.0
    assert source.query("SOUR:DELT:ARM?") == "0\n"
    source.write("INIT")
    assert error(source) == '-221,"Settings conflict"'
    bench.clock.sleep(ARM_S)
    assert source.query("SOUR:DELT:ARM?;:SOUR:DCON:ARM?") == "1;0\n"
    source.write("SOUR:SWE:ABOR")
    state = source.query("SYST:COMM:SER:SEND 'SENS:CHAN?;:SENS:VOLT:NPLC?;:SYST:FAZ?';ENT?")
    assert state.strip() == "1;+1.000000E+00;0"


@pytest.mark.parametrize("message", ["SOUR:DELT:HIGH 1e-6", "SOUR:DELT:COUN 3", "SOUR:CURR 1e-6"])
def test_settings_are_locked_while_delta_is_armed(message: str, bench: Bench) -> None:
    source = armed(bench)
    source.write(message)
    assert error(source) == '-221,"Settings conflict"'
    source.write(f"SOUR:SWE:ABOR;:{message}")
    assert error(source) == '0,"No error"'


def test_arming_one_mode_takes_the_output_from_another(bench: Bench) -> None:
    source = running(bench)
    bench.clock.sleep(0.5)
    source.write("SOUR:WAVE:AMPL 1e-6;ARM")
    assert source.query("SOUR:DELT:ARM?;:SOUR:WAVE:ARM?") == "0;1\n"
    assert amps(bench) == 0.0
    source.write("SOUR:DELT:ARM")
    bench.clock.sleep(ARM_S)
    assert source.query("SOUR:DELT:ARM?;:SOUR:WAVE:ARM?") == "1;0\n"
    source.write("SOUR:DCON:ARM")
    bench.clock.sleep(ARM_S)
    assert source.query("SOUR:DELT:ARM?;:SOUR:DCON:ARM?") == "0;1\n"


def test_a_current_beyond_the_fixed_range_is_not_armed(bench: Bench) -> None:
    source = bench.open(SOURCE)
    source.write("SOUR:CURR:RANG 1e-6;:SOUR:CURR 1e-7;:OUTP 1;:SOUR:DELT:HIGH 1e-5;ARM")
    assert error(source) == '-221,"Settings conflict"'
    assert source.query("SOUR:DELT:ARM?") == "0\n"
    assert amps(bench) == 1e-7


# --- ways out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["SOUR:SWE:ABOR", "ABOR", "OUTP 0", "SOUR:CLE", "*RST"])
def test_every_way_to_end_delta_leaves_no_current(message: str, bench: Bench) -> None:
    source = running(bench)
    bench.clock.sleep(0.5)
    assert abs(amps(bench)) == 1e-5
    source.write(message)
    assert amps(bench) == 0.0
    bench.clock.sleep(1.0)
    assert amps(bench) == 0.0
    assert source.query("SOUR:DELT:ARM?;:SOUR:CURR?") == "0;+0.000000E+00\n"
    assert error(source) == '0,"No error"'


def open_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_compliance(wiring: Wiring, port: str, t: float) -> bool:
        return bool(wiring.output(port).at(t).amps)

    monkeypatch.setattr(Wiring, "in_compliance", in_compliance)


def test_compliance_aborts_where_that_was_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    source = running(bench, f"{SETUP};:SOUR:DELT:CAB 1;COUN INF")
    bench.clock.sleep(0.5)
    assert abs(amps(bench)) == 1e-5
    open_contact(monkeypatch)
    bench.clock.sleep(0.1)
    assert amps(bench) == 0.0
    assert source.query("SOUR:DELT:ARM?") == "0\n"
    assert int(source.query("STAT:OPER?")) & 8
    assert int(source.query("STAT:MEAS?")) & 8


def test_compliance_marks_the_readings_where_nobody_asked_to_abort(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = running(bench, f"{SETUP};:SOUR:DELT:COUN INF")
    bench.clock.sleep(0.5)
    source.write("FORM:ELEM COMP")
    assert source.query("SENS:DATA?") == "F\n"
    open_contact(monkeypatch)
    bench.clock.sleep(0.1)
    assert source.query("SENS:DATA?") == "T\n"
    assert abs(amps(bench)) == 1e-5


def test_a_power_of_the_leads_beyond_the_compliance_aborts_in_the_first_reading(bench: Bench) -> None:
    source = running(bench, "SOUR:CURR:COMP 0.1;:SOUR:DELT:HIGH 1e-2;CAB 1")
    bench.clock.sleep(1.0)
    assert amps(bench) == 0.0
    assert int(source.query("STAT:OPER?")) & 8
    assert source.query("TRAC:POIN:ACT?") == "0\n"
