"""Faults between the sample and a reading: leads and contacts of a loop, the front end of the meter."""

from typing import Any

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from tests.sim.conftest import METER, PPMS, SOURCE, Bench, MakeBench

CURRENT = 1e-4
IN_COMPLIANCE = 8
QUIET = 8 * 15e-9


def ready(bench: Bench) -> tuple[MessageBasedResource, MessageBasedResource]:
    """Return source and meter, with the current on."""
    source, meter = bench.open(SOURCE), bench.open(METER, timeout=60_000)
    source.write(f"SOUR:CURR {CURRENT};:OUTP ON")
    meter.write("SENS:VOLT:DFIL 0;NPLC 1")
    return source, meter


def volts(bench: Bench, meter: MessageBasedResource, t: float) -> float:
    bench.clock.sleep_until(bench.lab.origin + t)
    return float(meter.query("READ?"))


def begun_and_ended(bench: Bench, name: str, kind: str) -> bool:
    return [entry[:] for entry in bench.lab.journal] == [
        (100.0, name, kind, "begins"),
        (200.0, name, kind, "ends"),
    ]


def plan(bench: Bench, kind: Any, **args: Any) -> None:
    bench.lab.faults.add(kind, at=100.0, until=200.0, **args)


# --- front end --------------------------------------------------------------------------------------------


def test_a_stuck_meter_repeats_its_last_reading_however_the_sample_changes(bench: Bench) -> None:
    source, meter = ready(bench)
    plan(bench, "stuck", target="k2182a")
    before = volts(bench, meter, 99.0)
    first = volts(bench, meter, 101.0)
    source.write("SOUR:CURR 0")
    assert (
        volts(bench, meter, 150.0) == volts(bench, meter, 190.0) == first == pytest.approx(before, abs=QUIET)
    )
    assert abs(volts(bench, meter, 210.0)) < 1e-6 < before
    assert begun_and_ended(bench, "k2182a", "stuck")


@pytest.mark.parametrize(
    ("kind", "args", "expected"),
    [("offset", {"volts": -2e-6}, -2e-6), ("drift", {"volts_per_s": 1e-7}, 5e-6)],
)
def test_a_voltage_is_added_while_the_front_end_is_off(
    kind: str, args: dict[str, float], expected: float, bench: Bench
) -> None:
    _, meter = ready(bench)
    plan(bench, kind, target="k2182a", **args)
    before, amid, after = (volts(bench, meter, t) for t in (99.0, 150.0, 201.0))
    assert amid - before == pytest.approx(expected, abs=QUIET)
    assert after == pytest.approx(before, abs=QUIET)
    assert begun_and_ended(bench, "k2182a", kind)


def test_an_overloaded_meter_says_so(bench: Bench) -> None:
    _, meter = ready(bench)
    plan(bench, "overload", target="k2182a")
    before, amid, after = (volts(bench, meter, t) for t in (99.0, 150.0, 201.0))
    assert amid == 9.9e37
    assert after == pytest.approx(before, abs=QUIET)
    assert begun_and_ended(bench, "k2182a", "overload")


def test_a_meter_stuck_in_a_range_overflows_beyond_it(bench: Bench) -> None:
    source, meter = ready(bench)
    plan(bench, "range_stuck", target="k2182a", volts=0.01)
    assert volts(bench, meter, 120.0) < 0.01
    source.write("SOUR:CURR 5e-3")
    assert volts(bench, meter, 150.0) == 9.9e37
    assert 0.012 < volts(bench, meter, 201.0) < 1.0
    assert begun_and_ended(bench, "k2182a", "range_stuck")


# --- wiring -----------------------------------------------------------------------------------------------


def test_an_open_current_contact_puts_the_source_into_compliance_and_takes_the_current(bench: Bench) -> None:
    source, meter = ready(bench)
    plan(bench, "contact_open")
    before, amid = volts(bench, meter, 99.0), volts(bench, meter, 150.0)
    assert int(source.query("STAT:MEAS:COND?")) == IN_COMPLIANCE
    assert amid == pytest.approx(300e-9, abs=200e-9)  # the thermal EMF
    after = volts(bench, meter, 201.0)
    assert int(source.query("STAT:MEAS:COND?")) == 0
    assert after == pytest.approx(before, abs=QUIET)
    assert begun_and_ended(bench, "I", "contact_open")


