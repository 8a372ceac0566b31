"""A lock-in and a source of waves at the level of numbers, for what is built of them."""

import math
from collections.abc import Callable
from typing import Any

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError
from onnes.instruments.limits import Limits
from onnes.instruments.lock_ins import LockInReading, LockInUse


class FakeLink:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.cleared = 0
        self.reopened = 0
        self.set_ups = 0

    def clear(self) -> None:
        self.cleared += 1


class FakeLockIn:
    """A lock-in whose settled signal is a function of time, V rms; notes what it is told."""

    TIME_CONSTANTS = (0.1, 0.3, 1.0, 3.0)
    SENSITIVITIES = (*(m * 10.0**e for e in range(-9, 0) for m in (1.0, 2.0, 5.0)), 1.0)
    frequency_limits = Limits(1e-3, 102e3, "Hz", "the SR830")
    sine_limits = Limits(4e-3, 5.0, "V", "the SR830")
    sine_step_v = 2e-3
    name = "SR830"

    def __init__(self, clock: VirtualClock) -> None:
        self.link = FakeLink(clock)
        self.told: list[str] = []
        self.signal: Callable[[], complex] = lambda: 0j
        self.flags: Callable[[], tuple[str, ...]] = tuple
        self.hum = 0.0
        self.sensitivity = 1.0
        self.sine_voltage = 4e-3
        self.use = LockInUse()
        self.taken: list[float] = []
        self.errors: list[str] = []

    def listen(self, use: LockInUse, *, reference: str) -> None:
        self.use = use
        self.told.append(f"listen {reference} {use.frequency_hz:g} Hz")

    def set_sine(self, volts_rms: float) -> None:
        self.sine_voltage = 2e-3 * round(max(volts_rms, 4e-3) / 2e-3)
        self.told.append(f"sine {self.sine_voltage:g} V")

    def fit_range(self, volts_rms: float) -> bool:
        full = self.sensitivity
        if 0.1 * full <= volts_rms <= 0.8 * full:
            return False
        self.sensitivity = next((s for s in self.SENSITIVITIES if volts_rms <= 0.8 * s), 1.0)
        return self.sensitivity != full

    def take(self) -> LockInReading:
        signal, now = self.signal(), self.link.clock.now()
        self.taken.append(now)
        flags = self.flags()
        if max(abs(signal), self.hum) > 1.09 * self.sensitivity:
            flags = ("overload", *flags)
            signal *= min(1.0, 1.09 * self.sensitivity / abs(signal))
        return LockInReading(signal.real, signal.imag, now, flags)

    def check_errors(self) -> list[Any]:
        if self.errors:
            raise CommunicationError(self.errors.pop(0))
        return []

    def safe_state(self) -> str:
        self.set_sine(0.0)
        return "sine at 0.004 V rms, its minimum"


class FakeWaveSource:
    """A 6221 as composites of a lock-in see it; notes what it is told."""

    current_limits = Limits(-0.105, 0.105, "A", "the Keithley 6221")
    name = "6221"

    def __init__(self, clock: VirtualClock) -> None:
        self.link = FakeLink(clock)
        self.told: list[str] = []
        self.level_a = 0.0  # direct; what flows without a wave
        self.direct_a = 0.0
        self.rms_a = 0.0
        self.is_on = False
        self.limits: Callable[[], bool] = bool
        self._range_a = 0.1

    @property
    def source_range(self) -> float:
        return self._range_a

    @source_range.setter
    def source_range(self, amps: float) -> None:
        self._range_a = 2.0 * amps
        self.told.append(f"range {amps:.3g} A")

    def __setattr__(self, name: str, value: object) -> None:
        if name == "source_compliance":
            self.told.append(f"compliance {value} V")
        super().__setattr__(name, value)

    def start_wave(self, hz: float, peak_a: float, offset_a: float = 0.0) -> None:
        self.told.append(f"wave {hz:g} Hz")
        self.is_on = True
        self.set_wave(peak_a, offset_a)

    def set_wave(self, peak_a: float, offset_a: float) -> None:
        assert abs(offset_a) + peak_a <= self._range_a
        self.direct_a, self.rms_a = offset_a, peak_a / math.sqrt(2.0)

    def set_current(self, amps: float) -> float:
        self.level_a = self.direct_a = amps
        return amps

    def stop_wave(self) -> None:
        self.direct_a, self.rms_a = self.level_a, 0.0

    def safe_state(self, rate: float | None = None) -> str:
        self.stop_wave()
        self.told.append(f"safe at {rate} A/s")
        self.set_current(0.0)
        self.is_on = False
        return "0 A, output off"

    def watch_compliance(self) -> bool:
        return self.limits()

    def was_in_compliance(self) -> bool:
        return self.limits()

    def check_errors(self) -> list[Any]:
        return []
