"""Fakes of what measures contacts, V(I) and alternating moments, with a diary each."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from onnes.instruments.conductance import Conductance, Modulation
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import Resistance
from onnes.instruments.susceptometer import AcLimits, AcReading
from tests.procedures.conftest import FakeStation


@dataclass
class FakeConductanceMeter:
    """A contact whose conductance, S, is a function of bias (V), temperature (K) and field (Oe)."""

    station: FakeStation
    siemens: Callable[[float, float, float], float]
    diary: list[tuple[Any, ...]] = field(default_factory=list)
    flags_at: Callable[[float], tuple[str, ...]] = lambda _: ()
    power_limit_w: float | None = None
    compliance_v: float = 1.0
    ends_after: float = math.inf
    quadrature: float = 0.001

    current_limits = Limits(1e-9, 0.1, "A", "the fake")

    def start(self, modulation: Modulation) -> None:
        self.diary.append(("start", modulation.volts_rms, self.power_limit_w))

    def curve(self, biases_v: Sequence[float]) -> Iterator[Conductance]:
        for count, bias in enumerate(biases_v):
            if count >= self.ends_after:
                return
            self.station.clock.sleep(1.0)
            cryostat, now = self.station.cryostat, self.station.clock.now()
            found = self.siemens(bias, cryostat.t.at(now), cryostat.h.at(now))
            flags = self.flags_at(bias)
            if self.power_limit_w is not None and bias**2 * found > self.power_limit_w:
                flags += ("power",)
            self.diary.append(("bias", bias))
            yield Conductance(bias, 0.0 if flags else bias, 1e-5, found, 1e-4, 2e-4, self.quadrature, flags)

    def stop(self) -> None:
        self.diary.append(("stop",))


@dataclass
class FakeCurrentVoltageMeter:
    """A sample whose voltage, V, is a function of current (A), temperature (K) and field (Oe)."""

    station: FakeStation
    volts: Callable[[float, float, float], float]
    diary: list[tuple[Any, ...]] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    compliance_v: float = 1.0
    limited_v: float = math.inf  # above it the source says that it is in compliance

    current_limits = Limits(1e-9, 0.1, "A", "the fake")

    def start_curve(self, largest_a: float, pulse_s: float | None = None) -> None:
        self.diary.append(("start", largest_a, pulse_s))

    def voltage_at(self, current_a: float, readings: int, stop_v: float) -> Resistance:
        self.diary.append(("voltage", current_a, readings))
        self.station.clock.sleep(0.1 * readings)
        cryostat, now = self.station.cryostat, self.station.clock.now()
        volts = self.volts(current_a, cryostat.t.at(now), cryostat.h.at(now))
        raw = tuple(sign * volts + 1e-6 for sign in (1.0, -1.0, 1.0))
        flags = self.flags + (("compliance",) if abs(volts) > self.limited_v else ())
        flags += ("quench",) if abs(volts) > stop_v else ()
        return Resistance(
            volts, current_a, volts / current_a, 1e-9 / current_a, 1e-6, 0.0, raw, flags, (1.0, -1.0, 1.0)
        )

    def stop(self) -> None:
        self.diary.append(("stop",))


@dataclass
class FakeSusceptometer:
    """A sample whose moment, emu, is a function of amplitude (Oe), frequency (Hz) and temperature (K)."""

    station: FakeStation
    moment: Callable[[float, float, float], complex]
    diary: list[tuple[Any, ...]] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    step_oe: float = 0.0  # of the drive
    _driven: tuple[float, float] = (0.0, 0.0)

    ac_limits = AcLimits(
        Limits(0.001, 4.0, "Oe", "the fake option"), Limits(0.1, 1000.0, "Hz", "the fake option")
    )

    def start(self, amplitude_oe: float, frequency_hz: float, harmonic: int = 1) -> None:
        self.diary.append(("start", amplitude_oe, frequency_hz, harmonic))
        steps = round(amplitude_oe / self.step_oe) if self.step_oe else 0
        self._driven = steps * self.step_oe or amplitude_oe, frequency_hz
        self.station.clock.sleep(4.0)

    def measure(self, readings: int) -> AcReading:
        self.station.clock.sleep(0.3 * readings)
        kelvin = self.station.cryostat.t.at(self.station.clock.now())
        found = self.moment(*self._driven, kelvin)
        return AcReading(self._driven[0], found.real, 1e-9, found.imag, 1e-9, self.flags)

    def stop(self) -> None:
        self.diary.append(("stop",))
