"""Keithley 6221 current source, strict."""

from collections.abc import Mapping
from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument
from pymeasure.instruments.keithley import Keithley6221 as PyMeasureKeithley6221
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from onnes.instruments.clock import Clock
from onnes.instruments.current_source import StrictCurrentSource
from onnes.instruments.limits import Limits
from onnes.instruments.strict import confirm

# PyMeasure's driver (seen), from the manual's table of wave commands.
_LEAST_PEAK_A = 2e-12


class Keithley6221(StrictCurrentSource, PyMeasureKeithley6221):
    """Keithley 6221 AC and DC current source; nothing is clipped, every setpoint is read back."""

    units: ClassVar[Mapping[str, str]] = {
        "source_compliance": "V",
        "source_delay": "s",
        "delta_high_source": "A",
        "delta_low_source": "A",
        "conductance_start": "A",
        "conductance_stop": "A",
        "conductance_step": "A",
        "conductance_delta": "A",
        "conductance_delay": "s",
        "waveform_frequency": "Hz",
        "waveform_amplitude": "A",
        "waveform_offset": "A",
        "waveform_dutycycle": "%",
        "waveform_duration_time": "s",
    }
    resolutions: ClassVar[Mapping[str, float]] = {"source_compliance": 0.01}  # specifications: 10 mV

    model_name: ClassVar[str] = "6221"
    # 6220/6221 reference manual, specifications: full scales of 20 000 steps each.
    _RANGES_A = (2e-9, 20e-9, 200e-9, 2e-6, 20e-6, 200e-6, 2e-3, 20e-3, 100e-3)
    _STEPS = 20_000
    # 6220/6221 reference manual, figure 11-6: bit 3 of the measurement condition and event registers.
    _IN_COMPLIANCE = 1 << 3
    _ABORTS = ("SOUR:SWE:ABOR", "SOUR:WAVE:ABOR")

    conductance_start = Instrument.control(
        ":SOUR:DCON:STAR?",
        ":SOUR:DCON:STAR %g",
        """Control the first current of the staircase of differential conductance, A.""",
        validator=strict_range,
        values=(-0.105, 0.105),
    )
    conductance_stop = Instrument.control(
        ":SOUR:DCON:STOP?",
        ":SOUR:DCON:STOP %g",
        """Control the last current of the staircase, A.""",
        validator=strict_range,
        values=(-0.105, 0.105),
    )
    conductance_step = Instrument.control(
        ":SOUR:DCON:STEP?",
        ":SOUR:DCON:STEP %g",
        """Control the step of the staircase, A; its direction is that of start and stop.""",
        validator=strict_range,
        values=(1e-13, 0.105),
    )
    conductance_delta = Instrument.control(
        ":SOUR:DCON:DELT?",
        ":SOUR:DCON:DELT %g",
        """Control what is added to the staircase and taken away in turns, A.""",
        validator=strict_range,
        values=(0.0, 0.105),
    )
    conductance_delay = Instrument.control(
        ":SOUR:DCON:DEL?",
        ":SOUR:DCON:DEL %g",
        """Control the time from the change of the current to the conversion, s.""",
        validator=strict_range,
        values=(1e-3, 9999.999),
    )
    conductance_compliance_abort_enabled = Instrument.control(
        ":SOUR:DCON:CAB?",
        ":SOUR:DCON:CAB %d",
        """Control whether the compliance ends differential conductance (bool).""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    current_limits: ClassVar[Limits] = Limits(-0.105, 0.105, "A", "the Keithley 6221")
    wave_frequency_limits: ClassVar[Limits] = Limits(1e-3, 1e5, "Hz", "the Keithley 6221")

    def __init__(
        self,
        adapter: Adapter | str,
        name: str = "Keithley 6221",
        clock: Clock | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(adapter, name, clock, **kwargs)

    @property
    def source_range(self) -> float:
        """Control the full scale, A; set, it fixes the smallest range that holds the current."""
        return self.link.query("SOUR:CURR:RANG?", float)

    @source_range.setter
    def source_range(self, amps: float) -> None:
        self.current_limits.check("source range", amps)
        self.link.write(f"SOUR:CURR:RANG:AUTO 0;:SOUR:CURR:RANG {abs(amps):.9g}")
        if not self.source_range * self._OVER_RANGE >= abs(amps):
            confirm("source range", amps, self.source_range, 0.0, self.name)

    def start_wave(self, hz: float, peak_a: float, offset_a: float = 0.0) -> None:
        """Put out a sine of ``peak_a`` (amplitude, not rms) around ``offset_a``, A, until :meth:`stop_wave`.

        Compliance and range are those set before: the range stays fixed, so that no wave switches it. The
        phase marker is on, at the positive zero crossing of the sine, for the reference of a lock-in.

        Raises:
            LimitError: if the frequency, or a peak of the current, is out of range; nothing was sent.
            InstrumentFault: if the wave does not start as told.
        """
        self.wave_frequency_limits.check("frequency of the wave", hz)
        self._check_peaks(peak_a, offset_a)
        self.waveform_abort()
        self.waveform_function = "sine"
        self.waveform_frequency = hz
        self.waveform_ranging = "fixed"
        self.waveform_duration_set_infinity()
        self.waveform_phasemarker_phase = 0
        self.waveform_use_phasemarker = True
        self._run_wave(peak_a, offset_a)

    def set_wave(self, peak_a: float, offset_a: float) -> None:
        """Change amplitude and offset of a wave, A; its frequency stays.

        The settings are locked while a wave is armed, so the output restarts: for a few milliseconds the
        current is the direct one that was set, 0 A after :meth:`safe_state`. A lock-in settles anew then.

        Raises:
            LimitError: if a peak of the current is out of range; nothing was sent.
            InstrumentFault: if the wave does not start as told.
        """
        self._check_peaks(peak_a, offset_a)
        self.waveform_abort()
        self._run_wave(peak_a, offset_a)

    def stop_wave(self) -> None:
        """End the wave; what is left is the direct current, which is not changed."""
        self.waveform_abort()

    def _check_peaks(self, peak_a: float, offset_a: float) -> None:
        limits = self.current_limits
        Limits(_LEAST_PEAK_A, limits.high, "A", limits.set_by).check("amplitude of the wave", peak_a)
        limits.check("offset of the wave", offset_a)
        limits.check("peak of the current", abs(offset_a) + peak_a)

    def _run_wave(self, peak_a: float, offset_a: float) -> None:
        self.waveform_amplitude = peak_a
        self.waveform_offset = offset_a
        self.waveform_arm()
        confirm("wave armed", 1, self.link.query("SOUR:WAVE:ARM?", int), 0.0, self.name)
        self.waveform_start()
        # Starting a wave switches the output on (k); that the wave runs shows in nothing else.
        confirm("source_enabled", True, self.source_enabled, 0.0, self.name)
