"""The measurements through drivers, wire and plant of the virtual lab: lag, EMF, seeds, settling, faults."""

import math

import numpy as np
import pytest

from onnes.instruments.clock import virtual_time
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.records import Event, Point, row_of
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from tests.procedures.conftest import MakeBench

METAL = {"model": "metal", "r300_ohm": 100.0, "rrr": 50.0}


def warming_and_cooling(rate_k_per_min: float) -> ResistanceVsTemperature:
    return ResistanceVsTemperature(
        wiring="film",
        current_a=1e-4,
        average=3,
        temperature_program={"sweep_k": [90.0, 110.0], "rate_k_per_min": rate_k_per_min, "every_s": 2.0},
        both_directions=True,
    )


@pytest.mark.parametrize(("tau_sample_s", "rate"), [(4.0, 4.0), (20.0, 2.0)])
def test_warming_and_cooling_lie_two_rates_times_the_lag_of_the_sample_apart(
    make_bench: MakeBench, tau_sample_s: float, rate: float
) -> None:
    bench = make_bench(90.0, sample=METAL, cryostat={"tau_sample_s": tau_sample_s})
    points = bench.points(warming_and_cooling(rate))
    apart = []
    for direction in ("warming", "cooling"):
        curve = [p for p in points if p.direction == direction and 97.0 < p.temperature < 103.0]
        line = np.polynomial.Polynomial.fit(
            [p.resistance for p in curve], [p.temperature for p in curve], deg=2
        )
        apart.append(float(line(20.0)))
        noise_k = 2e-5 * 100.0 / math.sqrt(len(curve) / 3)  # a quadratic fit at its middle
    # The controller answers 0.15 s after it read the thermometer; the voltages are read meanwhile.
    late_k = 2 * rate / 60.0 * 0.15
    expected = 2 * rate / 60.0 * tau_sample_s
    assert apart[0] - apart[1] == pytest.approx(expected, abs=4 * math.sqrt(2.0) * noise_k + late_k)


def test_a_drifting_emf_leaves_the_resistance_unchanged_within_its_error(make_bench: MakeBench) -> None:
    program = {"setpoints_oe": [0.0, 500.0, 1000.0]}
    found = []
    for emf in ({"emf_nv": 0.0, "emf_noise_nv": 0.0}, {"emf_nv": 5000.0, "emf_drift_nv_per_s": 50.0}):
        read = [{"port": "k2182a.ch1", "loop": "I", "lead_ohm": 12, **emf}]
        bench = make_bench(20.0, sample=METAL, read=read)
        measurement = ResistanceVsField(
            wiring="film", current_a=1e-4, average=30, temperatures=[20.0], field_program=program
        )
        found.append(bench.points(measurement))
    for quiet, drifting in zip(*found, strict=True):
        error = math.hypot(quiet.resistance_error, drifting.resistance_error)
        assert quiet.resistance == pytest.approx(drifting.resistance, abs=5 * error)
        assert drifting.emf_drift == pytest.approx(50e-9, abs=30e-9)


def test_one_seed_gives_the_same_rows_and_another_gives_others(make_bench: MakeBench) -> None:
    measurement = ResistanceVsField(
        wiring="film",
        current_a=1e-4,
        average=3,
        temperatures=[5.0],
        field_program={"sweep_oe": [-2000.0, 2000.0], "rate_oe_per_s": 50.0, "every_s": 4.0},
    )
    first, again, other = (
        [row_of(point) for point in make_bench(5.0, seed=seed).points(measurement)] for seed in (1, 1, 2)
    )
    assert repr(first) == repr(again)
    assert repr(first) != repr(other)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_counts_as_settled_is_settled_in_the_plant(make_bench: MakeBench, seed: int) -> None:
    bench = make_bench(5.0, seed=seed)
    temperatures = [5.0, 5.05, 4.0, 4.0, 12.0, 9.0]  # small steps within the dead time of the status word too
    measurement = ResistanceVsTemperature(
        wiring="film", current_a=1e-4, average=3, temperature_program={"setpoints_k": temperatures}
    )
    with virtual_time(bench.clock):
        for item in measurement.points(bench.station, bench.clock):
            if isinstance(item, Point):
                lab = bench.lab
                target = row_of(item)["Temperature setpoint (K)"]
                assert lab.cryostat.sample(lab.now()) == pytest.approx(target, abs=5e-3 + 4 * 0.4e-3)


def test_a_settled_field_is_where_it_was_asked(make_bench: MakeBench) -> None:
    bench = make_bench(5.0, magnet={"remanence_oe": 0.0})
    measurement = ResistanceVsField(
        wiring="film",
        current_a=1e-4,
        average=3,
        temperatures=[5.0],
        field_program={"setpoints_oe": [-300.0, 0.0, 20000.0]},
        magnet={"mode": "persistent", "then_wait_s": 0.0},
        both_directions=False,
    )
    with virtual_time(bench.clock):
        for item in measurement.points(bench.station, bench.clock):
            if isinstance(item, Point):
                row = row_of(item)
                supply = bench.lab.magnet.supply(bench.lab.now())
                assert supply == pytest.approx(row["Field setpoint (Oe)"], abs=0.1)
                assert row["Status"] == "0x1111"  # persistent, and not the "persistent" before the ramp


@pytest.mark.parametrize(
    ("part", "code", "words"),
    [
        ("magnet", 11, "quench"),
        ("magnet", 13, "unknown magnet status 13"),
        ("cryostat", 14, "impedance control error"),
        ("cryostat", 0, "temperature state has been unknown for 1"),
    ],
)
def test_a_fault_in_a_sweep_ends_it_with_the_source_off(
    make_bench: MakeBench, part: str, code: int, words: str
) -> None:
    bench = make_bench(90.0, sample=METAL)
    found: list[Point | Event] = []
    with virtual_time(bench.clock):
        items = warming_and_cooling(4.0).points(bench.station, bench.clock)
        for item in items:
            found.append(item)
            if sum(isinstance(done, Point) for done in found) == 20:
                break
        getattr(bench.lab, part).force_status(code, bench.lab.now())
        with pytest.raises(InstrumentFault, match=words):
            found.extend(items)
        assert bench.station.look().row()["Output k6221"] == "off"
    good = [item for item in found if isinstance(item, Point) and not item.rejected]
    assert len(good) >= 20


def test_leaving_a_measurement_switches_the_source_off(make_bench: MakeBench) -> None:
    bench = make_bench(90.0, sample=METAL)
    with virtual_time(bench.clock):
        items = warming_and_cooling(4.0).points(bench.station, bench.clock)
        next(item for item in items if isinstance(item, Point))
        assert bench.station.look().row()["Output k6221"] == "on"
        items.close()
        assert bench.station.look().row()["Output k6221"] == "off"


def test_no_good_point_is_lost_to_the_noise_of_the_thermometer(make_bench: MakeBench) -> None:
    bench = make_bench(2.5)
    measurement = ResistanceVsField(
        wiring="film",
        current_a=1e-4,
        average=9,
        temperatures=[2.5],
        field_program={"setpoints_oe": [1000.0 * n for n in range(60)]},
        both_directions=False,
        magnet={"rate_oe_per_s": 150.0},
    )
    points = bench.points(measurement)
    assert len(points) == 60
    assert not any(point.rejected for point in points)
