"""What is taken up in the virtual lab lies on the undisturbed curve, with the same lag and remanence."""

import math
from typing import Any

import numpy as np
import pytest

from onnes.instruments.clock import virtual_time
from onnes.instruments.records import Event
from onnes.procedures import ramping
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.procedures.transport import ResistancePoint
from tests.procedures.broken_off import points_of, stored, until
from tests.procedures.conftest import Bench, MakeBench

# Steep in temperature: a lag of 4 s at 2 K/min, 133 mK, is twelve times the tolerance.
METAL: dict[str, Any] = {"model": "metal", "r300_ohm": 100.0, "rrr": 50.0}
SIGMAS = 4.0
NOISE_K = 2e-3  # of one reading of the thermometer at 90 K (seen)
OHM_PER_K = 0.4


def broken_off_once(
    bench: Bench, measurement: ResistanceMeasurement, count: int, leave_oe: float, leave_k: float
) -> tuple[list[ResistancePoint], list[ResistancePoint], list[Event]]:
    """Return the points before and after a break, in which somebody leaves another field and temperature."""
    with virtual_time(bench.clock):
        before = until(measurement, bench.station, bench.clock, count)
        magnet = bench.station.magnet
        assert magnet is not None
        magnet.set_field(leave_oe, 150.0)
        ramping.set_temperature(bench.station, leave_k, 10.0)
        bench.clock.sleep(300.0)
        take_up = measurement.take_up(stored(before))
        items = list(measurement.points(bench.station, bench.clock, take_up))
    return before, points_of(items), [item for item in items if isinstance(item, Event)]


@pytest.mark.parametrize(("seed", "count"), [(1, 3), (2, 30), (3, 59), (4, 75)])
def test_a_swept_resistance_against_temperature_has_its_lag_again(
    make_bench: MakeBench, seed: int, count: int
) -> None:
    program = {"sweep_k": [90.0, 98.0], "rate_k_per_min": 2.0, "every_s": 4.0}
    measurement = ResistanceVsTemperature(
        wiring="film", current_a=1e-4, average=3, temperature_program=program, both_directions=True
    )
    whole: list[Any] = make_bench(90.0, seed=seed, sample=METAL).points(measurement)
    bench = make_bench(90.0, seed=seed + 100, sample=METAL)
    before, after, _ = broken_off_once(bench, measurement, count, 0.0, 94.0)
    for curve, sign in ((1, 1.0), (2, -1.0)):
        kelvin, steps, ohms = {}, {}, {}
        for name, points in (("whole", whole), ("broken", before + after), ("after", after)):
            of_curve = [p for p in points if p.curve == curve]
            kelvin[name] = sign * np.array([p.temperature for p in of_curve])
            ohms[name] = np.array([p.resistance for p in of_curve])
            steps[name] = np.diff(kelvin[name])[:-1]  # the last point is taken at rest
        assert np.min(steps["broken"]) > 0
        assert np.max(steps["broken"]) < 1.1 * np.max(steps["whole"])
        # How a controller arrives depends on the length of the ramp; that is the last rate x 30 s.
        on_its_way = kelvin["after"] < kelvin["whole"][-1] - 1.5
        found = ohms["after"][on_its_way]
        undisturbed = np.interp(kelvin["after"][on_its_way], kelvin["whole"], ohms["whole"])
        assert found == pytest.approx(undisturbed, abs=SIGMAS * math.sqrt(2.0) * NOISE_K * OHM_PER_K)


@pytest.mark.parametrize(
    ("seed", "count", "left_oe"), [(1, 1, 3e4), (2, 4, -3e4), (3, 5, -3e4), (4, 7, 3e4), (5, 11, -3e4)]
)
def test_settled_fields_have_the_remanence_of_their_direction_again(
    make_bench: MakeBench, seed: int, count: int, left_oe: float
) -> None:
    measurement = ResistanceVsField(
        wiring="film",
        current_a=1e-4,
        average=3,
        temperatures=[5.0, 6.0],
        field_program={"setpoints_oe": [-20000.0, 0.0, 20000.0]},
    )
    bench = make_bench(5.0, seed=seed)
    fields: dict[tuple[float, float, str, int], list[float]] = {}

    def note(point: ResistancePoint) -> None:
        key = (point.temperature_setpoint, point.field_setpoint, point.direction, point.curve)
        seen = bench.lab.magnet.at_sample(bench.lab.now())
        fields.setdefault(key, []).append(seen)

    def measure(take_up: Any, most: int) -> list[ResistancePoint]:
        found = []
        items = measurement.points(bench.station, bench.clock, take_up)
        for item in items:
            if isinstance(item, ResistancePoint):
                note(item)
                found.append(item)
                if len(found) == most:
                    break
        items.close()
        return found

    with virtual_time(bench.clock):
        measure(None, 99)
        before = measure(None, count)
        assert bench.station.magnet is not None
        bench.station.magnet.set_field(left_oe, 150.0)  # on the wrong side
        bench.clock.sleep(400.0)
        measure(measurement.take_up(stored(before)), 99)
    assert list(fields) == [
        (s.temperature_k, s.field_oe, s.direction, s.curve) for s in measurement.setpoints()
    ]
    for key, (undisturbed, again) in list(fields.items())[1:]:
        assert again == pytest.approx(undisturbed, abs=4.0), key  # the remanence of 12 Oe has two signs


def test_an_isotherm_below_tc_is_the_undisturbed_one_again(make_bench: MakeBench) -> None:
    measurement = ResistanceVsField(
        wiring="film",
        current_a=1e-4,
        average=6,
        temperatures=[5.0],
        field_program={"setpoints_oe": [0.0, 10000.0, 20000.0]},
        path_below_k=20.0,
    )
    whole: list[Any] = make_bench(5.0, seed=1).points(measurement)
    before, after, events = broken_off_once(make_bench(5.0, seed=2), measurement, 4, -3000.0, 8.0)
    assert len(before) == 4
    assert [p.field_setpoint for p in after] == [p.field_setpoint for p in whole]
    for once, again in zip(whole, after, strict=True):
        error = math.hypot(once.resistance_error, again.resistance_error, 2e-4 * once.resistance)
        assert again.resistance == pytest.approx(once.resistance, abs=SIGMAS * error)
    assert [event.message for event in events if event.kind == "prepare"][:2] == [
        "warm to 30 K",
        "oscillate from 10000 Oe to 0 Oe",
    ]