def test_an_open_voltage_contact_shows_noise_and_drift_and_leaves_the_source_alone(bench: Bench) -> None:
    source, meter = ready(bench)
    plan(bench, "contact_open", contacts="voltage", volts=1e-2)
    before = volts(bench, meter, 99.0)
    amid = np.array([volts(bench, meter, 100.0 + 2.0 * k) for k in range(1, 45)])
    assert int(source.query("STAT:MEAS:COND?")) == 0
    assert amid.std() > 1e-3
    assert volts(bench, meter, 201.0) == pytest.approx(before, abs=QUIET)
    assert begun_and_ended(bench, "I", "contact_open")


def test_a_bad_current_contact_limits_the_current(bench: Bench) -> None:
    source, meter = ready(bench)
    plan(bench, "compliance", ohm=1e6)
    before, amid = volts(bench, meter, 99.0), volts(bench, meter, 150.0)
    assert int(source.query("STAT:MEAS:COND?")) == IN_COMPLIANCE
    assert (amid - 300e-9) / (before - 300e-9) == pytest.approx(10.0 / 1e6 / CURRENT, abs=1e-2)
    assert volts(bench, meter, 201.0) == pytest.approx(before, abs=QUIET)
    assert begun_and_ended(bench, "I", "compliance")


def test_noise_of_the_leads_has_its_size_in_a_power_line_cycle(bench: Bench) -> None:
    _, meter = ready(bench)
    plan(bench, "lead_noise", volts=1e-4)
    before = volts(bench, meter, 99.0)
    amid = np.array([volts(bench, meter, 100.0 + 0.5 * k) for k in range(2, 190)])
    # With autozero a reading at 1 PLC takes 40 ms.
    assert (amid - before).std() == pytest.approx(1e-4 / np.sqrt(2.0), rel=4 / np.sqrt(2 * 188))
    assert volts(bench, meter, 201.0) == pytest.approx(before, abs=QUIET)
    assert begun_and_ended(bench, "I", "lead_noise")


def test_whole_power_line_cycles_reject_a_spur_but_not_a_frequency_beside_it(bench: Bench) -> None:
    _, meter = ready(bench)
    plan(bench, "line_spur", volts=1e-2, hz=50.0)
    bench.lab.faults.add("line_spur", at=300.0, until=400.0, volts=1e-2, hz=61.0)
    before = volts(bench, meter, 99.0)
    exact = [volts(bench, meter, 101.0 + 0.37 * k) for k in range(50)]
    beside = [volts(bench, meter, 301.0 + 0.37 * k) for k in range(50)]
    assert np.ptp(exact) < 2 * QUIET
    assert np.ptp(beside) > 1e-4
    assert volts(bench, meter, 401.0) == pytest.approx(before, abs=QUIET)


def test_a_contact_that_opens_within_a_reading_counts_for_its_share(bench: Bench) -> None:
    wiring = bench.lab.wiring
    wiring.set_source("k6221.out", 0.0, CURRENT, 10.0)
    bench.lab.faults.add("contact_open", at=100.0)
    bench.clock.sleep_until(bench.lab.origin + 101.0)
    with bench.lab.lock:
        bench.lab.tick()
    shut, half, opened = (wiring.mean_voltage("k2182a.ch1", t, t + 0.4) for t in (99.0, 99.8, 100.2))
    assert half == pytest.approx(0.5 * (shut + opened), abs=20e-9)  # the EMF drifts


@pytest.mark.parametrize("contacts", ["current", "voltage"])
def test_a_bridge_with_an_open_contact_reads_nonsense(contacts: str, make_bench: MakeBench) -> None:
    bench = make_bench(under={"read": [{"port": "ppms.bridge1", "loop": "I"}]})
    bench.lab.faults.add("contact_open", at=100.0, contacts=contacts)
    ppms = bench.open(PPMS)
    ppms.write("BRIDGE 1 100 1000 0 0 95")

    def bridge() -> tuple[float, float]:
        ohms, microamps = ppms.query("GETDAT? 48").rstrip(";").split(",")[2:]
        return float(ohms), float(microamps)

    good, told = bridge()
    bench.clock.sleep(200.0)
    bad, driven = bridge()
    assert told == 100.0
    assert driven < 1e-3 if contacts == "current" else driven == 100.0
    assert abs(bad - good) > 1.0
