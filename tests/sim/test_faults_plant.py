"""Faults of cryostat, magnet, helium and chamber: each strikes, shows as on a Model 6000, and heals."""

import math
from typing import Any

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from tests.sim.conftest import PPMS, Bench, MakeBench

TEMPERATURE, FIELD, CHAMBER = 0, 4, 8
DRIVEN = {"magnet": {"start_mode": "driven"}}


class Controller:
    """The lab and its Model 6000, asked at lab times."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.lab = bench.lab
        self.session: MessageBasedResource = bench.open(PPMS)

    def at(self, t: float) -> "Controller":
        self.bench.clock.sleep_until(self.lab.origin + t)
        with self.lab.lock:
            self.lab.tick()
        return self

    def tell(self, message: str) -> None:
        self.session.write(message)

    def ask(self, question: str) -> str:
        return self.session.query(question).rstrip(";")

    def items(self, mask: int) -> list[float]:
        return [float(value) for value in self.ask(f"GETDAT? {mask}").split(",")[1:]]

    def code(self, nibble: int) -> int:
        return int(self.items(1)[1]) >> nibble & 15

    def journal(self) -> list[tuple[float, str, str]]:
        return [(entry.t, entry.instrument, entry.command) for entry in self.lab.journal]


@pytest.fixture
def ppms(bench: Bench) -> Controller:
    return Controller(bench)


@pytest.fixture
def driven(make_bench: MakeBench) -> Controller:
    """A controller whose magnet is driven, so that a field command acts at once."""
    return Controller(make_bench(under=DRIVEN))


def plan(ppms: Controller, kind: Any, at: float, until: float | None = None, **args: Any) -> None:
    ppms.lab.faults.add(kind, at=at, until=until, **args)


# --- magnet -----------------------------------------------------------------------------------------------


def test_a_quench_takes_field_and_flux_heats_the_sample_and_stays_until_it_is_cleared(
    driven: Controller,
) -> None:
    plan(driven, "quench", 1000.0, 2000.0, kick_k=4.0)
    driven.tell("FIELD 80000 190 0 1")
    before = driven.lab.chamber.helium.level(driven.at(999.9).lab.now())
    assert driven.code(FIELD) == 4
    driven.at(1000.0)
    magnet, cryostat = driven.lab.magnet, driven.lab.cryostat
    assert magnet.supply(1003.0) == pytest.approx(80000.0 * math.exp(-2.0))
    assert magnet.at_sample(1060.0) == pytest.approx(0.0, abs=1e-9)
    assert cryostat.sample(1000.0) == pytest.approx(304.0, abs=1e-3)
    assert before - driven.lab.chamber.helium.level(1000.0) == pytest.approx(15.0 * (8 / 9) ** 2, abs=1e-3)
    assert driven.at(1010.0).code(FIELD) == 11
    assert driven.code(TEMPERATURE) in {5, 6}
    driven.tell("FIELD 1000 100 0 1")  # refused in silence
    assert driven.ask("FIELD?") == "80000.00,190.0,0,1"
    assert driven.at(1990.0).code(FIELD) == 11
    assert driven.at(2000.0).code(FIELD) == 4
    assert driven.ask("FIELD?") == "0.00,190.0,0,1"
    assert driven.code(TEMPERATURE) == 1
    driven.tell("FIELD 1000 100 0 1")
    assert driven.at(2100.0).lab.magnet.supply(2100.0) == 1000.0
    assert driven.journal() == [(1000.0, "magnet", "begins"), (2000.0, "magnet", "ends")]


def test_a_stuck_switch_heater_keeps_the_ramp_waiting(ppms: Controller) -> None:
    plan(ppms, "switch_heater_stuck", 10.0, 1000.0)
    ppms.at(20.0).tell("FIELD 10000 100 0 0")
    assert ppms.at(990.0).code(FIELD) == 2
    assert ppms.lab.magnet.supply(990.0) == 0.0
    assert ppms.at(1029.0).code(FIELD) == 2
    assert ppms.at(1031.0).code(FIELD) == 6
    assert ppms.at(1200.0).code(FIELD) == 1
    assert ppms.lab.magnet.supply(1200.0) == 10000.0
    assert ppms.journal() == [(10.0, "magnet", "begins"), (1000.0, "magnet", "ends")]


@pytest.mark.parametrize("end", [400.0, 100.0])
def test_a_switch_that_sticks_open_never_becomes_persistent_before_it_is_free(
    end: float, ppms: Controller
) -> None:
    ppms.tell("FIELD 10000 100 0 0")  # leads 5 s, warming 30 s, 100 s of ramp, 8 s of settling
    plan(ppms, "switch_heater_stuck", 60.0, end)
    assert ppms.at(140.0).code(FIELD) == 5
    if end > 200.0:
        assert ppms.at(399.0).code(FIELD) == 3
    else:
        end = 143.0
    assert ppms.at(end + 29.0).code(FIELD) == 3
    assert ppms.at(end + 31.0).code(FIELD) == 1


def test_a_persistent_current_leaks_unseen_and_comes_back_with_the_supply(ppms: Controller) -> None:
    ppms.tell("FIELD 10000 100 0 0")
    plan(ppms, "persistent_leak", 1000.0, 1000.0 + 7200.0, percent_per_h=0.5)
    magnet = ppms.at(999.0).lab.magnet
    trapped = magnet.at_sample(30_000.0) - 10000.0
    ppms.at(10_000.0)
    assert magnet.supply(4600.0) == 10000.0
    lost = [magnet.at_sample(t) - 10000.0 - trapped for t in (4600.0, 8200.0, 9900.0)]
    assert lost == pytest.approx([-50.0, -99.5, -99.5], abs=0.2)
    ppms.tell("FIELD 10000 100 0 1")
    assert ppms.at(10_200.0).lab.magnet.at_sample(10_200.0) == pytest.approx(10000.0 + trapped, abs=1.0)
    assert ppms.journal() == [(1000.0, "magnet", "begins"), (8200.0, "magnet", "ends")]


def test_a_field_offset_is_seen_by_the_sample_alone(ppms: Controller) -> None:
    plan(ppms, "field_offset", 10.0, 20.0, oe=-30.0)
    magnet = ppms.at(30.0).lab.magnet
    assert [magnet.at_sample(t) for t in (9.0, 10.0, 19.9, 20.0)] == [0.0, -30.0, -30.0, 0.0]
    assert magnet.supply(15.0) == 0.0


def test_someone_types_another_setpoint(driven: Controller) -> None:
    driven.tell("TEMP 280 5 1")
    driven.lab.faults.add("foreign_setpoint", at=100.0, temperature_k=250.0, field_oe=-2000.0)
    assert driven.at(99.0).ask("TEMP?") == "280,5,1"
    driven.at(100.0)
    assert driven.ask("TEMP?") == "250,5,1"
    assert driven.ask("FIELD?") == "-2000.00,190.0,0,1"
    assert driven.at(2000.0).lab.cryostat.sensor(2000.0) == pytest.approx(250.0, abs=0.01)
    assert driven.lab.magnet.supply(2000.0) == -2000.0
    assert driven.journal() == [(100.0, "cryostat", "happens"), (100.0, "magnet", "happens")]


def test_nobody_ramps_a_quenched_magnet_not_even_at_multivu(driven: Controller) -> None:
    plan(driven, "quench", 10.0)
    plan(driven, "foreign_setpoint", 20.0, field_oe=5000.0)
    assert driven.at(500.0).code(FIELD) == 11
    assert abs(driven.items(4)[1]) < 1.0


# --- cryostat ---------------------------------------------------------------------------------------------


def test_the_ramp_stands_still_while_the_reservoir_fills_and_then_goes_on(ppms: Controller) -> None:
    ppms.tell("TEMP 200 5 0")
    plan(ppms, "reservoir_fill", 600.0, seconds=900.0)
    assert ppms.at(599.0).code(TEMPERATURE) == 2
    assert ppms.at(601.0).code(TEMPERATURE) == 7
    here = ppms.lab.cryostat.sensor(600.0)
    assert ppms.at(1499.0).lab.cryostat.sensor(1499.0) == pytest.approx(here)
    assert ppms.at(1501.0).code(TEMPERATURE) == 2
    assert ppms.at(4000.0).code(TEMPERATURE) == 1
    assert ppms.items(2)[1] == pytest.approx(200.0, abs=0.05)
    assert ppms.journal() == [(600.0, "cryostat", "begins"), (1500.0, "cryostat", "ends")]


@pytest.mark.parametrize("code", [13, 14])
def test_without_its_heater_the_cryostat_cools_and_only_notes_setpoints(code: int, ppms: Controller) -> None:
    plan(ppms, "heater_lost", 60.0, 1260.0, k_per_min=2.0, code=code)
    assert ppms.at(600.0).code(TEMPERATURE) == code
    ppms.tell("TEMP 290 10 0")
    assert ppms.ask("TEMP?") == "290,10,0"
    assert ppms.at(1259.0).lab.cryostat.sensor(1259.0) == pytest.approx(300.0 - 2.0 * (20.0 - 0.5), abs=0.2)
    assert ppms.code(TEMPERATURE) == code
    assert ppms.at(3600.0).code(TEMPERATURE) == 1
    assert ppms.items(2)[1] == pytest.approx(290.0, abs=0.05)
    assert ppms.journal() == [(60.0, "cryostat", "begins"), (1260.0, "cryostat", "ends")]


def test_without_its_heater_the_cryostat_stops_at_its_lowest_temperature(make_bench: MakeBench) -> None:
    ppms = Controller(make_bench(under={"cryostat": {"start_k": 10.0}}))
    plan(ppms, "heater_lost", 60.0, k_per_min=5.0)
    assert ppms.at(7200.0).lab.cryostat.sensor(7200.0) == pytest.approx(1.9, abs=1e-6)


def test_an_overshoot_swings_and_dies_out(ppms: Controller) -> None:
    plan(ppms, "overshoot", 100.0, kelvin=2.0)
    cryostat = ppms.at(100.0).lab.cryostat
    swing = np.array([cryostat.sensor(100.0 + s) for s in range(900)]) - 300.0
    assert swing.max() == pytest.approx(2.0, abs=1e-3)
    assert -0.7 < swing.min() < -0.2
    assert abs(swing[-1]) < 5e-3
    assert ppms.at(130.0).code(TEMPERATURE) in {5, 6}
    assert ppms.at(1200.0).code(TEMPERATURE) == 1
    assert ppms.journal() == [(100.0, "cryostat", "happens")]


def test_a_wrong_thermometer_takes_the_sample_away_from_what_it_reads(ppms: Controller) -> None:
    plan(ppms, "thermometer_error", 100.0, 1100.0, kelvin=0.5)
    cryostat = ppms.at(2000.0).lab.cryostat
    assert cryostat.sensor(100.0) == pytest.approx(300.5)  # the reading jumps
    assert cryostat.sample(100.0) == pytest.approx(300.0)  # the sample does not
    assert cryostat.sensor(1099.0) == pytest.approx(300.0, abs=1e-6)
    assert cryostat.sample(1099.0) == pytest.approx(299.5, abs=1e-6)
    assert cryostat.sample(1100.0) == pytest.approx(299.5, abs=1e-6)
    assert cryostat.sample(2000.0) == pytest.approx(300.0, abs=1e-6)
    assert ppms.journal() == [(100.0, "cryostat", "begins"), (1100.0, "cryostat", "ends")]


def test_a_disturbance_takes_the_stable_away_and_gives_it_back(ppms: Controller) -> None:
    ppms.tell("TEMP 290 10 0")
    plan(ppms, "thermometer_error", 3000.0, kelvin=0.3)
    codes = [ppms.at(t).code(TEMPERATURE) for t in (2990.0, 3001.0, 3100.0, 3300.0)]
    assert codes == [1, 5, 5, 1]


def test_a_disturbance_during_a_ramp_leaves_the_arrival_alone(ppms: Controller) -> None:
    ppms.tell("TEMP 290 5 1")
    plan(ppms, "overshoot", 60.0, kelvin=1.0)
    assert ppms.at(1500.0).code(TEMPERATURE) == 1
    assert ppms.lab.cryostat.sensor(1500.0) == pytest.approx(290.0, abs=5e-3)


@pytest.mark.parametrize("by_command", [True, False])
def test_a_restarted_controller_stands_by_with_a_new_timestamp(by_command: bool, ppms: Controller) -> None:
    ppms.tell("TEMP 280 5 0")
    plan(ppms, "standby", 3000.0, 5000.0, k_per_min=0.6)
    assert ppms.at(2999.0).items(1)[0] > 1e6
    stamp, word = ppms.at(3100.0).items(1)
    assert stamp == pytest.approx(100.0, abs=0.01)
    assert int(word) & 15 == 10
    assert ppms.at(4000.0).lab.cryostat.sensor(4000.0) == pytest.approx(280.0 + 10.0 - 0.3, abs=0.1)
    if by_command:
        ppms.tell("TEMP 280 5 0")
        assert ppms.at(4010.0).code(TEMPERATURE) == 2
    assert ppms.at(7000.0).code(TEMPERATURE) == 1
    assert ppms.items(2)[1] == pytest.approx(280.0, abs=0.05)
    assert ppms.journal() == [(3000.0, "cryostat", "begins"), (5000.0, "cryostat", "ends")]


def test_two_losses_of_control_end_one_after_the_other(ppms: Controller) -> None:
    plan(ppms, "heater_lost", 100.0, 500.0)
    plan(ppms, "reservoir_fill", 200.0, seconds=100.0)
    codes = [ppms.at(t).code(TEMPERATURE) for t in (150.0, 250.0, 350.0, 510.0)]
    assert codes[:3] == [13, 7, 13]
    assert codes[3] in {2, 5, 6}


# --- helium and chamber -----------------------------------------------------------------------------------


def test_the_helium_level_falls_and_is_refilled(ppms: Controller) -> None:
    plan(ppms, "helium_low", 4000.0, 12_000.0, percent=40.0)
    helium = ppms.at(15_000.0).lab.chamber.helium
    assert helium.level(3999.0) > 91.0
    assert helium.level(4000.0) == pytest.approx(40.0)
    assert helium.level(12_000.0) == pytest.approx(92.0 - 0.35 * 12_000.0 / 3600.0)
    assert ppms.ask("LEVEL?") == "90.6,1"
    assert ppms.journal() == [(4000.0, "helium", "begins"), (12_000.0, "helium", "ends")]


def test_a_level_that_is_lower_already_stays(ppms: Controller) -> None:
    plan(ppms, "helium_low", 100.0, 200.0, percent=99.0)
    assert ppms.at(300.0).lab.chamber.helium.level(300.0) == pytest.approx(92.0, abs=0.1)


@pytest.mark.parametrize(("command", "failure", "healed"), [("CHAMBER 1", 15, 1), ("CHAMBER 5", 14, 7)])
def test_a_leak_fills_the_chamber_with_air_until_it_is_tight(
    command: str, failure: int, healed: int, ppms: Controller
) -> None:
    ppms.tell(command)
    plan(ppms, "chamber_leak", 1000.0, 2000.0, tau_s=1000.0)
    (before,) = ppms.at(999.0).items(1 << 19)[1:]
    assert ppms.at(1500.0).code(CHAMBER) == failure
    (amid,) = ppms.items(1 << 19)[1:]
    assert amid == pytest.approx(760.0 - (760.0 - before) * math.exp(-0.5), rel=1e-3)
    assert ppms.at(2001.0).code(CHAMBER) == healed
    assert ppms.at(4000.0).items(1 << 19)[1] == pytest.approx(before, rel=1e-3)
    assert ppms.journal() == [(1000.0, "chamber", "begins"), (2000.0, "chamber", "ends")]
