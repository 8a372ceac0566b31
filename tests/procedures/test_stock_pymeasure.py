"""Our measurements in stock PyMeasure, and the failures of its that they must not share."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pymeasure.experiment import Procedure, Results, Worker

from onnes.instruments.clock import VirtualClock, virtual_time
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.open_station import open_station
from onnes.instruments.records import Column, Point, accepted, row_of
from onnes.instruments.station import Station
from onnes.instruments.station_file import load_station_file
from onnes.procedures.ac_susceptibility import AcSusceptibility
from onnes.procedures.ac_susceptibility_program import AcSusceptibilityProgram
from onnes.procedures.contact_check import ContactCheck
from onnes.procedures.current_voltage import CurrentVoltage
from onnes.procedures.differential_conductance_vs_bias import DifferentialConductanceVsBias
from onnes.procedures.measurement import Measurement
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.procedures.zero_bias_conductance import ZeroBiasConductance
from onnes.sim.lab import forget_lab, set_lab
from onnes.sim.lab_file import load_lab
from tests.procedures.fake_meters import FakeConductanceMeter, FakeCurrentVoltageMeter, FakeSusceptometer

MakeStation = Callable[..., Any]
RESISTANCES: list[type[Measurement]] = [ResistanceVsTemperature, ResistanceVsField]
MEASUREMENTS: list[type[Measurement]] = [
    *RESISTANCES,
    AcSusceptibility,
    AcSusceptibilityProgram,
    ContactCheck,
    CurrentVoltage,
    DifferentialConductanceVsBias,
    ZeroBiasConductance,
]
SWEEP = {"sweep_k": [20.0, 26.0], "rate_k_per_min": 2.0, "every_s": 2.0}
STATION = Path(__file__).parents[2] / "examples" / "stations" / "ppms9-sim.toml"
_numbers = count(1)


def sweep(**more: Any) -> ResistanceVsTemperature:
    given: dict[str, Any] = {"wiring": "film", "average": 3, "temperature_program": SWEEP, "current_a": 1e-4}
    return ResistanceVsTemperature(**(given | more))


def run(procedure: Measurement, file: Path, clock: VirtualClock) -> Worker:
    """Run in a stock Worker whose thread lives in virtual time."""

    class VirtualWorker(Worker):
        def run(self) -> None:
            with virtual_time(clock):
                super().run()

    worker = VirtualWorker(Results(procedure, str(file)), port=None)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    return worker


@pytest.fixture
def lab_key(clock: VirtualClock) -> Iterator[str]:
    key = f"stock-{next(_numbers)}"
    set_lab(key, load_lab("demo", clock))
    yield key
    forget_lab(key)


@pytest.fixture
def opened(lab_key: str, clock: VirtualClock) -> Iterator[Station]:
    with virtual_time(clock):
        station = open_station(load_station_file(STATION), clock, lab_key=lab_key)
        yield station
        station.close()


def test_stock_pymeasure_gets_the_same_points(tmp_path: Path) -> None:
    rows = []
    for which in ("ours", "stock"):
        clock = VirtualClock()
        key = f"stock-{next(_numbers)}"
        set_lab(key, load_lab("demo", clock))
        station_file = tmp_path / f"{which}.toml"
        text = STATION.read_text(encoding="utf-8").replace('lab = "demo"', f'lab = "{key}"')
        station_file.write_text(text, encoding="utf-8")
        measurement = sweep(station_file=str(station_file), both_directions=True)
        if which == "ours":
            with virtual_time(clock):
                station = open_station(load_station_file(station_file), clock)
                rows.append(list(accepted(measurement.points(station, clock))))
                station.close()
        else:
            measurement.clock = clock
            worker = run(measurement, tmp_path / "data.csv", clock)
            assert worker.procedure.status == Procedure.FINISHED
            frame = Results.load(str(tmp_path / "data.csv")).data
            assert frame["Flags"].isna().all()  # an empty text
            rows.append(frame.assign(Flags="").to_dict("records"))
        forget_lab(key)
    assert len(rows[0]) > 150
    for ours, stock in zip(*rows, strict=True):
        assert list(ours) == list(stock)
        for label, value in ours.items():
            assert value == stock[label] or (math.isnan(value) and math.isnan(stock[label]))


def test_a_stock_file_gives_back_every_parameter(
    tmp_path: Path, clock: VirtualClock, make_station: MakeStation
) -> None:
    measurement = sweep(
        current_a=0.00012345678901234567,
        settle={"within_k": 0.012345678901234567},
        magnet={"approach": "no_overshoot"},
        both_directions=True,
        station_file="stations/größe: 9 T.toml",
    )
    measurement.clock, measurement.station = clock, make_station(kelvin=20.0)
    run(measurement, tmp_path / "data.csv", clock)
    found = Results.load(str(tmp_path / "data.csv")).parameters
    for name, parameter in measurement.parameter_objects().items():
        if name != "station_file":  # stock PyMeasure escapes what is not ASCII and never reads it back
            assert found[name].value == parameter.value, name


def test_curves_of_contacts_and_moments_run_in_a_stock_worker(
    tmp_path: Path, clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=5.0)
    station.meters = {
        "conductance": FakeConductanceMeter(station, lambda *_: 0.1),
        "current_voltage": FakeCurrentVoltageMeter(station, lambda *_: 1e-9),
        "susceptometer": FakeSusceptometer(station, lambda *_: -1e-3 + 1e-5j),
    }
    settled = {"setpoints_k": [5.0, 6.0]}
    measurements: list[Measurement] = [
        DifferentialConductanceVsBias(wiring="film", temperatures=[5.0, 6.0]),
        ZeroBiasConductance(wiring="film", temperature_program=settled),
        CurrentVoltage(wiring="film", temperatures=[5.0], currents_a=[1e-6, 2e-6]),
        AcSusceptibility(wiring="film", temperature_program=settled, amplitudes_oe=[0.1, 1.0]),
        ContactCheck(wiring="film", average=6),
    ]
    for number, measurement in enumerate(measurements):
        measurement.clock, measurement.station = clock, station
        worker = run(measurement, tmp_path / f"{number}.csv", clock)
        assert worker.procedure.status == Procedure.FINISHED
        found = Results.load(str(tmp_path / f"{number}.csv"))
        assert list(found.data.columns) == measurement.DATA_COLUMNS
        assert len(found.data) == len(measurement.setpoints())


def test_the_safe_state_is_reached_when_a_worker_is_done(
    tmp_path: Path, clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    measurement = sweep()
    measurement.clock, measurement.station = clock, station
    run(measurement, tmp_path / "data.csv", clock)
    assert station.the_bridge.diary[-1] == ("stop",)
    assert station.calls == ["safe_state", "close"]


def test_a_fault_ends_a_worker_as_failed_with_the_points_so_far(
    tmp_path: Path, clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    station.quench_at(250.0)
    measurement = sweep()
    measurement.clock, measurement.station = clock, station
    worker = run(measurement, tmp_path / "data.csv", clock)
    assert worker.procedure.status == Procedure.FAILED
    assert 5 < len(Results.load(str(tmp_path / "data.csv")).data) < 90
    assert station.the_bridge.diary[-1] == ("stop",)


def test_an_abort_stops_after_the_point_under_way(
    tmp_path: Path, clock: VirtualClock, make_station: MakeStation
) -> None:
    station = make_station(kelvin=20.0)
    measurement = sweep()
    measurement.clock, measurement.station = clock, station
    worker = Worker(Results(measurement, str(tmp_path / "data.csv")), port=None)
    real_emit = worker.emit

    def emit(topic: str, record: Any) -> None:
        real_emit(topic, record)
        if topic == "results":
            worker.stop()

    worker.emit = emit
    with virtual_time(clock):
        worker.run()  # in this thread
    assert measurement.status == Procedure.ABORTED
    assert len(Results.load(str(tmp_path / "data.csv")).data) == 1
    assert station.the_bridge.diary[-1] == ("stop",)


def test_a_shutdown_that_fails_inside_never_raises(
    make_station: MakeStation, caplog: pytest.LogCaptureFixture
) -> None:
    station = make_station()

    def broken(**_: object) -> list[Any]:
        raise OSError("VI_ERROR_TMO")

    station.safe_state = broken
    station.close = broken
    measurement = sweep()
    measurement.station = station
    measurement.shutdown()
    measurement.shutdown()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "the safe state failed; look at the instruments",
        "the station did not close",
    ]


def test_a_start_that_fails_ends_a_worker_as_failed(tmp_path: Path, clock: VirtualClock) -> None:
    measurement = sweep(station_file=str(tmp_path / "missing.toml"))
    measurement.clock = clock
    assert run(measurement, tmp_path / "data.csv", clock).procedure.status == Procedure.FAILED


def test_a_station_opened_in_another_thread_ends_a_worker_as_failed_before_anything_is_sent(
    tmp_path: Path, clock: VirtualClock, opened: Station, caplog: pytest.LogCaptureFixture
) -> None:
    measurement = sweep()
    measurement.clock, measurement.station = clock, opened
    assert run(measurement, tmp_path / "data.csv", clock).procedure.status == Procedure.FAILED
    assert "ppms belongs to the thread 'MainThread'" in caplog.text


def test_no_station_is_said_plainly() -> None:
    with pytest.raises(ConfigurationError, match="no station; set the parameter 'Station' to the path of a"):
        sweep().startup()
    with pytest.raises(ConfigurationError, match="no station is open"):
        sweep().execute()


def test_a_wrong_key_is_met_before_anything_is_written() -> None:
    point: Callable[..., Point] = ResistanceVsField.point
    with pytest.raises(TypeError, match="unexpected keyword argument 'resistence'"):
        point(resistence=1.0)


@dataclass(frozen=True, slots=True)
class Odd(Point):
    value: Annotated[Any, Column("Resistance", "ohm", "anything")]


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(3), 2, 2.5])
def test_numbers_of_numpy_are_written_as_numbers(value: Any) -> None:
    assert row_of(Odd(value)) == {"Resistance (ohm)": float(value)}
    assert type(row_of(Odd(value))["Resistance (ohm)"]) in (int, float)


@pytest.mark.parametrize("value", [True, None, np.array([1.0, 2.0]), 1j])
def test_what_is_no_number_is_refused_with_its_column(value: Any) -> None:
    with pytest.raises(TypeError, match=r"column 'Resistance \(ohm\)' got .*; it takes float, int or text"):
        row_of(Odd(value))


@pytest.mark.parametrize("kind", MEASUREMENTS)
def test_every_column_has_a_unit_that_parses(kind: type[Measurement]) -> None:
    units = Procedure.parse_columns(kind.DATA_COLUMNS)
    for label in kind.DATA_COLUMNS:
        assert label.count("(") == label.count(")") == int("(" in label)
        assert ("(" in label) == (label in units)
        assert "(" not in label or label.endswith(")")


@pytest.mark.parametrize("kind", MEASUREMENTS)
def test_a_measurement_is_made_without_arguments_or_hardware(kind: type[Measurement]) -> None:
    measurement = kind()
    assert measurement.parameters_are_set()
    assert measurement.setpoints()
    assert measurement.get_estimates() > 0
    measurement.shutdown()


@pytest.mark.parametrize("kind", RESISTANCES)
def test_a_misspelt_parameter_is_refused_with_the_nearest(kind: type[Measurement]) -> None:
    with pytest.raises(
        TypeError, match=rf"{kind.__name__} has no parameter 'curent_a'; did you mean 'current_a'"
    ):
        kind(curent_a=1e-3)
    measurement = kind()
    with pytest.raises(AttributeError, match=r"has no attribute 'curent_a'; did you mean 'current_a'"):
        measurement.curent_a = 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"current_a": math.nan}, r"Excitation current = nan A is outside \[1e-12, 1\.0\] A"),
        ({"current_a": 0.0}, r"Excitation current = 0\.0 A is outside"),
        ({"current_a": "1 mA"}, r"Excitation current = '1 mA' has the unit 'mA'; expected 'A'"),
        ({"current_a": "much"}, r"Excitation current = 'much' is not a number"),
        ({"current_a": None}, r"Excitation current is None; leave it out for its default"),
        ({"wiring": None}, r"Wiring is None; leave it out for its default"),
        ({"average": 7.9}, r"Average readings = 7\.9 is not a whole number"),
        ({"average": math.inf}, r"Average readings = inf is not a whole number"),
        ({"average": 0}, r"Average readings = 0 is outside \[1, 100000\]"),
        ({"settle": {"whitin_k": 1}}, r"unknown key 'whitin_k' in settle; .*did you mean 'within_k'"),
        ({"magnet": {"mode": "driving"}}, r"magnet\.mode is 'driving'; expected one of persistent, driven"),
        ({"magnet": {"rate_oe_per_s": -5}}, r"magnet\.rate_oe_per_s = -5 must be above zero"),
        ({"magnet": {"then_wait_s": -5}}, r"magnet\.then_wait_s = -5 is negative"),
        (
            {"temperature_program": {"setpoints_k": []}},
            r"setpoints_k is \[\]; expected a list of at least one",
        ),
        ({"temperature_program": {"setpoints_k": [math.nan]}}, r"Out of range float values"),
        ({"temperature_program": '{"setpoints_k":[NaN]}'}, r"Out of range float values"),
        (
            {"temperature_program": {"setpoints_k": ["2 K"]}},
            r"setpoints_k is '2 K'; expected a finite number",
        ),
        ({"temperature_program": {"sweep_k": [2, 3]}}, r"temperature program has the keys sweep_k; expected"),
        (
            {"temperature_program": SWEEP | {"sweep_k": [2, 2]}},
            r"sweep_k is \[2, 2\]; expected two different",
        ),
        ({"temperature_program": SWEEP | {"rate_k_per_min": 0}}, r"rate_k_per_min = 0 must be above zero"),
        ({"temperature_program": SWEEP | {"every_s": 0}}, r"every_s = 0 must be above zero"),
        ({"temperature_program": "[]"}, r"temperature program is \[\]; expected a JSON object"),
    ],
)
def test_a_value_that_a_parameter_does_not_take_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sweep(**change)


def test_an_attribute_is_checked_like_an_argument() -> None:
    measurement = sweep()
    measurement.average = "12"  # type: ignore[assignment]
    assert measurement.average == 12
    with pytest.raises(ValueError, match="Average readings"):
        measurement.average = 0


def test_nothing_of_qt_or_the_virtual_lab_comes_with_a_measurement() -> None:
    code = (
        "import sys, onnes.procedures.resistance_vs_field;"
        "print([m for m in sys.modules if m.startswith(('PySide6', 'qtpy', 'pyqtgraph', 'onnes.sim'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
