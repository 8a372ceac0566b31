"""What a station measures by each of its wirings, on the virtual lab in strict mode."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.conductance import ConductanceMeter, Modulation
from onnes.instruments.delta_bridge import DeltaBridge
from onnes.instruments.differential_conductance import DifferentialConductance
from onnes.instruments.errors import ConfigurationError, LimitError
from onnes.instruments.lock_in_bridge import LockInBridge
from onnes.instruments.lock_in_conductance import LockInConductance
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.mutual_inductance import MutualInductance
from onnes.instruments.open_station import open_station
from onnes.instruments.protocols import CurrentVoltageMeter, ResistanceBridge
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.station import Station
from onnes.instruments.station_file import load_station_file
from onnes.instruments.survey import survey_station
from onnes.instruments.susceptometer import Susceptometer
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

CURRENT = 1e-4
DRIVEN = """
leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }
compliance = "1 V"
ramp = "1 mA/s"
abort_ramp = "100 mA/s"
"""
STATION = f"""
station = 1
name = "all"
backend = "simulated"
[instruments.k2182a] # before the source through which it may be heard
driver = "keithley2182a"
METER
[instruments.ppms]
driver = "ppms"
resource = "GPIB0::15::INSTR"
[instruments.k6221]
driver = "keithley6221"
resource = "GPIB0::12::INSTR"
[instruments.sr830]
driver = "sr830"
resource = "GPIB0::8::INSTR"
[roles]
thermostat = "ppms"
magnet = "ppms"
[wiring.alternating]
measures = "resistance"
method = "lock_in"
source = "k6221"
meter = "sr830"
{DRIVEN}
[wiring.own_sine]
measures = "resistance"
method = "lock_in"
source = "sr830"
meter = "sr830"
series = "10 kohm"
{DRIVEN}
[wiring.coil]
measures = "susceptibility"
method = "mutual_inductance"
source = "sr830"
meter = "sr830"
series = "1 kohm"
field_constant = "100 Oe/A"
pickup_constant = "2e-4 V/Hz/emu"
amplitude = "0.001..0.5 Oe"
frequency = "10 Hz..10 kHz"
[safe_state]
sr830 = {{ sine = "4 mV" }}
"""
ON_THE_BUS = f"""
[wiring.film]
measures = "resistance"
method = "reversal"
source = "k6221"
meter = "k2182a"
{DRIVEN}
[wiring.contact]
measures = "conductance"
method = "lock_in"
source = "k6221"
meter = "sr830"
bias_meter = "k2182a"
{DRIVEN}
"""
ON_THE_LINE = f"""
[wiring.film]
measures = "resistance"
method = "delta"
source = "k6221"
meter = "k2182a"
{DRIVEN}
[wiring.contact]
measures = "conductance"
method = "differential"
source = "k6221"
meter = "k2182a"
{DRIVEN}
"""
BUS, LINE = 'resource = "GPIB0::7::INSTR"', 'via = "k6221"'

Opener = Callable[..., Station]


class _Opened:
    """Opens stations on a lab of their own."""

    def __init__(self, clock: VirtualClock, folder: Path, key: str) -> None:
        self._clock, self._folder, self._key = clock, folder, key
        self._stations: list[Station] = []
        self.lab: VirtualLab | None = None

    def file(self, *, on_the_line: bool, lab: str = "", meter: str = LINE) -> Path:
        """Write the station file, and put the lab there."""
        line = '[instrument.k2182a]\ninterface = "rs232"\n' if on_the_line else ""
        text = f"[lab]\nstrict = true\n[sample]\ngamma_t = 0.06\n{line}{lab}"
        (self._folder / "lab.toml").write_text(text, encoding="utf-8")
        self.lab = load_lab(self._folder / "lab.toml", self._clock)
        set_lab(self._key, self.lab)
        path = self._folder / "all.toml"
        wirings = ON_THE_LINE if on_the_line else ON_THE_BUS
        path.write_text(STATION.replace("METER", meter if on_the_line else BUS) + wirings, encoding="utf-8")
        return path

    def __call__(self, *, on_the_line: bool = False, lab: str = "", meter: str = LINE) -> Station:
        path = self.file(on_the_line=on_the_line, lab=lab, meter=meter)
        station = open_station(load_station_file(path), self._clock, lab_key=self._key)
        self._stations.append(station)
        return station

    def close(self) -> None:
        """Close the stations, and say that no driver sent anything that its manual does not allow."""
        for station in self._stations:
            station.close()
        if self.lab is not None:
            forget_lab(self._key)
            assert self.lab.journal == []


@pytest.fixture
def opened(clock: VirtualClock, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[_Opened]:
    opened = _Opened(clock, tmp_path, request.node.name)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("on_the_line", "kinds"),
    [
        (False, {"film": ReversalBridge, "alternating": LockInBridge, "own_sine": LockInBridge}),
        (True, {"film": DeltaBridge, "alternating": LockInBridge, "own_sine": LockInBridge}),
    ],
)
def test_each_method_of_a_resistance_has_its_bridge(
    opened: _Opened, on_the_line: bool, kinds: dict[str, type]
) -> None:
    station = opened(on_the_line=on_the_line)
    for name, kind in kinds.items():
        bridge = station.bridge(name)
        assert type(bridge) is kind
        assert isinstance(bridge, ResistanceBridge)
        assert station.bridge(name, station.file.wiring[name].method) is bridge
        assert bridge.compliance_v == 1.0


def test_each_method_of_a_conductance_has_its_meter(opened: _Opened) -> None:
    for on_the_line, kind in ((False, LockInConductance), (True, DifferentialConductance)):
        meter = opened(on_the_line=on_the_line).conductance_meter("contact")
        assert type(meter) is kind
        assert isinstance(meter, ConductanceMeter)


def test_a_coil_has_the_record_of_the_station_file(opened: _Opened) -> None:
    coil = opened().susceptometer("coil")
    assert isinstance(coil, MutualInductance)
    assert isinstance(coil, Susceptometer)
    # below 0.014 Oe the steps of the sine, 2 mV, are coarser than the record of the coil
    assert coil.ac_limits.amplitude.low == pytest.approx(0.0141421356)
    assert coil.ac_limits.amplitude.high == 0.5
    with pytest.raises(LimitError, match=r"= 1 Oe is outside .*all\.toml"):
        coil.start(1.0, 100.0)


@pytest.mark.parametrize("wiring", ["film", "contact"])
def test_a_nanovoltmeter_with_an_address_measures_v_of_i(opened: _Opened, wiring: str) -> None:
    station = opened()
    curve = station.current_voltage(wiring)
    assert isinstance(curve, CurrentVoltageMeter)
    assert station.current_voltage(wiring) is curve
    curve.start_curve(CURRENT)
    found = curve.voltage_at(CURRENT, 6, 0.1)
    bridge = station.bridge("film")
    curve.stop()
    bridge.start(CURRENT)
    assert found.voltage == pytest.approx(bridge.measure(12).voltage, abs=1e-7)


def test_what_a_wiring_cannot_measure_is_told_with_the_reason(opened: _Opened) -> None:
    station = opened(on_the_line=True)
    for measure, text in (
        (
            station.current_voltage,
            r"wiring 'film' \(method 'delta'\) cannot measure V\(I\): that takes a nano",
        ),
        (
            station.conductance_meter,
            r"wiring 'film' .* cannot measure a conductance: its table says measures =",
        ),
        (station.susceptometer, "cannot measure a susceptibility: its table says measures = 'resistance'"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            measure("film")
    with pytest.raises(
        ConfigurationError, match="cannot measure a resistance: its table says measures = 'susc"
    ):
        station.bridge("coil")
    with pytest.raises(ConfigurationError, match="wiring 'film' measures by 'delta', not by 'lock_in'"):
        station.bridge("film", "lock_in")
    with pytest.raises(ConfigurationError, match="no wiring 'flim'; did you mean 'film'"):
        station.conductance_meter("flim")


@pytest.mark.parametrize(("on_the_line", "kind"), [(False, LockInBridge), (True, DeltaBridge)])
def test_the_instruments_of_a_conductance_measure_a_resistance_too(
    opened: _Opened, on_the_line: bool, kind: type
) -> None:
    bridge = opened(on_the_line=on_the_line).bridge("contact")
    assert isinstance(bridge, kind)


@pytest.mark.parametrize("on_the_line", [False, True])
def test_delta_reversal_and_lock_in_give_the_same_resistance_with_an_emf_that_drifts(
    opened: _Opened, on_the_line: bool
) -> None:
    drifting = "".join(
        f"[[read]]\nport = '{port}'\nloop = 'I'\nemf_nv = 3000\nemf_drift_nv_per_s = 50\nlead_ohm = 12\n"
        for port in ("k2182a.ch1", "sr830.A")
    )
    station = opened(on_the_line=on_the_line, lab=drifting)
    direct = station.bridge("film")
    direct.start(CURRENT)
    found = direct.measure(60)
    direct.stop()
    alternating = station.bridge("alternating")
    assert isinstance(alternating, LockInBridge)
    alternating.use = LockInUse(frequency_hz=117.0, time_constant_s=0.1)
    alternating.start(CURRENT)
    other = alternating.measure(20)
    alternating.stop()
    error = math.hypot(found.resistance_error, other.resistance_error)
    assert error < 1e-3 * found.resistance
    assert other.resistance == pytest.approx(found.resistance, abs=4 * error)


def test_whoever_makes_a_source_safe_takes_its_currents_for_off(opened: _Opened) -> None:
    station = opened(on_the_line=True)
    bridge = station.bridge("film")
    bridge.start(CURRENT)
    steps = station.stop_sources()
    assert [(step.instrument, step.confirmed) for step in steps] == [("sr830", True), ("k6221", True)]
    assert "0 A, output off" in steps[1].message
    with pytest.raises(ConfigurationError, match="not started"):
        bridge.measure(6)


def test_a_source_that_another_measurement_has_set_up_gives_no_point_to_the_first(opened: _Opened) -> None:
    station = opened()
    bridge, curve = station.bridge("film"), station.current_voltage("film")
    bridge.start(CURRENT)
    curve.start_curve(CURRENT)
    with pytest.raises(ConfigurationError, match="k6221 was set up for another measurement since; start the"):
        bridge.measure(6)
    curve.stop()
    bridge.start(CURRENT)
    assert bridge.measure(6).flags == ()


def test_every_way_out_leaves_a_contact_without_current(opened: _Opened) -> None:
    station = opened(on_the_line=True)
    meter = station.conductance_meter("contact")
    meter.start(Modulation())
    next(iter(meter.curve([-1e-4, 0.0, 1e-4])))
    assert all(step.confirmed for step in station.safe_state(abort=True))
    assert not station.look().sources_on["k6221"]


def test_a_look_tells_what_spoils_a_lock_in_and_leaves_it_for_the_reading(opened: _Opened) -> None:
    station = opened()
    assert station.look().row()["Lock-in sr830"] == "good"
    station.bridge("alternating").start(CURRENT)
    assert opened.lab is not None
    for _ in range(2):
        assert station.look().lock_ins["sr830"] == ()


def test_a_running_delta_is_not_disturbed_by_a_look_or_by_asking_who_is_silent(opened: _Opened) -> None:
    station = opened(on_the_line=True)
    bridge = station.bridge("film")
    bridge.start(CURRENT)
    assert station.silent() == {}
    assert station.look().sources_on == {"k6221": True}
    assert bridge.measure(6).flags == ()


def test_a_meter_at_another_speed_is_refused_when_the_station_is_opened(opened: _Opened) -> None:
    with pytest.raises(
        ConfigurationError, match="k2182a answers at 19200 baud, but the serial line of k6221 is"
    ):
        opened(on_the_line=True, meter=f"{LINE}\nbaud = 9600")
    assert opened.lab is not None
    told = {entry.kind for entry in opened.lab.journal}
    assert told == {"refused -365", "refused -420"}  # nobody answered, which is what it looked for
    opened.lab.journal.clear()


def test_a_survey_reads_each_instrument_also_behind_the_line(
    opened: _Opened, clock: VirtualClock, request: pytest.FixtureRequest
) -> None:
    file = load_station_file(opened.file(on_the_line=True))
    found = {one.instrument: one for one in survey_station(file, clock, lab_key=request.node.name)}
    assert [one.problem for one in found.values()] == [""] * 4
    assert found["k2182a"].resource == "via k6221"
    assert [reading.quantity for reading in found["k2182a"].readings] == ["voltage"]
    assert [reading.quantity for reading in found["sr830"].readings] == ["in phase", "in quadrature", "sine"]
