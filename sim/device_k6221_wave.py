"""Keithley 6221: sine, square, ramp and arbitrary waves with an offset, and the phase marker.

Facts from the manual's command tables and the ranges in PyMeasure's driver; (k) is general knowledge to be
checked against the manual, (a) our assumption.
"""

import math
from functools import partial
from typing import TYPE_CHECKING

from onnes.sim.device import InstrumentSettings
from onnes.sim.device_k6221_source import LARGEST_A, K6221Source
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_kinds import Boolean, Choice, Integer, Number, ScpiError
from onnes.sim.tones import Tone
from onnes.sim.waves import SINE, Fundamental, ramp, square, stairs

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_INFINITE = 9.9e37
_WAVE_DONE = 128  # bit 7 of the operation register, as PyMeasure's recipe for a service request has it
_MOST_POINTS = 100  # of one message
_TURN = 2.0 * math.pi


class K6221Wave(K6221Source):
    """Arm, then start: the wave runs until its duration is over or it is aborted.

    Starting switches the output on (k). Amplitudes are peaks. After the last cycle, and after an abort, the
    dc level flows again (a). While a wave runs with its marker on, ``<name>.phase_marker`` gives a reference
    that begins its cycle at the marked angle of the wave.
    """

    wave_function = Param(
        "[SOURce[1]]:WAVE:FUNCtion",
        Choice("SINusoid", "SQUare", "RAMP", *(f"ARBitrary{n}" for n in range(5))),
        "SIN",
    )
    wave_hz = Param("[SOURce[1]]:WAVE:FREQuency", Number(1e-3, 1e5), 1e3)
    wave_peak_a = Param("[SOURce[1]]:WAVE:AMPLitude", Number(2e-12, LARGEST_A), 1e-3)
    wave_offset_a = Param("[SOURce[1]]:WAVE:OFFSet", Number(-LARGEST_A, LARGEST_A), 0.0)
    wave_duty_percent = Param("[SOURce[1]]:WAVE:DCYCle", Number(0.0, 100.0), 50.0)
    wave_duration_s = Param(
        "[SOURce[1]]:WAVE:DURation:TIME", Number(100e-9, 999999.999, infinite=True), _INFINITE
    )
    wave_cycles = Param(
        "[SOURce[1]]:WAVE:DURation:CYCLes", Number(1e-3, 99999999900.0, infinite=True, digits=10), _INFINITE
    )
    wave_ranging = Param("[SOURce[1]]:WAVE:RANGing", Choice("BEST", "FIXed"), "BEST")
    wave_marker_deg = Param("[SOURce[1]]:WAVE:PMARk[:LEVel]", Number(-180.0, 180.0), 0.0)
    wave_marker_on = Param("[SOURce[1]]:WAVE:PMARk:STATe", Boolean(), False)
    wave_marker_line = Param("[SOURce[1]]:WAVE:PMARk:OLINe", Integer(1, 6), 3)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._marker = f"{name}.phase_marker"
        self._points: dict[str, tuple[float, ...]] = {}  # of the arbitrary waves, by the name of the function
        self._wave: tuple[float, Tone] | None = None  # mean in A and tone of what runs

    @command("[SOURce[1]]:WAVE:ARBitrary:DATA", Number(-1.0, 1.0), repeats=True)
    def take_points(self, t: float, *points: float) -> None:
        """Take the points of an arbitrary wave, at most 100 in one message."""
        del t
        if len(points) > _MOST_POINTS:
            raise ScpiError(-108)
        self._points["ARB0"] = points

    @command("[SOURce[1]]:WAVE:ARBitrary:COPY", Integer(1, 4))
    def keep_points(self, t: float, location: int) -> None:
        """Keep the points in one of four places."""
        del t
        if "ARB0" not in self._points:
            raise ScpiError(-221)
        self._points[f"ARB{location}"] = self._points["ARB0"]

    @command("[SOURce[1]]:WAVE:ARM[:IMMediate]")
    def arm_wave(self, t: float) -> None:
        """Make ready; a peak beyond the source or the fixed range, or an empty wave, is a conflict."""
        if self.wave_function.startswith("ARB") and self.wave_function not in self._points:
            raise ScpiError(-221)
        largest_a = abs(self.wave_offset_a) + self.wave_peak_a
        self.arm("wave", largest_a, t, fixes_range=self.wave_ranging == "FIX")

    @query("[SOURce[1]]:WAVE:ARM")
    def is_wave_armed(self, t: float) -> str:
        """Say whether a wave is armed."""
        del t
        return "1" if self.armed == "wave" else "0"

    @command("[SOURce[1]]:WAVE:INITiate")
    def start_wave(self, t: float) -> None:
        """Start the armed wave at phase 0 and switch the output on."""
        if self.armed != "wave":
            raise ScpiError(-221)
        mean, peak, phase = self._fundamental()
        hz = self.wave_hz
        start = -_TURN * math.fmod(hz * t, 1.0)
        tone = Tone(hz, self.wave_peak_a * peak, math.remainder(start + phase, _TURN))
        self._wave = self.wave_offset_a + self.wave_peak_a * mean, tone
        self.assign("output", True, t)
        if self.wave_marker_on:
            marked = start - math.radians(self.wave_marker_deg)
            self.lab.wiring.set_reference(self._marker, t, hz, math.remainder(marked, _TURN))
        if min(self.wave_duration_s, self.wave_cycles) < _INFINITE:
            seconds = min(self.wave_duration_s, self.wave_cycles / hz)
            self.lab.at(t + seconds, partial(self._finish, wave=self._wave))

    def _fundamental(self) -> Fundamental:
        if self.wave_function == "SIN":
            return SINE
        if self.wave_function in self._points:
            return stairs(self._points[self.wave_function])
        shape = square if self.wave_function == "SQU" else ramp
        return shape(0.01 * self.wave_duty_percent)

    def _finish(self, t: float, wave: tuple[float, Tone]) -> None:
        if wave is self._wave:
            self._end(t)
            self.drive(t)
            self.latch("operation", _WAVE_DONE)

    def _end(self, t: float) -> None:
        if self._wave is not None:
            self._wave = None
            self.lab.wiring.set_reference(self._marker, t, 0.0)

    @command("[SOURce[1]]:WAVE:ABORt")
    def abort_wave(self, t: float) -> None:
        """End the wave and disarm it."""
        if self.armed == "wave":
            self.disarm(t)

    def flowing(self) -> tuple[float, Tone | None]:
        """Return mean and tone of the wave that runs, A."""
        return super().flowing() if self._wave is None else self._wave

    def disarm(self, t: float) -> None:
        """End a wave, too."""
        self._end(t)
        super().disarm(t)
