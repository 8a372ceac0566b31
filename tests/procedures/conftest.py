"""A station of pure Python that lags, overshoots, fails and keeps a diary; and a bench of the virtual lab."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock, virtual_time
from onnes.instruments.errors import ConfigurationError, InstrumentFault
from onnes.instruments.limits import Limits
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.open_station import open_station
from onnes.instruments.protocols import Reading, Resistance
from onnes.instruments.records import Event, Point
from onnes.instruments.station import Station
from onnes.instruments.station_file import load_station_file
from onnes.procedures.resistance_measurement import ResistanceMeasurement
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab

STATION = Path(__file__).parents[2] / "examples" / "stations" / "ppms9-sim.toml"
_numbers = count(1)

DEAD_S = 5.0  # the old status word outlives a set
QUERY_S = 0.004


@dataclass
class Ramp:
    """A quantity on its way: linear, then an overshoot that rings out, then at rest beside the target."""

    value: float
    noise: float = 0.0
    overshoot: float = 0.0
    offset: float = 0.0  # at rest the reading stays so far beside the target
    settle_s: float = 20.0
    obeys: bool = True
    target: float = math.nan
    rate_per_s: float = 1.0
    start: float = math.nan
    set_at: float = -1e6
    state_before: str = "stable"
    disturbed_at: float = math.inf
    kick: float = 0.0
    commands: list[tuple[Any, ...]] = field(default_factory=list)

    def set(self, t: float, target: float, rate_per_s: float) -> None:
        self.state_before = self.state(t, "stable")
        self.start = self.at(t)
        self.target, self.rate_per_s, self.set_at = target, rate_per_s, t

    @property
    def arrives_at(self) -> float:
        return self.set_at + abs(self.target - self.start) / self.rate_per_s

    def at(self, t: float) -> float:
        if math.isnan(self.target) or not self.obeys:
            return self.value
        late = t - self.arrives_at
        sign = math.copysign(1.0, self.target - self.start)
        kick = self.kick * math.exp(-(t - self.disturbed_at) / 30.0) if t >= self.disturbed_at else 0.0
        if late < 0:
            return self.start + sign * self.rate_per_s * (t - self.set_at) + kick
        return (
            self.target
            + self.offset
            + sign * self.overshoot * math.exp(-late / 40) * math.sin(late / 30)
            + kick
        )

    def read(self, t: float) -> float:
        return (
            self.at(t) + random.Random(math.floor(t / 2)).gauss(0.0, self.noise) if self.noise else self.at(t)
        )

    def state(self, t: float, rest: str) -> str:
        if t - self.set_at < DEAD_S:
            return self.state_before
        if t < self.arrives_at:
            return "tracking"
        return (
            "near"
            if t < self.arrives_at + self.settle_s or (abs(self.kick) and 0 <= t - self.disturbed_at < 20)
            else rest
        )


@dataclass
class FakeCryostat:
    clock: VirtualClock
    t: Ramp
    h: Ramp
    hook: Callable[[float, Reading, Reading], tuple[Reading, Reading]] | None = None

    temperature_limits = Limits(1.9, 400.0, "K", "the fake")
    temperature_rate_limits = Limits(0.01, 20.0, "K/min", "the fake")
    field_limits = Limits(-90000.0, 90000.0, "Oe", "the fake")
    field_rate_limits = Limits(0.1, 190.0, "Oe/s", "the fake")

    def set_temperature(self, kelvin: float, rate_k_per_min: float, approach: str = "fast_settle") -> None:
        self.t.commands.append((kelvin, rate_k_per_min, approach))
        self.t.set(self.clock.now(), kelvin, rate_k_per_min / 60.0)

    def temperature_setpoint(self) -> float:
        self.clock.sleep(QUERY_S)
        return self.t.target if self.t.obeys else self.t.value

    def set_field(self, field_oe: float, rate: float, approach: str = "linear", mode: str = "driven") -> None:
        self.h.commands.append((field_oe, rate, approach, mode))
        if field_oe != self.h.target:  # as the driver: an unchanged target is not sent again
            self.h.set(self.clock.now(), field_oe, rate)

    def field_setpoint(self) -> float:
        self.clock.sleep(QUERY_S)
        return self.h.target

    def snapshot(self) -> tuple[Reading, Reading]:
        self.clock.sleep(QUERY_S)
        now = self.clock.now()
        state = self.t.state(now, "stable")
        kelvin = Reading(self.t.read(now), now, state, state == "stable", 0x1141)
        state = self.h.state(now, "driven").replace("stable", "driven")
        oersted = Reading(self.h.read(now), now, state, state == "driven", 0x1141)
        return self.hook(now, kelvin, oersted) if self.hook else (kelvin, oersted)

    def temperature(self) -> Reading:
        return self.snapshot()[0]

    def field(self) -> Reading:
        return self.snapshot()[1]

    def hold_temperature(self) -> None:
        raise AssertionError("a procedure never holds")

    hold_field = hold_temperature


@dataclass
class FakeBridge:
    station: "FakeStation"
    ohms: Callable[[float, float], float]
    diary: list[tuple[Any, ...]] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    reading_s: float = 0.05
    compliance_v: float = 10.0

    current_limits = Limits(1e-9, 0.1, "A", "the fake")

    def start(self, current_a: float) -> None:
        self.diary.append(("start", current_a))

    def measure(self, readings: int) -> Resistance:
        self.diary.append(("measure", readings))
        clock = self.station.clock
        clock.sleep(0.5 * self.reading_s * readings)
        ohms = self.ohms(self.station.cryostat.t.at(clock.now()), self.station.cryostat.h.at(clock.now()))
        clock.sleep(0.5 * self.reading_s * readings)
        amps = float(next(entry[1] for entry in reversed(self.diary) if entry[0] == "start"))
        volts = tuple(amps * ohms * (-1.0) ** n + 1e-6 for n in range(readings))
        return Resistance(amps * ohms, amps, ohms, 1e-6, 1e-6, 0.0, volts, self.flags)

    def stop(self) -> None:
        self.diary.append(("stop",))


@dataclass
class FakeLockInBridge(FakeBridge):
    use: LockInUse = field(default_factory=LockInUse)


@dataclass(frozen=True)
class FakeLimits:
    temperature: Limits
    temperature_rate: Limits
    field: Limits | None
    field_rate: Limits | None


@dataclass(frozen=True)
class FakeStep:
    confirmed: bool
    message: str


class FakeStation:
    def __init__(
        self, clock: VirtualClock, kelvin: float, oersted: float, ohms: Callable[[float, float], float]
    ) -> None:
        self.clock = clock
        self.cryostat = FakeCryostat(
            clock, Ramp(kelvin, target=kelvin, start=kelvin), Ramp(oersted, target=oersted, start=oersted)
        )
        self.the_bridge = FakeBridge(self, ohms)
        self.bridges = {"": self.the_bridge}
        self.meters: dict[str, Any] = {}  # what measures contacts, V(I) and alternating moments
        self.thermostat: FakeCryostat = self.cryostat
        self.magnet: FakeCryostat | None = self.cryostat
        self.calls: list[str] = []

    def bridge(self, wiring: str, method: str = "") -> FakeBridge:
        if wiring != "film" or method not in self.bridges:
            raise ConfigurationError(f"no wiring {wiring!r}")
        return self.bridges[method]

    def _meter(self, kind: str, wiring: str) -> Any:
        if wiring != "film" or kind not in self.meters:
            raise ConfigurationError(f"no wiring {wiring!r}")
        return self.meters[kind]

    def conductance_meter(self, wiring: str) -> Any:
        return self._meter("conductance", wiring)

    def current_voltage(self, wiring: str) -> Any:
        return self._meter("current_voltage", wiring)

    def susceptometer(self, wiring: str) -> Any:
        return self._meter("susceptometer", wiring)

    def snapshot(self) -> tuple[Reading, Reading | None]:
        kelvin, oersted = self.cryostat.snapshot()
        return kelvin, oersted if self.magnet else None

    def limits(self) -> FakeLimits:
        fake = self.cryostat
        return FakeLimits(
            fake.temperature_limits,
            fake.temperature_rate_limits,
            fake.field_limits if self.magnet else None,
            fake.field_rate_limits if self.magnet else None,
        )

    def safe_state(self, *, abort: bool = False) -> list[FakeStep]:  # noqa: ARG002 - the signature is the station's
        self.calls.append("safe_state")
        return [FakeStep(True, "0 A, off")]

    def close(self) -> None:
        self.calls.append("close")

    # -- the bad day

    def quench_at(self, time: float) -> None:
        def hook(now: float, kelvin: Reading, oersted: Reading) -> tuple[Reading, Reading]:
            if now >= time:
                raise InstrumentFault(f"magnet is quenching at {oersted.value:.9g} Oe")
            return kelvin, oersted

        self.cryostat.hook = hook

    def temperature_between(self, begin: float, end: float, **changes: Any) -> None:
        """Replace fields of each temperature reading between two times."""

        def hook(now: float, kelvin: Reading, oersted: Reading) -> tuple[Reading, Reading]:
            return (replace(kelvin, **changes) if begin <= now < end else kelvin), oersted

        self.cryostat.hook = hook


def _one_ohm(kelvin: float, oersted: float) -> float:  # noqa: ARG001 - it depends on nothing
    return 1.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def make_station(clock: VirtualClock) -> Callable[..., FakeStation]:
    def make(
        kelvin: float = 4.2, oersted: float = 0.0, ohms: Callable[[float, float], float] = _one_ohm
    ) -> FakeStation:
        return FakeStation(clock, kelvin, oersted, ohms)

    return make


# -- the virtual lab: drivers, wire and plant


@dataclass
class Bench:
    lab: VirtualLab
    station: Station
    clock: VirtualClock

    def take(self, measurement: ResistanceMeasurement) -> list[Point | Event]:
        with virtual_time(self.clock):
            return list(measurement.points(self.station, self.clock))

    def points(self, measurement: ResistanceMeasurement) -> list[Any]:
        return [item for item in self.take(measurement) if isinstance(item, Point)]


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    keys: list[str] = []

    def make(
        kelvin: float = 300.0, seed: int = 7, sample: dict[str, Any] | None = None, **under: Any
    ) -> Bench:
        keys.append(f"procedures-{next(_numbers)}")
        clock = VirtualClock()
        tables = {**under, "cryostat": {"start_k": kelvin, **under.get("cryostat", {})}}
        lab = load_lab("demo" if sample is None else "default", clock, seed=seed, sample=sample, under=tables)
        set_lab(keys[-1], lab)
        with virtual_time(clock):
            station = open_station(load_station_file(STATION), clock, lab_key=keys[-1])
        return Bench(lab, station, clock)

    yield make
    for key in keys:
        forget_lab(key)
